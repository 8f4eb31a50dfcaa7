"""Statements about notes: commands to escrows that were written down before they were sent to the run."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal

from sqlalchemy import CursorResult, Text, bindparam, cast, delete, func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.escrow import EscrowCommand
from domain.errors import RateLimited, other_request
from models.escrow import EscrowEventRow
from models.escrow_notice import EscrowNotice

#: The commands that are noted: those that a passed deadline would make too late.
Noted = Literal["dispute", "deliver", "approve"]
#: How many notes, and about how many bytes of them, are worked off at once: a message to a run is bounded.
MOST = 20
MOST_BYTES = 256 * 1024

#: How many notes of one command may stand against a deadline at once: of one principal, and of its whole side. What
#: stands got no answer, so there are many only while Temporal does not answer, each under a key of its own.
MOST_OF_PRINCIPAL = 10
MOST_OF_SIDE = 100
#: After how many seconds a sender who has as many may try another.
RETRY_AFTER = 60

_STANDING = """
    SELECT count(*) AS of_side,
        count(*) FILTER (WHERE s.command -> 'actor' ->> 'principal' = :principal) AS of_principal
    FROM escrow_notices s JOIN escrows o ON o.id = s.escrow_id AND o.next_deadline_at = s.deadline_at
    WHERE s.escrow_id = :escrow_id AND s.name = :name AND s.settled_at IS NULL AND s.command_id <> :command_id
      AND s.command -> 'actor' ->> 'org_id' IS NOT DISTINCT FROM CAST(:org_id AS text)
"""
_FULL = f"of_principal >= {MOST_OF_PRINCIPAL} OR of_side >= {MOST_OF_SIDE}"
_IS_FULL = text(f"SELECT {_FULL} FROM ({_STANDING}) AS standing")
_NOTE = (
    text(
        f"""
    INSERT INTO escrow_notices AS n (command_id, escrow_id, name, command, noted_at, deadline_at)
    SELECT :command_id, e.id, :name, :command, clock_timestamp(), e.next_deadline_at FROM escrows e
    WHERE e.id = :escrow_id AND e.next_deadline_at IS NOT NULL
      AND NOT EXISTS (SELECT FROM escrow_events v WHERE v.escrow_id = e.id AND v.command_id = :command_id)
      AND (NOT :bounded OR NOT EXISTS (SELECT FROM ({_STANDING}) AS standing WHERE {_FULL}))
    ON CONFLICT (command_id) DO UPDATE SET
        noted_at = CASE WHEN n.settled_at IS NULL AND n.deadline_at = excluded.deadline_at
                        THEN n.noted_at ELSE excluded.noted_at END,
        deadline_at = excluded.deadline_at,
        settled_at = NULL
    RETURNING n.escrow_id, n.name, n.command
    """
    )
    .bindparams(bindparam("command", type_=JSONB))
    .columns(command=JSONB)
)


async def note(
    session: AsyncSession, escrow_id: str, name: Noted, command: EscrowCommand, *, bounded: bool = True
) -> None:
    """Write down that a command has reached us, before it is sent to the escrow's run; needs a platform session.

    A note that stands keeps its first time, however often the command is repeated. One that was settled, or that was
    made against a deadline which has gone, is made anew. Nothing is noted of an escrow that has ended, nor of a command
    that was done. With `bounded` the sender and its side have as many notes as the constants above say; of requests at
    once a few more may pass.

    Raises:
        IdempotencyConflict: the command asked for something else before.
        RateLimited: `escrow.too_many_waiting`, the sender or its side has as many notes as it can have.
    """
    asked, actor = command.model_dump(mode="json"), command.actor
    about = {"command_id": command.command_id, "escrow_id": escrow_id, "name": name}
    sender = {"principal": actor.principal, "org_id": actor.org_id}
    kept = (await session.execute(_NOTE, {**about, **sender, "command": asked, "bounded": bounded})).one_or_none()
    if kept is None and bounded and await session.scalar(_IS_FULL, {**about, **sender}):
        raise RateLimited(
            f"Too many of your requests to {name} this escrow are still unanswered. "
            "Repeat one of them with its Idempotency-Key, or wait until they are answered.",
            code="escrow.too_many_waiting",
            extra={"retry_after": RETRY_AFTER, "limit": MOST_OF_PRINCIPAL},
        )
    if kept is not None and (
        (kept.escrow_id, kept.name) != (escrow_id, name)
        or type(command).model_validate(kept.command).content() != command.content()
    ):
        raise other_request()


async def standing(session: AsyncSession, escrow_id: str, deadline_at: datetime) -> Sequence[EscrowNotice]:
    """Return the notes that a deadline must let go first, in the order of their times, up to `MOST` of them.

    A note counts when it was made before the deadline and against this one: what was asked of an earlier delivery or
    milestone is not done to a later one.
    """
    done = select(EscrowEventRow.number).where(
        EscrowEventRow.escrow_id == EscrowNotice.escrow_id, EscrowEventRow.command_id == EscrowNotice.command_id
    )
    size = func.sum(func.octet_length(cast(EscrowNotice.command, Text))).over(
        order_by=(EscrowNotice.noted_at, EscrowNotice.command_id)
    )
    found = await session.execute(
        select(EscrowNotice, size)
        .where(
            EscrowNotice.escrow_id == escrow_id,
            EscrowNotice.settled_at.is_(None),
            EscrowNotice.deadline_at == deadline_at,
            EscrowNotice.noted_at < deadline_at,
            ~done.exists(),
        )
        .order_by(EscrowNotice.noted_at, EscrowNotice.command_id)
        .limit(MOST)
    )
    return [row for number, (row, bytes_so_far) in enumerate(found) if number == 0 or bytes_so_far <= MOST_BYTES]


async def settle(session: AsyncSession, command_ids: Collection[str]) -> None:
    """Settle the notes of commands that were done or refused; those that are settled stay as they are."""
    await session.execute(
        update(EscrowNotice)
        .where(EscrowNotice.command_id.in_(command_ids), EscrowNotice.settled_at.is_(None))
        .values(settled_at=func.clock_timestamp())
    )


async def withdraw(session: AsyncSession, command_id: str) -> None:
    """Forget the note of a command that was refused to its sender, whose key may serve another command then."""
    await session.execute(
        delete(EscrowNotice).where(EscrowNotice.command_id == command_id, EscrowNotice.settled_at.is_(None))
    )


async def settle_all(session: AsyncSession, escrow_id: str) -> None:
    """Settle every note of an escrow: its deadline has acted."""
    await session.execute(
        update(EscrowNotice)
        .where(EscrowNotice.escrow_id == escrow_id, EscrowNotice.settled_at.is_(None))
        .values(settled_at=func.clock_timestamp())
    )


async def delete_settled_before(session: AsyncSession, moment: datetime) -> int:
    """Forget notes that were settled before the moment, and return how many."""
    result = await session.execute(delete(EscrowNotice).where(EscrowNotice.settled_at < moment))
    assert isinstance(result, CursorResult)
    return result.rowcount
