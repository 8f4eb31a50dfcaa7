"""SQL of tasks: objects of all kinds that wait for an actor, by deadline.

The oldest 2,000 open ones of each kind are read, by an index, so the cost of a page does not depend on the history.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    DateTime,
    Select,
    Text,
    and_,
    cast,
    exists,
    func,
    literal,
    null,
    or_,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncSession

from domain.budgets.purchase_order import PurchaseOrderStatus
from domain.common.access import Actor, Permission
from domain.payments.payment.snapshot import DisputeStatus
from domain.returns.allocation import AllocationStatus
from domain.returns.revenue_event import RevenueStatus
from models.billing.invoice import InvoiceRow
from models.billing.invoice_collection import InvoiceCollectionRow
from models.billing.project import Project
from models.books.reconciliation import ReconciliationDiscrepancy
from models.budgets.purchase_order import PurchaseGrant, PurchaseOrder
from models.escrow.contract import Contract, ContractParty
from models.escrow.escrow import EscrowParty, EscrowRow
from models.messages.alert import Alert
from models.payments.chargeback import ChargebackRow
from models.payments.payment import PaymentRow
from models.returns.allocation import Allocation
from models.returns.revenue_event import RevenueEvent
from repositories.common.listing import SCAN_LIMITS, Position, fixed
from repositories.escrow.escrow_waiting import WaitingRule, waiting_for

#: The deadline of tasks without one, after all others.
NEVER = datetime(9999, 12, 31, tzinfo=UTC)
_MOST = fixed(SCAN_LIMITS[-1])


@dataclass(frozen=True, slots=True)
class Task:
    """A task; the amount is in minor units of the currency; both are None if it is not about money."""

    kind: str
    object_id: str
    org_id: str | None
    title: str
    deadline_at: datetime | None
    currency: str | None
    amount_minor: int | None

    @property
    def position(self) -> Position:
        return self.deadline_at or NEVER, self.kind, self.object_id


async def page(
    session: AsyncSession, actor: Actor, *, kinds: Sequence[str], after: Position | None, limit: int
) -> Sequence[Task]:
    """Return an actor's tasks by deadline, in one statement; those without one come last.

    Args:
        session: of the actor.
        actor: whose role and organization determine the tasks.
        kinds: the kinds to return; empty for all.
        after: the position of the last task of the previous page.
        limit: the maximum number of tasks.
    """
    sources = [*_escrows(actor), *_of_tenants(actor), *_of_operators(actor)]
    if not sources:
        return []
    found = union_all(*sources).subquery()
    order = (func.coalesce(found.c.deadline_at, NEVER), found.c.kind, found.c.object_id)
    query = select(found).order_by(*order).limit(fixed(limit))
    if kinds:
        query = query.where(found.c.kind.in_(kinds))
    if after is not None:
        query = query.where(tuple_(*order) > tuple_(*map(literal, after)))
    return [Task(*row) for row in await session.execute(query)]


def _task(
    kind: str, object_id: Any, org_id: Any, title: Any, deadline_at: Any, currency: Any, amount_minor: Any
) -> Select[Any]:
    return select(
        literal(kind).label("kind"),
        object_id.label("object_id"),
        cast(org_id, Text).label("org_id"),
        title.label("title"),
        cast(deadline_at, DateTime(timezone=True)).label("deadline_at"),
        cast(currency, Text).label("currency"),
        cast(amount_minor, BigInteger).label("amount_minor"),
    )


def _escrows(actor: Actor) -> list[Select[Any]]:
    return [_escrow(actor, waiting) for waiting in waiting_for(actor)]


def _escrow(actor: Actor, waiting: WaitingRule) -> Select[Any]:
    status, row = waiting.status.value, EscrowRow
    if actor.org_id is None:
        looked = select(row.id).where(row.status == status).order_by(row.id)
    else:
        party = EscrowParty
        looked = (
            select(party.escrow_id.label("id"))
            .where(party.org_id == actor.org_id, party.status == status)
            .order_by(party.escrow_id)
        )
    some = looked.limit(_MOST).subquery()
    task = _task(waiting.kind, row.id, row.org_id, Contract.title, row.next_deadline_at, row.currency, row.amount_minor)
    joined = task.select_from(some).join(row, row.id == some.c.id).join(Contract, Contract.id == row.contract_id)
    return joined.where(waiting.holds(row))


def _of_tenants(actor: Actor) -> list[Select[Any]]:
    org_id, found = actor.org_id, list[Select[Any]]()
    if org_id is None:
        return found
    if actor.may(Permission.ACCEPT):
        party = ContractParty
        some = select(party.contract_id).where(party.org_id == org_id, party.accept_by > func.now())
        looked = some.order_by(party.accept_by).limit(_MOST).subquery()
        row = Contract
        task = _task("to_accept", row.id, row.org_id, row.title, row.accept_by, row.currency, row.price_minor)
        whose = row.payee_org_id == org_id if actor.agent_id is None else row.agent_id == actor.agent_id
        found.append(task.select_from(looked).join(row, row.id == looked.c.contract_id).where(whose))
    if actor.may(Permission.CONTEST):
        found.append(_evidence(ChargebackRow.org_id == org_id))
    if actor.may(Permission.PAY):
        bill = InvoiceRow
        settled = bill.prepaid_minor + bill.rounded_minor + bill.credited_minor + bill.written_off_minor
        due = bill.total_minor - bill.paid_minor - settled
        title = func.coalesce(bill.number, bill.id)
        task = _task("invoice_due", bill.id, bill.org_id, title, bill.due_at, bill.currency, due)
        found.append(_some(task.where(bill.org_id == org_id, bill.status == "open", ~_is_collected(bill.id)), bill.id))
    if actor.may(Permission.MANAGE_BILLING):
        order, grant = PurchaseOrder, PurchaseGrant
        task = _task(
            "to_approve", order.id, order.org_id, order.item, order.answer_by, order.currency, order.amount_minor
        )
        is_granted = exists().where(grant.order_id == order.id, grant.principal == actor.qualified().lower())
        waits = and_(order.org_id == org_id, order.status == PurchaseOrderStatus.NEEDS_APPROVAL.value)
        found.append(_some(task.where(waits, order.principal != actor.principal, ~is_granted), order.id))
        found.append(_revenue(org_id))
    if actor.may(Permission.MANAGE_SPENDING):
        day = Allocation
        task = _task("allocation", day.id, day.org_id, Project.name, day.answer_by, day.currency, day.total_minor)
        waits = and_(day.org_id == org_id, day.status == AllocationStatus.PROPOSED.value, day.answer_by > func.now())
        found.append(_some(task.join(Project, Project.id == day.project_id).where(waits), day.id))
    if actor.may(Permission.ACKNOWLEDGE):
        unseen = and_(Alert.acknowledged_at.is_(None), Alert.org_acknowledged_at.is_(None), Alert.shared)
        awake = or_(Alert.org_snoozed_until.is_(None), Alert.org_snoozed_until <= func.now())
        # The recipients of this alert have the purchase itself as a task.
        found.append(_alerts(and_(Alert.org_id == org_id, Alert.kind != "approval_waiting", unseen, awake)))
    return found


def _revenue(org_id: str) -> Select[Any]:
    row = RevenueEvent
    task = _task("to_confirm", row.id, row.org_id, row.reference, null(), row.currency, row.amount_minor)
    return _some(task.where(row.org_id == org_id, row.status == RevenueStatus.REPORTED.value), row.id)


def _is_collected(invoice_id: Any) -> ColumnElement[bool]:
    """Return the condition that an invoice is charged to the stored method, without a decline so far."""
    row = InvoiceCollectionRow
    first = and_(row.method == "charge_automatically", row.status == "scheduled", row.state["steps"].astext == "0")
    return exists().where(row.invoice_id == invoice_id, or_(row.status == "charging", first))


def _of_operators(actor: Actor) -> list[Select[Any]]:
    if actor.org_id is not None or not actor.may(Permission.INSPECT):
        return []
    awake = or_(Alert.snoozed_until.is_(None), Alert.snoozed_until <= func.now())
    row = ReconciliationDiscrepancy
    title = func.concat_ws(" ", row.provider, row.kind, row.key)
    task = _task("difference", row.id, null(), title, null(), null(), null())
    return [
        _evidence(),
        _some(task.where(row.status == "open"), row.id),
        _alerts(and_(Alert.acknowledged_at.is_(None), Alert.for_operators, awake)),
    ]


def _evidence(*whose: ColumnElement[bool]) -> Select[Any]:
    row, waits = ChargebackRow, DisputeStatus.NEEDS_RESPONSE.value
    looked = select(row.id).where(*whose, row.status == waits).order_by(row.opened_at, row.id).limit(_MOST).subquery()
    disputes = func.jsonb_array_elements(PaymentRow.state["disputes"]).table_valued("value").lateral()
    dispute = disputes.c.value
    due = select(dispute.op("->>")("evidence_due_at")).where(dispute.op("->>")("dispute_id") == row.id)
    task = _task("evidence_due", row.id, row.org_id, row.reason, due.scalar_subquery(), row.currency, row.amount_minor)
    return task.select_from(looked).join(row, row.id == looked.c.id).join(PaymentRow, PaymentRow.id == row.payment_id)


def _alerts(which: ColumnElement[bool]) -> Select[Any]:
    task = _task("alert", Alert.id, Alert.org_id, Alert.detail, null(), null(), null())
    return _some(task.where(which, Alert.resolved_at.is_(None)), Alert.id)


def _some(task: Select[Any], order: Any) -> Select[Any]:
    """Return the oldest of these, as a subquery, because a limit within a union needs one."""
    return select(task.order_by(order).limit(_MOST).subquery())
