"""The contract of all adapters, kept by payments in coins: one run for each asset, on the book in PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest

from domain.payments.payment.snapshot import CreatePayment, ProviderStatus, Snapshot
from providers.payments.base import OutcomeUnknown
from providers.payments.deposits import DepositRecord
from runtime.database import Database
from services.payments.crypto_deposit import PostgresDepositBook
from tests.providers.contract import AdapterContract
from tests.providers.harness import Can, Webhook, key
from tests.support.chains import AMOUNTS, CHAIN_OF, CONFIRMATIONS, ChainsInTest

pytestmark = pytest.mark.db


class ForgetfulBook(PostgresDepositBook):
    """A book whose answer can be lost after it committed."""

    losing = False

    async def allocate(self, payment: CreatePayment, **terms: Any) -> DepositRecord:
        record = await super().allocate(payment, **terms)
        if self.losing:
            self.losing = False
            raise OutcomeUnknown("the answer to COMMIT was lost")
        return record


class CryptoHarness:
    can = Can(decline=False, capture=False, refund=False, webhooks=False, evidence=False)

    def __init__(self, db: Database, asset: str) -> None:
        self.chains = ChainsInTest()
        self.book = ForgetfulBook(db)
        self.provider = self.chains.provider(self.book)
        self.currency, self.amount_minor = asset, AMOUNTS[asset]

    def payment(self, *, manual_capture: bool = False) -> CreatePayment:
        return self.chains.payment(self.currency, manual_capture=manual_capture)

    async def pay(self, snapshot: Snapshot) -> Snapshot:
        assert snapshot.action is not None
        deposit = snapshot.action.deposit
        assert deposit is not None
        chain = CHAIN_OF[self.currency]
        terms: dict[str, Any] = {"asset": deposit.asset, "address": deposit.address, "memo": deposit.memo}
        terms |= {"amount_minor": deposit.amount_minor, "mine": CONFIRMATIONS[chain]}
        await self.chains.control(f"{chain}/deposit", **terms)
        paid = await self.provider.retrieve(snapshot.ref)
        assert paid.status is ProviderStatus.SUCCEEDED
        return paid

    async def decline(self) -> Snapshot:
        return await self.provider.create(
            self.chains.payment(self.currency, method_ref="a card"), idempotency_key=key()
        )

    def lose_next_answer(self) -> None:
        self.book.losing = True

    def cut_off(self) -> AbstractContextManager[None]:
        return self.chains.cut_off()

    async def webhook(self, snapshot: Snapshot, *, age: timedelta = timedelta()) -> Webhook:
        raise AssertionError("chains have no webhooks")


@pytest.fixture(params=["BTC", "ETH", "USDC", "TON"])
async def harness(request: pytest.FixtureRequest, db: Database) -> AsyncIterator[CryptoHarness]:
    harness = CryptoHarness(db, request.param)
    yield harness
    await harness.chains.close()


class TestContract(AdapterContract):
    pass
