"""Return on investment of agents, for alert rules."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import Invalid
from domain.messages.alert.conditions import WHOLE_E4, Reading
from domain.messages.alert.rules import HIGH_ROI, HIGH_ROI_ABOVE
from domain.returns.roi import RoiScope
from repositories.messages import alert_built_in, alert_figure, alert_rule
from repositories.messages.alert_built_in import BuiltInFinding
from repositories.messages.alert_figure import RuleFigure, WatchedRule
from services.returns import roi

#: The name of the metric.
AGENT_ROI = "agent.roi"
#: The number of whole days (UTC) before today in the period.
PERIOD_DAYS = timedelta(days=28)


async def read_agent_roi(
    session: AsyncSession, rules: Sequence[WatchedRule], now: datetime
) -> dict[str, list[RuleFigure]]:
    """Return the lower bound of each agent's ROI by the rule's id, filtered by the rule's agent.

    If an organization's ROI cannot be computed, its firing rules get an unknown figure, and stay firing.
    """
    orgs = {one.org_id for one in rules if one.org_id is not None}
    codes = await alert_built_in.currencies(session, orgs, since=_since(now))
    bounds = {org_id: await _bounds(session, org_id, codes[org_id], now) for org_id in sorted(orgs & set(codes))}
    unknown = {one.id for one in rules if bounds.get(one.org_id or "", {}) is None}
    found = defaultdict[str, list[RuleFigure]](list)
    for row in (await alert_rule.firing_states(session, unknown)).values() if unknown else ():
        found[row.rule].append(RuleFigure(subject=row.subject, reading=Reading()))
    for one in rules:
        found[one.id] += [
            RuleFigure(subject=agent_id, reading=Reading(value=max(0, bound), whole=WHOLE_E4))
            for agent_id, bound in (bounds.get(one.org_id or "") or {}).items()
            if one.rule.filters.get("agent_id", agent_id) == agent_id
        ]
    return found


async def high_returns(
    session: AsyncSession, now: datetime, *, within: timedelta, budget: timedelta
) -> list[BuiltInFinding]:
    """Return the agents of organizations due for a check, and whether each one's ROI is high.

    Organizations without a rate, with a statement longer than `within`, or not reached within `budget` of the
    transaction's beginning are left out until their next check; their alerts stay.
    """
    found = list[BuiltInFinding]()
    earners = await alert_built_in.return_rule_targets(session, now, since=_since(now))
    firing = (await alert_rule.firing_states(session, {HIGH_ROI})).values() if earners else ()
    for each in earners:
        if await alert_figure.elapsed(session) >= budget:
            break
        work = _bounds(session, each.org_id, each.currency, now)
        known = await alert_figure.within_timeout(session, work, within=within)
        if known is None:
            continue
        # What fires and has no figure any more is not high.
        bounds = dict.fromkeys((row.subject for row in firing if row.org_id == each.org_id), 0) | known
        found += [
            BuiltInFinding(
                rule=HIGH_ROI,
                subject=agent_id,
                org_id=each.org_id,
                bad=bound > HIGH_ROI_ABOVE,
                severity=each.severity,
                values={"percent": bound // 100},
            )
            for agent_id, bound in bounds.items()
        ]
    return found


async def _bounds(session: AsyncSession, org_id: str, currency: str, now: datetime) -> dict[str, int] | None:
    """Return the lower bound of each agent's ROI in ten-thousandths, for agents with enough days.

    None without a rate for the currency. An agent whose costs have no rate counts without revenue, so its ROI is not
    high.
    """
    since, until = _since(now).date(), now.astimezone(UTC).date()
    try:
        found = await roi.figures(
            session, org_id, scope=RoiScope.AGENT, since=since, until=until, currency=currency, now=now
        )
    except Invalid:
        return None
    return {
        each.id: int(each.roi_lower * WHOLE_E4) for each in found if each.id is not None and each.roi_lower is not None
    }


def _since(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(UTC).date(), time(), UTC) - PERIOD_DAYS
