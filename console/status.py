"""Name, look and meaning of every status of every noun.

A status is never shown by colour alone: a tone has a shape, which stands beside the word.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

from console.texts import _, gettext


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


_good, _busy, _warn, _bad, _idle = (partial(_as, tone) for tone in Tone)

#: For each noun, for each of its statuses, by the words of the API: how it is shown.
STATUSES: Mapping[str, Mapping[str, Status]] = {
    "escrow": {
        "open": _idle("Waiting for funding", "The escrow is open. The payer has not funded it yet."),
        "funded": _busy("Funded", "The money is held until the work is delivered and approved."),
        "delivered": _busy("Delivered", "The work is delivered. It is paid for once enough signatories approve."),
        "disputed": _warn("Disputed", "An arbiter decides who gets the money. No money moves until then."),
        "released": _good("Released", "The payee was paid, less the commission."),
        "refunded": _idle("Refunded", "The money was returned to the payer."),
        "split": _idle("Split", "The money was divided between both parties."),
        "cancelled": _idle(
            "Cancelled", "Both parties agreed to end the escrow. The held amount was returned to the payer."
        ),
        "expired": _idle("Expired", "The work was not delivered in time. The held amount was returned to the payer."),
    },
    "contract": {
        "proposed": _busy("Proposed", "The payee has not accepted the terms."),
        "accepted": _good("Accepted", "Both parties agree on the terms."),
        "expired": _idle("Expired", "The payee did not accept in time."),
    },
    "payment": {
        "created": _idle("Created", "The payment is recorded here, and not yet created at the provider."),
        "requires_action": _warn("Waiting for the payer", "The payer has to authenticate or confirm at the provider."),
        "processing": _busy("Processing", "The provider is processing it, or it is being booked."),
        "unknown": _warn("Outcome unknown", "The provider's answer was lost. The payment is being looked up."),
        "requires_capture": _warn("Authorized", "The money is reserved on the card, and not yet captured."),
        "succeeded": _good("Paid", "The payment is received and fulfilled."),
        "failed": _bad("Failed", "Nothing was paid."),
        "expired": _idle("Expired", "The payer did not pay in time. Nothing was charged."),
        "cancelled": _idle("Cancelled", "The payment was cancelled before anything was charged."),
        "partially_refunded": _idle("Partially refunded", "Part of the payment was refunded."),
        "refunded": _idle("Refunded", "The whole payment was refunded."),
        "disputed": _warn("Disputed", "The payer's bank disputes the payment."),
        "charged_back": _bad("Charged back", "The payer's bank returned the money to the payer."),
    },
    "refund": {
        "requested": _busy("Requested", "The refund is booked and on its way to the provider."),
        "unknown": _warn("Outcome unknown", "The provider's answer was lost. The refund is being looked up."),
        "pending": _busy("Pending", "The provider accepted the refund. The payer does not have it yet."),
        "succeeded": _good("Refunded", "The money was returned to the payer."),
        "failed": _bad("Failed", "The provider could not refund it. The amount is back on the payment."),
    },
    "fulfilment": {
        "pending": _busy("In progress", "The purchase is being fulfilled."),
        "done": _good("Done", "The purchase is fulfilled."),
        "gone": _warn("No longer possible", "The purchase can no longer be fulfilled."),
    },
    "chargeback": {
        "inquiry": _warn("Inquiry", "The payer's bank asks about the payment. No money has moved."),
        "needs_response": _bad("Evidence needed", "The bank reversed the payment. Evidence can win it back."),
        "under_review": _busy("Under review", "The bank has the evidence and decides."),
        "won": _good("Won", "The bank returned the money."),
        "lost": _bad("Lost", "The bank decided for the payer, who keeps the money."),
    },
    "invoice": {
        "draft": _idle("Draft", "The invoice can still change."),
        "open": _warn("Due", "An amount is due."),
        "paid": _good("Paid", "Nothing is due."),
        "void": _idle("Voided", "The invoice was voided before anything was paid. Nothing is due."),
        "uncollectible": _bad("Uncollectible", "Collection ended. The amount due is written off."),
    },
    "payout": {
        "requested": _busy("Requested", "The amount left the earnings and is about to be sent."),
        "waiting_for_funds": _warn(
            "Waiting for funds", "It is sent when the platform's balance at the provider covers it."
        ),
        "unknown": _warn("Outcome unknown", "The provider's answer was lost. The payout is being looked up."),
        "paid": _good("Sent", "The provider sent the money to the creator's account."),
        "failed": _bad("Failed", "Nothing was sent. The amount is back in the earnings."),
    },
    "activity": {
        "pending": _busy("Held", "The money is in escrow, or on its way to a bank account."),
        "completed": _good("Done", "The money has moved."),
        "reversed": _idle("Returned", "All of the held money was returned."),
    },
    "export": {
        "queued": _busy("Queued", "It is about to begin."),
        "running": _busy("Running", "Its rows are being written."),
        "done": _good("Done", "Its files can be downloaded."),
        "expired": _idle("Expired", "Its files were deleted after seven days."),
    },
    "allocation": {
        "proposed": _busy("Proposed", "Budgets change if it is accepted in time."),
        "applied": _good("Applied", "The budgets were changed."),
        "expired": _idle("Expired", "It was not accepted in time. Budgets did not change."),
    },
    "trial": {
        "running": _busy("Running", "The next stage is paid when it is due, if the agent shows enough by then."),
        "finished": _good("Finished", "All stages were paid."),
        "stopped": _warn("Stopped", "No further stage is paid."),
    },
    "earnings": {
        "available": _good("Available", "It can be paid out now."),
        "pending": _busy("Pending", "It is held back, because its payment may still be charged back."),
        "frozen": _warn("Frozen", "Its payment is being charged back."),
        "granted": _idle("Granted", "It comes from granted credits, so it can be spent but not paid out."),
    },
    "subscription": {
        "created": _idle("Created", "It is ordered, and not yet created at the provider."),
        "incomplete": _warn("Waiting for payment", "The plan starts when the first payment is received."),
        "trialing": _good("Trial", "The plan is free until the trial ends."),
        "active": _good("Active", "The period is paid for."),
        "past_due": _warn("Past due", "The period is not paid for. The provider retries the payment."),
        "unpaid": _bad("Unpaid", "The provider stopped collecting. The organization is on the free plan."),
        "ended": _idle("Ended", "The subscription has ended."),
    },
    "purchase": {
        "active": _good("Active", "The agent can be used."),
        "suspended": _warn("Suspended", "The payment is disputed, so the agent cannot be used."),
        "refunded": _idle("Refunded", "The price was refunded."),
        "ended": _idle("Ended", "The period has ended."),
    },
    "order": {
        "approved": _good("Approved", "The amount is held. The agent may buy it."),
        "needs_alternatives": _idle("Needs alternatives", "The agent must look for alternatives."),
        "needs_approval": _warn("Needs approval", "A person has to approve it."),
        "declined_over_budget": _bad("Over budget", "It exceeds a budget."),
        "declined_policy": _bad("Declined", "It was declined. Nothing is held."),
        "purchased": _good("Purchased", "It was paid."),
        "abandoned": _idle("Abandoned", "The agent abandoned it. Nothing is held."),
        "expired": _idle("Expired", "It was not bought in time. Nothing is held."),
        "cancelled": _idle("Cancelled", "It was paid, and does not renew."),
    },
    "card": {
        "pending": _busy("Being created", "The issuer has not created it yet."),
        "active": _good("Active", "Each payment is decided by the budgets of its agent."),
        "frozen": _warn("Frozen", "Every payment is declined until the card is unfrozen."),
        "closed": _idle("Closed", "The card cannot be used again."),
    },
    "card_payment": {
        "pending": _busy("Authorized", "The credits are held until the merchant captures."),
        "declined": _bad("Declined", "Nothing was paid."),
        "closed": _good("Captured", "The merchant has captured the payment."),
        "reversed": _idle("Reversed", "The merchant cancelled it. Nothing is held."),
        "expired": _idle("Expired", "It was not captured in time. Nothing is held."),
        "none": _warn("Not authorized", "The merchant captured or refunded without an authorization."),
    },
    "attempt": {
        "begun": _busy("Started", "Its result was not reported yet."),
        "succeeded": _good("Succeeded", "It was paid."),
        "declined": _bad("Declined", "Nothing was paid."),
        "unknown": _warn("Outcome unknown", "Look it up where it was paid."),
    },
    "organization": {
        "active": _good("Active", "The organization can use everything."),
        "suspended": _warn("Suspended", "Nothing new can start until an operator resumes it."),
        "closed": _idle("Closed", "Nothing new can start, and its keys are revoked."),
    },
    "alert": {
        "firing": _bad("Open", "The condition holds, and it is not acknowledged."),
        "acknowledged": _busy("Acknowledged", "A person is working on it."),
        "resolved": _good("Resolved", "The condition no longer holds."),
    },
    "severity": {
        "info": _as(Tone.IDLE, "Notice", "For information.", "info"),
        "warning": _warn("Warning", "It needs attention."),
        "critical": _bad("Critical", "It needs attention now."),
    },
    "approval": {
        "requested": _busy("Requested", "A second operator must approve it."),
        "approved": _good("Approved", "It is approved and can be carried out."),
        "rejected": _bad("Rejected", "A second operator refused it."),
        "used": _good("Done", "It was approved and carried out."),
        "expired": _idle("Expired", "It was not decided, or not carried out, in time."),
    },
    "match": {
        "matched": _good("Matched", "The provider and the books agree."),
        "missing_here": _bad("Missing here", "The provider lists it, and it is not booked."),
        "missing_there": _bad("Missing there", "It is booked, and the provider does not list it."),
        "amount_differs": _bad("Differs", "The amount, fee or currency differs at the provider."),
        "fee_missing": _warn("Fee missing", "It was booked before the provider stated its fee."),
        "not_listed_yet": _busy("Not listed yet", "It is too recent for the provider's statement."),
    },
    "control": {
        "active": _good("Active", "Spending is allowed up to the limit."),
        "frozen": _warn("Frozen", "Nothing can be spent."),
        "closed": _idle("Closed", "The limit no longer applies."),
    },
    "usage": {
        "prepaid": _good("Prepaid", "Credits paid for it."),
        "unbilled": _busy("To be billed", "It is on the next invoice."),
        "billed": _good("Billed", "It is on an invoice."),
        "void": _idle("Voided", "It is not billed."),
    },
    "revenue": {
        "reported": _busy("Reported", "It counts once a person or a statement has confirmed it."),
        "confirmed": _good("Confirmed", "It counts, less reversals."),
        "rejected": _bad("Rejected", "It does not count."),
        "reversed": _idle("Reversed", "All of it was refunded, charged back or recovered."),
    },
    "log_entry": {
        "approved": _good("Approved", "The agent may buy it."),
        "needs_alternatives": _warn("Needs alternatives", "The policy asks for free alternatives first."),
        "needs_approval": _busy("Needs approval", "A person has to approve the purchase."),
        "declined_policy": _bad("Declined by policy", "The policy does not allow it."),
        "declined_over_budget": _bad("Over budget", "A budget or a limit does not have enough left."),
        "declined_frozen": _bad("Frozen", "A budget or a limit above the agent is frozen."),
        "declined_rate": _bad("No exchange rate", "The limit is in a currency without a recent exchange rate."),
        "declined_credits": _bad("Not enough credits", "The organization did not have enough credits."),
        "begun": _busy("Started", "The agent is about to pay. The result is not reported yet."),
        "succeeded": _good("Succeeded", "It was done."),
        "forced": _warn("Beyond budget", "It was charged although no budget had enough left."),
        "declined": _bad("Declined", "The payment was declined."),
        "unknown": _warn("Outcome unknown", "It is not known whether the payment went through."),
        "reported": _busy("Reported", "An agent reported it. Budgets are credited once a person confirms it."),
        "confirmed": _good("Confirmed", "A person has confirmed what was reported."),
        "corrected": _warn("Corrected", "A person has corrected what was reported."),
        "refunded": _idle("Refunded", "The amount was refunded."),
        "reversed": _idle("Reversed", "The payout was reversed."),
        "purchased": _good("Purchased", "The purchase was made."),
        "abandoned": _idle("Abandoned", "The agent did not buy it."),
        "expired": _idle("Expired", "It was not bought in time."),
        "cancelled": _idle("Cancelled", "It no longer renews."),
    },
    "delivery": {
        "pending": _busy("Pending", "It is about to be sent or retried."),
        "delivered": _good("Delivered", "The receiver accepted it."),
        "failed": _bad("Failed", "Every attempt failed."),
        "skipped": _idle("Skipped", "An operator decided not to send it."),
    },
    "endpoint": {
        "enabled": _good("Enabled", "Events are sent."),
        "paused": _warn("Paused", "Events are kept, and sent when it is resumed."),
        "disabled": _bad("Disabled", "Nothing is sent."),
        "deleted": _idle("Deleted", "The endpoint was deleted."),
    },
    "channel": {
        "pending": _busy("Unconfirmed", "Enter the code that was sent there."),
        "verified": _good("Confirmed", "Messages are sent there."),
        "deleted": _idle("Deleted", "Nothing is sent there."),
    },
    "spend": {
        "charged": _good("Used", "The credits were charged."),
        "reserved": _busy("Reserved", "The credits are held until they are captured, released or expired."),
        "captured": _good("Captured", "The used part of the reservation was charged."),
        "released": _idle("Reservation released", "The credits are available again, and nothing was charged."),
        "expired": _idle("Expired", "It expired, and the credits are available again."),
        "refunded": _idle("Refunded", "The whole charge was returned."),
    },
    "risk_case": {
        "open": _warn("Open", "It waits for an operator."),
        "assigned": _busy("Assigned", "An operator works on it."),
        "waiting": _busy("Waiting for an answer", "The organization was asked a question."),
        "decided": _good("Decided", "It is decided. A refusal can be appealed within 14 days."),
        "appealed": _warn("Appealed", "Another operator has to decide the appeal."),
        "closed": _idle("Closed", "It is decided, and can no longer be appealed."),
    },
    "review": {
        "open": _busy("Received", "A person will look at it. You need not do anything."),
        "assigned": _busy("In review", "A person is looking at it. You need not do anything."),
        "waiting": _warn("Question for you", "The review goes on when you answer the question, or after three days."),
        "decided": _good("Decided", "The review is finished."),
        "appealed": _busy("Appeal in review", "Another person decides your appeal."),
        "closed": _idle("Closed", "The review is finished, and can no longer be appealed."),
    },
    "risk_result": {
        "release": _good("Released", "Nothing is held any more. What waited can be sent again."),
        "refuse": _bad("Refused", "What waited is refused."),
    },
    "risk_outcome": {
        "allow": _good("Allowed", "It took place."),
        "challenge": _busy("Challenged", "The payer had to authenticate, by 3-D Secure."),
        "hold_back": _warn("Earnings held", "It took place, and the organization's earnings are held."),
        "review": _warn("In review", "It waits for the decision of a case."),
        "block": _bad("Blocked", "It was stopped."),
    },
    "risk_mode": {
        "on": _good("On", "It decides actions."),
        "shadow": _busy("Shadow", "It is evaluated and stored with decisions, without effect."),
        "off": _idle("Off", "It is not evaluated."),
    },
    "risk_label": {
        "fraud": _bad("Fraud", "It turned out to be fraud."),
        "legitimate": _good("Legitimate", "It turned out to be legitimate."),
    },
    "agent": {
        "active": _good("Active", "The agent can be hired."),
        "retired": _idle("Retired", "The agent gets no new work."),
    },
    "key": {
        "active": _good("Active", "The key is accepted."),
        "expired": _idle("Expired", "The key has expired."),
        "revoked": _bad("Revoked", "The key is refused everywhere."),
    },
    "department": {
        "open": _good("Open", "Agents and keys can spend for it."),
        "closed": _idle("Closed", "No more spending can be assigned to it."),
    },
    "principal": {
        "active": _good("Active", "It can act for the organization."),
        "invited": _busy("Invited", "The person was sent a link by mail, and has not signed in yet."),
    },
    "secret_version": {
        "pending": _busy("Pending", "Created by a rotation. It is not in use yet."),
        "current": _good("In use", "Grants of the secret use this version."),
        "previous": _warn("Previous", "It was replaced, and can be used until it expires."),
        "retired": _idle("Retired", "It was replaced, and can no longer be used."),
        "destroyed": _idle("Destroyed", "The value and its key are deleted."),
    },
    "secret_rotation": {
        "idle": _good("On schedule", "The value is replaced when it is due."),
        "waiting": _warn("Needs a value", "Set a new value at the target, and enter it here."),
        "created": _busy("Created", "A new value is created. It is about to be set at the target."),
        "applied": _busy("Set", "The new value is set at the target. It is about to be tested."),
        "tested": _busy("Tested", "The new value works. It is about to be used."),
        "promoted": _good("Replaced", "The new value is in use. The previous one is usable until it expires."),
        "failed": _bad("Failed", "The target rejected the new value. The previous one stays in use."),
    },
    "secret_grant": {
        "active": _good("Active", "The grant can be used."),
        "ended": _idle("Ended", "The grant has expired."),
        "revoked": _bad("Revoked", "A person revoked the grant."),
    },
    "secret_access": {
        "opened": _good("Opened", "The value was used or shown."),
        "not_found": _idle("Not found", "No secret exists at this path."),
        "no_grant": _bad("No grant", "No active grant gives the requester the secret."),
        "no_version": _idle("No version", "The secret has no such usable version."),
        "host": _bad("Wrong host", "The grant or the secret does not allow the host."),
        "method": _bad("Wrong method", "The grant does not allow the method."),
        "place": _bad("Wrong place", "The grant does not allow the value in this part of a request."),
        "header": _bad("Wrong header", "The grant does not allow a header of the request."),
        "uses": _warn("Used up", "The grant had no uses left for the day."),
        "operator": _bad(
            "Operator's key", "The key comes from an operator of the platform, directly or through another key."
        ),
    },
    "project": {
        "deployed": _good("Deployed", "The project runs in a place of the plan or in a slot."),
        "idle": _idle("Not deployed", "The project uses no deployment slot."),
    },
    "milestone": {
        "pending": _idle("To do", "It is not delivered yet."),
        "delivered": _busy("In review", "It is delivered, and not yet approved."),
        "released": _good("Released", "The payee was paid, less the commission."),
    },
    "evidence": {
        "counts": _good("Counted", "It is part of the score."),
        "excluded": _idle("Does not count", "A rule excludes it, such as work within one organization."),
        "void": _bad("Removed", "It was removed from the score, with a reason."),
    },
    "price_rule": {
        "holds": _good("Active", "It applies to prices that are quoted now."),
        "coming": _busy("Scheduled", "It applies from its start."),
        "past": _idle("Expired", "Its end has passed."),
        "ended": _idle("Ended", "An operator ended it."),
    },
    "reconciliation": {
        "running": _busy("Running", "The two sides are being compared."),
        "done": _good("Done", "Both sides were compared."),
        "failed": _bad("Failed", "The statement could not be read completely."),
    },
    "discrepancy": {
        "open": _warn("Open", "An operator has to book or accept it."),
        "booked": _good("Booked", "A correction makes the books agree."),
        "accepted": _idle("Accepted", "It was accepted, with a reason."),
        "matched": _good("Matched", "It was resolved automatically."),
        "superseded": _idle("Superseded", "Replaced by another discrepancy."),
    },
    "billing_run": {
        "running": _busy("Running", "The month is being invoiced."),
        "done": _good("Done", "Every organization was invoiced."),
        "partly": _warn("Partly failed", "Some organizations could not be invoiced."),
    },
    "webhook": {
        "received": _busy("Received", "It is waiting to be processed."),
        "forwarded": _busy("Forwarded", "Its workflow has it."),
        "handled": _good("Processed", "It was processed."),
        "ignored": _idle("Ignored", "It needs no processing."),
        "unmatched": _idle("Unrelated", "It concerns no object here."),
    },
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
