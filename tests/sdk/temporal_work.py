"""Workflows and activities that use the client."""

from dataclasses import dataclass, field
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy

with workflow.unsafe.imports_passed_through():
    import asyncio

    from temporalio.client import Client

    import bursar
    from bursar import AsyncBursar, InWorkflow
    from bursar.testing import FakeBursar


@workflow.defn
class Pays:
    """Runs one activity, and has it tried again."""

    @workflow.run
    async def run(self, name: str) -> int:
        done: int = await workflow.execute_activity(
            name,
            start_to_close_timeout=timedelta(minutes=5),
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=1), maximum_attempts=4),
            result_type=int,
        )
        return done


@workflow.defn
class Reports:
    """Runs the activity of the client's README, until a worker has finished it."""

    @workflow.run
    async def run(self, topic: str) -> str:
        written: str = await workflow.execute_activity(
            "write_report",
            topic,
            start_to_close_timeout=timedelta(minutes=5),
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=1)),
            result_type=str,
        )
        return written


@workflow.defn
class Calls:
    """Calls from workflow code, which is refused."""

    @workflow.run
    async def run(self) -> list[str]:
        client = FakeBursar().async_client()
        told = []
        for call in (
            client.credits.use(amount=1),
            client.billing.get_balance(),
            client.contracts.list().page(),
            anext(aiter(client.credits.list_usage())),
            anext(aiter(client.contracts.list().csv())),
            anext(aiter(client.changes.stream())),
            client.hold(1).__aenter__(),
            client.metered("api_call")(_nothing)(),
        ):
            try:
                await call
            except InWorkflow as error:
                told.append(str(error))
        return told


async def _nothing() -> None:
    return None


async def give_up(client: Client, run_id: str) -> None:
    """Tell the server that the worker of a run's activity is dead, which it would find out by a timeout."""
    activity_of_run = client.get_async_activity_handle(workflow_id=run_id, run_id=None, activity_id="1")
    await activity_of_run.fail(RuntimeError("its worker was killed"))


@dataclass
class Work:
    """Activities that die after they paid."""

    client: AsyncBursar
    attempts: list[int] = field(default_factory=list)

    async def _pay(self) -> int:
        self.attempts.append(activity.info().attempt)
        await self.client.credits.use(amount=1)
        await self.client.credits.use(amount=1)

        async def part(name: str) -> None:
            with bursar.step(name):
                await self.client.credits.use(amount=3)

        await asyncio.gather(part("a"), part("b"))
        async with self.client.hold("10", report_every=1) as hold:
            hold.use(4)
        return activity.info().attempt

    @activity.defn
    async def pays(self) -> int:
        """Pay, and fail the first two times."""
        attempt = await self._pay()
        if attempt < 3:
            raise RuntimeError("died after it paid")
        return attempt

    @activity.defn
    async def cannot_pay(self) -> int:
        """Ask for more than there is."""
        self.attempts.append(activity.info().attempt)
        await self.client.credits.use(amount=1000)
        return 0
