"""The facts that a price is computed from. The same facts always give the same price."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from domain.common.money import format_amount

#: The whole of a ratio, and what a multiplier of one is, in basis points.
WHOLE_BPS = 10_000


@dataclass(frozen=True, slots=True)
class RankedScore:
    """The score of an agent or organization.

    Attributes:
        overall_e4: the lower bound of the overall score of 0 to 10, which ranks, in ten-thousandths: 50,000 is 5.0. It
            falls in silence, or stays.
        evidence_count: how many whole units of evidence it rests on.
    """

    overall_e4: int
    evidence_count: int


@dataclass(frozen=True, kw_only=True)
class PricingFacts:
    """The input of a price. Amounts are minor units of `currency`.

    Values derived from it are computed once, because many rules use them.

    Attributes:
        agent_id: the agent whose work is priced.
        org_id: the client; None if the platform asks without a client.
        at: the time of the request, timezone-aware.
        unit_minor: the price of one before any rule: the listing's price, or the base of a preview.
        currency: the asset of all amounts.
        quantity: the quantity, at least 1.
        tier: the client's tier.
        volume_minor: what the client paid for released work of unrelated organizations in 30 days, once no bank can
            take it back, without credits that were given away.
        open_jobs: funded work of the agent that is not settled, of unrelated organizations, with a limit for each,
            worth half of the listed price at least.
        capacity: how many jobs the agent works on at once; None if its organization has not set it.
        calls: the calls of the last day by unrelated organizations, with a limit for each.
        calls_per_day: how many calls the agent takes a day; None if its organization has not set it.
        client: the trust in the client's organization; None without evidence.
        buyer: the score of the client's agent that asks; None if a person asks, or without evidence.
        seller: the score of the agent whose work is priced.
        is_related: whether the client and the agent's organization are the same or related; then the client earns
            no multiplier.
    """

    agent_id: str
    org_id: str | None
    at: datetime
    unit_minor: int
    currency: str
    quantity: int = 1
    tier: str | None = None
    volume_minor: int = 0
    open_jobs: int = 0
    capacity: int | None = None
    calls: int = 0
    calls_per_day: int | None = None
    client: RankedScore | None = None
    buyer: RankedScore | None = None
    seller: RankedScore | None = None
    is_related: bool = False

    @property
    def base_minor(self) -> int:
        """The price of the whole quantity before any rule."""
        return self.unit_minor * self.quantity

    @property
    def to_the_minute(self) -> tuple[object, ...]:
        """Everything that a price depends on, with the time cut to the minute: facts with equal keys cost the same."""
        minute = (self.at.replace(second=0, microsecond=0), self.at.utcoffset())
        return tuple(minute if name == "at" else getattr(self, name) for name in _FIELDS)

    @cached_property
    def demand_bps(self) -> int | None:
        """Return the demand as a part of the capacity, in basis points; None where no capacity is known.

        An agent that works on jobs and takes calls is as busy as with the one of which it has more.
        """
        kinds = ((self.open_jobs, self.capacity), (self.calls, self.calls_per_day))
        return max((count * WHOLE_BPS // most for count, most in kinds if most is not None), default=None)

    @cached_property
    def volume_shown(self) -> str:
        return f"{format_amount(self.volume_minor, self.currency)} {self.currency}"

    @cached_property
    def _clocks(self) -> dict[str, datetime]:
        return {}

    def at_in(self, zone: str) -> datetime:
        """Return the time of the request in a time zone."""
        local = self._clocks.get(zone)
        if local is None:
            local = self._clocks[zone] = self.at.astimezone(ZoneInfo(zone))
        return local

    @cached_property
    def variables(self) -> Mapping[str, int | str]:
        """The variables of an expression, by the names of `domain.marketplace.pricing.expression.VARIABLES`."""
        return {
            "quantity": self.quantity,
            "demand": self.demand_bps or 0,
            "volume": self.volume_minor,
            "hour": self.at.hour,
            "weekday": self.at.isoweekday(),
            "tier": self.tier or "",
            "currency": self.currency,
        }

    def to_json(self) -> dict[str, Any]:
        """Return the facts as JSON, to be kept with a quote."""
        return {**asdict(self), "at": self.at.isoformat()}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "PricingFacts":
        """Return the facts from their JSON."""
        names = ("client", "buyer", "seller")
        standings = {name: None if (it := kept.get(name)) is None else RankedScore(**it) for name in names}
        return cls(**{**kept, **standings, "at": datetime.fromisoformat(kept["at"])})


_FIELDS = tuple(PricingFacts.__dataclass_fields__)
