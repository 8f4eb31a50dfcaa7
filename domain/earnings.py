"""Earnings of agents in credits: which can be converted into credits, and on which terms."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from domain import accounts
from domain.accounts import Account
from domain.lots import LotSource, LotTerms
from domain.money import CREDIT


class EarningsKind(StrEnum):
    """Which earnings of an agent: each kind is an account."""

    GRANTED = "granted"
    OWN_WORK = "own_work"
    PAID = "paid"


def account_of(kind: EarningsKind, agent_id: str, org_id: str) -> Account:
    """Return the account that has an agent's earnings of a kind; `org_id` is the agent's organization."""
    match kind:
        case EarningsKind.GRANTED:
            return accounts.agent_granted_earnings(agent_id, org_id)
        case EarningsKind.OWN_WORK:
            return accounts.agent_own_work(agent_id, CREDIT, org_id)
        case EarningsKind.PAID:
            return accounts.agent_earnings(agent_id, CREDIT, org_id)


def renew_days_of(kind: EarningsKind, days: int) -> int | None:
    """Return how many days earnings get that would end sooner; None for what an organization has paid to itself."""
    return None if kind is EarningsKind.OWN_WORK else days


def sold_until(now: datetime, refunds: timedelta) -> datetime:
    """Return until when an agent must have been sold so that no buyer can still get a refund.

    What was sold since is not converted: the credits could be spent and refunded to the buyer as well.
    """
    return now - refunds


def terms_of(kind: EarningsKind, days: int, until: datetime, frozen: Mapping[str, datetime]) -> LotTerms:
    """Return the terms on which earnings of a kind become credits.

    What others paid opens lots of its own, with the price and the payment that it came with. What the organization paid
    to its own agent goes back into the lots that paid. What an agent was sold for after `until` stays, and so does what
    `frozen` payments brought, each after its time: who may have to give it back does not spend it before.
    """
    source = None if kind is EarningsKind.OWN_WORK else LotSource.EARNINGS
    return LotTerms(source=source, lasting=True, sold_until=until, frozen=frozen, renew_days=renew_days_of(kind, days))
