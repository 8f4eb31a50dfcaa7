"""Payment provider for credits: our own ledger, with immediate payments.

A payment is a transfer from the organization's credits to `provider/credits/clearing`, a refund a transfer back. The
payment's bookings then use the clearing account like that of any other provider. `ref` is the transfer's id.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Protocol

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from domain.common.access import Actor
from domain.common.accounts import org_credits, provider_clearing
from domain.common.errors import DomainError, IdempotencyConflict, InsufficientFunds, SpendLimitExceeded, Unavailable
from domain.common.ids import is_id, transfer_id, uuid_of
from domain.common.money import CREDIT, format_amount
from domain.credits.lots import LotSource, LotTerms
from domain.payments.payment.snapshot import (
    BalanceTransaction,
    BalanceTransactionKind,
    CreatePayment,
    Decline,
    DisputeEvidence,
    ProviderEvent,
    ProviderStatus,
    RefundSnapshot,
    RefundStatus,
    Snapshot,
)
from ledger.gateway import Ledger
from ledger.spends import RefusalReason
from ledger.transfers import Transfer, Transfers
from providers.payments.base import BadSignature, OutcomeUnknown, ProviderNotFound, ProviderRefused, ProviderUnavailable

PAYMENT, REFUND = "credit_payment", "credit_payment_refund"

Connect = Callable[[], AbstractAsyncContextManager[asyncpg.Connection]]


class RefuseLimited(Protocol):
    """Checks that no spend control freezes or limits the requester, before credits are used."""

    async def __call__(self, connection: asyncpg.Connection, actor: Actor | None, org_id: str, *, at: datetime) -> None:
        """Raise `SpendLimitExceeded` if a control does."""


class CreditsProvider:
    """Pays with the credits of the paying organization. There are no fees, disputes, webhooks or stored methods."""

    name = "credits"

    def __init__(
        self,
        connect: Connect,
        *,
        refuse_limited: RefuseLimited,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Take a factory of connections with the platform's role; each call commits one transaction."""
        self._connect = connect
        self._refuse_limited = refuse_limited
        self._clock = clock
        self._clearing = provider_clearing(self.name, CREDIT)

    async def create(self, payment: CreatePayment, *, idempotency_key: str) -> Snapshot:
        """Move the credits; insufficient, frozen or limited ones are a decline, without a trace in the books."""
        if payment.currency != CREDIT:
            raise ProviderRefused(
                "Only prices in credits can be paid with credits.", code="payment.currency_unsupported"
            )
        if payment.manual_capture:
            raise ProviderRefused(
                "Payments with credits cannot be authorized first.", code="payment.capture_unsupported"
            )
        try:
            async with self._books(changes=True) as connection:
                ledger = Ledger(connection)
                # A freeze is written under the balance's lock, so a concurrent one is waited for and seen.
                await ledger.lock_balances([org_credits(payment.org_id)])
                done = await self._transfers(connection).by_key(idempotency_key)
                if done is None:
                    await self._refuse_limited(connection, payment.asked_by, payment.org_id, at=self._clock())
                posted = await ledger.post(
                    key=idempotency_key,
                    kind=PAYMENT,
                    source=org_credits(payment.org_id),
                    destination=self._clearing,
                    amount_minor=payment.amount_minor,
                    effective_at=self._clock(),
                    reference=payment.payment_id,
                    org_id=payment.org_id,
                    metadata={"payment_id": payment.payment_id},
                )
                return await self._snapshot(connection, transfer_id(posted.transfer_id))
        except InsufficientFunds:
            detail = f"{format_amount(payment.amount_minor, CREDIT)} credits are not available."
            return _declined(payment, code="insufficient_funds", detail=detail)
        except SpendLimitExceeded as refusal:
            if refusal.extra["reason"] == RefusalReason.FROZEN:
                return _declined(payment, code="spending_frozen", detail=refusal.detail)
            return _declined(payment, code="spending_limited", detail=refusal.detail)

    async def retrieve(self, ref: str) -> Snapshot:
        """Read the transfer and its refunds."""
        async with self._books(changes=False) as connection:
            return await self._snapshot(connection, ref)

    async def find(self, payment: CreatePayment, *, idempotency_key: str) -> Snapshot | None:
        """Look up the key, which the ledger never deletes."""
        async with self._books(changes=False) as connection:
            found = await self._transfers(connection).by_key(idempotency_key)
            if found is None or found.kind != PAYMENT or found.reference != payment.payment_id:
                return None
            return await self._snapshot(connection, transfer_id(found.transfer_id))

    async def confirm(self, ref: str, method_ref: str | None, *, idempotency_key: str) -> Snapshot:  # noqa: ARG002
        """Return the payment: it never waits for the payer."""
        return await self.retrieve(ref)

    async def capture(self, ref: str, amount_minor: int, *, idempotency_key: str) -> Snapshot:  # noqa: ARG002
        """Refuse: there are no authorizations."""
        raise ProviderRefused(
            "Payments with credits are captured immediately, so nothing is left to capture.",
            code="payment.not_authorized",
        )

    async def cancel(self, ref: str, *, idempotency_key: str) -> Snapshot:  # noqa: ARG002
        """Return the payment: it was paid immediately."""
        return await self.retrieve(ref)

    async def refund(
        self, ref: str, *, refund_id: str, amount_minor: int, reason: str | None, idempotency_key: str
    ) -> RefundSnapshot:
        """Move credits back, at most the remainder of the payment."""
        async with self._books(changes=True) as connection:
            transfers = self._transfers(connection)
            await transfers.lock(ref)
            paid = await self._paid(transfers, ref)
            refunds = await transfers.credit_refunds(ref)
            for made in refunds:
                if made.metadata.get("refund_id") == refund_id and -made.amount_minor == amount_minor:
                    return _refund(made)
            if amount_minor > paid.amount_minor + sum(made.amount_minor for made in refunds):
                raise ProviderRefused(
                    "The refund exceeds the remaining amount of the payment.", code="payment.refund_exceeds_remainder"
                )
            posted = await Ledger(connection).post(
                key=idempotency_key,
                kind=REFUND,
                source=self._clearing,
                destination=org_credits(str(paid.org_id)),
                amount_minor=amount_minor,
                effective_at=self._clock(),
                reference=ref,
                org_id=paid.org_id,
                metadata={"payment_id": paid.reference, "refund_id": refund_id, "reason": reason},
                lots=LotTerms(returns=paid.transfer_id, source=LotSource.REFUND),
            )
            moved = await transfers.by_id(posted.transfer_id)
            assert moved is not None
            return _refund(moved)

    async def find_refund(self, ref: str, *, refund_id: str, idempotency_key: str) -> RefundSnapshot | None:
        """Look up the key."""
        async with self._books(changes=False) as connection:
            made = await self._transfers(connection).by_key(idempotency_key)
        ours = made is not None and made.kind == REFUND and made.reference == ref
        return _refund(made) if made is not None and ours and made.metadata.get("refund_id") == refund_id else None

    async def submit_evidence(self, dispute_ref: str, evidence: DisputeEvidence, *, idempotency_key: str) -> None:  # noqa: ARG002
        """Refuse: credits have no disputes."""
        raise ProviderRefused("Payments with credits cannot be disputed.", code="payment.disputes_unsupported")

    async def list_movements(self, *, since: datetime, until: datetime) -> AsyncIterator[BalanceTransaction]:
        """List the transfers of payments and refunds, without further bookings on the clearing account."""
        async with self._books(changes=False) as connection:
            moved = await self._transfers(connection).between((PAYMENT, REFUND), since, until)
        for transfer in moved:
            yield _movement(transfer)

    async def verify_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:  # noqa: ARG002
        """Refuse: credits have no webhooks."""
        raise BadSignature("Credits have no webhooks.", code="webhook.bad_signature")

    @asynccontextmanager
    async def _books(self, *, changes: bool) -> AsyncIterator[asyncpg.Connection]:
        """Open the books for one call; raise provider errors, except for insufficient, frozen and limited credits."""
        reached = False
        try:
            async with self._connect() as connection:
                reached = True
                yield connection
        except (InsufficientFunds, SpendLimitExceeded):
            raise
        except (Unavailable, OSError, SQLAlchemyError, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
            detail = "The books did not answer."
            raise (OutcomeUnknown(detail) if changes and reached else ProviderUnavailable(detail)) from error
        except IdempotencyConflict as error:
            raise ProviderRefused(error.detail, code="idempotency_error") from error
        except DomainError as error:
            raise ProviderRefused(error.detail, code=error.error_code) from error

    def _transfers(self, connection: asyncpg.Connection) -> Transfers:
        return Transfers(connection, self._clearing)

    async def _snapshot(self, connection: asyncpg.Connection, ref: str) -> Snapshot:
        transfers = self._transfers(connection)
        paid = await self._paid(transfers, ref)
        refunds = await transfers.credit_refunds(ref)
        return Snapshot(
            ref=ref,
            status=ProviderStatus.SUCCEEDED,
            amount_minor=paid.amount_minor,
            currency=CREDIT,
            movements=tuple(_movement(transfer) for transfer in (paid, *refunds)),
            refunds=tuple(map(_refund, refunds)),
        )

    async def _paid(self, transfers: Transfers, ref: str) -> Transfer:
        paid = await transfers.by_id(uuid_of(ref)) if is_id(ref, "tr") else None
        if paid is None or paid.kind != PAYMENT:
            raise ProviderNotFound("There is no such payment with credits.")
        return paid


def _declined(payment: CreatePayment, *, code: str, detail: str) -> Snapshot:
    return Snapshot(
        ref=payment.payment_id,
        status=ProviderStatus.FAILED,
        amount_minor=payment.amount_minor,
        currency=CREDIT,
        decline=Decline(code=code, detail=detail),
    )


def _movement(transfer: Transfer) -> BalanceTransaction:
    ref = transfer_id(transfer.transfer_id)
    return BalanceTransaction(
        key=ref,
        kind=BalanceTransactionKind.CHARGE if transfer.kind == PAYMENT else BalanceTransactionKind.REFUND,
        amount_minor=transfer.amount_minor,
        fee_minor=0,
        currency=CREDIT,
        occurred_at=transfer.effective_at,
        ref=ref,
        payment_id=str(transfer.metadata["payment_id"]),
        statement_ref=ref,
    )


def _refund(transfer: Transfer) -> RefundSnapshot:
    return RefundSnapshot(
        ref=transfer_id(transfer.transfer_id),
        refund_id=str(transfer.metadata["refund_id"]),
        status=RefundStatus.SUCCEEDED,
        amount_minor=-transfer.amount_minor,
        created_at=transfer.effective_at,
    )
