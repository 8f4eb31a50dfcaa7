"""The workflows that a worker runs."""

from workflows.billing.invoice import InvoiceWorkflow
from workflows.billing.monthly_invoicing import MonthlyInvoicingWorkflow
from workflows.billing.subscription import SubscriptionWorkflow
from workflows.billing.subscription_accrual import SubscriptionAccrualWorkflow
from workflows.books.reconciliation import NightlyReconciliationWorkflow, ReconciliationWorkflow
from workflows.books.reference_rates import ReferenceRatesWorkflow
from workflows.budgets.purchase_order import PurchaseOrderWorkflow
from workflows.common.batches import (
    AccountingDaysWorkflow,
    HoldExpiryWorkflow,
    LotExpiryWorkflow,
    MetricSumsWorkflow,
    RevenueRecognitionWorkflow,
    RiskOutcomesWorkflow,
    RiskRetentionWorkflow,
    SpendAlertsWorkflow,
    SpendDaysWorkflow,
    UsageMonthsWorkflow,
)
from workflows.common.handling import (
    AllocationSweepWorkflow,
    CreatorStatementsWorkflow,
    EarningsRecoveryWorkflow,
    MailSweepWorkflow,
    PurchaseOrderSweepWorkflow,
    PurchaseRenewalsWorkflow,
    ReferralRewardsWorkflow,
    ReportSweepWorkflow,
    ScheduledPayoutsWorkflow,
    VatConfirmationsWorkflow,
)
from workflows.common.sweeps import (
    EscrowSweepWorkflow,
    ExportSweepWorkflow,
    InboxSweepWorkflow,
    InvoiceSweepWorkflow,
    PaymentSweepWorkflow,
    PayoutSweepWorkflow,
    RiskCaseSweepWorkflow,
    RotationSweepWorkflow,
    SubscriptionSweepWorkflow,
)
from workflows.escrow.escrow import EscrowWorkflow
from workflows.insight.export import ExportWorkflow
from workflows.insight.report import ReportWorkflow
from workflows.insight.search_index import SearchIndexWorkflow
from workflows.messages.alert_rules import AlertRulesWorkflow
from workflows.messages.digest import DigestWorkflow
from workflows.messages.escalation import EscalationWorkflow
from workflows.messages.notifications import NotificationsWorkflow
from workflows.messages.webhook_dispatch import WebhookDispatchWorkflow
from workflows.messages.webhook_endpoint import WebhookEndpointWorkflow
from workflows.operations.probe import ProbeWorkflow
from workflows.payments.auto_topup import AutoTopUpWorkflow
from workflows.payments.auto_topup_sweep import AutoTopUpSweepWorkflow
from workflows.payments.customer import CustomerWorkflow
from workflows.payments.payment import PaymentWorkflow
from workflows.payments.provider_event import ProviderEventWorkflow
from workflows.payouts.payout import PayoutWorkflow
from workflows.reputation.reputation_decay import ReputationDecayWorkflow
from workflows.returns.allocation import AllocationWorkflow
from workflows.risk.case import RiskCaseWorkflow
from workflows.risk.night import RiskNightWorkflow, RiskSweepWorkflow
from workflows.risk.training import RiskTrainingWorkflow
from workflows.secrets.access_seal import SecretAccessSealWorkflow
from workflows.secrets.rotation import RotationWorkflow
from workflows.usage.usage_charges import UsageChargesWorkflow
from workflows.usage.usage_sync import UsageSyncWorkflow

#: All of them: each module of an area that defines one is here.
WORKFLOWS = (
    AlertRulesWorkflow,
    AllocationSweepWorkflow,
    AllocationWorkflow,
    AutoTopUpSweepWorkflow,
    AutoTopUpWorkflow,
    CustomerWorkflow,
    DigestWorkflow,
    EscrowSweepWorkflow,
    EscalationWorkflow,
    EscrowWorkflow,
    ExportSweepWorkflow,
    ExportWorkflow,
    HoldExpiryWorkflow,
    InboxSweepWorkflow,
    InvoiceSweepWorkflow,
    InvoiceWorkflow,
    LotExpiryWorkflow,
    MonthlyInvoicingWorkflow,
    MailSweepWorkflow,
    VatConfirmationsWorkflow,
    NightlyReconciliationWorkflow,
    NotificationsWorkflow,
    PaymentSweepWorkflow,
    PaymentWorkflow,
    PayoutSweepWorkflow,
    RiskCaseSweepWorkflow,
    EarningsRecoveryWorkflow,
    ScheduledPayoutsWorkflow,
    PayoutWorkflow,
    ProbeWorkflow,
    ProviderEventWorkflow,
    PurchaseOrderSweepWorkflow,
    PurchaseOrderWorkflow,
    PurchaseRenewalsWorkflow,
    ReconciliationWorkflow,
    ReferenceRatesWorkflow,
    ReferralRewardsWorkflow,
    CreatorStatementsWorkflow,
    ReportSweepWorkflow,
    ReportWorkflow,
    ReputationDecayWorkflow,
    RevenueRecognitionWorkflow,
    RiskOutcomesWorkflow,
    RiskRetentionWorkflow,
    RiskNightWorkflow,
    RiskSweepWorkflow,
    RiskCaseWorkflow,
    RiskTrainingWorkflow,
    RotationSweepWorkflow,
    RotationWorkflow,
    AccountingDaysWorkflow,
    MetricSumsWorkflow,
    SearchIndexWorkflow,
    SecretAccessSealWorkflow,
    SpendAlertsWorkflow,
    SpendDaysWorkflow,
    SubscriptionAccrualWorkflow,
    SubscriptionSweepWorkflow,
    SubscriptionWorkflow,
    UsageChargesWorkflow,
    UsageMonthsWorkflow,
    UsageSyncWorkflow,
    WebhookDispatchWorkflow,
    WebhookEndpointWorkflow,
)
