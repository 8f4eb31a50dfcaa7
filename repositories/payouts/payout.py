"""Statements about payouts: the read model, its timeline, and what `verify` proves about them."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter
from sqlalchemy import Row, func, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.accounts import Account
from domain.payouts.payout.state import FINAL, Outcome, Payout, PayoutStatus
from ledger.invariants import Invariant
from models.payouts.payout import PayoutEventRow, PayoutRow
from repositories.common.listing import ListFilter, Listing, ListPage, Part, part_per_value

_STATE: TypeAdapter[Payout] = TypeAdapter(Payout)
MISSING = "There is no such payout."


def state_of(row: PayoutRow) -> Payout:
    return _STATE.validate_python(row.state)


async def lock(session: AsyncSession, payout_id: str) -> Payout | None:
    """Lock the row until the transaction ends, and return its state; None for a new one."""
    query = select(PayoutRow.state).where(PayoutRow.id == payout_id).with_for_update()
    state = (await session.scalars(query)).one_or_none()
    return None if state is None else _STATE.validate_python(state)


async def has_done(session: AsyncSession, payout_id: str, command_id: str) -> bool:
    """Return whether a command caused an event, however long ago that was."""
    row = PayoutEventRow
    query = select(row.number).where(row.payout_id == payout_id, row.command_id == command_id)
    return (await session.scalars(query)).one_or_none() is not None


async def asked_of(session: AsyncSession, payout_id: str) -> dict[str, Any]:
    query = select(PayoutEventRow.details).where(PayoutEventRow.payout_id == payout_id, PayoutEventRow.number == 1)
    details: dict[str, Any] = (await session.scalars(query)).one()
    return details


async def get(session: AsyncSession, payout_id: str) -> PayoutRow | None:
    return await session.get(PayoutRow, payout_id, populate_existing=True)


async def by_transfer(session: AsyncSession, provider: str, refs: Collection[str]) -> PayoutRow | None:
    """Return the payout whose transfer has one of a provider's ids, or None.

    A payout whose transfer is not known yet is found by its own id; one that has failed is not.
    """
    mine = PayoutRow.id.in_(refs) & (PayoutRow.status != PayoutStatus.FAILED.value)
    query = select(PayoutRow).where(PayoutRow.provider == provider, PayoutRow.transfer_ref.in_(refs) | mine)
    return (await session.scalars(query.limit(1))).one_or_none()


# Ids of payouts are hashes and contain no time.
_LIST = Listing(of=PayoutRow, order=[PayoutRow.created_at, PayoutRow.id], amount="amount_minor")


async def page(session: AsyncSession, wanted: ListFilter) -> ListPage[PayoutRow]:
    """Return a page of the payouts that the session may see, newest first."""
    whose: Part = () if wanted.org_id is None else (PayoutRow.org_id == wanted.org_id,)
    parts = [(*whose, *part) for part in part_per_value(PayoutRow.status, wanted.statuses)]
    return await _LIST.page(session, wanted, parts)


async def stranded(session: AsyncSession, *, before: datetime, after: str, limit: int) -> Sequence[PayoutRow]:
    """Return payouts whose workflow should have acted by a time, by id, after the id `after`."""
    query = select(PayoutRow).where(PayoutRow.wake_at < before, PayoutRow.id > after).order_by(PayoutRow.id)
    return (await session.scalars(query.limit(limit))).all()


async def waiting_for_funds(
    session: AsyncSession, provider: str, *, currencies: Collection[str], after: datetime, limit: int
) -> Sequence[PayoutRow]:
    """Return the oldest payouts in these currencies that wait for the platform's balance, not tried since `after`."""
    query = select(PayoutRow).where(
        PayoutRow.status == PayoutStatus.WAITING_FOR_FUNDS.value,
        PayoutRow.provider == provider,
        PayoutRow.currency.in_(currencies),
        PayoutRow.wake_at > after,
    )
    return (await session.scalars(query.order_by(PayoutRow.created_at, PayoutRow.id).limit(limit))).all()


async def versions(session: AsyncSession, payout_ids: Sequence[str]) -> dict[str, int]:
    query = select(PayoutRow.id, PayoutRow.version).where(PayoutRow.id.in_(payout_ids))
    return {row.id: row.version for row in await session.execute(query)}


async def write(
    session: AsyncSession, outcome: Outcome, *, command_id: str, transfer_id: UUID | None, at: datetime
) -> None:
    """Write one event and the state after it; the caller holds the row's lock, or the event is the first."""
    payout = outcome.payout
    wake_at = None if payout.status in FINAL else payout.next_at or at
    changing = {
        "transfer_ref": payout.transfer_ref,
        "status": payout.status.value,
        "version": payout.version,
        "wake_at": wake_at,
        "state": _STATE.dump_python(payout, mode="json"),
        "updated_at": at,
    }
    if payout.version == 1:
        fixed = {
            "id": payout.payout_id,
            "org_id": payout.org_id,
            "provider": payout.provider,
            "currency": payout.currency,
            "amount_minor": payout.amount_minor,
            "created_at": at,
        }
        await session.execute(insert(PayoutRow).values(**fixed, **changing))
    else:
        await session.execute(update(PayoutRow).where(PayoutRow.id == payout.payout_id).values(**changing))
    await session.execute(
        insert(PayoutEventRow).values(
            payout_id=payout.payout_id,
            number=payout.version,
            kind=outcome.event,
            status=payout.status.value,
            actor=outcome.actor,
            command_id=command_id,
            transfer_id=transfer_id,
            details=dict(outcome.details),
            at=at,
            recorded_at=func.clock_timestamp(),
        )
    )


#: The balances of a payout's account, and the earnings that they came from.
_LOTS = text(
    """
    SELECT l.id, l.remaining, l.paid, split_part(a.path, '/', 2) AS agent_id
    FROM ledger.accounts o JOIN ledger.lots l ON l.account_id = o.id AND l.remaining > 0
    JOIN ledger.lots p ON p.id = l.parent_id JOIN ledger.accounts a ON a.id = p.account_id
    WHERE o.path = :path AND o.asset = :asset ORDER BY l.id
    """
)


async def lots(session: AsyncSession, account: Account) -> Sequence[Row[tuple[UUID, int, int, str]]]:
    """Return the lots on a payout's account: `id`, `remaining`, `paid`, and the `agent_id` whose earnings they were."""
    return (await session.execute(_LOTS, {"path": account.path, "asset": account.asset})).all()


#: What `verify` proves about these rows and the books.
INVARIANTS = (
    Invariant(
        name="what lies on the account of each payout is what it has taken and neither sent nor returned",
        table="public.payouts",
        unit="payouts",
        violations="""
        SELECT coalesce(h.id, w.id) || ' ' || coalesce(h.asset, w.asset) || ': holds ' || coalesce(h.held, 0) ||
            ', open ' || coalesce(w.wanted, 0)
        FROM (
            SELECT split_part(a.path, '/', 4) AS id, a.asset, sum(b.posted) AS held
            FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
            WHERE a.path LIKE 'org/%/payouts/%' GROUP BY 1, 2 HAVING sum(b.posted) <> 0
        ) h
        FULL JOIN (
            SELECT p.id, l.line ->> 'asset' AS asset, sum((l.line ->> 'amount_minor')::bigint) AS wanted
            FROM public.payouts p, jsonb_array_elements(p.state -> 'lines') AS l (line)
            WHERE p.status NOT IN ('paid', 'failed') GROUP BY 1, 2
        ) w ON w.id = h.id AND w.asset = h.asset
        WHERE coalesce(h.held, 0) <> coalesce(w.wanted, 0)
        """,
    ),
    Invariant(
        name="each payout that was paid is one movement at its provider, of its amount and never more than its lines",
        table="public.payouts",
        unit="payouts",
        violations="""
        SELECT p.id || ': amount ' || p.amount_minor || ', sent ' || coalesce(-m.amount_minor, 0) ||
            ', lines ' || l.money
        FROM public.payouts p
        LEFT JOIN public.payment_movements m
            ON m.provider = p.provider AND m.key = p.transfer_ref AND m.kind = 'payout',
        LATERAL (
            SELECT sum((e ->> 'money_minor')::bigint) AS money FROM jsonb_array_elements(p.state -> 'lines') AS e
        ) l
        WHERE p.amount_minor <> l.money
           OR p.status = 'paid' AND (m.key IS NULL OR -m.amount_minor <> p.amount_minor)
        """,
    ),
)
