"""A row of a proxy's spend log and the equivalent provider response are read by the same rules."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, strategies as st

from domain.common.errors import Invalid
from domain.usage.adapters import read_call
from domain.usage.amounts import format_pico
from domain.usage.litellm import usage_of
from domain.usage.price_map import read_price_map
from domain.usage.rating import rate
from domain.usage.token_usage import TokenUsage
from tests.domain.usage.answers import MORE_PRICES

PRICES = {
    price.model: price
    for price in read_price_map(MORE_PRICES, version="1", valid_from=datetime(2026, 4, 1, tzinfo=UTC)).prices
}


def row_of(prompt: int, answer: int, total: int = 0, *, kind: str = "acompletion", **seen: Any) -> dict[str, Any]:
    """Make a row; `seen` is the usage of the response as stored by the proxy."""
    counts = {"prompt_tokens": prompt, "completion_tokens": answer, "total_tokens": total or prompt + answer}
    return {"call_type": kind, **counts, "metadata": {"usage_object": {**counts, **seen}}}


TOKENS = st.integers(0, 5000)
WRITTEN = ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens", "ephemeral_12h_input_tokens")
PARTS = ("text", "cached_text", "cached_audio", "cached_image", "audio", "image", "video", *WRITTEN)


@given(
    parts=st.fixed_dictionaries(dict.fromkeys(PARTS, TOKENS)),
    made=st.fixed_dictionaries(dict.fromkeys(("text", "reasoning", "audio", "image", "video"), TOKENS)),
    is_beside=st.booleans(),
    searches=st.integers(0, 5),
)
def test_equivalent_row_and_response_have_the_same_units(parts, made, is_beside, searches):
    written = {name: parts[name] for name in WRITTEN}
    cached = {name: parts[f"cached_{name}"] for name in ("audio", "image")}
    prompt, answer = sum(parts.values()), sum(made.values())
    beside = made["reasoning"] if is_beside else 0
    usage = {
        "prompt_tokens": prompt,
        "completion_tokens": answer - beside,
        "total_tokens": prompt + answer,
        "prompt_tokens_details": {
            "cached_tokens": parts["cached_text"] + sum(cached.values()),
            "cached_tokens_details": {f"{name}_tokens": tokens for name, tokens in cached.items()},
            "cache_creation_tokens": sum(written.values()),
            "cache_creation_token_details": written,
            "audio_tokens": parts["audio"] + cached["audio"],
            "image_tokens": parts["image"] + cached["image"],
            "video_tokens": parts["video"],
        },
        "completion_tokens_details": {
            f"{name}_tokens": made[name] for name in ("reasoning", "audio", "image", "video")
        },
        "server_tool_use": {"web_search_requests": searches},
    }
    read = read_call("openai.chat", {"model": "m", "usage": usage}).usage
    assert read == TokenUsage(
        input_tokens=parts["text"],
        cached_tokens=parts["cached_text"],
        cached_audio_tokens=cached["audio"],
        cached_image_tokens=cached["image"],
        cache_write_tokens=written["ephemeral_5m_input_tokens"],
        cache_write_1h_tokens=written["ephemeral_1h_input_tokens"],
        cache_write_12h_tokens=written["ephemeral_12h_input_tokens"],
        audio_input_tokens=parts["audio"],
        image_input_tokens=parts["image"],
        video_input_tokens=parts["video"],
        output_tokens=made["text"],
        reasoning_tokens=made["reasoning"],
        audio_output_tokens=made["audio"],
        image_output_tokens=made["image"],
        video_output_tokens=made["video"],
        searches=searches,
        requests=1,
    )
    row = row_of(prompt, answer - beside, prompt + answer, **usage)
    assert TokenUsage.from_json(usage_of(row)) == read


@given(cached=TOKENS, of_sense=TOKENS, text=TOKENS, sense=st.sampled_from(["audio", "image", "video"]))
def test_cached_multimodal_tokens_are_counted_once(cached, of_sense, text, sense):
    """A modality has at most the uncached tokens of the prompt."""
    prompt = text + max(cached, of_sense)
    details = {"cached_tokens": cached, f"{sense}_tokens": of_sense}
    usage = TokenUsage.from_json(usage_of(row_of(prompt, 1, prompt_tokens_details=details)))
    assert usage.prompt_tokens == prompt
    assert usage.cached_tokens == cached
    assert getattr(usage, f"{sense}_input_tokens") == min(of_sense, prompt - cached)
    answer = {"usage": {"prompt_tokens": prompt, "completion_tokens": 1, "prompt_tokens_details": details}}
    assert read_call("openai.chat", answer).usage == usage


@pytest.mark.parametrize(
    ("prompt", "completion", "reasoning", "total", "answered"),
    [
        (10120, 1499, 2809, 14428, 4308),
        (1000, 3000, 1000, 5000, 4000),
        (1000, 3000, 1000, 4000, 3000),
        (1000, 500, 700, 0, 1200),
    ],
)
def test_reasoning_tokens_are_placed_by_the_total_of_the_row(prompt, completion, reasoning, total, answered):
    row = row_of(prompt, completion, total, completion_tokens_details={"reasoning_tokens": reasoning})
    usage = TokenUsage.from_json(usage_of(row | {"total_tokens": total}))
    assert (usage.output_tokens + usage.reasoning_tokens, usage.reasoning_tokens) == (answered, reasoning)


@pytest.mark.parametrize("kind", ["aimage_generation", "image_generation", "aimage_edit", "image_edit"])
@pytest.mark.parametrize(
    ("model", "row", "dollars"),
    [
        # 23 x 5 M + 1,056 x 32 M
        ("gpt-image-1.5", (23, 1056), "0.033907"),
        # 22 x 5 M + 278 x 8 M + 1,372 x 30 M
        ("gpt-image-2", (300, 1372, {"text_tokens": 22, "image_tokens": 278}), "0.043494"),
    ],
)
def test_row_of_an_images_endpoint_without_details_has_image_tokens(kind, model, row, dollars):
    prompt, answer, *details = row
    seen = {"prompt_tokens_details": details[0]} if details else {}
    usage = TokenUsage.from_json(usage_of(row_of(prompt, answer, kind=kind, **seen)))
    assert format_pico(rate(usage, PRICES[model]).amount_pico) == dollars
    counted = {"input_tokens": prompt, "output_tokens": answer, "input_tokens_details": details[0] if details else None}
    assert read_call("openai.image", {"data": [], "usage": counted}).usage == usage


@given(cached=st.integers(1, 5000), text=TOKENS, reasoning=TOKENS)
@pytest.mark.parametrize("written", [float, Decimal, lambda count: Decimal(f"{count}.0")])
def test_counts_of_a_row_with_a_decimal_point_are_counts(
    written: Callable[[int], Any], cached: int, text: int, reasoning: int
) -> None:
    details = {"prompt_tokens_details": {"cached_tokens": written(cached)}}
    details |= {"completion_tokens_details": {"reasoning_tokens": written(reasoning)}}
    row = row_of(cached + text, reasoning + 1, **details)
    usage = TokenUsage.from_json(usage_of(row | {"prompt_tokens": written(cached + text)}))
    assert (usage.input_tokens, usage.cached_tokens, usage.reasoning_tokens) == (text, cached, reasoning)


@pytest.mark.parametrize("lacks", [0, None, "absent"])
@pytest.mark.parametrize("names", [("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens")])
def test_missing_totals_come_from_the_response_of_the_row(lacks: Any, names: tuple[str, str]) -> None:
    """Without them the images of this row would be free."""
    seen = {names[0]: 23, names[1]: 1056, "total_tokens": 1079}
    row: dict[str, Any] = {"call_type": "aimage_edit", "spend": 0.03, "metadata": {"usage_object": seen}}
    if lacks != "absent":
        row |= dict.fromkeys(("prompt_tokens", "completion_tokens", "total_tokens"), lacks)
    usage = TokenUsage.from_json(usage_of(row))
    assert format_pico(rate(usage, PRICES["gpt-image-1.5"]).amount_pico) == "0.033907"


def test_unbilled_searches_of_a_row_cost_nothing() -> None:
    seen = {"tool_usage": {"web_search": {"num_requests": 0}}, "server_tool_use": {"web_search_requests": 2}}
    assert "searches" not in usage_of(row_of(10, 1, **seen))


@pytest.mark.parametrize(
    "made", [{"image_tokens": 1120, "text_tokens": 298}, {"image_tokens": 1120}, {"text_tokens": 298}]
)
def test_row_of_an_images_endpoint_has_text_tokens_where_stated(made):
    row = row_of(5, 1418, kind="aimage_generation", completion_tokens_details=made)
    assert usage_of(row) == {"input_tokens": 5, "output_tokens": 298, "image_output_tokens": 1120, "requests": 1}


COUNTS = st.one_of(st.none(), st.booleans(), st.integers(-5, 3000), st.just(10**13), st.floats(), st.text(max_size=3))
NAMES = st.sampled_from(
    [
        *(f"{kind}_tokens" for kind in ("prompt", "completion", "total", "cached", "audio", "image", "video", "text")),
        *("reasoning_tokens", "cache_creation_tokens", "ephemeral_1h_input_tokens", "ephemeral_12h_input_tokens"),
        *(
            "prompt_tokens_details",
            "completion_tokens_details",
            "cached_tokens_details",
            "cache_creation_token_details",
        ),
        *("server_tool_use", "web_search_requests", "cache_creation", "tool_usage", "web_search", "num_requests"),
        *("type", "seconds", "pages_processed"),
    ]
)
SEEN = st.recursive(COUNTS, lambda deeper: st.dictionaries(NAMES, deeper, max_size=8), max_leaves=30)


@given(
    prompt=st.integers(0, 3000),
    answer=st.integers(0, 3000),
    seen=SEEN,
    kind=st.sampled_from(["acompletion", "aimage_edit", "aretrieve_batch", "atranscription", "aocr", 7]),
)
def test_row_with_inconsistent_details_is_counted(prompt, answer, seen, kind):
    row = {"call_type": kind, "prompt_tokens": prompt, "completion_tokens": answer}
    usage = TokenUsage.from_json(usage_of(row | {"metadata": {"usage_object": seen}}))
    assert usage.requests == 1
    assert usage.prompt_tokens >= prompt
    made = usage.output_tokens + usage.reasoning_tokens + usage.audio_output_tokens
    assert made + usage.image_output_tokens + usage.video_output_tokens >= answer


def test_row_with_more_tokens_than_a_call_can_have_is_refused_as_an_event():
    with pytest.raises(Invalid, match="input_tokens"):
        TokenUsage.from_json(usage_of(row_of(10**13, 1)))


@given(prompt=st.integers(0, 900), cached=st.integers(1000, 5000))
def test_cached_tokens_above_the_prompt_are_counted_separately(prompt, cached):
    usage = usage_of(row_of(prompt, 0, prompt_tokens_details={"cached_tokens": cached}))
    assert (usage.get("input_tokens", 0), usage["cached_tokens"]) == (prompt, cached)


def test_pages_and_seconds_of_a_row_are_read_like_a_response():
    pages = {"call_type": "aocr", "metadata": {"usage_object": {"pages_processed": 3, "doc_size_bytes": 9000}}}
    assert usage_of(pages) == {"pages": 3, "requests": 1}
    seconds = {"call_type": "atranscription", "metadata": {"usage_object": {"type": "duration", "seconds": 94.5}}}
    assert usage_of(seconds) == {"input_ms": 94500, "requests": 1}
