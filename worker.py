"""The worker process: runs workflows and activities until it is told to stop, and then lets the running ones end."""

import asyncio
import contextlib
import signal
from datetime import timedelta

import structlog
import uvloop
from temporalio.client import (
    Client,
    ScheduleCalendarSpec,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    ScheduleRange,
    ScheduleSpec,
)
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.accounting import AccountingActivities
from activities.auto_topup import AutoTopUpActivities
from activities.billing_run import BillingRunActivities, Collecting
from activities.creator import CreatorActivities
from activities.customer import CustomerActivities
from activities.escrow import EscrowActivities
from activities.holds import HoldActivities
from activities.inbox import InboxActivities
from activities.invoice import InvoiceActivities
from activities.lots import LotActivities
from activities.mail import MailActivities
from activities.marketplace import MarketplaceActivities
from activities.payment import PaymentActivities
from activities.payment_escrows import PaymentEscrows
from activities.payment_providers import ProviderActivities
from activities.payout import PayoutActivities
from activities.payout_schedule import PayoutScheduleActivities
from activities.reconciliation import ReconciliationActivities
from activities.recovery import RecoveryActivities
from activities.reputation import ReputationActivities
from activities.revenue import RevenueActivities
from activities.spend_alerts import SpendAlertActivities
from activities.spend_days import SpendDayActivities
from activities.subscription import SubscriptionActivities
from activities.subscription_accrual import SubscriptionAccrualActivities
from activities.sweeps import Sweeps
from activities.usage import Metering, UsageActivities
from activities.usage_charges import UsageChargeActivities
from activities.vat_numbers import VatNumberActivities
from composition import make_mailer, make_metering, make_providers, spend_log_client
from contracts.queues import DEPLOYMENT, TASK_QUEUE
from contracts.usage import UsageSync
from providers.payments.registry import Providers
from runtime import collector, logs, metrics
from runtime.database import Database
from runtime.schedules import Job, apply_schedules
from runtime.sealing import Sealer
from runtime.settings import Settings, ended_by_wrong_settings, read_settings
from runtime.telemetry import Telemetry
from runtime.temporal import connect, ensure_search_attributes
from services.payment_terms import TermsMaker
from workflows.accounting_days import AccountingDaysWorkflow
from workflows.auto_topup import AutoTopUpWorkflow
from workflows.auto_topup_sweep import AutoTopUpSweepWorkflow
from workflows.customer import CustomerWorkflow
from workflows.earnings_recovery import EarningsRecoveryWorkflow
from workflows.escrow import EscrowWorkflow
from workflows.escrow_sweep import EscrowSweepWorkflow
from workflows.hold_expiry import HoldExpiryWorkflow
from workflows.inbox_sweep import InboxSweepWorkflow
from workflows.invoice import InvoiceWorkflow
from workflows.invoice_sweep import InvoiceSweepWorkflow
from workflows.lot_expiry import LotExpiryWorkflow
from workflows.mail_sweep import MailSweepWorkflow
from workflows.monthly_invoicing import MonthlyInvoicingWorkflow
from workflows.payment import PaymentWorkflow
from workflows.payment_sweep import PaymentSweepWorkflow
from workflows.payout import PayoutWorkflow
from workflows.payout_sweep import PayoutSweepWorkflow
from workflows.provider_event import ProviderEventWorkflow
from workflows.purchase_renewals import PurchaseRenewalsWorkflow
from workflows.reconciliation import NightlyReconciliationWorkflow, ReconciliationWorkflow
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

log = structlog.get_logger("bursar.worker")


def _every(**period: int) -> ScheduleSpec:
    return ScheduleSpec(intervals=[ScheduleIntervalSpec(every=timedelta(**period))])


def _daily(hour: int, minute: int) -> ScheduleSpec:
    return ScheduleSpec(calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(hour)], minute=[ScheduleRange(minute)])])


SCHEDULES = [
    Job(
        id="auto-topup-sweep",
        workflow="auto-topup-sweep",
        spec=_every(minutes=1),
        summary="Starts automatic top-ups for balances that fell below their threshold",
        # A run looks for a minute. Where one is late, nobody would look during the minute that is left out.
        overlap=ScheduleOverlapPolicy.BUFFER_ONE,
        catch_up_within=timedelta(minutes=1),
        run_timeout=timedelta(minutes=10),
    ),
    Job(
        id="hold-expiry",
        workflow="hold-expiry",
        spec=_every(minutes=1),
        summary="Expires the holds that are due",
    ),
    Job(
        id="lot-expiry",
        workflow="lot-expiry",
        spec=_every(minutes=1),
        summary="Books the expiry of credits that are due",
        run_timeout=timedelta(minutes=30),
    ),
    Job(
        id="purchase-renewals",
        workflow="purchase-renewals",
        spec=_every(hours=1),
        summary="Renews agents that are paid by the month",
        run_timeout=timedelta(hours=6),
    ),
    Job(
        id="revenue-recognition",
        workflow="revenue-recognition",
        spec=_every(minutes=5),
        summary="Books revenue from the credits that were used, expired or earned",
        run_timeout=timedelta(minutes=30),
    ),
    Job(
        id="accounting-days",
        workflow="accounting-days",
        spec=_every(minutes=5),
        summary="Adds up the books by day and line of the chart of accounts",
        run_timeout=timedelta(minutes=30),
    ),
    Job(
        id="escrow-sweep",
        workflow="escrow-sweep",
        spec=_every(minutes=5),
        summary="Restarts the runs of escrows that have none",
        run_timeout=timedelta(minutes=30),
    ),
    Job(
        id="inbox-sweep",
        workflow="inbox-sweep",
        spec=_every(minutes=1),
        summary="Starts runs for webhook events that are stored but not handled",
        run_timeout=timedelta(minutes=30),
    ),
    Job(
        id="mail-sweep",
        workflow="mail-sweep",
        spec=_every(minutes=1),
        summary="Sends the mails that are queued",
        run_timeout=timedelta(hours=2),
    ),
    Job(
        id="payment-sweep",
        workflow="payment-sweep",
        spec=_every(minutes=5),
        summary="Restarts the runs of payments that have none",
        run_timeout=timedelta(minutes=30),
    ),
    Job(
        id="invoice-sweep",
        workflow="invoice-sweep",
        spec=_every(minutes=5),
        summary="Starts the runs of invoices that have none",
        run_timeout=timedelta(minutes=30),
    ),
    Job(
        id="payout-sweep",
        workflow="payout-sweep",
        spec=_every(minutes=5),
        summary="Starts the runs of payouts that have none",
        run_timeout=timedelta(minutes=30),
    ),
    Job(
        id="scheduled-payouts",
        workflow="scheduled-payouts",
        spec=_every(hours=1),
        summary="Pays out creators on the days of their schedules",
        run_timeout=timedelta(minutes=55),
    ),
    Job(
        id="earnings-recovery",
        workflow="earnings-recovery",
        spec=_every(minutes=5),
        summary="Takes back what creators earned from payments that were charged back",
        run_timeout=timedelta(minutes=30),
    ),
    # By half past four the last hour of the day is in every provider's statement.
    Job(
        id="reconciliation-nightly",
        workflow="reconciliation-nightly",
        spec=_daily(4, 30),
        summary="Reconciles each provider's statement with the books",
        catch_up_within=timedelta(hours=20),
        run_timeout=timedelta(hours=22),
    ),
    Job(
        id="reputation-decay",
        workflow="reputation-decay",
        spec=_daily(0, 20),
        summary="Takes the night of every score",
        catch_up_within=timedelta(hours=20),
        run_timeout=timedelta(hours=22),
    ),
    Job(
        id="spend-alerts",
        workflow="spend-alerts",
        spec=_every(minutes=1),
        summary="Raises alerts about what is spent",
    ),
    Job(
        id="spend-days",
        workflow="spend-days",
        spec=ScheduleSpec(calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(0, 23)], minute=[ScheduleRange(7)])]),
        summary="Adds up what was spent on days that are over, at minute 7 of every hour",
        catch_up_within=timedelta(hours=2),
        run_timeout=timedelta(minutes=55),
    ),
    Job(
        id="subscription-accrual",
        workflow="subscription-accrual",
        spec=ScheduleSpec(calendars=[ScheduleCalendarSpec(hour=[ScheduleRange(0, 23)], minute=[ScheduleRange(12)])]),
        summary="Books what subscriptions earned on days that are over, at minute 12 of every hour",
        catch_up_within=timedelta(hours=2),
        run_timeout=timedelta(minutes=55),
    ),
    Job(
        id="subscription-sweep",
        workflow="subscription-sweep",
        spec=_every(minutes=5),
        summary="Restarts the runs of subscriptions that have none",
        run_timeout=timedelta(minutes=30),
    ),
    Job(
        id="usage-months",
        workflow="usage-months",
        spec=_daily(2, 10),
        summary="Makes the tables of the next months of usage events",
        catch_up_within=timedelta(days=7),
    ),
    Job(
        id="usage-charges",
        workflow="usage-charges",
        spec=_every(minutes=1),
        summary="Charges usage events that their meters charge for",
        run_timeout=timedelta(minutes=30),
    ),
    Job(
        id="usage-sync",
        workflow="usage-sync",
        spec=_every(minutes=10),
        summary="Pulls new calls from the spend log of the LiteLLM proxy",
        args=(UsageSync(),),
        run_timeout=timedelta(hours=2),
    ),
    # Calls that are logged long after they began.
    Job(
        id="usage-sync-nightly",
        workflow="usage-sync",
        spec=_daily(3, 10),
        summary="Reads two days of the spend log of the LiteLLM proxy again",
        args=(UsageSync(back_seconds=172_800),),
        catch_up_within=timedelta(hours=20),
        run_timeout=timedelta(hours=20),
    ),
    Job(
        id="vat-confirmations",
        workflow="vat-confirmations",
        spec=_daily(3, 40),
        summary="Asks the register again for VAT numbers that it has not confirmed",
        catch_up_within=timedelta(hours=20),
        run_timeout=timedelta(hours=20),
    ),
]


def invoicing_on(day: int) -> Job:
    """Return the job that invoices months from a day of the next month on; the run itself waits for late usage."""
    on = ScheduleCalendarSpec(day_of_month=[ScheduleRange(day)], hour=[ScheduleRange(0)], minute=[ScheduleRange(30)])
    return Job(
        id="monthly-invoicing",
        workflow="monthly-invoicing",
        spec=ScheduleSpec(calendars=[on]),
        summary="Invoices every month that is over and was not invoiced",
        overlap=ScheduleOverlapPolicy.BUFFER_ONE,
        catch_up_within=timedelta(days=27),
    )


WORKFLOWS = [
    AutoTopUpSweepWorkflow,
    AutoTopUpWorkflow,
    CustomerWorkflow,
    EscrowSweepWorkflow,
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
    PaymentSweepWorkflow,
    PaymentWorkflow,
    PayoutSweepWorkflow,
    EarningsRecoveryWorkflow,
    ScheduledPayoutsWorkflow,
    PayoutWorkflow,
    ProviderEventWorkflow,
    PurchaseRenewalsWorkflow,
    ReconciliationWorkflow,
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
]


def make_worker(
    client: Client,
    database: Database,
    providers: Providers | None = None,
    metering: Metering | None = None,
    *,
    build_id: str | None = None,
    sealed_signals: bool = False,
    runner: WorkflowRunner | None = None,
    settings: Settings | None = None,
) -> Worker:
    """Put together the worker of a process; the tests use the same one.

    With a build id the worker is versioned: the server sends it work once that version is made the current one of the
    deployment `bursar`, and running workflows move to it with their next task. Without one it is not, and every
    worker gets work at once. Either way a change of a workflow's commands is gated with `workflow.patched`.

    Workflows run in the SDK's sandbox unless another `runner` is given: see docs/decisions/0035.
    """
    providers, settings = providers or Providers({}), settings or Settings()
    escrow = EscrowActivities(
        database,
        sealed_signals=sealed_signals,
        refund_days=settings.refunded_credits_days,
        pays_out_granted=settings.pay_out_granted_credits,
        evidence=settings.evidence_policy,
    )
    holds, lots, billing = (
        HoldActivities(database),
        LotActivities(database),
        BillingRunActivities(database, settings.invoice_rules, Collecting(client, settings.dunned_on)),
    )
    mails = MailActivities(database, make_mailer(settings), give_up_after=settings.mail_give_up_after)
    books = PaymentActivities(database, sealed_signals=sealed_signals, entity=settings.legal_entity)
    asking = ProviderActivities(database, providers, sealed_signals=sealed_signals, trait_key=settings.trait_digest_key)
    escrows = PaymentEscrows(database, client)
    payouts = PayoutActivities(database, providers.payouts, hold_back=settings.hold_back, sealed_signals=sealed_signals)
    recoveries = RecoveryActivities(database, providers.payouts, hold_back=settings.hold_back)
    subscriptions = SubscriptionActivities(
        database,
        client,
        providers.subscriptions,
        settings.plan_book,
        rules=settings.invoice_rules,
        sealed_signals=sealed_signals,
    )
    terms = TermsMaker.of(settings.payment_rules, providers, database, settings.sale_rules)
    topups = AutoTopUpActivities(database, client, terms)
    selling = MarketplaceActivities(database, client, terms, pays_out_granted=settings.pay_out_granted_credits)
    invoices = InvoiceActivities(
        database, client, terms, two_above=settings.two_operators_above, sealed_signals=sealed_signals
    )
    scores = ReputationActivities(
        database, enabled=settings.nightly_reputation_update_enabled, rate_e4=settings.reputation_rate_e4
    )
    inbox, customers = InboxActivities(database, client), CustomerActivities(database, providers.customers)
    measuring = UsageActivities(database, metering)
    comparing, sweeps = ReconciliationActivities(database, providers, client), Sweeps(database, client)
    return Worker(
        client,
        task_queue=TASK_QUEUE,
        workflows=WORKFLOWS,
        activities=[
            escrow.record_event,
            escrow.load,
            escrow.find_overdue,
            holds.expire_holds,
            lots.expire_lots,
            billing.plan,
            billing.invoice,
            billing.conclude,
            mails.send_mails,
            VatNumberActivities(database, providers.vat_numbers).confirm_vat_numbers,
            RevenueActivities(database).recognise_revenue,
            AccountingActivities(database).add_up_days,
            books.record,
            books.load,
            books.find_stranded,
            asking.create,
            asking.find,
            asking.retrieve,
            asking.confirm,
            asking.capture,
            asking.cancel,
            asking.refund,
            asking.find_refund,
            asking.submit_evidence,
            subscriptions.record,
            subscriptions.load,
            subscriptions.order,
            subscriptions.look,
            SubscriptionAccrualActivities(database).accrue,
            escrows.fund_escrow,
            escrows.freeze_escrow,
            inbox.dispatch,
            inbox.find_unhandled,
            sweeps.escrows,
            sweeps.payments,
            sweeps.payouts,
            sweeps.invoices,
            sweeps.subscriptions,
            sweeps.events,
            topups.look,
            topups.start,
            topups.order,
            topups.settle,
            selling.renew_purchases,
            customers.ensure_customer,
            customers.look_at_cash,
            CreatorActivities(database, providers.payouts).refresh_creator,
            invoices.record,
            invoices.load,
            invoices.order,
            payouts.record,
            payouts.load,
            payouts.send,
            payouts.find,
            PayoutScheduleActivities(
                database,
                client,
                providers.payouts,
                hold_back=settings.hold_back,
                minimum=settings.payout_minimum,
            ).pay,
            recoveries.recover,
            recoveries.reverse,
            comparing.plan,
            comparing.begin,
            comparing.fetch_statement,
            comparing.tell_payments,
            comparing.count_unsettled,
            comparing.conclude,
            comparing.fail,
            scores.plan,
            scores.change_rate,
            scores.take,
            scores.conclude,
            SpendAlertActivities(database).raise_spend_alerts,
            SpendDayActivities(database).roll_up_spends,
            UsageChargeActivities(database, (metering or Metering()).credit).charge_usage,
            measuring.open_months,
            measuring.plan_sync,
            measuring.sync_page,
            measuring.conclude_sync,
        ],
        # What waits for a worker that was killed is given to another one after this, at the price of one replay.
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=3),
        graceful_shutdown_timeout=timedelta(seconds=10),
        deployment_config=None if build_id is None else _deployment(build_id),
        workflow_runner=runner or SandboxedWorkflowRunner(),
    )


def _deployment(build_id: str) -> WorkerDeploymentConfig:
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=DEPLOYMENT, build_id=build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )


async def main() -> None:
    """Read the settings, connect, and work until SIGINT or SIGTERM."""
    settings = read_settings()
    logs.configure(settings, "worker")
    telemetry = Telemetry(settings, "worker")
    database = Database(
        settings.database_url,
        settings.platform_database_url,
        pool_size=settings.database_pool_size,
        statement_timeout=settings.database_timeout,
        sealer=Sealer(settings.encryption_keys),
        pre_ping=False,
    )
    client = await connect(
        settings,
        runtime=metrics.worker_runtime(settings),
        plugins=telemetry.temporal_plugins(),
        wait=timedelta(seconds=60),
    )
    await ensure_search_attributes(client)
    await apply_schedules(client, [*SCHEDULES, invoicing_on(settings.usage_invoice_day)])
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    providers = make_providers(settings, database)
    sealed = settings.signals_are_sealed
    # What the sandbox finds the tests have found: here it would load the workflow's modules anew for every run.
    plain = UnsandboxedWorkflowRunner()
    http = spend_log_client(settings)
    async with make_worker(
        client,
        database,
        providers,
        make_metering(settings, http),
        build_id=settings.build_id,
        sealed_signals=sealed,
        runner=plain,
        settings=settings,
    ):
        collector.settle()
        log.info("worker ready", task_queue=TASK_QUEUE)
        await stop.wait()
        log.info("worker stopping")
    await http.aclose()
    await providers.aclose()
    await database.close()
    telemetry.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt), ended_by_wrong_settings():
        uvloop.run(main())
