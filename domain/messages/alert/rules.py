"""Alert rules of organizations and operators, and the built-in rules."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.common.access import PERMISSIONS, PLATFORM_ROLES, Permission, Role
from domain.common.errors import AlertRuleExists, Invalid
from domain.credits.spend.alerts import AlertKind
from domain.messages.alert.conditions import WHOLE_E4, Condition, Measure, Reading, format_figure
from domain.messages.alert.escalation import EscalationStep
from domain.messages.alert.firing import FiringTerms
from domain.messages.alert.metrics import METRICS, AlertMetric, ConditionType, Unit
from domain.messages.alert.unusual import HOUR

#: The maximum number of rules of an organization, and of the platform.
MAX_RULES = 50
#: The maximum number of channels of a rule.
MAX_CHANNELS = 20
MIN_WINDOW, MAX_WINDOW = timedelta(minutes=1), timedelta(days=31)
#: Windows from this length on are computed from days in UTC, so they must be whole days.
DAY = timedelta(days=1)
#: How long after its end an hour is read.
HOUR_READ_AFTER = timedelta(minutes=5)
MAX_COOL_DOWN = timedelta(days=31)
#: The maximum number of steps of an escalation, and the maximum time of the last one after the alert.
MAX_STEPS, MAX_AFTER = 10, timedelta(days=7)
#: The roles that can be notified: those that may answer.
_CALLED = [role for role in Role if Permission.ACKNOWLEDGE in PERMISSIONS[role]]
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltIn:
    """A built-in rule.

    Attributes:
        name: of the rule, and the kind of its alerts.
        sentence: when it fires, for people.
        severity: of its alerts, unless it was changed.
        for_platform: whether operators have it; otherwise each organization does.
    """

    name: str
    sentence: str
    severity: str
    for_platform: bool = False


LOW_CREDIT_BALANCE = "low_credit_balance"
FAILED_PAYMENT = "failed_payment"
BUDGET_80_PERCENT = AlertKind.BUDGET.value
COST_SPIKE = "cost_spike"
HIGH_ROI = "high_roi"
REPUTATION_ANOMALY = "reputation_anomaly"
FRAUD_SUSPECTED = "fraud_suspected"
PROVIDER_DOWN = "provider_down"
PROBE_FAILED = "probe_failed"

_BUILT_IN = (
    BuiltIn(
        name=LOW_CREDIT_BALANCE,
        sentence="At the pace of the last hour the credits run out within a day.",
        severity="warning",
    ),
    BuiltIn(
        name=FAILED_PAYMENT,
        sentence="An invoice or a subscription could not be paid. The alert names the next try.",
        severity="critical",
    ),
    BuiltIn(name=BUDGET_80_PERCENT, sentence="80% of a limit is spent or reserved in its window.", severity="warning"),
    BuiltIn(
        name=COST_SPIKE,
        sentence="Credits used today are more than twice those until the same hour of the same day last week.",
        severity="warning",
    ),
    BuiltIn(
        name=HIGH_ROI,
        sentence="The lower bound of an agent's return on its costs in 28 days is above 100%.",
        severity="info",
    ),
    BuiltIn(
        name=REPUTATION_ANOMALY,
        sentence="The score of an agent changed by a point or more between two nights.",
        severity="warning",
        for_platform=True,
    ),
    BuiltIn(
        name=FRAUD_SUSPECTED,
        sentence="Evidence of an organization comes from related parties.",
        severity="critical",
        for_platform=True,
    ),
    BuiltIn(
        name=PROVIDER_DOWN,
        sentence="A payment provider has not responded for five minutes, so its webhooks are not handled.",
        severity="critical",
        for_platform=True,
    ),
    BuiltIn(name=PROBE_FAILED, sentence="A step of the probe failed.", severity="critical", for_platform=True),
)
BUILT_IN: Mapping[str, BuiltIn] = {rule.name: rule for rule in _BUILT_IN}

#: The lower bound of a return above which it is high, in ten-thousandths.
HIGH_ROI_ABOVE = WHOLE_E4
#: How the built-in rules with a figure fire.
BUILT_IN_TERMS = {
    LOW_CREDIT_BALANCE: FiringTerms(cool_down=timedelta(minutes=30), quiet=DAY),
    BUDGET_80_PERCENT: FiringTerms(cool_down=timedelta(0), quiet=None),
    COST_SPIKE: FiringTerms(cool_down=timedelta(hours=1), quiet=DAY),
    # It is read every six hours.
    HIGH_ROI: FiringTerms(cool_down=timedelta(0), quiet=timedelta(days=7)),
    PROVIDER_DOWN: FiringTerms(cool_down=timedelta(minutes=5), quiet=timedelta(0)),
}


def built_in_rules(*, platform: bool) -> list[BuiltIn]:
    """Return the built-in rules of operators, or those of each organization."""
    return [rule for rule in _BUILT_IN if rule.for_platform is platform]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """An alert rule.

    Attributes:
        name: the kind of its alerts.
        filters: the filters of the metric, by field.
        window: the time that the figure is summed over, if it is a sum; also the minimum time between two alerts.
        cool_down: see `domain.messages.alert.firing.FiringTerms`.
        asset: of the watched spend control; None without one.
    """

    name: str
    metric: AlertMetric
    filters: Mapping[str, str]
    condition: Condition
    window: timedelta
    cool_down: timedelta
    asset: str | None = None

    def terms(self) -> FiringTerms:
        """Return the timing of the rule."""
        return FiringTerms(cool_down=self.cool_down, quiet=self.window, is_edge=self.condition.is_edge)

    def subject(self, org_id: str | None) -> str:
        """Return the subject of its alerts: the value of a filter, or the organization."""
        return next(iter(self.filters.values()), org_id or "platform")


def next_evaluation_at(
    rule: Rule, now: datetime, last_at: datetime | None, *, is_firing: bool, is_behind: bool = False
) -> datetime:
    """Return when a rule is evaluated next: for absence after the period, for unusual hours after each hour.

    Args:
        rule: the rule.
        now: the time of this evaluation.
        last_at: the time of the last occurrence, for `absent_for`.
        is_firing: whether it is firing, and waits for the figure to be good again.
        is_behind: whether hours of the past are still to be read, for `unusual`.
    """
    soon = now + timedelta(minutes=1)
    if rule.condition.type is ConditionType.ABSENT_FOR:
        period = timedelta(seconds=rule.condition.period_seconds)
        return soon if last_at is None or is_firing else max(soon, last_at + period)
    if rule.condition.type is ConditionType.UNUSUAL:
        return soon if is_behind else now.replace(minute=0, second=0, microsecond=0) + HOUR + HOUR_READ_AFTER
    if rule.metric.every is not None:
        return now + rule.metric.every
    if not rule.metric.over_window or rule.window <= timedelta(hours=1):
        return soon
    return now + timedelta(minutes=5 if rule.window <= DAY else 15)


def check_name(name: str) -> None:
    """Check the name of a rule.

    Raises:
        Invalid: it is not a code such as `high_spend`.
        Conflict: `alert_rule.exists`.
    """
    if NAME.fullmatch(name) is None:
        raise Invalid(
            "A name must have up to 63 lower-case letters, digits and underscores and begin with a letter, such as "
            "balance_under_50.",
            extra={"field": "name"},
        )
    if name in BUILT_IN:
        raise AlertRuleExists(f"{name} is built in. Change it with PUT /alert-rules/{name}, or choose another name.")


def check_times(metric: AlertMetric, condition: Condition, window: timedelta, cool_down: timedelta) -> None:
    """Check the window and the cool-down of a rule.

    Raises:
        Invalid: one is too short, too long, or not of whole days although the figure is computed from days.
    """
    if not MIN_WINDOW <= window <= MAX_WINDOW:
        raise Invalid("The window must be between a minute and 31 days.", extra={"field": "window"})
    if window > DAY and window % DAY and (metric.over_window or condition.type is ConditionType.RUNS_OUT_WITHIN):
        raise Invalid("A window longer than a day must be a whole number of days.", extra={"field": "window"})
    if not timedelta(0) <= cool_down <= MAX_COOL_DOWN:
        raise Invalid("The cool-down must be between zero and 31 days.", extra={"field": "cool_down"})


def check_filters(metric: AlertMetric, filters: Mapping[str, str]) -> None:
    """Check that the metric has the filters, and that required ones are given.

    Raises:
        Invalid: the field is named.
    """
    for field in filters:
        if field not in metric.filters:
            raise Invalid(f"{metric.name} cannot be filtered by {field}.", extra={"field": f"filter.{field}"})
    for field in metric.needs:
        if field not in filters:
            raise Invalid(f"{metric.name} needs the filter {field}.", extra={"field": f"filter.{field}"})
    if len(filters) > 1:
        raise Invalid("A rule can have only one filter. Remove the others.", extra={"field": "filter"})


def check_channels(channels: tuple[str, ...] | None) -> None:
    """Check the list of channels of a rule.

    Raises:
        Invalid: the list is empty, too long, or names one twice.
    """
    if channels is None:
        return
    if not channels:
        raise Invalid(
            "channels must name at least one channel. Leave it out for the usual ones.", extra={"field": "channels"}
        )
    if len(channels) > MAX_CHANNELS or len(set(channels)) != len(channels):
        raise Invalid(f"channels must name up to {MAX_CHANNELS} different channels.", extra={"field": "channels"})


def check_ladder(ladder: Sequence[EscalationStep] | None, *, platform: bool, by_platform: bool) -> None:
    """Check the escalation of a rule: the order of its steps, and their roles.

    Args:
        ladder: the steps; None without an escalation of its own.
        platform: whether it is a rule of operators, which can only notify operators.
        by_platform: whether an operator writes it; an organization can only notify its own people.

    Raises:
        Invalid: the field is named.
    """
    if ladder is None:
        return
    if not 0 < len(ladder) <= MAX_STEPS:
        raise Invalid(
            f"ladder must have 1 to {MAX_STEPS} steps. Leave it out for the usual calls.", extra={"field": "ladder"}
        )
    may = [role for role in _CALLED if (role in PLATFORM_ROLES if platform else role not in PLATFORM_ROLES)]
    may += [Role.OPERATOR] if by_platform and not platform else []
    for number, step in enumerate(ladder):
        if step.role not in may:
            known = ", ".join(role.value for role in may)
            raise Invalid(
                f"{step.role.value} cannot be notified here. Use one of: {known}.",
                extra={"field": f"ladder.{number}.role"},
            )
        before = ladder[number - 1].after if number else timedelta()
        if not before <= step.after <= MAX_AFTER:
            raise Invalid(
                f"Each step must come after the one before it, and at most {MAX_AFTER.days} days after the alert.",
                extra={"field": f"ladder.{number}.after"},
            )
        if step in ladder[:number]:
            raise Invalid(
                f"{step.role.value} is notified twice at the same time.", extra={"field": f"ladder.{number}.after"}
            )


_WORDS = {
    ConditionType.ABOVE: "is above {threshold}",
    ConditionType.BELOW: "is below {threshold}",
    ConditionType.CROSSES: "crossed {threshold}",
    ConditionType.CHANGES_BY: "differs by {threshold} or more from the same time last week",
    ConditionType.RATIO: "is more than {threshold} of {of}",
    ConditionType.ABSENT_FOR: "has been absent for {period}",
    ConditionType.RUNS_OUT_WITHIN: "runs out within {period}",
    ConditionType.UNUSUAL: "is unusually high for these hours of the week",
}


def detail_of(rule: Rule, reading: Reading) -> str:
    """Return one sentence about the figure of a rule, for the alert."""
    value = reading.value
    if rule.metric.unit is Unit.SHARE and value is not None and reading.whole:
        value = value * WHOLE_E4 // reading.whole
    condition, period = rule.condition, timedelta(seconds=rule.condition.period_seconds)
    words = _WORDS[condition.type].format(
        threshold=format_figure(condition.threshold, rule.metric, condition.measure, rule.asset),
        of=condition.of,
        period=period,
    )
    now = "" if value is None else f": {format_figure(value, rule.metric, Measure.ABSOLUTE, rule.asset)} now"
    narrowed = "".join(f" of {value}" for value in rule.filters.values())
    return f"{rule.metric.name}{narrowed} {words}{now}."


def rule_of(
    *,
    name: str,
    metric: str,
    filters: Mapping[str, str],
    condition: Mapping[str, object],
    window_seconds: int,
    cool_down_seconds: int,
    asset: str | None,
) -> Rule:
    """Read a stored rule."""
    return Rule(
        name=name,
        metric=METRICS[metric],
        filters=filters,
        condition=Condition.kept(condition),
        window=timedelta(seconds=window_seconds),
        cool_down=timedelta(seconds=cool_down_seconds),
        asset=asset,
    )
