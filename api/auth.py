"""Authentication of requests, and the two ways in which endpoints require a permission.

`require(permission)` is for endpoints without an object, such as creating and listing. An endpoint with an object in
its path takes `ActorDep`, finds the object, and then calls `permit`: for an object of another organization 404 comes
before 403.
"""

import ipaddress
import re
from functools import lru_cache
from typing import Annotated, Any

import structlog
from fastapi import Depends
from fastapi.security import HTTPBearer
from starlette.requests import Request

from api.deps import Deps, get_deps
from api.errors import request_id_of
from api.keyring import Identity
from api.limits import share_of
from domain.common.access import Actor, KeyActor, Permission, permit as permit
from domain.common.errors import AuthMissing, Unauthenticated
from domain.credits.spend.scope import SpendingKey

#: Header of a client's background requests, which no person has caused: `1`.
BACKGROUND = "X-Background"

#: Header with the token of the client's device, which the platform chooses: decisions against fraud count by it.
DEVICE = "Bursar-Device"
_DEVICE = re.compile(r"[A-Za-z0-9._~+/=-]{8,200}")


def client_address(request: Request) -> str | None:
    """Return the client's IP address; None if it is malformed, because a trusted proxy may pass on any text."""
    return _address_in(request.client.host) if request.client else None


@lru_cache(maxsize=4096)
def _address_in(text: str) -> str | None:
    # The zone of an IPv6 address is any text, and names an interface of this machine only.
    address = text.partition("%")[0]
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return None
    return address


def _device(request: Request) -> str | None:
    token = request.headers.get(DEVICE, "")
    return token if _DEVICE.fullmatch(token) else None


def is_use(request: Request, token: str) -> bool:
    """Return whether a request extends an idle session; requests with a key always count as a use."""
    return not (token.startswith("bss_") and request.headers.get(BACKGROUND) == "1")


async def _look_up(deps: Deps, token: str, unknown: str, *, is_use: bool) -> Identity:
    """Look up a key. Failures count against the rate limit of the address.

    Well-formed keys are looked up even above the limit, because other clients share the address.
    """
    try:
        return await deps.keyring.identify(token, is_use=is_use)
    except Unauthenticated:
        await deps.address_limiter.hit(unknown)
        raise


class _Authenticate(HTTPBearer):
    """Security scheme for the OpenAPI document, which reads the header itself."""

    def __init__(self) -> None:
        super().__init__(
            auto_error=False,
            scheme_name="ApiKey",
            description="An API key, `bsk_…`, or the token of a session, `bss_…`, as the bearer token.",
            bearerFormat="bsk_…",
        )

    async def __call__(self, request: Request) -> Any:  # type: ignore[override]
        return await _authenticate(request)


async def _authenticate(request: Request) -> Actor:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip()
    known: tuple[str, Actor] | None = request.scope["state"].get("actor")
    if known is not None and known[0] == token:
        # Asked before in this request: it counts once against the limit.
        return known[1]
    deps: Deps = await get_deps(request)
    address = client_address(request)
    unknown = share_of(address)
    limits = request.scope["state"]["limits"] = [(deps.address_limiter, unknown)]
    if not token or scheme.lower() != "bearer":
        await deps.address_limiter.hit(unknown)
        raise AuthMissing("Send an API key: Authorization: Bearer bsk_….")
    used = is_use(request, token)
    identity = deps.keyring.cached(token, is_use=used)
    if identity is None:
        identity = await _look_up(deps, token, unknown, is_use=used)
    caller = identity.share
    limits[:] = [(deps.limiter, caller)]
    if not deps.limiter.try_fast(caller):
        await deps.limiter.hit(caller)
    org_id = identity.org_id
    if org_id is not None:
        limits.append((deps.organization_limiter, org_id))
        if not deps.organization_limiter.try_fast(org_id):
            await deps.organization_limiter.hit(org_id)
    session = identity.session
    actor = KeyActor(
        principal=identity.principal,
        role=identity.role,
        org_id=org_id,
        agent_id=identity.agent_id,
        key_id=identity.key_id if session is None or session.made_by is None else None,
        request_id=request_id_of(request.scope),
        address=address,
        session_id=None if session is None else session.session_id,
        made_by=None if session is None else session.made_by,
        device=_device(request),
        added=identity.added,
    )
    request.scope["state"]["actor"] = (token, actor)
    request.scope["state"]["identity"] = identity
    request.scope["state"]["is_use"] = used
    structlog.contextvars.bind_contextvars(org_id=org_id, key_id=actor.key_id)
    if session is not None:
        structlog.contextvars.bind_contextvars(session_id=session.session_id)
    return actor


current_actor = _Authenticate()

#: The actor of the request; 401 without a valid key.
ActorDep = Annotated[Actor, Depends(current_actor)]


async def spending_key(request: Request, _actor: ActorDep) -> SpendingKey:
    identity: Identity = request.scope["state"]["identity"]
    return identity.spending_key()


async def identity_of(request: Request, _actor: ActorDep) -> Identity:
    """Return the identity of the request's key or session."""
    identity: Identity = request.scope["state"]["identity"]
    return identity


IdentityDep = Annotated[Identity, Depends(identity_of)]


class KeyEnded(Exception):
    """The key or session ended during a streamed response, which is then cut off without a problem document."""


async def check_key(request: Request) -> None:
    """Abort a streamed response whose key or session has ended.

    Raises:
        KeyEnded: the key or session has ended.
    """
    deps, (token, _) = await get_deps(request), request.scope["state"]["actor"]
    if not await deps.keyring.is_good(token):
        raise KeyEnded


#: For `api.spending.scope_for`.
SpendingKeyDep = Annotated[SpendingKey, Depends(spending_key)]


def require(permission: Permission) -> Any:
    """Return a dependency on the request's actor, which raises 403 without the permission."""

    async def permitted(actor: ActorDep) -> Actor:
        permit(actor, permission)
        return actor

    return Depends(permitted)
