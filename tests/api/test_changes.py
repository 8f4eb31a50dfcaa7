"""Marks, and streams of changes behind uvicorn on a real socket; the tests trigger the polls."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import httpx2
import pytest
import uvicorn
from fastapi import FastAPI
from sqlalchemy import text

from api.app import create_app
from api.changes import Listener, lines_of
from domain.messages.changes import BALANCE, TOPICS, TOPICS_OF
from domain.messages.events import Event
from domain.messages.events.catalogue import CATALOGUE
from domain.tenants.token import split_token
from repositories.messages import event as events
from runtime.database import Database
from runtime.identity import new_id
from server import PublicServer, serving
from tests.api.conftest import Caller, NewTenant, Tenant, good, refused, settings_for
from tests.api.spending import grant
from tests.conftest import DatabaseUrls
from tests.support.outbox import past_others

pytestmark = pytest.mark.db

LIMIT = 300.0


@pytest.fixture(autouse=True)
async def settled(database: Database) -> None:
    """Wait until no earlier change is left to announce: marks grow once more when others' open transactions end."""
    await past_others(database)


async def tell(database: Database, org_id: str, *types: str) -> None:
    async with database.platform() as session:
        await events.record(session, [Event(kind, org_id, new_id("esc"), CATALOGUE[kind].example) for kind in types])


async def marks(caller: Caller, query: str = "") -> dict[str, int]:
    return dict(good(await caller.get(f"/changes{query}")))


def grown(before: dict[str, int], after: dict[str, int]) -> set[str]:
    assert all(after[topic] >= mark for topic, mark in before.items())
    return {topic for topic, mark in after.items() if mark > before[topic]}


# Marks ----------------------------------------------------------------------------------------------------------------


async def test_only_marks_of_changed_topics_grow(database: Database, new_tenant: Any) -> None:
    tenant: Tenant = await new_tenant("owner")
    before = await marks(tenant.owner)
    assert before.keys() == TOPICS
    await tell(database, tenant.org_id, "escrow.delivered")
    await past_others(database)
    after = await marks(tenant.owner)
    assert grown(before, after) == {"escrows"}
    await tell(database, tenant.org_id, "payment.succeeded", "alert.raised")
    assert grown(after, await marks(tenant.owner)) == {"payments", "alerts", BALANCE}


async def test_posting_without_an_event_raises_the_mark_of_the_balance(
    database: Database, operator: Caller, new_tenant: Any
) -> None:
    tenant: Tenant = await new_tenant("owner")
    await grant(operator, tenant.org_id, "10")
    await past_others(database)
    before = await marks(tenant.owner)
    good(await tenant.owner.post("/credits/use", {"amount": "1"}, key=new_id("evt")), 201)
    assert grown(before, await marks(tenant.owner)) == {BALANCE}


async def test_marks_grow_with_commits_after_younger_events(database: Database, tenant: Tenant) -> None:
    async with database.platform() as session:
        await session.execute(text("SELECT pg_current_xact_id()"))
        await tell(database, tenant.org_id, "escrow.delivered", "escrow.approved")
        before = await marks(tenant.owner)
        late = Event("escrow.delivered", tenant.org_id, new_id("esc"), CATALOGUE["escrow.delivered"].example)
        await events.record(session, [late])
        assert await marks(tenant.owner) == before
    after = await marks(tenant.owner)
    assert grown(before, after) == {"escrows"}


async def test_marks_never_fall_when_open_transactions_end(database: Database, tenant: Tenant) -> None:
    async with database.platform() as session:
        await session.execute(text("SELECT pg_current_xact_id()"))
        seen = await marks(tenant.owner)
        for _ in range(3):
            await tell(database, tenant.org_id, "alert.raised", "alert.acknowledged")
            later = await marks(tenant.owner)
            assert grown(seen, later) == {"alerts"}
            seen = later
    grown(seen, await marks(tenant.owner))


async def test_marks_of_other_organizations_do_not_change(database: Database, tenant: Tenant, new_tenant: Any) -> None:
    other: Tenant = await new_tenant("owner")
    before = await marks(other.owner)
    await tell(database, tenant.org_id, "escrow.delivered")
    assert await marks(other.owner) == before
    refused(await other.owner.get(f"/changes?organization_id={tenant.org_id}"), 404, "not_found")


async def test_caller_can_be_read_together_with_the_marks(operator: Caller, tenant: Tenant) -> None:
    shown = await marks(tenant.owner)
    me = good(await tenant.owner.get("/me?marks=true"))
    assert me == {**good(await tenant.owner.get("/me")), "marks": shown}
    assert good(await operator.get("/me?marks=true"))["marks"].keys() == shown.keys()


async def test_operator_sees_marks_of_all_and_of_one(database: Database, operator: Caller, tenant: Tenant) -> None:
    everything, one = await marks(operator), await marks(operator, f"?organization_id={tenant.org_id}")
    await tell(database, tenant.org_id, "invoice.created")
    assert "invoices" in grown(everything, await marks(operator))
    assert grown(one, await marks(operator, f"?organization_id={tenant.org_id}")) == {"invoices"}


async def test_arbiter_follows_jobs_alone(
    database: Database, tenant: Tenant, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    arbiter = await issue_key("arbiter")
    await tell(database, tenant.org_id, "escrow.disputed", "payment.succeeded")
    assert {topic for topic, mark in (await marks(arbiter)).items() if mark} <= {"escrows", "contracts"}
    refused(await arbiter.get(f"/changes?organization_id={tenant.org_id}"), 403, "auth.forbidden")


def test_every_type_of_events_belongs_to_a_topic() -> None:
    assert TOPICS_OF.keys() == CATALOGUE.keys()
    assert {"balance", "escrows", "payments", "invoices", "alerts"} <= TOPICS


# Streams --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def serve(database_urls: DatabaseUrls) -> Callable[..., AbstractAsyncContextManager[tuple[FastAPI, int]]]:
    """Runs the server like `server.py`, in this loop, on a free port; the test triggers the polls."""

    @asynccontextmanager
    async def running(**changes: Any) -> AsyncIterator[tuple[FastAPI, int]]:
        settings = settings_for(database_urls, port=0, **changes)
        app = create_app(settings)
        app.state.deps.changes.start = lambda: None
        options = {**serving(settings), "loop": "none", "timeout_graceful_shutdown": 5}
        server = PublicServer(uvicorn.Config(app, **options), app.state.deps.changes)
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        await server.startup()
        try:
            yield app, server.servers[0].sockets[0].getsockname()[1]
        finally:
            await server.shutdown()

    return running


class Stream:
    """One open stream, read event by event."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def next(self) -> tuple[str, dict[str, Any]] | None:
        """Return the next event and its data; None at the end."""
        found: dict[str, str] = {}
        async with asyncio.timeout(LIMIT):
            async for line in self._lines:
                name, _, value = line.partition(": ")
                found[name] = value
                if not line and "event" in found:
                    return found["event"], json.loads(found["data"])
        return None


@asynccontextmanager
async def following(port: int, caller: Caller, query: str = "") -> AsyncIterator[Stream]:
    headers = {"Authorization": f"Bearer {caller.token}"}
    address = f"http://127.0.0.1:{port}/api/v1/changes/stream{query}"
    async with (
        httpx2.AsyncClient(trust_env=False, timeout=LIMIT) as client,
        client.stream("GET", address, headers=headers) as response,
    ):
        if response.status_code != 200:
            await response.aread()
        yield Stream(response)


Serve = Callable[..., AbstractAsyncContextManager[tuple[FastAPI, int]]]


async def test_stream_begins_with_the_marks_and_names_changed_topics(
    serve: Serve, database: Database, tenant: Tenant, stranger: Tenant
) -> None:
    async with serve() as (app, port), following(port, tenant.auditor) as stream:
        assert stream.response.headers["content-type"].startswith("text/event-stream")
        assert stream.response.headers["cache-control"] == "no-store"
        assert await stream.next() == ("marks", await marks(tenant.auditor))
        await tell(database, stranger.org_id, "invoice.created")
        await tell(database, tenant.org_id, "escrow.delivered", "alert.raised")
        await app.state.deps.changes.look()
        assert await stream.next() == ("changed", {"topic": "alerts"})
        assert await stream.next() == ("changed", {"topic": "escrows"})
        await tell(database, tenant.org_id, "invoice.created")
        await app.state.deps.changes.look()
        assert await stream.next() == ("changed", {"topic": "invoices"})


async def test_stream_announces_a_posting_without_an_event(
    serve: Serve, operator: Caller, new_tenant: NewTenant
) -> None:
    tenant = await new_tenant("owner")
    await grant(operator, tenant.org_id, "10")
    async with serve() as (app, port), following(port, tenant.owner) as stream:
        await stream.next()
        good(await tenant.owner.post("/credits/use", {"amount": "1"}, key=new_id("evt")), 201)
        await app.state.deps.changes.look()
        assert await stream.next() == ("changed", {"topic": BALANCE})


async def test_operator_follows_everybody(serve: Serve, database: Database, operator: Caller, tenant: Tenant) -> None:
    async with serve() as (app, port), following(port, operator) as stream:
        await stream.next()
        await tell(database, tenant.org_id, "contract.created")
        await app.state.deps.changes.look()
        seen = await stream.next()
        while seen != ("changed", {"topic": "contracts"}):
            assert seen is not None
            seen = await stream.next()


async def test_change_that_commits_after_younger_ones_is_announced(
    serve: Serve, database: Database, tenant: Tenant
) -> None:
    async with serve() as (app, port), following(port, tenant.owner) as stream:
        await stream.next()
        async with database.platform() as session:
            await tell(database, tenant.org_id, "alert.raised")
            await session.execute(text("SELECT pg_current_xact_id()"))
            await tell(database, tenant.org_id, "alert.acknowledged")
            await app.state.deps.changes.look()
            assert await stream.next() == ("changed", {"topic": "alerts"})
            late = Event("project.created", tenant.org_id, new_id("prj"), CATALOGUE["project.created"].example)
            await events.record(session, [late])
        await app.state.deps.changes.look()
        assert await stream.next() == ("changed", {"topic": "projects"})


async def test_stream_ends_with_its_key(
    serve: Serve, operator: Caller, tenant: Tenant, issue_key: Callable[..., Awaitable[Caller]]
) -> None:
    member = await issue_key("member", tenant.org_id)
    key_id, _ = split_token(member.token or "") or ("", "")
    async with serve() as (app, port), following(port, member) as ending, following(port, tenant.owner) as other:
        await ending.next()
        await other.next()
        assert (await operator.delete(f"/api-keys/{key_id}")).status_code == 200
        await app.state.deps.changes.look()
        assert await ending.next() is None
        await until(lambda: len(app.state.deps.changes) == 1)


async def test_stream_ends_with_its_session(serve: Serve, tenant: Tenant) -> None:
    opened = good(await tenant.owner.post("/sessions", {}), 201)
    signed_in = Caller(tenant.owner.http, opened["token"], tenant.org_id)
    async with serve() as (app, port), following(port, signed_in) as ending, following(port, tenant.owner) as other:
        await ending.next()
        await other.next()
        await app.state.deps.changes.look()
        assert len(app.state.deps.changes) == 2
        assert (await tenant.owner.delete(f"/sessions/{opened['id']}")).status_code == 204
        await app.state.deps.changes.look()
        assert await ending.next() is None
        await until(lambda: len(app.state.deps.changes) == 1)


async def test_streams_above_the_limit_are_503_and_others_are_served(
    serve: Serve, tenant: Tenant, stranger: Tenant
) -> None:
    async with serve(limit_streams=1) as (app, port), following(port, tenant.owner) as stream:
        await stream.next()
        async with following(port, stranger.owner) as full:
            problem = refused(full.response, 503, "changes.too_many_streams")
            assert full.response.headers["retry-after"] == str(problem["retry_after"])
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=LIMIT) as client:
            good(await Caller(client, stranger.owner.token).get("/changes"))
        assert len(app.state.deps.changes) == 1


async def test_one_organization_cannot_take_all_streams(serve: Serve, tenant: Tenant, stranger: Tenant) -> None:
    async with serve(limit_streams=4) as (_, port), following(port, tenant.owner) as stream:
        await stream.next()
        async with following(port, tenant.admin) as second:
            refused(second.response, 503, "changes.too_many_streams")
        async with following(port, stranger.owner) as other:
            assert await other.next() is not None


async def test_stream_slot_is_free_after_its_reader_disconnects(serve: Serve, tenant: Tenant) -> None:
    async with serve(limit_streams=1) as (app, port):
        for _ in range(2):
            async with following(port, tenant.owner) as stream:
                await stream.next()
            await until(lambda: len(app.state.deps.changes) == 0)


async def test_open_stream_holds_no_request_slot_and_no_connection(serve: Serve, tenant: Tenant) -> None:
    limits = {"limit_concurrency": 2, "limit_streams": 4, "database_pool_size": 1}
    async with serve(**limits) as (app, port), following(port, tenant.owner) as stream:
        await stream.next()
        counts = app.state.deps.metrics.registry
        assert counts.get_sample_value("bursar_http_requests_in_flight") == 0
        async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=LIMIT) as client:
            good(await Caller(client, tenant.owner.token).get("/changes"))


async def test_server_that_stops_ends_its_streams_and_takes_no_other(serve: Serve, tenant: Tenant) -> None:
    async with serve() as (app, port):
        async with following(port, tenant.owner) as stream:
            await stream.next()
            app.state.deps.changes.end_streams()
            assert await stream.next() is None
        async with following(port, tenant.owner) as late:
            refused(late.response, 503, "changes.too_many_streams")


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(LIMIT):
        while not holds():  # noqa: ASYNC110 - it is the server's own task
            await asyncio.sleep(0)


# Lines ----------------------------------------------------------------------------------------------------------------


async def test_idle_stream_sends_comments() -> None:
    lines = lines_of(Listener("key_1", "org_1", TOPICS), {}, quiet=0)
    assert (await anext(lines)).startswith(b"event: marks\ndata: {}\nretry: ")
    assert await anext(lines) == b": ping\n\n"


async def test_stream_ends_after_its_maximum_duration() -> None:
    lines = lines_of(Listener("key_1", "org_1", TOPICS), {}, life=0)
    assert len([line async for line in lines]) == 1


async def test_slow_reader_gets_each_topic_once() -> None:
    listener = Listener("key_1", "org_1", TOPICS)
    lines = lines_of(listener, {})
    await anext(lines)
    for _ in range(100):
        listener.send({"escrows", "alerts"})
    assert [await anext(lines) for _ in range(2)] == [
        b'event: changed\ndata: {"topic": "alerts"}\n\n',
        b'event: changed\ndata: {"topic": "escrows"}\n\n',
    ]
