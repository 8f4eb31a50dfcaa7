"""Request and response schemas of cards."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from api.fields import AgentId, Amount, Currency, Exact, Name, OrganizationId, RequestModel, ResponseModel, example
from domain.cards.card import MAX_CATEGORIES, CardStatus
from domain.cards.card_authorization import CardAnswer, CardPaymentStatus
from domain.common.money import CREDIT, format_amount, parse_amount
from models.cards.card import Card
from models.cards.card_authorization import CardAuthorization, CardSpend
from models.cards.card_transaction import CardTransaction
from providers.cards.base import CardTransactionKind

_Category = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,100}$")]


class CardCreate(RequestModel):
    """A virtual card for an agent, or for one purchase of it."""

    model_config = example(
        agent_id="agt_01kar6h2d8e4wvq3r5s7t9x1zy",
        name="Travel",
        currency="USD",
        per_authorization="50",
        per_month="500",
    )

    organization_id: OrganizationId | None = Field(default=None, description="Your own by default.")
    agent_id: AgentId | None = Field(default=None, description="The agent that pays; leave it out with an order.")
    purchase_order_id: Annotated[str, StringConstraints(max_length=64)] | None = Field(
        default=None, description="An approved purchase order: the card pays for it once, up to its amount."
    )
    name: Name = Field(description="The name of the card, for people.")
    currency: Currency | None = Field(default=None, description="The currency of the card; leave it out with an order.")
    per_authorization: Amount | None = Field(default=None, description="The highest amount of one payment.")
    per_month: Amount | None = Field(
        default=None, description="The highest amount in a calendar month in UTC. The issuer counts it."
    )
    categories: list[_Category] = Field(
        default=[],
        max_length=MAX_CATEGORIES,
        description="The categories of merchants that are allowed, as the issuer names them; empty allows all.",
    )

    @model_validator(mode="after")
    def _is_for_one(self) -> Self:
        if (self.agent_id is None) == (self.purchase_order_id is None):
            raise ValueError("Name either agent_id or purchase_order_id.")
        if (self.agent_id is None) != (self.currency is None):
            raise ValueError("Name a currency for a card of an agent; that of a purchase order is the order's.")
        if self.purchase_order_id is not None and self.per_authorization is not None:
            raise ValueError("The card of a purchase order is limited to its amount: leave per_authorization out.")
        return self

    def card(self, **own: str) -> Card:
        """Return the row of the card; fields that a purchase order determines are left empty."""
        currency = self.currency or ""
        return Card(
            agent_id=self.agent_id or "",
            order_id=self.purchase_order_id,
            name=self.name,
            currency=currency,
            per_authorization_minor=_minor(self.per_authorization, currency),
            per_month_minor=_minor(self.per_month, currency),
            categories=self.categories,
            status=CardStatus.PENDING.value,
            **own,
        )


class CardDisplayCreate(RequestModel):
    """The nonce that Stripe's script made in the browser that is to show the card's number."""

    model_config = example(nonce="ephkn_1MtdFdLkdIwHu7ix")

    nonce: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,500}$")]


class CardDisplayView(ResponseModel):
    """The data with which Stripe's script shows the number in the browser. Bursar never has the number."""

    ephemeral_key: str = Field(description="Valid for minutes, for this card and for this browser.")


class CardView(ResponseModel):
    """A card, without its number."""

    id: str
    organization_id: str
    agent_id: str
    agent_name: str
    purchase_order_id: str | None
    name: str
    status: CardStatus
    currency: str
    per_authorization: Exact | None
    per_month: Exact | None
    categories: list[str]
    brand: str | None
    card_ref: str | None = Field(description="Its id at the issuer.")
    last4: str | None = Field(description="The last four digits of its number.")
    exp_month: int | None
    exp_year: int | None
    created_at: datetime

    @classmethod
    def of(cls, row: Card, agent_name: str) -> Self:
        return cls.from_row(
            row,
            agent_name=agent_name,
            purchase_order_id=row.order_id,
            per_authorization=_exact(row.per_authorization_minor, row.currency),
            per_month=_exact(row.per_month_minor, row.currency),
            card_ref=row.ref,
            exp_month=row.expires_month,
            exp_year=row.expires_year,
        )


class CardMerchantView(ResponseModel):
    """The merchant that is paid."""

    name: str
    category: str
    country: str | None
    city: str | None


class CardRequestView(ResponseModel):
    """One authorization request to a card, and its answer. A later request of the same payment adds to the amount."""

    amount: Exact
    approved: bool
    reason: CardAnswer
    spend_id: str | None = Field(description="The spend whose credits it holds; null without one.")
    at: datetime


class CardTransactionView(ResponseModel):
    """A capture or a refund."""

    kind: CardTransactionKind
    amount: Exact
    beyond: Exact = Field(
        description="Of a capture, the part that no authorization had held, charged nevertheless; of a refund, the "
        "part beyond all captures."
    )
    dispute_status: str | None
    returned: Exact = Field(description="The amount that a won dispute returned.")
    occurred_at: datetime


class CardPaymentView(ResponseModel):
    """A payment of a card: what was authorized, captured and refunded, in the card's currency."""

    id: str
    card_id: str
    status: CardPaymentStatus = Field(description="`none` if it had no authorization.")
    merchant: CardMerchantView
    currency: str
    amount: Exact = Field(description="The amount authorized, including captures.")
    captured: Exact
    refunded: Exact
    credits: Exact = Field(description="The amount captured, in credits, before refunds.")
    requests: list[CardRequestView]
    transactions: list[CardTransactionView]
    created_at: datetime

    @classmethod
    def of(cls, row: CardAuthorization, spends: Sequence[CardSpend], transactions: Sequence[CardTransaction]) -> Self:
        currency = row.currency
        return cls.from_row(
            row,
            merchant=CardMerchantView(**row.merchant),
            currency=currency,
            amount=format_amount(row.amount_minor, currency),
            captured=format_amount(sum(each.captured_minor for each in spends), currency),
            refunded=format_amount(sum(each.refunded_minor for each in spends), currency),
            credits=format_amount(sum(each.captured_credits for each in spends), CREDIT),
            requests=[
                CardRequestView(**each, amount=format_amount(each["amount_minor"], currency)) for each in row.requests
            ],
            transactions=[
                CardTransactionView.from_row(
                    each,
                    amount=format_amount(each.amount_minor, currency),
                    beyond=format_amount(each.beyond_minor, currency),
                    returned=format_amount(each.returned_minor, currency),
                )
                for each in transactions
            ],
        )


def _minor(amount: str | None, currency: str) -> int | None:
    return None if amount is None else parse_amount(amount, currency)


def _exact(amount_minor: int | None, currency: str) -> str | None:
    return None if amount_minor is None else format_amount(amount_minor, currency)
