"""The prices of a model's units, by the tier of the call and the length of the prompt."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from domain.common.errors import Invalid
from domain.usage.amounts import multiply_exactly, parse_decimal, parse_price, to_scaled, without_trailing_zeros
from domain.usage.token_usage import STANDARD, UNITS, TokenUsage

#: The version of a price that is configured, not imported.
DEFAULT = "default"
#: The longest name of a model or a provider.
MAX_NAME = 200
#: A price list says per second, usage says milliseconds.
MILLISECOND_UNITS = frozenset(unit for unit in UNITS if unit.endswith("_ms") or unit.startswith("output_ms_"))
#: The tier of calls at off-peak hours. It is not requested; the time of the call decides.
OFF_PEAK = "off_peak"
#: Surcharges have at most four decimals: 1.1 and 2.
UPLIFT_DECIMALS = 4
#: What Claude's tokens of a cache cost, in terms of input, at whoever serves it: Anthropic states it for all its models
#: (https://docs.anthropic.com/en/docs/about-claude/pricing). No other vendor states one ratio for all of its own.
CLAUDE_RATIOS: Mapping[str, Decimal] = {
    "cached_tokens": Decimal("0.1"),
    "cache_write_tokens": Decimal("1.25"),
    "cache_write_1h_tokens": Decimal(2),
}
#: Substitutes for a unit without a price: the first of these with a price applies. A provider without a price for
#: cached, audio or reasoning tokens bills them as ordinary ones. What is rated by a substitute is marked as estimated.
FALLBACKS: Mapping[str, tuple[str, ...]] = {
    "cached_tokens": ("input_tokens",),
    "cache_write_tokens": ("input_tokens",),
    "cache_write_1h_tokens": ("cache_write_tokens", "input_tokens"),
    "cache_write_12h_tokens": ("cache_write_1h_tokens", "cache_write_tokens", "input_tokens"),
    "audio_input_tokens": ("input_tokens",),
    "cached_audio_tokens": ("cached_tokens", "audio_input_tokens", "input_tokens"),
    "image_input_tokens": ("input_tokens",),
    "cached_image_tokens": ("cached_tokens", "image_input_tokens", "input_tokens"),
    "video_input_tokens": ("input_tokens",),
    "reasoning_tokens": ("output_tokens",),
    "audio_output_tokens": ("output_tokens",),
    "image_output_tokens": ("output_tokens",),
    "video_output_tokens": ("output_tokens",),
    **{unit: ("output_images",) for unit in UNITS if unit.startswith("output_images_")},
    **{unit: ("output_ms",) for unit in UNITS if unit.startswith("output_ms_")},
}
DAY_MINUTES = 24 * 60
#: What a model's name may have beside the model: who serves it, before the last slash, and the date of its version.
#: PostgreSQL reads the expression, too.
BESIDE_NAME = r"^.*/|[-@](\d{4}-\d{2}-\d{2}|\d{8})$"


@dataclass(frozen=True, slots=True)
class PriceBand:
    """Unit prices of calls whose prompt has more than `above` tokens; they apply to the whole call.

    Attributes:
        above: 0 for the first band, which also applies to a call without a prompt.
        prices: of one unit (one second where usage counts milliseconds), exact.
    """

    above: int
    prices: Mapping[str, Decimal]
    #: What units without a price cost, as factors of the price of input.
    ratios: Mapping[str, Decimal] = field(default_factory=dict)
    #: A cache of `scaled_price_of`, because events ask for the same few prices.
    _scaled: dict[str, tuple[int, str] | None] = field(default_factory=dict, init=False, repr=False, compare=False)

    def price_of(self, unit: str) -> tuple[Decimal, str] | None:
        """Return the price of one unit and the unit that the list has it for; None if it has no substitute either."""
        own = self.prices.get(unit)
        if own is not None:
            return own, unit
        if unit in self.ratios and "input_tokens" in self.prices:
            return multiply_exactly(self.prices["input_tokens"], self.ratios[unit]), "input_tokens"
        return next(((self.prices[name], name) for name in FALLBACKS.get(unit, ()) if name in self.prices), None)

    def scaled_price_of(self, unit: str) -> tuple[int, str] | None:
        """Return `price_of` with the price of one unit of usage as an integer of 10⁻²⁷.

        A price per second is one per millisecond.
        """
        try:
            return self._scaled[unit]
        except KeyError:
            found = self.price_of(unit)
            made = self._scaled[unit] = None if found is None else (_scaled_price(unit, found[0]), found[1])
            return made


@dataclass(frozen=True, slots=True, kw_only=True)
class OffPeakHours:
    """Hours of a week.

    Attributes:
        begins: minutes after midnight in UTC; `ends` is exclusive. If `ends` is not after `begins`, they continue after
            midnight.
        weekdays: Monday is 1, in the time zone `zone`.
    """

    begins: int
    ends: int
    weekdays: frozenset[int]
    zone: str = "UTC"

    def __post_init__(self) -> None:
        """Refuse hours that are not valid.

        Raises:
            Invalid: a minute, a weekday or the zone does not exist.
        """
        minutes = 0 <= self.begins < DAY_MINUTES and 0 <= self.ends <= DAY_MINUTES
        if not minutes or not self.weekdays or not self.weekdays <= set(range(1, 8)):
            raise Invalid("Hours must be minutes of a day, on weekdays from 1 to 7.")
        try:
            ZoneInfo(self.zone)
        except (KeyError, ValueError, OSError):
            raise Invalid(f"There is no time zone {self.zone[:64]!r}.") from None

    def hold(self, at: datetime) -> bool:
        """Return whether a moment is within them."""
        utc = at.astimezone(UTC)
        minute = utc.hour * 60 + utc.minute
        if self.begins < self.ends:
            is_within = self.begins <= minute < self.ends
        else:
            is_within = minute >= self.begins or minute < self.ends
        return is_within and at.astimezone(ZoneInfo(self.zone)).isoweekday() in self.weekdays


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPrice:
    """The prices of one model from a time on.

    Attributes:
        model: its key in the price list, such as `gpt-4o` or `gemini/gemini-2.5-pro`.
        provider: who serves it, as the list names them.
        version: of the list, or `default` for the configured default price.
        tiers: bands by tier, ascending by `above`; `standard` is always included.
        uplifts: factors on the price of tokens, by the surcharge's name.
        searches_per_call: whether a call pays for searching once, however many searches it made.
        off_peak: when standard calls have the prices of the tier `off_peak`.
        is_reasoning: whether the list says that the model reasons.
    """

    model: str
    provider: str
    currency: str
    version: str
    valid_from: datetime
    tiers: Mapping[str, tuple[PriceBand, ...]]
    uplifts: Mapping[str, Decimal] = field(default_factory=dict)
    searches_per_call: bool = False
    off_peak: tuple[OffPeakHours, ...] = ()
    is_reasoning: bool = False

    def tier(self, asked: str, at: datetime | None) -> str:
        """Return the tier of a call's prices: the standard one if there are none for its own tier.

        Args:
            asked: how the call was served.
            at: when; None at no off-peak hour.
        """
        if asked != STANDARD and asked != OFF_PEAK and asked in self.tiers:
            return asked
        is_off_peak = self.off_peak and at is not None and any(hours.hold(at) for hours in self.off_peak)
        return OFF_PEAK if is_off_peak else STANDARD

    def band(self, tier: str, usage: TokenUsage) -> PriceBand:
        """Return the prices of a call of that tier: they go by the length of its prompt, which sums of calls lack."""
        bands = self.tiers[tier]
        if len(bands) == 1 or usage.is_sum:
            return bands[0]
        prompt_tokens = usage.prompt_tokens
        return next((band for band in reversed(bands[1:]) if prompt_tokens > band.above), bands[0])


def prices_to_json(price: ModelPrice) -> dict[str, object]:
    """Return what `prices_from_json` reads: all prices as plain decimal strings, in an order that compares."""
    document: dict[str, object] = {
        "tiers": {
            tier: [
                {"above": band.above, "prices": {unit: f"{band.prices[unit]:f}" for unit in sorted(band.prices)}}
                for band in bands
            ]
            for tier, bands in sorted(price.tiers.items())
        }
    }
    if price.uplifts:
        document["uplifts"] = {name: f"{factor:f}" for name, factor in sorted(price.uplifts.items())}
    if price.searches_per_call:
        document["searches_per_call"] = True
    if price.is_reasoning:
        document["is_reasoning"] = True
    if price.off_peak:
        document["off_peak"] = [
            {"begins": hours.begins, "ends": hours.ends, "weekdays": sorted(hours.weekdays), "zone": hours.zone}
            for hours in price.off_peak
        ]
    return document


def prices_from_json(
    document: Mapping[str, Any], *, model: str, provider: str, currency: str, version: str, valid_from: datetime
) -> ModelPrice:
    """Read the document of `prices_to_json`; `Invalid` when it is none."""
    return make_price(
        model=model,
        provider=provider,
        currency=currency,
        version=version,
        valid_from=valid_from,
        tiers={
            tier: [(int(band["above"]), band["prices"]) for band in bands] for tier, bands in document["tiers"].items()
        },
        uplifts=document.get("uplifts", {}),
        searches_per_call=document.get("searches_per_call", False),
        is_reasoning=document.get("is_reasoning", False),
        off_peak=tuple(
            OffPeakHours(**{**each, "weekdays": frozenset(each["weekdays"])}) for each in document.get("off_peak", ())
        ),
    )


def make_price(
    *,
    model: str,
    provider: str,
    currency: str,
    version: str,
    valid_from: datetime,
    tiers: Mapping[str, Iterable[tuple[int, Mapping[str, object]]]],
    uplifts: Mapping[str, object] | None = None,
    searches_per_call: bool = False,
    off_peak: tuple[OffPeakHours, ...] = (),
    is_reasoning: bool = False,
) -> ModelPrice:
    """Make a price of whatever `parse_price` reads, and check it.

    Raises:
        Invalid: a unit is unknown, a price is not valid, nothing is priced, the bands do not rise from 0, or there are
            hours without off-peak prices, or such prices without hours.
    """
    made: dict[str, tuple[PriceBand, ...]] = {}
    ratios = CLAUDE_RATIOS if "claude" in model.lower() else {}
    for tier, bands in tiers.items():
        rising = sorted(bands, key=lambda band: band[0])
        starts = [above for above, _ in rising]
        if starts[:1] != [0] or len(set(starts)) != len(starts):
            raise Invalid(f"The bands of {tier} must rise from 0.", extra={"field": tier})
        made[tier] = tuple(PriceBand(above, _unit_prices(prices), ratios) for above, prices in rising)
    if STANDARD not in made or not made[STANDARD][0].prices:
        raise Invalid("The model has no price.")
    if (OFF_PEAK in made) != bool(off_peak):
        raise Invalid(
            "Off-peak prices need hours, and off-peak hours need prices. Send both, or neither.",
            extra={"field": OFF_PEAK},
        )
    factors = {name: parse_decimal(factor, name, decimals=UPLIFT_DECIMALS) for name, factor in (uplifts or {}).items()}
    return ModelPrice(
        model=model,
        provider=provider,
        currency=currency,
        version=version,
        valid_from=valid_from,
        tiers=made,
        uplifts=factors,
        searches_per_call=searches_per_call,
        off_peak=off_peak,
        is_reasoning=is_reasoning,
    )


def _scaled_price(unit: str, price: Decimal) -> int:
    return to_scaled(price) // 1000 if unit in MILLISECOND_UNITS else to_scaled(price)


def _unit_prices(prices: Mapping[str, object]) -> dict[str, Decimal]:
    if unknown := sorted(set(prices) - set(UNITS)):
        raise Invalid(f"{unknown[0][:64]!r} is not a unit of usage.", extra={"field": unknown[0][:64]})
    return {unit: without_trailing_zeros(parse_price(price, unit)) for unit, price in prices.items()}


def names_of(model: str, provider: str | None) -> tuple[tuple[str, str | None], ...]:
    """Return where a price list may have a model, the closest first: its key there, and who must serve it.

    Lists name a model by itself (`gpt-4o`) or after who serves it (`azure/gpt-4o`), and so do callers. Without a
    provider the key counts as it is, or after what stands before its slash. Names that cannot be a key are left out.
    """
    head, slash, tail = model.partition("/")
    names: list[tuple[str, str | None]] = [(model, provider)]
    if provider is not None and not (slash and head == provider):
        names.insert(0, (f"{provider}/{model}", provider))
    elif slash:
        names.append((tail, head))
    return tuple((name, by) for name, by in names if 0 < len(name) <= MAX_NAME and name.isprintable())


def plain_name(model: str) -> str:
    """Return a model's name without who serves it and the date of its version: `gpt-4o` of `azure/gpt-4o-2024-08-06`.

    A name in a request and the one in the answer are compared by it, because providers answer with the version.
    """
    return re.sub(BESIDE_NAME, "", model)


def is_served_by(listed: str, provider: str) -> bool:
    """Return whether a provider in the list is the given one; lists distinguish the APIs of a provider.

    A model of the same name at another provider has another price, and does not match.
    """
    apis = {provider, *(f"{provider}_{api}" for api in ("chat", "converse", "text")), f"text-completion-{provider}"}
    return listed in apis or listed.startswith(f"{provider}-")
