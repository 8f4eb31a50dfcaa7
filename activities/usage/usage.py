"""Creates the monthly tables of usage events, and imports events from a spend log."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from asyncpg import PostgresError
from pydantic_core import PydanticSerializationError
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity

from activities.books.books import is_unstorable
from contracts.common.batch import BatchResult, BatchStep
from contracts.usage.usage import ConcludeSync, PlannedSync, PlanSync, ReadSyncPage, SyncedPage, SyncPage
from domain.common.access import Actor, Role
from domain.common.errors import OtherEvent
from domain.tenants.organization import OrganizationStatus
from domain.usage.arrears import ArrearsRules
from domain.usage.event import HeldSpend, InvalidEvent, digest_of
from domain.usage.litellm import (
    SOURCE,
    TYPE,
    claimed_organization,
    claimed_spend,
    event_of,
    organization_of,
    started_at,
    use_of,
)
from domain.usage.meter import TooManyReadings
from providers.usage.litellm import SpendLog, SpendPage
from repositories.messages import alert
from repositories.tenants import organization as organizations
from repositories.usage import usage
from repositories.usage.model_price import PriceBook
from runtime.database import Database, driver_connection
from services.usage import meter, usage_paid
from services.usage.rating import Rates
from services.usage.usage import EventOutcome, EventStatus, record
from services.usage.usage_validation import Delivery

#: How far ahead monthly tables are created. A request creates one that is needed earlier.
AHEAD = timedelta(days=62)
#: The window of a request to a spend log; halved if it holds more calls than the proxy counts.
WINDOW, LEAST_WINDOW = timedelta(hours=6), timedelta(seconds=2)
#: How long calls that could not be recorded hold the cursor back, so that they are retried.
HELD = timedelta(days=2)
#: Before the first call was recorded.
EVER = datetime(1970, 1, 1, tzinfo=UTC)
ACTOR = Actor(principal="usage-sync", role=Role.OPERATOR)
#: The outcome of a call that cannot be stored even without its caller's own fields.
UNSTORABLE = EventOutcome(
    status=EventStatus.INVALID, error=InvalidEvent("The call contains a value that cannot be stored.")
)
_REUSED = (
    "The spend log has another call under the id {id} of a call that was counted, so it is not counted. Give each call "
    "an id of its own at the proxy, and report this one as an event."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metering:
    """Where usage is imported from, and its rules.

    Attributes:
        log: the spend log; None if none is set up.
        rates: the rates of usage.
        late: the maximum age of an event.
        longest: how long a call of the log may last to be counted by the next sync, and not by the nightly one.
        paying: actions whose spends pay for calls in the log, see `domain.usage.paid_call.check_payment`.
        trusts_callers: whether a call belongs to the organization that its caller names, if its key has no owner.
        arrears: the platform's settings of usage in arrears; None where nobody is told of its limit.
        charges_calls: whether calls are charged at cost by a meter of the platform that is made for it.
    """

    log: SpendLog | None = None
    rates: Rates = field(default_factory=lambda: Rates(prices=PriceBook()))
    late: timedelta = timedelta(days=35)
    longest: timedelta = timedelta(hours=1)
    paying: Mapping[str, int | None] = field(default_factory=dict)
    trusts_callers: bool = False
    charges_calls: bool = False
    arrears: ArrearsRules | None = None


class UsageActivities:
    """The activities of the workflows on usage."""

    def __init__(self, database: Database, metering: Metering | None = None) -> None:
        self._database = database
        self._metering = metering or Metering()

    @activity.defn
    async def open_months(self, message: BatchStep) -> BatchResult:
        """Create the tables of this month and the next ones.

        Effect: a table for each month.
        Idempotent by: the month; an existing table is not changed.
        """
        async with self._database.platform() as session:
            connection = await driver_connection(session)
            return BatchResult(count=await usage.open_months(connection, message.now, message.now + AHEAD))

    @activity.defn(name="plan_usage_sync")
    async def plan_sync(self, message: PlanSync) -> PlannedSync:
        """Return where a sync begins and ends.

        Effect: the meter that charges for calls, if calls are charged and it was never made.
        Idempotent by: the meter's command, also after the meter was closed.
        """
        if self._metering.log is None:
            return PlannedSync()
        async with self._database.platform() as session:
            if self._metering.charges_calls:
                await meter.charge_by_default(session, ACTOR, TYPE, now=message.now)
            cursor = await usage.cursor(session, SOURCE)
        earliest = message.now - self._metering.late
        back = max(timedelta(seconds=message.back_seconds), self._metering.longest)
        since = message.since or (earliest if cursor is None else cursor - back)
        page = _window(max(since, earliest), message.now)
        return PlannedSync(page=page, until=message.now)

    @activity.defn(name="sync_usage_page")
    async def sync_page(self, message: ReadSyncPage) -> SyncedPage:
        """Record the calls of a page, in one transaction for each organization unless its meters read too many values.

        Effect: an event for each call that has none. A value that cannot be stored does not stop other calls.
        Idempotent by: the call's id in the log.
        Fails with: nothing that is final; a log that does not answer is retried.
        """
        assert self._metering.log is not None
        page = message.page
        found = await self._metering.log.page(page.since, page.until, page.number)
        if found.is_cut and page.until - page.since > LEAST_WINDOW:
            half = page.since + (page.until - page.since) / 2
            return SyncedPage(following=SyncPage(since=page.since, until=half))
        by_owner = await self._by_owner(found.rows)
        unassigned = len(by_owner.pop(None, []))
        outcomes: list[tuple[EventOutcome, Mapping[str, Any]]] = []
        for org_id, rows in by_owner.items():
            assert org_id is not None
            done = await self._record(org_id, rows, message.last)
            unassigned += len(rows) if done is None else 0
            outcomes += zip(done or [], rows, strict=False)
        return _counted(outcomes, unassigned, _following(page, message.last, found))

    @activity.defn(name="conclude_usage_sync")
    async def conclude_sync(self, message: ConcludeSync) -> None:
        """Move the cursor to the end of the sync, or back to the first call that could not be recorded.

        Effect: the cursor, and an alert for the day on which calls could not be recorded, or cost another amount than
            at the proxy; a later sync of the day renews its numbers.
        Idempotent by: the sync; a later cursor is kept, and an alert's key is its day.
        """
        sync = message.sync
        if sync.started is None or sync.until is None:
            return
        reached = sync.until if sync.refused_at is None else max(sync.refused_at, sync.until - HELD)
        # If the sync began at the earliest time that is recorded, earlier calls are no gap any more.
        since = sync.started if sync.started > sync.until - self._metering.late else EVER
        async with self._database.platform() as session:
            await usage.move_cursor(session, SOURCE, since=since, until=reached)
            if sync.invalid or sync.unassigned:
                await _alert(
                    session,
                    "usage.not_counted",
                    message.at,
                    f"LiteLLM calls could not be billed: {sync.invalid} are invalid, {sync.unassigned} name no "
                    f"organization or a closed one. {sync.why or ''}".strip(),
                )
            # The calls of a sync are recorded at its end, so each is in the window of one day.
            day = sync.until.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
            found = await usage.cost_difference(session, day, day + timedelta(days=1))
            if found is not None:
                await _alert(session, "usage.cost_differs", day, _difference(found, day))

    async def _by_owner(self, rows: Sequence[Mapping[str, Any]]) -> dict[str | None, list[Mapping[str, Any]]]:
        """Return the rows of a page by the organization that pays for them; under None those of nobody.

        What a caller says counts only if callers are trusted, or if the row has the secret of a spend that the
        organization made.
        """
        owned: dict[str | None, list[Mapping[str, Any]]] = defaultdict(list)
        said: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for row in rows:
            if (owner := organization_of(row)) is None and (named := claimed_organization(row)) is not None:
                said[named].append(row)
            else:
                owned[owner].append(row)
        if self._metering.trusts_callers:
            for org_id, theirs in said.items():
                owned[org_id] += theirs
            return owned
        for org_id, theirs in said.items():
            secrets = [each for row in theirs if (each := claimed_spend(row)) is not None]
            async with self._database.platform() as session:
                proven = await usage_paid.proven_spends(session, org_id, secrets)
            for row in theirs:
                owned[org_id if claimed_spend(row) in proven else None].append(row)
        return owned

    async def _record(
        self, org_id: str, rows: Sequence[Mapping[str, Any]], at: datetime, *, heard: bool = True
    ) -> list[EventOutcome] | None:
        """Record calls of one organization; None if it does not exist or is closed.

        If its meters would read too many values at once, or a call cannot be stored, the calls are recorded in halves.
        A single call that cannot be stored is recorded without its caller's own fields.
        """
        try:
            return await self._record_at_once(org_id, rows, at, heard=heard)
        except TooManyReadings:
            pass
        except (DBAPIError, PostgresError, PydanticSerializationError, UnicodeError) as error:
            if isinstance(error, DBAPIError | PostgresError) and not is_unstorable(error):
                raise
            if len(rows) == 1:
                return [UNSTORABLE] if not heard else await self._record(org_id, rows, at, heard=False)
        half = len(rows) // 2
        halves = [await self._record(org_id, part, at, heard=heard) for part in (rows[:half], rows[half:])]
        return [outcome for done in halves for outcome in done or []]

    async def _record_at_once(
        self, org_id: str, rows: Sequence[Mapping[str, Any]], at: datetime, *, heard: bool
    ) -> list[EventOutcome] | None:
        """Record calls of one organization in one transaction; None if it does not exist or is closed."""
        metering = self._metering
        delivery = Delivery(
            actor=ACTOR,
            org_id=org_id,
            at=at,
            late=metering.late + HELD,
            rates=metering.rates,
            paying=metering.paying,
            arrears=metering.arrears,
        )
        async with self._database.platform() as session:
            if await organizations.status_of(session, org_id) in {None, OrganizationStatus.CLOSED}:
                return None
            calls = [event_of(row, heard=heard) for row in rows]
            done = await record(session, delivery, calls)
            uses = [use for call in calls if heard and (use := use_of(call)) is not None]
            if uses:
                # The agent is only the caller's claim: one that does not exist, or is not for sale, is ignored.
                await record(session, delivery, uses)
            # A caller's own fields must not stop a call from being recorded: it is recorded without them.
            refused = [place for place, outcome in enumerate(done) if heard and _is_refused(outcome)]
            bare = [event_of(rows[place], heard=False) for place in refused]
            for place, outcome in zip(refused, await record(session, delivery, bare) if bare else [], strict=True):
                done[place] = outcome
            return await _explained(session, org_id, calls, done)


async def _alert(session: AsyncSession, kind: str, day: datetime, detail: str) -> None:
    key = f"{kind}:{SOURCE}:{day:%Y-%m-%d}"
    if not await alert.raise_alert(session, kind=kind, subject=SOURCE, key=key, detail=detail):
        await alert.renew(session, key, detail)


def _difference(found: usage.CostDifference, day: datetime) -> str:
    return (
        f"Of the calls of the spend log that were recorded on {day:%Y-%m-%d} (UTC), {found.calls} cost more than a "
        f"tenth more or less here than at the proxy: {found.here:f} USD here, {found.there:f} USD there, off by "
        f"{found.off:f} USD in sum. The first: {found.call_type} {found.event_id} of {found.model}, "
        f"{found.first_here:f} USD here and {found.first_there:f} USD at the proxy."
    )


def _is_refused(outcome: EventOutcome) -> bool:
    """Whether an event was refused for its caller's fields: a known call that differs may match without them."""
    return outcome.status is EventStatus.INVALID and not isinstance(outcome.error, HeldSpend)


async def _explained(
    session: AsyncSession, org_id: str, calls: Sequence[Mapping[str, Any]], done: Sequence[EventOutcome]
) -> list[EventOutcome]:
    """Return the outcomes of calls; one with a known id is a duplicate, or a different call under a used id.

    A call has one row. A row with more or fewer fields and the same start time was recorded by another release.
    """
    explained = list(done)
    began = {
        place: (digest_of(org_id, SOURCE, calls[place]["id"]), datetime.fromisoformat(calls[place]["time"]))
        for place, outcome in enumerate(done)
        if isinstance(outcome.error, OtherEvent) and "time" in calls[place]
    }
    same = await usage.events_with_start(session, org_id, set(began.values())) if began else frozenset()
    for place, outcome in enumerate(done):
        if not isinstance(outcome.error, OtherEvent):
            continue
        if place not in began or began[place] in same:
            explained[place] = outcome._replace(status=EventStatus.DUPLICATE, error=None)
        else:
            explained[place] = outcome._replace(error=OtherEvent(_REUSED.format(id=calls[place]["id"])))
    return explained


def _window(since: datetime, end: datetime) -> SyncPage:
    return SyncPage(since=since, until=min(since + WINDOW, end))


def _following(page: SyncPage, end: datetime, found: SpendPage) -> SyncPage | None:
    """Return the next page of a window, or the first page of the next window; None at the end.

    A page begins with the second of the previous page's last call, so that no call is skipped if the proxy deletes
    earlier ones meanwhile. If more calls than a page began within one second, the next ones are found by page number.
    """
    if found.is_last:
        return None if page.until >= end else _window(page.until, end)
    since = _last_second(found.rows)
    if since is not None and page.since < since < page.until:
        return SyncPage(since=since, until=page.until)
    return SyncPage(since=page.since, until=page.until, number=page.number + 1)


def _last_second(rows: Sequence[Mapping[str, Any]]) -> datetime | None:
    """Return the second in which the last call began; None if the calls are in another order, or have no time."""
    times = [at for at in map(started_at, rows) if at is not None]
    if len(times) < len(rows) or not times or times != sorted(times):
        return None
    return times[-1].replace(microsecond=0)


def _counted(
    outcomes: list[tuple[EventOutcome, Mapping[str, Any]]], unassigned: int, following: SyncPage | None
) -> SyncedPage:
    def count(status: EventStatus) -> int:
        return sum(outcome.status is status for outcome, _ in outcomes)

    refused = [
        (at, outcome.error)
        for outcome, row in outcomes
        if outcome.error is not None and (at := started_at(row)) is not None
    ]
    first = min(refused, key=lambda each: each[0], default=None)
    return SyncedPage(
        following=following,
        accepted=count(EventStatus.ACCEPTED),
        duplicates=count(EventStatus.DUPLICATE),
        invalid=count(EventStatus.INVALID),
        unassigned=unassigned,
        refused_at=None if first is None else first[0],
        why=None if first is None else first[1].detail,
    )
