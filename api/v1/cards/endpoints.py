"""Cards that agents pay with: issued by owners, admins and finance, and read by agents too, who never see a number."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import ActorDep, SpendingKeyDep, permit, require
from api.deps import Deps, DepsDep
from api.errors import errors
from api.idempotency import Command, MovesMoney
from api.lists import CREATED, Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.tenancy import acting_organization, listed_organization, of_own_agent, refuse_other_agent
from api.v1.cards.schemas import CardCreate, CardDisplayCreate, CardDisplayView, CardPaymentView, CardView
from api.v1.spends.own import confined_key, refuse_totals
from domain.cards.card import CardChange, CardStatus, issues_to
from domain.common import errors as refusals
from domain.common.access import Actor, OperatorIssued, Permission, refuse_by_link
from domain.common.errors import Forbidden, NotFound
from domain.credits.spend.scope import SpendingKey
from domain.tenants.organization import STOPPED_ERRORS
from models.cards.card import Card
from providers.cards.base import CardIssuer
from repositories.cards import card as cards, card_authorization as authorizations, card_transaction as transactions
from repositories.marketplace import agent as agents
from runtime.identity import new_id
from services.cards import card as service

router = Resource(tags=["cards"])

# Who asks is judged first, so it stands first among the parameters.
Payer = Annotated[Actor, require(Permission.MANAGE_BILLING)]
_FOUND = (NotFound, Forbidden)
_ISSUER = (refusals.RefusedByProvider, refusals.ProviderNotAvailable)
_STATES = (refusals.CardClosed, refusals.CardPending)
_CHANGING = errors(*_FOUND, *_ISSUER, *_STATES)
_BY_LINK = errors(*_FOUND, refusals.SessionByLink, *_ISSUER, *_STATES)
_SHOWING = errors(*_FOUND, refusals.SessionByLink, OperatorIssued, *_ISSUER, *_STATES)


async def _issuer(deps: DepsDep) -> CardIssuer:
    if deps.providers.cards is None:
        raise NotFound("No cards are issued here.")
    return deps.providers.cards


IssuerDep = Annotated[CardIssuer, Depends(_issuer)]


@router.post(
    "/cards",
    status_code=201,
    response_model=CardView,
    responses=errors(
        *_FOUND,
        refusals.SessionByLink,
        *_ISSUER,
        refusals.CardNoAddress,
        refusals.CardNoRate,
        refusals.CardOrder,
        refusals.AgentRetired,
        *STOPPED_ERRORS,
    ),
)
async def create_card(actor: Payer, body: CardCreate, deps: DepsDep, issuer: IssuerDep, once: MovesMoney) -> Response:
    """Issue a virtual card that an agent pays with, or one that pays for an approved purchase order once.

    Each payment is decided by the limits and budgets above the agent, and holds credits that were paid for.
    """
    refuse_by_link(actor, "issue cards")
    org_id = acting_organization(actor, body.organization_id)
    if not issues_to(deps.settings.issuing, org_id):
        raise Forbidden("The platform issues no cards to this organization. Ask its operators.")
    card = body.card(id=new_id(cards.PREFIX), org_id=org_id, created_by=actor.qualified(), command_id=once.command_id)
    async with once:
        price = deps.settings.price_of_credits
        made = await service.create(deps.database, issuer, actor, card, price, now=datetime.now(UTC))
        return once.answer(await _shown(deps, actor, made))


_LIST = ListEndpoint(
    "cards", CardView, *(*CREATED, "organization_id", "agent_id", "q"), order=[cards.PREFIX], status=CardStatus
)


@_LIST.get(router, "/cards", *_FOUND)
async def list_cards(
    deps: DepsDep, asked: ListRequest, key: SpendingKeyDep, actor: Actor = require(Permission.READ)
) -> Items:
    """List cards, newest first. An agent's key sees those of its agent."""
    _refuse_confined(actor, key)
    wanted = of_own_agent(actor, asked.wanted(listed_organization(actor, asked.organization_id)))
    async with deps.session_for(actor) as session:
        found = await cards.page(session, wanted)
        return await _all_shown(session, found.rows), found.following


@router.get("/cards/{card_id}", responses=errors(*_FOUND))
async def get_card(card_id: str, deps: DepsDep, key: SpendingKeyDep, actor: ActorDep) -> CardView:
    """Read one card, without its number."""
    return await _shown(deps, actor, await _readable(deps, actor, key, card_id))


_PAYMENTS = ListEndpoint("card-transactions", CardPaymentView, *CREATED, order=[authorizations.PREFIX])


@_PAYMENTS.get(router, "/cards/{card_id}/transactions", *_FOUND)
async def list_card_transactions(
    card_id: str, deps: DepsDep, key: SpendingKeyDep, actor: ActorDep, asked: ListRequest
) -> Items:
    """List what merchants have asked of a card, newest first, with the answers, captures and refunds."""
    row = await _readable(deps, actor, key, card_id)
    wanted = asked.wanted(None)
    async with deps.session_for(actor) as session:
        found = await authorizations.page(session, wanted, card_id=row.id)
        ids = [each.id for each in found.rows]
        spent, moved = await authorizations.spends(session, ids), await transactions.of(session, ids)
    views = [
        CardPaymentView.of(
            each,
            [spend for spend in spent if spend.authorization_id == each.id],
            [transaction for transaction in moved if transaction.authorization_id == each.id],
        )
        for each in found.rows
    ]
    return views, found.following


@router.post("/cards/{card_id}/freeze", response_model=CardView, responses=_CHANGING)
async def freeze_card(card_id: str, deps: DepsDep, issuer: IssuerDep, once: MovesMoney, actor: ActorDep) -> Response:
    """Freeze a card: from now on every payment is declined. What is authorized already can still be captured."""
    return await _change(deps, issuer, once, actor, card_id, CardChange.FREEZE)


@router.post("/cards/{card_id}/unfreeze", response_model=CardView, responses=_BY_LINK)
async def unfreeze_card(card_id: str, deps: DepsDep, issuer: IssuerDep, once: MovesMoney, actor: ActorDep) -> Response:
    """Unfreeze a card: payments are decided again."""
    refuse_by_link(actor, "unfreeze cards")
    return await _change(deps, issuer, once, actor, card_id, CardChange.UNFREEZE)


@router.post("/cards/{card_id}/close", response_model=CardView, responses=_CHANGING)
async def close_card(card_id: str, deps: DepsDep, issuer: IssuerDep, once: MovesMoney, actor: ActorDep) -> Response:
    """Close a card for good. What is authorized already can still be captured, and refunds still arrive."""
    return await _change(deps, issuer, once, actor, card_id, CardChange.CLOSE)


@router.post("/cards/{card_id}/display", responses=_SHOWING)
async def show_card_number(
    card_id: str, body: CardDisplayCreate, deps: DepsDep, issuer: IssuerDep, actor: ActorDep
) -> CardDisplayView:
    """Return the key by which Stripe's script shows the number in one browser; the audit trail names who asked."""
    refuse_by_link(actor, "see card numbers")
    await _changeable(deps, actor, card_id)
    key = await service.display(deps.database, issuer, actor, card_id, body.nonce)
    return CardDisplayView(ephemeral_key=key)


async def _change(
    deps: Deps, issuer: CardIssuer, once: Command, actor: Actor, card_id: str, what: CardChange
) -> Response:
    await _changeable(deps, actor, card_id)
    async with once:
        row = await service.change(deps.database, issuer, actor, card_id, what, command_id=once.command_id)
        return once.answer(await _shown(deps, actor, row))


async def _readable(deps: Deps, actor: Actor, key: SpendingKey, card_id: str) -> Card:
    async with deps.session_for(actor) as session:
        row = await cards.get(session, card_id)
    refuse_other_agent(actor, row.agent_id, cards.MISSING)
    _refuse_confined(actor, key)
    permit(actor, Permission.INSPECT if actor.is_platform else Permission.READ)
    return row


async def _changeable(deps: Deps, actor: Actor, card_id: str) -> None:
    async with deps.session_for(actor) as session:
        row = await cards.get(session, card_id)
    refuse_other_agent(actor, row.agent_id, cards.MISSING)
    permit(actor, Permission.MANAGE_BILLING)


def _refuse_confined(actor: Actor, key: SpendingKey) -> None:
    """Refuse a key that is confined to a department or a project; an agent's key has the cards of its agent."""
    of = confined_key(actor, key)
    if of is not None and of.agent_id is None:
        refuse_totals(of)


async def _shown(deps: Deps, actor: Actor, row: Card) -> CardView:
    async with deps.session_for(actor) as session:
        return (await _all_shown(session, [row]))[0]


async def _all_shown(session: AsyncSession, rows: Sequence[Card]) -> list[CardView]:
    names = await agents.names(session, {row.agent_id for row in rows})
    return [CardView.of(row, names.get(row.agent_id, row.agent_id)) for row in rows]
