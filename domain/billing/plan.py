"""Plans: what organizations subscribe to, what it costs, and what it entitles them to.

They come from the configuration, from the smallest to the largest. The name of a plan is also the tier of the
organizations on it. Amounts are minor units; a limit of None means unlimited.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from typing import Annotated

from domain.common.errors import Invalid
from domain.common.money import CREDIT, ISSUED, MAX_AMOUNT_MINOR, format_amount, parse_amount
from domain.privacy.data_map import TECHNICAL

#: What a plan, and so a tier, may be called.
PLAN_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
#: The plan that costs nothing and always exists: an organization without a subscription is on it.
FREE = "free"
#: The plan whose price and limits have settings of their own.
PREMIUM = "premium"
MAX_PLANS = 50
#: The largest limit that is none at all.
MAX_LIMIT = 1_000_000
MAX_TRIAL_DAYS = 365
#: More seats are never bought at once.
MAX_SEATS = 10_000
#: So many months does a year cost where nothing else is said: two of them are free.
MONTHS_PAID_OF_A_YEAR = 10
#: The part of a price that is for included credits where none is stated is never larger; the rest is the plan itself.
MAX_FOR_CREDITS_BPS = 8_000
PRICE_ID = re.compile(r"[A-Za-z0-9_.-]{1,255}")


class Interval(StrEnum):
    """How often a subscription is paid."""

    MONTH = "month"
    YEAR = "year"

    @property
    def months(self) -> int:
        return 12 if self is Interval.YEAR else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPrice:
    """The price of a plan for one interval in one currency.

    Attributes:
        price_id: the provider's id of the price.
        credits_price_minor: the part of it that is for the plan's included credits; None where none is stated.
    """

    interval: Interval
    amount_minor: int
    currency: str
    price_id: str | None = None
    credits_price_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A plan.

    Attributes:
        name: the unique name, which is also the tier of organizations on it.
        title: the display name.
        prices: one for each interval and currency that it is sold in; none for the free plan.
        credits_minor: the credits that it grants every month.
        projects, deployments, seats: the limits; for a plan sold by the seat, `seats` is the most that can be bought.
        api_access: whether the platform's own API may be used; Bursar's API is open to everybody.
        custom_integrations: whether integrations may be built.
        trial_days: the length of the free trial, which each organization gets once.
        is_sold: whether new subscriptions are accepted; existing ones keep the plan.
        is_per_seat: whether prices and credits are per seat, and a subscription names the number of seats.
    """

    name: Annotated[str, TECHNICAL]
    title: str
    prices: tuple[PlanPrice, ...] = ()
    credits_minor: int = 0
    projects: int | None
    deployments: int | None
    seats: int | None
    api_access: bool = False
    custom_integrations: bool = False
    trial_days: int = 0
    is_sold: bool = True
    is_per_seat: bool = False

    def price(self, interval: Interval, currency: str) -> PlanPrice:
        """Return the price for an interval and a currency.

        Raises:
            Invalid: the plan is not sold for that interval in that currency.
        """
        for price in self.prices:
            if (price.interval, price.currency) == (interval, currency):
                return price
        raise Invalid(
            f"The plan {self.name} is not sold by the {interval.value} in {currency[:16]}.", extra={"field": "interval"}
        )

    def for_credits_minor(self, price: PlanPrice) -> int:
        """Return the part of a price that is for the included credits; 0 without any.

        Where the price states none, as one that was agreed does not, it is the same part as of the plan's own price.
        """
        if not self.credits_minor:
            return 0
        kind = price.interval, price.currency
        own = (each for each in self.prices if (each.interval, each.currency) == kind)
        for each in (price, *own):
            if each.credits_price_minor is not None:
                return max(1, price.amount_minor * each.credits_price_minor // each.amount_minor)
        return max_for_credits(price.amount_minor)


@dataclass(frozen=True, slots=True)
class Plans:
    """All plans, from the smallest to the largest; one of them is the free one."""

    all: tuple[Plan, ...]

    def get(self, name: str) -> Plan:
        """Return a plan.

        Raises:
            Invalid: there is no plan of that name.
        """
        for plan in self.all:
            if plan.name == name:
                return plan
        known = ", ".join(plan.name for plan in self.all)
        raise Invalid(f"There is no plan {name[:40]!r}. The plans are {known}.", extra={"field": "plan"})

    def of(self, tier: str) -> Plan:
        """Return the plan of a tier; the free plan if the plan was removed from the configuration."""
        return next((plan for plan in self.all if plan.name == tier), None) or self.get(FREE)

    def rank(self, name: str) -> int:
        """Return the position of a plan, from the smallest to the largest; a removed plan counts as the smallest."""
        return self.all.index(self.of(name))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOverrides:
    """Terms of two plans that have settings of their own, and override the list; None keeps the list's.

    Attributes:
        premium_price_minor: the monthly price of the premium plan, in minor units of each of its currencies.
        premium_price_id: the provider's id of that price.
    """

    premium_price_minor: int | None = None
    premium_price_id: str | None = None
    free_projects: int | None = None
    free_deployments: int | None = None
    premium_projects: int | None = None
    premium_deployments: int | None = None


def max_for_credits(amount_minor: int) -> int:
    """Return the largest part of a price that is for included credits where none is stated; a minor unit at least."""
    return max(1, amount_minor * MAX_FOR_CREDITS_BPS // 10_000)


def with_overrides(plans: Plans, given: PlanOverrides) -> Plans:
    """Return the plans with the overrides applied.

    Raises:
        Invalid: an override is for a plan that does not exist, or for a price that the plan does not have.
    """
    if given == PlanOverrides():
        return plans
    changed = Plans(tuple(_changed(plan, given) for plan in _with_premium(plans, given).all))
    _check(changed)
    return changed


def plans_from(text: str) -> Plans:
    """Read plans from a JSON list, from the smallest to the largest; docs/guides/subscriptions.md says what one has.

    Raises:
        Invalid: it is not such a list, names one plan or one price twice, or has no free plan.
    """
    try:
        found = json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise Invalid("The plans must be a JSON list.") from None
    if not isinstance(found, list) or not 0 < len(found) <= MAX_PLANS:
        raise Invalid(f"The plans must be a JSON list of 1 to {MAX_PLANS}.")
    plans = Plans(tuple(_plan(item) for item in found))
    _check(plans)
    return plans


# Reading --------------------------------------------------------------------------------------------------------------

_FIELDS = {
    *("name", "title", "prices", "credits", "projects", "deploys", "seats"),
    *("api_access", "custom_integrations", "trial_days", "sold", "per_seat"),
}
_NEEDED = {"name", "projects", "deploys", "seats"}


def _plan(item: object) -> Plan:
    if not isinstance(item, dict) or not _NEEDED <= item.keys() <= _FIELDS:
        raise Invalid(f"A plan must have {', '.join(sorted(_NEEDED))}, and may have {', '.join(sorted(_FIELDS))}.")
    name, credits = item["name"], parse_amount(item.get("credits", "0"), CREDIT, zero=True)
    if not isinstance(name, str) or not PLAN_NAME.fullmatch(name):
        raise Invalid("A plan's name must consist of lower case letters, digits and _, and begin with a letter.")
    title, prices = item.get("title", name.replace("_", " ").capitalize()), item.get("prices", [])
    if not isinstance(title, str) or not 0 < len(title) <= 80:
        raise Invalid(f"The title of the plan {name} must be a text of 1 to 80 characters.")
    if not isinstance(prices, list):
        raise Invalid(f"The prices of the plan {name} must be a list.")
    return Plan(
        name=name,
        title=title,
        prices=_with_years(tuple(_price(name, price, credits) for price in prices)),
        credits_minor=credits,
        projects=_limit(name, "projects", item["projects"]),
        deployments=_limit(name, "deploys", item["deploys"]),
        seats=_limit(name, "seats", item["seats"]),
        api_access=_flag(name, "api_access", item.get("api_access", False)),
        custom_integrations=_flag(name, "custom_integrations", item.get("custom_integrations", False)),
        trial_days=_whole(name, "trial_days", item.get("trial_days", 0), MAX_TRIAL_DAYS),
        is_sold=_flag(name, "sold", item.get("sold", True)),
        is_per_seat=_flag(name, "per_seat", item.get("per_seat", False)),
    )


def _price(plan: str, item: object, credits_minor: int) -> PlanPrice:
    fields = {"interval", "amount", "currency"}
    if not isinstance(item, dict) or not fields <= item.keys() <= fields | {"price_id", "credits_price"}:
        raise Invalid(
            f"A price of the plan {plan} must have interval, amount and currency, and may have credits_price and "
            "price_id."
        )
    interval, currency, price_id = item["interval"], item["currency"], item.get("price_id")
    if interval not in {"month", "year"}:
        raise Invalid(f"The interval of a price of the plan {plan} must be month or year.")
    if not isinstance(currency, str) or currency in ISSUED:
        raise Invalid(f"The currency of a price of the plan {plan} must be money, such as USD.")
    if price_id is not None and (not isinstance(price_id, str) or not PRICE_ID.fullmatch(price_id)):
        raise Invalid(f"The price_id of a price of the plan {plan} must be an id such as price_123.")
    amount, part = parse_amount(item["amount"], currency), item.get("credits_price")
    for_credits = None if part is None else parse_amount(part, currency)
    if for_credits is not None and (not credits_minor or for_credits > amount):
        raise Invalid(f"The credits_price of the plan {plan} needs credits, and must not be more than its price.")
    return PlanPrice(
        interval=Interval(interval),
        amount_minor=amount,
        currency=currency,
        price_id=price_id,
        credits_price_minor=for_credits,
    )


def _with_years(prices: tuple[PlanPrice, ...]) -> tuple[PlanPrice, ...]:
    """Add a year's price to each month's that has none beside it."""
    sold = {(price.interval, price.currency) for price in prices}
    years = (
        PlanPrice(
            interval=Interval.YEAR,
            amount_minor=_bounded(price.amount_minor * MONTHS_PAID_OF_A_YEAR, price.currency),
            currency=price.currency,
            credits_price_minor=price.credits_price_minor and price.credits_price_minor * MONTHS_PAID_OF_A_YEAR,
        )
        for price in prices
        if (Interval.YEAR, price.currency) not in sold
    )
    return (*prices, *years)


def _bounded(amount_minor: int, currency: str) -> int:
    if amount_minor > MAX_AMOUNT_MINOR:
        limit = format_amount(MAX_AMOUNT_MINOR, currency)
        raise Invalid(f"The price of a year must not be greater than {limit} {currency}.")
    return amount_minor


def _limit(plan: str, field: str, value: object) -> int | None:
    return None if value is None else _whole(plan, field, value, MAX_LIMIT)


def _whole(plan: str, field: str, value: object, most: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise Invalid(f"{field} of the plan {plan} must be a whole number from 0 to {most}.")
    return value


def _flag(plan: str, field: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise Invalid(f"{field} of the plan {plan} must be true or false.")
    return value


def _check(plans: Plans) -> None:
    names = [plan.name for plan in plans.all]
    if len(set(names)) < len(names):
        raise Invalid("Two plans have the same name.")
    free = next((plan for plan in plans.all if plan.name == FREE), None)
    if free is None or free.prices or plans.all[0] is not free:
        raise Invalid(f"The first plan must be {FREE}, which has no prices.")
    if free.credits_minor:
        raise Invalid("The free plan cannot grant credits every month: there is no payment to grant them for.")
    if not all(plan.prices for plan in plans.all[1:]):
        raise Invalid(f"Each plan but {FREE} must have a price.")
    ids = [price.price_id for plan in plans.all for price in plan.prices if price.price_id]
    if len(set(ids)) < len(ids):
        raise Invalid("Two prices of the plans have the same price_id.")
    for plan in plans.all:
        kinds = [(price.interval, price.currency) for price in plan.prices]
        if len(set(kinds)) < len(kinds):
            raise Invalid(f"The plan {plan.name} has two prices for one interval and currency.")
    _check_order(plans.all)


def _check_order(plans: Sequence[Plan]) -> None:
    """Refuse a larger plan that costs less than a smaller one: an upgrade to it would pay money out."""
    dearest: dict[tuple[Interval, str], int] = {}
    for plan in plans:
        for price in plan.prices:
            kind = price.interval, price.currency
            if price.amount_minor < dearest.get(kind, 0):
                raise Invalid(f"The plan {plan.name} costs less than one that stands before it.")
            dearest[kind] = price.amount_minor


# Overrides ------------------------------------------------------------------------------------------------------------


def _with_premium(plans: Plans, given: PlanOverrides) -> Plans:
    of_premium = (
        *(given.premium_price_minor, given.premium_price_id),
        *(given.premium_projects, given.premium_deployments),
    )
    if any(term is not None for term in of_premium):
        plans.get(PREMIUM)
    return plans


def _changed(plan: Plan, given: PlanOverrides) -> Plan:
    if plan.name == FREE:
        return _limited(plan, given.free_projects, given.free_deployments)
    if plan.name != PREMIUM:
        return plan
    plan = _limited(plan, given.premium_projects, given.premium_deployments)
    amount, price_id = given.premium_price_minor, given.premium_price_id
    if amount is None and price_id is None:
        return plan
    if amount is not None and not 0 < amount * MONTHS_PAID_OF_A_YEAR <= MAX_AMOUNT_MINOR:
        raise Invalid(f"The price of the plan {PREMIUM} must be positive, in minor units such as cents.")
    return replace(plan, prices=tuple(_repriced(price, amount, price_id) for price in plan.prices))


def _repriced(price: PlanPrice, amount_minor: int | None, price_id: str | None) -> PlanPrice:
    if price.interval is Interval.YEAR:
        # A year's price at the provider is for another amount as soon as a month's is.
        months = MONTHS_PAID_OF_A_YEAR
        if amount_minor is None:
            return price
        return replace(price, amount_minor=amount_minor * months, price_id=None, credits_price_minor=None)
    changed = replace(price, price_id=price_id or price.price_id)
    return changed if amount_minor is None else replace(changed, amount_minor=amount_minor, credits_price_minor=None)


def _limited(plan: Plan, projects: int | None, deployments: int | None) -> Plan:
    return replace(
        plan,
        projects=plan.projects if projects is None else projects,
        deployments=plan.deployments if deployments is None else deployments,
    )


DEFAULT_PLANS = json.dumps(
    [
        {"name": "free", "title": "Free", "projects": 1, "deploys": 1, "seats": 1},
        *(
            {
                "name": name,
                "title": name.capitalize(),
                "prices": [{"interval": "month", "amount": price, "currency": "USD"}],
                "credits": credits,
                "projects": most,
                "deploys": most,
                "seats": seats,
                "api_access": api_access,
                "custom_integrations": custom,
            }
            for name, price, credits, most, seats, api_access, custom in (
                ("premium", "5.00", "0", 5, 3, False, False),
                ("starter", "29.00", "500", 1, 3, False, False),
                ("professional", "99.00", "2000", 5, 10, True, False),
                ("enterprise", "299.00", "10000", None, None, True, True),
            )
        ),
    ]
)
