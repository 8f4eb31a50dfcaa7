"""Pages of a billing run: the rows that each invoice gets, and the round trips to PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import asyncpg
import pytest
from sqlalchemy import func, insert, select, text
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.billing.billing_run import BillingRunActivities, CollectionSetup
from contracts.billing.billing_run import BillingRunResult, ConcludeBillingRun, InvoicePage, PlanBillingRun
from domain.billing.billing_run.period import period_of
from domain.billing.billing_terms import BillingTerms, TermsVersion, UsageMode
from domain.billing.document.content import Document
from domain.billing.invoice.rules import InvoiceRules
from domain.billing.legal_entity import LegalEntities, LegalEntity
from domain.billing.tax.rates import AppliedTax, TaxCategory
from domain.billing.tax.treatment import Treatment
from domain.common.credits import CreditPrice
from domain.common.errors import Conflict, OrganizationNotEmpty, Unavailable
from domain.usage.charge import CostRules
from ledger.spending import Spending
from ledger.spends import NewSpend
from models.billing.billing_profile import TaxRateRow
from models.billing.billing_run import InvoiceItemRow
from models.billing.document import StoredDocument
from models.messages.alert import Alert
from models.messages.mail import QueuedMail
from models.usage.usage_charge import UsageChargeRow
from providers.documents.maker import DocumentFiles, DocumentMaker
from providers.documents.typst import WrongTemplate
from providers.payments.base import ProviderRefused
from providers.tax.service import TaxQuestion
from repositories.billing import billing_terms, invoice_collection as collections
from repositories.credits.spend_day import roll_up
from repositories.tenants import organization as organizations
from repositories.usage.model_price import PriceBook
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.billing import billing_month, billing_profile, billing_run, invoice, invoice_item, outside_tax
from services.billing.billing_month import PreparedInvoice
from services.billing.billing_run import PageInput
from services.billing.document_files import Documents
from services.books.exchange_rate import store_granted_value
from services.tenants import organization
from services.usage import usage, usage_charge
from services.usage.rating import Rates
from services.usage.usage_validation import Delivery
from tests.conftest import DatabaseUrls
from tests.support.arrears import Market, at
from tests.support.billing import CREDIT, GERMAN, KIM, agree, balances, credit, located, rate
from tests.support.connections import as_owner
from tests.support.documents import SELLER, selling
from tests.support.listening import Listening
from tests.support.locks import somebody_waits
from tests.support.proving import prove_all

pytestmark = pytest.mark.db

JANUARY = date(2026, 1, 1)
OVER = at(date(2026, 2, 3))


@dataclass
class Page:
    database: Database
    listening: Listening
    market: Market
    urls: DatabaseUrls

    async def user(self, units: int = 20, **terms: Any) -> str:
        """Return an organization with usage in January, at a price of 1.00 each."""
        org_id = await self.market.debtor(JANUARY, **terms)
        await self.market.use(org_id, at(date(2026, 1, 5)), units)
        return org_id

    async def item(self, org_id: str, unit_minor: int, currency: str = "USD") -> None:
        """Add something that is charged once."""
        row = {"id": new_id("ii"), "org_id": org_id, "currency": currency, "description": "Set-up", "quantity": 1}
        async with self.database.platform() as session:
            await session.execute(
                insert(InvoiceItemRow).values(
                    {**row, "unit_minor": unit_minor, "created_by": "kim", "command_id": row["id"]}
                )
            )

    async def spend(self, org_id: str) -> None:
        """Spend 30 credits of an organization."""
        async with self.database.platform() as session:
            spent = NewSpend(key=new_id("key"), action="api_call", amount_minor=30 * CREDIT, quantity=1)
            await Spending(await driver_connection(session), org_id).charge(spent, at=OVER)

    async def read(
        self, org_ids: Sequence[str], rules: InvoiceRules = GERMAN
    ) -> tuple[list[PreparedInvoice], PageInput]:
        async with self.database.platform() as session:
            await billing_month.seal(session, org_ids, JANUARY, OVER)
        async with self.database.platform() as session:
            markup = rules.cost_markup_e6
            prepared, _ = await billing_month.prepare(session, org_ids, JANUARY, OVER, markup_e6=markup)
            return prepared, await billing_run.read_input(session, org_ids, rules, OVER)

    async def issue(self, prepared: PreparedInvoice, basis: PageInput) -> bool:
        async with self.database.platform_statement() as connection:
            return await billing_run.issue(connection, prepared, basis, OVER)


@pytest.fixture
async def page(fresh_database_urls: DatabaseUrls) -> AsyncIterator[Page]:
    database = Database(fresh_database_urls.tenant, fresh_database_urls.platform, pre_ping=False)
    listening = Listening(database)
    yield Page(database, listening, await Market(database).open(), fresh_database_urls)
    await database.close()


async def test_an_invoice_is_one_statement_with_its_tax_credits_and_alert(page: Page) -> None:
    org, unknown = await page.user(), await page.user()
    await located(page.database, org)
    await rate(page.database, "de-vat", "DE", 190_000)
    await page.item(org, 500)
    await credit(page.database, org, 50 * CREDIT)
    await credit(page.database, org, 40 * CREDIT, paid=100)
    (first, second), basis = await page.read([org, unknown])
    page.listening.heard()
    assert await page.issue(first, basis)
    assert page.listening.heard() == ["SELECT"]
    assert await page.issue(second, basis)
    assert not await page.issue(first, basis)
    [row] = await page.market.invoices(org)
    # 25.00 less 5.00 of granted credits, 19 % of it, and 1.00 that purchased credits pay.
    assert (row.granted_minor, row.subtotal_minor, row.tax_minor, row.prepaid_minor) == (500, 2_000, 380, 100)
    assert (row.status, row.note, row.party is not None) == ("open", "Usage and charges of 2026-01", True)
    assert (row.due_at - row.issued_at, row.created_by) == (timedelta(days=30), "billing-run")
    assert await balances(page.database, org) == {"receivable": -2_280, "credits": 0}
    [other] = await page.market.invoices(unknown)
    async with page.database.platform() as session:
        alerts = (await session.scalars(select(Alert.subject).where(Alert.kind == "tax.country_unproven"))).all()
        acts = (await session.execute(text("SELECT action, target, details ->> 'amount' FROM audit_log"))).all()
    assert (other.is_proven, alerts, other.party) == (False, [other.id], None)
    assert {tuple(act) for act in acts} >= {("invoice.issue", row.id, "23.80"), ("invoice.issue", other.id, "23.80")}
    await prove_all(page.urls)


async def test_cost_of_models_is_billed_with_its_markup_and_paid_by_lots_at_their_price(
    page: Page,
) -> None:
    org = await page.user()
    await located(page.database, org)
    await rate(page.database, "de-vat", "DE", 190_000)
    metered = await page.market.meter(org, "0.33", at(JANUARY))
    # Five units are free.
    await page.market.report(org, metered, at(date(2026, 1, 25)), {"n": 8})
    for credits, paid in ((1_000, 2_490), (20, 198), (20, 200)):
        await credit(page.database, org, credits * CREDIT, paid=paid)
    [prepared], basis = await page.read([org], replace(GERMAN, cost_markup_e6=123_457))
    assert await page.issue(prepared, basis)
    [row] = await page.market.invoices(org)
    # 20.00 of cost with its markup are 22.47, rounded up; the price of the meter has none.
    assert [line["net_minor"] for line in row.lines] == [2_247, 99]
    # 24.90, 1.98 and 1.04 of 2.00.
    assert (row.total_minor, row.prepaid_minor) == (2_792, 2_792)
    assert (row.prepaid_credits_minor, row.status) == (1_030_400_000, "paid")
    await prove_all(page.urls)


async def test_a_month_starts_where_the_one_before_ended_in_another_time_zone(page: Page) -> None:
    org = await page.market.organization()
    await agree(page.database, org, 1, datetime(2025, 11, 1, tzinfo=UTC), time_zone="Asia/Tokyo")
    await agree(page.database, org, 2, datetime(2026, 1, 1, tzinfo=UTC), time_zone="America/Los_Angeles")
    ([prepared], _) = await page.read([org])
    assert (prepared.period.starts_at, prepared.period.ends_at) == (
        datetime(2025, 12, 31, 15, tzinfo=UTC),
        datetime(2026, 2, 1, 8, tzinfo=UTC),
    )


async def test_usage_paid_with_credits_alone_gives_a_zero_invoice_without_a_mail(page: Page) -> None:
    org, idle = await page.market.organization(), await page.market.organization()
    await credit(page.database, org, 50 * CREDIT, paid=100)
    async with page.database.platform() as session:
        spending = Spending(await driver_connection(session), org)
        for day, action in ((1, "api_call"), (31, "api_call"), (9, "scrape"), (32, "later")):
            spent = NewSpend(key=new_id("key"), action=action, amount_minor=5 * CREDIT, quantity=3)
            await spending.charge(spent, at=at(date(2026, 1, 1)) + timedelta(days=day - 1))
        await roll_up(session, since=JANUARY, until=date(2026, 2, 3), limit=1_000)
    message = InvoicePage(now=OVER, month=JANUARY, after="", limit=10, pages=1)
    run = BillingRunActivities(page.database, GERMAN)
    assert (await run.plan(PlanBillingRun(now=OVER, month=JANUARY))).due == 1
    done = await run.invoice(message)
    assert (done.invoiced, done.empty, done.failed, done.done) == (1, 0, 0, True)
    await run.conclude(ConcludeBillingRun(now=OVER, month=JANUARY))
    [row] = await page.market.invoices(org)
    assert (row.status, row.total_minor, row.tax_minor, row.number is not None) == ("paid", 0, 0, True)
    assert [(line["description"], line["quantity"], line["net_minor"]) for line in row.lines] == [
        ("Paid with credits: api_call, 10.00 credits", 6, 0),
        ("Paid with credits: scrape, 5.00 credits", 3, 0),
    ]
    assert (await balances(page.database, org))["credits"] == 30 * CREDIT
    assert await page.market.invoices(idle) == []
    async with page.database.platform() as session:
        assert (await session.scalars(select(QueuedMail))).all() == []
        assert (await session.scalars(select(Alert.kind))).all() == []
    await prove_all(page.urls)


class Taxing:
    """A stand-in for a tax service. For organizations that a test names it is silent, refuses, or answers wrongly."""

    def __init__(self, **does: str) -> None:
        self.does = does
        self.asked: list[TaxQuestion] = []

    async def treat(self, question: TaxQuestion) -> Treatment:
        self.asked.append(question)
        match self.does.get(question.org_id):
            case "silent":
                await asyncio.Event().wait()
            case "refuses":
                raise ProviderRefused("no such product", code="refused")
            case "other lines":
                return Treatment(taxes=(), is_proven=True)
        said = AppliedTax(code="said", category=TaxCategory.STANDARD, rate_e6=100_000)
        return Treatment(taxes=(said,) * len(question.lines), is_proven=True)


async def test_an_invoice_without_an_answer_of_the_tax_service_waits_and_is_issued_with_one(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside_tax, "TIMEOUT", timedelta(milliseconds=50))
    told, silent, refuses, other = [await page.user() for _ in range(4)]
    service = Taxing(**{silent: "silent", refuses: "refuses", other: "other lines"})
    run = BillingRunActivities(page.database, GERMAN, taxes=service)
    await run.plan(PlanBillingRun(now=OVER, month=JANUARY))
    done = await run.invoice(InvoicePage(now=OVER, month=JANUARY, after="", limit=10, pages=1))
    assert (done.invoiced, done.failed) == (1, 3)
    [row] = await page.market.invoices(told)
    assert (row.tax_minor, row.taxes[0]["code"]) == (200, "said")
    # January is over when its last moment is.
    assert {each.at for each in service.asked} == {datetime(2026, 2, 1, tzinfo=UTC) - timedelta.resolution}
    with pytest.raises(ApplicationError, match="Invoices wait for the tax service"):
        await run.conclude(ConcludeBillingRun(now=OVER, month=JANUARY))
    assert [await page.market.invoices(org) for org in (silent, refuses, other)] == [[], [], []]
    async with page.database.platform() as session:
        alerts = (await session.scalars(select(Alert.subject).where(Alert.kind == "billing.invoice_failed"))).all()
        mails = (await session.scalars(select(QueuedMail.org_id))).all()
    assert (sorted(alerts), mails) == (sorted([silent, refuses, other]), [told])
    del service.does[silent]
    ended = await run.conclude(ConcludeBillingRun(now=OVER, month=JANUARY))
    assert (ended.invoiced, ended.failed) == (2, 2)
    [late] = await page.market.invoices(silent)
    assert (late.tax_minor, late.number is not None) == (200, True)
    await prove_all(page.urls)


async def test_each_legal_entity_numbers_and_taxes_what_it_sells(page: Page) -> None:
    ours, theirs, gone = [await page.user() for _ in range(3)]
    await rate(page.database, "de-vat", "DE", 190_000)
    await rate(page.database, "fr-vat", "FR", 200_000)
    for org, code in ((ours, None), (theirs, "ACME"), (gone, "GONE")):
        await located(page.database, org, "US", card_country="DE")
        async with page.database.platform() as session:
            await billing_profile.decide(
                session, KIM, org, confirmed_country=None, exempt_reason=None, legal_entity=code, now=OVER
            )
    sold_as = LegalEntity(code="ACME", seller=replace(SELLER, name="Acme SARL"), tax_country="FR")
    documents = Documents.of(page.database, None, LegalEntities(LegalEntity(seller=SELLER), {"ACME": sold_as}))
    run = BillingRunActivities(page.database, replace(GERMAN, others={"ACME": "FR"}), documents=documents)
    await run.plan(PlanBillingRun(now=OVER, month=JANUARY))
    done = await run.invoice(InvoicePage(now=OVER, month=JANUARY, after="", limit=10, pages=1))
    await run.conclude(ConcludeBillingRun(now=OVER, month=JANUARY))
    assert (done.invoiced, done.failed) == (2, 1)
    [usual], [other] = [await page.market.invoices(org) for org in (ours, theirs)]
    # Where it is not proven, the seller's own country is among those in question.
    assert (usual.number, usual.taxes[0]["code"]) == ("INV-000001", "de-vat")
    assert (other.number, other.taxes[0]["code"]) == ("ACME-INV-000001", "fr-vat")
    async with page.database.platform() as session:
        made = {row.subject: row.content for row in await session.scalars(select(StoredDocument))}
        failed = (await session.scalars(select(Alert.detail).where(Alert.subject == gone))).one()
    assert [made[row.id]["seller"]["name"] for row in (usual, other)] == [SELLER.name, "Acme SARL"]
    assert "no legal entity GONE" in failed
    await prove_all(page.urls)


async def test_a_month_is_not_invoiced_before_an_earlier_one(page: Page) -> None:
    await page.user()
    async with page.database.platform() as session:
        with pytest.raises(Conflict) as refusal:
            await billing_run.order_run(session, KIM, date(2026, 2, 1), at(date(2026, 3, 4)))
    assert (refusal.value.error_code, refusal.value.extra) == ("billing_run.earlier_first", {"period": "2026-01"})


async def test_a_run_ends_without_the_invoices_that_a_tax_service_never_answers(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside_tax, "TIMEOUT", timedelta(milliseconds=50))
    _, silent = [await page.user() for _ in range(2)]
    service = Taxing(**{silent: "silent"})
    run = BillingRunActivities(page.database, GERMAN, taxes=service)
    await run.plan(PlanBillingRun(now=OVER, month=JANUARY))
    await run.invoice(InvoicePage(now=OVER, month=JANUARY, after="", limit=10, pages=1))
    begun = datetime(2026, 2, 3, tzinfo=UTC)
    info = ActivityEnvironment.default_info()

    async def attempt(after: timedelta) -> BillingRunResult:
        at_work = ActivityEnvironment()
        at_work.info = replace(info, scheduled_time=begun, current_attempt_scheduled_time=begun + after)
        return await at_work.run(run.conclude, ConcludeBillingRun(now=OVER, month=JANUARY))

    with pytest.raises(ApplicationError, match="Invoices wait for the tax service"):
        await attempt(timedelta(days=2, hours=23))
    ended = await attempt(timedelta(days=3))
    assert (ended.invoiced, ended.failed) == (1, 1)
    assert await page.market.invoices(silent) == []
    del service.does[silent]
    again = await run.conclude(ConcludeBillingRun(now=OVER, month=JANUARY))
    assert (again.invoiced, again.failed) == (2, 0)


async def test_usage_of_a_month_that_failed_waits_for_its_own_run_and_meets_its_commitment(page: Page) -> None:
    org = await page.user(1_500, commitment_minor=1_000_00)
    february, march = date(2026, 2, 1), at(date(2026, 3, 4))
    await page.market.use(org, at(date(2026, 2, 5)), 1_200)
    service = Taxing(**{org: "refuses"})
    run = BillingRunActivities(page.database, GERMAN, taxes=service)

    async def bill(month: date, now: datetime) -> BillingRunResult:
        await run.plan(PlanBillingRun(now=now, month=month))
        await run.invoice(InvoicePage(now=now, month=month, after="", limit=10, pages=1))
        return await run.conclude(ConcludeBillingRun(now=now, month=month))

    assert (await bill(JANUARY, OVER)).failed == 1
    # Late usage of the month waits with it.
    await page.market.use(org, at(date(2026, 1, 31)), 10, received=at(date(2026, 2, 6)))
    service.does.clear()
    assert (await bill(february, march)).invoiced == 1
    [second] = await page.market.invoices(org)
    assert [line["net_minor"] for line in second.lines] == [1_200_00]
    again = await bill(JANUARY, march)
    assert (again.invoiced, again.failed) == (1, 0)
    [first] = [row for row in await page.market.invoices(org) if row.id != second.id]
    assert [line["net_minor"] for line in first.lines] == [1_510_00]
    assert (first.note, second.note) == ("Usage and charges of 2026-01", "Usage and charges of 2026-02")
    await prove_all(page.urls)


async def test_usage_before_the_first_terms_waits_for_their_month(page: Page) -> None:
    february, march = date(2026, 2, 1), at(date(2026, 3, 4))
    org = await page.market.debtor(february, net_days=60)
    await page.item(org, 5_000_00)
    # It happened before the terms, and came in under them.
    await page.market.use(org, at(date(2026, 1, 31)), 7, received=at(february))
    run = BillingRunActivities(page.database, GERMAN)
    await run.invoice(InvoicePage(now=OVER, month=JANUARY, after="", limit=10, pages=1))
    assert await page.market.invoices(org) == []
    await run.invoice(InvoicePage(now=march, month=february, after="", limit=10, pages=1))
    [row] = await page.market.invoices(org)
    assert [line["net_minor"] for line in row.lines] == [7_00, 5_000_00]
    assert row.due_at - row.issued_at == timedelta(days=60)
    await prove_all(page.urls)


async def test_each_document_is_rendered_once_before_its_mail_and_a_failed_one_blocks_no_other(page: Page) -> None:
    orgs = [await page.user() for _ in range(3)]
    made = Documents.of(page.database, None, selling(SELLER))
    run = BillingRunActivities(page.database, GERMAN, documents=made)
    await run.plan(PlanBillingRun(now=OVER, month=JANUARY))
    await run.invoice(InvoicePage(now=OVER, month=JANUARY, after="", limit=10, pages=1))
    broken, whole = await page.market.invoices(orgs[0]), await page.market.invoices(orgs[1])

    class Fails(DocumentMaker):
        def make_now(self, document: Document) -> DocumentFiles:
            if document.number == broken[0].number:
                raise WrongTemplate("no such font")
            return super().make_now(document)

    failing = Documents(page.database, Fails, selling(SELLER))
    assert await failing.issue(whole) == 1
    run = BillingRunActivities(page.database, GERMAN, documents=failing)
    for _ in range(2):
        await run.conclude(ConcludeBillingRun(now=OVER, month=JANUARY))
    async with page.database.platform() as session:
        kept = (await session.execute(select(StoredDocument.subject, StoredDocument.version))).all()
        alerts = (await session.scalars(select(Alert.subject).where(Alert.kind == "document.not_made"))).all()
        mails = (await session.scalars(select(QueuedMail.org_id))).all()
    others = [row.id for org in orgs[1:] for row in await page.market.invoices(org)]
    assert sorted(kept) == [(subject, 1) for subject in sorted(others)]
    assert (alerts, sorted(mails)) == ([broken[0].id], sorted(orgs))
    assert await made.issue([*broken, *whole]) == 1


async def test_an_organization_whose_usage_cannot_be_rated_is_noted_and_the_others_of_its_page_are_invoiced(
    page: Page,
) -> None:
    orgs = sorted([await page.user() for _ in range(3)])
    metered = await page.market.meter(orgs[0], "1", at(JANUARY))
    await page.market.report(orgs[0], metered, at(date(2026, 1, 5)), {"n": 7})
    owner = await asyncpg.connect(page.urls.owner)
    assert await owner.execute("""UPDATE meters SET price = '{"model": "withdrawn"}'""") == "UPDATE 1"
    await owner.close()
    run = BillingRunActivities(page.database, GERMAN)
    await run.plan(PlanBillingRun(now=OVER, month=JANUARY))
    done = await run.invoice(InvoicePage(now=OVER, month=JANUARY, after="", limit=10, pages=1))
    assert (done.invoiced, done.failed, done.done) == (2, 1, True)
    assert [len(await page.market.invoices(org)) for org in orgs] == [0, 1, 1]
    assert (await page.market.periods(JANUARY))[orgs[0]] == "failed"
    async with page.database.platform() as session:
        alerts = (await session.scalars(select(Alert.subject).where(Alert.kind == "billing.invoice_failed"))).all()
    assert alerts == [orgs[0]]
    await prove_all(page.urls)


async def test_quantities_that_add_up_to_more_than_one_price_holds_are_invoiced(page: Page) -> None:
    org = await page.user(units=0)
    metered = await page.market.meter(org, "0.000000001", at(JANUARY))
    for _ in range(2):
        await page.market.report(org, metered, at(date(2026, 1, 5)), {"n": 1_000_000_000_000})
    [prepared], basis = await page.read([org])
    assert await page.issue(prepared, basis)
    # Five units are free.
    assert [row.subtotal_minor for row in await page.market.invoices(org)] == [200_000]
    await prove_all(page.urls)


async def _charge(page: Page, org_id: str, now: datetime) -> int:
    """Charge the usage events that are due, and return their amount."""
    rules = CostRules(granted=CreditPrice(price=Decimal(1), currency="USD"))
    async with page.database.platform() as session:
        await store_granted_value(session, rules.granted, at(JANUARY))
        await usage_charge.charge_due(session, org_id, due_before=now, at=now, rules=rules, limit=10)
        query = select(func.sum(UsageChargeRow.amount)).where(UsageChargeRow.org_id == org_id)
        return int(await session.scalar(query) or 0)


async def test_free_units_of_a_month_are_given_once_whether_credits_pay_first_or_a_bill(page: Page) -> None:
    org = await page.market.debtor(JANUARY, mode=UsageMode.PREPAID)
    arrears = TermsVersion(
        number=2,
        terms=BillingTerms(mode=UsageMode.ARREARS),
        starts_at=at(date(2026, 2, 1), 0),
        from_month=date(2026, 2, 1),
    )
    prepaid = replace(
        arrears, number=3, terms=BillingTerms(), starts_at=at(date(2026, 3, 1), 0), from_month=date(2026, 3, 1)
    )
    async with page.database.platform() as session:
        session.add_all(
            billing_terms.as_row(org, each, reason=None, created_by="kim", command_id=new_id("cmd"))
            for each in (arrears, prepaid)
        )
    # Five units are free, each further one costs a dollar.
    metered, happened = await page.market.meter(org, "1", at(JANUARY)), at(date(2026, 1, 25))
    await page.market.report(org, metered, happened, {"n": 3})
    assert await _charge(page, org, at(date(2026, 1, 26))) == 0
    await page.market.report(org, metered, happened, {"n": 6}, received=at(date(2026, 2, 2)))
    async with page.database.platform() as session:
        [seen], _ = await billing_month.prepare(session, [org], JANUARY, OVER, markup_e6=0, preview=True)
    [prepared], basis = await page.read([org])
    await page.market.report(org, metered, happened, {"n": 2}, received=at(date(2026, 3, 1)))
    assert await _charge(page, org, at(date(2026, 3, 2))) == 2 * CREDIT
    assert await page.issue(prepared, basis)
    [row] = await page.market.invoices(org)
    assert [each.pico for each in seen.usage] == [each.pico for each in prepared.usage]
    assert row.subtotal_minor == 400
    await prove_all(page.urls)


async def _invoiced_from(page: Page, org_id: str, month: date, time_zone: str = "UTC") -> None:
    """Invoice a month and all later ones of an organization that pays with credits."""
    arrears = TermsVersion(
        number=2,
        terms=BillingTerms(mode=UsageMode.ARREARS, time_zone=time_zone),
        starts_at=period_of(month, time_zone).starts_at,
        from_month=month,
    )
    async with page.database.platform() as session:
        session.add(billing_terms.as_row(org_id, arrears, reason=None, created_by="kim", command_id=new_id("cmd")))


async def test_free_units_are_those_of_the_month_of_the_terms_whether_credits_pay_or_a_bill(page: Page) -> None:
    zone, february = "America/New_York", date(2026, 2, 1)
    org = await page.market.debtor(JANUARY, mode=UsageMode.PREPAID, time_zone=zone)
    await _invoiced_from(page, org, february, zone)
    # Five units are free, each further one costs a dollar. In New York this is still January.
    metered, evening = await page.market.meter(org, "1", at(JANUARY, 6)), at(february, 2)
    await page.market.report(org, metered, at(date(2026, 1, 25)), {"n": 3})
    await page.market.report(org, metered, evening, {"n": 4})
    assert await _charge(page, org, at(february, 3)) == 2 * CREDIT
    await page.market.report(org, metered, at(date(2026, 2, 10)), {"n": 6})
    async with page.database.platform() as session:
        await billing_month.seal(session, [org], february, at(date(2026, 3, 3)))
    async with page.database.platform() as session:
        [prepared], _ = await billing_month.prepare(session, [org], february, at(date(2026, 3, 3)), markup_e6=0)
    assert prepared.found.usage_minor == 100
    await prove_all(page.urls)


async def test_event_from_before_charges_had_months_counts_in_the_month_in_utc(page: Page) -> None:
    org = await page.market.debtor(JANUARY, mode=UsageMode.PREPAID, time_zone="America/New_York")
    metered, february = await page.market.meter(org, "1", at(JANUARY, 6)), date(2026, 2, 1)
    await page.market.report(org, metered, at(date(2026, 1, 25)), {"n": 3})
    await page.market.report(org, metered, at(february, 2), {"n": 4})
    await as_owner(page.urls, "UPDATE usage_charges SET month = NULL")
    assert await _charge(page, org, at(february, 3)) == 0
    await page.market.report(org, metered, at(date(2026, 2, 2)), {"n": 2})
    assert await _charge(page, org, at(date(2026, 2, 3))) == CREDIT
    await prove_all(page.urls)


async def test_free_units_are_given_once_where_a_bill_is_opened_and_sealed_while_credits_are_charged(
    page: Page,
) -> None:
    org = await page.market.debtor(JANUARY, mode=UsageMode.PREPAID)
    await _invoiced_from(page, org, date(2026, 2, 1))
    metered, happened = await page.market.meter(org, "1", at(JANUARY)), at(date(2026, 1, 25))
    await page.market.report(org, metered, happened, {"n": 3})
    rules = CostRules(granted=CreditPrice(price=Decimal(1), currency="USD"))
    async with page.database.platform() as session:
        await store_granted_value(session, rules.granted, at(JANUARY))
        done = await usage_charge.charge_due(session, org, due_before=OVER, at=OVER, rules=rules, limit=10)
        await page.market.report(org, metered, happened, {"n": 6}, received=OVER)
        reading = asyncio.create_task(page.read([org]))
        waiting = asyncio.create_task(somebody_waits(page.database))
        await asyncio.wait({reading, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
    assert done.charged == 1
    # Credits have used three of the five units that are free.
    [prepared], _ = await reading
    assert prepared.found.usage_minor == 400
    await prove_all(page.urls)


async def test_credits_that_are_spent_after_they_were_read_are_counted_again(page: Page) -> None:
    org = await page.user()
    await credit(page.database, org, 100 * CREDIT, paid=1_000)
    [prepared], basis = await page.read([org])
    await page.spend(org)
    assert await page.issue(prepared, basis)
    [row] = await page.market.invoices(org)
    assert (row.prepaid_minor, row.prepaid_credits_minor) == (700, 70 * CREDIT)
    assert (await balances(page.database, org))["credits"] == 0
    await prove_all(page.urls)


async def test_mail_about_an_invoice_paid_by_credits_has_no_due_date(page: Page) -> None:
    # It is the day after in Auckland.
    orgs = [await page.user(), await page.user(time_zone="Pacific/Auckland"), await page.user()]
    await credit(page.database, orgs[0], 200 * CREDIT, paid=2_000)
    await credit(page.database, orgs[2], 50 * CREDIT, paid=500)
    prepared, basis = await page.read(orgs, replace(GERMAN, seller_country=None))
    for each in prepared:
        assert await page.issue(each, basis)
    async with page.database.platform() as session:
        await invoice.number_page(session)
    rows = [row for org in orgs for row in await page.market.invoices(org)]
    for _ in range(2):
        async with page.database.platform() as session:
            await billing_run.queue_mails(session, rows)
    async with page.database.platform() as session:
        told = {row.org_id: (row.kind, row.data) for row in await session.scalars(select(QueuedMail))}
    asked = {"number": "INV-000002", "amount": "20.00", "currency": "USD", "due_on": "2026-03-06"}
    assert told == {
        orgs[0]: ("invoice_settled", {"number": "INV-000001", "amount": "20.00", "currency": "USD"}),
        orgs[1]: ("invoice_issued", asked),
        # Of 20.00, credits have paid 5.00.
        orgs[2]: ("invoice_issued", {**asked, "number": "INV-000003", "amount": "15.00", "due_on": "2026-03-05"}),
    }


async def test_usage_in_another_currency_waits_and_operators_are_alerted_once(page: Page) -> None:
    org = await page.user()
    await page.item(org, 300, currency="EUR")
    for _ in range(2):
        [prepared], _ = await page.read([org])
        async with page.database.platform() as session:
            await billing_run.alert_other_currencies(session, [prepared])
    assert [line.description for line in prepared.found.lines] == [f"Model {page.market.model}: 1 event"]
    async with page.database.platform() as session:
        alerts = (await session.scalars(select(Alert.key).where(Alert.kind == "billing.other_currency"))).all()
    assert alerts == [f"billing.other_currency:{org}:EUR"]


async def test_pitfall_13_two_items_in_one_second_are_two_lines_and_one_that_is_repeated_is_one(page: Page) -> None:
    org = await page.user()
    for command in ("first", "second", "first"):
        async with page.database.platform() as session:
            row = InvoiceItemRow(
                id=new_id("ii"),
                org_id=org,
                currency="USD",
                description="Set-up",
                quantity=1,
                unit_minor=300,
                created_by=KIM.qualified(),
                command_id=f"{command}-{org}",
            )
            await invoice_item.add(session, KIM, row)
    [prepared], basis = await page.read([org])
    assert await page.issue(prepared, basis)
    [made] = await page.market.invoices(org)
    assert [(line["description"], line["unit_minor"]) for line in made.lines[1:]] == [("Set-up", 300)] * 2


async def test_pitfall_14_usage_that_comes_in_while_its_month_is_sealed_is_on_this_invoice_or_the_next(
    page: Page,
) -> None:
    org = await page.user(units=1)

    async def use() -> None:
        for _ in range(12):
            await page.market.use(org, at(date(2026, 1, 6)), 1)

    async def invoice_it() -> None:
        for _ in range(3):
            await asyncio.sleep(0)
            [prepared], basis = await page.read([org])
            if await page.issue(prepared, basis):
                break

    await asyncio.gather(use(), use(), invoice_it())
    async with page.database.platform() as session:
        billed, used = (
            await session.execute(
                text(
                    "SELECT sum(pico) FILTER (WHERE billed_at IS NOT NULL), sum(pico) FROM usage_bill_sums "
                    "JOIN usage_bills USING (org_id, month, number)"
                )
            )
        ).one()
    [row] = await page.market.invoices(org)
    assert (used, billed) == (25 * 100 * 10**10, row.subtotal_minor * 10**10)
    await prove_all(page.urls)


async def test_an_item_that_is_removed_meanwhile_is_not_charged_and_the_page_is_read_again(page: Page) -> None:
    org = await page.user()
    await page.item(org, 300)
    [prepared], basis = await page.read([org])
    async with page.database.platform() as session:
        await session.execute(text("UPDATE invoice_items SET removed_at = now()"))
    with pytest.raises(Unavailable):
        await page.issue(prepared, basis)
    assert (await page.market.invoices(org), await page.market.periods(JANUARY)) == ([], {})
    [again], basis = await page.read([org])
    assert await page.issue(again, basis)
    assert [row.subtotal_minor for row in await page.market.invoices(org)] == [2_000]
    await prove_all(page.urls)


async def test_collection_begins_in_the_transaction_of_the_invoice(page: Page) -> None:
    orgs = [await page.user(), await page.user()]
    await credit(page.database, orgs[0], 200 * CREDIT, paid=2_000)
    client = cast("Client", None)  # the run's end starts what was begun, not its pages
    rules = replace(GERMAN, seller_country=None)
    work = BillingRunActivities(page.database, rules, CollectionSetup(client=client, days=(3, 7)))
    done = await work.invoice(InvoicePage(now=OVER, month=JANUARY, after="", limit=10, pages=1))
    assert (done.invoiced, done.failed) == (2, 0)
    [row] = await page.market.invoices(orgs[1])
    async with page.database.platform() as session:
        begun = [(held.invoice_id, held.days, held.next_at) for held in await collections.waiting(session, [row.id])]
        count = await session.scalar(text("SELECT count(*) FROM invoice_collections"))
    assert (begun, count) == ([(row.id, (3, 7), OVER)], 1)
    [again] = await page.market.invoices(orgs[0])
    assert again.status == "paid"
    await prove_all(page.urls)


async def test_credits_that_are_spent_meanwhile_are_counted_again_inside_of_a_transaction_as_well(page: Page) -> None:
    org = await page.user()
    await credit(page.database, org, 100 * CREDIT)
    await page.item(org, 1_000)
    [prepared], basis = await page.read([org])
    await page.spend(org)
    async with page.database.platform() as session:
        assert await billing_run.issue(await driver_connection(session), prepared, basis, OVER)
        await billing_run.collect_later(session, prepared, days=(3,), now=OVER)
    [row] = await page.market.invoices(org)
    assert row.granted_minor == 700


async def _run(page: Page, month: date, now: datetime) -> None:
    run = BillingRunActivities(page.database, GERMAN)
    await run.plan(PlanBillingRun(now=now, month=month))
    await run.invoice(InvoicePage(now=now, month=month, after="", limit=10, pages=1))
    await run.conclude(ConcludeBillingRun(now=now, month=month))


async def _become(page: Page, org_id: str, status: str) -> None:
    become = "UPDATE organizations SET status = :status, status_by = 'kim', status_at = :at WHERE id = :org"
    async with page.database.platform() as session:
        await session.execute(text(become), {"status": status, "at": at(date(2026, 1, 31)), "org": org_id})


async def test_late_usage_that_a_closed_organization_had_is_invoiced_and_its_commitment_is_not(page: Page) -> None:
    org = await page.user(commitment_minor=5_000)
    with pytest.raises(OrganizationNotEmpty) as refused:
        async with page.database.platform() as session:
            await organization.close(session, KIM, org, reason="gone", now=at(date(2026, 1, 31)))
    assert refused.value.extra == {"left": [{"kind": "unbilled_usage", "ids": ["2026-01"]}]}
    # Earlier releases closed it when nothing was known of it yet, and accepted what a spend log said of it afterwards.
    await _become(page, org, "closed")
    await _run(page, JANUARY, OVER)
    await _become(page, org, "active")
    await page.market.use(org, at(date(2026, 1, 30)), 5, received=at(date(2026, 2, 10)))
    await _become(page, org, "closed")
    await _run(page, date(2026, 2, 1), at(date(2026, 3, 3)))
    await _run(page, date(2026, 3, 1), at(date(2026, 4, 3)))
    assert [row.subtotal_minor for row in await page.market.invoices(org)] == [5_000, 500]
    await prove_all(page.urls)


async def test_event_that_no_invoice_can_hold_is_refused_and_the_rest_of_the_month_is_invoiced(page: Page) -> None:
    org = await page.market.debtor(JANUARY)
    # Each unit beyond five costs a dollar, and an invoice comes to 10^13 dollars at most.
    metered = await page.market.meter(org, "1", at(JANUARY, 6))
    with pytest.raises(AssertionError, match="more than the maximum of an invoice"):
        await page.market.report(org, metered, at(date(2026, 1, 20)), {"n": 10**13 + 6})
    await page.market.report(org, metered, at(date(2026, 1, 20)), {"n": 9})
    await _run(page, JANUARY, OVER)
    assert [row.subtotal_minor for row in await page.market.invoices(org)] == [400]
    await prove_all(page.urls)


async def test_events_that_no_invoice_can_hold_together_are_refused_and_the_rest_is_invoiced(page: Page) -> None:
    org = await page.market.debtor(JANUARY)
    metered = await page.market.meter(org, "1", at(JANUARY, 6))
    most = 10**13  # dollars
    await page.market.report(org, metered, at(date(2026, 1, 20)), {"n": most // 2}, event_id="first")
    for day in (date(2026, 1, 21), date(2026, 2, 1)):  # of both months, which may be on one invoice
        with pytest.raises(AssertionError, match="uninvoiced usage"):
            await page.market.report(org, metered, at(day), {"n": most // 2 + 20})
    await page.market.report(org, metered, at(date(2026, 1, 20)), {"n": most // 2}, event_id="first")
    await page.market.report(org, metered, at(date(2026, 1, 23)), {"n": 9})
    await _run(page, JANUARY, OVER)
    assert [row.subtotal_minor for row in await page.market.invoices(org)] == [(most // 2 + 4) * 100]
    # What is invoiced makes room again.
    await page.market.report(org, metered, at(date(2026, 2, 4)), {"n": most // 2 + 20})
    await _run(page, date(2026, 2, 1), at(date(2026, 3, 3)))
    assert len(await page.market.invoices(org)) == 2
    await prove_all(page.urls)


async def test_concurrent_events_are_limited_to_what_an_invoice_can_hold(page: Page) -> None:
    org = await page.market.debtor(JANUARY)
    metered = await page.market.meter(org, "1", at(JANUARY, 6))
    sent = [page.market.report(org, metered, at(date(2026, 1, 20)), {"n": 4 * 10**12}) for _ in range(5)]
    done = await asyncio.gather(*sent, return_exceptions=True)
    assert [type(each) for each in done if each is not None] == [AssertionError] * 3
    await _run(page, JANUARY, OVER)
    assert [row.subtotal_minor for row in await page.market.invoices(org)] == [(8 * 10**12 - 5) * 100]
    await prove_all(page.urls)


async def test_event_that_no_invoice_can_hold_leaves_the_others_of_its_request(page: Page) -> None:
    org = await page.market.debtor(JANUARY)
    metered = await page.market.meter(org, "1", at(JANUARY, 6))
    documents = [
        {
            "specversion": "1.0",
            "id": f"of-one-request-{place}",
            "source": "platform:tests",
            "type": metered,
            "time": at(date(2026, 1, 20)).isoformat(),
            "data": {"n": quantity},
        }
        for place, quantity in enumerate([7 * 10**12, 7 * 10**12, 5])
    ]
    delivery = Delivery(
        actor=KIM, org_id=org, at=at(date(2026, 1, 20)), late=timedelta(days=35), rates=Rates(prices=PriceBook())
    )
    for expected in (["accepted", "invalid", "accepted"], ["duplicate", "invalid", "duplicate"]):
        async with page.database.platform() as session:
            done = await usage.record(session, delivery, documents)
        assert [each.status.value for each in done] == expected
    await prove_all(page.urls)


async def test_usage_that_is_sent_again_after_its_bill_keeps_no_organization_open(page: Page) -> None:
    org = await page.market.debtor(JANUARY)
    used, again = at(date(2026, 1, 20)), at(date(2026, 2, 10))
    await page.market.use(org, used, 5, event_id="once")
    await _run(page, JANUARY, OVER)
    await page.market.use(org, used, 5, event_id="once", received=again)
    async with page.database.platform() as session:
        assert "unbilled_usage" not in await organizations.under_way(session, org)
    await _run(page, date(2026, 2, 1), at(date(2026, 3, 3)))
    async with page.database.platform() as session:
        assert "unbilled_usage" not in await organizations.under_way(session, org)
    assert [row.subtotal_minor for row in await page.market.invoices(org)] == [500]
    await prove_all(page.urls)


@pytest.mark.parametrize("later_e6", [250_000, 70_000])
async def test_usage_is_taxed_at_the_rate_of_the_month_in_which_it_was_served(page: Page, later_e6: int) -> None:
    org = await page.user()
    await page.item(org, 100)
    await located(page.database, org)
    await rate(page.database, "de-vat", "DE", 190_000)
    later = {"code": "de-new", "country": "DE", "region": "", "product": "", "created_by": "kim", "command_id": "new"}
    async with page.database.platform() as session:
        since = datetime(2026, 2, 1, tzinfo=UTC)
        await session.execute(insert(TaxRateRow).values(id="txr", rate_e6=later_e6, valid_from=since, **later))
    await _run(page, JANUARY, OVER)
    [row] = await page.market.invoices(org)
    # What has no period is taxed on the day of the invoice.
    assert [(line["net_minor"], line["tax"]) for line in row.lines] == [(2_000, "de-vat"), (100, "de-new")]
    assert row.tax_minor == 380 + later_e6 // 10_000
