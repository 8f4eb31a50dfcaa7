"""Every due step of a payment is eventually executed."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings, strategies as st

from domain.common.agenda import Wait
from domain.payments.payment.agenda import (
    LONGEST_LOOKUP,
    OPEN_FOR_COMMANDS,
    POLL,
    AgendaInput,
    AgendaStep,
    after_step,
    agenda,
    due_steps,
    retry_at,
)
from domain.payments.payment.fulfilment import is_awaited, readiness
from domain.payments.payment.purposes.base import Readiness
from domain.payments.payment.purposes.escrow import fulfilled, fulfilment_started
from domain.payments.payment.snapshot import DisputeStatus, ProviderStatus
from domain.payments.payment.state import Fulfilment, Payment, PaymentStatus, RefundState, status_of
from domain.payments.payment.terms import Purpose, PurposeKind
from tests.domain.test_payment_fulfilment import ESCROW, INVOICE, payment
from tests.lanes import examples
from tests.support.payment_world import STEPS, World
from tests.support.payments import EPOCH, TERMS

CREDITS = Purpose(kind=PurposeKind.CREDITS, goods_asset="CREDIT", goods_minor=100_000_000)
#: More than enough turns for each step once, with all the others between.
TURNS = 60


@st.composite
def reachable(draw: st.DrawFn) -> Payment:
    """A payment after anything that can have happened at its provider, with calls that broke off."""
    purpose = draw(st.sampled_from([ESCROW, INVOICE, CREDITS]))
    world = World(replace(TERMS, purpose=purpose))
    steps = draw(STEPS)
    for number, (name, amount) in enumerate(steps):
        world.step(name, amount)
        if number == len(steps) // 2 and readiness(world.payment) is Readiness.READY and draw(st.booleans()):
            world.payment = fulfilment_started(world.payment, at=EPOCH).payment
            if draw(st.booleans()):
                world.payment = fulfilled(world.payment, at=EPOCH).payment
    made = world.payment
    states = [RefundState.UNKNOWN, RefundState.REQUESTED, None]
    refunds = [
        replace(refund, state=state) if (state := draw(st.sampled_from(states))) is not None else refund
        for refund in made.refunds
    ]
    unknown = draw(st.booleans())
    by = draw(st.sampled_from([None, None, "ann"]))
    made = replace(made, refunds=tuple(refunds), unknown=unknown, seen_minor=draw(st.sampled_from([0, 0, 1])))
    made = replace(made, cancel_requested_by=by)
    return replace(made, status=status_of(made))


class Run:
    """Does what the agenda says as the run of a payment does, in a world where nothing has any effect."""

    def __init__(self, found: Payment, now, *, noisy: bool) -> None:
        self.payment, self.now, self.noisy = found, now, noisy
        self.news, self.done = AgendaInput(wants_refresh=noisy), list[AgendaStep]()

    def turn(self) -> None:
        item = agenda(self.payment, self.now, self.news)
        if isinstance(item, Wait):
            # A run that has ended stays where it is.
            assert item.until > self.now or item.why == OPEN_FOR_COMMANDS, item
            self.now = max(item.until, self.now)
            self.news = replace(self.news, wants_refresh=True)
            return
        self.done.append(item)
        self.news = replace(self.news, wants_refresh=self.noisy, lookups=self.news.lookups + 1)
        held = None if item is AgendaStep.REFRESH else retry_at(self.now, self.news.lookups)
        self.news = after_step(self.news, item, hold_until=held)
        self.now += timedelta(seconds=1)


@settings(max_examples=examples(150), deadline=None)
@given(reachable(), st.booleans(), st.sampled_from([0, 22, 24, 24 * 40]))
def test_pitfall_36_every_due_step_is_eventually_executed(found, noisy, hours):
    now = max(EPOCH + timedelta(hours=hours), found.updated_at)
    wanted = set(due_steps(found, now, AgendaInput(wants_refresh=noisy)))
    run = Run(found, now, noisy=noisy)
    for _ in range(TURNS):
        run.turn()
    # Time that passes can make more due, and turn the making of a payment into its end.
    late = {AgendaStep.END_UNCREATED} if AgendaStep.SUBMIT in wanted else set()
    assert wanted <= {*run.done, *late}, (wanted, run.done)


@settings(max_examples=examples(150), deadline=None)
@given(reachable(), st.sampled_from([0, 22, 24, 24 * 40]))
def test_only_unfinished_payments_have_due_steps(found, hours):
    now = max(EPOCH + timedelta(hours=hours), found.updated_at)
    item = agenda(found, now, AgendaInput())
    if isinstance(item, Wait):
        assert due_steps(found, now, AgendaInput()) == []
    else:
        assert is_awaited(found) or item in {AgendaStep.SUBMIT_REFUNDS, AgendaStep.EXPIRE}


def disputed(**changes: object) -> Payment:
    found = payment(ESCROW, (RefundState.UNKNOWN, 400), (DisputeStatus.NEEDS_RESPONSE, 600), **changes)
    return replace(found, ref="fp_1", fulfilment=Fulfilment.DONE)


def test_a_freeze_does_not_wait_for_an_unknown_refund():
    assert agenda(disputed(), EPOCH, AgendaInput(wants_refresh=True)) is AgendaStep.FREEZE


def test_an_unknown_refund_delays_neither_a_refresh_nor_a_poll():
    found = replace(disputed(), escrow_frozen=True)
    held = after_step(AgendaInput(), AgendaStep.SUBMIT_REFUNDS, hold_until=EPOCH + LONGEST_LOOKUP)
    assert agenda(found, EPOCH, replace(held, wants_refresh=True)) is AgendaStep.REFRESH
    item = agenda(found, EPOCH + timedelta(seconds=5), replace(held, polled_at=EPOCH))
    assert item == Wait(until=EPOCH + timedelta(seconds=found.terms.first_poll_seconds), why="ask the provider")


@pytest.mark.parametrize("unknown", [True, False])
def test_a_payment_is_not_created_after_its_deadline(unknown):
    found = replace(payment(CREDITS, received=0, provider_status=None), status=PaymentStatus.CREATED, unknown=unknown)
    assert agenda(found, found.terms.expires_at, AgendaInput()) is AgendaStep.END_UNCREATED
    assert agenda(found, found.terms.expires_at - timedelta(seconds=1), AgendaInput()) is AgendaStep.SUBMIT


def test_a_command_without_a_response_is_looked_up():
    found = payment(CREDITS, received=0, ref="fp_1", provider_status=ProviderStatus.AUTHORIZED, unknown=True)
    found = replace(found, status=status_of(found))
    assert agenda(found, EPOCH, AgendaInput()) is AgendaStep.REFRESH
    later = retry_at(EPOCH, 3)
    held = after_step(AgendaInput(polled_at=EPOCH, lookups=3), AgendaStep.REFRESH, hold_until=later)
    assert agenda(found, EPOCH + timedelta(seconds=1), held) == Wait(until=EPOCH + timedelta(seconds=15), why=POLL)
    assert agenda(found, later, held) is AgendaStep.REFRESH


def test_an_escrow_that_was_asked_is_asked_until_it_answers():
    found = payment(ESCROW, (DisputeStatus.NEEDS_RESPONSE, 1000), fulfilling=True)
    found = replace(found, ref="fp_1", provider_status=ProviderStatus.SUCCEEDED)
    assert agenda(found, EPOCH, AgendaInput()) is AgendaStep.FULFIL
    assert isinstance(agenda(found, EPOCH, AgendaInput(asked=True)), Wait)
    assert agenda(found, EPOCH, AgendaInput(answered=True)) is AgendaStep.RECORD_ANSWER


def test_lookups_of_a_payment_that_was_never_created_never_wait_for_the_past():
    found = payment(CREDITS, received=0, provider_status=None)
    found = replace(found, terms=replace(found.terms, late_poll_seconds=60), status=PaymentStatus.FAILED)
    now = EPOCH + timedelta(hours=1)
    assert agenda(found, now, AgendaInput(polled_at=EPOCH)) == Wait(until=now + timedelta(seconds=60), why=POLL)


def test_a_run_that_waits_for_its_escrow_never_waits_for_the_past():
    # The dispute was won while the escrow was asked to freeze, so nothing else is awaited.
    found = replace(payment(ESCROW, (DisputeStatus.WON, 1000)), ref="fp_1", fulfilment=Fulfilment.DONE)
    assert not is_awaited(found)
    now = found.updated_at + timedelta(seconds=found.terms.open_seconds + 1)
    item = agenda(found, now, AgendaInput(asked=True, polled_at=found.updated_at))
    assert isinstance(item, Wait)
    assert item.until > now
