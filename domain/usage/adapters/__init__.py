"""Adapters that convert the responses of model vendors to `TokenUsage`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from domain.usage.adapters import anthropic, bedrock, gemini, mistral, openai, otel
from domain.usage.adapters.otel import provider_of as provider_of
from domain.usage.adapters.reading import ModelCall as ModelCall, tier_of, unreadable
from domain.usage.token_usage import TokenUsage

_READERS: Mapping[str, Callable[[Mapping[str, Any]], ModelCall]] = {
    "anthropic.messages": anthropic.read_message,
    "bedrock.converse": bedrock.read_converse,
    "gemini.generate": gemini.read_content,
    "mistral.chat": mistral.read_chat,
    "mistral.ocr": mistral.read_document,
    "openai.chat": openai.read_text,
    "openai.embeddings": openai.read_text,
    "openai.image": openai.read_image,
    "openai.realtime": openai.read_text,
    "openai.responses": openai.read_text,
    "openai.transcription": openai.read_transcription,
    "otel": otel.read_attributes,
}
#: The supported response shapes.
SHAPES = tuple(_READERS)


def read_call(
    shape: str,
    answer: Mapping[str, Any],
    *,
    provider: str | None = None,
    model: str | None = None,
    tier: str | None = None,
) -> ModelCall:
    """Read the usage in a response.

    Args:
        shape: one of `SHAPES`.
        answer: the response; its numbers are integers or decimals.
        provider: the serving provider if it is not the owner of the API: `azure` for OpenAI's, `vertex_ai` for
            Gemini's.
        model: the requested model, if the response does not name it, or not as the price list does.
        tier: the service tier, if the response does not contain it: `batch`.

    Raises:
        Invalid: `usage.unreadable`: the shape is unknown, counts are missing or contradict each other.
    """
    reader = _READERS.get(shape)
    if reader is None:
        unreadable(f"{shape[:64]!r} is not a known shape. Use one of {', '.join(SHAPES)}.")
    call = reader(answer)
    served = call.provider if provider is None else provider_of(provider)

    def served_as(usage: TokenUsage) -> TokenUsage:
        return usage if tier is None else replace(usage, tier=tier_of(tier))

    return ModelCall(
        provider=served,
        model=model or call.model,
        usage=served_as(call.usage),
        tools=tuple(tool._replace(provider=served, usage=served_as(tool.usage)) for tool in call.tools),
    )
