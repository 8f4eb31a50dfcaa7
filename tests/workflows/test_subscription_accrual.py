"""The batch that recognises revenue of plans without credits."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from contracts.billing.subscription_accrual import SubscriptionAccrual
from models.billing.subscription import SubscriptionBill
from runtime.identity import new_id
from tests.support.histories import replay_and_keep
from tests.workflows.conftest import Stage
from tests.workflows.subscriptions import subscriber
from workflows.billing.subscription_accrual import SubscriptionAccrualWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def test_every_day_through_the_last_one_is_booked_once_for_repeated_batches(stage: Stage) -> None:
    one = await subscriber(stage, "premium")
    await one.subscribe()

    async def accrued() -> tuple[int, object]:
        async with stage.database.platform() as session:
            mine = SubscriptionBill.org_id == one.start.subscription.org_id
            row = (await session.scalars(select(SubscriptionBill).where(mine))).one()
        return row.accrued_minor, row.accrued_on

    day = datetime.now(UTC).date()

    async def run() -> SubscriptionAccrual:
        handle = await stage.client.start_workflow(
            SubscriptionAccrualWorkflow.run,
            SubscriptionAccrual(through=day, limit=100),
            id=new_id("batch"),
            task_queue="bursar",
        )
        result = await handle.result()
        await replay_and_keep(await handle.fetch_history(), "subscription-accrual/completed")
        return result

    first = await run()
    booked = await accrued()
    assert (first.count >= 1, booked[1]) == (True, day)
    assert 0 <= booked[0] < 500 // 28 + 1
    assert ((await run()).count, await accrued()) == (0, booked)
