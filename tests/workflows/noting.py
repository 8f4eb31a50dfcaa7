"""A note in an entity's timeline that its run does not know of: the books are ahead, and all else is as before."""

from datetime import UTC, datetime
from typing import Any, cast

from activities.billing.invoice import InvoiceActivities
from activities.billing.subscription import SubscriptionActivities
from activities.messages.webhook_endpoint import WebhookEndpointActivities
from activities.payouts.payout import PayoutActivities
from contracts.billing.invoice import RecordCollection
from contracts.billing.subscription import RecordSubscription
from contracts.messages.webhook_endpoint import RecordWebhookEndpoint
from contracts.payouts.payout import RecordPayout
from domain.billing.invoice.collection import Transition as CollectionOutcome
from domain.billing.subscription import commands as subscriptions
from domain.billing.subscription.state import numbered
from domain.common.state_hash import state_hash
from domain.messages.webhook import endpoint as endpoints
from domain.messages.webhook.endpoint import EndpointChange as EndpointOutcome
from domain.payments import dunning
from domain.payouts.payout import commands as payouts
from domain.payouts.payout.state import Outcome as PayoutOutcome
from repositories.billing.invoice_collection import standing_of
from runtime.identity import new_id
from tests.support.billing import GERMAN
from tests.workflows.invoice_driver import InvoiceDriver
from tests.workflows.payout_driver import HOLD_BACK, PayoutDriver
from tests.workflows.subscriptions import PLANS, Subscriber
from tests.workflows.webhook_driver import EndpointDriver

BY = "temporal-ui:somebody"
DETAILS: dict[str, object] = {"command": "look", "code": "request.invalid", "detail": "Not this one."}


def _written(held: object, command_id: str) -> dict[str, Any]:
    return {
        "command_id": command_id,
        "at": datetime.now(UTC),
        "decided_from": state_hash(held),
    }


async def note_payout(made: PayoutDriver) -> None:
    held, command_id = await made.state(), new_id("cmd")
    event = PayoutOutcome(payout=held, event="command_refused", actor=BY, details=DETAILS)
    message = RecordPayout(outcome=payouts.with_receipt(event, command_id), **_written(held, command_id))
    assert (await PayoutActivities(made.stage.database, None, hold_back=HOLD_BACK).record(message)).applied


async def note_invoice(made: InvoiceDriver) -> None:
    held, command_id = await made.state(), new_id("cmd")
    event = CollectionOutcome(collection=held, event="command_refused", actor=BY, details=DETAILS)
    message = RecordCollection(
        outcome=dunning.with_receipt(event, command_id),
        standing=standing_of(await made.invoice()),
        **_written(held, command_id),
    )
    work = InvoiceActivities(made.stage.database, made.stage.client, cast("Any", None))
    assert (await work.record(message)).applied


async def note_subscription(one: Subscriber) -> None:
    held, command_id = await one.state(), new_id("cmd")
    after = numbered(subscriptions.record_refusal(held, actor=BY, details=DETAILS), command_id).subscription
    message = RecordSubscription(
        subscription=after, event="command_refused", actor=BY, details=DETAILS, **_written(held, command_id)
    )
    work = SubscriptionActivities(one.stage.database, one.stage.client, None, PLANS, rules=GERMAN)
    assert (await work.record(message)).applied


async def note_endpoint(one: EndpointDriver) -> None:
    held, command_id = await one.state(), new_id("cmd")
    event = EndpointOutcome(endpoint=held, event="command_refused", actor=BY, details=DETAILS)
    message = RecordWebhookEndpoint(outcome=endpoints.with_receipt(event, command_id), **_written(held, command_id))
    nothing = cast("Any", None)
    work = WebhookEndpointActivities(one.stage.database, one.stage.client, nothing, nothing)
    assert (await work.record(message)).applied
