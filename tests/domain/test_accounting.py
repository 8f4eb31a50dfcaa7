"""Statements from sums of the books, and journals for other programs."""

from datetime import UTC, date, datetime

import pytest
from hypothesis import given, strategies as st

from domain.books.accounting import (
    JournalEntry,
    JournalTransfer,
    LineSum,
    balance_sheet,
    beancount_transfer,
    parse_codes,
    profit_and_loss,
    quickbooks_rows,
    xero_rows,
)
from domain.common.accounts import AccountKind
from domain.common.errors import Invalid, NotMapped

DAY = date(2026, 2, 28)
LINES = [(f"platform/{kind.value}_{number}", kind) for kind in AccountKind for number in range(2)]


@st.composite
def sums(draw: st.DrawFn) -> list[LineSum]:
    """Lines of books that balance: transfers between two lines each, before a period and within it."""
    movements = draw(
        st.lists(
            st.tuples(st.booleans(), st.sampled_from(LINES), st.sampled_from(LINES), st.integers(1, 10**15)),
            max_size=20,
        )
    )
    found = {line: [0, 0, 0] for line in LINES}
    for before, source, destination, amount in movements:
        if before:
            found[source][0] -= amount
            found[destination][0] += amount
        else:
            found[source][1] += amount
            found[destination][2] += amount
    return [
        LineSum(line=line, kind=kind, asset="USD", opening_minor=o, debits_minor=d, credits_minor=c)
        for (line, kind), (o, d, c) in found.items()
    ]


@given(sums())
def test_assets_are_liabilities_equity_and_result(lines: list[LineSum]) -> None:
    sheet = balance_sheet(lines, "USD")
    owed = sheet.liabilities.total_minor + sheet.equity.total_minor + sheet.result_minor
    assert sheet.assets.total_minor == owed
    before = [
        LineSum(line=x.line, kind=x.kind, asset="USD", opening_minor=x.opening_minor, debits_minor=0, credits_minor=0)
        for x in lines
    ]
    grown = sheet.result_minor - balance_sheet(before, "USD").result_minor
    assert profit_and_loss(lines, "USD").result_minor == grown


@given(sums())
def test_files_for_other_programs_balance_each_day(lines: list[LineSum]) -> None:
    codes = {line: "400" for line, _ in LINES}
    debits = [int(row[3].replace(".", "")) for row in quickbooks_rows(DAY, lines, {}) if row[3]]
    credits = [int(row[4].replace(".", "")) for row in quickbooks_rows(DAY, lines, {}) if row[4]]
    assert sum(debits) == sum(credits)
    assert sum(int(row[5].replace(".", "")) for row in xero_rows(DAY, lines, codes)) == 0


def test_columns_are_those_of_the_programs() -> None:
    line = LineSum(
        line="platform/commission",
        kind=AccountKind.REVENUE,
        asset="USD",
        opening_minor=0,
        debits_minor=100,
        credits_minor=1350,
    )
    [row] = quickbooks_rows(DAY, [line], {})
    assert row == (*("20260228-USD", "02/28/2026", "Platform:Commission", "", "12.50", "platform/commission", "USD"),)
    [row] = xero_rows(DAY, [line], {"platform/commission": "200"})
    assert row == ("Bursar 2026-02-28 USD", "28/02/2026", "platform/commission", "200", "Tax Exempt", "-12.50")
    with pytest.raises(NotMapped) as refused:
        list(xero_rows(DAY, [line], {}))
    assert refused.value.extra == {"lines": ["platform/commission"]}


def test_transfer_is_written_with_debits_positive_and_text_that_cannot_break_out() -> None:
    entries = (
        JournalEntry(
            account="a", line="provider/stripe/clearing", kind=AccountKind.ASSET, asset="USD", amount_minor=-990
        ),
        JournalEntry(account="b", line="platform/tax/DE_19", kind=AccountKind.LIABILITY, asset="USD", amount_minor=990),
    )
    at = datetime(2026, 2, 28, 23, 59, tzinfo=UTC)
    transfer = JournalTransfer(
        id="tr_1",
        kind="k",
        reference='a"\n2026-01-01 close',
        org_id=None,
        effective_at=at,
        recorded_at=at,
        entries=entries,
    )
    assert beancount_transfer(transfer).splitlines()[1:] == [
        '2026-02-28 * "k" "a\\" 2026-01-01 close"',
        '  transfer: "tr_1"',
        "  Assets:Provider:Stripe:Clearing  9.90 USD",
        '    account: "a"',
        "  Liabilities:Platform:Tax:DE-19  -9.90 USD",
        '    account: "b"',
    ]


@pytest.mark.parametrize("written", ["", "[]", '{"a": 1}', '{"a": ""}', "{"])
def test_codes_that_cannot_be_read_are_refused(written: str) -> None:
    with pytest.raises(Invalid):
        parse_codes(written)
