"""PurchaseOrderWorkflow: waits for the approval of a purchase, and declines it without an answer in time."""

from contextlib import suppress

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.budgets.purchase_order import PurchaseOrderActivities
    from contracts.budgets.purchase_order import (
        DecidedOnPurchase,
        DecideOnPurchase,
        DeclineUnanswered,
        GrantSignal,
        LoadPurchase,
        PurchaseOrderInput,
        PurchaseOrderResult,
        RefuseSignal,
    )
    from contracts.common import search_attributes
    from contracts.common.queues import local_activity
    from contracts.escrow.escrow import Declined, OperatorSignal
    from domain.budgets.purchase_order import WaitingPurchase, details
    from domain.common.errors import DomainError
    from domain.common.ids import bounded
    from domain.common.signals import SignalTarget
    from workflows.common.signals import check_addressed, reason_of, sender, signal_id


@workflow.defn(name="purchase-order")
class PurchaseOrderWorkflow:
    """Waits until an order is granted or refused in the database, or its time to answer is over.

    The transaction that made the order asked the approvers; the API decides in the database and signals the run.

    Messages:
        updates `grant` and `refuse` of operators from the Temporal UI; a declined one is shown. Signal `news`: the
        order was decided.
    Ends when: the order no longer waits for approval, and every handler has answered.
    Continues as new: never; it lasts for days and has a few events.
    Compensates: nothing; an order that waits holds nothing.
    """

    @workflow.init
    def __init__(self, start: PurchaseOrderInput) -> None:
        """Start without state, which is read from the database."""
        self._start = start
        self._purchase: WaitingPurchase | None = None
        self._news = False
        self._refused: str | None = None

    @workflow.run
    async def run(self, start: PurchaseOrderInput) -> PurchaseOrderResult:
        """Wait for the answer."""
        while True:
            self._news = False
            purchase = await self._look(start.order_id)
            if purchase is None or purchase.answer_by is None:
                await workflow.wait_condition(workflow.all_handlers_finished)
                status = "gone" if purchase is None else purchase.status.value
                workflow.upsert_search_attributes([search_attributes.STATE.value_set(status)])
                return PurchaseOrderResult(status=status)
            if workflow.now() >= purchase.answer_by:
                await workflow.execute_local_activity_method(
                    PurchaseOrderActivities.decline_unanswered,
                    DeclineUnanswered(order_id=start.order_id, now=workflow.now()),
                    **local_activity("decline what nobody has answered"),
                )
                continue
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._news,
                    timeout=purchase.answer_by - workflow.now(),
                    timeout_summary="declined if nobody answers",
                )

    @workflow.signal(name="news")
    def signal_news(self) -> None:
        """Read the order again."""
        self._note_news()

    @workflow.update(name="grant")
    async def grant(self, given: GrantSignal) -> DecidedOnPurchase:
        """Grant the order."""
        return await self._decide("grant", given, given.grant, given.digest, given.reason)

    @workflow.update(name="refuse")
    async def refuse(self, given: RefuseSignal) -> DecidedOnPurchase:
        """Refuse the order."""
        return await self._decide("refuse", given, given.refuse, None, given.reason)

    def _note_news(self) -> None:
        self._news = True

    async def _look(self, order_id: str) -> WaitingPurchase | None:
        loaded = await workflow.execute_local_activity_method(
            PurchaseOrderActivities.load, LoadPurchase(order_id=order_id), **local_activity("read the order")
        )
        self._purchase = loaded.purchase
        self._show()
        return loaded.purchase

    async def _decide(
        self, name: str, given: OperatorSignal, subject: object, digest: object, reason: object
    ) -> DecidedOnPurchase:
        state = "unknown" if self._purchase is None else self._purchase.status.value
        reached = SignalTarget(kind="purchase_order", id=self._start.order_id, state=state, asks_for_name=True)
        try:
            check_addressed(reached, name, given, subject=subject)
        except DomainError as refusal:
            return self._answer(DecidedOnPurchase(declined=Declined.of(refusal)))
        update = workflow.current_update_info()
        assert update is not None
        done = await workflow.execute_local_activity_method(
            PurchaseOrderActivities.decide,
            DecideOnPurchase(
                order_id=self._start.order_id,
                actor=sender(given),
                command_id=bounded(f"{self._start.order_id}:{signal_id(name, given, update.id)}"),
                digest=(digest if isinstance(digest, str) else "") if name == "grant" else None,
                reason=reason_of(reason),
                now=workflow.now(),
            ),
            **local_activity(f"{name} the purchase, as an operator ordered"),
        )
        self._note_news()
        return self._answer(done)

    def _answer(self, done: DecidedOnPurchase) -> DecidedOnPurchase:
        self._refused = None if done.declined is None else done.declined.detail
        self._show()
        return done

    def _show(self) -> None:
        if self._purchase is not None:
            workflow.set_current_details(details(self._purchase, self._refused))
