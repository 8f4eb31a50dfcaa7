"""Proposing a purchase: it is judged, counted and decided in one transaction."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.budgets.economics import PurchaseFact
from domain.budgets.policy import (
    NO_CREDITS,
    Alternative,
    Method,
    MethodKind,
    Policy,
    PolicyResult,
    PolicyVerdict,
    RequestedPurchase,
    apply_policy,
)
from domain.budgets.purchase_order import (
    DecisionCode,
    PurchaseOnLimit,
    PurchaseOrderStatus,
    Term,
    sentence_of_approval,
    sentence_of_refusal,
    sentence_of_waiting,
)
from domain.budgets.purchase_rules import PurchaseRules
from domain.cards.card import issues_to
from domain.common.errors import RateUnavailable, Unavailable
from domain.tenants.metadata import OwnMetadata
from domain.tenants.organization import OrganizationStatus, stopped_error
from ledger.purchases import NewPurchase, Purchases
from ledger.spends import ControlRefusal, OnLimit, Pool, RefusalReason, Spender, SpendOutcome, SpendResult
from models.budgets.purchase_order import PurchaseOrder
from repositories.budgets import purchase_order as orders
from repositories.common import command
from repositories.credits.lot_price import LotPrice
from repositories.tenants import metadata, organization as organizations
from runtime.database import driver_connection
from runtime.identity import new_id
from services.budgets import policy as policies, purchase_record as records
from services.credits.spend import pool_closed

_ASKED = ("org_id", "agent_id", "item", "vendor", "category", "amount_minor", "currency", "term", "pool", "on_limit")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What an agent asks to buy.

    Attributes:
        spender: who buys, and for what; it names the agent and the principal.
        session_id: of the request, if a link opened it.
        why: what it is for.
        asks: whether a person has to approve it whatever the policy says.
    """

    org_id: str
    spender: Spender
    session_id: str | None
    item: str
    vendor: str
    category: str
    why: str
    amount_minor: int
    currency: str
    term: Term | None = None
    alternatives: Sequence[Alternative] = ()
    pool: Pool = Pool.OPERATING
    on_limit: PurchaseOnLimit = PurchaseOnLimit.REFUSE
    asks: bool = False
    own: OwnMetadata = field(default_factory=OwnMetadata)


async def propose(
    session: AsyncSession, proposal: Proposal, *, command_id: str, rules: PurchaseRules, now: datetime
) -> PurchaseOrder:
    """Decide on a purchase, or return the order that the command made. Needs the platform's session.

    Args:
        session: one transaction: the policy's verdict, the count in the budgets, the order, its log and its event.
        proposal: what is to be bought.
        command_id: of the request.
        rules: what is set for purchase orders.
        now: the time.
    """
    order = _new(proposal, command_id, now)
    await command.lock_command(session, command_id)
    made = await command.existing_row(session, order, _ASKED)
    if made is not None:
        return made
    await organizations.refuse_stopped(session, proposal.org_id)
    await metadata.add(session, order.id, order.org_id, proposal.own, command_id)
    policy = await policies.policy_for(session, order.org_id, agent_id=order.agent_id, project_id=order.project_id)
    judged = await _judged(session, order, proposal, policy, now)
    price = await records.price_of(session, order, at=now)
    spent = await _decide(session, order, policy, judged, price, asks=proposal.asks, rules=rules, now=now)
    order.methods = shown_methods(
        await policies.methods_of(
            session,
            order.org_id,
            policy,
            amount_minor=order.amount_minor,
            currency=order.currency,
            issued=_card(order, rules, price),
        )
    )
    after = await records.remaining_of(session, order, at=now)
    order.budget_remaining = after.document()
    session.add(order)
    await records.log_fact(session, order, PurchaseFact.REQUEST, at=now, after=after)
    await records.record_status_event(session, order, at=now)
    if order.status == PurchaseOrderStatus.NEEDS_APPROVAL:
        await records.alert_approvers(session, order)
    if spent is not None:
        await records.alert_draw(session, order, 0, spent.pool.value, at=now)
    return order


def _card(order: PurchaseOrder, rules: PurchaseRules, price: LotPrice | None) -> Method | None:
    """Return the card that could be issued for an order, available if credits that were paid for pay its amount."""
    if not issues_to(rules.issuing, order.org_id) or order.term is not None or order.pool != Pool.OPERATING:
        return None
    label, kind = "Card of this purchase", MethodKind.CARD
    if price is None or not price.is_covered:
        return Method(name="card", label=label, kind=kind, why_not=NO_CREDITS)
    return Method(name="card", label=label, kind=kind, available=True, why_not=None, fee_minor=0)


def shown_methods(methods: Sequence[Method]) -> list[dict[str, object]]:
    """Return methods as an order keeps and shows them."""
    return [
        {"method": each.name, "label": each.label, "available": each.available, "why_not": each.why_not}
        for each in methods
    ]


def purchase_of(order: PurchaseOrder, **differing: object) -> NewPurchase:
    """Return what an order counts in the ledger."""
    counted = {
        "order_id": order.id,
        "number": 0,
        "asset": order.currency,
        "amount_minor": order.amount_minor,
        "spender": records.spender_of(order),
        "pool": Pool(order.pool),
    }
    return NewPurchase(**(counted | differing))  # type: ignore[arg-type]


def budget_refusal(spent: SpendResult) -> ControlRefusal | None:
    """Return the budget's refusal of a purchase; None if it was counted."""
    match spent.outcome:
        case SpendOutcome.SUSPENDED | SpendOutcome.CLOSED:
            refusal = stopped_error(OrganizationStatus(spent.outcome.value))
            assert refusal is not None
            raise refusal
        case SpendOutcome.POOL_CLOSED:
            raise pool_closed(spent.pool)
        case SpendOutcome.REFUSED:
            assert spent.refusal is not None
            if spent.refusal.reason is RefusalReason.RATE:
                raise no_rate_refusal()
            return spent.refusal
    return None


def no_rate_refusal() -> Unavailable:
    """Return the refusal of an amount without a recent rate to the currency of a budget or a policy."""
    return RateUnavailable(
        "There is no recent exchange rate to the currency of a budget or a policy, so nothing was decided. Try again "
        "when there is one."
    )


def _new(proposal: Proposal, command_id: str, now: datetime) -> PurchaseOrder:
    spender = proposal.spender
    assert spender.agent_id is not None
    assert spender.principal is not None
    return PurchaseOrder(
        id=new_id(orders.PREFIX),
        org_id=proposal.org_id,
        agent_id=spender.agent_id,
        department_id=spender.department_id,
        project_id=spender.project_id,
        key_id=spender.key_id,
        session_id=proposal.session_id,
        principal=spender.principal,
        command_id=command_id,
        item=proposal.item,
        vendor=proposal.vendor,
        category=proposal.category,
        why=proposal.why,
        amount_minor=proposal.amount_minor,
        currency=proposal.currency,
        term=None if proposal.term is None else proposal.term.value,
        alternatives=[asdict(each) for each in proposal.alternatives],
        pool=proposal.pool.value,
        on_limit=proposal.on_limit.value,
        lifts=[],
        persons=0,
        counts=0,
        spent_minor=0,
        refunded_minor=0,
        created_at=now,
        updated_at=now,
    )


async def _judged(
    session: AsyncSession, order: PurchaseOrder, proposal: Proposal, policy: Policy, now: datetime
) -> PolicyResult:
    amount_minor = order.amount_minor
    if policy.has_amounts and policy.currency != order.currency:
        worth = await orders.worth_in(session, order, policy.currency, at=now)
        if worth is None:
            raise no_rate_refusal()
        amount_minor = worth
    wanted = RequestedPurchase(
        item=order.item,
        vendor=order.vendor,
        category=order.category,
        amount_minor=order.amount_minor,
        currency=order.currency,
        alternatives=tuple(proposal.alternatives),
    )
    known = await policies.options_for(session, order.org_id, order.category, at=now)
    return apply_policy(policy, wanted, amount_minor_in_policy_currency=amount_minor, known=known)


async def _decide(
    session: AsyncSession,
    order: PurchaseOrder,
    policy: Policy,
    judged: PolicyResult,
    price: LotPrice | None,
    *,
    asks: bool,
    rules: PurchaseRules,
    now: datetime,
) -> SpendResult | None:
    """Give an order its first status; returns what the budgets counted."""
    answer_by = now + policy.answer_within

    def wait(code: DecisionCode, why: str, persons: int) -> None:
        order.status, order.persons, order.answer_by = PurchaseOrderStatus.NEEDS_APPROVAL.value, persons, answer_by
        order.decision = records.decision_json(code, sentence_of_waiting(why, persons, answer_by))

    match judged.verdict:
        case PolicyVerdict.DECLINED_POLICY:
            order.status = PurchaseOrderStatus.DECLINED_POLICY.value
            order.decision = records.decision_json(DecisionCode.POLICY, judged.sentence)
            return None
        case PolicyVerdict.NEEDS_ALTERNATIVES:
            order.status = PurchaseOrderStatus.NEEDS_ALTERNATIVES.value
            order.decision = records.decision_json(DecisionCode.NEEDS_ALTERNATIVES, judged.sentence)
            return None
        case PolicyVerdict.NEEDS_APPROVAL:
            wait(DecisionCode.APPROVAL_REQUIRED, "The policy asks for it.", judged.persons)
            return None
    if asks:
        wait(DecisionCode.APPROVAL_REQUIRED, "Advice proposed it.", 1)
        return None
    if not await orders.has_budget(session, order, at=now):
        wait(DecisionCode.NO_BUDGET, "No budget counts what this agent spends.", 1)
        return None
    on_limit = OnLimit.RESERVE if order.on_limit == PurchaseOnLimit.RESERVE else OnLimit.REFUSE
    spent = await Purchases(await driver_connection(session), order.org_id).authorize(
        purchase_of(order, on_limit=on_limit, margin=rules.margin), at=now
    )
    refusal = budget_refusal(spent)
    if refusal is None:
        order.pool = spent.pool.value
        await mark_approved(session, order, DecisionCode.APPROVED, price, until=now + rules.hold, now=now)
        return spent
    binding = await records.refusing_window(session, refusal, order.org_id)
    sentence = sentence_of_refusal(refusal.reason.value, binding)
    if order.on_limit == PurchaseOnLimit.ASK:
        wait(DecisionCode.OVER_BUDGET, sentence, 1)
        sentence = order.decision["sentence"]
    else:
        order.status = PurchaseOrderStatus.DECLINED_OVER_BUDGET.value
    order.decision = records.decision_json(DecisionCode.OVER_BUDGET, sentence, binding, refusal.reason, price)
    return None


async def mark_approved(
    session: AsyncSession,
    order: PurchaseOrder,
    code: DecisionCode,
    price: LotPrice | None,
    *,
    until: datetime,
    now: datetime,
) -> None:
    """Give an order whose amount was counted the status `approved`, and say what is left of the budget that binds."""
    order.status, order.held_until, order.answer_by = PurchaseOrderStatus.APPROVED.value, until, None
    binding = await records.tightest_window_of(
        session, (await records.remaining_of(session, order, at=now)).binding, order.org_id
    )
    sentence = sentence_of_approval(order.amount_minor, order.currency, binding)
    order.decision = records.decision_json(code, sentence, binding, price=price)
