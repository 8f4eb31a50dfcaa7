from uuid import UUID

import pytest
from hypothesis import given, strategies as st

from domain.cards.card import issues_to
from domain.cards.card_authorization import PayingSpend, split_capture, split_refund
from domain.common.errors import Invalid

ID = UUID(int=1)


@given(
    amount=st.integers(1, 10**9),
    parts=st.lists(st.integers(1, 10**9), min_size=1, max_size=6),
    back=st.lists(st.integers(1, 10**9), min_size=1, max_size=6),
)
def test_parts_of_a_hold_add_up_in_whatever_parts_it_is_captured_and_refunded(
    amount: int, parts: list[int], back: list[int]
) -> None:
    captured = beyond = 0
    for part in parts:
        found, rest = split_capture([PayingSpend(spend_id=ID, amount_minor=amount, captured_minor=captured)], part)
        captured += sum(each.amount_minor for each in found)
        beyond += rest
        assert all(each.is_rest == (captured == amount) for each in found)
    assert captured + beyond == sum(parts)
    assert captured <= amount
    refunded = left = 0
    for part in back:
        held = PayingSpend(spend_id=ID, amount_minor=amount, captured_minor=captured, refunded_minor=refunded)
        found, rest = split_refund([held], part)
        refunded += sum(each.amount_minor for each in found)
        left += rest
        assert all(each.is_rest == (refunded == captured) for each in found)
    assert refunded + left == sum(back)


def test_a_capture_takes_the_holds_in_their_order_and_a_refund_what_was_captured() -> None:
    first, second = UUID(int=1), UUID(int=2)
    holds = [PayingSpend(spend_id=first, amount_minor=400), PayingSpend(spend_id=second, amount_minor=100)]
    assert split_capture(holds, 450) == ([(first, 400, True), (second, 50, False)], 0)
    assert split_capture(holds, 600) == ([(first, 400, True), (second, 100, True)], 100)
    captured = [PayingSpend(spend_id=first, amount_minor=400, captured_minor=300, refunded_minor=100)]
    assert split_refund(captured, 500) == ([(first, 200, True)], 300)


def test_cards_are_issued_to_nobody_unless_the_setting_says_so() -> None:
    assert not issues_to("", "org_1")
    assert issues_to("all", "org_1")
    assert issues_to("org_2, org_1", "org_1")
    assert not issues_to("org_2", "org_1")
    with pytest.raises(Invalid):
        issues_to("true", "org_1")
