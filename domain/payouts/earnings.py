"""Conversion of agents' earnings in credits: eligible earnings and terms."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from domain.common import accounts
from domain.common.accounts import Account
from domain.common.money import CREDIT
from domain.credits.lots import LotSource, LotTerms


class EarningsKind(StrEnum):
    """Kind of an agent's earnings; each kind has an account."""

    GRANTED = "granted"
    OWN_WORK = "own_work"
    PAID = "paid"


def account_of(kind: EarningsKind, agent_id: str, org_id: str) -> Account:
    """Return the account of an agent's earnings of a kind; `org_id` is the agent's organization."""
    match kind:
        case EarningsKind.GRANTED:
            return accounts.agent_granted_earnings(agent_id, org_id)
        case EarningsKind.OWN_WORK:
            return accounts.agent_own_work(agent_id, CREDIT, org_id)
        case EarningsKind.PAID:
            return accounts.agent_earnings(agent_id, CREDIT, org_id)


def renew_days_of(kind: EarningsKind, days: int) -> int | None:
    """Return the minimum days of validity of converted credits; None for own work, which is not extended."""
    return None if kind is EarningsKind.OWN_WORK else days


def sold_until(now: datetime, refunds: timedelta) -> datetime:
    """Return the time up to which sales can no longer be refunded.

    Earnings from later sales are not converted: the credits could be spent and the sale refunded as well.
    """
    return now - refunds


def terms_of(kind: EarningsKind, days: int, until: datetime, frozen: Mapping[str, datetime]) -> LotTerms:
    """Return the terms on which earnings of a kind become credits.

    Earnings paid by others open new lots, with their price and payment. Earnings from own work return to the lots that
    paid. Earnings from sales after `until`, and from `frozen` payments since the given times, are not converted,
    because the creator may have to return them.
    """
    source = None if kind is EarningsKind.OWN_WORK else LotSource.EARNINGS
    return LotTerms(source=source, lasting=True, sold_until=until, frozen=frozen, renew_days=renew_days_of(kind, days))
