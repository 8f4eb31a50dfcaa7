"""A provider's statement against the books: what is found, what is told, what closes by itself, what a night does."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, update
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from activities.reconciliation import ReconciliationActivities
from contracts.payment import PaymentEvent
from contracts.reconciliation import (
    BeginReconciliation,
    PlanReconciliations,
    ReconciliationInput,
    ReconciliationResult,
    ReconciliationStep,
)
from domain.access import Actor, Role
from domain.ids import payment_workflow_id
from domain.payment import commands
from domain.payment.snapshot import MovementKind
from domain.payment.state import PaymentTerms, Purpose, PurposeKind
from domain.reconciliation import Window
from models.alert import Alert
from models.organization import Organization
from models.payment import PaymentMovement
from models.reconciliation import ReconciliationDifference, ReconciliationLine, ReconciliationRun
from repositories import clearing, payment
from repositories import reconciliation as books
from runtime.database import Database
from runtime.identity import new_id
from tests.support.histories import replay_and_keep
from tests.support.reconciliation import DAY, NIGHT, NOON, FakeProvider, book, movement
from tests.workflows.conftest import with_plugin
from workflows.reconciliation import NightlyReconciliationWorkflow, ReconciliationWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


@dataclass
class Desk:
    """One provider of a test's own, and the activities on the shared books, called as the command line calls them."""

    database: Database
    provider: FakeProvider = field(default_factory=FakeProvider)
    client: Client | None = None

    @property
    def work(self) -> ReconciliationActivities:
        return ReconciliationActivities(self.database, self.provider.registry(), self.client, beat=lambda *_: None)

    def start(self, window: Window = DAY) -> ReconciliationInput:
        run_id = new_id("rcn")
        return ReconciliationInput(
            run_id=run_id,
            provider=self.provider.name,
            since=window.since,
            until=window.until,
            requested_by="test",
            command_id=run_id,
        )

    async def reconcile(self, window: Window = DAY, at=NIGHT) -> ReconciliationResult:
        start = self.start(window)
        await self.work.begin(BeginReconciliation(start=start, at=at))
        step = ReconciliationStep(run_id=start.run_id, at=at)
        fetched = await self.work.fetch_statement(step)
        assert fetched.refused is None
        return await self.work.conclude(step)

    async def book(self, *movements: Any, payment_id: str | None = None) -> None:
        await book(self.database, self.provider.name, movements, payment_id)

    async def differences(self, status: str | None = None) -> dict[str, ReconciliationDifference]:
        async with self.database.platform() as session:
            rows = await books.differences(session, provider=self.provider.name, status=status, limit=100)
        return {f"{row.kind}:{row.key}": row for row in rows}

    async def alerts(self, row: ReconciliationDifference) -> list[Alert]:
        async with self.database.platform() as session:
            return list(await session.scalars(select(Alert).where(Alert.subject == row.id).order_by(Alert.id)))

    async def run(self, run_id: str) -> ReconciliationRun:
        async with self.database.platform() as session:
            run = await books.get_run(session, run_id)
        assert run is not None
        return run

    async def payment(self) -> PaymentTerms:
        """Put a payment into the books, as far as it is when its run has ended."""
        org, payment_id = new_id("org"), new_id("pay")
        terms = PaymentTerms(
            payment_id=payment_id,
            org_id=org,
            provider=self.provider.name,
            amount_minor=1_000,
            currency="USD",
            purpose=Purpose(kind=PurposeKind.BALANCE, goods_asset="USD", goods_minor=1_000),
            description="d",
            created_at=NOON,
            expires_at=DAY.until,
        )
        outcome = commands.created(terms, actor=Actor(principal="test", role=Role.OWNER, org_id=org))
        event = PaymentEvent(payment=outcome.payment, event=outcome.event, actor=outcome.actor, at=NOON)
        async with self.database.platform() as session:
            await session.execute(insert(Organization).values(id=org, name=org, command_id=org, created_by="test"))
            await payment.write(session, event, None)
        return terms


@pytest.fixture
async def db(fresh_database_urls: Any) -> AsyncIterator[Database]:
    """A database of its own: what is booked here on purpose beside the ledger would look like damage to others."""
    database = Database(fresh_database_urls.tenant, fresh_database_urls.platform)
    yield database
    await database.close()


@pytest.fixture
def desk(db: Database) -> Desk:
    return Desk(db)


async def test_books_that_agree_have_no_difference_and_a_report_that_adds_up(desk: Desk):
    moved = [
        movement("ch_1"),
        movement("re_1", -400, 0, kind=MovementKind.REFUND),
        movement("ch_2", 700, 20, currency="EUR"),
    ]
    desk.provider.listed = moved
    await desk.book(*moved)
    result = await desk.reconcile()
    assert (result.status, result.compared, result.differences) == ("done", 3, 0)
    run = await desk.run(result.run_id)
    lines = books.report_of(run).lines
    assert {key: (line.our_net_minor, line.their_net_minor) for key, line in lines.items()} == {
        ("USD", "charge"): (941, 941),
        ("USD", "refund"): (-400, -400),
        ("EUR", "charge"): (680, 680),
    }
    assert [(a.currency, a.held_minor, a.unexplained_minor) for a in books.clearing_of(run)] == [
        ("EUR", 680, 0),
        ("USD", 541, 0),
    ]
    async with desk.database.platform() as session:
        assert not (
            await session.scalars(select(ReconciliationLine.key).where(ReconciliationLine.run_id == run.id))
        ).all()


async def test_each_kind_of_difference_is_listed_once_and_alerts(desk: Desk):
    here, there, differs, fee = (movement(key) for key in ("ch_here", "ch_there", "ch_differs", "ch_fee"))
    payout = movement("po_1", -300, 0, kind=MovementKind.OTHER, statement_ref="txn_po")
    desk.provider.listed = [here, differs, fee, payout]
    await desk.book(there, replace(differs, amount_minor=999), replace(fee, fee_minor=None))
    for _ in range(2):
        result = await desk.reconcile()
        assert result.differences == 5
    found = await desk.differences()
    assert set(found) == {
        "missing_here:ch_here",
        "missing_there:ch_there",
        "amount_differs:ch_differs",
        "fee_missing:ch_fee",
        "missing_here:po_1",
    }
    for row in found.values():
        (alert,) = await desk.alerts(row)
        assert alert.kind == "reconciliation.difference"
        assert row.key in alert.detail
        assert row.run_id == result.run_id
        assert row.times_opened == 1
    assert "txn_po" in (await desk.alerts(found["missing_here:po_1"]))[0].detail


async def test_difference_that_is_over_closes_with_its_alert_and_opens_again_when_it_comes_back(desk: Desk):
    line = movement("ch_1")
    await desk.book(line)
    await desk.reconcile()
    desk.provider.listed = [line]
    assert (await desk.reconcile()).differences == 0
    (row,) = (await desk.differences()).values()
    assert (row.status, row.resolution) == ("resolved", "matched")
    assert [alert.acknowledged_by for alert in await desk.alerts(row)] == ["reconciliation"]
    desk.provider.listed = []
    assert (await desk.reconcile()).differences == 1
    (row,) = (await desk.differences("open")).values()
    assert row.times_opened == 2
    assert [alert.acknowledged_by for alert in await desk.alerts(row)] == ["reconciliation", None]


async def test_difference_of_another_kind_replaces_the_first(desk: Desk):
    desk.provider.listed = [movement("ch_1")]
    await desk.reconcile()
    await desk.book(movement("ch_1", 1))
    assert (await desk.reconcile()).differences == 1
    found = await desk.differences()
    assert found["missing_here:ch_1"].resolution == "superseded"
    assert found["amount_differs:ch_1"].status == "open"


async def test_difference_outside_of_the_window_closes_when_it_was_booked_since(desk: Desk):
    line = movement("ch_1")
    desk.provider.listed = [line]
    await desk.reconcile()
    await desk.book(line)
    later = Window(DAY.until + timedelta(days=3), DAY.until + timedelta(days=4))
    await desk.reconcile(later, at=later.until)
    (row,) = (await desk.differences()).values()
    assert row.resolution == "matched"


@pytest.mark.parametrize("side", ["booked", "listed"])
async def test_movement_that_each_side_dates_differently_is_matched_by_its_key(desk: Desk, side: str):
    before, after = DAY.since - timedelta(minutes=10), DAY.since + timedelta(minutes=10)
    ours, theirs = (before, after) if side == "listed" else (after, before)
    desk.provider.listed = [movement("ch_1", occurred_at=theirs)]
    await desk.book(movement("ch_1", occurred_at=ours))
    result = await desk.reconcile()
    assert (result.compared, result.differences) == (1, 0)


async def test_what_lies_outside_of_the_window_on_both_sides_is_not_compared(desk: Desk):
    desk.provider.listed = [movement("ch_1", occurred_at=DAY.until + timedelta(minutes=1))]
    await desk.book(movement("ch_2", occurred_at=DAY.since - timedelta(minutes=1)))
    assert (await desk.reconcile()).compared == 0
    assert desk.provider.asked == [(DAY.since - timedelta(hours=2), DAY.until + timedelta(hours=2))]


async def test_statement_longer_than_a_page_is_compared_whole(desk: Desk, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("activities.reconciliation.PAGE", 3)
    moved = [movement(f"ch_{number:02}") for number in range(10)]
    desk.provider.listed = moved
    await desk.book(*moved[:9], *(movement(f"zz_{number}") for number in range(7)))
    result = await desk.reconcile()
    assert (result.compared, result.differences) == (17, 8)


async def test_statement_that_is_read_again_counts_once_and_a_second_line_of_a_key_is_not_lost(desk: Desk):
    twice = [movement("ch_1", statement_ref="txn_1"), movement("ch_1", 5, 0, statement_ref="txn_2")]
    desk.provider.listed = twice
    await desk.book(twice[0])
    start = desk.start()
    await desk.work.begin(BeginReconciliation(start=start, at=NIGHT))
    step = ReconciliationStep(run_id=start.run_id, at=NIGHT)
    for _ in range(2):
        await desk.work.fetch_statement(step)
    result = await desk.work.conclude(step)
    assert (result.compared, result.differences) == (2, 1)
    assert set(await desk.differences()) == {"missing_here:ch_1#txn_2"}


async def test_step_of_a_run_that_is_done_changes_nothing(desk: Desk):
    line = movement("ch_1")
    desk.provider.listed = [line]
    await desk.book(line)
    done = await desk.reconcile()
    step = ReconciliationStep(run_id=done.run_id, at=NIGHT)
    assert (await desk.work.fetch_statement(step)).movements == 0
    # The statement is forgotten by now: to compare again would miss everything there.
    assert await desk.work.conclude(step) == done
    assert await desk.differences() == {}


async def test_what_is_too_young_for_the_statement_is_no_difference(desk: Desk):
    await desk.book(movement("ch_1"))
    result = await desk.reconcile(Window(DAY.since, NOON + timedelta(minutes=1)), at=NOON)
    assert (result.compared, result.differences) == (1, 0)


async def test_night_goes_on_where_the_latest_run_ended(desk: Desk):
    (first,) = (await desk.work.plan(PlanReconciliations(now=NIGHT))).runs
    assert (first.since, first.until) == (DAY.since - timedelta(days=1), DAY.until)
    await desk.reconcile()
    (late,) = (await desk.work.plan(PlanReconciliations(now=NIGHT + timedelta(days=5)))).runs
    assert late.since == DAY.until - timedelta(days=1)


async def test_clearing_account_explains_itself_by_its_movements(desk: Desk):
    await desk.book(movement("ch_1"), movement("re_1", -200, -3, kind=MovementKind.REFUND))
    async with desk.database.platform() as session:
        (account,) = await clearing.clearing(session, desk.provider.name)
    assert (account.held_minor, account.booked_minor) == (744, 744)
    assert account.kinds == {"charge": 941, "refund": -197}


# In a workflow --------------------------------------------------------------------------------------------------------


@pytest.fixture
async def office(db: Database, timeskip_env: Any) -> AsyncIterator[tuple[Desk, str]]:
    """A desk whose work is done by a worker on a task queue of its own."""
    desk, queue = Desk(db, client=with_plugin(timeskip_env.client)), new_id("queue")
    assert desk.client is not None
    work = ReconciliationActivities(db, desk.provider.registry(), desk.client)
    async with Worker(
        desk.client,
        task_queue=queue,
        workflows=[ReconciliationWorkflow, NightlyReconciliationWorkflow],
        activities=[
            work.plan,
            work.begin,
            work.fetch_statement,
            work.tell_payments,
            work.count_unsettled,
            work.conclude,
            work.fail,
        ],
    ):
        yield desk, queue


async def test_payment_is_told_to_look_before_anything_is_called_a_difference(
    office: tuple[Desk, str], timeskip_env: Any
):
    desk, queue = office
    terms = await desk.payment()
    fee_known = movement("ch_1", payment_id=terms.payment_id)
    lost = movement("ch_2", payment_id=terms.payment_id)
    desk.provider.listed = [fee_known, lost, movement("ch_of_somebody_else")]
    await desk.book(replace(fee_known, fee_minor=None), payment_id=terms.payment_id)
    assert desk.client is not None
    with timeskip_env.with_time_skipping_disabled():
        handle = await desk.client.start_workflow(
            ReconciliationWorkflow.run, desk.start(), id=new_id("reconciliation"), task_queue=queue
        )
        told = desk.client.get_workflow_handle(payment_workflow_id(terms.payment_id))
        async for event in _events(told):
            if event.HasField("workflow_execution_signaled_event_attributes"):
                assert event.workflow_execution_signaled_event_attributes.signal_name == "provider_event"
                break
        # What the payment's own run does when it looks.
        await desk.book(lost, payment_id=terms.payment_id)
        async with desk.database.platform() as session:
            mine = (PaymentMovement.provider == desk.provider.name) & (PaymentMovement.key == "ch_1")
            await session.execute(update(PaymentMovement).where(mine).values(fee_minor=59))
        await told.terminate("seen")
        result = await handle.result()
    assert (result.compared, result.differences) == (3, 1)
    assert set(await desk.differences()) == {"missing_here:ch_of_somebody_else"}


async def test_what_a_payment_does_not_settle_in_time_becomes_a_difference(office: tuple[Desk, str], timeskip_env: Any):
    desk, queue = office
    terms = await desk.payment()
    desk.provider.listed = [movement("ch_1", payment_id=terms.payment_id)]
    assert desk.client is not None
    # A run of the payment that skipped time would try without a pause to read what these books alone have.
    with timeskip_env.with_time_skipping_disabled():
        handle = await desk.client.start_workflow(
            ReconciliationWorkflow.run, desk.start(), id=new_id("reconciliation"), task_queue=queue
        )
        told = desk.client.get_workflow_handle(payment_workflow_id(terms.payment_id))
        async for event in _events(told):
            if event.HasField("workflow_execution_signaled_event_attributes"):
                break
        await told.terminate("lost")
    await timeskip_env.fast_forward(handle, timedelta(minutes=10))
    assert (await handle.result()).differences == 1
    await replay_and_keep(await handle.fetch_history(), "reconciliation")
    (row,) = (await desk.differences("open")).values()
    assert row.payment_id == terms.payment_id


async def test_provider_that_refuses_ends_the_run_with_an_alert(office: tuple[Desk, str]):
    desk, queue = office
    desk.provider.refuses = "The key may not read the balance."
    start = desk.start()
    assert desk.client is not None
    result = await desk.client.execute_workflow(
        ReconciliationWorkflow.run, start, id=new_id("reconciliation"), task_queue=queue
    )
    assert result.status == "failed"
    run = await desk.run(start.run_id)
    assert run.failure == "The key may not read the balance."
    async with desk.database.platform() as session:
        (alert,) = await session.scalars(select(Alert).where(Alert.subject == run.id))
    assert alert.kind == "reconciliation.failed"


async def test_night_starts_a_run_for_each_provider(office: tuple[Desk, str]):
    desk, queue = office
    assert desk.client is not None
    night = await desk.client.start_workflow(NightlyReconciliationWorkflow.run, id=new_id("night"), task_queue=queue)
    result = await night.result()
    await replay_and_keep(await night.fetch_history(), "reconciliation_nightly")
    assert [run.status for run in result.runs] == ["done"]
    run = await desk.run(result.runs[0].run_id)
    assert run.command_id == f"{desk.provider.name}/{run.until:%Y-%m-%d}"
    described = await desk.client.get_workflow_handle(f"reconciliation/{run.command_id}").describe()
    assert described.workflow_type == "reconciliation"


async def _events(handle: Any) -> AsyncIterator[Any]:
    """Yield the events of a run that may not have started yet."""
    while True:
        try:
            async for event in handle.fetch_history_events(wait_new_event=True):
                yield event
            return
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
