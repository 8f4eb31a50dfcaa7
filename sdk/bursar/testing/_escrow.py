"""Escrow of `FakeBursar`: state, permitted commands and view."""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

from bursar.testing._answers import CREDIT, ORGANIZATION, Refused, event_of, invalid, period, text_of, time_of
from bursar.testing._wallet import Transfer

ZERO = Decimal(0)
#: What each command is refused with, and which states it is taken in.
_TAKEN: dict[str, tuple[str, frozenset[str]]] = {
    "fund": ("The escrow cannot be funded", frozenset({"open"})),
    "deliver": ("Work cannot be delivered", frozenset({"funded", "delivered"})),
    "validate": ("A delivery cannot be scored", frozenset({"delivered"})),
    "approve": ("A delivery cannot be approved", frozenset({"delivered"})),
    "dispute": ("A dispute cannot be opened", frozenset({"funded", "delivered"})),
    "evidence": ("Evidence cannot be submitted", frozenset({"disputed"})),
    "resolve": ("A dispute cannot be decided", frozenset({"disputed"})),
    "refund": ("Money cannot be refunded", frozenset({"funded", "delivered", "disputed"})),
    "cancel": ("The escrow cannot be cancelled", frozenset({"open", "funded"})),
}
NO_DEADLINES: dict[str, str | None] = {"fund_by": None, "deliver_by": None, "review_by": None}
FINAL = {
    "released": "Closed: the money was released to the agent.",
    "refunded": "Closed: the money was refunded to the payer.",
    "split": "Closed: the money was split.",
    "cancelled": "Closed: it was cancelled.",
}


@dataclass
class Escrow:
    """An escrow; amounts are in its contract's currency, `moves` are those of its last command."""

    contract: dict[str, Any]
    own: dict[str, Any]
    created_at: datetime
    status: str = "open"
    version: int = 1
    funded: Decimal = ZERO
    released: Decimal = ZERO
    refunded: Decimal = ZERO
    commission: Decimal = ZERO
    deadlines: dict[str, str | None] = field(default_factory=dict)
    delivery: dict[str, Any] | None = None
    deliveries: int = 0
    signatures: list[dict[str, Any]] = field(default_factory=list)
    score: str | None = None
    milestones_released: set[str] = field(default_factory=set)
    dispute: dict[str, Any] | None = None
    moves: list[Transfer] = field(default_factory=list)
    timeline: list[dict[str, Any]] = field(default_factory=list)
    updated_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        """Begin with the time to fund it."""
        self.updated_at = self.created_at
        self.wait("fund_by", "fund_within")

    @property
    def id(self) -> str:
        """That of its contract, with its own prefix."""
        return "esc_" + str(self.contract["id"]).removeprefix("ctr_")

    @property
    def currency(self) -> str:
        """That of its contract."""
        return str(self.contract["currency"])

    @property
    def price(self) -> Decimal:
        """Description of the work."""
        return Decimal(self.contract["price"])

    @property
    def usual_source(self) -> str:
        """Account that funds the escrow without a payment."""
        return "credits" if self.currency == CREDIT else "balance"

    @property
    def held(self) -> Decimal:
        """Amount held in escrow."""
        return self.funded - self.released - self.refunded - self.commission

    @property
    def until(self) -> str | None:
        """Next deadline of the state."""
        if self.status == "disputed" and self.dispute:
            return str(self.dispute["decide_by"])
        return next((each for each in self.deadlines.values() if each is not None), None)

    @property
    def prices(self) -> dict[str, Decimal]:
        """Prices of milestones by name."""
        return {each["name"]: Decimal(each["amount"]) for each in self.contract["milestones"]}

    @property
    def milestones_left(self) -> list[str]:
        """Unreleased milestones in order."""
        return [name for name in self.prices if name not in self.milestones_released]

    def note(self, kind: str, actor: str, details: dict[str, Any], transfer: int | None = None) -> None:
        """Write an event into the timeline, with the number of the transfer that it caused."""
        self.timeline.append(event_of(self.version, kind, self.status, actor, self.updated_at, details, transfer))

    def wait(self, deadline: str, lasts: str) -> None:
        """Set the deadline from a period of the contract."""
        self.deadlines = {**NO_DEADLINES, deadline: time_of(self.updated_at + period(self.contract[lasts]))}

    def require(self, command: str) -> None:
        """Refuse a command that the state does not take."""
        cannot, states = _TAKEN[command]
        if self.status in FINAL:
            raise self.refused(f"This escrow is {self.status}, which is final. No command can change it.")
        if self.status not in states:
            raise self.refused(f"{cannot} while the escrow is {self.status}.")

    def milestone(self, named: str | None) -> str | None:
        """Return the milestone that is delivered: the one that is named or under review, or the next one."""
        if named is not None and named not in self.prices:
            raise invalid(f"This contract has no milestone {named!r}.", "milestone")
        under_review = self.delivery["milestone"] if self.delivery and self.status == "delivered" else None
        chosen = named or under_review or next(iter(self.milestones_left), None)
        if named is not None and named not in self.milestones_left:
            raise self.refused(f"Milestone {named!r} has already been released.", "escrow.milestone_released")
        if under_review and chosen != under_review:
            raise self.refused(f"Milestone {under_review!r} is under review. Deliver the next one after its release.")
        return chosen

    def move(self, kind: str, amount: Decimal) -> None:
        """Move an amount."""
        if amount:
            self.moves.append(Transfer(kind, amount, self.currency))

    def moved(self, kind: str) -> Decimal:
        """Movements of the last command."""
        return sum((each.amount for each in self.moves if each.kind == kind), ZERO)

    def end(self, status: str) -> None:
        """Take no command any more."""
        self.status, self.deadlines = status, dict(NO_DEADLINES)

    def refused(self, detail: str, code: str = "escrow.wrong_state", **members: Any) -> Refused:
        """Return a conflict with the state."""
        return Refused(409, code, detail, state=self.status, **members)

    def reviewed(self, delivery: int | None) -> None:
        """Refuse a command that was given for another delivery, or that may mean another one."""
        number = self.delivery["number"] if self.delivery else None
        if delivery is None and self.deliveries > 1:
            detail = (
                f"This escrow may have had other deliveries. Delivery {number} is under review: look at it, then send "
                f'"delivery": {number}.'
            )
            raise self.refused(detail, "escrow.delivery_required", delivery=number)
        if delivery not in {None, number}:
            detail = f"Delivery {delivery} is not under review; delivery {number} is."
            raise self.refused(detail, "escrow.delivery_changed", delivery=number)

    def document(self) -> dict[str, Any]:
        """Show it as the API does."""
        contract = self.contract
        names = ("title", "payer_name", "payee_name", "agent_name", "currency", "commission_bps")
        agreed = ("signatories", "required_signatures", "validation_threshold")
        held = (
            "Nothing is funded yet."
            if self.status == "open"
            else f"{text_of(self.held)} {self.currency} held in escrow."
        )
        return {
            **self.own,
            **{name: contract[name] for name in (*names, *agreed)},
            "id": self.id,
            "contract_id": contract["id"],
            "status": self.status,
            "amount": contract["price"],
            "funded_amount": text_of(self.funded),
            "granted_amount": text_of(ZERO),
            "released_amount": text_of(self.released),
            "refunded_amount": text_of(self.refunded),
            "commission_amount": text_of(self.commission),
            "payer_org_id": ORGANIZATION,
            "payee_org_id": ORGANIZATION,
            "payee_agent_id": contract["agent_id"],
            "signatures": list(self.signatures),
            "validation_score": self.score,
            "milestones": [{**each, "status": self._status_of(each["name"])} for each in contract["milestones"]],
            "delivery": self.delivery,
            "deadlines": self.deadlines,
            "dispute": self.dispute and dict(self.dispute),
            "cancel_requested_by": None,
            "story": FINAL.get(self.status, held),
            "workflow_id": f"escrow/{contract['id']}",
            "version": self.version,
            "created_at": time_of(self.created_at),
            "updated_at": time_of(self.updated_at),
        }

    def _status_of(self, milestone: str) -> str:
        if milestone in self.milestones_released:
            return "released"
        under_review = self.status == "delivered" and self.delivery and self.delivery["milestone"] == milestone
        return "delivered" if under_review else "pending"
