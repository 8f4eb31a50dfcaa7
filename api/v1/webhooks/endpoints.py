"""The inbox: a webhook is verified, stored once and answered; the payment it names is signalled after the answer.

No API key is asked for and no limit of requests counts, because the signature says who it is and a provider comes in
bursts. A process that dies after the answer leaves an event that the inbox sweep finds.
"""

from functools import partial

from pydantic import Field
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response

from api.body import raw_body
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import ResponseModel
from api.routing import Resource
from api.v1.webhooks.forwarding import forward, start_run
from contracts.payments.payment import ProviderEventInput
from domain.common.errors import BadSignature, NotFound, ProviderNotAvailable
from domain.payments.payment.event_types import HANDLED_BY_RUN, Handling, handling_of
from domain.payments.payment.snapshot import ProviderEvent
from providers.payments import base
from repositories.messages import alert
from repositories.payments import provider_event
from services.common.provider_errors import provider_errors

router = Resource(tags=["webhooks"])

ERRORS = errors(NotFound, BadSignature, ProviderNotAvailable)
BODY = {
    "requestBody": {
        "description": "The event as the provider signed it.",
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}, "example": {"id": "evt_…", "type": "…"}}},
    }
}
_ANSWERS = {True: b'{"received":true,"duplicate":false}', False: b'{"received":true,"duplicate":true}'}


class WebhookReceipt(ResponseModel):
    """The event is stored."""

    received: bool
    duplicate: bool = Field(description="Whether the event was already stored.")


@router.post(
    "/billing/stripe/webhook", response_model=WebhookReceipt, responses=ERRORS, openapi_extra=BODY, deprecated=True
)
@router.post(
    "/billing/webhooks/stripe", response_model=WebhookReceipt, responses=ERRORS, openapi_extra=BODY, deprecated=True
)
@router.post("/webhooks/stripe", response_model=WebhookReceipt, responses=ERRORS, openapi_extra=BODY)
@raw_body
async def receive_stripe_webhook(request: Request, deps: DepsDep) -> Response:
    """Receive an event from Stripe, signed in `Stripe-Signature`."""
    return await receive(request, deps, "stripe")


@router.post("/webhooks/paypal", response_model=WebhookReceipt, responses=ERRORS, openapi_extra=BODY)
@raw_body
async def receive_paypal_webhook(request: Request, deps: DepsDep) -> Response:
    """Receive an event from PayPal, signed in its `Paypal-…` headers."""
    return await receive(request, deps, "paypal")


async def receive(request: Request, deps: Deps, name: str) -> Response:
    """Store an event of a provider once, and begin what it is for after the answer."""
    event, of_this_account = await _verified(request, deps, name)
    handling = handling_of(name, event.type) if of_this_account else Handling.IGNORED
    for_a_run = handling in HANDLED_BY_RUN
    if not of_this_account:
        await _alert(deps, name, event)
    status = "received" if for_a_run else handling.value
    is_new = await deps.platform_pool.read(
        lambda pool: provider_event.store(pool, name, event, status, handled=not for_a_run)
    )
    deps.metrics.count_webhook(name, "new" if is_new else "duplicate")
    begin = BackgroundTask(_begin, deps, name, event, handling) if is_new and for_a_run else None
    return Response(_ANSWERS[is_new], media_type="application/json", background=begin)


async def _verified(request: Request, deps: Deps, name: str) -> tuple[ProviderEvent, bool]:
    """Return the event, and whether it is of the kind of money, real or for tests, that this account moves."""
    provider = deps.providers.payments.get(name)
    if provider is None:
        raise NotFound("This provider is not configured here.")
    body = await request.body()
    try:
        with provider_errors():
            event = await provider.verify_webhook(body, request.headers)
    except base.BadSignature as error:
        deps.metrics.count_webhook(name, "refused")
        raise BadSignature(error.detail) from error
    return event, getattr(provider, "livemode", None) in (None, event.livemode)


async def _alert(deps: Deps, name: str, event: ProviderEvent) -> None:
    mode = "live" if event.livemode else "test"
    async with deps.database.platform() as session:
        await alert.raise_alert(
            session,
            kind="webhook.wrong_mode",
            subject=name,
            detail=f"{name} sends events of its {mode} mode, but this system's key is for the other mode. They are "
            f"stored and ignored; {event.event_id} was the first. Check the webhook endpoints at the provider.",
        )


async def _begin(deps: Deps, name: str, event: ProviderEvent, handling: Handling) -> None:
    client = deps.temporal
    if client is not None:
        # Thousands may wait, so the payload does not.
        message = ProviderEventInput(provider=name, event_id=event.event_id)
        begin = partial(forward, deps.platform_pool) if handling is Handling.PAYMENT else start_run
        deps.background.begin(f"event/{name}/{event.event_id}", partial(begin, client, message, summary=event.type))
