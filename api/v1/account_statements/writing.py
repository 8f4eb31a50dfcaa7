"""Statements as files: CSV, and a page to print. Both are streamed, so a long one is never held whole."""

import html
from collections.abc import AsyncIterator, Sequence

from api.pages import printed
from api.v1.account_statements.schemas import AccountStatementView, StatementLineView
from domain.common.cells import csv_text
from domain.common.text import rfc3339

COLUMNS = (
    *("booked_at", "effective_at", "id", "kind", "purpose", "reference", "counterparties"),
    *("amount", "balance", "currency", "paid"),
)
Pages = AsyncIterator[Sequence[StatementLineView]]


async def as_csv(head: AccountStatementView, pages: Pages) -> AsyncIterator[bytes]:
    """Write the header, a row of kind `opening`, a row for each line, and one of kind `closing`."""
    yield csv_text([COLUMNS, _balance(head, rfc3339(head.since), "opening", head.opening_balance)])
    async for lines in pages:
        yield csv_text([_cells(head, line) for line in lines])
    yield csv_text([_balance(head, rfc3339(head.until), "closing", head.closing_balance)])


async def as_page(head: AccountStatementView, pages: Pages) -> AsyncIterator[str]:
    """Write a page that a browser prints: what it is for, the balances, and a table of the lines."""
    named = f"Statement {html.escape(head.account)}"
    period = f"{rfc3339(head.since)} to {rfc3339(head.until)}, {html.escape(head.zone)}"
    begin, end = printed(named)
    yield f"{begin}<h1>{named}</h1><p>{html.escape(head.organization_id)}, {head.currency}<br>{period}</p><table>"
    yield "<thead><tr><th>Booked<th>What for<th>With<th>Paid<th>Amount<th>Balance</thead><tbody>"
    yield _balance_row("Opening balance", head.opening_balance)
    async for lines in pages:
        yield "".join(map(_row, lines))
    yield f"{_balance_row('Closing balance', head.closing_balance)}</tbody></table>{end}"


def _cells(head: AccountStatementView, line: StatementLineView) -> list[str]:
    return [
        *(rfc3339(line.booked_at), rfc3339(line.effective_at), line.id, line.kind),
        *(line.purpose or "", line.reference or "", _with(line)),
        *(line.amount, line.balance, head.currency, _paid(line)),
    ]


def _balance(head: AccountStatementView, at: str, kind: str, amount: str) -> list[str]:
    return [at, "", "", kind, "", "", "", "", amount, head.currency, ""]


def _row(line: StatementLineView) -> str:
    what = " · ".join(filter(None, (line.kind, line.purpose, line.reference)))
    texts = (rfc3339(line.booked_at)[:19], what, _with(line), _paid(line))
    cells = "".join(f"<td>{html.escape(text)}" for text in texts)
    return f'<tr>{cells}<td class="n">{line.amount}<td class="n">{line.balance}'


def _balance_row(label: str, amount: str) -> str:
    return f'<tr class="b"><td colspan="5">{label}<td class="n">{amount}'


def _with(line: StatementLineView) -> str:
    return " ".join(each.account or each.type for each in line.counterparties)


def _paid(line: StatementLineView) -> str:
    return " ".join(f"{each.amount} {each.currency}" for each in line.paid)
