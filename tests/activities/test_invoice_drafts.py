"""The rows and transfers of finalising, numbering and closing an invoice."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import inspect, select, text

from commands.verify import verify
from domain.billing.invoice.lines import Discount
from domain.billing.invoice.rules import InvoiceRules
from domain.billing.tax.rates import AppliedTax, TaxCategory
from domain.billing.tax.treatment import Treatment
from domain.common.errors import IdempotencyConflict, TaxUnavailable, WrongInvoiceState
from models.billing.invoice import InvoiceRow
from models.messages.alert import Alert
from repositories.billing import invoice as invoices, invoice_line
from runtime.database import Database
from services.billing import credit_note, invoice, invoice_end
from services.billing.outside_tax import TaxAnswer, taxed_lines
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
    located,
    number_all,
    organization,
    rate,
    read,
)
from tests.support.connections import connected
from tests.support.looking import again

pytestmark = pytest.mark.db


async def sound(urls: DatabaseUrls) -> list[str]:
    async with connected(urls.platform) as connection:
        report = await verify(connection)
    return [violation for check in report.checks for violation in check.violations]


async def test_a_draft_is_edited_and_then_finalised_with_its_tax_and_its_credits(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    org = await organization(fresh_database)
    await credit(fresh_database, org, 100 * CREDIT)
    await credit(fresh_database, org, 200 * CREDIT, paid=2_000)
    made = await draft(fresh_database, org, line(1), due_in=timedelta(days=14), applies_credits=True)
    assert (made.status, made.number, await balances(fresh_database, org)) == (
        *("draft", None),
        {"receivable": 0, "credits": 300 * CREDIT},
    )
    async with fresh_database.platform() as session:
        await invoice.edit(
            session,
            KIM,
            made.id,
            lines=[line(10_000), line(2_000, stream="revenue/subscriptions", tax_code="book")],
            discounts=[Discount(description="Launch", share_e4=1_000)],
            now=NOW,
        )
    done = await finalise(fresh_database, made)
    # 120.00 less 10 % less 10.00 of granted credits is 98.00; 19 % are 18.62; 200 credits pay 20.00.
    assert (done.subtotal_minor, done.tax_minor, done.total_minor) == (9_800, 1_862, 11_662)
    assert (done.granted_minor, done.prepaid_minor, done.status, done.number) == (1_000, 2_000, "open", None)
    assert done.due_at - done.issued_at == timedelta(days=14)
    assert await balances(fresh_database, org) == {"receivable": -9_662, "credits": 0}
    assert [(each["net_minor"], each["tax"]) for each in done.lines] == [(8_167, "de-vat"), (1_633, "de-vat")]
    stored = await read(fresh_database, made.id)
    columns = [column.key for column in inspect(InvoiceRow).columns]
    assert [getattr(stored, name) for name in columns] == [getattr(done, name) for name in columns]
    assert await number_all(fresh_database) == 1
    assert (await read(fresh_database, made.id)).number == "INV-000001"
    assert await sound(fresh_database_urls) == []
    async with fresh_database.platform() as session:
        await invoice_end.void(session, KIM, made.id, "void-it", NOW)
    assert await balances(fresh_database, org) == {"receivable": 0, "credits": 300 * CREDIT}
    assert await sound(fresh_database_urls) == []


async def test_zero_invoices_and_those_that_credits_pay_are_paid_at_once(database: Database) -> None:
    org = await organization(database)
    zero = await finalise(database, await draft(database, org, line(0)))
    assert (zero.status, zero.total_minor, zero.transfer_id) == ("paid", 0, None)
    await credit(database, org, 1_000 * CREDIT, paid=10_000)
    paid = await finalise(database, await draft(database, org, line(1_000), applies_credits=True))
    assert (paid.status, paid.prepaid_minor) == ("paid", 1_190)
    assert await balances(database, org) == {"receivable": 0, "credits": 881 * CREDIT}


async def test_credits_are_not_taken_unless_asked_and_only_in_their_currency(database: Database) -> None:
    org = await organization(database)
    await credit(database, org, 100 * CREDIT, paid=1_000)
    assert (await finalise(database, await draft(database, org))).prepaid_minor == 0
    other = replace(GERMAN, granted=replace(GERMAN.granted, currency="EUR"))  # type: ignore[type-var]
    made = await finalise(database, await draft(database, org, applies_credits=True), other)
    assert (made.prepaid_minor, (await balances(database, org))["credits"]) == (0, 100 * CREDIT)


async def test_two_invoices_take_the_same_credits_once(database: Database) -> None:
    org = await organization(database)
    await credit(database, org, 1_000 * CREDIT, paid=10_000)
    made = [await draft(database, org, applies_credits=True) for _ in range(4)]
    done = await asyncio.gather(*(finalise(database, each) for each in made))
    assert sum(each.prepaid_minor for each in done) == 10_000
    assert await balances(database, org) == {"receivable": 10_000 - 4 * 11_900, "credits": 0}


async def test_finalising_twice_is_refused_and_the_same_command_finds_its_invoice(database: Database) -> None:
    org = await organization(database)
    made = await draft(database, org)
    done = await finalise(database, made)
    again = await finalise(database, made)
    assert (again.transfer_id, await balances(database, org)) == (
        done.transfer_id,
        {"receivable": -11_900, "credits": 0},
    )
    for act in (
        lambda s: invoice.finalise(s, KIM, made.id, rules=GERMAN, command_id="another", now=NOW),
        lambda s: invoice.edit(s, KIM, made.id, lines=[line(1)], now=NOW),
    ):
        with pytest.raises(WrongInvoiceState) as refusal:
            async with database.platform() as session:
                await act(session)
        assert refusal.value.extra == {"state": "open", "due": "119.00"}


async def test_pitfall_12_a_command_begins_one_draft_however_often_it_runs(database: Database) -> None:
    org = await organization(database)

    async def begin(currency: str = "USD") -> str:
        async with database.platform() as session:
            row = await invoice.draft(
                session, KIM, org_id=org, currency=currency, command_id=f"run-2026-06-{org}", now=NOW
            )
            return row.id

    assert len(set(await asyncio.gather(*(begin() for _ in range(5))))) == 1
    with pytest.raises(IdempotencyConflict):
        await begin("EUR")


async def test_pitfall_23_database_functions_cannot_change_a_finalised_invoice(database: Database) -> None:
    made = await finalise(database, await draft(database, await organization(database)))
    async with database.platform() as session:
        edited = text("SELECT invoice_edit(:id, '[]', '[]', 0, NULL, now())")
        assert await session.scalar(edited, {"id": made.id}) is False
        await session.execute(text("SELECT invoice_number(:id, 'INV-X')"), {"id": made.id})
        await session.execute(text("SELECT invoice_number(:id, 'INV-Y')"), {"id": made.id})
        assert await session.scalar(text("SELECT number FROM invoices WHERE id = :id"), {"id": made.id}) == "INV-X"
        await session.rollback()
    with pytest.raises(Exception, match="ck_invoices_status"):
        async with database.platform() as session:
            await session.execute(text("UPDATE invoices SET status = 'draft' WHERE id = :id"), {"id": made.id})


async def test_pitfall_15_pages_number_all_without_gaps_while_others_finalise_and_issue(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    orgs = [await organization(fresh_database) for _ in range(3)]
    made = [await draft(fresh_database, org) for org in orgs * 10]

    async def page() -> int:
        async with fresh_database.platform() as session:
            return await invoice.number_page(session, limit=7)

    async def issue(org: str) -> None:
        async with fresh_database.platform() as session:
            await invoice.issue(
                session,
                KIM,
                org_id=org,
                currency="USD",
                lines=[line(5)],
                note=None,
                due_in=timedelta(days=1),
                command_id=f"issue-{org}",
                now=NOW,
            )

    await asyncio.gather(
        *(finalise(fresh_database, each) for each in made), *(page() for _ in range(6)), *map(issue, orgs)
    )
    while await page():
        await again()
    async with fresh_database.platform() as session:
        numbers = (await session.scalars(text("SELECT number FROM invoices ORDER BY number"))).all()
    assert numbers == [f"INV-{number:06d}" for number in range(1, 34)]
    assert await sound(fresh_database_urls) == []


async def test_pitfall_15_a_page_neither_waits_for_a_locked_invoice_nor_leaves_a_gap(database: Database) -> None:
    org = await organization(database)
    series = f"invoice/T{org[-5:].upper()}"
    rules = InvoiceRules(entity=series.partition("/")[2])
    made = [await draft(database, org, entity=series.partition("/")[2]) for _ in range(3)]
    for each in made:
        await finalise(database, each, rules)
    async with database.platform() as session:
        await invoices.get(session, made[1].id, locked=True)
        assert await number_all(database, series) == 2
    assert await number_all(database, series) == 1
    numbers = [(await read(database, each.id)).number for each in made]
    assert [number and number[-6:] for number in numbers] == ["000001", "000003", "000002"]


async def test_country_that_is_not_proven_is_charged_the_highest_rate_and_queued(database: Database) -> None:
    org = await organization(database)
    await rate(database, "hu-vat", "HU", 270_000)
    await located(database, org, "HU", card_country="DE")
    made = await finalise(database, await draft(database, org))
    assert (made.tax_minor, made.is_proven) == (2_700, False)
    async with database.platform() as session:
        queued = (await session.scalars(select(Alert.kind).where(Alert.subject == made.id))).all()
    assert queued == ["tax.country_unproven"]
    await located(database, org, "HU")
    made = await finalise(database, await draft(database, org))
    assert ([each["code"] for each in made.taxes], made.is_proven) == (["hu-vat"], True)


async def test_reverse_charge_needs_a_number_that_was_confirmed_with_its_reference(database: Database) -> None:
    org = await organization(database)
    await rate(database, "fr-vat", "FR", 200_000)
    await located(database, org, "FR", vat_id="FR40303265045")
    assert (await finalise(database, await draft(database, org))).tax_minor == 2_000
    await located(database, org, "FR", vat_reference="WAPIAAAA", vat_confirmed_at=NOW)
    made = await finalise(database, await draft(database, org))
    assert (made.tax_minor, made.taxes[0]["category"]) == (0, "AE")
    assert made.party == {"country": "FR", "vat_id": "FR40303265045", "vat_reference": "WAPIAAAA"}


async def test_an_outside_answer_overrides_stored_rates_and_must_match_the_lines(
    database: Database,
) -> None:
    made = await draft(database, await organization(database))
    said = AppliedTax(code="us-ny", category=TaxCategory.STANDARD, rate_e6=88_750)
    lines = taxed_lines(invoice_line.lines_of(made))
    answer = TaxAnswer(lines, Treatment(taxes=(said,), is_proven=True))
    stale = replace(answer, lines=(replace(lines[0], amount_minor=1),))

    async def finalised(given: TaxAnswer | None) -> InvoiceRow:
        async with database.platform() as session:
            rules = replace(GERMAN, needs_answer=True)
            return await invoice.finalise(
                session, KIM, made.id, rules=rules, answer=given, command_id=f"f-{made.id}", now=NOW
            )

    for missing in (None, stale):
        with pytest.raises(TaxUnavailable):
            await finalised(missing)
    done = await finalised(answer)
    assert ([each["code"] for each in done.taxes], done.tax_minor) == (["us-ny"], 888)


async def test_given_up_invoice_is_bad_debt_once(database: Database) -> None:
    org = await organization(database)
    made = await finalise(database, await draft(database, org))
    for _ in range(2):
        async with database.platform() as session:
            given_up = await invoice_end.mark_uncollectible(session, KIM, made.id, f"give-up-{made.id}", NOW)
    assert (given_up.status, given_up.written_off_minor) == ("uncollectible", 11_900)
    assert (await balances(database, org))["receivable"] == 0
    with pytest.raises(WrongInvoiceState):
        async with database.platform() as session:
            await invoice_end.mark_uncollectible(session, KIM, made.id, "again", NOW)


async def test_two_rates_under_one_code_share_an_account_and_the_books_are_sound(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    org = await organization(fresh_database)
    await rate(fresh_database, "de-vat", "DE", 70_000, product="books")
    row = await finalise(fresh_database, await draft(fresh_database, org, line(10_000), line(5_000, tax_code="books")))
    assert [(each["code"], each["rate_e6"], each["tax_minor"]) for each in row.taxes] == [
        ("de-vat", 190_000, 1_900),
        ("de-vat", 70_000, 350),
    ]
    for amount in (4_000, None):
        async with fresh_database.platform() as session:
            await credit_note.issue(
                session, KIM, row.id, amount_minor=amount, reason="Wrong", command_id=f"{amount}-{row.id}", now=NOW
            )
    assert (await balances(fresh_database, org))["receivable"] == 0
    withdrawn = await finalise(fresh_database, await draft(fresh_database, org, line(900), line(70, tax_code="books")))
    await number_all(fresh_database)
    async with fresh_database.platform() as session:
        await invoice_end.void(session, KIM, withdrawn.id, f"void-{withdrawn.id}", NOW)
    assert await sound(fresh_database_urls) == []
