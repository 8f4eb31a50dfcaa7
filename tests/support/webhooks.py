"""Receivers of webhooks in memory, and what their secrets are sealed with."""

import asyncio
import base64
from dataclasses import dataclass, field
from datetime import UTC, datetime

from pydantic import SecretStr

from domain.common.access import Actor, Role
from domain.messages.webhook.delivery import ReceiverResponse
from domain.messages.webhook.endpoint import Ordering
from providers.notify.webhook import OutgoingWebhook
from runtime.database import Database
from runtime.identity import new_id
from runtime.sealing import OF_WEBHOOKS, Sealer
from services.messages import webhook_endpoint as service
from services.messages.webhook_endpoint import EndpointRequest

WEBHOOK_KEYS = SecretStr("test:" + base64.b64encode(b"w" * 32).decode())
SEALER = Sealer(WEBHOOK_KEYS, bound=OF_WEBHOOKS)


@dataclass
class FakeReceivers:
    """Takes what is sent, and answers by a script for each address; with 204 where it has ended.

    One whose address is in `hanging` does not answer before that is set.
    """

    received: list[OutgoingWebhook] = field(default_factory=list)
    scripts: dict[str, list[ReceiverResponse]] = field(default_factory=dict)
    hanging: dict[str, asyncio.Event] = field(default_factory=dict)

    async def send(self, webhook: OutgoingWebhook, *, now: datetime) -> ReceiverResponse:
        assert now.tzinfo is not None
        self.received.append(webhook)
        if webhook.url in self.hanging:
            await self.hanging[webhook.url].wait()
        script = self.scripts.get(webhook.url)
        return script.pop(0) if script else ReceiverResponse(status_code=204)


async def stored_endpoint(database: Database, org_id: str, url: str = "https://example.com/webhooks") -> str:
    """Make an endpoint of an organization for every type of events, past the judge of addresses; returns its id."""
    wanted = EndpointRequest(
        org_id=org_id,
        url=url,
        types=("*",),
        description=None,
        ordering=Ordering.SUBJECT,
        asymmetric=False,
        command_id=new_id("cmd"),
    )
    actor = Actor(principal="owner", role=Role.OWNER, org_id=org_id)
    async with database.platform() as session:
        row, _ = await service.create(session, actor, wanted, SEALER, now=datetime.now(UTC))
    return row.id
