"""What the page of one payment shows: how it stands, what the payer has to do, and everything that led there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import segno

from console.format import (
    Amount,
    Ident,
    Moment,
    Prefs,
    amount,
    decimal,
    ident,
    moment,
    relative,
    seconds_until,
    short_id,
    titled,
)
from console.forms import FormState
from console.gateway import Answer
from console.mentions import shortened
from console.payment.acts import Act, acts
from console.payment.view import PROVIDERS, PURPOSES, package_named
from console.problems import answered
from console.sections import unanswered
from console.status import Status, Tone, status_of
from console.who import actor_named
from console.widgets import External, Failed, FormPage, Link, Step, external
from domain.payments.payment.actions import PaymentAction
from domain.payments.payment.state import PaymentStatus

#: In these the payer can still pay, or what they paid is on its way.
AWAITED = frozenset(
    {
        PaymentStatus.CREATED,
        PaymentStatus.REQUIRES_ACTION,
        PaymentStatus.PROCESSING,
        PaymentStatus.UNKNOWN,
        PaymentStatus.REQUIRES_CAPTURE,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """Where coins are sent to. `qr` is an address of an image in itself."""

    qr: str
    address: str
    asset: str
    chain: str
    memo: str
    amount: Amount
    exact: str
    rate: str
    until: Moment
    left: str
    left_seconds: int
    seen: Amount | None
    confirmations: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    status: Status
    amount: Amount
    taken: Amount | None
    at: Moment
    by: str
    reason: str
    failure: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chargeback:
    label: str
    href: str
    status: Status
    amount: Amount
    until: Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A name and a value; `href` is empty if it leads nowhere."""

    label: str
    value: str
    href: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class One(FormPage):
    """One payment. `…_failed` is shown in place of a section that could not be read.

    Attributes:
        go: leads to the provider's page; empty if there is nothing to do there.
        decline: why nothing was paid, in a sentence; empty if it was not declined.
        receipt: the receipt as PDF; empty if nothing came in.
        run: the payment's run in the Temporal UI; empty for all but operators.
    """

    id: Ident
    status: Status
    sentence: str
    story: str
    acts: tuple[Act, ...]
    go: str
    decline: str
    next: str
    deposit: Deposit | None
    money: tuple[tuple[str, Amount], ...]
    facts: tuple[Fact, ...]
    refunds: tuple[Refund, ...]
    chargebacks: tuple[Chargeback, ...]
    chargebacks_failed: Failed | None
    timeline: tuple[Step, ...]
    timeline_failed: Failed | None
    receipt: str
    run: External | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What a page is made with beside the answers.

    Attributes:
        prefs: how the reader reads.
        now: the time.
        base: where the pages around this one begin.
        links: addresses of other pages with `{id}` in them, by their noun; a noun without a page is left out.
        about: the title, number or name of what is paid for; empty if it has none, or it is not known.
        run: the payment's run in the Temporal UI; empty for all but operators.
        final: after how many confirmations coins count, by asset.
    """

    prefs: Prefs
    now: datetime
    base: str
    links: Mapping[str, str]
    about: str = ""
    run: str = ""
    final: Mapping[str, int] = field(default_factory=dict)


def page(answers: Mapping[str, Answer], form: FormState, around: Around) -> One:
    """Return the page for `payment`, `actions`, `timeline` and `disputes` of the API."""
    payment = answers["payment"].need()
    prefs, here = around.prefs, f"{around.base}/payments/{payment['id']}"
    status = status_of("payment", payment["status"])
    actions, timeline, disputes = answers["actions"], answers["timeline"], answers["disputes"]
    may_act = answered(actions)
    return One(
        title=shortened(payment["description"], prefs, _names(payment, around)),
        id=ident(payment["id"]),
        crumbs=(Link(label="Payments", href=f"{around.base}/payments"),),
        status=status,
        sentence=status.sentence,
        # Its first sentence is what the page says already.
        story=shortened(payment["story"].partition(". ")[2], prefs, {}),
        acts=acts(actions.body, payment, prefs, here) if may_act else (),
        form=form,
        go=f"{here}/go" if payment["approval_url"] and payment["status"] in AWAITED else "",
        decline=declined(payment),
        next=_next(payment, around),
        deposit=deposit(payment, around),
        money=(*_money(payment, prefs), *_own_refund(actions.body["actions"] if may_act else (), prefs)),
        facts=_facts(payment, around),
        refunds=tuple(_refund(each, prefs) for each in payment["refunds"]),
        chargebacks=tuple(_chargeback(each, around) for each in disputes.body["data"]) if answered(disputes) else (),
        chargebacks_failed=unanswered("Chargebacks", disputes, here),
        timeline=_steps(timeline.body["data"], around) if answered(timeline) else (),
        timeline_failed=unanswered("Timeline", timeline, here),
        receipt=f"{here}/receipt.pdf" if decimal(payment["received_amount"]) else "",
        run=external("Workflow in the Temporal UI", around.run) if around.run else None,
    )


def declined(payment: Mapping[str, Any]) -> str:
    """Say why the provider or a bank refused; empty if none did, or where it was paid all the same."""
    decline = payment["decline"]
    if decline is None or decimal(payment["received_amount"]):
        return ""
    return f"{decline['detail'].rstrip('.')}. Nothing was charged."


def deposit(payment: Mapping[str, Any], around: Around) -> Deposit | None:
    """Return where coins are sent to; None if none are awaited, or the reader may not pay."""
    found = payment["deposit"]
    if found is None:
        return None
    prefs, quote = around.prefs, payment["quote"]
    seen = decimal(payment["seen_amount"])
    return Deposit(
        qr=segno.make(found["uri"] or found["address"], micro=False).svg_data_uri(scale=4, border=4, light="#fff"),
        address=found["address"],
        asset=found["asset"],
        chain=found["chain"],
        memo=found["memo"] or "",
        amount=amount(found["amount"], found["asset"], prefs),
        exact=found["amount"],
        rate=f"1 {found['asset']} = {amount(quote['price'], quote['currency'], prefs)}" if quote else "",
        until=moment(payment["expires_at"], prefs),
        left=relative(payment["expires_at"], around.now, prefs),
        left_seconds=seconds_until(payment["expires_at"], around.now),
        seen=amount(payment["seen_amount"], payment["currency"], prefs) if seen else None,
        confirmations=confirmed(payment, around),
    )


def confirmed(payment: Mapping[str, Any], around: Around) -> str:
    """Say how far the network is with coins that were sent; empty if none are seen."""
    found, final = payment["confirmations"], around.final.get(payment["currency"])
    if found is None:
        return ""
    if final is not None:
        return f"{found} of {final} confirmations"
    return f"{found} confirmation{'' if found == 1 else 's'}"


def _next(payment: Mapping[str, Any], around: Around) -> str:
    """Say what is awaited until when; empty if nothing is."""
    if payment["status"] not in AWAITED:
        return ""
    if payment["deposit"] is None and decimal(payment["seen_amount"]):
        # All of it was sent, so nothing is to be sent any more: what is awaited are the network's confirmations.
        seen = amount(payment["seen_amount"], payment["currency"], around.prefs)
        far = confirmed(payment, around)
        return f"{seen} is seen on the network{f', {far}' if far else ''}. It is credited once confirmed."
    at = moment(payment["expires_at"], around.prefs)
    words = {
        PaymentStatus.REQUIRES_CAPTURE: "Waiting for capture",
        PaymentStatus.PROCESSING: "Waiting for the money",
    }.get(payment["status"], "It can be paid")
    return f"{words} until {at.text}, {relative(payment['expires_at'], around.now, around.prefs)}."


def _money(payment: Mapping[str, Any], prefs: Prefs) -> tuple[tuple[str, Amount], ...]:
    goods, granted, owed = payment["goods"], payment["granted"], payment["owed"]
    currency = payment["currency"]
    parts = [
        ("Received", payment["received_amount"], currency),
        ("Refunded, or being refunded", payment["refunded_amount"], currency),
        ("Disputed", payment["disputed_amount"], currency),
        ("Can be refunded", payment["refundable_amount"], currency),
        ("Credited", granted["amount"], granted["currency"]),
        ("Debt, because it was already spent", owed["amount"], owed["currency"]),
    ]
    return (
        ("Price", amount(payment["amount"], currency, prefs)),
        ("You get", amount(goods["amount"], goods["currency"], prefs)),
        *((label, amount(value, code, prefs)) for label, value, code in parts if decimal(value)),
    )


def _own_refund(actions: Sequence[Mapping[str, Any]], prefs: Prefs) -> tuple[tuple[str, Amount], ...]:
    """Return the parts of a refund that keeps the provider's fee; none where the reader's refund keeps none."""
    effect = next((each["effect"] for each in actions if each["action"] == PaymentAction.REFUND), None)
    if effect is None or not decimal(effect["fee"]):
        return ()
    parts = (("You get back on a refund", effect["to_payer"]), ("Non-refundable fee", effect["fee"]))
    return tuple((label, amount(value, effect["currency"], prefs)) for label, value in parts)


def _names(payment: Mapping[str, Any], around: Around) -> Mapping[str, str]:
    ids = (payment[f"{noun}_id"] for noun in ("escrow", "invoice", "agent"))
    return {id: around.about for id in ids if id is not None and around.about}


def _facts(payment: Mapping[str, Any], around: Around) -> tuple[Fact, ...]:
    found = [
        Fact(label="Paid by", value=PROVIDERS.get(payment["provider"], payment["provider"])),
        Fact(label="For", value=PURPOSES.get(payment["purpose"], payment["purpose"])),
    ]
    for noun, label in (("escrow", "Escrow"), ("invoice", "Invoice"), ("agent", "Agent")):
        object_id = payment[f"{noun}_id"]
        if object_id is not None:
            href = around.links.get(noun, "").replace("{id}", object_id)
            found.append(Fact(label=label, value=around.about or short_id(object_id), href=href))
    if payment["package"]:
        found.append(Fact(label="Package", value=package_named(payment["package"])))
    if payment["external_id"]:
        found.append(Fact(label="Your id", value=payment["external_id"]))
    found.append(Fact(label="Created", value=moment(payment["created_at"], around.prefs).text))
    return tuple(found)


def _refund(refund: Mapping[str, Any], prefs: Prefs) -> Refund:
    taken = refund["taken"]
    return Refund(
        status=status_of("refund", refund["status"]),
        amount=amount(refund["amount"], refund["currency"], prefs),
        taken=amount(taken["amount"], taken["currency"], prefs) if decimal(taken["amount"]) else None,
        at=moment(refund["requested_at"], prefs),
        by=actor_named(refund["requested_by"]),
        reason=refund["reason"] or "",
        failure=refund["failure"] or "",
    )


def _chargeback(dispute: Mapping[str, Any], around: Around) -> Chargeback:
    due = dispute["evidence_due_at"]
    return Chargeback(
        label=titled(dispute["reason"]),
        href=around.links.get("dispute", "").replace("{id}", dispute["id"]),
        status=status_of("chargeback", dispute["status"]),
        amount=amount(dispute["amount"], dispute["currency"], around.prefs),
        until=moment(due, around.prefs) if due and dispute["evidence_submitted_at"] is None else None,
    )


#: What the API calls its events, in words; one that is not here is shown as it is called.
_EVENTS: Mapping[str, str] = {
    "created": "Requested",
    "adopted": "Created by the provider",
    "submitted": "Created at the provider",
    "outcome_unknown": "The provider's answer was lost",
    "refused": "Declined",
    "time_over": "The payment expired",
    "overdue": "Still open long after its expiry",
    "fee_booked": "The provider's fee was booked",
    "settled": "The provider's balance shows the money",
    "refund_requested": "Refund requested",
    "refund_unknown": "The provider's answer to the refund was lost",
    "refund_given_up": "An operator recorded the outcome of the refund",
    "refund_taken_over": "Refund created at the provider",
    "dispute_inquiry": "The payer's bank opened an inquiry",
    "dispute_opened": "The payer's bank holds the disputed money",
    "dispute_date_changed": "The payer's bank changed the evidence deadline",
    "dispute_returned_in_part": "The payer's bank returned a part of the money",
    "evidence_offered": "The organization added evidence; an operator answers the bank",
    "evidence_replaced": "The organization replaced its evidence",
    "evidence_submitted": "Evidence was sent to the bank",
    "purpose_gone": "The purchase can no longer be fulfilled",
    "fulfilment_failed": "Fulfilment failed",
    "command_refused": "A command was refused",
}
_TONES = {
    "refused": (Tone.BAD, "cross"),
    "outcome_unknown": (Tone.WARN, "warn"),
    "dispute_opened": (Tone.BAD, "dispute"),
    "command_refused": (Tone.WARN, "warn"),
}


def _steps(events: Sequence[Mapping[str, Any]], around: Around) -> tuple[Step, ...]:
    return tuple(_step(each, around) for each in events)


def _step(event: Mapping[str, Any], around: Around) -> Step:
    status = status_of("payment", event["status"])
    tone, icon = _TONES.get(event["kind"], (status.tone, status.icon))
    details = event["details"]
    detail = details.get("detail") or details.get("reason") or details.get("why") or ""
    transfer = event["transfer_id"]
    return Step(
        title=_EVENTS.get(event["kind"], titled(event["kind"])),
        at=moment(event["at"], around.prefs),
        tone=tone,
        icon=icon,
        detail=str(detail),
        who=actor_named(event["actor"]),
        href=around.links.get("transfer", "").replace("{id}", transfer) if transfer else "",
    )
