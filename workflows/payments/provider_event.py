"""ProviderEventWorkflow: finds the object of a webhook event that names no known payment."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.cards.card import CardActivities
    from activities.payments.customer import CustomerActivities
    from activities.payments.inbox import TOO_EARLY, InboxActivities
    from activities.payouts.creator import CreatorActivities
    from contracts.common.queues import local_activity, regular_activity
    from contracts.payments.payment import DispatchProviderEvent, ProviderEventInput, ProviderEventResult
    from domain.payments.payment.event_types import Handling

#: Pauses while waiting for a payment that an event names and the books do not have yet: ten minutes in total.
PAUSES = tuple(timedelta(seconds=seconds) for seconds in (1, 4, 15, 40, 120, 180, 240))
#: The provider applies a bank transfer to payments within moments; only an unused rest is reported.
APPLIED_AFTER = timedelta(minutes=1)


@workflow.defn(name="provider-event")
class ProviderEventWorkflow:
    """Signals the event's payment, or handles the event itself.

    The event's content is never used: the payment is read from the provider. So events may arrive twice, late or in any
    order, and the payment's polls make up for lost ones.

    Messages: none.
    Ends when: the event is forwarded, handled, or about an unknown object.
    Continues as new: never; there are few attempts.
    Compensates: nothing; the inbox sweep starts it again while the event is not handled.
    """

    @workflow.run
    async def run(self, event: ProviderEventInput) -> ProviderEventResult:
        """Dispatch the event, waiting for its payment if needed."""
        for pause in PAUSES:
            result = await _dispatch(event, last_try=False)
            if result.outcome == Handling.CASH:
                return await _look_at_cash(event)
            if result.outcome == Handling.METHOD:
                return await workflow.execute_activity_method(
                    CustomerActivities.look_at_methods, event, **regular_activity("read the payment methods again")
                )
            if result.outcome == Handling.CREATOR:
                return await workflow.execute_activity_method(
                    CreatorActivities.refresh_creator, event, **regular_activity("read the creator's account again")
                )
            if result.outcome == Handling.CARD:
                return await workflow.execute_activity_method(
                    CardActivities.book_card_event, event, **regular_activity("book the card event from the issuer")
                )
            if result.outcome != TOO_EARLY:
                return result
            await workflow.sleep(pause, summary="what it is about is not in the books yet")
        return await _dispatch(event, last_try=True)


async def _dispatch(event: ProviderEventInput, *, last_try: bool) -> ProviderEventResult:
    return await workflow.execute_local_activity_method(
        InboxActivities.dispatch,
        DispatchProviderEvent(provider=event.provider, event_id=event.event_id, last_try=last_try),
        **local_activity(f"hand {event.event_id} of {event.provider} to its payment or alert"),
    )


async def _look_at_cash(event: ProviderEventInput) -> ProviderEventResult:
    await workflow.sleep(APPLIED_AFTER, summary="the money may still be applied to a payment")
    return await workflow.execute_activity_method(
        CustomerActivities.look_at_cash, event, **regular_activity("find money that no payment has used")
    )
