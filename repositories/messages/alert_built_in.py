"""Finds the subjects for which a built-in alert rule may have to fire or resolve. Needs a platform session."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.messages.alert.rules import COST_SPIKE, HIGH_ROI, LOW_CREDIT_BALANCE, PROVIDER_DOWN
from repositories.messages.alert_figure import SAME_HOURS, inbox_ages, same_hours


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltInFinding:
    """A built-in rule and a subject for which it may have to fire or resolve.

    Attributes:
        bad: whether its figure meets the condition.
        values: the values in the alert's text.
    """

    rule: str
    subject: str
    org_id: str | None
    bad: bool
    severity: str | None
    values: dict[str, int] = field(default_factory=dict)


#: Returns only subjects whose alert may change: bad and not firing, or firing and good now or at the last look.
_WORTH_A_LOOK = """
    coalesce(r.enabled, true) AND CASE WHEN s.phase = 'firing' THEN NOT f.bad OR s.good_since IS NOT NULL ELSE f.bad END
"""
#: The maximum number of rows; the next run finds the rest.
MOST = 2_000
# The hour stands in the statement: of one that it does not know the planner expects a third of all spends, beside which
# it takes any other table that the statement reads for small, and reads the whole of it.
_HOUR_AGO = "SELECT uuidv7(interval '-1 hour')"
_LOW = f"""
SELECT o.id AS subject, o.id AS org_id, f.bad, r.severity, f.available
FROM organizations o
CROSS JOIN LATERAL (
    SELECT coalesce(sum(s.amount - s.released - s.refunded), 0) AS spent FROM ledger.spends s
    WHERE s.org_id = o.id AND s.id > '{{hour_ago}}'
) h
JOIN ledger.accounts a ON a.path = 'org/' || o.id || '/credits' AND a.asset = 'CREDIT'
JOIN ledger.balances b ON b.account_id = a.id
CROSS JOIN LATERAL (
    SELECT h.spent > 0 AND b.posted - b.pending_out < 24 * h.spent AS bad, b.posted - b.pending_out AS available
) f
LEFT JOIN alert_rules r ON r.org_id = o.id AND r.name = '{LOW_CREDIT_BALANCE}' AND r.ended_at IS NULL
LEFT JOIN alert_rule_standings s ON s.rule = '{LOW_CREDIT_BALANCE}' AND s.subject = o.id AND s.place = ''
WHERE {_WORTH_A_LOOK} LIMIT {MOST}
"""
_SPIKES = f"""
SELECT o.id AS subject, o.id AS org_id, f.bad, r.severity, f.today, f.before
FROM organizations o
{SAME_HOURS.format(org="o.id")}
CROSS JOIN LATERAL (SELECT g.today, h.before, h.before > 0 AND g.today > 2 * h.before AS bad) f
LEFT JOIN alert_rules r ON r.org_id = o.id AND r.name = '{COST_SPIKE}' AND r.ended_at IS NULL
LEFT JOIN alert_rule_standings s ON s.rule = '{COST_SPIKE}' AND s.subject = o.id AND s.place = ''
WHERE {_WORTH_A_LOOK} LIMIT {MOST}
"""
# Each organization is looked at in one minute of six hours, because its figures are read from many rows. Not always the
# same of those of a minute are left out if there is no time for all.
_EARNERS = f"""
SELECT o.id AS org_id, coalesce(e.currency, 'CREDIT') AS currency, r.severity
FROM organizations o
LEFT JOIN LATERAL (
    SELECT v.currency FROM revenue_events v
    WHERE v.org_id = o.id AND v.occurred_at >= :since ORDER BY v.occurred_at DESC LIMIT 1
) e ON true
LEFT JOIN alert_rules r ON r.org_id = o.id AND r.name = '{HIGH_ROI}' AND r.ended_at IS NULL
WHERE mod(abs(hashtext(o.id)::bigint), 360) = :minute AND coalesce(r.enabled, true) AND (
    e.currency IS NOT NULL
    OR EXISTS (SELECT FROM alert_rule_standings s WHERE s.rule = '{HIGH_ROI}' AND s.org_id = o.id)
) ORDER BY random() LIMIT {MOST}
"""
_CURRENCIES = """
SELECT o.id AS org_id, coalesce((
    SELECT v.currency FROM revenue_events v
    WHERE v.org_id = o.id AND v.occurred_at >= :since ORDER BY v.occurred_at DESC LIMIT 1
), 'CREDIT') AS currency FROM organizations o WHERE o.id = ANY (:orgs)
"""
#: The minutes of an hour at which spending is compared, because that reads single spends.
_EVERY = 15
#: How many seconds a provider's webhooks may wait before the alert is raised.
DOWN_AFTER = 300
_PLATFORM_RULE = "SELECT enabled, severity FROM alert_rules WHERE org_id IS NULL AND name = :name AND ended_at IS NULL"


async def due(session: AsyncSession, now: datetime) -> list[BuiltInFinding]:
    """Return the built-in rules and subjects that may have to fire or resolve."""
    found = []
    hour_ago = (await session.execute(text(_HOUR_AGO))).scalar_one()
    asked: list[tuple[str, str, dict[str, object]]] = [(LOW_CREDIT_BALANCE, _LOW.format(hour_ago=hour_ago), {})]
    if now.minute % _EVERY == 0:
        asked.append((COST_SPIKE, _SPIKES, same_hours(now)))
    for rule, sql, values in asked:
        for row in (await session.execute(text(sql), values)).mappings():
            known = {name: int(value) for name, value in row.items() if name in {"available", "today", "before"}}
            found.append(
                BuiltInFinding(
                    rule=rule,
                    subject=row["subject"],
                    org_id=row["org_id"],
                    bad=row["bad"],
                    severity=row["severity"],
                    values=known,
                )
            )
    changed = (await session.execute(text(_PLATFORM_RULE), {"name": PROVIDER_DOWN})).one_or_none()
    if changed is None or changed.enabled:
        severity = None if changed is None else changed.severity
        for provider, age in (await inbox_ages(session, now)).items():
            bad = age > DOWN_AFTER
            found.append(
                BuiltInFinding(
                    rule=PROVIDER_DOWN, subject=provider, org_id=None, bad=bad, severity=severity, values={"age": age}
                )
            )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnRuleTarget:
    """An organization whose agents may earn, the currency of its latest revenue, and the severity of its rule."""

    org_id: str
    currency: str
    severity: str | None


async def return_rule_targets(session: AsyncSession, now: datetime, *, since: datetime) -> list[ReturnRuleTarget]:
    now = now.astimezone(UTC)
    rows = await session.execute(text(_EARNERS), {"since": since, "minute": (now.hour * 60 + now.minute) % 360})
    return [ReturnRuleTarget(**row._mapping) for row in rows]


async def currencies(session: AsyncSession, orgs: Collection[str], *, since: datetime) -> dict[str, str]:
    rows = await session.execute(text(_CURRENCIES), {"orgs": sorted(orgs), "since": since})
    return {row.org_id: row.currency for row in rows}
