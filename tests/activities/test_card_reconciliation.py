"""Nightly reconciliation books card captures, refunds and disputes whose webhooks were lost."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from activities.books.reconciliation import ReconciliationActivities
from contracts.books.reconciliation import BeginReconciliation, ReconciliationInput, ReconciliationStep
from domain.payments.payment.snapshot import BalanceTransactionKind
from providers.cards.base import (
    AuthorizationStatus,
    CardDisputeSnapshot,
    CardDisputeStatus,
    CardTransactionKind,
    TransactionSnapshot,
)
from providers.payments.base import ProviderNotFound
from repositories.books import clearing
from repositories.cards import card_authorization as authorizations, card_transaction as transactions
from runtime.database import Database
from runtime.identity import new_id
from services.cards import card_authorization
from tests.conftest import DatabaseUrls
from tests.support.cards import NOW, FakeIssuer, World, authorization, fresh, moved, question, transaction
from tests.support.proving import prove
from tests.support.reconciliation import FakeProvider

pytestmark = pytest.mark.db
CLOSED = AuthorizationStatus.CLOSED


@pytest.fixture(scope="module")
async def database(module_database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    made = Database(module_database_urls.tenant, module_database_urls.platform, pool_size=4)
    yield made
    await made.close()
    await prove(module_database_urls, authorizations.INVARIANTS, transactions.INVARIANTS, clearing.INVARIANTS)


async def differences(database: Database, provider: FakeProvider, issuer: FakeIssuer) -> int:
    """Do one run, and return how many discrepancies are left."""
    now, run_id = datetime.now(UTC), new_id("rcn")
    providers = replace(provider.registry(), cards=issuer)
    work = ReconciliationActivities(database, providers, None)
    start = ReconciliationInput(
        run_id=run_id,
        provider=provider.name,
        since=NOW - timedelta(hours=1),
        until=NOW + timedelta(hours=1),
        requested_by="test",
        command_id=run_id,
    )
    await work.begin(BeginReconciliation(start=start, at=now))
    step = ReconciliationStep(run_id=run_id, at=now)
    await work.fetch_statement(step)
    await work.tell_payments(step)
    return (await work.conclude(step)).differences


async def held(world: World, cents: int) -> str:
    """Hold credits for an authorization, and return its id."""
    asked = question(world, cents)
    async with world.database.platform() as session:
        assert await card_authorization.decide(session, asked, "all", now=NOW)
    return asked.authorization_ref


class Missed:
    """A provider and an issuer that know what no webhook has reported."""

    def __init__(self) -> None:
        self.provider = FakeProvider()
        self.issuer = FakeIssuer(name=self.provider.name)

    def happened(self, *found: TransactionSnapshot) -> None:
        self.issuer.transactions |= {each.ref: each for each in found}
        self.provider.listed += [each.movement for each in found if each.movement]


async def test_missed_captures_and_refunds_are_booked_once(database: Database) -> None:
    world, missed = await World(database).begin(), Missed()
    ref = await held(world, 400)
    captured, forced = transaction(world, 300, ref), transaction(world, 50, None)
    refund = transaction(world, 100, ref, CardTransactionKind.REFUND)
    missed.happened(captured, forced, refund)
    missed.issuer.authorizations[ref] = authorization(
        world, ref, (400, True), status=CLOSED, transactions=(captured, refund)
    )
    for _ in range(2):
        assert await differences(database, missed.provider, missed.issuer) == 0
        assert await world.balance() == (1000 - 30 - 5 + 10, 0)


async def test_missed_end_of_a_dispute_is_booked(database: Database) -> None:
    world, missed = await World(database).begin(), Missed()
    captured, dispute_ref = replace(transaction(world, 300, None), dispute_ref="idp_1"), fresh("idp")
    won = moved(f"{dispute_ref}:txn_1", 300, BalanceTransactionKind.CARD_DISPUTE)
    missed.happened(captured)
    missed.provider.listed.append(replace(won, ref=dispute_ref))
    missed.issuer.disputes[dispute_ref] = CardDisputeSnapshot(
        ref=dispute_ref,
        transaction_ref=captured.ref,
        status=CardDisputeStatus.WON,
        amount_minor=300,
        currency="USD",
        created_at=NOW,
        movements=(won,),
    )
    assert await differences(database, missed.provider, missed.issuer) == 0
    assert await world.balance() == (1000, 0)


async def test_movement_of_an_unknown_or_deleted_card_stays_a_discrepancy(database: Database) -> None:
    world, missed = await World(database).begin(), Missed()
    foreign, gone = replace(transaction(world, 300, None), card_ref="ic_foreign"), transaction(world, 200, None)
    missed.happened(foreign, gone)

    async def retrieve(ref: str) -> TransactionSnapshot:
        if ref == gone.ref:
            raise ProviderNotFound("No such transaction.")
        return missed.issuer.transactions[ref]

    missed.issuer.retrieve_transaction = retrieve  # type: ignore[method-assign]
    assert await differences(database, missed.provider, missed.issuer) == 2
    assert await world.balance() == (1000, 0)
