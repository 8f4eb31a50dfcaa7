"""The reaction of a page to a refusal of the API: it follows from the status, except for the codes listed here."""

from enum import StrEnum

from console.gateway import SILENCE, UNREADABLE, Answer, Problem, Refused
from console.texts import N_, gettext


class Reaction(StrEnum):
    #: What was typed is at fault: the form again, everything kept, messages at the fields, a new key.
    FIELDS = "fields"
    #: The object is not as the form took it to be: the object as it is now, and "nothing was done".
    CHANGED = "changed"
    #: Money is missing or was declined: the form again, and the way on.
    FUNDS = "funds"
    #: A plan's limit: the form again, and the way up.
    LIMIT = "limit"
    #: Whether it was done is not known: asked again with the same key, never "failed".
    UNKNOWN = "unknown"
    #: Too many requests: the form again with the same key, and when it may be sent.
    WAIT = "wait"
    #: The act waits for a review: it is done when the form is sent again after that, with the same key.
    REVIEW = "review"
    #: A check against fraud stopped the act: the way to appeal.
    BLOCKED = "blocked"
    #: Approval required first.
    APPROVAL = "approval"
    #: The key was used for something else: that stands, and a fresh form is offered.
    OTHER_CONTENT = "other_content"
    SIGN_IN = "sign_in"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    #: A page of ours sent what the API does not take, which is a fault of the page.
    FAULT = "fault"


def _table(**codes: str) -> dict[str, Reaction]:
    return {code: Reaction[name.upper()] for name, listed in codes.items() for code in listed.split()}


#: The codes whose reaction is not that to their status.
REACTIONS = _table(
    fields="""
    external_id.taken principal.exists billing_run.earlier_first usage.id_reused meter.exists meter.not_chargeable
    contract.above_limit reputation.own_agent reputation.related escrow.amount_mismatch escrow.currency_mismatch
    statement.not_over payout.above_available earnings.not_waivable payout.below_minimum payment.no_method
    tax.rate_exists credit_note.exceeds_remainder invoice.amount_mismatch department.exists alert_rule.exists
    spend_control.exists project.exists notification.channel_exists notification.code_refused request.too_large
    """,
    limit="deployment.limit_reached entitlement.missing subscription.seats_in_use",
    unknown=f"""
    idempotency.in_flight payment.unknown_outcome payment.refund_in_flight payment.fee_not_known {SILENCE} {UNREADABLE}
    """,
    review="risk.in_review",
    blocked="risk.blocked",
    approval="approval.required",
    other_content="idempotency.conflict",
)

_BY_STATUS = {
    400: Reaction.FAULT,
    401: Reaction.SIGN_IN,
    402: Reaction.FUNDS,
    403: Reaction.FORBIDDEN,
    404: Reaction.NOT_FOUND,
    409: Reaction.CHANGED,
    410: Reaction.CHANGED,
    412: Reaction.CHANGED,
    422: Reaction.FIELDS,
    429: Reaction.WAIT,
}


def reaction_to(problem: Problem) -> Reaction:
    """Return what a page does about a refusal; what is not known for sure is never taken for a failure."""
    usual = _BY_STATUS.get(problem.status, Reaction.UNKNOWN if problem.status >= 500 else Reaction.FAULT)
    return REACTIONS.get(problem.code, usual)


def answered(answer: Answer) -> bool:
    """Return whether a section has its answer; False if that is not known yet, so that the section says so.

    Raises:
        Refused: finally, such as by the role: the page is not for this principal.
    """
    if answer.problem is not None and reaction_to(answer.problem) is not Reaction.UNKNOWN:
        raise Refused(answer)
    return answer.ok


#: The title and the sentence of pages that are shown in place of the one that was asked for.
WORDS = {
    Reaction.FIELDS: (N_("Invalid address"), N_("Correct the address and try again.")),
    Reaction.CHANGED: (N_("This has changed meanwhile"), N_("Nothing was done.")),
    Reaction.FUNDS: (N_("Insufficient balance"), N_("Nothing was charged.")),
    Reaction.LIMIT: (N_("Plan limit reached"), N_("Nothing was done.")),
    Reaction.UNKNOWN: (N_("Outcome unknown"), N_("No response yet. Your request is not lost.")),
    Reaction.WAIT: (N_("Too many requests"), N_("Wait a moment and try again. Nothing was done.")),
    Reaction.APPROVAL: (N_("Approval required"), N_("This action needs two operators.")),
    Reaction.REVIEW: (N_("This is being reviewed"), N_("Nothing was done yet. A person decides the review.")),
    Reaction.BLOCKED: (
        N_("Stopped by a security check"),
        N_("Nothing was done. If this is a mistake, appeal: a person decides."),
    ),
    Reaction.OTHER_CONTENT: (
        N_("This form was already sent with other content"),
        N_("The first version was processed, this one was not. Send it again to process it."),
    ),
    Reaction.FORBIDDEN: (N_("Not permitted for your role"), N_("Ask an owner of the organization for access.")),
    Reaction.NOT_FOUND: (N_("Not found"), N_("It does not exist, or it belongs to another organization.")),
    Reaction.FAULT: (N_("Internal error"), N_("Nothing was done. Contact support with the request id below.")),
    Reaction.SIGN_IN: (N_("Sign in"), N_("Your session has ended.")),
}


def words_of(reaction: Reaction) -> tuple[str, str]:
    """Return the title and the sentence of a reaction in the reader's language."""
    title, sentence = WORDS[reaction]
    return gettext(title), gettext(sentence)


#: The status of such a page where the API's own would not do.
STATUSES = {Reaction.FAULT: 502}
