"""HTTP schemas of the statistics of credits."""

from pydantic import Field

from api.fields import Exact, ResponseModel
from domain.common.money import CREDIT


class CreditStats(ResponseModel):
    """Credits that an organization has received and used since it was created."""

    organization_id: str
    currency: str = CREDIT
    available: Exact
    reserved: Exact
    purchased: Exact
    granted: Exact = Field(description="Promotions, the signup bonus, subscriptions and adjustments.")
    rewarded: Exact
    earned: Exact = Field(description="What was converted from agents' earnings.")
    used: Exact = Field(description="What spends captured, including what was refunded since; jobs are not in it.")
    refunded: Exact = Field(description="What was refunded of uses.")
    expired: Exact
    burn_rate: Exact = Field(description="Credits spent a day over the latest `burn_days`, jobs included.")
    burn_days: int = Field(description="30, or the number of days since the first use if that is less.")
    days_left: int | None = Field(description="How many days `available` lasts at this rate; null if nothing is used.")
