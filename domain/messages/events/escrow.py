"""Events of escrows for the parties: changes of state, and steps without one."""

from domain.common.money import format_amount, format_ratio
from domain.escrow.audience import OPERATORS_ONLY
from domain.escrow.deadlines import next_deadline
from domain.escrow.state import Escrow, EscrowStatus
from domain.messages.events import (
    JSON,
    Event,
    EventType,
    amount_field,
    asset_field,
    count_field,
    enum_field,
    external_id_field,
    format_time,
    id_field,
    time_field,
)

S = EscrowStatus
_ROLES = ("payer", "payee", "signatory")

_FIELDS = {
    "escrow_id": id_field("esc", "The escrow."),
    "external_id": external_id_field(),
    "contract_id": id_field("ctr", "Its contract."),
    "agent_id": id_field("agt", "The agent that does the work."),
    "role": enum_field("The organization's role in the escrow.", _ROLES),
    "status": enum_field("The escrow's status.", S),
    "currency": asset_field(),
    "amount": amount_field("The agreed amount."),
    "funded_amount": amount_field("The amount paid into the escrow."),
    "released_amount": amount_field("The amount released to the payee.", "0.00"),
    "refunded_amount": amount_field("The amount refunded to the payer.", "0.00"),
    "commission_amount": amount_field("The platform's commission.", "0.00"),
    "signatures": count_field("How many signatories have approved the delivery under review.", 0),
    "required_signatures": count_field("How many signatories have to approve.", 2),
    "validation_score": amount_field("The score of the delivery under review.", "0.92", nullable=True),
    "next_deadline_at": time_field("When the next deadline takes effect.", nullable=True),
}

#: The sentence for each state that an escrow reaches.
STATES = {
    S.OPEN: ("opened", "An escrow was opened; it waits for its money."),
    S.FUNDED: ("funded", "The payer's money is in the escrow; the agent can begin."),
    S.DELIVERED: ("delivered", "Work was delivered, for review."),
    S.DISPUTED: ("disputed", "A dispute was opened; the money is frozen."),
    S.RELEASED: ("released", "The payee was paid, and the escrow has ended."),
    S.REFUNDED: ("refunded", "The payer got everything back, and the escrow has ended."),
    S.SPLIT: ("split", "Both sides got a part, and the escrow has ended."),
    S.CANCELLED: ("cancelled", "The escrow was cancelled, or not funded in time; what it held was refunded."),
    S.EXPIRED: ("expired", "The next part was not delivered in time; the payer got back what was left."),
}
_RELEASED_PART = ("milestone_released", "A milestone was paid for, and the next one can begin.")
#: Steps that leave the state as it is, by their names in the timeline.
STEPS = {
    "delivered": STATES[S.DELIVERED],
    "validated": ("validated", "A validator scored the delivery below the contract's threshold."),
    "approved": ("approved", "A signatory approved the delivery; further approvals are needed."),
    "funding_extended": ("funding_extended", "The payer has longer to fund the escrow, because the API was away."),
    "delivery_extended": ("delivery_extended", "The payee has longer to deliver, because the API was away."),
    "review_extended": (
        "review_extended",
        "The review goes on, because the payee is suspended, the work is checked or the API was away.",
    ),
    "evidence_submitted": ("evidence_submitted", "A party submitted evidence in the dispute."),
    "partially_refunded": ("partially_refunded", "The payee refunded a part of the money."),
    "cancel_requested": ("cancel_requested", "The payer asks the payee to end the escrow."),
    "default_extended": (
        "default_extended",
        "The dispute waits longer for evidence or a decision, because the payee is suspended or the API was away.",
    ),
    "decision_overdue": ("decision_overdue", "No arbiter has decided in time; the default applies next."),
}

_SHOWN: dict[str, dict[str, JSON]] = {
    "opened": {"funded_amount": "0.00"},
    "released": {"released_amount": "47.50", "commission_amount": "2.50", "next_deadline_at": None},
    "refunded": {"refunded_amount": "50.00", "next_deadline_at": None},
    "split": {
        **{"released_amount": "28.50", "commission_amount": "1.50", "refunded_amount": "20.00"},
        **{"next_deadline_at": None},
    },
    "cancelled": {"funded_amount": "0.00", "next_deadline_at": None},
    "expired": {"refunded_amount": "50.00", "next_deadline_at": None},
}
_STATUS = {word: status for status, (word, _) in STATES.items()} | {
    **dict.fromkeys(("milestone_released", "partially_refunded", "cancel_requested", "delivery_extended"), S.FUNDED),
    "funding_extended": S.OPEN,
    **dict.fromkeys(("validated", "approved", "review_extended"), S.DELIVERED),
    **dict.fromkeys(("evidence_submitted", "decision_overdue", "default_extended"), S.DISPUTED),
}

TYPES = tuple(
    EventType(
        type=f"escrow.{name}",
        sentence=sentence,
        fields=_FIELDS,
        shown={"validation_score": None, "status": _STATUS[name].value, **_SHOWN.get(name, {})},
    )
    for name, sentence in dict((*STATES.values(), *STEPS.values(), _RELEASED_PART)).items()
)


def escrow_events(before: Escrow | None, event: str, after: Escrow) -> list[Event]:
    """Return the events of one step of an escrow, one for each of its organizations.

    Args:
        before: the state before the step; None for the first one.
        event: the name of the step in the timeline.
        after: the state after it.
    """
    name = _name(before, event, after)
    if name is None:
        return []
    terms = after.terms

    def money(minor: int) -> str:
        return format_amount(minor, terms.currency)

    score, deadline = after.validation_score_e4, next_deadline(after)
    data: dict[str, JSON] = {
        "escrow_id": terms.escrow_id,
        "external_id": None,
        "contract_id": terms.contract_id,
        "agent_id": terms.agent_id,
        "status": after.status.value,
        "currency": terms.currency,
        "amount": money(terms.amount_minor),
        "funded_amount": money(after.funded_minor),
        "released_amount": money(after.released_minor),
        "refunded_amount": money(after.refunded_minor),
        "commission_amount": money(after.commission_minor),
        "signatures": len(after.signatures),
        "required_signatures": terms.required_signatures,
        "validation_score": None if score is None else format_ratio(score),
        "next_deadline_at": format_time(deadline.at if deadline else None),
    }
    return [
        Event(f"escrow.{name}", org_id, terms.escrow_id, {**data, "role": role}, after.updated_at)
        for org_id, role in parties(after).items()
    ]


def parties(escrow: Escrow) -> dict[str, str]:
    """Return the organizations that see an escrow, each with its first role in it."""
    terms = escrow.terms
    outside = sorted({name.split("/")[0] for name in terms.signatories if "/" in name})
    return {**dict.fromkeys(outside, "signatory"), terms.payee_org_id: "payee", terms.payer_org_id: "payer"}


def _name(before: Escrow | None, event: str, after: Escrow) -> str | None:
    if event in OPERATORS_ONLY:
        return None
    if before is not None and before.status is after.status:
        return STEPS[event][0]
    if before is not None and after.status is S.FUNDED and before.status is not S.OPEN:
        return _RELEASED_PART[0]
    return STATES[after.status][0]
