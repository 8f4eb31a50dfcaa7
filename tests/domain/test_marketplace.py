"""Shares of a sale and of what comes back of it, and what is searched."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, strategies as st

from domain.common.errors import Conflict
from domain.marketplace.metered import ReportedUsage, used_minor
from domain.marketplace.offer import OfferModel, search_words
from domain.marketplace.sale import PurchaseStatus, Shares, check_refundable, shares_between, shares_of
from tests.support.cases import for_each

BOUGHT = datetime(2026, 3, 1, tzinfo=UTC)
WINDOW = timedelta(days=14)
AMOUNTS = st.integers(0, 10**15)


@given(amount=AMOUNTS, bps=st.integers(0, 10_000), cuts=st.lists(st.integers(0, 10_000), max_size=5))
def test_partial_refunds_add_up_to_each_share_and_never_more(amount: int, bps: int, cuts: list[int]) -> None:
    whole = shares_of(amount, bps)
    assert whole.creator_minor + whole.commission_minor == amount
    assert abs(whole.creator_minor * 10_000 - amount * bps) < 10_000
    steps = [0, *sorted(amount * cut // 10_000 for cut in cuts), amount]
    parts = [shares_between(amount - after, amount - before, bps) for before, after in pairwise(steps)]
    assert all(min(part.creator_minor, part.commission_minor) >= 0 for part in parts)
    assert sum(part.creator_minor for part in parts) == whole.creator_minor
    assert sum(part.commission_minor for part in parts) == whole.commission_minor
    # The rest of a sale is divided like a sale of that amount.
    left = whole
    for part, gone in zip(parts, steps[1:], strict=True):
        left = Shares(
            creator_minor=left.creator_minor - part.creator_minor,
            commission_minor=left.commission_minor - part.commission_minor,
        )
        assert left == shares_of(amount - gone, bps)


def test_a_unit_that_cannot_be_divided_goes_to_the_larger_share() -> None:
    assert shares_of(1, 9_000) == Shares(creator_minor=1, commission_minor=0)
    assert shares_of(5, 9_000) == Shares(creator_minor=5, commission_minor=0)
    assert shares_of(6, 9_000) == Shares(creator_minor=5, commission_minor=1)


@pytest.mark.parametrize(
    ("status", "has_refunded", "later", "code"),
    [
        (PurchaseStatus.REFUNDED, True, timedelta(0), "marketplace.refunded"),
        (PurchaseStatus.SUSPENDED, False, timedelta(0), "marketplace.suspended"),
        (PurchaseStatus.ACTIVE, False, WINDOW, "marketplace.refund_window_closed"),
        (PurchaseStatus.ACTIVE, True, timedelta(0), "marketplace.refunded_before"),
    ],
)
def test_refund_is_refused(status: PurchaseStatus, has_refunded: bool, later: timedelta, code: str) -> None:
    with pytest.raises(Conflict) as refusal:
        check_refundable(status, BOUGHT, has_refunded=has_refunded, window=WINDOW, now=BOUGHT + later)
    assert refusal.value.error_code == code


def test_refund_is_possible_until_the_last_moment_of_the_window() -> None:
    last = BOUGHT + WINDOW - timedelta(microseconds=1)
    check_refundable(PurchaseStatus.ACTIVE, BOUGHT, has_refunded=False, window=WINDOW, now=last)


def test_words_are_found_whatever_their_case_and_form() -> None:
    assert search_words("Strasse straße, RÉSUMÉ", "re\u0301sume\u0301 2") == ["strasse", "résumé", "2"]


@for_each(
    "model, included, days, uses, on_days, used",
    [
        (OfferModel.ONE_TIME, None, None, 50, 5, 0),
        (OfferModel.ONE_TIME, 3, None, 0, 0, 0),
        (OfferModel.ONE_TIME, 3, None, 1, 1, 333),
        (OfferModel.ONE_TIME, 3, None, 9, 1, 1000),
        (OfferModel.MONTHLY, None, 31, 0, 0, 0),
        (OfferModel.MONTHLY, None, 31, 400, 1, 32),
        (OfferModel.MONTHLY, None, 28, 28, 29, 1000),
        (OfferModel.FREE, None, None, 7, 7, 0),
    ],
)
def test_used_part_of_a_price_is_by_uses_or_by_days_and_never_more_than_the_price(
    model: OfferModel, included: int | None, days: int | None, uses: int, on_days: int, used: int
) -> None:
    metered = ReportedUsage(uses=uses, days=on_days)
    assert used_minor(model, 1000, metered, included_uses=included, days=days) == used
