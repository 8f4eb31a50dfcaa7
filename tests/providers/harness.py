"""Harness of the contract tests of adapters: an adapter, its provider, and actions of the payer and the bank."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

import httpx2

from domain.payments.payment.snapshot import BalanceTransaction, BalanceTransactionKind, CreatePayment, Snapshot
from providers.payments.base import PaymentProvider
from providers.tls import trusted
from runtime.identity import new_id

Webhook = tuple[bytes, dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class Can:
    """Capabilities of an adapter; those that are False have to be refused.

    Attributes:
        decline: its payer's bank can say no.
        capture: money can be authorized first and captured later.
        cancel: a payment can be ended before it is paid.
        refund: money can be given back.
        find_unpaid: `find` knows of a payment that nobody has paid yet.
        webhooks: it sends any.
        evidence: a dispute can be answered here.
    """

    decline: bool = True
    capture: bool = True
    cancel: bool = True
    refund: bool = True
    find_unpaid: bool = True
    webhooks: bool = True
    evidence: bool = True


class Harness(Protocol):
    """One adapter with a provider behind it, and the hands of the payer and of fate."""

    provider: PaymentProvider
    can: Can
    #: What the suite pays with, and how much: something that divides by ten.
    currency: str
    amount_minor: int

    def payment(self, *, manual_capture: bool = False) -> CreatePayment:
        """Return a new payment that the payer can pay."""
        ...

    async def pay(self, snapshot: Snapshot) -> Snapshot:
        """Do the payer's part of what `create` answered, and what confirms it; return it once it is paid or held."""
        ...

    async def decline(self) -> Snapshot:
        """Try to pay in a way that is declined, and return what the adapter answered."""
        ...

    def lose_next_answer(self) -> None:
        """Let the next call that changes something take its effect, and lose its answer."""
        ...

    def cut_off(self) -> AbstractContextManager[None]:
        """Make the provider unreachable for the block."""
        ...

    async def webhook(self, snapshot: Snapshot, *, age: timedelta = timedelta()) -> Webhook:
        """Return a webhook about the payment as the provider would have signed it so long ago."""
        ...


class Wire(httpx2.AsyncBaseTransport):
    """The network between an adapter and its provider, which can be cut, and lose answers."""

    def __init__(self) -> None:
        self._network = httpx2.AsyncHTTPTransport(verify=trusted())
        self._losing = False
        self._cut = False
        self.requests = 0

    def lose_next_answer(self) -> None:
        self._losing = True

    def cut(self, *, off: bool) -> None:
        self._cut = off

    def changes(self, request: httpx2.Request) -> bool:
        """Tell whether a request changes anything; overridden where a POST may not."""
        return request.method != "GET"

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests += 1
        if self._cut:
            raise httpx2.ConnectError("the wire is cut", request=request)
        response = await self._network.handle_async_request(request)
        if self._losing and self.changes(request):
            self._losing = False
            await response.aread()
            await response.aclose()
            raise httpx2.ReadTimeout("the answer was lost", request=request)
        return response

    async def aclose(self) -> None:
        await self._network.aclose()


def key(step: str = "create") -> str:
    return f"payment:{new_id('pay')}:{step}"


def paid_movement(snapshot: Snapshot) -> BalanceTransaction:
    (charge,) = [movement for movement in snapshot.movements if movement.kind is BalanceTransactionKind.CHARGE]
    return charge


async def statement(harness: Harness, *snapshots: Snapshot) -> dict[str, BalanceTransaction]:
    """The provider's statement lines with the keys of the snapshots, of the hours around them."""
    times = [movement.occurred_at for snapshot in snapshots for movement in snapshot.movements]
    since, until = min(times) - timedelta(hours=1), max(times) + timedelta(hours=1)
    keys = {movement.key for snapshot in snapshots for movement in snapshot.movements}
    listed = [item async for item in harness.provider.list_movements(since=since, until=until)]
    assert len({item.key for item in listed}) == len(listed)
    return {item.key: item for item in listed if item.key in keys}
