"""Decisions on authorization requests: each is one transaction, which holds the credits or records a decline."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from domain.budgets.purchase_order import AttemptStatus, PurchaseOrderStatus
from domain.cards.card import CardStatus, issues_to
from domain.cards.card_authorization import CARD_PAYMENT, CardAnswer
from domain.common.ids import card_hold_key, uuid_id
from ledger.spending import RESERVATION_TERM, Spending
from ledger.spends import MoneyCost, NewSpend, Spender, SpendOutcome, SpendResult
from models.budgets.purchase_order import PurchaseOrder
from models.cards.card import Card
from models.cards.card_authorization import CardAuthorization, CardSpend
from models.marketplace.agent import Agent
from providers.cards.base import AuthorizationQuestion, AuthorizationRequest, Merchant
from repositories.budgets import purchase_order as orders
from repositories.cards import card as cards, card_authorization as authorizations
from repositories.credits import lot_price
from repositories.marketplace import agent as agents
from runtime.database import driver_connection
from runtime.identity import new_id
from services.budgets import purchase_payment

#: Principal of spends for cards.
PRINCIPAL = "cards"
_OUTCOMES = {
    SpendOutcome.RESERVED: CardAnswer.APPROVED,
    SpendOutcome.REFUSED: CardAnswer.SPEND_LIMIT,
    SpendOutcome.INSUFFICIENT: CardAnswer.FUNDS,
}


async def decide(session: AsyncSession, question: AuthorizationQuestion, issuing: str | None, *, now: datetime) -> bool:
    """Approve and hold an amount, or decline it; a repeated request gets the same decision.

    An unknown card is declined without a record. Needs a platform session with no other work in its transaction.

    Args:
        session: of the platform.
        question: the issuer's request.
        issuing: the organizations whose cards may pay, see `domain.cards.card.issues_to`.
        now: the time.
    """
    card = await cards.lock_by_ref(session, question.card_ref)
    if card is None:
        return False
    row = await authorizations.find(session, question.authorization_ref)
    if row is None:
        row = new_authorization(card, question.authorization_ref, question.merchant, at=question.created_at)
        session.add(row)
    number = question.number
    if number < len(row.requests):
        return bool(row.requests[number]["approved"])
    answer, spent = CardAnswer.CARD_INACTIVE, None
    if issues_to(issuing, card.org_id):
        answer, spent = await _judge(session, card, row, question, now)
    spend_id = None if spent is None else spent.spend_id
    missed = [_request(0, CardAnswer.NOT_TAKEN, None, now) for _ in range(number - len(row.requests))]
    row.requests = [*row.requests, *missed, _request(question.amount_minor, answer, spend_id, now)]
    if answer is CardAnswer.APPROVED:
        row.amount_minor += question.amount_minor
        row.status = "pending"
    await session.flush()
    if spent is not None and spent.spend_id is not None:
        session.add(
            CardSpend(
                spend_id=spent.spend_id,
                org_id=card.org_id,
                card_id=card.id,
                authorization_id=row.id,
                is_forced=False,
                amount_minor=question.amount_minor,
                credits=spent.amount_minor,
            )
        )
    return answer is CardAnswer.APPROVED


async def void(session: AsyncSession, authorization_ref: str, number: int, card_ref: str, *, now: datetime) -> None:
    """Release the hold of a request whose approval did not reach the issuer. Idempotent."""
    if await cards.lock_by_ref(session, card_ref) is None:
        return
    row = await authorizations.find(session, authorization_ref)
    if row is not None:
        await release_unaccepted(session, row, [number], now=now)


async def note_declined(
    session: AsyncSession, row: CardAuthorization, requests: Sequence[AuthorizationRequest], *, now: datetime
) -> None:
    """Release holds of requests that the issuer declined, and record those not known here.

    The caller holds the locks of the card, the holds and the balances.
    """
    for each in requests[len(row.requests) :]:
        if each.approved:
            break
        row.requests = [*row.requests, _request(each.amount_minor, CardAnswer.NOT_TAKEN, None, now)]
    await release_unaccepted(
        session, row, [number for number, each in enumerate(requests) if not each.approved], now=now
    )


async def release_unaccepted(
    session: AsyncSession, row: CardAuthorization, numbers: Sequence[int], *, now: datetime
) -> None:
    """Release the holds of requests that the issuer has not accepted; the caller holds the lock of the card."""
    requests = [dict(each) for each in row.requests]
    chosen = [requests[number] for number in numbers if number < len(requests) and requests[number]["approved"]]
    for each in chosen:
        each |= {"approved": False, "reason": CardAnswer.NOT_TAKEN.value}
        row.amount_minor -= each["amount_minor"]
    if chosen:
        row.requests = requests
        if not any(each["approved"] for each in requests):
            row.status = "declined"
        await session.flush()
        await release(session, row, {each["spend_id"] for each in chosen}, now=now)


async def release(session: AsyncSession, row: CardAuthorization, spend_ids: set[str] | None, *, now: datetime) -> None:
    """Release the open holds of an authorization, or some of them; the caller holds the lock of the card."""
    spends = [each.spend_id for each in await authorizations.spends(session, [row.id])]
    spending = Spending(await driver_connection(session), row.org_id)
    open_ones = await open_spends(session, spending, row.org_id, spends)
    for spend_id in spends:
        if spend_id in open_ones and (spend_ids is None or uuid_id("spd", spend_id) in spend_ids):
            await spending.release(key=card_hold_key(row.ref, "release", str(spend_id)), spend_id=spend_id, at=now)


async def open_spends(
    session: AsyncSession, spending: Spending, org_id: str, spend_ids: Sequence[UUID], *, after: datetime | None = None
) -> set[UUID]:
    """Lock spends and return the ids of those with an open hold; with `after`, one expiring later."""
    for spend_id in spend_ids:
        await spending.lock_reservation(spend_id)
    found = await authorizations.in_ledger(session, org_id, spend_ids)
    return {
        each.id
        for each in found.values()
        if each.status == "reserved" and (after is None or (each.held_until or after) > after)
    }


def new_authorization(
    card: Card, ref: str, merchant: Merchant, *, at: datetime, status: str = "declined"
) -> CardAuthorization:
    """Return the row of an authorization without requests, which is declined until one is approved."""
    return CardAuthorization(
        id=new_id(authorizations.PREFIX),
        org_id=card.org_id,
        card_id=card.id,
        ref=ref,
        status=status,
        amount_minor=0,
        currency=card.currency,
        merchant=merchant_of(merchant),
        requests=[],
        created_at=at,
    )


def merchant_of(merchant: Merchant) -> dict[str, str | None]:
    """Return a merchant as stored JSON."""
    return {"name": merchant.name, "category": merchant.category, "country": merchant.country, "city": merchant.city}


def spend_of(card: Card, agent: Agent, row: CardAuthorization, key: str, amount_minor: int) -> NewSpend:
    """Return a spend for a card: by its agent, for the agent's department and project, paid with credits."""
    return NewSpend(
        key=key,
        action=CARD_PAYMENT,
        amount_minor=0,
        spender=Spender(
            agent_id=agent.id, department_id=agent.department_id, project_id=agent.project_id, principal=PRINCIPAL
        ),
        metadata={"card_id": card.id, "authorization_id": row.id, "merchant": row.merchant["name"]},
        # Granted credits were not paid for, and a card pays merchants with the platform's money.
        paid_only=True,
        cost=MoneyCost(minor=Decimal(amount_minor), asset=card.currency),
    )


async def _judge(
    session: AsyncSession, card: Card, row: CardAuthorization, question: AuthorizationQuestion, now: datetime
) -> tuple[CardAnswer, SpendResult | None]:
    agent = await agents.get(session, card.agent_id)
    refused = _refused(card, agent, question)
    if refused is not None:
        return refused, None
    order = None if card.order_id is None else await orders.get(session, card.order_id, lock=True)
    adds = question.is_incremental and row.status == "pending" and row.amount_minor > 0
    if order is not None and not adds and not await _can_pay(session, card, order):
        return CardAnswer.ORDER_ENDED, None
    is_new_order = order is not None and order.status == PurchaseOrderStatus.APPROVED
    if question.amount_minor == 0:
        return CardAnswer.APPROVED, None
    spend = spend_of(card, agent, row, card_hold_key(row.ref, "hold", str(question.number)), question.amount_minor)
    async with session.begin_nested() as savepoint:
        if order is not None and is_new_order:
            # Its amount counts in the budgets from now on as what the card holds, and these have allowed it.
            await purchase_payment.close_paid_by_card(session, order, now=now)
            lifted = await orders.released_windows(session, order.id, at=now)
            spend = replace(spend, lifted=lifted, is_approved=True)
        spent = await Spending(await driver_connection(session), card.org_id).authorize(
            spend, expires_at=now + RESERVATION_TERM, at=now
        )
        answer = _OUTCOMES.get(spent.outcome, CardAnswer.STOPPED)
        if answer is CardAnswer.FUNDS and await _has_no_rate(session, card, question, now):
            answer = CardAnswer.NO_RATE
        if answer is not CardAnswer.APPROVED and is_new_order:
            await savepoint.rollback()
    return answer, spent if answer is CardAnswer.APPROVED else None


async def _has_no_rate(session: AsyncSession, card: Card, question: AuthorizationQuestion, now: datetime) -> bool:
    cost = Decimal(question.amount_minor)
    return await lot_price.for_cost(session, card.org_id, cost, card.currency, at=now) is None


async def _can_pay(session: AsyncSession, card: Card, order: PurchaseOrder) -> bool:
    """Return whether the order of a card is unpaid: no open or successful attempt, and no payment by the card.

    The first hold marks the order as purchased, even if the hold captures nothing; the card may then pay again.
    """
    if order.status not in {PurchaseOrderStatus.APPROVED, PurchaseOrderStatus.PURCHASED}:
        return False
    attempts = await orders.attempts(session, [order.id])
    if any(each.status != AttemptStatus.DECLINED for each in attempts):
        return False
    return not await authorizations.has_paid(session, card.id)


def _refused(card: Card, agent: Agent, question: AuthorizationQuestion) -> CardAnswer | None:
    if card.status != CardStatus.ACTIVE:
        return CardAnswer.CARD_INACTIVE
    if agent.retired_at is not None:
        return CardAnswer.AGENT_RETIRED
    if question.currency != card.currency:
        return CardAnswer.OTHER_CURRENCY
    limit = card.per_authorization_minor
    if limit is not None and question.authorized_minor + question.amount_minor > limit:
        return CardAnswer.CARD_LIMIT
    return None


def _request(amount_minor: int, answer: CardAnswer, spend_id: UUID | None, now: datetime) -> dict[str, object]:
    return {
        "amount_minor": amount_minor,
        "approved": answer is CardAnswer.APPROVED,
        "reason": answer.value,
        "spend_id": None if spend_id is None else uuid_id("spd", spend_id),
        "at": now.isoformat(),
    }
