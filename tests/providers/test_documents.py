"""PDFs are read back by text extraction, and electronic invoices by their schema; pages are kept as pictures."""

from dataclasses import replace
from io import BytesIO
from itertools import pairwise
from pathlib import Path

import pytest
from facturx import get_facturx_xml_from_pdf, xml_check_xsd
from lxml import etree
from pypdf import PdfReader

from domain.billing.document.content import Document, DocumentLine, Party, TaxSum
from providers.documents.facturx import NoEInvoice, embed_invoice, invoice_xml
from providers.documents.maker import DocumentMaker
from providers.documents.typst import TEMPLATE, Typst, WrongTemplate
from tests.support.documents import (
    BUYER,
    REVERSE,
    SELLER,
    STANDARD,
    correction,
    credit_note,
    invoice,
    receipt,
    statement,
)

#: Where the pages lie after a run, to be looked at; git ignores it.
PICTURES = Path(__file__).resolve().parents[1] / "artefacts" / "documents"
CII = "{urn:un:unece:uncefact:data:standard:ReusableAggregateBusinessInformationEntity:100}"
SAMPLES = {
    "invoice-1-en-eur": invoice(1),
    "invoice-40-de-eur": invoice(40, language="de"),
    "invoice-400-en-kwd": invoice(400, currency="KWD"),
    "invoice-2-fr-eur": invoice(2, language="fr"),
    "invoice-2-es-eur": invoice(2, language="es", rates=(REVERSE,)),
    "receipt-de-jpy": receipt(language="de", currency="JPY"),
    "credit-note-en-eur": credit_note(rates=(REVERSE,)),
    "statement-de-eur": statement(language="de"),
    "statement-en-jpy": statement(currency="JPY"),
    "correction-de-kwd": correction(language="de", currency="KWD"),
}


@pytest.fixture(scope="module")
def typst() -> Typst:
    return Typst()


def pages(pdf: bytes) -> list[str]:
    return [" ".join(page.extract_text().split()) for page in PdfReader(BytesIO(pdf)).pages]


def amounts(xml: bytes) -> dict[str, str]:
    root = etree.fromstring(xml)
    summation = root.find(f".//{CII}SpecifiedTradeSettlementHeaderMonetarySummation")
    assert summation is not None
    return {etree.QName(each).localname: each.text or "" for each in summation}


@pytest.mark.parametrize("name", SAMPLES)
def test_pages_match_the_stored_pictures(name: str, typst: Typst) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    made = typst.pictures(SAMPLES[name])
    for number in {1, len(made)}:
        (PICTURES / f"{name}-{number}.png").write_bytes(made[number - 1])
    assert all(page.startswith(b"\x89PNG") for page in made)


def test_invoice_has_all_data_in_its_language(typst: Typst) -> None:
    (text,) = pages(typst.pdf(invoice(2, language="de")))
    for part in (
        *("Rechnung", "INV-000042", "1. November 2026", "Fällig 1. Dezember 2026", "Bursar Plattform GmbH"),
        *(
            "Acme Société Générale d'Études",
            "12 rue de la Paix",
            "75002 Paris",
            "Frankreich",
            "USt-IdNr.: FR40303265045",
        ),
        *("Agent 1: calls of the model, October", "1.\u201331. Okt. 2026", "Rabatt: -0,50", "1,62", "3,24", "7 %"),
        *("Steuer 19 % auf 0,75 EUR 0,14 EUR", "Gesamtbetrag 4,36 EUR", "Mit Guthaben bezahlt -0,25 EUR"),
        *("Zu zahlen 4,11 EUR", "PO 4711", "Seite 1 von 1"),
    ):
        assert part in text, (part, text)


@pytest.mark.parametrize("count", [40, 400])
def test_long_table_repeats_its_head_with_page_numbers_and_all_lines(count: int, typst: Typst) -> None:
    made = pages(typst.pdf(invoice(count)))
    assert len(made) > 1
    for number, text in enumerate(made, 1):
        assert f"Page {number} of {len(made)}" in text
        assert "Description Qty Unit price Tax Amount" in text
        assert (number > 1) == ("Invoice INV-000042 continued" in text)
    found = [" ".join(made).find(f"Agent {number}:") for number in range(count)]
    assert found[0] > 0
    assert all(earlier < later for earlier, later in pairwise(found))


@pytest.mark.parametrize(
    ("document", "parts"),
    [
        (receipt(currency="JPY"), ("Receipt", "10,000 JPY", "This receipt is not an invoice.")),
        (credit_note(currency="KWD"), ("Credit note", "Corrects INV-000042", "Amount credited 0.436 KWD")),
        (
            statement(language="de"),
            ("Gutschrift", "Zeitraum 1.\u201331. Okt. 2026", "Ausgezahlt -120,00 EUR", "Stand am Ende 24,05 EUR"),
        ),
        (
            correction(language="de"),
            ("Korrektur einer Gutschrift", "Korrigiert STM-000123", "Bezeichnung Steuer Betrag", "5,32 EUR"),
        ),
        (invoice(1, language="fr"), ("Facture", "Prix unitaire", "Montant à payer", "Page 1 sur 1")),
        (invoice(1, language="es"), ("Factura", "Precio unitario", "Importe a pagar", "Página 1 de 1")),
        (invoice(1, rates=(REVERSE,)), ("Reverse charge: the recipient owes the tax",)),
    ],
)
def test_every_kind_has_its_title_and_subject(document: Document, parts: tuple[str, ...], typst: Typst) -> None:
    (text,) = pages(typst.pdf(document))
    for part in parts:
        assert part in text, (part, text)


def test_the_same_document_gives_the_same_bytes_on_every_compiler(typst: Typst) -> None:
    first = typst.pdf(invoice(3))
    assert typst.pdf(invoice(4)) != first
    assert Typst().pdf(invoice(3)) == typst.pdf(invoice(3)) == first


MARKUP = '#panic("x") *b* _i_ $x$ `r` @ref <l> = h \\ #read("/etc/passwd") "] #[ // c'


def test_user_text_is_never_markup(typst: Typst) -> None:
    bad = DocumentLine(description=MARKUP, net_minor=100, tax=STANDARD)
    document = invoice(
        lines=(bad,),
        taxes=(TaxSum(tax=STANDARD, taxable_minor=100, tax_minor=19),),
        buyer=Party(name=MARKUP),
        note=MARKUP,
    )
    (text,) = pages(typst.pdf(document))
    assert text.count('#panic("x") *b* _i_ $x$ `r` @ref <l> = h \\') == 3


def test_a_name_in_a_script_without_a_font_and_an_endless_word_still_make_a_document(typst: Typst) -> None:
    assert "EUR" in pages(typst.pdf(invoice(buyer=Party(name="北京"))))[0]
    document = invoice(1)
    endless = replace(document.lines[0], description="x" * 200)
    (text,) = pages(typst.pdf(replace(document, lines=(endless,))))
    assert "Amount due 0.64 EUR" in text


def test_characters_invalid_in_xml_do_not_prevent_the_document() -> None:
    document = invoice(1, note="PO\x7f \uffff4711", buyer=replace(BUYER, name="Acme\uffff", line1="\ufffe12 Paix"))
    bad = replace(document.lines[0], description="Agent\x01 0\ufffe")
    files = DocumentMaker().make_now(
        replace(document, lines=(bad,), seller=replace(document.seller, name="Seller\uffff"))
    )
    assert files.xml is not None
    texts = {each.text for each in etree.fromstring(files.xml).iter()}
    assert {"Acme", "12 Paix", "Seller", "Agent 0", "PO\x7f 4711"} <= texts
    assert get_facturx_xml_from_pdf(files.pdf)[1] == files.xml


def test_an_electronic_invoice_is_in_the_pdf_and_adds_up_as_the_paper_does(typst: Typst) -> None:
    document = invoice(40, prepaid_minor=1_000, paid_minor=234)
    made = embed_invoice(typst.pdf(document), invoice_xml(document), document)
    name, inside = get_facturx_xml_from_pdf(made, check_xsd=True)
    assert name == "factur-x.xml"
    assert pages(made) == pages(typst.pdf(document))
    metadata = PdfReader(BytesIO(made)).xmp_metadata
    assert metadata is not None
    assert metadata.pdfaid_part == "3"
    told = amounts(inside)
    net, tax = (sum(each) for each in zip(*((s.taxable_minor, s.tax_minor) for s in document.taxes), strict=True))
    assert told == {
        "LineTotalAmount": f"{net / 100:.2f}",
        "TaxBasisTotalAmount": f"{net / 100:.2f}",
        "TaxTotalAmount": f"{tax / 100:.2f}",
        "GrandTotalAmount": f"{(net + tax) / 100:.2f}",
        "TotalPrepaidAmount": "12.34",
        "DuePayableAmount": f"{(net + tax - 1234) / 100:.2f}",
    }


def test_electronic_invoice_has_the_rounding() -> None:
    document = invoice(1, currency="HUF", prepaid_minor=0, rounded_minor=49)
    told = amounts(invoice_xml(document))
    assert (told["RoundingAmount"], told["GrandTotalAmount"]) == ("-0.49", f"{document.total_minor / 100:.2f}")
    assert told["DuePayableAmount"] == f"{(document.total_minor - 49) / 100:.2f}"


@pytest.mark.parametrize(
    "document",
    [invoice(3, rates=(REVERSE,)), credit_note(), invoice(1, currency="JPY")],
    ids=["reverse charge", "credit note", "yen"],
)
def test_electronic_invoices_of_every_form_pass_the_schema(document: Document) -> None:
    xml = invoice_xml(document)
    assert xml_check_xsd(xml, flavor="factur-x", level="en16931")
    assert b"INV-000042" in xml
    assert (b"ExemptionReason" in xml) == (document.taxes[0].tax == REVERSE)


def test_shared_discounts_make_one_unit_of_the_net_amount() -> None:
    """Quantity times price, less the discount, is the net amount of every line (BR-26 and what follows it)."""
    document = invoice(1)
    shared = replace(document.lines[0], net_minor=70)
    taxes = (TaxSum(tax=STANDARD, taxable_minor=70, tax_minor=13),)
    xml = etree.fromstring(invoice_xml(replace(document, lines=(shared,), taxes=taxes)))
    assert [xml.findtext(f".//{CII}{name}") for name in ("ChargeAmount", "BilledQuantity")] == ["0.70", "1"]


def test_a_seller_without_a_vat_number_is_known_by_its_registration() -> None:
    """BR-CO-26: a tax number alone identifies no seller."""
    seller = replace(SELLER, vat_id=None, tax_number="37/123/45678")
    xml = etree.fromstring(invoice_xml(invoice(1, seller=seller)))
    assert xml.findtext(f".//{CII}SellerTradeParty/{CII}SpecifiedLegalOrganization/{CII}ID") == SELLER.registration


def test_an_electronic_invoice_is_refused_where_something_lacks() -> None:
    with pytest.raises(NoEInvoice, match=r"buyer\.country"):
        invoice_xml(invoice(buyer=Party(name="Acme")))


def test_an_operators_template_takes_the_place_of_ours(tmp_path: Path) -> None:
    with pytest.raises(WrongTemplate, match=TEMPLATE):
        Typst(tmp_path)
    (tmp_path / TEMPLATE).write_text("#let d = json(bytes(sys.inputs.document))\nOurs: #d.number #d.sums.at(-1).amount")
    assert pages(Typst(tmp_path).pdf(invoice())) == ["Ours: INV-000042 0.64 EUR"]
    (tmp_path / TEMPLATE).write_text("#nothing")
    with pytest.raises(WrongTemplate, match="unknown variable"):
        Typst(tmp_path).pdf(invoice())
    (tmp_path / TEMPLATE).write_text('#read("/../../../../etc/passwd")')
    with pytest.raises(WrongTemplate):
        Typst(tmp_path).pdf(invoice())
