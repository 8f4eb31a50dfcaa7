"""The inbox of webhooks, for operators: received events, their status, and retries."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import require
from api.deps import DepsDep, TemporalDep
from api.fields import SearchText
from api.idempotency import MayRepeat
from api.lists import CREATED, Items, ListEndpoint, ListRequest, items_of
from api.routing import Resource
from api.v1.webhook_inbox.schemas import InboxEventView, InboxStatus
from api.v1.webhooks.forwarding import start_run
from contracts.payments.payment import ProviderEventInput
from domain.common.access import Actor, Permission
from repositories.payments import provider_event as inbox

router = Resource(tags=["webhooks"])

_LIST = ListEndpoint(
    "webhook-events",
    InboxEventView,
    *(*CREATED, "provider", "q"),
    order=[int],
    status=InboxStatus,
    unhandled=Annotated[bool, Query(description="Only webhooks that wait to be handled.")],
    type=Annotated[SearchText | None, Query(description="Only webhooks of this type.")],
    payment_id=Annotated[SearchText | None, Query(description="Only webhooks about this payment.")],
)


@_LIST.get(router, "/webhooks/events")
async def list_webhook_events(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.INSPECT)) -> Items:
    """List the webhooks that providers have sent, newest first."""
    wanted = asked.wanted(None, without=["unhandled"])
    async with deps.session_for(actor) as session:
        found = await inbox.page(session, wanted, unhandled=bool(asked.get("unhandled")))
        return items_of(found, InboxEventView.of)


@router.post("/webhooks/events/{number}/retry", response_model=InboxEventView)
async def retry_webhook_event(
    number: str, deps: DepsDep, temporal: TemporalDep, *, actor: Actor = require(Permission.OPERATE), command: MayRepeat
) -> Response:
    """Retry the handling of a webhook now. It is also retried automatically within minutes.

    The object is read at the provider again, so nothing takes effect twice. An event that is already handled stays as
    it is.
    """
    async with command:
        async with deps.session_for(actor) as session:
            row = await inbox.by_number(session, number)
        if row.handled_at is None:
            again = ProviderEventInput(provider=row.provider, event_id=row.event_id)
            await start_run(temporal, again, summary=f"{row.type}, started again by {actor.principal}")
            await deps.record_act(actor, "webhook.retry", row.event_id, {"provider": row.provider, "type": row.type})
        return command.answer(InboxEventView.of(row))
