"""Name, look and meaning of every status of every noun.

A status is never shown by colour alone: a tone has a shape, which stands beside the word.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from console.texts import _, gettext
from domain.billing.invoice.collection import CollectionStatus
from domain.billing.invoice.state import InvoiceStatus
from domain.billing.subscription.state import SubscriptionStatus
from domain.books.reconciliation import MatchStatus
from domain.budgets.economics import EntryStatus
from domain.budgets.purchase_order import AttemptStatus, PurchaseOrderStatus
from domain.cards.card import CardStatus
from domain.cards.card_authorization import CardPaymentStatus
from domain.common.approval import ApprovalStatus
from domain.common.mail import MailStatus
from domain.credits.spend.control import ControlStatus
from domain.escrow.contract import ContractStatus
from domain.escrow.state import EscrowStatus
from domain.insight.export import ExportStatus
from domain.marketplace.offer import OfferStatus
from domain.marketplace.referral import ReferralStatus
from domain.marketplace.sale import PurchaseStatus
from domain.messages.alert.life import AlertStatus, Severity
from domain.messages.notification.channel import ChannelStatus
from domain.messages.webhook.delivery import DeliveryStatus
from domain.messages.webhook.endpoint import EndpointStatus
from domain.payments.payment.snapshot import DisputeStatus
from domain.payments.payment.state import Fulfilment, PaymentStatus, RefundState
from domain.payouts.activity import FactStatus
from domain.payouts.payable import PayableState
from domain.payouts.payout.state import PayoutStatus
from domain.payouts.recovery import ReversalStatus
from domain.returns.allocation import AllocationStatus
from domain.returns.revenue_event import RevenueStatus
from domain.returns.trial import TrialStatus
from domain.secrets.access import AccessOutcome
from domain.secrets.rotation import RotationStatus
from domain.secrets.secret import VersionStatus
from domain.tenants.organization import OrganizationStatus
from domain.usage.arrears import BilledStatus


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
    EscrowStatus.OPEN: _idle("Waiting for funding", "The escrow is open. The payer has not funded it yet."),
    EscrowStatus.FUNDED: _busy("Funded", "The money is held until the work is delivered and approved."),
    EscrowStatus.DELIVERED: _busy(
        "Delivered", "The work is delivered. It is paid for once enough signatories approve."
    ),
    EscrowStatus.DISPUTED: _warn("Disputed", "An arbiter decides who gets the money. No money moves until then."),
    EscrowStatus.RELEASED: _good("Released", "The payee was paid, less the commission."),
    EscrowStatus.REFUNDED: _idle("Refunded", "The money was returned to the payer."),
    EscrowStatus.SPLIT: _idle("Split", "The money was divided between both parties."),
    EscrowStatus.CANCELLED: _idle(
        "Cancelled", "Both parties agreed to end the escrow. The held amount was returned to the payer."
    ),
    EscrowStatus.EXPIRED: _idle(
        "Expired", "The work was not delivered in time. The held amount was returned to the payer."
    ),
}

_CONTRACT: Mapping[str, Status] = {
    ContractStatus.PROPOSED: _busy("Proposed", "The payee has not accepted the terms."),
    ContractStatus.ACCEPTED: _good("Accepted", "Both parties agree on the terms."),
    ContractStatus.EXPIRED: _idle("Expired", "The payee did not accept in time."),
}

_PAYMENT: Mapping[str, Status] = {
    PaymentStatus.CREATED: _idle("Created", "The payment is recorded here, and not yet created at the provider."),
    PaymentStatus.REQUIRES_ACTION: _warn(
        "Waiting for the payer", "The payer has to authenticate or confirm at the provider."
    ),
    PaymentStatus.PROCESSING: _busy("Processing", "The provider is processing it, or it is being booked."),
    PaymentStatus.UNKNOWN: _warn("Outcome unknown", "The provider's answer was lost. The payment is being looked up."),
    PaymentStatus.REQUIRES_CAPTURE: _warn("Authorized", "The money is reserved on the card, and not yet captured."),
    PaymentStatus.SUCCEEDED: _good("Paid", "The payment is received and fulfilled."),
    PaymentStatus.FAILED: _bad("Failed", "Nothing was paid."),
    PaymentStatus.EXPIRED: _idle("Expired", "The payer did not pay in time. Nothing was charged."),
    PaymentStatus.CANCELLED: _idle("Cancelled", "The payment was cancelled before anything was charged."),
    PaymentStatus.PARTIALLY_REFUNDED: _idle("Partially refunded", "Part of the payment was refunded."),
    PaymentStatus.REFUNDED: _idle("Refunded", "The whole payment was refunded."),
    PaymentStatus.DISPUTED: _warn("Disputed", "The payer's bank disputes the payment."),
    PaymentStatus.CHARGED_BACK: _bad("Charged back", "The payer's bank returned the money to the payer."),
}

_REFUND: Mapping[str, Status] = {
    RefundState.REQUESTED: _busy("Requested", "The refund is booked and on its way to the provider."),
    RefundState.UNKNOWN: _warn("Outcome unknown", "The provider's answer was lost. The refund is being looked up."),
    RefundState.PENDING: _busy("Pending", "The provider accepted the refund. The payer does not have it yet."),
    RefundState.SUCCEEDED: _good("Refunded", "The money was returned to the payer."),
    RefundState.FAILED: _bad("Failed", "The provider could not refund it. The amount is back on the payment."),
}

_FULFILMENT: Mapping[str, Status] = {
    Fulfilment.PENDING: _busy("In progress", "The purchase is being fulfilled."),
    Fulfilment.DONE: _good("Done", "The purchase is fulfilled."),
    Fulfilment.GONE: _warn("No longer possible", "The purchase can no longer be fulfilled."),
}

_CHARGEBACK: Mapping[str, Status] = {
    DisputeStatus.INQUIRY: _warn("Inquiry", "The payer's bank asks about the payment. No money has moved."),
    DisputeStatus.NEEDS_RESPONSE: _bad("Evidence needed", "The bank reversed the payment. Evidence can win it back."),
    DisputeStatus.UNDER_REVIEW: _busy("Under review", "The bank has the evidence and decides."),
    DisputeStatus.WON: _good("Won", "The bank returned the money."),
    DisputeStatus.LOST: _bad("Lost", "The bank decided for the payer, who keeps the money."),
}

_INVOICE: Mapping[str, Status] = {
    InvoiceStatus.DRAFT: _idle("Draft", "The invoice can still change."),
    InvoiceStatus.OPEN: _warn("Due", "An amount is due."),
    InvoiceStatus.PAID: _good("Paid", "Nothing is due."),
    InvoiceStatus.VOID: _idle("Voided", "The invoice was voided before anything was paid. Nothing is due."),
    InvoiceStatus.UNCOLLECTIBLE: _bad("Uncollectible", "Collection ended. The amount due is written off."),
}

_COLLECTION: Mapping[str, Status] = {
    CollectionStatus.SCHEDULED: _idle("Scheduled", "The next attempt is scheduled."),
    CollectionStatus.CHARGING: _busy("Charging", "A payment is under way."),
    CollectionStatus.REQUIRES_ACTION: _warn(
        "Waiting for the payer", "The payer was sent a link to confirm the payment."
    ),
    CollectionStatus.PAUSED: _warn("Paused", "An operator decides what happens next."),
    CollectionStatus.PAID: _good("Paid", "Nothing is due."),
    CollectionStatus.VOID: _idle("Voided", "The invoice was voided before anything was paid."),
    CollectionStatus.UNCOLLECTIBLE: _bad("Uncollectible", "Collection ended. The amount due is written off."),
}

_PAYOUT: Mapping[str, Status] = {
    PayoutStatus.REQUESTED: _busy("Requested", "The amount left the earnings and is about to be sent."),
    PayoutStatus.WAITING_FOR_FUNDS: _warn(
        "Waiting for funds", "It is sent when the platform's balance at the provider covers it."
    ),
    PayoutStatus.UNKNOWN: _warn("Outcome unknown", "The provider's answer was lost. The payout is being looked up."),
    PayoutStatus.PAID: _good("Sent", "The provider sent the money to the creator's account."),
    PayoutStatus.FAILED: _bad("Failed", "Nothing was sent. The amount is back in the earnings."),
}

_ACTIVITY: Mapping[str, Status] = {
    FactStatus.PENDING: _busy("Held", "The money is in escrow, or on its way to a bank account."),
    FactStatus.COMPLETED: _good("Done", "The money has moved."),
    FactStatus.REVERSED: _idle("Returned", "All of the held money was returned."),
}

_EXPORT: Mapping[str, Status] = {
    ExportStatus.QUEUED: _busy("Queued", "It is about to begin."),
    ExportStatus.RUNNING: _busy("Running", "Its rows are being written."),
    ExportStatus.DONE: _good("Done", "Its files can be downloaded."),
    ExportStatus.EXPIRED: _idle("Expired", "Its files were deleted after seven days."),
}

_ALLOCATION: Mapping[str, Status] = {
    AllocationStatus.PROPOSED: _busy("Proposed", "Budgets change if it is accepted in time."),
    AllocationStatus.APPLIED: _good("Applied", "The budgets were changed."),
    AllocationStatus.EXPIRED: _idle("Expired", "It was not accepted in time. Budgets did not change."),
}

_TRIAL: Mapping[str, Status] = {
    TrialStatus.RUNNING: _busy("Running", "The next stage is paid when it is due, if the agent shows enough by then."),
    TrialStatus.FINISHED: _good("Finished", "All stages were paid."),
    TrialStatus.STOPPED: _warn("Stopped", "No further stage is paid."),
}

_EARNINGS: Mapping[str, Status] = {
    PayableState.AVAILABLE: _good("Available", "It can be paid out now."),
    PayableState.PENDING: _busy("Pending", "It is held back, because its payment may still be charged back."),
    PayableState.FROZEN: _warn("Frozen", "Its payment is being charged back."),
    PayableState.GRANTED: _idle("Granted", "It comes from granted credits, so it can be spent but not paid out."),
}

_SUBSCRIPTION: Mapping[str, Status] = {
    SubscriptionStatus.CREATED: _idle("Created", "It is ordered, and not yet created at the provider."),
    SubscriptionStatus.INCOMPLETE: _warn("Waiting for payment", "The plan starts when the first payment is received."),
    SubscriptionStatus.TRIALING: _good("Trial", "The plan is free until the trial ends."),
    SubscriptionStatus.ACTIVE: _good("Active", "The period is paid for."),
    SubscriptionStatus.PAST_DUE: _warn("Past due", "The period is not paid for. The provider retries the payment."),
    SubscriptionStatus.UNPAID: _bad("Unpaid", "The provider stopped collecting. The organization is on the free plan."),
    SubscriptionStatus.ENDED: _idle("Ended", "The subscription has ended."),
}

_PURCHASE: Mapping[str, Status] = {
    PurchaseStatus.ACTIVE: _good("Active", "The agent can be used."),
    PurchaseStatus.SUSPENDED: _warn("Suspended", "The payment is disputed, so the agent cannot be used."),
    PurchaseStatus.REFUNDED: _idle("Refunded", "The price was refunded."),
    PurchaseStatus.ENDED: _idle("Ended", "The period has ended."),
}

_ORDER: Mapping[str, Status] = {
    PurchaseOrderStatus.APPROVED: _good("Approved", "The amount is held. The agent may buy it."),
    PurchaseOrderStatus.NEEDS_ALTERNATIVES: _idle("Needs alternatives", "The agent must look for alternatives."),
    PurchaseOrderStatus.NEEDS_APPROVAL: _warn("Needs approval", "A person has to approve it."),
    PurchaseOrderStatus.DECLINED_OVER_BUDGET: _bad("Over budget", "It exceeds a budget."),
    PurchaseOrderStatus.DECLINED_POLICY: _bad("Declined", "It was declined. Nothing is held."),
    PurchaseOrderStatus.PURCHASED: _good("Purchased", "It was paid."),
    PurchaseOrderStatus.ABANDONED: _idle("Abandoned", "The agent abandoned it. Nothing is held."),
    PurchaseOrderStatus.EXPIRED: _idle("Expired", "It was not bought in time. Nothing is held."),
    PurchaseOrderStatus.CANCELLED: _idle("Cancelled", "It was paid, and does not renew."),
}

_CARD: Mapping[str, Status] = {
    CardStatus.PENDING: _busy("Being created", "The issuer has not created it yet."),
    CardStatus.ACTIVE: _good("Active", "Each payment is decided by the budgets of its agent."),
    CardStatus.FROZEN: _warn("Frozen", "Every payment is declined until the card is unfrozen."),
    CardStatus.CLOSED: _idle("Closed", "The card cannot be used again."),
}

_CARD_PAYMENT: Mapping[str, Status] = {
    CardPaymentStatus.PENDING: _busy("Authorized", "The credits are held until the merchant captures."),
    CardPaymentStatus.DECLINED: _bad("Declined", "Nothing was paid."),
    CardPaymentStatus.CLOSED: _good("Captured", "The merchant has captured the payment."),
    CardPaymentStatus.REVERSED: _idle("Reversed", "The merchant cancelled it. Nothing is held."),
    CardPaymentStatus.EXPIRED: _idle("Expired", "It was not captured in time. Nothing is held."),
    CardPaymentStatus.NONE: _warn("Not authorized", "The merchant captured or refunded without an authorization."),
}

_ATTEMPT: Mapping[str, Status] = {
    AttemptStatus.BEGUN: _busy("Started", "Its result was not reported yet."),
    AttemptStatus.SUCCEEDED: _good("Succeeded", "It was paid."),
    AttemptStatus.DECLINED: _bad("Declined", "Nothing was paid."),
    AttemptStatus.UNKNOWN: _warn("Outcome unknown", "Look it up where it was paid."),
}

_OFFER: Mapping[str, Status] = {
    OfferStatus.LISTED: _good("Listed", "The agent can be bought."),
    OfferStatus.RETIRED: _idle("Retired", "The agent can no longer be bought. Buyers keep it."),
}

_ORGANIZATION: Mapping[str, Status] = {
    OrganizationStatus.ACTIVE: _good("Active", "The organization can use everything."),
    OrganizationStatus.SUSPENDED: _warn("Suspended", "Nothing new can start until an operator resumes it."),
    OrganizationStatus.CLOSED: _idle("Closed", "Nothing new can start, and its keys are revoked."),
}

_ALERT: Mapping[str, Status] = {
    AlertStatus.FIRING: _bad("Open", "The condition holds, and it is not acknowledged."),
    AlertStatus.ACKNOWLEDGED: _busy("Acknowledged", "A person is working on it."),
    AlertStatus.RESOLVED: _good("Resolved", "The condition no longer holds."),
}

_SEVERITY: Mapping[str, Status] = {
    Severity.INFO: _as(Tone.IDLE, "Notice", "For information.", "info"),
    Severity.WARNING: _warn("Warning", "It needs attention."),
    Severity.CRITICAL: _bad("Critical", "It needs attention now."),
}

_APPROVAL: Mapping[str, Status] = {
    ApprovalStatus.REQUESTED: _busy("Requested", "A second operator must approve it."),
    ApprovalStatus.APPROVED: _good("Approved", "It is approved and can be carried out."),
    ApprovalStatus.REJECTED: _bad("Rejected", "A second operator refused it."),
    ApprovalStatus.USED: _good("Done", "It was approved and carried out."),
    ApprovalStatus.EXPIRED: _idle("Expired", "It was not decided, or not carried out, in time."),
}

_MATCH: Mapping[str, Status] = {
    MatchStatus.MATCHED: _good("Matched", "The provider and the books agree."),
    MatchStatus.MISSING_HERE: _bad("Missing here", "The provider lists it, and it is not booked."),
    MatchStatus.MISSING_THERE: _bad("Missing there", "It is booked, and the provider does not list it."),
    MatchStatus.AMOUNT_DIFFERS: _bad("Differs", "The amount, fee or currency differs at the provider."),
    MatchStatus.FEE_MISSING: _warn("Fee missing", "It was booked before the provider stated its fee."),
    MatchStatus.NOT_LISTED_YET: _busy("Not listed yet", "It is too recent for the provider's statement."),
}

_REVERSAL: Mapping[str, Status] = {
    ReversalStatus.REQUESTED: _busy("Requested", "The transfer to the creator is being reversed."),
    ReversalStatus.REVERSED: _good("Reversed", "The transfer to the creator was reversed."),
    ReversalStatus.REFUSED: _bad("Refused", "The provider cannot reverse it. The creator owes it."),
    ReversalStatus.NOT_NEEDED: _idle("Not needed", "The creator has paid the debt."),
}

_REFERRAL: Mapping[str, Status] = {
    ReferralStatus.WAITING: _busy("Waiting", "Its payment has not earned enough, or can still be refunded."),
    ReferralStatus.REWARDED: _good("Rewarded", "Both parties received their credits."),
    ReferralStatus.REFUSED: _idle("Refused", "Nothing is granted."),
    ReferralStatus.TAKEN_BACK: _bad("Reversed", "Its payment was refunded, so the credits were reversed."),
}

_CONTROL: Mapping[str, Status] = {
    ControlStatus.ACTIVE: _good("Active", "Spending is allowed up to the limit."),
    ControlStatus.FROZEN: _warn("Frozen", "Nothing can be spent."),
    ControlStatus.CLOSED: _idle("Closed", "The limit no longer applies."),
}

_BILLED: Mapping[str, Status] = {
    BilledStatus.PREPAID: _good("Prepaid", "Credits paid for it."),
    BilledStatus.UNBILLED: _busy("To be billed", "It is on the next invoice."),
    BilledStatus.BILLED: _good("Billed", "It is on an invoice."),
    BilledStatus.VOID: _idle("Voided", "It is not billed."),
}

_REVENUE: Mapping[str, Status] = {
    RevenueStatus.REPORTED: _busy("Reported", "It counts once a person or a statement has confirmed it."),
    RevenueStatus.CONFIRMED: _good("Confirmed", "It counts, less reversals."),
    RevenueStatus.REJECTED: _bad("Rejected", "It does not count."),
    RevenueStatus.REVERSED: _idle("Reversed", "All of it was refunded, charged back or recovered."),
}

_ENTRY: Mapping[str, Status] = {
    EntryStatus.APPROVED: _good("Approved", "The agent may buy it."),
    EntryStatus.NEEDS_ALTERNATIVES: _warn("Needs alternatives", "The policy asks for free alternatives first."),
    EntryStatus.NEEDS_APPROVAL: _busy("Needs approval", "A person has to approve the purchase."),
    EntryStatus.DECLINED_POLICY: _bad("Declined by policy", "The policy does not allow it."),
    EntryStatus.DECLINED_OVER_BUDGET: _bad("Over budget", "A budget or a limit does not have enough left."),
    EntryStatus.DECLINED_FROZEN: _bad("Frozen", "A budget or a limit above the agent is frozen."),
    EntryStatus.DECLINED_RATE: _bad("No exchange rate", "The limit is in a currency without a recent exchange rate."),
    EntryStatus.DECLINED_CREDITS: _bad("Not enough credits", "The organization did not have enough credits."),
    EntryStatus.BEGUN: _busy("Started", "The agent is about to pay. The result is not reported yet."),
    EntryStatus.SUCCEEDED: _good("Succeeded", "It was done."),
    EntryStatus.FORCED: _warn("Beyond budget", "It was charged although no budget had enough left."),
    EntryStatus.DECLINED: _bad("Declined", "The payment was declined."),
    EntryStatus.UNKNOWN: _warn("Outcome unknown", "It is not known whether the payment went through."),
    EntryStatus.REPORTED: _busy("Reported", "An agent reported it. Budgets are credited once a person confirms it."),
    EntryStatus.CONFIRMED: _good("Confirmed", "A person has confirmed what was reported."),
    EntryStatus.CORRECTED: _warn("Corrected", "A person has corrected what was reported."),
    EntryStatus.REFUNDED: _idle("Refunded", "The amount was refunded."),
    EntryStatus.REVERSED: _idle("Reversed", "The payout was reversed."),
    EntryStatus.PURCHASED: _good("Purchased", "The purchase was made."),
    EntryStatus.ABANDONED: _idle("Abandoned", "The agent did not buy it."),
    EntryStatus.EXPIRED: _idle("Expired", "It was not bought in time."),
    EntryStatus.CANCELLED: _idle("Cancelled", "It no longer renews."),
}

_DELIVERY: Mapping[str, Status] = {
    DeliveryStatus.PENDING: _busy("Pending", "It is about to be sent or retried."),
    DeliveryStatus.DELIVERED: _good("Delivered", "The receiver accepted it."),
    DeliveryStatus.FAILED: _bad("Failed", "Every attempt failed."),
    DeliveryStatus.SKIPPED: _idle("Skipped", "An operator decided not to send it."),
}

_ENDPOINT: Mapping[str, Status] = {
    EndpointStatus.ENABLED: _good("Enabled", "Events are sent."),
    EndpointStatus.PAUSED: _warn("Paused", "Events are kept, and sent when it is resumed."),
    EndpointStatus.DISABLED: _bad("Disabled", "Nothing is sent."),
    EndpointStatus.DELETED: _idle("Deleted", "The endpoint was deleted."),
}

_MAIL: Mapping[str, Status] = {
    MailStatus.QUEUED: _busy("Queued", "It is about to be sent or retried."),
    MailStatus.SENT: _good("Sent", "The receiving servers accepted it."),
    MailStatus.FAILED: _bad("Failed", "Every attempt failed."),
}

_CHANNEL: Mapping[str, Status] = {
    ChannelStatus.PENDING: _busy("Unconfirmed", "Enter the code that was sent there."),
    ChannelStatus.VERIFIED: _good("Confirmed", "Messages are sent there."),
    ChannelStatus.DELETED: _idle("Deleted", "Nothing is sent there."),
}

_NOTIFICATION: Mapping[str, Status] = {
    "queued": _busy("Queued", "It is about to be sent."),
    "waiting": _busy("In the next digest", "It waits for the digest of its period."),
    "digested": _good("In a digest", "It was sent in a digest."),
    "sent": _good("Sent", "It was sent."),
    "failed": _bad("Failed", "Every attempt failed."),
    "dropped": _idle("Dropped", "It had no recipient by the time it was due."),
}

_SPEND: Mapping[str, Status] = {
    "charged": _good("Used", "The credits were charged."),
    "reserved": _busy("Reserved", "The credits are held until they are captured, released or expired."),
    "captured": _good("Captured", "The used part of the reservation was charged."),
    "released": _idle("Reservation released", "The credits are available again, and nothing was charged."),
    "expired": _idle("Expired", "It expired, and the credits are available again."),
    "refunded": _idle("Refunded", "The whole charge was returned."),
}

_AGENT: Mapping[str, Status] = {
    "active": _good("Active", "The agent can be hired."),
    "retired": _idle("Retired", "The agent gets no new work."),
}

_KEY: Mapping[str, Status] = {
    "active": _good("Active", "The key is accepted."),
    "expired": _idle("Expired", "The key has expired."),
    "revoked": _bad("Revoked", "The key is refused everywhere."),
}

_DEPARTMENT: Mapping[str, Status] = {
    "open": _good("Open", "Agents and keys can spend for it."),
    "closed": _idle("Closed", "No more spending can be assigned to it."),
}

_PRINCIPAL: Mapping[str, Status] = {
    "active": _good("Active", "It can act for the organization."),
    "invited": _busy("Invited", "The person was sent a link by mail, and has not signed in yet."),
}

_SESSION: Mapping[str, Status] = {
    "active": _good("Active", "The session is signed in."),
    "ended": _idle("Ended", "The session has ended."),
}

_LINK: Mapping[str, Status] = {
    "open": _busy("Not used", "The link can be used once to sign in."),
    "used": _good("Used", "The link was used to sign in, and cannot be used again."),
    "expired": _idle("Expired", "The link has expired."),
}

_SECRET_VERSION: Mapping[str, Status] = {
    VersionStatus.PENDING: _busy("Pending", "Created by a rotation. It is not in use yet."),
    VersionStatus.CURRENT: _good("In use", "Grants of the secret use this version."),
    VersionStatus.PREVIOUS: _warn("Previous", "It was replaced, and can be used until it expires."),
    VersionStatus.RETIRED: _idle("Retired", "It was replaced, and can no longer be used."),
    VersionStatus.DESTROYED: _idle("Destroyed", "The value and its key are deleted."),
}

_SECRET_ROTATION: Mapping[str, Status] = {
    RotationStatus.IDLE: _good("On schedule", "The value is replaced when it is due."),
    RotationStatus.WAITING: _warn("Needs a value", "Set a new value at the target, and enter it here."),
    RotationStatus.CREATED: _busy("Created", "A new value is created. It is about to be set at the target."),
    RotationStatus.APPLIED: _busy("Set", "The new value is set at the target. It is about to be tested."),
    RotationStatus.TESTED: _busy("Tested", "The new value works. It is about to be used."),
    RotationStatus.PROMOTED: _good("Replaced", "The new value is in use. The previous one is usable until it expires."),
    RotationStatus.FAILED: _bad("Failed", "The target rejected the new value. The previous one stays in use."),
}

_SECRET_GRANT: Mapping[str, Status] = {
    "active": _good("Active", "The grant can be used."),
    "ended": _idle("Ended", "The grant has expired."),
    "revoked": _bad("Revoked", "A person revoked the grant."),
}

_SECRET_ACCESS: Mapping[str, Status] = {
    AccessOutcome.OPENED: _good("Opened", "The value was used or shown."),
    AccessOutcome.NOT_FOUND: _idle("Not found", "No secret exists at this path."),
    AccessOutcome.NO_GRANT: _bad("No grant", "No active grant gives the requester the secret."),
    AccessOutcome.NO_VERSION: _idle("No version", "The secret has no such usable version."),
    AccessOutcome.HOST: _bad("Wrong host", "The grant or the secret does not allow the host."),
    AccessOutcome.METHOD: _bad("Wrong method", "The grant does not allow the method."),
    AccessOutcome.PLACE: _bad("Wrong place", "The grant does not allow the value in this part of a request."),
    AccessOutcome.HEADER: _bad("Wrong header", "The grant does not allow a header of the request."),
    AccessOutcome.USES: _warn("Used up", "The grant had no uses left for the day."),
    AccessOutcome.OPERATOR: _bad(
        "Operator's key", "The key comes from an operator of the platform, directly or through another key."
    ),
}

_PROJECT: Mapping[str, Status] = {
    "deployed": _good("Deployed", "The project runs in a place of the plan or in a slot."),
    "idle": _idle("Not deployed", "The project uses no deployment slot."),
}

_MILESTONE: Mapping[str, Status] = {
    "pending": _idle("To do", "It is not delivered yet."),
    "delivered": _busy("In review", "It is delivered, and not yet approved."),
    "released": _good("Released", "The payee was paid, less the commission."),
}

_EVIDENCE: Mapping[str, Status] = {
    "counts": _good("Counted", "It is part of the score."),
    "excluded": _idle("Does not count", "A rule excludes it, such as work within one organization."),
    "void": _bad("Removed", "It was removed from the score, with a reason."),
}

_PRICE_RULE: Mapping[str, Status] = {
    "holds": _good("Active", "It applies to prices that are quoted now."),
    "coming": _busy("Scheduled", "It applies from its start."),
    "past": _idle("Expired", "Its end has passed."),
    "ended": _idle("Ended", "An operator ended it."),
}

_RECONCILIATION: Mapping[str, Status] = {
    "running": _busy("Running", "The two sides are being compared."),
    "done": _good("Done", "Both sides were compared."),
    "failed": _bad("Failed", "The statement could not be read completely."),
}

_DISCREPANCY: Mapping[str, Status] = {
    "open": _warn("Open", "An operator has to book or accept it."),
    "booked": _good("Booked", "A correction makes the books agree."),
    "accepted": _idle("Accepted", "It was accepted, with a reason."),
    "matched": _good("Matched", "It was resolved automatically."),
    "superseded": _idle("Superseded", "Replaced by another discrepancy."),
}

_BILLING_RUN: Mapping[str, Status] = {
    "running": _busy("Running", "The month is being invoiced."),
    "done": _good("Done", "Every organization was invoiced."),
    "partly": _warn("Partly failed", "Some organizations could not be invoiced."),
}

_WEBHOOK: Mapping[str, Status] = {
    "received": _busy("Received", "It is waiting to be processed."),
    "forwarded": _busy("Forwarded", "Its workflow has it."),
    "handled": _good("Processed", "It was processed."),
    "ignored": _idle("Ignored", "It needs no processing."),
    "unmatched": _idle("Unrelated", "It concerns no object here."),
}

_STEP: Mapping[str, Status] = {
    "done": _good("Done", "It is done."),
    "current": _busy("Now", "It is the current step."),
    "next": _idle("Upcoming", "It has not happened yet."),
    "failed": _bad("Failed", "It did not work."),
}


#: For each noun, for each of its statuses: how it is shown. The keys are the words of the API.
STATUSES: Mapping[str, Mapping[str, Status]] = {
    "activity": _ACTIVITY,
    "allocation": _ALLOCATION,
    "agent": _AGENT,
    "alert": _ALERT,
    "approval": _APPROVAL,
    "attempt": _ATTEMPT,
    "billing_run": _BILLING_RUN,
    "card": _CARD,
    "card_payment": _CARD_PAYMENT,
    "chargeback": _CHARGEBACK,
    "channel": _CHANNEL,
    "collection": _COLLECTION,
    "contract": _CONTRACT,
    "control": _CONTROL,
    "department": _DEPARTMENT,
    "delivery": _DELIVERY,
    "discrepancy": _DISCREPANCY,
    "earnings": _EARNINGS,
    "endpoint": _ENDPOINT,
    "escrow": _ESCROW,
    "evidence": _EVIDENCE,
    "export": _EXPORT,
    "fulfilment": _FULFILMENT,
    "invoice": _INVOICE,
    "key": _KEY,
    "link": _LINK,
    "mail": _MAIL,
    "match": _MATCH,
    "milestone": _MILESTONE,
    "notification": _NOTIFICATION,
    "offer": _OFFER,
    "order": _ORDER,
    "organization": _ORGANIZATION,
    "payment": _PAYMENT,
    "payout": _PAYOUT,
    "price_rule": _PRICE_RULE,
    "principal": _PRINCIPAL,
    "project": _PROJECT,
    "purchase": _PURCHASE,
    "reconciliation": _RECONCILIATION,
    "referral": _REFERRAL,
    "refund": _REFUND,
    "revenue": _REVENUE,
    "reversal": _REVERSAL,
    "secret_access": _SECRET_ACCESS,
    "secret_grant": _SECRET_GRANT,
    "secret_rotation": _SECRET_ROTATION,
    "secret_version": _SECRET_VERSION,
    "session": _SESSION,
    "severity": _SEVERITY,
    "spend": _SPEND,
    "step": _STEP,
    "subscription": _SUBSCRIPTION,
    "trial": _TRIAL,
    "log_entry": _ENTRY,
    "usage": _BILLED,
    "webhook": _WEBHOOK,
}


def status_of(noun: str, status: str) -> Status:
    """Return how a status is shown; an unknown one is shown unchanged.

    A newer API may have words that this console has not: a page with an odd badge is better than none.
    """
    known = STATUSES[noun].get(status)
    if known is not None:
        return replace(known, word=gettext(known.word), sentence=gettext(known.sentence))
    word = status.replace("_", " ").replace(".", " ").capitalize()
    return _as(Tone.IDLE, word, _("This console does not know this status."), "info")
