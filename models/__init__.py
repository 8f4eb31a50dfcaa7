"""SQLAlchemy tables, one module per noun; importing the package registers them all on `Base.metadata`."""

from models import (
    agent,
    alert,
    api_key,
    audit,
    contract,
    credit_lot,
    crypto_deposit,
    escrow,
    idempotency,
    invoice,
    ledger,
    organization,
    payment,
    payment_command,
    provider,
    reconciliation,
)

__all__ = [
    "agent",
    "alert",
    "api_key",
    "audit",
    "contract",
    "credit_lot",
    "crypto_deposit",
    "escrow",
    "idempotency",
    "invoice",
    "ledger",
    "organization",
    "payment",
    "payment_command",
    "provider",
    "reconciliation",
]
