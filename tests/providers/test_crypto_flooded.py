"""Places that somebody fills with worthless transfers: they cost time, and keep no payment from its coins."""

import base64
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from dev.sandbox.chains.accounts import TON_ADDRESS
from dev.sandbox.chains.ton import FIRST_SEQNO
from domain.payments.payment.snapshot import BalanceTransaction, BalanceTransactionKind, ProviderStatus, Snapshot
from providers.chains.addresses import TonAccount, ton_raw
from providers.chains.base import ChainView
from providers.chains.ton import TonWatcher
from providers.payments.base import ProviderUnavailable, StatementIncomplete, UnreadSource
from providers.payments.crypto import Chain, CryptoProvider
from providers.payments.deposits import DepositRecord
from tests.providers.crypto_world import World, final
from tests.providers.harness import key
from tests.support.chains import AMOUNTS, answering

pytestmark = pytest.mark.db

DUST = 50_001
#: Of one transfer a second, and as many in a block.
IN_A_BLOCK = 20


class Flood:
    """A service of TON with more dust at the shared address than a call reads."""

    def __init__(self, begin: int) -> None:
        self.begin, self.tip = begin, FIRST_SEQNO
        self.paid: dict[int, str | None] = {}
        self.starts: list[int] = []
        self.answers_left: int | None = None

    def __call__(self, request: httpx2.Request) -> httpx2.Response:
        query = dict(request.url.params)
        if request.url.path.endswith("/masterchainInfo"):
            return httpx2.Response(200, json={"last": {"seqno": self.tip}})
        if request.url.path.endswith("/blocks"):
            seqno = int(query["seqno"])
            block = {"seqno": seqno, "gen_utime": str(self.begin + seqno - FIRST_SEQNO)}
            return httpx2.Response(200, json={"blocks": [block] if seqno >= FIRST_SEQNO else []})
        if self.answers_left is not None:
            if not self.answers_left:
                return httpx2.Response(503)
            self.answers_left -= 1
        self.starts.append(int(query["start_utime"]))
        first = max(0, self.starts[-1] - self.begin) * IN_A_BLOCK + int(query["offset"])
        rows = (self.row(number) for number in range(first, min(self.size, first + 1000)))
        return httpx2.Response(200, text='{"transactions": [' + ",".join(rows) + "]}")

    @property
    def size(self) -> int:
        return DUST if self.tip > FIRST_SEQNO else 0

    def row(self, number: int) -> str:
        """Write a transfer: dust with a wrong comment, or one that pays."""
        memo, amount = self.paid.get(number, "dust"), AMOUNTS["TON"] if number in self.paid else 1
        block, tx = number // IN_A_BLOCK, base64.b64encode(self.begin.to_bytes(16) + number.to_bytes(16)).decode()
        return (
            f'{{"hash":"{tx}","now":{self.begin + block},"mc_block_seqno":{FIRST_SEQNO + block},"emulated":false,'
            f'"in_msg":{{"source":"0:{"AB" * 32}","destination":"{ton_raw(TON_ADDRESS)}","value":"{amount}",'
            f'"bounced":false,"message_content":{{"decoded":{{"type":"text_comment","comment":"{memo}"}}}}}},'
            '"out_msgs":[]}'
        )


class FloodedWorld:
    """Payments in TON, paid by the transfers of these numbers amidst the dust."""

    def __init__(self, world: World) -> None:
        self.world, self.flood = world, Flood(int(world.chains.clock().timestamp()))
        watcher = TonWatcher(answering(self.flood), "http://ton")
        self.provider = CryptoProvider(
            Chain(TonAccount(TON_ADDRESS), watcher), book=world.book, clock=world.chains.clock
        )

    async def paid_by(self, *numbers: int) -> list[Snapshot]:
        made = []
        for number in numbers:
            made.append(await self.provider.create(self.world.chains.payment("TON"), idempotency_key=key()))
            self.flood.paid[number] = (await self.record(made[-1])).memo
        self.flood.tip += 10_000
        return made

    async def record(self, payment: Snapshot) -> DepositRecord:
        record = await self.world.book.get(payment.ref)
        assert record is not None
        return record


@pytest.fixture
def flooded(world: World) -> FloodedWorld:
    return FloodedWorld(world)


@pytest.mark.parametrize("number", [7, 49_999, 50_000])
async def test_payment_amidst_fifty_thousand_transfers_of_dust_succeeds(flooded: FloodedWorld, number: int):
    (payment,) = await flooded.paid_by(number)
    paid = await flooded.provider.retrieve(payment.ref)
    assert (paid.status, [each.amount_minor for each in paid.movements]) == (
        ProviderStatus.SUCCEEDED,
        [AMOUNTS["TON"]],
    )
    flooded.flood.starts.clear()
    assert await flooded.provider.retrieve(payment.ref) == paid
    assert len(flooded.flood.starts) == 1


async def test_interrupted_update_keeps_its_progress(flooded: FloodedWorld):
    early, late = await flooded.paid_by(7, 50_000)
    flooded.world.chains.clock.advance(timedelta(hours=2))
    flooded.flood.answers_left = 50
    for payment in (early, late):
        # What was read so far does not say that nobody paid: the time of the second one is over.
        with pytest.raises(ProviderUnavailable):
            await flooded.provider.retrieve(payment.ref)
        flooded.flood.answers_left = 50
    assert [receipt.amount_minor for receipt in (await flooded.record(early)).receipts] == [AMOUNTS["TON"]]
    flooded.flood.answers_left = None
    flooded.flood.starts.clear()
    for payment in (early, late):
        assert (await flooded.provider.retrieve(payment.ref)).status is ProviderStatus.SUCCEEDED
    assert min(flooded.flood.starts) > flooded.flood.begin


async def test_a_statement_reads_all_of_a_flooded_address(flooded: FloodedWorld):
    payments = await flooded.paid_by(7, 25_000, 50_000)
    now = flooded.world.chains.clock()
    hours = timedelta(hours=1)
    strays, ours = set[str](), list[BalanceTransaction]()
    async for movement in flooded.provider.list_movements(since=now - hours, until=now + hours):
        if movement.kind is BalanceTransactionKind.OTHER:
            assert movement.key not in strays
            strays.add(movement.key)
        elif movement.payment_id in {payment.ref for payment in payments}:
            ours.append(movement)
    assert len(strays) == DUST - len(payments)
    assert {movement.payment_id for movement in ours} == {payment.ref for payment in payments}
    for payment in payments:
        assert (await flooded.record(payment)).scanned_height > FIRST_SEQNO


class Unreadable:
    """A watcher that cannot read some addresses, or nothing at all."""

    def __init__(self, inner: Any, *addresses: str, is_away: bool = False, code: str = "chain.bad_answer") -> None:
        self.inner, self.addresses, self.is_away, self.code = inner, addresses, is_away, code
        self.confirmations, self.reorg_depth, self.header = inner.confirmations, inner.reorg_depth, inner.header
        self.failed = 0

    async def tip(self) -> int:
        if self.is_away:
            raise ProviderUnavailable("The node is away.", code="chain.unreachable")
        return int(await self.inner.tip())

    async def deposits(self, asset: str, address: str, **terms: Any) -> ChainView:
        if self.is_away or address in self.addresses:
            self.failed += 1
            raise ProviderUnavailable("It is too full.", code=self.code)
        view: ChainView = await self.inner.deposits(asset, address, **terms)
        return view


def spoil(world: World, asset: str, *addresses: str, **how: Any) -> Unreadable:
    chain = world.provider._chains[asset]
    watcher = Unreadable(chain.watcher, *addresses, **how)
    object.__setattr__(chain, "watcher", watcher)
    return watcher


async def listed(world: World) -> tuple[set[str | None], tuple[UnreadSource, ...]]:
    """The statement's lines of this test's payments, and its unread sources."""
    now, found, unread = world.chains.clock(), set[str | None](), tuple[UnreadSource, ...]()
    try:
        async for movement in world.provider.list_movements(
            since=now - timedelta(hours=1), until=now + timedelta(hours=1)
        ):
            found.add(movement.payment_id)
    except StatementIncomplete as incomplete:
        unread = incomplete.unread
    return found & world.payments, unread


async def paid(world: World, *assets: str) -> list[Snapshot]:
    payments = [await world.create(asset) for asset in assets]
    for payment in payments:
        await world.send(payment, mine=final(payment.currency))
    return payments


async def address_of(world: World, payment: Snapshot) -> str:
    record = await world.book.get(payment.ref)
    assert record is not None
    return record.address


@pytest.mark.parametrize("asset", ["BTC", "ETH", "USDC"])
async def test_a_place_that_cannot_be_read_keeps_no_other_from_the_statement(world: World, asset: str):
    full, *others = await paid(world, asset, asset, "BTC", "ETH", "USDC", "TON")
    spoil(world, asset, await address_of(world, full))
    found, unread = await listed(world)
    assert found == {payment.ref for payment in others}
    assert unread == (UnreadSource(subject=full.ref, why="It is too full."),)


async def test_a_shared_address_that_cannot_be_read_leaves_a_gap_and_keeps_no_other_chain(world: World):
    shared, *others = await paid(world, "TON", "BTC", "ETH", "USDC")
    spoil(world, "TON", TON_ADDRESS)
    found, unread = await listed(world)
    assert found == {payment.ref for payment in others}
    assert unread == (UnreadSource(subject=await address_of(world, shared), why="It is too full.", has_gap=True),)


async def test_unresponsive_chain_is_recorded_once_and_skipped(world: World):
    *_, other = await paid(world, "BTC", "BTC", "BTC", "ETH")
    watcher = spoil(world, "BTC", is_away=True)
    found, unread = await listed(world)
    assert found == {other.ref}
    assert unread == (UnreadSource(subject="bitcoin", why="The node is away."),)
    assert watcher.failed == 1


async def test_chain_with_many_timeouts_is_skipped(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("providers.payments.crypto.MAX_TIMEOUTS", 2)
    payments = await paid(world, *["BTC"] * 4, "ETH")
    slow = [await address_of(world, payment) for payment in payments[:4]]
    watcher = spoil(world, "BTC", *slow, code="chain.timeout")
    found, unread = await listed(world)
    assert found == {payments[-1].ref}
    assert [place.subject for place in unread][1:] == ["bitcoin"]
    assert watcher.failed == 2
