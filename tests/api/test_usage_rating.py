"""Cost of usage: by the paid agent, otherwise by its model, at the price of its time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.usage.prices import make_price
from repositories.usage import model_price
from runtime.database import Database
from runtime.identity import new_id
from tests.api.conftest import Caller, Tenant, good, refused
from tests.api.metering import event, import_prices, proven as proven, send, statuses
from tests.support.lots import buy

pytestmark = pytest.mark.db

NOW = datetime.now(UTC)
LONG_AGO = NOW - timedelta(days=300)
USED = {"input_tokens": 1000, "cached_tokens": 500, "output_tokens": 100}


@pytest.fixture(scope="module", autouse=True)
async def prices(database: Database) -> None:
    unit = {"input_tokens": "0.000002", "cached_tokens": "0.000001", "output_tokens": "0.000010"}
    await import_prices(database, "rated-1", LONG_AGO, **unit)
    dearer = {name: f"{price}5" for name, price in unit.items()}
    await import_prices(database, "rated-1", NOW - timedelta(days=2), **dearer)


async def logged(caller: Caller) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = good(await caller.get("/usage/logs?limit=200"))["data"]
    return found


async def test_call_costs_the_price_of_its_time(owner: Caller) -> None:
    now = event(data={"model": "rated-1", "usage": USED})
    past = event(data={"model": "rated-1", "usage": USED}, time=(NOW - timedelta(days=3)).isoformat())
    assert statuses(await send(owner, past, now)) == ["accepted", "accepted"]
    # By hand: 1,000 x 0.000002 + 500 x 0.000001 + 100 x 0.00001, and with 0.0000025, 0.0000015 and 0.0000105 each.
    newest, oldest = await logged(owner)
    assert (oldest["cost"], oldest["currency"], oldest["rated_by"]) == ("0.0035", "USD", "model")
    assert newest["cost"] == "0.0043"
    assert oldest["price_ref"].startswith("rated-1@v")
    assert oldest["price_ref"] != newest["price_ref"]
    assert (newest["creator_share"], newest["platform_share"]) == ("0", "0.0043")
    summary = good(await owner.get("/billing/usage?group_by=model"))
    assert summary["total"]["costs"] == [
        {"currency": "USD", "cost": "0.0078", "creator_share": "0", "platform_share": "0.0078"}
    ]
    assert (summary["total"]["input_tokens"], summary["total"]["cached_tokens"]) == (2000, 1000)


async def test_vendor_response_is_read_unchanged(owner: Caller) -> None:
    answer = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "rated-1",
        "usage": {
            "prompt_tokens": 1500,
            "completion_tokens": 100,
            "total_tokens": 1600,
            "prompt_tokens_details": {"cached_tokens": 500},
        },
    }
    assert statuses(await send(owner, event(data={"shape": "openai.chat", "answer": answer}))) == ["accepted"]
    [row] = await logged(owner)
    assert (row["model"], row["provider"], row["cost"]) == ("rated-1", "openai", "0.0043")
    assert row["usage"] == {**USED, "requests": 1}


async def test_usage_without_a_price_is_refused_and_never_free(owner: Caller) -> None:
    answer = await send(
        owner,
        event(data={"model": "unheard-of", "usage": USED}),
        event(data={"model": "rated-1", "usage": {"input_tokens": 1, "searches": 1}}),
        event(data={"model": "rated-1", "usage": USED}, time=None),
        event(data={"model": "rated-1", "usage": {"tokens": 1}}),
        event(data={"model": "rated-1", "usage": {"input_tokens": -1}}),
        event(data={"model": "rated-1", "usage": 5}),
        event(data={"shape": "openai.chat", "answer": {}}),
        event(data={"shape": "nobody's", "answer": {}}),
        event(data={"shape": "openai.chat", "answer": 5}),
    )
    assert statuses(answer) == [
        *("usage.model_unknown", "usage.unit_unpriced", "accepted", "request.invalid", "request.invalid"),
        *("usage.invalid_event", "usage.unreadable", "usage.unreadable", "usage.invalid_event"),
    ]
    assert len(await logged(owner)) == 1


async def test_image_in_a_response_costs_its_own_models_price(owner: Caller, database: Database) -> None:
    made = {"input_tokens": 10, "output_tokens": 100, "total_tokens": 110}
    answer: dict[str, Any] = {
        "model": "rated-1",
        "usage": {"input_tokens": 1000, "output_tokens": 100, "total_tokens": 1100},
        "tool_usage": {"image_gen": made, "web_search": {"num_requests": 0}},
        "tools": [{"type": "image_generation", "model": "painter"}],
    }
    nameless = event(data={"shape": "openai.responses", "answer": {**answer, "tools": []}})
    sent = event(data={"shape": "openai.responses", "answer": answer})
    assert statuses(await send(owner, nameless, sent)) == ["usage.invalid_event", "usage.model_unknown"]
    await import_prices(database, "painter", LONG_AGO, input_tokens="0.000005", image_output_tokens="0.00003")
    assert statuses(await send(owner, sent)) == ["accepted"]
    [row] = await logged(owner)
    # By hand: 1,000 x 0.0000025 + 100 x 0.0000105, and 10 x 0.000005 + 100 x 0.00003.
    assert row["cost"] == "0.0066"
    painted = {"input_tokens": 10, "image_output_tokens": 100, "requests": 1}
    assert row["usage"] == {
        **{"input_tokens": 1000, "output_tokens": 100, "requests": 1},
        "tools": [{"provider": "openai", "model": "painter", "usage": painted}],
    }
    estimate = good(await owner.post("/usage/estimate", {"shape": "openai.responses", "answer": answer}))
    assert estimate["cost"] == "0.0066"
    assert [(line["model"], line["unit"]) for line in estimate["lines"]] == [
        *(("rated-1", unit) for unit in ("input_tokens", "output_tokens")),
        *(("painter", unit) for unit in ("input_tokens", "image_output_tokens")),
    ]


async def test_refused_event_counts_once_its_model_has_a_price(owner: Caller, database: Database) -> None:
    sent = event(data={"model": "rated-later", "usage": {"input_tokens": 3}})
    assert statuses(await send(owner, sent)) == ["usage.model_unknown"]
    await import_prices(database, "rated-later", LONG_AGO, input_tokens="0.5")
    assert statuses(await send(owner, sent, sent)) == ["accepted", "duplicate"]
    assert [row["cost"] for row in await logged(owner)] == ["1.5"]


#: Next to nothing, so that it would save money where it took the place of a model's price.
CHEAP = {"model": "usage", "amount": "0.000001", "currency": "CREDIT"}


async def listed(tenant: Tenant) -> str:
    body = {"name": "Paid", "visibility": "public", "pricing": CHEAP}
    agent_id: str = good(await tenant.owner.post("/agents", body), 201)["id"]
    return agent_id


async def test_listing_price_neither_applies_to_its_own_organization_nor_replaces_the_model_price(
    new_tenant: Any, issue_key: Any, operator: Caller, stranger: Tenant
) -> None:
    creator = await new_tenant("owner")
    own, partner = await listed(creator), await listed(stranger)
    caller = await issue_key("agent", creator.org_id, own)
    call = {"model": "rated-1", "usage": USED}
    first, second, third = event(data=call), event(data={**call, "agent_id": own}), event()
    assert statuses(await send(caller, first, third)) == ["accepted"] * 2
    assert statuses(await send(creator.owner, second)) == ["accepted"]
    # What the platform's collector was told by a caller is counted, or the caller would have the call for nothing.
    collected = event(source="platform:collector", data={**call, "agent_id": partner})
    of = f"/usage/events?organization_id={creator.org_id}"
    assert statuses(await send(operator, collected, path=of)) == ["accepted"]
    rows = {row["event_id"]: row for row in await logged(creator.owner)}
    for each in (first, second, collected):
        row = rows[each["id"]]
        assert (row["rated_by"], row["cost"], row["creator_share"]) == ("model", "0.0043", "0")
    assert rows[third["id"]]["cost"] is None


async def test_run_cost_is_the_sum_of_its_events(owner: Caller) -> None:
    def call(step: str, parent: str | None, tokens: int) -> dict[str, Any]:
        data = {"run_id": "costly", "step_id": step, "parent_id": parent, "model": "rated-1"}
        return event(data={**data, "usage": {"output_tokens": tokens}}, time=(NOW - timedelta(days=4)).isoformat())

    await send(owner, call("plan", None, 1), call("search", "plan", 20), call("search", "plan", 300))
    shown = good(await owner.get("/usage/runs/costly"))
    assert shown["total"]["costs"] == {"USD": "0.00321"}
    steps = {step["step_id"]: (step["own"]["costs"]["USD"], step["total"]["costs"]["USD"]) for step in shown["steps"]}
    assert steps == {"plan": ("0.00001", "0.00321"), "search": ("0.0032", "0.0032")}
    assert shown["total"]["tokens"] == 321


# Estimates ------------------------------------------------------------------------------------------------------------


async def test_estimate_equals_the_event_cost_and_records_nothing(owner: Caller) -> None:
    body = {"model": "rated-1", "usage": USED}
    estimate = good(await owner.post("/usage/estimate", body))
    await send(owner, event(data=body))
    [row] = await logged(owner)
    assert estimate["cost"] == row["cost"] == "0.0043"
    assert estimate["price_ref"] == row["price_ref"]
    assert {line["unit"]: (line["quantity"], line["unit_price"], line["amount"]) for line in estimate["lines"]} == {
        "input_tokens": (1000, "0.0000025", "0.0025"),
        "cached_tokens": (500, "0.0000015", "0.00075"),
        "output_tokens": (100, "0.0000105", "0.00105"),
    }
    then = good(await owner.post("/usage/estimate", {**body, "at": LONG_AGO.isoformat()}))
    assert then["cost"] == "0.0035"


async def test_estimate_lists_the_credits_used_at_the_price_paid(
    new_tenant: Any, operator: Caller, database: Database
) -> None:
    tenant, body = await new_tenant("owner"), {"model": "rated-1", "usage": USED}
    await buy(database, tenant.org_id, "10000", 29_900)
    estimate = good(await tenant.owner.post("/usage/estimate", body))
    # 0.0043 USD, rounded up to the smallest part of a credit.
    taken = ("0.143813", {"amount": "0.0299", "currency": "USD"})
    assert (estimate["cost"], estimate["credits"], estimate["priced_at"]) == ("0.0043", *taken)
    platforms = good(await operator.post("/usage/estimate", body))
    assert (platforms["credits"], platforms["priced_at"]) == (None, None)


async def test_estimate_of_unrated_usage_gives_the_reason(owner: Caller, stranger: Tenant) -> None:
    refused(await owner.post("/usage/estimate", {"model": "unheard-of", "usage": USED}), 422, "usage.model_unknown")
    refused(await owner.post("/usage/estimate", {"model": "rated-1"}), 422, "request.invalid")
    refused(await owner.post("/usage/estimate", {"shape": "openai.chat", "answer": {}}), 422, "usage.unreadable")
    hidden = {"name": "H", "visibility": "private", "pricing": {"model": "usage", "amount": "1", "currency": "USD"}}
    agent = good(await stranger.owner.post("/agents", hidden), 201)["id"]
    refused(await owner.post("/usage/estimate", {"agent_id": agent}), 404, "not_found")
    # One does not pay oneself.
    refused(await stranger.owner.post("/usage/estimate", {"agent_id": agent}), 422, "request.invalid")


async def test_run_of_very_many_tokens_is_shown(owner: Caller) -> None:
    call = {"model": "rated-1", "usage": {"input_tokens": 3_000_000_000}, "run_id": "huge"}
    assert statuses(await send(owner, event(data=call))) == ["accepted"]
    assert good(await owner.get("/usage/runs/huge"))["total"]["tokens"] == 3_000_000_000


async def test_estimate_with_a_surcharge_repeated_many_times_succeeds(owner: Caller, database: Database) -> None:
    price = make_price(
        model="searching",
        provider="anthropic",
        currency="USD",
        version="searching-1",
        valid_from=LONG_AGO,
        tiers={"standard": [(0, {"input_tokens": "0.000003", "searches": "0.01"})]},
        uplifts={"geo:us": "1.1"},
    )
    async with database.platform() as session:
        await model_price.add(
            session, [price], version="searching-1", sha256=new_id("sha"), valid_from=LONG_AGO, entries=1
        )
    for uplifts in (["geo:us"] * 1_200, ["geo:us"] * 2, [f"geo:{number}" for number in range(9)]):
        body = {"model": "searching", "usage": {"searches": 1, "uplifts": uplifts}}
        problem = refused(await owner.post("/usage/estimate", body), 422, "request.invalid")
        assert problem["detail"] == "uplifts must be at most 8 names, each once."
