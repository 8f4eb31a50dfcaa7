"""What plans and entitlements look like over HTTP."""

from typing import Literal

from pydantic import Field

from api.fields import Exact, ResponseModel
from api.v1.payments.schemas import Coin, MoneyView, ProviderName, money
from api.v1.topups.schemas import PackageView
from domain.billing.entitlement import FEATURES, Entitlement, EntitlementUse
from domain.billing.plan import Interval, Plan, PlanPrice
from domain.common.money import CREDIT, format_amount

_ANY_NUMBER = "null for any number."


class PlanPriceView(ResponseModel):
    """What a plan costs for one interval in one currency."""

    interval: Interval
    price: MoneyView
    credits_price: MoneyView | None = Field(
        description="The part of it that is for the included credits, and the most that can be paid out for them; null "
        "without any. The rest is for the plan itself."
    )

    @classmethod
    def of(cls, plan: Plan, price: PlanPrice) -> "PlanPriceView":
        part = plan.for_credits_minor(price)
        return cls(
            interval=price.interval,
            price=money(price.amount_minor, price.currency),
            credits_price=money(part, price.currency) if part else None,
        )


class TierLimitsView(ResponseModel):
    """What a plan includes."""

    projects: int | None = Field(description=_ANY_NUMBER)
    deploys: int | None = Field(description=_ANY_NUMBER)
    seats: int | None = Field(description=_ANY_NUMBER)
    api_access: bool = Field(description="Whether the organization may use the platform's own API.")
    custom_integrations: bool

    @classmethod
    def of(cls, plan: Plan) -> "TierLimitsView":
        return cls.from_row(plan, deploys=plan.deployments)


class PlanView(ResponseModel):
    """A plan."""

    id: str = Field(description="The name to subscribe with. It is also the tier of organizations on the plan.")
    name: str
    prices: list[PlanPriceView] = Field(description="Empty for the free plan.")
    credits_per_month: Exact = Field(description="The credits granted every month.")
    limits: TierLimitsView
    trial_days: int
    per_seat: bool = Field(description="Whether prices and credits are per seat; `seats` is then the maximum.")

    @classmethod
    def of(cls, plan: Plan) -> "PlanView":
        return cls(
            id=plan.name,
            name=plan.title,
            prices=[PlanPriceView.of(plan, price) for price in plan.prices],
            credits_per_month=format_amount(plan.credits_minor, CREDIT),
            limits=TierLimitsView.of(plan),
            trial_days=plan.trial_days,
            per_seat=plan.is_per_seat,
        )


class PlanList(ResponseModel):
    """All plans for sale, from the smallest to the largest."""

    data: list[PlanView]
    next_cursor: None = None


class EntitlementView(ResponseModel):
    """An organization's limit and use of one entitlement."""

    entitlement: Entitlement
    included: bool = Field(description="Whether there is room for one more, or the feature is included.")
    limit: int | None = Field(description="Null for any number, and for a feature.")
    used: int | None = Field(description="Null for a feature.")

    @classmethod
    def of(cls, standing: EntitlementUse) -> "EntitlementView":
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
    """A passed check. A failed check is refused with an error."""

    organization_id: str
    plan: str
    allowed: Literal[True] = True


class ProviderView(ResponseModel):
    """A provider that is set up here, and the currencies or coins it takes."""

    name: ProviderName
    currencies: list[str]


class RevenueSharesView(ResponseModel):
    """How the price of an agent on the marketplace is shared, as decimal strings between 0 and 1."""

    creator: Exact
    platform: Exact


class ConfigView(ResponseModel):
    """The settings for a front end. Nothing in it is secret."""

    providers: list[ProviderView]
    stripe_publishable_key: str | None
    credit_price: MoneyView = Field(description="The price of one credit.")
    crypto_assets: list[Coin]
    quote_valid_seconds: int
    plans: list[PlanView] = Field(description="The plans for sale.")
    packages: list[PackageView]
    slot_price: MoneyView = Field(description="The price of one slot for a deployment.")
    tier_limits: dict[str, TierLimitsView] = Field(
        description="What each plan includes, even one that is not for sale."
    )
    revenue_shares: RevenueSharesView
