"""Statements about escrows: the read model, its timeline, and the lists that the API serves."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter
from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.ext.asyncio import AsyncSession

from contracts.escrow import RecordEscrowEvent
from domain.errors import other_request
from domain.escrow.deadlines import next_deadline
from domain.escrow.state import Escrow
from domain.ids import escrow_workflow_id
from ledger.invariants import Invariant
from models.escrow import EscrowEventRow, EscrowParty, EscrowRow
from repositories.listing import newest, newest_keys

_STATE: TypeAdapter[Escrow] = TypeAdapter(Escrow)


def state_of(row: EscrowRow) -> Escrow:
    """Return the domain's value that a row holds."""
    return _STATE.validate_python(row.state)


@dataclass(frozen=True, slots=True)
class Known:
    """What the books know of an escrow and of one command: the state, and whether the command was done."""

    escrow: Escrow
    done: bool
    transfer_id: UUID | None
    content_hash: str | None = None


_LOCK = text(
    """
    SELECT e.state, d.number IS NOT NULL AS done, d.transfer_id, d.content_hash
    FROM escrows e LEFT JOIN escrow_events d ON d.escrow_id = e.id AND d.command_id = :command_id
    WHERE e.id = :escrow_id FOR UPDATE OF e
    """
).columns(state=JSONB)


async def lock(session: AsyncSession, escrow_id: str, command_id: str) -> Known | None:
    """Keep every other writer out until the transaction ends, and say where the escrow stands; None for a new one.

    After a wait for the lock the state is the latest one, and `done` as old as the statement. An event that came in
    between has raised the version, so who compares that first is not misled.
    """
    row = (await session.execute(_LOCK, {"escrow_id": escrow_id, "command_id": command_id})).one_or_none()
    return (
        None if row is None else Known(_STATE.validate_python(row.state), row.done, row.transfer_id, row.content_hash)
    )


async def read(pool: "asyncpg.Pool[asyncpg.Record]", org_id: str, escrow_id: str) -> Escrow | None:
    """Return the escrow as an organization sees it, in one round trip."""
    state = await pool.fetchval("SELECT tenant_escrow($1, $2)", org_id, escrow_id)
    return None if state is None else _STATE.validate_json(state)


async def get(session: AsyncSession, escrow_id: str) -> EscrowRow | None:
    """Return the escrow when the session may see it."""
    return await session.get(EscrowRow, escrow_id)


def refuse_other(kept: str | None, asked: str | None) -> None:
    """Refuse a command whose id was used for another one; where either content is not known, they pass for the same.

    Raises:
        IdempotencyConflict: the contents differ.
    """
    if None not in (kept, asked) and kept != asked:
        raise other_request()


async def event_of_command(session: AsyncSession, escrow_id: str, command_id: str) -> EscrowEventRow | None:
    """Return the event that a command caused, if it was done."""
    return await session.scalar(
        select(EscrowEventRow).where(EscrowEventRow.escrow_id == escrow_id, EscrowEventRow.command_id == command_id)
    )


async def write(session: AsyncSession, message: RecordEscrowEvent, transfer_id: str | None) -> None:
    """Write the event and the state after it.

    Raises:
        IntegrityError: the event's number or command is there already; the caller holds the row's lock to prevent it,
            and a first event that races itself is retried.
    """
    escrow, terms = message.escrow, message.escrow.terms
    deadline = next_deadline(escrow)
    changing: dict[str, Any] = {
        "status": escrow.status.value,
        "version": escrow.version,
        "funded_minor": escrow.funded_minor,
        "released_minor": escrow.released_minor,
        "refunded_minor": escrow.refunded_minor,
        "commission_minor": escrow.commission_minor,
        "next_deadline_at": deadline.at if deadline else None,
        "state": _STATE.dump_python(escrow, mode="json"),
        "updated_at": message.at,
    }
    if escrow.version == 1:
        fixed = {
            "id": terms.escrow_id,
            "contract_id": terms.contract_id,
            "org_id": terms.payer_org_id,
            "payee_org_id": terms.payee_org_id,
            "signatory_org_ids": sorted({name.split("/")[0] for name in terms.signatories if "/" in name}),
            "agent_id": terms.agent_id,
            "workflow_id": escrow_workflow_id(terms.contract_id),
            "currency": terms.currency,
            "amount_minor": terms.amount_minor,
            "created_at": message.at,
        }
        await session.execute(insert(EscrowRow).values(**fixed, **changing))
    else:
        await session.execute(update(EscrowRow).where(EscrowRow.id == terms.escrow_id).values(**changing))
    await session.execute(
        insert(EscrowEventRow).values(
            escrow_id=terms.escrow_id,
            number=escrow.version,
            kind=message.event,
            status=escrow.status.value,
            actor=message.actor,
            command_id=message.command_id,
            content_hash=message.content,
            transfer_id=transfer_id,
            details=message.details,
            at=message.at,
            recorded_at=func.clock_timestamp(),
        )
    )


async def versions(session: AsyncSession, escrow_ids: Sequence[str]) -> dict[str, int]:
    """Return the number of the latest event of each escrow that the books know."""
    query = select(EscrowRow.id, EscrowRow.version).where(EscrowRow.id.in_(escrow_ids))
    return {row.id: row.version for row in await session.execute(query)}


async def timeline(
    session: AsyncSession, escrow_id: str, *, after: int | None = None, limit: int | None = None
) -> Sequence[EscrowEventRow]:
    """Return events of an escrow in their order, from the one behind `after` on; all of them without a limit."""
    query = select(EscrowEventRow).where(EscrowEventRow.escrow_id == escrow_id).order_by(EscrowEventRow.number)
    if after is not None:
        query = query.where(EscrowEventRow.number > after)
    return (await session.scalars(query if limit is None else query.limit(limit))).all()


async def count_events(session: AsyncSession, escrow_id: str, kind: str, command_id: str) -> tuple[int, bool]:
    """Count the events of a kind of an escrow, and tell whether the command made one of them."""
    made = func.coalesce(func.bool_or(EscrowEventRow.command_id == command_id), False)
    query = select(func.count(), made).where(EscrowEventRow.escrow_id == escrow_id, EscrowEventRow.kind == kind)
    count, done = (await session.execute(query)).one()
    return count, done


async def page(
    session: AsyncSession, *, status: str | None, org_id: str | None, after: str | None, limit: int
) -> Sequence[EscrowRow]:
    """Return up to `limit` escrows, newest first, older than the id `after`.

    `org_id` finds those that it pays, is paid by or signs for; a tenant's session names its own.
    """
    position = None if after is None else (after,)
    if org_id is None:
        part = () if status is None else (EscrowRow.status == status,)
        query = newest(EscrowRow, [part], [EscrowRow.id], after=position, limit=limit)
    else:
        part = (EscrowParty.org_id == org_id, *(() if status is None else (EscrowParty.status == status,)))
        chosen = newest_keys([part], [EscrowParty.escrow_id], after=position, limit=limit)
        query = select(EscrowRow).join(chosen, EscrowRow.id == chosen.c.escrow_id).order_by(EscrowRow.id.desc())
    return (await session.scalars(query)).all()


async def overdue(session: AsyncSession, *, before: datetime, after: str, limit: int) -> Sequence[EscrowRow]:
    """Return escrows whose deadline passed before the moment and that have not ended, by id, after the id `after`."""
    found = await session.scalars(
        select(EscrowRow)
        .where(EscrowRow.next_deadline_at < before, EscrowRow.id > after)
        .order_by(EscrowRow.id)
        .limit(limit)
    )
    return found.all()


#: What `verify` proves about these rows and the books.
INVARIANTS = (
    Invariant(
        name="every transfer in the timeline of an escrow is in the books",
        table="public.escrow_events",
        unit="events",
        violations="""
        SELECT 'event ' || v.number || ' of ' || v.escrow_id || ': no transfer ' || v.transfer_id
        FROM public.escrow_events v
        WHERE v.transfer_id IS NOT NULL AND NOT EXISTS (SELECT FROM ledger.transfers t WHERE t.id = v.transfer_id)
        """,
    ),
    Invariant(
        name="each escrow's funded, released, refunded and commission amounts equal those in the books",
        table="public.escrows",
        unit="escrows",
        violations="""
        SELECT id || ': says ' || stated::text || ', the books ' || booked::text
        FROM (
            SELECT x.id, jsonb_build_object('funded', x.funded_minor, 'released', x.released_minor, 'refunded',
                    x.refunded_minor, 'commission', x.commission_minor, 'held',
                    x.funded_minor - x.released_minor - x.refunded_minor - x.commission_minor) AS stated,
                jsonb_build_object('funded', coalesce(m.funded, 0), 'released', coalesce(m.released, 0), 'refunded',
                    coalesce(m.refunded, 0), 'commission', coalesce(m.commission, 0), 'held',
                    coalesce(m.held, 0)) AS booked
            FROM public.escrows x
            LEFT JOIN ledger.accounts a ON a.path = 'escrow/' || x.id AND a.asset = x.currency
            LEFT JOIN LATERAL (
                SELECT sum(o.amount) FILTER (WHERE o.account_id = a.id AND o.amount > 0) AS funded,
                    sum(o.amount) FILTER (WHERE p.path LIKE 'agent/%') AS released,
                    sum(o.amount) FILTER (WHERE p.path LIKE 'org/%' AND o.amount > 0) AS refunded,
                    sum(o.amount) FILTER (WHERE p.path = 'platform/commission') AS commission,
                    sum(o.amount) FILTER (WHERE o.account_id = a.id) AS held
                FROM (SELECT DISTINCT transfer_id FROM ledger.entries WHERE account_id = a.id) n
                JOIN ledger.entries o ON o.transfer_id = n.transfer_id
                JOIN ledger.accounts p ON p.id = o.account_id
            ) m ON true
        ) compared
        WHERE stated <> booked
        """,
    ),
)
