"""A simulated calendar for Python, PostgreSQL, Temporal and the sandbox.

The simulated time is the machine's own, moved ahead by whole seconds, or back for a history up to today. Each of the
four gets it in its own way:

- Python: the modules of the product ask `datetime.now`; they are handed a `datetime` that knows the calendar. The time
  in ids follows it too.
- PostgreSQL: `now()`, `clock_timestamp()` and the time in `uuidv7()` of the simulated database add what is in
  `simulated.clock`. The functions keep their identity, so column defaults and the ledger's own functions follow.
- Temporal: a run's timers pass by the server's time skipping, `fast_forward`, each when the calendar comes to it. A run
  that is started late in the year would begin at the machine's time, so the worker adds what the calendar is ahead to
  the time of each task, the same again when the task is replayed.
- The sandbox has a clock of its own, which is moved by the same number of seconds.
"""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any

import asyncpg
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails, WorkflowRunner

from runtime import identity

#: Whose modules ask for the time.
PRODUCT = ("activities", "api", "commands", "composition", "providers", "repositories", "services")

#: PostgreSQL calls a built-in function by its number, except when the planner inlines one that is written in SQL: then
#: it reads what is in the catalogue. So both stay the same objects for other references.
_IN_POSTGRESQL = """
CREATE SCHEMA simulated;
CREATE TABLE simulated.clock (ahead interval NOT NULL);
INSERT INTO simulated.clock VALUES ('0');
CREATE FUNCTION simulated.at(moment timestamptz) RETURNS timestamptz LANGUAGE plpgsql STABLE AS
    'BEGIN RETURN moment + (SELECT ahead FROM simulated.clock); END';
GRANT USAGE ON SCHEMA simulated TO PUBLIC;
GRANT SELECT ON simulated.clock TO PUBLIC;
CREATE OR REPLACE FUNCTION pg_catalog.now() RETURNS timestamptz LANGUAGE sql STABLE AS
    'SELECT simulated.at(pg_catalog.transaction_timestamp())';
CREATE OR REPLACE FUNCTION pg_catalog.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
    'SELECT simulated.at(pg_catalog.timeofday()::timestamptz)';
CREATE FUNCTION simulated.id(shift interval) RETURNS uuid LANGUAGE internal VOLATILE STRICT AS 'uuidv7_interval';
CREATE FUNCTION simulated.id_at(shift interval) RETURNS uuid LANGUAGE plpgsql VOLATILE AS
    'BEGIN RETURN simulated.id(shift + (SELECT ahead FROM simulated.clock)); END';
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA simulated TO PUBLIC;
CREATE OR REPLACE FUNCTION pg_catalog.uuidv7() RETURNS uuid LANGUAGE sql VOLATILE AS
    $$SELECT simulated.id_at(interval '0')$$;
CREATE OR REPLACE FUNCTION pg_catalog.uuidv7(shift interval) RETURNS uuid LANGUAGE sql VOLATILE AS
    'SELECT simulated.id_at($1)';
"""

_OUT_OF_POSTGRESQL = """
CREATE OR REPLACE FUNCTION pg_catalog.now() RETURNS timestamptz
    LANGUAGE internal STABLE PARALLEL SAFE STRICT AS 'now';
CREATE OR REPLACE FUNCTION pg_catalog.clock_timestamp() RETURNS timestamptz
    LANGUAGE internal VOLATILE PARALLEL SAFE STRICT AS 'clock_timestamp';
CREATE OR REPLACE FUNCTION pg_catalog.uuidv7() RETURNS uuid
    LANGUAGE internal VOLATILE PARALLEL SAFE STRICT LEAKPROOF AS 'uuidv7';
CREATE OR REPLACE FUNCTION pg_catalog.uuidv7(shift interval) RETURNS uuid
    LANGUAGE internal VOLATILE PARALLEL SAFE STRICT LEAKPROOF AS 'uuidv7_interval';
DROP SCHEMA simulated CASCADE;
"""


async def install(owner: asyncpg.Connection) -> None:
    """Make one database use the calendar's time until `remove`."""
    await owner.execute(_IN_POSTGRESQL)


async def remove(owner: asyncpg.Connection) -> None:
    """Give a database PostgreSQL's own clock back."""
    await owner.execute(_OUT_OF_POSTGRESQL)


@dataclass
class Timer:
    """A timer of a run: when it is due by the calendar, and how far the server has to skip for it."""

    due: datetime
    skip: timedelta


@dataclass
class Run:
    """State of a workflow run: its timers and activities by number, and its skipped time.

    `in_task` while its workflow code runs, in a thread that others may hold up: what it asks for next is not known yet.
    """

    workflow_id: str
    in_task: bool = False
    skipped: timedelta = timedelta(0)
    timers: dict[int, Timer] = field(default_factory=dict)
    activities: set[tuple[str, int]] = field(default_factory=set)


class Calendar:
    """The current time, and the times that runs wait for."""

    def __init__(self) -> None:
        """Begin at the machine's own time."""
        self.ahead = timedelta(0)
        self.runs: dict[str, Run] = {}
        #: Counts what happens, so that who waits for quiet sees that there was some.
        self.tasks = 0
        self._seen: dict[tuple[str, int], int] = {}

    def now(self, zone: tzinfo | None = UTC) -> datetime:
        """Return the simulated time."""
        return datetime.now(UTC).astimezone(zone) + self.ahead

    def busy(self) -> list[str]:
        """Return the runs with an open workflow task or activity, by their workflow ids."""
        return [run.workflow_id for run in list(self.runs.values()) if run.in_task or run.activities]

    def next_timer(self) -> datetime | None:
        """Return when the first timer is due."""
        return min((timer.due for run in list(self.runs.values()) for timer in run.timers.values()), default=None)

    def due(self) -> list[tuple[str, Run, timedelta]]:
        """Return the runs that have a timer due, by run id, and how far each must be skipped."""
        now, found = self.now(), []
        for run_id, run in list(self.runs.items()):
            skips = [timer.skip for timer in run.timers.values() if timer.due <= now]
            if skips:
                found.append((run_id, run, max(max(skips) - run.skipped, timedelta(milliseconds=1))))
        return found

    def moment_of_task(self, run_id: str, at: int) -> int:
        """Return the simulated time of a task in nanoseconds; for the same task always the same."""
        known = self._seen.get((run_id, at))
        if known is None:
            # The server's own time of the run is ahead by what was skipped, which says nothing about the calendar.
            known = self._seen[run_id, at] = int(self.now().timestamp() * 1e6) * 1000
        return known

    @contextmanager
    def in_python(self) -> Iterator[None]:
        """Patch the clock of imported product modules to the calendar within the block."""
        calendar = self

        class Kind(type):
            def __instancecheck__(cls, instance: object) -> bool:
                return isinstance(instance, datetime)

        class Simulated(datetime, metaclass=Kind):
            def __new__(cls, *args: Any, **options: Any) -> Any:
                return datetime(*args, **options)  # noqa: DTZ001 - as the caller wants it

            @classmethod
            def now(cls, tz: tzinfo | None = None) -> Any:
                return calendar.now(tz)

        asking = [
            module
            for name, module in list(sys.modules.items())
            if name.partition(".")[0] in PRODUCT and vars(module).get("datetime") is datetime
        ]
        for module in asking:
            vars(module)["datetime"] = Simulated
        vars(identity)["time"] = _Time(calendar)
        try:
            yield
        finally:
            vars(identity)["time"] = time
            for module in asking:
                vars(module)["datetime"] = datetime


@dataclass
class _Time:
    """The one function of `time` that ids are made with."""

    calendar: Calendar

    def time_ns(self) -> int:
        return time.time_ns() + self.calendar.ahead // timedelta(microseconds=1) * 1000


class OnCalendar(WorkflowRunner):
    """Runs workflows at the calendar's time, and notes what each waits for."""

    def __init__(self, calendar: Calendar) -> None:
        """Take the calendar."""
        self._calendar, self._inner = calendar, UnsandboxedWorkflowRunner()

    def prepare_workflow(self, defn: Any) -> None:
        """Prepare nothing."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """Return the run's own instance behind one that tells it the time."""
        info = det.info
        self._calendar.runs.setdefault(info.run_id, Run(info.workflow_id))
        return _Instance(self._inner.create_instance(det), self._calendar)


_ENDS = (
    "complete_workflow_execution",
    "fail_workflow_execution",
    "cancel_workflow_execution",
    "continue_as_new_workflow_execution",
)


class _Instance(WorkflowInstance):
    def __init__(self, inner: WorkflowInstance, calendar: Calendar) -> None:
        self._inner, self._calendar = inner, calendar

    def activate(self, act: Any) -> Any:
        calendar, run_id = self._calendar, act.run_id
        calendar.tasks += 1
        if act.HasField("timestamp"):
            act.timestamp.FromNanoseconds(calendar.moment_of_task(run_id, act.timestamp.ToNanoseconds()))
        run = calendar.runs.get(run_id)
        if run is None:
            return self._inner.activate(act)
        run.in_task = True
        try:
            return self._activate(run_id, run, act)
        finally:
            run.in_task = False

    def _activate(self, run_id: str, run: Run, act: Any) -> Any:
        replaying, at = act.is_replaying, self._calendar.now()
        for job in act.jobs:
            kind = job.WhichOneof("variant")
            if kind == "fire_timer":
                run.timers.pop(job.fire_timer.seq, None)
            elif kind == "resolve_activity":
                run.activities -= {("regular", job.resolve_activity.seq), ("local", job.resolve_activity.seq)}
        completion = self._inner.activate(act)
        if not replaying:
            self._note(run_id, run, completion.successful.commands, at)
        return completion

    def _note(self, run_id: str, run: Run, commands: Any, at: datetime) -> None:
        for command in commands:
            kind = command.WhichOneof("variant")
            if kind == "start_timer":
                wait = command.start_timer.start_to_fire_timeout.ToTimedelta()
                run.timers[command.start_timer.seq] = Timer(due=at + wait, skip=run.skipped + wait)
            elif kind == "cancel_timer":
                run.timers.pop(command.cancel_timer.seq, None)
            elif kind == "schedule_activity":
                run.activities.add(("regular", command.schedule_activity.seq))
            elif kind == "schedule_local_activity":
                run.activities.add(("local", command.schedule_local_activity.seq))
            elif kind in _ENDS:
                self._calendar.runs.pop(run_id, None)

    def get_serialization_context(self, command_info: Any) -> Any:
        return self._inner.get_serialization_context(command_info)

    def get_external_store_context(self, command_info: Any) -> Any:
        return self._inner.get_external_store_context(command_info)

    def get_info(self) -> Any:
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        return self._inner.get_thread_id()
