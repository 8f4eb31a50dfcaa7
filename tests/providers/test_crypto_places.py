"""Deposit addresses: each payment has its own, which never changes."""

import asyncio
from typing import Any

import asyncpg
import pytest

from dev.sandbox.chains.accounts import TON_ADDRESS
from domain.payments.payment.snapshot import BalanceTransactionKind, CreatePayment, ProviderStatus
from runtime.database import Database, driver_connection
from tests.providers.crypto_world import World, deposit_of
from tests.providers.harness import key
from tests.support.chains import AMOUNTS

pytestmark = pytest.mark.db


async def test_transfers_without_a_known_comment_are_only_in_the_statement(world: World):
    payment = await world.create("TON")
    memo = deposit_of(payment).memo or ""
    for wrong in (None, "", memo.upper(), f"{memo} ", memo[:-1]):
        await world.send(payment, memo=wrong)
    await world.mine("TON", 1)
    assert (await world.retrieve(payment)).movements == ()
    strays = [each for each in (await world.statement()).values() if each.kind is BalanceTransactionKind.OTHER]
    assert [stray.amount_minor for stray in strays] == [AMOUNTS["TON"]] * 5
    assert {stray.payment_id for stray in strays} == {None}


async def test_two_payments_in_ton_share_the_address_and_not_the_comment(world: World):
    one, other = await world.create("TON"), await world.create("TON")
    assert deposit_of(one).address == deposit_of(other).address == TON_ADDRESS
    await world.send(one, mine=1)
    assert (await world.retrieve(one)).status is ProviderStatus.SUCCEEDED
    assert (await world.retrieve(other)).status is ProviderStatus.REQUIRES_ACTION


async def test_index_is_never_allocated_twice(world: World):
    payments = [world.chains.payment("BTC" if number % 2 else "ETH") for number in range(40)]
    # As many as the pool has connections: more would wait for one, on a busy machine for too long.
    connections = asyncio.Semaphore(20)

    async def create(payment: CreatePayment) -> str:
        async with connections:
            return deposit_of(await world.provider.create(payment, idempotency_key=key())).address

    twice = await asyncio.gather(*[create(payment) for payment in payments for _ in range(2)])
    assert twice[::2] == twice[1::2]
    assert len(set(twice)) == 40
    records = [await world.book.get(payment.payment_id) for payment in payments]
    for asset in ("BTC", "ETH"):
        indexes = sorted(record.index for record in records if record is not None and record.asset == asset)
        assert indexes == list(range(indexes[0], indexes[0] + 20))


async def test_ether_and_the_token_never_share_an_address(world: World):
    addresses = [deposit_of(await world.create(asset)).address for asset in ("ETH", "USDC", "ETH", "USDC")]
    assert len(set(addresses)) == 4


async def test_index_of_a_failed_allocation_is_neither_skipped_nor_shared(world: World):
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
