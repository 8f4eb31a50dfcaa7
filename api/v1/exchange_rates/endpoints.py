"""Exchange rates that spend controls count by: operators set them, everybody reads them."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import require
from api.deps import DepsDep
from api.errors import errors
from api.fields import Currency, Page
from api.idempotency import Command, idempotency
from api.pagination import DEFAULT_LIMIT, CursorParam, LimitParam, bad_cursor, decode_cursor, encode_cursor
from api.routing import Resource
from api.v1.exchange_rates.schemas import ExchangeRateSet, ExchangeRateView
from domain.access import Actor, Permission
from domain.errors import Conflict
from domain.spend.rate import exchange_rate
from repositories import spend_rate
from services import exchange_rate as exchange_rates

router = Resource(tags=["exchange_rates"])

_LIST = "exchange-rates"


@router.post(
    "/exchange-rates",
    status_code=201,
    response_model=ExchangeRateView,
    responses=errors((Conflict, "exchange_rate.exists")),
)
async def set_exchange_rate(
    body: ExchangeRateSet,
    deps: DepsDep,
    actor: Actor = require(Permission.OPERATE),
    command: Command = idempotency(required=False),
) -> Response:
    """Set what the currency that credits are sold for is worth in another one. For operators.

    Spend controls in that currency count by it from then on, and refuse once it is too old. What was counted before
    stays as it was.
    """

    async def act() -> ExchangeRateView:
        price = deps.settings.payment_rules.credit
        wanted = exchange_rate(
            base=body.base,
            quote=body.quote,
            rate=body.rate,
            price=price,
            now=datetime.now(UTC),
            starts_at=body.starts_at,
            valid_for=body.valid_for,
        )
        async with deps.session_for(actor) as session:
            return ExchangeRateView.of(await exchange_rates.put(session, actor, wanted, price))

    return await command.run(act, status_code=201)


@router.get("/exchange-rates", response_model=Page[ExchangeRateView])
async def list_exchange_rates(
    deps: DepsDep,
    quote: Annotated[Currency | None, Query(description="All rates of this currency, the last to begin first.")] = None,
    limit: LimitParam = DEFAULT_LIMIT,
    cursor: CursorParam = None,
    actor: Actor = require(Permission.READ),
) -> Page[ExchangeRateView]:
    """List the exchange rates that count now, one for each currency; with `quote`, all that were set for it."""
    base = deps.settings.credit_currency
    async with deps.session_for(actor) as session:
        if quote is None:
            rows = await spend_rate.in_force(session, base, datetime.now(UTC))
            return Page(data=[ExchangeRateView.of(row) for row in rows], next_cursor=None)
        before = None if cursor is None else _moment(*decode_cursor(cursor, _LIST, str))
        rows = await spend_rate.page(session, base, quote, before=before, limit=limit + 1)
    shown = rows[:limit]
    following = encode_cursor(_LIST, shown[-1].starts_at.isoformat()) if len(rows) > limit else None
    return Page(data=[ExchangeRateView.of(row) for row in shown], next_cursor=following)


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise bad_cursor() from None
    if found.tzinfo is None:
        raise bad_cursor()
    return found
