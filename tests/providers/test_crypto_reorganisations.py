"""Payments in coins on blockchains with replaced blocks, and with lagging nodes."""

from datetime import timedelta
from typing import Any

import pytest

from domain.payments.payment.snapshot import BalanceTransactionKind, ProviderStatus
from providers.chains.base import ChainView, Header
from providers.payments.base import ProviderUnavailable
from tests.providers.crypto_world import REPLACEABLE, World, amounts, final
from tests.support.chains import AMOUNTS

pytestmark = pytest.mark.db


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
async def test_final_deposit_of_a_replaced_block_is_reversed_once(world: World, asset: str):
    payment = await world.create(asset)
    await world.mine(asset, 5)
    await world.send(payment, mine=final(asset))
    (charge,) = (await world.retrieve(payment)).movements
    await world.reorganise(asset, final(asset), drop=True)
    world.chains.clock.advance(timedelta(minutes=1))
    for _ in range(2):
        reversed_ = await world.retrieve(payment)
        assert [movement.key for movement in reversed_.movements] == [charge.key, f"{charge.key}:reorg"]
        assert reversed_.movements[1].kind is BalanceTransactionKind.REVERSAL
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
async def test_reversed_deposit_that_is_included_again_is_received_again(world: World, asset: str):
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


async def test_half_of_a_payment_that_is_included_again_is_not_the_whole(world: World):
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
