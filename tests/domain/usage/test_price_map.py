"""LiteLLM's price map: read exactly, with unreadable entries in the report."""

import json
import re
from datetime import UTC, datetime
from decimal import Decimal as D
from pathlib import Path

import pytest

from domain.common.errors import Invalid
from domain.usage.amounts import format_pico
from domain.usage.price_map import default_price, read_price_map
from domain.usage.prices import prices_from_json, prices_to_json
from domain.usage.rating import rate
from domain.usage.token_usage import TokenUsage
from tests.support.cases import for_each

WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def read(text):
    return read_price_map(text, version="1", valid_from=WHEN)


def entry(text, provider="openai"):
    """Read one entry in the format of the map."""
    found = read(f'{{"m": {{"litellm_provider": "{provider}", {text}}}}}')
    assert found.refused == ()
    return found.prices[0]


def standard(price, at=0):
    return {unit: str(one) for unit, one in price.tiers["standard"][at].prices.items()}


def test_numbers_are_read_as_they_are_written():
    price = entry('"input_cost_per_token": 2.5e-06, "output_cost_per_token": 0.000015000020000000002')
    prices = price.tiers["standard"][0].prices
    assert (prices["input_tokens"], prices["output_tokens"]) == (D("0.0000025"), D("0.000015000020000000002"))


def test_every_price_of_a_token_has_its_unit():
    fields = {
        "cache_read_input_token_cost": "cached_tokens",
        "cache_creation_input_token_cost": "cache_write_tokens",
        "cache_creation_input_token_cost_above_1hr": "cache_write_1h_tokens",
        "cache_creation_input_token_cost_above_12hr": "cache_write_12h_tokens",
        "input_cost_per_audio_token": "audio_input_tokens",
        "cache_read_input_audio_token_cost": "cached_audio_tokens",
        "input_cost_per_image_token": "image_input_tokens",
        "output_cost_per_reasoning_token": "reasoning_tokens",
        "output_cost_per_audio_token": "audio_output_tokens",
        "output_cost_per_image_token": "image_output_tokens",
        "input_cost_per_query": "queries",
        "input_cost_per_request": "requests",
        "ocr_cost_per_page": "pages",
    }
    price = entry(", ".join(f'"{name}": 0.{at}7' for at, name in enumerate(fields, 101)))
    assert standard(price) == {unit: f"0.{at}7" for at, unit in enumerate(fields.values(), 101)}


def test_band_and_tier_inherit_unnamed_standard_prices():
    price = entry(
        '"input_cost_per_token": 1, "output_cost_per_token": 8, "cache_read_input_token_cost": 0.5,'
        '"input_cost_per_token_above_200k_tokens": 2, "output_cost_per_token_above_200k_tokens": 12,'
        '"input_cost_per_token_batches": 0.4, "output_cost_per_token_batches": 4,'
        '"input_cost_per_token_above_200k_tokens_batches": 0.9, "input_cost_per_token_priority": 3'
    )
    assert {tier: [band.above for band in bands] for tier, bands in price.tiers.items()} == {
        "standard": [0, 200_000],
        "batch": [0, 200_000],
        "priority": [0, 200_000],
    }
    assert standard(price, 1) == {"input_tokens": "2", "output_tokens": "12", "cached_tokens": "0.5"}
    batch, priority = price.tiers["batch"][1].prices, price.tiers["priority"][1].prices
    assert (batch["input_tokens"], batch["output_tokens"], batch["cached_tokens"]) == (D("0.9"), D(4), D("0.5"))
    assert (priority["input_tokens"], priority["output_tokens"]) == (D(3), D(12))


def test_alias_costs_the_price_of_its_entry():
    found = read(
        '{"openai/m-latest": {"alias_of": "m-2"}, "m-2": {"litellm_provider": "openai", "input_cost_per_token": 3},'
        '"a": {"alias_of": "none"}, "b": {"alias_of": "openai/m-latest"}, "c": {"alias_of": 7}}'
    )
    assert {price.model: (price.provider, standard(price)) for price in found.prices} == {
        name: ("openai", {"input_tokens": "3"}) for name in ("openai/m-latest", "m-2")
    }
    assert {each.model: each.why for each in found.refused} == {
        "a": "It is an alias of 'none', which is not a model of the map.",
        "b": "It is an alias of 'openai/m-latest', which is not a model of the map.",
        "c": "It is an alias of '7', which is not a model of the map.",
    }


def test_cache_writes_for_an_hour_have_a_band_of_their_own():
    price = entry(
        '"input_cost_per_token": 3, "cache_creation_input_token_cost_above_1hr": 6,'
        '"cache_creation_input_token_cost_above_1hr_above_200k_tokens": 12'
    )
    assert [band.prices["cache_write_1h_tokens"] for band in price.tiers["standard"]] == [6, 12]


@pytest.mark.parametrize(
    ("batch", "hour"),
    [
        ('"cache_creation_input_token_cost_batches": 1.875', "3"),
        (
            '"cache_creation_input_token_cost_batches": 1.875, "cache_creation_input_token_cost_above_1hr_batches": 4',
            "4",
        ),
        ('"input_cost_per_token_batches": 1.5', "6"),
    ],
)
def test_tier_prices_longer_cache_writes_in_proportion(batch, hour):
    price = entry(
        '"input_cost_per_token": 3, "cache_creation_input_token_cost": 3.75,'
        f'"cache_creation_input_token_cost_above_1hr": 6, {batch}'
    )
    assert price.tiers["batch"][0].prices["cache_write_1h_tokens"] == D(hour)
    assert price.tiers["standard"][0].prices["cache_write_1h_tokens"] == 6


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "[]",
        "{}",
        '{"output_vector_size": 3}',
        '{"input_cost_per_token": -1}',
        '{"vector_store_cost_per_gb_per_day": 1}',
    ],
)
def test_default_price_without_a_priced_unit_is_refused(text):
    with pytest.raises(Invalid):
        default_price(text)


def test_reasoning_is_priced_as_output_where_only_output_changes():
    price = entry(
        '"input_cost_per_token": 1, "output_cost_per_token": 8, "output_cost_per_reasoning_token": 8,'
        '"output_cost_per_token_batches": 4'
    )
    assert price.tiers["batch"][0].price_of("reasoning_tokens") == (4, "output_tokens")


@pytest.mark.parametrize(
    ("provider", "prompt", "dollars"), [("openai", 128_000, 1), ("xai", 128_000, 2), ("xai", 127_999, 1)]
)
def test_band_begins_above_its_length_and_for_xai_at_it(provider, prompt, dollars):
    price = entry(
        '"input_cost_per_token": 0, "output_cost_per_token": 1, "output_cost_per_token_above_128k_tokens": 2', provider
    )
    assert rate(TokenUsage(input_tokens=prompt, output_tokens=1), price).amount_pico == dollars * 10**12


def test_a_table_of_ranges_prices_whole_calls_and_inherits_nothing():
    price = entry(
        '"tiered_pricing": ['
        '{"range": [0, 32000.0], "input_cost_per_token": 1, "cache_read_input_token_cost": 0.1},'
        '{"range": [32000.0, 128000.0], "input_cost_per_token": 2}]',
        "dashscope",
    )
    assert rate(TokenUsage(cached_tokens=32_000), price).amount_pico == 3_200 * 10**12
    assert rate(TokenUsage(cached_tokens=32_001), price).amount_pico == 64_002 * 10**12
    assert rate(TokenUsage(input_tokens=500_000), price).above == 32_000


@pytest.mark.parametrize(
    ("text", "per_second"),
    [
        ('"input_cost_per_second": 0.0001, "output_cost_per_second": 0.0001', "0.0001"),
        ('"input_cost_per_second": 0.0002, "output_cost_per_second": 0.0', "0.0002"),
        ('"input_cost_per_second": 0.0, "output_cost_per_second": 0.0003', "0.0003"),
        ('"output_cost_per_second": 0.0004', "0.0004"),
    ],
)
def test_a_second_of_transcription_is_charged_once(text, per_second):
    assert standard(entry(f'"mode": "audio_transcription", {text}')) == {"input_ms": per_second}


@pytest.mark.parametrize(
    ("provider", "unit", "once"),
    [("gemini", "", True), ("gemini", ', "web_search_billing_unit": "per_query"', False), ("openai", "", False)],
)
def test_search_costs_the_medium_price(provider, unit, once):
    sizes = '"search_context_cost_per_query": {"search_context_size_low": 1, "search_context_size_medium": 2}'
    price = entry(sizes + unit, provider)
    assert standard(price) == {"searches": "2"}
    assert price.searches_per_call is once


def test_surcharges_are_read_by_their_names():
    text = '"input_cost_per_token": 1, "provider_specific_entry": {"us": 1.1, "fast": 2.0, "schema": "x"}'
    assert entry(text, "anthropic").uplifts == {"geo:us": D("1.1"), "speed:fast": D(2)}
    text = '"input_cost_per_token": 1, "regional_processing_uplift_multiplier_eu": 1.1'
    assert entry(text).uplifts == {"geo:eu": D("1.1")}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("[]", "not an object"),
        ('{"input_cost_per_token": 1}', "litellm_provider"),
        ('{"litellm_provider": "p", "input_cost_per_token": "much"}', "input_cost_per_token must be a decimal"),
        ('{"litellm_provider": "p", "input_cost_per_token": -1}', "input_cost_per_token must be a decimal"),
        ('{"litellm_provider": "p", "output_cost_per_token": 1e-30}', "more than 24 decimals"),
        ('{"litellm_provider": "p", "input_cost_per_token_flex": 1}', "no standard prices"),
    ],
)
def test_an_entry_that_cannot_be_read_is_reported_and_the_others_are_read(content, why):
    good = '{"litellm_provider": "p", "input_cost_per_token": 1}'
    found = read(f'{{"bad": {content}, "good": {good}}}')
    assert [price.model for price in found.prices] == ["good"]
    assert [refused.model for refused in found.refused] == ["bad"]
    assert why in found.refused[0].why
    assert found.entries == 2


def test_models_without_a_price_and_prices_without_a_unit_are_reported():
    found = read(
        '{"a": {"litellm_provider": "p", "mode": "chat"},'
        ' "b": {"litellm_provider": "p", "input_cost_per_token": 1, "citation_cost_per_token": 2,'
        ' "annotation_cost_per_page_batches": 2},'
        ' "c": {"litellm_provider": "p", "code_interpreter_cost_per_session": 2},'
        ' "sample_spec": {"litellm_provider": "one of …", "input_cost_per_token": 0}}'
    )
    assert found.unpriced == ("a",)
    assert found.ignored == {"annotation_cost_per_page_batches": 1, "citation_cost_per_token": 1}
    assert [refused.model for refused in found.refused] == ["c", "sample_spec"]
    assert "code_interpreter_cost_per_session" in found.refused[0].why
    assert found.entries == 4


@pytest.mark.parametrize(
    "text", ["", "{", "[1]", '{"a": NaN}', '{"a": {"x": 1, "x": 2}}', '{"a": {}, "a": {}}', "[" * 100_000]
)
def test_invalid_file_is_refused_whole(text):
    with pytest.raises(Invalid):
        read(text)


def test_numbers_are_never_parsed_as_floats():
    text = json.dumps({f"m{at}": {"litellm_provider": "p", "input_cost_per_token": 1e-07 * at} for at in range(1, 500)})
    for price in read(text).prices:
        assert all(type(one) is D for one in price.tiers["standard"][0].prices.values())


#: The price fields of LiteLLM 1.109.1, without lengths of prompts and tiers.
FIELDS = [
    "annotation_cost_per_page",
    "cache_creation_input_audio_token_cost",
    "cache_creation_input_token_cost",
    "cache_creation_input_token_cost_above_12hr",
    "cache_creation_input_token_cost_above_1hr",
    "cache_read_input_audio_token_cost",
    "cache_read_input_image_token_cost",
    "cache_read_input_token_cost",
    "citation_cost_per_token",
    "code_interpreter_cost_per_session",
    "computer_use_input_cost_per_1k_tokens",
    "computer_use_output_cost_per_1k_tokens",
    "cost_per_second",
    "explicit_cache_read_input_token_cost",
    "file_search_cost_per_1k_calls",
    "file_search_cost_per_gb_per_day",
    "google_maps_grounding_cost_per_query",
    "guardrail_cost_per_unit",
    "input_cost_per_audio_per_second",
    "input_cost_per_audio_token",
    "input_cost_per_character",
    "input_cost_per_image",
    "input_cost_per_image_token",
    "input_cost_per_pixel",
    "input_cost_per_query",
    "input_cost_per_request",
    "input_cost_per_second",
    "input_cost_per_text_message",
    "input_cost_per_token",
    "input_cost_per_token_cache_hit",
    "input_cost_per_video_per_second",
    "input_cost_per_video_per_second_above_15s_interval",
    "input_cost_per_video_per_second_above_8s_interval",
    "input_cost_per_video_token",
    "input_dbu_cost_per_token",
    "ocr_cost_per_credit",
    "ocr_cost_per_page",
    "off_peak_pricing",
    "output_cost_per_audio_token",
    "output_cost_per_character",
    "output_cost_per_image",
    "output_cost_per_image_0.5K",
    "output_cost_per_image_1024",
    "output_cost_per_image_1536",
    "output_cost_per_image_1K",
    "output_cost_per_image_2K",
    "output_cost_per_image_4K",
    "output_cost_per_image_512",
    "output_cost_per_image_token",
    "output_cost_per_pixel",
    "output_cost_per_reasoning_token",
    "output_cost_per_second",
    "output_cost_per_second_1080p",
    "output_cost_per_second_2k",
    "output_cost_per_second_480p",
    "output_cost_per_second_4k",
    "output_cost_per_second_720p",
    "output_cost_per_second_768p",
    "output_cost_per_token",
    "output_cost_per_video_per_second",
    "output_cost_per_video_token",
    "output_dbu_cost_per_token",
    "regional_endpoint_uplift_multiplier",
    "regional_processing_uplift_multiplier_eu",
    "regional_processing_uplift_multiplier_us",
    "search_context_cost_per_query",
    "tiered_pricing",
    "vector_store_cost_per_gb_per_day",
]
ROOT = Path(__file__).resolve().parents[3]


#: What a field holds that is no price of a unit.
TABLES = {
    "search_context_cost_per_query": {"search_context_size_medium": 1e-2},
    "tiered_pricing": [{"range": [0, 1000], "input_cost_per_token": 1e-6}],
    "off_peak_pricing": {"windows": [{"hours_utc": "10:00-00:00"}], "input_cost_per_token": 5e-7},
}


def is_read(name):
    priced = {"litellm_provider": "p", "input_cost_per_token": 1e-6, name: TABLES.get(name, 1.5)}
    found = read(json.dumps({"m": priced}))
    assert found.prices, found.refused
    return name not in found.ignored


def test_every_price_field_is_read_or_refused_and_the_page_lists_it():
    read_ones = {name for name in FIELDS if is_read(name)}
    assert len(FIELDS) == len(set(FIELDS)) == 68
    assert not is_read("output_cost_per_wish")
    _, _, listed = (ROOT / "docs/guides/metering.md").read_text("utf-8").partition("\n### Fields of the map\n")
    shown_read, shown_refused = (
        set(re.findall(r"`([A-Za-z0-9_.]+)`", part))
        for part in listed.partition("\n## ")[0].replace("**Read**", "").split("**Refused**")
    )
    assert shown_read == read_ones
    assert shown_refused == set(FIELDS) - read_ones


@pytest.mark.parametrize(
    ("text", "usage", "dollars"),
    [
        ('"mode": "image_generation", "input_cost_per_pixel": 2e-8, "output_cost_per_pixel": 0.0',
         TokenUsage(output_pixels=1024 * 1024), "0.02097152"),
        ('"output_cost_per_pixel": 3e-8', TokenUsage(output_pixels=512 * 512), "0.00786432"),
        ('"output_cost_per_image": 0.08, "output_cost_per_image_4K": 0.16',
         TokenUsage(output_images_4096=2, output_images=1), "0.4"),
        ('"output_cost_per_image": 0.08', TokenUsage(output_images_2048=1), "0.08"),
        ('"output_cost_per_second": 0.05, "output_cost_per_second_1080p": 0.075',
         TokenUsage(output_ms_1080p=1_501, output_ms_480p=1_000), "0.162575"),
    ],
)  # fmt: skip
def test_images_and_videos_are_priced_by_size(text, usage, dollars):
    assert format_pico(rate(usage, entry(text)).amount_pico) == dollars


def test_size_without_a_price_is_refused_by_name():
    with pytest.raises(Invalid, match="has no price for") as refusal:
        rate(TokenUsage(output_pixels=1, output_ms_4k=1), entry('"input_cost_per_token": 1'))
    assert set(refusal.value.extra["units"]) == {"output_pixels", "output_ms_4k"}


OFF_PEAK = """
"input_cost_per_token": 4, "output_cost_per_token": 10, "input_cost_per_token_batches": 2, "off_peak_pricing": {
  "input_cost_per_token": 1, "weekday_timezone": "Asia/Shanghai",
  "windows": [{"hours_utc": ["00:00-01:30", "22:00-00:00"], "weekdays": [1, 2, 3, 4, 5]},
              {"hours_utc": "00:00-00:00", "weekdays": [6, 7]}]}
"""


@for_each(
    "at, tier, dollars",
    [
        ("2026-01-05T00:00:00+00:00", "standard", 11),  # a Monday
        ("2026-01-05T01:29:59.999999+00:00", "standard", 11),
        ("2026-01-05T01:30:00+00:00", "standard", 14),
        ("2026-01-05T21:59:59+00:00", "standard", 14),
        ("2026-01-05T23:00:00+01:00", "standard", 11),
        ("2026-01-09T17:00:00+00:00", "standard", 11),  # Saturday in Shanghai
        ("2026-01-11T15:59:59+00:00", "standard", 11),
        ("2026-01-11T16:00:00+00:00", "standard", 14),  # Monday there
        ("2026-01-05T00:00:00+00:00", "batch", 12),
        ("2026-01-05T12:00:00+00:00", "off_peak", 14),  # not for who asks for it
        (None, "standard", 14),
    ],
)
def test_off_peak_hours_have_their_prices_by_the_time_of_the_call(at, tier, dollars):
    price = entry(OFF_PEAK)
    kept = json.loads(json.dumps(prices_to_json(price)))
    kinds = {name: getattr(price, name) for name in ("model", "provider", "currency", "version", "valid_from")}
    assert prices_from_json(kept, **kinds) == price
    used = TokenUsage(input_tokens=1, output_tokens=1, tier=tier)
    rated = rate(used, price, at=None if at is None else datetime.fromisoformat(at))
    assert rated.amount_pico == dollars * 10**12


@pytest.mark.parametrize(
    "table",
    ['[]', '{"windows": [{"hours_utc": "10-12"}], "input_cost_per_token": 1}',
     '{"windows": [{"hours_utc": "10:00-12:00"}]}', '{"windows": [{"hours_utc": "10:00-12:00"}], "wish": 1}',
     '{"windows": [{"hours_utc": "10:00-12:00", "weekdays": [8]}], "input_cost_per_token": 1}',
     '{"windows": [{"hours_utc": "10:00-12:00"}], "weekday_timezone": "Mars/One", "input_cost_per_token": 1}',
     '{"windows": [], "input_cost_per_token": 1}'],
)  # fmt: skip
def test_off_peak_prices_that_cannot_be_read_refuse_the_entry(table):
    found = read(f'{{"m": {{"litellm_provider": "p", "input_cost_per_token": 4, "off_peak_pricing": {table}}}}}')
    assert [refused.model for refused in found.refused] == ["m"]
