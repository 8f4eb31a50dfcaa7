"""What an organization paid outside and earned in a month, for advice, and what it knows of prices and free options.

Every statement reads a bounded number of the latest rows: where there are more, what is found is less than what
happened, never more. All run at the role of the organization.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.budgets.economics import PurchaseFact
from domain.budgets.free_text import normalize_name
from domain.budgets.policy import MethodKind, Policy, quota_window_start
from domain.budgets.purchase_order import PurchaseOrderStatus, Term
from domain.common.ids import uuid_id
from domain.insight.advice.facts import AgentRevenue, ExternalPurchase, FreeOptionUse, MethodUse, TermPrice
from repositories.budgets import free_option, payment_policy, purchase_method
from repositories.credits.spend_id_range import first_id
from repositories.insight.advice import PAYMENTS, Month

#: The latest rows that are read: of purchases of the month, of orders with a term, and of own offers.
PURCHASES, ORDERS, OFFERS = 2_000, 2_000, 50
#: So long after a choice its result is looked for.
RUNS_FOR = timedelta(days=7)

_NEAR = timedelta(hours=3)

# The policy is the nearest one that holds now: of the agent, the project, the organization.
_BOUGHT = text(f"""
SELECT c.order_id, c.number, c.at, c.spent - c.refunded AS paid_minor, o.agent_id, coalesce(a.name, o.agent_id) AS name,
    o.item, o.vendor, o.category, o.currency, o.term, o.alternatives, f.fee_minor, f.method, p.id AS policy_id
FROM (
    SELECT * FROM ledger.purchase_counts WHERE org_id = :org_id AND id >= :from_id AND id < :to_id
    ORDER BY id DESC LIMIT {PAYMENTS}
) c JOIN purchase_orders o ON o.id = c.order_id
LEFT JOIN agents a ON a.id = o.agent_id
LEFT JOIN LATERAL (
    SELECT t.fee_minor, t.method FROM purchase_attempts t
    WHERE t.order_id = o.id AND t.status = 'succeeded' AND c.number = 0 AND o.refunded_minor = 0
    ORDER BY t.number LIMIT 1
) f ON true
LEFT JOIN LATERAL (
    SELECT p.id FROM payment_policies p
    WHERE p.org_id = :org_id AND (p.scope, p.subject_id) IN (
        ('agent', o.agent_id), ('project', o.project_id), ('organization', o.org_id)
    ) ORDER BY array_position(ARRAY['agent', 'project', 'organization'], p.scope) LIMIT 1
) p ON true
WHERE c.at >= :since AND c.at < :until AND c.spent > c.refunded
ORDER BY c.id DESC LIMIT {PURCHASES}
""")
_TERMS = text(f"""
SELECT DISTINCT ON (vendor, item, currency, term) vendor, item, currency, term, amount_minor
FROM (SELECT * FROM purchase_orders WHERE org_id = :org_id ORDER BY id DESC LIMIT {ORDERS}) o
WHERE term IS NOT NULL AND status IN ('{PurchaseOrderStatus.PURCHASED}', '{PurchaseOrderStatus.CANCELLED}')
    AND created_at >= :year_ago
ORDER BY vendor, item, currency, term, id DESC
""")
_INSTEAD = text(f"""
SELECT alternative_action, at FROM (
    SELECT * FROM purchase_entries WHERE org_id = :org_id AND id >= :from_id AND id < :to_id
    ORDER BY id DESC LIMIT {PAYMENTS}
) e
WHERE transaction_type = '{PurchaseFact.ABANDONED}' AND alternative_action IS NOT NULL AND at >= :early AND at < :until
""")
_OWN_OFFERS = text(f"""
SELECT o.agent_id, a.name, o.category, o.model = 'monthly' AS is_monthly, o.price_minor, o.currency, o.usage_prices
FROM marketplace_offers o JOIN agents a ON a.id = o.agent_id
WHERE o.org_id = :org_id AND o.status = 'listed' AND o.category IS NOT NULL AND o.model IN ('monthly', 'usage')
ORDER BY o.agent_id LIMIT {OFFERS}
""")

# Ids are in the order of time.
_DRAWN = text("""
SELECT EXISTS (
    SELECT FROM routing_decisions WHERE org_id = :org_id AND id >= :from_id AND id < :to_id AND odds_e6 < 1000000
)
""")
_EARNED = text(f"""
SELECT v.source, v.agent_id, coalesce(a.name, o.name) AS name, m.currency, sum(m.minor)::bigint AS amount_minor,
    count(*) AS pieces
FROM (
    SELECT * FROM revenue_events
    WHERE org_id = :org_id AND occurred_at >= :since AND occurred_at < :until AND status IN ('confirmed', 'reversed')
    ORDER BY occurred_at DESC LIMIT {PAYMENTS}
) v CROSS JOIN LATERAL (
    SELECT v.currency, v.amount_minor - v.reversed_minor AS minor
    WHERE NOT (:in_money AND v.currency = 'CREDIT' AND v.transfer_id IS NOT NULL)
    UNION ALL
    SELECT w.key, (w.value ->> 0)::bigint - (w.value ->> 1)::bigint FROM jsonb_each(v.money) w WHERE :in_money
) m JOIN organizations o ON o.id = v.org_id LEFT JOIN agents a ON a.id = v.agent_id
GROUP BY v.source, v.agent_id, a.name, o.name, m.currency
""")


def _ids(since: datetime, until: datetime) -> dict[str, UUID]:
    """Return the ids between which rows of a time are: one is numbered when it is written, near its time."""
    return {"from_id": first_id(since), "to_id": first_id(until + _NEAR)}


async def external_purchases(session: AsyncSession, org_id: str, month: Month) -> list[ExternalPurchase]:
    """Return what was paid outside; what was charged beyond an order is a part of it, a renewal is not."""
    policies = dict[str | None, Policy]({None: Policy()})
    found = dict[tuple[str, int], ExternalPurchase]()
    for row in await session.execute(_BOUGHT, {"org_id": org_id, **month.asked, **_ids(month.since, month.until)}):
        if row.policy_id not in policies:
            policies[row.policy_id] = payment_policy.policy_of(await payment_policy.get(session, row.policy_id))
        place = (row.order_id, 0 if row.term is None else row.number)
        before = found.get(place)
        new = ExternalPurchase(
            order_id=row.order_id,
            agent_id=row.agent_id,
            agent_name=row.name,
            item=row.item,
            vendor=row.vendor,
            category=row.category,
            currency=row.currency,
            term=None if row.term is None else Term(row.term),
            renewed=place[1],
            at=row.at.astimezone(UTC),
            paid_minor=row.paid_minor + (0 if before is None else before.paid_minor),
            fee_minor=row.fee_minor,
            method=row.method,
            unfit=frozenset(normalize_name(each["name"]) for each in row.alternatives if not each["fits"]),
            policy_id=row.policy_id,
            policy=policies[row.policy_id],
        )
        if before is not None and new.method is None:
            new = replace(new, fee_minor=before.fee_minor, method=before.method)
        found[place] = new
    return list(found.values())


async def term_prices(session: AsyncSession, org_id: str, month: Month) -> list[TermPrice]:
    """Return what was paid last, within a year, for each term of each item."""
    asked = {"org_id": org_id, "year_ago": month.since - timedelta(days=365)}
    rows = await session.execute(_TERMS, asked)
    return [TermPrice(**{**row._mapping, "term": Term(row.term)}) for row in rows]


async def free_options(session: AsyncSession, org_id: str, month: Month) -> list[FreeOptionUse]:
    """Return the catalogue of free options, with their uses instead of purchases by window."""
    options = await free_option.listed(session, org_id)
    if not options:
        return []
    early = month.since - timedelta(days=7)
    asked = {"org_id": org_id, "early": early, "until": month.until, **_ids(early, month.until)}
    uses = [(normalize_name(row.alternative_action), row.at) for row in await session.execute(_INSTEAD, asked)]
    found = []
    for each in options:
        window = each.quota_window
        used = Counter(
            quota_window_start(window, at) for name, at in uses if window and name == normalize_name(each.name)
        )
        found.append(FreeOptionUse(id=each.id, option=free_option.option_of(each, month.since), used=used))
    return found


async def declared_methods(session: AsyncSession, org_id: str) -> list[MethodUse]:
    return [
        MethodUse(
            name=row.name,
            label=row.label,
            kind=MethodKind(row.kind),
            fee_share_e4=row.fee_share_e4,
            fee_fixed_minor=row.fee_fixed,
            fee_currency=row.fee_currency,
            attempts=row.attempts,
            succeeded=row.succeeded,
        )
        for row in await purchase_method.listed(session, org_id)
    ]


async def was_randomised(session: AsyncSession, org_id: str, month: Month) -> bool:
    """Return whether chance chose a model or an agent for any call that may have its result in the month."""
    times = (month.since - RUNS_FOR, month.until)
    bounds = (uuid_id("rtd", UUID(int=int(at.timestamp() * 1000) << 80)) for at in times)
    asked = dict(zip(("from_id", "to_id"), bounds, strict=True))
    return bool(await session.scalar(_DRAWN, {"org_id": org_id, **asked}))


async def agent_revenue(session: AsyncSession, org_id: str, month: Month, *, in_money: bool) -> list[AgentRevenue]:
    """Return the confirmed revenue by agent and source.

    With `in_money` earnings in credits are what was paid for them; credits that were reported stay credits.
    """
    rows = await session.execute(_EARNED, {"org_id": org_id, "in_money": in_money, **month.asked})
    return [AgentRevenue(**row._mapping) for row in rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnOffer:
    """A listed offer of an own agent, by the month or by usage; `usage_prices` are in credits."""

    agent_id: str
    name: str
    category: str
    is_monthly: bool
    price_minor: int | None
    currency: str | None
    usage_prices: Mapping[str, int] | None


async def own_offers(session: AsyncSession, org_id: str) -> Sequence[OwnOffer]:
    rows = await session.execute(_OWN_OFFERS, {"org_id": org_id})
    return [OwnOffer(**row._mapping) for row in rows]
