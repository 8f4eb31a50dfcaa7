"""The amount due on an invoice can be charged: decimals that no provider accepts are rounded off, and booked."""

from contextlib import nullcontext
from datetime import timedelta

import pytest

from domain.billing.credit_note import CreditsTaken, compute_note
from domain.billing.invoice.lines import InvoiceLine
from domain.billing.invoice.state import InvoiceBalance, InvoiceStatus
from domain.common import accounts
from domain.common.errors import Invalid, WrongInvoiceState
from domain.payments.payment.purposes.invoice import invoice_paid
from ledger.gateway import Ledger
from models.billing.invoice import CreditNoteRow, InvoiceRow
from providers.payments.limits import check_chargeable
from runtime.database import Database, driver_connection
from services.billing import credit_note, document, invoice, invoice_end
from tests.activities.test_invoice_drafts import sound
from tests.api.paying import Written
from tests.conftest import DatabaseUrls
from tests.support.billing import GERMAN, KIM, NOW, line, organization, read
from tests.support.documents import SELLER
from tests.support.invoices import Issued
from tests.support.mirrored_bills import Mirrored

pytestmark = pytest.mark.db


async def issued(database: Database, org: str, currency: str, *lines: InvoiceLine) -> InvoiceRow:
    async with database.platform() as session:
        return await invoice.issue(
            session,
            KIM,
            org_id=org,
            currency=currency,
            lines=lines,
            note=None,
            due_in=timedelta(days=14),
            rules=GERMAN,
            command_id=f"{currency}-{lines[0].fixed_minor}-{org}",
            now=NOW,
        )


async def note(database: Database, row: InvoiceRow, minor: int | None) -> CreditNoteRow:
    async with database.platform() as session:
        return await credit_note.issue(
            session, KIM, row.id, amount_minor=minor, reason="Sorry", command_id=f"{minor}-{row.id}", now=NOW
        )


async def held(database: Database, org: str, currency: str) -> tuple[int, int]:
    async with database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        found = await ledger.balances([accounts.org_receivable(org, currency), accounts.platform("rounding", currency)])
    return found[0].posted_minor, found[1].posted_minor


@pytest.mark.parametrize(
    ("currency", "net", "total", "rounded"),
    [
        *(("BHD", 1_051, 1_251, 1), ("KWD", 1_055, 1_255, 5), ("JOD", 1_058, 1_259, 9), ("OMR", 4, 5, 5)),
        *(("TND", 1_000, 1_190, 0), ("HUF", 100_001, 119_001, 1), ("TWD", 10_050, 11_960, 60)),
        *(("UGX", 1_001, 1_191, 0), ("ISK", 999, 1_189, 0), ("MGA", 10_050, 11_960, 60), ("USD", 105, 125, 0)),
    ],
)
async def test_amount_due_can_be_charged_by_each_provider(
    fresh_database: Database, fresh_database_urls: DatabaseUrls, currency: str, net: int, total: int, rounded: int
) -> None:
    org = await organization(fresh_database)
    made = await issued(fresh_database, org, currency, line(net))
    assert (made.total_minor, made.rounded_minor, made.tax_minor) == (total, rounded, total - net)
    assert await held(fresh_database, org, currency) == (-(total - rounded), -rounded)
    assert made.status == ("open" if total > rounded else "paid")
    if total > rounded and currency not in {"HUF", "ISK", "MGA", "UGX", "TWD"}:
        check_chargeable("stripe", total - rounded, currency)
    async with fresh_database.platform() as session:
        said = await document.of_invoice(session, await read(fresh_database, made.id), SELLER)
    assert (said.total_minor, said.rounded_minor, said.due_minor) == (total, rounded, total - rounded)
    assert await sound(fresh_database_urls) == []


async def test_a_period_that_its_provider_charged_is_not_rounded(fresh_database: Database) -> None:
    org = await organization(fresh_database)
    made = await issued(fresh_database, org, "HUF", line(100_001, stream="deferred_subscriptions"))
    assert (made.total_minor, made.rounded_minor) == (119_001, 0)


async def test_a_note_for_the_whole_invoice_includes_the_rounding(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    org = await organization(fresh_database)
    made = await issued(fresh_database, org, "BHD", line(1_055))
    with pytest.raises(Invalid, match=r"multiple of 0\.01 BHD"):
        await note(fresh_database, made, 3)
    first = await note(fresh_database, made, 250)
    assert await held(fresh_database, org, "BHD") == (-1_000, -5)
    last = await note(fresh_database, made, None)
    assert (last.amount_minor, last.rounded_minor, first.tax_minor + last.tax_minor) == (1_005, 5, made.tax_minor)
    assert await held(fresh_database, org, "BHD") == (0, 0)
    async with fresh_database.platform() as session:
        row = await read(fresh_database, made.id)
        said = await document.of_invoice(session, row, SELLER)
        credited = await document.of_credit_note(session, row, last, SELLER)
    assert (row.status, row.rounded_minor, said.due_minor, credited.due_minor) == ("paid", 0, 1_250, 1_000)
    assert await sound(fresh_database_urls) == []


@pytest.mark.parametrize(("due", "amount", "is_refused"), [(100, 50, True), (150, 100, False), (150, 50, False)])
def test_note_that_leaves_an_unchargeable_rest_is_refused(due: int, amount: int, is_refused: bool) -> None:
    """A refund may have left such a rest, and a refund with a note of its own goes on."""
    standing = InvoiceBalance(status=InvoiceStatus.OPEN, total_minor=1_000, paid_minor=1_000 - due)
    with pytest.raises(Invalid) if is_refused else nullcontext():
        compute_note(standing, CreditsTaken(), credited_minor=0, amount_minor=amount, currency="HUF", unit_minor=100)


async def test_voiding_reverses_the_rounding(fresh_database: Database, fresh_database_urls: DatabaseUrls) -> None:
    org = await organization(fresh_database)
    made = await issued(fresh_database, org, "BHD", line(1_055))
    async with fresh_database.platform() as session:
        await invoice_end.void(session, KIM, made.id, f"void-{made.id}", NOW)
    assert await held(fresh_database, org, "BHD") == (0, 0)
    lost = await issued(fresh_database, org, "BHD", line(1_056))
    async with fresh_database.platform() as session:
        row = await invoice_end.mark_uncollectible(session, KIM, lost.id, f"lost-{lost.id}", NOW)
    assert (row.status, row.written_off_minor) == ("uncollectible", 1_250)
    assert await sound(fresh_database_urls) == []


async def test_full_refund_with_a_credit_note_includes_the_rounding(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    org = await organization(fresh_database)
    made = await issued(fresh_database, org, "BHD", line(1_055))
    written = Written(
        fresh_database, org, purpose=Issued(fresh_database, made).purpose, amount_minor=1_250, currency="BHD"
    )
    await written.begin()
    written.there.pay(fee=0)
    await written.look()
    assert written.payment is not None
    await written._write(invoice_paid(written.payment, at=NOW))
    row = await read(fresh_database, made.id)
    assert (row.status, row.paid_minor) == ("paid", 1_250)
    mirrored = Mirrored(fresh_database, org, payment_id=written.terms.payment_id)
    mirrored.terms, mirrored.payment, mirrored.there = written.terms, written.payment, written.there
    assert (await mirrored.refund(with_credit_note=True)).applied
    row = await read(fresh_database, made.id)
    assert (row.status, row.paid_minor, row.credited_minor, row.rounded_minor) == ("paid", 0, 1_255, 0)
    assert await held(fresh_database, org, "BHD") == (0, 0)
    assert await sound(fresh_database_urls) == []


async def disputed(database: Database, currency: str, net: int, *, due: int) -> tuple[str, InvoiceRow, Mirrored]:
    """An invoice that is paid, of which a part of 4.00 or 0.400 was disputed and then given up."""
    org = await organization(database)
    made = await issued(database, org, currency, line(net))
    written = Written(database, org, purpose=Issued(database, made).purpose, amount_minor=due, currency=currency)
    await written.begin()
    written.there.pay(fee=0)
    await written.look()
    assert written.payment is not None
    await written._write(invoice_paid(written.payment, at=NOW))
    written.there.dispute(400)
    await written.look()
    async with database.platform() as session:
        await invoice_end.mark_uncollectible(session, KIM, made.id, f"lost-{made.id}", NOW)
    mirrored = Mirrored(database, org, payment_id=written.terms.payment_id)
    mirrored.terms, mirrored.payment, mirrored.there = written.terms, written.payment, written.there
    return org, made, mirrored


async def test_partly_given_up_invoice_cannot_be_voided(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    org, made, paid = await disputed(fresh_database, "USD", 1_000, due=1_190)
    paid.there.dispute(790)
    await paid.look()
    row = await read(fresh_database, made.id)
    assert (row.status, row.paid_minor, row.written_off_minor) == ("open", 0, 400)
    async with fresh_database.platform() as session:
        with pytest.raises(WrongInvoiceState, match="partially given up"):
            await invoice_end.void(session, KIM, made.id, f"void-{made.id}", NOW)
    assert await held(fresh_database, org, "USD") == (-790, 0)
    assert await sound(fresh_database_urls) == []


async def test_refund_with_a_credit_note_leaves_the_write_off_and_the_rounding(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    org, made, paid = await disputed(fresh_database, "BHD", 1_055, due=1_250)
    assert (await paid.refund(with_credit_note=True)).applied
    row = await read(fresh_database, made.id)
    assert (row.status, row.paid_minor, row.credited_minor, row.written_off_minor) == ("paid", 0, 850, 400)
    assert await held(fresh_database, org, "BHD") == (0, -5)
    assert await sound(fresh_database_urls) == []


async def test_won_dispute_pays_the_given_up_part_of_an_invoice(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    org, made, paid = await disputed(fresh_database, "USD", 1_000, due=1_190)
    (ref,) = paid.there.disputes
    paid.there.close_dispute(ref, won=True)
    await paid.look()
    row = await read(fresh_database, made.id)
    assert (row.status, row.paid_minor, row.written_off_minor) == ("paid", 1_190, 0)
    async with fresh_database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        left = await ledger.balances([accounts.org_cash(org, "USD"), accounts.platform("bad_debt", "USD")])
    assert [each.posted_minor for each in left] == [0, 0]
    assert await sound(fresh_database_urls) == []
