"""Documents say what finalised invoices hold: tax, discounts, credits, and whom they are made out to."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from domain.document.content import Document, Party, Tax, missing_for_einvoice
from domain.invoice.lines import Discount, InvoiceLine
from domain.invoice.state import WrongInvoiceState
from models.invoice import InvoiceRow
from providers.documents.maker import DocumentMaker
from runtime.database import Database
from services import credit_note, document
from tests.support import billing

pytestmark = pytest.mark.db

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
SELLER = Party(name="Seller GmbH", country="DE", vat_id="DE123456788")
STANDARD = Tax(category="S", rate_e6=190_000)
OCTOBER = {"period_start": datetime(2026, 9, 30, 22, tzinfo=UTC), "period_end": datetime(2026, 10, 31, 23, tzinfo=UTC)}


async def says(database: Database, row: InvoiceRow) -> Document:
    await billing.number_all(database)
    async with database.platform() as session:
        return await document.of_invoice(session, await billing.read(database, row.id), SELLER)


async def finalised(database: Database, org_id: str, *lines: InvoiceLine, **more: Any) -> Document:
    return await says(database, await billing.finalise(database, await billing.draft(database, org_id, *lines, **more)))


async def test_tax_discounts_and_credits_are_on_the_document_and_it_is_an_electronic_invoice(db: Database) -> None:
    org_id = await billing.organization(db)
    await billing.located(db, org_id, legal_name="Acme SE", postal_code="10115", city="Berlin", language="de")
    await billing.agree(db, org_id, 1, JANUARY, time_zone="Europe/Berlin")
    await billing.credit(db, org_id, 20 * billing.CREDIT)
    await billing.credit(db, org_id, 30 * billing.CREDIT, paid=300)
    worded: dict[str, Any] = {"description": "Meter seat: 4 events", "wording": (("meter", "seat"), ("events", "4"))}
    seats = InvoiceLine(**worded, quantity=4, unit_minor=2_500, discount_minor=500, **OCTOBER)
    made = await finalised(
        db, org_id, seats, billing.line(500), discounts=[Discount(description="Loyal", share_e4=1_000)],
        applies_credits=True,
    )  # fmt: skip
    assert [line.amount_minor for line in made.lines] == [9_500, 500]
    assert made.lines[0].description == "Zähler seat: 4 Ereignisse"
    assert [(each.description, each.amount_minor) for each in made.reductions] == [("Loyal", 1_000), (None, 200)]
    assert (made.subtotal_minor, made.tax_minor, made.prepaid_minor) == (8_800, 1_672, 300)
    assert made.due_minor == 8_800 + 1_672 - 300
    assert [each.tax for each in made.taxes] == [STANDARD]
    assert made.lines[0].period == (date(2026, 10, 1), date(2026, 11, 1))
    assert (made.language, made.buyer.name, made.buyer.postcode) == ("de", "Acme SE", "10115")
    assert missing_for_einvoice(made) == []
    files = await DocumentMaker().make(made)
    assert files.xml is not None
    assert b"<ram:TotalPrepaidAmount>3.00<" in files.xml


async def test_a_period_has_the_days_of_the_terms_that_it_was_billed_by(db: Database) -> None:
    org_id, july = await billing.organization(db), datetime(2026, 6, 30, 22, tzinfo=UTC)
    await billing.agree(db, org_id, 1, JANUARY, time_zone="Europe/Berlin")
    await billing.agree(db, org_id, 2, july, time_zone="America/Los_Angeles")
    june = {"period_start": datetime(2026, 5, 31, 22, tzinfo=UTC), "period_end": july}
    over = await finalised(db, org_id, billing.line(500, **june))
    assert over.lines[0].period == (date(2026, 6, 1), date(2026, 7, 1))
    under_way = {"period_start": july, "period_end": datetime(2026, 7, 31, 22, tzinfo=UTC)}
    after = await finalised(db, org_id, billing.line(500, **under_way))
    assert after.lines[0].period == (date(2026, 6, 30), date(2026, 7, 31))


async def test_prices_that_include_tax_show_it_and_come_to_the_same_total(db: Database) -> None:
    made = await finalised(db, await billing.organization(db), billing.line(11_900), includes_tax=True)
    assert (made.lines[0].amount_minor, made.subtotal_minor, made.total_minor) == (11_900, 10_000, 11_900)


async def test_who_is_billed_stays_who_it_was_when_the_invoice_was_finalised(db: Database) -> None:
    org_id = await billing.organization(db)
    await billing.located(db, org_id, legal_name="Before")
    row = await billing.finalise(db, await billing.draft(db, org_id))
    await billing.located(db, org_id, legal_name="After")
    assert (await says(db, row)).buyer.name == "Before"


async def test_where_nobody_charges_tax_the_document_speaks_of_none(db: Database) -> None:
    org_id = await billing.organization(db)
    untaxed = replace(billing.GERMAN, seller_country=None)
    row = await billing.finalise(db, await billing.draft(db, org_id), untaxed)
    made = await says(db, row)
    assert made.taxes == ()
    assert missing_for_einvoice(made) == ["taxes"]


async def test_a_credit_note_takes_back_net_and_tax_and_leaves_the_invoice_as_it_was(db: Database) -> None:
    org_id = await billing.organization(db)
    await billing.credit(db, org_id, 30 * billing.CREDIT, paid=300)
    row = await billing.finalise(db, await billing.draft(db, org_id, applies_credits=True))
    before = await says(db, row)
    async with db.platform() as session:
        issued = await credit_note.issue(
            session, billing.KIM, row.id, amount_minor=None, reason="Wrong", command_id=f"crn-{row.id}", now=billing.NOW
        )
    async with db.platform() as session:
        made = await document.of_credit_note(session, await billing.read(db, row.id), issued, SELLER)
    assert (made.subtotal_minor, made.tax_minor, made.reference) == (10_000, 1_900, before.number)
    assert missing_for_einvoice(made) == []
    assert (await DocumentMaker().make(made)).xml is not None
    assert before.prepaid_minor == 300
    assert await says(db, row) == before


async def test_a_draft_has_no_document(db: Database) -> None:
    row = await billing.draft(db, await billing.organization(db))
    with pytest.raises(WrongInvoiceState, match="no number"):
        await says(db, row)
