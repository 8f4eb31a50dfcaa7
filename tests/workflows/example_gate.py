"""A change of commands behind a gate, as changes are made from the release of 0.1.0 on.

The run once waited for a day and ended; `histories/example/before_the_gate.json` was recorded then, and stays. Now it
writes a reminder and waits for another day.
"""

from datetime import timedelta

from temporalio import workflow

DAY = timedelta(days=1)


@workflow.defn(name="example")
class GatedWorkflow:
    """The change behind its gate: runs from before it end as they would have ended."""

    @workflow.run
    async def run(self) -> str:
        await workflow.sleep(DAY)
        if workflow.patched("reminds-after-a-day"):
            workflow.upsert_memo({"reminded": True})
            await workflow.sleep(DAY)
        return "done"


@workflow.defn(name="example")
class UngatedWorkflow:
    """The same change without its gate, which is the mistake that a replay finds."""

    @workflow.run
    async def run(self) -> str:
        await workflow.sleep(DAY)
        workflow.upsert_memo({"reminded": True})
        await workflow.sleep(DAY)
        return "done"
