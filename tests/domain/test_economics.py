"""Ledger movements as entries in the log of economic events."""

import pytest

from domain.budgets.economics import (
    EntryStatus,
    PurchaseFact,
    TransactionType,
    can_be_refusals,
    classify_transfer,
    kinds_of,
    refusal_status,
    status_of,
)
from domain.budgets.purchase_order import AttemptStatus, PurchaseOrderStatus
from domain.payouts.activity import AssetChange, asset_changes
from domain.payouts.summary import SummaryPart

CREDITS, ESCROW, EARNED = "org/o/credits", "escrow/e", "agent/a/earnings"


def of(*entries: tuple[str, int]) -> tuple[AssetChange, ...]:
    return asset_changes((path, "CREDIT", amount) for path, amount in entries)


@pytest.mark.parametrize(
    ("kind", "entries", "expected"),
    [
        ("use", [(CREDITS, -5)], ("use", 5)),
        ("use_refund", [(CREDITS, 5)], ("use_refund", 5)),
        ("escrow.funded", [(CREDITS, -9), (ESCROW, 9)], ("escrow_funding", 9)),
        ("escrow.funded", [("org/o/payments/p", -9), (ESCROW, 9)], ("escrow_funding", 9)),
        ("escrow.released", [(ESCROW, -9)], None),
        ("escrow.released", [(EARNED, 8)], ("escrow_payment", 8)),
        ("escrow.released", [(ESCROW, -9), (EARNED, 8)], ("escrow_payment", 8)),
        ("escrow.refunded", [(ESCROW, -9), (CREDITS, 9)], ("escrow_refund", 9)),
        ("escrow.split", [(ESCROW, -9), (CREDITS, 4)], ("escrow_refund", 4)),
        ("escrow.split", [(EARNED, 5)], ("escrow_payment", 5)),
        ("marketplace.sold", [(EARNED, 45)], ("sale", 45)),
        ("marketplace.refunded", [(EARNED, -45)], ("sale_refund", 45)),
        ("marketplace.refunded", [(CREDITS, 50)], ("use_refund", 50)),
        ("payout.paid", [("org/o/payouts/p", -7)], ("payout", 7)),
        ("payout.reversed", [("org/o/debt", 3), (EARNED, 4)], ("payout_reversal", 7)),
    ],
)
def test_incoming_and_outgoing_money_makes_an_entry(
    kind: str, entries: list[tuple[str, int]], expected: tuple[str, int] | None
) -> None:
    found = classify_transfer(kind, of(*entries))
    assert (found and found[:2]) == expected
    if found is not None:
        assert kind in kinds_of([found[0]], [status_of(found[0])])


def test_waiting_escrow_parts_make_no_entries() -> None:
    assert SummaryPart.IN_ESCROW in of((ESCROW, -9))[0].parts
    assert classify_transfer("payout.paid", of(("org/o/payouts/p", -7), (EARNED, 7))) is None


def test_list_filters_accept_only_possible_values() -> None:
    assert set(kinds_of(["payout"], [])) == {"payout.paid"}
    assert set(kinds_of(["escrow_refund"], [])) == {"escrow.refunded", "escrow.split"}
    assert kinds_of([], ["abandoned"]) == kinds_of(["payout"], ["refunded"]) == []
    assert can_be_refusals([], ["declined_frozen"])
    assert not can_be_refusals(["payout"], [])
    assert not can_be_refusals(["use"], ["succeeded"])


def test_every_type_and_status_of_purchases_is_a_filter() -> None:
    assert {fact.value for fact in PurchaseFact} <= set(TransactionType)
    assert {*map(str, PurchaseOrderStatus), *map(str, AttemptStatus)} <= set(EntryStatus)


def test_refusals_name_the_missing_item() -> None:
    assert (
        refusal_status("limit", by_control=True)
        is refusal_status("uses", by_control=True)
        is EntryStatus.DECLINED_OVER_BUDGET
    )
    assert refusal_status("frozen", by_control=True) is EntryStatus.DECLINED_FROZEN
    assert refusal_status("limit", by_control=False) is EntryStatus.DECLINED_CREDITS
