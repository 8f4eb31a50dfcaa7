"""The caller's identity, and sessions: open them with a key, list and end them."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from api.auth import ActorDep, IdentityDep
from api.deps import DepsDep
from api.errors import errors
from api.idempotency import MayRepeat
from api.keyring import new_secret
from api.lists import CREATED, Items, ListEndpoint, ListRequest, items_of
from api.pictures import picture_url
from api.routing import Resource
from api.tenancy import visible_organization
from api.v1.changes.schemas import MarksView
from api.v1.sessions.schemas import (
    MeAgent,
    MeOrganization,
    MePreferences,
    MePreferencesSet,
    MeSession,
    MeView,
    SessionCreate,
    SessionCreated,
    SessionView,
)
from api.v1.spends.own import confined_key
from domain.common.access import Actor, Permission, Role
from domain.common.calendar import zone_of
from domain.common.errors import Forbidden, NotFound, SessionNeedsKey
from domain.messages.changes import topics_for
from domain.tenants.session import browser_of, idle_at, session_lifetime
from domain.tenants.token import hash_of, token_of
from models.tenants.session import Session
from repositories.marketplace import agent as agents
from repositories.messages import change as changes, notification as notifications
from repositories.messages.change import Marks
from repositories.tenants import api_key as keys, organization as organizations, session as sessions
from runtime.identity import new_id
from services.tenants import session as service

router = Resource(tags=["sessions"])

WithMarks = Annotated[bool, Query(description="Also return the marks of `GET /changes`.")]
WithUnread = Annotated[bool, Query(description="Also return the number of unread notifications.")]


@router.get("/me", operation_id="sessions.me")
async def get_me(
    request: Request,
    deps: DepsDep,
    actor: ActorDep,
    identity: IdentityDep,
    marks: WithMarks = False,
    unread: WithUnread = False,
) -> MeView:
    """Show the caller: the principal, its role and permissions, and the session if there is one.

    With `marks`, a page that follows changes needs only this call to begin.
    """
    organization = agent = session = None
    shown: Marks | None = None
    count: int | None = None
    async with deps.session_for(actor) as reading:
        if actor.org_id is not None:
            row = await organizations.get(reading, actor.org_id)
            logo_url = picture_url(f"/organizations/{row.id}/logo", row.picture_sha256)
            organization = MeOrganization(id=row.id, name=row.name, tier=row.tier, logo_url=logo_url)
            if actor.agent_id is not None:
                agent = MeAgent(id=actor.agent_id, name=(await agents.get(reading, actor.agent_id)).name)
        if marks and actor.may(Permission.READ):
            shown = await changes.marks(reading, actor.org_id)
        await notifications.as_principal(reading, actor)
        preferences = await notifications.own_row(reading, notifications.recipient(actor))
        if unread and actor.may(Permission.BE_NOTIFIED):
            count = await notifications.unread(reading, notifications.recipient(actor))
    if identity.session is not None:
        span = identity.session.span
        used = datetime.now(UTC) if request.scope["state"]["is_use"] else identity.session.last_used_at
        session = MeSession(
            id=identity.session.session_id,
            expires_at=span.expires_at,
            idle_at=idle_at(span, used),
            made_by=identity.session.made_by,
        )
    return MeView(
        principal=actor.principal,
        role=actor.role,
        permissions=[permission for permission in Permission if actor.may(permission)],
        organization=organization,
        agent=agent,
        confined=confined_key(actor, identity.spending_key()) is not None,
        session=session,
        key_id=actor.key_id,
        environment=deps.settings.environment,
        unread=count,
        marks=None if shown is None else MarksView.of(shown.marks, topics_for(actor)),
        locale=preferences and preferences.locale,
        time_zone=preferences and preferences.time_zone,
    )


@router.put("/me/preferences", response_model=MePreferences, operation_id="sessions.set_preferences")
async def set_preferences(body: MePreferencesSet, deps: DepsDep, *, actor: ActorDep, command: MayRepeat) -> Response:
    """Set the caller's locale and time zone, for the console, and for notifications and mails to the caller.

    Messages are in the locale's language if it is English, French, German or Spanish, or else in the organization's.
    """
    async with command, deps.database.platform() as session:
        if body.time_zone is not None:
            zone_of(body.time_zone)
        await notifications.put_locale(
            session,
            org_id=actor.org_id,
            principal=actor.principal,
            locale=body.locale,
            time_zone=body.time_zone,
            now=datetime.now(UTC),
        )
        return command.answer(MePreferences(locale=body.locale, time_zone=body.time_zone))


@router.post("/sessions", status_code=201, response_model=SessionCreated, responses=errors(SessionNeedsKey))
async def create_session(
    request: Request,
    deps: DepsDep,
    actor: ActorDep,
    *,
    body: SessionCreate | None = None,  # noqa: ARG001
    once: MayRepeat,
) -> Response:
    """Open a session with a key. Its token has the rights of the key, until the session or the key ends.

    A session ends after 12 hours without use, and after seven days at the latest. A session of a role of the platform
    ends after 30 minutes without use, and after 12 hours at the latest.
    """
    key_id = actor.key_id
    if actor.session_id is not None or key_id is None:
        raise SessionNeedsKey("A session cannot open another one. Send a key.")
    async with once, deps.database.platform() as session:
        now, secret = datetime.now(UTC), new_secret()
        key = await keys.get(session, key_id)
        span = session_lifetime(actor.role, now=now, key_expires_at=key.expires_at)
        row = Session(
            id=new_id("ses"),
            secret_hash=hash_of(secret),
            key_id=key.id,
            org_id=actor.org_id,
            principal=actor.principal,
            role=actor.role.value,
            agent_id=actor.agent_id,
            browser=browser_of(request.headers.get("user-agent")),
            address=actor.address,
            idle_seconds=int(span.idle.total_seconds()),
            expires_at=span.expires_at,
        )
        await service.open_session(session, actor, row)
        return once.answer(
            SessionCreated(id=row.id, token=token_of(row.id, secret), expires_at=row.expires_at),
            hide=frozenset({"token"}),
        )


_LIST = ListEndpoint(
    "sessions",
    SessionView,
    *(*CREATED, "organization_id", "q"),
    order=["ses"],
    mine=Annotated[bool, Query(description="Only sessions of your own principal.")],
)


@_LIST.get(router, "/sessions", NotFound)
async def list_sessions(deps: DepsDep, asked: ListRequest, actor: ActorDep) -> Items:
    """List the sessions that have not ended, newest first: your own or, for owners and admins, the organization's.

    An operator sees all of them, or those of one organization. With `Accept: text/csv` the response contains everything
    that matches, from the cursor on, as CSV.
    """
    wanted = asked.wanted(visible_organization(actor, asked.organization_id), without=["mine"])
    own = actor if asked.get("mine") or not actor.may(Permission.MANAGE_KEYS) else None
    async with deps.session_for(actor) as session:
        found = await sessions.page(session, wanted, of=own)
        return items_of(found, lambda row: SessionView.of(row, actor))


def _is_own(actor: Actor, row: Session) -> bool:
    if actor.made_by is not None:
        return row.id == actor.session_id
    return (row.org_id, row.principal.lower()) == (actor.org_id, actor.principal.lower())


@router.delete("/sessions/{session_id}", status_code=204)
async def end_session(session_id: str, deps: DepsDep, actor: ActorDep) -> None:
    """End a session at once, wherever it is used. Ending it again changes nothing.

    All callers can end their own sessions. Owners and admins can also end sessions of their organization, for roles
    whose keys they may revoke. Operators can end every session.
    """
    async with deps.session_for(actor) as session:
        row = await sessions.get(session, session_id)
        if not _is_own(actor, row):
            if not actor.may(Permission.MANAGE_KEYS):
                raise NotFound(sessions.MISSING)
            if not actor.may_revoke(Role(row.role)):
                raise Forbidden(f"The role {actor.role.value} may not end sessions of the role {row.role}.")
    async with deps.database.platform() as session:
        await service.end(session, actor, row)
    deps.keyring.forget(session_id)
