"""A webhook endpoint on the stage: made as the API makes it, with a receiver in the test's own hands."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, insert, select
from temporalio.client import WorkflowHandle

from contracts.messages.webhook_endpoint import WebhookEndpointResult, WebhookEndpointSignal
from contracts.runs import Run, webhook_endpoint_news, webhook_endpoint_run
from domain.common.access import Actor, Role
from domain.messages.events import Event
from domain.messages.webhook.delivery import ReceiverResponse
from domain.messages.webhook.endpoint import TEST, Endpoint, Ordering
from models.messages.event import EventRow
from models.messages.webhook_endpoint import WebhookDeliveryRow, WebhookEndpointEventRow, WebhookEndpointRow
from models.tenants.organization import Organization
from providers.notify.webhook import OutgoingWebhook, SigningKeys
from repositories.common.listing import ListFilter
from repositories.messages import event, webhook_delivery as deliveries, webhook_endpoint as endpoints
from runtime import reach
from runtime.identity import new_id
from services.messages import webhook_endpoint as service
from services.messages.webhook_endpoint import EndpointRequest
from tests.support.looking import again
from tests.support.timelines import timeline
from tests.support.webhooks import SEALER
from tests.workflows.conftest import Stage

WANTED = "escrow.released"


@dataclass
class EndpointDriver:
    """An endpoint that is in the books."""

    stage: Stage
    endpoint_id: str
    actor: Actor
    keys: SigningKeys
    subjects: dict[str, str] = field(default_factory=dict)

    @property
    def run(self) -> Run:
        return webhook_endpoint_run(self.endpoint_id, self.actor.org_id or "")

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.stage.client.get_workflow_handle(self.run.workflow_id, result_type=WebhookEndpointResult)

    @property
    def url(self) -> str:
        return url_of(self.actor.org_id or "")

    def answers(self, *answers: ReceiverResponse) -> None:
        """Set the receiver's next answers; after them it answers 204."""
        self.stage.receivers.scripts[self.url] = list(answers)

    def hangs(self) -> asyncio.Event:
        """Make the receiver wait until the returned event is set."""
        return self.stage.receivers.hanging.setdefault(self.url, asyncio.Event())

    @property
    def received(self) -> list[OutgoingWebhook]:
        return [each for each in self.stage.receivers.received if each.url == self.url]

    async def happens(self, subject: str, count: int = 1, *, seen: bool = True) -> None:
        """Record events of one subject without sending a signal."""
        org_id = self.actor.org_id or ""
        named = self.subjects.setdefault(subject, new_id("esc"))
        async with self.stage.database.platform() as session:
            for _ in range(count):
                await event.record(session, [happening(org_id, named)])
        if seen:
            await self.seen()

    async def seen(self) -> None:
        """Wait until readers see every event. They see none while an older transaction of the cluster is open."""
        while not await self._all_seen(self.actor.org_id or ""):
            await again()

    async def _all_seen(self, org_id: str) -> bool:
        async with self.stage.database.platform() as session:
            recorded = await session.scalar(select(func.count()).where(EventRow.org_id == org_id))
            return len(await event.page(session, after=None, limit=10_000, org_id=org_id)) == recorded

    async def signal_change(self) -> None:
        """Tell the run that there is news, as the dispatcher does."""
        await reach.signal(self.stage.client, *webhook_endpoint_news(self.endpoint_id, self.actor.org_id or ""))

    async def begin(self) -> None:
        await reach.start_missing(self.stage.client, self.run)

    async def reaches(self, status: str) -> None:
        await self.begin()
        while (await self.state()).status != status:
            await again()
        while await self.handle.query("version") < (await self.state()).version:
            await again()

    async def enabled(self) -> None:
        """Reach the state, and the end of the first drain: one that outlives its run would take what comes next."""
        await self.reaches("enabled")
        while not await self.drains():
            await again()

    async def signal(self, name: str, **fields: object) -> None:
        await reach.signal(self.stage.client, self.run, name, WebhookEndpointSignal(operator="kim", **fields))

    async def paused(self) -> None:
        await self.signal("pause")
        await self.reaches("paused")

    async def drains(self) -> int:
        """Count the drains that have ended."""
        events = (await self.handle.fetch_history()).events
        return sum(each.HasField("activity_task_completed_event_attributes") for each in events)

    async def row(self) -> WebhookEndpointRow:
        async with self.stage.database.platform() as session:
            row = await endpoints.get(session, self.endpoint_id)
            assert row is not None
            return row

    async def state(self) -> Endpoint:
        row = await self.row()
        assert row.status == row.state["status"]
        return endpoints.state_of(row)

    async def timeline(self) -> Sequence[WebhookEndpointEventRow]:
        async with self.stage.database.platform() as session:
            return await timeline(session, WebhookEndpointEventRow, endpoint_id=self.endpoint_id)

    async def kinds(self) -> list[str]:
        return [each.kind for each in await self.timeline()]

    async def deliveries(self, status: str | None = None) -> list[WebhookDeliveryRow]:
        async with self.stage.database.platform() as session:
            found = await deliveries.page(session, self.endpoint_id, ListFilter(limit=10000))
        return [row for row in reversed(found.rows) if status in {None, row.status}]

    async def settled(self, count: int, status: str = "delivered") -> list[WebhookDeliveryRow]:
        """Wait until a number of deliveries have a status."""
        while len(rows := await self.deliveries(status)) < count:
            await again()
        return rows


def url_of(org_id: str) -> str:
    return f"https://{org_id}.example.com/webhooks"


def happening(org_id: str, subject: str) -> Event:
    from domain.messages.events.catalogue import CATALOGUE

    return Event(type=WANTED, org_id=org_id, subject=subject, data=CATALOGUE[WANTED].example)


async def endpoint(
    stage: Stage,
    *,
    types: tuple[str, ...] = (WANTED,),
    ordering: Ordering = Ordering.SUBJECT,
    of: EndpointDriver | None = None,
) -> EndpointDriver:
    """Make an endpoint of a new organization, or of that of another one; those of one share their address."""
    org = new_id("org") if of is None else of.actor.org_id or ""
    actor = Actor(principal="owner", role=Role.OWNER, org_id=org)
    wanted = EndpointRequest(
        org_id=org,
        url=url_of(org),
        types=types,
        description=None,
        ordering=ordering,
        asymmetric=False,
        command_id=new_id("cmd"),
    )
    async with stage.database.platform() as session:
        if of is None:
            await session.execute(insert(Organization).values(id=org, name=org, command_id=org, created_by="test"))
        row, keys = await service.create(session, actor, wanted, SEALER, now=datetime.now(UTC))
    assert keys is not None
    return EndpointDriver(stage, row.id, actor, keys)


__all__ = ["TEST", "EndpointDriver", "endpoint"]
