"""Every entity, as its contract sees it. A new one is one more `Entity` here (docs/recipes/add-a-process.md)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.escrow import (
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
from contracts.invoice import ChargeInvoice, InvoiceResult, InvoiceSignal
from contracts.payment import (
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
from contracts.payout import FundsAvailable, GiveUpPayout, PayoutResult, PayoutSignal
from contracts.runs import Run, escrow_run, payment_run
from contracts.subscription import (
    CancelSubscription,
    ChangeSubscription,
    ResumeSubscription,
    Subscribe,
    SubscriptionEventSignal,
    SubscriptionResult,
    SubscriptionSignal,
)
from contracts.webhook_endpoint import (
    DisableWebhookEndpoint,
    WebhookEndpointResult,
    WebhookEndpointSignal,
    WebhookNews,
)
from domain.escrow import commands as rules
from domain.escrow.state import FINAL as ESCROW_FINAL
from domain.escrow.state import EscrowStatus
from domain.invoice.collection import FINAL as COLLECTION_FINAL
from domain.invoice.collection import CollectionStatus
from domain.payment.state import ENDED_UNPAID, PaymentStatus
from domain.payout.state import FINAL as PAYOUT_FINAL
from domain.payout.state import PayoutStatus
from domain.subscription.snapshot import ProviderState
from domain.subscription.state import SubscriptionStatus
from domain.webhook.delivery import Answer
from domain.webhook.endpoint import ENDED as ENDPOINT_ENDED
from domain.webhook.endpoint import EndpointStatus
from repositories import escrow as escrows
from repositories import invoice_collection as collections
from repositories import payment as payments
from repositories import payout as payouts
from repositories import subscription as subscriptions
from repositories import webhook_endpoint as webhook_endpoints
from runtime import reach
from runtime.database import driver_connection
from runtime.identity import new_id
from tests.support.looking import again
from tests.workflows.approval.contract import APPROVAL
from tests.workflows.behind import booked_behind_the_run, committed_behind_the_run
from tests.workflows.conftest import Job, Stage
from tests.workflows.declarations import Entity, Inbound, State
from tests.workflows.invoice_driver import InvoiceDriver, charged_back, collected, payment_of
from tests.workflows.noting import note_endpoint, note_invoice, note_payout, note_subscription
from tests.workflows.payment_driver import OPERATOR, PaymentDriver, new_payment
from tests.workflows.payout_driver import PayoutDriver, taken_out
from tests.workflows.subscriptions import PLANS, Subscriber, subscriber
from tests.workflows.subscriptions import terms as subscription_terms
from tests.workflows.webhook_driver import EndpointDriver
from tests.workflows.webhook_driver import endpoint as webhook_endpoint

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
        State(name="open", enter=Job.open, left_alone="cancelled", cancelled="cancelled"),
        State(
            name="funded",
            follows="open",
            enter=lambda job: job.send("fund", job.procurement),
            write=_fund,
            left_alone="refunded",
            cancelled="cancelled",
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
        Inbound(
            kind="update",
            name="open",
            state="open",
            message=lambda job: OpenEscrow(command_id="again", actor=job.procurement),
            event="opened",
        ),
        Inbound(
            kind="update",
            name="fund",
            state="open",
            message=lambda job: FundEscrow(**_given(job, "procurement")),
            event="funded",
        ),
        Inbound(
            kind="update",
            name="deliver",
            state="funded",
            message=lambda job: DeliverEscrow(**_given(job, "bot")),
            event="delivered",
        ),
        Inbound(
            kind="update",
            name="validate",
            state="delivered",
            message=lambda job: ValidateEscrow(**_given(job, "validator"), score_e4=9_000),
            event="validated",
        ),
        Inbound(
            kind="update",
            name="approve",
            state="delivered",
            message=lambda job: ApproveEscrow(**_given(job, "finance")),
            event="approved",
        ),
        Inbound(
            kind="update",
            name="dispute",
            state="delivered",
            message=lambda job: DisputeEscrow(**_given(job, "finance"), reason="late"),
            event="disputed",
        ),
        Inbound(
            kind="update",
            name="submit_evidence",
            state="disputed",
            message=lambda job: SubmitEvidence(**_given(job, "bot"), note="as agreed"),
            event="evidence_submitted",
        ),
        Inbound(
            kind="update",
            name="resolve",
            state="disputed",
            message=lambda job: ResolveEscrow(**_given(job, "arbiter"), payee_share_e4=6_000),
            event="resolved",
        ),
        Inbound(
            kind="update",
            name="refund",
            state="delivered",
            message=lambda job: RefundEscrow(**_given(job, "bot")),
            event="refunded",
        ),
        Inbound(
            kind="update",
            name="cancel",
            state="open",
            message=lambda job: CancelEscrow(**_given(job, "procurement")),
            event="cancelled",
        ),
        Inbound(
            kind="signal",
            name="approve",
            state="delivered",
            message=lambda job: ApproveSignal(operator="kim", signatory="finance"),
            event="approved",
        ),
        Inbound(
            kind="signal",
            name="dispute",
            state="delivered",
            message=lambda job: DisputeSignal(operator="kim"),
            event="disputed",
        ),
        Inbound(
            kind="signal",
            name="resolve",
            state="disputed",
            message=lambda job: ResolveSignal(operator="kim", payee_share="0.5"),
            event="resolved",
        ),
        Inbound(
            kind="signal",
            name="cancel",
            state="funded",
            message=lambda job: CancelSignal(operator="kim"),
            event="cancelled",
        ),
    ),
)


# The payment ----------------------------------------------------------------------------------------------------------


def _asked(made: PaymentDriver) -> dict[str, Any]:
    return {"command_id": new_id("cmd"), "actor": made.actor}


def _of_dispute(made: PaymentDriver) -> str:
    return next(iter(made.there.disputes), "du_none")


async def _authorized(made: PaymentDriver) -> None:
    made.there.authorize()
    await made.told()


async def _lost_at_the_provider(made: PaymentDriver) -> None:
    """Have what creates it break off again and again before it arrives."""
    made.stage.fake.loses.add(made.terms.payment_id)
    await made.create()
    await made.until("unknown")


async def _processing(made: PaymentDriver) -> None:
    made.there.process()
    await made.told()


async def _paid(made: PaymentDriver) -> None:
    made.there.pay()
    await made.told()


async def _charged_back(made: PaymentDriver) -> None:
    made.there.dispute()
    await made.told()


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
        State(name="requires_action", enter=PaymentDriver.create, left_alone="expired", cancelled="cancelled"),
        State(
            name="requires_capture",
            follows="requires_action",
            enter=_authorized,
            write=_authorized_behind,
            left_alone="expired",
            cancelled="cancelled",
        ),
        State(
            name="unknown",
            enter=_lost_at_the_provider,
            left_alone="expired",
            cancelled="cancelled",
            terms={"lasts": timedelta(hours=1)},
        ),
        State(
            name="processing",
            follows="requires_action",
            enter=_processing,
            left_alone="processing",
            noted="cancel_requested",
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
            kind="update",
            name="create",
            state="requires_action",
            message=lambda made: CreatePaymentCommand(command_id=made.command_id, actor=made.actor),
            event="created",
        ),
        Inbound(
            kind="update",
            name="confirm",
            state="requires_action",
            message=lambda made: ConfirmPayment(**_asked(made), method_ref="pm_ok"),
            event="progressed",
        ),
        Inbound(
            kind="update",
            name="capture",
            state="requires_capture",
            message=lambda made: CapturePayment(**_asked(made), amount_minor=600),
            event="received",
        ),
        Inbound(
            kind="update",
            name="cancel",
            state="requires_action",
            message=lambda made: CancelPayment(**_asked(made)),
            event="cancelled",
        ),
        Inbound(
            kind="update",
            name="refund",
            state="succeeded",
            message=lambda made: RefundPayment(**_asked(made), refund_id=new_id("rfd"), amount_minor=400),
            event="refund_requested",
        ),
        Inbound(
            kind="update",
            name="give_up",
            state="succeeded",
            message=lambda made: GiveUpRefund(**_asked(made), refund_id="rfd_none", reason="not there"),
            refused="not_found",
        ),
        Inbound(
            kind="update",
            name="submit_evidence",
            state="disputed",
            message=lambda made: SubmitDisputeEvidence(
                command_id=new_id("cmd"), actor=OPERATOR, dispute_ref=_of_dispute(made), text="It was delivered."
            ),
            event="evidence_submitted",
        ),
        Inbound(
            kind="signal",
            name="provider_event",
            state="requires_action",
            message=lambda made: ProviderEventSignal(event_id=new_id("evt")),
            prepare=lambda made: made.there.pay(),
            event="received",
        ),
        Inbound(
            kind="signal",
            name="look",
            state="requires_action",
            message=lambda made: PaymentSignal(operator="kim"),
            prepare=lambda made: made.there.pay(),
            event="received",
        ),
        Inbound(
            kind="signal",
            name="refund",
            state="succeeded",
            message=lambda made: RefundSignal(operator="kim", amount="4.00"),
            event="refund_requested",
        ),
        Inbound(
            kind="signal",
            name="give_up",
            state="succeeded",
            message=lambda made: GiveUpSignal(operator="kim", reason="not there", at_provider=False),
            event="command_refused",
        ),
        Inbound(
            kind="signal",
            name="cancel",
            state="requires_action",
            message=lambda made: PaymentSignal(operator="kim"),
            event="cancelled",
        ),
    ),
)

# The payout -----------------------------------------------------------------------------------------------------------


async def _payout(stage: Stage, **terms: Any) -> PayoutDriver:
    made = await taken_out(stage, **{"mode": "short", **terms})
    await made.approved()
    return made


async def _lost(made: PayoutDriver) -> None:
    """Have the provider's answer be lost, whatever is asked."""
    made.stage.payouts.modes[made.payout.account_ref] = "lost"
    with made.stage.env.with_time_skipping_disabled():
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
        Inbound(
            kind="signal",
            name="look",
            state="waiting_for_funds",
            message=lambda made: PayoutSignal(operator="kim"),
            event="look_requested",
        ),
        Inbound(
            kind="signal",
            name="funds_available",
            state="waiting_for_funds",
            message=lambda made: FundsAvailable(event_id=new_id("evt")),
            event="funds_available",
        ),
        Inbound(
            kind="update",
            name="give_up",
            state="waiting_for_funds",
            message=lambda made: GiveUpPayout(command_id=new_id("cmd"), actor=made.actor, reason="not there"),
            event="given_up",
        ),
        Inbound(
            kind="signal",
            name="give_up",
            state="waiting_for_funds",
            message=lambda made: PayoutSignal(operator="kim", reason="not there"),
            event="given_up",
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
    with made.stage.env.with_time_skipping_disabled():
        await made.ends()
        await charged_back(made)
        await made.told()
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
            kind="update",
            name="charge",
            state="scheduled",
            message=lambda made: ChargeInvoice(command_id=new_id("cmd"), actor=made.actor),
            event="charge_requested",
        ),
        Inbound(
            kind="signal",
            name="charge",
            state="scheduled",
            message=lambda made: InvoiceSignal(operator="kim"),
            event="charge_requested",
        ),
        Inbound(
            kind="signal",
            name="give_up",
            state="scheduled",
            message=lambda made: InvoiceSignal(operator="kim", reason="lost"),
            event="given_up",
        ),
        Inbound(
            kind="signal",
            name="void",
            state="scheduled",
            message=lambda made: InvoiceSignal(operator="kim"),
            event="voided",
        ),
        Inbound(
            kind="signal",
            name="resume",
            state="scheduled",
            message=lambda made: InvoiceSignal(operator="kim"),
            event="command_refused",
        ),
        Inbound(
            kind="signal",
            name="look",
            state="scheduled",
            message=lambda made: InvoiceSignal(),
            prepare=lambda made: made.void_elsewhere(),
            event="void",
        ),
    ),
)

# The subscription -----------------------------------------------------------------------------------------------------


async def _subscriber(stage: Stage, **terms: Any) -> Subscriber:
    """A trial is of a card that nobody has tried with, and a page has no card before its payer enters one."""
    card = {"trial_card": new_id("card")} if terms.get("trial_days") else {}
    return await subscriber(stage, **{**card, **terms})


async def _of_the_provider(one: Subscriber, state: ProviderState, status: str) -> None:
    """Have the provider say that its collection has failed, and the run learn of it."""
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
            kind="update",
            name="subscribe",
            state="active",
            message=lambda one: Subscribe(command_id=one.start.command_id, actor=one.actor),
            event="ordered",
        ),
        Inbound(
            kind="update",
            name="change",
            state="active",
            message=lambda one: ChangeSubscription(
                command_id=new_id("cmd"),
                actor=one.actor,
                terms=subscription_terms("professional"),
                plans=PLANS,
                people=1,
            ),
            event="upgraded",
        ),
        Inbound(
            kind="update",
            name="resume",
            state="active",
            message=lambda one: ResumeSubscription(command_id=new_id("cmd"), actor=one.actor),
            refused="subscription.wrong_state",
        ),
        Inbound(
            kind="update",
            name="cancel",
            state="active",
            message=lambda one: CancelSubscription(command_id=new_id("cmd"), actor=one.actor, at_period_end=False),
            event="ended",
        ),
        Inbound(
            kind="signal",
            name="cancel",
            state="active",
            message=lambda one: SubscriptionSignal(operator="kim"),
            event="ended",
        ),
        Inbound(
            kind="signal",
            name="look",
            state="active",
            message=lambda one: SubscriptionSignal(operator="kim"),
            event="activated",
        ),
        Inbound(
            kind="signal",
            name="provider_event",
            state="active",
            message=lambda one: SubscriptionEventSignal(event_id=new_id("evt")),
            event="activated",
        ),
        Inbound(
            kind="signal",
            name="give_up",
            state="active",
            message=lambda one: SubscriptionSignal(operator="kim"),
            event="command_refused",
        ),
    ),
)

# The webhook endpoint ------------------------------------------------------------------------------------------------


async def _gone(one: EndpointDriver) -> None:
    """Have an event come that the receiver answers with 410."""
    one.answers(Answer(status_code=410))
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
            kind="update",
            name="disable",
            state="enabled",
            message=lambda one: DisableWebhookEndpoint(command_id=new_id("cmd"), actor=one.actor),
            event="disabled",
        ),
        Inbound(
            kind="signal",
            name="news",
            state="enabled",
            message=lambda one: WebhookNews(),
            prepare=_gone,
            event="given_up",
        ),
        Inbound(
            kind="signal",
            name="pause",
            state="enabled",
            message=lambda one: WebhookEndpointSignal(operator="kim"),
            event="paused",
        ),
        Inbound(
            kind="signal",
            name="resume",
            state="paused",
            message=lambda one: WebhookEndpointSignal(operator="kim"),
            event="resumed",
        ),
        Inbound(
            kind="signal",
            name="skip",
            state="enabled",
            message=lambda one: WebhookEndpointSignal(operator="kim", delivery="whd_none"),
            event="command_refused",
        ),
    ),
)


ENTITIES: tuple[Entity, ...] = (ESCROW, PAYMENT, PAYOUT, INVOICE, SUBSCRIPTION, APPROVAL, WEBHOOK_ENDPOINT)
