"""Exchange rates that spend controls count by: exact, or rounded against the spender. Pure."""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Context
from fractions import Fraction
from math import ceil

from domain.common.credits import CreditPrice
from domain.common.errors import Invalid
from domain.common.money import ISSUED, scale_of

MAX_DECIMALS = 12
#: How long a rate counts before it is too old, unless it says otherwise, and at most.
VALID_FOR, MAX_VALID_FOR = timedelta(days=1), timedelta(days=31)
#: How far ahead a rate may begin.
MAX_AHEAD = timedelta(days=31)

_RATE = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,40}))?")
_BIGINT = 2**63 - 1
#: Most minor units that a minor unit of credits may be worth: the largest spend is within 64 bits.
_MOST = 9_000
#: Of how many minor units of credits a rate says the worth that no smaller number says exactly.
_FINE = 10**15


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRate:
    """One unit of `base` is worth `rate` of `quote`, from `starts_at` until it is too old at `ends_at`."""

    base: str
    quote: str
    rate: Fraction
    starts_at: datetime
    ends_at: datetime

    def in_minor(self) -> tuple[int, int]:
        """Return the rate exactly: so many minor units of `base` are worth so many of `quote`.

        Raises:
            Invalid: it has more digits than the books hold.
        """
        exact = self.rate * 10 ** scale_of(self.quote) / 10 ** scale_of(self.base)
        if max(exact.numerator, exact.denominator) > _BIGINT:
            raise _invalid("The rate has more digits than the books can hold.")
        return exact.denominator, exact.numerator

    def of_credits(self, price: CreditPrice) -> tuple[int, int]:
        """Return what credits are worth in `quote` at their price in `base`, in minor units, rounded up if at all.

        Raises:
            Invalid: a credit is worth more than the books hold.
        """
        credits_minor, base_minor = price.rate()
        exact = Fraction(base_minor, credits_minor) * Fraction(*reversed(self.in_minor()))
        if exact > _MOST:
            raise _invalid("The rate is too large: a spend would be worth more than the books can hold.")
        if exact.denominator <= _FINE:
            return exact.denominator, exact.numerator
        return _FINE, ceil(exact * _FINE)


def exchange_rate(
    *,
    base: str,
    quote: str,
    rate: str,
    price: CreditPrice,
    now: datetime,
    starts_at: datetime | None = None,
    valid_for: timedelta = VALID_FOR,
) -> ExchangeRate:
    """Return a rate as an operator sets it.

    Args:
        base: the currency that credits are sold for.
        quote: the other one.
        rate: a plain decimal number above zero.
        price: of a credit.
        now: rates do not begin before it, so that what was counted stays as it was.
        starts_at: when it begins; `now` when left out.
        valid_for: how long it counts.

    Raises:
        Invalid: names the field to change.
    """
    if base != price.currency:
        raise Invalid(
            f"base must be {price.currency}, the currency that credits are sold for.", extra={"field": "base"}
        )
    if quote == base or quote in ISSUED:
        raise Invalid("quote must be another currency than base, and one that is money.", extra={"field": "quote"})
    scale_of(quote)
    match = _RATE.fullmatch(rate)
    if match is None or not Fraction(rate):
        raise _invalid("rate must be a plain decimal number above zero with at most 12 digits before the point.")
    if len((match[2] or "").rstrip("0")) > MAX_DECIMALS:
        raise _invalid(f"rate must not have more than {MAX_DECIMALS} decimals.")
    begins = starts_at or now
    if not now <= begins <= now + MAX_AHEAD:
        raise Invalid("starts_at must not be in the past or more than 31 days ahead.", extra={"field": "starts_at"})
    if not timedelta(0) < valid_for <= MAX_VALID_FOR:
        raise Invalid("valid_for must be above zero and at most 31 days.", extra={"field": "valid_for"})
    made = ExchangeRate(base=base, quote=quote, rate=Fraction(rate), starts_at=begins, ends_at=begins + valid_for)
    made.of_credits(price)
    return made


def rate_between(base: str, quote: str, base_minor: int, quote_minor: int) -> Fraction:
    """Return the price of one `base` in `quote`, from minor units of both."""
    return Fraction(quote_minor * 10 ** scale_of(base), base_minor * 10 ** scale_of(quote))


def format_rate(rate: Fraction) -> str:
    """Write a rate that was set as a plain decimal number, exactly."""
    return f"{Context(prec=40).divide(rate.numerator, rate.denominator):f}"


def _invalid(why: str) -> Invalid:
    return Invalid(why, extra={"field": "rate"})
