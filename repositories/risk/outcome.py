"""Statements of the reader of events that counts what follows from acts, and of the end of what decisions store.

All need the platform's role.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic_core import to_json
from sqlalchemy import Text, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncSession

from domain.risk.facts import Counter
from repositories.common.listing import first_id

#: The subject of each decision, or the payment of its command: a payment that was requested again after a review has
#: another id than the one that was decided.
_DECISIONS = text("""
SELECT d.subject, d.id, d.entities, d.value_minor FROM risk_decisions d
WHERE d.subject = ANY (:subjects) AND d.point IN ('payment', 'topup', 'refund')
UNION ALL
SELECT c.payment_id, d.id, d.entities, d.value_minor
FROM payment_commands c JOIN risk_decisions d ON d.command_id = c.command_id AND d.point IN ('payment', 'topup')
WHERE c.payment_id = ANY (:subjects) AND d.subject <> c.payment_id
""").bindparams(bindparam("subjects", type_=ARRAY(Text)))
_REPEATED = text("""
SELECT w.id, w.types FROM unnest(:ids, :types) w (id, types) JOIN events e ON e.id = w.id
WHERE EXISTS (
    SELECT FROM events f WHERE f.subject = e.subject AND f.org_id = e.org_id AND f.subject_seq < e.subject_seq
        AND f.type = ANY (string_to_array(w.types, ','))
)
""").bindparams(bindparam("ids", type_=ARRAY(Text)), bindparam("types", type_=ARRAY(Text)))
_SILENT = text("""
SELECT e.id FROM events e
WHERE e.id = ANY (:ids) AND EXISTS (
    SELECT FROM escrow_events x WHERE x.escrow_id = e.subject AND x.kind = 'review_expired' AND x.at = e.at
)
""").bindparams(bindparam("ids", type_=ARRAY(Text)))
#: Rows in the order of `repositories.risk.decision`, so that decisions and this reader never wait in a circle.
_COUNT = text("""
INSERT INTO risk_counters AS c (entity, grain, start, name, amount)
SELECT f.entity, g.grain, date_trunc(g.unit, f.at::timestamptz, 'UTC'), f.name, sum(f.amount)
FROM jsonb_to_recordset(CAST(:facts AS jsonb)) AS f (entity text, name text, at text, amount bigint),
    (VALUES ('d', 'day'), ('h', 'hour'), ('m', 'minute')) g (grain, unit)
GROUP BY 1, 2, 3, 4 ORDER BY f.entity, g.grain, f.name, 3
ON CONFLICT (entity, grain, start, name) DO UPDATE SET amount = c.amount + EXCLUDED.amount
""")
_LABEL = text("""
UPDATE risk_decisions d SET label = 'fraud', label_at = l.at::timestamptz
FROM jsonb_to_recordset(CAST(:labels AS jsonb)) AS l (id text, at text)
WHERE d.id = l.id AND d.label IS DISTINCT FROM 'fraud'
""")
#: What is deleted, its condition in the order of an index, and how long it is kept.
_KEPT = timedelta(days=396)
_ENDED = (
    ("risk_counters", "grain = 'm' AND start < :before ORDER BY start", timedelta(days=1)),
    ("risk_counters", "grain = 'h' AND start < :before ORDER BY start", timedelta(days=31)),
    ("risk_counters", "grain = 'd' AND start < :before ORDER BY start", timedelta(days=400)),
    ("risk_decisions", "id < :first_kept ORDER BY id", _KEPT),
    ("risk_links", "last_seen < :before ORDER BY last_seen", _KEPT),
)


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision of a payment or refund: its id, the stored entities, and the value."""

    decision_id: str
    entities: Sequence[str]
    value_minor: int


@dataclass(frozen=True, slots=True)
class Count:
    """An addition to a counter of an entity, at the time of the event."""

    entity: str
    name: Counter
    at: datetime
    amount: int


async def decisions_of(session: AsyncSession, subjects: Iterable[str]) -> dict[str, Decided]:
    """Return the decisions of payments and refunds by their ids."""
    rows = await session.execute(_DECISIONS, {"subjects": sorted(subjects)})
    return {row[0]: Decided(*row[1:]) for row in rows}


async def repeated(session: AsyncSession, once: Iterable[tuple[str, Sequence[str]]]) -> set[tuple[str, str]]:
    """Return those of events, with types joined by commas, whose subject has an earlier event of the types."""
    given = list(once)
    asked = {"ids": [event_id for event_id, _ in given], "types": [",".join(types) for _, types in given]}
    return {(row.id, row.types) for row in await session.execute(_REPEATED, asked)} if given else set()


async def silent(session: AsyncSession, ids: Sequence[str]) -> set[str]:
    """Return those of events of releases that happened because nobody reviewed the delivery in time."""
    return set(await session.scalars(_SILENT, {"ids": list(ids)})) if ids else set()


async def count(session: AsyncSession, counts: Iterable[Count]) -> None:
    """Add to counters in the minute, hour and day of each event, in one statement."""
    rows = [{"entity": c.entity, "name": c.name.value, "at": c.at, "amount": c.amount} for c in counts]
    if rows:
        await session.execute(_COUNT, {"facts": to_json(rows).decode()})


async def label_fraud(session: AsyncSession, decisions: Mapping[str, datetime]) -> None:
    """Label decisions as fraud, each with the time when that became known; a label `fraud` stays as it is."""
    if decisions:
        rows = [{"id": decision_id, "at": at} for decision_id, at in sorted(decisions.items())]
        await session.execute(_LABEL, {"labels": to_json(rows).decode()})


async def forget(session: AsyncSession, now: datetime, limit: int) -> int:
    """Delete up to `limit` counters, decisions and links whose time is over, and return their number."""
    gone = 0
    for table, ended, kept in _ENDED:
        # By place, because a join with the found rows might read the whole table.
        found = f"ARRAY(SELECT ctid FROM {table} WHERE {ended} LIMIT :limit)"
        deleted = f"DELETE FROM {table} WHERE ctid = ANY ({found}) RETURNING 1"
        named = {"first_kept": first_id("rsd", now - kept)} if "first_kept" in ended else {"before": now - kept}
        statement = text(f"WITH gone AS ({deleted}) SELECT count(*) FROM gone")
        gone += (await session.execute(statement, {**named, "limit": limit - gone})).scalar_one()
    return gone
