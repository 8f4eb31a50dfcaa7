"""The contract that every entity keeps, whatever it is about: `tests/workflows/entities.py` declares each of them."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.api.common.v1 import Payload
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowHandle, WorkflowUpdateFailedError, WorkflowUpdateHandle, WorkflowUpdateStage
from temporalio.common import RawValue
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from contracts.common.catch_up import CatchUp
from contracts.common.queues import local_activity
from domain.common.errors import DomainError
from runtime import reach
from runtime.identity import new_id
from tests.support.locks import somebody_waits
from tests.support.looking import again
from tests.support.sandbox import UntriedSandbox
from tests.workflows.approval.contract import APPROVAL
from tests.workflows.conftest import Stage, stage_on
from tests.workflows.declarations import Entity, Inbound, State
from tests.workflows.entities import ENTITIES
from tests.workflows.hesitating import Hesitate, HesitatingWorkflow
from workflows.common.entity import Entity as EntityWorkflow
from workflows.registry import WORKFLOWS

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]

BY_STATE = [
    pytest.param(entity, state, id=f"{entity.name}-{state.name}") for entity in ENTITIES for state in entity.states
]
BY_MESSAGE = [
    pytest.param(entity, message, id=f"{entity.name}-{message.kind}-{message.name}")
    for entity in ENTITIES
    for message in entity.messages
]
BY_ENTITY = [pytest.param(entity, id=entity.name) for entity in ENTITIES]

NOT_JSON = RawValue(Payload(metadata={"encoding": b"json/plain"}, data=b"{"))
UNKNOWN = RawValue(Payload(metadata={"encoding": b"binary/unheard-of"}, data=b"\x00"))
MALFORMED: tuple[tuple[object, ...], ...] = (
    *((), (None,), ([],), ("now",), (7,), (True,), ({}, {})),
    *((NOT_JSON,), (UNKNOWN,), (RawValue(Payload()),)),
)


async def deliver(entity: Entity, one: Any, message: Inbound) -> None:
    """Send a message to the run as the API does, and wait for its result."""
    prepared = message.prepare(one)
    if isinstance(prepared, Awaitable):
        await prepared
    sent: Any = message.message(one)
    run, client = entity.run(one), one.stage.client
    if message.kind == "signal":
        await reach.signal(client, run, message.name, sent)
    else:

        async def versions(_session: AsyncSession, ids: Sequence[str]) -> dict[str, int]:
            return {ids[0]: int((await one.state()).version)}

        minute, database = timedelta(seconds=60), one.stage.database
        door: reach.EntityClient[Any] = reach.EntityClient(
            client, database, run, entity.result, versions, run.workflow_id, limit=minute
        )
        answer = door.command(message.name, sent, update_id=new_id("upd"))
        if message.refused is not None:
            with pytest.raises(DomainError) as refused:
                await answer
            assert refused.value.error_code == message.refused
            return
        try:
            await answer
        except WorkflowAlreadyStartedError:
            # The run has completed meanwhile, and the API answers from the books.
            assert (await one.state()).has_done(sent.command_id)
    assert message.event is not None
    await happened(one, message.event)


async def happened(one: Any, event: str, count: int = 1) -> None:
    while (await one.kinds()).count(event) < count:
        await again()


async def left_alone(entity: Entity, one: Any, state: State) -> None:
    """Skip the time in which no party acts."""
    passing = asyncio.ensure_future(one.stage.env.fast_forward(one.handle, state.lasts or entity.lasts))
    while (await one.state()).status != state.left_alone:
        await again()
    await passing


# Every entity is here ------------------------------------------------------------------------------------------------


#: They decide nothing: the alert's row does (docs/reference/decisions/base.md#0216), and the purchase order's.
NO_ENTITY = {"allocation", "escalation", "purchase-order", "report", "secret-rotation"}


def test_every_entity_that_the_worker_runs_keeps_the_contract():
    """An entity of the product is a registered workflow that inherits `Entity`; the approval is the recipe's."""
    defined = [(vars(each)["__temporal_workflow_definition"], each) for each in WORKFLOWS]
    entities = {known.name for known, each in defined if issubclass(each, EntityWorkflow)}
    assert entities == {entity.name for entity in ENTITIES if entity is not APPROVAL}
    assert {known.name for known, _ in defined if known.signals or known.updates} == entities | NO_ENTITY


@pytest.mark.parametrize("entity", BY_ENTITY)
def test_each_state_in_which_something_is_awaited_is_entered_or_has_a_reason(entity: Entity):
    entered = {state.name for state in entity.states}
    awaiting = {status.value for status in entity.statuses} - {status.value for status in entity.final}
    assert entered.isdisjoint(entity.unentered)
    assert entered | set(entity.unentered) == awaiting


# Malformed messages ---------------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("entity", BY_ENTITY)
async def test_pitfall_32_what_comes_without_its_message_is_refused_and_time_still_acts(entity: Entity, stage: Stage):
    first = entity.states[0]
    one = await entity.brought(stage, first.name)
    declared = (await one.handle.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)).definition
    updates = {each.name for each in declared.update_definitions}
    signals = {each.name for each in declared.signal_definitions}
    assert updates == {each.name for each in entity.messages if each.kind == "update"} | {"catch_up"}
    assert signals == {each.name for each in entity.messages if each.kind == "signal"}
    for name in sorted(updates):
        answers = [one.handle.execute_update(name, args=given) for given in MALFORMED]
        refusals = await asyncio.gather(*answers, return_exceptions=True)
        assert {type(each) for each in refusals} == {WorkflowUpdateFailedError}, (name, refusals)
    for name in sorted(signals):
        for given in MALFORMED:
            await one.handle.signal(name, args=given)
    await happened(one, "command_refused", len(signals) * len(MALFORMED))
    refused = [event.details for event in await one.timeline() if event.kind == "command_refused"]
    assert {(each["command"], each["code"]) for each in refused} == {(name, "request.invalid") for name in signals}
    assert (await one.state()).status == first.name
    await left_alone(entity, one, first)


# No run, and a run that is behind the books ---------------------------------------------------------------------------


@pytest.mark.parametrize(("entity", "message"), BY_MESSAGE)
async def test_a_message_starts_the_run_that_is_missing(entity: Entity, message: Inbound, stage: Stage):
    one = await entity.brought(stage, message.state)
    await one.handle.terminate("by hand")
    await deliver(entity, one, message)


@pytest.mark.parametrize(
    ("entity", "message"),
    [given for given in BY_MESSAGE if given.values[0].state(given.values[1].state).write is not None],
)
async def test_a_message_is_taken_by_a_run_that_is_behind_the_books(entity: Entity, message: Inbound, stage: Stage):
    state = entity.state(message.state)
    assert state.follows is not None
    assert state.write is not None
    one = await entity.brought(stage, state.follows)
    await state.write(one)
    assert (await one.state()).status == state.name
    await deliver(entity, one, message)


def test_the_books_can_be_ahead_of_the_run_of_every_entity_of_the_product():
    known = {one.name for one in ENTITIES if one.note is None and not any(state.write for state in one.states)}
    assert known == {APPROVAL.name}


@pytest.mark.slow
@pytest.mark.parametrize(("entity", "message"), [given for given in BY_MESSAGE if given.values[0].note is not None])
async def test_a_message_is_taken_by_a_run_that_does_not_know_the_latest_event(
    entity: Entity, message: Inbound, stage: Stage
):
    assert entity.note is not None
    assert message.event is not None or message.refused is not None
    one = await entity.brought(stage, message.state)
    await entity.note(one)
    await deliver(entity, one, message)
    if message.event == "command_refused":
        await happened(one, message.event, 2)


@pytest.mark.slow
@pytest.mark.parametrize("entity", BY_ENTITY)
@pytest.mark.parametrize(("ahead", "looks"), [(0, 0), (90, 1)])
async def test_catching_up_with_nothing_changes_nothing(entity: Entity, ahead: int, looks: int, stage: Stage):
    one = await entity.brought(stage, entity.states[0].name)
    before, known = await local_activities(one), await one.state()
    result = await one.handle.execute_update(
        "catch_up", CatchUp(version=known.version + ahead), result_type=entity.result
    )
    assert (result.status, result.version) == (known.status, known.version)
    assert await local_activities(one) == before + looks
    assert await one.state() == known


async def local_activities(one: Any) -> int:
    """Count the results of local activities in the run's history."""
    history = await one.handle.fetch_history()
    return sum(event.HasField("marker_recorded_event_attributes") for event in history.events)


# A row that somebody else has locked ----------------------------------------------------------------------------------


@pytest.fixture
def short_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an attempt at the books take a second where it may take ten; a busy machine needs most of it."""
    defaults: dict[str, Any] = local_activity.__kwdefaults__ or {}
    assert defaults["timeout"] == timedelta(seconds=10)
    monkeypatch.setitem(defaults, "timeout", timedelta(seconds=1))


@pytest.mark.slow
@pytest.mark.usefixtures("short_attempts")
@pytest.mark.parametrize("entity", BY_ENTITY)
async def test_a_row_that_is_locked_for_longer_than_an_attempt_delays_a_command_and_doubles_nothing(
    entity: Entity, stage: Stage
):
    message = ending(entity)
    one = await entity.brought(stage, message.state)
    async with stage.database.platform() as session:
        await entity.lock(session, one)
        telling = asyncio.ensure_future(deliver(entity, one, message))
        first = await somebody_waits(stage.database)
        await somebody_waits(stage.database, after=first)
    await telling
    assert (await one.kinds()).count(message.event) == 1


def ending(entity: Entity) -> Inbound:
    return next(each for each in entity.messages if each.kind == "update" and each.name == entity.ending)


async def begun(entity: Entity, one: Any, message: Inbound) -> WorkflowUpdateHandle[Any] | None:
    """Start the run with a message that must wait for its turn."""
    handle: WorkflowHandle[Any, Any] = one.handle
    if message.kind == "signal":
        await handle.signal(message.name, message.message(one))
        return None
    return await handle.start_update(
        message.name, message.message(one), wait_for_stage=WorkflowUpdateStage.ACCEPTED, result_type=entity.result
    )


@pytest.mark.usefixtures("short_tasks")
@pytest.mark.parametrize("entity", BY_ENTITY)
async def test_who_waits_for_its_turn_when_the_entity_ends_is_answered(entity: Entity, stage: Stage):
    last = ending(entity)
    one = await entity.brought(stage, last.state, **entity.ends_at_once)
    async with stage.database.platform() as session:
        await entity.lock(session, one)
        telling = asyncio.ensure_future(deliver(entity, one, last))
        await somebody_waits(stage.database)
        # Another message of the same event may have its turn first, where the first one is over soon.
        waiting = (each for each in entity.messages[1:] if each.event != last.event)
        others = await asyncio.gather(*(begun(entity, one, each) for each in waiting))
    await telling
    answers = await asyncio.gather(*(each.result() for each in others if each), return_exceptions=True)
    assert {type(answer) for answer in answers} <= {entity.result, WorkflowUpdateFailedError}
    await one.handle.result()
    assert (await one.kinds()).count(last.event) == 1


# Cancellation ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("entity", "state"), BY_STATE)
async def test_a_cancelled_run_is_the_command_cancel(entity: Entity, state: State, stage: Stage):
    one = await entity.brought(stage, state.name)
    await one.handle.cancel()
    if state.cancelled is None:
        await happened(one, state.noted)
        assert (await one.state()).status == state.name
    else:
        while (await one.state()).status != state.cancelled:
            await again()
    if state.cancelled is None:
        await left_alone(entity, one, state)


async def test_run_that_was_cancelled_while_its_handlers_answered_is_not_leaving_once_it_goes_on(stage: Stage):
    queue = new_id("queue")
    worker = Worker(stage.client, task_queue=queue, workflows=[HesitatingWorkflow], workflow_runner=UntriedSandbox())
    async with worker:
        run = await stage.client.start_workflow(HesitatingWorkflow.run, Hesitate(), id=queue, task_queue=queue)
        held = await run.start_update(HesitatingWorkflow.hold, wait_for_stage=WorkflowUpdateStage.ACCEPTED)
        while await run.query(HesitatingWorkflow.standing) != (True, True):
            await again()
        await run.cancel()
        while (await run.query(HesitatingWorkflow.standing))[0]:
            await again()
        assert await run.query(HesitatingWorkflow.standing) == (False, False)
        await run.signal(HesitatingWorkflow.let_go)
        await held.result()
        await run.result()


# More than one run takes, and no worker at all ------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(("entity", "state"), BY_STATE)
async def test_a_state_outlives_its_run_and_its_time_still_acts(entity: Entity, state: State, short_runs: Stage):
    one = await entity.brought(short_runs, state.name)
    known, first_run = await one.state(), (await one.handle.describe()).run_id
    ahead = CatchUp(version=known.version + 1)
    while (await one.handle.describe()).run_id == first_run:
        # More at once than a run takes before it goes on in the next: each is answered, by the one or the other.
        await asyncio.gather(*(one.handle.execute_update("catch_up", ahead) for _ in range(8)))
    assert await one.state() == known
    await left_alone(entity, one, state)


@pytest.mark.slow
@pytest.mark.parametrize("entity", BY_ENTITY)
async def test_a_deadline_that_passed_without_a_worker_acts_when_one_is_back(
    entity: Entity, idle_server: WorkflowEnvironment, database_urls: Any
):
    timed = [state for state in entity.states if state.left_alone != state.name]
    async with stage_on(idle_server, database_urls) as before:
        waiting = [(state, await entity.brought(before, state.name)) for state in timed]
    lasting = [(one.handle, state.lasts or entity.lasts) for state, one in waiting]
    passing = [asyncio.ensure_future(idle_server.fast_forward(*each)) for each in lasting]
    for _, one in waiting:
        await fired(one)
    async with stage_on(idle_server, database_urls, fake=before.fake, methods=before.methods) as back:
        for state, one in waiting:
            one.stage = back
            while (await one.state()).status != state.left_alone:
                await again()
        await asyncio.gather(*passing)


async def fired(one: Any) -> None:
    """Return when a timer of the run has fired on the server."""
    while True:
        events = (await one.handle.fetch_history()).events
        if any(event.HasField("timer_fired_event_attributes") for event in events):
            return
        await again()
