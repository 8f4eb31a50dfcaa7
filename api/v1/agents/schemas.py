"""Request and response schemas of agents."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Query
from pydantic import Field, StringConstraints, field_validator

from api.fields import (
    Amount,
    Currency,
    Exact,
    Flag,
    Name,
    Note,
    OrganizationId,
    Period,
    RequestModel,
    ResponseModel,
    Share,
    Whole,
    example,
    period_text,
)
from api.metadata import MetadataUpdate, MetadataView, WithMetadata, shown
from api.pictures import picture_url
from api.v1.reputation.schemas import points
from domain.common.errors import Invalid
from domain.common.money import CREDIT, format_amount, format_ratio, parse_amount, parse_ratio
from domain.escrow.contract import Bounds, Term
from domain.tenants.session import origin_of
from models.marketplace.agent import Agent
from models.tenants.metadata import ObjectMetadata
from repositories.marketplace.agent import AgentCard

#: Terms that are shares between 0 and 1, and terms that are numbers.
SHARES = frozenset({Term.DEFAULT_SHARE, Term.THRESHOLD})
COUNTS = frozenset({Term.REQUIRED_SIGNATURES, Term.MILESTONES})


class Visibility(StrEnum):
    """The visibility of a listing."""

    PUBLIC = "public"
    PRIVATE = "private"


class PricingModel(StrEnum):
    """The pricing model of an agent. The price of single jobs is agreed in contracts."""

    FREE = "free"
    MONTHLY = "monthly"
    ONE_TIME = "one_time"
    USAGE = "usage"


class PricingCreate(RequestModel):
    """The price of a listing."""

    model: PricingModel = PricingModel.FREE
    amount: Amount | None = Field(default=None, description="Required for monthly and one_time; not allowed for free.")
    currency: Currency = CREDIT

    def price_minor(self) -> int | None:
        """Return the price in minor units, None if there is none.

        Raises:
            Invalid: the model needs an amount that is missing, or takes none.
        """
        if self.model is PricingModel.FREE and self.amount is not None:
            raise Invalid("The pricing model free does not allow an amount.", extra={"field": "pricing.amount"})
        if self.model in {PricingModel.MONTHLY, PricingModel.ONE_TIME} and self.amount is None:
            raise Invalid(f"The pricing model {self.model} requires an amount.", extra={"field": "pricing.amount"})
        return None if self.amount is None else parse_amount(self.amount, self.currency)

    def columns(self) -> dict[str, Any]:
        """Return the price as an agent's row has it; raises as `price_minor` does."""
        price_minor = self.price_minor()
        return {
            "pricing_model": self.model.value,
            "price_minor": price_minor,
            "price_currency": None if price_minor is None else self.currency,
        }


Category = Annotated[
    str, Field(max_length=64, description="One of the platform's categories. Leaderboards can be filtered by it.")
]


def check_category(category: str | None, known: Sequence[str]) -> None:
    """Refuse a category that the platform does not have.

    Raises:
        Invalid: with the field.
    """
    if category is not None and category not in known:
        raise Invalid(f"category must be one of {', '.join(known)}.", extra={"field": "category"})


class PeriodBounds(RequestModel):
    """The shortest and the longest period that is accepted; a bound that is left out does not apply."""

    min: Period | None = None
    max: Period | None = None

    def bounds(self) -> Bounds:
        """Return the bounds in seconds."""
        least, most = (None if period is None else int(period.total_seconds()) for period in (self.min, self.max))
        return Bounds(least, most)


class ShareBounds(RequestModel):
    """The smallest and the largest share that is accepted, between 0 and 1; a bound that is left out does not apply."""

    min: Share | None = None
    max: Share | None = None

    def bounds(self) -> Bounds:
        least, most = (None if share is None else parse_ratio(share, "A share") for share in (self.min, self.max))
        return Bounds(least, most)


class CountBounds(RequestModel):
    """The smallest and the largest number that is accepted; a bound that is left out does not apply."""

    min: Whole | None = Field(default=None, ge=0, le=100)
    max: Whole | None = Field(default=None, ge=0, le=100)

    def bounds(self) -> Bounds:
        return Bounds(self.min, self.max)


class PriceBounds(RequestModel):
    """The lowest and the highest price that is accepted; a price in another currency is outside of the bounds."""

    min: Amount | None = None
    max: Amount | None = None
    currency: Currency = CREDIT

    def bounds(self) -> Bounds:
        """Return the bounds in minor units."""
        least, most = (None if price is None else parse_amount(price, self.currency) for price in (self.min, self.max))
        return Bounds(least, most, self.currency)


class ListedTerms(RequestModel):
    """The terms that an agent accepts automatically. The platform's bounds apply to a term that is left out."""

    price: PriceBounds | None = None
    deliver_within: PeriodBounds | None = None
    review_period: PeriodBounds | None = None
    evidence_period: PeriodBounds | None = None
    decision_period: PeriodBounds | None = None
    default_grace: PeriodBounds | None = None
    dispute_length: PeriodBounds | None = Field(
        default=None,
        description="How long an undecided dispute lasts: the periods for evidence, decision and grace together.",
    )
    dispute_default_payee_share: ShareBounds | None = None
    validation_threshold: ShareBounds | None = Field(
        default=None, description="A contract without a threshold counts as above every max."
    )
    required_signatures: CountBounds | None = None
    milestones: CountBounds | None = Field(
        default=None, description="Number of milestones; 0 for work without milestones."
    )

    def stored(self) -> dict[str, dict[str, Any]]:
        """Return the bounds by term, as a listing is stored.

        Raises:
            Invalid: a minimum is greater than its maximum.
        """
        stored: dict[str, dict[str, Any]] = {}
        for name in self.model_fields_set:
            listed: PeriodBounds | ShareBounds | CountBounds | PriceBounds | None = getattr(self, name)
            if listed is None:
                continue
            bounds = listed.bounds()
            if bounds.least is not None and bounds.most is not None and bounds.least > bounds.most:
                raise Invalid("min must not be greater than max.", extra={"field": f"terms.{name}"})
            stored[name] = {part: value for part, value in asdict(bounds).items() if value is not None}
        return stored


class AgentCreate(WithMetadata):
    """A new agent; an operator names the organization."""

    model_config = example(
        name="Summariser",
        pricing={"model": "monthly", "amount": "9.99", "currency": "USD"},
        visibility="public",
        category="content",
        terms={"review_period": {"max": "P5D"}, "dispute_default_payee_share": {"min": "0.50"}},
        external_id="summariser-1",
        metadata={"team": "research"},
    )

    name: Name
    description: Note | None = None
    organization_id: OrganizationId | None = None
    visibility: Visibility = Visibility.PUBLIC
    category: Category | None = None
    pricing: PricingCreate = PricingCreate()
    terms: ListedTerms = Field(
        default=ListedTerms(),
        description="A contract outside of these terms waits until the agent or its organization accepts it.",
    )
    accepts_granted_credits: Flag = Field(
        default=True,
        description=(
            "Whether credits that nobody paid for may fund an escrow of the agent, buy it and pay its uses. Amounts "
            "paid in them are not paid out, unless the platform pays out granted credits."
        ),
    )


class Sample(RequestModel):
    """A sample of an agent's work."""

    title: Annotated[Name, StringConstraints(max_length=80)]
    url: Annotated[str, StringConstraints(max_length=500), Field(description="Where it is: an https URL.")]
    note: Name | None = None

    @field_validator("url")
    @classmethod
    def _is_https(cls, url: str) -> str:
        is_plain = url.isascii() and url.isprintable() and " " not in url
        if not (is_plain and url.startswith("https://") and origin_of(url)):
            raise ValueError("must be an https URL, without a user or a password")
        return url


class SampleView(ResponseModel):
    """A sample of an agent's work."""

    title: str
    url: str
    note: str | None


class AgentUpdate(MetadataUpdate):
    """Changes of an agent. Fields that are left out stay as they are. Contracts keep their terms."""

    model_config = example(description="Summaries of reports in English and German", metadata={"team": "reports"})

    name: Name | None = None
    description: Note | None = Field(default=None, description="Null removes it.")
    category: Category | None = Field(default=None, description="Null removes it.")
    pricing: PricingCreate | None = Field(default=None, description="Replaces the current one.")
    terms: ListedTerms | None = Field(default=None, description="Replaces all current ones.")
    accepts_granted_credits: Flag | None = Field(
        default=None,
        description="Whether credits that nobody paid for may fund an escrow of the agent, buy it and pay its uses.",
    )
    visibility: Visibility | None = Field(
        default=None, description="An agent that is listed on the marketplace must be public."
    )
    samples: Annotated[list[Sample], Field(max_length=5)] | None = Field(
        default=None, description="Samples of its work, up to five. They replace the current ones."
    )

    def columns(self) -> dict[str, dict[str, Any]]:
        """Return the columns to change, by the field of the request.

        Raises:
            Invalid: a price or a bound is not valid.
        """
        named: dict[str, dict[str, Any]] = {} if self.name is None else {"name": {"name": self.name}}
        for name in {"description", "category"} & self.model_fields_set:
            named[name] = {name: getattr(self, name)}
        if self.pricing is not None:
            named["pricing"] = self.pricing.columns()
        if self.visibility is not None:
            named["visibility"] = {"visibility": self.visibility.value}
        if self.accepts_granted_credits is not None:
            named["accepts_granted_credits"] = {"accepts_granted": self.accepts_granted_credits}
        if self.terms is not None:
            named["terms"] = {"terms": self.terms.stored()}
        if self.samples is not None:
            named["samples"] = {"samples": [each.model_dump() for each in self.samples]}
        return named


class CategorySet(RequestModel):
    """The category to list an agent under."""

    model_config = example(category="research")

    category: Category | None


class PricingView(ResponseModel):
    """The price of a listing."""

    model: PricingModel
    amount: Exact | None
    currency: str | None


class BoundsView(ResponseModel):
    """The minimum and the maximum that is accepted of a term; null means no bound."""

    min: str | int | None
    max: str | int | None
    currency: str | None = None


def _bounds_view(name: str, stored: dict[str, Any]) -> BoundsView:
    currency: str | None = stored.get("currency")

    def text(value: int | None) -> str | int | None:
        if value is None or name in COUNTS:
            return value
        if name in SHARES:
            return format_ratio(value)
        return period_text(value) if currency is None else format_amount(value, currency)

    return BoundsView(min=text(stored.get("least")), max=text(stored.get("most")), currency=currency)


#: One of five stars, in millionths of a score.
STAR_E6 = 200_000
MinStars = Annotated[
    Decimal | None,
    Query(ge=0, le=5, max_digits=3, decimal_places=2, description="Only agents that have at least this score."),
]


def stars_e6(stars: Decimal | None) -> int | None:
    return None if stars is None else int(stars * STAR_E6)


class CardView(ResponseModel):
    """The data by which people choose an agent."""

    organization_name: str
    stars: float | None = Field(description="The agent's score, from 0 to 5; null without evidence.")
    ratings: int = Field(description="The number of ratings by clients that count.")
    jobs_done: int = Field(description="The number of contracts that ended well and count.")
    median_delivery_seconds: int | None = Field(
        description=(
            "The median time from funding to delivery of the latest 100 jobs of 90 days that were released in full, "
            "without a dispute; as of last night, and null for fewer than three."
        )
    )
    picture_url: str | None = Field(description="The path of its picture, which changes with it; null without one.")
    can_be_hired: bool = Field(
        description="Whether work can begin: the agent is not retired, and its organization not suspended or closed."
    )


def card(agent_id: str, found: AgentCard) -> dict[str, Any]:
    """Return the fields of a `CardView`."""
    return {
        "organization_name": found.organization_name,
        "stars": None if found.stars_e6 is None else points(found.stars_e6) / 2,
        "ratings": found.ratings,
        "jobs_done": found.jobs_done,
        "median_delivery_seconds": found.delivery_seconds,
        "picture_url": picture_url(f"/agents/{agent_id}/picture", found.picture_sha256),
        "can_be_hired": found.can_be_hired,
    }


class AgentView(CardView, MetadataView):
    """An agent and its listing."""

    id: str
    name: str
    description: str | None
    organization_id: str
    visibility: Visibility
    category: str | None
    pricing: PricingView
    terms: dict[str, BoundsView] = Field(
        description=(
            "The bounds that are accepted automatically, by term. Other terms must be the platform's defaults or "
            "better."
        )
    )
    accepts_granted_credits: bool = Field(
        description="Whether credits that nobody paid for may fund an escrow of the agent."
    )
    samples: list[SampleView] = Field(description="Samples of its work, as its organization describes them.")
    created_at: datetime
    retired_at: datetime | None = Field(
        description="When it was retired. Nothing new can begin with a retired agent. Null while it can be hired."
    )

    @classmethod
    def of(cls, row: Agent, found: AgentCard, own: ObjectMetadata | None) -> "AgentView":
        """Build the view from a row and its card, with `external_id` and `metadata` if the agent is the caller's."""
        priced = row.price_minor is not None and row.price_currency is not None
        return cls.from_row(
            row,
            pricing=PricingView(
                model=PricingModel(row.pricing_model),
                amount=format_amount(row.price_minor or 0, row.price_currency or CREDIT) if priced else None,
                currency=row.price_currency,
            ),
            terms={name: _bounds_view(name, bounds) for name, bounds in sorted(row.terms.items())},
            accepts_granted_credits=row.accepts_granted,
            **card(row.id, found),
            **shown(own),
        )
