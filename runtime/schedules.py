"""Temporal schedules with fixed ids, created or updated at each start of a worker.

Jobs are a list in code (`Job`), so that a deployment updates schedules, and concurrent workers create each once. An
operator's pause, with its note, is preserved.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import structlog
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from contracts.common.queues import TASK_QUEUE, cut_summary

log = structlog.get_logger("bursar.schedules")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Scheduled workflow.

    Attributes:
        id: of the schedule, and with the time of each run: `hold-expiry` and `hold-expiry-2026-01-31T00:00:00Z`.
        workflow: the workflow type.
        spec: the times; in UTC without a `time_zone_name`.
        summary: shown in the Temporal UI.
        args: the workflow's input.
        overlap: the policy while the previous run is open; by default skip.
        catch_up_within: the window of missed runs that are started after an outage of the server.
        task_queue: where the workflow runs.
        run_timeout: the time limit of a run.
        at_once: whether the first run starts with the creation of the schedule.
    """

    id: str
    workflow: str
    spec: ScheduleSpec
    summary: str
    args: Sequence[object] = ()
    overlap: ScheduleOverlapPolicy = ScheduleOverlapPolicy.SKIP
    catch_up_within: timedelta = timedelta(hours=1)
    task_queue: str = TASK_QUEUE
    run_timeout: timedelta | None = None
    at_once: bool = False

    def schedule(self, state: ScheduleState | None = None) -> Schedule:
        """Return the schedule for the server, with the operator's state of the existing one."""
        return Schedule(
            action=ScheduleActionStartWorkflow(
                self.workflow,
                args=list(self.args),
                id=self.id,
                task_queue=self.task_queue,
                run_timeout=self.run_timeout,
                static_summary=cut_summary(self.summary),
            ),
            spec=self.spec,
            policy=SchedulePolicy(overlap=self.overlap, catchup_window=self.catch_up_within),
            state=state or ScheduleState(note=cut_summary(self.summary)),
        )


async def ensure_schedule(client: Client, job: Job) -> None:
    """Create or update the job's schedule. Safe to repeat, and to run from several workers at once."""
    try:
        await client.create_schedule(job.id, job.schedule(), trigger_immediately=job.at_once)
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(job.id).update(lambda current: _brought_up_to_date(current, job))
        return
    log.info("schedule created", schedule=job.id, workflow=job.workflow)


def _brought_up_to_date(current: ScheduleUpdateInput, job: Job) -> ScheduleUpdate:
    return ScheduleUpdate(schedule=job.schedule(current.description.schedule.state))


async def apply_schedules(client: Client, jobs: Iterable[Job], *, retired: Iterable[str] = ()) -> None:
    """Create or update the schedules of all jobs and delete retired ones; called at a worker's start.

    Args:
        client: the client of the worker.
        jobs: all jobs, with unique ids.
        retired: ids of schedules to delete.
    """
    wanted = list(jobs)
    ids = [job.id for job in wanted]
    if len(set(ids)) != len(ids):
        raise ValueError(f"two jobs have one schedule id: {sorted(ids)}")
    for job in wanted:
        await ensure_schedule(client, job)
    for schedule_id in retired:
        try:
            await client.get_schedule_handle(schedule_id).delete()
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
        else:
            log.info("schedule deleted", schedule=schedule_id)
