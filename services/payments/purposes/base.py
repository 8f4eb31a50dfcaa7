"""The database side of a payment's purpose; its rules are in `domain/payments/payment/purposes`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.common.base import Message
from contracts.payments.payment import PaymentEvent
from domain.common.access import Actor
from domain.common.accounts import Account
from domain.payments.payment import booking
from domain.payments.payment.fulfilment import refuse_concurrent_payment
from domain.payments.payment.purposes import rules_of
from domain.payments.payment.state import Payment, PaymentPosting, PaymentPostingKind
from domain.payments.payment.terms import PaymentTerms
from domain.payouts.payable import HoldBack
from ledger.gateway import Ledger
from repositories.payments import payment
from services.billing.tax_receipt import TaxedMovement

#: Postings whose accounts depend on balances.
BALANCE_DEPENDENT = frozenset({PaymentPostingKind.CLAW_BACK, PaymentPostingKind.RELEASE})


class SubjectShare(Protocol):
    """Share of the payment's subject in an event's postings; locked until the transaction ends."""

    def takes_part_in(self, move: PaymentPosting) -> bool:
        """Return whether the posting can change the subject's share."""

    async def share(
        self, ledger: Ledger, event: PaymentEvent, move: PaymentPosting
    ) -> tuple[PaymentPosting, list[booking.AccountMovement]]:
        """Return the rest of the posting, and the account movements of the subject's part."""

    async def write(self, session: AsyncSession, event: PaymentEvent, transfer_id: UUID | None) -> None:
        """Write the subject's state, after the event's transfer was posted."""

    def taxed(self, event: PaymentEvent, transfer_id: UUID) -> Sequence[TaxedMovement]:
        """Return the taxed amounts of the subject's part; each gets a tax document."""

    def posts_to(self) -> Sequence[Account]:
        """Return the accounts of further transfers in `write`, to be locked in advance."""


def taxed_movements(event: PaymentEvent, share: SubjectShare | None, transfer_id: UUID) -> Sequence[TaxedMovement]:
    """Return the taxed amounts of an event; each gets a tax document."""
    if event.payment.terms.tax is None:
        return ()
    if not rules_of(event.payment.terms).at_once:
        return () if share is None else share.taxed(event, transfer_id)
    booked = next((item for item in event.payment.booked if item.key == event.booked), None)
    if booked is None or event.event in {"fee_booked", "settled"} or not booked.paid_minor:
        return ()
    return [
        TaxedMovement(
            key=booked.key,
            gross_minor=booked.paid_minor,
            tax_minor=booked.tax_minor,
            transfer_id=transfer_id,
            at=event.at,
        )
    ]


@dataclass(frozen=True, slots=True)
class WaitingRun:
    """A workflow that waits for a payment, and the signal that makes it read the outcome."""

    workflow_id: str
    signal: str
    message: Message


class PurposeBooks(Protocol):
    """Database side of a purpose. Nothing here commits."""

    @property
    def shares(self) -> bool:
        """Whether the subject can have a share in an event's postings, so that balances read before may change."""

    @property
    def is_followed(self) -> bool:
        """Whether a lost payment starts a recovery from creators; if not, the share takes their part back."""

    async def subject(self, session: AsyncSession, actor: Actor, named: object) -> object:
        """Return the subject that a request names, if the actor may see it and it can be paid."""

    async def refuse(self, session: AsyncSession, subject: object) -> None:
        """Check that the subject can be paid, before the payment is created; `session` is the platform's."""

    async def begin(self, session: AsyncSession, terms: PaymentTerms) -> None:
        """Lock the subject, and refuse a payment for it while another one is under way."""

    async def gone(self, session: AsyncSession, terms: PaymentTerms, now: datetime) -> str | None:
        """Return why an unpaid payment can no longer pay for the subject; None if it can, or already has.

        It only reads; the books check again when the money is received.
        """

    async def share(self, session: AsyncSession, event: PaymentEvent, hold_back: HoldBack) -> SubjectShare | None:
        """Lock the subject and return its share in the event's postings; None if it has none.

        `hold_back` has the liability period of creators.
        """

    def posts_again(self, event: PaymentEvent) -> bool:
        """Return whether the share can post further transfers."""

    def shared_accounts(self, terms: PaymentTerms, move: PaymentPosting) -> Sequence[Account]:
        """Return the accounts that a share of the posting can change."""

    def debtors(self, terms: PaymentTerms, move: PaymentPosting) -> Sequence[str]:
        """Return the organizations whose debts the posting can create or pay."""

    def pays_debts(self, event: PaymentEvent) -> Sequence[Account]:
        """Return the accounts of debts that the share can pay."""

    async def has_money(self, session: AsyncSession, stored: Payment, after: Payment) -> bool:
        """Return whether the subject has the money that events claw back; the payment is locked."""

    def follower(self, stored: Payment) -> WaitingRun | None:
        """Return the run that waits for the payment's outcome; None if no run waits, or there is no outcome yet."""


async def refuse_concurrent_payments(
    session: AsyncSession, org_id: str, subject: Mapping[str, str | None], *, besides: str | None = None
) -> None:
    """Refuse to pay for a subject, such as an `escrow_id`, while a payment other than `besides` is under way.

    If the caller has locked the subject, this holds until the transaction ends.
    """
    for other in await payment.open_payments_of(session, org_id, subject, besides=besides):
        refuse_concurrent_payment(other)


class WithoutSubject:
    """Database side of a purpose without a subject."""

    shares = False
    is_followed = True

    async def subject(self, session: AsyncSession, actor: Actor, named: object) -> object:  # noqa: ARG002
        """Return the value from the request."""
        return named

    async def refuse(self, session: AsyncSession, subject: object) -> None:
        """Accept: there is no subject."""

    async def begin(self, session: AsyncSession, terms: PaymentTerms) -> None:
        """Accept: any number of payments may be under way."""

    async def gone(self, session: AsyncSession, terms: PaymentTerms, now: datetime) -> str | None:  # noqa: ARG002
        """Return None: it can always be paid."""
        return None

    async def share(
        self,
        session: AsyncSession,  # noqa: ARG002
        event: PaymentEvent,  # noqa: ARG002
        hold_back: HoldBack,  # noqa: ARG002
    ) -> SubjectShare | None:
        """Return None: there is no share."""
        return None

    def posts_again(self, event: PaymentEvent) -> bool:  # noqa: ARG002
        """Return False."""
        return False

    def shared_accounts(self, terms: PaymentTerms, move: PaymentPosting) -> Sequence[Account]:  # noqa: ARG002
        """Return no accounts."""
        return ()

    def debtors(self, terms: PaymentTerms, move: PaymentPosting) -> Sequence[str]:
        """Return the paying organization, if the posting depends on balances."""
        return [terms.org_id] if move.kind in BALANCE_DEPENDENT else []

    def pays_debts(self, event: PaymentEvent) -> Sequence[Account]:  # noqa: ARG002
        """Return no accounts."""
        return ()

    async def has_money(self, session: AsyncSession, stored: Payment, after: Payment) -> bool:  # noqa: ARG002
        """Return False: there is no subject."""
        return False

    def follower(self, stored: Payment) -> WaitingRun | None:  # noqa: ARG002
        """Return None: no run waits."""
        return None
