"""What events of subscriptions do in the books: invoices, mirrored payments, credits, the tier, revenue by the day."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from unittest.mock import AsyncMock, Mock

import pytest
from sqlalchemy import select, text

from domain.billing.invoice.collection import CollectionMethod
from domain.billing.subscription.commands import order_cancel, order_resume
from domain.billing.subscription.grants import monthly_grant
from domain.billing.subscription.orders import confirm_order, decline_order
from domain.billing.subscription.snapshot import BillLine, BillReason, BillState, ProviderState
from domain.billing.subscription.state import Transition
from domain.billing.tax.rates import AppliedTax, TaxCategory
from domain.billing.tax.treatment import Treatment
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.errors import TaxUnavailable, WrongInvoiceState
from domain.common.money import CREDIT
from domain.credits.lots import LotSource, LotTerms
from domain.insight.query import Query
from domain.payments.payment.agenda import AgendaInput, AgendaStep, agenda
from domain.payments.payment.state import PaymentStatus
from ledger.gateway import Ledger
from models.billing.invoice import InvoiceRow
from models.billing.subscription import SubscriptionBill, SubscriptionGrant
from models.credits.credit_lot import CreditLot
from models.messages.alert import Alert
from models.messages.mail import QueuedMail
from models.payments.payment import PaymentRow
from providers.payments.base import ProviderUnavailable
from repositories.billing import subscription as subscriptions
from repositories.payments import payment as payments
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.billing import invoice_collection, invoice_end
from services.billing.subscription import accrue
from services.books.debt import owed_minor
from services.insight.metrics import run_query
from tests.conftest import DatabaseUrls
from tests.domain.subscription.building import ANCHOR, START, YEAR, bill, month, ordered, seen, terms, unpaid
from tests.support.billing import GERMAN, at_hand, located, rate
from tests.support.looking import again
from tests.support.proving import prove_about
from tests.support.subscription_books import Subscribed, subscribed

pytestmark = pytest.mark.db


@pytest.fixture(autouse=True, scope="module")
async def proven(database_urls: DatabaseUrls) -> AsyncIterator[None]:
    yield
    await prove_about(database_urls, "subscription", "deferred", "credit lot")


async def test_price_includes_tax_which_is_neither_deferred_nor_granted_and_charged_once(database: Database) -> None:
    one = await subscribed(database)
    one.rules = GERMAN
    await located(database, one.org_id)
    await rate(database, "de-vat", "DE", 190_000)
    await one.look(seen(bill(0, 2_900, month(0))))
    (paid,), (issued,), (lot,) = [await one.rows(table) for table in (SubscriptionBill, InvoiceRow, CreditLot)]
    assert (issued.total_minor, issued.tax_minor) == (2_900, 463)
    assert (paid.gross_minor, paid.amount_minor, lot.paid_minor) == (2_900, 2_437, 1_949)
    assert await at_hand(database, one.org_id) == {one.org_id: {"taxed": 500 * 10**6}}
    begins = START.replace(hour=0, minute=0, second=0, microsecond=0)
    month_of = Query(metrics=("mrr", "mrr.new"), since=begins, until=begins + timedelta(days=31))
    async with database.repeatable_read(one.org_id) as session:
        answer = await run_query(session, month_of, org_id=one.org_id, now=begins + timedelta(days=31))
    assert {(figure.metric, figure.asset, figure.value) for figure in answer.totals} == {
        ("mrr", "USD", 2_437),
        ("mrr.new", "USD", 2_437),
    }


async def test_a_bill_is_taxed_by_the_outside_service_and_nothing_is_booked_without_its_answer(
    database: Database,
) -> None:
    one = await subscribed(database)
    said = AppliedTax(code="us-ny", category=TaxCategory.STANDARD, rate_e6=100_000)
    treat = AsyncMock(side_effect=ProviderUnavailable("Away."))
    one.taxes, one.rules = Mock(treat=treat), replace(GERMAN, needs_answer=True)
    with pytest.raises(TaxUnavailable):
        await one.look(seen(bill(0, 2_900, month(0))))
    assert await one.rows(InvoiceRow) == []
    treat.side_effect = lambda question: Treatment(taxes=(said,) * len(question.lines), is_proven=True)
    await one.look(seen(bill(0, 2_900, month(0))))
    (issued,) = await one.rows(InvoiceRow)
    assert (issued.tax_minor, issued.taxes[0]["code"]) == (264, "us-ny")
    assert treat.await_args is not None
    assert treat.await_args.args[0].includes_tax


async def test_period_that_is_charged_less_than_was_agreed_alerts_operators_until_one_is_charged_in_full(
    database: Database,
) -> None:
    one = await subscribed(database, "professional")

    async def alerts() -> list[tuple[str, bool, bool]]:
        async with database.platform() as session:
            found = await session.scalars(select(Alert).where(Alert.subject == one.state.subscription_id))
            return [(each.kind, each.for_operators, each.resolved_at is None) for each in found]

    first, less, full = bill(0, 9_900, month(0)), bill(1, 2_900, month(1)), bill(2, 9_900, month(2))
    await one.look(seen(first))
    assert await alerts() == []
    await one.look(seen(first, less, period=month(1)), month(1).start)
    assert await alerts() == [("subscription.charged_less", True, True)]
    assert await one.tier() == "professional"
    await one.look(seen(first, less, full, period=month(2)), month(2).start)
    assert await alerts() == [("subscription.charged_less", True, False)]


async def test_credits_that_a_discount_leaves_out_are_told_to_the_organization_and_operators_once(
    database: Database,
) -> None:
    one = await subscribed(database, "starter")
    line = BillLine(description="Starter", amount_minor=2_900, period=month(1))
    free = bill(1, 0, month(1), lines=(line,))
    for _ in range(2):
        await one.look(seen(bill(0, 2_900, month(0)), free, period=month(1)), month(1).start)
    assert await one.credits() == 500
    async with database.platform() as session:
        [told] = await session.scalars(select(Alert).where(Alert.subject == one.state.subscription_id))
    assert (told.kind, told.shared, told.for_operators) == ("subscription.credits_not_granted", True, True)
    assert told.detail.startswith("500.00 credits of the plan starter were not granted")
    assert told.detail.count(free.ref) == 1


async def test_first_payment_gives_an_invoice_a_payment_the_credits_and_the_tier(database: Database) -> None:
    one = await subscribed(database)
    assert await one.tier() == "free"
    await one.look(seen(bill(0, 2_900, month(0))))
    (paid,), (issued,), (mirrored,), (lot,) = [
        await one.rows(table) for table in (SubscriptionBill, InvoiceRow, PaymentRow, CreditLot)
    ]
    assert (paid.gross_minor, paid.invoice_id, paid.payment_id) == (2_900, issued.id, mirrored.id)
    assert (issued.total_minor, issued.status, issued.number[:4]) == (2_900, "open", "INV-")
    assert (lot.source, lot.amount_minor, lot.paid_minor, lot.paid_currency) == (
        "subscription",
        500 * 10**6,
        2_320,
        "USD",
    )
    assert (await one.tier(), await one.credits()) == ("starter", 500)


async def test_credits_that_were_paid_for_pay_first_what_the_organization_owes(database: Database) -> None:
    one = await subscribed(database)
    wallet, debts = accounts.org_credits(one.org_id), accounts.org_debt(one.org_id, CREDIT)
    async with database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        for number, (source, to, credits) in enumerate(
            (
                (debts, accounts.platform("credit_issuance", CREDIT), 600),
                (accounts.platform("promotions", CREDIT), wallet, 50),
            )
        ):
            await ledger.post(
                key=f"{one.org_id}:{number}",
                kind="test",
                source=source,
                destination=to,
                amount_minor=credits * 10**6,
                effective_at=START,
                lots=LotTerms(source=LotSource.PROMOTION) if to == wallet else None,
            )
    await one.look(seen(bill(0, 2_900, month(0))))
    # What was given as a present is not taken.
    assert (await one.credits(), await owed(database, one.org_id)) == (50, 100)
    second = bill(1, 2_900, month(1))
    await one.look(seen(second, period=month(1)), month(1).start)
    assert (await one.credits(), await owed(database, one.org_id)) == (50 + 400, 0)
    lots = sorted(await one.rows(CreditLot), key=lambda lot: lot.id)
    assert [(lot.amount_minor // 10**6, lot.debt_minor // 10**6) for lot in lots] == [(500, 500), (500, 100)]


async def owed(database: Database, org_id: str) -> int:
    async with database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        return await owed_minor(ledger, org_id, CREDIT) // 10**6


async def test_month_that_is_paid_after_a_newer_one_is_invoiced_as_its_plan_was_and_grants_with_its_price(
    database: Database,
) -> None:
    one = await subscribed(database, "professional")
    first, failed, third = bill(0, 9_900, month(0)), unpaid(1, 9_900, month(1)), bill(2, 9_900, month(2))
    await one.look(seen(first))
    await one.look(seen(first, failed, third, period=month(2)), ANCHOR.after(2))
    one.state = ordered(one.state, terms("premium"), ANCHOR.after(2) + timedelta(days=1))
    fourth = bill(3, 500, month(3))
    await one.look(seen(first, failed, third, fourth, period=month(3)), ANCHOR.after(3))
    assert (await one.tier(), await one.credits()) == ("premium", 4_000)
    late = ANCHOR.after(3) + timedelta(days=1)
    paid = seen(first, bill(1, 9_900, month(1)), third, fourth, period=month(3))
    await one.look(paid, late)
    assert await one.look(paid, late) is None
    assert (await one.tier(), await one.credits()) == ("premium", 6_000)
    (row,) = [each for each in await one.rows(SubscriptionBill) if each.bill_ref.endswith("in_1")]
    (grant,) = [each for each in await one.rows(SubscriptionGrant) if each.bill_ref == row.bill_ref]
    assert (row.granted_minor, grant.paid_minor, grant.starts_at) == (7_920, 7_920, month(1).start)
    (issued,) = [each for each in await one.rows(InvoiceRow) if each.id == row.invoice_id]
    assert issued.lines[0]["description"].startswith("Professional")


async def test_invoice_of_a_period_is_neither_voided_nor_collected_by_us(
    database: Database,
) -> None:
    one = await subscribed(database)
    await one.look(seen(bill(0, 2_900, month(0))))
    (issued,) = await one.rows(InvoiceRow)
    operator = Actor(principal="kim", role=Role.OPERATOR)
    async with database.platform() as session:
        with pytest.raises(WrongInvoiceState, match="for a subscription"):
            await invoice_end.void(session, operator, issued.id, new_id("cmd"), START)
        with pytest.raises(WrongInvoiceState, match="provider collects it"):
            await invoice_collection.begin_later(
                session,
                operator,
                issued.id,
                CollectionMethod.SEND_INVOICE,
                days=(1,),
                command_id=new_id("cmd"),
                now=START,
            )


async def test_mirrored_payment_is_looked_at_by_its_run_and_never_made(database: Database) -> None:
    one = await subscribed(database)
    await one.look(seen(bill(0, 2_900, month(0))))
    (row,) = await one.rows(PaymentRow)
    state = payments.state_of(row)
    assert (state.status, row.provider_ref) == (PaymentStatus.UNKNOWN, f"{one.tag}-in_0-pi")
    assert agenda(state, START, AgendaInput()) is AgendaStep.REFRESH
    async with database.platform() as session:
        later = START + timedelta(minutes=5)
        assert row.id in {each.id for each in await payments.stranded(session, before=later, after="", limit=1_000)}


async def test_pitfall_21_nothing_is_booked_or_given_for_what_is_not_paid(database: Database) -> None:
    one = await subscribed(database)
    await one.look(seen(unpaid(0, 2_900, month(0)), state=ProviderState.INCOMPLETE))
    assert [await one.rows(table) for table in (SubscriptionBill, InvoiceRow, PaymentRow, CreditLot)] == [
        [],
        [],
        [],
        [],
    ]
    assert (await one.tier(), await one.credits()) == ("free", 0)


async def test_pitfall_12_a_bill_is_booked_once_whatever_a_run_believes(database: Database) -> None:
    one = await subscribed(database)
    forgetful = one.state
    await one.look(seen(bill(0, 2_900, month(0))))
    one.state = replace(forgetful, version=one.state.version)
    await one.look(seen(bill(0, 2_900, month(0))))
    assert [len(await one.rows(table)) for table in (SubscriptionBill, InvoiceRow, PaymentRow, SubscriptionGrant)] == [
        1
    ] * 4
    assert await one.credits() == 500


async def test_pitfall_14_months_of_a_year_and_its_renewal_grant_every_month_once(database: Database) -> None:
    one = await subscribed(database, interval=YEAR)
    first = bill(0, 29_000, month(0, 12))
    await one.look(seen(first, period=month(0, 12)))
    for number in range(1, 5):
        granted = monthly_grant(one.state, ANCHOR.after(number))
        assert granted is not None
        await one.write(granted, ANCHOR.after(number))
    renewal = seen(first, bill(1, 29_000, month(12, 12)), period=month(12, 12))
    await one.look(renewal, ANCHOR.after(12))
    assert await one.credits() == 13 * 500
    one_year, next_year = sorted(await one.rows(SubscriptionBill), key=lambda each: each.period_start)
    assert (one_year.granted_minor, next_year.granted_minor) == (23_200, 1_933)


async def test_payment_that_fails_is_told_once_in_a_mail(database: Database) -> None:
    one = await subscribed(database)
    await one.look(seen(bill(0, 2_900, month(0))))
    open_bill = replace(unpaid(1, 2_900, month(1)), next_attempt_at=ANCHOR.after(2))
    late = seen(bill(0, 2_900, month(0)), open_bill, period=month(1), state=ProviderState.PAST_DUE)
    await one.look(late)
    await one.look(replace(late, cancel_at_period_end=True))
    (told,) = [each for each in await one.rows(QueuedMail) if each.kind == "subscription_past_due"]
    assert (told.kind, told.data) == (
        "subscription_past_due",
        {"plan": "Starter", "amount": "29.00", "currency": "USD"},
    )
    (raised,) = [each for each in await one.rows(Alert) if each.kind == "failed_payment"]
    assert raised.status == "firing"
    assert raised.detail.endswith(f"The next try is at {ANCHOR.after(2).isoformat()}.")
    await one.look(seen(bill(0, 2_900, month(0)), bill(1, 2_900, month(1)), period=month(1)))
    (raised,) = [each for each in await one.rows(Alert) if each.kind == "failed_payment"]
    assert raised.status == "resolved"


async def test_upgrade_that_is_undone_is_told_once_and_operators_hear_where_the_provider_refuses(
    database: Database,
) -> None:
    one = await subscribed(database)
    month_paid, at = bill(0, 2_900, month(0)), START + timedelta(days=14)
    await one.look(seen(month_paid))
    await one.write(
        Transition(subscription=ordered(one.state, terms("professional"), at), event="changed", actor="kim")
    )
    one.state = confirm_order(one.state)
    debit = replace(unpaid(1, 3_500, None), reason=BillReason.UPDATE, created_at=at)
    await one.look(seen(month_paid, debit), at)
    failed = seen(month_paid, replace(debit, state=BillState.VOID))
    for _ in range(2):
        outcome = await one.look(failed, at)
        assert outcome is not None
        assert outcome.event == "upgrade_failed"
        await one.write(decline_order(one.state, why="invoice_processing", at=at), at)
    assert "upgrade_not_paid" not in {each.kind for each in await one.rows(QueuedMail)}
    (raised,) = [each for each in await one.rows(Alert) if each.kind == "subscription.upgrade_not_undone"]
    assert (raised.status, raised.shared, "invoice_processing" in raised.detail) == ("firing", False, True)
    await one.look(failed, at)
    await one.write(Transition(subscription=confirm_order(one.state, failed), event="confirmed", actor="workflow"), at)
    (told,) = [each for each in await one.rows(QueuedMail) if each.kind == "upgrade_not_paid"]
    assert told.data == {"plan": "Professional", "amount": "99.00", "currency": "USD"}
    (raised,) = [each for each in await one.rows(Alert) if each.kind == "subscription.upgrade_not_undone"]
    assert (raised.status, one.state.terms.plan) == ("resolved", "starter")


@pytest.mark.parametrize(
    ("then", "title", "amount"), [(None, "Professional", "99.00"), ("starter", "Starter", "29.00")]
)
async def test_mail_about_a_subscription_that_goes_on_says_with_what_it_renews(
    database: Database, then: str | None, title: str, amount: str
) -> None:
    one = await subscribed(database, "professional")
    await one.look(seen(bill(0, 9_900, month(0))))
    await one.write(order_cancel(one.state, "cmd_2", at_period_end=True, actor="kim"))
    one.state = confirm_order(one.state)
    if then is not None:
        one.state = ordered(one.state, terms(then), START + timedelta(days=2), "cmd_3")
        await one.write(Transition(subscription=one.state, event="downgrade_ordered", actor="kim"))
    await one.write(order_resume(one.state, "cmd_4", actor="kim", at=START + timedelta(days=3)))
    (told,) = [each for each in await one.rows(QueuedMail) if each.kind == "subscription_resumed"]
    assert told.data == {
        "plan": "Professional",
        "next_plan": title,
        "amount": amount,
        "currency": "USD",
        "renews_on": "2026-02-28",
    }


async def test_end_of_a_subscription_puts_the_organization_on_what_is_free(database: Database) -> None:
    one = await subscribed(database, "premium")
    paid = bill(0, 500, month(0))
    await one.look(seen(paid))
    assert (await one.tier(), await one.credits()) == ("premium", 0)
    await one.look(seen(paid, state=ProviderState.CANCELED, ended_at=START))
    assert await one.tier() == "free"
    async with database.platform() as session:
        assert await subscriptions.current_of(session, one.org_id) is None


async def test_organization_has_one_subscription_that_has_not_ended(database: Database) -> None:
    one = await subscribed(database)
    other = replace(one.state, subscription_id=new_id("sub"), version=0, receipts=())
    second = Subscribed(database, other)
    with pytest.raises(Exception, match="uq_subscriptions_org_id"):
        await second.write(Transition(subscription=other, event="created", actor="kim"))


async def test_what_was_paid_without_credits_is_revenue_by_the_day_and_once_however_often_it_is_booked(
    database: Database,
) -> None:
    one = await subscribed(database, "premium")
    await one.look(seen(bill(0, 500, month(0))))

    async def booked(day: date) -> int:
        async def page() -> int:
            async with database.platform() as session:
                return await accrue(session, day, limit=3)

        # Pages at once take different bills; whoever finds them all locked leaves them to the other.
        while sum(await asyncio.gather(page(), page())):
            await again()
        (row,) = await one.rows(SubscriptionBill)
        return int(row.accrued_minor)

    # 28 days from ten o'clock of 31 January: fourteen hours of the first day, then whole days.
    assert await booked(date(2026, 1, 30)) == 0
    assert await booked(date(2026, 1, 31)) == 500 * 14 // (28 * 24)
    assert await booked(date(2026, 2, 13)) == 500 * (14 + 13 * 24) // (28 * 24)
    assert await booked(date(2026, 2, 13)) == 500 * (14 + 13 * 24) // (28 * 24)
    assert await booked(date(2026, 2, 28)) == 500
    async with database.platform() as session:
        query = text(
            "SELECT count(DISTINCT reference) FROM ledger.transfers WHERE kind = 'subscriptions.accrued' "
            "AND reference BETWEEN '2026-01-31' AND '2026-02-28'"
        )
        assert (await session.scalar(query)) == 29


async def test_price_of_credits_goes_along_with_them_and_the_rest_is_revenue_by_the_day(database: Database) -> None:
    one = await subscribed(database, "enterprise")
    await one.look(seen(bill(0, 29_900, month(0))))
    for day, earned in ((date(2026, 2, 13), 5_980 * (14 + 13 * 24) // (28 * 24)), (date(2026, 2, 28), 5_980)):
        async with database.platform() as session:
            while await accrue(session, day, limit=3):
                await again()
        (row,), (lot,) = await one.rows(SubscriptionBill), await one.rows(CreditLot)
        assert (row.granted_minor, lot.paid_minor, row.accrued_minor) == (23_920, 23_920, earned)
