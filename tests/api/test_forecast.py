"""Forecasts of usage and of the balance over HTTP."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from domain.common.access import Actor, Role
from domain.common.credits import GrantSource
from domain.common.errors import Invalid
from domain.insight.forecast import ForecastMetric
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.credits import credit_lot
from services.insight.forecast import forecast_metric
from tests.api.conftest import Caller, Tenant, good, refused
from tests.conftest import DatabaseUrls
from tests.support.spend_world import CREDIT, World

pytestmark = pytest.mark.db

DAYS = 60


def today() -> datetime:
    return datetime.combine(datetime.now(UTC).date(), time(), UTC)


@pytest.fixture
async def spender(new_tenant: Any, database: Database) -> Tenant:
    """An organization that has used 10 credits a day, and 30 on the last day of each week, and has 100 left."""
    made: Tenant = await new_tenant("owner")
    world, since = World(database), today() - timedelta(days=DAYS)
    world.org = made.org_id
    used = [30 if number % 7 == 6 else 10 for number in range(DAYS)]
    await world.give(sum(used) + 100)
    for number, credits in enumerate(used):
        await world.spend(credits, since + timedelta(days=number, hours=12))
    return made


async def forecast(caller: Caller, **asked: Any) -> dict[str, Any]:
    return dict(good(await caller.get("/analytics/forecast", params=asked)))


async def test_spending_is_forecast_by_the_season_of_the_week(spender: Tenant) -> None:
    found = await forecast(spender.owner, metric="spending", days=14)
    expected = [30 if (DAYS + number) % 7 == 6 else 10 for number in range(14)]
    assert [Decimal(point["value"]) for point in found["points"]] == expected
    assert found["points"][0]["at"] == today().date().isoformat()
    assert [each["level"] for each in found["points"][0]["intervals"]] == [50, 80, 95]
    assert (found["method"], found["backtest"]) == (
        "seasonal_naive",
        {"origins": 14, "mase": 0.0, "coverage": 1.0},
    )
    assert (found["currency"], found["runs_out_at"], found["changes"]) == ("CREDIT", None, [])


async def test_balance_runs_out_by_usage_and_expiry(spender: Tenant, database: Database) -> None:
    async with database.platform() as session:
        await credit_lot.grant(
            session,
            Actor(principal="root", role=Role.OPERATOR),
            org_id=spender.org_id,
            amount_minor=50 * CREDIT,
            source=GrantSource.PROMOTION,
            expires_at=today() + timedelta(days=2),
            note=None,
            command_id=new_id("cmd"),
            now=datetime.now(UTC),
        )
    # 60 days are 8 weeks and 4 days, so that the third day from now has 30.
    found = await forecast(spender.owner, metric="balance", days=20)
    balances = [int(Decimal(point["value"])) for point in found["points"]]
    assert balances[:4] == [140, 100, 70, 60]
    assert found["changes"] == [
        {"at": (today() + timedelta(days=1)).date().isoformat(), "kind": "expiry", "amount": "30.00"}
    ]
    # On the tenth day 10 are left of the 30 that it uses.
    assert balances[8:11] == [10, 0, 0]
    gone = (today() + timedelta(days=9)).date().isoformat()
    assert {found["runs_out_at"], found["runs_out_earliest"], found["runs_out_latest"]} == {gone}
    short = await forecast(spender.owner, metric="balance", days=3)
    assert (short["runs_out_at"], short["runs_out_latest"]) == (None, None)


async def test_short_series_is_refused_with_the_required_length(spender: Tenant, new_tenant: Any) -> None:
    document = refused(
        await spender.owner.get("/analytics/forecast", params={"metric": "spending", "days": 90}),
        422,
        "forecast.too_short",
    )
    assert (document["needed"], document["available"]) == (107, DAYS)
    assert f"needs 107 days, not {DAYS}" in document["detail"]
    nobody: Tenant = await new_tenant("owner")
    response = await nobody.owner.get("/analytics/forecast", params={"metric": "balance"})
    assert refused(response, 422, "forecast.too_short")["available"] == 0


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"metric": "reputation.score"}, "agent_id"),
        ({"metric": "balance", "agent_id": "agt_01m8kk2crmf55815d5k1n636mj"}, "agent_id"),
        ({"metric": "spending", "currency": "USD"}, "currency"),
        ({"metric": "revenue"}, "metric"),
    ],
)
async def test_invalid_queries_are_refused_with_their_field(tenant: Tenant, asked: dict[str, str], field: str) -> None:
    response = await tenant.owner.get("/analytics/forecast", params=asked)
    assert response.status_code == 422
    assert response.json()["field"] == field


async def test_operators_forecast_for_an_organization_and_over_all(operator: Caller, spender: Tenant) -> None:
    mine = await forecast(operator, metric="spending", days=7, organization_id=spender.org_id)
    assert mine["organization_id"] == spender.org_id
    refused(await operator.get("/analytics/forecast", params={"metric": "spending"}), 422, "analytics.unknown")
    revenue = {"metric": "revenue", "organization_id": spender.org_id, "days": 7}
    refused(await operator.get("/analytics/forecast", params=revenue), 422, "forecast.too_short")


async def test_agent_score_is_forecast_from_its_daily_scores(spender: Tenant, database: Database) -> None:
    days = [today().date() - timedelta(days=ago) for ago in range(40, 0, -1)]
    async with database.platform() as session:
        connection = await driver_connection(session)
        await connection.execute("SELECT open_reputation_months($1, $2)", days[0], days[-1])
        # A night without a score has the one before it.
        for day in days[:20] + days[21:]:
            await connection.execute(
                "INSERT INTO reputation_history VALUES ($1, $2, 6600000, 0, 0, 0, 0, 3, false, ARRAY[]::bigint[])",
                day,
                spender.agent_id,
            )
    asked = {"metric": "reputation.score", "agent_id": spender.agent_id, "days": 7}
    found = await forecast(spender.owner, **asked)
    assert {point["value"] for point in found["points"]} == {"6.6"}
    assert (found["agent_id"], found["currency"]) == (spender.agent_id, None)


async def test_revenue_is_forecast_in_one_currency(fresh_database: Database, fresh_database_urls: DatabaseUrls) -> None:
    owner = await asyncpg.connect(fresh_database_urls.owner)
    await owner.execute("SET session_replication_role = replica")
    for org, asset in (("org_a", "USD"), ("org_a", "EUR"), ("org_b", "EUR")):
        await owner.execute(
            "INSERT INTO ledger.revenue_days SELECT $1, $2::date - n, 'platform/commission', $3, 500"
            " FROM generate_series(1, 40) AS n",
            *(org, today().date(), asset),
        )
    await owner.close()
    asked = {"metric": ForecastMetric.REVENUE, "org_id": None, "currency": None, "days": 7, "now": datetime.now(UTC)}
    async with fresh_database.repeatable_read(None) as session:
        with pytest.raises(Invalid) as refused_:
            await forecast_metric(session, where={}, **asked)
        found = await forecast_metric(session, where={"organization": ("org_b",)}, **asked)
    assert (refused_.value.detail, refused_.value.extra["field"]) == (
        "There are amounts in EUR, USD. Choose one currency.",
        "currency",
    )
    assert (found.asset, {point.value for point in found.points}) == ("EUR", {500})
