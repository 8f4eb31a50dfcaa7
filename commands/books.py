"""`manage books`: the trial balance, profit and loss, balance sheet or journal of a period."""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime

from commands.base import asking_the_database
from commands.failure import CommandFailed
from domain.books.accounting import LineSum, ReportSection, assets_of, balance_sheet, profit_and_loss
from domain.common.accounts import debit_credit
from domain.common.errors import DomainError
from domain.common.money import SCALES, format_amount
from domain.usage.amounts import to_minor
from repositories.books import accounting
from repositories.books.accounting import JournalFilter
from repositories.usage import usage_report
from runtime.database import Database, make_repeatable_read
from runtime.settings import Settings, read_settings
from services.books.accounting import Format, write_journal


def run(given: argparse.Namespace) -> int:
    settings = read_settings()
    try:
        last = date.fromisoformat(given.last) if given.last else datetime.now(UTC).date()
        first = date.fromisoformat(given.first) if given.first else last.replace(day=1)
    except ValueError as error:
        raise CommandFailed(f"A day must have the form 2026-01-31: {error}") from error
    if first > last:
        raise CommandFailed("The period ends before it begins.")
    if given.currency is not None and given.currency not in SCALES:
        raise CommandFailed(f"{given.currency!r} is not a currency that the books know. Name one, such as USD.")
    wanted = JournalFilter(first=first, last=last, asset=given.currency)
    try:
        with asking_the_database():
            asyncio.run(_print(settings, given.database_url or settings.platform_database_url, given, wanted))
    except DomainError as error:
        raise CommandFailed(error.detail) from error
    return 0


async def _print(settings: Settings, url: str, given: argparse.Namespace, wanted: JournalFilter) -> None:
    database = Database(settings.database_url, url, pool_size=1)
    try:
        async with database.platform() as session:
            await make_repeatable_read(session)
            if given.report == "journal":
                async for piece in write_journal(session, wanted, Format(given.format), settings.account_codes):
                    sys.stdout.write(piece)
                return
            sums = await accounting.lines(session, wanted.first, wanted.last, wanted.asset)
            costs = await usage_report.model_costs(session, wanted.first, wanted.last, wanted.asset)
    finally:
        await database.close()
    sys.stdout.write("\n".join(shown(given.report, sums, wanted.first, wanted.last, costs)) + "\n")


def shown(report: str, sums: Sequence[LineSum], first: date, last: date, costs_pico: Mapping[str, int]) -> list[str]:
    """Return the lines of a report on sums of a period: `trial-balance`, `profit-and-loss` or `balance-sheet`.

    `costs_pico` is what model calls of the period cost, by currency, which profit and loss shows beside the result.
    """
    costs = costs_pico if report == "profit-and-loss" else {}

    def result(sums: Sequence[LineSum], asset: str) -> list[str]:
        return _profit_and_loss(sums, asset, to_minor(costs.get(asset, 0), asset))

    make = {"trial-balance": _trial_balance, "profit-and-loss": result, "balance-sheet": _balance_sheet}
    period = f"on {last}" if report == "balance-sheet" else f"from {first} to {last}"
    lines = [f"{report.replace('-', ' ').capitalize()} {period} (UTC)"]
    assets = assets_of(sums)
    for asset in [*assets, *sorted(costs.keys() - assets)]:
        lines += ["", asset, *make[report]([one for one in sums if one.asset == asset], asset)]
    return lines


def _trial_balance(sums: Sequence[LineSum], asset: str) -> list[str]:
    rows: list[Sequence[str]] = [("", "opening", "debits", "credits", "closing debit", "closing credit")]
    closing = [debit_credit(one.closing_minor) for one in sums]
    for one, (debit, credit) in zip(sums, closing, strict=True):
        opening = format_amount(-one.opening_minor, asset)
        moved = (format_amount(one.debits_minor, asset), format_amount(one.credits_minor, asset))
        rows.append((one.line, opening, *moved, format_amount(debit, asset), format_amount(credit, asset)))
    totals = (
        -sum(one.opening_minor for one in sums),
        sum(one.debits_minor for one in sums),
        sum(one.credits_minor for one in sums),
        sum(debit for debit, _ in closing),
        sum(credit for _, credit in closing),
    )
    rows.append(("total", *(format_amount(total, asset) for total in totals)))
    return table(rows)


def _profit_and_loss(sums: Sequence[LineSum], asset: str, cost_minor: int) -> list[str]:
    found = profit_and_loss(sums, asset)
    sections = (("revenue", found.revenue), ("expenses", found.expenses))
    return _statement(sections, (("result", found.result_minor), ("provider cost, in no sum", cost_minor)), asset)


def _balance_sheet(sums: Sequence[LineSum], asset: str) -> list[str]:
    found = balance_sheet(sums, asset)
    sections = (("assets", found.assets), ("liabilities", found.liabilities), ("equity", found.equity))
    owed = found.liabilities.total_minor + found.equity.total_minor + found.result_minor
    return _statement(sections, (("result", found.result_minor), ("liabilities, equity and result", owed)), asset)


def _statement(sections: Sequence[tuple[str, ReportSection]], ends: Sequence[tuple[str, int]], asset: str) -> list[str]:
    rows: list[Sequence[str]] = []
    for name, section in sections:
        rows += [(f"  {line}", format_amount(minor, asset)) for line, minor in section.lines]
        rows.append((name, format_amount(section.total_minor, asset)))
    rows += [(name, format_amount(minor, asset)) for name, minor in ends]
    return table(rows)


def table(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines: the first column stands left, the others right."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(
            [f"{row[0]:{widths[0]}}", *(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))]
        ).rstrip()
        for row in rows
    ]
