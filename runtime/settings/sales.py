"""Settings of what is sold and paid out: credits, slots, plans, agents and usage."""

from datetime import timedelta
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import NoDecode

from domain.billing.plan import DEFAULT_PLANS, FREE, MAX_LIMIT, PlanOverrides, Plans, plans_from, with_overrides
from domain.billing.project import SlotPrice, slot_price
from domain.common.credits import CreditPrice, credit_price
from domain.common.errors import Invalid
from domain.common.money import CREDIT, amounts_from, format_amount, parse_amount
from domain.credits.action_cost import ActionPrice, defaults
from domain.credits.lots import Sharing
from domain.marketplace.referral import Rewards
from domain.marketplace.revenue_share import ALL_BPS, CREATOR_BPS, share_bps
from domain.payments.cost_price import CHEAPEST, check_share, granted_value, lowest_price
from domain.payments.included import with_credits_priced
from domain.payments.topup import Package, parse_packages, with_prices
from domain.payouts.payable import HoldBack
from domain.usage.paid_call import paying_actions_from
from runtime.settings.part import AmountsSetting, SettingsPart


class SalesSettings(SettingsPart):
    usage_late: timedelta = Field(default=timedelta(days=35), ge=timedelta(hours=1), le=timedelta(days=400))
    litellm_url: str | None = Field(default=None, repr=False)
    litellm_api_key: SecretStr | None = None
    litellm_longest_call: timedelta = Field(default=timedelta(hours=1), ge=timedelta(hours=1), le=timedelta(days=7))
    litellm_actions: str = '{"llm_call": null}'
    litellm_charges: bool = True
    litellm_trusts_callers: bool = False

    credit_price: str = "0.10"
    credit_currency: str = "USD"
    granted_credit_value: str = CHEAPEST
    granted_model_costs: str = "5.00"
    cost_markup: str = "0.1"
    cost_hold_margin: str = "0.05"
    credit_packages: str = (
        '[{"name":"small","credits":"150","price":"14.90","currency":"USD"},'
        '{"name":"medium","credits":"500","price":"39.90","currency":"USD"},'
        '{"name":"large","credits":"2000","price":"149.90","currency":"USD"},'
        '{"name":"jumbo","credits":"5000","price":"349.90","currency":"USD"},'
        '{"name":"pack_50","credits":"50","price":"5.00","currency":"USD"},'
        '{"name":"pack_100","credits":"100","price":"10.00","currency":"USD"},'
        '{"name":"pack_500","credits":"500","price":"50.00","currency":"USD"}]'
    )
    credit_package_small: int | None = None
    credit_package_medium: int | None = None
    credit_package_large: int | None = None
    credits_per_api_call: str = "1"
    credits_per_workflow_execution: str = "10"
    signup_bonus_free: str = "100"
    signup_bonus_premium: str = "100"
    referral_bonus_referrer: str = "0"
    referral_bonus_referred: str = "0"
    refunded_credits_days: int = Field(default=7, ge=0, le=365)
    earned_credits_days: int = Field(default=30, ge=1, le=3650)
    pay_out_granted_credits: bool = False
    commission_bears_discounts: bool = False
    payout_hold_back: timedelta = Field(default=timedelta(days=14), ge=timedelta(0), le=timedelta(days=365))
    payout_hold_back_floor: timedelta = Field(default=timedelta(days=7), ge=timedelta(0), le=timedelta(days=365))
    payout_destination_hold: timedelta = Field(default=timedelta(hours=72), ge=timedelta(0), le=timedelta(days=365))
    reverse_payouts_for_refunds: bool = True
    payout_minimum: AmountsSetting = amounts_from("10.00")
    two_operators_above: Annotated[AmountsSetting | None, NoDecode] = None
    default_model_price: str | None = None
    slot_price: str = "10.00"
    slot_currency: str = "USD"
    additional_deploy_price: int | None = None
    plans: str = DEFAULT_PLANS
    stripe_premium_price_id: str | None = None
    premium_subscription_price: int | None = None
    free_max_projects: int | None = Field(default=None, ge=0, le=MAX_LIMIT)
    free_max_deploys: int | None = Field(default=None, ge=0, le=MAX_LIMIT)
    premium_max_projects: int | None = Field(default=None, ge=0, le=MAX_LIMIT)
    premium_max_deploys: int | None = Field(default=None, ge=0, le=MAX_LIMIT)
    limit_seats: bool = False
    creator_revenue_share: str | None = None
    platform_revenue_share: str | None = None
    report_late: timedelta = Field(default=timedelta(hours=3), ge=timedelta(0), le=timedelta(days=7))
    purchase_order_hold: timedelta = Field(default=timedelta(days=1), ge=timedelta(minutes=5), le=timedelta(days=30))
    purchase_refund_days: int = Field(default=14, ge=0, le=365)

    @property
    def paying_actions(self) -> dict[str, int | None]:
        """The actions whose spends pay for calls of the proxy, and what settles a call whole, in minor units."""
        return paying_actions_from(self.litellm_actions)

    @property
    def price_of_credits(self) -> CreditPrice:
        return credit_price(self.credit_price, self.credit_currency)

    @property
    def sharing(self) -> Sharing:
        """How prices in credits are shared between payees and the platform."""
        list_price = self.price_of_credits if self.commission_bears_discounts else None
        return Sharing(pays_out_granted=self.pay_out_granted_credits, list_price=list_price)

    @cached_property
    def lowest_price_of_credits(self) -> CreditPrice:
        """The lowest price at which a credit is sold, by itself, by a package or a plan."""
        lowest, _ = lowest_price(self.price_of_credits, self.packages, self.plan_book)
        return CreditPrice(price=lowest, currency=self.credit_currency)

    @property
    def value_of_granted(self) -> CreditPrice:
        """The value of a granted credit where it pays a cost in money."""
        lowest = self.lowest_price_of_credits.price
        return granted_value(self.granted_credit_value, self.price_of_credits, lowest)

    @property
    def granted_for_models(self) -> int:
        """How much of its model costs an organization pays with granted credits a month, in the price's minor units."""
        return parse_amount(self.granted_model_costs, self.credit_currency, zero=True)

    def check_granted_value(self) -> None:
        """Refuse a value of granted credits that is none; packages and plans are checked by themselves."""
        granted_value(self.granted_credit_value, CreditPrice(price=Decimal(1), currency="USD"), Decimal(1))

    def check_costs(self) -> None:
        """Refuse a markup, a margin or an amount of costs that is none."""
        check_share(self.cost_markup, "The markup on cost")
        check_share(self.cost_hold_margin, "The margin of holds for costs")
        self.granted_for_models  # noqa: B018

    @property
    def cost_markup_e6(self) -> int:
        """What is charged beyond the cost of calls of models, in 10^-6 of it."""
        return int(Decimal(self.cost_markup).scaleb(6))

    @property
    def referral_rewards(self) -> Rewards:
        return Rewards(
            referrer_minor=parse_amount(self.referral_bonus_referrer, CREDIT, zero=True),
            referred_minor=parse_amount(self.referral_bonus_referred, CREDIT, zero=True),
        )

    @property
    def hold_back(self) -> HoldBack:
        """How long earnings are held back before they can be paid out."""
        return HoldBack(
            usual=self.payout_hold_back,
            floor=self.payout_hold_back_floor,
            refunds=timedelta(days=self.purchase_refund_days),
            destination=self.payout_destination_hold,
            reverses_refunds=self.reverse_payouts_for_refunds,
        )

    @property
    def packages(self) -> tuple[Package, ...]:
        """The packages that credits are sold in, at their prices."""
        prices = {
            "pack_50": self.credit_package_small,
            "pack_100": self.credit_package_medium,
            "pack_500": self.credit_package_large,
        }
        return with_prices(parse_packages(self.credit_packages), prices)

    @cached_property
    def plan_book(self) -> Plans:
        """The plans that organizations can subscribe to, with the part of each price that is for included credits."""
        return with_credits_priced(self.listed_plans, self.price_of_credits, self.packages)

    @cached_property
    def listed_plans(self) -> Plans:
        """The plans as they are set; read once, a file is not looked at again."""
        text = self.plans.strip()
        if not text.startswith("["):
            try:
                text = Path(text).read_text(encoding="utf-8")
            except (OSError, ValueError):
                raise Invalid("It is neither a JSON list nor the path of a file with one.") from None
        overrides = PlanOverrides(
            premium_price_minor=self.premium_subscription_price,
            premium_price_id=self.stripe_premium_price_id,
            free_projects=self.free_max_projects,
            free_deployments=self.free_max_deploys,
            premium_projects=self.premium_max_projects,
            premium_deployments=self.premium_max_deploys,
        )
        return with_overrides(plans_from(text), overrides)

    @property
    def price_of_slots(self) -> SlotPrice:
        price = slot_price(self.slot_price, self.slot_currency)
        if self.additional_deploy_price is None:
            return price
        return slot_price(format_amount(self.additional_deploy_price, price.currency), price.currency)

    @property
    def creator_share_bps(self) -> int:
        """What a creator has of a sale on the marketplace, in basis points; the rest is the platform's."""
        creator, platform = (
            None if share is None else share_bps(share, name)
            for share, name in (
                (self.creator_revenue_share, "creator_revenue_share"),
                (self.platform_revenue_share, "platform_revenue_share"),
            )
        )
        if creator is not None and platform is not None and creator + platform != ALL_BPS:
            raise Invalid("The shares of creators and of the platform must add up to all of a sale.")
        if creator is None:
            creator = CREATOR_BPS if platform is None else ALL_BPS - platform
        return creator

    @property
    def default_costs(self) -> dict[str, ActionPrice]:
        """What actions cost unless an operator set another price."""
        return defaults(
            {"api_call": self.credits_per_api_call, "workflow_execution": self.credits_per_workflow_execution}
        )

    def signup_bonus_minor(self, tier: str) -> int:
        """Return how many credits a new organization is granted: one on the free plan, and one on any other."""
        bonus = self.signup_bonus_free if tier == FREE else self.signup_bonus_premium
        return parse_amount(bonus, CREDIT, zero=True)

    @field_validator(
        "credit_package_small",
        "credit_package_medium",
        "credit_package_large",
        "premium_subscription_price",
        "additional_deploy_price",
        mode="before",
    )
    @classmethod
    def _is_in_minor_units(cls, price: object) -> object:
        # Pydantic would take 5.00 for five cents.
        if isinstance(price, str) and not price.isdecimal():
            raise ValueError("It must be a whole number of the currency's minor unit: 500 for 5.00 USD.")
        return price
