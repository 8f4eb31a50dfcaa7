"""Referrals: the organizations that an organization has referred, and their outcome."""

from typing import Annotated

from starlette.responses import Response

from api.auth import require
from api.csv_files import CSV
from api.deps import DepsDep
from api.errors import errors
from api.fields import Page
from api.lists import CREATED, Asked, ListOf
from api.routing import Resource
from api.tenancy import listed_organization
from api.v1.referrals.schemas import ReferralView
from domain.common.access import Actor, Permission
from domain.common.errors import NotFound
from domain.marketplace.referral import ReferralStatus
from repositories.marketplace import referral

router = Resource(tags=["referrals"])


_LIST = ListOf("referrals", ReferralView, *(*CREATED, "organization_id"), order=["org"], status=ReferralStatus)


@router.get("/referrals", response_model=Page[ReferralView], responses=errors(NotFound) | CSV)
async def list_referrals(
    deps: DepsDep, asked: Annotated[Asked, _LIST.asked], actor: Actor = require(Permission.READ_BILLING)
) -> Response:
    """List the organizations that the organization has referred, and its own referrer, newest organizations first."""
    wanted = asked.wanted(listed_organization(actor, asked.organization_id))
    return await asked.rows(lambda: deps.session_for(actor), referral.page, wanted, ReferralView.of)
