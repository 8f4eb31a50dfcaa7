"""What happened in the month that advice is about, and the prices that stand. Pure; amounts are minor units."""

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
    """Credits that were bought for money in one currency, without what was refunded.

    `paid_minor` is in the terms of package prices: with tax only where they include it.
    """

    currency: str
    orders: int
    credits_minor: int
    paid_minor: int
    largest_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentSubscription:
    """The subscription that ran through the whole month at usual prices."""

    plan: str
    interval: Interval
    amount_minor: int
    currency: str
    quantity: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedCharges:
    """Charges that were refused on one day; repeats of the same charge count once.

    `control_id` is None for lack of credits; `is_budget` says that it is a budget's.
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
    """A listed offer of the same category and model, for the same currency."""

    agent_id: str
    name: str
    rank_e6: int
    price_minor: int | None = None
    usage_prices: Mapping[str, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentUse:
    """What an agent in the library cost in the month: by the meter, or the price of the month (`quantities` empty)."""

    agent_id: str
    name: str
    rank_e6: int
    currency: str
    paid_minor: int
    quantities: Mapping[str, int]
    alternatives: Sequence[AlternativeOffer]


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusedPurchase:
    """What was paid for the month, and why it counts as unused."""

    subject: str
    name: str
    amount_minor: int
    currency: str
    why: str
    act: AdviceAction
    page: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentAttempts:
    """Payments by one provider and method that succeeded or failed, and by currency what they were for."""

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
    """What was paid outside for one order or one of its terms, in minor units of `currency`, less what came back.

    Attributes:
        renewed: how many terms of the order were paid before.
        fee_minor: the part of what was paid that was a fee; None if it was not reported or something came back.
        method: the name of the declared method that paid; None if it is not known.
        unfit: the alternatives, as `normalize_name` writes them, that the agent said do not fit.
        policy_id: of the policy that holds for the agent now; None for the default.
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
        """What was paid for a month, rounded down."""
        return self.paid_minor if self.term is None else self.paid_minor // self.term.months


@dataclass(frozen=True, slots=True, kw_only=True)
class TermPrice:
    """What the organization paid last for a term of an item."""

    vendor: str
    item: str
    currency: str
    term: Term
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FreeOptionUse:
    """A free option of the catalogue, and how often it was used, by the beginning of the quota's window."""

    id: str
    option: FreeOption
    used: Mapping[datetime, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodUse:
    """A declared method of paying outside; see `models.budgets.purchase_method`."""

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
    """What an own agent asks for one use, or for a month, in a currency, and what it earned in the month."""

    agent_id: str
    name: str
    category: str
    is_monthly: bool
    currency: str
    price_minor: int
    earned_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedModels:
    """What the model `b` does instead of `a`, see `domain.returns.model_economics.Comparison`.

    Attributes:
        is_randomised: whether chance chose the model of each run; `is_worth_it` is the verdict.
        less_pico: so much less a run of `b` surely costs, in pico of `currency`; below zero if it may cost more.
        success_e6: how much more often it succeeds, in millionths, with the ends of the interval.
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
    """The confirmed revenue of an agent by one way of earning, in minor units, less what was taken back.

    Attributes:
        source: see `models.returns.revenue_event`.
        agent_id: None for what no agent earned.
        name: of the agent, or of the organization.
        pieces: how many revenue events it was.
    """

    source: str
    agent_id: str | None
    name: str
    currency: str
    amount_minor: int
    pieces: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthFacts:
    """What happened in the month, and the prices that stand now.

    Attributes:
        spending: by currency; credits without what was refunded, money as it was paid in or out.
        has_auto_topup: whether automatic top-up is enabled now.
        raises: when limits were raised, by control.
        captured: credits charged by day, action and agent; the agent is None where a person or a system spent.
    """

    spending: Mapping[str, int]
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
