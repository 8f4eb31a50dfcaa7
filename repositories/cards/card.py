"""Statements about cards and their holders."""

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.cards.card import Card
from models.cards.cardholder import Cardholder
from repositories.common.listing import ListFilter, Listing, ListPage, Part, of_owner, part_per_value
from repositories.common.required import get_required

PREFIX = "crd"
MISSING = "There is no such card."

_LIST = Listing(of=Card, order=[Card.id], prefix=PREFIX, searched=("name", "last4"))


async def get(session: AsyncSession, card_id: str, *, lock: bool = False) -> Card:
    """Return a card as it is now; with `lock` it is locked until the transaction ends."""
    return await get_required(session, Card, card_id, PREFIX, MISSING, fresh=True, lock=lock)


async def lock_by_ref(session: AsyncSession, ref: str) -> Card | None:
    """Return the card of an issuer's id, locked until the transaction ends; None if none is ours."""
    query = select(Card).where(Card.ref == ref).with_for_update().execution_options(populate_existing=True)
    return (await session.scalars(query)).one_or_none()


async def has_any(session: AsyncSession) -> bool:
    """Return whether an issuer has ever made a card here; for the platform's session, which sees all."""
    return await session.scalar(select(Card.id).where(Card.ref.is_not(None)).limit(1)) is not None


async def has_other(session: AsyncSession, order_id: str, command_id: str) -> bool:
    """Return whether another command made a card for a purchase that is not closed; the caller has locked its order."""
    query = select(Card.id).where(Card.order_id == order_id, Card.status != "closed", Card.command_id != command_id)
    return await session.scalar(query) is not None


async def page(session: AsyncSession, wanted: ListFilter) -> ListPage[Card]:
    """Return a page of the cards that the session may see, newest first."""
    part: Part = of_owner(Card.org_id, wanted)
    if "agent_id" in wanted.equal:
        part = (*part, Card.agent_id == wanted.equal["agent_id"])
    parts = [(*part, *state) for state in part_per_value(Card.status, wanted.statuses)]
    return await _LIST.page(session, wanted, parts, served=("agent_id",))


async def cardholder(session: AsyncSession, org_id: str) -> str | None:
    """Return the issuer's id of an organization; None if it has none yet."""
    return (await session.scalars(select(Cardholder.ref).where(Cardholder.org_id == org_id))).one_or_none()


async def add_cardholder(session: AsyncSession, org_id: str, ref: str) -> None:
    """Note the issuer's id of an organization, once."""
    await session.execute(insert(Cardholder).values(org_id=org_id, ref=ref).on_conflict_do_nothing())
