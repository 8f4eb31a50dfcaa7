"""Rating of a call: exact, whole bands, fallbacks, and no silently free usage."""

from datetime import UTC, datetime
from decimal import Decimal as D

import pytest

from domain.common.errors import Invalid
from domain.usage.prices import make_price, prices_from_json, prices_to_json
from domain.usage.rating import rate
from domain.usage.token_usage import TokenUsage
from tests.support.cases import for_each

WHEN = datetime(2026, 1, 1, tzinfo=UTC)
ABOUT = {"model": "m", "provider": "p", "currency": "USD", "version": "1", "valid_from": WHEN}


def price(*bands, uplifts=None, tiers=None, **more):
    standard = [(0, bands[0]), *bands[1:]]
    return make_price(**ABOUT, tiers={"standard": standard, **(tiers or {})}, uplifts=uplifts, **more)


def test_every_unit_is_charged_at_its_own_price():
    units = {
        "input_tokens": "0.001",
        "cached_tokens": "0.002",
        "cache_write_tokens": "0.003",
        "cache_write_1h_tokens": "0.004",
        "output_tokens": "0.005",
        "reasoning_tokens": "0.006",
        "audio_input_tokens": "0.007",
        "searches": "0.5",
        "requests": "0.25",
        "output_images": "0.04",
        "pages": "0.008",
    }
    usage = TokenUsage(**dict.fromkeys(units, 3))
    rated = rate(usage, price(units))
    assert rated.amount_pico == 3 * int(sum(map(D, units.values())) * 10**12)
    assert {line.unit: str(line.unit_price) for line in rated.lines} == units
    assert sum(line.amount for line in rated.lines) == D(rated.amount_pico).scaleb(-12)


@for_each(
    "unit, listed, charged",
    [
        ("cached_tokens", {"input_tokens": "2"}, "2"),
        ("cached_tokens", {"input_tokens": "2", "cached_tokens": "0"}, "0"),
        ("cache_write_1h_tokens", {"input_tokens": "2", "cache_write_tokens": "3"}, "3"),
        ("cached_audio_tokens", {"input_tokens": "2", "audio_input_tokens": "5"}, "5"),
        ("cached_audio_tokens", {"input_tokens": "2", "audio_input_tokens": "5", "cached_tokens": "1"}, "1"),
        ("video_input_tokens", {"input_tokens": "2"}, "2"),
        ("reasoning_tokens", {"output_tokens": "7"}, "7"),
        ("reasoning_tokens", {"output_tokens": "7", "reasoning_tokens": "4"}, "4"),
        ("audio_output_tokens", {"output_tokens": "7"}, "7"),
    ],
)
def test_a_token_without_a_price_of_its_own_is_an_ordinary_one(unit, listed, charged):
    assert rate(TokenUsage(**{unit: 1}), price(listed)).lines[0].unit_price == D(charged)


@pytest.mark.parametrize(
    ("prompt", "above", "dollars"),
    [(0, 0, 8), (200, 0, 208), (201, 200, 410), (300, 200, 608), (301, 300, 911)],
)
def test_a_long_prompt_prices_the_whole_call(prompt, above, dollars):
    bands = [{"input_tokens": 1, "output_tokens": 8}, (300, {"input_tokens": 3}), (200, {"input_tokens": 2})]
    bands[1][1]["output_tokens"], bands[2][1]["output_tokens"] = 8, 8
    rated = rate(TokenUsage(input_tokens=prompt, output_tokens=1), price(*bands))
    assert (rated.above, rated.amount_pico) == (above, dollars * 10**12)


def test_cached_and_written_tokens_count_for_the_length_of_the_prompt():
    bands = [{"input_tokens": 1}, (200, {"input_tokens": 2})]
    usage = TokenUsage(input_tokens=1, cached_tokens=100, cache_write_tokens=50, audio_input_tokens=50)
    assert rate(usage, price(*bands)).above == 200


def test_tier_has_its_own_prices_and_an_unlisted_tier_standard_prices():
    listed = price({"input_tokens": "4"}, tiers={"batch": [(0, {"input_tokens": "2"})]})
    batch, flex = (rate(TokenUsage(input_tokens=1, tier=tier), listed) for tier in ("batch", "flex"))
    assert (batch.tier, batch.amount_pico) == ("batch", 2 * 10**12)
    assert (flex.tier, flex.amount_pico) == ("standard", 4 * 10**12)


def test_surcharges_multiply_tokens_and_nothing_else():
    listed = price({"input_tokens": "0.3", "searches": "0.01"}, uplifts={"geo:us": "1.1", "speed:fast": "2"})
    usage = TokenUsage(input_tokens=1, searches=1, uplifts=("geo:us", "speed:fast", "geo:moon"))
    rated = rate(usage, listed)
    assert rated.amount_pico == int(D("0.67") * 10**12)
    assert [line.unit_price for line in rated.lines] == [D("0.66"), D("0.01")]


def test_seconds_are_charged_by_the_millisecond():
    assert rate(TokenUsage(input_ms=1_501), price({"input_ms": "0.0001"})).amount_pico == 150_100_000


def test_a_call_is_rounded_once_half_to_even():
    listed = price({"input_tokens": "0.0000000000005", "output_tokens": "0.0000000000010"})
    assert rate(TokenUsage(input_tokens=1), listed).amount_pico == 0
    assert rate(TokenUsage(input_tokens=1, output_tokens=1), listed).amount_pico == 2
    assert rate(TokenUsage(input_tokens=3), listed).amount_pico == 2


def test_search_is_charged_once_per_call_where_listed():
    usage = TokenUsage(searches=4)
    assert rate(usage, price({"searches": "0.035"}, searches_per_call=True)).amount_pico == 35 * 10**9
    assert rate(usage, price({"searches": "0.035"})).amount_pico == 140 * 10**9


@pytest.mark.parametrize("unit", ["input_tokens", "reasoning_tokens", "searches", "input_ms", "output_images", "pages"])
def test_usage_without_a_price_is_refused(unit):
    with pytest.raises(Invalid) as refusal:
        rate(TokenUsage(requests=1, **{unit: 1}), price({"queries": "1"}))
    assert refusal.value.error_code == "usage.unit_unpriced"
    assert refusal.value.extra == {"model": "m", "units": [unit]}


def test_request_without_an_own_price_costs_its_tokens():
    assert rate(TokenUsage(requests=1, input_tokens=2), price({"input_tokens": "1"})).amount_pico == 2 * 10**12


def test_call_too_large_for_the_database_is_refused():
    listed = price({"input_tokens": "0.000000000001", "output_images": "1000000"})
    assert rate(TokenUsage(output_images=9), listed).amount_pico == 9 * 10**18
    with pytest.raises(Invalid, match="more than one rating can hold"):
        rate(TokenUsage(output_images=10), listed)


def test_price_round_trips():
    made = price(
        {"input_tokens": "0.00000250", "searches": D("1E-2")},
        (200, {"input_tokens": "1"}),
        uplifts={"geo:us": "1.10"},
        tiers={"batch": [(0, {"input_tokens": 0})]},
        searches_per_call=True,
    )
    written = prices_to_json(made)
    assert written["tiers"]["standard"][0]["prices"] == {"input_tokens": "0.0000025", "searches": "0.01"}
    assert prices_from_json(written, **ABOUT) == made


@pytest.mark.parametrize(
    "tiers",
    [
        {},
        {"batch": [(0, {"input_tokens": 1})]},
        {"standard": [(0, {})]},
        {"standard": [(5, {"input_tokens": 1})]},
        {"standard": [(0, {"input_tokens": 1}), (0, {"input_tokens": 2})]},
        {"standard": [(0, {"tokens": 1})]},
        {"standard": [(0, {"input_tokens": -1})]},
    ],
)
def test_invalid_price_is_refused(tiers):
    with pytest.raises(Invalid):
        make_price(**ABOUT, tiers=tiers)
