"""Messages of invoices that are collected. They only grow: a new field has a default, none is renamed or removed."""

from datetime import datetime

from contracts.common.base import Message
from contracts.escrow.escrow import Declined, OperatorSignal
from domain.billing.invoice.collection import Collection, InvoiceDue, Transition
from domain.common.access import Actor
from domain.payments.dunning import ChargeResult


class InvoiceInput(Message):
    """Starts or continues the run of an invoice, from the books."""

    invoice_id: str
    resume: bool = True
    signals: int = 0


class ChargeInvoice(Message):
    """Charges an invoice to the stored payment method now."""

    command_id: str
    actor: Actor

    def check(self) -> None:
        """Accept it: it has no field to validate."""


class InvoiceResult(Message):
    invoice_id: str
    status: str
    version: int


class InvoiceSignal(OperatorSignal):
    """An operator's decision on an invoice from the Temporal UI: `{"give_up": "inv_…", "reason": "…"}`.

    `charge` charges it now, `resume` collects it again after a refund or a chargeback, `give_up` makes it
    uncollectible, `void` voids it. `look` reports that it has changed.
    """

    look: object = None
    charge: object = None
    resume: object = None
    give_up: object = None
    void: object = None
    reason: object = ""


class LoadCollection(Message):
    """Reads the state that the books hold, and with `follow` the outcome of the payment in progress."""

    invoice_id: str
    follow: bool = False


class LoadedCollection(Message):
    """A collection in the books, its invoice's balance, and the outcome of its payment.

    `processing` is a payment that the organization made itself and whose payer has acted.
    """

    collection: Collection
    standing: InvoiceDue
    verdict: ChargeResult | None = None
    processing: str | None = None


class RecordCollection(Message):
    """One event to write, with the state and the invoice's balance that it was decided from."""

    outcome: Transition
    command_id: str
    actor: Actor | None = None
    at: datetime
    decided_from: str | None = None
    standing: InvoiceDue


class RecordedCollection(Message):
    """Whether this event is in the books; otherwise `stored` is the state that they hold.

    `standing` is the invoice's present balance.
    """

    applied: bool
    stored: Collection | None = None
    declined: Declined | None = None
    standing: InvoiceDue | None = None


class OrderCharge(Message):
    """Creates the payment of an attempt, at the time `at`.

    With `page` the payer completes it on a page, because the bank requires the payer; the attempt's first payment is
    cancelled before.
    """

    collection: Collection
    payment_id: str
    page: bool = False
    at: datetime


class OrderedCharge(Message):
    """The ordered payment, and the page where its payer continues; or why none was ordered.

    All are empty if the attempt's first payment goes on. None is ordered either while a payment that the organization
    made itself is open, which is `waits_for`.
    """

    payment_id: str | None = None
    link: str | None = None
    refused: str | None = None
    detail: str | None = None
    waits_for: str | None = None
