"""Tax rates: a table that operators write."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import require
from api.deps import DepsDep
from api.errors import errors
from api.idempotency import MovesMoney
from api.lists import CREATED, Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.v1.tax_rates.schemas import TaxRateCreate, TaxRateView, view
from domain.common.access import Actor, Permission
from domain.common.errors import TaxRateExists
from repositories.billing import tax_rate as tax_rates
from services.billing import tax_rate

router = Resource(tags=["tax_rates"])


@router.post("/tax-rates", status_code=201, response_model=TaxRateView, responses=errors(TaxRateExists))
async def add_tax_rate(
    body: TaxRateCreate, deps: DepsDep, *, actor: Actor = require(Permission.OPERATE), command: MovesMoney
) -> Response:
    """Add a rate. Past charges keep their rate; the newest rate that has begun applies. For operators."""
    async with command, deps.session_for(actor) as session:
        return command.answer(view(await tax_rate.add(session, actor, body.tax_rate(), command.command_id)))


_LIST = ListEndpoint(
    "tax-rates",
    TaxRateView,
    *(*CREATED, "q"),
    order=["txr"],
    country=Annotated[str | None, Query(pattern="^[A-Z]{2}$", description="Only rates of this country.")],
)


@_LIST.get(router, "/tax-rates")
async def list_tax_rates(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.INSPECT)) -> Items:
    """List the rates, newest first. For operators."""
    wanted = asked.wanted(None)
    return await asked.rows(deps.session_for(actor), tax_rates.page, wanted, view)
