"""What alert rules look like over HTTP."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from api.fields import (
    Amount,
    Exact,
    Flag,
    Note,
    OrganizationId,
    Period,
    RequestModel,
    ResponseModel,
    SearchText,
    example,
    period_text,
)
from domain.common.access import Role
from domain.messages.alert.conditions import Condition, Direction, Measure, RequestedCondition, threshold_text
from domain.messages.alert.escalation import EscalationStep
from domain.messages.alert.metrics import METRICS, AlertMetric, ConditionType, Unit
from domain.messages.alert.rules import MAX_CHANNELS, MAX_STEPS, BuiltIn
from models.messages.alert_rule import AlertRule
from services.messages.alert_rule import RuleRequest

Severity = Literal["info", "warning", "critical"]
_CHANNEL = Annotated[str, StringConstraints(min_length=1, max_length=64)]


class ConditionSet(RequestModel):
    """The condition under which a rule raises an alert."""

    type: ConditionType
    threshold: Amount | None = Field(
        default=None,
        description=(
            "The threshold, in the metric's unit or in percent, with no more decimals than the metric's asset has."
        ),
        examples=["50.00"],
    )
    measure: Measure | None = Field(
        default=None,
        description="The measure of the threshold; `absolute` when left out, unless the metric is a share or a ratio.",
    )
    direction: Direction | None = Field(
        default=None, description="For `crosses` (`up` when left out) and `changes_by` (`either` when left out)."
    )
    of: SearchText | None = Field(default=None, description="For `ratio`: the metric that is the whole.")
    period: Period | None = Field(default=None, description="For `absent_for` and `runs_out_within`: the time.")

    def asked(self) -> RequestedCondition:
        return RequestedCondition(
            type=self.type,
            threshold=self.threshold,
            measure=self.measure,
            direction=self.direction,
            of=self.of,
            period=self.period,
        )


class LadderStep(RequestModel):
    """One step of an escalation: who is notified if the alert is still unanswered."""

    role: Role = Field(
        description="`owner`, `admin` or `finance` of the organization; `operator` if an operator writes the rule."
    )
    after: Period | None = Field(
        default=None,
        description="How long after the alert this role is called, at most seven days; at once when left out.",
    )

    model_config = example(role="admin", after="PT30M")

    def step(self) -> EscalationStep:
        return EscalationStep(role=self.role, after=self.after or timedelta())


class LadderStepView(ResponseModel):
    """One step of an escalation: who is notified if the alert is still unanswered."""

    role: Role
    after: str | None = Field(description="How long after the alert this role is called; null for at once.")

    @classmethod
    def of_step(cls, name: str) -> "LadderStepView":
        step = EscalationStep.named(name)
        return cls(role=step.role, after=period_text(int(step.after.total_seconds())) if step.after else None)


class AlertRuleSet(RequestModel):
    """The content of a rule. For a built-in rule, only `enabled`, `severity`, `channels` and `ladder` are allowed."""

    model_config = example(
        metric="credits.available",
        condition={"type": "below", "threshold": "50"},
        cool_down="PT1H",
        severity="critical",
    )

    metric: SearchText | None = None
    filter: dict[SearchText, SearchText] | None = Field(
        default=None,
        max_length=4,
        description="Restricts the metric to one `agent_id`, `department_id`, `control_id` or `provider`.",
        json_schema_extra={"examples": [{}]},
    )
    condition: ConditionSet | None = None
    window: Period | None = Field(
        default=None,
        description=(
            "The time over which the metric is added up, if it adds up. The next alert comes at the earliest this "
            "long after the last one; so with `unusual`, which compares hours, it says how many alerts a week there "
            "can be: `P1D` seven, `P7D` one. From a minute to 31 days; a day when left out."
        ),
    )
    cool_down: Period | None = Field(
        default=None,
        description=(
            "How long the metric must be good before the alert is resolved and the rule can fire again. Up to 31 "
            "days; an hour when left out."
        ),
    )
    severity: Severity | None = None
    channels: list[_CHANNEL] | None = Field(
        default=None,
        description=f"Notification channels that get its alerts besides the usual ones, up to {MAX_CHANNELS}.",
    )
    ladder: list[LadderStep] | None = Field(
        default=None,
        description=(
            "The escalation: who is notified, one after the other, until the alert is answered, in up to "
            f"{MAX_STEPS} steps. A rule without one has no escalation; a built-in rule uses its default."
        ),
    )
    description: Note | None = None
    enabled: Flag = True

    def to_request(self) -> RuleRequest:
        return RuleRequest(
            metric=self.metric,
            filters=self.filter,
            condition=None if self.condition is None else self.condition.asked(),
            window=self.window,
            cool_down=self.cool_down,
            severity=self.severity,
            channels=None if self.channels is None else tuple(self.channels),
            ladder=None if self.ladder is None else tuple(step.step() for step in self.ladder),
            description=self.description,
            enabled=self.enabled,
        )


class AlertRuleCreate(AlertRuleSet):
    """A new rule. An operator names the organization, or leaves it out for a rule over all of them."""

    model_config = example(
        name="balance_under_50",
        metric="credits.available",
        condition={"type": "below", "threshold": "50"},
        cool_down="PT1H",
    )

    name: SearchText = Field(description="The kind of its alerts, in lower-case letters, digits and underscores.")
    organization_id: OrganizationId | None = None


class ConditionView(ResponseModel):
    """The condition under which a rule raises an alert."""

    type: ConditionType
    threshold: Exact | None
    measure: Measure | None
    direction: Direction | None
    of: str | None
    period: str | None

    @classmethod
    def of_condition(cls, condition: Condition, metric: AlertMetric, asset: str | None) -> "ConditionView":
        timed, turns = bool(condition.period_seconds), {ConditionType.CROSSES, ConditionType.CHANGES_BY}
        measured = not timed and condition.type is not ConditionType.UNUSUAL
        return cls.from_row(
            condition,
            threshold=threshold_text(condition, metric, asset),
            measure=condition.measure if measured else None,
            direction=condition.direction if condition.type in turns else None,
            period=period_text(condition.period_seconds) if timed else None,
        )


class AlertRuleView(ResponseModel):
    """An alert rule."""

    id: str = Field(description="The id; for a built-in rule, its name.")
    name: str
    built_in: bool
    organization_id: str | None
    description: str | None
    metric: str | None = Field(description="Null for a built-in rule.")
    filter: dict[str, str]
    condition: ConditionView | None
    window: str | None
    cool_down: str | None
    severity: str
    channels: list[str] | None
    ladder: list[LadderStepView] | None = Field(
        description="The escalation: who is notified until the alert is answered. Null if the rule does not set one."
    )
    enabled: bool
    created_at: datetime | None = Field(
        description="When it was created; null for a built-in rule that was never changed."
    )
    updated_at: datetime | None

    @classmethod
    def of(cls, row: AlertRule) -> "AlertRuleView":
        assert row.metric is not None
        assert row.condition is not None
        metric = METRICS[row.metric]
        return cls.from_row(
            row,
            built_in=False,
            filter=_texts(row.filters),
            condition=ConditionView.of_condition(Condition.kept(row.condition), metric, row.asset),
            window=period_text(row.window_seconds),
            cool_down=period_text(row.cool_down_seconds),
            ladder=_ladder(row),
        )

    @classmethod
    def of_built_in(cls, rule: BuiltIn, org_id: str | None, row: AlertRule | None) -> "AlertRuleView":
        return cls(
            id=rule.name,
            name=rule.name,
            built_in=True,
            organization_id=org_id,
            description=rule.sentence,
            metric=None,
            filter={},
            condition=None,
            window=None,
            cool_down=None,
            severity=rule.severity if row is None else row.severity,
            channels=None if row is None else row.channels,
            ladder=None if row is None else _ladder(row),
            enabled=row is None or row.enabled,
            created_at=None if row is None else row.created_at,
            updated_at=None if row is None else row.updated_at,
        )


class MetricView(ResponseModel):
    """A metric that rules can watch."""

    name: str
    description: str
    unit: Unit
    conditions: list[ConditionType]
    filters: list[str]
    required_filters: list[str]

    @classmethod
    def of(cls, metric: AlertMetric) -> "MetricView":
        return cls.from_row(
            metric,
            description=metric.sentence,
            conditions=sorted(metric.conditions),
            required_filters=list(metric.needs),
        )


class AlertMetricsView(ResponseModel):
    """All metrics that rules can watch."""

    data: list[MetricView]


def _ladder(row: AlertRule) -> list[LadderStepView] | None:
    return None if row.ladder is None else [LadderStepView.of_step(name) for name in row.ladder]


def _texts(found: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in found.items()}
