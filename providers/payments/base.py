"""The seam between payments and whoever moves the money: one Protocol, and results in the domain's terms.

A provider answers with snapshots of its own state. Nothing is inferred from the order of calls or webhooks: whoever
wants to know asks again, and books what is new. What it did to its balance is a list of `BalanceTransaction`s, each
under a key that a snapshot and the provider's own statement share, so that each is booked once and reconciled.

Errors of every method:
    ProviderUnavailable: the provider could not be asked; nothing happened there. CredentialsRefused when it rejects our
        key, which says nothing of what was asked.
    OutcomeUnknown: the call may or may not have had its effect. It must be looked up before anything is tried again.
    ProviderRefused: the provider understood and refused, for a reason that trying again does not change;
        ProviderNotFound when it has no such object.
A decline is none of these: it is a result.
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
    """A provider did not do what it was asked. `code` and `detail` are for people; they never hold secrets."""

    def __init__(self, detail: str, *, code: str = "provider.error") -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code


class ProviderUnavailable(ProviderError):
    """The provider could not be asked, or asked us to wait; nothing happened there. The same call is safe to repeat."""


class CredentialsRefused(ProviderUnavailable):
    """The provider rejected this system's own credentials: nothing happened there, and an operator corrects them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadSource:
    """Something that a statement could not be read of.

    Attributes:
        subject: our payment whose place it is; else the address that payments share, or the chain that is silent.
        why: for people.
        has_gap: whether movements of the window may be missing that no later window lists.
    """

    subject: str
    why: str
    has_gap: bool = False


class StatementIncomplete(ProviderUnavailable):
    """What could be read of a statement was listed; `unread` says what could not."""

    def __init__(self, unread: Sequence[UnreadSource]) -> None:
        places = ", ".join(f"{place.subject} ({place.why})" for place in unread[:10])
        more = f" and {len(unread) - 10} more" if len(unread) > 10 else ""
        super().__init__(f"These places could not be read: {places}{more}.", code="statement.incomplete")
        self.unread = tuple(unread)


class OutcomeUnknown(ProviderError):
    """The call broke off after it was sent: it may have had its effect."""


class ProviderRefused(ProviderError):
    """The provider understood and refused: a wrong amount, an unknown object, a key that is not ours."""


class ProviderNotFound(ProviderRefused):
    """The provider has no such object, or keeps it no longer."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail, code=NOT_FOUND)


class BadSignature(ProviderError):
    """A webhook is unsigned, signed by somebody else, or too old."""


class PaymentProvider(Protocol):
    """Takes payments and gives them back.

    `ref` is the provider's id of the payment as `Snapshot.ref` gave it. Amounts are minor units of the payment's own
    currency in the scale of `domain.common.money`; an adapter converts where its provider counts differently.
    """

    name: str

    async def create(self, payment: CreatePayment, *, idempotency_key: str) -> Snapshot:
        """Make the payment there. The same key gives the same payment; a decline is a snapshot with `decline`."""

    async def retrieve(self, ref: str) -> Snapshot:
        """Return the payment as it stands there now, with its refunds, disputes and movements."""

    async def find(self, payment: CreatePayment, *, idempotency_key: str) -> Snapshot | None:
        """Find what an earlier `create` of this payment made, without making anything.

        It does not rely on the provider remembering the key: objects carry `payment.payment_id`.
        """

    async def confirm(self, ref: str, method_ref: str | None, *, idempotency_key: str) -> Snapshot:
        """Go on with a payment whose payer has acted: pay with a stored method, or take an order that was approved."""

    async def capture(self, ref: str, amount_minor: int, *, idempotency_key: str) -> Snapshot:
        """Take up to the authorized amount and release the rest."""

    async def cancel(self, ref: str, *, idempotency_key: str) -> Snapshot:
        """End a payment that has not taken any money; one that has is returned as it stands."""

    async def refund(
        self, ref: str, *, refund_id: str, amount_minor: int, reason: str | None, idempotency_key: str
    ) -> RefundSnapshot:
        """Refund a part of the payment. `refund_id` is ours and is kept on the provider's object."""

    async def find_refund(self, ref: str, *, refund_id: str, idempotency_key: str) -> RefundSnapshot | None:
        """Find what an earlier `refund` made, without making anything."""

    async def submit_evidence(self, dispute_ref: str, evidence: DisputeEvidence, *, idempotency_key: str) -> None:
        """Answer a dispute; `evidence.final` submits it for good."""

    def list_movements(self, *, since: datetime, until: datetime) -> AsyncIterator[BalanceTransaction]:
        """List what changed the balance there in `[since, until)`, in any order; the provider's own statement.

        Raises `StatementIncomplete` behind the last movement when a part of it could not be read.
        """

    async def verify_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        """Return the event that a webhook carries; `BadSignature` when it is not the provider's.

        Names of headers are in lower case.
        """
