"""Rewards referrals, and claws the rewards back; each is one transaction."""

from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.credits import CreditPrice, GrantSource
from domain.common.errors import Invalid
from domain.common.ids import bounded, uuid_of
from domain.common.money import CREDIT, format_amount
from domain.credits.lots import LotTerms
from domain.marketplace.referral import CHECK_INTERVAL, ReferralFacts, ReferralStatus, Rewards, decide
from domain.payments.payment.entitlement import not_kept_minor
from ledger.gateway import Ledger, Posting
from models.marketplace.referral import Referral
from repositories.books import debt
from repositories.marketplace import referral
from repositories.messages import alert
from repositories.payments import payment
from repositories.reputation import organization_trait
from repositories.tenants import organization
from runtime.database import driver_connection
from services.credits import credit_lot

#: The actor of the grants.
ACTOR = Actor(principal="referrals", role=Role.OPERATOR)


async def record_referral(session: AsyncSession, org_id: str, referrer_org_id: str, *, now: datetime) -> None:
    """Record who referred an organization, in the transaction that creates it. Needs the platform's session.

    Raises:
        Invalid: there is no such referrer.
    """
    if not await organization.exists(session, referrer_org_id):
        raise Invalid("There is no such referring organization.", extra={"field": "referred_by"})
    session.add(
        Referral(
            org_id=org_id,
            referrer_org_id=referrer_org_id,
            status=ReferralStatus.WAITING.value,
            referrer_minor=0,
            referred_minor=0,
            created_at=now,
            next_at=now + CHECK_INTERVAL,
        )
    )
    await session.flush()
    await organization_trait.record_referral(session, org_id, referrer_org_id)


async def check_referral(
    session: AsyncSession,
    org_id: str,
    rewards: Rewards,
    price: CreditPrice,
    *,
    window: timedelta,
    exempt: tuple[str, ...],
    now: datetime,
) -> ReferralStatus | None:
    """Reward a referral, refuse it, or claw its reward back; return its new state, or None if nothing has changed.

    Args:
        session: of the platform.
        org_id: the referred organization.
        rewards: the credits that each side is granted.
        price: of a credit.
        window: how long a payment can be charged back.
        exempt: principals who register organizations for others, see
            `repositories.reputation.organization_trait.share_an_owner`.
        now: the time.
    """
    row = await referral.lock(session, org_id)
    if row is None or row.next_at is None or row.next_at > now:
        return None
    row.next_at = None
    if row.status == ReferralStatus.REWARDED.value:
        await _recheck_rewarded(session, row, now)
    elif row.status == ReferralStatus.WAITING.value:
        await _decide_waiting(session, row, rewards, price, window=window, exempt=exempt, now=now)
    await session.flush()
    return None if row.next_at is not None else ReferralStatus(row.status)


async def _decide_waiting(
    session: AsyncSession,
    row: Referral,
    rewards: Rewards,
    price: CreditPrice,
    *,
    window: timedelta,
    exempt: tuple[str, ...],
    now: datetime,
) -> None:
    paid = await referral.first_final_payment(session, row.org_id)
    both = (row.org_id, row.referrer_org_id, exempt)
    related = await organization_trait.share_an_owner(session, *both, by_word=False)
    states_same = not related and await organization_trait.share_an_owner(session, *both)
    seen = ReferralFacts(
        referred_at=row.created_at,
        paid_at=None if paid is None else paid[1],
        # A payment that can still be refunded or charged back earns no reward yet.
        earned_minor=await referral.earned_minor(session, row, price.currency, until=now - window) if paid else 0,
        owes=await referral.owes(session, row.org_id),
        disputed=await referral.is_disputed(session, row.org_id),
        related=related,
        states_same=states_same,
    )
    decision = decide(seen, rewards, price, window=window, now=now)
    if decision.rewards is not None and paid is not None:
        # A concurrent refund of the payment waits for this lock, and then claws back the reward of this referral.
        known = await payment.lock(session, paid[0])
        if known is None or not_kept_minor(known.payment):
            row.next_at = now + CHECK_INTERVAL
            return
        given, sides = decision.rewards, (row.referrer_org_id, row.org_id)
        ledger = Ledger(await driver_connection(session))
        wallets = [accounts.org_credits(org_id) for org_id in sides]
        await ledger.lock_balances([*wallets, accounts.platform("promotions", CREDIT)])
        # Closing an organization locks its credits first, so the state that is read here cannot change.
        if any([await organization.is_closed(session, org_id) for org_id in sides]):
            row.status, row.reason, row.decided_at = ReferralStatus.REFUSED.value, "closed", now
            return
        row.status, row.payment_id, row.decided_at = ReferralStatus.REWARDED.value, paid[0], now
        row.referrer_minor, row.referrer_lot = (
            given.referrer_minor,
            await _grant(session, row, row.referrer_org_id, given.referrer_minor, now),
        )
        row.referred_minor, row.referred_lot = (
            given.referred_minor,
            await _grant(session, row, row.org_id, given.referred_minor, now),
        )
    elif decision.refused is not None:
        row.status, row.reason, row.decided_at = ReferralStatus.REFUSED.value, decision.refused, now
    else:
        row.next_at = now + CHECK_INTERVAL


async def _grant(session: AsyncSession, row: Referral, org_id: str, amount_minor: int, now: datetime) -> str | None:
    if not amount_minor:
        return None
    lot = await credit_lot.grant(
        session,
        ACTOR,
        org_id=org_id,
        amount_minor=amount_minor,
        source=GrantSource.REWARD,
        expires_at=None,
        note=f"Referral of {row.org_id}",
        command_id=bounded(f"referral:{row.org_id}:{org_id}"),
        now=now,
    )
    return lot.id


async def _recheck_rewarded(session: AsyncSession, row: Referral, now: datetime) -> None:
    """Claw both rewards back once a part of the payment was refunded or lost; check again while it is disputed."""
    assert row.payment_id is not None
    paid = await referral.payment_of(session, row.payment_id)
    if not not_kept_minor(paid):
        return
    if paid.refunded_minor == paid.reversed_minor == 0 and any(each.is_open for each in paid.disputes):
        row.next_at = now + CHECK_INTERVAL
        return
    row.status, row.reason, row.taken_back_at = ReferralStatus.TAKEN_BACK.value, "payment_gone", now
    sides = (
        (row.referrer_org_id, row.referrer_lot, row.referrer_minor),
        (row.org_id, row.referred_lot, row.referred_minor),
    )
    parts = [(org_id, lot, amount) for org_id, lot, amount in sorted(sides) if lot is not None]
    for org_id, _, _ in parts:
        await debt.lock(session, org_id)
    ledger = Ledger(await driver_connection(session))
    promotions = accounts.platform("promotions", CREDIT)
    debts = [accounts.org_debt(org_id, CREDIT) for org_id, _, _ in parts]
    await ledger.lock_balances([*(accounts.org_credits(org_id) for org_id, _, _ in parts), promotions], if_open=debts)
    for org_id, lot, amount in parts:
        free = await referral.free_in_lot(session, org_id, uuid_of(lot), amount)
        terms = LotTerms(slices=((uuid_of(lot), free),), is_reversal=True)
        postings = [
            Posting(accounts.org_credits(org_id), promotions, free, terms),
            # The part that was spent becomes a debt, which the next incoming credits pay.
            Posting(accounts.org_debt(org_id, CREDIT), promotions, amount - free),
        ]
        await ledger.post_compound(
            key=bounded(f"referral:{row.org_id}:{org_id}:taken_back"),
            kind="referral.taken_back",
            postings=[posting for posting in postings if posting.amount_minor],
            reference=row.org_id,
            org_id=org_id,
            effective_at=now,
        )
        owes = "" if free == amount else f" {format_amount(amount - free, CREDIT)} of them were used and are owed."
        await alert.raise_alert(
            session,
            kind="referral.taken_back",
            subject=org_id,
            detail=f"{format_amount(amount, CREDIT)} credits for the referral of {row.org_id} were clawed back, "
            f"because its payment was refunded or charged back.{owes}",
            org_id=org_id,
            key=f"referral.taken_back:{row.org_id}:{org_id}",
            shared=True,
        )
