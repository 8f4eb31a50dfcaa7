"""Credit notes: the amounts that they take back, and the credits that return with them."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from domain.common import accounts
from domain.common.errors import ExceedsRemainder, IdempotencyConflict, WrongInvoiceState
from ledger.gateway import Ledger
from models.billing.invoice import CreditNoteRow
from runtime.database import Database, driver_connection
from services.billing import credit_note, invoice_end
from tests.activities.test_invoice_drafts import sound
from tests.conftest import DatabaseUrls
from tests.support.billing import (
    CREDIT,
    GERMAN,
    KIM,
    NOW,
    balances,
    credit,
    draft,
    finalise,
    line,
    number_all,
    organization,
    read,
)

pytestmark = pytest.mark.db


async def note(
    database: Database, invoice_id: str, minor: int | None, key: str, reason: str = "Sorry"
) -> CreditNoteRow:
    async with database.platform() as session:
        return await credit_note.issue(
            session, KIM, invoice_id, amount_minor=minor, reason=reason, command_id=f"{key}-{invoice_id}", now=NOW
        )


async def test_notes_reduce_the_amount_due_then_return_credits_and_add_up_to_the_invoice(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    org = await organization(fresh_database)
    await credit(fresh_database, org, 50 * CREDIT)
    await credit(fresh_database, org, 300 * CREDIT, paid=3_000)
    lines = (line(10_001), line(333, stream="revenue/subscriptions"))
    made = await finalise(fresh_database, await draft(fresh_database, org, *lines, applies_credits=True))
    await number_all(fresh_database)
    # 103.34 less 5.00 of granted credits is 98.34, with tax 117.02; bought credits pay 30.00.
    assert (made.total_minor, made.prepaid_minor) == (11_702, 3_000)
    first = await note(fresh_database, made.id, 8_000, "a")
    assert (first.number, first.prepaid_minor, first.credits_minor) == ("CRN-000001", 0, 0)
    assert first.net_minor + first.tax_minor == 8_000
    assert await balances(fresh_database, org) == {"receivable": -702, "credits": 0}
    second = await note(fresh_database, made.id, 1_702, "b")
    assert (second.prepaid_minor, second.credits_minor) == (1_000, 100 * CREDIT)
    assert (await read(fresh_database, made.id)).status == "paid"
    assert await balances(fresh_database, org) == {"receivable": 0, "credits": 100 * CREDIT}
    for wrong in (2_001, 2_000_000):
        with pytest.raises(ExceedsRemainder) as refusal:
            await note(fresh_database, made.id, wrong, "c")
        assert refusal.value.extra == {"remaining": "20.00", "currency": "USD"}
    last = await note(fresh_database, made.id, None, "d")
    assert (last.amount_minor, last.credits_minor) == (2_000, 250 * CREDIT)
    assert (first.tax_minor + second.tax_minor + last.tax_minor) == made.tax_minor
    assert await balances(fresh_database, org) == {"receivable": 0, "credits": 350 * CREDIT}
    with pytest.raises(ExceedsRemainder):
        await note(fresh_database, made.id, None, "e")
    assert await sound(fresh_database_urls) == []


async def test_lots_of_three_prices_pay_and_return_at_their_price(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    org, untaxed = await organization(fresh_database), replace(GERMAN, seller_country=None)
    for credits, paid in ((1_000, 2_490), (100, 990), (1_000, 10_000)):
        await credit(fresh_database, org, credits * CREDIT, paid=paid)

    async def books() -> tuple[int, int]:
        """Return what was paid for the credits that the invoice has, and what they took of its revenue."""
        query = "SELECT sum(cost - cost_returned) FROM ledger.lot_uses WHERE transfer_id = :id"
        async with fresh_database.platform() as session:
            cost = await session.scalar(text(query), {"id": made.transfer_id})
            ledger = Ledger(await driver_connection(session))
            applied = await ledger.balance(accounts.platform("revenue/credits_applied", "USD"))
        return int(cost or 0), -applied.posted_minor

    made = await finalise(fresh_database, await draft(fresh_database, org, line(5_000), applies_credits=True), untaxed)
    await number_all(fresh_database)
    # 24.90 and 9.90 of the cheaper lots, and 15.20 of the last one: 152 credits of it.
    assert (made.prepaid_minor, made.prepaid_credits_minor, made.status) == (5_000, 1_252 * CREDIT, "paid")
    assert await books() == (5_000, 5_000)
    # The lots that were taken last come back first: 152 credits of 15.20, and 48.48 of 4.80.
    part = await note(fresh_database, made.id, 2_000, "a")
    assert (part.prepaid_minor, part.credits_minor) == (2_000, 152 * CREDIT + 48_484_849)
    assert await books() == (3_000, 3_000)
    last = await note(fresh_database, made.id, None, "b")
    assert part.credits_minor + last.credits_minor == 1_252 * CREDIT
    assert await books() == (0, 0)
    assert await balances(fresh_database, org) == {"receivable": 0, "credits": 2_100 * CREDIT}
    assert await sound(fresh_database_urls) == []


async def test_a_command_issues_one_note_and_a_credited_invoice_cannot_be_voided(database: Database) -> None:
    made = await finalise(database, await draft(database, await organization(database)))
    first = await note(database, made.id, 100, "a")
    assert (await note(database, made.id, 100, "a")).id == first.id
    for other in ({"minor": 101}, {"minor": 100, "reason": "Another"}):
        with pytest.raises(IdempotencyConflict):
            await note(database, made.id, key="a", **other)
    assert (await read(database, made.id)).credited_minor == 100
    with pytest.raises(WrongInvoiceState, match="partially credited") as refusal:
        async with database.platform() as session:
            await invoice_end.void(session, KIM, made.id, "void", NOW)
    assert refusal.value.extra["due"] == "118.00"


async def test_drafts_void_and_uncollectible_invoices_are_not_credited(database: Database) -> None:
    org = await organization(database)
    begun = await draft(database, org)
    void, lost = [await finalise(database, await draft(database, org)) for _ in range(2)]
    async with database.platform() as session:
        await invoice_end.void(session, KIM, void.id, f"void-{void.id}", NOW)
        await invoice_end.mark_uncollectible(session, KIM, lost.id, f"lost-{lost.id}", NOW)
    for row in (begun, void, lost):
        with pytest.raises(WrongInvoiceState):
            await note(database, row.id, None, "x")
