"""Statements of accounts as JSON, CSV and for print, and what accounts held at a moment."""

import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from api.auth import SpendingKeyDep, check_key, require
from api.csv_files import CSV
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import Currency, DayOrMoment, OrganizationId, SearchText
from api.lists import After, Items, ListEndpoint, ListRequest, items_up_to, scope_of
from api.outgoing import HeldStream
from api.pages import PRINT_POLICY
from api.pagination import DEFAULT_LIMIT, CursorParam, LimitParam, bad_cursor, decode_cursor, encode_cursor
from api.routing import Resource
from api.tenancy import known_organization
from api.v1.account_statements.schemas import (
    AccountBalancesView,
    AccountBalanceView,
    AccountStatementView,
    StatementLineView,
)
from api.v1.account_statements.writing import as_csv, as_page
from api.v1.spends.own import confined_key, refuse_totals
from domain.books.account_statement import StatementPeriod, ends_at, period
from domain.common.access import Actor, Permission
from domain.common.accounts import org_wallet
from domain.common.calendar import zone_of
from domain.common.errors import NotFound
from domain.common.money import CREDIT, format_amount
from domain.common.text import rfc3339
from repositories.billing import billing_terms
from repositories.books import account_statement as statements
from repositories.books.account_statement import StatedAccount, StatementBounds
from runtime.database import make_repeatable_read

router = Resource(tags=["billing"])

#: Lines that are read in one transaction for a file.
_PAGE = 1_000
_FORMS = errors(NotFound) | {
    200: {"content": {"text/csv": {"schema": {"type": "string"}}, "text/html": {"schema": {"type": "string"}}}}
}
ForOperators = Annotated[OrganizationId | None, Query(description="For operators.")]
Zone = Annotated[
    SearchText | None,
    Query(
        description="The IANA time zone of days, such as `Europe/Berlin`; by default that of the billing terms, or UTC."
    ),
]


@dataclass(frozen=True, slots=True)
class _StatementStart:
    """A statement that was begun: whose, which versions, and how it is shown on top."""

    org_id: str
    account: StatedAccount | None
    bounds: StatementBounds
    head: AccountStatementView


@router.get("/billing/statement", response_model=AccountStatementView, responses=_FORMS)
async def get_billing_statement(
    request: Request,
    deps: DepsDep,
    since: Annotated[
        DayOrMoment | None, Query(alias="from", description="A day or a time; this month's first day when left out.")
    ] = None,
    until: Annotated[
        DayOrMoment | None,
        Query(alias="to", description="The last day, included, or the time that ends the period; now when left out."),
    ] = None,
    zone: Zone = None,
    currency: Annotated[
        Currency | None, Query(description="The currency of the wallet; credits when left out.")
    ] = None,
    account: Annotated[SearchText | None, Query(description="Another account of the organization, by path.")] = None,
    organization_id: ForOperators = None,
    limit: LimitParam = DEFAULT_LIMIT,
    cursor: CursorParam = None,
    *,
    key: SpendingKeyDep,
    actor: Actor = require(Permission.READ_BILLING),
) -> Response:
    """Show an account over a period: the opening balance, one line for each transfer, the closing balance.

    The statement uses the time of booking, so that past days never change. With `Accept: text/csv` the response is the
    whole statement as CSV, and with `Accept: text/html` a page to print.

    A key of a member that is attributed to a department or project is refused: all of the organization's spends are
    here.
    """
    refuse_totals(confined_key(actor, key))
    scope = scope_of("account-statement", json.dumps([organization_id, currency, account]))
    asked, after = (None, None) if cursor is None else _continued(cursor, scope)
    org_id, now = await known_organization(deps, actor, organization_id), datetime.now(UTC)
    async with deps.database.platform() as session:
        await make_repeatable_read(session)
        clock = await _clock(session, org_id, zone, now)
        asked = asked or period(since, until, clock, now)
        stated = await _begin(session, org_id, account, currency, asked, clock)
        accepts = request.headers.get("accept", "")
        form = next((form for form in ("text/csv", "text/html") if form in accepts), None)
        first = stated.bounds.first if after is None else after
        if not stated.bounds.first <= first <= stated.bounds.last:
            raise bad_cursor()
        lines = [] if form else await _lines(session, stated, first, limit)
    if form is not None:
        return _file(request, deps, stated, form)
    last = lines[-1][0] if lines else first
    following = encode_cursor(scope, rfc3339(asked.since), rfc3339(asked.until), last)
    shown = stated.head.model_copy(
        update={"data": [line for _, line in lines], "next_cursor": following if last < stated.bounds.last else None}
    )
    return Response(shown.model_dump_json(by_alias=True), media_type="application/json")


_BALANCES = ListEndpoint(
    "account-balances",
    AccountBalanceView,
    order=[datetime, int],
    at=Annotated[DayOrMoment | None, Query(description="The end of this day, or this time; now when left out.")],
    zone=Zone,
    account=Annotated[SearchText | None, Query(description="Only this account, by its path.")],
    organization_id=ForOperators,
)


@router.get("/billing/balances", response_model=AccountBalancesView, responses=errors(NotFound) | CSV)
async def list_billing_balances(
    deps: DepsDep, asked: Annotated[ListRequest, _BALANCES.asked], actor: Actor = require(Permission.READ_BILLING)
) -> Response:
    """List the balance of each account of the organization at a moment, by time of booking. Escrows are left out."""
    org_id, now = await known_organization(deps, actor, asked.organization_id), datetime.now(UTC)
    at = asked.get("at")
    async with deps.database.platform() as session:
        clock = await _clock(session, org_id, asked.get("zone"), now)
    moment = asked.after[0] if asked.after is not None else now if at is None else ends_at(at, clock)

    async def read(after: After, limit: int) -> Items:
        number = 0 if after is None else after[1]
        async with deps.database.platform() as session:
            await make_repeatable_read(session)
            rows = await statements.balances(
                session, org_id, moment, path=asked.get("account"), after=number, limit=limit + 1
            )
        return items_up_to(rows, limit, AccountBalanceView.of, lambda row: (moment, row.id))

    def within(items: list[AccountBalanceView], cursor: str | None) -> AccountBalancesView:
        return AccountBalancesView(organization_id=org_id, at=moment, zone=clock.key, data=items, next_cursor=cursor)

    return await asked.answer(read, within=within)


async def _clock(session: AsyncSession, org_id: str, zone: str | None, now: datetime) -> ZoneInfo:
    return await billing_terms.time_zone_at(session, org_id, now) if zone is None else zone_of(zone, "zone")


def _continued(cursor: str, scope: str) -> tuple[StatementPeriod, int]:
    since, until, after = decode_cursor(cursor, scope, str, str, int)
    return StatementPeriod(_moment(since), _moment(until)), after


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise bad_cursor()
        return moment.astimezone(UTC)
    except (OverflowError, ValueError):
        # In UTC it may lie before the year 1 or after 9999.
        raise bad_cursor() from None


async def _begin(
    session: AsyncSession, org_id: str, path: str | None, currency: str | None, asked: StatementPeriod, zone: ZoneInfo
) -> _StatementStart:
    if path is None:
        wallet = org_wallet(org_id, currency or CREDIT)
        found = await statements.find(session, org_id, wallet.path, wallet.asset)
        path, asset = wallet.path, wallet.asset
    else:
        found = await statements.find(session, org_id, path, currency)
        if found is None:
            raise NotFound("The organization has no such account.")
        asset = found.asset
    bounds = StatementBounds(0, 0, 0, 0) if found is None else await statements.bounds(session, found, asked)
    head = AccountStatementView(
        organization_id=org_id,
        account=path,
        currency=asset,
        since=asked.since,
        until=asked.until,
        zone=zone.key,
        opening_balance=format_amount(bounds.opening, asset),
        closing_balance=format_amount(bounds.closing, asset),
        data=[],
    )
    return _StatementStart(org_id, found, bounds, head)


async def _lines(
    session: AsyncSession, stated: _StatementStart, first: int, limit: int
) -> Sequence[tuple[int, StatementLineView]]:
    """Return lines after a version, each with its own."""
    if stated.account is None:
        return []
    read = await statements.lines(
        session, stated.org_id, stated.account, first=first, last=stated.bounds.last, limit=limit
    )
    return [(line.version, StatementLineView.of(line, stated.account.asset)) for line in read]


async def _all_lines(
    request: Request, deps: Deps, stated: _StatementStart
) -> AsyncIterator[Sequence[StatementLineView]]:
    """Read each page in a transaction of its own, so that a slow reader holds no connection; break off with the key."""
    first = stated.bounds.first
    while first < stated.bounds.last:
        await check_key(request)
        async with deps.database.platform() as session:
            read = await _lines(session, stated, first, _PAGE)
        yield [line for _, line in read]
        first = read[-1][0]


def _file(request: Request, deps: Deps, stated: _StatementStart, form: str) -> Response:
    pages = _all_lines(request, deps, stated)
    if form == "text/html":
        return HeldStream(
            as_page(stated.head, pages), media_type=form, headers={"Content-Security-Policy": PRINT_POLICY}
        )
    headers = {"Content-Disposition": 'attachment; filename="statement.csv"'}
    return HeldStream(as_csv(stated.head, pages), media_type=f"{form}; charset=utf-8", headers=headers)
