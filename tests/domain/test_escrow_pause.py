"""Timed releases and defaults wait while their payee is suspended."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from domain.escrow import commands
from domain.escrow.deadlines import next_deadline, timed_exit
from domain.escrow.pause import EXTENSION_STEP, extended, extended_until, weeks_overdue
from domain.escrow.presentation import details
from domain.escrow.state import WHOLE_E4, Escrow, EscrowStatus
from domain.tenants.organization import OrganizationStatus, TimedExits
from tests.support import escrows as e
from tests.support.escrows import T0, TERMS

LONGEST = timedelta(days=30)


def until(
    escrow: Escrow,
    now: datetime,
    payee: OrganizationStatus = OrganizationStatus.SUSPENDED,
    exits: TimedExits = TimedExits.PAUSE,
    since: datetime = T0,
) -> datetime | None:
    return extended_until(escrow, payee=payee, timed_exits=exits, changed_at=since, longest=LONGEST, now=now)


@pytest.fixture
def escrow() -> Escrow:
    return Escrow(
        terms=TERMS,
        status=EscrowStatus.DELIVERED,
        version=3,
        opened_at=T0,
        updated_at=T0,
        review_by=T0 + timedelta(days=3),
    )


def test_release_is_not_extended_unless_paused(escrow: Escrow) -> None:
    assert escrow.review_by
    assert until(escrow, escrow.review_by, exits=TimedExits.CONTINUE) is None


def test_review_is_extended_by_a_day_at_a_time_and_never_beyond_the_longest_pause(escrow: Escrow) -> None:
    agreed = escrow.review_by
    assert agreed
    now, ends = agreed, []
    while (end := until(escrow, now)) is not None:
        escrow = extended(escrow, end).escrow
        assert escrow.review_extended_from == agreed
        ends.append(now := end)
    assert ends == [agreed + EXTENSION_STEP * day for day in range(1, 31)]


def test_release_comes_a_day_after_the_payee_was_resumed(escrow: Escrow) -> None:
    assert escrow.review_by
    resumed = escrow.review_by - timedelta(hours=1)
    assert until(escrow, escrow.review_by, OrganizationStatus.ACTIVE, since=resumed) == resumed + EXTENSION_STEP
    # Also where no worker ran until that was over: what was noted before it counts.
    assert (
        until(escrow, resumed + 2 * EXTENSION_STEP, OrganizationStatus.ACTIVE, since=resumed)
        == resumed + EXTENSION_STEP
    )
    waiting = extended(escrow, resumed + EXTENSION_STEP).escrow
    assert until(waiting, resumed + 2 * EXTENSION_STEP, OrganizationStatus.ACTIVE, since=resumed) is None


def test_second_suspension_does_not_restart_the_longest_pause(escrow: Escrow) -> None:
    assert escrow.review_by
    paused = replace(escrow, review_by=escrow.review_by + LONGEST, review_extended_from=escrow.review_by)
    assert until(paused, paused.review_by, since=paused.review_by) is None


def disputed(actor=e.STUDIO, *, share_e4: int = 5_000, is_delivered: bool = True) -> Escrow:
    """Return an escrow whose dispute is overdue; the default is next."""
    state = commands.opened(e.terms(dispute_default_share_e4=share_e4), actor=e.PROCUREMENT, now=T0).escrow
    state = commands.fund(state, actor=e.PROCUREMENT, source="credits", now=T0).escrow
    if is_delivered:
        state = commands.deliver(state, actor=e.WORKER, artifacts=(), note=".", milestone=None, now=T0).escrow
    state = commands.dispute(state, actor=actor, reason="r", now=T0).escrow
    overdue = timed_exit(state, state.dispute.decide_by)
    assert overdue is not None
    assert overdue.event == "decision_overdue"
    return overdue.escrow


@pytest.mark.parametrize("actor", [e.STUDIO, e.FINANCE, e.OPERATOR])
def test_default_is_extended_by_a_day_while_the_payee_is_suspended(actor) -> None:
    frozen = disputed(actor)
    agreed = frozen.dispute.default_at
    now, ends, weeks = agreed, [], []
    for _ in range(40):
        end = until(frozen, now)
        assert end is not None
        outcome = extended(frozen, end)
        weeks.append(weeks_overdue(outcome.escrow, now))
        assert (outcome.event, outcome.moves) == ("default_extended", ())
        frozen = outcome.escrow
        assert frozen.dispute.default_extended_from == agreed
        assert next_deadline(frozen).at == end
        ends.append(now := end)
    assert ends == [agreed + EXTENSION_STEP * day for day in range(1, 41)]
    assert weeks == [day // 7 for day in range(40)]
    assert "Default extended" in details(frozen)


def test_default_comes_a_day_after_the_payee_was_resumed_also_beyond_the_longest_pause() -> None:
    frozen = disputed()
    agreed = frozen.dispute.default_at
    waiting = extended(frozen, agreed + LONGEST + EXTENSION_STEP).escrow
    resumed = agreed + LONGEST + EXTENSION_STEP / 2
    assert (
        until(waiting, agreed + LONGEST + EXTENSION_STEP, OrganizationStatus.ACTIVE, since=resumed)
        == resumed + EXTENSION_STEP
    )
    resumed_late = extended(waiting, resumed + EXTENSION_STEP).escrow
    assert until(resumed_late, resumed + EXTENSION_STEP, OrganizationStatus.ACTIVE, since=resumed) is None


def test_default_is_not_extended_unless_paused_and_paying_the_payee() -> None:
    frozen = disputed()
    assert until(frozen, frozen.dispute.default_at, exits=TimedExits.CONTINUE) is None
    for nothing in (disputed(is_delivered=False), disputed(e.FINANCE, share_e4=0)):
        assert until(nothing, nothing.dispute.default_at) is None


def test_operators_are_alerted_at_the_agreed_time_although_the_default_waits() -> None:
    frozen = disputed()
    assert frozen.dispute
    undecided = replace(frozen, dispute=replace(frozen.dispute, overdue_alerted=False))
    assert until(undecided, frozen.dispute.decide_by) is None


@given(
    actor=st.sampled_from([e.STUDIO, e.PROCUREMENT, e.FINANCE, e.OPERATOR]),
    share_e4=st.integers(0, WHOLE_E4),
    is_delivered=st.booleans(),
    changes=st.lists(st.tuples(st.integers(0, 60 * 24), st.booleans()), max_size=6),
)
def test_suspension_of_the_payee_does_not_change_the_default(actor, share_e4, is_delivered, changes):
    frozen = disputed(actor, share_e4=share_e4, is_delivered=is_delivered)
    agreed, usual = frozen.dispute.default_at, timed_exit(frozen, frozen.dispute.default_at)
    history = [
        (T0, OrganizationStatus.SUSPENDED),
        *(
            (agreed + timedelta(hours=hours), OrganizationStatus.SUSPENDED if stops else OrganizationStatus.ACTIVE)
            for hours, stops in sorted(changes)
        ),
    ]
    while not frozen.is_final:
        now = next_deadline(frozen).at
        since, payee = [change for change in history if change[0] <= now][-1]
        end = until(frozen, now, payee, since=since)
        if end is None:
            frozen = timed_exit(frozen, now).escrow
            continue
        assert now < end <= now + EXTENSION_STEP
        frozen = extended(frozen, end).escrow
        if now > history[-1][0] + EXTENSION_STEP and payee is OrganizationStatus.SUSPENDED:
            return  # it waits for whoever decides
    assert payee is not OrganizationStatus.SUSPENDED or not usual.escrow.paid_minor
    assert (frozen.released_minor, frozen.refunded_minor) == (usual.escrow.released_minor, usual.escrow.refunded_minor)
