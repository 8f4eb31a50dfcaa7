"""Exports the journal of a period for other programs, from one snapshot of the books."""

from collections.abc import AsyncIterator, Mapping, Sequence
from enum import StrEnum

from sqlalchemy.ext.asyncio import AsyncSession

from domain.books.accounting import (
    JOURNAL_COLUMNS,
    QUICKBOOKS_COLUMNS,
    XERO_COLUMNS,
    JournalTransfer,
    beancount_closing,
    beancount_opening,
    beancount_transfer,
    journal_rows,
    quickbooks_rows,
    require_mapped,
    xero_rows,
)
from domain.common.cells import csv_text
from domain.common.errors import Invalid
from domain.common.money import ISSUED
from repositories.books import accounting
from repositories.books.accounting import JournalFilter, Position

_PAGE = 500


class Format(StrEnum):
    """The format of a journal: every entry (`csv`, `beancount`), or sums by day (`quickbooks`, `xero`)."""

    CSV = "csv"
    BEANCOUNT = "beancount"
    QUICKBOOKS = "quickbooks"
    XERO = "xero"


async def write_journal(
    session: AsyncSession, wanted: JournalFilter, form: Format, codes: Mapping[str, str]
) -> AsyncIterator[str]:
    """Write the journal of some days in pieces. Call `runtime.database.make_repeatable_read` first.

    Args:
        session: of the platform.
        wanted: the days, and a filter of transfers if the format shows them.
        form: the format.
        codes: the account codes of the other program, by line of the chart.

    Raises:
        Invalid: daily sums need one currency; a beancount file needs all lines and assets; both need whole days.
    """
    if form is not Format.CSV and (wanted.since, wanted.until) != (None, None):
        field = "from" if wanted.since is not None else "to"
        raise Invalid("This format has whole days only. Send start_date and end_date instead.", extra={"field": field})
    if form in {Format.QUICKBOOKS, Format.XERO}:
        if wanted.asset is None or wanted.asset in ISSUED:
            raise Invalid("This format has one currency. Send currency, such as USD.", extra={"field": "currency"})
        async for piece in _sums(session, wanted, wanted.asset, form, codes):
            yield piece
    elif form is Format.BEANCOUNT:
        if wanted.line is not None or wanted.asset is not None:
            raise Invalid("This format has everything. Leave line and currency out.", extra={"field": "format"})
        sums = await accounting.lines(session, wanted.first, wanted.last)
        yield "".join(beancount_opening(sums, wanted.first))
        async for transfers in _pages(session, wanted):
            yield "".join(map(beancount_transfer, transfers))
        yield "".join(beancount_closing(sums, wanted.last))
    else:
        yield csv_text([JOURNAL_COLUMNS]).decode()
        async for transfers in _pages(session, wanted):
            yield csv_text(row for transfer in transfers for row in journal_rows(transfer)).decode()


async def _sums(
    session: AsyncSession, wanted: JournalFilter, asset: str, form: Format, codes: Mapping[str, str]
) -> AsyncIterator[str]:
    days = await accounting.by_day(session, wanted.first, wanted.last, asset)
    if form is Format.XERO:
        require_mapped((one for _, sums in days for one in sums), codes)
    columns, rows = (XERO_COLUMNS, xero_rows) if form is Format.XERO else (QUICKBOOKS_COLUMNS, quickbooks_rows)
    yield csv_text([columns]).decode()
    for day, sums in days:
        yield csv_text(rows(day, sums, codes)).decode()


async def _pages(session: AsyncSession, wanted: JournalFilter) -> AsyncIterator[Sequence[JournalTransfer]]:
    days = await accounting.days(session, wanted)
    place: Position | None = None
    while True:
        page = await accounting.journal(session, wanted, days, after=place, limit=_PAGE)
        yield page.transfers
        if page.following is None:
            return
        place = page.following
