"""Evaluation of alert rules, which raises and resolves alerts. Every function needs the platform's session."""

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.money import CREDIT, format_amount
from domain.messages.alert import firing, rules
from domain.messages.alert.firing import FiringAction, FiringTerms, Phase
from domain.messages.alert.rules import BUILT_IN, BUILT_IN_TERMS, Rule
from models.messages.alert_rule import AlertRule, AlertRuleStanding
from repositories.messages import alert, alert_built_in, alert_figure, alert_rule
from repositories.messages.alert_built_in import BuiltInFinding
from repositories.messages.alert_figure import RuleFigure, WatchedRule
from services.messages import agent_roi

log = structlog.get_logger("bursar.alerts")

#: The resolver of rules' alerts.
RESOLVED_BY = "rule"
#: The delay of the next evaluation if a figure took too long to read.
POSTPONED = timedelta(minutes=15)
#: How long one transaction reads figures. Up to two more reads may follow, and the sweep times out after a minute.
BUDGET = timedelta(seconds=30)


async def evaluate_due_rules(session: AsyncSession, now: datetime, *, limit: int, within: timedelta) -> int:
    """Evaluate the rules that are due, and set when each is evaluated next.

    A rule whose figure takes too long to read is postponed by `POSTPONED`.

    Args:
        session: of the platform, in a transaction that has just begun.
        now: the time.
        limit: the maximum number of rules.
        within: the time limit of one statement; it must be shorter than the driver's.

    Returns:
        The number of rules that were due, at most `limit`.
    """
    rows = await alert_rule.due(session, now, limit=limit)
    watched = {row.id: WatchedRule(id=row.id, org_id=row.org_id, rule=_rule(row)) for row in rows}
    figures, slow = await _figures(session, list(watched.values()), now, within)
    standings = await alert_rule.firing_states(session, watched)
    for row in rows:
        if row.id in slow:
            row.due_at = now + POSTPONED
        if row.id not in figures:
            continue
        rule, found = watched[row.id].rule, figures[row.id]
        is_firing = False
        for figure in found:
            held = standings.pop((row.id, figure.subject, figure.place), None)
            is_firing |= await _look(session, row, rule, figure, held, now)
        left = [standing for key, standing in standings.items() if key[0] == row.id]
        await _delete_states(session, left)
        last = max((figure.reading.last_at for figure in found if figure.reading.last_at is not None), default=None)
        is_behind = any(figure.reading.is_behind for figure in found)
        row.due_at = rules.next_evaluation_at(rule, now, last, is_firing=is_firing, is_behind=is_behind)
    await session.flush()
    return len(rows)


async def _figures(
    session: AsyncSession, watched: Sequence[WatchedRule], now: datetime, within: timedelta
) -> tuple[Mapping[str, Sequence[RuleFigure]], set[str]]:
    """Return the figures of rules by rule id, and the ids of rules that took too long.

    Rules of one metric are read together; if that takes too long, each is read by itself. After a slow rule, the other
    rules of its organization are read last. Reading stops after `BUDGET`, but not before one rule is read or found too
    slow; rules in neither result stay due.
    """
    by_metric = defaultdict[tuple[str, str | None], list[WatchedRule]](list)
    for one in watched:
        # Returns are read of one organization after the other.
        together = None if one.rule.metric.name != agent_roi.AGENT_ROI else one.org_id
        by_metric[one.rule.metric.name, together].append(one)
    waiting, later = deque(by_metric.values()), deque[list[WatchedRule]]()
    figures, slow, slow_of = dict[str, Sequence[RuleFigure]](), set[str](), set[str | None]()
    while waiting or later:
        if waiting and len(waiting[0]) == 1 and waiting[0][0].org_id in slow_of:
            later.append(waiting.popleft())
            continue
        if (figures or slow) and await alert_figure.elapsed(session) >= BUDGET:
            break
        these = waiting.popleft() if waiting else later.popleft()
        by = agent_roi.read_agent_roi if these[0].rule.metric.name == agent_roi.AGENT_ROI else alert_figure.read_figures
        read = await alert_figure.read_within(session, these, now, within=within, by=by)
        if read is not None:
            figures |= read
        elif len(these) > 1:
            waiting.extendleft([one] for one in reversed(these))
        else:
            log.warning("alert_rules.too_slow", rule_id=these[0].id, org_id=these[0].org_id)
            slow.add(these[0].id)
            slow_of.add(these[0].org_id)
    return figures, slow


async def evaluate_built_in_rules(session: AsyncSession, now: datetime) -> int:
    """Evaluate the built-in rules with a figure, except that on ROI; returns the number of changed alerts."""
    return await _update_alerts(session, await alert_built_in.due(session, now), now)


async def evaluate_return_rule(session: AsyncSession, now: datetime, *, within: timedelta) -> int:
    """Evaluate the built-in rule on ROI for organizations due for a check; returns the number of changed alerts.

    Args:
        session: of the platform, in a new transaction for this rule only, because it may take long.
        now: the time.
        within: the time limit of one statement; it must be shorter than the driver's.
    """
    return await _update_alerts(session, await agent_roi.high_returns(session, now, within=within, budget=BUDGET), now)


async def _update_alerts(session: AsyncSession, found: Sequence[BuiltInFinding], now: datetime) -> int:
    """Raise and resolve the alerts of built-in rules, and return their number."""
    standings = await alert_rule.firing_states(session, {one.rule for one in found})
    done = 0
    for one in found:
        held = standings.get((one.rule, one.subject, ""))
        before = alert_rule.firing_state_of(held)
        after, act = firing.evaluate(BUILT_IN_TERMS[one.rule], before, one.bad, now)
        key = None if held is None else held.alert_key
        if act is FiringAction.FIRE:
            window = _moment(now)
            key = alert.key_of(one.rule, one.subject, org_id=one.org_id, rule_id=one.rule, window=window)
            await alert.raise_alert(
                session,
                kind=one.rule,
                subject=one.subject,
                detail=_words(one),
                org_id=one.org_id,
                shared=one.org_id is not None,
                for_operators=one.org_id is None,
                severity=one.severity or BUILT_IN[one.rule].severity,
                rule_id=one.rule,
                window=window,
            )
        elif act is FiringAction.RESOLVE and key is not None:
            await alert.resolve(session, key, RESOLVED_BY)
        done += act is not None
        if after != before and not (held is None and after.phase is Phase.ARMED):
            await alert_rule.put_firing_state(
                session, one.rule, one.subject, "", after, org_id=one.org_id, alert_key=key
            )
    return done


async def raise_built_in(
    session: AsyncSession, name: str, *, subject: str, detail: str, window: str, org_id: str | None
) -> bool:
    """Raise the alert of a built-in rule whose figure is an event, unless the rule is disabled.

    Args:
        session: of the platform.
        name: of the rule.
        subject: the id of the subject.
        detail: the fact, and the next steps.
        window: identifies the occurrence, such as the attempt or the night; there is one alert for each.
        org_id: the organization, which cannot read the alert if the rule is one of operators.

    Returns:
        Whether it is a new alert.
    """
    rule = BUILT_IN[name]
    row = await alert_rule.named(session, None if rule.for_platform else org_id, name)
    if row is not None and not row.enabled:
        return False
    return await alert.raise_alert(
        session,
        kind=name,
        subject=subject,
        detail=detail,
        org_id=org_id,
        shared=not rule.for_platform,
        for_operators=rule.for_platform,
        severity=rule.severity if row is None else row.severity,
        rule_id=name,
        window=window,
    )


async def _look(
    session: AsyncSession, row: AlertRule, rule: Rule, figure: RuleFigure, held: AlertRuleStanding | None, now: datetime
) -> bool:
    before = alert_rule.firing_state_of(held)
    after, act = firing.evaluate(_terms(row, rule, figure), before, rule.condition.is_bad(figure.reading, now), now)
    key = None if held is None else held.alert_key
    if act is FiringAction.FIRE:
        window = figure.place or _moment(now)
        key = alert.key_of(row.name, figure.subject, org_id=row.org_id, rule_id=row.id, window=window)
        detail = rules.detail_of(rule, figure.reading)
        await alert.raise_alert(
            session,
            kind=row.name,
            subject=figure.subject,
            detail=detail if row.description is None else f"{row.description}\n{detail}",
            org_id=row.org_id,
            shared=row.org_id is not None,
            for_operators=row.org_id is None,
            severity=row.severity,
            rule_id=row.id,
            window=window,
        )
    elif act is FiringAction.RESOLVE and key is not None:
        await alert.resolve(session, key, RESOLVED_BY)
    needless = held is None and after.phase is Phase.ARMED and not rule.condition.is_edge
    if after != before and not needless:
        await alert_rule.put_firing_state(
            session, row.id, figure.subject, figure.place, after, org_id=row.org_id, alert_key=key
        )
    return after.phase is Phase.FIRING


def _terms(row: AlertRule, rule: Rule, figure: RuleFigure) -> FiringTerms:
    """Return the firing terms for a figure; for a spending limit, once per window."""
    terms = rule.terms()
    if figure.begun_at is None:
        return terms
    return firing.terms_after_start(replace(terms, quiet=None), began_good=row.updated_at <= figure.begun_at)


async def _delete_states(session: AsyncSession, left: Sequence[AlertRuleStanding]) -> None:
    """Delete states without a figure and resolve their alerts, because the window ended or the subject is gone."""
    for standing in left:
        if standing.phase == Phase.FIRING.value and standing.alert_key is not None:
            await alert.resolve(session, standing.alert_key, RESOLVED_BY)
        await session.delete(standing)


def _rule(row: AlertRule) -> Rule:
    assert row.metric is not None
    assert row.condition is not None
    return rules.rule_of(
        name=row.name,
        metric=row.metric,
        filters={name: str(value) for name, value in row.filters.items()},
        condition=row.condition,
        window_seconds=row.window_seconds,
        cool_down_seconds=row.cool_down_seconds,
        asset=row.asset,
    )


def _moment(now: datetime) -> str:
    return f"{now:%Y-%m-%dT%H:%M:%S.%fZ}"


def _words(found: BuiltInFinding) -> str:
    if found.rule == rules.HIGH_ROI:
        return (
            f"The return of {found.subject} on its costs in the last 28 days is at least {found.values['percent']} %. "
            "See GET /economics/roi."
        )
    amounts = {name: f"{format_amount(value, CREDIT)} {CREDIT}" for name, value in found.values.items()}
    match found.rule:
        case rules.LOW_CREDIT_BALANCE:
            left = amounts["available"]
            return f"{left} are available, which run out within a day at the pace of the last hour. Add credits."
        case rules.COST_SPIKE:
            return (
                f"{amounts['today']} were spent today, more than twice the {amounts['before']} until the same "
                "hour of the same day last week. Look at GET /credits/usage/summary for what it was spent on."
            )
    age = found.values["age"]
    return f"What {found.subject} says has waited for {age} s to be handled. Check whether the provider responds."
