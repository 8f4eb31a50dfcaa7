"""Referrals: the organizations that an organization has referred, and their outcome."""

from api.auth import require
from api.deps import DepsDep
from api.lists import CREATED, Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.tenancy import listed_organization
from api.v1.referrals.schemas import ReferralView
from domain.common.access import Actor, Permission
from domain.common.errors import NotFound
from domain.marketplace.referral import ReferralStatus
from repositories.marketplace import referral

router = Resource(tags=["referrals"])


_LIST = ListEndpoint("referrals", ReferralView, *(*CREATED, "organization_id"), order=["org"], status=ReferralStatus)


@_LIST.get(router, "/referrals", NotFound)
async def list_referrals(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ_BILLING)) -> Items:
    """List the organizations that the organization has referred, and its own referrer, newest organizations first."""
    wanted = asked.wanted(listed_organization(actor, asked.organization_id))
    return await asked.rows(deps.session_for(actor), referral.page, wanted, ReferralView.of)
