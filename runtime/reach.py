"""The only way to reach the runs of entities: a message goes to the open run, or starts the missing one.

So no message is lost because a run is missing. An update returns when its effect is in the books; a signal is for news
that the run then reads itself.
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

from contracts.common.base import Message
from contracts.common.queues import TASK_QUEUE, TASK_TIMEOUT, cut_summary
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
    """Send a command to the entity's run, started if there is none, and return its result.

    Args:
        client: the Temporal client.
        run: of the entity.
        name: of the update.
        command: the update's message.
        update_id: repeating it attaches to the first try, as long as that run is open.
        result_type: the type of the result.
        rpc_timeout: of the server's response; None waits as long as the caller does.

    Raises:
        WorkflowUpdateFailedError: the run refused the command.
        WorkflowAlreadyStartedError: the run has completed, and no new one may follow. RPCError: the server could not be
        reached, or did not respond in time.
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
    """Send a command to the open run, and return its result; None if there is no run. Starts none.

    Raises:
        WorkflowUpdateFailedError: the run refused the command.
        RPCError: the server could not be reached.
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
    """Signal the entity's run, started if there is none.

    `rpc_timeout` limits the wait for the server.
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
    """Signal the open run, and start none; without a run the signal is dropped.

    `rpc_timeout` limits the wait for the server.
    """
    try:
        await client.get_workflow_handle(workflow_id).signal(name, args=message, rpc_timeout=rpc_timeout)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


async def start_missing(client: Client, run: Run, *, rpc_timeout: timedelta | None = None) -> bool:
    """Start the run if there is none; an open run, or a completed one without a successor, is not affected.

    Returns whether it was started. `rpc_timeout` limits the wait for the server.
    """
    options = _options(run) | {"id_conflict_policy": WorkflowIDConflictPolicy.FAIL}
    try:
        await client.start_workflow(run.workflow, run.start, rpc_timeout=rpc_timeout, **options)
    except WorkflowAlreadyStartedError:
        return False
    return True


async def known_version(client: Client, workflow_id: str, run_id: str, *, rpc_timeout: timedelta) -> int | None:
    """Return the number of the latest event that an open run knows; None if it does not answer."""
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    try:
        version: int = await handle.query("version", result_type=int, rpc_timeout=rpc_timeout)
    except (WorkflowQueryFailedError, WorkflowQueryRejectedError, RPCError):
        return None
    return version


async def status(client: Client, workflow_id: str, run_id: str | None = None) -> WorkflowExecutionStatus | None:
    """Return the status of a run, by default of the latest one; None if the server has none."""
    try:
        return (await client.get_workflow_handle(workflow_id, run_id=run_id).describe()).status
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
    return None


async def end(client: Client, workflow_id: str, run_id: str, *, reason: str) -> None:
    """Terminate a run, without its cooperation; an ended run is not affected."""
    try:
        await client.get_workflow_handle(workflow_id, run_id=run_id).terminate(reason=reason)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


async def make_room(client: Client, workflow: str, workflow_id: str, *, reason: str) -> None:
    """Let a new run follow a completed one that allows no successor, and keep its history.

    A run that may follow only a lost run then follows a placeholder that is started and terminated here.
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
