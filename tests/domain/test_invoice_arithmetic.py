"""Lines add up to the subtotal, with tax to the total, and the total is what is prepaid and what is due."""

from fractions import Fraction

import pytest
from hypothesis import given, strategies as st

from domain.billing.invoice.arithmetic import sums_of
from domain.billing.invoice.lines import Discount, InvoiceLine, check_discounts
from domain.billing.tax.rates import NO_TAX, WHOLE, AppliedTax, TaxCategory
from domain.common.errors import Invalid

RATES = [
    NO_TAX,
    *(AppliedTax(code=f"t{r}", category=TaxCategory.STANDARD, rate_e6=r) for r in (1, 70_000, 88_750, 190_000)),
]
LINES = st.builds(
    lambda gross, off: InvoiceLine(description="x", fixed_minor=gross, discount_minor=off * gross // 100),
    st.one_of(st.integers(0, 50), st.integers(0, 10**12)),
    st.integers(0, 100),
)
DISCOUNTS = st.one_of(
    st.builds(lambda minor: Discount(description="d", amount_minor=minor), st.integers(1, 10**12)),
    st.builds(lambda share: Discount(description="d", share_e4=share), st.integers(1, 10_000)),
)


def line(minor: int) -> InvoiceLine:
    return InvoiceLine(description="x", fixed_minor=minor)


def tax(rate_e6: int) -> AppliedTax:
    return AppliedTax(code="vat", category=TaxCategory.STANDARD, rate_e6=rate_e6)


@given(
    st.lists(st.tuples(LINES, st.sampled_from(RATES)), min_size=1, max_size=12),
    st.lists(DISCOUNTS, max_size=3),
    st.booleans(),
    st.integers(0, 10**6),
    st.integers(0, 10**13),
)
def test_pitfall_16_every_sum_equals_its_parts(billed, discounts, includes_tax, granted, purchased):
    lines, taxes = zip(*billed, strict=True)
    sums = sums_of(
        lines,
        taxes,
        discounts=discounts,
        includes_tax=includes_tax,
        granted_minor=granted,
        purchased_minor=purchased,
    )
    assert all(0 <= net <= line.amount_minor for net, line in zip(sums.net_minor, lines, strict=True))
    assert sums.subtotal_minor == sum(sums.net_minor) == sum(each.taxable_minor for each in sums.taxes)
    assert sums.total_minor == sums.subtotal_minor + sums.tax_minor == sums.prepaid_minor + sums.due_minor
    assert 0 <= sums.granted_minor <= granted
    assert 0 <= sums.prepaid_minor <= purchased
    assert sums.due_minor >= 0
    off = sum(each.amount_minor for each in sums.discounts) + sums.granted_minor
    billed_minor = sums.total_minor if includes_tax else sums.subtotal_minor
    assert billed_minor == sum(each.amount_minor for each in lines) - off
    for each in sums.taxes:
        exact = Fraction(each.taxable_minor * each.tax.rate_e6, WHOLE)
        assert abs(each.tax_minor - exact) < 1
        if not includes_tax:
            assert each.tax_minor == (exact + Fraction(1, 2)) // 1


@pytest.mark.parametrize(
    ("minors", "rate_e6", "includes_tax", "expected"),
    [
        # Three lines of 0.10 at 19 %: 0.057, which is 0.06; line by line it would be 0.06 by luck, of 0.03 not.
        ([10, 10, 10], 190_000, False, (30, 6, 36)),
        ([3, 3, 3], 190_000, False, (9, 2, 11)),
        ([50], 50_000, False, (50, 3, 53)),  # 2.5 is rounded up
        ([11_900], 190_000, True, (10_000, 1_900, 11_900)),
        ([3], 200_000, True, (2, 1, 3)),  # no net of whole cents has exactly this sum
        ([0], 190_000, True, (0, 0, 0)),
    ],
)
def test_tax_is_rounded_once_per_rate(minors, rate_e6, includes_tax, expected):
    sums = sums_of([line(m) for m in minors], [tax(rate_e6)] * len(minors), includes_tax=includes_tax)
    assert (sums.subtotal_minor, sums.tax_minor, sums.total_minor) == expected


def test_discounts_then_granted_credits_come_before_tax_and_purchased_credits_after():
    sums = sums_of(
        [line(10_000)],
        [tax(200_000)],
        discounts=[Discount(description="Launch", share_e4=1_000), Discount(description="Sorry", amount_minor=1_000)],
        granted_minor=3_000,
        purchased_minor=2_000,
    )
    assert [each.amount_minor for each in sums.discounts] == [1_000, 1_000]
    assert (sums.granted_minor, sums.subtotal_minor, sums.tax_minor) == (3_000, 5_000, 1_000)
    assert (sums.prepaid_minor, sums.due_minor) == (2_000, 4_000)


@pytest.mark.parametrize("wrong", [{}, {"amount_minor": 0}, {"share_e4": 10_001}, {"amount_minor": 1, "share_e4": 1}])
def test_discounts_that_make_no_sense_are_refused(wrong):
    with pytest.raises(Invalid):
        check_discounts([Discount(description="x", **wrong)])
