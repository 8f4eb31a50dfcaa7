"""Costs and results of models over HTTP: from usage events and results to figures and a comparison."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from domain.returns.result import Result, ResultSource
from models.returns.route import RoutingDecision
from repositories.returns import model_economics
from runtime.database import Database
from runtime.identity import new_id
from services.returns.result import record
from tests.api.conftest import TENANT_ROLES, Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.metering import event, import_prices, proven as proven, send, statuses

pytestmark = pytest.mark.db

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
CHEAP, DEAR = "claude-haiku-tests", "claude-opus-tests"


@pytest.fixture(scope="module", autouse=True)
async def prices(database: Database) -> None:
    await import_prices(database, CHEAP, LONG_AGO, input_tokens="0.000001", output_tokens="0.000005")
    await import_prices(database, DEAR, LONG_AGO, input_tokens="0.000005", output_tokens="0.000025")


@pytest.fixture
async def tenant(new_tenant: NewTenant) -> Tenant:
    return await new_tenant(*TENANT_ROLES)


async def call(tenant: Tenant, run_id: str, model: str, **usage: Any) -> None:
    more = {"duration_ms": usage.pop("duration_ms")} if "duration_ms" in usage else {}
    data = {"run_id": run_id, "model": model, "usage": usage, **more}
    assert statuses(await send(tenant.owner, event(type="llm.call", data=data))) == ["accepted"]


async def report(caller: Caller, run_id: str, kind: str, score: str, **more: str) -> dict[str, Any]:
    body = {"run_id": run_id, "task_kind": kind, "score": score, **more}
    made: dict[str, Any] = good(await caller.post("/results", body, key=new_key()), 201)
    return made


async def test_figures_total_calls_by_mode_and_results_by_the_model_of_their_run(tenant: Tenant) -> None:
    # 1,000 x 1 M + 200 x 5 M, and with a cache: 1,000 x 1 M + 10,000 x 1 M x 0.1 + 100 x 5 M + 300 x 5 M
    await call(tenant, "run-1", CHEAP, input_tokens=1000, output_tokens=200, duration_ms=4000)
    await call(tenant, "run-2", CHEAP, input_tokens=1000, cached_tokens=10_000, output_tokens=100, reasoning_tokens=300)
    await call(tenant, "run-3", CHEAP, input_tokens=10, output_tokens=10)
    await call(tenant, "run-3", DEAR, input_tokens=10, output_tokens=10)
    first = await report(tenant.owner, "run-1", "summary", "0.9", value="2.00", currency="USD")
    assert (first["accepted"], first["self_reported"], first["source"], first["value"]) == (True, False, "api", "2.00")
    await report(tenant.member, "run-2", "summary", "0.6")
    # What is said later of a run stands; what an agent says of itself does not.
    assert not (await report(tenant.member, "run-2", "summary", "0.4"))["accepted"]
    assert (await report(tenant.agent, "run-2", "summary", "1"))["self_reported"]
    await report(tenant.owner, "run-3", "extraction", "1")

    shown = good(await tenant.auditor.get("/economics/models"))
    assert (shown["by"], shown["complete"], shown["self_reported"]) == (["model", "mode"], True, 1)
    lines = {(line["model"], line["mode"]): line for line in shown["data"]}
    assert set(lines) == {(CHEAP, "normal"), (CHEAP, "thinking"), (DEAR, "normal"), (None, "normal")}
    normal, thinking = lines[CHEAP, "normal"], lines[CHEAP, "thinking"]
    assert (normal["calls"], normal["tokens"], normal["cost"]) == (2, 1220, "0.00206")
    assert (normal["output_tokens_per_second"], normal["estimated_calls"]) == ("50", 0)
    assert (normal["results"], normal["cost_per_accepted_result"], normal["score"]) == (1, "0.002", "0.9")
    assert (normal["family"], normal["size"], normal["provider"]) == ("claude", "small", "openai")
    assert (thinking["calls"], thinking["cost"], thinking["estimated_calls"]) == (1, "0.004", 1)
    assert (thinking["cost_per_1000_tokens"], thinking["cost_per_call"]) == ("0.000350877193", "0.004")
    assert (thinking["results"], thinking["accepted_results"], thinking["cost_per_accepted_result"]) == (1, 0, None)
    assert thinking["success"]["value"] == "0"
    assert (lines[None, "normal"]["results"], lines[None, "normal"]["calls"]) == (1, 0)

    await report(tenant.owner, "run-4", "summary", "1")
    (silent,) = [line for line in good(await tenant.owner.get("/economics/models"))["data"] if not line["mode"]]
    assert (silent["model"], silent["currency"], silent["results"], silent["calls"]) == (None, None, 1, 0)
    assert (silent["cost_per_accepted_result"], silent["cost_per_call"]) == (None, None)

    kinds = good(await tenant.owner.get("/economics/models?by=task_kind"))["data"]
    assert {(line["task_kind"], line["currency"]): (line["calls"], line["cost"]) for line in kinds} == {
        ("summary", "USD"): (2, "0.006"),
        ("extraction", "USD"): (2, "0.00036"),
        ("summary", None): (0, "0"),
    }
    # The log says which units had no price of their own.
    log = good(await tenant.owner.get("/usage/logs?run_id=run-2"))["data"]
    assert log[0]["estimated"] == ["cached_tokens", "reasoning_tokens"]


async def test_results_of_agents_on_themselves_do_not_make_figures_incomplete(tenant: Tenant, monkeypatch: Any) -> None:
    monkeypatch.setattr(model_economics, "MOST_RESULTS", 2)
    await report(tenant.owner, "run-1", "summary", "1")
    await report(tenant.owner, "run-2", "summary", "1")
    for run_id in ("run-1", "run-2"):
        await report(tenant.agent, run_id, "summary", "1")
    shown = good(await tenant.owner.get("/economics/models"))
    assert (shown["complete"], shown["self_reported"]) == (True, 2)
    await report(tenant.owner, "run-3", "summary", "1")
    assert not good(await tenant.owner.get("/economics/models"))["complete"]


async def test_escrow_result_overrides_later_reports(tenant: Tenant, database: Database) -> None:
    await call(tenant, "esc_x", CHEAP, input_tokens=1000, output_tokens=100)
    refused_work = Result(
        org_id=tenant.org_id,
        task_id="esc_x",
        task_kind="summary",
        score_e6=100_000,
        is_accepted=False,
        source=ResultSource.ESCROW,
        reference="esc_x:4",
        reported_by="validator",
    )
    async with database.platform() as session:
        await record(session, refused_work, now=datetime.now(UTC))
    await report(tenant.owner, "esc_x", "summary", "1")
    (line,) = good(await tenant.owner.get("/economics/models"))["data"]
    assert (line["results"], line["accepted_results"], line["score"]) == (1, 0, "0.1")


async def drawn(database: Database, tenant: Tenant, run_id: str, choice: str, **changes: Any) -> None:
    """Write the decision that drew the model of a run."""
    odds = changes.pop("odds", {CHEAP: 500_000, DEAR: 500_000})
    values = {
        "id": new_id("rtd"),
        "org_id": tenant.org_id,
        "run_id": run_id,
        "task_kind": "summary",
        "currency": "USD",
        "wish": {},
        "ranking": [{"name": name, "odds_e6": each, "out": None} for name, each in odds.items()],
        "choice": choice,
        "odds_e6": odds[choice],
        "next_price_e6": 0,
        "decided_by": "owner",
        "command_id": new_id("cmd"),
        "decided_at": datetime.now(UTC) - timedelta(hours=1),
    }
    async with database.platform() as session:
        await session.execute(insert(RoutingDecision).values(values | changes))


async def test_comparison_is_randomised_when_every_model_was_drawn(tenant: Tenant, database: Database) -> None:
    for number in range(12):
        model, run_id = (CHEAP, DEAR)[number % 2], f"run-{number}"
        await drawn(database, tenant, run_id, model)
        await call(tenant, run_id, model, input_tokens=1000, output_tokens=100)
        await report(tenant.owner, run_id, "summary", "1" if number % 4 else "0")
    path = f"/economics/models/compare?a={CHEAP}&b={DEAR}"
    shown = good(await tenant.owner.get(f"{path}:normal&value=5"))
    assert (shown["a"], shown["b"], shown["value"], shown["groups"]) == (CHEAP, f"{DEAR}:normal", "5", 1)
    # 1,000 x 5 M + 100 x 25 M, less a fifth of it; three of six cheap runs were accepted, and all dear ones.
    assert shown["cost_difference"] == {"value": "0.006", "low": "0.006", "high": "0.006"}
    assert (shown["success_difference"]["value"], shown["naive_success_difference"]) == ("0.5", "0.5")
    assert (shown["compared_a"], shown["compared_b"], shown["results_b"]) == (6, 6, 6)
    # Nobody drew a mode.
    assert (shown["verdict"], shown["randomised"]) == ("not_enough_data", False)
    shown = good(await tenant.owner.get(path))
    assert (shown["randomised"], shown["compared_a"], shown["compared_b"]) == (True, 6, 6)
    # A call that is sent once the result is known takes no run out.
    await call(tenant, "run-0", DEAR, input_tokens=1, output_tokens=1)
    shown = good(await tenant.owner.get(path))
    assert (shown["randomised"], shown["compared_a"], shown["success_difference"]["value"]) == (True, 6, "0.5")
    # Five others each, whose models nobody drew.
    for number in range(90, 100):
        await call(tenant, f"run-{number}", (CHEAP, DEAR)[number % 2], input_tokens=1000, output_tokens=100)
        await report(tenant.owner, f"run-{number}", "summary", "1")
    assert not good(await tenant.owner.get(path))["randomised"]
    for one, other in ((CHEAP, f"{CHEAP}:thinking"), (f"{CHEAP}:normal", CHEAP)):
        refused(await tenant.owner.get(f"/economics/models/compare?a={one}&b={other}"), 422, "request.invalid")


async def test_runs_are_weighted_by_inverse_model_probability(tenant: Tenant, database: Database) -> None:
    # Of ten hard tasks the dear model got eight and failed at six of them; of ten easy ones it got five.
    tasks = [("hard", {CHEAP: 200_000, DEAR: 800_000}, [(CHEAP, "0")] * 2 + [(DEAR, "0")] * 6 + [(DEAR, "1")] * 2)]
    tasks += [("easy", {CHEAP: 500_000, DEAR: 500_000}, [(CHEAP, "1")] * 5 + [(DEAR, "1")] * 5)]
    for name, odds, given in tasks:
        for number, (model, score) in enumerate(given):
            run_id = f"{name}-{number}"
            await drawn(database, tenant, run_id, model, odds=odds)
            await call(tenant, run_id, model, input_tokens=1000, output_tokens=100)
            await report(tenant.owner, run_id, "summary", score)
    shown = good(await tenant.owner.get(f"/economics/models/compare?a={CHEAP}&b={DEAR}"))
    assert (shown["randomised"], shown["naive_success_difference"]) == (True, "-0.175824")
    # Of the cheap: 5 x 2 of 5 x 2 + 2 x 5; of the dear: 2 x 1.25 + 5 x 2 of 8 x 1.25 + 5 x 2.
    assert shown["success_difference"]["value"] == "0.125"


@pytest.mark.parametrize("wrong", ["late", "other_candidates", "other_agent", "two_decisions"])
async def test_decision_without_both_models_is_not_randomised(tenant: Tenant, database: Database, wrong: str) -> None:
    changes: dict[str, Any] = {}
    if wrong == "late":
        changes = {"decided_at": datetime.now(UTC) + timedelta(hours=1)}
    if wrong == "other_agent":
        changes = {"agent_id": tenant.agent_id}
    for number in range(10):
        model, run_id = (CHEAP, DEAR)[number % 2], f"run-{number}"
        if wrong == "other_candidates":
            changes = {"odds": {model: 500_000, "third": 500_000}}
        await drawn(database, tenant, run_id, model, **changes)
        if wrong == "two_decisions":
            await drawn(database, tenant, run_id, model, agent_id=tenant.agent_id)
        await call(tenant, run_id, model, input_tokens=1000, output_tokens=100)
        await report(tenant.owner, run_id, "summary", "1")
    shown = good(await tenant.owner.get(f"/economics/models/compare?a={CHEAP}&b={DEAR}"))
    assert (shown["randomised"], shown["compared_a"], shown["compared_b"]) == (False, 5, 5)


async def test_reads_are_bounded_by_period_and_organization(tenant: Tenant, new_tenant: NewTenant) -> None:
    await call(tenant, "run-1", CHEAP, input_tokens=1000, output_tokens=200)
    await report(tenant.owner, "run-1", "summary", "1")
    other = await new_tenant("owner")
    assert good(await other.owner.get("/economics/models"))["data"] == []
    before = (datetime.now(UTC) - timedelta(days=40)).isoformat().replace("+00:00", "Z")
    until = (datetime.now(UTC) - timedelta(days=10)).isoformat().replace("+00:00", "Z")
    assert good(await tenant.owner.get(f"/economics/models?from={before}&to={until}"))["data"] == []
    refused(await tenant.owner.get(f"/economics/models/compare?a={CHEAP}&b={CHEAP}"), 422, "request.invalid")
    refused(await tenant.owner.get(f"/economics/models?organization_id={other.org_id}"), 404, "not_found")


@pytest.mark.parametrize(
    "wrong",
    [
        {"task_kind": "a", "score": "1"},
        {"run_id": "r", "task_id": "t", "task_kind": "a", "score": "1"},
        {"run_id": "r", "task_kind": "a", "score": "1.5"},
        {"run_id": "r", "task_kind": "a", "score": "1", "value": "5"},
        {"run_id": "r", "task_kind": "a", "score": "1", "value": "5.001", "currency": "USD"},
    ],
)
async def test_result_with_missing_or_extra_fields_is_refused(tenant: Tenant, wrong: dict[str, str]) -> None:
    answer = await tenant.owner.post("/results", wrong, key=new_key())
    assert answer.status_code == 422


async def test_repeated_report_is_one_result_and_its_key_takes_no_other(tenant: Tenant) -> None:
    key, body = new_key(), {"task_id": "t-1", "task_kind": "a", "score": "0.5"}
    first = good(await tenant.owner.post("/results", body, key=key), 201)
    assert good(await tenant.owner.post("/results", body, key=key), 201) == first
    assert first["accepted"]
    refused(await tenant.owner.post("/results", {**body, "score": "1"}, key=key), 422, "idempotency.conflict")
