"""Events of purchase orders: each state."""

from datetime import datetime

from domain.budgets.purchase_order import DecisionCode, PurchaseOrderStatus
from domain.common.calendar import Window
from domain.common.money import format_amount
from domain.messages.events import (
    Event,
    EventType,
    amount_field,
    asset_field,
    code_field,
    enum_field,
    external_id_field,
    id_field,
)

S = PurchaseOrderStatus

_FIELDS = {
    "purchase_order_id": id_field("por", "The purchase order."),
    "external_id": external_id_field(),
    "agent_id": id_field("agt", "The agent that wants to buy."),
    "project_id": id_field("prj", "The project that it buys for.", nullable=True),
    "status": enum_field("The purchase order's status.", S),
    "currency": asset_field("What the amount is in.", "USD"),
    "amount": amount_field("The amount of the purchase.", "10.00"),
    "code": enum_field("What the last decision rests on.", DecisionCode),
    "budget_id": id_field("ctl", "The budget that decided; null if none did.", nullable=True),
    "window": code_field("The window of that budget; null if none decided.", Window.DAY.value, nullable=True),
}
#: What each state of a purchase order says, and the code that leads to it.
STATES = {
    S.APPROVED: ("A purchase was approved; its amount is held in the budgets above the agent.", DecisionCode.APPROVED),
    S.NEEDS_ALTERNATIVES: (
        "A purchase needs alternatives: the agent has to look at free ones first.",
        DecisionCode.NEEDS_ALTERNATIVES,
    ),
    S.NEEDS_APPROVAL: ("A purchase waits for the approval of a person.", DecisionCode.APPROVAL_REQUIRED),
    S.DECLINED_OVER_BUDGET: ("A purchase was declined: it does not fit into a budget.", DecisionCode.OVER_BUDGET),
    S.DECLINED_POLICY: ("A purchase was declined by the policy or by a person.", DecisionCode.POLICY),
    S.PURCHASED: ("A purchase was paid for.", DecisionCode.APPROVED),
    S.ABANDONED: ("A purchase was given up; what was held is released.", DecisionCode.APPROVED),
    S.EXPIRED: ("A purchase was not made in time; what was held is released.", DecisionCode.APPROVED),
    S.CANCELLED: ("A purchase that renewed was cancelled; it does not renew any more.", DecisionCode.APPROVED),
}

TYPES = tuple(
    EventType(
        type=f"purchase_order.{status}",
        sentence=sentence,
        fields=_FIELDS,
        shown={"status": status.value, "code": reason.value},
    )
    for status, (sentence, reason) in STATES.items()
)


def purchase_order_event(
    *,
    org_id: str,
    order_id: str,
    agent_id: str,
    project_id: str | None,
    status: PurchaseOrderStatus,
    amount_minor: int,
    currency: str,
    code: DecisionCode,
    budget_id: str | None,
    window: str | None,
    at: datetime,
) -> Event:
    """Return the event of the state that an order has reached."""
    data = {
        "purchase_order_id": order_id,
        "external_id": None,
        "agent_id": agent_id,
        "project_id": project_id,
        "status": status.value,
        "currency": currency,
        "amount": format_amount(amount_minor, currency),
        "code": code.value,
        "budget_id": budget_id,
        "window": window,
    }
    return Event(f"purchase_order.{status}", org_id, order_id, data, at)
