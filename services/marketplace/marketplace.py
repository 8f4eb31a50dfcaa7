"""Marketplace: offers of agents, purchases that are free or paid with credits, and their refunds.

Fulfilment of a payment creates a purchase in money, see `services/payments/purposes/purchase.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor, Permission, Role, permit
from domain.common.errors import DomainError, Invalid, MarketplaceSuspended, UsedUp
from domain.common.money import CREDIT, format_amount, format_ratio
from domain.credits.lots import Sharing
from domain.marketplace.metered import check_included, days_of, used_minor
from domain.marketplace.offer import (
    ExpectedOffer,
    Offer,
    OfferModel,
    OfferStatus,
    check_price,
    offer_changed,
    require_stated_price,
    require_unchanged,
    search_words,
)
from domain.marketplace.renewal import LEAD, is_over, period_of
from domain.marketplace.sale import PURCHASE, PurchaseStatus, check_refundable, shares_of
from domain.payments.payment.options import STRIPE
from domain.payments.payment.purposes.purchase import is_disputed
from domain.tenants.metadata import Precondition
from ledger.spends import NewSpend, Spender
from models.marketplace.marketplace import MarketplaceOffer, MarketplacePurchase
from providers.payments.limits import check_chargeable, round_to_refundable
from repositories.books import debt
from repositories.common.command import other_request, row_of_command
from repositories.marketplace import agent as agents, marketplace
from repositories.payments import payment as payments
from repositories.tenants import audit, organization as organizations
from repositories.usage import usage_report
from runtime.identity import new_id
from services.common.provider_errors import provider_errors
from services.marketplace.marketplace_sale import pay, refund_sale, refuse_recovered


@dataclass(frozen=True, slots=True, kw_only=True)
class NewOffer:
    """Requested offer of an agent."""

    model: OfferModel
    price_minor: int | None
    currency: str | None
    usage_prices: Mapping[str, int] | None
    included_uses: int | None = None
    summary: str
    status: OfferStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseResult:
    """Purchase, or the refusal; `is_new` if this request created it."""

    purchase: MarketplacePurchase | None
    is_new: bool = False
    refusal: DomainError | None = None


async def offer_agent(
    session: AsyncSession,
    actor: Actor,
    agent_id: str,
    wanted: NewOffer,
    *,
    creator_bps: int | None,
    expected: Precondition | None,
    command_id: str,
    now: datetime,
) -> None:
    """Create or replace an agent's offer; existing purchases keep their terms.

    A repeated command changes nothing, whatever `expected` is.

    Args:
        session: of the platform.
        actor: of the agent's organization, or an operator.
        agent_id: the agent.
        wanted: the offer.
        creator_bps: the creator's share, which only an operator sets; None leaves it as it is.
        expected: the expected version; None for any, or for a new offer.
        command_id: makes it idempotent.
        now: the time.

    Raises:
        Invalid: the price does not fit the model or cannot be charged, or the agent is private.
    """
    agent = await agents.lock(session, agent_id)
    row = await marketplace.lock_offer(session, agent_id)
    columns = _columns(wanted) if creator_bps is None else {**_columns(wanted), "creator_bps": creator_bps}
    if row is not None and row.command_id == command_id:
        if any(getattr(row, name) != value for name, value in columns.items()):
            raise other_request()
        return
    if wanted.status is OfferStatus.LISTED:
        await organizations.refuse_stopped(session, agent.org_id)
    if agent.retired_at is not None and wanted.status is OfferStatus.LISTED:
        raise agents.retired(agent.retired_at)
    check_price(wanted.model, wanted.price_minor, wanted.currency, wanted.usage_prices)
    check_included(wanted.model, wanted.included_uses)
    if wanted.currency not in {None, CREDIT} and wanted.price_minor is not None:
        with provider_errors():
            check_chargeable(STRIPE, wanted.price_minor, wanted.currency)
    if agent.visibility != "public" and wanted.status is OfferStatus.LISTED:
        raise Invalid("A private agent cannot be listed. Make it public first.", extra={"field": "status"})
    if expected is not None:
        expected.judge(None if row is None else row.version)
    if row is None:
        row = MarketplaceOffer(agent_id=agent.id, org_id=agent.org_id, category=agent.category, created_at=now)
        session.add(row)
    for name, value in columns.items():
        setattr(row, name, value)
    row.words = search_words(agent.name, wanted.summary)
    row.changed_by, row.changed_at, row.command_id = actor.qualified(), now, command_id
    await session.flush()
    await session.refresh(row)
    price = None if wanted.price_minor is None else format_amount(wanted.price_minor, wanted.currency or CREDIT)
    details = {
        "model": wanted.model.value,
        "price": price,
        "currency": wanted.currency,
        "prices": shown_prices(wanted.usage_prices),
        "included_uses": wanted.included_uses,
        "status": wanted.status.value,
        "creator_share": None if row.creator_bps is None else format_ratio(row.creator_bps),
    }
    await audit.record(session, actor, "marketplace.offer", agent.id, details, agent.org_id)


def _columns(wanted: NewOffer) -> dict[str, object]:
    return {
        "model": wanted.model.value,
        "status": wanted.status.value,
        "summary": wanted.summary,
        "price_minor": wanted.price_minor,
        "currency": wanted.currency,
        "usage_prices": None if wanted.usage_prices is None else dict(wanted.usage_prices),
        "included_uses": wanted.included_uses,
    }


async def buy(
    session: AsyncSession,
    actor: Actor,
    offer: Offer,
    *,
    creator_bps: int,
    spender: Spender,
    sharing: Sharing,
    seen: ExpectedOffer,
    command_id: str,
    now: datetime,
) -> PurchaseResult:
    """Buy an agent that is free or costs credits, or return the purchase that the organization already has.

    A usage-priced agent is added to the library at present prices, which then stay; if it was added before, present
    prices apply only if stated by the caller.

    The caller has checked the buyer, and also commits if a spend control refuses, because the refusal is recorded.
    Needs the platform's session.

    Raises:
        Invalid: the caller is an agent and states no price.
    """
    org_id = actor.org_id
    assert org_id is not None
    paid = offer.price_minor is not None
    if paid:
        await debt.lock(session, offer.org_id)
    await marketplace.lock_purchases(session, org_id, offer.agent_id)
    done = await row_of_command(session, MarketplacePurchase, command_id)
    if done is not None and (done.org_id, done.agent_id) != (org_id, offer.agent_id):
        raise other_request()
    known = done or await current_purchase(session, org_id, offer.agent_id, now)
    seen_prices = seen.usage_prices
    accepts = known is not None and known.usage_prices is not None and seen_prices is not None
    if known is not None and not accepts:
        return PurchaseResult(purchase=known)
    if (await marketplace.get(session, offer.agent_id)).as_offer() != offer:
        raise offer_changed()
    await organizations.refuse_stopped(session, org_id, offer.org_id)
    if known is None:
        await agents.refuse_retired(session, offer.agent_id)
        await refuse_charged_back(session, org_id, offer.agent_id)
    require_unchanged(offer, seen)
    if known is None and actor.role is Role.AGENT:
        require_stated_price(offer, seen)
    if known is not None and seen_prices is not None:
        if known.usage_prices != seen_prices:
            # The prices apply to every use of the organization, so accepting them needs the permission to pay for it.
            permit(actor, Permission.PAY)
            known.usage_prices = dict(seen_prices)
            await session.flush()
            details = {"agent_id": offer.agent_id, "prices": shown_prices(seen_prices)}
            await audit.record(session, actor, "marketplace.accept_prices", known.id, details, org_id)
        return PurchaseResult(purchase=known)
    purchase = new_purchase(offer, creator_bps, org_id=org_id, by=actor.qualified(), command_id=command_id, now=now)
    if paid:
        spend = price_spend(purchase, spender)
        refusal = await pay(session, purchase, spend, sharing=sharing, now=now)
        if refusal is not None:
            return PurchaseResult(purchase=None, refusal=refusal)
    session.add(purchase)
    await session.flush()
    await audit.record(session, actor, "marketplace.purchase", purchase.id, {"agent_id": offer.agent_id}, org_id)
    return PurchaseResult(purchase=purchase, is_new=True)


async def current_purchase(
    session: AsyncSession, org_id: str, agent_id: str, now: datetime
) -> MarketplacePurchase | None:
    """Return an organization's purchase of an agent, locked, or None. A purchase whose period is over is ended."""
    row = await marketplace.owned(session, org_id, agent_id)
    if row is None or blocks_purchase(row, now):
        return row
    row.status, row.renews_at = PurchaseStatus.ENDED.value, None
    await session.flush()
    return None


async def refuse_charged_back(session: AsyncSession, org_id: str, agent_id: str) -> None:
    """Refuse another purchase of an agent while a chargeback of an earlier one is open or lost.

    It reads payments: of several charged-back months that have ended, at most one is suspended. Needs the platform's
    session.
    """
    if await is_charged_back(session, org_id, agent_id):
        raise MarketplaceSuspended(
            "A chargeback of an earlier purchase of this agent is open or lost. "
            "The agent can be bought again once the chargeback is won."
        )


async def is_charged_back(session: AsyncSession, org_id: str, agent_id: str) -> bool:
    """Return whether a chargeback of an earlier purchase of the agent is open or lost. Needs the platform's session."""
    rows = await marketplace.charged_back(session, org_id, agent_id)
    return any(is_disputed(payments.state_of(row)) for row in rows)


def mark_renewed(purchase: MarketplacePurchase, now: datetime) -> None:
    """Mark a month as renewed; it stays active until it is over."""
    purchase.renews_at = None
    if is_over(purchase.ends_at, now):
        purchase.status = PurchaseStatus.ENDED.value
    else:
        purchase.renewed = True


def effective_status(purchase: MarketplacePurchase) -> PurchaseStatus:
    """Return the status for refunds, chargebacks and cancellations: a renewed month counts as ended."""
    status = PurchaseStatus(purchase.status)
    return PurchaseStatus.ENDED if purchase.renewed and status is PurchaseStatus.ACTIVE else status


def blocks_purchase(purchase: MarketplacePurchase, now: datetime) -> bool:
    """Return whether a purchase prevents buying the agent again.

    A suspended purchase does, even after its period: it becomes active again if the chargeback is won.
    """
    return purchase.status != PurchaseStatus.ACTIVE.value or not is_over(purchase.ends_at, now)


def new_purchase(
    offer: Offer,
    creator_bps: int,
    *,
    org_id: str,
    by: str,
    command_id: str,
    now: datetime,
    before: MarketplacePurchase | None = None,
    tax_minor: int = 0,
) -> MarketplacePurchase:
    """Return the row of a purchase, without its payment. The price less `tax_minor` is shared with the creator.

    A monthly purchase is for the first month, or for the month after the purchase `before`.
    """
    shares = shares_of((offer.price_minor or 0) - tax_minor, creator_bps)
    row = MarketplacePurchase(
        id=new_id("pur"),
        org_id=org_id,
        agent_id=offer.agent_id,
        payee_org_id=offer.org_id,
        model=offer.model.value,
        price_minor=offer.price_minor,
        currency=offer.currency,
        tax_minor=tax_minor,
        usage_prices=dict(offer.usage_prices) if offer.model is OfferModel.USAGE and offer.usage_prices else None,
        creator_bps=creator_bps,
        creator_minor=shares.creator_minor,
        commission_minor=shares.commission_minor,
        granted_minor=0,
        taken_minor=0,
        included_uses=offer.included_uses if offer.model is OfferModel.ONE_TIME else None,
        used_minor=0,
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


def price_spend(purchase: MarketplacePurchase, spender: Spender) -> NewSpend:
    """Return the spend that charges the price of a purchase."""
    assert purchase.price_minor is not None
    return NewSpend(
        key=f"purchase:{purchase.command_id}", action=PURCHASE, amount_minor=purchase.price_minor, spender=spender
    )


def shown_prices(prices: Mapping[str, int] | None) -> dict[str, str] | None:
    """Format unit prices as amounts of credits, by meter."""
    return None if prices is None else {meter: format_amount(minor, CREDIT) for meter, minor in sorted(prices.items())}


async def refund(
    session: AsyncSession,
    actor: Actor,
    purchase_id: str,
    *,
    window: timedelta,
    reverses: bool,
    command_id: str,
    now: datetime,
) -> MarketplacePurchase:
    """Refund a purchase that was free or paid with credits: end access and reverse the shares.

    A repeated command returns its purchase. The used part of the price is not refunded. If the agent has less than its
    share, its organization owes the rest, and with `reverses` its payouts are reversed. Needs the platform's session.
    """
    seen = await marketplace.get_purchase(session, purchase_id)
    if seen.price_minor is not None:
        for org_id in sorted({seen.org_id, seen.payee_org_id}):
            await debt.lock(session, org_id)
    await marketplace.lock_purchases(session, seen.org_id, seen.agent_id)
    purchase = await marketplace.get_purchase(session, purchase_id, lock=True)
    if purchase.refund_command_id == command_id:
        return purchase
    await require_refundable(session, purchase, window=window, now=now)
    if purchase.price_minor is not None:
        await organizations.refuse_closed(session, purchase.org_id)
        amount_minor = await deduct_used(session, purchase, purchase.price_minor)
        key = f"purchase:{purchase.id}"
        await refund_sale(session, purchase, amount_minor=amount_minor, key=key, reverses=reverses, now=now)
        purchase.taken_minor = amount_minor
    purchase.status, purchase.renews_at = PurchaseStatus.REFUNDED.value, None
    purchase.refunded_at, purchase.refunded_by, purchase.refund_command_id = now, actor.qualified(), command_id
    await session.flush()
    details = {"agent_id": purchase.agent_id, "used": used_part_text(purchase)}
    await audit.record(session, actor, "marketplace.refund", purchase.id, details, purchase.org_id)
    return purchase


async def deduct_used(
    session: AsyncSession,
    purchase: MarketplacePurchase,
    left_minor: int,
    *,
    provider: str | None = None,
    refund_id: str | None = None,
) -> int:
    """Record the used part of a purchase's price, and return the part that is refunded.

    `refund_id` is the refund of the purchase's payment, to which alone the deduction applies.
    `provider` is the refunding provider.

    Raises:
        UsedUp: the whole price is used.
    """
    purchase.used_minor = await used_part_minor(session, purchase, left_minor, provider=provider)
    if refund_id is not None:
        # Two refunds may be requested at the same time, and the last to write is not always the one that is made.
        purchase.used_by = {**purchase.used_by, refund_id: purchase.used_minor}
    await session.flush()
    return left_minor - purchase.used_minor


async def used_part_minor(
    session: AsyncSession, purchase: MarketplacePurchase, left_minor: int, *, provider: str | None = None
) -> int:
    """Return the used part of the remaining price of a purchase, without writing it.

    It is rounded to an amount that `provider` can refund: down, in favour of the buyer, unless the refund would then
    exceed the remaining price.

    Raises:
        UsedUp: the whole price is used.
    """
    assert purchase.price_minor is not None
    since, days = purchase.bought_at, None
    if purchase.anchor_at is not None and purchase.period is not None:
        period = period_of(purchase.anchor_at, purchase.period)
        since, days = period.start, days_of(period.start, period.end)
    metered = await usage_report.named_uses(session, purchase.org_id, purchase.agent_id, since)
    used = used_minor(
        OfferModel(purchase.model), purchase.price_minor, metered, included_uses=purchase.included_uses, days=days
    )
    back = max(0, left_minor - used)
    if provider is not None and purchase.currency is not None:
        back = round_to_refundable(provider, back, left_minor, purchase.currency)
    if not back:
        raise UsedUp("All that was paid for this agent was used, so nothing can be refunded.")
    return left_minor - back


def used_part_text(purchase: MarketplacePurchase) -> str | None:
    """Format the used part of the price of a purchase."""
    return None if purchase.currency is None else format_amount(purchase.used_minor, purchase.currency)


async def require_refundable(
    session: AsyncSession, purchase: MarketplacePurchase, *, window: timedelta, now: datetime
) -> None:
    """Refuse a refund that the buyer cannot request; see `check_refundable` and `refuse_recovered`."""
    check_refundable(
        effective_status(purchase),
        purchase.bought_at,
        has_refunded=await marketplace.has_refunded(session, purchase.org_id, purchase.agent_id),
        window=window,
        now=now,
    )
    await refuse_recovered(session, purchase)
