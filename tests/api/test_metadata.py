"""External ids and metadata: stored, found, changed with If-Match, and hidden from others."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from sqlalchemy.dialects.postgresql import dialect

from domain.tenants.metadata import OwnMetadata
from models.marketplace.agent import Agent
from repositories.common.listing import newest
from repositories.tenants.metadata import narrowed
from runtime.database import Database
from runtime.identity import new_id
from tests.api.conftest import NUMBERS, Caller, NewTenant, Tenant, forget, good, new_key, refused
from tests.api.escrowing import escrow_between
from tests.api.paying import Written as Kept, intents
from tests.support.outbox import past_others

pytestmark = pytest.mark.db


def own() -> dict[str, Any]:
    """Return an id and metadata that nothing else has."""
    number = next(NUMBERS)
    return {"external_id": f"own-{number}", "metadata": {"order": f"order-{number}", "team": "research"}}


async def patch(caller: Caller, path: str, body: Any, version: int | str | None, **options: Any) -> httpx2.Response:
    tag = version if isinstance(version, str) else f'"{version}"'
    headers = {} if version is None else {"If-Match": tag}
    return await caller.ask("PATCH", path, json=body, headers=headers, **options)


async def found(caller: Caller, path: str, **query: str) -> list[str]:
    return [each["id"] for each in good(await caller.get(path, params=query))["data"]]


async def test_organization_keeps_them_and_is_found_by_them(operator: Caller) -> None:
    wanted = own()
    made = good(await operator.post("/organizations", {"name": "Acme", **wanted}, key=new_key()), 201)
    assert {name: made[name] for name in wanted} == wanted
    there = f"/organizations/{made['id']}"
    assert good(await operator.get(there)) == made
    assert await found(operator, "/organizations", external_id=wanted["external_id"]) == [made["id"]]
    by_pair = {"metadata[order]": wanted["metadata"]["order"], "metadata[team]": "research"}
    assert await found(operator, "/organizations", **by_pair) == [made["id"]]
    assert await found(operator, "/organizations", **{**by_pair, "metadata[team]": "sales"}) == []
    # A second one of the same id hears which the first one is, and is not made.
    again = await operator.post("/organizations", {"name": "Other", "external_id": wanted["external_id"]})
    assert refused(again, 409, "external_id.taken")["id"] == made["id"]


async def test_change_needs_the_current_version(tenant: Tenant) -> None:
    there, caller = f"/agents/{tenant.agent_id}", tenant.owner
    read = await caller.get(there)
    version = int(read.headers["etag"].strip('"'))
    refused(await patch(caller, there, {"name": "Two"}, None), 428, "precondition.missing")
    for stale in (version + 1, f'W/"{version}"', '"other"'):
        refusal = refused(await patch(caller, there, {"name": "Two"}, stale), 412, "precondition.failed")
        assert refusal["etag"] == read.headers["etag"]
    refused(await patch(caller, there, {"name": "Two"}, "3"), 422, "request.invalid")
    changed = await patch(caller, there, {"name": "Two", "description": "Sums up"}, f'"0", "{version}"')
    assert good(changed)["name"] == "Two"
    assert changed.headers["etag"] == f'"{version + 1}"'
    # A request that changes nothing creates no version; a change by another endpoint does.
    assert (await patch(caller, there, {"name": "Two"}, version + 1)).headers["etag"] == f'"{version + 1}"'
    good(await caller.ask("PUT", f"{there}/category", json={"category": "research"}))
    refused(await patch(caller, there, {"name": "Three"}, version + 1), 412, "precondition.failed")
    assert good(await patch(caller, there, {"name": "Three"}, "*"))["category"] == "research"


async def test_of_two_changes_of_one_version_one_is_refused(tenant: Tenant) -> None:
    there = f"/agents/{tenant.agent_id}"
    tag = (await tenant.owner.get(there)).headers["etag"]
    changes = [patch(tenant.owner, there, {"metadata": {f"racer-{each}": "x"}}, tag) for each in range(4)]
    answers = await asyncio.gather(*changes)
    assert sorted(answer.status_code for answer in answers) == [200, 412, 412, 412]


async def test_change_merges_metadata_and_is_made_once(tenant: Tenant, database: Database) -> None:
    agent = good(await tenant.owner.post("/agents", {"name": "Agent", **own()}), 201)
    there, key = f"/agents/{agent['id']}", new_key()
    change = {"metadata": {"order": "", "run": "7"}, "pricing": {"model": "one_time", "amount": "5"}}
    changed = await patch(tenant.owner, there, change, 1, key=key)
    assert good(changed)["metadata"] == {"team": "research", "run": "7"}
    assert good(changed)["pricing"]["amount"] == "5.00"
    # If the answer was lost, the repeated command finds its result, although the version has changed since.
    await forget(database, key)
    assert good(await patch(tenant.owner, there, change, 1, key=key)) == good(changed)
    assert await found(tenant.owner, "/agents", **{"metadata[order]": agent["metadata"]["order"]}) == []
    assert await found(tenant.owner, "/agents", **{"metadata[run]": "7"}) == [agent["id"]]
    entries = good(await tenant.owner.get("/audit", params={"target": agent["id"]}))["data"]
    assert [entry["action"] for entry in entries] == ["agent.update", "agent.create"]
    await past_others(database)
    created, event = good(await tenant.owner.get("/events", params={"subject": agent["id"]}))["data"]
    assert (created["type"], event["type"]) == ("agent.created", "agent.updated")
    assert created["data"] == {"agent_id": agent["id"], "external_id": agent["external_id"]}
    assert event["data"] == {
        "agent_id": agent["id"], "external_id": agent["external_id"], "changed": ["pricing", "metadata"]
    }  # fmt: skip
    for nothing in (None, ""):
        latest = good(await patch(tenant.owner, there, {"metadata": nothing, "external_id": None}, "*"))
        assert (latest["metadata"], latest["external_id"]) == ({}, None)
    assert await found(tenant.owner, "/agents", external_id=agent["external_id"]) == []


async def test_repeated_answers_have_the_etag_and_the_place_of_the_first(tenant: Tenant) -> None:
    made_by, changed_by = new_key(), new_key()
    body = {"name": "Agent"}
    made = await tenant.owner.post("/agents", body, key=made_by)
    there = f"/agents/{good(made, 201)['id']}"
    assert (made.headers["location"], made.headers["etag"]) == (f"/api/v1{there}", '"1"')
    change = {"metadata": {"team": "research"}}
    changed = await patch(tenant.owner, there, change, 1, key=changed_by)
    good(await patch(tenant.owner, there, {"name": "Other"}, 2))
    for first, again in (
        (made, await tenant.owner.post("/agents", body, key=made_by)),
        (changed, await patch(tenant.owner, there, change, 1, key=changed_by)),
    ):
        assert again.headers["idempotent-replayed"] == "true"
        assert again.json() == first.json()
        assert again.headers["etag"] == first.headers["etag"]
        assert again.headers.get("location") == first.headers.get("location")


async def test_full_metadata_takes_no_other_key(tenant: Tenant) -> None:
    full = {f"key-{at:02}": "x" * 500 for at in range(50)}
    agent = good(await tenant.owner.post("/agents", {"name": "Agent", "metadata": full}), 201)
    there = f"/agents/{agent['id']}"
    more = {"metadata": {"another": "x"}}
    refusal = refused(await patch(tenant.owner, there, more, 1), 422, "request.invalid")
    assert (refusal["field"], refusal["key"]) == ("metadata", "another")
    swap = {"metadata": {"another": "x", "key-00": ""}}
    assert len(good(await patch(tenant.owner, there, swap, 1))["metadata"]) == 50
    for bad, key in (({"a\u0001": "x"}, "a\u0001"), ({"a": "x" * 501}, "a"), ({**full, "more": "x"}, "more")):
        refusal = refused(
            await tenant.owner.post("/agents", {"name": "Agent", "metadata": bad}), 422, "request.invalid"
        )
        assert refusal["key"] == key
    for named in ({"metadata": {"card": "4242 4242 4242 4242"}}, {"external_id": "4242424242424242"}):
        refused(await tenant.owner.post("/agents", {"name": "Agent", **named}), 422, "privacy.card_number")


async def test_id_is_taken_within_its_owner_and_kind(tenant: Tenant, stranger: Tenant) -> None:
    wanted = own()
    first = good(await tenant.owner.post("/agents", {"name": "Agent", **wanted}), 201)
    second = good(await stranger.owner.post("/agents", {"name": "Agent", **wanted}), 201)
    assert second["external_id"] == wanted["external_id"]
    taken = await tenant.owner.post("/agents", {"name": "Agent", "external_id": wanted["external_id"]})
    assert refused(taken, 409, "external_id.taken")["id"] == first["id"]
    other = good(await tenant.owner.post("/agents", {"name": "Agent"}), 201)
    taken = await patch(tenant.owner, f"/agents/{other['id']}", {"external_id": wanted["external_id"]}, 1)
    assert refused(taken, 409, "external_id.taken")["id"] == first["id"]
    assert good(await tenant.owner.get(f"/agents/{other['id']}"))["external_id"] is None
    # Set free, it can be taken.
    good(await patch(tenant.owner, f"/agents/{first['id']}", {"external_id": None}, 1))
    good(await patch(tenant.owner, f"/agents/{other['id']}", {"external_id": wanted["external_id"]}, 1))
    makes = (tenant.owner.post("/agents", {"name": "Agent", "external_id": "raced"}) for _ in range(4))
    assert sorted(answer.status_code for answer in await asyncio.gather(*makes)) == [201, 409, 409, 409]


async def test_nobody_else_sees_or_finds_them(
    tenant: Tenant, stranger: Tenant, operator: Caller, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    wanted = own()
    agent = good(await tenant.owner.post("/agents", {"name": "Public", **wanted}), 201)
    pair = {"metadata[order]": wanted["metadata"]["order"]}
    for caller in (stranger.owner, await issue_key("arbiter"), await issue_key("validator")):
        shown = good(await caller.get(f"/agents/{agent['id']}"))
        assert (shown["external_id"], shown["metadata"]) == (None, {})
        assert wanted["external_id"] not in (await caller.get("/agents?limit=200")).text
    for query in (pair, {"external_id": wanted["external_id"]}):
        assert await found(stranger.owner, "/agents", **query) == []
        assert await found(stranger.owner, "/agents", organization_id=tenant.org_id, **query) == []
        assert await found(operator, "/agents", **query) == [agent["id"]]
        arbiter = await issue_key("arbiter")
        refused(await arbiter.get("/agents", params=query), 403, "auth.forbidden")
    refused(await patch(stranger.owner, f"/agents/{agent['id']}", {"metadata": {"a": "b"}}, "*"), 404, "not_found")
    events = (await tenant.owner.get("/events?limit=200")).text
    assert wanted["metadata"]["order"] not in events


async def test_organization_changes_its_name_and_not_the_platforms_id(tenant: Tenant, operator: Caller) -> None:
    there = f"/organizations/{tenant.org_id}"
    changed = good(await patch(tenant.admin, there, {"name": "Renamed", "metadata": {"plan": "b"}}, "*"))
    assert (changed["name"], changed["metadata"]) == ("Renamed", {"plan": "b"})
    for role in ("finance", "member", "auditor", "agent"):
        refused(await patch(tenant.callers[role], there, {"name": "x"}, "*"), 403, "auth.forbidden")
    refused(await patch(tenant.owner, there, {"external_id": "mine"}, "*"), 403, "auth.forbidden")
    number = f"customer-{next(NUMBERS)}"
    good(await patch(operator, there, {"external_id": number}, "*"))
    assert good(await tenant.owner.get(there))["external_id"] == number


MANY = {f"metadata[{at}]": "x" for at in range(11)}


@pytest.mark.parametrize(
    "query",
    [{"metadata[]": "x"}, {"metadata[a": "x"}, {"metadata": "x"}, {"metadata[a]": ""}, {"external_id": ""}, MANY],
    ids=lambda query: next(iter(query)),
)
async def test_filter_of_no_form_is_refused(query: dict[str, str], tenant: Tenant) -> None:
    refusal = refused(await tenant.owner.get("/agents", params=query), 422, "request.invalid")
    assert "metadata" in json.dumps(refusal) or "external_id" in json.dumps(refusal)


async def test_filters_are_read_from_their_indexes(fresh_database: Database) -> None:
    """Many objects with one value: a page of them is read in the order of the index, and no more than a page."""
    org_id, rows = new_id("org"), "FROM generate_series(1, 5000) n"
    async with fresh_database.platform() as session:
        for statement in (
            "INSERT INTO organizations (id, name, created_by, command_id) VALUES (:org, 'Many', 'x', 'many')",
            "INSERT INTO agents (id, org_id, name, visibility, pricing_model, created_by, command_id) SELECT "
            f"'agt_' || lpad(n::text, 26, '0'), :org, 'Many', 'private', 'free', 'x', 'many:' || n {rows}",
            "INSERT INTO object_metadata (object_id, org_id, external_id, metadata, command_id) "
            f"SELECT 'agt_' || lpad(n::text, 26, '0'), :org, 'many-' || n, '{{\"many\": \"yes\"}}', 'x' {rows}",
        ):
            await session.execute(text(statement), {"org": org_id} if ":org" in statement else {})
        await session.execute(text("ANALYZE agents, object_metadata, metadata_pairs"))
    for wanted, numbers in ((OwnMetadata(metadata={"many": "yes"}), [5000, 4999, 4998]), (OwnMetadata("many-7"), [7])):
        part = (Agent.org_id == org_id, *narrowed(Agent.id, "agt", org_id, wanted))
        query = newest(Agent, [part], [Agent.id], after=None, limit=3)
        plan = query.compile(dialect=dialect(), compile_kwargs={"literal_binds": True})
        async with fresh_database.tenant(org_id) as session:
            assert [int(row.id[4:]) for row in await session.scalars(query)] == numbers
            (read,) = (await session.execute(text(f"EXPLAIN (ANALYZE, FORMAT JSON) {plan}"))).scalar_one()
        assert most_rows(read["Plan"]) <= 10, read


def most_rows(node: dict[str, Any]) -> float:
    """Return the most rows that a part of a plan has read."""
    rows: float = node["Actual Rows"] * node["Actual Loops"]
    return max([rows, *(most_rows(each) for each in node.get("Plans", ()))])


async def project_of(tenant: Tenant, operator: Caller, body: dict[str, Any]) -> tuple[str, str, Any]:
    good(await operator.ask("PUT", f"/organizations/{tenant.org_id}/tier", json={"tier": "premium"}))
    made = await tenant.owner.post("/projects", {"slug": f"own-{next(NUMBERS)}", **body}, key=new_key())
    return f"/projects/{made.json().get('slug')}", "/projects", made


async def contract_of(tenant: Tenant, _operator: Caller, body: dict[str, Any]) -> tuple[str, str, Any]:
    wanted = {"agent_id": tenant.agent_id, "title": "Work", "price": "5", **body}
    made = await tenant.owner.post("/contracts", wanted, key=new_key())
    return f"/contracts/{made.json().get('id')}", "/contracts", made


async def invoice_of(tenant: Tenant, operator: Caller, body: dict[str, Any]) -> tuple[str, str, Any]:
    lines = [{"description": "Support", "unit_amount": "20"}]
    wanted = {"organization_id": tenant.org_id, "currency": "USD", "lines": lines, **body}
    made = await operator.post("/billing/invoices", wanted, key=new_key())
    return f"/billing/invoices/{made.json().get('id')}", "/billing/invoices", made


async def grant_of(tenant: Tenant, operator: Caller, body: dict[str, Any]) -> tuple[str, str, Any]:
    wanted = {"organization_id": tenant.org_id, "amount": "5", "source": "promotion", **body}
    made = await operator.post("/credits/grants", wanted, key=new_key())
    return f"/credits/grants/{made.json().get('id')}", "/credits/grants", made


Made = Callable[[Tenant, Caller, dict[str, Any]], Awaitable[tuple[str, str, Any]]]


@pytest.mark.parametrize(
    ("made", "noun", "event"),
    [
        (project_of, "project", "project.created"),
        (contract_of, "contract", "contract.created"),
        (invoice_of, "invoice", "invoice.created"),
        (grant_of, "grant", "credit_lot.created"),
    ],
)
async def test_noun_keeps_them_from_its_making_on(
    database: Database,
    made: Made,
    noun: str,
    event: str,
    new_tenant: NewTenant,
    operator: Caller,
) -> None:
    tenant, wanted = await new_tenant("owner", "auditor"), own()
    there, listed, answer = await made(tenant, operator, wanted)
    shown = good(answer, 201)
    assert {name: shown[name] for name in wanted} == wanted
    taken = (await made(tenant, operator, {"external_id": wanted["external_id"]}))[2]
    assert refused(taken, 409, "external_id.taken")["id"] == shown["id"]
    read = await tenant.owner.get(there)
    assert {name: good(read)[name] for name in wanted} == wanted
    assert (answer.headers["location"], answer.headers["etag"]) == (f"/api/v1{there}", read.headers["etag"])
    refused(await patch(tenant.owner, there, {"metadata": {}}, None), 428, "precondition.missing")
    refused(await patch(tenant.auditor, there, {"metadata": {}}, "*"), 403, "auth.forbidden")
    changed = await patch(tenant.owner, there, {"metadata": {"team": "sales"}}, read.headers["etag"])
    assert good(changed)["metadata"] == {**wanted["metadata"], "team": "sales"}
    assert changed.headers["etag"] == (await tenant.owner.get(there)).headers["etag"] != read.headers["etag"]
    refused(await patch(tenant.owner, there, {"metadata": {}}, read.headers["etag"]), 412, "precondition.failed")
    for query in ({"external_id": wanted["external_id"]}, {"metadata[team]": "sales"}):
        assert await found(tenant.owner, listed, **query) == [shown["id"]]
    assert await found(tenant.owner, listed, **{"metadata[team]": "research"}) == []
    await past_others(database)
    events = good(await tenant.owner.get("/events", params={"subject": shown["id"]}))["data"]
    assert [events[0]["type"], events[-1]["type"]] == [event, f"{noun}.updated"]
    assert {each["data"]["external_id"] for each in events} == {wanted["external_id"]}


async def test_each_party_of_a_contract_has_its_own(
    database: Database, new_tenant: NewTenant, operator: Caller
) -> None:
    payer, payee = await new_tenant("owner"), await new_tenant("owner", "agent")
    body = {"agent_id": payee.agent_id, "title": "Work", "price": "5", **own()}
    made = good(await payer.owner.post("/contracts", body), 201)
    there, contract_id = f"/contracts/{made['id']}", made["id"]
    pair = {"metadata[order]": made["metadata"]["order"]}
    for caller in (payee.owner, payee.agent):
        shown = good(await caller.get(there))
        assert (shown["external_id"], shown["metadata"]) == (None, {})
        for query in (pair, {"external_id": made["external_id"]}):
            assert await found(caller, "/contracts", **query) == []
    refused(await patch(payee.agent, there, {"metadata": {"mine": "1"}}, "*"), 403, "auth.forbidden")
    # The other organization's id is free here, and each object has its own versions.
    mine = {"external_id": made["external_id"], "metadata": {"mine": "1"}}
    changed = await patch(payee.owner, there, mine, 1)
    assert {name: good(changed)[name] for name in mine} == mine
    assert (await payer.owner.get(there)).headers["etag"] == '"1"'
    assert good(await payer.owner.get(there)) == made
    assert await found(payee.owner, "/contracts", **{"metadata[mine]": "1"}) == [contract_id]
    assert await found(payer.owner, "/contracts", **{"metadata[mine]": "1"}) == []
    for listed, expected in (({}, made), ({"organization_id": payee.org_id}, mine)):
        (shown,) = good(await operator.get("/contracts", params={"metadata[mine]": "1", **listed}))["data"]
        assert {name: shown[name] for name in mine} == {name: expected[name] for name in mine}
    await past_others(database)
    events = [await caller.get("/events", params={"subject": contract_id}) for caller in (payer.owner, payee.owner)]
    told = [[each["data"]["external_id"] for each in good(answer)["data"]] for answer in events]
    assert told == [[made["external_id"]], [None, made["external_id"]]]


async def test_repeated_creation_finds_the_first_object(tenant: Tenant, database: Database) -> None:
    body, key = {"agent_id": tenant.agent_id, "title": "Work", "price": "5", **own()}, new_key()
    first = good(await tenant.owner.post("/contracts", body, key=key), 201)
    good(await patch(tenant.owner, f"/contracts/{first['id']}", {"metadata": {"more": "1"}}, 1))
    await forget(database, key)
    again = good(await tenant.owner.post("/contracts", body, key=key), 201)
    assert again == {**first, "metadata": {**first["metadata"], "more": "1"}}


async def test_each_party_of_an_escrow_has_its_own(new_tenant: NewTenant, operator: Caller, database: Database) -> None:
    payer, payee = await new_tenant("owner"), await new_tenant("owner", "agent")
    there = f"/escrows/{await escrow_between(operator, database, payer, payee)}"
    first, second = own(), own()
    for tenant, wanted in ((payer, first), (payee, second)):
        read = await tenant.owner.get(there)
        assert (good(read)["external_id"], read.headers["etag"]) == (None, '"1"')
        assert good(await patch(tenant.owner, there, wanted, 1))["metadata"] == wanted["metadata"]
        refused(await patch(tenant.owner, there, wanted, 1), 412, "precondition.failed")
    refused(await patch(payee.agent, there, {"metadata": {}}, "*"), 403, "auth.forbidden")
    for tenant, mine, others in ((payer, first, second), (payee, second, first)):
        (shown,) = good(await tenant.owner.get("/escrows", params={"external_id": mine["external_id"]}))["data"]
        assert {name: shown[name] for name in mine} == mine
        assert len(await found(tenant.owner, "/escrows", **{"metadata[order]": mine["metadata"]["order"]})) == 1
        for query in ({"external_id": others["external_id"]}, {"metadata[order]": others["metadata"]["order"]}):
            assert await found(tenant.owner, "/escrows", **query) == []
        assert others["external_id"] not in (await tenant.owner.get("/events?limit=200")).text
    assert good(await operator.get(there))["metadata"] == first["metadata"]


async def test_payment_keeps_them(customer: Tenant, database: Database) -> None:
    there = f"/payments/{(await Kept(database, customer.org_id).begin()).terms.payment_id}"
    wanted = own()
    assert good(await patch(customer.finance, there, wanted, 1))["metadata"] == wanted["metadata"]
    assert good(await customer.owner.get(there))["external_id"] == wanted["external_id"]
    assert f"/payments/{(await found(customer.owner, '/payments', external_id=wanted['external_id']))[0]}" == there
    refused(await patch(customer.auditor, there, {"metadata": {}}, "*"), 403, "auth.forbidden")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/payments", {"amount": "25.00", "currency": "USD", "purpose": "balance"}),
        ("/billing/topup", {"amount": "100"}),
        ("/projects/deployment/purchase-slot", {}),
    ],
)
async def test_requested_payment_has_them_before_it_exists(
    path: str, body: dict[str, Any], customer: Tenant, database: Database
) -> None:
    wanted, key = own(), new_key()
    body = {**body, **wanted}
    for _ in range(2):
        # No workflow answers here. The data is written before one starts, and repeating the request writes nothing
        # else.
        refused(await customer.owner.post(path, body, key=key), 503, "service.unavailable")
    query = "SELECT object_id, metadata FROM object_metadata WHERE org_id = :org AND external_id = :id"
    async with database.platform() as session:
        ((payment_id, pairs),) = await session.execute(
            text(query), {"org": customer.org_id, "id": wanted["external_id"]}
        )
    assert [each["payment_id"] for each in await intents(database, customer.org_id)] == [payment_id]
    assert pairs == wanted["metadata"]
    taken = await customer.owner.post(path, body, key=new_key())
    assert refused(taken, 409, "external_id.taken")["id"] == payment_id


async def test_escrow_whose_opening_failed_has_the_data_of_the_last_request(
    new_tenant: NewTenant, database: Database
) -> None:
    payer, payee = await new_tenant("owner"), await new_tenant("owner")
    award = {"agent_id": payee.agent_id, "price": "5"}
    contract = good(await payer.owner.post("/contracts", {**award, "title": "Work"}), 201)
    first = own()
    # No workflow answers here. Opening it under another key names no id, so the escrow has none.
    for wanted, key in ((first, new_key()), ({}, new_key())):
        body = {"contract_id": contract["id"], **wanted}
        refused(await payer.owner.post("/escrows", body, key=key), 503, "service.unavailable")
    query = "SELECT object_id FROM object_metadata WHERE org_id = :org AND external_id = :id"
    async with database.platform() as session:
        found = await session.scalars(text(query), {"org": payer.org_id, "id": first["external_id"]})
    assert found.all() == []
    # So the id is free for another object of the same kind.
    other = good(await payer.owner.post("/contracts", {**award, "title": "Next"}), 201)
    body = {"contract_id": other["id"], **first}
    refused(await payer.owner.post("/escrows", body, key=new_key()), 503, "service.unavailable")
