"""Summaries of what was spent: days that are added up say the same as their spends, whatever becomes of these."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from api.deps import Deps
from domain.common.ids import uuid_of
from ledger.spending import Spending
from ledger.spends import NewSpend
from repositories.credits import spend_day, spend_id_range
from repositories.credits.spend_day import roll_up
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from tests.api.conftest import Caller, Tenant, good, new_key
from tests.api.spending import grant, reserve, use
from tests.conftest import DatabaseUrls
from tests.support.cases import for_each
from tests.support.connections import connected, undone
from tests.support.proving import prove
from tests.support.rows import rows_of
from tests.support.seeds import RUN_SEED

pytestmark = pytest.mark.db

_SPENDS = """
SELECT {group} AS name, sum(captured - refunded) AS used, sum(amount - captured - released) AS held,
    sum(quantity) AS quantity, count(*) AS spends
FROM ledger.spends WHERE org_id = :org AND at >= :since AND at < :until GROUP BY 1
"""
NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
#: How many rows this connection has read since its counts were sent.
_READ = "SELECT sum(coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
GROUPS = {
    "by_action": "action",
    "by_agent": "agent_id",
    "by_model": "metadata ->> 'model'",
    "by_day": "((at AT TIME ZONE 'UTC')::date)::text",
}


@pytest.fixture(autouse=True, scope="module")
async def proven(database_urls: DatabaseUrls) -> AsyncIterator[None]:
    yield
    await prove(database_urls, spend_day.INVARIANTS, spend_id_range.INVARIANTS)


@pytest.fixture
async def spender(new_tenant: Any, operator: Caller) -> Tenant:
    tenant: Tenant = await new_tenant("member", "agent")
    await grant(operator, tenant.org_id, "1000")
    return tenant


async def add_up(database: Database, *, days: int = 0) -> int:
    """Add up all days from so many ago on, today too, and return how many were missing."""
    async with database.platform() as session:
        day = this_day()
        return await roll_up(session, since=day - timedelta(days=days), until=day + timedelta(days=1), limit=1000)


async def add_up_past(database: Database, since: date, limit: int) -> None:
    async with database.platform() as session:
        await roll_up(session, since=since, until=this_day(), limit=limit)


async def agreed(spender: Tenant, database: Database, since: datetime, until: datetime) -> dict[str, Any]:
    """Return the summary of a term, when it says the same as the spends."""
    term = {"from": since.isoformat(), "to": until.isoformat()}
    shown: dict[str, Any] = good(await spender.member.get("/credits/usage/summary", params=term))
    for name, group in GROUPS.items():
        async with database.platform() as session:
            query = text(_SPENDS.format(group=group))
            rows = await session.execute(query, {"org": spender.org_id, "since": since, "until": until})
            spends = {row.name: (row.used, row.held, row.quantity, row.spends) for row in rows}
        found = {
            each["key"]: (minor(each["amount"]), minor(each["held"]), each["quantity"], each["count"])
            for each in shown[name]
        }
        assert found == spends, name
    # The same over time, of days whose sums PostgreSQL writes.
    is_by_quarters = all(at.minute % 15 == at.second == at.microsecond == 0 for at in (since, until))
    for place, metric in ((0, "spending"), (3, "spends")) if is_by_quarters else ():
        series = good(await spender.member.get("/series", params={"metric": metric, **term}))
        [group] = series["series"]
        values = {at[:10]: Decimal(value) for at, value in zip(series["times"], group["values"], strict=True)}
        scale = 1 if place else 1_000_000
        assert {day: value * scale for day, value in values.items() if value} == {
            day: sums[place] for day, sums in spends.items() if sums[place]
        }
    return shown


def minor(amount: str) -> int:
    return int(Decimal(amount) * 1_000_000)


def this_day() -> date:
    """Return the day as a test begins with it: a run of all tests may pass midnight."""
    return datetime.now(UTC).date()


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


async def test_days_say_what_their_spends_say_whatever_becomes_of_these(
    spender: Tenant, operator: Caller, database: Database
) -> None:
    today, tomorrow = midnight(this_day()), midnight(this_day() + timedelta(days=1))
    used = await use(spender.member, action="api_call", quantity=5, metadata={"model": "m"})
    await use(spender.agent, amount="2.5", action="search")
    kept, ended = await reserve(spender.member, "10"), await reserve(spender.agent, "20")
    await agreed(spender, database, today, tomorrow)
    assert await add_up(database) >= 1
    await agreed(spender, database, today, tomorrow)
    # What was open is captured, what had ended is refunded, and what was part of it is released.
    capture = f"/credits/reservations/{ended['id']}/capture"
    good(await spender.agent.post(capture, {"amount": "4", "final_capture": False}, key=new_key()))
    good(await spender.member.post("/credits/release", {"reservation_id": kept["id"]}, key=new_key()))
    async with database.platform() as session:
        spending = Spending(await driver_connection(session), spender.org_id)
        await spending.refund(key=new_key(), spend_id=uuid_of(used["id"]), amount_minor=1_000_000, at=datetime.now(UTC))
        await spending.refund(
            key=new_key(), spend_id=uuid_of(ended["id"]), amount_minor=3_000_000, at=datetime.now(UTC)
        )
    shown = await agreed(spender, database, today, tomorrow)
    assert (shown["total"]["amount"], shown["total"]["held"]) == ("7.50", "16.00")
    # Added up again only once there are other spends.
    assert await add_up(database) == 0
    await use(spender.member, action="api_call")
    await agreed(spender, database, today, tomorrow)
    assert await add_up(database) == 1
    await agreed(spender, database, today, tomorrow)


async def test_day_that_is_added_up_is_not_read_spend_by_spend(
    spender: Tenant, database: Database, database_urls: DatabaseUrls
) -> None:
    await use(spender.member, amount="3")
    await add_up(database)
    owner = await asyncpg.connect(database_urls.owner)
    term = {"from": midnight(this_day()).isoformat(), "to": midnight(this_day() + timedelta(days=1)).isoformat()}
    change = "UPDATE spend_days SET captured = captured + $2 WHERE org_id = $1"
    try:
        await owner.execute(change, spender.org_id, 1_000_000)
        shown = good(await spender.member.get("/credits/usage/summary", params=term))
        assert shown["total"]["amount"] == "4.00"
        # A part of a day is read from its spends.
        part = {**term, "from": (midnight(this_day()) + timedelta(microseconds=1)).isoformat()}
        assert good(await spender.member.get("/credits/usage/summary", params=part))["total"]["amount"] == "3.00"
    finally:
        await owner.execute(change, spender.org_id, -1_000_000)
        await owner.close()


async def test_spend_of_an_earlier_day_that_is_booked_late_counts_on_its_day(
    spender: Tenant, database: Database
) -> None:
    async with database.platform() as session:
        spending = Spending(await driver_connection(session), spender.org_id)
        for days_ago in (1, 3, 3):
            at = midnight(this_day() - timedelta(days=days_ago)) + timedelta(hours=5)
            await spending.charge(NewSpend(key=new_key(), action="late", amount_minor=1_000_000), at=at)
    since, until = midnight(this_day() - timedelta(days=4)), midnight(this_day() + timedelta(days=1))
    await agreed(spender, database, since, until)
    await add_up(database, days=5)
    shown = await agreed(spender, database, since, until)
    assert [(each["key"], each["count"]) for each in shown["by_day"]] == [
        (str(this_day() - timedelta(days=3)), 2),
        (str(this_day() - timedelta(days=1)), 1),
    ]
    # A list finds them by their time, although their numbers are of today.
    yesterday = midnight(this_day() - timedelta(days=1))
    for term, expected in (({"to": yesterday.isoformat()}, 2), ({"action": "late"}, 3)):
        assert len(good(await spender.member.get("/credits/usage", params=term))["data"]) == expected
    # The first and the last day in part.
    await agreed(spender, database, midnight(this_day() - timedelta(days=3)) + timedelta(hours=6), until)
    await agreed(spender, database, since, midnight(this_day() - timedelta(days=1)) + timedelta(hours=1))


async def test_days_say_what_their_spends_say_however_they_are_drawn(
    spender: Tenant, database: Database, deps: Deps
) -> None:
    random, first = Random(RUN_SEED), this_day() - timedelta(days=12)
    drawn = [first + timedelta(days=random.randrange(12)) for _ in range(40)]
    async with database.platform() as session:
        spending, made = Spending(await driver_connection(session), spender.org_id), list[tuple[Any, int]]()
        for day in sorted(drawn):
            amount, at = random.randint(1, 5_000_000), midnight(day) + timedelta(seconds=random.randrange(86_400))
            spend = NewSpend(key=new_key(), action=random.choice("ab"), amount_minor=amount)
            made.append(((await spending.charge(spend, at=at)).spend_id, amount))
    until = midnight(this_day())
    for turn in range(3):
        async with database.platform() as session:
            spending = Spending(await driver_connection(session), spender.org_id)
            for spend_id, amount in random.sample(made, 5):
                refunded = random.randint(1, amount // 3 + 1)
                await spending.refund(key=new_key(), spend_id=spend_id, amount_minor=refunded, at=datetime.now(UTC))
        # All of them at last, and some before: those that are not are found by their times alone.
        await add_up_past(database, first, 1_000 if turn == 2 else random.randint(1, 4))
        await agreed(spender, database, midnight(first), until)
    sums = await deps.pool.read(lambda pool: spend_day.by_day(pool, spender.org_id, first, until))
    assert sums is not None
    assert sum(map(int, sums[1])) == len(drawn)


async def test_series_reads_as_many_rows_with_a_longer_history(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    """A series reads the days of its period, and the spends of the day that is not added up."""
    org_id, first = new_id("org"), 3

    async def read() -> tuple[list[str], int]:
        async with fresh_database.tenant(org_id) as session:
            connection = await driver_connection(session)
            # As where the tables are large.
            await connection.execute("SET LOCAL enable_seqscan = off")
            before = await connection.fetchval(_READ)
            query = "SELECT spends FROM spend_series($1, $2, $3)"
            spends = await connection.fetchval(query, org_id, this_day() - timedelta(days=first), midnight(this_day()))
            return spends, int(await connection.fetchval(_READ) - before)

    numbers = []
    async with rows_of(fresh_database_urls) as rows:
        for days in (range(1, first + 1), range(first + 1, 40)):
            for ago in days:
                day = this_day() - timedelta(days=ago)
                for second in range(4):
                    at = midnight(day) + timedelta(hours=12, seconds=second)
                    await rows.add("ledger.spends", org_id=org_id, id=spend_id_range.first_id(at), at=at,
                                   status="charged", asset="CREDIT", amount=1, captured=1,
                                   idempotency_key=str(at))  # fmt: skip
                await rows.add("ledger.credit_days", org_id=org_id, day=day, used=4, spends=4)
            async with fresh_database.platform() as session:
                await roll_up(
                    session, since=this_day() - timedelta(days=40), until=this_day() - timedelta(days=1), limit=1_000
                )
            spends, number = await read()
            assert spends == ["4"] * first
            numbers.append(number)
    assert numbers[0] == numbers[1] > first


@for_each("table, at", [("ledger.spends", NOW), ("ledger.spend_changes", NOW - timedelta(days=1))])
async def test_series_leaves_what_costs_much_to_a_question_that_takes_a_turn(
    fresh_database: Database, fresh_database_urls: DatabaseUrls, table: str, at: datetime
) -> None:
    org_id = new_id("org")
    more = f"""
        INSERT INTO {table} SELECT (jsonb_populate_record(t, jsonb_build_object(
            'id', made.id, 'idempotency_key', t.org_id || n, 'transfer_id', gen_random_uuid()))).*
        FROM {table} t, generate_series($2::int, $3::int) n,
            LATERAL (SELECT overlay(t.id::text PLACING lpad(to_hex(n), 8, '0') FROM 29)::uuid AS id) made
        WHERE t.org_id = $1 AND t.idempotency_key = t.org_id
    """
    first = spend_id_range.first_id(at)
    async with rows_of(fresh_database_urls) as rows:
        await rows.add("ledger.spends", org_id=org_id, id=first, at=at, status="charged", asset="CREDIT", amount=1,
                       captured=1, idempotency_key=org_id)  # fmt: skip
        await rows.add("ledger.credit_days", org_id=org_id, day=at.date(), used=1, spends=1)
        await rows.add("ledger.spend_changes", org_id=org_id, id=first, spend_id=first, at=at, kind="refund", amount=1,
                       transfer_id=first, status="charged", idempotency_key=org_id)  # fmt: skip
        for since, until in ((2, 10_000), (10_001, 10_001)):
            await rows.change(more, org_id, since, until)
            if table == "ledger.spends":
                await rows.change("UPDATE ledger.credit_days SET spends = $2 WHERE org_id = $1", org_id, until)
            async with fresh_database.tenant(org_id) as session:
                connection = await driver_connection(session)
                query = "SELECT spends FROM spend_series($1, $2, $3)"
                spends = await connection.fetchval(query, org_id, at.date(), at + timedelta(hours=1))
            assert spends == (None if until > 10_000 else [str(10_000 if table == "ledger.spends" else 1)])


async def test_days_of_others_are_not_seen(spender: Tenant, stranger: Tenant, database: Database) -> None:
    await use(spender.member, amount="3")
    await add_up(database)
    count = text("SELECT count(*) FROM spend_days WHERE org_id = :org")
    for org_id, seen in ((spender.org_id, 1), (stranger.org_id, 0)):
        async with database.tenant(org_id) as session:
            assert (await session.scalars(count, {"org": spender.org_id})).one() == seen


async def test_place_that_leaves_a_spend_out_is_named(
    spender: Tenant, database: Database, database_urls: DatabaseUrls
) -> None:
    await use(spender.member, amount="3", action="search")
    await use(spender.member, amount="3", action="search")
    await add_up(database)
    [rule] = spend_id_range.INVARIANTS
    async with connected(database_urls.owner) as owner, undone(owner):
        await owner.execute(
            "UPDATE spend_places SET first_id = last_id WHERE org_id = $1 AND kind = 'action'", spender.org_id
        )
        [row] = await owner.fetch(rule.violations)
        assert f"{spender.org_id} {this_day()} action search" in row[0]
