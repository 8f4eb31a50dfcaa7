"""Messages of payments with every field set, to be written down as this version writes them."""

from dataclasses import replace
from datetime import timedelta

from contracts import payment as messages
from contracts.base import Message
from contracts.escrow import Declined
from domain.access import Actor, Role
from domain.payment.quote import Quote
from domain.payment.snapshot import (
    BalanceTransaction,
    BalanceTransactionKind,
    Decline,
    Deposit,
    DisputeSnapshot,
    DisputeStatus,
    NextAction,
    ProviderStatus,
    RefundSnapshot,
    RefundStatus,
    Snapshot,
)
from domain.payment.state import (
    Booked,
    Dispute,
    Fulfilment,
    Payment,
    PaymentPosting,
    PaymentPostingKind,
    PaymentStatus,
    Refund,
    RefundState,
)
from domain.payment.terms import PaymentTerms, Purpose, PurposeKind
from domain.tax.rates import TaxCategory
from domain.tax.sale import SaleTax
from tests.support.payments import EPOCH, TERMS

OWNER = Actor(
    principal="kim",
    role=Role.OWNER,
    org_id=TERMS.org_id,
    agent_id="agt_1",
    key_id="key_1",
    request_id="req_1",
    address="::1",
)
LATER = EPOCH + timedelta(days=1)
ACTION = NextAction(
    client_secret="pi_1_secret",
    redirect_url="https://example.com/pay",
    deposit=Deposit(
        chain="bitcoin", asset="BTC", address="bc1q", amount_minor=20_000, memo="m", uri="bitcoin:bc1q?amount=0.0002"
    ),
)


def full_terms() -> PaymentTerms:
    """Terms in which no field is empty; nobody could agree on them."""
    quote = Quote(
        amount_minor=1000,
        currency="USD",
        asset_minor=20_000,
        asset="BTC",
        price="50000",
        source="exchange",
        quoted_at=EPOCH,
        expires_at=LATER,
    )
    purpose = Purpose(
        kind=PurposeKind.ESCROW,
        goods_asset="CREDIT",
        goods_minor=100_000_000,
        escrow_id="esc_1",
        contract_id="ctr_1",
        package="starter",
        agent_id="agt_01h455vb4pex5vsknk084sn02q",
        payee_org_id="org_01h455vb4pex5vsknk084sn02s",
        creator_bps=9000,
        renews="pur_01h455vb4pex5vsknk084sn02q",
        sold_as="monthly",
        listed_minor=1000,
        included_uses=20,
    )
    return replace(
        TERMS,
        provider="crypto",
        amount_minor=20_000,
        currency="BTC",
        purpose=purpose,
        hosted=True,
        return_url="https://example.com/back",
        method_ref="pm_1",
        off_session=True,
        manual_capture=True,
        quote=quote,
        refundable=False,
        first_poll_seconds=60,
        late_poll_seconds=3600,
        open_seconds=86_400,
        tax=SaleTax(
            code="de-vat",
            category=TaxCategory.STANDARD,
            rate_e6=190_000,
            amount_minor=3193,
            is_proven=False,
            entity="ACME",
            party=(("legal_name", "Buyer"), ("country", "DE")),
        ),
    )


def full_payment() -> Payment:
    """A payment in which no field is empty."""
    booked = Booked(
        key="btc:ab:0",
        kind=BalanceTransactionKind.CHARGE,
        amount_minor=20_000,
        fee_minor=1,
        currency="BTC",
        paid_minor=20_000,
        occurred_at=EPOCH,
        goods_minor=100_000_000,
        waiting_minor=25_000_000,
        tax_minor=3193,
        settled=False,
    )
    refund = Refund(
        refund_id="rfd_1",
        amount_minor=5000,
        goods_minor=25_000_000,
        state=RefundState.FAILED,
        requested_by="kim",
        requested_at=EPOCH,
        reason="r",
        ref="re_1",
        moved_minor=5000,
        debt_minor=1,
        failure="expired_or_canceled_card",
        failure_code="payment.refund_needs_email",
        given_up=True,
        waiting_minor=25_000_000,
    )
    dispute = Dispute(
        dispute_id="dsp_1",
        ref="dp_1",
        status=DisputeStatus.LOST,
        amount_minor=5000,
        goods_minor=25_000_000,
        reason="fraudulent",
        opened_at=EPOCH,
        evidence_due_at=LATER,
        debt_minor=1,
        moved_minor=5000,
        released=True,
        retired=True,
        evidence_submitted_at=EPOCH,
        waiting_minor=25_000_000,
        offered_evidence="It was used.",
        evidence_offered_at=EPOCH,
    )
    return Payment(
        terms=full_terms(),
        status=PaymentStatus.CHARGED_BACK,
        version=7,
        created_at=EPOCH,
        updated_at=LATER,
        provider_status=ProviderStatus.SUCCEEDED,
        ref="pi_1",
        unknown=True,
        expiring=True,
        action=ACTION,
        decline=Decline(code="card_declined", detail="d"),
        authorized_minor=1,
        seen_minor=2,
        confirmations=3,
        received_minor=20_000,
        granted_minor=100_000_000,
        reversed_minor=4,
        fee_minor=1,
        booked=(booked,),
        refunds=(refund,),
        disputes=(dispute,),
        reversal_debt_minor=5,
        fulfilment=Fulfilment.DONE,
        fulfilling=True,
        escrow_frozen=True,
        cancelled_by="kim",
        unanswered="cmd_capture",
        cancel_requested_by="key:procurement",
        receipts=("cmd_1",),
        pays_until=LATER,
        overdue=True,
    )


def full_snapshot() -> Snapshot:
    """A snapshot in which no field is empty."""
    movement = BalanceTransaction(
        key="btc:ab:0",
        kind=BalanceTransactionKind.CHARGE,
        amount_minor=20_000,
        fee_minor=1,
        currency="BTC",
        occurred_at=LATER,
        ref="pi_1",
        payment_id=TERMS.payment_id,
        statement_ref="txn_1",
        payment_amount_minor=1000,
        payment_currency="USD",
        sent_at=EPOCH,
        settled=False,
    )
    dispute = DisputeSnapshot(
        ref="dp_1",
        status=DisputeStatus.NEEDS_RESPONSE,
        amount_minor=5000,
        reason="fraudulent",
        evidence_due_at=LATER,
        created_at=EPOCH,
    )
    return Snapshot(
        ref="pi_1",
        status=ProviderStatus.SUCCEEDED,
        amount_minor=20_000,
        currency="BTC",
        action=ACTION,
        decline=Decline(code="card_declined", detail="d"),
        authorized_minor=1,
        movements=(movement,),
        refunds=(full_refund(),),
        disputes=(dispute,),
        seen_minor=2,
        confirmations=3,
        approved=True,
        pays_until=LATER,
        methods=("card:fp_1",),
    )


def full_refund() -> RefundSnapshot:
    """A refund in which no field is empty."""
    return RefundSnapshot(
        ref="re_1",
        refund_id="rfd_1",
        status=RefundStatus.FAILED,
        amount_minor=5000,
        failure="expired_or_canceled_card",
        created_at=EPOCH,
    )


def samples() -> list[Message]:
    """Return one message of each kind that a payment's run or its activities take or give."""
    terms, payment = full_terms(), full_payment()
    declined = Declined(code="ledger.insufficient_funds", detail="d", extra={"a": "b"})
    event = messages.PaymentEvent(
        payment=payment,
        event="received",
        actor="provider:crypto",
        actor_detail=OWNER,
        moves=(PaymentPosting(kind=PaymentPostingKind.RECEIVE, amount_minor=20_000, asset="BTC", paid_minor=1000),),
        details={"amount": "0.00020000"},
        booked="btc:ab:0",
        debtor="dp_1",
        command_id="cmd_1",
        at=EPOCH,
    )
    return [
        messages.PaymentInput(
            terms=terms,
            created_by=OWNER,
            command_id="cmd_1",
            resume=True,
            signals=2,
            events=("evt_1",),
            look=True,
        ),
        messages.PaymentResult(payment_id="pay_1", status="succeeded", version=4),
        messages.CreatePaymentCommand(command_id="cmd_1", actor=OWNER),
        messages.ConfirmPayment(command_id="cmd_1", actor=OWNER, method_ref="pm_1"),
        messages.CapturePayment(command_id="cmd_1", actor=OWNER, amount_minor=1),
        messages.CancelPayment(command_id="cmd_1", actor=OWNER, spares_under_way=True),
        messages.RefundPayment(
            command_id="cmd_1", actor=OWNER, refund_id="rfd_1", amount_minor=1, reason="r", credit_note=True
        ),
        messages.GiveUpRefund(command_id="cmd_1", actor=OWNER, refund_id="rfd_1", reason="r", provider_ref="re_1"),
        messages.SubmitDisputeEvidence(command_id="cmd_1", actor=OWNER, dispute_ref="dp_1", text="t"),
        messages.PaymentCommandResult(payment_id="pay_1", status="refunded", version=4, refund_id="rfd_1"),
        messages.ProviderEventSignal(event_id="evt_1"),
        messages.RefundSignal(operator="kim", command_id="ticket-1", refund="pay_1", amount="4.00", reason="r"),
        messages.GiveUpSignal(
            operator="kim",
            command_id="ticket-1",
            give_up="pay_1",
            refund_id="rfd_1",
            at_provider=True,
            ref="re_1",
            reason="r",
        ),
        messages.PaymentSignal(operator="kim", command_id="ticket-1", cancel="pay_1", look="pay_1"),
        event,
        messages.RecordPayment(
            payment_id="pay_1", provider="crypto", events=(event,), handled=("evt_1",), at=EPOCH, decided_from="cd" * 32
        ),
        messages.RecordedPayment(applied=True, stored=payment, declined=declined),
        messages.LoadPayment(payment_id="pay_1"),
        messages.ProviderRequest(
            terms=terms,
            key="k",
            ref="pi_1",
            method_ref="pm_1",
            amount_minor=1,
            booked=("btc:ab:0",),
            command_id="cmd_1",
            actor=OWNER,
        ),
        messages.RefundRequest(terms=terms, ref="pi_1", refund_id="rfd_1", amount_minor=1, reason="r", key="k"),
        messages.EvidenceRequest(terms=terms, dispute_ref="dp_1", text="t", key="k", ref="pi_1", actor=OWNER),
        messages.ProviderResponse(
            snapshot=full_snapshot(),
            revalued={"btc:ab:0": 1},
            missing=True,
            refused=declined,
            unknown="u",
            declined=declined,
            purpose_gone="w",
        ),
        messages.RefundResponse(snapshot=full_refund(), missing=True, refused=declined, unknown="u"),
        messages.FundEscrowFromPayment(terms=terms, only_look=True),
        messages.EscrowFreezing(frozen=False, why="w"),
        messages.EscrowFunding(funded=True, why="w", not_asked=True),
    ]
