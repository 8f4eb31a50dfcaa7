"""How an invoice is collected: charged to the stored method, or dunned by mail. Frozen values of the standard library.

The workflow is the only writer. The amount due is the invoice's (`InvoiceDue`); this is the history of its collection
and the next step.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from domain.billing.invoice.state import InvoiceStatus, PausedFor
from domain.common.mail import MailKind
from domain.privacy.data_map import TECHNICAL

#: How many commands a collection remembers, to answer repeated ones.
RECEIPT_WINDOW = 64
#: The actor of events without a command.
WORKFLOW = "workflow"


class CollectionMethod(StrEnum):
    """Stripe's words: the stored method is charged, or the invoice is sent and reminded of."""

    CHARGE_AUTOMATICALLY = "charge_automatically"
    SEND_INVOICE = "send_invoice"


class CollectionStatus(StrEnum):
    """The status of a collection.

    `scheduled`: the next step waits for its time; `charging`: a payment is under way; `requires_action`: the payer was
    sent a page to confirm it; `paused`: an operator has to decide. The others are the final states of the invoice.
    """

    SCHEDULED = "scheduled"
    CHARGING = "charging"
    REQUIRES_ACTION = "requires_action"
    PAUSED = "paused"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"


S = CollectionStatus
#: States in which a payment of the collection is under way.
UNDER_WAY = frozenset({S.CHARGING, S.REQUIRES_ACTION})
#: Final states, unless the invoice is reopened.
FINAL = frozenset({S.PAID, S.VOID, S.UNCOLLECTIBLE})


class Pause(StrEnum):
    """Why an operator has to decide.

    `refund`, `chargeback`: money was refunded or charged back; `unanswered`: charge after charge was neither paid nor
    declined.
    """

    REFUND = "refund"
    CHARGEBACK = "chargeback"
    UNANSWERED = "unanswered"


#: Reasons that are set on the invoice, and end when the invoice is resumed.
REOPENED = frozenset({Pause.REFUND, Pause.CHARGEBACK})


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceDue:
    """The invoice's state, the amount due in minor units, and why its collection is paused.

    `touched`: a part of it is paid or credited, so it cannot be voided.
    """

    status: InvoiceStatus
    due_minor: int
    paused_for: PausedFor | None = None
    touched: bool = False

    @property
    def is_open(self) -> bool:
        return self.status is InvoiceStatus.OPEN and self.due_minor > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """The whole state. `version` is the number of its latest event, `receipts` are the commands that were done.

    Attributes:
        number: of the invoice; its id if it had none yet.
        days: the days of dunning, after the first charge or the due date; on the last one the invoice is given up.
        announced: whether the mail that the invoice was issued is queued.
        steps: the number of dunning steps: declined charges and reminders.
        attempts: the number of requested payments, which their ids are made of.
        unanswered: how many of the last ones were neither paid nor declined.
        charge_now: whether an operator has requested a charge, whatever the method.
        payment_id: of the present or last payment.
        waits_for: a payment of the organization's own that a charge waits for.
        waited: how many times in a row a charge had to wait for one.
        failure: why the last charge failed; `failure_code` is its code.
    """

    invoice_id: str
    org_id: str
    number: Annotated[str, TECHNICAL]
    currency: str
    method: CollectionMethod
    days: tuple[int, ...]
    due_at: datetime
    next_at: datetime
    status: CollectionStatus = S.SCHEDULED
    version: int = 0
    announced: bool = False
    steps: int = 0
    attempts: int = 0
    unanswered: int = 0
    charge_now: bool = False
    payment_id: str | None = None
    waits_for: str | None = None
    waited: int = 0
    paused_for: Pause | None = None
    failure_code: str | None = None
    failure: str | None = None
    receipts: tuple[str, ...] = ()

    def has_done(self, command_id: str) -> bool:
        """Return whether a command was done."""
        return command_id in self.receipts

    @property
    def charges(self) -> bool:
        return self.charge_now or self.method is CollectionMethod.CHARGE_AUTOMATICALLY


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """The result of a command or an answer: the next state, its event, and the mail to queue.

    `link` is the page of a payment that waits for its payer.
    """

    collection: Collection
    event: str
    actor: str
    details: dict[str, object] = field(default_factory=dict)
    mail: MailKind | None = None
    link: str | None = None
