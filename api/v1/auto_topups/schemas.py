"""Schemas of the automatic top-up."""

from datetime import datetime

from pydantic import Field

from api.fields import Amount, Exact, Flag, RequestModel, ResponseModel, example
from api.v1.payments.schemas import MethodRef
from domain.common.money import CREDIT, format_amount
from models.payments.auto_topup import AutoTopUp


class AutoTopUpSet(RequestModel):
    """Settings of the automatic top-up. Amounts are in credits."""

    model_config = example(below="50", credits="500", monthly_cap="2000")

    enabled: Flag = True
    below: Amount = Field(description="The available balance below which credits are bought.")
    credits: Amount = Field(description="The number of credits to buy, or a multiple of it, at the price of a credit.")
    monthly_cap: Amount = Field(description="The most credits to buy in a calendar month in UTC.")
    payment_method: MethodRef | None = Field(default=None, description="The default payment method when left out.")


class AutoTopUpView(ResponseModel):
    """The settings of the automatic top-up, and whether it is on."""

    organization_id: str
    enabled: bool
    below: Exact | None
    credits: Exact | None
    monthly_cap: Exact | None
    bought_this_month: Exact = Field(description="The credits bought this month, including payments in progress.")
    payment_method: str | None
    off_reason: str | None = Field(description="Why it was switched off; null if it was not, or if a person did so.")
    failed_attempts: int = Field(description="The number of payments that were declined in a row.")
    next_attempt_at: datetime | None = Field(
        description="When a declined or cancelled payment is tried again, if the balance is still below; else null."
    )
    updated_at: datetime | None


def auto_topup_view(org_id: str, row: AutoTopUp | None, bought_minor: int) -> AutoTopUpView:
    return AutoTopUpView(
        organization_id=org_id,
        enabled=row is not None and row.enabled,
        below=None if row is None else _credits(row.below_minor),
        credits=None if row is None else _credits(row.credits_minor),
        monthly_cap=None if row is None else _credits(row.monthly_cap_minor),
        bought_this_month=_credits(bought_minor),
        payment_method=None if row is None else row.payment_method,
        off_reason=None if row is None else row.off_reason,
        failed_attempts=0 if row is None else row.failures,
        next_attempt_at=None if row is None else row.retry_at,
        updated_at=None if row is None else row.updated_at,
    )


def _credits(amount_minor: int) -> str:
    return format_amount(amount_minor, CREDIT)
