"""Addresses to which no mail is sent, for operators, and the reports of bounced mails."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from api.auth import require
from api.body import raw_body
from api.deps import DepsDep
from api.errors import errors
from api.fields import ResponseModel, SearchText
from api.idempotency import MayRepeat
from api.lists import CREATED, Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.v1.mail_suppressions.schemas import MailSuppressionView
from domain.common.access import Actor, Permission
from domain.common.errors import BadSignature, NotFound
from domain.common.mail import MAX_ADDRESS
from repositories.messages import mail_suppression as suppressions
from services.messages import mail_suppression

router = Resource(tags=["mail_suppressions"])

_REPORT = {
    "requestBody": {
        "description": "The mail as it arrived at the bounce address.",
        "required": True,
        "content": {
            "application/octet-stream": {
                "schema": {"type": "string", "format": "binary"},
                "example": "From: MAILER-DAEMON@…\r\n…",
            }
        },
    }
}


class BounceReceipt(ResponseModel):
    """The report was read."""

    received: bool


@router.post(
    "/webhooks/mail-bounces", tags=["webhooks"], responses=errors(NotFound, BadSignature), openapi_extra=_REPORT
)
@raw_body
async def receive_mail_bounce(
    request: Request,
    deps: DepsDep,
    recipient: Annotated[
        str | None,
        Query(max_length=MAX_ADDRESS, description="The bounce address; read from the mail's headers when left out."),
    ] = None,
) -> BounceReceipt:
    """Receive a bounced mail from the mail server. The bounce address is signed.

    If the report says that an address no longer exists, no more mail is sent to it. Other reports change nothing.
    """
    if deps.bounces is None:
        raise NotFound("No address for bounced mails is configured here.")
    gone = deps.bounces.read(await request.body(), recipient, datetime.now(UTC).date())
    if gone is not None:
        address, status, sent_on = gone
        async with deps.database.platform() as session:
            await mail_suppression.suppress(session, address, status, sent_on=sent_on)
    return BounceReceipt(received=True)


_LIST = ListEndpoint(
    "mail-suppressions",
    MailSuppressionView,
    *(*CREATED, "q"),
    order=["sup"],
    address=Annotated[SearchText | None, Query(description="Only this address.")],
    lifted=Annotated[bool, Query(description="Include lifted suppressions.")],
)


@_LIST.get(router, "/mail-suppressions")
async def list_mail_suppressions(
    deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.INSPECT)
) -> Items:
    """List the addresses to which no mail is sent, newest first."""
    wanted = asked.wanted(None, without=["lifted"])
    return await asked.rows(
        deps.session_for(actor),
        partial(suppressions.page, lifted=bool(asked.get("lifted"))),
        wanted,
        MailSuppressionView.of,
    )


@router.post("/mail-suppressions/{suppression_id}/lift", response_model=MailSuppressionView)
async def lift_mail_suppression(
    suppression_id: str, deps: DepsDep, *, actor: Actor = require(Permission.OPERATE), command: MayRepeat
) -> Response:
    """Lift a suppression: mail is sent to the address again. The first one to lift it is recorded.

    Reports of older mails no longer count.
    """
    async with command, deps.session_for(actor) as session:
        row = await mail_suppression.lift(session, actor, suppression_id, datetime.now(UTC))
        return command.answer(MailSuppressionView.of(row))
