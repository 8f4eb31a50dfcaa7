"""Messages only grow: what older code wrote is read by today's, and what newer code adds is ignored.

Each file is a message as some version wrote it, and stays as it is. A message that gets new fields gets a new file
beside the old ones (`EscrowInput.2.json`), which holds them set. `BURSAR_WRITE_GOLDEN=1` writes what is missing.
"""

import dataclasses
import importlib
import json
import os
import pkgutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel

import contracts
from contracts import (
    accounting,
    alert_rules,
    auto_topup,
    batch,
    billing_run,
    catch_up,
    customer,
    escalation,
    expiry,
    holds,
    invoice,
    lots,
    mail,
    marketplace,
    notification,
    payment,
    payout,
    probe,
    recovery,
    referral,
    reputation,
    revenue,
    seal,
    spend_alerts,
    spend_days,
    statement,
    subscription,
    subscription_accrual,
    sweeps,
    usage,
    usage_charges,
    vat_numbers,
    webhook_endpoint,
)
from contracts import escrow as messages
from contracts.base import Message
from domain.access import Role
from domain.alert.escalation import Case, Step
from domain.alert.life import AlertStatus, Severity
from domain.escrow import commands
from domain.escrow.state import Artifact, Milestone
from domain.invoice.collection import Collection, CollectionMethod, CollectionStatus, InvoiceDue, Pause
from domain.invoice.dunning import Became, Verdict
from domain.invoice.state import InvoiceStatus, PausedFor
from domain.payment.snapshot import BalanceTransaction, BalanceTransactionKind
from domain.payout.state import Payout, PayoutLine, PayoutStatus
from domain.webhook.endpoint import Endpoint, EndpointStatus
from tests.support import escrows as e
from tests.support import payment_messages, reconciliation, subscription_messages

GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(GOLDEN.glob("*.json"))


def every_message() -> set[type[Message]]:
    """Find every message of the package, and not the bases that nothing sends."""
    for module in pkgutil.iter_modules(contracts.__path__):
        importlib.import_module(f"contracts.{module.name}")

    def below(cls: type[Message]) -> set[type[Message]]:
        return {cls}.union(*(below(sub) for sub in cls.__subclasses__()))

    return {m for m in below(Message) if m.__module__.startswith("contracts.")} - {
        Message,
        batch.Counted,
        batch.Counting,
        messages.EscrowCommand,
        subscription.SubscriptionCommand,
        messages.OperatorSignal,
        payment.PaymentCommand,
    }


def full_escrow():
    """An escrow in which no field is empty."""
    terms = e.terms(
        milestones=(Milestone(name="a", amount_minor=20_000_000), Milestone(name="b", amount_minor=30_000_000)),
        operator_approvals=False,
        undiscounted_commission_bps=600,
        names_shown=True,
        payer_name="Acme",
        agent_name="Bot",
    )
    work = (Artifact(uri="s3://bucket/a", sha256="ab" * 32),)
    state = commands.opened(terms, actor=e.PROCUREMENT, now=e.T0).escrow
    state = commands.fund(state, actor=e.PROCUREMENT, source="credits", now=e.T0).escrow
    state = commands.deliver(state, actor=e.WORKER, artifacts=work, note="n", milestone="a", now=e.T0).escrow
    state = commands.validate(state, actor=e.VALIDATOR, score_e4=9000, note=None, now=e.T0).escrow
    state = commands.deliver(state, actor=e.WORKER, artifacts=work, note="n", milestone="b", now=e.T0).escrow
    number = state.delivery.number
    state = commands.approve(state, signatory="finance", actor=e.FINANCE, now=e.T0, delivery=number).escrow
    state = commands.refund(state, actor=e.WORKER, amount_minor=1).escrow
    state = commands.dispute(state, actor=e.FINANCE, reason="r", now=e.T0).escrow
    state = commands.submit_evidence(state, actor=e.WORKER, note="n", artifacts=work, now=e.T0).escrow
    outcome = commands.resolve(state, actor=e.ARBITER, payee_share_e4=6000, note="n", now=e.T0 + timedelta(days=1))
    state = replace(
        outcome.escrow,
        cancel_requested_by="x",
        review_by=e.T0,
        deliver_by=e.T0,
        fund_by=e.T0,
        validation_score_e4=9000,
        signatures=tuple(replace(signature, on_behalf=True) for signature in outcome.escrow.signatures),
        delivery=replace(outcome.escrow.delivery, is_first=True),
        dispute=replace(outcome.escrow.dispute, overdue_alerted=True, default_share_e4=400),
    )
    return replace(outcome, escrow=state)


def payout_messages(command: Mapping[str, object]) -> list[Message]:
    """One message of each kind about a payout, with every field set."""
    line = PayoutLine(agent_id="agt_1", asset="CREDIT", amount_minor=1_000_000_000, money_minor=2990)
    stands = Payout(
        payout_id="po_1",
        org_id="org_1",
        provider="stripe",
        account_ref="acct_1",
        destination="f",
        currency="USD",
        amount_minor=2990,
        status=PayoutStatus.UNKNOWN,
        version=2,
        lines=(line,),
        transfer_ref="tr_1",
        failure_code="c",
        failure="d",
        tries=1,
        attempt=2,
        next_at=e.T0,
        gives_up_at=e.T0,
        unanswered_at=e.T0,
        receipts=("cmd_1",),
    )
    movement = BalanceTransaction(
        key="tr_1",
        kind=BalanceTransactionKind.PAYOUT,
        amount_minor=-2990,
        fee_minor=0,
        currency="USD",
        occurred_at=e.T0,
        ref="tr_1",
        payment_id="pay_1",
        statement_ref="txn_1",
        payment_amount_minor=-2990,
        payment_currency="USD",
        sent_at=e.T0,
        settled=False,
    )
    return [
        payout.PayoutInput(payout_id="po_1", resume=False, signals=2),
        payout.GiveUpPayout(**command, reason="r"),
        payout.PayoutResult(payout_id="po_1", status="paid", version=2),
        payout.PayoutSignal(operator="kim", command_id="ticket-1", look="po_1", give_up="po_1", reason="r"),
        payout.FundsAvailable(event_id="evt_1", place=3),
        payout.RecordPayout(
            payout=stands,
            event="paid",
            command_id="cmd_1",
            actor="workflow",
            actor_detail=e.ARBITER,
            details={"a": "b"},
            at=e.T0,
            decided_from="cd" * 32,
            movement=movement,
        ),
        payout.RecordedPayout(applied=True, stored=stands, declined=messages.Declined(code="c", detail="d")),
        payout.LoadPayout(payout_id="po_1"),
        payout.SendPayout(payout=stands),
        payout.SentPayout(
            missing=True,
            unknown=True,
            short=True,
            refused="c",
            detail="d",
            transfer_ref="tr_1",
            movement=movement,
        ),
        payout.PayoutSweepResult(waiting=2, started=1),
        payout.ScheduledPayouts(found=2, paid=1, last="org_2"),
        payout.PayScheduled(now=e.T0, limit=50, after="org_1", found=2, paid=1),
        payout.ScheduledPayoutsResult(found=2, paid=1),
    ]


def invoice_messages(command: Mapping[str, object]) -> list[Message]:
    """One message of each kind about an invoice that is collected, with every field set."""
    held = Collection(
        invoice_id="inv_1",
        org_id="org_1",
        number="INV-000001",
        currency="USD",
        method=CollectionMethod.CHARGE_AUTOMATICALLY,
        days=(3, 7),
        due_at=e.T0,
        next_at=e.T0,
        status=CollectionStatus.PAUSED,
        version=2,
        announced=True,
        steps=1,
        attempts=2,
        unanswered=1,
        charge_now=True,
        waits_for="pay_2",
        waited=2,
        payment_id="pay_1",
        paused_for=Pause.CHARGEBACK,
        failure_code="c",
        failure="d",
        receipts=("cmd_1",),
    )
    standing = InvoiceDue(status=InvoiceStatus.OPEN, due_minor=25_000, paused_for=PausedFor.CHARGEBACK, touched=True)
    verdict = Verdict(became=Became.NEEDS_PAYER, goes_on=True, code="c", detail="d", link="https://pay.test/1")
    return [
        invoice.InvoiceInput(invoice_id="inv_1", resume=False, signals=2),
        invoice.ChargeInvoice(**command),
        invoice.InvoiceResult(invoice_id="inv_1", status="paid", version=2),
        invoice.InvoiceSignal(
            operator="kim",
            command_id="ticket-1",
            look="inv_1",
            charge="inv_1",
            resume="inv_1",
            give_up="inv_1",
            void="inv_1",
            reason="r",
        ),
        invoice.LoadCollection(invoice_id="inv_1", follow=True),
        invoice.LoadedCollection(collection=held, standing=standing, verdict=verdict, processing="pay_own"),
        invoice.RecordCollection(
            collection=held,
            event="requires_action",
            command_id="cmd_1",
            actor="workflow",
            actor_detail=e.ARBITER,
            details={"a": "b"},
            at=e.T0,
            decided_from="cd" * 32,
            standing=standing,
            mail="action_required",
            link="https://pay.test/1",
        ),
        invoice.RecordedCollection(
            applied=True, stored=held, declined=messages.Declined(code="c", detail="d"), standing=standing
        ),
        invoice.OrderCharge(collection=held, payment_id="pay_1", page=True, at=e.T0),
        invoice.OrderedCharge(
            payment_id="pay_1", link="https://pay.test/1", refused="c", detail="d", waits_for="pay_2"
        ),
        invoice.InvoiceSweepResult(waiting=2, started=1),
    ]


def samples() -> dict[str, Message]:
    """One message of each kind, with every field set."""
    outcome = commands.numbered(full_escrow(), command_id="cmd_1", now=e.T0, content="ab" * 32)
    escrow = outcome.escrow
    assert escrow.dispute
    seen = {"key_id": "key_1", "session_id": "ses_1", "made_by": "kim", "request_id": "req_1", "address": "::1"}
    command = {"command_id": "cmd_1", "actor": replace(e.WORKER, **seen)}
    signal = {"operator": "kim", "command_id": "ticket-1"}
    work = escrow.delivery.artifacts
    noted = messages.NotedCommand(command_id="cmd_0", name="dispute", command={"reason": "r"}, noted_at=e.T0)
    fall = auto_topup.AutoTopUpInput(org_id="org_1", number=2, credits_minor=100)
    falls = auto_topup.FoundFalls(found=2, last="org_2", noted=1, capped=1, open=(fall,))
    sync_page = usage.SyncPage(since=e.T0, until=e.T0, number=2)
    sync = usage.UsageSync(
        since=e.T0,
        back_seconds=60,
        page=sync_page,
        started=e.T0,
        until=e.T0,
        accepted=1,
        duplicates=2,
        invalid=3,
        unassigned=4,
        refused_at=e.T0,
        why="x",
    )
    move = reputation.NightMove(agent_id="agt_1", moved_e6=-100_000, stars_e6=400_000)
    found = [
        messages.EscrowInput(terms=escrow.terms, opened_by=e.PROCUREMENT, command_id="cmd_1", resume=True, signals=2),
        messages.EscrowResult(escrow_id="esc_1", status="released", version=4),
        messages.OpenEscrow(**command),
        messages.FundEscrow(**command, source="payment:pay_01kar6h2d8e4wvq3r5s7t9x1zy", amount_minor=50_000_000),
        messages.DeliverEscrow(**command, artifacts=work, note="n", milestone="a"),
        messages.ValidateEscrow(**command, score_e4=9200, note="n", delivery=3),
        messages.ApproveEscrow(**command, delivery=3),
        messages.DisputeEscrow(**command, reason="r"),
        messages.SubmitEvidence(**command, note="n", artifacts=work, given_at=e.T0),
        messages.ResolveEscrow(**command, payee_share_e4=6000, note="n"),
        messages.RefundEscrow(**command, amount_minor=1),
        messages.CancelEscrow(**command, reason="r"),
        messages.CommandResult(escrow_id="esc_1", status="released", version=4),
        messages.ApproveSignal(**signal, approve="esc_1", signatory="finance", delivery=3),
        messages.DisputeSignal(**signal, dispute="esc_1", reason="r"),
        messages.ResolveSignal(**signal, resolve="esc_1", payee_share="0.60", note="n"),
        messages.CancelSignal(**signal, cancel="esc_1", reason="r"),
        messages.RecordEscrowEvent(
            escrow=escrow,
            event=outcome.event,
            command_id="cmd_1",
            actor=outcome.actor,
            actor_detail=e.ARBITER,
            moves=outcome.moves,
            details=dict(outcome.details),
            at=e.T0,
            due_at=e.T0,
            settles=("cmd_0",),
            content="ab" * 32,
            decided_from="cd" * 32,
        ),
        messages.Declined(code="ledger.insufficient_funds", detail="d", extra={"a": "b"}),
        messages.RecordedEscrow(
            applied=True,
            transfer_id="0199-uuid",
            stored=replace(
                escrow,
                review_extended_from=e.T0,
                extended_from=e.T0,
                dispute=replace(escrow.dispute, default_extended_from=e.T0, evidence_extended_from=e.T0),
            ),
            declined=messages.Declined(code="ledger.insufficient_funds", detail="d"),
            noted=(noted,),
            extended_until=e.T0,
        ),
        noted,
        messages.LoadEscrow(escrow_id="esc_1"),
        messages.CloseEvidence(escrow_id="esc_1", at=e.T0),
        messages.EvidenceClosed(extended_until=e.T0),
        messages.SweepResult(overdue=2, started=1),
        payment.ProviderEventInput(provider="stripe", event_id="evt_1"),
        payment.DispatchProviderEvent(provider="stripe", event_id="evt_1", last_try=True),
        payment.ProviderEventResult(outcome="forwarded", payment_id="pay_1"),
        payment.InboxSweepResult(unhandled=2, started=1),
        sweeps.SweepPage(before=e.T0, after="pay_1", limit=50, forwarded_before=e.T0),
        sweeps.Swept(found=50, started=1, last="pay_2"),
        sweeps.SweepProgress(page=sweeps.SweepPage(before=e.T0, after="pay_1", limit=50), found=50, started=1),
        payment.PaymentSweepResult(waiting=2, started=1),
        customer.CustomerInput(org_id="org_1", name="Acme"),
        customer.CustomerResult(org_id="org_1", customer_ref="cus_1"),
        catch_up.CatchUp(version=7),
        seal.Seal(operator="kim", key_id="key_1", seal_id="5ea1"),
        holds.ExpireHolds(now=e.T0, limit=500),
        holds.HoldExpiry(now=e.T0, limit=500, count=500),
        holds.ExpiredHolds(count=1),
        expiry.ExpireContracts(limit=200),
        expiry.ExpiredContracts(count=3),
        spend_alerts.RaiseSpendAlerts(now=e.T0),
        spend_alerts.RaisedSpendAlerts(count=2),
        usage.OpenMonths(now=e.T0),
        usage.OpenedMonths(count=1),
        spend_days.RollUpSpends(now=e.T0, limit=20),
        spend_days.RolledUpSpends(count=1),
        spend_days.SpendDays(now=e.T0, limit=20, count=1),
        usage_charges.ChargeUsage(after="org_1", due_before=e.T0, at=e.T0, limit=200),
        usage_charges.ChargedUsage(org_id="org_1", charged=1, waiting=2, is_full=True),
        usage_charges.UsageCharging(due_before=e.T0, limit=200, after="org_1", again=True, charged=1, waiting=2),
        usage.PlanSync(now=e.T0, since=e.T0, back_seconds=60),
        usage.PlannedSync(page=sync_page, until=e.T0),
        usage.ReadSyncPage(page=sync_page, last=e.T0),
        usage.SyncedPage(
            following=sync_page, accepted=1, duplicates=2, invalid=3, unassigned=4, refused_at=e.T0, why="x"
        ),
        sync_page,
        sync,
        usage.ConcludeSync(sync=sync, at=e.T0),
        fall,
        falls,
        auto_topup.AutoTopUpResult(outcome="declined", payment_id="pay_1", why="x"),
        auto_topup.OrderedAutoTopUp(payment_id="pay_1", refused="x"),
        auto_topup.SettleAutoTopUp(org_id="org_1", number=2, refused="x"),
        auto_topup.SettledAutoTopUp(outcome="open", payment_id="pay_1", status="processing", why="x"),
        auto_topup.LookForFalls(now=e.T0, after="org_1", limit=500, everything=True),
        auto_topup.StartAutoTopUps(open=(fall,)),
        auto_topup.StartedAutoTopUps(count=1),
        auto_topup.FallsPage(falls=falls, started=1),
        auto_topup.AutoTopUpSweep(most=12, limit=500, after="org_1", looks=3, found=500, noted=1, capped=2, started=1),
        recovery.RecoveryPage(now=e.T0, after="rcv_1", limit=20),
        recovery.Recovered(found=2, done=1, last="rcv_2"),
        recovery.EarningsRecovery(now=e.T0, limit=20, reversing=True, after="trr_1", recovered=3, reversed=2),
        recovery.EarningsRecoveryResult(recovered=3, reversed=2),
        alert_rules.LookAtAlertRules(now=e.T0, limit=200, built_in=True),
        alert_rules.LookedAtAlertRules(count=1),
        alert_rules.AlertRulesProgress(now=e.T0, limit=200, count=1),
        lots.ExpireLots(now=e.T0, limit=500),
        lots.ExpiredLots(count=1),
        lots.LotExpiry(now=e.T0, limit=500, count=1),
        *escalation_messages(command),
        *probe_messages(),
        *payout_messages(command),
        *webhook_messages(command),
        *invoice_messages(command),
        mail.SendMails(now=e.T0, limit=20),
        mail.SentMails(found=3, sent=1, failed=1),
        mail.MailSweep(now=e.T0, limit=20, found=3, sent=1, failed=1),
        notification.FanOut(seconds=60),
        notification.FannedOut(looks=60, events=4, alerts=1, notifications=9, digests=2),
        notification.SendNotifications(seconds=60),
        notification.SentNotifications(tried=9, sent=6, failed=1, dropped=1),
        notification.DigestInput(recipient="org_1/kim", digest="daily-2026-11-22"),
        notification.CloseDigest(recipient="org_1/kim", digest="daily-2026-11-22", now=e.T0),
        notification.ClosedDigest(until=e.T0, count=3, messages=2),
        vat_numbers.ConfirmVatNumbers(now=e.T0, after="org_1", limit=20),
        vat_numbers.ConfirmedVatNumbers(asked=5, confirmed=3, refused=1, last="org_6", done=True),
        vat_numbers.VatConfirmations(now=e.T0, limit=20, after="org_6", asked=5, confirmed=3, refused=1),
        marketplace.RenewPurchases(now=e.T0, after="pur_01h455vb4pex5vsknk084sn02q", limit=20),
        marketplace.RenewedPurchases(found=3, last="pur_01h455vb4pex5vsknk084sn02q", renewed=1, asked=1, failed=1),
        marketplace.PurchaseRenewals(
            now=e.T0, limit=20, after="pur_01h455vb4pex5vsknk084sn02q", found=3, renewed=1, asked=1, failed=1
        ),
        referral.LookAtReferrals(now=e.T0, after="org_01h455vb4pex5vsknk084sn02q", limit=100),
        referral.LookedAtReferrals(
            found=4, last="org_01h455vb4pex5vsknk084sn02q", rewarded=1, refused=1, taken_back=1, failed=1
        ),
        referral.ReferralRewards(
            now=e.T0,
            limit=100,
            after="org_01h455vb4pex5vsknk084sn02q",
            found=4,
            rewarded=1,
            refused=1,
            taken_back=1,
            failed=1,
        ),
        statement.MakeStatements(now=e.T0, after="org_01h455vb4pex5vsknk084sn02q", limit=50),
        statement.MadeStatements(found=3, last="org_01h455vb4pex5vsknk084sn02q", made=1, failed=1),
        statement.CreatorStatements(
            now=e.T0, limit=50, after="org_01h455vb4pex5vsknk084sn02q", found=3, made=1, failed=1
        ),
        revenue.RecogniseRevenue(limit=2000, settle_seconds=5),
        revenue.RecognisedRevenue(count=1),
        revenue.RevenueRecognition(limit=2000, count=1, settle_seconds=5),
        subscription_accrual.AccrueSubscriptions(through=e.T0.date(), limit=1000),
        subscription_accrual.AccruedSubscriptions(count=1),
        subscription_accrual.SubscriptionAccrual(limit=1000, count=1, through=e.T0.date()),
        accounting.AddUpDays(limit=5000, settle_seconds=5),
        accounting.AddedUpDays(count=1),
        accounting.AccountingDays(limit=5000, count=1, settle_seconds=5),
        billing_run.PlanBillingRun(now=e.T0, month=e.T0.date()),
        billing_run.PlannedBillingRun(month=e.T0.date(), ready_at=e.T0, due=9, why="x"),
        billing_run.InvoicePage(now=e.T0, month=e.T0.date(), after="org_1", limit=200, pages=5),
        billing_run.InvoicedPage(invoiced=3, empty=2, failed=1, last="org_6", done=True, left=3),
        billing_run.BillingRun(
            month=e.T0.date(),
            ready_at=e.T0,
            since=e.T0,
            after="org_6",
            limit=100,
            only=True,
            invoiced=3,
            empty=2,
            failed=1,
            left=3,
        ),
        billing_run.ConcludeBillingRun(now=e.T0, month=e.T0.date()),
        billing_run.BillingRunResult(month=e.T0.date(), invoiced=3, empty=2, failed=1, skipped="x"),
        reputation.PlanNight(now=e.T0, day=e.T0.date()),
        reputation.PlannedNight(day=e.T0.date(), why="x", changes_rate=True),
        reputation.ChangeRate(day=e.T0.date()),
        reputation.ChangedRate(rate_e4=9500),
        reputation.TakeNight(day=e.T0.date(), after="agt_1", limit=2000, pages=20),
        reputation.TookNight(agents=3, pages=1, last="agt_3", done=True),
        reputation.ReputationNight(day=e.T0.date(), after="agt_1", limit=500, agents=3, pages=1, planned=True),
        reputation.ConcludeNight(day=e.T0.date()),
        move,
        reputation.ReputationNightResult(
            day=e.T0.date(), agents=3, changed=2, sudden=1, moves=(move,), closed_priors=True, skipped="x"
        ),
    ]
    return {
        type(message).__name__: message
        for message in [
            *found,
            *payment_messages.samples(),
            *reconciliation.samples(),
            *subscription_messages.samples(),
        ]
    }


def class_of(path: Path) -> type[Message]:
    return {cls.__name__: cls for cls in every_message()}[path.name.partition(".")[0]]


def contained(part: object, whole: object) -> bool:
    """Tell whether everything that was written is still there after reading and writing it again."""
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and contained(value, whole[key]) for key, value in part.items())
    if isinstance(part, list) and isinstance(whole, list):
        return len(part) == len(whole) and all(contained(a, b) for a, b in zip(part, whole, strict=True))
    return part == whole


def fields(part: object) -> Iterator[tuple[str, bool, object]]:
    """Return the fields of a message or of a part: name, whether it differs from its default, and value."""
    if isinstance(part, BaseModel):
        for name, field in type(part).model_fields.items():
            value = getattr(part, name)
            yield name, field.is_required() or value != field.get_default(call_default_factory=True), value
    elif dataclasses.is_dataclass(part):
        for each in dataclasses.fields(part):
            value, factory = getattr(part, each.name), each.default_factory
            yield each.name, value != (each.default if factory is dataclasses.MISSING else factory()), value


def unset(messages: Iterable[object]) -> set[str]:
    """Return the fields of the messages and of their parts that none of them holds set."""
    found: dict[str, bool] = {}

    def walk(part: object) -> None:
        if isinstance(part, Mapping):
            part = list(part.values())
        if isinstance(part, list | tuple):
            for item in part:
                walk(item)
        for name, is_set, value in fields(part):
            # A seal never travels as a field: the converter writes it into a signal that the codec opened.
            if name != "seal":
                key = f"{type(part).__name__}.{name}"
                found[key] = found.get(key, False) or is_set
                walk(value)

    walk(list(messages))
    return {key for key, is_set in found.items() if not is_set}


def escalation_messages(command: Mapping[str, object]) -> list[Message]:
    """One message of each kind about an alert that people are called for, with every field set."""
    case = Case(
        alert_id="alr_1",
        kind="payment.dispute_opened",
        subject="pay_1",
        detail="d",
        severity=Severity.CRITICAL,
        status=AlertStatus.FIRING,
        raised_at=e.T0,
        ladder=(Step(role=Role.OWNER, after=timedelta(minutes=30)),),
        org_id="org_1",
        shared=True,
        seen_by_organization=True,
        snoozed_until=e.T0,
        org_snoozed_until=e.T0,
    )
    alert = {"alert_id": "alr_1"}
    return [
        escalation.EscalationInput(**alert, kind="k", subject="pay_1", org_id="org_1", taken=("owner:0",)),
        escalation.EscalationResult(outcome="acknowledged", taken=("owner:0",)),
        escalation.LookAtAlert(**alert),
        escalation.SeenAlert(case=case),
        escalation.TakeStep(**alert, step="owner:0"),
        escalation.TookStep(called=True),
        escalation.AcknowledgeAlert(**alert, actor=command["actor"]),
        escalation.AcknowledgedAlert(
            declined=messages.Declined(code="c", detail="d", extra={"field": "f"}), called=("owner:0",)
        ),
        escalation.EscalationSignal(operator="kim", command_id="ticket-1", acknowledge="alr_1"),
    ]


def probe_messages() -> Iterator[Message]:
    """Return one of each message of the probe."""
    parties = probe.ProbeParties(
        payer_org_id="org_1", payee_org_id="org_2", payee_agent_id="agt_2", pays=True, knocks=True
    )
    yield probe.PrepareProbe(run="probe-1")
    yield parties
    yield probe.ProbeStep(run="probe-1", step="refund", parties=parties, contract_id="ctr_1", payment_id="pay_1")
    yield probe.ProbeStepDone(contract_id="ctr_1", payment_id="pay_1", why="x")
    yield probe.TidyProbe(run="probe-1")
    yield probe.TidiedProbe(escrows=1, payments=1, conversions=1)
    yield probe.ReportProbe(run="probe-1", step="fund", why="x")
    yield probe.ReportedProbe(raised=True)
    step = probe.ProbeStepTime(step="fund", ms=50)
    yield step
    yield probe.ProbeResult(steps=(step,), failed="fund", why="x")


def webhook_messages(command: Mapping[str, object]) -> list[Message]:
    """One message of each kind about a webhook endpoint, with every field set."""
    stands = Endpoint(
        endpoint_id="whe_1",
        org_id="org_1",
        status=EndpointStatus.PAUSED,
        version=2,
        reason="r",
        receipts=("cmd_1",),
    )
    return [
        webhook_endpoint.WebhookEndpointInput(endpoint_id="whe_1", resume=False, signals=2),
        webhook_endpoint.DisableWebhookEndpoint(**command, reason="r"),
        webhook_endpoint.WebhookEndpointResult(endpoint_id="whe_1", status="disabled", version=2),
        webhook_endpoint.WebhookNews(),
        webhook_endpoint.WebhookEndpointSignal(
            operator="kim",
            command_id="ticket-1",
            pause="whe_1",
            resume="whe_1",
            skip="whe_1",
            delivery="whd_1",
            reason="r",
        ),
        webhook_endpoint.RecordWebhookEndpoint(
            endpoint=stands,
            event="paused",
            command_id="cmd_1",
            actor="kim",
            actor_detail=e.ARBITER,
            details={"reason": "r"},
            at=e.T0,
            decided_from="cd" * 32,
        ),
        webhook_endpoint.RecordedWebhookEndpoint(
            applied=True, stored=stands, declined=messages.Declined(code="c", detail="d")
        ),
        webhook_endpoint.LoadWebhookEndpoint(endpoint_id="whe_1"),
        webhook_endpoint.DrainWebhookEndpoint(endpoint_id="whe_1", at=e.T0),
        webhook_endpoint.DrainedWebhookEndpoint(
            tried=3,
            delivered=2,
            more=True,
            next_at=e.T0,
            waiting=1,
            since=e.T0,
            why="status 500",
            give_up="gone",
            stopped=True,
            at=e.T0,
        ),
        webhook_endpoint.DispatchWebhooks(seconds=60),
        webhook_endpoint.DispatchedWebhooks(looks=60, told=2, found_behind=1, forgotten=3),
    ]


def golden() -> list[Message]:
    return [class_of(path).model_validate_json(path.read_text()) for path in sorted(GOLDEN.glob("*.json"))]


def write_missing() -> None:
    for name, message in samples().items():
        known, number = golden(), len([*GOLDEN.glob(f"{name}.*.json")]) + 1
        if number == 1 or unset(known) != unset([*known, message]):
            (GOLDEN / f"{name}.{number}.json").write_text(message.model_dump_json(indent=1) + "\n")


def test_every_message_has_a_golden_file():
    if os.environ.get("BURSAR_WRITE_GOLDEN"):
        write_missing()
    named = {path.name.partition(".")[0] for path in GOLDEN.glob("*.json")}
    assert {cls.__name__ for cls in every_message()} == named


def test_every_field_is_set_in_a_golden_file():
    assert unset(golden()) == set(), "Set them in samples(), then write the file with BURSAR_WRITE_GOLDEN=1."


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_an_older_version_wrote_is_read_and_nothing_is_lost(path):
    written = json.loads(path.read_text())
    message = class_of(path).model_validate(written)
    assert contained(written, message.model_dump(mode="json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_what_a_newer_version_adds_is_ignored(path):
    written = json.loads(path.read_text())
    message = class_of(path).model_validate({**written, "a_field_of_tomorrow": {"x": 1}})
    assert message == class_of(path).model_validate(written)


@pytest.mark.parametrize("name", sorted(samples()))
def test_a_message_survives_the_wire(name):
    message = samples()[name]
    assert type(message).model_validate_json(message.model_dump_json()) == message


def test_messages_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        samples()["FundEscrow"].source = "payment"
