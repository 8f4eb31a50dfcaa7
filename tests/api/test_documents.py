"""Documents over HTTP: made once, never changed, and visible to everybody who may see their subject."""

import asyncio
from collections.abc import AsyncIterator
from io import BytesIO

import httpx2
import pytest
from pypdf import PdfReader
from sqlalchemy import select, text

from api.app import create_app
from domain.billing.tax.rates import TaxCategory
from domain.billing.tax.sale import SaleTax
from domain.payments.payment.purposes.invoice import invoice_paid
from domain.payments.payment.terms import Purpose, PurposeKind
from models.billing.document import StoredDocument
from models.messages.alert import Alert
from providers.formats import formats_of
from runtime.database import Database
from tests.activities.recording import record
from tests.api.conftest import Caller, Tenant, good, refused, settings_for
from tests.api.invoicing import PATH, issue
from tests.api.paying import NOW, Written
from tests.conftest import DatabaseUrls
from tests.support.serving import client_of

pytestmark = pytest.mark.db


@pytest.fixture(scope="module")
async def selling(database_urls: DatabaseUrls) -> AsyncIterator[httpx2.AsyncClient]:
    """An app whose settings name the seller."""
    application = create_app(settings_for(database_urls, seller_name="Seller & Söhne", seller_country="DE"))
    async with client_of(application) as client:
        yield client


def words(response: httpx2.Response) -> str:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/pdf"
    return " ".join(PdfReader(BytesIO(response.content)).pages[0].extract_text().split())


async def test_an_invoice_has_one_pdf_despite_changes_and_concurrent_requests(
    selling: httpx2.AsyncClient, tenant: Tenant, operator: Caller, database: Database
) -> None:
    made = await issue(operator, tenant, note="PO 4711")
    path, reader = f"{PATH}/{made['id']}/pdf", Caller(selling, tenant.auditor.token)
    first, *others = await asyncio.gather(*(reader.get(path) for _ in range(5)))
    text_of = words(first)
    for part in (made["number"], "Seller & Söhne", "Support, October", "4.25", "8.50", "Total 10.00 USD", "PO 4711"):
        assert part in text_of
    contacts = f"/organizations/{tenant.org_id}/contacts"
    good(await tenant.owner.ask("PUT", contacts, json={"language": "de", "contacts": []}))
    good(await operator.post(f"{PATH}/{made['id']}/void", key=made["id"]))
    later = await reader.get(path)
    assert {each.content for each in (*others, later)} == {first.content}
    assert made["number"] in first.headers["content-disposition"]
    async with database.platform() as session:
        (row,) = await session.scalars(select(StoredDocument).where(StoredDocument.subject == made["id"]))
    assert (row.version, row.kind, row.total_minor) == (1, "invoice", 1000)
    assert first.headers["etag"] == f'"{row.sha256}-pdf"'
    refused(await reader.get(f"{PATH}/{made['id']}/xml"), 409, "document.no_einvoice")
    good(await tenant.owner.ask("PUT", contacts, json={"contacts": []}))


async def test_a_paid_invoice_shows_its_payment_and_nothing_due(
    selling: httpx2.AsyncClient, tenant: Tenant, operator: Caller, database: Database
) -> None:
    made = await issue(operator, tenant)
    path, reader = f"{PATH}/{made['id']}/pdf", Caller(selling, tenant.auditor.token)
    text_of = words(await reader.get(path))
    assert "Amount due 10.00 USD" in text_of
    assert "The seller charges no tax on this." in text_of
    purpose = Purpose(kind=PurposeKind.INVOICE, invoice_id=made["id"], goods_minor=1_000, goods_asset="USD")
    paid = await Written(database, tenant.org_id, purpose=purpose).begin()
    paid.there.pay()
    await paid.look()
    assert paid.payment is not None
    await record(database, invoice_paid(paid.payment, at=NOW))
    response = await reader.get(path)
    paid_at = good(await reader.get(f"{PATH}/{made['id']}"))["paid_at"]
    paid_on = f"Paid on {formats_of('en').day(paid_at[:10])}"
    for part in (made["number"], "Paid -10.00 USD", "Amount due 0.00 USD", paid_on):
        assert part in words(response).replace("\N{MINUS SIGN}", "-")
    assert (await reader.get(path)).content == response.content


async def test_a_name_without_glyphs_alerts_operators(
    selling: httpx2.AsyncClient, tenant: Tenant, operator: Caller, database: Database
) -> None:
    made = [await issue(operator, tenant, note=note) for note in ("PO 4711", "\N{CJK UNIFIED IDEOGRAPH-5317}")]
    for each in made:
        words(await Caller(selling, tenant.auditor.token).get(f"{PATH}/{each['id']}/pdf"))
    query = select(Alert.subject).where(Alert.kind == "document.has_boxes", Alert.org_id.is_(None))
    async with database.platform() as session:
        assert {each["id"] for each in made} & set(await session.scalars(query)) == {made[1]["id"]}


async def test_a_payment_has_a_receipt_for_the_received_amount(
    selling: httpx2.AsyncClient, tenant: Tenant, database: Database
) -> None:
    paid = await Written(database, tenant.org_id).begin()
    path, reader = f"/payments/{paid.terms.payment_id}/receipt", Caller(selling, tenant.owner.token)
    refused(await reader.get(path), 409, "document.nothing_received")
    paid.there.pay()
    await paid.look()
    first = await reader.get(path)
    text_of = words(first)
    for part in ("Receipt", paid.terms.payment_id, paid.terms.description, "This receipt is not an invoice."):
        assert part in text_of
    assert (await reader.get(path)).content == first.content


async def test_a_sale_that_is_taxed_has_a_tax_document_for_each_movement(
    selling: httpx2.AsyncClient, tenant: Tenant, stranger: Tenant, database: Database
) -> None:
    tax = SaleTax(code="de-vat", category=TaxCategory.STANDARD, rate_e6=190_000, amount_minor=160)
    paid = await Written(database, tenant.org_id, tax=tax).begin()
    paid.there.pay()
    paid.there.refund(500)
    await paid.look()
    path, reader = f"/payments/{paid.terms.payment_id}", Caller(selling, tenant.auditor.token)
    first, back = good(await reader.get(f"{path}/receipts"))["data"]
    assert (first["amount"], first["net"], first["tax"], first["rate"]) == ("10.00", "8.40", "1.60", "0.19")
    assert (back["amount"], back["tax"]) == ("-5.00", "-0.80")
    receipt, note = words(await reader.get(f"{path}/receipt")), f"{path}/receipts/{back['id']}/pdf"
    for part in (first["number"], "Tax 19% on 8.40 USD", "1.60 USD", "10.00 USD", paid.terms.payment_id):
        assert part in receipt
    assert "is not an invoice" not in receipt
    for part in ("Credit note", back["number"], first["number"], "5.00 USD"):
        assert part in words(await reader.get(note))
    refused(await Caller(selling, stranger.owner.token).get(note), 404, "not_found")


async def test_documents_need_a_configured_seller(tenant: Tenant, operator: Caller) -> None:
    made = await issue(operator, tenant)
    refused(await tenant.owner.get(f"{PATH}/{made['id']}/pdf"), 409, "document.no_seller")


async def test_documents_are_the_tenants_own_and_never_change(
    selling: httpx2.AsyncClient, tenant: Tenant, stranger: Tenant, operator: Caller, database: Database
) -> None:
    made = await issue(operator, tenant)
    path = f"{PATH}/{made['id']}/pdf"
    words(await Caller(selling, operator.token).get(path))
    refused(await Caller(selling, stranger.owner.token).get(path), 404, "not_found")
    async with database.tenant(stranger.org_id) as session:
        assert list(await session.scalars(select(StoredDocument.id))) == []
    for statement in ("UPDATE documents SET number = 'x'", "DELETE FROM documents"):
        with pytest.raises(Exception, match="permission denied"):
            async with database.platform() as session:
                await session.execute(text(statement))
