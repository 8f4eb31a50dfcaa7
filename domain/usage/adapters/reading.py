"""Shared by the adapters: reading counts from an answer, and splitting a prompt so that no token counts twice."""

from collections.abc import Mapping
from decimal import ROUND_CEILING, Decimal
from typing import Any, NamedTuple, NoReturn

from domain.common.errors import UsageUnreadable
from domain.usage.token_usage import MAX_QUANTITY, STANDARD, TokenUsage

VendorAnswer = Mapping[str, Any]
#: The vendors' names of the standard tier.
_ORDINARY = frozenset({"", "auto", "default", "on_demand", "scale", "standard"})
#: Where a request is served without a surcharge.
_ANYWHERE = frozenset({"global", "not_available"})
#: The types of blocks of reasoning, by Anthropic and by Mistral.
_THOUGHTS = frozenset({"thinking", "redacted_thinking"})
_MAX_MODEL = 200


class ModelCall(NamedTuple):
    """A call as its vendor reports it.

    Attributes:
        provider: by its name in the price list.
        model: by the vendor's name; None if the answer does not contain it.
        tools: calls of other models that the vendor bills beside the usage, such as that of an image tool.
    """

    provider: str
    model: str | None
    usage: TokenUsage
    tools: tuple["ModelCall", ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return the usage as it is stored, with that of the tools under `tools`."""
        tools = [{"provider": tool.provider, "model": tool.model, "usage": tool.to_json()} for tool in self.tools]
        return self.usage.to_json() | ({"tools": tools} if tools else {})


def unreadable(why: str) -> NoReturn:
    """Refuse an answer.

    Raises:
        Invalid: `usage.unreadable`.
    """
    raise UsageUnreadable(why)


def section(document: VendorAnswer, *names: str) -> VendorAnswer:
    """Return the first object with one of these names; an empty one if there is none."""
    for name in names:
        found = document.get(name)
        if isinstance(found, Mapping):
            return found
        if found is not None:
            unreadable(f"{name} must be an object.")
    return {}


def count(document: VendorAnswer, *names: str) -> int:
    """Return the first count with one of these names, 0 if there is none."""
    found = optional_count(document, *names)
    return 0 if found is None else found


def optional_count(document: VendorAnswer, *names: str) -> int | None:
    """Return the first count of one of these names that is given and not null."""
    for name in names:
        value = document.get(name)
        if value is None:
            continue
        if isinstance(value, Decimal) and value == value.to_integral_value():
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MAX_QUANTITY:
            unreadable(f"{name} must be an integer between 0 and 10^12.")
        return value
    return None


def required_count(document: VendorAnswer, *names: str) -> int:
    """Return a count without which the usage means nothing."""
    found = optional_count(document, *names)
    if found is None:
        unreadable(f"The usage has no {names[0]}.")
    return found


def milliseconds(document: VendorAnswer, name: str) -> int:
    """Return a number of seconds in milliseconds, rounded up."""
    value = document.get(name)
    if value is None:
        return 0
    if not isinstance(value, int | Decimal) or isinstance(value, bool) or not 0 <= value <= MAX_QUANTITY // 1000:
        unreadable(f"{name} must be a number of seconds.")
    return int((Decimal(value) * 1000).to_integral_value(ROUND_CEILING))


def usage_of(answer: VendorAnswer, *names: str) -> VendorAnswer:
    """Return the usage of an answer."""
    for name in names or ("usage",):
        if isinstance(found := answer.get(name), Mapping):
            return found
    unreadable(f"The answer has no {(names or ('usage',))[0]}.")


def model_of(answer: VendorAnswer, *names: str) -> str | None:
    """Return the model named in the answer; None if there is none."""
    for name in names:
        if isinstance(found := answer.get(name), str) and found:
            return found[:_MAX_MODEL]
    return None


def tier_of(name: object) -> str:
    """Return how a call was served by our names: vendors call the ordinary way `default`, `auto` or `on_demand`."""
    tier = name.lower() if isinstance(name, str) else ""
    tier = tier.removeprefix("on_demand_")
    return STANDARD if tier in _ORDINARY else tier


def uplifts_of(usage: VendorAnswer) -> tuple[str, ...]:
    """Return the surcharges of a call by Anthropic's names: for where it was served, and for how fast."""
    geography, speed = usage.get("inference_geo"), usage.get("speed")
    uplifts = []
    if isinstance(geography, str) and geography and geography.lower() not in _ANYWHERE:
        uplifts.append(f"geo:{geography.lower()[:32]}")
    if speed == "fast":
        uplifts.append("speed:fast")
    return tuple(uplifts)


def including(total: int, part: int) -> int:
    """Return a total with a part that should be in it: one that is more than the total stands beside it."""
    return total + part if part > total else total


def prompt_units(
    *,
    total: int,
    cached: int = 0,
    written: int = 0,
    written_1h: int = 0,
    written_12h: int = 0,
    audio: int = 0,
    image: int = 0,
    video: int = 0,
    cached_audio: int = 0,
    cached_image: int = 0,
) -> dict[str, int]:
    """Split a prompt whose total includes all the other counts into units.

    `written` includes `written_1h` and `written_12h`. `audio`, `image` and `video` include their cached tokens, and
    `cached` is all cached tokens. If an answer does not say which tokens were cached, they count as text first, then as
    audio, image and video: a sense has at most what the cached part leaves of the prompt.
    """
    if written_1h + written_12h > written:
        unreadable("The tokens written to the cache for hours are more than all tokens written to the cache.")
    if cached_audio + cached_image > cached:
        unreadable("The cached tokens of audio and images are more than all cached tokens.")
    fresh = {
        "audio_input_tokens": max(0, audio - cached_audio),
        "image_input_tokens": max(0, image - cached_image),
        "video_input_tokens": video,
    }
    text = total - cached - written - sum(fresh.values())
    for unit, tokens in fresh.items():
        if text < 0:
            fresh[unit] = max(0, tokens + text)
            text += tokens - fresh[unit]
    if text < 0:
        unreadable("The details of the prompt's tokens add up to more than its tokens.")
    return {
        "input_tokens": text,
        "cached_tokens": cached - cached_audio - cached_image,
        "cache_write_tokens": written - written_1h - written_12h,
        "cache_write_1h_tokens": written_1h,
        "cache_write_12h_tokens": written_12h,
        "cached_audio_tokens": cached_audio,
        "cached_image_tokens": cached_image,
        **fresh,
    }


def answer_units(*, total: int, reasoning: int = 0, audio: int = 0, image: int = 0, video: int = 0) -> dict[str, int]:
    """Split an answer whose total includes all the other counts into units."""
    text = total - reasoning - audio - image - video
    if text < 0 or image < 0:
        unreadable("The details of the answer's tokens add up to more than its tokens.")
    return {
        "output_tokens": text,
        "reasoning_tokens": reasoning,
        "audio_output_tokens": audio,
        "image_output_tokens": image,
        "video_output_tokens": video,
    }


def messages_of(answer: VendorAnswer) -> list[VendorAnswer]:
    """Return the messages of a chat completion's choices; none where the answer was sent without them."""
    choices = answer.get("choices")
    found = (
        [choice.get("message") for choice in choices if isinstance(choice, Mapping)]
        if isinstance(choices, list)
        else []
    )
    return [message for message in found if isinstance(message, Mapping)]


def has_thoughts(blocks: object) -> bool:
    """Return whether a list of an answer's content has a block of reasoning, shown or redacted."""
    return isinstance(blocks, list) and any(
        isinstance(block, Mapping) and (str(block.get("type")) in _THOUGHTS or "reasoningContent" in block)
        for block in blocks
    )


def make_usage(
    *parts: Mapping[str, int],
    tier: str = STANDARD,
    uplifts: tuple[str, ...] = (),
    is_thinking: bool = False,
    **units: int,
) -> TokenUsage:
    """Return the usage of one request, made of split and other units."""
    quantities: dict[str, Any] = {unit: quantity for part in (*parts, units) for unit, quantity in part.items()}
    return TokenUsage(**quantities, requests=1, tier=tier, uplifts=uplifts, is_thinking=is_thinking)
