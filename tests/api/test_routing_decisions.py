"""Routing decisions over HTTP: the choice, its probabilities, the budget's pace, and the outcome."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.ids import uuid_of
from domain.returns.result import Result, ResultSource
from ledger.spends import Spender
from models.marketplace.agent import Agent
from repositories.returns import route as routes
from repositories.usage.model_price import PriceBook
from runtime.database import Database
from runtime.identity import new_id
from services.returns import route
from services.returns.result import record
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.metering import event, import_prices, send, statuses
from tests.api.test_slots import done_or_waiting
from tests.conftest import DatabaseUrls
from tests.support import proving
from tests.support.lots import buy
from tests.support.plans import rows_read

pytestmark = pytest.mark.db

LONG_AGO = datetime.now(UTC) - timedelta(days=300)
BOTH = ["routed-dear", "routed-cheap"]


@pytest.fixture(scope="module", autouse=True)
async def prices(database: Database, database_urls: DatabaseUrls) -> AsyncIterator[None]:
    """Set prices: a call of 1,000 and 500 tokens costs 0.02 and 0.002 USD."""
    await import_prices(database, "routed-dear", LONG_AGO, input_tokens="0.00001", output_tokens="0.00002")
    await import_prices(database, "routed-cheap", LONG_AGO, input_tokens="0.000001", output_tokens="0.000002")
    yield
    await proving.prove(database_urls, routes.INVARIANTS)


@pytest.fixture
async def tenant(new_tenant: NewTenant) -> Tenant:
    return await new_tenant("owner", "member", "agent")


async def decide(of: Caller, status: int = 201, **body: Any) -> dict[str, Any]:
    made: dict[str, Any] = good(await of.post("/routing/decisions", {"task_kind": "summary"} | body), status)
    return made


async def report(of: Caller, decision: dict[str, Any], score: str, **body: Any) -> Any:
    return await of.post(f"/routing/decisions/{decision['id']}/outcome", {"score": score} | body)


async def result(database: Database, tenant: Tenant, run_id: str, score_e6: int, **changes: Any) -> None:
    given = {"task_kind": "summary", "is_accepted": True, "source": ResultSource.API, "reported_by": "x"} | changes
    async with database.platform() as session:
        await record(
            session,
            Result(org_id=tenant.org_id, run_id=run_id, score_e6=score_e6, reference=new_key(), **given),
            now=datetime.now(UTC),
        )


async def test_a_call_is_routed_used_and_learned_from(tenant: Tenant, database: Database) -> None:
    transfers = good(await tenant.owner.get("/credits/transactions"))["data"]
    key = new_key()
    body = {"task_kind": "summary", "candidates": [*BOTH, "routed-unknown"], "value": "1", "currency": "USD"}
    made = await tenant.agent.post("/routing/decisions", body, key=key)
    decision = good(made, 201)
    again = await tenant.agent.post("/routing/decisions", body, key=key)
    assert (good(again, 201), made.headers["Location"]) == (decision, f"/api/v1/routing/decisions/{decision['id']}")
    ranking = {each["candidate"]: each for each in decision["ranking"]}
    assert sum(round(float(each["odds"]) * 1_000_000) for each in decision["ranking"]) == 1_000_000
    assert decision["odds"] == ranking[decision["choice"]]["odds"]
    assert (decision["agent_id"], decision["run_id"], decision["outcome"]) == (tenant.agent_id, decision["id"], None)
    costs = {name: each["expected_cost"] for name, each in ranking.items()}
    assert costs == {"routed-dear": "0.02", "routed-cheap": "0.002", "routed-unknown": None}
    unknown = ranking["routed-unknown"]
    assert (unknown["odds"], unknown["out"], unknown["why"]) == ("0", "no_price", "It has no price.")

    used = {"model": decision["choice"], "usage": {"input_tokens": 2000}, "run_id": decision["run_id"]}
    assert statuses(await send(tenant.agent, event(data=used))) == ["accepted"]
    # What an agent says of itself, and what is of another kind, is not the outcome.
    await result(database, tenant, decision["run_id"], 1_000_000, is_self_reported=True)
    await result(database, tenant, decision["run_id"], 1_000_000, task_kind="code")
    refused(await report(tenant.agent, decision, "1"), 403, "auth.forbidden")
    await result(database, tenant, decision["run_id"], 900_000)
    await result(database, tenant, decision["run_id"], 100_000)
    seen = good(await tenant.agent.get(f"/routing/decisions/{decision['id']}"))
    assert seen["outcome"]["score"] == "0.9"
    assert seen["outcome"]["cost"] == {"routed-dear": "0.02", "routed-cheap": "0.002"}[decision["choice"]]
    assert refused(await report(tenant.member, decision, "0.2"), 409, "routing.outcome_exists")

    after = await decide(tenant.member, candidates=BOTH)
    counted = {each["candidate"]: each["results"] for each in after["ranking"]}
    assert counted == {name: int(name == decision["choice"]) for name in BOTH}
    by_hand = good(await report(tenant.member, after, "0.5", cost="0.004"))["outcome"]
    assert (by_hand["score"], by_hand["cost"], by_hand["source"]) == ("0.5", "0.004", "api")
    assert good(await report(tenant.member, after, "0.5", cost="0.004"))["outcome"] == by_hand
    assert good(await tenant.owner.get("/credits/transactions"))["data"] == transfers


async def test_result_of_a_run_that_called_another_model_is_not_the_outcome(tenant: Tenant, database: Database) -> None:
    decision = await decide(tenant.agent, candidates=BOTH)
    [other] = {*BOTH} - {decision["choice"]}
    used = {"usage": {"input_tokens": 2000}, "run_id": decision["run_id"]}
    await send(tenant.agent, event(data=used | {"model": other}))
    await result(database, tenant, decision["run_id"], 0)
    path = f"/routing/decisions/{decision['id']}"
    assert good(await tenant.member.get(path))["outcome"] is None
    await send(tenant.agent, event(data=used | {"model": decision["choice"]}))
    await result(database, tenant, decision["run_id"], 700_000)
    assert good(await tenant.member.get(path))["outcome"]["score"] == "0.7"


async def test_default_candidates_are_the_models_in_use(tenant: Tenant) -> None:
    assert (await decide(tenant.member))["choice"] is None
    used = {"model": "routed-cheap", "usage": {"input_tokens": 10}}
    await send(tenant.member, event(data=used))
    decision = await decide(tenant.member)
    assert (decision["choice"], decision["odds"]) == ("routed-cheap", "1")


async def test_budget_sets_the_pace_and_excludes_dearer_models(tenant: Tenant) -> None:
    limits = [{"window": "month", "amount": "0.01"}]
    subject = {"type": "agent", "id": tenant.agent_id}
    budget = good(await tenant.owner.post("/budgets", {"limits": limits, "currency": "USD", "subject": subject}), 201)
    decision = await decide(tenant.agent, candidates=BOTH)
    assert (decision["budget_id"], decision["choice"], decision["currency"]) == (budget["id"], "routed-cheap", "USD")
    assert {each["candidate"]: each["out"] for each in decision["ranking"]}["routed-dear"] == "over_budget"
    await tenant.owner.post(f"/budgets/{budget['id']}/freeze")
    frozen = await decide(tenant.agent, candidates=BOTH)
    assert (frozen["choice"], frozen["odds"]) == (None, None)
    refused(await report(tenant.owner, frozen, "1"), 409, "routing.no_choice")


async def test_decisions_at_the_same_time_each_move_the_pace(tenant: Tenant, database: Database) -> None:
    body = {"limits": [{"window": "month", "amount": "100"}], "currency": "USD"}
    subject = {"type": "agent", "id": tenant.agent_id}
    budget = good(await tenant.owner.post("/budgets", body | {"subject": subject}), 201)
    first = await decide(tenant.agent, candidates=BOTH)
    question = route.CallToRoute(
        org_id=tenant.org_id, spender=Spender(agent_id=tenant.agent_id), task_kind="summary", candidates=BOTH
    )
    async with database.platform() as session:
        command_id = new_id("cmd")
        open_ = await route.decide(
            session, PriceBook(), question, decided_by="x", command_id=command_id, now=datetime.now(UTC)
        )
        request = asyncio.create_task(decide(tenant.agent, candidates=BOTH))
        await done_or_waiting(database, request)
    last = await request
    async with database.platform() as session:
        rows = [await routes.get(session, each) for each in (first["id"], open_.id, last["id"])]
        newest = await routes.last_of_budget(session, uuid_of(budget["id"]))
    assert [row.window_calls for row in rows] == [1, 2, 3]
    assert {row.window_first_at for row in rows} == {rows[0].decided_at}
    assert newest is not None
    assert newest.id == last["id"]


async def test_each_run_and_kind_has_one_decision_and_others_decisions_are_not_found(
    tenant: Tenant, stranger: Tenant
) -> None:
    decision = await decide(tenant.member, candidates=BOTH, run_id="run-1")
    again = {"task_kind": "summary", "candidates": BOTH, "run_id": "run-1"}
    refused(await tenant.member.post("/routing/decisions", again), 409, "routing.run_decided")
    await decide(tenant.member, candidates=BOTH, run_id="run-1", task_kind="code")
    for of in (stranger.owner, tenant.agent):
        refused(await of.get(f"/routing/decisions/{decision['id']}"), 404, "not_found")
        refused(await report(of, decision, "1"), 404, "not_found")
    refused(await report(tenant.owner, {"id": new_id("rtd")}, "1"), 404, "not_found")
    assert good(await tenant.agent.get("/routing/decisions"))["data"] == []
    assert len(good(await tenant.member.get("/routing/decisions"))["data"]) == 2
    file = await tenant.member.get("/routing/decisions", headers={"Accept": "text/csv"})
    assert (file.status_code, len(file.text.splitlines())) == (200, 3)
    body = {"task_kind": "summary", "candidates": BOTH, "value": "1"}
    assert refused(await tenant.member.post("/routing/decisions", body), 422, "request.invalid")["field"] == "currency"
    other = {"task_kind": "summary", "candidates": BOTH, "agent_id": stranger.agent_id}
    refused(await tenant.member.post("/routing/decisions", other), 404, "not_found")


async def test_decision_without_a_choice_leaves_its_run_to_another(tenant: Tenant) -> None:
    assert (await decide(tenant.member, candidates=["routed-unknown"], run_id="run-1"))["choice"] is None
    assert (await decide(tenant.member, candidates=BOTH, run_id="run-1"))["choice"] is not None


async def test_agent_using_a_run_of_others_does_not_block_them(tenant: Tenant, database: Database) -> None:
    taken = await decide(tenant.agent, candidates=BOTH, run_id="run-1")
    decision = await decide(tenant.member, candidates=BOTH, run_id="run-1")
    await result(database, tenant, "run-1", 900_000)
    outcomes = [
        good(await tenant.owner.get(f"/routing/decisions/{each['id']}"))["outcome"] for each in (taken, decision)
    ]
    assert (outcomes[0], outcomes[1]["score"]) == (None, "0.9")

    taken = await decide(tenant.member, candidates=BOTH, run_id="run-2")
    decision = await decide(tenant.agent, candidates=BOTH, run_id="run-2")
    used = {"model": decision["choice"], "usage": {"input_tokens": 10}, "run_id": "run-2"}
    assert statuses(await send(tenant.agent, event(data=used))) == ["accepted"]
    await result(database, tenant, "run-2", 800_000)
    outcomes = [
        good(await tenant.owner.get(f"/routing/decisions/{each['id']}"))["outcome"] for each in (taken, decision)
    ]
    assert (outcomes[0], outcomes[1]["score"]) == (None, "0.8")


async def test_version_that_a_provider_answered_with_is_the_model_that_was_chosen(
    tenant: Tenant, database: Database
) -> None:
    dated = "routed-cheap-2026-01-01"
    await import_prices(database, dated, LONG_AGO, input_tokens="0.000001", output_tokens="0.000002")
    for candidate, called in (("openai/routed-cheap", dated), (dated, "routed-cheap")):
        decision = await decide(tenant.member, candidates=[candidate])
        assert decision["choice"] == candidate
        used = {"model": called, "usage": {"input_tokens": 2000}, "run_id": decision["run_id"]}
        assert statuses(await send(tenant.agent, event(data=used))) == ["accepted"]
        await result(database, tenant, decision["run_id"], 900_000)
        seen = good(await tenant.member.get(f"/routing/decisions/{decision['id']}"))["outcome"]
        assert (seen["score"], seen["cost"]) == ("0.9", "0.002")


async def priced_agent(database: Database, tenant: Tenant) -> str:
    """Make the tenant's agent cost one credit a task and succeed where the model fails."""
    async with database.platform() as session:
        await session.execute(
            update(Agent)
            .where(Agent.id == tenant.agent_id)
            .values(pricing_model="usage", price_minor=1_000_000, price_currency="CREDIT")
        )
    for candidate, score_e6 in ((tenant.agent_id, 1_000_000), ("routed-dear", 0)):
        question = route.CallToRoute(
            org_id=tenant.org_id, spender=Spender(), task_kind="summary", candidates=[candidate], currency="USD"
        )
        for at in range(20):
            async with database.platform() as session:
                row = await route.decide(
                    session, PriceBook(), question, decided_by="x", command_id=new_id("cmd"), now=datetime.now(UTC)
                )
                outcome = route.CallOutcome(score_e6=score_e6, source="api", reference=f"{at}")
                await route.record_outcome(session, row, outcome, now=datetime.now(UTC))
    return tenant.agent_id


@pytest.mark.parametrize("cents", [299, 1000])
async def test_comparisons_value_credits_at_the_price_paid(cents: int, tenant: Tenant, database: Database) -> None:
    await buy(database, tenant.org_id, "100", cents)
    agent = await priced_agent(database, tenant)
    both, paid = [agent, "routed-dear"], {"amount": {299: "0.0299", 1000: "0.10"}[cents], "currency": "USD"}

    def seen(decision: dict[str, Any]) -> tuple[Any, ...]:
        ranking = {each["candidate"]: each for each in decision["ranking"]}
        costs = tuple(Decimal(ranking[name]["expected_cost"]) for name in both)
        return decision["choice"], *costs, ranking[agent]["out"], decision["priced_at"]

    limit = {"currency": "USD", "quality_at_least": "0.9"}
    costs = Decimal(paid["amount"]), Decimal("0.02")
    choice = agent if cents == 299 else "routed-dear"
    out = None if cents == 299 else "over_max_cost"
    routed = await decide(tenant.member, candidates=both, max_cost="0.05", **limit)
    assert seen(routed) == (choice, *costs, out, paid)
    # In credits, the model costs those that pay it.
    in_credits = await decide(tenant.member, candidates=both, currency="CREDIT")
    assert seen(in_credits)[1:] == (1, (costs[1] / costs[0]).quantize(Decimal("1e-12"), ROUND_DOWN), None, paid)
    assert (await decide(tenant.member, candidates=BOTH, currency="USD"))["priced_at"] is None

    # A budget in dollars has room for the agent's credit, or not, by the same price.
    limits = [{"window": "month", "amount": "0.05"}]
    await tenant.owner.post(
        "/budgets", {"limits": limits, "currency": "USD", "subject": {"type": "agent", "id": agent}}
    )
    routed = await decide(tenant.agent, candidates=both, **limit)
    assert seen(routed) == (choice, *costs, out and "over_budget", paid)


async def test_model_estimate_includes_the_markup_and_learning_excludes_it(tenant: Tenant, database: Database) -> None:
    question = route.CallToRoute(
        org_id=tenant.org_id, spender=Spender(), task_kind="summary", candidates=["routed-dear"], markup_e6=200_000
    )
    for _ in range(2):
        async with database.platform() as session:
            row = await route.decide(
                session, PriceBook(), question, decided_by="x", command_id=new_id("cmd"), now=datetime.now(UTC)
            )
            assert [row.expected_pico, row.reference_pico] == [Decimal(24 * 10**9), Decimal(20 * 10**9)]
            outcome = route.CallOutcome(score_e6=1_000_000, source="api", reference="x", cost_pico=20 * 10**9)
            await route.record_outcome(session, row, outcome, now=datetime.now(UTC))
            assert row.multiple_e6 == 1_000_000


@pytest.mark.slow
async def test_a_decision_reads_no_more_rows_after_more_decisions(tenant: Tenant, database: Database) -> None:
    subject = {"type": "agent", "id": tenant.agent_id}
    body = {"limits": [{"window": "month", "amount": "100"}], "currency": "USD", "subject": subject}
    budget = good(await tenant.owner.post("/budgets", body), 201)

    async def reading(session: AsyncSession) -> None:
        await routes.sums(session, tenant.org_id, BOTH, "summary")
        assert await routes.last_of_budget(session, uuid_of(budget["id"])) is not None

    read = []
    for more in (20, 80):
        for _ in range(more):
            decision = await decide(tenant.agent, candidates=BOTH)
            good(await report(tenant.member, decision, "1"))
        read.append(await rows_read(database, None, reading))
    # A candidate that was not drawn among the first has its sums only later.
    assert max(read) <= 5
