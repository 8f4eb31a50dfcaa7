"""Tools billed separately by a vendor: searches by number, images by tokens of another model."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, strategies as st

from domain.usage.adapters import ModelCall, read_call
from domain.usage.amounts import format_pico
from domain.usage.call import cost_by_model
from domain.usage.token_usage import TokenUsage
from tests.domain.usage.answers import OPEN, SEARCH, response
from tests.domain.usage.test_adapters import PRICES

NOW = datetime(2026, 5, 1, tzinfo=UTC)
BARE = {"type": "web_search_call", "status": "completed"}
NO_PICTURES: dict[str, Any] = {
    "input_tokens": 0,
    "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"image_tokens": 0, "text_tokens": 0},
    "total_tokens": 0,
}
PICTURES: dict[str, Any] = {
    "input_tokens": 300,
    "input_tokens_details": {"image_tokens": 278, "text_tokens": 22},
    "output_tokens": 1372,
    "total_tokens": 1672,
}


def used_of(answer: dict[str, Any]) -> TokenUsage:
    return read_call("openai.responses", answer).usage


@pytest.mark.parametrize(
    ("billed", "items", "searches"), [(3, [SEARCH], 3), (2, [], 2), (0, [BARE], 0), (0, [], 0), (1, [OPEN, SEARCH], 1)]
)
def test_billed_searches_count_and_displayed_ones_do_not(billed, items, searches):
    tools = {"image_gen": NO_PICTURES, "web_search": {"num_requests": billed}}
    assert used_of(response(10, 10, items=items, tool_usage=tools)).searches == searches


@pytest.mark.parametrize(
    "tools", [None, {}, {"web_search": None}, {"web_search": {}}, {"web_search": {"num_requests": None}}]
)
def test_displayed_searches_count_where_billing_is_unknown(tools):
    assert used_of(response(10, 10, items=[SEARCH, OPEN, BARE], tool_usage=tools)).searches == 2
    assert used_of(response(10, 10, items=[SEARCH, OPEN, BARE])).searches == 2


@given(
    text=st.integers(0, 500),
    cached=st.integers(0, 500),
    images=st.integers(0, 500),
    made=st.integers(1, 5000),
    words=st.integers(0, 500),
    has_details=st.booleans(),
)
def test_images_in_a_response_are_a_call_of_their_own_model(text, cached, images, made, words, has_details):
    details = {"output_tokens_details": {"image_tokens": made, "text_tokens": words}} if has_details else {}
    pictures = {
        "input_tokens": text + cached + images,
        "input_tokens_details": {"image_tokens": images, "text_tokens": text + cached},
        "output_tokens": made + words,
        "total_tokens": text + cached + images + made + words,
        "cached_tokens": cached,
        "cached_tokens_details": {"cached_image_tokens": 0, "cached_text_tokens": cached},
        **details,
    }
    answer = response(1000, 200, tool_usage={"image_gen": pictures, "web_search": {"num_requests": 0}})
    tools = [{"type": "web_search"}, {"type": "image_generation", "model": "gpt-image-1.5", "size": "auto"}]
    call = read_call("openai.responses", answer | {"model": "gpt-5", "tools": tools}, provider="azure", tier="batch")
    assert call.usage == TokenUsage(input_tokens=1000, output_tokens=200, requests=1, tier="batch")
    shown = words if has_details else 0
    read = TokenUsage(
        input_tokens=text,
        cached_tokens=cached,
        image_input_tokens=images,
        output_tokens=shown,
        image_output_tokens=made + words - shown,
        requests=1,
        tier="batch",
    )
    assert call.tools == (ModelCall("azure", "gpt-image-1.5", read),)


def test_response_with_images_costs_both_models():
    """By hand: 1,000 x 1.25 M + 200 x 10 M, and 22 x 5 M + 278 x 8 M + 1,372 x 30 M."""
    tools = [{"type": "image_generation", "model": "gpt-image-2"}]
    answer = response(1000, 200, model="gpt-5", tools=tools, tool_usage={"image_gen": PICTURES})
    call = read_call("openai.responses", answer)
    cost = cost_by_model(call, [PRICES["gpt-5"], PRICES["gpt-image-2"]], NOW)
    assert format_pico(cost.cost_pico) == "0.046744"
    assert [format_pico(rated.amount_pico) for rated in (cost.rated, *cost.tools)] == ["0.00325", "0.043494"]
    units = {"input_tokens": 22, "image_input_tokens": 278, "image_output_tokens": 1372, "requests": 1}
    assert call.to_json()["tools"] == [{"provider": "openai", "model": "gpt-image-2", "usage": units}]


@pytest.mark.parametrize("pictures", [NO_PICTURES, None, {}])
def test_response_without_images_has_no_image_call(pictures):
    tools = [{"type": "image_generation", "model": "gpt-image-2"}]
    call = read_call("openai.responses", response(10, 10, tools=tools, tool_usage={"image_gen": pictures}))
    assert call.tools == ()
    assert call.to_json() == {"input_tokens": 10, "output_tokens": 10, "requests": 1}


@pytest.mark.parametrize(
    "tools", [None, [], [{"type": "image_generation"}], [{"type": "image_generation", "model": 5}]]
)
def test_images_without_a_named_model_are_read_without_one(tools):
    call = read_call("openai.responses", response(10, 10, tools=tools, tool_usage={"image_gen": PICTURES}))
    assert [(tool.model, tool.usage.image_output_tokens) for tool in call.tools] == [(None, 1372)]


def test_image_written_by_a_text_model_is_a_call_of_that_model():
    usage = {"input_tokens": 23, "output_tokens": 100, "total_tokens": 123}
    svg = {"model": "gpt-5", "input_tokens": 50, "output_tokens": 700, "reasoning_tokens": 300, "total_tokens": 750}
    call = read_call("openai.image", {"data": [], "usage": usage, "svg_usage": svg})
    assert call.usage.image_output_tokens == 100
    read = TokenUsage(input_tokens=50, output_tokens=400, reasoning_tokens=300, requests=1)
    assert call.tools == (ModelCall("openai", "gpt-5", read),)
