"""Protocol of payment providers, with results in the domain's terms.

A provider returns snapshots of its state. Nothing is inferred from the order of calls or webhooks: the caller reads
again and books the changes. A snapshot lists `BalanceTransaction`s under the same keys as the provider's statement, so
that each is booked once and can be reconciled.

Errors of every method:
    ProviderUnavailable: the provider could not be reached; nothing happened there. CredentialsRefused if it rejects our
        key, which proves nothing about the request.
    OutcomeUnknown: the call may have had its effect. It must be looked up before a retry.
    ProviderRefused: the provider refused the request, for a reason that a retry does not change; ProviderNotFound if it
        has no such object.
A decline is not an error, but a result.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.payments.payment.snapshot import (
    NOT_FOUND,
    BalanceTransaction,
    CreatePayment,
    DisputeEvidence,
    ProviderEvent,
    RefundSnapshot,
    Snapshot,
)


class ProviderError(Exception):
    """A failed call to a provider. `code` and `detail` are for people and never contain secrets."""

    def __init__(self, detail: str, *, code: str = "provider.error") -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code


class ProviderUnavailable(ProviderError):
    """The provider could not be reached, or asked us to wait; nothing happened there. The call is safe to repeat."""


class CredentialsRefused(ProviderUnavailable):
    """The provider rejected this system's credentials, which an operator has to correct; nothing happened there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadSource:
    """A source of a statement that could not be read.

    Attributes:
        subject: the payment of the address; otherwise the shared address, or the chain that does not respond.
        why: the reason, for people.
        has_gap: whether movements of the window may be missing that no later window lists.
    """

    subject: str
    why: str
    has_gap: bool = False


class StatementIncomplete(ProviderUnavailable):
    """The statement was listed only in part; `unread` names the sources that could not be read."""

    def __init__(self, unread: Sequence[UnreadSource]) -> None:
        places = ", ".join(f"{place.subject} ({place.why})" for place in unread[:10])
        more = f" and {len(unread) - 10} more" if len(unread) > 10 else ""
        super().__init__(f"These sources could not be read: {places}{more}.", code="statement.incomplete")
        self.unread = tuple(unread)


class OutcomeUnknown(ProviderError):
    """The connection broke after the request was sent, so the call may have had its effect."""


class ProviderRefused(ProviderError):
    """The provider refused the request, for example because of a wrong amount or an unknown object."""


class ProviderNotFound(ProviderRefused):
    """The provider has no such object, or no longer keeps it."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, code=NOT_FOUND)


class BadSignature(ProviderError):
    """A webhook is unsigned, not signed by the provider, or too old."""


class PaymentProvider(Protocol):
    """Charges and refunds payments.

    `ref` is the provider's id of the payment, from `Snapshot.ref`. Amounts are minor units of the payment's currency in
    the scale of `domain.common.money`; an adapter converts them if its provider's differ.
    """

    name: str

    async def create(self, payment: CreatePayment, *, idempotency_key: str) -> Snapshot:
        """Create the payment. The same key gives the same payment; a decline is a snapshot with `decline`."""

    async def retrieve(self, ref: str) -> Snapshot:
        """Return the payment's current state, with refunds, disputes and balance transactions."""

    async def find(self, payment: CreatePayment, *, idempotency_key: str) -> Snapshot | None:
        """Find the payment of an earlier `create`, without creating one.

        It does not rely on the provider remembering the key: objects carry `payment.payment_id`.
        """

    async def confirm(self, ref: str, method_ref: str | None, *, idempotency_key: str) -> Snapshot:
        """Continue after the payer has acted: charge a stored method, or capture an approved order."""

    async def capture(self, ref: str, amount_minor: int, *, idempotency_key: str) -> Snapshot:
        """Capture up to the authorized amount and release the rest."""

    async def cancel(self, ref: str, *, idempotency_key: str) -> Snapshot:
        """Cancel an unpaid payment; one that was paid is only read."""

    async def refund(
        self, ref: str, *, refund_id: str, amount_minor: int, reason: str | None, idempotency_key: str
    ) -> RefundSnapshot:
        """Refund a part of the payment. `refund_id` is ours and stored on the provider's object."""

    async def find_refund(self, ref: str, *, refund_id: str, idempotency_key: str) -> RefundSnapshot | None:
        """Find the refund of an earlier `refund`, without making one."""

    async def submit_evidence(self, dispute_ref: str, evidence: DisputeEvidence, *, idempotency_key: str) -> None:
        """Send evidence for a dispute; `evidence.final` submits it for good."""

    def list_movements(self, *, since: datetime, until: datetime) -> AsyncIterator[BalanceTransaction]:
        """List the balance transactions in `[since, until)` from the provider's statement, in any order.

        Raises `StatementIncomplete` after the last one if a part could not be read.
        """

    async def verify_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        """Return the event of a webhook; `BadSignature` if the provider has not signed it.

        Names of headers are in lower case.
        """
