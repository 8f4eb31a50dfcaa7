"""AutoTopUpWorkflow: buys credits once after a balance fell below its threshold."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.payments.auto_topup import PAYMENT_TIMEOUT, AutoTopUpActivities
    from contracts.common.queues import local_activity, regular_activity
    from contracts.payments.auto_topup import (
        AutoTopUpInput,
        AutoTopUpResult,
        OrderedAutoTopUp,
        SettleAutoTopUp,
        SettledAutoTopUp,
    )
    from domain.common.money import CREDIT, format_amount
    from domain.common.text import as_markdown
    from domain.payments.auto_topup import TopUpOutcome

#: The first and the longest pause between two checks of a payment without a final result.
FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=2), timedelta(hours=1)


@workflow.defn(name="auto-topup")
class AutoTopUpWorkflow:
    """Makes one payment for a fall of the balance, and waits for its result.

    Messages: none; the sweep starts it.
    Ends when: the payment is received, declined or cancelled.
    Continues as new: when the server suggests it; the fall and its payment are in the books.
    Compensates: nothing; a decline is tried again as another fall, and the last one switches the top-up off.
    """

    @workflow.run
    async def run(self, start: AutoTopUpInput) -> AutoTopUpResult:
        """Order the payment and follow it."""
        pause, ordered = FIRST_PAUSE, OrderedAutoTopUp()
        while True:
            if ordered.payment_id is None:
                ordered = await self._order(start)
            settled = await self._settle(start, ordered)
            self._show(start, settled)
            if settled.outcome != TopUpOutcome.OPEN:
                return AutoTopUpResult(outcome=settled.outcome, payment_id=settled.payment_id, why=settled.why)
            if workflow.info().is_continue_as_new_suggested():
                workflow.continue_as_new(start)
            await workflow.sleep(pause, summary=f"the payment is {settled.status or 'not made'}: check again")
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _order(self, start: AutoTopUpInput) -> OrderedAutoTopUp:
        workflow.set_current_details(f"{_what(start)}\n\n- asks for the payment")
        # Longer than the activity waits for the payment; the payment's own run retries its provider.
        options = regular_activity("charge the stored payment method", timeout=PAYMENT_TIMEOUT + timedelta(seconds=10))
        return await workflow.execute_activity_method(AutoTopUpActivities.order, start, **options)

    async def _settle(self, start: AutoTopUpInput, ordered: OrderedAutoTopUp) -> SettledAutoTopUp:
        return await workflow.execute_local_activity_method(
            AutoTopUpActivities.settle,
            SettleAutoTopUp(org_id=start.org_id, number=start.number, refused=ordered.refused),
            **local_activity("record the outcome"),
        )

    def _show(self, start: AutoTopUpInput, settled: SettledAutoTopUp) -> None:
        payment = "no payment was made"
        if settled.payment_id is not None:
            payment = f"payment `{settled.payment_id}`: {settled.status or 'not made yet'}"
        lines = [f"**{settled.outcome}** · {_what(start)}", "", f"- {payment}"]
        if settled.why:
            lines.append(f"- {as_markdown(settled.why)}")
        if settled.outcome == TopUpOutcome.DECLINED:
            lines.append("- it is tried again on the days of dunning, and switched off after the last of them")
        workflow.set_current_details("\n".join(lines))


def _what(start: AutoTopUpInput) -> str:
    credits = format_amount(start.credits_minor, CREDIT)
    return f"{credits} credits for `{start.org_id}`, whose balance fell below its threshold (fall {start.number})"
