"""Comparisons of a statement with the books: their results, and that corrections and sums always add up."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, strategies as st

from domain.books.reconciliation import (
    DISCREPANCIES,
    MARGIN,
    MAX_LOOKBACK,
    Comparison,
    KeyState,
    MatchStatus,
    ReconciliationReport,
    Window,
    compare,
    corrections,
    covered_until,
    describe,
    listed_until,
    nightly_window,
    postings,
)
from domain.payments.payment.snapshot import BalanceTransaction, BalanceTransactionKind
from tests.support.cases import for_each
from tests.support.reconciliation import DAY, NIGHT, NOON, movement

LINE = movement("ch_1")


def match_status(booked, listed, until=DAY.until):
    return compare("ch_1", booked, listed, listed_until=until).match_status


@for_each(
    "booked, listed, expected",
    [
        ([LINE], LINE, MatchStatus.MATCHED),
        ([], LINE, MatchStatus.MISSING_HERE),
        ([LINE], None, MatchStatus.MISSING_THERE),
        ([replace(LINE, amount_minor=999)], LINE, MatchStatus.AMOUNT_DIFFERS),
        ([replace(LINE, fee_minor=58)], LINE, MatchStatus.AMOUNT_DIFFERS),
        ([replace(LINE, currency="EUR")], LINE, MatchStatus.AMOUNT_DIFFERS),
        ([replace(LINE, fee_minor=None)], LINE, MatchStatus.FEE_MISSING),
        ([replace(LINE, fee_minor=None, amount_minor=1)], LINE, MatchStatus.AMOUNT_DIFFERS),
        ([replace(LINE, fee_minor=None)], replace(LINE, fee_minor=0), MatchStatus.MATCHED),
        ([LINE, replace(LINE, amount_minor=-1_000, fee_minor=-59)], None, MatchStatus.MATCHED),
        ([LINE, replace(LINE, amount_minor=-1_000, fee_minor=-59)], LINE, MatchStatus.AMOUNT_DIFFERS),
        (
            [replace(LINE, kind=BalanceTransactionKind.OTHER, occurred_at=NOON + timedelta(hours=3))],
            LINE,
            MatchStatus.MATCHED,
        ),
    ],
)
def test_each_case_has_its_match_status(booked, listed, expected):
    assert match_status(booked, listed) is expected


def test_movement_too_recent_for_the_statement_is_not_missing():
    assert match_status([LINE], None, until=NOON) is MatchStatus.NOT_LISTED_YET
    assert match_status([LINE], None, until=NOON + timedelta(seconds=1)) is MatchStatus.MISSING_THERE


def test_statement_of_paypal_is_complete_hours_later():
    assert listed_until("stripe", DAY, NIGHT) == DAY.until + MARGIN
    assert listed_until("paypal", DAY, DAY.until + timedelta(hours=1)) == DAY.until - timedelta(hours=3)


def test_statement_is_read_beyond_the_window_and_not_beyond_now():
    assert DAY.listed(NIGHT) == Window(DAY.since - MARGIN, DAY.until + MARGIN)
    assert DAY.listed(DAY.until).until == DAY.until


def test_nightly_window_starts_at_the_first_gap():
    usual = Window(DAY.since - timedelta(days=1), DAY.until)
    assert nightly_window(NIGHT) == usual
    missed = DAY.until - timedelta(days=4)
    long_ago = Window(missed - timedelta(days=9), missed)
    assert nightly_window(NIGHT, long_ago.since, [long_ago]) == Window(missed - timedelta(days=1), DAY.until)
    assert nightly_window(NIGHT, NIGHT - timedelta(days=300)).since == DAY.until - MAX_LOOKBACK
    assert nightly_window(NIGHT, DAY.since, [DAY]) == usual
    assert nightly_window(NIGHT, NOON, []) == usual


def test_night_that_failed_does_not_push_the_next_one_further_back():
    begin = DAY.until - timedelta(days=9)
    assert nightly_window(NIGHT, begin).since == begin


@pytest.mark.parametrize(
    ("windows", "end"),
    [
        ([], 0),
        ([(0, 2), (1, 3)], 3),
        ([(1, 3), (0, 2)], 3),
        ([(0, 5), (1, 3)], 5),
        ([(0, 2), (3, 4)], 2),
        ([(3, 4)], 0),
        ([(-2, 1), (1, 2)], 2),
    ],
)
def test_coverage_ends_at_its_first_gap(windows, end):
    day = [DAY.since + timedelta(days=number) for number in range(-2, 6)]
    covered = [Window(day[since + 2], day[until + 2]) for since, until in windows]
    assert covered_until(DAY.since, covered) == day[end + 2]


@pytest.mark.parametrize("found", sorted(DISCREPANCIES))
def test_every_difference_is_described_with_its_ids(found):
    listed = None if found is MatchStatus.MISSING_THERE else replace(LINE, statement_ref="txn_9", payment_id="pay_7")
    booked = () if found is MatchStatus.MISSING_HERE else (replace(LINE, payment_id="pay_7"),)
    told = describe("stripe", Comparison(key="ch_1", booked=booked, listed=listed, match_status=found))
    assert "ch_1" in told
    assert "10.00 USD less 0.59" in told
    assert "pay_7" in told
    assert ("txn_9" in told) is (listed is not None)


AMOUNTS = st.integers(-(10**9), 10**9)
MOVEMENTS = st.builds(
    BalanceTransaction,
    key=st.just("k"),
    kind=st.sampled_from(BalanceTransactionKind),
    amount_minor=AMOUNTS,
    fee_minor=st.none() | AMOUNTS,
    currency=st.sampled_from(["USD", "EUR", "JPY"]),
    occurred_at=st.just(NOON),
)
PAIRS = st.tuples(st.lists(MOVEMENTS, max_size=3), st.none() | MOVEMENTS).filter(lambda pair: pair[0] or pair[1])


def compared(pair):
    return compare("k", pair[0], pair[1], listed_until=DAY.until)


def nonzero(by_currency):
    return {currency: amount for currency, amount in by_currency.items() if amount}


def gap_minor(found):
    """By how much the provider's balance is above ours because of this key, by currency."""
    gaps = dict[str, int]()
    for effects, sign in ((found.listed_effects, 1), (found.ours, -1)):
        for currency, effect in effects.items():
            gaps[currency] = gaps.get(currency, 0) + sign * (effect.amount_minor - effect.fee_minor)
    return nonzero(gaps)


@given(PAIRS)
def test_corrections_make_the_books_agree(pair):
    booked, listed = pair
    wanted = corrections(compared(pair))
    made = [replace(LINE, currency=c.currency, amount_minor=c.amount_minor, fee_minor=c.fee_minor) for c in wanted]
    assert match_status([*booked, *made], listed) is MatchStatus.MATCHED
    assert bool(wanted) is (compared(pair).match_status is not MatchStatus.MATCHED)


@given(st.lists(PAIRS, max_size=12))
def test_differences_explain_the_gap_between_both_sides_to_the_cent(pairs):
    report, gaps = ReconciliationReport(), dict[str, int]()
    for pair in pairs:
        found = compared(pair)
        report.add(found)
        if found.match_status is not MatchStatus.MATCHED:
            for currency, gap in gap_minor(found).items():
                gaps[currency] = gaps.get(currency, 0) + gap
    reported = dict[str, int]()
    for (currency, _), line in report.lines.items():
        reported[currency] = reported.get(currency, 0) + line.their_net_minor - line.our_net_minor
    assert nonzero(reported) == nonzero(gaps)
    assert report.count(*MatchStatus) == len(pairs)


@given(PAIRS)
def test_correction_moves_the_clearing_account_by_the_gap(pair):
    moved = dict[str, int]()
    for correction in corrections(compared(pair)):
        for source, destination, amount in postings("stripe", correction):
            assert amount > 0
            for account, sign in ((source, 1), (destination, -1)):
                if account.path == "provider/stripe/clearing":
                    moved[account.asset] = moved.get(account.asset, 0) + sign * amount
    # What leaves the clearing account is at the provider.
    assert nonzero(moved) == gap_minor(compared(pair))


@pytest.mark.parametrize(
    ("booked", "is_another"),
    [
        ([], False),
        ([replace(LINE, amount_minor=5)], True),
        # The amount is right, and the fee is still unknown or another.
        ([replace(LINE, fee_minor=None)], False),
        ([replace(LINE, fee_minor=1)], False),
        # It is kept in another currency, so amounts do not compare.
        ([replace(LINE, amount_minor=5, currency="EUR")], False),
        # An operator has corrected it, by the line as it was listed then.
        ([replace(LINE, amount_minor=5), replace(LINE, amount_minor=995)], False),
    ],
)
def test_line_far_from_the_booking_is_another_one_only_if_the_amount_differs(booked, is_another):
    known = KeyState(booked=tuple(booked))
    far = replace(LINE, statement_ref="txn_1", occurred_at=NOON + MARGIN + timedelta(seconds=1))
    assert known.is_another(far) is is_another
    assert not known.is_another(replace(far, occurred_at=NOON + MARGIN))
    assert not known.is_another(replace(far, statement_ref=None))


def test_distinguished_line_stays_distinguished():
    line = replace(LINE, statement_ref="txn_2")
    assert KeyState(line="txn_1").is_another(line)
    assert KeyState(others=frozenset({"txn_2"}), booked=(LINE,)).is_another(line)
    assert not KeyState(line="txn_2", others=frozenset({"txn_1"})).is_another(line)
