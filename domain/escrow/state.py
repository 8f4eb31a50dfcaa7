"""The escrow's terms and state, and the allowed transitions.

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

#: Number of commands that an escrow remembers, so that a repeated one is answered and not executed again.
RECEIPT_WINDOW = 64
#: The maximum number of pieces of evidence of each side of a dispute, and of their bytes. Each event carries the whole
#: state, and Temporal refuses a payload of 2 MiB.
MAX_EVIDENCE = 50
MAX_EVIDENCE_BYTES = 128 * 1024
#: The maximum number of bytes of a delivery's artifacts and note.
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

#: The states in which each command is allowed.
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

#: The allowed transitions. An event may always leave a non-final state unchanged.
TRANSITIONS: dict[EscrowStatus, frozenset[EscrowStatus]] = {
    S.OPEN: frozenset({S.FUNDED, S.CANCELLED}),
    S.FUNDED: frozenset({S.DELIVERED, S.DISPUTED, S.REFUNDED, S.SPLIT, S.CANCELLED, S.EXPIRED}),
    S.DELIVERED: frozenset({S.FUNDED, S.DISPUTED, S.RELEASED, S.REFUNDED, S.SPLIT}),
    S.DISPUTED: frozenset({S.RELEASED, S.REFUNDED, S.SPLIT}),
    **dict.fromkeys(FINAL, frozenset()),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """Part of the work with its own price; milestones are released one by one."""

    name: Annotated[str, FREE_TEXT]
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """Terms of the contract. They never change.

    Shares and thresholds are ten-thousandths, periods are seconds, `commission_bps` is hundredths of a percent.
    `operator_approvals` says whether an operator may sign on behalf of a signatory. `undiscounted_commission_bps`
    bounds bad reputation evidence: the rate before a discount, or the usual one if the agent's level pays none; if
    None, `commission_bps` does. `names_shown` says whether the Temporal UI may show names and texts by people; names
    are set only then.
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
    """A delivered file: its URI and SHA-256."""

    uri: str
    sha256: Annotated[str | None, IDENTIFIER] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The latest delivery; a new one during the review replaces it.

    `number` counts all deliveries of the escrow from 1.
    """

    artifacts: tuple[Artifact, ...]
    note: str | None
    milestone: str | None
    delivered_at: datetime
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """A signatory's approval of the latest delivery.

    `signed_by` gave it; `on_behalf`: as an operator or as the maker of a session link.
    """

    signatory: str
    signed_at: datetime
    signed_by: str
    on_behalf: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A party's evidence in a dispute; `side` is `payer` or `payee`."""

    submitted_by: str
    note: str
    artifacts: tuple[Artifact, ...]
    submitted_at: datetime
    side: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """A dispute, which freezes the escrow: its opening, periods and decision.

    `default_share_e4` is the payee's share when nobody decides, if less than by the terms. `default_extended_from` is
    the time of the default before any extension, see `domain.escrow.pause`; `evidence_extended_from` that of the
    evidence window, see `domain.escrow.outage`.
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
    """An executed command and the number of its event.

    `content` is the hash of the command; None for deadlines and signals.
    """

    command_id: str
    version: int
    content: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Escrow:
    """State of an escrow.

    `version` is the number of its latest event; `funded_from` is the source of the money. `review_extended_from` is the
    end of the review before any extension, see `domain.escrow.pause`; `extended_from` that of the funding or delivery
    period, see `domain.escrow.outage`.
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
        """The price of the delivery under review: its milestone's, or all that is held."""
        if self.status is not S.DELIVERED or self.delivery is None:
            return 0
        prices = {each.name: each.amount_minor for each in self.terms.milestones}
        return min(prices.get(self.delivery.milestone or "", self.held_minor), self.held_minor)

    @property
    def default_share_e4(self) -> int:
        """The payee's share of the held amount when nobody decides a dispute."""
        own = self.dispute.default_share_e4 if self.dispute else None
        return self.terms.dispute_default_share_e4 if own is None else own

    @property
    def is_final(self) -> bool:
        """Whether the escrow is in a final state."""
        return self.status in FINAL

    def has_done(self, command_id: str) -> bool:
        """Return whether a command was executed before."""
        return any(receipt.command_id == command_id for receipt in self.receipts)

    def refuse_other(self, command_id: str, content: str | None) -> None:
        """Refuse a command whose id was used for a command of other content.

        Raises:
            IdempotencyConflict: both contents are known, and they differ.
        """
        known = {receipt.content for receipt in self.receipts if receipt.command_id == command_id} - {None}
        if content is not None and known and content not in known:
            raise other_request()


class EscrowPostingKind(StrEnum):
    """Kind of a posting: payer to escrow, or escrow to payee, to platform, or back to payer."""

    FUND = "fund"
    RELEASE = "release"
    COMMISSION = "commission"
    REFUND = "refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class EscrowPosting:
    """A posting of an event. All postings of an event form one transfer."""

    kind: EscrowPostingKind
    amount_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Result of a command or a deadline: the next state, its event, and the postings."""

    escrow: Escrow
    event: str
    actor: str
    moves: tuple[EscrowPosting, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)


#: A decision on the state and the time at which it is executed.
Decision = Callable[[Escrow, datetime], Outcome]


def is_payer(escrow: Escrow, actor: Actor) -> bool:
    """Return whether the actor acts for the paying organization."""
    return actor.org_id == escrow.terms.payer_org_id and actor.role is not Role.AGENT


def is_payee(escrow: Escrow, actor: Actor) -> bool:
    """Return whether the actor acts for the paid agent."""
    if actor.role is Role.AGENT:
        return actor.agent_id == escrow.terms.agent_id
    return actor.org_id == escrow.terms.payee_org_id


def signatory_name(escrow: Escrow, actor: Actor) -> str:
    """Return the name that the actor signs with: bare within the paying organization, qualified outside.

    The spelling is the contract's, which may differ in case.
    """
    name = actor.principal if actor.org_id == escrow.terms.payer_org_id else actor.qualified()
    return next((one for one in escrow.terms.signatories if one.lower() == name.lower()), name)
