"""Documents say what finalised invoices hold: tax, discounts, credits, and the recipient."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from api.v1.invoices.schemas import view
from domain.billing.document.content import Document, Party, Tax, missing_for_einvoice
from domain.billing.invoice.lines import Discount, InvoiceLine
from domain.billing.tax.rates import AppliedTax, TaxCategory
from domain.billing.tax.treatment import Treatment
from domain.common.errors import WrongInvoiceState
from models.billing.invoice import InvoiceRow
from providers.documents.maker import DocumentMaker
from repositories.billing import invoice_line
from runtime.database import Database
from services.billing import credit_note, document, invoice
from services.billing.outside_tax import TaxAnswer, taxed_lines
from tests.support import billing

pytestmark = pytest.mark.db

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
SELLER = Party(name="Seller GmbH", country="DE", vat_id="DE123456788")
STANDARD, REDUCED = Tax(category="S", rate_e6=190_000), Tax(category="S", rate_e6=70_000)
OCTOBER = {"period_start": datetime(2026, 9, 30, 22, tzinfo=UTC), "period_end": datetime(2026, 10, 31, 23, tzinfo=UTC)}


async def document_of_row(database: Database, row: InvoiceRow) -> Document:
    await billing.number_all(database)
    async with database.platform() as session:
        return await document.of_invoice(session, await billing.read(database, row.id), SELLER)


async def finalised(database: Database, org_id: str, *lines: InvoiceLine, **more: Any) -> Document:
    return await document_of_row(
        database, await billing.finalise(database, await billing.draft(database, org_id, *lines, **more))
    )


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


async def test_buyer_is_the_one_at_the_time_of_finalisation(db: Database) -> None:
    org_id = await billing.organization(db)
    await billing.located(db, org_id, legal_name="Before")
    row = await billing.finalise(db, await billing.draft(db, org_id))
    await billing.located(db, org_id, legal_name="After")
    assert (await document_of_row(db, row)).buyer.name == "Before"


async def test_document_without_tax_shows_no_tax(db: Database) -> None:
    org_id = await billing.organization(db)
    untaxed = replace(billing.GERMAN, seller_country=None)
    row = await billing.finalise(db, await billing.draft(db, org_id), untaxed)
    made = await document_of_row(db, row)
    assert made.taxes == ()
    assert missing_for_einvoice(made) == ["taxes"]


async def test_a_credit_note_reverses_net_and_tax_and_leaves_the_invoice_unchanged(db: Database) -> None:
    org_id = await billing.organization(db)
    await billing.credit(db, org_id, 30 * billing.CREDIT, paid=300)
    row = await billing.finalise(db, await billing.draft(db, org_id, applies_credits=True))
    before = await document_of_row(db, row)
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
    assert await document_of_row(db, row) == before


async def test_a_credit_note_has_no_document_before_its_invoice_has_a_number(db: Database) -> None:
    """It would be kept without the number of the invoice that it credits (BT-25)."""
    row = await billing.finalise(db, await billing.draft(db, await billing.organization(db)))
    with pytest.raises(WrongInvoiceState, match="no number"):
        await credited(db, row, None, "early")


async def credited(database: Database, row: InvoiceRow, amount_minor: int | None, command: str) -> Document:
    async with database.platform() as session:
        note = await credit_note.issue(
            session,
            billing.KIM,
            row.id,
            amount_minor=amount_minor,
            reason="Wrong",
            command_id=f"{command}-{row.id}",
            now=billing.NOW,
        )
    async with database.platform() as session:
        return await document.of_credit_note(session, await billing.read(database, row.id), note, SELLER)


def breakdown(made: Document) -> dict[Tax, tuple[int, int]]:
    """Return each tax's base and amount, and require that the lines and the file agree."""
    for each in made.taxes:
        assert sum(line.net_minor for line in made.lines if line.tax == each.tax) == each.taxable_minor
    return {each.tax: (each.taxable_minor, each.tax_minor) for each in made.taxes}


async def test_two_rates_under_one_code_are_two_taxes_of_the_invoice_and_of_its_credit_notes(db: Database) -> None:
    org_id = await billing.organization(db)
    await billing.rate(db, "de-vat", "DE", 70_000, product="books")
    lines = (billing.line(10_000), billing.line(5_000, tax_code="books"), billing.line(1_000))
    row = await billing.finalise(db, await billing.draft(db, org_id, *lines))
    made = await document_of_row(db, row)
    assert [line.tax for line in made.lines] == [STANDARD, REDUCED, STANDARD]
    shown = view(row, billing.NOW, None)
    assert [(line.tax_category, line.tax_rate) for line in shown.lines] == [("S", "0.19"), ("S", "0.07"), ("S", "0.19")]
    assert breakdown(made) == {STANDARD: (11_000, 2_090), REDUCED: (5_000, 350)}
    first, rest = await credited(db, row, 4_610, "some"), await credited(db, row, None, "all")
    assert breakdown(first) == {STANDARD: (2_750, 523), REDUCED: (1_250, 87)}
    assert breakdown(rest) == {STANDARD: (8_250, 1_567), REDUCED: (3_750, 263)}
    for each in (made, first, rest):
        xml = (await DocumentMaker().make(each)).xml
        assert xml is not None
        assert xml.count(b"<ram:CalculatedAmount>") == 2


async def test_categories_and_rates_with_one_code_from_an_outside_service_are_separate_taxes(db: Database) -> None:
    given = (("S", 200_000), ("E", 0), ("S", 55_000), ("S", 200_000))
    taxes = tuple(AppliedTax(code="vat", category=TaxCategory(category), rate_e6=rate) for category, rate in given)
    draft = await billing.draft(
        db, await billing.organization(db), *(billing.line(minor) for minor in (400, 300, 200, 100))
    )
    answer = TaxAnswer(taxed_lines(invoice_line.lines_of(draft)), Treatment(taxes=taxes, is_proven=True))
    async with db.platform() as session:
        row = await invoice.finalise(
            session,
            billing.KIM,
            draft.id,
            rules=replace(billing.GERMAN, needs_answer=True),
            answer=answer,
            command_id=f"final-{draft.id}",
            now=billing.NOW,
        )
    made = await document_of_row(db, row)
    assert [(line.tax and line.tax.category, line.tax and line.tax.rate_e6) for line in made.lines] == list(given)
    high, exempt, low = (Tax(category=category, rate_e6=rate) for category, rate in given[:3])
    whole = {high: (500, 100), exempt: (300, 0), low: (200, 11)}
    assert breakdown(made) == whole
    assert breakdown(await credited(db, row, None, "all")) == whole


async def test_a_note_of_tax_alone_has_its_amount(db: Database) -> None:
    row = await billing.finalise(db, await billing.draft(db, await billing.organization(db), billing.line(3)))
    await billing.number_all(db)
    notes = [await credited(db, row, 1, f"cent-{number}") for number in range(4)]
    assert [(note.subtotal_minor, note.tax_minor) for note in notes] == [(1, 0), (1, 0), (1, 0), (0, 1)]
    assert [breakdown(note) for note in notes][-1] == {STANDARD: (0, 1)}


async def test_a_draft_has_no_document(db: Database) -> None:
    row = await billing.draft(db, await billing.organization(db))
    with pytest.raises(WrongInvoiceState, match="no number"):
        await document_of_row(db, row)
