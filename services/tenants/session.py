"""Sessions and the links that open them: creation, redemption and end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.entitlement import Entitlement, EntitlementUse, require_room
from domain.billing.plan import Plans
from domain.common.access import SECOND_KEYS, Actor, Role
from domain.common.errors import NotFound, PrincipalExists, Unauthenticated
from domain.tenants.session import MAX_SESSIONS, LinkGone, link_problem, session_lifetime
from models.tenants.api_key import ApiKey
from models.tenants.organization import Organization
from models.tenants.session import Session, SessionLink
from repositories.marketplace import agent as agents
from repositories.tenants import api_key as keys, audit, organization as organizations, session as sessions
from runtime.identity import new_id
from services.billing.entitlement import seat_limit


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeemingBrowser:
    """Browser that redeems a link."""

    secret_hash: bytes
    browser: str
    address: str | None
    request_id: str | None


async def open_session(session: AsyncSession, actor: Actor, row: Session) -> None:
    """Insert a session of a key, and end sessions of the key beyond the maximum."""
    await sessions.add(session, row, most=MAX_SESSIONS)
    await audit.record(session, actor, "session.open", row.id, {"browser": row.browser})


async def end(session: AsyncSession, actor: Actor, row: Session) -> None:
    """End a session. Idempotent."""
    if await sessions.end(session, row.id, actor.qualified()):
        await audit.record(session, actor, "session.end", row.id, {"principal": row.principal}, row.org_id)


async def end_link(session: AsyncSession, actor: Actor, row: SessionLink) -> None:
    """End a link and the session that it opened. Idempotent."""
    if await sessions.end_link(session, row.id, actor.qualified()):
        await audit.record(session, actor, "session_link.end", row.id, {"principal": row.principal}, row.org_id)


async def make_link(session: AsyncSession, actor: Actor, link: SessionLink, plans: Plans | None) -> SessionLink:
    """Insert a link and its audit entry.

    If the principal has a key, the actor must be allowed to issue it a second one. A principal has one role.

    Args:
        session: of the platform, because tenants cannot write links.
        actor: the creator, who may issue keys of its role.
        link: the new row.
        plans: for the limit of seats; None if seats are not limited.

    Raises:
        NotFound: there is no such organization, or no such agent of it.
    """
    organization = await organizations.get(session, link.org_id)
    await organizations.refuse_closed(session, link.org_id)
    # Locked, because a key that is issued to the principal concurrently would end its links.
    await keys.lock(session, link.org_id)
    if link.agent_id is not None:
        if (await agents.get(session, link.agent_id)).org_id != link.org_id:
            raise NotFound(agents.MISSING)
        await agents.refuse_retired(session, link.agent_id)
    held = await _held(session, link)
    own = (actor.org_id, actor.principal.lower()) == (link.org_id, link.principal.lower())
    if held and not own and actor.role not in SECOND_KEYS:
        raise PrincipalExists(
            f"The principal {link.principal} has a key and can sign in with it. Only an owner or an operator can make "
            "a link for it too."
        )
    if not held and plans is not None and link.role != Role.AGENT.value and not actor.is_platform:
        await _check_seat(session, organization, plans, link.principal)
    session.add(link)
    details = {"principal": link.principal, "role": link.role, "agent_id": link.agent_id}
    await session.flush()
    await session.refresh(link)
    await audit.record(session, actor, "session_link.create", link.id, details, link.org_id)
    return link


async def _held(session: AsyncSession, link: SessionLink) -> Sequence[ApiKey]:
    """Return the active keys of a link's principal; raise if their role or agent is not the link's."""
    held = await keys.active_of(session, link.org_id, link.principal)
    if any((key.role, key.agent_id) != (link.role, link.agent_id) for key in held):
        raise PrincipalExists(
            f"The principal {link.principal} has an active key for another role or agent. Name that role, or choose "
            "another principal."
        )
    return held


async def _check_seat(session: AsyncSession, organization: Organization, plans: Plans, principal: str) -> None:
    """Check that a seat is free for a principal without a key; otherwise links would be unpaid seats."""
    plan = plans.of(organization.tier)
    used = await keys.seats(session, organization.id) + await sessions.guests(
        session, organization.id, besides=principal
    )
    limit = await seat_limit(session, organization.id, plan)
    require_room(plans, plan, EntitlementUse(entitlement=Entitlement.SEATS, limit=limit, used=used))


async def open_link(session: AsyncSession, link_id: str, now: datetime) -> tuple[SessionLink, str]:
    """Return a usable link, and the name of its organization, without using it.

    Raises:
        Unauthenticated: the link is unknown.
        LinkGone: it was used, has expired or was ended.
    """
    link = await sessions.link(session, link_id)
    if link is None:
        raise Unauthenticated("The link is unknown. Ask for a new one.")
    problem = link_problem(expires_at=link.expires_at, used_at=link.used_at, ended_at=link.ended_at, now=now)
    if problem is None and not await keys.is_active(session, link.key_id):
        problem = LinkGone("ended")
    if problem is not None:
        raise problem
    await organizations.refuse_closed(session, link.org_id)
    await _held(session, link)
    return link, (await organizations.get(session, link.org_id)).name


async def redeem(
    session: AsyncSession, link_id: str, visit: RedeemingBrowser, now: datetime
) -> tuple[SessionLink, Session]:
    """Redeem a link and open its session; of concurrent calls one succeeds.

    Raises:
        Unauthenticated: the link is unknown.
        LinkGone: it was used, has expired or was ended.
    """
    link, _ = await open_link(session, link_id, now)
    # Locked, because a key of another role could be issued concurrently, or a person be revoked.
    await keys.lock(session, link.org_id)
    await _held(session, link)
    if not await sessions.use(session, link.id):
        raise LinkGone("used")
    is_accepted = link.by_mail and await keys.sign_in(session, link.key_id)
    until = None if link.by_mail else (await keys.get(session, link.key_id)).expires_at
    span = session_lifetime(Role(link.role), now=now, key_expires_at=until)
    row = Session(
        id=new_id("ses"),
        secret_hash=visit.secret_hash,
        key_id=link.key_id,
        link_id=None if link.by_mail else link.id,
        org_id=link.org_id,
        principal=link.principal,
        role=link.role,
        agent_id=link.agent_id,
        made_by=None if link.by_mail else link.made_by,
        browser=visit.browser,
        address=visit.address,
        idle_seconds=int(span.idle.total_seconds()),
        expires_at=span.expires_at,
    )
    await sessions.add(session, row, most=MAX_SESSIONS if link.by_mail else None)
    actor = Actor(
        principal=link.principal,
        role=Role(link.role),
        org_id=link.org_id,
        agent_id=link.agent_id,
        request_id=visit.request_id,
        address=visit.address,
        key_id=link.key_id if link.by_mail else None,
        session_id=row.id,
        made_by=row.made_by,
    )
    if is_accepted:
        await audit.record(session, actor, "invitation.accept", link.key_id, {"invited_by": link.made_by})
    if link.by_mail:
        await sessions.end_mailed(session, link.key_id, actor.qualified())
    await audit.record(session, actor, "session.open", row.id, {"browser": row.browser, "link_id": link.id})
    return link, row
