"""Plans, and the check of what they entitle an organization to. Platforms ask it for what Bursar does not see."""

from typing import Annotated

from fastapi import Query

from api.auth import ActorDep, permit, require
from api.deps import DepsDep
from api.errors import errors
from api.fields import OrganizationId
from api.routing import Resource
from api.tenancy import known_organization
from api.v1.payments.schemas import Coin, MoneyView, ProviderName, money
from api.v1.plans.schemas import (
    ConfigView,
    EntitlementCheck,
    EntitlementList,
    EntitlementView,
    PlanList,
    PlanView,
    ProviderView,
    RevenueSharesView,
    TierLimitsView,
)
from api.v1.topups.schemas import package_view
from domain.billing.entitlement import MAX_QUANTITY, Entitlement
from domain.common.access import Actor, Permission
from domain.common.errors import EntitlementMissing, LimitReached, NotFound
from domain.common.money import format_ratio
from domain.marketplace.revenue_share import ALL_BPS
from providers.payments.limits import currencies
from repositories.tenants import organization as organizations
from services.billing import entitlement as entitlements

router = Resource(tags=["plans"])

ForOperators = Annotated[OrganizationId | None, Query(description="For operators.")]


@router.get("/billing/plans")
async def list_plans(deps: DepsDep, _actor: Actor = require(Permission.READ)) -> PlanList:
    """List the plans for sale, from the smallest to the largest."""
    return PlanList(data=[PlanView.of(plan) for plan in deps.settings.plan_book.all if plan.is_sold])


@router.get("/billing/config", tags=["billing"])
async def get_billing_config(deps: DepsDep) -> ConfigView:
    """Return the public settings for a front end: plans, packages, limits and shares. No API key is needed."""
    settings, providers = deps.settings, deps.providers
    plans, credit, slot = settings.plan_book, settings.payment_rules.credit, settings.price_of_slots
    assets = [coin for coin in Coin if coin.value in providers.assets]
    taken = {name: currencies(name) for name in providers.payments} | {"crypto": frozenset(assets)}
    creator = settings.creator_share_bps
    return ConfigView(
        providers=[
            ProviderView(name=name, currencies=sorted(taken[name.value]))
            for name in ProviderName
            if name.value in providers.payments
        ],
        stripe_publishable_key=settings.stripe_publishable_key if "stripe" in providers.payments else None,
        credit_price=MoneyView(amount=f"{credit.price:f}", currency=credit.currency),
        crypto_assets=assets,
        quote_valid_seconds=int(settings.quote_validity.total_seconds()),
        plans=[PlanView.of(plan) for plan in plans.all if plan.is_sold],
        packages=[package_view(package) for package in settings.packages],
        slot_price=money(slot.price_minor, slot.currency),
        tier_limits={plan.name: TierLimitsView.of(plan) for plan in plans.all},
        revenue_shares=RevenueSharesView(creator=format_ratio(creator), platform=format_ratio(ALL_BPS - creator)),
    )


@router.get("/billing/entitlements", responses=errors(NotFound), tags=["entitlements"])
async def list_entitlements(
    deps: DepsDep, organization_id: ForOperators = None, actor: Actor = require(Permission.READ)
) -> EntitlementList:
    """List the organization's entitlements, and how much of each it uses."""
    org_id, plans = await known_organization(deps, actor, organization_id), deps.settings.plan_book
    async with deps.session_for(actor) as session:
        organization = await organizations.get(session, org_id)
        standings = [await entitlements.read_use(session, organization, plans, each) for each in Entitlement]
    return EntitlementList(
        organization_id=org_id, plan=organization.tier, data=[EntitlementView.of(standing) for standing in standings]
    )


@router.get(
    "/billing/entitlements/{entitlement}/check",
    tags=["entitlements"],
    responses=errors(LimitReached, EntitlementMissing),
)
async def check_entitlement(
    entitlement: Entitlement,
    deps: DepsDep,
    actor: ActorDep,
    quantity: Annotated[int, Query(ge=1, le=MAX_QUANTITY, description="How many more.")] = 1,
    organization_id: ForOperators = None,
) -> EntitlementCheck:
    """Check whether the organization may have a number more of something, or may use a feature.

    If it may not, the response is the API's own refusal, with the limit and the ways to raise it. The check reserves
    nothing: the limit is checked again when the object is created.
    """
    permit(actor, Permission.READ)
    org_id, plans = await known_organization(deps, actor, organization_id), deps.settings.plan_book
    async with deps.session_for(actor) as session:
        organization = await organizations.get(session, org_id)
        standing = await entitlements.check(session, organization, plans, entitlement, quantity)
    shown = EntitlementView.of(standing)
    return EntitlementCheck(organization_id=org_id, plan=organization.tier, **shown.model_dump())
