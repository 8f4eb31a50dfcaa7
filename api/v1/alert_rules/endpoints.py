"""Alert rules: written by organizations for what is theirs, and by operators for all of them."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from api.auth import ActorDep, permit, require
from api.csv_files import CSV, file_of_list, wants_csv
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import OrganizationId, Page
from api.idempotency import MayRepeat
from api.routing import Resource
from api.tenancy import listed_organization
from api.v1.alert_rules.schemas import AlertMetricsView, AlertRuleCreate, AlertRuleSet, AlertRuleView, MetricView
from domain.common.access import Actor, Permission
from domain.common.errors import (
    AlertRuleExists,
    AlertRuleLimitReached,
    AlertRuleNeverFires,
    AlertRuleUnknownMetric,
    NotFound,
)
from domain.messages.alert.metrics import watchable_metrics
from domain.messages.alert.rules import BuiltIn, built_in_rules
from models.messages.alert_rule import AlertRule
from repositories.messages import alert_rule as rules
from services.messages import alert_rule as service

router = Resource(tags=["alert_rules"])

_REFUSALS = (AlertRuleUnknownMetric, AlertRuleNeverFires)
ForOrganization = Annotated[
    OrganizationId | None,
    Query(description="For operators: the organization whose rules are meant; the platform's own when left out."),
]


@router.get("/alert-rules", response_model=Page[AlertRuleView], responses=errors(NotFound) | CSV)
async def list_alert_rules(
    deps: DepsDep,
    request: Request,
    organization_id: ForOrganization = None,
    actor: Actor = require(Permission.READ_BILLING),
) -> Page[AlertRuleView] | Response:
    """List the built-in rules, and then the other rules, newest first. All are on one page.

    With `Accept: text/csv` the response is a CSV file.
    """
    org_id = listed_organization(actor, organization_id)
    async with deps.session_for(actor) as session:
        rows = await rules.listed(session, org_id)
    changed = {row.name: row for row in rows if row.metric is None}
    built_in = built_in_rules(platform=org_id is None)
    own = [AlertRuleView.of(row) for row in rows if row.metric is not None]
    data = [AlertRuleView.of_built_in(rule, org_id, changed.get(rule.name)) for rule in built_in] + own
    return file_of_list(AlertRuleView, data, "alert-rules.csv") if wants_csv(request) else Page(data=data)


@router.get("/alert-rules/metrics", operation_id="alert_rules.list_metrics")
async def list_alert_metrics(actor: Actor = require(Permission.READ)) -> AlertMetricsView:
    """List the metrics that rules can watch, with their conditions and filters."""
    return AlertMetricsView(data=[MetricView.of(metric) for metric in watchable_metrics(platform=actor.is_platform)])


@router.post(
    "/alert-rules",
    status_code=201,
    response_model=AlertRuleView,
    responses=errors(NotFound, *_REFUSALS, AlertRuleExists, AlertRuleLimitReached),
)
async def create_alert_rule(
    body: AlertRuleCreate, deps: DepsDep, *, actor: Actor = require(Permission.MANAGE_ALERT_RULES), command: MayRepeat
) -> Response:
    """Create a rule. Its metric is checked from now on, once a minute, or less often for long windows."""
    org_id = listed_organization(actor, body.organization_id)
    async with command, deps.database.platform() as session:
        row = await service.create(
            session, actor, org_id, body.name, body.to_request(), command_id=command.command_id, now=datetime.now(UTC)
        )
        return command.answer(AlertRuleView.of(row))


@router.get("/alert-rules/{rule_id}")
async def get_alert_rule(
    rule_id: str, deps: DepsDep, actor: ActorDep, organization_id: ForOrganization = None
) -> AlertRuleView:
    """Read a rule by its id, or a built-in rule by its name."""
    org_id, rule = _built_in(actor, rule_id, organization_id)
    async with deps.session_for(actor) as session:
        if rule is not None:
            permit(actor, Permission.READ_BILLING)
            return AlertRuleView.of_built_in(rule, org_id, await rules.named(session, org_id, rule.name))
        row = await _own(session, rule_id)
        permit(actor, Permission.INSPECT if actor.is_platform else Permission.READ_BILLING)
        return AlertRuleView.of(row)


@router.put("/alert-rules/{rule_id}", response_model=AlertRuleView, responses=errors(*_REFUSALS))
async def set_alert_rule(
    rule_id: str,
    body: AlertRuleSet,
    deps: DepsDep,
    actor: ActorDep,
    *,
    organization_id: ForOrganization = None,
    command: MayRepeat,
) -> Response:
    """Replace a rule. For a built-in rule: its severity, channels, escalation, and whether it is enabled.

    A rule that is replaced starts again: an alert that it has raised is resolved.
    """
    org_id, rule = await _resolve_rule(deps, actor, rule_id, organization_id)
    async with command, deps.database.platform() as session:
        now, wanted = datetime.now(UTC), body.to_request()
        if rule is None:
            return command.answer(AlertRuleView.of(await service.change(session, actor, rule_id, wanted, now=now)))
        row = await service.change_built_in(
            session, actor, org_id, rule, wanted, command_id=command.command_id, now=now
        )
        return command.answer(AlertRuleView.of_built_in(rule, org_id, row))


@router.delete("/alert-rules/{rule_id}", status_code=204)
async def delete_alert_rule(
    rule_id: str, deps: DepsDep, actor: ActorDep, organization_id: ForOrganization = None
) -> Response:
    """Delete a rule. An alert that it has raised is resolved. A built-in rule is reset to its original state."""
    org_id, rule = await _resolve_rule(deps, actor, rule_id, organization_id)
    async with deps.database.platform() as session:
        if rule is None:
            await service.delete(session, actor, rule_id)
        else:
            await service.reset(session, actor, org_id, rule)
    return Response(status_code=204)


async def _resolve_rule(
    deps: Deps, actor: Actor, rule_id: str, organization_id: str | None
) -> tuple[str | None, BuiltIn | None]:
    """Return whose rule it is and which built-in one: 404 before 403."""
    org_id, rule = _built_in(actor, rule_id, organization_id)
    if rule is None:
        async with deps.session_for(actor) as session:
            await _own(session, rule_id)
    permit(actor, Permission.MANAGE_ALERT_RULES)
    return org_id, rule


def _built_in(actor: Actor, rule_id: str, organization_id: str | None) -> tuple[str | None, BuiltIn | None]:
    org_id = listed_organization(actor, organization_id)
    return org_id, service.built_in(rule_id, platform=org_id is None)


async def _own(session: AsyncSession, rule_id: str) -> AlertRule:
    """Return a custom rule; changes of a built-in rule are found only by its name."""
    row = await rules.get(session, rule_id)
    if row.metric is None:
        raise NotFound(rules.MISSING)
    return row
