"""The issuer's question whether an authorization of a card is approved, which is answered at once.

Stripe waits two seconds, and then declines by itself. The answer is a decision of the database, so there is none
without it: after `BURSAR_ISSUING_TIMEOUT` the request is declined, and what is held later all the same is released.
"""

import asyncio
from datetime import UTC, datetime
from functools import partial

import structlog
from starlette.requests import Request
from starlette.responses import Response

from api.body import raw_body
from api.deps import Deps, DepsDep
from api.routing import Resource
from api.v1.webhooks.endpoints import BODY, ERRORS, WebhookReceipt, receive
from providers.cards.base import AuthorizationQuestion, CardIssuer, UnreadableQuestion
from providers.payments.base import BadSignature
from repositories.common.required import require_found
from services.cards import card_authorization

router = Resource(tags=["webhooks"])
log = structlog.get_logger("bursar.api")

#: What this process has declined because it was late, until that is released: a repeat must not find the late hold.
_LATE: set[tuple[str, int]] = set()


@router.post("/webhooks/stripe/issuing", response_model=WebhookReceipt, responses=ERRORS, openapi_extra=BODY)
@raw_body
async def receive_stripe_issuing_webhook(request: Request, deps: DepsDep) -> Response:
    """Answer Stripe's question whether an authorization of a card is approved, signed in `Stripe-Signature`.

    The answer to `issuing_authorization.request` is `{"approved": …}`, the same to a repeat. Other events are received
    as at `/webhooks/stripe`.
    """
    issuer = require_found(deps.providers.cards, "No cards are issued here.")
    body = await request.body()
    try:
        question = issuer.verify_question(body, request.headers)
    except UnreadableQuestion as error:
        log.warning("card.not_decided", work="a question that cannot be read", error=str(error)[:300])
        return _answered(issuer, approved=False)
    except BadSignature:
        # Another event, or none that is signed, which this refuses.
        return await receive(request, deps, "stripe")
    is_of_account = getattr(deps.providers.payments.get("stripe"), "livemode", None) in (None, question.livemode)
    is_approved = is_of_account and await _decided(deps, question)
    deps.metrics.count_webhook("stripe", "new")
    return _answered(issuer, approved=is_approved)


def _answered(issuer: CardIssuer, *, approved: bool) -> Response:
    answer = issuer.answer(approved=approved)
    return Response(answer.body, status_code=answer.status, headers=dict(answer.headers))


async def _decided(deps: Deps, question: AuthorizationQuestion) -> bool:
    """Return the decision; no if there is none in time, and then a late hold is released."""
    late = (question.authorization_ref, question.number)
    if late in _LATE:
        return False
    deciding = asyncio.create_task(_decide(deps, question))
    await asyncio.wait({deciding}, timeout=deps.settings.issuing_timeout.total_seconds())
    if deciding.done():
        error = deciding.exception()
        if error is None:
            return deciding.result()
        log.warning("card.not_decided", work=question.authorization_ref, error=f"{type(error).__name__}: {error}"[:300])
    _LATE.add(late)
    # Also after an error: whether a commit that was cut off has been made is not known.
    if not deps.background.begin(f"card/{question.authorization_ref}", partial(_void, deps, question, deciding)):
        _LATE.discard(late)
    return False


async def _decide(deps: Deps, question: AuthorizationQuestion) -> bool:
    async with deps.database.platform() as session:
        return await card_authorization.decide(session, question, deps.settings.issuing, now=datetime.now(UTC))


async def _void(deps: Deps, question: AuthorizationQuestion, deciding: "asyncio.Task[bool]") -> None:
    await asyncio.gather(deciding, return_exceptions=True)
    async with deps.database.platform() as session:
        await card_authorization.void(
            session, question.authorization_ref, question.number, question.card_ref, now=datetime.now(UTC)
        )
    _LATE.discard((question.authorization_ref, question.number))
