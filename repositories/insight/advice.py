"""Statements about an organization's month, for advice, and about dismissals.

Every statement reads daily sums, or a bounded number of the latest rows, so results can be too low but never too high.
All run at the role of the organization.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.ids import uuid_id
from domain.insight.advice.facts import AlternativeOffer, RefusedCharges
from domain.payments.auto_topup import RECEIVED
from domain.payments.payment.terms import PurposeKind
from models.insight.advice import InsightDismissal
from models.payments.payment import PaymentRow

#: The maximum numbers of latest rows: of payments, of uses of agents, and of refusals for a reason.
PAYMENTS, USES, REFUSALS = 20_000, 20_000, 2_000
#: The maximum numbers of purchased agents, of alternatives to one, of controls, and of orders of credits and slots.
AGENTS, ALTERNATIVES, CONTROLS, ORDERS = 50, 200, 50, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """Calendar month (UTC) of the advice: `since` is inclusive, `until` exclusive."""

    since: datetime
    until: datetime

    @property
    def first(self) -> date:
        return self.since.date()

    @property
    def asked(self) -> Mapping[str, object]:
        """The bounds as arguments of statements."""
        return {"since": self.since, "until": self.until, "first": self.first, "after": self.until.date()}


# A charge that is tried again and again is refused again and again, and counts once a day.
_REFUSED = """
SELECT control_id, is_budget, agent_id, action, day, max(latest) AS latest, count(*) AS number,
    sum(amount)::bigint AS amount_minor, max(amount) AS largest_minor
FROM (
    SELECT control_id, is_budget, agent_id, action, (at AT TIME ZONE 'UTC')::date AS day, amount, max(at) AS latest
    FROM ({found}) found WHERE at >= :since AND at < :until AND spend_asset = 'CREDIT'
    GROUP BY control_id, is_budget, agent_id, action, day, amount, principal
) once GROUP BY control_id, is_budget, agent_id, action, day ORDER BY day, action
"""
_REFUSED_BALANCE = text(
    _REFUSED.format(
        found="""SELECT *, false AS is_budget FROM ledger.refusals
        WHERE org_id = :org_id AND control_id IS NULL ORDER BY id DESC LIMIT :refusals"""
    )
)
_REFUSED_LIMIT = text(
    _REFUSED.format(
        found="""SELECT r.*, c.kind = 'budget' AS is_budget FROM (
            SELECT id, kind FROM ledger.controls WHERE org_id = :org_id ORDER BY id DESC LIMIT :controls
        ) c CROSS JOIN LATERAL (
            SELECT * FROM ledger.refusals WHERE org_id = :org_id AND control_id = c.id ORDER BY id DESC LIMIT :refusals
        ) r"""
    )
)
_RAISED = text("""
SELECT v.control_id, v.changed_at FROM ledger.control_versions v
JOIN ledger.control_versions b ON b.control_id = v.control_id AND b.version = v.version - 1
WHERE v.org_id = :org_id AND v.control_id = ANY (:controls) AND v.changed_at >= :since AND v.changed_at < :late
    AND (v.per_spend > b.per_spend OR b.per_spend IS NOT NULL AND v.per_spend IS NULL OR EXISTS (
        SELECT FROM unnest(b.windows, b.amounts) AS old ("window", amount)
        LEFT JOIN unnest(v.windows, v.amounts) AS new ("window", amount) USING ("window")
        WHERE old.amount IS NOT NULL AND (new.amount IS NULL OR new.amount > old.amount)
    ))
ORDER BY v.changed_at LIMIT 1000
""")
_CAPTURED = text("""
SELECT day, action, agent_id, sum(captured)::bigint AS captured FROM spend_days
WHERE org_id = :org_id AND day >= :first AND day < :late AND action = ANY (:actions)
GROUP BY day, action, agent_id
""")
_USED = text(f"""
SELECT u.agent_id, u.meter, sum(u.quantity)::bigint AS quantity, sum(u.price_minor)::bigint AS paid
FROM (
    SELECT * FROM marketplace_uses WHERE org_id = :org_id AND used_at >= :since AND used_at < :until
    ORDER BY used_at DESC LIMIT {USES}
) u WHERE u.refunded_at IS NULL GROUP BY u.agent_id, u.meter
""")
# Purchases that are still kept, with the name, the category and the lower bound of their agents.
_KEPT = text(f"""
SELECT p.id, p.agent_id, coalesce(a.name, p.agent_id) AS name, p.model, p.price_minor, p.currency, o.category, r.rank_e6
FROM marketplace_purchases p LEFT JOIN agents a ON a.id = p.agent_id
LEFT JOIN marketplace_offers o ON o.agent_id = p.agent_id
LEFT JOIN reputation_agents r ON r.agent_id = p.agent_id AND r.evidence_count > 0
WHERE p.org_id = :org_id AND p.status = 'active' AND NOT p.renewed AND p.model IN ('monthly', 'usage')
    AND (p.model = 'usage' OR p.renews_at IS NOT NULL AND p.anchor_at <= :since)
ORDER BY p.id DESC LIMIT {AGENTS}
""")
_ALTERNATIVES = text(f"""
SELECT o.agent_id, a.name, o.price_minor, o.usage_prices, r.rank_e6
FROM marketplace_offers o JOIN agents a ON a.id = o.agent_id JOIN reputation_agents r ON r.agent_id = o.agent_id
WHERE o.status = 'listed' AND o.category = :category AND o.model = :model AND o.agent_id <> :agent_id
    AND o.org_id <> :org_id AND (CAST(:currency AS text) IS NULL OR o.currency = :currency)
    AND r.evidence_count > 0 AND r.rank_e6 >= :rank_e6 AND a.visibility = 'public' AND a.retired_at IS NULL
ORDER BY r.rank_e6 DESC, o.agent_id LIMIT {ALTERNATIVES}
""")
_METERED = text("""
SELECT EXISTS (
    SELECT FROM usage_days
    WHERE org_id = :org_id AND dimension = 'all' AND day >= :first AND day < :after AND events > 0
)
""")
_USED_DAYS = text("""
SELECT EXISTS (
    SELECT FROM usage_days WHERE org_id = :org_id AND dimension = 'agent_id' AND value = :agent_id AND day >= :first
        AND day < :after AND events > 0
)
""")
# Agents by themselves: what they have bought renews, and they charged nothing all month.
_IDLE_ORDERS = text(f"""
SELECT o.id, o.item, o.amount_minor, o.currency, o.term FROM purchase_orders o
WHERE o.org_id = :org_id AND o.status = 'purchased' AND o.renews_at IS NOT NULL AND o.created_at < :since
    AND NOT EXISTS (
        SELECT FROM spend_days s WHERE s.org_id = :org_id AND s.agent_id = o.agent_id AND s.day >= :first
            AND s.day < :after
    ) AND NOT EXISTS (
        SELECT FROM usage_days u WHERE u.org_id = :org_id AND u.dimension = 'agent_id' AND u.value = o.agent_id
            AND u.day >= :first AND u.day < :after AND u.events > 0
    )
ORDER BY o.id DESC LIMIT {AGENTS}
""")


async def orders(session: AsyncSession, org_id: str, month: Month) -> Sequence[PaymentRow]:
    """Return the received payments for credits and slots."""
    row = PaymentRow
    latest = select(row.id).where(row.org_id == org_id).order_by(row.id.desc()).limit(PAYMENTS)
    query = select(row).where(
        row.id.in_(latest),
        row.purpose.in_((PurposeKind.CREDITS.value, PurposeKind.SLOT.value)),
        row.status.in_([status.value for status in RECEIVED]),
        row.created_at >= month.since,
        row.created_at < month.until,
    )
    return (await session.scalars(query.order_by(row.id.desc()).limit(ORDERS))).all()


async def refused_charges(session: AsyncSession, org_id: str, month: Month) -> list[RefusedCharges]:
    """Return charges refused for lack of credits or by a limit, by day, agent and action."""
    asked = {"org_id": org_id, "refusals": REFUSALS, **month.asked}
    rows = [
        *await session.execute(_REFUSED_BALANCE, asked),
        *await session.execute(_REFUSED_LIMIT, {**asked, "refusals": REFUSALS // 4, "controls": CONTROLS}),
    ]
    names = {each: None if each is None else uuid_id("ctl", each) for each in {row.control_id for row in rows}}
    return [RefusedCharges(**{**row._mapping, "control_id": names[row.control_id]}) for row in rows]


async def limit_raises(
    session: AsyncSession, org_id: str, month: Month, controls: Sequence[UUID], within: timedelta
) -> dict[str, list[datetime]]:
    found: dict[str, list[datetime]] = {}
    asked = {"org_id": org_id, "controls": list(controls), "late": month.until + within, **month.asked}
    for control_id, at in await session.execute(_RAISED, asked):
        found.setdefault(uuid_id("ctl", control_id), []).append(at.astimezone(UTC))
    return found


async def captured_by_day(
    session: AsyncSession, org_id: str, month: Month, actions: Sequence[str], within: timedelta
) -> dict[tuple[date, str, str | None], int]:
    """Return charges of actions by day and agent, from the day before the month on, from daily sums."""
    asked = {
        "org_id": org_id,
        "actions": list(actions),
        "first": month.first - timedelta(days=1),
        "late": (month.until + within + timedelta(days=2)).date(),
    }
    rows = await session.execute(_CAPTURED, asked)
    return {(row.day, row.action, row.agent_id): row.captured for row in rows}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPurchase:
    """Present purchase of an agent; `rank_e6` is None for an agent without evidence."""

    id: str
    agent_id: str
    name: str
    model: str
    price_minor: int | None
    currency: str | None
    category: str | None
    rank_e6: int | None


async def kept_purchases(session: AsyncSession, org_id: str, month: Month) -> list[KeptPurchase]:
    """Return renewing monthly purchases that lasted all month, and purchases by usage."""
    rows = await session.execute(_KEPT, {"org_id": org_id, **month.asked})
    return [KeptPurchase(**row._mapping) for row in rows]


async def paid_uses(session: AsyncSession, org_id: str, month: Month) -> dict[str, dict[str, tuple[int, int]]]:
    """Return paid units and their cost by agent and meter, without refunded uses."""
    found: dict[str, dict[str, tuple[int, int]]] = {}
    for row in await session.execute(_USED, {"org_id": org_id, **month.asked}):
        found.setdefault(row.agent_id, {})[row.meter] = (row.quantity, row.paid)
    return found


async def alternatives(session: AsyncSession, org_id: str, to: KeptPurchase) -> list[AlternativeOffer]:
    """Return offers of others with the same category and pricing model, and at least the same lower bound."""
    asked = {
        "org_id": org_id,
        "category": to.category,
        "model": to.model,
        "agent_id": to.agent_id,
        "currency": to.currency,
        "rank_e6": to.rank_e6,
    }
    rows = await session.execute(_ALTERNATIVES, asked)
    return [AlternativeOffer(**row._mapping) for row in rows]


async def meters(session: AsyncSession, org_id: str, month: Month) -> bool:
    return bool(await session.scalar(_METERED, {"org_id": org_id, **month.asked}))


async def was_used(session: AsyncSession, org_id: str, agent_id: str, month: Month) -> bool:
    return bool(await session.scalar(_USED_DAYS, {"org_id": org_id, "agent_id": agent_id, **month.asked}))


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleOrder:
    """Renewing external purchase whose agent was inactive."""

    id: str
    item: str
    amount_minor: int
    currency: str
    term: str


async def idle_orders(session: AsyncSession, org_id: str, month: Month) -> list[IdleOrder]:
    """Return renewing purchases whose agent neither charged anything nor reported usage all month."""
    rows = await session.execute(_IDLE_ORDERS, {"org_id": org_id, **month.asked})
    return [IdleOrder(**row._mapping) for row in rows]


async def dismissed(session: AsyncSession, org_id: str, since: datetime) -> frozenset[str]:
    row = InsightDismissal
    found = await session.scalars(select(row.insight_id).where(row.org_id == org_id, row.dismissed_at > since))
    return frozenset(found)


async def dismiss(session: AsyncSession, org_id: str, insight_id: str, *, by: str, at: datetime) -> None:
    """Record a dismissal of advice, which restarts its period."""
    values = {"dismissed_by": by, "dismissed_at": at}
    new = insert(InsightDismissal).values(org_id=org_id, insight_id=insight_id, **values)
    await session.execute(new.on_conflict_do_update(index_elements=["org_id", "insight_id"], set_=values))
