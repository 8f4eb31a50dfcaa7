"""The inbox of webhooks, for operators: received events, their status, and retries."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import require
from api.csv_files import CSV
from api.deps import DepsDep, TemporalDep
from api.fields import Page, SearchText
from api.idempotency import Command, idempotency
from api.lists import CREATED, After, Asked, Items, ListOf, items_of
from api.routing import Resource
from api.v1.webhook_inbox.schemas import InboxEventView, InboxStatus
from api.v1.webhooks.forwarding import start_run
from contracts.payments.payment import ProviderEventInput
from domain.common.access import Actor, Permission
from repositories.payments import provider_event as inbox

router = Resource(tags=["webhooks"])

_LIST = ListOf(
    "webhook-events",
    InboxEventView,
    *(*CREATED, "provider", "q"),
    order=[int],
    status=InboxStatus,
    unhandled=Annotated[bool, Query(description="Only webhooks that wait to be handled.")],
    type=Annotated[SearchText | None, Query(description="Only webhooks of this type.")],
    payment_id=Annotated[SearchText | None, Query(description="Only webhooks about this payment.")],
)


@router.get("/webhooks/events", response_model=Page[InboxEventView], responses=CSV)
async def list_webhook_events(
    deps: DepsDep, asked: Annotated[Asked, _LIST.asked], actor: Actor = require(Permission.INSPECT)
) -> Response:
    """List the webhooks that providers have sent, newest first.

    With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
    """
    wanted = asked.wanted(None, without=["unhandled"])

    async def read(after: After, limit: int) -> Items:
        async with deps.session_for(actor) as session:
            found = await inbox.page(session, wanted, unhandled=bool(asked.get("unhandled")), after=after, limit=limit)
            return items_of(found, InboxEventView.of)

    return await asked.answer(read)


@router.post("/webhooks/events/{number}/retry", response_model=InboxEventView)
async def retry_webhook_event(
    number: str,
    deps: DepsDep,
    temporal: TemporalDep,
    actor: Actor = require(Permission.OPERATE),
    command: Command = idempotency(required=False),
) -> Response:
    """Retry the handling of a webhook now. It is also retried automatically within minutes.

    The object is read at the provider again, so nothing takes effect twice. An event that is already handled stays as
    it is.
    """

    async def retry() -> InboxEventView:
        async with deps.session_for(actor) as session:
            row = await inbox.by_number(session, number)
        if row.handled_at is None:
            again = ProviderEventInput(provider=row.provider, event_id=row.event_id)
            await start_run(temporal, again, summary=f"{row.type}, started again by {actor.principal}")
            await deps.record_act(actor, "webhook.retry", row.event_id, {"provider": row.provider, "type": row.type})
        return InboxEventView.of(row)

    return await command.run(retry)
