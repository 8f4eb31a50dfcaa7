"""What plans and entitlements look like over HTTP."""

from typing import Literal

from pydantic import Field

from api.fields import Exact, ResponseModel
from api.v1.payments.schemas import Coin, MoneyView, ProviderName, money
from api.v1.topups.schemas import PackageView
from domain.entitlement import FEATURES, Entitlement, Standing
from domain.money import CREDIT, format_amount
from domain.plan import Interval, Plan, PlanPrice

_ANY_NUMBER = "null for any number."


class PlanPriceView(ResponseModel):
    """What a plan costs for one interval in one currency."""

    interval: Interval
    price: MoneyView

    @classmethod
    def of(cls, price: PlanPrice) -> "PlanPriceView":
        """Show a price without its id at the provider."""
        return cls(interval=price.interval, price=money(price.amount_minor, price.currency))


class TierLimitsView(ResponseModel):
    """What a plan includes."""

    projects: int | None = Field(description=_ANY_NUMBER)
    deploys: int | None = Field(description=_ANY_NUMBER)
    seats: int | None = Field(description=_ANY_NUMBER)
    api_access: bool = Field(description="Whether the platform's own API may be used.")
    custom_integrations: bool

    @classmethod
    def of(cls, plan: Plan) -> "TierLimitsView":
        """Show what a plan includes."""
        return cls(
            projects=plan.projects,
            deploys=plan.deployments,
            seats=plan.seats,
            api_access=plan.api_access,
            custom_integrations=plan.custom_integrations,
        )


class PlanView(ResponseModel):
    """A plan."""

    id: str = Field(description="What it is subscribed to by, and the tier of organizations that are on it.")
    name: str
    prices: list[PlanPriceView] = Field(description="Empty for the free plan.")
    credits_per_month: Exact = Field(description="The credits that it grants every month.")
    limits: TierLimitsView
    trial_days: int
    per_seat: bool = Field(description="Whether prices and credits are those of one seat; `seats` is then the most.")

    @classmethod
    def of(cls, plan: Plan) -> "PlanView":
        """Show a plan."""
        return cls(
            id=plan.name,
            name=plan.title,
            prices=[PlanPriceView.of(price) for price in plan.prices],
            credits_per_month=format_amount(plan.credits_minor, CREDIT),
            limits=TierLimitsView.of(plan),
            trial_days=plan.trial_days,
            per_seat=plan.is_per_seat,
        )


class PlanList(ResponseModel):
    """All plans that are sold, from the smallest to the largest."""

    data: list[PlanView]
    next_cursor: None = None


class EntitlementView(ResponseModel):
    """How an organization stands with one entitlement."""

    entitlement: Entitlement
    included: bool = Field(description="Whether there is room for one more, or the feature is there.")
    limit: int | None = Field(description="null for any number, and for a feature that is there or not.")
    used: int | None = Field(description="null for a feature.")

    @classmethod
    def of(cls, standing: Standing) -> "EntitlementView":
        """Show it; a feature has no numbers."""
        counted = standing.entitlement not in FEATURES
        return cls(
            entitlement=standing.entitlement,
            included=standing.has_room(1),
            limit=standing.limit if counted else None,
            used=standing.used if counted else None,
        )


class EntitlementList(ResponseModel):
    """What an organization is entitled to."""

    organization_id: str
    plan: str
    data: list[EntitlementView]
    next_cursor: None = None


class EntitlementCheck(EntitlementView):
    """The answer to a check that was passed; what is missing is refused."""

    organization_id: str
    plan: str
    allowed: Literal[True] = True


class ProviderView(ResponseModel):
    """A provider that is set up here, and what payments by it can be in."""

    name: ProviderName
    currencies: list[str]


class RevenueSharesView(ResponseModel):
    """How what is paid for an agent on the marketplace is shared, as decimal strings between 0 and 1."""

    creator: Exact
    platform: Exact


class ConfigView(ResponseModel):
    """What a front end has to know. Nothing in it is secret."""

    providers: list[ProviderView]
    stripe_publishable_key: str | None
    credit_price: MoneyView = Field(description="What one credit costs.")
    crypto_assets: list[Coin]
    quote_valid_seconds: int
    plans: list[PlanView] = Field(description="Those that are sold.")
    packages: list[PackageView]
    slot_price: MoneyView = Field(description="What one slot for a deployment costs.")
    tier_limits: dict[str, TierLimitsView] = Field(description="What each plan includes, also one that is not sold.")
    revenue_shares: RevenueSharesView
