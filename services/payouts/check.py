"""Decisions against fraud on payouts, and holds of the earnings of an organization."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.errors import RiskInReview
from domain.payouts.creator import CreatorAccount
from domain.payouts.payable import HoldBack, available_by_currency
from domain.risk.act import EntityKind, Point, RiskAct
from domain.risk.case import HoldKind
from repositories.payouts import creator_account, earnings
from repositories.risk import hold
from runtime.database import Database
from services.payouts.payable import shares_of
from services.risk.decision import Risk

#: The actor of a change that the provider reported.
PROVIDER = "payout-provider"


async def decide(
    session: AsyncSession,
    risk: Risk,
    actor: Actor,
    *,
    org_id: str,
    payout_id: str,
    currency: str | None,
    amount_minor: int | None,
    hold_back: HoldBack,
    command_id: str,
    now: datetime,
) -> None:
    """Decide a payout, before its transaction locks the debts. Needs the platform's session.

    Args:
        session: of the payout.
        risk: decides.
        actor: of the organization, or its schedule.
        org_id: the organization.
        payout_id: of the new payout.
        currency: None for that of the account.
        amount_minor: None for all that is available.
        hold_back: the liability of creators, for what is available.
        command_id: of the payout.
        now: the time.

    Raises:
        RiskBlocked: the payout is blocked; RiskInReview: a case holds it.
    """
    account = await creator_account.find(session, org_id)
    currency = currency or (account and account.destination_currency) or "USD"
    if amount_minor is None:
        shares = await shares_of(session, org_id, hold_back, now=now)
        amount_minor = available_by_currency(shares).get(currency, 0)
    ages = {
        "first_earning_hours": await earnings.first_at(session, org_id),
        "destination_age_hours": None if account is None else account.destination_changed_at,
    }
    act = RiskAct(
        point=Point.PAYOUT,
        actor=actor,
        org_id=org_id,
        subject=payout_id,
        command_id=command_id,
        amount_minor=amount_minor,
        currency=currency,
        provider="" if account is None else account.provider,
        seen=_seen(account),
        facts={name: int((now - at).total_seconds()) // 3600 for name, at in ages.items() if at is not None},
    )
    await risk.require(session, act, now)


async def decide_account(database: Database, risk: Risk, actor: Actor, account: CreatorAccount, now: datetime) -> None:
    """Store the decision on a new destination of payouts, once, and link the organization with it.

    The change took place at the provider, so the decision does not undo it. A review opens a case.
    """
    if account.destination_changed_at is None:
        return
    act = RiskAct(
        point=Point.PAYOUT_ACCOUNT,
        actor=actor,
        org_id=account.org_id,
        subject=account.ref,
        command_id=f"payout_account:{account.org_id}:{account.destination_changed_at.isoformat()}",
        provider=account.provider,
        seen=_seen(account),
    )
    async with database.platform() as session:
        await risk.decide(session, act, now)


def _seen(account: CreatorAccount | None) -> dict[EntityKind, str]:
    return {EntityKind.PAYOUT_ACCOUNT: account.destination} if account is not None and account.destination else {}


async def refuse_held(session: AsyncSession, org_id: str, at: datetime) -> None:
    """Refuse a payout of an organization whose earnings a case holds.

    Raises:
        RiskInReview: a case holds them.
    """
    held = await hold.find(session, HoldKind.EARNINGS, org_id, at)
    if held is not None:
        raise RiskInReview(
            "A case holds the earnings of the organization. Repeat the request once the case is decided.",
            extra={"case_id": held.case_id},
        )
