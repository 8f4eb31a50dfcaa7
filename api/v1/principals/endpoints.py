"""The principals of an organization: list, invite and revoke them; and sign-in by mail."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from api.auth import ActorDep, client_address, permit, require
from api.deps import DepsDep
from api.errors import errors
from api.fields import PRINCIPAL, OrganizationId
from api.idempotency import MovesMoney
from api.limits import share_of
from api.lists import Items, ListEndpoint, ListRequest, items_up_to
from api.risk import RISKY
from api.routing import Resource
from api.tenancy import acting_organization, visible_organization
from api.v1.principals.mailed import mailed_link, refuse_without_mail, send_now
from api.v1.principals.schemas import InvitationCreate, InvitationView, PrincipalView, SignIn
from domain.common import errors as refusals
from domain.common.access import PLATFORM_ROLES, Actor, Permission, Role
from domain.common.errors import Forbidden, Invalid, NotFound, RateLimited
from domain.risk.act import Point, RiskAct
from domain.tenants.session import INVITATION_PERIOD, SIGN_IN_PERIOD, SIGN_IN_RESPONSE_TIME
from models.tenants.api_key import ApiKey
from repositories.tenants import organization as organizations, principal as principals, session as sessions
from runtime.identity import new_id
from services.tenants import person
from services.tenants.person import MailedLink

router = Resource(tags=["principals"])

_LIST = ListEndpoint(
    "principals",
    PrincipalView,
    *("organization_id", "q"),
    order=[str],
    role=Annotated[Role | None, Query(description="Only principals of this role.")],
)


@_LIST.get(router, "/principals", NotFound)
async def list_principals(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ_AUDIT)) -> Items:
    """List the principals of an organization except agents, by name: those with a key, a session or a link.

    An operator names the organization. With `Accept: text/csv` the response contains everything that matches, from the
    cursor on, as CSV.
    """
    org_id = acting_organization(actor, asked.organization_id)
    async with deps.session_for(actor) as session:
        await organizations.get(session, org_id)
    role: Role | None = asked.get("role")
    async with deps.session_for(actor) as session:
        found = await principals.page(
            session,
            org_id,
            role=role,
            search=asked.get("q"),
            after=asked.after[0] if asked.after else "",
            limit=asked.limit,
        )
    return items_up_to(found, asked.limit, PrincipalView.of, lambda each: (each.name,))


@router.delete("/principals/{principal}", status_code=204, operation_id="principals.revoke")
async def revoke_principal(
    principal: str,
    deps: DepsDep,
    actor: ActorDep,
    organization_id: Annotated[OrganizationId | None, Query(description="Required for operators.")] = None,
) -> None:
    """Revoke a principal at once: its keys, sessions, links and invitation end. Keys that it issued to others stay."""
    org_id = visible_organization(actor, organization_id)
    if org_id is None or PRINCIPAL.fullmatch(principal) is None:
        raise NotFound(person.NO_PRINCIPAL)
    async with deps.session_for(actor) as session:
        if not await sessions.roles_of(session, org_id, principal):
            raise NotFound(person.NO_PRINCIPAL)
        permit(actor, Permission.MANAGE_KEYS)
    async with deps.database.platform() as session:
        ended = await person.revoke(session, actor, org_id, principal)
    for each in ended:
        deps.keyring.forget(each)


@router.post(
    "/invitations",
    status_code=201,
    response_model=InvitationView,
    operation_id="principals.invite",
    responses=errors(
        NotFound,
        refusals.SessionByLink,
        refusals.PrincipalExists,
        refusals.ApiKeyLimitReached,
        refusals.SessionNoMail,
        refusals.InvitationExhausted,
        refusals.EntitlementMissing,
        refusals.OrganizationClosed,
        *RISKY,
    ),
)
async def create_invitation(
    body: InvitationCreate, deps: DepsDep, *, actor: Actor = require(Permission.MANAGE_KEYS), command: MovesMoney
) -> Response:
    """Invite a person by mail, who becomes a principal with the address as its name by opening the link.

    The link is valid for seven days, once. After that the person signs in by mail. Inviting somebody again who has not
    accepted sends another link. Owners and admins invite for the roles whose keys they may issue.
    """
    async with command:
        org_id = acting_organization(actor, body.organization_id)
        if body.role in PLATFORM_ROLES or body.role is Role.AGENT:
            raise Invalid(
                f"A person cannot be invited with the role {body.role.value}. Choose another role.",
                extra={"field": "role"},
            )
        if not actor.may_grant(body.role):
            raise Forbidden(f"The role {actor.role.value} may not invite people with the role {body.role.value}.")
        refuse_without_mail(deps)
        now = datetime.now(UTC)
        key = ApiKey(
            id=new_id("key"),
            org_id=org_id,
            principal=body.email,
            role=body.role.value,
            permissions=[],
            created_by=actor.qualified(),
            issued_by=actor.key_id,
            command_id=command.command_id,
            expires_at=now + INVITATION_PERIOD,
        )
        made_by = actor.qualified()
        link = mailed_link(deps, org_id=org_id, role=key.role, made_by=made_by, now=now, lasts=INVITATION_PERIOD)
        act = RiskAct(point=Point.KEY, actor=actor, org_id=actor.org_id, subject=key.id, command_id=command.command_id)
        async with deps.database.platform() as session:
            await deps.risk.require(session, act, now)
            row = await person.invite(session, actor, key, link, deps.settings.key_rules, now=now)
            made = InvitationView.of(row)
        await send_now(deps)
        return command.answer(made)


@router.post(
    "/sessions/mail",
    status_code=204,
    responses=errors(refusals.SessionNoMail, RateLimited),
    operation_id="principals.mail_link",
)
async def mail_session_link(request: Request, body: SignIn, deps: DepsDep) -> None:
    """Mail a link that opens a session to a person who signs in by mail, valid for 15 minutes, once. No key is needed.

    The response is the same for every address, and takes the same time. Requests count against the client's address.
    """
    refuse_without_mail(deps)
    name = share_of(client_address(request))
    request.scope["state"]["limits"] = [(deps.address_limiter, name)]
    await deps.address_limiter.hit(name)
    answered = asyncio.get_running_loop().time() + SIGN_IN_RESPONSE_TIME.total_seconds()
    now = datetime.now(UTC)

    def link_for(key: ApiKey) -> MailedLink:
        assert key.org_id is not None
        made_by = f"{key.org_id}/{key.principal}"
        return mailed_link(deps, org_id=key.org_id, role=key.role, made_by=made_by, now=now, lasts=SIGN_IN_PERIOD)

    async with deps.database.platform() as session:
        number = await person.mail_links(session, body.email, link_for, now)
    if number:
        await send_now(deps)
    await asyncio.sleep(max(0.0, answered - asyncio.get_running_loop().time()))
