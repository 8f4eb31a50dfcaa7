"""A command that its provider did not answer keeps others out until it was looked up, and needs no doing twice."""

from dataclasses import replace

import pytest

from domain.common.access import Actor, Role
from domain.common.errors import Conflict
from domain.payments.payment import commands
from domain.payments.payment.converge import Observation, converge
from domain.payments.payment.snapshot import DisputeStatus
from domain.payments.payment.state import Payment, PaymentStatus
from tests.support.payment_world import World
from tests.support.payments import EPOCH, TERMS

KIM = Actor(principal="kim", role=Role.OWNER, org_id=TERMS.org_id)
P = PaymentStatus


def unanswered(command: str, *, disputed: bool = False, authorized: bool = False) -> tuple[World, Payment]:
    """A payment at its provider, and how it stands here after a command without an answer."""
    world = World()
    if authorized:
        world.account.authorize()
    if disputed:
        world.account.pay()
        world.account.dispute()
    world.look()
    return world, commands.unanswered(world.payment, command, "cmd", actor=KIM, at=EPOCH).payment


def looked_up(world: World, payment: Payment) -> Payment:
    outcomes = converge(payment, Observation(snapshot=world.account.snapshot(), at=EPOCH, revalued={}))
    return outcomes[-1].payment


def test_other_commands_wait_for_what_is_looked_up():
    _, paying = unanswered("capture", authorized=True)
    world, disputed = unanswered("evidence", disputed=True)
    assert (paying.status, disputed.status) == (P.UNKNOWN, P.DISPUTED)
    (ref,) = world.account.disputes
    for check in (
        lambda: commands.check_open(paying, "confirm"),
        lambda: commands.check_capture(paying, None),
        lambda: commands.check_evidence(disputed, ref, "another"),
    ):
        with pytest.raises(Conflict) as refusal:
            check()
        assert (refusal.value.error_code, refusal.value.retryable) == ("payment.unknown_outcome", True)


def test_a_look_ends_the_search_and_says_so():
    world, payment = unanswered("capture", authorized=True)
    found = looked_up(world, payment)
    assert (found.status, found.unknown, found.version) == (P.REQUIRES_CAPTURE, False, payment.version + 1)
    assert commands.check_capture(found, None) == 1000
    assert not commands.is_command_done(found, "cmd", before={P.REQUIRES_CAPTURE})


def test_the_same_command_is_settled_by_what_was_found_and_another_one_is_not():
    world, payment = unanswered("capture", authorized=True)
    world.account.pay()
    assert not commands.is_command_done(payment, "cmd")
    found = looked_up(world, payment)
    assert commands.is_command_done(found, "cmd")
    assert not commands.is_command_done(found, "another")


@pytest.mark.parametrize(("ended", "named"), [(True, KIM.qualified()), (False, None)])
def test_who_cancelled_is_named_only_where_the_payment_was_ended(ended, named):
    world, payment = unanswered("cancel")
    if ended:
        world.account.status = world.account.ends_as
    found = looked_up(world, payment)
    assert found.cancelled_by == named
    assert found.status is (P.CANCELLED if ended else P.REQUIRES_ACTION)


@pytest.mark.parametrize("status", [DisputeStatus.UNDER_REVIEW, DisputeStatus.LOST])
def test_evidence_that_was_found_with_the_bank_counts_as_that_commands_while_the_bank_reviews_it(status):
    world, payment = unanswered("evidence", disputed=True)
    (ref,) = world.account.disputes
    world.account.disputes[ref] = replace(world.account.disputes[ref], status=status)
    found = looked_up(world, payment)
    for command_id in ("cmd", "another"):
        if status is DisputeStatus.UNDER_REVIEW and command_id == "cmd":
            assert commands.check_evidence(found, ref, command_id).ref == ref
            continue
        with pytest.raises(Conflict) as refusal:
            commands.check_evidence(found, ref, command_id)
        assert refusal.value.error_code == "payment.evidence_closed"
