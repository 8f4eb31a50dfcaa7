"""Figures of alert rules, read for many rules at once. Needs a platform session.

Balances and counters are read from the ledger, past days from daily sums, and days without sums from single rows.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, TypeVar, cast
from uuid import UUID

from sqlalchemy import RowMapping, func, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.ids import uuid_id, uuid_of
from domain.messages.alert import unusual
from domain.messages.alert.conditions import Reading
from domain.messages.alert.metrics import ConditionType
from domain.messages.alert.rules import DAY, Rule
from domain.payments.payment.options import CREDITS, CRYPTO, PAYPAL, STRIPE
from repositories.credits.spend_alert import OPERATING
from repositories.credits.spend_id_range import first_id, first_open_days
from repositories.messages import alert_rule

#: How far back rules on absence search for the last occurrence; no rule has a longer period.
BACK = timedelta(days=62)
#: The maximum delay between the time of a row and its number.
LATE = timedelta(hours=3)
#: The maximum time of a statement.
TOO_LONG = timedelta(seconds=4)
_CANCELED = "57014"
_WEEK = timedelta(days=7)
PROVIDERS = (STRIPE, PAYPAL, CRYPTO, CREDITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedRule:
    """Rule whose figure is read, with its id and its organization.

    Attributes:
        until: the end of the time that its figure is read of; None for now.
    """

    id: str
    org_id: str | None
    rule: Rule
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFigure:
    """Figure of a rule.

    Attributes:
        subject: the id of what was measured.
        reading: the value.
        place: the window of a spending limit; empty for other figures.
        begun_at: when that window began, with a figure of zero.
    """

    subject: str
    reading: Reading
    place: str = ""
    begun_at: datetime | None = None


_T = TypeVar("_T")
Reader = Callable[[AsyncSession, Sequence[WatchedRule], datetime], Coroutine[Any, Any, dict[str, list[RuleFigure]]]]
#: For each rule: the beginning of single rows, and the daily sums before them.
_ASKED = """
    unnest(
        CAST(:rules AS text[]), CAST(:orgs AS text[]), CAST(:agents AS text[]), CAST(:departments AS text[]),
        CAST(:controls AS uuid[]), CAST(:providers AS text[]), CAST(:since AS timestamptz[]),
        CAST(:until AS timestamptz[]), CAST(:first_ids AS uuid[]), CAST(:last_ids AS uuid[]),
        CAST(:first_payments AS text[]), CAST(:last_payments AS text[]), CAST(:first_days AS date[]),
        CAST(:end_days AS date[]), CAST(:first_changes AS uuid[])
    ) AS r (rule, org_id, agent_id, department_id, control_id, provider, since, until, first_id, last_id, first_payment,
        last_payment, first_day, end_day, first_change)
"""
_OF_SPENDS = """
    s.org_id = r.org_id AND (r.agent_id IS NULL OR s.agent_id = r.agent_id)
    AND (r.department_id IS NULL OR s.department_id = r.department_id)
"""
_DAY = "(s.at AT TIME ZONE 'UTC')::date"
#: Daily sums have what was captured by the end of the day. Reservations that were open then are read now, and refunds
#: are subtracted. So captures and refunds count at the time of the spend, with any filter.
_OF_DAYS = f"""
    (SELECT coalesce(sum(s.captured), 0) FROM spend_days s
     WHERE {_OF_SPENDS} AND s.day >= r.first_day AND s.day < r.end_day)
    + (SELECT coalesce(sum(s.captured), 0)
       FROM spend_rollups o CROSS JOIN unnest(o.open_spends) AS u (id)
       JOIN ledger.spends s ON s.org_id = o.org_id AND s.id = u.id
       WHERE o.org_id = r.org_id AND o.day >= r.first_day AND o.day < r.end_day AND {_OF_SPENDS})
    - (SELECT coalesce(sum(c.amount), 0)
       FROM ledger.spend_changes c JOIN ledger.spends s ON s.org_id = c.org_id AND s.id = c.spend_id
       WHERE r.first_day < r.end_day AND c.kind = 'refund' AND c.org_id = r.org_id AND c.id >= r.first_change
           AND {_OF_SPENDS} AND {_DAY} >= r.first_day AND {_DAY} < r.end_day)
"""
_SPENT = f"""
SELECT r.rule, coalesce(n.used, 0) + coalesce(d.used, 0) AS value
FROM {_ASKED}
CROSS JOIN LATERAL (
    SELECT sum(s.captured - s.refunded)::bigint AS used FROM ledger.spends s
    WHERE {_OF_SPENDS} AND s.id >= r.first_id AND s.id < r.last_id AND s.at >= r.since AND s.at < r.until
) n
CROSS JOIN LATERAL (SELECT ({_OF_DAYS})::bigint AS used) d
"""
#: An hour is read at its end: open reservations count, because late captures would otherwise be missed.
_SPENT_OR_HELD = _SPENT.replace("s.captured - s.refunded", "s.amount - s.released - s.refunded")
#: Daily sums contain the last spend of the day.
_LAST_SPENT = f"""
SELECT r.rule, coalesce((
    SELECT s.at FROM ledger.spends s WHERE {_OF_SPENDS} AND s.id >= r.first_id ORDER BY s.id DESC LIMIT 1
), (
    SELECT s.at FROM ledger.spends s WHERE s.org_id = r.org_id AND s.id = (
        SELECT max(p.last_id::text)::uuid FROM spend_places p
        WHERE p.org_id = r.org_id AND p.day >= r.first_day AND p.day < r.end_day
            AND p.kind = CASE
                WHEN r.agent_id IS NOT NULL THEN 'agent' WHEN r.department_id IS NOT NULL THEN 'department' ELSE 'all'
            END
            AND p.value = coalesce(r.agent_id, r.department_id, '')
    )
)) AS last_at
FROM {_ASKED}
"""
_OF_PAYMENTS = "{org} p.id >= r.first_payment AND (r.provider IS NULL OR p.provider = r.provider)"
_PAYMENTS = f"""
SELECT r.rule, p.made, p.failed
FROM {_ASKED}
CROSS JOIN LATERAL (
    SELECT count(*) AS made, count(*) FILTER (WHERE p.status = 'failed') AS failed FROM payments p
    WHERE {_OF_PAYMENTS} AND p.id < r.last_payment AND p.created_at >= r.since AND p.created_at < r.until
) p
"""
_LAST_PAYMENT = f"""
SELECT r.rule, (
    SELECT p.created_at FROM payments p WHERE {_OF_PAYMENTS} {{failed}} ORDER BY p.id DESC LIMIT 1
) AS last_at
FROM {_ASKED}
"""
_USAGE = f"""
SELECT r.rule, (
    SELECT count(*) FROM usage_events e
    WHERE e.org_id = r.org_id AND e.occurred_at >= r.since AND e.occurred_at < r.until
) + coalesce((
    SELECT sum(d.events)::bigint FROM usage_days d
    WHERE d.org_id = r.org_id AND d.dimension = 'all' AND d.day >= r.first_day AND d.day < r.end_day
), 0) AS value
FROM {_ASKED}
"""
_LAST_USAGE = f"""
SELECT r.rule, (
    SELECT e.occurred_at FROM usage_events e
    WHERE e.org_id = r.org_id AND e.occurred_at >= r.since AND e.occurred_at < r.until
    ORDER BY e.occurred_at DESC LIMIT 1
) AS last_at
FROM {_ASKED}
"""
_AVAILABLE = f"""
SELECT r.rule, coalesce(b.posted - b.pending_out, 0) AS value
FROM {_ASKED}
LEFT JOIN ledger.accounts a ON a.path = 'org/' || r.org_id || '/credits' AND a.asset = 'CREDIT'
LEFT JOIN ledger.balances b ON b.account_id = a.id AND b.stripe = 0
"""
_USED = f"""
SELECT r.rule, n."window", n.starts_at, n.held + n.spent + n.forced - n.refunded AS value,
    {OPERATING} AS whole
FROM {_ASKED}
JOIN ledger.controls c ON c.id = r.control_id AND c.org_id = r.org_id AND c.status <> 'closed'
JOIN ledger.counters n ON n.control_id = c.id AND n.starts_at <= :now AND n.ends_at > :now AND n.pool = 'operating'
JOIN LATERAL unnest(c.windows, c.amounts) AS w ("window", amount) ON w."window" = n."window" AND w.amount IS NOT NULL
"""
_SCORES = f"""
SELECT r.rule, a.stars_e6 / 1000 AS value, (
    SELECT h.stars_e6 / 1000 FROM generate_series(0, 30) AS g
    JOIN reputation_history h ON h.day = r.end_day - 7 - g AND h.agent_id = r.agent_id
    ORDER BY h.day DESC LIMIT 1
) AS before
FROM {_ASKED} JOIN reputation_agents a ON a.agent_id = r.agent_id
"""
#: Today until now, and the same hours of the same day last week. Single spends of that day are read only if today's sum
#: is at least a quarter of the whole day's.
SAME_HOURS = """
LEFT JOIN ledger.credit_days d ON d.org_id = {org} AND d.day = :today
LEFT JOIN ledger.credit_days w ON w.org_id = {org} AND w.day = :today - 7
CROSS JOIN LATERAL (
    SELECT coalesce(d.used - d.refunded, 0) AS today, coalesce(w.used - w.refunded, 0) AS whole
) g
CROSS JOIN LATERAL (
    SELECT coalesce(sum(s.captured - s.refunded), 0)::bigint AS before FROM ledger.spends s
    WHERE g.whole > 0 AND 4 * g.today >= g.whole AND s.org_id = {org}
        AND s.id >= :week_first_id AND s.id < :week_last_id AND s.at >= :week_since AND s.at < :week_until
) h
"""
_SPIKE = f"SELECT r.rule, g.today, h.before FROM {_ASKED} {SAME_HOURS.format(org='r.org_id')}"
_INBOX = """
SELECT e.provider, extract(epoch FROM CAST(:now AS timestamptz) - min(e.received_at))::bigint AS age
FROM provider_events e WHERE e.handled_at IS NULL GROUP BY e.provider
"""


async def read_figures(
    session: AsyncSession, rules: Sequence[WatchedRule], now: datetime
) -> dict[str, list[RuleFigure]]:
    """Return the figures of rules by rule id, without rules whose subject is gone."""
    by_metric: dict[str, list[WatchedRule]] = defaultdict(list)
    for one in rules:
        by_metric[one.rule.metric.name].append(one)
    found: dict[str, list[RuleFigure]] = {}
    for metric, these in by_metric.items():
        found |= await _READERS[metric](session, these, now)
    return found


async def read_within(
    session: AsyncSession, rules: Sequence[WatchedRule], now: datetime, *, within: timedelta, by: Reader
) -> dict[str, Sequence[RuleFigure]] | None:
    """Return the figures of rules, read by `by`, for existing subjects; None if a statement takes too long.

    The server cancels a statement after `within`, and the transaction continues. `within` must be shorter than the
    driver's timeout, which would close the connection.
    """
    found = await within_timeout(session, by(session, rules, now), within=within)
    return None if found is None else {one.id: found.get(one.id, ()) for one in rules}


async def within_timeout(session: AsyncSession, work: Coroutine[Any, Any, _T], *, within: timedelta) -> _T | None:
    """Return what is read with a limit for each statement, as `read_within`; None if one takes too long."""
    try:
        async with session.begin_nested():
            await session.execute(text(f"SET LOCAL statement_timeout = {within // timedelta(milliseconds=1)}"))
            found = await work
            await session.execute(text("SET LOCAL statement_timeout TO DEFAULT"))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _CANCELED:
            raise
        return None
    return found


async def elapsed(session: AsyncSession) -> timedelta:
    """Return the age of the transaction."""
    spans = await session.scalars(select(func.clock_timestamp() - func.transaction_timestamp()))
    return cast("timedelta", spans.one())


async def _one_each(
    session: AsyncSession,
    sql: str,
    rules: Sequence[WatchedRule],
    now: datetime,
    *,
    org: str = "",
    opened: Mapping[str, date] = {},
) -> dict[str, RowMapping]:
    """Return the result of a query for each rule; operators' rules about payments cover all organizations.

    `opened` has the first day without daily sums, by rule, if sums are written later than the end of the day.
    """
    statement = sql.replace("{org}", org)
    asked = _asked(rules, now, opened)
    if ":now" in statement:
        asked["now"] = now
    rows = (await session.execute(text(statement), asked)).mappings()
    return {row["rule"]: row for row in rows}


async def _of_payments(
    session: AsyncSession, sql: str, rules: Sequence[WatchedRule], now: datetime, opened: Mapping[str, date] = {}
) -> dict[str, RowMapping]:
    found: dict[str, RowMapping] = {}
    own, of_all = [r for r in rules if r.org_id is not None], [r for r in rules if r.org_id is None]
    if own:
        found |= await _one_each(session, sql, own, now, org="p.org_id = r.org_id AND", opened=opened)
    if of_all:
        found |= await _one_each(session, sql, of_all, now, opened=opened)
    return found


def _asked(rules: Sequence[WatchedRule], now: datetime, opened: Mapping[str, date] = {}) -> dict[str, Any]:
    columns: dict[str, list[Any]] = defaultdict(list)
    for one in rules:
        until = one.until or now
        span = _span(one.rule, until, opened.get(one.id))
        filters = one.rule.filters
        control = filters.get("control_id")
        values = {
            "rules": one.id,
            "orgs": one.org_id,
            "agents": filters.get("agent_id"),
            "departments": filters.get("department_id"),
            "controls": None if control is None else uuid_of(control),
            "providers": filters.get("provider"),
            "since": span.since,
            "until": until,
            "first_ids": first_id(span.since),
            "last_ids": first_id(until + LATE),
            "first_payments": _first_payment(span.since - LATE),
            "last_payments": _first_payment(until + LATE),
            "first_days": span.first_day,
            "end_days": span.end_day,
            "first_changes": first_id(datetime.combine(span.first_day, time(), UTC)),
        }
        for name, value in values.items():
            columns[name].append(value)
    return dict(columns)


@dataclass(frozen=True, slots=True)
class _Span:
    """Beginning of single rows, and range of earlier days that are read from daily sums."""

    since: datetime
    first_day: date
    end_day: date


def _span(rule: Rule, now: datetime, opened: date | None = None) -> _Span:
    today = now.astimezone(UTC).date()
    end_day = today if opened is None else min(today, opened)
    begins = datetime.combine(end_day, time(), UTC)
    if rule.condition.type is ConditionType.ABSENT_FOR:
        back = now - BACK
        return _Span(back, today, today) if opened is None else _Span(begins, back.astimezone(UTC).date(), end_day)
    if rule.window <= DAY:
        return _Span(now - rule.window, today, today)
    first_day = today - timedelta(days=rule.window // DAY - 1)
    return _Span(max(begins, datetime.combine(first_day, time(), UTC)), first_day, end_day)


def _first_payment(since: datetime) -> str:
    unix_ms = max(0, int(since.timestamp() * 1000))
    return uuid_id("pay", UUID(int=unix_ms << 80))


def _plain(rules: Sequence[WatchedRule], readings: dict[str, Reading]) -> dict[str, list[RuleFigure]]:
    return {
        one.id: [RuleFigure(subject=one.rule.subject(one.org_id), reading=readings[one.id])]
        for one in rules
        if one.id in readings
    }


async def _flow(
    session: AsyncSession,
    rules: Sequence[WatchedRule],
    now: datetime,
    sums: Callable[[Sequence[WatchedRule], datetime], Awaitable[dict[str, Reading]]],
    last: Callable[[Sequence[WatchedRule], datetime], Awaitable[dict[str, RowMapping]]],
) -> dict[str, list[RuleFigure]]:
    """Read a sum over the window, the same last week if needed, the time of the last occurrence, or sums of hours."""
    readings: dict[str, Reading] = {}
    absent = [r for r in rules if r.rule.condition.type is ConditionType.ABSENT_FOR]
    hourly = [r for r in rules if r.rule.condition.type is ConditionType.UNUSUAL]
    summed = [r for r in rules if r.rule.condition.type not in {ConditionType.ABSENT_FOR, ConditionType.UNUSUAL}]
    compared = [r for r in summed if r.rule.condition.type is ConditionType.CHANGES_BY]
    if absent:
        readings |= {rule: Reading(last_at=row["last_at"]) for rule, row in (await last(absent, now)).items()}
    if hourly:
        readings |= await _unusual(session, hourly, now, sums)
    if summed:
        readings |= await sums(summed, now)
    if compared:
        for rule, before in (await sums(compared, now - _WEEK)).items():
            readings[rule] = replace(readings[rule], before=before.value)
    return _plain(rules, readings)


async def _unusual(
    session: AsyncSession,
    rules: Sequence[WatchedRule],
    now: datetime,
    sums: Callable[[Sequence[WatchedRule], datetime], Awaitable[dict[str, Reading]]],
) -> dict[str, Reading]:
    """Read missing hours, see `unusual.hours_to_read`, and evaluate the rules that have all of them."""
    kept = await alert_rule.hours(session, [one.id for one in rules])
    ends = {one.id: unusual.hours_to_read(kept.get(one.id), now) for one in rules}
    hourly = [
        replace(one, id=f"{one.id} {end.isoformat()}", rule=replace(one.rule, window=unusual.HOUR), until=end)
        for one in rules
        for end in ends[one.id]
    ]
    read = await sums(hourly, now)
    readings = dict[str, Reading]()
    for one in rules:
        figures = [read[f"{one.id} {end.isoformat()}"].value or 0 for end in ends[one.id]]
        hours = unusual.merge_hours(kept.get(one.id), ends[one.id], figures)
        await alert_rule.put_hours(session, one.id, hours, org_id=one.org_id)
        is_behind = hours.is_behind(now)
        readings[one.id] = Reading(
            value=None if is_behind else figures[-1],
            is_unusual=None if is_behind else unusual.is_unusual(hours.figures),
            is_behind=is_behind,
        )
    return readings


async def _opened(session: AsyncSession, rules: Sequence[WatchedRule], now: datetime) -> dict[str, date]:
    """Return the first day without daily sums of spends, by rule."""
    today = now.astimezone(UTC).date()
    of = {one.org_id for one in rules if one.org_id is not None}
    days = await first_open_days(session, of, since=today - BACK)
    return {one.id: days.get(one.org_id or "", today) for one in rules}


async def _spent(session: AsyncSession, rules: Sequence[WatchedRule], now: datetime) -> dict[str, list[RuleFigure]]:
    opened = await _opened(session, rules, now)

    async def sums(these: Sequence[WatchedRule], at: datetime) -> dict[str, Reading]:
        found = dict[str, Reading]()
        by_hour = [one for one in these if one.until is not None]
        for sql, part in ((_SPENT, [one for one in these if one.until is None]), (_SPENT_OR_HELD, by_hour)):
            rows = await _one_each(session, sql, part, at, opened=opened) if part else {}
            found |= {rule: Reading(value=row["value"]) for rule, row in rows.items()}
        return found

    async def last(these: Sequence[WatchedRule], at: datetime) -> dict[str, RowMapping]:
        return await _one_each(session, _LAST_SPENT, these, at, opened=opened)

    return await _flow(session, rules, now, sums, last)


async def _usage(session: AsyncSession, rules: Sequence[WatchedRule], now: datetime) -> dict[str, list[RuleFigure]]:
    async def sums(these: Sequence[WatchedRule], at: datetime) -> dict[str, Reading]:
        rows = await _one_each(session, _USAGE, these, at)
        return {rule: Reading(value=row["value"]) for rule, row in rows.items()}

    async def last(these: Sequence[WatchedRule], at: datetime) -> dict[str, RowMapping]:
        return await _one_each(session, _LAST_USAGE, these, at)

    return await _flow(session, rules, now, sums, last)


async def _payments(session: AsyncSession, rules: Sequence[WatchedRule], now: datetime) -> dict[str, list[RuleFigure]]:
    async def sums(these: Sequence[WatchedRule], at: datetime) -> dict[str, Reading]:
        names = {one.id: one.rule.metric.name for one in these}
        # No day of payments is added up.
        rows = await _of_payments(session, _PAYMENTS, these, at, dict.fromkeys(names, date.min))
        return {
            rule: Reading(
                value=row["made" if names[rule] == "payments.started" else "failed"],
                whole=None if names[rule] == "payments.started" else row["made"],
            )
            for rule, row in rows.items()
        }

    async def last(these: Sequence[WatchedRule], at: datetime) -> dict[str, RowMapping]:
        failed = these[0].rule.metric.name == "payments.failed"
        sql = _LAST_PAYMENT.replace("{failed}", "AND p.status = 'failed'" if failed else "")
        return await _of_payments(session, sql, these, at)

    return await _flow(session, rules, now, sums, last)


async def _available(session: AsyncSession, rules: Sequence[WatchedRule], now: datetime) -> dict[str, list[RuleFigure]]:
    rows = await _one_each(session, _AVAILABLE, rules, now)
    ending = [r for r in rules if r.rule.condition.type is ConditionType.RUNS_OUT_WITHIN]
    opened = await _opened(session, ending, now)
    paces = await _one_each(session, _SPENT, ending, now, opened=opened) if ending else {}
    readings = {rule: Reading(value=row["value"]) for rule, row in rows.items()}
    for one in ending:
        seconds = int((now - _span(one.rule, now).since).total_seconds())
        if one.rule.window > DAY:
            seconds += int((one.rule.window - DAY).total_seconds())
        pace = paces[one.id]["value"]
        readings[one.id] = replace(readings[one.id], pace=max(0, pace), pace_seconds=max(1, seconds))
    return _plain(rules, readings)


async def _used(session: AsyncSession, rules: Sequence[WatchedRule], now: datetime) -> dict[str, list[RuleFigure]]:
    rows = (await session.execute(text(_USED), _asked(rules, now) | {"now": now})).mappings()
    subjects = {one.id: one.rule.subject(one.org_id) for one in rules}
    found: dict[str, list[RuleFigure]] = {one.id: [] for one in rules}
    for row in rows:
        figure = RuleFigure(
            subject=subjects[row["rule"]],
            reading=Reading(value=row["value"], whole=row["whole"]),
            place=f"{row['window']}:{int(row['starts_at'].timestamp())}",
            begun_at=row["starts_at"],
        )
        found[row["rule"]].append(figure)
    return found


async def _scores(session: AsyncSession, rules: Sequence[WatchedRule], now: datetime) -> dict[str, list[RuleFigure]]:
    rows = await _one_each(session, _SCORES, rules, now)
    return _plain(rules, {rule: Reading(value=row["value"], before=row["before"]) for rule, row in rows.items()})


def same_hours(now: datetime) -> dict[str, object]:
    """Return today, and the bounds of the same hours of the same day last week."""
    now = now.astimezone(UTC)
    since, until = datetime.combine(now.date(), time(), UTC) - _WEEK, now - _WEEK
    # A spend gets its number when it is made, which may be a little before or after its time.
    return {
        "today": now.date(),
        "week_since": since,
        "week_until": until,
        "week_first_id": first_id(since),
        "week_last_id": first_id(until + LATE),
    }


async def _spike(session: AsyncSession, rules: Sequence[WatchedRule], now: datetime) -> dict[str, list[RuleFigure]]:
    rows = (await session.execute(text(_SPIKE), _asked(rules, now) | same_hours(now))).mappings()
    # Where last week has nothing to compare with, nothing is above it.
    return _plain(
        rules,
        {
            row["rule"]: Reading(value=max(0, row["today"]), whole=row["before"])
            if row["before"] > 0
            else Reading(value=0, whole=1)
            for row in rows
        },
    )


async def _inbox(session: AsyncSession, rules: Sequence[WatchedRule], now: datetime) -> dict[str, list[RuleFigure]]:
    ages = await inbox_ages(session, now)
    return {
        one.id: [
            RuleFigure(subject=provider, reading=Reading(value=age))
            for provider, age in ages.items()
            if one.rule.filters.get("provider", provider) == provider
        ]
        for one in rules
    }


async def inbox_ages(session: AsyncSession, now: datetime) -> dict[str, int]:
    """Return the age in seconds of the oldest unhandled webhook of each provider; zero without one."""
    rows = (await session.execute(text(_INBOX), {"now": now})).all()
    return dict.fromkeys(PROVIDERS, 0) | {provider: max(0, age) for provider, age in rows}


_READERS: dict[str, Reader] = {
    "credits.available": _available,
    "credits.used": _spent,
    "spend_control.used": _used,
    "payments.started": _payments,
    "payments.failed": _payments,
    "payments.failed_share": _payments,
    "usage.events": _usage,
    "reputation.score": _scores,
    "inbox.oldest": _inbox,
    "credits.used_to_last_week": _spike,
}
