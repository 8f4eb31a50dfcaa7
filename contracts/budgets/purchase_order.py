"""Messages of purchase orders: the run that waits for a person's approval, and the sweep of what is due."""

from datetime import datetime
from typing import Annotated

from contracts.common.base import Message
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
    """Reads an order."""

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
    """The outcome of a decision."""

    declined: Declined | None = None


class PurchasesDue(Message):
    """Handles a page of orders of which something is due at `now`, after an id."""

    now: datetime
    after: str
    limit: int


class PurchasesDone(Message):
    """The number found and done, and the last one."""

    found: int
    done: int
    last: str


class PurchaseSweep(Message):
    """Progress of the sweep: its step, the last order of that step, and the counts so far by step.

    The steps are `holds`, `renewals`, `unanswered` and `unknown`.
    """

    now: datetime
    limit: int
    step: str = "holds"
    after: str = ""
    expired: int = 0
    renewed: int = 0
    started: int = 0
    reported: int = 0

    def plus(self, done: PurchasesDone) -> "PurchaseSweep":
        """Return the progress after a page."""
        counter = _COUNTERS[self.step]
        counted = {counter: getattr(self, counter) + done.done}
        if done.found < self.limit and self.step != _STEPS[-1]:
            following = _STEPS[_STEPS.index(self.step) + 1]
            return self.model_copy(update={**counted, "step": following, "after": ""})
        return self.model_copy(update={**counted, "after": done.last})

    def is_last(self, done: PurchasesDone) -> bool:
        """Return whether no page follows: the last page of the last step is not full."""
        return self.step == _STEPS[-1] and done.found < self.limit


_COUNTERS = {"holds": "expired", "renewals": "renewed", "unanswered": "started", "unknown": "reported"}
_STEPS = tuple(_COUNTERS)
