from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.cards.card import issues_to
from domain.cards.card_authorization import CardPrices, Part, capture, refund
from domain.common.credits import CreditPrice
from domain.common.errors import Invalid

ID = UUID(int=1)


def price(text: str) -> CreditPrice:
    return CreditPrice(price=Decimal(text), currency="USD")


@given(
    amount=st.integers(1, 10**9),
    credits=st.integers(1, 10**12),
    parts=st.lists(st.integers(1, 10**9), min_size=1, max_size=6),
    back=st.lists(st.integers(1, 10**9), min_size=1, max_size=6),
)
def test_parts_of_a_hold_add_up_in_whatever_parts_it_is_captured_and_refunded(
    amount: int, credits: int, parts: list[int], back: list[int]
) -> None:
    captured = taken = beyond = 0
    for part in parts:
        found, rest = capture([Part(spend_id=ID, amount_minor=amount, credits=credits, captured_minor=captured)], part)
        captured += sum(each.amount_minor for each in found)
        taken += sum(each.credits for each in found)
        beyond += rest
    assert captured + beyond == sum(parts)
    assert captured <= amount
    assert taken == -(-credits * captured // amount)
    refunded = returned = left = 0
    for part in back:
        held = Part(spend_id=ID, amount_minor=amount, credits=credits, captured_minor=captured, refunded_minor=refunded)
        found, rest = refund([held], part)
        refunded += sum(each.amount_minor for each in found)
        returned += sum(each.credits for each in found)
        left += rest
    assert refunded + left == sum(back)
    assert 0 <= returned <= taken
    assert (refunded == captured) == (returned == taken) or credits < amount


def test_a_capture_takes_the_holds_in_their_order_and_a_refund_what_was_captured() -> None:
    first, second = UUID(int=1), UUID(int=2)
    holds = [Part(spend_id=first, amount_minor=400, credits=40), Part(spend_id=second, amount_minor=100, credits=10)]
    assert capture(holds, 450) == ([(first, 400, 40), (second, 50, 5)], 0)
    assert capture(holds, 600) == ([(first, 400, 40), (second, 100, 10)], 100)
    captured = [Part(spend_id=first, amount_minor=400, credits=40, captured_minor=300, refunded_minor=100)]
    assert refund(captured, 500) == ([(first, 200, 20)], 300)


def test_a_credit_pays_no_more_on_a_card_than_the_least_that_was_paid_for_one() -> None:
    assert CardPrices(usual=price("0.10"), paid=price("0.10")).credits(40_000_000) == 40_000_000
    assert CardPrices(usual=price("0.10"), paid=price("0.07")).credits(40_000_000) == 57_142_858
    # A cost price above the list price would have a card pay out more than a credit costs.
    assert CardPrices(usual=price("0.10"), paid=price("0.20")).credits(40_000_000) == 40_000_000
    assert CardPrices(usual=price("0.10"), paid=price("0.10")).credits(None) is None


def test_cards_are_issued_to_nobody_unless_the_setting_says_so() -> None:
    assert not issues_to("", "org_1")
    assert issues_to("all", "org_1")
    assert issues_to("org_2, org_1", "org_1")
    assert not issues_to("org_2", "org_1")
    with pytest.raises(Invalid):
        issues_to("true", "org_1")
