"""The worker process: runs workflows and activities until it is told to stop, and then lets the running ones end."""

import asyncio
import contextlib
import signal
from datetime import timedelta

import structlog
from runtime.schedules import apply_schedules
from temporalio.client import Client
from temporalio.worker import Worker

from activities.escrow import EscrowActivities
from activities.holds import HoldActivities
from contracts.queues import TASK_QUEUE
from runtime import logs, metrics, telemetry
from runtime.database import Database
from runtime.settings import Settings
from runtime.temporal import connect, ensure_search_attributes
from workflows.escrow import EscrowWorkflow
from workflows.hold_expiry import HOLD_EXPIRY, HoldExpiryWorkflow

log = structlog.get_logger("bursar.worker")


def make_worker(client: Client, database: Database) -> Worker:
    """Put together the worker of a process; the tests use the same one."""
    escrow, holds = EscrowActivities(database), HoldActivities(database)
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=[EscrowWorkflow, HoldExpiryWorkflow],
        activities=[escrow.record_event, holds.expire_holds],
        graceful_shutdown_timeout=timedelta(seconds=10),
    )


async def main() -> None:
    """Read the settings, connect, and work until SIGINT or SIGTERM."""
    settings = Settings()
    logs.configure(settings, "worker")
    telemetry.configure(settings, "bursar-worker")
    database = Database(settings.database_url, settings.platform_database_url, pool_size=settings.database_pool_size)
    client = await connect(
        settings,
        runtime=metrics.worker_runtime(settings),
        interceptors=telemetry.temporal_interceptors(settings),
        wait=timedelta(seconds=60),
    )
    await ensure_search_attributes(client)
    await apply_schedules(client, [HOLD_EXPIRY])
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    async with make_worker(client, database):
        log.info("worker ready", task_queue=TASK_QUEUE)
        await stop.wait()
        log.info("worker stopping")
    await database.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main())
