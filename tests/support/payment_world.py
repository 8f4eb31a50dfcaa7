"""A payment in memory: a provider that does what it likes, our rules, and balances that follow them."""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial

from hypothesis import strategies as st

from domain.common.access import Actor, Role
from domain.common.errors import DomainError
from domain.messages.events import check
from domain.messages.events.catalogue import CATALOGUE
from domain.messages.events.payment import payment_events
from domain.payments.payment import commands, refunds
from domain.payments.payment.booking import (
    AccountMovement,
    account_movements,
    clawed_back,
    debt,
    entitlement_account,
    released,
    wallet,
)
from domain.payments.payment.converge import Observation, converge, refund_failed
from domain.payments.payment.entitlement import clawed_back_minor, not_kept_minor
from domain.payments.payment.given_up import give_up
from domain.payments.payment.snapshot import CreatePayment, RefundStatus
from domain.payments.payment.state import Outcome, Payment, PaymentPosting, PaymentPostingKind, with_number
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
                "pay_unsettled",
                "settle",
                "fail",
                "refund_here",
                "refund_here_pending",
                "refund_there",
                "give_up_as_made",
                "give_up_as_not_made",
                "settle_refund",
                "fail_refund",
                "dispute",
                "dispute_beyond",
                "dispute_again",
                "inquiry",
                "escalate",
                "win",
                "lose",
                "return_part",
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
        for move in outcome.moves:
            assert move.amount_minor or move.paid_minor
            for source, destination, amount in self.movements(outcome.payment, move):
                assert source.asset == destination.asset
                assert amount > 0
                for account, change in ((source, -amount), (destination, amount)):
                    key = (account.path, account.asset)
                    self.balances[key] = self.balances.get(key, 0) + change
                    assert account.minimum_balance_minor is None or self.balances[key] >= 0, (outcome.event, key)

    def movements(self, payment: Payment, move: PaymentPosting) -> list[AccountMovement]:
        terms = payment.terms
        match move.kind:
            case PaymentPostingKind.CLAW_BACK:
                return clawed_back(terms, move.amount_minor, self.of(wallet(terms)))
            case PaymentPostingKind.RELEASE:
                return released(terms, move.amount_minor, max(0, -self.of(debt(terms))))
            case _:
                return account_movements(terms, move)

    def afford(self, outcome: Outcome) -> bool:
        """Tell whether the organization has what a refund takes."""
        return sum(m.amount_minor for m in outcome.moves) <= self.of(wallet(outcome.payment.terms))


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
        for event in payment_events(self.payment, outcome.payment):
            check(event, CATALOGUE)
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
            "pay_unsettled": account.pay_unsettled,
            "settle": account.settle,
            "refund_here": lambda: self.refund(number, pending=False),
            "refund_here_pending": lambda: self.refund(number, pending=True),
            "refund_there": lambda: account.refund(number),
            "give_up_as_made": lambda: self.give_up(number, made=True),
            "give_up_as_not_made": lambda: self.give_up(number, made=False),
            "settle_refund": lambda: one_of(refunds, account.settle_refund),
            "fail_refund": lambda: one_of(refunds, account.fail_refund),
            "dispute": lambda: account.dispute(number),
            "dispute_beyond": lambda: account.dispute(number, beyond=True),
            "dispute_again": lambda: one_of(disputes, account.dispute_again),
            "inquiry": lambda: account.dispute(number, inquiry=True),
            "escalate": lambda: one_of(disputes, account.escalate),
            "win": lambda: one_of(disputes, partial(account.close_dispute, won=True)),
            "lose": lambda: one_of(disputes, partial(account.close_dispute, won=False)),
            "return_part": lambda: one_of(disputes, account.return_part),
            "look": self.look,
            "spend": lambda: self.spend(number),
        }
        with suppress(ProviderRefused):
            actions[name]()

    def refund(self, amount: int, *, pending: bool) -> None:
        """As the workflow does: booked first, then made at the provider, then looked at."""
        try:
            requested = refunds.refund(
                self.payment,
                refund_id=f"rfd_{len(self.payment.refunds)}",
                amount_minor=amount,
                reason=None,
                requested_by="x",
                at=EPOCH,
                is_own=self.terms.own_refunds is not None,
            )
        except DomainError:
            return
        if not self.books.afford(requested):
            return  # the books decline
        self.take(requested)
        refund = self.payment.refunds[-1]
        status = RefundStatus.PENDING if pending else RefundStatus.SUCCEEDED
        try:
            self.account.refund(refund.amount_minor, refund_id=refund.refund_id, status=status)
        except ProviderRefused:
            self.take(with_number(refund_failed(self.payment, refund, "refused"), EPOCH))

    def give_up(self, amount: int, *, made: bool) -> None:
        """Lose the answer to a refund, have an operator give it up, and see what was made of it all the same.

        The operator is right about the provider when the amount is even.
        """
        try:
            requested = refunds.refund(
                self.payment,
                refund_id=f"rfd_{len(self.payment.refunds)}",
                amount_minor=amount,
                reason=None,
                requested_by="x",
                at=EPOCH,
                is_own=self.terms.own_refunds is not None,
            )
        except DomainError:
            return
        if not self.books.afford(requested):
            return
        self.take(requested)
        refund = self.payment.refunds[-1]
        self.take(refunds.refund_unknown(self.payment, refund.refund_id, at=EPOCH))
        right = amount % 2 == 0
        is_there = made if right else not made
        try:
            ref = self.account.refund(refund.amount_minor, refund_id=refund.refund_id) if is_there else None
        except ProviderRefused:
            ref = None
        said = (ref or "re_of_nothing") if made else None
        operator = Actor(principal="kim", role=Role.OPERATOR)
        self.take(
            give_up(self.payment, refund_id=refund.refund_id, provider_ref=said, reason="x", actor=operator, at=EPOCH)
        )
        if made and ref is None:  # the operator was wrong, looks again and says so
            self.take(
                give_up(
                    self.payment, refund_id=refund.refund_id, provider_ref=None, reason="x", actor=operator, at=EPOCH
                )
            )

    def spend(self, number: int) -> None:
        key = (wallet(self.terms).path, wallet(self.terms).asset)
        there = self.books.balances.get(key, 0)
        amount = there * min(number, 1000) // 1000
        self.books.balances[key] = there - amount
        self.spent += amount

    def check(self) -> None:
        """The clearing accounts are the provider's balance, goods are conserved, and the statuses agree."""
        account, terms, books = self.account, self.terms, self.books
        assert self.clearing == account.balances
        assert {b.key: b.settled for b in self.payment.booked} == {m.key: m.settled for m in account.movements}
        assert {b.key: b.fee_minor for b in self.payment.booked} == {m.key: m.fee_minor for m in account.movements}
        own = books.of(entitlement_account(terms))
        held = sum(
            d.goods_minor for d in self.payment.disputes if not d.released and not d.retired and d.status.value != "won"
        )
        held = held if terms.issues_entitlement else 0
        assert own == held, (own, held)
        assert self.spent + books.of(wallet(terms)) + books.of(debt(terms)) == self.due() - held
        if terms.issues_entitlement and self.payment.received_minor:
            fair = self.payment.granted_minor * not_kept_minor(self.payment) // self.payment.received_minor
            assert abs(clawed_back_minor(self.payment) - fair) <= len(self.payment.booked)
        told = {r.ref: r.status.value for r in account.refunds.values()}
        assert {r.ref: r.state.value for r in self.payment.refunds if r.ref} == {
            ref: state for ref, state in told.items() if ref in {r.ref for r in self.payment.refunds}
        }

    @property
    def clearing(self) -> dict[str, int]:
        """The clearing balances by currency."""
        path = f"provider/{self.terms.provider}/clearing"
        return {asset: -held for (name, asset), held in self.books.balances.items() if name == path and held}

    def due(self) -> int:
        """The granted entitlement less permanent clawbacks."""
        issued = (f"platform/{'credit_issuance'}", "CREDIT")
        if self.terms.issues_entitlement:
            return -self.books.balances.get(issued, 0)
        charged = sum(m.paid_minor for m in self.account.movements)
        return charged - sum(refund.fee_minor for refund in self.payment.refunds if refund.moved_minor)
