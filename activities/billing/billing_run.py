"""Issues the invoices of a month."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import asyncpg
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from contracts.billing.billing_run import (
    BillingRunResult,
    ConcludeBillingRun,
    InvoicedPage,
    InvoicePage,
    PlanBillingRun,
    PlannedBillingRun,
)
from contracts.runs import invoice_run
from domain.billing.billing_run.period import month_text, previous_month, ready_at
from domain.billing.invoice.collection import Collection
from domain.billing.invoice.rules import UNTAXED, InvoiceRules
from domain.billing.invoice.series import DocumentType, series_of
from domain.billing.tax.treatment import Treatment
from domain.common.errors import DomainError, Unavailable, UnknownEntity
from providers.payments.base import ProviderError, ProviderRefused, ProviderUnavailable
from providers.tax.service import TaxService
from repositories.billing import billing_run as runs, billing_terms, invoice_collection as collections
from runtime import reach
from runtime.database import Database, driver_connection
from services.billing import billing_month, billing_run, invoice as invoices
from services.billing.billing_month import PreparedInvoice, RefusedInvoice
from services.billing.billing_run import PageInput
from services.billing.document_files import Documents

#: How many invoices one transaction numbers.
NUMBER_PAGE = 500
#: How many invoice workflows are started at once.
STARTED_AT_ONCE = 50
#: How many requests to a tax service run at once, and how many waiting invoices are read together.
MAX_TAX_REQUESTS = 20
WAITING_PAGE = 100


@dataclass(frozen=True, slots=True)
class CollectionSetup:
    """Collection of invoices: `client` starts their workflows, `days` are the days of dunning."""

    client: Client
    days: Sequence[int]


class BillingRunActivities:
    """The activities of `MonthlyInvoicingWorkflow`. An organization is invoiced once for a month, also on a retry."""

    def __init__(
        self,
        database: Database,
        rules: InvoiceRules = UNTAXED,
        collecting: "CollectionSetup | None" = None,
        documents: Documents | None = None,
        taxes: TaxService | None = None,
        *,
        tax_patience: timedelta = timedelta(days=3),
    ) -> None:
        """Take the database, with the platform's role, which sees every organization, and how the deployment invoices.

        Without `collecting` invoices are issued, but not charged or dunned; without `documents` a document is made at
        its first download. `taxes` decides taxes instead of the stored rates; invoices without an answer after
        `tax_patience` are left to operators.
        """
        self._database = database
        self._rules = rules
        self._collecting = collecting
        self._documents = documents
        self._taxes = taxes
        self._tax_patience = tax_patience

    @activity.defn(name="plan_billing_run")
    async def plan(self, message: PlanBillingRun) -> PlannedBillingRun:
        """Return the month that is due, the oldest that is not invoiced, and begin its billing run.

        Effect: the row of the run.
        Idempotent by: the month.
        """
        latest = previous_month(message.now.date())
        async with self._database.platform() as session:
            oldest = await runs.oldest_open_month(session)
            month = message.month or (latest if oldest is None else oldest)
            if month > latest:
                return PlannedBillingRun(why=f"{month_text(month)} is not over")
            if message.month is None and await runs.is_finished(session, month):
                return PlannedBillingRun(why=f"{month_text(month)} was invoiced")
            ready = ready_at(month, await billing_terms.time_zones(session))
            await runs.begin(session, month, ready_at=ready, by=billing_run.ACTOR.qualified(), at=message.now)
            due = await runs.count_due(await driver_connection(session), month, after="")
        return PlannedBillingRun(month=month, ready_at=ready, due=due)

    @activity.defn(name="invoice_page")
    async def invoice(self, message: InvoicePage) -> InvoicedPage:
        """Invoice the next organizations, a transaction for each.

        Effect: an invoice and its period, with the bills and items that are on it; or the period alone. Then numbers.
        Idempotent by: the organization and the month.
        Fails with: nothing that is final; an organization that cannot be invoiced is recorded, with an alert.
        """
        counted, after = {"invoiced": 0, "empty": 0, "failed": 0}, message.after
        for _ in range(message.pages):
            page = await self._page(message, after, counted)
            after = page.last or after
            if page.looked_at < message.limit:
                return InvoicedPage(**counted, last=after, done=True)
        async with self._database.platform_statement() as connection:
            left = await runs.count_due(connection, message.month, after=after)
        return InvoicedPage(**counted, last=after, done=False, left=left)

    @activity.defn(name="conclude_billing_run")
    async def conclude(self, message: ConcludeBillingRun) -> BillingRunResult:
        """Mail the month's invoices, start collecting those with an amount due, and count.

        Effect: missing invoice numbers, documents, mails, invoice workflows, the counts of the billing run, and its
            end.
        Idempotent by: the invoice, which has one document, one mail and one workflow; the month, which is counted
            again.
        Fails with: nothing that is final. While invoices wait for the tax service the attempt fails after the rest is
            done, and the next one asks again. After `tax_patience` the billing run ends without them: they are recorded
            as failed, with alerts.
        """
        await self._number()
        await self._publish(message.month)
        issued, waiting = await self._ask_again(message)
        if issued:
            await self._number()
            await self._publish(message.month)
        if waiting and _waited() < self._tax_patience:
            raise ApplicationError("Invoices wait for the tax service.", type=billing_run.TAX_WAITS)
        async with self._database.platform() as session:
            row = await runs.finish(session, message.month, message.now)
            return BillingRunResult(month=row.month, invoiced=row.invoiced, empty=row.empty, failed=row.failed)

    async def _page(self, message: InvoicePage, after: str, counted: dict[str, int]) -> runs.CandidatePage:
        async with self._database.platform() as session:
            connection = await driver_connection(session)
            page = await runs.candidates(connection, message.month, after=after, limit=message.limit)
            await billing_month.seal(session, page.due, message.month, message.now)
        await self._invoice_all(page.due, message.month, message.now, counted)
        await self._number()
        return page

    async def _invoice_all(self, org_ids: Sequence[str], month: date, now: datetime, counted: dict[str, int]) -> None:
        async with self._database.platform() as session:
            prepared, refused = await billing_month.prepare(
                session, org_ids, month, now, markup_e6=self._rules.cost_markup_e6
            )
            basis = await billing_run.read_input(session, org_ids, self._rules, now)
            await billing_run.alert_other_currencies(session, prepared)
        for each in refused:
            await self._failed(each, each.refusal, now, counted)
        if self._taxes is not None:
            prepared, basis = await self._taxed(self._taxes, prepared, basis, now, counted)
        async with self._database.platform_statement() as connection:
            for ready in prepared:
                await self._invoice(connection, ready, basis, now, counted)

    async def _taxed(
        self,
        service: TaxService,
        prepared: Sequence[PreparedInvoice],
        basis: PageInput,
        now: datetime,
        counted: dict[str, int],
    ) -> tuple[list[PreparedInvoice], PageInput]:
        """Calculate the tax of each invoice; without an answer it is not issued, because tax is never guessed."""
        free = asyncio.Semaphore(MAX_TAX_REQUESTS)

        async def asked(each: PreparedInvoice) -> Treatment | ProviderError | None:
            if not each.found.lines:
                return None
            async with free:
                try:
                    return await billing_run.ask_treatment(service, each, basis, now)
                except (ProviderUnavailable, ProviderRefused) as error:
                    return error
                except UnknownEntity as error:
                    return ProviderRefused(error.detail, code=error.error_code)

        answers = await asyncio.gather(*(asked(each) for each in prepared))
        known, treatments = list[PreparedInvoice](), dict[str, Treatment]()
        for each, answer in zip(prepared, answers, strict=True):
            if isinstance(answer, ProviderError):
                code = billing_run.TAX_REFUSED if isinstance(answer, ProviderRefused) else billing_run.TAX_WAITS
                async with self._database.platform() as session:
                    counted["failed"] += await billing_run.note_failure(session, each, code, answer.detail, now)
                continue
            known.append(each)
            if answer is not None:
                treatments[each.org_id] = answer
        return known, replace(basis, treatments=treatments)

    async def _ask_again(self, message: ConcludeBillingRun) -> tuple[bool, bool]:
        """Invoice those that wait for the tax service; returns whether any was issued, and whether some still wait.

        Stops at a page without an answer: the service is down, and asking for the rest would take hours.
        """
        issued = waiting = False
        after, page = "", [""]
        while page:
            page = await self._waiting(message.month, after)
            if page:
                counted = {"invoiced": 0, "empty": 0, "failed": 0}
                await self._invoice_all(page, message.month, message.now, counted)
                still = {*await self._waiting(message.month, after)} & {*page}
                issued, waiting = issued or len(still) < len(page), waiting or bool(still)
                if len(still) == len(page):
                    break
                after = page[-1]
        return issued, waiting

    async def _waiting(self, month: date, after: str) -> list[str]:
        async with self._database.platform() as session:
            return [*await runs.waiting(session, month, billing_run.TAX_WAITS, after=after, limit=WAITING_PAGE)]

    async def _invoice(
        self,
        connection: asyncpg.Connection,
        prepared: PreparedInvoice,
        basis: PageInput,
        now: datetime,
        counted: dict[str, int],
    ) -> None:
        try:
            if await self._issue(connection, prepared, basis, now):
                counted["invoiced" if prepared.found.lines else "empty"] += 1
        except Unavailable:
            raise
        except DomainError as refusal:
            await self._failed(prepared, refusal, now, counted)

    async def _failed(
        self, which: PreparedInvoice | RefusedInvoice, refusal: DomainError, now: datetime, counted: dict[str, int]
    ) -> None:
        async with self._database.platform() as session:
            counted["failed"] += await billing_run.note_failure(session, which, refusal.error_code, refusal.detail, now)

    async def _issue(
        self, connection: asyncpg.Connection, prepared: PreparedInvoice, basis: PageInput, now: datetime
    ) -> bool:
        if self._collecting is None:
            return await billing_run.issue(connection, prepared, basis, now)
        async with self._database.platform() as session:
            done = await billing_run.issue(await driver_connection(session), prepared, basis, now)
            if done and prepared.found.lines:
                await billing_run.collect_later(session, prepared, days=self._collecting.days, now=now)
        return done

    async def _number(self) -> None:
        """Give the invoices of a page their numbers, in order."""
        for entity in (self._rules.entity, *self._rules.others):
            series, numbered = series_of(DocumentType.INVOICE, entity), NUMBER_PAGE
            while numbered == NUMBER_PAGE:
                async with self._database.platform() as session:
                    numbered = await invoices.number_page(session, series, NUMBER_PAGE)

    async def _publish(self, month: date) -> None:
        """Make the documents of a month's invoices, queue their mails, and start their workflows, page by page."""
        after: str | None = ""
        while after is not None:
            async with self._database.platform() as session:
                rows = await runs.issued(session, month, after=after, limit=NUMBER_PAGE)
            # Before their mails are queued, and with no transaction open.
            if self._documents is not None:
                await self._documents.issue(rows)
            async with self._database.platform() as session:
                await billing_run.queue_mails(session, rows)
                waiting = await collections.waiting(session, [row.id for row in rows])
            await self._collect(waiting)
            after = rows[-1].org_id if len(rows) == NUMBER_PAGE else None

    async def _collect(self, waiting: Sequence[Collection]) -> None:
        """Start a workflow for each invoice with an amount due; the sweep finds one that is missed."""
        if self._collecting is None:
            return
        free = asyncio.Semaphore(STARTED_AT_ONCE)

        async def start(held: Collection) -> None:
            assert self._collecting is not None
            async with free:
                await reach.start_missing(self._collecting.client, invoice_run(held))

        await asyncio.gather(*(start(held) for held in waiting))


def _waited() -> timedelta:
    """Return how long the step has been tried, by Temporal's clock."""
    if not activity.in_activity():
        return timedelta(0)
    info = activity.info()
    return info.current_attempt_scheduled_time - info.scheduled_time
