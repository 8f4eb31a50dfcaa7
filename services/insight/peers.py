"""Compares an organization or one of its agents with others that agreed to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.errors import Invalid, NotFound
from domain.insight.peers import MemberKind, PeerMetric, Reason, hands, positions
from domain.payments.auto_topup import month_of
from repositories.insight import peers as store
from repositories.insight.advice import Month
from repositories.marketplace import agent as agents
from repositories.tenants import audit
from repositories.tenants import organization as organizations

#: How long after its end a month is compared: what comes late is in it by then.
SETTLES = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Where a member stood in a month: the quarter, or the reason that there is none."""

    month: date
    category: str | None
    agreed_at: datetime | None
    quarter: int | None = None
    reason: Reason | None = None


async def compare(
    session: AsyncSession,
    org_id: str,
    metric: PeerMetric,
    *,
    agent_id: str | None,
    exempt: Sequence[str],
    now: datetime,
) -> Compared:
    """Return where an organization or its agent stood last month; the first who asks has its group computed.

    Args:
        session: of the platform, which sees the others.
        org_id: who asks.
        metric: the figure.
        agent_id: the agent, for figures of agents; None otherwise.
        exempt: who registers organizations for others.
        now: the time.

    Raises:
        NotFound: there is no such organization, or it has no such agent.
        Invalid: the figure is of agents and none is named, or the other way round.
    """
    if (metric.of is MemberKind.AGENT) != (agent_id is not None):
        need = "is of agents. Name one" if agent_id is None else "is of organizations. Leave the agent out"
        raise Invalid(f"The metric {metric.value} {need} with agent_id.", extra={"field": "agent_id"})
    organization = await organizations.get(session, org_id)
    member_id, category = org_id, organization.tier
    if agent_id is not None:
        agent = await agents.get(session, agent_id)
        if agent.org_id != org_id:
            raise NotFound(agents.MISSING)
        member_id, category = agent_id, agent.category or ""
    until = month_of(now - SETTLES)
    month = Month(since=month_of(until - timedelta(days=1)), until=until)
    agreed_at = organization.peers_agreed_at
    asked = Compared(month=month.first, category=category or None, agreed_at=agreed_at, reason=Reason.NOT_COUNTED)
    if agreed_at is None or agreed_at > month.since:
        return Compared(month=month.first, category=category or None, agreed_at=agreed_at, reason=Reason.NOT_AGREED)
    if not category:
        return asked
    found = await store.position(session, metric, category, member_id, month.first)
    if found is None and not await store.is_computed(session, metric, category, month.first):
        await _compute(session, metric, category, month, exempt)
        found = await store.position(session, metric, category, member_id, month.first)
    if found is None:
        return asked
    reason = None if found.reason is None else Reason(found.reason)
    return Compared(month=month.first, category=category, agreed_at=agreed_at, quarter=found.quarter, reason=reason)


async def _compute(
    session: AsyncSession, metric: PeerMetric, category: str, month: Month, exempt: Sequence[str]
) -> None:
    members = await store.members(session, metric, category, month)
    org_ids = sorted({member.org_id for member in members})
    owners = hands(org_ids, await store.traits(session, org_ids, exempt))
    await store.add(session, metric, category, month.first, positions(members, owners))


async def consent(session: AsyncSession, actor: Actor, org_id: str, *, agrees: bool, now: datetime) -> datetime | None:
    """Have an organization agree to be compared, or withdraw that; return since when it agrees.

    It counts from the first month that begins after it agreed. Needs the platform's session.

    Raises:
        NotFound: there is no such organization.
    """
    organization = await organizations.lock(session, org_id)
    if (organization.peers_agreed_at is not None) != agrees:
        organization.peers_agreed_at = now if agrees else None
        await session.flush()
        await audit.record(session, actor, "peers.consent", org_id, {"agrees": agrees}, org_id)
    return organization.peers_agreed_at
