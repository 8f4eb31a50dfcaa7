"""Renews monthly purchases of agents. Each month is a purchase of its own, at the price and share of the first."""

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.errors import MarketplaceNotRenewing, OrganizationClosed, OrganizationSuspended
from domain.common.ids import renewal_command_id
from domain.common.mail import MailKind
from domain.common.money import format_amount
from domain.credits.lots import Sharing
from domain.marketplace.offer import Offer, OfferModel, OfferStatus
from domain.marketplace.renewal import MAX_TRIES, RETRY_INTERVAL, is_missed, is_over
from domain.marketplace.sale import PurchaseStatus
from domain.payments.payment.state import AWAITING, Fulfilment, PaymentStatus
from domain.payments.payment.terms import PaymentTerms
from ledger.spends import Spender
from models.marketplace.marketplace import MarketplacePurchase
from repositories.billing import billing_terms
from repositories.books import debt
from repositories.credits import spend as spends
from repositories.marketplace import marketplace
from repositories.payments import payment, payment_command
from repositories.reputation.organization_trait import share_an_owner
from repositories.tenants import audit, organization as organizations
from services.marketplace.marketplace import effective_status, mark_renewed, new_purchase, price_spend
from services.marketplace.marketplace_sale import pay
from services.messages import mail

#: In whose name the next period is bought.
PRINCIPAL = "marketplace-renewal"
#: Payments that may still succeed without the payer, so no other one is requested meanwhile.
_PENDING = AWAITING - {PaymentStatus.REQUIRES_ACTION}


@dataclass(frozen=True, slots=True, kw_only=True)
class DueRenewal:
    """The next period of a purchase in money, and the payment of the last one."""

    purchase_id: str
    org_id: str
    offer: Offer
    creator_bps: int
    tries: int
    method: str | None
    asked: PaymentTerms | None


async def renew(
    session: AsyncSession, purchase_id: str, *, sharing: Sharing, now: datetime
) -> MarketplacePurchase | DueRenewal | None:
    """Buy the next period with credits, or return what has to be paid for it in money.

    None if it is not due, or was cancelled and ends with its period, or the credits were refused. In the last case it
    is tried again a day later, up to `MAX_TRIES` times, and a mail says so. Needs the platform's session.
    """
    seen = await marketplace.get_purchase(session, purchase_id)
    await debt.lock(session, seen.payee_org_id)
    await marketplace.lock_purchases(session, seen.org_id, seen.agent_id)
    row = await marketplace.get_purchase(session, purchase_id, lock=True)
    if row.renews_at is None and row.status == PurchaseStatus.ACTIVE.value:
        await _stop(session, row, now)
    if row.renews_at is None or row.renews_at > now:
        return None
    assert row.anchor_at is not None
    assert row.period is not None
    if is_missed(row.anchor_at, row.period, now) and not await _is_being_paid(session, row):
        await _notify(session, row)
        await _stop(session, row, now)
        return None
    listing = await marketplace.get(session, row.agent_id)
    sold = listing.offer.status == OfferStatus.LISTED.value
    if not sold or await share_an_owner(session, row.org_id, row.payee_org_id, ("*",)):
        await _stop(session, row, now)
        return None
    try:
        await organizations.refuse_stopped(session, row.org_id, row.payee_org_id)
    except (OrganizationSuspended, OrganizationClosed):
        # This does not count as a failed try: it is renewed if the organization is resumed in time.
        await (_stop if is_over(row.ends_at, now) else _later)(session, row, now)
        return None
    offer = replace(listing.as_offer(), model=OfferModel.MONTHLY, price_minor=row.price_minor, currency=row.currency)
    if row.spend_id is not None:
        return await _by_credits(session, row, offer, sharing=sharing, now=now)
    return await _by_money(session, row, offer, now)


async def _by_credits(
    session: AsyncSession, row: MarketplacePurchase, offer: Offer, *, sharing: Sharing, now: datetime
) -> MarketplacePurchase | None:
    """Charge the price under the spend controls of the agent or key that made the first purchase."""
    command_id = renewal_command_id(row.id, row.tries)
    after = new_purchase(
        offer,
        row.creator_bps,
        org_id=row.org_id,
        by=f"{row.org_id}/{PRINCIPAL}",
        command_id=command_id,
        now=now,
        before=row,
    )
    assert row.spend_id is not None
    first = await spends.of_purchase(session, row.org_id, row.spend_id)
    spender = Spender(
        agent_id=first.agent_id,
        department_id=first.department_id,
        project_id=first.project_id,
        key_id=first.key_id,
        principal=first.principal,
    )
    spend = price_spend(after, spender)
    if await pay(session, after, spend, sharing=sharing, now=now) is not None:
        await _not_paid(session, row, now)
        return None
    mark_renewed(row, now)
    await session.flush()
    session.add(after)
    await session.flush()
    return after


async def _is_being_paid(session: AsyncSession, row: MarketplacePurchase) -> bool:
    """Return whether the payment of the last try may still succeed."""
    last = await payment_command.find_terms(session, renewal_command_id(row.id, row.tries - 1)) if row.tries else None
    known = None if last is None else await payment.get(session, last.payment_id)
    if known is None:
        return False
    state = payment.state_of(known)
    return state.status in _PENDING or (state.received_minor > 0 and state.fulfilment is Fulfilment.PENDING)


async def _by_money(session: AsyncSession, row: MarketplacePurchase, offer: Offer, now: datetime) -> DueRenewal | None:
    assert row.payment_id is not None
    if row.tries:
        waits = await _is_being_paid(session, row)
        if not waits:
            await _notify(session, row)
        if waits or row.tries >= MAX_TRIES:
            await (_later(session, row, now) if waits else _stop(session, row, now))
            return None
    paid = await payment.get(session, row.payment_id)
    terms = None if paid is None else payment.state_of(paid).terms
    if terms is not None:
        offer = replace(offer, price_minor=terms.purpose.listed_minor)
    return DueRenewal(
        purchase_id=row.id,
        org_id=row.org_id,
        offer=offer,
        creator_bps=row.creator_bps,
        tries=row.tries,
        method=None if terms is None else terms.method_ref,
        asked=await payment_command.find_terms(session, renewal_command_id(row.id, row.tries)),
    )


async def record_attempt(session: AsyncSession, due: DueRenewal, *, now: datetime) -> None:
    """Record that a payment was requested, or that none could be; the next try is a day later."""
    row = await marketplace.get_purchase(session, due.purchase_id, lock=True)
    if row.renews_at is not None and row.tries == due.tries:
        row.tries += 1
        await _later(session, row, now)


async def cancel(session: AsyncSession, actor: Actor, purchase_id: str) -> MarketplacePurchase:
    """End a purchase with the period that was paid, or at once if it is priced by usage. Needs a platform session."""
    seen = await marketplace.get_purchase(session, purchase_id)
    await marketplace.lock_purchases(session, seen.org_id, seen.agent_id)
    row = await marketplace.get_purchase(session, purchase_id, lock=True)
    row.status = status_when_cancelled(row).value
    row.renews_at = None
    await session.flush()
    await audit.record(session, actor, "marketplace.cancel", row.id, {"agent_id": row.agent_id}, row.org_id)
    return row


def status_when_cancelled(row: MarketplacePurchase) -> PurchaseStatus:
    """Return the status of a purchase after it is cancelled."""
    status = effective_status(row)
    if row.model == OfferModel.USAGE.value and status is PurchaseStatus.ACTIVE:
        return PurchaseStatus.ENDED
    if row.renews_at is None:
        bought = " If its next month was bought already, cancel that purchase: GET /marketplace/library lists it."
        is_month = row.model == OfferModel.MONTHLY.value and status is PurchaseStatus.ENDED
        raise MarketplaceNotRenewing(f"This purchase does not renew.{bought if is_month else ''}")
    return status


async def _not_paid(session: AsyncSession, row: MarketplacePurchase, now: datetime) -> None:
    row.tries += 1
    await _notify(session, row)
    await (_stop(session, row, now) if row.tries >= MAX_TRIES else _later(session, row, now))


async def _later(session: AsyncSession, row: MarketplacePurchase, now: datetime) -> None:
    row.renews_at = now + RETRY_INTERVAL
    await session.flush()


async def _stop(session: AsyncSession, row: MarketplacePurchase, now: datetime) -> None:
    row.renews_at = None
    if is_over(row.ends_at, now):
        row.status = PurchaseStatus.ENDED.value
    await session.flush()


async def _notify(session: AsyncSession, row: MarketplacePurchase) -> None:
    assert row.price_minor is not None
    assert row.currency is not None
    assert row.ends_at is not None
    zone = await billing_terms.time_zone_at(session, row.org_id, row.ends_at)
    data = {
        "agent": row.agent_id,
        "amount": format_amount(row.price_minor, row.currency),
        "currency": row.currency,
        "ends_on": row.ends_at.astimezone(zone).date().isoformat(),
    }
    key = f"{renewal_command_id(row.id, row.tries)}:not_renewed"
    await mail.queue(session, key=key, org_id=row.org_id, kind=MailKind.AGENT_NOT_RENEWED, data=data)
