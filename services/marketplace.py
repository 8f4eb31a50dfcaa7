"""Selling agents on the marketplace: offers, purchases that are free or paid with credits, and their refunds.

A purchase that is paid in money is made where its payment is fulfilled, see `services/purposes/purchase.py`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain import accounts
from domain.access import Actor
from domain.accounts import Account
from domain.errors import DomainError, Invalid
from domain.ids import purchase_key
from domain.lots import LotSource, LotTerms
from domain.marketplace.offer import Offer, OfferModel, OfferStatus, changed, check_price, require_seen, words
from domain.marketplace.renewal import LEAD, is_over, period_of
from domain.marketplace.sale import PurchaseStatus, check_refundable, shares_of
from domain.money import CREDIT, format_amount, format_ratio
from domain.payment.options import STRIPE
from ledger.gateway import Ledger, Posting
from ledger.spending import NewSpend, Spender, Spending
from models.marketplace import MarketplaceOffer, MarketplacePurchase
from providers.payments.limits import check_chargeable
from repositories import agent as agents
from repositories import audit, debt, marketplace
from repositories.command import other_request
from runtime.database import driver_connection
from runtime.identity import new_id
from services.debt import close_paid_debts, settle_debt
from services.provider_errors import provider_errors
from services.spend import refusal_of

#: What spends of purchases are for.
ACTION = "marketplace.purchase"
#: How long the reservation of a price may last; it is captured in the same transaction.
_RESERVED = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOffer:
    """What an organization, or an operator, wants an agent to be offered for."""

    model: OfferModel
    price_minor: int | None
    currency: str | None
    summary: str
    status: OfferStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Bought:
    """A purchase, or why there is none; `is_new` when this request made it."""

    purchase: MarketplacePurchase | None
    is_new: bool = False
    refusal: DomainError | None = None


async def offer_agent(
    session: AsyncSession, actor: Actor, agent_id: str, wanted: NewOffer, *, creator_bps: int | None, now: datetime
) -> None:
    """Write what an agent is offered for; what was sold stays as it was sold. Needs the platform's session.

    Args:
        session: of the platform.
        actor: of the agent's organization, or an operator.
        agent_id: which agent.
        wanted: the offer.
        creator_bps: the creator's share, which an operator sets; None leaves it as it is.
        now: the time.

    Raises:
        NotFound: there is no such agent.
        Invalid: the price goes not with the model or cannot be charged, or the agent is private.
    """
    agent = await agents.get(session, agent_id)
    check_price(wanted.model, wanted.price_minor, wanted.currency)
    if wanted.currency not in {None, CREDIT} and wanted.price_minor is not None:
        with provider_errors():
            check_chargeable(STRIPE, wanted.price_minor, wanted.currency)
    if agent.visibility != "public" and wanted.status is OfferStatus.LISTED:
        raise Invalid("A private agent cannot be listed.", extra={"field": "status"})
    row = await marketplace.lock_offer(session, agent_id)
    if row is None:
        row = MarketplaceOffer(agent_id=agent.id, org_id=agent.org_id, category=agent.category, created_at=now)
        session.add(row)
    row.model, row.status, row.summary = wanted.model.value, wanted.status.value, wanted.summary
    row.price_minor, row.currency = wanted.price_minor, wanted.currency
    row.words = words(agent.name, wanted.summary)
    row.changed_by, row.changed_at = actor.qualified(), now
    if creator_bps is not None:
        row.creator_bps = creator_bps
    await session.flush()
    price = None if wanted.price_minor is None else format_amount(wanted.price_minor, wanted.currency or CREDIT)
    details = {
        "model": wanted.model.value,
        "price": price,
        "currency": wanted.currency,
        "status": wanted.status.value,
        "creator_share": None if row.creator_bps is None else format_ratio(row.creator_bps),
    }
    await audit.record(session, actor, "marketplace.offer", agent.id, details, agent.org_id)


async def buy(
    session: AsyncSession,
    actor: Actor,
    offer: Offer,
    *,
    creator_bps: int,
    spender: Spender,
    pays_out_granted: bool,
    seen_minor: int | None,
    command_id: str,
    now: datetime,
) -> Bought:
    """Buy an agent that is free or costs credits, or return the purchase by which the organization has it already.

    The caller has checked that the organization may buy it, and commits also where a spend control refused, because
    the refusal is on record then. Needs the platform's session.

    Raises:
        Conflict: `marketplace.retired`, or `marketplace.offer_changed`: it is not what the caller has seen.
        IdempotencyConflict: the command has bought another agent.
    """
    org_id = actor.org_id
    assert org_id is not None
    paid = offer.price_minor is not None
    if paid:
        await debt.lock(session, offer.org_id)
    await marketplace.lock_purchases(session, org_id, offer.agent_id)
    done = await marketplace.made_by(session, command_id)
    if done is not None and (done.org_id, done.agent_id) != (org_id, offer.agent_id):
        raise other_request()
    known = done or await owned_now(session, org_id, offer.agent_id, now)
    if known is not None:
        return Bought(purchase=known)
    if (await marketplace.get(session, offer.agent_id)).as_offer() != offer:
        raise changed()
    require_seen(offer, seen_minor)
    purchase = new_purchase(offer, creator_bps, org_id=org_id, by=actor.qualified(), command_id=command_id, now=now)
    if paid:
        refusal = await pay(session, purchase, spender, command_id, pays_out_granted=pays_out_granted, now=now)
        if refusal is not None:
            return Bought(purchase=None, refusal=refusal)
    session.add(purchase)
    await session.flush()
    await audit.record(session, actor, "marketplace.purchase", purchase.id, {"agent_id": offer.agent_id}, org_id)
    return Bought(purchase=purchase, is_new=True)


async def owned_now(session: AsyncSession, org_id: str, agent_id: str, now: datetime) -> MarketplacePurchase | None:
    """Return the purchase by which an organization has an agent, which is locked; one whose period is over ends."""
    row = await marketplace.owned(session, org_id, agent_id)
    if row is None or not is_over(row.ends_at, now) or row.status != PurchaseStatus.ACTIVE.value:
        return row
    row.status, row.renews_at = PurchaseStatus.ENDED.value, None
    await session.flush()
    return None


def new_purchase(
    offer: Offer,
    creator_bps: int,
    *,
    org_id: str,
    by: str,
    command_id: str,
    now: datetime,
    before: MarketplacePurchase | None = None,
) -> MarketplacePurchase:
    """Return the row of a sale, with its price divided; what paid it is still to be added.

    One that is paid by the month is for its first one, or for the one that follows the purchase `before`.
    """
    shares = shares_of(offer.price_minor or 0, creator_bps)
    row = MarketplacePurchase(
        id=new_id("pur"),
        org_id=org_id,
        agent_id=offer.agent_id,
        payee_org_id=offer.org_id,
        model=offer.model.value,
        price_minor=offer.price_minor,
        currency=offer.currency,
        creator_bps=creator_bps,
        creator_minor=shares.creator_minor,
        commission_minor=shares.commission_minor,
        granted_minor=0,
        taken_minor=0,
        status=PurchaseStatus.ACTIVE.value,
        bought_by=by,
        command_id=command_id,
        bought_at=now,
        tries=0,
    )
    if offer.model is OfferModel.MONTHLY:
        row.anchor_at, row.period = now, 1
        if before is not None:
            assert before.period is not None
            row.anchor_at, row.period, row.renewed_from = before.anchor_at, before.period + 1, before.id
        assert row.anchor_at is not None
        row.ends_at = period_of(row.anchor_at, row.period).end
        row.renews_at = row.ends_at - LEAD
    return row


async def pay(
    session: AsyncSession,
    purchase: MarketplacePurchase,
    spender: Spender,
    command_id: str,
    *,
    pays_out_granted: bool,
    now: datetime,
) -> DomainError | None:
    """Take the price through the spend controls and share it, or return the refusal.

    The lots go along: what they cost becomes payable with the creator's part, as when an escrow is released.
    """
    assert purchase.price_minor is not None
    connection = await driver_connection(session)
    ledger, spending = Ledger(connection), Spending(connection, purchase.org_id)
    sales = accounts.agent_sales(purchase.agent_id, purchase.payee_org_id)
    earned, apart, commission = _shared_accounts(purchase)
    owes = accounts.org_debt(purchase.payee_org_id, CREDIT)
    touched = [accounts.org_credits(purchase.org_id), sales, earned, apart, commission]
    await ledger.lock_balances(touched, if_open=[owes])
    spent = await spending.authorize(
        NewSpend(key=f"purchase:{command_id}", action=ACTION, amount_minor=purchase.price_minor, spender=spender),
        expires_at=now + _RESERVED,
        at=now,
    )
    refusal = refusal_of(spent)
    if refusal is not None:
        return refusal
    assert spent.spend_id is not None
    await spending.settle_to(sales, key=f"purchase:{command_id}", spend_id=spent.spend_id, at=now)
    granted, has_owed = await ledger.before_release(sales, purchase.creator_minor, owes, now)
    if pays_out_granted:
        granted = 0
    legs = [
        Posting(source=sales, destination=apart, amount_minor=granted, lots=LotTerms(only="granted")),
        Posting(
            source=sales,
            destination=earned,
            amount_minor=purchase.creator_minor - granted,
            lots=None if pays_out_granted else LotTerms(only="paid"),
        ),
        Posting(source=sales, destination=commission, amount_minor=purchase.commission_minor),
    ]
    posted = await ledger.post_compound(
        key=purchase_key(purchase.id, "shares"),
        kind="marketplace.sold",
        postings=[leg for leg in legs if leg.amount_minor],
        reference=purchase.id,
        org_id=purchase.org_id,
        effective_at=now,
    )
    purchase.spend_id, purchase.transfer_id, purchase.granted_minor = spent.spend_id, posted.transfer_id, granted
    if has_owed:
        for step, source in (("granted_debt", apart), ("debt", earned)):
            await _settle(ledger, purchase, purchase.payee_org_id, step, source, now)
        await close_paid_debts(session, ledger, purchase.payee_org_id, CREDIT)
    return None


async def refund(
    session: AsyncSession, actor: Actor, purchase_id: str, *, window: timedelta, now: datetime
) -> MarketplacePurchase:
    """Refund a purchase that was free or paid with credits: access goes, and the shares come back.

    What the agent has not got any more is what its organization owes. Needs the platform's session.

    Raises:
        NotFound: there is no such purchase.
        Conflict: see `domain.marketplace.sale.check_refundable`.
    """
    seen = await marketplace.get_purchase(session, purchase_id)
    if seen.price_minor is not None:
        for org_id in sorted({seen.org_id, seen.payee_org_id}):
            await debt.lock(session, org_id)
    await marketplace.lock_purchases(session, seen.org_id, seen.agent_id)
    purchase = await marketplace.get_purchase(session, purchase_id, lock=True)
    await require_refundable(session, purchase, window=window, now=now)
    if purchase.price_minor is not None:
        await _give_back(session, purchase, now)
        purchase.taken_minor = purchase.price_minor
    purchase.status, purchase.renews_at = PurchaseStatus.REFUNDED.value, None
    purchase.refunded_at, purchase.refunded_by = now, actor.qualified()
    await session.flush()
    details = {"agent_id": purchase.agent_id}
    await audit.record(session, actor, "marketplace.refund", purchase.id, details, purchase.org_id)
    return purchase


async def require_refundable(
    session: AsyncSession, purchase: MarketplacePurchase, *, window: timedelta, now: datetime
) -> None:
    """Refuse a refund that the buyer cannot ask for; see `check_refundable`."""
    check_refundable(
        PurchaseStatus(purchase.status),
        purchase.bought_at,
        has_refunded=await marketplace.has_refunded(session, purchase.org_id, purchase.agent_id),
        window=window,
        now=now,
    )


async def _give_back(session: AsyncSession, purchase: MarketplacePurchase, now: datetime) -> None:
    assert purchase.transfer_id is not None
    connection = await driver_connection(session)
    ledger = Ledger(connection)
    wallet = accounts.org_credits(purchase.org_id)
    earned, apart, commission = _shared_accounts(purchase)
    debts = [accounts.org_debt(org_id, CREDIT) for org_id in (purchase.org_id, purchase.payee_org_id)]
    await ledger.lock_balances([wallet, earned, apart, commission, debts[1]], if_open=debts[:1])
    there = dict(zip((apart, earned), await ledger.available([apart, earned], now), strict=True))
    parts = ((apart, purchase.granted_minor), (earned, purchase.creator_minor - purchase.granted_minor))
    legs, owed = list[Posting](), 0
    for source, amount in parts:
        sold = await marketplace.lots_of(session, purchase.transfer_id, source)
        own, slices = 0, list[tuple[UUID, int]]()
        for lot_id, free in sold:
            part = min(free, amount - own)
            own, slices = own + part, [*slices, (lot_id, part)]
        # The very lots come back that the purchase paid; what of them is gone is taken from others.
        other = max(0, min(amount, there[source]) - own)
        legs.append(Posting(source=source, destination=wallet, amount_minor=own, lots=LotTerms(slices=tuple(slices))))
        legs.append(Posting(source=source, destination=wallet, amount_minor=other))
        owed += amount - own - other
    # What the creator does not have any more was paid for once, and is not payable a second time.
    legs.append(Posting(source=debts[1], destination=wallet, amount_minor=owed, lots=LotTerms(source=LotSource.REFUND)))
    returned = LotTerms(returns=purchase.transfer_id, source=LotSource.REFUND)
    legs.append(Posting(source=commission, destination=wallet, amount_minor=purchase.commission_minor, lots=returned))
    posted = await ledger.post_compound(
        key=purchase_key(purchase.id, "refund"),
        kind="marketplace.refunded",
        postings=[leg for leg in legs if leg.amount_minor],
        reference=purchase.id,
        org_id=purchase.org_id,
        effective_at=now,
    )
    assert purchase.spend_id is not None
    spending = Spending(connection, purchase.org_id)
    key = f"purchase:{purchase.id}"
    await spending.returned_by(posted.transfer_id, key=key, spend_id=purchase.spend_id, at=now)
    await _settle(ledger, purchase, purchase.org_id, "refund_debt", wallet, now)
    await close_paid_debts(session, ledger, purchase.org_id, CREDIT)


async def _settle(
    ledger: Ledger, purchase: MarketplacePurchase, org_id: str, step: str, source: Account, now: datetime
) -> None:
    key = purchase_key(purchase.id, step)
    await settle_debt(ledger, org_id=org_id, source=source, key=key, reference=purchase.id, at=now)


def _shared_accounts(purchase: MarketplacePurchase) -> tuple[Account, Account, Account]:
    """Return where the paid and the granted credits of a creator's part go, and where commission goes."""
    return (
        accounts.agent_earnings(purchase.agent_id, CREDIT, purchase.payee_org_id),
        accounts.agent_granted_earnings(purchase.agent_id, purchase.payee_org_id),
        accounts.platform("commission", CREDIT),
    )
