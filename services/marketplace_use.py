"""Using agents that are priced by usage: each use is charged, shared and written in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.access import Actor
from domain.errors import Conflict, DomainError, Invalid
from domain.marketplace.sale import PurchaseStatus, shares_of
from domain.marketplace.use import check_use, price_of
from domain.money import CREDIT, format_amount
from ledger.spends import NewSpend
from models.marketplace import MarketplaceUse
from models.spend import Spend, SpendChange
from repositories import audit, debt, marketplace
from repositories import spend as spends
from repositories.command import other_request
from repositories.organization_trait import in_one_hand
from runtime.identity import new_id
from services.marketplace import owned_now
from services.marketplace_sale import give_back, pay

#: What spends of uses are for; the meter is kept with them.
ACTION = "marketplace.use"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewUse:
    """What is used of an agent, and by whom: `spend` has the key and the spender, and its quantity is that of units."""

    agent_id: str
    meter: str | None
    spend: NewSpend


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """A use with the spend that paid it, or why there is none; `replayed` when its key had paid it before."""

    use: MarketplaceUse | None = None
    spend: Spend | None = None
    refusal: DomainError | None = None
    replayed: bool = False


async def use(
    session: AsyncSession,
    org_id: str,
    wanted: NewUse,
    *,
    creator_bps: int,
    exempt: Sequence[str],
    pays_out_granted: bool,
    now: datetime,
) -> Used:
    """Charge a use, or return the one that its key has paid already, whatever its price is by now.

    The caller commits also where a spend control refused, because the refusal is on record then. Needs the platform's
    session.

    Args:
        session: of the platform.
        org_id: who uses the agent.
        wanted: the use.
        creator_bps: the creator's share where no other one is set for the agent.
        exempt: who registers organizations for many others, see `repositories.organization_trait.in_one_hand`.
        pays_out_granted: whether creators take out what nobody has paid for.
        now: the time.

    Raises:
        NotFound: there is no such agent on the marketplace.
        IdempotencyConflict: the key stands for something else.
        Forbidden, Conflict, Invalid: see `domain.marketplace.use`.
    """
    listing = await marketplace.get(session, wanted.agent_id)
    offer = listing.as_offer()
    await debt.lock(session, offer.org_id)
    await marketplace.lock_purchases(session, org_id, offer.agent_id)
    done = await _done(session, org_id, wanted)
    if done is not None:
        return done
    owned = await owned_now(session, org_id, offer.agent_id, now)
    prices = check_use(
        offer,
        org_id,
        owned=None if owned is None else PurchaseStatus(owned.status),
        prices=None if owned is None else owned.usage_prices,
        related=await in_one_hand(session, org_id, offer.org_id, exempt),
    )
    assert owned is not None
    price_minor = price_of(prices, wanted.meter, wanted.spend.quantity)
    assert wanted.meter is not None
    bps = creator_bps if offer.creator_bps is None else offer.creator_bps
    shares = shares_of(price_minor, bps)
    row = MarketplaceUse(
        id=new_id("use"),
        org_id=org_id,
        purchase_id=owned.id,
        agent_id=offer.agent_id,
        payee_org_id=offer.org_id,
        meter=wanted.meter,
        quantity=wanted.spend.quantity,
        unit_minor=prices[wanted.meter],
        price_minor=price_minor,
        creator_bps=bps,
        creator_minor=shares.creator_minor,
        commission_minor=shares.commission_minor,
        granted_minor=0,
        taken_minor=0,
        used_at=now,
    )
    kept = {"payee_agent_id": offer.agent_id, "meter": wanted.meter}
    spend = replace(
        wanted.spend, action=ACTION, amount_minor=price_minor, metadata={**(wanted.spend.metadata or {}), **kept}
    )
    refusal = await pay(session, row, spend, pays_out_granted=pays_out_granted, now=now)
    if refusal is not None:
        return Used(refusal=refusal)
    session.add(row)
    await session.flush()
    return Used(use=row, spend=await spends.of_purchase(session, org_id, row.spend_id))


async def _done(session: AsyncSession, org_id: str, wanted: NewUse) -> Used | None:
    spend = await spends.of_key(session, org_id, wanted.spend.key)
    if spend is None:
        return None
    row = await marketplace.use_of(session, spend.id)
    asked = (wanted.agent_id, wanted.meter, wanted.spend.quantity, wanted.spend.spender.run_id)
    if row is None or (row.agent_id, row.meter, row.quantity, spend.run_id) != asked:
        raise other_request()
    return Used(use=row, spend=spend, replayed=True)


async def refund(
    session: AsyncSession,
    actor: Actor,
    *,
    spend: Spend,
    amount_minor: int | None,
    reason: str | None,
    command_id: str,
    now: datetime,
) -> tuple[Spend, SpendChange]:
    """Give back what a use cost, all of it: both shares go, and the limits have it again. Needs the platform's session.

    Raises:
        Invalid: a part is asked for.
        Conflict: `spend.refunded`.
        IdempotencyConflict: the command made another refund.
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
        raise Conflict("This use was refunded.", code="spend.refunded")
    if amount_minor not in {None, row.price_minor}:
        raise Invalid("The use of an agent is refunded whole.", extra={"field": "amount"})
    await give_back(session, row, key=command_id, now=now)
    row.taken_minor, row.refunded_at, row.refunded_by = row.price_minor, now, actor.qualified()
    await session.flush()
    details = {"amount": format_amount(row.price_minor, CREDIT), "reason": reason}
    await audit.record(session, actor, "credits.refund", spends.public_id(spend), details, spend.org_id)
    return spend, await spends.refund_of_command(session, spend.org_id, command_id)
