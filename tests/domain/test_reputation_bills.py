"""The amount that still pays a subscription's bill, by one payment or several."""

from dataclasses import replace

from domain.reputation.recall import Bill, BillPayment, ChainedEscrow, downstream_escrows, unfunded_escrows_of_bill
from tests.support.cases import for_each

#: 500 credits for 29.00; the escrows had 400 of them.
BILL = Bill(total_minor=2_900, due_minor=0, given_up_minor=0, payments=(), credits_minor=500, price_minor=2_900)
FUNDED = [("esc_last", 300), ("esc_first", 100)]


def paid(paid_minor: int, *, gone: int = 0, received: int = 2_900) -> BillPayment:
    return BillPayment(paid_minor=paid_minor, received_minor=received, gone_minor=gone)


@for_each(
    "bill, void",
    {
        "paid": (replace(BILL, payments=[paid(2_900)]), []),
        "not due yet": (replace(BILL, due_minor=2_900), []),
        "disputed, still on the invoice": (
            replace(BILL, payments=[paid(2_900, gone=2_900)]),
            ["esc_last", "esc_first"],
        ),
        "lost, and due again": (
            replace(BILL, due_minor=2_900, payments=[paid(0, gone=2_900)]),
            ["esc_last", "esc_first"],
        ),
        "lost, and paid by another": (replace(BILL, payments=[paid(0, gone=2_900), paid(2_900)]), []),
        "both lost": (
            replace(BILL, due_minor=2_900, payments=[paid(0, gone=2_900), paid(0, gone=2_900)]),
            ["esc_last", "esc_first"],
        ),
        "a part lost that no escrow had": (replace(BILL, due_minor=500, payments=[paid(2_400, gone=500)]), []),
        "a part lost that the last escrow had": (
            replace(BILL, due_minor=1_000, payments=[paid(1_900, gone=1_000)]),
            ["esc_last"],
        ),
        "a part of a part lost, the rest not due yet": (
            replace(BILL, due_minor=2_400, payments=[paid(500, gone=500, received=1_000)]),
            [],
        ),
        "given up": (replace(BILL, given_up_minor=2_900), ["esc_last", "esc_first"]),
        "given up in part": (replace(BILL, given_up_minor=1_900, payments=[paid(1_000)]), ["esc_last"]),
        "refunded with a credit note": (replace(BILL, total_minor=2_400, payments=[paid(2_400, gone=500)]), []),
        "without credits": (replace(BILL, credits_minor=0, price_minor=0, given_up_minor=2_900), []),
    }.values(),
)
def test_bill_voids_evidence_that_its_money_does_not_pay_for(bill: Bill, void: list[str]) -> None:
    assert unfunded_escrows_of_bill(bill, FUNDED) == void


def test_credits_are_followed_from_payee_to_payee_only() -> None:
    passed = [
        ChainedEscrow("e3", "c", "d"),
        ChainedEscrow("e2", "b", "c"),
        ChainedEscrow("e4", "x", "d"),
        ChainedEscrow("e5", "d", "b"),
    ]
    assert downstream_escrows({"b"}, passed) == ["e2", "e3", "e5"]
    assert downstream_escrows({"y"}, passed) == []
