"""Definition of Spent: what an organization has paid for, by part, currency and period. Pure.

Spent has five parts, which add up to it:

- uses: captured spends, less refunds, at the time of the use; and paid invoices that are not for a plan, on the day of
  issue and without tax.
- jobs: payments out of escrows (`escrow.released`, `escrow.split`), including the commission, at the time of the
  transfer. Of work by an own agent only the commission leaves the organization.
- agents: purchases of agents of others, less refunds and chargebacks.
- purchases: paid purchase orders with their fees, less refunds, at the time of approval; and captures of cards.
- subscriptions: paid bills of plans, without tax, credit notes and the part for their credits; and slots, less refunds.

A hold is not spent: a reservation counts once it is captured, an escrow once it is paid out, an order or a bill once it
is paid. Credits count when they are used, not when they are bought or granted. Each currency is apart. Converted into
money, credits count at their purchase price, so granted ones count nothing, and money at the rate of its day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from domain.cards.card_authorization import CARD_PAYMENT
from domain.common.money import round_to_sum
from domain.marketplace.sale import PURCHASE


class SpentPart(StrEnum):
    """Part of what is spent; see the module."""

    USES = "uses"
    JOBS = "jobs"
    AGENTS = "agents"
    PURCHASES = "purchases"
    SUBSCRIPTIONS = "subscriptions"


class SpentService(StrEnum):
    """Services other than the actions of uses, as in `repositories/sql/insight/spent.sql`."""

    INVOICE = "invoice"
    JOB = "job"
    #: Commission on work by an own agent.
    OWN_JOB = "job.commission"
    AGENT = PURCHASE
    ORDER = "purchase.order"
    FEE = "purchase.fee"
    CARD = CARD_PAYMENT
    PLAN = "plan"
    SLOTS = "slots"


_NAMES: Mapping[str, str] = {
    SpentService.INVOICE: "Invoices",
    SpentService.JOB: "Jobs",
    SpentService.OWN_JOB: "Commission on own agents' jobs",
    SpentService.AGENT: "Agents bought",
    SpentService.ORDER: "Purchases outside",
    SpentService.FEE: "Fees of purchases outside",
    SpentService.CARD: "Card payments",
    SpentService.PLAN: "Plans",
    SpentService.SLOTS: "Deployment slots",
}
#: The parts of spends by action; every other action is a use.
PART_OF_ACTION: Mapping[str, SpentPart] = {PURCHASE: SpentPart.AGENTS, CARD_PAYMENT: SpentPart.PURCHASES}
#: The formula of the metric.
SPENT = " + ".join(f"spent.{part}" for part in SpentPart)


def service_name(service: str) -> str:
    """Return the display name of a service: of an action, its words."""
    return _NAMES.get(service) or service.replace(".", " ").replace("_", " ").capitalize()


@dataclass(frozen=True, slots=True)
class SpentGroup:
    """Amount of a group, in minor units; the name is None for amounts of none, and `is_rest` is of other groups."""

    name: str | None
    amount_minor: int
    is_rest: bool = False


def round_parts(exact: Mapping[SpentPart, int | Fraction]) -> dict[SpentPart, int]:
    """Round the parts so that they add up to their rounded sum."""
    return dict(zip(SpentPart, round_to_sum([Fraction(exact.get(part, 0)) for part in SpentPart]), strict=True))


def largest_groups(
    exact: Mapping[str | None, int | Fraction], total: int | Fraction, limit: int
) -> tuple[SpentGroup, ...]:
    """Return the largest groups, at most `limit`, and the rest, rounded so that they add up to the rounded total."""
    found: Sequence[tuple[str | None, int | Fraction]] = sorted(
        ((name, amount) for name, amount in exact.items() if amount), key=lambda each: (-each[1], each[0] or "")
    )[:limit]
    rest = total - sum(amount for _, amount in found)
    minors = round_to_sum([Fraction(amount) for _, amount in found] + [Fraction(rest)])
    groups = [SpentGroup(name, minor) for (name, _), minor in zip(found, minors[:-1], strict=True)]
    return (*groups, *([SpentGroup(None, minors[-1], is_rest=True)] if minors[-1] else []))
