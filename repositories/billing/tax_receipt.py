"""Statements about tax documents of sales."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import NotFound
from domain.common.ids import is_id
from ledger.invariants import Invariant
from models.billing.tax_receipt import TaxReceipt


async def of_payment(session: AsyncSession, payment_id: str) -> Sequence[TaxReceipt]:
    """Return the tax documents of a payment that the session may see, the oldest first."""
    query = select(TaxReceipt).where(TaxReceipt.payment_id == payment_id).order_by(TaxReceipt.id)
    return (await session.scalars(query)).all()


async def get(session: AsyncSession, payment_id: str, receipt_id: str) -> TaxReceipt:
    """Return a tax document of a payment; NotFound if the session sees none."""
    found = await session.get(TaxReceipt, receipt_id) if is_id(receipt_id, "rcp") else None
    if found is None or found.payment_id != payment_id:
        raise NotFound("There is no such receipt.")
    return found


async def first_number(session: AsyncSession, payment_id: str) -> str | None:
    """Return the number of a payment's receipt, which its later documents refer to; None if there is none."""
    query = select(TaxReceipt.number).where(TaxReceipt.payment_id == payment_id, TaxReceipt.gross_minor > 0)
    return (await session.scalars(query.order_by(TaxReceipt.id).limit(1))).one_or_none()


async def add(session: AsyncSession, row: TaxReceipt) -> None:
    """Insert a tax document; in the transaction of its transfer."""
    session.add(row)
    await session.flush()


#: The invariants of tax documents of sales, proved by `verify`.
INVARIANTS = (
    Invariant(
        name="each receipt's tax is what its transfer booked, and each taxed movement has its receipt",
        table="public.tax_receipts",
        unit="receipts",
        violations="""
        SELECT r.id || ': tax ' || r.tax_minor || ', booked ' || coalesce(b.amount, 0)
        FROM public.tax_receipts r
        LEFT JOIN ledger.accounts a ON a.path = 'platform/tax/' || r.tax_code AND a.asset = r.currency
        LEFT JOIN LATERAL (
            SELECT sum(e.amount) AS amount FROM ledger.entries e
            WHERE e.transfer_id = r.transfer_id AND e.account_id = a.id
        ) b ON true
        WHERE coalesce(b.amount, 0) <> r.tax_minor
        UNION ALL
        SELECT t.id || ' of ' || t.reference || ': no receipt for its tax'
        FROM ledger.accounts a
        JOIN ledger.entries e ON e.account_id = a.id
        JOIN ledger.transfers t ON t.id = e.transfer_id
        WHERE a.path LIKE 'platform/tax/%' AND t.kind LIKE 'payment.%'
          AND NOT EXISTS (SELECT FROM public.tax_receipts r WHERE r.transfer_id = t.id)
        """,
    ),
)
