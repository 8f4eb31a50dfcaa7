"""Every entity, as its contract sees it. A new one is one more `Entity` here (docs/guides/recipes/add-a-process.md)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.billing.invoice import ChargeInvoice, InvoiceResult, InvoiceSignal
from contracts.billing.subscription import (
    CancelSubscription,
    ChangeSubscription,
    ResumeSubscription,
    Subscribe,
    SubscriptionEventSignal,
    SubscriptionResult,
    SubscriptionSignal,
)
from contracts.escrow.escrow import (
    ApproveEscrow,
    ApproveSignal,
    CancelEscrow,
    CancelSignal,
    CommandResult,
    DeliverEscrow,
    DisputeEscrow,
    DisputeSignal,
    EscrowInput,
    FundEscrow,
    OpenEscrow,
    RefundEscrow,
    ResolveEscrow,
    ResolveSignal,
    SubmitEvidence,
    ValidateEscrow,
)
from contracts.messages.webhook_endpoint import (
    DisableWebhookEndpoint,
    WebhookEndpointResult,
    WebhookEndpointSignal,
    WebhookNews,
)
from contracts.payments.payment import (
    CancelPayment,
    CapturePayment,
    ConfirmPayment,
    CreatePaymentCommand,
    GiveUpRefund,
    GiveUpSignal,
    PaymentCommandResult,
    PaymentSignal,
    ProviderEventSignal,
    RefundPayment,
    RefundSignal,
    SubmitDisputeEvidence,
)
from contracts.payouts.payout import FundsAvailable, GiveUpPayout, PayoutResult, PayoutSignal
from contracts.risk.case import CaseCommandResult, CaseSignal
from contracts.runs import Run, escrow_run, payment_run
from domain.billing.invoice.collection import FINAL as COLLECTION_FINAL, CollectionStatus
from domain.billing.subscription.snapshot import ProviderState
from domain.billing.subscription.state import SubscriptionStatus
from domain.escrow import commands as rules
from domain.escrow.state import FINAL as ESCROW_FINAL, EscrowStatus
from domain.messages.webhook.delivery import ReceiverResponse
from domain.messages.webhook.endpoint import ENDED_STATUSES as ENDPOINT_ENDED, EndpointStatus
from domain.payments.payment.state import ENDED_UNPAID, PaymentStatus
from domain.payouts.payout.state import FINAL as PAYOUT_FINAL, PayoutStatus
from domain.risk.case import CaseResult, CaseStatus
from repositories.billing import invoice_collection as collections, subscription as subscriptions
from repositories.escrow import escrow as escrows
from repositories.messages import webhook_endpoint as webhook_endpoints
from repositories.payments import payment as payments
from repositories.payouts import payout as payouts
from repositories.risk import case as cases
from runtime import reach
from runtime.database import driver_connection
from runtime.identity import new_id
from tests.support.looking import again
from tests.workflows.approval.contract import APPROVAL
from tests.workflows.behind import booked_behind_the_run, committed_behind_the_run
from tests.workflows.case_driver import CaseDriver, note_case, opened
from tests.workflows.conftest import Job, Stage
from tests.workflows.declarations import Entity, Inbound, State
from tests.workflows.invoice_driver import InvoiceDriver, charged_back, collected, payment_of
from tests.workflows.noting import note_endpoint, note_invoice, note_payout, note_subscription
from tests.workflows.payment_driver import OPERATOR, PaymentDriver, new_payment
from tests.workflows.payout_driver import PayoutDriver, taken_out
from tests.workflows.subscriptions import PLANS, Subscriber, subscriber, terms as subscription_terms
from tests.workflows.webhook_driver import EndpointDriver, endpoint as webhook_endpoint

# The escrow -----------------------------------------------------------------------------------------------------------


def _given(job: Job, actor: str) -> dict[str, Any]:
    return {"command_id": new_id("cmd"), "actor": getattr(job, actor)}


def _escrow_run(job: Job) -> Run:
    return escrow_run(EscrowInput(terms=job.terms, opened_by=job.procurement, command_id="again", resume=True))


async def _fund(job: Job) -> None:
    now = datetime.now(UTC)
    funded = rules.fund(await job.state(), actor=job.procurement, source="credits", now=now)
    await committed_behind_the_run(job, funded, new_id("cmd"))


async def _deliver(job: Job) -> None:
    now = datetime.now(UTC)
    work = rules.deliver(await job.state(), actor=job.bot, artifacts=(), note=None, milestone=None, now=now)
    await committed_behind_the_run(job, work, new_id("cmd"))


async def _dispute(job: Job) -> None:
    disputed = rules.dispute(await job.state(), actor=job.finance, reason="late", now=datetime.now(UTC))
    await committed_behind_the_run(job, disputed, new_id("cmd"))


async def _lock_escrow(session: AsyncSession, job: Job) -> None:
    await escrows.lock(await driver_connection(session), job.terms.escrow_id, "none")


ESCROW = Entity(
    name="escrow",
    make=lambda stage, **terms: stage.award(**terms),
    run=_escrow_run,
    lock=_lock_escrow,
    result=CommandResult,
    lasts=timedelta(days=30),
    ending="cancel",
    statuses=EscrowStatus,
    final=ESCROW_FINAL,
    states=(
        State(name="open", enter=Job.open, left_alone="cancelled"),
        State(
            name="funded",
            follows="open",
            enter=lambda job: job.send("fund", job.procurement),
            write=_fund,
            left_alone="refunded",
        ),
        State(
            name="delivered",
            follows="funded",
            enter=lambda job: job.send("deliver", job.bot),
            write=_deliver,
            left_alone="released",
        ),
        State(
            name="disputed",
            follows="delivered",
            enter=lambda job: job.send("dispute", job.finance, reason="late"),
            write=_dispute,
            left_alone="split",
        ),
    ),
    messages=(
        Inbound("update", "open", "open", lambda job: OpenEscrow(command_id="again", actor=job.procurement), "opened"),
        Inbound("update", "fund", "open", lambda job: FundEscrow(**_given(job, "procurement")), "funded"),
        Inbound("update", "deliver", "funded", lambda job: DeliverEscrow(**_given(job, "bot")), "delivered"),
        Inbound(
            "update",
            "validate",
            "delivered",
            lambda job: ValidateEscrow(**_given(job, "validator"), score_e4=9_000),
            "validated",
        ),
        Inbound("update", "approve", "delivered", lambda job: ApproveEscrow(**_given(job, "finance")), "approved"),
        Inbound(
            "update",
            "dispute",
            "delivered",
            lambda job: DisputeEscrow(**_given(job, "finance"), reason="late"),
            "disputed",
        ),
        Inbound(
            "update",
            "submit_evidence",
            "disputed",
            lambda job: SubmitEvidence(**_given(job, "bot"), note="as agreed"),
            "evidence_submitted",
        ),
        Inbound(
            "update",
            "resolve",
            "disputed",
            lambda job: ResolveEscrow(**_given(job, "arbiter"), payee_share_e4=6_000),
            "resolved",
        ),
        Inbound("update", "refund", "delivered", lambda job: RefundEscrow(**_given(job, "bot")), "refunded"),
        Inbound("update", "cancel", "open", lambda job: CancelEscrow(**_given(job, "procurement")), "cancelled"),
        Inbound(
            "signal", "approve", "delivered", lambda job: ApproveSignal(operator="kim", signatory="finance"), "approved"
        ),
        Inbound("signal", "dispute", "delivered", lambda job: DisputeSignal(operator="kim"), "disputed"),
        Inbound(
            "signal", "resolve", "disputed", lambda job: ResolveSignal(operator="kim", payee_share="0.5"), "resolved"
        ),
        Inbound("signal", "cancel", "funded", lambda job: CancelSignal(operator="kim"), "cancelled"),
    ),
)


# The payment ----------------------------------------------------------------------------------------------------------


def _asked(made: PaymentDriver) -> dict[str, Any]:
    return {"command_id": new_id("cmd"), "actor": made.actor}


def _of_dispute(made: PaymentDriver) -> str:
    return next(iter(made.there.disputes), "du_none")


async def _authorized(made: PaymentDriver) -> None:
    made.there.authorize()
    await made.refreshed()


async def _lost_at_the_provider(made: PaymentDriver) -> None:
    """Break every creation off before it arrives."""
    made.stage.fake.loses.add(made.terms.payment_id)
    await made.create()
    await made.until("unknown")


async def _processing(made: PaymentDriver) -> None:
    made.there.process()
    await made.refreshed()


async def _paid(made: PaymentDriver) -> None:
    made.there.pay()
    await made.refreshed()


async def _charged_back(made: PaymentDriver) -> None:
    made.there.dispute()
    await made.refreshed()


async def _authorized_behind(made: PaymentDriver) -> None:
    made.there.authorize()
    await booked_behind_the_run(made)


async def _paid_behind(made: PaymentDriver) -> None:
    made.there.pay()
    await booked_behind_the_run(made)


async def _charged_back_behind(made: PaymentDriver) -> None:
    made.there.dispute()
    await booked_behind_the_run(made)


async def _payment(stage: Stage, **terms: Any) -> PaymentDriver:
    # Polls would have news without being told of them, and wake a run before its deadline does.
    quiet = {"first_poll_seconds": 864_000, "longest_poll_seconds": 864_000}
    return await new_payment(stage, **{"manual_capture": True, **quiet, **terms})


PAYMENT = Entity(
    name="payment",
    make=_payment,
    run=lambda made: payment_run(made.start(resume=True)),
    lock=lambda session, made: payments.lock(session, made.terms.payment_id),
    result=PaymentCommandResult,
    lasts=timedelta(hours=24),
    ending="cancel",
    ends_at_once={"open_seconds": 0},
    statuses=PaymentStatus,
    final=ENDED_UNPAID,
    unentered={
        "created": "its provider is being asked; an answer that is lost makes it unknown",
        **dict.fromkeys(("partially_refunded", "refunded", "charged_back"), "awaits commands alone, as succeeded does"),
    },
    states=(
        State(name="requires_action", enter=PaymentDriver.create, left_alone="expired"),
        State(
            name="requires_capture",
            follows="requires_action",
            enter=_authorized,
            write=_authorized_behind,
            left_alone="expired",
        ),
        State(
            name="unknown",
            enter=_lost_at_the_provider,
            left_alone="expired",
            terms={"lasts": timedelta(hours=1)},
        ),
        State(
            name="processing",
            follows="requires_action",
            enter=_processing,
            left_alone="processing",
        ),
        State(name="succeeded", follows="requires_action", enter=_paid, write=_paid_behind, left_alone="succeeded"),
        State(
            name="disputed",
            follows="succeeded",
            enter=_charged_back,
            write=_charged_back_behind,
            left_alone="disputed",
        ),
    ),
    messages=(
        Inbound(
            "update",
            "create",
            "requires_action",
            lambda made: CreatePaymentCommand(command_id=made.command_id, actor=made.actor),
            "created",
        ),
        Inbound(
            "update",
            "confirm",
            "requires_action",
            lambda made: ConfirmPayment(**_asked(made), method_ref="pm_ok"),
            "progressed",
        ),
        Inbound(
            "update",
            "capture",
            "requires_capture",
            lambda made: CapturePayment(**_asked(made), amount_minor=600),
            "received",
        ),
        Inbound("update", "cancel", "requires_action", lambda made: CancelPayment(**_asked(made)), "cancelled"),
        Inbound(
            "update",
            "refund",
            "succeeded",
            lambda made: RefundPayment(**_asked(made), refund_id=new_id("rfd"), amount_minor=400),
            "refund_requested",
        ),
        Inbound(
            "update",
            "give_up",
            "succeeded",
            lambda made: GiveUpRefund(**_asked(made), refund_id="rfd_none", reason="not there"),
            refused="not_found",
        ),
        Inbound(
            "update",
            "submit_evidence",
            "disputed",
            lambda made: SubmitDisputeEvidence(
                command_id=new_id("cmd"), actor=OPERATOR, dispute_ref=_of_dispute(made), text="It was delivered."
            ),
            "evidence_submitted",
        ),
        Inbound(
            "signal",
            "provider_event",
            "requires_action",
            lambda made: ProviderEventSignal(event_id=new_id("evt")),
            "received",
            prepare=lambda made: made.there.pay(),
        ),
        Inbound(
            "signal",
            "look",
            "requires_action",
            lambda made: PaymentSignal(operator="kim"),
            "received",
            prepare=lambda made: made.there.pay(),
        ),
        Inbound(
            "signal",
            "refund",
            "succeeded",
            lambda made: RefundSignal(operator="kim", amount="4.00"),
            "refund_requested",
        ),
        Inbound(
            "signal",
            "give_up",
            "succeeded",
            lambda made: GiveUpSignal(operator="kim", reason="not there", at_provider=False),
            "command_refused",
        ),
        Inbound("signal", "cancel", "requires_action", lambda made: PaymentSignal(operator="kim"), "cancelled"),
    ),
)

# The payout -----------------------------------------------------------------------------------------------------------


async def _payout(stage: Stage, **terms: Any) -> PayoutDriver:
    made = await taken_out(stage, **{"mode": "short", **terms})
    await made.approved()
    return made


async def _lost(made: PayoutDriver) -> None:
    """Lose the provider's response to any request."""
    made.stage.payouts.modes[made.payout.account_ref] = "lost"
    await reach.signal(made.stage.client, made.run, "look", PayoutSignal(operator="kim"))
    await made.reaches("unknown")


PAYOUT = Entity(
    name="payout",
    make=_payout,
    run=lambda made: made.run,
    lock=lambda session, made: payouts.lock(session, made.payout.payout_id),
    result=PayoutResult,
    note=note_payout,
    lasts=timedelta(days=32),
    ending="give_up",
    statuses=PayoutStatus,
    final=PAYOUT_FINAL,
    unentered={"requested": "it is sent at once"},
    states=(
        State(
            name="waiting_for_funds",
            enter=lambda made: made.reaches("waiting_for_funds"),
            left_alone="failed",
            cancelled="failed",
        ),
        # What may have been sent is never given up by itself.
        State(name="unknown", follows="waiting_for_funds", enter=_lost, left_alone="unknown"),
    ),
    messages=(
        Inbound("signal", "look", "waiting_for_funds", lambda made: PayoutSignal(operator="kim"), "look_requested"),
        Inbound(
            "signal",
            "funds_available",
            "waiting_for_funds",
            lambda made: FundsAvailable(event_id=new_id("evt")),
            "funds_available",
        ),
        Inbound(
            "update",
            "give_up",
            "waiting_for_funds",
            lambda made: GiveUpPayout(command_id=new_id("cmd"), actor=made.actor, reason="not there"),
            "given_up",
        ),
        Inbound(
            "signal",
            "give_up",
            "waiting_for_funds",
            lambda made: PayoutSignal(operator="kim", reason="not there"),
            "given_up",
        ),
    ),
)

# The invoice ----------------------------------------------------------------------------------------------------------


async def _invoice(stage: Stage, **terms: Any) -> InvoiceDriver:
    return await collected(stage, "pm_ok", **{"method": "send_invoice", **terms})


async def _charged_by(made: InvoiceDriver, method: str, status: str) -> None:
    """Charge a method that leaves the collection in a state."""
    made.store(method)
    await made.charge()
    await made.reaches(status)


async def _debited(made: InvoiceDriver) -> None:
    await _charged_by(made, "pm_debit", "charging")
    await (await payment_of(made)).until("processing")


async def _to_be_confirmed(made: InvoiceDriver) -> None:
    await _charged_by(made, "pm_confirm", "requires_action")


async def _taken_back(made: InvoiceDriver) -> None:
    """Charge it, have the bank take the money back, and tell its run, which has ended."""
    await made.charge()
    await made.ends()
    await charged_back(made)
    await made.signal_change()
    await made.reaches("paused")


INVOICE = Entity(
    name="invoice",
    make=_invoice,
    run=lambda made: made.run,
    lock=lambda session, made: collections.lock(session, made.held.invoice_id),
    result=InvoiceResult,
    note=note_invoice,
    lasts=timedelta(days=10),
    ending="charge",
    statuses=CollectionStatus,
    final=COLLECTION_FINAL,
    states=(
        State(
            name="scheduled",
            enter=lambda made: made.waits(),
            left_alone="uncollectible",
        ),
        # A payment goes on for as long as its provider says so: its own run alone ends it.
        State(name="charging", follows="scheduled", enter=_debited, left_alone="charging", lasts=timedelta(hours=12)),
        State(
            name="requires_action",
            follows="scheduled",
            enter=_to_be_confirmed,
            left_alone="requires_action",
            lasts=timedelta(hours=12),
        ),
        State(name="paused", follows="scheduled", enter=_taken_back, left_alone="paused"),
    ),
    messages=(
        Inbound(
            "update",
            "charge",
            "scheduled",
            lambda made: ChargeInvoice(command_id=new_id("cmd"), actor=made.actor),
            "charge_requested",
        ),
        Inbound("signal", "charge", "scheduled", lambda made: InvoiceSignal(operator="kim"), "charge_requested"),
        Inbound(
            "signal", "give_up", "scheduled", lambda made: InvoiceSignal(operator="kim", reason="lost"), "given_up"
        ),
        Inbound("signal", "void", "scheduled", lambda made: InvoiceSignal(operator="kim"), "voided"),
        Inbound("signal", "resume", "scheduled", lambda made: InvoiceSignal(operator="kim"), "command_refused"),
        Inbound(
            "signal",
            "look",
            "scheduled",
            lambda made: InvoiceSignal(),
            "void",
            prepare=lambda made: made.void_elsewhere(),
        ),
    ),
)

# The subscription -----------------------------------------------------------------------------------------------------


async def _subscriber(stage: Stage, **terms: Any) -> Subscriber:
    """A trial needs an unused card, and a page has no card before its payer enters one."""
    card = {"trial_card": new_id("card")} if terms.get("trial_days") else {}
    return await subscriber(stage, **{**card, **terms})


async def _of_the_provider(one: Subscriber, state: ProviderState, status: str) -> None:
    """Fail the collection at the provider, and signal the run."""
    there = one.stage.subscriptions.there
    ref = (await one.state()).ref
    assert ref is not None
    there[ref] = replace(there[ref], state=state)
    await reach.signal(one.stage.client, one.run, "provider_event", SubscriptionEventSignal(event_id=new_id("evt")))
    await _reaches(one, status)


async def _reaches(one: Subscriber, status: str) -> None:
    while (await one.state()).status != status or await one.handle.query("version") < (await one.state()).version:
        await again()


async def _overdue(one: Subscriber) -> None:
    await _of_the_provider(one, ProviderState.PAST_DUE, "past_due")


async def _unpaid(one: Subscriber) -> None:
    await _of_the_provider(one, ProviderState.UNPAID, "unpaid")


SUBSCRIPTION = Entity(
    name="subscription",
    make=_subscriber,
    run=lambda one: one.run,
    lock=lambda session, one: subscriptions.lock(session, one.start.subscription.subscription_id),
    result=SubscriptionResult,
    note=note_subscription,
    lasts=timedelta(days=1),
    ending="cancel",
    statuses=SubscriptionStatus,
    final={SubscriptionStatus.ENDED},
    unentered={"created": "its provider is being asked, as by each order; test_subscription.py loses the answers"},
    states=(
        State(name="active", enter=Subscriber.subscribe, left_alone="active", cancelled="ended"),
        State(
            name="trialing",
            enter=Subscriber.subscribe,
            left_alone="trialing",
            cancelled="ended",
            terms={"trial_days": 14},
            lasts=timedelta(days=12),
        ),
        State(
            name="incomplete",
            enter=Subscriber.subscribe,
            left_alone="ended",
            cancelled="ended",
            terms={"return_url": "https://example.com/billing"},
            lasts=timedelta(days=2),
        ),
        # The provider alone ends what it collects.
        State(name="past_due", follows="active", enter=_overdue, left_alone="past_due", cancelled="ended"),
        State(name="unpaid", follows="active", enter=_unpaid, left_alone="unpaid", cancelled="ended"),
    ),
    messages=(
        Inbound(
            "update",
            "subscribe",
            "active",
            lambda one: Subscribe(command_id=one.start.command_id, actor=one.actor),
            "ordered",
        ),
        Inbound(
            "update",
            "change",
            "active",
            lambda one: ChangeSubscription(
                command_id=new_id("cmd"),
                actor=one.actor,
                terms=subscription_terms("professional"),
                plans=PLANS,
                people=1,
            ),
            "upgraded",
        ),
        Inbound(
            "update",
            "resume",
            "active",
            lambda one: ResumeSubscription(command_id=new_id("cmd"), actor=one.actor),
            refused="subscription.wrong_state",
        ),
        Inbound(
            "update",
            "cancel",
            "active",
            lambda one: CancelSubscription(command_id=new_id("cmd"), actor=one.actor, at_period_end=False),
            "ended",
        ),
        Inbound("signal", "cancel", "active", lambda one: SubscriptionSignal(operator="kim"), "ended"),
        Inbound("signal", "look", "active", lambda one: SubscriptionSignal(operator="kim"), "activated"),
        Inbound(
            "signal",
            "provider_event",
            "active",
            lambda one: SubscriptionEventSignal(event_id=new_id("evt")),
            "activated",
        ),
        Inbound("signal", "give_up", "active", lambda one: SubscriptionSignal(operator="kim"), "command_refused"),
    ),
)

# The webhook endpoint ------------------------------------------------------------------------------------------------


async def _gone(one: EndpointDriver) -> None:
    """Deliver an event that the receiver answers with 410."""
    one.answers(ReceiverResponse(status_code=410))
    await one.happens("a")


WEBHOOK_ENDPOINT = Entity(
    name="webhook-endpoint",
    make=webhook_endpoint,
    run=lambda one: one.run,
    lock=lambda session, one: webhook_endpoints.lock(session, one.endpoint_id),
    result=WebhookEndpointResult,
    note=note_endpoint,
    lasts=timedelta(days=3),
    ending="disable",
    statuses=EndpointStatus,
    final=ENDPOINT_ENDED,
    states=(
        State(name="enabled", enter=EndpointDriver.enabled, left_alone="enabled"),
        State(name="paused", follows="enabled", enter=EndpointDriver.paused, left_alone="paused"),
    ),
    messages=(
        Inbound(
            "update",
            "disable",
            "enabled",
            lambda one: DisableWebhookEndpoint(command_id=new_id("cmd"), actor=one.actor),
            "disabled",
        ),
        Inbound("signal", "news", "enabled", lambda one: WebhookNews(), "given_up", prepare=_gone),
        Inbound("signal", "pause", "enabled", lambda one: WebhookEndpointSignal(operator="kim"), "paused"),
        Inbound("signal", "resume", "paused", lambda one: WebhookEndpointSignal(operator="kim"), "resumed"),
        Inbound(
            "signal",
            "skip",
            "enabled",
            lambda one: WebhookEndpointSignal(operator="kim", delivery="whd_none"),
            "command_refused",
        ),
    ),
)


# The case of suspected fraud ------------------------------------------------------------------------------------------


RISK_CASE = Entity(
    name="risk-case",
    make=opened,
    run=lambda made: made.run,
    lock=lambda session, made: cases.get(session, made.case.case_id, lock=True),
    result=CaseCommandResult,
    note=note_case,
    # Seven days without a decision, and fourteen in which a refusal can be appealed.
    lasts=timedelta(days=45),
    ending="decide",
    statuses=CaseStatus,
    final={CaseStatus.CLOSED},
    states=(
        State(name="open", enter=CaseDriver.opens, left_alone="closed"),
        State(
            name="assigned",
            follows="open",
            enter=lambda made: made.send("assign", made.assign()),
            left_alone="closed",
        ),
        State(
            name="waiting",
            follows="assigned",
            enter=lambda made: made.send("request_information", made.ask()),
            left_alone="closed",
        ),
        State(
            name="decided",
            follows="open",
            enter=lambda made: made.send("decide", made.decide(CaseResult.REFUSE)),
            left_alone="closed",
        ),
        State(
            name="appealed",
            follows="decided",
            enter=lambda made: made.send("appeal", made.appeal()),
            left_alone="closed",
        ),
    ),
    messages=(
        Inbound("update", "decide", "open", CaseDriver.decide, "decided"),
        Inbound("update", "assign", "open", CaseDriver.assign, "assigned"),
        Inbound("update", "note", "open", CaseDriver.note, "noted"),
        Inbound("update", "request_information", "open", CaseDriver.ask, "information_requested"),
        Inbound("update", "answer", "waiting", CaseDriver.answer, "answered"),
        Inbound("update", "appeal", "decided", CaseDriver.appeal, "appealed"),
        Inbound("signal", "assign", "open", lambda made: CaseSignal(operator="kim"), "assigned"),
        Inbound(
            "signal",
            "decide",
            "open",
            lambda made: CaseSignal(operator="kim", result="release", reason="It was explained."),
            "decided",
        ),
    ),
)

ENTITIES: tuple[Entity, ...] = (
    ESCROW,
    PAYMENT,
    PAYOUT,
    INVOICE,
    SUBSCRIPTION,
    APPROVAL,
    WEBHOOK_ENDPOINT,
    RISK_CASE,
)
