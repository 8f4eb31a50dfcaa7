"""A provider in memory, which tests control, and terms to begin with."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.payments.payment.snapshot import (
    BalanceTransaction,
    BalanceTransactionKind,
    CreatePayment,
    Decline,
    DisputeEvidence,
    DisputeSnapshot,
    DisputeStatus,
    NextAction,
    ProviderEvent,
    ProviderStatus,
    RefundSnapshot,
    RefundStatus,
    Snapshot,
)
from domain.payments.payment.terms import PaymentTerms, Purpose, PurposeKind
from providers.payments.base import (
    BadSignature,
    CredentialsRefused,
    OutcomeUnknown,
    ProviderNotFound,
    ProviderRefused,
    ProviderUnavailable,
)

EPOCH = datetime(2026, 1, 5, 12, tzinfo=UTC)

CREDITS = Purpose(kind=PurposeKind.CREDITS, goods_asset="CREDIT", goods_minor=100_000_000)
TERMS = PaymentTerms(
    payment_id="pay_01h455vb4pex5vsknk084sn02q",
    org_id="org_01h455vb4pex5vsknk084sn02q",
    provider="fake",
    amount_minor=1000,
    currency="USD",
    purpose=CREDITS,
    description="100 credits",
    created_at=EPOCH,
    expires_at=EPOCH + timedelta(hours=23),
    longest_poll_seconds=6 * 3600,  # a test that skips days has few looks at the provider to wait for
)


@dataclass
class Account:
    """One payment at the fake provider. Every method is something that can happen there."""

    asked: CreatePayment
    ref: str
    status: ProviderStatus = ProviderStatus.REQUIRES_ACTION
    decline: Decline | None = None
    approved: bool = False
    refuses_what_was_approved: bool = False
    gone_for_good: bool = False
    ends_as: ProviderStatus = ProviderStatus.CANCELLED
    authorized_minor: int = 0
    pays_until: datetime | None = None
    movements: list[BalanceTransaction] = field(default_factory=list)
    refunds: dict[str, RefundSnapshot] = field(default_factory=dict)
    disputes: dict[str, DisputeSnapshot] = field(default_factory=dict)
    at: datetime = EPOCH
    numbers: Any = field(default_factory=lambda: itertools.count(1))

    def tick(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at

    def snapshot(self) -> Snapshot:
        return Snapshot(
            ref=self.ref,
            status=self.status,
            amount_minor=self.asked.amount_minor,
            currency=self.asked.currency,
            action=self._action() if self.status is ProviderStatus.REQUIRES_ACTION else None,
            decline=self.decline,
            approved=self.approved and self.status is ProviderStatus.REQUIRES_ACTION,
            authorized_minor=self.authorized_minor,
            movements=tuple(self.movements),
            refunds=tuple(self.refunds.values()),
            disputes=tuple(self.disputes.values()),
            pays_until=self.pays_until if self.status is ProviderStatus.REQUIRES_ACTION else None,
        )

    def _action(self) -> NextAction:
        if self.asked.hosted:
            return NextAction(redirect_url=f"https://pay.test/{self.ref}")
        return NextAction(client_secret=f"{self.ref}_secret")

    @property
    def balances(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for each in self.movements:
            if each.settled:
                change = each.amount_minor - (each.fee_minor or 0)
                found[each.currency] = found.get(each.currency, 0) + change
        return {currency: amount for currency, amount in found.items() if amount}

    def _move(
        self, key: str, kind: BalanceTransactionKind, amount: int, fee: int | None = 0, ref: str | None = None
    ) -> None:
        self.movements.append(
            BalanceTransaction(
                key=key,
                kind=kind,
                amount_minor=amount,
                fee_minor=fee,
                currency=self.asked.currency,
                occurred_at=self.tick(),
                ref=ref or self.ref,
                payment_id=self.asked.payment_id,
            )
        )

    @property
    def received(self) -> int:
        return sum(m.paid_minor for m in self.movements if m.kind is BalanceTransactionKind.CHARGE)

    @property
    def gone(self) -> int:
        refunded = sum(r.amount_minor for r in self.refunds.values() if r.status is not RefundStatus.FAILED)
        open_or_lost = (d for d in self.disputes.values() if d.status not in {DisputeStatus.WON, DisputeStatus.INQUIRY})
        return refunded + sum(d.amount_minor for d in open_or_lost)

    def process(self) -> None:
        if self.status is ProviderStatus.REQUIRES_ACTION:
            self.status = ProviderStatus.PROCESSING

    def pay(self, *, fee: int | None = 59, amount: int | None = None) -> None:
        if self.received == 0:
            self.status, self.decline, self.authorized_minor = ProviderStatus.SUCCEEDED, None, 0
            self._move(f"ch_{self.ref}", BalanceTransactionKind.CHARGE, amount or self.asked.amount_minor, fee)

    def pay_unsettled(self) -> None:
        """Take the money before the balance shows it."""
        if self.received == 0:
            self.pay(fee=None)
            self.movements[-1] = replace(self.movements[-1], settled=False)

    def settle(self, amount: int = 920, fee: int = 52, currency: str = "EUR") -> None:
        """Create the balance transaction of a capture in the settlement currency."""
        self.movements = [
            each
            if each.settled
            else replace(
                each,
                amount_minor=amount,
                fee_minor=fee,
                currency=currency,
                payment_amount_minor=None if currency == each.currency else each.amount_minor,
                payment_currency=None if currency == each.currency else each.currency,
                statement_ref=f"txn_{each.key}",
                settled=True,
            )
            for each in self.movements
        ]

    def authorize(self) -> None:
        if self.status is ProviderStatus.REQUIRES_ACTION:
            self.status, self.authorized_minor = ProviderStatus.AUTHORIZED, self.asked.amount_minor

    def tell_fee(self, fee: int = 59) -> None:
        self.movements = [replace(m, fee_minor=fee) if m.fee_minor is None and m.settled else m for m in self.movements]

    def fail(self, code: str = "card_declined") -> None:
        if not self.received:
            self.decline, self.status = Decline(code=code, detail="The card was declined."), ProviderStatus.FAILED

    def refund(
        self,
        amount: int,
        *,
        refund_id: str | None = None,
        status: RefundStatus = RefundStatus.SUCCEEDED,
        moves: bool = True,
    ) -> str:
        """Refund an amount; one that waits for funds at the provider moves nothing yet."""
        if amount > self.received - self.gone:
            raise ProviderRefused("more than remains", code="charge_already_refunded")
        ref = f"re_{self.ref}_{next(self.numbers)}"
        self.refunds[ref] = RefundSnapshot(
            ref=ref, refund_id=refund_id, status=status, amount_minor=amount, created_at=self.tick()
        )
        if moves:
            self._move(ref, BalanceTransactionKind.REFUND, -amount, ref=ref)
        return ref

    def settle_refund(self, ref: str) -> None:
        if self.refunds[ref].status is RefundStatus.PENDING:
            self.refunds[ref] = replace(self.refunds[ref], status=RefundStatus.SUCCEEDED)

    def fail_refund(self, ref: str) -> None:
        refund = self.refunds[ref]
        if refund.status is not RefundStatus.FAILED:
            self.refunds[ref] = replace(refund, status=RefundStatus.FAILED, failure="lost_or_stolen_card")
            if any(movement.ref == ref for movement in self.movements):
                self._move(f"{ref}:failure", BalanceTransactionKind.REFUND_FAILURE, refund.amount_minor, ref=ref)

    def dispute(
        self, amount: int | None = None, *, inquiry: bool = False, fee: int = 1500, beyond: bool = False
    ) -> str:
        """Open a dispute; one that goes `beyond` does not care what was refunded already, as a bank may not."""
        left = self.received if beyond else self.received - self.gone
        amount = min(left, amount or left)
        if amount <= 0:
            raise ProviderRefused("nothing to dispute")
        ref = f"du_{self.ref}_{next(self.numbers)}"
        status = DisputeStatus.INQUIRY if inquiry else DisputeStatus.NEEDS_RESPONSE
        self.disputes[ref] = DisputeSnapshot(
            ref=ref,
            status=status,
            amount_minor=amount,
            reason="fraudulent",
            evidence_due_at=self.at + timedelta(days=7),
            created_at=self.tick(),
        )
        if not inquiry:
            self._move(ref, BalanceTransactionKind.DISPUTE, -amount, fee, ref=ref)
        return ref

    def escalate(self, ref: str) -> None:
        dispute = self.disputes[ref]
        if dispute.status is DisputeStatus.INQUIRY:
            self.disputes[ref] = replace(dispute, status=DisputeStatus.NEEDS_RESPONSE)
            self._move(ref, BalanceTransactionKind.DISPUTE, -dispute.amount_minor, 1500, ref=ref)

    def dispute_again(self, ref: str) -> None:
        """Take the money once more although the dispute was won, as when the payer's bank appeals."""
        dispute, line = self.disputes[ref], f"{ref}:txn_{next(self.numbers)}"
        if dispute.status is DisputeStatus.WON and any(m.key == f"{ref}:reversal" for m in self.movements):
            self.disputes[ref] = replace(dispute, status=DisputeStatus.UNDER_REVIEW)
            self._move(line, BalanceTransactionKind.DISPUTE, -dispute.amount_minor, ref=ref)

    def appeal(self, ref: str) -> None:
        """Reopen a lost dispute."""
        if self.disputes[ref].status is DisputeStatus.LOST:
            self.disputes[ref] = replace(self.disputes[ref], status=DisputeStatus.UNDER_REVIEW)

    def close_dispute(self, ref: str, *, won: bool) -> None:
        dispute = self.disputes[ref]
        if dispute.status in {DisputeStatus.WON, DisputeStatus.LOST}:
            return
        inquiry = dispute.status is DisputeStatus.INQUIRY
        self.disputes[ref] = replace(dispute, status=DisputeStatus.WON if won or inquiry else DisputeStatus.LOST)
        if won and not inquiry:
            self._reinstate(ref, self._withdrawn(ref))

    def return_part(self, ref: str) -> None:
        """Return half of the disputed amount, as where a part was refunded before."""
        if self._withdrawn(ref) > 1:
            self._reinstate(ref, self._withdrawn(ref) // 2)

    def _withdrawn(self, ref: str) -> int:
        return -sum(m.amount_minor for m in self.movements if m.ref == ref)

    def _reinstate(self, ref: str, amount: int) -> None:
        again = any(m.key == f"{ref}:reversal" for m in self.movements)
        key = f"{ref}:txn_{next(self.numbers)}" if again else f"{ref}:reversal"
        self._move(key, BalanceTransactionKind.DISPUTE_REVERSAL, amount, ref=ref)

    def reverse(self) -> None:
        if (
            self.received
            and not any(m.kind is BalanceTransactionKind.REVERSAL for m in self.movements)
            and not self.gone
        ):
            self._move(f"ch_{self.ref}:reorg", BalanceTransactionKind.REVERSAL, -self.received)


_OF_CHANGES = ("before", "after", "refused")


class FakeProvider:
    """A `PaymentProvider` in memory. `breaks` makes the next calls fail, before or after they had their effect.

    Calls in `away` never arrive. After one in `leaves` had its effect its answer is lost, and the provider is away. A
    call in `hangs` is answered once its event is set. The payments in `loses` never come to be.
    """

    name = "fake"

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.answers: dict[str, str] = {}
        self.breaks: list[str] = []
        self.refuses: set[str] = set()
        self.away: set[str] = set()
        self.leaves: set[str] = set()
        self.loses: set[str] = set()
        self.hangs: dict[str, asyncio.Event] = {}
        self.calls: list[tuple[str, str]] = []
        self.evidence: dict[str, str] = {}
        self.pays_at_once = False
        self.key_refused = False

    def of(self, payment_id: str) -> Account:
        return next(a for a in self.accounts.values() if a.asked.payment_id == payment_id)

    def count(self, payment_id: str) -> int:
        return sum(a.asked.payment_id == payment_id for a in self.accounts.values())

    def _begin(self, name: str, key: str = "") -> str | None:
        self.calls.append((name, key))
        if name in self.away:
            raise ProviderUnavailable("no connection")
        if self.key_refused:
            raise CredentialsRefused("The key is rejected.", code="stripe.key_refused")
        # Another payment's look must not use up what is planned for a call that changes something.
        spared = _OF_CHANGES if name == "retrieve" else self.breaks if name.startswith("find") else ()
        planned = self.breaks.pop(0) if self.breaks and self.breaks[0] not in spared else None
        if planned == "unavailable":
            raise ProviderUnavailable("no connection")
        if planned == "before":
            raise OutcomeUnknown("broke off before")
        if planned == "refused" or name in self.refuses:
            raise ProviderRefused("not like this", code="provider.refused")
        return planned

    def _end(self, name: str, planned: str | None) -> None:
        if name in self.leaves:
            self.away |= {name, "retrieve"}
            raise OutcomeUnknown("no answer")
        if planned == "after":
            raise OutcomeUnknown("broke off after")

    async def create(self, payment: CreatePayment, *, idempotency_key: str) -> Snapshot:
        planned = self._begin("create", idempotency_key)
        if payment.payment_id in self.loses:
            raise OutcomeUnknown("broke off before")
        ref = self.answers.setdefault(idempotency_key, f"fp_{len(self.accounts) + 1}_{payment.payment_id[-6:]}")
        if ref not in self.accounts:
            self.accounts[ref] = Account(asked=payment, ref=ref)
            if self.pays_at_once or payment.method_ref == "pm_ok":
                self.accounts[ref].pay()
            if payment.method_ref == "pm_declined":
                self.accounts[ref].fail("insufficient_funds")
            if payment.method_ref == "pm_debit":
                self.accounts[ref].process()
            if payment.method_ref == "pm_confirm":
                self.accounts[ref].fail("authentication_required")
        if "create" in self.hangs:
            await self.hangs["create"].wait()
        self._end("create", planned)
        return self.accounts[ref].snapshot()

    async def retrieve(self, ref: str) -> Snapshot:
        self._begin("retrieve", ref)
        if self.accounts[ref].gone_for_good:
            raise ProviderNotFound("not kept")
        return self.accounts[ref].snapshot()

    async def find(self, payment: CreatePayment, *, idempotency_key: str) -> Snapshot | None:
        self._begin("find", idempotency_key)
        found = [a for a in self.accounts.values() if a.asked.payment_id == payment.payment_id]
        return found[0].snapshot() if found else None

    async def confirm(self, ref: str, method_ref: str | None, *, idempotency_key: str) -> Snapshot:
        planned = self._begin("confirm", idempotency_key)
        account = self.accounts[ref]
        if account.refuses_what_was_approved:
            # As PayPal does: only this answer tells of it, and the order looks approved still.
            return replace(account.snapshot(), decline=Decline(code="INSTRUMENT_DECLINED", detail="Try another."))
        if method_ref == "pm_declined":
            account.fail()
        elif account.asked.manual_capture:
            account.authorize()
        else:
            account.pay()
        self._end("confirm", planned)
        return account.snapshot()

    async def capture(self, ref: str, amount_minor: int, *, idempotency_key: str) -> Snapshot:
        planned = self._begin("capture", idempotency_key)
        self.accounts[ref].pay(amount=amount_minor)
        self._end("capture", planned)
        return self.accounts[ref].snapshot()

    async def cancel(self, ref: str, *, idempotency_key: str) -> Snapshot:
        planned = self._begin("cancel", idempotency_key)
        account = self.accounts[ref]
        if "cancel" in self.hangs:
            await self.hangs["cancel"].wait()
        if account.gone_for_good:
            raise ProviderNotFound("not kept")
        if not account.received and account.status is not ProviderStatus.PROCESSING:
            account.status = account.ends_as
        self._end("cancel", planned)
        return account.snapshot()

    async def refund(
        self, ref: str, *, refund_id: str, amount_minor: int, reason: str | None, idempotency_key: str
    ) -> RefundSnapshot:
        planned = self._begin("refund", idempotency_key)
        account = self.accounts[ref]
        others = (other for other in self.accounts.values() if other is not account)
        if any(made.refund_id == refund_id for other in others for made in other.refunds.values()):
            # As PayPal does, whose invoice ids are unique: the refund of this payment is not found, and never made.
            raise OutcomeUnknown("Duplicate Invoice ID detected.", code="DUPLICATE_INVOICE_ID")
        if idempotency_key not in self.answers:
            status = RefundStatus.PENDING if reason == "pending" else RefundStatus.SUCCEEDED
            self.answers[idempotency_key] = account.refund(amount_minor, refund_id=refund_id, status=status)
        self._end("refund", planned)
        return account.refunds[self.answers[idempotency_key]]

    async def find_refund(self, ref: str, *, refund_id: str, idempotency_key: str) -> RefundSnapshot | None:
        self._begin("find_refund", idempotency_key)
        return next((r for r in self.accounts[ref].refunds.values() if r.refund_id == refund_id), None)

    async def submit_evidence(self, dispute_ref: str, evidence: DisputeEvidence, *, idempotency_key: str) -> None:
        planned = self._begin("submit_evidence", idempotency_key)
        for account in self.accounts.values():
            dispute = account.disputes.get(dispute_ref)
            if dispute is not None:
                account.disputes[dispute_ref] = replace(dispute, status=DisputeStatus.UNDER_REVIEW)
                self.evidence[dispute_ref] = evidence.text
        self._end("submit_evidence", planned)

    async def list_movements(self, *, since: datetime, until: datetime) -> AsyncIterator[BalanceTransaction]:
        for account in self.accounts.values():
            for movement in account.movements:
                if since <= movement.occurred_at < until:
                    yield movement

    async def verify_webhook(self, body: bytes, headers: Mapping[str, str]) -> ProviderEvent:
        raise BadSignature("this provider sends none")
