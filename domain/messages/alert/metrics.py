"""Metrics that rules can watch: unit, bounds and filters of each.

Names are those of `domain.insight.metrics` if that has the metric.

Values are integers: money in minor units of its asset, counts, seconds, shares in ten-thousandths,
scores in hundredths of a point.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from domain.common.errors import AlertRuleUnknownMetric
from domain.common.money import CREDIT
from domain.insight.metrics import METRICS as REGISTRY


class Unit(StrEnum):
    """The unit of a metric."""

    CREDITS = "credits"
    #: Money in the asset of the spend control.
    AMOUNT = "amount"
    COUNT = "count"
    #: A share; thresholds are in percent.
    SHARE = "share"
    #: A score of 0 to 10.
    POINTS = "points"
    SECONDS = "seconds"


class ConditionType(StrEnum):
    """Type of a condition on a metric."""

    ABOVE = "above"
    BELOW = "below"
    CROSSES = "crosses"
    CHANGES_BY = "changes_by"
    RATIO = "ratio"
    ABSENT_FOR = "absent_for"
    RUNS_OUT_WITHIN = "runs_out_within"
    #: See `domain.messages.alert.unusual`.
    UNUSUAL = "unusual"


_LEVELS = frozenset({ConditionType.ABOVE, ConditionType.BELOW, ConditionType.CROSSES})


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertMetric:
    """A metric that rules can watch.

    Attributes:
        name: its name in rules.
        sentence: its description.
        unit: of the figure.
        conditions: the types of conditions that apply to it.
        filters: the optional filters.
        needs: the required filters.
        over_window: whether it is a sum over the rule's window; otherwise it is the present value.
        most: its maximum; None if there is none. No figure is below zero.
        part_of: a metric that is never less, so a ratio to it is at most 100 %.
        has_whole: whether a threshold can be in percent of its limit.
        for_organizations: whether organizations can watch their own.
        for_platform: whether operators can watch it over all organizations.
        only_up: whether it falls by itself, so that crossing a threshold downwards says nothing.
        every: how often it is read, where that is not by the window.
    """

    name: str
    sentence: str
    unit: Unit
    conditions: frozenset[ConditionType]
    filters: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    over_window: bool = False
    most: int | None = None
    part_of: str | None = None
    has_whole: bool = False
    for_organizations: bool = True
    for_platform: bool = False
    only_up: bool = False
    every: timedelta | None = None

    def asset(self, of_control: str | None) -> str | None:
        """Return the asset of the figure; None if it is not an amount."""
        return {Unit.CREDITS: CREDIT, Unit.AMOUNT: of_control}.get(self.unit)


_FLOWS = _LEVELS | {ConditionType.CHANGES_BY, ConditionType.ABSENT_FOR, ConditionType.RATIO, ConditionType.UNUSUAL}
_METRICS = (
    AlertMetric(
        name="credits.available",
        sentence="Credits that can be spent now.",
        unit=Unit.CREDITS,
        conditions=_LEVELS | {ConditionType.RUNS_OUT_WITHIN},
    ),
    AlertMetric(
        name="credits.used",
        sentence="Credits used, less refunds, by time of use.",
        unit=Unit.CREDITS,
        conditions=_FLOWS - {ConditionType.RATIO},
        filters=("agent_id", "department_id"),
        over_window=True,
    ),
    AlertMetric(
        name="spend_control.used",
        sentence="Spent or reserved amount of a limit in its present window.",
        unit=Unit.AMOUNT,
        conditions=frozenset({ConditionType.ABOVE, ConditionType.CROSSES}),
        filters=("control_id",),
        needs=("control_id",),
        has_whole=True,
    ),
    AlertMetric(
        name="payments.started",
        sentence=REGISTRY["payments.started"].sentence,
        unit=Unit.COUNT,
        conditions=_FLOWS - {ConditionType.RATIO},
        filters=("provider",),
        over_window=True,
        for_platform=True,
    ),
    AlertMetric(
        name="payments.failed",
        sentence="Payments that failed.",
        unit=Unit.COUNT,
        conditions=_FLOWS,
        filters=("provider",),
        over_window=True,
        part_of="payments.started",
        for_platform=True,
    ),
    AlertMetric(
        name="payments.failed_share",
        sentence="The share of payments that failed.",
        unit=Unit.SHARE,
        conditions=_LEVELS,
        filters=("provider",),
        over_window=True,
        most=10_000,
        for_platform=True,
    ),
    AlertMetric(
        name="usage.events",
        sentence=REGISTRY["usage.events"].sentence,
        unit=Unit.COUNT,
        conditions=_FLOWS - {ConditionType.RATIO},
        over_window=True,
    ),
    AlertMetric(
        name="reputation.score",
        sentence="The overall score of an agent, 0 to 10.",
        unit=Unit.POINTS,
        conditions=_LEVELS | {ConditionType.CHANGES_BY},
        filters=("agent_id",),
        needs=("agent_id",),
        most=1_000,
    ),
    AlertMetric(
        name="inbox.oldest",
        sentence="The age of the oldest unhandled webhook of a provider, in seconds.",
        unit=Unit.SECONDS,
        conditions=frozenset({ConditionType.ABOVE, ConditionType.CROSSES}),
        filters=("provider",),
        for_organizations=False,
        for_platform=True,
    ),
    AlertMetric(
        name="credits.used_to_last_week",
        sentence="Credits used today, as a share of those until the same hour of the same day last week.",
        unit=Unit.SHARE,
        # Each day begins at zero.
        conditions=frozenset({ConditionType.ABOVE, ConditionType.CROSSES}),
        only_up=True,
        every=timedelta(minutes=15),
    ),
    AlertMetric(
        name="agent.roi",
        sentence="The lower bound of an agent's return on its costs in the last 28 days; zero where it lost money.",
        unit=Unit.SHARE,
        conditions=_LEVELS,
        filters=("agent_id",),
        every=timedelta(hours=6),
    ),
)
METRICS = {metric.name: metric for metric in _METRICS}


def metric_of(name: str, *, platform: bool, field: str = "metric") -> AlertMetric:
    """Return a metric that can be watched.

    Raises:
        Invalid: there is no metric of that name, or not for this caller; `field` is named.
    """
    usable = {metric.name: metric for metric in watchable_metrics(platform=platform)}
    if name in usable:
        return usable[name]
    known = ", ".join(usable)
    raise AlertRuleUnknownMetric(
        f"{name[:60]!r} is not a metric that can be watched here. Use one of: {known}.", extra={"field": field}
    )


def watchable_metrics(*, platform: bool) -> list[AlertMetric]:
    """Return the metrics that operators, or organizations, can watch."""
    return [metric for metric in _METRICS if (metric.for_platform if platform else metric.for_organizations)]
