"""Takes advice: makes the purchase order or the change of a payment policy that it proposes, for people to approve."""

from datetime import date, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from domain.budgets.policy import Alternative, Policy, PolicyScope
from domain.budgets.purchase_order import PurchaseOrderStatus
from domain.budgets.purchase_rules import PurchaseRules
from domain.common.access import Actor, refuse_by_link
from domain.common.errors import InsightOrderRefused, InsightTakenElsewhere, NotFound
from domain.credits.spend.scope import RequestedScope, SpendingKey, scope_of
from domain.insight.advice.insight import Insight
from domain.insight.advice.proposal import OrderProposal, PolicyProposal
from domain.messages.alert.kinds import POLICY_WAITING
from ledger.spends import Spender
from models.insight.insight_take import InsightTake
from repositories.budgets import payment_policy as policies
from repositories.common.command import lock_command
from repositories.credits import department as departments
from repositories.insight import insight_take as store
from repositories.messages import alert
from repositories.tenants import audit
from services.budgets import policy as setting, purchase_order

NOT_TAKEN = "Nobody has taken this advice for a payment policy."


async def apply_advice(
    session: AsyncSession,
    actor: Actor,
    org_id: str,
    insight: Insight,
    month: date,
    *,
    command_id: str,
    rules: PurchaseRules,
    now: datetime,
) -> InsightTake:
    """Propose what advice about a month says; once for each month, whoever repeats it. Nothing is bought or set by it.

    A policy that was changed since it was proposed is proposed anew.

    Args:
        session: of the platform.
        actor: the order is theirs, so somebody else has to approve it.
        org_id: the organization.
        insight: the advice.
        month: the first day of the month that it is about.
        command_id: of the request.
        rules: what is set for purchase orders.
        now: the time.
    """
    refuse_by_link(actor, "take advice")
    if insight.proposes is None:
        act = insight.act
        raise InsightTakenElsewhere(
            f"This advice is taken with {act.method} {act.path}.", extra={"method": act.method, "path": act.path}
        )
    await lock_command(session, f"insight_takes:{org_id}:{insight.id}")
    made = await store.find(session, org_id, insight.id, month)
    policy = None
    if isinstance(insight.proposes, PolicyProposal):
        policy = await _proposed(session, org_id, insight.proposes)
    if made is not None and (made.order_id is not None or made.approved_at is not None or made.policy == policy):
        return made
    if made is None:
        made = InsightTake(org_id=org_id, insight_id=insight.id, month=month)
        if isinstance(insight.proposes, OrderProposal):
            proposal = await _order(session, actor, org_id, insight.proposes)
            order = await purchase_order.propose(session, proposal, command_id=command_id, rules=rules, now=now)
            if order.status != PurchaseOrderStatus.NEEDS_APPROVAL:
                raise InsightOrderRefused(
                    "Nothing was proposed, because the payment policy lets no person decide on it. "
                    f"{order.decision['sentence']} Change the policy, or have the agent ask for the purchase."
                )
            await session.flush()
            made.order_id = order.id
        session.add(made)
    made.policy, made.taken_by, made.taken_at = policy, actor.qualified(), now
    await session.flush()
    await audit.record(session, actor, "insight.take", insight.id, {"order_id": made.order_id}, org_id)
    if isinstance(insight.proposes, PolicyProposal) and policy is not None:
        subject, of = insight.proposes.policy_id or org_id, f"{POLICY_WAITING}:{org_id}:{insight.id}:"
        key = f"{of}{month}:{policy['version']}"
        # What was proposed before is superseded.
        await alert.close_other_dates(session, subject, POLICY_WAITING, of, key)
        await alert.raise_alert(
            session,
            kind=POLICY_WAITING,
            subject=subject,
            detail=f"{actor.principal} has proposed a change by advice of {month:%Y-%m}. {insight.proposes.sentence} "
            f"Approve it with POST /analytics/insights/{insight.id}/approve.",
            org_id=org_id,
            key=key,
            shared=True,
            for_operators=False,
        )
    return made


async def approve_proposed_policy(
    session: AsyncSession, actor: Actor, org_id: str, insight_id: str, *, now: datetime
) -> InsightTake:
    """Set the payment policy that advice proposed last, of whatever month. Once: a repetition changes nothing.

    Raises:
        NotFound: nobody has taken the advice, or it proposes no policy.
    """
    refuse_by_link(actor, "approve advice")
    await lock_command(session, f"insight_takes:{org_id}:{insight_id}")
    row = await store.latest(session, org_id, insight_id)
    if row is None or row.policy is None:
        raise NotFound(NOT_TAKEN)
    if row.approved_at is not None:
        return row
    scope, subject = PolicyScope(row.policy["scope"]), row.policy["subject_id"]
    standing = await policies.of_subject(session, org_id, scope, subject)
    policy = Policy() if standing is None else policies.policy_of(standing)
    changed = PolicyProposal.kept(row.policy["change"]).of(policy)
    version = row.policy["version"]
    await setting.set_policy(session, actor, org_id, scope, subject, changed, expected_version=version, now=now)
    row.approved_by, row.approved_at = actor.qualified(), now
    await session.flush()
    # It may have been set to that already.
    await alert.close_cases(session, row.policy["change"]["policy_id"] or org_id, [POLICY_WAITING])
    await audit.record(session, actor, "insight.approve", insight_id, {}, org_id)
    return row


async def _proposed(session: AsyncSession, org_id: str, change: PolicyProposal) -> dict[str, Any]:
    scope, subject, version = PolicyScope.ORGANIZATION.value, org_id, 0
    if change.policy_id is not None:
        row = await policies.get(session, change.policy_id)
        scope, subject, version = row.scope, row.subject_id, row.version
    return {"scope": scope, "subject_id": subject, "version": version, "change": change.stored()}


async def _order(session: AsyncSession, actor: Actor, org_id: str, wanted: OrderProposal) -> purchase_order.Proposal:
    key, named = SpendingKey(key_id=actor.key_id or ""), RequestedScope(agent_id=wanted.agent_id)
    scope = scope_of(key, named, await departments.find_scope_objects(session, org_id, key, named))
    spender = Spender(
        agent_id=scope.agent_id,
        department_id=scope.department_id,
        project_id=scope.project_id,
        key_id=actor.key_id,
        principal=actor.principal,
    )
    return purchase_order.Proposal(
        org_id=org_id,
        spender=spender,
        session_id=actor.session_id,
        item=wanted.item,
        vendor=wanted.vendor,
        category=wanted.category,
        why=wanted.why,
        amount_minor=wanted.amount_minor,
        currency=wanted.currency,
        term=wanted.term,
        alternatives=[
            Alternative(name="What was bought before", cost_minor=wanted.paid_minor, why="So much was paid in a month.")
        ],
        asks=True,
    )
