"""The workflows that a worker runs."""

from workflows.accounting_days import AccountingDaysWorkflow
from workflows.alert_rules import AlertRulesWorkflow
from workflows.auto_topup import AutoTopUpWorkflow
from workflows.auto_topup_sweep import AutoTopUpSweepWorkflow
from workflows.creator_statements import CreatorStatementsWorkflow
from workflows.customer import CustomerWorkflow
from workflows.digest import DigestWorkflow
from workflows.earnings_recovery import EarningsRecoveryWorkflow
from workflows.escalation import EscalationWorkflow
from workflows.escrow import EscrowWorkflow
from workflows.escrow_sweep import EscrowSweepWorkflow
from workflows.hold_expiry import HoldExpiryWorkflow
from workflows.inbox_sweep import InboxSweepWorkflow
from workflows.invoice import InvoiceWorkflow
from workflows.invoice_sweep import InvoiceSweepWorkflow
from workflows.lot_expiry import LotExpiryWorkflow
from workflows.mail_sweep import MailSweepWorkflow
from workflows.monthly_invoicing import MonthlyInvoicingWorkflow
from workflows.notifications import NotificationsWorkflow
from workflows.payment import PaymentWorkflow
from workflows.payment_sweep import PaymentSweepWorkflow
from workflows.payout import PayoutWorkflow
from workflows.payout_sweep import PayoutSweepWorkflow
from workflows.probe import ProbeWorkflow
from workflows.provider_event import ProviderEventWorkflow
from workflows.purchase_renewals import PurchaseRenewalsWorkflow
from workflows.reconciliation import NightlyReconciliationWorkflow, ReconciliationWorkflow
from workflows.referral_rewards import ReferralRewardsWorkflow
from workflows.reputation_decay import ReputationDecayWorkflow
from workflows.revenue_recognition import RevenueRecognitionWorkflow
from workflows.scheduled_payouts import ScheduledPayoutsWorkflow
from workflows.spend_alerts import SpendAlertsWorkflow
from workflows.spend_days import SpendDaysWorkflow
from workflows.subscription import SubscriptionWorkflow
from workflows.subscription_accrual import SubscriptionAccrualWorkflow
from workflows.subscription_sweep import SubscriptionSweepWorkflow
from workflows.usage_charges import UsageChargesWorkflow
from workflows.usage_months import UsageMonthsWorkflow
from workflows.usage_sync import UsageSyncWorkflow
from workflows.vat_confirmations import VatConfirmationsWorkflow
from workflows.webhook_dispatch import WebhookDispatchWorkflow
from workflows.webhook_endpoint import WebhookEndpointWorkflow

#: All of them: each module of this folder that defines one is here.
WORKFLOWS = (
    AlertRulesWorkflow,
    AutoTopUpSweepWorkflow,
    AutoTopUpWorkflow,
    CustomerWorkflow,
    DigestWorkflow,
    EscrowSweepWorkflow,
    EscalationWorkflow,
    EscrowWorkflow,
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
    EarningsRecoveryWorkflow,
    ScheduledPayoutsWorkflow,
    PayoutWorkflow,
    ProbeWorkflow,
    ProviderEventWorkflow,
    PurchaseRenewalsWorkflow,
    ReconciliationWorkflow,
    ReferralRewardsWorkflow,
    CreatorStatementsWorkflow,
    ReputationDecayWorkflow,
    RevenueRecognitionWorkflow,
    AccountingDaysWorkflow,
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
