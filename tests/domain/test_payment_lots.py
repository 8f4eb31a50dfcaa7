"""Lots of a payment's postings: credits keep their price."""

from dataclasses import replace
from uuid import UUID

from domain.common import accounts
from domain.common.accounts import Account
from domain.common.ids import transfer_id
from domain.credits.lots import LotSource, LotTerms
from domain.payments.payment import booking
from domain.payments.payment.snapshot import BalanceTransactionKind
from domain.payments.payment.state import BookedMovement, Payment, PaymentStatus
from domain.payments.payment.terms import Purpose, PurposeKind
from tests.support.cases import for_each
from tests.support.payments import EPOCH, TERMS

WALLET, OWN = booking.wallet(TERMS), booking.entitlement_account(TERMS)
ISSUANCE, DEBT = booking.issuance(TERMS), booking.debt(TERMS)
CLEARING = accounts.provider_clearing("credits", "CREDIT")


def booked(key: str, paid_minor: int) -> BookedMovement:
    return BookedMovement(
        key=key,
        kind=BalanceTransactionKind.CHARGE,
        amount_minor=paid_minor,
        paid_minor=paid_minor,
        fee_minor=0,
        currency="USD",
        occurred_at=EPOCH,
    )


PAYMENT = Payment(
    terms=TERMS,
    status=PaymentStatus.SUCCEEDED,
    version=3,
    created_at=EPOCH,
    updated_at=EPOCH,
    booked=(booked("charge", 995), booked("refund", -400)),
)
PAID_WITH = UUID(int=7)


@for_each(
    "key, source, destination, expected",
    [
        (
            *("charge", ISSUANCE, OWN),
            LotTerms(source=LotSource.PURCHASE, paid_minor=995, paid_asset="USD", payment_id=TERMS.payment_id),
        ),
        # What is issued for no money that came in was paid with nothing.
        *(
            (other, ISSUANCE, OWN, LotTerms(source=LotSource.PURCHASE, payment_id=TERMS.payment_id))
            for other in (None, "refund", "unknown")
        ),
        (None, DEBT, WALLET, LotTerms(source=LotSource.DEBT, payment_id=TERMS.payment_id)),
        (
            *(transfer_id(PAID_WITH), CLEARING, OWN),
            LotTerms(returns=PAID_WITH, source=LotSource.REFUND, payment_id=TERMS.payment_id),
        ),
        *(
            (other, CLEARING, OWN, LotTerms(source=LotSource.REFUND, payment_id=TERMS.payment_id))
            for other in (None, "charge")
        ),
        (None, OWN, ISSUANCE, LotTerms(is_reversal=True)),
        (None, OWN, DEBT, LotTerms()),
        (None, WALLET, OWN, LotTerms(first=TERMS.payment_id)),
        (None, OWN, WALLET, None),
        (None, CLEARING, DEBT, None),
    ],
)
def test_posting_determines_the_terms_of_lots(
    key: str | None, source: Account, destination: Account, expected: LotTerms | None
) -> None:
    assert booking.lot_terms(PAYMENT, key, source, destination) == expected


def test_slots_have_no_lots() -> None:
    slots = Purpose(kind=PurposeKind.SLOT, goods_asset="SLOT", goods_minor=1)
    payment = replace(PAYMENT, terms=replace(TERMS, purpose=slots))
    assert booking.lot_terms(payment, "charge", booking.issuance(payment.terms), WALLET) is None
