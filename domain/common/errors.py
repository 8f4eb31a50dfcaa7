"""The error tree: each error is a class, which callers recognise by its `code`.

Classes at the end differ from a general class by the code alone. `api/errors.py` translates errors to problem
documents, and the interceptor in `runtime/interceptors.py` to an `ApplicationError` whose type is the code.
`docs/reference/errors.md` explains every code, and is the source of the OpenAPI examples.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import ClassVar, Self, cast


class DomainError(Exception):
    """A refusal that the caller can understand and act on.

    Attributes:
        code: stable, dotted, documented in `docs/reference/errors.md`.
        status: the HTTP status that carries it.
        retryable: whether the same request may succeed later without being changed.
        commits: whether the transaction that raises it is committed, because it recorded the refusal only.
        frees_key: whether a request with the missing input can reuse the key, because nothing was done.
        example: a sentence for the OpenAPI document; without one it has the first of `docs/reference/errors.md`.
        detail: a sentence about what is wrong, and what to do.
        extra: further members of the problem document (for example `{"state": "released"}`), JSON values only.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    commits: ClassVar[bool] = False
    frees_key: ClassVar[bool] = False
    example: ClassVar[str] = "An internal error occurred."

    def __init__(self, detail: str, *, code: str | None = None, extra: Mapping[str, object] | None = None) -> None:
        """Keep detail and further members; `code` overrides the code of the class."""
        super().__init__(detail)
        self.detail = detail
        self.error_code = code or self.code
        self.extra: dict[str, object] = dict(extra or {})

    @classmethod
    def with_code(cls, code: str) -> type[Self]:
        """Return a subclass that differs by its code alone."""
        return cast("type[Self]", type(code, (cls,), {"code": code, "__module__": __name__}))


class Invalid(DomainError):
    """The request cannot be understood or breaks a rule that needs no state to be checked."""

    code = "request.invalid"
    status = 422
    example = "amount: The amount must be a plain decimal number such as 12.50."


class CardNumber(Invalid):
    """The request contains a payment card number, which is never accepted, stored or repeated."""

    code = "privacy.card_number"
    example = "The request contains what looks like a payment card number, and nothing of it was stored."


class Unauthenticated(DomainError):
    """The key is missing, unknown, revoked or expired."""

    code = "auth.invalid"
    status = 401
    example = "The key is unknown, revoked or expired."


class Forbidden(DomainError):
    """The key is valid and sees the object, but its role lacks the permission."""

    code = "auth.forbidden"
    status = 403
    example = "The role member may not do this."


class NotFound(DomainError):
    """The object does not exist, or belongs to another organization; the response is the same."""

    code = "not_found"
    status = 404
    example = "The object does not exist."


class Conflict(DomainError):
    """The state of the object does not allow this."""

    code = "conflict"
    status = 409


class InFlight(Conflict):
    """A request with this idempotency key is still running."""

    code = "idempotency.in_flight"
    retryable = True
    example = "A request with this Idempotency-Key is still running."


class ProviderCallPending(Conflict):
    """A call at the provider is in progress, or its outcome is not known yet."""

    code = "payment.unknown_outcome"
    retryable = True


class BadSignature(DomainError):
    """A webhook is unsigned, has a wrong signature, is too old, or is not an event."""

    code = "webhook.bad_signature"
    status = 400


class RiskBlocked(DomainError):
    """A decision against fraud blocked the act; the organization can appeal. Extra: `decision_id`."""

    code = "risk.blocked"
    status = 403
    commits = True


class RiskBusy(DomainError):
    """Concurrent acts of the same organization, address or device are being decided."""

    code = "risk.busy"
    status = 429
    retryable = True
    example = "Other acts of this organization, address or device are being decided. Repeat the request."


class RiskInReview(DomainError):
    """The act waits for a case. It is done when the request is repeated after the release. Extra: `case_id`."""

    code = "risk.in_review"
    status = 202
    commits = True
    frees_key = True


class IdempotencyMissing(DomainError):
    """A POST that moves money came without an Idempotency-Key."""

    code = "idempotency.missing"
    status = 400
    example = "This request moves money: send an Idempotency-Key."


class IdempotencyConflict(DomainError):
    """The key was used before, for another request."""

    code = "idempotency.conflict"
    status = 422
    example = "This Idempotency-Key was used for another request."


def other_request(object_id: str | None = None) -> IdempotencyConflict:
    """Return the refusal of an idempotency key that was used for another request.

    `object_id` is the object that the first request created or changed, if known.
    """
    extra = {} if object_id is None else {"object_id": object_id}
    return IdempotencyConflict("This Idempotency-Key was used for another request. Choose a new one.", extra=extra)


class InsufficientFunds(DomainError):
    """The transfer would take the account below its minimum balance."""

    code = "ledger.insufficient_funds"
    status = 402
    example = "The account does not hold this amount."


class SpendLimitExceeded(DomainError):
    """A spend control refuses the spend; the problem document has the control, the window and the remaining amount."""

    code = "spend.limit_exceeded"
    status = 402


class RateLimited(DomainError):
    """The rate limit of the key or its organization is used up; `retry_after` is the number of seconds to wait."""

    code = "rate_limited"
    status = 429
    retryable = True
    example = "The rate limit of this key or its organization is exceeded."


class Unavailable(DomainError):
    """A service that the request needs did not respond in time. Repeating the same key is safe."""

    code = "service.unavailable"
    status = 503
    retryable = True
    example = (
        "A service that the request depends on is not available. Repeat the request with the same Idempotency-Key."
    )


NotMapped = Conflict.with_code("accounting.not_mapped")
AgentListed = Conflict.with_code("agent.listed")
AgentRetired = Conflict.with_code("agent.retired")
OperatorsCase = Conflict.with_code("alert.operators_case")
AlertResolved = Conflict.with_code("alert.resolved")
AlertRuleExists = Conflict.with_code("alert_rule.exists")
AlertRuleLimitReached = Conflict.with_code("alert_rule.limit_reached")
AlertRuleNeverFires = Invalid.with_code("alert_rule.never_fires")
AlertRuleUnknownMetric = Invalid.with_code("alert_rule.unknown_metric")
AllocationExpired = Conflict.with_code("allocation.expired")
AllocationNoBudget = Conflict.with_code("allocation.no_budget")
AllocationStale = Conflict.with_code("allocation.stale")
AnalyticsNoRate = Invalid.with_code("analytics.no_rate")
QueryTooLarge = Invalid.with_code("analytics.too_much")
UnknownMetric = Invalid.with_code("analytics.unknown")
ApiKeyLimitReached = Conflict.with_code("api_key.limit_reached")
ApiKeyRevoked = Conflict.with_code("api_key.revoked")
ApprovalDecided = Conflict.with_code("approval.decided")
ApprovalOwn = Forbidden.with_code("approval.own")
ApprovalRequired = Forbidden.with_code("approval.required")
ApprovalSameOperator = Conflict.with_code("approval.same_operator")
ApprovalStale = Conflict.with_code("approval.stale")
AuthMissing = Unauthenticated.with_code("auth.missing")
BillingRunEarlierFirst = Conflict.with_code("billing_run.earlier_first")
MonthNotEnded = Invalid.with_code("billing_run.not_ended")
BudgetPoolClosed = Conflict.with_code("budget.pool_closed")
BudgetPoolTooSmall = Conflict.with_code("budget.pool_too_small")
CardClosed = Conflict.with_code("card.closed")
CardNoAddress = Conflict.with_code("card.no_address")
CardNoRate = Conflict.with_code("card.no_rate")
CardOrder = Conflict.with_code("card.order")
CardPending = Conflict.with_code("card.pending")
TooManyStreams = Unavailable.with_code("changes.too_many_streams")
AboveLimit = Conflict.with_code("contract.above_limit")
ContractExpired = Conflict.with_code("contract.expired")
NotAccepted = Conflict.with_code("contract.not_accepted")
ExceedsRemainder = Conflict.with_code("credit_note.exceeds_remainder")
CustomerMissing = Conflict.with_code("customer.missing")
DepartmentExists = Conflict.with_code("department.exists")
DepartmentInUse = Conflict.with_code("department.in_use")
LimitReached = Conflict.with_code("deployment.limit_reached")
DocumentNoEinvoice = Conflict.with_code("document.no_einvoice")
DocumentNoSeller = Conflict.with_code("document.no_seller")
DocumentNothingReceived = Conflict.with_code("document.nothing_received")
NotWaivable = Conflict.with_code("earnings.not_waivable")
EntitlementMissing = Forbidden.with_code("entitlement.missing")
AlreadySigned = Conflict.with_code("escrow.already_signed")
EscrowAmountMismatch = Conflict.with_code("escrow.amount_mismatch")
EscrowCurrencyMismatch = Conflict.with_code("escrow.currency_mismatch")
EscrowDeliveriesFull = Conflict.with_code("escrow.deliveries_full")
EscrowDeliveryChanged = Conflict.with_code("escrow.delivery_changed")
EscrowEvidenceClosed = Conflict.with_code("escrow.evidence_closed")
EvidenceFull = Conflict.with_code("escrow.evidence_full")
EscrowExists = Conflict.with_code("escrow.exists")
ExposureLimit = Conflict.with_code("escrow.exposure_limit")
EscrowMilestoneReleased = Conflict.with_code("escrow.milestone_released")
EscrowNotASignatory = Forbidden.with_code("escrow.not_a_signatory")
EscrowOperatorApprovalsExcluded = Forbidden.with_code("escrow.operator_approvals_excluded")
EscrowOutOfStep = Unavailable.with_code("escrow.out_of_step")
EscrowPaymentMismatch = Conflict.with_code("escrow.payment_mismatch")
EscrowRefundExceedsHeld = Invalid.with_code("escrow.refund_exceeds_held")
EscrowRefundsFull = Conflict.with_code("escrow.refunds_full")
EscrowTooManyWaiting = RateLimited.with_code("escrow.too_many_waiting")
WrongState = Conflict.with_code("escrow.wrong_state")
ExchangeRateExists = Conflict.with_code("exchange_rate.exists")
ExportExpired = Conflict.with_code("export.expired")
ExportLimitReached = Conflict.with_code("export.limit_reached")
ExternalIdTaken = Conflict.with_code("external_id.taken")
ForecastTooShort = Invalid.with_code("forecast.too_short")
FreeOptionLimitReached = Conflict.with_code("free_option.limit_reached")
InsightOrderRefused = Conflict.with_code("insight.order_refused")
InsightTakenElsewhere = Conflict.with_code("insight.taken_elsewhere")
InvitationExhausted = RateLimited.with_code("invitation.exhausted")
InvoiceAmountMismatch = Conflict.with_code("invoice.amount_mismatch")
ChargeUnderWay = Conflict.with_code("invoice.charge_under_way")
InvoiceCollectedAlready = Conflict.with_code("invoice.collected_already")
WrongInvoiceState = Conflict.with_code("invoice.wrong_state")
InvoiceItemLimitReached = Conflict.with_code("invoice_item.limit_reached")
InvoiceItemNotOpen = Conflict.with_code("invoice_item.not_open")
LedgerHoldEnded = Conflict.with_code("ledger.hold_ended")
LedgerHoldExpired = Conflict.with_code("ledger.hold_expired")
UnknownEntity = Conflict.with_code("legal_entity.unknown")
MarketplaceEnded = Conflict.with_code("marketplace.ended")
MarketplaceNotInLibrary = Forbidden.with_code("marketplace.not_in_library")
MarketplaceNotMetered = Conflict.with_code("marketplace.not_metered")
MarketplaceNotRenewing = Conflict.with_code("marketplace.not_renewing")
MarketplaceOfferChanged = Conflict.with_code("marketplace.offer_changed")
MarketplaceOwnAgent = Forbidden.with_code("marketplace.own_agent")
MarketplaceRefundWindowClosed = Conflict.with_code("marketplace.refund_window_closed")
MarketplaceRefunded = Conflict.with_code("marketplace.refunded")
MarketplaceRefundedBefore = Conflict.with_code("marketplace.refunded_before")
MarketplaceRelated = Forbidden.with_code("marketplace.related")
NotForSale = Conflict.with_code("marketplace.retired")
MarketplaceSuspended = Conflict.with_code("marketplace.suspended")
UsedUp = Conflict.with_code("marketplace.used_up")
MeterClosed = Conflict.with_code("meter.closed")
MeterExists = Conflict.with_code("meter.exists")
MeterLimitReached = Conflict.with_code("meter.limit_reached")
MeterNotChargeable = Conflict.with_code("meter.not_chargeable")
NotificationChannelExists = Conflict.with_code("notification.channel_exists")
CodeRefused = Conflict.with_code("notification.code_refused")
NotificationCodesExhausted = RateLimited.with_code("notification.codes_exhausted")
NotificationLimitReached = Conflict.with_code("notification.limit_reached")
OnlyRecipient = Conflict.with_code("notification.only_recipient")
NotificationVerified = Conflict.with_code("notification.verified")
OrganizationClosed = Conflict.with_code("organization.closed")
OrganizationContactsExhausted = RateLimited.with_code("organization.contacts_exhausted")
OrganizationNotEmpty = Conflict.with_code("organization.not_empty")
OrganizationSuspended = Forbidden.with_code("organization.suspended")
PaymentAlreadyRefunded = Conflict.with_code("payment.already_refunded")
PaymentAmountTooLarge = Invalid.with_code("payment.amount_too_large")
PaymentDisputed = Conflict.with_code("payment.disputed")
PaymentEvidenceClosed = Conflict.with_code("payment.evidence_closed")
PaymentEvidenceRefused = Invalid.with_code("payment.evidence_refused")
PaymentExists = Conflict.with_code("payment.exists")
PaymentFeeNotKnown = ProviderCallPending.with_code("payment.fee_not_known")
PaymentFulfilmentUnderWay = ProviderCallPending.with_code("payment.fulfilment_under_way")
PaymentNoMethod = Conflict.with_code("payment.no_method")
NotPaid = Conflict.with_code("payment.not_paid")
NotRefundable = Conflict.with_code("payment.not_refundable")
PaymentPartOfASlot = Invalid.with_code("payment.part_of_a_slot")
RefundExceeds = Invalid.with_code("payment.refund_exceeds_remainder")
PaymentRefundInFlight = ProviderCallPending.with_code("payment.refund_in_flight")
PaymentRefundKnown = Conflict.with_code("payment.refund_known")
NeedsOperator = Conflict.with_code("payment.refund_needs_operator")
PaymentRefundNotUnknown = Conflict.with_code("payment.refund_not_unknown")
PaymentRefused = Conflict.with_code("payment.refused")
PaymentTooManyRefunds = Conflict.with_code("payment.too_many_refunds")
PaymentUnderWay = Conflict.with_code("payment.under_way")
WrongPaymentState = Conflict.with_code("payment.wrong_state")
PaymentMethodExpired = Invalid.with_code("payment_method.expired")
PaymentMethodUnknown = Invalid.with_code("payment_method.unknown")
PaymentPolicyVersion = Conflict.with_code("payment_policy.version")
CannotPayOut = Conflict.with_code("payout.above_available")
PayoutAccountNotReady = Conflict.with_code("payout.account_not_ready")
PayoutBelowMinimum = Conflict.with_code("payout.below_minimum")
PayoutCurrencyUnsupported = Conflict.with_code("payout.currency_unsupported")
PayoutDebtOpen = Conflict.with_code("payout.debt_open")
DestinationChanged = Conflict.with_code("payout.destination_changed")
PayoutDestinationHeld = Conflict.with_code("payout.destination_held")
RiskRuleInvalid = Invalid.with_code("risk.rule_invalid")
RiskCaseChanged = Conflict.with_code("risk.case_changed")
RiskCaseDecided = Conflict.with_code("risk.case_decided")
RiskNotDecided = Conflict.with_code("risk.not_decided")
RiskOwnOrganization = Forbidden.with_code("risk.own_organization")
RiskLabelled = Conflict.with_code("risk.labelled")
RiskRuleExists = Conflict.with_code("risk.rule_exists")
RiskTooManyRules = Conflict.with_code("risk.too_many_rules")
RiskSameOperator = Forbidden.with_code("risk.same_operator")
WrongRiskCaseState = Conflict.with_code("risk.wrong_state")
PayoutFrozen = Conflict.with_code("payout.frozen")
PayoutNoAccount = Conflict.with_code("payout.no_account")
PayoutTaxProfileMissing = Conflict.with_code("payout.tax_profile_missing")
WrongPayoutState = Conflict.with_code("payout.wrong_state")
PricingExpressionInvalid = Invalid.with_code("pricing.expression_invalid")
PricingExpressionResult = Invalid.with_code("pricing.expression_result")
PricingExpressionTooLong = Invalid.with_code("pricing.expression_too_long")
PricingExpressionUnsafe = Invalid.with_code("pricing.expression_unsafe")
PricingFloorAboveCeiling = Invalid.with_code("pricing.floor_above_ceiling")
PricingNoPrice = Invalid.with_code("pricing.no_price")
PricingOverlap = Invalid.with_code("pricing.overlap")
QuoteExpired = Conflict.with_code("pricing.quote_expired")
PricingQuoteMismatch = Invalid.with_code("pricing.quote_mismatch")
QuoteUsed = Conflict.with_code("pricing.quote_used")
PricingRuleInvalid = Invalid.with_code("pricing.rule_invalid")
PricingTooManyRules = Conflict.with_code("pricing.too_many_rules")
PricingTotalFalls = Invalid.with_code("pricing.total_falls")
PricingUnknownZone = Invalid.with_code("pricing.unknown_zone")
PrincipalExists = Conflict.with_code("principal.exists")
ProjectExists = Conflict.with_code("project.exists")
RefusedByProvider = Invalid.with_code("provider.refused")
ProviderNotAvailable = Unavailable.with_code("provider.unavailable")
PurchaseMethodLimitReached = Conflict.with_code("purchase_method.limit_reached")
AttemptOpen = Conflict.with_code("purchase_order.attempt_open")
PurchaseOrderAttemptsExhausted = Conflict.with_code("purchase_order.attempts_exhausted")
WrongOrderState = Conflict.with_code("purchase_order.wrong_state")
RateUnavailable = Unavailable.with_code("rate.unavailable")
NotBookable = Conflict.with_code("reconciliation.not_bookable")
ReconciliationResolved = Conflict.with_code("reconciliation.resolved")
ReportLimitReached = Conflict.with_code("report.limit_reached")
ReportPeriodOpen = Conflict.with_code("report.period_open")
ReputationAlreadyGiven = Conflict.with_code("reputation.already_given")
ReputationLevelsInvalid = Invalid.with_code("reputation.levels_invalid")
ReputationNotSettled = Conflict.with_code("reputation.not_settled")
ReputationOwnAgent = Conflict.with_code("reputation.own_agent")
ReputationRelated = Conflict.with_code("reputation.related")
ReputationWindowClosed = Conflict.with_code("reputation.window_closed")
RevenueExists = Conflict.with_code("revenue.exists")
RevenueStale = Conflict.with_code("revenue.stale")
WrongRevenueState = Conflict.with_code("revenue.wrong_state")
RoutingNoChoice = Conflict.with_code("routing.no_choice")
RoutingOutcomeExists = Conflict.with_code("routing.outcome_exists")
RoutingRunDecided = Conflict.with_code("routing.run_decided")
SecretCurrent = Conflict.with_code("secret.current")
SecretHeader = Forbidden.with_code("secret.header")
SecretHost = Forbidden.with_code("secret.host")
SecretLimitReached = Conflict.with_code("secret.limit_reached")
SecretMethod = Forbidden.with_code("secret.method")
SecretNoVersion = Conflict.with_code("secret.no_version")
SecretNotConfigured = Conflict.with_code("secret.not_configured")
SecretNotGranted = Forbidden.with_code("secret.not_granted")
NotRotated = Conflict.with_code("secret.not_rotated")
SecretPlace = Forbidden.with_code("secret.place")
SecretRefused = Invalid.with_code("secret.refused")
RotationUnderWay = Conflict.with_code("secret.rotating")
SecretUnopened = Conflict.with_code("secret.unopened")
SecretUsed = Conflict.with_code("secret.used")
SecretUsesExhausted = Forbidden.with_code("secret.uses_exhausted")
SessionByLink = Forbidden.with_code("session.by_link")
SessionNeedsKey = Forbidden.with_code("session.needs_key")
SessionNoMail = Conflict.with_code("session.no_mail")
SessionNoPublicUrl = Conflict.with_code("session.no_public_url")
SpendCard = Conflict.with_code("spend.card")
SpendPurchase = Conflict.with_code("spend.purchase")
SpendRefunded = Conflict.with_code("spend.refunded")
SpendSecretUse = Conflict.with_code("spend.secret_use")
SpendControlClosed = Conflict.with_code("spend_control.closed")
SpendControlExists = Conflict.with_code("spend_control.exists")
SpendControlHasChildren = Conflict.with_code("spend_control.has_children")
SpendControlVersion = Conflict.with_code("spend_control.version")
StatementBeingMade = Unavailable.with_code("statement.being_made")
StatementNotOver = Conflict.with_code("statement.not_over")
SubscriptionRefused = Conflict.with_code("subscription.wrong_state")
SubscriptionChangePending = SubscriptionRefused.with_code("subscription.change_pending")
SubscriptionContactMissing = SubscriptionRefused.with_code("subscription.contact_missing")
SubscriptionExists = SubscriptionRefused.with_code("subscription.exists")
SubscriptionPaymentDisputed = SubscriptionRefused.with_code("subscription.payment_disputed")
SubscriptionPriceChanged = SubscriptionRefused.with_code("subscription.price_changed")
SubscriptionSamePlan = SubscriptionRefused.with_code("subscription.same_plan")
SubscriptionSeatsInUse = SubscriptionRefused.with_code("subscription.seats_in_use")
SubscriptionTrialUsed = SubscriptionRefused.with_code("subscription.trial_used")
SubscriptionUnpaid = SubscriptionRefused.with_code("subscription.unpaid")
TaxRateExists = Conflict.with_code("tax.rate_exists")
TaxRefused = Conflict.with_code("tax.service_refused")
TaxUnavailable = Unavailable.with_code("tax.service_unavailable")
UnpaidAgent = Invalid.with_code("usage.agent_unpaid")
UsageForeignPlace = Conflict.with_code("usage.foreign_place")
OtherEvent = Conflict.with_code("usage.id_reused")
UsageModelUnknown = Invalid.with_code("usage.model_unknown")
NotVoidable = Conflict.with_code("usage.not_voidable")
OtherCurrency = Invalid.with_code("usage.other_currency")
LateEvent = Invalid.with_code("usage.too_late")
UsageUnitUnpriced = Invalid.with_code("usage.unit_unpriced")
UnpaidLimit = Invalid.with_code("usage.unpaid_limit")
UnratedEvent = Invalid.with_code("usage.unrated")
UsageUnreadable = Invalid.with_code("usage.unreadable")
WebhookDelivered = Conflict.with_code("webhook.delivered")
WebhookLimitReached = Conflict.with_code("webhook.limit_reached")
WebhookRequestsExhausted = RateLimited.with_code("webhook.requests_exhausted")
WebhookTooManyWaiting = Conflict.with_code("webhook.too_many_waiting")
WrongEndpointState = Conflict.with_code("webhook.wrong_state")


@lru_cache(maxsize=512)
def class_of(code: str, status: int, *, retryable: bool = False) -> type[DomainError]:
    """Return the class with the code, else one with the status, else a new class."""
    classes = list(subclasses_of(DomainError))
    for candidate in classes:
        if candidate.code == code and candidate.status == status and candidate.retryable == retryable:
            return candidate
    for candidate in classes:
        if candidate.status == status and candidate.retryable == retryable and candidate is not DomainError:
            return candidate
    return type("RemoteDomainError", (DomainError,), {"code": code, "status": status, "retryable": retryable})


def status_of(code: str) -> int:
    """Return the status of the errors with a code; 409 if no class has it."""
    return next((each.status for each in subclasses_of(DomainError) if each.code == code), Conflict.status)


def subclasses_of(root: type[DomainError]) -> Iterator[type[DomainError]]:
    """Yield the class and all subclasses breadth first: general classes before their special cases."""
    level = [root]
    while level:
        yield from level
        level = [
            child for parent in level for child in parent.__subclasses__() if child.__name__ != "RemoteDomainError"
        ]
