"""The one door to the runs of entities: a message reaches the run that lives, or starts the one that is missing.

No message is lost because nobody was there to receive it. An update is answered when its effect is in the books; a
signal is for news that the run asks about itself.
"""

from datetime import timedelta
from typing import Any, TypeVar

from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from contracts.base import Message
from contracts.queues import TASK_QUEUE, TASK_TIMEOUT, cut_summary
from contracts.runs import Run

R = TypeVar("R")

#: A task queue that no worker asks.
NOBODYS_QUEUE = "nobody"


async def update(
    client: Client,
    run: Run,
    name: str,
    command: Message,
    *,
    update_id: str,
    result_type: type[R],
    rpc_timeout: timedelta | None = None,
) -> R:
    """Give a command to the entity's run, which is started where there is none, and return its answer.

    Args:
        client: to Temporal.
        run: of the entity.
        name: of the update.
        command: the update's message.
        update_id: repeating it attaches to the first try, for as long as that run lasts.
        result_type: of the answer.
        rpc_timeout: how long to wait for the server; None waits as long as the caller does.

    Raises:
        WorkflowUpdateFailedError: the run refused the command.
        WorkflowAlreadyStartedError: the run has completed, and no other may follow it.
        RPCError: the server could not be asked, or gave no answer in time.
    """
    operation: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
        run.workflow, run.start, **_options(run)
    )
    result: R = await client.execute_update_with_start_workflow(
        name,
        command,
        id=update_id,
        start_workflow_operation=operation,
        result_type=result_type,
        rpc_timeout=rpc_timeout,
    )
    return result


async def update_running(
    client: Client, workflow_id: str, name: str, command: Message, *, update_id: str, result_type: type[R] | None
) -> R | None:
    """Give a command to the run that lives, and return its answer; None where there is no run, which starts none.

    Raises:
        WorkflowUpdateFailedError: the run refused the command.
        RPCError: the server could not be asked.
    """
    handle = client.get_workflow_handle(workflow_id)
    try:
        result: R = await handle.execute_update(name, command, id=update_id, result_type=result_type)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return None
    return result


async def signal(
    client: Client, run: Run, name: str, message: Message, *, rpc_timeout: timedelta | None = None
) -> None:
    """Signal the entity's run, which is started where there is none, that something has happened.

    The server is waited for no longer than `rpc_timeout`, where one is given.
    """
    await client.start_workflow(
        run.workflow,
        run.start,
        start_signal=name,
        start_signal_args=[message],
        rpc_timeout=rpc_timeout,
        **_options(run),
    )


async def signal_running(
    client: Client, workflow_id: str, name: str, *message: Message, rpc_timeout: timedelta | None = None
) -> None:
    """Signal the run that lives, and start none; where there is none, nobody is waiting for it.

    The server is waited for no longer than `rpc_timeout`, where one is given.
    """
    try:
        await client.get_workflow_handle(workflow_id).signal(name, args=message, rpc_timeout=rpc_timeout)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


async def start_missing(client: Client, run: Run, *, rpc_timeout: timedelta | None = None) -> bool:
    """Start the run when there is none; one that lives, or that may have no other after it, learns nothing of it.

    Returns whether it was started. The server is waited for no longer than `rpc_timeout`, where one is given.
    """
    options = _options(run) | {"id_conflict_policy": WorkflowIDConflictPolicy.FAIL}
    try:
        await client.start_workflow(run.workflow, run.start, rpc_timeout=rpc_timeout, **options)
    except WorkflowAlreadyStartedError:
        return False
    return True


async def known_version(client: Client, workflow_id: str, run_id: str, *, rpc_timeout: timedelta) -> int | None:
    """Return the number of the latest event that an open run knows; None where it does not answer."""
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    try:
        version: int = await handle.query("version", result_type=int, rpc_timeout=rpc_timeout)
    except (WorkflowQueryFailedError, WorkflowQueryRejectedError, RPCError):
        return None
    return version


async def status(client: Client, workflow_id: str, run_id: str | None = None) -> WorkflowExecutionStatus | None:
    """Return how a run stands, the latest one where none is named; None where the server knows none."""
    try:
        return (await client.get_workflow_handle(workflow_id, run_id=run_id).describe()).status
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
    return None


async def end(client: Client, workflow_id: str, run_id: str, *, reason: str) -> None:
    """End a run without asking it, as a crash would; one that has ended is left as it is."""
    try:
        await client.get_workflow_handle(workflow_id, run_id=run_id).terminate(reason=reason)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


async def make_room(client: Client, workflow: str, workflow_id: str, *, reason: str) -> None:
    """Let a run follow one that has completed where none may, and leave that one's history to be read.

    What may follow only a lost run follows the one that is started here for nobody, and ended.
    """
    lost = await client.start_workflow(
        workflow,
        id=workflow_id,
        task_queue=NOBODYS_QUEUE,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        static_summary=cut_summary(reason),
    )
    await end(client, workflow_id, str(lost.first_execution_run_id), reason=reason)


def _options(run: Run) -> dict[str, Any]:
    return {
        "id": run.workflow_id,
        "task_queue": TASK_QUEUE,
        "task_timeout": TASK_TIMEOUT,
        "id_conflict_policy": WorkflowIDConflictPolicy.USE_EXISTING,
        "id_reuse_policy": run.reuse,
        "static_summary": run.summary,
        "search_attributes": run.attributes,
        "priority": Priority(priority_key=run.priority),
    }
