"""Payments in coins for tests: a provider over the sandboxes' chains, and what payers and miners do."""

from datetime import timedelta
from typing import Any

from domain.payments.payment.snapshot import BalanceTransaction, Deposit, Snapshot
from providers.payments.crypto import CryptoProvider
from runtime.database import Database
from services.payments.crypto_deposit import PostgresDepositBook
from tests.providers.harness import key
from tests.support.chains import CHAIN_OF, CONFIRMATIONS, ChainsInTest

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

    async def statement(self) -> dict[str, BalanceTransaction]:
        """The statement's lines of this test's payments; the database has others."""
        now = self.chains.clock()
        span = {"since": now - timedelta(hours=1), "until": now + timedelta(hours=1)}
        listed = [movement async for movement in self.provider.list_movements(**span)]
        assert len({movement.key for movement in listed}) == len(listed)
        return {movement.key: movement for movement in listed if movement.payment_id in self.payments}


def final(asset: str) -> int:
    return CONFIRMATIONS[CHAIN_OF[asset]]


def deposit_of(snapshot: Snapshot) -> Deposit:
    assert snapshot.action is not None
    assert snapshot.action.deposit is not None
    return snapshot.action.deposit


def amounts(snapshot: Snapshot) -> list[int]:
    return [movement.amount_minor for movement in snapshot.movements]
