"""Webhooks out: endpoints, their deliveries, and retries.

Changes are written at once, and the endpoint's run is signalled after the response; if the signal is lost, the
dispatcher finds it within a minute.
"""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import ActorDep, permit, require
from api.deps import Deps, DepsDep, TemporalDep
from api.errors import errors
from api.fields import SearchText
from api.idempotency import Command, MayRepeat
from api.lists import CREATED, Items, ListEndpoint, ListRequest, items_of
from api.routing import Resource
from api.tenancy import acting_organization, listed_organization
from api.v1.webhook_endpoints.schemas import (
    WebhookDeliveryView,
    WebhookEndpointCreate,
    WebhookEndpointCreated,
    WebhookEndpointUpdate,
    WebhookEndpointView,
    WebhookReplay,
    WebhookReplayed,
    WebhookTested,
)
from contracts.messages.webhook_endpoint import DisableWebhookEndpoint, WebhookEndpointResult
from contracts.runs import webhook_endpoint_news, webhook_endpoint_run
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.errors import Forbidden, NotFound
from domain.messages.events.catalogue import CATALOGUE
from domain.messages.webhook.address import UrlRefused
from domain.messages.webhook.delivery import DeliveryStatus
from domain.messages.webhook.endpoint import TEST, EndpointStatus, SecretMissing, checked_types
from models.messages.webhook_endpoint import WebhookDeliveryRow, WebhookEndpointRow
from repositories.common.command import row_of_command
from repositories.messages import webhook_delivery as deliveries, webhook_endpoint as endpoints
from repositories.tenants import organization as organizations
from runtime import reach
from runtime.reach import EntityClient
from services.messages import webhook_endpoint as service
from services.messages.webhook_endpoint import EndpointRequest

router = Resource(tags=["webhook_endpoints"])

_SENT_BY_REQUEST = (NotFound, Forbidden, refusals.WrongEndpointState, refusals.WebhookRequestsExhausted)


async def _visible(
    deps: Deps, actor: Actor, endpoint_id: str, permission: Permission, *, deleted: bool = False
) -> WebhookEndpointRow:
    """Return an endpoint that the actor may see (404), and may do something with (403); `deleted` ones on request."""
    async with deps.session_for(actor) as session:
        row = await endpoints.get(session, endpoint_id)
    if row is None or (row.status == EndpointStatus.DELETED.value and not deleted):
        raise NotFound(endpoints.MISSING)
    permit(actor, permission)
    return row


def signal_run(deps: Deps, row: WebhookEndpointRow) -> None:
    """Signal the endpoint's run, after the answer, that there may be something to do."""
    if deps.temporal is not None:
        run, name, message = webhook_endpoint_news(row.id, row.org_id)
        deps.background.begin(run.workflow_id, partial(reach.signal, deps.temporal, run, name, message))


@router.post(
    "/webhook-endpoints",
    status_code=201,
    response_model=WebhookEndpointCreated,
    responses=errors(NotFound, SecretMissing, UrlRefused, refusals.WebhookLimitReached, refusals.OrganizationClosed),
)
async def create_webhook_endpoint(
    body: WebhookEndpointCreate,
    deps: DepsDep,
    *,
    actor: Actor = require(Permission.MANAGE_WEBHOOKS),
    command: MayRepeat,
) -> Response:
    """Create a webhook endpoint, to which events are sent from now on.

    The secret is in this response only. Verify every webhook with it, as [Standard
    Webhooks](https://www.standardwebhooks.com) describes, and answer with 2xx within 15 seconds. A webhook may arrive
    more than once, always with the same `webhook-id`.
    """
    org_id = acting_organization(actor, body.organization_id)
    wanted = EndpointRequest(
        org_id=org_id,
        url=body.url,
        types=checked_types(body.types, CATALOGUE),
        description=body.description,
        ordering=body.ordering,
        asymmetric=body.asymmetric,
        command_id=command.command_id,
    )
    async with command:
        if not deps.webhook_sealer.seals:
            raise SecretMissing
        async with deps.database.platform() as session:
            was_made = await row_of_command(session, WebhookEndpointRow, command.command_id) is not None
        if not was_made:
            await deps.receivers.check(body.url)
        async with deps.database.platform() as session:
            await organizations.get(session, org_id)
            row, keys = await service.create(session, actor, wanted, deps.webhook_sealer, now=datetime.now(UTC))
        return command.answer(WebhookEndpointCreated.with_keys(row, keys), hide=frozenset({"secret"}))


_LIST = ListEndpoint(
    "webhook-endpoints", WebhookEndpointView, *(*CREATED, "organization_id", "q"), order=["whe"], status=EndpointStatus
)


@_LIST.get(router, "/webhook-endpoints", NotFound)
async def list_webhook_endpoints(
    deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ_WEBHOOKS)
) -> Items:
    """List webhook endpoints, newest first."""
    wanted = asked.wanted(listed_organization(actor, asked.organization_id))
    return await asked.rows(deps.session_for(actor), endpoints.page, wanted, WebhookEndpointView.of)


@router.get("/webhook-endpoints/{endpoint_id}")
async def get_webhook_endpoint(endpoint_id: str, deps: DepsDep, actor: ActorDep) -> WebhookEndpointView:
    """Read one webhook endpoint."""
    return WebhookEndpointView.of(await _visible(deps, actor, endpoint_id, Permission.READ_WEBHOOKS))


@router.patch(
    "/webhook-endpoints/{endpoint_id}",
    response_model=WebhookEndpointView,
    responses=errors(UrlRefused, refusals.WrongEndpointState, refusals.OrganizationClosed),
)
async def change_webhook_endpoint(
    endpoint_id: str,
    body: WebhookEndpointUpdate,
    deps: DepsDep,
    temporal: TemporalDep,
    actor: ActorDep,
    command: MayRepeat,
) -> Response:
    """Change a webhook endpoint.

    New types apply to events from now on. A new address applies to waiting events as well.
    """
    await _visible(deps, actor, endpoint_id, Permission.MANAGE_WEBHOOKS)
    changed: dict[str, object] = {
        name: getattr(body, name) for name in ("url", "description") if name in body.model_fields_set
    }
    if body.url is None:
        changed.pop("url", None)
    if body.types is not None:
        changed["types"] = list(checked_types(body.types, CATALOGUE))
    if body.ordering is not None:
        changed["ordering"] = body.ordering.value
    async with command:
        if body.url is not None:
            await deps.receivers.check(body.url)
        async with deps.database.platform() as session:
            row = await service.change(
                session,
                actor,
                endpoint_id,
                changed,
                status=body.status,
                command_id=command.command_id,
                now=datetime.now(UTC),
            )
        if body.status == "disabled" and row.status != EndpointStatus.DISABLED.value:
            row = await _disable(deps, temporal, actor, row, command)
        else:
            signal_run(deps, row)
        return command.answer(WebhookEndpointView.of(row))


async def _disable(
    deps: Deps, temporal: TemporalDep, actor: Actor, seen: WebhookEndpointRow, command: Command
) -> WebhookEndpointRow:
    """Have the endpoint's run disable it, so that after the response only requests in flight are sent."""
    run = webhook_endpoint_run(seen.id, seen.org_id)
    message = DisableWebhookEndpoint(command_id=f"{command.command_id}:disable", actor=actor)

    limit = deps.settings.command_timeout
    entity = EntityClient(temporal, deps.database, run, WebhookEndpointResult, endpoints.versions, seen.id, limit=limit)
    await entity.command("disable", message, update_id=message.command_id)
    async with deps.database.platform() as session:
        row = await endpoints.get(session, seen.id)
    assert row is not None
    return row


@router.delete("/webhook-endpoints/{endpoint_id}", status_code=204)
async def delete_webhook_endpoint(endpoint_id: str, deps: DepsDep, actor: ActorDep, command: MayRepeat) -> Response:
    """Delete a webhook endpoint permanently. Waiting events are not sent."""
    seen = await _visible(deps, actor, endpoint_id, Permission.MANAGE_WEBHOOKS, deleted=True)
    async with command:
        async with deps.database.platform() as session:
            await service.delete(session, actor, endpoint_id, command_id=command.command_id, now=datetime.now(UTC))
        signal_run(deps, seen)
        return command.answer({})


@router.post(
    "/webhook-endpoints/{endpoint_id}/rotate-secret",
    operation_id="webhook_endpoints.rotate_secret",
    response_model=WebhookEndpointCreated,
    responses=errors(SecretMissing),
)
async def rotate_webhook_secret(endpoint_id: str, deps: DepsDep, actor: ActorDep, command: MayRepeat) -> Response:
    """Create a new secret, and a new Ed25519 key if the endpoint has one.

    For 24 hours, webhooks are signed with the old and the new ones.
    """
    await _visible(deps, actor, endpoint_id, Permission.MANAGE_WEBHOOKS)
    async with command, deps.database.platform() as session:
        row, keys = await service.rotate(
            session, actor, endpoint_id, deps.webhook_sealer, command_id=command.command_id, now=datetime.now(UTC)
        )
        return command.answer(WebhookEndpointCreated.with_keys(row, keys), hide=frozenset({"secret"}))


@router.post(
    "/webhook-endpoints/{endpoint_id}/test",
    operation_id="webhook_endpoints.test",
    status_code=202,
    response_model=WebhookTested,
    responses=errors(*_SENT_BY_REQUEST),
)
async def try_webhook_endpoint(endpoint_id: str, deps: DepsDep, actor: ActorDep, command: MayRepeat) -> Response:
    """Send a test webhook to the endpoint, whichever types it receives."""
    seen = await _visible(deps, actor, endpoint_id, Permission.MANAGE_WEBHOOKS)
    async with command:
        async with deps.database.platform() as session:
            await service.send_test_event(
                session, actor, endpoint_id, command_id=command.command_id, now=datetime.now(UTC)
            )
        signal_run(deps, seen)
        return command.answer(WebhookTested(type=TEST))


@router.post(
    "/webhook-endpoints/{endpoint_id}/replay",
    operation_id="webhook_endpoints.replay",
    status_code=202,
    response_model=WebhookReplayed,
    responses=errors(*_SENT_BY_REQUEST, refusals.WebhookTooManyWaiting),
)
async def replay_webhooks(
    endpoint_id: str, body: WebhookReplay, deps: DepsDep, actor: ActorDep, command: MayRepeat
) -> Response:
    """Send the events of a period again, including events from before the endpoint was created.

    Each keeps its `webhook-id`, so a receiver that stores the ids recognises events that it already has.
    """
    seen = await _visible(deps, actor, endpoint_id, Permission.MANAGE_WEBHOOKS)
    types = None if body.types is None else checked_types(body.types, CATALOGUE)
    async with command:
        async with deps.database.platform() as session:
            count = await service.replay(
                session,
                actor,
                endpoint_id,
                since=body.from_,
                until=body.to,
                types=types,
                only_failed=body.only_failed,
                command_id=command.command_id,
                now=datetime.now(UTC),
            )
        signal_run(deps, seen)
        return command.answer(WebhookReplayed(deliveries=count))


_DELIVERIES = ListEndpoint(
    "webhook-deliveries",
    WebhookDeliveryView,
    *CREATED,
    order=["whd"],
    status=DeliveryStatus,
    type=Annotated[SearchText | None, Query(description="Only deliveries of events of this type.")],
    subject=Annotated[SearchText | None, Query(description="Only deliveries of events about this id.")],
)


@_DELIVERIES.get(
    router, "/webhook-endpoints/{endpoint_id}/deliveries", operation_id="webhook_endpoints.list_deliveries"
)
async def list_webhook_deliveries(endpoint_id: str, deps: DepsDep, actor: ActorDep, asked: ListRequest) -> Items:
    """List the past and pending deliveries to a webhook endpoint, newest first."""
    await _visible(deps, actor, endpoint_id, Permission.READ_WEBHOOKS)
    wanted = asked.wanted(None)
    async with deps.session_for(actor) as session:
        found = await deliveries.page(session, endpoint_id, wanted)
        return items_of(found, WebhookDeliveryView.of)


@router.post(
    "/webhook-deliveries/{delivery_id}/retry",
    operation_id="webhook_endpoints.retry_delivery",
    status_code=202,
    response_model=WebhookDeliveryView,
    responses=errors(*_SENT_BY_REQUEST, refusals.WebhookDelivered),
)
async def retry_webhook_delivery(delivery_id: str, deps: DepsDep, actor: ActorDep, command: MayRepeat) -> Response:
    """Try a delivery again now, with as many tries as a new one."""
    async with deps.session_for(actor) as session:
        row = await deliveries.get(session, delivery_id)
    if row is None:
        raise NotFound(deliveries.MISSING)
    delivery: WebhookDeliveryRow = row
    seen = await _visible(deps, actor, delivery.endpoint_id, Permission.MANAGE_WEBHOOKS)
    async with command:
        async with deps.database.platform() as session:
            after = await service.retry(session, actor, delivery, command_id=command.command_id, now=datetime.now(UTC))
        signal_run(deps, seen)
        return command.answer(WebhookDeliveryView.of(after))
