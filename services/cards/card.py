"""Creation, freezing and closing of cards, here and at the issuer, which is called between transactions."""

from datetime import datetime
from decimal import Decimal

from sqlalchemy.ext.asyncio import AsyncSession

from domain.budgets.purchase_order import PurchaseOrderStatus
from domain.cards.card import STATUS_AFTER, CardChange, CardStatus
from domain.common.access import Actor, refuse_operator_issued
from domain.common.credits import CreditPrice
from domain.common.errors import CardClosed, CardNoAddress, CardNoRate, CardOrder, CardPending, Invalid
from domain.common.ids import card_key
from domain.credits.spend.control import Pool
from models.billing.billing_profile import BillingProfile
from models.budgets.purchase_order import PurchaseOrder
from models.cards.card import Card
from providers.cards.base import (
    Address,
    CardIssuer,
    CardSnapshot,
    CardStatus as IssuerStatus,
    NewCard,
    NewCardholder,
    SpendingControls,
)
from repositories.billing import billing_profile
from repositories.budgets import purchase_order as orders
from repositories.cards import card as cards
from repositories.common.command import add_once
from repositories.credits import lot_price
from repositories.marketplace import agent as agents
from repositories.tenants import api_key, audit, organization as organizations
from runtime.database import Database
from services.books import exchange_rate
from services.common.provider_errors import provider_errors

_ASKED = (
    *("org_id", "agent_id", "order_id", "name", "currency", "per_authorization_minor", "per_month_minor"),
    "categories",
)
#: Characters of a holder's name that an issuer prints.
_PRINTED = 24
_AT_ISSUER = {
    CardChange.FREEZE: IssuerStatus.FROZEN,
    CardChange.UNFREEZE: IssuerStatus.ACTIVE,
    CardChange.CLOSE: IssuerStatus.CANCELLED,
}


async def create(
    database: Database, issuer: CardIssuer, actor: Actor, card: Card, price: CreditPrice, *, now: datetime
) -> Card:
    """Create a card, or continue the creation begun by the command.

    A card of a purchase order gets its agent and currency, and its amount as the limit of one authorization.

    Raises:
        Unavailable, Invalid: the issuer did not respond, or refused; the command can be repeated.
    """
    async with database.platform() as session:
        order = await _of_order(session, card)
        if order is not None and await cards.has_other(session, order.id, card.command_id):
            raise CardOrder("The purchase order has a card already. Close it first.")
        row, is_new = await add_once(session, card, _ASKED)
        if is_new:
            await organizations.refuse_stopped(session, row.org_id)
            agent = await agents.get(session, row.agent_id)
            if agent.org_id != row.org_id:
                raise Invalid("The agent must be the organization's own.", extra={"field": "agent_id"})
            await agents.refuse_retired(session, row.agent_id)
            await exchange_rate.store_price(session, price, now)
            if await lot_price.for_cost(session, row.org_id, Decimal(1), row.currency, at=now) is None:
                raise CardNoRate(
                    f"Credits have no recent price in {row.currency}, so nothing could be paid with this card. Choose "
                    "another currency, or ask an operator for an exchange rate."
                )
            _refuse_order(order, now)
            details = {"agent_id": row.agent_id, "currency": row.currency, "order_id": row.order_id}
            await audit.record(session, actor, "card.create", row.id, details, row.org_id)
        holder = await cards.cardholder(session, row.org_id)
        profile = await billing_profile.find(session, row.org_id)
        name = (await organizations.get(session, row.org_id)).name
        address = None if holder else _address(profile)
    if row.status != CardStatus.PENDING:
        return row
    with provider_errors():
        if holder is None:
            assert address is not None
            email = None if profile is None else profile.email
            made = await issuer.create_cardholder(
                NewCardholder(org_id=row.org_id, name=name[:_PRINTED].strip(), address=address, email=email),
                idempotency_key=card_key(row.org_id, "holder"),
            )
            holder = made.ref
        snapshot = await issuer.create_card(
            NewCard(
                card_id=row.id,
                cardholder_ref=holder,
                currency=row.currency,
                controls=SpendingControls(
                    per_authorization_minor=row.per_authorization_minor,
                    per_month_minor=row.per_month_minor,
                    categories=tuple(row.categories),
                ),
            ),
            idempotency_key=card_key(row.id, "create"),
        )
    async with database.platform() as session:
        await cards.add_cardholder(session, row.org_id, holder)
        row = await cards.get(session, row.id, lock=True)
        _made(row, snapshot)
    return row


async def change(
    database: Database, issuer: CardIssuer, actor: Actor, card_id: str, what: CardChange, *, command_id: str
) -> Card:
    """Freeze, unfreeze or close a card. Idempotent.

    A frozen or closed card declines from the commit on, even if the issuer does not respond; an unfrozen card works
    only after the issuer's confirmation.
    """
    after, is_safe = STATUS_AFTER[what], what is not CardChange.UNFREEZE
    async with database.platform() as session:
        row = await cards.get(session, card_id, lock=True)
        _refuse(row, what)
        if is_safe and row.status != after:
            row.status = after.value
            await audit.record(session, actor, f"card.{what.value}", row.id, {}, row.org_id)
    if row.ref is None:
        return row
    with provider_errors():
        key = card_key(row.id, what.value, command_id)
        await issuer.set_status(row.ref, _AT_ISSUER[what], idempotency_key=key)
    if is_safe:
        return row
    async with database.platform() as session:
        row = await cards.get(session, card_id, lock=True)
        _refuse(row, what)
        if row.status != after:
            row.status = after.value
            await audit.record(session, actor, f"card.{what.value}", row.id, {}, row.org_id)
    return row


async def display(database: Database, issuer: CardIssuer, actor: Actor, card_id: str, nonce: str) -> str:
    """Return an ephemeral key to show the card number in the nonce's browser; audited."""
    async with database.platform() as session:
        refuse_operator_issued(actor, await api_key.issuer_chain(session, actor), "see card numbers")
        row = await cards.get(session, card_id)
        _refuse(row, None)
        await audit.record(session, actor, "card.show", row.id, {}, row.org_id)
    assert row.ref is not None
    with provider_errors():
        return await issuer.display_key(row.ref, nonce)


async def _of_order(session: AsyncSession, card: Card) -> PurchaseOrder | None:
    if card.order_id is None:
        return None
    order = await orders.get(session, card.order_id, lock=True)
    if order.org_id != card.org_id:
        raise Invalid("The purchase order must be the organization's own.", extra={"field": "purchase_order_id"})
    card.agent_id, card.currency, card.per_authorization_minor = order.agent_id, order.currency, order.amount_minor
    return order


def _refuse_order(order: PurchaseOrder | None, now: datetime) -> None:
    if order is None:
        return
    is_held = order.held_until is not None and order.held_until > now
    if order.status != PurchaseOrderStatus.APPROVED or not is_held or order.term is not None:
        raise CardOrder(
            "A card is made for a purchase order that is approved and does not renew. Make a card of the agent for "
            "what renews."
        )
    if order.pool != Pool.OPERATING or order.lifts:
        # The card's own spends count like any other, so the budget would refuse them.
        raise CardOrder(
            "This purchase draws a reserve, or a limit was lifted for it, and payments of cards do neither. Pay for it "
            "in another way, or raise the budget and propose it again."
        )


def _address(profile: BillingProfile | None) -> Address:
    if profile is None or not (profile.line1 and profile.city and profile.postal_code and profile.country):
        raise CardNoAddress("The issuer of cards needs the organization's address. Complete the billing profile first.")
    return Address(
        line1=profile.line1,
        city=profile.city,
        postal_code=profile.postal_code,
        country=profile.country,
        state=profile.region,
    )


def _made(row: Card, snapshot: CardSnapshot) -> None:
    row.ref, row.brand, row.last4 = snapshot.ref, snapshot.brand, snapshot.last4
    row.expires_year, row.expires_month = snapshot.expires_year, snapshot.expires_month
    if row.status == CardStatus.PENDING:
        row.status = CardStatus.ACTIVE.value


def _refuse(row: Card, what: CardChange | None) -> None:
    if row.status == CardStatus.CLOSED and what is not CardChange.CLOSE:
        raise CardClosed("The card is closed. Make another one.")
    if row.status == CardStatus.PENDING and what is not CardChange.CLOSE:
        raise CardPending("The issuer has not made the card yet. Try again in a moment.")
