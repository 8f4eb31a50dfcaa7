"""Messages of invoices that are collected. They only grow: a new field has a default, none is renamed or removed."""

from datetime import datetime

from pydantic import Field

from contracts.base import Message
from contracts.escrow import Declined, OperatorSignal
from domain.access import Actor
from domain.invoice.collection import Collection, InvoiceDue
from domain.invoice.dunning import Verdict


class InvoiceInput(Message):
    """Starts or continues the run of an invoice, which goes on from what the books hold."""

    invoice_id: str
    resume: bool = True
    signals: int = 0


class ChargeInvoice(Message):
    """Has an invoice charged to the stored method now."""

    command_id: str
    actor: Actor

    def check(self) -> None:
        """Take it: there is nothing that could be wrong with it."""


class InvoiceResult(Message):
    """Where the collection of an invoice stands."""

    invoice_id: str
    status: str
    version: int


class InvoiceSignal(OperatorSignal):
    """Decides about an invoice from the Temporal UI: `{"give_up": "inv_…", "reason": "…"}`.

    `charge` charges it now, `resume` collects it again after a refund or a chargeback, `give_up` makes it
    uncollectible, `void` voids it. `look` says that it has changed.
    """

    look: object = None
    charge: object = None
    resume: object = None
    give_up: object = None
    void: object = None
    reason: object = ""


class LoadCollection(Message):
    """Asks for what the books hold, and with `follow` for what became of the payment that is under way."""

    invoice_id: str
    follow: bool = False


class LoadedCollection(Message):
    """What the books hold of a collection, how its invoice stands, and what became of its payment.

    `processing` is a payment of the organization's own that its payer has done their part of.
    """

    collection: Collection
    standing: InvoiceDue
    verdict: Verdict | None = None
    processing: str | None = None


class RecordCollection(Message):
    """One event to be written: the state after it, and from which state and standing of the invoice it was decided.

    `mail` is the kind of the mail that is queued with it, and `link` the page that it names.
    """

    collection: Collection
    event: str
    command_id: str
    actor: str
    actor_detail: Actor | None = None
    details: dict[str, object] = Field(default_factory=dict)
    at: datetime
    decided_from: str | None = None
    standing: InvoiceDue
    mail: str | None = None
    link: str | None = None


class RecordedCollection(Message):
    """Whether this very event is in the books; otherwise `stored` is what they hold instead.

    `standing` is how the invoice stands now.
    """

    applied: bool
    stored: Collection | None = None
    declined: Declined | None = None
    standing: InvoiceDue | None = None


class OrderCharge(Message):
    """Has the payment of an attempt made, at the moment `at`.

    With `page` it is one that its payer makes on a page, after the bank has asked for them; what is left of the
    attempt's first payment is ended before.
    """

    collection: Collection
    payment_id: str
    page: bool = False
    at: datetime


class OrderedCharge(Message):
    """Which payment was asked for, and the page where its payer goes on; or why nobody was asked.

    Neither is there where the attempt's first payment goes on. Nobody was asked either where a payment of the
    organization's own is under way, which is `waits_for`.
    """

    payment_id: str | None = None
    link: str | None = None
    refused: str | None = None
    detail: str | None = None
    waits_for: str | None = None


class InvoiceSweepResult(Message):
    """How many invoices should have moved or have changed, and how many of them had no run and got one."""

    waiting: int
    started: int
