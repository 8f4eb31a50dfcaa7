"""A payment's event given to the books as its run gives it."""

from dataclasses import replace

from temporalio.testing import ActivityEnvironment

from activities.payments import PaymentBooks
from contracts.payment import PaymentEvent, RecordedPayment, RecordPayment
from domain.payment.state import Outcome
from runtime.database import Database


async def record(database: Database, outcome: Outcome, attempt: int = 1) -> RecordedPayment:
    terms, at = outcome.payment.terms, outcome.payment.updated_at
    event = PaymentEvent.of(outcome, at=at)
    message = RecordPayment(payment_id=terms.payment_id, provider=terms.provider, events=(event,), at=at)
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, attempt=attempt)
    return await environment.run(PaymentBooks(database).record, message)
