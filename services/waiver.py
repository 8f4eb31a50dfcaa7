"""Waives earnings in money that cannot be paid out, so that an organization can be closed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain import accounts
from domain.access import Actor
from domain.accounts import Account
from domain.earnings import EarningsKind
from domain.errors import Conflict, Invalid, other_request
from domain.ids import earnings_key
from domain.money import ISSUED, cut_minor, format_amount
from domain.payable import HoldBack, PayableState
from ledger.gateway import Ledger, Posting
from ledger.transfers import Transfers
from providers.payments.limits import MONEY, transferable
from repositories import audit, debt, earnings
from runtime.database import driver_connection
from services.payable import shares_of

KIND = "earnings.waived"
_ACCOUNTS: Mapping[EarningsKind, Callable[[str, str, str], Account]] = {
    EarningsKind.PAID: accounts.agent_earnings,
    EarningsKind.OWN_WORK: accounts.agent_own_work,
}


class NotWaivable(Conflict):
    """The amount is not exactly what is left of this kind, or what is left can be paid out or is held back."""

    code = "earnings.not_waivable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """Earnings that were waived, in minor units of the currency."""

    transfer_id: UUID
    org_id: str
    kind: EarningsKind
    currency: str
    amount_minor: int
    waived_at: datetime


async def waive(
    session: AsyncSession,
    actor: Actor,
    *,
    org_id: str,
    currency: str,
    amount_minor: int,
    kind: EarningsKind = EarningsKind.PAID,
    hold_back: HoldBack,
    minimum: str,
    command_id: str,
    now: datetime,
) -> Waiver:
    """Move all earnings of a kind and currency to the platform's income, or return what the command moved.

    The amount is the consent: it must be exactly what is left. Needs the platform's session.

    Args:
        session: of the platform.
        actor: for the audit trail.
        org_id: the organization whose agents have earned it.
        currency: of the earnings.
        amount_minor: what is left of them.
        kind: `paid`, of which only what is too little for a payout is waived, or `own_work`, which is never paid out.
        hold_back: how long earnings are held back.
        minimum: of a payout.
        command_id: of the request.
        now: the time.

    Raises:
        NotWaivable: the amount differs, or of `paid` some is held back or frozen, or it is enough for a payout.
        IdempotencyConflict: the command waived something else.
        Invalid: the currency is not money, or the kind is neither of these.
    """
    if kind not in _ACCOUNTS:
        raise Invalid(f"Earnings of the kind {kind.value} cannot be waived.", extra={"field": "kind"})
    if currency in ISSUED:
        raise Invalid(f"Earnings in {currency} cannot be waived.", extra={"field": "currency"})
    connection = await driver_connection(session)
    income, key = accounts.platform("breakage", currency), earnings_key(org_id, "waive", command_id)
    # Whoever takes earnings holds it, so they only grow until this ends.
    await debt.lock(session, org_id)
    asked: dict[str, object] = {"currency": currency, "asked": amount_minor}
    if kind is not EarningsKind.PAID:
        asked["kind"] = kind.value
    done = await Transfers(connection, income).by_key(key)
    if done is not None:
        if done.metadata != asked:
            raise other_request()
        return _waiver(done.transfer_id, org_id, kind, currency, amount_minor, done.effective_at)
    if kind is EarningsKind.PAID:
        left = await _unpayable(session, org_id, currency, hold_back=hold_back, minimum=minimum, now=now)
    else:
        left = await earnings.own_work(session, org_id, currency)
    there = sum(left.values())
    shown = format_amount(there, currency)
    if amount_minor != there:
        raise NotWaivable(
            f"{shown} {currency} is left. Waive exactly that.", extra={"available": shown, "currency": currency}
        )
    postings = [Posting(_ACCOUNTS[kind](agent, currency, org_id), income, minor) for agent, minor in left.items()]
    ledger = Ledger(connection)
    await ledger.lock_balances([posting.source for posting in postings])
    posted = await ledger.post_compound(
        key=key,
        kind=KIND,
        postings=postings,
        effective_at=now,
        reference=org_id,
        org_id=org_id,
        metadata=asked,
    )
    details = {"amount": shown, "currency": currency, "kind": kind.value}
    await audit.record(session, actor, "earnings.waive", org_id, details, org_id)
    return _waiver(posted.transfer_id, org_id, kind, currency, there, now)


async def _unpayable(
    session: AsyncSession, org_id: str, currency: str, *, hold_back: HoldBack, minimum: str, now: datetime
) -> dict[str, int]:
    """Return what is left of paid earnings in a currency by agent, all of it too little to be paid out."""
    left = [
        share
        for share in await shares_of(session, org_id, hold_back, now=now)
        if share.asset == currency and share.amount_minor
    ]
    there = sum(share.amount_minor for share in left)
    shown = format_amount(there, currency)
    if any(share.state is not PayableState.AVAILABLE for share in left):
        raise NotWaivable(f"Some of {shown} {currency} is held back or frozen. Waive it once all of it is available.")
    # Whatever the minimum is, the last decimals of some currencies are not paid out, and no coin is.
    if currency in MONEY and there >= cut_minor(minimum, currency) and transferable(there, currency):
        raise NotWaivable(f"{shown} {currency} can be paid out. Only what is below {minimum} {currency} is waived.")
    return {share.agent_id: share.amount_minor for share in left}


def _waiver(
    transfer_id: UUID, org_id: str, kind: EarningsKind, currency: str, amount_minor: int, at: datetime
) -> Waiver:
    return Waiver(
        transfer_id=transfer_id,
        org_id=org_id,
        kind=kind,
        currency=currency,
        amount_minor=amount_minor,
        waived_at=at,
    )
