"""Return on investment of agents: revenue by status, costs by kind, margin, ROI, payback and projection. Pure.

Amounts are in minor units of one currency, and exact fractions until they are shown. Only confirmed revenue counts,
less reversals.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum
from fractions import Fraction
from math import sqrt

from domain.common.errors import Invalid
from domain.common.money import round_to_sum
from domain.insight.forecast import forecast
from domain.returns.revenue_event import RevenueStatus

#: The length of a projection in days, with enough history and with less.
AHEAD = (28, 7)
#: The level of a projection's interval, in percent.
LEVEL = 80
#: The distance of the lower bound from the ROI in standard errors, the 5 % quantile of a normal distribution.
_ERRORS = 1.645
#: The minimum number of days with money for a lower bound.
_FEWEST_DAYS = 7
_DAY = timedelta(days=1)


class CostKind(StrEnum):
    """The kinds of costs."""

    #: Uses that are spent, and recorded usage that was charged nowhere.
    USAGE = "usage"
    #: Jobs, agents and purchases outside.
    PURCHASES = "purchases"
    SUBSCRIPTIONS = "subscriptions"
    FEES = "fees"
    COMMISSION = "commission"
    #: Costs without an agent, see `share_costs`.
    SHARED = "shared"


class RoiScope(StrEnum):
    """Dimension that figures are grouped by."""

    AGENT = "agent"
    PROJECT = "project"
    MODEL = "model"
    ORGANIZATION = "organization"


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyCost:
    """Cost of a day, in minor units of `asset`."""

    day: date
    agent_id: str | None
    project_id: str | None
    model: str | None
    kind: CostKind
    asset: str
    minor: int | Fraction


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyRevenue:
    """Revenue of a day in one status, in minor units of `asset`, with its commission and reversals."""

    day: date
    agent_id: str | None
    project_id: str | None
    status: str
    asset: str
    amount_minor: int | Fraction
    reversed_minor: int | Fraction
    commission_minor: int | Fraction

    @property
    def counts(self) -> bool:
        """Whether it was confirmed, even if it was reversed since."""
        return self.status in {RevenueStatus.CONFIRMED, RevenueStatus.REVERSED}

    @property
    def net_minor(self) -> int | Fraction:
        return self.amount_minor - self.reversed_minor if self.counts else 0

    @property
    def paid_minor(self) -> int | Fraction:
        return self.commission_minor if self.counts else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyResult:
    """Cost and revenue of an agent on a day, in minor units; None for those without an agent."""

    agent_id: str | None
    day: date
    cost_minor: int
    revenue_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RoiPoint:
    """Revenue and cost of a day, or of the week that begins with it."""

    day: date
    revenue_minor: int
    cost_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """Projected margin of the next `days`, with an interval of `LEVEL` percent."""

    days: int
    margin_minor: int
    low_minor: int
    high_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Roi:
    """Figures of an agent, project, model or organization, in minor units of one currency.

    Attributes:
        id: of the agent, project, model or organization; None for what belongs to none.
        revenue: by status; `confirmed` is less reversals, which are `reversed`.
        costs: by kind.
        roi: the margin per unit of cost; None without costs.
        roi_lower: its lower bound, by the variance between days; None with too few days.
        payback_days: from the first cost until cumulative revenue covers cumulative costs for good; None if it does
            not.
        trend: by day or week, in order.
    """

    id: str | None
    revenue: Mapping[RevenueStatus, int]
    costs: Mapping[CostKind, int]
    roi: Fraction | None
    roi_lower: Fraction | None
    payback_days: int | None
    trend: tuple[RoiPoint, ...] = ()
    projection: Projection | None = None

    @property
    def revenue_minor(self) -> int:
        return self.revenue[RevenueStatus.CONFIRMED]

    @property
    def cost_minor(self) -> int:
        return sum(self.costs.values())

    @property
    def margin_minor(self) -> int:
        return self.revenue_minor - self.cost_minor


@dataclass(slots=True)
class _Sums:
    revenue: dict[RevenueStatus, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    costs: dict[CostKind, Fraction] = field(default_factory=lambda: defaultdict(Fraction))
    by_day: dict[date, list[Fraction]] = field(default_factory=lambda: defaultdict(lambda: [Fraction(), Fraction()]))

    def earn(self, row: DailyRevenue) -> None:
        if row.counts:
            self.revenue[RevenueStatus.CONFIRMED] += row.net_minor
            self.revenue[RevenueStatus.REVERSED] += row.reversed_minor
            self.by_day[row.day][0] += row.net_minor
            self.pay(row.day, CostKind.COMMISSION, row.commission_minor)
        else:
            self.revenue[RevenueStatus(row.status)] += row.amount_minor

    def pay(self, day: date, kind: CostKind, minor: int | Fraction) -> None:
        self.costs[kind] += minor
        self.by_day[day][1] += minor


def check_period(since: date, until: date) -> None:
    """Refuse a period that is empty or longer than 366 days.

    Raises:
        Invalid: it names `from`.
    """
    if not since < until <= since + 366 * _DAY:
        raise Invalid("Ask for 1 to 366 days: `to` is after `from`.", extra={"field": "from"})


def figures(
    scope: RoiScope,
    costs: Sequence[DailyCost],
    revenue: Sequence[DailyRevenue],
    *,
    of: str | None,
    since: date,
    until: date,
    weekly: bool = True,
) -> list[Roi]:
    """Return the figures of each agent, project or model, by margin, the highest first.

    Each kind of revenue and of costs adds up to the rounded total of that kind.

    Args:
        scope: the dimension to group by.
        costs: of the days, in one currency.
        revenue: of the same days, in the same currency.
        of: the id of the organization, for the scope of that name.
        since: the first day.
        until: the day after the last one.
        weekly: whether the trend is by week.
    """
    if scope is RoiScope.ORGANIZATION:
        spent = [(of, _pooled(cost)) for cost in costs]
        earned = [(of, row) for row in revenue]
    elif scope is RoiScope.MODEL:
        spent = [(cost.model, cost) for cost in costs]
        earned = list(_by_model(costs, revenue))
    elif scope is RoiScope.PROJECT:
        spent = [(cost.project_id, cost) for cost in share_costs(costs, revenue, of=_project, within=lambda _: None)]
        earned = [(row.project_id, row) for row in revenue]
    else:
        spent = [(cost.agent_id, cost) for cost in share_costs(costs, revenue, of=_agent, within=_project)]
        earned = [(row.agent_id, row) for row in revenue]
    sums: dict[str | None, _Sums] = defaultdict(_Sums)
    for name, cost in spent:
        sums[name].pay(cost.day, cost.kind, cost.minor)
    for name, row in earned:
        sums[name].earn(row)
    if scope is RoiScope.ORGANIZATION:
        # An organization has figures without any money, too.
        sums[of].pay(since, CostKind.USAGE, 0)
    revenues = {
        status: _rounded({name: each.revenue[status] for name, each in sums.items()}) for status in RevenueStatus
    }
    kinds = {kind: _rounded({name: each.costs[kind] for name, each in sums.items()}) for kind in CostKind}
    found = [
        _roi(
            name,
            each.by_day,
            {status: parts[name] for status, parts in revenues.items()},
            {kind: parts[name] for kind, parts in kinds.items()},
            since,
            until,
            weekly=weekly,
        )
        for name, each in sums.items()
    ]
    return sorted(found, key=lambda roi: (-roi.margin_minor, roi.id or ""))


def _pooled(cost: DailyCost) -> DailyCost:
    return cost if cost.agent_id is not None else replace(cost, kind=CostKind.SHARED)


def _agent(row: DailyCost | DailyRevenue) -> str | None:
    return row.agent_id


def _project(row: DailyCost | DailyRevenue) -> str | None:
    return row.project_id


_Of = Callable[[DailyCost | DailyRevenue], str | None]


def share_costs(
    costs: Sequence[DailyCost], revenue: Sequence[DailyRevenue], *, of: _Of, within: _Of
) -> list[DailyCost]:
    """Distribute costs without an agent over owners in proportion to their costs; the kind is `shared`.

    If no owner has costs, owners with confirmed revenue share equally. Without any owner, the costs stay unassigned.

    Args:
        costs: all costs.
        revenue: of the same days.
        of: returns the owner of a row, such as its agent.
        within: returns the group that shares it, such as its project; rows without one are shared by all.
    """
    own: dict[str | None, dict[str, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    earners: dict[str | None, set[str]] = defaultdict(set)
    for cost in costs:
        if (name := of(cost)) is not None:
            for bound in {within(cost), None}:
                own[bound][name] += Fraction(cost.minor)
    for row in revenue:
        if (name := of(row)) is not None and row.counts:
            for bound in {within(row), None}:
                earners[bound].add(name)
    found = []
    for cost in costs:
        if of(cost) is not None or cost.agent_id is not None:
            found.append(cost)
            continue
        bound = within(cost)
        weights = {name: weight for name, weight in own[bound].items() if weight > 0}
        weights = weights or dict.fromkeys(sorted(earners[bound]), Fraction(1))
        shared = replace(cost, kind=CostKind.SHARED)
        whole = sum(weights.values(), Fraction())
        # Only the one name by which it is grouped is set.
        found += [
            _named(shared, of, name, Fraction(cost.minor) * weight / whole) for name, weight in weights.items()
        ] or [shared]
    return found


def _named(cost: DailyCost, of: _Of, name: str, minor: Fraction) -> DailyCost:
    return replace(cost, agent_id=name, minor=minor) if of is _agent else replace(cost, project_id=name, minor=minor)


def _by_model(costs: Sequence[DailyCost], revenue: Sequence[DailyRevenue]) -> Iterable[tuple[str | None, DailyRevenue]]:
    """Divide the revenue of each agent over models by the agent's costs of each in the period."""
    used: dict[str | None, dict[str | None, Fraction]] = defaultdict(lambda: defaultdict(Fraction))
    for cost in costs:
        if cost.kind is CostKind.USAGE and cost.model is not None and cost.agent_id is not None:
            used[cost.agent_id][cost.model] += Fraction(cost.minor)
    for row in revenue:
        weights = {model: weight for model, weight in used[row.agent_id].items() if weight > 0}
        whole = sum(weights.values(), Fraction())
        for model, weight in weights.items() or [(None, Fraction(1))]:
            part = weight / whole if whole else weight
            yield (
                model,
                replace(
                    row,
                    amount_minor=row.amount_minor * part,
                    reversed_minor=row.reversed_minor * part,
                    commission_minor=row.commission_minor * part,
                ),
            )


def _rounded(exact: Mapping[str | None, Fraction]) -> dict[str | None, int]:
    """Round amounts so that they add up to their rounded sum."""
    names = sorted(exact, key=lambda each: each or "")
    return dict(zip(names, round_to_sum([exact[name] for name in names]), strict=True))


def _roi(
    name: str | None,
    moved: Mapping[date, Sequence[Fraction]],
    revenue: Mapping[RevenueStatus, int],
    costs: Mapping[CostKind, int],
    since: date,
    until: date,
    *,
    weekly: bool,
) -> Roi:
    cost = sum(costs.values())
    days = [since + at * _DAY for at in range((until - since).days)]
    by_day = [(moved[day][0], moved[day][1]) if day in moved else (Fraction(), Fraction()) for day in days]
    return Roi(
        id=name,
        revenue=revenue,
        costs=costs,
        roi=Fraction(revenue[RevenueStatus.CONFIRMED] - cost, cost) if cost > 0 else None,
        roi_lower=lower_bound(by_day),
        payback_days=days_to_payback(by_day),
        trend=_trend(days, by_day, weekly=weekly),
        projection=forecast_margin([round(earned - spent) for earned, spent in by_day]),
    )


def lower_bound(by_day: Sequence[tuple[Fraction, Fraction]]) -> Fraction | None:
    """Return the lower bound of the ROI, that of a ratio of sums, by the variance between days.

    None without costs, or with fewer than seven days with money. Future revenue is not considered.
    """
    moved = [(_near(earned), _near(spent)) for earned, spent in by_day if earned or spent]
    spent_in_all = sum(spent for _, spent in moved)
    if spent_in_all <= 0 or len(moved) < _FEWEST_DAYS:
        return None
    ratio = sum(earned for earned, _ in moved) / spent_in_all
    gaps = sum((earned - ratio * spent) ** 2 for earned, spent in moved)
    error = sqrt(len(moved) / (len(moved) - 1) * gaps) / spent_in_all
    return Fraction(round((ratio - 1 - _ERRORS * error) * 10_000), 10_000)


def _near(value: Fraction) -> float:
    return value.numerator / value.denominator


def days_to_payback(by_day: Sequence[tuple[Fraction, Fraction]]) -> int | None:
    """Return the days from the first cost until revenue has covered the costs for good; None if it has not."""
    first = next((at for at, (_, spent) in enumerate(by_day) if spent), None)
    if first is None:
        return None
    margin, paid_from = Fraction(), first
    for at, (earned, spent) in enumerate(by_day):
        margin += earned - spent
        if margin < 0:
            paid_from = at + 1
    return None if margin < 0 else max(0, paid_from - first)


def forecast_margin(margins: Sequence[int]) -> Projection | None:
    """Forecast the margin of the next days from the daily margins; None with too few days."""
    begun = next((at for at, margin in enumerate(margins) if margin), len(margins))
    for ahead in AHEAD:
        try:
            made = forecast(margins[begun:], steps=ahead, season=7, unit="days")
        except Invalid:
            continue
        middle, reach = round(sum(made.values)), round(made.half_widths_of_sum(LEVEL)[-1])
        return Projection(days=ahead, margin_minor=middle, low_minor=middle - reach, high_minor=middle + reach)
    return None


def _trend(days: Sequence[date], by_day: Sequence[tuple[Fraction, Fraction]], *, weekly: bool) -> tuple[RoiPoint, ...]:
    step = 7 if weekly else 1
    return tuple(
        RoiPoint(
            day=days[at],
            revenue_minor=round(sum((earned for earned, _ in by_day[at : at + step]), Fraction())),
            cost_minor=round(sum((spent for _, spent in by_day[at : at + step]), Fraction())),
        )
        for at in range(0, len(days), step)
    )


def daily_results(
    costs: Sequence[DailyCost], revenue: Sequence[DailyRevenue], *, project_id: str | None
) -> list[DailyResult]:
    """Return cost and revenue by agent (None for none) and day; with a project, of that alone."""
    found: dict[tuple[str | None, date], list[Fraction]] = defaultdict(lambda: [Fraction(), Fraction()])
    for cost in costs:
        if project_id in {None, cost.project_id}:
            found[cost.agent_id, cost.day][0] += cost.minor
    for row in revenue:
        if project_id in {None, row.project_id} and row.counts:
            found[row.agent_id, row.day][0] += row.commission_minor
            found[row.agent_id, row.day][1] += row.net_minor
    return [
        DailyResult(agent_id=agent_id, day=day, cost_minor=round(cost), revenue_minor=round(earned))
        for (agent_id, day), (cost, earned) in sorted(found.items(), key=lambda each: (each[0][0] or "", each[0][1]))
    ]
