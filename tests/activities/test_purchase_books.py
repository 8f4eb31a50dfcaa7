"""Purchases priced in money: the sale is booked when its payment is fulfilled, and its shares follow the money."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import patch

import pytest
from sqlalchemy import insert, select, update
from temporalio.testing import ActivityEnvironment

from activities.payouts.recovery import RecoveryActivities
from contracts.common.batch import DuePage
from contracts.payments.payment import RecordedPayment
from domain.billing.tax.rates import TaxCategory
from domain.billing.tax.sale import SaleTax
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.accounts import Account
from domain.common.errors import Conflict
from domain.credits.lots import Sharing
from domain.marketplace.metered import ReportedUsage
from domain.payments.payment import commands, refunds
from domain.payments.payment.purposes.purchase import agent_bought
from domain.payments.payment.state import Fulfilment, PaymentStatus
from domain.payments.payment.terms import Purpose, PurposeKind
from domain.payouts.payable import HoldBack, PayableState
from domain.reputation.traits import TraitKind
from domain.returns.roi import CostKind
from ledger.gateway import Ledger
from models.billing.tax_receipt import TaxReceipt
from models.marketplace.agent import Agent
from models.marketplace.marketplace import MarketplaceOffer, MarketplacePurchase
from models.returns.revenue_event import RevenueEvent
from models.tenants.organization import Organization
from repositories.books import debt
from repositories.marketplace import marketplace, marketplace_invariants
from repositories.reputation import organization_trait
from repositories.returns import revenue_event, roi
from repositories.usage import usage_report
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.marketplace import marketplace as selling, marketplace_renewal
from services.payments.purposes.base import WithoutSubject
from services.payments.purposes.purchase import PurchaseBooks
from services.payouts.payable import shares_of
from services.tenants import organization as organizations
from tests.activities.recording import record
from tests.api.paying import NOW, Written
from tests.conftest import DatabaseUrls
from tests.support.locks import accounts_are_locked, somebody_waits
from tests.support.proving import prove, prove_about
from tests.support.runs import ask_for

pytestmark = pytest.mark.db


@pytest.fixture(autouse=True, scope="module")
async def proven(database_urls: DatabaseUrls) -> AsyncIterator[None]:
    yield
    await prove(database_urls, (*marketplace_invariants.INVARIANTS, *revenue_event.INVARIANTS))


@dataclass
class Sold:
    """An agent that costs 10 USD, and its buyer."""

    database: Database
    buyer: str
    studio: str
    agent: str

    def written(self, tax: SaleTax | None = None, **more: Any) -> Written:
        """Return a payment of the agent; the price with its tax is 11.90."""
        price = 1000 if tax is None else 1190
        purpose = Purpose(
            kind=PurposeKind.PURCHASE,
            goods_asset="USD",
            goods_minor=price,
            agent_id=self.agent,
            payee_org_id=self.studio,
            creator_bps=9000,
            **{"sold_as": "one_time", "listed_minor": 1000, "included_uses": 0} | more,
        )
        return Written(self.database, self.buyer, purpose=purpose, method_ref="pm_1", amount_minor=price, tax=tax)

    async def begun(self) -> Written:
        return await self.written().begin()

    async def paid(self, tax: SaleTax | None = None, **more: Any) -> Written:
        """Return a paid payment that waits for the sale, started before payments had to wait for others."""
        with patch.object(PurchaseBooks, "begin", WithoutSubject.begin):
            made = await self.written(tax, **more).begin()
        made.there.pay()
        return await made.look()

    async def gone(self, made: Written) -> str | None:
        async with self.database.platform() as session:
            return await PurchaseBooks().gone(session, made.terms, NOW)

    async def fulfil(self, made: Written, *, at: datetime = NOW) -> RecordedPayment:
        assert made.payment is not None
        recorded = await record(self.database, agent_bought(made.payment, at=at))
        if recorded.applied:
            made.payment = recorded.stored
        return recorded

    async def bought(self, *, at: datetime = NOW) -> Written:
        made = await self.paid()
        assert (await self.fulfil(made, at=at)).applied
        return made

    async def _balance(self, account: Account) -> int:
        async with self.database.platform() as session:
            return (await Ledger(await driver_connection(session)).balance(account)).posted_minor

    async def earned(self) -> int:
        return await self._balance(accounts.agent_earnings(self.agent, "USD", self.studio))

    async def owed(self, org_id: str) -> int:
        return -await self._balance(accounts.org_debt(org_id, "USD"))

    async def cash(self) -> int:
        return await self._balance(accounts.org_cash(self.buyer, "USD"))

    async def taxed(self) -> int:
        return await self._balance(accounts.platform("tax/sold-agents", "USD"))

    async def receipts(self) -> list[tuple[str, int, int]]:
        query = select(TaxReceipt).where(TaxReceipt.org_id == self.buyer).order_by(TaxReceipt.id)
        async with self.database.platform() as session:
            return [(row.number[:3], row.gross_minor, row.tax_minor) for row in await session.scalars(query)]

    async def purchase(self, made: Written) -> MarketplacePurchase:
        async with self.database.platform() as session:
            row = await marketplace.paid_by(session, made.terms.payment_id)
            assert row is not None
            return row

    async def stands(self, made: Written) -> tuple[str, int]:
        row = await self.purchase(made)
        return row.status, row.taken_minor

    async def revenue(self, made: Written) -> tuple[str, int, int, int]:
        row = RevenueEvent
        query = select(row).where(row.org_id == self.studio, row.reference == (await self.purchase(made)).id)
        async with self.database.tenant(self.studio) as session:
            found = (await session.scalars(query)).one()
        assert (found.agent_id, found.source, found.currency) == (self.agent, "marketplace", "USD")
        return found.status, found.amount_minor, found.reversed_minor, found.commission_minor

    async def costs(self) -> list[tuple[CostKind, str, int]]:
        """Return the positive costs in the buyer's returns on the day of the sale."""
        async with self.database.tenant(self.buyer) as session:
            found = await roi.costs(session, self.buyer, NOW.date(), NOW.date() + timedelta(days=1))
        return [(cost.kind, cost.asset, int(cost.minor)) for cost in found]

    async def spend_earnings(self) -> None:
        """Spend all that the agent has earned."""
        async with self.database.platform() as session:
            await Ledger(await driver_connection(session)).post(
                key=new_id("key"),
                kind="test",
                source=accounts.agent_earnings(self.agent, "USD", self.studio),
                destination=accounts.org_cash(self.studio, "USD"),
                amount_minor=await self.earned(),
                effective_at=NOW,
            )


async def seller(database: Database) -> Sold:
    buyer, studio, agent = new_id("org"), new_id("org"), new_id("agt")
    common: dict[str, Any] = {"created_by": "test", "name": "x"}
    async with database.platform() as session:
        for org in (buyer, studio):
            await session.execute(insert(Organization).values(id=org, command_id=org, **common))
        values = {"id": agent, "org_id": studio, "visibility": "public", "pricing_model": "free", "command_id": agent}
        await session.execute(insert(Agent).values(**values, **common))
        offer = {"model": "one_time", "price_minor": 1000, "currency": "USD", "summary": "", "words": []}
        who = {"status": "listed", "changed_by": "test", "changed_at": NOW, "created_at": NOW}
        await session.execute(insert(MarketplaceOffer).values(agent_id=agent, org_id=studio, **offer, **who))
    return Sold(database=database, buyer=buyer, studio=studio, agent=agent)


@pytest.fixture
async def sold(database: Database) -> Sold:
    return await seller(database)


async def test_pitfall_21_access_and_shares_follow_the_payment(sold: Sold) -> None:
    made = await sold.paid()
    async with sold.database.platform() as session:
        assert await marketplace.owned(session, sold.buyer, sold.agent) is None
    assert await sold.earned() == 0
    assert (await sold.fulfil(made)).applied
    assert await sold.stands(made) == ("active", 0)
    assert await sold.gone(made) is None
    assert await sold.earned() == 900
    row = await sold.purchase(made)
    assert (row.bought_by, row.commission_minor, row.bought_at) == (f"{sold.buyer}/procurement", 100, NOW)


TAX = SaleTax(code="sold-agents", category=TaxCategory.STANDARD, rate_e6=190_000, amount_minor=190)


async def test_tax_of_a_sale_is_booked_and_refunded_with_it(sold: Sold, database_urls: DatabaseUrls) -> None:
    before, made = await sold.taxed(), await sold.paid(tax=TAX)
    assert await sold.taxed() == before
    assert (await sold.fulfil(made)).applied
    row = await sold.purchase(made)
    assert (row.price_minor, row.tax_minor, row.creator_minor, row.commission_minor) == (1190, 190, 900, 100)
    assert (await sold.taxed() - before, await sold.earned(), await sold.cash()) == (190, 900, 0)
    await refunded(sold, made, 397)
    assert await sold.costs() == [(CostKind.PURCHASES, "USD", 793)]
    # The rest of 7.93 contains 1.26 of tax, rounded down.
    assert (await sold.taxed() - before, await sold.stands(made)) == (126, ("active", 397))
    assert await sold.earned() == 600
    ref = made.there.dispute(793)
    await made.look()
    assert (await sold.taxed() - before, await sold.earned()) == (0, 0)
    made.there.close_dispute(ref, won=True)
    await made.look()
    assert (await sold.taxed() - before, await sold.earned()) == (126, 600)
    assert await sold.receipts() == [("RCP", 1190, 190), ("RCN", -397, -64), ("RCN", -793, -126), ("RCP", 793, 126)]
    assert await sold.owed(sold.buyer) == 0
    await prove_about(database_urls, "receipt", "tax account", "sale")


@pytest.mark.parametrize(("offered", "kept"), [(1000, 1000), (0, None)])
async def test_purchase_includes_the_uses_offered_at_the_request(sold: Sold, offered: int, kept: int | None) -> None:
    """A creator who declares fewer while the buyer pays would leave nothing of the price to be refunded."""
    made = await sold.paid(included_uses=offered)
    async with sold.database.platform() as session:
        offers = update(MarketplaceOffer).where(MarketplaceOffer.agent_id == sold.agent)
        await session.execute(offers.values(included_uses=1))
    assert (await sold.fulfil(made)).applied
    assert (await sold.purchase(made)).included_uses == kept


async def test_money_without_a_sale_is_not_taxed(sold: Sold) -> None:
    before, made = await sold.taxed(), await sold.paid(tax=TAX)
    await sold.bought()
    assert (await sold.fulfil(made)).declined is not None
    assert made.payment is not None
    gone = refunds.fulfilment_unavailable(made.payment, why="why", refund_id=new_id("rfd"), at=NOW)
    assert (await record(sold.database, gone)).applied
    assert gone.payment.refunds[0].amount_minor == 1190
    assert (await sold.taxed(), await sold.receipts()) == (before, [])


@pytest.mark.parametrize("change", ["owned", "retired", "related", "closed"])
async def test_payment_for_an_impossible_sale_is_refunded(sold: Sold, change: str) -> None:
    made = await sold.paid()
    assert await sold.gone(made) is None
    if change == "owned":
        await sold.bought()
    async with sold.database.platform() as session:
        if change == "retired":
            await session.execute(
                update(MarketplaceOffer).where(MarketplaceOffer.agent_id == sold.agent).values(status="retired")
            )
        if change == "closed":
            closer = Actor(principal="op", role=Role.OPERATOR)
            await organizations.close(session, closer, sold.studio, reason="left", now=NOW)
        if change == "related":
            for org_id in (sold.buyer, sold.studio):
                await organization_trait.record_trait(session, org_id, TraitKind.CARD, f"card of {sold.studio}")
    earned = await sold.earned()
    refused = await sold.fulfil(made)
    assert refused.declined is not None
    assert refused.declined.code == "marketplace.retired"
    # A payment that is not paid yet is cancelled instead.
    assert await sold.gone(made) == refused.declined.detail
    assert made.payment is not None
    gone = refunds.fulfilment_unavailable(made.payment, why="why", refund_id=new_id("rfd"), at=NOW)
    assert (await record(sold.database, gone)).applied
    assert gone.payment.fulfilment is Fulfilment.GONE
    assert gone.payment.status is PaymentStatus.REFUNDED
    assert (await sold.earned(), await sold.cash()) == (earned, 0)


async def opened(sold: Sold, made: Written) -> RecordedPayment:
    await ask_for(sold.database, made.terms)
    return await record(sold.database, commands.created(made.terms, actor=made.actor))


async def test_second_payment_for_an_agent_is_refused_while_one_is_pending(sold: Sold) -> None:
    first = await sold.begun()
    second = sold.written()
    refusal = (await opened(sold, second)).declined
    assert refusal is not None
    assert (refusal.code, refusal.extra["payment_id"]) == ("payment.under_way", first.terms.payment_id)
    first.there.pay()
    await first.look()
    assert (await sold.fulfil(first)).applied
    assert (await opened(sold, sold.written())).applied


async def test_concurrent_payments_make_one_sale(sold: Sold) -> None:
    one, other = await sold.paid(), await sold.paid()
    both = await asyncio.gather(sold.fulfil(one), sold.fulfil(other))
    assert sorted(each.applied for each in both) == [False, True]
    assert await sold.earned() == 900


async def refunded(
    sold: Sold, made: Written, amount_minor: int | None = None, *, refund_id: str | None = None
) -> RecordedPayment:
    assert made.payment is not None
    asked = refunds.refund(
        made.payment,
        refund_id=refund_id or new_id("rfd"),
        amount_minor=amount_minor,
        reason=None,
        requested_by="kim",
        at=NOW,
    )
    recorded = await record(sold.database, asked)
    assert recorded.applied
    made.payment = recorded.stored
    return recorded


async def recovered(sold: Sold) -> None:
    """Charge creators their part of lost payments."""
    acts = RecoveryActivities(sold.database, None, hold_back=HoldBack.default())
    await ActivityEnvironment().run(acts.recover, DuePage(now=NOW, after="", limit=500))


async def test_refund_ends_access_and_both_shares_and_its_failure_restores_them(sold: Sold) -> None:
    made = await sold.bought()
    await refunded(sold, made)
    row = await sold.purchase(made)
    assert (row.status, row.taken_minor, row.refunded_by) == ("refunded", 1000, "kim")
    assert await sold.earned() == 0
    assert made.payment is not None
    refund_id = made.payment.refunds[0].refund_id
    ref = made.there.refund(1000, refund_id=refund_id)
    await made.look()
    made.there.fail_refund(ref)
    await made.look()
    assert await sold.stands(made) == ("active", 0)
    assert (await sold.earned(), await sold.cash(), await sold.owed(sold.buyer)) == (900, 0, 0)


async def test_refund_of_the_unused_part_ends_access_and_keeps_its_used_shares(sold: Sold) -> None:
    made = await sold.bought()
    # A part that an operator refunds leaves access.
    await refunded(sold, made, 100)
    assert await sold.stands(made) == ("active", 100)
    assert made.payment is not None
    made.there.refund(100, refund_id=made.payment.refunds[0].refund_id)
    await made.look()
    async with sold.database.platform() as session:
        used = update(MarketplacePurchase).where(MarketplacePurchase.payment_id == made.terms.payment_id)
        await session.execute(used.values(used_minor=250, used_by={"rfd_less_used": 250}))
    await refunded(sold, made, 650, refund_id="rfd_less_used")
    assert await sold.stands(made) == ("refunded", 750)
    assert await sold.earned() == 225
    ref = made.there.refund(650, refund_id=made.payment.refunds[1].refund_id)
    await made.look()
    made.there.fail_refund(ref)
    await made.look()
    assert await sold.stands(made) == ("active", 100)
    assert (await sold.earned(), await sold.cash()) == (810, 0)


@pytest.mark.parametrize(
    ("provider", "currency", "back"), [("stripe", "KWD", 670), ("stripe", "HUF", 667), ("paypal", "HUF", 700)]
)
async def test_refund_of_the_unused_part_is_a_multiple_of_the_providers_unit(
    sold: Sold, monkeypatch: pytest.MonkeyPatch, provider: str, currency: str, back: int
) -> None:
    """A third of 1.000 KWD was used, and Stripe counts no last decimal of it: the refund would be refused for ever."""

    async def used_once(*_: object) -> ReportedUsage:
        return ReportedUsage(uses=1, days=1)

    monkeypatch.setattr(usage_report, "named_uses", used_once)
    made = await sold.bought()
    async with sold.database.platform() as session:
        row = await marketplace.paid_by(session, made.terms.payment_id)
        assert row is not None
        session.expunge(row)
        row.currency, row.included_uses = currency, 3
        assert 1000 - await selling.used_part_minor(session, row, 1000, provider=provider) == back


async def test_used_part_of_a_refused_refund_does_not_apply_to_another_one(sold: Sold) -> None:
    """It is written before two operators, the payment's run and the provider have said whether there is a refund."""
    made = await sold.bought()
    async with sold.database.platform() as session:
        used = update(MarketplacePurchase).where(MarketplacePurchase.payment_id == made.terms.payment_id)
        await session.execute(used.values(used_minor=900, used_by={"re_that_was_refused": 900}))
    await refunded(sold, made, 100)
    assert await sold.stands(made) == ("active", 100)
    assert made.payment is not None
    made.there.refund(100, refund_id=made.payment.refunds[0].refund_id)
    await made.look()
    await refunded(sold, made)
    row = await sold.purchase(made)
    assert (row.status, row.taken_minor, row.used_minor) == ("refunded", 1000, 0)


async def test_used_part_of_a_refund_counts_despite_a_concurrent_one(sold: Sold) -> None:
    made = await sold.bought()
    assert made.payment is not None
    asked = refunds.refund(
        made.payment, refund_id=new_id("rfd"), amount_minor=990, reason=None, requested_by="kim", at=NOW
    )
    async with sold.database.platform() as session:
        used = update(MarketplacePurchase).where(MarketplacePurchase.payment_id == made.terms.payment_id)
        noted = {asked.payment.refunds[0].refund_id: 10, "re_that_is_refused": 10}
        await session.execute(used.values(used_minor=10, used_by=noted))
    recorded = await record(sold.database, asked)
    assert recorded.applied
    assert await sold.stands(made) == ("refunded", 990)


async def test_refund_that_fails_after_a_second_purchase_becomes_cash(sold: Sold) -> None:
    made = await sold.bought()
    await refunded(sold, made)
    assert made.payment is not None
    ref = made.there.refund(1000, refund_id=made.payment.refunds[0].refund_id)
    await made.look()
    await sold.bought()
    made.there.fail_refund(ref)
    await made.look()
    assert await sold.stands(made) == ("refunded", 1000)
    assert (await sold.earned(), await sold.cash()) == (900, 1000)


async def test_chargeback_suspends_access_and_freezes_the_shares_until_it_is_decided(sold: Sold) -> None:
    made = await sold.bought()
    assert await sold.revenue(made) == ("confirmed", 1000, 0, 100)
    ref = made.there.dispute()
    await made.look()
    assert await sold.stands(made) == ("suspended", 1000)
    assert (await sold.earned(), await sold.owed(sold.buyer)) == (0, 0)
    assert await sold.revenue(made) == ("reversed", 1000, 1000, 0)
    made.there.close_dispute(ref, won=True)
    await made.look()
    assert await sold.stands(made) == ("active", 0)
    assert await sold.earned() == 900
    assert await sold.revenue(made) == ("confirmed", 1000, 0, 100)
    made.there.dispute_again(ref)
    await made.look()
    made.there.close_dispute(ref, won=False)
    await made.look()
    assert await sold.stands(made) == ("suspended", 1000)
    assert (await sold.earned(), await sold.owed(sold.studio), await sold.owed(sold.buyer)) == (0, 0, 0)


async def test_refunded_or_disputed_sale_does_not_hold_back_older_earnings(sold: Sold) -> None:
    hold_back = HoldBack(usual=timedelta(days=14), floor=timedelta(days=7), refunds=timedelta(days=30))

    async def states() -> dict[PayableState, int]:
        async with sold.database.platform() as session:
            shares = await shares_of(session, sold.studio, hold_back, now=NOW + timedelta(days=1))
        return {share.state: share.worth_minor for share in shares}

    async with sold.database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=new_id("key"),
            kind="test",
            source=accounts.platform("exchange", "USD"),
            destination=accounts.agent_earnings(sold.agent, "USD", sold.studio),
            amount_minor=900,
            effective_at=NOW - timedelta(days=60),
        )
    made = await sold.bought()
    assert await states() == {PayableState.AVAILABLE: 900, PayableState.PENDING: 900}
    await refunded(sold, made)
    assert await states() == {PayableState.AVAILABLE: 900}
    again = await sold.bought()
    ref = again.there.dispute()
    await again.look()
    assert await states() == {PayableState.AVAILABLE: 900}
    again.there.close_dispute(ref, won=True)
    await again.look()
    assert await states() == {PayableState.AVAILABLE: 900, PayableState.PENDING: 900}


async def test_paid_out_share_of_a_refund_is_a_debt_that_the_next_sale_pays(sold: Sold, database: Database) -> None:
    made = await sold.bought()
    await sold.spend_earnings()
    made.there.dispute()
    await made.look()
    assert (await sold.owed(sold.studio), await sold.owed(sold.buyer)) == (900, 0)
    other = new_id("org")
    async with database.platform() as session:
        await session.execute(insert(Organization).values(id=other, name="x", command_id=other, created_by="elsewhere"))
    await replace(sold, buyer=other).bought()
    assert (await sold.owed(sold.studio), await sold.earned()) == (0, 0)


async def test_chargeback_after_the_liability_period_leaves_the_creator_its_share(sold: Sold) -> None:
    made = await sold.bought(at=NOW - timedelta(days=15))
    made.there.at = NOW
    ref = made.there.dispute()
    await made.look()
    assert await sold.stands(made) == ("suspended", 0)
    assert (await sold.earned(), await sold.owed(sold.studio), await sold.owed(sold.buyer)) == (900, 0, 1000)
    made.there.close_dispute(ref, won=True)
    await made.look()
    assert await sold.stands(made) == ("active", 0)
    assert (await sold.earned(), await sold.owed(sold.buyer), await sold.cash()) == (900, 0, 0)
    made.there.dispute_again(ref)
    await made.look()
    made.there.close_dispute(ref, won=False)
    await made.look()
    assert (await sold.earned(), await sold.owed(sold.studio), await sold.owed(sold.buyer)) == (900, 0, 1000)


async def test_won_chargeback_does_not_change_the_age_of_a_sale(sold: Sold) -> None:
    """The share has come back by the bank's decision, and was earned with the sale."""
    made = await sold.bought(at=NOW - timedelta(days=10))
    made.there.at = NOW
    first = made.there.dispute()
    await made.look()
    made.there.close_dispute(first, won=True)
    await made.look()
    made.there.at = NOW + timedelta(days=5)
    second = made.there.dispute()
    await made.look()
    made.there.close_dispute(second, won=False)
    await made.look()
    await recovered(sold)
    assert (await sold.earned(), await sold.owed(sold.studio), await sold.owed(sold.buyer)) == (900, 0, 1000)


async def test_share_of_a_refunded_sale_is_not_clawed_back_twice(sold: Sold) -> None:
    """Its refund failed after a second purchase, so the buyer got the money as cash, which is charged back."""
    made = await sold.bought()
    await refunded(sold, made)
    assert made.payment is not None
    ref = made.there.refund(1000, refund_id=made.payment.refunds[0].refund_id)
    await made.look()
    await sold.bought()
    made.there.fail_refund(ref)
    await made.look()
    async with sold.database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=new_id("key"),
            kind="test",
            source=accounts.org_cash(sold.buyer, "USD"),
            destination=accounts.platform("exchange", "USD"),
            amount_minor=1000,
            effective_at=NOW,
        )
    made.there.at = NOW
    dispute = made.there.dispute()
    await made.look()
    made.there.close_dispute(dispute, won=False)
    await made.look()
    await recovered(sold)
    assert (await sold.earned(), await sold.owed(sold.studio), await sold.owed(sold.buyer)) == (900, 0, 1000)


async def test_refund_after_a_chargeback_is_owed_by_the_buyer(sold: Sold) -> None:
    made = await sold.bought()
    await refunded(sold, made)
    made.there.refund(1000, refund_id=made.payment.refunds[0].refund_id if made.payment else None)
    await made.look()
    made.there.dispute(beyond=True)
    await made.look()
    assert await sold.stands(made) == ("refunded", 1000)
    assert (await sold.earned(), await sold.owed(sold.studio), await sold.owed(sold.buyer)) == (0, 0, 1000)


async def test_pitfall_19_sale_locks_both_sides_debts_before_any_account(sold: Sold) -> None:
    made = await sold.paid()
    async with sold.database.platform() as session:
        await debt.lock(session, sold.studio)
        task = asyncio.create_task(sold.fulfil(made))
        await somebody_waits(sold.database)
        assert not await accounts_are_locked(session)
    assert (await task).applied


async def test_next_month_is_bought_once_and_continues_the_previous_one(sold: Sold) -> None:
    made = await sold.paid(sold_as="monthly")
    assert (await sold.fulfil(made)).applied
    first = await sold.purchase(made)
    assert first.ends_at == datetime(2026, 4, 1, 12, tzinfo=UTC)
    one, other = [await sold.paid(sold_as="monthly", renews=first.id) for _ in range(2)]
    assert (await sold.fulfil(one)).applied
    refused = await sold.fulfil(other)
    assert refused.declined is not None
    second = await sold.purchase(one)
    assert (second.period, second.ends_at, second.renewed_from) == (2, datetime(2026, 5, 1, 12, tzinfo=UTC), first.id)
    assert await sold.stands(made) == ("active", 0)
    assert await sold.earned() == 1800
    made.there.dispute()
    await made.look()
    assert await sold.stands(made) == ("active", 1000)
    assert await sold.stands(one) == ("active", 0)
    assert await sold.earned() == 900


async def test_chargeback_of_an_earlier_month_ends_the_renewals_and_leaves_the_month_that_was_paid(sold: Sold) -> None:
    made = await sold.paid(sold_as="monthly")
    assert (await sold.fulfil(made)).applied
    second = await sold.paid(sold_as="monthly", renews=(await sold.purchase(made)).id)
    assert (await sold.fulfil(second)).applied
    third = await sold.paid(sold_as="monthly", renews=(await sold.purchase(second)).id)
    made.there.dispute()
    await made.look()
    row = await sold.purchase(second)
    assert (row.status, row.renews_at) == ("active", None)
    # It was asked for before.
    assert (await sold.fulfil(third)).declined is not None


async def test_month_that_has_ended_is_suspended_by_a_chargeback_and_ends_again_once_it_is_won(sold: Sold) -> None:
    """Otherwise a buyer that cancels and waits for the end could buy again, while others cannot."""
    made = await sold.paid(sold_as="monthly")
    assert (await sold.fulfil(made)).applied
    later = datetime(2026, 4, 2, tzinfo=UTC)
    async with sold.database.platform() as session:
        actor = Actor(principal="kim", role=Role.OWNER, org_id=sold.buyer)
        first = await marketplace_renewal.cancel(session, actor, (await sold.purchase(made)).id)
        await marketplace_renewal.renew(session, first.id, sharing=Sharing(), now=later)
    assert await sold.stands(made) == ("ended", 0)
    ref = made.there.dispute()
    await made.look()
    assert await sold.stands(made) == ("suspended", 1000)
    assert (await sold.fulfil(await sold.paid(sold_as="monthly"), at=later)).declined is not None
    made.there.close_dispute(ref, won=True)
    await made.look()
    async with sold.database.platform() as session:
        await marketplace_renewal.renew(session, first.id, sharing=Sharing(), now=later)
    assert await sold.stands(made) == ("ended", 0)
    anew = await sold.paid(sold_as="monthly")
    assert (await sold.fulfil(anew, at=later)).applied
    made.there.dispute_again(ref)
    await made.look()
    assert await sold.stands(made) == ("ended", 1000)
    assert ((await sold.purchase(anew)).status, (await sold.purchase(anew)).renews_at) == ("active", None)


async def test_agent_is_not_bought_again_while_one_of_two_chargebacks_is_open(sold: Sold) -> None:
    """Both months had ended: one of them is suspended, and has ended again once its chargeback is won."""
    first = await sold.paid(sold_as="monthly")
    assert (await sold.fulfil(first)).applied
    second = await sold.paid(sold_as="monthly", renews=(await sold.purchase(first)).id)
    assert (await sold.fulfil(second)).applied
    later = datetime(2026, 5, 2, tzinfo=UTC)

    async def ends() -> None:
        async with sold.database.platform() as session:
            for each in ((await sold.purchase(first)).id, last.id):
                await marketplace_renewal.renew(session, each, sharing=Sharing(), now=later)

    async with sold.database.platform() as session:
        actor = Actor(principal="kim", role=Role.OWNER, org_id=sold.buyer)
        last = await marketplace_renewal.cancel(session, actor, (await sold.purchase(second)).id)
    await ends()
    refs = []
    for made in (second, first):
        refs.append(made.there.dispute())
        await made.look()
    assert [(await sold.stands(made))[0] for made in (second, first)] == ["suspended", "ended"]
    second.there.close_dispute(refs[0], won=True)
    await second.look()
    await ends()
    assert (await sold.fulfil(await sold.paid(sold_as="monthly"), at=later)).declined is not None
    first.there.close_dispute(refs[1], won=True)
    await first.look()
    assert (await sold.fulfil(await sold.paid(sold_as="monthly"), at=later)).applied


async def test_month_that_was_cancelled_is_not_renewed(sold: Sold) -> None:
    made = await sold.paid(sold_as="monthly")
    assert (await sold.fulfil(made)).applied
    first = await sold.purchase(made)
    following = await sold.paid(sold_as="monthly", renews=first.id)
    async with sold.database.platform() as session:
        actor = Actor(principal="kim", role=Role.OWNER, org_id=sold.buyer)
        await marketplace_renewal.cancel(session, actor, first.id)
        with pytest.raises(Conflict):
            await marketplace_renewal.cancel(session, actor, first.id)
    refused = await sold.fulfil(following)
    assert refused.declined is not None
    assert await sold.gone(following) == "The purchase is not renewed any more."
    assert await sold.stands(made) == ("active", 0)
