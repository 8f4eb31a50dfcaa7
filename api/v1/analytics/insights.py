"""Advice about last month."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import SpendingKeyDep, require
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import OrganizationId
from api.idempotency import Command, idempotency
from api.routing import Resource
from api.tenancy import known_organization
from api.v1.analytics.advice_schemas import InsightsView, InsightView
from api.v1.spends.own import confined, refuse_totals
from domain.common.access import Actor, Permission
from domain.common.errors import NotFound
from services.insight import advice
from services.insight.advice import Advice, Prices

router = Resource(tags=["analytics"])

ForOrganization = Annotated[OrganizationId | None, Query(description="For operators.")]


@router.get("/analytics/insights", response_model=InsightsView, responses=errors(NotFound))
async def list_insights(
    deps: DepsDep,
    organization_id: ForOrganization = None,
    *,
    key: SpendingKeyDep,
    actor: Actor = require(Permission.READ_BILLING),
) -> InsightsView:
    """List what would have saved money last month, with the arithmetic and the call that takes it.

    Computed when asked for, from what happened and the prices that stand. Left out are amounts below 1 % of the month's
    spending in their currency, and advice that was dismissed within 90 days. A key of a member that is attributed to a
    department or project is refused: these are the organization's figures.
    """
    refuse_totals(confined(actor, key))
    org_id = await known_organization(deps, actor, organization_id)
    return InsightsView.of(org_id, await _advice(deps, org_id, datetime.now(UTC)))


@router.post("/analytics/insights/{insight_id}/dismiss", response_model=InsightView, responses=errors(NotFound))
async def dismiss_insight(
    insight_id: str,
    deps: DepsDep,
    organization_id: ForOrganization = None,
    *,
    actor: Actor = require(Permission.ACKNOWLEDGE),
    command: Command = idempotency(required=False),
) -> Response:
    """Dismiss advice: it stays away for 90 days. Dismissing it again begins them anew."""
    org_id = await known_organization(deps, actor, organization_id)

    async def act() -> InsightView:
        now = datetime.now(UTC)
        found = advice.named(await _advice(deps, org_id, now), insight_id)
        async with deps.session_for(actor) as session:
            await advice.dismiss(session, actor, org_id, found, now=now)
        return InsightView.of(found, org_id)

    return await command.run(act)


async def _advice(deps: Deps, org_id: str, now: datetime) -> Advice:
    settings = deps.settings
    prices = Prices(
        packages=settings.packages, includes_tax=settings.credit_prices_include_tax, plans=settings.plan_book
    )
    async with deps.database.at_one_moment(org_id) as session:
        return await advice.advise(session, org_id, prices, now=now)
