"""The worker process: runs workflows and activities until a signal, then lets the running ones finish."""

import gc

if __name__ == "__main__":
    # Imported objects are permanent, and collections take a quarter of the start; `freeze_startup_objects` enables
    # them.
    gc.disable()

import asyncio
import contextlib
import inspect
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import structlog
import uvloop
from temporalio.client import Client
from temporalio.common import VersioningBehavior, WorkerDeploymentVersion
from temporalio.worker import UnsandboxedWorkflowRunner, Worker, WorkerDeploymentConfig, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from activities.billing.billing_run import BillingRunActivities, CollectionSetup
from activities.billing.invoice import InvoiceActivities
from activities.billing.subscription import SubscriptionActivities
from activities.billing.subscription_accrual import SubscriptionAccrualActivities
from activities.billing.vat_numbers import VatNumberActivities
from activities.books.accounting import AccountingActivities
from activities.books.reconciliation import ReconciliationActivities
from activities.books.reference_rates import ReferenceRateActivities
from activities.books.revenue import RevenueActivities
from activities.budgets.purchase_order import PurchaseOrderActivities
from activities.cards.card import CardActivities
from activities.common.sweeps import Sweeps
from activities.credits.holds import HoldActivities
from activities.credits.lots import LotActivities
from activities.credits.spend_alerts import SpendAlertActivities
from activities.credits.spend_days import SpendDayActivities
from activities.escrow.contract import ContractActivities
from activities.escrow.escrow import EscrowActivities
from activities.escrow.payment_escrows import PaymentEscrows
from activities.insight.export import ExportActivities
from activities.insight.metric_sums import MetricSumActivities
from activities.insight.report import ReportActivities
from activities.insight.search_index import SearchIndexActivities
from activities.marketplace.marketplace import MarketplaceActivities
from activities.marketplace.referral import ReferralActivities
from activities.messages.alert_rules import AlertRuleActivities
from activities.messages.escalation import EscalationActivities
from activities.messages.mail import MailActivities
from activities.messages.notification import NotificationActivities
from activities.messages.webhook_dispatch import WebhookDispatchActivities
from activities.messages.webhook_endpoint import WebhookEndpointActivities
from activities.operations.probe import ProbeActivities
from activities.payments.auto_topup import AutoTopUpActivities
from activities.payments.customer import CustomerActivities
from activities.payments.inbox import InboxActivities
from activities.payments.payment import PaymentActivities
from activities.payments.payment_providers import ProviderActivities
from activities.payouts.creator import CreatorActivities
from activities.payouts.payout import PayoutActivities
from activities.payouts.payout_schedule import PayoutScheduleActivities
from activities.payouts.recovery import RecoveryActivities
from activities.payouts.statement import StatementActivities
from activities.reputation.reputation import ReputationActivities
from activities.returns.allocation import AllocationActivities
from activities.risk.case import RiskCaseActivities
from activities.risk.night import RiskNightActivities
from activities.risk.outcomes import RiskOutcomeActivities
from activities.risk.training import RiskTrainingActivities
from activities.secrets.access import SecretAccessActivities
from activities.secrets.rotation import RotationActivities
from activities.usage.usage import Metering, UsageActivities
from activities.usage.usage_charges import UsageChargeActivities
from composition import (
    make_mailer,
    make_metering,
    make_providers,
    make_rotators,
    make_search_index,
    make_secrets,
    search_index_client,
    spend_log_client,
)
from contracts.common.queues import DELIVERY_QUEUE, DEPLOYMENT, TASK_QUEUE
from domain.messages.notification.channel import ChannelKind
from domain.secrets.rotation import MAX_CONCURRENT_STEPS
from providers.expressions import compile_rule
from providers.files import Files
from providers.front_door import FrontDoor
from providers.judged import Receivers
from providers.notify.base import Notifier
from providers.notify.slack import SlackNotifier
from providers.notify.webhook import HttpWebhookSender, WebhookSender
from providers.payments.registry import Providers
from providers.search_index import SearchIndex
from providers.secrets.registry import SecretBackends
from repositories.tenants import organization as organizations
from runtime import collector, logs, metrics
from runtime.database import Database
from runtime.jobs import PROBE, REFERENCE_RATES, SCHEDULES, SEARCH_INDEX, invoicing_on, probing_every
from runtime.schedules import apply_schedules
from runtime.sealing import OF_CHANNELS, OF_LINKS, OF_WEBHOOKS, Sealer
from runtime.settings import Settings, ended_by_wrong_settings, read_settings
from runtime.telemetry import Telemetry
from runtime.temporal import connect, ensure_search_attributes
from runtime.workers import Workers
from services.billing.document_files import Documents
from services.books import exchange_rate
from services.credits.credit_lot import ManualGrantRules
from services.insight.metrics import run_query
from services.messages import notification
from services.messages.slack_turns import SharedTurns
from services.messages.unsubscribing import UnsubscribeLinks
from services.payments.payment_terms import TermsMaker
from services.risk.decision import Risk
from workflows.registry import WORKFLOWS

log = structlog.get_logger("bursar.worker")

#: Maximum number of concurrent workflow tasks. A starting worker replays waiting runs on one core of Python: with the
#: SDK's 100 tasks none might end within the task timeout, and all would start again.
WORKFLOW_TASKS = 20
#: Grace period of activities when the process is stopped.
STOPS_WITHIN = timedelta(seconds=10)


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
    sender: WebhookSender | None = None,
    slack: Notifier | None = None,
    door: FrontDoor | None = None,
    search_index: SearchIndex | None = None,
    secrets: SecretBackends | None = None,
) -> Workers:
    """Create the workers of a process, also for tests.

    One handles everything; the other has separate slots for activities that wait for hosts chosen by tenants.

    With a build id both are versioned: the server sends them work once that version is current in the deployment
    `bursar`, and running workflows move to it with their next task. Without one every worker gets work at once. In both
    cases changes of a workflow's commands are gated with `workflow.patched`.

    Workflows run in the SDK's sandbox unless another `runner` is given: see docs/reference/decisions/0035.
    """
    providers, settings = providers or Providers({}), settings or Settings()
    mailer = make_mailer(settings, database)
    risk = Risk(settings.risk_settings, compile_rule)
    by_hand = ManualGrantRules(two_above=settings.two_operators_above, price=settings.price_of_credits)
    escrows = PaymentEscrows(database, client)
    terms = TermsMaker.of(settings.payment_rules, providers, database, settings.sale_rules)
    webhooks = WebhookEndpointActivities(
        database,
        client,
        sender or HttpWebhookSender(Receivers(local=settings.allow_insecure_webhooks)),
        Sealer(settings.webhook_keys or settings.encryption_keys, bound=OF_WEBHOOKS),
        sealed_signals=sealed_signals,
        at_once=settings.delivery_slots_per_organization,
    )
    rotations = RotationActivities(
        database,
        secrets or make_secrets(settings),
        make_rotators(settings, database),
        sealed_signals=sealed_signals,
        at_once=min(MAX_CONCURRENT_STEPS, settings.delivery_slots_per_organization),
    )
    deployment = None if build_id is None else _deployment(build_id)
    everything = Worker(
        client,
        task_queue=TASK_QUEUE,
        max_concurrent_activities=settings.activity_slots,
        max_concurrent_workflow_tasks=WORKFLOW_TASKS,
        workflows=WORKFLOWS,
        activities=activities_of(
            AccountingActivities(database),
            MetricSumActivities(database),
            SecretAccessActivities(database),
            AlertRuleActivities(database, settings.plan_book),
            ProviderActivities(
                database,
                providers,
                sealed_signals=sealed_signals,
                trait_key=settings.trait_digest_key,
                risk_key=settings.risk_hash_key,
            ),
            BillingRunActivities(
                database,
                settings.invoice_rules,
                CollectionSetup(client, settings.dunned_on),
                Documents.of(database, settings.document_templates, settings.entities, settings.look),
                providers.taxes,
                tax_patience=settings.tax_service_give_up_after,
            ),
            PaymentActivities(
                database,
                client,
                sealed_signals=sealed_signals,
                entity=settings.legal_entity,
                hold_back=settings.hold_back,
                by_hand=by_hand,
                fees_above=Decimal(settings.fees_alert_above),
                fees_least=settings.fees_alert_least,
            ),
            ExportActivities(database, Files(settings.exports)),
            EscalationActivities(database, notification.notify_roles, sealed_signals=sealed_signals),
            ReconciliationActivities(database, providers, client),
            ContractActivities(database),
            CreatorActivities(database, providers.payouts, risk, hold=settings.payout_destination_hold),
            CardActivities(database, providers.cards),
            CustomerActivities(database, providers.customers),
            EscrowActivities(
                database,
                sealed_signals=sealed_signals,
                refund_days=settings.refunded_credits_days,
                sharing=settings.sharing,
                evidence=settings.evidence_policy,
                longest_pause=settings.longest_pause,
                client=client,
            ),
            escrows,
            HoldActivities(database),
            InboxActivities(database, client),
            InvoiceActivities(
                database, client, terms, by_hand=by_hand, sealed_signals=sealed_signals, console=settings.console_url
            ),
            LotActivities(database),
            MailActivities(
                database,
                mailer,
                give_up_after=settings.mail_give_up_after,
                sealer=Sealer(settings.signing_keys, bound=OF_LINKS),
            ),
            UsageActivities(database, metering),
            PayoutActivities(database, providers.payouts, hold_back=settings.hold_back, sealed_signals=sealed_signals),
            PayoutScheduleActivities(
                database,
                client,
                providers.payouts,
                risk,
                hold_back=settings.hold_back,
                minimum=settings.payout_minimum,
            ),
            NotificationActivities(
                database,
                client,
                {ChannelKind.MAIL: mailer, ChannelKind.SLACK: slack},
                Sealer(settings.webhook_keys or settings.encryption_keys, bound=OF_CHANNELS),
                link=UnsubscribeLinks.of(settings.public_url, settings.signing_keys).link_in,
                give_up_after=settings.mail_give_up_after,
            ),
            ProbeActivities(database, client, escrows, terms, credits_minor=settings.probe_credits_minor, door=door),
            AllocationActivities(database, client, matures=settings.revenue_matures, sealed_signals=sealed_signals),
            PurchaseOrderActivities(database, client, rules=settings.purchase_rules, sealed_signals=sealed_signals),
            RecoveryActivities(database, providers.payouts, hold_back=settings.hold_back),
            ReferenceRateActivities(
                database, providers.reference_rates, settings.price_of_credits, max_age=settings.reference_rates_max_age
            ),
            ReferralActivities(
                database,
                settings.referral_rewards,
                settings.price_of_credits,
                window=settings.chargeback_window,
                exempt=settings.evidence_policy.registrars,
            ),
            ReportActivities(
                database, client, run_query, late=settings.report_late, templates=settings.document_templates
            ),
            RevenueActivities(database),
            RiskOutcomeActivities(database, settings.risk_settings),
            RiskNightActivities(database, settings.price_of_credits),
            RiskCaseActivities(
                database,
                two_above=settings.two_operators_above,
                currency=settings.price_of_credits.currency,
                sealed_signals=sealed_signals,
            ),
            RiskTrainingActivities(database),
            rotations,
            ReputationActivities(
                database, enabled=settings.nightly_reputation_update_enabled, rate_e4=settings.reputation_rate_e4
            ),
            MarketplaceActivities(database, client, terms, sharing=settings.sharing),
            SearchIndexActivities(database, search_index),
            SpendAlertActivities(database),
            SpendDayActivities(database),
            StatementActivities(database, settings.entities),
            SubscriptionAccrualActivities(database),
            SubscriptionActivities(
                database,
                client,
                providers.subscriptions,
                settings.plan_book,
                rules=settings.invoice_rules,
                sealed_signals=sealed_signals,
                dunned_on=settings.dunned_on,
                taxes=providers.taxes,
            ),
            Sweeps(database, client),
            AutoTopUpActivities(database, client, terms, settings.dunned_on),
            UsageChargeActivities(database, settings.cost_rules, sharing=settings.sharing),
            VatNumberActivities(database, providers.vat_numbers),
            WebhookDispatchActivities(database, client),
            webhooks.load,
            webhooks.record,
        ),
        # Timeout after which tasks of a killed worker move to another one, at the cost of a replay.
        sticky_queue_schedule_to_start_timeout=timedelta(seconds=3),
        graceful_shutdown_timeout=STOPS_WITHIN,
        deployment_config=deployment,
        workflow_runner=runner or SandboxedWorkflowRunner(),
    )
    deliveries = Worker(
        client,
        task_queue=DELIVERY_QUEUE,
        max_concurrent_activities=settings.delivery_slots,
        activities=[webhooks.drain, rotations.take],
        graceful_shutdown_timeout=STOPS_WITHIN,
        deployment_config=deployment,
    )
    return Workers(deliveries, everything)


def activities_of(*capabilities: object) -> list[Callable[..., Any]]:
    """Return all methods of the objects with `@activity.defn`.

    A single method can be given if an object's other activities belong to another worker.
    """
    methods = (
        method
        for each in capabilities
        for _, method in ([("", each)] if inspect.ismethod(each) else inspect.getmembers(each, inspect.ismethod))
    )
    return [method for method in methods if hasattr(method, "__temporal_activity_definition")]


def _deployment(build_id: str) -> WorkerDeploymentConfig:
    return WorkerDeploymentConfig(
        version=WorkerDeploymentVersion(deployment_name=DEPLOYMENT, build_id=build_id),
        use_worker_versioning=True,
        default_versioning_behavior=VersioningBehavior.AUTO_UPGRADE,
    )


async def log_warnings(settings: Settings, database: Database) -> None:
    """Log warnings about settings, such as unnamed registrars, and about prices that lose money."""
    for why in settings.warnings:
        log.warning("settings.incomplete", why=why)
    for why in settings.price_warnings:
        log.warning("settings.sale_loses_money", why=why)
    try:
        async with database.platform() as session:
            found = await organizations.common_creators(session, settings.evidence_policy.registrars)
    except Exception as error:
        log.warning("settings.not_checked", error=f"{type(error).__name__}: {error}"[:300])
        return
    for principal, number in found:
        log.warning(
            "settings.incomplete",
            why=f"{number} organizations were made by {principal}, who is not in BURSAR_REPUTATION_REGISTRARS: they are"
            " related, and their work for one another earns no reputation, volume or discount. Name there who makes "
            "organizations for others.",
        )


async def main() -> None:
    """Read the settings, connect, and run until SIGINT or SIGTERM."""
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
    wanted = [] if settings.probe is None else [probing_every(settings.probe)]
    wanted += [] if settings.reference_rates_url is None else [REFERENCE_RATES]
    wanted += [] if settings.search_index_url is None else [SEARCH_INDEX]
    retired = {PROBE, REFERENCE_RATES.id, SEARCH_INDEX.id} - {job.id for job in wanted}
    await apply_schedules(client, [*SCHEDULES, invoicing_on(settings.usage_invoice_day), *wanted], retired=retired)
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await log_warnings(settings, database)
    # Amounts are converted from the first hour on; web processes note it again every hour.
    async with database.platform() as session:
        await exchange_rate.store_price(session, settings.price_of_credits, datetime.now(UTC))
        await exchange_rate.store_granted_value(session, settings.value_of_granted, datetime.now(UTC))
    providers = make_providers(settings, database)
    sealed = settings.signals_are_sealed
    # The tests run in the sandbox; here it would reload the workflow's modules for every run.
    plain = UnsandboxedWorkflowRunner()
    http, searching = spend_log_client(settings), search_index_client(settings)
    secrets = make_secrets(settings)
    receivers = Receivers(local=settings.allow_insecure_webhooks)
    sender = HttpWebhookSender(receivers)
    async with make_worker(
        client,
        database,
        providers,
        make_metering(settings, http),
        build_id=settings.build_id,
        sealed_signals=sealed,
        runner=plain,
        settings=settings,
        sender=sender,
        slack=SlackNotifier(sender, receivers, SharedTurns(database), hooks=settings.slack_url),
        door=None if settings.probe_url is None else FrontDoor(http, settings.probe_url),
        search_index=make_search_index(settings, searching),
        secrets=secrets,
    ):
        collector.freeze_startup_objects()
        log.info("worker ready", task_queue=TASK_QUEUE)
        await stop.wait()
        log.info("worker stopping")
    await http.aclose()
    await searching.aclose()
    await sender.aclose()
    await secrets.aclose()
    await providers.aclose()
    await database.close()
    telemetry.close()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt), ended_by_wrong_settings():
        uvloop.run(main())
