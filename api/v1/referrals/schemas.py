"""Response schemas of referrals."""

from datetime import datetime

from pydantic import Field

from api.fields import Exact, ResponseModel
from domain.common.money import CREDIT, format_amount
from domain.marketplace.referral import ReferralStatus
from models.marketplace.referral import Referral


class ReferralView(ResponseModel):
    """A referral of one organization by another, and the credits granted to both."""

    organization_id: str = Field(description="The organization that was referred.")
    referrer_id: str
    status: ReferralStatus
    reason: str | None = Field(
        description=(
            "Why nothing was granted (`related`, `closed`, `not_paid` or `nothing_earned`), or why the grant was taken "
            "back (`payment_gone`)."
        )
    )
    referrer_amount: Exact = Field(description="The credits granted to the referrer.")
    referred_amount: Exact = Field(description="The credits granted to the organization that was referred.")
    created_at: datetime
    decided_at: datetime | None
    taken_back_at: datetime | None

    @classmethod
    def of(cls, row: Referral) -> "ReferralView":
        return cls.from_row(
            row,
            referrer_id=row.referrer_org_id,
            referrer_amount=format_amount(row.referrer_minor, CREDIT),
            referred_amount=format_amount(row.referred_minor, CREDIT),
        )
