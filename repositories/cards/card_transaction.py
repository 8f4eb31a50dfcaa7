"""Statements about captures and refunds of cards. Writing needs the platform's role."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from ledger.invariants import Invariant
from models.cards.card_transaction import CardTransaction
from models.payments.payment import PaymentBalanceTransaction


async def find(session: AsyncSession, ref: str) -> CardTransaction | None:
    """Return the transaction of an issuer's id; the caller holds the lock of its card."""
    query = select(CardTransaction).where(CardTransaction.ref == ref)
    return (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()


async def of(session: AsyncSession, authorization_ids: Sequence[str]) -> Sequence[CardTransaction]:
    """Return the transactions of authorizations, oldest first."""
    row = CardTransaction
    query = select(row).where(row.authorization_id.in_(authorization_ids)).order_by(row.occurred_at, row.ref)
    return (await session.scalars(query)).all()


async def known_transactions(session: AsyncSession, refs: Sequence[str]) -> Sequence[CardTransaction]:
    """Return those of the issuer's ids that are in the books; the caller holds the lock of their card."""
    query = select(CardTransaction).where(CardTransaction.ref.in_(refs))
    return (await session.scalars(query.execution_options(populate_existing=True))).all()


async def unmatched(session: AsyncSession, card_id: str) -> Sequence[CardTransaction]:
    """Return the refunds of a card of which a part was returned for no capture, oldest first; its lock is held."""
    row = CardTransaction
    query = select(row).where(row.card_id == card_id, row.kind == "refund", row.beyond_minor > 0)
    query = query.order_by(row.occurred_at, row.ref).execution_options(populate_existing=True)
    return (await session.scalars(query)).all()


async def has_movement(session: AsyncSession, provider: str, key: str) -> bool:
    """Return whether a movement of the provider's balance is in the books."""
    row = PaymentBalanceTransaction
    query = select(row.key).where(row.provider == provider, row.key == key)
    return await session.scalar(query) is not None


#: What `verify` proves about these rows and the books.
INVARIANTS = (
    Invariant(
        name="each booked transaction of a card is one movement at the issuer",
        table="public.card_transactions",
        unit="transactions",
        violations="""
        SELECT t.ref || ': no movement' FROM public.card_transactions t
        WHERE t.is_booked AND NOT EXISTS (SELECT FROM public.payment_movements m WHERE m.key = t.ref)
        """,
    ),
)
