"""What is left of the budgets above a spender, pool by pool."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.calendar import FOREVER, Window
from domain.common.money import format_amount
from domain.credits.spend.control import ControlStatus, Pool, SubjectKind
from ledger.spends import Spender
from models.credits.spend_control import SpendControl
from repositories.budgets import budget as budgets

#: From the subject that is nearest to whoever spends to the one that is furthest.
_NEAREST = [
    SubjectKind.AGENT,
    SubjectKind.KEY,
    SubjectKind.RUN,
    SubjectKind.PROJECT,
    SubjectKind.DEPARTMENT,
    SubjectKind.ORGANIZATION,
]


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolRemaining:
    """What is left of one pool in one window of a budget, in minor units of its asset; nothing while it is frozen.

    Attributes:
        control_id: shown as `ctl_…`.
        subject_kind: `organization department project agent run key`.
        subject_id: whose budget it is.
        amount_minor: the size of the pool.
        zone: the budget's time zone.
        starts_at: when the window began; None for a lifetime.
        resets_at: when the next one begins; None for a lifetime.
    """

    control_id: UUID
    subject_kind: str
    subject_id: str
    asset: str
    window: Window
    pool: Pool
    amount_minor: int
    remaining_minor: int
    zone: str
    starts_at: datetime | None
    resets_at: datetime | None

    def shown(self) -> str:
        return format_amount(self.remaining_minor, self.asset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """What is left of the budgets above a spender, the nearest budget first; each begins with its shortest window."""

    budgets: Sequence[PoolRemaining]

    @property
    def binding(self) -> PoolRemaining | None:
        """The operating pool that refuses first, among those in the currency of the nearest budget."""
        pools = [left for left in self.budgets if left.pool is Pool.OPERATING]
        pools = [left for left in pools if left.asset == pools[0].asset]
        return min(pools, key=lambda left: (left.remaining_minor, -_end(left).timestamp()), default=None)

    @property
    def daily(self) -> PoolRemaining | None:
        """The operating pool of the day in the nearest budget that has one."""
        days = (left for left in self.budgets if left.window is Window.DAY and left.pool is Pool.OPERATING)
        return next(days, None)

    @property
    def project(self) -> PoolRemaining | None:
        """The operating pool of the longest window in the project's budget."""
        pools = [left for left in self.budgets if left.pool is Pool.OPERATING]
        pools = [left for left in pools if left.subject_kind == SubjectKind.PROJECT]
        return pools[-1] if pools else None

    @property
    def reserve(self) -> PoolRemaining | None:
        return next((left for left in self.budgets if left.pool is Pool.RESERVE and left.amount_minor > 0), None)

    @property
    def allowance(self) -> PoolRemaining | None:
        """The least that may be drawn from a reserve without a person, in the currency of the nearest allowance."""
        pools = [left for left in self.budgets if left.pool is Pool.ALLOWANCE]
        pools = [left for left in pools if left.asset == pools[0].asset]
        return min(pools, key=lambda left: left.remaining_minor, default=None)

    def document(self) -> dict[str, str]:
        """Write what is left of the day and of the project, each in its budget's currency, as far as there are any."""
        parts = {"daily": self.daily, "project": self.project}
        return {name: left.shown() for name, left in parts.items() if left is not None}


_ABOVE = text("""
    SELECT c.* FROM ledger.controls_of(:org, :agent, :department, :project, :run, :key, :at) c WHERE c.kind = 'budget'
""")


async def remaining(session: AsyncSession, org_id: str, spender: Spender, *, at: datetime) -> Remaining:
    values = {
        "org": org_id,
        "agent": spender.agent_id,
        "department": spender.department_id,
        "project": spender.project_id,
        "run": spender.run_id,
        "key": spender.key_id,
        "at": at,
    }
    query = select(SpendControl).from_statement(_ABOVE).execution_options(populate_existing=True)
    rows = list(await session.scalars(query, values))
    rows.sort(key=lambda row: _NEAREST.index(SubjectKind(row.subject_kind)))
    states = await budgets.states(session, rows, at)
    return Remaining(
        budgets=[
            PoolRemaining(
                control_id=row.id,
                subject_kind=row.subject_kind,
                subject_id=row.subject_id,
                asset=row.asset,
                window=state.limit.window,
                pool=pool,
                amount_minor=each.amount_minor,
                remaining_minor=0 if row.status == ControlStatus.FROZEN else each.remaining_minor,
                zone=row.zone,
                starts_at=state.starts_at,
                resets_at=state.resets_at,
            )
            for row in rows
            for state in states[row.id]
            for pool, each in state.pools.items()
        ]
    )


def _end(left: PoolRemaining) -> datetime:
    return FOREVER if left.resets_at is None else left.resets_at
