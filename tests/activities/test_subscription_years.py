"""A year that was paid by several bills: each grants its part of every month, and answers for its own money alone."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from domain.billing.subscription.commands import preview
from domain.billing.subscription.grants import monthly_grant
from domain.billing.subscription.snapshot import BillReason
from domain.common import accounts
from ledger.gateway import Ledger
from models.billing.subscription import SubscriptionBill, SubscriptionGrant
from repositories.billing import subscription_bill
from runtime.database import Database, driver_connection
from tests.conftest import DatabaseUrls
from tests.domain.subscription.building import ANCHOR, PLANS, START, YEAR, bill, month, ordered, seen, terms
from tests.support.billing import GERMAN, located, rate
from tests.support.locks import somebody_waits
from tests.support.mirrored_bills import Mirrored, use
from tests.support.proving import prove_about
from tests.support.subscription_books import Subscribed, subscribed

pytestmark = pytest.mark.db
FIRST, NEXT_DAY = bill(0, 29_000, month(0, 12)), START + timedelta(days=1)


@pytest.fixture(autouse=True, scope="module")
async def proven(database_urls: DatabaseUrls) -> AsyncIterator[None]:
    yield
    await prove_about(database_urls, "subscription", "deferred", "invoice", "lot", "tax account", "revenue")


async def upgraded(one: Subscribed) -> int:
    """Begin a year on the smaller plan and change to the largest a day later; returns what that costs."""
    await one.look(seen(FIRST, period=month(0, 12)))
    due = preview(one.state, PLANS, terms("enterprise", YEAR), 1, NEXT_DAY).due_minor
    one.state = ordered(one.state, terms("enterprise", YEAR), NEXT_DAY)
    more = bill(1, due, None, reason=BillReason.UPDATE, created_at=NEXT_DAY)
    await one.look(seen(FIRST, more, period=month(0, 12)), NEXT_DAY)
    return due


async def months(one: Subscribed, first: int, last: int) -> None:
    for number in range(first, last + 1):
        granted = monthly_grant(one.state, ANCHOR.after(number))
        assert granted is not None
        await one.write(granted, ANCHOR.after(number))


async def bills(one: Subscribed) -> list[SubscriptionBill]:
    return sorted(await one.rows(SubscriptionBill), key=lambda each: each.gross_minor)


async def lose(made: Mirrored) -> None:
    ref = made.there.dispute()
    await made.look()
    made.there.close_dispute(ref, won=False)
    await made.look()


async def test_80_percent_of_a_years_price_moves_with_its_credits(database: Database) -> None:
    one = await subscribed(database, interval=YEAR)
    due = await upgraded(one)
    assert due == 269_260
    await months(one, 1, 11)
    first, more = await bills(one)
    assert (first.granted_minor, more.granted_minor) == (23_200, due * 4 // 5)
    grants = await one.rows(SubscriptionGrant)
    assert {each.credits_minor // 10**6 for each in grants if each.bill_ref == first.bill_ref} == {500}
    assert [each.credits_minor // 10**6 for each in grants if each.bill_ref == more.bill_ref][1:] == [9_500] * 11
    assert await one.credits() == 500 + 9_161 + 11 * 10_000


async def test_upgrade_that_is_charged_back_leaves_the_months_of_the_plan_before(database: Database) -> None:
    one = await subscribed(database, interval=YEAR)
    await upgraded(one)
    await lose(await Mirrored.of(one, 1))
    assert await one.credits() == 500
    await months(one, 1, 11)
    assert await one.credits() == 12 * 500


async def test_charged_back_first_bill_leaves_the_credits_of_the_upgrade(database: Database) -> None:
    one = await subscribed(database, interval=YEAR)
    await upgraded(one)
    await lose(await Mirrored.of(one, 0))
    await months(one, 1, 11)
    assert await one.credits() == 9_161 + 11 * 9_500


async def test_refund_of_an_upgrade_deducts_its_used_credits(database: Database) -> None:
    one = await subscribed(database, interval=YEAR)
    due = await upgraded(one)
    await months(one, 1, 2)
    await use(one, 500 + 9_161)
    (own,) = [each for each in await one.rows(SubscriptionGrant) if each.key.endswith(":upgrade")]
    unused = own.paid_minor * (own.credits_minor - 9_161 * 10**6) // own.credits_minor
    left = due - (own.paid_minor - unused)
    made = await Mirrored.of(one, 1)
    refused = await made.refund()
    assert refused.declined is not None
    assert refused.declined.extra == {"refundable": f"{left // 100}.{left % 100:02}"}
    # What one month of the upgrade has cost is left of what was paid.
    (first,) = [
        each.paid_minor
        for each in await one.rows(SubscriptionGrant)
        if each.bill_ref == own.bill_ref and each.starts_at == ANCHOR.after(1)
    ]
    assert (await made.refund(left - first)).applied
    await months(one, 3, 11)
    # Since then the year grants that month, and those of the plan before.
    assert await one.credits() == 11 * 500 + 9_500


async def test_tax_is_in_no_months_cost_and_the_rest_adds_up(database: Database) -> None:
    one = await subscribed(database, interval=YEAR)
    one.rules = GERMAN
    await located(database, one.org_id)
    await rate(database, "de-vat", "DE", 190_000)
    await upgraded(one)
    await months(one, 1, 11)
    for each in await bills(one):
        part = each.gross_minor * 4 // 5
        assert each.granted_minor == part * each.amount_minor // each.gross_minor == each.for_credits_minor < part


async def test_month_is_granted_while_the_bill_of_its_upgrade_is_refunded(database: Database) -> None:
    one = await subscribed(database, interval=YEAR)
    await upgraded(one)
    _, more = await bills(one)
    async with database.platform() as session:
        locked = await subscription_bill.bill_of_invoice(session, more.invoice_id)
        assert locked is not None
        granting = asyncio.create_task(months(one, 1, 1))
        await somebody_waits(database)
        await Ledger(await driver_connection(session)).lock_balances([accounts.org_credits(one.org_id)])
    await granting
    assert await one.credits() == 500 + 9_161 + 10_000
