"""Rules fire once when their figure turns bad, and are resolved when it has been good for the cool-down."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from activities.messages import alert_rules
from activities.messages.alert_rules import AlertRuleActivities
from contracts.messages.alert_rules import EvaluateAlertRules
from domain.common.access import Actor, Role
from domain.common.calendar import Window
from domain.common.errors import Invalid
from domain.common.ids import uuid_id
from domain.credits.spend.control import Limit
from domain.insight.query import Query
from domain.messages.alert.conditions import Condition, Direction, Measure, RequestedCondition, condition_of
from domain.messages.alert.metrics import METRICS, AlertMetric, ConditionType, watchable_metrics
from domain.messages.alert.rules import BUILT_IN, Rule
from domain.messages.alert.unusual import MAX_HOURS, HourlyFigures
from domain.messages.notification.preferences import recipient_of
from ledger.spending import Spending
from ledger.spends import NewSpend, Spender
from models.messages.alert import Alert
from models.messages.alert_rule import AlertRule
from models.payments.provider_event import ProviderEventRow
from repositories.credits import spend_day
from repositories.messages import alert_built_in, alert_figure, alert_rule, notification
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.insight.metrics import run_query
from services.messages import agent_roi, alert_evaluation, alert_rule as service
from services.messages.alert_rule import RuleRequest
from services.returns import roi
from tests.conftest import DatabaseUrls
from tests.domain.subscription.building import PLANS
from tests.support.connections import connected
from tests.support.plans import rows_read
from tests.support.spend_world import CREDIT, NOW, World

pytestmark = pytest.mark.db

#: What is not made through the ledger, as the tables hold it.
FACTS = """
    SET session_replication_role = replica;
    INSERT INTO payments (id, org_id, provider, workflow_id, status, version, purpose, currency, amount_minor,
        received_minor, refunded_minor, fee_minor, state, created_at, updated_at)
    SELECT '{payment}' || n, '{org}', 'stripe', 'w', CASE n WHEN 1 THEN 'failed' ELSE 'succeeded' END, 1, 'credits',
        'USD', 1, 0, 0, 0, '{}', now(), now() FROM generate_series(1, 3) AS n;
    CREATE TABLE usage_events_now PARTITION OF usage_events DEFAULT;
    INSERT INTO usage_events (org_id, occurred_at, id, digest, received_at, source, event_id, type, action, sent_by,
        data, meters)
    VALUES ('{org}', now(), uuidv7(), uuidv7(), now(), 's', 'e', 't', 'a', 'p', '{}', '{}');
    INSERT INTO reputation_agents (agent_id, started_on, response_buckets, stars_e6, rank_e6, board)
    VALUES ('{agent}', current_date, '{}', 731999, 0, 'public');
"""
EVENTS = """
    INSERT INTO usage_events (org_id, occurred_at, id, digest, received_at, source, event_id, type, action, sent_by,
        data, meters)
    SELECT $1, $2::timestamptz + hour * interval '1 hour' + n * interval '1 minute', uuidv7(), uuidv7(), now(), 's',
        'e', 't', 'a', 'p', '{}', '{}'
    FROM generate_series(0, $3::int - 1) AS hour, generate_series(1, $4::int) AS n
"""
PAYMENT = """
    INSERT INTO payments (id, org_id, provider, workflow_id, status, version, purpose, currency, amount_minor,
        received_minor, refunded_minor, fee_minor, state, created_at, updated_at)
    VALUES ($1, $2, 'stripe', 'w', 'failed', 1, 'credits', 'USD', 1, 0, 0, 0, '{}', $3, $3)
"""

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


class Rules(World):
    """The same organization with its own rules and the sweep that evaluates them."""

    async def rule(
        self, metric: str, condition: RequestedCondition, *, platform: bool = False, at: datetime = NOW, **wanted: Any
    ) -> AlertRule:
        asked = RuleRequest(metric=metric, condition=condition, **{"cool_down": HOUR, **wanted})
        async with self.database.platform() as session:
            org_id = None if platform else self.org
            actor = Actor(principal="root", role=Role.OPERATOR)
            name = new_id("r").replace("-", "_")
            return await service.create(session, actor, org_id, name, asked, command_id=new_id("cmd"), now=at)

    async def look(self, now: datetime, *, built_in: bool = False) -> list[tuple[str, str, str]]:
        """Evaluate due rules, and return the alerts of the organization by name, subject and status."""
        work = AlertRuleActivities(self.database, PLANS)
        if built_in:
            await work.look_at_alert_rules(EvaluateAlertRules(now=now, limit=100, built_in=True))
        while (await work.look_at_alert_rules(EvaluateAlertRules(now=now, limit=100))).count == 100:
            pass
        return [(row.kind, row.subject, row.status) for row in await self.rows()]


@pytest.fixture
async def world(db: Database) -> Rules:
    made = Rules(db)
    await made.begin(credits=100)
    return made


async def test_balance_fires_once_and_is_resolved_after_the_cool_down(world: Rules) -> None:
    below = RequestedCondition(type=ConditionType.BELOW, threshold="60")
    rule = await world.rule("credits.available", below, severity="critical", description="Buy some.", window=MINUTE)
    assert await world.look(NOW) == []
    await world.spend(50)
    assert await world.look(NOW + MINUTE) == [(rule.name, world.org, "firing")]
    (row,) = await world.rows()
    assert row.detail == "Buy some.\ncredits.available is below 60.00 CREDIT: 50.00 CREDIT now."
    assert (row.severity, row.rule_id, row.shared, row.for_operators) == ("critical", rule.id, True, False)
    await world.spend(1)
    assert len(await world.look(NOW + 2 * MINUTE)) == 1
    await world.give(60)
    assert await world.look(NOW + 3 * MINUTE) == [(rule.name, world.org, "firing")]
    assert await world.look(NOW + 3 * MINUTE + HOUR) == [(rule.name, world.org, "resolved")]
    await world.spend(60)
    again = await world.look(NOW + 2 * HOUR)
    assert again == [(rule.name, world.org, "resolved"), (rule.name, world.org, "firing")]


async def test_replaced_or_deleted_rule_resolves_its_alerts(world: Rules) -> None:
    below = RequestedCondition(type=ConditionType.BELOW, threshold="200")
    rule = await world.rule("credits.available", below)
    assert await world.look(NOW) == [(rule.name, world.org, "firing")]
    actor = Actor(principal="root", role=Role.OPERATOR)
    async with world.database.platform() as session:
        wanted = RuleRequest(metric="credits.available", condition=below, enabled=False)
        await service.change(session, actor, rule.id, wanted, now=NOW)
    assert await world.look(NOW + MINUTE) == [(rule.name, world.org, "resolved")]
    async with world.database.platform() as session:
        await service.delete(session, actor, rule.id)
    assert len(await world.look(NOW + 2 * MINUTE)) == 1


@pytest.mark.parametrize(
    ("threshold", "measure"), [("80", Measure.PERCENT), ("160", Measure.ABSOLUTE)], ids=["percent", "absolute"]
)
async def test_limit_is_exceeded_once_in_each_window(db: Database, threshold: str, measure: Measure) -> None:
    world = Rules(db)
    await world.begin()
    control = await world.limit(Limit(window=Window.HOUR, amount_minor=200 * CREDIT))
    begin = NOW.replace(minute=0, second=0, microsecond=0) + HOUR
    crosses = RequestedCondition(type=ConditionType.CROSSES, threshold=threshold, measure=measure)
    rule = await world.rule("spend_control.used", crosses, filters={"control_id": control}, at=begin - HOUR)
    async with db.platform() as session:
        await session.execute(update(AlertRule).where(AlertRule.id == rule.id).values(updated_at=begin - HOUR))
    await world.spend(159, begin)
    assert await world.look(begin + MINUTE) == []
    await world.spend(1, begin + 2 * MINUTE)
    assert await world.look(begin + 3 * MINUTE) == [(rule.name, control, "firing")]
    assert len(await world.look(begin + 30 * MINUTE)) == 1
    await world.spend(180, begin + HOUR)
    assert await world.look(begin + HOUR + MINUTE) == [
        (rule.name, control, "resolved"),
        (rule.name, control, "firing"),
    ]
    assert {status for *_, status in await world.look(begin + 3 * HOUR)} == {"resolved"}


async def test_limit_exceeded_before_the_rule_was_created_is_not_a_crossing(world: Rules) -> None:
    control = await world.limit(Limit(window=Window.LIFETIME, amount_minor=100 * CREDIT))
    await world.spend(90)
    crosses = RequestedCondition(type=ConditionType.CROSSES, threshold="80", measure=Measure.PERCENT)
    await world.rule("spend_control.used", crosses, filters={"control_id": control})
    assert await world.look(NOW + MINUTE) == []


async def test_absence_fires_at_its_effective_time(db: Database) -> None:
    world = Rules(db)
    await world.begin()
    rule = await world.rule(
        "credits.used", RequestedCondition(type=ConditionType.ABSENT_FOR, period=HOUR), cool_down=MINUTE
    )
    assert await world.look(NOW) == []
    await world.spend(1, NOW)
    await world.look(NOW + MINUTE)
    async with db.platform() as session:
        due_at = (await session.scalars(select(AlertRule.due_at).where(AlertRule.id == rule.id))).one()
    assert due_at == NOW + HOUR
    assert await world.look(NOW + HOUR - timedelta(seconds=1)) == []
    assert await world.look(NOW + HOUR) == [(rule.name, world.org, "firing")]
    await world.spend(1, NOW + HOUR)
    await world.look(NOW + HOUR + MINUTE)
    assert await world.look(NOW + HOUR + 2 * MINUTE) == [(rule.name, world.org, "resolved")]


async def test_runway_uses_the_spending_rate_of_the_window(world: Rules) -> None:
    soon = RequestedCondition(type=ConditionType.RUNS_OUT_WITHIN, period=4 * HOUR)
    rule = await world.rule("credits.available", soon, window=HOUR)
    await world.spend(20, NOW)
    assert await world.look(NOW + MINUTE) == []
    await world.spend(1, NOW)
    assert await world.look(NOW + 2 * MINUTE) == [(rule.name, world.org, "firing")]


async def test_spending_is_compared_with_the_same_time_last_week(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    world = Rules(fresh_database)
    await world.begin()
    doubled = RequestedCondition(
        type=ConditionType.CHANGES_BY, threshold="100", measure=Measure.PERCENT, direction=Direction.UP
    )
    hourly = await world.rule("credits.used", doubled, window=HOUR)
    daily = await world.rule("credits.used", doubled, window=DAY)
    await world.spend(10, NOW - 7 * DAY - MINUTE)
    owner = await asyncpg.connect(fresh_database_urls.owner)
    # A spend is numbered when it is made.
    await owner.execute("SET session_replication_role = replica")
    await owner.execute("UPDATE ledger.spends SET id = uuidv7(interval '-7 days -1 minute')")
    await owner.close()
    await world.spend(19, NOW - MINUTE)
    assert await world.look(NOW) == []
    await world.spend(1, NOW - MINUTE)
    names = {name for name, _, status in await world.look(NOW + 5 * MINUTE) if status == "firing"}
    assert names == {hourly.name, daily.name}


UNUSUAL = RequestedCondition(type=ConditionType.UNUSUAL)


async def caught_up(world: Rules, begin: datetime) -> dict[str, HourlyFigures]:
    """Evaluate every minute until every hour is read, and return the hours of each rule."""
    for minute in range(40):
        assert await world.look(begin + minute * MINUTE) == []
    async with world.database.platform() as session:
        rules = {row.id: row.name for row in await session.scalars(select(AlertRule))}
        return {rules[rule]: hours for rule, hours in (await alert_rule.hours(session, rules)).items()}


async def test_unusually_many_events_fire_once_and_are_resolved(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    world = Rules(fresh_database)
    await world.begin()
    begin = NOW.replace(minute=6, second=0, microsecond=0)
    full = begin - 6 * MINUTE
    owner = await asyncpg.connect(fresh_database_urls.owner)
    await owner.execute("SET session_replication_role = replica")
    await owner.execute("CREATE TABLE usage_events_now PARTITION OF usage_events DEFAULT")

    async def events(since: datetime, hours: int, each: int) -> None:
        await owner.execute(EVENTS, world.org, since, hours, each)

    await events(full - 9 * 7 * DAY, 9 * 7 * 24, 10)
    rule = await world.rule("usage.events", UNUSUAL, at=begin)
    (hours,) = (await caught_up(world, begin)).values()
    assert hours == HourlyFigures(full, (10,) * MAX_HOURS)
    await events(full, 3, 30)
    async with fresh_database.platform() as session:
        due_at = (await session.scalars(select(AlertRule.due_at).where(AlertRule.id == rule.id))).one()
    assert due_at == full + HOUR + 5 * MINUTE
    assert await world.look(full + 3 * HOUR + 5 * MINUTE) == [(rule.name, world.org, "firing")]
    (row,) = await world.rows()
    assert row.detail == "usage.events is unusually high for these hours of the week: 30 now."
    await events(full + 3 * HOUR, 5, 10)
    await world.look(full + 7 * HOUR + 5 * MINUTE)
    assert await world.look(full + 8 * HOUR + 5 * MINUTE) == [(rule.name, world.org, "resolved")]
    # A day has not passed since, so this week's seven alerts are not used up in one day.
    await events(full + 8 * HOUR, 3, 30)
    assert await world.look(full + 11 * HOUR + 5 * MINUTE) == [(rule.name, world.org, "resolved")]
    async with fresh_database.platform() as session:
        await service.delete(session, Actor(principal="root", role=Role.OPERATOR), rule.id)
        assert await alert_rule.hours(session, [rule.id]) == {}
    await owner.close()


async def test_hourly_totals_hold_spends_and_payments_of_each_hour(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    world = Rules(fresh_database)
    await world.begin()
    begin = NOW.replace(minute=6, second=0, microsecond=0)
    full = begin - 6 * MINUTE
    owner = await asyncpg.connect(fresh_database_urls.owner)
    await owner.execute("SET session_replication_role = replica")
    spends = [(1, full - 30 * DAY), (2, full - HOUR), (3, full - MINUTE), (4, full)]
    for amount, at in spends:
        await world.spend(amount, at)
        # A spend is numbered when it is made.
        await owner.execute("UPDATE ledger.spends SET id = uuidv7($1 - now()) WHERE at = $1", at)
        payment = uuid_id("pay", UUID(int=int(at.timestamp() * 1000) << 80))
        await owner.execute(PAYMENT, payment, world.org, at)
    await owner.close()
    spent = await world.rule("credits.used", UNUSUAL, at=begin)
    made = await world.rule("payments.started", UNUSUAL, at=begin)
    over_all = await world.rule("payments.failed", UNUSUAL, at=begin, platform=True)
    hours = await caught_up(world, begin)
    found = {name: {end: each for end, each in enumerate(reversed(of.figures)) if each} for name, of in hours.items()}
    assert found == {
        spent.name: {0: 5 * CREDIT, 30 * 24 - 1: 1 * CREDIT},
        made.name: {0: 2, 30 * 24 - 1: 1},
        over_all.name: {0: 2, 30 * 24 - 1: 1},
    }


async def in_two_days(world: Rules, metric: str, **filters: str) -> int | None:
    rule = Rule(
        name="x",
        metric=METRICS[metric],
        filters=filters,
        condition=Condition(type=ConditionType.ABOVE),
        window=2 * DAY,
        cool_down=HOUR,
    )
    async with world.database.platform() as session:
        watched_rules = [alert_figure.WatchedRule(id="x", org_id=world.org, rule=rule)]
        # What is of now counts, and a later moment could be of the next day.
        [figure] = (await alert_figure.read_figures(session, watched_rules, NOW + timedelta(microseconds=1)))["x"]
    return figure.reading.value


async def spent_in_two_days(world: Rules, agent: str) -> int | None:
    """Return the agent's spending, which is the organization's only activity."""
    spent = await in_two_days(world, "credits.used", agent_id=agent)
    assert await in_two_days(world, "credits.used") == spent
    return spent


async def test_payments_of_days_before_count_in_a_window_of_days(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    world = Rules(fresh_database)
    await world.begin()
    owner = await asyncpg.connect(fresh_database_urls.owner)
    await owner.execute("SET session_replication_role = replica")
    for at in (NOW - 2 * DAY, NOW - DAY, NOW):
        await owner.execute(
            """
            INSERT INTO payments (id, org_id, provider, workflow_id, status, version, purpose, currency, amount_minor,
                received_minor, refunded_minor, fee_minor, state, created_at, updated_at)
            VALUES ($1, $2, 'stripe', $1, 'succeeded', 1, 'credits', 'USD', 1, 0, 0, 0, '{}', $3, $3)
            """,
            uuid_id("pay", UUID(int=int(at.timestamp() * 1000) << 80)),
            world.org,
            at,
        )
    await owner.close()
    assert await in_two_days(world, "payments.started") == 2


async def test_agent_spending_subtracts_refunds_and_adds_late_captures(fresh_database: Database) -> None:
    world, agent = Rules(fresh_database), new_id("agt")
    await world.begin()

    def spend(credits: int) -> NewSpend:
        key, spender = new_id("key"), Spender(agent_id=agent)
        return NewSpend(key=key, action="test", amount_minor=credits * CREDIT, spender=spender)

    async with fresh_database.platform() as session:
        books = Spending(await driver_connection(session), world.org)
        charged = await books.charge(spend(5), at=NOW - DAY)
        held = await books.authorize(spend(3), expires_at=NOW + HOUR, at=NOW - DAY)
    assert charged.spend_id is not None
    assert held.spend_id is not None
    async with fresh_database.platform() as session:
        assert await spend_day.roll_up(session, since=NOW.date() - DAY, until=NOW.date(), limit=10) == 1
    assert await spent_in_two_days(world, agent) == 5 * CREDIT
    async with fresh_database.platform() as session:
        books = Spending(await driver_connection(session), world.org)
        await books.refund(key=new_id("key"), spend_id=charged.spend_id, amount_minor=CREDIT, at=NOW)
        await books.settle(key=new_id("key"), spend_id=held.spend_id, at=NOW)
        await books.refund(key=new_id("key"), spend_id=held.spend_id, amount_minor=CREDIT, at=NOW)
    assert await spent_in_two_days(world, agent) == 6 * CREDIT


@pytest.mark.parametrize("is_added_up", [False, True])
async def test_agents_previous_day_counts_before_its_totals_are_computed(
    fresh_database: Database, fresh_database_urls: DatabaseUrls, *, is_added_up: bool
) -> None:
    world, agent = Rules(fresh_database), new_id("agt")
    await world.begin()
    for at in (NOW - DAY, NOW):
        await world.spend(4, at)
    owner = await asyncpg.connect(fresh_database_urls.owner)
    await owner.execute("SET session_replication_role = replica")
    await owner.execute("UPDATE ledger.spends SET id = uuidv7(at - clock_timestamp()), agent_id = $1", agent)
    await owner.close()
    if is_added_up:
        async with fresh_database.platform() as session:
            yesterday = NOW.date() - DAY
            assert await spend_day.roll_up(session, since=yesterday, until=NOW.date(), limit=10) == 1
    assert await spent_in_two_days(world, agent) == 8 * CREDIT


def read_slowly_of(slow: set[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the figures of rules take a minute to read."""
    read = alert_figure.read_figures

    async def read_slowly(
        session: AsyncSession, watched_rules: Sequence[alert_figure.WatchedRule], now: datetime
    ) -> dict[str, list[alert_figure.RuleFigure]]:
        if slow & {one.id for one in watched_rules}:
            await session.execute(text("SELECT pg_sleep(60)"))
        return await read(session, watched_rules, now)

    monkeypatch.setattr(alert_figure, "read_figures", read_slowly)


async def due_times(database: Database) -> dict[str, datetime | None]:
    async with database.platform() as session:
        return {row.id: row.due_at for row in await session.scalars(select(AlertRule))}


async def test_slow_figure_does_not_delay_other_rules(
    fresh_database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The driver gives a statement up after a second, and the connection with it.
    second = timedelta(seconds=1)
    database = Database(fresh_database_urls.tenant, fresh_database_urls.platform, statement_timeout=second)
    own, other = Rules(database), Rules(database)
    below = RequestedCondition(type=ConditionType.BELOW, threshold="1000")
    for world in (own, other):
        await world.begin(credits=1)
    slow, quick = [await own.rule("credits.available", below) for _ in range(2)]
    others = await other.rule("credits.available", below)
    read_slowly_of({slow.id}, monkeypatch)
    assert await other.look(NOW) == [(others.name, other.org, "firing")]
    assert await own.look(NOW) == [(quick.name, own.org, "firing")]
    soon = NOW + MINUTE
    assert await due_times(database) == {slow.id: NOW + 15 * MINUTE, quick.id: soon, others.id: soon}
    monkeypatch.undo()
    names = {name for name, *_ in await own.look(NOW + 15 * MINUTE)}
    assert names == {slow.name, quick.name}
    await database.close()


async def test_rules_whose_figures_do_not_fit_in_the_run_stay_due(
    fresh_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, other = Rules(fresh_database), Rules(fresh_database)
    below = RequestedCondition(type=ConditionType.BELOW, threshold="1000")
    for world in (own, other):
        await world.begin(credits=1)
    slow = [await own.rule("credits.available", below) for _ in range(2)]
    others = await other.rule("credits.available", below)
    read_slowly_of({rule.id for rule in slow}, monkeypatch)
    monkeypatch.setattr(alert_figure, "TOO_LONG", timedelta(milliseconds=200))
    monkeypatch.setattr(alert_rules, "TOO_LONG", timedelta(milliseconds=200))
    # The second slow rule comes after the other organization's, and is not read.
    spans = iter([timedelta(0), alert_evaluation.BUDGET])

    async def elapsed(_session: AsyncSession) -> timedelta:
        return next(spans)

    monkeypatch.setattr(alert_figure, "elapsed", elapsed)
    work = AlertRuleActivities(fresh_database, PLANS)
    await work.look_at_alert_rules(EvaluateAlertRules(now=NOW, limit=100))
    due = await due_times(fresh_database)
    assert sorted(due[rule.id] or NOW for rule in slow) == [NOW, NOW + 15 * MINUTE]
    assert due[others.id] == NOW + MINUTE


async def test_built_in_rules_with_a_figure_fire_and_are_resolved(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    world = Rules(fresh_database)
    await world.begin(credits=1_000)
    noon = NOW.replace(hour=12, minute=0, second=0, microsecond=0)
    # Of last week, only what was spent until the same hour counts.
    await world.spend(4, noon - 7 * DAY - HOUR)
    await world.spend(36, noon - 7 * DAY + HOUR)
    owner = await asyncpg.connect(fresh_database_urls.owner)
    # A spend is numbered when it is made.
    await owner.execute("SET session_replication_role = replica")
    await owner.execute("UPDATE ledger.spends SET id = uuidv7(at - clock_timestamp())")
    await owner.close()
    await world.spend(9, noon)
    # More than twice 4, and less than a quarter of that day.
    assert await world.look(noon, built_in=True) == []
    await world.spend(1, noon)
    assert await world.look(noon + MINUTE, built_in=True) == []
    assert await world.look(noon + 15 * MINUTE, built_in=True) == [("cost_spike", world.org, "firing")]
    # A rule of one's own watches the same figure, with a bar of its own.
    ratio = Rule(name="x", metric=METRICS["credits.used_to_last_week"], filters={}, window=DAY, cool_down=HOUR,
                 condition=Condition(type=ConditionType.ABOVE, measure=Measure.PERCENT, threshold=24_999))  # fmt: skip
    watching = [alert_figure.WatchedRule(id="x", org_id=world.org, rule=ratio)]
    async with fresh_database.platform() as session:
        [figure] = (await alert_figure.read_figures(session, watching, noon + 15 * MINUTE))["x"]
        [early] = (await alert_figure.read_figures(session, watching, noon - 2 * HOUR))["x"]
    assert (figure.reading.value, figure.reading.whole) == (10 * CREDIT, 4 * CREDIT)
    assert (ratio.condition.is_bad(figure.reading, noon), early.reading.value) == (True, 0)
    await world.spend(50, noon)
    kinds = [("cost_spike", world.org, "firing"), ("low_credit_balance", world.org, "firing")]
    assert await world.look(noon + 16 * MINUTE, built_in=True) == kinds
    assert await world.look(noon + 30 * MINUTE, built_in=True) == kinds
    await world.give(10_000)
    await world.look(noon + DAY, built_in=True)
    assert {status for *_, status in await world.look(noon + DAY + HOUR, built_in=True)} == {"resolved"}
    # What waits in the inbox is of a provider, and for operators.
    async with fresh_database.platform() as session:
        await session.execute(
            insert(ProviderEventRow).values(
                provider="stripe",
                event_id="evt_1",
                type="x",
                status="received",
                refs=[],
                livemode=False,
                payload={},
                occurred_at=NOW,
                received_at=NOW,
            )
        )
    down = select(Alert.subject, Alert.status, Alert.org_id).where(Alert.kind == "provider_down")
    seen = []
    looks = ((5 * MINUTE, False), (6 * MINUTE, False), (7 * MINUTE, True), (12 * MINUTE, True))
    for now, handled in ((NOW + after, handled) for after, handled in looks):
        async with fresh_database.platform() as session:
            if handled:
                await session.execute(update(ProviderEventRow).values(handled_at=now))
        await world.look(now, built_in=True)
        async with fresh_database.platform() as session:
            seen.append([tuple(row) for row in await session.execute(down)])
    firing, resolved = [("stripe", "firing", None)], [("stripe", "resolved", None)]
    assert seen == [[], firing, firing, resolved]


#: Spends of before, each a copy of the only one of now.
OLD_SPENDS = """
    INSERT INTO ledger.spends SELECT (jsonb_populate_record(s, jsonb_build_object(
        'id', uuidv7(interval '-1 day'), 'idempotency_key', 'old' || i))).*
    FROM ledger.spends s, generate_series($1::int, $2::int) i WHERE s.idempotency_key NOT LIKE 'old%'
"""


async def test_built_in_rules_read_a_constant_number_of_rows(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    world = Rules(fresh_database)
    await world.begin(credits=10)
    await world.spend(9, NOW)
    owner = await asyncpg.connect(fresh_database_urls.owner)
    await owner.execute("SET session_replication_role = replica")
    read = []
    for first, last in ((1, 2_000), (2_001, 20_000)):
        await owner.execute(OLD_SPENDS, first, last)
        await owner.execute("ANALYZE")
        read.append(await rows_read(fresh_database, None, partial(alert_built_in.due, now=NOW.replace(minute=1))))
    await owner.close()
    assert read[1] <= read[0] + 10


async def test_built_in_rule_that_is_off_does_not_fire(fresh_database: Database) -> None:
    world = Rules(fresh_database)
    await world.begin(credits=10)
    async with fresh_database.platform() as session:
        actor = Actor(principal="owner", role=Role.OWNER, org_id=world.org)
        for name in ("low_credit_balance", "cost_spike"):
            await service.change_built_in(
                session, actor, world.org, BUILT_IN[name], RuleRequest(enabled=False), command_id=new_id("cmd"), now=NOW
            )
    await world.spend(9, NOW)
    assert await world.look(NOW, built_in=True) == []


def _condition(metric: AlertMetric, kind: ConditionType) -> RequestedCondition:
    if kind in {ConditionType.ABSENT_FOR, ConditionType.RUNS_OUT_WITHIN}:
        return RequestedCondition(type=kind, period=HOUR)
    if kind is ConditionType.UNUSUAL:
        return UNUSUAL
    return RequestedCondition(type=kind, threshold="5", of=metric.part_of if kind is ConditionType.RATIO else None)


async def test_every_metric_reads_its_current_value(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    world = Rules(fresh_database)
    await world.begin(credits=100)
    control = await world.limit(Limit(window=Window.LIFETIME, amount_minor=10 * CREDIT))
    await world.spend(4, NOW)
    agent = new_id("agt")
    facts = FACTS.replace("{org}", world.org).replace("{agent}", agent).replace("{payment}", new_id("pay")[:-1])
    async with connected(fresh_database_urls.owner) as owner:
        await owner.execute(facts, timeout=300)
    watched_rules: list[alert_figure.WatchedRule] = []
    for metric in (one for platform in (False, True) for one in watchable_metrics(platform=platform)):
        filters = {"control_id": control} if "control_id" in metric.needs else {}
        filters = {"agent_id": agent} if "agent_id" in metric.needs else filters
        for org_id in [world.org] * metric.for_organizations + [None] * metric.for_platform:
            for kind in sorted(metric.conditions):
                condition = condition_of(_condition(metric, kind), metric, platform=org_id is None, asset="CREDIT")
                for window in (HOUR, 3 * DAY):
                    rule = Rule(
                        name="x",
                        metric=metric,
                        filters=filters,
                        condition=condition,
                        window=window,
                        cool_down=HOUR,
                        asset="CREDIT",
                    )
                    name = f"{metric.name} {kind.value} {len(watched_rules)}"
                    watched_rules.append(alert_figure.WatchedRule(id=name, org_id=org_id, rule=rule))
    async with fresh_database.platform() as session:
        now, name = datetime.now(UTC) + MINUTE, agent_roi.AGENT_ROI
        returns = [one for one in watched_rules if one.rule.metric.name == name]
        watched_rules = [one for one in watched_rules if one.rule.metric.name != name]
        found = await alert_figure.read_figures(session, watched_rules, now)
        # Nothing was earned.
        assert set(map(tuple, (await agent_roi.read_agent_roi(session, returns, now)).values())) == {()}
    assert set(found) == {one.id for one in watched_rules}
    values: dict[str, set[tuple[Any, ...]]] = {}
    for name, figures in found.items():
        metric_name, kind_name, _ = name.split()
        if kind_name == "unusual":
            assert all(figure.reading.is_behind for figure in figures), name
            continue
        if kind_name == "absent_for":
            assert all(figure.reading.last_at is not None for figure in figures), name
            continue
        values.setdefault(metric_name, set()).update((each.reading.value, each.reading.whole) for each in figures)
    assert values == {
        "credits.available": {(96 * CREDIT, None)},
        "credits.used": {(4 * CREDIT, None)},
        "spend_control.used": {(4 * CREDIT, 10 * CREDIT)},
        "payments.started": {(3, None)},
        "payments.failed": {(1, 3)},
        "payments.failed_share": {(1, 3)},
        "usage.events": {(1, None)},
        "reputation.score": {(731, None)},
        "inbox.oldest": {(0, None)},
        "credits.used_to_last_week": {(0, 1)},
    }
    now = datetime.now(UTC)
    since = now.replace(minute=0, second=0, microsecond=0) - timedelta(days=1)
    question = Query(metrics=("spending", "usage.events"), since=since, until=now)
    async with fresh_database.repeatable_read(world.org) as session:
        answer = await run_query(session, question, org_id=world.org, now=now)
    # There are credits used alone.
    assert {figure.metric: {(figure.value, None)} for figure in answer.totals} == {
        "spending": values["credits.used"],
        "usage.events": values["usage.events"],
    }


async def test_agent_return_is_high_while_its_lower_bound_exceeds_its_cost(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    world = Rules(fresh_database)
    await world.begin(credits=1_000)
    good, poor = new_id("agt"), new_id("agt")
    today = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    owner = await asyncpg.connect(fresh_database_urls.owner)
    await owner.execute("SET session_replication_role = replica")
    minute = await owner.fetchval("SELECT mod(abs(hashtext($1)::bigint), 360)::int", world.org)
    for agent, earned in ((good, 500), (poor, 150)):
        for number in range(8):
            at = today - timedelta(days=number + 1)
            await owner.execute(
                "INSERT INTO ledger.purchase_counts (order_id, number, org_id, agent_id, asset, amount, spent, pool,"
                " forced, changed_at, at, counted_in, counted) VALUES ($1, $2, $3, $1, 'USD', 100, 100, 'operating',"
                " false, $4, $4, '{}', '{}')",
                *(agent, number, world.org, at),
            )
            await owner.execute(
                "INSERT INTO revenue_events (id, org_id, agent_id, source, reference, currency, reported_minor,"
                " amount_minor, status, occurred_at, reported_by, confirmed_at)"
                " VALUES ($1, $2, $3, 'ads', $1, 'USD', $4, $4, 'confirmed', $5, 'x', $5)",
                *(new_id("rev"), world.org, agent, earned, at),
            )
    moment = today + minute * MINUTE
    own = await world.rule(
        "agent.roi", RequestedCondition(type=ConditionType.BELOW, threshold="60"), at=moment - MINUTE
    )
    assert set(await world.look(moment, built_in=True)) == {("high_roi", good, "firing"), (own.name, poor, "firing")}
    details = {row.kind: row.detail for row in await world.rows()}
    assert "is at least 400 %" in details["high_roi"]
    assert details[own.name].endswith("agent.roi is below 60 %: 50 % now.")
    # Of what cannot be converted nothing can be said, and what fires goes on.
    await owner.execute(
        "INSERT INTO ledger.purchase_counts (order_id, number, org_id, agent_id, asset, amount, spent, pool, forced,"
        " changed_at, at, counted_in, counted) SELECT order_id, 99, org_id, agent_id, 'JPY', 1, 1, pool, forced,"
        " changed_at, at, counted_in, counted FROM ledger.purchase_counts WHERE number = 0"
    )
    assert {status for *_, status in await world.look(moment + DAY, built_in=True)} == {"firing"}
    await owner.execute("DELETE FROM ledger.purchase_counts WHERE number = 99")
    # What is not confirmed does not count, and what fires is looked at until it is not high any more.
    await owner.execute("UPDATE revenue_events SET status = 'reversed', reversed_minor = amount_minor")
    assert await world.look(moment + DAY + MINUTE, built_in=True) == [*await world.look(moment)]
    found = await world.look(moment + 2 * DAY, built_in=True)
    await owner.close()
    assert ("high_roi", good, "resolved") in found


async def test_returns_not_read_in_time_are_read_by_the_next_run(
    fresh_database: Database, fresh_database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    worlds = [Rules(fresh_database), Rules(fresh_database)]
    owner = await asyncpg.connect(fresh_database_urls.owner)
    for world in worlds:
        await world.begin(credits=1)
        await world.rule("agent.roi", RequestedCondition(type=ConditionType.ABOVE, threshold="1"), at=NOW - MINUTE)
        await owner.execute("SET session_replication_role = replica")
        await owner.execute(
            "INSERT INTO alert_rule_standings (rule, subject, place, org_id, phase, fired_at)"
            " VALUES ('high_roi', $1, '', $1, 'firing', $2)",
            *(world.org, NOW),
        )
    minutes = [await owner.fetchval("SELECT mod(abs(hashtext($1)::bigint), 360)::int", world.org) for world in worlds]
    await owner.close()
    today = NOW.replace(hour=0, minute=0, second=0, microsecond=0)
    # Both are looked at in one transaction, as often as their minutes come.
    earners = alert_built_in.return_rule_targets

    async def all_of_them(
        session: AsyncSession, _now: datetime, *, since: datetime
    ) -> list[alert_built_in.ReturnRuleTarget]:
        return [
            row for minute in minutes for row in await earners(session, today + (minute + 360) * MINUTE, since=since)
        ]

    monkeypatch.setattr(alert_built_in, "return_rule_targets", all_of_them)
    read = list[str]()

    async def figures(_session: AsyncSession, org_id: str, **_asked: Any) -> list[Any]:
        read.append(org_id)
        return []

    monkeypatch.setattr(roi, "figures", figures)

    async def elapsed(_session: AsyncSession) -> timedelta:
        return alert_evaluation.BUDGET if read else timedelta(0)

    monkeypatch.setattr(alert_figure, "elapsed", elapsed)
    work = AlertRuleActivities(fresh_database, PLANS)
    for built_in in (True, False):
        read.clear()
        await work.look_at_alert_rules(EvaluateAlertRules(now=NOW, limit=100, built_in=built_in))
        assert len(read) == 1


async def test_rule_accepts_only_channels_of_its_organization(world: Rules) -> None:
    other = Rules(world.database)
    await other.begin()
    made = {}
    async with world.database.platform() as session:
        for org_id in (world.org, other.org):
            values = {"kind": "slack", "status": "verified", "hook": "x", "shown": "x", "target_digest": org_id}
            recipient = recipient_of(org_id, "owner")
            row = await notification.add_channel(
                session,
                {
                    **{"id": new_id("nch"), "org_id": org_id, "principal": "owner", "recipient": recipient},
                    **{"command_id": new_id("cmd"), **values},
                },
            )
            made[org_id] = row.id
    below = RequestedCondition(type=ConditionType.BELOW, threshold="1")
    with pytest.raises(Invalid) as refused:
        await world.rule("credits.available", below, channels=(made[world.org], made[other.org]))
    assert refused.value.extra["field"] == "channels.1"
    rule = await world.rule("credits.available", below, channels=(made[world.org],))
    async with world.database.platform() as session:
        actor = Actor(principal="owner", role=Role.OWNER, org_id=world.org)
        wanted = RuleRequest(channels=(made[world.org],))
        built_in = BUILT_IN["cost_spike"]
        await service.change_built_in(session, actor, world.org, built_in, wanted, command_id=new_id("cmd"), now=NOW)
        asked = [(world.org, rule.id), (world.org, "cost_spike"), (other.org, "cost_spike")]
        found = await alert_rule.channels(session, asked)
    assert [found[each] for each in asked] == [{made[world.org]}, {made[world.org]}, set()]
