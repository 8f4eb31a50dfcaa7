"""What an agent looks like over HTTP."""

from datetime import datetime
from enum import StrEnum

from pydantic import Field

from api.fields import Amount, Currency, Name, OrganizationId, RequestModel, ResponseModel, example
from domain.errors import Invalid
from domain.money import CREDIT, format_amount, parse_amount
from models.agent import Agent


class Visibility(StrEnum):
    """Who sees a listing."""

    PUBLIC = "public"
    PRIVATE = "private"


class PricingModel(StrEnum):
    """How an agent is paid for; the price of single jobs is agreed in contracts."""

    FREE = "free"
    MONTHLY = "monthly"
    ONE_TIME = "one_time"
    USAGE = "usage"


class PricingCreate(RequestModel):
    """The price of a listing."""

    model: PricingModel = PricingModel.FREE
    amount: Amount | None = Field(default=None, description="Needed for monthly and one_time; none for free.")
    currency: Currency = CREDIT

    def price_minor(self) -> int | None:
        """Return the price in minor units, None where there is none.

        Raises:
            Invalid: the model needs an amount that is missing, or takes none.
        """
        if self.model is PricingModel.FREE and self.amount is not None:
            raise Invalid("A free agent has no amount.", extra={"field": "pricing.amount"})
        if self.model in {PricingModel.MONTHLY, PricingModel.ONE_TIME} and self.amount is None:
            raise Invalid(f"The pricing model {self.model} needs an amount.", extra={"field": "pricing.amount"})
        return None if self.amount is None else parse_amount(self.amount, self.currency)


class AgentCreate(RequestModel):
    """A new agent; an operator names the organization."""

    model_config = example(
        name="Summariser", pricing={"model": "monthly", "amount": "9.99", "currency": "USD"}, visibility="public"
    )

    name: Name
    organization_id: OrganizationId | None = None
    visibility: Visibility = Visibility.PUBLIC
    pricing: PricingCreate = PricingCreate()


class PricingView(ResponseModel):
    """The price of a listing."""

    model: PricingModel
    amount: str | None
    currency: str | None


class AgentView(ResponseModel):
    """An agent and its listing."""

    id: str
    name: str
    organization_id: str
    visibility: Visibility
    pricing: PricingView
    created_at: datetime

    @classmethod
    def of(cls, row: Agent) -> "AgentView":
        """Show a row."""
        priced = row.price_minor is not None and row.price_currency is not None
        return cls(
            id=row.id,
            name=row.name,
            organization_id=row.org_id,
            visibility=Visibility(row.visibility),
            pricing=PricingView(
                model=PricingModel(row.pricing_model),
                amount=format_amount(row.price_minor or 0, row.price_currency or CREDIT) if priced else None,
                currency=row.price_currency,
            ),
            created_at=row.created_at,
        )
