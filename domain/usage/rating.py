"""The cost of a call: every unit times its price, exactly, rounded once.

A tier for long prompts prices the whole call, as vendors do (Gemini above 200k, OpenAI above 272k tokens; see
`docs/guides/metering.md` for sources), not only the tokens above. A unit without a price costs what a stated substitute
does (`domain.usage.prices.FALLBACKS`), and its line is marked as estimated. Without a substitute it is refused,
and never free.
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
    """What one unit of usage costs; exact.

    Attributes:
        unit: a field of `TokenUsage`.
        quantity: how much is charged; searches may be charged once a call.
        scaled_price: the price of one unit with its surcharges, an integer of 10⁻ᵖˡᵃᶜᵉˢ.
        priced_as: the unit that the list has the price for; another one than `unit` where it has none for that.
    """

    unit: str
    quantity: int
    scaled_price: int
    places: int
    priced_as: str

    @property
    def is_estimated(self) -> bool:
        """Return whether a substitute's price applies, because the list has none for the unit."""
        return self.priced_as != self.unit

    @property
    def unit_price(self) -> Decimal:
        """Return the price of one unit (of a millisecond, where usage counts those), with its surcharges."""
        return from_scaled(self.scaled_price, self.places)

    @property
    def amount(self) -> Decimal:
        return from_scaled(self.quantity * self.scaled_price, self.places)


class RatedCall(NamedTuple):
    """What a call costs and why.

    Attributes:
        amount_pico: the sum of the lines, rounded once, half to even, to 10⁻¹² of the currency.
        tier: the prices that apply; `standard` also where the list has none for the tier that served the call.
        above: the prompt was longer than this, and the prices are those of such prompts; 0 for the first band.
        is_default: the list does not have the model, and the configured default price applies.
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
    """Return what a call costs at a price, at a time: where the price has hours that cost less, it decides.

    Raises:
        Invalid: `usage.unit_unpriced`: something was used that the price list has no price for; `units` names it. Or
            the call costs more than `MAX_PICO`.
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
    """List what is charged: unit, quantity and price, as `PriceBand.scaled_price_of` has it; refuse what has none."""
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
    """Return a price of 10⁻²⁷ with four more places for each surcharge; only tokens bear them."""
    for factor in applied:
        each *= factor if unit in TOKEN_UNITS else 10**UPLIFT_DECIMALS
    return each
