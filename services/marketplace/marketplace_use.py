"""Uses of agents that are priced by usage: each use is charged, shared and recorded in one transaction.

A use is charged at once, or at the price that a reservation or a usage event has fixed before.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common import errors as refusals
from domain.common.access import Actor
from domain.common.errors import Conflict, DomainError, Forbidden, IdempotencyConflict, Invalid
from domain.common.money import CREDIT, format_amount
from domain.credits.lots import Sharing
from domain.marketplace.offer import Offer
from domain.marketplace.sale import PurchaseStatus, shares_of
from domain.marketplace.use import UseTerms, check_use, price_of
from ledger.spending import Spending
from ledger.spends import ChangeResult, NewSpend, SpendResult
from models.credits.spend import Spend, SpendChange
from models.marketplace.marketplace import MarketplaceAgreedUse, MarketplaceUse
from repositories.books import debt
from repositories.common.command import other_request
from repositories.credits import spend as spends
from repositories.marketplace import agent as agents, marketplace, marketplace_use
from repositories.reputation.organization_trait import share_an_owner
from repositories.tenants import audit, organization as organizations
from runtime.database import driver_connection
from runtime.identity import new_id
from services.credits.spend import refusal_of
from services.marketplace.marketplace import current_purchase
from services.marketplace.marketplace_sale import (
    RESERVATION_LIFETIME,
    capture as take_reserved,
    pay,
    refund_sale,
    refuse_recovered,
    shares_of_sale,
)

#: What spends of uses are for; the meter is kept with them.
ACTION = "marketplace.use"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUse:
    """A requested use of an agent: `spend` has the idempotency key, the spender and the number of units."""

    agent_id: str
    meter: str | None
    spend: NewSpend


@dataclass(frozen=True, slots=True, kw_only=True)
class UseResult:
    """A use with the spend that paid it, or the refusal; `replayed` if its key had paid it before."""

    use: MarketplaceUse | None = None
    spend: Spend | None = None
    refusal: DomainError | None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationResult:
    """A reserved use with its spend, or the refusal; `replayed` if its key had reserved it before."""

    agreed: MarketplaceAgreedUse | None = None
    spend: Spend | None = None
    refusal: DomainError | None = None
    replayed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class UsePrices:
    """The price of an agent's uses for an organization: by which purchase, for each meter, and how it is shared."""

    agent_id: str
    payee_org_id: str
    purchase_id: str
    prices: Mapping[str, int]
    creator_bps: int


async def use_fast(
    connection: asyncpg.Connection, org_id: str, wanted: NewUse, *, terms: UseTerms, now: datetime
) -> UseResult | None:
    """Charge a use with one statement, the fast path of `use`; None, without any effect, if `use` has to be called.

    That is so for agents that are not for sale, keys that were used before, purchases that change meanwhile, and
    sellers that have had a debt.

    Args:
        connection: of the platform, in no transaction.
        org_id: whose use it is.
        wanted: the use.
        terms: the platform's.
        now: the time.
    """
    found = await marketplace_use.find(connection, org_id, wanted.agent_id, terms.exempt)
    if found is None:
        return None
    try:
        prices = check_use(found.offer, org_id, owned=PurchaseStatus.ACTIVE, prices=found.prices, related=found.related)
        price_of(prices, wanted.meter, wanted.spend.quantity)
        agreed = _agreed(org_id, wanted, _priced(found.offer, found.purchase_id, prices, terms), now)
        row, spend = _use_of(agreed, agreed.quantity, now), _of_agent(wanted.spend, agreed)
        spend = replace(spend, paid_only=not found.accepts_granted)
        shares = shares_of_sale(row, sharing=terms.sharing)
        sold = await marketplace_use.charge(
            connection, row, found.prices, spend, shares, expires_at=now + RESERVATION_LIFETIME, at=now
        )
    except (Conflict, Forbidden, IdempotencyConflict, Invalid):
        return None
    if sold is None or sold.spent.replayed:
        return None
    refusal = refusal_of(sold.spent, paid_only=spend.paid_only)
    if refusal is not None:
        return UseResult(refusal=refusal)
    assert sold.spent.spend_id is not None
    assert sold.transfer_id is not None
    row.spend_id, row.transfer_id, row.granted_minor = sold.spent.spend_id, sold.transfer_id, sold.granted_minor
    return UseResult(use=row, spend=_spend_of(org_id, spend, sold.spent))


async def use(session: AsyncSession, org_id: str, wanted: NewUse, *, terms: UseTerms, now: datetime) -> UseResult:
    """Charge a use, or return the one that its key has charged before, whatever the price is now.

    The caller also commits if a spend control refuses, because the refusal is recorded. Needs the platform's session.

    Raises:
        Forbidden, Conflict, Invalid: see `domain.marketplace.use`.
    """
    offer = (await marketplace.get(session, wanted.agent_id)).as_offer()
    await debt.lock(session, offer.org_id)
    await marketplace.lock_purchases(session, org_id, offer.agent_id)
    spend = await spends.of_key(session, org_id, wanted.spend.key)
    if spend is not None:
        # The key may be that of a reservation, which is a use as well once it is captured.
        is_reserved = await marketplace.reserved_use(session, spend.id) is not None
        done = None if is_reserved else await marketplace.use_of(session, spend.id)
        _require_same(wanted, spend, done)
        return UseResult(use=done, spend=spend, replayed=True)
    refusal = await _refused_before(session, org_id, wanted, now)
    if refusal is not None:
        return UseResult(refusal=refusal, replayed=True)
    agreed = await _agree(session, org_id, wanted, offer, terms, now)
    row = _use_of(agreed, agreed.quantity, now)
    refusal = await pay(session, row, _of_agent(wanted.spend, agreed), sharing=terms.sharing, now=now)
    if refusal is not None:
        return UseResult(refusal=refusal)
    session.add(row)
    await session.flush()
    return UseResult(use=row, spend=await spends.of_purchase(session, org_id, row.spend_id))


async def reserve(
    session: AsyncSession, org_id: str, wanted: NewUse, *, terms: UseTerms, expires_at: datetime, now: datetime
) -> ReservationResult:
    """Reserve the price of a use, or return what its key has reserved. It fixes the price and the creator's share.

    The caller also commits if a spend control refuses. Needs the platform's session. Raises as `use`.
    """
    offer = (await marketplace.get(session, wanted.agent_id)).as_offer()
    await marketplace.lock_purchases(session, org_id, offer.agent_id)
    spend = await spends.of_key(session, org_id, wanted.spend.key)
    if spend is not None:
        done = await marketplace.reserved_use(session, spend.id)
        _require_same(wanted, spend, done)
        return ReservationResult(agreed=done, spend=spend, replayed=True)
    refusal = await _refused_before(session, org_id, wanted, now)
    if refusal is not None:
        return ReservationResult(refusal=refusal, replayed=True)
    agreed = await _agree(session, org_id, wanted, offer, terms, now)
    books = Spending(await driver_connection(session), org_id)
    asked = replace(
        _of_agent(wanted.spend, agreed), paid_only=not await agents.accepts_granted(session, offer.agent_id)
    )
    spent = await books.authorize(asked, expires_at=expires_at, at=now)
    refusal = refusal_of(spent, paid_only=asked.paid_only)
    if refusal is not None:
        return ReservationResult(refusal=refusal)
    assert spent.spend_id is not None
    agreed.spend_id = spent.spend_id
    session.add(agreed)
    await session.flush()
    return ReservationResult(agreed=agreed, spend=await spends.of_purchase(session, org_id, spent.spend_id))


async def capture(
    session: AsyncSession,
    agreed: MarketplaceAgreedUse,
    *,
    quantity: int | None,
    key: str,
    sharing: Sharing,
    now: datetime,
) -> ChangeResult:
    """Charge some of the reserved units, or all of them, at the agreed price; the rest is released.

    The agreed price applies even if the agent was retired or removed from the library since. Needs the platform's
    session.

    Raises:
        Invalid: more is captured than was reserved.
    """
    if quantity is not None and quantity > agreed.quantity:
        raise Invalid(f"Only {agreed.quantity} units are reserved.", extra={"field": "quantity"})
    assert agreed.spend_id is not None
    await debt.lock(session, agreed.payee_org_id)
    row = _use_of(agreed, agreed.quantity if quantity is None else quantity, now)
    row.spend_id = agreed.spend_id
    captured = await take_reserved(session, row, key=key, sharing=sharing, now=now)
    if not captured.replayed:
        await organizations.refuse_closed(session, agreed.payee_org_id)
        session.add(row)
        await session.flush()
    return captured


async def use_prices(session: AsyncSession, org_id: str, offer: Offer, *, terms: UseTerms, now: datetime) -> UsePrices:
    """Return what uses of an agent cost an organization now, or refuse them; see `domain.marketplace.use.check_use`."""
    owned = await current_purchase(session, org_id, offer.agent_id, now)
    prices = check_use(
        offer,
        org_id,
        owned=None if owned is None else PurchaseStatus(owned.status),
        prices=None if owned is None else owned.usage_prices,
        related=await share_an_owner(session, org_id, offer.org_id, terms.exempt),
    )
    assert owned is not None
    return _priced(offer, owned.id, prices, terms)


def _priced(offer: Offer, purchase_id: str, prices: Mapping[str, int], terms: UseTerms) -> UsePrices:
    return UsePrices(
        agent_id=offer.agent_id,
        payee_org_id=offer.org_id,
        purchase_id=purchase_id,
        prices=prices,
        creator_bps=terms.creator_bps if offer.creator_bps is None else offer.creator_bps,
    )


async def _agree(
    session: AsyncSession, org_id: str, wanted: NewUse, offer: Offer, terms: UseTerms, now: datetime
) -> MarketplaceAgreedUse:
    await organizations.refuse_stopped(session, org_id, offer.org_id)
    sold = await use_prices(session, org_id, offer, terms=terms, now=now)
    price_of(sold.prices, wanted.meter, wanted.spend.quantity)
    return _agreed(org_id, wanted, sold, now)


def _agreed(org_id: str, wanted: NewUse, sold: UsePrices, now: datetime) -> MarketplaceAgreedUse:
    assert wanted.meter is not None
    return MarketplaceAgreedUse(
        id=new_id("use"),
        org_id=org_id,
        purchase_id=sold.purchase_id,
        agent_id=sold.agent_id,
        payee_org_id=sold.payee_org_id,
        meter=wanted.meter,
        quantity=wanted.spend.quantity,
        unit_minor=sold.prices[wanted.meter],
        creator_bps=sold.creator_bps,
        tries=0,
        agreed_at=now,
    )


async def _refused_before(session: AsyncSession, org_id: str, wanted: NewUse, now: datetime) -> DomainError | None:
    """Return the refusal that a key got before, whatever the use costs now; None for a new key."""
    first = await spends.find_by_key(session, org_id, wanted.spend.key)
    if first is None:
        return None
    books = Spending(await driver_connection(session), org_id)
    again = replace(wanted.spend, action=ACTION, amount_minor=first.amount_minor)
    return refusal_of(await books.authorize(again, expires_at=now + RESERVATION_LIFETIME, at=now))


async def charge_agreed(
    session: AsyncSession, agreed: MarketplaceAgreedUse, spend: NewSpend, *, sharing: Sharing, now: datetime
) -> UseResult:
    """Charge a reported use as agreed, or return why not: a limit or the credits do not allow it, or a party is closed.

    The caller holds the lock of what the seller owes, and has made sure that it was not charged before.
    """
    try:
        await organizations.refuse_stopped(session, agreed.org_id, agreed.payee_org_id)
    except refusals.OrganizationClosed as closed:
        return UseResult(refusal=closed)
    row = _use_of(agreed, agreed.quantity, now)
    refusal = await pay(session, row, _of_agent(spend, agreed), sharing=sharing, now=now)
    if refusal is not None:
        return UseResult(refusal=refusal)
    session.add(row)
    await session.flush()
    return UseResult(use=row)


def _use_of(agreed: MarketplaceAgreedUse, quantity: int, now: datetime) -> MarketplaceUse:
    """Return the row of a use of a number of the agreed units, without what pays it."""
    price_minor = quantity * agreed.unit_minor
    shares = shares_of(price_minor, agreed.creator_bps)
    return MarketplaceUse(
        id=agreed.id,
        org_id=agreed.org_id,
        purchase_id=agreed.purchase_id,
        agent_id=agreed.agent_id,
        payee_org_id=agreed.payee_org_id,
        meter=agreed.meter,
        quantity=quantity,
        unit_minor=agreed.unit_minor,
        price_minor=price_minor,
        creator_bps=agreed.creator_bps,
        creator_minor=shares.creator_minor,
        commission_minor=shares.commission_minor,
        granted_minor=0,
        taken_minor=0,
        used_at=now,
    )


def _of_agent(spend: NewSpend, agreed: MarketplaceAgreedUse) -> NewSpend:
    kept = {"payee_agent_id": agreed.agent_id, "meter": agreed.meter}
    return replace(
        spend,
        action=ACTION,
        amount_minor=agreed.quantity * agreed.unit_minor,
        quantity=agreed.quantity,
        metadata={**(spend.metadata or {}), **kept},
    )


def _spend_of(org_id: str, spend: NewSpend, spent: SpendResult) -> Spend:
    """Return the spend that was just written, without reading it again; it has only the columns that are shown."""
    return Spend(
        id=spent.spend_id,
        org_id=org_id,
        available=spent.available_minor,
        agent_id=spend.spender.agent_id,
        department_id=spend.spender.department_id,
        project_id=spend.spender.project_id,
        run_id=spend.spender.run_id,
        at=spent.at,
        expires_at=spent.expires_at,
    )


def _require_same(wanted: NewUse, spend: Spend, done: MarketplaceUse | MarketplaceAgreedUse | None) -> None:
    asked = (wanted.agent_id, wanted.meter, wanted.spend.quantity, wanted.spend.spender.run_id)
    if done is None or (done.agent_id, done.meter, done.quantity, spend.run_id) != asked:
        raise other_request()


async def refund(
    session: AsyncSession,
    actor: Actor,
    *,
    spend: Spend,
    amount_minor: int | None,
    reason: str | None,
    reverses: bool,
    command_id: str,
    now: datetime,
) -> tuple[Spend, SpendChange]:
    """Refund a use in full: both shares are reversed, and limits count it as refunded. Needs the platform's session.

    Raises:
        Invalid: a partial refund is requested.
    """
    seen = await marketplace.use_of(session, spend.id)
    assert seen is not None
    for org_id in sorted({seen.org_id, seen.payee_org_id}):
        await debt.lock(session, org_id)
    row = await marketplace.use_of(session, spend.id, lock=True)
    assert row is not None
    known = await spends.find_refund(session, row.org_id, command_id)
    if known is not None:
        if known.spend_id != spend.id:
            raise other_request()
        return spend, known
    if row.refunded_at is not None:
        raise refusals.SpendRefunded("This use was refunded.")
    if amount_minor not in {None, row.price_minor}:
        raise Invalid("The use of an agent can be refunded in full only. Leave amount out.", extra={"field": "amount"})
    await refuse_recovered(session, row)
    await organizations.refuse_closed(session, row.org_id)
    await refund_sale(session, row, amount_minor=row.price_minor, key=command_id, reverses=reverses, now=now)
    row.taken_minor, row.refunded_at, row.refunded_by = row.price_minor, now, actor.qualified()
    await session.flush()
    details = {"amount": format_amount(row.price_minor, CREDIT), "reason": reason}
    await audit.record(session, actor, "credits.refund", spends.public_id(spend), details, spend.org_id)
    return spend, await spends.refund_of_command(session, spend.org_id, command_id)
