"""The usage of a model in an answer, whole or as a stream, at which a grant with a meter charges. Pure."""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from domain.common.errors import Invalid
from domain.usage.adapters import ModelCall, read_call

_OPENAI = "openai.chat"
#: The forms of the answers of providers that have one of their own; all others answer as OpenAI does.
_SHAPES = {"anthropic": "anthropic.messages", "bedrock": "bedrock.converse", "mistral": "mistral.chat"} | dict.fromkeys(
    ("gemini", "vertex_ai"), "gemini.generate"
)


def require_reported_usage(body: bytes, meter: str) -> None:
    """Refuse a request for a stream that does not say what it used: OpenAI's does only where it is asked for.

    Raises:
        Invalid: its body asks for such a stream.
    """
    asked = _read(body)
    if _SHAPES.get(meter, _OPENAI) != _OPENAI or not isinstance(asked, Mapping) or not asked.get("stream"):
        return
    options = asked.get("stream_options")
    says = isinstance(options, Mapping) and options.get("include_usage") is True
    if not says and ("messages" in asked or "prompt" in asked):
        raise Invalid(
            'The grant charges by usage. Leave "stream" out, or send "stream_options": {"include_usage": true}.',
            extra={"field": "request.body"},
        )


def reported_call(body: bytes, meter: str) -> ModelCall | None:
    """Return the model and the usage that an answer reports; None if it reports none.

    Args:
        body: a JSON object, or a stream: events with a line `data:` each, or a JSON array.
        meter: the provider.
    """
    answer = _read(body)
    if not isinstance(answer, Mapping):
        answer = _merged(answer if isinstance(answer, list) else _events(body))
    try:
        return read_call(_SHAPES.get(meter, _OPENAI), answer, provider=meter)
    except Invalid:
        return None


def _merged(events: Any) -> Mapping[str, Any]:
    """Return the last of each member; counts go on from event to event, and some events have a part of them."""
    answer = dict[str, Any]()
    for event in events:
        if not isinstance(event, Mapping):
            continue
        # Anthropic begins with a message, and OpenAI's responses end with one.
        for part in (event, event.get("message"), event.get("response")):
            for name, value in part.items() if isinstance(part, Mapping) else ():
                if name == "usage" and isinstance(value, Mapping):
                    said = {unit: each for unit, each in value.items() if each is not None}
                    answer[name] = {**answer.get(name, {}), **said}
                elif name != "usage" and value is not None:
                    answer[name] = value
    return answer


def _events(body: bytes) -> Iterator[Any]:
    for line in body.splitlines():
        if line.startswith(b"data:"):
            yield _read(line.removeprefix(b"data:"))


def _read(text: bytes) -> Any:
    try:
        return json.loads(text, parse_float=Decimal)
    except (ValueError, RecursionError):
        return None
