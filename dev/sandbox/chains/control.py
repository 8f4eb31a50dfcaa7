"""The control surface: sends coins, makes and replaces blocks, sets prices, orders failures.

GET `/_control/health`: 200 when ready; tips, the token's contract, the chain's id, keys to receive at.

POST `/_control/{btc,evm,ton}/deposit`: `{"address", "amount": "0.5", "asset"?, "memo"?, "mine"?}` sends coins, and
    makes that many blocks afterwards. `amount_minor`, or for ETH `wei`, may stand instead of `amount`. For TON the
    address may be left out, and `bounced` makes it a message that came back.
POST `/_control/{btc,evm,ton}/mine`: `{"blocks": 1}`.
POST `/_control/{btc,evm}/reorg`: `{"depth", "drop"?}` replaces the newest blocks by empty ones; what was in them waits
    for the next block, or with `drop` is gone.
POST `/_control/rates`: `{"BTC": {"USD": "64000"}}`.
POST `/_control/faults`: `{"service", "kind", "times"?}`: the next requests to `btc`, `evm`, `ton` or `rates` end in a
    `500`, a `timeout` or `garbage`.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from dev.sandbox.chains import accounts
from dev.sandbox.chains.bitcoin import Bitcoin
from dev.sandbox.chains.ethereum import Ethereum
from dev.sandbox.chains.prices import Prices
from dev.sandbox.chains.ton import Ton
from domain.common.errors import DomainError
from domain.common.money import parse_amount
from providers.chains.addresses import BadAccount

_WEI_PER_GWEI = 10**9
_ASSETS = {"btc": ("BTC",), "evm": ("ETH", "USDC"), "ton": ("TON",)}
Json = dict[str, Any]


class Control:
    """Control endpoints of the chains for scripts and tests."""

    def __init__(
        self, bitcoin: Bitcoin, ethereum: Ethereum, ton: Ton, prices: Prices, faults: Mapping[str, deque[str]]
    ) -> None:
        """Take what is controlled."""
        self._bitcoin, self._ethereum, self._ton, self._prices = bitcoin, ethereum, ton, prices
        self._faults = faults

    def routes(self) -> list[Route]:
        """Return the routes below `/_control`."""
        return [
            Route("/health", self._health),
            Route("/rates", _json(self._rates), methods=["POST"]),
            Route("/faults", _json(self._order_faults), methods=["POST"]),
            Route("/{chain}/deposit", _json(self._deposit), methods=["POST"]),
            Route("/{chain}/mine", _json(self._mine), methods=["POST"]),
            Route("/{chain}/reorg", _json(self._reorganise), methods=["POST"]),
        ]

    def mine(self, chain: str, blocks: int) -> int:
        """Add blocks to a chain and return its tip."""
        chains: dict[str, Bitcoin | Ethereum | Ton] = {"btc": self._bitcoin, "evm": self._ethereum, "ton": self._ton}
        found = chains[chain]
        found.mine(blocks)
        return found.tip()

    async def _health(self, _request: Request) -> Response:
        tips = {"btc": self._bitcoin.tip(), "evm": self._ethereum.tip(), "ton": self._ton.tip()}
        evm = {"chain_id": accounts.CHAIN_ID, "usdc_contract": accounts.USDC_CONTRACT}
        keys = {"btc_xpub": accounts.BTC_XPUB, "eth_xpub": accounts.ETH_XPUB, "ton_address": accounts.TON_ADDRESS}
        return JSONResponse({"status": "ok", "tips": tips, **evm, **keys})

    def _deposit(self, body: Json, chain: str) -> Json:
        asset = str(body.get("asset", _ASSETS[chain][0])).upper()
        if asset not in _ASSETS[chain]:
            raise ValueError(f"{asset} is not on {chain}")
        wei = int(body.get("wei", 0))
        minor = (
            int(body["amount_minor"]) if "amount_minor" in body else 0 if wei else parse_amount(body["amount"], asset)
        )
        answer: Json
        if chain == "btc":
            answer = {"tx": self._bitcoin.send([(body["address"], minor)]), "index": 1}
        elif chain == "ton":
            address = body.get("address", accounts.TON_ADDRESS)
            answer = {"tx": self._ton.send(address, minor, body.get("memo"), bounced=bool(body.get("bounced")))}
        else:
            amount = (wei or minor * _WEI_PER_GWEI) if asset == "ETH" else minor
            answer = {"order": self._ethereum.send(asset, body["address"], amount)}
        if blocks := int(body.get("mine", 0)):
            answer["tip"] = self.mine(chain, blocks)
        return answer

    def _mine(self, body: Json, chain: str) -> Json:
        return {"tip": self.mine(chain, int(body.get("blocks", 1)))}

    def _reorganise(self, body: Json, chain: str) -> Json:
        chains: dict[str, Bitcoin | Ethereum] = {"btc": self._bitcoin, "evm": self._ethereum}
        reorganised = chains[chain]
        reorganised.reorganise(int(body["depth"]), drop=bool(body.get("drop")))
        return {"tip": reorganised.tip()}

    def _rates(self, body: Json) -> Json:
        for asset, prices in body.items():
            for currency, price in prices.items():
                self._prices.set(asset, currency, str(price))
        return {}

    def _order_faults(self, body: Json) -> Json:
        if body["service"] not in ("btc", "evm", "ton", "rates") or body["kind"] not in ("500", "timeout", "garbage"):
            raise ValueError("no such service or kind")
        self._faults[body["service"]].extend([body["kind"]] * int(body.get("times", 1)))
        return {}


def _json(act: Callable[..., Json]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        try:
            body = await request.json() if await request.body() else {}
            return JSONResponse(act(body, **request.path_params))
        except (KeyError, TypeError, ValueError, BadAccount, DomainError) as wrong:
            return JSONResponse({"error": f"{type(wrong).__name__}: {wrong}"}, status_code=422)

    return endpoint
