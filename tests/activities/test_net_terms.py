"""Subscriptions on net terms: invoiced when a period begins, credits when it is paid, dunned and given up by us."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta

import pytest

from domain.billing.invoice.collection import CollectionMethod
from domain.billing.subscription.commands import require_none_unpaid
from domain.billing.subscription.orders import end_unpaid, is_long_overdue
from domain.billing.subscription.snapshot import BillState, ProviderState
from domain.billing.subscription.state import OrderKind, SubscriptionStatus
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.errors import SubscriptionRefused, WrongInvoiceState
from domain.payments.payment.terms import PurposeKind
from ledger.gateway import Ledger
from models.billing.invoice import InvoiceRow
from models.billing.subscription import SubscriptionBill
from models.credits.credit_lot import CreditLot
from models.messages.mail import QueuedMail
from models.payments.payment import PaymentRow
from repositories.billing import invoice_collection as collections, subscription_bill
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.billing import invoice_end
from services.billing.subscription import accrue
from services.payments.purposes import BOOKS
from tests.conftest import DatabaseUrls
from tests.domain.subscription.building import ANCHOR, START, bill, month, ordered, seen, terms, unpaid
from tests.support.looking import again
from tests.support.mirrored_bills import Mirrored
from tests.support.proving import prove_about
from tests.support.subscription_books import Subscribed, subscribed

pytestmark = pytest.mark.db
KIM = Actor(principal="kim", role=Role.OPERATOR)


@pytest.fixture(autouse=True, scope="module")
async def proven(database_urls: DatabaseUrls) -> AsyncIterator[None]:
    yield
    await prove_about(database_urls, "subscription", "deferred", "invoice", "lot", "receivable")


@pytest.fixture
async def one(database: Database) -> Subscribed:
    """Starter, due thirty days after its period began, which is requested and not paid."""
    made = await subscribed(database, net_days=30)
    await made.look(seen(unpaid(0, 2_900, month(0))))
    return made


async def of(one: Subscribed) -> tuple[SubscriptionBill, InvoiceRow]:
    (row,), (issued,) = await one.rows(SubscriptionBill), await one.rows(InvoiceRow)
    return row, issued


async def earned(one: Subscribed, day: date) -> int:
    async def page() -> int:
        async with one.database.platform() as session:
            return await accrue(session, day, limit=100)

    while await page():
        await again()
    (row,) = await one.rows(SubscriptionBill)
    return int(row.accrued_minor)


async def test_period_is_invoiced_when_it_begins_and_its_credits_come_with_the_money(
    database: Database, one: Subscribed
) -> None:
    await one.look(seen(unpaid(0, 2_900, month(0))), START + timedelta(hours=1))
    row, issued = await of(one)
    assert (issued.status, issued.total_minor, issued.due_at) == ("open", 2_900, START + timedelta(days=30))
    assert (row.settled_at, row.payment_id, await one.rows(PaymentRow)) == (None, None, [])
    assert (await one.tier(), await one.credits()) == ("starter", 0)
    async with database.platform() as session:
        held = await collections.get(session, issued.id)
        assert held is not None
        assert collections.state_of(held).method is CollectionMethod.SEND_INVOICE
    await one.look(seen(bill(0, 2_900, month(0))), START + timedelta(days=20))
    await Mirrored.of(one)
    row, issued = await of(one)
    assert (row.settled_at, issued.status) == (START + timedelta(days=20), "paid")
    assert (await one.credits(), one.state.requests) == (500, ())
    # What was not yet paid is nobody's word for the mail that a charge failed.
    assert [mail for mail in await one.rows(QueuedMail) if "past_due" in mail.key] == []


async def test_credits_take_their_price_along_however_late_they_are_paid(one: Subscribed) -> None:
    assert await earned(one, date(2026, 4, 30)) == 580  # of the plan itself, by the day
    await one.look(seen(bill(0, 2_900, month(0)), state=ProviderState.ACTIVE), START + timedelta(days=60))
    (lot,) = await one.rows(CreditLot)
    assert (lot.amount_minor, lot.paid_minor) == (500 * 10**6, 2_320)


async def test_plan_without_credits_is_earned_by_the_day_before_it_is_paid(database: Database) -> None:
    one = await subscribed(database, "premium", net_days=30)
    await one.look(seen(unpaid(0, 500, month(0))))
    assert await earned(one, date(2026, 4, 30)) == 500


async def test_larger_plan_begins_with_the_next_period_and_each_period_grants_what_it_was_invoiced_with(
    one: Subscribed,
) -> None:
    one.state = ordered(one.state, replace(terms("professional"), net_days=30), START + timedelta(days=1))
    change = one.state.change
    assert change is not None
    assert change.acts_at == month(0).end
    first, second = unpaid(0, 2_900, month(0)), unpaid(1, 9_900, month(1))
    await one.look(seen(first, second, period=month(1)), ANCHOR.after(1))
    assert (await one.tier(), await one.credits()) == ("professional", 0)
    await one.look(seen(first, bill(1, 9_900, month(1)), period=month(1)), ANCHOR.after(1) + timedelta(days=1))
    assert await one.credits() == 2_000
    await one.look(seen(bill(0, 2_900, month(0)), bill(1, 9_900, month(1)), period=month(1)), ANCHOR.after(1))
    assert await one.credits() == 2_500
    assert (one.state.status, one.state.requests) == (SubscriptionStatus.ACTIVE, ())


async def test_subscription_that_nobody_pays_is_past_due_although_newer_periods_are_not_and_ends_a_month_later(
    one: Subscribed,
) -> None:
    first, due = unpaid(0, 2_900, month(0)), START + timedelta(days=30)
    await one.look(seen(first, unpaid(1, 2_900, month(1)), period=month(1)), due)
    assert (one.state.status, is_long_overdue(one.state, due)) == (SubscriptionStatus.PAST_DUE, False)
    late = due + timedelta(days=30)
    assert is_long_overdue(one.state, late)
    ending = end_unpaid(one.state).subscription
    assert ending.order is not None
    assert ending.order.kind is OrderKind.CANCEL
    # What the provider's site has voided counts no more.
    await one.look(seen(replace(first, state=BillState.VOID), unpaid(1, 2_900, month(1)), period=month(1)), due)
    assert (one.state.status, is_long_overdue(one.state, late)) == (SubscriptionStatus.ACTIVE, False)


async def test_invoice_that_is_given_up_is_bad_debt_and_money_that_comes_then_grants_nothing(
    database: Database, one: Subscribed
) -> None:
    _, issued = await of(one)
    async with database.platform() as session:
        await invoice_end.mark_uncollectible(session, KIM, issued.id, new_id("cmd"), START + timedelta(days=60))
    assert await earned(one, date(2026, 4, 30)) == 2_900
    await one.look(seen(bill(0, 2_900, month(0))), START + timedelta(days=90))
    assert await one.credits() == 0
    async with database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        assert (await ledger.balance(accounts.org_receivable(one.org_id, "USD"))).posted_minor == 0


async def test_money_that_goes_back_pays_nothing_so_the_subscription_ends_as_if_it_had_not_come(
    database: Database, one: Subscribed
) -> None:
    _, issued = await of(one)
    due = START + timedelta(days=30)
    async with database.platform() as session:
        await invoice_end.mark_uncollectible(session, KIM, issued.id, new_id("cmd"), due + timedelta(days=21))
    late, second = due + timedelta(days=22), bill(1, 2_900, month(1))
    page = replace(unpaid(0, 2_900, month(0)), pay_url="https://pay.example/in_0")
    await one.look(seen(page, second, period=month(1)), due + timedelta(days=21))
    assert one.state.pay_url is None
    first = bill(0, 2_900, month(0))
    await one.look(seen(first, second, period=month(1)), late)
    (row,) = [each for each in await one.rows(SubscriptionBill) if each.bill_ref.endswith("in_0")]
    assert (row.settled_at, row.payment_id is not None) == (late, True)
    assert (one.state.status, await one.credits()) == (SubscriptionStatus.PAST_DUE, 500)
    assert not is_long_overdue(one.state, late)
    ends = due + timedelta(days=30)
    await one.look(seen(first, second, period=month(1)), ends)
    assert is_long_overdue(one.state, ends)
    async with database.platform() as session:
        assert await subscription_bill.has_unpaid(session, one.org_id)
    gone = seen(first, second, period=month(1), state=ProviderState.CANCELED, ended_at=ends)
    await one.look(gone, ends)
    assert (one.state.status, one.state.ended_why, await one.tier()) == (SubscriptionStatus.ENDED, "cancelled", "free")
    assert await one.look(gone, ends + timedelta(days=1)) is None


async def test_invoice_that_is_given_up_after_its_bill_was_settled_is_awaited_again(
    database: Database, one: Subscribed
) -> None:
    first, due = bill(0, 2_900, month(0)), START + timedelta(days=30)
    await one.look(seen(first), START + timedelta(days=1))
    assert (one.state.status, one.state.requests) == (SubscriptionStatus.ACTIVE, ())
    _, issued = await of(one)
    async with database.platform() as session:
        assert not await subscription_bill.has_unpaid(session, one.org_id)
        await invoice_end.mark_uncollectible(
            session, KIM, issued.id, new_id("cmd"), due + timedelta(days=21), by_plan=True
        )
        assert await subscription_bill.has_unpaid(session, one.org_id)
    await one.look(seen(first), due + timedelta(days=30))
    assert one.state.status is SubscriptionStatus.PAST_DUE
    assert is_long_overdue(one.state, due + timedelta(days=30))


async def test_what_the_provider_requests_is_not_paid_here_and_keeps_other_net_terms_away(
    database: Database, one: Subscribed
) -> None:
    _, issued = await of(one)
    async with database.platform() as session:
        with pytest.raises(WrongInvoiceState, match="requests this payment"):
            await BOOKS[PurposeKind.INVOICE].subject(session, KIM, issued.id)
        assert await subscription_bill.has_unpaid(session, one.org_id)
    with pytest.raises(SubscriptionRefused):
        require_none_unpaid(one.state.terms, is_unpaid=True)
    require_none_unpaid(terms("starter"), is_unpaid=True)
    await one.look(seen(bill(0, 2_900, month(0))), START + timedelta(days=30))
    async with database.platform() as session:
        assert not await subscription_bill.has_unpaid(session, one.org_id)


async def test_each_open_invoice_names_its_page_also_after_the_subscription_has_ended(database: Database) -> None:
    one = await subscribed(database, net_days=30)
    first, second = (
        replace(unpaid(number, 2_900, month(number)), pay_url=f"https://pay.example/{number}") for number in (0, 1)
    )
    await one.look(seen(first))
    renewed = replace(first, pay_url="https://pay.example/0/again")
    await one.look(seen(renewed, second, period=month(1)), ANCHOR.after(1))
    gone = {"period": month(1), "state": ProviderState.CANCELED, "ended_at": ANCHOR.after(1)}
    await one.look(seen(renewed, second, **gone), ANCHOR.after(1))
    assert one.state.status is SubscriptionStatus.ENDED
    pages = []
    for issued in sorted(await one.rows(InvoiceRow), key=lambda row: row.due_at):
        async with database.platform() as session:
            with pytest.raises(WrongInvoiceState) as refused:
                await BOOKS[PurposeKind.INVOICE].subject(session, KIM, issued.id)
        pages.append(refused.value.extra["pay_url"])
    assert pages == ["https://pay.example/0/again", "https://pay.example/1"]
    await one.look(seen(bill(0, 2_900, month(0)), second, **gone), ANCHOR.after(2))
    await Mirrored.of(one)
    assert sorted(row.status for row in await one.rows(InvoiceRow)) == ["open", "paid"]
