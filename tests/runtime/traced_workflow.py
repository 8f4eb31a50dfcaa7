from sqlalchemy import text
from temporalio import activity, workflow

from contracts.common.queues import local_activity
from runtime.database import Database, driver_connection


class Books:
    def __init__(self, database: Database) -> None:
        self.database = database

    @activity.defn
    async def post(self, amount_minor: int) -> int:
        async with self.database.platform() as session:
            await session.execute(text("SELECT CAST(:secret AS text)"), {"secret": "SECRETPARAMETER"})
            connection = await driver_connection(session)
            return int(await connection.fetchval("SELECT 2 * $1::int", amount_minor))


@workflow.defn(name="traced")
class TracedWorkflow:
    def __init__(self) -> None:
        self.paid = 0

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self.paid > 0)
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self.paid

    @workflow.update
    async def pay(self, amount_minor: int) -> int:
        self.paid = await workflow.execute_local_activity_method(Books.post, amount_minor, **local_activity("post"))
        return self.paid
