"""What the statistics of credits look like over HTTP."""

from pydantic import Field

from api.fields import ResponseModel
from domain.money import CREDIT


class CreditStats(ResponseModel):
    """What an organization got and what became of it, since it exists, in credits."""

    organization_id: str
    currency: str = CREDIT
    available: str
    reserved: str
    purchased: str
    granted: str = Field(description="Promotions, the signup bonus, subscriptions and adjustments.")
    rewarded: str
    earned: str = Field(description="What was converted of agents' earnings.")
    used: str = Field(description="What was refunded since is included.")
    refunded: str = Field(description="What came back of uses.")
    expired: str
    burn_rate: str = Field(description="Used a day, without what was refunded, on the latest `burn_days`.")
    burn_days: int = Field(description="30, or as many days as there have been since the first use.")
    days_left: int | None = Field(description="How long `available` lasts at this rate; null when nothing is used.")
