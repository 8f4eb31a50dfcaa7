"""Credits whose payment is disputed: held until the dispute ends, free again if it is won, gone if it is lost."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select

from domain.billing.subscription.grants import monthly_grant
from domain.common import accounts
from domain.common.errors import InsufficientFunds
from domain.common.money import CREDIT
from domain.credits.lots import LotSource, LotTerms
from domain.payments.payment.purposes.invoice import invoice_paid
from ledger.gateway import Ledger
from models.billing.invoice import InvoiceRow
from models.billing.subscription import SubscriptionBill, SubscriptionGrant
from models.payouts.recovery import Recovery
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.billing import credit_note, invoice_end
from services.books.debt import owed_minor
from tests.api.paying import NOW, Written
from tests.conftest import DatabaseUrls
from tests.domain.subscription.building import ANCHOR, YEAR, bill, month, seen
from tests.support.locks import somebody_waits
from tests.support.mirrored_bills import KIM, Mirrored, paid, spent, use
from tests.support.proving import prove_about
from tests.support.subscription_books import Subscribed, subscribed

pytestmark = pytest.mark.db


@pytest.fixture(autouse=True, scope="module")
async def proven(database_urls: DatabaseUrls) -> AsyncIterator[None]:
    yield
    await prove_about(database_urls, "subscription", "deferred", "lot", "reserved", "hold")


async def credits(one: Subscribed) -> tuple[int, int]:
    """Return the free credits and the held ones."""
    async with one.database.platform() as session:
        balance = await Ledger(await driver_connection(session)).balance(accounts.org_credits(one.org_id))
    return balance.available_minor // 10**6, balance.pending_minor // 10**6


async def promote(database: Database, org_id: str, credits: int, expires_at: datetime | None = None) -> None:
    async with database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=new_id("key"),
            kind="test",
            source=accounts.platform("credit_issuance", CREDIT),
            destination=accounts.org_credits(org_id),
            amount_minor=credits * 10**6,
            effective_at=NOW,
            lots=LotTerms(source=LotSource.PROMOTION, expires_at=expires_at),
        )


async def test_bought_credits_are_clawed_back_at_once_and_restored_with_their_expiry(database: Database) -> None:
    one, _ = await paid(database, "premium", 500)
    bought = await Written(database, one.org_id).begin()
    bought.there.pay()
    await bought.look()
    await use(one, 60)
    await promote(database, one.org_id, 100, NOW + timedelta(days=1))
    ref = bought.there.dispute()
    await bought.look()
    # What this payment has brought goes first, and then what ends first: 40 and 60.
    assert await credits(one) == (40, 0)
    bought.there.close_dispute(ref, won=True)
    await bought.look()
    assert await credits(one) == (140, 0)
    async with database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        left = await ledger.available([accounts.org_credits(one.org_id)], NOW + timedelta(days=2))
    assert left == [40 * 10**6]


async def test_disputed_credits_are_held_and_others_are_spent_until_it_is_won(database: Database) -> None:
    one, made = await paid(database)
    await use(one, 100)
    ref = made.there.dispute()
    await made.look()
    assert await credits(one) == (0, 400)
    with pytest.raises(InsufficientFunds):
        await use(one, 1)
    await promote(database, one.org_id, 50)
    await use(one, 20)
    await made.look()
    assert await credits(one) == (30, 400)
    made.there.close_dispute(ref, won=True)
    await made.look()
    assert await credits(one) == (430, 0)
    made.there.dispute_again(ref)
    await made.look()
    assert await credits(one) == (30, 400)


@pytest.mark.slow
async def test_partial_dispute_holds_its_credits_until_all_disputes_are_decided(
    database: Database,
) -> None:
    one, made = await paid(database)
    first, second = made.there.dispute(1_000), made.there.dispute(500)
    await made.look()
    assert await credits(one) == (0, 500)
    made.there.close_dispute(first, won=True)
    await made.look()
    assert await credits(one) == (0, 500)
    made.there.close_dispute(second, won=True)
    await made.look()
    assert await credits(one) == (500, 0)


@pytest.mark.slow
async def test_first_loss_claws_back_all_credits_and_a_second_dispute_restores_none(database: Database) -> None:
    one, made = await paid(database)
    first, second = made.there.dispute(1_000), made.there.dispute(500)
    await made.look()
    made.there.close_dispute(first, won=False)
    await made.look()
    assert await credits(one) == (0, 0)
    made.there.close_dispute(second, won=True)
    await made.look()
    (row,) = await one.rows(SubscriptionBill)
    assert (await credits(one), row.returned_minor, row.hold_id) == ((0, 0), 2_320, None)


@pytest.mark.slow
async def test_dispute_first_seen_lost_claws_back_credits_without_a_hold(database: Database) -> None:
    one, made = await paid(database)
    made.there.close_dispute(made.there.dispute(), won=False)
    await made.look()
    (row,) = await one.rows(SubscriptionBill)
    assert (await credits(one), row.returned_minor) == ((0, 0), 2_320)


async def test_credits_pinned_by_other_holds_stay_and_a_refund_takes_the_held_rest(
    database: Database,
) -> None:
    one, made = await paid(database)
    async with database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        reserved = await ledger.hold(
            key=new_id("key"),
            account=accounts.org_credits(one.org_id),
            amount_minor=300 * 10**6,
            held_at=NOW,
            expires_at=NOW.replace(year=2030),
        )
    ref = made.there.dispute(1_000)
    await made.look()
    assert await credits(one) == (0, 500)
    refused = await made.refund(1_900)
    assert refused.declined is not None
    # 300 of 500 credits are in use: 13.92 of the 23.20 for credits.
    assert refused.declined.extra == {"refundable": "15.08"}
    assert (await made.refund(740)).applied
    assert await credits(one) == (0, 300)
    async with database.platform() as session:
        await Ledger(await driver_connection(session)).void(
            key=new_id("key"), hold_id=reserved.hold_id, effective_at=NOW
        )
    assert await credits(one) == (300, 0)
    await made.done()
    made.there.close_dispute(ref, won=False)
    await made.look()
    assert await credits(one) == (0, 0)


@pytest.mark.slow
async def test_dispute_of_used_credits_holds_nothing(database: Database) -> None:
    one, made = await paid(database)
    await use(one, 500)
    ref = made.there.dispute()
    await made.look()
    (row,) = await one.rows(SubscriptionBill)
    assert (await credits(one), row.hold_id) == ((0, 0), None)
    made.there.close_dispute(ref, won=False)
    await made.look()
    assert await credits(one) == (0, 0)


@pytest.mark.slow
async def test_credits_that_are_spent_while_a_dispute_opens_are_used_or_held_and_never_both(
    database: Database,
) -> None:
    one, made = await paid(database)
    made.there.dispute()
    async with database.platform() as session:
        await spent(Ledger(await driver_connection(session)), one, 250)
        opening = asyncio.create_task(made.look())
        await somebody_waits(database)
    await opening
    assert await credits(one) == (0, 250)


async def won_after_all(made: Mirrored, ref: str) -> None:
    made.there.appeal(ref)
    await made.look()
    made.there.close_dispute(ref, won=True)
    await made.look()


async def test_dispute_won_after_a_loss_restores_the_credits_once_the_bill_is_paid_in_full(
    database: Database,
) -> None:
    one, made = await paid(database)
    await use(one, 100)
    first, second = made.there.dispute(1_000), made.there.dispute(1_900)
    await made.look()
    for ref in (first, second):
        made.there.close_dispute(ref, won=False)
        await made.look()
    (row,) = await one.rows(SubscriptionBill)
    assert (await credits(one), row.returned_minor) == ((0, 0), 1_856)
    await won_after_all(made, first)
    # A part of the bill is due, as it was when the other dispute was lost.
    assert await credits(one) == (0, 0)
    await won_after_all(made, second)
    (row,) = await one.rows(SubscriptionBill)
    assert (await credits(one), row.granted_minor, row.returned_minor) == ((400, 0), 2_320, 0)
    await made.look()
    assert await credits(one) == (400, 0)
    # They are the bill's as before: another dispute holds them, and takes them when it is lost.
    made.there.dispute_again(second)
    await made.look()
    assert await credits(one) == (0, 400)
    made.there.close_dispute(second, won=False)
    await made.look()
    assert await credits(one) == (0, 0)


@pytest.mark.slow
async def test_part_of_a_bill_that_was_credited_meanwhile_restores_no_credits(database: Database) -> None:
    one, made = await paid(database)
    ref = made.there.dispute()
    await made.look()
    made.there.close_dispute(ref, won=False)
    await made.look()
    (bill,) = await one.rows(SubscriptionBill)
    async with database.platform() as session:
        await credit_note.issue(
            session, KIM, bill.invoice_id, amount_minor=1_450, reason="Half of it", command_id=new_id("cmd"), now=NOW
        )
    await won_after_all(made, ref)
    (row,) = await one.rows(SubscriptionBill)
    assert (await credits(one), row.granted_minor, row.credited_minor) == ((312, 0), 1_450, 1_450)


async def months_left_out(database: Database, *, lost: bool) -> tuple[Subscribed, Mirrored, str]:
    """Begin two months of a yearly subscription while its payment's dispute is open, or after it was lost."""
    one = await subscribed(database, interval=YEAR)
    await one.look(seen(bill(0, 29_000, month(0, 12)), period=month(0, 12)))
    made = await Mirrored.of(one)
    ref = made.there.dispute()
    await made.look()
    if lost:
        made.there.close_dispute(ref, won=False)
        await made.look()
    for number in (1, 2):
        await next_month(one, number)
    return one, made, ref


async def win(made: Mirrored, ref: str, *, lost: bool) -> None:
    if lost:
        await won_after_all(made, ref)
    else:
        made.there.close_dispute(ref, won=True)
        await made.look()


@pytest.mark.slow
@pytest.mark.parametrize("lost", [False, True])
async def test_months_omitted_during_a_dispute_are_granted_once_it_is_won(database: Database, lost: bool) -> None:
    one, made, ref = await months_left_out(database, lost=lost)
    assert len(await one.rows(SubscriptionGrant)) == 1
    await win(made, ref, lost=lost)
    assert await credits(one) == (1_500, 0)
    grants = {
        (each.starts_at, each.credits_minor // 10**6, each.paid_minor) for each in await one.rows(SubscriptionGrant)
    }
    assert grants == {(ANCHOR.after(number), 500, paid) for number, paid in ((0, 1_933), (1, 1_934), (2, 1_933))}
    await made.look()
    await next_month(one, 3)
    (row,) = await one.rows(SubscriptionBill)
    assert (await credits(one), row.left_out) == ((2_000, 0), [])


async def owe(one: Subscribed, credits: int) -> None:
    async with one.database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=new_id("key"),
            kind="test",
            source=accounts.org_debt(one.org_id, CREDIT),
            destination=accounts.platform("credit_issuance", CREDIT),
            amount_minor=credits * 10**6,
            effective_at=NOW,
        )


async def owed(one: Subscribed) -> int:
    async with one.database.platform() as session:
        return await owed_minor(Ledger(await driver_connection(session)), one.org_id, CREDIT) // 10**6


@pytest.mark.slow
@pytest.mark.parametrize("lost", [False, True])
async def test_months_omitted_during_a_dispute_first_pay_the_debt(database: Database, lost: bool) -> None:
    one, made, ref = await months_left_out(database, lost=lost)
    await owe(one, 700)
    await win(made, ref, lost=lost)
    # The credits of the month before the dispute were granted before, and pay nothing.
    assert (await credits(one), await owed(one)) == ((1_500 - 700, 0), 0)


@pytest.mark.slow
async def test_omitted_months_are_granted_up_to_the_uncredited_part(database: Database) -> None:
    one = await subscribed(database, interval=YEAR)
    await one.look(seen(bill(0, 29_000, month(0, 12)), period=month(0, 12)))
    made = await Mirrored.of(one)
    ref = made.there.dispute()
    await made.look()
    made.there.close_dispute(ref, won=False)
    await made.look()
    for number in (1, 2):
        await next_month(one, number)
    (row,) = await one.rows(SubscriptionBill)
    # All but one and a half months are given up by a credit note, before the bank decides anew.
    async with database.platform() as session:
        await credit_note.issue(
            session,
            KIM,
            row.invoice_id,
            amount_minor=29_000 - 3_625,
            reason="Given up",
            command_id=new_id("cmd"),
            now=NOW,
        )
    await won_after_all(made, ref)
    (row,) = await one.rows(SubscriptionBill)
    assert (row.granted_minor, row.credited_minor) == (3_625, 29_000 - 3_625)
    assert sum(await credits(one)) == sum(each.credits_minor for each in await one.rows(SubscriptionGrant)) // 10**6


async def next_month(one: Subscribed, number: int) -> None:
    granted = monthly_grant(one.state, ANCHOR.after(number))
    assert granted is not None
    await one.write(granted, ANCHOR.after(number))


@pytest.mark.slow
async def test_bill_that_another_payment_has_paid_meanwhile_keeps_its_credits_when_the_dispute_is_lost(
    database: Database,
) -> None:
    one, made = await paid(database)
    await use(one, 100)
    ref = made.there.dispute()
    await made.look()
    assert (await credits(one), made.terms.purpose.invoice_id is None) == ((0, 400), False)
    purpose = replace(made.terms.purpose, goods_minor=2_900)
    other = await Written(
        database, one.org_id, amount_minor=2_900, currency=made.terms.currency, purpose=purpose
    ).begin()
    other.there.pay(fee=0)
    await other.look()
    assert other.payment is not None
    await other._write(invoice_paid(other.payment, at=NOW))
    made.there.close_dispute(ref, won=False)
    await made.look()
    (row,) = await one.rows(SubscriptionBill)
    assert (await credits(one), row.returned_minor, row.hold_id) == ((400, 0), 0, None)
    async with database.platform() as session:
        lost = await session.scalar(select(func.count()).select_from(Recovery).where(Recovery.org_id == one.org_id))
    assert lost == 0
    # It is unpaid once the other dispute is lost as well.
    other.there.close_dispute(other.there.dispute(), won=False)
    await other.look()
    assert await credits(one) == (0, 0)


async def pay_rest(one: Subscribed, made: Mirrored, minor: int) -> Written:
    """Pay the rest of the bill's invoice by another payment."""
    purpose = replace(made.terms.purpose, goods_minor=minor)
    other = await Written(
        one.database, one.org_id, amount_minor=minor, currency=made.terms.currency, purpose=purpose
    ).begin()
    other.there.pay(fee=0)
    await other.look()
    assert other.payment is not None
    await other._write(invoice_paid(other.payment, at=NOW))
    return other


@pytest.mark.slow
async def test_lost_credits_are_restored_after_every_loss_and_payment(database: Database) -> None:
    one, made = await paid(database)
    await use(one, 100)
    made.there.refund(2_900)  # at the provider's own site
    await made.look()
    assert await credits(one) == (0, 0)
    other = await pay_rest(one, made, 2_900)
    assert await credits(one) == (400, 0)
    other.there.close_dispute(other.there.dispute(), won=False)
    await other.look()
    assert await credits(one) == (0, 0)
    await pay_rest(one, made, 2_900)
    (row,) = await one.rows(SubscriptionBill)
    assert (await credits(one), row.granted_minor, row.returned_minor) == ((400, 0), 2_320, 0)


async def test_credits_are_restored_if_a_refund_made_at_the_provider_fails(database: Database) -> None:
    one, made = await paid(database)
    await use(one, 100)
    ref = made.there.refund(2_900)
    await made.look()
    assert await credits(one) == (0, 0)
    made.there.fail_refund(ref)
    await made.look()
    (row,) = await one.rows(SubscriptionBill)
    assert (await credits(one), row.granted_minor, row.returned_minor) == ((400, 0), 2_320, 0)
    # One that an operator asks for is credited, so its money is the organization's when it comes back.
    assert (await made.refund(2_436)).applied
    assert made.payment is not None
    ref = made.there.refund(2_436, refund_id=made.payment.refunds[-1].refund_id)
    await made.look()
    made.there.fail_refund(ref)
    await made.look()
    (row,) = await one.rows(SubscriptionBill)
    assert (await credits(one), row.credited_minor) == ((0, 0), 2_436)


@pytest.mark.slow
@pytest.mark.parametrize("returned", [0, 1_450])
async def test_lost_credits_are_restored_once_the_bill_is_paid_in_another_way(
    database: Database, returned: int
) -> None:
    one, made = await paid(database)
    await use(one, 100)
    ref = made.there.dispute()
    await made.look()
    made.there.close_dispute(ref, won=False)
    await made.look()
    if returned:
        made.there.return_part(ref)
        await made.look()
    # A part of the bill is due.
    assert await credits(one) == (0, 0)
    await pay_rest(one, made, 2_900 - returned)
    (row,) = await one.rows(SubscriptionBill)
    assert (await credits(one), row.granted_minor, row.returned_minor) == ((400, 0), 2_320, 0)


@pytest.mark.slow
async def test_lost_credits_are_restored_up_to_the_returned_price_once_the_rest_is_credited(
    database: Database,
) -> None:
    one, made = await paid(database)
    await use(one, 100)
    ref = made.there.dispute()
    await made.look()
    made.there.close_dispute(ref, won=False)
    await made.look()
    made.there.return_part(ref)
    await made.look()
    (bill,) = await one.rows(SubscriptionBill)
    async with database.platform() as session:
        await credit_note.issue(
            session, KIM, bill.invoice_id, amount_minor=1_450, reason="The rest", command_id=new_id("cmd"), now=NOW
        )
    (row,) = await one.rows(SubscriptionBill)
    # 250 credits cost the 14.50 that were kept, and 100 of them were used.
    assert (await credits(one), row.granted_minor, row.credited_minor) == ((212, 0), 1_450, 1_450)


async def give_up(one: Subscribed, *, by_plan: bool = False) -> None:
    (issued,) = await one.rows(InvoiceRow)
    async with one.database.platform() as session:
        await invoice_end.mark_uncollectible(session, KIM, issued.id, new_id("cmd"), NOW, by_plan=by_plan)


@pytest.mark.parametrize("won", [True, False])
async def test_bill_given_up_during_a_dispute_claws_back_its_credits_whatever_the_outcome(
    database: Database, won: bool
) -> None:
    one, made = await paid(database)
    await use(one, 100)
    await promote(database, one.org_id, 30)
    ref = made.there.dispute()
    await made.look()
    await give_up(one)
    (row,) = await one.rows(SubscriptionBill)
    assert (await credits(one), row.hold_id, row.granted_minor, row.returned_minor) == ((30, 0), None, 464, 1_856)
    made.there.close_dispute(ref, won=won)
    await made.look()
    async with database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        returned = (await ledger.balance(accounts.org_cash(one.org_id, "USD"))).posted_minor
        lost = (await ledger.balance(accounts.org_receivable(one.org_id, "USD"))).posted_minor
    assert (await credits(one), returned, lost) == ((30, 0), 2_436 if won else 0, 0)


@pytest.mark.slow
async def test_bill_given_up_before_its_payment_claws_back_its_credits(database: Database) -> None:
    one = await subscribed(database)
    await one.look(seen(bill(0, 2_900, month(0))))
    assert await credits(one) == (500, 0)
    await give_up(one, by_plan=True)  # dunning had read it before the payment was known
    assert await credits(one) == (0, 0)


@pytest.mark.slow
async def test_creators_are_not_liable_for_credits_clawed_back_when_the_bill_was_given_up(
    database: Database,
) -> None:
    one, made = await paid(database)
    await use(one, 100)
    ref = made.there.dispute(1_000)  # 172 credits' worth
    await made.look()
    await give_up(one)
    made.there.close_dispute(ref, won=False)
    await made.look()
    assert (await credits(one), await one.rows(Recovery)) == ((0, 0), [])
