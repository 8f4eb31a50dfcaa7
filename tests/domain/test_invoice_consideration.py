"""Tax on an invoice that credits pay is on what was paid for them."""

from domain.billing.invoice.arithmetic import InvoiceSums, sums_of
from domain.billing.invoice.consideration import PaidLot, below_value, paid_for
from domain.billing.invoice.lines import Discount, InvoiceLine
from domain.billing.tax.rates import AppliedTax, TaxCategory

CREDIT = 1_000_000
VAT = AppliedTax(code="de-vat", category=TaxCategory.STANDARD, rate_e6=190_000)


def lot(
    paid: int, credits: int, *, free: int | None = None, asset: str = "EUR", rate: tuple[int, int] | None = None
) -> PaidLot:
    amount = credits * CREDIT
    free = amount if free is None else free * CREDIT
    return PaidLot(
        free_minor=free,
        amount_minor=amount,
        remaining_minor=amount,
        paid_minor=paid,
        costed_minor=0,
        asset=asset,
        rate=rate,
    )


def value_of(credits_minor: int) -> int:
    return credits_minor * 10 // CREDIT


def test_what_was_paid_is_counted_in_the_order_of_lots() -> None:
    lots = [lot(700, 100), lot(333, 100), lot(900, 100, asset="USD")]
    assert paid_for(lots, 50 * CREDIT, "EUR", value_of) == 350
    assert paid_for(lots, 101 * CREDIT, "EUR", value_of) == 703
    # What another currency has paid counts at its value without a rate, and so does what no lot is known of.
    assert paid_for(lots, 210 * CREDIT, "EUR", value_of) == 700 + 333 + 100
    assert paid_for([lot(700, 100, free=10)], 20 * CREDIT, "EUR", value_of) == 70 + 100
    # 1,000 yen at 160 to the euro are 6.25.
    yen = lot(1_000, 100, asset="JPY", rate=(100, 160))
    assert paid_for([yen], 100 * CREDIT, "EUR", value_of) == 625
    assert paid_for([yen], 10 * CREDIT, "EUR", value_of) == 63


def test_the_rest_of_a_lot_costs_what_is_left_of_its_price() -> None:
    rest = PaidLot(
        free_minor=CREDIT,
        amount_minor=3 * CREDIT,
        remaining_minor=CREDIT,
        paid_minor=100,
        costed_minor=66,
        asset="EUR",
    )
    assert paid_for([rest], CREDIT, "EUR", value_of) == 34


def summed(purchased: int, *discounts: Discount, includes_tax: bool = False) -> InvoiceSums:
    amount = 35_700 if includes_tax else 30_000
    line = InvoiceLine(description="Usage", unit_minor=amount)
    return sums_of([line], [VAT], purchased_minor=purchased, discounts=discounts, includes_tax=includes_tax)


def test_tax_is_on_what_was_paid_and_as_much_is_due_as_before() -> None:
    for includes_tax in (False, True):
        for value, paid, tax in ((35_700, 24_983, 3_989), (20_000, 14_000, 4_742), (35_700, 40_000, 5_700)):
            before = summed(value, includes_tax=includes_tax)
            assert before.tax_minor == 5_700
            off = below_value(before, paid, includes_tax=includes_tax)
            given = (Discount(description="x", amount_minor=off),) if off else ()
            total = summed(0, *given, includes_tax=includes_tax).total_minor
            after = summed(total - before.due_minor, *given, includes_tax=includes_tax)
            assert (after.due_minor, after.tax_minor) == (before.due_minor, tax)
            assert abs(after.prepaid_minor - min(paid, value)) <= 1
