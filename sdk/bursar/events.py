"""What the data of events hold. Written by `python -m dev.sdk` from the OpenAPI document: not edited by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from bursar._wire import NOT_SENT, Amount, Model


class Unknown(Model):
    """Data of a type that this version does not know; see its `model_extra`."""


class EscrowOpened(Model):
    """An escrow was opened; it waits for its money."""

    escrow_id: str = NOT_SENT
    external_id: str | None = None
    contract_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["payer", "payee", "signatory"] | str = NOT_SENT
    status: (
        Literal["open", "funded", "delivered", "disputed", "released", "refunded", "split", "cancelled", "expired"]
        | str
    ) = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    funded_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    commission_amount: Amount = NOT_SENT
    signatures: int = NOT_SENT
    required_signatures: int = NOT_SENT
    validation_score: Amount | None = None
    next_deadline_at: datetime | None = None


class EscrowFunded(Model):
    """The payer's money is in the escrow; the agent can begin."""

    escrow_id: str = NOT_SENT
    external_id: str | None = None
    contract_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["payer", "payee", "signatory"] | str = NOT_SENT
    status: (
        Literal["open", "funded", "delivered", "disputed", "released", "refunded", "split", "cancelled", "expired"]
        | str
    ) = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    funded_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    commission_amount: Amount = NOT_SENT
    signatures: int = NOT_SENT
    required_signatures: int = NOT_SENT
    validation_score: Amount | None = None
    next_deadline_at: datetime | None = None


class EscrowDelivered(Model):
    """Work was delivered, for review."""

    escrow_id: str = NOT_SENT
    external_id: str | None = None
    contract_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["payer", "payee", "signatory"] | str = NOT_SENT
    status: (
        Literal["open", "funded", "delivered", "disputed", "released", "refunded", "split", "cancelled", "expired"]
        | str
    ) = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    funded_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    commission_amount: Amount = NOT_SENT
    signatures: int = NOT_SENT
    required_signatures: int = NOT_SENT
    validation_score: Amount | None = None
    next_deadline_at: datetime | None = None


class EscrowDisputed(Model):
    """A dispute was opened; the money is frozen."""

    escrow_id: str = NOT_SENT
    external_id: str | None = None
    contract_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["payer", "payee", "signatory"] | str = NOT_SENT
    status: (
        Literal["open", "funded", "delivered", "disputed", "released", "refunded", "split", "cancelled", "expired"]
        | str
    ) = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    funded_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    commission_amount: Amount = NOT_SENT
    signatures: int = NOT_SENT
    required_signatures: int = NOT_SENT
    validation_score: Amount | None = None
    next_deadline_at: datetime | None = None


class EscrowReleased(Model):
    """The payee was paid, and the escrow has ended."""

    escrow_id: str = NOT_SENT
    external_id: str | None = None
    contract_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["payer", "payee", "signatory"] | str = NOT_SENT
    status: (
        Literal["open", "funded", "delivered", "disputed", "released", "refunded", "split", "cancelled", "expired"]
        | str
    ) = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    funded_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    commission_amount: Amount = NOT_SENT
    signatures: int = NOT_SENT
    required_signatures: int = NOT_SENT
    validation_score: Amount | None = None
    next_deadline_at: datetime | None = None


class EscrowRefunded(Model):
    """The payer got everything back, and the escrow has ended."""

    escrow_id: str = NOT_SENT
    external_id: str | None = None
    contract_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["payer", "payee", "signatory"] | str = NOT_SENT
    status: (
        Literal["open", "funded", "delivered", "disputed", "released", "refunded", "split", "cancelled", "expired"]
        | str
    ) = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    funded_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    commission_amount: Amount = NOT_SENT
    signatures: int = NOT_SENT
    required_signatures: int = NOT_SENT
    validation_score: Amount | None = None
    next_deadline_at: datetime | None = None


class EscrowSplit(Model):
    """Both sides got a part, and the escrow has ended."""

    escrow_id: str = NOT_SENT
    external_id: str | None = None
    contract_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["payer", "payee", "signatory"] | str = NOT_SENT
    status: (
        Literal["open", "funded", "delivered", "disputed", "released", "refunded", "split", "cancelled", "expired"]
        | str
    ) = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    funded_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    commission_amount: Amount = NOT_SENT
    signatures: int = NOT_SENT
    required_signatures: int = NOT_SENT
    validation_score: Amount | None = None
    next_deadline_at: datetime | None = None


class EscrowCancelled(Model):
    """The escrow was cancelled, or not funded in time; what it held was refunded."""

    escrow_id: str = NOT_SENT
    external_id: str | None = None
    contract_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["payer", "payee", "signatory"] | str = NOT_SENT
    status: (
        Literal["open", "funded", "delivered", "disputed", "released", "refunded", "split", "cancelled", "expired"]
        | str
    ) = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    funded_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    commission_amount: Amount = NOT_SENT
    signatures: int = NOT_SENT
    required_signatures: int = NOT_SENT
    validation_score: Amount | None = None
    next_deadline_at: datetime | None = None


class EscrowExpired(Model):
    """The next part was not delivered in time; the payer got back what was left."""

    escrow_id: str = NOT_SENT
    external_id: str | None = None
    contract_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["payer", "payee", "signatory"] | str = NOT_SENT
    status: (
        Literal["open", "funded", "delivered", "disputed", "released", "refunded", "split", "cancelled", "expired"]
        | str
    ) = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    funded_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    commission_amount: Amount = NOT_SENT
    signatures: int = NOT_SENT
    required_signatures: int = NOT_SENT
    validation_score: Amount | None = None
    next_deadline_at: datetime | None = None


class EscrowValidated(Model):
    """A validator scored the delivery below the contract's threshold."""

    escrow_id: str = NOT_SENT
    external_id: str | None = None
    contract_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["payer", "payee", "signatory"] | str = NOT_SENT
    status: (
        Literal["open", "funded", "delivered", "disputed", "released", "refunded", "split", "cancelled", "expired"]
        | str
    ) = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    funded_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    commission_amount: Amount = NOT_SENT
    signatures: int = NOT_SENT
    required_signatures: int = NOT_SENT
    validation_score: Amount | None = None
    next_deadline_at: datetime | None = None


class EscrowApproved(Model):
    """A signatory approved the delivery; more have to."""

    escrow_id: str = NOT_SENT
    external_id: str | None = None
    contract_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["payer", "payee", "signatory"] | str = NOT_SENT
    status: (
        Literal["open", "funded", "delivered", "disputed", "released", "refunded", "split", "cancelled", "expired"]
        | str
    ) = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    funded_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    commission_amount: Amount = NOT_SENT
    signatures: int = NOT_SENT
    required_signatures: int = NOT_SENT
    validation_score: Amount | None = None
    next_deadline_at: datetime | None = None


class EscrowReviewExtended(Model):
    """The review goes on for a day, because the payee is suspended."""

    escrow_id: str = NOT_SENT
    external_id: str | None = None
    contract_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["payer", "payee", "signatory"] | str = NOT_SENT
    status: (
        Literal["open", "funded", "delivered", "disputed", "released", "refunded", "split", "cancelled", "expired"]
        | str
    ) = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    funded_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    commission_amount: Amount = NOT_SENT
    signatures: int = NOT_SENT
    required_signatures: int = NOT_SENT
    validation_score: Amount | None = None
    next_deadline_at: datetime | None = None


class EscrowEvidenceSubmitted(Model):
    """A party brought evidence for its side of the dispute."""

    escrow_id: str = NOT_SENT
    external_id: str | None = None
    contract_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["payer", "payee", "signatory"] | str = NOT_SENT
    status: (
        Literal["open", "funded", "delivered", "disputed", "released", "refunded", "split", "cancelled", "expired"]
        | str
    ) = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    funded_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    commission_amount: Amount = NOT_SENT
    signatures: int = NOT_SENT
    required_signatures: int = NOT_SENT
    validation_score: Amount | None = None
    next_deadline_at: datetime | None = None


class EscrowPartiallyRefunded(Model):
    """The payee refunded a part of the money."""

    escrow_id: str = NOT_SENT
    external_id: str | None = None
    contract_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["payer", "payee", "signatory"] | str = NOT_SENT
    status: (
        Literal["open", "funded", "delivered", "disputed", "released", "refunded", "split", "cancelled", "expired"]
        | str
    ) = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    funded_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    commission_amount: Amount = NOT_SENT
    signatures: int = NOT_SENT
    required_signatures: int = NOT_SENT
    validation_score: Amount | None = None
    next_deadline_at: datetime | None = None


class EscrowCancelRequested(Model):
    """The payer asks the payee to end the escrow."""

    escrow_id: str = NOT_SENT
    external_id: str | None = None
    contract_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["payer", "payee", "signatory"] | str = NOT_SENT
    status: (
        Literal["open", "funded", "delivered", "disputed", "released", "refunded", "split", "cancelled", "expired"]
        | str
    ) = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    funded_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    commission_amount: Amount = NOT_SENT
    signatures: int = NOT_SENT
    required_signatures: int = NOT_SENT
    validation_score: Amount | None = None
    next_deadline_at: datetime | None = None


class EscrowDecisionOverdue(Model):
    """No arbiter has decided in time; the contract's default applies next."""

    escrow_id: str = NOT_SENT
    external_id: str | None = None
    contract_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["payer", "payee", "signatory"] | str = NOT_SENT
    status: (
        Literal["open", "funded", "delivered", "disputed", "released", "refunded", "split", "cancelled", "expired"]
        | str
    ) = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    funded_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    commission_amount: Amount = NOT_SENT
    signatures: int = NOT_SENT
    required_signatures: int = NOT_SENT
    validation_score: Amount | None = None
    next_deadline_at: datetime | None = None


class EscrowMilestoneReleased(Model):
    """A milestone was paid for, and the next one can begin."""

    escrow_id: str = NOT_SENT
    external_id: str | None = None
    contract_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["payer", "payee", "signatory"] | str = NOT_SENT
    status: (
        Literal["open", "funded", "delivered", "disputed", "released", "refunded", "split", "cancelled", "expired"]
        | str
    ) = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    funded_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    commission_amount: Amount = NOT_SENT
    signatures: int = NOT_SENT
    required_signatures: int = NOT_SENT
    validation_score: Amount | None = None
    next_deadline_at: datetime | None = None


class PaymentCreated(Model):
    """A payment was asked for."""

    payment_id: str = NOT_SENT
    external_id: str | None = None
    provider: str = NOT_SENT
    status: (
        Literal[
            "created",
            "requires_action",
            "processing",
            "unknown",
            "requires_capture",
            "succeeded",
            "failed",
            "expired",
            "cancelled",
            "partially_refunded",
            "refunded",
            "disputed",
            "charged_back",
        ]
        | str
    ) = NOT_SENT
    purpose: Literal["credits", "escrow", "invoice", "slot", "balance", "purchase"] | str = NOT_SENT
    escrow_id: str | None = None
    invoice_id: str | None = None
    agent_id: str | None = None
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    received_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    disputed_amount: Amount = NOT_SENT
    decline_code: str | None = None


class PaymentRequiresAction(Model):
    """The payer has to do something: confirm, approve, or send coins."""

    payment_id: str = NOT_SENT
    external_id: str | None = None
    provider: str = NOT_SENT
    status: (
        Literal[
            "created",
            "requires_action",
            "processing",
            "unknown",
            "requires_capture",
            "succeeded",
            "failed",
            "expired",
            "cancelled",
            "partially_refunded",
            "refunded",
            "disputed",
            "charged_back",
        ]
        | str
    ) = NOT_SENT
    purpose: Literal["credits", "escrow", "invoice", "slot", "balance", "purchase"] | str = NOT_SENT
    escrow_id: str | None = None
    invoice_id: str | None = None
    agent_id: str | None = None
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    received_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    disputed_amount: Amount = NOT_SENT
    decline_code: str | None = None


class PaymentProcessing(Model):
    """The payer has done their part; the money is on its way."""

    payment_id: str = NOT_SENT
    external_id: str | None = None
    provider: str = NOT_SENT
    status: (
        Literal[
            "created",
            "requires_action",
            "processing",
            "unknown",
            "requires_capture",
            "succeeded",
            "failed",
            "expired",
            "cancelled",
            "partially_refunded",
            "refunded",
            "disputed",
            "charged_back",
        ]
        | str
    ) = NOT_SENT
    purpose: Literal["credits", "escrow", "invoice", "slot", "balance", "purchase"] | str = NOT_SENT
    escrow_id: str | None = None
    invoice_id: str | None = None
    agent_id: str | None = None
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    received_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    disputed_amount: Amount = NOT_SENT
    decline_code: str | None = None


class PaymentUnknown(Model):
    """The provider's answer was lost; what became of the payment is looked up."""

    payment_id: str = NOT_SENT
    external_id: str | None = None
    provider: str = NOT_SENT
    status: (
        Literal[
            "created",
            "requires_action",
            "processing",
            "unknown",
            "requires_capture",
            "succeeded",
            "failed",
            "expired",
            "cancelled",
            "partially_refunded",
            "refunded",
            "disputed",
            "charged_back",
        ]
        | str
    ) = NOT_SENT
    purpose: Literal["credits", "escrow", "invoice", "slot", "balance", "purchase"] | str = NOT_SENT
    escrow_id: str | None = None
    invoice_id: str | None = None
    agent_id: str | None = None
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    received_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    disputed_amount: Amount = NOT_SENT
    decline_code: str | None = None


class PaymentRequiresCapture(Model):
    """The money is held on the payer's side, to be captured."""

    payment_id: str = NOT_SENT
    external_id: str | None = None
    provider: str = NOT_SENT
    status: (
        Literal[
            "created",
            "requires_action",
            "processing",
            "unknown",
            "requires_capture",
            "succeeded",
            "failed",
            "expired",
            "cancelled",
            "partially_refunded",
            "refunded",
            "disputed",
            "charged_back",
        ]
        | str
    ) = NOT_SENT
    purpose: Literal["credits", "escrow", "invoice", "slot", "balance", "purchase"] | str = NOT_SENT
    escrow_id: str | None = None
    invoice_id: str | None = None
    agent_id: str | None = None
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    received_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    disputed_amount: Amount = NOT_SENT
    decline_code: str | None = None


class PaymentSucceeded(Model):
    """The money was received."""

    payment_id: str = NOT_SENT
    external_id: str | None = None
    provider: str = NOT_SENT
    status: (
        Literal[
            "created",
            "requires_action",
            "processing",
            "unknown",
            "requires_capture",
            "succeeded",
            "failed",
            "expired",
            "cancelled",
            "partially_refunded",
            "refunded",
            "disputed",
            "charged_back",
        ]
        | str
    ) = NOT_SENT
    purpose: Literal["credits", "escrow", "invoice", "slot", "balance", "purchase"] | str = NOT_SENT
    escrow_id: str | None = None
    invoice_id: str | None = None
    agent_id: str | None = None
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    received_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    disputed_amount: Amount = NOT_SENT
    decline_code: str | None = None


class PaymentFailed(Model):
    """The payment was declined; no money was received."""

    payment_id: str = NOT_SENT
    external_id: str | None = None
    provider: str = NOT_SENT
    status: (
        Literal[
            "created",
            "requires_action",
            "processing",
            "unknown",
            "requires_capture",
            "succeeded",
            "failed",
            "expired",
            "cancelled",
            "partially_refunded",
            "refunded",
            "disputed",
            "charged_back",
        ]
        | str
    ) = NOT_SENT
    purpose: Literal["credits", "escrow", "invoice", "slot", "balance", "purchase"] | str = NOT_SENT
    escrow_id: str | None = None
    invoice_id: str | None = None
    agent_id: str | None = None
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    received_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    disputed_amount: Amount = NOT_SENT
    decline_code: str | None = None


class PaymentExpired(Model):
    """Nobody paid in time."""

    payment_id: str = NOT_SENT
    external_id: str | None = None
    provider: str = NOT_SENT
    status: (
        Literal[
            "created",
            "requires_action",
            "processing",
            "unknown",
            "requires_capture",
            "succeeded",
            "failed",
            "expired",
            "cancelled",
            "partially_refunded",
            "refunded",
            "disputed",
            "charged_back",
        ]
        | str
    ) = NOT_SENT
    purpose: Literal["credits", "escrow", "invoice", "slot", "balance", "purchase"] | str = NOT_SENT
    escrow_id: str | None = None
    invoice_id: str | None = None
    agent_id: str | None = None
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    received_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    disputed_amount: Amount = NOT_SENT
    decline_code: str | None = None


class PaymentCancelled(Model):
    """Somebody ended the payment before it was paid."""

    payment_id: str = NOT_SENT
    external_id: str | None = None
    provider: str = NOT_SENT
    status: (
        Literal[
            "created",
            "requires_action",
            "processing",
            "unknown",
            "requires_capture",
            "succeeded",
            "failed",
            "expired",
            "cancelled",
            "partially_refunded",
            "refunded",
            "disputed",
            "charged_back",
        ]
        | str
    ) = NOT_SENT
    purpose: Literal["credits", "escrow", "invoice", "slot", "balance", "purchase"] | str = NOT_SENT
    escrow_id: str | None = None
    invoice_id: str | None = None
    agent_id: str | None = None
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    received_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    disputed_amount: Amount = NOT_SENT
    decline_code: str | None = None


class PaymentPartiallyRefunded(Model):
    """A part of the money was refunded, or is about to be."""

    payment_id: str = NOT_SENT
    external_id: str | None = None
    provider: str = NOT_SENT
    status: (
        Literal[
            "created",
            "requires_action",
            "processing",
            "unknown",
            "requires_capture",
            "succeeded",
            "failed",
            "expired",
            "cancelled",
            "partially_refunded",
            "refunded",
            "disputed",
            "charged_back",
        ]
        | str
    ) = NOT_SENT
    purpose: Literal["credits", "escrow", "invoice", "slot", "balance", "purchase"] | str = NOT_SENT
    escrow_id: str | None = None
    invoice_id: str | None = None
    agent_id: str | None = None
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    received_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    disputed_amount: Amount = NOT_SENT
    decline_code: str | None = None


class PaymentRefunded(Model):
    """All of the money was refunded, or is about to be."""

    payment_id: str = NOT_SENT
    external_id: str | None = None
    provider: str = NOT_SENT
    status: (
        Literal[
            "created",
            "requires_action",
            "processing",
            "unknown",
            "requires_capture",
            "succeeded",
            "failed",
            "expired",
            "cancelled",
            "partially_refunded",
            "refunded",
            "disputed",
            "charged_back",
        ]
        | str
    ) = NOT_SENT
    purpose: Literal["credits", "escrow", "invoice", "slot", "balance", "purchase"] | str = NOT_SENT
    escrow_id: str | None = None
    invoice_id: str | None = None
    agent_id: str | None = None
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    received_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    disputed_amount: Amount = NOT_SENT
    decline_code: str | None = None


class PaymentDisputed(Model):
    """The payer's bank contests the payment; what it bought is held."""

    payment_id: str = NOT_SENT
    external_id: str | None = None
    provider: str = NOT_SENT
    status: (
        Literal[
            "created",
            "requires_action",
            "processing",
            "unknown",
            "requires_capture",
            "succeeded",
            "failed",
            "expired",
            "cancelled",
            "partially_refunded",
            "refunded",
            "disputed",
            "charged_back",
        ]
        | str
    ) = NOT_SENT
    purpose: Literal["credits", "escrow", "invoice", "slot", "balance", "purchase"] | str = NOT_SENT
    escrow_id: str | None = None
    invoice_id: str | None = None
    agent_id: str | None = None
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    received_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    disputed_amount: Amount = NOT_SENT
    decline_code: str | None = None


class PaymentChargedBack(Model):
    """The money was taken back for good."""

    payment_id: str = NOT_SENT
    external_id: str | None = None
    provider: str = NOT_SENT
    status: (
        Literal[
            "created",
            "requires_action",
            "processing",
            "unknown",
            "requires_capture",
            "succeeded",
            "failed",
            "expired",
            "cancelled",
            "partially_refunded",
            "refunded",
            "disputed",
            "charged_back",
        ]
        | str
    ) = NOT_SENT
    purpose: Literal["credits", "escrow", "invoice", "slot", "balance", "purchase"] | str = NOT_SENT
    escrow_id: str | None = None
    invoice_id: str | None = None
    agent_id: str | None = None
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    received_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    disputed_amount: Amount = NOT_SENT
    decline_code: str | None = None


class RefundRequested(Model):
    """A refund was asked for; what the money bought was taken from the organization."""

    refund_id: str = NOT_SENT
    payment_id: str = NOT_SENT
    status: Literal["requested", "unknown", "pending", "succeeded", "failed"] | str = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    failure_code: str | None = None


class RefundUnknown(Model):
    """The provider's answer to a refund was lost; what became of it is looked up."""

    refund_id: str = NOT_SENT
    payment_id: str = NOT_SENT
    status: Literal["requested", "unknown", "pending", "succeeded", "failed"] | str = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    failure_code: str | None = None


class RefundPending(Model):
    """The provider has the refund."""

    refund_id: str = NOT_SENT
    payment_id: str = NOT_SENT
    status: Literal["requested", "unknown", "pending", "succeeded", "failed"] | str = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    failure_code: str | None = None


class RefundSucceeded(Model):
    """The money was refunded."""

    refund_id: str = NOT_SENT
    payment_id: str = NOT_SENT
    status: Literal["requested", "unknown", "pending", "succeeded", "failed"] | str = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    failure_code: str | None = None


class RefundFailed(Model):
    """The provider did not make the refund; the organization has again what was taken for it."""

    refund_id: str = NOT_SENT
    payment_id: str = NOT_SENT
    status: Literal["requested", "unknown", "pending", "succeeded", "failed"] | str = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    failure_code: str | None = None


class ChargebackInquiry(Model):
    """The payer's bank asks about a payment; no money was taken."""

    chargeback_id: str = NOT_SENT
    payment_id: str = NOT_SENT
    status: Literal["inquiry", "needs_response", "under_review", "won", "lost"] | str = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    reason: str = NOT_SENT
    evidence_due_at: datetime | None = None


class ChargebackNeedsResponse(Model):
    """A chargeback was opened; evidence can be submitted."""

    chargeback_id: str = NOT_SENT
    payment_id: str = NOT_SENT
    status: Literal["inquiry", "needs_response", "under_review", "won", "lost"] | str = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    reason: str = NOT_SENT
    evidence_due_at: datetime | None = None


class ChargebackUnderReview(Model):
    """The payer's bank has the evidence."""

    chargeback_id: str = NOT_SENT
    payment_id: str = NOT_SENT
    status: Literal["inquiry", "needs_response", "under_review", "won", "lost"] | str = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    reason: str = NOT_SENT
    evidence_due_at: datetime | None = None


class ChargebackWon(Model):
    """The chargeback was won; the money came back."""

    chargeback_id: str = NOT_SENT
    payment_id: str = NOT_SENT
    status: Literal["inquiry", "needs_response", "under_review", "won", "lost"] | str = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    reason: str = NOT_SENT
    evidence_due_at: datetime | None = None


class ChargebackLost(Model):
    """The chargeback was lost; the money is gone."""

    chargeback_id: str = NOT_SENT
    payment_id: str = NOT_SENT
    status: Literal["inquiry", "needs_response", "under_review", "won", "lost"] | str = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    reason: str = NOT_SENT
    evidence_due_at: datetime | None = None


class SubscriptionCreated(Model):
    """A subscription was agreed."""

    subscription_id: str = NOT_SENT
    status: Literal["created", "incomplete", "trialing", "active", "past_due", "unpaid", "ended"] | str = NOT_SENT
    plan: str = NOT_SENT
    interval: Literal["month", "year"] | str = NOT_SENT
    currency: str = NOT_SENT
    price: Amount = NOT_SENT
    seats: int | None = None
    period_end: datetime | None = None
    cancels_at_period_end: bool = NOT_SENT


class SubscriptionIncomplete(Model):
    """Its first payment is awaited."""

    subscription_id: str = NOT_SENT
    status: Literal["created", "incomplete", "trialing", "active", "past_due", "unpaid", "ended"] | str = NOT_SENT
    plan: str = NOT_SENT
    interval: Literal["month", "year"] | str = NOT_SENT
    currency: str = NOT_SENT
    price: Amount = NOT_SENT
    seats: int | None = None
    period_end: datetime | None = None
    cancels_at_period_end: bool = NOT_SENT


class SubscriptionTrialing(Model):
    """A trial has begun."""

    subscription_id: str = NOT_SENT
    status: Literal["created", "incomplete", "trialing", "active", "past_due", "unpaid", "ended"] | str = NOT_SENT
    plan: str = NOT_SENT
    interval: Literal["month", "year"] | str = NOT_SENT
    currency: str = NOT_SENT
    price: Amount = NOT_SENT
    seats: int | None = None
    period_end: datetime | None = None
    cancels_at_period_end: bool = NOT_SENT


class SubscriptionActive(Model):
    """The subscription is paid for."""

    subscription_id: str = NOT_SENT
    status: Literal["created", "incomplete", "trialing", "active", "past_due", "unpaid", "ended"] | str = NOT_SENT
    plan: str = NOT_SENT
    interval: Literal["month", "year"] | str = NOT_SENT
    currency: str = NOT_SENT
    price: Amount = NOT_SENT
    seats: int | None = None
    period_end: datetime | None = None
    cancels_at_period_end: bool = NOT_SENT


class SubscriptionPastDue(Model):
    """A period has begun and was not paid; the provider tries again."""

    subscription_id: str = NOT_SENT
    status: Literal["created", "incomplete", "trialing", "active", "past_due", "unpaid", "ended"] | str = NOT_SENT
    plan: str = NOT_SENT
    interval: Literal["month", "year"] | str = NOT_SENT
    currency: str = NOT_SENT
    price: Amount = NOT_SENT
    seats: int | None = None
    period_end: datetime | None = None
    cancels_at_period_end: bool = NOT_SENT


class SubscriptionUnpaid(Model):
    """The provider has given up collecting; the organization has what is free."""

    subscription_id: str = NOT_SENT
    status: Literal["created", "incomplete", "trialing", "active", "past_due", "unpaid", "ended"] | str = NOT_SENT
    plan: str = NOT_SENT
    interval: Literal["month", "year"] | str = NOT_SENT
    currency: str = NOT_SENT
    price: Amount = NOT_SENT
    seats: int | None = None
    period_end: datetime | None = None
    cancels_at_period_end: bool = NOT_SENT


class SubscriptionEnded(Model):
    """The subscription is over."""

    subscription_id: str = NOT_SENT
    status: Literal["created", "incomplete", "trialing", "active", "past_due", "unpaid", "ended"] | str = NOT_SENT
    plan: str = NOT_SENT
    interval: Literal["month", "year"] | str = NOT_SENT
    currency: str = NOT_SENT
    price: Amount = NOT_SENT
    seats: int | None = None
    period_end: datetime | None = None
    cancels_at_period_end: bool = NOT_SENT


class SubscriptionUpdated(Model):
    """Another plan or price is agreed, a new period has begun, or whether it ends was changed."""

    subscription_id: str = NOT_SENT
    status: Literal["created", "incomplete", "trialing", "active", "past_due", "unpaid", "ended"] | str = NOT_SENT
    plan: str = NOT_SENT
    interval: Literal["month", "year"] | str = NOT_SENT
    currency: str = NOT_SENT
    price: Amount = NOT_SENT
    seats: int | None = None
    period_end: datetime | None = None
    cancels_at_period_end: bool = NOT_SENT


class PayoutRequested(Model):
    """A payout was taken out of the earnings, to be sent."""

    payout_id: str = NOT_SENT
    status: Literal["requested", "waiting_for_funds", "unknown", "paid", "failed"] | str = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    failure_code: str | None = None


class PayoutWaitingForFunds(Model):
    """The platform has not so much at its provider; the payout is sent once it has."""

    payout_id: str = NOT_SENT
    status: Literal["requested", "waiting_for_funds", "unknown", "paid", "failed"] | str = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    failure_code: str | None = None


class PayoutUnknown(Model):
    """The provider's answer to a payout was lost; what became of it is looked up."""

    payout_id: str = NOT_SENT
    status: Literal["requested", "waiting_for_funds", "unknown", "paid", "failed"] | str = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    failure_code: str | None = None


class PayoutPaid(Model):
    """The payout was sent to the creator's account."""

    payout_id: str = NOT_SENT
    status: Literal["requested", "waiting_for_funds", "unknown", "paid", "failed"] | str = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    failure_code: str | None = None


class PayoutFailed(Model):
    """The payout was not sent, and the money is in the earnings again."""

    payout_id: str = NOT_SENT
    status: Literal["requested", "waiting_for_funds", "unknown", "paid", "failed"] | str = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    failure_code: str | None = None


class SpendControlCreated(Model):
    """A spend control was opened."""

    control_id: str = NOT_SENT
    parent_id: str | None = None
    subject_type: Literal["organization", "department", "project", "agent", "run", "key"] | str = NOT_SENT
    subject_id: str | None = None
    currency: str = NOT_SENT
    status: Literal["active", "frozen", "closed"] | str = NOT_SENT
    version: int = NOT_SENT


class SpendControlUpdated(Model):
    """What a spend control allows was changed, or where it stands in the tree."""

    control_id: str = NOT_SENT
    parent_id: str | None = None
    subject_type: Literal["organization", "department", "project", "agent", "run", "key"] | str = NOT_SENT
    subject_id: str | None = None
    currency: str = NOT_SENT
    status: Literal["active", "frozen", "closed"] | str = NOT_SENT
    version: int = NOT_SENT


class SpendControlFrozen(Model):
    """A spend control was frozen: nothing can be spent under it."""

    control_id: str = NOT_SENT
    parent_id: str | None = None
    subject_type: Literal["organization", "department", "project", "agent", "run", "key"] | str = NOT_SENT
    subject_id: str | None = None
    currency: str = NOT_SENT
    status: Literal["active", "frozen", "closed"] | str = NOT_SENT
    version: int = NOT_SENT


class SpendControlUnfrozen(Model):
    """It can be spent under the control again, up to its limits."""

    control_id: str = NOT_SENT
    parent_id: str | None = None
    subject_type: Literal["organization", "department", "project", "agent", "run", "key"] | str = NOT_SENT
    subject_id: str | None = None
    currency: str = NOT_SENT
    status: Literal["active", "frozen", "closed"] | str = NOT_SENT
    version: int = NOT_SENT


class SpendControlClosed(Model):
    """A spend control was closed for good; it limits nothing any more."""

    control_id: str = NOT_SENT
    parent_id: str | None = None
    subject_type: Literal["organization", "department", "project", "agent", "run", "key"] | str = NOT_SENT
    subject_id: str | None = None
    currency: str = NOT_SENT
    status: Literal["active", "frozen", "closed"] | str = NOT_SENT
    version: int = NOT_SENT


class SpendLimitCrossed(Model):
    """So much of a limit is spent or reserved as one of its thresholds says."""

    control_id: str = NOT_SENT
    window: str = NOT_SENT
    threshold_percent: int = NOT_SENT
    resets_at: datetime | None = None


class OrganizationSuspended(Model):
    """An operator has suspended the organization: nothing new begins until it is resumed."""

    organization_id: str = NOT_SENT
    external_id: str | None = None
    status: Literal["active", "suspended", "closed"] | str = NOT_SENT
    changed_at: datetime = NOT_SENT


class OrganizationResumed(Model):
    """An operator has resumed the organization."""

    organization_id: str = NOT_SENT
    external_id: str | None = None
    status: Literal["active", "suspended", "closed"] | str = NOT_SENT
    changed_at: datetime = NOT_SENT


class OrganizationClosed(Model):
    """An operator has closed the organization for good; its keys are revoked."""

    organization_id: str = NOT_SENT
    external_id: str | None = None
    status: Literal["active", "suspended", "closed"] | str = NOT_SENT
    changed_at: datetime = NOT_SENT


class AgentRetired(Model):
    """The organization has retired an agent: nothing new begins with it."""

    agent_id: str = NOT_SENT
    external_id: str | None = None
    retired_at: datetime = NOT_SENT


class OrganizationUpdated(Model):
    """The organization has changed what it can change of an organization."""

    organization_id: str = NOT_SENT
    external_id: str | None = None
    changed: list[Literal["metadata", "external_id", "name"] | str] = NOT_SENT


class AgentUpdated(Model):
    """The organization has changed what it can change of an agent."""

    agent_id: str = NOT_SENT
    external_id: str | None = None
    changed: list[
        Literal["metadata", "external_id", "name", "description", "category", "pricing", "terms", "visibility"] | str
    ] = NOT_SENT


class ProjectUpdated(Model):
    """The organization has changed what it can change of a project."""

    project_id: str = NOT_SENT
    external_id: str | None = None
    changed: list[Literal["metadata", "external_id", "name"] | str] = NOT_SENT


class ContractUpdated(Model):
    """The organization has changed what it can change of a contract."""

    contract_id: str = NOT_SENT
    external_id: str | None = None
    changed: list[Literal["metadata", "external_id"] | str] = NOT_SENT


class EscrowUpdated(Model):
    """The organization has changed what it can change of an escrow."""

    escrow_id: str = NOT_SENT
    external_id: str | None = None
    changed: list[Literal["metadata", "external_id"] | str] = NOT_SENT


class PaymentUpdated(Model):
    """The organization has changed what it can change of a payment."""

    payment_id: str = NOT_SENT
    external_id: str | None = None
    changed: list[Literal["metadata", "external_id"] | str] = NOT_SENT


class InvoiceUpdated(Model):
    """The organization has changed what it can change of an invoice."""

    invoice_id: str = NOT_SENT
    external_id: str | None = None
    changed: list[Literal["metadata", "external_id"] | str] = NOT_SENT


class GrantUpdated(Model):
    """The organization has changed what it can change of a grant."""

    grant_id: str = NOT_SENT
    external_id: str | None = None
    changed: list[Literal["metadata", "external_id"] | str] = NOT_SENT


class InvoiceCreated(Model):
    """An invoice was drafted; it can still change."""

    invoice_id: str = NOT_SENT
    external_id: str | None = None
    status: Literal["open", "paid", "void", "draft", "uncollectible"] | str = NOT_SENT
    currency: str = NOT_SENT
    total: Amount = NOT_SENT
    tax_amount: Amount = NOT_SENT
    paid_amount: Amount = NOT_SENT
    due_amount: Amount = NOT_SENT
    paused_for: Literal["refund", "chargeback"] | str | None = None
    due_at: datetime = NOT_SENT


class InvoiceFinalized(Model):
    """An invoice was issued; it is to be paid."""

    invoice_id: str = NOT_SENT
    external_id: str | None = None
    status: Literal["open", "paid", "void", "draft", "uncollectible"] | str = NOT_SENT
    currency: str = NOT_SENT
    total: Amount = NOT_SENT
    tax_amount: Amount = NOT_SENT
    paid_amount: Amount = NOT_SENT
    due_amount: Amount = NOT_SENT
    paused_for: Literal["refund", "chargeback"] | str | None = None
    due_at: datetime = NOT_SENT


class InvoicePaid(Model):
    """Nothing of the invoice is due any more."""

    invoice_id: str = NOT_SENT
    external_id: str | None = None
    status: Literal["open", "paid", "void", "draft", "uncollectible"] | str = NOT_SENT
    currency: str = NOT_SENT
    total: Amount = NOT_SENT
    tax_amount: Amount = NOT_SENT
    paid_amount: Amount = NOT_SENT
    due_amount: Amount = NOT_SENT
    paused_for: Literal["refund", "chargeback"] | str | None = None
    due_at: datetime = NOT_SENT


class InvoiceReopened(Model):
    """A refund or a chargeback made an invoice due again that was settled."""

    invoice_id: str = NOT_SENT
    external_id: str | None = None
    status: Literal["open", "paid", "void", "draft", "uncollectible"] | str = NOT_SENT
    currency: str = NOT_SENT
    total: Amount = NOT_SENT
    tax_amount: Amount = NOT_SENT
    paid_amount: Amount = NOT_SENT
    due_amount: Amount = NOT_SENT
    paused_for: Literal["refund", "chargeback"] | str | None = None
    due_at: datetime = NOT_SENT


class InvoiceVoided(Model):
    """The invoice was ended while nothing was paid."""

    invoice_id: str = NOT_SENT
    external_id: str | None = None
    status: Literal["open", "paid", "void", "draft", "uncollectible"] | str = NOT_SENT
    currency: str = NOT_SENT
    total: Amount = NOT_SENT
    tax_amount: Amount = NOT_SENT
    paid_amount: Amount = NOT_SENT
    due_amount: Amount = NOT_SENT
    paused_for: Literal["refund", "chargeback"] | str | None = None
    due_at: datetime = NOT_SENT


class InvoiceMarkedUncollectible(Model):
    """What was due was given up."""

    invoice_id: str = NOT_SENT
    external_id: str | None = None
    status: Literal["open", "paid", "void", "draft", "uncollectible"] | str = NOT_SENT
    currency: str = NOT_SENT
    total: Amount = NOT_SENT
    tax_amount: Amount = NOT_SENT
    paid_amount: Amount = NOT_SENT
    due_amount: Amount = NOT_SENT
    paused_for: Literal["refund", "chargeback"] | str | None = None
    due_at: datetime = NOT_SENT


class InvoiceDeleted(Model):
    """A draft was discarded."""

    invoice_id: str = NOT_SENT
    external_id: str | None = None
    status: Literal["open", "paid", "void", "draft", "uncollectible"] | str = NOT_SENT
    currency: str = NOT_SENT
    total: Amount = NOT_SENT
    tax_amount: Amount = NOT_SENT
    paid_amount: Amount = NOT_SENT
    due_amount: Amount = NOT_SENT
    paused_for: Literal["refund", "chargeback"] | str | None = None
    due_at: datetime = NOT_SENT


class CreditNoteCreated(Model):
    """A credit note was issued: what an invoice comes to has become less."""

    credit_note_id: str = NOT_SENT
    invoice_id: str = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    tax_amount: Amount = NOT_SENT


class PurchaseCreated(Model):
    """An agent was bought."""

    purchase_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["buyer", "seller"] | str = NOT_SENT
    model: Literal["monthly", "free", "one_time", "usage"] | str = NOT_SENT
    status: Literal["active", "suspended", "refunded", "ended"] | str = NOT_SENT
    currency: str | None = None
    price: Amount | None = None
    ends_at: datetime | None = None


class PurchaseSuspended(Model):
    """What paid for the agent is contested; the buyer cannot use it meanwhile."""

    purchase_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["buyer", "seller"] | str = NOT_SENT
    model: Literal["monthly", "free", "one_time", "usage"] | str = NOT_SENT
    status: Literal["active", "suspended", "refunded", "ended"] | str = NOT_SENT
    currency: str | None = None
    price: Amount | None = None
    ends_at: datetime | None = None


class PurchaseResumed(Model):
    """The buyer can use the agent again."""

    purchase_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["buyer", "seller"] | str = NOT_SENT
    model: Literal["monthly", "free", "one_time", "usage"] | str = NOT_SENT
    status: Literal["active", "suspended", "refunded", "ended"] | str = NOT_SENT
    currency: str | None = None
    price: Amount | None = None
    ends_at: datetime | None = None


class PurchaseRefunded(Model):
    """The buyer returned the agent, and what it cost was refunded."""

    purchase_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["buyer", "seller"] | str = NOT_SENT
    model: Literal["monthly", "free", "one_time", "usage"] | str = NOT_SENT
    status: Literal["active", "suspended", "refunded", "ended"] | str = NOT_SENT
    currency: str | None = None
    price: Amount | None = None
    ends_at: datetime | None = None


class PurchaseEnded(Model):
    """The month that was paid is over, renewed or not; or an agent paid by use was cancelled."""

    purchase_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["buyer", "seller"] | str = NOT_SENT
    model: Literal["monthly", "free", "one_time", "usage"] | str = NOT_SENT
    status: Literal["active", "suspended", "refunded", "ended"] | str = NOT_SENT
    currency: str | None = None
    price: Amount | None = None
    ends_at: datetime | None = None


class ProjectCreated(Model):
    """A project was made."""

    project_id: str = NOT_SENT
    external_id: str | None = None
    deploy_type: str = NOT_SENT
    deployed_at: datetime | None = None


class DeploymentStarted(Model):
    """A project is to run from now on."""

    project_id: str = NOT_SENT
    external_id: str | None = None
    deploy_type: str = NOT_SENT
    deployed_at: datetime | None = None


class DeploymentStopped(Model):
    """A project is not to run any more."""

    project_id: str = NOT_SENT
    external_id: str | None = None
    deploy_type: str = NOT_SENT
    deployed_at: datetime | None = None


class ContractCreated(Model):
    """A contract was made; its escrow can be opened."""

    contract_id: str = NOT_SENT
    external_id: str | None = None
    agent_id: str = NOT_SENT
    role: Literal["payer", "payee", "signatory"] | str = NOT_SENT
    currency: str = NOT_SENT
    price: Amount = NOT_SENT
    accept_by: datetime | None = None
    accepted_at: datetime | None = None


class ContractProposed(Model):
    """A contract was proposed on terms that the payee has to accept."""

    contract_id: str = NOT_SENT
    external_id: str | None = None
    agent_id: str = NOT_SENT
    role: Literal["payer", "payee", "signatory"] | str = NOT_SENT
    currency: str = NOT_SENT
    price: Amount = NOT_SENT
    accept_by: datetime | None = None
    accepted_at: datetime | None = None


class ContractAccepted(Model):
    """The payee has accepted the terms."""

    contract_id: str = NOT_SENT
    external_id: str | None = None
    agent_id: str = NOT_SENT
    role: Literal["payer", "payee", "signatory"] | str = NOT_SENT
    currency: str = NOT_SENT
    price: Amount = NOT_SENT
    accept_by: datetime | None = None
    accepted_at: datetime | None = None


class ContractExpired(Model):
    """The payee did not accept the terms in time, and cannot accept them any more."""

    contract_id: str = NOT_SENT
    external_id: str | None = None
    agent_id: str = NOT_SENT
    role: Literal["payer", "payee", "signatory"] | str = NOT_SENT
    currency: str = NOT_SENT
    price: Amount = NOT_SENT
    accept_by: datetime | None = None
    accepted_at: datetime | None = None


class AlertRaised(Model):
    """Something needs a person's attention."""

    alert_id: str = NOT_SENT
    kind: str = NOT_SENT
    subject: str = NOT_SENT
    severity: Literal["info", "warning", "critical"] | str = NOT_SENT


class AlertAcknowledged(Model):
    """Somebody has seen the alert, or its case is closed."""

    alert_id: str = NOT_SENT
    kind: str = NOT_SENT
    subject: str = NOT_SENT
    severity: Literal["info", "warning", "critical"] | str = NOT_SENT


class AlertSnoozed(Model):
    """The organization hears nothing of the alert until a moment."""

    alert_id: str = NOT_SENT
    kind: str = NOT_SENT
    subject: str = NOT_SENT
    severity: Literal["info", "warning", "critical"] | str = NOT_SENT
    snoozed_until: datetime = NOT_SENT


class AlertResolved(Model):
    """The alert's case is closed."""

    alert_id: str = NOT_SENT
    kind: str = NOT_SENT
    subject: str = NOT_SENT
    severity: Literal["info", "warning", "critical"] | str = NOT_SENT


class CreditLotCreated(Model):
    """Credits were added."""

    lot_id: str = NOT_SENT
    external_id: str | None = None
    source: str = NOT_SENT
    amount: Amount = NOT_SENT
    expires_at: datetime | None = None


class CreditLotExpired(Model):
    """Credits have expired."""

    lot_id: str = NOT_SENT
    external_id: str | None = None
    source: str = NOT_SENT
    amount: Amount = NOT_SENT
    expires_at: datetime | None = None


class ReservationCreated(Model):
    """Credits were reserved."""

    reservation_id: str = NOT_SENT
    status: str = NOT_SENT
    agent_id: str | None = None
    asset: str = NOT_SENT
    amount: Amount = NOT_SENT
    captured_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    expires_at: datetime | None = None


class ReservationCaptured(Model):
    """A reservation has ended, and a part or all of it was used."""

    reservation_id: str = NOT_SENT
    status: str = NOT_SENT
    agent_id: str | None = None
    asset: str = NOT_SENT
    amount: Amount = NOT_SENT
    captured_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    expires_at: datetime | None = None


class ReservationReleased(Model):
    """A reservation was given up; nothing of it was used."""

    reservation_id: str = NOT_SENT
    status: str = NOT_SENT
    agent_id: str | None = None
    asset: str = NOT_SENT
    amount: Amount = NOT_SENT
    captured_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    expires_at: datetime | None = None


class ReservationExpired(Model):
    """A reservation has expired; nothing of it was used."""

    reservation_id: str = NOT_SENT
    status: str = NOT_SENT
    agent_id: str | None = None
    asset: str = NOT_SENT
    amount: Amount = NOT_SENT
    captured_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    expires_at: datetime | None = None


class ReservationRefunded(Model):
    """A reservation has ended, and all that was used of it was refunded before."""

    reservation_id: str = NOT_SENT
    status: str = NOT_SENT
    agent_id: str | None = None
    asset: str = NOT_SENT
    amount: Amount = NOT_SENT
    captured_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    expires_at: datetime | None = None


class SpendRefunded(Model):
    """An operator refunded a part or all of what was charged."""

    spend_id: str = NOT_SENT
    status: str = NOT_SENT
    agent_id: str | None = None
    asset: str = NOT_SENT
    amount: Amount = NOT_SENT
    captured_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    expires_at: datetime | None = None


class ScoreChanged(Model):
    """An agent's stars changed in a night, by a tenth or more."""

    agent_id: str = NOT_SENT
    external_id: str | None = None
    stars: Amount = NOT_SENT
    change: Amount = NOT_SENT
    is_sudden: bool = NOT_SENT
    day: str = NOT_SENT


class WebhookEndpointTest(Model):
    """Somebody of the organization tries an endpoint out; no other endpoint gets it."""

    endpoint_id: str = NOT_SENT


#: The class of each type.
BY_TYPE: dict[str, type[Model]] = {
    "escrow.opened": EscrowOpened,
    "escrow.funded": EscrowFunded,
    "escrow.delivered": EscrowDelivered,
    "escrow.disputed": EscrowDisputed,
    "escrow.released": EscrowReleased,
    "escrow.refunded": EscrowRefunded,
    "escrow.split": EscrowSplit,
    "escrow.cancelled": EscrowCancelled,
    "escrow.expired": EscrowExpired,
    "escrow.validated": EscrowValidated,
    "escrow.approved": EscrowApproved,
    "escrow.review_extended": EscrowReviewExtended,
    "escrow.evidence_submitted": EscrowEvidenceSubmitted,
    "escrow.partially_refunded": EscrowPartiallyRefunded,
    "escrow.cancel_requested": EscrowCancelRequested,
    "escrow.decision_overdue": EscrowDecisionOverdue,
    "escrow.milestone_released": EscrowMilestoneReleased,
    "payment.created": PaymentCreated,
    "payment.requires_action": PaymentRequiresAction,
    "payment.processing": PaymentProcessing,
    "payment.unknown": PaymentUnknown,
    "payment.requires_capture": PaymentRequiresCapture,
    "payment.succeeded": PaymentSucceeded,
    "payment.failed": PaymentFailed,
    "payment.expired": PaymentExpired,
    "payment.cancelled": PaymentCancelled,
    "payment.partially_refunded": PaymentPartiallyRefunded,
    "payment.refunded": PaymentRefunded,
    "payment.disputed": PaymentDisputed,
    "payment.charged_back": PaymentChargedBack,
    "refund.requested": RefundRequested,
    "refund.unknown": RefundUnknown,
    "refund.pending": RefundPending,
    "refund.succeeded": RefundSucceeded,
    "refund.failed": RefundFailed,
    "chargeback.inquiry": ChargebackInquiry,
    "chargeback.needs_response": ChargebackNeedsResponse,
    "chargeback.under_review": ChargebackUnderReview,
    "chargeback.won": ChargebackWon,
    "chargeback.lost": ChargebackLost,
    "subscription.created": SubscriptionCreated,
    "subscription.incomplete": SubscriptionIncomplete,
    "subscription.trialing": SubscriptionTrialing,
    "subscription.active": SubscriptionActive,
    "subscription.past_due": SubscriptionPastDue,
    "subscription.unpaid": SubscriptionUnpaid,
    "subscription.ended": SubscriptionEnded,
    "subscription.updated": SubscriptionUpdated,
    "payout.requested": PayoutRequested,
    "payout.waiting_for_funds": PayoutWaitingForFunds,
    "payout.unknown": PayoutUnknown,
    "payout.paid": PayoutPaid,
    "payout.failed": PayoutFailed,
    "spend_control.created": SpendControlCreated,
    "spend_control.updated": SpendControlUpdated,
    "spend_control.frozen": SpendControlFrozen,
    "spend_control.unfrozen": SpendControlUnfrozen,
    "spend_control.closed": SpendControlClosed,
    "spend_limit.crossed": SpendLimitCrossed,
    "organization.suspended": OrganizationSuspended,
    "organization.resumed": OrganizationResumed,
    "organization.closed": OrganizationClosed,
    "agent.retired": AgentRetired,
    "organization.updated": OrganizationUpdated,
    "agent.updated": AgentUpdated,
    "project.updated": ProjectUpdated,
    "contract.updated": ContractUpdated,
    "escrow.updated": EscrowUpdated,
    "payment.updated": PaymentUpdated,
    "invoice.updated": InvoiceUpdated,
    "grant.updated": GrantUpdated,
    "invoice.created": InvoiceCreated,
    "invoice.finalized": InvoiceFinalized,
    "invoice.paid": InvoicePaid,
    "invoice.reopened": InvoiceReopened,
    "invoice.voided": InvoiceVoided,
    "invoice.marked_uncollectible": InvoiceMarkedUncollectible,
    "invoice.deleted": InvoiceDeleted,
    "credit_note.created": CreditNoteCreated,
    "purchase.created": PurchaseCreated,
    "purchase.suspended": PurchaseSuspended,
    "purchase.resumed": PurchaseResumed,
    "purchase.refunded": PurchaseRefunded,
    "purchase.ended": PurchaseEnded,
    "project.created": ProjectCreated,
    "deployment.started": DeploymentStarted,
    "deployment.stopped": DeploymentStopped,
    "contract.created": ContractCreated,
    "contract.proposed": ContractProposed,
    "contract.accepted": ContractAccepted,
    "contract.expired": ContractExpired,
    "alert.raised": AlertRaised,
    "alert.acknowledged": AlertAcknowledged,
    "alert.snoozed": AlertSnoozed,
    "alert.resolved": AlertResolved,
    "credit_lot.created": CreditLotCreated,
    "credit_lot.expired": CreditLotExpired,
    "reservation.created": ReservationCreated,
    "reservation.captured": ReservationCaptured,
    "reservation.released": ReservationReleased,
    "reservation.expired": ReservationExpired,
    "reservation.refunded": ReservationRefunded,
    "spend.refunded": SpendRefunded,
    "score.changed": ScoreChanged,
    "webhook_endpoint.test": WebhookEndpointTest,
}
