"""Reports on the platform's books: trial balance, profit and loss, balance sheet, journal."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from tempfile import SpooledTemporaryFile
from typing import IO, Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import require
from api.deps import DepsDep
from api.errors import Responses, errors
from api.fields import Currency, Day, Page, SearchText
from api.lists import CREATED, After, Items, ListEndpoint, ListRequest
from api.outgoing import HeldStream
from api.routing import Resource
from api.v1.accounting.schemas import BalanceSheetView, JournalTransferView, ProfitAndLossView, TrialBalanceView
from api.v1.usage.periods import EndDate, StartDate, days, period
from domain.common.access import Actor, Permission
from domain.common.errors import NotMapped
from domain.common.ids import transfer_id, uuid_of
from repositories.books import accounting
from repositories.books.accounting import JournalFilter
from repositories.usage import usage_report
from runtime.database import make_repeatable_read
from services.books.accounting import Format, write_journal

router = Resource(prefix="/accounting", tags=["accounting"])

#: A journal larger than this waits on disk for a slow client, and not in the memory of the process.
_IN_MEMORY = 4 << 20
_CHUNK = 1 << 16
_MEDIA = {
    Format.CSV: ("text/csv; charset=utf-8", "journal.csv"),
    Format.BEANCOUNT: ("text/plain; charset=utf-8", "journal.beancount"),
    Format.QUICKBOOKS: ("text/csv; charset=utf-8", "quickbooks.csv"),
    Format.XERO: ("text/csv; charset=utf-8", "xero.csv"),
}
_FILES: Responses = {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}, "text/plain": {"schema": {"type": "string"}}}}
}

CurrencyParam = Annotated[Currency | None, Query(description="Only this currency.")]
LineParam = Annotated[
    SearchText | None, Query(description="Only transfers with an entry on this line of the chart of accounts.")
]


@router.get("/trial-balance")
async def get_trial_balance(
    deps: DepsDep,
    start_date: StartDate = None,
    end_date: EndDate = None,
    currency: CurrencyParam = None,
    actor: Actor = require(Permission.READ_BOOKS),
) -> TrialBalanceView:
    """Show every line of the books with its opening balance, debits, credits and closing balance.

    A period is 1 to 400 whole days in UTC, by effective time; the last 30 days when left out. `journal_url` of a line
    leads to its transfers.
    """
    first, last = _days(start_date, end_date)
    async with deps.session_for(actor) as session:
        sums = await accounting.lines(session, first, last, currency)
    return TrialBalanceView.of(first, last, sums)


@router.get("/profit-and-loss")
async def get_profit_and_loss(
    deps: DepsDep,
    start_date: StartDate = None,
    end_date: EndDate = None,
    currency: CurrencyParam = None,
    actor: Actor = require(Permission.READ_BOOKS),
) -> ProfitAndLossView:
    """Show revenue, expenses and the cost of model calls of a period. Currencies are never added up."""
    first, last = _days(start_date, end_date)
    async with deps.session_for(actor) as session:
        sums = await accounting.lines(session, first, last, currency)
        costs = await usage_report.model_costs(session, first, last, currency)
    return ProfitAndLossView.of(first, last, sums, costs)


@router.get("/balance-sheet")
async def get_balance_sheet(
    deps: DepsDep,
    at: Annotated[
        Day | None, Query(alias="date", description="The day in UTC whose end counts; today when left out.")
    ] = None,
    currency: CurrencyParam = None,
    actor: Actor = require(Permission.READ_BOOKS),
) -> BalanceSheetView:
    """Show assets, liabilities and equity at the end of a day, for each currency."""
    _, day = _days(at, at)
    async with deps.session_for(actor) as session:
        sums = await accounting.lines(session, day, day, currency)
    return BalanceSheetView.of(day, sums)


_JOURNAL = ListEndpoint(
    "journal",
    JournalTransferView,
    *(*CREATED, "currency"),
    order=[date, "tr"],
    start_date=StartDate,
    end_date=EndDate,
    line=LineParam,
    format=Annotated[Format | None, Query(description="Return a file of the whole period in this format.")],
)


@router.get("/journal", response_model=Page[JournalTransferView], responses=_FILES | errors(NotMapped))
async def list_journal(
    deps: DepsDep, asked: Annotated[ListRequest, _JOURNAL.asked], actor: Actor = require(Permission.READ_BOOKS)
) -> Response:
    """List transfers with all of their entries, by day and within a day in the order of recording.

    A period is 1 to 400 days in UTC; the last 30 when left out. `from` and `to` narrow the list and `csv` to a range of
    effective times. The other files cover whole days.

    With `format` the response is a file of the whole period, as the books were at one moment. `csv`, also returned for
    `Accept: text/csv`, has one row for each entry. `beancount` has opening balances, transfers and closing balances.
    `quickbooks` and `xero` have one journal entry for each day in one currency, for import there.
    """
    since, until = asked.get("since"), asked.get("until")
    term = period(since, until, asked.get("start_date"), asked.get("end_date"))
    first, end = days(term, datetime.now(UTC))
    wanted = JournalFilter(
        first=first,
        last=end - timedelta(days=1),
        since=since,
        until=until,
        line=asked.get("line"),
        asset=asked.get("currency"),
    )
    if (form := asked.get("format") or (None if asked.file is None else Format.CSV)) is not None:
        return await _file(deps, actor, wanted, form)

    async def read(after: After, limit: int) -> Items:
        place = None if after is None else (after[0], uuid_of(after[1]))
        async with deps.session_for(actor) as session:
            among = await accounting.days(session, wanted)
            found = await accounting.journal(session, wanted, among, after=place, limit=limit)
        end = found.following
        following = None if end is None or end[1] is None else (end[0], transfer_id(end[1]))
        return [JournalTransferView.of(one) for one in found.transfers], following

    return await asked.answer(read)


async def _file(deps: DepsDep, actor: Actor, wanted: JournalFilter, form: Format) -> Response:
    # Written whole before it is sent: a client that reads slowly keeps no transaction open.
    file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed when it is sent
    try:
        async with deps.session_for(actor) as session:
            await make_repeatable_read(session)
            async for piece in write_journal(session, wanted, form, deps.settings.account_codes):
                file.write(piece.encode())
    except BaseException:
        file.close()
        raise
    media, name = _MEDIA[form]
    headers = {"Content-Disposition": f'attachment; filename="{wanted.first}-{wanted.last}-{name}"'}
    return HeldStream(_chunks(file), media_type=media, headers=headers)


def _days(start_date: date | None, end_date: date | None) -> tuple[date, date]:
    first, end = days(period(None, None, start_date, end_date), datetime.now(UTC))
    return first, end - timedelta(days=1)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while chunk := file.read(_CHUNK):
            yield chunk
