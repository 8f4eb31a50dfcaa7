"""How an invoice is collected: charged to the stored method, or dunned by mail. Frozen values of the standard library.

The workflow is the only writer. The invoice itself says what is due (`InvoiceDue`); this is what was done to collect
it, and what is done next.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from domain.invoice.state import InvoiceStatus, PausedFor
from domain.mail import MailKind

#: How many commands a collection remembers, so that a repeated one is answered and not done twice.
RECEIPT_WINDOW = 64
#: Who acts when nobody commands.
WORKFLOW = "workflow"


class CollectionMethod(StrEnum):
    """Stripe's words: the stored method is charged, or the invoice is sent and reminded of."""

    CHARGE_AUTOMATICALLY = "charge_automatically"
    SEND_INVOICE = "send_invoice"


class CollectionStatus(StrEnum):
    """The status of a collection.

    `scheduled`: the next step has a time; `charging`: a payment is in progress; `requires_action`: the payer was sent a
    page to confirm; `paused`: an operator has to decide. The others are final.
    """

    SCHEDULED = "scheduled"
    CHARGING = "charging"
    REQUIRES_ACTION = "requires_action"
    PAUSED = "paused"
    PAID = "paid"
    VOID = "void"
    UNCOLLECTIBLE = "uncollectible"


S = CollectionStatus
#: A payment of ours is not at its end.
UNDER_WAY = frozenset({S.CHARGING, S.REQUIRES_ACTION})
#: The invoice has ended; only what reopens it goes on from here.
FINAL = frozenset({S.PAID, S.VOID, S.UNCOLLECTIBLE})


class Pause(StrEnum):
    """Why an operator decides.

    `refund`, `chargeback`: money was refunded or charged back; `unanswered`: charge after charge was neither paid nor
    declined.
    """

    REFUND = "refund"
    CHARGEBACK = "chargeback"
    UNANSWERED = "unanswered"


#: What the invoice says of itself, and resuming it there ends.
REOPENED = frozenset({Pause.REFUND, Pause.CHARGEBACK})


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceDue:
    """What the invoice says: its state, what is due of it in minor units, and why nothing is collected by itself.

    `touched`: a part of it is paid or credited, so that it cannot be voided.
    """

    status: InvoiceStatus
    due_minor: int
    paused_for: PausedFor | None = None
    touched: bool = False

    @property
    def is_open(self) -> bool:
        """Whether there is anything to collect."""
        return self.status is InvoiceStatus.OPEN and self.due_minor > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """The whole state. `version` is the number of its latest event, `receipts` are the commands that were done.

    Attributes:
        number: what people call the invoice; its id where it had none yet.
        days: when it is dunned, in days after the first charge or the due date; on the last one it is given up.
        announced: whether the mail that the invoice was issued is queued.
        steps: how many steps of dunning were taken: declines of our own charges, and reminders.
        attempts: how many payments were requested; it names each of them.
        unanswered: how many of them in a row were neither paid nor declined.
        charge_now: an operator wants one charge, whatever the method.
        payment_id: of the payment that is under way, or was last.
        waits_for: a payment of the organization's own that a charge waits for.
        waited: how often in a row a charge found such a payment.
        failure: why the last charge failed, and `failure_code` its code.
    """

    invoice_id: str
    org_id: str
    number: str
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
        """Whether the next step is a charge."""
        return self.charge_now or self.method is CollectionMethod.CHARGE_AUTOMATICALLY


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command or an answer does: the next state, the event that says so, and the mail that is queued with it.

    `link` is the page of a payment that waits for its payer.
    """

    collection: Collection
    event: str
    actor: str
    details: dict[str, object] = field(default_factory=dict)
    mail: MailKind | None = None
    link: str | None = None
