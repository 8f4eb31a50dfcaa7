"""The input of a price. The same facts always give the same price."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from zoneinfo import ZoneInfo

from domain.common.money import format_amount

#: One in basis points, of a ratio or a multiplier.
WHOLE_BPS = 10_000


@dataclass(frozen=True, slots=True)
class RankedScore:
    """Score of an agent or an organization.

    Attributes:
        overall_e4: the lower bound of the overall score, which ranks, in ten-thousandths: 50,000 is 5.0 of 10. Without
            new evidence it never rises.
        evidence_count: the whole units of evidence behind it.
    """

    overall_e4: int
    evidence_count: int


@dataclass(frozen=True, kw_only=True)
class PricingFacts:
    """Input of a price. Amounts are minor units of `currency`.

    Derived values are cached, because many rules use them.

    Attributes:
        agent_id: the agent whose work is priced.
        org_id: the client; None if the platform asks without a client.
        at: the time of the request, timezone-aware.
        unit_minor: the unit price before any rule: the listing's price, or the base of a preview.
        currency: the asset of all amounts.
        quantity: the quantity, at least 1.
        tier: the client's tier.
        volume_minor: payments of the client for released work of unrelated organizations in 30 days, after the
            chargeback window, without granted credits.
        open_jobs: unsettled funded jobs of the agent worth at least half of the listed price, from unrelated
            organizations, with a limit for each.
        capacity: the number of concurrent jobs that the agent accepts; None if unset.
        calls: calls of the last day by unrelated organizations, with a limit for each.
        calls_per_day: the number of calls that the agent accepts a day; None if unset.
        client: the trust in the client's organization; None without evidence.
        buyer: the score of the client's requesting agent; None for a person, or without evidence.
        seller: the score of the agent whose work is priced.
        is_related: whether the client is, or is related to, the agent's organization; then its score gives no discount.
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
        """Return the cache key: everything that a price depends on, with the time cut to the minute."""
        minute = (self.at.replace(second=0, microsecond=0), self.at.utcoffset())
        return tuple(minute if name == "at" else getattr(self, name) for name in _FIELDS)

    @cached_property
    def demand_bps(self) -> int | None:
        """Return the demand as a share of the capacity, in basis points; None without a capacity.

        Of jobs and calls the higher share counts.
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
        """Return the variables of an expression, see `domain.marketplace.pricing.expression.VARIABLES`."""
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
        """Return the facts as JSON, to store with a quote."""
        return {**asdict(self), "at": self.at.isoformat()}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> "PricingFacts":
        """Return the facts from their JSON."""
        names = ("client", "buyer", "seller")
        standings = {name: None if (it := kept.get(name)) is None else RankedScore(**it) for name in names}
        return cls(**{**kept, **standings, "at": datetime.fromisoformat(kept["at"])})


_FIELDS = tuple(PricingFacts.__dataclass_fields__)
