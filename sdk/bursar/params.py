"""Bodies and parameters of requests. Written by `python -m dev.sdk` from the OpenAPI document: not edited by hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, Required, TypeAlias, TypedDict

from bursar._wire import AmountLike
from bursar.models import (
    Aggregation as Aggregation,
    AlertStatus as AlertStatus,
    AllocationMode as AllocationMode,
    AllocationStatus as AllocationStatus,
    BillingRunStatus as BillingRunStatus,
    Cadence as Cadence,
    CardStatus as CardStatus,
    CaseKind as CaseKind,
    CaseResult as CaseResult,
    CaseStatus as CaseStatus,
    Category as Category,
    ChannelKind as ChannelKind,
    Coin as Coin,
    CollectionMethod as CollectionMethod,
    Compare as Compare,
    ConditionType as ConditionType,
    ContractStatus as ContractStatus,
    ControlStatus as ControlStatus,
    Dataset as Dataset,
    DeployType as DeployType,
    Dimension as Dimension,
    Direction as Direction,
    DiscrepancyStatus as DiscrepancyStatus,
    DisputeStatus as DisputeStatus,
    DrawnPool as DrawnPool,
    EarningsKind as EarningsKind,
    EntityKind as EntityKind,
    EscrowStatus as EscrowStatus,
    ExportFormat as ExportFormat,
    ExportStatus as ExportStatus,
    FactKind as FactKind,
    ForecastMetric as ForecastMetric,
    FreeFirst as FreeFirst,
    Grain as Grain,
    Grouping as Grouping,
    Interval as Interval,
    InvoiceItemStatus as InvoiceItemStatus,
    InvoiceStatus as InvoiceStatus,
    Label as Label,
    ListName as ListName,
    Locale as Locale,
    LotSource as LotSource,
    Measure as Measure,
    MethodKind as MethodKind,
    MinimumEvidence as MinimumEvidence,
    OfferModel as OfferModel,
    OfferStatus as OfferStatus,
    OrganizationStatus as OrganizationStatus,
    Outcome as Outcome,
    PaymentStatus as PaymentStatus,
    PeerMetric as PeerMetric,
    Period as Period,
    Permission as Permission,
    Point as Point,
    PolicyScope as PolicyScope,
    PricingModel as PricingModel,
    ProviderName as ProviderName,
    PurchaseOnLimit as PurchaseOnLimit,
    PurchaseOrderStatus as PurchaseOrderStatus,
    PurchaseStatus as PurchaseStatus,
    Purpose as Purpose,
    PurposeKind as PurposeKind,
    QuotaWindow as QuotaWindow,
    ReferralStatus as ReferralStatus,
    ReportFormat as ReportFormat,
    ReportSchedule as ReportSchedule,
    RevenueSource as RevenueSource,
    RevenueStatus as RevenueStatus,
    RoiScope as RoiScope,
    Role as Role,
    RuleType as RuleType,
    SecretKind as SecretKind,
    Severity as Severity,
    ShareRule as ShareRule,
    SpendStatus as SpendStatus,
    Stacking as Stacking,
    SubjectKind as SubjectKind,
    TaskKind as TaskKind,
    Term as Term,
    TimedExits as TimedExits,
    TransactionType as TransactionType,
    TrialStatus as TrialStatus,
    UsageMode as UsageMode,
    Visibility as Visibility,
    WalletCreation as WalletCreation,
    Window as Window,
)

Action: TypeAlias = Literal["book", "accept"] | str
AgentSort: TypeAlias = Literal["newest", "rating", "jobs"] | str
ApprovalAction: TypeAlias = (
    Literal[
        "payout.give_up",
        "invoice.void",
        "invoice.mark_uncollectible",
        "invoice.credit",
        "billing_terms.agree",
        "marketplace.creator_share",
        "organization.tier",
        "billing_profile.decide",
        "credits.grant",
        "credits.refund",
        "payment.refund",
        "usage.void_charge",
        "credits.cost",
        "pricing.rule",
        "contract.commission",
        "risk.rule",
        "earnings.waive",
        "risk.decide",
    ]
    | str
)
ApprovalStatus: TypeAlias = Literal["requested", "approved", "rejected", "used", "expired"] | str
DeliveryStatus: TypeAlias = Literal["pending", "delivered", "failed", "skipped"] | str
EndpointStatus: TypeAlias = Literal["enabled", "paused", "disabled", "deleted"] | str
EntryStatus: TypeAlias = (
    Literal[
        "approved",
        "needs_alternatives",
        "needs_approval",
        "declined_policy",
        "declined_over_budget",
        "declined_frozen",
        "declined_rate",
        "declined_credits",
        "begun",
        "succeeded",
        "forced",
        "declined",
        "unknown",
        "reported",
        "confirmed",
        "corrected",
        "refunded",
        "reversed",
        "purchased",
        "abandoned",
        "expired",
        "cancelled",
    ]
    | str
)
EventType: TypeAlias = (
    Literal[
        "task_completed",
        "task_failed",
        "responded",
        "reliability_observed",
        "collaboration_observed",
        "quality_reviewed",
        "sla_kept",
        "sla_missed",
    ]
    | str
)
Format: TypeAlias = Literal["csv", "beancount", "quickbooks", "xero"] | str
HostedProvider: TypeAlias = Literal["stripe", "paypal"] | str
HttpMethod: TypeAlias = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"] | str
InboxStatus: TypeAlias = Literal["received", "forwarded", "handled", "ignored", "unmatched"] | str
NamedPool: TypeAlias = Literal["operating", "reserve", "emergency"] | str
OnLimit: TypeAlias = Literal["refuse", "reserve"] | str
Ordering: TypeAlias = Literal["subject", "none"] | str
PayoutInterval: TypeAlias = Literal["manual", "daily", "weekly", "monthly"] | str
PayoutStatus: TypeAlias = Literal["requested", "waiting_for_funds", "unknown", "paid", "failed"] | str
PromptFormat: TypeAlias = Literal["text", "json"] | str
RequestPart: TypeAlias = Literal["header", "query", "body", "basic"] | str
RunStatus: TypeAlias = Literal["running", "done", "failed"] | str
WaitsFor: TypeAlias = Literal["me"] | str


class ArtifactBody(TypedDict, total=False):
    """The URI of an artifact, and optionally the SHA-256 of its content."""

    uri: Required[str]
    sha256: str | None


class BoundsTerms(TypedDict, total=False):
    """Limits of every price: as multiples of the base price, and as amounts for one unit."""

    type: Required[Literal["bounds"] | str]
    floor: AmountLike | None
    ceiling: AmountLike | None
    floor_amount: AmountLike | None
    ceiling_amount: AmountLike | None
    currency: str | None


class BulkStep(TypedDict, total=False):
    """The multiplier from a quantity on."""

    quantity: Required[int]
    multiplier: Required[AmountLike]


class BulkTerms(TypedDict, total=False):
    """A multiplier by the quantity bought at once. A step that would make a larger quantity cost less is refused."""

    type: Required[Literal["bulk"] | str]
    steps: Required[Sequence[BulkStep]]


class ConditionSet(TypedDict, total=False):
    """The condition under which a rule raises an alert."""

    type: Required[ConditionType]
    threshold: AmountLike | None
    measure: Measure | None
    direction: Direction | None
    of: str | None
    period: timedelta | str | None


class ContactSet(TypedDict, total=False):
    """An address, and the purposes of mails to it."""

    email: Required[str]
    purposes: Required[Sequence[Purpose]]


class ContractPriceTerms(TypedDict, total=False):
    """The agreed price of one unit for a client. The rule must name the agent and the organization."""

    type: Required[Literal["contract_price"] | str]
    unit_price: Required[AmountLike]
    currency: str


class CountBounds(TypedDict, total=False):
    """The smallest and the largest number that is accepted; a bound that is left out does not apply."""

    min: int | None
    max: int | None


class CustomTerms(TypedDict, total=False):
    """A multiplier from an expression in a subset of CEL. It returns basis points: 12000 is 1.2 times the price."""

    type: Required[Literal["custom"] | str]
    expression: Required[str]


class DiscountCreate(TypedDict, total=False):
    """A discount on the whole invoice: an amount, or a share of what remains after the earlier discounts."""

    description: Required[str]
    amount: AmountLike | None
    share: AmountLike | None


DiscountSet = TypedDict(
    "DiscountSet",
    {
        "from": "Required[AmountLike]",
        "discount": "Required[AmountLike]",
    },
    total=False,
)


class EventMetadata(TypedDict, total=False):
    """The measured values."""

    response_time_ms: int | None
    response_target_ms: int | None


class LadderStep(TypedDict, total=False):
    """A step of an escalation: the role to notify if the alert is still unanswered."""

    role: Required[Role]
    after: timedelta | str | None


class LevelBody(TypedDict, total=False):
    """A level of reputation and its terms."""

    name: Required[str]
    from_score: AmountLike
    least_evidence: int
    commission_bps: int | None
    escrow_limits: Mapping[str, AmountLike]
    exposure_limits: Mapping[str, AmountLike]
    priority: int
    entitlements: Sequence[str]
    hold_back_days: int | None


class LiftSet(TypedDict, total=False):
    """A window of a budget that does not refuse this purchase. The purchase still counts in it."""

    budget_id: Required[str]
    window: Required[Window]


class LimitSet(TypedDict, total=False):
    """The limit of one window. `amount`, `uses` or both are required."""

    window: Required[Window]
    amount: AmountLike | None
    uses: int | None
    hard: bool


class LineCreate(TypedDict, total=False):
    """A line of an invoice. Give either the price of each unit or an amount for all of them."""

    description: Required[str]
    quantity: int
    unit_amount: AmountLike | None
    amount: AmountLike | None
    discount: AmountLike | None
    tax_code: str
    period_start: datetime | str | None
    period_end: datetime | str | None


class ListedTerms(TypedDict, total=False):
    """The terms that an agent accepts automatically. The platform's bounds apply to a term that is left out."""

    price: PriceBounds | None
    deliver_within: PeriodBounds | None
    review_period: PeriodBounds | None
    evidence_period: PeriodBounds | None
    decision_period: PeriodBounds | None
    default_grace: PeriodBounds | None
    dispute_length: PeriodBounds | None
    dispute_default_payee_share: ShareBounds | None
    validation_threshold: ShareBounds | None
    required_signatures: CountBounds | None
    milestones: CountBounds | None


class MethodFeeSet(TypedDict, total=False):
    """The expected fee of a payment: a share of the amount, and a fixed part."""

    share: AmountLike
    fixed: AmountLike | None
    currency: str | None


class MilestoneBody(TypedDict, total=False):
    """A milestone: a part of the work with its own price."""

    name: Required[str]
    amount: Required[AmountLike]


class PeriodBounds(TypedDict, total=False):
    """The shortest and the longest period that is accepted; a bound that is left out does not apply."""

    min: timedelta | str | None
    max: timedelta | str | None


class PlanPriceSet(TypedDict, total=False):
    """The organization's own price for a plan."""

    plan: Required[str]
    interval: Interval
    amount: Required[AmountLike]
    currency: str
    price_id: str | None


class PolicyCryptoSet(TypedDict, total=False):
    """Preferred coins, with the reason."""

    primary: MethodKind | None
    reasoning: str | None
    fallbacks: Sequence[MethodKind]
    wallet_creation: WalletCreation


class PolicyNamesSet(TypedDict, total=False):
    """Allowed and refused names. Case and extra spaces do not count."""

    allowed: Sequence[str]
    refused: Sequence[str]


class PolicySubjectSet(TypedDict, total=False):
    """The subject of a policy."""

    type: Required[PolicyScope]
    id: str | None


class PriceBounds(TypedDict, total=False):
    """The lowest and the highest price that is accepted; a price in another currency is outside of the bounds."""

    min: AmountLike | None
    max: AmountLike | None
    currency: str


class PricingCreate(TypedDict, total=False):
    """The price of a listing."""

    model: PricingModel
    amount: AmountLike | None
    currency: str


class PurchaseAlternativeSet(TypedDict, total=False):
    """An alternative that the agent has considered."""

    name: Required[str]
    url: str | None
    cost: AmountLike | None
    fits: bool
    why: str | None


class QuietHours(TypedDict, total=False):
    """Daily hours without notifications, except urgent ones. If they end before they start, they last over midnight."""

    starts: Required[str]
    ends: Required[str]


class ReportQuery(TypedDict, total=False):
    """A query of a report, for the report's period."""

    metrics: Required[Sequence[str]]
    by: Sequence[str]
    where: Mapping[str, Sequence[str]]
    grain: Grain | None
    compare: Compare | None
    currency: str | None
    limit: int
    title: str | None


class ReputationTerms(TypedDict, total=False):
    """A multiplier for a reputation score (0 to 10) from `from_score` on; it applies in full from `full_score` on."""

    type: Required[Literal["reputation"] | str]
    whose: Literal["client", "seller"] | str
    multiplier: AmountLike
    from_score: AmountLike
    full_score: AmountLike
    least_evidence: int


class RiskEntity(TypedDict, total=False):
    """An entity, in its own form: an id, an address, a network such as `203.0.113.0/24`, a device's token."""

    kind: Required[EntityKind]
    value: Required[str]


class RiskListEntry(TypedDict, total=False):
    """An entity to list."""

    entity: Required[str]
    list: Required[ListName]
    days: Required[int]


class RotationDatabase(TypedDict, total=False):
    """The target of the rotator `postgres`: two existing roles with the same rights, which alternate."""

    host: Required[str]
    port: int
    database: Required[str]
    roles: Required[Sequence[str]]
    admin: Required[str]


class RotationRequests(TypedDict, total=False):
    """The steps of the rotator `http`."""

    apply: Required[RotationStep]
    test: Required[RotationStep]
    put_back: RotationStep | None
    revoke: RotationStep | None


class RotationStep(TypedDict, total=False):
    """A request of a rotation. Texts of headers and of the body may contain `{{new}}`, `{{current}}` and `{{version}}`.

    These are the new value, the value that it replaces, and the number of the new version; an address can contain only `{{version}}`. The step has succeeded when the answer is 2xx.
    """

    method: Required[HttpMethod]
    url: Required[str]
    headers: Mapping[str, str]
    body: Any


class RuleWrite(TypedDict, total=False):
    """A pricing rule."""

    name: Required[str]
    priority: Required[int]
    terms: Required[
        SurgeTerms
        | ReputationTerms
        | TimeOfDayTerms
        | BulkTerms
        | VolumeTerms
        | TierTerms
        | ContractPriceTerms
        | CustomTerms
        | BoundsTerms
    ]
    stacking: Stacking
    agent_id: str | None
    organization_id: str | None
    floor: AmountLike | None
    ceiling: AmountLike | None
    valid_from: datetime | str | None
    valid_until: datetime | str | None


class Sample(TypedDict, total=False):
    """A sample of an agent's work."""

    title: Required[str]
    url: Required[str]
    note: str | None


class SecretChargeCreate(TypedDict, total=False):
    """The attribution of the cost, as with `POST /credits/use`."""

    department_id: str | None
    project_id: str | None
    run_id: str | None


SecretPlaceCreate = TypedDict(
    "SecretPlaceCreate",
    {
        "in": "Required[RequestPart]",
        "name": "str",
        "prefix": "str",
    },
    total=False,
)


class SecretPrice(TypedDict, total=False):
    """The price of one use."""

    amount: Required[AmountLike]
    currency: Literal["CREDIT"] | str


class SecretRotationPut(TypedDict, total=False):
    """How a secret is replaced by schedule; with the rotator `off` it is not."""

    rotator: Required[Literal["bursar", "postgres", "http", "manual", "off"] | str]
    every: timedelta | str
    grace: timedelta | str
    deadline: timedelta | str
    postgres: RotationDatabase | None
    http: RotationRequests | None


class ShareBounds(TypedDict, total=False):
    """The smallest and the largest share that is accepted, between 0 and 1; a bound that is left out does not apply."""

    min: AmountLike | None
    max: AmountLike | None


class ShareSet(TypedDict, total=False):
    """An agent or a project with a share of revenue."""

    agent_id: str | None
    project_id: str | None
    weight: int | None


class StatementLineSet(TypedDict, total=False):
    """A line of a statement."""

    reference: Required[str]
    amount: Required[AmountLike]
    currency: Required[str]
    reversed_amount: AmountLike | None


class SubjectSet(TypedDict, total=False):
    """By whom or for whom credits are spent."""

    type: Required[SubjectKind]
    id: str | None


class SurgeTerms(TypedDict, total=False):
    """A surcharge while demand (open work as a share of the capacity) exceeds a threshold."""

    type: Required[Literal["surge"] | str]
    threshold: Required[AmountLike]
    maximum: AmountLike
    full: AmountLike


class TierTerms(TypedDict, total=False):
    """A multiplier for clients of one tier, which is the name of their plan."""

    type: Required[Literal["tier"] | str]
    tier: Required[str]
    multiplier: Required[AmountLike]


class TimeOfDayTerms(TypedDict, total=False):
    """A multiplier between two times of day in a time zone.

    A window that ends before it begins ends on the next day.
    """

    type: Required[Literal["time_of_day"] | str]
    zone: Required[str]
    multiplier: Required[AmountLike]
    weekdays: Sequence[int]
    begins: str
    ends: str


class ToolRequestCreate(TypedDict, total=False):
    """The request to be made, without the secret."""

    method: Required[HttpMethod]
    url: Required[str]
    headers: Mapping[str, str]
    body: str | None


class TrialStageSet(TypedDict, total=False):
    """A stage of a trial."""

    due_at: Required[datetime | str]
    share: Required[AmountLike]
    results: int
    roi: AmountLike | None


class VolumeStep(TypedDict, total=False):
    """The multiplier from an amount on."""

    amount: Required[AmountLike]
    multiplier: Required[AmountLike]


class VolumeTerms(TypedDict, total=False):
    """A multiplier by the amount that the client paid for released work in the last 30 days."""

    type: Required[Literal["volume"] | str]
    currency: str
    steps: Required[Sequence[VolumeStep]]


class WindowSet(TypedDict, total=False):
    """The limit of one window. `amount`, `uses` or both are required."""

    window: Required[Window]
    amount: AmountLike | None
    uses: int | None
