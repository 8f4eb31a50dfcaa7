"""Schemas of escrows."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StringConstraints, WithJsonSchema, field_validator, model_validator
from pydantic.json_schema import SkipJsonSchema

from api.fields import (
    Amount,
    ContractId,
    Exact,
    Flag,
    GivenName,
    Note,
    PaymentId,
    RequestModel,
    ResponseModel,
    Share,
    Whole,
    example,
)
from api.metadata import MetadataUpdate, WithMetadata
from api.parties import NamedView, named
from api.v1.customers.schemas import ReturnUrl
from api.v1.payments.schemas import Coin, MethodRef, PaymentOptions, PaymentView, ProviderName
from domain.common.access import Actor
from domain.common.errors import Invalid
from domain.common.ids import escrow_workflow_id, transfer_id
from domain.common.money import format_amount, format_ratio
from domain.escrow.audience import shown_opener, shown_step
from domain.escrow.presentation import story
from domain.escrow.state import Artifact, Escrow, EscrowStatus as Status, Terms
from models.escrow.escrow import EscrowEventRow
from repositories.escrow.party import Parties

#: Allowed schemes of artifacts. Those that a browser would execute or render, such as `javascript:` and `data:`, are
#: not.
SCHEMES = ("https", "http", "s3", "gs", "az", "ipfs", "ar", "oci", "git+https", "git+ssh")


def _fetchable(uri: str) -> str:
    if uri.partition("://")[0].lower() not in SCHEMES:
        raise ValueError(f"The URI of an artifact must begin with one of {', '.join(SCHEMES)} and ://.")
    return uri


Uri = Annotated[
    str,
    StringConstraints(min_length=1, max_length=1000, pattern=r"^[A-Za-z][A-Za-z0-9+.-]{0,30}:[!-~]+$"),
    AfterValidator(_fetchable),
    WithJsonSchema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": 1000,
            "pattern": rf"^({'|'.join(SCHEMES).replace('+', '[+]')})://[!-~]+$",
        }
    ),
]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{64}$")]


DeliveryNumber = Annotated[
    Whole,
    Field(
        ge=1,
        le=2**31,
        description="`delivery.number` of the delivery that you have reviewed. If another one is under review, the "
        "answer is 409 `escrow.delivery_changed`. You may leave it out for the first delivery of an escrow; later the "
        "answer without it is 409 `escrow.delivery_required`.",
    ),
]


class ArtifactBody(RequestModel):
    """The URI of an artifact, and optionally the SHA-256 of its content."""

    uri: Uri = Field(examples=["https://example.com/report.pdf"])
    sha256: Sha256 | None = None

    def value(self) -> Artifact:
        return Artifact(uri=self.uri, sha256=self.sha256.lower() if self.sha256 else None)


class CreateEscrow(WithMetadata):
    """Opens the escrow of a contract; everything else comes from the contract."""

    model_config = example(contract_id="ctr_01kar6h2d8e4wvq3r5s7t9x1zy", amount="50.00")

    contract_id: ContractId
    amount: Amount | None = Field(default=None, description="If given, it must equal the contract's price.")


class Fund(RequestModel):
    """Funds the escrow from the payer's credits or balance (`source`), an existing payment, or a new one (`provider`).

    The other fields are the payment options of a new payment, as in `POST /payments`. They need `provider`.
    """

    model_config = example(source="credits")

    source: Literal["credits", "balance"] | SkipJsonSchema[None] = Field(
        default=None, description="The payer's credits (the default), or its balance in the contract's currency."
    )
    payment_id: PaymentId | None = Field(default=None, description="An existing payment for this escrow.")
    provider: ProviderName | None = Field(default=None, description="The provider of a new payment for this escrow.")
    payment_method: MethodRef | None = None
    off_session: Flag = False
    hosted: Flag = False
    return_url: ReturnUrl | None = None
    asset: Coin | None = None
    total: Amount | None = Field(
        default=None, description="The total with tax that you have seen. If the total has changed, nothing is paid."
    )

    @field_validator("source", mode="before")
    @classmethod
    def _is_named(cls, source: object) -> object:
        """Refuse null, so that no money moves because of a field that a client forgot to fill."""
        if source is None:
            raise ValueError("source must not be null: leave it out or set it")
        return source

    def payment_options(self) -> PaymentOptions | None:
        """Return the options of a new payment; None if none is requested.

        Raises:
            Invalid: more than one source is given, or the fields cannot be combined.
        """
        if sum(way is not None for way in (self.source, self.payment_id, self.provider)) > 1:
            raise Invalid("Set only one of source, payment_id and provider.", extra={"field": "source"})
        how = self.model_dump(exclude={"source", "payment_id", "provider"}, exclude_unset=True)
        if self.provider is None and how:
            raise Invalid(
                "Payment options are allowed together with provider only. Send provider, or leave them out.",
                extra={"field": "provider"},
            )
        return None if self.provider is None else PaymentOptions(provider=self.provider, **how)


class Deliver(RequestModel):
    """Submits work for review."""

    model_config = example(
        artifacts=[{"uri": "https://example.com/report.pdf", "sha256": "5e" * 32}], note="Ready for review"
    )

    artifacts: Annotated[list[ArtifactBody], Field(max_length=20)] = Field(default_factory=list)
    note: Note | None = None
    milestone: GivenName | None = Field(
        default=None, description="The milestone that is delivered; the next one when left out."
    )

    @model_validator(mode="after")
    def _has_content(self) -> Self:
        # An empty delivery would be released if the client does not respond.
        if not self.artifacts and not (self.note and self.note.strip()):
            raise ValueError("Send a note or at least one artifact.")
        return self


class Validate(RequestModel):
    """A validator's score between 0 and 1."""

    model_config = example(score="0.92", note="Complete and correct", delivery=3)

    score: Share
    note: Note | None = None
    delivery: DeliveryNumber | None = None


class Approve(RequestModel):
    """Signs for the delivery as the principal of the API key."""

    model_config = example(delivery=3)

    delivery: DeliveryNumber | None = None


class OpenDispute(RequestModel):
    """Opens a dispute, which freezes the escrow."""

    model_config = example(reason="A third of the labels is wrong")

    reason: Annotated[Note, StringConstraints(min_length=1)]


class Evidence(RequestModel):
    """A party's evidence in the dispute."""

    model_config = example(note="The guidelines changed half-way", artifacts=[{"uri": "https://example.com/mail.eml"}])

    note: Annotated[Note, StringConstraints(min_length=1)]
    artifacts: Annotated[list[ArtifactBody], Field(max_length=10)] = Field(default_factory=list)


class Resolve(RequestModel):
    """The arbiter's decision of the dispute."""

    model_config = example(payee_share="0.60", note="Most of the work can be used")

    payee_share: Share
    note: Note | None = None


class Refund(RequestModel):
    """Refunds `amount` to the payer, or all that is held when it is left out."""

    model_config = example(amount="10.00")

    amount: Amount | None = None


class Cancel(RequestModel):
    """Ends the escrow before delivery."""

    model_config = example(reason="No longer needed")

    reason: Note | None = None


class SignatureView(ResponseModel):
    """An approval."""

    signatory: str
    signed_at: datetime
    signed_by: str = Field(description="The principal that signed.")
    on_behalf: bool = Field(
        description="Whether an operator, or the creator of the session link, signed on behalf of the signatory."
    )


class EscrowMilestoneView(ResponseModel):
    """A milestone: a part of the work with its own amount."""

    name: str
    amount: Exact
    status: Literal["pending", "delivered", "released"]


class DeadlinesView(ResponseModel):
    """The deadlines of the current state; null when a deadline does not apply."""

    fund_by: datetime | None
    deliver_by: datetime | None
    review_by: datetime | None


class DeliveryView(ResponseModel):
    """The latest delivery; `number` counts the deliveries of the escrow from 1."""

    number: int

    artifacts: list[dict[str, str | None]]
    note: str | None
    milestone: str | None
    delivered_at: datetime


class EvidenceView(ResponseModel):
    """A piece of evidence."""

    submitted_by: str
    note: str
    artifacts: list[dict[str, str | None]]
    submitted_at: datetime


class DisputeView(ResponseModel):
    """The dispute, its deadlines, and how it ended."""

    opened_by: str
    reason: str
    opened_at: datetime
    evidence: list[EvidenceView]
    evidence_until: datetime
    decide_by: datetime
    default_at: datetime
    default_payee_share: Exact = Field(
        description="The payee's share of what is held if nobody decides: the contract's default. If the payee has "
        "opened the dispute, it is for the delivery under review only, and 0 before a delivery."
    )
    resolved_by: str | None
    payee_share: Exact | None
    resolution_note: str | None
    resolved_at: datetime | None


class EscrowUpdate(MetadataUpdate):
    """Your own `external_id` and `metadata` of an escrow. Fields that are left out stay as they are."""

    model_config = example(external_id="order-6735", metadata={"cost_centre": "reports"})


class EscrowView(NamedView):
    """An escrow. In every final state `released + refunded + commission = funded`; amounts are decimal strings."""

    id: str
    contract_id: str
    status: Status
    currency: str
    amount: Exact
    funded_amount: Exact
    granted_amount: Exact = Field(
        description=(
            "The part of `funded_amount` in granted credits. They are released first, and are not paid out, unless the "
            "platform pays out granted credits."
        )
    )
    released_amount: Exact = Field(description="Paid to the agent, net of commission.")
    refunded_amount: Exact
    commission_amount: Exact
    commission_bps: int
    payer_org_id: str
    payee_org_id: str
    payee_agent_id: str
    signatories: list[str]
    required_signatures: int
    signatures: list[SignatureView]
    validation_threshold: Exact | None
    validation_score: Exact | None
    milestones: list[EscrowMilestoneView]
    delivery: DeliveryView | None
    deadlines: DeadlinesView
    dispute: DisputeView | None
    cancel_requested_by: str | None
    story: str = Field(
        description="The escrow in words: what is held, who has to act, and what happens automatically and when."
    )
    workflow_id: str
    version: int = Field(description="The number of the latest event in the timeline.")
    created_at: datetime
    updated_at: datetime


class FundedView(EscrowView):
    """An escrow, and the payment that was created to fund it, if any."""

    payment: PaymentView | None = None


class EscrowEventView(ResponseModel):
    """An event of an escrow: kind, actor, time, the status after it, and its ledger transfer."""

    number: int
    kind: str
    status: Status
    actor: str
    at: datetime
    recorded_at: datetime
    transfer_id: str | None
    details: dict[str, Any]


class TimelineView(ResponseModel):
    """A page of the events of an escrow, oldest first."""

    data: list[EscrowEventView]
    next_cursor: str | None = Field(
        default=None, description="Pass it as `cursor` for the next page; null on the last page."
    )


def view(escrow: Escrow, found: Parties, viewer: Actor) -> EscrowView:
    """Show an escrow to a client, with the names of its parties and the client's metadata."""
    terms = escrow.terms

    def money(amount_minor: int) -> str:
        return format_amount(amount_minor, terms.currency)

    return EscrowView.from_row(
        terms,
        **named(found),
        id=terms.escrow_id,
        status=escrow.status,
        amount=money(terms.amount_minor),
        funded_amount=money(escrow.funded_minor),
        granted_amount=money(found.granted_minor),
        released_amount=money(escrow.released_minor),
        refunded_amount=money(escrow.refunded_minor),
        commission_amount=money(escrow.commission_minor),
        payee_agent_id=terms.agent_id,
        signatures=[
            SignatureView(signatory=s.signatory, signed_at=s.signed_at, signed_by=s.signed_by, on_behalf=s.on_behalf)
            for s in escrow.signatures
        ],
        validation_threshold=_ratio(terms.validation_threshold_e4),
        validation_score=_ratio(escrow.validation_score_e4),
        milestones=_milestones(escrow),
        delivery=_delivery(escrow),
        deadlines=DeadlinesView(fund_by=escrow.fund_by, deliver_by=escrow.deliver_by, review_by=escrow.review_by),
        dispute=_dispute(escrow, viewer),
        cancel_requested_by=escrow.cancel_requested_by,
        story=story(escrow),
        workflow_id=escrow_workflow_id(terms.contract_id),
        version=escrow.version,
        created_at=escrow.opened_at,
        updated_at=escrow.updated_at,
    )


def event_view(row: EscrowEventRow, terms: Terms, viewer: Actor) -> EscrowEventView:
    actor, details = shown_step(terms, viewer, kind=row.kind, actor=row.actor, details=row.details)
    return EscrowEventView.from_row(
        row, actor=actor, transfer_id=transfer_id(row.transfer_id) if row.transfer_id else None, details=details
    )


def _ratio(ratio_e4: int | None) -> str | None:
    return None if ratio_e4 is None else format_ratio(ratio_e4)


def _artifacts(artifacts: tuple[Artifact, ...]) -> list[dict[str, str | None]]:
    return [{"uri": artifact.uri, "sha256": artifact.sha256} for artifact in artifacts]


def _milestones(escrow: Escrow) -> list[EscrowMilestoneView]:
    under_review = escrow.delivery.milestone if escrow.delivery and escrow.status is Status.DELIVERED else None

    def status(name: str) -> Literal["pending", "delivered", "released"]:
        if name in escrow.milestones_released:
            return "released"
        return "delivered" if name == under_review else "pending"

    return [
        EscrowMilestoneView(
            name=m.name, amount=format_amount(m.amount_minor, escrow.terms.currency), status=status(m.name)
        )
        for m in escrow.terms.milestones
    ]


def _delivery(escrow: Escrow) -> DeliveryView | None:
    if escrow.delivery is None:
        return None
    delivery = escrow.delivery
    return DeliveryView.from_row(delivery, artifacts=_artifacts(delivery.artifacts))


def _dispute(escrow: Escrow, viewer: Actor) -> DisputeView | None:
    if escrow.dispute is None:
        return None
    dispute = escrow.dispute
    return DisputeView.from_row(
        dispute,
        opened_by=shown_opener(escrow.terms, viewer, dispute.opened_by),
        evidence=[EvidenceView.from_row(piece, artifacts=_artifacts(piece.artifacts)) for piece in dispute.evidence],
        default_payee_share=format_ratio(escrow.default_share_e4),
        payee_share=_ratio(dispute.payee_share_e4),
    )
