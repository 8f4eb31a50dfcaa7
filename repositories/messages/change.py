"""Finds what has changed since the last look, from the outbox and the version of the credits account, by index.

Unlike `repositories/messages/event.py` it does not wait for open transactions, because readers want to know at once and
the order does not matter. The mark of a topic counts events whose position is final, plus each later one. So it also
grows when an older transaction commits late, and never decreases.
"""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.messages.changes import TOPICS_OF, marks_of

#: How far back the marks for all organizations look for the last event of a type.
RECENT = 1_000
#: The maximum number of events in one round, of one organization and of all.
MAX_ROUND, ROUND_OF_ALL = 1_000, 5_000

_OPEN = "pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
_CREDITS = """
    SELECT b.version FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
    WHERE a.path = 'org/' || {of} || '/credits' AND a.asset = 'CREDIT'
"""
_MARKS = text(f"""
    SELECT t.type AS type, coalesce(last.written_in, 0) + fresh.transactions AS place,
        coalesce(({_CREDITS.format(of="CAST(:org_id AS text)")}), 0) AS version
    FROM unnest(CAST(:types AS text[])) t (type)
    LEFT JOIN LATERAL (
        SELECT e.written_in FROM events e
        WHERE e.org_id = :org_id AND e.type = t.type AND e.written_in < (SELECT {_OPEN})
        ORDER BY e.written_in DESC LIMIT 1
    ) last ON true
    CROSS JOIN LATERAL (
        SELECT count(DISTINCT e.written_in) AS transactions FROM events e
        WHERE e.org_id = :org_id AND e.type = t.type AND e.written_in >= (SELECT {_OPEN})
    ) fresh
""")
#: The mark of a type without an event in the window is the beginning of the window, so it grows without news.
_MARKS_OF_ALL = text(f"""
    WITH recent AS MATERIALIZED (
        SELECT e.type, e.written_in FROM events e WHERE e.written_in < (SELECT {_OPEN})
        ORDER BY e.written_in DESC, e.id DESC LIMIT {RECENT}
    ), fresh AS MATERIALIZED (
        SELECT e.type, count(DISTINCT e.written_in) AS transactions FROM events e
        WHERE e.written_in >= (SELECT {_OPEN}) GROUP BY e.type
    ), first AS (
        SELECT CASE WHEN count(*) = {RECENT} THEN min(written_in) ELSE 0 END AS written_in FROM recent
    )
    SELECT t.type AS type, 0 AS version,
        coalesce((SELECT max(r.written_in) FROM recent r WHERE r.type = t.type), first.written_in)
            + coalesce((SELECT f.transactions FROM fresh f WHERE f.type = t.type), 0) AS place
    FROM first, unnest(CAST(:types AS text[])) t (type)
""")
_NEWS = """
    SELECT e.org_id, e.type FROM unnest($1::text[]) o (id), LATERAL (
        SELECT e.org_id, e.type, e.written_in FROM events e WHERE e.org_id = o.id AND e.written_in >= $3
        ORDER BY e.written_in DESC LIMIT {most}
    ) e WHERE NOT pg_visible_in_snapshot(e.written_in::text::xid8, $2::text::pg_snapshot)
"""
_NEWS_OF_ALL = """
    SELECT e.org_id, e.type FROM (
        SELECT e.org_id, e.type, e.written_in FROM events e WHERE e.written_in >= $3
        ORDER BY e.written_in DESC LIMIT {most}
    ) e WHERE NOT pg_visible_in_snapshot(e.written_in::text::xid8, $2::text::pg_snapshot)
"""
_ROUND = """
SELECT pg_current_snapshot()::text AS snapshot,
    (SELECT jsonb_agg(DISTINCT jsonb_build_array(n.org_id, n.type)) FROM ({news}) n)::text AS news,
    (SELECT jsonb_object_agg(o.id, b.version) FROM unnest($1::text[]) o (id)
        JOIN ledger.accounts a ON a.path = 'org/' || o.id || '/credits' AND a.asset = 'CREDIT'
        JOIN ledger.balances b ON b.account_id = a.id)::text AS versions,
    ARRAY(SELECT k.id FROM unnest($4::text[]) k (id) WHERE NOT EXISTS (
        SELECT FROM api_keys a WHERE a.id = k.id AND a.revoked_at IS NULL
            AND (a.expires_at IS NULL OR a.expires_at > now())
    ) UNION ALL SELECT s.id FROM unnest($5::text[]) s (id) WHERE NOT EXISTS (
        SELECT FROM sessions o WHERE o.id = s.id AND o.ended_at IS NULL AND o.expires_at > now()
            AND o.last_used_at + make_interval(secs => o.idle_seconds) > now()
    )) AS ended
"""
_OF_SOME = _ROUND.format(news=_NEWS.format(most=MAX_ROUND))
_OF_ALL = _ROUND.format(news=_NEWS_OF_ALL.format(most=ROUND_OF_ALL))


@dataclass(frozen=True, slots=True)
class Marks:
    """The mark of every topic, and the version of the credits account, which is part of the mark of the balance."""

    marks: Mapping[str, int]
    credits_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRound:
    """The result of a look.

    Attributes:
        snapshot: PostgreSQL's snapshot of the look, as text.
        news: the types of events committed since the previous look, by organization; None if that is unknown, because
            the server is another one or was restored to an earlier time.
        versions: the versions of the credits accounts, by organization.
        ended: keys and sessions that are not valid any more.
    """

    snapshot: str
    news: Mapping[str, Collection[str]] | None
    versions: Mapping[str, int]
    ended: Collection[str]


async def marks(session: AsyncSession, org_id: str | None) -> Marks:
    bound = {"types": list(TOPICS_OF), **({} if org_id is None else {"org_id": org_id})}
    rows = (await session.execute(_MARKS_OF_ALL if org_id is None else _MARKS, bound)).all()
    version = rows[0].version
    return Marks(marks_of({row.type: row.place for row in rows}, version), version)


async def find_changes(
    pool: "asyncpg.Pool[asyncpg.Record]",
    before: str | None,
    *,
    org_ids: Collection[str],
    of_all: bool,
    key_ids: Collection[str],
    session_ids: Collection[str] = (),
) -> ChangeRound:
    """Find what was committed since the previous look, in one statement. Needs the platform's role.

    It reads at most a thousand events of one organization, and five thousand of all. An event that commits late, behind
    that many younger ones, is not found, but the marks change.

    Args:
        pool: of the platform.
        before: the snapshot of the previous look; None for the first one, which finds no news.
        org_ids: the organizations whose news and versions are returned.
        of_all: whether news of all other organizations are returned as well.
        key_ids: the keys to check.
        session_ids: the sessions to check, also for being idle.
    """
    floor = None if before is None else _xmin(before)
    asked = (list(org_ids), before, floor, list(key_ids), list(session_ids))
    row = await pool.fetchrow(_OF_ALL if of_all else _OF_SOME, *asked)
    assert row is not None
    news: dict[str, set[str]] = {}
    for org_id, kind in json.loads(row["news"] or "[]"):
        news.setdefault(org_id, set()).add(kind)
    turned_back = floor is not None and _xmin(row["snapshot"]) < floor
    return ChangeRound(
        snapshot=row["snapshot"],
        news=None if turned_back else news,
        versions=json.loads(row["versions"] or "{}"),
        ended=row["ended"],
    )


def _xmin(snapshot: str) -> int:
    """Return the oldest transaction that was open in a snapshot, `xmin:xmax:others`."""
    return int(snapshot.partition(":")[0])
