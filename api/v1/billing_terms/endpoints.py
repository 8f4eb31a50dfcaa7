"""Billing terms: operators agree them with organizations."""

from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.approvals import require_two_for_override
from api.auth import ActorDep, permit
from api.deps import DepsDep
from api.errors import errors
from api.idempotency import MayRepeat
from api.routing import Resource
from api.v1.billing_terms.schemas import BillingTermsSet, BillingTermsView, TermsVersionView
from domain.common.access import Permission
from domain.common.approval import ApprovalAction
from domain.common.errors import ApprovalRequired, Forbidden
from repositories.billing import billing_terms as terms
from repositories.tenants import organization as organizations
from services.billing import billing_terms

router = Resource(tags=["billing_terms"])


@router.get("/organizations/{organization_id}/billing-terms")
async def get_billing_terms(organization_id: str, deps: DepsDep, actor: ActorDep) -> BillingTermsView:
    """Show an organization's current billing terms, and those that follow."""
    async with deps.session_for(actor) as session:
        await organizations.get(session, organization_id)
        permit(actor, Permission.READ_BILLING)
        return await _shown(session, organization_id, datetime.now(UTC))


@router.put(
    "/organizations/{organization_id}/billing-terms",
    response_model=BillingTermsView,
    responses=errors(Forbidden, ApprovalRequired),
)
async def agree_billing_terms(
    organization_id: str, body: BillingTermsSet, deps: DepsDep, actor: ActorDep, command: MayRepeat
) -> Response:
    """Agree billing terms with an organization. For operators.

    The first terms apply at once. A change applies from the next month, in the time zone of the previous terms.
    """
    async with deps.session_for(actor) as session:
        await organizations.get(session, organization_id)
    permit(actor, Permission.OPERATE)
    async with command:
        for each in body.plan_prices:
            deps.settings.plan_book.get(each.plan)
        asked = body.model_dump(mode="json")
        await require_two_for_override(deps, actor, command, ApprovalAction.TERMS, organization_id, asked)
        now = datetime.now(UTC)
        async with deps.session_for(actor) as session:
            await billing_terms.agree(
                session,
                actor,
                organization_id,
                body.terms(),
                reason=body.reason,
                command_id=command.command_id,
                now=now,
            )
            return command.answer(await _shown(session, organization_id, now))


async def _shown(session: AsyncSession, org_id: str, now: datetime) -> BillingTermsView:
    holding = await terms.version_at(session, org_id, now) or terms.default_version(now.date().replace(day=1))
    newest = await terms.versions(session, org_id, limit=1)
    following = terms.version_of(newest[0]) if newest and newest[0].version > holding.number else None
    return BillingTermsView(
        organization_id=org_id,
        next=None if following is None else TermsVersionView.of(following),
        **TermsVersionView.of(holding).model_dump(),
    )
