"""Statements about webhook endpoints: state, timeline, which worker drains them, and at what pace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from pydantic import TypeAdapter
from sqlalchemy import func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.ids import is_id
from domain.messages.webhook.delivery import SendingPace
from domain.messages.webhook.endpoint import ENDED_STATUSES, EVERYTHING, TEST, Endpoint, EndpointChange, EndpointStatus
from domain.messages.webhook.turns import MAX_DRAINED_AT_ONCE, WAIT_EXPIRES_AFTER, EndpointTurn, has_turn
from models.messages.webhook_endpoint import WebhookEndpointEventRow, WebhookEndpointRow
from repositories.common.listing import ListFilter, Listing, ListPage, in_states, of_owner
from repositories.messages.event import Position

_STATE: TypeAdapter[Endpoint] = TypeAdapter(Endpoint)
MISSING = "There is no such webhook endpoint."
#: After how long without a write a drain counts as dead, and a workflow that was due as lost.
LOST_AFTER = timedelta(minutes=2)


def state_of(row: WebhookEndpointRow) -> Endpoint:
    return _STATE.validate_python(row.state)


def pace_of(row: WebhookEndpointRow) -> SendingPace:
    return SendingPace(slow_until=row.slow_until, slowed=row.slowed, failing_since=row.failing_since)


async def lock(session: AsyncSession, endpoint_id: str) -> Endpoint | None:
    """Lock the row until the transaction ends, and return its state; None if there is no such endpoint."""
    query = select(WebhookEndpointRow.state).where(WebhookEndpointRow.id == endpoint_id).with_for_update()
    state = (await session.scalars(query)).one_or_none()
    return None if state is None else _STATE.validate_python(state)


async def of(session: AsyncSession, org_id: str) -> Sequence[WebhookEndpointRow]:
    row = WebhookEndpointRow
    query = select(row).where(row.org_id == org_id, row.status != EndpointStatus.DELETED.value).order_by(row.id)
    return (await session.scalars(query)).all()


async def lock_of(session: AsyncSession, org_id: str) -> list[Endpoint]:
    """Lock the endpoints of an organization that are not deleted, and return their states.

    Lock them before the organization, because a transaction with an endpoint's lock may go on to lock the organization.
    """
    row = WebhookEndpointRow
    query = select(row.state).where(row.org_id == org_id, row.status != EndpointStatus.DELETED.value)
    return [_STATE.validate_python(state) for state in await session.scalars(query.order_by(row.id).with_for_update())]


async def get(session: AsyncSession, endpoint_id: str) -> WebhookEndpointRow | None:
    if not is_id(endpoint_id, "whe"):
        return None
    return await session.get(WebhookEndpointRow, endpoint_id, populate_existing=True)


async def count(session: AsyncSession, org_id: str) -> int:
    """Count an organization's endpoints; the caller holds the organization's lock."""
    is_there = WebhookEndpointRow.status != EndpointStatus.DELETED.value
    query = select(func.count()).where(WebhookEndpointRow.org_id == org_id, is_there)
    return (await session.scalars(query)).one()


_LIST = Listing(of=WebhookEndpointRow, order=[WebhookEndpointRow.id], prefix="whe", searched=("url", "description"))


async def page(session: AsyncSession, wanted: ListFilter) -> ListPage[WebhookEndpointRow]:
    """Return a page of the endpoints that the session may see and that are not deleted, newest first."""
    row = WebhookEndpointRow
    part = (row.status != EndpointStatus.DELETED.value, *of_owner(row.org_id, wanted))
    return await _LIST.page(session, wanted, [part], besides=in_states(wanted))


async def versions(session: AsyncSession, endpoint_ids: Sequence[str]) -> dict[str, int]:
    query = select(WebhookEndpointRow.id, WebhookEndpointRow.version).where(WebhookEndpointRow.id.in_(endpoint_ids))
    return {row.id: row.version for row in await session.execute(query)}


async def with_run(session: AsyncSession, *, after: str, limit: int) -> Sequence[str]:
    """Return the endpoints with a workflow, which are enabled or paused, by id, after the id `after`."""
    row = WebhookEndpointRow
    query = select(row.id).where(row.id > after, row.status.not_in([each.value for each in ENDED_STATUSES]))
    return (await session.scalars(query.order_by(row.id).limit(limit))).all()


async def event_of(session: AsyncSession, endpoint_id: str, command_id: str) -> WebhookEndpointEventRow | None:
    """Return the event of a command, however old; None if there is none."""
    row = WebhookEndpointEventRow
    query = select(row).where(row.endpoint_id == endpoint_id, row.command_id == command_id)
    return (await session.scalars(query)).one_or_none()


async def has_done(session: AsyncSession, endpoint_id: str, command_id: str) -> bool:
    """Return whether a command caused an event, however long ago that was."""
    return await event_of(session, endpoint_id, command_id) is not None


async def add(session: AsyncSession, values: Mapping[str, Any], outcome: EndpointChange, *, at: datetime) -> None:
    """Insert an endpoint with its first event."""
    changing = _columns(outcome, at)
    await session.execute(
        insert(WebhookEndpointRow).values(
            id=outcome.endpoint.endpoint_id,
            org_id=outcome.endpoint.org_id,
            idle=True,
            slowed=0,
            created_at=at,
            **values,
            **changing,
        )
    )
    await _note(session, outcome, str(values["command_id"]), at)


async def write(
    session: AsyncSession, outcome: EndpointChange, *, command_id: str, at: datetime, **changed: object
) -> None:
    """Write one event and the state after it, with other columns that it changes; the caller holds the row's lock."""
    query = update(WebhookEndpointRow).where(WebhookEndpointRow.id == outcome.endpoint.endpoint_id)
    await session.execute(query.values(**changed, **_columns(outcome, at)))
    await _note(session, outcome, command_id, at)


def _columns(outcome: EndpointChange, at: datetime) -> dict[str, Any]:
    endpoint = outcome.endpoint
    return {
        "status": endpoint.status.value,
        "version": endpoint.version,
        "state": _STATE.dump_python(endpoint, mode="json"),
        "updated_at": at,
    }


async def _note(session: AsyncSession, outcome: EndpointChange, command_id: str, at: datetime) -> None:
    endpoint = outcome.endpoint
    await session.execute(
        insert(WebhookEndpointEventRow).values(
            endpoint_id=endpoint.endpoint_id,
            number=endpoint.version,
            kind=outcome.event,
            status=endpoint.status.value,
            actor=outcome.actor,
            command_id=command_id,
            details=dict(outcome.details),
            at=at,
            recorded_at=func.clock_timestamp(),
        )
    )


# Draining -------------------------------------------------------------------------------------------------------------


async def begin_drain(
    session: AsyncSession, endpoint_id: str, lease: str, *, at_once: int = MAX_DRAINED_AT_ONCE
) -> WebhookEndpointRow | Literal["waits"] | None:
    """Claim an endpoint to drain it. An earlier drain of it cannot write any more.

    Returns:
        The endpoint; `waits` if too many others of its organization are being drained or have waited longer, so that
        this one has to wait as well; None if nothing is sent to it.
    """
    row = WebhookEndpointRow
    org_id = (await session.scalars(select(row.org_id).where(row.id == endpoint_id))).one_or_none()
    if org_id is None:
        return None
    # The endpoints of an organization take turns here, by a lock that leaves their rows free.
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"webhook-turns:{org_id}", 0))))
    places = await _places(session, org_id)
    mine = places.pop(endpoint_id, None)
    if mine is None:
        return None
    query = update(row).where(row.id == endpoint_id, row.status == EndpointStatus.ENABLED.value).returning(row)
    now = func.clock_timestamp()
    if has_turn(mine, places.values(), at_once=at_once):
        taken = query.values(lease=lease, idle=False, seen_at=now, waits_since=None)
        return (await session.scalars(taken)).one_or_none()
    # Not marked as idle, because its workflow will try again; otherwise news would wake it more often.
    since = now if mine.waits_since is None else mine.waits_since
    await session.execute(query.values(lease=None, idle=False, seen_at=now, waits_since=since))
    return "waits"


async def _places(session: AsyncSession, org_id: str) -> dict[str, EndpointTurn]:
    row = WebhookEndpointRow
    query = select(row.id, row.lease, row.waits_since, row.seen_at, func.clock_timestamp())
    found = await session.execute(query.where(row.org_id == org_id, row.status == EndpointStatus.ENABLED.value))
    return {
        each: EndpointTurn(
            endpoint_id=each,
            is_sent_to=lease is not None and seen_at is not None and seen_at > now - LOST_AFTER,
            waits_since=since if seen_at is not None and seen_at > now - WAIT_EXPIRES_AFTER else None,
        )
        for each, lease, since, seen_at, now in found
    }


async def settings_now(session: AsyncSession, endpoint_id: str) -> WebhookEndpointRow:
    """Lock and return the settings of the endpoint."""
    query = select(WebhookEndpointRow).where(WebhookEndpointRow.id == endpoint_id)
    return (await session.scalars(query.with_for_update(key_share=True))).one()


async def renew_lease(
    session: AsyncSession, endpoint_id: str, lease: str, **changed: object
) -> WebhookEndpointRow | None:
    """Write the changes of a drain, and return the endpoint's present settings.

    None if another drain has claimed it, or nothing is to be sent to it any more.
    """
    row = WebhookEndpointRow
    query = update(row).where(row.id == endpoint_id, row.lease == lease, row.status == EndpointStatus.ENABLED.value)
    query = query.values(seen_at=func.clock_timestamp(), **changed)
    return (await session.scalars(query.returning(row))).one_or_none()


async def end_drain(
    session: AsyncSession, endpoint_id: str, lease: str, *, wakes_at: datetime | None, **changed: object
) -> str | None:
    """End a drain: write its last changes, and when the next one is due.

    Returns:
        The endpoint of the organization that has waited longest for its turn; None if none waits.
    """
    row = WebhookEndpointRow
    query = update(row).where(row.id == endpoint_id, row.lease == lease)
    await session.execute(query.values(idle=True, wakes_at=wakes_at, lease=None, **changed))
    org = select(row.org_id).where(row.id == endpoint_id).scalar_subquery()
    waiting = select(row.id).where(
        row.org_id == org,
        row.status == EndpointStatus.ENABLED.value,
        row.waits_since.is_not(None),
        row.seen_at > func.clock_timestamp() - WAIT_EXPIRES_AFTER,
    )
    return (await session.scalars(waiting.order_by(row.waits_since, row.id).limit(1))).one_or_none()


# Dispatching ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OutboxPage:
    """The position up to which the outbox was read, and the endpoints with events up to there.

    Attributes:
        head: the position of the last event that was read.
        endpoints: the idle ones.
        is_full: whether the maximum number of events was read, so there may be more.
    """

    head: Position | None
    endpoints: tuple[str, ...]
    is_full: bool = False


#: The columns of an event that an endpoint gets.
_WANTS = """
    ev.org_id = ep.org_id AND CASE ev.type
        WHEN :test THEN ev.subject = ep.id
        ELSE ev.type = ANY (ep.types) OR ep.types = ARRAY[:everything]
    END
"""
_OLDEST = "(SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint)"

_NEWS = text(f"""
    WITH fresh AS MATERIALIZED (
        SELECT ev.written_in, ev.id, ev.org_id, ev.type, ev.subject FROM events ev
        WHERE (ev.written_in, ev.id) > (:written_in, :id) AND ev.written_in < {_OLDEST}
        ORDER BY ev.written_in, ev.id LIMIT :limit
    ), last AS (
        SELECT written_in, id FROM fresh ORDER BY written_in DESC, id DESC LIMIT 1
    )
    SELECT (SELECT written_in FROM last), (SELECT id FROM last),
        ARRAY(
            SELECT DISTINCT ep.id FROM webhook_endpoints ep JOIN fresh ev ON {_WANTS}
            WHERE ep.status = 'enabled' AND ep.idle
        ),
        (SELECT count(*) FROM fresh) = :limit
""")

_PASS = text(f"""
    UPDATE webhook_endpoints ep SET read_in = :written_in, read_id = :id
    WHERE ep.status = 'enabled' AND ep.idle AND (ep.read_in, ep.read_id) < (:written_in, :id)
        AND NOT EXISTS (
            SELECT FROM events ev
            WHERE {_WANTS} AND (ev.written_in, ev.id) > (ep.read_in, ep.read_id)
                AND (ev.written_in, ev.id) <= (:written_in, :id)
        )
""")

_BEHIND = text("""
    SELECT ep.id FROM webhook_endpoints ep
    WHERE ep.status = 'enabled' AND (
        ep.idle AND (ep.read_in, ep.read_id) < (:written_in, :id)
        OR ep.idle AND ep.wakes_at < :lost_before
        OR NOT ep.idle AND ep.seen_at < :lost_before
    )
""")


async def endpoints_with_news(session: AsyncSession, after: Position, *, limit: int) -> OutboxPage:
    """Return the idle endpoints with an event of their types after a position, in one statement."""
    given = {"written_in": after.written_in, "id": after.id, "limit": limit, "test": TEST, "everything": EVERYTHING}
    written_in, event_id, endpoints, is_full = (await session.execute(_NEWS, given)).one()
    return OutboxPage(None if event_id is None else Position(written_in, event_id), tuple(endpoints), is_full)


async def endpoints_behind(session: AsyncSession, head: Position, now: datetime) -> list[str]:
    """Move idle endpoints past events of other types, and return those that should be drained and are not."""
    place = {"written_in": head.written_in, "id": head.id}
    await session.execute(_PASS, {**place, "test": TEST, "everything": EVERYTHING})
    return list(await session.scalars(_BEHIND, {**place, "lost_before": now - LOST_AFTER}))
