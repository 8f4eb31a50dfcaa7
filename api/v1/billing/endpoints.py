"""Balances and the history of movements."""

import json
from collections.abc import Sequence
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.auth import ActorDep, permit, require
from api.body import called_directly
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import Currency, Moment, OrganizationId, Page, SearchText
from api.pagination import CursorParam, LimitParam, bad_cursor, decode_cursor, encode_cursor
from api.tenancy import known_organization, listed_organization
from api.v1.billing.export import as_csv
from api.v1.billing.schemas import BalanceView, MovementView
from domain.access import Actor, Permission
from domain.errors import NotFound
from domain.money import CREDIT, format_amount
from repositories import balance as balances
from repositories import movement as movements
from repositories.movement import EntryFilter, EntryPage, Position

router = APIRouter(tags=["billing"])

EXPORT_PAGE = 2000
_CURSOR = "movement"
_BALANCE_ERRORS = errors(NotFound)
_MOVEMENTS = errors(NotFound) | {200: {"content": {"text/csv": {"schema": {"type": "string"}}}}}


@router.get("/billing/credits", response_model=BalanceView, responses=_BALANCE_ERRORS, deprecated=True)
@router.get("/payments/credits/balance", response_model=BalanceView, responses=_BALANCE_ERRORS, deprecated=True)
@router.get("/credits/balance", response_model=BalanceView, responses=_BALANCE_ERRORS, deprecated=True)
@router.get("/billing/balance", response_model=BalanceView, responses=_BALANCE_ERRORS)
@called_directly
async def get_balance(
    deps: DepsDep,
    actor: ActorDep,
    currency: Annotated[Currency, Query()] = CREDIT,
    organization_id: Annotated[OrganizationId | None, Query(description="For operators.")] = None,
) -> Response:
    """Read the balance of an organization in one currency."""
    org_id = actor.org_id
    if org_id is None or organization_id is not None:
        org_id = await known_organization(deps, actor, organization_id)
    permit(actor, Permission.READ)
    return await _balance(deps, org_id, currency)


async def _balance(deps: Deps, org_id: str, currency: str) -> Response:
    """Build the answer by hand from one statement on the plain pool: this is what clients ask for most."""
    row = await deps.pool.read(lambda pool: balances.read(pool, org_id, currency))
    content = {
        "organization_id": org_id,
        "currency": currency,
        "available": format_amount(row.posted - row.pending_out, currency),
        "reserved": format_amount(row.pending_out, currency),
        "total": format_amount(row.posted, currency),
        "owed": format_amount(row.owed, currency),
        "expiring": [
            {"amount": format_amount(amount, currency), "expires_at": expires_at.isoformat().replace("+00:00", "Z")}
            for amount, expires_at in row.expiring
        ],
    }
    return Response(json.dumps(content), media_type="application/json")


def _position(cursor: str | None) -> Position | None:
    if cursor is None:
        return None
    transfer, account, version = decode_cursor(cursor, _CURSOR, str, int, int)
    try:
        return UUID(transfer), account, version
    except ValueError:
        raise bad_cursor() from None


@router.get("/credits/transactions", response_model=Page[MovementView], responses=_MOVEMENTS, deprecated=True)
@router.get("/billing/transactions", response_model=Page[MovementView], responses=_MOVEMENTS)
async def list_transactions(
    request: Request,
    deps: DepsDep,
    kind: Annotated[SearchText | None, Query(description="Only movements of this kind.")] = None,
    since: Annotated[Moment | None, Query(alias="from", description="Effective at or after this time.")] = None,
    until: Annotated[Moment | None, Query(alias="to", description="Effective before this time.")] = None,
    account: Annotated[SearchText | None, Query(description="Only this account, by its path.")] = None,
    reference: Annotated[SearchText | None, Query(description="Only movements with this reference.")] = None,
    q: Annotated[SearchText | None, Query(description="Text to search for in kind, account and reference.")] = None,
    organization_id: Annotated[OrganizationId | None, Query(description="For operators.")] = None,
    limit: LimitParam = 50,
    cursor: CursorParam = None,
    actor: Actor = require(Permission.READ),
) -> Response:
    """List movements of the organization's accounts, the newest recorded first.

    A filtered page may be short or empty while `next_cursor` is not null, because a page scans at most 5,000 movements.
    Continue until it is null. With `Accept: text/csv` the response contains everything that matches, from the cursor
    on, as CSV.
    """
    wanted = EntryFilter(
        org_id=listed_organization(actor, organization_id),
        kind=kind,
        since=since,
        until=until,
        account=account,
        reference=reference,
        search=q,
    )
    position = _position(cursor)
    if "text/csv" in request.headers.get("accept", ""):
        return await _csv(deps, actor, wanted, position)
    page = await _read(deps, actor, wanted, position, limit)
    shown = [MovementView.of(row) for row in page.rows]
    following = None if page.following is None else encode_cursor(_CURSOR, *page.following)
    return Response(
        Page[MovementView](data=shown, next_cursor=following).model_dump_json(), media_type="application/json"
    )


async def _read(deps: Deps, actor: Actor, wanted: EntryFilter, position: Position | None, limit: int) -> EntryPage:
    async with deps.session_for(actor) as session:
        return await movements.page(session, wanted, after=position, limit=limit)


async def _csv(deps: Deps, actor: Actor, wanted: EntryFilter, position: Position | None) -> Response:
    """Stream every page in a transaction of its own, so that a slow reader holds no connection."""
    last, ended = position, False

    async def following() -> Sequence[MovementView]:
        """Return the next movements that match, or none at the end."""
        nonlocal last, ended
        while not ended:
            page = await _read(deps, actor, wanted, last, EXPORT_PAGE)
            last, ended = page.following, page.following is None
            if page.rows:
                return [MovementView.of(row) for row in page.rows]
        return []

    first = await following()
    headers = {"Content-Disposition": 'attachment; filename="transactions.csv"'}
    return StreamingResponse(as_csv(first, following), media_type="text/csv; charset=utf-8", headers=headers)
