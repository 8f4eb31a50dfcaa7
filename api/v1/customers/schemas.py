"""Schemas of customers and stored payment methods."""

from typing import Annotated

from pydantic import Field, StringConstraints

from api.fields import RequestModel, ResponseModel, example
from providers.payments.stripe.customers import MethodView

#: Address to which the payer returns.
ReturnUrl = Annotated[str, StringConstraints(min_length=8, max_length=500, pattern=r"^https?://[A-Za-z0-9\[][!-~]*$")]


class CustomerView(ResponseModel):
    """The organization's customer at Stripe."""

    organization_id: str
    provider: str = Field(examples=["stripe"])
    customer_id: str = Field(description="Stripe's id of the customer.", examples=["cus_NffrFeUfNV2Hib"])


class PaymentMethodView(ResponseModel):
    """A stored payment method; only cards have an expiry."""

    id: str = Field(examples=["pm_1MqLiJLkdIwHu7ixUEgbFdYF"])
    type: str = Field(examples=["card"])
    brand: str | None
    last4: str | None
    exp_month: int | None
    exp_year: int | None
    is_default: bool = Field(description="Whether it is charged when no payment method is given.")

    @classmethod
    def of(cls, method: MethodView) -> "PaymentMethodView":
        return cls.from_row(method)


class PaymentMethodList(ResponseModel):
    """All stored payment methods, the newest first."""

    data: list[PaymentMethodView]
    next_cursor: None = None


class SetupIntentView(ResponseModel):
    """A setup intent, with which a front end opens Stripe's form for storing a payment method."""

    id: str
    client_secret: str


class PortalCreate(RequestModel):
    """A session of Stripe's customer portal to create."""

    model_config = example(return_url="https://example.com/billing")

    return_url: ReturnUrl | None = Field(
        default=None, description="Where the payer returns to; BURSAR_PAYMENT_RETURN_URL when left out."
    )


class PortalView(ResponseModel):
    """The address of Stripe's customer portal, valid for minutes."""

    url: str
