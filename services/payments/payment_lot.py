"""Lots of credits that payments buy."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.payments.payment import PaymentEvent
from domain.common.ids import payment_transfer_key, uuid_id
from domain.common.money import CREDIT
from domain.payments.payment import booking
from ledger.gateway import Posting
from models.credits.credit_lot import CreditLot
from repositories.credits import credit_lot as lots

#: Events that grant an entitlement that the purpose does not need.
NOT_NEEDED = frozenset({"escrow_funded", "purpose_gone", "fulfilment_failed"})


async def add_lot(session: AsyncSession, event: PaymentEvent, postings: Sequence[Posting], transfer_id: UUID) -> None:
    """Record purchased credits as a lot, with the price paid and the part that paid a debt."""
    terms = event.payment.terms
    wallet, debt = booking.wallet(terms), booking.debt(terms)
    debt_minor = sum(posting.amount_minor for posting in postings if posting.destination == debt)
    debt_minor -= sum(posting.amount_minor for posting in postings if posting.source == debt)
    credits_minor = sum(posting.amount_minor for posting in postings if posting.destination == wallet) + debt_minor
    if wallet.asset != CREDIT or credits_minor <= 0:
        return
    paid = next((item.price_minor for item in event.payment.booked if item.key == event.booked), None)
    bought = event.event == "received"
    await lots.add(
        session,
        CreditLot(
            id=uuid_id("lot", transfer_id),
            org_id=terms.org_id,
            source="purchase" if bought or event.event in NOT_NEEDED else "refund",
            amount_minor=credits_minor,
            debt_minor=debt_minor,
            expires_at=None,
            note=terms.description[:200],
            payment_id=terms.payment_id,
            paid_minor=paid if bought else None,
            paid_currency=terms.currency if bought else None,
            transfer_id=transfer_id,
            created_by=event.actor,
            command_id=payment_transfer_key(terms.payment_id, event.event, event.payment.version),
        ),
    )
