"""Statements about offers and purchases on the marketplace."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Row, ScalarSelect, Select, and_, func, literal_column, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from domain.common.accounts import Account
from domain.common.ids import is_id
from domain.marketplace.offer import Offer, OfferModel, OfferStatus
from models.credits.spend import Spend
from models.marketplace.agent import Agent
from models.marketplace.marketplace import MarketplaceAgreedUse, MarketplaceOffer, MarketplacePurchase, MarketplaceUse
from models.payments.chargeback import ChargebackRow
from models.payments.payment import PaymentRow
from models.reputation.reputation import ReputationAgentRow
from repositories.common.listing import ListFilter, Listing as Pages, ListPage, in_states
from repositories.common.required import require_found

MISSING = "There is no such agent on the marketplace."
MISSING_PURCHASE = "There is no such purchase."
# A literal, because a plan for any status would not use the partial indexes of listed offers.
_LISTED = MarketplaceOffer.status == literal_column("'listed'")


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferListing:
    offer: MarketplaceOffer
    name: str
    accepts_granted: bool

    def as_offer(self) -> Offer:
        row = self.offer
        return Offer(
            agent_id=row.agent_id,
            org_id=row.org_id,
            name=self.name,
            model=OfferModel(row.model),
            price_minor=row.price_minor,
            currency=row.currency,
            creator_bps=row.creator_bps,
            status=OfferStatus(row.status),
            usage_prices=row.usage_prices,
            included_uses=row.included_uses,
        )


async def get(session: AsyncSession, agent_id: str) -> OfferListing:
    """Return the offer of an agent.

    Raises:
        NotFound: there is none that the session sees.
    """
    found = require_found(
        (await session.execute(_listings(MarketplaceOffer.agent_id == agent_id))).one_or_none()
        if is_id(agent_id, "agt")
        else None,
        MISSING,
    )
    return _listing(found)


async def lock_offer(session: AsyncSession, agent_id: str) -> MarketplaceOffer | None:
    return await session.get(MarketplaceOffer, agent_id, with_for_update=True)


async def lock_listed(session: AsyncSession, org_id: str) -> Sequence[MarketplaceOffer]:
    """Lock and return the listed offers of an organization, by agent."""
    row, own = MarketplaceOffer, select(Agent.id).where(Agent.org_id == org_id)
    query = select(row).where(row.agent_id.in_(own), _LISTED).order_by(row.agent_id).with_for_update()
    return (await session.scalars(query.execution_options(populate_existing=True))).all()


_OFFERS = Pages(of=MarketplaceOffer, order=[MarketplaceOffer.agent_id], prefix="agt", is_late=True)
_BY_PRICE = Pages(of=MarketplaceOffer, order=[MarketplaceOffer.price_minor, MarketplaceOffer.agent_id], ascending=True)


async def page(
    session: AsyncSession, wanted: ListFilter, *, words: Sequence[str] = (), least_stars_e6: int | None = None
) -> ListPage[OfferListing]:
    """Return a page of listed offers: newest agents first, or cheapest first if a currency is given.

    Args:
        session: of the reader.
        wanted: the filters; a range of prices needs a currency, and times are those of the first offer. A position is
            the price (0 if the list is not ordered by it) and the agent.
        words: the words that the offer contains, all of them.
        least_stars_e6: the minimum mean score of the agent, in millionths.
    """
    row, part = MarketplaceOffer, [_LISTED]
    part += [getattr(row, name) == value for name, value in wanted.equal.items()]
    if words:
        part.append(row.words.contains(list(words)))
    if wanted.least_minor is not None:
        part.append(row.price_minor >= wanted.least_minor)
    if wanted.most_minor is not None:
        part.append(row.price_minor <= wanted.most_minor)
    by_price = "currency" in wanted.equal
    place = wanted.after if wanted.after is None or by_price else wanted.after[1:]
    found = await (_BY_PRICE if by_price else _OFFERS).page(
        session,
        replace(wanted, after=place),
        [tuple(part)],
        served=wanted.equal,
        besides=None if least_stars_e6 is None else lambda seen: stars_of(seen.agent_id) >= least_stars_e6,
    )
    ids = [offer.agent_id for offer in found.rows]
    shown = {one[0].agent_id: _listing(one) for one in await session.execute(_listings(row.agent_id.in_(ids)))}
    following = found.following if by_price or found.following is None else (0, *found.following)
    return ListPage([shown[agent_id] for agent_id in ids if agent_id in shown], following)


async def categorise(session: AsyncSession, agent_id: str, category: str | None) -> None:
    offer = MarketplaceOffer
    await session.execute(update(offer).where(offer.agent_id == agent_id).values(category=category))


async def lock_purchases(session: AsyncSession, org_id: str, agent_id: str) -> None:
    """Lock an organization's purchases of an agent until the transaction ends, also before there is one."""
    key = f"purchase:{org_id}:{agent_id}"
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(key, 0))))


async def owned(session: AsyncSession, org_id: str, agent_id: str) -> MarketplacePurchase | None:
    """Return an organization's active purchase of an agent, or one that a chargeback has suspended.

    The period of a monthly purchase may be over. A month whose next one was bought is not returned.
    """
    row = MarketplacePurchase
    has = row.status.not_in([literal_column("'refunded'"), literal_column("'ended'")])
    query = select(row).where(row.org_id == org_id, row.agent_id == agent_id, has, row.renewed.is_(False))
    return (await session.scalars(query)).one_or_none()


async def charged_back(session: AsyncSession, org_id: str, agent_id: str) -> Sequence[PaymentRow]:
    """Return the payments of an organization's ended purchases of an agent that were ever charged back."""
    row, payment = MarketplacePurchase, PaymentRow
    disputed = select(ChargebackRow.id).where(ChargebackRow.payment_id == payment.id).exists()
    ended = or_(row.status == literal_column("'ended'"), row.renewed)
    query = select(payment).join(row, row.payment_id == payment.id)
    return (await session.scalars(query.where(row.org_id == org_id, row.agent_id == agent_id, ended, disputed))).all()


async def due(session: AsyncSession, *, now: datetime, after: str, limit: int) -> Sequence[str]:
    """Return the purchases that are due to be renewed, or to end because their period is over, by id."""
    row = MarketplacePurchase
    ends = and_(row.status == literal_column("'active'"), row.renews_at.is_(None), row.ends_at <= now)
    query = select(row.id).where(or_(row.renews_at <= now, ends), row.id > after).order_by(row.id).limit(limit)
    return (await session.scalars(query)).all()


async def has_refunded(session: AsyncSession, org_id: str, agent_id: str) -> bool:
    row = MarketplacePurchase
    query = select(row.id).where(row.org_id == org_id, row.agent_id == agent_id, row.status == "refunded")
    return (await session.scalars(query.limit(1))).one_or_none() is not None


async def get_purchase(session: AsyncSession, purchase_id: str, *, lock: bool = False) -> MarketplacePurchase:
    """Return a purchase.

    Raises:
        NotFound: there is none that the session sees.
    """
    return require_found(
        await session.get(MarketplacePurchase, purchase_id, with_for_update=lock or None, populate_existing=lock)
        if is_id(purchase_id, "pur")
        else None,
        MISSING_PURCHASE,
    )


async def paid_by(session: AsyncSession, payment_id: str) -> MarketplacePurchase | None:
    query = select(MarketplacePurchase).where(MarketplacePurchase.payment_id == payment_id)
    return (await session.scalars(query)).one_or_none()


async def lock_paid_by(session: AsyncSession, payment_id: str) -> MarketplacePurchase | None:
    """Return the purchase that a payment has paid, and lock it until the transaction ends."""
    row = MarketplacePurchase
    query = select(row).where(row.payment_id == payment_id).with_for_update()
    return (await session.scalars(query)).one_or_none()


_SHARED_LOTS = text(
    """
    SELECT l.id, sum(u.amount)::bigint AS brought, least(sum(u.amount), l.remaining - l.held)::bigint AS free,
        l.expires_at, l.payment_id
    FROM ledger.lot_uses u
    JOIN ledger.lots l ON l.id = u.to_lot
    JOIN ledger.accounts a ON a.id = l.account_id AND a.path = :path AND a.asset = :asset
    WHERE u.transfer_id = :transfer_id GROUP BY l.id ORDER BY l.expires_at, l.id
    """
)


@dataclass(frozen=True, slots=True)
class EarningsLot:
    """A lot of a sale's earnings: its amount and what is free of it, in minor units; `payment_id` bought it."""

    id: UUID
    brought_minor: int
    free_minor: int
    expires_at: datetime | None
    payment_id: str | None


async def lots_of(session: AsyncSession, transfer_id: UUID, account: Account) -> list[EarningsLot]:
    """Return the lots that a transfer has opened on an account, in the order of their expiry.

    The caller has locked its balance.
    """
    values = {"transfer_id": transfer_id, "path": account.path, "asset": account.asset}
    return [EarningsLot(*row) for row in await session.execute(_SHARED_LOTS, values)]


async def is_paid_by_spend(session: AsyncSession, spend_id: UUID) -> bool:
    query = select(MarketplacePurchase.id).where(MarketplacePurchase.spend_id == spend_id)
    return (await session.scalars(query)).one_or_none() is not None


async def use_of(session: AsyncSession, spend_id: UUID, *, lock: bool = False) -> MarketplaceUse | None:
    """Return the use of an agent that a spend has paid. Needs the platform's session."""
    query = select(MarketplaceUse).where(MarketplaceUse.spend_id == spend_id)
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    return (await session.scalars(query)).one_or_none()


#: A use has the id of what was agreed on before, and another quantity only.
_BOUGHT_BY = text("""
    SELECT DISTINCT b.purchase_id, b.agent_id, b.meter, a.name FROM (
        SELECT id AS purchase_id, agent_id, NULL AS meter FROM marketplace_purchases
        WHERE spend_id = :spend_id AND org_id = :org_id
        UNION ALL SELECT purchase_id, agent_id, meter FROM marketplace_uses
        WHERE spend_id = :spend_id AND org_id = :org_id
        UNION ALL SELECT purchase_id, agent_id, meter FROM marketplace_agreed_uses
        WHERE spend_id = :spend_id AND org_id = :org_id
    ) b LEFT JOIN agents a ON a.id = b.agent_id
    """)


@dataclass(frozen=True, slots=True)
class BoughtBySpend:
    """What a spend pays on the marketplace; `meter` is None for a purchase."""

    purchase_id: str
    agent_id: str
    meter: str | None
    agent_name: str | None


async def purchase_of_spend(session: AsyncSession, spend: Spend) -> BoughtBySpend | None:
    own = {"org_id": spend.org_id, "spend_id": spend.id}
    row = (await session.execute(_BOUGHT_BY, own)).one_or_none()
    return None if row is None else BoughtBySpend(row.purchase_id, row.agent_id, row.meter, row.name)


async def reserved_use(session: AsyncSession, spend_id: UUID) -> MarketplaceAgreedUse | None:
    query = select(MarketplaceAgreedUse).where(MarketplaceAgreedUse.spend_id == spend_id)
    return (await session.scalars(query)).one_or_none()


_LIBRARY = Pages(of=MarketplacePurchase, order=[MarketplacePurchase.id], created="bought_at", prefix="pur")


async def library(session: AsyncSession, wanted: ListFilter) -> ListPage[MarketplacePurchase]:
    """Return a page of the purchases of an organization, or of all, newest first."""
    row, agent_id = MarketplacePurchase, wanted.equal.get("agent_id")
    part = (
        *(() if wanted.org_id is None else (row.org_id == wanted.org_id,)),
        *(() if agent_id is None else (row.agent_id == agent_id,)),
    )
    return await _LIBRARY.page(session, wanted, [part], served=["agent_id"], besides=in_states(wanted))


def _listings(*conditions: ColumnElement[bool]) -> Select[MarketplaceOffer, str, bool]:
    offer = MarketplaceOffer
    shown = select(offer, Agent.name, Agent.accepts_granted)
    return shown.join(Agent, Agent.id == offer.agent_id).where(*conditions)


def stars_of(agent_id: InstrumentedAttribute[str]) -> ScalarSelect[int]:
    """Return the mean score of the agent of a row in millionths; null without evidence."""
    scored = ReputationAgentRow
    of_agent = (scored.agent_id == agent_id, scored.evidence_count > 0)
    return select(scored.stars_e6).where(*of_agent).correlate_except(scored).scalar_subquery()


def _listing(found: Row[MarketplaceOffer, str, bool]) -> OfferListing:
    offer, name, accepts_granted = found
    return OfferListing(offer=offer, name=name, accepts_granted=accepts_granted)
