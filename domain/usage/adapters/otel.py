"""Usage in the attributes of OpenTelemetry's `gen_ai.*` spans and events.

`gen_ai.usage.input_tokens` should include what was read from a cache and written to one, `output_tokens` should include
reasoning, whatever the provider counts. Cached tokens that are more than the input cannot be part of it: such an
instrumentation passes on counts of a provider that leaves them out, and then they stand beside the input. So does
reasoning that is more than the output. A count under an unknown name is refused.

Sources: https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/ (semantic conventions 1.37 and later);
before: `gen_ai.system`, `gen_ai.usage.prompt_tokens`, `gen_ai.usage.completion_tokens`. Other names in use: pydantic-ai
2.68 (`RequestUsage.opentelemetry_attributes`), opentelemetry-semantic-conventions-ai 0.5.1, and
https://getsentry.github.io/sentry-conventions/attributes/gen_ai/.
"""

import re
from collections.abc import Mapping

from domain.usage.adapters.reading import (
    ModelCall,
    VendorAnswer,
    answer_units,
    count,
    including,
    make_usage,
    model_of,
    prompt_units,
    required_count,
    tier_of,
    unreadable,
)

_USAGE = "gen_ai.usage"
_INPUT, _OUTPUT = ("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens")
#: Parts of the input and the output, each by all its names: that of the conventions, those of OpenLLMetry with
#: underscores, Sentry's (`input_tokens.cached`), and what pydantic-ai copies from a provider (`details.…`).
_NAMES: Mapping[str, tuple[str, ...]] = {
    "cached": (
        *("cache_read.input_tokens", "cache_read_input_tokens", "input_tokens.cached", "cache_read_tokens"),
        *("details.cache_read_tokens", "details.cache_read_input_tokens", "details.cached_tokens"),
        *("details.cached_content_tokens", "cached_tokens"),
    ),
    "written": (
        *("cache_creation.input_tokens", "cache_creation_input_tokens", "cache_write.input_tokens"),
        *("input_tokens.cache_write", "cache_write_tokens", "details.cache_write_tokens"),
        "details.cache_creation_input_tokens",
    ),
    "audio": ("details.input_audio_tokens", "input_tokens.audio", "details.audio_prompt_tokens"),
    "image": ("details.image_prompt_tokens",),
    "video": ("details.video_prompt_tokens",),
    "cached_audio": ("details.cache_audio_read_tokens", "details.audio_cache_tokens"),
    "cached_image": ("details.image_cache_tokens",),
    "reasoning": (
        *("reasoning.output_tokens", "reasoning_tokens", "output_tokens.reasoning", "details.reasoning_tokens"),
        "details.thoughts_tokens",
    ),
    "audio_out": ("details.output_audio_tokens", "details.audio_candidates_tokens"),
    "image_out": ("details.image_candidates_tokens",),
}
#: What says nothing about a price: totals, parts of text, and costs by the reckoning of others.
_OF_TEXT = re.compile(
    r"total_tokens|token_type|(?:\w+_)?cost|details\.(?:(?:input|output|total|text)_tokens|requests|text_\w+_tokens"
    r"|(?:accepted|rejected)_prediction_tokens|tool_use_prompt_tokens)"
)
_KNOWN = frozenset((*_INPUT, *_OUTPUT, *(name for names in _NAMES.values() for name in names)))
#: What the conventions, and others, call a provider → what price lists call it.
_PROVIDERS = {
    "aws.bedrock": "bedrock",
    "aws_bedrock": "bedrock",
    "amazon_bedrock": "bedrock",
    "az.ai.inference": "azure_ai",
    "az.ai.openai": "azure",
    "azure.ai.inference": "azure_ai",
    "azure.ai.openai": "azure",
    "azure_openai": "azure",
    "gcp.gemini": "gemini",
    "gcp.gen_ai": "gemini",
    "gcp.vertex_ai": "vertex_ai",
    "google": "gemini",
    "google_ai_studio": "gemini",
    "ibm.watsonx.ai": "watsonx",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "moonshot_ai": "moonshot",
    "together": "together_ai",
    "vertexai": "vertex_ai",
    "x_ai": "xai",
    "x.ai": "xai",
}


def provider_of(name: str) -> str:
    """Return what price lists call a provider."""
    return _PROVIDERS.get(name.lower(), name.lower())


def read_attributes(answer: VendorAnswer) -> ModelCall:
    """Read the attributes of a span, as one flat object; numbers may be strings, as OTLP's JSON has them."""
    attributes = {
        name.removeprefix(f"{_USAGE}."): _number(value) for name, value in answer.items() if name.startswith(_USAGE)
    }
    _refuse_unknown(attributes)
    counts = {what: count(attributes, *names) for what, names in _NAMES.items()}
    total = including(required_count(attributes, *_INPUT), counts["cached"] + counts["written"])
    made = including(count(attributes, *_OUTPUT), counts["reasoning"])
    provider = model_of(answer, "gen_ai.provider.name", "gen_ai.system")
    if provider is None:
        unreadable("The attributes have no gen_ai.provider.name.")
    tier = model_of(answer, "openai.response.service_tier", "gen_ai.openai.response.service_tier")
    prompt = ("cached", "written", "audio", "image", "video", "cached_audio", "cached_image")
    return ModelCall(
        provider=provider_of(provider),
        model=model_of(answer, "gen_ai.response.model", "gen_ai.request.model"),
        usage=make_usage(
            prompt_units(total=total, **{what: counts[what] for what in prompt}),
            answer_units(
                total=made, reasoning=counts["reasoning"], audio=counts["audio_out"], image=counts["image_out"]
            ),
            tier=tier_of(tier),
        ),
    )


def _refuse_unknown(attributes: VendorAnswer) -> None:
    """Refuse a count under a name that no rule here knows: dropped, its tokens would cost what they are not.

    Raises:
        Invalid: `usage.unreadable`.
    """
    for name, value in attributes.items():
        if value and name not in _KNOWN and not _OF_TEXT.fullmatch(name):
            unreadable(
                f"{_USAGE}.{name[:64]} is not a known attribute of usage. Leave it out if its tokens are counted by "
                "another one, or send usage in units instead."
            )


def _number(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20 else value
