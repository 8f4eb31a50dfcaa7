"""Credits pay an invoice with what was paid for them."""

from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given, strategies as st

from domain.billing.invoice.arithmetic import sums_of
from domain.billing.invoice.lines import InvoiceLine
from domain.billing.invoice.worth import PayingLot, credits_of, take_lots, to_return, worth_of
from domain.billing.tax.rates import AppliedTax, TaxCategory
from domain.common.credits import CreditPrice

CREDIT = 1_000_000
VAT = AppliedTax(code="de-vat", category=TaxCategory.STANDARD, rate_e6=190_000)


def lot(paid: int, credits: int, **more: object) -> PayingLot:
    """Return a lot of so many credits that cost so many cents, of which all is free."""
    amount = credits * CREDIT
    return PayingLot(**{"id": UUID(int=paid), "free_minor": amount, "amount_minor": amount, "paid_minor": paid} | more)


def test_lots_are_taken_in_their_order_until_they_are_worth_the_amount() -> None:
    lots = [lot(2_490, 1_000), lot(990, 100), lot(10_000, 1_000)]
    assert worth_of(lots) == 13_480
    assert take_lots(lots, 5_000) == (
        (lots[0].id, 1_000 * CREDIT),
        (lots[1].id, 100 * CREDIT),
        (lots[2].id, 152 * CREDIT),
    )
    # A cent at 0.0249 is 0.40160642… of a credit, and no less than a cent.
    assert take_lots(lots, 1) == ((lots[0].id, 401_607),)
    assert credits_of(take_lots(lots, 20_000)) == 2_100 * CREDIT


def test_what_was_paid_in_another_currency_counts_at_its_rate() -> None:
    # 1,000 yen at 160 to the euro are 6.25.
    yen = lot(1_000, 100, rate=(100, 160))
    assert (worth_of([yen]), take_lots([yen], 625)) == (625, ((yen.id, 100 * CREDIT),))
    assert take_lots([yen], 1) == ((yen.id, 200_000),)


def test_the_rest_of_a_lot_is_worth_what_is_left_of_its_price() -> None:
    rest = lot(100, 3, free_minor=CREDIT, gone_minor=2 * CREDIT, costed_minor=66)
    assert worth_of([rest]) == 34
    # What is worth nothing is not taken.
    worthless = lot(100, 3, free_minor=CREDIT, gone_minor=CREDIT, costed_minor=90)
    assert take_lots([worthless, rest], 34) == ((rest.id, CREDIT),)


def test_credits_come_back_by_what_was_paid_for_them_and_all_of_them_with_the_last_share() -> None:
    used = [lot(1_520, 152), lot(990, 100), lot(2_490, 1_000)]
    assert to_return(used, 2_000, 5_000) == 152 * CREDIT + 48_484_849
    assert to_return(used, 5_000, 5_000) == 1_252 * CREDIT


def test_granted_credits_count_at_a_price_and_pay_no_cost() -> None:
    granted = PayingLot.at(CreditPrice(price=Decimal("0.0249"), currency="EUR"), UUID(int=1), 1_000 * CREDIT)
    assert (worth_of([granted]), take_lots([granted], 249)) == (2_490, ((granted.id, 100 * CREDIT),))
    lines = [
        InvoiceLine(description="x", fixed_minor=minor, is_cost=is_cost) for minor, is_cost in ((300, 0), (700, 1))
    ]
    sums = sums_of(lines, [VAT, VAT], granted_minor=2_490)
    assert (sums.granted_minor, sums.net_minor, sums.tax_minor) == (300, (0, 700), 133)
    assert sums_of(lines[1:], [VAT], granted_minor=2_490).granted_minor == 0


@pytest.mark.parametrize("price", [840, 841, 2_000])
def test_taxed_credits_take_off_what_their_price_is_with_tax_where_lines_include_it(price: int) -> None:
    sums = sums_of([InvoiceLine(description="x", fixed_minor=1_190)], [VAT], includes_tax=True, taxed_minor=price)
    assert (sums.taxed_minor, sums.taxed_price_minor) == (min(1_190, price * 1_190 // 1_000), min(1_000, price))


@st.composite
def lots_of(draw: st.DrawFn) -> list[PayingLot]:
    made = []
    for number in range(draw(st.integers(1, 5))):
        amount = draw(st.integers(1, 3_000 * CREDIT))
        gone, paid = draw(st.integers(0, amount - 1)), draw(st.integers(0, 30_000))
        made.append(
            PayingLot(
                id=UUID(int=number),
                free_minor=draw(st.integers(1, amount - gone)),
                amount_minor=amount,
                gone_minor=gone,
                paid_minor=paid,
                costed_minor=draw(st.integers(0, paid)),
                rate=draw(st.sampled_from([(1, 1), (100, 160), (100, 37), (1, 1_000)])),
            )
        )
    return made


@given(lots_of(), st.integers(1, 100_000))
def test_no_amount_is_paid_with_less_than_was_paid_and_one_micro_credit_less_would_not_do(
    lots: list[PayingLot], amount: int
) -> None:
    there, slices, by_id = worth_of(lots), take_lots(lots, amount), {each.id: each for each in lots}
    worth = sum(by_id[id].worth(part) for id, part in slices)
    assert all(0 < part <= by_id[id].free_minor for id, part in slices)
    assert [id.int for id, _ in slices] == sorted(id.int for id, _ in slices)
    if amount >= there:
        assert worth == there
        return
    last, part = slices[-1]
    before = worth - by_id[last].worth(part)
    assert worth >= amount > before + (by_id[last].worth(part - 1) if part > 1 else 0)
