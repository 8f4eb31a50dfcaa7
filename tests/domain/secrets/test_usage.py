"""The usage of a model is read from whole answers and from streams, in the order in which vendors send it."""

import json
from typing import Any

import pytest

from domain.common.errors import Invalid
from domain.secrets.secret_use.usage import reported_call, require_reported_usage


def stream(*events: Any) -> bytes:
    return b"".join(b"event: x\r\ndata: " + json.dumps(event).encode() + b"\r\n\r\n" for event in events)


CHAT = {"model": "m", "usage": {"prompt_tokens": 7, "completion_tokens": 9, "total_tokens": 16}}


@pytest.mark.parametrize(
    ("meter", "body"),
    [
        ("openai", json.dumps(CHAT).encode()),
        (
            "openai",
            stream({"model": "m", "choices": [{"delta": {}}], "usage": None}, CHAT) + b"data: [DONE]\n\n",
        ),
        (
            "openai",
            stream(
                {"type": "response.created", "response": {"model": "m", "usage": None}},
                {"type": "response.output_text.delta", "delta": 'data: {"usage": {"prompt_tokens": 0}}'},
                {
                    "type": "response.completed",
                    "response": {"model": "m", "usage": {"input_tokens": 7, "output_tokens": 9}},
                },
            ),
        ),
        (
            "anthropic",
            stream(
                {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 7, "output_tokens": 1}}},
                {"type": "content_block_delta", "delta": {"text": "x"}},
                {"type": "message_delta", "usage": {"input_tokens": None, "output_tokens": 9}},
                {"type": "message_stop"},
            ),
        ),
        (
            "gemini",
            stream(
                {"modelVersion": "m", "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 1}},
                {"modelVersion": "m", "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 9}},
            ),
        ),
        (
            "gemini",
            json.dumps(
                [
                    {"modelVersion": "m", "usageMetadata": {"promptTokenCount": 7}},
                    {"usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": 9}},
                ]
            ).encode(),
        ),
    ],
)
def test_usage_is_read_whole_and_from_a_stream(meter: str, body: bytes):
    call = reported_call(body, meter)
    assert call is not None
    assert (call.provider, call.model) == (meter, "m")
    assert (call.usage.input_tokens, call.usage.output_tokens) == (7, 9)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"[1]", b"1", b"{}", b"\xff", b"data: {", b"data: 1\n", b"[" * 100_000, stream({"model": "m"})],
)
def test_an_answer_without_usage_has_none(body: bytes):
    assert reported_call(body, "openai") is None


@pytest.mark.parametrize("options", [{}, {"stream_options": None}, {"stream_options": {"include_usage": False}}])
def test_stream_without_usage_reporting_is_refused(options: dict[str, Any]):
    asked: dict[str, Any] = {"model": "m", "messages": [], "stream": True, **options}
    with pytest.raises(Invalid, match="include_usage"):
        require_reported_usage(json.dumps(asked).encode(), "azure")
    # What says its usage in any case, and what is no stream.
    require_reported_usage(json.dumps(asked).encode(), "anthropic")
    require_reported_usage(json.dumps({**asked, "stream": False}).encode(), "openai")
    require_reported_usage(json.dumps({**asked, "stream_options": {"include_usage": True}}).encode(), "openai")
    require_reported_usage(json.dumps({"model": "m", "input": "x", "stream": True}).encode(), "openai")
    require_reported_usage(b"not JSON", "openai")
