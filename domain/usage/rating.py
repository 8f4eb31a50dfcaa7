"""Cost of a call: every unit times its price, rounded once.

The band of a long prompt prices the whole call, not only the tokens above, as vendors do (Gemini above 200k, OpenAI
above 272k tokens; see `docs/guides/metering.md` for sources). A unit without a price costs as its substitute
(`domain.usage.prices.FALLBACKS`), and its line is marked as estimated. Without a substitute the call is refused, never
free.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from domain.common.errors import Invalid, UsageUnitUnpriced
from domain.usage.amounts import MAX_PICO, SCALE, from_scaled, to_pico, to_scaled
from domain.usage.prices import DEFAULT, UPLIFT_DECIMALS, ModelPrice, PriceBand
from domain.usage.token_usage import TOKEN_UNITS, TokenUsage


class RatedLine(NamedTuple):
    """Exact cost of a unit of usage.

    Attributes:
        unit: a field of `TokenUsage`.
        quantity: the charged quantity; searches may be charged once per call.
        scaled_price: the unit price with surcharges, an integer of 10⁻ᵖˡᵃᶜᵉˢ.
        priced_as: the unit of the price: `unit`, or its substitute.
    """

    unit: str
    quantity: int
    scaled_price: int
    places: int
    priced_as: str

    @property
    def is_estimated(self) -> bool:
        """Return whether a substitute's price applies."""
        return self.priced_as != self.unit

    @property
    def unit_price(self) -> Decimal:
        """Return the unit price, per millisecond instead of per second, with surcharges."""
        return from_scaled(self.scaled_price, self.places)

    @property
    def amount(self) -> Decimal:
        return from_scaled(self.quantity * self.scaled_price, self.places)


class RatedCall(NamedTuple):
    """Cost of a call, with its lines and prices.

    Attributes:
        amount_pico: the sum of the lines, rounded once, half to even, to 10⁻¹² of the currency.
        tier: the tier of the prices; `standard` if the call's own tier has none.
        above: the lower limit of the prompt's band; 0 for the first band.
        is_default: whether the model is not listed, and the configured default price applies.
    """

    amount_pico: int
    currency: str
    lines: tuple[RatedLine, ...]
    model: str
    version: str
    tier: str
    above: int
    is_default: bool

    @property
    def estimated(self) -> tuple[str, ...]:
        """Return the units that a substitute's price applies to."""
        return tuple(line.unit for line in self.lines if line.is_estimated)


def rate(usage: TokenUsage, price: ModelPrice, *, at: datetime | None = None) -> RatedCall:
    """Return the cost of a call at a price; its time decides about off-peak prices.

    Raises:
        Invalid: `usage.unit_unpriced`: the price list has no price for the used `units`. Or the call costs more than
            `MAX_PICO`.
    """
    tier = price.tier(usage.tier, at)
    band = price.band(tier, usage)
    applied = [to_scaled(price.uplifts[name], UPLIFT_DECIMALS) for name in usage.uplifts if name in price.uplifts]
    places = SCALE + UPLIFT_DECIMALS * len(applied)
    total, lines = 0, list[RatedLine]()
    for unit, quantity, (unit_price, priced_as) in _priced(usage, price, band):
        each = _with_uplifts(unit_price, unit, applied) if applied else unit_price
        total += quantity * each
        lines.append(RatedLine(unit, quantity, each, places, priced_as))
    amount = to_pico(total, places)
    if amount > MAX_PICO:
        raise Invalid("The call costs more than one rating can hold. Report it in parts.")
    return RatedCall(
        amount_pico=amount,
        currency=price.currency,
        lines=tuple(lines),
        model=price.model,
        version=price.version,
        tier=tier,
        above=band.above,
        is_default=price.version == DEFAULT,
    )


def _priced(usage: TokenUsage, price: ModelPrice, band: PriceBand) -> list[tuple[str, int, tuple[int, str]]]:
    """Return the charged units with quantity and price, see `PriceBand.scaled_price_of`; refuse unpriced units."""
    found, missing = [], []
    for unit, quantity in usage.quantities().items():
        unit_price = band.scaled_price_of(unit)
        if unit_price is not None:
            once = unit == "searches" and price.searches_per_call
            found.append((unit, min(quantity, 1) if once else quantity, unit_price))
        elif unit != "requests":
            missing.append(unit)
    if missing:
        raise UsageUnitUnpriced(
            f"{price.model} has no price for {', '.join(missing)}. Import a price list that has one.",
            extra={"model": price.model, "units": missing},
        )
    return found


def _with_uplifts(each: int, unit: str, applied: Sequence[int]) -> int:
    """Apply surcharges to a price of 10⁻²⁷, with four more places for each; only tokens have surcharges."""
    for factor in applied:
        each *= factor if unit in TOKEN_UNITS else 10**UPLIFT_DECIMALS
    return each
