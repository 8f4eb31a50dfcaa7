"""Statements about discrepancies that reconciliation found, and their corrections. All need a platform session."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.books.reconciliation import DISCREPANCIES, Comparison, Correction, MatchStatus, compare
from domain.common.ids import correction_movement_key, uuid_id
from domain.payments.payment.snapshot import BalanceTransaction
from models.books.reconciliation import ReconciliationCorrection, ReconciliationDiscrepancy
from models.payments.payment import PaymentBalanceTransaction
from repositories.books.reconciliation import dump_movement, load_movement
from repositories.common.listing import ListFilter, Listing, ListPage, Part


async def record_seen(
    session: AsyncSession, provider: str, compared: Comparison, *, run_id: str, at: datetime
) -> ReconciliationDiscrepancy | None:
    """Record that a run saw a discrepancy; return it if an alert is needed, because it is new or occurred again.

    An accepted discrepancy stays accepted while neither side changes.
    """
    for other in DISCREPANCIES - {compared.match_status}:
        await resolve_keys(session, provider, [compared.key], "superseded", at=at, kind=other)
    number = (await session.execute(select(func.uuidv7()))).scalar_one()
    sides = {
        "movement": dump_movement(compared.one),
        "booked": [dump_movement(movement) for movement in compared.booked],
        "listed": None if compared.listed is None else dump_movement(compared.listed),
        "payment_id": compared.payment_id,
        "run_id": run_id,
        "last_seen_at": at,
    }
    made = insert(ReconciliationDiscrepancy).values(
        id=uuid_id("dif", number),
        provider=provider,
        key=compared.key,
        kind=compared.match_status.value,
        status="open",
        times_opened=1,
        first_seen_at=at,
        **sides,
    )
    new = (await session.scalars(made.on_conflict_do_nothing().returning(ReconciliationDiscrepancy))).one_or_none()
    if new is not None:
        return new
    known = (
        await session.scalars(
            select(ReconciliationDiscrepancy)
            .where(
                ReconciliationDiscrepancy.provider == provider,
                ReconciliationDiscrepancy.key == compared.key,
                ReconciliationDiscrepancy.kind == compared.match_status.value,
            )
            .with_for_update()
        )
    ).one()
    same = compared_of(known)
    unchanged = (same.ours, same.listed_effects) == (compared.ours, compared.listed_effects)
    came_back = known.status != "open" and not (known.resolution == "accepted" and unchanged)
    for name, value in sides.items():
        setattr(known, name, value)
    if came_back:
        known.status, known.times_opened = "open", known.times_opened + 1
        known.resolution = known.note = known.resolved_by = known.resolved_at = None
        known.transfer_id = known.command_id = None
    await session.flush()
    return known if came_back else None


async def resolve_keys(
    session: AsyncSession,
    provider: str,
    keys: Sequence[str],
    resolution: str,
    *,
    at: datetime,
    kind: MatchStatus | None = None,
) -> Sequence[ReconciliationDiscrepancy]:
    statement = update(ReconciliationDiscrepancy).where(
        ReconciliationDiscrepancy.provider == provider,
        ReconciliationDiscrepancy.key.in_(keys),
        ReconciliationDiscrepancy.status == "open",
    )
    if kind is not None:
        statement = statement.where(ReconciliationDiscrepancy.kind == kind.value)
    closed = await session.scalars(
        statement.values(
            status="resolved", resolution=resolution, resolved_by="reconciliation", resolved_at=at
        ).returning(ReconciliationDiscrepancy)
    )
    return closed.all()


def compared_of(row: ReconciliationDiscrepancy, now_booked: Iterable[BalanceTransaction] | None = None) -> Comparison:
    """Compare the two stored sides of a discrepancy, or the provider's side with the present bookings."""
    ours = [load_movement(value) for value in row.booked] if now_booked is None else list(now_booked)
    listed = None if row.listed is None else load_movement(row.listed)
    return compare(row.key, ours, listed, listed_until=row.last_seen_at)


async def open_outside_run(
    session: AsyncSession, provider: str, run_id: str, *, after: str, limit: int
) -> Sequence[ReconciliationDiscrepancy]:
    query = (
        select(ReconciliationDiscrepancy)
        .where(
            ReconciliationDiscrepancy.provider == provider,
            ReconciliationDiscrepancy.status == "open",
            ReconciliationDiscrepancy.run_id != run_id,
            ReconciliationDiscrepancy.id > after,
        )
        .order_by(ReconciliationDiscrepancy.id)
        .limit(limit)
    )
    return (await session.scalars(query)).all()


_LIST = Listing(
    of=ReconciliationDiscrepancy,
    order=[ReconciliationDiscrepancy.id],
    created="first_seen_at",
    searched=("key", "payment_id"),
)


async def page(session: AsyncSession, wanted: ListFilter) -> ListPage[ReconciliationDiscrepancy]:
    """Return a page of the discrepancies, newest first."""
    row, provider = ReconciliationDiscrepancy, wanted.equal.get("provider")
    whose = () if provider is None else (row.provider == provider,)
    parts: list[Part] = [whose]
    if provider is not None or wanted.statuses:
        parts = [(*whose, row.status == one) for one in wanted.statuses or ("open", "resolved")]
    return await _LIST.page(session, wanted, parts, served=["provider"])


async def get(session: AsyncSession, difference_id: str, *, lock: bool = False) -> ReconciliationDiscrepancy | None:
    """Return a discrepancy; with `lock` it is locked until the transaction ends."""
    query = select(ReconciliationDiscrepancy).where(ReconciliationDiscrepancy.id == difference_id)
    return (await session.scalars(query.with_for_update() if lock else query)).one_or_none()


async def add_corrections(
    session: AsyncSession, row: ReconciliationDiscrepancy, corrections: Sequence[Correction], transfer_id: UUID
) -> None:
    query = select(func.count()).where(
        ReconciliationCorrection.provider == row.provider, ReconciliationCorrection.key == row.key
    )
    before, movement = (await session.execute(query)).scalar_one(), load_movement(row.movement)
    for number, correction in enumerate(corrections, before + 1):
        key = correction_movement_key(row.key, number)
        values = {
            "provider": row.provider,
            "key": key,
            "kind": movement.kind.value,
            "amount_minor": correction.amount_minor,
            "fee_minor": correction.fee_minor,
            "currency": correction.currency,
            "transfer_id": transfer_id,
            "occurred_at": movement.occurred_at,
        }
        await session.execute(insert(PaymentBalanceTransaction).values(values))
        made = {"provider": row.provider, "movement_key": key, "key": row.key, "difference_id": row.id}
        await session.execute(insert(ReconciliationCorrection).values(made))
