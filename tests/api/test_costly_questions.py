"""Questions about figures cost seconds: each organization has a few at a time, and a bound of values."""

import asyncio
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.deps import Deps
from api.outgoing import Slots
from api.v1.revenue import endpoints
from domain.insight.metrics import METRICS
from domain.insight.query import MOST_VALUES
from runtime.turns import ConcurrencyLimiter
from services.insight import metrics
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.spending import grant

pytestmark = pytest.mark.db

PLAIN = [each.name for each in METRICS.values() if each.for_organizations and not each.is_by_utc_day]
PLAIN = [name for name in PLAIN if not METRICS[name].needs_currency]
COSTLY = (
    "/series?metric=balance",
    "/series?metric=spending&group_by=action",
    "/analytics/forecast?metric=spending",
    "/analytics/insights",
    "/economics/roi",
    "/economics/models",
    "/economics/models/compare?a=m&b=n",
)


def question(**more: Any) -> dict[str, Any]:
    day = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    return {"metrics": ["spending"], "from": day, **more}


@pytest.fixture
async def tenant(new_tenant: Any, operator: Caller) -> Tenant:
    made: Tenant = await new_tenant("owner", "agent")
    await grant(operator, made.org_id, "100")
    return made


async def test_costly_question_waits_for_a_turn_of_its_organization_alone(
    tenant: Tenant, new_tenant: Any, deps: Deps, monkeypatch: pytest.MonkeyPatch
) -> None:
    other: Tenant = await new_tenant("owner")
    monkeypatch.setattr(deps, "questions", ConcurrencyLimiter("questions", each=1, overall=2, most_waiting=0))
    async with deps.questions.turn(tenant.org_id):
        for path in COSTLY:
            assert refused(await tenant.owner.get(path), 429, "rate_limited")["retry_after"] == 1
        refused(await tenant.owner.post("/analytics/query", question()), 429, "rate_limited")
        dismissed = await tenant.owner.post("/analytics/insights/ins_1/dismiss", key=new_key())
        refused(dismissed, 429, "rate_limited")
        good(await other.owner.post("/analytics/query", question()))
        # All spending by day is no costly question, and money never waits for one.
        good(await tenant.owner.get("/series?metric=spending"))
        good(await tenant.owner.post("/credits/use", {"amount": "1"}, key=new_key()), 201)
    good(await tenant.owner.post("/analytics/query", question()))


async def test_turns_of_all_leave_most_connections_to_money(deps: Deps) -> None:
    pool: Any = deps.database.tenant_engine.pool
    assert 1 <= deps.questions._overall._value <= pool.size() // 4


async def test_answer_of_too_many_values_is_refused_before_anything_is_read(
    tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(metrics, "_sums")
    since, until = "2025-01-01", "2026-02-04"
    body = {"metrics": PLAIN[:20], "from": since, "to": until, "grain": "hour"}
    problem = refused(await tenant.owner.post("/analytics/query", body), 422, "analytics.too_much")
    assert problem["field"] == "metrics"
    values = 400 * 24 * 20
    assert f"{values:,} values, and {MOST_VALUES:,} are the most" in problem["detail"]
    assert "fewer metrics, a longer grain, a shorter period or fewer groups" in problem["detail"]


async def test_page_that_asks_for_eight_charts_at_once_gets_them_all(tenant: Tenant) -> None:
    for answer in await asyncio.gather(*(tenant.owner.post("/analytics/query", question()) for _ in range(8))):
        good(answer)


async def test_returns_of_too_many_days_and_agents_are_refused(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    good(await tenant.agent.post("/credits/use", {"amount": "1"}, key=new_key()), 201)
    for most, days in ((30, 30), (29, 30), (29, 29)):
        monkeypatch.setattr(endpoints, "MOST_VALUES", most)
        since = (datetime.now(UTC) - timedelta(days=days - 1)).date()
        answer = await tenant.owner.get(f"/economics/roi?currency=CREDIT&from={since}")
        if days > most:
            problem = refused(answer, 422, "analytics.too_much")
            assert (problem["field"], "Ask for fewer days." in problem["detail"]) == ("from", True)
        else:
            assert good(answer)["rows"] == 1


async def test_figures_are_computed_outside_of_the_event_loop(tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    threads, figured = set[threading.Thread](), metrics._figures

    def noted(*given: Any, **named: Any) -> Any:
        threads.add(threading.current_thread())
        return figured(*given, **named)

    monkeypatch.setattr(metrics, "_figures", noted)
    good(await tenant.owner.post("/analytics/query", question(grain="day")))
    assert threads
    assert threading.current_thread() not in threads


async def test_answer_that_is_not_read_keeps_its_slot_from_more_of_the_same(
    tenant: Tenant, deps: Deps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deps, "answers", ConcurrencyLimiter("answers", each=1, overall=9, most_waiting=0))
    monkeypatch.setattr(deps, "streams", Slots(1, "Too many downloads."))
    csv = {"headers": {"Accept": "text/csv"}}
    async with deps.answers.turn(tenant.org_id):
        with deps.streams.hold(tenant.org_id):
            refused(await tenant.owner.get("/payments", **csv), 429, "rate_limited")
        refused(await tenant.owner.post("/analytics/query", question()), 429, "rate_limited")
        good(await tenant.owner.get("/payments"))
    for _ in range(2):
        good(await tenant.owner.post("/analytics/query", question()))
        assert (await tenant.owner.get("/payments", **csv)).status_code == 200
        refused(await tenant.owner.post("/analytics/query", question(zone="Mars/Base")), 422, "request.invalid")
        refused(await tenant.owner.get("/payments?cursor=x", **csv), 422, "request.invalid")
