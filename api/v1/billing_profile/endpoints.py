"""Billing profiles: what organizations say of themselves, and what operators decide."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.approvals import require_two_for_override
from api.auth import require
from api.deps import DepsDep
from api.errors import errors
from api.fields import OrganizationId
from api.idempotency import MayRepeat
from api.routing import Resource
from api.tenancy import known_organization
from api.v1.billing_profile.schemas import ProfileDecision, ProfileUpdate, ProfileView, view
from domain.billing.legal_entity import unknown_entity
from domain.common.access import Actor, Permission
from domain.common.approval import ApprovalAction
from domain.common.errors import ApprovalRequired, ApprovalSameOperator, Invalid, NotFound
from repositories.billing import billing_profile as profiles
from services.billing import billing_profile

router = Resource(tags=["billing_profile"])


@router.get("/billing/profile", responses=errors(NotFound))
async def get_billing_profile(
    deps: DepsDep,
    organization_id: Annotated[OrganizationId | None, Query(description="For operators.")] = None,
    actor: Actor = require(Permission.READ_BILLING),
) -> ProfileView:
    """Show the organization's billing profile: the name, address and tax details on its invoices."""
    org_id = await known_organization(deps, actor, organization_id)
    async with deps.session_for(actor) as session:
        return view(org_id, await profiles.find(session, org_id))


@router.put(
    "/billing/profile", response_model=ProfileView, responses=errors(NotFound), operation_id="billing_profile.set"
)
async def put_billing_profile(
    body: ProfileUpdate, deps: DepsDep, *, actor: Actor = require(Permission.MANAGE_BILLING), command: MayRepeat
) -> Response:
    """Replace the organization's billing profile. EU VAT numbers are checked with the register."""
    org_id = await known_organization(deps, actor, None)
    async with command:
        wanted = billing_profile.canonical(body.profile())
        async with deps.session_for(actor) as session:
            known = await profiles.find(session, org_id)
        vat = await billing_profile.confirm_number(deps.providers.vat_numbers, known, wanted)
        async with deps.database.platform() as session:
            row = await billing_profile.replace_profile(session, actor, org_id, wanted, vat=vat, now=datetime.now(UTC))
            return command.answer(view(org_id, row))


@router.put(
    "/billing/profile/decisions",
    response_model=ProfileView,
    responses=errors(NotFound, ApprovalRequired, ApprovalSameOperator),
)
async def decide_billing_profile(
    body: ProfileDecision, deps: DepsDep, *, actor: Actor = require(Permission.OPERATE), command: MayRepeat
) -> Response:
    """Record an operator's decision on an organization: its country or a tax exemption. For operators."""
    async with command:
        code = body.legal_entity
        if code is not None and code not in deps.settings.entities.others:
            raise Invalid(unknown_entity(code), extra={"field": "legal_entity"})
        asked = body.model_dump(mode="json")
        await require_two_for_override(deps, actor, command, ApprovalAction.TAX_DECISION, body.organization_id, asked)
        async with deps.session_for(actor) as session:
            row = await billing_profile.decide(
                session,
                actor,
                body.organization_id,
                confirmed_country=body.confirmed_country,
                exempt_reason=body.exempt_reason,
                legal_entity=code,
                now=datetime.now(UTC),
            )
            return command.answer(view(body.organization_id, row))
