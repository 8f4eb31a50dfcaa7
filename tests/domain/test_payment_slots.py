"""Slots have no parts: a partial refund takes whole slots."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from domain.common.errors import Invalid
from domain.payments.payment import refunds
from domain.payments.payment.entitlement import clawed_back_minor, granted_for
from domain.payments.payment.purposes import rules_of
from domain.payments.payment.state import Payment, PaymentStatus, Refund, RefundState
from domain.payments.payment.terms import PaymentTerms, Purpose, PurposeKind

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
PRICE = 500


def paid(slots: int, tax: int = 0) -> Payment:
    terms = PaymentTerms(
        payment_id="pay_1",
        org_id="org_1",
        provider="stripe",
        amount_minor=PRICE * slots + tax,
        currency="USD",
        purpose=Purpose(kind=PurposeKind.SLOT, goods_asset="SLOT", goods_minor=slots),
        description="slots",
        created_at=NOW,
        expires_at=NOW,
    )
    payment = Payment(terms=terms, status=PaymentStatus.SUCCEEDED, version=3, created_at=NOW, updated_at=NOW)
    return replace(payment, received_minor=PRICE * slots + tax, granted_minor=slots)


def given_back(payment: Payment, amount: int) -> Payment:
    """Refund an amount at the provider's own site."""
    refund = Refund(
        refund_id=f"rfd_{len(payment.refunds)}",
        amount_minor=amount,
        goods_minor=rules_of(payment.terms).taken_for(payment, amount),
        state=RefundState.SUCCEEDED,
        requested_by="provider",
        requested_at=NOW,
    )
    return replace(payment, refunds=(*payment.refunds, refund))


@given(st.integers(1, 20), st.lists(st.integers(1, 3 * PRICE), max_size=20))
def test_remaining_slots_are_always_paid(slots: int, amounts: list[int]) -> None:
    payment = paid(slots)
    for amount in amounts:
        amount = min(amount, payment.refundable_minor)
        if not amount:
            break
        payment = given_back(payment, amount)
        left = payment.granted_minor - clawed_back_minor(payment)
        assert left == payment.refundable_minor // PRICE


@given(st.integers(1, 20), st.integers(1, 20 * PRICE))
def test_requested_refund_is_of_whole_slots_or_the_remainder(slots: int, amount: int) -> None:
    payment, amount = paid(slots), min(amount, PRICE * slots)
    asked: dict[str, Any] = {
        "refund_id": "rfd_1",
        "amount_minor": amount,
        "reason": None,
        "requested_by": "owner",
        "at": NOW,
    }
    if amount % PRICE:
        with pytest.raises(Invalid) as caught:
            refunds.refund(payment, **asked)
        assert caught.value.error_code == "payment.part_of_a_slot"
    else:
        moves = refunds.refund(payment, **asked).moves
        assert [(move.asset, move.amount_minor) for move in moves] == [("SLOT", amount // PRICE)]


@given(st.integers(2, 20), st.integers(0, 20 * PRICE), st.data())
def test_refunded_taxed_price_of_some_slots_is_rounded_down(slots: int, tax: int, data: st.DataObject) -> None:
    payment, some = paid(slots, tax), data.draw(st.integers(1, slots - 1))
    price = payment.received_minor * some // slots
    asked: dict[str, Any] = {"refund_id": "rfd_1", "reason": None, "requested_by": "owner", "at": NOW}
    refund = refunds.refund(payment, amount_minor=price, **asked)
    assert [(move.asset, move.amount_minor) for move in refund.moves] == [("SLOT", some)]
    for other in (price - 1, price + 1):
        with pytest.raises(Invalid):
            refunds.refund(payment, amount_minor=other, **asked)


@pytest.mark.parametrize(
    ("slots", "received", "gone", "amounts"),
    [(4, 13_340, 0, [6_670]), (4, 13_340, 6_670, []), (3, 10_000, 0, []), (4, 12_000, 500, [2_500, 5_500, 8_500])],
)
def test_refunds_of_whole_slots_are_multiples_of_the_providers_unit(
    slots: int, received: int, gone: int, amounts: list[int]
) -> None:
    payment = replace(paid(slots), received_minor=received)
    payment = given_back(payment, gone) if gone else payment
    assert rules_of(payment.terms).refunds_of_parts(payment, 10) == amounts
    for amount in amounts:
        rules_of(payment.terms).check_refund(payment, amount)


def test_remainder_after_a_refund_at_the_provider_can_be_refunded() -> None:
    payment = given_back(paid(2), 200)
    rest = refunds.refund(payment, refund_id="rfd_1", amount_minor=None, reason=None, requested_by="owner", at=NOW)
    assert rest.payment.refundable_minor == 0
    assert [move.amount_minor for move in rest.moves] == [1]


@pytest.mark.parametrize(("amount", "slots"), [(0, 0), (499, 0), (500, 1), (999, 1), (1000, 2)])
def test_part_of_a_price_buys_no_slot(amount: int, slots: int) -> None:
    payment = replace(paid(2), received_minor=0, granted_minor=0)
    assert granted_for(payment, amount) == slots
