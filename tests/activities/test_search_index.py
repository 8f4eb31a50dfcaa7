"""The search index holds every event once, whatever fails."""

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from sqlalchemy import select
from temporalio.testing import ActivityEnvironment

from activities.insight.search_index import REFUSED_ALERT, SearchIndexActivities
from contracts.insight.search_index import IndexedEvents, IndexEvents
from domain.insight.search_index import MAPPING
from domain.messages.events import Event
from domain.messages.events.catalogue import CATALOGUE
from models.messages.alert import Alert
from models.messages.event import EventRow
from providers.search_index import SearchIndex
from repositories.insight import search_index as store
from repositories.messages import event
from runtime.database import Database
from runtime.identity import new_id
from tests.support.notifications import an_organization
from tests.support.outbox import past_others
from tests.support.search import Secured, found, index_at, search_server

pytestmark = pytest.mark.db

PAYMENT = "payment.succeeded"


class Failing(httpx2.AsyncBaseTransport):
    """Calls the server, and replaces its answers by the configured ones."""

    def __init__(self) -> None:
        self.server = httpx2.AsyncHTTPTransport()
        self.answers: list[httpx2.Response | Exception] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        answer = await self.server.handle_async_request(request)
        if request.url.path == "/_bulk" and self.answers:
            await answer.aread()
            instead = self.answers.pop(0)
            if isinstance(instead, Exception):
                raise instead
            return instead
        return answer

    async def aclose(self) -> None:
        await self.server.aclose()


@pytest.fixture
def url() -> Iterator[str]:
    with search_server() as address:
        yield address


@pytest.fixture
def failing() -> Failing:
    return Failing()


@pytest.fixture
async def index(url: str, failing: Failing) -> AsyncIterator[SearchIndex]:
    async with httpx2.AsyncClient(transport=failing) as client:
        yield index_at(url, client)


async def happened(database: Database, count: int = 1, kind: str = PAYMENT, **more: Any) -> str:
    """Record events of a new organization, and return it."""
    org_id = await an_organization(database)
    data = CATALOGUE[kind].example | {"amount": "12.34", "currency": "USD"}
    async with database.platform() as session:
        events = [Event(type=kind, org_id=org_id, subject=new_id("pay"), data=data, **more) for _ in range(count)]
        await event.record(session, events)
    return org_id


async def look(database: Database, index: SearchIndex, page: int = 500) -> IndexedEvents:
    """Look once for new events."""
    done: IndexedEvents = await ActivityEnvironment().run(
        SearchIndexActivities(database, index, page=page).index, IndexEvents(seconds=0)
    )
    return done


async def read_on(database: Database, index: SearchIndex, page: int = 500) -> None:
    """Read until there is nothing new, with a new worker each time."""
    await past_others(database)
    for _ in range(50):
        done = await look(database, index, page)
        if not (done.read or done.waits):
            return
    pytest.fail(f"The reader does not come to an end: {done.problem}")


async def held(database: Database) -> dict[str, EventRow]:
    async with database.platform() as session:
        return {row.id: row for row in await session.scalars(select(EventRow))}


async def test_a_reader_killed_at_every_page_sends_each_event_once(
    fresh_database: Database, index: SearchIndex, failing: Failing, url: str
) -> None:
    org_id = await happened(fresh_database, 7)
    await past_others(fresh_database)
    place = None
    while True:
        # The index has taken the page, and the reader dies before it knows.
        failing.answers = [httpx2.ReadError("killed")]
        died = await look(fresh_database, index, 2)
        async with fresh_database.platform() as session:
            assert place is None or await store.position(session) == place
        failing.answers = []
        done = await look(fresh_database, index, 2)
        assert died.created == done.created == 0
        if not done.read:
            break
        async with fresh_database.platform() as session:
            place = await store.position(session)
    rows, documents = await held(fresh_database), await found(url)
    assert documents.keys() == rows.keys()
    assert len(rows) >= 7
    for event_id, hit in documents.items():
        row, fields = rows[event_id], hit["_source"]
        assert (fields["type"], fields["subject"], fields["subject_seq"]) == (row.type, row.subject, row.subject_seq)
        assert hit["_index"] == f"events-{row.at.astimezone(UTC):%Y-%m}"
        assert fields.keys() <= MAPPING.keys()
    paid = await found(url, term={"organization_id": org_id})
    assert sum(hit["_source"].get("amount_minor", 0) for hit in paid.values()) == 7 * 1234


async def test_an_event_whose_commit_is_held_open_is_indexed(
    fresh_database: Database, index: SearchIndex, url: str
) -> None:
    org_id = await an_organization(fresh_database)
    of = Event(type=PAYMENT, org_id=org_id, subject=new_id("pay"), data=CATALOGUE[PAYMENT].example)
    async with fresh_database.platform() as session:
        await event.record(session, [of])
        await happened(fresh_database, 2)
        assert (await look(fresh_database, index)).read == 0
    await read_on(fresh_database, index)
    assert (await found(url)).keys() == (await held(fresh_database)).keys()
    assert len(await found(url, term={"subject": of.subject})) == 1


async def test_refused_document_is_listed_without_stopping_others(
    fresh_database: Database, index: SearchIndex, url: str
) -> None:
    await happened(fresh_database, 2)
    await happened(fresh_database, 1, "escrow.opened")
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        # Somebody made this month's index by hand, and amounts are no dates.
        fields = {"received_amount_minor": {"type": "date", "format": "yyyy-MM-dd"}}
        month = f"events-{datetime.now(UTC):%Y-%m}"
        made = await client.put(f"{url}/{month}", json={"mappings": {"properties": fields}})
        assert made.status_code == 200, made.text
    await read_on(fresh_database, index)
    async with fresh_database.platform() as session:
        refused = await store.refusals(session, 10)
        [raised] = await session.scalars(select(Alert).where(Alert.kind == REFUSED_ALERT))
    rows, documents = await held(fresh_database), await found(url)
    assert documents.keys() | {row.event_id for row in refused} == rows.keys()
    assert not documents.keys() & {row.event_id for row in refused}
    assert (len(refused), len(documents)) == (2, len(rows) - 2)
    assert all("received_amount_minor" in row.reason and row.index_name.startswith("events-") for row in refused)
    assert "manage search-index refused" in raised.detail


async def test_the_position_stays_while_the_index_is_busy(
    fresh_database: Database, index: SearchIndex, failing: Failing, url: str
) -> None:
    await happened(fresh_database, 3)
    await past_others(fresh_database)
    busy = {"create": {"_id": "?", "status": 429}}
    # Said of the index or the cluster, so that no document of it is refused for good.
    full = {"create": {"_id": "?", "status": 400, "error": {"type": "validation_exception", "reason": "shards"}}}
    blocked = {"create": {"_id": "?", "status": 403, "error": {"type": "cluster_block_exception", "reason": "x"}}}
    refusals = [
        httpx2.Response(429, headers={"Retry-After": "7"}),
        httpx2.Response(503),
        *(httpx2.Response(200, json={"items": [each]}) for each in (busy, full, blocked)),
        httpx2.Response(403, text="no"),
    ]
    for answer in refusals:
        failing.answers = [answer]
        done = await look(fresh_database, index)
        assert (done.read, done.waits) == (0, 1)
        assert done.problem
        async with fresh_database.platform() as session:
            assert await store.position(session) == store.BEGINNING
    await read_on(fresh_database, index)
    assert (await found(url)).keys() == (await held(fresh_database)).keys()


async def test_old_months_are_dropped_and_not_sent(fresh_database: Database, index: SearchIndex, url: str) -> None:
    index.months = 1
    now = datetime.now(UTC)
    await happened(fresh_database, 1)
    await happened(fresh_database, 1, at=now - timedelta(days=100))
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        await client.put(f"{url}/events-2001-01", json={})
    await read_on(fresh_database, index)
    assert all(hit["_index"] >= f"events-{now - timedelta(days=62):%Y-%m}" for hit in (await found(url)).values())
    names = await index.indices()
    assert f"events-{now:%Y-%m}" in names
    assert "events-2001-01" not in names


async def test_the_rights_of_the_recipe_are_enough_and_all_are_used(fresh_database: Database, url: str) -> None:
    await happened(fresh_database, 2)
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        await client.put(f"{url}/bursar-events-2001-01", json={})
    secured = Secured()
    async with httpx2.AsyncClient(transport=secured) as client:
        index = index_at(url, client, name="bursar-events")
        await read_on(fresh_database, index)
        assert await index.indices() == [f"bursar-events-{datetime.now(UTC):%Y-%m}"]
    assert (await found(url, "bursar-events")).keys() >= (await held(fresh_database)).keys()
    assert set(secured.asked) == secured.rights


async def test_an_index_deleted_by_hand_is_made_with_its_mapping_and_filled_again(
    fresh_database: Database, index: SearchIndex, url: str
) -> None:
    await happened(fresh_database, 3)
    await read_on(fresh_database, index)
    for name in await index.indices():
        await index.drop(name)
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        await happened(fresh_database, 1)
        await read_on(fresh_database, index)
        [made] = (await client.get(f"{url}/events-*")).json().values()
    assert (await found(url)).keys() >= (await held(fresh_database)).keys()
    assert made["mappings"]["dynamic"] == "false"
    assert made["mappings"]["properties"].keys() == MAPPING.keys()


async def test_no_index_is_made_without_its_mapping(fresh_database: Database, index: SearchIndex, url: str) -> None:
    """The template is deleted while the reader runs, which checks for it only at its start."""
    await happened(fresh_database, 1)
    await past_others(fresh_database)

    class Without(SearchIndex):
        async def prepare(self, mapping: Mapping[str, str]) -> None:
            pass

    without = Without(index._client, url, name="events", months=24)
    assert (await look(fresh_database, without)).created
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        [made] = (await client.get(f"{url}/events-*")).json().values()
    assert made["mappings"]["properties"].keys() == MAPPING.keys()


async def test_a_new_cluster_gets_every_event(
    fresh_database: Database, index: SearchIndex, failing: Failing, url: str
) -> None:
    await happened(fresh_database, 3)
    await read_on(fresh_database, index)
    for name in await index.indices():
        await index.drop(name)
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        gone = await client.delete(f"{url}/_index_template/events")
        assert gone.status_code == 200, gone.text
    await read_on(fresh_database, index)
    assert (await found(url)).keys() == (await held(fresh_database)).keys()
