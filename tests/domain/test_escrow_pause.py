"""When a release by time, or a dispute's default, waits for a suspended payee, and for how long."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.escrow import commands
from domain.escrow.deadlines import next_deadline, timed_exit
from domain.escrow.pause import STEP, extended, extended_until, is_withheld, withheld
from domain.escrow.presentation import details
from domain.escrow.state import WHOLE_E4, Escrow, EscrowStatus
from domain.organization import OrganizationStatus, TimedExits
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


def test_release_goes_on_unless_it_was_paused(escrow: Escrow) -> None:
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
    assert ends == [agreed + STEP * day for day in range(1, 31)]


def test_release_comes_a_day_after_the_payee_was_resumed(escrow: Escrow) -> None:
    assert escrow.review_by
    resumed = escrow.review_by - timedelta(hours=1)
    assert until(escrow, escrow.review_by, OrganizationStatus.ACTIVE, since=resumed) == resumed + STEP
    assert until(escrow, resumed + STEP, OrganizationStatus.ACTIVE, since=resumed) is None


def test_suspending_again_does_not_begin_the_longest_pause_anew(escrow: Escrow) -> None:
    assert escrow.review_by
    paused = replace(escrow, review_by=escrow.review_by + LONGEST, review_extended_from=escrow.review_by)
    assert until(paused, paused.review_by, since=paused.review_by) is None


def disputed(actor=e.WORKER, *, share_e4: int = 5_000, is_delivered: bool = True) -> Escrow:
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


@pytest.mark.parametrize("actor", [e.WORKER, e.FINANCE, e.OPERATOR])
def test_default_waits_a_day_at_a_time_and_never_beyond_the_longest_pause(actor) -> None:
    frozen = disputed(actor)
    agreed = frozen.dispute.default_at
    now, ends = agreed, []
    while (end := until(frozen, now)) is not None:
        outcome = extended(frozen, end)
        assert (outcome.event, outcome.moves) == ("default_extended", ())
        frozen = outcome.escrow
        assert frozen.dispute.default_extended_from == agreed
        assert next_deadline(frozen).at == end
        ends.append(now := end)
    assert ends == [agreed + STEP * day for day in range(1, 31)]
    assert "Default extended" in details(frozen)


def test_default_goes_on_unless_it_was_paused_and_where_it_pays_the_payee_nothing() -> None:
    frozen = disputed()
    assert until(frozen, frozen.dispute.default_at, exits=TimedExits.CONTINUE) is None
    for nothing in (disputed(is_delivered=False), disputed(e.FINANCE, share_e4=0)):
        assert until(nothing, nothing.dispute.default_at) is None
        assert not is_withheld(nothing, payee=OrganizationStatus.SUSPENDED, timed_exits=TimedExits.PAUSE)


def test_operators_are_alerted_at_the_agreed_time_although_the_default_waits() -> None:
    frozen = disputed()
    assert frozen.dispute
    undecided = replace(frozen, dispute=replace(frozen.dispute, overdue_alerted=False))
    assert until(undecided, frozen.dispute.decide_by) is None


@given(
    actor=st.sampled_from([e.WORKER, e.STUDIO, e.PROCUREMENT, e.FINANCE, e.OPERATOR]),
    share_e4=st.integers(0, WHOLE_E4),
    is_delivered=st.booleans(),
    changes=st.lists(st.tuples(st.integers(0, 60 * 24), st.booleans()), max_size=6),
)
def test_undecided_dispute_never_pays_a_payee_while_it_is_suspended_and_paused(actor, share_e4, is_delivered, changes):
    frozen = disputed(actor, share_e4=share_e4, is_delivered=is_delivered)
    agreed = frozen.dispute.default_at
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
        if end is not None:
            assert now < end <= agreed + LONGEST
            frozen = extended(frozen, end).escrow
            continue
        outcome = timed_exit(frozen, now)
        if is_withheld(frozen, payee=payee, timed_exits=TimedExits.PAUSE):
            outcome = withheld(frozen, now)
        frozen = outcome.escrow
    assert frozen.released_minor + frozen.refunded_minor + frozen.commission_minor == frozen.funded_minor
    if payee is OrganizationStatus.SUSPENDED:
        assert (frozen.released_minor, frozen.commission_minor) == (0, 0)
        assert frozen.status is EscrowStatus.REFUNDED
