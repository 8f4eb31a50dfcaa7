"""Messages of purchase orders: the run that waits for approval, and the sweep of due orders."""

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
    """Starts the run of an order that needs approval; the database has the rest."""

    order_id: str


class PurchaseOrderResult(Message):
    """Final status of the order; `gone` if there is no such order."""

    status: str


class LoadPurchase(Message):
    order_id: str


class LoadedPurchase(Message):
    """The order in the database, or None."""

    purchase: WaitingPurchase | None = None


class DeclineUnanswered(Message):
    """Declines an order without an answer by `now`."""

    order_id: str
    now: datetime


class GrantSignal(OperatorSignal):
    """Update of operators that grants an order: its id, and the digest in its details."""

    grant: object = None
    digest: Annotated[object, TECHNICAL] = None
    reason: object = ""


class RefuseSignal(OperatorSignal):
    """Update of operators that refuses an order: its id."""

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
