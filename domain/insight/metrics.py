"""The registry of metrics: what each is called, counts and is made of. Pure.

A formula adds, multiplies and divides measures, which are sums that are kept or read from rows. A measure is
`source.name`; the readers are in `repositories/insight`. Sums are added up over intervals and groups before a formula
is applied to them, so a ratio is never a mean of ratios.
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


class MetricUnit(StrEnum):
    """The unit of a metric."""

    #: Minor units of each asset.
    AMOUNT = "amount"
    COUNT = "count"
    #: A share or a quotient.
    RATIO = "ratio"
    SECONDS = "seconds"
    #: Of 0 to 10.
    SCORE = "score"


class MeasureKind(StrEnum):
    """How a measure comes together over intervals."""

    #: It adds up.
    FLOW = "flow"
    #: It is what stands when an interval ends: the last one counts.
    STOCK = "stock"
    #: It counts different ones, and is counted anew for a total.
    DISTINCT = "distinct"


class MeasureSource(StrEnum):
    """What a measure is read from."""

    SPENDS = "spends"
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
    #: How many days of an interval are over.
    CLOCK = "clock"


#: Read from sums of days in UTC, so that no other days can be had of them.
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


#: Measures of credits; of all others an amount in money is what came in, and one in credits stands apart.
_OF_CREDITS = frozenset({"spends.used", "credits.used", "credits.expired", "lines.credits", "lines.credit_days"})
_IN_CREDITS = _OF_CREDITS | {"clock.days"}
#: Measures that have no dimensions, though others of their source have.
_WHOLE = frozenset({"activity.organizations", "activity.people", "activity.agents"})
#: The sources whose measures have no dimensions.
_PLAIN = frozenset({MeasureSource.LINES, MeasureSource.CREDITS, MeasureSource.WALLETS, MeasureSource.CLOCK})


@dataclass(frozen=True, slots=True, eq=False)
class Measure:
    """A sum: where it is read, and its name there. There is one object of each, which `of` returns."""

    source: MeasureSource
    name: str

    @classmethod
    def of(cls, written: str) -> "Measure":
        """Read `source.name`; names may have points."""
        return _measure(written)

    @property
    def sum(self) -> MeasureKind:
        if f"{self.source}.{self.name}" in _STOCKS:
            return MeasureKind.STOCK
        return MeasureKind.DISTINCT if self.source is MeasureSource.ACTIVITY else MeasureKind.FLOW

    def shown_in(self, asset: str, currency: str) -> str | None:
        """Return the asset in which amounts are shown where a currency is asked for; None if they are left out.

        Credits never become money, nor money credits, but in a balance, of which no lot is left; and in returns money
        is the credits that it buys by the piece.
        """
        of_returns = self.source is MeasureSource.RETURNS and asset != CREDIT
        if CREDIT not in {asset, currency} or of_returns or self.source is MeasureSource.WALLETS:
            return currency
        return asset if asset == currency or f"{self.source}.{self.name}" in _OF_CREDITS else None

    @property
    def is_whole(self) -> bool:
        """Whether it has no dimensions: in each group all of it counts."""
        return self.source in _PLAIN or f"{self.source}.{self.name}" in _WHOLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One figure.

    Attributes:
        name: its name everywhere.
        sentence: its description.
        unit: of the figure.
        formula: over measures, in the notation of Python.
        dimensions: by which it can be grouped and filtered.
        one_dimension: whether only by one of them at a time.
        for_organizations: whether an organization can ask for its own.
        for_platform: whether operators can ask for all organizations together.
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
        """Whether it compares amounts that are in different assets unless they are converted."""
        sources = {measure.source for measure in self.measures}
        return {MeasureSource.SPENDS, MeasureSource.USAGE} <= sources or (
            MeasureSource.RETURNS in sources and len(self.measures) > 1
        )

    @property
    def asset(self) -> str | None:
        """The asset of its amounts, as far as they are not converted; None for amounts of several."""
        measures = {f"{measure.source}.{measure.name}" for measure in self.measures}
        return CREDIT if measures <= _IN_CREDITS and self.unit is MetricUnit.AMOUNT else None

    @property
    def is_by_utc_day(self) -> bool:
        """Whether only days in UTC, and what is made of them, can be had."""
        return any(measure.source in _BY_UTC_DAY for measure in self.measures)

    @property
    def adds_up(self) -> bool:
        """Whether the values of groups and intervals add up to the total."""
        return all(measure.sum is MeasureKind.FLOW for measure in self.measures) and "/" not in self.formula

    def value(self, sums: Mapping[Measure, int | Fraction]) -> Value:
        """Apply the formula; a measure without a sum is zero. None where it divides by zero."""
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


_METRICS = (
    # Spending and usage.
    _own("spending", _A, "spends.used", "Credits used and not refunded, by the time of the use.", *_PARTS),
    _own("spends", _C, "spends.count", "Uses of credits.", *_PARTS),
    _own("usage.events", _C, "usage.events", "Usage events recorded.", *_PARTS, one=True),
    _own("usage.input_tokens", _C, "usage.input_tokens", "Input tokens of calls of models.", *_PARTS, one=True),
    _own("usage.output_tokens", _C, "usage.output_tokens", "Output tokens of calls of models.", *_PARTS, one=True),
    _own("usage.cached_tokens", _C, "usage.cached_tokens", "Input tokens read from a cache.", *_PARTS, one=True),
    _own("usage.reasoning_tokens", _C, "usage.reasoning_tokens", "Reasoning tokens of calls.", *_PARTS, one=True),
    _own("usage.cost", _A, "usage.cost", "Cost of the recorded usage by the price list.", *_PARTS, one=True),
    _own(
        "usage.margin",
        _R,
        "(spends.paid - usage.cost) / spends.paid",
        "Purchase price of used credits less cost of recorded usage, as a share of the price. Needs `currency`.",
        *_PARTS,
        one=True,
    ),
    _own("balance", _A, "wallets.balance", "Balance of the organization's wallets at the end of the interval."),
    _own("burn_rate", _A, "spends.used / clock.days", "Credits used a day."),
    _own(
        "days_left",
        _R,
        "wallets.balance * clock.days / spends.used",
        "Days that the balance lasts at the burn rate of the interval.",
    ),
    _own(
        "returns.revenue",
        _A,
        "returns.revenue",
        "Confirmed [revenue](returns.md#revenue) of agents, less reversals until now.",
        *_RETURNS,
    ),
    _own("returns.cost", _A, "returns.cost", "[Cost](returns.md#roi) of agents, commission included.", *_RETURNS),
    _own("returns.margin", _A, "returns.revenue - returns.cost", "Revenue less cost. Needs `currency`.", *_RETURNS),
    _own(
        "returns.roi",
        _R,
        "(returns.revenue - returns.cost) / returns.cost",
        "Margin per unit of cost. Needs `currency`.",
        *_RETURNS,
    ),
    _both("credits.used", _A, "credits.used", "Credits used less credits refunded, by the day of each."),
    _both("credits.expired", _A, "credits.expired", "Credits that expired."),
    # Payments.
    _both("payments.started", _C, "events.payments.started", "Payments begun.", *_PAYMENTS),
    _both("payments.succeeded", _C, "events.payments.succeeded", "Payments that succeeded.", *_PAYMENTS),
    _both("payments.failed", _C, "events.payments.failed", "Payments that failed.", *_FAILURES),
    _both("payments.received", _A, "events.payments.received", "Amount received by payments.", *_PAYMENTS),
    _both("payments.declined", _A, "events.payments.declined", "Amount of failed payments.", *_FAILURES),
    _both("payments.refunded", _A, "events.payments.refunded", "Amount of refunds.", "organization"),
    _both(
        "payments.success_rate",
        _R,
        "events.payments.succeeded / (events.payments.succeeded + events.payments.failed)",
        "Share of payments that succeeded, among those that succeeded or failed.",
        *_PAYMENTS,
    ),
    _both(
        "payments.success_rate_by_amount",
        _R,
        "events.payments.received / (events.payments.received + events.payments.declined)",
        "The same share by amount.",
        *_PAYMENTS,
    ),
    # Creators.
    _both(
        "earnings",
        _A,
        "earnings.earned",
        "Earnings of agents: in credits, and in money their purchase price.",
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
        "Mean time from funding to the end of ended escrows.",
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
        "Share of ended escrows that ended with a refund.",
        *_ESCROWS,
    ),
    _both(
        "escrows.silence_rate",
        _R,
        "events.escrows.silent / events.escrows.ended",
        "Share of ended escrows that ended because nobody reviewed them in time.",
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
        "Monthly recurring revenue at the end of the interval: prices of subscriptions less tax and lasting discounts.",
        *("plan", "organization"),
    ),
    _both("mrr.new", _A, "events.mrr.new", "Recurring revenue of new subscriptions.", "plan", "organization"),
    _both(
        "mrr.expansion",
        _A,
        "events.mrr.expansion",
        "Increases of subscriptions, also by the end of a discount.",
        "plan",
        "organization",
    ),
    _both(
        "mrr.contraction",
        _A,
        "events.mrr.contraction",
        "Decreases of subscriptions, also by a lasting discount.",
        "plan",
        "organization",
    ),
    _both("mrr.churn", _A, "events.mrr.churn", "Recurring revenue that ended.", "plan", "organization"),
    # The platform.
    _of_all("revenue", _A, "revenue.revenue", "Revenue recognised in money, net of refunds.", "organization", "stream"),
    _of_all("revenue.net", _A, "revenue.net", "Revenue less fees and other expenses.", "organization", "stream"),
    _of_all(
        "commission", _A, "lines.commission", "The platform's commission: credits, and the money recognised for them."
    ),
    _of_all("volume", _A, "earnings.earned + lines.commission", "Payments to agents, commission included."),
    _of_all(
        "take_rate",
        _R,
        "lines.commission / (earnings.earned + lines.commission)",
        "Commission as a share of the volume.",
    ),
    _of_all(
        "money.held",
        _A,
        "lines.held",
        "Funds of customers and creators at the end of the interval: credits, and money with their purchase price.",
    ),
    _of_all(
        "escrows.held",
        _A,
        "lines.escrow",
        "Funds in escrow at the end of the interval: credits, and money with their purchase price.",
    ),
    _of_all("credits.outstanding", _A, "lines.credits", "Credits of customers and creators at the interval's end."),
    _of_all(
        "credits.velocity",
        _R,
        "credits.used * lines.days / lines.credit_days",
        "Credits used per outstanding credit on average.",
    ),
    # Engagement.
    _of_all("active.organizations", _C, "activity.organizations", "Organizations with activity."),
    _both("active.people", _C, "activity.people", "People who changed something, by the audit log."),
    _both("active.agents", _C, "activity.agents", "Agents that used credits."),
    _of_all(
        "adoption",
        _R,
        "activity.adopters / activity.organizations",
        "Share of active organizations that used a feature, by the first word of its events.",
        "feature",
    ),
    _of_all(
        "retention",
        _R,
        "activity.retained / activity.founded",
        "Share of the organizations created in a month that were active.",
        "cohort",
    ),
)
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _METRICS}


def available_metrics(*, platform: bool) -> dict[str, Metric]:
    """Return the metrics of operators, or of organizations."""
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
    """Write a value: amounts in whole units, exact where they are minor units, all others with six decimals at most."""
    if value is None:
        return None
    if METRICS[metric].unit is MetricUnit.AMOUNT and asset is not None:
        if isinstance(value, int) or value.denominator == 1:
            return format_amount(int(value), asset)
        return decimal_text(Fraction(value) / 10 ** scale_of(asset), scale_of(asset) + _PLACES)
    return str(int(value)) if value == int(value) else decimal_text(Fraction(value), _PLACES)


def decimal_text(value: Fraction, places: int) -> str:
    """Write a fraction as a decimal string, rounded to so many places, without zeros at its end."""
    scaled = round(abs(value) * 10**places)
    whole, rest = divmod(scaled, 10**places)
    digits = f"{whole}.{rest:0{places}d}".rstrip("0").rstrip(".")
    return f"-{digits}" if value < 0 and scaled else digits
