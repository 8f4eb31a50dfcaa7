"""Exchange rates that spend controls count by: operators set them or a file has them, everybody reads them."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import require
from api.deps import DepsDep
from api.errors import errors
from api.fields import Currency
from api.idempotency import MayRepeat
from api.lists import CREATED, Items, ListEndpoint, ListRequest, items_of
from api.routing import Resource
from api.v1.exchange_rates.schemas import ExchangeRateSet, ExchangeRateView
from domain.common.access import Actor, Permission
from domain.common.errors import ExchangeRateExists
from domain.credits.spend.rate import exchange_rate
from repositories.books import spend_rate
from services.books import exchange_rate as exchange_rates

router = Resource(tags=["exchange_rates"])


@router.post("/exchange-rates", status_code=201, response_model=ExchangeRateView, responses=errors(ExchangeRateExists))
async def set_exchange_rate(
    body: ExchangeRateSet, deps: DepsDep, *, actor: Actor = require(Permission.OPERATE), command: MayRepeat
) -> Response:
    """Set the rate from the currency that credits are sold for to another one. For operators.

    Spend controls in the other currency use the rate from its start on, and refuse spends once it is too old. Spends
    that were counted before are not counted again.
    """
    async with command:
        price, now = deps.settings.payment_rules.credit, datetime.now(UTC)
        async with deps.session_for(actor) as session:
            if body.starts_at and await spend_rate.begins_at(session, body.base, body.quote, body.starts_at):
                # It was not in the past when it was set, and a repeated request has its first answer.
                now = body.starts_at
        wanted = exchange_rate(
            base=body.base,
            quote=body.quote,
            rate=body.rate,
            price=price,
            now=now,
            starts_at=body.starts_at,
            valid_for=body.valid_for,
        )
        async with deps.session_for(actor) as session:
            return command.answer(ExchangeRateView.of(await exchange_rates.put(session, actor, wanted, price)))


_LIST = ListEndpoint(
    "exchange-rates",
    ExchangeRateView,
    *CREATED,
    order=[datetime, str],
    quote=Annotated[Currency | None, Query(description="All rates of this currency, latest start first.")],
)


@_LIST.get(router, "/exchange-rates")
async def list_exchange_rates(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ)) -> Items:
    """List the current exchange rates, one for each currency. With `quote`, list all rates of that currency.

    `from` and `to` filter by the time at which rates begin.
    """
    base, wanted = deps.settings.credit_currency, asked.wanted(None)
    async with deps.session_for(actor) as session:
        if asked.get("quote") is None:
            rows = await spend_rate.in_force(session, base, datetime.now(UTC), wanted)
            return [ExchangeRateView.of(row) for row in rows], None
        found = await spend_rate.page(session, wanted, base=base)
        return items_of(found, ExchangeRateView.of)
