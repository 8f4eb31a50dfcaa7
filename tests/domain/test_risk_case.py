"""The rules of a case: random walks through its commands, who may decide, and what is approved by two."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from domain.common.agenda import Wait
from domain.common.errors import DomainError, Invalid, RiskCaseDecided, RiskOwnOrganization, RiskSameOperator
from domain.common.money import amounts_from
from domain.messages.events import check
from domain.messages.events.catalogue import CATALOGUE
from domain.messages.events.risk_case import case_events
from domain.risk import case as rules
from domain.risk.act import Point
from domain.risk.case import (
    APPEAL_WITHIN,
    DECIDABLE,
    DEFAULT_AFTER,
    Case,
    CaseKind,
    CaseOutcome,
    CaseResult,
    CaseStatus,
    Decider,
    HoldKind,
    NewHold,
    ReasonClass,
)
from tests.lanes import examples

T0 = datetime(2026, 3, 4, 12, tzinfo=UTC)
ORG = "org_01kar6h2d8e4wvq3r5s7t9x1zy"
#: A decision by default, the time for an appeal, and its decision by default.
LONGEST = 2 * DEFAULT_AFTER + APPEAL_WITHIN
RESULTS = st.sampled_from(CaseResult)


def opened(kind: CaseKind = CaseKind.RING) -> Case:
    return Case(
        case_id="rcs_01kar6h2d8e4wvq3r5s7t9x1zy",
        kind=kind,
        group=ORG,
        org_ids=(ORG,),
        value_minor=500,
        reason=rules.reason_class(kind),
        why="Money circles.",
        opened_at=T0,
    )


def decided(result: CaseResult = CaseResult.REFUSE) -> Case:
    return rules.decide(opened(), T0, actor="kim", key_id="key_1", result=result, reason="seen").case


class CaseMachine(RuleBasedStateMachine):
    """Does what is tried in any order, and keeps its own list of the decisions."""

    @initialize(kind=st.sampled_from(CaseKind))
    def open(self, kind: CaseKind) -> None:
        self.case, self.now, self.results, self.count = opened(kind), T0, list[CaseResult](), 0

    def take(self, outcome: CaseOutcome) -> None:
        self.count += 1
        before, self.case = self.case, rules.with_receipt(outcome, f"cmd{self.count}").case
        assert self.case.version == before.version + 1
        assert before.status is not CaseStatus.CLOSED
        for event in case_events(self.case, outcome.event, self.now):
            check(event, CATALOGUE)
        if outcome.event == "decided":
            assert before.status in DECIDABLE
            self.results.append(CaseResult(str(outcome.details["result"])))

    def attempt(self, name: str, *timed: datetime, **given: object) -> None:
        outcome: CaseOutcome | DomainError
        try:
            outcome = getattr(rules, name)(self.case, *timed, actor="kim", **given)
        except DomainError as refusal:
            outcome = refusal
        if isinstance(outcome, CaseOutcome):
            self.take(outcome)
        elif isinstance(outcome, RiskCaseDecided):
            first = outcome.extra["decision"]
            assert isinstance(first, dict)
            assert first["result"] == self.results[0]

    @rule(hours=st.integers(0, 24 * 16))
    def wait(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        while not isinstance(step := rules.agenda(self.case, self.now), Wait | None):
            self.take(rules.taken(self.case, step, self.now))

    @rule()
    def assign(self) -> None:
        self.attempt("assign", operator="kim")

    @rule()
    def note(self) -> None:
        self.attempt("note", text="odd")

    @rule()
    def ask(self) -> None:
        self.attempt("request_information", self.now, question="Why?")

    @rule()
    def answer(self) -> None:
        self.attempt("answer", text="So.")

    @rule(result=RESULTS)
    def decide(self, result: CaseResult) -> None:
        self.attempt("decide", self.now, key_id=None, result=result, reason="seen")

    @rule()
    def appeal(self) -> None:
        before = len(self.results)
        self.attempt("appeal", self.now, text="No.")
        if self.case.status is CaseStatus.APPEALED:
            assert (before, self.case.result) == (1, CaseResult.REFUSE)

    @invariant()
    def last_decision_holds_and_there_are_two_at_most(self) -> None:
        assert len(self.results) <= 2
        assert self.case.result == (self.results[-1] if self.results else None)
        assert "**" in rules.details(self.case)

    @invariant()
    def it_ends_by_itself(self) -> None:
        case, now = self.case, self.now
        for _ in range(8):
            if (found := rules.deadline(case)) is None:
                break
            now = max(now, found[0])
            case = rules.taken(case, found[1], now).case
        assert case.status is CaseStatus.CLOSED
        assert now <= self.now + LONGEST


CaseMachine.TestCase.settings = settings(max_examples=examples(100), stateful_step_count=20, deadline=None)
TestCaseMachine = CaseMachine.TestCase


@pytest.mark.parametrize(
    "by",
    [
        Decider(name="kim", org_id=ORG, line=frozenset(), key_at=None),
        Decider(name=f"{ORG}/kim", org_id=None, line=frozenset(), key_at=None),
        Decider(name="kim", org_id=None, line=frozenset({"kim", f"{ORG}/owner"}), key_at=None),
    ],
)
def test_operator_of_an_affected_organization_does_not_decide(by: Decider) -> None:
    with pytest.raises(RiskOwnOrganization):
        rules.check_decider(opened(), by, None)


def test_appeal_takes_an_operator_whose_older_key_has_no_issuer_in_common() -> None:
    appealed = rules.appeal(decided(), T0, actor="owner", text="No.").case
    first = Decider(name="kim", org_id=None, line=frozenset({"kim", "root"}), key_at=T0 - timedelta(days=9))
    other = Decider(name="lee", org_id=None, line=frozenset({"lee"}), key_at=T0 - timedelta(days=1))
    rules.check_decider(appealed, other, first)
    for refused in (
        first,
        replace(other, name="KIM"),
        replace(other, line=frozenset({"lee", "root"})),
        replace(other, key_at=T0),
        replace(other, key_at=None),
    ):
        with pytest.raises(RiskSameOperator):
            rules.check_decider(appealed, refused, first)
    # A decision by default is nobody's own.
    rules.check_decider(appealed, first, None)


@pytest.mark.parametrize(
    ("case", "at"),
    [
        (opened(), T0),
        (decided(CaseResult.RELEASE), T0),
        (decided(), T0 + APPEAL_WITHIN),
        (replace(decided(), kind=CaseKind.APPEAL), T0),
    ],
    ids=["undecided", "released", "too late", "an appeal"],
)
def test_only_a_first_refusal_is_appealed_in_time(case: Case, at: datetime) -> None:
    with pytest.raises(DomainError, match="appealed"):
        rules.appeal(case, at, actor="owner", text="No.")


def test_two_operators_approve_above_the_amount_only() -> None:
    limit, result = amounts_from("5.00"), CaseResult.RELEASE
    assert rules.content_to_approve(opened(), result, limit, "USD") is None
    assert rules.content_to_approve(opened(), result, None, "USD") is None
    content = rules.content_to_approve(replace(opened(), value_minor=501), result, limit, "USD")
    assert content == {"amount": "5.01", "currency": "USD", "result": "release"}


@pytest.mark.parametrize("text", ["", "organization:", "org_1", "colour:red", "device:\x00", "device:" + "x" * 200])
def test_only_stored_forms_of_entities_are_listed(text: str) -> None:
    with pytest.raises(Invalid):
        rules.require_entity(text)
    rules.require_entity("device:x")


def test_reason_names_an_area_and_no_rule() -> None:
    assert {rules.reason_class(kind) for kind in CaseKind} <= set(ReasonClass)
    assert rules.reason_class(CaseKind.ACT, Point.PAYOUT) is ReasonClass.UNUSUAL_PAYOUT
    assert rules.reason_class(CaseKind.ACT, Point.LOGIN) is ReasonClass.ACCOUNT_SAFETY


def test_hold_ends_a_day_after_the_default_at_the_latest() -> None:
    hold = NewHold(kind=HoldKind.EARNINGS, subject=ORG, org_id=ORG)
    assert hold.until(T0) == T0 + DEFAULT_AFTER + timedelta(days=1)
    assert replace(hold, lasts=timedelta(days=99)).until(T0) == hold.until(T0)
    assert replace(hold, lasts=timedelta(hours=72)).until(T0) == T0 + timedelta(hours=72)
