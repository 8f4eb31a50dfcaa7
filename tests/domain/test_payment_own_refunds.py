"""A payer refunds its own top-ups in time, once, less the provider's fee, and keeps no credits below the list price."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given

from domain.common.errors import DomainError
from domain.payments.payment import refunds
from domain.payments.payment.booking import wallet
from domain.payments.payment.own_refunds import largest_refund
from domain.payments.payment.state import PaymentStatus, Refund
from domain.payments.payment.terms import OwnRefunds, PaymentTerms, Purpose, PurposeKind
from tests.support.cases import for_each
from tests.support.payment_world import STEPS, World
from tests.support.payments import EPOCH, TERMS

FEE = OwnRefunds(days=14, times=1, keeps_fee=True)
TOP_UP = replace(TERMS, own_refunds=FEE)
BALANCE = Purpose(kind=PurposeKind.BALANCE, goods_asset="USD", goods_minor=1000)
#: 100 credits for 10.00 whose list price is 12.50.
PACKAGE = replace(TERMS, own_refunds=replace(FEE, times=None, keeps_fee=False, at_list_minor=1250))
CREDITS = 1_000_000


def paid(terms: PaymentTerms = TOP_UP, *, fee: int | None = 59) -> World:
    world = World(terms)
    world.account.pay(fee=fee)
    world.look()
    return world


def asked(world: World, amount_minor: int | None = None, *, days: float = 0, by_operator: bool = False) -> Refund:
    outcome = refunds.refund(
        world.payment,
        refund_id=f"rfd_{len(world.payment.refunds)}",
        amount_minor=amount_minor,
        reason=None,
        requested_by="x",
        at=EPOCH + timedelta(days=days),
        is_own=not by_operator,
    )
    return outcome.payment.refunds[-1]


def code_of(world: World, amount_minor: int | None = None, *, days: float = 0) -> str:
    with pytest.raises(DomainError) as refusal:
        asked(world, amount_minor, days=days)
    return refusal.value.error_code


def test_a_payer_bears_the_fee_of_its_refund_and_an_operators_refund_is_whole() -> None:
    world = paid()
    own, theirs = asked(world), asked(world, by_operator=True)
    assert (own.amount_minor, own.fee_minor, own.goods_minor) == (941, 59, 100 * CREDITS)
    assert (theirs.amount_minor, theirs.fee_minor, theirs.goods_minor) == (1000, 0, 100 * CREDITS)
    # A part bears its share, rounded up.
    part = asked(world, 400)
    assert (part.amount_minor, part.fee_minor, part.goods_minor) == (376, 24, 40 * CREDITS)
    world.refund(1000, pending=False)
    world.look()
    assert (world.payment.status, world.payment.refundable_minor) == (PaymentStatus.REFUNDED, 0)
    assert world.books.of(wallet(TERMS)) == 0


def test_a_fee_that_is_not_known_or_takes_everything_is_refunded_by_nobody_but_an_operator() -> None:
    unknown = paid(fee=None)
    assert code_of(unknown) == "payment.fee_not_known"
    assert asked(unknown, by_operator=True).amount_minor == 1000
    assert code_of(paid(), 1) == "request.invalid"


def test_a_fee_in_another_currency_is_kept_by_the_rate_of_the_payment() -> None:
    world = World(TOP_UP)
    world.account.pay_unsettled()
    world.account.settle(amount=500, fee=30, currency="EUR")
    world.look()
    assert (asked(world).amount_minor, asked(world).fee_minor) == (940, 60)


def test_what_a_refund_pays_out_is_a_multiple_of_what_the_provider_counts() -> None:
    world = paid(replace(TERMS, own_refunds=replace(FEE, unit_minor=100)))
    assert (asked(world).amount_minor, asked(world).fee_minor) == (900, 100)


def test_a_payer_refunds_in_time_and_once_and_an_operator_whenever() -> None:
    world = paid()
    assert asked(world, 100, days=13.9).amount_minor
    assert code_of(world, 100, days=14.1) == "payment.refund_needs_operator"
    world.refund(100, pending=False)
    world.look()
    assert code_of(world, 100) == "payment.refund_needs_operator"
    assert asked(world, days=400, by_operator=True).amount_minor == 900


def test_a_refund_that_failed_or_an_operator_made_leaves_the_payer_its_own() -> None:
    world = paid()
    world.refund(100, pending=False)
    world.account.fail_refund(next(iter(world.account.refunds)))
    world.look()
    assert asked(world, 100).fee_minor == 6
    world.account.refund(100)
    world.look()
    assert asked(world, 100).fee_minor == 6


def test_what_is_kept_of_a_package_counts_at_the_list_price() -> None:
    world = paid(PACKAGE)
    assert asked(world).goods_minor == 100 * CREDITS
    # What stays is worth 5.00: 40 credits at the list price, and not 50 at the price of the package.
    assert asked(world, 500).goods_minor == 60 * CREDITS
    assert asked(world, 500, by_operator=True).goods_minor == 50 * CREDITS
    # 40 were used: 60 are left, which are worth what was paid less the list price of 40.
    assert largest_refund(world.payment, 60 * CREDITS) == 500
    assert largest_refund(paid().payment, 60 * CREDITS) == 600


@for_each("purpose", [TERMS.purpose, BALANCE])
@given(STEPS)
def test_the_books_agree_whatever_happens_to_refunds_that_keep_a_fee(purpose, steps) -> None:
    world = World(replace(TERMS, purpose=purpose, own_refunds=OwnRefunds(keeps_fee=True)))
    for name, number in steps:
        world.step(name, number)
    world.look()
    world.check()
