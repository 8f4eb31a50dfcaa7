"""Starts runs, and resolves discrepancies: the row, a correction and the audit entry in one transaction."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.books.reconciliation import BOOKABLE, Action, MatchStatus, Window, corrections, postings
from domain.common.access import Actor
from domain.common.errors import NotBookable, NotFound, ReconciliationResolved
from domain.common.ids import correction_key, is_id, reconciliation_run_id
from ledger.gateway import Ledger, Posting
from models.books.reconciliation import ReconciliationDiscrepancy, ReconciliationRun
from repositories.books import discrepancy as discrepancies, reconciliation as books
from repositories.common.command import other_request
from repositories.messages import alert
from repositories.payments import payment
from repositories.tenants import audit
from runtime.database import driver_connection

KIND = "reconciliation.correction"


def alert_key(row: ReconciliationDiscrepancy) -> str:
    """Return the key of a discrepancy's alert; a discrepancy that occurs again raises it again."""
    return f"reconciliation.difference:{row.id}:{row.times_opened}"


async def begin(
    session: AsyncSession, actor: Actor, provider: str, window: Window, command_id: str, now: datetime
) -> ReconciliationRun:
    """Record the start of a run that an operator requested, or return the one that the command started."""
    row = await books.begin(
        session,
        run_id=reconciliation_run_id(command_id),
        provider=provider,
        window=window,
        requested_by=actor.principal,
        command_id=command_id,
        at=now,
    )
    if (row.provider, row.since, row.until) != (provider, window.since, window.until):
        raise other_request()
    if row.started_at == now:
        await audit.record(session, actor, "reconciliation.start", row.id, {"provider": row.provider})
    return row


async def resolve(
    session: AsyncSession,
    actor: Actor,
    difference_id: str,
    *,
    action: Action,
    note: str | None,
    command_id: str,
    now: datetime,
) -> ReconciliationDiscrepancy:
    """Resolve a discrepancy once; a repeated command returns it unchanged.

    With `book` only the part that is still missing is booked; a discrepancy that has disappeared is resolved
    as `matched`.

    Raises:
        NotFound: there is no such discrepancy.
        NotBookable: it cannot be corrected by a booking.
    """
    row = await discrepancies.get(session, difference_id, lock=True) if is_id(difference_id, "dif") else None
    if row is None:
        raise NotFound("There is no such discrepancy.")
    if row.status != "open":
        if row.command_id == command_id:
            return row
        raise ReconciliationResolved(
            f"This discrepancy is already resolved: {row.resolution}.", extra={"resolution": row.resolution}
        )
    row.resolution = "accepted" if action is Action.ACCEPT else await _book(session, row, now)
    row.status, row.note, row.command_id = "resolved", note, command_id
    row.resolved_by, row.resolved_at = actor.principal, now
    await session.flush()
    await alert.resolve(session, alert_key(row), actor.principal)
    details = {"provider": row.provider, "key": row.key, "kind": row.kind, "note": note}
    await audit.record(session, actor, f"reconciliation.{row.resolution}", row.id, details)
    return row


async def _book(session: AsyncSession, row: ReconciliationDiscrepancy, now: datetime) -> str:
    if MatchStatus(row.kind) not in BOOKABLE:
        raise NotBookable(
            f"The fee of {row.key} is booked when its payment refreshes: send the signal `look` to its run.",
            extra={"payment_id": row.payment_id},
        )
    if row.payment_id is not None:
        # The payment's run books under this lock, so nothing is booked between the read and the write here.
        await payment.lock(session, row.payment_id)
    booked = (await books.booked(session, row.provider, [row.key])).get(row.key, [])
    wanted = corrections(discrepancies.compared_of(row, booked))
    if not wanted:
        return "matched"
    posted = await Ledger(await driver_connection(session)).post_compound(
        key=correction_key(row.id, row.times_opened),
        kind=KIND,
        postings=[Posting(*posting) for correction in wanted for posting in postings(row.provider, correction)],
        reference=row.id,
        effective_at=now,
        metadata={"provider": row.provider, "movement": row.key},
    )
    row.transfer_id = posted.transfer_id
    await discrepancies.add_corrections(session, row, wanted, posted.transfer_id)
    return "booked"
