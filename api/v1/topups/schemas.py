"""Schemas of purchases of credits."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from api.fields import Amount, Exact, ResponseModel, example
from api.metadata import WithMetadata
from api.v1.customers.schemas import ReturnUrl
from api.v1.payments.schemas import DepositView, MethodRef, MoneyView, PaymentOptions, PaymentView, QuotedTotal, money
from domain.common.money import CREDIT, format_amount
from domain.payments.payment.state import PaymentStatus
from domain.payments.topup import Package
from models.credits.credit_lot import CreditLot


class HostedProvider(StrEnum):
    """Providers with a hosted payment page."""

    STRIPE = "stripe"
    PAYPAL = "paypal"


PackageName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]


class TopUp(PaymentOptions, WithMetadata):
    """A number of credits to buy, at the configured price of a credit."""

    model_config = example(amount=100.00, provider="stripe")

    amount: Amount = Field(description="The number of credits.")


class PackageChoice(QuotedTotal, WithMetadata):
    """A package to buy, by its name; `package_id` is another name of the same field."""

    package: PackageName | None = None
    package_id: PackageName | None = Field(default=None, description="The same as `package`.")

    @model_validator(mode="after")
    def _names_one(self) -> Self:
        if (self.package is None) == (self.package_id is None):
            raise ValueError("Send either package or package_id.")
        return self

    @property
    def name(self) -> str:
        name = self.package or self.package_id
        assert name is not None
        return name


class PurchasePackage(PackageChoice):
    """A package to buy, charged to a payment method stored at Stripe."""

    model_config = example(package="small")

    payment_method: MethodRef | None = Field(default=None, description="The default payment method when left out.")
    payment_method_id: MethodRef | None = Field(default=None, description="The same as `payment_method`.")

    @model_validator(mode="after")
    def _names_one_method(self) -> Self:
        if self.payment_method is not None and self.payment_method_id is not None:
            raise ValueError("Send either payment_method or payment_method_id.")
        return self

    @property
    def method(self) -> str | None:
        return self.payment_method or self.payment_method_id


class CheckoutPackage(PackageChoice):
    """A package to buy on the provider's hosted page."""

    model_config = example(package="small", return_url="https://example.com/billing")

    provider: HostedProvider = HostedProvider.STRIPE
    return_url: ReturnUrl | None = Field(default=None, description="Where the payer returns to.")


class TopUpView(ResponseModel):
    """A purchase of credits. The payer's next step is included when there is one."""

    payment_id: str
    package: str | None = None
    credits: Exact
    status: PaymentStatus
    charge: MoneyView
    client_secret: str | None = None
    approval_url: str | None = None
    deposit: DepositView | None = None


class CheckoutView(ResponseModel):
    """The hosted page where the payer pays for a package."""

    payment_id: str
    package: str
    credits: Exact
    status: PaymentStatus
    charge: MoneyView
    url: str | None


class PackageView(ResponseModel):
    """A number of credits at a fixed price."""

    id: str = Field(description="The value for `package` in a purchase. The same as `name`.")
    name: str
    credits: Exact
    price: MoneyView
    price_per_credit: MoneyView = Field(
        description="The price of one credit, rounded to six decimals, for comparison only."
    )


class PackageList(ResponseModel):
    """All packages, in the configured order."""

    data: list[PackageView]
    next_cursor: None = None


class PurchaseView(ResponseModel):
    """A grant or purchase of credits, and what was paid for it."""

    id: str
    organization_id: str
    credits: Exact
    debt_paid: Exact = Field(
        description="The credits that paid the organization's debts, and did not become available."
    )
    source: str = Field(
        description="`purchase`, or the reason for the grant: `promotion`, `reward`, `adjustment`, `refund`, `signup`."
    )
    paid: MoneyView | None
    payment_id: str | None
    expires_at: datetime | None
    created_at: datetime

    @classmethod
    def of(cls, row: CreditLot) -> "PurchaseView":
        paid = None if row.paid_minor is None or row.paid_currency is None else money(row.paid_minor, row.paid_currency)
        return cls.from_row(
            row,
            credits=format_amount(row.amount_minor, CREDIT),
            debt_paid=format_amount(row.debt_minor, CREDIT),
            paid=paid,
        )


def package_view(package: Package) -> PackageView:
    return PackageView(
        id=package.name,
        name=package.name,
        credits=format_amount(package.credits_minor, CREDIT),
        price=money(package.price_minor, package.currency),
        price_per_credit=MoneyView(amount=f"{package.price_per_credit.normalize():f}", currency=package.currency),
    )


def topup_view(payment: PaymentView) -> TopUpView:
    return TopUpView(
        payment_id=payment.id,
        package=payment.package,
        credits=payment.goods.amount,
        status=payment.status,
        charge=MoneyView(amount=payment.amount, currency=payment.currency),
        client_secret=payment.client_secret,
        approval_url=payment.approval_url,
        deposit=payment.deposit,
    )


def checkout_view(payment: PaymentView) -> CheckoutView:
    return CheckoutView(
        payment_id=payment.id,
        package=payment.package or "",
        credits=payment.goods.amount,
        status=payment.status,
        charge=MoneyView(amount=payment.amount, currency=payment.currency),
        url=payment.approval_url,
    )
