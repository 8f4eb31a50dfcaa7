"""Messages of purchase orders: the run that waits for a person's approval, and the sweep of what is due."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, ClassVar

from contracts.common.base import Message
from contracts.common.batch import StepProgress
from contracts.escrow.escrow import Declined, OperatorSignal
from domain.budgets.purchase_order import WaitingPurchase
from domain.common.access import Actor
from domain.privacy.data_map import TECHNICAL


class PurchaseOrderInput(Message):
    """Starts the run of an order that needs an approval; the books have all of it."""

    order_id: str


class PurchaseOrderResult(Message):
    """The status that the order left the run with; `gone` if there is no such order."""

    status: str


class LoadPurchase(Message):
    order_id: str


class LoadedPurchase(Message):
    """The order as the books have it; None if there is none."""

    purchase: WaitingPurchase | None = None


class DeclineUnanswered(Message):
    """Declines an order that nobody has answered by `now`."""

    order_id: str
    now: datetime


class GrantSignal(OperatorSignal):
    """What operators send to grant an order: its id, and the digest that its details show."""

    grant: object = None
    digest: Annotated[object, TECHNICAL] = None
    reason: object = ""


class RefuseSignal(OperatorSignal):
    """What operators send to refuse an order: its id."""

    refuse: object = None
    reason: object = ""


class DecideOnPurchase(Message):
    """Grants or refuses an order for an operator, once for `command_id`; with `digest` it is a grant."""

    order_id: str
    actor: Actor
    command_id: str
    digest: Annotated[str | None, TECHNICAL] = None
    reason: str = ""
    now: datetime


class DecidedOnPurchase(Message):
    declined: Declined | None = None


class PurchaseSweep(StepProgress):
    counters: ClassVar[Mapping[str, str]] = {
        "holds": "expired",
        "renewals": "renewed",
        "unanswered": "started",
        "unknown": "reported",
    }

    step: str = "holds"
    expired: int = 0
    renewed: int = 0
    started: int = 0
    reported: int = 0
