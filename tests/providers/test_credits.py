"""Credits as a payment method, against the books themselves."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from temporalio.testing import ActivityEnvironment

from activities.payments.payment_providers import ProviderActivities
from api.pool import StatementPool
from contracts.payments.payment import ProviderRequest, ProviderResponse
from domain.common.access import Actor, Role
from domain.common.accounts import Account, org_credits, platform, provider_clearing
from domain.common.calendar import Window
from domain.credits.lots import LotSource, LotTerms
from domain.credits.spend.control import ControlStatus, Limit, LimitTerms, NewControl, SubjectKind
from domain.payments.payment.snapshot import CreatePayment, ProviderStatus, Snapshot
from ledger.gateway import Ledger
from providers.payments.base import OutcomeUnknown, ProviderRefused
from providers.payments.credits import CreditsProvider
from providers.payments.registry import Providers
from repositories.payments import payment_command
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.credits import spend_control
from services.credits.spend import refuse_limited
from services.credits.spend_control import ControlCommand
from tests.conftest import DatabaseUrls
from tests.providers.contract import AdapterContract
from tests.providers.harness import Can, Webhook, key
from tests.support.locks import somebody_waits
from tests.support.payments import TERMS
from tests.support.spend_world import World

pytestmark = pytest.mark.db

PRICE = 50_000_000


class CreditsHarness:
    """The adapter over sessions of the platform role, whose transactions can lose their end."""

    can = Can(capture=False, cancel=False, webhooks=False, evidence=False)
    currency = "CREDIT"
    amount_minor = PRICE

    def __init__(self, db: Database, org_id: str, poor_org_id: str) -> None:
        self.db, self.org_id, self.poor_org_id = db, org_id, poor_org_id
        self.provider = CreditsProvider(self.connect, refuse_limited=refuse_limited)
        self._losing = self._cut = False

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[asyncpg.Connection]:
        if self._cut:
            raise ConnectionRefusedError("cut off")
        async with books(self.db) as connection:
            yield connection
        if self._losing:
            self._losing = False
            raise ConnectionResetError("the answer to COMMIT was lost")

    def payment(self, *, manual_capture: bool = False, org_id: str | None = None) -> CreatePayment:
        return CreatePayment(
            payment_id=new_id("pay"),
            org_id=org_id or self.org_id,
            amount_minor=self.amount_minor,
            currency=self.currency,
            description="An escrow",
            expires_at=datetime.now(UTC) + timedelta(hours=1),
            manual_capture=manual_capture,
        )

    async def pay(self, snapshot: Snapshot) -> Snapshot:
        return snapshot

    async def decline(self) -> Snapshot:
        return await self.provider.create(self.payment(org_id=self.poor_org_id), idempotency_key=key())

    def lose_next_answer(self) -> None:
        self._losing = True

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        self._cut = True
        yield
        self._cut = False

    async def webhook(self, snapshot: Snapshot, *, age: timedelta = timedelta()) -> Webhook:
        raise AssertionError("credits have no webhooks")

    async def balance(self, account: Account) -> int:
        async with books(self.db) as connection:
            return (await Ledger(connection).balance(account)).posted_minor


@asynccontextmanager
async def books(db: Database) -> AsyncIterator[asyncpg.Connection]:
    async with db.platform() as session:
        yield await driver_connection(session)


@pytest.fixture
async def harness(db: Database) -> CreditsHarness:
    org_id, poor_org_id = new_id("org"), new_id("org")
    async with books(db) as connection:
        for owner, amount in ((org_id, 10 * PRICE), (poor_org_id, PRICE - 1)):
            await Ledger(connection).post(
                key=f"test:{owner}",
                kind="test.issue",
                source=platform("credit_issuance", "CREDIT"),
                lots=LotTerms(source=LotSource.ADJUSTMENT),
                destination=org_credits(owner),
                amount_minor=amount,
                effective_at=datetime.now(UTC),
            )
    return CreditsHarness(db, org_id, poor_org_id)


class TestContract(AdapterContract):
    pass


async def test_a_payment_moves_credits_to_clearing_and_a_refund_moves_them_back(harness: CreditsHarness):
    clearing = provider_clearing("credits", "CREDIT")
    before = await harness.balance(clearing)
    paid = await harness.provider.create(harness.payment(), idempotency_key=key())
    assert paid.ref.startswith("tr_")
    assert await harness.balance(org_credits(harness.org_id)) == 9 * PRICE
    assert await harness.balance(clearing) == before + PRICE
    await harness.provider.refund(
        paid.ref, refund_id=new_id("ref"), amount_minor=PRICE, reason=None, idempotency_key=key("refund")
    )
    assert await harness.balance(org_credits(harness.org_id)) == 10 * PRICE
    assert await harness.balance(clearing) == before


async def test_a_decline_leaves_nothing_and_the_same_key_pays_later(harness: CreditsHarness):
    payment, once = harness.payment(org_id=harness.poor_org_id), key()
    declined = await harness.provider.create(payment, idempotency_key=once)
    assert declined.status is ProviderStatus.FAILED
    assert declined.decline is not None
    assert declined.decline.code == "insufficient_funds"
    assert await harness.balance(org_credits(harness.poor_org_id)) == PRICE - 1
    assert await harness.provider.find(payment, idempotency_key=once) is None


async def test_payments_at_once_never_overspend(harness: CreditsHarness):
    payments = [harness.provider.create(harness.payment(), idempotency_key=key()) for _ in range(14)]
    statuses = [made.status for made in await asyncio.gather(*payments)]
    assert statuses.count(ProviderStatus.SUCCEEDED) == 10
    assert statuses.count(ProviderStatus.FAILED) == 4
    assert await harness.balance(org_credits(harness.org_id)) == 0


async def test_a_key_for_another_payment_is_refused(harness: CreditsHarness):
    once = key()
    await harness.provider.create(harness.payment(), idempotency_key=once)
    with pytest.raises(ProviderRefused):
        await harness.provider.create(harness.payment(), idempotency_key=once)
    assert await harness.balance(org_credits(harness.org_id)) == 9 * PRICE


async def test_price_in_another_currency_than_credits_is_refused(harness: CreditsHarness):
    payment = CreatePayment(
        payment_id=new_id("pay"),
        org_id=harness.org_id,
        amount_minor=100,
        currency="USD",
        description="",
        expires_at=datetime.now(UTC),
    )
    with pytest.raises(ProviderRefused, match="prices in credits"):
        await harness.provider.create(payment, idempotency_key=key())


async def test_a_lost_commit_took_the_credits_once(harness: CreditsHarness):
    payment, once = harness.payment(), key()
    harness.lose_next_answer()
    with pytest.raises(OutcomeUnknown):
        await harness.provider.create(payment, idempotency_key=once)
    await harness.provider.create(payment, idempotency_key=once)
    assert await harness.balance(org_credits(harness.org_id)) == 9 * PRICE


async def test_frozen_credits_cannot_pay_and_earlier_payments_stay(db: Database) -> None:
    world = await World(db).begin()
    harness = CreditsHarness(db, world.org, new_id("org"))
    before, after = harness.payment(), harness.payment()
    kept = key()
    assert (await harness.provider.create(before, idempotency_key=kept)).status is ProviderStatus.SUCCEEDED
    await world.freeze()
    declined = await harness.provider.create(after, idempotency_key=key())
    assert (declined.status, declined.decline and declined.decline.code) == (ProviderStatus.FAILED, "spending_frozen")
    # A try whose answer was lost finds what it has done.
    assert (await harness.provider.create(before, idempotency_key=kept)).status is ProviderStatus.SUCCEEDED


async def test_payment_that_waits_for_a_freeze_is_declined(db: Database) -> None:
    world = await World(db).begin()
    harness = CreditsHarness(db, world.org, new_id("org"))
    new = NewControl(subject_kind=SubjectKind.ORGANIZATION, subject_id=world.org, asset="CREDIT")
    owner = Actor(principal="owner", role=Role.OWNER, org_id=world.org)

    def order() -> ControlCommand:
        return ControlCommand(actor=owner, org_id=world.org, command_id=new_id("cmd"), at=datetime.now(UTC))

    async with db.platform() as session:
        control = await spend_control.create(session, order(), new, LimitTerms(), None)
        await spend_control.set_status(session, order(), control.id, ControlStatus.FROZEN)
        paying = asyncio.create_task(harness.provider.create(harness.payment(), idempotency_key=key()))
        await somebody_waits(db)
    declined = await paying
    assert (declined.status, declined.decline and declined.decline.code) == (ProviderStatus.FAILED, "spending_frozen")


async def test_resumed_run_is_declined_after_its_requester_was_frozen(
    db: Database, database_urls: DatabaseUrls
) -> None:
    """The first run was lost before it took the credits, and the sweep has started another in its own name."""
    world = await World(db).begin()
    harness = CreditsHarness(db, world.org, new_id("org"))
    agent = new_id("agt")
    terms = replace(TERMS, payment_id=new_id("pay"), org_id=world.org, provider="credits", currency="CREDIT")
    asker = Actor(principal="bot", role=Role.AGENT, org_id=world.org, agent_id=agent)
    pool = StatementPool(database_urls.tenant, size=1, timeout=timedelta(minutes=1))
    await pool.read(lambda each: payment_command.store_request(each, new_id("cmd"), b"x", terms, asker))
    await pool.close()
    await world.freeze(SubjectKind.AGENT, agent)
    activities = ProviderActivities(db, Providers({"credits": harness.provider}))
    sweep = Actor(principal="payment-sweep", role=Role.OPERATOR)
    message = ProviderRequest(terms=terms, key=key(), actor=sweep)
    answer: ProviderResponse = await ActivityEnvironment().run(activities.create, message)
    assert answer.snapshot is not None
    assert answer.snapshot.decline is not None
    assert answer.snapshot.decline.code == "spending_frozen"


async def test_limited_credits_pay_nothing_because_a_payment_counts_in_no_limit(db: Database) -> None:
    world = await World(db).begin()
    harness = CreditsHarness(db, world.org, new_id("org"))
    limit = Limit(window=Window.DAY, amount_minor=PRICE, uses=None, hard=True)
    await world.limit(limit, kind=SubjectKind.ORGANIZATION, subject_id=world.org)
    declined = await harness.provider.create(harness.payment(), idempotency_key=key())
    assert (declined.status, declined.decline and declined.decline.code) == (ProviderStatus.FAILED, "spending_limited")
