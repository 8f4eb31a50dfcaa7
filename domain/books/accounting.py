"""Reports for accountants: trial balance, profit and loss, balance sheet, and journals for other programs.

They are computed from sums by line of the chart of accounts (`ledger.chart_line`), in which each kind of tenants'
accounts is one line. The ledger's signed amounts become debits and credits, see `domain.common.accounts.debit_credit`.
Amounts of different assets are never added or converted.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from operator import attrgetter

from domain.common.accounts import AccountKind, debit_credit, normal_balance
from domain.common.errors import Invalid, NotMapped
from domain.common.money import ISSUED, format_amount
from domain.common.text import rfc3339

_DAY = timedelta(days=1)
_ROOTS = {
    AccountKind.ASSET: "Assets",
    AccountKind.LIABILITY: "Liabilities",
    AccountKind.EQUITY: "Equity",
    AccountKind.REVENUE: "Income",
    AccountKind.EXPENSE: "Expenses",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LineSum:
    """A line of the chart: its balance before a period, and its debits and credits within it, in minor units.

    Attributes:
        line: such as `customers/credits` or `platform/commission`.
        kind: of the accounts on it.
        asset: of the accounts.
        opening_minor: the balance before the period, signed from the account's side: positive is a credit balance.
        debits_minor: the sum of amounts out of the accounts within the period.
        credits_minor: the sum of amounts into the accounts within the period.
    """

    line: str
    kind: AccountKind
    asset: str
    opening_minor: int
    debits_minor: int
    credits_minor: int

    @property
    def closing_minor(self) -> int:
        """The balance after the period, signed like `opening_minor`."""
        return self.opening_minor + self.credits_minor - self.debits_minor

    @property
    def change_minor(self) -> int:
        """The change within the period, on the normal side of the kind, so revenue and expenses are positive."""
        return normal_balance(self.credits_minor - self.debits_minor, self.kind)

    @property
    def balance_minor(self) -> int:
        """The balance after the period, on the normal side of the kind."""
        return normal_balance(self.closing_minor, self.kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalEntry:
    """One side of a transfer, as the journal shows it; `amount_minor` is signed from the account's side."""

    account: str
    line: str
    kind: AccountKind
    asset: str
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalTransfer:
    """One transfer with all of its entries."""

    id: str
    kind: str
    reference: str | None
    org_id: str | None
    effective_at: datetime
    recorded_at: datetime
    entries: tuple[JournalEntry, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportSection:
    """One side of a report in one asset: its lines, and their sum on the normal side."""

    lines: tuple[tuple[str, int], ...]
    total_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfitAndLoss:
    """Revenue and expenses of a period, in minor units of `asset`; `result_minor` is revenue less expenses."""

    asset: str
    revenue: ReportSection
    expenses: ReportSection
    result_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceSheet:
    """Assets, liabilities and equity at the end of a day, in minor units of `asset`.

    Assets are liabilities, equity and the result of all days so far. No year is closed: no result moves to equity.
    """

    asset: str
    assets: ReportSection
    liabilities: ReportSection
    equity: ReportSection
    result_minor: int


_CHANGE, _BALANCE = attrgetter("change_minor"), attrgetter("balance_minor")


def parse_codes(written: str) -> dict[str, str]:
    """Read account codes of another program by line of the chart: `{"platform/commission": "400"}`.

    Raises:
        Invalid: the text is no such map.
    """
    try:
        found = json.loads(written)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not all(
        isinstance(code, str) and 0 < len(code) <= 100 for code in found.values()
    ):
        raise Invalid('Account codes must be a JSON object such as {"platform/commission": "400"}.')
    return found


def assets_of(sums: Iterable[LineSum]) -> list[str]:
    """Return the assets of the sums: money by its code, then credits and slots."""
    return sorted({one.asset for one in sums}, key=lambda asset: (asset in ISSUED, asset))


def profit_and_loss(sums: Sequence[LineSum], asset: str) -> ProfitAndLoss:
    """Sum revenue and expenses of the period in one asset."""
    revenue = _section(sums, asset, AccountKind.REVENUE, _CHANGE)
    expenses = _section(sums, asset, AccountKind.EXPENSE, _CHANGE)
    return ProfitAndLoss(
        asset=asset, revenue=revenue, expenses=expenses, result_minor=revenue.total_minor - expenses.total_minor
    )


def balance_sheet(sums: Sequence[LineSum], asset: str) -> BalanceSheet:
    """Sum assets, liabilities and equity at the end of the period in one asset."""
    sections = {kind: _section(sums, asset, kind, _BALANCE) for kind in AccountKind}
    return BalanceSheet(
        asset=asset,
        assets=sections[AccountKind.ASSET],
        liabilities=sections[AccountKind.LIABILITY],
        equity=sections[AccountKind.EQUITY],
        result_minor=sections[AccountKind.REVENUE].total_minor - sections[AccountKind.EXPENSE].total_minor,
    )


def _section(sums: Sequence[LineSum], asset: str, kind: AccountKind, amount: Callable[[LineSum], int]) -> ReportSection:
    of_kind = sorted((one.line, amount(one)) for one in sums if one.asset == asset and one.kind is kind)
    lines = tuple((line, minor) for line, minor in of_kind if minor)
    return ReportSection(lines=lines, total_minor=sum(minor for _, minor in lines))


def beancount_opening(sums: Sequence[LineSum], first: date) -> Iterator[str]:
    """Write the head of a beancount file: every account, and its balance before the first day."""
    yield 'option "title" "Bursar"\n'
    for name in sorted({_beancount_name(one.kind, one.line) for one in sums}):
        yield f"{first} open {name}\n"
    before = [(_beancount_name(one.kind, one.line), -one.opening_minor, one.asset) for one in sums if one.opening_minor]
    if before:
        yield f'\n{first} * "Opening balances"\n'
        yield from (f"  {name}  {format_amount(minor, asset)} {asset}\n" for name, minor, asset in before)


def beancount_transfer(transfer: JournalTransfer) -> str:
    """Write one transfer; debits are positive there."""
    lines = [
        f"\n{_day(transfer)} * {_quoted(transfer.kind)} {_quoted(transfer.reference or '')}",
        f"  transfer: {_quoted(transfer.id)}",
        *([] if transfer.org_id is None else [f"  organization: {_quoted(transfer.org_id)}"]),
    ]
    for entry in transfer.entries:
        amount = format_amount(-entry.amount_minor, entry.asset)
        lines.append(f"  {_beancount_name(entry.kind, entry.line)}  {amount} {entry.asset}")
        lines.append(f"    account: {_quoted(entry.account)}")
    return "\n".join(lines) + "\n"


def beancount_closing(sums: Sequence[LineSum], last: date) -> Iterator[str]:
    """Write the balance of every account after the last day, which `bean-check` compares with the transfers."""
    closing: dict[tuple[str, str], int] = {}
    for one in sums:
        place = (_beancount_name(one.kind, one.line), one.asset)
        closing[place] = closing.get(place, 0) - one.closing_minor
    yield "\n"
    for (name, asset), minor in sorted(closing.items()):
        yield f"{last + _DAY} balance {name}  {format_amount(minor, asset)} {asset}\n"


JOURNAL_COLUMNS = (
    *("date", "transfer", "kind", "reference", "organization", "line", "account", "debit", "credit", "currency"),
    "recorded_at",
)


def journal_rows(transfer: JournalTransfer) -> Iterator[tuple[str, ...]]:
    """Return one row for each entry of a transfer, in the order of `JOURNAL_COLUMNS`."""
    for entry in transfer.entries:
        debit, credit = debit_credit(entry.amount_minor)
        yield (
            *(_day(transfer).isoformat(), transfer.id, transfer.kind, transfer.reference or "", transfer.org_id or ""),
            *(entry.line, entry.account),
            format_amount(debit, entry.asset) if debit else "",
            format_amount(credit, entry.asset) if credit else "",
            *(entry.asset, rfc3339(transfer.recorded_at)),
        )


QUICKBOOKS_COLUMNS = ("*JournalNo", "*JournalDate", "*AccountName", "*Debits", "*Credits", "Description", "Currency")


def quickbooks_rows(day: date, sums: Sequence[LineSum], codes: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """Return a day's sums in one currency as one journal entry in the columns that QuickBooks Online imports.

    Accounts are named by `codes`, or by their line if it has no code. Debits and credits of a line on the day are one
    net amount. Source of the columns: Intuit, "Import journal entries in QuickBooks Online".
    """
    for one in _moved(sums):
        debit, credit = debit_credit(one.credits_minor - one.debits_minor)
        yield (
            *(f"{day:%Y%m%d}-{one.asset}", f"{day:%m/%d/%Y}", codes.get(one.line) or _words(one.line)),
            format_amount(debit, one.asset) if debit else "",
            format_amount(credit, one.asset) if credit else "",
            *(one.line, one.asset),
        )


XERO_COLUMNS = ("*Narration", "*Date", "Description", "*AccountCode", "*TaxRate", "*Amount")
#: Xero's tax rate for lines that are not part of its tax return.
_NO_TAX = "Tax Exempt"


def xero_rows(day: date, sums: Sequence[LineSum], codes: Mapping[str, str]) -> Iterator[tuple[str, ...]]:
    """Return a day's sums in one currency as one manual journal in the columns that Xero imports; debits are positive.

    Source of the columns: Xero, "Enter multiple manual journals using an import template".

    Raises:
        NotMapped: a line has no account code, by which alone Xero identifies accounts.
    """
    require_mapped(sums, codes)
    for one in _moved(sums):
        amount = format_amount(one.debits_minor - one.credits_minor, one.asset)
        yield f"Bursar {day} {one.asset}", f"{day:%d/%m/%Y}", one.line, codes[one.line], _NO_TAX, amount


def require_mapped(sums: Iterable[LineSum], codes: Mapping[str, str]) -> None:
    """Check that every line has an account code.

    Raises:
        NotMapped: some have none.
    """
    missing = sorted({one.line for one in sums if one.line not in codes})
    if missing:
        raise NotMapped(
            f"These lines have no account code: {', '.join(missing)}. Set BURSAR_ACCOUNTING_CODES.",
            extra={"lines": missing},
        )


def _moved(sums: Iterable[LineSum]) -> list[LineSum]:
    return [one for one in sums if one.credits_minor != one.debits_minor]


def _day(transfer: JournalTransfer) -> date:
    return transfer.effective_at.astimezone(UTC).date()


def _beancount_name(kind: AccountKind, line: str) -> str:
    parts = (re.sub(r"[^A-Za-z0-9]+", "-", part).strip("-") or "0" for part in line.split("/"))
    return ":".join((_ROOTS[kind], *(part[0].upper() + part[1:] for part in parts)))


def _words(line: str) -> str:
    return ":".join(part.replace("_", " ").capitalize() for part in line.split("/"))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ") + '"'
