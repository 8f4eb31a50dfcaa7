"""The outbox loses no events, however late they commit, and shows each organization only its own."""

import asyncio
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import asyncpg
import pytest
from asyncpg import PostgresError
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from commands.base import connected
from commands.skip_numbers import NumberGap, skip
from domain.common.ids import is_id, make_id
from domain.messages.events import Event, UnknownEvent
from domain.messages.events.catalogue import CATALOGUE
from models.messages.event import EventRow
from repositories.common import listing
from repositories.common.listing import ListFilter
from repositories.messages import event as events
from repositories.messages.event import Position
from runtime.database import Database, driver_connection
from runtime.identity import new_ids
from tests.conftest import DatabaseUrls
from tests.support.cases import for_each
from tests.support.locks import somebody_waits
from tests.support.outbox import past_others
from tests.support.plans import blocks_read

pytestmark = pytest.mark.db

DATA = CATALOGUE["escrow.funded"].example
SMALL, LARGE = 2_000, 20_000


def fact(subject: str, org_id: str = "org_1", kind: str = "escrow.funded") -> Event:
    return Event(kind, org_id, subject, CATALOGUE[kind].example)


async def write(database: Database, *facts: Event, as_part: bool = False) -> None:
    async with database.platform() as session:
        if as_part:
            connection = await driver_connection(session)
            await connection.execute(
                events.record_part(len(facts), first=1), *events.values_of(facts, new_ids("evt", len(facts)))
            )
        else:
            await events.record(session, facts)


async def subjects(database: Database, after: Position | None = None, limit: int = 100) -> list[str]:
    async with database.platform() as session:
        return [row.subject for row in await events.page(session, after=after, limit=limit)]


async def test_pitfall_38_late_commit_is_not_lost(database: Database) -> None:
    """The late transaction takes its number first and commits last, with a reader in between."""
    async with database.platform() as late:
        await events.record(late, [fact("late")])
        await write(database, fact("early"))
        # What was committed waits for what was begun before it, so the reader has not gone past it.
        assert await subjects(database) == []
        async with database.platform() as session:
            assert await events.head(session) is None
    await past_others(database)
    async with database.platform() as session:
        late_row, early_row = await events.page(session, after=None, limit=10)
        assert (late_row.subject, early_row.subject) == ("late", "early")
        assert await events.head(session) == Position(early_row.written_in, early_row.id)
    assert await subjects(database, Position(late_row.written_in, late_row.id)) == ["early"]
    assert await subjects(database, Position(early_row.written_in, early_row.id)) == []


async def test_rolled_back_event_is_never_shown(database: Database) -> None:
    async with database.platform() as session:
        await events.record(session, [fact("gone")])
        await session.rollback()
    await write(database, fact("kept"))
    await past_others(database)
    assert await subjects(database) == ["kept"]


@pytest.mark.parametrize("as_part", [False, True])
async def test_events_of_a_subject_are_numbered_for_each_organization(database: Database, *, as_part: bool) -> None:
    told = (fact("one"), fact("one", kind="escrow.delivered"), fact("one", "org_2"), fact("two"))
    await write(database, *told, as_part=as_part)
    await write(database, fact("one", kind="escrow.released"), as_part=as_part)
    await past_others(database)
    async with database.platform() as session:
        rows = await events.page(session, after=None, limit=10)
    assert [(row.subject, row.org_id, row.subject_seq, row.type) for row in rows] == [
        ("one", "org_1", 1, "escrow.funded"),
        ("one", "org_1", 2, "escrow.delivered"),
        ("one", "org_2", 1, "escrow.funded"),
        ("two", "org_1", 1, "escrow.funded"),
        ("one", "org_1", 3, "escrow.released"),
    ]
    assert all(is_id(row.id, "evt") for row in rows)


async def test_event_numbers_continue_after_a_gap_after_each_restore(
    database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    async def restored(owner: asyncpg.Connection) -> NumberGap:
        [gap] = [each for each in await skip(owner, 50) if each.series == "event"]
        return gap

    await write(database, fact("one"), fact("one", kind="escrow.delivered"))
    gap = await connected(fresh_database_urls.owner, restored)
    assert (gap.first, gap.last) == (3, 52)
    assert gap.line() == "Events of each subject go on at 53: 3 to 52 are passed over"
    # The second one is of a subject whose first event may be lost.
    await write(database, fact("one", kind="escrow.released"), fact("two"))
    again = await connected(fresh_database_urls.owner, restored)
    assert (again.first, again.last) == (54, 103)
    await write(database, fact("one", kind="escrow.split"), fact("one", kind="escrow.refunded"), as_part=True)
    told = "SELECT tell('contract.accepted', 'org_1', 'one', now(), '{}')"
    await connected(fresh_database_urls.owner, lambda owner: owner.execute(told))
    await past_others(database)
    async with database.platform() as session:
        rows = await events.page(session, after=None, limit=10)
    assert [(row.subject, row.subject_seq) for row in rows] == [
        *(("one", 1), ("one", 2), ("one", 53), ("two", 53)),
        *(("one", 104), ("one", 105), ("one", 106)),
    ]


async def test_concurrent_writers_without_a_lock_get_distinct_numbers(database: Database) -> None:
    async with database.platform() as first:
        await events.record(first, [fact("one")])
        second = asyncio.create_task(write(database, fact("one")))
        await somebody_waits(database)
    with pytest.raises(IntegrityError, match="uq_events_subject"):
        await second


async def test_page_is_filtered_by_organization_type_and_subject(database: Database) -> None:
    await write(database, fact("one"), fact("two", "org_2"), fact("three", kind="escrow.released"))
    await past_others(database)
    async with database.platform() as session:
        whole = await events.page(session, after=None, limit=10)
        org = await events.page(session, after=None, limit=10, org_id="org_1")
        types = await events.page(session, after=None, limit=10, types=["escrow.released"])
        subject = await events.page(session, after=None, limit=10, subject="two")
        first = await events.page(session, after=None, limit=2)
        rest = await events.page(session, after=Position(first[-1].written_in, first[-1].id), limit=2)
    assert [row.subject for row in org] == ["one", "three"]
    assert [row.subject for row in types] == ["three"]
    assert [row.subject for row in subject] == ["two"]
    assert first + rest == whole


async def test_page_of_a_rare_type_ends_and_goes_on(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "SCAN_LIMITS", (3,))
    await write(database, *(fact("one") for _ in range(4)), fact("rare", kind="escrow.released"))
    await past_others(database)
    found, position, pages = list[str](), None, 0
    wanted = ListFilter(equal={"type": "escrow.released"}, limit=2)
    async with database.platform() as session:
        while True:
            page = await events.listed(session, wanted, after=position)
            found, pages = [*found, *(row.subject for row in page.rows)], pages + 1
            if page.following is None:
                break
            position = await events.position_of(session, page.following[0])
    assert (found, pages) == (["rare"], 2)


async def test_range_starts_late_without_losing_events(
    database: Database, fresh_database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some transactions had their number long before they wrote, and some events are later than their ids."""
    step, kept = timedelta(minutes=10), list[tuple[int, str, datetime]]()
    for number in range(60):
        begun, kind = START + number * step, number % 5
        made = begun + (timedelta(minutes=50) if kind == 1 else timedelta())
        at = made + {2: timedelta(minutes=50), 3: -timedelta(days=1)}.get(kind, timedelta())
        unix_ms = int(made.timestamp() * 1000)
        kept.append((number + 1, make_id("evt", unix_ms=unix_ms, entropy=bytes([number] * 10)), at))
    owner = Database(fresh_database_urls.tenant, fresh_database_urls.owner)
    async with owner.platform() as session:
        for written_in, id, at in kept:
            row = EventRow(id=id, type="escrow.funded", subject=id, subject_seq=1, at=at, data={})
            row.org_id, row.written_in = f"org_{written_in % 2}", written_in
            session.add(row)
    await owner.close()
    monkeypatch.setattr(listing, "SCAN_LIMITS", (12,))
    for number in range(60):
        since = START + number * step
        async with database.tenant("org_1") as session:
            page = await events.listed(session, ListFilter(since=since, limit=3), after=None)
        expected = [id for written_in, id, at in sorted(kept) if written_in % 2 and at >= since]
        assert [row.id for row in page.rows] == expected[:3]


FILL = """
    INSERT INTO events (id, type, org_id, subject, subject_seq, at, data, written_in)
    SELECT type_id('evt', uuidv7(at - clock_timestamp())), 'escrow.funded', org_id, org_id || i / 8, i % 8, at, '{}',
        i / 200
    FROM generate_series($1::int, $2::int) i, unnest(ARRAY['org_1', 'org_2']) org_id,
        LATERAL (SELECT $3::timestamptz + make_interval(mins => i) AS at) moment
"""
START = datetime(2026, 1, 1, tzinfo=UTC)
#: What a deeper index and fuller last blocks add.
SLACK = 30


@pytest.mark.slow
async def test_page_cost_does_not_grow_with_history(
    database: Database, fresh_database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pages of an organization: all events, a common type, a rare type, and one subject."""
    everywhere, rare, nowhere = "escrow.funded", "escrow.released", "escrow.split"
    equal: dict[str, dict[str, object]] = {
        "all": {},
        "everywhere": {"type": everywhere},
        "rare": {"type": rare},
        "nowhere": {"type": nowhere},
        "subject": {"subject": "one"},
        "of a subject": {"type": everywhere, "subject": "one"},
    }
    filters = {name: ListFilter(org_id="org_1", equal=given) for name, given in equal.items()}
    filters["of no time"] = ListFilter(org_id="org_1", since=datetime(2100, 1, 1, tzinfo=UTC))
    monkeypatch.setattr(listing, "SCAN_LIMITS", (SMALL // 4,))
    await write(database, fact("one"), fact("one", kind=rare))
    await past_others(database)
    owner = await asyncpg.connect(fresh_database_urls.owner)
    costs: dict[str, list[int]] = defaultdict(list)
    for first, last in ((1, SMALL), (SMALL + 1, LARGE)):
        await owner.execute(FILL, first, last, START)
        await owner.execute("VACUUM ANALYZE events")
        filters["late"] = ListFilter(org_id="org_1", since=START + timedelta(minutes=last - 9))
        async with database.tenant("org_1") as session:
            late = await events.listed(session, filters["late"], after=None)
        assert len([row for row in late.rows if row.at <= START + timedelta(minutes=last)]) == 10
        for after in (None, Position(2, "")):
            for name, wanted in filters.items():
                read = partial(events.listed, wanted=wanted, after=after)
                costs[f"{name} after {after}"].append(await blocks_read(database, "org_1", read))
        webhook: dict[str, Any] = {"after": None, "limit": 1, "org_id": "org_1", "types": [nowhere, "payout.paid"]}
        costs["of a webhook"].append(await blocks_read(database, None, partial(events.page, **webhook)))
    await owner.close()
    assert {name: cost for name, cost in costs.items() if cost[1] > cost[0] + SLACK} == {}


async def test_tenant_reads_and_writes_only_its_own_events(database: Database) -> None:
    await write(database, fact("mine", "org_1"), fact("theirs", "org_2"))
    await past_others(database)
    async with database.tenant("org_1") as session:
        assert [row.subject for row in await events.page(session, after=None, limit=10)] == ["mine"]
        await events.record(session, [fact("own", "org_1")])
    with pytest.raises(DBAPIError, match="row-level security"):
        async with database.tenant("org_1") as session:
            await events.record(session, [fact("forged", "org_2")])


@pytest.mark.parametrize("statement", ["UPDATE events SET type = 'x'", "DELETE FROM events", "TRUNCATE events"])
async def test_event_never_changes(database: Database, statement: str) -> None:
    await write(database, fact("one"))
    with pytest.raises(DBAPIError) as refusal:
        async with database.platform() as session:
            await session.execute(text(statement))
    assert isinstance(refusal.value.orig.__cause__ if refusal.value.orig else None, PostgresError)


@for_each(
    "event, why",
    [
        (Event("escrow.nothing", "org_1", "one", DATA), "no type"),
        (Event("escrow.funded", "org_1", "one", {**DATA, "note": "x"}), "note"),
        (Event("escrow.funded", "org_1", "one", {}), "amount"),
        (Event("escrow.funded", "org_1", "one", {**DATA, "status": "x" * 20_000}), "bytes"),
    ],
)
@for_each("as_part", [False, True])
async def test_uncatalogued_event_is_refused(database: Database, event: Event, why: str, *, as_part: bool) -> None:
    with pytest.raises(UnknownEvent, match=why):
        await write(database, event, as_part=as_part)


@pytest.mark.parametrize("as_part", [False, True])
async def test_event_has_the_external_id_that_its_organization_gave(database: Database, *, as_part: bool) -> None:
    async with database.platform() as session:
        for statement in (
            "INSERT INTO organizations (id, name, created_by, command_id) VALUES ('org_1', 'x', 'x', 'x')",
            "INSERT INTO object_metadata (object_id, org_id, external_id, command_id) "
            "VALUES ('one', 'org_1', 'x', 'x')",
        ):
            await session.execute(text(statement))
    told = {**DATA, "external_id": None}
    facts = [
        Event("escrow.funded", org_id, "one", data)
        for org_id, data in (("org_1", told), ("org_2", told), ("org_1", DATA))
    ]
    await write(database, *facts, as_part=as_part)
    await past_others(database)
    async with database.platform() as session:
        rows = await events.page(session, after=None, limit=10)
    assert [row.data for row in rows] == [{**told, "external_id": "x"}, told, DATA]
