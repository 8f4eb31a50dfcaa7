"""The search index gets purchases, usage and revenue of agents once each, however late they commit."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from sqlalchemy import text
from temporalio.testing import ActivityEnvironment

from activities.insight import search_index
from activities.insight.search_index import SILENT_ALERT, SearchIndexActivities
from api.app import create_app
from api.bootstrap import operator_key
from contracts.insight.search_index import IndexedEvents, IndexEvents
from domain.budgets.economics import PurchaseEntry, PurchaseFact
from domain.insight.search_index import MAPPING
from providers.search_index import SearchIndex
from repositories.budgets import purchase_entry
from repositories.insight import search_index as store
from runtime.database import Database
from tests.api.conftest import Caller, Tenant, good, make_tenant, new_key, settings_for
from tests.api.spending import grant, use
from tests.conftest import DatabaseUrls
from tests.support.connections import as_owner
from tests.support.outbox import past_others
from tests.support.search import found, index_at, search_server
from tests.support.serving import client_of

pytestmark = pytest.mark.db

BOUGHT = {
    "item": "GitHub Copilot subscription",
    "payment_method": "card_primary",
    "status": "declined_over_budget",
    "alternative_action": "found_free_codeium_alternative",
}
LEFT = {"daily": "5.00", "project": "245.00"}
#: Rows whose makers are tested elsewhere; what they refer to does not matter here.
OTHERS = """
    SET session_replication_role = replica;
    INSERT INTO secret_uses (id, org_id, secret_id, version, grant_id, agent_id, host, method, meter, price_minor,
        cost_minor, status, status_code, command_id, created_at, ended_at)
    VALUES ('scu_1', '{org}', 'sec_1', 1, 'grn_1', '{agent}', 'api.test', 'POST', 'llm', 20, 20, 'answered', 200, 'c',
        now(), now());
    INSERT INTO allocations (id, org_id, project_id, night, currency, total_minor, reinvested_minor, lines, versions,
        is_raised, status, applied_at, applied_by, created_at)
    VALUES ('{allocation}', '{org}', 'prj_1', '2026-01-01', 'USD', 5000, 0, '[]', '{{}}', false, 'applied', now(),
        'ann', now());
"""

#: Uses that ended one after the other within the hour.
MANY = """
    SET session_replication_role = replica;
    INSERT INTO secret_uses (id, org_id, secret_id, version, grant_id, agent_id, host, method, meter, price_minor,
        cost_minor, status, status_code, command_id, created_at, ended_at)
    SELECT 'scu_' || number, 'org_1', 'sec_1', 1, 'grn_1', 'agt_1', 'api.test', 'POST', 'llm', 20, 20, 'answered', 200,
        number, now(), now() - number * interval '2 minutes'
    FROM generate_series(1, 20) AS number;
"""


@pytest.fixture
def database(fresh_database: Database) -> Database:
    return fresh_database


@pytest.fixture
def url() -> Iterator[str]:
    with search_server() as address:
        yield address


@pytest.fixture
async def index(url: str, database: Database) -> AsyncIterator[SearchIndex]:
    """A known cluster whose documents were sent up to an hour ago."""
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        made = index_at(url, client)
        await made.prepare(MAPPING)
        async with database.platform() as session:
            await store.move_facts_until(session, None, datetime.now(UTC) - timedelta(hours=1))
        yield made


async def look(activities: SearchIndexActivities) -> IndexedEvents:
    done: IndexedEvents = await ActivityEnvironment().run(activities.index, IndexEvents(seconds=0))
    return done


async def look_on(database: Database, activities: SearchIndexActivities) -> None:
    """Read until current documents are sent; transactions of other databases are awaited too."""
    await look(activities)
    while activities._window is not None:
        await past_others(database)
        await look(activities)


async def bought(session: Any, tenant: Tenant) -> None:
    of = {"org_id": tenant.org_id, "order_id": "por_1", "agent_id": tenant.agent_id, "project_id": None}
    money = {"amount_minor": 1000, "currency": "USD", "budget_remaining": LEFT, "at": datetime.now(UTC)}
    await purchase_entry.record(session, PurchaseEntry(**of, **money, **BOUGHT, transaction_type=PurchaseFact.ATTEMPT))


async def test_each_fact_is_one_document(
    fresh_database_urls: DatabaseUrls, database: Database, index: SearchIndex, url: str
) -> None:
    async with client_of(create_app(settings_for(fresh_database_urls))) as client:
        async with database.platform() as session:
            operator = Caller(client, await operator_key(session, "facts"))
        tenant = await make_tenant(operator, database, "owner", "agent")
        await grant(operator, tenant.org_id, "20")
        await use(tenant.agent, amount="4.50", action="generate")
        sale = {
            "source": "service",
            "reference": "1",
            "amount": "40.00",
            "currency": "USD",
            "agent_id": tenant.agent_id,
        }
        reported = good(await tenant.agent.post("/revenue", sale, key=new_key()), 201)["id"]
        good(await tenant.owner.post(f"/revenue/{reported}/confirm", {"amount": "39.00"}, key=new_key()))
        async with database.platform() as session:
            await bought(session, tenant)
        allocation = reported.replace("rvn", "alo")
        await as_owner(
            fresh_database_urls, OTHERS.format(org=tenant.org_id, agent=tenant.agent_id, allocation=allocation)
        )
        activities = SearchIndexActivities(database, index, settles=timedelta(0))
        await look_on(database, activities)
        documents = {id: hit["_source"] for id, hit in (await found(url)).items()}
        facts = {id: each for id, each in documents.items() if each["type"].startswith("economics.")}
        log = good(await tenant.owner.get("/economics/log"))["data"]
        await look_on(database, activities)
        assert (await found(url)).keys() >= documents.keys()
    assert all(each.keys() <= MAPPING.keys() for each in facts.values())
    assert all(each["organization_id"] == tenant.org_id for each in facts.values())
    shown = {f"{entry['id']}.{tenant.org_id}": entry for entry in log}
    assert len(shown) == 2
    for id, entry in shown.items():
        each = facts.pop(id)
        assert each["type"] == f"economics.{entry['transaction_type']}"
        names = ("agent_id", "item", "status", "payment_method", "alternative_action")
        assert {name: each.get(name) for name in names} == {name: entry[name] for name in names}
        left = {name: each.get(f"budget_remaining_{name}") for name in ("daily", "project")}
        assert left == entry["budget_remaining"]
    assert {each["amount_minor"] for id, each in documents.items() if id in shown} == {4_500_000, 1000}
    brief = {id: (each["type"], each["status"], each["amount_minor"]) for id, each in facts.items()}
    assert brief == {
        reported: ("economics.revenue", "reported", 4000),
        f"{reported}.confirmed": ("economics.revenue", "confirmed", 3900),
        "scu_1": ("economics.secret_use", "answered", 20),
        allocation: ("economics.allocation", "proposed", 5000),
        f"{allocation}.applied": ("economics.allocation", "applied", 5000),
    }
    assert (facts["scu_1"]["grant_id"], facts["scu_1"]["item"]) == ("grn_1", "llm")


async def test_a_fact_whose_commit_is_held_open_is_not_missed(
    fresh_database_urls: DatabaseUrls, database: Database, index: SearchIndex, url: str
) -> None:
    async with client_of(create_app(settings_for(fresh_database_urls))) as client:
        async with database.platform() as session:
            operator = Caller(client, await operator_key(session, "facts"))
        tenant = await make_tenant(operator, database, "owner")
    activities = SearchIndexActivities(database, index, settles=timedelta(0))
    async with database.platform() as session:
        await bought(session, tenant)
        for _ in range(2):
            await look(activities)
    assert await found(url, term={"type": "economics.purchase_attempt"}) == {}
    await look_on(database, activities)
    assert len(await found(url, term={"type": "economics.purchase_attempt"})) == 1


async def test_slow_window_is_split_into_shorter_ones(
    fresh_database_urls: DatabaseUrls, database: Database, index: SearchIndex, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each page takes half a minute here, so an activity limited to five would never finish the hour."""
    await as_owner(fresh_database_urls, MANY)
    clock, create, took = [0.0], index.create, list[float]()

    async def slowly(documents: Any) -> Any:
        clock[0] += 30
        return await create(documents)

    monkeypatch.setattr(index, "create", slowly)
    monkeypatch.setattr(search_index, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    activities = SearchIndexActivities(database, index, page=1, settles=timedelta(0))
    while len(await found(url, term={"type": "economics.secret_use"})) < 20:
        began = clock[0]
        await past_others(database)
        await look(activities)
        took.append(clock[0] - began)
    assert max(took) < 300


async def test_an_index_that_accepts_nothing_for_an_hour_alerts_if_documents_wait(
    fresh_database_urls: DatabaseUrls, database: Database
) -> None:
    refusing = httpx2.MockTransport(lambda _: httpx2.Response(403, json={"error": {"type": "security_exception"}}))
    async with httpx2.AsyncClient(transport=refusing) as client:
        activities = SearchIndexActivities(database, SearchIndex(client, "http://search.test", name="events", months=0))

        async def alerts(hours: float) -> int:
            async with database.platform() as session:
                row = {"at": (datetime.now(UTC) - timedelta(hours=hours)).isoformat()}
                await session.execute(
                    text("UPDATE notification_cursors SET read_id = :at WHERE name = 'search-sent'"), row
                )
            assert (await look(activities)).waits == 1
            async with database.platform() as session:
                kinds = await session.scalars(text("SELECT kind FROM alerts"))
            return list(kinds).count(SILENT_ALERT)

        assert await alerts(2) == 0
        async with client_of(create_app(settings_for(fresh_database_urls))) as api:
            async with database.platform() as session:
                operator = Caller(api, await operator_key(session, "facts"))
            await grant(operator, (await make_tenant(operator, database, "owner")).org_id, "1")
        assert [await alerts(hours) for hours in (0.9, 1.1, 3)] == [0, 1, 1]
