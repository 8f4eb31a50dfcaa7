"""Request and response schemas of the marketplace."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from api.fields import Amount, Currency, Exact, Note, RequestModel, ResponseModel, Share, Whole, example
from api.metadata import WithMetadata
from api.v1.agents.schemas import CardView, card
from api.v1.payments.schemas import MoneyView, PaymentOptions, PaymentView, money
from api.v1.spends.schemas import ActionName
from domain.common.money import CREDIT, format_amount, format_ratio, parse_amount, parse_ratio
from domain.marketplace.metered import MAX_INCLUDED
from domain.marketplace.offer import MAX_METERS, ExpectedOffer as SeenOffer, OfferModel, OfferStatus
from domain.marketplace.renewal import is_over
from domain.marketplace.sale import PurchaseStatus
from models.marketplace.marketplace import MarketplacePurchase
from repositories.marketplace.agent import AgentCard
from repositories.marketplace.marketplace import OfferListing
from services.marketplace.marketplace import NewOffer, shown_prices

UnitPrices = Annotated[dict[ActionName, Amount], Field(min_length=1, max_length=MAX_METERS)]


def prices_in(prices: Mapping[str, str] | None) -> dict[str, int] | None:
    """Return the prices of units in minor units of credits, by meter."""
    return None if prices is None else {meter: parse_amount(price, CREDIT) for meter, price in prices.items()}


class OfferSet(RequestModel):
    """The offer of an agent. It replaces the current offer; earlier sales stay as they are."""

    model_config = example(model="one_time", price="250.00", currency="CREDIT", summary="Summarizes long reports.")

    model: OfferModel
    price: Amount | None = Field(
        default=None,
        description="The price, in credits or in money. Required for one_time and monthly; not allowed otherwise.",
    )
    prices: UnitPrices | None = Field(
        default=None,
        description="The price of a unit of each meter, in credits. Required for usage; not allowed otherwise.",
    )
    included_uses: Whole | None = Field(
        default=None,
        ge=1,
        le=MAX_INCLUDED,
        description=(
            "How many uses the price of a one_time agent includes; a refund deducts the uses. Null for any number."
        ),
    )
    currency: Currency = CREDIT
    summary: Annotated[Note, StringConstraints(max_length=500)] | None = None
    status: OfferStatus = OfferStatus.LISTED
    creator_share: Share | None = Field(
        default=None, description="The creator's share of each sale. For operators; null keeps the current one."
    )

    def wanted(self) -> NewOffer:
        price = None if self.price is None else parse_amount(self.price, self.currency)
        return NewOffer(
            model=self.model,
            price_minor=price,
            currency=None if price is None else self.currency,
            usage_prices=prices_in(self.prices),
            included_uses=self.included_uses,
            summary=self.summary or "",
            status=self.status,
        )

    def creator_bps(self) -> int | None:
        return None if self.creator_share is None else parse_ratio(self.creator_share, "creator_share")


class OfferView(CardView):
    """The offer of an agent."""

    agent_id: str
    name: str
    organization_id: str
    model: OfferModel
    price: Exact | None
    currency: str | None
    prices: dict[str, Exact] | None = Field(
        description="The price of a unit of each meter, in credits; null unless the model is usage."
    )
    included_uses: int | None = Field(description="How many uses the price includes; null for any number.")
    accepts_granted_credits: bool = Field(
        description=(
            "Whether credits that nobody paid for can pay the agent. If not, the price and the uses are paid "
            "only from credits that were paid for."
        )
    )
    granted_amount: Exact | None = Field(
        description=(
            "How much of the price your organization would pay in granted credits now. The seller's share of it is not "
            "paid out, unless the platform pays out granted credits. Null in lists, for your own agents, and unless "
            "there is a price in credits."
        )
    )
    summary: str
    category: str | None
    status: OfferStatus
    creator_share: Exact | None = Field(
        description="The creator's share of each sale. Only the agent's organization and the platform see it."
    )
    least_payout: MoneyView | None = Field(
        description=(
            "The lowest amount that is paid out to the creator for a sale: for credits, its share of what they cost "
            "at their lowest price. A payer's discount, the tax in that price and granted credits are not paid out. "
            "Only callers that see `creator_share` see it; null without a price."
        )
    )
    created_at: datetime = Field(description="When the agent was first offered.")
    changed_at: datetime

    @classmethod
    def of(
        cls,
        listing: OfferListing,
        found: AgentCard,
        *,
        creator_bps: int | None,
        granted_minor: int | None = None,
        least: tuple[int, str] | None = None,
    ) -> "OfferView":
        """Build the view of an offer.

        `creator_bps` and the `least` that is paid out are for callers that may see the share, `granted_minor` for those
        that may buy.
        """
        row = listing.offer
        return cls.from_row(
            row,
            name=listing.name,
            price=_amount(row.price_minor, row.currency),
            prices=shown_prices(row.usage_prices),
            accepts_granted_credits=listing.accepts_granted,
            granted_amount=_amount(granted_minor, row.currency),
            creator_share=None if creator_bps is None else format_ratio(creator_bps),
            least_payout=None if least is None else money(*least),
            **card(row.agent_id, found),
        )


class AgentPurchase(PaymentOptions, WithMetadata):
    """Buys an agent at its price; all fields are optional, but `price` and `total` need `currency`.

    The payment options apply to prices in money, which people pay.
    """

    model_config = example(price="250.00", currency="CREDIT")

    model: OfferModel | None = Field(
        default=None, description="The pricing model that you have seen. If it has changed, nothing is bought."
    )
    price: Amount | None = Field(
        default=None,
        description="The price that you have seen, with its `currency`. If it has changed, nothing is bought.",
    )
    currency: Currency | None = Field(
        default=None, description="The currency of the price that you have seen. If it has changed, nothing is bought."
    )
    total: Amount | None = Field(
        default=None,
        description=(
            "For a price in money: the total with tax that you have seen, with its `currency`. If it has changed, "
            "nothing is bought."
        ),
    )
    prices: UnitPrices | None = Field(
        default=None,
        description=(
            "The unit prices that you have seen. An organization that already has the agent accepts these prices."
        ),
    )
    included_uses: Whole | None = Field(
        default=None,
        ge=1,
        le=MAX_INCLUDED,
        description=(
            "How many uses the price that you have seen includes, null for any number. If that has changed, nothing is "
            "bought. When left out, it is not compared."
        ),
    )

    @model_validator(mode="after")
    def _says_the_currency(self) -> Self:
        if self.currency is None and (self.price is not None or self.total is not None):
            raise ValueError("Send the currency that you have seen, too.")
        return self

    def seen(self) -> SeenOffer:
        prices = prices_in(self.prices)
        return SeenOffer(
            model=self.model,
            price=self.price,
            currency=self.currency,
            usage_prices=prices,
            says_uses="included_uses" in self.model_fields_set,
            included_uses=self.included_uses,
        )


class AgentRefund(RequestModel):
    """Returns an agent for a refund; the body has no fields."""

    model_config = example()


class AgentCancel(RequestModel):
    """Ends a purchase; the body has no fields."""

    model_config = example()


class AgentPurchaseView(ResponseModel):
    """An agent that an organization has bought."""

    id: str
    organization_id: str
    agent_id: str
    agent_name: str
    model: OfferModel
    price: Exact | None = Field(description="The amount paid, including `tax`.")
    tax: Exact | None = Field(description="The tax in `price`; null if no tax was charged with the sale.")
    currency: str | None
    prices: dict[str, Exact] | None = Field(
        description=(
            "The price of a unit of each meter for the organization, in credits; null unless the model is usage."
        )
    )
    included_uses: int | None = Field(description="How many uses the price includes; null for any number.")
    granted_amount: Exact | None = Field(
        description=(
            "The part of the seller's share that was paid in granted credits; null unless the price was in credits."
        )
    )
    used: Exact | None = Field(description="The part of the price that was used and therefore not refunded.")
    payment_id: str | None = Field(description="The payment of a price in money.")
    status: PurchaseStatus
    has_access: bool
    bought_by: str
    bought_at: datetime
    refundable_until: datetime
    refunded_at: datetime | None
    ends_at: datetime | None = Field(description="When the paid month ends; null if access does not end.")
    renews: bool = Field(description="Whether the next month is bought automatically.")

    @classmethod
    def of(cls, row: MarketplacePurchase, agent_name: str, window: timedelta, now: datetime) -> "AgentPurchaseView":
        status = PurchaseStatus(row.status)
        return cls.from_row(
            row,
            agent_name=agent_name,
            price=_amount(row.price_minor, row.currency),
            tax=_amount(row.tax_minor or None, row.currency),
            prices=shown_prices(row.usage_prices),
            granted_amount=_amount(row.granted_minor, row.currency) if row.currency == CREDIT else None,
            used=_amount(row.used_minor or None, row.currency) if status is PurchaseStatus.REFUNDED else None,
            status=status,
            has_access=status is PurchaseStatus.ACTIVE and not is_over(row.ends_at, now),
            refundable_until=row.bought_at + window,
            renews=row.renews_at is not None,
        )


class PurchaseAnswer(ResponseModel):
    """The result of buying an agent."""

    purchase: AgentPurchaseView | None = Field(
        description="The organization's purchase; null while a price in money is not paid yet."
    )
    payment: PaymentView | None = Field(default=None, description="The payment of a price in money.")


def _amount(minor: int | None, currency: str | None) -> str | None:
    return None if minor is None or currency is None else format_amount(minor, currency)
