"""Log entries, events and alerts about a purchase order."""

from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from domain.budgets.economics import PurchaseEntry, PurchaseFact
from domain.budgets.purchase_order import DecidingWindow, DecisionCode, LiftedLimit, PurchaseOrderStatus
from domain.common.calendar import Window
from domain.common.ids import uuid_id
from domain.common.money import CREDIT, format_amount, scale_of
from domain.common.text import rfc3339
from domain.credits.spend.control import Pool
from domain.insight.metrics import decimal_text
from domain.messages.events.purchase_order import purchase_order_event
from ledger.spends import ControlRefusal, RefusalReason, Spender
from models.budgets.purchase_order import PurchaseOrder
from repositories.budgets import purchase_entry
from repositories.budgets.remaining import PoolRemaining, Remaining, remaining
from repositories.credits import lot_price
from repositories.credits.lot_price import LotPrice
from repositories.messages import alert, event
from repositories.tenants import name
from services.budgets import pool_alerts

#: The kind of the alert that asks for approval. Subject: the order.
APPROVAL_WAITING = "approval_waiting"


def spender_of(order: PurchaseOrder) -> Spender:
    """Return the spender of an order."""
    return Spender(
        agent_id=order.agent_id,
        department_id=order.department_id,
        project_id=order.project_id,
        key_id=order.key_id,
        principal=order.principal,
    )


def lifts_of(stored: list[dict[str, Any]]) -> tuple[LiftedLimit, ...]:
    """Parse the lifted windows of a row."""
    return tuple(LiftedLimit(budget_id=each["budget_id"], window=Window(each["window"])) for each in stored)


def stored_lifts(lifts: tuple[LiftedLimit, ...]) -> list[dict[str, Any]]:
    """Return the JSON of lifted windows."""
    return [{"budget_id": lift.budget_id, "window": lift.window.value} for lift in lifts]


async def remaining_of(session: AsyncSession, order: PurchaseOrder, *, at: datetime) -> Remaining:
    """Return the remaining budgets above an order."""
    return await remaining(session, order.org_id, spender_of(order), at=at)


async def refusing_window(session: AsyncSession, refusal: ControlRefusal, org_id: str) -> DecidingWindow:
    """Return the budget window of a refusal. Limits of uses are counts."""
    return DecidingWindow(
        budget_id=uuid_id("ctl", refusal.control_id),
        subject=await _subject(session, refusal.subject_kind, refusal.subject_id, org_id),
        currency=refusal.asset,
        window=None if refusal.window is None else Window(refusal.window),
        limit_minor=refusal.limit,
        remaining_minor=refusal.remaining,
        resets_at=refusal.resets_at,
    )


async def tightest_window_of(session: AsyncSession, budget: PoolRemaining | None, org_id: str) -> DecidingWindow | None:
    """Return the tightest window of a budget."""
    if budget is None:
        return None
    return DecidingWindow(
        budget_id=uuid_id("ctl", budget.control_id),
        subject=await _subject(session, budget.subject_kind, budget.subject_id, org_id),
        currency=budget.asset,
        window=budget.window,
        limit_minor=budget.amount_minor,
        remaining_minor=budget.remaining_minor,
        resets_at=budget.resets_at,
    )


async def _subject(session: AsyncSession, kind: str, subject_id: str, org_id: str) -> str:
    named = await name.names_of(session, [subject_id], org_id)
    return f"{kind} {named[subject_id]}" if subject_id in named else f"the {kind}"


async def price_of(session: AsyncSession, order: PurchaseOrder, *, at: datetime) -> LotPrice | None:
    """Return the purchased credits that a card payment of an order would take now; None without an exchange rate."""
    return await lot_price.for_cost(session, order.org_id, Decimal(order.amount_minor), order.currency, at=at)


def decision_json(
    code: DecisionCode,
    sentence: str,
    binding: DecidingWindow | None = None,
    reason: RefusalReason | None = None,
    price: LotPrice | None = None,
) -> dict[str, Any]:
    """Return the JSON of a decision; amounts are in minor units of its `currency`.

    It includes the price of a credit at which a budget in credits counts the order.
    """
    counts_uses = reason is RefusalReason.USES
    stored: dict[str, Any] = {"code": code.value, "sentence": sentence}
    if binding is None:
        return stored
    if price is not None and binding.currency == CREDIT != price.asset:
        amount = _each(price)
        stored["sentence"] = f"{sentence} Each credit counts as {amount} {price.asset}."
        stored["priced_at"] = {"amount": amount, "currency": price.asset}
    return stored | {
        "budget_id": binding.budget_id,
        "window": None if binding.window is None else binding.window.value,
        "currency": binding.currency,
        "remaining_minor": None if counts_uses else binding.remaining_minor,
        "resets_at": None if binding.resets_at is None else rfc3339(binding.resets_at),
    }


def _each(price: LotPrice) -> str:
    """Format the price of a credit, with at least the currency's decimals."""
    scale = scale_of(price.asset)
    exact = Decimal(decimal_text(price.price * Fraction(10) ** (scale_of(CREDIT) - scale), 9))
    return f"{exact:.{max(scale, -int(exact.as_tuple().exponent))}f}"


async def log_fact(
    session: AsyncSession,
    order: PurchaseOrder,
    what: PurchaseFact,
    *,
    at: datetime,
    status: str | None = None,
    amount_minor: int | None = None,
    method: str | None = None,
    reason: str | None = None,
    after: Remaining | None = None,
    instead: bool = False,
) -> None:
    """Write a fact into the log, with the remaining budgets after it; the order's changes are already written.

    `status` is the result, by default the order's; `amount_minor` is by default the order's, and `method` the preferred
    one. `after` has the remaining budgets if the caller has read them. With `instead` the entry has the alternative
    action of an abandoned order, and for its declined attempt the remaining budgets of that time.
    """
    order.updated_at = at
    await session.flush()
    after = await remaining_of(session, order, at=at) if after is None else after
    preferred = order.methods[0]["method"] if order.methods else None
    entry = PurchaseEntry(
        org_id=order.org_id,
        order_id=order.id,
        agent_id=order.agent_id,
        project_id=order.project_id,
        transaction_type=what,
        item=order.item,
        amount_minor=order.amount_minor if amount_minor is None else amount_minor,
        currency=order.currency,
        status=status or order.status,
        at=at,
        payment_method=method or preferred,
        reason=reason,
        alternative_action=order.alternative_action if instead else None,
        budget_remaining=order.budget_remaining if instead and what is PurchaseFact.ATTEMPT else after.document(),
    )
    await purchase_entry.record(session, entry)


async def record_status_event(session: AsyncSession, order: PurchaseOrder, *, at: datetime) -> None:
    """Record the event of an order's new status."""
    of = order.decision
    reached = purchase_order_event(
        org_id=order.org_id,
        order_id=order.id,
        agent_id=order.agent_id,
        project_id=order.project_id,
        status=PurchaseOrderStatus(order.status),
        amount_minor=order.amount_minor,
        currency=order.currency,
        code=DecisionCode(of["code"]),
        budget_id=of.get("budget_id"),
        window=of.get("window"),
        at=at,
    )
    await event.record(session, [reached])


def format_order_amount(order: PurchaseOrder, amount_minor: int | None = None) -> str:
    """Format an amount of an order, by default its own, with the currency."""
    minor = order.amount_minor if amount_minor is None else amount_minor
    return f"{format_amount(minor, order.currency)} {order.currency}"


async def alert_approvers(session: AsyncSession, order: PurchaseOrder) -> None:
    """Raise the alert that asks approvers of the organization."""
    assert order.answer_by is not None
    who = "One person has" if order.persons == 1 else "Two persons have"
    await alert.raise_alert(
        session,
        kind=APPROVAL_WAITING,
        subject=order.id,
        detail=f"An agent wants to buy for {format_order_amount(order)}. {who} to answer before "
        f"{order.answer_by:%Y-%m-%d %H:%M} UTC; after that the purchase is declined.",
        org_id=order.org_id,
        shared=True,
        for_operators=False,
    )


async def resolve_approval_alert(session: AsyncSession, order: PurchaseOrder) -> None:
    """Resolve the alert that asks for an approval."""
    await alert.close_cases(session, order.id, [APPROVAL_WAITING])


async def alert_forced_charge(session: AsyncSession, order: PurchaseOrder, number: int, amount_minor: int) -> None:
    """Raise an alert about a charge beyond the hold."""
    await alert.raise_alert(
        session,
        kind="forced_spend",
        subject=order.id,
        detail=f"{format_order_amount(order, amount_minor)} were charged beyond what was held for a purchase. The "
        "amount counts in the budgets above the agent, also where it does not fit.",
        org_id=order.org_id,
        key=f"forced_spend:{order.id}:{number}",
        shared=True,
        for_operators=False,
    )


async def alert_draw(session: AsyncSession, order: PurchaseOrder, number: int, pool: str, *, at: datetime) -> None:
    """Raise an alert about a draw from the emergency pool, or about a low reserve."""
    if pool == Pool.EMERGENCY.value:
        subject = order.id if number == 0 else f"{order.id}:{number}"
        await pool_alerts.alert_emergency_draw(
            session, order.org_id, subject, f"A purchase for {format_order_amount(order)}"
        )
    if pool != Pool.RESERVE.value:
        return
    for each in (await remaining_of(session, order, at=at)).budgets:
        low = each.remaining_minor * 100 <= each.amount_minor * pool_alerts.LOW_PERCENT
        if each.pool is Pool.RESERVE and low:
            await pool_alerts.alert_reserve_low(
                session,
                order.org_id,
                each.control_id,
                each.asset,
                each.amount_minor,
                each.remaining_minor,
                each.resets_at,
            )
