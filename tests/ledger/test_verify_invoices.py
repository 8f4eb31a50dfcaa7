"""Each way in which invoices and the books can disagree is found and named."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import asyncpg
import pytest

from commands.base import connected
from commands.skip_numbers import skip
from commands.verify import verify
from domain.common import accounts
from ledger.gateway import PostedTransfer, Posting
from tests.conftest import DatabaseUrls
from tests.ledger.damage import assert_found
from tests.support.books import NOW, Books, open_books

pytestmark = pytest.mark.db

ORG = "org_acme"
RECEIVABLE = accounts.org_receivable(ORG, "USD")
REVENUE = accounts.platform("revenue/invoices", "USD")
OWN = accounts.payment("pay_1", "USD", ORG)
CLEARING = accounts.provider_clearing("credits", "USD")

DUE, COMES_TO, PAID, NUMBERED = "each organization's", "every invoice", "each invoice's", "document numbers"
DAMAGES = {
    "invoice that says more was paid": (
        "UPDATE invoices SET paid_minor = paid_minor + 1 WHERE status = 'open'",
        {DUE, PAID},
    ),
    "payment that says it paid more": ("UPDATE invoice_payments SET amount_minor = amount_minor + 1", {PAID}),
    "payment that paid another invoice than it says, for as much": (
        "UPDATE invoice_payments SET payment_id = 'pay_2'",
        {PAID},
    ),
    "payment that nobody knows": ("DELETE FROM invoice_payments", {PAID}),
    "invoice of another total": (
        "UPDATE invoices SET total_minor = total_minor + 5, subtotal_minor = subtotal_minor + 5 WHERE status = 'open'",
        {DUE, COMES_TO},
    ),
    "invoice in another currency": ("UPDATE invoices SET currency = 'EUR' WHERE status = 'open'", {DUE, COMES_TO}),
    "invoice of another organization": ("UPDATE invoices SET org_id = 'org_b' WHERE status = 'open'", {DUE, COMES_TO}),
    "lines that do not add up": (
        """UPDATE invoices SET lines = '[{"description": "x", "quantity": 3, "unit_minor": 333}]'""",
        {COMES_TO},
    ),
    "lines that are lost": ("UPDATE invoices SET lines = '[]'", {COMES_TO}),
    "invoice that was issued by another transfer": ("UPDATE invoices SET transfer_id = uuidv7()", {COMES_TO}),
    "invoice that was withdrawn and is open again": (
        "UPDATE invoices SET status = 'open', void_transfer_id = NULL, void_command_id = NULL WHERE status = 'void'",
        {DUE},
    ),
    "invoice that says it was withdrawn": (
        "UPDATE invoices SET status = 'void', paid_minor = 0, void_transfer_id = uuidv7(), void_command_id = 'y'"
        " WHERE status = 'open'",
        {DUE, COMES_TO, PAID},
    ),
    "invoice that was erased": ("DELETE FROM invoices WHERE status = 'void'", {NUMBERED}),
    "two invoices of one number": (
        "ALTER TABLE invoices DROP CONSTRAINT uq_invoices_number; UPDATE invoices SET number = 'INV-000001'",
        {NUMBERED},
    ),
    "number beyond the last": ("UPDATE invoices SET number = 'INV-000003' WHERE number = 'INV-000002'", {NUMBERED}),
    "number that is none": ("UPDATE invoices SET number = 'INV-2' WHERE number = 'INV-000002'", {NUMBERED}),
    "sequence set forward": ("UPDATE number_sequences SET last = 7", {NUMBERED}),
    "sequence lost": ("DELETE FROM number_sequences", {NUMBERED}),
    "number of a gap": (
        "SELECT skip_numbers(ARRAY['invoice'], 5);"
        "UPDATE invoices SET number = 'INV-000004' WHERE number = 'INV-000002'",
        {NUMBERED},
    ),
    "gap that no series has": ("INSERT INTO number_gaps (name, first, last) VALUES ('invoice', 3, 9)", {NUMBERED}),
}


@pytest.fixture
async def invoiced(fresh_database_urls: DatabaseUrls) -> AsyncIterator[Books]:
    """One invoice of which a payment has paid a part, and one that was withdrawn."""
    async with two_invoices(fresh_database_urls) as books:
        yield books


@pytest.fixture(scope="module")
async def sound_database(module_database_urls: DatabaseUrls) -> DatabaseUrls:
    """A database with these invoices, which tests leave as it is."""
    async with two_invoices(module_database_urls) as books:
        await books.assert_proven()
    return module_database_urls


@asynccontextmanager
async def two_invoices(urls: DatabaseUrls) -> AsyncIterator[Books]:
    async with open_books(urls.platform, clients=1) as books:
        owner = await asyncpg.connect(urls.owner)
        # The organization and the payment are not needed.
        await owner.execute("SET session_replication_role = replica")
        try:
            issued = [await post(books, f"issue {number}", Posting(RECEIVABLE, REVENUE, 1000)) for number in (1, 2)]
            withdrawn = await post(books, "withdraw", Posting(REVENUE, RECEIVABLE, 1000))
            await post(books, "payment.received", Posting(CLEARING, OWN, 400))
            await post(books, "payment.invoice_paid", Posting(OWN, RECEIVABLE, 400))
            lines = json.dumps([{"description": "x", "quantity": 2, "unit_minor": 500}])
            for number, (status, paid, void) in enumerate((("open", 400, None), ("void", 0, withdrawn)), start=1):
                await owner.execute(
                    "INSERT INTO invoices (id, org_id, number, status, currency, total_minor, subtotal_minor,"
                    " paid_minor, lines, issued_at, due_at, updated_at, transfer_id, void_transfer_id, created_by,"
                    " command_id, void_command_id, finalise_command_id)"
                    " VALUES ($1, $2, $3, $4, 'USD', 1000, 1000, $5, $6, now(), now(), now(), $7, $8, 'x',"
                    " $1, $9, $1)",
                    *(f"inv_{number}", ORG, f"INV-{number:06d}", status, paid, lines),
                    *(issued[number - 1].transfer_id, void and void.transfer_id, void and "x"),
                )
            await owner.execute("INSERT INTO number_sequences (name, last) VALUES ('invoice', 2)")
            await owner.execute(
                "INSERT INTO invoice_payments (invoice_id, payment_id, org_id, amount_minor, updated_at)"
                " VALUES ('inv_1', 'pay_1', $1, 400, now())",
                ORG,
            )
        finally:
            await owner.close()
        yield books


async def post(books: Books, kind: str, posting: Posting) -> PostedTransfer:
    return await books.ledger.post_compound(
        key=kind, kind=kind, postings=[posting], reference="pay_1", effective_at=NOW
    )


@pytest.mark.parametrize("name", DAMAGES)
async def test_damage_is_found_and_named(sound_database: DatabaseUrls, name: str) -> None:
    await assert_found(sound_database, DAMAGES[name])


async def test_receivable_that_no_invoice_tells_of_is_found(invoiced: Books) -> None:
    other = accounts.org_receivable("org_other", "EUR")
    revenue = accounts.platform("revenue/invoices", "EUR")
    await post(invoiced, "by hand", Posting(other, revenue, 7))
    report = await verify(invoiced.connections[0])
    [check] = [check for check in report.checks if check.violation_count]
    assert check.violations == ("org_other EUR: due 0, receivable 7",)


async def test_numbers_go_on_behind_a_gap_that_is_recorded(invoiced: Books, fresh_database_urls: DatabaseUrls) -> None:
    gaps = await connected(fresh_database_urls.owner, partial(skip, by=1_000))
    assert [(gap.first, gap.last) for gap in gaps if gap.series == "invoice"] == [(3, 1_002)]
    assert [(gap.first, gap.last) for gap in gaps if gap.series == "credit_note"] == [(1, 1_000)]
    assert "INV-000003 to INV-001002 are passed over: the next one is INV-001003" in [gap.line() for gap in gaps]
    await invoiced.assert_proven()
    await connected(fresh_database_urls.owner, _numbered_anew)
    number = await invoiced.connections[0].fetchval("SELECT number FROM invoices WHERE id = 'inv_1'")
    assert number == "INV-001003"


async def test_series_of_an_entity_whose_first_document_is_lost_goes_on_behind_a_gap(
    fresh_database_urls: DatabaseUrls, invoiced: Books
) -> None:
    async def sold_to(owner: asyncpg.Connection) -> None:
        await owner.execute("SET session_replication_role = replica")
        await owner.execute(
            "INSERT INTO billing_profiles (org_id, legal_entity, updated_by) VALUES ($1, 'SOUTH', 'x')", ORG
        )

    await connected(fresh_database_urls.owner, sold_to)
    gaps = await connected(fresh_database_urls.owner, partial(skip, by=1_000, entities=["NORTH"]))
    passed = {gap.series: (gap.first, gap.last) for gap in gaps}
    assert passed["invoice/NORTH"] == passed["statement/NORTH"] == passed["receipt/SOUTH"] == (1, 1_000)
    await invoiced.assert_proven()


async def _numbered_anew(owner: asyncpg.Connection) -> None:
    await owner.execute("SET session_replication_role = replica")
    await owner.execute("UPDATE invoices SET number = NULL WHERE id = 'inv_1'")
    assert await owner.fetchval("SELECT invoice_number_page('invoice', 'INV-', 10)") == 1
