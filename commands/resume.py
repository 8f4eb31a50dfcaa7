"""`manage resume`: has the runs of entities go on from what the books hold, after the books were restored.

A run may know events that the restored books lack, and its next one would be refused for ever. So it is ended, and
another one begins from the books. What a provider knows of is looked at there then: what happened after the restored
moment is found, and booked once. Repeating the command finds nothing left to do.
"""

import argparse
import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TypeVar

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError

from commands.base import asking_the_database
from commands.failure import CommandFailed
from commands.resumable import AT_PROVIDERS, KINDS, PAGE, Entities
from contracts.common.queues import TASK_QUEUE
from domain.common.ids import escrow_id_of
from repositories.common.listing import ListFilter
from repositories.escrow import escrow
from repositories.messages import webhook_endpoint
from repositories.payments import payment
from runtime import reach
from runtime.codec import SealedPayloadError
from runtime.database import Database
from runtime.settings import read_settings
from runtime.temporal import connect

T = TypeVar("T")

REASON = "The books were restored to a moment before what this run knows: another run goes on from them."
#: How long Temporal is waited for, and how long a run may take to say what it knows.
CONNECT_WITHIN = timedelta(seconds=10)
ANSWER_WITHIN = timedelta(seconds=10)
#: How long ago a worker that lives may have asked for work.
POLLS_WITHIN = timedelta(minutes=2)
SILENT = "it does not say what it knows: look at it, and terminate it if it stays so; one without a run is begun again"
#: A run that has no event yet is left alone for so long: its first one is on its way into the books.
OPENS_WITHIN = timedelta(minutes=1)
#: How many runs are asked at once.
AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class Finding:
    """A run that does not fit the books: what is wrong with it, what is done about it, and what does that.

    Nothing is done about a run of which too little is known.
    """

    workflow_id: str
    wrong: str
    mended: str = ""
    mend: Callable[[], Awaitable[object]] | None = None

    def line(self, *, applied: bool) -> str:
        then = f"; {'' if applied else 'to be '}{self.mended}" if self.mend else ""
        return f"{self.workflow_id}: {self.wrong}{then}"


def run(given: argparse.Namespace) -> int:
    """Print what does not fit, and mend it where that is asked for; the status is 1 while something is not mended."""
    if given.look and not given.apply:
        raise CommandFailed("--look needs --apply: without it nothing is changed, and nothing looks at a provider.")
    with asking_the_database():
        found, left = asyncio.run(_resume(apply=given.apply, look=given.look))
    if not found:
        sys.stdout.write("Every run fits the books, and none is missing.\n")
    elif given.apply:
        sys.stdout.write(f"{found - left} mended, {left} left.\n")
    else:
        sys.stdout.write(f"{found} found, nothing was changed: --apply mends them.\n")
    return 1 if left else 0


async def _resume(*, apply: bool, look: bool) -> tuple[int, int]:
    """Print each finding once it is mended, or as it is; return how many there were, and how many are left."""
    settings = read_settings()
    database = Database(settings.database_url, settings.platform_database_url, pool_size=2)
    found = left = 0
    try:
        client = await connect(settings, wait=CONNECT_WITHIN)
        await require_books(client, database)
        await require_worker(client)
        async for finding in findings(client, database):
            if apply and finding.mend:
                await finding.mend()
            sys.stdout.write(f"{finding.line(applied=apply)}\n")
            found += 1
            left += not (apply and finding.mend)
        if look and apply:
            await refresh_from_providers(client, database)
    except SealedPayloadError as error:
        raise CommandFailed(f"What runs say cannot be read: {error}") from error
    except (RuntimeError, RPCError) as error:
        raise CommandFailed(f"Temporal does not answer: {error}") from error
    finally:
        await database.close()
    return found, left


async def require_books(client: Client, database: Database) -> None:
    """Have the books hold something where there are runs: all would seem to be unknown to another, empty database.

    Raises:
        CommandFailed: they hold nothing.
    """
    async with database.platform() as session:
        if (await escrow.page(session, ListFilter(limit=1))).rows:
            return
        if (await payment.page(session, ListFilter(limit=1))).rows:
            return
        if (await webhook_endpoint.page(session, ListFilter(limit=1))).rows:
            return
    types = ", ".join(f'"{kind.workflow}"' for kind in KINDS)
    async for _ in client.list_workflows(f'WorkflowType IN ({types}) AND ExecutionStatus = "Running"', limit=1):
        raise CommandFailed(
            "There are runs, and the books hold no escrow, no payment and no webhook endpoint: is this the right "
            "database?"
        )


async def require_worker(client: Client) -> None:
    """Have runs be able to say what they know.

    Raises:
        CommandFailed: no worker runs.
    """
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=TASK_QUEUE),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
    )
    # The server remembers a worker for five minutes, and one that lives asks again each minute.
    since = datetime.now(UTC) - POLLS_WITHIN
    if not any(poller.last_access_time.ToDatetime(UTC) > since for poller in answer.pollers):
        raise CommandFailed("No worker runs: start one, so that runs can say what they know.")


async def findings(client: Client, database: Database) -> AsyncIterator[Finding]:
    """Find runs that are ahead of the books, unknown to them or missing, and ends that were lost."""
    for kind in KINDS:
        entities = kind(client, database)
        async for finding in _ahead(client, database, entities):
            yield finding
        async for finding in _missing(client, database, entities):
            yield finding
    async for finding in _blocked(client, database):
        yield finding


async def refresh_from_providers(client: Client, database: Database) -> None:
    """Have every payment and subscription that awaits something look at its provider now, and not when it would."""
    for kind in AT_PROVIDERS:
        entities = kind(client, database)
        async for page in _awaiting(database, entities):
            await _at_once(entities.begin(entity_id) for entity_id, _ in page)


async def _ahead(client: Client, database: Database, entities: Entities) -> AsyncIterator[Finding]:
    async for runs in _listed(client, f'WorkflowType = "{entities.workflow}" AND ExecutionStatus = "Running"'):
        ids = [entities.id_of(run.id) for run in runs]
        knows = await _at_once(_known(client, run) for run in runs)
        # Read after the runs were asked: what they write meanwhile puts the books ahead of them, never behind.
        async with database.platform() as session:
            booked = await entities.versions(session, ids)
        for run, entity_id, known in zip(runs, ids, knows, strict=True):
            again = partial(_again, client, run, entities, entity_id)
            finding = _misfit(run, known, booked.get(entity_id), again)
            # The list is a little behind: what was ended just now is still in it.
            if finding and await reach.status(client, run.id, run.run_id) is WorkflowExecutionStatus.RUNNING:
                yield finding


def _misfit(
    run: WorkflowExecution, known: int | None, booked: int | None, again: Callable[[], Awaitable[object]]
) -> Finding | None:
    if booked is None:
        opening = known == 0 and datetime.now(UTC) - run.start_time < OPENS_WITHIN
        return None if opening else Finding(run.id, "the books do not know it", "ended", again)
    if known is None:
        return Finding(run.id, SILENT)
    if known <= booked:
        return None
    wrong = f"it knows event {known}, the books know {booked}"
    return Finding(run.id, wrong, "ended and begun again from the books", again)


async def _again(client: Client, run: WorkflowExecution, entities: Entities, entity_id: str) -> None:
    await reach.end(client, run.id, run.run_id, reason=REASON)
    await entities.begin(entity_id)


async def _missing(client: Client, database: Database, entities: Entities) -> AsyncIterator[Finding]:
    async for page in _awaiting(database, entities):
        latest = await _at_once(reach.status(client, workflow_id) for _, workflow_id in page)
        for (entity_id, workflow_id), status in zip(page, latest, strict=True):
            if status is not WorkflowExecutionStatus.RUNNING:
                yield Finding(workflow_id, "it has no run", "begun from the books", partial(entities.begin, entity_id))


async def _awaiting(database: Database, entities: Entities) -> AsyncIterator[list[tuple[str, str]]]:
    """Read what awaits something by pages: ids, and ids of their runs."""
    last = ""
    while True:
        async with database.platform() as session:
            page = list(await entities.awaiting(session, last))
        if not page:
            return
        yield page
        last = page[-1][0]


async def _blocked(client: Client, database: Database) -> AsyncIterator[Finding]:
    """Find completed runs of escrows that the books do not know: their contract could never have an escrow again."""
    async for runs in _listed(client, 'WorkflowType = "escrow" AND ExecutionStatus = "Completed"'):
        ids = [escrow_id_of(run.id.partition("/")[2]) for run in runs]
        async with database.platform() as session:
            booked = await escrow.versions(session, ids)
        for run, escrow_id in zip(runs, ids, strict=True):
            # The latest run counts: one may have followed it already.
            if escrow_id not in booked and await reach.status(client, run.id) is WorkflowExecutionStatus.COMPLETED:
                room = partial(reach.allow_successor, client, run.workflow_type, run.id, reason=REASON)
                yield Finding(run.id, "it has completed, and the books do not know it", "followed by others", room)


async def _listed(client: Client, query: str) -> AsyncIterator[list[WorkflowExecution]]:
    page: list[WorkflowExecution] = []
    async for run in client.list_workflows(query):
        page.append(run)
        if len(page) == PAGE:
            yield page
            page = []
    if page:
        yield page


async def _known(client: Client, run: WorkflowExecution) -> int | None:
    return await reach.known_version(client, run.id, run.run_id, rpc_timeout=ANSWER_WITHIN)


async def _at_once(asking: Iterable[Awaitable[T]]) -> list[T]:
    """Wait for all of them, a bounded number at once."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one(question: Awaitable[T]) -> T:
        async with free:
            return await question

    return await asyncio.gather(*(one(question) for question in asking))
