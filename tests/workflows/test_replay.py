"""Histories replay on today's code, offline and with the production converter.

One is kept for each workflow type and each kind of its ends: `histories/<workflow type>/<kind of end>.json`. The tests
of this folder name them where they call `replay_and_keep`, and in `ESCROWS` and `payment_runs.RUNS`. This records
all of them anew and drops what is no longer named:

    BURSAR_RECORD_HISTORIES=1 make test ARGS=tests/workflows

Until 0.1.0 is released, a change of commands is made without a gate, and histories are recorded anew with it. From the
release on a stored history stays: gate the change with `workflow.patched`, as `example_gate.py` does, and record a new
kind of end beside the old ones.
"""

import json
import re
from collections.abc import Awaitable, Callable

import pytest
from temporalio.client import WorkflowHistory
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from runtime.identity import new_id
from tests.support.histories import FOLDER, is_recording, replay, replay_and_keep, stored
from tests.support.looking import pass_to_the_end
from tests.support.sandbox import UntriedSandbox
from tests.workflows import payment_runs
from tests.workflows.conftest import Job, Stage
from tests.workflows.example_gate import GatedWorkflow, UngatedWorkflow
from workflows.registry import WORKFLOWS

#: Recorded from the code before the gate of the example, and never anew.
BEFORE_THE_GATE = "example/before_the_gate"
KEPT = re.compile(r'replay_and_keep\([^"\n]*"([^"\n]+)"\)')


def history_of(name: str) -> WorkflowHistory:
    return WorkflowHistory.from_json(name, stored()[name].read_text())


def named() -> set[str]:
    """Return the names of the histories that the tests of this folder keep."""
    texts = [path.read_text() for path in FOLDER.parent.glob("test_*.py")]
    return {*ESCROWS, *payment_runs.RUNS, *(name for text in texts for name in KEPT.findall(text))}


# What is stored -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("runner", [UntriedSandbox(), UnsandboxedWorkflowRunner()], ids=["sandbox", "plain"])
async def test_stored_histories_replay(runner):
    failed = {}
    # While they are recorded anew, the old ones need not replay, and each new one did.
    for name in [] if is_recording() else sorted(stored().keys() - {BEFORE_THE_GATE}):
        try:
            await replay(history_of(name), runner)
        except Exception as error:
            failed[name] = str(error)
    assert not failed


def test_each_named_history_is_stored_and_no_other():
    kept = stored().keys() - {BEFORE_THE_GATE}
    if is_recording():
        for name in kept - named():
            stored()[name].unlink()
    else:
        assert kept == named()


def test_each_workflow_type_has_a_history():
    types = {vars(each)["__temporal_workflow_definition"].name for each in WORKFLOWS}
    assert {name.partition("/")[0] for name in named()} == types


@pytest.mark.parametrize(("name", "looks"), [("payment/succeeded", 0), ("payment/provider_away", 1)])
def test_a_look_leaves_its_workflow_task_only_when_the_provider_is_away(name, looks):
    events = json.loads(stored()[name].read_text())["events"]
    scheduled = [event.get("activityTaskScheduledEventAttributes") for event in events]
    assert [each["activityType"]["name"] for each in scheduled if each].count("retrieve_payment") == looks


# The example of a gate ------------------------------------------------------------------------------------------------


async def test_history_from_before_a_gate_replays_with_the_gate():
    await replay(history_of(BEFORE_THE_GATE), workflows=[GatedWorkflow])


async def test_history_from_before_a_gate_fails_without_the_gate():
    with pytest.raises(Exception, match=r"[Nn]ondeterminism"):
        await replay(history_of(BEFORE_THE_GATE), workflows=[UngatedWorkflow])


@pytest.mark.temporal
@pytest.mark.timeskip
async def test_new_history_passes_the_gate_and_replays(timeskip_env: WorkflowEnvironment):
    client, queue = timeskip_env.client, new_id("queue")
    async with Worker(client, task_queue=queue, workflows=[GatedWorkflow], workflow_runner=UntriedSandbox()):
        handle = await client.start_workflow(GatedWorkflow.run, id=queue, task_queue=queue)
        await pass_to_the_end(timeskip_env, handle)
        history = await handle.fetch_history()
    assert [event.HasField("timer_started_event_attributes") for event in history.events].count(True) == 2
    await replay(history, workflows=[GatedWorkflow])


# What is recorded here ------------------------------------------------------------------------------------------------


async def released_by_signatures(stage: Stage) -> Job:
    job = await (await stage.award()).delivered()
    await job.send("refund", job.bot, amount_minor=1_000_000)
    await job.send("approve", job.finance)
    await job.send("approve", job.procurement)
    return job


async def steered_by_signals(stage: Stage) -> Job:
    job = await (await stage.award()).delivered()
    await job.handle.signal("approve", {"operator": "kim", "signatory": "nobody"})
    await job.handle.signal("dispute", {"operator": "kim", "reason": "look at this"})
    await job.handle.signal("resolve", {"operator": "kim", "payee_share": "0.5"})
    return job


async def cancelled_run(stage: Stage) -> Job:
    job = await (await stage.award()).funded()
    await job.handle.cancel()
    await job.recorded("command_refused")
    await job.handle.signal("cancel", {"operator": "kim"})
    return job


async def not_funded(stage: Stage) -> Job:
    job = await stage.award(fund_seconds=600)
    await job.open()
    await job.pass_time(minutes=11)
    return job


ESCROWS: dict[str, Callable[[Stage], Awaitable[Job]]] = {
    "escrow/released": released_by_signatures,
    "escrow/split": steered_by_signals,
    "escrow/cancelled": cancelled_run,
    "escrow/expired": not_funded,
}


@pytest.mark.slow
@pytest.mark.db
@pytest.mark.temporal
@pytest.mark.timeskip
@pytest.mark.parametrize("name", sorted(ESCROWS))
async def test_a_fresh_history_of_an_escrow_replays(stage, name):
    job = await ESCROWS[name](stage)
    await job.end()
    await replay_and_keep(await job.handle.fetch_history(), name)


@pytest.mark.db
@pytest.mark.temporal
@pytest.mark.timeskip
@pytest.mark.parametrize("name", sorted(payment_runs.RUNS))
async def test_a_fresh_history_of_a_payment_replays(stage, name):
    made = await payment_runs.RUNS[name](stage)
    await stage.env.fast_forward(made.handle, payment_runs.OVER)
    await made.end()
    await replay_and_keep(await made.handle.fetch_history(), name)
