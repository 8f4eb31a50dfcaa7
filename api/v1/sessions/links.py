"""Links that open a session for another person: made, listed and ended; shown and redeemed by their holders."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from api.auth import ActorDep, client_address, permit, require
from api.deps import Deps, DepsDep
from api.errors import errors, request_id_of
from api.idempotency import MayRepeat
from api.keyring import is_secret, new_secret
from api.limits import share_of
from api.lists import CREATED, Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.tenancy import acting_organization, visible_organization
from api.v1.sessions.schemas import (
    LinkCreate,
    LinkCreated,
    LinkPreview,
    LinkToken,
    LinkView,
    NamedOrganization,
    Redeemed,
)
from domain.common import errors as refusals
from domain.common.access import PLATFORM_ROLES, Actor, Permission, Role
from domain.common.errors import Forbidden, Invalid, NotFound, Unauthenticated
from domain.tenants.session import CONSOLE, LONGEST_LINK, LinkGone, browser_of, checked_path, checked_return_url
from domain.tenants.token import hash_of, split_token, token_of
from models.tenants.session import SessionLink
from repositories.tenants import session as sessions
from runtime.identity import new_id
from services.tenants import session as links

router = Resource(tags=["session_links"])


def _check(deps: Deps, actor: Actor, body: LinkCreate) -> str:
    if body.role in PLATFORM_ROLES:
        raise Forbidden(
            "A link cannot open a session of a platform role. Platform roles sign in with a key of their own."
        )
    if not actor.may_grant(body.role):
        raise Forbidden(f"The role {actor.role.value} may not make links for the role {body.role.value}.")
    if (body.role is Role.AGENT) != (body.agent_id is not None):
        raise Invalid(
            "agent_id is required for the role agent and not allowed for any other role.", extra={"field": "agent_id"}
        )
    if body.expires_in > LONGEST_LINK:
        raise Invalid("A link is valid for at most 24 hours. Send a shorter expires_in.", extra={"field": "expires_in"})
    checked_path(body.path)
    if body.return_url is not None:
        checked_return_url(body.return_url, deps.settings.origins_to_return_to)
    if deps.settings.public_url is None:
        raise refusals.SessionNoPublicUrl(
            "The platform has no public address for links. Ask the operator to set BURSAR_PUBLIC_URL."
        )
    return deps.settings.public_url.rstrip("/")


@router.post(
    "/sessions/links",
    status_code=201,
    response_model=LinkCreated,
    responses=errors(
        NotFound,
        refusals.SessionByLink,
        refusals.PrincipalExists,
        refusals.SessionNoPublicUrl,
        refusals.EntitlementMissing,
        refusals.OrganizationClosed,
        refusals.AgentRetired,
    ),
)
async def create_session_link(
    body: LinkCreate, deps: DepsDep, *, actor: Actor = require(Permission.MANAGE_KEYS), once: MayRepeat
) -> Response:
    """Make a link that opens one session as the named principal, who does not need a key.

    Operators make links for any organization, owners and admins for their own, for the roles whose keys they may issue.
    The address is in this response only; a replayed response does not contain it.
    """
    async with once, deps.database.platform() as session:
        org_id = acting_organization(actor, body.organization_id)
        begins, secret, key_id = _check(deps, actor, body), new_secret(), actor.key_id
        assert key_id is not None, "a caller that manages keys has one"
        link = SessionLink(
            id=new_id("lnk"),
            secret_hash=hash_of(secret),
            key_id=key_id,
            org_id=org_id,
            principal=body.principal,
            role=body.role.value,
            agent_id=body.agent_id,
            path=body.path,
            return_url=body.return_url,
            made_by=actor.qualified(),
            expires_at=datetime.now(UTC) + body.expires_in,
        )
        plans = deps.settings.plan_book if deps.settings.limit_seats else None
        made = await links.make_link(session, actor, link, plans)
        return once.answer(
            LinkCreated.with_url(made, f"{begins}{CONSOLE}/enter/{token_of(made.id, secret)}"), hide=frozenset({"url"})
        )


_LIST = ListEndpoint("session-links", LinkView, *(*CREATED, "organization_id", "q"), order=["lnk"])


@_LIST.get(router, "/sessions/links", NotFound)
async def list_session_links(
    deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.MANAGE_KEYS)
) -> Items:
    """List the links that can still be used, newest first. An operator sees all, or those of one organization."""
    wanted = asked.wanted(visible_organization(actor, asked.organization_id))
    return await asked.rows(deps.session_for(actor), sessions.links, wanted, LinkView.of)


@router.delete("/sessions/links/{link_id}", status_code=204)
async def end_session_link(link_id: str, deps: DepsDep, actor: ActorDep) -> None:
    """End a link at once, and the session that it has opened. Ending it again changes nothing."""
    async with deps.session_for(actor) as session:
        row = await sessions.get_link(session, link_id)
        permit(actor, Permission.MANAGE_KEYS)
        if not actor.may_revoke(Role(row.role)):
            raise Forbidden(f"The role {actor.role.value} may not end links for the role {row.role}.")
    async with deps.database.platform() as session:
        await links.end_link(session, actor, row)


async def _known(deps: Deps, request: Request, token: str) -> str:
    """Return the id of the link that a token is of. Wrong ones count against the address, as wrong keys do."""
    name = share_of(client_address(request))
    request.scope["state"]["limits"] = [(deps.address_limiter, name)]
    parts = split_token(token, "lnk")
    async with deps.database.platform() as session:
        link = await sessions.link(session, parts[0]) if parts else None
    if not is_secret(parts[1] if parts else "", link.secret_hash if link else None) or link is None:
        await deps.address_limiter.hit(name)
        raise Unauthenticated("The link is unknown. Ask for a new one.")
    return link.id


@router.post(
    "/sessions/links/preview",
    responses=errors(Unauthenticated, LinkGone, refusals.PrincipalExists, refusals.OrganizationClosed),
    operation_id="session_links.preview",
)
async def preview_session_link(request: Request, body: LinkToken, deps: DepsDep) -> LinkPreview:
    """Show the principal as which a link would open a session. This does not use the link.

    No key is needed. Programs that open links in mails call this only, and so do not use the link up.
    """
    link_id = await _known(deps, request, body.token)
    async with deps.database.platform() as session:
        link, name = await links.open_link(session, link_id, datetime.now(UTC))
    return LinkPreview.from_row(link, organization=NamedOrganization(id=link.org_id, name=name))


@router.post(
    "/sessions/redeem",
    status_code=201,
    responses=errors(Unauthenticated, LinkGone, refusals.PrincipalExists, refusals.OrganizationClosed),
    operation_id="session_links.redeem",
)
async def redeem_session_link(request: Request, body: LinkToken, deps: DepsDep) -> Redeemed:
    """Redeem a link: open its session. No key is needed. Of two concurrent requests, one succeeds."""
    link_id, secret = await _known(deps, request, body.token), new_secret()
    visit = links.RedeemingBrowser(
        secret_hash=hash_of(secret),
        browser=browser_of(request.headers.get("user-agent")),
        address=client_address(request),
        request_id=request_id_of(request.scope),
    )
    async with deps.database.platform() as session:
        link, row = await links.redeem(session, link_id, visit, datetime.now(UTC))
    return Redeemed.from_row(row, token=token_of(row.id, secret), path=link.path, return_url=link.return_url)
