"""Credit lots: the record of each grant."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, or_, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common import accounts
from domain.common.accounts import Account
from domain.common.credits import GrantSource
from domain.common.ids import is_id
from domain.credits.lots import LotSource
from ledger.invariants import Invariant
from models.books.ledger import LedgerAccount
from models.books.ledger_lot import LedgerLot
from models.credits.credit_lot import CreditLot
from repositories.common import command
from repositories.common.listing import ListFilter, Listing, ListPage, Part
from repositories.common.required import require_found
from repositories.tenants import metadata

MISSING = "There is no such grant."
_ASKED = ("org_id", "source", "amount_minor", "expires_at", "note", "created_by")
#: The sources of grants. Purchased, refunded and subscription credits have rows here too.
_GRANTED = CreditLot.source.in_([source.value for source in GrantSource])
_COLUMNS = tuple(column.key for column in CreditLot.__table__.columns if column.key != "created_at")


async def made_before(session: AsyncSession, lot: CreditLot) -> CreditLot | None:
    """Return the lot that this lot's command made, if it did.

    The command is locked until the transaction ends, so a concurrent repetition waits here and then finds the lot.
    """
    await command.lock_command(session, lot.command_id)
    return await command.existing_row(session, lot, _ASKED)


async def get(session: AsyncSession, lot_id: str) -> CreditLot:
    """Return a lot that was granted; NotFound when there is none, or it is not the session's to see."""
    query = select(CreditLot).where(CreditLot.id == lot_id, _GRANTED)
    return require_found(await session.scalar(query) if is_id(lot_id, "lot") else None, MISSING)


_LIST = Listing(of=CreditLot, order=[CreditLot.id], prefix="lot", amount="amount_minor", searched=("note",))


async def page(session: AsyncSession, wanted: ListFilter, *, granted: bool = False) -> ListPage[CreditLot]:
    """Return a page of the lots that the session may see, newest first: all, or those that were granted."""
    part: Part = (_GRANTED,) if granted else ()
    part = part if wanted.org_id is None else (*part, CreditLot.org_id == wanted.org_id)
    part = (*part, *metadata.narrowed(CreditLot.id, "lot", wanted.org_id, wanted.written))
    return await _LIST.page(session, wanted, [part])


async def lock_grants(session: AsyncSession, org_id: str) -> None:
    """Lock the manual grants of an organization until the transaction ends."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"grants:{org_id}", 0))))


async def granted_part_of(session: AsyncSession, org_id: str, amount_minor: int, at: datetime) -> int:
    """Return how much of the next credits that an organization spends nobody paid for. Needs the platform's session."""
    query = text(
        "SELECT g.granted FROM ledger.accounts a, LATERAL ledger.granted_part(a.id, :amount, 0, :at) g"
        " WHERE a.path = :path AND a.asset = :asset"
    )
    wallet = accounts.org_credits(org_id)
    values = {"amount": amount_minor, "at": at, "path": wallet.path, "asset": wallet.asset}
    return int(await session.scalar(query, values) or 0)


async def granted_since(session: AsyncSession, org_id: str, since: datetime, *, besides: str) -> int:
    """Return the credits that an organization was granted since a time by other commands than `besides`."""
    row = CreditLot
    query = select(func.coalesce(func.sum(row.amount_minor), 0)).where(
        row.org_id == org_id, _GRANTED, row.created_at > since, row.command_id != besides
    )
    return int(await session.scalar(query) or 0)


async def add(session: AsyncSession, lot: CreditLot) -> CreditLot:
    values = {name: getattr(lot, name) for name in _COLUMNS} | {"debt_minor": lot.debt_minor or 0}
    statement = insert(CreditLot).values(values).returning(CreditLot)
    return (await session.scalars(statement)).one()


async def free_of_payment(
    session: AsyncSession, wallet: Account, payment_id: str, at: datetime
) -> Sequence[tuple[UUID, int]]:
    """Return the free amounts of the lots that a payment has bought, in the order of spending.

    Held and expired credits are not free. The caller has locked the balance.
    """
    lot, account = LedgerLot, LedgerAccount
    found = await session.execute(
        select(lot.id, lot.remaining - lot.held)
        .join(account, account.id == lot.account_id)
        .where(
            account.path == wallet.path,
            account.asset == wallet.asset,
            lot.is_open,
            lot.remaining > lot.held,
            lot.payment_id == payment_id,
            # What was owed while the payment was disputed came back for nothing.
            lot.paid > 0,
            or_(lot.expires_at.is_(None), lot.expires_at > at, ~lot.lapses),
        )
        .order_by(lot.priority, lot.expires_at, lot.id)
    )
    return [(id, free) for id, free in found]


async def debt_lots(session: AsyncSession, account: Account) -> Sequence[tuple[UUID, int]]:
    """Return the lots on a payment's account that stand for a debt of its organization, in their order.

    The caller has locked the account's balance.
    """
    lot, account_of = LedgerLot, LedgerAccount
    found = await session.execute(
        select(lot.id, lot.remaining)
        .join(account_of, account_of.id == lot.account_id)
        .where(
            account_of.path == account.path,
            account_of.asset == account.asset,
            lot.is_open,
            lot.source == LotSource.DEBT.value,
        )
        .order_by(lot.id)
    )
    return [(id, remaining) for id, remaining in found]


#: What `verify` proves about these rows and the books.
INVARIANTS = (
    Invariant(
        name="every credit lot has the transfer that granted it, for that amount",
        table="public.credit_lots",
        unit="lots",
        # The credits of a subscription pay a debt by a transfer of their own.
        violations="""
        SELECT 'lot ' || l.id || ': ' || l.amount_minor || ', of which ' || l.debt_minor ||
            ' paid a debt, its transfer ' || l.transfer_id || ' brought ' || coalesce(e.credits::text, 'nothing') ||
            ' and paid ' || coalesce(e.debts::text, 'nothing')
        FROM public.credit_lots l
        LEFT JOIN ledger.accounts a ON a.path = 'org/' || l.org_id || '/credits' AND a.asset = 'CREDIT'
        LEFT JOIN ledger.accounts d ON d.path = 'org/' || l.org_id || '/debt/CREDIT' AND d.asset = 'CREDIT'
        CROSS JOIN LATERAL (
            SELECT sum(n.amount) FILTER (WHERE n.account_id = a.id)::bigint AS credits,
                sum(n.amount) FILTER (WHERE n.account_id = d.id)::bigint AS debts
            FROM ledger.entries n WHERE n.transfer_id = l.transfer_id AND n.account_id IN (a.id, d.id)
        ) e
        CROSS JOIN LATERAL (
            SELECT CASE WHEN l.source = 'subscription' THEN 0 ELSE l.debt_minor END AS minor
        ) debt
        WHERE coalesce(e.credits, 0) <> l.amount_minor - debt.minor OR coalesce(e.debts, 0) <> debt.minor
           OR NOT EXISTS (SELECT FROM ledger.transfers t WHERE t.id = l.transfer_id)
        """,
    ),
)
