"""Events over HTTP: pages of a tenant's events, and the catalogue."""

from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import pytest
from sqlalchemy import text

from api.pagination import encode_cursor
from domain.common.money import SCALES, format_amount
from domain.messages.events import Event
from domain.messages.events.catalogue import CATALOGUE
from repositories.messages import alert as alerts, event as events
from runtime.database import Database
from runtime.identity import new_id
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.invoicing import issue
from tests.api.spending import grant, reserve
from tests.support.outbox import past_others

pytestmark = pytest.mark.db


async def tell(database: Database, org_id: str, *types: str) -> str:
    """Record events of one subject, and return it."""
    subject = new_id("esc")
    async with database.platform() as session:
        await events.record(session, [Event(kind, org_id, subject, CATALOGUE[kind].example) for kind in types])
    await past_others(database)
    return subject


async def listed(caller: Caller, query: str) -> list[dict[str, Any]]:
    return list(good(await caller.get(f"/events?{query}"))["data"])


async def test_tenant_follows_its_own_events(database: Database, tenant: Tenant, stranger: Tenant) -> None:
    subject = await tell(database, tenant.org_id, "escrow.opened", "escrow.funded", "escrow.delivered")
    await tell(database, stranger.org_id, "escrow.opened")
    first, *rest = await listed(tenant.auditor, f"subject={subject}")
    assert first["type"] == "escrow.opened"
    assert (first["organization_id"], first["subject"], first["subject_seq"]) == (tenant.org_id, subject, 1)
    assert first["data"] == CATALOGUE["escrow.opened"].example
    assert [event["subject_seq"] for event in rest] == [2, 3]
    assert await listed(tenant.auditor, f"after={first['id']}&subject={subject}") == rest
    assert await listed(tenant.auditor, f"type=escrow.funded&subject={subject}") == rest[:1]
    assert {event["organization_id"] for event in await listed(tenant.owner, "limit=200")} == {tenant.org_id}
    assert await listed(stranger.owner, f"subject={subject}") == []


async def test_pages_of_events_join_without_a_gap(database: Database, tenant: Tenant) -> None:
    subject = await tell(database, tenant.org_id, *["payment.created"] * 5)
    seen, query = list[int](), f"subject={subject}&limit=2"
    cursor: str | None = ""
    while cursor is not None:
        page = good(await tenant.owner.get(f"/events?{query}" + (f"&cursor={cursor}" if cursor else "")))
        seen += [event["subject_seq"] for event in page["data"]]
        cursor = page["next_cursor"]
    assert seen == [1, 2, 3, 4, 5]


async def test_operator_lists_the_events_of_an_organization(
    database: Database, tenant: Tenant, operator: Caller
) -> None:
    subject = await tell(database, tenant.org_id, "escrow.opened")
    (event,) = await listed(operator, f"organization_id={tenant.org_id}&subject={subject}")
    assert event["organization_id"] == tenant.org_id


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("type=escrow.nothing", "type"),
        (f"after=evt_{'0' * 26}", "after"),
        ("after=esc_1", "after"),
        ("cursor=x", "cursor"),
        ("limit=0", "limit"),
    ],
)
async def test_bad_query_is_refused_with_its_field(tenant: Tenant, query: str, field: str) -> None:
    problem = refused(await tenant.owner.get(f"/events?{query}"), 422, "request.invalid")
    assert field in str(problem)


async def test_event_of_another_organization_is_refused_as_a_cursor(
    database: Database, tenant: Tenant, stranger: Tenant
) -> None:
    subject = await tell(database, stranger.org_id, "escrow.opened")
    (event,) = await listed(stranger.owner, f"subject={subject}")
    refused(await tenant.owner.get(f"/events?after={event['id']}"), 422, "request.invalid")
    stolen = encode_cursor("evt", event["id"])
    assert "cursor" in str(refused(await tenant.owner.get(f"/events?cursor={stolen}"), 422, "request.invalid"))


async def test_event_of_somebody_else_is_not_found_by_any_filter(
    database: Database, tenant: Tenant, stranger: Tenant
) -> None:
    """Both have events of one subject, as the parties of an escrow do, and one of them has one of a type of its own."""
    subject = await tell(database, stranger.org_id, "escrow.opened", "escrow.split")
    async with database.platform() as session:
        await events.record(
            session, [Event("escrow.opened", tenant.org_id, subject, CATALOGUE["escrow.opened"].example)]
        )
    await past_others(database)
    (own,) = await listed(tenant.owner, f"subject={subject}")
    assert (own["organization_id"], own["subject_seq"]) == (tenant.org_id, 1)
    assert await listed(tenant.owner, f"subject={subject}&type=escrow.opened") == [own]
    assert await listed(tenant.owner, "type=escrow.split&limit=200") == []
    refused(await tenant.owner.get(f"/events?organization_id={stranger.org_id}"), 404, "not_found")


async def test_catalogue_is_served_whole(tenant: Tenant) -> None:
    catalogue = good(await tenant.agent.get("/events/catalogue"))["data"]
    assert {each["type"]: (each["data_schema"], each["example"]) for each in catalogue} == {
        each.type: (each.schema, each.example) for each in CATALOGUE.values()
    }


async def test_table_events_match_the_catalogue(database: Database, new_tenant: NewTenant, operator: Caller) -> None:
    """Each state that a table's trigger tells is reached over the API, and its event held against the schema."""
    tenant = await new_tenant("owner")
    owner = tenant.owner
    agent = good(await owner.post("/agents", {"name": "a"}), 201)["id"]
    good(await owner.post("/contracts", {"agent_id": agent, "title": "secret", "price": "1"}), 201)
    await grant(operator, tenant.org_id)
    reservation = await reserve(owner)
    good(await owner.post("/credits/release", {"reservation_id": reservation["id"]}, key=new_key()))
    captured = await reserve(owner)
    good(await owner.post(f"/credits/reservations/{captured['id']}/capture", {}, key=new_key()))
    good(await operator.post(f"/credits/spends/{captured['id']}/refunds", {}, key=new_key()), 201)
    good(await owner.post("/projects", {"slug": "told"}), 201)
    good(await owner.post("/projects/told/deploy", {}, key=new_key()))
    good(await owner.delete("/projects/told/deploy", key=new_key()))
    invoice = await issue(operator, tenant)
    good(await operator.post(f"/billing/invoices/{invoice['id']}/void", {}, key=new_key()))
    async with database.platform() as session:
        await alerts.raise_alert(
            session, kind="test", subject=tenant.org_id, detail="x", org_id=tenant.org_id, key=agent, shared=True,
            for_operators=False,
        )  # fmt: skip
    (alert,) = good(await owner.get("/alerts?kind=test"))["data"]
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    for command, body in (("snooze", {"until": soon}), ("acknowledge", {}), ("resolve", {})):
        good(await owner.post(f"/alerts/{alert['id']}/{command}", body))
    await past_others(database)
    told = await listed(owner, "limit=200")
    for event in told:
        schema = {**CATALOGUE[event["type"]].schema, "additionalProperties": False}
        jsonschema.validate(event["data"], schema)
        assert "secret" not in str(event)
    assert [event["type"] for event in told] == [
        *("agent.created", "agent.created"),
        *("contract.created", "credit_lot.created", "reservation.created", "reservation.released"),
        *("reservation.created", "reservation.captured", "spend.refunded", "project.created", "deployment.started"),
        *("deployment.stopped", "invoice.created", "invoice.finalized", "invoice.voided"),
        *("alert.raised", "alert.snoozed", "alert.acknowledged", "alert.resolved"),
    ]
    assert [event["data"]["released_amount"] for event in told if event["type"] == "reservation.released"] == [
        reservation["amount"]
    ]


async def test_database_writes_amounts_as_the_domain_does(database: Database) -> None:
    amounts = [0, 1, -1, 10, 100, 123_456_789, -5_000_000, 10**15]
    pairs = [(minor, asset) for asset in SCALES for minor in amounts]
    async with database.platform() as session:
        query = text("SELECT amount_text(m, a) FROM unnest(CAST(:m AS bigint[]), CAST(:a AS text[])) AS p (m, a)")
        written = await session.scalars(query, {"m": [m for m, _ in pairs], "a": [a for _, a in pairs]})
        assert list(written) == [format_amount(minor, asset) for minor, asset in pairs]
