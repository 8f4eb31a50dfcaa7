"""Chargebacks before the escrow is funded take the waiting money, and return it there."""

from dataclasses import replace

from hypothesis import example, given, settings, strategies as st

from domain.payments.payment import refunds
from domain.payments.payment.booking import debt, entitlement_account, wallet
from domain.payments.payment.entitlement import clawed_back_minor
from domain.payments.payment.fulfilment import is_ready, readiness
from domain.payments.payment.purposes.base import Readiness
from domain.payments.payment.purposes.escrow import fulfilled, fulfilment_put_off, fulfilment_started
from domain.payments.payment.purposes.whole import unreserved_minor
from domain.payments.payment.state import Fulfilment, Outcome
from domain.payments.payment.terms import Purpose, PurposeKind
from tests.lanes import examples
from tests.support.payment_world import STEPS, World
from tests.support.payments import EPOCH, TERMS

ELSEWHERE = 30_000_000
#: What a bank does to a payment, beside what a payer and its provider do.
GIVEN_BACK = {"dispute_won", "dispute_reinstated"}
TAKEN = {"dispute_opened", "dispute_reopened", "refund_taken_over", "reversed"}


def escrowed(asset: str) -> Purpose:
    return Purpose(
        kind=PurposeKind.ESCROW,
        goods_asset=asset,
        goods_minor=100_000_000 if asset == "CREDIT" else TERMS.amount_minor,
        escrow_id="esc_01h455vb4pex5vsknk084sn02q",
        contract_id="ctr_01h455vb4pex5vsknk084sn02q",
    )


class Funding(World):
    """A payment for an escrow that is asked, answers late or never, and is asked again by another run."""

    def __init__(self, asset: str = "CREDIT") -> None:
        super().__init__(replace(TERMS, purpose=escrowed(asset)))
        self.books.balances[wallet(self.terms).path, asset] = ELSEWHERE
        self.in_escrow = 0
        self.was_asked = False

    @property
    def own(self) -> tuple[str, str]:
        return entitlement_account(self.terms).path, self.terms.purpose.goods_asset

    @property
    def elsewhere(self) -> int:
        """The organization's balance and spending apart from this payment's money."""
        return self.spent + self.books.of(wallet(self.terms)) + self.books.of(debt(self.terms))

    @property
    def waiting(self) -> int:
        """The money that waits for the escrow until it is funded."""
        pending = self.payment.fulfilment is Fulfilment.PENDING and not self.in_escrow
        return unreserved_minor(self.payment) if pending else 0

    def take(self, outcome: Outcome) -> None:
        before, elsewhere, waiting = self.payment, self.elsewhere, self.waiting
        super().take(outcome)
        change = clawed_back_minor(outcome.payment) - clawed_back_minor(before)
        pending = outcome.payment.fulfilment is Fulfilment.PENDING
        if outcome.event in TAKEN and pending and not before.fulfilling:
            assert elsewhere - self.elsewhere == max(0, change - waiting)
            assert waiting - self.waiting == min(change, waiting)
        if outcome.event in GIVEN_BACK and change:
            (won,) = [old for old, new in zip(before.disputes, self.payment.disputes, strict=True) if old != new]
            waits_again = won.waiting_minor if pending else 0
            assert self.elsewhere - elsewhere == won.goods_minor - waits_again
            assert not pending or self.in_escrow or self.waiting - waiting == waits_again
        self.check_position()

    def check_position(self) -> None:
        """The organization has lost exactly the refunded and disputed amounts."""
        assert self.elsewhere + self.waiting + self.in_escrow == (
            ELSEWHERE + self.payment.granted_minor - clawed_back_minor(self.payment)
        )

    def ask(self) -> None:
        if is_ready(self.payment) and not self.payment.fulfilling:
            self.take(fulfilment_started(self.payment, at=EPOCH))
        if readiness(self.payment) is Readiness.FAILED and not self.payment.fulfilling:
            self.take(refunds.fulfilment_failed(self.payment, refund_id="rfd_gone", at=EPOCH))

    def escrow_takes(self) -> None:
        if self.payment.fulfilling and not self.in_escrow:
            self.in_escrow = self.terms.purpose.goods_minor
            self.books.balances[self.own] -= self.in_escrow
            assert self.books.balances[self.own] >= 0

    def answer(self) -> None:
        if self.payment.fulfilling and self.in_escrow:
            self.take(fulfilled(self.payment, at=EPOCH))

    def refuse(self) -> None:
        if self.payment.fulfilling and not self.in_escrow:
            self.take(refunds.fulfilment_unavailable(self.payment, why="x", refund_id="rfd_gone", at=EPOCH))

    def start_again(self) -> None:
        """Another run finds that the escrow may have been asked, and that the money may not be handed over any more."""
        if not self.payment.fulfilling or is_ready(self.payment):
            return
        if self.in_escrow:
            self.answer()
        else:
            self.take(fulfilment_put_off(self.payment, at=EPOCH))
            missing = clawed_back_minor(self.payment) - self.payment.granted_minor
            assert self.elsewhere >= ELSEWHERE - max(0, missing)


ACTS = ("ask", "escrow_takes", "answer", "refuse", "start_again")
INTERLEAVINGS = st.lists(
    st.one_of(st.tuples(st.sampled_from(ACTS), st.just(1)), STEPS.filter(bool).map(lambda steps: steps[0])),
    max_size=30,
).map(lambda acts: [("pay", 1), ("look", 1), *acts])


def run(world: Funding, acts: list[tuple[str, int]]) -> None:
    for name, number in acts:
        getattr(world, name)() if name in ACTS else world.step(name, number)
    world.look()
    for name in ("escrow_takes", "answer", "ask", "look"):
        getattr(world, name)()
    world.check_position()


@settings(max_examples=examples(300))
@given(INTERLEAVINGS)
@example([("pay", 1), ("dispute", 400), ("look", 1), ("win", 0), ("look", 1), ("ask", 1)])
@example([("pay", 1), ("look", 1), ("ask", 1), ("dispute", 400), ("look", 1), ("start_again", 1), ("win", 0)])
@example([("pay", 1), ("look", 1), ("ask", 1), ("escrow_takes", 1), ("dispute", 1000), ("look", 1), ("lose", 0)])
@example([("pay", 1), ("dispute", 300), ("look", 1), ("refund_here", 700), ("lose", 0), ("look", 1), ("ask", 1)])
def test_no_interleaving_takes_more_than_disputed_or_returns_it_elsewhere(acts):
    run(Funding(), acts)


@settings(max_examples=examples(150))
@given(INTERLEAVINGS)
def test_waiting_money_of_an_escrow_in_money_is_taken_likewise(acts):
    run(Funding("USD"), acts)


def test_a_dispute_takes_only_the_waiting_money():
    world = Funding()
    world.account.pay()
    ref = world.account.dispute(400)
    world.look()
    assert (world.elsewhere, world.waiting) == (ELSEWHERE, 60_000_000)
    world.account.close_dispute(ref, won=True)
    world.look()
    assert (world.elsewhere, world.waiting) == (ELSEWHERE, 100_000_000)


def test_money_disputed_while_the_escrow_was_asked_is_offset_when_it_is_put_off():
    world = Funding()
    world.account.pay()
    world.look()
    world.ask()
    world.account.dispute(1000)
    world.look()
    assert world.elsewhere == ELSEWHERE - 100_000_000  # the escrow may have the money
    world.start_again()
    assert (world.elsewhere, world.waiting) == (ELSEWHERE, 0)
    assert world.books.of(debt(world.terms)) == 0
