"""Histories that older code wrote must replay on today's code, offline and with the production converter.

A stored history is never made again to get a failing replay to pass: gate the change with `workflow.patched`, and
record a new scenario beside the old ones. `BURSAR_RECORD_HISTORIES=1` writes those that are not there yet.
"""

import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner

from contracts import search_attributes
from dev.stack.temporal import find_temporal
from domain.escrow.state import Milestone
from runtime.settings import Settings
from runtime.temporal import data_converter
from tests.support.histories import FOLDER, replay, replay_and_keep
from tests.support.sandbox import UntriedSandbox
from tests.workflows import lagging_runs, payment_runs
from tests.workflows.behind import delivered_without_a_run, disputed_without_a_run, resumed
from tests.workflows.conftest import Job, Stage, stage_on
from tests.workflows.payment_driver import PaymentDriver

STORED = sorted(FOLDER.glob("*.json"))
#: Recorded by other tests of this folder, which have the server or the state that it takes.
ELSEWHERE = {
    "continued_run",
    "disputed_by_signal_too_late",
    "disputed_in_time",
    "alert_rules",
    "lot_expiry",
    "refunded_by_default",
    "resumed_run",
    "signed_by_number_after_refusals",
    "accounting_days",
    "revenue_recognition",
} | {
    *("customer_made", "provider_event_forwarded", "provider_event_too_early", "provider_event_cash"),
    *("payment_by_transfer_that_never_came", "payment_overdue", "payment_that_its_provider_no_longer_keeps"),
    "payment_whose_bank_moved_its_date",
    *("payment_cancelled_later", "payment_cancelled_later_and_not_made", "payment_cancelled_later_and_returned"),
    *("payment_of_coins_sent_short_cancelled", "payment_cancelled_in_vain"),
    *("payment_continued_as_new", "payment_continued_run", "payment_sweep_continued"),
    *("escrow_sweep_with_contracts", "inbox_sweep_by_pages", "payment_sweep_by_pages"),
    *("reconciliation", "reconciliation_nightly"),
    *("reconciliation_nightly_terminated_and_told", "usage_months", "usage_sync", "spend_alerts"),
    *("usage_charges", "spend_days", "reputation_decay", "monthly_invoicing", "mail_sweep", "purchase_renewals"),
    "referral_rewards",
    "creator_statements",
    "vat_confirmations",
    *("payout_paid", "payout_refused", "payout_waited_for_funds", "payout_looked_for", "payout_given_up"),
    *("invoice_paid", "invoice_paid_on_a_later_day", "invoice_uncollectible", "invoice_dunned_by_mail"),
    *("invoice_confirmed", "invoice_reopened", "invoice_sweep", "invoice_waited_for_its_organization"),
    "invoice_told_while_it_was_read",
    "invoice_charge_read_by_a_later_run",
    *("payout_sweep", "earnings_recovery", "scheduled_payouts"),
    *("subscription_cancelled", "subscription_declined", "subscription_looked_up"),
    *("subscription_news_after_the_end", "subscription_not_begun", "subscription_cancelled_behind_a_lost_run"),
    *("subscription_accrual", "subscription_sweep", "subscription_page_expired"),
    "subscription_upgrade_undone",
    *("escalation_unanswered", "escalation_acknowledged", "escalation_acknowledged_at_its_end"),
    *("probe", "probe_failed"),
    *("notifications", "digest"),
    *("webhook_endpoint_enabled_again", "webhook_endpoint_gone", "webhook_endpoint_failing", "webhook_dispatch"),
}
SHORT = {"evidence_seconds": 1, "decision_seconds": 1, "grace_seconds": 1}


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
@pytest.mark.parametrize(
    "runner",
    [pytest.param(UntriedSandbox(), marks=pytest.mark.slow), UnsandboxedWorkflowRunner()],
    ids=["sandbox", "plain"],
)
async def test_a_stored_history_replays(path, runner):
    await replay(WorkflowHistory.from_json(path.stem, path.read_text()), runner)


def test_histories_are_stored_for_every_kind_of_end():
    assert {path.stem for path in STORED} >= set(SCENARIOS) | ELSEWHERE


async def test_an_altered_history_fails():
    """The replay is a gate only if it can fail: the same run, with an activity where the code starts a timer."""
    path = next(path for path in STORED if path.stem == "released_by_score")
    history = json.loads(path.read_text())
    timer = next(e for e in history["events"] if e["eventType"] == "EVENT_TYPE_TIMER_STARTED")
    timer["eventType"] = "EVENT_TYPE_ACTIVITY_TASK_SCHEDULED"
    timer["activityTaskScheduledEventAttributes"] = {
        "activityId": timer.pop("timerStartedEventAttributes")["timerId"],
        "activityType": {"name": "something_else"},
        "taskQueue": {"name": "bursar"},
    }
    with pytest.raises(Exception, match=r"[Nn]ondeterminism"):
        await replay(WorkflowHistory.from_json("altered", json.dumps(history)))


async def released_by_score(stage: Stage) -> Job:
    job = await (await stage.award()).delivered()
    await job.send("validate", job.validator, score_e4=5000)
    await job.send("validate", job.validator, score_e4=9000)
    return job


async def released_by_signatures(stage: Stage) -> Job:
    job = await (await stage.award()).delivered()
    await job.send("refund", job.bot, amount_minor=1_000_000)
    await job.send("approve", job.finance)
    await job.send("approve", job.procurement)
    return job


async def milestones_then_expired(stage: Stage) -> Job:
    parts = tuple(Milestone(name=name, amount_minor=25_000_000) for name in ("first", "second"))
    job = await (await stage.award(milestones=parts, deliver_seconds=2)).funded()
    await job.send("deliver", job.bot)
    await job.send("validate", job.validator, score_e4=9000)
    return job


async def dispute_by_default(stage: Stage) -> Job:
    job = await (await stage.award(**SHORT)).disputed()
    await job.send("submit_evidence", job.bot, note="as agreed")
    return job


async def not_funded(stage: Stage) -> Job:
    job = await stage.award(fund_seconds=1)
    await job.open()
    return job


async def review_expired(stage: Stage) -> Job:
    return await (await stage.award(review_seconds=1)).delivered()


async def steered_by_signals(stage: Stage) -> Job:
    job = await (await stage.award()).delivered()
    await job.handle.signal("approve", {"operator": "kim", "signatory": "nobody"})
    await job.handle.signal("dispute", {"operator": "kim", "reason": "look at this"})
    await job.handle.signal("resolve", {"operator": "kim", "payee_share": "0.5"})
    return job


async def signed_by_unsealed_signals(stage: Stage) -> Job:
    job = await (await stage.award()).delivered()
    await job.handle.signal("approve", {"signatory": "finance", "operator": "nora"})
    await job.handle.signal("approve", {"signatory": "procurement", "operator": "kim", "command_id": "ticket-7"})
    return job


async def cancelled_run(stage: Stage) -> Job:
    job = await (await stage.award()).funded()
    await job.handle.cancel()
    await job.told("command_refused")
    await job.handle.signal("cancel", {"operator": "kim"})
    return job


async def malformed_signals(stage: Stage) -> Job:
    job = await (await stage.award()).delivered()
    for name, malformed in (("cancel", "now"), ("dispute", ["reason"]), ("resolve", 7)):
        await job.handle.signal(name, malformed)
    await job.handle.signal("dispute", {"operator": "kim", "reason": "look at this"})
    await job.send("resolve", job.arbiter, payee_share_e4=6000)
    return job


async def disputed_by_signal_in_the_first_task_after_an_outage(stage: Stage) -> Job:
    long_ago = datetime.now(UTC) - timedelta(days=4)
    job = await delivered_without_a_run(await stage.award(**SHORT), long_ago)
    return await resumed(job, "dispute", {"operator": "kim", "reason": "look at this"})


async def dispute_signalled_again_after_an_outage(stage: Stage) -> Job:
    job = await stage.award(**SHORT)
    long_ago = datetime.now(UTC) - timedelta(days=4)
    await delivered_without_a_run(job, long_ago)
    await disputed_without_a_run(job, long_ago, "signal:dispute:ticket-7")
    return await resumed(job, "dispute", {"operator": "kim", "command_id": "ticket-7"})


async def declined_then_funded_then_refunded(stage: Stage) -> Job:
    job = await stage.award(balance=1)
    await job.open()
    with pytest.raises(Exception, match="available"):
        await job.send("fund", job.procurement)
    await job.send("cancel", job.procurement)
    return job


SCENARIOS: dict[str, Callable[[Stage], Awaitable[Job | PaymentDriver]]] = (
    payment_runs.RUNS
    | lagging_runs.RUNS
    | {
        scenario.__name__: scenario
        for scenario in (
            released_by_score,
            released_by_signatures,
            milestones_then_expired,
            dispute_by_default,
            not_funded,
            review_expired,
            steered_by_signals,
            signed_by_unsealed_signals,
            cancelled_run,
            malformed_signals,
            disputed_by_signal_in_the_first_task_after_an_outage,
            dispute_signalled_again_after_an_outage,
            declined_then_funded_then_refunded,
        )
    }
)


@pytest.fixture(scope="module")
async def real_time(database_urls):
    """A stage whose clock is the wall's, as in production; the periods of the scenarios are a second long."""
    environment = await WorkflowEnvironment.start_local(
        dev_server_existing_path=find_temporal(),
        search_attributes=search_attributes.ALL,
        data_converter=data_converter(Settings()),
    )
    async with environment, stage_on(environment, database_urls) as stage:
        yield stage


@pytest.mark.slow
@pytest.mark.db
@pytest.mark.temporal
@pytest.mark.parametrize("name", sorted(SCENARIOS))
async def test_a_fresh_history_replays(real_time, name):
    made = await SCENARIOS[name](real_time)
    await made.end()
    await replay_and_keep(await made.handle.fetch_history(), name)


@pytest.mark.parametrize(("name", "looks"), [("payment_paid", 0), ("payment_paid_while_its_provider_was_away", 1)])
def test_a_look_leaves_its_workflow_task_only_when_the_provider_is_away(name, looks):
    events = json.loads((FOLDER / f"{name}.json").read_text())["events"]
    scheduled = [event.get("activityTaskScheduledEventAttributes") for event in events]
    assert [each["activityType"]["name"] for each in scheduled if each].count("retrieve_payment") == looks
