"""Snapshots of PayPal's orders: the status of a payment, and its movements of the balance.

An order takes no money by itself: the payer approves it, then we capture it, at once or out of an authorization.
An order that is approved and not yet captured waits for us, and its snapshot says so: it requires an action, and names
none for the payer.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from domain.payments.payment.snapshot import (
    BalanceTransaction,
    BalanceTransactionKind,
    Decline,
    NextAction,
    ProviderStatus,
    RefundSnapshot,
    RefundStatus,
    Snapshot,
)
from domain.reputation.traits import TraitKind, method
from providers.payments.paypal.amounts import from_paypal

#: Statuses of a capture whose money was received, also if it was refunded or reversed later.
RECEIVED = frozenset({"COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"})
#: Reasons of a capture's status for a dispute by the payer; the money may have been taken back or not.
REVERSAL_REASONS = frozenset({"BUYER_COMPLAINT", "CHARGEBACK"})
#: PayPal lists a reversal among the refunds, under this note (published event `PAYMENT.CAPTURE.REVERSED`).
REVERSAL_NOTE = "Payment reversed"

_REFUND_STATUSES = {"PENDING": RefundStatus.PENDING, "COMPLETED": RefundStatus.SUCCEEDED}


def snapshot(order: Mapping[str, Any]) -> Snapshot:
    """Read an order with everything that was captured and refunded under it."""
    unit = order["purchase_units"][0]
    authorizations, captures, refunds = (payments(unit, kind) for kind in ("authorizations", "captures", "refunds"))
    status, decline = _status(order, authorizations, captures)
    reversals = reversal_keys(unit)
    given_back = [refund for refund in refunds if refund["id"] not in reversals]
    movements = [
        *(_charge(order, unit, capture) for capture in captures if capture["status"] in RECEIVED),
        *(_returned_movement(unit, refund, reversals) for refund in refunds if refund["status"] == "COMPLETED"),
    ]
    return Snapshot(
        ref=order["id"],
        status=status,
        amount_minor=from_paypal(unit["amount"]),
        currency=unit["amount"]["currency_code"],
        action=_action(order) if status is ProviderStatus.REQUIRES_ACTION else None,
        decline=decline,
        approved=order["status"] == "APPROVED" and status is ProviderStatus.REQUIRES_ACTION,
        authorized_minor=sum(from_paypal(held["amount"]) for held in authorizations if held["status"] == "CREATED"),
        movements=tuple(sorted(movements, key=lambda movement: movement.occurred_at)),
        refunds=tuple(refund_snapshot(refund, unit) for refund in given_back),
        methods=_methods(order) if status is ProviderStatus.SUCCEEDED else (),
    )


def _methods(order: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the payer's account at PayPal, which has one id however it pays."""
    payer = order.get("payer", {}).get("payer_id") or order.get("payment_source", {}).get("paypal", {}).get(
        "account_id"
    )
    return (method(TraitKind.PAYPAL, str(payer)),) if payer else ()


def payments(unit: Mapping[str, Any], kind: str) -> Sequence[Mapping[str, Any]]:
    """List the authorizations, captures or refunds of a purchase unit."""
    found: Sequence[Mapping[str, Any]] = unit.get("payments", {}).get(kind, ())
    return found


def refund_snapshot(refund: Mapping[str, Any], unit: Mapping[str, Any]) -> RefundSnapshot:
    """Read a refund; `unit` is the purchase unit that it refunds."""
    status = _REFUND_STATUSES.get(refund["status"], RefundStatus.FAILED)
    failure = refund.get("status_details", {}).get("reason") or refund["status"]
    return RefundSnapshot(
        ref=refund["id"],
        refund_id=our_refund_id(refund, unit),
        status=status,
        amount_minor=from_paypal(refund["amount"]),
        failure=failure if status is RefundStatus.FAILED else None,
        created_at=parse_time(refund["create_time"]),
    )


def our_refund_id(refund: Mapping[str, Any], unit: Mapping[str, Any]) -> str | None:
    """Return our id of a refund; a refund made at PayPal's site has none, or carries the payment's own."""
    carried = refund.get("custom_id") or refund.get("invoice_id")
    return None if carried is None or carried in (unit.get("custom_id"), unit.get("invoice_id")) else str(carried)


def capture_of(refund: Mapping[str, Any]) -> str | None:
    """Return the id of the capture that a refund or a reversal is of: its link upwards ends in it."""
    return next((link["href"].rpartition("/")[2] for link in refund.get("links", ()) if link["rel"] == "up"), None)


def reversal_keys(unit: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the key of each reversal in a purchase unit by its id at PayPal; its other refunds are refunds.

    Refunds with PayPal's note are reversals. The first of a capture has the key `{capture}:reversal`, and later ones
    have their own id appended. Cancelled and incomplete ones count, so that the keys of others do not change.

    If no refund of a capture has the note, the capture's reason only says that the payer disputes it, possibly after a
    refund and before any money is taken. Then the newest completed refund is the reversal, with its own id as key: the
    reason can disappear again, and with another key the same money would be booked twice.
    """
    reasons = {capture["id"]: capture.get("status_details", {}).get("reason") for capture in payments(unit, "captures")}
    foreign: dict[str | None, list[Mapping[str, Any]]] = {}
    for refund in sorted(payments(unit, "refunds"), key=lambda each: (parse_time(each["create_time"]), each["id"])):
        if our_refund_id(refund, unit) is None:
            foreign.setdefault(capture_of(refund), []).append(refund)
    keys = dict[str, str]()
    for capture, refunds in foreign.items():
        noted = [refund["id"] for refund in refunds if refund.get("note_to_payer") == REVERSAL_NOTE]
        if noted and capture is not None:
            keys |= {each: f"{capture}:reversal:{each}" for each in noted} | {noted[0]: f"{capture}:reversal"}
        elif noted:
            keys |= {each: each for each in noted}
        elif reasons.get(capture or "") in REVERSAL_REASONS:
            keys |= {each: each for each in [one["id"] for one in refunds if one["status"] == "COMPLETED"][-1:]}
    return keys


def parse_time(text: str) -> datetime:
    """Read one of PayPal's times."""
    return datetime.fromisoformat(text).astimezone(UTC)


def _status(
    order: Mapping[str, Any], authorizations: Sequence[Mapping[str, Any]], captures: Sequence[Mapping[str, Any]]
) -> tuple[ProviderStatus, Decline | None]:
    taken, held = ({payment["status"] for payment in some} for some in (captures, authorizations))
    if taken & RECEIVED:
        return ProviderStatus.SUCCEEDED, None
    if "PENDING" in taken or (not taken and "PENDING" in held):
        return ProviderStatus.PROCESSING, None
    if taken or held == {"DENIED"}:
        return ProviderStatus.FAILED, _declined((captures or authorizations)[-1])
    if "CREATED" in held:
        return ProviderStatus.AUTHORIZED, None
    if order["status"] == "VOIDED" or "VOIDED" in held:
        return ProviderStatus.CANCELLED, None
    return ProviderStatus.REQUIRES_ACTION, None


def _declined(payment: Mapping[str, Any]) -> Decline:
    code = payment.get("status_details", {}).get("reason") or payment["status"]
    return Decline(code=code, detail="PayPal did not complete the payment.")


def _action(order: Mapping[str, Any]) -> NextAction | None:
    links = {link["rel"]: link["href"] for link in order.get("links", ())}
    url = links.get("payer-action") or links.get("approve")
    return NextAction(redirect_url=url) if url and order["status"] != "APPROVED" else None


def _fee(payment: Mapping[str, Any], breakdown: str) -> int | None:
    """Return the fee, None while PayPal has not said how the amount is divided. A division without a fee has none."""
    parts = payment.get(breakdown)
    if parts is None:
        return None
    fee = parts.get("paypal_fee")
    return 0 if fee is None else from_paypal(fee)


def _charge(order: Mapping[str, Any], unit: Mapping[str, Any], capture: Mapping[str, Any]) -> BalanceTransaction:
    return BalanceTransaction(
        key=capture["id"],
        kind=BalanceTransactionKind.CHARGE,
        amount_minor=from_paypal(capture["amount"]),
        fee_minor=_fee(capture, "seller_receivable_breakdown"),
        currency=capture["amount"]["currency_code"],
        occurred_at=parse_time(capture["create_time"]),
        ref=order["id"],
        payment_id=unit.get("custom_id"),
    )


def _returned_movement(
    unit: Mapping[str, Any], refund: Mapping[str, Any], reversals: Mapping[str, str]
) -> BalanceTransaction:
    fee = _fee(refund, "seller_payable_breakdown")
    return BalanceTransaction(
        key=reversals.get(refund["id"], refund["id"]),
        kind=BalanceTransactionKind.REVERSAL if refund["id"] in reversals else BalanceTransactionKind.REFUND,
        amount_minor=-from_paypal(refund["amount"]),
        fee_minor=None if fee is None else -fee,  # PayPal shows what it refunds of the fee
        currency=refund["amount"]["currency_code"],
        occurred_at=parse_time(refund["create_time"]),
        ref=refund["id"],
        payment_id=unit.get("custom_id"),
    )
