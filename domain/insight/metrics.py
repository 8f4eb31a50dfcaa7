"""Registry of metrics: name, description and formula of each. Pure.

A formula adds, multiplies and divides measures, which are stored sums or sums of rows. A measure is `source.name`; its
reader is in `repositories/insight`. Measures are added up over intervals and groups before the formula is applied, so a
ratio is never a mean of ratios.
"""

import ast
import difflib
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cache

from domain.common.errors import UnknownMetric
from domain.common.money import CREDIT, format_amount, scale_of
from domain.insight.query import Value
from domain.insight.spent import SPENT, SpentPart


class MetricUnit(StrEnum):
    """The unit of a metric."""

    #: Minor units of each asset.
    AMOUNT = "amount"
    COUNT = "count"
    #: A ratio, such as a share.
    RATIO = "ratio"
    SECONDS = "seconds"
    #: Of 0 to 10.
    SCORE = "score"


class MeasureKind(StrEnum):
    """Aggregation of a measure over intervals."""

    #: Values add up.
    FLOW = "flow"
    #: The value at the end of an interval: the last one counts.
    STOCK = "stock"
    #: A count of distinct things, counted again for a total.
    DISTINCT = "distinct"


class MeasureSource(StrEnum):
    """Source of a measure."""

    SPENDS = "spends"
    SPENT = "spent"
    USAGE = "usage"
    EVENTS = "events"
    LINES = "lines"
    REVENUE = "revenue"
    EARNINGS = "earnings"
    CREDITS = "credits"
    WALLETS = "wallets"
    ACTIVITY = "activity"
    REPUTATION = "reputation"
    RETURNS = "returns"
    #: The number of elapsed days of an interval.
    CLOCK = "clock"


#: Read from sums by UTC day, so no other days are available.
_BY_UTC_DAY = frozenset(
    {
        MeasureSource.LINES,
        MeasureSource.REVENUE,
        MeasureSource.EARNINGS,
        MeasureSource.CREDITS,
        MeasureSource.ACTIVITY,
        MeasureSource.REPUTATION,
        MeasureSource.RETURNS,
    }
)
_STOCKS = frozenset(
    {
        "lines.held",
        "lines.credits",
        "lines.escrow",
        "wallets.balance",
        "events.mrr",
        "reputation.agents",
        "reputation.score",
    }
    | {"activity.founded"}
)


#: Measures of credits; amounts of other measures are received money, with credits apart.
_OF_CREDITS = frozenset({"spent.credits", "credits.used", "credits.expired", "lines.credits", "lines.credit_days"})
_IN_CREDITS = _OF_CREDITS | {"clock.days"}
#: Measures without dimensions, although others of their source have some.
_WHOLE = frozenset({"activity.organizations", "activity.people", "activity.agents"})
#: The sources whose measures have no dimensions.
_PLAIN = frozenset({MeasureSource.LINES, MeasureSource.CREDITS, MeasureSource.WALLETS, MeasureSource.CLOCK})


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """A sum of a source. There is one object of each, which `of` returns."""

    source: MeasureSource
    name: str

    @classmethod
    def of(cls, written: str) -> "Measure":
        """Parse `source.name`; names may contain dots."""
        return _measure(written)

    @property
    def sum(self) -> MeasureKind:
        if f"{self.source}.{self.name}" in _STOCKS:
            return MeasureKind.STOCK
        return MeasureKind.DISTINCT if self.source is MeasureSource.ACTIVITY else MeasureKind.FLOW

    def shown_in(self, asset: str, currency: str) -> str | None:
        """Return the asset of amounts for a requested currency; None if they are left out.

        Credits and money are not converted into each other, except in a balance, which has no lots left, and in
        spending and returns, where money is converted to the credits that it buys at the list price.
        """
        buys_credits = self.source in {MeasureSource.RETURNS, MeasureSource.SPENT} and asset != CREDIT
        if CREDIT not in {asset, currency} or buys_credits or self.source is MeasureSource.WALLETS:
            return currency
        return asset if asset == currency or f"{self.source}.{self.name}" in _OF_CREDITS else None

    @property
    def is_whole(self) -> bool:
        """Whether it has no dimensions, so that all of it counts in each group."""
        return self.source in _PLAIN or f"{self.source}.{self.name}" in _WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A metric.

    Attributes:
        name: its name everywhere.
        sentence: its description.
        unit: of the figure.
        formula: over measures, in the notation of Python.
        dimensions: for grouping and filtering.
        one_dimension: whether only one dimension at a time is allowed.
        for_organizations: whether organizations can query their own.
        for_platform: whether operators can query all organizations together.
    """

    name: str
    sentence: str
    unit: MetricUnit
    formula: str
    dimensions: tuple[str, ...] = ()
    one_dimension: bool = False
    for_organizations: bool = True
    for_platform: bool = True

    @property
    def measures(self) -> frozenset[Measure]:
        return _measures(self.formula)

    @property
    def needs_currency(self) -> bool:
        """Whether it compares amounts of different assets, which must be converted."""
        sources = {measure.source for measure in self.measures}
        return {MeasureSource.SPENDS, MeasureSource.USAGE} <= sources or (
            MeasureSource.RETURNS in sources and len(self.measures) > 1
        )

    @property
    def asset(self) -> str | None:
        """The asset of its unconverted amounts; None for several."""
        measures = {f"{measure.source}.{measure.name}" for measure in self.measures}
        return CREDIT if measures <= _IN_CREDITS and self.unit is MetricUnit.AMOUNT else None

    @property
    def asset_of_none(self) -> str | None:
        """The asset of its figure without any amounts; spending has one for every organization."""
        spends = any(measure.source is MeasureSource.SPENT for measure in self.measures)
        return CREDIT if spends and self.unit is MetricUnit.AMOUNT else self.asset

    @property
    def is_by_utc_day(self) -> bool:
        """Whether it is only available by UTC day or multiples."""
        return any(measure.source in _BY_UTC_DAY for measure in self.measures)

    @property
    def adds_up(self) -> bool:
        """Whether the values of groups and intervals add up to the total."""
        return all(measure.sum is MeasureKind.FLOW for measure in self.measures) and "/" not in self.formula

    def value(self, sums: Mapping[Measure, int | Fraction]) -> Value:
        """Apply the formula; a missing measure is zero. None for a division by zero."""
        try:
            return _compiled(self.formula)(sums)
        except ZeroDivisionError:
            return None


_OPERATORS: Mapping[type[ast.operator], Callable[[int | Fraction, int | Fraction], int | Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: Fraction,
}


@cache
def _measure(written: str) -> Measure:
    source, _, name = written.partition(".")
    return Measure(MeasureSource(source), name)


@cache
def _measures(formula: str) -> frozenset[Measure]:
    return frozenset(_found(ast.parse(formula, mode="eval").body))


def _found(node: ast.expr) -> Iterator[Measure]:
    if isinstance(node, ast.BinOp):
        yield from _found(node.left)
        yield from _found(node.right)
    elif isinstance(node, ast.Attribute):
        yield _measure(ast.unparse(node))


@cache
def _compiled(formula: str) -> Callable[[Mapping[Measure, int | Fraction]], int | Fraction]:
    return _function(ast.parse(formula, mode="eval").body)


def _function(node: ast.expr) -> Callable[[Mapping[Measure, int | Fraction]], int | Fraction]:
    match node:
        case ast.Constant(value=int(number)):
            return lambda _: number
        case ast.Attribute():
            measure = _measure(ast.unparse(node))
            return lambda sums: sums.get(measure, 0)
        case ast.BinOp(left=left, op=op, right=right):
            one, other, apply = _function(left), _function(right), _OPERATORS[type(op)]
            return lambda sums: apply(one(sums), other(sums))
    raise ValueError(f"a formula cannot have {ast.dump(node)}")


_PARTS = ("action", "agent", "department", "project", "model")
_RETURNS = ("agent", "project")
_PAYMENTS = ("provider", "method", "organization")
_FAILURES = (*_PAYMENTS, "reason")
_ESCROWS = ("agent", "role", "organization")
_A, _C, _R = MetricUnit.AMOUNT, MetricUnit.COUNT, MetricUnit.RATIO


def _own(name: str, unit: MetricUnit, formula: str, sentence: str, *dimensions: str, one: bool = False) -> Metric:
    return Metric(
        name=name,
        sentence=sentence,
        unit=unit,
        formula=formula,
        dimensions=dimensions,
        one_dimension=one,
        for_platform=False,
    )


def _both(name: str, unit: MetricUnit, formula: str, sentence: str, *dimensions: str) -> Metric:
    return Metric(name=name, sentence=sentence, unit=unit, formula=formula, dimensions=dimensions)


def _of_all(name: str, unit: MetricUnit, formula: str, sentence: str, *dimensions: str) -> Metric:
    return Metric(
        name=name, sentence=sentence, unit=unit, formula=formula, dimensions=dimensions, for_organizations=False
    )


_SPENT = {
    SpentPart.USES: "Spent on metered usage and actions: captured spends and paid invoices, less refunds.",
    SpentPart.JOBS: "Spent on jobs: payments out of escrows, including the commission.",
    SpentPart.AGENTS: "Spent on agents bought in the marketplace, less refunds.",
    SpentPart.PURCHASES: "Spent outside: paid purchase orders and card payments, less refunds.",
    SpentPart.SUBSCRIPTIONS: "Spent on plans, without their credits, and slots, less refunds.",
}
_METRICS = (
    # Spending and usage.
    _own(
        "spending",
        _A,
        SPENT,
        "Spent: uses, jobs, agents bought, purchases outside and subscriptions, less refunds.",
        *_PARTS,
    ),
    *(_own(f"spending.{part}", _A, f"spent.{part}", sentence, *_PARTS) for part, sentence in _SPENT.items()),
    _own("spends", _C, "spends.count", "Uses of credits.", *_PARTS),
    _own("usage.events", _C, "usage.events", "Usage events recorded.", *_PARTS, one=True),
    _own("usage.input_tokens", _C, "usage.input_tokens", "Input tokens of calls of models.", *_PARTS, one=True),
    _own("usage.output_tokens", _C, "usage.output_tokens", "Output tokens of calls of models.", *_PARTS, one=True),
    _own("usage.cached_tokens", _C, "usage.cached_tokens", "Input tokens read from a cache.", *_PARTS, one=True),
    _own("usage.reasoning_tokens", _C, "usage.reasoning_tokens", "Reasoning tokens of calls.", *_PARTS, one=True),
    _own("usage.cost", _A, "usage.cost", "What the recorded usage cost by the price book.", *_PARTS, one=True),
    _own(
        "usage.margin",
        _R,
        "(spends.paid - usage.cost) / spends.paid",
        "The margin of the purchase price of used credits over the cost of the recorded usage. Needs `currency`.",
        *_PARTS,
        one=True,
    ),
    _own("balance", _A, "wallets.balance", "The balance of the organization's wallets at the end of the interval."),
    _own("burn_rate", _A, "spent.credits / clock.days", "Credits spent per day."),
    _own(
        "days_left",
        _R,
        "wallets.balance * clock.days / spent.credits",
        "Days until the balance runs out at the interval's burn rate.",
    ),
    _own(
        "returns.revenue",
        _A,
        "returns.revenue",
        "Confirmed [revenue](returns.md#revenue) of agents, less reversals until now.",
        *_RETURNS,
    ),
    _own(
        "returns.cost",
        _A,
        "returns.cost",
        "[Cost](returns.md#roi) of agents, including commission.",
        *_RETURNS,
    ),
    _own("returns.margin", _A, "returns.revenue - returns.cost", "Revenue less cost. Needs `currency`.", *_RETURNS),
    _own(
        "returns.roi",
        _R,
        "(returns.revenue - returns.cost) / returns.cost",
        "The margin per unit of cost. Needs `currency`.",
        *_RETURNS,
    ),
    _both(
        "credits.used",
        _A,
        "credits.used",
        "Credits captured by spends less credits refunded, by the day of each; only a part of what is spent.",
    ),
    _both("credits.expired", _A, "credits.expired", "Credits that expired."),
    # Payments.
    _both("payments.started", _C, "events.payments.started", "Payments begun.", *_PAYMENTS),
    _both("payments.succeeded", _C, "events.payments.succeeded", "Payments that succeeded.", *_PAYMENTS),
    _both("payments.failed", _C, "events.payments.failed", "Payments that failed.", *_FAILURES),
    _both("payments.received", _A, "events.payments.received", "Amount of successful payments.", *_PAYMENTS),
    _both("payments.declined", _A, "events.payments.declined", "Amount of failed payments.", *_FAILURES),
    _both("payments.refunded", _A, "events.payments.refunded", "Refunds that were made.", "organization"),
    _both(
        "payments.success_rate",
        _R,
        "events.payments.succeeded / (events.payments.succeeded + events.payments.failed)",
        "The share of successful payments among those that succeeded or failed.",
        *_PAYMENTS,
    ),
    _both(
        "payments.success_rate_by_amount",
        _R,
        "events.payments.received / (events.payments.received + events.payments.declined)",
        "The same by amount.",
        *_PAYMENTS,
    ),
    # Creators.
    _both(
        "earnings",
        _A,
        "earnings.earned",
        "Earnings of agents: credits, and the money paid for them.",
        *("agent", "organization"),
    ),
    _both("payouts.paid", _A, "events.payouts.paid", "Payouts that were sent.", "organization"),
    # Escrows.
    _both("escrows.opened", _C, "events.escrows.opened", "Escrows opened.", *_ESCROWS),
    _both("escrows.released", _C, "events.escrows.released", "Escrows that ended with a release.", *_ESCROWS),
    _both("escrows.refunded", _C, "events.escrows.refunded", "Escrows that ended with a refund.", *_ESCROWS),
    _both("escrows.disputed", _C, "events.escrows.disputed", "Escrows disputed for the first time.", *_ESCROWS),
    _both(
        "escrows.cycle_time",
        MetricUnit.SECONDS,
        "events.escrows.seconds / events.escrows.ended",
        "The mean time from funding to the end, of the escrows that ended.",
        *_ESCROWS,
    ),
    _both(
        "escrows.dispute_rate",
        _R,
        "events.escrows.disputed / events.escrows.funded",
        "Disputed escrows per funded escrow.",
        *_ESCROWS,
    ),
    _both(
        "escrows.refund_rate",
        _R,
        "events.escrows.refunded / events.escrows.ended",
        "The share of escrows that ended with a refund.",
        *_ESCROWS,
    ),
    _both(
        "escrows.silence_rate",
        _R,
        "events.escrows.silent / events.escrows.ended",
        "The share of escrows that ended because the review period passed without an answer.",
        *_ESCROWS,
    ),
    # Reputation.
    _both(
        "reputation.score",
        MetricUnit.SCORE,
        "reputation.score / reputation.agents / 1000000",
        "The score of agents, 0 to 10, in the last night of the interval.",
        *("agent", "dimension", "decile"),
    ),
    _both(
        "reputation.agents",
        _C,
        "reputation.agents",
        "Agents with a score, in the last night of the interval.",
        *("dimension", "decile"),
    ),
    # Subscriptions.
    _both(
        "mrr",
        _A,
        "events.mrr",
        "Monthly recurring revenue at the end of the interval: subscription prices less tax and lasting discounts.",
        *("plan", "organization"),
    ),
    _both("mrr.new", _A, "events.mrr.new", "Recurring revenue of new subscriptions.", "plan", "organization"),
    _both(
        "mrr.expansion",
        _A,
        "events.mrr.expansion",
        "Increases of subscriptions, including discounts that ended.",
        "plan",
        "organization",
    ),
    _both(
        "mrr.contraction",
        _A,
        "events.mrr.contraction",
        "Decreases of subscriptions, including new lasting discounts.",
        "plan",
        "organization",
    ),
    _both("mrr.churn", _A, "events.mrr.churn", "Recurring revenue of ended subscriptions.", "plan", "organization"),
    # The platform.
    _of_all("revenue", _A, "revenue.revenue", "Revenue recognised in money, net of refunds.", "organization", "stream"),
    _of_all("revenue.net", _A, "revenue.net", "Revenue less fees and other expenses.", "organization", "stream"),
    _of_all(
        "commission", _A, "lines.commission", "The platform's commission: credits, and the money recognised for them."
    ),
    _of_all("volume", _A, "earnings.earned + lines.commission", "Payments to agents, including the commission."),
    _of_all(
        "take_rate",
        _R,
        "lines.commission / (earnings.earned + lines.commission)",
        "The commission as a share of the volume.",
    ),
    _of_all(
        "money.held",
        _A,
        "lines.held",
        "Liabilities to customers and creators at the end of the interval: credits, and money including their price.",
    ),
    _of_all(
        "escrows.held",
        _A,
        "lines.escrow",
        "Amounts in escrow at the end of the interval: credits, and money including their price.",
    ),
    _of_all(
        "credits.outstanding", _A, "lines.credits", "Credits of customers and creators at the end of the interval."
    ),
    _of_all(
        "credits.velocity",
        _R,
        "credits.used * lines.days / lines.credit_days",
        "Credits used per average outstanding credit.",
    ),
    # Engagement.
    _of_all("active.organizations", _C, "activity.organizations", "Active organizations."),
    _both("active.people", _C, "activity.people", "People with changes in the audit log."),
    _both("active.agents", _C, "activity.agents", "Agents that used credits."),
    _of_all(
        "adoption",
        _R,
        "activity.adopters / activity.organizations",
        "The share of active organizations that used a feature, by the first word of its events.",
        "feature",
    ),
    _of_all(
        "retention",
        _R,
        "activity.retained / activity.founded",
        "The share of a month's new organizations that were active.",
        "cohort",
    ),
)
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _METRICS}


def available_metrics(*, platform: bool) -> dict[str, Metric]:
    """Return the metrics that operators, or organizations, can query."""
    return {
        name: metric
        for name, metric in METRICS.items()
        if (metric.for_platform if platform else metric.for_organizations)
    }


def metric_of(name: str, *, platform: bool, field: str = "metrics") -> Metric:
    """Return a metric.

    Raises:
        Unknown: there is none of that name for the caller.
    """
    known = available_metrics(platform=platform)
    if name not in known:
        raise UnknownMetric(
            f"There is no metric {name[:60]!r} here. {_nearest(name, tuple(known))}", extra={"field": field}
        )
    return known[name]


def check_dimension(metric: Metric, name: str, *, field: str = "by") -> None:
    """Refuse a dimension that a metric does not have.

    Raises:
        Unknown: it has not.
    """
    if name not in metric.dimensions:
        known = ", ".join(metric.dimensions) or "nothing"
        raise UnknownMetric(
            f"The metric {metric.name} cannot be grouped or filtered by {name[:60]!r}. It can be by: {known}.",
            extra={"field": field},
        )


def _nearest(name: str, known: Sequence[str]) -> str:
    near = (
        difflib.get_close_matches(name, known, n=3, cutoff=0.4)
        or [one for one in known if name and name.split(".")[0] in one][:3]
    )
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return "GET /analytics/metrics lists them."


#: Decimals of ratios, means and scores.
_PLACES = 6


def format_value(metric: str, asset: str | None, value: Value) -> str | None:
    """Format a value: amounts in whole units, others with at most six decimals."""
    if value is None:
        return None
    if METRICS[metric].unit is MetricUnit.AMOUNT and asset is not None:
        if isinstance(value, int) or value.denominator == 1:
            return format_amount(int(value), asset)
        return decimal_text(Fraction(value) / 10 ** scale_of(asset), scale_of(asset) + _PLACES)
    return str(int(value)) if value == int(value) else decimal_text(Fraction(value), _PLACES)


def decimal_text(value: Fraction, places: int) -> str:
    """Format a fraction as a decimal string with at most `places` decimals, without trailing zeros."""
    scaled = round(abs(value) * 10**places)
    whole, rest = divmod(scaled, 10**places)
    digits = f"{whole}.{rest:0{places}d}".rstrip("0").rstrip(".")
    return f"-{digits}" if value < 0 and scaled else digits
