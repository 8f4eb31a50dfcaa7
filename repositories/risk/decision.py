"""Statements of a decision against fraud: counters, links, facts and the decision itself. All need the platform's role.

They use asyncpg directly, one round trip each, because they are part of frequent acts.
"""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg

from domain.risk.act import EntityKind, Outcome, RiskAct, StoredDecision
from domain.risk.facts import WINDOWS, Counter, counter_fact
from domain.risk.rule import ListName

#: Written in the order of the primary key, so that concurrent decisions wait for each other and never in a circle. The
#: row of a day comes first: all decisions on an entity wait for it.
_COUNT = """
INSERT INTO risk_counters AS c (entity, grain, start, name, amount)
SELECT e, g.grain, date_trunc(g.unit, $4::timestamptz, 'UTC'), n.name, n.amount
FROM unnest($1::text[]) e, unnest($2::text[], $3::bigint[]) n(name, amount),
    (VALUES ('d', 'day'), ('h', 'hour'), ('m', 'minute')) g(grain, unit)
ORDER BY e, g.grain, n.name
ON CONFLICT (entity, grain, start, name) DO UPDATE SET amount = c.amount + EXCLUDED.amount
"""
_LINK = """
INSERT INTO risk_links AS l (entity, org_id, first_seen, last_seen)
SELECT e, $2, $3, $3 FROM unnest($1::text[]) e ORDER BY e
ON CONFLICT (entity, org_id) DO UPDATE SET last_seen = EXCLUDED.last_seen
WHERE l.last_seen < EXCLUDED.last_seen - interval '1 day'
"""
#: The first minute, hour or day of a window is as long before now as the window lasts.
_COUNTED = """
SELECT entity, name,
    coalesce(sum(amount) FILTER (WHERE grain = 'm' AND start > $3::timestamptz - interval '10 minutes'), 0)::bigint
        AS "10m",
    coalesce(sum(amount) FILTER (WHERE grain = 'm'), 0)::bigint AS "1h",
    coalesce(sum(amount) FILTER (WHERE grain = 'h'), 0)::bigint AS "1d",
    coalesce(sum(amount) FILTER (WHERE grain = 'd'), 0)::bigint AS "30d"
FROM (
    SELECT * FROM risk_counters WHERE entity = ANY ($6) AND grain = 'm' AND start > $3::timestamptz - interval '1 hour'
    UNION ALL
    SELECT * FROM risk_counters WHERE entity = ANY ($6) AND grain = 'h' AND start > $3::timestamptz - interval '1 day'
    UNION ALL
    SELECT * FROM risk_counters WHERE entity = ANY ($6) AND grain = 'd' AND start > $3::timestamptz - interval '30 days'
) counted
GROUP BY entity, name
"""
_OTHERS = """
SELECT
    (SELECT extract(epoch FROM $3::timestamptz - created_at)::bigint / 3600 FROM organizations WHERE id = $1)
        AS organization_age_hours,
    (SELECT extract(epoch FROM $3::timestamptz - created_at)::bigint / 3600 FROM agents WHERE id = $5)
        AS agent_age_hours,
    (SELECT extract(epoch FROM $3::timestamptz - created_at)::bigint / 60 FROM api_keys WHERE id = $4)
        AS key_age_minutes,
    (SELECT extract(epoch FROM $3::timestamptz - created_at)::bigint / 60 FROM api_keys WHERE org_id = $1
        ORDER BY created_at DESC LIMIT 1) AS newest_key_minutes,
    (SELECT count(*) FROM risk_links WHERE org_id = $1 AND entity LIKE 'instrument:%'
        AND first_seen > $3::timestamptz - interval '1 hour') AS instruments_1h,
    (SELECT count(*) FROM risk_links WHERE org_id = $1 AND entity LIKE 'instrument:%'
        AND first_seen > $3::timestamptz - interval '1 day') AS instruments_1d,
    (SELECT max(amount) FROM risk_counters WHERE entity = 'organization:' || $1 AND grain = 'h'
        AND start > $3::timestamptz - interval '30 days' AND start < date_trunc('hour', $3::timestamptz, 'UTC')
        AND name = 'spent_value')
        AS spent_peak_1h_30d,
    -- Of the organization's new instruments, because one that is entered at the provider is known only afterwards.
    (SELECT max(shared.count) FROM (
        SELECT entity FROM risk_links WHERE org_id = $1 AND entity LIKE 'instrument:%'
            AND first_seen > $3::timestamptz - interval '1 day' ORDER BY first_seen DESC LIMIT 20
    ) own, LATERAL (SELECT count(*) FROM (
        SELECT FROM risk_links l
        WHERE l.entity = own.entity AND l.last_seen > $3::timestamptz - interval '1 day' LIMIT 51
    ) others) shared) AS instrument_organizations_1d,
    (SELECT organizations FROM risk_clusters WHERE org_id = $1) AS cluster_organizations,
    (SELECT count(*) FROM (SELECT FROM payouts WHERE org_id = $1 LIMIT 10) made) AS payouts_before,
    $2::text <> $1 AND (EXISTS (
        SELECT FROM risk_clusters a JOIN risk_clusters b USING (cluster) WHERE a.org_id = $1 AND b.org_id = $2
    ) OR EXISTS (
        SELECT FROM organization_traits a JOIN organization_traits b USING (kind, digest)
        WHERE a.org_id = $1 AND b.org_id = $2 AND kind IN ('card', 'bank', 'paypal', 'payout_account')
            AND a.ended_at IS NULL AND b.ended_at IS NULL
    )) AS linked
"""
#: Organizations that shared an entity within a day. More than 50 count as 51.
_SHARED = """
SELECT e AS entity, (SELECT count(*) FROM (
    SELECT FROM risk_links WHERE entity = e AND last_seen > $3::timestamptz - interval '1 day' LIMIT 51) shared)
FROM unnest($7::text[]) e
"""
#: All facts of the database in one round trip.
_FACTS = f"""
SELECT others.*, (SELECT jsonb_agg(c)::text FROM ({_COUNTED}) c) AS counted,
    (SELECT jsonb_agg(s)::text FROM ({_SHARED}) s) AS shared
FROM ({_OTHERS}) others
"""
_LISTED = """
SELECT DISTINCT list FROM risk_list_items
WHERE entity = ANY ($1) AND removed_at IS NULL AND ends_at > $2 AND created_at <= $2
"""
_INSERT = """
INSERT INTO risk_decisions (id, point, org_id, counterparty_org_id, principal, subject, command_id, outcome, rule,
    rule_version, shadow, facts, entities, value_minor, score, case_id, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::jsonb, $12::jsonb, $13, $14, $15::jsonb, $16, $17)
ON CONFLICT (command_id, point) DO NOTHING RETURNING id
"""
_OF_COMMAND = """
SELECT d.id, d.outcome, d.rule, d.case_id, d.created_at, d.label, c.status, c.state->>'result' AS result
FROM risk_decisions d LEFT JOIN risk_cases c ON c.id = d.case_id
WHERE d.command_id = $1 AND d.point = $2
"""
#: Facts that are shared entities' organizations, by kind.
_SHARING = {
    EntityKind.INSTRUMENT: "instrument_organizations_1d",
    EntityKind.ADDRESS: "address_organizations_1d",
    EntityKind.DEVICE: "device_organizations_1d",
    EntityKind.PAYOUT_ACCOUNT: "payout_account_organizations",
    EntityKind.ARTIFACT: "artifact_organizations",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The stored decision of a command. `result` is its case's, once that is decided."""

    verdict: StoredDecision
    result: str | None


@asynccontextmanager
async def savepoint(connection: asyncpg.Connection, *, lock_timeout: timedelta) -> AsyncIterator[None]:
    """Open a savepoint with a limit of each wait for a lock.

    An exception, also of a time-out, rolls back to it and leaves the transaction usable.
    """
    await connection.execute(
        f"SAVEPOINT risk; SET LOCAL lock_timeout = {lock_timeout // timedelta(milliseconds=1) + 1}"
    )
    try:
        yield
    except BaseException:
        await connection.execute("ROLLBACK TO SAVEPOINT risk")
        raise
    await connection.execute("RELEASE SAVEPOINT risk; SET LOCAL lock_timeout = 0")


async def of_command(connection: asyncpg.Connection, act: RiskAct) -> Known | None:
    """Return the decision of an act's command; None if it is new."""
    row = await connection.fetchrow(_OF_COMMAND, act.command_id, act.point.value)
    if row is None:
        return None
    verdict = StoredDecision(
        decision_id=row["id"],
        outcome=Outcome(row["outcome"]),
        at=row["created_at"],
        rule=row["rule"],
        case_id=row["case_id"],
    )
    return Known(verdict=verdict, result=row["result"] if row["status"] in {"decided", "closed"} else None)


async def count(
    connection: asyncpg.Connection, entities: Sequence[str], amounts: Mapping[Counter, int], at: datetime
) -> None:
    """Add to the counters of entities, in the minute, hour and day of `at`."""
    if entities and amounts:
        names = [counter.value for counter in amounts]
        await connection.execute(_COUNT, list(entities), names, list(amounts.values()), at)


async def link(connection: asyncpg.Connection, entities: Sequence[str], org_id: str, at: datetime) -> None:
    """Link an organization with the entities that it used."""
    if entities:
        await connection.execute(_LINK, list(entities), org_id, at)


async def facts(
    connection: asyncpg.Connection,
    act: RiskAct,
    entities: Mapping[EntityKind, str],
    counted: Sequence[str],
    at: datetime,
) -> dict[str, int]:
    """Return the facts of counters, links and ages that are not 0."""
    kinds = {entity: kind for kind, entity in entities.items()}
    shared = [entity for kind, entity in entities.items() if kind in _SHARING]
    who = (act.org_id, act.counterparty_org_id, at, act.actor.key_id, act.actor.agent_id)
    row = await connection.fetchrow(_FACTS, *who, list(counted), shared)
    assert row is not None
    others = dict(row)
    found: dict[str, int] = {}
    for each in json.loads(others.pop("counted") or "[]"):
        for window in WINDOWS:
            found[counter_fact(kinds[each["entity"]].value, each["name"], window)] = each[window]
    for each in json.loads(others.pop("shared") or "[]"):
        found[_SHARING[kinds[each["entity"]]]] = each["count"]
    for name, value in others.items():
        found[name] = max(int(value or 0), found.get(name, 0))
    return {name: value for name, value in found.items() if value}


async def listed(connection: asyncpg.Connection, entities: Sequence[str], at: datetime) -> frozenset[ListName]:
    """Return the lists that have one of the entities."""
    rows = await connection.fetch(_LISTED, list(entities), at)
    return frozenset(ListName(row["list"]) for row in rows)


async def store(
    connection: asyncpg.Connection,
    act: RiskAct,
    verdict: StoredDecision,
    *,
    version: int | None,
    shadow: Mapping[str, Outcome],
    facts: Mapping[str, int | str],
    entities: Sequence[str],
    value_minor: int,
    score: Mapping[str, Any] | None,
) -> bool:
    """Store a decision; return False if a concurrent request of the command has stored one."""
    stored = await connection.fetchval(
        _INSERT,
        *(verdict.decision_id, act.point.value, act.org_id, act.counterparty_org_id, act.actor.qualified()),
        *(act.subject, act.command_id, verdict.outcome.value, verdict.rule, version, json.dumps(shadow)),
        *(json.dumps(facts), list(entities), value_minor, None if score is None else json.dumps(score)),
        *(verdict.case_id, verdict.at),
    )
    return stored is not None
