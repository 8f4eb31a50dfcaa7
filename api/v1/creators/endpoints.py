"""The organization's payout account: read, created, and onboarded on its provider's page."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Query
from starlette.responses import Response

from api.auth import require
from api.deps import DepsDep
from api.errors import errors
from api.fields import OrganizationId
from api.idempotency import MayRepeat
from api.routing import Resource
from api.tenancy import acting_organization, known_organization
from api.v1.creators.schemas import ConnectCreate, ConnectView, CreatorAccountView
from domain.common import errors as refusals
from domain.common.access import Actor, Permission, refuse_by_link
from domain.common.errors import Invalid, NotFound
from domain.common.ids import creator_key
from providers.payouts.base import NewAccount, PayoutProvider
from repositories.payouts import creator_account
from services.common.provider_errors import provider_errors
from services.payouts.creator import ensure_account

router = Resource(tags=["connected_accounts"])


async def _payouts(deps: DepsDep) -> PayoutProvider:
    if deps.providers.payouts is None:
        raise NotFound("Stripe is not configured here, so payouts are not possible.")
    return deps.providers.payouts


PayoutsDep = Annotated[PayoutProvider, Depends(_payouts)]
# This comes first among the parameters, so that the caller is checked first.
Payee = Annotated[Actor, require(Permission.PAY_OUT)]


@router.get("/billing/connect", responses=errors(NotFound))
async def get_connected_account(
    deps: DepsDep,
    organization_id: Annotated[OrganizationId | None, Query(description="For operators.")] = None,
    actor: Actor = require(Permission.READ_BILLING),
) -> CreatorAccountView:
    """Show the organization's account for payouts; 404 if there is none yet."""
    org_id = await known_organization(deps, actor, organization_id)
    async with deps.database.platform() as session:
        found = await creator_account.find(session, org_id)
    if found is None:
        raise NotFound("The organization has no account for payouts yet. Create one with POST /billing/connect.")
    return CreatorAccountView.of(found, deps.settings.payout_destination_hold)


@router.post(
    "/billing/connect",
    response_model=ConnectView,
    responses=errors(NotFound, refusals.SessionByLink, refusals.RefusedByProvider, refusals.ProviderNotAvailable),
)
async def connect_account(
    actor: Payee, body: ConnectCreate, deps: DepsDep, payouts: PayoutsDep, command: MayRepeat
) -> Response:
    """Open the onboarding of the organization's payout account. If there is none, create it first.

    The page asks who the creator is and where to send the money. `GET /billing/connect` shows the result.
    """
    refuse_by_link(actor, "change where money is paid out to")
    org_id = acting_organization(actor, None)
    back = body.return_url or deps.settings.payment_return_url
    if back is None:
        raise Invalid("return_url is required: the address to which the owner returns.", extra={"field": "return_url"})
    async with command:
        wanted, hold = (
            NewAccount(org_id=org_id, country=body.country, email=body.email),
            deps.settings.payout_destination_hold,
        )
        with provider_errors():
            account = await ensure_account(
                deps.database, payouts, wanted, hold=hold, created_by=actor.qualified(), asked_at=datetime.now(UTC)
            )
            link = await payouts.onboard(
                account.ref,
                return_url=back,
                refresh_url=body.refresh_url or back,
                idempotency_key=creator_key(org_id, "onboard", command.command_id),
            )
        await deps.record_act(actor, "creator.connect", account.ref, {"status": account.status})
        return command.answer(ConnectView.of(account, link, hold))
