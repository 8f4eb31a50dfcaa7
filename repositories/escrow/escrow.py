"""SQL of escrows: the read model, its timeline, and lists."""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, any_, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from contracts.escrow.escrow import RecordEscrowEvent
from domain.common.errors import other_request
from domain.common.ids import contract_id_of, escrow_workflow_id
from domain.escrow.deadlines import next_deadline
from domain.escrow.state import Escrow, EscrowStatus
from domain.messages.events import Event
from ledger.invariants import Invariant
from models.escrow.contract import Contract
from models.escrow.escrow import EscrowEventRow, EscrowParty, EscrowRow
from models.tenants.metadata import ObjectMetadata
from repositories.common.listing import SCAN_LIMITS, ListFilter, Listing, ListPage, Part, StatusTotal, part_per_value
from repositories.escrow import escrow_notice, party
from repositories.escrow.escrow_waiting import WaitingRule, any_of as any_that_waits
from repositories.messages import alert, event as outbox
from repositories.reputation.organization_trait import share_an_owner_sql
from repositories.tenants import metadata

_STATE: TypeAdapter[Escrow] = TypeAdapter(Escrow)


def state_of(row: EscrowRow) -> Escrow:
    return _STATE.validate_python(row.state)


@dataclass(frozen=True, slots=True)
class StoredEscrow:
    """The stored state of an escrow, and whether a given command was executed.

    `has_levels`: there are levels of reputation. `is_counted`: the escrow counts in limits of its payer.
    `accepts_granted`: granted credits may fund it. These are read here to save a round trip under the lock.
    """

    escrow: Escrow
    done: bool
    transfer_id: UUID | None
    content_hash: str | None = None
    has_levels: bool = True
    is_counted: bool = False
    accepts_granted: bool = True


_LOCK = """
    SELECT CAST(e.state AS text) AS state, d.number IS NOT NULL AS done, d.transfer_id, d.content_hash,
        EXISTS (SELECT FROM reputation_ladders) AS has_levels,
        EXISTS (SELECT FROM ledger.escrow_counts c WHERE c.escrow_id = e.id) AS is_counted,
        (SELECT c.accepts_granted FROM contracts c WHERE c.id = e.contract_id) AS accepts_granted
    FROM escrows e LEFT JOIN escrow_events d ON d.escrow_id = e.id AND d.command_id = $2
    WHERE e.id = $1 FOR UPDATE OF e
"""


async def lock(connection: asyncpg.Connection, escrow_id: str, command_id: str) -> StoredEscrow | None:
    """Lock the row until the transaction ends, and return its state; None for a new one.

    After a wait for the lock the state is the latest, but `done` is as of the start of the statement. An event that was
    written in between has raised the version, so compare the version first.
    """
    row = await connection.fetchrow(_LOCK, escrow_id, command_id)
    if row is None:
        return None
    state, done, transfer_id, content_hash, *read = row
    return StoredEscrow(_STATE.validate_json(state), done, transfer_id, content_hash, *read)


_BEFORE_FUNDING = f"""
    SELECT id, organization_status(id) AS status, EXISTS (SELECT FROM payments p WHERE p.escrow_id = $1) AS is_paid,
        EXISTS (SELECT FROM ledger.controls c WHERE c.org_id = $3 AND c.status <> 'closed') AS is_limited,
        $3::text <> $4::text AND {share_an_owner_sql("$3::text", "$4::text", "$5::text[]")} AS is_related
    FROM unnest(CAST($2 AS text[])) AS id
"""


class FundingFacts(NamedTuple):
    """Facts for the funding of an escrow.

    `is_paid`: payments for it were made. `is_limited`: the payer has spend controls. `is_related`: its parties are two
    related organizations. `statuses`: of the parties, by id.
    """

    is_paid: bool
    is_limited: bool
    is_related: bool
    statuses: list[tuple[str, str | None]]


async def read_funding_facts(
    connection: asyncpg.Connection, escrow_id: str, payer_org_id: str, payee_org_id: str, exempt: Sequence[str]
) -> FundingFacts:
    """Read the facts for an escrow's funding; the statuses are locked until the transaction ends.

    `exempt` are principals who create organizations for others, see `in_one_hand`. The caller has locked the escrow's
    row, so that no other payment begins.
    """
    ids = sorted({payer_org_id, payee_org_id})
    rows = await connection.fetch(_BEFORE_FUNDING, escrow_id, ids, payer_org_id, payee_org_id, list(exempt))
    statuses = [(row["id"], row["status"]) for row in rows]
    return FundingFacts(rows[0]["is_paid"], rows[0]["is_limited"], rows[0]["is_related"], statuses)


_BEFORE_OPENING = """
    SELECT id, organization_status(id) AS status,
        EXISTS (SELECT FROM object_metadata m WHERE m.object_id = $1 AND m.org_id = $2) AS is_written
    FROM unnest(CAST($3 AS text[])) AS id
"""


async def read_opening_facts(
    pool: "asyncpg.Pool[asyncpg.Record]", escrow_id: str, payer_org_id: str, payee_org_id: str
) -> tuple[bool, list[tuple[str, str | None]]]:
    """Return whether the payer has set an external id or metadata of the new escrow, and the parties' statuses.

    The pool must have the platform's role. Nothing stays locked.
    """
    rows = await pool.fetch(_BEFORE_OPENING, escrow_id, payer_org_id, sorted({payer_org_id, payee_org_id}))
    return any(row["is_written"] for row in rows), [(row["id"], row["status"]) for row in rows]


async def read(pool: "asyncpg.Pool[asyncpg.Record]", org_id: str, escrow_id: str) -> Escrow | None:
    """Return the escrow as an organization sees it, in one round trip."""
    state = await pool.fetchval("SELECT tenant_escrow($1, $2)", org_id, escrow_id)
    return None if state is None else _STATE.validate_json(state)


async def read_any(pool: "asyncpg.Pool[asyncpg.Record]", escrow_id: str) -> Escrow | None:
    """Return the escrow as the platform sees it, in one round trip; needs the platform's role."""
    state = await pool.fetchval("SELECT state FROM escrows WHERE id = $1", escrow_id)
    return None if state is None else _STATE.validate_json(state)


_SHOWN_AS = f"SELECT tenant_escrow($3, $1) AS state, {party.READ_AS}"
_SHOWN = f"SELECT (SELECT e.state FROM escrows e WHERE e.id = $1) AS state, {party.READ}"


async def read_shown(
    pool: "asyncpg.Pool[asyncpg.Record]", escrow_id: str, *, org_id: str | None, is_shown_own: bool
) -> tuple[Escrow, party.Parties] | None:
    """Return the escrow as an organization sees it, with its title, names and metadata, in one round trip.

    Without an organization it is read as the platform, whose role the pool must have; the payer's metadata is included
    if `is_shown_own`.
    """
    ids = escrow_id, contract_id_of(escrow_id)
    row = await (
        pool.fetchrow(_SHOWN, *ids, is_shown_own) if org_id is None else pool.fetchrow(_SHOWN_AS, *ids, org_id)
    )
    if row is None or row["state"] is None:
        return None
    columns = dict(row)
    return _STATE.validate_json(columns.pop("state")), party.parties_from(columns)


async def get(session: AsyncSession, escrow_id: str) -> EscrowRow | None:
    return await session.get(EscrowRow, escrow_id)


async def lock_state(session: AsyncSession, escrow_id: str) -> Escrow | None:
    """Lock an escrow until the transaction ends, and return its state; None if there is none."""
    query = select(EscrowRow).where(EscrowRow.id == escrow_id).with_for_update()
    row = await session.scalar(query.execution_options(populate_existing=True))
    return None if row is None else state_of(row)


async def of_contract(session: AsyncSession, contract_id: str) -> Escrow | None:
    row = await session.scalar(select(EscrowRow).where(EscrowRow.contract_id == contract_id))
    return None if row is None else state_of(row)


def refuse_other(kept: str | None, asked: str | None) -> None:
    """Refuse a command whose id was used with other content; unknown content counts as equal."""
    if None not in (kept, asked) and kept != asked:
        raise other_request()


async def event_of_command(session: AsyncSession, escrow_id: str, command_id: str) -> EscrowEventRow | None:
    return await session.scalar(
        select(EscrowEventRow).where(EscrowEventRow.escrow_id == escrow_id, EscrowEventRow.command_id == command_id)
    )


_OPEN = """
    INSERT INTO escrows (id, status, version, funded_minor, released_minor, refunded_minor, commission_minor,
        next_deadline_at, state, updated_at, created_at, contract_id, org_id, payee_org_id, signatory_org_ids, agent_id,
        workflow_id, currency, amount_minor)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10, $19, $20, $21, $22, $23, $24, $25, $26)
"""
_CHANGE = """
    UPDATE escrows SET status = $2, version = $3, funded_minor = $4, released_minor = $5, refunded_minor = $6,
        commission_minor = $7, next_deadline_at = $8, state = $9, updated_at = $10,
        granted_minor = CASE WHEN $11 = 'funded' THEN coalesce((
            SELECT sum(l.remaining) FROM ledger.accounts a JOIN ledger.lots l ON l.account_id = a.id
            WHERE a.path = 'escrow/' || $1 AND a.asset = escrows.currency AND l.is_open AND l.paid = 0
        ), 0) ELSE granted_minor END
    WHERE id = $1
"""
#: A single statement, because other transactions wait for the row's lock during each round trip.
_WRITE = f"""
WITH written AS ({{row}}),
    settled AS ({escrow_notice.SETTLE.format(escrow_id="$1", command_id="$13", all="$17")}),
    closed AS ({alert.CLOSE_CASES.format(subject="$1", kinds="$18")}),
    recorded AS ({{recorded}})
INSERT INTO escrow_events
    (escrow_id, number, kind, status, actor, command_id, content_hash, transfer_id, details, at, recorded_at)
VALUES ($1, $3, $11, $2, $12, $13, $14, $15, $16, $10, clock_timestamp())
RETURNING $11 = 'funded' AND EXISTS (
    SELECT FROM escrows e JOIN ledger.controls c ON c.org_id = e.org_id AND c.status = 'frozen' WHERE e.id = $1
)
"""


@cache
def _write(*, is_first: bool, events: int) -> str:
    """Return the statement that writes an event and a number of outbox events, whose parameters come last."""
    row, first = (_OPEN, 27) if is_first else (_CHANGE, 19)
    return _WRITE.format(row=row, recorded=outbox.record_part(events, first=first))


async def write(
    connection: asyncpg.Connection,
    message: RecordEscrowEvent,
    transfer_id: str | None,
    *,
    events: Sequence[Event],
    event_ids: Sequence[str],
) -> bool:
    """Write an event and the state after it, record outbox events, settle notices and resolve alerts.

    A command settles its own notice; a deadline, and the end of the escrow, settle all. Returns whether the event is
    the funding by a payer with a frozen spend control. If the transaction has moved the payer's credits, it holds the
    lock for freezes, so the result stays valid until it ends.

    Args:
        connection: with the platform's role, in the transaction that has locked the row.
        message: the event.
        transfer_id: of the event's transfer.
        events: the outbox events of its parties.
        event_ids: their ids.
    """
    outcome, escrow, terms = message.outcome, message.outcome.escrow, message.outcome.escrow.terms
    deadline, is_over = next_deadline(escrow), escrow.is_final
    closes = ["escrow.books_refused", *(("escrow.decision_overdue",) if is_over else ())]
    written: list[object] = [terms.escrow_id, escrow.status.value, escrow.version]
    written += [escrow.funded_minor, escrow.released_minor, escrow.refunded_minor, escrow.commission_minor]
    written += [deadline.at if deadline else None, _STATE.dump_json(escrow).decode(), message.at]
    written += [outcome.event, outcome.actor, message.command_id, message.content, transfer_id]
    written += [json.dumps(outcome.details), message.due_at is not None or is_over, closes]
    is_first = escrow.version == 1
    if is_first:
        outside = sorted({name.split("/")[0] for name in terms.signatories if "/" in name})
        written += [terms.contract_id, terms.payer_org_id, terms.payee_org_id, outside, terms.agent_id]
        written += [escrow_workflow_id(terms.contract_id), terms.currency, terms.amount_minor]
    values = (*written, *outbox.values_of(events, event_ids))
    return bool(await connection.fetchval(_write(is_first=is_first, events=len(events)), *values))


async def versions(session: AsyncSession, escrow_ids: Sequence[str]) -> dict[str, int]:
    query = select(EscrowRow.id, EscrowRow.version).where(EscrowRow.id.in_(escrow_ids))
    return {row.id: row.version for row in await session.execute(query)}


_TIMELINE = Listing(of=EscrowEventRow, order=[EscrowEventRow.number], created="at", ascending=True)


async def timeline_page(
    session: AsyncSession, wanted: ListFilter, *, escrow_id: str, hidden: Collection[str] = ()
) -> ListPage[EscrowEventRow]:
    """Return a page of the events of an escrow, in order, without hidden kinds."""
    part = (EscrowEventRow.escrow_id == escrow_id, EscrowEventRow.kind.not_in(hidden))
    return await _TIMELINE.page(session, wanted, [part])


async def funded_at(session: AsyncSession, escrow_id: str) -> datetime | None:
    """Return when an escrow was funded; None if it was not."""
    query = select(EscrowEventRow.at).where(EscrowEventRow.escrow_id == escrow_id, EscrowEventRow.kind == "funded")
    return await session.scalar(query.limit(1))


async def count_events(session: AsyncSession, escrow_id: str, kind: str, command_id: str) -> tuple[int, bool]:
    made = func.coalesce(func.bool_or(EscrowEventRow.command_id == command_id), False)
    query = select(func.count(), made).where(EscrowEventRow.escrow_id == escrow_id, EscrowEventRow.kind == kind)
    count, done = (await session.execute(query)).one()
    return count, done


_LIST = Listing(of=EscrowRow, order=[EscrowRow.id], prefix="esc", is_late=True, amount="amount_minor")


def _searching(wanted: ListFilter, *, finds_ids: bool) -> Listing[EscrowRow]:
    """Return the list with the searched texts: titles and visible external ids.

    Both are scalar subqueries, so that the planner joins no table for them.
    """
    own = ObjectMetadata

    def title(row: type[EscrowRow]) -> ColumnElement[str]:
        return select(Contract.title).where(Contract.id == row.contract_id).scalar_subquery()

    def external_id(row: type[EscrowRow]) -> ColumnElement[Any]:
        whose = row.org_id if wanted.org_id is None else wanted.org_id
        return select(own.external_id).where(own.object_id == row.id, own.org_id == whose).scalar_subquery()

    return replace(_LIST, searched=(title, external_id) if finds_ids else (title,))


async def page(
    session: AsyncSession,
    wanted: ListFilter,
    *,
    waiting: Sequence[WaitingRule] | None = None,
    overdue_at: datetime | None = None,
    finds_ids: bool = True,
) -> ListPage[EscrowRow]:
    """Return a page of escrows, newest first.

    `org_id` filters by the payer, payee or a signatory; a tenant's session has to name its own. `waiting` filters by
    pending tasks, and `overdue_at` by deadlines that had passed then, among the 2,000 most overdue escrows. Text is
    also searched in external ids if `finds_ids`.
    """
    statuses, besides = _narrowed(wanted, waiting)
    if waiting is not None and not statuses:
        return ListPage([], None)
    parts, served, keys = _parts(wanted, statuses, overdue_at)
    listing = _searching(wanted, finds_ids=finds_ids)
    return await listing.page(session, wanted, parts, served=served, keys=keys, besides=besides)


async def summary(
    session: AsyncSession,
    wanted: ListFilter,
    *,
    waiting: Sequence[WaitingRule] | None = None,
    overdue_at: datetime | None = None,
    finds_ids: bool = True,
) -> list[StatusTotal]:
    """Count the results of `page` by state and currency, at most the newest 2,000 of each state."""
    statuses, besides = _narrowed(wanted, waiting)
    if waiting is None and not statuses:
        statuses = tuple(status.value for status in EscrowStatus)
    found = {status: _parts(wanted, (status,), overdue_at) for status in statuses}
    parts = {status: of_status for status, (of_status, _, _) in found.items()}
    served, keys = next(((served, keys) for _, served, keys in found.values()), ([], None))
    listing = _searching(wanted, finds_ids=finds_ids)
    return await listing.summary(session, wanted, parts, served=served, keys=keys, besides=besides)


def _narrowed(
    wanted: ListFilter, waiting: Sequence[WaitingRule] | None
) -> tuple[tuple[str, ...], Callable[[type[EscrowRow]], ColumnElement[bool]] | None]:
    """Return the states to read and the conditions on rows; no states if there can be no tasks."""
    if waiting is None:
        return wanted.statuses, None
    asked = [each for each in waiting if not wanted.statuses or each.status.value in wanted.statuses]
    return tuple(dict.fromkeys(each.status.value for each in asked)), any_that_waits(asked) if asked else None


def _late(ids: InstrumentedAttribute[str], at: datetime | None) -> Part:
    """Return the condition that an escrow's deadline has passed; none if not requested.

    The ids are an array, read once from the index of deadlines. With a join the planner may read all escrows.
    """
    if at is None:
        return ()
    late = select(EscrowRow.id).where(EscrowRow.next_deadline_at < at).order_by(EscrowRow.next_deadline_at)
    return (ids == any_(func.array(late.limit(SCAN_LIMITS[-1]).scalar_subquery())),)


def _parts(
    wanted: ListFilter, statuses: tuple[str, ...], overdue_at: datetime | None
) -> tuple[list[Part], list[str], InstrumentedAttribute[str] | None]:
    """Return the queries of the rows of some states, the filters that they cover, and the id column."""
    own = (*metadata.narrowed(EscrowRow.id, "esc", wanted.org_id, wanted.written), *_late(EscrowRow.id, overdue_at))
    if "contract_id" in wanted.equal:
        part: Part = (EscrowRow.contract_id == wanted.equal["contract_id"], *own)
        if wanted.org_id is not None:
            of_party = select(EscrowParty.escrow_id).where(EscrowParty.org_id == wanted.org_id)
            part = (*part, EscrowRow.id.in_(of_party))
        part = (*part, *(() if not statuses else (EscrowRow.status.in_(statuses),)))
        return [part], ["contract_id"], None
    if wanted.org_id is None:
        return [(*part, *own) for part in part_per_value(EscrowRow.status, statuses)], [], None
    own = metadata.narrowed(EscrowParty.escrow_id, "esc", wanted.org_id, wanted.written)
    own = (*own, *_late(EscrowParty.escrow_id, overdue_at))
    parts = [
        (EscrowParty.org_id == wanted.org_id, *part, *own) for part in part_per_value(EscrowParty.status, statuses)
    ]
    return parts, [], EscrowParty.escrow_id


async def overdue(session: AsyncSession, *, before: datetime, after: str, limit: int) -> Sequence[EscrowRow]:
    """Return unfinished escrows whose deadline passed before a time, by id, after the id `after`."""
    query = select(EscrowRow).where(EscrowRow.next_deadline_at < before, EscrowRow.id > after)
    return (await session.scalars(query.order_by(EscrowRow.id).limit(limit))).all()


#: Invariants of these rows and the books.
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
