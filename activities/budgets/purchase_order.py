"""Effects of the runs of purchase orders, and of the sweep of what is due."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity
from temporalio.client import Client

from activities.common.one_by_one import one_by_one
from activities.common.seals import Seals
from contracts.budgets.purchase_order import (
    DecidedOnPurchase,
    DecideOnPurchase,
    DeclineUnanswered,
    LoadedPurchase,
    LoadPurchase,
    PurchaseOrderInput,
)
from contracts.common.batch import DuePage, HandledStepPage
from contracts.escrow.escrow import Declined
from contracts.runs import purchase_order_run
from domain.budgets.purchase_order import UNKNOWN_REPORTED_AFTER, PurchaseOrderStatus, WaitingPurchase
from domain.budgets.purchase_rules import PurchaseRules
from domain.common.errors import DomainError, NotFound
from repositories.budgets import purchase_order as orders
from runtime import reach
from runtime.database import Database
from services.budgets import purchase_approval, purchase_payment
from services.budgets.purchase_record import format_order_amount

log = structlog.get_logger("bursar.purchases")

#: How long an answer may be overdue before the order counts as one without a run.
PATIENCE = timedelta(minutes=2)


class PurchaseOrderActivities:
    """The activities of `PurchaseOrderWorkflow` and `PurchaseOrderSweepWorkflow`."""

    def __init__(
        self, database: Database, client: Client, *, rules: PurchaseRules, sealed_signals: bool = False
    ) -> None:
        self._database = database
        self._client = client
        self._rules = rules
        self._seals = Seals("purchase_order", required=sealed_signals)

    @activity.defn(name="load_purchase")
    async def load(self, message: LoadPurchase) -> LoadedPurchase:
        """Read an order.

        Effect: none.
        Idempotent by: changing nothing.
        """
        async with self._database.platform() as session:
            return LoadedPurchase(purchase=await _waiting(session, message.order_id))

    @activity.defn(name="decline_unanswered_purchase")
    async def decline_unanswered(self, message: DeclineUnanswered) -> LoadedPurchase:
        """Decline an order that nobody has answered in time.

        Effect: the order is declined, with its log, event and the end of its alert.
        Idempotent by: the order's status.
        """
        async with self._database.platform() as session:
            await purchase_approval.decline_unanswered(session, message.order_id, now=message.now)
            return LoadedPurchase(purchase=await _waiting(session, message.order_id))

    @activity.defn(name="decide_on_purchase")
    async def decide(self, message: DecideOnPurchase) -> DecidedOnPurchase:
        """Grant or refuse an order for an operator.

        Effect: as over the API.
        Idempotent by: the command's id.
        Fails with: nothing that is final; a refusal is a result.
        """
        declined = self._seals.declined(message.actor)
        if declined is not None:
            return DecidedOnPurchase(declined=declined)
        try:
            async with self._database.platform() as session:
                if message.digest is None:
                    await purchase_approval.refuse(
                        session,
                        message.actor,
                        message.order_id,
                        reason=message.reason or None,
                        command_id=message.command_id,
                        now=message.now,
                    )
                else:
                    given = purchase_approval.ApprovalDecision(digest=message.digest, reason=message.reason or None)
                    await purchase_approval.grant(
                        session,
                        message.actor,
                        message.order_id,
                        given,
                        command_id=message.command_id,
                        rules=self._rules,
                        now=message.now,
                    )
        except DomainError as refusal:
            if refusal.retryable:
                raise
            return DecidedOnPurchase(declined=Declined.of(refusal))
        return DecidedOnPurchase()

    @activity.defn(name="expire_purchases")
    async def expire(self, message: DuePage) -> HandledStepPage:
        """End approved orders whose hold has ended.

        Effect: what they hold is released; log and event.
        Idempotent by: the order's status.
        Fails with: nothing that is final; one that fails does not stop the others.
        """
        async with self._database.platform() as session:
            found = await orders.ended_holds(session, now=message.now, after=message.after, limit=message.limit)
        return await self._each(message, found, partial(purchase_payment.expire, now=message.now))

    @activity.defn(name="renew_purchase_terms")
    async def renew(self, message: DuePage) -> HandledStepPage:
        """Count the next term of purchases that renew.

        Effect: a spend of its own for each; an alert if it does not fit.
        Idempotent by: the time of the next renewal, and the number of the count.
        Fails with: nothing that is final; one that fails does not stop the others.
        """
        async with self._database.platform() as session:
            found = await orders.due_renewals(session, now=message.now, after=message.after, limit=message.limit)
        return await self._each(message, found, partial(purchase_payment.renew, now=message.now))

    @activity.defn(name="start_missing_purchase_orders")
    async def start_missing(self, message: DuePage) -> HandledStepPage:
        """Start the runs of orders whose time to answer is over.

        Effect: a run for each on the page that has none.
        Idempotent by: the run's id.
        """
        async with self._database.platform() as session:
            rows = await orders.unanswered(
                session, before=message.now - PATIENCE, after=message.after, limit=message.limit
            )
            runs = [purchase_order_run(PurchaseOrderInput(order_id=row.id), row.org_id, row.agent_id) for row in rows]
            last = rows[-1].id if rows else message.after
        started = [await reach.start_missing(self._client, run) for run in runs]
        return HandledStepPage(found=len(runs), done=sum(started), last=last)

    @activity.defn(name="report_unknown_purchases")
    async def report_unknown(self, message: DuePage) -> HandledStepPage:
        """Alert organizations of attempts whose result has been unknown for 30 days.

        Effect: an alert for each.
        Idempotent by: the alert's key.
        """
        before = message.now - UNKNOWN_REPORTED_AFTER
        async with self._database.platform() as session:
            rows = await orders.long_unknown(session, before=before, after=message.after, limit=message.limit)
            for row in rows:
                await purchase_payment.report_unknown(session, row)
            return HandledStepPage(found=len(rows), done=len(rows), last=rows[-1].id if rows else message.after)

    async def _each(
        self, message: DuePage, found: Sequence[str], act: Callable[[AsyncSession, str], Awaitable[bool]]
    ) -> HandledStepPage:
        async def one(order_id: str) -> bool:
            async with self._database.platform() as session:
                return await act(session, order_id)

        done = await one_by_one(found, one, _not_done)
        return HandledStepPage(found=len(found), done=sum(done), last=found[-1] if found else message.after)


async def _not_done(order_id: str, error: Exception) -> None:
    log.exception("purchase.not_ended", order_id=order_id, error=str(error))


async def _waiting(session: AsyncSession, order_id: str) -> WaitingPurchase | None:
    try:
        order = await orders.get(session, order_id)
    except NotFound:
        return None
    granted = [each for each in await orders.grants(session, [order_id]) if each.granted]
    return WaitingPurchase(
        order_id=order.id,
        org_id=order.org_id,
        agent_id=order.agent_id,
        status=PurchaseOrderStatus(order.status),
        item=order.item,
        vendor=order.vendor,
        amount=format_order_amount(order),
        sentence=order.decision["sentence"],
        digest=purchase_approval.digest_of(order),
        persons=order.persons,
        granted=len(granted),
        answer_by=order.answer_by,
    )
