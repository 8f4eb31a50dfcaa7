"""Using credits over HTTP: what is charged, what is refused, and what a repeated request is answered."""

import asyncio
from typing import Any

import httpx2
import pytest
from sqlalchemy import text

from api.deps import Deps
from domain.common.errors import Unavailable
from ledger.spends import NewSpend, SpendOutcome, SpendResult
from runtime.database import Database
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.listing import check_range
from tests.api.spending import balance, grant, limit, use
from tests.conftest import DatabaseUrls
from tests.support.cases import for_each
from tests.support.connections import connected

pytestmark = pytest.mark.db


async def put_cost(operator: Caller, action: str, cost: str | None) -> None:
    good(await operator.ask("PUT", f"/credits/costs/{action}", json={"cost": cost}, key=new_key()))


async def test_action_is_charged_at_its_cost(spender: Tenant) -> None:
    used = await use(spender.member, action="workflow_execution", quantity=3, metadata={"model": "m", "tokens": 12})
    assert used["id"].startswith("spd_")
    assert (used["status"], used["amount"], used["available"]) == ("charged", "30.00", "70.00")
    assert (used["action"], used["quantity"], used["currency"]) == ("workflow_execution", 3, "CREDIT")
    assert await balance(spender.auditor) == ("70.00", "0.00")
    assert (await use(spender.member, action="api_call"))["amount"] == "1.00"


async def test_amount_is_charged_as_it_is(spender: Tenant) -> None:
    assert (await use(spender.member, amount="0.000001"))["available"] == "99.999999"
    named = await use(spender.member, amount=5, action="research")
    assert (named["amount"], named["action"]) == ("5.00", "research")


@for_each(
    "body",
    [
        {},
        {"action": "teleport"},
        {"action": "Api Call", "amount": "1"},
        {"amount": "0"},
        {"amount": "-1"},
        {"amount": "0.0000001"},
        {"action": "api_call", "quantity": 0},
        {"action": "api_call", "quantity": 1.5},
        {"action": "api_call", "quantity": "2"},
        {"action": "workflow_execution", "quantity": 10**9},
        {"action": "api_call", "agent_id": "agt_" + "0" * 26},
        {"action": "api_call", "department_id": "dep_" + "0" * 26},
        {"action": "api_call", "project_id": "prj_" + "0" * 26},
        {"action": "api_call", "run_id": "a\nb"},
        {"action": "api_call", "metadata": {"deep": {"er": 1}}},
        {"action": "api_call", "metadata": {str(number): 1 for number in range(21)}},
    ],
)
async def test_use_that_makes_no_sense_is_refused_and_charges_nothing(spender: Tenant, body: dict[str, Any]) -> None:
    refused(await spender.member.post("/credits/use", body, key=new_key()), 422, "request.invalid")
    assert await balance(spender.member) == ("100.00", "0.00")


async def test_use_needs_a_key(spender: Tenant) -> None:
    refused(await spender.member.post("/credits/use", {"action": "api_call"}), 400, "idempotency.missing")
    refused(await spender.member.post("/credits/use", {"action": "api_call"}, key="k" * 256), 422, "request.invalid")


async def test_pitfall_01_use_that_is_repeated_is_charged_once(spender: Tenant) -> None:
    key, body = new_key(), {"action": "api_call", "quantity": 7}
    answers = await asyncio.gather(*(spender.member.post("/credits/use", body, key=key) for _ in range(8)))
    assert len({answer.content for answer in answers}) == 1
    assert sorted(answer.headers.get("idempotent-replayed", "no") for answer in answers) == ["no", *["true"] * 7]
    assert await balance(spender.member) == ("93.00", "0.00")


async def test_key_of_another_use_is_refused(spender: Tenant) -> None:
    key = new_key()
    await use(spender.member, action="api_call", key=key)
    for body in ({"action": "api_call", "quantity": 2}, {"action": "workflow_execution"}, {"amount": "2"}):
        refused(await spender.member.post("/credits/use", body, key=key), 422, "idempotency.conflict")
    assert await balance(spender.member) == ("99.00", "0.00")


async def test_books_have_the_answer_to_a_key_and_none_is_claimed(spender: Tenant, database: Database) -> None:
    used, refused_key, items = new_key(), new_key(), [{"key": new_key(), "amount": "1"} for _ in range(2)]
    await use(spender.member, amount="1", key=used)
    await spender.member.post("/credits/use", {"amount": "1000"}, key=refused_key)
    good(await spender.member.post("/credits/use/batch", {"items": items}))
    held, ended = new_key(), new_key()
    made = good(await spender.member.post("/credits/reserve", {"amount": "2"}, key=held), 201)
    good(await spender.member.post(f"/credits/reservations/{made['id']}/capture", {}, key=ended))
    keys = [used, refused_key, held, ended, *(item["key"] for item in items)]
    async with database.platform() as session:
        claimed = await session.scalar(text("SELECT count(*) FROM idempotency_keys WHERE key = ANY (:k)"), {"k": keys})
    assert claimed == 0


async def test_principals_choose_their_keys_apart(spender: Tenant) -> None:
    first = await use(spender.member, action="api_call", key="job-1")
    second = await use(spender.owner, action="workflow_execution", key="job-1")
    assert first["id"] != second["id"]
    assert await balance(spender.member) == ("89.00", "0.00")


async def test_longest_names_make_a_key_that_the_books_take(spender: Tenant, issue_key: Any) -> None:
    caller = await issue_key("member", spender.org_id, principal="p" * 100)
    first = await use(caller, action="api_call", key="k" * 255)
    assert (await use(caller, action="api_call", key="k" * 255)) == first
    assert (await use(caller, action="api_call", key="k" * 254 + "x"))["id"] != first["id"]


async def test_repeated_use_keeps_the_price_of_its_first_time(spender: Tenant, operator: Caller) -> None:
    action, key = f"search_{spender.org_id[-8:]}", new_key()
    await put_cost(operator, action, "4")
    first = await use(spender.member, action=action, quantity=2, key=key)
    await put_cost(operator, action, "5")
    assert await use(spender.member, action=action, quantity=2, key=key) == first
    assert (await use(spender.member, action=action))["amount"] == "5.00"
    await put_cost(operator, action, None)
    assert await use(spender.member, action=action, quantity=2, key=key) == first
    refused(await spender.member.post("/credits/use", {"action": action}, key=new_key()), 422, "request.invalid")


async def test_free_action_is_noted_and_costs_nothing(spender: Tenant, operator: Caller) -> None:
    action = f"ping_{spender.org_id[-8:]}"
    await put_cost(operator, action, "0")
    assert (await use(spender.member, action=action))["amount"] == "0.00"
    assert [one["action"] for one in good(await spender.member.get("/credits/usage"))["data"]] == [action]


async def test_use_beyond_the_balance_is_refused_for_good_under_its_key(spender: Tenant, operator: Caller) -> None:
    key, body = new_key(), {"amount": "100.000001"}
    document = refused(await spender.member.post("/credits/use", body, key=key), 402, "ledger.insufficient_funds")
    assert (document["needed"], document["available"], document["currency"]) == ("100.000001", "100.00", "CREDIT")
    await grant(operator, spender.org_id)
    refused(await spender.member.post("/credits/use", body, key=key), 402, "ledger.insufficient_funds")
    assert (await use(spender.member, **body))["available"] == "99.999999"


async def test_limit_refuses_and_says_what_is_left_until_when(spender: Tenant, database: Database) -> None:
    await limit(database, spender.org_id, day=10_000_000, lifetime=50_000_000)
    await use(spender.member, amount="8")
    document = refused(
        await spender.member.post("/credits/use", {"amount": "3"}, key=new_key()), 402, "spend.limit_exceeded"
    )
    assert document["control_id"].startswith("ctl_")
    assert document["subject"] == {"type": "organization", "id": spender.org_id}
    assert (document["window"], document["limit"], document["remaining"]) == ("day", "10.00", "2.00")
    assert document["resets_at"].endswith("T00:00:00Z")
    assert (await use(spender.member, amount="2"))["available"] == "90.00"


async def test_agent_spends_for_itself_whatever_it_leaves_out(spender: Tenant, database: Database) -> None:
    await limit(database, spender.org_id, ("agent", spender.agent_id), day=5_000_000)
    assert (await use(spender.agent, amount="5"))["agent_id"] == spender.agent_id
    refused(await spender.agent.post("/credits/use", {"amount": "1"}, key=new_key()), 402, "spend.limit_exceeded")
    # A member who names the agent meets its limit as well.
    body = {"amount": "1", "agent_id": spender.agent_id}
    refused(await spender.member.post("/credits/use", body, key=new_key()), 402, "spend.limit_exceeded")
    assert (await use(spender.member, amount="1"))["agent_id"] is None


async def test_agent_names_no_other_agent(spender: Tenant, operator: Caller) -> None:
    other = good(await operator.post("/agents", {"name": "Other", "organization_id": spender.org_id}), 201)
    body = {"amount": "1", "agent_id": other["id"]}
    refused(await spender.agent.post("/credits/use", body, key=new_key()), 422, "request.invalid")
    assert (await use(spender.member, **body))["agent_id"] == other["id"]


async def test_nobody_spends_for_an_agent_of_others(spender: Tenant, stranger: Tenant) -> None:
    body = {"amount": "1", "agent_id": stranger.agent_id}
    refused(await spender.member.post("/credits/use", body, key=new_key()), 422, "request.invalid")


async def test_uses_that_arrive_together_are_each_answered_by_themselves(spender: Tenant, database: Database) -> None:
    await limit(database, spender.org_id, day=20_000_000)
    taken = new_key()
    await use(spender.member, amount="0.5", key=taken)
    bodies = [({"amount": "1"}, new_key()) for _ in range(40)]
    bodies += [({"amount": "9"}, taken), ({"action": "teleport"}, new_key()), ({"amount": "1000"}, new_key())]
    answers = await asyncio.gather(*(spender.member.post("/credits/use", body, key=key) for body, key in bodies))
    codes = [answer.json().get("code", "charged") for answer in answers]
    assert (codes[:40].count("charged"), codes[:40].count("spend.limit_exceeded")) == (19, 21)
    assert codes[40:] == ["idempotency.conflict", "request.invalid", "spend.limit_exceeded"]
    assert len({answer.json()["id"] for answer in answers if answer.status_code == 201}) == 19
    assert await balance(spender.member) == ("80.50", "0.00")


async def test_organizations_that_use_at_once_share_a_transaction_and_wait_for_nobody(
    deps: Deps, database_urls: DatabaseUrls, new_tenant: Any, operator: Caller
) -> None:
    ids = [(await new_tenant("owner")).org_id for _ in range(6)]
    for org_id in ids:
        await grant(operator, org_id, "1")
    first, busy, *_ = ids

    def charge(org_id: str, amount_minor: int = 1) -> asyncio.Task[SpendResult]:
        one = NewSpend(key=new_key(), action="a", amount_minor=amount_minor)
        return asyncio.create_task(deps.charges.charge(org_id, one))

    async with connected(database_urls.owner) as owner:
        async with owner.transaction():
            await owner.execute("SELECT FROM ledger.balances WHERE org_id = $1 FOR UPDATE", busy)
            held = charge(busy)
            answers = await asyncio.gather(*(charge(org_id) for org_id in ids if org_id != busy), charge(first))
            shared = await owner.fetch(
                "SELECT DISTINCT xmin FROM ledger.spends WHERE id = ANY ($1)", [one.spend_id for one in answers[1:5]]
            )
            outcomes = [one.outcome for one in await asyncio.gather(charge(ids[2]), charge(ids[3], 10**7))]
            assert not held.done()
        assert [answer.available_minor for answer in answers] == [999_999] * 5 + [999_998]
        assert len(shared) == 1
        assert outcomes == [SpendOutcome.CHARGED, SpendOutcome.INSUFFICIENT]
        assert (await held).available_minor == 999_999


async def test_caller_who_leaves_takes_nobody_along(spender: Tenant) -> None:
    calls = [asyncio.create_task(use(spender.member, amount="1")) for _ in range(10)]
    await asyncio.sleep(0)
    calls[0].cancel()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert [answer["amount"] for answer in answers if isinstance(answer, dict)] == ["1.00"] * 9


async def test_charges_that_still_wait_when_the_server_stops_are_told_to_repeat(deps: Deps, spender: Tenant) -> None:
    from api.charges import Charges

    class Stuck:
        async def read(self, _statement: Any) -> Any:
            await asyncio.Event().wait()

    charges = Charges(Stuck())
    waiting = [
        asyncio.create_task(charges.charge(spender.org_id, NewSpend(key=str(n), action="a", amount_minor=1)))
        for n in range(3)
    ]
    await asyncio.sleep(0)
    await charges.close()
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(answer) for answer in answers] == [Unavailable] * 3


async def test_others_see_nothing_of_it(spender: Tenant, stranger: Tenant) -> None:
    used = await use(spender.member, amount="1")
    assert used["id"] not in (await stranger.owner.get("/credits/usage")).text
    refused(await stranger.owner.get(f"/credits/reservations/{used['id']}"), 404, "not_found")
    refused(await stranger.owner.get(f"/credits/usage?organization_id={spender.org_id}"), 404, "not_found")


async def test_usage_is_listed_newest_first_by_what_is_asked(spender: Tenant) -> None:
    made = [
        await use(spender.member, action="api_call", metadata={"model": "small"}),
        await use(spender.agent, action="workflow_execution", run_id="run-1", metadata={"model": "large"}),
        await use(spender.member, action="api_call", quantity=2, run_id="run-1"),
    ]
    ids = [one["id"] for one in made]

    async def listed(query: str) -> list[str]:
        return [one["id"] for one in good(await spender.auditor.get(f"/credits/usage?{query}"))["data"]]

    assert await listed("") == ids[::-1]
    assert await listed("action=api_call") == [ids[2], ids[0]]
    assert await listed("run_id=run-1") == [ids[2], ids[1]]
    assert await listed(f"agent_id={spender.agent_id}") == [ids[1]]
    assert await listed("status=released") == []
    assert await listed("status=released,charged") == ids[::-1]
    assert await listed("min_amount=1000") == []
    await check_range(spender.auditor, "/credits/usage", "created_at")
    assert await listed("from=2999-01-01T00:00:00Z") == []
    assert await listed("to=2999-01-01T00:00:00Z&from=2000-01-01T00:00:00Z") == ids[::-1]
    page = good(await spender.auditor.get("/credits/usage?limit=2"))
    assert [one["id"] for one in page["data"]] == ids[:0:-1]
    rest = good(await spender.auditor.get(f"/credits/usage?limit=2&cursor={page['next_cursor']}"))
    assert ([one["id"] for one in rest["data"]], rest["next_cursor"]) == ([ids[0]], None)
    first = page["data"][1]
    assert (first["captured"], first["metadata"], first["principal"]) == (
        "10.00",
        {"model": "large"},
        first["principal"],
    )


async def test_summary_adds_up_to_its_total_in_every_list(spender: Tenant, operator: Caller) -> None:
    await use(spender.member, action="api_call", quantity=2, metadata={"model": "small"})
    await use(spender.agent, action="workflow_execution", metadata={"model": "large"})
    await use(spender.agent, action="api_call", metadata={"model": "large"})
    summary = good(await spender.auditor.get("/credits/usage/summary"))
    assert summary["total"] == {"key": None, "amount": "13.00", "held": "0.00", "quantity": 4, "count": 3}

    def amounts(name: str) -> dict[str | None, str]:
        return {one["key"]: one["amount"] for one in summary[name]}

    assert amounts("by_action") == {"workflow_execution": "10.00", "api_call": "3.00"}
    assert amounts("by_agent") == {spender.agent_id: "11.00", None: "2.00"}
    assert amounts("by_model") == {"large": "11.00", "small": "2.00"}
    assert amounts("by_department") == {None: "13.00"}
    assert list(amounts("by_day").values()) == ["13.00"]
    of = f"/credits/usage/summary?organization_id={spender.org_id}"
    assert good(await operator.get(of))["total"] == summary["total"]
    empty = good(await spender.auditor.get("/credits/usage/summary?from=2001-01-01T00:00:00Z&to=2001-02-01T00:00:00Z"))
    assert (empty["total"]["count"], empty["by_action"]) == (0, [])


@pytest.mark.parametrize(
    "term", ["from=2001-02-01T00:00:00Z&to=2001-01-01T00:00:00Z", "from=2001-01-01T00:00:00Z&to=2002-01-01T00:00:00Z"]
)
async def test_term_of_a_summary_is_bounded(spender: Tenant, term: str) -> None:
    refused(await spender.auditor.get(f"/credits/usage/summary?{term}"), 422, "request.invalid")


async def test_batch_answers_each_item_by_itself(spender: Tenant, database: Database) -> None:
    await limit(database, spender.org_id, day=20_000_000)
    taken = new_key()
    await use(spender.member, amount="1", key=taken)
    items = [
        {"key": "one", "action": "api_call"},
        {"key": "two", "amount": "90"},
        {"key": "three", "action": "teleport"},
        {"amount": "1"},
        "nonsense",
        {"key": taken, "amount": "5"},
        {"key": taken, "amount": "1"},
        {"key": "one", "action": "api_call"},
        {"key": "four", "amount": "1", "agent_id": spender.agent_id},
    ]
    answer = good(await spender.member.post("/credits/use/batch", {"items": items}))
    shown = [(one["key"], one["status"], one["replayed"]) for one in answer["data"]]
    assert shown == [
        ("one", "charged", False),
        ("two", "refused", False),
        ("three", "invalid", False),
        (None, "invalid", False),
        (None, "invalid", False),
        (taken, "conflict", True),
        (taken, "charged", True),
        ("one", "charged", True),
        ("four", "charged", False),
    ]
    assert answer["data"][1]["error"]["code"] == "spend.limit_exceeded"
    assert answer["data"][2]["error"]["field"] == "action"
    assert answer["data"][7]["id"] == answer["data"][0]["id"]
    assert await balance(spender.member) == ("97.00", "0.00")
    # Item by item it is the same again.
    assert (await use(spender.member, action="api_call", key="one"))["id"] == answer["data"][0]["id"]
    again = good(await spender.member.post("/credits/use/batch", {"items": items}))
    assert [one.get("id") for one in again["data"]] == [one.get("id") for one in answer["data"]]
    assert await balance(spender.member) == ("97.00", "0.00")


async def test_batch_of_thousands_is_charged_exactly(spender: Tenant) -> None:
    items = [{"key": f"call-{number}", "amount": "0.01"} for number in range(5000)]
    answer = good(await spender.member.post("/credits/use/batch", {"items": items}))
    assert {one["status"] for one in answer["data"]} == {"charged"}
    assert await balance(spender.member) == ("50.00", "0.00")


async def test_batch_that_is_too_long_or_empty_is_refused(spender: Tenant) -> None:
    for items in ([], [{"key": str(number), "amount": "1"} for number in range(5001)]):
        refused(await spender.member.post("/credits/use/batch", {"items": items}), 422, "request.invalid")


async def test_both_prefixes_serve_it(spender: Tenant) -> None:
    answer: httpx2.Response = await spender.member.post("/api/credits/use", {"action": "api_call"}, key=new_key())
    assert answer.status_code == 201
