"""Compares an organization or one of its agents with others that agreed to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor
from domain.common.errors import Invalid, NotFound
from domain.insight.peers import MemberKind, PeerMetric, PeerReason, owner_groups, rank_members
from domain.payments.auto_topup import month_start
from repositories.insight import peers as store
from repositories.insight.advice import Month
from repositories.marketplace import agent as agents
from repositories.tenants import audit, organization as organizations

#: How long after its end a month is compared: what comes late is in it by then.
SETTLES = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerQuery:
    """A question: whose figure in which group and month; `reason` says that there is no answer, whatever others have.

    `category` is empty for an agent without one.
    """

    metric: PeerMetric
    month: Month
    category: str
    member_id: str
    agreed_at: datetime | None
    reason: PeerReason | None = None


@dataclass(frozen=True, slots=True)
class PeerResult:
    """The quarter of its group in which a member stands, or the reason that there is none."""

    quarter: int | None
    reason: PeerReason | None


async def peer_query(
    session: AsyncSession, org_id: str, metric: PeerMetric, *, agent_id: str | None, now: datetime
) -> PeerQuery:
    """Return the question of an organization about itself or its agent, for the latest month that is compared.

    Raises:
        NotFound: there is no such organization, or it has no such agent.
        Invalid: the figure is of agents and none is named, or the other way round.
    """
    if (metric.of is MemberKind.AGENT) != (agent_id is not None):
        need = "is of agents. Name one in agent_id" if agent_id is None else "is of organizations. Leave agent_id out"
        raise Invalid(f"The metric {metric.value} {need}.", extra={"field": "agent_id"})
    organization = await organizations.get(session, org_id)
    member_id, category = org_id, organization.tier
    if agent_id is not None:
        agent = await agents.get(session, agent_id)
        if agent.org_id != org_id:
            raise NotFound(agents.MISSING)
        member_id, category = agent_id, agent.category or ""
    until = month_start(now - SETTLES)
    month = Month(since=month_start(until - timedelta(days=1)), until=until)
    agreed_at = organization.peers_agreed_at
    reason = None if category else PeerReason.NOT_COUNTED
    if agreed_at is None or agreed_at > month.since:
        reason = PeerReason.NOT_AGREED
    return PeerQuery(
        metric=metric, month=month, category=category, member_id=member_id, agreed_at=agreed_at, reason=reason
    )


async def compute(session: AsyncSession, asked: PeerQuery, exempt: Sequence[str]) -> None:
    """Compute the group of a question, once for its month. Needs the platform's session, which sees the others.

    Args:
        session: of the platform.
        asked: the question.
        exempt: who registers organizations for others.
    """
    metric, category, month = asked.metric, asked.category, asked.month
    if await store.is_computed(session, metric, category, month.first):
        return
    members = await store.members(session, metric, category, month)
    org_ids = sorted({member.org_id for member in members})
    owners = owner_groups(org_ids, await store.traits(session, org_ids, exempt))
    await store.add(session, metric, category, month.first, rank_members(members, owners))


async def peer_result(session: AsyncSession, asked: PeerQuery) -> PeerResult:
    """Return where the member of a question stands, after `compute`. The session may be of the organization."""
    found = await store.position(session, asked.metric, asked.category, asked.member_id, asked.month.first)
    if found is None:
        return PeerResult(None, PeerReason.NOT_COUNTED)
    return PeerResult(found.quarter, None if found.reason is None else PeerReason(found.reason))


async def set_consent(
    session: AsyncSession, actor: Actor, org_id: str, *, agrees: bool, now: datetime
) -> datetime | None:
    """Have an organization agree to be compared, or end that; return since when it agrees.

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
