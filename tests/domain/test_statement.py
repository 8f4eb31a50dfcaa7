from datetime import UTC, datetime
from fractions import Fraction

from domain.payouts.statement import ReversalPart, divide_reversals
from tests.support.cases import for_each

DAYS = [datetime(2026, 10, day, tzinfo=UTC) for day in range(1, 6)]


@for_each(
    "moves, parts",
    [
        ([], []),
        ([10, -4], [[], [(4, 0)]]),
        ([10, -4, -6], [[], [(4, 0)], [(6, 0)]]),
        # What came again is younger than the sale itself.
        ([10, -1, 1, -10], [[], [(1, 0)], [], [(1, 2), (9, 0)]]),
        ([10, 5, -15], [[], [], [(5, 1), (10, 0)]]),
        # More than there was, or nothing before.
        ([10, -15, 5], [[], [(10, 0), (5, None)], []]),
        ([-3, 3], [[(3, None)], []]),
        ([0, 2, -2], [[], [], [(2, 1)]]),
    ],
)
def test_what_is_taken_back_is_the_youngest_that_was_earned(
    moves: list[int], parts: list[list[tuple[int, int | None]]]
) -> None:
    found = divide_reversals([(at, minor, 3 * minor) for at, minor in zip(DAYS, moves, strict=False)])
    assert found == [
        [ReversalPart(minor, None if day is None else DAYS[day], Fraction(3 * minor)) for minor, day in each]
        for each in parts
    ]


def test_pitfall_65_goods_are_taken_back_of_the_earnings_that_brought_them() -> None:
    """Of 100 credits that were worth 10.00, and 50 worth 10.00 after them, none gives more than it had."""
    parts = divide_reversals([(DAYS[0], 1_000, 100), (DAYS[1], 1_000, 50), (DAYS[2], -1_500, -100)])[2]
    assert [(part.amount_minor, part.goods) for part in parts] == [(1_000, Fraction(50)), (500, Fraction(50))]
