"""Alerts: for operators, and what an organization should know of for its members."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import SpendingKeyDep, require
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import SearchText
from api.idempotency import MayRepeat
from api.lists import CREATED, Items, ListEndpoint, ListRequest, items_of
from api.routing import Resource
from api.tenancy import listed_organization
from api.v1.alerts.schemas import AlertSnooze, AlertView, mentioned
from api.v1.spends.own import spends_of_others
from domain.common.access import Actor, Permission
from domain.common.errors import AlertResolved, Invalid, NotFound, OperatorsCase
from domain.common.ids import escalation_workflow_id, is_id
from domain.messages.alert.kinds import ladder_of
from domain.messages.alert.life import AlertStatus, Severity, check_snooze
from models.messages.alert import Alert
from repositories.messages import alert as alerts
from repositories.tenants import name
from runtime import reach
from services.messages import alert, notification

router = Resource(tags=["alerts"])


_LIST = ListEndpoint(
    "alerts",
    AlertView,
    *(*CREATED, "organization_id", "q"),
    order=["alr"],
    status=AlertStatus,
    unacknowledged=Annotated[bool, Query(description="Exclude acknowledged alerts.")],
    kind=Annotated[SearchText | None, Query(description="Only alerts of this kind, such as `payment.debt`.")],
    subject=Annotated[SearchText | None, Query(description="Only alerts about this id.")],
    severity=Annotated[Severity | None, Query(description="Only alerts of this severity.")],
)


@_LIST.get(router, "/alerts", NotFound)
async def list_alerts(
    deps: DepsDep, asked: ListRequest, *, key: SpendingKeyDep, actor: Actor = require(Permission.READ_BILLING)
) -> Items:
    """List alerts, newest first. An organization sees its own alerts, an operator sees all of them.

    A member's key that is attributed to a department or project sees no alerts of others' spend controls; such a page
    may be short.
    """
    org_id = listed_organization(actor, asked.organization_id)
    wanted, open_only = asked.wanted(org_id, without=["unacknowledged"]), bool(asked.get("unacknowledged"))
    async with deps.session_for(actor) as session:
        found = await alerts.page(session, wanted, open_only=open_only, by_organization=not actor.is_platform)
        hidden = await spends_of_others(session, actor, key, {row.subject for row in found.rows})
        found = replace(found, rows=[row for row in found.rows if row.subject not in hidden])
        names = await _names(session, actor, found.rows)
        return items_of(found, lambda row: AlertView.of(row, actor, names))


@router.post("/alerts/{alert_id}/acknowledge", response_model=AlertView)
async def acknowledge_alert(
    alert_id: str, deps: DepsDep, *, actor: Actor = require(Permission.ACKNOWLEDGE), command: MayRepeat
) -> Response:
    """Acknowledge an alert. The first operator to do so is recorded, and the first of its organization.

    An organization acknowledges alerts for itself. If operators should handle the alert as well, it stays open for
    them.
    """

    def answered(_: Alert) -> bool:
        return actor.is_platform

    async with command:
        return command.answer(
            await _answer(deps, actor, alert_id, "alert.acknowledge", alert.acknowledge, silences=answered)
        )


@router.post("/alerts/{alert_id}/resolve", response_model=AlertView, responses=errors(OperatorsCase))
async def resolve_alert(
    alert_id: str, deps: DepsDep, *, actor: Actor = require(Permission.ACKNOWLEDGE), command: MayRepeat
) -> Response:
    """Resolve an alert. The first one to do so is recorded.

    It stays resolved: if the case occurs again, it is a new alert.

    An organization can resolve alerts that only it has to handle. Most alerts resolve automatically when their case is
    over.
    """

    def resolved(alert: Alert) -> bool:
        return actor.is_platform or not alert.for_operators

    async with command:
        return command.answer(await _answer(deps, actor, alert_id, "alert.resolve", alert.resolve, silences=resolved))


@router.post("/alerts/{alert_id}/snooze", response_model=AlertView, responses=errors(AlertResolved, Invalid))
async def snooze_alert(
    alert_id: str,
    body: AlertSnooze,
    deps: DepsDep,
    *,
    actor: Actor = require(Permission.ACKNOWLEDGE),
    command: MayRepeat,
) -> Response:
    """Snooze an alert: no notifications of it are sent before a given time.

    An organization snoozes it for its own members, an operator for all operators. Snoozing it again sets a new time.
    """
    async with command:
        check_snooze(body.until, datetime.now(UTC))
        change = partial(alert.snooze, until=body.until)
        return command.answer(await _answer(deps, actor, alert_id, "alert.snooze", change, silences=lambda _: True))


async def _answer(
    deps: Deps,
    actor: Actor,
    alert_id: str,
    action: str,
    change: Callable[[AsyncSession, Actor, str], Awaitable[tuple[Alert, bool]]],
    *,
    silences: Callable[[Alert], bool],
) -> AlertView:
    """Change an alert; `silences` tells whether who was not notified of it yet would not be, or only later."""
    await _notify_first(deps, actor, alert_id, silences)
    async with deps.session_for(actor) as session:
        row, changed = await change(session, actor, alert_id)
        answer = AlertView.of(row, actor, await _names(session, actor, [row]))
    if changed and deps.temporal is not None and (answer.rule_id is not None or ladder_of(answer.kind)):
        # A rule may have a ladder or none, and so a run or none. One that does not hear of it looks before it calls.
        run = escalation_workflow_id(alert_id)
        deps.background.begin(f"{run}/{action}", partial(reach.signal_running, deps.temporal, run, "news"))
    return answer


async def _names(session: AsyncSession, actor: Actor, rows: Iterable[Alert]) -> dict[str, str]:
    """Return the names of what alerts mention, as far as they are the reader's to see."""
    return await name.names_of(session, {id for row in rows for id in mentioned(row)}, actor.org_id)


async def _notify_first(deps: Deps, actor: Actor, alert_id: str, silences: Callable[[Alert], bool]) -> None:
    async with deps.session_for(actor) as session:
        seen = await alerts.find(session, alert_id) if is_id(alert_id, "alr") else None
    if seen is not None:
        async with deps.database.platform() as session:
            await alert.refuse_own_key(session, actor, seen)
    if seen is not None and silences(seen) and (actor.is_platform or seen.notified_at is None):
        async with deps.database.platform() as session:
            await notification.notify_first(session, alert_id, by_operator=actor.is_platform, now=datetime.now(UTC))
