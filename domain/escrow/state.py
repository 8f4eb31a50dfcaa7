"""The escrow's state: what was agreed, what has happened, and which states and changes of state exist.

Frozen values of the standard library only; the workflow is the only writer. In every final state
`released + refunded + commission = funded`; `released_minor` is net of commission.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from domain.common.access import Actor, Role
from domain.common.errors import other_request
from domain.privacy.data_map import FREE_TEXT, IDENTIFIER

#: How many commands an escrow remembers, so that a repeated one is answered and not done twice.
RECEIPT_WINDOW = 64
#: How many pieces of evidence a dispute takes from each side, and how many bytes of it. Each event carries the whole
#: state, and Temporal refuses a payload of 2 MiB.
MAX_EVIDENCE = 50
MAX_EVIDENCE_BYTES = 128 * 1024
#: How many bytes the artifacts and the note of one delivery may take.
MAX_DELIVERY_BYTES = 64 * 1024
#: One, in ten-thousandths.
WHOLE_E4 = 10_000


class EscrowStatus(StrEnum):
    """The status of an escrow. The last five are final."""

    OPEN = "open"
    FUNDED = "funded"
    DELIVERED = "delivered"
    DISPUTED = "disputed"
    RELEASED = "released"
    REFUNDED = "refunded"
    SPLIT = "split"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


S = EscrowStatus
FINAL = frozenset({S.RELEASED, S.REFUNDED, S.SPLIT, S.CANCELLED, S.EXPIRED})

#: Which states each command is taken in.
ALLOWED: dict[str, frozenset[EscrowStatus]] = {
    "fund": frozenset({S.OPEN}),
    "deliver": frozenset({S.FUNDED, S.DELIVERED}),
    "validate": frozenset({S.DELIVERED}),
    "approve": frozenset({S.DELIVERED}),
    "dispute": frozenset({S.FUNDED, S.DELIVERED}),
    "submit_evidence": frozenset({S.DISPUTED}),
    "resolve": frozenset({S.DISPUTED}),
    "refund": frozenset({S.FUNDED, S.DELIVERED, S.DISPUTED}),
    "cancel": frozenset({S.OPEN, S.FUNDED}),
}

#: Every change of state that any command or deadline may make; staying in a state is always allowed before the end.
TRANSITIONS: dict[EscrowStatus, frozenset[EscrowStatus]] = {
    S.OPEN: frozenset({S.FUNDED, S.CANCELLED}),
    S.FUNDED: frozenset({S.DELIVERED, S.DISPUTED, S.REFUNDED, S.SPLIT, S.CANCELLED, S.EXPIRED}),
    S.DELIVERED: frozenset({S.FUNDED, S.DISPUTED, S.RELEASED, S.REFUNDED, S.SPLIT}),
    S.DISPUTED: frozenset({S.RELEASED, S.REFUNDED, S.SPLIT}),
    **dict.fromkeys(FINAL, frozenset()),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """A part of the work with its own price; parts are released one by one."""

    name: Annotated[str, FREE_TEXT]
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What was agreed in the contract. Never changes.

    Shares and thresholds are ten-thousandths, periods are seconds, `commission_bps` is hundredths of a percent.
    `operator_approvals` says whether an operator may sign on behalf of a signatory. `undiscounted_commission_bps` is
    the rate before a discount was taken off it, or the usual one where the agent's level takes none; None where
    `commission_bps` bounds bad evidence. `names_shown` says whether the Temporal UI may be shown names and what people
    wrote; the names are there only then.
    """

    escrow_id: str
    contract_id: str
    payer_org_id: str
    payee_org_id: str
    agent_id: str
    currency: str
    amount_minor: int
    signatories: tuple[str, ...]
    required_signatures: int
    validation_threshold_e4: int | None
    commission_bps: int
    fund_seconds: int
    deliver_seconds: int
    review_seconds: int
    evidence_seconds: int
    decision_seconds: int
    grace_seconds: int
    dispute_default_share_e4: int
    milestones: tuple[Milestone, ...] = ()
    operator_approvals: bool = True
    undiscounted_commission_bps: int | None = None
    names_shown: bool = False
    payer_name: str | None = None
    agent_name: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """Where a delivered thing is, and the SHA-256 that it had."""

    uri: str
    sha256: Annotated[str | None, IDENTIFIER] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The latest delivery; a new one before the review ends replaces it.

    `number` counts the deliveries of the escrow, of all its milestones: 1 is the first.
    """

    artifacts: tuple[Artifact, ...]
    note: str | None
    milestone: str | None
    delivered_at: datetime
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """One signatory's approval of the latest delivery.

    `signed_by` is who gave it; `on_behalf` says that it was an operator, or whoever made the link of a session, and not
    the signatory.
    """

    signatory: str
    signed_at: datetime
    signed_by: str
    on_behalf: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What a party brought forward in a dispute; `side` is `payer` or `payee`."""

    submitted_by: str
    note: str
    artifacts: tuple[Artifact, ...]
    submitted_at: datetime
    side: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """A frozen escrow: who froze it and why, until when each step may be taken, and how it ended.

    `default_share_e4` is the payee's share when nobody decides, where that is less than by the terms.
    `default_extended_from` is when the default was to apply before it was extended, see `domain.escrow.pause`;
    `evidence_extended_from` the same of the evidence window, see `domain.escrow.outage`.
    """

    opened_by: str
    reason: str
    opened_at: datetime
    evidence_until: datetime
    decide_by: datetime
    default_at: datetime
    evidence: tuple[Evidence, ...] = ()
    overdue_alerted: bool = False
    default_share_e4: int | None = None
    resolved_by: str | None = None
    payee_share_e4: int | None = None
    resolution_note: str | None = None
    resolved_at: datetime | None = None
    default_extended_from: datetime | None = None
    evidence_extended_from: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Proof that a command was done, and as which event.

    `content` is the hash of what it asked for; None for deadlines and signals.
    """

    command_id: str
    version: int
    content: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Escrow:
    """The whole state of one escrow.

    `version` is the number of its latest event; `funded_from` names where the money came from.
    `review_extended_from` is when the present review was to end before it was extended, see `domain.escrow.pause`;
    `extended_from` the same of the time to fund or to deliver, see `domain.escrow.outage`.
    """

    terms: Terms
    status: EscrowStatus
    version: int
    opened_at: datetime
    updated_at: datetime
    funded_from: str | None = None
    funded_minor: int = 0
    released_minor: int = 0
    refunded_minor: int = 0
    commission_minor: int = 0
    fund_by: datetime | None = None
    deliver_by: datetime | None = None
    review_by: datetime | None = None
    review_extended_from: datetime | None = None
    extended_from: datetime | None = None
    delivery: Delivery | None = None
    signatures: tuple[Signature, ...] = ()
    validation_score_e4: int | None = None
    milestones_released: tuple[str, ...] = ()
    dispute: Dispute | None = None
    cancel_requested_by: str | None = None
    receipts: tuple[Receipt, ...] = ()

    @property
    def held_minor(self) -> int:
        return self.funded_minor - self.released_minor - self.refunded_minor - self.commission_minor

    @property
    def paid_minor(self) -> int:
        """The gross amount released so far: the payee's part and the commission on it."""
        return self.released_minor + self.commission_minor

    @property
    def under_review_minor(self) -> int:
        """The amount that the delivery under review is worth: its milestone's price, or all that is held."""
        if self.status is not S.DELIVERED or self.delivery is None:
            return 0
        prices = {each.name: each.amount_minor for each in self.terms.milestones}
        return min(prices.get(self.delivery.milestone or "", self.held_minor), self.held_minor)

    @property
    def default_share_e4(self) -> int:
        """The payee's share of what is held when nobody decides a dispute."""
        own = self.dispute.default_share_e4 if self.dispute else None
        return self.terms.dispute_default_share_e4 if own is None else own

    @property
    def is_final(self) -> bool:
        """Whether no command and no deadline can change it any more."""
        return self.status in FINAL

    def has_done(self, command_id: str) -> bool:
        """Return whether a command was done before."""
        return any(receipt.command_id == command_id for receipt in self.receipts)

    def refuse_other(self, command_id: str, content: str | None) -> None:
        """Refuse a command under the id of one that was done and asked for something else.

        Raises:
            IdempotencyConflict: both contents are known, and they differ.
        """
        known = {receipt.content for receipt in self.receipts if receipt.command_id == command_id} - {None}
        if content is not None and known and content not in known:
            raise other_request()


class EscrowPostingKind(StrEnum):
    """The direction: payer to escrow, or escrow to payee, to the platform, or back to the payer."""

    FUND = "fund"
    RELEASE = "release"
    COMMISSION = "commission"
    REFUND = "refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class EscrowPosting:
    """An amount that moves with an event. All moves of one event are one transfer."""

    kind: EscrowPostingKind
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of a command or a deadline: the next state, its event, and the movements of money."""

    escrow: Escrow
    event: str
    actor: str
    moves: tuple[EscrowPosting, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)


#: A decision that is still to be made against the state and the time that hold when it is made.
Decision = Callable[[Escrow, datetime], Outcome]


def is_payer(escrow: Escrow, actor: Actor) -> bool:
    """Return whether the actor speaks for the paying organization."""
    return actor.org_id == escrow.terms.payer_org_id and actor.role is not Role.AGENT


def is_payee(escrow: Escrow, actor: Actor) -> bool:
    """Return whether the actor speaks for the agent that is paid."""
    if actor.role is Role.AGENT:
        return actor.agent_id == escrow.terms.agent_id
    return actor.org_id == escrow.terms.payee_org_id


def signatory_name(escrow: Escrow, actor: Actor) -> str:
    """Return the name that the actor signs with: bare within the paying organization, qualified outside.

    It is spelled as in the contract, where it may differ in case.
    """
    name = actor.principal if actor.org_id == escrow.terms.payer_org_id else actor.qualified()
    return next((one for one in escrow.terms.signatories if one.lower() == name.lower()), name)
