"""What the kinds of rules say, over HTTP."""

from datetime import time
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from api.fields import Amount, Currency, Ratio, RequestModel, Whole
from domain.billing.plan import PLAN_NAME
from domain.common.money import CREDIT, format_amount, format_ratio, parse_amount
from domain.marketplace.pricing.stored_terms import custom_terms, parse_bps
from domain.marketplace.pricing.terms import (
    MAX_STEPS,
    Bounds,
    Bulk,
    ContractPrice,
    Custom,
    Reputation,
    Surge,
    Terms,
    Tier,
    TierStep,
    TimeOfDay,
    Volume,
)
from services.marketplace.pricing import COMPILE

_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
Clock = Annotated[str, StringConstraints(pattern=_CLOCK)]
PlanName = Annotated[str, StringConstraints(pattern=f"^{PLAN_NAME.pattern}$")]
Weekday = Annotated[Whole, Field(ge=1, le=7)]


def _bps(text: str, name: str) -> int:
    return parse_bps(text, f"terms.{name}")


class SurgeTerms(RequestModel):
    """A surcharge while demand (open work as a share of the capacity) exceeds a threshold."""

    type: Literal["surge"]
    threshold: Ratio
    maximum: Ratio = Field(default="1.50", description="The multiplier at full demand, at most 1.50.")
    full: Ratio = Field(default="1.00", description="The demand at which the maximum is reached.")

    def terms(self) -> Surge:
        return Surge(_bps(self.threshold, "threshold"), _bps(self.maximum, "maximum"), _bps(self.full, "full"))

    @classmethod
    def of(cls, terms: Surge) -> "SurgeTerms":
        shown = {name: format_ratio(getattr(terms, f"{name}_bps")) for name in ("threshold", "maximum", "full")}
        return cls(type="surge", **shown)


class ReputationTerms(RequestModel):
    """A multiplier for a reputation score (0 to 10) from `from_score` on; it applies in full from `full_score` on."""

    type: Literal["reputation"]
    whose: Literal["client", "seller"] = "client"
    multiplier: Ratio = "0.80"
    from_score: Ratio = "7.00"
    full_score: Ratio = "9.00"
    least_evidence: Annotated[Whole, Field(ge=1, le=1_000_000)] = 10

    def terms(self) -> Reputation:
        scores = _bps(self.from_score, "from_score"), _bps(self.full_score, "full_score")
        return Reputation(self.whose, _bps(self.multiplier, "multiplier"), *scores, self.least_evidence)

    @classmethod
    def of(cls, terms: Reputation) -> "ReputationTerms":
        return cls(
            type="reputation",
            whose="seller" if terms.whose == "seller" else "client",
            multiplier=format_ratio(terms.multiplier_bps),
            from_score=format_ratio(terms.from_e4),
            full_score=format_ratio(terms.full_e4),
            least_evidence=terms.least_evidence,
        )


class TimeOfDayTerms(RequestModel):
    """A multiplier between two times of day in a time zone.

    A window that ends before it begins ends on the next day.
    """

    type: Literal["time_of_day"]
    zone: Annotated[str, StringConstraints(min_length=1, max_length=60)] = Field(examples=["Europe/Vienna"])
    multiplier: Ratio
    weekdays: Annotated[list[Weekday], Field(min_length=1, max_length=7)] = Field(
        default=[1, 2, 3, 4, 5, 6, 7], description="The days on which the window begins, from 1 (Monday) to 7 (Sunday)."
    )
    begins: Clock = "00:00"
    ends: Clock = Field(
        default="00:00",
        description="The time before which the window ends. If it equals `begins`, the window lasts the whole day.",
    )

    def terms(self) -> TimeOfDay:
        begins, ends = time.fromisoformat(self.begins), time.fromisoformat(self.ends)
        return TimeOfDay(
            self.zone, _bps(self.multiplier, "multiplier"), tuple(sorted(set(self.weekdays))), begins, ends
        )

    @classmethod
    def of(cls, terms: TimeOfDay) -> "TimeOfDayTerms":
        return cls(
            type="time_of_day",
            zone=terms.zone,
            multiplier=format_ratio(terms.multiplier_bps),
            weekdays=list(terms.weekdays),
            begins=f"{terms.begins:%H:%M}",
            ends=f"{terms.ends:%H:%M}",
        )


class BulkStep(RequestModel):
    """The multiplier from a quantity on."""

    quantity: Annotated[Whole, Field(ge=1, le=1_000_000_000)]
    multiplier: Ratio


class BulkTerms(RequestModel):
    """A multiplier by the quantity bought at once. A step that would make a larger quantity cost less is refused."""

    type: Literal["bulk"]
    steps: Annotated[list[BulkStep], Field(min_length=1, max_length=MAX_STEPS)]

    def terms(self) -> Bulk:
        return Bulk(tuple(TierStep(step.quantity, _bps(step.multiplier, "steps")) for step in self.steps))

    @classmethod
    def of(cls, terms: Bulk) -> "BulkTerms":
        steps = [BulkStep(quantity=step.least, multiplier=format_ratio(step.bps)) for step in terms.steps]
        return cls(type="bulk", steps=steps)


class VolumeStep(RequestModel):
    """The multiplier from an amount on."""

    amount: Amount
    multiplier: Ratio


class VolumeTerms(RequestModel):
    """A multiplier by what the client paid for released work in the last 30 days."""

    type: Literal["volume"]
    currency: Currency = CREDIT
    steps: Annotated[list[VolumeStep], Field(min_length=1, max_length=MAX_STEPS)]

    def terms(self) -> Volume:
        steps = (TierStep(parse_amount(it.amount, self.currency), _bps(it.multiplier, "steps")) for it in self.steps)
        return Volume(self.currency, tuple(steps))

    @classmethod
    def of(cls, terms: Volume) -> "VolumeTerms":
        steps = [
            VolumeStep(amount=format_amount(step.least, terms.currency), multiplier=format_ratio(step.bps))
            for step in terms.steps
        ]
        return cls(type="volume", currency=terms.currency, steps=steps)


class TierTerms(RequestModel):
    """A multiplier for clients of one tier, which is the plan that they have."""

    type: Literal["tier"]
    tier: PlanName = Field(description="The name of a plan.")
    multiplier: Ratio

    def terms(self) -> Tier:
        return Tier(self.tier, _bps(self.multiplier, "multiplier"))

    @classmethod
    def of(cls, terms: Tier) -> "TierTerms":
        return cls(type="tier", tier=terms.tier, multiplier=format_ratio(terms.multiplier_bps))


class ContractPriceTerms(RequestModel):
    """The agreed price of one unit for a client. The rule must name the agent and the organization."""

    type: Literal["contract_price"]
    unit_price: Amount
    currency: Currency = CREDIT

    def terms(self) -> ContractPrice:
        return ContractPrice(parse_amount(self.unit_price, self.currency), self.currency)

    @classmethod
    def of(cls, terms: ContractPrice) -> "ContractPriceTerms":
        price = format_amount(terms.unit_minor, terms.currency)
        return cls(type="contract_price", unit_price=price, currency=terms.currency)


class CustomTerms(RequestModel):
    """A multiplier from an expression in a subset of CEL. It returns basis points: 12000 is 1.2 times the price."""

    type: Literal["custom_terms"]
    expression: Annotated[str, StringConstraints(min_length=1, max_length=4_000)] = Field(
        examples=["quantity >= 10 && tier == 'premium' ? 9000 : 10000"]
    )

    def terms(self) -> Custom:
        return custom_terms(self.expression, COMPILE)

    @classmethod
    def of(cls, terms: Custom) -> "CustomTerms":
        return cls(type="custom", expression=terms.expression)


class BoundsTerms(RequestModel):
    """Limits of every price: as multiples of the base price, and as amounts for one unit."""

    type: Literal["bounds"]
    floor: Ratio | None = None
    ceiling: Ratio | None = None
    floor_amount: Amount | None = Field(default=None, description="For one unit, in `currency`.")
    ceiling_amount: Amount | None = None
    currency: Currency | None = None

    def terms(self) -> Bounds:
        floor, ceiling = (
            None if text is None else _bps(text, name)
            for name, text in (("floor", self.floor), ("ceiling", self.ceiling))
        )
        least, most = (
            None if text is None else parse_amount(text, self.currency or CREDIT)
            for text in (self.floor_amount, self.ceiling_amount)
        )
        return Bounds(floor, ceiling, least, most, self.currency)

    @classmethod
    def of(cls, terms: Bounds) -> "BoundsTerms":
        floor, ceiling = (None if it is None else format_ratio(it) for it in (terms.floor_bps, terms.ceiling_bps))
        least, most = (
            None if it is None or terms.currency is None else format_amount(it, terms.currency)
            for it in (terms.floor_minor, terms.ceiling_minor)
        )
        return cls(
            type="bounds",
            floor=floor,
            ceiling=ceiling,
            floor_amount=least,
            ceiling_amount=most,
            currency=terms.currency,
        )


RuleTerms = Annotated[
    SurgeTerms
    | ReputationTerms
    | TimeOfDayTerms
    | BulkTerms
    | VolumeTerms
    | TierTerms
    | ContractPriceTerms
    | CustomTerms
    | BoundsTerms,
    Field(discriminator="type"),
]


def shown(terms: Terms) -> RuleTerms:
    match terms:
        case Surge():
            return SurgeTerms.of(terms)
        case Reputation():
            return ReputationTerms.of(terms)
        case TimeOfDay():
            return TimeOfDayTerms.of(terms)
        case Bulk():
            return BulkTerms.of(terms)
        case Volume():
            return VolumeTerms.of(terms)
        case Tier():
            return TierTerms.of(terms)
        case ContractPrice():
            return ContractPriceTerms.of(terms)
        case Custom():
            return CustomTerms.of(terms)
        case Bounds():
            return BoundsTerms.of(terms)
