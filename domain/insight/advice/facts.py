"""Facts that advice is computed from: the activity of a month, and current prices. Pure; amounts are minor units."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from fractions import Fraction

from domain.billing.plan import Interval, Plans
from domain.budgets.free_text import normalize_name
from domain.budgets.policy import MEASURED_AFTER, FreeOption, MethodKind, Policy, fee_for
from domain.budgets.purchase_order import Term
from domain.insight.advice.insight import AdviceAction
from domain.payments.topup import Package


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditPurchases:
    """Credits bought for money in one currency, less refunds.

    `paid_minor` includes tax only if package prices do.
    """

    currency: str
    orders: int
    credits_minor: int
    paid_minor: int
    largest_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentSubscription:
    """The subscription that ran all month at list prices."""

    plan: str
    interval: Interval
    amount_minor: int
    currency: str
    quantity: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedCharges:
    """Charges refused on one day; repeats of the same charge count once.

    `control_id` is None for lack of credits; `is_budget` if the control is a budget.
    """

    control_id: str | None
    is_budget: bool = False
    agent_id: str | None
    action: str
    day: date
    latest: datetime
    number: int
    amount_minor: int
    largest_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeOffer:
    """A listed offer of the same category, pricing model and currency."""

    agent_id: str
    name: str
    rank_e6: int
    price_minor: int | None = None
    usage_prices: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentUse:
    """Cost of an agent of the library in the month: by meter, or the monthly price (`quantities` empty)."""

    agent_id: str
    name: str
    rank_e6: int
    currency: str
    paid_minor: int
    quantities: Mapping[str, int]
    alternatives: Sequence[AlternativeOffer]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusedPurchase:
    """A purchase that was paid for the month, and why it counts as unused."""

    subject: str
    name: str
    amount_minor: int
    currency: str
    why: str
    act: AdviceAction
    page: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAttempts:
    """Payments by one provider and method: counts of successes and failures, and amounts by currency."""

    provider: str
    method: str | None
    succeeded: int
    failed: int
    received_minor: Mapping[str, int]
    declined_minor: Mapping[str, int]

    @property
    def name(self) -> str:
        return self.provider if self.method is None else f"{self.provider} {self.method}"

    @property
    def failing(self) -> Fraction:
        return Fraction(self.failed, self.succeeded + self.failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalPurchase:
    """External payment for an order, or for one of its terms, in minor units of `currency`, less refunds.

    Attributes:
        renewed: the number of earlier paid terms.
        fee_minor: the fee in the payment; None if it was not reported, or something was refunded.
        method: the name of the declared method; None if it is not known.
        unfit: normalised names of alternatives that the agent rejected.
        policy_id: of the agent's present policy; None for the default.
    """

    order_id: str
    agent_id: str
    agent_name: str
    item: str
    vendor: str
    category: str
    currency: str
    term: Term | None
    renewed: int
    at: datetime
    paid_minor: int
    fee_minor: int | None = None
    method: str | None = None
    unfit: frozenset[str] = frozenset()
    policy_id: str | None = None
    policy: Policy = field(default_factory=Policy)

    @property
    def purchase_key(self) -> tuple[str, str, str, str]:
        return self.agent_id, normalize_name(self.vendor), normalize_name(self.item), self.currency

    @property
    def month_minor(self) -> int:
        """The payment for one month of the term, rounded down."""
        return self.paid_minor if self.term is None else self.paid_minor // self.term.months


@dataclass(frozen=True, slots=True, kw_only=True)
class TermPrice:
    """The organization's latest price for a term of an item."""

    vendor: str
    item: str
    currency: str
    term: Term
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeOptionUse:
    """A free option of the catalogue, with its uses by start of the quota's window."""

    id: str
    option: FreeOption
    used: Mapping[datetime, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodUse:
    """A declared purchase method; see `models.budgets.purchase_method`."""

    name: str
    label: str
    kind: MethodKind
    fee_share_e4: int | None
    fee_fixed_minor: int | None
    fee_currency: str | None
    attempts: int
    succeeded: int

    def fee(self, amount_minor: int, currency: str) -> int | None:
        """Return the fee for an amount; None if it is not known in the currency."""
        fixed, share = self.fee_fixed_minor, self.fee_share_e4
        if (fixed is None and share is None) or (fixed and self.fee_currency != currency):
            return None
        return fee_for(amount_minor, share_e4=share or 0, fixed_minor=fixed or 0)

    @property
    def succeeding(self) -> Fraction:
        """Share of attempts that succeeded; one until enough have ended, see `domain.budgets.policy.rank_methods`."""
        return Fraction(self.succeeded, self.attempts) if self.attempts >= MEASURED_AFTER else Fraction(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOffer:
    """The price of an own agent for a use or a month, and what it earned in the month."""

    agent_id: str
    name: str
    category: str
    is_monthly: bool
    currency: str
    price_minor: int
    earned_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedModels:
    """Comparison of the model `b` with `a`, see `domain.returns.model_economics.Comparison`.

    Attributes:
        is_randomised: whether the model of each run was drawn at random; `is_worth_it` is the verdict.
        less_pico: the lower bound of the saving per run of `b`, in pico of `currency`; below zero if it may cost more.
        success_e6: the difference in the success rate, in millionths, with the ends of the interval.
    """

    a: str
    b: str
    currency: str
    runs_a: int
    runs_b: int
    strata: int
    is_randomised: bool
    is_worth_it: bool
    less_pico: int
    success_e6: tuple[int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRevenue:
    """Confirmed revenue of an agent from one source, in minor units, less reversals.

    Attributes:
        source: see `models.returns.revenue_event`.
        agent_id: None for revenue without an agent.
        name: of the agent, or of the organization.
        pieces: the number of revenue events.
    """

    source: str
    agent_id: str | None
    name: str
    currency: str
    amount_minor: int
    pieces: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthFacts:
    """Activity of the month, and current prices.

    Attributes:
        spending: what was spent, by currency; see `domain.insight.spent`.
        paid_in: money paid in, less refunds, by currency.
        has_auto_topup: whether automatic top-up is enabled now.
        raises: when limits were raised, by control.
        captured: credits charged by day, action and agent; the agent is None for people and systems.
    """

    spending: Mapping[str, int]
    paid_in: Mapping[str, int] = field(default_factory=dict)
    packages: Sequence[Package] = ()
    bought: Sequence[CreditPurchases] = ()
    plans: Plans | None = None
    subscribed: CurrentSubscription | None = None
    has_auto_topup: bool = True
    refused: Sequence[RefusedCharges] = ()
    agents: Sequence[AgentUse] = ()
    unused: Sequence[UnusedPurchase] = ()
    tried: Sequence[PaymentAttempts] = ()
    purchases: Sequence[ExternalPurchase] = ()
    terms: Sequence[TermPrice] = ()
    free: Sequence[FreeOptionUse] = ()
    methods: Sequence[MethodUse] = ()
    offered: Sequence[AgentOffer] = ()
    compared: Sequence[ComparedModels] = ()
    earned: Sequence[AgentRevenue] = ()
    raises: Mapping[str, Sequence[datetime]] = field(default_factory=dict)
    captured: Mapping[tuple[date, str, str | None], int] = field(default_factory=dict)

    @property
    def moved(self) -> Mapping[str, int]:
        """The amount spent or paid in, whichever is more, by currency."""
        names = {*self.spending, *self.paid_in}
        return {asset: max(self.spending.get(asset, 0), self.paid_in.get(asset, 0)) for asset in names}
