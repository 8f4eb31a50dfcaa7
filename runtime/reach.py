"""Client of the runs of entities: a message goes to the open run, or to a new one.

No other code sends messages to runs, so that none is lost because a run is missing. An update returns when its effect
is in the books; a signal makes the run read a change. `await EntityClient(…).command("fund", message)` sends commands.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any, Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError as UpdateTimeout,
)
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from contracts.common.base import Message
from contracts.common.catch_up import CatchUp, take_version
from contracts.common.queues import TASK_QUEUE, TASK_TIMEOUT, cut_summary
from contracts.runs import Run
from domain.common.errors import Unavailable
from runtime.database import Database
from runtime.identity import new_id
from runtime.interceptors import domain_error_from

R = TypeVar("R")
T = TypeVar("T")
#: Reads the number of the latest event of entities in the books, by id.
Versions = Callable[[AsyncSession, Sequence[str]], Awaitable[Mapping[str, int]]]

#: Task queue without workers.
UNPOLLED_QUEUE = "nobody"
#: Maximum number of attempts of a command, after which a refusal counts even if the books have advanced again.
TRIES = 5
#: Pause before a retry if the server is busy, or while a run continues as new.
PAUSE = timedelta(milliseconds=100)
MAX_PAUSE = timedelta(seconds=1)
#: Not found: the run ended before its response. Failed precondition: its latest task failed and awaits a fix.
_REPEATABLE = {
    RPCStatusCode.NOT_FOUND,
    RPCStatusCode.RESOURCE_EXHAUSTED,
    RPCStatusCode.UNAVAILABLE,
    RPCStatusCode.ABORTED,
    RPCStatusCode.FAILED_PRECONDITION,
}
_CUT_OFF_RPC = {RPCStatusCode.UNKNOWN, RPCStatusCode.INTERNAL}
_CUT_OFF_MESSAGES = ("transport error", "h2 protocol error", "error reading a body from connection", "connection error")


class EntityClient(Generic[R]):
    """Client of an entity for commands.

    A run may be behind the books: a local activity may have committed although its workflow task was lost. Until its
    next write the run decides on an outdated state, while callers read the newer one. So a refusal contains the version
    of the state; if the books have a newer one, the client sends `catch_up`, and the run decides again.
    """

    def __init__(
        self,
        client: Client,
        database: Database,
        run: Run,
        answer: type[R],
        versions: Versions,
        entity_id: str,
        *,
        limit: timedelta,
    ) -> None:
        """Take the entity's run, the type of its results, and the reader of its version in the books.

        `limit` is the time limit of a command with all attempts.
        """
        self._client, self._database, self._run, self._answer = client, database, run, answer
        self._versions, self._id, self._limit = versions, entity_id, limit

    async def command(self, name: str, message: Message, *, update_id: str) -> R:
        """Send a command to the open run, or to a new one that resumes from the books, and return its result.

        A validator's refusal is not stored, so the same update id can be retried. A handler's refusal is stored as the
        result of its update id: if it is returned again after the run has caught up, the command is sent with another
        update id. The command's own id makes it idempotent.

        Args:
            name: of the update.
            message: the command.
            update_id: a repetition attaches to the first attempt, as long as that run is open.

        Raises:
            DomainError: the run refused the command, and is up to date with the books.
            Unavailable: no result in time, or the run could not catch up; repeating the command is safe.
            WorkflowAlreadyStartedError: the run has completed, and no new one may follow.
        """
        sent = partial(update, self._client, self._run, name, message, result_type=self._answer)
        async with answered_within(self._limit, self._run.workflow.replace("-", " ")):
            caught_up = 0
            for left in reversed(range(TRIES)):
                try:
                    return await repeated(partial(sent, update_id=update_id))
                except WorkflowUpdateFailedError as failure:
                    refusal = domain_error_from(failure)
                    if refusal is None:
                        raise
                decided_on = take_version(refusal)
                if decided_on is None or not left or decided_on >= (held := await self._held()):
                    raise refusal
                if decided_on < caught_up:
                    update_id = new_id("upd")
                await repeated(partial(self._catch_up, held))
                caught_up = held
        raise AssertionError("the last try returns or raises")

    async def _held(self) -> int:
        async with self._database.platform() as session:
            return (await self._versions(session, [self._id])).get(self._id, 0)

    async def _catch_up(self, version: int) -> None:
        """Make the run adopt the state of the books; concurrent callers with the same version send the same update."""
        handle, update_id = self._client.get_workflow_handle(self._run.workflow_id), f"catch_up:{version}"
        try:
            await handle.execute_update("catch_up", CatchUp(version=version), id=update_id)
        except RPCError as error:
            # A run that has ended needs no update: the next run starts from the books.
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
        except WorkflowUpdateFailedError as failure:
            raise Unavailable(
                "The run could not catch up with the books. Repeat the request with the same Idempotency-Key."
            ) from failure


@asynccontextmanager
async def answered_within(limit: timedelta, what: str) -> AsyncIterator[None]:
    """Limit the time of waiting for an entity, which `what` names in the refusal: "escrow".

    Raises:
        Unavailable: no result in time; repeating the key is safe.
    """
    try:
        async with asyncio.timeout(limit.total_seconds()):
            yield
    except (TimeoutError, UpdateTimeout):
        raise Unavailable(
            f"The {what} did not answer in time. The command may still take effect: repeat it with the same "
            "Idempotency-Key."
        ) from None


async def repeated(call: Callable[[], Awaitable[T]]) -> T:
    """Retry an idempotent call to Temporal while the server is busy or the connection breaks."""
    pause = PAUSE
    while True:
        try:
            return await call()
        except RPCError as error:
            if error.status not in _REPEATABLE and not was_cut_off(error):
                raise
        await asyncio.sleep(pause.total_seconds())
        pause = min(pause * 2, MAX_PAUSE)


def was_cut_off(error: RPCError) -> bool:
    """Return whether a call to Temporal failed because the connection broke, as when the server is killed.

    The client library has no status for that: it is unknown or internal, with a message.
    """
    return error.status in _CUT_OFF_RPC and error.message.startswith(_CUT_OFF_MESSAGES)


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
        update_id: a repetition attaches to the first attempt, as long as that run is open.
        result_type: the type of the result.
        rpc_timeout: of the server's response; None for no limit.

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
    try:
        await client.get_workflow_handle(workflow_id, run_id=run_id).terminate(reason=reason)
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise


async def allow_successor(client: Client, workflow: str, workflow_id: str, *, reason: str) -> None:
    """Allow a new run after a completed one that allows no successor, keeping its history.

    The new run follows a placeholder run that is started and terminated here.
    """
    lost = await client.start_workflow(
        workflow,
        id=workflow_id,
        task_queue=UNPOLLED_QUEUE,
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
