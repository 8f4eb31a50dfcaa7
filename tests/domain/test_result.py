"""Results derived from escrow events, and permission to report results."""

from datetime import timedelta

import pytest

from domain.escrow import commands
from domain.escrow.deadlines import timed_exit
from domain.escrow.state import Escrow, Milestone, Outcome
from domain.returns.result import Result, ResultSource, is_self_report, result_of_escrow
from tests.support.escrows import ARBITER, FINANCE, PROCUREMENT, STUDIO, T0, VALIDATOR, WORKER, terms

NOW = T0 + timedelta(hours=1)


def funded(**changes: object) -> Escrow:
    opened = commands.opened(terms(**changes), actor=PROCUREMENT, now=T0).escrow
    return commands.fund(opened, actor=PROCUREMENT, source="credits", now=T0).escrow


def delivered(escrow: Escrow, milestone: str | None = None) -> Escrow:
    return commands.deliver(escrow, actor=WORKER, artifacts=(), note=None, milestone=milestone, now=NOW).escrow


def result(before: Escrow, outcome: Outcome, score_e4: int | None = None) -> Result | None:
    return result_of_escrow(before, outcome.escrow, outcome.event, score_e4, outcome.actor)


@pytest.mark.parametrize(("score_e4", "accepted"), [(9_200, True), (7_999, False)])
def test_a_validators_score_is_a_result_that_its_release_accepts(score_e4, accepted):
    before = delivered(funded())
    scored = commands.validate(before, actor=VALIDATOR, score_e4=score_e4, note=None, now=NOW)
    found = result(before, scored, score_e4)
    assert found is not None
    assert (found.source, found.score_e6, found.is_accepted) == (ResultSource.ESCROW, score_e4 * 100, accepted)
    assert (found.org_id, found.agent_id, found.task_id) == ("org_payee", "agt_1", "esc_1")
    assert found.value_minor == (50_000_000 if accepted else 0)


def test_best_score_without_a_release_is_not_accepted():
    before = delivered(funded(validation_threshold_e4=None))
    scored = commands.validate(before, actor=VALIDATOR, score_e4=10_000, note=None, now=NOW)
    found = result(before, scored, 10_000)
    assert found is not None
    assert not found.is_accepted


@pytest.mark.parametrize(("share_e4", "score_e6", "accepted"), [(10_000, 1_000_000, True), (2_500, 250_000, False)])
def test_the_outcome_of_a_dispute_is_the_payees_share(share_e4, score_e6, accepted):
    before = commands.dispute(delivered(funded()), actor=FINANCE, reason="wrong", now=NOW).escrow
    decided = commands.resolve(
        before, actor=ARBITER, payee_share_e4=share_e4, note=None, now=before.dispute.evidence_until
    )
    found = result(before, decided)
    assert found is not None
    assert (found.source, found.score_e6, found.is_accepted) == (ResultSource.CONTRACT, score_e6, accepted)


def test_each_signed_milestone_is_accepted_separately():
    parts = (Milestone(name="a", amount_minor=20_000_000), Milestone(name="b", amount_minor=30_000_000))
    before = delivered(funded(milestones=parts, required_signatures=1), "a")
    signed = commands.approve(before, signatory="procurement", actor=PROCUREMENT, now=NOW)
    found = result(before, signed)
    assert found is not None
    assert (found.score_e6, found.is_accepted, found.value_minor) == (1_000_000, True, 20_000_000)
    # A run counts by its last result, so that has the value of all that was paid.
    last = delivered(signed.escrow, "b")
    ended = result(last, commands.approve(last, signatory="procurement", actor=PROCUREMENT, delivery=2, now=NOW))
    assert ended is not None
    assert (ended.score_e6, ended.is_accepted, ended.value_minor) == (1_000_000, True, 50_000_000)


def test_refund_after_delivery_counts_as_refused_work():
    empty = funded()
    assert result(empty, commands.refund(empty, actor=STUDIO, amount_minor=None)) is None
    before = delivered(empty)
    found = result(before, commands.refund(before, actor=STUDIO, amount_minor=None))
    assert found is not None
    assert (found.score_e6, found.is_accepted) == (0, False)


def test_missing_delivery_counts_as_refused_work():
    before = funded()
    expired = timed_exit(before, T0 + timedelta(days=8))
    assert expired is not None
    found = result(before, expired)
    assert found is not None
    assert (found.score_e6, found.is_accepted) == (0, False)


def test_only_an_agents_own_key_reports_on_itself():
    assert is_self_report(WORKER)
    assert not is_self_report(STUDIO)
