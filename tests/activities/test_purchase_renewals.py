"""Renewal of an agent by a stored payment method: requested once per attempt, and bought when paid."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from sqlalchemy import select
from temporalio.client import Client
from temporalio.testing import ActivityEnvironment

from activities.marketplace.marketplace import MarketplaceActivities
from activities.payments.payment import PaymentActivities
from contracts.common.batch import DuePage
from contracts.marketplace.marketplace import PurchaseRenewalPage
from contracts.payments.payment import PaymentEvent, PaymentInput
from domain.billing.tax.sale import SaleRules
from domain.common.access import Actor, Role
from domain.common.errors import Conflict
from domain.marketplace.renewal import MAX_TRIES
from domain.payments.payment import commands
from models.marketplace.marketplace import MarketplacePurchase
from models.messages.event import EventRow
from models.messages.mail import QueuedMail
from providers.payments.registry import Providers
from repositories.common.listing import ListFilter
from repositories.marketplace import marketplace
from runtime.database import Database
from runtime.settings import Settings
from services.marketplace import marketplace_renewal
from services.payments.payment_terms import TermsMaker
from tests.activities.test_purchase_books import TAX, Sold, sold
from tests.api.paying import NOW, Written
from tests.support.billing import located, rate
from tests.support.payments import FakeProvider
from tests.support.runs import payment_message

pytestmark = pytest.mark.db

__all__ = ["sold"]


@pytest.mark.parametrize(
    ("model", "status", "renewed", "is_told"),
    [("monthly", "active", True, True), ("monthly", "ended", False, True), ("one_time", "ended", False, False)],
)
def test_refusal_for_a_renewed_month_names_the_purchase_to_cancel(
    model: str, status: str, renewed: bool, is_told: bool
) -> None:
    """It is bought a day before, and a buyer that cancels within that day may name the old purchase."""
    row = MarketplacePurchase(model=model, status=status, renewed=renewed, renews_at=None)
    with pytest.raises(Conflict) as refusal:
        marketplace_renewal.status_when_cancelled(row)
    assert ("cancel that purchase" in refusal.value.detail) is is_told


class Started:
    """A client that records the workflows that it is asked to start."""

    def __init__(self) -> None:
        self.starts: list[PaymentInput] = []

    async def start_workflow(self, _workflow: str, start: PaymentInput, **_options: Any) -> None:
        self.starts.append(start)


class Renewing:
    """Renews only the purchase of a test, whatever else is due in the database."""

    def __init__(self, database: Database, sale: SaleRules | None = None) -> None:
        self.database, self.client = database, Started()
        providers = Providers(cast("Any", {"stripe": FakeProvider()}))
        making = TermsMaker.of(Settings().payment_rules, providers, database, sale)
        self.work = MarketplaceActivities(database, cast("Client", self.client), making)

    async def at(self, row: MarketplacePurchase, now: datetime) -> PurchaseRenewalPage:
        before = row.id[:-1] + chr(ord(row.id[-1]) - 1)
        message = DuePage(now=now, after=before, limit=1)
        return await ActivityEnvironment().run(self.work.renew_purchases, message)

    async def mails(self, org_id: str) -> int:
        query = select(QueuedMail.id).where(QueuedMail.org_id == org_id, QueuedMail.kind == "agent_not_renewed")
        async with self.database.platform() as session:
            return len((await session.scalars(query)).all())


async def bought(sold: Sold) -> tuple[Written, MarketplacePurchase]:
    """Buy the first month with a stored method."""
    made = await sold.paid(sold_as="monthly")
    assert (await sold.fulfil(made)).applied
    return made, await sold.purchase(made)


async def written(database: Database, start: PaymentInput) -> Written:
    """Write the requested payment as its run does, and pay it."""
    made = Written(database, start.terms.org_id)
    made.terms, made.actor = start.terms, start.created_by
    made.there.asked = replace(made.there.asked, payment_id=start.terms.payment_id)
    made.there.ref = f"pi_{start.terms.payment_id}"
    opening = PaymentEvent.of(
        commands.with_receipt(commands.created(start.terms, actor=start.created_by), start.command_id),
        at=NOW,
        command_id=start.command_id,
    )
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, is_local=True)
    recorded = await environment.run(
        PaymentActivities(database).record, await payment_message(database, opening, at=NOW)
    )
    assert recorded.applied
    made.payment = recorded.stored
    made.there.pay()
    return await made.look()


async def event_types(database: Database, sold: Sold, purchase_id: str) -> list[str]:
    query = select(EventRow.type).where(EventRow.subject == purchase_id, EventRow.org_id == sold.buyer)
    async with database.platform() as session:
        return list(await session.scalars(query.order_by(EventRow.subject_seq)))


async def test_next_month_is_paid_by_the_previous_method(sold: Sold, database: Database) -> None:
    _, first = await bought(sold)
    assert first.ends_at is not None
    due, renewing = first.ends_at - timedelta(days=1), Renewing(database)
    done = await renewing.at(first, due)
    assert (done.asked, done.failed) == (1, 0)
    assert (await renewing.at(first, due)).asked == 0
    (start,) = renewing.client.starts
    assert (start.terms.method_ref, start.terms.off_session) == ("pm_1", True)
    assert (start.terms.amount_minor, start.terms.currency) == (1000, "USD")
    made = await written(database, start)
    assert (await sold.fulfil(made)).applied
    second = await sold.purchase(made)
    assert (second.renewed_from, second.period, second.status) == (first.id, 2, "active")
    assert await renewing.mails(sold.buyer) == 0
    assert await event_types(database, sold, first.id) == ["purchase.created"], "the month that was paid is not over"
    states = []
    for at in (first.ends_at - timedelta(hours=1), first.ends_at):
        await renewing.at(first, at)
        async with database.platform() as session:
            states.append((await marketplace.get_purchase(session, first.id)).status)
            active = ListFilter(org_id=sold.buyer, statuses=("active",), limit=9)
            shown = [each.id for each in (await marketplace.library(session, active)).rows]
        assert (first.id in shown) is (states[-1] == "active")
    assert states == ["active", "ended"]
    assert await event_types(database, sold, first.id) == ["purchase.created", "purchase.ended"]


async def test_next_month_has_the_price_of_the_offer_and_the_tax_of_its_time(sold: Sold, database: Database) -> None:
    await located(database, sold.buyer)
    await rate(database, "de-vat", "DE", 190_000)
    made = await sold.paid(tax=TAX, sold_as="monthly", listed_minor=1000)
    assert (await sold.fulfil(made)).applied
    first = await sold.purchase(made)
    assert first.ends_at is not None
    renewing = Renewing(database, SaleRules(seller_country="DE", includes_tax={"purchase": False}))
    assert (await renewing.at(first, first.ends_at - timedelta(days=1))).asked == 1
    (start,) = renewing.client.starts
    assert start.terms.tax is not None
    assert (start.terms.amount_minor, start.terms.tax.amount_minor, start.terms.tax.code) == (1190, 190, "de-vat")
    assert (start.terms.purpose.goods_minor, start.terms.purpose.listed_minor) == (1190, 1000)


async def test_unrenewed_month_ends_on_time_with_a_notification(sold: Sold, database: Database) -> None:
    _, first = await bought(sold)
    assert first.ends_at is not None
    async with database.platform() as session:
        await marketplace_renewal.cancel(session, Actor(principal="kim", role=Role.OWNER, org_id=sold.buyer), first.id)
    renewing, states = Renewing(database), list[str]()
    for at in (first.ends_at - timedelta(hours=1), first.ends_at):
        await renewing.at(first, at)
        async with database.platform() as session:
            states.append((await marketplace.get_purchase(session, first.id)).status)
    assert states == ["active", "ended"]
    assert await event_types(database, sold, first.id) == ["purchase.created", "purchase.ended"]


@pytest.mark.parametrize("days", [4, 27, 40])
async def test_month_of_which_too_much_has_passed_before_its_renewal_is_not_paid_afterwards(
    sold: Sold, database: Database, days: int
) -> None:
    """The sweep did not run, or failed each hour, and nobody had access in the meantime."""
    _, first = await bought(sold)
    assert first.ends_at is not None
    renewing = Renewing(database)
    await renewing.at(first, first.ends_at + timedelta(days=days))
    assert renewing.client.starts == []
    assert await renewing.mails(sold.buyer) == 1
    async with database.platform() as session:
        row = await marketplace.get_purchase(session, first.id)
        assert (row.status, row.renews_at) == ("ended", None)


async def test_payment_after_the_end_of_a_month_does_not_sell_it(sold: Sold) -> None:
    _, first = await bought(sold)
    assert first.ends_at is not None
    following = await sold.paid(sold_as="monthly", renews=first.id)
    assert (await sold.fulfil(following, at=first.ends_at + timedelta(days=40))).declined is not None


async def test_unpaid_month_is_retried_a_few_times_and_ends(sold: Sold, database: Database) -> None:
    _, first = await bought(sold)
    assert first.ends_at is not None
    renewing, due = Renewing(database), first.ends_at - timedelta(days=1)
    for day in range(MAX_TRIES + 1):
        await renewing.at(first, due + timedelta(days=day))
    assert len({start.command_id for start in renewing.client.starts}) == MAX_TRIES
    assert await renewing.mails(sold.buyer) == MAX_TRIES
    async with database.platform() as session:
        row = await marketplace.get_purchase(session, first.id)
        assert (row.status, row.renews_at) == ("ended", None)
