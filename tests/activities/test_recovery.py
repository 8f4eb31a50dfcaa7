"""The amounts that creators return for lost payments: in the books and at the provider, only once."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import asyncpg
import pytest
from sqlalchemy import insert, select, text
from temporalio.testing import ActivityEnvironment

from activities.payouts.creator import CreatorActivities
from activities.payouts.payout import PayoutActivities
from activities.payouts.recovery import RecoveryActivities
from commands.verify import verify
from contracts.common.batch import DuePage
from contracts.payments.payment import ProviderEventInput
from contracts.payouts.payout import RecordPayout, SendPayout, SentPayout
from domain.billing.billing_run.period import next_month
from domain.billing.document.content import Document
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.errors import Conflict, InsufficientFunds
from domain.common.money import CREDIT, amounts_from
from domain.common.state_hash import state_hash
from domain.credits.lots import LotSource, LotTerms
from domain.payments.payment.purposes.escrow import fulfilled
from domain.payments.payment.snapshot import BalanceTransaction, ProviderEvent, RefundStatus
from domain.payments.payment.terms import Purpose, PurposeKind
from domain.payouts.earnings import EarningsKind
from domain.payouts.payable import HoldBack, PayableState
from domain.payouts.payout.commands import failed, sent, with_receipt
from domain.payouts.payout.state import Outcome, Payout
from domain.payouts.recovery import LOOKUP_INTERVALS
from ledger.gateway import Ledger, Posting
from models.marketplace.agent import Agent
from models.marketplace.marketplace import MarketplaceOffer
from models.messages.alert import Alert
from models.payouts.creator_account import CreatorAccountRow
from models.payouts.creator_statement import CreatorStatement
from models.payouts.recovery import Recovery, TransferReversal
from models.tenants.organization import Organization
from providers.payments.base import ProviderRefused
from repositories.books import debt
from repositories.payments import provider_event
from repositories.payouts import payout as payouts, statement as statements, transfer_reversal
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.books.debt import settle_debt
from services.marketplace import marketplace as selling
from services.payouts import (
    earnings,
    payout as service,
    recovery as recovering,
    statement,
    transfer_reversal as reversing,
)
from services.payouts.payable import shares_of
from tests.activities.test_disputed_credits import pay_rest
from tests.api.paying import NOW, Written
from tests.conftest import DatabaseUrls
from tests.repositories.test_risk_decisions import made_risk
from tests.support import mirrored_bills
from tests.support.documents import SELLER, selling as selling_by
from tests.support.payouts import FakePayouts
from tests.support.purchases import buy

pytestmark = pytest.mark.db

HOLD_BACK = HoldBack(usual=timedelta(days=14), floor=timedelta(days=7))
ONE = 1_000_000
#: Twice as many for the same money as usual.
CHEAP = Purpose(kind=PurposeKind.CREDITS, goods_asset=CREDIT, goods_minor=200 * ONE)
#: A day before the chargeback.
EARNED = NOW - timedelta(days=60)


class World:
    """A payer whose card may be stolen, a creator who works for it, and hands for the books."""

    def __init__(self, database: Database) -> None:
        self.database, self.fake = database, FakePayouts()
        self.payer, self.org, self.agent = new_id("org"), new_id("org"), new_id("agt")
        self.ref = f"acct_ok_{new_id('x')[2:]}"
        self.actor = Actor(principal="finance", role=Role.FINANCE, org_id=self.org)
        self.acts = RecoveryActivities(database, self.fake, hold_back=HOLD_BACK)

    async def begin(self) -> "World":
        async with self.database.platform() as session:
            for each in (self.payer, self.org):
                await session.execute(insert(Organization).values(id=each, name=each, command_id=each, created_by="t"))
            listing = {"visibility": "public", "pricing_model": "free", "created_by": "t"}
            await session.execute(
                insert(Agent).values(id=self.agent, org_id=self.org, name="bot", command_id=self.agent, **listing)
            )
            ready = dict.fromkeys(("details_submitted", "transfers_enabled", "payouts_enabled", "tax_profile"), True)
            await session.execute(
                insert(CreatorAccountRow).values(
                    org_id=self.org,
                    provider="fake",
                    ref=self.ref,
                    country="US",
                    **ready,
                    requirements_due=[],
                    destination="bank",
                    destination_last4="6789",
                    destination_currency="USD",
                    seen_at=EARNED,
                    created_by="t",
                )
            )
        return self

    async def another_payer(self) -> "World":
        """Return hands for another organization that pays the same creator."""
        other = World(self.database)
        other.org, other.agent, other.actor, other.ref = self.org, self.agent, self.actor, self.ref
        async with self.database.platform() as session:
            values = {"id": other.payer, "name": "h", "command_id": other.payer, "created_by": "t"}
            await session.execute(insert(Organization).values(**values))
        return other

    async def bought(self, **terms: Any) -> Written:
        """Pay by card, for 100 credits by default."""
        made = await Written(self.database, self.payer, **terms).begin()
        made.there.pay(fee=0)
        return await made.look()

    async def move(self, *postings: Posting, at: datetime = NOW, kind: str = "t") -> None:
        async with self.database.platform() as session:
            await Ledger(await driver_connection(session)).post_compound(
                key=new_id("k"), kind=kind, postings=list(postings), effective_at=at
            )

    async def works(self, credits: int, *, commission: int = 0, at: datetime = NOW) -> None:
        """Release an escrow of that many of the payer's credits to the agent, less the commission."""
        held = accounts.escrow(new_id("esc"), CREDIT, self.payer)
        await self.move(Posting(accounts.org_credits(self.payer), held, credits * ONE), at=at)
        legs = [Posting(held, self.earned(), (credits - commission) * ONE)]
        if commission:
            legs.append(Posting(held, accounts.platform("commission", CREDIT), commission * ONE))
        await self.move(*legs, at=at)

    async def gives_back(self, credits: int) -> None:
        """Refund to the payer the amount that the agent has just earned, like a refunded sale."""
        async with self.database.platform() as session:
            (lot,) = (
                await session.scalars(
                    text(
                        "SELECT l.id FROM ledger.lots l JOIN ledger.accounts a ON a.id = l.account_id "
                        "WHERE a.path = :path AND l.is_open ORDER BY l.id DESC LIMIT 1"
                    ),
                    {"path": self.earned().path},
                )
            ).all()
        slices = LotTerms(slices=((lot, credits * ONE),))
        await self.move(Posting(self.earned(), accounts.org_credits(self.payer), credits * ONE, slices))

    async def converts(self) -> None:
        """Make credits to spend of all that the agent has earned."""
        async with self.database.platform() as session:
            await earnings.convert(
                session,
                self.actor,
                org_id=self.org,
                agent_id=self.agent,
                kind=EarningsKind.PAID,
                amount_minor=None,
                renew_days=30,
                hold_back=HOLD_BACK,
                command_id=new_id("cmd"),
                now=NOW,
            )

    async def convertible(self) -> int:
        """Return how many of the credits that the agent has earned from others can be converted."""
        async with self.database.platform() as session:
            (row,) = await earnings.page(
                session, org_id=self.org, days=30, hold_back=HOLD_BACK, before=None, limit=2, now=NOW
            )
        return row.earned[EarningsKind.PAID].convertible // ONE

    def earned(self, asset: str = CREDIT) -> Any:
        return accounts.agent_earnings(self.agent, asset, self.org)

    async def pays(self, credits: int) -> None:
        """Pay a part of the creator's debt."""
        owes = accounts.org_debt(self.org, CREDIT)
        await self.move(Posting(accounts.platform("credit_issuance", CREDIT), owes, credits * ONE))

    async def reversals(self) -> list[tuple[str, int]]:
        """Return the status and the amount of each transfer that was to be reversed."""
        query = "SELECT status, amount_minor FROM transfer_reversals WHERE org_id = :org ORDER BY status, id"
        async with self.database.platform() as session:
            return [(row.status, row.amount_minor) for row in await session.execute(text(query), {"org": self.org})]

    def not_recovered(self) -> Any:
        """Return the query for the alerts about the organization's transfer reversals."""
        own = select(TransferReversal.id).where(TransferReversal.org_id == self.org)
        return select(Alert.detail).where(Alert.kind == "earnings.not_recovered", Alert.subject.in_(own))

    async def lost(self, paid: Written, *, amount: int | None = None) -> None:
        ref = paid.there.dispute(amount, fee=0)
        await paid.look()
        paid.there.close_dispute(ref, won=False)
        await paid.look()

    async def recover(self, *, pays: int = 0) -> tuple[int, int]:
        """Run the batch, and return the number of uses that creators returned money for, and of reversed transfers.

        The creator pays some of its debt before transfers are reversed.
        """
        page = DuePage(now=datetime.now(UTC), after="", limit=500)
        recovered = await ActivityEnvironment().run(self.acts.recover, page)
        if pays:
            await self.pays(pays)
        reversed_ = await ActivityEnvironment().run(self.acts.reverse, replace_now(page))
        return recovered.done, reversed_.done

    async def balances(self, asset: str = CREDIT) -> dict[str, int]:
        """Return the creator's balance, its debt and the payer's debt."""
        owes = {"owes": accounts.org_debt(self.org, asset), "payer": accounts.org_debt(self.payer, asset)}
        async with self.database.platform() as session:
            ledger = Ledger(await driver_connection(session))
            found = {
                name: (await ledger.balance(account)).posted_minor
                for name, account in {"earned": self.earned(asset), **owes}.items()
            }
        scale = ONE if asset == CREDIT else 1
        return {name: posted // scale for name, posted in found.items()}

    async def states(self) -> dict[PayableState, int]:
        async with self.database.platform() as session:
            shares = await shares_of(session, self.org, HOLD_BACK, now=NOW + timedelta(days=1))
        return {share.state: share.worth_minor for share in shares}

    async def asked_for(self, cents: int | None = None, *, at: datetime, currency: str | None = None) -> Payout:
        """Request a payout of an amount, or of everything that is old enough to be paid out."""
        async with self.database.platform() as session:
            return await service.request(
                session,
                self.actor,
                org_id=self.org,
                currency=currency,
                amount_minor=cents,
                hold_back=HoldBack(usual=timedelta(0), floor=timedelta(0)),
                minimum=amounts_from("0.01"),
                command_id=new_id("cmd"),
                now=at,
            )

    async def sends(self, payout: Payout, *, at: datetime) -> None:
        """Send a payout and book it, as its run does."""
        made = await self.fake.transfer(_asked(payout), idempotency_key=payout.payout_id)
        await self._writes(payout, sent(payout, transfer_ref=made.ref), at=at, movement=made.movement)

    async def fails(self, payout: Payout, *, at: datetime) -> None:
        """Return a payout to the earnings, as its run does."""
        await self._writes(payout, failed(payout, code="payout.given_up", detail="Not there."), at=at)

    async def _writes(
        self, payout: Payout, outcome: Outcome, *, at: datetime, movement: BalanceTransaction | None = None
    ) -> None:
        acts, environment = PayoutActivities(self.database, self.fake, hold_back=HOLD_BACK), ActivityEnvironment()
        environment.info = replace(environment.info, is_local=True)
        message = RecordPayout(
            outcome=with_receipt(outcome, outcome.event),
            command_id=outcome.event,
            at=at,
            decided_from=state_hash(payout),
            movement=movement,
        )
        assert (await environment.run(acts.record, message)).applied

    async def paid_out(self, *, at: datetime) -> Payout:
        """Pay out everything that is old enough."""
        payout = await self.asked_for(at=at)
        await self.sends(payout, at=at)
        return payout

    async def stated(self, month: date) -> Sequence[CreatorStatement]:
        """Issue the creator's statements of a month."""
        now = datetime.combine(next_month(month), time(4), UTC)
        async with self.database.platform() as session:
            return await statement.issue(session, self.org, month, selling_by(SELLER), now=now)


def replace_now(page: DuePage) -> DuePage:
    return page.model_copy(update={"now": datetime.now(UTC)})


def _asked(payout: Payout) -> Any:
    from providers.payouts.base import NewTransfer

    return NewTransfer(
        payout_id=payout.payout_id,
        account_ref=payout.account_ref,
        amount_minor=payout.amount_minor,
        currency=payout.currency,
    )


async def proves(database_urls: DatabaseUrls) -> None:
    connection = await asyncpg.connect(database_urls.platform.replace("+asyncpg", ""))
    report = await verify(connection)
    await connection.close()
    assert report.ok, "\n".join(report.lines())


@pytest.fixture
async def world(database: Database) -> World:
    made = World(database)
    # The batch takes what other tests of this database have lost as well; no count here is to have it.
    await made.recover()
    return await made.begin()


async def test_earnings_are_frozen_by_a_chargeback_and_recovered_when_it_is_lost(world: World) -> None:
    paid = await world.bought()
    await world.works(100, commission=10)
    ref = paid.there.dispute(fee=0)
    await paid.look()
    assert await world.states() == {PayableState.FROZEN: 900}
    paid.there.close_dispute(ref, won=False)
    await paid.look()
    # Still frozen until the batch has come by.
    assert await world.states() == {PayableState.FROZEN: 900}
    assert (await world.recover())[0] == 1
    assert await world.balances() == {"earned": 0, "owes": 0, "payer": -10}
    assert await world.recover() == (0, 0)


async def test_frozen_earnings_are_converted_once_the_dispute_is_won(world: World) -> None:
    paid = await world.bought()
    await world.works(100)
    ref = paid.there.dispute(fee=0)
    await paid.look()
    other = await world.another_payer()
    await other.bought()
    await other.works(30)
    assert await world.states() == {PayableState.FROZEN: 1000, PayableState.PENDING: 300}
    assert await world.convertible() == 30
    await world.converts()
    assert (await world.balances())["earned"] == 100
    with pytest.raises(InsufficientFunds, match="being charged back"):
        await world.converts()
    paid.there.close_dispute(ref, won=True)
    await paid.look()
    assert await world.convertible() == 100
    await world.converts()
    assert (await world.balances())["earned"] == 0


@pytest.mark.slow
async def test_charged_back_earnings_outside_of_the_liability_period_can_be_converted(
    world: World,
) -> None:
    paid = await world.bought()
    await world.works(100, at=EARNED - timedelta(days=30))
    paid.there.dispute(fee=0)
    await paid.look()
    assert await world.convertible() == 100
    await world.converts()
    assert (await world.balances())["earned"] == 0


@pytest.mark.slow
async def test_won_dispute_unfreezes_earnings(world: World) -> None:
    paid = await world.bought()
    await world.works(100)
    ref = paid.there.dispute(fee=0)
    await paid.look()
    paid.there.close_dispute(ref, won=True)
    await paid.look()
    assert await world.recover() == (0, 0)
    assert await world.states() == {PayableState.PENDING: 1000}
    assert await world.balances() == {"earned": 100, "owes": 0, "payer": 0}


@pytest.mark.slow
async def test_recovery_from_a_balance_top_up_takes_the_newest_escrows_first(world: World) -> None:
    purpose = Purpose(kind=PurposeKind.BALANCE, goods_asset="USD", goods_minor=1000)
    paid = [await world.bought(purpose=purpose) for _ in range(2)][1]
    for cents, hours in ((900, -480), (300, 1), (400, 2)):
        held, at = accounts.escrow(new_id("esc"), "USD", world.payer), NOW + timedelta(hours=hours)
        await world.move(Posting(accounts.org_cash(world.payer, "USD"), held, cents), at=at)
        await world.move(Posting(held, world.earned("USD"), cents), at=at)
    paid.there.at = NOW
    ref = paid.there.dispute(fee=0)
    await paid.look()
    assert (await world.states())[PayableState.FROZEN] == 700
    paid.there.close_dispute(ref, won=False)
    await paid.look()
    assert await world.balances("USD") == {"earned": 1600, "owes": 0, "payer": -600}
    assert (await world.recover())[0] == 2
    assert await world.balances("USD") == {"earned": 1000, "owes": 0, "payer": 0}


async def test_recovery_takes_the_newest_use_first_up_to_the_loss(world: World) -> None:
    paid = await world.bought()
    await world.works(40, at=NOW - timedelta(days=3))
    await world.works(60, at=NOW - timedelta(days=2))
    await world.lost(paid, amount=500)
    assert (await world.recover())[0] == 1
    async with world.database.platform() as session:
        taken = list(
            await session.scalars(text("SELECT remaining FROM ledger.lots WHERE org_id = :o"), {"o": world.org})
        )
    assert sorted(taken) == [10 * ONE, 40 * ONE]


@pytest.mark.slow
async def test_platform_bears_losses_of_earnings_before_the_liability_period(world: World) -> None:
    paid = await world.bought()
    await world.works(100, at=EARNED - timedelta(days=30))
    ref = paid.there.dispute(fee=0)
    await paid.look()
    assert await world.states() == {PayableState.AVAILABLE: 1000}
    paid.there.close_dispute(ref, won=False)
    await paid.look()
    assert await world.recover() == (0, 0)
    assert await world.balances() == {"earned": 100, "owes": 0, "payer": -100}


async def test_recovery_of_converted_earnings_takes_others_and_then_books_a_debt(world: World) -> None:
    paid = await world.bought()
    await world.works(100)
    await world.converts()
    await world.lost(paid)
    # Earned from somebody else, so that it is not what the payment paid.
    honest = await world.another_payer()
    await honest.bought()
    await honest.works(30)
    assert (await world.recover())[0] == 1
    assert await world.balances() == {"earned": 0, "owes": -70, "payer": 0}


@pytest.mark.slow
async def test_creator_is_liable_for_each_of_two_lost_payments(world: World, database_urls: DatabaseUrls) -> None:
    """It has converted the first 100 and used them up, so the second 100 are taken for them."""
    first = await world.bought()
    await world.works(100)
    await world.converts()
    other = await world.another_payer()
    second = await other.bought()
    await other.works(100)
    await world.lost(first)
    await world.recover()
    assert await world.balances() == {"earned": 0, "owes": 0, "payer": 0}
    await other.lost(second)
    await other.recover()
    assert await other.balances() == {"earned": 0, "owes": -100, "payer": 0}
    await proves(database_urls)


@pytest.mark.slow
async def test_creator_is_liable_for_earnings_that_have_paid_its_debt(world: World) -> None:
    owes = accounts.org_debt(world.org, CREDIT)
    await world.move(Posting(owes, accounts.platform("credit_issuance", CREDIT), 100 * ONE))
    paid = await world.bought()
    await world.works(100)
    async with world.database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        await debt.lock(session, world.org)
        await ledger.lock_balances([world.earned()], if_open=[owes])
        await settle_debt(ledger, org_id=world.org, source=world.earned(), key=new_id("k"), reference="t", at=NOW)
    assert await world.balances() == {"earned": 0, "owes": 0, "payer": 0}
    await world.lost(paid)
    await world.recover()
    assert await world.balances() == {"earned": 0, "owes": -100, "payer": 0}


@pytest.mark.slow
async def test_creator_is_liable_for_earnings_taken_for_its_own_lost_payment(world: World) -> None:
    paid = await world.bought()
    await world.works(100)
    own = await Written(world.database, world.org).begin()
    own.there.pay(fee=0)
    await own.look()
    used = accounts.platform("credit_redemption", CREDIT)
    await world.move(Posting(accounts.org_credits(world.org), used, 100 * ONE))
    await world.lost(own)
    assert await world.balances() == {"earned": 0, "owes": 0, "payer": 0}
    await world.lost(paid)
    await world.recover()
    assert await world.balances() == {"earned": 0, "owes": -100, "payer": 0}


async def test_pitfall_27_payout_is_reversed_once_and_pays_the_debt(world: World, database_urls: DatabaseUrls) -> None:
    paid = await world.bought()
    await world.works(100, commission=10)
    payout = await world.paid_out(at=NOW + timedelta(seconds=1))
    assert payout.amount_minor == 900
    await world.lost(paid)
    assert await world.recover() == (1, 1)
    assert await world.recover() == (0, 0)
    assert [back.amount_minor for back in world.fake.back.values()] == [900]
    assert await world.balances() == {"earned": 0, "owes": 0, "payer": -10}
    await proves(database_urls)


@pytest.mark.slow
async def test_reversed_payout_corrects_the_statement_of_its_earnings(
    world: World, database_urls: DatabaseUrls
) -> None:
    paid = await world.bought()
    await world.works(100, commission=10)
    await world.paid_out(at=NOW + timedelta(seconds=1))
    earned, gone = (day.date().replace(day=1) for day in (NOW, datetime.now(UTC)))
    [stated] = await world.stated(earned)
    await world.lost(paid)
    assert await world.recover() == (1, 1)
    until = datetime.combine(next_month(gone), time(), UTC)
    async with world.database.platform() as session:
        due = await statements.due(
            session, gone, since=datetime.combine(gone, time(), UTC), until=until, after="", limit=10_000
        )
    assert world.org in due
    # Nothing moved on the earnings in that month: all of it had left.
    [later] = await world.stated(gone)
    shown = {each.kind.value: each.amount_minor for each in Document.restored(later.content).balances}
    assert (later.total_minor, shown) == (
        0,
        {"opening": 0, "earned": 0, "taken_back": -900, "paid_out": 900, "closing": 0},
    )
    async with world.database.platform() as session:
        [note] = await statements.corrections(session, stated.id)
    assert (stated.total_minor, note.total_minor, note.month) == (900, 900, gone)
    await proves(database_urls)


async def test_payout_found_sent_after_its_earnings_were_recovered_is_reversed(world: World) -> None:
    paid = await world.bought()
    await world.works(100)
    payout = await world.asked_for(at=NOW + timedelta(seconds=1))
    await world.lost(paid)
    assert await world.recover() == (1, 0)
    assert await world.balances() == {"earned": 0, "owes": -100, "payer": 0}
    await world.sends(payout, at=NOW + timedelta(days=1))
    assert await world.recover() == (0, 1)
    assert await world.balances() == {"earned": 0, "owes": 0, "payer": 0}


async def test_reversal_at_the_provider_alerts_operators_by_its_event(world: World) -> None:
    paid = await world.bought()
    await world.works(100)
    payout = await world.paid_out(at=NOW + timedelta(seconds=1))
    await world.lost(paid)
    assert await world.recover() == (1, 1)
    # A reversal by Bursar itself changes nothing.
    ref = f"tr_{payout.payout_id}"
    assert await told_of_reversal(world, payout, ref) == []
    own = world.fake.back[next(iter(world.fake.back))]
    world.fake.back["by hand"] = replace(own, ref="trr_by_hand", transfer_ref=ref, amount_minor=150)
    assert [detail[:8] for detail in await told_of_reversal(world, payout, ref)] == ["1.50 USD"]
    assert len(await told_of_reversal(world, payout, ref)) == 1


@pytest.mark.slow
async def test_partial_reversal_of_an_unknown_transfer_alerts_operators_once(world: World) -> None:
    await world.bought()
    await world.works(100)
    payout = await world.asked_for(at=NOW + timedelta(seconds=1))
    made = await world.fake.transfer(_asked(payout), idempotency_key=payout.payout_id)
    terms = {"amount_minor": 400, "currency": "USD"}
    await world.fake.reverse(made.ref, reversal_id=new_id("x"), idempotency_key=new_id("k"), **terms)
    # Stripe's transfer names the payout as its group.
    refs = (made.ref, payout.payout_id)
    assert [detail[:8] for detail in await told_of_reversal(world, payout, *refs)] == ["4.00 USD"]
    await world.sends(payout, at=NOW + timedelta(days=1))
    assert len(await told_of_reversal(world, payout, *refs)) == 1


@pytest.mark.slow
async def test_transfer_of_a_payout_that_failed_is_reversed_without_an_alert(world: World) -> None:
    await world.bought()
    await world.works(100)
    payout = await world.asked_for(at=NOW + timedelta(seconds=1))
    made = await world.fake.transfer(_asked(payout), idempotency_key=payout.payout_id)
    await world.fails(payout, at=NOW + timedelta(days=1))
    terms = {"amount_minor": 1000, "currency": "USD"}
    await world.fake.reverse(made.ref, reversal_id=new_id("x"), idempotency_key=new_id("k"), **terms)
    assert await told_of_reversal(world, payout, made.ref, payout.payout_id) == []


async def told_of_reversal(world: World, payout: Payout, *refs: str) -> list[str]:
    """Hear that a transfer was reversed, and return the alerts about it."""
    event = ProviderEvent(
        event_id=new_id("evt"),
        type="transfer.reversed",
        occurred_at=datetime.now(UTC),
        payment_id=None,
        refs=refs,
        livemode=False,
        payload={},
    )
    async with world.database.platform() as session:
        connection = await driver_connection(session)
        await provider_event.store(connection, "fake", event, "received", handled=False)
    acts = CreatorActivities(world.database, world.fake, made_risk(enforced=False), hold=timedelta(hours=72))
    heard = ProviderEventInput(provider="fake", event_id=event.event_id)
    assert (await ActivityEnvironment().run(acts.refresh_creator, heard)).outcome == "handled"
    found = select(Alert.detail).where(Alert.kind == "payout.reversed_elsewhere", Alert.subject == payout.payout_id)
    async with world.database.platform() as session:
        return list(await session.scalars(found))


@pytest.mark.slow
async def test_transfer_reversed_before_its_lookup_does_not_count_as_paid(world: World) -> None:
    await world.bought()
    await world.works(100)
    payout = await world.asked_for(at=NOW + timedelta(seconds=1))
    made = await world.fake.transfer(_asked(payout), idempotency_key=payout.payout_id)
    acts = PayoutActivities(world.database, world.fake, hold_back=HOLD_BACK)

    async def found() -> SentPayout:
        return await ActivityEnvironment().run(acts.find, SendPayout(payout=payout))

    async def reverses(amount_minor: int) -> None:
        terms = {"amount_minor": amount_minor, "currency": "USD"}
        await world.fake.reverse(made.ref, reversal_id=new_id("x"), idempotency_key=new_id("k"), **terms)

    await reverses(400)
    assert (await found()).transfer_ref == made.ref
    await reverses(600)
    answer = await found()
    assert (answer.transfer_ref, answer.unknown, answer.refused) == (None, True, "payout.reversed")


@pytest.mark.slow
async def test_reversal_that_is_refused_stays_the_creators_debt(world: World) -> None:
    paid = await world.bought()
    await world.works(100)
    await world.paid_out(at=NOW + timedelta(seconds=1))
    world.fake.modes[world.ref] = "spent"
    await world.lost(paid)
    assert await world.recover() == (1, 0)
    assert await world.balances() == {"earned": 0, "owes": -100, "payer": 0}
    async with world.database.platform() as session:
        rows = await session.execute(text("SELECT status FROM transfer_reversals WHERE org_id = :o"), {"o": world.org})
    assert [row.status for row in rows] == ["refused"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "pays", "ended"),
    [("spent", 0, ("refused", 1000)), ("ok", 30, ("reversed", 700)), ("ok", 100, ("not_needed", 1000))],
)
async def test_next_payout_is_booked_after_any_outcome_of_an_earlier_reversal(
    world: World, mode: str, pays: int, ended: tuple[str, int]
) -> None:
    paid = await world.bought()
    await world.works(100)
    await world.paid_out(at=NOW + timedelta(seconds=1))
    world.fake.modes[world.ref] = mode
    await world.lost(paid)
    await world.recover(pays=pays)
    if mode == "spent":
        await world.pays(100)
    assert await world.reversals() == [ended]
    await world.bought()
    await world.works(50, at=NOW + timedelta(days=1))
    payout = await world.paid_out(at=NOW + timedelta(days=2))
    async with world.database.platform() as session:
        row = await payouts.get(session, payout.payout_id)
        assert row is not None
    assert (row.status, row.amount_minor) == ("paid", 500)
    assert await world.reversals() == [ended]


@pytest.mark.slow
async def test_last_decimal_that_cannot_be_reversed_stays_the_creators_debt(
    world: World, database_urls: DatabaseUrls
) -> None:
    purpose = Purpose(kind=PurposeKind.BALANCE, goods_asset="KWD", goods_minor=10_000)
    paid = await world.bought(purpose=purpose, currency="KWD", amount_minor=10_000)
    paid.there.at = NOW
    held = accounts.escrow(new_id("esc"), "KWD", world.payer)
    await world.move(Posting(accounts.org_cash(world.payer, "KWD"), held, 10_000), at=NOW)
    await world.move(Posting(held, world.earned("KWD"), 10_000), at=NOW)
    asked = await world.asked_for(at=NOW + timedelta(seconds=1), currency="KWD")
    await world.sends(asked, at=NOW + timedelta(seconds=2))
    await world.lost(paid, amount=5_005)
    await world.recover()
    assert await world.reversals() == [("reversed", 5_000)]
    assert await world.balances("KWD") == {"earned": 0, "owes": -5, "payer": 0}
    await proves(database_urls)


@pytest.mark.slow
async def test_debt_of_a_refused_reversal_is_paid_by_reversing_a_later_payout(
    world: World, database_urls: DatabaseUrls
) -> None:
    paid = await world.bought(purpose=Purpose(kind=PurposeKind.BALANCE, goods_asset="USD", goods_minor=1000))
    paid.there.at = NOW
    held = accounts.escrow(new_id("esc"), "USD", world.payer)
    await world.move(Posting(accounts.org_cash(world.payer, "USD"), held, 1000), at=NOW)
    await world.move(Posting(held, world.earned("USD"), 1000), at=NOW)
    await world.sends(await world.asked_for(600, at=NOW + timedelta(seconds=1)), at=NOW + timedelta(seconds=2))
    second = await world.asked_for(at=NOW + timedelta(seconds=3))
    world.fake.modes[world.ref] = "spent"
    await world.lost(paid)
    await world.recover()
    world.fake.modes[world.ref] = "ok"
    await world.sends(second, at=NOW + timedelta(days=1))
    await world.recover()
    assert await world.reversals() == [("refused", 600), ("reversed", 400)]
    assert await world.balances("USD") == {"earned": 0, "owes": -600, "payer": 0}
    await proves(database_urls)


@pytest.mark.slow
async def test_settled_debt_does_not_reverse_later_payouts(world: World) -> None:
    paid = await world.bought(purpose=Purpose(kind=PurposeKind.BALANCE, goods_asset="USD", goods_minor=1000))
    paid.there.at = NOW
    held, exchange = accounts.escrow(new_id("esc"), "USD", world.payer), accounts.platform("exchange", "USD")
    await world.move(Posting(accounts.org_cash(world.payer, "USD"), held, 1000), at=NOW)
    await world.move(Posting(held, world.earned("USD"), 1000), at=NOW)
    await world.paid_out(at=NOW + timedelta(seconds=1))
    world.fake.modes[world.ref] = "spent"
    await world.lost(paid)
    await world.recover()
    await world.move(Posting(exchange, accounts.org_debt(world.org, "USD"), 1000))
    await world.move(Posting(exchange, world.earned("USD"), 500))
    await world.paid_out(at=NOW + timedelta(days=1))
    assert await world.reversals() == [("refused", 1000)]


async def test_pitfall_10_reversal_without_a_response_is_looked_up_and_not_repeated(world: World) -> None:
    paid = await world.bought()
    await world.works(100)
    await world.paid_out(at=NOW + timedelta(seconds=1))
    world.fake.modes[world.ref] = "lost"
    await world.lost(paid)
    assert await world.recover() == (1, 0)
    world.fake.modes[world.ref] = "ok"
    async with world.database.platform() as session:
        await session.execute(text("UPDATE transfer_reversals SET next_at = now() WHERE org_id = :o"), {"o": world.org})
    assert await world.recover() == (0, 1)
    assert [back.amount_minor for back in world.fake.back.values()] == [1000]
    assert await world.balances() == {"earned": 0, "owes": 0, "payer": 0}


@pytest.mark.slow
async def test_reversal_missing_in_restored_books_is_found_and_not_repeated(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The provider has forgotten the key of it as well."""
    paid = await world.bought()
    await world.works(100)
    await world.paid_out(at=NOW + timedelta(seconds=1))
    world.fake.modes[world.ref] = "lost"
    await world.lost(paid)
    assert await world.recover() == (1, 0)
    async with world.database.platform() as session:
        forget = text("UPDATE transfer_reversals SET tries = 0, next_at = now() WHERE org_id = :o")
        await session.execute(forget, {"o": world.org})

    async def refuse(transfer_ref: str, **_: Any) -> Any:
        raise ProviderRefused("More than is left of the transfer.", code="amount_too_large")

    monkeypatch.setattr(world.fake, "reverse", refuse)
    assert await world.recover() == (0, 1)
    assert await world.reversals() == [("reversed", 1000)]
    assert await world.balances() == {"earned": 0, "owes": 0, "payer": 0}


@pytest.mark.slow
async def test_refused_lookup_does_not_end_a_reversal(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    paid = await world.bought()
    await world.works(100)
    await world.paid_out(at=NOW + timedelta(seconds=1))
    world.fake.modes[world.ref] = "lost"
    await world.lost(paid)
    await world.recover()

    async def refuse(transfer_ref: str, *, reversal_id: str) -> Any:
        raise ProviderRefused("Not now.", code="lookup_refused")

    monkeypatch.setattr(world.fake, "find_reversal", refuse)
    query = world.not_recovered()
    for _ in LOOKUP_INTERVALS:
        async with world.database.platform() as session:
            assert (await session.scalars(query)).all() == []
            await session.execute(
                text("UPDATE transfer_reversals SET next_at = now() WHERE org_id = :o"), {"o": world.org}
            )
        assert await world.recover() == (0, 0)
    assert await world.reversals() == [("requested", 1000)]
    async with world.database.platform() as session:
        (told,) = (await session.scalars(query)).all()
    assert told.endswith("its outcome is unknown: Not now. It is looked up once a day.")


@pytest.mark.slow
async def test_reversal_after_the_debt_was_paid_returns_to_the_earnings(world: World) -> None:
    paid = await world.bought()
    await world.works(100)
    await world.paid_out(at=NOW + timedelta(seconds=1))
    world.fake.modes[world.ref] = "lost"
    await world.lost(paid)
    await world.recover()
    await world.pays(30)
    world.fake.modes[world.ref] = "ok"
    async with world.database.platform() as session:
        await session.execute(text("UPDATE transfer_reversals SET next_at = now() WHERE org_id = :o"), {"o": world.org})
    assert await world.recover() == (0, 1)
    assert await world.balances() == {"earned": 30, "owes": 0, "payer": 0}


@pytest.mark.slow
async def test_recovered_money_does_not_hold_back_older_earnings(world: World) -> None:
    money = Purpose(kind=PurposeKind.BALANCE, goods_asset="USD", goods_minor=1000)
    paid = await world.bought(purpose=money)
    exchange = accounts.platform("exchange", "USD")
    await world.move(Posting(exchange, world.earned("USD"), 400), at=NOW - timedelta(days=60))
    held = accounts.escrow(new_id("esc"), "USD", world.payer)
    await world.move(Posting(accounts.org_cash(world.payer, "USD"), held, 1000), at=NOW)
    await world.move(Posting(held, world.earned("USD"), 1000), at=NOW)
    paid.there.at = NOW
    assert await world.states() == {PayableState.AVAILABLE: 400, PayableState.PENDING: 1000}
    await world.lost(paid)
    assert (await world.recover())[0] == 1
    assert await world.states() == {PayableState.AVAILABLE: 400}


@pytest.mark.slow
async def test_late_chargeback_of_a_sale_does_not_hold_back_older_earnings(world: World) -> None:
    escrow_id = new_id("esc")
    money = Purpose(kind=PurposeKind.ESCROW, goods_asset="USD", goods_minor=1000, escrow_id=escrow_id)
    paid = await world.bought(purpose=money, description="work")
    held = accounts.escrow(escrow_id, "USD", world.payer)
    await world.move(Posting(accounts.payment(paid.terms.payment_id, "USD", world.payer), held, 1000))
    assert paid.payment is not None
    await paid._write(fulfilled(paid.payment, at=NOW))
    await world.move(Posting(held, world.earned("USD"), 1000), kind="payment.agent_bought")
    exchange = accounts.platform("exchange", "USD")
    await world.move(Posting(exchange, world.earned("USD"), 300), at=EARNED - timedelta(days=90))
    paid.there.dispute(fee=0)
    await paid.look()
    hold_back = replace(HOLD_BACK, refunds=timedelta(days=30))
    async with world.database.platform() as session:
        shares = await shares_of(session, world.org, hold_back, now=NOW + timedelta(days=20))
    assert {share.state: share.amount_minor for share in shares} == {
        PayableState.AVAILABLE: 300,
        PayableState.FROZEN: 1000,
    }


async def test_payout_requested_before_a_chargeback_is_not_sent(world: World) -> None:
    paid = await world.bought()
    await world.works(100)
    payout = await world.asked_for(at=NOW + timedelta(seconds=1))
    paid.there.dispute(fee=0)
    await paid.look()
    acts = PayoutActivities(world.database, world.fake, hold_back=HOLD_BACK)
    answer = await ActivityEnvironment().run(acts.send, SendPayout(payout=payout))
    assert (answer.refused, world.fake.sent) == ("payout.frozen", {})


async def test_money_of_an_escrow_paid_by_card_is_recovered(world: World) -> None:
    escrow_id = new_id("esc")
    money = Purpose(kind=PurposeKind.ESCROW, goods_asset="USD", goods_minor=1000, escrow_id=escrow_id)
    paid = await world.bought(purpose=money, description="work")
    own, held = (
        accounts.payment(paid.terms.payment_id, "USD", world.payer),
        accounts.escrow(escrow_id, "USD", world.payer),
    )
    await world.move(Posting(own, held, 1000))
    assert paid.payment is not None
    await paid._write(fulfilled(paid.payment, at=NOW))
    commission = accounts.platform("commission", "USD")
    await world.move(Posting(held, world.earned("USD"), 950), Posting(held, commission, 50))
    other = accounts.platform("exchange", "USD")
    await world.move(Posting(other, world.earned("USD"), 300), at=EARNED - timedelta(days=90))
    async with world.database.platform() as session:
        shares = await shares_of(session, world.org, HOLD_BACK, now=NOW + timedelta(days=1))
    assert {share.state.value: share.amount_minor for share in shares} == {"available": 300, "pending": 950}
    ref = paid.there.dispute(fee=0)
    await paid.look()
    assert await world.states() == {PayableState.AVAILABLE: 300, PayableState.FROZEN: 950}
    paid.there.close_dispute(ref, won=False)
    await paid.look()
    assert (await world.recover())[0] == 1
    assert await world.balances("USD") == {"earned": 300, "owes": 0, "payer": -50}


@pytest.mark.slow
async def test_second_chargeback_freezes_the_remaining_money(world: World) -> None:
    escrow_id = new_id("esc")
    money = Purpose(kind=PurposeKind.ESCROW, goods_asset="USD", goods_minor=1000, escrow_id=escrow_id)
    paid = await world.bought(purpose=money, description="work")
    held = accounts.escrow(escrow_id, "USD", world.payer)
    await world.move(Posting(accounts.payment(paid.terms.payment_id, "USD", world.payer), held, 1000))
    assert paid.payment is not None
    await paid._write(fulfilled(paid.payment, at=NOW))
    await world.move(Posting(held, world.earned("USD"), 1000))
    paid.there.at = NOW
    await world.lost(paid, amount=100)
    assert (await world.recover())[0] == 1
    assert await world.states() == {PayableState.PENDING: 900}
    paid.there.dispute(fee=0)
    await paid.look()
    assert await world.states() == {PayableState.FROZEN: 900}


@pytest.mark.slow
async def test_two_chargebacks_of_a_payment_freeze_its_money_once(world: World) -> None:
    purpose = Purpose(kind=PurposeKind.BALANCE, goods_asset="USD", goods_minor=1000)
    paid = await world.bought(purpose=purpose)
    held, exchange = accounts.escrow(new_id("esc"), "USD", world.payer), accounts.platform("exchange", "USD")
    await world.move(Posting(exchange, world.earned("USD"), 300), at=EARNED - timedelta(days=90))
    await world.move(Posting(accounts.org_cash(world.payer, "USD"), held, 700))
    await world.move(Posting(held, world.earned("USD"), 700))
    paid.there.at = NOW
    for _ in range(2):
        paid.there.dispute(500, fee=0)
        await paid.look()
    assert await world.states() == {PayableState.AVAILABLE: 300, PayableState.FROZEN: 700}


@pytest.mark.slow
async def test_second_chargeback_of_a_balance_freezes_the_rest(world: World) -> None:
    purpose = Purpose(kind=PurposeKind.BALANCE, goods_asset="USD", goods_minor=1000)
    paid = await world.bought(purpose=purpose)
    held = accounts.escrow(new_id("esc"), "USD", world.payer)
    await world.move(Posting(accounts.org_cash(world.payer, "USD"), held, 1000))
    await world.move(Posting(held, world.earned("USD"), 1000))
    paid.there.at = NOW
    await world.lost(paid, amount=100)
    assert (await world.recover())[0] == 1
    paid.there.dispute(fee=0)
    await paid.look()
    assert await world.states() == {PayableState.FROZEN: 900}


@pytest.mark.slow
async def test_money_in_an_escrow_is_frozen_on_release_and_then_recovered(world: World) -> None:
    """Charge, fund, lose the chargeback, release, pay out: the money of a stolen card never leaves."""
    paid = await world.bought()
    held = accounts.escrow(new_id("esc"), CREDIT, world.payer)
    await world.move(Posting(accounts.org_credits(world.payer), held, 100 * ONE))
    await world.lost(paid)
    assert await world.recover() == (0, 0)
    await world.move(Posting(held, world.earned(), 95 * ONE), at=NOW + timedelta(days=30))
    async with world.database.platform() as session:
        shares = await shares_of(session, world.org, HOLD_BACK, now=NOW + timedelta(days=90))
    assert [(share.state, share.worth_minor) for share in shares] == [(PayableState.FROZEN, 950)]
    await world.move(Posting(held, accounts.platform("commission", CREDIT), 5 * ONE), at=NOW + timedelta(days=30))
    assert (await world.recover())[0] == 1
    assert await world.balances() == {"earned": 0, "owes": 0, "payer": -5}


@pytest.mark.slow
async def test_credits_passed_on_to_another_creator_are_recovered_there_once(world: World) -> None:
    paid = await world.bought()
    await world.works(100)
    await world.converts()
    second = await World(world.database).begin()
    second.payer = world.org
    await second.works(80, at=NOW + timedelta(seconds=1))
    await world.lost(paid)
    assert (await world.recover())[0] == 2
    # The last one has 80 of it. The first one owes the 20 that it had besides; its 80 were paid on.
    assert (await second.balances())["earned"] == 0
    assert await world.balances() == {"earned": 0, "owes": -20, "payer": 0}


@pytest.mark.slow
async def test_recovered_credits_of_a_package_count_at_their_price(world: World) -> None:
    """Dear credits are spent on an accomplice and charged back, when only credits of half their price are there."""
    paid = await world.bought()
    await world.works(100, commission=10)
    await world.bought(purpose=CHEAP)
    await world.lost(paid)
    assert await world.balances() == {"earned": 90, "owes": 0, "payer": 0}
    assert (await world.recover())[0] == 1
    assert await world.balances() == {"earned": 45, "owes": 0, "payer": 0}
    assert await world.recover() == (0, 0)


@pytest.mark.slow
async def test_payout_of_expensive_credits_is_not_recovered_in_cheaper_ones(
    world: World, database_urls: DatabaseUrls
) -> None:
    """The accomplice was paid 9.00 for the lost credits, and has as many of half their price."""
    paid = await world.bought()
    await world.works(100, commission=10)
    await world.paid_out(at=NOW + timedelta(seconds=1))
    other = await world.another_payer()
    await other.bought(purpose=CHEAP)
    await other.works(90)
    await world.lost(paid)
    assert await world.recover() == (1, 1)
    assert [back.amount_minor for back in world.fake.back.values()] == [900]
    assert await world.balances() == {"earned": 90, "owes": 0, "payer": -10}
    await proves(database_urls)


@pytest.mark.slow
async def test_used_expensive_credits_are_recovered_in_cheaper_ones(world: World) -> None:
    """A credit is spent like any other, whatever was paid for it."""
    paid = await world.bought()
    await world.works(100)
    await world.converts()
    other = await world.another_payer()
    await other.bought(purpose=CHEAP)
    await other.works(120)
    await world.lost(paid)
    assert await world.recover() == (1, 0)
    assert await world.balances() == {"earned": 20, "owes": 0, "payer": 0}


@pytest.mark.slow
async def test_package_bought_during_the_dispute_covers_its_price_too(world: World) -> None:
    paid = await world.bought()
    await world.works(100, commission=10)
    ref = paid.there.dispute(fee=0)
    await paid.look()
    await world.bought(purpose=CHEAP)
    assert (await world.balances())["payer"] == 0
    paid.there.close_dispute(ref, won=False)
    await paid.look()
    assert (await world.recover())[0] == 1
    assert await world.balances() == {"earned": 45, "owes": 0, "payer": 0}


@pytest.mark.slow
@pytest.mark.parametrize(("granted", "left"), [(100, 0), (40, 0)])
async def test_granted_credits_cover_no_loss(
    world: World, database_urls: DatabaseUrls, granted: int, left: int
) -> None:
    """The payer's debt is paid first; the rest of the returned credits is destroyed."""
    paid = await world.bought()
    await world.works(100)
    wallet, promotions = accounts.org_credits(world.payer), accounts.platform("promotions", CREDIT)
    await world.move(Posting(promotions, wallet, granted * ONE, LotTerms(source=LotSource.PROMOTION)))
    await world.lost(paid)
    assert (await world.balances())["payer"] == granted - 100
    assert (await world.recover())[0] == 1
    assert await world.balances() == {"earned": left, "owes": 0, "payer": 0}
    await proves(database_urls)


@pytest.mark.slow
@pytest.mark.parametrize(("is_disputed_too", "left"), [(False, 100), (True, 0)])
async def test_other_credits_of_the_same_price_spare_the_creator_unless_charged_back_too(
    world: World, *, is_disputed_too: bool, left: int
) -> None:
    paid = await world.bought()
    await world.works(100)
    other = await world.bought()
    ref = paid.there.dispute(fee=0)
    await paid.look()
    if is_disputed_too:
        other.there.dispute(fee=0)
        await other.look()
    paid.there.close_dispute(ref, won=False)
    await paid.look()
    await world.recover()
    assert await world.balances() == {"earned": left, "owes": 0, "payer": -100 if is_disputed_too else 0}


@pytest.mark.slow
async def test_refunded_sales_do_not_reduce_the_recovery(world: World) -> None:
    """A purchase that was refunded after the work has used nothing."""
    paid = await world.bought()
    await world.works(90)
    decoy = await World(world.database).begin()
    decoy.payer = world.payer
    for number in range(9):
        await decoy.works(10, at=NOW + timedelta(seconds=number + 1))
        await decoy.gives_back(10)
    await world.lost(paid)
    assert (await world.recover())[0] == 1
    assert await world.balances() == {"earned": 0, "owes": 0, "payer": 0}


@pytest.mark.slow
async def test_second_loss_of_a_payment_recovers_the_rest(world: World) -> None:
    paid = await world.bought()
    await world.works(50, at=NOW - timedelta(days=3))
    await world.works(50, at=NOW - timedelta(days=2))
    for left in (50, 0):
        await world.lost(paid, amount=500)
        assert (await world.recover())[0] == 1
        assert await world.balances() == {"earned": left, "owes": 0, "payer": 0}


@pytest.mark.slow
async def test_second_loss_of_a_balance_recovers_from_the_remaining_escrow(world: World) -> None:
    purpose = Purpose(kind=PurposeKind.BALANCE, goods_asset="USD", goods_minor=1000)
    paid = await world.bought(purpose=purpose)
    for hours in (1, 2):
        held, at = accounts.escrow(new_id("esc"), "USD", world.payer), NOW + timedelta(hours=hours)
        await world.move(Posting(accounts.org_cash(world.payer, "USD"), held, 500), at=at)
        await world.move(Posting(held, world.earned("USD"), 500), at=at)
    paid.there.at = NOW
    for _ in range(2):
        await world.lost(paid, amount=500)
        assert (await world.recover())[0] == 1
    assert await world.balances("USD") == {"earned": 0, "owes": 0, "payer": 0}
    async with world.database.platform() as session:
        sources = await session.scalars(text("SELECT source FROM recovery_shares WHERE org_id = :o"), {"o": world.org})
    assert len(set(sources)) == 2


@pytest.mark.parametrize(("lost_minor", "left"), [(None, 0), (1_450, 312)])
async def test_lost_bill_of_a_subscription_is_followed_to_the_creators_that_its_credits_paid(
    world: World, lost_minor: int | None, left: int
) -> None:
    one, made = await mirrored_bills.paid(world.database)
    world.payer = one.org_id
    await world.works(500)
    await world.lost(made, amount=lost_minor)
    assert PayableState.PENDING not in await world.states()
    assert (await world.recover())[0] == 1
    assert await world.balances() == {"earned": left, "owes": 0, "payer": 0}
    assert await world.recover() == (0, 0)


@pytest.mark.slow
async def test_creators_are_liable_once_for_all_losses_of_a_bill(world: World) -> None:
    one, made = await mirrored_bills.paid(world.database)
    world.payer = one.org_id
    await world.works(300)  # 13.92 of the 23.20 for credits, of 29.00
    await world.lost(made, amount=1_000)
    assert await world.recover() == (0, 0)
    await world.lost(made, amount=600)
    # 13.00 of 13.92 are paid.
    assert (await world.recover())[0] == 1
    assert await world.balances() == {"earned": 300 - 20, "owes": 0, "payer": 0}
    await world.lost(made)
    await world.recover()
    # Creators return the amount of one use once for each loss.
    assert await world.balances() == {"earned": 0, "owes": 0, "payer": 0}


@pytest.mark.slow
async def test_second_lost_payment_of_a_bill_is_recovered_from_creators(world: World) -> None:
    one, made = await mirrored_bills.paid(world.database)
    world.payer = one.org_id
    await world.lost(made)
    other = await pay_rest(one, made, 2_900)
    await world.works(100)
    await world.lost(other)
    assert (await world.recover())[0] == 1
    assert await world.balances() == {"earned": 0, "owes": 0, "payer": 0}


@pytest.mark.slow
@pytest.mark.parametrize("lost_minor", [None, 1_800])
async def test_returned_credits_of_a_lost_bill_are_clawed_back(world: World, lost_minor: int | None) -> None:
    one, made = await mirrored_bills.paid(world.database)
    world.payer = one.org_id
    await world.works(100)
    held = accounts.escrow(new_id("esc"), CREDIT, world.payer)
    await world.move(Posting(accounts.org_credits(world.payer), held, 200 * ONE))
    await world.lost(made, amount=lost_minor)  # 200 of 500 credits are free
    # The other 300 are worth 17.40. Where 11.00 are paid, what is lost is in the escrow.
    assert (await world.recover())[0] == (1 if lost_minor is None else 0)
    await world.move(Posting(held, accounts.org_credits(world.payer), 200 * ONE))
    assert await one.credits() == 200
    await world.recover()
    assert await one.credits() == 0
    assert await world.balances() == {"earned": 100 - (100 if lost_minor is None else 0), "owes": 0, "payer": 0}
    (case,) = await one.rows(Recovery)
    assert case.closed_at is not None
    if lost_minor is None:
        await pay_rest(one, made, 2_900)
        assert await one.credits() == 400


@pytest.mark.slow
async def test_bill_paid_again_after_a_recovery_alerts_operators(world: World) -> None:
    one, made = await mirrored_bills.paid(world.database)
    world.payer = one.org_id
    await world.works(100)
    await world.lost(made)
    assert (await world.recover())[0] == 1
    other = await pay_rest(one, made, 2_900)
    async with world.database.platform() as session:
        kinds = set(await session.scalars(text("SELECT kind FROM alerts WHERE org_id = :o"), {"o": world.payer}))
    assert "earnings.recovered_in_vain" in kinds
    # They have answered for that use, also when the other payment is lost.
    await world.works(100)
    await world.lost(other)
    assert (await world.recover())[0] == 1
    assert await world.balances() == {"earned": 0, "owes": 0, "payer": 0}


@pytest.mark.slow
async def test_bill_paid_again_before_a_recovery_ends_it(world: World) -> None:
    one, made = await mirrored_bills.paid(world.database)
    world.payer = one.org_id
    await world.works(100)
    await world.lost(made)
    await pay_rest(one, made, 2_900)
    assert await world.recover() == (0, 0)
    assert await world.balances() == {"earned": 100, "owes": 0, "payer": 0}


@pytest.mark.slow
@pytest.mark.parametrize("was_lost", [False, True])
async def test_won_dispute_returns_the_repayment_of_the_debt_at_its_own_price(
    world: World, database_urls: DatabaseUrls, *, was_lost: bool
) -> None:
    """The creator has used the credits of the debt and keeps them, so their price is not returned a second time."""
    paid = await world.bought()
    await world.works(80)
    ref = paid.there.dispute(fee=0)
    await paid.look()
    assert (await world.balances())["payer"] == -80
    cheap = await world.bought(purpose=CHEAP)
    if was_lost:
        paid.there.close_dispute(ref, won=False)
        await paid.look()
        paid.there.appeal(ref)
    paid.there.close_dispute(ref, won=True)
    await paid.look()
    async with world.database.platform() as session:
        rows = await session.execute(
            text(
                "SELECT l.payment_id, sum(l.remaining)::bigint, sum(l.paid - l.costed)::bigint FROM ledger.lots l "
                "JOIN ledger.accounts a ON a.id = l.account_id WHERE a.path = :path AND l.is_open GROUP BY 1"
            ),
            {"path": accounts.org_credits(world.payer).path},
        )
        wallet = {row[0]: (row[1] // ONE, row[2]) for row in rows}
    assert wallet == {paid.terms.payment_id: (20, 200), cheap.terms.payment_id: (200, 1000)}
    assert await world.balances() == {"earned": 80, "owes": 0, "payer": 0}
    assert await world.recover() == (0, 0)
    await proves(database_urls)


async def test_chargeback_won_after_a_recovery_ends_it_and_alerts_operators(world: World) -> None:
    paid = await world.bought()
    await world.works(100)
    ref = paid.there.dispute(fee=0)
    await paid.look()
    paid.there.close_dispute(ref, won=False)
    await paid.look()
    assert (await world.recover())[0] == 1
    paid.there.appeal(ref)
    paid.there.close_dispute(ref, won=True)
    await paid.look()
    async with world.database.platform() as session:
        kinds = set(await session.scalars(text("SELECT kind FROM alerts WHERE org_id = :o"), {"o": world.payer}))
        still = await session.scalar(
            text("SELECT count(*) FROM recoveries WHERE org_id = :o AND closed_at IS NULL"), {"o": world.payer}
        )
    assert ("earnings.recovered_in_vain" in kinds, still) == (True, 0)


@pytest.mark.slow
@pytest.mark.parametrize("given", [True, False])
async def test_part_won_after_a_recovery_alerts_operators(world: World, given: bool) -> None:
    paid = await world.bought()
    await world.works(100)
    ref = paid.there.dispute(fee=0)
    await paid.look()
    paid.there.close_dispute(ref, won=False)
    await paid.look()
    if given:
        assert (await world.recover())[0] == 1
    paid.there.return_part(ref)
    await paid.look()
    query = text("SELECT detail FROM alerts WHERE org_id = :o AND kind = 'earnings.recovered_in_vain'")
    async with world.database.platform() as session:
        asked = list(await session.scalars(query, {"o": world.payer}))
    assert len(asked) == given
    assert all("was returned in part" in detail for detail in asked)
    if not given:
        # Half of the debt was paid by what came back, and the creator answers for the other half.
        assert (await world.recover())[0] == 1
        assert await world.balances() == {"earned": 50, "owes": 0, "payer": 0}


@pytest.mark.slow
async def test_chargeback_lost_after_it_was_won_is_recovered_from_creators(
    world: World, database_urls: DatabaseUrls
) -> None:
    paid = await world.bought()
    await world.works(60)
    ref = paid.there.dispute(fee=0)
    await paid.look()
    paid.there.close_dispute(ref, won=False)
    await paid.look()
    paid.there.appeal(ref)
    paid.there.close_dispute(ref, won=True)
    await paid.look()
    assert await world.balances() == {"earned": 60, "owes": 0, "payer": 0}
    # It has used 10 more by then.
    await world.works(10)
    paid.there.dispute_again(ref)
    await paid.look()
    paid.there.close_dispute(ref, won=False)
    await paid.look()
    assert (await world.balances())["payer"] == -70
    assert (await world.recover())[0] == 2
    assert await world.balances() == {"earned": 0, "owes": 0, "payer": 0}
    await proves(database_urls)


@pytest.mark.slow
@pytest.mark.parametrize("is_granted", [False, True])
async def test_failed_refund_is_not_recovered_from_creators(world: World, *, is_granted: bool) -> None:
    """If granted credits were taken for it, the payer has no debt, and creators would still be liable."""
    paid = await world.bought()
    await world.works(100)
    if is_granted:
        wallet, promotions = accounts.org_credits(world.payer), accounts.platform("promotions", CREDIT)
        await world.move(Posting(promotions, wallet, 100 * ONE, LotTerms(source=LotSource.PROMOTION)))
    ref = paid.there.refund(1000)
    await paid.look()
    assert await world.states() == {PayableState.FROZEN: 1000}
    paid.there.fail_refund(ref)
    await paid.look()
    assert await world.states() == {PayableState.PENDING: 1000}
    assert await world.recover() == (0, 0)
    assert await world.balances() == {"earned": 100, "owes": 0, "payer": 0}


@pytest.mark.slow
async def test_refund_that_fails_without_a_movement_is_not_recovered(world: World) -> None:
    paid = await world.bought()
    await world.works(100)
    for takes in (False, True):
        ref = paid.there.refund(1000, status=RefundStatus.PENDING, moves=False)
        await paid.look()
        assert await world.states() == {PayableState.FROZEN: 1000}
        if takes:
            assert await world.recover() == (1, 0)
        paid.there.fail_refund(ref)
        await paid.look()
        assert (await world.recover(), await world.balances()) == (
            (0, 0),
            {"earned": 0 if takes else 100, "owes": 0, "payer": 0},
        )
    query = select(Alert.detail).where(Alert.kind == "earnings.recovered_in_vain", Alert.org_id == world.payer)
    async with world.database.platform() as session:
        assert len((await session.scalars(query)).all()) == 1


@pytest.mark.slow
async def test_refund_that_fails_after_a_recovery_alerts_operators(world: World) -> None:
    paid = await world.bought()
    await world.works(100)
    for _ in range(2):
        ref = paid.there.refund(500)
        await paid.look()
        assert (await world.recover())[0] == 1
        paid.there.fail_refund(ref)
        await paid.look()
        await world.works(50)
    query = select(Alert.detail).where(Alert.kind == "earnings.recovered_in_vain", Alert.org_id == world.payer)
    async with world.database.platform() as session:
        told = (await session.scalars(query)).all()
    assert [detail.split(". ")[0] for detail in told] == [f"The refund of {paid.terms.payment_id} has failed"] * 2


async def test_many_uses_are_recovered_in_parts_with_one_notice_each(
    world: World, database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovering, "MAX_USES_AT_ONCE", 2)
    paid = await world.bought()
    for _ in range(5):
        await world.works(20)
    await world.lost(paid)
    assert await world.recover() == (5, 0)
    assert await world.balances() == {"earned": 0, "owes": 0, "payer": 0}
    told = "SELECT detail FROM alerts WHERE kind = 'earnings.recovered' AND org_id = :o ORDER BY id"
    async with world.database.platform() as session:
        details = list(await session.scalars(text(told), {"o": world.org}))
        mails = await session.scalar(text("SELECT count(*) FROM mails WHERE org_id = :o"), {"o": world.org})
        left = await session.scalar(
            text("SELECT count(*) FROM recoveries WHERE org_id = :o AND closed_at IS NULL"), {"o": world.payer}
        )
    assert ([detail.split(": ")[1].split()[0] for detail in details], mails, left) == (
        ["40.00", "40.00", "20.00"],
        3,
        0,
    )
    await proves(database_urls)


async def test_failed_recovery_does_not_stop_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    other = await World(world.database).begin()
    for each in (world, other):
        paid = await each.bought()
        await each.works(100)
        await each.lost(paid)
    take = recovering.recover

    async def failing(session: Any, recovery_id: str, *given: Any, **named: Any) -> int:
        if (await session.get(Recovery, recovery_id)).org_id == world.payer:
            raise RuntimeError("away")
        return await take(session, recovery_id, *given, **named)

    monkeypatch.setattr(recovering, "recover", failing)
    await world.recover()
    assert ((await world.balances())["earned"], (await other.balances())["earned"]) == (100, 0)
    async with world.database.platform() as session:
        failed = await session.scalar(select(Recovery.id).where(Recovery.org_id == world.payer))
        query = select(Alert.subject).where(Alert.kind == "earnings.not_recovered", Alert.subject == failed)
        assert list(await session.scalars(query)) == [failed]
    monkeypatch.undo()
    await world.recover()
    assert (await world.balances())["earned"] == 0


@pytest.mark.slow
async def test_failed_reversal_does_not_stop_others(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    other = await World(world.database).begin()
    for each in (world, other):
        paid = await each.bought()
        await each.works(100)
        await each.paid_out(at=NOW + timedelta(seconds=1))
        await each.lost(paid)
    world.fake.sent |= other.fake.sent
    book = reversing.book

    async def fail(session: Any, reversal_id: str, made: Any, **options: Any) -> None:
        if (await transfer_reversal.reversal(session, reversal_id)).org_id == world.org:
            raise AssertionError("by the test")
        await book(session, reversal_id, made, **options)

    monkeypatch.setattr(reversing, "book", fail)
    assert await world.recover() == (2, 1)
    assert (await world.reversals(), await other.reversals()) == ([("requested", 1000)], [("reversed", 1000)])
    async with world.database.platform() as session:
        query = world.not_recovered()
        (detail,) = (await session.scalars(query)).all()
    assert "AssertionError" in detail
    monkeypatch.undo()
    async with world.database.platform() as session:
        await session.execute(text("UPDATE transfer_reversals SET next_at = now() WHERE org_id = :o"), {"o": world.org})
    assert await world.recover() == (0, 1)


class Sale:
    """An agent that is sold for 100 credits or more, with a share of 90 % for its creator, and can be refunded."""

    def __init__(self, world: World, credits: int = 100) -> None:
        self.world, self.credits = world, credits
        self.buyer = Actor(principal="kim", role=Role.OWNER, org_id=world.payer)
        self.purchase_id = ""

    async def make(self) -> "Sale":
        who = {"changed_by": "t", "changed_at": NOW, "created_at": NOW, "currency": CREDIT, "summary": "", "words": []}
        offer = {"agent_id": self.world.agent, "org_id": self.world.org, "model": "one_time", "status": "listed"}
        async with self.world.database.platform() as session:
            await session.execute(insert(MarketplaceOffer).values(**offer, price_minor=self.credits * ONE, **who))
        async with self.world.database.platform() as session:
            self.purchase_id = (await buy(session, self.world.payer, self.world.agent, NOW)).id
        return self

    async def refund(self, *, reverses: bool = True) -> None:
        later, window = NOW + timedelta(days=10), timedelta(days=14)
        async with self.world.database.platform() as session:
            command = f"refund:{self.purchase_id}"
            given = {"window": window, "reverses": reverses, "command_id": command, "now": later}
            await selling.refund(session, self.buyer, self.purchase_id, **given)


@pytest.mark.parametrize("reverses", [True, False])
async def test_refund_of_a_sale_in_credits_reverses_its_payout_if_configured(
    world: World, database_urls: DatabaseUrls, reverses: bool
) -> None:
    await world.bought()
    sale = await Sale(world).make()
    await world.paid_out(at=NOW + timedelta(seconds=1))
    await sale.refund(reverses=reverses)
    assert (await world.balances())["owes"] == -90
    assert await world.recover() == (0, int(reverses))
    # The buyer has its 100 credits again, of which the creator had been paid 9.00 for 90.
    assert await world.reversals() == ([("reversed", 900)] if reverses else [])
    assert await world.balances() == {"earned": 0, "owes": 0 if reverses else -90, "payer": 0}
    await proves(database_urls)


@pytest.mark.parametrize("is_recovered", [True, False])
async def test_sale_is_recovered_from_its_creator_once(
    world: World, database_urls: DatabaseUrls, is_recovered: bool
) -> None:
    paid = await world.bought()
    sale = await Sale(world).make()
    await world.lost(paid)
    if is_recovered:
        assert (await world.recover())[0] == 1
        with pytest.raises(Conflict) as refused:
            await sale.refund()
        assert refused.value.error_code == "marketplace.suspended"
        assert await world.balances() == {"earned": 0, "owes": 0, "payer": -10}
    else:
        # The reversed amount pays the debt itself, and there is nothing left to recover.
        await sale.refund()
        assert (await world.recover())[0] == 0
        assert await world.balances() == {"earned": 0, "owes": 0, "payer": 0}
    await proves(database_urls)


@pytest.mark.slow
@pytest.mark.parametrize("credits", [100, 5_000])
async def test_creator_is_not_liable_for_a_sale_refunded_from_other_credits(
    world: World, database_urls: DatabaseUrls, credits: int
) -> None:
    part = credits * 9 // 10
    owes, issued = accounts.org_debt(world.org, CREDIT), accounts.platform("credit_issuance", CREDIT)
    await world.move(Posting(owes, issued, part * ONE))
    goods = Purpose(kind=PurposeKind.CREDITS, goods_asset=CREDIT, goods_minor=credits * ONE)
    paid = await world.bought(purpose=goods, amount_minor=credits * 10)
    # Its part pays the creator's debt at once, so that the refund makes another one.
    sale = await Sale(world, credits).make()
    assert await world.balances() == {"earned": 0, "owes": 0, "payer": 0}
    await sale.refund()
    assert (await world.balances())["owes"] == -part
    used = accounts.platform("credit_redemption", CREDIT)
    await world.move(Posting(accounts.org_credits(world.payer), used, credits * ONE))
    await world.lost(paid)
    await world.recover()
    async with world.database.platform() as session:
        own = select(Recovery.id).where(Recovery.org_id == world.payer)
        assert not (await session.scalars(select(Alert.subject).where(Alert.subject.in_(own)))).all()
    assert (await world.balances())["owes"] == -part
    await proves(database_urls)
