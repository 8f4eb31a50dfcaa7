"""What the API answers. Written by `python -m dev.sdk` from the OpenAPI document: not edited by hand."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from pydantic import Field

from bursar._wire import Amount, Model

Aggregation: TypeAlias = Literal["sum", "count", "max", "unique", "latest"] | str
AlertStatus: TypeAlias = Literal["firing", "acknowledged", "resolved"] | str
BilledStatus: TypeAlias = Literal["prepaid", "unbilled", "billed"] | str
Cadence: TypeAlias = Literal["instant", "hourly", "daily", "weekly", "off"] | str
ChangeKind: TypeAlias = Literal["upgrade", "downgrade"] | str
ChannelKind: TypeAlias = Literal["mail", "slack"] | str
ClientFact: TypeAlias = Literal["paid", "payment_failed", "charged_back", "accepted", "dispute_lost", "cancelled"] | str
Coin: TypeAlias = Literal["BTC", "ETH", "USDC", "TON"] | str
CollectionMethod: TypeAlias = Literal["charge_automatically", "send_invoice"] | str
CollectionStatus: TypeAlias = (
    Literal["scheduled", "charging", "requires_action", "paused", "paid", "void", "uncollectible"] | str
)
ConditionType: TypeAlias = (
    Literal["above", "below", "crosses", "changes_by", "ratio", "absent_for", "runs_out_within", "unusual"] | str
)
ContractStatus: TypeAlias = Literal["proposed", "accepted", "expired"] | str
ControlStatus: TypeAlias = Literal["active", "frozen", "closed"] | str
CostSource: TypeAlias = Literal["default", "platform", "organization"] | str
DeployType: TypeAlias = Literal["development", "staging", "production"] | str
Dimension: TypeAlias = Literal["task_success", "response_time", "reliability", "collaboration", "quality"] | str
Direction: TypeAlias = Literal["up", "down", "either"] | str
DiscrepancyStatus: TypeAlias = Literal["open", "resolved"] | str
DisputeStatus: TypeAlias = Literal["inquiry", "needs_response", "under_review", "won", "lost"] | str
EarningsKind: TypeAlias = Literal["granted", "own_work", "paid"] | str
Entitlement: TypeAlias = Literal["projects", "deploys", "seats", "api_access", "custom_integrations"] | str
Environment: TypeAlias = Literal["sandbox", "test", "live"] | str
EscrowAction: TypeAlias = (
    Literal["fund", "deliver", "validate", "approve", "dispute", "submit_evidence", "resolve", "refund", "cancel"] | str
)
EscrowStatus: TypeAlias = (
    Literal["open", "funded", "delivered", "disputed", "released", "refunded", "split", "cancelled", "expired"] | str
)
FactKind: TypeAlias = (
    Literal[
        "released",
        "split",
        "refunded",
        "undelivered",
        "validated",
        "dispute_lost",
        "in_time",
        "late",
        "responded",
        "sla_kept",
        "sla_missed",
        "feedback",
        "reported",
    ]
    | str
)
Fulfilment: TypeAlias = Literal["pending", "done", "gone"] | str
GrantSource: TypeAlias = Literal["promotion", "reward", "adjustment", "signup"] | str
Grouping: TypeAlias = Literal["action", "agent", "department", "model", "status"] | str
Interval: TypeAlias = Literal["month", "year"] | str
InvoiceStatus: TypeAlias = Literal["open", "paid", "void", "draft", "uncollectible"] | str
LotSource: TypeAlias = (
    Literal["purchase", "promotion", "signup", "subscription", "reward", "refund", "adjustment", "debt", "earnings"]
    | str
)
MatchStatus: TypeAlias = (
    Literal["matched", "missing_here", "missing_there", "amount_differs", "fee_missing", "not_listed_yet"] | str
)
Measure: TypeAlias = Literal["absolute", "percent"] | str
Metric: TypeAlias = Literal["balance", "spent", "payments", "paid", "earned", "escrow_held", "commission"] | str
MinimumEvidence: TypeAlias = int
OfferModel: TypeAlias = Literal["free", "one_time", "monthly", "usage"] | str
OfferStatus: TypeAlias = Literal["listed", "retired"] | str
OrganizationStatus: TypeAlias = Literal["active", "suspended", "closed"] | str
Pause: TypeAlias = Literal["refund", "chargeback", "unanswered"] | str
PausedFor: TypeAlias = Literal["refund", "chargeback"] | str
PaymentAction: TypeAlias = Literal["confirm", "capture", "cancel", "refund", "give_up_refund"] | str
PaymentStatus: TypeAlias = (
    Literal[
        "created",
        "requires_action",
        "processing",
        "unknown",
        "requires_capture",
        "succeeded",
        "failed",
        "expired",
        "cancelled",
        "partially_refunded",
        "refunded",
        "disputed",
        "charged_back",
    ]
    | str
)
Period: TypeAlias = Literal["7d", "30d", "90d", "all"] | str
Permission: TypeAlias = (
    Literal[
        "read",
        "read_audit",
        "manage_organizations",
        "change_organization",
        "manage_keys",
        "manage_agents",
        "manage_projects",
        "manage_spending",
        "manage_contacts",
        "manage_webhooks",
        "read_webhooks",
        "sell",
        "grant_credits",
        "award",
        "accept",
        "fund",
        "approve",
        "deliver",
        "refund",
        "dispute",
        "cancel",
        "validate",
        "arbitrate",
        "pay",
        "refund_payment",
        "convert_earnings",
        "pay_out",
        "manage_billing",
        "contest",
        "meter",
        "use_credits",
        "manage_meters",
        "acknowledge",
        "manage_alert_rules",
        "be_notified",
        "read_books",
        "inspect",
        "operate",
    ]
    | str
)
PricingModel: TypeAlias = Literal["free", "monthly", "one_time", "usage"] | str
ProviderName: TypeAlias = Literal["stripe", "paypal", "crypto", "credits"] | str
PurchaseAction: TypeAlias = Literal["refund", "cancel"] | str
PurchaseStatus: TypeAlias = Literal["active", "suspended", "refunded", "ended"] | str
Purpose: TypeAlias = Literal["billing", "security"] | str
PurposeKind: TypeAlias = Literal["credits", "escrow", "invoice", "slot", "balance", "purchase"] | str
ReferralStatus: TypeAlias = Literal["waiting", "rewarded", "refused", "taken_back"] | str
RefundState: TypeAlias = Literal["requested", "unknown", "pending", "succeeded", "failed"] | str
Role: TypeAlias = (
    Literal[
        "owner",
        "admin",
        "finance",
        "member",
        "auditor",
        "agent",
        "operator",
        "arbiter",
        "validator",
        "accountant",
        "platform_auditor",
    ]
    | str
)
RuleType: TypeAlias = (
    Literal["surge", "reputation", "time_of_day", "bulk", "volume", "tier", "contract_price", "custom", "bounds"] | str
)
SeriesInterval: TypeAlias = Literal["hour", "day", "week", "month"] | str
Severity: TypeAlias = Literal["info", "warning", "critical"] | str
SpendStatus: TypeAlias = Literal["charged", "reserved", "captured", "released", "expired", "refunded"] | str
Stacking: TypeAlias = Literal["multiply", "add", "exclusive"] | str
Status: TypeAlias = Literal["accepted", "duplicate", "invalid"] | str
SubjectKind: TypeAlias = Literal["organization", "department", "project", "agent", "run", "key"] | str
SubscriptionStatus: TypeAlias = (
    Literal["created", "incomplete", "trialing", "active", "past_due", "unpaid", "ended"] | str
)
TaskKind: TypeAlias = (
    Literal[
        "to_accept",
        "to_fund",
        "to_deliver",
        "to_sign",
        "to_score",
        "to_decide",
        "evidence_due",
        "invoice_due",
        "difference",
        "alert",
    ]
    | str
)
TimedExits: TypeAlias = Literal["continue", "pause"] | str
Trend: TypeAlias = Literal["rising", "steady", "falling"] | str
Unit: TypeAlias = Literal["credits", "amount", "count", "share", "points", "seconds"] | str
UsageMode: TypeAlias = Literal["prepaid", "arrears"] | str
Visibility: TypeAlias = Literal["public", "private"] | str
Window: TypeAlias = Literal["hour", "day", "week", "month", "quarter", "lifetime"] | str


class AccountBalanceView(Model):
    """What an account held."""

    account: str
    currency: str
    balance: Amount


class AccountBalancesView(Model):
    """What the accounts of an organization held at a moment, by what was booked before it."""

    organization_id: str
    at: datetime
    zone: str
    data: list[AccountBalanceView]
    next_cursor: str | None = None


class AccountStatementLineView(Model):
    """What one agent earned."""

    description: str
    amount: Amount


class AccountStatementView(Model):
    """An account over a period, by time of booking. `opening_balance` and all lines add up to `closing_balance`."""

    organization_id: str
    account: str
    currency: str
    from_: datetime = Field(..., alias="from")
    to: datetime
    zone: str
    opening_balance: str
    closing_balance: str
    data: list[StatementLineView]
    next_cursor: str | None = None


class ActionCostView(Model):
    """What an action costs."""

    action: str
    cost: Amount
    source: CostSource
    version: int


class AdjustmentView(Model):
    """What changed a price."""

    rule: str
    type: str
    multiplier: Decimal
    description: str


class AgentEarningsSummaryView(Model):
    """What one agent has earned of one currency and still has."""

    available: Amount
    pending: Amount
    pending_until: datetime | None
    frozen: str
    granted: Amount
    own_work: str
    total: Amount
    agent_id: str
    currency: str


class AgentEarningsView(Model):
    """What an agent earned of one asset in a period, and what of its earnings is there now, in units of the asset."""

    agent_id: str
    asset: str
    earned: Amount
    paid_out: Amount
    available: Amount
    pending: Amount
    frozen: str
    granted: Amount
    payable: list[PayableView]


class AgentLevelView(Model):
    """What an agent has by its reputation, and why."""

    agent_id: str
    version: int
    level: str | None
    commission_bps: int
    commission_rule: str
    escrow_limits: dict[str, str]
    exposure: list[ExposureView]
    priority: int
    entitlements: list[str]
    reasons: list[str]


class AgentPage(Model):
    """AgentPage."""

    data: list[AgentView]
    next_cursor: str | None = None


class AgentPricingView(Model):
    """What an agent's organization says of its prices."""

    agent_id: str
    capacity: int | None
    calls_per_day: int | None
    bears_discounts: bool
    updated_at: datetime | None


class AgentPurchasePage(Model):
    """AgentPurchasePage."""

    data: list[AgentPurchaseView]
    next_cursor: str | None = None


class AgentPurchaseView(Model):
    """An agent that an organization has bought."""

    id: str
    organization_id: str
    agent_id: str
    agent_name: str
    model: OfferModel
    price: Amount | None
    currency: str | None
    prices: dict[str, str] | None
    included_uses: int | None
    used: Amount | None
    payment_id: str | None
    status: PurchaseStatus
    has_access: bool
    bought_by: str
    bought_at: datetime
    refundable_until: datetime
    refunded_at: datetime | None
    ends_at: datetime | None
    renews: bool


class AgentScoreView(Model):
    """What is known of an agent."""

    agent_id: str
    overall_score: Decimal
    stars: Decimal
    low: Decimal
    high: Decimal
    is_certain: bool
    trend: Trend
    change: Decimal
    task_success_rate: Decimal
    avg_response_time_ms: int
    p95_response_time_ms: int
    evidence_count: int
    dimensions: dict[str, ScoreView]
    moved_most: list[MoveView]


class AgentView(Model):
    """An agent and its listing."""

    external_id: str | None
    metadata: dict[str, str]
    id: str
    name: str
    description: str | None
    organization_id: str
    visibility: Visibility
    category: str | None
    pricing: PricingView
    terms: dict[str, BoundsView]
    created_at: datetime
    retired_at: datetime | None


class AgreedPlanPriceView(Model):
    """What the organization pays for a plan."""

    plan: str
    interval: Interval
    amount: Amount
    currency: str
    price_id: str | None


class AlertMetricsView(Model):
    """Every figure that rules can watch."""

    data: list[MetricView]


class AlertPage(Model):
    """AlertPage."""

    data: list[AlertView]
    next_cursor: str | None = None


class AlertRulePage(Model):
    """AlertRulePage."""

    data: list[AlertRuleView]
    next_cursor: str | None = None


class AlertRuleView(Model):
    """A rule."""

    id: str
    name: str
    built_in: bool
    organization_id: str | None
    description: str | None
    metric: str | None
    filter: dict[str, str]
    condition: ConditionView | None
    window: str | None
    cool_down: str | None
    severity: str
    channels: list[str] | None
    ladder: list[LadderStepView] | None
    enabled: bool
    created_at: datetime | None
    updated_at: datetime | None


class AlertView(Model):
    """An event that needs a person's attention."""

    id: str
    organization_id: str | None
    kind: str
    subject: str
    detail: str
    severity: Severity
    status: AlertStatus
    for_operators: bool
    rule_id: str | None
    window: str | None
    created_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    organization_acknowledged_at: datetime | None
    organization_acknowledged_by: str | None
    snoozed_until: datetime | None
    resolved_at: datetime | None
    resolved_by: str | None


class ApiKeyCreated(Model):
    """A key with its secret, which is shown only once."""

    id: str
    organization_id: str | None
    principal: str
    role: Role
    agent_id: str | None
    department_id: str | None
    project_id: str | None
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    secret: str | None


class ApiKeyPage(Model):
    """ApiKeyPage."""

    data: list[ApiKeyView]
    next_cursor: str | None = None


class ApiKeyView(Model):
    """A key, without its secret."""

    id: str
    organization_id: str | None
    principal: str
    role: Role
    agent_id: str | None
    department_id: str | None
    project_id: str | None
    created_by: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


class ApprovalPage(Model):
    """ApprovalPage."""

    data: list[ApprovalView]
    next_cursor: str | None = None


class ApprovalView(Model):
    """What one operator asked for, and what another one decided."""

    id: str
    action: str
    subject: str
    content: dict[str, Any]
    status: str
    requested_by: str
    requested_at: datetime
    expires_at: datetime
    decided_by: str | None
    decided_at: datetime | None
    used_at: datetime | None


class AssetSummaryView(Model):
    """What an organization has of one currency, or of slots.

    `total` = `available` + `held` + `expired` + `in_use` + `in_escrow` + `in_payments` + `in_payouts` + `earnings.total` - `owed` - `invoiced`.
    """

    currency: str
    available: Amount
    held: Amount
    expired: Amount
    in_use: str
    in_escrow: Amount
    in_payments: str
    in_payouts: str
    earnings: EarningsSummaryView
    owed: Amount
    invoiced: str
    total: Amount
    pending: Amount
    pending_until: datetime | None


class AttributionView(Model):
    """For what an agent or a key spends."""

    id: str
    department_id: str | None
    project_id: str | None


class AuditPage(Model):
    """AuditPage."""

    data: list[AuditView]
    next_cursor: str | None = None


class AuditView(Model):
    """One privileged action. Only the actor's organization and operators see key, session, request and address."""

    id: str
    at: datetime
    organization_id: str | None
    principal: str
    role: str
    actor_organization_id: str | None
    key_id: str | None
    session_id: str | None
    made_by: str | None
    action: str
    target: str
    request_id: str | None
    address: str | None
    details: dict[str, Any]


class AutoTopUpView(Model):
    """What the organization wants to be bought, and whether it is."""

    organization_id: str
    enabled: bool
    below: str | None
    credits: Amount | None
    monthly_cap: Amount | None
    bought_this_month: Amount
    payment_method: str | None
    off_reason: str | None
    updated_at: datetime | None


class BalanceSheetView(Model):
    """What there is and whose it is at the end of a day (UTC), for each currency."""

    date: date
    currencies: list[CurrencySheetView]


class BalanceView(Model):
    """What an organization has in one currency. `available` + `reserved` = `total`."""

    organization_id: str
    currency: str
    available: Amount
    reserved: Amount
    total: Amount
    owed: Amount
    expiring: list[ExpiringView]


class BatchAnswer(Model):
    """One answer for each item, in the order given."""

    data: list[ItemAnswer]


class BillingQuoteView(Model):
    """What a purchase costs now. `subtotal` + `tax.amount` = `total`, which is what is charged."""

    organization_id: str
    provider: str
    credits: Amount | None
    slots: int | None
    package: str | None
    currency: str
    subtotal: Amount
    tax: QuotedTaxView | None
    total: Amount
    rate: QuotedRateView | None
    quoted_at: datetime


class BillingRunPage(Model):
    """BillingRunPage."""

    data: list[BillingRunView]
    next_cursor: str | None = None


class BillingRunView(Model):
    """The run of a month."""

    period: str
    status: Literal["running", "done"] | str
    ready_at: datetime
    started_at: datetime
    finished_at: datetime | None
    invoiced: int
    empty: int
    failed: int
    failures: list[FailureView]


class BillingTermsView(Model):
    """The billing terms that hold now, and those that follow."""

    version: int
    starts_at: datetime | None
    from_month: str | None
    mode: UsageMode
    currency: str
    time_zone: str
    minimum_commitment: Amount
    commitment_from: date | None
    volume_discounts: list[VolumeDiscountView]
    net_days: int
    collection_method: CollectionMethod
    plan_prices: list[AgreedPlanPriceView]
    organization_id: str
    next: TermsVersionView | None


class BoundsTerms(Model):
    """Between which multiples of the base price every price stays, and between which amounts for one."""

    type: Literal["bounds"] | str
    floor: str | Decimal | None = None
    ceiling: str | Decimal | None = None
    floor_amount: str | Decimal | None = None
    ceiling_amount: str | Decimal | None = None
    currency: str | None = None


class BoundsView(Model):
    """The minimum and the maximum that is accepted of a term; null means no bound."""

    min: str | int | None
    max: str | int | None
    currency: str | None = None


class BulkStep(Model):
    """From how many on, which multiplier."""

    quantity: int
    multiplier: str | Decimal


class BulkTerms(Model):
    """A multiplier by how many are bought at once. A step at which the total would fall is refused."""

    type: Literal["bulk"] | str
    steps: list[BulkStep]


class CatalogueView(Model):
    """Every type of events that there is."""

    data: list[EventTypeView]


class CauseView(Model):
    """What a transfer was for."""

    type: str
    id: str


class ChangePreview(Model):
    """What a change would do now."""

    plan: str
    interval: Interval
    price: MoneyView
    credits_per_month: Amount
    is_agreed_price: bool
    net_days: int
    kind: ChangeKind
    acts_at: datetime
    due: MoneyView
    unused: MoneyView
    credits: Amount


class ChangeView(Model):
    """What a capture, release or extension left of a reservation."""

    id: str
    status: SpendStatus
    amount: Amount
    captured: Amount
    released: Amount
    refunded: Amount
    held: Amount
    available: Amount
    expires_at: datetime | None
    transfer_id: str | None


class ChannelPage(Model):
    """ChannelPage."""

    data: list[ChannelView]
    next_cursor: str | None = None


class ChannelView(Model):
    """A channel of the caller."""

    id: str
    kind: ChannelKind
    status: str
    target: str
    created_at: datetime
    verified_at: datetime | None


class ChargebackPage(Model):
    """ChargebackPage."""

    data: list[ChargebackView]
    next_cursor: str | None = None


class ChargebackView(Model):
    """A chargeback or an inquiry of the payer's bank about a payment."""

    id: str
    payment_id: str
    organization_id: str
    provider: str
    provider_ref: str
    status: DisputeStatus
    reason: str
    amount: Amount
    currency: str
    taken: MoneyView
    owed: MoneyView
    opened_at: datetime
    evidence_due_at: datetime | None
    evidence_submitted_at: datetime | None


class CheckoutView(Model):
    """The hosted page where the payer pays for a package."""

    payment_id: str
    package: str
    credits: Amount
    status: PaymentStatus
    charge: MoneyView
    url: str | None


class ClearingView(Model):
    """The balance of a clearing account, and the booked movements that explain it."""

    currency: str
    held: Amount
    booked: Amount
    movements: dict[str, str]
    unexplained: Amount


class ClientEventView(Model):
    """What an organization did as a client."""

    id: str
    kind: ClientFact
    subject: str
    at: datetime
    is_void: bool
    sentence: str


class ClientView(Model):
    """How far an organization is trusted as a client."""

    organization_id: str
    trust: Decimal
    low: Decimal
    high: Decimal
    is_new: bool
    evidence_count: int
    counts: dict[str, int] | None
    events: list[ClientEventView] | None


class CoinQuoteView(Model):
    """The rate that an amount in coins was made with. What is sent later is worth what coins cost then."""

    price: Amount
    currency: str
    amount: Amount
    source: str
    expires_at: datetime


class CollectionEventView(Model):
    """One step of a collection."""

    number: int
    event: str
    status: CollectionStatus
    at: datetime
    details: dict[str, Any]


class CollectionView(Model):
    """How an invoice is collected, and what comes next."""

    invoice_id: str
    collection_method: CollectionMethod
    status: CollectionStatus
    attempts: int
    dunning_steps: int
    dunning_days: list[int]
    payment_id: str | None
    next_step_at: datetime | None
    paused_for: Pause | None
    failure_code: str | None
    failure: str | None
    timeline: list[CollectionEventView]


class ConditionView(Model):
    """When a figure is bad."""

    type: ConditionType
    threshold: str | None
    measure: Measure | None
    direction: Direction | None
    of: str | None
    period: str | None


class ConfigView(Model):
    """What a front end has to know. Nothing in it is secret."""

    providers: list[ProviderView]
    stripe_publishable_key: str | None
    credit_price: MoneyView
    crypto_assets: list[Coin]
    quote_valid_seconds: int
    plans: list[PlanView]
    packages: list[PackageView]
    slot_price: MoneyView
    tier_limits: dict[str, TierLimitsView]
    revenue_shares: RevenueSharesView


class ConnectView(Model):
    """The account, and the page on which its owner tells the provider the rest."""

    account: CreatorAccountView
    onboarding_url: str
    expires_at: datetime


class ConsideredView(Model):
    """A rule that is for the agent and the client, and what it said."""

    rule_id: str
    rule: str
    type: str
    applied: bool
    reason: str


class ContactView(Model):
    """An address, and what is written to it about."""

    email: str
    purposes: list[Purpose]


class ContactsView(Model):
    """Who is written to in an organization, and in which language."""

    organization_id: str
    language: str
    contacts: list[ContactView]
    updated_at: datetime | None


class ContractMilestoneView(Model):
    """A part of the work with its own price."""

    name: str
    amount: Amount


class ContractPage(Model):
    """ContractPage."""

    data: list[ContractView]
    next_cursor: str | None = None


class ContractPriceTerms(Model):
    """What one costs a client by agreement. The rule names the agent and the organization."""

    type: Literal["contract_price"] | str
    unit_price: str | Decimal
    currency: str | None = None


class ContractView(Model):
    """A contract, with every term that applies to its escrow."""

    external_id: str | None
    metadata: dict[str, str]
    title: str
    payer_name: str
    payee_name: str
    agent_name: str
    id: str
    organization_id: str
    payee_org_id: str
    agent_id: str
    price: Amount
    currency: str
    validation_threshold: str | None
    signatories: list[str]
    required_signatures: int
    operator_approvals: bool
    fund_within: str
    deliver_within: str
    review_period: str
    evidence_period: str
    decision_period: str
    default_grace: str
    dispute_default_payee_share: str
    commission_bps: int
    commission_rule: str
    level: str | None
    milestones: list[ContractMilestoneView]
    status: ContractStatus
    outside_listing: list[str]
    accept_by: datetime | None
    accepted_at: datetime | None
    accepted_by: str | None
    quote_id: str | None
    created_at: datetime


class ControlPage(Model):
    """ControlPage."""

    data: list[ControlView]
    next_cursor: str | None = None


class ControlVersionPage(Model):
    """ControlVersionPage."""

    data: list[ControlVersionView]
    next_cursor: str | None = None


class ControlVersionView(Model):
    """What a control allowed from one change to the next, and who made the change."""

    version: int
    parent_id: str | None
    status: ControlStatus
    limits: list[LimitTermsView]
    per_spend: Amount | None
    thresholds: list[str]
    starts_at: datetime | None
    ends_at: datetime | None
    changed_at: datetime
    changed_by: str
    reason: str | None


class ControlView(Model):
    """A spend control and what is left of its limits."""

    id: str
    organization_id: str
    subject: SubjectView
    parent_id: str | None
    path: list[str]
    currency: str
    time_zone: str
    week_starts: int
    status: ControlStatus
    version: int
    limits: list[SpendLimitView]
    per_spend: Amount | None
    thresholds: list[str]
    starts_at: datetime | None
    ends_at: datetime | None
    created_at: datetime


class ConversionView(Model):
    """Earnings that became credits."""

    id: str
    organization_id: str
    agent_id: str
    kind: EarningsKind
    amount: Amount
    currency: str | None = None
    created_at: datetime


class CorrectionView(Model):
    """What a later month took back of a statement."""

    id: str
    number: str
    month: str
    amount: Amount
    tax: Amount


class CostList(Model):
    """What each action costs, by name."""

    data: list[ActionCostView]
    next_cursor: None = None


class CostVersionPage(Model):
    """CostVersionPage."""

    data: list[CostVersionView]
    next_cursor: str | None = None


class CostVersionView(Model):
    """A price that the operator set for an action."""

    id: str
    action: str
    organization_id: str | None
    version: int
    cost: Amount | None
    note: str | None
    created_by: str | None
    created_at: datetime


class CountedSpendPage(Model):
    """CountedSpendPage."""

    data: list[CountedSpendView]
    next_cursor: str | None = None


class CountedSpendView(Model):
    """A spend that counts in a control."""

    id: str
    status: str
    action: str
    quantity: int
    amount: Amount
    captured: Amount
    released: Amount
    refunded: Amount
    counted: Amount
    agent_id: str | None
    department_id: str | None
    project_id: str | None
    run_id: str | None
    key_id: str | None
    principal: str | None
    at: datetime
    expires_at: datetime | None


class CounterpartyView(Model):
    """Who stands on the other side of a transfer."""

    type: str
    account: str | None


class CreatorAccountView(Model):
    """The organization's account for payouts, as its provider said last."""

    organization_id: str
    provider: str
    account_id: str
    country: str
    status: str
    transfers_enabled: bool
    payouts_enabled: bool
    tax_profile: bool
    requirements: list[str]
    disabled_reason: str | None
    destination_last4: str | None
    destination_currency: str | None
    destination_changed_at: datetime | None
    held_until: datetime | None


class CreatorEarningsView(Model):
    """What the agents of an organization have earned, by agent and asset, the newest agents first."""

    organization_id: str
    start_date: str | None
    end_date: str | None
    payable: list[PayableView]
    data: list[AgentEarningsView]
    next_cursor: str | None = None


class CreatorTotalView(Model):
    """What a creator was paid in a quarter or a year, in one currency."""

    organization_id: str
    country: str | None
    currency: str
    period: str
    paid_out: Amount
    reversed: Amount
    payouts: int


class CreatorTotals(Model):
    """What creators were paid in a year."""

    year: int
    data: list[CreatorTotalView]


class CreditCostView(Model):
    """What was paid for credits."""

    amount: Amount
    currency: str


class CreditLotPage(Model):
    """CreditLotPage."""

    data: list[CreditLotView]
    next_cursor: str | None = None


class CreditLotView(Model):
    """Credits that an organization got at one time, and what is left of them."""

    id: str
    organization_id: str
    source: LotSource
    amount: Amount
    remaining: Amount
    held: Amount
    expired: Amount
    expires_at: datetime | None
    cost: Amount | None
    cost_currency: str | None
    payment_id: str | None
    transfer_id: str
    created_at: datetime


class CreditNoteView(Model):
    """What was taken back of an invoice. Amounts are decimal strings of its currency."""

    id: str
    number: str
    invoice_id: str
    currency: str
    amount: Amount
    net: Amount
    tax: Amount
    returned_credits: Amount
    reason: str
    issued_at: datetime
    transfer_id: str


class CreditStats(Model):
    """What an organization got and what became of it, since it exists, in credits."""

    organization_id: str
    currency: str | None = None
    available: Amount
    reserved: Amount
    purchased: Amount
    granted: Amount
    rewarded: Amount
    earned: Amount
    used: Amount
    refunded: Amount
    expired: Amount
    burn_rate: Amount
    burn_days: int
    days_left: int | None


class CurrencyCostView(Model):
    """What usage cost in one currency, exactly: amounts have up to twelve decimals."""

    currency: str
    cost: Amount
    creator_share: Amount
    platform_share: Amount


class CurrencyResultView(Model):
    """Profit and loss in one currency."""

    currency: str
    revenue: SectionView
    expenses: SectionView
    result: str


class CurrencySheetView(Model):
    """A balance sheet in one currency. Assets equal liabilities, equity and result."""

    currency: str
    assets: SectionView
    liabilities: SectionView
    equity: SectionView
    result: str


class CustomTerms(Model):
    """A multiplier by an expression in a part of CEL, which gives basis points: 12000 is 1.2 times the price."""

    type: Literal["custom"] | str
    expression: str


class CustomerView(Model):
    """The organization's customer at Stripe."""

    organization_id: str
    provider: str
    customer_id: str


class DeadlinesView(Model):
    """The deadlines of the current state; null when a deadline does not apply."""

    fund_by: datetime | None
    deliver_by: datetime | None
    review_by: datetime | None


class DeclineView(Model):
    """Why a provider or a bank refused."""

    code: str
    detail: str


class DefaultsPage(Model):
    """DefaultsPage."""

    data: list[DefaultsView]
    next_cursor: str | None = None


class DefaultsView(Model):
    """The default timing of a notification type, by role."""

    type: str
    description: str
    must_reach: bool
    audience: list[Role]
    roles: dict[str, Literal["inbox", "instant", "hourly", "daily", "weekly"] | str]
    changed: bool


class DeliveryView(Model):
    """The latest delivery; `number` is the number of its event."""

    number: int
    artifacts: list[dict[str, str | None]]
    note: str | None
    milestone: str | None
    delivered_at: datetime


class DepartmentLimitView(Model):
    """One limit of a department and what is left of it."""

    limit: str
    spent: Amount
    remaining: Amount
    resets_at: datetime


class DepartmentLimitsView(Model):
    """The limits of a department in credits; null where there is none."""

    department_id: str
    control_id: str | None
    daily: DepartmentLimitView | None
    monthly: DepartmentLimitView | None


class DepartmentPage(Model):
    """DepartmentPage."""

    data: list[DepartmentView]
    next_cursor: str | None = None


class DepartmentView(Model):
    """A department."""

    id: str
    organization_id: str
    name: str
    parent_id: str | None
    path: list[str]
    created_at: datetime
    closed_at: datetime | None


class DepositView(Model):
    """Where coins have to be sent, and how many. Where there is a `memo`, it has to go with them."""

    chain: str
    asset: str
    address: str
    amount: Amount
    memo: str | None
    uri: str | None


class DiscrepancyCorrectionView(Model):
    """What has to be booked in one currency, signed as the provider's balance moves. `net` is amount less fee."""

    amount: Amount
    fee: Amount
    net: Amount
    currency: str


class DiscrepancyPage(Model):
    """DiscrepancyPage."""

    data: list[DiscrepancyView]
    next_cursor: str | None = None


class DiscrepancyView(Model):
    """A movement that differs between the provider and the books."""

    id: str
    provider: str
    key: str
    kind: str
    status: DiscrepancyStatus
    movement: str
    booked: list[SideView]
    listed: SideView | None
    corrections: list[DiscrepancyCorrectionView]
    reference: str | None
    statement_line: str | None
    payment_id: str | None
    run_id: str
    first_seen_at: datetime
    last_seen_at: datetime
    resolution: str | None
    note: str | None
    resolved_by: str | None
    resolved_at: datetime | None
    transfer_id: str | None


class DisputeView(Model):
    """The dispute, its deadlines, and how it ended."""

    opened_by: str
    reason: str
    opened_at: datetime
    evidence: list[EvidenceView]
    evidence_until: datetime
    decide_by: datetime
    default_at: datetime
    default_payee_share: str
    resolved_by: str | None
    payee_share: str | None
    resolution_note: str | None
    resolved_at: datetime | None


class DistributionView(Model):
    """How agents with evidence are spread over the ranks, as the last night counted them; nobody is named."""

    dimension: Dimension | None
    category: str | None
    as_of: date | None
    agents: int
    data: list[PartView]


class DryRunQuote(Model):
    """A quote whose price would be another one."""

    quote_id: str
    currency: str
    base_price: Amount
    before: str
    after: str


class DryRunTotal(Model):
    """What all quotes in one currency add up to."""

    currency: str
    quotes: int
    before: str
    after: str


class DryRunView(Model):
    """What a rule would have made of past quotes."""

    quotes: int
    changed: int
    totals: list[DryRunTotal]
    examples: list[DryRunQuote]


class DueInvoiceView(Model):
    """An invoice that is not paid."""

    id: str
    number: str | None
    currency: str
    total: Amount
    due: Amount
    due_at: datetime


class EarnedView(Model):
    """What an agent has earned of one kind, in credits."""

    amount: Amount
    convertible: Amount


class EarningsPage(Model):
    """EarningsPage."""

    data: list[EarningsView]
    next_cursor: str | None = None


class EarningsSummaryView(Model):
    """What agents have earned of one currency and still have. The parts add up to `total`."""

    available: Amount
    pending: Amount
    pending_until: datetime | None
    frozen: str
    granted: Amount
    own_work: str
    total: Amount


class EarningsView(Model):
    """What an agent has earned in credits and its organization has not converted or been paid out."""

    agent_id: str
    currency: str | None = None
    granted: EarnedView
    own_work: EarnedView
    paid: EarnedView


class EntitlementCheck(Model):
    """The answer to a check that was passed; what is missing is refused."""

    entitlement: Entitlement
    included: bool
    limit: int | None
    used: int | None
    organization_id: str
    plan: str
    allowed: bool | None = None


class EntitlementList(Model):
    """What an organization is entitled to."""

    organization_id: str
    plan: str
    data: list[EntitlementView]
    next_cursor: None = None


class EntitlementView(Model):
    """How an organization stands with one entitlement."""

    entitlement: Entitlement
    included: bool
    limit: int | None
    used: int | None


class EntryView(Model):
    """One side of a transfer."""

    account: str
    organization_id: str | None
    amount: Amount
    currency: str
    balance_after: Amount


class EscrowActionList(Model):
    """Every command of an escrow."""

    actions: list[EscrowActionView]


class EscrowActionView(Model):
    """One command: its effect where the caller may give it now, or the reason why not."""

    action: EscrowAction
    allowed: bool
    reason: ReasonView | None
    effect: EscrowEffectView | None


class EscrowEffectView(Model):
    """What a command would move, and the state after it. Amounts are decimal strings of `currency`."""

    funded: str
    to_agent: str
    commission: str
    to_payer: str
    held: Amount
    currency: str
    status: EscrowStatus


class EscrowEventView(Model):
    """One event: who did what and when, the state after it, and the ledger transfer that it caused."""

    number: int
    kind: str
    status: EscrowStatus
    actor: str
    at: datetime
    recorded_at: datetime
    transfer_id: str | None
    details: dict[str, Any]


class EscrowMilestoneView(Model):
    """A part of the work."""

    name: str
    amount: Amount
    status: Literal["pending", "delivered", "released"] | str


class EscrowPage(Model):
    """EscrowPage."""

    data: list[EscrowView]
    next_cursor: str | None = None


class EscrowSummaryView(Model):
    """An escrow that holds money."""

    id: str
    contract_id: str
    agent_id: str
    role: str
    status: str
    amount: Amount
    currency: str
    until: datetime | None


class EscrowView(Model):
    """An escrow. In every final state `released + refunded + commission = funded`; amounts are decimal strings."""

    external_id: str | None
    metadata: dict[str, str]
    title: str
    payer_name: str
    payee_name: str
    agent_name: str
    id: str
    contract_id: str
    status: EscrowStatus
    currency: str
    amount: Amount
    funded_amount: Amount
    released_amount: Amount
    refunded_amount: Amount
    commission_amount: Amount
    commission_bps: int
    payer_org_id: str
    payee_org_id: str
    payee_agent_id: str
    signatories: list[str]
    required_signatures: int
    signatures: list[SignatureView]
    validation_threshold: str | None
    validation_score: str | None
    milestones: list[EscrowMilestoneView]
    delivery: DeliveryView | None
    deadlines: DeadlinesView
    dispute: DisputeView | None
    cancel_requested_by: str | None
    story: str
    workflow_id: str
    version: int
    created_at: datetime
    updated_at: datetime


class EstimateLine(Model):
    """What one unit of a call costs."""

    unit: str
    quantity: int
    unit_price: Amount
    amount: Amount


class EstimateView(Model):
    """What usage costs, exactly. The shares add up to the cost."""

    currency: str
    cost: Amount
    creator_share: Amount
    platform_share: Amount
    rated_by: str
    price_ref: str
    usage: dict[str, Any] | None
    lines: list[EstimateLine]


class EventChargeView(Model):
    """The outcome of the charge of one event."""

    status: Literal["due", "waiting", "charged"] | str
    waits_for: str | None
    amount: Amount | None
    spend_id: str | None
    charged_at: datetime | None


class EventResult(Model):
    """The outcome of one event."""

    status: Status
    id: str | None
    source: str | None
    event_id: str | None
    code: str | None = None
    detail: str | None = None


class EventTypeView(Model):
    """A type of events."""

    type: str
    description: str
    data_schema: dict[str, Any]
    example: dict[str, Any]


class EventsView(Model):
    """The outcome of the events of a request. What was accepted is stored for good."""

    accepted: int
    duplicates: int
    invalid: int
    events: list[EventResult]


class EvidenceView(Model):
    """A piece of evidence."""

    submitted_by: str
    note: str
    artifacts: list[dict[str, str | None]]
    submitted_at: datetime


class ExchangeRatePage(Model):
    """ExchangeRatePage."""

    data: list[ExchangeRateView]
    next_cursor: str | None = None


class ExchangeRateView(Model):
    """A rate as it was set."""

    base: str
    quote: str
    rate: str
    starts_at: datetime
    ends_at: datetime


class ExpiringLotView(Model):
    """Credits that expire."""

    amount: Amount
    currency: str | None = None
    expires_at: datetime


class ExpiringView(Model):
    """Credits that expire."""

    amount: Amount
    expires_at: datetime


class ExposureView(Model):
    """How much of an organization's work may be unsettled in a currency."""

    currency: str
    limit: str
    unsettled: Amount
    left: Amount


class FailureView(Model):
    """An organization that could not be invoiced."""

    organization_id: str
    code: str


class FeedbackPage(Model):
    """FeedbackPage."""

    data: list[FeedbackView]
    next_cursor: str | None = None


class FeedbackView(Model):
    """Feedback, as its two parties and operators see it."""

    id: str
    contract_id: str
    agent_id: str
    organization_id: str
    ratings: dict[str, int]
    comment: str | None
    event_id: str
    created_at: datetime
    changed_at: datetime | None


class FundedView(Model):
    """An escrow, and the payment that was created to fund it, if any."""

    external_id: str | None
    metadata: dict[str, str]
    title: str
    payer_name: str
    payee_name: str
    agent_name: str
    id: str
    contract_id: str
    status: EscrowStatus
    currency: str
    amount: Amount
    funded_amount: Amount
    released_amount: Amount
    refunded_amount: Amount
    commission_amount: Amount
    commission_bps: int
    payer_org_id: str
    payee_org_id: str
    payee_agent_id: str
    signatories: list[str]
    required_signatures: int
    signatures: list[SignatureView]
    validation_threshold: str | None
    validation_score: str | None
    milestones: list[EscrowMilestoneView]
    delivery: DeliveryView | None
    deadlines: DeadlinesView
    dispute: DisputeView | None
    cancel_requested_by: str | None
    story: str
    workflow_id: str
    version: int
    created_at: datetime
    updated_at: datetime
    payment: PaymentView | None = None


class HistoryPage(Model):
    """HistoryPage."""

    data: list[HistoryView]
    next_cursor: str | None = None


class HistoryView(Model):
    """An agent's overall score after the night of a date; nights that changed nothing have none."""

    day: date
    score: Decimal
    low: Decimal
    high: Decimal
    change: Decimal
    rank_score: Decimal
    evidence_count: int
    is_sudden: bool


class InboxEventPage(Model):
    """InboxEventPage."""

    data: list[InboxEventView]
    next_cursor: str | None = None


class InboxEventView(Model):
    """A webhook that a provider has sent, without what it says: its object is read at the provider."""

    id: str
    provider: str
    event_id: str
    type: str
    status: str
    payment_id: str | None
    references: list[str]
    livemode: bool
    occurred_at: datetime
    received_at: datetime
    handled_at: datetime | None


class InvoiceDetail(Model):
    """An invoice with its payments, oldest first, and its credit notes. `GET /payments/{id}` shows each payment."""

    external_id: str | None
    metadata: dict[str, str]
    id: str
    number: str | None
    organization_id: str
    status: InvoiceStatus
    overdue: bool
    currency: str
    subtotal: Amount
    tax: Amount
    total: Amount
    granted_credits: Amount
    taxed_credits: Amount
    applied_credits: Amount
    credited: Amount
    written_off: Amount
    paid: Amount
    due: Amount
    paused_for: PausedFor | None
    includes_tax: bool
    lines: list[InvoiceLineView]
    discounts: list[InvoiceDiscountView]
    taxes: list[TaxView]
    note: str | None
    issued_at: datetime
    due_at: datetime
    updated_at: datetime
    discarded_at: datetime | None
    transfer_id: str | None
    payments: list[PaidView]
    credit_notes: list[CreditNoteView]


class InvoiceDiscountView(Model):
    """A discount on the whole invoice."""

    description: str
    amount: Amount | None
    share: str | None
    taken: Amount | None


class InvoiceItemPage(Model):
    """InvoiceItemPage."""

    data: list[InvoiceItemView]
    next_cursor: str | None = None


class InvoiceItemView(Model):
    """Something that is charged once."""

    id: str
    organization_id: str
    currency: str
    description: str
    quantity: int
    unit_amount: Amount
    amount: Amount
    status: Literal["open", "invoiced", "removed"] | str
    invoice_id: str | None
    created_at: datetime


class InvoiceLineView(Model):
    """A line of an invoice."""

    description: str
    quantity: int
    unit_amount: Amount
    amount: Amount
    discount: Amount
    net: Amount
    tax: Amount | None
    tax_code: str
    period_start: datetime | None
    period_end: datetime | None


class InvoicePage(Model):
    """InvoicePage."""

    data: list[InvoiceView]
    next_cursor: str | None = None


class InvoiceView(Model):
    """An invoice. Amounts are decimal strings of its currency."""

    external_id: str | None
    metadata: dict[str, str]
    id: str
    number: str | None
    organization_id: str
    status: InvoiceStatus
    overdue: bool
    currency: str
    subtotal: Amount
    tax: Amount
    total: Amount
    granted_credits: Amount
    taxed_credits: Amount
    applied_credits: Amount
    credited: Amount
    written_off: Amount
    paid: Amount
    due: Amount
    paused_for: PausedFor | None
    includes_tax: bool
    lines: list[InvoiceLineView]
    discounts: list[InvoiceDiscountView]
    taxes: list[TaxView]
    note: str | None
    issued_at: datetime
    due_at: datetime
    updated_at: datetime
    discarded_at: datetime | None
    transfer_id: str | None


class ItemAnswer(Model):
    """The answer to one use: what `POST /credits/use` answers, or why it was refused."""

    key: str | None
    status: str
    replayed: bool
    id: str | None = None
    amount: Amount | None = None
    available: Amount | None = None
    error: dict[str, Any] | None = None


class JournalEntryView(Model):
    """One side of a transfer. One of debit and credit is null."""

    account: str
    line: str
    debit: Amount | None
    credit: Amount | None
    currency: str


class JournalTransferPage(Model):
    """JournalTransferPage."""

    data: list[JournalTransferView]
    next_cursor: str | None = None


class JournalTransferView(Model):
    """A transfer with all of its entries."""

    id: str
    kind: str
    reference: str | None
    organization_id: str | None
    effective_at: datetime
    recorded_at: datetime
    entries: list[JournalEntryView]


class LadderStepView(Model):
    """Who is called while nobody answers."""

    role: Role
    after: str | None


class LadderView(Model):
    """The levels that hold."""

    version: int
    levels: list[LevelBody]
    created_by: str | None
    created_at: datetime | None


class LeaderView(Model):
    """A place on the leaderboard."""

    rank: int
    agent_id: str
    name: str
    score: Decimal
    rank_score: Decimal
    evidence_count: int


class LeaderboardView(Model):
    """The agents that rank highest, the highest first."""

    dimension: Dimension | None
    category: str | None
    period: Period
    minimum_evidence: MinimumEvidence
    data: list[LeaderView]


class LevelBody(Model):
    """Terms by reputation, from a score on."""

    name: str
    from_score: str | None = None
    least_evidence: int | None = None
    commission_bps: int | None = None
    escrow_limits: dict[str, str | Decimal] | None = None
    exposure_limits: dict[str, str | Decimal] | None = None
    priority: int | None = None
    entitlements: list[str] | None = None
    hold_back_days: int | None = None


class LimitTermsView(Model):
    """A limit of a version."""

    window: Window
    amount: Amount | None
    uses: int | None
    hard: bool


class LimitsView(Model):
    """The limits of an organization, and what it uses of them."""

    organization_id: str
    tier: str
    projects: ProjectLimitView
    deployments: ProjectLimitView
    slots: SlotsView
    slot_price: MoneyView


class LinkCreated(Model):
    """A link with its address, which is shown only once."""

    id: str
    organization_id: str
    principal: str
    role: Role
    agent_id: str | None
    path: str
    return_url: str | None
    made_by: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    url: str


class LinkPage(Model):
    """LinkPage."""

    data: list[LinkView]
    next_cursor: str | None = None


class LinkPreview(Model):
    """Who one becomes by a link, before it is used."""

    principal: str
    role: Role
    organization: NamedOrganization | None
    made_by: str
    expires_at: datetime
    path: str
    return_url: str | None


class LinkView(Model):
    """A link, without its address."""

    id: str
    organization_id: str
    principal: str
    role: Role
    agent_id: str | None
    path: str
    return_url: str | None
    made_by: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


class Liveness(Model):
    """The process answers."""

    status: Literal["ok"] | str


class LotPage(Model):
    """LotPage."""

    data: list[LotView]
    next_cursor: str | None = None


class LotView(Model):
    """A granted lot of credits."""

    external_id: str | None
    metadata: dict[str, str]
    id: str
    organization_id: str
    amount: Amount
    source: GrantSource
    expires_at: datetime | None
    note: str | None
    transfer_id: str
    created_at: datetime


class MailSuppressionPage(Model):
    """MailSuppressionPage."""

    data: list[MailSuppressionView]
    next_cursor: str | None = None


class MailSuppressionView(Model):
    """An address that no mail is sent to."""

    id: str
    address: str
    status: str
    suppressed_at: datetime
    lifted_at: datetime | None
    lifted_by: str | None


class MarksView(Model):
    """The mark of each topic: it grows when something of the topic has changed. 0 is also what one may not follow."""

    agents: int
    alerts: int
    balance: int
    contracts: int
    credits: int
    disputes: int
    escrows: int
    invoices: int
    limits: int
    organization: int
    payments: int
    payouts: int
    projects: int
    purchases: int
    subscriptions: int
    webhook_endpoints: int


class MeAgent(Model):
    """The agent that a key acts for."""

    id: str
    name: str


class MeOrganization(Model):
    """The organization of whoever asks."""

    id: str
    name: str
    tier: str


class MeSession(Model):
    """The session of a request."""

    id: str
    expires_at: datetime
    idle_at: datetime
    made_by: str | None


class MeView(Model):
    """Who is asking, and what they may do."""

    principal: str
    role: Role
    permissions: list[Permission]
    organization: MeOrganization | None
    agent: MeAgent | None
    session: MeSession | None
    key_id: str | None
    environment: Environment


class MeterLine(Model):
    """What a meter counted in one group."""

    group: str | None
    events: int
    quantity: str


class MeterPage(Model):
    """MeterPage."""

    data: list[MeterView]
    next_cursor: str | None = None


class MeterUsageView(Model):
    """What a meter counted of an organization in whole days in UTC."""

    meter: MeterView
    organization_id: str
    start_date: str
    end_date: str
    total: MeterLine
    cost: Amount | None
    data: list[MeterLine]


class MeterView(Model):
    """A meter."""

    id: str
    organization_id: str | None
    name: str
    event_type: str
    aggregation: Aggregation
    property: str | None
    dimensions: list[str]
    price: dict[str, Any] | None
    currency: str | None
    created_at: datetime
    charged_at: datetime | None
    closed_at: datetime | None


class MetricView(Model):
    """A figure that rules can watch."""

    name: str
    description: str
    unit: Unit
    conditions: list[ConditionType]
    filters: list[str]
    required_filters: list[str]


class MoneyView(Model):
    """An amount of a currency."""

    amount: Amount
    currency: str


class MoveView(Model):
    """An event as it moved the overall score."""

    event_id: str
    kind: FactKind
    at: datetime
    score_delta: Decimal


class MovementPage(Model):
    """MovementPage."""

    data: list[MovementView]
    next_cursor: str | None = None


class MovementView(Model):
    """One entry of one account. A transfer between two accounts of the organization has two of them."""

    id: str
    kind: str
    amount: Amount
    currency: str
    balance_after: Amount
    account: str
    counterparties: list[str]
    reference: str | None
    effective_at: datetime
    recorded_at: datetime


class NamedOrganization(Model):
    """An organization by its name."""

    id: str
    name: str


class NotificationPage(Model):
    """NotificationPage."""

    data: list[NotificationView]
    next_cursor: str | None = None


class NotificationView(Model):
    """A notification in the inbox."""

    id: str
    type: str
    subject: str
    title: str
    text: str
    data: dict[str, Any]
    created_at: datetime
    read_at: datetime | None


class NotificationsReadView(Model):
    """How many notifications are read now that were not."""

    read: int


class OfferPage(Model):
    """OfferPage."""

    data: list[OfferView]
    next_cursor: str | None = None


class OfferView(Model):
    """What an agent is offered for."""

    agent_id: str
    name: str
    organization_id: str
    model: OfferModel
    price: Amount | None
    currency: str | None
    prices: dict[str, str] | None
    included_uses: int | None
    summary: str
    category: str | None
    status: OfferStatus
    stars: Decimal | None
    creator_share: Amount | None
    changed_at: datetime


class OpenAlertView(Model):
    """An alert that is not resolved."""

    id: str
    kind: str
    severity: str
    subject: str
    detail: str
    raised_at: datetime


class OrganizationPage(Model):
    """OrganizationPage."""

    data: list[OrganizationView]
    next_cursor: str | None = None


class OrganizationView(Model):
    """A tenant."""

    external_id: str | None
    metadata: dict[str, str]
    id: str
    name: str
    tier: str
    status: OrganizationStatus
    status_reason: str | None
    status_changed_at: datetime | None
    timed_exits: TimedExits
    created_at: datetime


class OutboxEventPage(Model):
    """OutboxEventPage."""

    data: list[OutboxEventView]
    next_cursor: str | None = None


class OutboxEventView(Model):
    """One fact for one organization, in an answer or in a webhook."""

    id: str
    type: str
    organization_id: str
    subject: str
    subject_seq: int
    at: datetime
    data: dict[str, Any]


class PackageList(Model):
    """All packages, in the configured order."""

    data: list[PackageView]
    next_cursor: None = None


class PackageView(Model):
    """A number of credits at a fixed price."""

    id: str
    name: str
    credits: Amount
    price: MoneyView
    price_per_credit: MoneyView


class PaidView(Model):
    """What one payment has paid of an invoice, less refunds."""

    payment_id: str
    amount: Amount


class PartView(Model):
    """How many agents rank within a part of 0 to 10."""

    from_: Decimal = Field(..., alias="from")
    to: Decimal
    agents: int


class PayableView(Model):
    """What can leave of earnings in one currency: what came in for them, less the platform's share."""

    currency: str
    available: Amount
    pending: Amount
    frozen: str


class PaymentActionList(Model):
    """Every command of a payment."""

    actions: list[PaymentActionView]


class PaymentActionView(Model):
    """One command: its effect where the caller may give it now, or the reason why not."""

    action: PaymentAction
    allowed: bool
    reason: ReasonView | None
    effect: PaymentEffectView | None


class PaymentEffectView(Model):
    """What a command would do. Amounts are decimal strings of `currency`."""

    captured: Amount
    released: Amount
    to_payer: str
    taken: MoneyView
    currency: str
    status: PaymentStatus | None


class PaymentEventView(Model):
    """One step: who did what when, the state after it, and the ledger transfer that it caused."""

    number: int
    kind: str
    status: PaymentStatus
    actor: str
    at: datetime
    recorded_at: datetime
    transfer_id: str | None
    details: dict[str, Any]


class PaymentMethodList(Model):
    """All stored payment methods, the newest first."""

    data: list[PaymentMethodView]
    next_cursor: None = None


class PaymentMethodView(Model):
    """A stored payment method; only cards have an expiry."""

    id: str
    type: str
    brand: str | None
    last4: str | None
    exp_month: int | None
    exp_year: int | None
    is_default: bool


class PaymentPage(Model):
    """PaymentPage."""

    data: list[PaymentView]
    next_cursor: str | None = None


class PaymentTimeline(Model):
    """A page of the steps of a payment, in their order."""

    data: list[PaymentEventView]
    next_cursor: str | None = None


class PaymentView(Model):
    """A payment. Amounts are decimal strings of its currency.

    `client_secret`, `approval_url` and `deposit` say what the payer has to do, while there is something, to those who may pay.
    """

    external_id: str | None
    metadata: dict[str, str]
    id: str
    organization_id: str
    provider: ProviderName
    status: PaymentStatus
    purpose: PurposeKind
    amount: Amount
    currency: str
    received_amount: Amount
    refunded_amount: Amount
    disputed_amount: Amount
    refundable_amount: Amount
    goods: MoneyView
    granted: MoneyView
    owed: MoneyView
    escrow_id: str | None
    invoice_id: str | None
    agent_id: str | None
    package: str | None
    fulfilment: Fulfilment
    description: str
    capture_method: Literal["automatic", "manual"] | str
    client_secret: str | None
    approval_url: str | None
    deposit: DepositView | None
    seen_amount: Amount
    confirmations: int | None
    quote: CoinQuoteView | None
    decline: DeclineView | None
    refunds: list[RefundView]
    story: str
    workflow_id: str
    version: int
    expires_at: datetime
    created_at: datetime
    updated_at: datetime


class PaymentsSummary(Model):
    """Counts by state and currency, and the same by provider, of the newest 2,000 of each state at most."""

    by_status: list[StatusCount]
    by_provider: list[ProviderCount]


class PayoutLineView(Model):
    """What a payout takes from the earnings of one agent."""

    agent_id: str
    asset: str
    amount: Amount
    paid: Amount


class PayoutPage(Model):
    """PayoutPage."""

    data: list[PayoutView]
    next_cursor: str | None = None


class PayoutPreview(Model):
    """What could be paid out now, and to where."""

    organization_id: str
    account: CreatorAccountView | None
    payable: list[PayableView]
    minimum: Amount
    refused: str | None
    detail: str | None


class PayoutScheduleView(Model):
    """When an organization is paid out without asking; days are those of UTC."""

    organization_id: str
    interval: str
    weekly_anchor: str | None = None
    monthly_anchor: int | None = None
    next_on: date | None = None
    last_on: date | None = None
    last_payout_id: str | None = None
    last_refusal: str | None = None


class PayoutView(Model):
    """Where a payout stands."""

    id: str
    organization_id: str
    status: str
    amount: Amount
    currency: str
    provider: str
    account_id: str
    transfer_id: str | None
    reversed: Amount
    failure_code: str | None
    failure: str | None
    lines: list[PayoutLineView]
    created_at: datetime
    updated_at: datetime


class PeersView(Model):
    """An agent's place among all agents with evidence, as the last night counted them."""

    peers: int
    percentile: int | None
    dimensions: dict[str, int | None]
    agent_id: str
    evidence_count: int
    as_of: date | None
    category: str | None
    in_category: PlaceView | None


class PendingChangeView(Model):
    """A change that was ordered and has not acted yet."""

    plan: str
    interval: Interval
    price: MoneyView
    credits_per_month: Amount
    is_agreed_price: bool
    net_days: int
    kind: ChangeKind
    acts_at: datetime


class PlaceView(Model):
    """A place among peers who are not named."""

    peers: int
    percentile: int | None
    dimensions: dict[str, int | None]


class PlanList(Model):
    """All plans that are sold, from the smallest to the largest."""

    data: list[PlanView]
    next_cursor: None = None


class PlanPriceView(Model):
    """What a plan costs for one interval in one currency."""

    interval: Interval
    price: MoneyView


class PlanView(Model):
    """A plan."""

    id: str
    name: str
    prices: list[PlanPriceView]
    credits_per_month: Amount
    limits: TierLimitsView
    trial_days: int


class PortalView(Model):
    """The address of Stripe's customer portal, valid for minutes."""

    url: str


class PreferencesView(Model):
    """Preferences of the caller: language, time zone, quiet hours, and how soon it is notified of each type."""

    language: str
    time_zone: str
    quiet_hours: QuietHoursView | None
    digest_hour: int
    digest_weekday: int
    types: list[TypeView]


class PriceExplanationView(Model):
    """Why an agent has its price: what was measured, and what each rule made of it, in order."""

    base_price: Amount
    adjusted_price: Amount
    multiplier: Decimal
    adjustments: list[AdjustmentView]
    agent_id: str
    organization_id: str | None
    quantity: int
    currency: str
    at: datetime
    rules_version: int
    evidence: list[str]
    rules: list[ConsideredView]


class PriceQuoteView(Model):
    """A price that is kept for a client, to be used once."""

    base_price: Amount
    adjusted_price: Amount
    multiplier: Decimal
    adjustments: list[AdjustmentView]
    id: str
    agent_id: str
    organization_id: str
    quantity: int
    currency: str
    commission_bps: int
    commission_rule: str
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    contract_id: str | None


class PriceView(Model):
    """A price with its reasons."""

    base_price: Amount
    adjusted_price: Amount
    multiplier: Decimal
    adjustments: list[AdjustmentView]


class PricingView(Model):
    """The price of a listing."""

    model: PricingModel
    amount: Amount | None
    currency: str | None


class ProfileView(Model):
    """A billing profile."""

    organization_id: str
    legal_name: str | None
    line1: str | None
    line2: str | None
    city: str | None
    postal_code: str | None
    region: str | None
    country: str | None
    email: str | None
    language: str | None
    vat_id: str | None
    vat_confirmed_at: datetime | None
    charges_vat: bool
    card_country: str | None
    confirmed_country: str | None
    proven_country: str | None
    exempt_reason: str | None
    legal_entity: str | None
    updated_at: datetime | None


class ProfitAndLossView(Model):
    """What was earned and spent within a period, for each currency; days are UTC."""

    start_date: date
    end_date: date
    currencies: list[CurrencyResultView]


class ProjectLimitView(Model):
    """A limit and what is used of it. After a change to a smaller plan, more can be used than the limit."""

    limit: int | None
    used: int


class ProjectPage(Model):
    """ProjectPage."""

    data: list[ProjectView]
    next_cursor: str | None = None


class ProjectView(Model):
    """A project, and whether it is deployed."""

    external_id: str | None
    metadata: dict[str, str]
    id: str
    organization_id: str
    slug: str
    name: str
    deploy_type: DeployType
    deployed: bool
    is_deployed: bool
    deployed_at: datetime | None
    occupies_slot: bool
    created_at: datetime


class ProviderCount(Model):
    """The same of one provider."""

    status: str
    currency: str
    count: int
    amount: Amount
    capped: bool
    provider: str


class ProviderView(Model):
    """A provider that is set up here, and what payments by it can be in."""

    name: ProviderName
    currencies: list[str]


class PurchaseActionList(Model):
    """Every command of a purchase."""

    actions: list[PurchaseActionView]


class PurchaseActionView(Model):
    """One command: its effect where the caller may give it now, or the reason why not."""

    action: PurchaseAction
    allowed: bool
    reason: ReasonView | None
    effect: PurchaseEffectView | None


class PurchaseAnswer(Model):
    """What came of buying an agent."""

    purchase: AgentPurchaseView | None
    payment: PaymentView | None = None


class PurchaseEffectView(Model):
    """What a command would do. Amounts are decimal strings of `currency`, and null where nothing was paid."""

    to_buyer: str | None
    used: Amount | None
    currency: str | None
    status: PurchaseStatus


class PurchasePage(Model):
    """PurchasePage."""

    data: list[PurchaseView]
    next_cursor: str | None = None


class PurchaseView(Model):
    """A grant or purchase of credits, and what was paid for it."""

    id: str
    organization_id: str
    credits: Amount
    source: str
    paid: MoneyView | None
    payment_id: str | None
    expires_at: datetime | None
    created_at: datetime


class QuietHoursView(Model):
    """Hours of every day in which nothing is sent that can wait."""

    starts: str
    ends: str


class QuotedRateView(Model):
    """The rate by which a price in money was turned into coins."""

    price: Amount
    currency: str
    source: str
    quoted_at: datetime


class QuotedTaxView(Model):
    """The tax in a price."""

    code: str
    category: str
    rate: str
    amount: Amount


class Readiness(Model):
    """Whether every part answers: `ok`, or what is wrong with it.

    `degraded` is without Temporal: everything can be read, and commands are answered 503.
    """

    status: Literal["ready", "degraded", "unavailable"] | str
    postgresql: str
    temporal: str
    inbox_oldest_seconds: int | None = None


class ReasonView(Model):
    """Why an action is refused: the `code` and the `detail` of the problem that the command answers with."""

    code: str
    detail: str


class ReconciliationLineView(Model):
    """The movements of one kind in one currency, on both sides. `net` is amounts less fees."""

    currency: str
    movement: str
    counts: dict[str, int]
    booked_net: Amount
    listed_net: Amount


class ReconciliationRunPage(Model):
    """ReconciliationRunPage."""

    data: list[ReconciliationRunView]
    next_cursor: str | None = None


class ReconciliationRunView(Model):
    """A reconciliation run; `lines` and `clearing` are set when it is done."""

    id: str
    provider: str
    from_: datetime = Field(..., alias="from")
    to: datetime
    status: str
    compared: int
    differences: int
    lines: list[ReconciliationLineView]
    clearing: list[ClearingView]
    failure: str | None
    requested_by: str
    started_at: datetime
    finished_at: datetime | None


class Redeemed(Model):
    """The session that a link opened, and where it leads."""

    id: str
    token: str | None
    expires_at: datetime
    path: str
    return_url: str | None


class ReferralPage(Model):
    """ReferralPage."""

    data: list[ReferralView]
    next_cursor: str | None = None


class ReferralView(Model):
    """That one organization has brought another one, and what both were granted for it."""

    organization_id: str
    referrer_id: str
    status: ReferralStatus
    reason: str | None
    referrer_amount: Amount
    referred_amount: Amount
    created_at: datetime
    decided_at: datetime | None
    taken_back_at: datetime | None


class RefundList(Model):
    """All refunds of a payment, the oldest first."""

    data: list[RefundView]
    next_cursor: None = None


class RefundView(Model):
    """Money on its way back to the payer."""

    id: str
    payment_id: str
    status: RefundState
    amount: Amount
    currency: str
    taken: MoneyView
    reason: str | None
    failure: str | None
    failure_code: str | None
    requested_by: str
    requested_at: datetime


class RefusalPage(Model):
    """RefusalPage."""

    data: list[RefusalView]
    next_cursor: str | None = None


class RefusalView(Model):
    """A spend that a control refused."""

    id: str
    reason: str
    window: Window | None
    limit: str | None
    remaining: Amount | None
    resets_at: datetime | None
    action: str
    amount: Amount
    agent_id: str | None
    department_id: str | None
    project_id: str | None
    run_id: str | None
    key_id: str | None
    principal: str | None
    at: datetime


class ReputationEventView(Model):
    """An event of an agent, as operators see it."""

    id: str
    agent_id: str
    kind: FactKind
    subject: str
    counterparty_organization_id: str | None
    weight: Decimal
    excluded: str | None
    score_delta: Decimal
    at: datetime
    voided_at: datetime | None
    void_reason: str | None
    sentence: str


class ReputationTerms(Model):
    """A multiplier that a score of 0 to 10 earns, in full at `full_score`."""

    type: Literal["reputation"] | str
    whose: Literal["client", "seller"] | str | None = None
    multiplier: str | Decimal | None = None
    from_score: str | Decimal | None = None
    full_score: str | Decimal | None = None
    least_evidence: int | None = None


class ReservationView(Model):
    """Credits that are set aside."""

    id: str
    status: SpendStatus
    action: str
    quantity: int
    amount: Amount
    currency: str | None = None
    agent_id: str | None
    department_id: str | None
    project_id: str | None
    run_id: str | None
    created_at: datetime
    available: Amount
    expires_at: datetime
    payee_agent_id: str | None = None


class RevenueSharesView(Model):
    """How what is paid for an agent on the marketplace is shared, as decimal strings between 0 and 1."""

    creator: str
    platform: str


class RulePage(Model):
    """RulePage."""

    data: list[RuleView]
    next_cursor: str | None = None


class RuleView(Model):
    """A rule of prices."""

    id: str
    name: str
    type: RuleType
    priority: int
    terms: (
        SurgeTerms
        | ReputationTerms
        | TimeOfDayTerms
        | BulkTerms
        | VolumeTerms
        | TierTerms
        | ContractPriceTerms
        | CustomTerms
        | BoundsTerms
    )
    stacking: Stacking
    agent_id: str | None
    organization_id: str | None
    floor: Amount | None
    ceiling: Amount | None
    valid_from: datetime | None
    valid_until: datetime | None
    version: int
    created_by: str
    created_at: datetime
    updated_at: datetime | None
    ended_at: datetime | None


class RunAgentView(Model):
    """What an agent's part of a run cost."""

    events: int
    tokens: int
    unrated: int
    costs: dict[str, str]
    agent_id: str | None


class RunCostView(Model):
    """What a part of a run cost."""

    events: int
    tokens: int
    unrated: int
    costs: dict[str, str]


class RunStepView(Model):
    """One step of a run."""

    step_id: str
    parent_id: str | None
    agents: list[str]
    own: RunCostView
    total: RunCostView


class ScoreExplanationView(Model):
    """Why an agent has its score: the rules, and a page of its events, the newest first."""

    agent_id: str
    overall_score: Decimal
    rules: list[str]
    events: list[ReputationEventView]
    next_cursor: str | None


class ScoreView(Model):
    """A score of 0 to 10, and between what it lies nine times out of ten."""

    score: Decimal
    low: Decimal
    high: Decimal
    evidence_count: int


class SearchHitView(Model):
    """One object that was found."""

    kind: str
    id: str
    external_id: str | None
    organization_id: str | None
    title: str
    status: str | None
    amount: Amount | None
    currency: str | None
    url: str
    workflow_url: str | None
    customer: WhereaboutsView | None


class SearchView(Model):
    """What a text names: organizations first, then agents, contracts, escrows and what else there is."""

    data: list[SearchHitView]
    shortened: bool


class SectionView(Model):
    """A section of a statement."""

    lines: list[StatementSectionLineView]
    total: Amount


class SeriesGroupView(Model):
    """The values of one group."""

    group: str | None
    values: list[str | None]


class SeriesView(Model):
    """A figure over time. `times` are the beginnings of the intervals, 400 at most; the last one ends at `to`."""

    metric: Metric
    organization_id: str | None
    currency: str | None
    interval: SeriesInterval
    zone: str
    group_by: Grouping | None
    from_: datetime = Field(..., alias="from")
    to: datetime
    times: list[datetime]
    series: list[SeriesGroupView]


class SessionCreated(Model):
    """A session with its token, which is shown only once."""

    id: str
    token: str | None
    expires_at: datetime


class SessionPage(Model):
    """SessionPage."""

    data: list[SessionView]
    next_cursor: str | None = None


class SessionView(Model):
    """A session, without its token."""

    id: str
    principal: str
    role: Role
    organization_id: str | None
    browser: str
    address: str | None
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime
    idle_at: datetime
    made_by: str | None
    current: bool


class SetupIntentView(Model):
    """What a front end needs to open Stripe's form for storing a payment method."""

    id: str
    client_secret: str


class SideView(Model):
    """A movement on one side. `net` is the change of the provider's balance."""

    key: str
    amount: Amount
    fee: Amount | None
    net: Amount
    currency: str
    occurred_at: datetime


class SignatureView(Model):
    """One approval."""

    signatory: str
    signed_at: datetime
    signed_by: str | None
    on_behalf: bool


class SlotPurchaseView(Model):
    """The payment, and the current limits. The slots can be used as soon as the money is received."""

    external_id: str | None
    metadata: dict[str, str]
    id: str
    organization_id: str
    provider: ProviderName
    status: PaymentStatus
    purpose: PurposeKind
    amount: Amount
    currency: str
    received_amount: Amount
    refunded_amount: Amount
    disputed_amount: Amount
    refundable_amount: Amount
    goods: MoneyView
    granted: MoneyView
    owed: MoneyView
    escrow_id: str | None
    invoice_id: str | None
    agent_id: str | None
    package: str | None
    fulfilment: Fulfilment
    description: str
    capture_method: Literal["automatic", "manual"] | str
    client_secret: str | None
    approval_url: str | None
    deposit: DepositView | None
    seen_amount: Amount
    confirmations: int | None
    quote: CoinQuoteView | None
    decline: DeclineView | None
    refunds: list[RefundView]
    story: str
    workflow_id: str
    version: int
    expires_at: datetime
    created_at: datetime
    updated_at: datetime
    slots: int
    limits: LimitsView


class SlotsView(Model):
    """The slots of an organization. Each one adds one project and one deployment to the plan's limits."""

    free: int
    in_use: int
    owed: int


class SpendDetail(Model):
    """A use or a reservation of credits, as it stands now, and how it ended."""

    id: str
    status: SpendStatus
    action: str
    quantity: int
    amount: Amount
    currency: str | None = None
    agent_id: str | None
    department_id: str | None
    project_id: str | None
    run_id: str | None
    created_at: datetime
    captured: Amount
    released: Amount
    refunded: Amount
    held: Amount
    key_id: str | None
    principal: str | None
    expires_at: datetime | None
    metadata: dict[str, Any] | None
    expired: bool


class SpendLimitView(Model):
    """A limit and what is left of it in the current window."""

    window: Window
    amount: Amount | None
    uses: int | None
    hard: bool
    spent: Amount
    held: Amount
    remaining: Amount | None
    uses_spent: int
    uses_remaining: int | None
    starts_at: datetime | None
    resets_at: datetime | None


class SpendPage(Model):
    """SpendPage."""

    data: list[SpendView]
    next_cursor: str | None = None


class SpendRefundPage(Model):
    """SpendRefundPage."""

    data: list[SpendRefundView]
    next_cursor: str | None = None


class SpendRefundView(Model):
    """One refund of a spend, and what it left."""

    id: str
    spend_id: str
    amount: Amount
    currency: str | None = None
    refunded: Amount
    available: Amount
    transfer_id: str
    created_at: datetime


class SpendView(Model):
    """A use or a reservation of credits, as it stands now."""

    id: str
    status: SpendStatus
    action: str
    quantity: int
    amount: Amount
    currency: str | None = None
    agent_id: str | None
    department_id: str | None
    project_id: str | None
    run_id: str | None
    created_at: datetime
    captured: Amount
    released: Amount
    refunded: Amount
    held: Amount
    key_id: str | None
    principal: str | None
    expires_at: datetime | None
    metadata: dict[str, Any] | None


class StatementBalanceView(Model):
    """A line of the account of the month."""

    kind: str
    amount: Amount


class StatementLineView(Model):
    """What one transfer did to the account."""

    id: str
    kind: str
    purpose: str | None
    reference: str | None
    counterparties: list[CounterpartyView]
    amount: Amount
    balance: Amount
    paid: list[CreditCostView]
    booked_at: datetime
    effective_at: datetime


class StatementSectionLineView(Model):
    """A line of a statement; positive on the normal side of its section."""

    line: str
    amount: Amount


class StatementView(Model):
    """What a creator earned in a month, worth in one currency, and what became of it."""

    id: str
    number: str
    organization_id: str
    month: str
    currency: str
    earned: Amount
    tax: Amount
    tax_code: str | None
    tax_text: str | None
    lines: list[AccountStatementLineView]
    account: list[StatementBalanceView]
    corrections: list[CorrectionView]


class StatusCount(Model):
    """How many there are in one state and currency, and their amounts together."""

    status: str
    currency: str
    count: int
    amount: Amount
    capped: bool


class StatusSummary(Model):
    """Counts by state and currency, of the newest 2,000 of each state at most."""

    by_status: list[StatusCount]


class StuckRunView(Model):
    """Something that should have gone on by itself a while ago."""

    kind: str
    id: str
    status: str
    since: datetime
    workflow_url: str


class SubjectView(Model):
    """By or for whom is spent."""

    type: SubjectKind
    id: str


class SubscriptionView(Model):
    """A subscription."""

    plan: str
    interval: Interval
    price: MoneyView
    credits_per_month: Amount
    is_agreed_price: bool
    net_days: int
    id: str
    organization_id: str
    status: SubscriptionStatus
    period_start: datetime | None
    period_end: datetime | None
    cancel_at_period_end: bool
    pending_change: PendingChangeView | None
    ended_at: datetime | None
    trial_ends_at: datetime | None
    checkout_url: str | None
    checkout_expires_at: datetime | None
    pay_url: str | None


class SummaryView(Model):
    """All money of an organization as of one moment. Each list has at most 100 rows; `assets` counts all of them."""

    organization_id: str
    as_of: datetime
    status: OrganizationStatus
    assets: list[AssetSummaryView]
    earnings: list[AgentEarningsSummaryView]
    escrows: list[EscrowSummaryView]
    expiring: list[ExpiringLotView]
    invoices_due: list[DueInvoiceView]
    shortened: list[str]


class SurgeTerms(Model):
    """More while demand, open work as a part of the capacity, exceeds a threshold."""

    type: Literal["surge"] | str
    threshold: str | Decimal
    maximum: str | Decimal | None = None
    full: str | Decimal | None = None


class SyncView(Model):
    """A sync that was started."""

    workflow_id: str


class TaskPage(Model):
    """TaskPage."""

    data: list[TaskView]
    next_cursor: str | None = None


class TaskView(Model):
    """One thing that waits for you."""

    kind: TaskKind
    object_id: str
    organization_id: str | None
    title: str
    deadline_at: datetime | None
    amount: Amount | None
    currency: str | None
    path_hint: str


class TaxRatePage(Model):
    """TaxRatePage."""

    data: list[TaxRateView]
    next_cursor: str | None = None


class TaxRateView(Model):
    """A tax rate."""

    id: str
    code: str
    country: str
    region: str | None
    product: str | None
    rate: str
    valid_from: datetime
    valid_until: datetime | None


class TaxReceiptList(Model):
    """The tax documents of a payment."""

    data: list[TaxReceiptView]


class TaxReceiptView(Model):
    """A tax document of a payment. Amounts are decimal strings of its currency, below zero where money went back."""

    id: str
    number: str
    payment_id: str
    currency: str
    amount: Amount
    net: Amount
    tax: Amount
    tax_code: str
    category: str
    rate: str
    issued_at: datetime
    transfer_id: str


class TaxView(Model):
    """The tax of one rate."""

    code: str
    category: str
    rate: str
    taxable: Amount
    amount: Amount


class TermsVersionView(Model):
    """One version of billing terms."""

    version: int
    starts_at: datetime | None
    from_month: str | None
    mode: UsageMode
    currency: str
    time_zone: str
    minimum_commitment: Amount
    commitment_from: date | None
    volume_discounts: list[VolumeDiscountView]
    net_days: int
    collection_method: CollectionMethod
    plan_prices: list[AgreedPlanPriceView]


class TierLimitsView(Model):
    """What a plan includes."""

    projects: int | None
    deploys: int | None
    seats: int | None
    api_access: bool
    custom_integrations: bool


class TierTerms(Model):
    """A multiplier for clients of one tier."""

    type: Literal["tier"] | str
    tier: Literal["free", "premium"] | str
    multiplier: str | Decimal


class TimeOfDayTerms(Model):
    """A multiplier between two times of a zone's clocks. A window that ends before it begins ends on the next day."""

    type: Literal["time_of_day"] | str
    zone: str
    multiplier: str | Decimal
    weekdays: list[int] | None = None
    begins: str | None = None
    ends: str | None = None


class TimelineView(Model):
    """A page of the events of an escrow, oldest first."""

    data: list[EscrowEventView]
    next_cursor: str | None = None


class TopUpView(Model):
    """A purchase of credits. The payer's next step is included when there is one."""

    payment_id: str
    package: str | None = None
    credits: Amount
    status: PaymentStatus
    charge: MoneyView
    client_secret: str | None = None
    approval_url: str | None = None
    deposit: DepositView | None = None


class TotalView(Model):
    """What was used under one heading."""

    key: str | None
    amount: Amount
    held: Amount
    quantity: int
    count: int


class TransferView(Model):
    """One movement of the books, and its entries that the caller may see. All of its entries add up to zero."""

    id: str
    kind: str
    reference: str | None
    cause: CauseView | None
    effective_at: datetime
    recorded_at: datetime
    entries: list[EntryView]


class TrialBalanceLineView(Model):
    """One line of the chart of accounts in one currency. What belongs to tenants is one line for all of them."""

    line: str
    kind: str
    currency: str
    opening_debit: Amount
    opening_credit: Amount
    debits: Amount
    credits: Amount
    closing_debit: Amount
    closing_credit: Amount
    journal_url: str


class TrialBalanceTotalView(Model):
    """What all lines come to in one currency. Debits equal credits."""

    currency: str
    opening_debit: Amount
    opening_credit: Amount
    debits: Amount
    credits: Amount
    closing_debit: Amount
    closing_credit: Amount


class TrialBalanceView(Model):
    """Every line with what it had before a period, what moved, and what it has after it; days are UTC."""

    start_date: date
    end_date: date
    lines: list[TrialBalanceLineView]
    totals: list[TrialBalanceTotalView]


class TypeView(Model):
    """A type of notifications, and how soon the caller is notified over each of its channels."""

    type: str
    description: str
    must_reach: bool
    channels: dict[str, Cadence]
    chosen: dict[str, Cadence]


class UpcomingInvoiceView(Model):
    """What an organization would be invoiced if the month ended now, by the taxes and credits of now."""

    organization_id: str
    period: str
    starts_at: datetime
    ends_at: datetime
    currency: str
    lines: list[UpcomingLine]
    charges: Amount
    volume: str
    discount: Amount
    usage: str
    shortfall: Amount
    net: Amount
    granted_credits: Amount
    taxed_credits: Amount
    subtotal: Amount
    tax: Amount
    total: Amount
    applied_credits: Amount
    due: Amount


class UpcomingLine(Model):
    """A line of the invoice to come."""

    description: str
    quantity: int
    amount: Amount


class UsageEventPage(Model):
    """UsageEventPage."""

    data: list[UsageEventView]
    next_cursor: str | None = None


class UsageEventView(Model):
    """One usage event, and what it cost by itself."""

    id: str
    source: str
    event_id: str
    type: str
    subject: str | None
    action: str
    occurred_at: datetime
    received_at: datetime
    agent_id: str | None
    department_id: str | None
    project_id: str | None
    run_id: str | None
    step_id: str | None
    parent_id: str | None
    provider: str | None
    model: str | None
    spend_id: str | None
    usage: dict[str, Any] | None
    currency: str | None
    cost: Amount | None
    creator_share: Amount | None
    platform_share: Amount | None
    rated_by: str | None
    price_ref: str | None
    charge: EventChargeView | None
    billed_status: BilledStatus
    invoice_id: str | None
    billed_at: datetime | None
    data: dict[str, Any]


class UsageLine(Model):
    """What the events of one group add up to."""

    group: str | None
    events: int
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    costs: list[CurrencyCostView]


class UsageRunView(Model):
    """What a run of agents cost."""

    run_id: str
    total: RunCostView
    agents: list[RunAgentView]
    steps: list[RunStepView]


class UsageSummary(Model):
    """Totals of what was used within a term, by the time at which it was charged or reserved."""

    organization_id: str
    from_: datetime = Field(..., alias="from")
    to: datetime
    total: TotalView
    by_action: list[TotalView]
    by_agent: list[TotalView]
    by_department: list[TotalView]
    by_model: list[TotalView]
    by_day: list[TotalView]


class UsageView(Model):
    """Usage of an organization in whole days in UTC."""

    organization_id: str
    start_date: date
    end_date: date
    group_by: str
    total: UsageLine
    data: list[UsageLine]


class UseView(Model):
    """Credits that were used."""

    id: str
    status: SpendStatus
    action: str
    quantity: int
    amount: Amount
    currency: str | None = None
    agent_id: str | None
    department_id: str | None
    project_id: str | None
    run_id: str | None
    created_at: datetime
    available: Amount
    payee_agent_id: str | None = None


class VolumeDiscountView(Model):
    """From these net charges of a month on, all of its usage is cheaper by a share."""

    from_: str = Field(..., alias="from")
    discount: Amount


class VolumeStep(Model):
    """From which amount on, which multiplier."""

    amount: str | Decimal
    multiplier: str | Decimal


class VolumeTerms(Model):
    """A multiplier by what the client paid for released work in the last 30 days."""

    type: Literal["volume"] | str
    currency: str | None = None
    steps: list[VolumeStep]


class WebhookDeliveryPage(Model):
    """WebhookDeliveryPage."""

    data: list[WebhookDeliveryView]
    next_cursor: str | None = None


class WebhookDeliveryView(Model):
    """An event for an endpoint, and how its delivery stands."""

    id: str
    endpoint_id: str
    event_id: str
    type: str
    subject: str
    subject_seq: int
    status: str
    tries: int
    replays: int
    next_try_at: datetime | None
    last_try_at: datetime | None
    status_code: int | None
    error: str | None
    answer: str | None
    delivered_at: datetime | None
    created_at: datetime


class WebhookEndpointCreated(Model):
    """An endpoint with its secret."""

    id: str
    organization_id: str
    url: str
    types: list[str]
    description: str | None
    ordering: str
    status: str
    reason: str | None
    public_key: str | None
    failing_since: datetime | None
    slowed_until: datetime | None
    delivered_at: datetime | None
    created_at: datetime
    secret: str | None


class WebhookEndpointPage(Model):
    """WebhookEndpointPage."""

    data: list[WebhookEndpointView]
    next_cursor: str | None = None


class WebhookEndpointView(Model):
    """An endpoint."""

    id: str
    organization_id: str
    url: str
    types: list[str]
    description: str | None
    ordering: str
    status: str
    reason: str | None
    public_key: str | None
    failing_since: datetime | None
    slowed_until: datetime | None
    delivered_at: datetime | None
    created_at: datetime


class WebhookReplayed(Model):
    """How many webhooks are sent again."""

    deliveries: int


class WebhookTested(Model):
    """What is sent."""

    type: str


class WhereaboutsView(Model):
    """Where an organization's money is, and what is stuck."""

    summary: SummaryView
    open_alerts: list[OpenAlertView]
    stuck: list[StuckRunView]
