"""Page of one escrow: its state, who acts next, and its timeline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from console.charts import Segment, segments
from console.escrow import progress
from console.escrow.acts import AWAITED, OfferedCommand, acts
from console.escrow.progress import Due, Stage
from console.escrow.steps import steps, who
from console.escrow.terms import Fact, terms
from console.format import (
    Amount,
    Ident,
    Moment,
    Prefs,
    amount,
    decimal,
    ident,
    moment,
    percent,
    relative,
    seconds_until,
)
from console.forms import FormState
from console.gateway import Answer
from console.problems import answered
from console.status import Status, status_of
from console.texts import _
from console.widgets import External, Failed, FormPage, Link, Step, external
from domain.escrow.actions import EscrowAction
from domain.escrow.state import FINAL


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    name: str
    status: Status
    amount: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Where something that was delivered is; `sha256` is None if it was not told."""

    link: External
    sha256: Ident | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    number: int
    at: Moment
    note: str
    milestone: str
    artifacts: tuple[Artifact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signatory:
    """Who may sign; `at` is None if they have not. `by` names an operator who signed in their place."""

    name: str
    at: Moment | None
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    by: str
    at: Moment
    note: str
    artifacts: tuple[Artifact, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """The dispute; what was decided is empty, or None, until it is."""

    by: str
    at: Moment
    reason: str
    until: Moment
    until_left: str
    until_seconds: int
    payer: tuple[Evidence, ...]
    payee: tuple[Evidence, ...]
    share: str
    decided_by: str
    decided_at: Moment | None
    decision: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EscrowPage(FormPage):
    id: Ident
    status: Status
    story: str
    stages: tuple[Stage, ...]
    next: str
    for_me: bool
    due: tuple[Due, ...]
    acts: tuple[OfferedCommand, ...]
    price: Amount
    granted: Amount | None
    bar: tuple[Segment, ...]
    bar_label: str
    payer: str
    payee: str
    agent: str
    cancel_asked_by: str
    milestones: tuple[Milestone, ...]
    delivery: Delivery | None
    signatories: tuple[Signatory, ...]
    signed: str
    score: str
    threshold: str
    dispute: Dispute | None
    timeline: tuple[Step, ...]
    timeline_failed: Failed | None
    terms: tuple[Fact, ...]
    terms_failed: Failed | None
    contract: str
    feedback: Link | None
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PageContext:
    """Context of a page, apart from the API's answers.

    Attributes:
        prefs: how the reader reads.
        now: the time.
        list: the address of the list.
        contract: of the contract's page; empty if there is none.
        transfers: of a transfer's page, with `{id}` in it; empty if there is none.
        reader: the organization that reads it; empty for the platform's roles.
        feedback: leads to the rating of the job; None for those who have none to give or read.
        run: of the escrow's run in the Temporal UI; empty for those who have no access there.
    """

    prefs: Prefs
    now: datetime
    list: str
    contract: str = ""
    transfers: str = ""
    reader: str = ""
    feedback: Link | None = None
    run: str = ""


def _timeline(answer: Answer, escrow: Mapping[str, Any], around: PageContext) -> tuple[Step, ...]:
    by_payee = around.reader == escrow["payee_org_id"] != escrow["payer_org_id"]
    events = answer.body["data"] if answered(answer) else ()
    return steps(events, escrow, around.prefs, around.transfers, by_payee=by_payee)


def page(
    answers: Mapping[str, Answer], form: FormState, forms: Mapping[str, FormState], around: PageContext
) -> EscrowPage:
    """Return the page of one escrow."""
    escrow, prefs = answers["escrow"].need(), around.prefs
    actions = answers["actions"].body if answers["actions"].ok else {"actions": []}
    here = f"{around.list}/{escrow['id']}"
    timeline, contract = answers["timeline"], answers["contract"]
    allowed = acts(escrow, actions, prefs, here, forms)
    threshold, score = escrow["validation_threshold"], escrow["validation_score"]
    return EscrowPage(
        title=escrow["title"],
        id=ident(escrow["id"]),
        crumbs=(Link(label=_("Escrows"), href=around.list),),
        status=status_of("escrow", escrow["status"]),
        story=escrow["story"] if escrow["status"] in FINAL else progress.summary(escrow, prefs),
        stages=progress.stages(escrow, timeline.body["data"] if answered(timeline) else (), prefs),
        next=progress.awaited(escrow, prefs, around.now),
        for_me=any(_waits(act, escrow, around.now) for act in allowed),
        due=progress.due(escrow, prefs, around.now),
        acts=allowed,
        form=form,
        price=amount(escrow["amount"], escrow["currency"], prefs),
        granted=(
            amount(escrow["granted_amount"], escrow["currency"], prefs) if Decimal(escrow["granted_amount"]) else None
        ),
        bar=_bar(escrow, prefs),
        bar_label=_("Distribution of %(amount)s", amount=f"{escrow['funded_amount']} {escrow['currency']}"),
        payer=escrow["payer_name"],
        payee=escrow["payee_name"],
        agent=escrow["agent_name"],
        cancel_asked_by=who(escrow["cancel_requested_by"], escrow) if escrow["cancel_requested_by"] else "",
        milestones=tuple(
            Milestone(
                name=each["name"],
                status=status_of("milestone", each["status"]),
                amount=amount(each["amount"], escrow["currency"], prefs),
            )
            for each in escrow["milestones"]
        ),
        delivery=_delivery(escrow["delivery"], prefs) if escrow["delivery"] else None,
        signatories=_signatories(escrow, prefs),
        signed=_("%(given)s of %(required)s", given=len(escrow["signatures"]), required=escrow["required_signatures"]),
        score=percent(score, prefs) if score is not None else "",
        threshold=percent(threshold, prefs) if threshold is not None else "",
        dispute=dispute_of(escrow, prefs, around.now) if escrow["dispute"] else None,
        timeline=_timeline(timeline, escrow, around),
        timeline_failed=_failed(_("Timeline"), timeline, here),
        terms=terms(contract.body, prefs) if answered(contract) else (),
        terms_failed=_failed(_("Terms"), contract, here),
        contract=around.contract,
        feedback=around.feedback,
        run=around.run,
    )


def _waits(act: OfferedCommand, escrow: Mapping[str, Any], now: datetime) -> bool:
    """Return whether an escrow waits for who may give a command; a delivery that replaces another is not waited for."""
    if act.name == EscrowAction.VALIDATE:
        return escrow["validation_threshold"] is not None and escrow["validation_score"] is None
    if act.name == EscrowAction.RESOLVE:
        return not progress.takes_evidence(escrow, now)
    return act.name in AWAITED and bool(act.kind)


def _failed(title: str, answer: Answer, again: str) -> Failed | None:
    return None if answer.ok else Failed(title=title, request_id=answer.request_id, again=again)


def _bar(escrow: Mapping[str, Any], prefs: Prefs) -> tuple[Segment, ...]:
    """Divide what was funded: held, paid, commission, returned."""

    def part(label: str, value: Decimal, tone: str) -> tuple[str, Amount, Decimal, str]:
        return label, amount(f"{value:f}", escrow["currency"], prefs), value, tone

    paid, fee = decimal(escrow["released_amount"]), decimal(escrow["commission_amount"])
    back = decimal(escrow["refunded_amount"])
    return segments(
        (
            part(_("Held"), progress.held(escrow), "busy"),
            part(_("To %(name)s", name=escrow["agent_name"]), paid, "good"),
            part(_("Commission"), fee, "idle"),
            part(_("Refund to %(payer)s", payer=escrow["payer_name"]), back, "warn"),
        )
    )


def _artifacts(listed: Sequence[Mapping[str, Any]]) -> tuple[Artifact, ...]:
    return tuple(
        Artifact(
            link=external(each["uri"], each["uri"]),
            sha256=Ident(each["sha256"], f"{each['sha256'][:8]}…") if each["sha256"] else None,
        )
        for each in listed
    )


def _delivery(delivery: Mapping[str, Any], prefs: Prefs) -> Delivery:
    return Delivery(
        number=delivery["number"],
        at=moment(delivery["delivered_at"], prefs),
        note=delivery["note"] or "",
        milestone=delivery["milestone"] or "",
        artifacts=_artifacts(delivery["artifacts"]),
    )


def _signatories(escrow: Mapping[str, Any], prefs: Prefs) -> tuple[Signatory, ...]:
    given = {each["signatory"]: each for each in escrow["signatures"]}

    def one(name: str) -> Signatory:
        signature = given.get(name)
        by = who(signature["signed_by"], escrow) if signature and signature["on_behalf"] else ""
        return Signatory(name=who(name, escrow), at=moment(signature["signed_at"], prefs) if signature else None, by=by)

    return tuple(one(name) for name in escrow["signatories"])


def dispute_of(escrow: Mapping[str, Any], prefs: Prefs, now: datetime) -> Dispute:
    dispute = escrow["dispute"]

    def evidence(*, is_payers: bool) -> tuple[Evidence, ...]:
        return tuple(
            Evidence(
                by=who(each["submitted_by"], escrow),
                at=moment(each["submitted_at"], prefs),
                note=each["note"],
                artifacts=_artifacts(each["artifacts"]),
            )
            for each in dispute["evidence"]
            if (each["submitted_by"].partition("/")[0] == escrow["payer_org_id"]) is is_payers
        )

    share = dispute["payee_share"]
    return Dispute(
        by=who(dispute["opened_by"], escrow),
        at=moment(dispute["opened_at"], prefs),
        reason=dispute["reason"],
        until=moment(dispute["evidence_until"], prefs),
        until_left=relative(dispute["evidence_until"], now, prefs) if progress.takes_evidence(escrow, now) else "",
        until_seconds=seconds_until(dispute["evidence_until"], now),
        payer=evidence(is_payers=True),
        payee=evidence(is_payers=False),
        share=percent(share, prefs) if share is not None else "",
        decided_by=who(dispute["resolved_by"], escrow) if dispute["resolved_by"] else "",
        decided_at=moment(dispute["resolved_at"], prefs) if dispute["resolved_at"] else None,
        decision=dispute["resolution_note"] or "",
    )
