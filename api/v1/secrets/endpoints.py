"""Secrets: stored, listed, opened for who is granted it, destroyed; and the log of who asked for them.

The paths of operations come first: no path of a secret has a segment named after one.
"""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import SpendingKeyDep, require
from api.body import takes_secret
from api.deps import Deps, DepsDep
from api.errors import TooLarge, errors
from api.idempotency import MovesMoney
from api.lists import CREATED, Items, ListEndpoint, ListRequest, items_of
from api.routing import Resource
from api.tenancy import acting_organization, listed_organization
from api.v1.secrets.schemas import (
    SecretAccessView,
    SecretGrantCreate,
    SecretGrantView,
    SecretOpen,
    SecretPut,
    SecretRotate,
    SecretRotationStop,
    SecretRotationView,
    SecretUseCreate,
    SecretUseView,
    SecretValueView,
    SecretVersionView,
    SecretView,
)
from api.v1.secrets.using import use
from contracts.runs import rotation_news
from domain.common import errors as refusals
from domain.common.access import Actor, OperatorIssued, Permission, refuse_by_link
from domain.common.errors import InsufficientFunds, NotFound, RateLimited, SpendLimitExceeded
from domain.secrets.access import AccessVerb
from domain.secrets.grant import matches
from domain.secrets.secret import MAX_BYTES, SecretKind, check_kind, check_path
from domain.secrets.secret_use.failure import NoAnswer, Unreachable
from domain.secrets.secret_value import check_value, refused
from models.secrets.grant import SecretGrant
from providers.secrets import wallets
from providers.secrets.base import BackendUnavailable
from repositories.secrets import access, grant as grants, rotation as rotations, secret as secrets
from runtime import reach
from services.secrets import grant as granting, rotation, secret as service

router = Resource(tags=["secrets"])

_LIMIT = refusals.SecretLimitReached
_BACKEND = (refusals.SecretNotConfigured, BackendUnavailable)
_OPENED = (OperatorIssued, refusals.SecretNotGranted, refusals.SecretUsesExhausted)


@router.post(
    "/secrets/grants",
    status_code=201,
    response_model=SecretGrantView,
    responses=errors(NotFound, refusals.SessionByLink, OperatorIssued, _LIMIT),
    tags=["secret_grants"],
)
async def create_secret_grant(
    body: SecretGrantCreate, deps: DepsDep, once: MovesMoney, actor: Actor = require(Permission.MANAGE_SECRETS)
) -> Response:
    """Grant a principal or an agent the use of secrets. A grant never changes; revoke it and make another one.

    Reading a value takes a grant too, also for who has stored it.
    """
    org_id = acting_organization(actor, None)
    new = body.new()
    async with once, deps.database.platform() as session:
        now = datetime.now(UTC)
        row = await granting.create(
            session,
            actor,
            org_id,
            new,
            agents_read=deps.settings.agents_read_secrets,
            command_id=once.command_id,
            now=now,
        )
        return once.answer((await _grants_shown(session, [row], now))[0])


_GRANTS = ListEndpoint(
    "secret-grants", SecretGrantView, *(*CREATED, "organization_id", "agent_id"), order=[grants.PREFIX]
)


@_GRANTS.get(router, "/secrets/grants", NotFound, tags=["secret_grants"])
async def list_secret_grants(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ)) -> Items:
    """List grants, newest first: all for who manages or audits secrets, and their own for everybody else."""
    wanted = asked.wanted(listed_organization(actor, asked.organization_id))
    async with deps.session_for(actor) as session:
        to = None if _sees_all(actor) else actor
        found = await grants.page(session, wanted, to=to)
        return await _grants_shown(session, found.rows, datetime.now(UTC)), found.following


@router.delete("/secrets/grants/{grant_id}", responses=errors(refusals.SessionByLink), tags=["secret_grants"])
async def revoke_secret_grant(
    grant_id: str, deps: DepsDep, actor: Actor = require(Permission.MANAGE_SECRETS)
) -> SecretGrantView:
    """End a grant now. Revoking it again changes nothing."""
    now = datetime.now(UTC)
    async with deps.database.platform() as session:
        row = await granting.revoke(session, actor, acting_organization(actor, None), grant_id, now=now)
        return (await _grants_shown(session, [row], now))[0]


_LIST = ListEndpoint("secrets", SecretView, *(*CREATED, "organization_id", "q"), order=[secrets.PREFIX])


@_LIST.get(router, "/secrets", NotFound)
async def list_secrets(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ)) -> Items:
    """List secrets without their values, newest first.

    Who manages or audits secrets sees all, everybody else those that a grant in force names.
    """
    wanted = asked.wanted(listed_organization(actor, asked.organization_id))
    now = datetime.now(UTC)
    async with deps.session_for(actor) as session:
        own = await grants.of_actor(session, actor, now)
        within = None if _sees_all(actor) else [path for grant in own for path in grant.paths]
        found = await secrets.page(session, wanted, within=within)
        shown = await _grants_shown(session, own, now)
        return items_of(found, lambda row: SecretView.of(row, _naming(row.path, shown)))


_ACCESS = ListEndpoint("secret-access", SecretAccessView, *(*CREATED, "q"), order=[int])


@_ACCESS.get(router, "/secrets/{path:path}/access", operation_id="secrets.access")
async def list_secret_access(
    path: str, deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ_AUDIT)
) -> Items:
    """List who asked for a secret, newest first, and what they were answered."""
    org_id = _tenant(actor)
    async with deps.session_for(actor) as session:
        await secrets.at_path(session, org_id, path)
    async with deps.session_for(actor) as session:
        found = await access.page(session, asked.wanted(org_id), org_id, path)
        return items_of(found, SecretAccessView.of)


@router.post(
    "/secrets/{path:path}/open", responses=errors(refusals.SessionByLink, *_OPENED, refusals.SecretNoVersion, *_BACKEND)
)
async def open_secret(
    path: str, body: SecretOpen, deps: DepsDep, response: Response, actor: Actor = require(Permission.READ)
) -> SecretValueView:
    """Read a value. It takes a grant of `read`, and each request has its entry in the access log.

    Agents read nothing, unless the operator lets them (`BURSAR_AGENTS_READ_SECRETS`): they use secrets.
    """
    refuse_by_link(actor, "read secrets")
    asked = service.OpenRequest(
        org_id=_tenant(actor),
        path=path,
        verb=AccessVerb.READ,
        principal=actor.principal,
        key_id=actor.key_id,
        agent_id=actor.agent_id,
        purpose=body.purpose,
        version=body.version,
        agents_read=deps.settings.agents_read_secrets,
    )
    async with deps.database.platform() as session:
        opened = await service.open(session, asked, now=datetime.now(UTC))
    value = await opened.value(deps.secrets)
    assert opened.kind is not None
    response.headers["Cache-Control"] = "no-store"
    return SecretValueView(path=path, kind=opened.kind, version=opened.require().version, value=value.decode())


@router.post(
    "/secrets/{path:path}/use",
    response_model=SecretUseView,
    responses=errors(
        refusals.OrganizationSuspended,
        refusals.OrganizationClosed,
        InsufficientFunds,
        SpendLimitExceeded,
        RateLimited,
        refusals.SessionByLink,
        *_OPENED,
        refusals.SecretHost,
        refusals.SecretMethod,
        refusals.SecretPlace,
        refusals.SecretHeader,
        refusals.SecretNoVersion,
        refusals.SecretUsed,
        Unreachable,
        NoAnswer,
        *_BACKEND,
    ),
)
async def use_secret(
    path: str,
    body: SecretUseCreate,
    deps: DepsDep,
    key: SpendingKeyDep,
    once: MovesMoney,
    actor: Actor = require(Permission.USE_CREDITS),
) -> Response:
    """Have a request made with a secret, and get its answer without the secret. It takes a grant of `use`.

    The price of the grant is held before and settled after. The request is made once for its key, redirects are
    returned, and neither the request nor the answer is kept.
    """
    refuse_by_link(actor, "use secrets")
    return await use(deps, actor, key, _tenant(actor), path, body, once.command_id)


@router.delete(
    "/secrets/{path:path}/versions/{number}",
    responses=errors(refusals.RotationUnderWay, refusals.SessionByLink, *_BACKEND),
    operation_id="secrets.destroy_version",
)
async def destroy_secret_version(
    path: str, number: str, deps: DepsDep, actor: Actor = require(Permission.MANAGE_SECRETS)
) -> SecretView:
    """Destroy a value and its key for good, also the current one. Destroying it again changes nothing.

    The version before, in the grace of a rotation, is revoked at the target first; nobody can use it from now on. While
    a value is on its way, that value and the one that it replaces cannot be destroyed.
    """
    if not (number.isascii() and number.isdecimal() and len(number) < 10):
        raise NotFound("The secret has no such version.")
    async with deps.session_for(actor) as session:
        row = await secrets.at_path(session, _tenant(actor), path)
    async with deps.database.platform() as session:
        place = await rotation.destroy(session, actor, row.id, int(number), now=datetime.now(UTC))
    shown = await _shown(deps, actor, path)
    if place is None:
        _signal_run(deps, shown)
    else:
        await deps.secrets.backend(row.backend).destroy(place)
    return shown


@router.get("/secrets/{path:path}")
async def get_secret(path: str, deps: DepsDep, actor: Actor = require(Permission.READ)) -> SecretView:
    """Read a secret without its value."""
    return await _shown(deps, actor, path)


@router.put(
    "/secrets/{path:path}",
    response_model=SecretView,
    responses=errors(TooLarge, refusals.SecretRefused, refusals.SessionByLink, OperatorIssued, _LIMIT, *_BACKEND),
)
@takes_secret
async def put_secret(
    path: str, body: SecretPut, deps: DepsDep, once: MovesMoney, actor: Actor = require(Permission.MANAGE_SECRETS)
) -> Response:
    """Store a secret, or a new value of it, which is the current one from then on.

    Below `payments/` stand references, never numbers or private keys.
    """
    org_id = acting_organization(actor, None)
    check_path(path)
    check_kind(path, body.kind)
    value = None if body.value is None else body.value.get_secret_value()
    if value is not None:
        await _check_value(path, body.kind, value)
    wanted = service.SecretChange(
        org_id=org_id,
        path=path,
        kind=body.kind,
        hosts=None if body.hosts is None else service.checked_hosts(body.hosts),
        rotation=None if body.rotation is None else body.rotation.document(),
    )
    async with once:
        await service.put(
            deps.database,
            deps.secrets,
            actor,
            wanted,
            value,
            grace=body.usable_for,
            command_id=once.command_id,
            now=datetime.now(UTC),
        )
        shown = await _shown(deps, actor, path)
        if shown.rotation is not None or wanted.rotation is not None:
            _signal_run(deps, shown)
        return once.answer(shown)


@router.post(
    "/secrets/{path:path}/rotate",
    status_code=202,
    response_model=SecretView,
    responses=errors(
        TooLarge,
        refusals.SecretRefused,
        refusals.NotRotated,
        refusals.RotationUnderWay,
        refusals.SessionByLink,
        OperatorIssued,
        _LIMIT,
        *_BACKEND,
    ),
)
@takes_secret
async def rotate_secret(
    path: str, body: SecretRotate, deps: DepsDep, once: MovesMoney, actor: Actor = require(Permission.MANAGE_SECRETS)
) -> Response:
    """Replace the value of a secret now. A grace that still runs ends, and the version before the current is revoked.

    With the rotator `manual`, send the value that you have set at the target.
    """
    org_id = acting_organization(actor, None)
    value = None if body.value is None else body.value.get_secret_value()
    async with once:
        now = datetime.now(UTC)
        async with deps.session_for(actor) as session:
            row = await secrets.at_path(session, org_id, path)
        if value is None:
            async with deps.database.platform() as session:
                await rotation.start_now(session, actor, row.id, grace=body.grace, now=now)
        else:
            await _check_value(path, SecretKind(row.kind), value)
            await rotation.supply(
                deps.database,
                deps.secrets,
                actor,
                row,
                value.encode(),
                grace=body.grace,
                command_id=once.command_id,
                now=now,
            )
        shown = await _shown(deps, actor, path)
        _signal_run(deps, shown)
        return once.answer(shown)


@router.post(
    "/secrets/{path:path}/rotate/stop",
    response_model=SecretView,
    responses=errors(refusals.NotRotated, refusals.RotationUnderWay, refusals.SessionByLink),
    operation_id="secrets.stop_rotation",
)
async def stop_secret_rotation(
    path: str,
    body: SecretRotationStop,
    deps: DepsDep,
    once: MovesMoney,
    actor: Actor = require(Permission.MANAGE_SECRETS),
) -> Response:
    """Stop a rotation while a value is on its way. The target is put back, and then the value is destroyed.

    What cannot be put back or revoked is tried again. With `give_up` it ends without the target: Bursar destroys its
    copy of the value that the rotation has made, or after it was promoted of the one before.
    """
    async with once:
        act_on = rotation.give_up if body.give_up else rotation.stop
        async with deps.session_for(actor) as session:
            row = await secrets.at_path(session, _tenant(actor), path)
        async with deps.database.platform() as session:
            await act_on(session, actor, row.id, datetime.now(UTC))
        shown = await _shown(deps, actor, path)
        _signal_run(deps, shown)
        return once.answer(shown)


def _signal_run(deps: Deps, secret: SecretView) -> None:
    """Have the run of a secret read the books, after the answer; a sweep starts it where this is lost."""
    if deps.temporal is not None:
        run, name, message = rotation_news(secret.id, secret.organization_id)
        deps.background.begin(run.workflow_id, partial(reach.signal, deps.temporal, run, name, message))


async def _check_value(path: str, kind: SecretKind, value: str) -> None:
    if len(value.encode()) > MAX_BYTES:
        raise TooLarge(f"A value has at most {MAX_BYTES // 1024} KiB.", extra={"field": "value"})
    check_value(path, kind, value)
    # In a thread: a long value takes a second.
    if (what := await asyncio.to_thread(wallets.wallet_secret_in, value)) is not None:
        raise refused(what)


def _tenant(actor: Actor) -> str:
    """Return the actor's organization: the platform's keys see no secret of others by its path."""
    if actor.org_id is None:
        raise NotFound(secrets.MISSING)
    return actor.org_id


def _sees_all(actor: Actor) -> bool:
    return actor.may(Permission.MANAGE_SECRETS) or actor.may(Permission.READ_AUDIT)


async def _shown(deps: Deps, actor: Actor, path: str) -> SecretView:
    """Return a secret as the actor may see it.

    Raises:
        NotFound: there is none, or no grant in force names it and the actor does not see all.
    """
    now = datetime.now(UTC)
    async with deps.session_for(actor) as session:
        row = await secrets.at_path(session, _tenant(actor), path)
        own = _naming(path, await _grants_shown(session, await grants.of_actor(session, actor, now), now))
        if not _sees_all(actor):
            if not own:
                raise NotFound(secrets.MISSING)
            return SecretView.of(row, own)
        versions = [SecretVersionView.of(each) for each in await secrets.versions(session, row.id)]
        held = await rotations.state(session, row)
        return SecretView.of(row, own, versions, None if held is None else SecretRotationView.of(held, now))


def _naming(path: str, shown: Sequence[SecretGrantView]) -> list[SecretGrantView]:
    return [each for each in shown if matches(path, each.paths)]


async def _grants_shown(session: AsyncSession, rows: Sequence[SecretGrant], now: datetime) -> list[SecretGrantView]:
    uses = await grants.uses_on(session, [row.id for row in rows], now.astimezone(UTC).date())
    return [SecretGrantView.of(row, uses.get(row.id, 0)) for row in rows]
