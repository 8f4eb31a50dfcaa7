"""Escalation runs that notify recipients in order until an alert is answered."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.messages.escalation import EscalationActivities
from contracts.messages.escalation import EscalationInput, EscalationSignal, LoadAlert, LoadedAlert
from contracts.runs import escalation_run
from domain.common.access import Role
from models.messages.alert import Alert
from models.messages.alert_rule import AlertRule
from models.tenants.organization import Organization
from repositories.common.listing import ListFilter
from repositories.messages import alert as alerts
from repositories.tenants import audit
from runtime import reach
from runtime.database import Database
from runtime.identity import new_id
from tests.support.histories import replay, replay_and_keep
from tests.support.looking import again
from tests.workflows.conftest import with_plugin
from workflows.messages.escalation import EscalationWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]


@dataclass
class Tower:
    """Raises alerts and records the recipients notified."""

    env: WorkflowEnvironment
    client: Client
    database: Database
    called: list[tuple[str, str]] = field(default_factory=list)
    #: What happens while the run looks at its alert.
    looks: list[Callable[[], Awaitable[None]]] = field(default_factory=list)

    @activity.defn(name="look_at_alert")
    async def look(self, message: LoadAlert) -> LoadedAlert:
        seen = await EscalationActivities(self.database, self.tell).look(message)
        if self.looks:
            await self.looks.pop()()
        return seen

    async def tell(self, _session: AsyncSession, alert: Alert, roles: Collection[Role], step: str) -> None:
        assert [step.partition(":")[0]] == [role.value for role in roles]
        self.called.append((alert.id, step))

    async def raised(self, kind: str = "payment.dispute_opened") -> Alert:
        subject = new_id("pay")
        async with self.database.platform() as session:
            await alerts.raise_alert(
                session, kind=kind, subject=subject, detail="Look.", org_id=new_id("org"), shared=True
            )
            return (await session.scalars(select(Alert).where(Alert.subject == subject))).one()

    async def raised_by_a_rule(self, *ladder: str) -> Alert:
        """Raise an alert of an organization's rule with its own escalation."""
        org_id, rule_id, subject = new_id("org"), new_id("rul"), new_id("agt")
        async with self.database.platform() as session:
            session.add(Organization(id=org_id, name="x", created_by="x", command_id=org_id))
            await session.flush()
            session.add(
                AlertRule(
                    id=rule_id,
                    org_id=org_id,
                    name="low",
                    metric="credits.available",
                    filters={},
                    condition={},
                    window_seconds=60,
                    cool_down_seconds=60,
                    severity="warning",
                    ladder=list(ladder),
                    created_by="x",
                    command_id=rule_id,
                )
            )
            await alerts.raise_alert(
                session,
                kind="low",
                subject=subject,
                detail="Look.",
                org_id=org_id,
                shared=True,
                for_operators=False,
                rule_id=rule_id,
            )
            return (await session.scalars(select(Alert).where(Alert.subject == subject))).one()

    async def start(self, alert: Alert) -> WorkflowHandle[Any, Any]:
        run = escalation_run(
            EscalationInput(alert_id=alert.id, kind=alert.kind, subject=alert.subject, org_id=alert.org_id)
        )
        await reach.start_missing(self.client, run)
        return self.client.get_workflow_handle(run.workflow_id)

    def steps(self, alert: Alert) -> list[str]:
        return [step for alert_id, step in self.called if alert_id == alert.id]

    async def outcome(self, handle: WorkflowHandle[Any, Any]) -> Any:
        """Let a week pass, and return the result of the run."""
        passing = asyncio.ensure_future(self.env.fast_forward(handle, timedelta(days=7)))
        result = await handle.result()
        passing.cancel()
        await asyncio.gather(passing, return_exceptions=True)
        return result

    async def noted_a_call(self, handle: WorkflowHandle[Any, Any]) -> None:
        """Wait until the run has recorded its step; before that it would read again and see later changes."""
        while ": called" not in await self.shown(handle):
            await again()

    async def was_signalled(self, handle: WorkflowHandle[Any, Any]) -> bool:
        events = (await handle.fetch_history()).events
        return any(event.HasField("workflow_execution_signaled_event_attributes") for event in events)

    async def shown(self, handle: WorkflowHandle[Any, Any]) -> str:
        return str(await handle.query("__temporal_workflow_metadata"))


@asynccontextmanager
async def tower_on(env: WorkflowEnvironment, urls: Any, *, sealed_signals: bool = False) -> AsyncIterator[Tower]:
    tower = Tower(env, with_plugin(env.client), Database(urls.tenant, urls.platform))
    work = EscalationActivities(tower.database, tower.tell, sealed_signals=sealed_signals)
    activities = [tower.look, work.take, work.acknowledge]
    async with Worker(tower.client, task_queue="bursar", workflows=[EscalationWorkflow], activities=activities):
        yield tower
    await tower.database.close()


@pytest.fixture
async def tower(idle_server: WorkflowEnvironment, database_urls: Any) -> AsyncIterator[Tower]:
    async with tower_on(idle_server, database_urls) as made:
        yield made


OWNER, ADMIN, OPERATOR = "owner:0", "admin:1800", "operator:7200"


async def test_everybody_is_notified_in_order_without_an_answer(tower: Tower) -> None:
    alert = await tower.raised()
    handle = await tower.start(alert)
    assert await tower.outcome(handle) == {"outcome": "unanswered", "taken": [OWNER, ADMIN, OPERATOR]}
    assert tower.steps(alert) == [OWNER, ADMIN, OPERATOR]
    assert "operator after 2:00 h: called" in await tower.shown(handle)
    await replay_and_keep(await handle.fetch_history(), "escalation/unanswered")
    # Whoever starts it again starts nothing: what was called for was called for.
    again_started = await tower.start(alert)
    assert (await again_started.describe()).run_id == (await handle.describe()).run_id


async def test_run_after_a_lost_one_completes_the_remaining_steps(tower: Tower) -> None:
    alert = await tower.raised()
    lost = await tower.start(alert)
    await tower.noted_a_call(lost)
    await lost.terminate("lost")
    handle = await tower.start(alert)
    assert (await handle.describe()).run_id != lost.first_execution_run_id
    assert (await tower.outcome(handle))["outcome"] == "unanswered"
    # Taking a step again calls nobody anew: a person is called once for each step.
    assert tower.steps(alert) == [OWNER, OWNER, ADMIN, OPERATOR]


async def test_answer_ends_the_escalation(tower: Tower) -> None:
    alert = await tower.raised()
    handle = await tower.start(alert)
    await tower.noted_a_call(handle)
    async with tower.database.tenant(alert.org_id or "") as session:
        await alerts.acknowledge(session, alert.id, "owner", for_organization=True)
    # For itself alone: operators are called, and the admin is not.
    assert await tower.outcome(handle) == {"outcome": "unanswered", "taken": [OWNER, OPERATOR]}

    alert = await tower.raised()
    handle = await tower.start(alert)
    await tower.noted_a_call(handle)
    async with tower.database.platform() as session:
        await alerts.close_cases(session, alert.subject, {alert.kind})
    await handle.signal("news")
    assert await tower.outcome(handle) == {"outcome": "resolved", "taken": [OWNER]}


async def test_rule_uses_its_own_escalation_until_its_organization_answers(tower: Tower) -> None:
    ladder = [OWNER, "finance:600", OPERATOR]
    alert = await tower.raised_by_a_rule(*ladder)
    handle = await tower.start(alert)
    assert await tower.outcome(handle) == {"outcome": "unanswered", "taken": ladder}
    assert tower.steps(alert) == ladder

    alert = await tower.raised_by_a_rule(*ladder)
    handle = await tower.start(alert)
    await tower.noted_a_call(handle)
    async with tower.database.tenant(alert.org_id or "") as session:
        await alerts.acknowledge(session, alert.id, "owner", for_organization=True)
    assert await tower.outcome(handle) == {"outcome": "acknowledged", "taken": [OWNER]}
    assert tower.steps(alert) == [OWNER]


async def test_snooze_postpones_the_escalation(tower: Tower) -> None:
    alert = await tower.raised("escrow.start_refused")
    until = alert.created_at + timedelta(days=2)
    async with tower.database.platform() as session:
        await alerts.snooze(session, alert.id, until)
    handle = await tower.start(alert)
    assert (await tower.outcome(handle))["outcome"] == "unanswered"
    assert len(tower.steps(alert)) == 4
    described = await handle.describe()
    assert described.close_time is not None
    assert described.close_time >= until


async def test_operator_acknowledges_by_a_signed_signal(tower: Tower) -> None:
    alert = await tower.raised()
    handle = await tower.start(alert)
    for given in ((), ("now",), (EscalationSignal(),), (EscalationSignal(operator="kim", acknowledge="alr_other"),)):
        await handle.signal("acknowledge", *given)
    while "is for another alert" not in await tower.shown(handle):
        await again()
    async with tower.database.platform() as session:
        row = await alerts.find(session, alert.id)
        assert row is not None
        assert row.acknowledged_at is None
    await handle.signal("acknowledge", EscalationSignal(operator="kim", acknowledge=alert.id))
    assert (await tower.outcome(handle))["outcome"] == "acknowledged"
    async with tower.database.platform() as session:
        entries = await audit.page(session, ListFilter(org_id=alert.org_id, equal={"target": alert.id}, limit=9))
    assert [(entry.action, entry.principal) for entry in entries.rows] == [("alert.acknowledge", "temporal-ui:kim")]
    await replay_and_keep(await handle.fetch_history(), "escalation/acknowledged")


@pytest.mark.parametrize(
    ("kind", "called"), [("payment.dispute_opened", "owner:0"), ("escrow.start_refused", "operator:0")]
)
async def test_acknowledgement_before_the_first_step_does_not_hide_the_alert(
    tower: Tower, kind: str, called: str
) -> None:
    alert = await tower.raised(kind)
    run = escalation_run(
        EscalationInput(alert_id=alert.id, kind=alert.kind, subject=alert.subject, org_id=alert.org_id)
    )
    handle = await tower.client.start_workflow(
        "escalation",
        run.start,
        id=run.workflow_id,
        task_queue="bursar",
        start_signal="acknowledge",
        start_signal_args=[EscalationSignal(operator="kim", acknowledge=alert.id)],
    )
    assert await handle.result() == {"outcome": "acknowledged", "taken": [called]}
    assert tower.steps(alert) == [called]


async def test_acknowledgement_during_the_last_step_counts(tower: Tower) -> None:
    alert = await tower.raised()
    run = escalation_run(
        EscalationInput(alert_id=alert.id, kind=alert.kind, subject=alert.subject, taken=(OWNER, ADMIN, OPERATOR))
    )
    handle = tower.client.get_workflow_handle(run.workflow_id)

    async def acknowledge() -> None:
        await handle.signal("acknowledge", EscalationSignal(operator="kim", acknowledge=alert.id))
        # The run is given the signal while it still waits for this answer.
        while not await tower.was_signalled(handle):
            await again()

    tower.looks.append(acknowledge)
    await reach.start_missing(tower.client, run)
    assert (await handle.result())["outcome"] == "acknowledged"
    assert not tower.looks
    async with tower.database.platform() as session:
        row = await alerts.find(session, alert.id)
    assert row is not None
    assert row.acknowledged_by == "temporal-ui:kim"
    await replay(await handle.fetch_history())


async def test_unsealed_signal_is_ignored_where_seals_are_required(
    idle_server: WorkflowEnvironment, database_urls: Any
) -> None:
    async with tower_on(idle_server, database_urls, sealed_signals=True) as tower:
        alert = await tower.raised()
        handle = await tower.start(alert)
        await handle.signal("acknowledge", EscalationSignal(operator="kim"))
        assert (await tower.outcome(handle))["outcome"] == "unanswered"
        assert "not verified" in await tower.shown(handle)


async def test_resolved_alert_notifies_nobody(tower: Tower) -> None:
    alert = Alert(id=new_id("alr"), kind="payment.dispute_opened", subject="x")
    assert (await tower.outcome(await tower.start(alert)))["outcome"] == "gone"
    assert tower.steps(alert) == []
