"""Organizations: operators create them, and a tenant sees its own."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from api.approvals import require_two_for_override
from api.auth import ActorDep, permit, require
from api.body import takes_bytes
from api.deps import Deps, DepsDep
from api.errors import TooLarge, errors
from api.fields import SearchText, etag
from api.idempotency import Command, MayRepeat
from api.lists import CREATED, Items, ListEndpoint, ListRequest, items_of
from api.metadata import GivenPreconditionDep, PreconditionDep, required_precondition, visible_metadata
from api.pictures import PICTURE_BODY, PICTURE_RESPONSE, Version, as_picture, read_picture
from api.routing import Resource
from api.v1.customers.registration import begin_customer
from api.v1.organizations.schemas import (
    ContactSet,
    ContactsSet,
    ContactsUpdate,
    ContactsView,
    OrganizationCreate,
    OrganizationUpdate,
    OrganizationView,
    TierChange,
)
from domain.billing.plan import FREE
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.approval import ApprovalAction
from domain.common.errors import Forbidden, Invalid
from domain.tenants.metadata import Precondition
from domain.tenants.organization import OrganizationStatus
from domain.tenants.picture import Picture
from models.tenants.organization import Organization
from repositories.tenants import contact, metadata, organization as organizations, picture as pictures
from runtime.identity import new_id
from services.billing import project
from services.billing.project import ProjectCommand
from services.messages import mail
from services.tenants import organization as service
from services.tenants.metadata import ObjectChange, change
from services.tenants.picture import set_picture

router = Resource(tags=["organizations"])


@router.post(
    "/organizations",
    status_code=201,
    response_model=OrganizationView,
    responses=errors(refusals.ExternalIdTaken, refusals.ApprovalRequired, refusals.ApprovalSameOperator),
)
async def create_organization(
    body: OrganizationCreate,
    deps: DepsDep,
    *,
    actor: Actor = require(Permission.MANAGE_ORGANIZATIONS),
    command: MayRepeat,
) -> Response:
    """Create an organization, and grant the signup bonus of its tier. For operators."""
    async with command:
        deps.settings.plan_book.get(body.tier)
        if body.tier != FREE:
            asked = {"name": body.name, "tier": body.tier}
            await require_two_for_override(deps, actor, command, ApprovalAction.TIER, "new organization", asked)
        organization = Organization(
            id=new_id("org"),
            name=body.name,
            tier=body.tier,
            created_by=actor.qualified(),
            command_id=command.command_id,
        )
        async with deps.session_for(actor) as session:
            row, is_new = await service.create(
                session,
                actor,
                organization,
                body.own(),
                bonus_minor=deps.settings.signup_bonus_minor(body.tier),
                referred_by=body.referred_by,
                now=datetime.now(UTC),
            )
            own = await metadata.get(session, row.id, row.id)
        if is_new:
            begin_customer(deps, row.id, row.name)
        command.version = row.version
        return command.answer(OrganizationView.of(row, own))


_LIST = ListEndpoint(
    "organizations",
    OrganizationView,
    *(*CREATED, "q"),
    order=["org"],
    status=OrganizationStatus,
    has_metadata=True,
    tier=Annotated[SearchText | None, Query(description="Only organizations on this plan.")],
)


@_LIST.get(router, "/organizations")
async def list_organizations(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ)) -> Items:
    """List organizations, newest first. The platform sees all of them, a tenant its own."""
    wanted = asked.wanted(None)
    async with deps.session_for(actor) as session:
        found = await organizations.page(session, wanted)
        own = await visible_metadata(session, actor, {row.id: row.id for row in found.rows})
    return items_of(found, lambda row: OrganizationView.of(row, own.get(row.id)))


@router.get("/organizations/{organization_id}")
async def get_organization(
    organization_id: str, deps: DepsDep, actor: ActorDep, response: Response
) -> OrganizationView:
    """Read one organization."""
    async with deps.session_for(actor) as session:
        row = await organizations.get(session, organization_id)
        permit(actor, Permission.READ)
        response.headers.update(etag(row.version))
        return OrganizationView.of(row, (await visible_metadata(session, actor, {row.id: row.id})).get(row.id))


async def _changeable(deps: Deps, actor: Actor, organization_id: str) -> None:
    """Refuse to change an organization that the caller does not see (404), or by a role that may not (403)."""
    async with deps.session_for(actor) as session:
        await organizations.get(session, organization_id)
    permit(actor, Permission.CHANGE_ORGANIZATION)


@router.patch(
    "/organizations/{organization_id}", response_model=OrganizationView, responses=errors(refusals.ExternalIdTaken)
)
async def update_organization(
    organization_id: str,
    body: OrganizationUpdate,
    deps: DepsDep,
    actor: ActorDep,
    expected: PreconditionDep,
    command: MayRepeat,
) -> Response:
    """Change an organization's name and metadata. Only the platform can change its `external_id`.

    `If-Match` names the version to change; the response has the new one as its `ETag`.
    """
    await _changeable(deps, actor, organization_id)
    if "external_id" in body.model_fields_set:
        permit(actor, Permission.MANAGE_ORGANIZATIONS)
    wanted = ObjectChange(
        noun="organization",
        object_id=organization_id,
        org_id=organization_id,
        expected=required_precondition(expected),
        written=body.written(),
        columns={} if body.name is None else {"name": {"name": body.name}},
        command_id=command.command_id,
    )
    async with command, deps.database.platform() as session:
        row = await organizations.lock(session, organization_id)
        changed = await change(session, actor, wanted, row)
        command.version = changed.version
        return command.answer(OrganizationView.of(row, changed.own))


@router.get("/organizations/{organization_id}/logo", response_class=Response, responses=PICTURE_RESPONSE)
async def get_logo(organization_id: str, deps: DepsDep, actor: ActorDep, v: Version = None) -> Response:
    """Return the logo of an organization."""
    async with deps.session_for(actor) as session:
        await organizations.get(session, organization_id)
        permit(actor, Permission.READ)
        return as_picture(await pictures.get(session, organization_id), v)


@router.put("/organizations/{organization_id}/logo", responses=errors(TooLarge), openapi_extra=PICTURE_BODY)
@takes_bytes
async def put_logo(organization_id: str, request: Request, deps: DepsDep, actor: ActorDep) -> OrganizationView:
    """Set the logo of an organization. Only what draws it is kept of the file: no places, cameras or comments."""
    await _changeable(deps, actor, organization_id)
    return await _set_logo(deps, actor, organization_id, await read_picture(request))


@router.delete("/organizations/{organization_id}/logo")
async def delete_logo(organization_id: str, deps: DepsDep, actor: ActorDep) -> OrganizationView:
    """Remove the logo of an organization."""
    await _changeable(deps, actor, organization_id)
    return await _set_logo(deps, actor, organization_id, None)


async def _set_logo(deps: Deps, actor: Actor, organization_id: str, logo: Picture | None) -> OrganizationView:
    async with deps.database.platform() as session:
        row = await organizations.lock(session, organization_id)
        changed = await set_picture(session, actor, row, logo, now=datetime.now(UTC))
        return OrganizationView.of(row, changed.own)


@router.put(
    "/organizations/{organization_id}/tier",
    response_model=OrganizationView,
    responses=errors(Forbidden, refusals.ApprovalRequired, refusals.ApprovalSameOperator),
)
async def change_tier(
    organization_id: str, body: TierChange, deps: DepsDep, actor: ActorDep, command: MayRepeat
) -> Response:
    """Change the tier of an organization. For operators.

    A lower tier keeps running deployments, but nothing new can be deployed above its limits. A higher tier frees the
    slots that are no longer needed.
    """
    async with deps.session_for(actor) as session:
        await organizations.get(session, organization_id)
    permit(actor, Permission.MANAGE_ORGANIZATIONS)
    async with command:
        deps.settings.plan_book.get(body.tier)
        await require_two_for_override(deps, actor, command, ApprovalAction.TIER, organization_id, {"tier": body.tier})
        order = ProjectCommand(
            actor=actor,
            org_id=organization_id,
            command_id=command.command_id,
            at=datetime.now(UTC),
            plans=deps.settings.plan_book,
            may_repeat=command.key is not None,
        )
        async with deps.session_for(actor) as session:
            row = await project.change_tier(session, order, body.tier)
            return command.answer(OrganizationView.of(row, await metadata.get(session, row.id, row.id)))


@router.get("/organizations/{organization_id}/contacts")
async def get_contacts(organization_id: str, deps: DepsDep, actor: ActorDep, response: Response) -> ContactsView:
    """Read an organization's contacts: the addresses, and the purposes of mails to them."""
    async with deps.session_for(actor) as session:
        await organizations.get(session, organization_id)
        permit(actor, Permission.READ_AUDIT)
        row = await contact.get(session, organization_id)
    response.headers.update(etag(contact.version_of(row)))
    return ContactsView.of(organization_id, row)


@router.put(
    "/organizations/{organization_id}/contacts",
    response_model=ContactsView,
    responses=errors(refusals.OrganizationContactsExhausted),
)
async def set_contacts(
    organization_id: str,
    body: ContactsSet,
    deps: DepsDep,
    actor: ActorDep,
    expected: GivenPreconditionDep,
    command: MayRepeat,
) -> Response:
    """Set an organization's contacts. They replace the current ones.

    Mails with the purpose `billing` are about invoices, payments and payouts. Mails with the purpose `security` are
    about changes that could divert money. The previous security contacts get a mail about the change, at most ten times
    a day.

    `If-Match` names the version to replace, `"0"` if none were ever set; the response has the new one as its `ETag`.
    """
    return await _write_contacts(deps, actor, organization_id, body.language, body.contacts, expected, command)


@router.patch(
    "/organizations/{organization_id}/contacts",
    response_model=ContactsView,
    responses=errors(refusals.OrganizationContactsExhausted),
)
async def update_contacts(
    organization_id: str,
    body: ContactsUpdate,
    deps: DepsDep,
    actor: ActorDep,
    expected: PreconditionDep,
    command: MayRepeat,
) -> Response:
    """Change an organization's contacts, or the language of mails to them.

    If addresses change, the previous security contacts get a mail, at most ten times a day. `If-Match` names the
    version to change, `"0"` if none were ever set; the response has the new one as its `ETag`.
    """
    return await _write_contacts(
        deps, actor, organization_id, body.language, body.contacts, expected, command, is_matched=True
    )


async def _write_contacts(
    deps: Deps,
    actor: Actor,
    organization_id: str,
    language: str | None,
    addresses: Sequence[ContactSet] | None,
    expected: Precondition | None,
    command: Command,
    *,
    is_matched: bool = False,
) -> Response:
    async with deps.session_for(actor) as session:
        await organizations.get(session, organization_id)
    permit(actor, Permission.MANAGE_CONTACTS)
    if is_matched:
        required_precondition(expected)
    contacts = None if addresses is None else [each.contact() for each in addresses]
    if contacts is not None and len({each.address.casefold() for each in contacts}) < len(contacts):
        raise Invalid("List each e-mail address only once, with all of its purposes.", extra={"field": "contacts"})
    async with command:
        # As the platform's role, because mails that other organizations sent to an address count too.
        async with deps.database.platform() as session:
            row = await mail.set_contacts(
                session,
                actor,
                org_id=organization_id,
                language=language,
                contacts=contacts,
                expected=expected,
                command_id=command.command_id,
                now=datetime.now(UTC),
            )
        command.version = contact.version_of(row)
        return command.answer(ContactsView.of(organization_id, row))
