"""The way to a provider's page and back: our own page leads on, as a form may not, and the books say how it went."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Prefs, amount
from console.gateway import Answer
from console.payment.one import AWAITED, Around, Deposit, declined, deposit
from console.status import Status, status_of
from console.widgets import External, Link, external
from domain.payments.payment.state import PaymentStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """Leads on. `provider` has no host where there is nothing to do at the provider."""

    title: str
    crumbs: tuple[Link, ...]
    status: Status
    amount: Amount
    provider: External
    refresh: str
    deposit: Deposit | None
    back: Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """How the books say that it went.

    Attributes:
        again: leads to the provider's page once more; empty if there is nothing to do.
        next: where one goes on.
    """

    title: str
    status: Status
    sentence: str
    amount: Amount
    goods: Amount
    is_paid: bool
    waits: bool
    decline: str
    again: str
    next: tuple[Link, ...]


def go(payment: Mapping[str, Any], around: Around) -> Go:
    """Return the page that leads to the provider."""
    here = f"{around.base}/payments/{payment['id']}"
    url = payment["approval_url"] if payment["status"] in AWAITED else None
    provider = external("Go to the provider's page", url or "")
    return Go(
        title="Pay",
        crumbs=(Link(label=payment["description"], href=here),),
        status=status_of("payment", payment["status"]),
        amount=amount(payment["amount"], payment["currency"], around.prefs),
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
    PaymentStatus.CREATED: "Not paid yet",
}


#: What a payment was for, and where that is.
_FOR = (
    ("escrow", "The escrow", "escrows/{escrow_id}"),
    ("invoice", "The invoice", "invoices/{invoice_id}"),
    ("purchase", "The library", "library"),
    ("slot", "Projects", "projects"),
)


def back(answer: Answer, base: str, prefs: Prefs) -> Return:
    """Return the page for the returning payer, from the books."""
    payment = answer.need()
    here, status = f"{base}/payments/{payment['id']}", payment["status"]
    shown = status_of("payment", status)
    unpaid = status in {PaymentStatus.FAILED, PaymentStatus.EXPIRED, PaymentStatus.CANCELLED}
    links = [Link(label="The payment", href=here, kind="" if unpaid else "primary")]
    for purpose, label, path in _FOR:
        if payment["purpose"] == purpose:
            links.append(Link(label=label, href=f"{base}/{path.format(**payment)}"))
    if payment["purpose"] == "credits":
        links.append(Link(label="Pay in another way" if unpaid else "Home", href=f"{base}/top-up" if unpaid else base))
    return Return(
        title=_TITLES.get(status, shown.word),
        status=shown,
        sentence=shown.sentence,
        amount=amount(payment["amount"], payment["currency"], prefs),
        goods=amount(payment["goods"]["amount"], payment["goods"]["currency"], prefs),
        is_paid=status in _PAID,
        waits=status in {PaymentStatus.PROCESSING, PaymentStatus.UNKNOWN, PaymentStatus.CREATED},
        decline=declined(payment),
        again=f"{here}/go" if payment["approval_url"] and status in AWAITED else "",
        next=tuple(links),
    )
