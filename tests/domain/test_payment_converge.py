"""Our books converge to the provider's state for any order of events."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from hypothesis import example, given, settings, strategies as st

from domain.billing.tax.rates import TaxCategory
from domain.billing.tax.sale import SaleTax
from domain.common.errors import Conflict
from domain.payments.payment import commands, refunds
from domain.payments.payment.booking import debt, entitlement_account, sale_tax, wallet
from domain.payments.payment.chargebacks import offer_evidence
from domain.payments.payment.converge import Observation, converge, refund_failed
from domain.payments.payment.fulfilment import is_awaited, must_freeze_escrow, readiness
from domain.payments.payment.purposes.base import Readiness
from domain.payments.payment.purposes.escrow import escrow_frozen, fulfilled, fulfilment_started
from domain.payments.payment.purposes.whole import unreserved_minor
from domain.payments.payment.snapshot import (
    BalanceTransaction,
    BalanceTransactionKind,
    DisputeStatus,
    ProviderStatus,
    Snapshot,
)
from domain.payments.payment.state import Fulfilment, PaymentStatus, RefundState, with_number
from domain.payments.payment.terms import Purpose, PurposeKind
from providers.payments.base import ProviderRefused
from tests.lanes import examples
from tests.support.payment_world import ACTOR, STEPS, World
from tests.support.payments import EPOCH, TERMS


@settings(max_examples=examples(250))
@given(STEPS)
def test_random_histories_end_in_the_providers_own_state(steps):
    world = World()
    for name, number in steps:
        world.step(name, number)
    world.look()
    world.look()
    world.check()


@settings(max_examples=examples(250))
@given(STEPS)
def test_money_for_the_balance_ends_in_the_providers_own_state(steps):
    purpose = Purpose(kind=PurposeKind.BALANCE, goods_asset="USD", goods_minor=1000)
    world = World(replace(TERMS, purpose=purpose))
    for name, number in steps:
        world.step(name, number)
    world.look()
    world.check()


@settings(max_examples=examples(100))
@given(STEPS)
def test_the_tax_of_a_sale_is_that_of_what_was_kept(steps):
    tax = SaleTax(code="de-vat", category=TaxCategory.STANDARD, rate_e6=190_000, amount_minor=160)
    world = World(replace(TERMS, tax=tax))
    for name, number in steps:
        world.step(name, number)
    world.look()
    kept = max(0, sum(item.paid_minor for item in world.payment.booked))
    booked = sum(item.tax_minor for item in world.payment.booked)
    assert world.books.of(sale_tax(world.terms)) == booked == 160 * kept // 1000
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


def test_pitfall_29_uncovered_part_of_a_chargeback_is_owed():
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
    rest = refunds.refund(world.payment, refund_id="rfd_x", amount_minor=None, reason=None, requested_by="x", at=EPOCH)
    assert rest.payment.refunds[-1].amount_minor == 600
    assert rest.payment.refunds[-1].goods_minor == 60_000_000
    assert rest.payment.refunds[-1].state is RefundState.REQUESTED


def test_maximum_number_of_refunds_is_booked_even_if_all_fail():
    world = World()
    world.account.pay()
    world.look()
    for _ in range(refunds.MAX_PARTIAL_REFUNDS):
        world.refund(1, pending=False)
        world.look()
    ask = partial(refunds.refund, world.payment, refund_id="rfd_x", reason=None, requested_by="x", at=EPOCH)
    with pytest.raises(Conflict) as refusal:
        ask(amount_minor=1)
    assert refusal.value.error_code == "payment.too_many_refunds"
    assert ask(amount_minor=None).payment.refunds[-1].amount_minor == 1000 - refunds.MAX_PARTIAL_REFUNDS
    for refund in world.payment.refunds:
        world.account.fail_refund(refund.ref)
    world.look()
    world.check()
    assert world.payment.refundable_minor == 1000


def test_refund_that_fails_after_a_full_chargeback_restores_only_its_share():
    world = World()
    world.account.pay()
    world.look()
    world.refund(400, pending=True)
    world.look()
    ref = world.account.dispute(1000, beyond=True)
    world.look()
    assert world.books.of(debt(TERMS)) == -40_000_000  # 400 went back twice
    (refund,) = world.account.refunds
    world.account.fail_refund(refund)
    world.account.close_dispute(ref, won=False)
    world.look()
    assert (world.books.of(wallet(TERMS)), world.books.of(debt(TERMS))) == (0, 0)


def test_partly_won_dispute_restores_only_its_share_of_the_entitlement():
    """As where it took what had been refunded already, and sees that. All goods came back for any part before."""
    world = World()
    world.account.pay()
    world.account.refund(400)
    ref = world.account.dispute(1000, beyond=True)
    world.look()
    assert (world.books.of(wallet(TERMS)), world.books.of(debt(TERMS))) == (0, -40_000_000)
    world.account._reinstate(ref, 400)
    world.account.disputes[ref] = replace(world.account.disputes[ref], status=DisputeStatus.LOST)
    world.look()
    dispute = world.payment.disputes[0]
    assert (dispute.status, dispute.amount_minor, dispute.moved_minor) == (DisputeStatus.LOST, 600, 600)
    assert (world.books.of(wallet(TERMS)), world.books.of(debt(TERMS))) == (0, 0)
    world.check()
    world.account._reinstate(ref, 300)
    world.look()
    assert world.books.of(wallet(TERMS)) == 30_000_000
    world.account._reinstate(ref, 300)
    world.account.disputes[ref] = replace(world.account.disputes[ref], status=DisputeStatus.WON)
    world.look()
    assert (world.payment.disputes[0].status, world.payment.disputes[0].moved_minor) == (DisputeStatus.WON, 0)
    assert world.books.of(wallet(TERMS)) == 60_000_000
    world.check()


def test_second_withdrawal_after_a_won_dispute_claws_back_the_entitlement_again():
    world = World()
    world.account.pay()
    ref = world.account.dispute()
    world.account.close_dispute(ref, won=True)
    world.look()
    assert world.books.of(wallet(TERMS)) == 100_000_000
    world.account.dispute_again(ref)
    world.look()
    assert world.payment.status is PaymentStatus.DISPUTED
    assert world.books.of(wallet(TERMS)) == 0
    world.account.close_dispute(ref, won=False)
    world.look()
    world.check()
    assert world.payment.status is PaymentStatus.CHARGED_BACK


def test_inquiry_that_became_a_won_dispute_between_two_polls_is_booked():
    world = World(replace(TERMS, purpose=Purpose(kind=PurposeKind.BALANCE, goods_asset="USD", goods_minor=1000)))
    world.account.pay()
    ref = world.account.dispute(inquiry=True)
    world.look()
    world.account.escalate(ref)
    world.account.close_dispute(ref, won=True)
    world.look()
    world.check()
    assert world.payment.disputes[0].status is DisputeStatus.WON


def test_new_due_date_for_evidence_is_booked_once():
    world = World()
    world.account.pay()
    ref = world.account.dispute()
    world.look()
    due_at = EPOCH + timedelta(days=30)
    world.account.disputes[ref] = replace(world.account.disputes[ref], evidence_due_at=due_at)
    before = world.payment
    world.look()
    assert (world.payment.disputes[0].evidence_due_at, world.payment.version) == (due_at, before.version + 1)
    # A provider that gives no date takes none back.
    world.account.disputes[ref] = replace(world.account.disputes[ref], evidence_due_at=None)
    world.look()
    assert (world.payment.disputes[0].evidence_due_at, world.payment.version) == (due_at, before.version + 1)
    world.account.disputes[ref] = replace(world.account.disputes[ref], evidence_due_at=EPOCH + timedelta(days=40))
    seen = Observation(snapshot=world.account.snapshot(), at=EPOCH, revalued={})
    assert [each.event for each in converge(world.payment, seen)] == ["dispute_date_changed"]


@pytest.mark.parametrize("how", ["escalated", "taken again"])
def test_reopened_dispute_needs_new_evidence(how):
    world = World()
    world.account.pay()
    ref = world.account.dispute(inquiry=how == "escalated")
    world.look()
    world.take(commands.evidence_submitted(world.payment, ref, actor=ACTOR, at=EPOCH))
    with pytest.raises(Conflict):
        offer_evidence(world.payment, ref, "It was used.", actor=ACTOR, at=EPOCH)
    if how == "escalated":
        world.account.escalate(ref)
    else:
        world.account.close_dispute(ref, won=True)
        world.look()
        world.account.dispute_again(ref)
    world.account.disputes[ref] = replace(
        world.account.disputes[ref],
        status=DisputeStatus.NEEDS_RESPONSE,
        evidence_due_at=EPOCH + timedelta(days=30),
    )
    world.look()
    dispute = world.payment.disputes[0]
    assert (dispute.status, dispute.evidence_submitted_at) == (DisputeStatus.NEEDS_RESPONSE, None)
    assert dispute.evidence_due_at == EPOCH + timedelta(days=30)
    world.take(offer_evidence(world.payment, ref, "It was used.", actor=ACTOR, at=EPOCH))


def test_given_up_refund_that_was_made_anyway_is_added():
    world = World()
    world.account.pay()
    world.look()
    requested = refunds.refund(
        world.payment, refund_id="rfd_1", amount_minor=400, reason=None, requested_by="x", at=EPOCH
    )
    world.take(requested)
    world.take(with_number(refund_failed(world.payment, world.payment.refunds[0], "no answer"), EPOCH))
    world.account.refund(400, refund_id="rfd_1")
    world.look()
    world.check()
    assert world.payment.refunded_minor == 400
    assert world.books.of(wallet(TERMS)) == 60_000_000


ESCROW = Purpose(
    kind=PurposeKind.ESCROW,
    goods_asset="CREDIT",
    goods_minor=100_000_000,
    escrow_id="esc_01h455vb4pex5vsknk084sn02q",
    contract_id="ctr_01h455vb4pex5vsknk084sn02q",
)


class Deposits(World):
    """A payment for an escrow to which money comes as often as somebody sends it."""

    def __init__(self, *, refundable: bool = False) -> None:
        super().__init__(replace(TERMS, purpose=ESCROW, refundable=refundable))

    def deposit(self, amount: int, kind: BalanceTransactionKind = BalanceTransactionKind.CHARGE) -> None:
        self.account._move(f"btc:{len(self.account.movements)}", kind, amount)
        self.look()

    def hand_over(self) -> None:
        """As the escrow does, and then the run."""
        key = (entitlement_account(self.terms).path, "CREDIT")
        self.books.balances[key] -= ESCROW.goods_minor
        self.take(fulfilled(self.payment, at=EPOCH))

    def gone(self) -> None:
        self.take(refunds.fulfilment_unavailable(self.payment, why="too late", refund_id="rfd_gone", at=EPOCH))

    @property
    def money(self) -> tuple[int, ...]:
        return tuple(self.books.of(account(self.terms)) for account in (wallet, entitlement_account, debt))


def test_dust_does_not_displace_the_payers_deposits():
    world = Deposits()
    for _ in range(250):
        world.account._move(f"btc:{len(world.account.movements)}", BalanceTransactionKind.CHARGE, 1)
    world.look()
    assert world.payment.received_minor == 100
    world.deposit(1000)
    assert (world.payment.received_minor, world.payment.status) == (1100, PaymentStatus.SUCCEEDED)
    world.deposit(-1000, BalanceTransactionKind.REVERSAL)
    assert sum(item.paid_minor for item in world.payment.booked) == 100


def test_money_after_the_funding_of_the_escrow_goes_to_the_organization():
    world = Deposits()
    world.deposit(1200)
    world.hand_over()
    assert world.money == (20_000_000, 0, 0)
    world.deposit(300)
    assert world.money == (50_000_000, 0, 0)
    assert world.payment.fulfilment is Fulfilment.DONE


def test_rest_received_after_a_credited_part_is_credited_too():
    world = Deposits()
    world.deposit(600)
    world.gone()
    assert world.money == (60_000_000, 0, 0)
    world.deposit(400)
    assert world.money == (100_000_000, 0, 0)
    assert world.payment.fulfilment is Fulfilment.GONE


def test_reversed_part_leaves_no_money_when_the_escrow_cannot_be_funded():
    world = Deposits()
    world.deposit(600)
    world.deposit(-600, BalanceTransactionKind.REVERSAL)
    world.gone()
    assert world.money == (0, 0, 0)


def test_money_charged_back_before_the_funding_failed_is_not_refunded_again():
    world = Deposits(refundable=True)
    world.account.pay()
    world.account.dispute(400)
    world.look()
    world.gone()
    refund = world.payment.refunds[0]
    assert refund.amount_minor == 600
    world.account.refund(600, refund_id=refund.refund_id)
    world.look()
    assert world.money == (0, 40_000_000, 0)  # held for the dispute
    world.account.close_dispute(next(iter(world.account.disputes)), won=False)
    world.look()
    assert world.money == (0, 0, 0)


def test_a_refund_too_small_for_the_currency_of_the_balance_is_booked():
    world = World(replace(TERMS, currency="JPY"))
    world.account.pay()
    world.look()
    world.account.refund(1)
    small = world.account.movements[-1]
    converted: BalanceTransaction = replace(
        small, amount_minor=0, currency="USD", payment_amount_minor=-1, payment_currency="JPY"
    )
    seen: Snapshot = replace(world.account.snapshot(), movements=(*world.account.movements[:-1], converted))
    for outcome in converge(world.payment, Observation(snapshot=seen, at=EPOCH, revalued={})):
        world.take(outcome)
    assert not is_awaited(world.payment)
    assert world.payment.refunds[0].moved_minor == 1


class Coins(World):
    """400 came in time and bought 40 credits; 600 came late, when the coin was worth a tenth, and bought 6."""

    def __init__(self) -> None:
        super().__init__(replace(TERMS, refundable=False))
        self.account._move("btc:a:0", BalanceTransactionKind.CHARGE, 400)
        self.account._move("btc:b:0", BalanceTransactionKind.CHARGE, 600)
        self.account.status = ProviderStatus.SUCCEEDED
        self.look_at_prices()
        assert self.books.of(wallet(TERMS)) == 46_000_000

    def look_at_prices(self) -> None:
        seen = Observation(snapshot=self.account.snapshot(), at=EPOCH, revalued={"btc:b:0": 6_000_000})
        for outcome in converge(self.payment, seen):
            self.take(outcome)

    def take_back(self, key: str, amount: int) -> int:
        """Return the credits that are left after the chain has taken a deposit back."""
        self.account._move(key, BalanceTransactionKind.REVERSAL, -amount)
        self.look_at_prices()
        return self.books.of(wallet(TERMS)) + self.books.of(debt(TERMS))


def test_reversed_deposit_claws_back_what_it_has_bought():
    world = Coins()
    assert world.take_back("btc:a:0:reorg", 400) == 6_000_000
    assert world.take_back("btc:b:0:reorg", 600) == 0
    assert Coins().take_back("btc:b:0:reorg", 600) == 40_000_000


def test_deposit_reversed_twice_claws_back_what_it_bought_the_second_time():
    world = Coins()
    world.take_back("btc:b:0:reorg", 600)
    world.account._move("btc:b:0:2", BalanceTransactionKind.CHARGE, 600)
    world.look_at_prices()
    assert world.books.of(wallet(TERMS)) == 100_000_000
    assert world.take_back("btc:b:0:2:reorg", 600) == 40_000_000
    assert world.take_back("btc:a:0:reorg", 400) == 0


def test_reversal_that_names_no_deposit_takes_its_share():
    assert Coins().take_back("btc:a:0:reversal", 500) == 23_000_000


@pytest.mark.parametrize(
    ("settles_as", "balances", "exchanged"),
    [((920, 52, "EUR"), {"EUR": 868}, {"EUR": -920, "USD": 1000}), ((1000, 59, "USD"), {"USD": 941}, {})],
)
def test_unsettled_charge_grants_its_entitlement_and_is_booked_on_settlement(settles_as, balances, exchanged):
    world = World()
    world.account.pay_unsettled()
    world.look()
    assert world.payment.status is PaymentStatus.SUCCEEDED
    assert world.books.of(wallet(TERMS)) == 100_000_000
    assert world.clearing == {}
    assert is_awaited(world.payment)
    world.account.settle(*settles_as)
    world.look()
    world.check()
    assert world.clearing == balances
    exchange = {asset: -held for (path, asset), held in world.books.balances.items() if path == "platform/exchange"}
    assert {asset: held for asset, held in exchange.items() if held} == exchanged
    assert not is_awaited(world.payment)


def test_refund_of_a_charge_that_has_not_settled_is_booked():
    world = World()
    world.account.pay_unsettled()
    world.look()
    world.refund(400, pending=False)
    world.look()
    world.account.settle(1000, 59, "USD")
    world.look()
    world.check()
    assert world.clearing == {"USD": 541}


def test_ended_payment_stays_ended_while_the_provider_could_still_be_paid():
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


@pytest.mark.parametrize("how", ["lost", "void"])
def test_escrow_is_frozen_even_if_its_money_is_charged_back_between_two_polls(how):
    world = Deposits(refundable=True)
    world.account.pay()
    world.look()
    world.hand_over()
    assert not must_freeze_escrow(world.payment)
    if how == "lost":
        world.account.close_dispute(world.account.dispute(), won=False)
    else:
        world.account.reverse()
    world.look()
    assert must_freeze_escrow(world.payment)
    world.take(escrow_frozen(world.payment, at=EPOCH))
    assert not must_freeze_escrow(world.payment)


class Escrowed(World):
    """A payment for an escrow that takes its money as soon as the rules hand it over."""

    def __init__(self) -> None:
        super().__init__(replace(TERMS, purpose=ESCROW))
        self.in_escrow = 0

    def serve(self) -> None:
        match readiness(self.payment):
            case Readiness.READY:
                assert self.payment.refundable_minor >= TERMS.amount_minor
                self.take(fulfilment_started(self.payment, at=EPOCH))
                self.books.balances[self.own] -= ESCROW.goods_minor
                assert self.books.balances[self.own] >= 0
                self.in_escrow = ESCROW.goods_minor
                self.take(fulfilled(self.payment, at=EPOCH))
            case Readiness.FAILED:
                self.take(refunds.fulfilment_failed(self.payment, refund_id="rfd_gone", at=EPOCH))
                last = self.payment.refunds[-1] if self.payment.refunds else None
                if last is not None and last.refund_id == "rfd_gone":
                    try:
                        self.account.refund(last.amount_minor, refund_id="rfd_gone")
                    except ProviderRefused:
                        self.take(with_number(refund_failed(self.payment, last, "refused"), EPOCH))

    @property
    def own(self) -> tuple[str, str]:
        return entitlement_account(self.terms).path, "CREDIT"

    def settle(self) -> None:
        """End what is under way, and prove that every credit is in one place."""
        for ref in list(self.account.refunds):
            self.account.settle_refund(ref)
        for ref in list(self.account.disputes):
            self.account.close_dispute(ref, won=False)
        for _ in range(3):
            self.look()
            self.serve()
        waiting = unreserved_minor(self.payment) if self.payment.fulfilment is Fulfilment.PENDING else 0
        assert self.books.balances.get(self.own, 0) == waiting
        owned = self.spent + self.books.of(wallet(self.terms)) + self.books.of(debt(self.terms))
        assert owned + waiting + self.in_escrow == self.due()


@settings(max_examples=examples(250))
@given(st.lists(st.one_of(st.just(("serve", 1)), STEPS.filter(bool).map(lambda steps: steps[0])), max_size=25))
@example([("pay", 1), ("look", 1), ("refund_here_pending", 400), ("fail_refund", 0), ("look", 1), ("serve", 1)])
@example([("pay", 1), ("dispute", 300), ("look", 1), ("refund_here", 700), ("look", 1), ("serve", 1)])
def test_random_histories_of_an_escrows_payment_leave_every_credit_in_one_place(acts):
    world = Escrowed()
    for name, number in acts:
        if name == "serve":
            world.serve()
        else:
            world.step(name, number)
    world.settle()


@pytest.mark.parametrize("settled", [False, True])
def test_charge_in_another_currency_buys_nothing(settled):
    """As where the provider's object that carries the payment's id is not the one that was asked for."""
    world = World()
    world.account.asked = replace(world.account.asked, currency="JPY")
    world.account.pay_unsettled()
    if settled:
        world.account.settle(amount=6, fee=0, currency="USD")
    world.look()
    assert (world.payment.received_minor, world.books.balances) == (0, {})
    assert world.payment.status is PaymentStatus.PROCESSING
    # What was taken in the payment's own currency counts, whatever the balance is kept in.
    whole = World()
    whole.account.pay_unsettled()
    whole.account.settle(currency="EUR")
    whole.look()
    assert whole.payment.received_minor == 1000
