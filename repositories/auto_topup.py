"""Credits that are bought by themselves: who wants them, and each fall below a threshold with its payment."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from models.auto_topup import AutoTopUp, AutoTopUpCrossing

OPEN, SUCCEEDED, DECLINED = "open", "succeeded", "declined"

#: Balances of those who have it switched on, whose last fall has been answered.
_ANSWERED = """
    auto_topups a
    LEFT JOIN ledger.accounts c ON c.path = 'org/' || a.org_id || '/credits' AND c.asset = 'CREDIT'
    LEFT JOIN ledger.balances b ON b.account_id = c.id AND b.stripe = 0
    WHERE a.enabled AND {armed} AND coalesce(b.posted - b.pending_out, 0) {side} a.below_minor
      AND NOT EXISTS (SELECT FROM auto_topup_crossings o WHERE o.org_id = a.org_id AND o.outcome = 'open')
"""
_REARM = text(
    "UPDATE auto_topups SET armed = true WHERE org_id IN (SELECT a.org_id FROM "
    + _ANSWERED.format(armed="NOT a.armed", side=">=")
    + ")"
)
_FALLEN = text(
    "SELECT a.org_id, coalesce(b.posted - b.pending_out, 0) AS available FROM "
    + _ANSWERED.format(armed="a.armed", side="<")
    + " ORDER BY a.org_id LIMIT :limit FOR UPDATE OF a SKIP LOCKED"
)
_SPENT = text(
    "SELECT coalesce(sum(credits_minor), 0)::bigint FROM auto_topup_crossings"
    " WHERE org_id = :org_id AND outcome <> 'declined' AND at >= :since"
)


async def find(session: AsyncSession, org_id: str) -> AutoTopUp | None:
    """Return what the organization wants, as it is now."""
    return await session.get(AutoTopUp, org_id, populate_existing=True)


async def put(session: AsyncSession, wanted: AutoTopUp, *, now: datetime) -> None:
    """Write what an organization wants. A balance that is below already counts as falling now."""
    columns = ("enabled", "below_minor", "credits_minor", "monthly_cap_minor", "payment_method", "updated_by")
    values = {name: getattr(wanted, name) for name in columns}
    changed = {**values, "armed": True, "off_reason": None, "updated_at": now}
    statement = insert(AutoTopUp).values(org_id=wanted.org_id, crossings=0, **changed)
    await session.execute(statement.on_conflict_do_update(index_elements=["org_id"], set_=changed))


async def rearm(session: AsyncSession) -> None:
    """Let the next fall count for everybody whose balance is above the threshold again."""
    await session.execute(_REARM)


async def fallen(session: AsyncSession, *, limit: int) -> Sequence[tuple[AutoTopUp, int]]:
    """Lock and return those whose balance has fallen below their threshold, with what is available."""
    rows = (await session.execute(_FALLEN, {"limit": limit})).all()
    found = []
    for org_id, available in rows:
        wanted = await find(session, org_id)
        assert wanted is not None
        found.append((wanted, int(available)))
    return found


async def bought_since(session: AsyncSession, org_id: str, since: datetime) -> int:
    """Return how many credits were bought by themselves since a time, or are being bought."""
    return int((await session.execute(_SPENT, {"org_id": org_id, "since": since})).scalar_one())


async def cross(session: AsyncSession, wanted: AutoTopUp, *, available_minor: int, at: datetime) -> None:
    """Note that a balance fell below its threshold; the caller has locked the row."""
    wanted.crossings += 1
    wanted.armed = False
    session.add(
        AutoTopUpCrossing(
            org_id=wanted.org_id,
            number=wanted.crossings,
            at=at,
            available_minor=available_minor,
            credits_minor=wanted.credits_minor,
            payment_method=wanted.payment_method,
            outcome=OPEN,
        )
    )
    await session.flush()


async def open_crossings(session: AsyncSession, *, limit: int) -> Sequence[AutoTopUpCrossing]:
    """Return falls whose payment has not been answered for good."""
    query = select(AutoTopUpCrossing).where(AutoTopUpCrossing.outcome == OPEN).order_by(AutoTopUpCrossing.at)
    return (await session.scalars(query.limit(limit))).all()


async def settle(session: AsyncSession, crossing: AutoTopUpCrossing, *, payment_id: str | None, outcome: str) -> bool:
    """Write what came of a fall; tell whether it was open until now."""
    still_open = update(AutoTopUpCrossing).where(
        AutoTopUpCrossing.org_id == crossing.org_id,
        AutoTopUpCrossing.number == crossing.number,
        AutoTopUpCrossing.outcome == OPEN,
    )
    written = await session.execute(
        still_open.values(payment_id=payment_id, outcome=outcome).returning(AutoTopUpCrossing.number)
    )
    return written.one_or_none() is not None


async def switch_off(session: AsyncSession, org_id: str, reason: str) -> None:
    """Buy nothing more for an organization until a person switches it on again."""
    await session.execute(update(AutoTopUp).where(AutoTopUp.org_id == org_id).values(enabled=False, off_reason=reason))
