"""Part of a paid subscription that counts for the volume discount of its month."""

from datetime import date

import pytest

from domain.billing.billing_run.period import period_of
from models.billing.invoice import InvoiceRow
from repositories.billing.billing_run import other_charges
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.billing import invoice_end
from tests.domain.subscription.building import START, YEAR, bill, month, seen, unpaid
from tests.support.mirrored_bills import KIM, Mirrored
from tests.support.subscription_books import Subscribed, subscribed

pytestmark = pytest.mark.db


async def counted(one: Subscribed, day: date) -> int:
    async with one.database.platform() as session:
        wanted = {one.org_id: ("USD", period_of(day, "UTC"))}
        return (await other_charges(await driver_connection(session), wanted))[one.org_id]


async def test_money_for_credits_counts_when_they_are_used_and_not_before(database: Database) -> None:
    one = await subscribed(database, interval=YEAR)
    await one.look(seen(bill(0, 29_000, month(0, 12)), period=month(0, 12)))
    await Mirrored.of(one)
    assert await counted(one, START.date()) == 5_800  # of the plan itself


async def test_money_that_went_back_because_its_invoice_was_given_up_counts_nothing(database: Database) -> None:
    one = await subscribed(database, "premium", net_days=10)
    asked = unpaid(0, 500, month(0))
    await one.look(seen(asked))
    (issued,) = await one.rows(InvoiceRow)
    async with database.platform() as session:
        await invoice_end.mark_uncollectible(session, KIM, issued.id, new_id("cmd"), START)
    await one.look(seen(bill(0, 500, month(0))))
    assert await counted(one, START.date()) == 0


async def test_money_that_a_bank_took_back_counts_nothing(database: Database) -> None:
    one = await subscribed(database, "premium")
    await one.look(seen(bill(0, 500, month(0))))
    made = await Mirrored.of(one)
    assert await counted(one, START.date()) == 500
    ref = made.there.dispute()
    await made.look()
    made.there.close_dispute(ref, won=False)
    await made.look()
    assert await counted(one, START.date()) == 0
