"""Statements about notices: commands to escrows that are stored before they are sent to the workflow."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy import Text, cast, delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.escrow.escrow import EscrowCommand
from domain.common.errors import EscrowTooManyWaiting, other_request
from domain.escrow.state import MAX_EVIDENCE
from models.escrow.escrow import EscrowEventRow
from models.escrow.escrow_notice import EscrowNotice
from repositories.common.changed import rows_changed

#: The commands with a notice: those by which somebody would lose money if a passed deadline made them too late.
NotedCommandName = Literal["dispute", "deliver", "approve", "refund", "resolve", "submit_evidence"]
#: How many notices, and about how many bytes of them, are sent at once, because a message to a workflow is bounded.
MAX_SENT = 20
MAX_SENT_BYTES = 256 * 1024

#: The maximum number of open notices of one command before a deadline: of one principal, and of all of its side. Open
#: ones have had no response, so there are many only while Temporal does not answer.
MAX_OPEN_OF_PRINCIPAL = 10
#: Of evidence, as many as a dispute takes of one side: its pieces may be sent at once.
MAX_OPEN_EVIDENCE_OF_PRINCIPAL = MAX_EVIDENCE
MAX_OPEN_OF_SIDE = 100
#: `retry_after` of a sender that has reached the maximum, in seconds.
RETRY_AFTER = 60

_STANDING = """
    SELECT count(*) AS of_side, count(*) FILTER (WHERE s.command -> 'actor' ->> 'principal' = $4) AS of_principal
    FROM escrow_notices s JOIN escrows o ON o.id = s.escrow_id AND o.next_deadline_at = s.deadline_at
    WHERE s.escrow_id = $2 AND s.name = $3 AND s.settled_at IS NULL AND s.command_id <> $1
      AND s.command -> 'actor' ->> 'org_id' IS NOT DISTINCT FROM $5
"""
_MOST = f"CASE $3 WHEN 'submit_evidence' THEN {MAX_OPEN_EVIDENCE_OF_PRINCIPAL} ELSE {MAX_OPEN_OF_PRINCIPAL} END"
_FULL = f"of_principal >= {_MOST} OR of_side >= {MAX_OPEN_OF_SIDE}"
_IS_FULL = f"SELECT {_FULL} FROM ({_STANDING}) AS standing"
_INSERT = f"""
    INSERT INTO escrow_notices AS n (command_id, escrow_id, name, command, noted_at, deadline_at)
    SELECT $1, e.id, $3, $6, clock_timestamp(), e.next_deadline_at FROM escrows e
    WHERE e.id = $2 AND e.next_deadline_at IS NOT NULL
      AND NOT EXISTS (SELECT FROM escrow_events v WHERE v.escrow_id = e.id AND v.command_id = $1)
      AND (NOT $7 OR NOT EXISTS (SELECT FROM ({_STANDING}) AS standing WHERE {_FULL}))
"""
_NOTE_NEW = f"{_INSERT} ON CONFLICT (command_id) DO NOTHING RETURNING n.noted_at"
_NOTE_AGAIN = f"""
    {_INSERT}
    ON CONFLICT (command_id) DO UPDATE SET
        noted_at = CASE WHEN n.settled_at IS NULL AND n.deadline_at = excluded.deadline_at
                        THEN n.noted_at ELSE excluded.noted_at END,
        deadline_at = excluded.deadline_at,
        settled_at = NULL
    RETURNING n.escrow_id, n.name, n.command::text, n.noted_at
"""


async def store(
    connection: "asyncpg.Connection | PoolConnectionProxy[asyncpg.Record]",
    escrow_id: str,
    name: NotedCommandName,
    command: EscrowCommand,
    *,
    bounded: bool = True,
) -> datetime | None:
    """Store that a command was received, before it is sent to the escrow's workflow; return since when it is stored.

    An open notice keeps its first time when the command is repeated. A settled one, or one for an earlier deadline, is
    replaced. There is none for an escrow that has ended, or for a command that was done. With `bounded` the number of
    open notices is limited by the constants above; concurrent requests may exceed it by a few.

    Args:
        connection: with the platform's role, in no transaction, so that a new notice is one round trip.
        escrow_id: the escrow.
        name: of the update.
        command: the update's message.
        bounded: whether the number of notices is limited.
    """
    actor = command.actor
    about = (command.command_id, escrow_id, name, actor.principal, actor.org_id)
    asked = (*about, command.model_dump_json(), bounded)
    noted_at: datetime | None = await connection.fetchval(_NOTE_NEW, *asked)
    if noted_at is not None:
        return noted_at
    async with connection.transaction():
        kept = await connection.fetchrow(_NOTE_AGAIN, *asked)
        if kept is None and bounded and await connection.fetchval(_IS_FULL, *about):
            raise EscrowTooManyWaiting(
                f"Too many of your {name} requests for this escrow are still unanswered. "
                "Repeat one of them with its Idempotency-Key, or wait until they are answered.",
                extra={
                    "retry_after": RETRY_AFTER,
                    "limit": MAX_OPEN_EVIDENCE_OF_PRINCIPAL if name == "submit_evidence" else MAX_OPEN_OF_PRINCIPAL,
                },
            )
        if kept is not None and (
            (kept["escrow_id"], kept["name"]) != (escrow_id, name)
            or type(command).model_validate_json(kept["command"]).content() != command.content()
        ):
            # The notice of the other command stays as it was.
            raise other_request()
        return None if kept is None else kept["noted_at"]


async def open_notices(session: AsyncSession, escrow_id: str, deadline_at: datetime) -> Sequence[EscrowNotice]:
    """Return the notices that have to be handled before a deadline, by time, about `MAX_SENT` at once.

    A notice counts if it was made before the deadline and for this deadline, so a command about an earlier delivery or
    milestone does not apply to a later one. A dispute applies to both, so the first one is returned even beyond
    `MAX_SENT`: a delivery or a last approval before it would move the deadline.
    """
    done = select(EscrowEventRow.number).where(
        EscrowEventRow.escrow_id == EscrowNotice.escrow_id, EscrowEventRow.command_id == EscrowNotice.command_id
    )
    counts = (
        EscrowNotice.escrow_id == escrow_id,
        EscrowNotice.settled_at.is_(None),
        EscrowNotice.deadline_at == deadline_at,
        EscrowNotice.noted_at < deadline_at,
        ~done.exists(),
    )
    order = (EscrowNotice.noted_at, EscrowNotice.command_id)
    size = func.sum(func.octet_length(cast(EscrowNotice.command, Text))).over(order_by=order)
    rows = (await session.execute(select(EscrowNotice, size).where(*counts).order_by(*order).limit(MAX_SENT))).all()
    found = [row for number, (row, bytes_so_far) in enumerate(rows) if number == 0 or bytes_so_far <= MAX_SENT_BYTES]
    is_whole = len(rows) < MAX_SENT and len(found) == len(rows)
    if not is_whole and all(row.name != "dispute" for row in found):
        dispute = select(EscrowNotice).where(*counts, EscrowNotice.name == "dispute").order_by(*order).limit(1)
        found += await session.scalars(dispute)
    return found


#: Settles the notice of a command that was done, or with `all` every notice of its escrow; part of a larger statement.
SETTLE = """
    UPDATE escrow_notices SET settled_at = clock_timestamp()
    WHERE escrow_id = {escrow_id} AND settled_at IS NULL AND ({all} OR command_id = {command_id})
"""


async def settle(session: AsyncSession, command_ids: Collection[str]) -> None:
    """Settle the notices of commands that were done or refused; settled ones stay as they are."""
    await session.execute(
        update(EscrowNotice)
        .where(EscrowNotice.command_id.in_(command_ids), EscrowNotice.settled_at.is_(None))
        .values(settled_at=func.clock_timestamp())
    )


async def carry_over(session: AsyncSession, escrow_id: str, deadline_at: datetime, extended_to: datetime) -> None:
    of_deadline = (EscrowNotice.escrow_id == escrow_id, EscrowNotice.deadline_at == deadline_at)
    await session.execute(
        update(EscrowNotice).where(*of_deadline, EscrowNotice.settled_at.is_(None)).values(deadline_at=extended_to)
    )


async def delete_notice(session: AsyncSession, command_id: str) -> None:
    """Delete the notice of a command whose sender got a refusal, because its key may be used for another command."""
    await session.execute(
        delete(EscrowNotice).where(EscrowNotice.command_id == command_id, EscrowNotice.settled_at.is_(None))
    )


async def delete_settled_before(session: AsyncSession, moment: datetime, *, limit: int) -> int:
    """Delete notices that were settled before a time, and return how many."""
    row = EscrowNotice
    old = select(row.command_id).where(row.settled_at < moment).order_by(row.settled_at).limit(limit)
    return await rows_changed(session, delete(row).where(row.command_id.in_(old)))
