"""Billing periods, terms, and what an invoice of a period is made of."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, strategies as st

from domain.billing.billing_run.contents import (
    MAX_PREPAID_LINES,
    BilledUsage,
    OneOffItem,
    PrepaidUsage,
    compute_contents,
)
from domain.billing.billing_run.period import next_month, parse_month, period_at, period_of, ready_at
from domain.billing.billing_terms import (
    BillingTerms,
    DiscountStep,
    TermsVersion,
    UsageMode,
    billed_period,
    check_terms,
    committed_minor,
    next_version,
)
from domain.billing.invoice.lines import MAX_LINES
from domain.billing.invoice.wording import text_of
from domain.common.errors import Invalid, OtherCurrency
from domain.usage.arrears import BilledAmount, EventCost, MeteredQuantity, PriceSource, UnbilledTotal, billed_amounts
from tests.support.cases import for_each

PICO_PER_CENT = 10**10
JANUARY = period_of(date(2026, 1, 1), "UTC")


def terms(**changes: Any) -> BillingTerms:
    return replace(BillingTerms(mode=UsageMode.ARREARS), **changes)


def version(found: BillingTerms, *, number: int = 2, day: int = 1) -> TermsVersion:
    starts = datetime(2026, 1, day, 9, tzinfo=UTC)
    return TermsVersion(number=number, terms=found, starts_at=starts, from_month=JANUARY.month)


def used(pico: int, ref: str = "gpt-4o", **changes: Any) -> BilledUsage:
    base = BilledUsage(month=JANUARY.month, number=1, source=PriceSource.MODEL, ref=ref, name=ref, events=1, pico=pico)
    return replace(base, **changes)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Vienna", "America/Sao_Paulo", "Asia/Kathmandu", "Pacific/Apia"])
def test_periods_of_a_zone_follow_each_other_without_a_gap(zone: str) -> None:
    period = period_of(date(2010, 12, 1), zone)
    for _ in range(40):
        after = period.following()
        assert after.starts_at == period.ends_at
        assert period_at(period.ends_at, zone) == after
        assert period_at(after.starts_at.replace(microsecond=0), zone).month == after.month
        period = after


@given(
    zones=st.lists(st.sampled_from(["UTC", "Europe/Vienna", "Asia/Tokyo", "America/Los_Angeles"]), min_size=2),
)
def test_months_follow_each_other_when_the_time_zone_changes(zones: list[str]) -> None:
    month, end = date(2026, 1, 1), None
    for before, zone in pairwise(zones):
        period = period_of(month, zone, before=before)
        assert end in {None, period.starts_at}
        assert period.starts_at < period.ends_at == period_of(month, zone).ends_at
        month, end = next_month(month), period.ends_at


@pytest.mark.parametrize(
    ("zone", "number", "starts_at"),
    [
        ("UTC", 0, datetime(2026, 1, 1, tzinfo=UTC)),
        # It was still December there when the month of before ended.
        ("America/New_York", 0, datetime(2026, 1, 1, 5, tzinfo=UTC)),
        ("America/New_York", 1, datetime(2026, 1, 1, tzinfo=UTC)),
        # These hours were in the month of before.
        ("Asia/Tokyo", 0, datetime(2026, 1, 1, tzinfo=UTC)),
        ("Asia/Tokyo", 1, datetime(2026, 1, 1, tzinfo=UTC)),
    ],
)
def test_first_month_of_the_first_terms_has_no_hours_of_the_month_before(
    zone: str, number: int, starts_at: datetime
) -> None:
    before = TermsVersion(
        number=number, terms=BillingTerms(), starts_at=datetime(2025, 1, 1, tzinfo=UTC), from_month=date(2025, 1, 1)
    )
    period = billed_period(JANUARY.month, version(terms(time_zone=zone), number=number + 1), before)
    assert period.starts_at == starts_at
    assert period.ends_at == period_of(JANUARY.month, zone).ends_at


def test_month_can_be_invoiced_a_day_after_it_has_ended_in_the_last_zone() -> None:
    assert ready_at(date(2026, 1, 1), ["Europe/Vienna"]) == datetime(2026, 2, 2, tzinfo=UTC)
    assert ready_at(date(2026, 1, 1), ["America/New_York"]) == datetime(2026, 2, 2, 5, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026", "2026-13", "2026-1", "2026-01-01", "٢٠٢٦-01", "", "2026/01"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_month(text)


@pytest.mark.parametrize("text", ["0001-01", "1969-12", "9999-01", "9999-12"])
def test_month_of_a_year_that_no_moment_may_have_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_month(text)


def test_last_month_that_is_read_has_an_end() -> None:
    assert ready_at(parse_month("9998-12"), ["America/New_York"]) == datetime(9999, 1, 2, 5, tzinfo=UTC)
    assert parse_month("1970-01") == date(1970, 1, 1)


def test_first_terms_act_at_once_and_a_change_from_the_next_month_of_the_zone_before() -> None:
    now = datetime(2026, 1, 31, 23, 30, tzinfo=UTC)
    first = next_version(None, 0, terms(time_zone="Europe/Vienna"), now)
    assert (first.number, first.starts_at, first.from_month) == (1, now, date(2026, 2, 1))
    second = next_version(first, 1, terms(time_zone="Asia/Tokyo"), now)
    assert (second.starts_at, second.from_month) == (datetime(2026, 2, 28, 23, tzinfo=UTC), date(2026, 3, 1))
    # One that does not hold yet is followed, and the month stays.
    assert next_version(first, 2, terms(), now) == replace(second, number=3, terms=terms())


def test_commitment_is_prorated_by_days_in_the_month_in_which_it_begins() -> None:
    whole = terms(commitment_minor=31_00)
    assert committed_minor(version(whole), JANUARY) == 31_00
    assert committed_minor(version(whole, number=1, day=16), JANUARY) == 16_00
    later = replace(whole, commitment_from=date(2026, 1, 31))
    assert committed_minor(version(later, number=1), JANUARY) == 1_00
    assert committed_minor(version(later), JANUARY.following()) == 31_00
    assert committed_minor(version(replace(whole, commitment_from=date(2026, 2, 1))), JANUARY) == 0


@for_each(
    "changes, field",
    [
        ({"currency": "CREDIT"}, "currency"),
        ({"currency": "XYZ"}, "currency"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"mode": UsageMode.PREPAID, "commitment_minor": 1}, "minimum_commitment"),
        ({"commitment_from": date(2026, 1, 1)}, "commitment_from"),
        ({"net_days": 181}, "net_days"),
        (
            {"discounts": (DiscountStep(from_minor=5, discount_bps=1), DiscountStep(from_minor=5, discount_bps=2))},
            "volume_discounts",
        ),
        ({"discounts": (DiscountStep(from_minor=5, discount_bps=10_001),)}, "volume_discounts"),
    ],
)
def test_terms_that_nobody_can_bill_by_are_refused(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_terms(terms(**changes))
    assert refusal.value.extra["field"] == field


def test_event_is_billed_by_its_meters_and_otherwise_by_what_it_costs() -> None:
    cost = EventCost(source=PriceSource.MODEL, ref="m", pico=5, currency="USD")
    own = BilledAmount(source=PriceSource.MODEL, ref="m", pico=5)
    plain = MeteredQuantity(number=1, quantity=Decimal(2), currency=None)
    with_price = MeteredQuantity(number=7, quantity=Decimal(3), currency="USD")
    metered = BilledAmount(source=PriceSource.METER, ref="7", quantity=Decimal(3))
    assert billed_amounts([], cost, "USD") == (own,)
    assert billed_amounts([plain, plain], cost, "USD") == (own,)
    assert billed_amounts([with_price], cost, "USD") == (metered,)
    assert billed_amounts([with_price, plain], cost, "USD") == (metered, own)
    assert billed_amounts([], None, "USD") == ()
    for metered_by, costing in (([with_price], None), ([], cost)):
        with pytest.raises(OtherCurrency):
            billed_amounts(metered_by, costing, "EUR")


def test_unbilled_cost_of_models_counts_with_its_markup_rounded_up() -> None:
    parts = [
        BilledAmount(source=PriceSource.MODEL, ref="m", pico=6),
        BilledAmount(source=PriceSource.AGENT, ref="a", pico=6),
    ]
    unbilled = UnbilledTotal(currency="USD", charges={}, markup_e6=200_000).with_event(JANUARY.month, parts)
    assert (unbilled.pico, unbilled.with_event(JANUARY.month, parts[:1]).pico) == (8 + 6, 8 + 6 + 8)


def test_lines_are_usage_then_the_shortfall_after_the_discount_then_one_off_items() -> None:
    agreed = terms(commitment_minor=100_00, discounts=(DiscountStep(from_minor=50_00, discount_bps=1000),))
    late = used(10_00 * PICO_PER_CENT, "claude", month=date(2025, 12, 1), events=3)
    found = compute_contents(
        JANUARY,
        version(agreed),
        [used(60_00 * PICO_PER_CENT), late, used(0, "free")],
        [OneOffItem(id="x", description="Set-up", quantity=2, unit_minor=5_00)],
    )
    assert [(line.description, line.amount_minor) for line in found.lines] == [
        ("Model claude, late usage of 2025-12: 3 events, less 10 %", 9_00),
        ("Model gpt-4o: 1 event, less 10 %", 54_00),
        ("Minimum commitment 2026-01, not used", 37_00),
        ("Set-up", 10_00),
    ]
    assert [text_of(line.wording, "de") for line in found.lines] == [
        "Modell claude, nachgemeldete Nutzung aus 2025-12: 3 Ereignisse, abzüglich 10 %",
        "Modell gpt-4o: 1 Ereignis, abzüglich 10 %",
        "Mindestabnahme 2026-01, nicht genutzt",
        "",
    ]
    assert (found.charges_minor, found.usage_minor, found.shortfall_minor) == (70_00, 63_00, 37_00)
    # Its tax is that of its month, as that of the usage is.
    assert (found.lines[2].period_start, found.lines[2].period_end) == (JANUARY.starts_at, JANUARY.ends_at)
    assert found.places == (1, 0, None)
    assert found.total_minor == 110_00
    assert [line.is_cost for line in found.lines] == [True, True, False, False]


def test_nothing_used_and_nothing_agreed_comes_to_nothing() -> None:
    found = compute_contents(JANUARY, version(terms()), [], [])
    assert (found.lines, found.total_minor, found.places) == ((), 0, ())


def test_what_credits_have_paid_is_shown_at_zero_the_most_of_it_first() -> None:
    paid = [
        PrepaidUsage(action=f"a{number:03}", quantity=number, credits_minor=number * 10**6) for number in range(1, 100)
    ]
    found = compute_contents(
        JANUARY,
        version(terms(commitment_minor=100)),
        [],
        [],
        [*paid, PrepaidUsage(action=None, quantity=7, credits_minor=10**9)],
    )
    missing, first, *others, last = found.lines
    assert (missing.amount_minor, found.total_minor, len(found.lines)) == (100, 100, 1 + MAX_PREPAID_LINES)
    assert (first.description, first.quantity) == ("Paid with credits: use, 1000.00 credits", 7)
    assert text_of(first.wording, "de") == "Mit Credits bezahlt: Nutzung, 1000,00 Credits"
    assert (others[0].description, others[0].quantity) == ("Paid with credits: a099, 99.00 credits", 99)
    assert last.description.startswith("Paid with credits: 51 other actions, ")
    assert sum(line.quantity for line in (first, *others, last)) == 7 + sum(range(1, 100))


def test_prices_beyond_the_most_lines_are_one_line_and_lose_nothing() -> None:
    usage = [used(number * PICO_PER_CENT, f"m{number:04}") for number in range(1, 1500)]
    found = compute_contents(JANUARY, version(terms(commitment_minor=10**9)), usage, [])
    assert len(found.lines) == MAX_LINES
    assert found.usage_minor == sum(range(1, 1500))
    assert None not in found.places


@given(
    picos=st.lists(st.integers(0, 10**14), max_size=6),
    bps=st.integers(1, 10_000),
    commitment=st.integers(0, 10**6),
    markup=st.sampled_from([0, 200_000, 333_333, 10**9]),
)
def test_each_line_is_its_exact_usage_rounded_up_once(picos: list[int], bps: int, commitment: int, markup: int) -> None:
    agreed = terms(commitment_minor=commitment, discounts=(DiscountStep(from_minor=0, discount_bps=bps),))
    usage = [used(pico, f"m{number}", markup_e6=markup) for number, pico in enumerate(picos)]
    found = compute_contents(JANUARY, version(agreed), usage, [])
    exact = [Fraction(pico * (10**6 + markup) * (10_000 - bps), 10**10 * PICO_PER_CENT) for pico in picos]
    for amount, place in zip(exact, found.places, strict=True):
        owed = -(-amount.numerator // amount.denominator)
        assert owed == (0 if place is None else found.lines[place].amount_minor)
    assert found.total_minor == max(found.usage_minor, commitment)
