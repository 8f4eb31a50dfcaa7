"""Metrics of the outbox: equal before, during and after summation, in every time zone, and with the tenant's role."""

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

import asyncpg
import pytest
from sqlalchemy import text

from domain.common.money import SCALES, format_amount
from domain.insight.query import Compare, Grain, Query, QueryResult
from domain.messages.events import Event
from domain.messages.events.catalogue import CATALOGUE
from repositories.insight import engagement, event_measures
from repositories.messages import event as events
from runtime.database import Database
from services.insight.metrics import run_query
from tests.conftest import DatabaseUrls
from tests.support.cases import for_each
from tests.support.outbox import past_others
from tests.support.plans import rows_read
from tests.support.proving import prove

pytestmark = pytest.mark.db

NOW = datetime(2026, 6, 1, tzinfo=UTC)
#: Each organization's subscription by its steps: status, interval, what recurs of it, and what it changes.
STEPS: tuple[tuple[str, str, str, dict[str, int]], ...] = (
    ("incomplete", "month", "20.00", {}),
    ("active", "month", "20.00", {"mrr.new": 2_000}),
    ("past_due", "month", "20.00", {}),
    ("active", "month", "30.00", {"mrr.expansion": 1_000}),
    ("active", "year", "300.00", {"mrr.contraction": 500}),
    # A discount that lasts, of a quarter of the year's price.
    ("active", "year", "225.00", {"mrr.contraction": 625}),
    ("ended", "year", "225.00", {"mrr.churn": 1_875}),
    ("active", "month", "20.00", {"mrr.new": 2_000}),
)


def fact(kind: str, org_id: str, subject: str, at: datetime, **data: Any) -> Event:
    return Event(kind, org_id, subject, {**CATALOGUE[kind].example, **data}, at)


def subscription(org_id: str, step: int) -> Event:
    status, interval, price, _ = STEPS[step]
    kind = f"subscription.{status}" if step == 0 or STEPS[step - 1][0] != status else "subscription.updated"
    data = {"status": status, "interval": interval, "price": "999.00", "currency": "USD", "plan": "team"}
    data["recurring_net"] = price
    return fact(kind, org_id, f"sub_{org_id}", NOW - timedelta(days=len(STEPS) - step, hours=-1), **data)


def subscription_at(org_id: str, at: datetime, price: str) -> Event:
    data = {"status": "active", "interval": "month", "recurring_net": price, "currency": "USD", "plan": "team"}
    return fact("subscription.active", org_id, f"sub_{org_id}", at, **data)


def escrow(kind: str, at: datetime, agent: str = "agt_1") -> list[Event]:
    """Return the events of an escrow for the payer and the payee."""
    roles = {"org_payer": "payer", "org_payee": "payee"}
    return [fact(f"escrow.{kind}", org, f"esc_{agent}", at, role=role, agent_id=agent) for org, role in roles.items()]


async def write(database: Database, *facts: Event) -> None:
    for each in facts:
        async with database.platform() as session:
            await events.record(session, [each])


async def add_up(database: Database, limit: int = 2) -> int:
    await past_others(database)
    done = 0
    while True:
        async with database.platform() as session:
            count = await event_measures.add_up(session, limit)
        done += count
        if count < limit:
            return done


async def asked(database: Database, org_id: str | None, *metrics: str, **more: Any) -> QueryResult:
    question = Query(metrics=metrics, since=NOW - timedelta(days=30), until=NOW)
    async with database.repeatable_read(org_id) as session:
        return await run_query(session, replace(question, **more), org_id=org_id, now=more.get("until", NOW))


def totals(answer: QueryResult) -> dict[str, object]:
    return {figure.metric: figure.value for figure in answer.totals}


async def test_recurring_revenue_follows_each_change_of_a_subscription(
    database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    moves = ("mrr.new", "mrr.expansion", "mrr.contraction", "mrr.churn")
    expected = dict.fromkeys(moves, 0)
    for step, (_, _, _, moved) in enumerate(STEPS):
        await write(database, subscription("org_a", step), subscription("org_b", step))
        for name, value in moved.items():
            expected[name] += value
        if step % 3 == 1:
            await add_up(database)
        standing = expected["mrr.new"] + expected["mrr.expansion"] - expected["mrr.contraction"] - expected["mrr.churn"]
        assert totals(await asked(database, "org_a", "mrr", *moves)) == {"mrr": standing, **expected}
        both = {name: 2 * value for name, value in expected.items()}
        assert totals(await asked(database, None, "mrr", *moves)) == {"mrr": 2 * standing, **both}
    by_day = await asked(database, "org_a", "mrr", grain=Grain.DAY, since=NOW - timedelta(days=9))
    assert [row.figures[0].value for row in by_day.rows] == [0, 0, 2_000, 2_000, 3_000, 2_500, 1_875, 0, 2_000]
    await add_up(database)
    await prove(fresh_database_urls, event_measures.INVARIANTS)


async def test_recurring_revenue_moves_with_the_plan_and_leaves_nothing_behind(database: Database) -> None:
    at, expected = NOW - timedelta(days=9), {"basic": 1_000, "pro": 0}
    for step, (kind, plan, price) in enumerate(
        (
            ("active", "basic", "10.00"),
            ("updated", "pro", "30.00"),
            ("updated", "max", "30.00"),
            ("ended", "max", "30.00"),
        )
    ):
        data = {"status": "ended" if kind == "ended" else "active", "interval": "month", "plan": plan}
        data["recurring_net"] = price
        moment = at + timedelta(days=step)
        await write(database, fact(f"subscription.{kind}", "org_a", "sub_1", moment, currency="USD", **data))
        expected = {} if kind == "ended" else {plan: int(price.replace(".", ""))}
        answer = await asked(database, "org_a", "mrr", by=("plan",))
        standing = {row.group["plan"]: row.figures[0].value for row in answer.rows if row.figures[0].value}
        assert standing == expected
        assert totals(answer) == {"mrr": sum(expected.values())}


async def test_an_organization_adopts_a_feature_once(database: Database) -> None:
    at = NOW - timedelta(days=2)
    for number, org_id in enumerate(("org_a", "org_b")):
        await write(database, fact("payout.paid", org_id, f"po_{number}", at), *escrow("opened", at, f"agt_{number}"))
    assert totals(await asked(database, None, "active.organizations")) == {"active.organizations": 4}
    by = await asked(database, None, "adoption", by=("feature",))
    assert {row.group["feature"]: row.figures[0].value for row in by.rows} == {
        "payout": Fraction(1, 2),
        "escrow": Fraction(1, 2),
    }
    assert totals(by) == totals(await asked(database, None, "adoption")) == {"adoption": 1}
    both = {"feature": ("payout", "escrow")}
    assert totals(await asked(database, None, "adoption", where=both)) == {"adoption": 1}


async def test_current_value_is_compared_with_the_value_at_the_same_time(database: Database) -> None:
    """In a running month by day, with later rows outside both months."""
    now = datetime(2026, 5, 20, 13, 10, tzinfo=UTC)
    await write(database, subscription_at("org_a", datetime(2026, 3, 1, tzinfo=UTC), "10.00"))
    question = Query(
        metrics=("mrr",),
        since=datetime(2026, 5, 1, tzinfo=UTC),
        until=datetime(2026, 6, 1, tzinfo=UTC),
        grain=Grain.DAY,
        compare=Compare.PREVIOUS,
    )
    async with database.repeatable_read("org_a") as session:
        answer = await run_query(session, question, org_id="org_a", now=now)
    (whole,) = answer.totals
    assert (whole.value, whole.before) == (1_000, 1_000)
    assert [(row.figures[0].value, row.figures[0].before) for row in answer.rows] == [(1_000, 1_000)] * 20


async def test_escrow_counts_for_both_sides_and_once_in_total(database: Database) -> None:
    funded = NOW - timedelta(days=3)
    await write(database, *escrow("opened", funded - timedelta(hours=2)), *escrow("funded", funded))
    await add_up(database)
    await write(database, *escrow("disputed", funded + timedelta(hours=1)))
    await write(database, *escrow("released", funded + timedelta(hours=6)))
    names = ("escrows.opened", "escrows.released", "escrows.disputed", "escrows.cycle_time", "escrows.dispute_rate")
    expected = dict(zip(names, (1, 1, 1, 6 * 3600, 1), strict=True))
    for whose in ("org_payer", "org_payee", None):
        assert totals(await asked(database, whose, *names)) == expected
    by_role = await asked(database, None, "escrows.opened", by=("role",))
    assert {row.group["role"]: row.figures[0].value for row in by_role.rows} == {"payer": 1, "payee": 1}
    assert totals(await asked(database, "org_other", *names))["escrows.opened"] == 0


async def test_group_present_only_before_has_an_empty_current_row(database: Database) -> None:
    for days, agent in ((40, "agt_before"), (3, "agt_now")):
        await write(database, *escrow("opened", NOW - timedelta(days=days), agent))
    for grain in (None, Grain.MONTH):
        answer = await asked(
            database, "org_payer", "escrows.opened", by=("agent",), compare=Compare.PREVIOUS, grain=grain
        )
        rows = {(row.group["agent"], row.figures[0].value, row.figures[0].before) for row in answer.rows}
        assert {("agt_before", 0, 1), ("agt_now", 1, 0)} <= rows
        (whole,) = answer.totals
        assert (whole.value, whole.before) == (1, sum(row.figures[0].before or 0 for row in answer.rows)) == (1, 1)


async def test_late_commit_is_in_every_answer_and_counted_once(
    database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    at = NOW - timedelta(days=2)
    async with database.platform() as late:
        await events.record(late, [fact("payout.paid", "org_a", "ctl_late", at)])
        await write(database, fact("payout.paid", "org_a", "ctl_early", at))
        async with database.platform() as session:
            assert await event_measures.add_up(session, 10) == 0
        assert totals(await asked(database, None, "active.organizations")) == {"active.organizations": 1}
    assert await add_up(database) == 2
    assert await add_up(database) == 0
    async with database.platform() as session:
        kept = await session.scalar(
            text("SELECT sum(value) FROM metric_sums WHERE measure = 'events' AND seconds = 900")
        )
    assert kept == 2
    await prove(fresh_database_urls, event_measures.INVARIANTS)


async def test_days_follow_the_time_zone(database: Database) -> None:
    """Across a clock change, an hour apart, with half of them summed already."""
    begins = datetime(2026, 3, 7, tzinfo=UTC)
    moments = [begins + timedelta(hours=hours, minutes=15 * (hours % 4)) for hours in range(0, 600, 5)]
    opened = [fact("escrow.opened", "org_a", f"esc_{number}", at, role="payer") for number, at in enumerate(moments)]
    half = len(opened) // 2
    async with database.platform() as session:
        await events.record(session, opened[:half])
    await add_up(database, limit=500)
    async with database.platform() as session:
        await events.record(session, opened[half:])
    for zone in ("UTC", "Europe/Berlin", "Asia/Kathmandu", "America/Los_Angeles"):
        since, until = datetime(2026, 3, 8, 12, tzinfo=UTC), datetime(2026, 3, 30, tzinfo=UTC)
        answer = await asked(database, "org_a", "escrows.opened", grain=Grain.DAY, zone=zone, since=since, until=until)
        async with database.platform() as session:
            counted = await session.execute(
                text(
                    "SELECT (at AT TIME ZONE :zone)::date AS day, count(*) FROM events"
                    " WHERE at >= :since AND at < :until GROUP BY 1 ORDER BY 1"
                ),
                {"zone": zone, "since": since, "until": until},
            )
            days = [count for _, count in counted]
        assert [row.figures[0].value for row in answer.rows if row.figures[0].value] == days, zone


async def test_people_are_active_on_the_days_of_the_audit_log(
    database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    owner = await asyncpg.connect(fresh_database_urls.owner)
    acts = [
        ("org_a", "ann@a", "owner", 20),
        ("org_a", "ann@a", "owner", 20),
        ("org_a", "ben@a", "member", 20),
        ("org_a", "bot", "agent", 20),
        ("org_b", "cid@b", "owner", 3),
        ("org_a", "ann@a", "owner", 0),
    ]
    for org, principal, role, days in acts:
        await owner.execute(
            "INSERT INTO audit_log (at, org_id, actor_org_id, principal, role, action, target, details)"
            " VALUES ($1, $2, $2, $3, $4, 'x', 'y', '{}')",
            NOW - timedelta(days=days, hours=2),
            org,
            principal,
            role,
        )
    await owner.close()
    for _ in range(2):
        answer = await asked(database, None, "active.people", "active.organizations", grain=Grain.DAY)
        by_day = {row.at: [figure.value for figure in row.figures] for row in answer.rows}
        assert by_day[NOW - timedelta(days=21)] == [2, 1]
        assert by_day[NOW - timedelta(days=1)] == [1, 1]
        assert totals(answer) == {"active.people": 3, "active.organizations": 2}
        assert totals(await asked(database, "org_a", "active.people")) == {"active.people": 2}
        async with database.platform() as session:
            await engagement.note_people(session, NOW)
    async with database.platform() as session:
        assert await session.scalar(text("SELECT people_before FROM metric_place")) == date(2026, 5, 31)
    await prove(fresh_database_urls, engagement.INVARIANTS)


async def test_rows_read_do_not_grow_with_history(database: Database) -> None:
    async def history(days: int) -> None:
        facts = [
            fact("escrow.opened", "org_a", f"esc_{days}_{number}", NOW - timedelta(days=40 + number), role="payer")
            for number in range(days)
        ]
        async with database.platform() as session:
            await events.record(session, facts)
        await add_up(database, limit=5_000)

    async def reading(session: Any) -> None:
        question = Query(
            metrics=("escrows.opened",), since=NOW - timedelta(days=30), until=NOW, grain=Grain.DAY, by=("agent",)
        )
        await run_query(session, question, org_id="org_a", now=NOW)

    read = []
    for days in (200, 1_600):
        await history(days)
        read.append(await rows_read(database, "org_a", reading))
    assert read[1] <= read[0] + 50, read


@for_each("asset", SCALES)
async def test_amounts_of_events_are_read_as_they_are_written(db: Database, asset: str) -> None:
    read_back = text("SELECT metric_minor(CAST(:data AS jsonb), 'amount')")
    for minor in (1, 10, 123_456_789_012, 10**15):
        data = json.dumps({"currency": asset, "amount": format_amount(minor, asset)})
        async with db.platform() as session:
            assert await session.scalar(read_back, {"data": data}) == minor
