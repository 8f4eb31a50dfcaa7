"""Orders, authorizations, captures and refunds: PayPal's states, and its issues for what they forbid."""

import secrets
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from dev.sandbox.paypal.amounts import checked, fee_of, money, value_of
from dev.sandbox.paypal.errors import PayPalError
from dev.sandbox.paypal.store import Json, Store

Notify = Callable[[str, str, Json], None]

AUTHORIZED_FOR = timedelta(days=29)
RECEIVED = frozenset({"COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"})
REVERSAL_NOTE = "Payment reversed"
PAYEE = {"email_address": "merchant@example.com", "merchant_id": "MERCHANT23456"}
PAYER_ID = "PAYER23456789"


class Orders:
    """Every change of an order, checked as PayPal checks it and passed to `notify` when it is kept."""

    def __init__(self, store: Store, base_url: str, notify: Notify) -> None:
        """Take the store, the address that links begin with, and who receives the webhooks."""
        self._store = store
        self._base_url = base_url
        self._notify = notify

    def create(self, request: Json) -> Json:
        """Make an order that waits for its payer."""
        unit = request["purchase_units"][0]
        value = checked(unit["amount"], whole_only="DECIMAL_PRECISION")
        self._check_invoice(unit.get("invoice_id"), None)
        context = request.get("payment_source", {}).get("paypal", {}).get("experience_context", {})
        order_id = new_id()
        order: Json = {
            "id": order_id,
            "intent": request["intent"],
            "status": "PAYER_ACTION_REQUIRED" if "payment_source" in request else "CREATED",
            "purchase_units": [
                {"reference_id": "default"} | unit | {"amount": money(value, _currency(unit["amount"])), "payee": PAYEE}
            ],
            "links": [
                self._link("self", f"/v2/checkout/orders/{order_id}"),
                self._link(
                    "payer-action" if "payment_source" in request else "approve", f"/checkoutnow?token={order_id}"
                ),
            ],
            "_private": {"return_url": context.get("return_url"), "cancel_url": context.get("cancel_url")},
        } | self._stamps()
        if "payment_source" in request:
            order["payment_source"] = {"paypal": {}}
        self._store.save(order)
        return order

    def get(self, order_id: str) -> Json:
        """Return an order, or that there is none."""
        order = self._store.order(order_id)
        if order is None or order["id"] != order_id:
            raise PayPalError(404, "INVALID_RESOURCE_ID")
        return order

    def payment(self, kind: str, payment_id: str) -> tuple[Json, Json]:
        """Return an authorization, capture or refund and the order that it is in, or that there is none."""
        order = self._store.order(payment_id)
        for payment in _payments(order, kind) if order else ():
            if order and payment["id"] == payment_id:
                return payment, order
        raise PayPalError(404, "INVALID_RESOURCE_ID")

    def shown(self, kind: str, payment_id: str) -> Json:
        """Return an authorization, capture or refund as its own endpoint shows it."""
        payment, order = self.payment(kind, payment_id)
        if kind == "refunds":
            return payment
        related = {"order_id": order["id"]}
        authorizations = _payments(order, "authorizations")
        if kind == "captures" and authorizations:
            related["authorization_id"] = authorizations[-1]["id"]
        return payment | {"supplementary_data": {"related_ids": related}, "payee": PAYEE}

    def approve(self, order_id: str) -> Json:
        """The payer agrees to pay."""
        order = self.get(order_id)
        if order["status"] not in ("CREATED", "PAYER_ACTION_REQUIRED"):
            raise PayPalError(422, "ORDER_COMPLETED_OR_VOIDED")
        order["status"] = "APPROVED"
        order["payer"] = {"payer_id": PAYER_ID, "email_address": "payer@example.com"}
        step = "capture" if order["intent"] == "CAPTURE" else "authorize"
        order["links"] = [
            order["links"][0],
            self._link(step, f"/v2/checkout/orders/{order_id}/{step}", "POST"),
        ]
        self._keep(order)
        self._notify("CHECKOUT.ORDER.APPROVED", "checkout-order", public(order))
        return order

    def plan(self, order_id: str, **what: str | bool | None) -> Json:
        """Decide how the next attempt to take the order's money goes: `issue` or `hold`."""
        order = self.get(order_id)
        order["_private"] |= what
        self._keep(order)
        return order

    def capture(self, order_id: str) -> Json:
        """Take the money of an approved order."""
        order = self._to_take(order_id, "CAPTURE", done="ORDER_ALREADY_CAPTURED")
        self._captured(order, value_of(order["purchase_units"][0]["amount"]), final=True)
        return order

    def authorize(self, order_id: str) -> Json:
        """Hold the money of an approved order."""
        order = self._to_take(order_id, "AUTHORIZE", done="ORDER_ALREADY_AUTHORIZED")
        unit = order["purchase_units"][0]
        authorization_id = new_id()
        path = f"/v2/payments/authorizations/{authorization_id}"
        authorization = self._stamps() | {
            "id": authorization_id,
            "status": "CREATED",
            "amount": unit["amount"],
            "expiration_time": moment(self._store.now() + AUTHORIZED_FOR),
            "links": [
                self._link("self", path),
                self._link("capture", f"{path}/capture", "POST"),
                self._link("void", f"{path}/void", "POST"),
                self._link("up", f"/v2/checkout/orders/{order_id}"),
            ],
        }
        authorization |= {name: unit[name] for name in ("custom_id", "invoice_id") if name in unit}
        unit.setdefault("payments", {}).setdefault("authorizations", []).append(authorization)
        order["status"] = "COMPLETED"
        self._keep(order)
        shown = self.shown("authorizations", authorization_id)
        self._notify("PAYMENT.AUTHORIZATION.CREATED", "authorization", shown)
        return order

    def capture_authorization(self, authorization_id: str, request: Json) -> Json:
        """Take up to what was authorized."""
        authorization, order = self.payment("authorizations", authorization_id)
        if authorization["status"] == "VOIDED":
            raise PayPalError(422, "AUTHORIZATION_VOIDED")
        if authorization["status"] == "CAPTURED":
            raise PayPalError(422, "AUTHORIZATION_ALREADY_CAPTURED")
        if datetime.fromisoformat(authorization["expiration_time"]) <= self._store.now():
            raise PayPalError(422, "AUTHORIZATION_EXPIRED")
        amount: Json = request.get("amount") or authorization["amount"]
        if _currency(amount) != _currency(authorization["amount"]):
            raise PayPalError(422, "AUTH_CAPTURE_CURRENCY_MISMATCH")
        taken = sum((value_of(capture["amount"]) for capture in _payments(order, "captures")), Decimal(0))
        if taken + checked(amount) > value_of(authorization["amount"]):
            raise PayPalError(422, "MAX_CAPTURE_AMOUNT_EXCEEDED")
        self._planned_issue(order)
        final = request.get("final_capture", False)
        authorization["status"] = "CAPTURED" if final else "PARTIALLY_CAPTURED"
        return self.shown("captures", self._captured(order, checked(amount), final=final)["id"])

    def void(self, authorization_id: str) -> Json:
        """Give up an authorization."""
        authorization, order = self.payment("authorizations", authorization_id)
        if authorization["status"] == "VOIDED":
            raise PayPalError(422, "PREVIOUSLY_VOIDED")
        if authorization["status"] != "CREATED":
            raise PayPalError(422, "PREVIOUSLY_CAPTURED")
        authorization["status"] = "VOIDED"
        self._keep(order, authorization)
        shown = self.shown("authorizations", authorization_id)
        self._notify("PAYMENT.AUTHORIZATION.VOIDED", "authorization", shown)
        return shown

    def settle(self, capture_id: str, *, complete: bool) -> Json:
        """End a capture that waits: its money comes, or does not."""
        capture, order = self.payment("captures", capture_id)
        if capture["status"] != "PENDING":
            raise PayPalError(422, "CAPTURE_STATUS_NOT_VALID")
        del capture["status_details"]
        if complete:
            self._receive(capture)
        else:
            capture["status"] = "DECLINED"
        self._keep(order, capture)
        event = "PAYMENT.CAPTURE.COMPLETED" if complete else "PAYMENT.CAPTURE.DENIED"
        self._notify(event, "capture", self.shown("captures", capture_id))
        return capture

    def refund(self, capture_id: str, request: Json) -> Json:
        """Give back a part of a capture, or what remains of it; never more."""
        capture, order = self.payment("captures", capture_id)
        if capture["status"] == "PENDING":
            raise PayPalError(422, "PENDING_CAPTURE")
        if capture.get("status_details", {}).get("reason") == "CHARGEBACK":
            raise PayPalError(422, "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK")
        left = remaining(capture, order)
        if capture["status"] not in RECEIVED or not left:
            raise PayPalError(422, "CAPTURE_FULLY_REFUNDED")
        currency = _currency(capture["amount"])
        amount = request.get("amount", money(left, currency))
        if _currency(amount) != currency:
            raise PayPalError(422, "REFUND_CAPTURE_CURRENCY_MISMATCH")
        if checked(amount) > left:
            raise PayPalError(422, "REFUND_AMOUNT_EXCEEDED")
        if "invoice_id" in request and self._store.has_refund_under(request["invoice_id"]):
            raise PayPalError(422, "DUPLICATE_INVOICE_ID")
        waits = self._store.setting("refunds_to_hold", 0)
        if waits:
            self._store.set("refunds_to_hold", waits - 1)
        refund = self._given_back(order, capture, checked(amount), "PENDING" if waits else "COMPLETED")
        refund |= {name: request[name] for name in ("custom_id", "invoice_id", "note_to_payer") if name in request}
        if waits:
            refund["status_details"] = {"reason": "ECHECK"}
        self._keep(order, capture)
        self._send_refund(refund)
        return refund

    def settle_refund(self, refund_id: str, *, complete: bool) -> Json:
        """End a refund that waits: the payer gets the money, or it stays here."""
        refund, order = self.payment("refunds", refund_id)
        if refund["status"] != "PENDING":
            raise PayPalError(422, "REFUND_STATUS_NOT_VALID")
        refund["status"] = "COMPLETED" if complete else "FAILED"
        if complete:
            del refund["status_details"]
        for capture in _payments(order, "captures"):
            _mark_refunded(capture, order)
        self._keep(order, refund)
        self._send_refund(refund)
        return refund

    def reverse(self, capture_id: str, value: str | None = None) -> Json:
        """The payer's bank takes back a part of a capture, or what remains of it."""
        capture, order = self.payment("captures", capture_id)
        left = remaining(capture, order)
        if capture["status"] not in RECEIVED or not left:
            raise PayPalError(422, "CAPTURE_FULLY_REFUNDED")
        taken = left if value is None else checked(money(Decimal(value), _currency(capture["amount"])))
        if taken > left:
            raise PayPalError(422, "REFUND_AMOUNT_EXCEEDED")
        reversal = self._given_back(order, capture, taken, "COMPLETED")
        reversal["note_to_payer"] = REVERSAL_NOTE
        capture["status_details"] = {"reason": "CHARGEBACK"}
        self._keep(order, capture)
        self._notify("PAYMENT.CAPTURE.REVERSED", "refund", reversal)
        return reversal

    def all_payments(self, kind: str) -> Iterator[tuple[Json, Json]]:
        """List all authorizations, captures or refunds, each with its order."""
        for order in self._store.orders():
            for payment in _payments(order, kind):
                yield order, payment

    def _to_take(self, order_id: str, intent: str, *, done: str) -> Json:
        order = self.get(order_id)
        if order["intent"] != intent:
            raise PayPalError(422, "ACTION_DOES_NOT_MATCH_INTENT")
        if order["status"] == "COMPLETED":
            raise PayPalError(422, done)
        if order["status"] != "APPROVED":
            raise PayPalError(422, "ORDER_NOT_APPROVED")
        self._check_invoice(order["purchase_units"][0].get("invoice_id"), order_id)
        self._planned_issue(order)
        return order

    def _planned_issue(self, order: Json) -> None:
        if issue := order["_private"].get("issue"):
            page = self._link("redirect", f"/checkoutnow?token={order['id']}")
            raise PayPalError(422, issue, links=[page] if issue == "INSTRUMENT_DECLINED" else ())

    def _check_invoice(self, invoice_id: str | None, order_id: str | None) -> None:
        """An invoice id that was paid once cannot be paid again."""
        if invoice_id and set(self._store.orders_paid_under(invoice_id)) - {order_id}:
            raise PayPalError(422, "DUPLICATE_INVOICE_ID")

    def _captured(self, order: Json, value: Decimal, *, final: bool) -> Json:
        unit = order["purchase_units"][0]
        capture_id = new_id()
        path = f"/v2/payments/captures/{capture_id}"
        held = _payments(order, "authorizations")
        up = f"/v2/payments/authorizations/{held[-1]['id']}" if held else f"/v2/checkout/orders/{order['id']}"
        capture = self._stamps() | {
            "id": capture_id,
            "amount": money(value, _currency(unit["amount"])),
            "final_capture": final,
            "links": [
                self._link("self", path),
                self._link("refund", f"{path}/refund", "POST"),
                self._link("up", up),
            ],
        }
        capture |= {name: unit[name] for name in ("custom_id", "invoice_id") if name in unit}
        if order["_private"].get("hold"):
            capture |= {"status": "PENDING", "status_details": {"reason": "PENDING_REVIEW"}}
        else:
            self._receive(capture)
        unit.setdefault("payments", {}).setdefault("captures", []).append(capture)
        order["status"] = "COMPLETED"
        order["links"] = order["links"][:1]
        self._keep(order)
        self._notify(f"PAYMENT.CAPTURE.{capture['status']}", "capture", self.shown("captures", capture_id))
        return capture

    def _receive(self, capture: Json) -> None:
        value, currency = value_of(capture["amount"]), _currency(capture["amount"])
        fee = fee_of(value, currency)
        capture["status"] = "COMPLETED"
        capture["seller_receivable_breakdown"] = {
            "gross_amount": capture["amount"],
            "paypal_fee": money(fee, currency),
            "net_amount": money(value - fee, currency),
        }

    def _given_back(self, order: Json, capture: Json, value: Decimal, status: str) -> Json:
        currency = _currency(capture["amount"])
        total = value_of(capture["amount"]) - remaining(capture, order) + value
        refund_id = new_id()
        refund: Json = self._stamps() | {
            "id": refund_id,
            "status": status,
            "amount": money(value, currency),
            "seller_payable_breakdown": {
                "gross_amount": money(value, currency),
                "paypal_fee": money(Decimal(0), currency),
                "net_amount": money(value, currency),
                "total_refunded_amount": money(total, currency),
            },
            "links": [
                self._link("self", f"/v2/payments/refunds/{refund_id}"),
                self._link("up", f"/v2/payments/captures/{capture['id']}"),
            ],
        }
        order["purchase_units"][0]["payments"].setdefault("refunds", []).append(refund)
        _mark_refunded(capture, order)
        return refund

    def _send_refund(self, refund: Json) -> None:
        words = {"COMPLETED": "PAYMENT.CAPTURE.REFUNDED", "PENDING": "PAYMENT.REFUND.PENDING"}
        self._notify(words.get(refund["status"], "PAYMENT.REFUND.FAILED"), "refund", refund)

    def _keep(self, order: Json, *changed: Json) -> None:
        for item in (order, *changed):
            item["update_time"] = moment(self._store.now())
        self._store.save(order)

    def _stamps(self) -> Json:
        now = moment(self._store.now())
        return {"create_time": now, "update_time": now}

    def _link(self, rel: str, path: str, method: str = "GET") -> dict[str, str]:
        return {"href": self._base_url + path, "rel": rel, "method": method}


def new_id() -> str:
    """Make an id in PayPal's form: 17 capital letters and digits."""
    return secrets.token_hex(9).upper()[:17]


def moment(time: datetime) -> str:
    """Write a time as PayPal does, with the milliseconds that keep its order."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def public(resource: Json) -> Json:
    """Leave out what PayPal would not show."""
    return {name: value for name, value in resource.items() if name != "_private"}


def remaining(capture: Json, order: Json) -> Decimal:
    """Return what of a capture was not given back and is not about to be."""
    back = (
        value_of(refund["amount"])
        for refund in _payments(order, "refunds")
        if refund["status"] in ("COMPLETED", "PENDING") and capture["id"] in refund["links"][1]["href"]
    )
    return value_of(capture["amount"]) - sum(back, Decimal(0))


def _mark_refunded(capture: Json, order: Json) -> None:
    if capture["status"] in RECEIVED:
        left = remaining(capture, order)
        whole = left == value_of(capture["amount"])
        capture["status"] = "COMPLETED" if whole else "PARTIALLY_REFUNDED" if left else "REFUNDED"


def _payments(order: Json, kind: str) -> list[Any]:
    found: list[Any] = order["purchase_units"][0].get("payments", {}).get(kind, [])
    return found


def _currency(amount: Json) -> str:
    return str(amount["currency_code"])
