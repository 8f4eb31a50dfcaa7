"""Events of payouts: each state."""

from datetime import datetime

from domain.events import Event, EventType, amount, an_id, asset, code, word
from domain.money import format_amount
from domain.payout.state import Payout, PayoutStatus

S = PayoutStatus

_FIELDS = {
    "payout_id": an_id("po", "The payout."),
    "status": word("Where the payout stands.", S),
    "currency": asset("What the amount is in.", "USD"),
    "amount": amount("What leaves.", "120.00"),
    "failure_code": code("Why it was not sent, where it was not.", "account_closed", nullable=True),
}
#: What each state of a payout says.
STATES = {
    S.REQUESTED: "A payout was taken out of the earnings, to be sent.",
    S.WAITING_FOR_FUNDS: "The platform has not so much at its provider; the payout is sent once it has.",
    S.UNKNOWN: "The provider's answer to a payout was lost; what became of it is looked up.",
    S.PAID: "The payout was sent to the creator's account.",
    S.FAILED: "The payout was not sent, and the money is in the earnings again.",
}

TYPES = tuple(
    EventType(
        type=f"payout.{status}",
        sentence=sentence,
        fields=_FIELDS,
        shown={"status": status.value, **({} if status is S.FAILED else {"failure_code": None})},
    )
    for status, sentence in STATES.items()
)


def facts(before: Payout | None, after: Payout, at: datetime) -> list[Event]:
    """Return the events that the change of a payout makes."""
    if before is not None and before.status is after.status:
        return []
    told = {
        "payout_id": after.payout_id,
        "status": after.status.value,
        "currency": after.currency,
        "amount": format_amount(after.amount_minor, after.currency),
        "failure_code": after.failure_code,
    }
    return [Event(f"payout.{after.status}", after.org_id, after.payout_id, told, at)]
