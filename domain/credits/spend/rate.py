"""Exchange rates of spend controls: exact, or rounded against the spender. Pure."""

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Context, Decimal
from fractions import Fraction
from math import ceil

from domain.common.credits import CreditPrice
from domain.common.errors import Invalid
from domain.common.money import ISSUED, SCALES, scale_of

MAX_DECIMALS = 12
EURO = "EUR"
#: The source of rates that operators set.
OPERATOR = "operator"
#: The default and the maximum validity of a rate.
VALID_FOR, MAX_VALID_FOR = timedelta(days=1), timedelta(days=31)
#: How far ahead a rate may begin.
MAX_AHEAD = timedelta(days=31)

_RATE = re.compile(r"([0-9]{1,12})(?:\.([0-9]{1,40}))?")
_BIGINT = 2**63 - 1
#: The maximum worth of a minor unit of credits, in minor units, so that the largest spend fits 64 bits.
_MOST = 9_000
#: The minor units of credits in a rate without an exact ratio of smaller numbers.
_FINE = 10**15
_EXACT = Context(prec=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeRate:
    """A unit of `base` is worth `rate` of `quote`, from `starts_at` until it expires at `ends_at`.

    `source` is the host that it was read from, or `operator` for one that an operator set.
    """

    base: str
    quote: str
    rate: Fraction
    starts_at: datetime
    ends_at: datetime
    source: str = OPERATOR

    def in_minor(self) -> tuple[int, int]:
        """Return the exact rate as minor units of `base` and the equal minor units of `quote`.

        Raises:
            Invalid: it has more digits than the books hold.
        """
        exact = self.rate * 10 ** scale_of(self.quote) / 10 ** scale_of(self.base)
        if max(exact.numerator, exact.denominator) > _BIGINT:
            raise _invalid("The rate has more digits than the books can hold.")
        return exact.denominator, exact.numerator

    def of_credits(self, price: CreditPrice) -> tuple[int, int]:
        """Return the worth of credits in `quote` by their price in `base`, in minor units, rounded up if necessary.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferenceRates:
    """Reference rates of a central bank: the worth of one euro in other currencies on a day; `source` is a host."""

    day: date
    per_euro: Mapping[str, Decimal]
    source: str


def cross_rates(file: ReferenceRates, *, price: CreditPrice, now: datetime, max_age: timedelta) -> list[ExchangeRate]:
    """Return a file's exact rates from the currency that credits are sold for; none if the file is too old.

    Currencies that the books do not know, or cannot count a spend in, are left out.

    Args:
        file: the reference rates.
        price: of a credit.
        now: when the rates begin.
        max_age: how long after its day the file is used.

    Raises:
        Invalid: the file has no rate of the currency that credits are sold for.
    """
    per_euro = {EURO: Fraction(1), **{code: Fraction(rate) for code, rate in file.per_euro.items()}}
    if price.currency not in per_euro:
        raise _invalid(f"The reference rates have no rate of {price.currency}, the currency that credits are sold for.")
    ends_at = datetime.combine(file.day, time(), UTC) + timedelta(days=1) + max_age
    made = []
    for quote in sorted(per_euro.keys() & SCALES.keys() - ISSUED - {price.currency}) if ends_at > now else ():
        rate = ExchangeRate(
            base=price.currency,
            quote=quote,
            rate=per_euro[quote] / per_euro[price.currency],
            starts_at=now,
            ends_at=ends_at,
            source=file.source,
        )
        with suppress(Invalid):
            rate.of_credits(price)
            made.append(rate)
    return made


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
    """Check and return a rate.

    Args:
        base: the currency that credits are sold for.
        quote: the other one.
        rate: a plain decimal number above zero.
        price: of a credit.
        now: rates do not begin before it, so earlier counts do not change.
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
    """Write a rate as a plain decimal number: a set rate exactly, a read one with 12 decimals, rounded up."""
    scaled = ceil(rate * 10**MAX_DECIMALS)
    return f"{Decimal(scaled).scaleb(-MAX_DECIMALS, _EXACT).normalize(_EXACT):f}"


def _invalid(why: str) -> Invalid:
    return Invalid(why, extra={"field": "rate"})
