"""Alert rules and their firing states. Writing needs a platform session; tenants read their own rules."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import NotFound
from domain.common.ids import is_id
from domain.messages.alert.firing import FiringState, Phase
from domain.messages.alert.kinds import Ladder, ladder_of
from domain.messages.alert.unusual import HourlyFigures
from models.messages.alert import Alert
from models.messages.alert_rule import AlertRule, AlertRuleHours, AlertRuleStanding

MISSING = "There is no such alert rule."


async def get(session: AsyncSession, rule_id: str) -> AlertRule:
    """Return a rule that is not ended.

    Raises:
        NotFound: there is none that the session may see.
    """
    row = None
    if is_id(rule_id, "rul"):
        row = await session.get(AlertRule, rule_id, populate_existing=True)
    if row is None or row.ended_at is not None:
        raise NotFound(MISSING)
    return row


async def named(session: AsyncSession, org_id: str | None, name: str) -> AlertRule | None:
    return (await session.scalars(_of(org_id).where(AlertRule.name == name))).one_or_none()


async def listed(session: AsyncSession, org_id: str | None) -> Sequence[AlertRule]:
    """Return the rules of an organization or of operators, including changes of built-in ones; newest first."""
    return (await session.scalars(_of(org_id).order_by(AlertRule.id.desc()))).all()


async def count(session: AsyncSession, org_id: str | None) -> int:
    query = select(func.count()).select_from(_of(org_id).where(AlertRule.metric.is_not(None)).subquery())
    return int((await session.execute(query)).scalar_one())


async def add(session: AsyncSession, row: AlertRule) -> AlertRule:
    session.add(row)
    await session.flush()
    await session.refresh(row)
    return row


async def due(session: AsyncSession, now: datetime, *, limit: int) -> Sequence[AlertRule]:
    """Lock and return rules that are due to be evaluated."""
    query = select(AlertRule).where(AlertRule.due_at <= now).order_by(AlertRule.due_at, AlertRule.id).limit(limit)
    return (await session.scalars(query.with_for_update(skip_locked=True))).all()


async def firing_states(session: AsyncSession, rules: Iterable[str]) -> dict[tuple[str, str, str], AlertRuleStanding]:
    """Return the firing states of rules, by rule, subject and place."""
    rows = await session.scalars(select(AlertRuleStanding).where(AlertRuleStanding.rule.in_(list(rules))))
    return {(row.rule, row.subject, row.place): row for row in rows}


def firing_state_of(row: AlertRuleStanding | None) -> FiringState:
    """Return the firing state of a row; the initial state without one."""
    if row is None:
        return FiringState()
    return FiringState(phase=Phase(row.phase), good_since=row.good_since, fired_at=row.fired_at)


async def put_firing_state(
    session: AsyncSession,
    rule: str,
    subject: str,
    place: str,
    standing: FiringState,
    *,
    org_id: str | None,
    alert_key: str | None,
) -> None:
    values = {
        "org_id": org_id,
        "phase": standing.phase.value,
        "good_since": standing.good_since,
        "fired_at": standing.fired_at,
        "alert_key": alert_key,
    }
    statement = insert(AlertRuleStanding).values(rule=rule, subject=subject, place=place, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["rule", "subject", "place"], set_=values))


async def hours(session: AsyncSession, rules: Collection[str]) -> dict[str, HourlyFigures]:
    rows = await session.scalars(select(AlertRuleHours).where(AlertRuleHours.rule.in_(rules)))
    return {row.rule: HourlyFigures(row.until, tuple(row.figures)) for row in rows}


async def put_hours(session: AsyncSession, rule: str, hours: HourlyFigures, *, org_id: str | None) -> None:
    values = {"org_id": org_id, "until": hours.until, "figures": list(hours.figures)}
    statement = insert(AlertRuleHours).values(rule=rule, **values)
    await session.execute(statement.on_conflict_do_update(index_elements=["rule"], set_=values))


async def forget(session: AsyncSession, rule: str, *, org_id: str | None = None) -> Sequence[str]:
    """Delete the firing states of a rule, of one organization if given, and return the keys of its firing alerts.

    The hourly figures that are kept of it go too.
    """
    statement = delete(AlertRuleStanding).where(AlertRuleStanding.rule == rule)
    if org_id is not None:
        statement = statement.where(AlertRuleStanding.org_id == org_id)
    await session.execute(delete(AlertRuleHours).where(AlertRuleHours.rule == rule))
    gone = await session.execute(statement.returning(AlertRuleStanding.phase, AlertRuleStanding.alert_key))
    return [key for phase, key in gone if phase == Phase.FIRING.value and key is not None]


async def end(session: AsyncSession, rule_id: str) -> None:
    ended = update(AlertRule).where(AlertRule.id == rule_id, AlertRule.ended_at.is_(None))
    await session.execute(ended.values(ended_at=func.now(), due_at=None, enabled=False))


def _of(org_id: str | None) -> Select[AlertRule]:
    return select(AlertRule).where(AlertRule.org_id.is_not_distinct_from(org_id), AlertRule.ended_at.is_(None))


#: The organization of an alert, and the rule that raised it.
Raised = tuple[str | None, str]


async def channels(session: AsyncSession, raised: Collection[Raised]) -> dict[Raised, frozenset[str]]:
    rows = await _that_raised(session, raised, AlertRule.channels.is_not(None))
    return {of: frozenset(each for row in found for each in row.channels or ()) for of, found in rows.items()}


async def ladders(session: AsyncSession, alerts: Collection[Alert]) -> dict[str, Ladder]:
    """Return the escalation steps of alerts, by their ids.

    The steps of the rule that raised an alert take precedence over those of its kind. For a built-in rule, the
    organization's setting takes precedence over that of operators.
    """
    raised = {(row.org_id, row.rule_id) for row in alerts if row.rule_id is not None}
    rows = await _that_raised(session, raised, AlertRule.ladder.is_not(None)) if raised else {}
    said = {of: max(found, key=lambda row: row.org_id is not None).ladder for of, found in rows.items() if found}
    return {row.id: ladder_of(row.kind, said.get((row.org_id, row.rule_id or ""))) for row in alerts}


async def _that_raised(
    session: AsyncSession, raised: Collection[Raised], says: ColumnElement[bool]
) -> dict[Raised, list[AlertRule]]:
    """Return the rules that raised alerts.

    A rule is found by its id, and the changes of a built-in one by its name.
    """
    rules = {rule for _, rule in raised}
    named = or_(AlertRule.id.in_(rules), and_(AlertRule.name.in_(rules), AlertRule.metric.is_(None)))
    rows = (await session.scalars(select(AlertRule).where(named, says, AlertRule.ended_at.is_(None)))).all()
    return {
        (org_id, rule): [
            row
            for row in rows
            if row.id == rule or (row.name == rule and row.metric is None and row.org_id in {org_id, None})
        ]
        for org_id, rule in raised
    }
