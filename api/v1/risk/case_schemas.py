"""Schemas of cases of suspected fraud. Organizations see neither rules, facts and evidence nor other organizations."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints

from api.fields import Amount, Exact, Note, Principal, RequestModel, ResponseModel, Whole, example
from contracts.risk.case import MAX_REASON
from domain.common.access import Actor
from domain.common.money import format_amount
from domain.risk.act import EntityKind, Outcome, Point
from domain.risk.case import (
    ANSWER_WITHIN,
    APPEAL_WITHIN,
    MAX_LISTED,
    MAX_LISTED_DAYS,
    Case,
    CaseKind,
    CaseResult,
    CaseStatus,
    HoldKind,
    ListEntry,
    ReasonClass,
    require_entity,
)
from domain.risk.rule import ListName
from models.risk.case import RiskCase, RiskCaseEvent, RiskHold
from models.risk.decision import RiskDecision
from repositories.risk.case import state_of


def _listed(text: str) -> str:
    require_entity(text)
    return text


_Reason = Annotated[Note, StringConstraints(min_length=1, max_length=MAX_REASON)]
_Text = Annotated[Note, StringConstraints(min_length=1)]


class RiskCaseAssignment(RequestModel):
    """The operator who works a case."""

    model_config = example(operator="kim")

    operator: Principal = Field(description="The principal of an operator's key.")


class RiskCaseNoteCreate(RequestModel):
    """A note for operators."""

    model_config = example(note="The card belongs to the owner's company.")

    note: _Text


class RiskCaseQuestion(RequestModel):
    """A question to the affected organization."""

    model_config = example(question="Which project were these payments for?")

    question: _Reason


class RiskCaseAnswer(RequestModel):
    """The organization's answer to the question."""

    model_config = example(answer="For the game that we release in May.")

    answer: _Text


class RiskCaseAppeal(RequestModel):
    """Why the decision is wrong."""

    model_config = example(appeal="All three cards belong to our company.")

    appeal: _Text


class RiskListEntry(RequestModel):
    """An entity to list."""

    entity: Annotated[str, StringConstraints(max_length=200), AfterValidator(_listed)] = Field(
        description="As a decision has it, such as `organization:org_…`."
    )
    list: ListName
    days: Annotated[Whole, Field(ge=1, le=MAX_LISTED_DAYS)] = Field(description="Until it is taken from the list.")


class RiskCaseDecision(RequestModel):
    """The decision of a case."""

    model_config = example(result="release", reason="The owner has explained the payments.")

    result: CaseResult = Field(description="`release`: legitimate, held acts may take place; `refuse`: fraud.")
    reason: _Reason = Field(description="For operators and the audit trail; the organization does not see it.")
    value: Amount | None = Field(
        default=None, description="The money at stake that you have seen; refused if acts have joined the case since."
    )
    entries: list[RiskListEntry] = Field(default=[], max_length=MAX_LISTED)

    def listed(self) -> tuple[ListEntry, ...]:
        return tuple(ListEntry(entity=each.entity, list=each.list, days=each.days) for each in self.entries)


class RiskHoldView(ResponseModel):
    """An object that a case holds."""

    kind: HoldKind
    subject: str = Field(description="The id of the escrow, organization or agent.")
    until: datetime
    ended_at: datetime | None


class RiskHeldActView(ResponseModel):
    """A decision of the case about an act; after a release the act takes place when its request is repeated."""

    decision_id: str
    act: Point
    outcome: Outcome
    subject: str
    created_at: datetime


class RiskCaseView(ResponseModel):
    """A case. Fields for operators are null for others."""

    id: str
    status: CaseStatus
    reason: ReasonClass = Field(description="What the case is about.")
    result: CaseResult | None
    organization_ids: list[str] = Field(description="The affected organizations; others see only their own.")
    created_at: datetime
    updated_at: datetime
    kind: CaseKind | None = Field(description="For operators.")
    group: str | None = Field(description="For operators: the organization or group that the case is about.")
    value: Exact | None = Field(description="For operators: the money at stake.")
    currency: str | None = Field(description="For operators.")
    assigned_to: str | None = Field(description="For operators.")
    due_at: datetime | None = Field(description="For operators: when its next deadline acts.")

    @classmethod
    def of(cls, row: RiskCase, viewer: Actor, currency: str) -> "RiskCaseView":
        return cls(**_shown(row, viewer, currency))


class RiskCaseEventView(ResponseModel):
    """An event of a case."""

    number: int
    kind: str
    actor: str
    at: datetime
    details: dict[str, Any]


class RiskNodeView(ResponseModel):
    """An organization, or an entity that organizations share."""

    id: str
    kind: EntityKind
    is_affected: bool = Field(description="Whether the case affects it.")


class RiskEdgeView(ResponseModel):
    """A link of an organization with an entity that it used."""

    organization_id: str
    entity: str


class RiskCaseFile(ResponseModel):
    """The file of a case, for operators."""

    why: str
    timeline: list[RiskCaseEventView] = Field(description="The newest 200 events, oldest first.")
    rules: list[str] = Field(description="The rules of its decisions.")
    nodes: list[RiskNodeView] = Field(description="At most 60 organizations and entities that they share.")
    edges: list[RiskEdgeView]
    similar: list[RiskCaseView] = Field(description="At most 5 cases of the same kind.")


class RiskCaseDetails(RiskCaseView):
    """A case, what it holds, and how to answer and appeal."""

    holds: list[RiskHoldView]
    decisions: list[RiskHeldActView] = Field(description="The newest 100.")
    question: str | None
    answer: str | None
    answer_by: datetime | None = Field(description="Until when `POST /risk/cases/{id}/answer` answers the question.")
    appeal: str | None
    appeal_by: datetime | None = Field(description="Until when `POST /risk/cases/{id}/appeal` appeals the decision.")
    file: RiskCaseFile | None = Field(description="For operators.")

    @classmethod
    def made(
        cls,
        row: RiskCase,
        viewer: Actor,
        currency: str,
        holds: Sequence[RiskHold],
        decisions: Sequence[RiskDecision],
        file: RiskCaseFile | None,
    ) -> "RiskCaseDetails":
        """Build the view; a tenant sees only holds of its own, and decisions about its own acts."""
        case = state_of(row)
        own = {None, viewer.org_id}
        waits = case.status is CaseStatus.WAITING and case.asked_at is not None
        ruling = case.ruling if case.can_be_appealed else None
        return cls(
            **_shown(row, viewer, currency),
            holds=[
                RiskHoldView(kind=HoldKind(each.kind), subject=each.subject, until=each.until, ended_at=each.ended_at)
                for each in holds
                if viewer.is_platform or each.org_id in own
            ],
            decisions=[
                RiskHeldActView(
                    decision_id=each.id,
                    act=Point(each.point),
                    outcome=Outcome(each.outcome),
                    subject=each.subject,
                    created_at=each.created_at,
                )
                for each in decisions
                if viewer.is_platform or each.org_id in own
            ],
            question=case.question,
            answer=case.answer,
            answer_by=_after(case.asked_at if waits else None, ANSWER_WITHIN),
            appeal=case.appeal,
            appeal_by=_after(None if ruling is None else ruling.at, APPEAL_WITHIN),
            file=file,
        )


def _after(since: datetime | None, within: timedelta) -> datetime | None:
    return None if since is None else since + within


def _shown(row: RiskCase, viewer: Actor, currency: str) -> dict[str, Any]:
    case, is_operator = state_of(row), viewer.is_platform
    return {
        "id": row.id,
        "status": case.status,
        "reason": case.reason,
        "result": case.result,
        "organization_ids": [org_id for org_id in row.org_ids if is_operator or org_id == viewer.org_id],
        "created_at": row.created_at,
        "updated_at": row.updated_at,
        "kind": case.kind if is_operator else None,
        "group": case.group if is_operator else None,
        "value": format_amount(row.value_minor, currency) if is_operator else None,
        "currency": currency if is_operator else None,
        "assigned_to": case.assigned_to if is_operator else None,
        "due_at": row.due_at if is_operator else None,
    }


def file_of(
    case: Case,
    events: Sequence[RiskCaseEvent],
    decisions: Sequence[RiskDecision],
    links: Sequence[tuple[str, str]],
    similar: Sequence[RiskCaseView],
    *,
    most: int,
) -> RiskCaseFile:
    """Build the operators' file; the graph has at most `most` nodes, the affected organizations first."""
    nodes = dict.fromkeys((f"{EntityKind.ORGANIZATION}:{org_id}" for org_id in case.org_ids[:most]), True)
    edges = list[RiskEdgeView]()
    for entity, org_id in links:
        pair = (f"{EntityKind.ORGANIZATION}:{org_id}", entity)
        if len(nodes.keys() | set(pair)) <= most:
            for node in pair:
                nodes.setdefault(node, False)
            edges.append(RiskEdgeView(organization_id=org_id, entity=entity))
    return RiskCaseFile(
        why=case.why,
        timeline=[
            RiskCaseEventView(number=each.number, kind=each.kind, actor=each.actor, at=each.at, details=each.details)
            for each in events
        ],
        rules=sorted({each.rule for each in decisions if each.rule is not None}),
        nodes=[
            RiskNodeView(id=node, kind=EntityKind(node.partition(":")[0]), is_affected=is_affected)
            for node, is_affected in nodes.items()
        ],
        edges=edges,
        similar=list(similar),
    )
