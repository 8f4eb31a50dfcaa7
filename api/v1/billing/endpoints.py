"""Balances and the history of movements."""

import json
from typing import Annotated
from uuid import UUID

from fastapi import Query
from starlette.responses import Response

from api.auth import ActorDep, SpendingKeyDep, permit, require
from api.body import called_directly
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import Currency, Moment, OrganizationId, SearchText
from api.lists import AMOUNT, Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.tenancy import known_organization, listed_organization
from api.v1.billing.schemas import BalanceView, MovementView
from api.v1.spends.own import confined_key, refuse_totals
from domain.common.access import Actor, Permission
from domain.common.errors import NotFound
from domain.common.money import CREDIT, format_amount
from domain.common.text import rfc3339
from repositories.books import balance as balances, movement as movements

router = Resource(tags=["billing"])

_BALANCE_ERRORS = errors(NotFound)


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
    """Read the balance of an organization in one currency. An agent's key reads that of credits, which it spends."""
    org_id = actor.org_id
    if org_id is None or organization_id is not None:
        org_id = await known_organization(deps, actor, organization_id)
    permit(actor, Permission.READ if currency == CREDIT else Permission.READ_BILLING)
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
            {"amount": format_amount(amount, currency), "expires_at": rfc3339(expires_at)}
            for amount, expires_at in row.expiring
        ],
    }
    return Response(json.dumps(content), media_type="application/json")


_LIST = ListEndpoint(
    "transactions",
    MovementView,
    *("organization_id", *AMOUNT),
    order=[UUID, int, int],
    since=Annotated[Moment | None, Query(alias="from", description="Only movements effective at or after this time.")],
    until=Annotated[Moment | None, Query(alias="to", description="Only movements effective before this time.")],
    kind=Annotated[SearchText | None, Query(description="Only movements of this kind.")],
    account=Annotated[SearchText | None, Query(description="Only this account, by its path.")],
    reference=Annotated[SearchText | None, Query(description="Only movements with this reference.")],
    q=Annotated[SearchText | None, Query(description="Text to search for in kind, account and reference.")],
)


@_LIST.get(router, "/credits/transactions", NotFound, deprecated=True)
@_LIST.get(router, "/billing/transactions", NotFound)
async def list_transactions(
    deps: DepsDep, asked: ListRequest, *, key: SpendingKeyDep, actor: Actor = require(Permission.READ_BILLING)
) -> Items:
    """List movements of the organization's accounts, the newest recorded first.

    A key of a member that is attributed to a department or project is refused: all of the organization's spends are
    here. `GET /credits/usage` lists its own.

    A filtered page may be short or empty while `next_cursor` is not null, because a page scans at most 5,000 movements.
    Continue until it is null. With `Accept: text/csv` the response contains everything that matches, from the cursor
    on, as CSV.
    """
    refuse_totals(confined_key(actor, key))
    wanted = asked.wanted(listed_organization(actor, asked.organization_id))
    return await asked.rows(deps.session_for(actor), movements.page, wanted, MovementView.of)
