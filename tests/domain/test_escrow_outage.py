"""How long deadlines are extended after an outage of the API."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.escrow import commands
from domain.escrow.deadlines import next_deadline, timed_exit
from domain.escrow.outage import IN_ALL, LONGEST, Outage, extended_until
from domain.escrow.pause import extended
from domain.escrow.state import Escrow, EscrowStatus
from tests.support import escrows as e
from tests.support.escrows import T0

HOUR = timedelta(hours=1)


def opened() -> Escrow:
    return commands.opened(e.terms(), actor=e.PROCUREMENT, now=T0).escrow


def funded() -> Escrow:
    return commands.fund(opened(), actor=e.PROCUREMENT, source="credits", now=T0).escrow


def delivered() -> Escrow:
    return commands.deliver(funded(), actor=e.WORKER, artifacts=(), note=".", milestone=None, now=T0).escrow


def overdue() -> Escrow:
    state = commands.dispute(delivered(), actor=e.WORKER, reason="r", now=T0).escrow
    assert state.dispute
    alerted = timed_exit(state, state.dispute.decide_by)
    assert alerted
    return alerted.escrow


def overdue_before_a_delivery() -> Escrow:
    state = commands.dispute(funded(), actor=e.WORKER, reason="r", now=T0).escrow
    assert state.dispute
    alerted = timed_exit(state, state.dispute.decide_by)
    assert alerted
    return alerted.escrow


def due(escrow: Escrow) -> datetime:
    deadline = next_deadline(escrow)
    assert deadline
    return deadline.at


@pytest.mark.parametrize(
    ("make", "event"),
    [
        (opened, "funding_extended"),
        (funded, "delivery_extended"),
        (delivered, "review_extended"),
        (overdue, "default_extended"),
        (overdue_before_a_delivery, "default_extended"),
    ],
)
def test_deadline_acts_once_the_api_was_there_for_as_long_as_it_was_away(make, event) -> None:
    escrow = make()
    at = due(escrow)
    outage = Outage(began_at=at - 2 * HOUR, ended_at=at + HOUR)
    until = extended_until(escrow, outage, at + 2 * HOUR)
    assert until == at + 4 * HOUR
    outcome = extended(escrow, until)
    assert (outcome.event, outcome.moves, outcome.escrow.status) == (event, (), escrow.status)
    assert due(outcome.escrow) == until
    # Once: when that time has passed, it acts.
    assert extended_until(outcome.escrow, outage, until) is None


def test_outage_that_ended_shortly_before_a_deadline_gives_time_back_and_an_earlier_one_none() -> None:
    escrow = funded()
    at = due(escrow)
    assert extended_until(escrow, Outage(began_at=at - 3 * HOUR, ended_at=at - HOUR), at) == at + HOUR
    assert extended_until(escrow, Outage(began_at=at - 3 * HOUR, ended_at=at - 2 * HOUR), at) is None
    assert extended_until(escrow, None, at) is None


def test_deadline_that_passed_before_the_outage_acts() -> None:
    escrow = funded()
    at = due(escrow)
    assert extended_until(escrow, Outage(began_at=at), at + HOUR) is None


def test_while_the_api_is_away_a_deadline_waits_two_days_at_most() -> None:
    escrow = funded()
    at = due(escrow)
    outage, now, ends = Outage(began_at=at - timedelta(minutes=1)), at, list[datetime]()
    while (until := extended_until(escrow, outage, now)) is not None:
        escrow, now = extended(escrow, until).escrow, until
        ends.append(until)
    assert ends[-1] == outage.began_at + 2 * LONGEST
    assert len(ends) < 15
    assert (exit_ := timed_exit(escrow, now))
    assert exit_.escrow.status is EscrowStatus.REFUNDED


@given(away=st.integers(61, 4 * 86_400), before=st.integers(1, 86_400), late=st.integers(0, 3 * 86_400))
def test_outage_gives_back_what_it_took_and_a_day_at_most(away, before, late) -> None:
    escrow = funded()
    at = due(escrow)
    ended_at = at + timedelta(seconds=away - before)
    outage = Outage(began_at=at - timedelta(seconds=before), ended_at=ended_at)
    until = extended_until(escrow, outage, at + timedelta(seconds=late))
    if until is not None:
        assert until <= ended_at + min(timedelta(seconds=away), LONGEST)
        assert until <= outage.began_at + 2 * LONGEST


@pytest.mark.parametrize("make", [opened, funded, delivered, overdue, overdue_before_a_delivery])
def test_outages_that_come_again_and_again_put_a_deadline_off_by_a_week_at_most(make) -> None:
    escrow = make()
    agreed = now = due(escrow)
    while (until := extended_until(escrow, Outage(began_at=now - HOUR, ended_at=now + 3 * HOUR), now)) is not None:
        escrow, now = extended(escrow, until).escrow, until
    assert now == agreed + IN_ALL
    assert timed_exit(escrow, now).escrow.is_final


def test_next_deadline_has_its_own_week() -> None:
    late = extended(opened(), due(opened()) + IN_ALL).escrow
    state = commands.fund(late, actor=e.PROCUREMENT, source="credits", now=T0).escrow
    at = due(state)
    assert extended_until(state, Outage(began_at=at - HOUR, ended_at=at), at) == at + HOUR
    late = extended(state, at + IN_ALL).escrow
    state = commands.deliver(late, actor=e.WORKER, artifacts=(), note=".", milestone=None, now=T0).escrow
    assert state.extended_from is None


def test_alert_of_a_dispute_is_not_extended() -> None:
    escrow = commands.dispute(delivered(), actor=e.WORKER, reason="r", now=T0).escrow
    at = due(escrow)
    assert timed_exit(escrow, at).event == "decision_overdue"
    assert extended_until(escrow, Outage(began_at=at - HOUR, ended_at=at), at) is None
