"""Events over HTTP: a tenant's own, page by page, and the catalogue."""

from typing import Any

import pytest

from domain.events import Event
from domain.events.catalogue import CATALOGUE
from repositories import event as events
from runtime.database import Database
from runtime.identity import new_id
from tests.api.conftest import Caller, Tenant, good, refused
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


async def test_event_of_somebody_else_is_no_place_to_begin(
    database: Database, tenant: Tenant, stranger: Tenant
) -> None:
    subject = await tell(database, stranger.org_id, "escrow.opened")
    (event,) = await listed(stranger.owner, f"subject={subject}")
    refused(await tenant.owner.get(f"/events?after={event['id']}"), 422, "request.invalid")


async def test_catalogue_is_served_whole(tenant: Tenant) -> None:
    catalogue = good(await tenant.agent.get("/events/catalogue"))["data"]
    assert {each["type"]: (each["data_schema"], each["example"]) for each in catalogue} == {
        each.type: (each.schema, each.example) for each in CATALOGUE.values()
    }
