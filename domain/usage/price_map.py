"""Reads LiteLLM's map of model prices, `model_prices_and_context_window_backup.json`, exactly.

The map names one price a field: a base (`input_cost_per_token`), for prompts above a length
(`…_above_200k_tokens`), for how a call is served (`…_batches`, `…_flex`, `…_priority`), or both at once. What it means
is taken from LiteLLM 1.109.1 (`litellm_core_utils/llm_cost_calc/utils.py`): a band for long prompts prices the whole
call, xAI's from its first token on and everybody else's above it; a tier has the standard price of what it does not
name; a missing price of cached tokens is that of input. An entry that has `alias_of` is another name of the entry that
it names (LiteLLM 1.110.2, `get_model_cost_map.py`). Numbers are read as decimals, never as floats.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from domain.common.errors import Invalid
from domain.usage.amounts import MAX_DECIMALS, SCALE, from_scaled, parse_price, to_scaled
from domain.usage.prices import DEFAULT, MAX_NAME, OFF_PEAK, ModelPrice, OffPeakHours, make_price
from domain.usage.token_usage import STANDARD

CURRENCY = "USD"

_UNITS: Mapping[str, str] = {
    "input_cost_per_token": "input_tokens",
    "output_cost_per_token": "output_tokens",
    "cache_read_input_token_cost": "cached_tokens",
    "cache_creation_input_token_cost": "cache_write_tokens",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h_tokens",
    "cache_creation_input_token_cost_above_12hr": "cache_write_12h_tokens",
    "input_cost_per_audio_token": "audio_input_tokens",
    "cache_read_input_audio_token_cost": "cached_audio_tokens",
    "input_cost_per_image_token": "image_input_tokens",
    "cache_read_input_image_token_cost": "cached_image_tokens",
    "input_cost_per_video_token": "video_input_tokens",
    "output_cost_per_reasoning_token": "reasoning_tokens",
    "output_cost_per_audio_token": "audio_output_tokens",
    "output_cost_per_image_token": "image_output_tokens",
    "output_cost_per_video_token": "video_output_tokens",
    "input_cost_per_request": "requests",
    "input_cost_per_query": "queries",
    "input_cost_per_second": "input_ms",
    "input_cost_per_audio_per_second": "input_ms",
    "input_cost_per_video_per_second": "video_input_ms",
    "output_cost_per_second": "output_ms",
    "output_cost_per_video_per_second": "output_ms",
    "input_cost_per_character": "input_characters",
    "output_cost_per_character": "output_characters",
    "input_cost_per_image": "input_images",
    "output_cost_per_image": "output_images",
    **{f"output_cost_per_image_{size}": f"output_images_{size}" for size in ("512", "1024", "1536")},
    "output_cost_per_image_0.5K": "output_images_512",
    "output_cost_per_image_1K": "output_images_1024",
    "output_cost_per_image_2K": "output_images_2048",
    "output_cost_per_image_4K": "output_images_4096",
    "input_cost_per_pixel": "output_pixels",
    "output_cost_per_pixel": "output_pixels",
    **{f"output_cost_per_second_{it}": f"output_ms_{it}" for it in ("480p", "720p", "768p", "1080p", "2k", "4k")},
    "ocr_cost_per_page": "pages",
}
#: All units that the map has prices for, besides searches.
UNITS_OF_THE_MAP = frozenset(_UNITS.values())
#: Fields that repeat another one of the entry, in an older form or another unit of account.
_SAME = frozenset({"input_cost_per_token_cache_hit", "cost_per_second"})
_TIERS: Mapping[str, str] = {"batches": "batch"} | {
    name: name for name in ("flex", "priority", "balanced", "ultrafast", "decisions")
}
_FIELD = re.compile(rf"(?P<base>.+?)(?:_above_(?P<above>\d+)(?P<kilo>k?)_tokens)?(?:_(?P<tier>{'|'.join(_TIERS)}))?")
_PRICE = re.compile(r"cost|price|pricing")
_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")
#: Fields that are tables.
_TABLES = frozenset({"search_context_cost_per_query", "tiered_pricing", "off_peak_pricing"})
_REGIONS: Mapping[str, str] = {
    "regional_processing_uplift_multiplier_eu": "geo:eu",
    "regional_processing_uplift_multiplier_us": "geo:us",
    "regional_endpoint_uplift_multiplier": "regional",
}
_INCLUSIVE = frozenset({"xai"})
#: Google's own models; from Gemini 3 the entry says that a search is a query.
_SEARCH_BY_CALL = frozenset({"gemini", "vertex_ai-language-models"})
#: Keys of the map that are no models.
_NO_MODELS: Mapping[str, str] = {
    "sample_spec": "it is the sample entry of the map",
    "fallback_generalizations": "it holds rules for names, not prices",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedEntry:
    """An entry that was not read, and why."""

    model: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceMap:
    """The contents of a file.

    Attributes:
        version: the name of the list; `valid_from` is from when its prices apply.
        prices: of the models that could be read.
        refused: entries that could not be read, each with the reason.
        unpriced: models without a price in the map.
        ignored: the number of entries with a price without a unit of usage here, by field; their other prices were
            read.
    """

    version: str
    valid_from: datetime
    prices: tuple[ModelPrice, ...]
    refused: tuple[RefusedEntry, ...]
    unpriced: tuple[str, ...]
    ignored: Mapping[str, int]

    @property
    def entries(self) -> int:
        return len(self.prices) + len(self.refused) + len(self.unpriced)


def read_price_map(text: str, *, version: str, valid_from: datetime) -> PriceMap:
    """Read a whole file; every entry is in the result, whether it could be read or not.

    Raises:
        Invalid: it is not a JSON object, or names an entry twice.
    """
    prices, refused, unpriced = list[ModelPrice](), list[RefusedEntry](), list[str]()
    ignored: dict[str, int] = {}
    entries = _parse(text)
    for model, entry in entries.items():
        try:
            if why := _NO_MODELS.get(model):
                raise Invalid(f"Not a model: {why}.")
            price, unread = read_entry(model, _followed(entry, entries), version=version, valid_from=valid_from)
        except Invalid as refusal:
            refused.append(RefusedEntry(model=model[:MAX_NAME], why=refusal.detail))
            continue
        for name in unread:
            ignored[name] = ignored.get(name, 0) + 1
        if price is None:
            unpriced.append(model)
        else:
            prices.append(price)
    return PriceMap(
        version=version,
        valid_from=valid_from,
        prices=tuple(prices),
        refused=tuple(refused),
        unpriced=tuple(unpriced),
        ignored=dict(sorted(ignored.items(), key=lambda item: (-item[1], item[0]))),
    )


def _followed(entry: object, entries: Mapping[str, object]) -> object:
    """Return the entry that an alias names, or the entry itself if it is none.

    Raises:
        Invalid: the alias names no entry, or another alias: which price applies is not known then.
    """
    target = entry.get("alias_of") if isinstance(entry, Mapping) else None
    if target is None:
        return entry
    found = entries.get(target) if isinstance(target, str) else None
    if not isinstance(found, Mapping) or "alias_of" in found:
        raise Invalid(f"It is an alias of {str(target)[:MAX_NAME]!r}, which is not a model of the map.")
    return found


def read_entry(
    model: str, entry: object, *, version: str, valid_from: datetime
) -> tuple[ModelPrice | None, tuple[str, ...]]:
    """Read one entry: its price, None if it has none, and the price fields without a unit of usage here.

    Raises:
        Invalid: it is not an entry, or one of its prices is not valid.
    """
    if not isinstance(entry, Mapping):
        raise Invalid("The entry is not an object.")
    provider = entry.get("litellm_provider")
    if not isinstance(provider, str) or not provider:
        raise Invalid("The entry does not say which provider serves the model (litellm_provider).")
    if not (
        0 < len(model) <= MAX_NAME and len(provider) <= MAX_NAME and model.isprintable() and provider.isprintable()
    ):
        raise Invalid(f"The name of a model or provider must have at most {MAX_NAME} characters, all of them visible.")
    found, unread = _fields(entry)
    _searches(entry, found)
    _transcription(entry, found)
    hours = _off_peak(entry.get("off_peak_pricing"), found)
    ranged = _ranged(entry.get("tiered_pricing"))
    if ranged is None and "tiered_pricing" in entry:
        unread.append("tiered_pricing")
    elif ranged:
        # The table holds every price of a token; beside it the entry has units that are counted otherwise.
        found = {(STANDARD, above): found.get((STANDARD, 0), {}) | prices for above, prices in ranged.items()}
    if not found:
        if unread:
            raise Invalid(f"Bursar has no unit of usage for these prices: {', '.join(unread)}.")
        return None, ()
    if STANDARD not in {tier for tier, _ in found}:
        raise Invalid("The entry has prices for a tier, but no standard prices.")
    price = make_price(
        model=model,
        provider=provider,
        currency=CURRENCY,
        version=version,
        valid_from=valid_from,
        tiers=complete_tiers(found, plain=ranged is not None, inclusive=provider in _INCLUSIVE),
        uplifts=_uplifts(entry),
        searches_per_call=provider in _SEARCH_BY_CALL and entry.get("web_search_billing_unit") != "per_query",
        off_peak=hours,
        is_reasoning=entry.get("supports_reasoning") is True,
    )
    return price, tuple(unread)


def default_price(text: str) -> ModelPrice:
    """Read the price of models that are on no list: an object with prices as the map names them.

    Raises:
        Invalid: it is not such an object, or has a price without a unit of usage here.
    """
    always = datetime.min.replace(tzinfo=UTC)
    entry = _parse(text) | {"litellm_provider": DEFAULT}
    price, unread = read_entry(DEFAULT, entry, version=DEFAULT, valid_from=always)
    if price is None or unread:
        raise Invalid(f"The default price names {', '.join(unread) or 'no price'}.")
    return price


FoundPrices = dict[tuple[str, int], dict[str, Decimal]]


def complete_tiers(
    found: FoundPrices, *, plain: bool, inclusive: bool
) -> dict[str, list[tuple[int, dict[str, Decimal]]]]:
    """Return the bands of each tier, each with all its prices.

    A band has the prices of the one below it and of what the map names for it; a tier has the standard ones and its
    own over them, so that a longer prompt never makes a tier's own price the standard one. Where it prices cache writes
    and not those that stay longer, these are in proportion: maps leave them out, and vendors discount both.

    Args:
        found: what the map names, by tier and length.
        plain: the bands are whole already, and inherit nothing.
        inclusive: the band begins with its number of tokens, not above it.
    """
    lengths = sorted({above for _, above in found} | {0})
    bands = dict[str, list[tuple[int, dict[str, Decimal]]]]()
    for tier in sorted({tier for tier, _ in found}):
        rising = list[tuple[int, dict[str, Decimal]]]()
        for length in lengths:
            reached = [below for below in lengths if below <= length and not plain]
            prices = _overlaid(found.get((STANDARD, below), {}) for below in reached)
            if tier != STANDARD:
                own = _overlaid(found.get((tier, below), {}) for below in reached)
                prices = _overlaid([prices, _in_proportion(own, prices)])
            if plain:
                prices = found.get((tier, length), {})
            if not rising or prices != rising[-1][1]:
                rising.append((length - 1 if inclusive and length else length, prices))
        bands[tier] = rising
    return bands


def _overlaid(overlays: Iterable[Mapping[str, Decimal]]) -> dict[str, Decimal]:
    prices = dict[str, Decimal]()
    for overlay in overlays:
        if "output_tokens" in overlay and "reasoning_tokens" not in overlay:
            # Reasoning is output: where only output is priced anew, the older price of reasoning must not outlive it.
            prices.pop("reasoning_tokens", None)
        prices |= overlay
    return prices


def _in_proportion(own: dict[str, Decimal], standard: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Return a tier's prices with those of longer cache writes, where they follow exactly from the standard ones."""
    written, at = standard.get("cache_write_tokens"), own.get("cache_write_tokens")
    for longer in ("cache_write_1h_tokens", "cache_write_12h_tokens"):
        if longer in standard and longer not in own and written and at is not None:
            scaled_price, rest = divmod(to_scaled(standard[longer]) * to_scaled(at), to_scaled(written))
            if not rest and not scaled_price % 10 ** (SCALE - MAX_DECIMALS):
                own[longer] = from_scaled(scaled_price)
    return own


def _fields(entry: Mapping[str, Any]) -> tuple[FoundPrices, list[str]]:
    """Return the prices that fields name, and the fields that stand for no unit."""
    found: FoundPrices = {}
    unread = list[str]()
    for name, value in entry.items():
        if not _PRICE.search(name) or name in _SAME or name in _REGIONS or value is None:
            continue
        if name in _TABLES:
            continue
        placed = _placed(name)
        if placed is None:
            unread.append(name)
            continue
        unit, place = placed
        price, prices = parse_price(value, name), found.setdefault(place, {})
        # The map has the pixels of a picture that is made as input, as output, or as both with nothing for one of them.
        prices[unit] = price if unit != "output_pixels" else max(price, prices.get(unit, price))
    return found, unread


def _placed(name: str) -> tuple[str, tuple[str, int]] | None:
    """Return the unit that a field prices, with the tier and the length of prompt; None where there is none."""
    if name in _UNITS:
        return _UNITS[name], (STANDARD, 0)
    match = _FIELD.fullmatch(name)
    if match is None or match["base"] not in _UNITS:
        return None
    above = int(match["above"] or 0) * (1000 if match["kilo"] else 1)
    return _UNITS[match["base"]], (_TIERS[match["tier"]] if match["tier"] else STANDARD, above)


def _off_peak(table: object, found: FoundPrices) -> tuple[OffPeakHours, ...]:
    """Read the prices of hours that cost less, `{"windows": [{"hours_utc": "10:00-00:00", "weekdays": [6]}], …}`.

    Raises:
        Invalid: it is no such table.
    """
    if table is None:
        return ()
    if not isinstance(table, Mapping) or not isinstance(table.get("windows"), list):
        raise Invalid("off_peak_pricing must have windows.")
    zone = table.get("weekday_timezone", "UTC")
    for name, value in table.items():
        if name not in {"windows", "weekday_timezone"}:
            if name not in _UNITS:
                raise Invalid(f"off_peak_pricing has {name[:64]!r}, which is not known.")
            found.setdefault((OFF_PEAK, 0), {})[_UNITS[name]] = parse_price(value, name)
    hours = []
    for window in table["windows"]:
        if (
            not isinstance(window, Mapping)
            or not window.keys() <= {"hours_utc", "weekdays"}
            or not isinstance(zone, str)
        ):
            raise Invalid("A window of off_peak_pricing must have hours_utc and weekdays.")
        ranges, days = window.get("hours_utc"), window.get("weekdays", list(range(1, 8)))
        if not isinstance(days, list) or not all(type(day) is int for day in days):
            raise Invalid("weekdays of off_peak_pricing must be numbers from 1 to 7.")
        for each in ranges if isinstance(ranges, list) else [ranges]:
            match = _HOURS.fullmatch(each) if isinstance(each, str) else None
            if match is None:
                raise Invalid("hours_utc of off_peak_pricing must be such as 10:00-00:00.")
            begins, ends = (int(match[at]) * 60 + int(match[at + 1]) for at in (1, 3))
            hours.append(OffPeakHours(begins=begins, ends=ends, weekdays=frozenset(days), zone=zone))
    if hours and (OFF_PEAK, 0) not in found:
        raise Invalid("off_peak_pricing has no price.")
    return tuple(hours)


def _searches(entry: Mapping[str, Any], found: FoundPrices) -> None:
    sizes = entry.get("search_context_cost_per_query")
    if isinstance(sizes, Mapping) and sizes.get("search_context_size_medium") is not None:
        price = parse_price(sizes["search_context_size_medium"], "search_context_cost_per_query")
        found.setdefault((STANDARD, 0), {})["searches"] = price


def _transcription(entry: Mapping[str, Any], found: FoundPrices) -> None:
    """Charge the seconds of a transcription once: the map names them as input, as output or as both."""
    prices = found.get((STANDARD, 0), {})
    if entry.get("mode") == "audio_transcription" and "output_ms" in prices:
        as_output = prices.pop("output_ms")
        prices["input_ms"] = as_output or prices.get("input_ms", as_output)


def _ranged(tiers: object) -> dict[int, dict[str, Decimal]] | None:
    """Return the prices by length of a table `[{"range": [0, 32000], …}]`; None when it is no such table.

    The range that a prompt falls in prices the whole call; it begins above its first number, and the last has no end.
    """
    if not isinstance(tiers, list) or not tiers:
        return None
    ranged = dict[int, dict[str, Decimal]]()
    for tier in tiers:
        if not isinstance(tier, Mapping) or not isinstance(tier.get("range"), list) or len(tier["range"]) != 2:
            return None
        start = parse_price(tier["range"][0], "range")
        if start % 1:
            raise Invalid("A range must begin with a whole number of tokens.")
        ranged[int(start)] = {_UNITS[name]: parse_price(value, name) for name, value in tier.items() if name in _UNITS}
    return ranged


def _uplifts(entry: Mapping[str, Any]) -> dict[str, object]:
    """Return the surcharges: by region, and Anthropic's for a geography and for speed."""
    uplifts = {name: entry[key] for key, name in _REGIONS.items() if entry.get(key) is not None}
    own = entry.get("provider_specific_entry")
    if isinstance(own, Mapping):
        uplifts |= {f"geo:{name}": own[name] for name in ("us", "eu") if name in own}
        uplifts |= {"speed:fast": own["fast"]} if "fast" in own else {}
    return uplifts


def _parse(text: str) -> dict[str, Any]:
    try:
        document = json.loads(text, parse_float=Decimal, parse_constant=_no_number, object_pairs_hook=_no_name_twice)
    except (ValueError, RecursionError) as error:
        raise Invalid(f"The file is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise Invalid("The file must be one JSON object: an entry for each model.")
    return document


def _no_number(name: str) -> object:
    raise ValueError(f"{name} is not a number")


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = dict(pairs)
    if len(names) != len(pairs):
        seen = set[str]()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"{twice[:MAX_NAME]!r} is there twice in one object")
    return names
