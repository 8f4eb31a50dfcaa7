"""Responses of model vendors become one usage vector with a manually verified cost."""

from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from domain.common.errors import Invalid
from domain.usage.adapters import SHAPES, provider_of, read_call
from domain.usage.amounts import format_pico
from domain.usage.litellm import usage_of
from domain.usage.price_map import UNITS_OF_THE_MAP, read_price_map
from domain.usage.rating import rate
from domain.usage.token_usage import ANSWER_UNITS, TokenUsage
from tests.domain.usage.answers import CASES, MORE_PRICES, chat, content, converse, message, response, span
from tests.support.cases import for_each
from tests.support.junk import spoiled

SHIPPED = Path(__file__).resolve().parents[3] / "commands" / "model_prices.json"
PRICES = {
    price.model: price
    for text in (SHIPPED.read_text(), MORE_PRICES)
    for price in read_price_map(text, version="1", valid_from=datetime(2026, 4, 1, tzinfo=UTC)).prices
}


@for_each("case", CASES)
def test_response_cost_matches_a_manual_calculation(case):
    call = read_call(case.shape, case.answer, **case.given)
    rated = rate(call.usage, PRICES[case.price])
    assert format_pico(rated.amount_pico) == case.dollars
    assert rated.estimated == tuple(case.estimated.split())
    assert call.usage.mode == ("thinking" if case.thinks else "normal")
    # As it is stored and read again, it says the same.
    assert TokenUsage.from_json(call.usage.to_json()) == call.usage


def test_every_adapter_is_tested_on_responses():
    assert {case.shape for case in CASES} == set(SHAPES)
    assert len(CASES) >= 40
    assert len({case.name for case in CASES}) == len(CASES)


#: Units that no answer counts: whoever reports the call sends them in `usage`.
SENT_AS_UNITS = {
    *("queries", "input_characters", "output_characters", "input_images", "video_input_ms", "output_ms"),
    *("output_pixels", *(f"output_images_{size}" for size in (512, 1024, 1536, 2048, 4096))),
    *(f"output_ms_{size}" for size in ("480p", "720p", "768p", "1080p", "2k", "4k")),
}


def test_every_unit_of_the_price_map_is_read_from_an_answer_or_listed():
    details = {
        "cached_tokens": 3,
        "cached_tokens_details": {"image_tokens": 1},
        "image_tokens": 2,
        "video_tokens": 1,
    }
    made = {"completion_tokens_details": {"video_tokens": 1}}
    row = {
        "prompt_tokens": 9,
        "completion_tokens": 9,
        "metadata": {"usage_object": {"prompt_tokens_details": details} | made},
    }
    read = set(usage_of(row))
    for case in CASES:
        read |= set(read_call(case.shape, case.answer, **case.given).usage.quantities())
    assert {*UNITS_OF_THE_MAP, "searches"} - read == SENT_AS_UNITS
    assert read.isdisjoint(SENT_AS_UNITS)


@pytest.mark.parametrize("name", ["cached_input", "details.cache_reads", "cache_read.input_token", "details.x"])
def test_a_count_under_an_unknown_name_is_refused_and_not_dropped(name):
    attributes = span("openai", "gpt-4o", 100, 1)
    with pytest.raises(Invalid, match=name) as refused:
        read_call("otel", attributes | {f"gen_ai.usage.{name}": 60})
    assert refused.value.error_code == "usage.unreadable"
    assert read_call("otel", attributes | {f"gen_ai.usage.{name}": 0}).usage.input_tokens == 100


@for_each("case", CASES)
def test_an_answer_is_one_request_and_its_tokens_are_counted_once(case):
    usage = read_call(case.shape, case.answer, **case.given).usage
    assert usage.requests == 1
    counted = case.answer.get("usage") or case.answer.get("usageMetadata") or {}
    total = counted.get("total_tokens") or counted.get("totalTokenCount")
    if total and "prompt_audio_seconds" not in counted:
        assert usage.prompt_tokens + sum(getattr(usage, unit) for unit in ANSWER_UNITS) == total


def test_included_and_separate_counts_are_distinguished():
    openai = read_call(
        "openai.chat",
        chat(
            100,
            50,
            prompt_tokens_details={"cached_tokens": 60},
            completion_tokens_details={"reasoning_tokens": 40},
        ),
    )
    assert openai.usage == TokenUsage(
        input_tokens=40, cached_tokens=60, output_tokens=10, reasoning_tokens=40, requests=1
    )
    anthropic = read_call("anthropic.messages", message(100, 50, cache_read_input_tokens=60))
    assert anthropic.usage == TokenUsage(input_tokens=100, cached_tokens=60, output_tokens=50, requests=1)
    gemini = read_call("gemini.generate", content(100, 10, 150, cachedContentTokenCount=60, thoughtsTokenCount=40))
    assert gemini.usage == openai.usage
    bedrock = read_call("bedrock.converse", converse(100, 50, cacheReadInputTokens=60))
    assert bedrock.usage == anthropic.usage
    otel = span("anthropic", "claude", 160, 50, cache_read__input_tokens=60)
    assert read_call("otel", otel).usage == anthropic.usage


def test_cached_tokens_of_an_unknown_kind_are_taken_from_text_first():
    details = {"cached_tokens": 90, "audio_tokens": 80}
    usage = read_call("openai.chat", chat(100, 1, prompt_tokens_details=details)).usage
    assert (usage.input_tokens, usage.cached_tokens, usage.audio_input_tokens) == (0, 90, 10)


@pytest.mark.parametrize(
    ("shape", "answer", "provider", "model"),
    [
        ("openai.chat", chat(1, 1), "openai", "gpt"),
        ("anthropic.messages", {**message(1, 1), "model": "claude-haiku-4-5"}, "anthropic", "claude-haiku-4-5"),
        ("gemini.generate", content(1, 1, 2), "gemini", "gemini"),
        ("bedrock.converse", converse(1, 1), "bedrock", None),
        ("otel", span("aws.bedrock", "m", 1, 1), "bedrock", "m"),
    ],
)
def test_response_names_its_provider_and_model(shape, answer, provider, model):
    call = read_call(shape, answer)
    assert (call.provider, call.model) == (provider, model)


def test_callers_provider_mode_and_model_override_the_response():
    call = read_call("openai.chat", chat(1, 1), provider="azure.ai.openai", model="gpt-4o", tier="batch")
    assert (call.provider, call.model, call.usage.tier) == ("azure", "gpt-4o", "batch")


@pytest.mark.parametrize(
    ("name", "listed"), [("aws.bedrock", "bedrock"), ("X_AI", "xai"), ("gcp.vertex_ai", "vertex_ai"), ("groq", "groq")]
)
def test_providers_have_the_names_of_the_price_list(name, listed):
    assert provider_of(name) == listed


@pytest.mark.parametrize("ordinary", ["default", "auto", "standard", "ON_DEMAND", None, "", "scale"])
def test_the_ordinary_tier_has_one_name(ordinary):
    assert read_call("openai.chat", chat(1, 1, service_tier=ordinary)).usage.tier == "standard"


@pytest.mark.parametrize("shape", ["openai.chat", "mistral.chat"])
def test_tier_is_read_from_the_response_or_its_usage(shape):
    answer = chat(1, 1)
    assert read_call(shape, {**answer, "service_tier": "priority"}).usage.tier == "priority"
    inside = {**answer, "usage": {**answer["usage"], "service_tier": "priority"}}
    assert read_call(shape, inside).usage.tier == "priority"


def test_seconds_are_counted_in_milliseconds_rounded_up():
    answer = {"text": "…", "usage": {"type": "duration", "seconds": Decimal("1.2345")}}
    assert read_call("openai.transcription", answer).usage.input_ms == 1235


@for_each(
    "shape, answer",
    [
        ("openai.chat", {}),
        ("openai.chat", {"usage": None}),
        ("openai.chat", {"usage": {"completion_tokens": 3}}),
        ("openai.chat", chat(-1, 1)),
        ("openai.chat", chat(1.5, 1)),
        ("openai.chat", chat("1", 1, 2)),
        ("openai.chat", chat(True, 1)),
        ("openai.chat", chat(10**13, 1)),
        ("openai.chat", chat(10, 1, prompt_tokens_details={"cached_tokens": 11})),
        ("openai.chat", chat(10, 1, completion_tokens_details={"reasoning_tokens": 2})),
        ("openai.chat", chat(10, 1, prompt_tokens_details=[1])),
        (
            "openai.realtime",
            response(10, 1, cached=1)
            | {
                "usage": {
                    "input_tokens": 9,
                    "input_token_details": {"cached_tokens": 2, "cached_tokens_details": {"audio_tokens": 3}},
                }
            },
        ),
        ("openai.image", {"data": []}),
        (
            "openai.image",
            {"usage": {"input_tokens": 1, "output_tokens": 1, "output_tokens_details": {"text_tokens": 2}}},
        ),
        ("openai.transcription", {"usage": {"type": "duration", "seconds": "9"}}),
        ("anthropic.messages", {"usage": {"input_tokens": 5}}),
        (
            "anthropic.messages",
            message(
                1, 1, iterations=[{"type": "advisor_message", "model": "x", "input_tokens": 9, "output_tokens": 9}]
            ),
        ),
        ("gemini.generate", {"usageMetadata": {"candidatesTokenCount": 3}}),
        ("gemini.generate", content(1, 1, 2, promptTokensDetails={"modality": "TEXT"})),
        ("bedrock.converse", converse(1, 1, cacheWriteInputTokens=1, cacheDetails=[{"ttl": "1h", "inputTokens": 2}])),
        ("bedrock.converse", converse(1, 1, cacheDetails="1h")),
        ("otel", {"gen_ai.usage.input_tokens": 3}),
        ("otel", {"gen_ai.provider.name": "openai", "gen_ai.usage.output_tokens": 3}),
        ("otel", span("openai", "m", "3.5", 1)),
        ("openai.videos", {"usage": {}}),
    ],
)
def test_an_answer_that_cannot_be_read_is_refused(shape, answer):
    with pytest.raises(Invalid) as refusal:
        read_call(shape, answer)
    assert refusal.value.error_code == "usage.unreadable"
    assert refusal.value.status == 422


@for_each("case", CASES)
def test_every_response_is_read_or_refused(case):
    """Any other error would answer 500 and lose the other events of the request."""
    for answer in spoiled(case.answer):
        if isinstance(answer, dict):
            with suppress(Invalid):
                read_call(case.shape, answer, **case.given)
