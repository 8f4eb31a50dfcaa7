"""Opening of cases, and the effects of their events, in the transaction of the caller."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.errors import NotFound, WrongRiskCaseState
from domain.messages.events.risk_case import case_events
from domain.risk.act import Outcome, Point, RiskAct, StoredDecision
from domain.risk.case import (
    REFUSED_HOLD,
    TIMER,
    Case,
    CaseKind,
    CaseOutcome,
    CaseResult,
    Decider,
    HoldKind,
    NewHold,
    check_decider,
    reason_class,
    with_receipt,
)
from repositories.messages import alert, event as outbox
from repositories.risk import case as cases
from repositories.tenants import api_key as keys, audit
from runtime.identity import new_id

#: The actor of events of decisions and detectors.
DETECTOR = "risk"
#: The alert of a case that waits for a decision. Subject: the case.
OVERDUE = "risk.case_overdue"
NO_DECISION = "There is no such decision."
_LABELS = {CaseResult.RELEASE: "legitimate", CaseResult.REFUSE: "fraud"}


async def open_for(session: AsyncSession, act: RiskAct, verdict: StoredDecision, value_minor: int) -> str:
    """Open a case for an act, or add the act to the open case of its organization, and return the case's id.

    An act that takes place although its earnings wait (`hold_back`) holds the earnings of its organization.
    """
    org_ids = () if act.org_id is None else (act.org_id,)
    new = Case(
        case_id=new_id(cases.PREFIX),
        kind=CaseKind.ACT,
        group=act.org_id or act.subject,
        org_ids=org_ids,
        value_minor=value_minor,
        reason=reason_class(CaseKind.ACT, act.point),
        why=f"The rule {verdict.rule} asks for a review of a {act.point.value.replace('_', ' ')}.",
        opened_at=verdict.at,
    )
    while (found := await cases.open_of(session, new.kind, new.group)) is None:
        if await _create(session, new, {"decision_id": verdict.decision_id}):
            break
    else:
        await cases.join(session, found, (), found.value_minor + value_minor)
    case_id = new.case_id if found is None else found.id
    if verdict.outcome is Outcome.HOLD_BACK and act.org_id is not None:
        await cases.hold(session, case_id, [_earnings_of(act.org_id)], verdict.at)
    return case_id


async def open_case(
    session: AsyncSession,
    kind: CaseKind,
    group: str,
    org_ids: Sequence[str],
    value_minor: int,
    at: datetime,
    holds: Sequence[NewHold],
    why: str,
    evidence: Mapping[str, object],
) -> str:
    """Open a case of a detector, or join the undecided case of its kind and group, and return the case's id.

    Args:
        session: of the platform.
        kind: of the case.
        group: an organization, or the name of a group such as `ring:…`; it must not change from night to night.
        org_ids: the affected organizations, which see the case.
        value_minor: the money at stake, in cents; the highest one counts.
        at: the time of the finding.
        holds: are placed, also if the case was open; see `domain.risk.case.NewHold`.
        why: a sentence for operators.
        evidence: JSON, for operators.
    """
    new = Case(
        case_id=new_id(cases.PREFIX),
        kind=kind,
        group=group,
        org_ids=tuple(dict.fromkeys(org_ids)),
        value_minor=value_minor,
        reason=reason_class(kind),
        why=why,
        opened_at=at,
    )
    while (found := await cases.open_of(session, kind, group)) is None:
        if await _create(session, new, {"evidence": dict(evidence)}):
            break
    else:
        joined = [org_id for org_id in new.org_ids if org_id not in found.org_ids]
        await cases.join(session, found, new.org_ids, max(found.value_minor, value_minor))
        outcome = CaseOutcome(
            case=cases.state_of(found), event="joined", actor=DETECTOR, details={"why": why, "evidence": dict(evidence)}
        )
        command_id = new_id("cmd")
        outcome = with_receipt(outcome, command_id)
        await cases.write(session, outcome, command_id=command_id, at=at)
        await outbox.record(session, case_events(replace(outcome.case, org_ids=tuple(joined)), "opened", at))
    case_id = new.case_id if found is None else found.id
    await cases.hold(session, case_id, holds, at)
    return case_id


async def open_appeal(
    session: AsyncSession, actor: Actor, org_id: str, decision_id: str, text: str, *, command_id: str, at: datetime
) -> Case:
    """Open the case of an organization's appeal against a decision that blocked its act, once.

    After the release of the case the blocked request passes when it is repeated with its Idempotency-Key.

    Raises:
        NotFound: the organization has no such decision.
        WrongRiskCaseState: it blocked nothing, is of a case, or was appealed before.
    """
    decision = await cases.blocked_decision(session, decision_id, org_id)
    if decision is None:
        raise NotFound(NO_DECISION)
    if decision.case_id is not None:
        row = await cases.appeal_of(session, decision_id)
        if row is not None and await cases.has_done(session, row.id, command_id):
            return cases.state_of(row)
        raise WrongRiskCaseState(
            "This decision has a case already. Appeal the case.", extra={"case_id": decision.case_id}
        )
    if decision.outcome != Outcome.BLOCK:
        raise WrongRiskCaseState(
            "Only a decision that blocked an act can be appealed.", extra={"state": decision.outcome}
        )
    case = Case(
        case_id=new_id(cases.PREFIX),
        kind=CaseKind.APPEAL,
        group=decision_id,
        org_ids=(org_id,),
        value_minor=decision.value_minor,
        reason=reason_class(CaseKind.APPEAL, Point(decision.point)),
        why=f"The organization appeals a decision that blocked a {decision.point.replace('_', ' ')}.",
        appeal=text,
        opened_at=at,
    )
    # The lock of the decision lets one appeal pass.
    details = {"decision_id": decision_id, "appeal": text}
    await _create(session, case, details, actor=actor.qualified(), command_id=command_id)
    await cases.attach(session, decision_id, case.case_id)
    await audit.record(session, actor, "risk.appeal", case.case_id, {"decision_id": decision_id}, org_id)
    return case


def _earnings_of(org_id: str) -> NewHold:
    return NewHold(kind=HoldKind.EARNINGS, subject=org_id, org_id=org_id)


async def _create(
    session: AsyncSession,
    case: Case,
    details: Mapping[str, object],
    *,
    actor: str = DETECTOR,
    command_id: str | None = None,
) -> bool:
    by = command_id or f"open:{case.case_id}"
    if not await cases.create(session, case, command_id=by, actor=actor, details={"why": case.why, **details}):
        return False
    await outbox.record(session, case_events(case, "opened", case.opened_at))
    return True


async def require_decider(session: AsyncSession, case: Case, actor: Actor) -> None:
    """Refuse an operator who may not decide a case, see `domain.risk.case.check_decider`. Needs the platform's session.

    Raises:
        RiskOwnOrganization, RiskSameOperator: see there.
    """
    ruling = case.ruling
    first = None
    if ruling is not None and ruling.by != TIMER:
        first = await _decider(session, ruling.by, None, ruling.key_id)
    check_decider(case, await _decider(session, actor.qualified(), actor.org_id, actor.key_id), first)


async def _decider(session: AsyncSession, name: str, org_id: str | None, key_id: str | None) -> Decider:
    origin = await keys.key_origin(session, key_id)
    line, key_at = (frozenset[str](), None) if origin is None else (origin.line, origin.at)
    return Decider(name=name, org_id=org_id, line=line, key_at=key_at)


async def take_effect(
    session: AsyncSession, outcome: CaseOutcome, *, command_id: str, actor: Actor | None, at: datetime
) -> None:
    """Do what follows from an event of a case, in its transaction; the caller has locked the case.

    A release ends the holds. A refusal by an operator holds for `REFUSED_HOLD`; then, or when an operator acts on the
    held money, it ends. The default without a decision neither holds longer nor labels: it is no evidence of fraud.
    """
    case = outcome.case
    await alert.close_cases(session, case.case_id, ("risk_case.books_refused",))
    if actor is not None:
        for org_id in case.org_ids or (None,):
            audited = {**outcome.details, "kind": case.kind.value}
            await audit.record(session, actor, f"risk.case_{outcome.event}", case.case_id, audited, org_id)
    if outcome.event == "overdue":
        await alert.raise_alert(
            session,
            kind=OVERDUE,
            subject=case.case_id,
            detail=f"The case of {case.kind.value} with {case.value_minor} cents at stake waits for a decision. "
            "Without one it is decided by default.",
            key=f"{OVERDUE}:{case.case_id}:{case.version}",
        )
    if outcome.event == "decided":
        await _decided(session, outcome, command_id=command_id, at=at)
    await outbox.record(session, case_events(case, outcome.event, at))


async def _decided(session: AsyncSession, outcome: CaseOutcome, *, command_id: str, at: datetime) -> None:
    case, ruling = outcome.case, outcome.case.ruling
    assert ruling is not None
    await alert.close_cases(session, case.case_id, (OVERDUE,))
    if ruling.result is CaseResult.RELEASE:
        await cases.end_holds(session, case.case_id, at)
    if ruling.by == TIMER:
        return
    if ruling.result is CaseResult.REFUSE:
        await cases.extend_holds(session, case.case_id, at + REFUSED_HOLD)
    await cases.label(session, case.case_id, _LABELS[ruling.result], at)
    if case.first is not None and case.first.result is not ruling.result:
        await cases.end_entries(session, case.case_id, by=ruling.by, at=at)
    listed = [(new_id("rli"), entry) for entry in outcome.entries]
    await cases.list_entries(
        session, case.case_id, listed, reason=ruling.reason, by=ruling.by, command_id=command_id, at=at
    )
