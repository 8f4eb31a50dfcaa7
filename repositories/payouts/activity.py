"""SQL of an organization's activity: its transfers, most recently recorded first, with their causes.

Money that is held and later released, paid or returned is one fact: the last transfer of an escrow or a payout stands
for all of them.

A page finds transfers one by one in the index of the organization's entries, so its cost depends on its number of rows,
not on the length of the history or the entries of a transfer.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.ids import is_id, uuid_id
from domain.marketplace.sale import PURCHASE
from domain.payouts.activity import (
    MERGED,
    AssetChange,
    Category,
    FactStatus,
    agent_in,
    asset_changes,
    category_of,
    nouns_of,
    status_of,
)
from repositories.common.listing import ListFilter, ListPage

#: The maximum number of transfers that a filtered page scans.
MAX_SCANNED = 1_000
#: The maximum number of transfers that a page without filters scans for each of its rows.
_STEPS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """Object that a transfer was for, readable by the organization: id, name, price, and the agent that it pays."""

    id: str
    name: str | None = None
    payee_agent_id: str | None = None
    amount_minor: int | None = None
    currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One transfer of an organization, or all transfers of an escrow or a payout with the id of the last.

    Attributes:
        kind: of the last transfer.
        effective_at: of the last transfer.
        started_at: the effective time of the first.
        status: whether money is still held.
        cause: None if the organization may not read it.
        principal: the organization's principal that last caused it; None for others, a provider or a deadline.
        agent_id: the agent that spent or funded.
        project_id: the project that it was spent on.
        agents: the names of agents that the session may read, by id.
    """

    transfer_id: UUID
    kind: str
    category: Category
    status: FactStatus
    started_at: datetime
    effective_at: datetime
    recorded_at: datetime
    cause: Cause | None
    principal: str | None
    agent_id: str | None
    project_id: str | None
    changes: tuple[AssetChange, ...]
    agents: Mapping[str, str]

    @property
    def whose(self) -> str | None:
        """The agent that spent or, without one, the agent that is paid."""
        return self.agent_id or (None if self.cause is None else self.cause.payee_agent_id)


_CLAUSES = {
    "since": "t.effective_at >= :since",
    "until": "t.effective_at < :until",
    "currency": "EXISTS (SELECT FROM ledger.entries f WHERE f.org_id = :org_id AND f.transfer_id = t.id"
    " AND f.asset = :currency)",
    "nouns": f"(CASE WHEN s.action = '{PURCHASE}' THEN 'marketplace' ELSE split_part(t.kind, '.', 1) END"
    " = ANY(CAST(:nouns AS text[]))) = :is_named",
    # The last transfer of an escrow or a payout that the organization has entries of.
    "merged": """CASE WHEN split_part(t.kind, '.', 1) = ANY(CAST(:merged AS text[])) THEN t.id = (
        SELECT n.id FROM ledger.transfers n
        WHERE n.reference = t.reference AND split_part(n.kind, '.', 1) = split_part(t.kind, '.', 1) AND EXISTS (
            SELECT FROM ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id
            WHERE e.org_id = :org_id AND e.transfer_id = n.id AND a.path NOT LIKE 'agent/%/sales/%'
        )
        ORDER BY n.reference DESC, n.id DESC LIMIT 1
    ) ELSE true END""",
    "kinds": "t.kind = ANY(CAST(:kinds AS text[]))",
    "project_id": "coalesce(s.project_id, f.project_id) = :project_id",
    # The same as `Fact.whose`.
    "agent_id": """coalesce(
        s.agent_id, f.agent_id, m.agent_id,
        (SELECT p.agent_id FROM marketplace_purchases p WHERE p.org_id = :org_id AND p.spend_id = s.id),
        (SELECT x.agent_id FROM escrows x WHERE x.id = t.reference),
        (SELECT min(split_part(a.path, '/', 2)) FROM ledger.entries e JOIN ledger.accounts a ON a.id = e.account_id
         WHERE e.org_id = :org_id AND e.transfer_id = t.id AND a.path LIKE 'agent/%' AND t.kind NOT LIKE 'payout.%')
    ) = :agent_id""",
    # `domain.credits.spend.scope.is_own` for keys that are not an agent's.
    "own": """(coalesce(s.principal, f.principal) = :own OR (
        (CAST(:departments AS text[]) IS NULL OR coalesce(s.department_id, f.department_id) = ANY(:departments))
        AND (CAST(:own_project AS text) IS NULL OR coalesce(s.project_id, f.project_id) = :own_project)
    ))""",
}
#: The full order of the index of an organization's entries; with a shorter one PostgreSQL may use another index.
_NEWEST = "e.transfer_id DESC, e.account_id DESC, e.version DESC"
#: A sale passes through an account of sales in two transfers. That account is left out, and so is the first transfer,
#: which posts only to it: the seller's fact is the one with its earnings. `looked` steps from transfer to transfer, so
#: that a transfer of a thousand entries is one step.
_PAGE = """
WITH RECURSIVE looked AS (
    (SELECT e.transfer_id, 1 AS place FROM ledger.entries e
     WHERE e.org_id = :org_id {after} ORDER BY {newest} LIMIT 1)
    UNION ALL
    SELECT n.transfer_id, l.place + 1 FROM looked l CROSS JOIN LATERAL (
        SELECT e.transfer_id FROM ledger.entries e
        WHERE e.org_id = :org_id AND e.transfer_id < l.transfer_id ORDER BY {newest} LIMIT 1
    ) n
    WHERE l.place < :window
), chosen AS MATERIALIZED (
    SELECT l.place, t.*, s.id AS spend_id, s.expires_at IS NOT NULL AS is_reservation, s.action,
        coalesce(s.agent_id, f.agent_id) AS agent_id, coalesce(s.project_id, f.project_id) AS project_id,
        s.principal, m.agent_id AS payee_agent_id, m.meter
    FROM looked l
    CROSS JOIN LATERAL (
        SELECT t.id, t.kind, t.reference, t.effective_at, t.recorded_at, t.idempotency_key FROM ledger.transfers t
        WHERE t.id = l.transfer_id LIMIT 1
    ) t
    LEFT JOIN LATERAL (
        SELECT u.* FROM ledger.spends u
        WHERE u.org_id = :org_id AND u.id = CASE
            WHEN t.kind = 'marketplace.refunded' THEN
                (SELECT p.spend_id FROM marketplace_purchases p WHERE p.org_id = :org_id AND p.id = t.reference)
            WHEN t.kind NOT IN ('use', 'use_refund') THEN NULL
            WHEN t.reference IS NOT NULL THEN CAST(t.reference AS uuid)
            ELSE (SELECT k.id FROM ledger.spends k WHERE k.idempotency_key = t.idempotency_key)
        END
        LIMIT 1
    ) s ON true
    -- The client sets the spend's metadata, so it is not used.
    LEFT JOIN LATERAL (
        SELECT u.agent_id, u.meter FROM marketplace_uses u WHERE u.org_id = :org_id AND u.spend_id = s.id LIMIT 1
    ) m ON true
    LEFT JOIN LATERAL (
        SELECT c.* FROM ledger.escrow_counts c
        WHERE t.kind LIKE 'escrow.%' AND c.escrow_id = t.reference AND c.org_id = :org_id
        LIMIT 1
    ) f ON true
    WHERE {filters} AND EXISTS (
        SELECT FROM ledger.entries e
        JOIN ledger.accounts a ON a.id = e.account_id
        WHERE e.org_id = :org_id AND e.transfer_id = l.transfer_id AND a.path NOT LIKE 'agent/%/sales/%'
    )
    ORDER BY l.place LIMIT :limit
)
SELECT c.*, g.parts, g.started_at, last.transfer_id AS last_id, last.place AS looked,
    ARRAY(
        SELECT jsonb_build_array(a.path, e.asset, sum(e.amount)) FROM ledger.entries e
        JOIN ledger.accounts a ON a.id = e.account_id
        WHERE e.org_id = :org_id AND e.transfer_id = ANY(g.parts) AND a.path NOT LIKE 'agent/%/sales/%'
        GROUP BY a.path, e.asset
    ) AS entries
FROM (SELECT transfer_id, place FROM looked ORDER BY place DESC LIMIT 1) last LEFT JOIN chosen c ON true
LEFT JOIN LATERAL (
    SELECT array_agg(n.id ORDER BY n.id DESC) AS parts, min(n.effective_at) AS started_at FROM (
        SELECT c.id, c.effective_at
        UNION ALL
        SELECT n.id, n.effective_at FROM ledger.transfers n
        WHERE n.reference = c.reference AND n.id < c.id AND split_part(n.kind, '.', 1) = split_part(c.kind, '.', 1)
            AND split_part(c.kind, '.', 1) = ANY(CAST(:merged AS text[]))
            AND EXISTS (SELECT FROM ledger.entries e WHERE e.org_id = :org_id AND e.transfer_id = n.id)
    ) n
) g ON true
ORDER BY c.place
"""
#: Each part reads by a primary or unique key. Objects of other organizations are not found, whatever the session may
#: see: the payee of a purchase sees its transfer, but not the purchase.
_CAUSES = text("""
    SELECT e.id AS key, e.id, c.title AS name, e.agent_id, e.amount_minor, e.currency
    FROM escrows e JOIN contracts c ON c.id = e.contract_id
    WHERE e.id = ANY(:ids) AND :org_id IN (e.org_id, e.payee_org_id)
    UNION ALL SELECT id, id, purpose, NULL, amount_minor, currency FROM payments
    WHERE id = ANY(:ids) AND org_id = :org_id
    UNION ALL SELECT id, id, coalesce(lines -> 0 ->> 'description', number), NULL, total_minor, currency FROM invoices
    WHERE id = ANY(:ids) AND org_id = :org_id
    UNION ALL SELECT id, id, plan, NULL, NULL, NULL FROM subscriptions WHERE id = ANY(:ids) AND org_id = :org_id
    UNION ALL SELECT id, id, name, NULL, NULL, NULL FROM projects WHERE id = ANY(:ids) AND org_id = :org_id
    UNION ALL SELECT id, id, source, NULL, amount_minor, 'CREDIT' FROM credit_lots
    WHERE id = ANY(:ids) AND org_id = :org_id
    UNION ALL SELECT id, id, NULL, NULL, amount_minor, currency FROM payouts WHERE id = ANY(:ids) AND org_id = :org_id
    UNION ALL SELECT id, id, name, id, NULL, NULL FROM agents WHERE id = ANY(:ids) AND org_id = :org_id
    UNION ALL
    SELECT k.key, p.id, a.name, p.agent_id, p.price_minor, p.currency
    FROM marketplace_purchases p LEFT JOIN agents a ON a.id = p.agent_id,
        LATERAL unnest(ARRAY[p.id, p.spend_id::text]) AS k (key)
    WHERE p.org_id = :org_id AND (p.id = ANY(:ids) OR p.spend_id = ANY(CAST(:spends AS uuid[])))
    UNION ALL
    SELECT u.id, u.spend_id::text, u.meter, u.agent_id, u.price_minor, 'CREDIT' FROM marketplace_uses u
    WHERE u.id = ANY(:ids) AND u.org_id = :org_id
    """)
_ACTORS = text("""
    SELECT transfer_id, actor FROM escrow_events WHERE escrow_id = ANY(:ids) AND transfer_id = ANY(:transfers)
    UNION ALL
    SELECT transfer_id, actor FROM payment_events WHERE payment_id = ANY(:ids) AND transfer_id = ANY(:transfers)
    UNION ALL
    SELECT transfer_id, actor FROM payout_events WHERE payout_id = ANY(:ids) AND transfer_id = ANY(:transfers)
    """)

_ALL: Mapping[str, Any] = {}
_AGENTS = text("SELECT id, name FROM agents WHERE id = ANY(:ids)")


async def page(
    session: AsyncSession, wanted: ListFilter, *, narrowed: Mapping[str, Any] = _ALL, merged: bool = True
) -> ListPage[Fact]:
    """List up to `limit` facts of an organization; times are effective times.

    A page may be short or empty although there are more.

    Args:
        session: of the organization, or the platform's.
        wanted: the filters and the cursor.
        narrowed: further filters, by the names of their parameters in the statement.
        merged: whether all transfers of an escrow or a payout are one fact; otherwise each transfer is one.
    """
    values = _values(wanted) | dict(narrowed) | {"merged": list(MERGED) if merged else []}
    filters = [clause for name, clause in _CLAUSES.items() if name in values]
    values |= {
        "org_id": wanted.org_id,
        "limit": wanted.limit + 1,
        "window": MAX_SCANNED if len(filters) > 1 else _STEPS * wanted.limit + 1,
    }
    if wanted.after is not None:
        values["after"] = wanted.after[0]
    statement = _PAGE.format(
        newest=_NEWEST,
        after="" if wanted.after is None else "AND e.transfer_id < :after",
        filters=" AND ".join(filters) or "true",
    )
    answer = (await session.execute(text(statement), values)).mappings().all()
    found = [row for row in answer if row["id"] is not None]
    rows = await _facts(session, str(wanted.org_id), found[: wanted.limit])
    if len(found) > wanted.limit:
        return ListPage(rows, (found[wanted.limit - 1]["id"],))
    is_cut = bool(answer) and answer[0]["looked"] == values["window"]
    return ListPage(rows, (answer[0]["last_id"],) if is_cut else None)


def _values(wanted: ListFilter) -> dict[str, Any]:
    given = {"since": wanted.since, "until": wanted.until, "currency": wanted.equal.get("currency")}
    values = {name: value for name, value in given.items() if value is not None}
    category = wanted.equal.get("category")
    if category is not None:
        asked = Category(str(category))
        values |= {"nouns": list(nouns_of(asked)), "is_named": asked is not Category.OTHER}
    return values


async def _facts(session: AsyncSession, org_id: str, rows: Sequence[Any]) -> list[Fact]:
    if not rows:
        return []
    named: set[str | None] = {row["reference"] for row in rows} | {_paid_agent(row) for row in rows}
    asked = {
        "ids": sorted(filter(None, named)),
        "spends": [row["spend_id"] for row in rows if row["spend_id"] is not None],
        "transfers": [id for row in rows for id in row["parts"]],
        "org_id": org_id,
    }
    causes = {row.key: row for row in await session.execute(_CAUSES, asked) if row.key is not None}
    acted = {row.transfer_id: row.actor for row in await session.execute(_ACTORS, asked)}
    facts = [_fact(org_id, row, causes, acted) for row in rows]
    payees = {fact.cause.payee_agent_id for fact in facts if fact.cause}
    agents = sorted(filter(None, payees | {fact.agent_id for fact in facts}))
    names = {row.id: row.name for row in await session.execute(_AGENTS, {"ids": agents})} if agents else {}
    return [replace(fact, agents=names) for fact in facts]


def _paid_agent(row: Any) -> str | None:
    return agent_in(entry[0] for entry in row["entries"])


def _fact(org_id: str, row: Any, causes: Mapping[str, Any], acted: Mapping[UUID, str]) -> Fact:
    actors = (acted.get(id, "").partition("/") for id in row["parts"])
    # A payment that funds an escrow acts for its payer, but is not a principal.
    own = (name for whose, _, name in actors if whose == org_id and not is_id(name, "pay"))
    changes = asset_changes((path, asset, int(amount)) for path, asset, amount in row["entries"])
    return Fact(
        transfer_id=row["id"],
        kind=row["kind"],
        category=category_of(row["kind"], row["action"]),
        status=status_of(changes, len(row["parts"])),
        started_at=row["started_at"],
        effective_at=row["effective_at"],
        recorded_at=row["recorded_at"],
        cause=_cause(row, causes),
        # Refunds of uses are by the platform, not by a principal of the organization.
        principal=row["principal"] if row["kind"] == "use" else next(own, None),
        agent_id=row["agent_id"],
        project_id=row["project_id"],
        changes=changes,
        agents={},
    )


def _cause(row: Any, causes: Mapping[str, Any]) -> Cause | None:
    """Return the cause of a transfer: the purchase of its spend, its reference, its spend, or the agent it paid."""
    named = (row["spend_id"] and str(row["spend_id"]), row["reference"])
    found = next((causes[each] for each in named if each in causes), None)
    if found is not None:
        id = found.id if "_" in found.id else uuid_id("spd", UUID(found.id))
        return Cause(
            id=id,
            name=found.name,
            payee_agent_id=found.agent_id,
            amount_minor=found.amount_minor,
            currency=found.currency,
        )
    if row["spend_id"] is not None:
        id, payee = uuid_id("hold" if row["is_reservation"] else "spd", row["spend_id"]), row["payee_agent_id"]
        # All spends for uses of agents have the same action, so the meter is shown.
        return Cause(id=id, name=row["meter"] if payee else row["action"], payee_agent_id=payee)
    agent = causes.get(_paid_agent(row) or "")
    return None if agent is None else Cause(id=agent.id, name=agent.name, payee_agent_id=agent.id)
