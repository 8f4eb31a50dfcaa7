"""A fact is pending while money is held, and reversed where all of it was returned."""

from domain.payouts.activity import FactStatus, asset_changes, status_of
from tests.support.cases import for_each

CREDITS, ESCROW, PAYOUT = "org/org_1/credits", "escrow/esc_1", "org/org_1/payouts/po_1"


@for_each(
    "entries, transfers, status",
    [
        ([(CREDITS, -50), (ESCROW, 50)], 1, FactStatus.PENDING),
        ([(CREDITS, -50), (ESCROW, 50), (ESCROW, -30)], 2, FactStatus.PENDING),
        ([(CREDITS, -50), (ESCROW, 50), (ESCROW, -50)], 2, FactStatus.COMPLETED),
        ([(CREDITS, -50), (ESCROW, 50), (ESCROW, -50), (CREDITS, 50)], 2, FactStatus.REVERSED),
        ([("agent/agt_1/earnings/USD", -50), (PAYOUT, 50)], 1, FactStatus.PENDING),
        ([("org/org_1/payments/pay_1", 0)], 1, FactStatus.COMPLETED),
    ],
)
def test_status_follows_what_is_held_and_what_was_moved(
    entries: list[tuple[str, int]], transfers: int, status: FactStatus
) -> None:
    changes = asset_changes((path, "CREDIT", amount) for path, amount in entries)
    assert status_of(changes, transfers) is status
