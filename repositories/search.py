"""What a text finds: candidates from indexes, and what each of them is. A tenant's session finds what it may see."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.credits import GrantSource
from domain.ids import is_id, uuid_of

#: How many names of a kind are looked at, the newest first; there is no index of parts of names.
LOOKED_AT = 5_000
#: For how long a run may be late before it counts as stuck: the sweeps come every five minutes.
LATE = timedelta(minutes=15)

_NAMED = {
    "agents": "name",
    "contracts": "title",
    "projects": "name",
}
#: The index of external ids begins with the kind.
_ANY_PREFIX = "prefix IN ('org', 'agt', 'ctr', 'esc', 'pay', 'inv', 'lot', 'prj')"
#: Ids by what people call the objects, each from an index. Of contracts both sides see theirs; here it is the client's.
_WRITTEN = f"SELECT object_id FROM object_metadata WHERE {_ANY_PREFIX} AND external_id = :exact AND org_id = :org_id"
#: Numbers of documents, and what each is for: an invoice, the invoice of a credit note, the payment of a receipt, the
#: organization of a statement.
_NUMBERED = {
    "invoices": "id",
    "credit_notes": "invoice_id",
    "tax_receipts": "payment_id",
    "creator_statements": "org_id",
    "creator_corrections": "org_id",
}
_OF_TENANT = f"""
    SELECT id FROM organizations WHERE id = :org_id AND name ILIKE :within
    UNION ALL ({_WRITTEN})
    {
    "".join(
        f"UNION ALL (SELECT {what} FROM {table} WHERE number = upper(:exact) AND org_id = :org_id) "
        for table, what in _NUMBERED.items()
    )
}
    {
    "".join(
        f'''UNION ALL (
        SELECT id FROM (
            SELECT id, {name} AS name FROM {table} WHERE org_id = :org_id ORDER BY id DESC LIMIT {LOOKED_AT}
        ) newest WHERE name ILIKE :within LIMIT :limit
    )
    '''
        for table, name in _NAMED.items()
    )
}
"""
#: Of an agent's key: what is that agent's is chosen here, so that nothing of others takes its place below the limit.
_OF_AGENT = f"""
    SELECT id FROM agents WHERE id = :agent_id AND name ILIKE :within
    UNION ALL ({_WRITTEN})
    UNION ALL (
        SELECT id FROM (
            SELECT id, title AS name FROM contracts WHERE agent_id = :agent_id ORDER BY id DESC LIMIT {LOOKED_AT}
        ) newest WHERE name ILIKE :within LIMIT :limit
    )
"""
#: Keys are named by who has them; what is secret of them is neither searched nor read.
_KEYS = f"""
    UNION ALL (
        SELECT id FROM (SELECT id, principal AS name FROM api_keys {{whose}} ORDER BY id DESC LIMIT {LOOKED_AT}) newest
        WHERE name ILIKE :within LIMIT :limit
    )
"""
_OF_ALL = f"""
    (
        SELECT object_id FROM object_metadata WHERE {_ANY_PREFIX} AND external_id = :exact LIMIT :limit
    )
    {
    "".join(
        f"UNION ALL (SELECT {what} FROM {table} WHERE number = upper(:exact)) " for table, what in _NUMBERED.items()
    )
}
    UNION ALL (
        SELECT id FROM (SELECT id, name FROM organizations ORDER BY id DESC LIMIT {LOOKED_AT}) newest
        WHERE name ILIKE :within LIMIT :limit
    )
    UNION ALL (
        SELECT id FROM (SELECT id, name FROM agents ORDER BY id DESC LIMIT {LOOKED_AT}) newest
        WHERE name ILIKE :within LIMIT :limit
    )
"""
_BY_HAND = ", ".join(f"'{source.value}'" for source in GrantSource)
_HITS = f"""
SELECT h.*, m.external_id FROM (
    SELECT 1 AS place, 'organization' AS kind, id, id AS org_id, NULL::text AS agent_id, name AS title,
        NULL::text AS status, NULL::bigint AS amount_minor, NULL::text AS currency, NULL::text AS workflow_id
    FROM organizations WHERE id = ANY(:ids)
    UNION ALL SELECT 2, 'agent', id, org_id, id, name, visibility, NULL, NULL, NULL FROM agents WHERE id = ANY(:ids)
    UNION ALL
    SELECT 3, 'contract', id, org_id, agent_id, title, NULL, price_minor, currency, NULL
    FROM contracts WHERE id = ANY(:ids)
    UNION ALL
    SELECT 4, 'escrow', e.id, e.org_id, e.agent_id, c.title, e.status,
        e.funded_minor - e.released_minor - e.refunded_minor - e.commission_minor, e.currency, e.workflow_id
    FROM escrows e JOIN contracts c ON c.id = e.contract_id WHERE e.id = ANY(:ids)
    UNION ALL
    SELECT 5, 'payment', id, org_id, NULL, purpose || ' by ' || provider, status, amount_minor, currency, workflow_id
    FROM payments WHERE id = ANY(:ids)
    UNION ALL
    SELECT 6, 'invoice', i.id, i.org_id, NULL, coalesce(i.number, 'draft'), i.status,
        i.total_minor - i.paid_minor - i.prepaid_minor - i.credited_minor - i.written_off_minor, i.currency,
        CASE WHEN EXISTS (SELECT FROM invoice_collections n WHERE n.invoice_id = i.id) THEN 'invoice/' || i.id END
    FROM invoices i WHERE i.id = ANY(:ids)
    UNION ALL
    SELECT 7, 'payout', id, org_id, NULL, 'payout by ' || provider, status, amount_minor, currency, 'payout/' || id
    FROM payouts WHERE id = ANY(:ids)
    UNION ALL
    SELECT 8, 'project', id, org_id, NULL, name, CASE WHEN deployed_at IS NULL THEN 'undeployed' ELSE 'deployed' END,
        NULL, NULL, NULL
    FROM projects WHERE id = ANY(:ids)
    UNION ALL
    SELECT 10, 'grant', id, org_id, NULL, concat_ws(': ', source, note), NULL, amount_minor, 'CREDIT', NULL
    FROM credit_lots WHERE id = ANY(:ids) AND source IN ({_BY_HAND})
    UNION ALL
    SELECT 11, 'lot', :exact, org_id, NULL, 'lot by ' || source, CASE WHEN is_open THEN 'open' ELSE 'used' END, amount,
        'CREDIT', NULL
    FROM ledger.lots WHERE id = CAST(:lot AS uuid) AND lapses
        AND NOT EXISTS (SELECT FROM credit_lots WHERE id = ANY(:ids) AND source IN ({_BY_HAND}))
    UNION ALL
    -- The index of uses begins with the organization, so a use of anybody's is looked for in each of them.
    SELECT 12, 'spend', :exact, s.org_id, s.agent_id, s.action, s.status, s.amount, s.asset, NULL
    FROM organizations o CROSS JOIN LATERAL (
        SELECT * FROM ledger.spends WHERE org_id = o.id AND id = CAST(:spend AS uuid) LIMIT 1
    ) s WHERE CAST(:spend AS uuid) IS NOT NULL AND (CAST(:org_id AS text) IS NULL OR o.id = :org_id)
    UNION ALL
    SELECT 13, 'purchase', id, org_id, NULL, 'agent ' || agent_id, status, price_minor, currency, NULL
    FROM marketplace_purchases WHERE id = ANY(:ids)
    UNION ALL
    SELECT 14, 'dispute', id, org_id, NULL, reason, status, amount_minor, currency, NULL
    FROM payment_disputes WHERE id = ANY(:ids)
    UNION ALL
    SELECT 15, 'department', id, org_id, NULL, name, CASE WHEN closed_at IS NULL THEN 'open' ELSE 'closed' END,
        NULL, NULL, NULL
    FROM departments WHERE id = ANY(:ids)
    UNION ALL
    SELECT 16, 'api_key', id, org_id, agent_id, principal,
        CASE WHEN revoked_at IS NOT NULL THEN 'revoked' WHEN expires_at <= now() THEN 'expired' ELSE 'active' END,
        NULL, NULL, NULL
    FROM api_keys WHERE id = ANY(:ids) AND CAST(:finds_keys AS boolean)
    UNION ALL
    SELECT 9, 'transfer', :exact, org_id, NULL, kind || coalesce(' of ' || reference, ''), NULL, NULL, NULL, NULL
    FROM ledger.transfers WHERE id = CAST(:transfer AS uuid)
) h LEFT JOIN object_metadata m ON m.object_id = h.id AND m.org_id = coalesce(CAST(:org_id AS text), h.org_id)
WHERE CAST(:agent_id AS text) IS NULL OR h.agent_id = :agent_id
ORDER BY h.place, h.id DESC LIMIT :limit
"""
_ALERTS = text(
    """
    SELECT id, kind, severity, subject, detail, created_at AS raised_at FROM alerts
    WHERE org_id = :org_id AND resolved_at IS NULL AND (CAST(:for_all AS boolean) OR shared)
    ORDER BY id DESC LIMIT :limit
    """
)
#: What should have gone on by itself. Each part reads what is late, of anybody, which is little or an outage.
_STUCK = text(
    """
    SELECT kind, id, status, since, workflow_id FROM (
        SELECT 'escrow' AS kind, id, status, next_deadline_at AS since, workflow_id FROM escrows
        WHERE next_deadline_at < :late AND :org_id IN (org_id, payee_org_id)
        UNION ALL SELECT 'payment', id, status, wake_at, workflow_id FROM payments
        WHERE wake_at < :late AND org_id = :org_id
        UNION ALL SELECT 'payout', id, status, wake_at, 'payout/' || id FROM payouts
        WHERE wake_at < :late AND org_id = :org_id
        UNION ALL SELECT 'invoice', invoice_id, status, wake_at, 'invoice/' || invoice_id FROM invoice_collections
        WHERE wake_at < :late AND org_id = :org_id
    ) stuck ORDER BY since LIMIT :limit
    """
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One object that was found; the amount is what it is about, or what is left of it, in minor units."""

    kind: str
    id: str
    org_id: str | None
    agent_id: str | None
    title: str
    status: str | None
    amount_minor: int | None
    currency: str | None
    workflow_id: str | None
    external_id: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAlert:
    """An alert that is not resolved."""

    id: str
    kind: str
    severity: str
    subject: str
    detail: str
    raised_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StuckRun:
    """Something that should have gone on by itself at `since` and has not."""

    kind: str
    id: str
    status: str
    since: datetime
    workflow_id: str


async def find(
    session: AsyncSession,
    wanted: str,
    *,
    org_id: str | None,
    agent_id: str | None = None,
    finds_keys: bool = False,
    limit: int,
) -> Sequence[Hit]:
    """Return up to `limit` objects that a text names: by id, external id, number or name.

    Args:
        session: of a tenant, or the platform's.
        wanted: the text.
        org_id: the tenant; None searches everybody.
        agent_id: only what is this agent's.
        finds_keys: whether API keys are found as well.
        limit: how many at most.
    """
    escaped = wanted.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    asked = {"exact": wanted, "limit": limit, "org_id": org_id, "agent_id": agent_id}
    statement = _OF_ALL if org_id is None else _OF_TENANT if agent_id is None else _OF_AGENT
    if finds_keys:
        statement += _KEYS.format(whose="" if org_id is None else "WHERE org_id = :org_id")
    named = {**asked, "within": f"%{escaped}%"}
    found = await session.scalars(text(statement), named)
    ids = [*found, *([wanted] if is_id(wanted, wanted[:-27]) else [])]
    numbers = {
        "transfer": _number(wanted, "tr"),
        "lot": _number(wanted, "lot"),
        "spend": _number(wanted, "spd") or _number(wanted, "hold"),
    }
    rows = await session.execute(text(_HITS), {**asked, **numbers, "ids": ids, "finds_keys": finds_keys})
    return [Hit(**{name: row._mapping[name] for name in Hit.__slots__}) for row in rows]


def _number(wanted: str, prefix: str) -> UUID | None:
    return uuid_of(wanted) if is_id(wanted, prefix) else None


async def open_alerts(session: AsyncSession, org_id: str, *, for_all: bool, limit: int) -> Sequence[OpenAlert]:
    """Return the newest alerts about an organization that are not resolved; those it reads itself, or all."""
    rows = await session.execute(_ALERTS, {"org_id": org_id, "for_all": for_all, "limit": limit})
    return [OpenAlert(**row._mapping) for row in rows]


async def stuck(session: AsyncSession, org_id: str, now: datetime, *, limit: int) -> Sequence[StuckRun]:
    """Return what of an organization should have gone on by itself and has not. Needs the platform's session."""
    rows = await session.execute(_STUCK, {"org_id": org_id, "late": now - LATE, "limit": limit})
    return [StuckRun(**row._mapping) for row in rows]
