"""Waives earnings in money that are too little to be paid out, so that an organization can be closed."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain import accounts
from domain.access import Actor
from domain.errors import Conflict, Invalid, other_request
from domain.ids import earnings_key
from domain.money import cut_minor, format_amount
from domain.payable import HoldBack, PayableState
from ledger.gateway import Ledger, Posting
from ledger.transfers import Transfers
from providers.payments.limits import MONEY, transferable
from repositories import audit, debt
from runtime.database import driver_connection
from services.payable import shares_of

KIND = "earnings.waived"


class NotWaivable(Conflict):
    """The amount is not exactly what is left in the currency, or what is left can be paid out or is held back."""

    code = "earnings.not_waivable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """Earnings that were waived, in minor units of the currency."""

    transfer_id: UUID
    org_id: str
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
    hold_back: HoldBack,
    minimum: str,
    command_id: str,
    now: datetime,
) -> Waiver:
    """Move all earnings of an organization in a currency to the platform's income, or return what the command moved.

    The amount is the consent: it must be exactly what is left. Needs the platform's session.

    Raises:
        NotWaivable: it is not, or some of it is held back or frozen, or it is enough for a payout.
        IdempotencyConflict: the command waived something else.
        Invalid: the currency is not money.
    """
    if currency not in MONEY:
        raise Invalid(f"Earnings in {currency} cannot be waived.", extra={"field": "currency"})
    connection = await driver_connection(session)
    income, key = accounts.platform("breakage", currency), earnings_key(org_id, "waive", command_id)
    # Whoever takes earnings holds it, so they only grow until this ends.
    await debt.lock(session, org_id)
    asked = {"currency": currency, "asked": amount_minor}
    done = await Transfers(connection, income).by_key(key)
    if done is not None:
        if done.metadata != asked:
            raise other_request()
        return Waiver(
            transfer_id=done.transfer_id,
            org_id=org_id,
            currency=currency,
            amount_minor=amount_minor,
            waived_at=done.effective_at,
        )
    left = [share for share in await shares_of(session, org_id, hold_back, now=now) if share.asset == currency]
    there = sum(share.amount_minor for share in left)
    shown = format_amount(there, currency)
    if any(share.amount_minor and share.state is not PayableState.AVAILABLE for share in left):
        raise NotWaivable(f"Some of {shown} {currency} is held back or frozen. Waive it once all of it is available.")
    # Whatever the minimum is, the last decimals of some currencies are not paid out.
    if there >= cut_minor(minimum, currency) and transferable(there, currency):
        raise NotWaivable(f"{shown} {currency} can be paid out. Only what is below {minimum} {currency} is waived.")
    if amount_minor != there:
        raise NotWaivable(
            f"{shown} {currency} is left. Waive exactly that.", extra={"available": shown, "currency": currency}
        )
    postings = [
        Posting(accounts.agent_earnings(share.agent_id, currency, org_id), income, share.amount_minor)
        for share in left
        if share.amount_minor
    ]
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
    await audit.record(session, actor, "earnings.waive", org_id, {"amount": shown, "currency": currency}, org_id)
    return Waiver(transfer_id=posted.transfer_id, org_id=org_id, currency=currency, amount_minor=there, waived_at=now)
