"""A signature or a score counts for the delivery that was looked at, and for no other one."""

import pytest

from domain.common.errors import Conflict
from domain.escrow import commands
from domain.escrow.actions import EscrowAction, preview_commands
from domain.escrow.state import Escrow, Milestone, Outcome
from tests.support import escrows as e

PARTS = (Milestone(name="draft", amount_minor=1_000_000), Milestone(name="rest", amount_minor=49_000_000))


def numbered(outcome: Outcome) -> Escrow:
    return commands.with_receipt(outcome, command_id="c", now=e.T0).escrow


def funded(**changes) -> Escrow:
    opened = numbered(commands.opened(e.terms(required_signatures=1, **changes), actor=e.PROCUREMENT, now=e.T0))
    return numbered(commands.fund(opened, actor=e.PROCUREMENT, source="credits", now=e.T0))


def delivered(escrow: Escrow) -> Escrow:
    return numbered(commands.deliver(escrow, actor=e.WORKER, artifacts=(), note=".", milestone=None, now=e.T0))


def approved(escrow: Escrow, delivery: int | None = None) -> Escrow:
    return numbered(
        commands.approve(escrow, signatory="finance", actor=e.FINANCE, now=e.T0, delivery=delivery),
    )


def scored(escrow: Escrow, delivery: int | None = None) -> Escrow:
    return numbered(
        commands.validate(escrow, actor=e.VALIDATOR, score_e4=10_000, note=None, now=e.T0, delivery=delivery)
    )


def after_a_request() -> Escrow:
    """Return a funded escrow whose first delivery is a later event, because the payer has asked to cancel."""
    return numbered(commands.cancel(funded(), actor=e.PROCUREMENT, reason=None))


JUDGED = pytest.mark.parametrize("judged", [approved, scored])
SEVERAL = pytest.mark.parametrize(
    "under_review",
    [
        pytest.param(lambda: delivered(delivered(funded())), id="a delivery that replaced another"),
        pytest.param(lambda: delivered(approved(delivered(funded(milestones=PARTS)))), id="the next milestone"),
        pytest.param(lambda: delivered(delivered(after_a_request())), id="a delivery that replaced another later one"),
    ],
)


@JUDGED
@pytest.mark.parametrize("milestones", [(), PARTS])
def test_first_delivery_needs_no_number(judged, milestones):
    assert judged(delivered(funded(milestones=milestones))).released_minor > 0


@JUDGED
def test_first_delivery_after_other_events_needs_no_number(judged):
    escrow = delivered(after_a_request())
    assert (escrow.delivery.number, escrow.version) == (1, 4)
    assert judged(escrow).released_minor > 0


@SEVERAL
def test_deliveries_are_numbered_as_people_count(under_review):
    assert under_review().delivery.number == 2


@SEVERAL
@JUDGED
def test_without_a_number_only_the_first_delivery_is_meant(judged, under_review):
    escrow = under_review()
    with pytest.raises(Conflict) as refused:
        judged(escrow)
    number = escrow.delivery.number
    assert (refused.value.error_code, refused.value.status) == ("escrow.delivery_required", 409)
    assert refused.value.extra == {"state": "delivered", "delivery": number}
    assert f'"delivery": {number}' in refused.value.detail
    assert judged(escrow, number).released_minor > escrow.released_minor


@SEVERAL
def test_actions_are_offered_for_the_delivery_under_review(under_review):
    escrow = under_review()
    offered = {
        action.name: action for actor in (e.FINANCE, e.VALIDATOR) for action in preview_commands(escrow, actor, e.T0)
    }
    assert offered[EscrowAction.VALIDATE].outcome is not None
    (signing,) = [each for each in preview_commands(escrow, e.FINANCE, e.T0) if each.name is EscrowAction.APPROVE]
    assert signing.outcome is not None
