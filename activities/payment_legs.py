"""Names the accounts that a payment's event moves money and goods between; what is there decides about some of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.ext.asyncio import AsyncSession

from activities.books import owed_minor
from domain.invoice import Standing, changed
from domain.payment import booking
from domain.payment.state import Move, MoveKind, PaymentTerms
from ledger.gateway import Ledger, Leg
from repositories import invoice, payment

#: What an invoice that was paid takes part in.
_OF_INVOICES = frozenset({MoveKind.EARMARK, MoveKind.SEIZE, MoveKind.RELEASE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The legs of an event's transfer, what the organization comes to owe by it, and how its invoice stands then."""

    legs: list[Leg]
    owed_minor: int
    invoice: Standing | None


async def resolve(session: AsyncSession, ledger: Ledger, terms: PaymentTerms, moves: Sequence[Move]) -> Resolved:
    """Resolve the moves of one event. What they depend on stays locked until the transaction ends."""
    movements: list[booking.Movement] = []
    owes = 0
    if any(move.kind in {MoveKind.SEIZE, MoveKind.RELEASE} for move in moves):
        await payment.lock_debt(session, terms.org_id)
    standing = None
    invoice_id = terms.purpose.invoice_id
    if invoice_id is not None and any(move.kind in _OF_INVOICES for move in moves):
        standing = await invoice.lock_standing(session, invoice_id, terms.payment_id)
    for move in moves:
        amount = move.amount_minor
        if standing is not None and move.kind in _OF_INVOICES:
            part, standing, moved = _with_invoice(terms, move, standing)
            amount -= part
            movements += moved
            if not amount:
                continue
        match move.kind:
            case MoveKind.SEIZE:
                there = (await ledger.balance(booking.wallet(terms))).available_minor
                owes += amount - max(0, min(there, amount))
                movements += booking.seized(terms, amount, there)
            case MoveKind.RELEASE:
                owed = await owed_minor(ledger, terms.org_id, terms.purpose.goods_asset)
                movements += booking.released(terms, amount, owed)
            case _:
                movements += booking.legs(terms, replace(move, amount_minor=amount))
    legs = [Leg(source=source, destination=destination, amount_minor=moved) for source, destination, moved in movements]
    return Resolved(legs=legs, owed_minor=owes, invoice=standing)


def _with_invoice(terms: PaymentTerms, move: Move, standing: Standing) -> tuple[int, Standing, list[booking.Movement]]:
    """Pay what is due of the invoice, or take back what this payment has paid of it; the rest is as ever."""
    if move.kind is MoveKind.RELEASE:
        part = min(move.amount_minor, standing.due_minor)
        return part, changed(standing, part), booking.paid_on_invoice(terms, part)
    part = min(move.amount_minor, standing.of_payment_minor)
    return part, changed(standing, -part), booking.taken_from_invoice(terms, part)
