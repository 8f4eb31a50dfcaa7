"""The way to a provider's page and back: our own page leads on, as a form may not, and the books say how it went."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Prefs, amount
from console.gateway import Answer
from console.payment.one import AWAITED, Around, Deposit, declined, deposit
from console.payment.view import company
from console.status import Status, status_of
from console.widgets import External, Link, Page, external
from domain.payments.payment.state import Fulfilment, PaymentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Go(Page):
    """Leads on. `provider` has no host where there is nothing to do at the provider."""

    status: Status
    amount: Amount
    company: str
    provider: External
    refresh: str
    deposit: Deposit | None
    back: Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Return(Page):
    """How the books say that it went.

    Attributes:
        working: a title and a sentence of what is awaited; empty where the books know how it ended.
        gone: that what was paid for can no longer be had; empty if it can.
        again: leads to the provider's page once more; empty if there is nothing to do.
        next: where one goes on.
    """

    status: Status
    sentence: str
    amount: Amount
    goods: Amount
    is_paid: bool
    working: tuple[str, str]
    gone: str
    decline: str
    again: str
    next: tuple[Link, ...]


def go(payment: Mapping[str, Any], around: Around) -> Go:
    here = f"{around.base}/payments/{payment['id']}"
    url = payment["approval_url"] if payment["status"] in AWAITED else None
    provider = external(f"Continue to {company(payment['provider'])}", url or "")
    return Go(
        title="Pay",
        crumbs=(Link(label=payment["description"], href=here),),
        status=status_of("payment", payment["status"]),
        amount=amount(payment["amount"], payment["currency"], around.prefs),
        company=company(payment["provider"]),
        provider=provider,
        refresh=f"1; url={provider.href}" if provider.host else "",
        deposit=deposit(payment, around),
        back=Link(label="The payment", href=here),
    )


_PAID = frozenset({PaymentStatus.SUCCEEDED, PaymentStatus.PARTIALLY_REFUNDED})
_TITLES = {
    PaymentStatus.SUCCEEDED: "Paid",
    PaymentStatus.FAILED: "Not paid",
    PaymentStatus.EXPIRED: "Not paid",
    PaymentStatus.CANCELLED: "Not paid",
    PaymentStatus.REQUIRES_ACTION: "Not paid yet",
}
#: The provider may have the money, and the books do not know it yet.
_CONFIRMING = frozenset({PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN, PaymentStatus.CREATED})
_HANDED_OVER = {"escrow": "Your money is on its way into escrow", "invoice": "Your invoice is being marked as paid"}


#: What a payment was for, and where that is.
_FOR = (
    ("escrow", "The escrow", "escrows/{escrow_id}"),
    ("invoice", "The invoice", "invoices/{invoice_id}"),
    ("purchase", "The library", "library"),
    ("slot", "Projects", "projects"),
)


def back(answer: Answer, base: str, prefs: Prefs) -> Return:
    payment = answer.need()
    here, status = f"{base}/payments/{payment['id']}", payment["status"]
    shown, fulfilment = status_of("payment", status), payment["fulfilment"]
    working, hands_over = ("", ""), payment["purpose"] in _HANDED_OVER and status == PaymentStatus.SUCCEEDED
    if status in _CONFIRMING:
        working = (
            "Confirming your payment…",
            f"{company(payment['provider'])} has not confirmed it yet. Cards take seconds, bank debits some days. "
            "You can leave this page: the payment goes on without it.",
        )
    elif hands_over and fulfilment == Fulfilment.PENDING:
        working = (f"{_HANDED_OVER[payment['purpose']]}…", "The payment is received. This takes a moment.")
    unpaid = status in {PaymentStatus.FAILED, PaymentStatus.EXPIRED, PaymentStatus.CANCELLED}
    links = [Link(label="The payment", href=here, kind="" if unpaid else "primary")]
    for purpose, label, path in _FOR:
        if payment["purpose"] == purpose:
            links.append(Link(label=label, href=f"{base}/{path.format(**payment)}"))
    if payment["purpose"] == "credits":
        links.append(Link(label="Pay another way" if unpaid else "Home", href=f"{base}/top-up" if unpaid else base))
    return Return(
        title="Confirming your payment" if status in _CONFIRMING else _TITLES.get(status, shown.word),
        status=shown,
        sentence="" if working[0] else shown.sentence,
        amount=amount(payment["amount"], payment["currency"], prefs),
        goods=amount(payment["goods"]["amount"], payment["goods"]["currency"], prefs),
        is_paid=status in _PAID,
        working=working,
        gone=status_of("fulfilment", "gone").sentence if hands_over and fulfilment == Fulfilment.GONE else "",
        decline=declined(payment),
        again=f"{here}/go" if payment["approval_url"] and status in AWAITED else "",
        next=tuple(links),
    )
