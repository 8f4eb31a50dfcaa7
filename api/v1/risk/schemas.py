"""Schemas of rules against fraud, lists, decisions and labels."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from api.fields import (
    EmailAddress,
    Exact,
    Moment,
    OrganizationId,
    RequestModel,
    ResponseModel,
    SearchText,
    Whole,
    example,
)
from api.v1.payments.schemas import MoneyView, money
from domain.common.money import CREDIT, format_amount
from domain.risk.act import EntityKind, Label, Outcome, Point
from domain.risk.backtest import Backtest
from domain.risk.case import CaseKind, ReasonClass, reason_class
from domain.risk.facts import FACTS
from domain.risk.rule import NAME, ListName, Mode, Rule
from models.risk.decision import RiskDecision
from models.risk.rule import RiskListItem, RiskRule

#: An expression is checked by `domain.risk.rule.check`, which refuses a long one with its own code.
Expression = Annotated[str, StringConstraints(min_length=1, max_length=10_000)]
#: Another `Mode` is a schema of usage.
AnyMode = Literal[Mode.OFF, Mode.SHADOW, Mode.ON]
_RULE: dict[str, Any] = {
    "points": ["payment", "topup"],
    "expression": "address_declined_1h >= 5 && organization_age_hours < 24",
    "action": "challenge",
    "priority": 100,
    "mode": "shadow",
    "sentence": "A new organization pays from an address with five declines within an hour.",
}
Points = Annotated[list[Point], Field(min_length=1, max_length=len(Point))]


class RiskRuleWrite(RequestModel):
    """A rule against fraud. It counts once it is activated."""

    model_config = example(**_RULE)

    points: Points = Field(description="The acts to which it applies.")
    expression: Expression = Field(description="A CEL expression over facts; the act matches where it is true.")
    action: Outcome = Field(description="The outcome of a matching act.")
    priority: Annotated[Whole, Field(ge=0, le=10_000)] = Field(
        default=100, description="Of two matching rules with the same action the one with the lower number decides."
    )
    mode: Literal[Mode.OFF, Mode.SHADOW] = Field(
        default=Mode.SHADOW, description="`shadow` stores what it would decide, without effect."
    )
    sentence: SearchText = Field(description="What it is about, for operators.")

    def rule(self, name: str) -> Rule:
        """Return the rule, before it has a version."""
        given = self.model_dump(exclude={"name", "points"})
        return Rule(name=name, version=0, points=frozenset(self.points), **given)


class RiskRuleCreate(RiskRuleWrite):
    """A new rule against fraud."""

    model_config = example(name="new_and_declined", **_RULE)

    name: Annotated[str, StringConstraints(pattern=rf"^{NAME.pattern}$")]


class RiskRuleActivate(RequestModel):
    """A change of a rule's mode."""

    model_config = example(mode="on", version=1)

    mode: AnyMode
    version: Annotated[Whole, Field(ge=0, le=2**31 - 1)] = Field(
        description="The current version, as you have read it."
    )


class RiskRuleView(ResponseModel):
    """A version of a rule against fraud."""

    name: str
    version: int = Field(description="0 for a default that no version has replaced.")
    points: list[Point]
    expression: str
    action: Outcome
    priority: int
    mode: AnyMode
    sentence: str
    created_by: str | None = Field(description="Null for a default.")
    created_at: datetime | None = Field(description="Null for a default.")

    @classmethod
    def of(cls, rule: Rule, row: RiskRule | None) -> "RiskRuleView":
        """Return the view of a rule; `row` is None for a default."""
        by, at = (None, None) if row is None else (row.created_by, row.created_at)
        return cls.from_row(rule, points=sorted(rule.points), created_by=by, created_at=at)


class RiskRulesView(ResponseModel):
    """All rules, each in its current version, in the order in which they are evaluated."""

    data: list[RiskRuleView]


class RiskRuleHistoryView(RiskRuleView):
    """A rule in its current version, and all its versions."""

    versions: list[RiskRuleView] = Field(description="Newest first, at most 100.")


class RiskBacktestCreate(RequestModel):
    """A backtest of a rule. Without `version` and `expression` it tests the current version."""

    model_config = example(**{"from": "2026-01-01T00:00:00Z", "to": "2026-01-31T00:00:00Z"})

    version: Annotated[Whole, Field(ge=0, le=2**31 - 1)] | None = None
    expression: Expression | None = Field(default=None, description="An expression that is not saved.")
    since: Moment = Field(alias="from")
    until: Moment = Field(alias="to", description="At most 90 days later.")

    @model_validator(mode="after")
    def _one(self) -> "RiskBacktestCreate":
        if self.version is not None and self.expression is not None:
            raise ValueError("Send version or expression, not both.")
        return self


class RiskAffectedView(ResponseModel):
    """An organization, and how many of its acts would have another outcome."""

    organization_id: str
    decisions: int


class RiskLabelCountsView(ResponseModel):
    """Decisions by their label."""

    fraud: int
    legitimate: int
    unknown: int


class RiskBacktestView(ResponseModel):
    """The effect that a rule would have had on stored decisions, with the facts that they saw.

    Organizations, money, labels and samples are those of the changed decisions.
    """

    name: str
    version: int | None = Field(description="Null for an expression that is not saved.")
    expression: str
    action: Outcome
    decisions: int = Field(description="How many decisions were read.")
    is_cut: bool = Field(description="Whether there were more; the newest were read.")
    matching: int
    changed: int = Field(description="Decisions that would have had another outcome.")
    newly_stopped: int = Field(description="Acts that took place and would have been reviewed or blocked.")
    newly_allowed: int = Field(description="Acts that were reviewed or blocked and would have taken place.")
    organizations: int
    most_affected: list[RiskAffectedView] = Field(description="The 20 with most changed decisions.")
    value: list[MoneyView] = Field(description="The money of the changed decisions.")
    labels: RiskLabelCountsView
    samples: list[str] = Field(description="Ids of the 20 newest changed decisions.")
    needs_two_operators: bool = Field(description="Whether such an effect takes two operators to switch on.")

    @classmethod
    def of(cls, rule: Rule, version: int | None, found: Backtest, credits_in: str) -> "RiskBacktestView":
        """Return the view of a backtest; credits were valued in `credits_in`."""
        value = Counter[str]()
        for currency, minor in found.value_minor.items():
            value[credits_in if currency in {CREDIT, ""} else currency] += minor
        labels = {label.value: found.labels[label] for label in Label}
        return cls.from_row(
            found,
            name=rule.name,
            version=version,
            expression=rule.expression,
            action=rule.action,
            organizations=len(found.organizations),
            most_affected=[{"organization_id": org_id, "decisions": count} for org_id, count in found.most_affected()],
            value=[money(minor, currency) for currency, minor in sorted(value.items())],
            labels={**labels, "unknown": found.changed - sum(labels.values())},
            needs_two_operators=found.is_large,
        )


class RiskEntity(RequestModel):
    """An entity, in its own form: an id, an address, a network such as `203.0.113.0/24`, a device's token."""

    kind: EntityKind
    value: SearchText


class RiskListItemCreate(RequestModel):
    """An entity that is always allowed or blocked until `ends_at`."""

    model_config = example(
        entity={"kind": "network", "value": "203.0.113.0/24"},
        reason="The office network of a client that pays for many organizations.",
        ends_at="2026-12-31T00:00:00Z",
    )

    entity: RiskEntity
    reason: SearchText
    ends_at: Moment = Field(description="At most 400 days from now.")


class RiskListItemView(ResponseModel):
    """An entity on a list."""

    id: str
    list: ListName
    kind: EntityKind
    entity: str = Field(description="`kind:value`; a person's or device's value is an HMAC.")
    reason: str
    ends_at: datetime
    case_id: str | None = Field(description="The case that listed it; null if an operator did.")
    created_by: str
    created_at: datetime
    removed_at: datetime | None
    removed_by: str | None

    @classmethod
    def of(cls, row: RiskListItem) -> "RiskListItemView":
        return cls.from_row(row, kind=row.entity.partition(":")[0])


class RiskDecisionView(ResponseModel):
    """A decision on an act. An organization sees its own, without what only operators see (null for it)."""

    id: str
    point: Point
    subject: str = Field(description="The object of the act, such as a payment.")
    outcome: Outcome
    reason: ReasonClass | None = Field(description="Null if the act was allowed.")
    case_id: str | None
    created_at: datetime
    organization_id: str | None = Field(description="Null for an event of the platform without one.")
    principal: str | None = Field(description="For operators.")
    rule: str | None = Field(
        description="For operators: the deciding rule, `allow_list`, `block_list`, or `unavailable` if the decision "
        "took too long."
    )
    rule_version: int | None = Field(description="For operators.")
    amount: Exact | None = Field(description="For operators: the amount of the act; credits at their price.")
    currency: str | None = Field(description="For operators.")
    score_e4: int | None = Field(description="For operators: the score of the champion model, in ten-thousandths.")
    label: Label | None = Field(description="For operators.")

    @classmethod
    def of(cls, row: RiskDecision, credits_in: str, *, is_reduced: bool) -> "RiskDecisionView":
        return cls.from_row(row, **_shown(row, credits_in, is_reduced))


def _shown(row: RiskDecision, credits_in: str, is_reduced: bool) -> dict[str, Any]:
    """Return the fields of a decision that are not its columns; credits were valued in `credits_in`."""
    currency = row.facts.get("currency")
    paid_in = credits_in if currency == CREDIT else currency
    own = {
        "principal": row.principal,
        "rule": row.rule,
        "rule_version": row.rule_version,
        "amount": None if paid_in is None else format_amount(row.value_minor, paid_in),
        "currency": paid_in,
        "score_e4": (row.score or {}).get("score_e4"),
        "label": row.label,
    }
    is_allowed = row.outcome == Outcome.ALLOW
    reason = None if is_allowed else reason_class(CaseKind.ACT, Point(row.point))
    return {"reason": reason, **(dict.fromkeys(own) if is_reduced else own)}


class RiskFactView(ResponseModel):
    """A fact that a decision saw."""

    name: str
    value: int | str
    sentence: str


class RiskScoreReasonView(ResponseModel):
    """A fact that moved a score."""

    sentence: str
    effect_e4: int = Field(description="The effect on the log odds of fraud, in ten-thousandths.")


class RiskScoreView(ResponseModel):
    """The score of the champion model at the time of a decision."""

    version: int
    score_e4: int = Field(description="The probability of fraud, in ten-thousandths.")
    reasons: list[RiskScoreReasonView]


class RiskSeenView(ResponseModel):
    """The facts, entities and score that a decision saw. A fact that is not named was 0 or empty."""

    facts: list[RiskFactView]
    shadow: dict[str, Outcome] = Field(description="The outcomes of matching rules in shadow, by name.")
    entities: Sequence[str] = Field(description="In the form `kind:value`; a person's or device's value is an HMAC.")
    counterparty_organization_id: str | None
    score: RiskScoreView | None
    challenger_score: RiskScoreView | None = Field(description="Of the newest model, without effect.")
    label_at: datetime | None

    @classmethod
    def of(cls, row: RiskDecision) -> "RiskSeenView":
        facts = [
            RiskFactView(name=name, value=value, sentence=FACTS[name].sentence if name in FACTS else "")
            for name, value in sorted(row.facts.items())
        ]
        scores = dict(row.score or {})
        challenger = scores.pop("challenger", None)
        return cls.from_row(
            row,
            facts=facts,
            counterparty_organization_id=row.counterparty_org_id,
            score=scores or None,
            challenger_score=challenger,
        )


class RiskDecisionDetailsView(RiskDecisionView):
    """A decision, and for operators what it saw."""

    details: RiskSeenView | None = Field(description="For operators.")

    @classmethod
    def of(cls, row: RiskDecision, credits_in: str, *, is_reduced: bool) -> "RiskDecisionDetailsView":
        details = None if is_reduced else RiskSeenView.of(row)
        return cls.from_row(row, **_shown(row, credits_in, is_reduced), details=details)


class RiskLabelCreate(RequestModel):
    """A label of a decision."""

    model_config = example(decision_id="rsd_01kar6h2d8e4wvq3r5s7t9x001", label="fraud")

    decision_id: SearchText
    label: Label


class RiskEvaluateCreate(RequestModel):
    """An event on the platform that is decided, such as a sign-up."""

    model_config = example(event="signup", subject="user-4711", device="dGhpcyBkZXZpY2U", address="203.0.113.7")

    event: Literal[Point.SIGNUP, Point.LOGIN, Point.LOGIN_FAILED]
    subject: SearchText = Field(description="The platform's own id of the event's object.")
    organization_id: OrganizationId | None = None
    device: SearchText | None = Field(default=None, description="An opaque token of the device.")
    address: SearchText | None = Field(default=None, description="The IP address of the person.")
    instrument: SearchText | None = Field(default=None, description="The fingerprint of a payment instrument.")
    mail: EmailAddress | None = Field(default=None, description="Only its domain is used.")


class RiskEvaluationView(ResponseModel):
    """The outcome of an event, on which the platform acts."""

    decision_id: str
    outcome: Outcome
    case_id: str | None = Field(description="The case of a review.")
    reason: ReasonClass | None = Field(description="Null if the event is allowed.")
