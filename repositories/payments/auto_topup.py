"""SQL of automatic top-ups: settings, and falls of balances below their threshold with their payments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ScalarSelect, and_, case, exists, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from domain.payments.auto_topup import COUNTED_IN_CAP, RECEIVED, TopUpOutcome
from models.payments.auto_topup import AutoTopUp, AutoTopUpFall
from models.payments.payment import PaymentRow

#: Kinds of due work: an open fall, a balance that has fallen below the threshold, a balance above it again.
OPEN, FALLEN, ABOVE = "open", "fallen", "above"

#: The due work of the organizations in `which`; `due` is null if there is none.
_STANDS = """
    SELECT a.org_id, coalesce(b.posted - b.pending_out, 0) AS available_minor,
        greatest(0, -coalesce(d.posted, 0)) AS owed_minor, o.number, o.credits_minor, o.payment_id IS NOT NULL AS begun,
        CASE
            WHEN o.number IS NOT NULL THEN 'open'
            WHEN NOT a.enabled THEN NULL
            WHEN coalesce(b.posted - b.pending_out, 0) >= a.below_minor
                THEN CASE WHEN NOT a.armed OR a.failures > 0 THEN 'above' END
            WHEN (a.armed OR a.retry_at <= :now) AND (a.capped_until IS NULL OR a.capped_until <= :now) THEN 'fallen'
        END AS due
    FROM auto_topups a
    LEFT JOIN ledger.accounts c ON c.path = 'org/' || a.org_id || '/credits' AND c.asset = 'CREDIT'
    LEFT JOIN ledger.balances b ON b.account_id = c.id AND b.stripe = 0
    LEFT JOIN ledger.accounts e ON e.path = 'org/' || a.org_id || '/debt/CREDIT' AND e.asset = 'CREDIT'
    LEFT JOIN ledger.balances d ON d.account_id = e.id AND d.stripe = 0
    LEFT JOIN auto_topup_crossings o ON o.org_id = a.org_id AND o.outcome = 'open'
    WHERE a.org_id = ANY (:which)
      -- A requested payment continues.
      AND (o.payment_id IS NOT NULL OR NOT EXISTS (
          SELECT FROM organizations g WHERE g.id = a.org_id AND g.status <> 'active'))
"""
_PAGE = text("SELECT org_id FROM auto_topups WHERE org_id > :after ORDER BY org_id LIMIT :limit")
_DUE = text(f"SELECT * FROM ({_STANDS}) s WHERE s.due IS NOT NULL ORDER BY s.org_id")
_TAKEN_BACK = text("""
    SELECT p.id, true AS disputed FROM payments p JOIN payment_events e ON e.payment_id = p.id
    WHERE p.org_id = :org_id AND p.status IN ('disputed', 'charged_back')
      AND e.kind IN ('dispute_opened', 'dispute_reopened') AND e.recorded_at > :since
    UNION ALL
    SELECT p.id, false FROM auto_topup_crossings c
    JOIN payments p ON p.id = c.payment_id JOIN payment_events e ON e.payment_id = p.id
    WHERE c.org_id = :org_id AND c.number > :after
      AND e.kind IN ('refund_requested', 'refund_taken_over') AND e.recorded_at > :since
      AND EXISTS (SELECT FROM jsonb_array_elements(p.state -> 'refunds') AS r WHERE r ->> 'state' <> 'failed')
    LIMIT 1
""")
#: The number of latest falls that are checked for a refund.
CHECKED_FALLS = 20
_ASKED = ("enabled", "below_minor", "credits_minor", "monthly_cap_minor", "payment_method")


@dataclass(frozen=True, slots=True)
class DueTopUp:
    """Due work of an organization: `OPEN`, `FALLEN` or `ABOVE`; an open fall has its number and credits.

    `begun`: whether a payment was requested for the open fall.
    """

    org_id: str
    available_minor: int
    owed_minor: int
    number: int | None
    credits_minor: int | None
    begun: bool
    due: str


async def read_settings(session: AsyncSession, org_id: str, since: datetime) -> tuple[AutoTopUp | None, int]:
    """Return an organization's settings and the credits bought since a time, in minor units.

    One statement reads both, so that they agree if a declined payment commits at the same time.
    """
    query = select(AutoTopUp, _bought(AutoTopUp.org_id, since)).where(AutoTopUp.org_id == org_id)
    row = (await session.execute(query.execution_options(populate_existing=True))).one_or_none()
    return (None, 0) if row is None else (row[0], int(row[1]))


async def lock(session: AsyncSession, org_id: str) -> AutoTopUp:
    """Lock and return an organization's settings."""
    return await session.get_one(AutoTopUp, org_id, populate_existing=True, with_for_update=True)


async def put(session: AsyncSession, wanted: AutoTopUp, *, now: datetime) -> None:
    """Write an organization's settings. After a change or decline, a low balance is a new fall."""
    asked = {name: getattr(wanted, name) for name in _ASKED}
    fresh = {"armed": True, "capped_until": None, "failures": 0, "retry_at": None}
    written = {**asked, "off_reason": None, "updated_by": wanted.updated_by, "updated_at": now}
    # New settings after a decline may remove its cause, so the payment is retried immediately.
    same = and_(
        AutoTopUp.failures == 0,
        *(getattr(AutoTopUp, name).is_not_distinct_from(value) for name, value in asked.items()),
    )
    kept = {name: case((same, getattr(AutoTopUp, name)), else_=value) for name, value in fresh.items()}
    statement = insert(AutoTopUp).values(org_id=wanted.org_id, crossings=0, **written, **fresh)
    await session.execute(statement.on_conflict_do_update(index_elements=["org_id"], set_={**written, **kept}))


async def page(session: AsyncSession, *, after: str, limit: int) -> Sequence[str]:
    """Return the next organizations with settings, by id."""
    return (await session.scalars(_PAGE, {"after": after, "limit": limit})).all()


async def due(session: AsyncSession, org_ids: Sequence[str], *, now: datetime) -> list[DueTopUp]:
    rows = (await session.execute(_DUE, {"which": list(org_ids), "now": now})).all()
    return [DueTopUp(*row) for row in rows]


async def lock_free(session: AsyncSession, org_ids: Sequence[str]) -> Sequence[str]:
    """Lock the settings of organizations and return their ids; those locked by another transaction are skipped."""
    rows = select(AutoTopUp.org_id).where(AutoTopUp.org_id.in_(org_ids)).order_by(AutoTopUp.org_id)
    return (await session.scalars(rows.with_for_update(skip_locked=True))).all()


async def rearm(session: AsyncSession, org_ids: Sequence[str]) -> None:
    """Rearm organizations, so that their next falls count."""
    await session.execute(
        update(AutoTopUp).where(AutoTopUp.org_id.in_(org_ids)).values(armed=True, failures=0, retry_at=None)
    )


async def bought_since(session: AsyncSession, org_id: str, since: datetime) -> int:
    """Return the credits of automatic top-ups since a time, paid or in progress, in minor units."""
    return int((await session.execute(select(_bought(org_id, since)))).scalar_one())


def _bought(org_id: str | InstrumentedAttribute[str], since: datetime) -> ScalarSelect[int]:
    # A payment may succeed after its fall was declined, cancelled or expired, and then still buys its credits.
    row, paid = AutoTopUpFall, PaymentRow
    received = exists().where(paid.id == row.payment_id, paid.status.in_([status.value for status in RECEIVED]))
    counted = or_(row.outcome.in_([outcome.value for outcome in COUNTED_IN_CAP]), received)
    total = select(func.coalesce(func.sum(row.credits_minor), 0))
    return total.where(row.org_id == org_id, row.at >= since, counted).scalar_subquery()


async def find_refunded_or_disputed(session: AsyncSession, wanted: AutoTopUp) -> tuple[str, bool] | None:
    """Return a payment disputed or refunded since a person changed the settings, and whether it is disputed.

    This covers disputes of all payments of the organization, and refunds of its latest top-ups.
    """
    given = {"org_id": wanted.org_id, "since": wanted.updated_at, "after": wanted.crossings - CHECKED_FALLS}
    row = (await session.execute(_TAKEN_BACK, given)).one_or_none()
    return None if row is None else (row[0], row[1])


async def record_fall(
    session: AsyncSession, wanted: AutoTopUp, *, available_minor: int, credits_minor: int, at: datetime
) -> AutoTopUpFall:
    """Record a fall of the balance and the credits to buy; the caller has locked the row."""
    wanted.crossings += 1
    wanted.armed = False
    wanted.capped_until = None
    wanted.retry_at = None
    noted = AutoTopUpFall(
        org_id=wanted.org_id,
        number=wanted.crossings,
        at=at,
        available_minor=available_minor,
        credits_minor=credits_minor,
        unit_minor=wanted.credits_minor,
        payment_method=wanted.payment_method,
        payment_id=None,
        outcome=TopUpOutcome.OPEN.value,
    )
    session.add(noted)
    await session.flush()
    return noted


async def find_fall(session: AsyncSession, org_id: str, number: int) -> AutoTopUpFall:
    return await session.get_one(AutoTopUpFall, (org_id, number), populate_existing=True)
