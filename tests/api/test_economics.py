"""The log of economic events over HTTP: each event once, as its organization and its agents read it."""

import csv
import io
import itertools
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import jsonschema
import pytest

from domain.budgets.economics import PurchaseEntry, PurchaseFact
from domain.common.access import Actor, Role
from domain.escrow import commands
from repositories.budgets import purchase_entry
from runtime.database import Database
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.escrowing import delivered_escrow, state, write
from tests.api.purchasing import acted, budget, paid, proposed
from tests.api.spending import grant, limit, reserve, use
from tests.api.test_marketplace import made, site  # noqa: F401 - a fixture

pytestmark = pytest.mark.db
NUMBERS = itertools.count(1)
#: The example of the documentation, word for word.
EXAMPLE = {
    "timestamp": "2025-01-18T10:30:00Z",
    "agent_id": "worker-vm-1",
    "project": "game-dev-001",
    "transaction_type": "purchase_attempt",
    "item": "GitHub Copilot subscription",
    "amount": {"value": "10", "currency": "USD"},
    "payment_method": "card_primary",
    "status": "declined_over_budget",
    "alternative_action": "found_free_codeium_alternative",
    "budget_remaining": {"daily": "5", "project": "245"},
}
_DECIMAL = {"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)?$"}
_MAY_BE = {"type": ["string", "null"], "minLength": 1}
_OBJECT: dict[str, Any] = {"type": "object", "additionalProperties": False}
#: What the example promises: these names, and these forms. Ids and names of ours stand beside them.
SCHEMA = {
    "type": "object",
    "required": list(EXAMPLE),
    "properties": {
        "timestamp": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"},
        "agent_id": _MAY_BE,
        "project": _MAY_BE,
        "transaction_type": {"type": "string", "pattern": "^[a-z_]+$"},
        "item": {"type": "string", "minLength": 1},
        "amount": {
            **_OBJECT,
            "required": ["value", "currency"],
            "properties": {"value": _DECIMAL, "currency": {"type": "string", "pattern": "^[A-Z]+$"}},
        },
        "payment_method": _MAY_BE,
        "status": {"type": "string", "pattern": "^[a-z_]+$"},
        "alternative_action": _MAY_BE,
        "budget_remaining": {
            **_OBJECT,
            "required": ["daily", "project"],
            "properties": {name: {"anyOf": [_DECIMAL, {"type": "null"}]} for name in ("daily", "project")},
        },
    },
}
VALID = jsonschema.Draft202012Validator(SCHEMA)


async def log(caller: Caller, query: str = "") -> list[dict[str, Any]]:
    """Return all pages of a log, after checking every entry against the example."""
    found: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        more = f"&cursor={cursor}" if cursor else ""
        page = good(await caller.get(f"/economics/log?limit=100{query}{more}"))
        found, cursor = found + page["data"], page["next_cursor"]
    for entry in found:
        VALID.validate(entry)
    return found


def brief(entry: dict[str, Any]) -> tuple[str, ...]:
    return entry["transaction_type"], entry["status"], entry["item"], entry["amount"]["value"]


async def noted(database: Database, tenant: Tenant, **more: Any) -> None:
    """Write an entry of a purchase order, with defaults from the example."""
    entry: dict[str, Any] = {
        "org_id": tenant.org_id,
        "order_id": "por_1",
        "agent_id": tenant.agent_id,
        "project_id": None,
        "transaction_type": PurchaseFact.ATTEMPT,
        "item": EXAMPLE["item"],
        "amount_minor": 1000,
        "currency": "USD",
        "payment_method": EXAMPLE["payment_method"],
        "status": EXAMPLE["status"],
        "alternative_action": EXAMPLE["alternative_action"],
        "budget_remaining": EXAMPLE["budget_remaining"],
        "at": datetime.now(UTC),
    } | more
    async with database.platform() as session:
        await purchase_entry.record(session, PurchaseEntry(**entry))


def test_example_matches_the_entry_schema() -> None:
    VALID.validate(EXAMPLE)
    for name in EXAMPLE:
        assert not VALID.is_valid({other: value for other, value in EXAMPLE.items() if other != name})


async def test_purchase_entry_matches_the_example_field_by_field(new_tenant: Any, database: Database) -> None:
    tenant: Tenant = await new_tenant("owner")
    project = good(await tenant.owner.post("/projects", {"name": "Game", "slug": "game-dev-001"}), 201)
    body = {"name": "Worker", "external_id": EXAMPLE["agent_id"]}
    agent = good(await tenant.owner.post("/agents", body), 201)["id"]
    await noted(
        database, Tenant(tenant.org_id, agent), project_id=project["id"], at=datetime(2025, 1, 18, 10, 30, tzinfo=UTC)
    )
    [entry] = await log(tenant.owner)
    shown = {name: entry[name] for name in EXAMPLE}
    assert shown == EXAMPLE | {"agent_id": agent, "amount": {"value": "10.00", "currency": "USD"}}
    assert (entry["agent_external_id"], entry["agent_name"]) == ("worker-vm-1", "Worker")
    assert (entry["project_id"], entry["object_id"]) == (project["id"], "por_1")


async def test_use_capture_refund_and_refusal_are_one_entry_each(
    operator: Caller, new_tenant: Any, database: Database
) -> None:
    tenant: Tenant = await new_tenant("owner", "agent")
    await grant(operator, tenant.org_id, "20")
    await use(tenant.owner, amount="3", action="by_a_person")
    used = await use(tenant.agent, amount="4.50", action="generate")
    held = await reserve(tenant.agent, "2", action="index")
    assert [brief(entry) for entry in await log(tenant.owner)] == [("use", "succeeded", "generate", "4.50")]
    good(await tenant.agent.post(f"/credits/reservations/{held['id']}/capture", {"amount": "1"}, key=new_key()))
    good(await operator.post(f"/credits/spends/{used['id']}/refunds", {"amount": "1.50"}, key=new_key()), 201)
    await limit(database, tenant.org_id, ("agent", tenant.agent_id), day=10_000_000)
    for key in [new_key()] * 2:
        body = {"amount": "12", "action": "train"}
        refused(await tenant.agent.post("/credits/use", body, key=key), 402, "spend.limit_exceeded")
    refusal, refund, captured, first = await log(tenant.owner)
    assert brief(refusal) == ("use", "declined_over_budget", "train", "12.00")
    assert refusal["budget_remaining"] == {"daily": "10.00", "project": None}
    assert brief(refund) == ("use_refund", "refunded", "generate", "1.50")
    assert (brief(captured), captured["object_id"]) == (("use", "succeeded", "index", "1.00"), held["id"])
    assert (first["object_id"], first["payment_method"]) == (used["id"], "credits")
    assert {entry["agent_id"] for entry in await log(tenant.owner)} == {tenant.agent_id}
    other = good(await tenant.owner.post("/agents", {"name": "Other"}), 201)["id"]
    poor = {"amount": "100", "action": "train", "agent_id": other}
    refused(await tenant.owner.post("/credits/use", poor, key=new_key()), 402, "ledger.insufficient_funds")
    [found] = await log(tenant.owner, "&status=declined_credits")
    assert (found["agent_id"], found["object_id"], found["budget_remaining"]["daily"]) == (other, None, None)
    assert await log(tenant.owner, "&status=declined_over_budget&transaction_type=use") == [refusal]


async def test_escrow_is_funded_in_one_log_and_paid_in_the_other(
    operator: Caller, new_tenant: Any, database: Database
) -> None:
    payer, payee = await new_tenant("owner"), await new_tenant("owner", "agent")
    await grant(operator, payer.org_id)
    signer = good(await payer.owner.get("/me"))["principal"]
    now = datetime.now(UTC)
    escrow = await delivered_escrow(operator, database, payer, payee, signer, times=1, at=now)
    actor = Actor(principal=signer, role=Role.OWNER, org_id=payer.org_id)
    await write(
        database, commands.approve(await state(database, escrow), signatory=signer, actor=actor, now=now), at=now
    )
    [funded], [earned] = await log(payer.owner), await log(payee.owner)
    assert brief(funded) == ("escrow_funding", "succeeded", "Job", "1.00")
    assert brief(earned) == ("escrow_payment", "succeeded", "Job", "0.95")
    for entry in (funded, earned):
        assert (entry["object_id"], entry["agent_id"]) == (escrow, payee.agent_id)
    assert await log(payee.agent) == [earned]


async def test_sale_and_its_refund_are_in_both_logs(
    operator: Caller,
    new_tenant: Any,
    site: httpx2.AsyncClient,  # noqa: F811
) -> None:
    buyer, seller = await made(new_tenant, site), await made(new_tenant, site)
    await grant(operator, buyer.org_id)
    id = good(await seller.owner.post("/agents", {"name": "Writer"}), 201)["id"]
    good(await seller.owner.ask("PUT", f"/marketplace/agents/{id}", json={"model": "one_time", "price": "50"}))
    bought = good(await buyer.owner.post(f"/marketplace/agents/{id}/purchase", {}, key=new_key()), 201)
    [purchase], [sale] = await log(buyer.owner), await log(seller.owner)
    assert brief(purchase) == ("use", "succeeded", "Writer", "50.00")
    assert brief(sale) == ("sale", "succeeded", "Writer", "45.00")
    assert {purchase["agent_id"], sale["agent_id"]} == {id}
    path = f"/marketplace/purchases/{bought['purchase']['id']}/refund"
    good(await buyer.owner.post(path, {}, key=new_key()))
    assert [brief(entry)[::3] for entry in await log(buyer.owner)] == [("use_refund", "50.00"), ("use", "50.00")]
    assert [brief(entry)[::3] for entry in await log(seller.owner)] == [("sale_refund", "45.00"), ("sale", "45.00")]


async def test_agents_read_their_own_entries_and_other_organizations_none(
    operator: Caller, new_tenant: Any, issue_key: Any, database: Database
) -> None:
    tenant, other = await new_tenant("owner", "agent", "member", "auditor"), await new_tenant("owner", "agent")
    await grant(operator, tenant.org_id)
    second = good(await tenant.owner.post("/agents", {"name": "Second"}), 201)["id"]
    await noted(database, tenant)
    await noted(database, Tenant(tenant.org_id, second))
    await use(tenant.agent, amount="1")
    await use(tenant.owner, amount="2", agent_id=second)
    mine = await log(tenant.agent)
    assert [entry["agent_id"] for entry in mine] == [tenant.agent_id] * 2
    whole = await log(tenant.owner)
    assert len(whole) == 4
    assert mine == await log(tenant.owner, f"&agent_id={tenant.agent_id}")
    for caller in (tenant.member, tenant.auditor):
        assert await log(caller) == whole
    assert await log(operator, f"&organization_id={tenant.org_id}") == whole
    assert await log(tenant.agent, f"&agent_id={second}") == []
    accounting = await issue_key("agent", tenant.org_id, tenant.agent_id, permissions=["read_billing"])
    assert await log(accounting) == mine
    for caller in (other.owner, other.agent):
        assert await log(caller) == []
        assert await log(caller, f"&agent_id={tenant.agent_id}") == []
        path = f"/economics/log?organization_id={tenant.org_id}"
        refused(await caller.get(path), 404, "not_found")


async def test_metadata_of_a_use_does_not_move_it_to_another_log(operator: Caller, new_tenant: Any) -> None:
    tenant: Tenant = await new_tenant("owner", "agent")
    await grant(operator, tenant.org_id)
    second = good(await tenant.owner.post("/agents", {"name": "Second"}), 201)["id"]
    await use(tenant.owner, amount="1", metadata={"payee_agent_id": tenant.agent_id})
    await use(tenant.agent, amount="1", action="own", metadata={"payee_agent_id": second})
    [own] = await log(tenant.owner)
    assert (own["item"], own["agent_id"]) == ("own", tenant.agent_id)
    assert await log(tenant.agent) == [own]
    assert await log(tenant.owner, f"&agent_id={second}") == []


async def test_key_of_a_department_or_project_reads_only_its_entries(
    operator: Caller, new_tenant: Any, issue_key: Any, database: Database
) -> None:
    tenant: Tenant = await new_tenant("owner")
    await grant(operator, tenant.org_id)
    sales = good(await tenant.owner.post("/departments", {"name": "Sales"}), 201)["id"]
    field = good(await tenant.owner.post("/departments", {"name": "Field", "parent_id": sales}), 201)["id"]
    game = good(await tenant.owner.post("/projects", {"name": "Game", "slug": "game"}), 201)["id"]
    path = f"/agents/{tenant.agent_id}/attribution"
    good(await tenant.owner.ask("PUT", path, json={"department_id": field}))
    outside = good(await tenant.owner.post("/agents", {"name": "Outside"}), 201)["id"]
    await noted(database, tenant, item="inside")
    await noted(database, Tenant(tenant.org_id, outside), item="outside")
    await noted(database, Tenant(tenant.org_id, outside), item="game", project_id=game)
    await use(tenant.owner, amount="1", action="inside", agent_id=tenant.agent_id)
    await use(tenant.owner, amount="1", action="outside", agent_id=outside)
    await use(tenant.owner, amount="1", action="game", agent_id=outside, project_id=game)
    for attribution, items in (
        ({"department_id": sales}, ["inside", "inside"]),
        ({"project_id": game}, ["game", "game"]),
        ({"department_id": sales, "project_id": game}, []),
    ):
        member = await issue_key("member", tenant.org_id)
        key_id = good(await member.get("/me"))["key_id"]
        good(await tenant.owner.ask("PUT", f"/api-keys/{key_id}/attribution", json=attribution))
        assert [entry["item"] for entry in await log(member)] == items
    assert {entry["item"] for entry in await log(tenant.owner, "&project=game")} == {"game"}
    assert await log(tenant.owner, "&project=none") == []


async def test_pages_hold_each_entry_once_with_every_filter(
    operator: Caller, new_tenant: Any, database: Database
) -> None:
    tenant: Tenant = await new_tenant("owner", "agent")
    await grant(operator, tenant.org_id)
    begun = datetime.now(UTC)
    for _ in range(3):
        await use(tenant.agent, amount="1")
        await use(tenant.owner, amount="1")
        await noted(database, tenant, status="succeeded")
        await noted(database, tenant, transaction_type=PurchaseFact.ABANDONED, status="abandoned")
    await noted(database, tenant, at=begun - timedelta(hours=2))
    whole = [entry["id"] for entry in await log(tenant.owner)]
    assert len(set(whole)) == len(whole) == 10
    found, cursor = [], ""
    while cursor is not None:
        page = good(await tenant.owner.get(f"/economics/log?limit=2{cursor and f'&cursor={cursor}'}"))
        found += [each["id"] for each in page["data"]]
        cursor = page["next_cursor"]
    assert found == whole
    assert len(await log(tenant.owner, "&transaction_type=use,purchase_abandoned")) == 6
    assert len(await log(tenant.owner, "&status=succeeded")) == 6
    assert len(await log(tenant.owner, "&status=abandoned&transaction_type=use")) == 0
    border = (begun - timedelta(hours=1)).isoformat().replace("+00:00", "Z")
    assert len(await log(tenant.owner, f"&to={border}")) == 1
    assert len(await log(tenant.owner, f"&from={border}")) == 9


async def test_log_downloads_as_csv_without_formulas_and_as_json_lines(new_tenant: Any, database: Database) -> None:
    tenant: Tenant = await new_tenant("owner")
    await noted(database, tenant, item="=HYPERLINK(1)")
    await noted(database, tenant)
    [newest, formula] = await log(tenant.owner)
    answer = await tenant.owner.get("/economics/log", headers={"Accept": "text/csv"})
    assert answer.headers["content-disposition"] == 'attachment; filename="economics-log.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [row["item"] for row in rows] == [EXAMPLE["item"], "'=HYPERLINK(1)"]
    assert (rows[0]["amount"], rows[0]["currency"]) == ("10.00", "USD")
    assert (rows[0]["budget_remaining_daily"], rows[0]["budget_remaining_project"]) == ("5", "245")
    answer = await tenant.owner.get("/economics/log", headers={"Accept": "application/jsonl"})
    assert answer.headers["content-type"] == "application/jsonl"
    assert answer.headers["content-disposition"] == 'attachment; filename="economics-log.jsonl"'
    assert [json.loads(line) for line in answer.text.splitlines()] == [newest, formula]


async def test_purchase_orders_write_each_fact_of_theirs_once(new_tenant: Any, database: Database) -> None:
    tenant: Tenant = await new_tenant("owner", "agent")
    await budget(database, tenant.org_id, ("agent", tenant.agent_id), day=25)
    bought = await paid(tenant.agent, await proposed(tenant.agent, tenant.agent_id, "20"), "19.50")
    await acted(tenant.agent, bought, "refunds", 201, amount="1")
    await acted(tenant.owner, bought, "confirm", charged="19.50", refunded="1")
    refused_one = await proposed(tenant.agent, tenant.agent_id, "10")
    await acted(tenant.agent, refused_one, "abandon", alternative_action="found_free_codeium_alternative", saved="10")
    entries = await log(tenant.agent)
    assert [(*brief(each)[:2], brief(each)[3], each["budget_remaining"]["daily"]) for each in reversed(entries)] == [
        ("purchase_request", "approved", "20.00", "5.00"),
        ("purchase_attempt", "begun", "20.00", "5.00"),
        ("purchase_attempt", "succeeded", "19.50", "5.00"),
        ("purchase_refund", "reported", "1.00", "5.00"),
        ("purchase_confirmation", "confirmed", "19.50", "6.50"),
        ("purchase_refund", "refunded", "1.00", "6.50"),
        ("purchase_request", "declined_over_budget", "10.00", "6.50"),
        ("purchase_abandoned", "declined_over_budget", "10.00", "6.50"),
        ("purchase_attempt", "declined_over_budget", "10.00", "6.50"),
    ]
    assert {each["alternative_action"] for each in entries[:2]} == {EXAMPLE["alternative_action"]}
    (example,) = await log(tenant.agent, "&transaction_type=purchase_attempt&status=declined_over_budget")
    assert example == entries[0]
    assert [each["payment_method"] for each in entries[6:8]] == ["card_primary", "card_primary"]
    assert {each["object_id"] for each in entries} == {bought["id"], refused_one["id"]}
    assert await log(tenant.agent, "&status=succeeded,declined_over_budget") == [*entries[:3], entries[6]]
