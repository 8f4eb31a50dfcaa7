"""Extension of deadlines after an outage of the API."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from domain.escrow import commands
from domain.escrow.deadlines import next_deadline, timed_exit
from domain.escrow.outage import (
    MAX_EXTENSION,
    MAX_TOTAL_EXTENSION,
    Outage,
    evidence_closes_at,
    evidence_extended,
    evidence_extended_until,
    extended_until,
)
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
    state = commands.dispute(delivered(), actor=e.STUDIO, reason="r", now=T0).escrow
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
def test_deadline_acts_once_the_api_was_available_for_the_length_of_the_outage(make, event) -> None:
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


def test_only_an_outage_shortly_before_a_deadline_extends_it() -> None:
    escrow = funded()
    at = due(escrow)
    assert extended_until(escrow, Outage(began_at=at - 3 * HOUR, ended_at=at - HOUR), at) == at + HOUR
    assert extended_until(escrow, Outage(began_at=at - 3 * HOUR, ended_at=at - 2 * HOUR), at) is None
    assert extended_until(escrow, None, at) is None


def test_deadline_that_passed_before_the_outage_acts() -> None:
    escrow = funded()
    at = due(escrow)
    assert extended_until(escrow, Outage(began_at=at), at + HOUR) is None


def test_extension_counts_even_if_no_worker_ran_during_it() -> None:
    escrow = delivered()
    at = due(escrow)
    outage = Outage(began_at=at - HOUR, ended_at=at + HOUR)
    until = extended_until(escrow, outage, at + 10 * HOUR)
    # In the past by then, and what was noted before it counts.
    assert until == at + 3 * HOUR
    assert extended_until(extended(escrow, until).escrow, outage, at + 10 * HOUR) is None


def test_while_the_api_is_away_a_deadline_waits_two_days_at_most() -> None:
    escrow = funded()
    at = due(escrow)
    outage, now, ends = Outage(began_at=at - timedelta(minutes=1)), at, list[datetime]()
    while (until := extended_until(escrow, outage, now)) is not None:
        escrow, now = extended(escrow, until).escrow, until
        ends.append(until)
    assert ends[-1] == outage.began_at + 2 * MAX_EXTENSION
    assert len(ends) < 15
    assert (exit_ := timed_exit(escrow, now))
    assert exit_.escrow.status is EscrowStatus.REFUNDED


@given(away=st.integers(61, 4 * 86_400), before=st.integers(1, 86_400), late=st.integers(0, 3 * 86_400))
def test_extension_has_the_length_of_the_outage_up_to_a_day(away, before, late) -> None:
    escrow = funded()
    at = due(escrow)
    ended_at = at + timedelta(seconds=away - before)
    outage = Outage(began_at=at - timedelta(seconds=before), ended_at=ended_at)
    until = extended_until(escrow, outage, at + timedelta(seconds=late))
    if until is not None:
        assert until <= ended_at + min(timedelta(seconds=away), MAX_EXTENSION)
        assert until <= outage.began_at + 2 * MAX_EXTENSION


@pytest.mark.parametrize("make", [opened, funded, delivered, overdue, overdue_before_a_delivery])
def test_repeated_outages_extend_a_deadline_by_a_week_at_most(make) -> None:
    escrow = make()
    agreed = now = due(escrow)
    while (until := extended_until(escrow, Outage(began_at=now - HOUR, ended_at=now + 3 * HOUR), now)) is not None:
        escrow, now = extended(escrow, until).escrow, until
    assert now == agreed + MAX_TOTAL_EXTENSION
    assert timed_exit(escrow, now).escrow.is_final


def test_next_deadline_has_its_own_week() -> None:
    late = extended(opened(), due(opened()) + MAX_TOTAL_EXTENSION).escrow
    state = commands.fund(late, actor=e.PROCUREMENT, source="credits", now=T0).escrow
    at = due(state)
    assert extended_until(state, Outage(began_at=at - HOUR, ended_at=at), at) == at + HOUR
    late = extended(state, at + MAX_TOTAL_EXTENSION).escrow
    state = commands.deliver(late, actor=e.WORKER, artifacts=(), note=".", milestone=None, now=T0).escrow
    assert state.extended_from is None


def test_unused_extension_is_carried_over_to_the_next_outage() -> None:
    escrow = delivered()
    at = due(escrow)
    # Nine hours away, back for half an hour, and away for two minutes once more.
    first, minute = at - 10 * HOUR, timedelta(minutes=1)
    began_at, ended_at = first + 9.5 * HOUR, first + 9.5 * HOUR + 2 * minute
    outage = Outage(began_at=began_at, ended_at=ended_at, owed=8.5 * HOUR, owed_from=first)
    assert extended_until(escrow, outage, at) == ended_at + 8.5 * HOUR + 2 * minute
    # A deadline that had passed before the first of them acts.
    assert extended_until(replace(escrow, review_by=first), outage, at) is None


def in_dispute() -> Escrow:
    return commands.dispute(delivered(), actor=e.FINANCE, reason="r", now=T0).escrow


def test_evidence_window_is_extended_after_an_outage() -> None:
    escrow = in_dispute()
    agreed, closes_at = escrow.dispute, evidence_closes_at(escrow)
    assert closes_at == agreed.evidence_until
    outage = Outage(began_at=closes_at - 2 * HOUR, ended_at=closes_at + HOUR)
    until = evidence_extended_until(escrow, outage, closes_at)
    assert until == closes_at + 4 * HOUR
    outcome = evidence_extended(escrow, until)
    longer = outcome.escrow.dispute
    # Who decides has as long after the evidence as was agreed.
    assert (longer.evidence_until, longer.decide_by) == (until, agreed.decide_by + 4 * HOUR)
    assert longer.default_at == agreed.default_at + 4 * HOUR
    assert (outcome.event, outcome.moves, evidence_closes_at(outcome.escrow)) == ("default_extended", (), until)
    assert evidence_extended_until(outcome.escrow, outage, until) is None
    for actor in (e.WORKER, e.FINANCE):
        heard = commands.submit_evidence(
            outcome.escrow, actor=actor, note="n", artifacts=(), now=until - timedelta(seconds=1)
        )
        assert len(heard.escrow.dispute.evidence) == 1


def test_evidence_window_and_default_are_extended_by_a_week_at_most() -> None:
    escrow = in_dispute()
    agreed = escrow.dispute
    now = agreed.evidence_until
    while (
        until := evidence_extended_until(escrow, Outage(began_at=now - HOUR, ended_at=now + 3 * HOUR), now)
    ) is not None:
        escrow, now = evidence_extended(escrow, until).escrow, until
    assert escrow.dispute.evidence_until == agreed.evidence_until + MAX_TOTAL_EXTENSION
    assert escrow.dispute.evidence_until < escrow.dispute.decide_by
    escrow = timed_exit(escrow, escrow.dispute.decide_by).escrow
    at = due(escrow)
    assert at == agreed.default_at + MAX_TOTAL_EXTENSION
    assert extended_until(escrow, Outage(began_at=at - HOUR, ended_at=at + HOUR), at) is None


def test_no_window_closes_once_the_decision_is_overdue_or_without_a_dispute() -> None:
    for escrow in (opened(), funded(), delivered(), overdue()):
        assert evidence_closes_at(escrow) is None
        assert evidence_extended_until(escrow, Outage(began_at=T0 - HOUR), T0) is None


def test_alert_of_a_dispute_is_not_extended() -> None:
    escrow = commands.dispute(delivered(), actor=e.STUDIO, reason="r", now=T0).escrow
    at = due(escrow)
    assert timed_exit(escrow, at).event == "decision_overdue"
    assert extended_until(escrow, Outage(began_at=at - HOUR, ended_at=at), at) is None
