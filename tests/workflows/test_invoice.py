"""An invoice's run: charged once for each attempt, dunned by its own count, and left to an operator when reopened."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from temporalio.api.history.v1 import HistoryEvent

from domain.common import accounts
from domain.common.approval import ApprovalAction
from domain.payments.payment.snapshot import ProviderStatus
from ledger.gateway import Ledger
from models.common.approval import Approval
from models.messages.alert import Alert
from repositories.payments import payment as payments
from runtime import reach
from runtime.database import driver_connection
from runtime.identity import new_id
from tests.support.histories import replay, replay_and_keep
from tests.support.looking import again
from tests.workflows.approvals import approved
from tests.workflows.conftest import Stage, stage_on
from tests.workflows.invoice_driver import InvoiceDriver, charged_back, collected, payment_of
from workflows.common.sweeps import InvoiceSweepWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def fired(made: InvoiceDriver) -> None:
    """Return once the run's latest timer has fired on the server, while no worker takes its task."""
    while True:
        timers = [
            event
            for event in (await made.handle.fetch_history()).events
            if "timer" in str(event.WhichOneof("attributes"))
        ]
        if timers and timers[-1].HasField("timer_fired_event_attributes"):
            return
        await again()


def _reads(event: HistoryEvent) -> bool:
    """Return whether a local activity read how the invoice stands."""
    details = event.marker_recorded_event_attributes.details
    return any(b'"load_collection"' in payload.data for part in details.values() for payload in part.payloads)


async def lapse(stage: Stage, approval_id: str) -> None:
    async with stage.database.platform() as session:
        await session.execute(text("UPDATE approvals SET status = 'expired' WHERE id = :id"), {"id": approval_id})


async def test_invoice_is_charged_once_and_paid(stage):
    made = await collected(stage, "pm_ok")
    await made.begin()
    assert await made.ends() == "paid"
    row = await made.invoice()
    assert (row.status, row.paid_minor) == ("paid", 25_000)
    assert len(made.charges()) == 1
    assert await made.kinds() == ["opened", "announced", "charging", "paid"]
    assert await made.mails() == ["invoice_issued"]
    await replay_and_keep(await made.handle.fetch_history(), "invoice/paid")


async def test_pitfall_20_dunning_counts_its_own_declines_and_a_new_card_pays_on_the_next_day(stage):
    made = await collected(stage, "pm_declined")
    first = await made.reaches("scheduled", step=1)
    assert (first.attempts, first.steps, first.failure_code) == (1, 1, "insufficient_funds")
    # What the organization tries by itself in between, and what is looked at again, is none of its steps.
    await made.signal_change()
    made.store("pm_ok", "pm_declined")
    await made.pass_time(days=2)
    assert (await made.state()).steps == 1
    await made.pass_time(days=2)
    assert await made.ends() == "paid"
    end = await made.state()
    assert (end.attempts, end.steps) == (2, 1)
    assert len({each.asked.payment_id for each in made.charges()}) == 2
    assert await made.mails() == ["invoice_issued", "payment_failed"]
    async with stage.database.platform() as session:
        failed = text("SELECT data ->> 'next_try_on' FROM mails WHERE org_id = :id AND kind = 'payment_failed'")
        named = (await session.scalars(failed, {"id": first.org_id})).one()
        alerts = select(Alert.detail, Alert.status, Alert.severity).where(Alert.kind == "failed_payment")
        (raised,) = (await session.execute(alerts.where(Alert.subject == first.invoice_id))).all()
    assert named == first.next_at.date().isoformat()
    assert f"(insufficient_funds). The next try is at {first.next_at:%Y-%m-%d %H:%M} UTC." in raised.detail
    assert (raised.status, raised.severity) == ("resolved", "critical")
    await replay(await made.handle.fetch_history())


async def test_invoice_whose_charges_are_all_declined_becomes_bad_debt(stage):
    made = await collected(stage, "pm_declined")
    bad = accounts.platform("bad_debt", "USD")

    async def lost() -> int:
        async with stage.database.platform() as session:
            return -(await Ledger(await driver_connection(session)).balance(bad)).posted_minor

    before = await lost()
    await made.begin()
    await made.pass_time(days=8)
    assert await made.ends() == "uncollectible"
    assert await lost() - before == 25_000
    assert (await made.invoice()).status == "uncollectible"
    assert len(made.charges()) == 3
    assert await made.mails() == ["invoice_issued", "payment_failed", "payment_failed", "invoice_uncollectible"]
    await replay_and_keep(await made.handle.fetch_history(), "invoice/uncollectible")


async def test_organization_without_a_method_is_dunned_by_mail_from_the_due_date(stage):
    made = await collected(stage, due_in=timedelta(days=10))
    waiting = await made.reaches("scheduled", step=1)
    assert waiting.next_at == waiting.due_at + timedelta(days=3)
    assert waiting.failure_code == "payment.no_method"
    await made.pass_time(days=18)
    assert await made.ends() == "uncollectible"
    assert await made.mails() == ["invoice_issued", "invoice_overdue", "invoice_uncollectible"]
    assert made.charges() == []
    await replay(await made.handle.fetch_history())


@pytest.mark.slow
async def test_charge_that_its_payer_has_to_confirm_sends_a_page_and_counts_no_step(stage):
    made = await collected(stage, "pm_confirm")
    waiting = await made.reaches("requires_action")
    assert (waiting.steps, waiting.attempts) == (0, 1)
    assert (await made.invoice()).status == "open"
    assert await made.mails() == ["invoice_issued", "action_required"]
    # The charge that the bank refused is over, and the page is the only payment that can be paid.
    refused, page = made.charges()
    assert refused.status is ProviderStatus.FAILED
    assert (page.asked.hosted, page.asked.payment_id) == (True, waiting.payment_id)
    payment = await payment_of(made)
    page.pay()
    await payment.refreshed()
    await made.signal_change()
    assert await made.ends() == "paid"
    await replay(await made.handle.fetch_history())


@pytest.mark.slow
async def test_confirmation_page_returns_to_the_console_by_default(idle_server, database_urls):
    places = {"payment_return_url": None, "public_url": "https://bursar.test/"}
    async with stage_on(idle_server, database_urls, **places) as stage:
        made = await collected(stage, "pm_confirm")
        await made.reaches("requires_action")
        assert await made.mails() == ["invoice_issued", "action_required"]
        _, page = made.charges()
        start = made.held
        assert page.asked.return_url == f"https://bursar.test/console/{start.org_id}/invoices/{start.invoice_id}"


@pytest.mark.slow
async def test_no_mail_has_an_unusable_page(idle_server, database_urls):
    places = {"payment_return_url": None, "public_url": "https://bursar.test/", "console": "off"}
    async with stage_on(idle_server, database_urls, **places) as stage:
        made = await collected(stage, "pm_confirm", days=(1,))
        await made.begin()
        while "invoice_overdue" not in await made.mails():
            await again()
        assert len(made.charges()) == 1


@pytest.mark.slow
async def test_unanswered_pages_end_with_an_operator_and_not_with_bad_debt(stage):
    made = await collected(stage, "pm_confirm", days=(1,))
    await made.begin()
    for attempt in (1, 2):
        while (await made.state()).attempts < attempt:
            await made.pass_time(hours=6)
        await made.reaches("requires_action")
        page = await payment_of(made)
        # Its provider ends it: until its time is over the run would look at it every hour for days.
        page.there.status = ProviderStatus.EXPIRED
        await page.refreshed()
    while (state := await made.state()).status != "paused":
        await made.pass_time(hours=1)
    assert (state.paused_for, state.steps, state.attempts) == ("unanswered", 0, 2)
    assert await made.alerts() == ["failed_payment", "invoice.waits_for_operator"]
    made.store("pm_ok")
    await made.charge()
    assert await made.ends() == "paid"
    assert await made.alerts() == []


async def test_pitfall_48_invoice_reopened_by_a_chargeback_waits_for_an_operator(stage):
    made = await collected(stage, "pm_ok")
    await made.begin()
    assert await made.ends() == "paid"
    await charged_back(made)
    # The run, which has ended, got no signal: the sweep sends it.
    await made.signal_change()
    while (await made.state()).status != "paused":
        await again()
    await made.pass_time(days=30)
    assert (await made.state()).status == "paused"
    assert len(made.charges()) == 1
    assert await made.alerts() == ["invoice.waits_for_operator"]
    await made.signal("resume")
    assert await made.ends() == "paid"
    assert len(made.charges()) == 2
    assert (await made.invoice()).paused_for is None
    await replay(await made.handle.fetch_history())


@pytest.mark.slow
async def test_operator_gives_up_a_charged_back_invoice(stage):
    made = await collected(stage, "pm_ok")
    await made.begin()
    await made.ends()
    await charged_back(made)
    await made.signal_change()
    await made.signal("give_up", reason="fraud")
    assert await made.ends() == "uncollectible"
    assert (await made.invoice()).written_off_minor == 25_000


@pytest.mark.slow
@pytest.mark.parametrize(
    ("signal", "action", "end"),
    [
        ("void", ApprovalAction.INVOICE_VOID, "void"),
        ("give_up", ApprovalAction.INVOICE_GIVE_UP, "uncollectible"),
    ],
)
async def test_signal_ends_a_large_invoice_only_with_an_approval_of_that_act_that_was_not_used(
    stage, signal, action, end
):
    made, other = [await collected(stage, method="send_invoice", minor=100_001) for _ in range(2)]
    invoice_id, large = made.held.invoice_id, {"amount": "1000.01", "currency": "USD"}
    [another] = {ApprovalAction.INVOICE_VOID, ApprovalAction.INVOICE_GIVE_UP} - {action}
    await made.waits()
    await approved(stage, another, invoice_id, large)
    await approved(stage, action, other.held.invoice_id, large)
    await approved(stage, action, invoice_id, {"amount": "999.00", "currency": "USD"})
    await approved(stage, action, invoice_id, large, used_by="another command")
    lapsed = await approved(stage, action, invoice_id, large, asked=timedelta(days=4))
    await made.signal(signal)
    assert await made.refused() == ["approval.required"]
    assert (await made.invoice()).status == "open"
    await lapse(stage, lapsed)
    given = await approved(stage, action, invoice_id, large)
    await made.signal(signal)
    assert await made.ends() == end
    assert (await made.invoice()).status == end
    async with stage.database.platform() as session:
        assert (await session.get(Approval, given)).status == "used"
    if end == "void":
        await replay_and_keep(await made.handle.fetch_history(), "invoice/void")


@pytest.mark.slow
async def test_invoice_voided_while_a_charge_is_under_way_keeps_no_money(stage):
    made = await collected(stage, "pm_debit")
    await made.reaches("charging")
    payment = await payment_of(made)
    await payment.until("processing")
    await made.signal("give_up")
    await made.void_elsewhere()
    payment.there.pay()
    await payment.refreshed()
    await payment.until("refunded")
    await made.signal_change()
    assert await made.ends() == "void"
    refused = [event.details["code"] for event in await made.timeline() if event.kind == "command_refused"]
    assert refused == ["invoice.charge_under_way"]
    assert len(made.charges()) == 1


@pytest.mark.slow
async def test_charge_waits_for_the_organizations_payment(stage):
    made = await collected(stage, "pm_ok")
    own = await made.paying()
    waiting = await made.reaches_event("waits")
    assert (waiting.waits_for, waiting.steps) == (own.terms.payment_id, 0)
    own.there.pay()
    await own.refreshed()
    await own.happened("invoice_paid")
    assert await made.ends() == "paid"
    assert [each.asked.payment_id for each in made.charges()] == [own.terms.payment_id]


@pytest.mark.slow
async def test_nothing_is_given_up_while_a_payment_of_the_organization_is_processing(stage):
    made = await collected(stage, method="send_invoice", due_in=timedelta(days=10))
    await made.waits()
    own = await made.paying()
    own.there.process()
    await own.refreshed()
    await own.until("processing")
    # Past the reminder and the last day of the plan.
    await made.pass_time(days=22)
    assert (await made.state()).waits_for == own.terms.payment_id
    await made.signal("give_up", give_up=made.held.invoice_id)
    assert await made.refused() == ["invoice.charge_under_way"]
    assert await made.mails() == ["invoice_issued"]
    assert (await made.invoice()).status == "open"
    own.there.pay()
    await own.refreshed()
    await own.happened("invoice_paid")
    assert await made.ends() == "paid"


@pytest.mark.slow
async def test_page_that_the_organization_opened_and_left_is_ended_before_the_charge(stage):
    made = await collected(stage, "pm_ok")
    own = await made.paying(lasts=timedelta(days=30), open_seconds=30 * 86_400)
    await made.reaches_event("waits")
    await made.pass_time(days=2)
    assert await made.ends() == "paid"
    left, charge = made.charges()
    assert (left.asked.payment_id, left.gone, left.status) == (own.terms.payment_id, 0, ProviderStatus.CANCELLED)
    assert charge.status is ProviderStatus.SUCCEEDED
    waits = [event for event in await made.timeline() if event.kind == "waits"]
    assert waits[-1].at - waits[0].at < timedelta(days=1)
    await replay(await made.handle.fetch_history())


@pytest.mark.slow
async def test_bank_debit_that_begins_while_the_charge_gives_up_waiting_for_it_is_kept(stage):
    made = await collected(stage, "pm_ok")
    late = 30 * 86_400
    polls = {"first_poll_seconds": late, "longest_poll_seconds": late}
    own = await made.paying(lasts=timedelta(days=30), open_seconds=late, **polls)
    await made.reaches_event("waits")
    own.there.process()  # its run does not know
    await made.pass_time(days=2)
    state = await own.until("processing")
    assert not state.cancel_requested
    own.there.pay()
    await own.refreshed()
    await own.happened("invoice_paid")
    assert await made.ends() == "paid"
    assert [(each.asked.payment_id, each.gone) for each in made.charges()] == [(own.terms.payment_id, 0)]


async def test_charge_whose_answer_was_lost_is_looked_up_and_never_made_twice(stage):
    made = await collected(stage, "pm_ok")
    stage.fake.breaks = ["after"]
    await made.begin()
    assert await made.ends() == "paid"
    assert len(made.charges()) == 1


async def test_payment_signals_its_invoice_when_the_money_arrives(stage):
    made = await collected(stage, "pm_ok")
    await made.begin()
    assert await made.ends() == "paid"
    history = await made.handle.fetch_history()
    assert not any(event.HasField("timer_fired_event_attributes") for event in history.events)
    await replay(history)


@pytest.mark.slow
async def test_payment_that_ends_during_its_order_is_read_at_once(stage, monkeypatch):
    made, start = await collected(stage, "pm_ok"), reach.start_missing

    async def answered_late(client, run, **given):
        answer = await start(client, run, **given)
        while run.workflow_id.startswith("payment/") and not await is_signalled():
            await again()
        return answer

    async def is_signalled():
        events = (await made.handle.fetch_history()).events
        return any(event.HasField("workflow_execution_signaled_event_attributes") for event in events)

    monkeypatch.setattr(reach, "start_missing", answered_late)
    await made.begin()
    assert await made.ends() == "paid"
    history = await made.handle.fetch_history()
    assert not any(event.HasField("timer_fired_event_attributes") for event in history.events)
    await replay(history)


@pytest.mark.slow
async def test_signal_during_a_read_triggers_another_read_at_once(stage, monkeypatch):
    made = await collected(stage, method="send_invoice", due_in=timedelta(days=10))
    read, seen = payments.processing_of_invoice, asyncio.Event()

    async def read_slowly(*given, **named):
        found = await read(*given, **named)
        if not seen.is_set():
            # How the invoice stands was read before this, and the run learns of the news while it still reads.
            await made.void_elsewhere()
            seen.set()
            await made.signal_change()
            while await signals() < 2:
                await again()
        return found

    async def signals():
        events = (await made.handle.fetch_history()).events
        return sum(event.HasField("workflow_execution_signaled_event_attributes") for event in events)

    await made.waits()
    monkeypatch.setattr(payments, "processing_of_invoice", read_slowly)
    await made.signal_change()
    await seen.wait()
    assert await made.ends() == "void"
    history = await made.handle.fetch_history()
    assert not any(event.HasField("timer_fired_event_attributes") for event in history.events)
    await replay(history)


@pytest.mark.slow
async def test_pending_payment_is_ordered_once_and_read_once_per_poll(stage):
    made = await collected(stage, "pm_ok")
    stage.fake.away = {"create", "find"}
    try:
        await made.reaches("charging")
        for _ in range(3):
            await made.pass_time(seconds=60)
    finally:
        stage.fake.away = set()
    assert await made.ends() == "paid"
    events = (await made.handle.fetch_history()).events
    orders = [event for event in events if event.HasField("activity_task_scheduled_event_attributes")]
    assert [order.activity_task_scheduled_event_attributes.activity_type.name for order in orders] == ["order_charge"]
    looks = sum(event.HasField("timer_fired_event_attributes") for event in events)
    is_signalled = sum(event.HasField("workflow_execution_signaled_event_attributes") for event in events)
    assert looks >= 3
    # Once to open, and once for each look; several signals may be one look.
    assert 1 + looks < sum(_reads(event) for event in events) <= 1 + looks + is_signalled


@pytest.mark.slow
async def test_resumed_run_reads_the_outcome_of_a_charge_without_ordering_it_again(stage):
    made = await collected(stage, "pm_debit")
    await made.reaches("charging")
    payment = await payment_of(made)
    await payment.until("processing")
    await made.handle.terminate("by hand")
    payment.there.pay()
    await payment.refreshed()
    await made.signal_change()
    assert await made.ends() == "paid"
    history = await made.handle.fetch_history()
    assert not any(event.HasField("activity_task_scheduled_event_attributes") for event in history.events)
    await replay_and_keep(history, "invoice/resumed")


@pytest.mark.slow
async def test_run_lost_during_a_charge_continues_with_the_same_payment(stage):
    made = await collected(stage, "pm_ok")
    stage.fake.away = {"create", "find"}
    try:
        await made.reaches("charging")
        payment = (await made.state()).payment_id
        await made.handle.terminate("by hand")
    finally:
        stage.fake.away = set()
    async with stage.database.platform() as session:
        await session.execute(
            text("UPDATE invoice_collections SET wake_at = wake_at - interval '4 days' WHERE invoice_id = :id"),
            {"id": made.held.invoice_id},
        )
    sweep = await stage.client.start_workflow(InvoiceSweepWorkflow.run, id=new_id("sweep"), task_queue="bursar")
    assert (await sweep.result()).started >= 1
    assert await made.alerts() == ["invoice.stuck"]
    await replay_and_keep(await sweep.fetch_history(), "invoice-sweep/completed")
    assert await made.ends() == "paid"
    assert [each.asked.payment_id for each in made.charges()] == [payment]


@pytest.mark.slow
async def test_day_of_dunning_that_came_without_a_worker_is_one_charge(idle_server, database_urls):
    async with stage_on(idle_server, database_urls) as before:
        made = await collected(before, "pm_declined", days=(3, 20))
        first = await made.reaches("scheduled", step=1)
    passing = asyncio.ensure_future(idle_server.fast_forward(made.handle, timedelta(days=4)))
    await fired(made)
    async with stage_on(idle_server, database_urls, fake=before.fake, methods=before.methods) as back:
        made.stage = back
        await passing
        late = await made.reaches("scheduled", step=2)
        assert (late.attempts, len(made.charges())) == (2, 2)
        assert late.next_at - first.next_at >= timedelta(days=17)
        made.store("pm_ok")
        await made.charge()
        assert await made.ends() == "paid"
