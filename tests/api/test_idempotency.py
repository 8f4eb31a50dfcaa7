import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import asyncpg
import httpx2
import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.responses import Response

from api.app import create_app
from api.deps import Deps
from api.idempotency import Command, idempotency
from domain.common.errors import Conflict, Forbidden, InsufficientFunds, NotFound, Unavailable
from domain.escrow.signing import DeliveryRequired
from repositories.common import idempotency as store
from tests.api.conftest import Caller, Tenant, good, new_key, refused, settings_for
from tests.conftest import DatabaseUrls
from tests.support.connections import connected
from tests.support.looking import again

pytestmark = pytest.mark.db

Act = Callable[[], Awaitable[dict[str, object]]]


class Bench:
    """An app with one POST whose act the test chooses, and the command ids that the act was run with."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app
        self.clear()
        app.add_api_route("/acts/{name}", self.handle, methods=["POST"], status_code=201)
        app.add_api_route("/aliases/{name}", self.handle, methods=["POST"], status_code=201)

    def clear(self) -> None:
        self.act: Act = self.count
        self.runs = 0
        self.commands: list[str] = []

    async def count(self) -> dict[str, object]:
        self.runs += 1
        return {"run": self.runs}

    async def handle(
        self,
        name: str,
        x: int | None = None,
        command: Command = idempotency(required=True),
    ) -> Response:
        async with command:
            self.commands.append(command.command_id)
            return command.answer(await self.act())


@pytest.fixture(scope="module")
async def one_bench(database_urls: DatabaseUrls) -> Bench:
    return Bench(create_app(settings_for(database_urls, idempotency_lease=timedelta(minutes=5))))


@pytest.fixture
def bench(one_bench: Bench) -> Bench:
    one_bench.clear()
    return one_bench


@pytest.fixture
async def caller(bench: Bench, tenant: Tenant) -> Caller:
    transport = httpx2.ASGITransport(bench.app)
    return Caller(httpx2.AsyncClient(transport=transport, base_url="http://bursar.test/"), tenant.owner.token)


@asynccontextmanager
async def serving(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://bursar.test") as client:
        yield client


async def post(caller: Caller, path: str, body: object = None, **options: str) -> httpx2.Response:
    headers = {"Authorization": f"Bearer {caller.token}", **options}
    return await caller.http.post(path, json=body if body is not None else {}, headers=headers)


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


async def test_missing_key_is_400(bench: Bench, caller: Caller) -> None:
    refused(await post(caller, "/acts/a"), 400, "idempotency.missing")
    assert bench.runs == 0


@pytest.mark.parametrize("key", ["", " ", "a" * 256, "schlüssel".encode("latin-1").decode("latin-1"), "tab\tbed", " a"])
async def test_key_that_is_not_plain_text_is_refused(key: str, bench: Bench, caller: Caller) -> None:
    headers = [("Authorization", f"Bearer {caller.token}"), ("Idempotency-Key", key.encode("latin-1"))]
    response = await caller.http.post("/acts/a", json={}, headers=headers)
    assert response.status_code in {400, 422}
    assert bench.runs == 0


async def test_pitfall_17_longest_key_is_taken(bench: Bench, caller: Caller) -> None:
    good(await post(caller, "/acts/a", **keyed("~" * 255)), 201)
    assert len(bench.commands[0]) <= 200


async def test_same_request_is_answered_once_and_replayed(bench: Bench, caller: Caller) -> None:
    key = keyed(new_key())
    first = await post(caller, "/acts/a", {"b": 1, "a": "x"}, **key)
    second = await post(caller, "/acts/a", {"a": "x", "b": 1}, **key)
    assert good(first, 201) == {"run": 1}
    assert second.content == first.content
    assert second.status_code == 201
    assert "idempotent-replayed" not in first.headers
    assert second.headers["idempotent-replayed"] == "true"


async def test_other_path_of_the_same_operation_is_the_same_request(bench: Bench, caller: Caller) -> None:
    key = keyed(new_key())
    good(await post(caller, "/acts/a", **key), 201)
    assert (await post(caller, "/aliases/a", **key)).headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize(("path", "body"), [("/acts/a", {"x": 1}), ("/acts/b", {}), ("/acts/a?x=1", {})])
async def test_other_content_under_the_same_key_is_refused(
    path: str, body: dict[str, int], bench: Bench, caller: Caller
) -> None:
    key = keyed(new_key())
    good(await post(caller, "/acts/a", {}, **key), 201)
    refused(await post(caller, path, body, **key), 422, "idempotency.conflict")
    assert bench.runs == 1


async def test_two_organizations_may_choose_the_same_key(bench: Bench, caller: Caller, stranger: Tenant) -> None:
    key = keyed(new_key())
    good(await post(caller, "/acts/a", **key), 201)
    other = Caller(caller.http, stranger.owner.token)
    assert good(await post(other, "/acts/a", **key), 201) == {"run": 2}
    assert bench.commands[0] != bench.commands[1]


async def test_second_principal_of_an_organization_is_not_answered_with_the_first_ones_answer(
    bench: Bench, caller: Caller, tenant: Tenant
) -> None:
    key = keyed(new_key())
    good(await post(caller, "/acts/a", **key), 201)
    second = Caller(caller.http, tenant.finance.token)
    refused(await post(second, "/acts/a", **key), 422, "idempotency.conflict")
    assert bench.runs == 1


async def test_replay_outlives_the_rotation_of_the_principals_api_key(
    bench: Bench, caller: Caller, tenant: Tenant
) -> None:
    body = {"principal": new_key(), "role": "member"}
    made = good(await tenant.owner.post("/api-keys", body), 201)
    key = keyed(new_key())
    good(await post(Caller(caller.http, made["secret"]), "/acts/a", **key), 201)
    await tenant.owner.delete(f"/api-keys/{made['id']}")
    rotated = good(await tenant.owner.post("/api-keys", body), 201)
    again = await post(Caller(caller.http, rotated["secret"]), "/acts/a", **key)
    assert again.headers["idempotent-replayed"] == "true"


async def test_concurrent_requests_with_one_key_run_once(bench: Bench, caller: Caller) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    async def slow() -> dict[str, object]:
        entered.set()
        await leave.wait()
        return await bench.count()

    bench.act = slow
    key = keyed(new_key())
    first = asyncio.create_task(post(caller, "/acts/a", **key))
    await entered.wait()
    for response in await asyncio.gather(*(post(caller, "/acts/a", **key) for _ in range(5))):
        refused(response, 409, "idempotency.in_flight")
        assert response.headers["retry-after"] == "1"
    leave.set()
    good(await first, 201)
    assert (await post(caller, "/acts/a", **key)).json() == {"run": 1}


async def raises(error: Exception) -> dict[str, object]:
    raise error


@pytest.mark.parametrize(
    "error",
    [InsufficientFunds("too little"), Conflict("no", extra={"state": "x"})],
    ids=lambda error: type(error).__name__,
)
async def test_final_refusal_is_kept(error: Exception, bench: Bench, caller: Caller) -> None:
    bench.act = lambda: raises(error)
    key = keyed(new_key())
    first = await post(caller, "/acts/a", **key)
    bench.act = bench.count
    second = await post(caller, "/acts/a", **key)
    assert second.status_code == first.status_code
    assert second.headers["idempotent-replayed"] == "true"
    assert second.headers["content-type"] == "application/problem+json"
    assert {**second.json(), "request_id": ""} == {**first.json(), "request_id": ""}
    assert bench.runs == 0


@pytest.mark.parametrize("error", [NotFound("gone"), Forbidden("no")], ids=lambda error: type(error).__name__)
async def test_refusal_that_can_pass_frees_the_key(error: Exception, bench: Bench, caller: Caller) -> None:
    bench.act = lambda: raises(error)
    key = keyed(new_key())
    assert (await post(caller, "/acts/a", **key)).status_code >= 400
    bench.act = bench.count
    good(await post(caller, "/acts/b", {"other": "content"}, **key), 201)


@pytest.mark.parametrize("error", [Unavailable("no answer"), LookupError("a fault")], ids=lambda e: type(e).__name__)
async def test_unknown_outcome_frees_the_key_for_the_same_request_only(
    error: Exception, bench: Bench, caller: Caller
) -> None:
    bench.act = lambda: raises(error)
    key = keyed(new_key())
    assert (await post(caller, "/acts/a", **key)).status_code >= 500
    bench.act = bench.count
    refused(await post(caller, "/acts/b", **key), 422, "idempotency.conflict")
    good(await post(caller, "/acts/a", **key), 201)
    assert bench.commands[0] == bench.commands[1]


async def test_lease_that_ended_is_taken_over_with_the_same_command(
    database_urls: DatabaseUrls, tenant: Tenant
) -> None:
    bench = Bench(create_app(settings_for(database_urls, idempotency_lease=timedelta(0))))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(bench.app), base_url="http://bursar.test") as http:
        caller = Caller(http, tenant.owner.token)
        entered, never = asyncio.Event(), asyncio.Event()

        async def hang() -> dict[str, object]:
            entered.set()
            await never.wait()
            return {}

        bench.act = hang
        key = keyed(new_key())
        dead = asyncio.create_task(post(caller, "/acts/a", **key))
        await entered.wait()
        dead.cancel()
        await asyncio.gather(dead, return_exceptions=True)
        bench.act = bench.count
        refused(await post(caller, "/acts/b", **key), 422, "idempotency.conflict")
        good(await post(caller, "/acts/a", **key), 201)
        assert bench.commands[0] == bench.commands[1]


async def test_answer_of_a_replaced_owner_is_not_stored(deps: Deps) -> None:
    pool = await deps.pool.get()
    name = {"scope": "platform", "key": new_key()}
    lease = timedelta(0)
    assert (await store.claim(pool, **name, request_hash=b"x", owner="one", lease=lease)).outcome == "claimed"
    assert (await store.claim(pool, **name, request_hash=b"x", owner="two", lease=lease)).outcome == "claimed"
    late = {"status": 201, "content_type": "application/json"}
    assert not await store.finish(pool, **name, owner="one", body=b"1", **late)
    assert await store.finish(pool, **name, owner="two", body=b"2", **late)
    assert (await store.claim(pool, **name, request_hash=b"x", owner="three", lease=lease)).body == b"2"


async def test_claim_can_be_repeated_by_its_owner(deps: Deps) -> None:
    pool = await deps.pool.get()
    name = {"scope": "platform", "key": new_key()}
    for _ in range(2):
        claim = await store.claim(pool, **name, request_hash=b"x", owner="one", lease=timedelta(minutes=1))
        assert claim.outcome == "claimed"


async def test_old_keys_are_forgotten(deps: Deps) -> None:
    pool = await deps.pool.get()
    keys = [new_key() for _ in range(3)]
    for key in keys:
        await store.claim(pool, scope="platform", key=key, request_hash=b"x", owner="one", lease=timedelta(minutes=1))
    async with deps.database.platform() as session:
        assert await store.delete_older_than(session, datetime.now(UTC) - timedelta(days=30), limit=10) == 0
        left = text("SELECT count(*) FROM idempotency_keys WHERE key = ANY(:keys)")
        # No statement forgets more than it has time for.
        soon = datetime.now(UTC) + timedelta(days=1)
        while await store.delete_older_than(session, soon, limit=2) == 2:
            pass
        assert await session.scalar(left, {"keys": keys}) == 0
        await session.rollback()


async def locked_until(deps: Deps, key: str) -> object:
    async with deps.database.platform() as session:
        return await session.scalar(text("SELECT locked_until FROM idempotency_keys WHERE key = :key"), {"key": key})


async def test_lease_is_renewed_while_the_act_runs(database_urls: DatabaseUrls, deps: Deps, tenant: Tenant) -> None:
    bench = Bench(create_app(settings_for(database_urls, idempotency_lease=timedelta(seconds=3))))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(bench.app), base_url="http://bursar.test") as http:
        caller = Caller(http, tenant.owner.token)
        entered, may_end = asyncio.Event(), asyncio.Event()

        async def work() -> dict[str, object]:
            entered.set()
            await may_end.wait()
            return await bench.count()

        bench.act = work
        key = new_key()
        first = asyncio.create_task(post(caller, "/acts/a", **keyed(key)))
        await entered.wait()
        claimed = await locked_until(deps, key)
        while await locked_until(deps, key) == claimed:
            await again()
        may_end.set()
        assert good(await first, 201) == good(await post(caller, "/acts/a", **keyed(key)), 201) == {"run": 1}


async def test_renewal_does_nothing_after_the_key_was_lost(deps: Deps) -> None:
    pool = await deps.pool.get()
    name = {"scope": "platform", "key": new_key()}
    minute = timedelta(minutes=1)
    assert not await store.renew(pool, **name, owner="one", lease=minute)
    await store.claim(pool, **name, request_hash=b"x", owner="one", lease=timedelta(0))
    await store.claim(pool, **name, request_hash=b"x", owner="two", lease=timedelta(0))
    assert not await store.renew(pool, **name, owner="one", lease=minute)
    assert await store.renew(pool, **name, owner="two", lease=minute)
    claim = await store.claim(pool, **name, request_hash=b"x", owner="three", lease=minute)
    assert claim.outcome == "in_flight"


@pytest.mark.parametrize(
    "call",
    [
        "idempotency_claim($1, 'k', 'x', 'me', '5 s')",
        "idempotency_renew($1, 'k', 'me', '5 s')",
        "idempotency_finish($1, 'k', 'me', 200, 'application/json', 'x')",
        "idempotency_free($1, 'k', 'me', true)",
    ],
)
async def test_transaction_of_one_organization_touches_no_key_of_another(
    call: str, database_urls: DatabaseUrls, tenant: Tenant, stranger: Tenant
) -> None:
    async with connected(database_urls.tenant) as connection, connection.transaction():
        await connection.execute("SELECT set_config('bursar.org_id', $1, true)", tenant.org_id)
        await connection.execute("SAVEPOINT before")
        with pytest.raises(asyncpg.PostgresError, match="another organization"):
            await connection.fetch(f"SELECT {call}", stranger.org_id)
        await connection.execute("ROLLBACK TO SAVEPOINT before")
        await connection.fetch(f"SELECT {call}", tenant.org_id)


async def test_a_refusal_that_asks_for_more_frees_its_key(bench: Bench, caller: Caller) -> None:
    async def refuse() -> dict[str, object]:
        raise DeliveryRequired("Name the delivery.")

    key, bench.act = keyed(new_key()), refuse
    for _ in range(2):
        refused(await post(caller, "/acts/a", **key), 409, "escrow.delivery_required")
    bench.act = bench.count
    assert good(await post(caller, "/acts/a", {"delivery": 5}, **key), 201) == {"run": 1}
    assert len(set(bench.commands)) == 1
