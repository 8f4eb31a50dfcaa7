"""Every due step of an escrow is eventually executed, timely commands first."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings, strategies as st

from domain.common.agenda import Wait
from domain.common.errors import DomainError
from domain.escrow import commands
from domain.escrow.agenda import AgendaInput, AgendaStep, agenda, is_late
from domain.escrow.deadlines import LATE_AFTER, next_deadline, timed_exit
from domain.escrow.state import Decision, Escrow, EscrowStatus, Milestone, Outcome
from tests.lanes import examples
from tests.support import escrows as e

#: How many commands the books hold the deadline back for at once.
AT_ONCE = 2
#: More than enough for each freeze, each lot of notes, and the exits of a dispute.
TURNS = 40


def _decisions(given_at: datetime | None = None) -> dict[str, Decision]:
    return {
        "fund": lambda s, now: commands.fund(s, actor=e.PROCUREMENT, source="credits", now=now),
        "deliver": lambda s, now: commands.deliver(
            s, actor=e.WORKER, artifacts=(), note=None, milestone=None, now=now, given_at=given_at
        ),
        "approve": lambda s, now: commands.approve(s, signatory="finance", actor=e.FINANCE, now=now, given_at=given_at),
        "sign": lambda s, now: commands.approve(
            s, signatory="procurement", actor=e.PROCUREMENT, now=now, given_at=given_at
        ),
        "dispute": lambda s, now: commands.dispute(s, actor=e.FINANCE, reason="late", now=now, given_at=given_at),
        "freeze": lambda s, now: commands.dispute(s, actor=e.OPERATOR, reason="late", now=now),
        "by a stranger": lambda s, now: commands.dispute(s, actor=e.STRANGER, reason="x", now=now),
        "refund a part": lambda s, now: commands.refund(s, actor=e.WORKER, amount_minor=1),
    }


COMMANDS = tuple(_decisions())
NOTED = ("deliver", "approve", "sign", "dispute", "by a stranger")
FREEZES = ("freeze", "by a stranger")


class Run:
    """Does what the agenda says as the run of an escrow does, with the books that hold the deadline back for notes."""

    def __init__(self, found: Escrow, now: datetime, freezes: list[str], notes: list[str]) -> None:
        self.escrow, self.now = found, now
        deadline = next_deadline(found)
        self.sent = _decisions(None if deadline is None else deadline.at - timedelta(seconds=1))
        self.standing, self.refused = list(enumerate(notes)), set[int]()
        self.freezes = tuple(freezes) if is_late(found, now) else ()
        self.news = AgendaInput(freezes=self.freezes)
        self.given: list[tuple[int, str]] = []
        self.done: list[AgendaStep] = []

    def take(self, decide: Callable[[Escrow, datetime], Outcome | None]) -> bool:
        try:
            outcome = decide(self.escrow, self.now)
        except DomainError:
            return False
        if outcome is not None:
            command_id = f"c{self.escrow.version}"
            self.escrow = commands.with_receipt(outcome, command_id=command_id, now=self.now).escrow
        return True

    def turn(self) -> bool:
        """Take the next step; False when there is none."""
        step = agenda(self.escrow, self.now, self.news)
        if not isinstance(step, AgendaStep):
            return False
        self.done.append(step)
        if step is AgendaStep.FREEZE:
            name, *rest = self.news.freezes
            self.take(self.sent[name])
            self.news = replace(self.news, freezes=tuple(rest))
        elif step is AgendaStep.HANDLE_NOTED:
            for number, name in self.given:
                if self.take(self.sent[name]):
                    self.standing.remove((number, name))
                else:
                    self.refused.add(number)
            self.news = replace(self.news, noted=0)
        else:
            self.standing = [note for note in self.standing if note[0] not in self.refused]
            self.given = self.standing[:AT_ONCE]
            self.news = replace(self.news, noted=len(self.given))
            if not self.given:
                assert self.take(timed_exit)
        return True


@st.composite
def reachable(draw: st.DrawFn) -> Escrow:
    """An escrow after any commands in any order, at the time of the last one."""
    parts = draw(st.sampled_from([0, 2]))
    milestones = tuple(Milestone(name=f"m{n}", amount_minor=25_000_000) for n in range(parts))
    escrow = commands.opened(e.terms(milestones=milestones), actor=e.PROCUREMENT, now=e.T0).escrow
    now, decisions = e.T0, _decisions()
    for name, hours in draw(st.lists(st.tuples(st.sampled_from(COMMANDS), st.integers(0, 30)), max_size=12)):
        now += timedelta(hours=hours)
        try:
            outcome = timed_exit(escrow, now) or decisions[name](escrow, now)
        except DomainError:
            continue
        escrow = commands.with_receipt(outcome, command_id=f"c{escrow.version}", now=now).escrow
    return escrow


@settings(max_examples=examples(150), deadline=None)
@given(
    reachable(),
    st.lists(st.sampled_from(FREEZES), max_size=3),
    st.lists(st.sampled_from(NOTED), max_size=6),
    st.sampled_from([timedelta(0), LATE_AFTER, 2 * LATE_AFTER, timedelta(days=40)]),
)
def test_pitfall_36_every_due_step_is_eventually_executed(found, freezes, notes, late):
    deadline = next_deadline(found)
    if deadline is None:
        assert agenda(found, found.updated_at, AgendaInput(freezes=tuple(freezes), noted=len(notes))) is None
        return
    run = Run(found, deadline.at + late, freezes, notes)
    turns = 0
    while run.turn():
        turns += 1
        assert turns < TURNS, run.done
    # The deadline has acted, or somebody had acted in time; nothing that has passed is left.
    assert run.escrow.version > found.version
    assert run.escrow.is_final or isinstance(agenda(run.escrow, run.now, AgendaInput()), Wait)
    # What was sent in time went before the deadline: the books let it act only when none of it was left.
    if AgendaStep.TIMED_EXIT in run.done and run.escrow.is_final and not run.standing:
        tried = run.done.index(AgendaStep.TIMED_EXIT)
        assert run.done[:tried] == [AgendaStep.FREEZE] * tried


@given(reachable())
def test_escrow_without_commands_ends(found):
    for _ in range(TURNS):
        item = agenda(found, found.updated_at, AgendaInput())
        if item is None:
            assert found.is_final
            return
        now = item.until if isinstance(item, Wait) else found.updated_at
        outcome = timed_exit(found, now)
        assert outcome is not None
        found = commands.with_receipt(outcome, command_id=f"c{found.version}", now=now).escrow
    pytest.fail(f"{found.status} after {TURNS} deadlines")


def delivered() -> Escrow:
    escrow = commands.opened(e.terms(), actor=e.PROCUREMENT, now=e.T0).escrow
    for number, name in enumerate(("fund", "deliver")):
        outcome = _decisions()[name](escrow, e.T0)
        escrow = commands.with_receipt(outcome, command_id=f"c{number}", now=e.T0).escrow
    return escrow


def test_operators_freeze_precedes_noted_commands_which_precede_the_deadline():
    escrow = delivered()
    assert escrow.review_by is not None
    assert agenda(escrow, escrow.review_by, AgendaInput(freezes=("a",), noted=1)) is AgendaStep.FREEZE
    assert agenda(escrow, escrow.review_by, AgendaInput(noted=1)) is AgendaStep.HANDLE_NOTED
    assert agenda(escrow, escrow.review_by, AgendaInput()) is AgendaStep.TIMED_EXIT
    before = escrow.review_by - timedelta(microseconds=1)
    item = agenda(escrow, before, AgendaInput(freezes=("a",), noted=1))
    assert item == Wait(until=escrow.review_by, why="if nobody decides by then, the money is released")


@pytest.mark.parametrize(
    ("notes", "status"), [((), "released"), (("by a stranger",) * 5, "released"), (("dispute",), "disputed")]
)
def test_a_note_that_is_refused_does_not_hold_a_deadline_back(notes, status):
    escrow = delivered()
    assert escrow.review_by is not None
    run = Run(escrow, escrow.review_by, [], list(notes))
    while run.turn():
        pass
    assert run.escrow.status is EscrowStatus(status)
