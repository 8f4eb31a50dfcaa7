"""The run that invoices a month, on the real workflow."""

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.billing.billing_run import BillingRunActivities, CollectionSetup
from contracts.billing.billing_run import BillingRun, BillingRunResult, ConcludeBillingRun, InvoicePage, PlanBillingRun
from domain.billing.billing_terms import BillingTerms, DiscountStep, TermsVersion, UsageMode
from domain.billing.invoice.collection import CollectionMethod
from domain.common.access import Actor, Role
from domain.common.errors import Conflict, MonthNotEnded
from domain.common.ids import invoice_workflow_id
from domain.usage.arrears import BilledStatus
from models.billing.billing_run import InvoiceItemRow
from models.billing.invoice import InvoiceRow
from models.messages.alert import Alert
from models.usage.usage import UsageEventRow
from repositories.billing import billing_run as runs, billing_terms, invoice_collection as collections
from repositories.billing.invoice_line import lines_of
from repositories.usage import usage_bill
from runtime.database import Database
from runtime.identity import new_id
from runtime.jobs import invoicing_on
from services.billing import billing_run, invoice as invoices
from services.usage import usage_bill as charging
from tests.conftest import DatabaseUrls
from tests.support.arrears import Market, at
from tests.support.histories import replay_and_keep
from tests.support.looking import pass_to_the_end
from tests.support.proving import prove_all
from tests.support.seeds import RUN_SEED
from tests.workflows.conftest import with_plugin
from workflows.billing.monthly_invoicing import MonthlyInvoicingWorkflow, render_progress

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]

JANUARY, FEBRUARY = date(2026, 1, 1), date(2026, 2, 1)
OVER = datetime(2026, 2, 3, tzinfo=UTC)
KIM = Actor(principal="kim", role=Role.OPERATOR)


@dataclass
class Billing:
    client: Client
    database: Database
    queue: str
    market: Market
    urls: DatabaseUrls

    async def start(self, start: BillingRun) -> WorkflowHandle[MonthlyInvoicingWorkflow, BillingRunResult]:
        return await self.client.start_workflow(
            MonthlyInvoicingWorkflow.run, start, id=new_id("billing"), task_queue=self.queue
        )

    async def run(self, month: date = JANUARY) -> BillingRunResult:
        """Run a month that is long over."""
        return await (await self.start(BillingRun(month=month, only=True))).result()

    async def item(self, org_id: str, unit_minor: int) -> str:
        row = {"id": new_id("ii"), "org_id": org_id, "currency": "USD", "description": "Set-up", "quantity": 1}
        async with self.database.platform() as session:
            values = {**row, "unit_minor": unit_minor, "created_by": "kim", "command_id": row["id"]}
            await session.execute(insert(InvoiceItemRow).values(values))
        return str(row["id"])


@pytest.fixture
async def billing(
    database: Database, fresh_database_urls: DatabaseUrls, idle_server: WorkflowEnvironment
) -> AsyncIterator[Billing]:
    queue = new_id("queue")
    client, work = with_plugin(idle_server.client), BillingRunActivities(database)
    async with Worker(
        client,
        task_queue=queue,
        workflows=[MonthlyInvoicingWorkflow],
        activities=[work.plan, work.invoice, work.conclude],
    ):
        yield Billing(client, database, queue, await Market(database).open(), fresh_database_urls)


def lines(row: InvoiceRow) -> list[tuple[str, int]]:
    return [(line.description, line.amount_minor) for line in lines_of(row)]


async def test_month_is_invoiced_once_to_everybody_and_reads_without_the_code(billing: Billing) -> None:
    market = billing.market
    steps = (DiscountStep(from_minor=10_00, discount_bps=1000),)
    user = await market.debtor(JANUARY, discounts=steps, net_days=14)
    committed = await market.debtor(JANUARY, commitment_minor=50_00)
    idle = await market.debtor(JANUARY)
    metered = await market.meter(user, "0.333", at(JANUARY))
    await market.use(user, at(date(2026, 1, 5)), 20)
    await market.use(user, at(date(2026, 1, 31)), 5)
    await market.report(user, metered, at(date(2026, 1, 7)), {"n": 15})
    await market.use(user, at(FEBRUARY), 7)
    await market.use(committed, at(date(2026, 1, 9)), 20)
    await billing.item(user, 3_00)
    handle = await billing.start(BillingRun(month=JANUARY, only=True))
    result = await handle.result()
    await replay_and_keep(await handle.fetch_history(), "monthly-invoicing/completed")
    assert (result.invoiced, result.empty, result.failed) == (2, 1, 0)
    [invoice] = await market.invoices(user)
    assert lines(invoice) == [
        (f"Model {market.model}: 2 events, less 10 %", 22_50),
        (f"Meter {metered}: 1 event, less 10 %", 3_00),
        ("Set-up", 3_00),
    ]
    assert (invoice.total_minor, invoice.due_at - invoice.issued_at) == (28_50, timedelta(days=14))
    [other] = await market.invoices(committed)
    assert lines(other) == [(f"Model {market.model}: 1 event", 20_00), ("Minimum commitment 2026-01, not used", 30_00)]
    assert await market.invoices(idle) == []
    assert await market.periods(JANUARY) == {user: "invoiced", committed: "invoiced", idle: "empty"}
    shown = str(await handle.query("__temporal_workflow_metadata"))
    for words in ("Invoices of 2026-01, since", "due: 3", "done: 3, of them 2 invoiced and 1 with", "left: 0"):
        assert words in shown
    again = await billing.run()
    assert again == result
    assert await market.mails() == {user: 1, committed: 1}
    assert len(await market.invoices(user)) == 1
    await prove_all(billing.urls)


@pytest.mark.slow
async def test_log_of_usage_says_on_which_invoice_it_is_and_since_when(billing: Billing) -> None:
    market = billing.market
    org = await market.debtor(JANUARY)
    await market.use(org, at(date(2026, 1, 5)), 20)
    await market.use(org, at(FEBRUARY), 7)
    await billing.run()
    [invoice] = await market.invoices(org)
    async with billing.database.platform() as session:
        logged = select(UsageEventRow).where(UsageEventRow.org_id == org).order_by(UsageEventRow.bill_month)
        january, february = await usage_bill.of_events(session, org, (await session.scalars(logged)).all())
    assert (january.status, january.invoice_id) == (BilledStatus.BILLED, invoice.id)
    assert january.billed_at is not None
    assert february == usage_bill.BillState(status=BilledStatus.UNBILLED)


async def void_newest(billing: Billing, org_id: str) -> None:
    async with billing.database.platform() as session:
        logged = select(UsageEventRow.id).where(UsageEventRow.org_id == org_id)
        wrong = (await session.scalars(logged.order_by(UsageEventRow.occurred_at.desc()))).first()
        assert wrong is not None
        await charging.void(session, KIM, org_id, wrong, reason="A wrong quantity.", at=OVER)


@pytest.mark.slow
async def test_usage_that_waits_for_terms_in_its_currency_can_be_voided(billing: Billing) -> None:
    market = billing.market
    org = await market.debtor(JANUARY)
    await market.use(org, at(date(2026, 1, 20)), 3)
    await market.use(org, at(date(2026, 1, 21)), 50)
    euro = TermsVersion(
        number=2,
        terms=BillingTerms(mode=UsageMode.ARREARS, currency="EUR"),
        starts_at=at(date(2026, 1, 22)),
        from_month=JANUARY,
    )
    async with billing.database.platform() as session:
        session.add(billing_terms.as_row(org, euro, reason=None, created_by="kim", command_id=new_id("cmd")))
    await billing.run(JANUARY)
    assert await market.invoices(org) == []
    async with billing.database.platform() as session:
        alerts = (await session.scalars(select(Alert.key).where(Alert.kind == "billing.other_currency"))).all()
    assert alerts == [f"billing.other_currency:{org}:USD"]
    await void_newest(billing, org)
    dollars = replace(euro, number=3, terms=BillingTerms(mode=UsageMode.ARREARS), from_month=FEBRUARY)
    async with billing.database.platform() as session:
        session.add(billing_terms.as_row(org, dollars, reason=None, created_by="kim", command_id=new_id("cmd")))
    await billing.run(FEBRUARY)
    [invoice] = await market.invoices(org)
    assert lines(invoice) == [(f"Model {market.model}, late usage of 2026-01: 1 event", 3_00)]
    await prove_all(billing.urls)


@pytest.mark.slow
async def test_usage_from_before_the_first_terms_can_be_voided_until_their_month_is_run(billing: Billing) -> None:
    market = billing.market
    org = await market.debtor(FEBRUARY)
    await market.use(org, at(date(2026, 1, 20)), 3, received=OVER)
    await market.use(org, at(date(2026, 1, 21)), 50, received=OVER)
    await billing.run(JANUARY)
    assert await market.invoices(org) == []
    await void_newest(billing, org)
    await billing.run(FEBRUARY)
    [invoice] = await market.invoices(org)
    assert lines(invoice) == [(f"Model {market.model}, late usage of 2026-01: 1 event", 3_00)]
    await prove_all(billing.urls)


async def test_late_usage_goes_to_the_next_invoice_and_says_so(billing: Billing) -> None:
    market = billing.market
    org = await market.debtor(JANUARY)
    metered = await market.meter(org, "1", at(JANUARY))
    await market.report(org, metered, at(date(2026, 1, 7)), {"n": 6})
    await billing.run()
    # Five units of the month were free, and stay so once.
    await market.report(org, metered, at(date(2026, 1, 8)), {"n": 4}, received=OVER)
    await market.use(org, at(date(2026, 1, 20)), 3, received=OVER)
    await market.use(org, at(date(2026, 2, 20)), 2)
    await billing.run(FEBRUARY)
    january, february = await market.invoices(org)
    assert lines(january) == [(f"Meter {metered}: 1 event", 1_00)]
    assert lines(february) == [
        (f"Model {market.model}, late usage of 2026-01: 1 event", 3_00),
        (f"Meter {metered}, late usage of 2026-01: 1 event", 4_00),
        (f"Model {market.model}: 1 event", 2_00),
    ]
    await prove_all(billing.urls)


async def test_months_are_those_of_the_zone_of_each_organization(billing: Billing) -> None:
    market = billing.market
    tokyo = await market.debtor(JANUARY, time_zone="Asia/Tokyo")
    la = await market.debtor(JANUARY, time_zone="America/Los_Angeles")
    for org in (tokyo, la):
        await market.use(org, datetime(2026, 1, 31, 14, 59, tzinfo=UTC), 1)
        await market.use(org, datetime(2026, 1, 31, 15, 0, tzinfo=UTC), 2)
        await market.use(org, datetime(2026, 2, 1, 7, 59, tzinfo=UTC), 4)
        await market.use(org, datetime(2026, 2, 1, 8, 0, tzinfo=UTC), 8)
    await billing.run()
    assert [row.total_minor for row in await market.invoices(tokyo)] == [1_00]
    [first] = await market.invoices(la)
    assert first.total_minor == 7_00
    assert {line["period_start"] for line in first.lines} == {"2026-01-01T08:00:00+00:00"}
    async with billing.database.platform() as session:
        with pytest.raises(MonthNotEnded):
            await billing_run.order_run(session, KIM, FEBRUARY, datetime(2026, 3, 2, 7, 59, tzinfo=UTC))
        _, is_due = await billing_run.order_run(session, KIM, FEBRUARY, datetime(2026, 3, 2, 8, 0, tzinfo=UTC))
    assert is_due


@pytest.mark.slow
async def test_pitfall_12_runs_at_once_leave_one_invoice_for_each_organization(billing: Billing) -> None:
    market = billing.market
    orgs = [await market.debtor(JANUARY) for _ in range(6)]
    for org in orgs:
        await market.use(org, at(date(2026, 1, 5)), 2)
    work = BillingRunActivities(billing.database)
    page = InvoicePage(now=OVER, month=JANUARY, after="", limit=4, pages=5)
    done = await asyncio.gather(*(work.invoice(page) for _ in range(4)))
    assert sum(each.invoiced for each in done) == 6
    first = await work.invoice(InvoicePage(now=OVER, month=FEBRUARY, after="", limit=2, pages=2))
    assert (first.done, first.left) == (False, sum(org > first.last for org in orgs))
    assert [len(await market.invoices(org)) for org in orgs] == [1] * 6
    numbers = sorted([row.number or "" for org in orgs for row in await market.invoices(org)])
    assert numbers == [f"INV-{number:06d}" for number in range(1, 7)]
    await prove_all(billing.urls)


@pytest.mark.slow
async def test_only_an_invoice_on_which_something_is_due_has_a_run_and_two_conclusions_start_one(
    billing: Billing,
) -> None:
    market = billing.market
    charged, idle = [await market.debtor(JANUARY) for _ in range(2)]
    given_time = await market.debtor(JANUARY, collection_method=CollectionMethod.SEND_INVOICE)
    for org in (charged, given_time):
        await market.use(org, at(date(2026, 1, 5)), 2)
    work = BillingRunActivities(billing.database, collecting=CollectionSetup(billing.client, (3, 7)))
    await work.plan(PlanBillingRun(now=OVER, month=JANUARY))
    await work.invoice(InvoicePage(now=OVER, month=JANUARY, after="", limit=10, pages=1))
    for _ in range(2):
        await work.conclude(ConcludeBillingRun(now=OVER, month=JANUARY))
    methods = {}
    async with billing.database.platform() as session:
        for row in await collections.page(session, after="", limit=10):
            methods[row.org_id] = row.method
            handle = billing.client.get_workflow_handle(invoice_workflow_id(row.invoice_id))
            assert (await handle.describe()).status is WorkflowExecutionStatus.RUNNING
            await handle.terminate("it has no worker here")
    assert methods == {charged: "charge_automatically", given_time: "send_invoice"}
    assert idle not in methods


async def test_organization_that_cannot_be_invoiced_stops_nobody_and_is_tried_again(
    billing: Billing, monkeypatch: pytest.MonkeyPatch
) -> None:
    market = billing.market
    bad, good = await market.debtor(JANUARY), await market.debtor(JANUARY)
    for org in (bad, good):
        await market.use(org, at(date(2026, 1, 5)), 2)
    as_it_is = invoices.new_draft

    def refusing(*args: Any, **options: Any) -> Any:
        if options["org_id"] == bad:
            raise Conflict("Not now.", code="test.refused")
        return as_it_is(*args, **options)

    monkeypatch.setattr(invoices, "unsaved", refusing)
    first = await billing.run()
    assert (first.invoiced, first.failed) == (1, 1)
    assert await market.periods(JANUARY) == {bad: "failed", good: "invoiced"}
    async with billing.database.platform() as session:
        alerts = (await session.scalars(text("SELECT subject FROM alerts WHERE kind = 'billing.invoice_failed'"))).all()
        row, is_due = await billing_run.order_run(session, KIM, JANUARY, OVER)
        [failure] = await runs.failures(session, JANUARY, 10)
    assert (alerts, row.failed, is_due, failure.failure) == ([bad], 1, True, "test.refused")
    monkeypatch.undo()
    second = await billing.run()
    assert (second.invoiced, second.failed) == (2, 0)
    async with billing.database.platform() as session:
        _, is_due = await billing_run.order_run(session, KIM, JANUARY, OVER)
    assert not is_due
    await prove_all(billing.urls)


@pytest.mark.slow
async def test_run_waits_for_late_usage_and_goes_on_with_the_month_after(
    billing: Billing, idle_server: WorkflowEnvironment
) -> None:
    market = billing.market
    now = datetime.now(UTC)
    last = (now.date().replace(day=1) - timedelta(days=1)).replace(day=1)
    before = (last - timedelta(days=1)).replace(day=1)
    org = await market.debtor(before)
    await market.use(org, at(before), 1)
    await market.use(org, at(last), 2)
    handle = await billing.client.start_workflow(
        "monthly-invoicing", id=new_id("billing"), task_queue=billing.queue, result_type=BillingRunResult
    )
    result = await pass_to_the_end(idle_server, handle)
    assert "is not over" in result.skipped or "was invoiced" in result.skipped
    assert [row.total_minor for row in await market.invoices(org)] == [1_00, 2_00]
    waiting = BillingRun(month=last, ready_at=now + timedelta(hours=30), only=True)
    handle = await billing.start(waiting)
    assert (await pass_to_the_end(idle_server, handle)).invoiced == 1
    events = (await handle.fetch_history()).events
    assert any(event.HasField("timer_fired_event_attributes") for event in events)


def test_a_run_says_how_many_are_due_done_left_and_failed_and_since_when() -> None:
    run = BillingRun(month=JANUARY, since=OVER, after="org_7", invoiced=5, empty=1, failed=1, left=13)
    assert render_progress(run).splitlines() == [
        "Invoices of 2026-01, since 2026-02-03 00:00 UTC",
        "",
        "- due: 20",
        "- done: 6, of them 5 invoiced and 1 with nothing to pay",
        "- left: 13, after `org_7`",
        "- **failed**: 1, see the alerts `billing.invoice_failed`",
    ]


def test_schedule_is_on_the_configured_day() -> None:
    [calendar] = invoicing_on(5).spec.calendars
    assert [each.start for each in calendar.day_of_month] == [5]


@pytest.mark.slow
async def test_run_that_is_killed_again_and_again_leaves_one_invoice_each_and_no_gap(billing: Billing) -> None:
    market, draw = billing.market, random.Random(RUN_SEED)
    orgs = [await market.debtor(JANUARY) for _ in range(12)]
    for org in orgs:
        await market.use(org, at(date(2026, 1, 5)), 2)
    work, kills = BillingRunActivities(billing.database), 0
    page = InvoicePage(now=OVER, month=JANUARY, after="", limit=5, pages=5)
    await work.plan(PlanBillingRun(now=OVER, month=JANUARY))
    while True:
        attempt = asyncio.create_task(work.invoice(page))
        # What a killed worker leaves is an open connection that the server rolls back, wherever it was.
        for _ in range(draw.randrange(40, 400)):
            await asyncio.sleep(0)
            if attempt.done():
                break
        if attempt.done() or kills == 40:
            await attempt
            break
        attempt.cancel()
        kills += 1
        with contextlib.suppress(asyncio.CancelledError):
            await attempt
    assert kills
    await work.conclude(ConcludeBillingRun(now=OVER, month=JANUARY))
    rows = [row for org in orgs for row in await market.invoices(org)]
    assert [row.org_id for row in rows] == orgs
    assert sorted(row.number or "" for row in rows) == [f"INV-{number:06d}" for number in range(1, 13)]
    await prove_all(billing.urls)
