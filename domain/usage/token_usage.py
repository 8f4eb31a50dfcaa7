"""Usage of a call in units that do not overlap.

Vendors count differently: OpenAI's prompt tokens include cached ones, Anthropic's do not; OpenAI's output tokens
include reasoning, Gemini's do not. `domain.usage.adapters` convert them to these units, which prices
(`domain.usage.prices`) are for, so each token is charged exactly once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from operator import attrgetter

from domain.common.errors import Invalid

STANDARD, BATCH = "standard", "batch"
#: The maximum quantity of a unit.
MAX_QUANTITY = 10**12
#: The maximum number of surcharges, because each adds digits to the price.
MAX_UPLIFTS = 8
#: The maximum length of the name of a tier or a surcharge.
MAX_NAME = 64

#: Tokens of the prompt; their sum decides about the band.
PROMPT_UNITS = (
    "input_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "cache_write_12h_tokens",
    "audio_input_tokens",
    "cached_audio_tokens",
    "image_input_tokens",
    "cached_image_tokens",
    "video_input_tokens",
)
#: Tokens of the output.
ANSWER_UNITS = (
    "output_tokens",
    "reasoning_tokens",
    "audio_output_tokens",
    "image_output_tokens",
    "video_output_tokens",
)
TOKEN_UNITS = frozenset(PROMPT_UNITS + ANSWER_UNITS)


class Mode(StrEnum):
    """Mode of a call: with or without reasoning."""

    NORMAL = "normal"
    THINKING = "thinking"


@dataclass(frozen=True, kw_only=True)
class TokenUsage:
    """Usage of a call. Each token is in exactly one field.

    It has no slots, so that absent fields are class attributes: most calls have three of forty.

    Attributes:
        input_tokens: text of the prompt that was neither read from a cache nor written to one.
        cached_tokens: text read from a cache.
        cache_write_tokens: written to a cache for the shortest lifetime (Anthropic: five minutes).
        cache_write_1h_tokens: written for an hour; `cache_write_12h_tokens` for twelve.
        output_tokens: text of the output, without reasoning, audio, images and video.
        reasoning_tokens: charged reasoning, shown or not.
        requests: calls, the only unit that needs no price.
        searches: separately billed web searches.
        queries: queries of models that are priced by them, such as rerankers.
        input_ms: milliseconds of audio input, `video_input_ms` of video input; `output_ms` of audio or video output.
        output_images: generated images of any size; with a number, of that size. `output_pixels` is for models that are
            priced by the pixel. `output_ms_720p` is video of that size. Each image and each millisecond is in one of
            them only.
        tier: the service tier: `standard`, `batch`, `flex`, `priority`, or another of the price list.
        uplifts: surcharges that apply if the price list has them: `geo:us`, `geo:eu`, `speed:fast`, `regional`.
        is_sum: whether these are sums of several calls, such as a batch, which are priced as short prompts.
        is_thinking: whether the response shows reasoning without a count.
    """

    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    cache_write_12h_tokens: int = 0
    audio_input_tokens: int = 0
    cached_audio_tokens: int = 0
    image_input_tokens: int = 0
    cached_image_tokens: int = 0
    video_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    audio_output_tokens: int = 0
    image_output_tokens: int = 0
    video_output_tokens: int = 0
    requests: int = 0
    searches: int = 0
    queries: int = 0
    input_ms: int = 0
    video_input_ms: int = 0
    output_ms: int = 0
    input_characters: int = 0
    output_characters: int = 0
    input_images: int = 0
    output_images: int = 0
    output_images_512: int = 0
    output_images_1024: int = 0
    output_images_1536: int = 0
    output_images_2048: int = 0
    output_images_4096: int = 0
    output_pixels: int = 0
    output_ms_480p: int = 0
    output_ms_720p: int = 0
    output_ms_768p: int = 0
    output_ms_1080p: int = 0
    output_ms_2k: int = 0
    output_ms_4k: int = 0
    pages: int = 0
    tier: str = STANDARD
    uplifts: tuple[str, ...] = ()
    is_sum: bool = False
    is_thinking: bool = False

    def __post_init__(self) -> None:
        """Check all quantities and names.

        Raises:
            Invalid: a quantity is not an integer between 0 and 10¹²; the tier or a surcharge is not a short name; there
            are
                too many surcharges, or one twice; `is_sum` or `is_thinking` is not a boolean.
        """
        quantities = _quantities(self)
        # All at once first: it runs for every event.
        if set(map(type, quantities)) != _INTEGERS or min(quantities) < 0 or max(quantities) > MAX_QUANTITY:
            for unit, quantity in zip(UNITS, quantities, strict=True):
                if type(quantity) is not int or not 0 <= quantity <= MAX_QUANTITY:
                    raise Invalid(f"{unit} must be an integer between 0 and 10^12.", extra={"field": unit})
        for name in (self.tier, *self.uplifts):
            if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
                raise Invalid(f"tier and uplifts must be names of at most {MAX_NAME} characters.")
        if len(self.uplifts) > MAX_UPLIFTS or len(set(self.uplifts)) != len(self.uplifts):
            raise Invalid(f"uplifts must be at most {MAX_UPLIFTS} names, each once.", extra={"field": "uplifts"})
        for name in _FLAGS:
            if not isinstance(getattr(self, name), bool):
                raise Invalid(f"{name} must be true or false.", extra={"field": name})

    @property
    def prompt_tokens(self) -> int:
        return sum(_prompt(self))

    @property
    def mode(self) -> Mode:
        return Mode.THINKING if self.is_thinking or self.reasoning_tokens else Mode.NORMAL

    def quantities(self) -> dict[str, int]:
        """Return the quantities by unit, without zeros."""
        given = self.__dict__
        if len(given) <= _FEW:
            return {unit: given[unit] for unit in sorted(given, key=_PLACES.__getitem__) if given[unit]}
        return {unit: quantity for unit, quantity in zip(UNITS, _quantities(self), strict=True) if quantity}

    def to_json(self) -> dict[str, object]:
        """Return the JSON that `from_json` reads, without defaults."""
        document: dict[str, object] = dict(self.quantities())
        if self.tier != STANDARD:
            document["tier"] = self.tier
        if self.uplifts:
            document["uplifts"] = list(self.uplifts)
        document |= {name: True for name in _FLAGS if getattr(self, name)}
        return document

    @classmethod
    def from_json(cls, document: Mapping[str, object]) -> "TokenUsage":
        """Parse the JSON of `to_json`, or of a client.

        Raises:
            Invalid: a name is unknown, or a value is invalid; `field` names it.
        """
        if _plain(document):
            read = object.__new__(cls)
            read.__dict__.update(document)
            return read
        if not _FIELDS.issuperset(document):
            unknown = sorted(set(document) - _FIELDS)
            raise Invalid(f"{unknown[0][:MAX_NAME]!r} is not a unit of usage.", extra={"field": unknown[0][:MAX_NAME]})
        uplifts = document.get("uplifts", ())
        if not isinstance(uplifts, list | tuple):
            raise Invalid("uplifts must be a list of names.", extra={"field": "uplifts"})
        given: dict[str, object] = {**document, "uplifts": tuple(uplifts)}
        return cls(**given)  # type: ignore[arg-type]


_FLAGS = ("is_sum", "is_thinking")
#: Every unit with a price, in the order of the fields.
UNITS = tuple(field.name for field in fields(TokenUsage) if field.name not in {"tier", "uplifts", *_FLAGS})
#: Read all fields at once, because usage is read for every event.
_quantities, _prompt = attrgetter(*UNITS), attrgetter(*PROMPT_UNITS)
_FIELDS = frozenset(field.name for field in fields(TokenUsage))
_INTEGERS = {int}
_PLACES = {unit: place for place, unit in enumerate(UNITS)}
#: The maximum number of fields for the fast path.
_FEW = 10


def _plain(document: Mapping[str, object]) -> bool:
    """Return whether a document has few members that are all valid quantities, as most calls do."""
    if not 0 < len(document) <= _FEW:
        return False
    for unit, quantity in document.items():
        if unit not in _PLACES or type(quantity) is not int or not 0 <= quantity <= MAX_QUANTITY:
            return False
    return True
