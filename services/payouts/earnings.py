"""Conversion of credits that agents have earned into credits that their organization can spend."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common import accounts
from domain.common.access import Actor
from domain.common.accounts import Account
from domain.common.errors import InsufficientFunds, NotFound, PayoutDebtOpen, other_request
from domain.common.ids import earnings_key
from domain.common.money import CREDIT, format_amount
from domain.payouts.earnings import EarningsKind, account_of, renew_days_of, sold_until, terms_of
from domain.payouts.payable import HoldBack
from ledger.gateway import Ledger
from ledger.transfers import Transfers
from repositories.books import debt
from repositories.marketplace import agent as agents
from repositories.payouts import earnings
from repositories.payouts.earnings import AgentEarnings
from repositories.tenants import audit, organization as organizations
from runtime.database import driver_connection
from services.books.debt import close_paid_debts, owed_in_all, settle_debt
from services.payouts.payable import windows

KIND = "earnings.converted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """Earnings that were converted, in minor units."""

    transfer_id: UUID
    org_id: str
    agent_id: str
    kind: EarningsKind
    amount_minor: int
    converted_at: datetime


async def convert(
    session: AsyncSession,
    actor: Actor,
    *,
    org_id: str,
    agent_id: str,
    kind: EarningsKind,
    amount_minor: int | None,
    renew_days: int,
    hold_back: HoldBack,
    command_id: str,
    now: datetime,
) -> Conversion:
    """Convert an agent's earnings of one kind into credits of its organization; they pay its debts first.

    A repeated command returns its first conversion. Not convertible are earnings from sales that can still be refunded
    (`hold_back.refunds`) and from payments that are being charged back within the liability period, and expired credits
    that cannot be extended.

    Args:
        session: of the platform.
        actor: for the audit trail.
        org_id: the organization that gets the credits.
        agent_id: the agent whose earnings are converted.
        kind: of earnings.
        amount_minor: the amount; None for all that can be converted.
        renew_days: the minimum days of validity of converted credits.
        hold_back: how long earnings are held back.
        command_id: of the request.
        now: the time.

    Raises:
        NotFound: the organization has no such agent.
        InsufficientFunds: less than the amount can be converted, or nothing.
    """
    agent = await agents.get(session, agent_id)
    if agent.org_id != org_id:
        raise NotFound(agents.MISSING)
    source, wallet = account_of(kind, agent.id, org_id), accounts.org_credits(org_id)
    connection = await driver_connection(session)
    ledger, key = Ledger(connection), earnings_key(org_id, "convert", command_id)
    # Everything that reduces earnings takes this lock, so they can only grow until the transaction ends.
    await debt.lock(session, org_id)
    asked = {"agent_id": agent.id, "kind": kind.value, "asked": amount_minor}
    done = await Transfers(connection, wallet).by_key(key)
    if done is not None:
        if done.metadata != asked:
            raise other_request()
        return _conversion(done.transfer_id, org_id, agent.id, kind, done.amount_minor, done.effective_at)
    await organizations.refuse_stopped(session, org_id)
    if kind is EarningsKind.PAID:
        await _refuse_debtor(ledger, org_id)
    until, frozen = sold_until(now, hold_back.refunds), await _frozen(session, agent.id, source, kind, hold_back, now)
    there = await earnings.convertible(
        session, source, days=renew_days_of(kind, renew_days), at=now, sold_until=until, frozen=frozen
    )
    amount = there if amount_minor is None else amount_minor
    if not 0 < amount <= there:
        raise _too_little(amount_minor, there, is_frozen=bool(frozen))
    await ledger.lock_balances([source, wallet], if_open=[accounts.org_debt(org_id, CREDIT)])
    posted = await ledger.post(
        key=key,
        kind=KIND,
        source=source,
        destination=wallet,
        amount_minor=amount,
        effective_at=now,
        reference=agent.id,
        org_id=org_id,
        metadata=asked,
        lots=terms_of(kind, renew_days, until, frozen),
    )
    debt_key = earnings_key(org_id, "debt", command_id)
    await settle_debt(ledger, org_id=org_id, source=wallet, key=debt_key, reference=agent.id, at=now)
    await close_paid_debts(session, ledger, org_id, CREDIT)
    details = {"amount": format_amount(amount, CREDIT), "kind": kind.value}
    await audit.record(session, actor, "earnings.convert", agent.id, details, org_id)
    return _conversion(posted.transfer_id, org_id, agent.id, kind, amount, now)


async def _frozen(
    session: AsyncSession, agent_id: str, source: Account, kind: EarningsKind, hold_back: HoldBack, now: datetime
) -> dict[str, datetime]:
    """Return charged-back payments of `PAID` earnings in the liability period."""
    if kind is not EarningsKind.PAID:
        return {}
    answers = (await windows(session, [agent_id], hold_back, now=now))[agent_id].liability_period
    return await earnings.frozen(session, source, answers)


async def page(
    session: AsyncSession,
    *,
    org_id: str,
    days: int,
    hold_back: HoldBack,
    agent_id: str | None = None,
    before: str | None,
    limit: int,
    now: datetime,
) -> list[AgentEarnings]:
    """Return the earnings of up to `limit` agents of an organization, newest agents first, before the id `before`.

    With `agent_id` only that agent is returned. `days` is `renew_days` of `convert`. Needs the platform's session.
    """
    found = await earnings.agents_page(session, org_id=org_id, agent_id=agent_id, before=before, limit=limit)
    until = await windows(session, found, hold_back, now=now)
    return await earnings.of_agents(session, until, days=days, at=now, sold_until=sold_until(now, hold_back.refunds))


async def _refuse_debtor(ledger: Ledger, org_id: str) -> None:
    """Refuse to convert payable earnings while money is owed, because spending the credits would evade the debt."""
    for asset, owed in (await owed_in_all(ledger, org_id)).items():
        if asset != CREDIT:
            shown = format_amount(owed, asset)
            raise PayoutDebtOpen(
                f"The organization owes {shown} {asset}. Nothing that can be paid out is converted before that is "
                "paid.",
                extra={"owed": shown, "currency": asset},
            )


def _conversion(
    transfer_id: UUID, org_id: str, agent_id: str, kind: EarningsKind, amount_minor: int, at: datetime
) -> Conversion:
    return Conversion(
        transfer_id=transfer_id, org_id=org_id, agent_id=agent_id, kind=kind, amount_minor=amount_minor, converted_at=at
    )


def _too_little(needed_minor: int | None, there_minor: int, *, is_frozen: bool) -> InsufficientFunds:
    available = format_amount(there_minor, CREDIT)
    why = " What is being charged back cannot be converted before the bank decides." if is_frozen else ""
    if needed_minor is None:
        return InsufficientFunds(
            f"The agent has no earnings of this kind that can be converted.{why}",
            extra={"available": available, "currency": CREDIT},
        )
    needed = format_amount(needed_minor, CREDIT)
    return InsufficientFunds(
        f"{needed} {CREDIT} are required, but only {available} {CREDIT} of these earnings can be converted.{why}",
        extra={"needed": needed, "available": available, "currency": CREDIT},
    )
