"""Whatever is due of a payment is done in the end, whatever else is pending and for however long."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings, strategies as st

from domain.common.agenda import Wait
from domain.payments.payment.agenda import LONGEST_LOOKUP, POLL, STAYS_OPEN, News, Step, after, agenda, due, hold_until
from domain.payments.payment.fulfilment import awaits, readiness
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
        self.news, self.done = News(wants_refresh=noisy), list[Step]()

    def turn(self) -> None:
        item = agenda(self.payment, self.now, self.news)
        if isinstance(item, Wait):
            # A run that has ended stays where it is.
            assert item.until > self.now or item.why == STAYS_OPEN, item
            self.now = max(item.until, self.now)
            self.news = replace(self.news, wants_refresh=True)
            return
        self.done.append(item)
        self.news = replace(self.news, wants_refresh=self.noisy, lookups=self.news.lookups + 1)
        held = None if item is Step.LOOK else hold_until(self.now, self.news.lookups)
        self.news = after(self.news, item, hold_until=held)
        self.now += timedelta(seconds=1)


@settings(max_examples=examples(150), deadline=None)
@given(reachable(), st.booleans(), st.sampled_from([0, 22, 24, 24 * 40]))
def test_pitfall_36_every_due_step_is_taken_in_the_end_whatever_else_is_pending(found, noisy, hours):
    now = max(EPOCH + timedelta(hours=hours), found.updated_at)
    wanted = set(due(found, now, News(wants_refresh=noisy)))
    run = Run(found, now, noisy=noisy)
    for _ in range(TURNS):
        run.turn()
    # Time that passes can make more due, and turn the making of a payment into its end.
    late = {Step.END_UNMADE} if Step.SUBMIT in wanted else set()
    assert wanted <= {*run.done, *late}, (wanted, run.done)


@settings(max_examples=examples(150), deadline=None)
@given(reachable(), st.sampled_from([0, 22, 24, 24 * 40]))
def test_a_payment_that_waits_for_nothing_has_nothing_due_and_the_others_wait_for_a_time(found, hours):
    now = max(EPOCH + timedelta(hours=hours), found.updated_at)
    item = agenda(found, now, News())
    if isinstance(item, Wait):
        assert due(found, now, News()) == []
    else:
        assert awaits(found) or item in {Step.SUBMIT_REFUNDS, Step.END_TIME}


def disputed(**changes: object) -> Payment:
    found = payment(ESCROW, (RefundState.UNKNOWN, 400), (DisputeStatus.NEEDS_RESPONSE, 600), **changes)
    return replace(found, ref="fp_1", fulfilment=Fulfilment.DONE)


def test_a_freeze_does_not_wait_for_a_refund_that_is_unknown():
    assert agenda(disputed(), EPOCH, News(wants_refresh=True)) is Step.FREEZE


def test_a_refund_that_is_unknown_holds_up_neither_a_look_nor_a_poll():
    found = replace(disputed(), escrow_frozen=True)
    held = after(News(), Step.SUBMIT_REFUNDS, hold_until=EPOCH + LONGEST_LOOKUP)
    assert agenda(found, EPOCH, replace(held, wants_refresh=True)) is Step.LOOK
    item = agenda(found, EPOCH + timedelta(seconds=5), replace(held, polled_at=EPOCH))
    assert item == Wait(until=EPOCH + timedelta(seconds=found.terms.first_poll_seconds), why="ask the provider")


@pytest.mark.parametrize("unknown", [True, False])
def test_a_payment_is_not_made_after_its_time(unknown):
    found = replace(payment(CREDITS, received=0, provider_status=None), status=PaymentStatus.CREATED, unknown=unknown)
    assert agenda(found, found.terms.expires_at, News()) is Step.END_UNMADE
    assert agenda(found, found.terms.expires_at - timedelta(seconds=1), News()) is Step.SUBMIT


def test_a_command_that_was_not_answered_is_looked_up():
    found = payment(CREDITS, received=0, ref="fp_1", provider_status=ProviderStatus.AUTHORIZED, unknown=True)
    found = replace(found, status=status_of(found))
    assert agenda(found, EPOCH, News()) is Step.LOOK
    later = hold_until(EPOCH, 3)
    held = after(News(polled_at=EPOCH, lookups=3), Step.LOOK, hold_until=later)
    assert agenda(found, EPOCH + timedelta(seconds=1), held) == Wait(until=EPOCH + timedelta(seconds=15), why=POLL)
    assert agenda(found, later, held) is Step.LOOK


def test_an_escrow_that_was_asked_is_asked_until_it_answers():
    found = payment(ESCROW, (DisputeStatus.NEEDS_RESPONSE, 1000), fulfilling=True)
    found = replace(found, ref="fp_1", provider_status=ProviderStatus.SUCCEEDED)
    assert agenda(found, EPOCH, News()) is Step.FULFIL
    assert isinstance(agenda(found, EPOCH, News(asked=True)), Wait)
    assert agenda(found, EPOCH, News(answered=True)) is Step.TAKE_ANSWER


def test_a_payment_that_its_provider_never_had_waits_for_a_time_that_comes_however_often_it_was_looked_for():
    found = payment(CREDITS, received=0, provider_status=None)
    found = replace(found, terms=replace(found.terms, late_poll_seconds=60), status=PaymentStatus.FAILED)
    now = EPOCH + timedelta(hours=1)
    assert agenda(found, now, News(polled_at=EPOCH)) == Wait(until=now + timedelta(seconds=60), why=POLL)


def test_a_run_that_stays_for_the_answer_of_its_escrow_waits_for_a_time_that_comes():
    # The dispute was won while the escrow was asked to freeze, so nothing else is awaited.
    found = replace(payment(ESCROW, (DisputeStatus.WON, 1000)), ref="fp_1", fulfilment=Fulfilment.DONE)
    assert not awaits(found)
    now = found.updated_at + timedelta(seconds=found.terms.open_seconds + 1)
    item = agenda(found, now, News(asked=True, polled_at=found.updated_at))
    assert isinstance(item, Wait)
    assert item.until > now
