"""The schedule that evaluates alert rules."""

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.messages.alert_rules import AlertRuleActivities
from domain.common.access import Actor, Role
from domain.messages.alert.conditions import RequestedCondition
from domain.messages.alert.metrics import ConditionType
from models.tenants.organization import Organization
from repositories.common.listing import ListFilter
from repositories.messages import alert as alerts
from runtime.database import Database
from runtime.identity import new_id
from runtime.jobs import SCHEDULES
from services.messages import alert_rule
from tests.domain.subscription.building import PLANS
from tests.support.histories import replay_and_keep
from tests.workflows.conftest import with_plugin
from workflows.messages.alert_rules import AlertRulesWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


async def test_run_evaluates_due_rules_and_ends(database: Database, timeskip_env: WorkflowEnvironment) -> None:
    queue = new_id("queue")
    client, org_id = with_plugin(timeskip_env.client), new_id("org")
    now = datetime.now(UTC)
    below = RequestedCondition(type=ConditionType.BELOW, threshold="5")
    wanted = alert_rule.RuleRequest(metric="credits.available", condition=below)
    async with database.platform() as session:
        session.add(Organization(id=org_id, name="x", created_by="x", command_id=org_id))
        await session.flush()
        actor = Actor(principal="owner", role=Role.OWNER, org_id=org_id)
        await alert_rule.create(session, actor, org_id, "low", wanted, command_id=new_id("cmd"), now=now)
    work = AlertRuleActivities(database, PLANS)
    async with Worker(client, task_queue=queue, workflows=[AlertRulesWorkflow], activities=[work.look_at_alert_rules]):
        for count in (1, 0):
            handle = await client.start_workflow(AlertRulesWorkflow.run, id=new_id("rules"), task_queue=queue)
            assert (await handle.result()).count == count
            assert "Rules evaluated" in str(await handle.query("__temporal_workflow_metadata"))
            await replay_and_keep(await handle.fetch_history(), "alert-rules/completed")
    async with database.platform() as session:
        (raised,) = (await alerts.page(session, ListFilter(org_id=org_id, limit=10), open_only=True)).rows
    assert (raised.kind, raised.subject) == ("low", org_id)


def test_rules_are_evaluated_every_minute() -> None:
    (job,) = [job for job in SCHEDULES if job.id == "alert-rules"]
    assert job.workflow == "alert-rules"
    assert [interval.every for interval in job.spec.intervals] == [timedelta(minutes=1)]
