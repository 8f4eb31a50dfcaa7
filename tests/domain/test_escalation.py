"""Recipients and times of escalation steps for an unanswered alert."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, strategies as st

from domain.common.access import Role
from domain.common.agenda import Wait
from domain.messages.alert.escalation import EscalatedAlert, EscalationStep, agenda
from domain.messages.alert.kinds import KINDS, OPERATORS, OWNERS, OWNERS_FIRST
from domain.messages.alert.life import AlertStatus, Severity
from domain.messages.alert.presentation import details
from tests.support.cases import for_each

T0 = datetime(2026, 3, 1, tzinfo=UTC)
CASE = EscalatedAlert(
    alert_id="alr_1",
    kind="payment.dispute_opened",
    subject="pay_1",
    detail="A chargeback *was* opened",
    severity=Severity.CRITICAL,
    status=AlertStatus.FIRING,
    raised_at=T0,
    ladder=OWNERS_FIRST,
    org_id="org_1",
    shared=True,
)
OURS = replace(CASE, ladder=OPERATORS, org_id=None, shared=False)


def hours(count: float) -> datetime:
    return T0 + timedelta(hours=count)


def calls(case: EscalatedAlert, *, start: datetime = T0) -> list[tuple[str, float]]:
    """Play a run without further changes, and return the recipients with the hours of their steps."""
    taken: list[str] = []
    called, now = [], start
    while (item := agenda(case, taken, now)) is not None:
        if isinstance(item, EscalationStep):
            taken.append(item.name)
            called.append((item.role.value, (now - T0) / timedelta(hours=1)))
        else:
            assert item.until > now
            now = item.until
    return called


ALL = [("owner", 0), ("admin", 0.5), ("operator", 2)]


@for_each(
    "changes, expected",
    [
        ({}, ALL),
        ({"status": AlertStatus.ACKNOWLEDGED}, []),
        ({"status": AlertStatus.RESOLVED}, []),
        # What an organization has seen, its owners and operators hear of all the same: who saw it may have done it.
        ({"seen_by_organization": True}, [ALL[0], ALL[2]]),
        ({"shared": False}, ALL[2:]),
        ({"org_id": None}, ALL[2:]),
        ({"org_snoozed_until": hours(1)}, [("owner", 0), ("admin", 1), ("operator", 2)]),
        ({"org_snoozed_until": hours(30 * 24)}, [("owner", 0), ("operator", 2), ("admin", 720)]),
        ({"snoozed_until": hours(3)}, [*ALL[:2], ("operator", 3)]),
        ({"snoozed_until": hours(-1)}, ALL),
        ({"ladder": ()}, []),
        ({"ladder": OWNERS, "seen_by_organization": True}, ALL[:1]),
    ],
)
def test_recipients_are_notified_in_order_until_their_side_answers(changes, expected):
    assert calls(replace(CASE, **changes)) == expected


def test_late_run_notifies_each_recipient_once():
    assert calls(CASE, start=hours(1)) == [("owner", 1), ("admin", 1), ("operator", 2)]
    assert calls(OURS) == [("operator", at) for at in (0, 0.5, 2, 8)]


def test_completed_step_is_not_repeated_when_the_escalation_changes():
    longer = replace(CASE, ladder=(EscalationStep(role=Role.FINANCE, after=timedelta()), *OWNERS_FIRST))
    item = agenda(longer, {step.name for step in OWNERS}, hours(1))
    assert item == longer.ladder[0]
    waits = agenda(longer, {step.name for step in longer.ladder[:3]}, hours(1))
    assert isinstance(waits, Wait)
    assert (waits.until, "operator" in waits.why) == (hours(2), True)


def test_escalation_steps_are_distinct_and_notify_operators_only_of_visible_alerts():
    for name, kind in KINDS.items():
        assert len({step.name for step in kind.ladder}) == len(kind.ladder), name
        assert [step.after for step in kind.ladder] == sorted(step.after for step in kind.ladder), name
        assert not kind.ladder or kind.ladder[0].after == timedelta(), name


def test_escalation_status_shows_notified_and_next_recipients():
    text = details(CASE, {OWNERS[0].name}, "operator is required.")
    assert "- owner after 0:00 h: called" in text
    assert "- admin after 0:30 h: is called at 2026-03-01 00:30:00 UTC unless somebody answers" in text
    assert "the last signal was refused: operator is required" in text
    assert "*was*" not in text
    over = details(replace(CASE, status=AlertStatus.RESOLVED), ())
    assert "- operator after 2:00 h: is not called" in over
    assert "signal" not in over


ROLES = st.sampled_from([Role.OWNER, Role.ADMIN, Role.FINANCE, Role.OPERATOR])
AFTER = st.sampled_from([0, 0, 10, 30, 120, 480])
TIMES = st.none() | st.integers(-60, 3 * 24 * 60)


@st.composite
def cases(draw: st.DrawFn) -> EscalatedAlert:
    """Draw an alert with any escalation, in the state after any answers."""
    names = draw(st.lists(st.tuples(ROLES, AFTER), max_size=6, unique=True))
    until = [None if at is None else T0 + timedelta(minutes=at) for at in (draw(TIMES), draw(TIMES))]
    return replace(
        CASE,
        ladder=tuple(EscalationStep(role=role, after=timedelta(minutes=after)) for role, after in names),
        org_id=draw(st.sampled_from([None, "org_1"])),
        shared=draw(st.booleans()),
        seen_by_organization=draw(st.booleans()),
        snoozed_until=until[0],
        org_snoozed_until=until[1],
    )


def owed(case: EscalatedAlert) -> set[str]:
    """Return the unanswered sides: operators always, an organization for alerts that it may read and has not seen."""
    return {
        step.name
        for step in case.ladder
        if step.role is Role.OPERATOR
        or (case.org_id is not None and case.shared and not (case.seen_by_organization and step.after))
    }


@given(st.lists(st.tuples(cases(), st.integers(0, 12 * 60)), min_size=1, max_size=5), st.integers(0, 6))
def test_every_due_step_is_taken_once_despite_earlier_answers(history, late):
    """Each case is the state the run finds next; the last one remains."""
    ladder = history[0][0].ladder
    taken: list[str] = []
    now = hours(late)
    for number, (case, minutes) in enumerate(history):
        last = number == len(history) - 1
        # What is shown to be seen stays so: the ladder is that of the kind.
        held = replace(case, ladder=ladder)
        ends = now + timedelta(minutes=minutes)
        while (item := agenda(held, taken, now)) is not None and (last or now < ends):
            if isinstance(item, Wait):
                assert item.until > now
                now = item.until if last else min(item.until, ends)
                continue
            assert item.name in owed(held) - set(taken)
            assert now >= T0 + item.after
            if item.role is Role.OPERATOR or item.after:
                snoozed = held.snoozed_until if item.role is Role.OPERATOR else held.org_snoozed_until
                assert snoozed is None or now >= snoozed
            taken.append(item.name)
        if last:
            assert owed(held) <= set(taken)
    assert len(taken) == len(set(taken))


@given(cases(), st.sampled_from([AlertStatus.ACKNOWLEDGED, AlertStatus.RESOLVED]))
def test_nobody_is_notified_after_an_answer(case, status):
    assert agenda(replace(case, status=status), (), hours(100)) is None
