"""A payment's event given to the books as its run gives it."""

from dataclasses import replace
from decimal import Decimal

from temporalio.common import MetricMeter
from temporalio.testing import ActivityEnvironment

from activities.payments.payment import PaymentActivities
from contracts.payments.payment import PaymentEvent, RecordedPayment, RecordPayment
from domain.common.money import amounts_from
from domain.payments.payment.state import Outcome
from domain.payouts.payable import HoldBack
from runtime.database import Database
from tests.support.runs import payment_message


async def record(
    database: Database,
    outcome: Outcome,
    attempt: int = 1,
    meter: MetricMeter = MetricMeter.noop,
    hold_back: HoldBack | None = None,
) -> RecordedPayment:
    payment, at = outcome.payment, outcome.payment.updated_at
    command_id = payment.terms.payment_id if outcome.event == "created" else None
    message = await payment_message(database, PaymentEvent.of(outcome, at=at, command_id=command_id), at=at)
    return await _sent(database, message, attempt, meter, hold_back)


async def marked(database: Database, outcome: Outcome, event_id: str) -> RecordedPayment:
    """Mark a provider's event without news as handled."""
    event = PaymentEvent.of(outcome, at=outcome.payment.updated_at)
    message = await payment_message(database, event, at=event.at)
    return await _sent(database, message.model_copy(update={"events": (), "handled": (event_id,)}))


async def _sent(
    database: Database,
    message: RecordPayment,
    attempt: int = 1,
    meter: MetricMeter = MetricMeter.noop,
    hold_back: HoldBack | None = None,
) -> RecordedPayment:
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, attempt=attempt, is_local=True)
    environment.metric_meter = meter
    return await environment.run(
        PaymentActivities(
            database, hold_back=hold_back, fees_above=Decimal("0.10"), fees_least=amounts_from("50.00")
        ).record,
        message,
    )
