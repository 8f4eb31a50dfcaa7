"""What reports on the books look like over HTTP."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Self
from urllib.parse import urlencode

from pydantic import Field

from api.fields import Exact, ResponseModel
from domain.books.accounting import JournalTransfer, LineSum, ReportSection, assets_of, balance_sheet, profit_and_loss
from domain.common.accounts import debit_credit
from domain.common.money import format_amount
from domain.usage.amounts import to_minor


class TrialBalanceLineView(ResponseModel):
    """One line of the chart of accounts in one currency. The accounts of all tenants share a line."""

    line: str
    kind: str
    currency: str
    opening_debit: Exact
    opening_credit: Exact
    debits: Exact
    credits: Exact
    closing_debit: Exact
    closing_credit: Exact
    journal_url: str = Field(description="The transfers of the period with an entry on this line.")

    @classmethod
    def of(cls, one: LineSum, first: date, last: date) -> Self:
        opening, closing = debit_credit(one.opening_minor), debit_credit(one.closing_minor)
        asked = {"start_date": first, "end_date": last, "line": one.line, "currency": one.asset}
        return cls(
            line=one.line,
            kind=one.kind.value,
            currency=one.asset,
            opening_debit=format_amount(opening[0], one.asset),
            opening_credit=format_amount(opening[1], one.asset),
            debits=format_amount(one.debits_minor, one.asset),
            credits=format_amount(one.credits_minor, one.asset),
            closing_debit=format_amount(closing[0], one.asset),
            closing_credit=format_amount(closing[1], one.asset),
            journal_url=f"/api/v1/accounting/journal?{urlencode(asked)}",
        )


class TrialBalanceTotalView(ResponseModel):
    """The totals of all lines in one currency. Debits equal credits."""

    currency: str
    opening_debit: Exact
    opening_credit: Exact
    debits: Exact
    credits: Exact
    closing_debit: Exact
    closing_credit: Exact

    @classmethod
    def of(cls, sums: Sequence[LineSum], asset: str) -> Self:
        ours = [one for one in sums if one.asset == asset]
        opening = [debit_credit(one.opening_minor) for one in ours]
        closing = [debit_credit(one.closing_minor) for one in ours]
        return cls(
            currency=asset,
            opening_debit=format_amount(sum(debit for debit, _ in opening), asset),
            opening_credit=format_amount(sum(credit for _, credit in opening), asset),
            debits=format_amount(sum(one.debits_minor for one in ours), asset),
            credits=format_amount(sum(one.credits_minor for one in ours), asset),
            closing_debit=format_amount(sum(debit for debit, _ in closing), asset),
            closing_credit=format_amount(sum(credit for _, credit in closing), asset),
        )


class TrialBalanceView(ResponseModel):
    """Every line with its opening balance, movements and closing balance of a period. Days are in UTC."""

    start_date: date
    end_date: date
    lines: list[TrialBalanceLineView]
    totals: list[TrialBalanceTotalView]

    @classmethod
    def of(cls, first: date, last: date, sums: Sequence[LineSum]) -> Self:
        return cls(
            start_date=first,
            end_date=last,
            lines=[TrialBalanceLineView.of(one, first, last) for one in sums],
            totals=[TrialBalanceTotalView.of(sums, asset) for asset in assets_of(sums)],
        )


class StatementSectionLineView(ResponseModel):
    """A line of a statement; positive on the normal side of its section."""

    line: str
    amount: Exact


class SectionView(ResponseModel):
    """A section of a statement."""

    lines: list[StatementSectionLineView]
    total: Exact

    @classmethod
    def of(cls, section: ReportSection, asset: str) -> Self:
        lines = [
            StatementSectionLineView(line=line, amount=format_amount(minor, asset)) for line, minor in section.lines
        ]
        return cls(lines=lines, total=format_amount(section.total_minor, asset))


class CurrencyResultView(ResponseModel):
    """Profit and loss in one currency."""

    currency: str
    revenue: SectionView
    expenses: SectionView
    result: Exact = Field(description="Revenue less expenses; negative is a loss.")
    provider_cost: Exact = Field(
        description=(
            "What model calls of the period cost by their prices, rounded up. Providers' bills are not in these books, "
            "so it is in no sum: take it off the result."
        )
    )


class ProfitAndLossView(ResponseModel):
    """Revenue and expenses of a period, for each currency. Days are in UTC."""

    start_date: date
    end_date: date
    currencies: list[CurrencyResultView]

    @classmethod
    def of(cls, first: date, last: date, sums: Sequence[LineSum], costs_pico: Mapping[str, int]) -> Self:
        """Show the sums of a period, and what model calls cost, by currency."""
        costs = {asset: to_minor(pico, asset) for asset, pico in costs_pico.items()}
        assets = [*assets_of(sums), *sorted(costs.keys() - assets_of(sums))]
        found = [(asset, profit_and_loss(sums, asset)) for asset in assets]
        shown = [
            CurrencyResultView(
                currency=asset,
                revenue=SectionView.of(one.revenue, asset),
                expenses=SectionView.of(one.expenses, asset),
                result=format_amount(one.result_minor, asset),
                provider_cost=format_amount(costs.get(asset, 0), asset),
            )
            for asset, one in found
            if one.revenue.lines or one.expenses.lines or costs.get(asset)
        ]
        return cls(start_date=first, end_date=last, currencies=shown)


class CurrencySheetView(ResponseModel):
    """A balance sheet in one currency. Assets equal liabilities, equity and result."""

    currency: str
    assets: SectionView
    liabilities: SectionView
    equity: SectionView
    result: Exact = Field(description="Revenue less expenses of all days so far. Years are not closed.")


class BalanceSheetView(ResponseModel):
    """Assets, liabilities and equity at the end of a day in UTC, for each currency."""

    day: date = Field(alias="date")
    currencies: list[CurrencySheetView]

    @classmethod
    def of(cls, day: date, sums: Sequence[LineSum]) -> Self:
        found = [(asset, balance_sheet(sums, asset)) for asset in assets_of(sums)]
        shown = [
            CurrencySheetView(
                currency=asset,
                assets=SectionView.of(one.assets, asset),
                liabilities=SectionView.of(one.liabilities, asset),
                equity=SectionView.of(one.equity, asset),
                result=format_amount(one.result_minor, asset),
            )
            for asset, one in found
        ]
        return cls(date=day, currencies=shown)


class JournalEntryView(ResponseModel):
    """One side of a transfer. One of debit and credit is null."""

    account: str
    line: str
    debit: Exact | None
    credit: Exact | None
    currency: str


class JournalTransferView(ResponseModel):
    """A transfer with all of its entries."""

    id: str
    kind: str
    reference: str | None
    organization_id: str | None
    effective_at: datetime
    recorded_at: datetime
    entries: list[JournalEntryView]

    @classmethod
    def of(cls, transfer: JournalTransfer) -> Self:
        entries = []
        for entry in transfer.entries:
            debit, credit = debit_credit(entry.amount_minor)
            entries.append(
                JournalEntryView.from_row(
                    entry,
                    debit=format_amount(debit, entry.asset) if debit else None,
                    credit=format_amount(credit, entry.asset) if credit else None,
                    currency=entry.asset,
                )
            )
        return cls.from_row(transfer, entries=entries)
