"""Due deliveries of an endpoint are sent in the end, and none while it is paused."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from domain.common.agenda import Wait
from domain.common.errors import WrongEndpointState
from domain.messages.webhook import endpoint as rules
from domain.messages.webhook.agenda import POLL_INTERVAL, Backlog, EndpointStep, agenda
from domain.messages.webhook.endpoint import ENDED_STATUSES, Endpoint, EndpointChange, EndpointStatus, GivenUp

S = EndpointStatus
T0 = datetime(2026, 3, 1, tzinfo=UTC)
BY = "operator:kim"
COMMANDS = ("pause", "resume", "skip", "disable", "enable", "change", "give up", "delete")
#: Those after which it is sent to as before.
HARMLESS = ("skip", "change")


def decided(endpoint: Endpoint, name: str) -> EndpointChange:
    match name:
        case "pause":
            return rules.pause(endpoint, actor=BY, reason="")
        case "resume":
            return rules.resume(endpoint, actor=BY)
        case "skip":
            return rules.skip(endpoint, "whd_1", actor=BY, reason="")
        case "disable":
            return rules.disable(endpoint, actor=BY)
        case "enable":
            return rules.enable(endpoint, actor=BY)
        case "change":
            return rules.note_event(endpoint, "changed", actor=BY)
        case "give up":
            return rules.give_up(endpoint, GivenUp.FAILING)
        case _:
            return rules.delete(endpoint, actor=BY)


class Run:
    """Does what the agenda says as the run of an endpoint does."""

    def __init__(self, endpoint: Endpoint, backlog: Backlog | None, now: datetime) -> None:
        self.endpoint, self.backlog, self.now = endpoint, backlog, now
        self.drained: list[datetime] = []

    def command(self, name: str) -> None:
        """Decide a step; a refusal changes nothing, and after a write the run decides again."""
        with suppress(WrongEndpointState):
            self.endpoint = rules.with_receipt(decided(self.endpoint, name), f"{name}:{self.endpoint.version}").endpoint
            self.backlog = None

    def turn(self, left: timedelta | None = None, most: timedelta | None = None) -> None:
        """Drain it, which leaves something to be sent after `left`, or wait, for `most` at the longest."""
        item = agenda(self.endpoint, self.backlog, self.now)
        assert item is not None
        if isinstance(item, Wait):
            assert self.now < item.until <= self.now + POLL_INTERVAL
            self.now = item.until if most is None else min(item.until, self.now + most)
            return
        assert item is EndpointStep.DRAIN
        assert self.endpoint.status is S.ENABLED
        self.drained.append(self.now)
        self.backlog = backlog(self.now, left)


def backlog(now: datetime, left: timedelta | None) -> Backlog:
    return Backlog(looked_at=now, next_at=None if left is None else now + left, waiting=0 if left is None else 1)


#: After what time something is to be sent again, in minutes; what is due at once is drained once more.
LEFT = st.none() | st.integers(0, 3 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))


@st.composite
def reachable(draw: st.DrawFn) -> Run:
    """The run of an endpoint after any commands, drains and waits."""
    run = Run(Endpoint(endpoint_id="whe_1", org_id="org_1", version=1), None, T0)
    for name, left in draw(st.lists(st.tuples(st.sampled_from([*COMMANDS, "turn"]), LEFT), max_size=10)):
        if name == "turn" and run.endpoint.status not in ENDED_STATUSES:
            run.turn(left)
        elif name != "turn":
            run.command(name)
    return run


@given(reachable(), st.lists(st.tuples(st.sampled_from([*HARMLESS, "news"]), st.integers(0, 90)), max_size=8))
def test_every_due_step_is_eventually_executed(run, noise):
    if run.endpoint.status is not S.ENABLED:
        return
    due = run.now
    if run.backlog is not None:
        due = max(due, min(run.backlog.looked_at + POLL_INTERVAL, run.backlog.next_at or due + POLL_INTERVAL))
    run.drained.clear()
    for name, minutes in noise:
        if name == "news":
            run.backlog = None
        else:
            run.command(name)
        run.turn(most=timedelta(minutes=minutes))
    while not run.drained:
        run.turn()
    assert run.drained[0] <= due


@given(reachable(), st.integers(1, 5))
def test_paused_endpoint_is_sent_nothing_however_long_and_everything_once_it_is_resumed(run, days):
    run.command("enable")
    run.command("resume")
    run.command("pause")
    if run.endpoint.status in ENDED_STATUSES:
        return
    run.drained.clear()
    for _ in range(days):
        run.turn()
    assert run.drained == []
    run.command("resume")
    run.turn()
    assert run.drained == [run.now]


@given(reachable())
def test_end_has_nothing_due_and_everything_else_has(run):
    item = agenda(run.endpoint, run.backlog, run.now)
    assert (item is None) == (run.endpoint.status in ENDED_STATUSES)


def test_next_try_is_waited_for_and_named() -> None:
    one = Endpoint(endpoint_id="whe_1", org_id="org_1", version=1)
    left = replace(backlog(T0, timedelta(minutes=5)), waiting=3)
    assert agenda(one, left, T0) == Wait(until=T0 + timedelta(minutes=5), why="3 wait: try again")
    assert agenda(one, left, T0 + timedelta(minutes=5)) is EndpointStep.DRAIN


def test_what_an_operator_paused_no_tenant_resumes_by_disabling_it_first():
    held = rules.pause(Endpoint(endpoint_id="whe_1", org_id="org_1"), actor=BY, reason="").endpoint
    for change in (rules.disable, rules.enable):
        with pytest.raises(WrongEndpointState, match="an operator paused it"):
            change(held, actor="org_1/owner")
    assert rules.delete(held, actor="org_1/owner").endpoint.status is EndpointStatus.DELETED
