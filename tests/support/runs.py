"""What runs tell the books, for tests that write events without a run."""

from datetime import datetime

from contracts.payments.payment import PaymentEvent, RecordPayment
from domain.common.state_hash import state_hash
from domain.payments.payment.terms import PaymentTerms
from repositories.escrow import escrow as escrows
from repositories.payments import payment as payments, payment_command
from runtime.database import Database


async def ask_for(database: Database, terms: PaymentTerms, command_id: str | None = None) -> None:
    """Note what a payment's command asks for, as the API does before it starts the run."""
    async with database.platform() as session:
        await payment_command.store_terms(session, command_id or terms.payment_id, b"asked", terms)


async def escrow_hash(database: Database, escrow_id: str) -> str | None:
    """Return the hash of the state that the books hold; None before there is one."""
    async with database.platform() as session:
        row = await escrows.get(session, escrow_id)
        return None if row is None else state_hash(escrows.state_of(row))


async def payment_message(database: Database, *events: PaymentEvent, at: datetime) -> RecordPayment:
    """Return the message of a run that knows what the books hold."""
    terms = events[0].payment.terms
    async with database.platform() as session:
        row = await payments.get(session, terms.payment_id)
        held = None if row is None else state_hash(payments.state_of(row))
    return RecordPayment(payment_id=terms.payment_id, provider=terms.provider, events=events, at=at, decided_from=held)
