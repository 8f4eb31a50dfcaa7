"""Billing terms: how an organization's usage is paid, its commitment, and its discounts.

Terms are versions. The first version applies at once; a change applies from the next month on, so one version holds for
a whole month. Months are those of the terms' time zone. Amounts are minor units of their currency. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

from domain.billing.billing_run.period import Period, period_at, period_of
from domain.billing.invoice.collection import CollectionMethod
from domain.billing.plan import PlanPrice
from domain.common.calendar import zone_of
from domain.common.errors import Invalid
from domain.common.money import ISSUED, MAX_AMOUNT_MINOR, Amounts, scale_of

MAX_STEPS = 20
MAX_PLAN_PRICES = 100
MAX_NET_DAYS = 180
#: Ten thousand basis points are the whole.
WHOLE_BPS = 10_000


class UsageMode(StrEnum):
    """`prepaid`: usage is paid with credits; `arrears`: it is invoiced when its month is over. Never both."""

    PREPAID = "prepaid"
    ARREARS = "arrears"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscountStep:
    """A volume discount: if a month's net charges reach `from_minor`, all usage is discounted by `bps` basis points."""

    from_minor: int
    discount_bps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreedPrice:
    """A price of a plan that was agreed with an organization."""

    plan: str
    price: PlanPrice


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingTerms:
    """The billing terms of an organization.

    Attributes:
        mode: how usage is paid.
        currency: of its invoices.
        time_zone: of its periods, and of the days in its documents and mails.
        commitment_minor: the minimum charge for usage in a month, after discounts; 0 for none.
        commitment_from: the first day of the commitment; None for the beginning of the terms.
        discounts: by ascending `from_minor`; the highest step that the month reaches applies.
        net_days: how many days after issue an invoice is due.
        collection_method: whether monthly invoices are charged at once, or sent, with reminders when overdue.
        plan_prices: agreed prices of plans; at most one for each plan, interval and currency.
        unpaid_limit_minor: what usage in arrears may come to that is not invoiced or not paid; None for the platform's
            usual limit.
    """

    mode: UsageMode = UsageMode.PREPAID
    currency: str = "USD"
    time_zone: str = "UTC"
    commitment_minor: int = 0
    commitment_from: date | None = None
    discounts: tuple[DiscountStep, ...] = ()
    net_days: int = 30
    collection_method: CollectionMethod = CollectionMethod.CHARGE_AUTOMATICALLY
    plan_prices: tuple[AgreedPrice, ...] = ()
    unpaid_limit_minor: int | None = None

    def unpaid_limit(self, usual: Amounts) -> int:
        """Return what may be unbilled and unpaid, in minor units; `usual` is the platform's limit."""
        return usual.minor(self.currency) if self.unpaid_limit_minor is None else self.unpaid_limit_minor

    def prices_of(self, plan: str) -> tuple[PlanPrice, ...]:
        """Return the agreed prices of a plan; empty if the usual prices apply."""
        return tuple(each.price for each in self.plan_prices if each.plan == plan)

    def discount_bps(self, charges_minor: int) -> int:
        """Return the discount, in basis points, of a month with these charges."""
        reached = [step.discount_bps for step in self.discounts if charges_minor >= step.from_minor]
        return reached[-1] if reached else 0


#: The terms of an organization without agreed ones.
DEFAULT_TERMS = BillingTerms()


@dataclass(frozen=True, slots=True, kw_only=True)
class TermsVersion:
    """A version of billing terms, and from when it applies.

    Attributes:
        number: counts the versions of an organization from 1; 0 for the usual terms.
        starts_at: usage that is received from then on is paid by them.
        from_month: the first day of the first month that is invoiced by them.
    """

    number: int
    terms: BillingTerms
    starts_at: datetime
    from_month: date


def check_terms(terms: BillingTerms) -> None:
    """Refuse terms that are not valid.

    Raises:
        Invalid: `field` names what is wrong.
    """
    zone_of(terms.time_zone)
    scale_of(terms.currency)
    if terms.currency in ISSUED:
        raise _wrong("currency", "The currency of billing terms must be money, such as USD.")
    if not 0 <= terms.net_days <= MAX_NET_DAYS:
        raise _wrong("net_days", f"net_days must be between 0 and {MAX_NET_DAYS}.")
    if not 0 <= terms.commitment_minor <= MAX_AMOUNT_MINOR:
        raise _wrong("minimum_commitment", "The minimum commitment is too large.")
    if terms.unpaid_limit_minor is not None and terms.mode is not UsageMode.ARREARS:
        raise _wrong("unpaid_limit", "A limit on unpaid usage is possible with usage in arrears only.")
    if terms.commitment_minor and terms.mode is not UsageMode.ARREARS:
        raise _wrong("minimum_commitment", "A minimum commitment is possible with usage in arrears only.")
    if terms.commitment_from is not None and not terms.commitment_minor:
        raise _wrong("commitment_from", "commitment_from needs a minimum commitment.")
    _check_steps(terms.discounts)
    _check_prices(terms.plan_prices)


def next_version(current: TermsVersion | None, newest: int, terms: BillingTerms, now: datetime) -> TermsVersion:
    """Return the next version: the first one applies at once, a later one from the next month on.

    Args:
        current: the version in force; None before the first.
        newest: the number of the newest version, which may not be in force yet.
        terms: the new ones.
        now: the time.
    """
    if current is None:
        month = period_at(now, terms.time_zone).month
        return TermsVersion(number=1, terms=terms, starts_at=now, from_month=month)
    after = period_at(now, current.terms.time_zone).following()
    return TermsVersion(number=newest + 1, terms=terms, starts_at=after.starts_at, from_month=after.month)


def billed_period(month: date, version: TermsVersion, before: TermsVersion) -> Period:
    """Return what a month's invoice covers: nothing before the first terms' month, and nothing of the month before.

    Args:
        month: its first day.
        version: that the month is invoiced by.
        before: that the month before is invoiced by; its number is 0 where none were agreed.
    """
    zone = version.terms.time_zone
    period = period_of(month, zone, before=before.terms.time_zone)
    own = period_of(month, zone)
    # Nothing was agreed in the zone of the month before, so hours of the last day of that month are not this one's.
    return own if before.number == 0 and own.starts_at > period.starts_at else period


def committed_minor(version: TermsVersion, period: Period) -> int:
    """Return the minimum charge for the usage of a period: prorated by days, rounded down, if it begins within it."""
    terms = version.terms
    first = period.month if terms.commitment_from is None else terms.commitment_from
    if terms.commitment_from is None and version.number == 1 and version.from_month == period.month:
        first = max(first, period.date_of(version.starts_at))
    return terms.commitment_minor * period.days_from(first) // period.days


def _check_steps(steps: Sequence[DiscountStep]) -> None:
    bounds = [step.from_minor for step in steps]
    if len(steps) > MAX_STEPS or sorted(set(bounds)) != bounds:
        raise _wrong(
            "volume_discounts",
            f"volume_discounts must have at most {MAX_STEPS} steps, each with a higher from than the one before.",
        )
    if any(not 0 <= step.from_minor <= MAX_AMOUNT_MINOR for step in steps):
        raise _wrong("volume_discounts", "A volume discount must begin at zero or more.")
    if any(not 0 < step.discount_bps <= WHOLE_BPS for step in steps):
        raise _wrong("volume_discounts", "A volume discount must be greater than 0 and at most 1.")


def _check_prices(prices: Sequence[AgreedPrice]) -> None:
    known = {(each.plan, each.price.interval, each.price.currency) for each in prices}
    if len(prices) > MAX_PLAN_PRICES or len(known) < len(prices):
        raise _wrong(
            "plan_prices", f"There must be at most {MAX_PLAN_PRICES} plan prices, one for each plan and interval."
        )
    for each in prices:
        scale_of(each.price.currency)
        if each.price.currency in ISSUED or not 0 < each.price.amount_minor <= MAX_AMOUNT_MINOR:
            raise _wrong("plan_prices", "The price of a plan must be an amount of money that is greater than zero.")


def _wrong(field: str, what: str) -> Invalid:
    return Invalid(what, extra={"field": field})
