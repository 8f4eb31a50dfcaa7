"""Random walks through a rotation, with crashes around each effect: the target always works with a kept value.

The model keeps its own store and its own target: one that accepts several values, as keys and roles, or only the last.
"""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from domain.common.agenda import Wait
from domain.common.errors import Invalid, RotationUnderWay
from domain.secrets import rotation as rules
from domain.secrets.rotation import RotationAction, RotationPlan, RotationStatus, RotatorName
from tests.lanes import examples

T0 = datetime(2026, 3, 1, tzinfo=UTC)
SCHEDULE = {"every_seconds": 2_592_000, "grace_seconds": 86_400, "deadline_seconds": 172_800}
DOCUMENT = {
    "rotator": "http",
    **SCHEDULE,
    "http": {"apply": {}},
}


class RotationMachine(RuleBasedStateMachine):
    @initialize(
        only_last=st.booleans(),
        every=st.integers(2, 90),
        grace=st.integers(0, 47),
        name=st.sampled_from([RotatorName.HTTP, RotatorName.MANUAL]),
    )
    def begin(self, only_last, every, grace, name):
        document = DOCUMENT | {"rotator": name.value, "every_seconds": 86_400 * every, "grace_seconds": 3_600 * grace}
        self.now, self.only_last = T0, only_last
        self.held = rules.scheduled(RotationPlan.of(document), T0)
        self.store = {1: "current"}
        self.target = {1}
        self.deaf = self.broken = False

    # The target and the store

    def set_at_target(self, number):
        self.target = {number} if self.only_last else self.target | {number}

    @property
    def current(self):
        return next(number for number, status in self.store.items() if status == "current")

    def take(self, step, *, crash):
        """Do the effect of a step; unless it is killed then, also write that it was done."""
        held, number = self.held, self.held.number
        if step in {RotationAction.REPORT, RotationAction.ASK}:
            self.held = rules.reported(held) if step is RotationAction.REPORT else rules.awaiting_value(held)
        elif step is RotationAction.CREATE:
            if not crash:
                self.store[max(self.store) + 1] = "pending"
                self.held = rules.created(held, number=max(self.store), replaced=self.current)
        elif step is RotationAction.PROMOTE:
            # One transaction, so a crash undoes all of it.
            if not crash:
                self.store |= {held.replaced: "previous", number: "current"}
                self.held = rules.promoted(held, self.now)
        elif self.deaf:
            self.give_up(step, crash)
        elif step is RotationAction.APPLY:
            self.set_at_target(number)
            self.held = held if crash else rules.applied(held)
        elif step is RotationAction.TEST:
            works = number in self.target and not self.broken
            self.held = held if crash else rules.tested(held) if works else rules.failed(held, "refused", self.now)
        elif step is RotationAction.ROLL_BACK:
            self.set_at_target(held.replaced)
            self.target -= {number}
            if not crash:
                self.store[number] = "destroyed"
                self.held = rules.rolled_back(held, self.now)
        else:
            assert step is RotationAction.REVOKE
            self.target -= {held.replaced}
            if not crash:
                self.store[held.replaced] = "retired"
                self.held = rules.revoked(held)

    def give_up(self, step, crash):
        if crash:
            return
        if step is RotationAction.APPLY:
            # The request may have arrived although there was no answer.
            self.set_at_target(self.held.number)
        self.held = rules.failed(self.held, "no answer", self.now)

    # Steps

    @rule(crash=st.booleans())
    def work(self, crash):
        item = rules.agenda(self.held, self.now)
        if isinstance(item, Wait):
            assert item.until > self.now
            self.now = item.until
        else:
            self.take(item, crash=crash)

    @rule(deaf=st.booleans(), broken=st.booleans())
    def change_the_target(self, deaf, broken):
        self.deaf, self.broken = deaf, broken

    @rule(grace=st.none() | st.integers(0, 5).map(lambda hours: timedelta(hours=hours)))
    def hurry(self, grace):
        try:
            self.held = rules.due_now(self.held, grace=grace)
        except RotationUnderWay:
            assert self.held.status in rules.UNDER_WAY
        except Invalid:
            assert self.held.plan.rotator is RotatorName.MANUAL
        else:
            assert rules.agenda(self.held, self.now) in {
                RotationAction.CREATE,
                RotationAction.REVOKE,
                RotationAction.REPORT,
            }

    @precondition(lambda self: self.held.plan.rotator is RotatorName.MANUAL)
    @rule()
    def a_person_sends_the_value(self):
        number = max(self.store) + 1
        try:
            after = rules.supplied(self.held, number=number, replaced=self.current, grace=None)
        except RotationUnderWay:
            return
        self.store[number] = "pending"
        self.set_at_target(number)
        self.held = after

    @rule(every=st.integers(2, 90))
    def plan_anew(self, every):
        with suppress(RotationUnderWay):
            self.held = rules.planned(self.held, replace(self.held.plan, every=timedelta(days=every)))

    # Invariants

    @invariant()
    def the_target_works_with_a_kept_value(self):
        kept = {number for number, status in self.store.items() if status in {"current", "pending"}}
        assert self.target & kept
        if not self.only_last:
            assert self.current in self.target

    @invariant()
    def the_version_before_works_during_the_grace(self):
        promoted = self.held.status is RotationStatus.PROMOTED and not self.held.failures
        if promoted and self.now < self.held.next_at and not self.only_last and not self.held.asked:
            assert self.store[self.held.replaced] == "previous"
            assert self.held.replaced in self.target

    @invariant()
    def at_most_one_version_is_pending(self):
        pending = [number for number, status in self.store.items() if status == "pending"]
        assert pending == ([self.held.number] if self.held.status in rules.UNDER_WAY else [])

    @invariant()
    def overdue_is_reported_before_anything_else(self):
        late = self.now >= self.held.overdue_at
        assert (rules.agenda(self.held, self.now) is RotationAction.REPORT) is (late and not self.held.reported)

    def teardown(self):
        """Check that once the target works again, steps alone replace the value within a month, in every state."""
        if not hasattr(self, "held") or self.held.plan.rotator is RotatorName.MANUAL:
            return
        self.deaf = self.broken = False
        before, taken = self.current, 0
        while self.current == before:
            taken += 1
            assert taken < 50, f"no progress from {self.held}"
            item = rules.agenda(self.held, self.now)
            if isinstance(item, Wait):
                self.now = item.until
            else:
                self.take(item, crash=False)
        assert self.held.failures == 0
        assert self.held.detail is None


RotationMachine.TestCase.settings = settings(max_examples=examples(150), stateful_step_count=30, deadline=None)
TestRotationMachine = pytest.mark.draws(RotationMachine.TestCase)


def idle():
    return rules.scheduled(RotationPlan.of(DOCUMENT), T0)


def test_the_grace_has_to_end_before_the_next_rotation():
    with pytest.raises(Invalid, match="shorter than the interval of rotations"):
        RotationPlan.of(DOCUMENT | {"every_seconds": 86_400})


def test_a_value_that_a_person_sends_is_refused_where_the_rotator_makes_it():
    with pytest.raises(Invalid, match="makes the new value itself"):
        rules.supplied(idle(), number=2, replaced=1, grace=None)


def test_pauses_between_tries_double_up_to_a_day():
    pauses, held = [], idle()
    for _ in range(7):
        held = rules.failed(rules.created(held, number=2, replaced=1), "refused", T0)
        held = rules.rolled_back(held, T0)
        pauses.append((held.next_at - T0).total_seconds() / 3_600)
    assert pauses == [1, 2, 4, 8, 16, 24, 24]


def test_a_failed_rotation_is_given_up_once_a_person_has_repaired_the_target():
    failed = rules.failed(rules.created(idle(), number=2, replaced=1), "refused", T0)
    assert rules.agenda(rules.given_up(failed, T0), T0) is RotationAction.ROLL_BACK
    kept = rules.promoted(rules.tested(rules.applied(rules.created(idle(), number=2, replaced=1))), T0)
    with pytest.raises(RotationUnderWay, match="nothing of it has failed"):
        rules.given_up(kept, T0)
    stuck = rules.failed(kept, "not revoked", T0)
    assert isinstance(rules.agenda(stuck, T0), Wait)
    assert rules.agenda(rules.given_up(stuck, T0), T0) is RotationAction.REVOKE


def test_a_stopped_rotation_is_not_given_up_while_its_request_may_be_in_progress():
    stopped = rules.stopped(rules.created(idle(), number=2, replaced=1), "stopped", T0)
    with pytest.raises(RotationUnderWay, match="on its way") as refused:
        rules.given_up(stopped, stopped.next_at - timedelta(microseconds=1))
    assert refused.value.extra["state"] == "failed"
    assert rules.given_up(stopped, stopped.next_at).next_at == stopped.next_at


def test_a_rotation_set_by_a_person_cannot_be_stopped_because_it_cannot_be_restored():
    held = replace(idle(), plan=replace(idle().plan, rotator=RotatorName.MANUAL))
    with pytest.raises(RotationUnderWay, match="set the value at the target"):
        rules.stopped(rules.supplied(held, number=2, replaced=1, grace=None), "stopped", T0)


def test_nothing_is_restored_before_the_last_attempt_of_a_step_has_ended():
    over_at = T0 + timedelta(minutes=2)
    failed = rules.failed(rules.created(idle(), number=2, replaced=1), "no answer", over_at)
    waits = rules.agenda(failed, T0)
    assert isinstance(waits, Wait)
    assert waits.until == over_at
    assert rules.agenda(failed, over_at) is RotationAction.ROLL_BACK


@pytest.mark.parametrize("steps", range(5))
def test_a_version_that_the_target_may_need_is_not_destroyed(steps):
    walk = [
        lambda held: rules.created(held, number=2, replaced=1),
        rules.applied,
        rules.tested,
        lambda held: rules.promoted(held, T0),
    ]
    held = idle()
    for step in walk[:steps]:
        held = step(held)
    assert rules.ended_early(held, 7, T0) is None
    for number in (1, 2):
        if steps == 0:
            assert rules.ended_early(held, number, T0) is None
        elif steps == 4 and number == 1:
            assert rules.agenda(rules.ended_early(held, number, T0), T0) is RotationAction.REVOKE
        else:
            with pytest.raises(RotationUnderWay):
                rules.ended_early(held, number, T0)
    if 0 < steps < 4:
        with pytest.raises(RotationUnderWay, match="no other value than version 2"):
            rules.ended_early(rules.failed(held, "refused", T0), 2, T0)


def test_a_changed_schedule_counts_from_the_last_rotation():
    longer = RotationPlan.of(DOCUMENT | {"every_seconds": 5_184_000})
    assert rules.planned(idle(), longer).next_at == T0 + timedelta(days=60)
    tried = rules.rolled_back(rules.failed(rules.created(idle(), number=2, replaced=1), "refused", T0), T0)
    assert rules.planned(tried, longer).next_at == T0 + timedelta(hours=1)


def test_details_name_the_awaited_step_and_the_failure():
    held = rules.failed(rules.created(idle(), number=2, replaced=1), "The *host* refused", T0)
    text = rules.details("api_keys/model", rules.reported(held))
    assert "**failed** 1 times in a row: The \\*host\\* refused" in text
    assert "**overdue** since 2026-04-02 00:00 UTC" in text
    assert "`give_up`" in text
