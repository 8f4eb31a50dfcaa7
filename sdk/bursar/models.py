"""Objects in responses of the API. Written by `python -m dev.sdk` from the OpenAPI document: not edited by hand."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal, TypeAlias

from pydantic import Field

from bursar._wire import NOT_SENT, Amount, Model

AccessOutcome: TypeAlias = (
    Literal["opened", "not_found", "no_grant", "no_version", "host", "method", "place", "header", "uses", "operator"]
    | str
)
AccessVerb: TypeAlias = Literal["use", "read", "rotate", "check"] | str
AdviceKind: TypeAlias = (
    Literal[
        "package",
        "annual_plan",
        "auto_topup",
        "cheaper_agent",
        "unused",
        "payment_method",
        "limit",
        "bulk",
        "free_tier",
        "method",
        "arbitrage",
        "model_swap",
        "diversify",
    ]
    | str
)
Aggregation: TypeAlias = Literal["sum", "count", "max", "unique", "latest"] | str
AlertStatus: TypeAlias = Literal["firing", "acknowledged", "resolved"] | str
AllocationMode: TypeAlias = Literal["off", "propose", "auto"] | str
AllocationStatus: TypeAlias = Literal["proposed", "applied", "expired"] | str
AmountMeaning: TypeAlias = Literal["saving", "stopped", "earning", "at_risk"] | str
AttemptStatus: TypeAlias = Literal["begun", "succeeded", "declined", "unknown"] | str
BalanceChangeKind: TypeAlias = Literal["expiry", "grant", "renewal", "invoice"] | str
BilledStatus: TypeAlias = Literal["prepaid", "unbilled", "billed", "void"] | str
BillingRunStatus: TypeAlias = Literal["running", "done"] | str
Cadence: TypeAlias = Literal["instant", "hourly", "daily", "weekly", "off"] | str
CardAnswer: TypeAlias = (
    Literal[
        "approved",
        "card_inactive",
        "agent_retired",
        "other_currency",
        "no_rate",
        "card_limit",
        "order_ended",
        "spend_limit",
        "funds",
        "organization_stopped",
        "not_taken",
    ]
    | str
)
CardPaymentStatus: TypeAlias = Literal["pending", "declined", "closed", "reversed", "expired", "none"] | str
CardStatus: TypeAlias = Literal["pending", "active", "frozen", "closed"] | str
CardTransactionKind: TypeAlias = Literal["capture", "refund"] | str
CaseKind: TypeAlias = (
    Literal["act", "card_testing", "takeover", "sybil", "ring", "delivery", "refund_abuse", "reputation", "appeal"]
    | str
)
CaseResult: TypeAlias = Literal["release", "refuse"] | str
CaseStatus: TypeAlias = Literal["open", "assigned", "waiting", "decided", "appealed", "closed"] | str
Category: TypeAlias = (
    Literal["payment", "credits", "escrow", "use", "marketplace", "billing", "earnings", "slots", "other"] | str
)
ChangeKind: TypeAlias = Literal["upgrade", "downgrade"] | str
ChannelKind: TypeAlias = Literal["mail", "slack"] | str
ClientFact: TypeAlias = Literal["paid", "payment_failed", "charged_back", "accepted", "dispute_lost", "cancelled"] | str
Coin: TypeAlias = Literal["BTC", "ETH", "USDC", "TON"] | str
CollectionMethod: TypeAlias = Literal["charge_automatically", "send_invoice"] | str
CollectionStatus: TypeAlias = (
    Literal["scheduled", "charging", "requires_action", "paused", "paid", "void", "uncollectible"] | str
)
Compare: TypeAlias = Literal["previous", "last_year"] | str
ComparisonVerdict: TypeAlias = Literal["worth_it", "not_worth_it", "not_enough_data"] | str
ConditionType: TypeAlias = (
    Literal["above", "below", "crosses", "changes_by", "ratio", "absent_for", "runs_out_within", "unusual"] | str
)
ContractStatus: TypeAlias = Literal["proposed", "accepted", "expired"] | str
ControlStatus: TypeAlias = Literal["active", "frozen", "closed"] | str
CostSource: TypeAlias = Literal["default", "platform", "organization"] | str
CountedType: TypeAlias = Literal["spend", "escrow", "purchase"] | str
Dataset: TypeAlias = (
    Literal[
        "transfers", "entries", "usage", "payments", "escrows", "invoices", "reputation", "audit", "events", "purchases"
    ]
    | str
)
DecisionCode: TypeAlias = (
    Literal[
        "approved",
        "granted",
        "over_budget",
        "no_budget",
        "policy",
        "needs_alternatives",
        "approval_required",
        "refused",
        "unanswered",
    ]
    | str
)
DeployType: TypeAlias = Literal["development", "staging", "production"] | str
Dimension: TypeAlias = Literal["task_success", "response_time", "reliability", "collaboration", "quality"] | str
Direction: TypeAlias = Literal["up", "down", "either"] | str
DiscrepancyStatus: TypeAlias = Literal["open", "resolved"] | str
DisputeStatus: TypeAlias = Literal["inquiry", "needs_response", "under_review", "won", "lost"] | str
DrawnPool: TypeAlias = Literal["operating", "reserve", "emergency"] | str
EarningsKind: TypeAlias = Literal["granted", "own_work", "paid"] | str
Entitlement: TypeAlias = Literal["projects", "deploys", "seats", "api_access", "custom_integrations"] | str
EntityKind: TypeAlias = (
    Literal[
        "organization",
        "principal",
        "agent",
        "key",
        "address",
        "network",
        "device",
        "instrument",
        "mail_domain",
        "payout_account",
        "artifact",
    ]
    | str
)
Environment: TypeAlias = Literal["sandbox", "test", "live"] | str
EscrowAction: TypeAlias = (
    Literal["fund", "deliver", "validate", "approve", "dispute", "submit_evidence", "resolve", "refund", "cancel"] | str
)
EscrowStatus: TypeAlias = (
    Literal["open", "funded", "delivered", "disputed", "released", "refunded", "split", "cancelled", "expired"] | str
)
EventStatus: TypeAlias = Literal["accepted", "duplicate", "invalid"] | str
ExclusionReason: TypeAlias = Literal["no_price", "no_rate", "over_max_cost", "over_budget", "below_quality"] | str
ExportFormat: TypeAlias = Literal["csv", "jsonl"] | str
ExportStatus: TypeAlias = Literal["queued", "running", "done", "expired"] | str
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
FactStatus: TypeAlias = Literal["pending", "completed", "reversed"] | str
ForecastMetric: TypeAlias = Literal["spending", "revenue", "reputation.score", "balance"] | str
FreeFirst: TypeAlias = Literal["off", "ask", "require"] | str
Fulfilment: TypeAlias = Literal["pending", "done", "gone"] | str
Grain: TypeAlias = Literal["hour", "day", "week", "month", "quarter", "year"] | str
GrantSource: TypeAlias = Literal["promotion", "reward", "adjustment", "signup"] | str
Grouping: TypeAlias = Literal["model", "mode", "task_kind"] | str
HoldKind: TypeAlias = Literal["release", "earnings", "score", "prepay"] | str
Interval: TypeAlias = Literal["month", "year"] | str
InvoiceItemStatus: TypeAlias = Literal["open", "invoiced", "removed"] | str
InvoiceStatus: TypeAlias = Literal["open", "paid", "void", "draft", "uncollectible"] | str
JsonValue: TypeAlias = Any
Label: TypeAlias = Literal["fraud", "legitimate"] | str
LineBound: TypeAlias = Literal["none", "floor", "ceiling", "step"] | str
ListName: TypeAlias = Literal["allow", "block"] | str
Locale: TypeAlias = (
    Literal["en", "en-GB", "en-IN", "de", "de-AT", "de-CH", "es", "fr", "it", "ja", "nl", "pl", "pt-BR", "sv"] | str
)
LotSource: TypeAlias = (
    Literal["purchase", "promotion", "signup", "subscription", "reward", "refund", "adjustment", "debt", "earnings"]
    | str
)
MatchStatus: TypeAlias = (
    Literal["matched", "missing_here", "missing_there", "amount_differs", "fee_missing", "not_listed_yet"] | str
)
Measure: TypeAlias = Literal["absolute", "percent"] | str
MemberKind: TypeAlias = Literal["organization", "agent"] | str
Method: TypeAlias = Literal["seasonal_naive", "seasonal_mean", "theta", "damped_trend", "median"] | str
MethodKind: TypeAlias = Literal["free", "card", "TON", "BTC", "ETH", "USDC", "other"] | str
MetricUnit: TypeAlias = Literal["amount", "count", "ratio", "seconds", "score"] | str
MinimumEvidence: TypeAlias = int
Mode: TypeAlias = Literal["normal", "thinking"] | str
ModelStatus: TypeAlias = Literal["challenger", "champion", "retired"] | str
OfferModel: TypeAlias = Literal["free", "one_time", "monthly", "usage"] | str
OfferStatus: TypeAlias = Literal["listed", "retired"] | str
OrganizationStatus: TypeAlias = Literal["active", "suspended", "closed"] | str
Outcome: TypeAlias = Literal["allow", "challenge", "hold_back", "review", "block"] | str
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
PeerMetric: TypeAlias = (
    Literal["spending", "payment_success_rate", "cost_per_1000_tokens", "price_per_use", "dispute_rate"] | str
)
PeerReason: TypeAlias = Literal["not_agreed", "not_counted", "too_few", "dominated"] | str
Period: TypeAlias = Literal["7d", "30d", "90d", "all"] | str
Permission: TypeAlias = str
Point: TypeAlias = (
    Literal[
        "payment",
        "topup",
        "award",
        "fund",
        "deliver",
        "validate",
        "feedback",
        "payout",
        "key",
        "payout_account",
        "refund",
        "signup",
        "login",
        "login_failed",
    ]
    | str
)
PolicyScope: TypeAlias = Literal["organization", "project", "agent"] | str
PolicySource: TypeAlias = Literal["organization", "project", "agent", "default"] | str
PricingModel: TypeAlias = Literal["free", "monthly", "one_time", "usage"] | str
PrincipalStatus: TypeAlias = Literal["active", "invited"] | str
ProviderName: TypeAlias = Literal["stripe", "paypal", "crypto", "credits"] | str
PurchaseAction: TypeAlias = Literal["refund", "cancel"] | str
PurchaseOnLimit: TypeAlias = Literal["refuse", "ask", "reserve"] | str
PurchaseOrderStatus: TypeAlias = (
    Literal[
        "approved",
        "needs_alternatives",
        "needs_approval",
        "declined_over_budget",
        "declined_policy",
        "purchased",
        "abandoned",
        "expired",
        "cancelled",
    ]
    | str
)
PurchaseStatus: TypeAlias = Literal["active", "suspended", "refunded", "ended"] | str
Purpose: TypeAlias = Literal["billing", "security"] | str
PurposeKind: TypeAlias = Literal["credits", "escrow", "invoice", "slot", "balance", "purchase"] | str
QuotaWindow: TypeAlias = Literal["day", "week", "month"] | str
ReasonClass: TypeAlias = (
    Literal["unusual_payment", "unusual_payout", "related_parties", "delivery_check", "account_safety"] | str
)
ReferralStatus: TypeAlias = Literal["waiting", "rewarded", "refused", "taken_back"] | str
RefundState: TypeAlias = Literal["requested", "unknown", "pending", "succeeded", "failed"] | str
ReportFormat: TypeAlias = Literal["html", "pdf", "csv", "jsonl"] | str
ReportSchedule: TypeAlias = Literal["daily", "weekly", "monthly", "quarterly"] | str
ResultSource: TypeAlias = Literal["api", "escrow", "contract"] | str
RevenueSource: TypeAlias = Literal["escrow", "marketplace", "app_store", "ads", "service", "other"] | str
RevenueStatus: TypeAlias = Literal["reported", "confirmed", "rejected", "reversed"] | str
RoiScope: TypeAlias = Literal["agent", "project", "model", "organization"] | str
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
RotationStatus: TypeAlias = Literal["idle", "waiting", "created", "applied", "tested", "promoted", "failed"] | str
RotatorName: TypeAlias = Literal["bursar", "postgres", "http", "manual"] | str
RuleType: TypeAlias = (
    Literal["surge", "reputation", "time_of_day", "bulk", "volume", "tier", "contract_price", "custom", "bounds"] | str
)
SecretKind: TypeAlias = Literal["reference", "api_key", "password", "login", "other"] | str
Severity: TypeAlias = Literal["info", "warning", "critical"] | str
ShareRule: TypeAlias = Literal["direct", "run", "fixed", "equal", "manual"] | str
Size: TypeAlias = Literal["small", "medium", "large"] | str
SpendStatus: TypeAlias = Literal["charged", "reserved", "captured", "released", "expired", "refunded"] | str
SpentPart: TypeAlias = Literal["uses", "jobs", "agents", "purchases", "subscriptions"] | str
Stacking: TypeAlias = Literal["multiply", "add", "exclusive"] | str
StopReason: TypeAlias = Literal["results", "roi", "budget_closed"] | str
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
        "to_approve",
        "allocation",
        "to_confirm",
        "evidence_due",
        "invoice_due",
        "difference",
        "alert",
    ]
    | str
)
Term: TypeAlias = Literal["month", "quarter", "year"] | str
TimedExits: TypeAlias = Literal["continue", "pause"] | str
TransactionType: TypeAlias = (
    Literal[
        "purchase_request",
        "purchase_decision",
        "purchase_approval",
        "purchase_attempt",
        "purchase_refund",
        "purchase_confirmation",
        "purchase_abandoned",
        "purchase_renewal",
        "purchase_ended",
        "use",
        "use_refund",
        "escrow_funding",
        "escrow_refund",
        "escrow_payment",
        "sale",
        "sale_refund",
        "payout",
        "payout_reversal",
    ]
    | str
)
Trend: TypeAlias = Literal["rising", "steady", "falling"] | str
TrialStatus: TypeAlias = Literal["running", "finished", "stopped"] | str
Unit: TypeAlias = Literal["credits", "amount", "count", "share", "points", "seconds"] | str
UsageMode: TypeAlias = Literal["prepaid", "arrears"] | str
VersionStatus: TypeAlias = Literal["pending", "current", "previous", "retired", "destroyed"] | str
Visibility: TypeAlias = Literal["public", "private"] | str
WalletCreation: TypeAlias = Literal["never", "ask", "allowed"] | str
Window: TypeAlias = Literal["hour", "day", "week", "month", "quarter", "lifetime"] | str


class AccountBalanceView(Model):
    """The balance of an account."""

    account: str = NOT_SENT
    currency: str = NOT_SENT
    balance: Amount = NOT_SENT


class AccountBalancesView(Model):
    """The balances of an organization's accounts at a moment, by time of booking."""

    organization_id: str = NOT_SENT
    at: datetime = NOT_SENT
    zone: str = NOT_SENT
    data: list[AccountBalanceView] = NOT_SENT
    next_cursor: str | None = None


class AccountStatementLineView(Model):
    """Earnings of an agent."""

    description: str = NOT_SENT
    amount: Amount = NOT_SENT


class AccountStatementView(Model):
    """An account over a period, by time of booking. `opening_balance` and all lines add up to `closing_balance`."""

    organization_id: str = NOT_SENT
    account: str = NOT_SENT
    currency: str = NOT_SENT
    from_: datetime = Field(NOT_SENT, alias="from")
    to: datetime = NOT_SENT
    zone: str = NOT_SENT
    opening_balance: Amount = NOT_SENT
    closing_balance: Amount = NOT_SENT
    data: list[StatementLineView] = NOT_SENT
    next_cursor: str | None = None


class ActionCostView(Model):
    """The price of an action."""

    action: str = NOT_SENT
    cost: Amount = NOT_SENT
    source: CostSource = NOT_SENT
    version: int = NOT_SENT


class AdjustmentView(Model):
    """A rule that changed a price."""

    rule: str = NOT_SENT
    type: str = NOT_SENT
    multiplier: Decimal = NOT_SENT
    description: str = NOT_SENT


class AgentEarningsSummaryView(Model):
    """Balance of one agent's earnings in one currency."""

    available: Amount = NOT_SENT
    pending: Amount = NOT_SENT
    pending_until: datetime | None = NOT_SENT
    frozen: Amount = NOT_SENT
    granted: Amount = NOT_SENT
    own_work: Amount = NOT_SENT
    total: Amount = NOT_SENT
    agent_id: str = NOT_SENT
    currency: str = NOT_SENT


class AgentEarningsView(Model):
    """An agent's earnings in one asset in a period, and its balances now, in units of the asset."""

    agent_id: str = NOT_SENT
    agent_name: str = NOT_SENT
    asset: str = NOT_SENT
    earned: Amount = NOT_SENT
    paid_out: Amount = NOT_SENT
    available: Amount = NOT_SENT
    pending: Amount = NOT_SENT
    frozen: Amount = NOT_SENT
    granted: Amount = NOT_SENT
    payable: list[PayableView] = NOT_SENT


class AgentLevelView(Model):
    """The terms that an agent's reputation gives it, and the reasons."""

    agent_id: str = NOT_SENT
    version: int = NOT_SENT
    level: str | None = NOT_SENT
    commission_bps: int = NOT_SENT
    commission_rule: str = NOT_SENT
    escrow_limits: dict[str, Amount] = NOT_SENT
    exposure: list[ExposureView] = NOT_SENT
    priority: int = NOT_SENT
    entitlements: list[str] = NOT_SENT
    reasons: list[str] = NOT_SENT


class AgentPricingView(Model):
    """The price settings of an agent's organization."""

    agent_id: str = NOT_SENT
    capacity: int | None = NOT_SENT
    calls_per_day: int | None = NOT_SENT
    bears_discounts: bool = NOT_SENT
    updated_at: datetime | None = NOT_SENT


class AgentPurchaseView(Model):
    """An agent that an organization has bought."""

    id: str
    organization_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    agent_name: str = NOT_SENT
    model: OfferModel = NOT_SENT
    price: Amount | None = NOT_SENT
    tax: Amount | None = NOT_SENT
    currency: str | None = NOT_SENT
    prices: dict[str, Amount] | None = NOT_SENT
    included_uses: int | None = NOT_SENT
    granted_amount: Amount | None = NOT_SENT
    used: Amount | None = NOT_SENT
    payment_id: str | None = NOT_SENT
    status: PurchaseStatus = NOT_SENT
    has_access: bool = NOT_SENT
    bought_by: str = NOT_SENT
    bought_at: datetime = NOT_SENT
    refundable_until: datetime = NOT_SENT
    refunded_at: datetime | None = NOT_SENT
    ends_at: datetime | None = NOT_SENT
    renews: bool = NOT_SENT


class AgentScoreView(Model):
    """The reputation of an agent."""

    agent_id: str = NOT_SENT
    overall_score: Decimal = NOT_SENT
    stars: Decimal = NOT_SENT
    low: Decimal = NOT_SENT
    high: Decimal = NOT_SENT
    is_certain: bool = NOT_SENT
    trend: Trend = NOT_SENT
    change: Decimal = NOT_SENT
    task_success_rate: Decimal = NOT_SENT
    avg_response_time_ms: int = NOT_SENT
    p95_response_time_ms: int = NOT_SENT
    evidence_count: int = NOT_SENT
    dimensions: dict[str, ScoreView] = NOT_SENT
    moved_most: list[MoveView] = NOT_SENT


class AgentView(Model):
    """An agent and its listing."""

    external_id: str | None = NOT_SENT
    metadata: dict[str, str] = NOT_SENT
    organization_name: str = NOT_SENT
    stars: Decimal | None = NOT_SENT
    ratings: int = NOT_SENT
    jobs_done: int = NOT_SENT
    median_delivery_seconds: int | None = NOT_SENT
    picture_url: str | None = NOT_SENT
    can_be_hired: bool = NOT_SENT
    id: str
    name: str = NOT_SENT
    description: str | None = NOT_SENT
    organization_id: str = NOT_SENT
    visibility: Visibility = NOT_SENT
    category: str | None = NOT_SENT
    pricing: PricingView = NOT_SENT
    terms: dict[str, BoundsView] = NOT_SENT
    accepts_granted_credits: bool = NOT_SENT
    samples: list[SampleView] = NOT_SENT
    created_at: datetime = NOT_SENT
    retired_at: datetime | None = NOT_SENT


class AgreedPlanPriceView(Model):
    """The organization's price of a plan."""

    plan: str = NOT_SENT
    interval: Interval = NOT_SENT
    amount: Amount = NOT_SENT
    currency: str = NOT_SENT
    price_id: str | None = NOT_SENT


class AlertMetricsView(Model):
    """All metrics that rules can watch."""

    data: list[MetricView] = NOT_SENT


class AlertRulePage(Model):
    """AlertRulePage."""

    data: list[AlertRuleView] = NOT_SENT
    next_cursor: str | None = None


class AlertRuleView(Model):
    """An alert rule."""

    id: str
    name: str = NOT_SENT
    built_in: bool = NOT_SENT
    organization_id: str | None = NOT_SENT
    description: str | None = NOT_SENT
    metric: str | None = NOT_SENT
    filter: dict[str, str] = NOT_SENT
    condition: ConditionView | None = NOT_SENT
    window: str | None = NOT_SENT
    cool_down: str | None = NOT_SENT
    severity: str = NOT_SENT
    channels: list[str] | None = NOT_SENT
    ladder: list[LadderStepView] | None = NOT_SENT
    enabled: bool = NOT_SENT
    created_at: datetime | None = NOT_SENT
    updated_at: datetime | None = NOT_SENT


class AlertView(Model):
    """An event that needs a person's attention."""

    id: str
    organization_id: str | None = NOT_SENT
    kind: str = NOT_SENT
    subject: str = NOT_SENT
    detail: str = NOT_SENT
    names: dict[str, str] = NOT_SENT
    severity: Severity = NOT_SENT
    status: AlertStatus = NOT_SENT
    for_operators: bool = NOT_SENT
    rule_id: str | None = NOT_SENT
    window: str | None = NOT_SENT
    created_at: datetime = NOT_SENT
    acknowledged_at: datetime | None = NOT_SENT
    acknowledged_by: str | None = NOT_SENT
    organization_acknowledged_at: datetime | None = NOT_SENT
    organization_acknowledged_by: str | None = NOT_SENT
    snoozed_until: datetime | None = NOT_SENT
    resolved_at: datetime | None = NOT_SENT
    resolved_by: str | None = NOT_SENT


class AllocationLineView(Model):
    """Old and new amount of an agent, with the reason."""

    agent_id: str = NOT_SENT
    agent_name: str = NOT_SENT
    old: Amount | None = NOT_SENT
    new: Amount = NOT_SENT
    performance: Amount = NOT_SENT
    task: Amount = NOT_SENT
    time: Amount = NOT_SENT
    success: Amount = NOT_SENT
    bound: LineBound = NOT_SENT
    reason: str = NOT_SENT


class AllocationSettingView(Model):
    """Allocation settings of a project, and the next night."""

    project_id: str = NOT_SENT
    organization_id: str = NOT_SENT
    mode: AllocationMode = NOT_SENT
    currency: str = NOT_SENT
    daily_amount: Amount = NOT_SENT
    floor: Amount = NOT_SENT
    ceiling: Amount = NOT_SENT
    reinvest: Amount = NOT_SENT
    next_night: date | None = NOT_SENT
    next_at: datetime | None = NOT_SENT
    updated_at: datetime = NOT_SENT


class AllocationView(Model):
    """The allocation of a day of a project."""

    id: str
    organization_id: str = NOT_SENT
    project_id: str = NOT_SENT
    night: date = NOT_SENT
    status: AllocationStatus = NOT_SENT
    currency: str = NOT_SENT
    total: Amount = NOT_SENT
    reinvested: Amount = NOT_SENT
    agents: int = NOT_SENT
    left_out: list[str] = NOT_SENT
    priced_at: MoneyView | None = NOT_SENT
    answer_by: datetime | None = NOT_SENT
    applied_at: datetime | None = NOT_SENT
    applied_by: str | None = NOT_SENT
    created_at: datetime = NOT_SENT


class AnswerRowView(Model):
    """An interval of a group."""

    at: datetime | None = NOT_SENT
    group: dict[str, str | None] = NOT_SENT
    values: list[ValueView] = NOT_SENT


class AnswerView(Model):
    """The result of a query of metrics."""

    organization_id: str | None = NOT_SENT
    from_: datetime = Field(NOT_SENT, alias="from")
    to: datetime = NOT_SENT
    as_of: datetime = NOT_SENT
    complete: bool = NOT_SENT
    rows: list[AnswerRowView] = NOT_SENT
    totals: list[ValueView] = NOT_SENT
    rates: list[RateUsedView] = NOT_SENT
    left_out: list[str] = NOT_SENT


class ApiKeyRevoked(Model):
    """The keys that a revocation ended, and the active keys that the revoked key had issued."""

    revoked: list[ApiKeyView] = NOT_SENT
    issued: list[ApiKeyView] = NOT_SENT


class ApiKeyView(Model):
    """A key, without its secret."""

    id: str
    organization_id: str | None = NOT_SENT
    principal: str = NOT_SENT
    role: Role = NOT_SENT
    agent_id: str | None = NOT_SENT
    permissions: list[Permission] = NOT_SENT
    department_id: str | None = NOT_SENT
    project_id: str | None = NOT_SENT
    by_mail: bool = NOT_SENT
    created_by: str = NOT_SENT
    created_at: datetime = NOT_SENT
    expires_at: datetime | None = NOT_SENT
    revoked_at: datetime | None = NOT_SENT
    last_used_at: datetime | None = NOT_SENT


class ApprovalView(Model):
    """A request of one operator, and the decision of another one."""

    id: str
    action: str = NOT_SENT
    subject: str = NOT_SENT
    content: dict[str, Any] = NOT_SENT
    status: str = NOT_SENT
    requested_by: str = NOT_SENT
    requested_at: datetime = NOT_SENT
    expires_at: datetime = NOT_SENT
    decided_by: str | None = NOT_SENT
    decided_at: datetime | None = NOT_SENT
    used_at: datetime | None = NOT_SENT


class AssetSummaryView(Model):
    """An organization's balances in one currency, or in slots.

    `total` = `available` + `held` + `expired` + `in_use` + `in_escrow` + `in_payments` + `in_payouts` + `earnings.total` - `owed` - `invoiced`.
    """

    currency: str = NOT_SENT
    available: Amount = NOT_SENT
    held: Amount = NOT_SENT
    expired: Amount = NOT_SENT
    in_use: Amount = NOT_SENT
    in_escrow: Amount = NOT_SENT
    in_payments: Amount = NOT_SENT
    in_payouts: Amount = NOT_SENT
    earnings: EarningsSummaryView = NOT_SENT
    owed: Amount = NOT_SENT
    invoiced: Amount = NOT_SENT
    total: Amount = NOT_SENT
    pending: Amount = NOT_SENT
    pending_until: datetime | None = NOT_SENT


class AttributionView(Model):
    """The department and project for which an agent or a key spends."""

    id: str
    department_id: str | None = NOT_SENT
    project_id: str | None = NOT_SENT


class AuditView(Model):
    """One privileged action. Only the actor's organization and the platform see key, session, request and address."""

    id: str
    at: datetime = NOT_SENT
    organization_id: str | None = NOT_SENT
    principal: str = NOT_SENT
    role: str = NOT_SENT
    actor_organization_id: str | None = NOT_SENT
    key_id: str | None = NOT_SENT
    session_id: str | None = NOT_SENT
    made_by: str | None = NOT_SENT
    action: str = NOT_SENT
    target: str = NOT_SENT
    request_id: str | None = NOT_SENT
    address: str | None = NOT_SENT
    details: dict[str, Any] = NOT_SENT


class AutoTopUpView(Model):
    """The settings of the automatic top-up, and whether it is on."""

    organization_id: str = NOT_SENT
    enabled: bool = NOT_SENT
    below: Amount | None = NOT_SENT
    credits: Amount | None = NOT_SENT
    monthly_cap: Amount | None = NOT_SENT
    bought_this_month: Amount = NOT_SENT
    payment_method: str | None = NOT_SENT
    off_reason: str | None = NOT_SENT
    failed_attempts: int = NOT_SENT
    next_attempt_at: datetime | None = NOT_SENT
    updated_at: datetime | None = NOT_SENT


class BacktestView(Model):
    """Errors of the method in forecasts of the last stretches of the same series, each as long as the forecast."""

    origins: int = NOT_SENT
    mase: Decimal = NOT_SENT
    coverage: Decimal = NOT_SENT


class BalanceChangeView(Model):
    """Credits that are added or expire on a day, from the ledger."""

    at: date = NOT_SENT
    kind: BalanceChangeKind = NOT_SENT
    amount: Amount = NOT_SENT


class BalanceSheetView(Model):
    """Assets, liabilities and equity at the end of a day in UTC, for each currency."""

    date: date
    currencies: list[CurrencySheetView] = NOT_SENT


class BalanceView(Model):
    """An organization's balance in one currency. `available` + `reserved` = `total`."""

    organization_id: str = NOT_SENT
    currency: str = NOT_SENT
    available: Amount = NOT_SENT
    reserved: Amount = NOT_SENT
    total: Amount = NOT_SENT
    owed: Amount = NOT_SENT
    expiring: list[ExpiringView] = NOT_SENT


class BatchAnswer(Model):
    """An answer for each item, in the order given."""

    data: list[ItemAnswer] = NOT_SENT


class BilledTo(Model):
    """The buyer of an invoice: as finalised, or by the present billing profile."""

    name: str = NOT_SENT
    line1: str | None = NOT_SENT
    line2: str | None = NOT_SENT
    postal_code: str | None = NOT_SENT
    city: str | None = NOT_SENT
    country: str | None = NOT_SENT
    vat_id: str | None = NOT_SENT


class BillingQuoteView(Model):
    """The current price of a purchase. `subtotal` + `fee` + `tax.amount` = `total`, the amount charged."""

    organization_id: str = NOT_SENT
    provider: str = NOT_SENT
    credits: Amount | None = NOT_SENT
    slots: int | None = NOT_SENT
    package: str | None = NOT_SENT
    agent_id: str | None = NOT_SENT
    currency: str = NOT_SENT
    subtotal: Amount = NOT_SENT
    fee: Amount = NOT_SENT
    tax: QuotedTaxView | None = NOT_SENT
    total: Amount = NOT_SENT
    rate: QuotedRateView | None = NOT_SENT
    quoted_at: datetime = NOT_SENT


class BillingRunView(Model):
    """The run of a month."""

    period: str = NOT_SENT
    status: BillingRunStatus = NOT_SENT
    ready_at: datetime = NOT_SENT
    started_at: datetime = NOT_SENT
    finished_at: datetime | None = NOT_SENT
    invoiced: int = NOT_SENT
    empty: int = NOT_SENT
    failed: int = NOT_SENT
    failures: list[FailureView] = NOT_SENT


class BoundsTerms(Model):
    """Limits of every price: as multiples of the base price, and as amounts for one unit."""

    type: Literal["bounds"] | str = NOT_SENT
    floor: Amount | None = None
    ceiling: Amount | None = None
    floor_amount: Amount | None = None
    ceiling_amount: Amount | None = None
    currency: str | None = None


class BoundsView(Model):
    """The minimum and the maximum that is accepted of a term; null means no bound."""

    min: str | int | None = NOT_SENT
    max: str | int | None = NOT_SENT
    currency: str | None = None


class BudgetRemainingView(Model):
    """The remaining budgets after the decision, each in its currency; null without such a budget."""

    daily: Amount | None = None
    project: Amount | None = None


class BudgetVersionView(Model):
    """A version of a budget's terms, with its author."""

    pools_of: Window | None = NOT_SENT
    reserve: Amount | None = NOT_SENT
    emergency: Amount | None = NOT_SENT
    carry_over: Amount | None = NOT_SENT
    may_draw_reserve: Amount | None = NOT_SENT
    emergency_until: datetime | None = NOT_SENT
    version: int = NOT_SENT
    parent_id: str | None = NOT_SENT
    status: ControlStatus = NOT_SENT
    limits: list[LimitTermsView] = NOT_SENT
    per_spend: Amount | None = NOT_SENT
    thresholds: list[Amount] = NOT_SENT
    starts_at: datetime | None = NOT_SENT
    ends_at: datetime | None = NOT_SENT
    changed_at: datetime = NOT_SENT
    changed_by: str = NOT_SENT
    reason: str | None = NOT_SENT


class BudgetView(Model):
    """A budget with the state of its pools."""

    pools_of: Window | None = NOT_SENT
    reserve: Amount | None = NOT_SENT
    emergency: Amount | None = NOT_SENT
    carry_over: Amount | None = NOT_SENT
    may_draw_reserve: Amount | None = NOT_SENT
    emergency_until: datetime | None = NOT_SENT
    id: str
    organization_id: str = NOT_SENT
    subject: SubjectView = NOT_SENT
    parent_id: str | None = NOT_SENT
    path: list[str] = NOT_SENT
    currency: str = NOT_SENT
    time_zone: str = NOT_SENT
    week_starts: int = NOT_SENT
    status: ControlStatus = NOT_SENT
    version: int = NOT_SENT
    per_spend: Amount | None = NOT_SENT
    thresholds: list[Amount] = NOT_SENT
    starts_at: datetime | None = NOT_SENT
    ends_at: datetime | None = NOT_SENT
    created_at: datetime = NOT_SENT
    limits: list[BudgetWindowView] = NOT_SENT
    binding: Window | None = NOT_SENT
    emergencies: list[EmergencyView] = NOT_SENT


class BudgetWindowView(Model):
    """A window of a budget with its pools."""

    window: Window = NOT_SENT
    amount: Amount = NOT_SENT
    uses: int | None = NOT_SENT
    uses_spent: int = NOT_SENT
    uses_remaining: int | None = NOT_SENT
    operating: PoolView = NOT_SENT
    reserve: PoolView | None = NOT_SENT
    emergency: PoolView | None = NOT_SENT
    allowance: PoolView | None = NOT_SENT
    starts_at: datetime | None = NOT_SENT
    resets_at: datetime | None = NOT_SENT


class BulkStep(Model):
    """The multiplier from a quantity on."""

    quantity: int = NOT_SENT
    multiplier: Amount = NOT_SENT


class BulkTerms(Model):
    """A multiplier by the quantity bought at once. A step that would make a larger quantity cost less is refused."""

    type: Literal["bulk"] | str = NOT_SENT
    steps: list[BulkStep] = NOT_SENT


class CardDisplayView(Model):
    """The data with which Stripe's script shows the number in the browser. Bursar never has the number."""

    ephemeral_key: str = NOT_SENT


class CardMerchantView(Model):
    """The merchant that is paid."""

    name: str = NOT_SENT
    category: str = NOT_SENT
    country: str | None = NOT_SENT
    city: str | None = NOT_SENT


class CardPaymentView(Model):
    """A payment of a card: what was authorized, captured and refunded, in the card's currency."""

    id: str
    card_id: str = NOT_SENT
    status: CardPaymentStatus = NOT_SENT
    merchant: CardMerchantView = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    captured: Amount = NOT_SENT
    refunded: Amount = NOT_SENT
    credits: Amount = NOT_SENT
    requests: list[CardRequestView] = NOT_SENT
    transactions: list[CardTransactionView] = NOT_SENT
    created_at: datetime = NOT_SENT


class CardRequestView(Model):
    """One authorization request to a card, and its answer. A later request of the same payment adds to the amount."""

    amount: Amount = NOT_SENT
    approved: bool = NOT_SENT
    reason: CardAnswer = NOT_SENT
    spend_id: str | None = NOT_SENT
    at: datetime = NOT_SENT


class CardTransactionView(Model):
    """A capture or a refund."""

    kind: CardTransactionKind = NOT_SENT
    amount: Amount = NOT_SENT
    beyond: Amount = NOT_SENT
    dispute_status: str | None = NOT_SENT
    returned: Amount = NOT_SENT
    occurred_at: datetime = NOT_SENT


class CardView(Model):
    """A card, without its number."""

    id: str
    organization_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    agent_name: str = NOT_SENT
    purchase_order_id: str | None = NOT_SENT
    name: str = NOT_SENT
    status: CardStatus = NOT_SENT
    currency: str = NOT_SENT
    per_authorization: Amount | None = NOT_SENT
    per_month: Amount | None = NOT_SENT
    categories: list[str] = NOT_SENT
    brand: str | None = NOT_SENT
    card_ref: str | None = NOT_SENT
    last4: str | None = NOT_SENT
    exp_month: int | None = NOT_SENT
    exp_year: int | None = NOT_SENT
    created_at: datetime = NOT_SENT


class CatalogueView(Model):
    """All types of events."""

    data: list[EventTypeView] = NOT_SENT


class CauseView(Model):
    """The cause of a transfer."""

    type: str = NOT_SENT
    id: str


class ChangeOfAssetView(Model):
    """Change of the organization's balances in one currency, with the fields of `GET /billing/summary`.

    `total` = `available` + `in_use` + `in_escrow` + `in_payments` + `in_payouts` + `earnings` - `owed` - `invoiced`.
    """

    currency: str = NOT_SENT
    total: Amount = NOT_SENT
    available: Amount = NOT_SENT
    in_use: Amount = NOT_SENT
    in_escrow: Amount = NOT_SENT
    in_payments: Amount = NOT_SENT
    in_payouts: Amount = NOT_SENT
    earnings: Amount = NOT_SENT
    owed: Amount = NOT_SENT
    invoiced: Amount = NOT_SENT


class ChangePreview(Model):
    """Preview of a change."""

    plan: str = NOT_SENT
    interval: Interval = NOT_SENT
    price: MoneyView = NOT_SENT
    credits_per_month: Amount = NOT_SENT
    is_agreed_price: bool = NOT_SENT
    net_days: int = NOT_SENT
    seats: int | None = NOT_SENT
    kind: ChangeKind = NOT_SENT
    acts_at: datetime = NOT_SENT
    due: MoneyView = NOT_SENT
    unused: MoneyView = NOT_SENT
    credits: Amount = NOT_SENT


class ChangeView(Model):
    """A reservation after a capture, release or extension."""

    id: str
    status: SpendStatus = NOT_SENT
    amount: Amount = NOT_SENT
    captured: Amount = NOT_SENT
    released: Amount = NOT_SENT
    refunded: Amount = NOT_SENT
    held: Amount = NOT_SENT
    available: Amount = NOT_SENT
    expires_at: datetime | None = NOT_SENT
    transfer_id: str | None = NOT_SENT


class ChannelPage(Model):
    """ChannelPage."""

    data: list[ChannelView] = NOT_SENT
    next_cursor: str | None = None


class ChannelView(Model):
    """A notification channel of the caller."""

    id: str
    kind: ChannelKind = NOT_SENT
    status: str = NOT_SENT
    target: str = NOT_SENT
    created_at: datetime = NOT_SENT
    verified_at: datetime | None = NOT_SENT


class ChargebackView(Model):
    """A chargeback or an inquiry of the payer's bank about a payment."""

    id: str
    payment_id: str = NOT_SENT
    organization_id: str = NOT_SENT
    provider: str = NOT_SENT
    provider_ref: str = NOT_SENT
    status: DisputeStatus = NOT_SENT
    reason: str = NOT_SENT
    amount: Amount = NOT_SENT
    currency: str = NOT_SENT
    taken: MoneyView = NOT_SENT
    owed: MoneyView = NOT_SENT
    opened_at: datetime = NOT_SENT
    evidence_due_at: datetime | None = NOT_SENT
    evidence_submitted_at: datetime | None = NOT_SENT
    offered_evidence: str | None = None
    evidence_offered_at: datetime | None = None


class CheckoutView(Model):
    """The hosted page where the payer pays for a package."""

    payment_id: str = NOT_SENT
    package: str = NOT_SENT
    credits: Amount = NOT_SENT
    status: PaymentStatus = NOT_SENT
    charge: MoneyView = NOT_SENT
    url: str | None = NOT_SENT


class ClearingView(Model):
    """The balance of a clearing account, and the booked movements that explain it."""

    currency: str = NOT_SENT
    held: Amount = NOT_SENT
    booked: Amount = NOT_SENT
    movements: dict[str, Amount] = NOT_SENT
    unexplained: Amount = NOT_SENT


class ClientEventView(Model):
    """One action of an organization as a client."""

    id: str
    kind: ClientFact = NOT_SENT
    subject: str = NOT_SENT
    at: datetime = NOT_SENT
    is_void: bool = NOT_SENT
    sentence: str = NOT_SENT


class ClientView(Model):
    """The trust in an organization as a client."""

    organization_id: str = NOT_SENT
    trust: Decimal = NOT_SENT
    low: Decimal = NOT_SENT
    high: Decimal = NOT_SENT
    is_new: bool = NOT_SENT
    evidence_count: int = NOT_SENT
    counts: dict[str, int] | None = NOT_SENT
    events: list[ClientEventView] | None = NOT_SENT


class CoinQuoteView(Model):
    """The rate of the amount in coins. Coins sent after `expires_at` count at the rate of that time."""

    price: Amount = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    source: str = NOT_SENT
    expires_at: datetime = NOT_SENT


class CollectionEventView(Model):
    """A step of a collection."""

    number: int = NOT_SENT
    event: str = NOT_SENT
    status: CollectionStatus = NOT_SENT
    at: datetime = NOT_SENT
    details: dict[str, Any] = NOT_SENT


class CollectionView(Model):
    """The collection of an invoice, and its next step."""

    invoice_id: str = NOT_SENT
    collection_method: CollectionMethod = NOT_SENT
    status: CollectionStatus = NOT_SENT
    attempts: int = NOT_SENT
    dunning_steps: int = NOT_SENT
    dunning_days: list[int] = NOT_SENT
    payment_id: str | None = NOT_SENT
    next_step_at: datetime | None = NOT_SENT
    paused_for: Pause | None = NOT_SENT
    failure_code: str | None = NOT_SENT
    failure: str | None = NOT_SENT
    timeline: list[CollectionEventView] = NOT_SENT


class ConditionView(Model):
    """The condition under which a rule raises an alert."""

    type: ConditionType = NOT_SENT
    threshold: Amount | None = NOT_SENT
    measure: Measure | None = NOT_SENT
    direction: Direction | None = NOT_SENT
    of: str | None = NOT_SENT
    period: str | None = NOT_SENT


class ConfigView(Model):
    """The settings for a front end. Nothing in it is secret."""

    providers: list[ProviderView] = NOT_SENT
    stripe_publishable_key: str | None = NOT_SENT
    credit_price: MoneyView = NOT_SENT
    crypto_assets: list[Coin] = NOT_SENT
    quote_valid_seconds: int = NOT_SENT
    plans: list[PlanView] = NOT_SENT
    packages: list[PackageView] = NOT_SENT
    slot_price: MoneyView = NOT_SENT
    tier_limits: dict[str, TierLimitsView] = NOT_SENT
    revenue_shares: RevenueSharesView = NOT_SENT


class ConnectView(Model):
    """The account, and the provider's page where its owner completes the onboarding."""

    account: CreatorAccountView = NOT_SENT
    onboarding_url: str = NOT_SENT
    expires_at: datetime = NOT_SENT


class ConsideredView(Model):
    """A rule for the agent and the client, and its result."""

    rule_id: str = NOT_SENT
    rule: str = NOT_SENT
    type: str = NOT_SENT
    applied: bool = NOT_SENT
    reason: str = NOT_SENT


class ContactView(Model):
    """An address, and the purposes of mails to it."""

    email: str = NOT_SENT
    purposes: list[Purpose] = NOT_SENT


class ContactsView(Model):
    """An organization's contacts, and the language of mails to them."""

    organization_id: str = NOT_SENT
    language: str = NOT_SENT
    contacts: list[ContactView] = NOT_SENT
    updated_at: datetime | None = NOT_SENT


class ContractMilestoneView(Model):
    """A milestone: a part of the work with its own price."""

    name: str = NOT_SENT
    amount: Amount = NOT_SENT


class ContractPriceTerms(Model):
    """The agreed price of one unit for a client. The rule must name the agent and the organization."""

    type: Literal["contract_price"] | str = NOT_SENT
    unit_price: Amount = NOT_SENT
    currency: str | None = None


class ContractView(Model):
    """A contract, with every term that applies to its escrow."""

    external_id: str | None = NOT_SENT
    metadata: dict[str, str] = NOT_SENT
    title: str = NOT_SENT
    payer_name: str = NOT_SENT
    payee_name: str = NOT_SENT
    agent_name: str = NOT_SENT
    id: str
    organization_id: str = NOT_SENT
    payee_org_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    price: Amount = NOT_SENT
    currency: str = NOT_SENT
    validation_threshold: Amount | None = NOT_SENT
    signatories: list[str] = NOT_SENT
    required_signatures: int = NOT_SENT
    operator_approvals: bool = NOT_SENT
    fund_within: str = NOT_SENT
    deliver_within: str = NOT_SENT
    review_period: str = NOT_SENT
    evidence_period: str = NOT_SENT
    decision_period: str = NOT_SENT
    default_grace: str = NOT_SENT
    dispute_default_payee_share: Amount = NOT_SENT
    commission_bps: int = NOT_SENT
    commission_rule: str = NOT_SENT
    level: str | None = NOT_SENT
    milestones: list[ContractMilestoneView] = NOT_SENT
    status: ContractStatus = NOT_SENT
    outside_listing: list[str] = NOT_SENT
    accept_by: datetime | None = NOT_SENT
    accepted_at: datetime | None = NOT_SENT
    accepted_by: str | None = NOT_SENT
    open_by: datetime = NOT_SENT
    accepts_granted_credits: bool = NOT_SENT
    least_payout: MoneyView | None = NOT_SENT
    quote_id: str | None = NOT_SENT
    created_at: datetime = NOT_SENT


class ControlVersionView(Model):
    """A version of a control, and who made the change."""

    version: int = NOT_SENT
    parent_id: str | None = NOT_SENT
    status: ControlStatus = NOT_SENT
    limits: list[LimitTermsView] = NOT_SENT
    per_spend: Amount | None = NOT_SENT
    thresholds: list[Amount] = NOT_SENT
    starts_at: datetime | None = NOT_SENT
    ends_at: datetime | None = NOT_SENT
    changed_at: datetime = NOT_SENT
    changed_by: str = NOT_SENT
    reason: str | None = NOT_SENT


class ControlView(Model):
    """A spend control and the rest of its limits."""

    id: str
    organization_id: str = NOT_SENT
    subject: SubjectView = NOT_SENT
    parent_id: str | None = NOT_SENT
    path: list[str] = NOT_SENT
    currency: str = NOT_SENT
    time_zone: str = NOT_SENT
    week_starts: int = NOT_SENT
    status: ControlStatus = NOT_SENT
    version: int = NOT_SENT
    per_spend: Amount | None = NOT_SENT
    thresholds: list[Amount] = NOT_SENT
    starts_at: datetime | None = NOT_SENT
    ends_at: datetime | None = NOT_SENT
    created_at: datetime = NOT_SENT
    limits: list[SpendLimitView] = NOT_SENT


class ConversionView(Model):
    """Earnings that became credits."""

    id: str
    organization_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    kind: EarningsKind = NOT_SENT
    amount: Amount = NOT_SENT
    currency: str | None = None
    created_at: datetime = NOT_SENT


class CorrectionView(Model):
    """A correction: what a later month took back of a statement."""

    id: str
    number: str = NOT_SENT
    month: str = NOT_SENT
    amount: Amount = NOT_SENT
    tax: Amount = NOT_SENT


class CostList(Model):
    """The price of each action, by name."""

    data: list[ActionCostView] = NOT_SENT
    next_cursor: None = None


class CostVersionView(Model):
    """A price that the operator set for an action."""

    id: str
    action: str = NOT_SENT
    organization_id: str | None = NOT_SENT
    version: int = NOT_SENT
    cost: Amount | None = NOT_SENT
    note: str | None = NOT_SENT
    created_by: str | None = NOT_SENT
    created_at: datetime = NOT_SENT


class CostsByKindView(Model):
    """Costs by kind: what was spent, without invoices; recorded usage that was charged nowhere; and commission."""

    usage: Amount = NOT_SENT
    purchases: Amount = NOT_SENT
    subscriptions: Amount = NOT_SENT
    fees: Amount = NOT_SENT
    commission: Amount = NOT_SENT
    shared: Amount = NOT_SENT


class CountedSpendView(Model):
    """A spend, an escrow or a purchase that counts in a control."""

    id: str
    type: CountedType = NOT_SENT
    status: str = NOT_SENT
    action: str = NOT_SENT
    quantity: int = NOT_SENT
    amount: Amount = NOT_SENT
    currency: str = NOT_SENT
    captured: Amount = NOT_SENT
    released: Amount = NOT_SENT
    refunded: Amount = NOT_SENT
    counted: Amount = NOT_SENT
    agent_id: str | None = NOT_SENT
    department_id: str | None = NOT_SENT
    project_id: str | None = NOT_SENT
    run_id: str | None = NOT_SENT
    key_id: str | None = NOT_SENT
    principal: str | None = NOT_SENT
    at: datetime = NOT_SENT
    expires_at: datetime | None = NOT_SENT


class CounterpartyView(Model):
    """The other side of a transfer."""

    type: str = NOT_SENT
    account: str | None = NOT_SENT


class CreatorAccountView(Model):
    """The organization's account for payouts, as its provider last reported it."""

    organization_id: str = NOT_SENT
    provider: str = NOT_SENT
    account_id: str = NOT_SENT
    country: str = NOT_SENT
    status: str = NOT_SENT
    transfers_enabled: bool = NOT_SENT
    payouts_enabled: bool = NOT_SENT
    tax_profile: bool = NOT_SENT
    requirements: list[str] = NOT_SENT
    disabled_reason: str | None = NOT_SENT
    destination_last4: str | None = NOT_SENT
    destination_currency: str | None = NOT_SENT
    destination_changed_at: datetime | None = NOT_SENT
    held_until: datetime | None = NOT_SENT


class CreatorEarningsView(Model):
    """Earnings of an organization's agents, by agent and asset, newest agents first."""

    organization_id: str = NOT_SENT
    start_date: str | None = NOT_SENT
    end_date: str | None = NOT_SENT
    payable: list[PayableView] = NOT_SENT
    data: list[AgentEarningsView] = NOT_SENT
    next_cursor: str | None = None


class CreatorTotalView(Model):
    """Payouts to a creator in a quarter or a year, in one currency."""

    organization_id: str = NOT_SENT
    country: str | None = NOT_SENT
    currency: str = NOT_SENT
    period: str = NOT_SENT
    paid_out: Amount = NOT_SENT
    reversed: Amount = NOT_SENT
    payouts: int = NOT_SENT


class CreatorTotals(Model):
    """Payouts to creators in a year."""

    year: int = NOT_SENT
    data: list[CreatorTotalView] = NOT_SENT


class CreditCostView(Model):
    """The money paid for credits."""

    amount: Amount = NOT_SENT
    currency: str = NOT_SENT


class CreditLotView(Model):
    """Credits that an organization received at one time, and the remaining ones."""

    id: str
    organization_id: str = NOT_SENT
    source: LotSource = NOT_SENT
    amount: Amount = NOT_SENT
    remaining: Amount = NOT_SENT
    held: Amount = NOT_SENT
    expired: Amount = NOT_SENT
    expires_at: datetime | None = NOT_SENT
    priority: int = NOT_SENT
    cost: Amount | None = NOT_SENT
    cost_currency: str | None = NOT_SENT
    payment_id: str | None = NOT_SENT
    transfer_id: str = NOT_SENT
    created_at: datetime = NOT_SENT


class CreditNoteView(Model):
    """A credit note. Amounts are decimal strings of the invoice's currency."""

    id: str
    number: str = NOT_SENT
    invoice_id: str = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    net: Amount = NOT_SENT
    tax: Amount = NOT_SENT
    returned_credits: Amount = NOT_SENT
    reason: str = NOT_SENT
    issued_at: datetime = NOT_SENT
    transfer_id: str = NOT_SENT


class CreditStats(Model):
    """Credits that an organization has received and used since it was created."""

    organization_id: str = NOT_SENT
    currency: str | None = None
    available: Amount = NOT_SENT
    reserved: Amount = NOT_SENT
    purchased: Amount = NOT_SENT
    granted: Amount = NOT_SENT
    rewarded: Amount = NOT_SENT
    earned: Amount = NOT_SENT
    used: Amount = NOT_SENT
    refunded: Amount = NOT_SENT
    expired: Amount = NOT_SENT
    burn_rate: Amount = NOT_SENT
    burn_days: int = NOT_SENT
    days_left: int | None = NOT_SENT


class CurrencyCostView(Model):
    """The exact cost of usage in a currency; amounts have up to twelve decimals."""

    currency: str = NOT_SENT
    cost: Amount = NOT_SENT
    creator_share: Amount = NOT_SENT
    platform_share: Amount = NOT_SENT


class CurrencyResultView(Model):
    """Profit and loss in one currency."""

    currency: str = NOT_SENT
    revenue: SectionView = NOT_SENT
    expenses: SectionView = NOT_SENT
    result: Amount = NOT_SENT
    provider_cost: Amount = NOT_SENT


class CurrencySheetView(Model):
    """A balance sheet in one currency. Assets equal liabilities, equity and result."""

    currency: str = NOT_SENT
    assets: SectionView = NOT_SENT
    liabilities: SectionView = NOT_SENT
    equity: SectionView = NOT_SENT
    result: Amount = NOT_SENT


class CustomTerms(Model):
    """A multiplier from an expression in a subset of CEL. It returns basis points: 12000 is 1.2 times the price."""

    type: Literal["custom"] | str = NOT_SENT
    expression: str = NOT_SENT


class CustomerView(Model):
    """The organization's customer at Stripe."""

    organization_id: str = NOT_SENT
    provider: str = NOT_SENT
    customer_id: str = NOT_SENT


class DeadlinesView(Model):
    """The deadlines of the current state; null when a deadline does not apply."""

    fund_by: datetime | None = NOT_SENT
    deliver_by: datetime | None = NOT_SENT
    review_by: datetime | None = NOT_SENT


class DeclineView(Model):
    """Why a provider or a bank declined the payment."""

    code: str = NOT_SENT
    detail: str = NOT_SENT


class DefaultsPage(Model):
    """DefaultsPage."""

    data: list[DefaultsView] = NOT_SENT
    next_cursor: str | None = None


class DefaultsView(Model):
    """The default timing of a notification type, by role."""

    type: str = NOT_SENT
    description: str = NOT_SENT
    must_reach: bool = NOT_SENT
    audience: list[Role] = NOT_SENT
    roles: dict[str, Literal["inbox", "instant", "hourly", "daily", "weekly"] | str] = NOT_SENT
    changed: bool = NOT_SENT


class DeliveryView(Model):
    """The latest delivery; `number` counts the deliveries of the escrow from 1."""

    number: int = NOT_SENT
    artifacts: list[dict[str, str | None]] = NOT_SENT
    note: str | None = NOT_SENT
    milestone: str | None = NOT_SENT
    delivered_at: datetime = NOT_SENT


class DepartmentLimitView(Model):
    """A limit of a department and its rest."""

    limit: Amount = NOT_SENT
    spent: Amount = NOT_SENT
    remaining: Amount = NOT_SENT
    resets_at: datetime = NOT_SENT


class DepartmentLimitsView(Model):
    """The limits of a department in credits; null if there is no such limit."""

    department_id: str = NOT_SENT
    control_id: str | None = NOT_SENT
    daily: DepartmentLimitView | None = NOT_SENT
    monthly: DepartmentLimitView | None = NOT_SENT


class DepartmentView(Model):
    """A department."""

    id: str
    organization_id: str = NOT_SENT
    name: str = NOT_SENT
    parent_id: str | None = NOT_SENT
    path: list[str] = NOT_SENT
    created_at: datetime = NOT_SENT
    closed_at: datetime | None = NOT_SENT


class DepositView(Model):
    """Deposit address and amount of coins to send. If there is a `memo`, send it with them."""

    chain: str = NOT_SENT
    asset: str = NOT_SENT
    address: str = NOT_SENT
    amount: Amount = NOT_SENT
    memo: str | None = NOT_SENT
    uri: str | None = NOT_SENT


class DiscrepancyCorrectionView(Model):
    """The correction to book in one currency, signed as the provider's balance moves. `net` is amount less fee."""

    amount: Amount = NOT_SENT
    fee: Amount = NOT_SENT
    net: Amount = NOT_SENT
    currency: str = NOT_SENT


class DiscrepancyView(Model):
    """A movement that differs between the provider and the books."""

    id: str
    provider: str = NOT_SENT
    key: str = NOT_SENT
    kind: str = NOT_SENT
    status: DiscrepancyStatus = NOT_SENT
    movement: str = NOT_SENT
    booked: list[SideView] = NOT_SENT
    listed: SideView | None = NOT_SENT
    corrections: list[DiscrepancyCorrectionView] = NOT_SENT
    reference: str | None = NOT_SENT
    statement_line: str | None = NOT_SENT
    payment_id: str | None = NOT_SENT
    run_id: str = NOT_SENT
    first_seen_at: datetime = NOT_SENT
    last_seen_at: datetime = NOT_SENT
    resolution: str | None = NOT_SENT
    note: str | None = NOT_SENT
    resolved_by: str | None = NOT_SENT
    resolved_at: datetime | None = NOT_SENT
    transfer_id: str | None = NOT_SENT


class DisputeView(Model):
    """The dispute, its deadlines, and how it ended."""

    opened_by: str = NOT_SENT
    reason: str = NOT_SENT
    opened_at: datetime = NOT_SENT
    evidence: list[EvidenceView] = NOT_SENT
    evidence_until: datetime = NOT_SENT
    decide_by: datetime = NOT_SENT
    default_at: datetime = NOT_SENT
    default_payee_share: Amount = NOT_SENT
    resolved_by: str | None = NOT_SENT
    payee_share: Amount | None = NOT_SENT
    resolution_note: str | None = NOT_SENT
    resolved_at: datetime | None = NOT_SENT


class DistributionView(Model):
    """The distribution of rank scores of agents with evidence, as counted last night, without names."""

    dimension: Dimension | None = NOT_SENT
    category: str | None = NOT_SENT
    as_of: date | None = NOT_SENT
    agents: int = NOT_SENT
    data: list[PartView] = NOT_SENT


class DryRunQuote(Model):
    """A quote whose price would change."""

    quote_id: str = NOT_SENT
    currency: str = NOT_SENT
    base_price: Amount = NOT_SENT
    before: Amount = NOT_SENT
    after: Amount = NOT_SENT


class DryRunTotal(Model):
    """The totals of all quotes in one currency."""

    currency: str = NOT_SENT
    quotes: int = NOT_SENT
    before: Amount = NOT_SENT
    after: Amount = NOT_SENT


class DryRunView(Model):
    """The changes that a rule would have made to past quotes."""

    quotes: int = NOT_SENT
    changed: int = NOT_SENT
    totals: list[DryRunTotal] = NOT_SENT
    examples: list[DryRunQuote] = NOT_SENT


class DueInvoiceView(Model):
    """An invoice that is not fully paid."""

    id: str
    number: str | None = NOT_SENT
    currency: str = NOT_SENT
    total: Amount = NOT_SENT
    due: Amount = NOT_SENT
    due_at: datetime = NOT_SENT


class EarnedView(Model):
    """An agent's earnings of one kind, in credits."""

    amount: Amount = NOT_SENT
    convertible: Amount = NOT_SENT
    next_convertible_at: datetime | None = None


class EarningsSummaryView(Model):
    """Balance of agents' earnings in one currency. The parts add up to `total`."""

    available: Amount = NOT_SENT
    pending: Amount = NOT_SENT
    pending_until: datetime | None = NOT_SENT
    frozen: Amount = NOT_SENT
    granted: Amount = NOT_SENT
    own_work: Amount = NOT_SENT
    total: Amount = NOT_SENT


class EarningsView(Model):
    """An agent's earnings in credits that were neither converted nor paid out."""

    agent_id: str = NOT_SENT
    agent_name: str = NOT_SENT
    currency: str | None = None
    granted: EarnedView = NOT_SENT
    own_work: EarnedView = NOT_SENT
    paid: EarnedView = NOT_SENT


class EconomicEntryView(Model):
    """An entry of the log: a purchase, use, earning or refusal of an agent."""

    id: str
    timestamp: datetime = NOT_SENT
    agent_id: str | None = NOT_SENT
    agent_name: str | None = NOT_SENT
    agent_external_id: str | None = NOT_SENT
    project: str | None = NOT_SENT
    project_id: str | None = NOT_SENT
    transaction_type: TransactionType = NOT_SENT
    object_id: str | None = NOT_SENT
    item: str = NOT_SENT
    amount: EntryAmountView = NOT_SENT
    payment_method: str | None = NOT_SENT
    status: str = NOT_SENT
    alternative_action: str | None = NOT_SENT
    reason: str | None = NOT_SENT
    budget_remaining: BudgetRemainingView = NOT_SENT


class EmergencyView(Model):
    """A declared emergency that has not ended."""

    reason: str = NOT_SENT
    until: datetime = NOT_SENT
    declared_by: str = NOT_SENT
    declared_at: datetime = NOT_SENT
    confirmed_by: str | None = NOT_SENT
    begun_at: datetime | None = NOT_SENT


class EntitlementCheck(Model):
    """A passed check. A failed check is refused with an error."""

    entitlement: Entitlement = NOT_SENT
    included: bool = NOT_SENT
    limit: int | None = NOT_SENT
    used: int | None = NOT_SENT
    organization_id: str = NOT_SENT
    plan: str = NOT_SENT
    allowed: bool | None = None


class EntitlementList(Model):
    """Entitlements of an organization."""

    organization_id: str = NOT_SENT
    plan: str = NOT_SENT
    data: list[EntitlementView] = NOT_SENT
    next_cursor: None = None


class EntitlementView(Model):
    """An organization's limit and use of one entitlement."""

    entitlement: Entitlement = NOT_SENT
    included: bool = NOT_SENT
    limit: int | None = NOT_SENT
    used: int | None = NOT_SENT


class EntryAmountView(Model):
    """An amount, never negative; the type of the entry gives the direction."""

    value: Amount = NOT_SENT
    currency: str = NOT_SENT


class EntryView(Model):
    """A side of a transfer."""

    account: str = NOT_SENT
    organization_id: str | None = NOT_SENT
    amount: Amount = NOT_SENT
    currency: str = NOT_SENT
    balance_after: Amount = NOT_SENT


class EscrowActionList(Model):
    """Every command of an escrow."""

    actions: list[EscrowActionView] = NOT_SENT


class EscrowActionView(Model):
    """A command: its effect if the caller may give it now, otherwise the reason why not."""

    action: EscrowAction = NOT_SENT
    allowed: bool = NOT_SENT
    reason: ReasonView | None = NOT_SENT
    effect: EscrowEffectView | None = NOT_SENT


class EscrowEffectView(Model):
    """Movements of a command, and the status after it. Amounts are decimal strings of `currency`."""

    funded: Amount = NOT_SENT
    to_agent: Amount = NOT_SENT
    commission: Amount = NOT_SENT
    to_payer: Amount = NOT_SENT
    held: Amount = NOT_SENT
    currency: str = NOT_SENT
    status: EscrowStatus = NOT_SENT


class EscrowEventView(Model):
    """An event of an escrow: kind, actor, time, the status after it, and its ledger transfer."""

    number: int = NOT_SENT
    kind: str = NOT_SENT
    status: EscrowStatus = NOT_SENT
    actor: str = NOT_SENT
    at: datetime = NOT_SENT
    recorded_at: datetime = NOT_SENT
    transfer_id: str | None = NOT_SENT
    details: dict[str, Any] = NOT_SENT


class EscrowMilestoneView(Model):
    """A milestone: a part of the work with its own amount."""

    name: str = NOT_SENT
    amount: Amount = NOT_SENT
    status: Literal["pending", "delivered", "released"] | str = NOT_SENT


class EscrowSummaryView(Model):
    """An escrow that holds money."""

    id: str
    contract_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: str = NOT_SENT
    status: str = NOT_SENT
    amount: Amount = NOT_SENT
    currency: str = NOT_SENT
    until: datetime | None = NOT_SENT


class EscrowView(Model):
    """An escrow. In every final state `released + refunded + commission = funded`; amounts are decimal strings."""

    external_id: str | None = NOT_SENT
    metadata: dict[str, str] = NOT_SENT
    title: str = NOT_SENT
    payer_name: str = NOT_SENT
    payee_name: str = NOT_SENT
    agent_name: str = NOT_SENT
    id: str
    contract_id: str = NOT_SENT
    status: EscrowStatus = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    funded_amount: Amount = NOT_SENT
    granted_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    commission_amount: Amount = NOT_SENT
    commission_bps: int = NOT_SENT
    payer_org_id: str = NOT_SENT
    payee_org_id: str = NOT_SENT
    payee_agent_id: str = NOT_SENT
    signatories: list[str] = NOT_SENT
    required_signatures: int = NOT_SENT
    signatures: list[SignatureView] = NOT_SENT
    validation_threshold: Amount | None = NOT_SENT
    validation_score: Amount | None = NOT_SENT
    milestones: list[EscrowMilestoneView] = NOT_SENT
    delivery: DeliveryView | None = NOT_SENT
    deadlines: DeadlinesView = NOT_SENT
    dispute: DisputeView | None = NOT_SENT
    cancel_requested_by: str | None = NOT_SENT
    story: str = NOT_SENT
    workflow_id: str = NOT_SENT
    version: int = NOT_SENT
    created_at: datetime = NOT_SENT
    updated_at: datetime = NOT_SENT


class EstimateLine(Model):
    """The cost of a unit of a call."""

    model: str = NOT_SENT
    unit: str = NOT_SENT
    quantity: int = NOT_SENT
    unit_price: Amount = NOT_SENT
    amount: Amount = NOT_SENT
    estimated: bool = NOT_SENT
    priced_as: str = NOT_SENT


class EstimateView(Model):
    """The exact cost of usage. The shares add up to the cost."""

    currency: str = NOT_SENT
    cost: Amount = NOT_SENT
    creator_share: Amount = NOT_SENT
    platform_share: Amount = NOT_SENT
    credits: Amount | None = NOT_SENT
    priced_at: MoneyView | None = NOT_SENT
    rated_by: str = NOT_SENT
    price_ref: str = NOT_SENT
    usage: dict[str, Any] | None = NOT_SENT
    lines: list[EstimateLine] = NOT_SENT


class EventChargeView(Model):
    """The charge of an event."""

    status: Literal["due", "waiting", "charged", "void"] | str = NOT_SENT
    waits_for: str | None = NOT_SENT
    amount: Amount | None = NOT_SENT
    spend_id: str | None = NOT_SENT
    charged_at: datetime | None = NOT_SENT


class EventResult(Model):
    """The outcome of an event."""

    status: EventStatus = NOT_SENT
    id: str | None
    source: str | None = NOT_SENT
    event_id: str | None = NOT_SENT
    code: str | None = None
    detail: str | None = None


class EventTypeView(Model):
    """A type of events."""

    type: str = NOT_SENT
    description: str = NOT_SENT
    data_schema: dict[str, Any] = NOT_SENT
    example: dict[str, Any] = NOT_SENT


class EventsView(Model):
    """The outcome of the events of a request. Accepted events are stored permanently."""

    accepted: int = NOT_SENT
    duplicates: int = NOT_SENT
    invalid: int = NOT_SENT
    events: list[EventResult] = NOT_SENT


class EvidenceView(Model):
    """A piece of evidence."""

    submitted_by: str = NOT_SENT
    note: str = NOT_SENT
    artifacts: list[dict[str, str | None]] = NOT_SENT
    submitted_at: datetime = NOT_SENT


class ExchangeRateView(Model):
    """A rate as it was set or read."""

    base: str = NOT_SENT
    quote: str = NOT_SENT
    rate: Amount = NOT_SENT
    starts_at: datetime = NOT_SENT
    ends_at: datetime = NOT_SENT
    source: str = NOT_SENT


class ExpiringLotView(Model):
    """Credits that expire."""

    amount: Amount = NOT_SENT
    currency: str | None = None
    expires_at: datetime = NOT_SENT


class ExpiringView(Model):
    """Credits that expire."""

    amount: Amount = NOT_SENT
    expires_at: datetime = NOT_SENT


class ExportFileView(Model):
    """A finished file."""

    number: int = NOT_SENT
    name: str = NOT_SENT
    rows: int = NOT_SENT
    bytes: int = NOT_SENT
    sha256: str = NOT_SENT
    sums: dict[str, Amount] = NOT_SENT
    url: str = NOT_SENT


class ExportView(Model):
    """An export and its progress. In a list, `files` is empty."""

    id: str
    organization_id: str | None = NOT_SENT
    dataset: Dataset = NOT_SENT
    format_: ExportFormat = Field(NOT_SENT, alias="format")
    from_: datetime = Field(NOT_SENT, alias="from")
    to: datetime = NOT_SENT
    status: ExportStatus = NOT_SENT
    rows_done: int = NOT_SENT
    files: list[ExportFileView] = NOT_SENT
    sums: dict[str, Amount] = NOT_SENT
    created_by: str = NOT_SENT
    created_at: datetime = NOT_SENT
    finished_at: datetime | None = NOT_SENT
    expires_at: datetime | None = NOT_SENT


class ExposureView(Model):
    """The limit of an organization's unsettled work in one currency, and its amount now."""

    currency: str = NOT_SENT
    limit: Amount = NOT_SENT
    unsettled: Amount = NOT_SENT
    left: Amount = NOT_SENT


class FactObjectView(Model):
    """The object of a fact, as far as the organization may read it."""

    type: str = NOT_SENT
    id: str
    name: str | None = NOT_SENT
    amount: Amount | None = NOT_SENT
    currency: str | None = NOT_SENT


class FactView(Model):
    """A fact: a transfer as the organization sees it, or all transfers of an escrow or a payout.

    `GET /ledger/transfers/{id}` has the entries of the last transfer.
    """

    id: str
    kind: str = NOT_SENT
    category: Category = NOT_SENT
    status: FactStatus = NOT_SENT
    object: FactObjectView | None = NOT_SENT
    agent_id: str | None = NOT_SENT
    agent_name: str | None = NOT_SENT
    payee_agent_id: str | None = NOT_SENT
    payee_agent_name: str | None = NOT_SENT
    principal: str | None = NOT_SENT
    changes: list[ChangeOfAssetView] = NOT_SENT
    started_at: datetime = NOT_SENT
    effective_at: datetime = NOT_SENT
    recorded_at: datetime = NOT_SENT


class FailureView(Model):
    """An organization that could not be invoiced."""

    organization_id: str = NOT_SENT
    code: str = NOT_SENT


class FeedbackView(Model):
    """Feedback. Only its two parties and the platform see who gave it, and on which contract."""

    id: str
    contract_id: str | None = NOT_SENT
    agent_id: str = NOT_SENT
    agent_name: str | None = NOT_SENT
    organization_id: str | None = NOT_SENT
    organization_name: str | None = NOT_SENT
    ratings: dict[str, int] = NOT_SENT
    comment: str | None = NOT_SENT
    event_id: str | None = NOT_SENT
    created_at: datetime = NOT_SENT
    changed_at: datetime | None = NOT_SENT


class ForecastPointView(Model):
    """A day of a forecast."""

    at: date = NOT_SENT
    value: Amount = NOT_SENT
    intervals: list[IntervalView] = NOT_SENT


class ForecastView(Model):
    """A forecast of a metric by day, in UTC, from today on."""

    organization_id: str | None = NOT_SENT
    metric: ForecastMetric = NOT_SENT
    agent_id: str | None = NOT_SENT
    currency: str | None = NOT_SENT
    left_out: list[str] = NOT_SENT
    as_of: datetime = NOT_SENT
    points: list[ForecastPointView] = NOT_SENT
    method: Method = NOT_SENT
    backtest: BacktestView = NOT_SENT
    runs_out_at: date | None = NOT_SENT
    runs_out_earliest: date | None = NOT_SENT
    runs_out_latest: date | None = NOT_SENT
    changes: list[BalanceChangeView] = NOT_SENT


class FreeOptionPage(Model):
    """FreeOptionPage."""

    data: list[FreeOptionView] = NOT_SENT
    next_cursor: str | None = None


class FreeOptionView(Model):
    """A free option, with the used part of its quota."""

    id: str
    organization_id: str = NOT_SENT
    name: str = NOT_SENT
    category: str = NOT_SENT
    address: str | None = NOT_SENT
    quota: int | None = NOT_SENT
    quota_window: QuotaWindow | None = NOT_SENT
    used: int = NOT_SENT
    updated_by: str = NOT_SENT
    updated_at: datetime = NOT_SENT


class HeaderView(Model):
    """A header of an answer."""

    name: str = NOT_SENT
    value: str = NOT_SENT


class HistoryView(Model):
    """An agent's overall score after the nightly count of a date. Dates on which it did not change are left out."""

    day: date = NOT_SENT
    score: Decimal = NOT_SENT
    low: Decimal = NOT_SENT
    high: Decimal = NOT_SENT
    change: Decimal = NOT_SENT
    rank_score: Decimal = NOT_SENT
    evidence_count: int = NOT_SENT
    dimensions: dict[str, Decimal] = NOT_SENT
    is_sudden: bool = NOT_SENT


class InboxEventView(Model):
    """A webhook that a provider has sent, without its content: the object is read at the provider."""

    id: str
    provider: str = NOT_SENT
    event_id: str = NOT_SENT
    type: str = NOT_SENT
    status: str = NOT_SENT
    payment_id: str | None = NOT_SENT
    references: list[str] = NOT_SENT
    livemode: bool = NOT_SENT
    occurred_at: datetime = NOT_SENT
    received_at: datetime = NOT_SENT
    handled_at: datetime | None = NOT_SENT


class InsightActView(Model):
    """The API call that applies the advice, without fields that only the caller knows, such as the payment method."""

    method: str = NOT_SENT
    path: str = NOT_SENT
    body: dict[str, str] = NOT_SENT


class InsightTakeView(Model):
    """The proposal of applied advice."""

    status: Literal["proposed", "approved"] | str = NOT_SENT
    purchase_order_id: str | None = NOT_SENT
    policy_scope: PolicyScope | None = NOT_SENT
    policy_subject_id: str | None = NOT_SENT
    policy_change: str | None = NOT_SENT
    taken_by: str = NOT_SENT
    taken_at: datetime = NOT_SENT
    approved_by: str | None = NOT_SENT
    approved_at: datetime | None = NOT_SENT


class InsightView(Model):
    """A piece of advice about last month."""

    id: str
    kind: AdviceKind = NOT_SENT
    meaning: AmountMeaning = NOT_SENT
    amount: Amount = NOT_SENT
    currency: str = NOT_SENT
    title: str = NOT_SENT
    how: list[str] = NOT_SENT
    figures: dict[str, str | int] = NOT_SENT
    act: InsightActView = NOT_SENT
    takes: Literal["purchase_order", "payment_policy"] | str | None = NOT_SENT
    taken: InsightTakeView | None = NOT_SENT
    link: str = NOT_SENT


class InsightsView(Model):
    """The advice about last month, the most important first."""

    organization_id: str = NOT_SENT
    month: date = NOT_SENT
    spending: list[SpentInView] = NOT_SENT
    data: list[InsightView] = NOT_SENT


class IntervalView(Model):
    """A prediction interval."""

    level: int = NOT_SENT
    low: Amount = NOT_SENT
    high: Amount = NOT_SENT


class InvitationView(Model):
    """An invitation that was mailed."""

    id: str
    organization_id: str = NOT_SENT
    email: str = NOT_SENT
    role: Role = NOT_SENT
    invited_by: str = NOT_SENT
    created_at: datetime = NOT_SENT
    expires_at: datetime | None = NOT_SENT


class InvoiceDiscountView(Model):
    """A discount on the whole invoice."""

    description: str = NOT_SENT
    amount: Amount | None = NOT_SENT
    share: Amount | None = NOT_SENT
    taken: Amount | None = NOT_SENT


class InvoiceItemView(Model):
    """A one-time invoice item."""

    id: str
    organization_id: str = NOT_SENT
    currency: str = NOT_SENT
    description: str = NOT_SENT
    quantity: int = NOT_SENT
    unit_amount: Amount = NOT_SENT
    amount: Amount = NOT_SENT
    status: InvoiceItemStatus = NOT_SENT
    invoice_id: str | None = NOT_SENT
    created_at: datetime = NOT_SENT


class InvoiceLineView(Model):
    """A line of an invoice."""

    description: str = NOT_SENT
    quantity: int = NOT_SENT
    unit_amount: Amount = NOT_SENT
    amount: Amount = NOT_SENT
    discount: Amount = NOT_SENT
    net: Amount = NOT_SENT
    tax: str | None = NOT_SENT
    tax_category: str | None = NOT_SENT
    tax_rate: Amount | None = NOT_SENT
    tax_code: str = NOT_SENT
    period_start: datetime | None = NOT_SENT
    period_end: datetime | None = NOT_SENT


class InvoiceView(Model):
    """An invoice. Amounts are decimal strings of its currency."""

    external_id: str | None = NOT_SENT
    metadata: dict[str, str] = NOT_SENT
    id: str
    number: str | None = NOT_SENT
    organization_id: str = NOT_SENT
    status: InvoiceStatus = NOT_SENT
    overdue: bool = NOT_SENT
    currency: str = NOT_SENT
    subtotal: Amount = NOT_SENT
    tax: Amount = NOT_SENT
    total: Amount = NOT_SENT
    granted_credits: Amount = NOT_SENT
    taxed_credits: Amount = NOT_SENT
    applied_credits: Amount = NOT_SENT
    rounding: Amount = NOT_SENT
    credited: Amount = NOT_SENT
    written_off: Amount = NOT_SENT
    paid: Amount = NOT_SENT
    due: Amount = NOT_SENT
    paused_for: PausedFor | None = NOT_SENT
    includes_tax: bool = NOT_SENT
    lines: list[InvoiceLineView] = NOT_SENT
    discounts: list[InvoiceDiscountView] = NOT_SENT
    taxes: list[TaxView] = NOT_SENT
    note: str | None = NOT_SENT
    issued_at: datetime = NOT_SENT
    due_at: datetime = NOT_SENT
    updated_at: datetime = NOT_SENT
    discarded_at: datetime | None = NOT_SENT
    transfer_id: str | None = NOT_SENT


class ItemAnswer(Model):
    """The answer to one use: that of `POST /credits/use`, or why it was refused."""

    key: str | None = NOT_SENT
    status: str = NOT_SENT
    replayed: bool = NOT_SENT
    id: str | None = None
    amount: Amount | None = None
    available: Amount | None = None
    error: dict[str, Any] | None = None


class JournalEntryView(Model):
    """A side of a transfer. One of debit and credit is null."""

    account: str = NOT_SENT
    line: str = NOT_SENT
    debit: Amount | None = NOT_SENT
    credit: Amount | None = NOT_SENT
    currency: str = NOT_SENT


class JournalTransferView(Model):
    """A transfer with all of its entries."""

    id: str
    kind: str = NOT_SENT
    reference: str | None = NOT_SENT
    organization_id: str | None = NOT_SENT
    effective_at: datetime = NOT_SENT
    recorded_at: datetime = NOT_SENT
    entries: list[JournalEntryView] = NOT_SENT


class LadderStepView(Model):
    """A step of an escalation: the role to notify if the alert is still unanswered."""

    role: Role = NOT_SENT
    after: str | None = NOT_SENT


class LadderView(Model):
    """The current levels."""

    version: int = NOT_SENT
    levels: list[LevelBody] = NOT_SENT
    created_by: str | None = NOT_SENT
    created_at: datetime | None = NOT_SENT


class LeaderView(Model):
    """A place on the leaderboard."""

    rank: int = NOT_SENT
    agent_id: str = NOT_SENT
    name: str = NOT_SENT
    picture_url: str | None = NOT_SENT
    score: Decimal = NOT_SENT
    rank_score: Decimal = NOT_SENT
    evidence_count: int = NOT_SENT


class LeaderboardView(Model):
    """The agents that rank highest, in descending order."""

    dimension: Dimension | None = NOT_SENT
    category: str | None = NOT_SENT
    period: Period = NOT_SENT
    minimum_evidence: MinimumEvidence = NOT_SENT
    data: list[LeaderView] = NOT_SENT


class LeftView(Model):
    """A pool of a budget in its present window."""

    amount: Amount = NOT_SENT
    remaining: Amount = NOT_SENT
    currency: str = NOT_SENT
    window: Window = NOT_SENT
    resets_at: datetime | None = NOT_SENT


class LevelBody(Model):
    """A level of reputation and its terms."""

    name: str = NOT_SENT
    from_score: Amount | None = None
    least_evidence: int | None = None
    commission_bps: int | None = None
    escrow_limits: dict[str, Amount] | None = None
    exposure_limits: dict[str, Amount] | None = None
    priority: int | None = None
    entitlements: list[str] | None = None
    hold_back_days: int | None = None


class LiftView(Model):
    """A window of a budget that a grant lifts for this purchase."""

    budget_id: str = NOT_SENT
    window: Window = NOT_SENT


class LimitTermsView(Model):
    """A limit in a version of a control."""

    window: Window = NOT_SENT
    amount: Amount | None = NOT_SENT
    uses: int | None = NOT_SENT
    hard: bool = NOT_SENT


class LimitsView(Model):
    """The limits of an organization, and how much of them it uses."""

    organization_id: str = NOT_SENT
    tier: str = NOT_SENT
    projects: ProjectLimitView = NOT_SENT
    deployments: ProjectLimitView = NOT_SENT
    slots: SlotsView = NOT_SENT
    slot_price: MoneyView = NOT_SENT


class LinkPreview(Model):
    """The principal for which a link would open a session."""

    principal: str = NOT_SENT
    role: Role = NOT_SENT
    organization: NamedOrganization | None = NOT_SENT
    made_by: str = NOT_SENT
    by_mail: bool = NOT_SENT
    expires_at: datetime = NOT_SENT
    path: str = NOT_SENT
    return_url: str | None = NOT_SENT


class LinkView(Model):
    """A link, without its address."""

    id: str
    organization_id: str = NOT_SENT
    principal: str = NOT_SENT
    role: Role = NOT_SENT
    agent_id: str | None = NOT_SENT
    path: str = NOT_SENT
    return_url: str | None = NOT_SENT
    made_by: str = NOT_SENT
    created_at: datetime = NOT_SENT
    expires_at: datetime = NOT_SENT
    used_at: datetime | None = NOT_SENT


class Liveness(Model):
    """The process answers."""

    status: Literal["ok"] | str = NOT_SENT


class LotView(Model):
    """A granted lot of credits."""

    external_id: str | None = NOT_SENT
    metadata: dict[str, str] = NOT_SENT
    id: str
    organization_id: str = NOT_SENT
    amount: Amount = NOT_SENT
    source: GrantSource = NOT_SENT
    expires_at: datetime | None = NOT_SENT
    note: str | None = NOT_SENT
    transfer_id: str = NOT_SENT
    created_at: datetime = NOT_SENT


class MadeOfView(Model):
    """The list endpoint with the items of a figure."""

    figure: str = NOT_SENT
    path: str = NOT_SENT


class MailSuppressionView(Model):
    """A suppressed mail address."""

    id: str
    address: str = NOT_SENT
    status: str = NOT_SENT
    suppressed_at: datetime = NOT_SENT
    lifted_at: datetime | None = NOT_SENT
    lifted_by: str | None = NOT_SENT


class MarksView(Model):
    """The mark of each topic, which grows when something in the topic changes.

    0 also for topics that you may not follow.
    """

    agents: int = NOT_SENT
    alerts: int = NOT_SENT
    balance: int = NOT_SENT
    contracts: int = NOT_SENT
    credits: int = NOT_SENT
    disputes: int = NOT_SENT
    escrows: int = NOT_SENT
    invoices: int = NOT_SENT
    limits: int = NOT_SENT
    organization: int = NOT_SENT
    payments: int = NOT_SENT
    payouts: int = NOT_SENT
    projects: int = NOT_SENT
    purchase_orders: int = NOT_SENT
    purchases: int = NOT_SENT
    reports: int = NOT_SENT
    risk_cases: int = NOT_SENT
    subscriptions: int = NOT_SENT
    webhook_endpoints: int = NOT_SENT


class MeAgent(Model):
    """The agent that a key acts for."""

    id: str
    name: str = NOT_SENT


class MeOrganization(Model):
    """The organization of the caller."""

    id: str
    name: str = NOT_SENT
    tier: str = NOT_SENT
    logo_url: str | None = NOT_SENT


class MePreferences(Model):
    """The locale and the time zone of a principal."""

    locale: Locale | None = NOT_SENT
    time_zone: str | None = NOT_SENT


class MeSession(Model):
    """The session of a request."""

    id: str
    expires_at: datetime = NOT_SENT
    idle_at: datetime = NOT_SENT
    made_by: str | None = NOT_SENT


class MeView(Model):
    """The caller, and its permissions."""

    locale: Locale | None = NOT_SENT
    time_zone: str | None = NOT_SENT
    principal: str = NOT_SENT
    role: Role = NOT_SENT
    permissions: list[Permission] = NOT_SENT
    organization: MeOrganization | None = NOT_SENT
    agent: MeAgent | None = NOT_SENT
    confined: bool = NOT_SENT
    session: MeSession | None = NOT_SENT
    key_id: str | None = NOT_SENT
    environment: Environment = NOT_SENT
    unread: int | None = NOT_SENT
    marks: MarksView | None = NOT_SENT


class MeterLine(Model):
    """The count of a meter for a group."""

    group: str | None = NOT_SENT
    events: int = NOT_SENT
    quantity: Amount = NOT_SENT


class MeterUsageView(Model):
    """The counts of a meter for an organization, in whole days in UTC."""

    meter: MeterView = NOT_SENT
    organization_id: str = NOT_SENT
    start_date: str = NOT_SENT
    end_date: str = NOT_SENT
    total: MeterLine = NOT_SENT
    cost: Amount | None = NOT_SENT
    data: list[MeterLine] = NOT_SENT


class MeterView(Model):
    """A meter."""

    id: str
    organization_id: str | None = NOT_SENT
    name: str = NOT_SENT
    event_type: str = NOT_SENT
    aggregation: Aggregation = NOT_SENT
    property: str | None = NOT_SENT
    dimensions: list[str] = NOT_SENT
    price: dict[str, Any] | None = NOT_SENT
    currency: str | None = NOT_SENT
    created_at: datetime = NOT_SENT
    charged_at: datetime | None = NOT_SENT
    closed_at: datetime | None = NOT_SENT


class MethodFeeView(Model):
    """The expected fee of a payment."""

    share: Amount = NOT_SENT
    fixed: Amount | None = NOT_SENT
    currency: str | None = NOT_SENT


class MetricDefinitionView(Model):
    """A metric that can be queried."""

    name: str = NOT_SENT
    description: str = NOT_SENT
    unit: MetricUnit = NOT_SENT
    formula: str = NOT_SENT
    dimensions: list[str] = NOT_SENT
    one_dimension: bool = NOT_SENT
    utc_days: bool = NOT_SENT


class MetricView(Model):
    """A metric that rules can watch."""

    name: str = NOT_SENT
    description: str = NOT_SENT
    unit: Unit = NOT_SENT
    conditions: list[ConditionType] = NOT_SENT
    filters: list[str] = NOT_SENT
    required_filters: list[str] = NOT_SENT


class MetricsView(Model):
    """The metrics that the caller can query."""

    data: list[MetricDefinitionView] = NOT_SENT


class ModelComparisonView(Model):
    """The effect of choosing `b` instead of `a` on a run, within the same kind of task and size of input."""

    organization_id: str = NOT_SENT
    start_date: date = NOT_SENT
    end_date: date = NOT_SENT
    a: str = NOT_SENT
    b: str = NOT_SENT
    currency: str = NOT_SENT
    verdict: ComparisonVerdict = NOT_SENT
    randomised: bool = NOT_SENT
    results_a: int = NOT_SENT
    results_b: int = NOT_SENT
    compared_a: int = NOT_SENT
    compared_b: int = NOT_SENT
    groups: int = NOT_SENT
    cost_difference: ModelEstimateView | None = NOT_SENT
    success_difference: ModelEstimateView | None = NOT_SENT
    naive_success_difference: Amount | None = NOT_SENT
    cost_per_additional_success: Amount | None = NOT_SENT
    value: Amount | None = NOT_SENT


class ModelEstimateView(Model):
    """An estimate with its 95 % interval."""

    value: Amount = NOT_SENT
    low: Amount = NOT_SENT
    high: Amount = NOT_SENT


class ModelFigureView(Model):
    """The figures of a group in a currency; dimensions that it is not grouped by are null."""

    model: str | None = NOT_SENT
    mode: Mode | None = NOT_SENT
    task_kind: str | None = NOT_SENT
    provider: str | None = NOT_SENT
    family: str | None = NOT_SENT
    size: Size | None = NOT_SENT
    reasoning: bool | None = NOT_SENT
    currency: str | None = NOT_SENT
    calls: int = NOT_SENT
    estimated_calls: int = NOT_SENT
    tokens: int = NOT_SENT
    output_tokens: int = NOT_SENT
    cost: Amount = NOT_SENT
    cost_per_1000_tokens: Amount | None = NOT_SENT
    cost_per_call: Amount | None = NOT_SENT
    results: int = NOT_SENT
    accepted_results: int = NOT_SENT
    cost_per_accepted_result: Amount | None = NOT_SENT
    output_tokens_per_second: Amount | None = NOT_SENT
    score: Amount | None = NOT_SENT
    success: ModelEstimateView | None = NOT_SENT


class ModelFiguresView(Model):
    """Cost and success of models, in whole days in UTC."""

    organization_id: str = NOT_SENT
    start_date: date = NOT_SENT
    end_date: date = NOT_SENT
    by: list[Grouping] = NOT_SENT
    complete: bool = NOT_SENT
    self_reported: int = NOT_SENT
    data: list[ModelFigureView] = NOT_SENT


class MoneyView(Model):
    """An amount in a currency."""

    amount: Amount = NOT_SENT
    currency: str = NOT_SENT


class MoveView(Model):
    """An event, and how it changed the overall score."""

    event_id: str = NOT_SENT
    kind: FactKind = NOT_SENT
    at: datetime = NOT_SENT
    score_delta: Decimal = NOT_SENT


class MovementView(Model):
    """An entry of one account. A transfer between two accounts of the organization has two entries."""

    id: str
    kind: str = NOT_SENT
    amount: Amount = NOT_SENT
    currency: str = NOT_SENT
    balance_after: Amount = NOT_SENT
    account: str = NOT_SENT
    counterparties: list[str] = NOT_SENT
    reference: str | None = NOT_SENT
    effective_at: datetime = NOT_SENT
    recorded_at: datetime = NOT_SENT


class NamedOrganization(Model):
    """An organization by its name."""

    id: str
    name: str = NOT_SENT


class NamesView(Model):
    """The names of objects by their ids."""

    names: dict[str, str] = NOT_SENT


class NextChargeView(Model):
    """The charge of the next period."""

    at: datetime = NOT_SENT
    price: MoneyView = NOT_SENT


class NotificationView(Model):
    """A notification in the inbox."""

    id: str
    type: str = NOT_SENT
    subject: str = NOT_SENT
    title: str = NOT_SENT
    text: str = NOT_SENT
    names: dict[str, str] = NOT_SENT
    data: dict[str, Any] = NOT_SENT
    created_at: datetime = NOT_SENT
    read_at: datetime | None = NOT_SENT


class NotificationsReadView(Model):
    """The number of notifications marked as read."""

    read: int = NOT_SENT


class OfferView(Model):
    """The offer of an agent."""

    organization_name: str = NOT_SENT
    stars: Decimal | None = NOT_SENT
    ratings: int = NOT_SENT
    jobs_done: int = NOT_SENT
    median_delivery_seconds: int | None = NOT_SENT
    picture_url: str | None = NOT_SENT
    can_be_hired: bool = NOT_SENT
    agent_id: str = NOT_SENT
    name: str = NOT_SENT
    organization_id: str = NOT_SENT
    model: OfferModel = NOT_SENT
    price: Amount | None = NOT_SENT
    currency: str | None = NOT_SENT
    prices: dict[str, Amount] | None = NOT_SENT
    included_uses: int | None = NOT_SENT
    accepts_granted_credits: bool = NOT_SENT
    granted_amount: Amount | None = NOT_SENT
    summary: str = NOT_SENT
    category: str | None = NOT_SENT
    status: OfferStatus = NOT_SENT
    creator_share: Amount | None = NOT_SENT
    least_payout: MoneyView | None = NOT_SENT
    created_at: datetime = NOT_SENT
    changed_at: datetime = NOT_SENT


class OpenAlertView(Model):
    """An alert that is not resolved."""

    id: str
    kind: str = NOT_SENT
    severity: str = NOT_SENT
    subject: str = NOT_SENT
    detail: str = NOT_SENT
    raised_at: datetime = NOT_SENT


class OrganizationView(Model):
    """An organization."""

    external_id: str | None = NOT_SENT
    metadata: dict[str, str] = NOT_SENT
    id: str
    name: str = NOT_SENT
    tier: str = NOT_SENT
    status: OrganizationStatus = NOT_SENT
    status_reason: str | None = NOT_SENT
    status_changed_at: datetime | None = NOT_SENT
    timed_exits: TimedExits = NOT_SENT
    logo_url: str | None = NOT_SENT
    created_at: datetime = NOT_SENT


class OutboxEventView(Model):
    """An event for an organization, in a response or in a webhook."""

    id: str
    type: str = NOT_SENT
    organization_id: str = NOT_SENT
    subject: str = NOT_SENT
    subject_seq: int = NOT_SENT
    at: datetime = NOT_SENT
    data: dict[str, Any] = NOT_SENT


class PackageList(Model):
    """All packages, in the configured order."""

    data: list[PackageView] = NOT_SENT
    next_cursor: None = None


class PackageView(Model):
    """A number of credits at a fixed price."""

    id: str
    name: str = NOT_SENT
    credits: Amount = NOT_SENT
    price: MoneyView = NOT_SENT
    price_per_credit: MoneyView = NOT_SENT


class PaidView(Model):
    """The amount that one payment has paid of an invoice, less refunds."""

    payment_id: str = NOT_SENT
    amount: Amount = NOT_SENT


class PartView(Model):
    """The number of agents with a rank score within one part of the scale of 0 to 10."""

    from_: Decimal = Field(NOT_SENT, alias="from")
    to: Decimal = NOT_SENT
    agents: int = NOT_SENT


class PayableView(Model):
    """Value of earnings for payouts in one currency: the money received for them, less the platform's share."""

    currency: str = NOT_SENT
    available: Amount = NOT_SENT
    pending: Amount = NOT_SENT
    frozen: Amount = NOT_SENT


class PaymentActionList(Model):
    """Every command of a payment."""

    actions: list[PaymentActionView] = NOT_SENT


class PaymentActionView(Model):
    """A command: its effect if the caller may give it now, or the reason why not.

    It has both if a second operator has to approve: giving the command requests the approval.
    """

    action: PaymentAction = NOT_SENT
    allowed: bool = NOT_SENT
    reason: ReasonView | None = NOT_SENT
    effect: PaymentEffectView | None = NOT_SENT


class PaymentEffectView(Model):
    """Effect of a command. Amounts are decimal strings of `currency`."""

    captured: Amount = NOT_SENT
    released: Amount = NOT_SENT
    to_payer: Amount = NOT_SENT
    fee: Amount = NOT_SENT
    taken: MoneyView = NOT_SENT
    currency: str = NOT_SENT
    status: PaymentStatus | None = NOT_SENT


class PaymentEventView(Model):
    """An event of a payment: kind, actor, time, the status after it, and its ledger transfer."""

    number: int = NOT_SENT
    kind: str = NOT_SENT
    status: PaymentStatus = NOT_SENT
    actor: str = NOT_SENT
    at: datetime = NOT_SENT
    recorded_at: datetime = NOT_SENT
    transfer_id: str | None = NOT_SENT
    details: dict[str, Any] = NOT_SENT


class PaymentMethodList(Model):
    """All stored payment methods, the newest first."""

    data: list[PaymentMethodView] = NOT_SENT
    next_cursor: None = None


class PaymentMethodView(Model):
    """A stored payment method; only cards have an expiry."""

    id: str
    type: str = NOT_SENT
    brand: str | None = NOT_SENT
    last4: str | None = NOT_SENT
    exp_month: int | None = NOT_SENT
    exp_year: int | None = NOT_SENT
    is_default: bool = NOT_SENT


class PaymentPolicyView(Model):
    """A payment policy."""

    id: str | None
    organization_id: str = NOT_SENT
    subject: PolicySubjectView = NOT_SENT
    version: int = NOT_SENT
    currency: str = NOT_SENT
    free_first: FreeFirst = NOT_SENT
    free_first_above: Amount | None = NOT_SENT
    methods: list[MethodKind] = NOT_SENT
    order: list[MethodKind] = NOT_SENT
    crypto: PolicyCryptoView = NOT_SENT
    vendors: PolicyNamesView = NOT_SENT
    categories: PolicyNamesView = NOT_SENT
    per_purchase: Amount | None = NOT_SENT
    approval_above: Amount | None = NOT_SENT
    two_persons_above: Amount | None = NOT_SENT
    answer_within: str = NOT_SENT
    updated_by: str | None = NOT_SENT
    updated_at: datetime | None = NOT_SENT


class PaymentView(Model):
    """A payment. Amounts are decimal strings of its currency.

    `client_secret`, `approval_url` and `deposit` say what the payer has to do next. They are null when there is nothing to do, and for callers who may not pay.
    """

    external_id: str | None = NOT_SENT
    metadata: dict[str, str] = NOT_SENT
    id: str
    organization_id: str = NOT_SENT
    provider: ProviderName = NOT_SENT
    status: PaymentStatus = NOT_SENT
    purpose: PurposeKind = NOT_SENT
    amount: Amount = NOT_SENT
    currency: str = NOT_SENT
    tax: Amount | None = NOT_SENT
    received_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    disputed_amount: Amount = NOT_SENT
    refundable_amount: Amount = NOT_SENT
    goods: MoneyView = NOT_SENT
    granted: MoneyView = NOT_SENT
    owed: MoneyView = NOT_SENT
    escrow_id: str | None = NOT_SENT
    invoice_id: str | None = NOT_SENT
    agent_id: str | None = NOT_SENT
    package: str | None = NOT_SENT
    fulfilment: Fulfilment = NOT_SENT
    description: str = NOT_SENT
    capture_method: Literal["automatic", "manual"] | str = NOT_SENT
    client_secret: str | None = NOT_SENT
    approval_url: str | None = NOT_SENT
    deposit: DepositView | None = NOT_SENT
    seen_amount: Amount = NOT_SENT
    confirmations: int | None = NOT_SENT
    cancel_requested: bool = NOT_SENT
    quote: CoinQuoteView | None = NOT_SENT
    decline: DeclineView | None = NOT_SENT
    refunds: list[RefundView] = NOT_SENT
    story: str = NOT_SENT
    workflow_id: str = NOT_SENT
    version: int = NOT_SENT
    expires_at: datetime = NOT_SENT
    created_at: datetime = NOT_SENT
    updated_at: datetime = NOT_SENT


class PaymentsSummary(Model):
    """Counts by state and currency, and by provider. At most the newest 2,000 of each state are counted."""

    by_status: list[StatusCount] = NOT_SENT
    by_provider: list[ProviderCount] = NOT_SENT


class PayoutLineView(Model):
    """The part of a payout from the earnings of one agent."""

    agent_id: str = NOT_SENT
    asset: str = NOT_SENT
    amount: Amount = NOT_SENT
    paid: Amount = NOT_SENT


class PayoutPreview(Model):
    """Preview of a payout: available earnings and the account."""

    organization_id: str = NOT_SENT
    account: CreatorAccountView | None = NOT_SENT
    payable: list[PayableView] = NOT_SENT
    minimum: Amount = NOT_SENT
    refused: str | None = NOT_SENT
    detail: str | None = NOT_SENT


class PayoutScheduleView(Model):
    """The schedule of an organization's automatic payouts. Days are in UTC."""

    organization_id: str = NOT_SENT
    interval: str = NOT_SENT
    weekly_anchor: str | None = None
    monthly_anchor: int | None = None
    next_on: date | None = None
    last_on: date | None = None
    last_payout_id: str | None = None
    last_refusal: str | None = None


class PayoutView(Model):
    """A payout and its status."""

    id: str
    organization_id: str = NOT_SENT
    status: str = NOT_SENT
    amount: Amount = NOT_SENT
    currency: str = NOT_SENT
    provider: str = NOT_SENT
    account_id: str = NOT_SENT
    transfer_id: str | None = NOT_SENT
    reversed: Amount = NOT_SENT
    failure_code: str | None = NOT_SENT
    failure: str | None = NOT_SENT
    lines: list[PayoutLineView] = NOT_SENT
    created_at: datetime = NOT_SENT
    updated_at: datetime = NOT_SENT


class PeerComparisonView(Model):
    """The quartile of an organization or an agent among others, without figures of anybody."""

    metric: PeerMetric = NOT_SENT
    compares: MemberKind = NOT_SENT
    month: date = NOT_SENT
    category: str | None = NOT_SENT
    percentile: int | None = NOT_SENT
    reason: PeerReason | None = NOT_SENT
    sentence: str = NOT_SENT
    agreed_at: datetime | None = NOT_SENT


class PeersConsentView(Model):
    """The organization's consent to comparisons."""

    agrees: bool = NOT_SENT
    agreed_at: datetime | None = NOT_SENT


class PeersView(Model):
    """An agent's place among all agents with evidence, as counted last night."""

    peers: int = NOT_SENT
    percentile: int | None = NOT_SENT
    dimensions: dict[str, int | None] = NOT_SENT
    agent_id: str = NOT_SENT
    evidence_count: int = NOT_SENT
    as_of: date | None = NOT_SENT
    category: str | None = NOT_SENT
    in_category: PlaceView | None = NOT_SENT


class PendingChangeView(Model):
    """A change that has been ordered and has not taken effect."""

    plan: str = NOT_SENT
    interval: Interval = NOT_SENT
    price: MoneyView = NOT_SENT
    credits_per_month: Amount = NOT_SENT
    is_agreed_price: bool = NOT_SENT
    net_days: int = NOT_SENT
    seats: int | None = NOT_SENT
    kind: ChangeKind = NOT_SENT
    acts_at: datetime = NOT_SENT


class PlaceView(Model):
    """An agent's place among its peers, who are not named."""

    peers: int = NOT_SENT
    percentile: int | None = NOT_SENT
    dimensions: dict[str, int | None] = NOT_SENT


class PlanList(Model):
    """All plans for sale, from the smallest to the largest."""

    data: list[PlanView] = NOT_SENT
    next_cursor: None = None


class PlanPriceView(Model):
    """The price of a plan for one interval in one currency."""

    interval: Interval = NOT_SENT
    price: MoneyView = NOT_SENT
    credits_price: MoneyView | None = NOT_SENT


class PlanView(Model):
    """A plan."""

    id: str
    name: str = NOT_SENT
    prices: list[PlanPriceView] = NOT_SENT
    credits_per_month: Amount = NOT_SENT
    limits: TierLimitsView = NOT_SENT
    trial_days: int = NOT_SENT
    per_seat: bool = NOT_SENT


class PolicyCryptoView(Model):
    """Preferred coins, with the reason."""

    primary: MethodKind | None = NOT_SENT
    reasoning: str | None = NOT_SENT
    fallbacks: list[MethodKind] = NOT_SENT
    wallet_creation: WalletCreation = NOT_SENT


class PolicyNamesView(Model):
    """Allowed and refused names."""

    allowed: list[str] = NOT_SENT
    refused: list[str] = NOT_SENT


class PolicySubjectView(Model):
    """The subject of a policy."""

    type: PolicySource = NOT_SENT
    id: str | None
    name: str | None = NOT_SENT


class PoolView(Model):
    """A pool of a window."""

    amount: Amount = NOT_SENT
    held: Amount = NOT_SENT
    spent: Amount = NOT_SENT
    remaining: Amount = NOT_SENT


class PortalView(Model):
    """The address of Stripe's customer portal, valid for minutes."""

    url: str = NOT_SENT


class PreferencesView(Model):
    """The caller's preferences: quiet hours, and timing of each type."""

    quiet_hours: QuietHoursView | None = NOT_SENT
    digest_hour: int = NOT_SENT
    digest_weekday: int = NOT_SENT
    types: list[TypeView] = NOT_SENT


class PriceExplanationView(Model):
    """Why an agent has its price: the measured values, and the result of each rule, in order."""

    base_price: Amount = NOT_SENT
    adjusted_price: Amount = NOT_SENT
    multiplier: Decimal = NOT_SENT
    discount: Amount = NOT_SENT
    borne_by: str | None = NOT_SENT
    adjustments: list[AdjustmentView] = NOT_SENT
    agent_id: str = NOT_SENT
    organization_id: str | None = NOT_SENT
    quantity: int = NOT_SENT
    currency: str = NOT_SENT
    at: datetime = NOT_SENT
    rules_version: int = NOT_SENT
    evidence: list[str] = NOT_SENT
    rules: list[ConsideredView] = NOT_SENT


class PriceQuoteView(Model):
    """A price that is kept for a client, who can use it once."""

    base_price: Amount = NOT_SENT
    adjusted_price: Amount = NOT_SENT
    multiplier: Decimal = NOT_SENT
    discount: Amount = NOT_SENT
    borne_by: str | None = NOT_SENT
    adjustments: list[AdjustmentView] = NOT_SENT
    id: str
    agent_id: str = NOT_SENT
    organization_id: str = NOT_SENT
    quantity: int = NOT_SENT
    currency: str = NOT_SENT
    commission_bps: int = NOT_SENT
    commission_rule: str = NOT_SENT
    created_at: datetime = NOT_SENT
    expires_at: datetime = NOT_SENT
    used_at: datetime | None = NOT_SENT
    contract_id: str | None = NOT_SENT


class PriceView(Model):
    """A price with its reasons."""

    base_price: Amount = NOT_SENT
    adjusted_price: Amount = NOT_SENT
    multiplier: Decimal = NOT_SENT
    discount: Amount = NOT_SENT
    borne_by: str | None = NOT_SENT
    adjustments: list[AdjustmentView] = NOT_SENT


class PricingView(Model):
    """The price of a listing."""

    model: PricingModel = NOT_SENT
    amount: Amount | None = NOT_SENT
    currency: str | None = NOT_SENT


class PrincipalView(Model):
    """A principal of an organization, and its keys, sessions and links."""

    principal: str = NOT_SENT
    role: Role = NOT_SENT
    status: PrincipalStatus = NOT_SENT
    keys: int = NOT_SENT
    sessions: int = NOT_SENT
    links: int = NOT_SENT
    by_mail: bool = NOT_SENT
    invited_by: str | None = NOT_SENT
    expires_at: datetime | None = NOT_SENT
    accepted_at: datetime | None = NOT_SENT
    last_used_at: datetime | None = NOT_SENT


class ProfileView(Model):
    """A billing profile."""

    organization_id: str = NOT_SENT
    legal_name: str | None = NOT_SENT
    line1: str | None = NOT_SENT
    line2: str | None = NOT_SENT
    city: str | None = NOT_SENT
    postal_code: str | None = NOT_SENT
    region: str | None = NOT_SENT
    country: str | None = NOT_SENT
    email: str | None = NOT_SENT
    language: str | None = NOT_SENT
    vat_id: str | None = NOT_SENT
    vat_confirmed_at: datetime | None = NOT_SENT
    charges_vat: bool = NOT_SENT
    card_country: str | None = NOT_SENT
    confirmed_country: str | None = NOT_SENT
    proven_country: str | None = NOT_SENT
    exempt_reason: str | None = NOT_SENT
    legal_entity: str | None = NOT_SENT
    updated_at: datetime | None = NOT_SENT


class ProfitAndLossView(Model):
    """Revenue and expenses of a period, for each currency. Days are in UTC."""

    start_date: date = NOT_SENT
    end_date: date = NOT_SENT
    currencies: list[CurrencyResultView] = NOT_SENT


class ProjectLimitView(Model):
    """A limit, and how much of it is used. After a change to a smaller plan, `used` can exceed `limit`."""

    limit: int | None = NOT_SENT
    used: int = NOT_SENT


class ProjectView(Model):
    """A project, and whether it is deployed."""

    external_id: str | None = NOT_SENT
    metadata: dict[str, str] = NOT_SENT
    id: str
    organization_id: str = NOT_SENT
    slug: str = NOT_SENT
    name: str = NOT_SENT
    deploy_type: DeployType = NOT_SENT
    deployed: bool = NOT_SENT
    is_deployed: bool = NOT_SENT
    deployed_at: datetime | None = NOT_SENT
    occupies_slot: bool = NOT_SENT
    created_at: datetime = NOT_SENT


class PromptTemplateView(Model):
    """The prompt template of an organization."""

    template: str = NOT_SENT
    is_standard: bool = NOT_SENT
    placeholders: list[str] = NOT_SENT
    changed_by: str | None = NOT_SENT
    changed_at: datetime | None = NOT_SENT


class PromptView(Model):
    """The prompt of an agent, and the figures in it."""

    agent_id: str = NOT_SENT
    text: str = NOT_SENT
    budget: LeftView | None = NOT_SENT
    payment: list[str] = NOT_SENT
    project: LeftView | None = NOT_SENT
    reserve: LeftView | None = NOT_SENT
    allowance: LeftView | None = NOT_SENT
    pace_ends_at: datetime | None = NOT_SENT
    crypto: list[str] = NOT_SENT


class ProviderCount(Model):
    """Number of a provider's objects in a state and currency, and the sum of their amounts."""

    status: str = NOT_SENT
    currency: str = NOT_SENT
    count: int = NOT_SENT
    amount: Amount = NOT_SENT
    capped: bool = NOT_SENT
    provider: str = NOT_SENT


class ProviderView(Model):
    """A provider that is set up here, and the currencies or coins it takes."""

    name: ProviderName = NOT_SENT
    currencies: list[str] = NOT_SENT


class PurchaseActionList(Model):
    """Every command of a purchase."""

    actions: list[PurchaseActionView] = NOT_SENT


class PurchaseActionView(Model):
    """One command: its effect if the caller may give it now, otherwise the reason why not."""

    action: PurchaseAction = NOT_SENT
    allowed: bool = NOT_SENT
    reason: ReasonView | None = NOT_SENT
    effect: PurchaseEffectView | None = NOT_SENT


class PurchaseAlternativeView(Model):
    """An alternative that the agent has considered."""

    name: str = NOT_SENT
    url: str | None = NOT_SENT
    cost: Amount | None = NOT_SENT
    fits: bool = NOT_SENT
    why: str = NOT_SENT


class PurchaseAnswer(Model):
    """The result of buying an agent."""

    purchase: AgentPurchaseView | None = NOT_SENT
    payment: PaymentView | None = None


class PurchaseAttemptView(Model):
    """A payment attempt."""

    number: int = NOT_SENT
    method: str = NOT_SENT
    status: AttemptStatus = NOT_SENT
    amount: Amount | None = NOT_SENT
    fee: Amount | None = NOT_SENT
    reference: str | None = NOT_SENT
    receipt_url: str | None = NOT_SENT
    begun_by: str = NOT_SENT
    begun_at: datetime = NOT_SENT
    result_at: datetime | None = NOT_SENT


class PurchaseDecisionView(Model):
    """The last decision about an order."""

    code: DecisionCode = NOT_SENT
    budget_id: str | None = NOT_SENT
    window: Window | None = NOT_SENT
    remaining: Amount | None = NOT_SENT
    currency: str | None = NOT_SENT
    resets_at: datetime | None = NOT_SENT
    priced_at: MoneyView | None = NOT_SENT
    sentence: str = NOT_SENT


class PurchaseEffectView(Model):
    """The effect of a command. Amounts are decimal strings of `currency`, and null if nothing was paid."""

    to_buyer: Amount | None = NOT_SENT
    used: Amount | None = NOT_SENT
    currency: str | None = NOT_SENT
    status: PurchaseStatus = NOT_SENT


class PurchaseGrantView(Model):
    """The decision of a person."""

    principal: str = NOT_SENT
    granted: bool = NOT_SENT
    reason: str | None = NOT_SENT
    at: datetime = NOT_SENT


class PurchaseMethodPage(Model):
    """PurchaseMethodPage."""

    data: list[PurchaseMethodView] = NOT_SENT
    next_cursor: str | None = None


class PurchaseMethodView(Model):
    """A declared method."""

    id: str
    organization_id: str = NOT_SENT
    name: str = NOT_SENT
    label: str = NOT_SENT
    kind: MethodKind = NOT_SENT
    available: bool = NOT_SENT
    why_not: str | None = NOT_SENT
    fee: MethodFeeView | None = NOT_SENT
    rank: int = NOT_SENT
    attempts: int = NOT_SENT
    succeeded: int = NOT_SENT
    updated_by: str = NOT_SENT
    updated_at: datetime = NOT_SENT


class PurchaseOrderMethodView(Model):
    """A payment method of the purchase, in the order of the policy."""

    method: str = NOT_SENT
    label: str = NOT_SENT
    available: bool = NOT_SENT
    why_not: str | None = NOT_SENT


class PurchaseOrderView(Model):
    """A purchase order, with decision, attempts and figures."""

    external_id: str | None = NOT_SENT
    metadata: dict[str, str] = NOT_SENT
    id: str
    organization_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    agent_name: str = NOT_SENT
    project_id: str | None = NOT_SENT
    principal: str = NOT_SENT
    status: PurchaseOrderStatus = NOT_SENT
    item: str = NOT_SENT
    vendor: str = NOT_SENT
    category: str = NOT_SENT
    why: str = NOT_SENT
    amount: Amount = NOT_SENT
    currency: str = NOT_SENT
    term: Term | None = NOT_SENT
    alternatives: list[PurchaseAlternativeView] = NOT_SENT
    pool: DrawnPool = NOT_SENT
    on_limit: PurchaseOnLimit = NOT_SENT
    lifts: list[LiftView] = NOT_SENT
    decision: PurchaseDecisionView = NOT_SENT
    methods: list[PurchaseOrderMethodView] = NOT_SENT
    budget_remaining: BudgetRemainingView = NOT_SENT
    digest: str = NOT_SENT
    persons: int = NOT_SENT
    grants: list[PurchaseGrantView] = NOT_SENT
    answer_by: datetime | None = NOT_SENT
    held_until: datetime | None = NOT_SENT
    renews_at: datetime | None = NOT_SENT
    attempts: list[PurchaseAttemptView] = NOT_SENT
    spent: Amount = NOT_SENT
    refunded: Amount = NOT_SENT
    reported: PurchaseReportedView = NOT_SENT
    unconfirmed_since: datetime | None = NOT_SENT
    cancellation_reported_at: datetime | None = NOT_SENT
    alternative_action: str | None = NOT_SENT
    saved: Amount | None = NOT_SENT
    created_at: datetime = NOT_SENT
    updated_at: datetime = NOT_SENT


class PurchaseReportedView(Model):
    """The reported figures of a purchase, confirmed or not."""

    charged: Amount = NOT_SENT
    refunded: Amount = NOT_SENT
    digest: str = NOT_SENT


class PurchaseView(Model):
    """A grant or purchase of credits, and what was paid for it."""

    id: str
    organization_id: str = NOT_SENT
    credits: Amount = NOT_SENT
    debt_paid: Amount = NOT_SENT
    source: str = NOT_SENT
    paid: MoneyView | None = NOT_SENT
    payment_id: str | None = NOT_SENT
    expires_at: datetime | None = NOT_SENT
    created_at: datetime = NOT_SENT


class QuietHoursView(Model):
    """Daily hours without notifications, except urgent ones."""

    starts: str = NOT_SENT
    ends: str = NOT_SENT


class QuotedRateView(Model):
    """The rate at which the price in money was converted into coins."""

    price: Amount = NOT_SENT
    currency: str = NOT_SENT
    source: str = NOT_SENT
    quoted_at: datetime = NOT_SENT


class QuotedTaxView(Model):
    """The tax in a price."""

    code: str = NOT_SENT
    category: str = NOT_SENT
    rate: Amount = NOT_SENT
    amount: Amount = NOT_SENT


class RateUsedView(Model):
    """The exchange rate of a day's amounts: units of `to` for one of `from`."""

    day: str = NOT_SENT
    from_: str = Field(NOT_SENT, alias="from")
    to: str = NOT_SENT
    rate: Amount = NOT_SENT


class Readiness(Model):
    """The status of each dependency: `ok`, or its error.

    `degraded` means that Temporal does not answer: everything can be read, and commands get 503.
    """

    status: Literal["ready", "degraded", "unavailable"] | str = NOT_SENT
    postgresql: str = NOT_SENT
    temporal: str = NOT_SENT
    inbox_oldest_seconds: int | None = None


class ReasonView(Model):
    """Reason of a refusal: `code` and `detail` of the problem document that the command would return."""

    code: str = NOT_SENT
    detail: str = NOT_SENT


class ReconciliationLineView(Model):
    """The movements of one kind in one currency, on both sides. `net` is amounts less fees."""

    currency: str = NOT_SENT
    movement: str = NOT_SENT
    counts: dict[str, int] = NOT_SENT
    booked_net: Amount = NOT_SENT
    listed_net: Amount = NOT_SENT


class ReconciliationRunView(Model):
    """A reconciliation run; `lines` and `clearing` are set when it is done."""

    id: str
    provider: str = NOT_SENT
    from_: datetime = Field(NOT_SENT, alias="from")
    to: datetime = NOT_SENT
    status: str = NOT_SENT
    compared: int = NOT_SENT
    differences: int = NOT_SENT
    lines: list[ReconciliationLineView] = NOT_SENT
    clearing: list[ClearingView] = NOT_SENT
    failure: str | None = NOT_SENT
    requested_by: str = NOT_SENT
    started_at: datetime = NOT_SENT
    finished_at: datetime | None = NOT_SENT


class Redeemed(Model):
    """The session that a link opened, and the page that it leads to."""

    id: str
    token: str | None = NOT_SENT
    expires_at: datetime = NOT_SENT
    path: str = NOT_SENT
    return_url: str | None = NOT_SENT


class ReferralView(Model):
    """A referral of one organization by another, and the credits granted to both."""

    organization_id: str = NOT_SENT
    referrer_id: str = NOT_SENT
    status: ReferralStatus = NOT_SENT
    reason: str | None = NOT_SENT
    referrer_amount: Amount = NOT_SENT
    referred_amount: Amount = NOT_SENT
    created_at: datetime = NOT_SENT
    decided_at: datetime | None = NOT_SENT
    taken_back_at: datetime | None = NOT_SENT


class RefundList(Model):
    """All refunds of a payment, the oldest first."""

    data: list[RefundView] = NOT_SENT
    next_cursor: None = None


class RefundView(Model):
    """Money on its way back to the payer."""

    id: str
    payment_id: str = NOT_SENT
    status: RefundState = NOT_SENT
    amount: Amount = NOT_SENT
    currency: str = NOT_SENT
    fee: Amount = NOT_SENT
    taken: MoneyView = NOT_SENT
    reason: str | None = NOT_SENT
    failure: str | None = NOT_SENT
    failure_code: str | None = NOT_SENT
    requested_by: str = NOT_SENT
    requested_at: datetime = NOT_SENT


class RefusalView(Model):
    """A spend that a control refused, or that the organization had not enough credits for."""

    id: str
    control_id: str | None = NOT_SENT
    subject: SubjectView | None = NOT_SENT
    reason: str = NOT_SENT
    window: Window | None = NOT_SENT
    pool: str | None = NOT_SENT
    limit: Amount | None = NOT_SENT
    remaining: Amount | None = NOT_SENT
    limit_currency: str | None = NOT_SENT
    resets_at: datetime | None = NOT_SENT
    action: str = NOT_SENT
    amount: Amount = NOT_SENT
    currency: str = NOT_SENT
    agent_id: str | None = NOT_SENT
    department_id: str | None = NOT_SENT
    project_id: str | None = NOT_SENT
    run_id: str | None = NOT_SENT
    key_id: str | None = NOT_SENT
    principal: str | None = NOT_SENT
    at: datetime = NOT_SENT


class ReportQueryView(Model):
    """A query of a report."""

    title: str = NOT_SENT
    metrics: list[str] = NOT_SENT
    by: list[str] = NOT_SENT
    where: dict[str, list[str]] = NOT_SENT
    grain: Grain | None = NOT_SENT
    compare: Compare | None = NOT_SENT
    currency: str | None = NOT_SENT
    limit: int = NOT_SENT


class ReportRunRequestedView(Model):
    """The period that is computed."""

    report_id: str = NOT_SENT
    period: str = NOT_SENT


class ReportRunView(Model):
    """A version of a period, with its file and notified recipients."""

    number: int = NOT_SENT
    period: str = NOT_SENT
    version: int = NOT_SENT
    format_: ReportFormat = Field(NOT_SENT, alias="format")
    sha256: str = NOT_SENT
    notified: list[str] = NOT_SENT
    left_out: dict[str, Literal["no_key", "not_permitted", "switched_off"] | str] = NOT_SENT
    made_at: datetime = NOT_SENT


class ReportTemplatePage(Model):
    """ReportTemplatePage."""

    data: list[ReportTemplateView] = NOT_SENT
    next_cursor: str | None = None


class ReportTemplateView(Model):
    """Predefined queries of reports."""

    name: str = NOT_SENT
    description: str = NOT_SENT
    schedule: ReportSchedule = NOT_SENT
    query: list[ReportQueryView] = NOT_SENT


class ReportView(Model):
    """A report with its latest settings."""

    id: str
    organization_id: str | None = NOT_SENT
    name: str = NOT_SENT
    template: str | None = NOT_SENT
    query: list[ReportQueryView] = NOT_SENT
    format_: ReportFormat = Field(NOT_SENT, alias="format")
    schedule: ReportSchedule = NOT_SENT
    zone: str = NOT_SENT
    recipients: list[str] = NOT_SENT
    next_period: str | None = NOT_SENT
    next_run_at: datetime | None = NOT_SENT
    is_changing: bool = NOT_SENT
    created_at: datetime = NOT_SENT
    updated_at: datetime = NOT_SENT
    deleted_at: datetime | None = NOT_SENT


class ReputationEventView(Model):
    """An event of an agent, as operators see it."""

    id: str
    agent_id: str = NOT_SENT
    kind: FactKind = NOT_SENT
    subject: str = NOT_SENT
    counterparty_organization_id: str | None = NOT_SENT
    weight: Decimal = NOT_SENT
    excluded: str | None = NOT_SENT
    score_delta: Decimal = NOT_SENT
    at: datetime = NOT_SENT
    voided_at: datetime | None = NOT_SENT
    void_reason: str | None = NOT_SENT
    sentence: str = NOT_SENT


class ReputationTerms(Model):
    """A multiplier for a reputation score (0 to 10) from `from_score` on; it applies in full from `full_score` on."""

    type: Literal["reputation"] | str = NOT_SENT
    whose: Literal["client", "seller"] | str | None = None
    multiplier: Amount | None = None
    from_score: Amount | None = None
    full_score: Amount | None = None
    least_evidence: int | None = None


class ReservationView(Model):
    """Credits that are reserved."""

    id: str
    status: SpendStatus = NOT_SENT
    action: str = NOT_SENT
    quantity: int = NOT_SENT
    amount: Amount = NOT_SENT
    currency: str | None = None
    agent_id: str | None = NOT_SENT
    department_id: str | None = NOT_SENT
    project_id: str | None = NOT_SENT
    run_id: str | None = NOT_SENT
    created_at: datetime = NOT_SENT
    available: Amount = NOT_SENT
    expires_at: datetime = NOT_SENT
    payee_agent_id: str | None = None


class ResultView(Model):
    """A result."""

    id: str
    organization_id: str = NOT_SENT
    run_id: str | None = NOT_SENT
    task_id: str | None = NOT_SENT
    task_kind: str = NOT_SENT
    score: Amount = NOT_SENT
    accepted: bool = NOT_SENT
    self_reported: bool = NOT_SENT
    value: Amount | None = NOT_SENT
    currency: str | None = NOT_SENT
    source: ResultSource = NOT_SENT
    recorded_at: datetime = NOT_SENT


class RevenueByStatusView(Model):
    """Revenue by status; only `confirmed` counts, and excludes reversals."""

    reported: Amount = NOT_SENT
    confirmed: Amount = NOT_SENT
    rejected: Amount = NOT_SENT
    reversed: Amount = NOT_SENT


class RevenueMoneyView(Model):
    """The purchase price of the credits of revenue, in one currency."""

    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    commission: Amount = NOT_SENT
    reversed_amount: Amount = NOT_SENT


class RevenueSettledView(Model):
    """Result of an imported statement."""

    changed: list[RevenueView] = NOT_SENT
    unknown: list[str] = NOT_SENT


class RevenueSharesView(Model):
    """The shares in the price of an agent on the marketplace, as decimal strings between 0 and 1."""

    creator: Amount = NOT_SENT
    platform: Amount = NOT_SENT


class RevenueView(Model):
    """A revenue event with its shares."""

    id: str
    organization_id: str = NOT_SENT
    source: RevenueSource = NOT_SENT
    reference: str = NOT_SENT
    status: RevenueStatus = NOT_SENT
    amount: Amount = NOT_SENT
    commission: Amount = NOT_SENT
    reversed_amount: Amount = NOT_SENT
    reported_amount: Amount | None = NOT_SENT
    currency: str = NOT_SENT
    money: list[RevenueMoneyView] = NOT_SENT
    agent_id: str | None = NOT_SENT
    project_id: str | None = NOT_SENT
    run_id: str | None = NOT_SENT
    evidence: str | None = NOT_SENT
    transfer_id: str | None = NOT_SENT
    shares_rule: ShareRule = NOT_SENT
    shares_version: int = NOT_SENT
    shares: list[ShareView] = NOT_SENT
    reported_by: str | None = NOT_SENT
    confirmed_by: str | None = NOT_SENT
    occurred_at: datetime = NOT_SENT
    confirmed_at: datetime | None = NOT_SENT
    created_at: datetime = NOT_SENT


class RiskAffectedView(Model):
    """An organization, and how many of its acts would have another outcome."""

    organization_id: str = NOT_SENT
    decisions: int = NOT_SENT


class RiskBacktestView(Model):
    """The effect that a rule would have had on stored decisions, with the facts that they saw.

    Organizations, money, labels and samples are those of the changed decisions.
    """

    name: str = NOT_SENT
    version: int | None = NOT_SENT
    expression: str = NOT_SENT
    action: Outcome = NOT_SENT
    decisions: int = NOT_SENT
    is_cut: bool = NOT_SENT
    matching: int = NOT_SENT
    changed: int = NOT_SENT
    newly_stopped: int = NOT_SENT
    newly_allowed: int = NOT_SENT
    organizations: int = NOT_SENT
    most_affected: list[RiskAffectedView] = NOT_SENT
    value: list[MoneyView] = NOT_SENT
    labels: RiskLabelCountsView = NOT_SENT
    samples: list[str] = NOT_SENT
    needs_two_operators: bool = NOT_SENT


class RiskCaseEventView(Model):
    """An event of a case."""

    number: int = NOT_SENT
    kind: str = NOT_SENT
    actor: str = NOT_SENT
    at: datetime = NOT_SENT
    details: dict[str, Any] = NOT_SENT


class RiskCaseFile(Model):
    """The file of a case, for operators."""

    why: str = NOT_SENT
    timeline: list[RiskCaseEventView] = NOT_SENT
    rules: list[str] = NOT_SENT
    nodes: list[RiskNodeView] = NOT_SENT
    edges: list[RiskEdgeView] = NOT_SENT
    similar: list[RiskCaseView] = NOT_SENT


class RiskCaseView(Model):
    """A case. Fields for operators are null for others."""

    id: str
    status: CaseStatus = NOT_SENT
    reason: ReasonClass = NOT_SENT
    result: CaseResult | None = NOT_SENT
    organization_ids: list[str] = NOT_SENT
    created_at: datetime = NOT_SENT
    updated_at: datetime = NOT_SENT
    kind: CaseKind | None = NOT_SENT
    group: str | None = NOT_SENT
    value: Amount | None = NOT_SENT
    currency: str | None = NOT_SENT
    assigned_to: str | None = NOT_SENT
    due_at: datetime | None = NOT_SENT


class RiskDecisionView(Model):
    """A decision on an act. An organization sees its own, without what only operators see (null for it)."""

    id: str
    point: Point = NOT_SENT
    subject: str = NOT_SENT
    outcome: Outcome = NOT_SENT
    reason: ReasonClass | None = NOT_SENT
    case_id: str | None = NOT_SENT
    created_at: datetime = NOT_SENT
    organization_id: str | None = NOT_SENT
    principal: str | None = NOT_SENT
    rule: str | None = NOT_SENT
    rule_version: int | None = NOT_SENT
    amount: Amount | None = NOT_SENT
    currency: str | None = NOT_SENT
    score_e4: int | None = NOT_SENT
    label: Label | None = NOT_SENT


class RiskEdgeView(Model):
    """A link of an organization with an entity that it used."""

    organization_id: str = NOT_SENT
    entity: str = NOT_SENT


class RiskEvaluationView(Model):
    """The outcome of an event, on which the platform acts."""

    decision_id: str = NOT_SENT
    outcome: Outcome = NOT_SENT
    case_id: str | None = NOT_SENT
    reason: ReasonClass | None = NOT_SENT


class RiskFactView(Model):
    """A fact that a decision saw."""

    name: str = NOT_SENT
    value: int | str = NOT_SENT
    sentence: str = NOT_SENT


class RiskHeldActView(Model):
    """A decision of the case about an act; after a release the act takes place when its request is repeated."""

    decision_id: str = NOT_SENT
    act: Point = NOT_SENT
    outcome: Outcome = NOT_SENT
    subject: str = NOT_SENT
    created_at: datetime = NOT_SENT


class RiskHoldView(Model):
    """An object that a case holds."""

    kind: HoldKind = NOT_SENT
    subject: str = NOT_SENT
    until: datetime = NOT_SENT
    ended_at: datetime | None = NOT_SENT


class RiskLabelCountsView(Model):
    """Decisions by their label."""

    fraud: int = NOT_SENT
    legitimate: int = NOT_SENT
    unknown: int = NOT_SENT


class RiskListItemView(Model):
    """An entity on a list."""

    id: str
    list: ListName = NOT_SENT
    kind: EntityKind = NOT_SENT
    entity: str = NOT_SENT
    reason: str = NOT_SENT
    ends_at: datetime = NOT_SENT
    case_id: str | None = NOT_SENT
    created_by: str = NOT_SENT
    created_at: datetime = NOT_SENT
    removed_at: datetime | None = NOT_SENT
    removed_by: str | None = NOT_SENT


class RiskModelView(Model):
    """A trained model. The challenger scores without effect; rules see the score of the champion as `model_score`."""

    version: int = NOT_SENT
    status: ModelStatus = NOT_SENT
    report: dict[str, JsonValue] = NOT_SENT
    created_at: datetime = NOT_SENT


class RiskNodeView(Model):
    """An organization, or an entity that organizations share."""

    id: str
    kind: EntityKind = NOT_SENT
    is_affected: bool = NOT_SENT


class RiskRuleView(Model):
    """A version of a rule against fraud."""

    name: str = NOT_SENT
    version: int = NOT_SENT
    points: list[Point] = NOT_SENT
    expression: str = NOT_SENT
    action: Outcome = NOT_SENT
    priority: int = NOT_SENT
    mode: Literal["off", "shadow", "on"] | str = NOT_SENT
    sentence: str = NOT_SENT
    created_by: str | None = NOT_SENT
    created_at: datetime | None = NOT_SENT


class RiskRulesView(Model):
    """All rules, each in its current version, in the order in which they are evaluated."""

    data: list[RiskRuleView] = NOT_SENT


class RiskScoreReasonView(Model):
    """A fact that moved a score."""

    sentence: str = NOT_SENT
    effect_e4: int = NOT_SENT


class RiskScoreView(Model):
    """The score of the champion model at the time of a decision."""

    version: int = NOT_SENT
    score_e4: int = NOT_SENT
    reasons: list[RiskScoreReasonView] = NOT_SENT


class RiskSeenView(Model):
    """The facts, entities and score that a decision saw. A fact that is not named was 0 or empty."""

    facts: list[RiskFactView] = NOT_SENT
    shadow: dict[str, Outcome] = NOT_SENT
    entities: list[str] = NOT_SENT
    counterparty_organization_id: str | None = NOT_SENT
    score: RiskScoreView | None = NOT_SENT
    challenger_score: RiskScoreView | None = NOT_SENT
    label_at: datetime | None = NOT_SENT


class RoiListView(Model):
    """Returns of a period, highest margin first."""

    scope: RoiScope = NOT_SENT
    from_: date = Field(NOT_SENT, alias="from")
    to: date = NOT_SENT
    zone: str = NOT_SENT
    currency: str = NOT_SENT
    left_out: list[str] = NOT_SENT
    data: list[RoiView] = NOT_SENT
    rows: int = NOT_SENT
    total: RoiView = NOT_SENT
    spent: SpentTotalView = NOT_SENT


class RoiPointView(Model):
    """A day, or the week that starts on it."""

    day: date = NOT_SENT
    revenue: Amount = NOT_SENT
    costs: Amount = NOT_SENT


class RoiProjectionView(Model):
    """The projected margin of the next days, with an 80 % interval."""

    days: int = NOT_SENT
    margin: Amount = NOT_SENT
    low: Amount = NOT_SENT
    high: Amount = NOT_SENT


class RoiView(Model):
    """Cost and revenue of an agent, a project, a model or the organization."""

    id: str | None
    revenue: RevenueByStatusView = NOT_SENT
    costs: CostsByKindView = NOT_SENT
    total_costs: Amount = NOT_SENT
    margin: Amount = NOT_SENT
    roi: Amount | None = NOT_SENT
    roi_lower: Amount | None = NOT_SENT
    payback_days: int | None = NOT_SENT
    trend: list[RoiPointView] = NOT_SENT
    projection: RoiProjectionView | None = NOT_SENT
    made_of: list[MadeOfView] = NOT_SENT


class RoutedCandidateView(Model):
    """A candidate of a routing decision. Figures are null without a price."""

    candidate: str = NOT_SENT
    expected_cost: Amount | None = NOT_SENT
    cost_from: Amount | None = NOT_SENT
    cost_to: Amount | None = NOT_SENT
    quality: Amount | None = NOT_SENT
    chance: Amount | None = NOT_SENT
    odds: Amount = NOT_SENT
    results: int = NOT_SENT
    out: ExclusionReason | None = NOT_SENT
    why: str = NOT_SENT


class RoutingDecisionView(Model):
    """The choice of a model or agent for a call, with its odds."""

    id: str
    organization_id: str = NOT_SENT
    agent_id: str | None = NOT_SENT
    run_id: str = NOT_SENT
    task_kind: str = NOT_SENT
    currency: str = NOT_SENT
    quality_at_least: Amount | None = NOT_SENT
    value: Amount | None = NOT_SENT
    max_cost: Amount | None = NOT_SENT
    choice: str | None = NOT_SENT
    odds: Amount | None = NOT_SENT
    ranking: list[RoutedCandidateView] = NOT_SENT
    budget_id: str | None = NOT_SENT
    priced_at: MoneyView | None = NOT_SENT
    decided_by: str = NOT_SENT
    decided_at: datetime = NOT_SENT
    outcome: RoutingOutcomeView | None = NOT_SENT


class RoutingOutcomeView(Model):
    """The outcome of a routed call."""

    score: Amount = NOT_SENT
    cost: Amount | None = NOT_SENT
    source: str = NOT_SENT
    reference: str = NOT_SENT
    recorded_at: datetime = NOT_SENT


class RuleView(Model):
    """A pricing rule."""

    id: str
    name: str = NOT_SENT
    type: RuleType = NOT_SENT
    priority: int = NOT_SENT
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
    ) = NOT_SENT
    stacking: Stacking = NOT_SENT
    agent_id: str | None = NOT_SENT
    organization_id: str | None = NOT_SENT
    floor: Amount | None = NOT_SENT
    ceiling: Amount | None = NOT_SENT
    valid_from: datetime | None = NOT_SENT
    valid_until: datetime | None = NOT_SENT
    version: int = NOT_SENT
    created_by: str = NOT_SENT
    created_at: datetime = NOT_SENT
    updated_at: datetime | None = NOT_SENT
    ended_at: datetime | None = NOT_SENT


class RunAgentView(Model):
    """The cost of an agent's part of a run."""

    events: int = NOT_SENT
    tokens: int = NOT_SENT
    unrated: int = NOT_SENT
    costs: dict[str, Amount] = NOT_SENT
    agent_id: str | None = NOT_SENT


class RunCostView(Model):
    """The cost of a part of a run."""

    events: int = NOT_SENT
    tokens: int = NOT_SENT
    unrated: int = NOT_SENT
    costs: dict[str, Amount] = NOT_SENT


class RunStepView(Model):
    """A step of a run."""

    step_id: str = NOT_SENT
    parent_id: str | None = NOT_SENT
    agents: list[str] = NOT_SENT
    own: RunCostView = NOT_SENT
    total: RunCostView = NOT_SENT


class SampleView(Model):
    """A sample of an agent's work."""

    title: str = NOT_SENT
    url: str = NOT_SENT
    note: str | None = NOT_SENT


class ScoreExplanationView(Model):
    """Why an agent has its score: the rules, and a page of its events, newest first."""

    agent_id: str = NOT_SENT
    overall_score: Decimal = NOT_SENT
    rules: list[str] = NOT_SENT
    events: list[ReputationEventView] = NOT_SENT
    next_cursor: str | None = NOT_SENT


class ScoreView(Model):
    """A score of 0 to 10. Nine times out of ten the true value lies between `low` and `high`."""

    score: Decimal = NOT_SENT
    low: Decimal = NOT_SENT
    high: Decimal = NOT_SENT
    evidence_count: int = NOT_SENT


class SearchHitView(Model):
    """A found object."""

    kind: str = NOT_SENT
    id: str
    external_id: str | None = NOT_SENT
    organization_id: str | None = NOT_SENT
    title: str = NOT_SENT
    status: str | None = NOT_SENT
    amount: Amount | None = NOT_SENT
    currency: str | None = NOT_SENT
    url: str = NOT_SENT
    workflow_url: str | None = NOT_SENT
    customer: WhereaboutsView | None = NOT_SENT


class SearchView(Model):
    """Found objects: organizations first, then agents, contracts, escrows and others."""

    data: list[SearchHitView] = NOT_SENT
    shortened: bool = NOT_SENT


class SecretAccessView(Model):
    """A request for a secret, also one that was refused."""

    number: int = NOT_SENT
    at: datetime = NOT_SENT
    path: str = NOT_SENT
    version: int | None = NOT_SENT
    verb: AccessVerb = NOT_SENT
    outcome: AccessOutcome = NOT_SENT
    grant_id: str | None = NOT_SENT
    principal: str = NOT_SENT
    key_id: str | None = NOT_SENT
    agent_id: str | None = NOT_SENT
    host: str | None = NOT_SENT
    method: str | None = NOT_SENT
    purpose: str | None = NOT_SENT
    reference: str | None = NOT_SENT


class SecretGrantView(Model):
    """Permission to use or read secrets."""

    id: str
    principal: str | None = NOT_SENT
    agent_id: str | None = NOT_SENT
    paths: list[str] = NOT_SENT
    verbs: list[AccessVerb] = NOT_SENT
    hosts: list[str] = NOT_SENT
    methods: list[str] = NOT_SENT
    places: list[str] = NOT_SENT
    headers: list[str] = NOT_SENT
    uses_per_day: int | None = NOT_SENT
    uses_today: int = NOT_SENT
    price: Amount | None = NOT_SENT
    meter: str | None = NOT_SENT
    charged_statuses: list[str] = NOT_SENT
    ends_at: datetime = NOT_SENT
    created_by: str = NOT_SENT
    created_at: datetime = NOT_SENT
    revoked_at: datetime | None = NOT_SENT
    revoked_by: str | None = NOT_SENT


class SecretRotationView(Model):
    """How a secret is replaced by schedule, and the status of its rotation."""

    rotator: RotatorName = NOT_SENT
    every: str = NOT_SENT
    grace: str = NOT_SENT
    deadline: str = NOT_SENT
    postgres: dict[str, Any] | None = NOT_SENT
    http: dict[str, Any] | None = NOT_SENT
    status: RotationStatus = NOT_SENT
    version: int | None = NOT_SENT
    due_at: datetime = NOT_SENT
    overdue_at: datetime = NOT_SENT
    next_at: datetime | None = NOT_SENT
    failures: int = NOT_SENT
    detail: str | None = NOT_SENT


class SecretUseView(Model):
    """The answer to a request that was made with a secret. It is not stored."""

    id: str
    version: int = NOT_SENT
    status: int = NOT_SENT
    headers: list[HeaderView] = NOT_SENT
    body: str | None = NOT_SENT
    body_base64: str | None = NOT_SENT
    is_scrubbed: bool = NOT_SENT
    cost: Amount | None = NOT_SENT
    spend_id: str | None = NOT_SENT


class SecretValueView(Model):
    """The value of a secret. The access log records the read."""

    path: str = NOT_SENT
    kind: SecretKind = NOT_SENT
    version: int = NOT_SENT
    value: str = NOT_SENT


class SecretVersionView(Model):
    """One value of a secret."""

    number: int = NOT_SENT
    status: VersionStatus = NOT_SENT
    key_id: str | None = NOT_SENT
    usable_until: datetime | None = NOT_SENT
    created_by: str = NOT_SENT
    created_at: datetime = NOT_SENT
    destroyed_at: datetime | None = NOT_SENT


class SecretView(Model):
    """A secret without its value."""

    id: str
    organization_id: str = NOT_SENT
    path: str = NOT_SENT
    kind: SecretKind = NOT_SENT
    backend: str = NOT_SENT
    hosts: list[str] = NOT_SENT
    current_version: int | None = NOT_SENT
    created_by: str = NOT_SENT
    created_at: datetime = NOT_SENT
    versions: list[SecretVersionView] | None = NOT_SENT
    rotation: SecretRotationView | None = NOT_SENT
    grants: list[SecretGrantView] = NOT_SENT


class SectionView(Model):
    """A section of a statement."""

    lines: list[StatementSectionLineView] = NOT_SENT
    total: Amount = NOT_SENT


class SeriesGroupView(Model):
    """The values of one group."""

    group: str | None = NOT_SENT
    values: list[Amount | None] = NOT_SENT


class SeriesView(Model):
    """A metric over time. `times` are the starts of the intervals, at most 400. The last interval ends at `to`."""

    metric: str = NOT_SENT
    organization_id: str | None = NOT_SENT
    currency: str | None = NOT_SENT
    interval: Grain = NOT_SENT
    zone: str = NOT_SENT
    group_by: str | None = NOT_SENT
    from_: datetime = Field(NOT_SENT, alias="from")
    to: datetime = NOT_SENT
    times: list[datetime] = NOT_SENT
    series: list[SeriesGroupView] = NOT_SENT


class SessionCreated(Model):
    """A session with its token, which is shown only once."""

    id: str
    token: str | None = NOT_SENT
    expires_at: datetime = NOT_SENT


class SessionView(Model):
    """A session, without its token."""

    id: str
    principal: str = NOT_SENT
    role: Role = NOT_SENT
    organization_id: str | None = NOT_SENT
    browser: str = NOT_SENT
    address: str | None = NOT_SENT
    created_at: datetime = NOT_SENT
    last_used_at: datetime = NOT_SENT
    expires_at: datetime = NOT_SENT
    idle_at: datetime = NOT_SENT
    made_by: str | None = NOT_SENT
    current: bool = NOT_SENT


class SetupIntentView(Model):
    """A setup intent, with which a front end opens Stripe's form for storing a payment method."""

    id: str
    client_secret: str = NOT_SENT


class ShareView(Model):
    """A share of revenue in basis points."""

    agent_id: str | None = NOT_SENT
    project_id: str | None = NOT_SENT
    bps: int = NOT_SENT


class SideView(Model):
    """A movement on one side. `net` is the change of the provider's balance."""

    key: str = NOT_SENT
    amount: Amount = NOT_SENT
    fee: Amount | None = NOT_SENT
    net: Amount = NOT_SENT
    currency: str = NOT_SENT
    occurred_at: datetime = NOT_SENT


class SignatureView(Model):
    """An approval."""

    signatory: str = NOT_SENT
    signed_at: datetime = NOT_SENT
    signed_by: str = NOT_SENT
    on_behalf: bool = NOT_SENT


class SlotsView(Model):
    """The slots of an organization. Each one adds one project and one deployment to the plan's limits."""

    free: int = NOT_SENT
    in_use: int = NOT_SENT
    owed: int = NOT_SENT


class SpendLimitView(Model):
    """A limit and its rest in the current window."""

    window: Window = NOT_SENT
    amount: Amount | None = NOT_SENT
    uses: int | None = NOT_SENT
    hard: bool = NOT_SENT
    spent: Amount = NOT_SENT
    held: Amount = NOT_SENT
    remaining: Amount | None = NOT_SENT
    uses_spent: int = NOT_SENT
    uses_remaining: int | None = NOT_SENT
    starts_at: datetime | None = NOT_SENT
    resets_at: datetime | None = NOT_SENT


class SpendRefundView(Model):
    """A refund of a spend, and the state after it."""

    id: str
    spend_id: str = NOT_SENT
    amount: Amount = NOT_SENT
    currency: str | None = None
    refunded: Amount = NOT_SENT
    available: Amount = NOT_SENT
    transfer_id: str = NOT_SENT
    created_at: datetime = NOT_SENT


class SpendView(Model):
    """A use or a reservation of credits in its current state."""

    id: str
    status: SpendStatus = NOT_SENT
    action: str = NOT_SENT
    quantity: int = NOT_SENT
    amount: Amount = NOT_SENT
    currency: str | None = None
    agent_id: str | None = NOT_SENT
    department_id: str | None = NOT_SENT
    project_id: str | None = NOT_SENT
    run_id: str | None = NOT_SENT
    created_at: datetime = NOT_SENT
    captured: Amount = NOT_SENT
    released: Amount = NOT_SENT
    refunded: Amount = NOT_SENT
    held: Amount = NOT_SENT
    key_id: str | None = NOT_SENT
    principal: str | None = NOT_SENT
    expires_at: datetime | None = NOT_SENT
    metadata: dict[str, Any] | None = NOT_SENT


class SpentByAgentView(Model):
    """Amount of the agent that spent or, for jobs and agents bought without one, of the agent that was paid."""

    agent_id: str | None = NOT_SENT
    agent_name: str | None = NOT_SENT
    is_own: bool = NOT_SENT
    amount: Amount = NOT_SENT
    is_rest: bool = NOT_SENT


class SpentByServiceView(Model):
    """Amount of a service: the action of uses, or the kind of purchase."""

    service: str | None = NOT_SENT
    name: str | None = NOT_SENT
    amount: Amount = NOT_SENT
    is_rest: bool = NOT_SENT


class SpentInCurrencyView(Model):
    """Spent amount in a currency. The parts, the agents, and the services each add up to `total`."""

    currency: str = NOT_SENT
    total: Amount = NOT_SENT
    before: Amount | None = NOT_SENT
    parts: list[SpentPartView] = NOT_SENT
    by_agent: list[SpentByAgentView] = NOT_SENT
    by_service: list[SpentByServiceView] = NOT_SENT


class SpentInView(Model):
    """Spent amount of the month in a currency."""

    currency: str = NOT_SENT
    amount: Amount = NOT_SENT


class SpentPartView(Model):
    """A part of a spent amount."""

    part: SpentPart = NOT_SENT
    amount: Amount = NOT_SENT
    before: Amount | None = NOT_SENT


class SpentTotalView(Model):
    """Spent amount in a currency. The parts add up to `total`."""

    currency: str = NOT_SENT
    total: Amount = NOT_SENT
    before: Amount | None = NOT_SENT
    parts: list[SpentPartView] = NOT_SENT


class SpentView(Model):
    """Spent amounts of an organization in a period, by currency."""

    organization_id: str = NOT_SENT
    from_: datetime = Field(NOT_SENT, alias="from")
    to: datetime = NOT_SENT
    as_of: datetime = NOT_SENT
    complete: bool = NOT_SENT
    currencies: list[SpentInCurrencyView] = NOT_SENT
    left_out: list[str] = NOT_SENT


class StatementBalanceView(Model):
    """One line of the month's balance of earnings."""

    kind: str = NOT_SENT
    amount: Amount = NOT_SENT


class StatementLineView(Model):
    """A transfer on the account."""

    id: str
    kind: str = NOT_SENT
    purpose: str | None = NOT_SENT
    reference: str | None = NOT_SENT
    counterparties: list[CounterpartyView] = NOT_SENT
    amount: Amount = NOT_SENT
    balance: Amount = NOT_SENT
    paid: list[CreditCostView] = NOT_SENT
    booked_at: datetime = NOT_SENT
    effective_at: datetime = NOT_SENT


class StatementSectionLineView(Model):
    """A line of a statement; positive on the normal side of its section."""

    line: str = NOT_SENT
    amount: Amount = NOT_SENT


class StatementView(Model):
    """A creator's earnings of a month, valued in one currency, and their status."""

    id: str
    number: str = NOT_SENT
    organization_id: str = NOT_SENT
    month: str = NOT_SENT
    currency: str = NOT_SENT
    earned: Amount = NOT_SENT
    tax: Amount = NOT_SENT
    tax_code: str | None = NOT_SENT
    tax_text: str | None = NOT_SENT
    lines: list[AccountStatementLineView] = NOT_SENT
    account: list[StatementBalanceView] = NOT_SENT
    corrections: list[CorrectionView] = NOT_SENT


class StatusCount(Model):
    """Number of objects in a state and currency, and the sum of their amounts."""

    status: str = NOT_SENT
    currency: str = NOT_SENT
    count: int = NOT_SENT
    amount: Amount = NOT_SENT
    capped: bool = NOT_SENT


class StatusSummary(Model):
    """Counts by state and currency. At most the newest 2,000 of each state are counted."""

    by_status: list[StatusCount] = NOT_SENT


class StuckRunView(Model):
    """Something that should have continued automatically a while ago."""

    kind: str = NOT_SENT
    id: str
    status: str = NOT_SENT
    since: datetime = NOT_SENT
    workflow_url: str = NOT_SENT


class SubjectView(Model):
    """By whom or for whom credits are spent."""

    type: SubjectKind = NOT_SENT
    id: str
    name: str | None = None


class SubscriptionView(Model):
    """A subscription."""

    plan: str = NOT_SENT
    interval: Interval = NOT_SENT
    price: MoneyView = NOT_SENT
    credits_per_month: Amount = NOT_SENT
    is_agreed_price: bool = NOT_SENT
    net_days: int = NOT_SENT
    seats: int | None = NOT_SENT
    id: str
    organization_id: str = NOT_SENT
    status: SubscriptionStatus = NOT_SENT
    period_start: datetime | None = NOT_SENT
    period_end: datetime | None = NOT_SENT
    cancel_at_period_end: bool = NOT_SENT
    pending_change: PendingChangeView | None = NOT_SENT
    next_charge: NextChargeView | None = NOT_SENT
    ended_at: datetime | None = NOT_SENT
    trial_ends_at: datetime | None = NOT_SENT
    checkout_url: str | None = NOT_SENT
    checkout_expires_at: datetime | None = NOT_SENT
    pay_url: str | None = NOT_SENT


class SummaryView(Model):
    """All money of an organization at one moment. Each list has at most 100 rows; `assets` counts all of them."""

    organization_id: str = NOT_SENT
    as_of: datetime = NOT_SENT
    status: OrganizationStatus = NOT_SENT
    assets: list[AssetSummaryView] = NOT_SENT
    earnings: list[AgentEarningsSummaryView] = NOT_SENT
    escrows: list[EscrowSummaryView] = NOT_SENT
    expiring: list[ExpiringLotView] = NOT_SENT
    invoices_due: list[DueInvoiceView] = NOT_SENT
    shortened: list[str] = NOT_SENT


class SurgeTerms(Model):
    """A surcharge while demand (open work as a share of the capacity) exceeds a threshold."""

    type: Literal["surge"] | str = NOT_SENT
    threshold: Amount = NOT_SENT
    maximum: Amount | None = None
    full: Amount | None = None


class SyncView(Model):
    """A sync that was started."""

    workflow_id: str = NOT_SENT


class TaskView(Model):
    """A task that waits for you."""

    kind: TaskKind = NOT_SENT
    object_id: str = NOT_SENT
    organization_id: str | None = NOT_SENT
    title: str = NOT_SENT
    deadline_at: datetime | None = NOT_SENT
    amount: Amount | None = NOT_SENT
    currency: str | None = NOT_SENT
    path_hint: str = NOT_SENT


class TaxRateView(Model):
    """A tax rate."""

    id: str
    code: str = NOT_SENT
    country: str = NOT_SENT
    region: str | None = NOT_SENT
    product: str | None = NOT_SENT
    rate: Amount = NOT_SENT
    valid_from: datetime = NOT_SENT
    valid_until: datetime | None = NOT_SENT


class TaxReceiptList(Model):
    """The tax documents of a payment."""

    data: list[TaxReceiptView] = NOT_SENT


class TaxReceiptView(Model):
    """A tax document of a payment. Amounts are decimal strings of its currency, negative if money was returned."""

    id: str
    number: str = NOT_SENT
    payment_id: str = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    net: Amount = NOT_SENT
    tax: Amount = NOT_SENT
    tax_code: str = NOT_SENT
    category: str = NOT_SENT
    rate: Amount = NOT_SENT
    issued_at: datetime = NOT_SENT
    transfer_id: str = NOT_SENT


class TaxView(Model):
    """The tax of one rate."""

    code: str = NOT_SENT
    category: str = NOT_SENT
    rate: Amount = NOT_SENT
    taxable: Amount = NOT_SENT
    amount: Amount = NOT_SENT


class TermsVersionView(Model):
    """A version of billing terms."""

    version: int = NOT_SENT
    starts_at: datetime | None = NOT_SENT
    from_month: str | None = NOT_SENT
    mode: UsageMode = NOT_SENT
    currency: str = NOT_SENT
    time_zone: str = NOT_SENT
    minimum_commitment: Amount = NOT_SENT
    commitment_from: date | None = NOT_SENT
    volume_discounts: list[VolumeDiscountView] = NOT_SENT
    net_days: int = NOT_SENT
    collection_method: CollectionMethod = NOT_SENT
    plan_prices: list[AgreedPlanPriceView] = NOT_SENT
    unpaid_limit: Amount | None = NOT_SENT


class TierLimitsView(Model):
    """A plan and its entitlements."""

    projects: int | None = NOT_SENT
    deploys: int | None = NOT_SENT
    seats: int | None = NOT_SENT
    api_access: bool = NOT_SENT
    custom_integrations: bool = NOT_SENT


class TierTerms(Model):
    """A multiplier for clients of one tier, which is the name of their plan."""

    type: Literal["tier"] | str = NOT_SENT
    tier: str = NOT_SENT
    multiplier: Amount = NOT_SENT


class TimeOfDayTerms(Model):
    """A multiplier between two times of day in a time zone.

    A window that ends before it begins ends on the next day.
    """

    type: Literal["time_of_day"] | str = NOT_SENT
    zone: str = NOT_SENT
    multiplier: Amount = NOT_SENT
    weekdays: list[int] | None = None
    begins: str | None = None
    ends: str | None = None


class TopUpView(Model):
    """A purchase of credits. The payer's next step is included when there is one."""

    payment_id: str = NOT_SENT
    package: str | None = None
    credits: Amount = NOT_SENT
    status: PaymentStatus = NOT_SENT
    charge: MoneyView = NOT_SENT
    client_secret: str | None = None
    approval_url: str | None = None
    deposit: DepositView | None = None


class TotalView(Model):
    """A total of spends with one key."""

    key: str | None = NOT_SENT
    amount: Amount = NOT_SENT
    held: Amount = NOT_SENT
    quantity: int = NOT_SENT
    count: int = NOT_SENT


class TransferView(Model):
    """A transfer, and those of its entries that the caller may see. All entries together add up to zero."""

    id: str
    kind: str = NOT_SENT
    reference: str | None = NOT_SENT
    cause: CauseView | None = NOT_SENT
    effective_at: datetime = NOT_SENT
    recorded_at: datetime = NOT_SENT
    entries: list[EntryView] = NOT_SENT


class TrialBalanceLineView(Model):
    """A line of the chart of accounts in one currency. The accounts of all tenants share a line."""

    line: str = NOT_SENT
    kind: str = NOT_SENT
    currency: str = NOT_SENT
    opening_debit: Amount = NOT_SENT
    opening_credit: Amount = NOT_SENT
    debits: Amount = NOT_SENT
    credits: Amount = NOT_SENT
    closing_debit: Amount = NOT_SENT
    closing_credit: Amount = NOT_SENT
    journal_url: str = NOT_SENT


class TrialBalanceTotalView(Model):
    """The totals of all lines in one currency. Debits equal credits."""

    currency: str = NOT_SENT
    opening_debit: Amount = NOT_SENT
    opening_credit: Amount = NOT_SENT
    debits: Amount = NOT_SENT
    credits: Amount = NOT_SENT
    closing_debit: Amount = NOT_SENT
    closing_credit: Amount = NOT_SENT


class TrialBalanceView(Model):
    """Every line with its opening balance, movements and closing balance of a period. Days are in UTC."""

    start_date: date = NOT_SENT
    end_date: date = NOT_SENT
    lines: list[TrialBalanceLineView] = NOT_SENT
    totals: list[TrialBalanceTotalView] = NOT_SENT


class TrialStageView(Model):
    """A stage of a trial."""

    due_at: datetime = NOT_SENT
    share: Amount = NOT_SENT
    results: int = NOT_SENT
    roi: Amount | None = NOT_SENT
    paid: bool = NOT_SENT


class TrialView(Model):
    """A trial of an agent and its progress."""

    id: str
    organization_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    agent_name: str = NOT_SENT
    budget_id: str = NOT_SENT
    status: TrialStatus = NOT_SENT
    stopped_by: StopReason | None = NOT_SENT
    amount: Amount = NOT_SENT
    paid: Amount = NOT_SENT
    currency: str = NOT_SENT
    stages: list[TrialStageView] = NOT_SENT
    next_at: datetime | None = NOT_SENT
    created_by: str = NOT_SENT
    created_at: datetime = NOT_SENT


class TypeView(Model):
    """A notification type, and its timing on each of the caller's channels."""

    type: str = NOT_SENT
    description: str = NOT_SENT
    must_reach: bool = NOT_SENT
    channels: dict[str, Cadence] = NOT_SENT
    chosen: dict[str, Cadence] = NOT_SENT


class UpcomingInvoiceView(Model):
    """The organization's invoice if the month ended now, with its current taxes and credits."""

    organization_id: str = NOT_SENT
    period: str = NOT_SENT
    starts_at: datetime = NOT_SENT
    ends_at: datetime = NOT_SENT
    currency: str = NOT_SENT
    lines: list[UpcomingLine] = NOT_SENT
    charges: Amount = NOT_SENT
    volume: Amount = NOT_SENT
    discount: Amount = NOT_SENT
    usage: Amount = NOT_SENT
    shortfall: Amount = NOT_SENT
    net: Amount = NOT_SENT
    granted_credits: Amount = NOT_SENT
    taxed_credits: Amount = NOT_SENT
    subtotal: Amount = NOT_SENT
    tax: Amount = NOT_SENT
    total: Amount = NOT_SENT
    applied_credits: Amount = NOT_SENT
    rounding: Amount = NOT_SENT
    due: Amount = NOT_SENT


class UpcomingLine(Model):
    """A line of the invoice to come."""

    description: str = NOT_SENT
    quantity: int = NOT_SENT
    amount: Amount = NOT_SENT


class UsageEventView(Model):
    """A usage event and its own cost."""

    id: str
    source: str = NOT_SENT
    event_id: str = NOT_SENT
    type: str = NOT_SENT
    subject: str | None = NOT_SENT
    action: str = NOT_SENT
    occurred_at: datetime = NOT_SENT
    received_at: datetime = NOT_SENT
    agent_id: str | None = NOT_SENT
    department_id: str | None = NOT_SENT
    project_id: str | None = NOT_SENT
    run_id: str | None = NOT_SENT
    step_id: str | None = NOT_SENT
    parent_id: str | None = NOT_SENT
    provider: str | None = NOT_SENT
    model: str | None = NOT_SENT
    spend_id: str | None = NOT_SENT
    usage: dict[str, Any] | None = NOT_SENT
    currency: str | None = NOT_SENT
    cost: Amount | None = NOT_SENT
    creator_share: Amount | None = NOT_SENT
    platform_share: Amount | None = NOT_SENT
    rated_by: str | None = NOT_SENT
    price_ref: str | None = NOT_SENT
    estimated: list[str] = NOT_SENT
    charge: EventChargeView | None = NOT_SENT
    billed_status: BilledStatus = NOT_SENT
    invoice_id: str | None = NOT_SENT
    billed_at: datetime | None = NOT_SENT
    data: dict[str, Any] = NOT_SENT


class UsageLine(Model):
    """The totals of a group of events."""

    group: str | None = NOT_SENT
    events: int = NOT_SENT
    input_tokens: int = NOT_SENT
    output_tokens: int = NOT_SENT
    cached_tokens: int = NOT_SENT
    reasoning_tokens: int = NOT_SENT
    costs: list[CurrencyCostView] = NOT_SENT


class UsageRunView(Model):
    """The cost of an agent run."""

    run_id: str = NOT_SENT
    total: RunCostView = NOT_SENT
    agents: list[RunAgentView] = NOT_SENT
    steps: list[RunStepView] = NOT_SENT


class UsageSummary(Model):
    """Totals of the credits used in a period, by the time of their charge or reservation."""

    organization_id: str = NOT_SENT
    from_: datetime = Field(NOT_SENT, alias="from")
    to: datetime = NOT_SENT
    total: TotalView = NOT_SENT
    by_action: list[TotalView] = NOT_SENT
    by_agent: list[TotalView] = NOT_SENT
    by_department: list[TotalView] = NOT_SENT
    by_model: list[TotalView] = NOT_SENT
    by_day: list[TotalView] = NOT_SENT


class UsageView(Model):
    """Usage of an organization in whole days in UTC."""

    organization_id: str = NOT_SENT
    start_date: date = NOT_SENT
    end_date: date = NOT_SENT
    group_by: str = NOT_SENT
    total: UsageLine = NOT_SENT
    data: list[UsageLine] = NOT_SENT


class UseView(Model):
    """Credits that were used."""

    id: str
    status: SpendStatus = NOT_SENT
    action: str = NOT_SENT
    quantity: int = NOT_SENT
    amount: Amount = NOT_SENT
    currency: str | None = None
    agent_id: str | None = NOT_SENT
    department_id: str | None = NOT_SENT
    project_id: str | None = NOT_SENT
    run_id: str | None = NOT_SENT
    created_at: datetime = NOT_SENT
    available: Amount = NOT_SENT
    payee_agent_id: str | None = None


class ValueView(Model):
    """The value of a metric; `before` is that of the comparison period."""

    metric: str = NOT_SENT
    currency: str | None = NOT_SENT
    value: Amount | None = NOT_SENT
    before: Amount | None = NOT_SENT


class VolumeDiscountView(Model):
    """From these net charges of a month on, all of its usage is cheaper by a share."""

    from_: Amount = Field(NOT_SENT, alias="from")
    discount: Amount = NOT_SENT


class VolumeStep(Model):
    """The multiplier from an amount on."""

    amount: Amount = NOT_SENT
    multiplier: Amount = NOT_SENT


class VolumeTerms(Model):
    """A multiplier by the amount that the client paid for released work in the last 30 days."""

    type: Literal["volume"] | str = NOT_SENT
    currency: str | None = None
    steps: list[VolumeStep] = NOT_SENT


class WaiverView(Model):
    """Earnings that were waived."""

    id: str
    organization_id: str = NOT_SENT
    kind: EarningsKind = NOT_SENT
    amount: Amount = NOT_SENT
    currency: str = NOT_SENT
    created_at: datetime = NOT_SENT


class WebhookDeliveryView(Model):
    """The delivery of an event to an endpoint, and its status."""

    id: str
    endpoint_id: str = NOT_SENT
    event_id: str = NOT_SENT
    type: str = NOT_SENT
    subject: str = NOT_SENT
    subject_seq: int = NOT_SENT
    status: str = NOT_SENT
    tries: int = NOT_SENT
    replays: int = NOT_SENT
    next_try_at: datetime | None = NOT_SENT
    last_try_at: datetime | None = NOT_SENT
    status_code: int | None = NOT_SENT
    error: str | None = NOT_SENT
    answer: str | None = NOT_SENT
    delivered_at: datetime | None = NOT_SENT
    created_at: datetime = NOT_SENT


class WebhookEndpointView(Model):
    """A webhook endpoint."""

    id: str
    organization_id: str = NOT_SENT
    url: str = NOT_SENT
    types: list[str] = NOT_SENT
    description: str | None = NOT_SENT
    ordering: str = NOT_SENT
    status: str = NOT_SENT
    reason: str | None = NOT_SENT
    public_key: str | None = NOT_SENT
    failing_since: datetime | None = NOT_SENT
    slowed_until: datetime | None = NOT_SENT
    delivered_at: datetime | None = NOT_SENT
    created_at: datetime = NOT_SENT


class WebhookReplayed(Model):
    """The number of webhooks that are sent again."""

    deliveries: int = NOT_SENT


class WebhookTested(Model):
    """The test event that is sent."""

    type: str = NOT_SENT


class WhereaboutsView(Model):
    """An organization's money, alerts and stuck objects."""

    summary: SummaryView = NOT_SENT
    open_alerts: list[OpenAlertView] = NOT_SENT
    stuck: list[StuckRunView] = NOT_SENT


class LinkCreated(LinkView):
    """A link with its address, which is shown only once."""

    url: str = NOT_SENT


class RiskRuleHistoryView(RiskRuleView):
    """A rule in its current version, and all its versions."""

    versions: list[RiskRuleView] = NOT_SENT


class WebhookEndpointCreated(WebhookEndpointView):
    """A webhook endpoint with its secret."""

    secret: str | None = NOT_SENT


class ApiKeyCreated(ApiKeyView):
    """A key with its secret, which is shown only once."""

    secret: str | None = NOT_SENT


class AllocationDetailView(AllocationView):
    """The allocation of a day with all its lines, by agent."""

    lines: list[AllocationLineView] = NOT_SENT


class RiskDecisionDetailsView(RiskDecisionView):
    """A decision, and for operators what it saw."""

    details: RiskSeenView | None = NOT_SENT


class BillingTermsView(TermsVersionView):
    """The current billing terms, and those that follow."""

    organization_id: str = NOT_SENT
    next: TermsVersionView | None = NOT_SENT


class RiskCaseDetails(RiskCaseView):
    """A case, what it holds, and how to answer and appeal."""

    holds: list[RiskHoldView] = NOT_SENT
    decisions: list[RiskHeldActView] = NOT_SENT
    question: str | None = NOT_SENT
    answer: str | None = NOT_SENT
    answer_by: datetime | None = NOT_SENT
    appeal: str | None = NOT_SENT
    appeal_by: datetime | None = NOT_SENT
    file: RiskCaseFile | None = NOT_SENT


class SpendDetail(SpendView):
    """A use or a reservation of credits in its current state, how its price was made up, and how it ended."""

    organization_id: str = NOT_SENT
    expired: bool = NOT_SENT
    unit_amount: Amount | None = NOT_SENT
    payee_agent_id: str | None = NOT_SENT
    payee_agent_name: str | None = NOT_SENT
    meter: str | None = NOT_SENT
    purchase_id: str | None = NOT_SENT
    usage_event: UsageEventView | None = NOT_SENT


class InvoiceDetail(InvoiceView):
    """An invoice with its payments, oldest first, and its credit notes. `GET /payments/{id}` shows each payment."""

    billed_to: BilledTo = NOT_SENT
    paid_at: datetime | None = NOT_SENT
    payments: list[PaidView] = NOT_SENT
    credit_notes: list[CreditNoteView] = NOT_SENT


class FundedView(EscrowView):
    """An escrow, and the payment that was created to fund it, if any."""

    payment: PaymentView | None = None


class SlotPurchaseView(PaymentView):
    """The payment, and the current limits. The slots can be used as soon as the money is received."""

    slots: int = NOT_SENT
    limits: LimitsView = NOT_SENT
