"""Refunds of a subscription: its credits come back first, and used credits reduce the refund."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.subscription.grants import monthly_grant
from domain.billing.subscription.snapshot import BillReason
from domain.common import accounts
from domain.common.errors import ExceedsRemainder
from domain.common.money import CREDIT
from ledger.gateway import Ledger
from models.billing.invoice import CreditNoteRow, InvoiceRow
from models.billing.subscription import SubscriptionBill, SubscriptionGrant
from providers.payments import limits
from repositories.billing import subscription_bill
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.billing import credit_note
from services.billing.subscription import accrue
from tests.api.paying import NOW
from tests.conftest import DatabaseUrls
from tests.domain.subscription.building import ANCHOR, START, YEAR, bill, month, ordered, seen, terms
from tests.support.billing import GERMAN, located, rate
from tests.support.locks import somebody_waits
from tests.support.looking import again
from tests.support.mirrored_bills import KIM, Mirrored, paid, spent, use
from tests.support.proving import prove_about
from tests.support.subscription_books import Subscribed, subscribed

pytestmark = pytest.mark.db


@pytest.fixture(autouse=True, scope="module")
async def proven(database_urls: DatabaseUrls) -> AsyncIterator[None]:
    yield
    await prove_about(database_urls, "subscription", "deferred", "invoice", "lot", "tax account", "revenue")


async def earned_by(one: Subscribed, day: date) -> SubscriptionBill:
    async def page() -> int:
        async with one.database.platform() as session:
            return await accrue(session, day, limit=100)

    while await page():
        await again()
    (row,) = await one.rows(SubscriptionBill)
    return row  # type: ignore[no-any-return]


async def test_full_refund_claws_back_the_credits_credits_the_invoice_and_leaves_no_revenue(
    database: Database,
) -> None:
    one, made = await paid(database)
    assert (await made.refund()).applied
    (row,), (issued,), (note,) = [await one.rows(each) for each in (SubscriptionBill, InvoiceRow, CreditNoteRow)]
    assert (await one.credits(), row.granted_minor, row.returned_minor, row.credited_minor) == (0, 0, 2_320, 2_900)
    assert (issued.status, issued.paid_minor, issued.credited_minor) == ("paid", 0, 2_900)
    assert (note.amount_minor, note.reason, note.number[:4]) == (2_900, "Not as described", "CRN-")
    await made.done()


async def test_pitfall_41_used_credits_reduce_the_refund_also_in_parts(
    database: Database,
) -> None:
    one, made = await paid(database)
    await use(one, 101)  # 4.6864 of the 23.20 for credits
    refused = await made.refund()
    assert refused.declined is not None
    assert (refused.declined.code, refused.declined.extra) == (
        "payment.refund_exceeds_remainder",
        {"refundable": "24.31"},
    )
    assert await one.credits() == 399
    assert (await made.refund(1_000)).applied
    assert await one.credits() == 0
    await made.done()
    refused = await made.refund(1_432)
    assert refused.declined is not None
    assert refused.declined.extra == {"refundable": "14.31"}
    assert (await made.refund(1_431)).applied
    (row,) = await one.rows(SubscriptionBill)
    assert (row.granted_minor, row.returned_minor, row.credited_minor) == (469, 1_851, 2_431)


async def test_creditable_rest_of_a_bill_is_rounded_down_to_the_providers_unit(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "refund_unit", lambda *_: 10)
    one, made = await paid(database)
    await use(one, 101)  # 4.6864 of the 23.20 for credits
    refused = await made.refund()
    assert refused.declined is not None
    assert refused.declined.extra == {"refundable": "24.30"}
    # A signal of the Temporal UI reaches the books past the API.
    refused = await made.refund(1_001)
    assert refused.declined is not None
    assert (refused.declined.code, refused.declined.extra) == ("request.invalid", {"field": "amount"})
    assert (await made.refund(2_430, is_all=True)).applied


async def test_repeated_refund_claws_back_and_credits_once(database: Database) -> None:
    one, made = await paid(database)
    before = made.payment
    assert (await made.refund(1_000, command="re_one")).applied
    made.payment = before
    again = await made.refund(1_000, command="re_one")
    assert (again.applied, again.declined) == (False, None)
    assert len(await one.rows(CreditNoteRow)) == 1


async def test_credits_that_are_spent_at_the_same_time_are_used_or_refunded_and_never_both(database: Database) -> None:
    one, made = await paid(database)
    async with database.platform() as session:
        await spent(Ledger(await driver_connection(session)), one, 250)
        refunding = asyncio.create_task(made.refund())
        await somebody_waits(database)
    refused = await refunding
    assert refused.declined is not None
    assert refused.declined.extra == {"refundable": "17.40"}
    async with database.platform() as session:
        (row,) = await one.rows(SubscriptionBill)
        locked = await subscription_bill.bill_of_invoice(session, row.invoice_id)
        assert locked is not None
        await Ledger(await driver_connection(session)).lock_balances([accounts.org_credits(one.org_id)])
        refunding = asyncio.create_task(made.refund(1_740))
        await somebody_waits(database)
    assert (await refunding).applied
    assert await one.credits() == 0


async def test_deferred_revenue_is_taken_before_revenue(database: Database) -> None:
    one, made = await paid(database, "premium", 500)
    assert 240 < (await earned_by(one, date(2026, 2, 13))).accrued_minor < 250
    assert (await made.refund(400, at=START + timedelta(days=14))).applied
    # All that is left is revenue already, so the rest of the period earns nothing.
    row = await earned_by(one, date(2026, 3, 1))
    assert (row.credited_minor, row.accrued_minor) == (400, 100)


async def test_tax_is_credited_with_its_part_and_never_taken_from_deferred_revenue(database: Database) -> None:
    one = await subscribed(database)
    one.rules = GERMAN
    await located(database, one.org_id)
    await rate(database, "de-vat", "DE", 190_000)
    await one.look(seen(bill(0, 2_900, month(0))))
    made = await Mirrored.of(one)
    await use(one, 250)
    refused = await made.refund()
    assert refused.declined is not None
    left = refused.declined.extra["refundable"]
    assert left == "17.39"  # half of the 19.49 for credits is used, rounded up: 9.75 with its tax is 11.61
    assert (await made.refund(1_739)).applied
    (note,), (row,) = [await one.rows(each) for each in (CreditNoteRow, SubscriptionBill)]
    assert (note.net_minor + note.tax_minor, row.credited_minor) == (1_739, note.net_minor)
    assert row.credited_minor + row.granted_minor + row.accrued_minor <= row.amount_minor


async def test_refund_after_the_renewal_takes_the_old_months_credits_alone(database: Database) -> None:
    one, _ = await paid(database)
    first = bill(0, 2_900, month(0))
    await use(one, 100)
    await one.look(seen(first, bill(1, 2_900, month(1)), period=month(1)), ANCHOR.after(1))
    renewed = await Mirrored.of(one, 1)
    assert (await renewed.refund()).applied
    # The oldest credits are used first, so those of the first month paid for what was used.
    assert await one.credits() == 400
    earlier, later = sorted(await one.rows(SubscriptionBill), key=lambda each: each.period_start)
    assert (earlier.returned_minor, later.returned_minor) == (0, 2_320)


async def test_refunded_year_claws_back_its_months_and_grants_only_paid_ones(database: Database) -> None:
    one = await subscribed(database, interval=YEAR)
    year = bill(0, 29_000, month(0, 12))
    await one.look(seen(year, period=month(0, 12)))

    async def next_month(number: int) -> None:
        granted = monthly_grant(one.state, ANCHOR.after(number))
        assert granted is not None
        await one.write(granted, ANCHOR.after(number))

    await next_month(1)
    await next_month(2)
    made = await Mirrored.of(one)
    await use(one, 600)
    # One month and a fifth of the next were used: 19.33 and 3.87 of 232.00.
    refused = await made.refund()
    assert refused.declined is not None
    assert refused.declined.extra == {"refundable": "266.80"}
    # Half a month is left of what was paid.
    assert (await made.refund(26_680 - 966)).applied
    await next_month(3)
    await next_month(4)
    assert await one.credits() == 249
    grants = sorted(await one.rows(SubscriptionGrant), key=lambda each: each.starts_at)
    assert [(each.credits_minor // 10**6, each.paid_minor) for each in grants[3:]] == [(249, 966)]


async def test_months_of_a_year_that_was_charged_back_grant_nothing_more(database: Database) -> None:
    one = await subscribed(database, interval=YEAR)
    await one.look(seen(bill(0, 29_000, month(0, 12)), period=month(0, 12)))
    made = await Mirrored.of(one)
    ref = made.there.dispute()
    await made.look()
    made.there.close_dispute(ref, won=False)
    await made.look()
    granted = monthly_grant(one.state, ANCHOR.after(1))
    assert granted is not None
    await one.write(granted, ANCHOR.after(1))
    assert (await one.credits(), len(await one.rows(SubscriptionGrant))) == (0, 1)


async def test_refund_of_an_upgrade_leaves_the_credits_of_the_plan_before(database: Database) -> None:
    one, _ = await paid(database)
    first, at = bill(0, 2_900, month(0)), START + timedelta(days=14)
    one.state = ordered(one.state, terms("professional"), at)
    change = one.state.change
    assert change is not None
    more = bill(1, 3_500, None, reason=BillReason.UPDATE, created_at=at)
    await one.look(seen(first, more), at)
    assert await one.credits() == 1_250
    assert (await (await Mirrored.of(one, 1)).refund()).applied
    assert await one.credits() == 500


@pytest.mark.parametrize("taken", ["a lost dispute", "a refund that was made at the provider"])
async def test_lost_money_claws_back_the_credits_and_leaves_the_invoice_due(database: Database, taken: str) -> None:
    one, made = await paid(database)
    await use(one, 100)
    if taken == "a lost dispute":
        ref = made.there.dispute()
        await made.look()
        assert await one.credits() == 400
        made.there.close_dispute(ref, won=False)
    else:
        made.there.refund(2_900)
    await made.look()
    (row,), (issued,) = [await one.rows(each) for each in (SubscriptionBill, InvoiceRow)]
    assert (await one.credits(), row.granted_minor, row.returned_minor, row.credited_minor) == (0, 464, 1_856, 0)
    assert (issued.status, issued.paid_minor, issued.paused_for is not None) == ("open", 0, True)
    # What was used is not credited; what was not is.
    async with database.platform() as session:
        with pytest.raises(ExceedsRemainder) as refusal:
            await note_of(session, issued.id, 2_900)
        assert refusal.value.extra["remaining"] == "24.36"
    async with database.platform() as session:
        await note_of(session, issued.id, None)
    (row,) = await one.rows(SubscriptionBill)
    assert row.credited_minor == 2_436


async def test_credits_released_by_a_lost_dispute_first_pay_the_debt(
    database: Database,
) -> None:
    one, made = await paid(database)
    ref = made.there.dispute()
    await made.look()
    made.there.close_dispute(ref, won=False)
    await made.look()
    assert await one.credits() == 0
    debts = accounts.org_debt(one.org_id, CREDIT)
    async with database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=new_id("key"),
            kind="test",
            source=debts,
            destination=accounts.platform("credit_issuance", CREDIT),
            amount_minor=200 * 10**6,
            effective_at=NOW,
        )
    made.there.appeal(ref)
    made.there.close_dispute(ref, won=True)
    await made.look()
    (row,) = await one.rows(SubscriptionBill)
    async with database.platform() as session:
        owed = (await Ledger(await driver_connection(session)).balance(debts)).posted_minor
    assert (await one.credits(), owed, row.granted_minor) == (300, 0, 2_320)


async def note_of(session: AsyncSession, invoice_id: str, amount_minor: int | None) -> None:
    await credit_note.issue(
        session,
        KIM,
        invoice_id,
        amount_minor=amount_minor,
        reason="charged back",
        command_id=new_id("cmd"),
        now=NOW,
    )


async def test_period_is_owed_for_while_its_payment_is_disputed_and_once_that_is_lost(database: Database) -> None:
    one, made = await paid(database)
    period = month(0)

    async def is_owed_for(at: datetime = period.start) -> bool:
        async with database.platform() as session:
            return await subscription_bill.is_owed_for(session, one.state.subscription_id, at)

    assert not await is_owed_for()
    ref = made.there.dispute()
    await made.look()
    assert await is_owed_for()
    assert not await is_owed_for(period.end)
    made.there.close_dispute(ref, won=False)
    await made.look()
    assert await is_owed_for()
    (issued,) = await one.rows(InvoiceRow)
    async with database.platform() as session:
        await note_of(session, issued.id, None)
    assert await is_owed_for(), "a credit note pays nothing"
    other, won = await paid(database)
    ref = won.there.dispute()
    await won.look()
    won.there.close_dispute(ref, won=True)
    await won.look()
    async with database.platform() as session:
        assert not await subscription_bill.is_owed_for(session, other.state.subscription_id, period.start)
