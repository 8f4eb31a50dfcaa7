"""Tax rates: a table that operators write."""

from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import require
from api.csv_files import CSV
from api.deps import DepsDep
from api.errors import errors
from api.fields import Page
from api.idempotency import Command, idempotency
from api.lists import CREATED, Asked, ListOf
from api.routing import Resource
from api.v1.tax_rates.schemas import TaxRateCreate, TaxRateView, view
from domain.common.access import Actor, Permission
from domain.common.errors import TaxRateExists
from repositories.billing import tax_rate as tax_rates
from services.billing import tax_rate

router = Resource(tags=["tax_rates"])


@router.post("/tax-rates", status_code=201, response_model=TaxRateView, responses=errors(TaxRateExists))
async def add_tax_rate(
    body: TaxRateCreate,
    deps: DepsDep,
    actor: Actor = require(Permission.OPERATE),
    command: Command = idempotency(required=True),
) -> Response:
    """Add a rate. Past charges keep their rate; the newest rate that has begun applies. For operators."""

    async def act() -> TaxRateView:
        async with deps.session_for(actor) as session:
            return view(await tax_rate.add(session, actor, body.tax_rate(), command.command_id))

    return await command.run(act, status_code=201)


_LIST = ListOf(
    "tax-rates",
    TaxRateView,
    *(*CREATED, "q"),
    order=["txr"],
    country=Annotated[str | None, Query(pattern="^[A-Z]{2}$", description="Only rates of this country.")],
)


@router.get("/tax-rates", response_model=Page[TaxRateView], responses=CSV)
async def list_tax_rates(
    deps: DepsDep, asked: Annotated[Asked, _LIST.asked], actor: Actor = require(Permission.INSPECT)
) -> Response:
    """List the rates, newest first. For operators.

    With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV.
    """
    wanted = asked.wanted(None)
    return await asked.rows(lambda: deps.session_for(actor), tax_rates.page, wanted, view)
