"""Chains for tests: the sandbox in the test's own process, the product's watchers on it, and a wire that can be cut."""

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from dev.sandbox.chains import accounts
from dev.sandbox.chains.app import build
from dev.sandbox.chains.ethereum import CHAIN_ID, USDC_CONTRACT, Ethereum
from dev.sandbox.chains.store import Store
from domain.payments.payment.snapshot import CreatePayment
from providers.chains.addresses import BitcoinAccount, EthereumAccount, TonAccount
from providers.chains.esplora import EsploraWatcher
from providers.chains.evm import EvmWatcher
from providers.chains.ton import TonWatcher
from providers.payments.crypto import Chain, CryptoProvider
from providers.payments.deposits import DepositBook
from providers.rates import HttpRates
from runtime.identity import new_id

#: After how many blocks a deposit is final in these tests.
CONFIRMATIONS = {"btc": 2, "evm": 3, "ton": 1}
#: The control surface's name of an asset's chain.
CHAIN_OF = {"BTC": "btc", "ETH": "evm", "USDC": "evm", "TON": "ton"}
#: A payment of each asset.
AMOUNTS = {"BTC": 150_000, "ETH": 20_000_000, "USDC": 25_000_000, "TON": 3_000_000_000}


class Wire(httpx2.AsyncBaseTransport):
    """Hands requests to the sandbox in this process unless it is cut."""

    def __init__(self, app: Any) -> None:
        self._inner = httpx2.ASGITransport(app=app)
        self.is_cut = False
        self.requests: list[httpx2.Request] = []

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        if self.is_cut:
            raise httpx2.ConnectError("the wire is cut", request=request)
        return await self._inner.handle_async_request(request)


class Clock:
    """A clock that only a test moves."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> None:
        self.now += by


@functools.cache
def begun_ethereum() -> list[tuple[bytes, bytes]]:
    """Return what a chain of Ethereum begins with, its token made: the same for every new state."""
    store = Store()
    Ethereum(store)
    rows = [tuple(row) for row in store.db.execute("SELECT key, value FROM evm_state")]
    store.close()
    return rows


def new_store() -> Store:
    """Return a new state; to sign and to run what makes the token would take four times as long."""
    store = Store()
    store.db.executemany("INSERT INTO evm_state VALUES (?, ?)", begun_ethereum())
    return store


class ChainsInTest:
    """The sandbox, the watchers on it, and its control surface."""

    def __init__(self, store: Store | None = None) -> None:
        self.store = store or new_store()
        self.wire = Wire(build(self.store))
        self.http = httpx2.AsyncClient(transport=self.wire, base_url="http://chains")
        self.clock = Clock()
        self.bitcoin = EsploraWatcher(self.http, "http://chains/btc/api", confirmations=CONFIRMATIONS["btc"])
        self.ethereum = EvmWatcher(
            self.http,
            "http://chains/evm",
            usdc_contract=USDC_CONTRACT,
            chain_id=CHAIN_ID,
            confirmations=CONFIRMATIONS["evm"],
            reorg_depth=8,
        )
        self.ton = TonWatcher(self.http, "http://chains/ton", confirmations=CONFIRMATIONS["ton"])

    def provider(self, book: DepositBook) -> CryptoProvider:
        return CryptoProvider(
            Chain(BitcoinAccount(accounts.BTC_XPUB), self.bitcoin),
            Chain(EthereumAccount(accounts.ETH_XPUB, usdc_contract=USDC_CONTRACT, chain_id=CHAIN_ID), self.ethereum),
            Chain(TonAccount(accounts.TON_ADDRESS), self.ton),
            book=book,
            clock=self.clock,
        )

    def rates(self) -> HttpRates:
        return HttpRates(self.http, "http://chains/rates", clock=self.clock)

    async def control(self, path: str, **body: Any) -> dict[str, Any]:
        answer = await self.http.post(f"/_control/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        self.wire.is_cut = True
        yield
        self.wire.is_cut = False

    def payment(self, asset: str, **changes: Any) -> CreatePayment:
        terms: dict[str, Any] = {
            "payment_id": new_id("pay"),
            "org_id": new_id("org"),
            "amount_minor": AMOUNTS[asset],
            "currency": asset,
            "description": "Credits",
            "expires_at": self.clock() + timedelta(hours=1),
        }
        return CreatePayment(**(terms | changes))

    async def close(self) -> None:
        await self.http.aclose()
        self.store.close()


def answering(answer: Callable[[httpx2.Request], httpx2.Response]) -> httpx2.AsyncClient:
    """A client of a service that answers as the function says."""
    return httpx2.AsyncClient(transport=httpx2.MockTransport(answer))
