"""10,000 synthetic calls over fifty models, rated exactly alike by the product and by an independent calculation.

The other one begins with the same raw answer and the same raw entry of the price map and takes nothing from
`domain.usage`: it looks fields of the map up by name, with `decimal` at 60 digits, and rounds once at the end.
"""

import random
import re
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal, localcontext

import pytest

from domain.usage.adapters import read_call
from domain.usage.price_map import read_price_map
from domain.usage.rating import rate
from tests.domain.usage.fifty_models import as_text, entries

CALLS = 10_000
SEED = 20_260_401
LISTED = entries()
PRICES = {
    price.model: price
    for price in read_price_map(as_text(LISTED), version="1", valid_from=datetime(2026, 4, 1, tzinfo=UTC)).prices
}
SHAPES = {
    "anthropic": "anthropic.messages",
    "bedrock_converse": "bedrock.converse",
    "gemini": "gemini.generate",
    "mistral": "mistral.chat",
}


def some(dice, most):
    """Draw a count: often zero, mostly small, sometimes the maximum."""
    return dice.choice([0, dice.randint(0, 300), dice.randint(0, most), dice.randint(0, most), most])


def anthropic(dice):
    five, hour = some(dice, 20_000), some(dice, 9000)
    usage = {
        "input_tokens": some(dice, 180_000),
        "output_tokens": some(dice, 30_000),
        "cache_read_input_tokens": some(dice, 120_000),
        "cache_creation_input_tokens": five + hour,
        "cache_creation": {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour},
        "server_tool_use": {"web_search_requests": dice.choice([0, 0, 3])},
        "service_tier": dice.choice(["standard", "batch", "priority"]),
        "inference_geo": dice.choice(["global", "us", "not_available"]),
    }
    counts = {
        "text": usage["input_tokens"],
        "cached": usage["cache_read_input_tokens"],
        "five": five,
        "hour": hour,
        "out": usage["output_tokens"],
        "searches": usage["server_tool_use"]["web_search_requests"],
    }
    return {"usage": usage}, counts, usage["service_tier"], usage["inference_geo"]


def bedrock(dice):
    five, hour = some(dice, 20_000), some(dice, 9000)
    usage = {
        "inputTokens": some(dice, 150_000),
        "outputTokens": some(dice, 30_000),
        "cacheReadInputTokens": some(dice, 120_000),
        "cacheWriteInputTokens": five + hour,
        "cacheDetails": [{"ttl": "1h", "inputTokens": hour}, {"ttl": "5m", "inputTokens": five}],
    }
    tier = dice.choice(["default", "flex", "priority"])
    counts = {
        "text": usage["inputTokens"],
        "cached": usage["cacheReadInputTokens"],
        "five": five,
        "hour": hour,
        "out": usage["outputTokens"],
    }
    return {"usage": usage, "serviceTier": {"type": tier}}, counts, tier, None


def gemini(dice):
    audio, cached_audio = some(dice, 40_000), some(dice, 30_000)
    text, cached = some(dice, 150_000), some(dice, 100_000)
    tools, thoughts, made = some(dice, 2000), some(dice, 20_000), some(dice, 20_000)
    searches = dice.choice([0, 0, 1, 4])
    usage = {
        "promptTokenCount": text + cached + audio + cached_audio,
        "cachedContentTokenCount": cached + cached_audio,
        "candidatesTokenCount": made,
        "thoughtsTokenCount": thoughts,
        "toolUsePromptTokenCount": tools,
        "totalTokenCount": text + cached + audio + cached_audio + tools + made + thoughts,
        "promptTokensDetails": [
            {"modality": "TEXT", "tokenCount": text + cached},
            {"modality": "AUDIO", "tokenCount": audio + cached_audio},
        ],
        "cacheTokensDetails": [
            {"modality": "TEXT", "tokenCount": cached},
            {"modality": "AUDIO", "tokenCount": cached_audio},
        ],
    }
    answer = {"usageMetadata": usage}
    if searches:
        queries = [f"query {number}" for number in range(searches)]
        answer["candidates"] = [{"groundingMetadata": {"webSearchQueries": queries}}]
    counts = {
        "text": text + tools,
        "cached": cached,
        "audio": audio,
        "cached_audio": cached_audio,
        "out": made,
        "reasoning": thoughts,
        "searches": searches,
    }
    return answer, counts, "default", None


def openai(dice):
    text, cached, audio = some(dice, 200_000), some(dice, 150_000), some(dice, 20_000)
    made, reasoning, spoken = some(dice, 20_000), some(dice, 20_000), some(dice, 9000)
    searches, tier = dice.choice([0, 0, 0, 2]), dice.choice(["default", "flex", "priority", "auto"])
    into, out = text + cached + audio, made + reasoning + spoken
    answer = {
        "service_tier": tier,
        "usage": {
            "prompt_tokens": into,
            "completion_tokens": out,
            "total_tokens": into + out,
            "prompt_tokens_details": {"cached_tokens": cached, "audio_tokens": audio},
            "completion_tokens_details": {"reasoning_tokens": reasoning, "audio_tokens": spoken},
        },
        "output": [{"type": "web_search_call", "action": {"type": "search"}}] * searches,
    }
    counts = {
        "text": text,
        "cached": cached,
        "audio": audio,
        "out": made,
        "reasoning": reasoning,
        "spoken": spoken,
        "searches": searches,
    }
    return answer, counts, tier, None


def mistral(dice):
    text, cached, made = some(dice, 100_000), some(dice, 50_000), some(dice, 20_000)
    usage = {"prompt_tokens": text + cached, "completion_tokens": made, "num_cached_tokens": cached}
    return {"usage": usage}, {"text": text, "cached": cached, "out": made}, "default", None


MAKERS = {"anthropic": anthropic, "bedrock_converse": bedrock, "gemini": gemini, "mistral": mistral}

#: What is asked for, and what stands in for it when the entry has no price of it.
FIELDS = {
    "text": ["input_cost_per_token"],
    "cached": ["cache_read_input_token_cost", "input_cost_per_token"],
    "five": ["cache_creation_input_token_cost", "input_cost_per_token"],
    "hour": [
        "cache_creation_input_token_cost_above_1hr",
        "cache_creation_input_token_cost",
        "input_cost_per_token",
    ],
    "audio": ["input_cost_per_audio_token", "input_cost_per_token"],
    "cached_audio": [
        "cache_read_input_audio_token_cost",
        "cache_read_input_token_cost",
        "input_cost_per_audio_token",
        "input_cost_per_token",
    ],
    "out": ["output_cost_per_token"],
    "reasoning": ["output_cost_per_reasoning_token", "output_cost_per_token"],
    "spoken": ["output_cost_per_audio_token", "output_cost_per_token"],
}
PROMPT = ("text", "cached", "five", "hour", "audio", "cached_audio")


def second_opinion(entry, counts, tier, region):
    """Return the cost in pico from the raw entry, or None where a used unit has no price."""
    suffix = {"batch": "_batches", "flex": "_flex", "priority": "_priority"}.get(tier, "")
    length = sum(counts.get(name, 0) for name in PROMPT)
    bands = {int(each) for name in entry for each in re.findall(r"_above_(\d+)k_tokens", name)}
    crossed = sorted(
        (
            band
            for band in bands
            if length > band * 1000 or (entry["litellm_provider"] == "xai" and length == band * 1000)
        ),
        reverse=True,
    )
    if "tiered_pricing" in entry:
        ranges = [each for each in entry["tiered_pricing"] if length > each["range"][0] or each["range"][0] == 0]
        entry, crossed, suffix = {"litellm_provider": entry["litellm_provider"], **ranges[-1]}, [], ""

    def price_of(field):
        names = [f"{field}_above_{band}k_tokens{suffix}" for band in crossed if suffix]
        names += [f"{field}{suffix}"] if suffix else []
        names += [f"{field}_above_{band}k_tokens" for band in crossed] + [field]
        return next((entry[name] for name in names if name in entry), None)

    factor = entry.get("provider_specific_entry", {}).get(region, Decimal(1))
    total = Decimal(0)
    for name, fields in FIELDS.items():
        if not counts.get(name):
            continue
        if name == "reasoning" and f"output_cost_per_token{suffix}" in entry and suffix:
            fields = ["output_cost_per_token"]
        price = next((found for field in fields if (found := price_of(field)) is not None), None)
        five_minutes, an_hour = "cache_creation_input_token_cost", "cache_creation_input_token_cost_above_1hr"
        if name == "hour" and suffix and f"{five_minutes}{suffix}" in entry and f"{an_hour}{suffix}" not in entry:
            price = entry[an_hour] * entry[f"{five_minutes}{suffix}"] / entry[five_minutes]
        if price is None:
            return None
        total += counts[name] * price * factor
    if searches := counts.get("searches"):
        sizes = entry.get("search_context_cost_per_query")
        if sizes is None:
            return None
        by_call = entry["litellm_provider"] == "gemini" and entry.get("web_search_billing_unit") != "per_query"
        total += (1 if by_call else searches) * sizes["search_context_size_medium"]
    return int((total * 10**12).to_integral_value(ROUND_HALF_EVEN))


def test_there_are_fifty_models():
    assert len(LISTED) == len(PRICES) == 50


def test_ten_thousand_calls_cost_the_same_by_two_calculations():
    dice = random.Random(SEED)
    models = sorted(LISTED)
    rated_models, refused, tiers, bands = set(), 0, set(), set()
    for number in range(CALLS):
        model = models[number % len(models)]
        provider = LISTED[model]["litellm_provider"]
        answer, counts, tier, region = MAKERS.get(provider, openai)(dice)
        usage = read_call(SHAPES.get(provider, "openai.chat"), answer).usage
        with localcontext() as context:
            context.prec = 60
            expected = second_opinion(LISTED[model], counts, tier, region)
        if expected is None:
            refused += 1
            with pytest.raises(Exception, match="has no price for"):
                rate(usage, PRICES[model])
            continue
        rated = rate(usage, PRICES[model])
        assert rated.amount_pico == expected, (SEED, number, model, counts, tier, region)
        rated_models.add(model)
        tiers.add(rated.tier)
        bands.add(rated.above)
    # The dice reached what the calculations could differ in.
    assert rated_models >= set(models) - {"whisper-1"}
    assert {"standard", "batch", "flex", "priority"} <= tiers
    assert {0, 32_000, 128_000, 199_999, 200_000, 256_000, 272_000} <= bands
    assert 0 < refused < CALLS // 4
