"""Payment of `FakeBursar`: state, permitted commands and view."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, ROUND_UP, Decimal
from typing import Any

from bursar.testing._answers import (
    ORGANIZATION,
    Refused,
    event_of,
    invalid,
    minor_unit,
    positive,
    text_of,
    time_of,
)
from bursar.testing._provider import Decline

ZERO = Decimal(0)
AWAITING = frozenset({"requires_action", "requires_capture"})
_EXPIRY = timedelta(hours=23)
#: What the provider charges for a payment: a share of it, and an amount beside it.
_FEE = (Decimal("0.029"), Decimal("0.30"))


@dataclass
class Payment:
    """A payment.

    Attributes:
        own: its `external_id` and `metadata`.
        id: given when it is kept.
        amount: in `currency`; `received` and `refunded` are parts of it.
        kept: what the provider's fee has taken of refunds that the payer requested itself, `own_refunds` of them.
        goods: what the whole amount buys, in `goods_currency`; `granted` and `taken` are parts of it.
        state: what the provider says of it, while nothing was received.
        fulfilment: whether its purpose was reached, or `gone` when it no longer could be.
    """

    own: dict[str, Any]
    purpose: str
    amount: Decimal
    currency: str
    goods: Decimal
    goods_currency: str
    description: str
    id: str = ""
    escrow_id: str | None = None
    is_manual: bool = False
    state: str = "created"
    version: int = 0
    received: Decimal = ZERO
    granted: Decimal = ZERO
    refunded: Decimal = ZERO
    kept: Decimal = ZERO
    own_refunds: int = 0
    taken: Decimal = ZERO
    fulfilment: str = "pending"
    decline: Decline | None = None
    refunds: list[dict[str, Any]] = field(default_factory=list)
    timeline: list[dict[str, Any]] = field(default_factory=list)
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        """Begin when it was made."""
        self.updated_at = self.created_at

    @property
    def ref(self) -> str:
        """The provider's id of it."""
        return "pi_fake" + self.id.removeprefix("pay_")

    @property
    def status(self) -> str:
        """Status, by the first event received."""
        if not self.received:
            return self.state
        if not self.refunded:
            return "succeeded"
        return "partially_refunded" if self.refundable else "refunded"

    @property
    def refundable(self) -> Decimal:
        """Refundable amount."""
        return self.received - self.refunded - self.kept

    @property
    def left(self) -> Decimal:
        """Unrefunded part of the goods."""
        return self.granted - self.taken

    def note(self, kind: str, actor: str, details: dict[str, Any], transfer: int | None = None) -> None:
        """Write an event into the timeline, with the number of the transfer that it caused."""
        self.version += 1
        self.updated_at = datetime.now(UTC)
        self.timeline.append(event_of(self.version, kind, self.status, actor, self.updated_at, details, transfer))

    def require(self, command: str, *, allowed: bool) -> None:
        """Refuse a command that the state does not take."""
        if not allowed:
            detail = f"The command {command} is not allowed while the payment is {self.status}."
            raise Refused(409, "payment.wrong_state", detail, state=self.status)

    def captured(self, text: Any) -> Decimal:
        """Return how much a capture takes: the amount that it names, or all that was authorized."""
        self.require("capture", allowed=self.status == "requires_capture")
        wanted = self.amount if text is None else positive(text, self.currency)
        if wanted > self.amount:
            raise invalid(f"Only {text_of(self.amount)} {self.currency} were authorized.", "amount")
        return wanted

    def repaid(self, text: Any, *, is_own: bool) -> tuple[Decimal, Decimal, Decimal]:
        """Return what a refund takes of the payment, the amount that it names or the rest, its fee, and of the goods.

        What the payer requests itself is less the provider's fee, and once.
        """
        self.require("refund", allowed=bool(self.received))
        if not self.refundable:
            detail = "Nothing of this payment is left to refund."
            raise Refused(409, "payment.already_refunded", detail, state=self.status)
        wanted = self.refundable if text is None else positive(text, self.currency)
        if wanted > self.refundable:
            left = text_of(self.refundable)
            detail = f"Only {left} {self.currency} of this payment are left to refund."
            raise Refused(422, "payment.refund_exceeds_remainder", detail, refundable=left)
        if is_own and self.own_refunds:
            detail = "You have reached the maximum number of refunds. Ask the platform to refund the rest."
            raise Refused(409, "payment.refund_needs_operator", detail, state=self.status)
        gone = self.refunded + self.kept + wanted
        return (
            wanted,
            self._fee_of(wanted) if is_own else ZERO,
            self.share(self.granted, gone, self.received) - self.taken,
        )

    def _fee_of(self, part: Decimal) -> Decimal:
        share, beside = _FEE
        unit = minor_unit(self.currency)
        whole = (self.received * share).quantize(unit, ROUND_HALF_UP) + beside
        return (whole * part / self.received).quantize(unit, ROUND_UP)

    def share(self, goods: Decimal, part: Decimal, whole: Decimal) -> Decimal:
        """Return the share of the goods that belongs to a part of the money, rounded down."""
        return (goods * part / whole).quantize(minor_unit(self.goods_currency), ROUND_DOWN)

    def after_refund(self, amount: Decimal) -> str:
        """Return the status after a refund."""
        return "refunded" if amount == self.refundable else "partially_refunded"

    def document(self) -> dict[str, Any]:
        """Show it as the API does."""
        waits = self.state == "requires_action" and not self.received
        return {
            **self.own,
            **dict.fromkeys(("tax", "invoice_id", "agent_id", "package", "approval_url", "deposit")),
            **dict.fromkeys(("confirmations", "quote")),
            **dict.fromkeys(("disputed_amount", "seen_amount"), "0.00"),
            "id": self.id,
            "organization_id": ORGANIZATION,
            "provider": "stripe",
            "status": self.status,
            "purpose": self.purpose,
            "amount": text_of(self.amount),
            "currency": self.currency,
            "received_amount": text_of(self.received),
            "refunded_amount": text_of(self.refunded),
            "refundable_amount": text_of(self.refundable),
            "goods": self.of_goods(self.goods),
            "granted": self.of_goods(self.granted),
            "owed": self.of_goods(ZERO),
            "escrow_id": self.escrow_id,
            "fulfilment": self.fulfilment,
            "cancel_requested": False,
            "description": self.description,
            "capture_method": "manual" if self.is_manual else "automatic",
            "client_secret": f"{self.ref}_secret_fake" if waits else None,
            "decline": self.decline and self.decline._asdict(),
            "refunds": list(self.refunds),
            "story": self._story(),
            "workflow_id": f"payment/{self.id}",
            "version": self.version,
            "expires_at": time_of(self.created_at + _EXPIRY),
            "created_at": time_of(self.created_at),
            "updated_at": time_of(self.updated_at),
        }

    def of_goods(self, amount: Decimal) -> dict[str, str]:
        """Write an amount of what it buys."""
        return {"amount": text_of(amount), "currency": self.goods_currency}

    def _story(self) -> str:
        status = self.status.replace("_", " ")
        summary = f"{text_of(self.amount)} {self.currency} by stripe for {self.purpose}: {status}."
        return summary if self.decline is None else f"{summary} Declined: {self.decline.detail}"
