"""Reads of the detectors. All need the platform's role.

Pages follow an index from a cursor. Reads of acts begin at the id of the window's first moment, so that older history
costs nothing; links and traits have one row for each organization and entity.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from repositories.common.listing import first_id


@dataclass(frozen=True, slots=True)
class Read:
    """A read in pages.

    Attributes:
        statement: takes the cursor, the limit and further arguments.
        order: the columns of the cursor.
        prefix: of ids, if the cursor is an id.
    """

    statement: str
    order: tuple[str, ...] = ("id",)
    prefix: str = ""

    def begin(self, since: datetime) -> tuple[str, ...]:
        """Return the cursor before the first row of a window."""
        return (first_id(self.prefix, since),) if self.prefix else ("",) * len(self.order)


LINKS = Read(
    "SELECT entity, org_id, first_seen, last_seen FROM risk_links WHERE (entity, org_id) > ($1, $2)"
    " ORDER BY entity, org_id LIMIT $3",
    ("entity", "org_id"),
)
TRAITS = Read(
    "SELECT kind, digest, org_id FROM organization_traits WHERE (kind, digest, org_id) > ($1, $2, $3)"
    " AND kind IN ('card', 'bank', 'paypal', 'payout_account') AND ended_at IS NULL"
    " ORDER BY kind, digest, org_id LIMIT $4",
    ("kind", "digest", "org_id"),
)
RATINGS = Read(
    "SELECT id, org_id, agent_org_id FROM reputation_feedback f WHERE id > $1 AND org_id <> agent_org_id"
    " AND (SELECT avg(value::numeric) FROM jsonb_each_text(ratings)) >= 4 ORDER BY id LIMIT $2",
    prefix="fbk",
)
ESCROWS = Read(
    "SELECT id, org_id AS payer, payee_org_id AS payee, currency, released_minor + commission_minor AS paid_minor"
    " FROM escrows WHERE id > $1 AND org_id <> payee_org_id ORDER BY id LIMIT $2",
    prefix="esc",
)
SALES = Read(
    "SELECT id, org_id AS payer, payee_org_id AS payee, currency, price_minor - taken_minor AS paid_minor"
    " FROM marketplace_purchases WHERE id > $1 AND price_minor IS NOT NULL AND org_id <> payee_org_id"
    " ORDER BY id LIMIT $2",
    prefix="pur",
)
DELIVERED = Read(
    "SELECT e.id, e.agent_org_id AS org_id, coalesce(a.category, '') AS category, e.delivery_seconds"
    " FROM reputation_events e JOIN agents a ON a.id = e.agent_id"
    " WHERE e.id > $1 AND e.delivery_seconds IS NOT NULL ORDER BY e.id LIMIT $2",
    prefix="rev",
)
PAYMENTS = Read(
    "SELECT p.id, p.org_id, c.cluster, p.currency, p.refunded_minor,"
    " (SELECT coalesce(sum(amount_minor), 0)::bigint FROM payment_disputes d WHERE d.payment_id = p.id"
    " AND d.status NOT IN ('inquiry', 'won')) AS disputed_minor"
    " FROM payments p LEFT JOIN risk_clusters c ON c.org_id = p.org_id"
    " WHERE p.id > $1 AND p.received_minor > 0 ORDER BY p.id LIMIT $2",
    prefix="pay",
)
#: Further argument: the points.
DECISIONS = Read(
    "SELECT d.* FROM unnest($3::text[]) wanted(point) CROSS JOIN LATERAL (SELECT id, point, org_id, entities,"
    " value_minor FROM risk_decisions WHERE point = wanted.point AND id > $1 ORDER BY id LIMIT $2) d"
    " ORDER BY id LIMIT $2",
    prefix="rsd",
)
#: Further arguments: the night, the lowest rise, and the id of the first rating that is counted. Agents that were new
#: two weeks ago have no interval of their own.
CHANGES = Read(
    "SELECT h.agent_id, a.org_id, h.moved_e6, h.is_sudden, p.praise, p.new_praise FROM reputation_history h"
    " JOIN agents a ON a.id = h.agent_id JOIN reputation_agents r ON r.agent_id = h.agent_id"
    " CROSS JOIN LATERAL (SELECT count(*) AS praise,"
    " count(*) FILTER (WHERE o.created_at > f.created_at - interval '7 days') AS new_praise"
    " FROM reputation_feedback f JOIN organizations o ON o.id = f.org_id WHERE f.agent_id = h.agent_id AND f.id > $5"
    " AND (SELECT avg(value::numeric) FROM jsonb_each_text(f.ratings)) >= 4) p"
    " WHERE h.agent_id > $1 AND h.day = $3 AND (h.is_sudden OR h.moved_e6 >= $4) AND r.started_on <= $3 - 14"
    " ORDER BY h.agent_id LIMIT $2",
    ("agent_id",),
)


async def page(
    connection: asyncpg.Connection, read: Read, after: Sequence[str], limit: int, *arguments: object
) -> list[Any]:
    """Return the rows after a cursor."""
    return await connection.fetch(read.statement, *after, limit, *arguments)


_WRITE_CLUSTERS = """
INSERT INTO risk_clusters (org_id, cluster, organizations, seen_at)
SELECT *, $4::timestamptz FROM unnest($1::text[], $2::text[], $3::integer[])
"""


async def write_clusters(connection: asyncpg.Connection, found: Sequence[Sequence[str]], at: datetime) -> None:
    """Write the clusters anew; readers see the old ones until the transaction ends."""
    rows = [(org_id, f"cluster:{group[0]}", len(group)) for group in found for org_id in group]
    columns = [[row[place] for row in rows] for place in range(3)]
    await connection.execute("DELETE FROM risk_clusters")
    await connection.execute(_WRITE_CLUSTERS, *columns, at)


#: The digest is the id of the first organization. A link may be of an organization that was not created after all.
#: What operators ended stays ended.
_RELATE = """
INSERT INTO organization_traits AS t (org_id, kind, digest)
SELECT id, 'cluster', $2 FROM organizations WHERE id = ANY ($1) ORDER BY id
ON CONFLICT (org_id, kind, digest) DO UPDATE SET last_seen = EXCLUDED.last_seen
WHERE t.last_seen < EXCLUDED.last_seen - interval '1 day'
"""


async def relate(connection: asyncpg.Connection, group: Sequence[str]) -> None:
    """Give the organizations of a cluster a trait in common, so that evidence between them does not count."""
    await connection.execute(_RELATE, list(group), group[0])


async def bonuses(connection: asyncpg.Connection, org_ids: Sequence[str]) -> int:
    """Return how many of some organizations were rewarded for being referred."""
    counted = "SELECT count(*) FROM referrals WHERE org_id = ANY ($1) AND status = 'rewarded'"
    return int(await connection.fetchval(counted, list(org_ids)))


_RELEASES = """
SELECT substr(entity, 14) AS org_id, coalesce(sum(amount) FILTER (WHERE name = 'silent_releases'), 0)::bigint AS silent,
    coalesce(sum(amount) FILTER (WHERE name = 'deliveries'), 0)::bigint AS deliveries
FROM risk_counters
WHERE entity = ANY ($1) AND grain = 'd' AND start >= $2 AND name IN ('silent_releases', 'deliveries') GROUP BY entity
"""


async def releases(connection: asyncpg.Connection, org_ids: Sequence[str], since: datetime) -> list[Any]:
    """Return releases by silence and deliveries of organizations, as counted by decisions and outcomes."""
    return await connection.fetch(_RELEASES, [f"organization:{org_id}" for org_id in org_ids], since)


_OPEN_ESCROWS = """
SELECT e.id, e.currency, funded_minor - released_minor - refunded_minor - commission_minor AS held_minor
FROM escrow_parties p JOIN escrows e ON e.id = p.escrow_id
WHERE p.org_id = $1 AND p.status IN ('funded', 'delivered', 'disputed') AND e.payee_org_id = $1
ORDER BY e.id LIMIT 100
"""


async def open_escrows(connection: asyncpg.Connection, org_id: str) -> list[Any]:
    """Return the first 100 open escrows that pay an organization."""
    return await connection.fetch(_OPEN_ESCROWS, org_id)


_DECLINED = """
SELECT entity, sum(amount)::bigint AS declined FROM risk_counters
WHERE entity = ANY ($1) AND grain = 'm' AND start > $2 AND name = 'declined' GROUP BY entity
"""


async def declined(connection: asyncpg.Connection, entities: Sequence[str], since: datetime) -> dict[str, int]:
    """Return the declined payments of entities since a time."""
    return {row["entity"]: row["declined"] for row in await connection.fetch(_DECLINED, list(entities), since)}


#: A key or address is new if it came within the time before the payout account, and others are older than that.
_TAKEN_OVER = """
SELECT a.destination_changed_at, key.is_new AS new_key, address.is_new AS new_address, asked.minor AS asked_minor
FROM creator_accounts a
CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE created_at > a.destination_changed_at - $3::interval) > 0
        AND count(*) FILTER (WHERE created_at <= a.destination_changed_at - $3::interval) > 0 AS is_new
    FROM api_keys WHERE org_id = $1 AND created_at <= a.destination_changed_at) key
CROSS JOIN LATERAL (SELECT count(*) FILTER (WHERE first_seen > a.destination_changed_at - $3::interval) > 0
        AND count(*) FILTER (WHERE first_seen <= a.destination_changed_at - $3::interval) > 0 AS is_new
    FROM risk_links WHERE org_id = $1 AND entity LIKE 'address:%' AND first_seen <= a.destination_changed_at) address
CROSS JOIN LATERAL (SELECT coalesce(sum(value_minor), 0)::bigint AS minor FROM risk_decisions
    WHERE org_id = $1 AND point = 'payout' AND id > $4 AND created_at >= a.destination_changed_at) asked
WHERE a.org_id = $1 AND a.destination_changed_at > $2::timestamptz - $3::interval AND (key.is_new OR address.is_new)
"""


async def taken_over(connection: asyncpg.Connection, org_id: str, now: datetime, within: timedelta) -> Any | None:
    """Return how an organization came to a new payout account, if after a new key or address; None otherwise."""
    return await connection.fetchrow(_TAKEN_OVER, org_id, now, within, first_id("rsd", now - within))


_LATEST_CASE = """
SELECT id, status, created_at FROM risk_cases
WHERE kind = $1 AND "group" = $2 AND org_ids @> $3::text[] ORDER BY id DESC LIMIT 1
"""


async def latest_case(connection: asyncpg.Connection, kind: str, group: str, org_ids: Sequence[str]) -> Any | None:
    """Return the latest case of a kind and group, found by one of its organizations; None without one."""
    return await connection.fetchrow(_LATEST_CASE, kind, group, list(org_ids[:1]))


_BLOCK = """
INSERT INTO risk_list_items (id, list, entity, reason, ends_at, created_by, command_id, created_at)
SELECT $1, 'block', $2, 'Payments were tried with many instruments.', $3, 'risk', $4, $5 ON CONFLICT DO NOTHING
"""


async def block(
    connection: asyncpg.Connection, item_id: str, entity: str, earlier: int, now: datetime, lasts: timedelta
) -> None:
    """Put an entity on the block list, once for a number of earlier blocks."""
    await connection.execute(_BLOCK, item_id, entity, now + lasts, f"card_testing:{entity}:{earlier}", now)


async def blocks(connection: asyncpg.Connection, entity: str, now: datetime) -> tuple[int, bool]:
    """Return how often detectors blocked an entity, and whether one block is not over, or was ended by an operator."""
    counted = "SELECT count(*), coalesce(bool_or(ends_at > $2), false) FROM risk_list_items"
    row = await connection.fetchrow(
        f"{counted} WHERE entity = $1 AND list = 'block' AND created_by = 'risk'", entity, now
    )
    assert row is not None
    return row[0], row[1]
