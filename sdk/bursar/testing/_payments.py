"""The payments of `FakeBursar`: by a card of its provider, for credits, a balance or an escrow; and their refunds."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx2

from bursar.testing._answers import (
    CREDIT,
    ORGANIZATION,
    Answer,
    Refused,
    Route,
    body_of,
    invalid,
    judged,
    positive,
    principal_of,
    refuse_taken,
    text_of,
)
from bursar.testing._escrow import FINAL, Escrow
from bursar.testing._escrows import Escrows
from bursar.testing._lists import Filters, page_of, summary_of
from bursar.testing._orders import credits_ordered, for_escrow, ordered
from bursar.testing._payment import AWAITING, ZERO, Payment
from bursar.testing._provider import CARDS, MISSING, Decline, is_known
from bursar.testing._wallet import Wallet
from bursar.testing._written import Written

_PROVIDER, _WORKFLOW = "provider:stripe", "workflow"
_FILTERS = Filters.of(*("organization_id", "provider", "status", "purpose", "currency", "external_id"), amount="amount")
_OPTIONS = ("payment_method", "off_session", "hosted", "return_url", "asset")


class Payments:
    """Payments by id, in the order in which they were made."""

    def __init__(self, wallet: Wallet, escrows: Escrows) -> None:
        """Begin with none."""
        self._wallet = wallet
        self._escrows = escrows
        self._written = Written()
        self._payments: dict[str, Payment] = {}
        payment = r"/payments/([\w.-]+)"
        self.routes: list[Route] = [
            ("POST", r"/payments", self._create),
            ("GET", r"/payments", self._list),
            ("GET", r"/payments/summary", self._summary),
            ("POST", r"/billing/topup", self._top_up),
            ("POST", r"/escrows/([\w.-]+)/fund", self._fund),
            ("GET", payment, self._get),
            ("PATCH", payment, self._update),
            ("GET", rf"{payment}/timeline", self._timeline),
            ("GET", rf"{payment}/actions", self._actions),
            ("POST", rf"{payment}/confirm", self._confirm),
            ("POST", rf"{payment}/capture", self._capture),
            ("POST", rf"{payment}/cancel", self._cancel),
            ("POST", rf"{payment}/refunds", self._refund),
            ("GET", rf"{payment}/refunds", self._list_refunds),
        ]

    # Making one -------------------------------------------------------------------------------------------------------

    def _create(self, request: httpx2.Request) -> Answer:
        body = body_of(request)
        escrow = None if body.get("escrow_id") is None else self._escrows.find(body["escrow_id"])
        made = ordered(body, escrow)
        payment = self._made(request, body, made)
        return Answer(201, payment.document(), self._written.tag(payment.id))

    def _top_up(self, request: httpx2.Request) -> Answer:
        body = body_of(request)
        payment = self._made(request, body, credits_ordered(body))
        shown = payment.document()
        secret = {"client_secret": shown["client_secret"]} if shown["client_secret"] else {}
        content = {
            "payment_id": payment.id,
            "credits": text_of(payment.goods),
            "status": payment.status,
            "charge": {name: shown[name] for name in ("amount", "currency")},
        }
        return Answer(201, content | secret)

    def _fund(self, request: httpx2.Request, escrow_id: str) -> Answer:
        """Fund an escrow from what there is, by a payment that was made for it, or by a new one."""
        body, escrow = body_of(request), self._escrows.find(escrow_id)
        source = body.get("source", "credits")
        if source not in ("credits", "balance"):
            raise invalid("source must be credits or balance; leave it out, or set it.", "source")
        if sum(body.get(name) is not None for name in ("source", "payment_id", "provider")) > 1:
            raise invalid("Set only one of source, payment_id and provider.", "source")
        if body.get("provider") is not None:
            payment = self._made(request, body, for_escrow(body, escrow))
            return Answer(200, {**self._escrows.find(escrow_id).document(), "payment": payment.document()})
        if body.keys() & set(_OPTIONS):
            raise invalid(
                "Payment options are allowed together with provider only. Send provider, or leave them out.", "provider"
            )
        if body.get("payment_id") is not None:
            self._require_handed_over(self._known(body["payment_id"]), escrow)
        else:
            self._escrows.fund(escrow_id, source, f"{ORGANIZATION}/{principal_of(request)}")
        return Answer(200, self._escrows.find(escrow_id).document())

    def _require_handed_over(self, payment: Payment, escrow: Escrow) -> None:
        if payment.escrow_id != escrow.id:
            raise Refused(
                409,
                "escrow.payment_mismatch",
                "This payment was not made for this escrow. Name one that was, or fund from another source.",
            )
        if payment.fulfilment != "done":
            detail = f"A payment that is {payment.status} has no money for an escrow."
            members = {"state": payment.status, "fulfilment": payment.fulfilment}
            raise Refused(409, "payment.not_paid", detail, **members)

    def _made(self, request: httpx2.Request, body: dict[str, Any], payment: Payment) -> Payment:
        """Keep a payment, and have its card charged; one that is declined is kept as failed, and refused with 402."""
        method = body.get("payment_method")
        knows_method = method is None or is_known(method)
        refuse_taken(body.get("external_id"), self._documents())
        payment.id = f"pay_{len(self._payments) + 1:026d}"
        self._payments[payment.id] = payment
        details = {"provider": "stripe", "amount": text_of(payment.amount), "currency": payment.currency}
        payment.note("created", _actor(request), {**details, "purpose": payment.purpose})
        if not knows_method:
            payment.state = "failed"
            payment.decline = Decline("resource_missing", f"No such PaymentMethod: '{method}'")
            payment.note("refused", _WORKFLOW, payment.decline._asdict())
            raise Refused(422, "provider.refused", MISSING, payment_id=payment.id)
        payment.decline = None if method is None else CARDS[method]
        said = "requires_action" if method is None else "authorized" if payment.is_manual else "succeeded"
        said = "failed" if payment.decline else said
        states = {"authorized": "requires_capture", "succeeded": "processing"}
        payment.state = states.get(said, said)
        payment.note("submitted", _PROVIDER, {"ref": payment.ref, "provider_status": said})
        _refuse_declined(payment)
        if said == "succeeded":
            self._receive(payment, payment.amount)
        return payment

    def _receive(self, payment: Payment, amount: Decimal) -> None:
        """Take the money, and hand over what it buys; where its escrow is no longer open, it goes back."""
        payment.state, payment.decline, payment.received = "succeeded", None, amount
        payment.granted = payment.share(payment.goods, amount, payment.amount)
        self._wallet.give(payment.granted, payment.goods_currency)
        self._wallet.moved("payment", payment.granted, payment.goods_currency)
        payment.fulfilment = "done" if payment.escrow_id is None else "pending"
        details = {"amount": text_of(amount), "currency": payment.currency, "movement": payment.ref}
        payment.note("received", _PROVIDER, details, len(self._wallet.transfers))
        if payment.escrow_id is None:
            return
        named = {"escrow_id": payment.escrow_id}
        payment.note("fulfilment_started", _WORKFLOW, named)
        try:
            self._escrows.fund(payment.escrow_id, f"payment:{payment.id}", f"{ORGANIZATION}/{payment.id}")
        except Refused:
            why = f"its run has ended: it is {self._escrows.find(payment.escrow_id).status}"
            payment.fulfilment = "gone"
            self._give_back(payment, payment.received, "purpose_gone", _WORKFLOW, why, {**named, "why": why})
        else:
            payment.fulfilment = "done"
            payment.note("escrow_funded", _WORKFLOW, named)

    # Reading ----------------------------------------------------------------------------------------------------------

    def _documents(self) -> list[dict[str, Any]]:
        return [self._known(each).document() for each in self._payments]

    def _known(self, payment_id: str) -> Payment:
        """Return a payment; one that awaits something for an escrow that has ended is cancelled."""
        if payment_id not in self._payments:
            raise Refused(404, "not_found", "There is no such payment.")
        payment = self._payments[payment_id]
        if payment.escrow_id is not None and payment.status in AWAITING:
            status = self._escrows.find(payment.escrow_id).status
            if status in FINAL:
                payment.note("cancel_requested", _WORKFLOW, {"why": f"the escrow is {status}"})
                payment.state = "cancelled"
                payment.note("cancelled", _WORKFLOW, {"provider_status": "cancelled"})
        return payment

    def _shown(self, payment: Payment) -> Answer:
        return Answer(200, payment.document(), self._written.tag(payment.id))

    def _list(self, request: httpx2.Request) -> Answer:
        return page_of(request, self._documents(), _FILTERS)

    def _summary(self, request: httpx2.Request) -> Answer:
        counts = summary_of(request, self._documents(), _FILTERS)
        counts.content["by_provider"] = [{**each, "provider": "stripe"} for each in counts.content["by_status"]]
        return counts

    def _get(self, _request: httpx2.Request, payment_id: str) -> Answer:
        return self._shown(self._known(payment_id))

    def _update(self, request: httpx2.Request, payment_id: str) -> Answer:
        payment = self._known(payment_id)
        self._written.change(request, payment_id, payment.own, self._documents())
        return self._shown(payment)

    def _timeline(self, request: httpx2.Request, payment_id: str) -> Answer:
        return page_of(request, self._known(payment_id).timeline[::-1], by="number")

    def _list_refunds(self, _request: httpx2.Request, payment_id: str) -> Answer:
        return Answer(200, {"data": list(self._known(payment_id).refunds), "next_cursor": None})

    def _actions(self, request: httpx2.Request, payment_id: str) -> Answer:
        payment, amount = self._known(payment_id), request.url.params.get("amount")
        if amount is not None:
            positive(amount, payment.currency)

        def effect(status: str | None, taken: Decimal = ZERO, **moved: Decimal) -> dict[str, Any]:
            amounts = {name: text_of(moved.get(name, ZERO)) for name in ("captured", "released", "to_payer", "fee")}
            return {**amounts, "taken": payment.of_goods(taken), "currency": payment.currency, "status": status}

        def confirm() -> dict[str, Any]:
            if not payment.received:
                payment.require("confirm", allowed=payment.status in AWAITING)
            return effect(payment.status if payment.received else None)

        def capture() -> dict[str, Any]:
            wanted = payment.captured(amount)
            return effect("succeeded", captured=wanted, released=payment.amount - wanted)

        def cancel() -> dict[str, Any]:
            payment.require("cancel", allowed=payment.status in AWAITING)
            authorized = payment.amount if payment.status == "requires_capture" else ZERO
            return effect("cancelled", released=authorized)

        def refund() -> dict[str, Any]:
            wanted, fee, taken = payment.repaid(amount, is_own=_is_own(request))
            return effect(payment.after_refund(wanted), taken, to_payer=wanted - fee, fee=fee)

        def give_up_refund() -> dict[str, Any]:
            raise Refused(403, "auth.forbidden", "The role owner may not do this (operate).")

        tries: tuple[Callable[[], dict[str, Any]], ...] = (confirm, capture, cancel, refund, give_up_refund)
        return Answer(200, {"actions": [judged(each.__name__, each) for each in tries]})

    # Commands ---------------------------------------------------------------------------------------------------------

    def _confirm(self, request: httpx2.Request, payment_id: str) -> Answer:
        payment, method = self._known(payment_id), body_of(request).get("payment_method")
        if payment.received:
            return self._shown(payment)
        payment.require("confirm", allowed=payment.status in AWAITING)
        if method is None or payment.status == "requires_capture":
            return self._shown(payment)
        if not is_known(method):
            raise Refused(409, "payment.refused", MISSING)
        decline, before = CARDS[method], payment.decline
        payment.decline = decline
        if decline is None and payment.is_manual:
            payment.state = "requires_capture"
            payment.note("progressed", _PROVIDER, {"provider_status": "authorized"})
        elif decline is None:
            self._receive(payment, payment.amount)
        elif decline != before:
            details = {"provider_status": payment.state, "decline": decline.code, "detail": decline.detail}
            payment.note("declined", _PROVIDER, details)
        _refuse_declined(payment)
        return self._shown(payment)

    def _capture(self, request: httpx2.Request, payment_id: str) -> Answer:
        payment = self._known(payment_id)
        wanted = payment.captured(body_of(request).get("amount"))
        if payment.escrow_id is not None and wanted < payment.amount:
            raise Refused(501, "fake.not_played", "FakeBursar captures payments for escrows in full only.")
        self._receive(payment, wanted)
        return self._shown(payment)

    def _cancel(self, request: httpx2.Request, payment_id: str) -> Answer:
        payment = self._known(payment_id)
        payment.require("cancel", allowed=payment.status in AWAITING)
        payment.state = "cancelled"
        payment.note("cancelled", _actor(request), {"provider_status": "cancelled"})
        return self._shown(payment)

    def _refund(self, request: httpx2.Request, payment_id: str) -> Answer:
        payment, body = self._known(payment_id), body_of(request)
        if body.get("credit_note"):
            raise invalid("Only a payment of an invoice has a credit note.", "credit_note")
        wanted, _, taken = payment.repaid(body.get("amount"), is_own=_is_own(request))
        if payment.goods_currency == CREDIT:
            self._refuse_others(payment, taken)
        reason = body.get("reason")
        said: dict[str, Any] = {"reason": reason, **({"all": True} if body.get("amount") is None else {})}
        asked = ("refund_requested", _actor(request), reason, said)
        return Answer(201, self._give_back(payment, wanted, *asked, is_own=_is_own(request)))

    def _refuse_others(self, payment: Payment, needed: Decimal) -> None:
        """Refuse what a refund takes beyond what is left of the credits that its payment has bought.

        Granted credits are spent first, then those of the oldest payment. What was bought for an escrow is in it.
        """
        bought = [each for each in self._payments.values() if each.goods_currency == CREDIT and each.escrow_id is None]
        younger = sum((each.left for each in bought if each.id > payment.id), ZERO)
        there = ZERO if payment.escrow_id else min(payment.left, self._wallet.available[CREDIT] - younger)
        free = max(ZERO, there)
        if needed > free:
            amounts = {"needed": text_of(needed), "available": text_of(free)}
            detail = (
                f"This refund takes {amounts['needed']} {CREDIT} that the payment has bought, and "
                f"{amounts['available']} {CREDIT} of them are left. Credits that came otherwise are not taken for it."
            )
            raise Refused(402, "ledger.insufficient_funds", detail, **amounts, currency=CREDIT, state=payment.status)

    def _give_back(
        self,
        payment: Payment,
        wanted: Decimal,
        event: str,
        actor: str,
        reason: str | None,
        said: dict[str, Any],
        *,
        is_own: bool = False,
    ) -> dict[str, Any]:
        """Take what was bought, and give the money back, which the provider does at once."""
        _, fee, taken = payment.repaid(wanted, is_own=is_own)
        amount = wanted - fee
        self._wallet.take(taken, payment.goods_currency, state=payment.status)
        self._wallet.moved("payment_refund", taken, payment.goods_currency)
        refund = {
            "id": f"rfd_{sum(len(each.refunds) for each in self._payments.values()) + 1:026d}",
            "payment_id": payment.id,
            "status": "succeeded",
            "amount": text_of(amount),
            "currency": payment.currency,
            "fee": text_of(fee),
            "taken": payment.of_goods(taken),
            "reason": reason,
            "failure": None,
            "failure_code": None,
            "requested_by": actor,
        }
        payment.refunded += amount
        payment.kept += fee
        payment.own_refunds += is_own
        payment.taken += taken
        named, transfer = {"refund_id": refund["id"]}, len(self._wallet.transfers)
        ref = "re_fake" + str(refund["id"]).removeprefix("rfd_")
        payment.note(
            event, actor, {**said, **named, "amount": text_of(amount)}, None if actor == _WORKFLOW else transfer
        )
        payment.refunds.append({**refund, "requested_at": payment.timeline[-1]["at"]})
        payment.note("refund_submitted", _PROVIDER, {**named, "ref": ref})
        booked = {"amount": text_of(-amount), "currency": payment.currency, "movement": ref}
        payment.note("refund_booked", _PROVIDER, booked, transfer)
        return payment.refunds[-1]


def _is_own(request: httpx2.Request) -> bool:
    return principal_of(request) != "operator"


def _actor(request: httpx2.Request) -> str:
    return f"{ORGANIZATION}/{principal_of(request)}"


def _refuse_declined(payment: Payment) -> None:
    if payment.decline is not None:
        members = {"payment_id": payment.id, "decline_code": payment.decline.code, "state": payment.status}
        raise Refused(402, "payment.declined", payment.decline.detail, **members)
