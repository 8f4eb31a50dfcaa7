"""Whatever a provider does, in whatever order it is told, our books end where its own stand."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.access import Actor, Role
from domain.errors import DomainError
from domain.payment import commands
from domain.payment.booking import debt, goods_account, legs, released, seized, wallet
from domain.payment.converge import Observation, converge, numbered, refund_failed
from domain.payment.snapshot import CreatePayment, DisputeStatus, RefundStatus
from domain.payment.state import MoveKind, Outcome, Payment, PaymentStatus, Purpose, PurposeKind, RefundState
from providers.payments.base import ProviderRefused
from tests.support.payments import EPOCH, TERMS, Account

ACTOR = Actor(principal="procurement", role=Role.OWNER, org_id=TERMS.org_id)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                "process",
                "pay",
                "pay_without_fee",
                "tell_fee",
                "fail",
                "refund_here",
                "refund_here_pending",
                "refund_there",
                "settle_refund",
                "fail_refund",
                "dispute",
                "inquiry",
                "win",
                "lose",
                "reverse",
                "look",
                "spend",
            ]
        ),
        st.integers(1, 1200),
    ),
    max_size=25,
)


class Books:
    """Applies moves as the activity does, on balances in memory."""

    def __init__(self) -> None:
        self.balances: dict[tuple[str, str], int] = {}

    def of(self, account) -> int:
        return self.balances.get((account.path, account.asset), 0)

    def apply(self, outcome: Outcome) -> None:
        terms = outcome.payment.terms
        for move in outcome.moves:
            assert move.amount_minor != 0
            match move.kind:
                case MoveKind.SEIZE:
                    movements = seized(terms, move.amount_minor, self.of(wallet(terms)))
                case MoveKind.RELEASE:
                    movements = released(terms, move.amount_minor, max(0, -self.of(debt(terms))))
                case _:
                    movements = legs(terms, move)
            for source, destination, amount in movements:
                assert source.asset == destination.asset
                assert amount > 0
                for account, change in ((source, -amount), (destination, amount)):
                    key = (account.path, account.asset)
                    self.balances[key] = self.balances.get(key, 0) + change
                    assert account.floor is None or self.balances[key] >= 0, (outcome.event, key)


class World:
    def __init__(self, terms=TERMS) -> None:
        self.terms = terms
        self.account = Account(
            asked=CreatePayment(
                payment_id=terms.payment_id,
                org_id=terms.org_id,
                amount_minor=terms.amount_minor,
                currency=terms.currency,
                description="",
                expires_at=terms.expires_at,
            ),
            ref="fp_1",
        )
        self.books = Books()
        self.payment: Payment = commands.created(terms, actor=ACTOR).payment
        self.spent = 0

    def take(self, outcome: Outcome) -> None:
        self.books.apply(outcome)
        assert outcome.payment.version == self.payment.version + 1
        self.payment = outcome.payment

    def look(self) -> None:
        seen = Observation(snapshot=self.account.snapshot(), at=EPOCH + timedelta(days=1), revalued={})
        for outcome in converge(self.payment, seen):
            self.take(outcome)
        assert converge(self.payment, seen) == []

    def step(self, name: str, number: int) -> None:
        account = self.account
        refunds, disputes = list(account.refunds), list(account.disputes)

        def one_of(refs: list[str], act: Callable[[str], None]) -> None:
            if refs:
                act(refs[number % len(refs)])

        actions: dict[str, Callable[[], object]] = {
            "process": account.process,
            "fail": account.fail,
            "reverse": account.reverse,
            "pay": account.pay,
            "pay_without_fee": lambda: account.pay(fee=None),
            "tell_fee": account.tell_fee,
            "refund_here": lambda: self.refund(number, pending=False),
            "refund_here_pending": lambda: self.refund(number, pending=True),
            "refund_there": lambda: account.refund(number),
            "settle_refund": lambda: one_of(refunds, account.settle_refund),
            "fail_refund": lambda: one_of(refunds, account.fail_refund),
            "dispute": lambda: account.dispute(number),
            "inquiry": lambda: account.dispute(number, inquiry=True),
            "win": lambda: one_of(disputes, partial(account.close_dispute, won=True)),
            "lose": lambda: one_of(disputes, partial(account.close_dispute, won=False)),
            "look": self.look,
            "spend": lambda: self.spend(number),
        }
        with suppress(ProviderRefused):
            actions[name]()

    def refund(self, amount: int, *, pending: bool) -> None:
        """As the workflow does: booked first, then made at the provider, then looked at."""
        try:
            requested = commands.refund(
                self.payment,
                refund_id=f"rfd_{len(self.payment.refunds)}",
                amount_minor=amount,
                reason=None,
                requested_by="x",
                at=EPOCH,
            )
        except DomainError:
            return
        if sum(m.amount_minor for m in requested.moves) > self.books.of(wallet(self.terms)):
            return  # the books decline
        self.take(requested)
        refund = self.payment.refunds[-1]
        status = RefundStatus.PENDING if pending else RefundStatus.SUCCEEDED
        try:
            self.account.refund(amount, refund_id=refund.refund_id, status=status)
        except ProviderRefused:
            self.take(numbered(refund_failed(self.payment, refund, "refused"), EPOCH))

    def spend(self, number: int) -> None:
        key = (wallet(self.terms).path, wallet(self.terms).asset)
        there = self.books.balances.get(key, 0)
        amount = there * min(number, 1000) // 1000
        self.books.balances[key] = there - amount
        self.spent += amount

    def check(self) -> None:
        """The clearing account is the provider's balance, goods are conserved, and the statuses agree."""
        account, terms, books = self.account, self.terms, self.books
        clearing = books.balances.get((f"provider/{terms.provider}/clearing", terms.currency), 0)
        assert -clearing == account.balance_minor
        assert {b.key: b.fee_minor for b in self.payment.booked} == {m.key: m.fee_minor for m in account.movements}
        own = books.of(goods_account(terms))
        held = sum(
            d.goods_minor for d in self.payment.disputes if not d.released and not d.retired and d.status.value != "won"
        )
        held = held if terms.issues_credits else 0
        assert own == held, (own, held)
        assert self.spent + books.of(wallet(terms)) + books.of(debt(terms)) == self.due() - held
        told = {r.ref: r.status.value for r in account.refunds.values()}
        assert {r.ref: r.state.value for r in self.payment.refunds if r.ref} == {
            ref: state for ref, state in told.items() if ref in {r.ref for r in self.payment.refunds}
        }

    def due(self) -> int:
        """What the organization has had of the goods, less what was taken for good."""
        issued = (f"platform/{'credit_issuance'}", "CREDIT")
        if self.terms.issues_credits:
            return -self.books.balances.get(issued, 0)
        charged = sum(m.amount_minor for m in self.account.movements)
        return charged


@settings(max_examples=600)
@given(STEPS)
def test_random_histories_end_in_the_providers_own_state(steps):
    world = World()
    for name, number in steps:
        world.step(name, number)
    world.look()
    world.look()
    world.check()


@settings(max_examples=600)
@given(STEPS)
def test_money_for_the_balance_ends_in_the_providers_own_state(steps):
    purpose = Purpose(kind=PurposeKind.BALANCE, goods_asset="USD", goods_minor=1000)
    world = World(replace(TERMS, purpose=purpose))
    for name, number in steps:
        world.step(name, number)
    world.look()
    world.check()


def test_pitfall_11_success_then_failure_then_void_counts_once():
    world = World()
    world.account.pay()
    world.look()
    before = world.books.of(wallet(TERMS))
    for status in ("FAILED", "CANCELLED", "SUCCEEDED"):
        world.account.status = type(world.account.status)[status]
        world.look()
    assert world.books.of(wallet(TERMS)) == before == 100_000_000
    assert world.payment.status is PaymentStatus.SUCCEEDED


def test_pitfall_29_what_a_chargeback_cannot_take_is_owed():
    world = World()
    world.account.pay()
    world.look()
    world.spend(600)
    ref = world.account.dispute()
    world.look()
    assert world.books.of(wallet(TERMS)) == 0
    assert world.books.of(debt(TERMS)) == -60_000_000
    assert world.payment.status is PaymentStatus.DISPUTED
    world.account.close_dispute(ref, won=True)
    world.look()
    assert world.books.of(debt(TERMS)) == 0
    assert world.books.of(wallet(TERMS)) == 40_000_000
    assert world.payment.disputes[0].status is DisputeStatus.WON


def test_pitfall_26_a_refund_without_an_amount_takes_the_remainder_only():
    world = World()
    world.account.pay()
    world.look()
    world.refund(400, pending=False)
    world.look()
    rest = commands.refund(world.payment, refund_id="rfd_x", amount_minor=None, reason=None, requested_by="x", at=EPOCH)
    assert rest.payment.refunds[-1].amount_minor == 600
    assert rest.payment.refunds[-1].goods_minor == 60_000_000
    assert rest.payment.refunds[-1].state is RefundState.REQUESTED


def test_payment_that_was_ended_stays_so_where_its_provider_could_still_be_paid():
    world = World()
    world.look()
    open_there = world.account.status
    for ended, status in (("CANCELLED", PaymentStatus.CANCELLED), ("EXPIRED", PaymentStatus.EXPIRED)):
        world.account.status = type(open_there)[ended]
        world.look()
        world.account.status = open_there
        world.look()
        assert world.payment.status is status
    world.account.pay()
    world.look()
    assert world.payment.status is PaymentStatus.SUCCEEDED
    assert world.books.of(wallet(TERMS)) == 100_000_000
