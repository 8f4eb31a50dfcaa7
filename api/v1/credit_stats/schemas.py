"""What the statistics of credits look like over HTTP."""

from pydantic import Field

from api.fields import Exact, ResponseModel
from domain.money import CREDIT


class CreditStats(ResponseModel):
    """What an organization got and what became of it, since it exists, in credits."""

    organization_id: str
    currency: str = CREDIT
    available: Exact
    reserved: Exact
    purchased: Exact
    granted: Exact = Field(description="Promotions, the signup bonus, subscriptions and adjustments.")
    rewarded: Exact
    earned: Exact = Field(description="What was converted of agents' earnings.")
    used: Exact = Field(description="What was refunded since is included.")
    refunded: Exact = Field(description="What came back of uses.")
    expired: Exact
    burn_rate: Exact = Field(description="Used a day, without what was refunded, on the latest `burn_days`.")
    burn_days: int = Field(description="30, or as many days as there have been since the first use.")
    days_left: int | None = Field(description="How long `available` lasts at this rate; null when nothing is used.")
