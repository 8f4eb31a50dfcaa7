"""Cases of suspected fraud: kinds, states, holds, commands and deadlines. Pure.

A case is opened by a decision or a detector, decided by an operator, or by default, and can be appealed once.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from domain.common.agenda import Wait
from domain.common.approval import content_above, require_second_operator
from domain.common.errors import (
    ApprovalSameOperator,
    Invalid,
    RiskCaseChanged,
    RiskCaseDecided,
    RiskOwnOrganization,
    RiskSameOperator,
    WrongRiskCaseState,
)
from domain.common.money import Amounts
from domain.common.text import as_markdown, is_storable, rfc3339
from domain.risk.act import EntityKind, Point
from domain.risk.rule import ListName


class CaseKind(StrEnum):
    """The subject of a case."""

    ACT = "act"  # acts of an organization that wait
    CARD_TESTING = "card_testing"
    TAKEOVER = "takeover"
    SYBIL = "sybil"
    RING = "ring"
    DELIVERY = "delivery"
    REFUND_ABUSE = "refund_abuse"
    REPUTATION = "reputation"
    APPEAL = "appeal"  # of a decision that blocked an act


class CaseStatus(StrEnum):
    """The status of a case."""

    OPEN = "open"
    ASSIGNED = "assigned"
    WAITING = "waiting"  # for the party's answer
    DECIDED = "decided"
    APPEALED = "appealed"
    CLOSED = "closed"


class HoldKind(StrEnum):
    """The kinds of objects that a case holds."""

    RELEASE = "release"  # subject: the escrow, which is not released by silence
    EARNINGS = "earnings"  # subject: the organization, whose payouts are neither made nor sent
    SCORE = "score"  # subject: the agent, whose score does not count in prices
    PREPAY = "prepay"  # subject: the organization, which pays in advance only


class CaseResult(StrEnum):
    """How a case is decided."""

    RELEASE = "release"  # legitimate: held acts may take place
    REFUSE = "refuse"  # fraud: held acts are refused, held money returns to where it came from


#: After this time without a decision operators are alerted.
ALERT_AFTER = timedelta(days=3)
#: After this time without a decision the case is decided by `DEFAULT_RESULT`.
DEFAULT_AFTER = timedelta(days=7)
#: How long a decided case can be appealed.
APPEAL_WITHIN = timedelta(days=14)
#: The result without a decision in time. An act that waits has not taken place, so refusing it loses nothing.
DEFAULT_RESULT: Mapping[CaseKind, CaseResult] = {
    **dict.fromkeys(CaseKind, CaseResult.RELEASE),
    CaseKind.ACT: CaseResult.REFUSE,
    CaseKind.APPEAL: CaseResult.REFUSE,
}


class ReasonClass(StrEnum):
    """Why a case exists, as its organizations see it. A class names the area only, so that it teaches no attacker."""

    UNUSUAL_PAYMENT = "unusual_payment"
    UNUSUAL_PAYOUT = "unusual_payout"
    RELATED_PARTIES = "related_parties"
    DELIVERY_CHECK = "delivery_check"
    ACCOUNT_SAFETY = "account_safety"


_OF_KIND: Mapping[CaseKind, ReasonClass] = {
    CaseKind.CARD_TESTING: ReasonClass.UNUSUAL_PAYMENT,
    CaseKind.REFUND_ABUSE: ReasonClass.UNUSUAL_PAYMENT,
    CaseKind.SYBIL: ReasonClass.RELATED_PARTIES,
    CaseKind.RING: ReasonClass.RELATED_PARTIES,
    CaseKind.REPUTATION: ReasonClass.RELATED_PARTIES,
    CaseKind.DELIVERY: ReasonClass.DELIVERY_CHECK,
}
_OF_POINT: Mapping[Point, ReasonClass] = {
    **dict.fromkeys((Point.PAYMENT, Point.TOPUP, Point.FUND, Point.REFUND), ReasonClass.UNUSUAL_PAYMENT),
    **dict.fromkeys((Point.PAYOUT, Point.PAYOUT_ACCOUNT), ReasonClass.UNUSUAL_PAYOUT),
    **dict.fromkeys((Point.AWARD, Point.VALIDATE, Point.FEEDBACK), ReasonClass.RELATED_PARTIES),
    Point.DELIVER: ReasonClass.DELIVERY_CHECK,
}

#: How long the party has for an answer.
ANSWER_WITHIN = timedelta(days=3)
#: The longest hold before a decision: its end is later than the case's own.
HOLD_FOR = DEFAULT_AFTER + timedelta(days=1)
#: How long a refused case holds what it held.
REFUSED_HOLD = timedelta(days=30)
#: The number of commands that a case remembers, so that a repeated one is answered and not executed again.
RECEIPT_WINDOW = 64
#: The longest time that a decision lists an entity, and the most entities that one decision lists.
MAX_LISTED_DAYS, MAX_LISTED = 365, 20
#: The actor of automatic events.
TIMER = "timer"

S = CaseStatus
#: The states that wait for the first decision. One case of a kind and group is in one of them.
UNDECIDED = frozenset({S.OPEN, S.ASSIGNED, S.WAITING})
#: The states that wait for a decision.
DECIDABLE = UNDECIDED | {S.APPEALED}


def reason_class(kind: CaseKind, point: Point | None = None) -> ReasonClass:
    """Return the reason that organizations see for a kind of case. The reason of an act is that of its `point`."""
    if point is not None:
        return _OF_POINT.get(point, ReasonClass.ACCOUNT_SAFETY)
    return _OF_KIND.get(kind, ReasonClass.ACCOUNT_SAFETY)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHold:
    """An object that a new case holds, for at most `HOLD_FOR`.

    Attributes:
        subject: see `HoldKind`.
        org_id: the organization that is affected.
    """

    kind: HoldKind
    subject: str
    org_id: str
    lasts: timedelta = HOLD_FOR

    def until(self, at: datetime) -> datetime:
        """Return the end of a hold that begins at a time."""
        return at + min(self.lasts, HOLD_FOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListEntry:
    """An entity that a decision lists; `entity` is in the form of `domain.risk.act.entity`."""

    entity: str
    list: ListName
    days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """A decision of a case.

    Attributes:
        by: the qualified principal of the operator, or `TIMER`.
        key_id: of the operator's key; None for a timer, or a signal that is not sealed.
    """

    result: CaseResult
    by: str
    key_id: str | None
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """The state of a case. `version` is the number of its latest event, `receipts` are the commands that were done.

    Attributes:
        group: an organization, a decision that is appealed, or the name of a group.
        org_ids: the affected organizations.
        value_minor: the money at stake, in cents.
        why: a sentence for operators.
        is_queued: whether its run has begun.
        is_overdue: whether operators were alerted that it waits for a decision.
        asked_at: when the party was last asked for information.
        appeal: the party's statement.
        result: of the decision in effect; null before the first.
        first: the decision that was appealed.
    """

    case_id: str
    kind: CaseKind
    group: str
    org_ids: tuple[str, ...]
    value_minor: int
    reason: ReasonClass
    why: str
    opened_at: datetime
    status: CaseStatus = S.OPEN
    version: int = 1
    is_queued: bool = False
    is_overdue: bool = False
    assigned_to: str | None = None
    question: str | None = None
    asked_at: datetime | None = None
    answer: str | None = None
    appeal: str | None = None
    appealed_at: datetime | None = None
    result: CaseResult | None = None
    ruling: Ruling | None = None
    first: Ruling | None = None
    receipts: tuple[str, ...] = ()

    def has_done(self, command_id: str) -> bool:
        """Return whether a command was executed before."""
        return command_id in self.receipts

    @property
    def can_be_appealed(self) -> bool:
        """Return whether the decision can be appealed in time: it refuses, and is the first one."""
        refused = self.status is S.DECIDED and self.result is CaseResult.REFUSE
        return refused and self.first is None and self.kind is not CaseKind.APPEAL


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseOutcome:
    """Result of a command or deadline: the next state and its event; `entries` are listed in its transaction."""

    case: Case
    event: str
    actor: str
    details: dict[str, object] = field(default_factory=dict)
    entries: tuple[ListEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decider:
    """Operator who decides.

    Attributes:
        name: the qualified principal.
        line: the principals of its key and of the key's issuers, in lower case.
        key_at: when its key was issued; None if it acts without one.
    """

    name: str
    org_id: str | None
    line: frozenset[str]
    key_at: datetime | None


def with_receipt(outcome: CaseOutcome, command_id: str) -> CaseOutcome:
    """Number the event and remember its command."""
    before = outcome.case
    receipts = (*before.receipts, command_id)[-RECEIPT_WINDOW:]
    return replace(outcome, case=replace(before, version=before.version + 1, receipts=receipts))


# Commands -------------------------------------------------------------------------------------------------------------


def assign(case: Case, *, actor: str, operator: str) -> CaseOutcome:
    """Assign a case that waits for a decision to an operator; a principal's name without its organization."""
    _require(case, DECIDABLE, "assigned")
    status = S.ASSIGNED if case.status is S.OPEN else case.status
    after = replace(case, status=status, assigned_to=operator)
    return CaseOutcome(case=after, event="assigned", actor=actor, details={"operator": operator})


def note(case: Case, *, actor: str, text: str) -> CaseOutcome:
    """Record a note of an operator, which only operators see."""
    _require(case, frozenset(S) - {S.CLOSED}, "noted on")
    return CaseOutcome(case=case, event="noted", actor=actor, details={"note": text})


def request_information(case: Case, now: datetime, *, actor: str, question: str) -> CaseOutcome:
    """Ask the party a question, and wait for the answer."""
    _require(case, {S.OPEN, S.ASSIGNED}, "asked about")
    after = replace(case, status=S.WAITING, question=question, asked_at=now, answer=None)
    return CaseOutcome(case=after, event="information_requested", actor=actor, details={"question": question})


def answer(case: Case, *, actor: str, text: str) -> CaseOutcome:
    """Record the party's answer."""
    _require(case, {S.WAITING}, "answered")
    after = replace(case, status=_unasked(case), answer=text)
    return CaseOutcome(case=after, event="answered", actor=actor, details={"answer": text})


def decide(
    case: Case,
    now: datetime,
    *,
    actor: str,
    key_id: str | None,
    result: CaseResult,
    reason: str,
    entries: tuple[ListEntry, ...] = (),
    seen_minor: int | None = None,
) -> CaseOutcome:
    """Decide a case, or decide again after an appeal; see `check_decider` for who may.

    Args:
        case: with every act that has joined it.
        now: the time.
        actor: the operator, or `TIMER`.
        key_id: of the operator's key.
        result: for all acts of the case.
        reason: for operators.
        entries: to list.
        seen_minor: the money at stake that the operator has seen; an act may have joined since.

    Raises:
        RiskCaseDecided: it was decided; `decision` is the first decision.
        RiskCaseChanged: more is at stake than was seen.
    """
    if case.status not in DECIDABLE:
        first = case.first or case.ruling
        assert first is not None
        decision = {"result": first.result.value, "reason": first.reason, "by": first.by, "at": rfc3339(first.at)}
        raise RiskCaseDecided("This case was decided before.", extra={"state": case.status.value, "decision": decision})
    if seen_minor is not None and case.value_minor != seen_minor:
        raise RiskCaseChanged("Acts have joined the case. Read it again, and decide with its value.")
    ruling = Ruling(result=result, by=actor, key_id=key_id, at=now, reason=reason)
    after = replace(case, status=S.DECIDED, result=result, ruling=ruling, first=case.ruling)
    details: dict[str, object] = {
        "result": result.value,
        "reason": reason,
        "entries": [{"entity": each.entity, "list": each.list.value, "days": each.days} for each in entries],
    }
    return CaseOutcome(case=after, event="decided", actor=actor, details=details, entries=entries)


def appeal(case: Case, now: datetime, *, actor: str, text: str) -> CaseOutcome:
    """Appeal a refusal, once and within `APPEAL_WITHIN`. Another operator decides again."""
    if case.appealed_at is not None or case.kind is CaseKind.APPEAL:
        raise WrongRiskCaseState("A case can be appealed once.", extra={"state": case.status.value})
    ends_at = None if case.ruling is None else case.ruling.at + APPEAL_WITHIN
    if not case.can_be_appealed or ends_at is None or now >= ends_at:
        raise WrongRiskCaseState(
            f"Only a case that was decided with {CaseResult.REFUSE.value} can be appealed, within "
            f"{APPEAL_WITHIN.days} days.",
            extra={"state": case.status.value},
        )
    after = replace(case, status=S.APPEALED, appeal=text, appealed_at=now, is_overdue=False)
    return CaseOutcome(case=after, event="appealed", actor=actor, details={"appeal": text})


def require_entity(text: str) -> None:
    """Refuse what is not the stored form of an entity, `kind:value`.

    Raises:
        Invalid: it is not.
    """
    kind, _, value = text.partition(":")
    if kind not in set(EntityKind) or not value or len(text) > 200 or not is_storable(text):
        raise Invalid("An entity is listed as kind:value, as a decision has it.", extra={"field": "entries"})


def content_to_approve(
    case: Case, result: CaseResult | None, above: Amounts | None, currency: str
) -> dict[str, object] | None:
    """Return what two operators approve of a decision; None if the money at stake is not above the setting."""
    content = content_above(above, case.value_minor, currency)
    return None if content is None else {**content, "result": result}


def check_decider(case: Case, by: Decider, first: Decider | None) -> None:
    """Refuse an operator of an affected organization, and the operator whose decision was appealed.

    Args:
        case: before the decision.
        by: the operator.
        first: the operator of the decision that was appealed; None without one, or if a timer decided.

    Raises:
        RiskOwnOrganization: the operator, or an issuer of the operator's key, belongs to an affected organization.
        RiskSameOperator: the appealed decision is the operator's own, also under another name.
    """
    own = {name.partition("/")[0] for name in by.line | {by.name.lower()} if "/" in name} | {by.org_id}
    if own & set(case.org_ids):
        raise RiskOwnOrganization("An operator cannot decide a case of its own organization.")
    if case.status is not S.APPEALED or first is None or case.ruling is None:
        return
    try:
        require_second_operator(
            requested_by=first.name,
            requested_at=case.ruling.at,
            requested_line=first.line,
            by=by.name,
            line=by.line,
            key_at=by.key_at or case.ruling.at,
        )
    except ApprovalSameOperator:
        raise RiskSameOperator(
            "Another operator has to decide the appeal, with a key that is older than the first decision and that "
            "neither operator issued to the other."
        ) from None


def _require(case: Case, states: Set[CaseStatus], done: str) -> None:
    if case.status not in states:
        raise WrongRiskCaseState(
            f"A case that is {case.status.value} cannot be {done}.", extra={"state": case.status.value}
        )


def _unasked(case: Case) -> CaseStatus:
    return S.OPEN if case.assigned_to is None else S.ASSIGNED


# Deadlines ------------------------------------------------------------------------------------------------------------


class CaseStep(StrEnum):
    """Automatic steps of a case."""

    QUEUE = "queue"
    ALERT = "alert"
    UNANSWERED = "unanswered"
    DEFAULT = "default"
    CLOSE = "close"


_WHY = {
    CaseStep.QUEUE: "begins",
    CaseStep.ALERT: "operators are alerted without a decision by then",
    CaseStep.UNANSWERED: "goes on if the party does not answer by then",
    CaseStep.DEFAULT: "decided by default without a decision by then",
    CaseStep.CLOSE: "closed if nobody appeals by then",
}


def deadline(case: Case) -> tuple[datetime, CaseStep] | None:
    """Return the next deadline with its step; None for a closed case. Every other state has one."""
    if case.status is S.CLOSED:
        return None
    if not case.is_queued:
        return case.opened_at, CaseStep.QUEUE
    if case.status is S.DECIDED:
        assert case.ruling is not None
        return case.ruling.at + (APPEAL_WITHIN if case.can_be_appealed else timedelta()), CaseStep.CLOSE
    since = case.appealed_at or case.opened_at
    steps = [(since + DEFAULT_AFTER, CaseStep.DEFAULT)]
    if not case.is_overdue:
        steps.append((since + ALERT_AFTER, CaseStep.ALERT))
    if case.status is S.WAITING and case.asked_at is not None:
        steps.append((case.asked_at + ANSWER_WITHIN, CaseStep.UNANSWERED))
    return min(steps, key=lambda step: step[0])


def agenda(case: Case, now: datetime) -> CaseStep | Wait | None:
    """Return the step that is due, or how long to wait; None for a closed case."""
    found = deadline(case)
    if found is None:
        return None
    at, step = found
    return step if now >= at else Wait(until=at, why=_WHY[step])


def taken(case: Case, step: CaseStep, now: datetime) -> CaseOutcome:
    """Take an automatic step."""
    match step:
        case CaseStep.QUEUE:
            return CaseOutcome(case=replace(case, is_queued=True), event="queued", actor=TIMER)
        case CaseStep.ALERT:
            return CaseOutcome(case=replace(case, is_overdue=True), event="overdue", actor=TIMER)
        case CaseStep.UNANSWERED:
            return CaseOutcome(case=replace(case, status=_unasked(case)), event="unanswered", actor=TIMER)
        case CaseStep.CLOSE:
            return CaseOutcome(case=replace(case, status=S.CLOSED), event="closed", actor=TIMER)
        case CaseStep.DEFAULT:
            # An appeal that nobody decided leaves the decision as it is.
            result = case.result or DEFAULT_RESULT[case.kind]
            return decide(case, now, actor=TIMER, key_id=None, result=result, reason="No operator decided in time.")


def summary(case: Case) -> str:
    """Return the summary of the run in the Temporal UI."""
    return f"{case.kind.value} of {case.group}"


def details(case: Case) -> str:
    """Return the state for operators, as Markdown."""
    lines = [f"**{case.status.value}** · {summary(case)} · {case.reason.value}", "", f"- {as_markdown(case.why)}"]
    lines += [f"- affects `{org_id}`" for org_id in case.org_ids[:10]]
    lines.append(f"- money at stake: {case.value_minor} cents")
    if case.assigned_to is not None:
        lines.append(f"- assigned to {as_markdown(case.assigned_to)}")
    for name, text in (("asked", case.question), ("answered", case.answer), ("appealed", case.appeal)):
        if text is not None:
            lines.append(f"- {name}: {as_markdown(text)}")
    for ruling in (case.first, case.ruling):
        if ruling is not None:
            by, reason = as_markdown(ruling.by), as_markdown(ruling.reason)
            lines.append(f"- {ruling.result.value} by {by} on {ruling.at:%Y-%m-%d %H:%M} UTC: {reason}")
    found = deadline(case)
    if found is not None:
        lines.append(f"- {_WHY[found[1]]}: {found[0]:%Y-%m-%d %H:%M} UTC")
    return "\n".join(lines)
