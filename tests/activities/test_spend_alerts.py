"""Spending alerts are raised once per window for the organization; a missing rate alerts operators."""

from datetime import timedelta
from functools import partial

import asyncpg
import pytest
from sqlalchemy import select

from domain.common.access import Actor, Role
from domain.common.calendar import Window, window_end, zone_of
from domain.common.ids import uuid_of
from domain.credits.spend.control import ControlStatus, Limit, LimitTerms
from domain.messages.alert.rules import BUDGET_80_PERCENT, BUILT_IN
from ledger.spending import Spending
from ledger.spends import SpendOutcome
from models.credits.spend import Spend as SpendRow
from models.messages.event import EventRow
from repositories.common import listing
from repositories.credits import spend_alert
from repositories.messages import alert as alerts
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.credits import spend_control
from services.messages.alert_rule import RuleRequest, change_built_in
from tests.conftest import DatabaseUrls
from tests.support.plans import rows_read
from tests.support.spend_world import CREDIT, NOW, World

pytestmark = pytest.mark.db


@pytest.fixture
async def world(db: Database) -> World:
    return await World(db).begin()


async def test_each_threshold_is_raised_once_in_a_window_and_of_several_the_highest(world: World) -> None:
    control = await world.limit(Limit(window=Window.LIFETIME, amount_minor=100 * CREDIT))
    await world.spend(49)
    assert await world.raised() == []
    await world.spend(1)
    assert await world.raised() == [("spend.threshold", control)]
    await world.spend(50)
    assert await world.raised() == [("spend.threshold", control)] * 2
    half, whole = await world.rows()
    assert half.detail.startswith("50% of the lifetime limit of run")
    assert whole.detail.startswith("100% of the lifetime limit of run")
    assert await world.mails() == []


async def test_the_next_window_raises_again_and_uses_count_like_amounts(world: World) -> None:
    control = await world.limit(Limit(window=Window.MONTH, uses=4, hard=False), thresholds_e4=(7_500,))
    end = window_end(Window.MONTH, NOW, zone_of("UTC"), 1)
    late, next_month = end - timedelta(days=1), end + timedelta(days=20)
    for at in (late, next_month):
        for _ in range(3):
            await world.spend(1, at)
        await world.raised(at)
    assert await world.raised(next_month) == [("spend.threshold", control)] * 2
    assert await world.mails() == []


async def test_threshold_reached_at_the_end_of_a_window_is_raised_after_it(world: World) -> None:
    control = await world.limit(Limit(window=Window.DAY, amount_minor=10 * CREDIT), thresholds_e4=(10_000,))
    end = window_end(Window.DAY, NOW, zone_of("UTC"), 1)
    await world.spend(10, end - timedelta(seconds=1))
    assert await world.raised(end + timedelta(minutes=59)) == [("spend.threshold", control)]


async def test_a_control_that_is_being_changed_is_left_to_the_next_sweep(world: World, db: Database) -> None:
    control = await world.limit(Limit(window=Window.LIFETIME, amount_minor=100 * CREDIT))
    await world.spend(60)
    owner = Actor(principal="owner", role=Role.OWNER, org_id=world.org)
    async with db.platform() as session:
        order = spend_control.ControlCommand(actor=owner, org_id=world.org, command_id=new_id("cmd"), at=NOW)
        await spend_control.set_status(session, order, uuid_of(control), ControlStatus.FROZEN)
        assert await world.raised() == []
    assert await world.raised() == [("spend.threshold", control)]
    async with db.platform() as session:
        told = select(EventRow.type, EventRow.subject_seq).where(EventRow.subject == control)
        rows = {(type, number) for type, number in await session.execute(told)}
    assert rows == {("spend_control.frozen", 1), ("spend_limit.crossed", 2)}


async def test_half_of_a_limit_in_the_first_tenth_of_its_window_is_a_burst(world: World) -> None:
    control = await world.limit(Limit(window=Window.MONTH, amount_minor=100 * CREDIT), thresholds_e4=())
    begin = window_end(Window.MONTH, NOW, zone_of("UTC"), 1)
    await world.spend(50, begin)
    assert await world.raised(begin + timedelta(days=4)) == []
    assert await world.raised(begin + timedelta(days=2)) == [("spend.burst", control)]


async def test_a_refusal_is_raised_once_for_its_window_however_often_it_is_refused(world: World) -> None:
    control = await world.limit(Limit(window=Window.LIFETIME, amount_minor=0))
    for _ in range(3):
        assert await world.spend(1) is SpendOutcome.REFUSED
    assert await world.raised() == [("spend.refused", control)]
    (raised,) = await world.rows()
    assert raised.detail == (
        f"A spend of 1.00 CREDIT for run {world.run} was refused: it exceeds what is left of the lifetime limit."
    )


async def test_insufficient_credits_are_raised_once_a_day(db: Database) -> None:
    world = await World(db).begin(credits=10)
    assert await world.spend(11) is SpendOutcome.INSUFFICIENT
    assert await world.raised() == [("credits.exhausted", world.org)]
    assert await world.raised() == [("credits.exhausted", world.org)]
    (raised,) = await world.rows()
    assert raised.severity == "critical"


async def test_80_percent_of_a_limit_is_the_built_in_rule_and_no_threshold(world: World) -> None:
    end = window_end(Window.MONTH, NOW, zone_of("UTC"), 1)
    month = Limit(window=Window.MONTH, amount_minor=100 * CREDIT)
    control = await world.limit(month, thresholds_e4=(10_000,))
    late = end - timedelta(hours=1)
    await world.spend(80, late)
    assert await world.raised(late) == [("budget_80_percent", control)]
    assert await world.mails() == [{"control": control, "percent": "80"}]
    (raised,) = await world.rows()
    assert (raised.rule_id, raised.window, raised.status) == ("budget_80_percent", "month", "firing")
    await world.raised(end)
    (raised,) = await world.rows()
    assert (raised.status, raised.resolved_by) == ("resolved", "rule")


async def test_refund_resolves_the_alert_which_is_not_raised_again_in_the_window(world: World) -> None:
    control = await world.limit(Limit(window=Window.LIFETIME, amount_minor=100 * CREDIT))
    await world.spend(80)
    assert await world.raised() == [("budget_80_percent", control)]
    raised = LimitTerms(limits=(Limit(window=Window.LIFETIME, amount_minor=1_000 * CREDIT),)).columns()
    await world.change(control, raised)
    await world.raised()
    assert [row.status for row in await world.rows()] == ["resolved"]
    await world.spend(720)
    assert len(await world.raised()) == 1


async def test_alert_without_a_limit_in_its_key_does_not_block_others(world: World) -> None:
    control = await world.limit(Limit(window=Window.MONTH, amount_minor=100 * CREDIT))
    await world.spend(80)
    await world.raised()
    async with world.database.platform() as session:
        await alerts.raise_alert(
            session,
            kind="spend.threshold",
            subject=control,
            detail="x",
            org_id=world.org,
            shared=True,
            for_operators=False,
        )
    end = window_end(Window.MONTH, NOW, zone_of("UTC"), 1)
    await world.raised(end + timedelta(hours=2))
    # In the first days of a month the pace of 80 credits raises an alert of its own.
    kinds = {"budget_80_percent", "spend.threshold"}
    assert [row.status for row in await world.rows() if row.kind in kinds] == ["resolved", "firing"]


async def test_disabled_built_in_rule_keeps_requested_thresholds(world: World) -> None:
    control = await world.limit(Limit(window=Window.LIFETIME, amount_minor=100 * CREDIT))
    other = await World(world.database).begin()
    await other.limit(Limit(window=Window.LIFETIME, amount_minor=100 * CREDIT), thresholds_e4=())
    for each in (world, other):
        async with each.database.platform() as session:
            owner = Actor(principal="owner", role=Role.OWNER, org_id=each.org)
            off = RuleRequest(enabled=False)
            rule = BUILT_IN[BUDGET_80_PERCENT]
            await change_built_in(session, owner, each.org, rule, off, command_id=new_id("cmd"), now=NOW)
        await each.spend(80)
    assert await world.raised() == [("spend.threshold", control)]
    assert await other.raised() == []


async def test_a_rate_that_is_missing_is_for_operators_and_the_rest_is_not(world: World) -> None:
    await world.limit(Limit(window=Window.LIFETIME, amount_minor=1), asset="ZWG")
    await world.spend(1)
    assert await world.raised() == []
    async with world.database.platform() as session:
        seen = (await alerts.page(session, listing.ListFilter(limit=200), open_only=True)).rows
        of_org = (await alerts.page(session, listing.ListFilter(org_id=world.org, limit=200), open_only=True)).rows
    assert "ZWG" in {it.subject for it in seen if it.kind == "spend.no_rate"}
    assert not {"spend.refused", "spend.threshold"} & {it.kind for it in seen if it.org_id == world.org}
    assert not of_org


async def test_refusal_fires_until_its_window_ends_even_without_spends(world: World) -> None:
    await world.limit(Limit(window=Window.MONTH, amount_minor=10 * CREDIT))
    assert await world.spend(11) is SpendOutcome.REFUSED
    await world.raised()
    assert [(row.kind, row.status) for row in await world.rows()] == [("spend.refused", "firing")]
    end = window_end(Window.MONTH, NOW, zone_of("UTC"), 1)
    await world.raised(end - timedelta(seconds=1))
    assert [row.status for row in await world.rows()] == ["firing"]
    await world.raised(end)
    assert [row.status for row in await world.rows()] == ["resolved"]


async def test_refusal_without_a_window_fires_for_its_day(world: World) -> None:
    await world.limit(Limit(window=Window.MONTH, amount_minor=1_000 * CREDIT), per_spend_minor=5 * CREDIT)
    assert await world.spend(11) is SpendOutcome.REFUSED
    await world.raised()
    assert [row.status for row in await world.rows()] == ["firing"]
    await world.raised(NOW + timedelta(days=1))
    assert [row.status for row in await world.rows()] == ["resolved"]


async def refund(world: World) -> None:
    """Refund a credit of the only spend."""
    async with world.database.platform() as session:
        books = Spending(await driver_connection(session), world.org)
        [spend_id] = await session.scalars(select(SpendRow.id).where(SpendRow.org_id == world.org))
        await books.refund(key=new_id("key"), spend_id=spend_id, amount_minor=CREDIT, at=NOW)


#: Runs of before, each with a limit of a lifetime of which more than half is spent, and the alert that says so.
OLD_RUNS = """
    INSERT INTO ledger.controls SELECT (jsonb_populate_record(c, jsonb_build_object(
        'id', md5('c' || i)::uuid, 'subject_id', 'run_' || i, 'path', ARRAY[md5('c' || i)::uuid]))).*
    FROM ledger.controls c, generate_series($2::int, $3::int) i WHERE c.id = $1
"""
OLD_COUNTERS = """
    INSERT INTO ledger.counters OVERRIDING SYSTEM VALUE SELECT (jsonb_populate_record(n, jsonb_build_object(
        'id', 1000000 + i, 'control_id', md5('c' || i)::uuid))).*
    FROM ledger.counters n, generate_series($2::int, $3::int) i WHERE n.control_id = $1
"""
OLD_VERSIONS = """
    INSERT INTO ledger.control_versions SELECT (jsonb_populate_record(v, jsonb_build_object(
        'control_id', md5('c' || i)::uuid, 'command_id', 'old' || i, 'version', 2,
        'changed_at', v.changed_at - interval '1 day'))).*
    FROM ledger.control_versions v, generate_series($2::int, $3::int) i WHERE v.control_id = $1
"""
OLD_SPENDS = """
    INSERT INTO ledger.spends SELECT (jsonb_populate_record(s, jsonb_build_object(
        'id', uuidv7(interval '-1 day'), 'idempotency_key', 'old' || i, 'counted_in', ARRAY[1000000 + i]))).*
    FROM ledger.spends s, generate_series($2::int, $3::int) i
    WHERE s.idempotency_key NOT LIKE 'old%' AND $1::uuid <> s.id
"""
OLD_CHANGES = """
    INSERT INTO ledger.spend_changes SELECT (jsonb_populate_record(c, jsonb_build_object(
        'id', uuidv7(interval '-1 day'), 'idempotency_key', 'old' || i, 'spend_id', s.id))).*
    FROM ledger.spend_changes c, generate_series($2::int, $3::int) i
    JOIN ledger.spends s ON s.idempotency_key = 'old' || i
    WHERE c.idempotency_key NOT LIKE 'old%' AND $1::uuid <> c.id
"""
OLD_ALERTS = """
    INSERT INTO alerts (id, key, org_id, kind, subject, detail, shared, for_operators, notified_at)
    SELECT 'alr_' || i, 'spend.threshold:' || md5('c' || i)::uuid || ':lifetime:0:5000', a.org_id, a.kind,
        type_id('ctl', md5('c' || i)::uuid), a.detail, true, false, now()
    FROM alerts a, generate_series($2::int, $3::int) i WHERE a.subject = type_id('ctl', $1::uuid)
"""


@pytest.mark.slow
async def test_cost_of_the_sweep_does_not_depend_on_the_number_of_runs_with_a_limit(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    world = await World(fresh_database).begin()
    control = await world.limit(Limit(window=Window.LIFETIME, amount_minor=100 * CREDIT))
    await world.spend(51)
    assert await world.raised() == [("spend.threshold", control)]
    await refund(world)
    owner = await asyncpg.connect(fresh_database_urls.owner)
    await owner.execute("SET session_replication_role = replica")
    costs: dict[str, list[int]] = {"due": [], "over": []}
    for first, last in ((1, 2_000), (2_001, 20_000)):
        for statement in (OLD_RUNS, OLD_COUNTERS, OLD_VERSIONS, OLD_SPENDS, OLD_CHANGES, OLD_ALERTS):
            await owner.execute(statement, uuid_of(control), first, last)
        await owner.execute("ANALYZE")
        for name, reading in (("due", spend_alert.alerts_to_raise), ("over", spend_alert.keys_to_resolve)):
            costs[name].append(await rows_read(fresh_database, None, partial(reading, now=NOW)))
    await owner.close()
    assert {name: cost for name, cost in costs.items() if cost[1] > cost[0] + 10} == {}


async def test_refund_resolves_the_alert_of_a_lifetime(world: World) -> None:
    await world.limit(Limit(window=Window.LIFETIME, amount_minor=100 * CREDIT))
    await world.spend(80)
    await world.raised()
    await refund(world)
    await world.raised()
    assert [row.status for row in await world.rows()] == ["resolved"]
