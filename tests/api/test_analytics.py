"""Questions about metrics over HTTP: each metric and dimension, exactness, tenancy, bad input."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import cycle
from random import Random
from typing import Any

import pytest

from domain.common.credits import credit_price
from domain.insight.metrics import METRICS
from runtime.database import Database
from services.books import exchange_rate
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.spending import grant
from tests.support.returns import buys
from tests.support.seeds import RUN_SEED

pytestmark = pytest.mark.db


def today() -> str:
    return datetime.now(UTC).date().isoformat()


async def ask(caller: Caller, *metrics: str, **more: Any) -> dict[str, Any]:
    body = {"metrics": list(metrics), "from": today(), "to": today(), **more}
    return dict(good(await caller.post("/analytics/query", body)))


def total(answer: dict[str, Any], metric: str, currency: str | None = "CREDIT") -> str | None:
    found: str | None
    (found,) = (v["value"] for v in answer["totals"] if v["metric"] == metric and v["currency"] == currency)
    return found


async def use(caller: Caller, amount: str, **body: Any) -> dict[str, Any]:
    return dict(good(await caller.post("/credits/use", {"amount": amount, **body}, key=new_key()), 201))


@pytest.fixture
async def tenant(new_tenant: Any, operator: Caller) -> Tenant:
    made: Tenant = await new_tenant("owner", "member", "agent")
    await grant(operator, made.org_id, "100")
    return made


async def test_each_metric_answers_by_each_of_its_dimensions(tenant: Tenant, operator: Caller) -> None:
    await use(tenant.owner, "5", action="search")
    since = (datetime.now(UTC).date() - timedelta(days=1)).isoformat()
    for metric, grain in zip(METRICS.values(), cycle((None, "hour", "day", "month")), strict=False):
        if metric.needs_currency:
            body = {"metrics": [metric.name], "from": since}
            assert (
                refused(await tenant.owner.post("/analytics/query", body), 422, "request.invalid")["field"]
                == "currency"
            )
            continue
        hours = grain == "hour" and metric.is_by_utc_day
        more = {"from": since, "grain": None if hours else grain, "compare": "previous"}
        for caller in [tenant.owner] * metric.for_organizations + [operator] * metric.for_platform:
            await ask(caller, metric.name, **more)
            for name in metric.dimensions:
                found = await ask(caller, metric.name, by=[name], **more)
                assert all(row["group"].keys() == {name} for row in found["rows"])
                await ask(caller, metric.name, where={name: ["nothing"]}, **more)


async def test_a_charge_is_in_the_next_answer_and_a_refund_too(tenant: Tenant, operator: Caller) -> None:
    spent = await use(tenant.owner, "5", action="search")
    await use(tenant.owner, "3", action="draw")
    asked = await ask(tenant.owner, "spending", "spends", "balance", by=[], grain="day")
    assert (total(asked, "spending"), total(asked, "spends", None), total(asked, "balance")) == ("8.00", "2", "92.00")
    assert not asked["complete"]
    good(await operator.post(f"/credits/spends/{spent['id']}/refunds", {"amount": "1"}, key=new_key()), 201)
    by = await ask(tenant.owner, "spending", by=["action"])
    assert [(row["group"]["action"], row["values"][0]["value"]) for row in by["rows"]] == [
        ("search", "4.00"),
        ("draw", "3.00"),
    ]
    only = await ask(tenant.owner, "spending", where={"action": ["draw"]})
    assert total(only, "spending") == "3.00"
    cut = await ask(tenant.owner, "spending", by=["action"], limit=1)
    assert (len(cut["rows"]), total(cut, "spending")) == (1, "7.00")


async def test_an_organization_sees_its_own_figures_alone(tenant: Tenant, new_tenant: Any, operator: Caller) -> None:
    other: Tenant = await new_tenant("owner")
    await use(tenant.owner, "5")
    assert total(await ask(other.owner, "spends"), "spends", None) == "0"
    assert total(await ask(operator, "spends", organization_id=tenant.org_id), "spends", None) == "1"
    body = {"metrics": ["spends"], "organization_id": tenant.org_id, "from": today()}
    refused(await other.owner.post("/analytics/query", body), 404, "not_found")
    for metric in ("revenue", "commission", "money.held", "active.organizations", "retention"):
        answer = await tenant.owner.post("/analytics/query", {"metrics": [metric], "from": today()})
        refused(answer, 422, "analytics.unknown")
    listed = {one["name"] for one in good(await tenant.owner.get("/analytics/metrics"))["data"]}
    assert "spending" in listed
    assert "revenue" not in listed


async def test_no_question_shows_anything_of_another_organization(new_tenant: Any, operator: Caller) -> None:
    """Random questions of two organizations, with each other's names in filters, at their own database roles."""
    random = Random(RUN_SEED)
    two: list[Tenant] = [await new_tenant("owner", "agent") for _ in range(2)]
    names = [f"work-{new_key()}" for _ in two]
    for tenant, name in zip(two, names, strict=True):
        await grant(operator, tenant.org_id, "100")
        await use(tenant.owner, "7", action=name)
        await use(tenant.agent, "2", action=name)
    own = [metric for metric in METRICS.values() if metric.for_organizations and not metric.needs_currency]
    for _ in range(120):
        asks, other = random.sample((0, 1), 2)
        tenant, stranger = two[asks], two[other]
        metric = random.choice(own)
        dimensions = random.sample(metric.dimensions, min(len(metric.dimensions), 1 if metric.one_dimension else 2))
        where = {name: [names[other], stranger.org_id, stranger.agent_id] for name in dimensions[1:]}
        body = {"by": dimensions[:1], "where": where, "grain": random.choice([None, "day", "month"])}
        answer = await ask(tenant.owner, metric.name, **body)
        written = json.dumps(answer)
        assert not any(secret in written for secret in (names[other], stranger.org_id, str(stranger.agent_id))), body
        if metric.name == "spending" and not where:
            assert total(answer, "spending") == "9.00"


@pytest.mark.parametrize(
    ("body", "code", "field"),
    [
        ({"metrics": ["spendings"]}, "analytics.unknown", "metrics"),
        ({"metrics": ["spending"], "by": ["vendor"]}, "analytics.unknown", "by"),
        ({"metrics": ["balance"], "where": {"agent": ["x"]}}, "analytics.unknown", "where"),
        ({"metrics": ["usage.events"], "by": ["agent", "model"]}, "request.invalid", "by"),
        ({"metrics": ["spending"], "from": "2015-01-01"}, "analytics.too_much", "from"),
        ({"metrics": ["spending"], "from": "2023-01-01", "grain": "hour"}, "analytics.too_much", "grain"),
        ({"metrics": ["spending"], "from": "2024-01-01", "to": "2023-01-01"}, "request.invalid", "from"),
        ({"metrics": ["spending"], "zone": "Mars/Base"}, "request.invalid", "zone"),
        ({"metrics": ["earnings"], "zone": "Asia/Tokyo", "from": "2024-01-01"}, "request.invalid", "zone"),
        ({"metrics": ["payments.started"], "from": "2024-01-01T00:07:00Z"}, "request.invalid", "from"),
        ({"metrics": ["spending", "spending"]}, "request.invalid", "metrics"),
    ],
)
async def test_bad_questions_say_what_would_be_right(
    tenant: Tenant, body: dict[str, Any], code: str, field: str
) -> None:
    assert refused(await tenant.owner.post("/analytics/query", {"from": today(), **body}), 422, code)["field"] == field


async def test_unknown_names_come_with_the_nearest(tenant: Tenant) -> None:
    answer = refused(
        await tenant.owner.post("/analytics/query", {"metrics": ["paymnts.failed"], "from": today()}),
        422,
        "analytics.unknown",
    )
    assert "payments.failed" in answer["detail"]


async def test_amounts_are_converted_at_the_rate_of_the_day(
    new_tenant: Any, operator: Caller, database: Database
) -> None:
    tenant = await new_tenant("owner")
    # Ten cents by the piece, five of them here.
    await buys(database, tenant.org_id, 10, 50)
    async with database.platform() as session:
        await exchange_rate.store_price(session, credit_price("0.10", "USD"), datetime.now(UTC) - timedelta(days=1))
    rate = {"base": "USD", "quote": "MVR", "rate": "140"}
    good(await operator.post("/exchange-rates", rate, key=new_key()), 201)
    await use(tenant.owner, "4")
    asked = await ask(tenant.owner, "spending", "balance", currency="MVR")
    (rate,) = asked["rates"]
    assert (rate["from"], rate["to"]) == ("USD", "MVR")
    cents = {value["metric"]: Decimal(value["value"]) / Decimal(rate["rate"]) * 100 for value in asked["totals"]}
    assert {value["currency"] for value in asked["totals"]} == {"MVR"}
    assert cents == {"spending": 4 * 5, "balance": 6 * 5}
