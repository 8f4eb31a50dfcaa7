"""Payments in coins, from what is seen of them to what is received, once."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from domain.payments.payment.snapshot import BalanceTransactionKind, ProviderStatus
from providers.chains.base import ChainDeposit, ChainView
from providers.payments.base import ProviderRefused, ProviderUnavailable
from tests.providers.crypto_world import ALL, World, amounts, deposit_of, final
from tests.providers.harness import key
from tests.support.chains import AMOUNTS

pytestmark = pytest.mark.db


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
    assert (movement.kind, movement.amount_minor, movement.fee_minor) == (
        BalanceTransactionKind.CHARGE,
        AMOUNTS[asset],
        0,
    )
    prefix, tx, *index = movement.key.split(":")
    assert (prefix, len(tx.removeprefix("0x")), len(index)) == (asset.lower(), 64, 0 if asset == "TON" else 1)
    assert (await world.statement())[movement.key] == movement


@pytest.mark.parametrize("asset", ALL)
async def test_movement_has_the_time_of_sending_and_of_finality(world: World, asset: str):
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
async def test_block_ahead_of_our_clock_gives_no_time_of_sending(world: World, asset: str):
    payment = await world.create(asset)
    world.chains.clock.advance(timedelta(hours=-2))
    await world.send(payment, mine=final(asset))
    (movement,) = (await world.retrieve(payment)).movements
    assert (movement.occurred_at, movement.sent_at) == (world.chains.clock(), None)


async def test_deposit_in_the_mempool_is_seen(world: World):
    payment = await world.create("BTC")
    await world.send(payment)
    seen = await world.retrieve(payment)
    assert (seen.status, seen.seen_minor, seen.confirmations) == (ProviderStatus.PROCESSING, AMOUNTS["BTC"], 0)


@pytest.mark.parametrize("asset", ALL)
async def test_underpaid_payment_shows_the_missing_amount_and_a_second_deposit_completes_it(world: World, asset: str):
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
async def test_overpaid_payment_shows_all_deposits(world: World, asset: str):
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
async def test_late_payment_is_in_the_statement_without_a_refresh(world: World, asset: str):
    payment = await world.create(asset)
    world.chains.clock.advance(timedelta(days=60))
    await world.send(payment, mine=final(asset))
    (movement,) = [each for each in (await world.statement()).values() if each.payment_id == payment.ref]
    assert (movement.kind, movement.amount_minor, movement.ref) == (
        BalanceTransactionKind.CHARGE,
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


@pytest.mark.parametrize("asset", ["ETH", "USDC"])
async def test_payment_far_behind_the_tip_is_found_by_any_call(world: World, asset: str):
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


async def test_deposits_before_the_allocation_of_the_address_do_not_count(world: World):
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


async def test_a_payment_with_another_amount_under_the_same_id_is_refused(world: World):
    payment = world.chains.payment("ETH")
    await world.provider.create(payment, idempotency_key=key())
    for changes in ({"amount_minor": 1}, {"currency": "USDC"}):
        with pytest.raises(ProviderRefused) as refused:
            await world.create("ETH", payment_id=payment.payment_id, **changes)
        assert refused.value.code == "payment.conflict"


async def test_unsupported_payment_is_refused(world: World):
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


async def test_a_statement_is_listed_whole_from_pages_of_places_and_receipts(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    paid = [await world.create(asset) for asset in ("BTC", "ETH", "TON") for _ in range(3)]
    for payment, asset in zip(paid, [asset for asset in ("BTC", "ETH", "TON") for _ in range(3)], strict=True):
        await world.send(payment, mine=final(asset))
    monkeypatch.setattr("providers.payments.crypto.PAGE", 2, raising=False)
    pages = []
    for name in ("recent", "received"):

        async def read(*window: Any, _read: Any = getattr(world.book, name), **page: Any) -> Any:
            pages.append(found := await _read(*window, **page))
            return found

        monkeypatch.setattr(world.book, name, read)
    statement = await world.statement()
    assert {movement.payment_id for movement in statement.values()} == {payment.ref for payment in paid}
    assert max(map(len, pages)) == 2
