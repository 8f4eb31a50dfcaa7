"""Tax rates: a table that operators write."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import require
from api.deps import DepsDep
from api.errors import errors
from api.fields import Page
from api.idempotency import Command, idempotency
from api.pagination import DEFAULT_LIMIT, CursorParam, LimitParam, id_cursor, id_page
from api.routing import Resource
from api.v1.tax_rates.schemas import TaxRateCreate, TaxRateView, view
from domain.access import Actor, Permission
from domain.errors import Conflict
from repositories import tax_rate as tax_rates
from services import tax_rate

router = Resource(tags=["tax_rates"])


@router.post("/tax-rates", status_code=201, response_model=TaxRateView, responses=errors((Conflict, "tax.rate_exists")))
async def add_tax_rate(
    body: TaxRateCreate,
    deps: DepsDep,
    actor: Actor = require(Permission.OPERATE),
    command: Command = idempotency(required=True),
) -> Response:
    """Add a rate. What was charged stays as it was; the newest rate that has begun counts. For operators."""

    async def act() -> TaxRateView:
        async with deps.session_for(actor) as session:
            return view(await tax_rate.add(session, actor, body.tax_rate(), command.command_id))

    return await command.run(act, status_code=201)


@router.get("/tax-rates", response_model=Page[TaxRateView])
async def list_tax_rates(
    deps: DepsDep,
    country: Annotated[str | None, Query(pattern="^[A-Z]{2}$")] = None,
    limit: LimitParam = DEFAULT_LIMIT,
    cursor: CursorParam = None,
    actor: Actor = require(Permission.INSPECT),
) -> Page[TaxRateView]:
    """List the rates, newest first. For operators."""
    after = id_cursor(cursor, "txr")
    async with deps.session_for(actor) as session:
        rows = await tax_rates.page(session, country=country, after=after, limit=limit + 1)
        return id_page(rows, limit, "txr", view)
