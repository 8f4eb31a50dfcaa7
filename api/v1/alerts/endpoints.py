"""Alerts: for operators, and what an organization should know of for its members."""

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from api.auth import require
from api.deps import DepsDep
from api.errors import errors
from api.fields import OrganizationId, Page, SearchText
from api.idempotency import Command, idempotency
from api.pagination import CursorParam, LimitParam, id_cursor, id_page
from api.tenancy import listed_organization
from api.v1.alerts.schemas import AlertView
from domain.access import Actor, Permission
from domain.errors import NotFound
from repositories import alert as alerts
from repositories import audit

router = APIRouter(tags=["alerts"])


@router.get("/alerts", response_model=Page[AlertView], responses=errors(NotFound))
async def list_alerts(
    deps: DepsDep,
    unacknowledged: Annotated[bool, Query(description="Exclude acknowledged alerts.")] = False,
    organization_id: Annotated[
        OrganizationId | None, Query(description="Only alerts that concern this organization.")
    ] = None,
    kind: Annotated[SearchText | None, Query(description="Only this kind, such as `payment.debt`.")] = None,
    subject: Annotated[SearchText | None, Query(description="Only alerts about this id.")] = None,
    limit: LimitParam = 50,
    cursor: CursorParam = None,
    actor: Actor = require(Permission.READ),
) -> Page[AlertView]:
    """List alerts, newest first: an organization sees its own, an operator sees all of them."""
    org_id, before = listed_organization(actor, organization_id), id_cursor(cursor, "alr")
    async with deps.session_for(actor) as session:
        rows = await alerts.page(
            session,
            open_only=unacknowledged,
            by_organization=not actor.is_platform,
            org_id=org_id,
            kind=kind,
            subject=subject,
            before=before,
            limit=limit + 1,
        )
    return id_page(rows, limit, "alr", lambda row: AlertView.of(row, actor))


@router.post(
    "/alerts/{alert_id}/acknowledge",
    response_model=AlertView,
    responses=errors(NotFound),
)
async def acknowledge_alert(
    alert_id: str,
    deps: DepsDep,
    actor: Actor = require(Permission.ACKNOWLEDGE),
    command: Command = idempotency(required=False),
) -> Response:
    """Acknowledge an alert; the first one to do so stays recorded, of the operators and of its organization.

    An organization acknowledges its alerts for itself: those that operators should look at too stay open for them.
    """

    async def acknowledge() -> AlertView:
        async with deps.session_for(actor) as session:
            row, changed = await alerts.acknowledge(
                session, alert_id, actor.principal, for_organization=not actor.is_platform
            )
            if changed:
                await audit.record(session, actor, "alert.acknowledge", row.id, {"kind": row.kind}, row.org_id)
            return AlertView.of(row, actor)

    return await command.run(acknowledge)
