"""Prices of agents: asked for, explained, and kept for a client."""

from typing import Annotated

from fastapi import Query
from pydantic_core import to_json
from starlette.responses import Response

from api.auth import ActorDep, permit
from api.body import called_directly
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import Amount, Currency, OrganizationId
from api.idempotency import MayRepeat
from api.routing import Resource
from api.tenancy import known_organization
from api.v1.pricing.schemas import MAX_QUANTITY, PriceExplanationView, PriceQuoteView, PriceView, QuoteCreate
from domain.common.access import Actor, Permission
from domain.common.errors import Invalid, NotFound, PricingNoPrice, other_request
from domain.common.money import CREDIT, format_amount, parse_amount
from domain.marketplace.pricing.book import Price
from domain.marketplace.pricing.facts import WHOLE_BPS
from models.marketplace.pricing import PricingQuote
from repositories.common.command import row_of_command
from repositories.marketplace import agent as agents, pricing
from services.marketplace import pricing as service
from services.marketplace.pricing import PriceRequest

router = Resource(tags=["pricing"])

_ERRORS = errors(PricingNoPrice)
BasePrice = Annotated[
    Amount | None,
    Query(description="The price of one unit before any rule, for a preview; the listing's price when left out."),
]
Amounts = Annotated[int, Query(ge=1, le=MAX_QUANTITY, description="The quantity.")]
Base = Annotated[Currency | None, Query(description="The currency of `base_price`; CREDIT when left out.")]
Client = Annotated[OrganizationId | None, Query(description="The client; for operators.")]


@router.get("/payments/pricing/{agent_id}", response_model=PriceView, responses=_ERRORS)
@called_directly
async def get_price(
    agent_id: str,
    deps: DepsDep,
    actor: ActorDep,
    base_price: BasePrice = None,
    currency: Base = None,
    quantity: Amounts = 1,
    organization_id: Client = None,
) -> Response:
    """Read the current price of an agent's work, and its reasons.

    Nothing is stored: to keep a price, create a quote.
    """
    asked, price = await _price(deps, actor, agent_id, organization_id, quantity, base_price, currency)
    permit(actor, Permission.READ)
    # Built by hand, as `PriceView` says: models of fifty lines would take as long as the price.
    content = {
        "base_price": format_amount(price.base_minor, asked.facts.currency),
        "adjusted_price": format_amount(price.adjusted_minor, asked.facts.currency),
        "multiplier": price.multiplier_bps / WHOLE_BPS,
        "discount": format_amount(price.discount_minor, asked.facts.currency),
        "borne_by": price.borne_by,
        "adjustments": [
            {"rule": line.rule, "type": line.type, "multiplier": line.bps / WHOLE_BPS, "description": line.why}
            for line in price.adjustments
        ],
    }
    return Response(to_json(content), media_type="application/json")


@router.get("/payments/pricing/{agent_id}/explanation", responses=_ERRORS | errors())
async def explain_price(
    agent_id: str,
    deps: DepsDep,
    actor: ActorDep,
    base_price: BasePrice = None,
    currency: Base = None,
    quantity: Amounts = 1,
    organization_id: Client = None,
) -> PriceExplanationView:
    """Explain a price: what was measured, and each rule that was checked, whether it applied or not.

    For operators and auditors of the platform.
    """
    asked, price = await _price(deps, actor, agent_id, organization_id, quantity, base_price, currency, everything=True)
    permit(actor, Permission.INSPECT)
    return PriceExplanationView.explain(price, asked, deps.settings)


@router.post(
    "/payments/pricing/{agent_id}/quotes", status_code=201, response_model=PriceQuoteView, responses=_ERRORS | errors()
)
async def create_quote(
    agent_id: str, body: QuoteCreate, deps: DepsDep, actor: ActorDep, command: MayRepeat
) -> Response:
    """Keep the current price for fifteen minutes. A contract that names the quote gets this price, once.

    An agent keeps the price that its own score earns, and its organization awards the contract.
    """
    await _seen(deps, actor, agent_id)
    permit(actor, Permission.AWARD if actor.agent_id is None else Permission.USE_CREDITS)
    async with command:
        org_id = await _client(deps, actor, body.organization_id)
        if org_id is None:
            raise Invalid(
                "organization_id is required. Name the client that the quote is for.",
                extra={"field": "organization_id"},
            )
        async with deps.database.platform() as session:
            made = await row_of_command(session, PricingQuote, command.command_id)
        if made is not None:
            # Its agent may have no price any more.
            if (made.org_id, made.agent_id, made.quantity) != (org_id, agent_id, body.quantity):
                raise other_request()
            return command.answer(PriceQuoteView.show(made))
        asked = await _ask(deps, actor, agent_id, org_id, body.quantity, None, everything=True)
        async with deps.database.platform() as session:
            row = await service.make_quote(
                session,
                actor,
                asked,
                org_id=org_id,
                usual_bps=deps.settings.commission_bps,
                most_bps=deps.settings.platform_discount_bps,
                command_id=command.command_id,
            )
            return command.answer(PriceQuoteView.show(row))


@router.get("/payments/pricing/{agent_id}/quotes/{quote_id}")
async def get_quote(agent_id: str, quote_id: str, deps: DepsDep, actor: ActorDep) -> PriceQuoteView:
    """Read a quote of the organization."""
    async with deps.session_for(actor) as session:
        row = await pricing.get_quote(session, quote_id)
        if row.agent_id != agent_id:
            raise NotFound(pricing.NO_QUOTE)
        permit(actor, Permission.READ)
        return PriceQuoteView.show(row)


async def _price(
    deps: Deps,
    actor: Actor,
    agent_id: str,
    organization_id: str | None,
    quantity: int,
    base_price: str | None,
    currency: str | None,
    *,
    everything: bool = False,
) -> tuple[PriceRequest, Price]:
    if base_price is None and currency is not None:
        raise Invalid("currency is the currency of base_price. Send both, or neither.", extra={"field": "currency"})
    base = None if base_price is None else (parse_amount(base_price, currency or CREDIT), currency or CREDIT)
    org_id = await _client(deps, actor, organization_id)
    asked = await _ask(deps, actor, agent_id, org_id, quantity, base, everything=everything)
    return asked, asked.price(deps.settings.commission_bps, deps.settings.platform_discount_bps)


async def _client(deps: Deps, actor: Actor, organization_id: str | None) -> str | None:
    """Return the client of the price: the caller's organization, the one that an operator names, or None."""
    if organization_id is None:
        return actor.org_id
    return await known_organization(deps, actor, organization_id)


async def _ask(
    deps: Deps,
    actor: Actor,
    agent_id: str,
    org_id: str | None,
    quantity: int,
    base: tuple[int, str] | None,
    *,
    everything: bool,
) -> PriceRequest:
    def visible(owner: str, visibility: str) -> bool:
        return visibility == "public" or actor.org_id in {None, owner}

    asked = await deps.price_facts.ask(
        agent_id,
        org_id=org_id,
        quantity=quantity,
        base=base,
        visible=visible,
        buyer_id=actor.agent_id,
        everything=everything,
    )
    if asked is None:
        raise NotFound(agents.MISSING)
    return asked


async def _seen(deps: Deps, actor: Actor, agent_id: str) -> None:
    async with deps.session_for(actor) as session:
        await agents.get(session, agent_id)
