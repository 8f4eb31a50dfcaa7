"""Revenue over HTTP: booked revenue counts at once, reported revenue once it is confirmed, by its shares."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy.exc import DBAPIError

from domain.common.access import Actor, Role
from domain.escrow import commands
from models.billing.project import Project
from repositories.returns import revenue_event
from runtime.database import Database
from runtime.identity import new_id
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.escrowing import delivered_escrow, state, write
from tests.api.metering import event, import_prices, send
from tests.api.purchasing import budget, paid, proposed
from tests.api.spending import grant, use
from tests.api.test_marketplace import made, site  # noqa: F401 - a fixture
from tests.conftest import DatabaseUrls
from tests.support.proving import prove
from tests.support.returns import buys

pytestmark = pytest.mark.db

ROLES = ("owner", "member", "finance", "agent", "auditor")
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)
SALE = {"source": "app_store", "reference": "2026-01/1", "amount": "24", "currency": "USD"}


@pytest.fixture(autouse=True, scope="module")
async def proven(database_urls: DatabaseUrls) -> AsyncIterator[None]:
    yield
    await prove(database_urls, revenue_event.INVARIANTS)


@pytest.fixture
async def studio(new_tenant: Any) -> Tenant:
    tenant: Tenant = await new_tenant(*ROLES)
    return tenant


async def reported(caller: Caller, **changes: Any) -> dict[str, Any]:
    row: dict[str, Any] = good(await caller.post("/revenue", {**SALE, **changes}, key=new_key()), 201)
    return row


async def acted(caller: Caller, row: dict[str, Any], act: str, body: Any = None) -> dict[str, Any]:
    after: dict[str, Any] = good(await caller.post(f"/revenue/{row['id']}/{act}", body, key=new_key()))
    return after


async def roi(caller: Caller, query: str = "") -> dict[str, Any]:
    found: dict[str, Any] = good(await caller.get(f"/economics/roi?{query}"))
    return found


async def confirmed(caller: Caller) -> str:
    return str((await roi(caller))["total"]["revenue"]["confirmed"])


async def test_agent_that_reports_five_times_its_revenue_gains_nothing(studio: Tenant) -> None:
    row = await reported(studio.agent, amount="120")
    assert (row["agent_id"], row["status"]) == (studio.agent_id, "reported")
    [figures] = (await roi(studio.owner))["data"]
    assert (figures["revenue"]["reported"], figures["revenue"]["confirmed"]) == ("120.00", "0.00")
    assert (figures["margin"], figures["roi"]) == ("0.00", None)
    refused(await studio.agent.post(f"/revenue/{row['id']}/confirm", {}, key=new_key()), 403, "auth.forbidden")
    line = {"reference": row["reference"], "amount": "24", "currency": "USD"}
    body = {"source": "app_store", "lines": [line, {**line, "reference": "other"}]}
    done = good(await studio.finance.post("/revenue/confirm", body, key=new_key()))
    [after] = done["changed"]
    assert (after["amount"], after["reported_amount"], after["status"]) == ("24.00", "120.00", "confirmed")
    assert done["unknown"] == ["other"]
    again = good(await studio.finance.post("/revenue/confirm", body, key=new_key()))
    assert again == {"changed": [], "unknown": ["other"]}
    assert await confirmed(studio.owner) == "24.00"


async def test_reported_revenue_is_decided_once_and_taken_back_outside(studio: Tenant) -> None:
    row = await reported(studio.member, agent_id=studio.agent_id)
    assert await reported(studio.owner, agent_id=studio.agent_id) == row
    other = {**SALE, "agent_id": studio.agent_id, "amount": "25"}
    assert refused(await studio.member.post("/revenue", other, key=new_key()), 409, "revenue.exists")["revenue_id"]
    refused(await studio.member.post(f"/revenue/{row['id']}/confirm", {}, key=new_key()), 403, "auth.forbidden")
    refused(
        await studio.owner.post(f"/revenue/{row['id']}/reverse", {"reversed_amount": "1"}, key=new_key()),
        *(409, "revenue.wrong_state"),
    )
    await acted(studio.owner, row, "confirm", {})
    # A request that is repeated after its answer was lost, and no other one.
    for body in ({}, {"amount": "24"}):
        assert (await acted(studio.owner, row, "confirm", body))["amount"] == "24.00"
    for caller, body in ((studio.owner, {"amount": "23"}), (studio.finance, {})):
        again = await caller.post(f"/revenue/{row['id']}/confirm", body, key=new_key())
        refused(again, 409, "revenue.wrong_state")
    refused(await studio.owner.post(f"/revenue/{row['id']}/reject", key=new_key()), 409, "revenue.wrong_state")
    after = await acted(studio.finance, row, "reverse", {"reversed_amount": "4"})
    assert (after["status"], await confirmed(studio.owner)) == ("confirmed", "20.00")
    assert (await acted(studio.finance, row, "reverse", {"reversed_amount": "24"}))["status"] == "reversed"
    assert await confirmed(studio.owner) == "0.00"
    too_much = {"reversed_amount": "24.01"}
    refused(await studio.owner.post(f"/revenue/{row['id']}/reverse", too_much, key=new_key()), 422, "request.invalid")
    gone = await reported(studio.owner, reference="made up")
    for _ in range(2):
        assert (await acted(studio.owner, gone, "reject"))["status"] == "rejected"
    assert (await roi(studio.owner))["total"]["revenue"] == {
        "reported": "0.00",
        "confirmed": "0.00",
        "rejected": "24.00",
        "reversed": "24.00",
    }


async def test_statement_that_says_nothing_of_reversals_leaves_what_was_taken_back(studio: Tenant) -> None:
    row = await reported(studio.member)
    line: dict[str, Any] = {"reference": row["reference"], "amount": "24", "currency": "USD"}

    async def settle(**more: str) -> list[dict[str, Any]]:
        body = {"source": "app_store", "lines": [line | more]}
        changed: list[dict[str, Any]] = good(await studio.finance.post("/revenue/confirm", body, key=new_key()))[
            "changed"
        ]
        return changed

    await settle()
    await acted(studio.finance, row, "reverse", {"reversed_amount": "4"})
    assert await settle() == []
    assert await confirmed(studio.owner) == "20.00"
    [after] = await settle(reversed_amount="0")
    assert after["reversed_amount"] == "0.00"


async def test_who_holds_the_key_of_an_agent_does_not_confirm_what_it_reported(
    studio: Tenant, operator: Caller
) -> None:
    key = {"principal": "turned", "role": "agent", "agent_id": studio.agent_id}
    issued = good(await studio.owner.post("/api-keys", key), 201)
    row = await reported(Caller(studio.owner.http, issued["secret"], studio.org_id))
    # A principal has one role at a time.
    good(await studio.owner.delete(f"/api-keys/{issued['id']}"))
    person = {"principal": "turned", "role": "finance"}
    both = Caller(studio.owner.http, good(await studio.owner.post("/api-keys", person), 201)["secret"], studio.org_id)
    refused(await both.post(f"/revenue/{row['id']}/confirm", {}, key=new_key()), 403, "approval.own")
    lines = [{"reference": row["reference"], "amount": "24", "currency": "USD"}]
    body = {"source": "app_store", "lines": lines}
    refused(await both.post("/revenue/confirm", body, key=new_key()), 403, "approval.own")
    wanted = {"principal": "slipped", "role": "finance", "organization_id": studio.org_id}
    slipped = Caller(operator.http, good(await operator.post("/api-keys", wanted), 201)["secret"], studio.org_id)
    for path, asked in ((f"/revenue/{row['id']}/confirm", {}), ("/revenue/confirm", body)):
        refused(await slipped.post(path, asked, key=new_key()), 403, "api_key.operator_issued")
    assert (await acted(studio.owner, row, "confirm", {}))["confirmed_by"].startswith(studio.org_id)


async def test_reports_name_own_agents_and_the_past_and_nothing_of_the_books(studio: Tenant, new_tenant: Any) -> None:
    other: Tenant = await new_tenant("owner", "agent")
    for changes, status in (
        ({"agent_id": other.agent_id}, 404),
        ({"source": "escrow"}, 422),
        ({"occurred_at": (datetime.now(UTC) + timedelta(days=1)).isoformat()}, 422),
        ({"evidence": "card 4242 4242 4242 4242"}, 422),
    ):
        answer = await studio.owner.post("/revenue", {**SALE, **changes}, key=new_key())
        assert answer.status_code == status, answer.text
    mine = good(await studio.owner.post("/agents", {"name": "Second"}), 201)["id"]
    refused(await studio.agent.post("/revenue", {**SALE, "agent_id": mine}, key=new_key()), 404, "not_found")
    row = await reported(studio.owner, agent_id=mine)
    refused(await studio.agent.get(f"/revenue/{row['id']}"), 404, "not_found")
    refused(await other.owner.get(f"/revenue/{row['id']}"), 404, "not_found")
    refused(await other.owner.post(f"/revenue/{row['id']}/confirm", {}, key=new_key()), 404, "not_found")
    assert good(await studio.agent.get("/revenue"))["data"] == []
    assert good(await studio.auditor.get("/revenue?status=reported"))["data"] == [row]


async def test_shares_make_a_whole_and_each_change_is_a_version(studio: Tenant) -> None:
    second = good(await studio.owner.post("/agents", {"name": "Second"}), 201)["id"]
    row = await reported(studio.owner, agent_id=studio.agent_id, amount="10", run_id="run-1")
    await acted(studio.owner, row, "confirm", {})

    async def share(body: dict[str, Any], caller: Caller = studio.owner) -> httpx2.Response:
        return await caller.ask("PUT", f"/revenue/{row['id']}/shares", json=body)

    parts = [{"agent_id": studio.agent_id, "weight": 1}, {"agent_id": second, "weight": 2}]
    done = good(await share({"rule": "manual", "parts": parts, "version": 0}))
    assert [part["bps"] for part in done["shares"]] == [3333, 6667]
    earned = {each["id"]: each["revenue"]["confirmed"] for each in (await roi(studio.owner))["data"]}
    assert earned == {studio.agent_id: "3.33", second: "6.67"}
    assert good(await studio.owner.get(f"/revenue?agent_id={second}"))["data"] == [done]
    assert good(await share({"rule": "manual", "parts": parts, "version": 0})) == done
    equal = [{"agent_id": part["agent_id"]} for part in parts]
    refused(await share({"rule": "equal", "parts": equal, "version": 0}), 409, "revenue.stale")
    refused(await share({"rule": "fixed", "parts": parts}), 422, "request.invalid")
    refused(await share({"rule": "run"}), 422, "request.invalid")
    refused(await share({"rule": "direct"}, studio.agent), 403, "auth.forbidden")
    assert good(await share({"rule": "direct"}))["shares_version"] == 2
    assert [each["id"] for each in (await roi(studio.owner))["data"]] == [studio.agent_id]


async def test_run_shares_revenue_by_what_each_agent_cost_in_it(studio: Tenant, database: Database) -> None:
    second = good(await studio.owner.post("/agents", {"name": "Second"}), 201)["id"]
    await import_prices(database, "shared-1", LONG_AGO, input_tokens="0.001")
    for agent, tokens in ((studio.agent_id, 1000), (second, 3000)):
        data = {"model": "shared-1", "agent_id": agent, "run_id": "run-1", "usage": {"input_tokens": tokens}}
        assert (await send(studio.owner, event(data=data)))["accepted"] == 1
    row = await reported(studio.owner, agent_id=studio.agent_id, run_id="run-1")
    done = good(await studio.owner.ask("PUT", f"/revenue/{row['id']}/shares", json={"rule": "run"}))
    assert {part["agent_id"]: part["bps"] for part in done["shares"]} == {studio.agent_id: 2500, second: 7500}


async def a_project(tenant: Tenant, database: Database) -> str:
    """Make a project, whatever the plan allows."""
    id = new_id("prj")
    async with database.platform() as session:
        made = {"created_by": "t", "created_at": datetime.now(UTC), "occupies_slot": False, "command_id": id}
        session.add(Project(id=id, org_id=tenant.org_id, slug=id[-20:], name="Game", **made))
    return id


async def test_revenue_that_names_no_project_belongs_to_the_project_of_its_agent(
    operator: Caller, studio: Tenant, database: Database
) -> None:
    await grant(operator, studio.org_id)
    game, page = await a_project(studio, database), await a_project(studio, database)
    second = good(await studio.owner.post("/agents", {"name": "Second"}), 201)["id"]

    async def moves(agent: str, project: str) -> None:
        good(await studio.owner.ask("PUT", f"/agents/{agent}/attribution", json={"project_id": project}))

    async def by_project() -> dict[str | None, tuple[str, str | None]]:
        found = (await roi(studio.owner, "scope=project&currency=CREDIT"))["data"]
        return {each["id"]: (each["revenue"]["confirmed"], each["roi"]) for each in found}

    async def share(rule: str, *parts: dict[str, Any]) -> list[tuple[str, str, int]]:
        body = {"rule": rule, **({"parts": list(parts)} if parts else {})}
        done = good(await studio.owner.ask("PUT", f"/revenue/{row['id']}/shares", json=body))
        return [(part["agent_id"], part["project_id"], part["bps"]) for part in done["shares"]]

    await moves(studio.agent_id, game)
    await use(studio.agent, amount="10", action="generate")
    row = await reported(studio.agent, amount="40", currency="CREDIT", run_id="run-1")
    assert row["project_id"] == game
    await acted(studio.owner, row, "confirm", {})
    assert await by_project() == {game: ("40.00", "3")}
    # What is reported again is what was reported, whatever the agent belongs to by now.
    await moves(studio.agent_id, page)
    assert (await reported(studio.agent, amount="40", currency="CREDIT", run_id="run-1"))["project_id"] == game
    named = {"amount": "40", "currency": "CREDIT", "project_id": page}
    refused(await studio.agent.post("/revenue", {**SALE, **named}, key=new_key()), 409, "revenue.exists")
    await moves(studio.agent_id, game)
    await moves(second, page)
    both = [{"agent_id": each, "weight": 1} for each in (studio.agent_id, second)]
    assert await share("manual", *both) == [(studio.agent_id, game, 5000), (second, page, 5000)]
    assert await by_project() == {game: ("20.00", "1"), page: ("20.00", None)}
    assert await share("manual", both[0], {**both[1], "project_id": game}) == [
        (studio.agent_id, game, 5000),
        (second, game, 5000),
    ]
    twice = {"rule": "manual", "parts": [both[0], {**both[0], "project_id": game}]}
    refused(await studio.owner.ask("PUT", f"/revenue/{row['id']}/shares", json=twice), 422, "request.invalid")


async def test_shares_by_the_run_of_revenue_of_no_project_are_of_the_projects_of_their_agents(
    studio: Tenant, database: Database
) -> None:
    await import_prices(database, "shared-2", LONG_AGO, input_tokens="0.001")
    project = await a_project(studio, database)
    data = {"model": "shared-2", "agent_id": studio.agent_id, "run_id": "run-2", "usage": {"input_tokens": 1000}}
    assert (await send(studio.owner, event(data=data)))["accepted"] == 1
    row = await reported(studio.owner, run_id="run-2")
    assert row["project_id"] is None
    attribution = f"/agents/{studio.agent_id}/attribution"
    good(await studio.owner.ask("PUT", attribution, json={"project_id": project}))
    [part] = good(await studio.owner.ask("PUT", f"/revenue/{row['id']}/shares", json={"rule": "run"}))["shares"]
    assert (part["agent_id"], part["project_id"]) == (studio.agent_id, project)


async def test_escrow_brings_revenue_to_whom_it_pays_and_costs_to_whom_it_does_not(
    operator: Caller, new_tenant: Any, database: Database
) -> None:
    payer, payee = await new_tenant("owner"), await new_tenant("owner", "agent")
    await grant(operator, payer.org_id)
    signer = good(await payer.owner.get("/me"))["principal"]
    now = datetime.now(UTC)
    escrow = await delivered_escrow(operator, database, payer, payee, signer, times=1, at=now)
    assert good(await payee.owner.get("/revenue"))["data"] == []
    actor = Actor(principal=signer, role=Role.OWNER, org_id=payer.org_id)
    await write(
        database, commands.approve(await state(database, escrow), signatory=signer, actor=actor, now=now), at=now
    )
    [row] = good(await payee.owner.get("/revenue"))["data"]
    assert (row["source"], row["reference"], row["agent_id"]) == ("escrow", escrow, payee.agent_id)
    assert (row["amount"], row["commission"], row["status"]) == ("1.00", "0.05", "confirmed")
    [earned], [spent] = [(await roi(each.owner, "currency=CREDIT"))["data"] for each in (payee, payer)]
    assert (earned["margin"], earned["costs"]["commission"], earned["roi"]) == ("0.95", "0.05", "19")
    assert (spent["costs"]["shared"], spent["roi"]) == ("1.00", "-1")
    refused(await payee.owner.post(f"/revenue/{row['id']}/reject", key=new_key()), 409, "revenue.wrong_state")
    body = {"reversed_amount": "1"}
    refused(await payee.owner.post(f"/revenue/{row['id']}/reverse", body, key=new_key()), 409, "revenue.wrong_state")


async def test_organization_that_pays_its_own_agent_earns_nothing_and_spends_the_commission(
    operator: Caller, studio: Tenant, database: Database
) -> None:
    await grant(operator, studio.org_id)
    signer = good(await studio.owner.get("/me"))["principal"]
    now = datetime.now(UTC)
    escrow = await delivered_escrow(operator, database, studio, studio, signer, times=1, at=now)
    actor = Actor(principal=signer, role=Role.OWNER, org_id=studio.org_id)
    await write(
        database, commands.approve(await state(database, escrow), signatory=signer, actor=actor, now=now), at=now
    )
    assert good(await studio.owner.get("/revenue"))["data"] == []
    assert (await roi(studio.owner, "currency=CREDIT"))["total"]["total_costs"] == "0.05"


async def test_sale_counts_until_it_is_refunded_and_no_statement_restores_it(
    operator: Caller,
    new_tenant: Any,
    site: httpx2.AsyncClient,  # noqa: F811
    database: Database,
) -> None:
    buyer, seller = await made(new_tenant, site), await made(new_tenant, site)
    await grant(operator, buyer.org_id)
    id = good(await seller.owner.post("/agents", {"name": "Writer"}), 201)["id"]
    good(await seller.owner.ask("PUT", f"/marketplace/agents/{id}", json={"model": "one_time", "price": "50"}))
    bought = good(await buyer.owner.post(f"/marketplace/agents/{id}/purchase", {}, key=new_key()), 201)
    [row] = good(await seller.owner.get("/revenue"))["data"]
    assert (row["amount"], row["commission"], row["reference"]) == ("50.00", "5.00", bought["purchase"]["id"])
    good(await buyer.owner.post(f"/marketplace/purchases/{bought['purchase']['id']}/refund", {}, key=new_key()))
    [after] = good(await seller.owner.get("/revenue"))["data"]
    assert (after["status"], after["reversed_amount"], after["commission"]) == ("reversed", "50.00", "0.00")
    [figures] = (await roi(seller.owner, "currency=CREDIT"))["data"]
    assert (figures["margin"], figures["revenue"]["reversed"]) == ("0.00", "50.00")
    line = {"reference": row["reference"], "amount": "50", "currency": "CREDIT", "reversed_amount": "1"}
    body = {"source": "marketplace", "lines": [line]}
    refused(await seller.owner.post("/revenue/confirm", body, key=new_key()), 422, "request.invalid")
    async with database.platform() as session:
        (await revenue_event.get(session, row["id"])).reversed_minor = 0
        with pytest.raises(DBAPIError, match="revenue_events"):
            await session.flush()
        await session.rollback()


async def test_costs_are_counted_once_as_what_was_paid_and_named_where_they_are_listed(
    operator: Caller, studio: Tenant, database: Database
) -> None:
    await grant(operator, studio.org_id, "1")
    await buys(database, studio.org_id, 100, 499)
    await import_prices(database, "once-1", LONG_AGO, input_tokens="1")
    spend = await use(studio.agent, amount="3", action="generate")
    data = {"model": "once-1", "agent_id": studio.agent_id, "usage": {"input_tokens": 2}}
    sent = await send(studio.owner, event(data=data), event(data={**data, "spend_id": spend["id"]}))
    assert sent["accepted"] == 2, sent
    await budget(database, studio.org_id, ("agent", studio.agent_id), day=100)
    await paid(studio.agent, await proposed(studio.agent, studio.agent_id, "10"))
    await use(studio.owner, amount="1", action="by_a_person")
    answer = await roi(studio.owner, f"grain=day&id={studio.agent_id}&currency=USD")
    [figures] = answer["data"]
    # Of 3 credits of the agent nobody paid for the first; the others, and 1 that no agent spent, cost 0.0499 each.
    assert figures["costs"] == {
        "usage": "2.09",
        "purchases": "10.00",
        "subscriptions": "0.00",
        "fees": "0.00",
        "commission": "0.00",
        "shared": "0.05",
    }
    assert (answer["total"]["costs"]["usage"], answer["total"]["total_costs"]) == ("2.09", "12.14")
    for each in figures["made_of"]:
        good(await studio.owner.get(each["path"]))
