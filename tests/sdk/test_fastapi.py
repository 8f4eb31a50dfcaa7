"""Charges for endpoints: held before the handler, captured after a 2xx, and no handler that runs again for nothing."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx2
import pytest
from fastapi import Depends, FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse

from bursar import ConfigurationError, step
from bursar.fastapi import BursarMiddleware, charge
from bursar.testing import FakeBursar
from tests.sdk.world import World

pytestmark = pytest.mark.db


class Shop:
    """An application with a paid endpoint, and what its handler did."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.runs: list[str] = []
        self.after: Callable[[], Any] = lambda: {"ok": True}
        self.bursar = world.client(max_retries=3)
        self.app = FastAPI()
        self.app.add_middleware(BursarMiddleware, client=self.bursar)

        @self.app.post("/generate", dependencies=[Depends(charge("generate"))])
        async def generate(body: dict[str, Any]) -> Any:
            self.runs.append(body["prompt"])
            await self.bursar.credits.use(amount="0.5")
            return self.after()

        self.http = httpx2.AsyncClient(transport=httpx2.ASGITransport(self.app), base_url="http://shop.test")

    async def ask(self, prompt: str = "a", key: str | None = None, caller: str = "ada") -> httpx2.Response:
        headers = {"Authorization": f"Bearer {caller}"} | ({"Idempotency-Key": key} if key else {})
        return await self.http.post("/generate", json={"prompt": prompt}, headers=headers)

    async def books(self) -> list[str]:
        found: list[str] = sorted(await self.world.books())
        return found


@pytest.fixture
async def shop(world: World) -> AsyncIterator[Shop]:
    made = Shop(world)
    yield made
    await made.http.aclose()


async def test_good_answer_is_charged_and_another_is_not(shop: Shop) -> None:
    assert (await shop.ask()).json() == {"ok": True}
    assert await shop.books() == ["0.5", "2"]
    shop.after = lambda: JSONResponse({"no": 1}, 500)
    assert (await shop.ask()).status_code == 500

    def fails() -> None:
        raise HTTPException(422)

    shop.after = fails
    assert (await shop.ask()).status_code == 422
    assert await shop.books() == ["0.5", "0.5", "0.5", "2"]
    assert (await shop.bursar.billing.get_balance()).reserved == 0


async def test_who_cannot_pay_gets_402_before_the_handler(shop: Shop) -> None:
    await shop.bursar.credits.use(amount=99)
    refused = await shop.ask()
    assert (refused.status_code, refused.json()["detail"]["code"]) == (402, "ledger.insufficient_funds")
    assert shop.runs == []


async def test_pitfall_42_handler_does_not_run_on_a_replay(shop: Shop) -> None:
    assert (await shop.ask(key="k")).status_code == 200
    again = await shop.ask(key="k")
    assert (again.status_code, again.json()["detail"]["code"]) == (409, "charge.replayed")
    assert shop.runs == ["a"]
    assert await shop.books() == ["0.5", "2"]
    others = [await shop.ask("b", key="k"), await shop.ask(key="k", caller="bob"), await shop.ask(key="l")]
    assert [answer.status_code for answer in [*others, await shop.ask(), await shop.ask()]] == [200] * 5
    assert len(shop.runs) == 6
    assert await shop.books() == ["0.5"] * 6 + ["2"] * 6


@pytest.mark.parametrize("way", ["use", "hold", "metered", "a step"])
async def test_pitfall_42_handler_that_charges_by_itself_does_not_go_on_after_a_replay(shop: Shop, way: str) -> None:
    @shop.bursar.metered("generate")
    async def metered() -> None:
        shop.runs.append(way)

    @shop.app.post("/own")
    async def own() -> None:
        if way == "use":
            await shop.bursar.credits.use(amount=2)
            shop.runs.append(way)
        elif way == "hold":
            async with shop.bursar.hold(2) as hold:
                shop.runs.append(way)
                hold.use(2)
        elif way == "metered":
            await metered()
        else:
            with step("first"):
                await shop.bursar.credits.use(amount=2)
            shop.runs.append(way)
        # What is paid for goes on: a second charge is not the first one again.
        await shop.bursar.credits.use(amount="0.5")

    keyed = {"Idempotency-Key": "k"}
    assert (await shop.http.post("/own", headers=keyed)).status_code == 200
    again = await shop.http.post("/own", headers=keyed)
    assert (again.status_code, again.json()["detail"]["code"]) == (409, "charge.replayed")
    assert shop.runs == [way]
    assert await shop.books() == ["0.5", "2"]
    # Without a key of the caller each request is another.
    assert (await shop.http.post("/own")).status_code == 200
    assert len(shop.runs) == 2


async def test_handler_that_died_before_its_own_charge_runs_again(shop: Shop) -> None:
    @shop.app.post("/late")
    async def late() -> None:
        shop.runs.append("late")
        if len(shop.runs) == 1:
            raise HTTPException(500)
        shop.world.wire.faults.extend(["answer_lost"])
        await shop.bursar.credits.use(amount=2)

    keyed = {"Idempotency-Key": "k"}
    assert (await shop.http.post("/late", headers=keyed)).status_code == 500
    # An answer that is lost on its way is asked for again, and is this run's own.
    assert (await shop.http.post("/late", headers=keyed)).status_code == 200
    assert await shop.books() == ["2"]


async def test_request_comes_again_while_the_first_one_runs(shop: Shop) -> None:
    inside: list[httpx2.Response] = []

    @shop.app.post("/slow", dependencies=[Depends(charge("generate"))])
    async def slow() -> None:
        inside.append(await shop.http.post("/slow", headers={"Idempotency-Key": "k"}))

    assert (await shop.http.post("/slow", headers={"Idempotency-Key": "k"})).status_code == 200
    [second] = inside
    assert (second.status_code, second.json()["detail"]["code"]) == (409, "charge.in_progress")
    assert 1 <= int(second.headers["retry-after"]) <= 61
    assert await shop.books() == ["2"]


async def test_request_that_was_not_charged_runs_again(shop: Shop) -> None:
    shop.after = lambda: JSONResponse({"no": 1}, 503)
    assert (await shop.ask(key="k")).status_code == 503
    shop.after = lambda: {"ok": True}
    assert (await shop.ask(key="k")).status_code == 200
    assert shop.runs == ["a", "a"]
    assert await shop.books() == ["0.5", "2"]
    assert (await shop.ask(key="k")).status_code == 409


async def test_lost_answers_charge_once_and_never_run_the_handler_for_nothing(shop: Shop) -> None:
    shop.world.wire.faults.extend(["answer_lost"])
    assert (await shop.ask()).status_code == 200

    def loses_the_capture() -> None:
        shop.world.wire.faults.extend(["error_after_commit", "connection_cut"])

    shop.after = loses_the_capture
    assert (await shop.ask("b")).status_code == 200
    assert await shop.books() == ["0.5", "0.5", "2", "2"]
    # With a key of the caller it cannot be told whose hold it is: nothing runs until that has ended.
    shop.world.wire.faults.extend(["answer_lost"])
    assert (await shop.ask(key="k")).json()["detail"]["code"] == "charge.in_progress"
    assert shop.runs == ["a", "b"]


async def test_charge_without_the_middleware_and_a_body_that_is_too_long_are_refused() -> None:
    app = FastAPI()

    @app.post("/", dependencies=[Depends(charge("generate"))])
    async def never() -> None:
        raise AssertionError

    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://shop.test") as http:
        with pytest.raises(ConfigurationError, match="BursarMiddleware"):
            await http.post("/")
        app = FastAPI()
    app.add_middleware(BursarMiddleware, client=FakeBursar().async_client(), max_body=10)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://shop.test") as http:
        assert (await http.post("/", content=b"x" * 11, headers={"Idempotency-Key": "k"})).status_code == 413


async def test_half_a_body_runs_no_handler_and_is_not_charged() -> None:
    fake, app, runs = FakeBursar(), FastAPI(), list[bytes]()

    @app.post("/", dependencies=[Depends(charge("api_call"))])
    async def upload(request: Request) -> None:
        runs.append(await request.body())

    app.add_middleware(BursarMiddleware, client=fake.async_client())
    came = iter([{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}])
    sent = list[Any]()

    async def receive() -> Any:
        return next(came)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"idempotency-key", b"k"), (b"host", b"shop.test")]
    scope = {"type": "http", "method": "POST", "path": "/", "query_string": b"", "headers": headers}
    await app(scope, receive, send)
    assert (runs, sent) == ([], [])
    assert fake.available == 1000
