"""Payments in coins, from the place that they are given to what a reorganised chain takes back."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from activities.deposits import PostgresDepositBook
from domain.payment.snapshot import CreatePayment, Deposit, Movement, MovementKind, ProviderStatus, Snapshot
from providers.chains.base import ChainDeposit, ChainView, Header
from providers.payments.base import ProviderRefused, ProviderUnavailable
from providers.payments.crypto import CryptoProvider
from runtime.database import Database, driver_connection
from sandbox.chains.accounts import TON_ADDRESS
from tests.providers.contract import key
from tests.support.chains import AMOUNTS, CHAIN_OF, CONFIRMATIONS, ChainsInTest

pytestmark = pytest.mark.db

ALL = ["BTC", "ETH", "USDC", "TON"]
REPLACEABLE = ["BTC", "ETH", "USDC"]


class World:
    """A provider over the sandbox, and what payers and miners do."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.chains = ChainsInTest()
        self.book = PostgresDepositBook(db)
        self.provider: CryptoProvider = self.chains.provider(self.book)
        self.payments: set[str | None] = {None}

    async def create(self, asset: str, **changes: Any) -> Snapshot:
        payment = self.chains.payment(asset, **changes)
        self.payments.add(payment.payment_id)
        return await self.provider.create(payment, idempotency_key=key())

    async def send(self, to: Snapshot, amount_minor: int | None = None, *, mine: int = 0, **changes: Any) -> None:
        record = await self.book.get(to.ref)
        assert record is not None
        terms: dict[str, Any] = {"asset": record.asset, "address": record.address, "memo": record.memo, "mine": mine}
        terms["amount_minor"] = record.amount_minor if amount_minor is None else amount_minor
        await self.chains.control(f"{CHAIN_OF[record.asset]}/deposit", **(terms | changes))

    async def mine(self, asset: str, blocks: int) -> None:
        await self.chains.control(f"{CHAIN_OF[asset]}/mine", blocks=blocks)

    async def reorganise(self, asset: str, depth: int, *, drop: bool = False) -> None:
        await self.chains.control(f"{CHAIN_OF[asset]}/reorg", depth=depth, drop=drop)

    async def retrieve(self, payment: Snapshot) -> Snapshot:
        return await self.provider.retrieve(payment.ref)

    async def statement(self) -> dict[str, Movement]:
        """What the chains say of this test's payments; others are in the same database, and on other chains."""
        now = self.chains.clock()
        span = {"since": now - timedelta(hours=1), "until": now + timedelta(hours=1)}
        listed = [movement async for movement in self.provider.list_movements(**span)]
        assert len({movement.key for movement in listed}) == len(listed)
        return {movement.key: movement for movement in listed if movement.payment_id in self.payments}


@pytest.fixture
async def world(db: Database) -> AsyncIterator[World]:
    world = World(db)
    yield world
    await world.chains.close()


def final(asset: str) -> int:
    return CONFIRMATIONS[CHAIN_OF[asset]]


def deposit_of(snapshot: Snapshot) -> Deposit:
    assert snapshot.action is not None
    assert snapshot.action.deposit is not None
    return snapshot.action.deposit


def amounts(snapshot: Snapshot) -> list[int]:
    return [movement.amount_minor for movement in snapshot.movements]


@pytest.mark.parametrize("asset", ALL)
async def test_a_payment_is_seen_then_counted_and_then_final(world: World, asset: str):
    payment = await world.create(asset)
    assert payment.status is ProviderStatus.REQUIRES_ACTION
    deposit = deposit_of(payment)
    assert (deposit.asset, deposit.amount_minor) == (asset, AMOUNTS[asset])
    assert deposit.uri is not None
    assert deposit.address in deposit.uri
    assert (deposit.memo is None) == (asset != "TON")
    await world.send(payment)
    for confirmations in range(1, final(asset)):
        await world.mine(asset, 1)
        seen = await world.retrieve(payment)
        assert (seen.status, seen.movements) == (ProviderStatus.PROCESSING, ())
        assert (seen.seen_minor, seen.confirmations) == (AMOUNTS[asset], confirmations)
        assert seen.action is None
    await world.mine(asset, 1)
    paid = await world.retrieve(payment)
    assert paid.status is ProviderStatus.SUCCEEDED
    assert (paid.seen_minor, paid.confirmations) == (0, None)
    (movement,) = paid.movements
    assert (movement.kind, movement.amount_minor, movement.fee_minor) == (MovementKind.CHARGE, AMOUNTS[asset], 0)
    prefix, tx, *index = movement.key.split(":")
    assert (prefix, len(tx.removeprefix("0x")), len(index)) == (asset.lower(), 64, 0 if asset == "TON" else 1)
    assert (await world.statement())[movement.key] == movement


@pytest.mark.parametrize("asset", ALL)
async def test_a_movement_tells_when_its_coins_were_sent_not_only_when_they_were_final(world: World, asset: str):
    payment = await world.create(asset)
    await world.send(payment, mine=1)
    included = world.chains.clock()
    world.chains.clock.advance(timedelta(hours=1))
    await world.mine(asset, final(asset))
    (movement,) = (await world.retrieve(payment)).movements
    assert movement.occurred_at == included + timedelta(hours=1)
    assert movement.sent_at is not None
    assert abs(movement.sent_at - included) < timedelta(minutes=5)
    assert (await world.statement())[movement.key] == movement


@pytest.mark.parametrize("asset", ALL)
async def test_a_block_that_is_ahead_of_our_clock_tells_no_time_of_sending(world: World, asset: str):
    payment = await world.create(asset)
    world.chains.clock.advance(timedelta(hours=-2))
    await world.send(payment, mine=final(asset))
    (movement,) = (await world.retrieve(payment)).movements
    assert (movement.occurred_at, movement.sent_at) == (world.chains.clock(), None)


async def test_what_waits_in_the_mempool_is_seen(world: World):
    payment = await world.create("BTC")
    await world.send(payment)
    seen = await world.retrieve(payment)
    assert (seen.status, seen.seen_minor, seen.confirmations) == (ProviderStatus.PROCESSING, AMOUNTS["BTC"], 0)


@pytest.mark.parametrize("asset", ALL)
async def test_an_underpaid_payment_says_what_is_missing_and_a_second_deposit_completes_it(world: World, asset: str):
    payment = await world.create(asset)
    await world.send(payment, AMOUNTS[asset] - 1_000, mine=final(asset))
    part = await world.retrieve(payment)
    assert part.status is ProviderStatus.PROCESSING
    assert amounts(part) == [AMOUNTS[asset] - 1_000]
    assert deposit_of(part).amount_minor == 1_000
    await world.send(payment, 1_000, mine=final(asset))
    paid = await world.retrieve(payment)
    assert paid.status is ProviderStatus.SUCCEEDED
    assert sorted(amounts(paid)) == [1_000, AMOUNTS[asset] - 1_000]
    assert len({movement.key for movement in paid.movements}) == 2
    assert paid.action is None


@pytest.mark.parametrize("asset", ALL)
async def test_an_overpaid_payment_shows_everything_that_came(world: World, asset: str):
    payment = await world.create(asset)
    await world.send(payment, AMOUNTS[asset] * 3, mine=final(asset))
    await world.send(payment, 5_000, mine=final(asset))
    paid = await world.retrieve(payment)
    assert paid.status is ProviderStatus.SUCCEEDED
    assert sorted(amounts(paid)) == [5_000, AMOUNTS[asset] * 3]


@pytest.mark.parametrize("asset", ALL)
async def test_two_payments_to_one_address_in_one_block_are_two_movements(world: World, asset: str):
    payment = await world.create(asset)
    await world.send(payment)
    await world.send(payment)
    await world.mine(asset, final(asset))
    paid = await world.retrieve(payment)
    assert amounts(paid) == [AMOUNTS[asset]] * 2
    assert paid == await world.retrieve(payment)


@pytest.mark.parametrize("asset", ALL)
async def test_a_payment_after_expiry_is_not_lost(world: World, asset: str):
    payment = await world.create(asset)
    world.chains.clock.advance(timedelta(hours=1))
    expired = await world.retrieve(payment)
    assert (expired.status, expired.action, expired.movements) == (ProviderStatus.EXPIRED, None, ())
    await world.send(payment, mine=final(asset))
    late = await world.retrieve(payment)
    assert late.status is ProviderStatus.SUCCEEDED
    assert amounts(late) == [AMOUNTS[asset]]
    assert late.movements[0].key in await world.statement()


@pytest.mark.parametrize("asset", ALL)
async def test_a_late_payment_is_in_the_statement_though_nobody_asked_for_it(world: World, asset: str):
    payment = await world.create(asset)
    world.chains.clock.advance(timedelta(days=60))
    await world.send(payment, mine=final(asset))
    (movement,) = [each for each in (await world.statement()).values() if each.payment_id == payment.ref]
    assert (movement.kind, movement.amount_minor, movement.ref) == (
        MovementKind.CHARGE,
        AMOUNTS[asset],
        payment.ref,
    )


async def test_a_payment_after_cancelling_is_not_lost(world: World):
    payment = await world.create("BTC")
    assert (await world.provider.cancel(payment.ref, idempotency_key=key())).status is ProviderStatus.CANCELLED
    again = await world.provider.cancel(payment.ref, idempotency_key=key())
    assert (again.status, again.action) == (ProviderStatus.CANCELLED, None)
    await world.send(payment, mine=final("BTC"))
    assert (await world.retrieve(payment)).status is ProviderStatus.SUCCEEDED


async def test_a_payment_that_is_on_its_way_is_not_cancelled(world: World):
    payment = await world.create("BTC")
    await world.send(payment)
    cancelled = await world.provider.cancel(payment.ref, idempotency_key=key())
    assert cancelled.status is ProviderStatus.PROCESSING


@pytest.mark.parametrize("asset", REPLACEABLE)
async def test_a_block_replaced_before_finality_only_delays_the_payment(world: World, asset: str):
    payment = await world.create(asset)
    await world.mine(asset, 3)
    await world.send(payment, mine=final(asset) - 1)
    assert (await world.retrieve(payment)).status is ProviderStatus.PROCESSING
    await world.reorganise(asset, final(asset) - 1)
    gone = await world.retrieve(payment)
    assert gone.status is (ProviderStatus.PROCESSING if asset == "BTC" else ProviderStatus.REQUIRES_ACTION)
    await world.mine(asset, final(asset))
    paid = await world.retrieve(payment)
    assert paid.status is ProviderStatus.SUCCEEDED
    assert amounts(paid) == [AMOUNTS[asset]]
    assert list(await world.statement()) == [paid.movements[0].key]


@pytest.mark.parametrize("asset", REPLACEABLE)
async def test_a_deposit_lost_before_finality_was_never_received(world: World, asset: str):
    payment = await world.create(asset)
    await world.mine(asset, 3)
    await world.send(payment, mine=final(asset) - 1)
    await world.reorganise(asset, final(asset) - 1, drop=True)
    await world.mine(asset, final(asset))
    lost = await world.retrieve(payment)
    assert (lost.status, lost.movements) == (ProviderStatus.REQUIRES_ACTION, ())


@pytest.mark.parametrize("asset", REPLACEABLE)
async def test_a_final_deposit_that_the_chain_took_back_is_reversed_once(world: World, asset: str):
    payment = await world.create(asset)
    await world.mine(asset, 5)
    await world.send(payment, mine=final(asset))
    (charge,) = (await world.retrieve(payment)).movements
    await world.reorganise(asset, final(asset), drop=True)
    world.chains.clock.advance(timedelta(minutes=1))
    for _ in range(2):
        reversed_ = await world.retrieve(payment)
        assert [movement.key for movement in reversed_.movements] == [charge.key, f"{charge.key}:reorg"]
        assert reversed_.movements[1].kind is MovementKind.REVERSAL
        assert amounts(reversed_) == [AMOUNTS[asset], -AMOUNTS[asset]]
    statement = await world.statement()
    assert {charge.key, f"{charge.key}:reorg"} <= statement.keys()


@pytest.mark.parametrize("asset", REPLACEABLE)
async def test_a_reversal_is_found_by_the_statement_alone(world: World, asset: str):
    payment = await world.create(asset)
    await world.mine(asset, 5)
    await world.send(payment, mine=final(asset))
    (charge,) = (await world.retrieve(payment)).movements
    await world.reorganise(asset, final(asset), drop=True)
    world.chains.clock.advance(timedelta(minutes=1))
    assert f"{charge.key}:reorg" in await world.statement()


@pytest.mark.parametrize("asset", REPLACEABLE)
async def test_a_final_deposit_that_moved_to_another_block_is_the_same_receipt(world: World, asset: str):
    payment = await world.create(asset)
    await world.mine(asset, 5)
    await world.send(payment, mine=final(asset))
    paid = await world.retrieve(payment)
    await world.reorganise(asset, 1)  # not as deep as the deposit
    assert await world.retrieve(payment) == paid
    await world.reorganise(asset, final(asset))
    await world.mine(asset, 1)  # brings it back before anybody looked
    assert await world.retrieve(payment) == paid
    await world.mine(asset, final(asset))
    assert await world.retrieve(payment) == paid
    assert list(await world.statement()) == [paid.movements[0].key]


@pytest.mark.parametrize("asset", ["ETH", "USDC"])
async def test_a_deposit_that_was_reversed_and_came_back_is_received_again(world: World, asset: str):
    payment = await world.create(asset)
    await world.mine(asset, 5)
    await world.send(payment, mine=final(asset))
    (charge,) = (await world.retrieve(payment)).movements
    for minute in range(2):
        world.chains.clock.advance(timedelta(minutes=1))
        await world.reorganise(asset, final(asset) + minute * 4)
        await world.retrieve(payment)
        world.chains.clock.advance(timedelta(minutes=1))
        await world.mine(asset, final(asset))
        again = await world.retrieve(payment)
        assert again.status is ProviderStatus.SUCCEEDED
    tail = [movement.key.removeprefix(charge.key) for movement in again.movements]
    assert tail == ["", ":reorg", ":2", ":2:reorg", ":3"]
    assert sum(amounts(again)) == AMOUNTS[asset]
    assert {movement.key for movement in again.movements} <= (await world.statement()).keys()


async def test_half_a_payment_that_came_back_is_not_the_whole(world: World):
    payment = await world.create("ETH")
    await world.mine("ETH", 5)
    await world.send(payment, AMOUNTS["ETH"] * 6 // 10, mine=final("ETH"))
    await world.retrieve(payment)
    await world.reorganise("ETH", final("ETH"))
    world.chains.clock.advance(timedelta(minutes=1))
    await world.retrieve(payment)
    world.chains.clock.advance(timedelta(minutes=1))
    await world.mine("ETH", final("ETH"))
    again = await world.retrieve(payment)
    assert len(again.movements) == 3
    assert again.status is ProviderStatus.PROCESSING


class Lagging:
    """A node behind another one: it knows the same blocks, but not yet the newest."""

    def __init__(self, inner: Any, behind: int) -> None:
        self.inner, self.behind = inner, behind
        self.confirmations, self.reorg_depth = inner.confirmations, inner.reorg_depth

    async def tip(self) -> int:
        return int(await self.inner.tip()) - self.behind

    async def header(self, height: int) -> Header | None:
        if height > await self.tip():
            raise ProviderUnavailable("no such block")
        header: Header | None = await self.inner.header(height)
        return header

    async def deposits(self, asset: str, address: str, **terms: Any) -> ChainView:
        view = await self.inner.deposits(asset, address, **terms)
        tip = view.tip - self.behind
        kept = [each for each in view.deposits if each.height is not None and each.height <= tip]
        return ChainView(tip=tip, scanned=tip, deposits=tuple(kept))


@pytest.mark.parametrize("asset", REPLACEABLE)
async def test_a_node_that_lags_behind_takes_nothing_back(world: World, asset: str):
    payment = await world.create(asset)
    await world.send(payment, mine=final(asset) + 2)
    paid = await world.retrieve(payment)
    chain = world.provider._chains[asset]
    object.__setattr__(chain, "watcher", Lagging(chain.watcher, final(asset) + 3))
    assert await world.retrieve(payment) == paid


@pytest.mark.parametrize("asset", REPLACEABLE)
async def test_a_list_from_before_a_reorganisation_is_not_believed(world: World, asset: str):
    payment = await world.create(asset)
    await world.mine(asset, 5)
    await world.send(payment, mine=final(asset))
    watcher: Any = world.provider._chains[asset].watcher
    record = await world.book.get(payment.ref)
    assert record is not None
    stale = await watcher.deposits(
        asset, record.address, since_height=record.scanned_height, since_at=record.created_at
    )
    assert len(stale.deposits) == 1
    await world.reorganise(asset, final(asset), drop=True)
    after, _ = await world.provider._step(record, stale)
    assert after.receipts == ()


@pytest.mark.parametrize("asset", ["ETH", "USDC"])
async def test_a_payment_far_behind_the_tip_is_found_by_whoever_asks(world: World, asset: str):
    asked, listed = await world.create(asset), await world.create(asset)
    watcher = world.chains.ethereum
    watcher._blocks_per_call, watcher._log_range = 20, 1
    for payment in (asked, listed):
        await world.mine(asset, 50)
        await world.send(payment, mine=50)
    assert (await world.retrieve(asked)).status is ProviderStatus.SUCCEEDED
    assert {movement.payment_id for movement in (await world.statement()).values()} == {asked.ref, listed.ref}
    for payment in (asked, listed):
        record = await world.book.get(payment.ref)
        assert record is not None
        assert record.scanned_height >= await watcher.tip() - 2 * watcher.reorg_depth


async def test_a_statement_reads_blocks_once_for_all_payments(world: World):
    for _ in range(5):
        await world.create("ETH")
    await world.mine("ETH", 100)
    world.chains.wire.requests.clear()
    await world.statement()
    read = sum(request.content.count(b"true") for request in world.chains.wire.requests)
    assert read <= 100 + 2 * world.chains.ethereum.reorg_depth


async def test_coins_that_came_before_the_place_was_given_are_not_counted(world: World):
    payment = await world.create("BTC")
    record = await world.book.get(payment.ref)
    assert record is not None
    old = ChainDeposit(
        asset="BTC", tx="ab" * 32, index=0, amount_minor=AMOUNTS["BTC"], height=record.scanned_height - 1, block_hash=""
    )
    tip = await world.chains.bitcoin.tip()
    after, _ = await world.provider._step(record, ChainView(tip=tip, scanned=tip, deposits=(old,)))
    assert after.receipts == ()


async def test_everybody_looking_at_once_receives_once(world: World):
    payments = [await world.create(asset) for asset in ALL]
    for payment in payments:
        await world.send(payment, mine=3)
    many = [world.retrieve(payment) for payment in payments for _ in range(6)]
    results = await asyncio.gather(*many, return_exceptions=True)
    assert not [
        each for each in results if isinstance(each, BaseException) and not isinstance(each, ProviderUnavailable)
    ]
    for payment in payments:
        assert amounts(await world.retrieve(payment)) == [AMOUNTS[payment.currency]]


async def test_transfers_without_the_right_comment_are_nobodys_and_stand_in_the_statement(world: World):
    payment = await world.create("TON")
    memo = deposit_of(payment).memo or ""
    for wrong in (None, "", memo.upper(), f"{memo} ", memo[:-1]):
        await world.send(payment, memo=wrong)
    await world.mine("TON", 1)
    assert (await world.retrieve(payment)).movements == ()
    strays = [each for each in (await world.statement()).values() if each.kind is MovementKind.OTHER]
    assert [stray.amount_minor for stray in strays] == [AMOUNTS["TON"]] * 5
    assert {stray.payment_id for stray in strays} == {None}


async def test_two_payments_in_ton_share_the_address_and_not_the_comment(world: World):
    one, other = await world.create("TON"), await world.create("TON")
    assert deposit_of(one).address == deposit_of(other).address == TON_ADDRESS
    await world.send(one, mine=1)
    assert (await world.retrieve(one)).status is ProviderStatus.SUCCEEDED
    assert (await world.retrieve(other)).status is ProviderStatus.REQUIRES_ACTION


async def test_a_payment_with_another_amount_under_the_same_id_is_refused(world: World):
    payment = world.chains.payment("ETH")
    await world.provider.create(payment, idempotency_key=key())
    for changes in ({"amount_minor": 1}, {"currency": "USDC"}):
        with pytest.raises(ProviderRefused) as refused:
            await world.create("ETH", payment_id=payment.payment_id, **changes)
        assert refused.value.code == "payment.conflict"


async def test_what_cannot_be_taken_is_refused(world: World):
    cases: list[tuple[str, dict[str, Any]]] = [
        ("payment.not_supported", {"currency": "DOGE"}),
        ("payment.not_supported", {"off_session": True}),
        ("payment.amount_too_small", {"amount_minor": 293}),
    ]
    for code, changes in cases:
        with pytest.raises(ProviderRefused) as refused:
            await world.create("BTC", **changes)
        assert refused.value.code == code


async def test_a_refund_says_why_it_is_impossible(world: World):
    with pytest.raises(ProviderRefused) as refused:
        await world.provider.refund(
            "pay_1", refund_id="ref_1", amount_minor=1, reason=None, idempotency_key=key("refund")
        )
    assert refused.value.code == "payment.not_refundable"
    assert "private key" in refused.value.detail


async def test_an_index_is_never_given_twice_under_concurrency(world: World):
    payments = [world.chains.payment("BTC" if number % 2 else "ETH") for number in range(40)]

    async def create(payment: CreatePayment) -> str:
        return deposit_of(await world.provider.create(payment, idempotency_key=key())).address

    twice = await asyncio.gather(*[create(payment) for payment in payments + payments])
    assert twice[:40] == twice[40:]
    assert len(set(twice)) == 40
    records = [await world.book.get(payment.payment_id) for payment in payments]
    for asset in ("BTC", "ETH"):
        indexes = sorted(record.index for record in records if record is not None and record.asset == asset)
        assert indexes == list(range(indexes[0], indexes[0] + 20))


async def test_ether_and_the_token_never_share_an_address(world: World):
    addresses = [deposit_of(await world.create(asset)).address for asset in ("ETH", "USDC", "ETH", "USDC")]
    assert len(set(addresses)) == 4


async def test_an_index_whose_payment_broke_off_is_not_skipped_and_not_shared(world: World):
    def broken(_index: int) -> Any:
        raise RuntimeError("broke off")

    before = await world.book.get((await world.create("BTC")).ref)
    assert before is not None
    with pytest.raises(RuntimeError):
        await world.book.allocate(
            world.chains.payment("BTC"),
            chain="bitcoin",
            chain_key=before.chain_key,
            place=broken,
            scanned_height=0,
            at=world.chains.clock(),
        )
    after = await world.book.get((await world.create("BTC")).ref)
    assert after is not None
    assert after.index == before.index + 1


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM crypto_deposits",
        "DELETE FROM crypto_indexes",
        "TRUNCATE crypto_receipts",
        "UPDATE crypto_deposits SET address = 'mine'",
        "UPDATE crypto_receipts SET amount_minor = 1",
    ],
)
async def test_places_and_receipts_cannot_be_deleted_or_bent(db: Database, statement: str):
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.platform() as session:
            await (await driver_connection(session)).execute(statement)


async def test_tenants_see_no_places(world: World, db: Database):
    await world.create("BTC")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with db.tenant("org_1") as session:
            await (await driver_connection(session)).fetch("SELECT * FROM crypto_deposits")
