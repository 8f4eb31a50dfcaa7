"""What every status of every noun is called, how it looks, and what it means to a reader.

A status is never shown by colour alone: a tone has a shape, which stands beside the word.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from domain.alert.life import AlertStatus, Severity
from domain.approval import ApprovalStatus
from domain.contract import ContractStatus
from domain.escrow.state import EscrowStatus
from domain.invoice.collection import CollectionStatus
from domain.invoice.state import InvoiceStatus
from domain.mail import MailStatus
from domain.marketplace.offer import OfferStatus
from domain.marketplace.sale import PurchaseStatus
from domain.notification.channel import ChannelStatus
from domain.organization import OrganizationStatus
from domain.payable import PayableState
from domain.payment.snapshot import DisputeStatus
from domain.payment.state import Fulfilment, PaymentStatus, RefundState
from domain.payout.state import PayoutStatus
from domain.reconciliation import MatchStatus
from domain.recovery import ReversalStatus
from domain.referral import ReferralStatus
from domain.spend.control import ControlStatus
from domain.subscription.state import SubscriptionStatus
from domain.usage.arrears import BilledStatus
from domain.webhook.delivery import DeliveryStatus
from domain.webhook.endpoint import EndpointStatus


class Tone(StrEnum):
    """How a status looks; each has colours in `tokens.css` and a shape of its own."""

    GOOD = "good"
    BUSY = "busy"
    WARN = "warn"
    BAD = "bad"
    IDLE = "idle"


#: The shape of each tone, a symbol of `icons.svg`.
SHAPES: Mapping[Tone, str] = {
    Tone.GOOD: "check",
    Tone.BUSY: "clock",
    Tone.WARN: "warn",
    Tone.BAD: "cross",
    Tone.IDLE: "dash",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How one status is shown.

    Attributes:
        word: what a badge says.
        icon: a symbol of `icons.svg`.
        sentence: what it means, and what comes next.
    """

    word: str
    tone: Tone
    icon: str
    sentence: str


def _as(tone: Tone, word: str, sentence: str, icon: str = "") -> Status:
    return Status(word=word, tone=tone, icon=icon or SHAPES[tone], sentence=sentence)


def _good(word: str, sentence: str) -> Status:
    return _as(Tone.GOOD, word, sentence)


def _busy(word: str, sentence: str) -> Status:
    return _as(Tone.BUSY, word, sentence)


def _warn(word: str, sentence: str) -> Status:
    return _as(Tone.WARN, word, sentence)


def _bad(word: str, sentence: str) -> Status:
    return _as(Tone.BAD, word, sentence)


def _idle(word: str, sentence: str) -> Status:
    return _as(Tone.IDLE, word, sentence)


_ESCROW: Mapping[str, Status] = {
    EscrowStatus.OPEN: _idle("Waiting for money", "The escrow is open, and the payer has not funded it."),
    EscrowStatus.FUNDED: _busy("Funded", "The money is held until the work is delivered and signed for."),
    EscrowStatus.DELIVERED: _busy("Delivered", "The work is there. It is paid for when enough people have signed."),
    EscrowStatus.DISPUTED: _warn("Disputed", "An arbiter decides who gets the money. Nothing moves until then."),
    EscrowStatus.RELEASED: _good("Released", "The payee has the money, less the commission."),
    EscrowStatus.REFUNDED: _idle("Refunded", "The money went back to the payer."),
    EscrowStatus.SPLIT: _idle("Split", "The money was divided between both sides."),
    EscrowStatus.CANCELLED: _idle(
        "Cancelled", "The escrow was ended by agreement. What was held went back to the payer."
    ),
    EscrowStatus.EXPIRED: _idle("Expired", "Nothing more was delivered in time. What was held went back to the payer."),
}

_CONTRACT: Mapping[str, Status] = {
    ContractStatus.PROPOSED: _busy("Proposed", "The payee has not accepted the terms."),
    ContractStatus.ACCEPTED: _good("Accepted", "Both sides agree on the terms."),
    ContractStatus.EXPIRED: _idle("Expired", "The payee did not accept in time."),
}

_PAYMENT: Mapping[str, Status] = {
    PaymentStatus.CREATED: _idle("Created", "The payment was made here and not yet sent to the provider."),
    PaymentStatus.REQUIRES_ACTION: _warn("Waiting for the payer", "The payer has to do something at the provider."),
    PaymentStatus.PROCESSING: _busy("Processing", "The provider is working on it, or what came in is being booked."),
    PaymentStatus.UNKNOWN: _warn("Not known yet", "The provider's answer was lost. The payment is being looked for."),
    PaymentStatus.REQUIRES_CAPTURE: _warn("Authorized", "The money is reserved on the card, and not yet captured."),
    PaymentStatus.SUCCEEDED: _good("Paid", "The money is there, and what it pays for was given."),
    PaymentStatus.FAILED: _bad("Failed", "Nothing was paid."),
    PaymentStatus.EXPIRED: _idle("Expired", "The payer's time is over, and nothing was paid."),
    PaymentStatus.CANCELLED: _idle("Cancelled", "The payment was cancelled before anything was paid."),
    PaymentStatus.PARTIALLY_REFUNDED: _idle("Partly refunded", "A part of the money went back to the payer."),
    PaymentStatus.REFUNDED: _idle("Refunded", "All of the money went back to the payer."),
    PaymentStatus.DISPUTED: _warn("Disputed", "The payer's bank disputes the payment."),
    PaymentStatus.CHARGED_BACK: _bad("Charged back", "The payer's bank keeps the money."),
}

_REFUND: Mapping[str, Status] = {
    RefundState.REQUESTED: _busy("Requested", "The refund is booked and on its way to the provider."),
    RefundState.UNKNOWN: _warn("Not known yet", "The provider's answer was lost. The refund is being looked for."),
    RefundState.PENDING: _busy("On its way", "The provider has the refund, and the payer not yet."),
    RefundState.SUCCEEDED: _good("Refunded", "The money went back to the payer."),
    RefundState.FAILED: _bad("Failed", "The provider could not refund it. The money is in the books again."),
}

_FULFILMENT: Mapping[str, Status] = {
    Fulfilment.PENDING: _busy("Under way", "What was paid for is still to be given."),
    Fulfilment.DONE: _good("Done", "What was paid for was given."),
    Fulfilment.GONE: _warn("No longer possible", "What was paid for could not be given any more."),
}

_CHARGEBACK: Mapping[str, Status] = {
    DisputeStatus.INQUIRY: _warn("Inquiry", "The payer's bank asks a question. No money was taken."),
    DisputeStatus.NEEDS_RESPONSE: _bad("Evidence needed", "The bank took the money. Evidence can win it back."),
    DisputeStatus.UNDER_REVIEW: _busy("Under review", "The bank has the evidence and decides."),
    DisputeStatus.WON: _good("Won", "The bank returned the money."),
    DisputeStatus.LOST: _bad("Lost", "The bank decided for the payer. The money is gone."),
}

_INVOICE: Mapping[str, Status] = {
    InvoiceStatus.DRAFT: _idle("Draft", "The invoice can still change."),
    InvoiceStatus.OPEN: _warn("Due", "Something has to be paid."),
    InvoiceStatus.PAID: _good("Paid", "Nothing is due."),
    InvoiceStatus.VOID: _idle("Void", "The invoice was ended while nothing was paid. It counts for nothing."),
    InvoiceStatus.UNCOLLECTIBLE: _bad("Uncollectible", "It was given up: what was due is a loss."),
}

_COLLECTION: Mapping[str, Status] = {
    CollectionStatus.SCHEDULED: _idle("Scheduled", "The next step has its time."),
    CollectionStatus.CHARGING: _busy("Charging", "A payment is under way."),
    CollectionStatus.REQUIRES_ACTION: _warn("Waiting for the payer", "The payer was sent a page to confirm at."),
    CollectionStatus.PAUSED: _warn("Paused", "An operator decides how to go on."),
    CollectionStatus.PAID: _good("Paid", "Nothing is due."),
    CollectionStatus.VOID: _idle("Void", "The invoice was ended while nothing was paid."),
    CollectionStatus.UNCOLLECTIBLE: _bad("Uncollectible", "It was given up: what was due is a loss."),
}

_PAYOUT: Mapping[str, Status] = {
    PayoutStatus.REQUESTED: _busy("Requested", "The amount was taken out of the earnings and is to be sent."),
    PayoutStatus.WAITING_FOR_FUNDS: _warn("Waiting for funds", "It is sent when the platform has so much at its bank."),
    PayoutStatus.UNKNOWN: _warn("Not known yet", "The provider's answer was lost. The payout is being looked for."),
    PayoutStatus.PAID: _good("Sent", "The provider sent the money to the creator's account."),
    PayoutStatus.FAILED: _bad("Failed", "Nothing was sent. The amount is in the earnings again."),
}

_EARNINGS: Mapping[str, Status] = {
    PayableState.AVAILABLE: _good("Available", "It can be paid out now."),
    PayableState.PENDING: _busy("Pending", "It is too young: what paid for it may still be charged back."),
    PayableState.FROZEN: _warn("Frozen", "What paid for it is being charged back."),
    PayableState.GRANTED: _idle("Granted", "Nobody paid for it, so it can be spent and not paid out."),
}

_SUBSCRIPTION: Mapping[str, Status] = {
    SubscriptionStatus.CREATED: _idle("Created", "It is agreed, and not yet made at the provider."),
    SubscriptionStatus.INCOMPLETE: _warn("Waiting for payment", "The plan begins when the first payment is there."),
    SubscriptionStatus.TRIALING: _good("Trial", "The plan is tried without paying."),
    SubscriptionStatus.ACTIVE: _good("Active", "The period is paid for."),
    SubscriptionStatus.PAST_DUE: _warn("Past due", "The period is not paid for. The provider tries again."),
    SubscriptionStatus.UNPAID: _bad("Unpaid", "The provider gave up collecting. Only what is free is left."),
    SubscriptionStatus.ENDED: _idle("Ended", "The subscription is over."),
}

_PURCHASE: Mapping[str, Status] = {
    PurchaseStatus.ACTIVE: _good("Active", "The agent can be used."),
    PurchaseStatus.SUSPENDED: _warn("Suspended", "A bank takes back what was paid, so the agent cannot be used."),
    PurchaseStatus.REFUNDED: _idle("Refunded", "What was paid went back."),
    PurchaseStatus.ENDED: _idle("Ended", "The period is over."),
}

_OFFER: Mapping[str, Status] = {
    OfferStatus.LISTED: _good("Listed", "The agent can be bought."),
    OfferStatus.RETIRED: _idle("Retired", "The agent cannot be bought any more. Who has it keeps it."),
}

_ORGANIZATION: Mapping[str, Status] = {
    OrganizationStatus.ACTIVE: _good("Active", "Anything may begin."),
    OrganizationStatus.SUSPENDED: _warn("Suspended", "Nothing new begins until an operator resumes it."),
    OrganizationStatus.CLOSED: _idle("Closed", "Nothing begins any more, and its keys are revoked."),
}

_ALERT: Mapping[str, Status] = {
    AlertStatus.FIRING: _bad("Open", "It is so now, and nobody has taken it on."),
    AlertStatus.ACKNOWLEDGED: _busy("Acknowledged", "Somebody has taken it on."),
    AlertStatus.RESOLVED: _good("Resolved", "It is so no more."),
}

_SEVERITY: Mapping[str, Status] = {
    Severity.INFO: _as(Tone.IDLE, "Notice", "It is good to know.", "info"),
    Severity.WARNING: _warn("Warning", "It needs attention."),
    Severity.CRITICAL: _bad("Critical", "It needs attention now."),
}

_APPROVAL: Mapping[str, Status] = {
    ApprovalStatus.REQUESTED: _busy("Requested", "A second operator has to approve it."),
    ApprovalStatus.APPROVED: _good("Approved", "It can be done now."),
    ApprovalStatus.REJECTED: _bad("Rejected", "A second operator refused it."),
    ApprovalStatus.USED: _good("Done", "It was approved, and done."),
    ApprovalStatus.EXPIRED: _idle("Expired", "It was not decided, or not used, in time."),
}

_MATCH: Mapping[str, Status] = {
    MatchStatus.MATCHED: _good("Matched", "The provider and the books agree."),
    MatchStatus.MISSING_HERE: _bad("Missing here", "The provider lists it, and it is not booked."),
    MatchStatus.MISSING_THERE: _bad("Missing there", "It is booked, and the provider does not list it."),
    MatchStatus.AMOUNT_DIFFERS: _bad("Differs", "The amount, fee or currency is another one at the provider."),
    MatchStatus.FEE_MISSING: _warn("Fee missing", "It was booked before the provider stated its fee."),
    MatchStatus.NOT_LISTED_YET: _busy("Not listed yet", "It is too young to be in the provider's statement."),
}

_REVERSAL: Mapping[str, Status] = {
    ReversalStatus.REQUESTED: _busy("Requested", "The transfer to the creator is being taken back."),
    ReversalStatus.REVERSED: _good("Taken back", "The money is back from the creator's account."),
    ReversalStatus.REFUSED: _bad("Refused", "The provider will not take it back. It is the creator's debt."),
    ReversalStatus.NOT_NEEDED: _idle("Not needed", "The creator has paid what was owed."),
}

_REFERRAL: Mapping[str, Status] = {
    ReferralStatus.WAITING: _busy("Waiting", "Its payment has not earned enough, or can still be taken back."),
    ReferralStatus.REWARDED: _good("Rewarded", "Both sides were granted their credits."),
    ReferralStatus.REFUSED: _idle("Refused", "Nothing is granted."),
    ReferralStatus.TAKEN_BACK: _bad("Taken back", "Its payment went back, and so did the credits."),
}

_CONTROL: Mapping[str, Status] = {
    ControlStatus.ACTIVE: _good("Active", "Spending is taken up to the limit."),
    ControlStatus.FROZEN: _warn("Frozen", "Nothing can be spent."),
    ControlStatus.CLOSED: _idle("Closed", "The limit is over."),
}

_BILLED: Mapping[str, Status] = {
    BilledStatus.PREPAID: _good("Prepaid", "Credits paid for it."),
    BilledStatus.UNBILLED: _busy("To be billed", "The next invoice has it."),
    BilledStatus.BILLED: _good("Billed", "An invoice has it."),
}

_DELIVERY: Mapping[str, Status] = {
    DeliveryStatus.PENDING: _busy("Pending", "It is to be sent, or sent again."),
    DeliveryStatus.DELIVERED: _good("Delivered", "The receiver took it."),
    DeliveryStatus.FAILED: _bad("Failed", "Every try failed."),
    DeliveryStatus.SKIPPED: _idle("Skipped", "An operator decided not to send it."),
}

_ENDPOINT: Mapping[str, Status] = {
    EndpointStatus.ENABLED: _good("Enabled", "Events are sent."),
    EndpointStatus.PAUSED: _warn("Paused", "Events are kept, and sent when it goes on."),
    EndpointStatus.DISABLED: _bad("Disabled", "Nothing is sent any more."),
    EndpointStatus.DELETED: _idle("Deleted", "The endpoint is gone."),
}

_MAIL: Mapping[str, Status] = {
    MailStatus.QUEUED: _busy("Queued", "It is still tried."),
    MailStatus.SENT: _good("Sent", "The receivers' servers took it."),
    MailStatus.FAILED: _bad("Failed", "It was given up."),
}

_CHANNEL: Mapping[str, Status] = {
    ChannelStatus.PENDING: _busy("Unconfirmed", "The code that was sent there is awaited."),
    ChannelStatus.VERIFIED: _good("Confirmed", "Messages are sent there."),
    ChannelStatus.DELETED: _idle("Deleted", "Nothing is sent there any more."),
}

_NOTIFICATION: Mapping[str, Status] = {
    "queued": _busy("Queued", "It is about to be sent."),
    "waiting": _busy("In the next digest", "It waits for the digest of its period."),
    "digested": _good("In a digest", "A digest had it."),
    "sent": _good("Sent", "It was sent."),
    "failed": _bad("Failed", "It was given up."),
    "dropped": _idle("Dropped", "By the time it was due nobody was to hear of it."),
}

_RESERVATION: Mapping[str, Status] = {
    "pending": _busy("Reserved", "The credits are set aside until it is captured, released or over."),
    "posted": _good("Captured", "What was used was paid for."),
    "voided": _idle("Released", "The credits are free again, and nothing was paid."),
    "expired": _idle("Expired", "Its time is over, and the credits are free again."),
}

_AGENT: Mapping[str, Status] = {
    "active": _good("Active", "The agent can be hired."),
    "retired": _idle("Retired", "The agent is given no new work."),
}

_KEY: Mapping[str, Status] = {
    "active": _good("Active", "The key is accepted."),
    "expired": _idle("Expired", "The key's time is over."),
    "revoked": _bad("Revoked", "The key is refused everywhere."),
}

_SESSION: Mapping[str, Status] = {
    "active": _good("Active", "The session is signed in."),
    "ended": _idle("Ended", "The session is over."),
}

_LINK: Mapping[str, Status] = {
    "open": _busy("Not used", "The link can be used once."),
    "used": _good("Used", "The link opened a session, and opens none again."),
    "expired": _idle("Expired", "The link's time is over."),
}

_PROJECT: Mapping[str, Status] = {
    "deployed": _good("Deployed", "The project runs, and takes one of the plan's places or a slot."),
    "idle": _idle("Not deployed", "The project uses no deployment slot."),
}

_EVENT: Mapping[str, Status] = {
    "handled": _good("Handled", "What it says is done."),
    "waiting": _busy("Waiting", "It is to be handled."),
    "failing": _bad("Failing", "Handling it failed, and is tried again."),
}

_MILESTONE: Mapping[str, Status] = {
    "pending": _idle("To do", "It is not delivered."),
    "delivered": _busy("In review", "It is delivered, and not yet agreed to."),
    "released": _good("Released", "The payee has the money, less the commission."),
}

_EVIDENCE: Mapping[str, Status] = {
    "counts": _good("Counts", "It is part of the score."),
    "excluded": _idle("Does not count", "A rule leaves it out, such as work within one organization."),
    "void": _bad("Void", "It was taken out of the score, with a reason."),
}

_PRICE_RULE: Mapping[str, Status] = {
    "holds": _good("Holds", "Prices that are asked for now follow it."),
    "coming": _busy("Not yet", "It holds from the time that it names."),
    "past": _idle("Past", "The time until which it held is over."),
    "ended": _idle("Ended", "An operator has ended it."),
}

_STEP: Mapping[str, Status] = {
    "done": _good("Done", "It has happened."),
    "current": _busy("Now", "It is so now."),
    "next": _idle("To come", "It has not happened."),
    "failed": _bad("Failed", "It did not work."),
}


#: For each noun, for each of its statuses: how it is shown. The keys are the words of the API.
STATUSES: Mapping[str, Mapping[str, Status]] = {
    "agent": _AGENT,
    "alert": _ALERT,
    "approval": _APPROVAL,
    "chargeback": _CHARGEBACK,
    "channel": _CHANNEL,
    "collection": _COLLECTION,
    "contract": _CONTRACT,
    "control": _CONTROL,
    "delivery": _DELIVERY,
    "earnings": _EARNINGS,
    "endpoint": _ENDPOINT,
    "escrow": _ESCROW,
    "event": _EVENT,
    "evidence": _EVIDENCE,
    "fulfilment": _FULFILMENT,
    "invoice": _INVOICE,
    "key": _KEY,
    "link": _LINK,
    "mail": _MAIL,
    "match": _MATCH,
    "milestone": _MILESTONE,
    "notification": _NOTIFICATION,
    "offer": _OFFER,
    "organization": _ORGANIZATION,
    "payment": _PAYMENT,
    "payout": _PAYOUT,
    "price_rule": _PRICE_RULE,
    "project": _PROJECT,
    "purchase": _PURCHASE,
    "referral": _REFERRAL,
    "refund": _REFUND,
    "reservation": _RESERVATION,
    "reversal": _REVERSAL,
    "session": _SESSION,
    "severity": _SEVERITY,
    "step": _STEP,
    "subscription": _SUBSCRIPTION,
    "usage": _BILLED,
}


def status_of(noun: str, status: str) -> Status:
    """Return how a status is shown; one that the console does not know is shown as it stands.

    A newer API may have words that this console has not: a page with an odd badge is better than none.
    """
    known = STATUSES[noun].get(status)
    if known is not None:
        return known
    word = status.replace("_", " ").replace(".", " ").capitalize()
    return _as(Tone.IDLE, word, "This console has no words for that status.", "info")
