"""Conditions of alert rules. Comparisons are exact: of integers, without division.

A condition that can never be met is refused when the rule is written.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Self

from domain.common.errors import AlertRuleNeverFires, Invalid
from domain.common.money import MAX_AMOUNT_MINOR, format_amount, parse_amount, plain_number
from domain.messages.alert.metrics import AlertMetric, ConditionType, Unit, metric_of

#: 100 %, in ten-thousandths.
WHOLE_E4 = 10_000
MIN_PERIOD, MAX_PERIOD = timedelta(minutes=1), timedelta(days=31)
_MOST_PERCENT_E4 = 1_000_000 * 100


class Measure(StrEnum):
    """The measure of a threshold."""

    ABSOLUTE = "absolute"
    PERCENT = "percent"


class Direction(StrEnum):
    """The direction in which a metric crosses or changes."""

    UP = "up"
    DOWN = "down"
    EITHER = "either"


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedCondition:
    """A condition as requested, before its metric is known."""

    type: ConditionType
    threshold: str | None = None
    measure: Measure | None = None
    direction: Direction | None = None
    of: str | None = None
    period: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A figure as it was read.

    Attributes:
        value: the figure; None if it is unknown.
        whole: the base of percentages: the limit, or the figure of `Condition.of`.
        before: the figure at the same time last week; None if there was none.
        last_at: the time of the last occurrence; None if there never was one.
        pace: the amount used within `pace_seconds`.
        is_unusual: whether the latest hours are unusually high; None if it is unknown.
        is_behind: whether hours of the weeks before are still to be read.
    """

    value: int | None = None
    whole: int | None = None
    before: int | None = None
    last_at: datetime | None = None
    pace: int = 0
    pace_seconds: int = 1
    is_unusual: bool | None = None
    is_behind: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """When a figure is bad.

    Attributes:
        threshold: in the metric's unit, or ten-thousandths if `measure` is percent; 0 if the type has none.
        of: the denominator of a `ratio`.
        period_seconds: of `absent_for` and `runs_out_within`.
    """

    type: ConditionType
    threshold: int = 0
    measure: Measure = Measure.ABSOLUTE
    direction: Direction = Direction.UP
    of: str | None = None
    period_seconds: int = 0

    @property
    def is_edge(self) -> bool:
        """Whether only crossing the threshold counts; a figure that is bad at the first reading has not crossed it."""
        return self.type is ConditionType.CROSSES

    def document(self) -> dict[str, Any]:
        """Return it as stored."""
        return {
            "type": self.type.value,
            "threshold": self.threshold,
            "measure": self.measure.value,
            "direction": self.direction.value,
            "of": self.of,
            "period_seconds": self.period_seconds,
        }

    @classmethod
    def kept(cls, document: Mapping[str, Any]) -> Self:
        """Read what `document` wrote."""
        return cls(
            type=ConditionType(document["type"]),
            threshold=int(document["threshold"]),
            measure=Measure(document["measure"]),
            direction=Direction(document["direction"]),
            of=document["of"],
            period_seconds=int(document["period_seconds"]),
        )

    def is_bad(self, reading: Reading, now: datetime) -> bool | None:
        """Return whether a figure meets the condition; None if it is unknown."""
        if self.type is ConditionType.ABSENT_FOR:
            # Something that never occurred is not absent.
            return None if reading.last_at is None else now - reading.last_at >= timedelta(seconds=self.period_seconds)
        if self.type is ConditionType.UNUSUAL:
            return reading.is_unusual
        if reading.value is None:
            return None
        if self.type is ConditionType.RUNS_OUT_WITHIN:
            return reading.value * reading.pace_seconds < self.period_seconds * reading.pace
        if self.type is ConditionType.CHANGES_BY:
            return self._changed(reading.value, reading.before)
        value, threshold = reading.value, self.threshold
        if self.measure is Measure.PERCENT:
            if not reading.whole:
                return None
            value, threshold = value * WHOLE_E4, threshold * reading.whole
        match self.type, self.direction:
            case ConditionType.BELOW, _:
                return value < threshold
            case ConditionType.CROSSES, Direction.DOWN:
                return value <= threshold
            case ConditionType.CROSSES, _:
                return value >= threshold
        return value > threshold

    def _changed(self, value: int, before: int | None) -> bool | None:
        percent = self.measure is Measure.PERCENT
        if before is None or (percent and before == 0):
            return None
        change, least = value - before, self.threshold
        if percent:
            change, least = change * WHOLE_E4, least * before
        if self.direction is Direction.UP:
            return change >= least
        return -change >= least if self.direction is Direction.DOWN else abs(change) >= least


def condition_of(asked: RequestedCondition, metric: AlertMetric, *, platform: bool, asset: str | None) -> Condition:
    """Return the requested condition.

    Args:
        asked: the request.
        metric: the metric.
        platform: whether it is an operator's rule about all organizations.
        asset: of the spend control, for a metric in that asset.

    Raises:
        Invalid: the condition does not apply to the metric, something is missing, not allowed or has too many decimals,
            or it can never be met (`alert_rule.never_fires`). The field is named.
    """
    kind = asked.type
    if kind not in metric.conditions:
        usable = ", ".join(sorted(metric.conditions))
        raise _invalid("type", f"The condition `{kind.value}` does not apply to {metric.name}. Use one of: {usable}.")
    _refuse_what_it_has_not(asked)
    if metric.only_up and asked.direction is Direction.DOWN:
        raise _invalid("direction", f"{metric.name} falls by itself. Use `up`.")
    if kind is ConditionType.UNUSUAL:
        return Condition(type=kind)
    if kind in {ConditionType.ABSENT_FOR, ConditionType.RUNS_OUT_WITHIN}:
        if asked.period is None:
            raise _invalid("period", f"`{kind.value}` needs a period such as PT1H.")
        if not MIN_PERIOD <= asked.period <= MAX_PERIOD:
            raise _invalid("period", "The period must be between a minute and 31 days.")
        return Condition(type=kind, period_seconds=int(asked.period.total_seconds()))
    if asked.threshold is None:
        raise _invalid("threshold", f"`{kind.value}` needs a threshold.")
    measure = _measure(asked, metric)
    threshold = _percent(asked.threshold) if measure is Measure.PERCENT else _absolute(asked.threshold, metric, asset)
    of = None
    if kind is ConditionType.RATIO:
        if asked.of is None:
            raise _invalid("of", "`ratio` needs the metric to compare with. Send condition.of.")
        of = metric_of(asked.of, platform=platform, field="condition.of").name
        if of == metric.name or of != metric.part_of:
            raise _invalid("of", f"{metric.name} can be compared with {metric.part_of} only.")
    usual = Direction.EITHER if kind is ConditionType.CHANGES_BY else Direction.UP
    made = Condition(type=kind, threshold=threshold, measure=measure, direction=asked.direction or usual, of=of)
    _refuse_what_never_fires(made, metric)
    return made


def _refuse_what_it_has_not(asked: RequestedCondition) -> None:
    kind = asked.type
    timed = kind in {ConditionType.ABSENT_FOR, ConditionType.RUNS_OUT_WITHIN}
    limited = not timed and kind is not ConditionType.UNUSUAL
    turns = {ConditionType.CROSSES, ConditionType.CHANGES_BY}
    has = {
        "threshold": limited,
        "measure": limited,
        "direction": kind in turns,
        "of": kind is ConditionType.RATIO,
        "period": timed,
    }
    for field, may in has.items():
        if not may and getattr(asked, field) is not None:
            raise _invalid(field, f"`{kind.value}` has no {field}. Leave it out.")
    if kind is ConditionType.CROSSES and asked.direction is Direction.EITHER:
        raise _invalid("direction", "`crosses` needs a direction: `up` or `down`.")


def _measure(asked: RequestedCondition, metric: AlertMetric) -> Measure:
    relative = asked.type is ConditionType.RATIO or metric.unit is Unit.SHARE
    measure = asked.measure or (Measure.PERCENT if relative else Measure.ABSOLUTE)
    if relative and measure is Measure.ABSOLUTE:
        raise _invalid("measure", "The threshold of a share or a ratio must be in percent.")
    can_be_percent = relative or metric.has_whole or asked.type is ConditionType.CHANGES_BY
    if measure is Measure.PERCENT and not can_be_percent:
        raise _invalid("measure", f"{metric.name} cannot have a threshold in percent. Use `absolute`.")
    return measure


def _percent(text: str) -> int:
    plain = plain_number(text)
    whole, _, decimals = (plain or "").partition(".")
    decimals = decimals.rstrip("0")
    if plain is None or plain.startswith("-"):
        raise _invalid("threshold", "The threshold must be a percentage of zero or more, such as 80.")
    if len(decimals) > 2:
        raise _invalid("threshold", "A percentage must not have more than 2 decimals.")
    made = int(whole + decimals.ljust(2, "0"))
    if made > _MOST_PERCENT_E4:
        raise _invalid("threshold", "The threshold must not be above 1,000,000 %.")
    return made


def _absolute(text: str, metric: AlertMetric, asset: str | None) -> int:
    money = metric.asset(asset)
    if money is not None:
        try:
            return parse_amount(text, money, zero=True)
        except Invalid as exc:
            raise _invalid("threshold", exc.detail.replace("The amount", "The threshold")) from None
    plain = plain_number(text)
    whole, _, decimals = (plain or "").partition(".")
    decimals = decimals.rstrip("0")
    scale = 2 if metric.unit is Unit.POINTS else 0
    if plain is None or plain.startswith("-"):
        raise _invalid("threshold", "The threshold must be a plain number of zero or more.")
    if len(decimals) > scale:
        may = "must be a whole number" if scale == 0 else f"must not have more than {scale} decimals"
        raise _invalid("threshold", f"The threshold of {metric.name} {may}.")
    made = int(whole + decimals.ljust(scale, "0"))
    if made > MAX_AMOUNT_MINOR:
        raise _invalid("threshold", "The threshold is too large.")
    return made


def _refuse_what_never_fires(made: Condition, metric: AlertMetric) -> None:
    most = metric.most
    if made.measure is Measure.PERCENT and made.type is ConditionType.RATIO:
        most = WHOLE_E4
    elif made.measure is Measure.PERCENT and metric.unit is not Unit.SHARE:
        most = None
    if made.type in {ConditionType.ABOVE, ConditionType.RATIO} and most is not None and made.threshold >= most:
        raise _never(f"{metric.name} is never above {_shown(made, metric, most)}.")
    if made.type is ConditionType.CROSSES and most is not None and made.threshold > most:
        raise _never(f"{metric.name} never reaches this: it is at most {_shown(made, metric, most)}.")
    if made.type is ConditionType.BELOW and made.threshold == 0:
        raise _never(f"{metric.name} is never below zero.")
    if made.type is ConditionType.CROSSES and made.direction is Direction.UP and made.threshold == 0:
        raise _never(f"{metric.name} is never below zero, so it cannot cross it upwards.")
    if made.type is ConditionType.CROSSES and made.direction is Direction.DOWN and made.threshold == most:
        raise _never(f"{metric.name} is never above this, so it cannot cross it downwards.")
    if made.type is not ConditionType.CHANGES_BY:
        return
    if made.threshold == 0:
        raise _invalid("threshold", "A change must be more than zero.")
    if made.measure is Measure.PERCENT and made.direction is Direction.DOWN and made.threshold > WHOLE_E4:
        raise _never("Nothing falls by more than 100 %.")
    if made.measure is Measure.ABSOLUTE and metric.most is not None and made.threshold > metric.most:
        raise _never(f"{metric.name} never changes by that much: it is at most {_shown(made, metric, metric.most)}.")


def _shown(made: Condition, metric: AlertMetric, figure: int) -> str:
    return format_figure(figure, metric, made.measure, None)


def format_figure(figure: int, metric: AlertMetric, measure: Measure, asset: str | None) -> str:
    """Write a figure of a metric, or a threshold of one, for people."""
    if measure is Measure.PERCENT or metric.unit is Unit.SHARE:
        return f"{_decimals(figure)} %"
    money = metric.asset(asset)
    if money is not None:
        return f"{format_amount(figure, money)} {money}"
    if metric.unit is Unit.POINTS:
        return f"{_decimals(figure)} points"
    return f"{figure} s" if metric.unit is Unit.SECONDS else str(figure)


def threshold_text(condition: Condition, metric: AlertMetric, asset: str | None) -> str | None:
    """Write a threshold in the form of a request; None for a condition that has none."""
    if condition.period_seconds or condition.type is ConditionType.UNUSUAL:
        return None
    if condition.measure is Measure.PERCENT or metric.unit is Unit.POINTS:
        return _decimals(condition.threshold)
    money = metric.asset(asset)
    return str(condition.threshold) if money is None else format_amount(condition.threshold, money)


def _decimals(hundredths: int) -> str:
    whole, rest = divmod(hundredths, 100)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".")


def _invalid(field: str, detail: str) -> Invalid:
    return Invalid(detail, extra={"field": f"condition.{field}"})


def _never(detail: str) -> Invalid:
    return AlertRuleNeverFires(f"The rule can never fire. {detail}", extra={"field": "condition.threshold"})
