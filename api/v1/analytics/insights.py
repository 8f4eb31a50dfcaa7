"""Advice about last month."""

from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import SpendingKeyDep, require
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import OrganizationId
from api.idempotency import MayRepeat, MovesMoney
from api.routing import Resource
from api.tenancy import known_organization
from api.v1.analytics.advice_schemas import InsightsView, InsightTakeView, InsightView
from api.v1.spends.own import confined_key, refuse_totals
from contracts.budgets.purchase_order import PurchaseOrderInput
from contracts.runs import purchase_order_run
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.errors import Forbidden, NotFound
from domain.insight.advice.proposal import OrderProposal
from domain.tenants.organization import STOPPED_ERRORS
from runtime import reach
from services.insight import advice, insight_take
from services.insight.advice import Advice, CurrentPrices

router = Resource(tags=["analytics"])

_POOL = refusals.BudgetPoolClosed
_RATE = refusals.RateUnavailable

ForOrganization = Annotated[OrganizationId | None, Query(description="For operators.")]


@router.get("/analytics/insights", responses=errors(NotFound))
async def list_insights(
    deps: DepsDep,
    organization_id: ForOrganization = None,
    *,
    key: SpendingKeyDep,
    actor: Actor = require(Permission.READ_BILLING),
) -> InsightsView:
    """List advice that would have saved money last month, with its calculation and the call that applies it.

    It is computed on request from the month's activity and current prices. Amounts below 1 % of what was spent or paid
    in in their currency, and advice dismissed within 90 days, are left out. A member's key that is attributed to a
    department or project is refused: these are the organization's figures.
    """
    refuse_totals(confined_key(actor, key))
    org_id = await known_organization(deps, actor, organization_id)
    return InsightsView.of(org_id, await _advice(deps, actor, org_id, datetime.now(UTC)))


@router.post("/analytics/insights/{insight_id}/dismiss", response_model=InsightView)
async def dismiss_insight(
    insight_id: str,
    deps: DepsDep,
    organization_id: ForOrganization = None,
    *,
    actor: Actor = require(Permission.ACKNOWLEDGE),
    command: MayRepeat,
) -> Response:
    """Dismiss advice for 90 days. Dismissing it again restarts the period."""
    org_id = await known_organization(deps, actor, organization_id)
    async with command:
        now = datetime.now(UTC)
        found = advice.find_advice(await _advice(deps, actor, org_id, now), insight_id)
        async with deps.session_for(actor) as session:
            await advice.dismiss(session, actor, org_id, found, now=now)
        return command.answer(InsightView.of(found, org_id))


@router.post(
    "/analytics/insights/{insight_id}/take",
    response_model=InsightView,
    responses=errors(
        Forbidden, refusals.InsightTakenElsewhere, refusals.InsightOrderRefused, _POOL, _RATE, *STOPPED_ERRORS
    ),
)
async def take_insight(
    insight_id: str,
    deps: DepsDep,
    once: MovesMoney,
    organization_id: ForOrganization = None,
    *,
    key: SpendingKeyDep,
    actor: Actor = require(Permission.ACKNOWLEDGE),
) -> Response:
    """Apply advice: propose the purchase order or the change of a payment policy that it describes.

    Nothing is bought or changed yet. Another person must approve the purchase order, and a person who sets payment
    policies the policy. Advice about a month is applied once; repeating it returns the proposal. Advice whose act is
    another call is refused with that call, and a purchase that the payment policy declines is refused.
    """
    refuse_totals(confined_key(actor, key))
    org_id = await known_organization(deps, actor, organization_id)
    async with once:
        now = datetime.now(UTC)
        about = await _advice(deps, actor, org_id, now)
        found = advice.find_advice(about, insight_id)
        async with deps.database.platform() as session:
            row = await insight_take.apply_advice(
                session,
                actor,
                org_id,
                found,
                about.month,
                command_id=once.command_id,
                rules=deps.settings.purchase_rules,
                now=now,
            )
            view = InsightView.of(found, org_id, row)
        if row.order_id is not None and deps.temporal is not None and isinstance(found.proposes, OrderProposal):
            run = purchase_order_run(PurchaseOrderInput(order_id=row.order_id), org_id, found.proposes.agent_id)
            deps.background.begin(run.workflow_id, partial(reach.start_missing, deps.temporal, run))
        return once.answer(view)


@router.post(
    "/analytics/insights/{insight_id}/approve",
    response_model=InsightTakeView,
    responses=errors(refusals.PaymentPolicyVersion),
)
async def approve_insight(
    insight_id: str,
    deps: DepsDep,
    once: MovesMoney,
    organization_id: ForOrganization = None,
    *,
    actor: Actor = require(Permission.MANAGE_SPENDING),
) -> Response:
    """Set the payment policy of this advice's latest proposal, if the policy has not changed since."""
    org_id = await known_organization(deps, actor, organization_id)
    async with once, deps.database.platform() as session:
        row = await insight_take.approve_proposed_policy(session, actor, org_id, insight_id, now=datetime.now(UTC))
        return once.answer(InsightTakeView.of(row))


async def _advice(deps: Deps, actor: Actor, org_id: str, now: datetime) -> Advice:
    settings = deps.settings
    prices = CurrentPrices(
        packages=settings.packages, includes_tax=settings.credit_prices_include_tax, plans=settings.plan_book
    )
    async with deps.asking(actor, org_id) as session:
        return await advice.advise(session, org_id, prices, now=now)
