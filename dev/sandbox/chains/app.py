"""The stand-ins as one ASGI application."""

import asyncio
import json
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from dev.sandbox.chains import reference_rates
from dev.sandbox.chains.bitcoin import Bitcoin
from dev.sandbox.chains.control import Control
from dev.sandbox.chains.ethereum import Ethereum, RpcError
from dev.sandbox.chains.prices import Prices
from dev.sandbox.chains.store import Store
from dev.sandbox.chains.ton import Ton

#: How long a request that is to time out is held.
HELD_SECONDS = 60
SERVICES = ("btc", "evm", "ton", "rates")


class Faults:
    """Lets the next requests to a service fail, as many as were ordered."""

    def __init__(self, app: ASGIApp, orders: Mapping[str, deque[str]]) -> None:
        """Take the application behind, and the orders that the control surface fills."""
        self._app, self._orders = app, orders

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as ordered, else let the request through."""
        service = scope.get("path", "").split("/")[1:2]
        waiting = self._orders.get(service[0]) if service else None
        if scope["type"] != "http" or not waiting:
            return await self._app(scope, receive, send)
        kind = waiting.popleft()
        if kind == "timeout":
            await asyncio.sleep(HELD_SECONDS)
        response: Response = PlainTextResponse("out of order", status_code=500)
        if kind == "garbage":
            response = PlainTextResponse('{"result": [[[', media_type="application/json")
        await response(scope, receive, send)


def build(store: Store, *, block_seconds: int = 0) -> Starlette:
    """Build the application over a state; with `block_seconds` every chain makes blocks by itself."""
    bitcoin, ethereum, ton, prices = Bitcoin(store), Ethereum(store), Ton(store), Prices(store)
    faults: defaultdict[str, deque[str]] = defaultdict(deque)
    control = Control(bitcoin, ethereum, ton, prices, faults)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        mining = asyncio.create_task(_mine(control, block_seconds)) if block_seconds else None
        yield
        if mining:
            mining.cancel()
        store.close()

    app = Starlette(
        routes=[
            Mount("/btc/api", routes=_esplora(bitcoin)),
            Route("/evm", _rpc(ethereum), methods=["POST"]),
            Mount("/ton/api/v3", routes=_toncenter(ton)),
            Route("/rates/v2/exchange-rates", prices.answer),
            Route(f"/rates/{reference_rates.FILE}", reference_rates.answer),
            Mount("/_control", routes=control.routes()),
        ],
        lifespan=lifespan,
    )
    app.add_middleware(Faults, orders=faults)
    return app


async def _mine(control: Control, seconds: int) -> None:
    while True:
        await asyncio.sleep(seconds)
        for chain in ("btc", "evm", "ton"):
            control.mine(chain, 1)


def _esplora(bitcoin: Bitcoin) -> list[Route]:
    def found(value: Any) -> Response:
        return PlainTextResponse("Not found", status_code=404) if value is None else JSONResponse(value)

    async def tip(_request: Request) -> Response:
        return PlainTextResponse(str(bitcoin.tip()))

    async def block_hash(request: Request) -> Response:
        known = bitcoin.block_hash(request.path_params["height"])
        return PlainTextResponse(known or "Block not found", status_code=200 if known else 404)

    async def transactions(request: Request) -> Response:
        return JSONResponse(bitcoin.transactions(request.path_params["address"], after=request.path_params.get("txid")))

    async def status(request: Request) -> Response:
        return found(bitcoin.status(request.path_params["txid"]))

    return [
        Route("/blocks/tip/height", tip),
        Route("/block-height/{height:int}", block_hash),
        Route("/address/{address}/txs", transactions),
        Route("/address/{address}/txs/chain/{txid}", transactions),
        Route("/tx/{txid}/status", status),
    ]


def _rpc(ethereum: Ethereum) -> Callable[[Request], Awaitable[Response]]:
    def answer(call: Any) -> dict[str, Any]:
        if not isinstance(call, dict) or not isinstance(call.get("method"), str):
            return {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "invalid request"}}
        head = {"jsonrpc": "2.0", "id": call.get("id")}
        try:
            return {**head, "result": ethereum.call(call["method"], call.get("params") or [])}
        except RpcError as error:
            return {**head, "error": {"code": error.code, "message": error.message}}

    async def endpoint(request: Request) -> Response:
        try:
            sent = json.loads(await request.body())
        except ValueError:
            return JSONResponse({"jsonrpc": "2.0", "id": None, "error": {"code": -32700, "message": "parse error"}})
        return JSONResponse([answer(call) for call in sent] if isinstance(sent, list) else answer(sent))

    return endpoint


def _toncenter(ton: Ton) -> list[Route]:
    async def master(_request: Request) -> Response:
        return JSONResponse(ton.master())

    async def transactions(request: Request) -> Response:
        query = request.query_params
        page = ton.transactions(
            query["account"],
            start_utime=int(query.get("start_utime", "0")),
            limit=min(int(query.get("limit", "10")), 1000),
            offset=int(query.get("offset", "0")),
            ascending=query.get("sort") == "asc",
        )
        return JSONResponse({"transactions": page, "address_book": {}})

    async def blocks(request: Request) -> Response:
        return JSONResponse({"blocks": ton.blocks(int(request.query_params["seqno"]))})

    return [
        Route("/masterchainInfo", master),
        Route("/blocks", blocks),
        Route("/transactions", transactions),
    ]
