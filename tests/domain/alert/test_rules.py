from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.common.access import Role
from domain.common.errors import Invalid
from domain.messages.alert.conditions import (
    Condition,
    Direction,
    Measure,
    Reading,
    RequestedCondition,
    condition_of,
    threshold_text,
)
from domain.messages.alert.escalation import EscalationStep
from domain.messages.alert.metrics import METRICS, ConditionType
from domain.messages.alert.rules import MAX_STEPS, Rule, check_ladder, check_times, detail_of
from tests.support.cases import for_each

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ABOVE, BELOW, CROSSES = ConditionType.ABOVE, ConditionType.BELOW, ConditionType.CROSSES
CHANGES, RATIO = ConditionType.CHANGES_BY, ConditionType.RATIO
ABSENT, RUNS_OUT = ConditionType.ABSENT_FOR, ConditionType.RUNS_OUT_WITHIN
HOUR = timedelta(hours=1)


def _made(metric: str, *, asset: str | None = None, **asked: Any) -> Condition:
    return condition_of(RequestedCondition(**asked), METRICS[metric], platform=False, asset=asset)


@for_each(
    "metric, asked, field",
    [
        ("credits.available", {"type": BELOW}, "threshold"),
        ("credits.available", {"type": BELOW, "threshold": "-1"}, "threshold"),
        ("credits.available", {"type": BELOW, "threshold": "0.1234567"}, "threshold"),
        ("credits.available", {"type": BELOW, "threshold": "1", "measure": Measure.PERCENT}, "measure"),
        ("credits.available", {"type": BELOW, "threshold": "1", "direction": Direction.UP}, "direction"),
        ("credits.available", {"type": BELOW, "threshold": "1", "of": "credits.used"}, "of"),
        ("credits.available", {"type": BELOW, "threshold": "1", "period": HOUR}, "period"),
        ("credits.available", {"type": ABSENT, "period": HOUR}, "type"),
        ("credits.available", {"type": RUNS_OUT}, "period"),
        ("credits.available", {"type": RUNS_OUT, "period": HOUR, "threshold": "1"}, "threshold"),
        ("credits.available", {"type": ConditionType.UNUSUAL}, "type"),
        ("payments.failed", {"type": ABOVE, "threshold": "1.5"}, "threshold"),
        ("payments.failed", {"type": RATIO, "threshold": "10"}, "of"),
        ("payments.failed", {"type": RATIO, "threshold": "10", "of": "no.such"}, "of"),
        ("payments.failed", {"type": RATIO, "threshold": "10", "of": "usage.events"}, "of"),
        ("payments.failed_share", {"type": ABOVE, "threshold": "10", "measure": Measure.ABSOLUTE}, "measure"),
        ("payments.failed_share", {"type": ABOVE, "threshold": "10.125"}, "threshold"),
        ("spend_control.used", {"type": CROSSES, "threshold": "1", "direction": Direction.EITHER}, "direction"),
        ("credits.used", {"type": CHANGES, "threshold": "0", "measure": Measure.PERCENT}, "threshold"),
        # Each day begins at zero.
        ("credits.used_to_last_week", {"type": BELOW, "threshold": "50"}, "type"),
        ("credits.used_to_last_week", {"type": CROSSES, "threshold": "50", "direction": Direction.DOWN}, "direction"),
        ("reputation.score", {"type": BELOW, "threshold": "4.125"}, "threshold"),
    ],
)
def test_condition_that_is_wrong_is_refused_with_its_field(metric: str, asked: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        _made(metric, **asked)
    assert refused.value.extra["field"] == f"condition.{field}"


@for_each(
    "metric, asked",
    [
        ("payments.failed_share", {"type": ABOVE, "threshold": "100"}),
        ("payments.failed_share", {"type": CROSSES, "threshold": "101"}),
        ("payments.failed", {"type": RATIO, "threshold": "100", "of": "payments.started"}),
        ("reputation.score", {"type": ABOVE, "threshold": "10"}),
        ("reputation.score", {"type": CROSSES, "threshold": "10", "direction": Direction.DOWN}),
        ("reputation.score", {"type": CHANGES, "threshold": "10.01"}),
        ("credits.available", {"type": BELOW, "threshold": "0"}),
        ("usage.events", {"type": CROSSES, "threshold": "0"}),
        ("usage.events", {"type": CHANGES, "threshold": "100.01", "measure": Measure.PERCENT, "direction": "down"}),
    ],
)
def test_rule_that_can_never_fire_is_refused(metric: str, asked: dict[str, Any]) -> None:
    wanted = dict(asked)
    if "direction" in wanted:
        wanted["direction"] = Direction(wanted["direction"])
    with pytest.raises(Invalid) as refused:
        _made(metric, **wanted)
    assert refused.value.error_code == "alert_rule.never_fires"
    assert refused.value.extra["field"] == "condition.threshold"


def test_threshold_has_the_decimals_of_the_asset_and_no_more() -> None:
    used = {"type": CROSSES, "threshold": "10.50"}
    assert _made("spend_control.used", asset="USD", **used).threshold == 1050
    with pytest.raises(Invalid):
        _made("spend_control.used", asset="JPY", **used)
    made = _made("credits.available", type=BELOW, threshold="0.000001")
    assert made.threshold == 1
    assert threshold_text(made, METRICS["credits.available"], None) == "0.000001"


@for_each(
    "condition, reading, bad",
    [
        (Condition(type=ABOVE, threshold=5), Reading(value=5), False),
        (Condition(type=ABOVE, threshold=5), Reading(value=6), True),
        (Condition(type=ABOVE, threshold=5), Reading(), None),
        (Condition(type=BELOW, threshold=5), Reading(value=5), False),
        (Condition(type=BELOW, threshold=5), Reading(value=4), True),
        (Condition(type=CROSSES, threshold=80), Reading(value=79), False),
        (Condition(type=CROSSES, threshold=80), Reading(value=80), True),
        (Condition(type=CROSSES, threshold=80, direction=Direction.DOWN), Reading(value=80), True),
        (Condition(type=CROSSES, threshold=8_000, measure=Measure.PERCENT), Reading(value=79, whole=99), False),
        (Condition(type=CROSSES, threshold=8_000, measure=Measure.PERCENT), Reading(value=80, whole=100), True),
        (Condition(type=CROSSES, threshold=8_000, measure=Measure.PERCENT), Reading(value=0, whole=0), None),
        (Condition(type=RATIO, threshold=1_000, measure=Measure.PERCENT, of="x"), Reading(value=1, whole=10), False),
        (Condition(type=RATIO, threshold=1_000, measure=Measure.PERCENT, of="x"), Reading(value=2, whole=10), True),
        (Condition(type=RATIO, threshold=1_000, measure=Measure.PERCENT, of="x"), Reading(value=0, whole=0), None),
        (Condition(type=ABSENT, period_seconds=60), Reading(), None),
        (Condition(type=ABSENT, period_seconds=60), Reading(last_at=NOW - timedelta(seconds=59)), False),
        (Condition(type=ABSENT, period_seconds=60), Reading(last_at=NOW - timedelta(seconds=60)), True),
        (Condition(type=RUNS_OUT, period_seconds=60), Reading(value=120, pace=2), False),
        (Condition(type=RUNS_OUT, period_seconds=60), Reading(value=119, pace=2), True),
        (Condition(type=RUNS_OUT, period_seconds=60), Reading(value=0), False),
    ],
)
def test_figure_is_compared_exactly(condition: Condition, reading: Reading, bad: bool | None) -> None:
    assert condition.is_bad(reading, NOW) is bad
    assert Condition.kept(condition.document()) == condition


@for_each(
    "direction, value, before, bad",
    [
        (Direction.UP, 149, 100, False),
        (Direction.UP, 150, 100, True),
        (Direction.UP, 10, 100, False),
        (Direction.DOWN, 51, 100, False),
        (Direction.DOWN, 50, 100, True),
        (Direction.EITHER, 50, 100, True),
        (Direction.EITHER, 150, 100, True),
        (Direction.EITHER, 5, 0, None),
        (Direction.EITHER, 5, None, None),
    ],
)
def test_change_by_percent_needs_something_to_differ_from(
    direction: Direction, value: int, before: int | None, bad: bool | None
) -> None:
    condition = Condition(type=CHANGES, threshold=5_000, measure=Measure.PERCENT, direction=direction)
    assert condition.is_bad(Reading(value=value, before=before), NOW) is bad


def test_absolute_change_starts_from_zero() -> None:
    condition = Condition(type=CHANGES, threshold=5, direction=Direction.EITHER)
    assert condition.is_bad(Reading(value=5, before=0), NOW) is True
    assert condition.is_bad(Reading(value=0, before=4), NOW) is False


@pytest.mark.parametrize(("window", "cool_down"), [(30, 60), (86_400 * 32, 60), (86_400 + 1, 60), (3600, 86_400 * 32)])
def test_times_out_of_range_are_refused(window: int, cool_down: int) -> None:
    with pytest.raises(Invalid):
        check_times(
            METRICS["credits.used"],
            Condition(type=ABOVE, threshold=1),
            timedelta(seconds=window),
            timedelta(seconds=cool_down),
        )


def test_detail_shows_figure_threshold_and_filters() -> None:
    rule = Rule(
        name="a",
        metric=METRICS["reputation.score"],
        filters={"agent_id": "agt_1"},
        condition=_made("reputation.score", type=BELOW, threshold="4.50"),
        window=HOUR,
        cool_down=HOUR,
    )
    assert detail_of(rule, Reading(value=449)) == "reputation.score of agt_1 is below 4.5 points: 4.49 points now."


def _ladder(*steps: tuple[str, float]) -> list[EscalationStep]:
    return [EscalationStep(role=Role(role), after=timedelta(hours=after)) for role, after in steps]


def test_escalation_notifies_eligible_recipients_in_order():
    own = _ladder(("owner", 0), ("finance", 0), ("admin", 0.5), ("owner", 2))
    check_ladder(None, platform=False, by_platform=False)
    check_ladder(own, platform=False, by_platform=False)
    check_ladder([*own, *_ladder(("operator", 2))], platform=False, by_platform=True)
    check_ladder(_ladder(("operator", 0), ("operator", 168)), platform=True, by_platform=True)
    assert [EscalationStep.named(step.name) for step in own] == own


@for_each(
    "steps, field, platform, by_platform",
    [
        ([], "ladder", False, False),
        ([("owner", each) for each in range(MAX_STEPS + 1)], "ladder", False, False),
        ([("owner", 0), ("member", 1)], "ladder.1.role", False, False),
        ([("agent", 0)], "ladder.0.role", False, False),
        # An organization does not call the platform's people.
        ([("owner", 0), ("operator", 1)], "ladder.1.role", False, False),
        ([("arbiter", 0)], "ladder.0.role", False, True),
        ([("owner", 0)], "ladder.0.role", True, True),
        ([("owner", 2), ("admin", 1)], "ladder.1.after", False, False),
        ([("owner", 1), ("owner", 1)], "ladder.1.after", False, False),
        ([("owner", 169)], "ladder.0.after", False, False),
    ],
)
def test_invalid_escalation_is_refused_with_its_field(steps, field, platform, by_platform):
    with pytest.raises(Invalid) as refused:
        check_ladder(_ladder(*steps), platform=platform, by_platform=by_platform)
    assert refused.value.extra == {"field": field}
