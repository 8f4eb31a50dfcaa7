"""The schedules that look for fraud, on the real workflows."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import text
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.risk.night import RiskNightActivities
from contracts.risk.night import DETECTORS
from domain.common.credits import CreditPrice
from models.escrow.escrow import EscrowRow
from runtime.database import Database, plain_url
from runtime.identity import new_id
from tests.support.histories import replay_and_keep
from tests.support.risk_rows import connect, id_at, put
from tests.workflows.conftest import with_plugin
from workflows.risk.night import RiskNightWorkflow, RiskSweepWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def test_night_runs_every_detector_and_repeated_opens_nothing_twice(
    fresh_database: Database, fresh_database_urls: Any, idle_server: WorkflowEnvironment
) -> None:
    owner, at = await connect(plain_url(fresh_database_urls.owner)), datetime.now(UTC) - timedelta(days=1)
    for payer, payee in (("org_a", "org_b"), ("org_b", "org_c"), ("org_c", "org_a")):
        one = {"id": id_at("esc", at), "contract_id": payer, "org_id": payer, "payee_org_id": payee}
        amounts = {"currency": "USD", "amount_minor": 50_000, "funded_minor": 50_000, "released_minor": 50_000}
        await put(owner, EscrowRow, at, status="released", **one, **amounts)
    await owner.close()
    client, queue = with_plugin(idle_server.client), new_id("queue")
    work = RiskNightActivities(fresh_database, CreditPrice(price=Decimal("0.10"), currency="USD"))
    workflows = [RiskNightWorkflow, RiskSweepWorkflow]
    async with Worker(client, task_queue=queue, workflows=workflows, activities=[work.detect, work.sweep]):
        nights = []
        for _ in range(2):
            handle = await client.start_workflow(RiskNightWorkflow.run, id=new_id("night"), task_queue=queue)
            nights.append(await handle.result())
        await replay_and_keep(await handle.fetch_history(), "risk-night/completed")
        shown = str(await handle.query("__temporal_workflow_metadata"))
        sweep = await client.start_workflow(RiskSweepWorkflow.run, id=new_id("sweep"), task_queue=queue)
        assert (await sweep.result()).found == 0
        await replay_and_keep(await sweep.fetch_history(), "risk-sweep/completed")
    assert [(night.step, night.found, night.opened) for night in nights] == [
        (len(DETECTORS), 1, 1),
        (len(DETECTORS), 1, 0),
    ]
    assert f"{len(DETECTORS)} detectors done, 3 rows read, 1 findings, **0 new cases**" in shown
    async with fresh_database.platform() as session:
        held = await session.scalars(text("SELECT subject FROM risk_holds WHERE kind = 'earnings' ORDER BY subject"))
        assert list(held) == ["org_a", "org_b", "org_c"]
