"""Events of payouts: each state."""

from datetime import datetime

from domain.common.money import format_amount
from domain.messages.events import Event, EventType, amount_field, asset_field, code_field, enum_field, id_field
from domain.payouts.payout.state import Payout, PayoutStatus

S = PayoutStatus

_FIELDS = {
    "payout_id": id_field("po", "The payout."),
    "status": enum_field("The payout's status.", S),
    "currency": asset_field("What the amount is in.", "USD"),
    "amount": amount_field("The amount of the payout.", "120.00"),
    "failure_code": code_field("Why it was not sent; null if it did not fail.", "account_closed", nullable=True),
}
#: What each state of a payout says.
STATES = {
    S.REQUESTED: "A payout was requested; its amount was taken out of the earnings.",
    S.WAITING_FOR_FUNDS: "The platform's balance at the provider is too low; the payout is sent once it suffices.",
    S.UNKNOWN: "The provider did not answer to a payout; it is being looked up there.",
    S.PAID: "The payout was sent to the creator's account.",
    S.FAILED: "The payout was not sent; its amount was returned to the earnings.",
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


def payout_events(before: Payout | None, after: Payout, at: datetime) -> list[Event]:
    """Return the events that the change of a payout makes."""
    if before is not None and before.status is after.status:
        return []
    data = {
        "payout_id": after.payout_id,
        "status": after.status.value,
        "currency": after.currency,
        "amount": format_amount(after.amount_minor, after.currency),
        "failure_code": after.failure_code,
    }
    return [Event(f"payout.{after.status}", after.org_id, after.payout_id, data, at)]
