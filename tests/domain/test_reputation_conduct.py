"""The evidence that payments and cancellations give about a client."""

from dataclasses import replace
from datetime import timedelta

from domain.escrow import commands
from domain.escrow.state import Escrow, EscrowStatus
from domain.payments.payment.snapshot import Decline, DisputeStatus, ProviderStatus
from domain.payments.payment.state import Dispute, Payment, PaymentStatus
from domain.reputation.clients import ClientFact
from domain.reputation.conduct import of_cancellation, of_payment
from domain.reputation.escrow_evidence import stakes_of
from domain.reputation.evidence import ONE_E6
from domain.reputation.weights import MOST_E6, weight_e6
from tests.support.cases import for_each
from tests.support.escrows import PROCUREMENT, STUDIO, T0, terms
from tests.support.payments import EPOCH, TERMS

S, P = EscrowStatus, PaymentStatus
FUNDED = 50_000_000
ESCROW = Escrow(terms=terms(), status=S.FUNDED, version=2, opened_at=T0, updated_at=T0, funded_minor=FUNDED)
PAYMENT = Payment(terms=TERMS, status=P.REQUIRES_ACTION, version=2, created_at=EPOCH, updated_at=EPOCH)
DECLINE = Decline(code="card_declined", detail="The card was declined.")
DECLINED = replace(PAYMENT, status=P.FAILED, provider_status=ProviderStatus.FAILED, decline=DECLINE)


def disputed(*statuses: DisputeStatus) -> Payment:
    disputes = tuple(
        Dispute(
            dispute_id=f"dsp_{number}",
            ref=f"du_{number}",
            status=status,
            amount_minor=400,
            goods_minor=0,
            reason="fraudulent",
            opened_at=EPOCH,
            evidence_due_at=None,
        )
        for number, status in enumerate(statuses)
    )
    return replace(PAYMENT, status=P.DISPUTED, disputes=disputes)


@for_each(
    "before, after, told",
    [
        (PAYMENT, DECLINED, [ClientFact.PAYMENT_FAILED]),
        (None, DECLINED, [ClientFact.PAYMENT_FAILED]),
        (DECLINED, DECLINED, []),
        # The payer can try again, has left, or the time was over.
        (PAYMENT, replace(PAYMENT, provider_status=ProviderStatus.REQUIRES_ACTION, decline=DECLINE), []),
        (PAYMENT, replace(PAYMENT, status=P.EXPIRED, provider_status=ProviderStatus.EXPIRED, decline=DECLINE), []),
        (PAYMENT, replace(PAYMENT, status=P.CANCELLED, provider_status=ProviderStatus.CANCELLED), []),
        # The provider would not take the request.
        (PAYMENT, replace(PAYMENT, status=P.FAILED, decline=Decline(code="provider.no_answer", detail="x")), []),
        # Money came in another way after all.
        (PAYMENT, replace(DECLINED, status=P.SUCCEEDED), []),
        (disputed(DisputeStatus.UNDER_REVIEW), disputed(DisputeStatus.LOST), [ClientFact.CHARGED_BACK]),
        (disputed(DisputeStatus.UNDER_REVIEW), disputed(DisputeStatus.WON), []),
        (PAYMENT, disputed(DisputeStatus.NEEDS_RESPONSE), []),
        (disputed(DisputeStatus.LOST), disputed(DisputeStatus.LOST, DisputeStatus.LOST), [ClientFact.CHARGED_BACK]),
        (disputed(DisputeStatus.LOST), disputed(DisputeStatus.LOST), []),
    ],
)
def test_payments_give_evidence_of_the_providers_decision(
    before: Payment | None, after: Payment, told: list[ClientFact]
) -> None:
    assert [each.fact for each in of_payment(before, after)] == told


def test_a_payment_fails_once_and_each_chargeback_is_its_own() -> None:
    [failed] = of_payment(None, DECLINED)
    [again] = of_payment(PAYMENT, replace(DECLINED, version=9))
    assert failed == again
    one, other = of_payment(PAYMENT, disputed(DisputeStatus.LOST, DisputeStatus.LOST))
    assert one.key != other.key
    assert (one.value_minor, failed.value_minor) == (400, 1000)


def test_only_a_cancellation_requested_by_the_client_is_bad_evidence_of_it() -> None:
    asked = commands.cancel(ESCROW, actor=PROCUREMENT, reason=None).escrow
    granted = commands.cancel(asked, actor=STUDIO, reason=None).escrow
    told = of_cancellation(asked, granted)
    assert told is not None
    assert (told.fact, told.value_minor, told.commission_minor) == (ClientFact.CANCELLED, FUNDED, FUNDED // 20)
    assert told.counterparty_org_id == ESCROW.terms.payee_org_id
    # The client need not wait for ever: after half of the time to deliver, a request to cancel is no fault of the
    # client.
    late = replace(granted, updated_at=T0 + timedelta(days=9))
    assert of_cancellation(replace(asked, deliver_by=T0 + timedelta(days=9)), late) is None
    early = replace(granted, updated_at=T0 + timedelta(days=1))
    assert of_cancellation(replace(asked, deliver_by=T0 + timedelta(days=9)), early) is not None
    assert of_cancellation(ESCROW, asked) is None
    assert of_cancellation(ESCROW, commands.cancel(ESCROW, actor=STUDIO, reason=None).escrow) is None
    unfunded = replace(ESCROW, status=S.OPEN, funded_minor=0)
    assert of_cancellation(unfunded, commands.cancel(unfunded, actor=PROCUREMENT, reason=None).escrow) is None
    assert of_cancellation(None, granted) is None


def test_payments_weigh_by_their_value_alone_and_never_more_than_two_units() -> None:
    dollars = stakes_of("USD")
    assert dollars is not None
    weights = [weight_e6(value, None, ONE_E6, dollars) for value in (0, 50_00, 10**15)]
    assert weights[:2] == [0, ONE_E6]
    assert ONE_E6 < weights[2] <= MOST_E6
