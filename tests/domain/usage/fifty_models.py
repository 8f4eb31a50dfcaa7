"""Fifty models with their public prices: those that ship with the product and those below, in the form of the map.

A line, with what is indented below it, is a model, its provider, and dollars per million tokens as input/cached/output,
`-` for none; further ones have the suffix of the map's fields. `cache` is writing for five minutes and for an hour,
`batch_write` that of a batch for five minutes,
`audio` input/cached/output, `search` dollars a query, `reasoning` and `us` what they say; `ranges` prices calls by the
length of their prompts.
Taken from the vendors' price pages, as of the list that ships.
"""

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

SHIPPED = Path(__file__).resolve().parents[3] / "commands" / "model_prices.json"

TABLE = """
gpt-4.1-mini openai 0.4/0.1/1.6 batches=0.2/-/0.8 priority=0.7/0.175/2.8 search=0.025
gpt-4.1-nano openai 0.1/0.025/0.4 batches=0.05/-/0.2 priority=0.2/0.05/0.8
gpt-5-nano openai 0.05/0.005/0.4 batches=0.025/0.0025/0.2 flex=0.025/0.0025/0.2
gpt-5.1 openai 1.25/0.125/10 batches=0.625/0.0625/5 flex=0.625/0.0625/5 priority=2.5/0.25/20 search=0.01
gpt-5.2 openai 1.75/0.175/14 batches=0.875/0.0875/7 flex=0.875/0.0875/7 priority=3.5/0.35/28 search=0.01
gpt-5.4 openai 2.5/0.25/15 above_272k_tokens=5/0.5/22.5 batches=1.25/0.13/7.5
    above_272k_tokens_batches=2.5/0.25/11.25 priority=5/0.5/30
gpt-5.4-mini openai 0.75/0.075/4.5 batches=0.375/0.0375/2.25 flex=0.375/0.0375/2.25 priority=1.5/0.15/9
gpt-5.5 openai 5/0.5/30 above_272k_tokens=10/1/45 flex=2.5/0.25/15 above_272k_tokens_flex=5/0.5/22.5
    priority=12.5/1.25/75
o3-mini openai 1.1/0.55/4.4 batches=0.55/-/2.2
o4-mini openai 1.1/0.275/4.4 batches=0.55/-/2.2 flex=0.55/0.138/2.2 priority=2/0.5/8
gpt-4-turbo openai 10/-/30
gpt-3.5-turbo openai 0.5/-/1.5
gpt-audio openai 2.5/-/10 audio=32/-/64
gpt-audio-mini openai 0.6/-/2.4 audio=10/-/20
text-embedding-3-large openai 0.13/-/0 batches=0.065/-/0
claude-opus-4-6 anthropic 5/0.5/25 batches=2.5/0.25/12.5 cache=6.25/10 batch_write=3.125 search=0.01 us=1.1
claude-sonnet-4-6 anthropic 3/0.3/15 batches=1.5/0.15/7.5 cache=3.75/6 batch_write=1.875 search=0.01 us=1.1
claude-opus-4-7 anthropic 5/0.5/25 batches=2.5/0.25/12.5 cache=6.25/10 batch_write=3.125 search=0.01 us=1.1
us.anthropic.claude-sonnet-4-5-20250929-v1:0 bedrock_converse 3.3/0.33/16.5 above_200k_tokens=6.6/0.66/24.75
    cache=4.125/6.6
amazon.nova-pro-v1:0 bedrock_converse 0.8/0.2/3.2 flex=0.4/0.1/1.6 priority=1.4/0.35/5.6
amazon.nova-lite-v1:0 bedrock_converse 0.06/0.015/0.24 batches=0.03/-/0.12
amazon.nova-micro-v1:0 bedrock_converse 0.035/0.00875/0.14 batches=0.0175/-/0.07
gemini/gemini-3-flash-preview gemini 0.5/0.05/3 batches=0.25/-/1.5 audio=1/0.1/- reasoning=3 search=0.014 by=query
gemini/gemini-3.1-pro-preview gemini 2/0.2/12 above_200k_tokens=4/0.4/18 batches=1/0.2/6
    above_200k_tokens_batches=2/0.4/9 search=0.014 by=query
gemini/gemini-3.1-flash-lite gemini 0.25/0.025/1.5 batches=0.125/0.0125/0.75 audio=0.5/0.05/- search=0.014 by=query
mistral/mistral-small-2603 mistral 0.15/0.015/0.6
mistral/magistral-medium-latest mistral 1.5/0.15/7.5
mistral/ministral-8b-2512 mistral 0.15/0.015/0.15
deepseek/deepseek-chat deepseek 0.28/0.028/0.42
xai/grok-code-fast-1 xai 1/0.2/2 above_200k_tokens=2/0.4/4
groq/openai/gpt-oss-120b groq 0.15/0.075/0.6
dashscope/qwen-plus-2025-09-11 dashscope ranges=0:0.4/-/1.2/4,256000:1.2/-/3.6/12
dashscope/qwen3-coder-flash dashscope
    ranges=0:0.3/0.08/1.5/-,32000:0.5/0.12/2.5/-,128000:0.8/0.2/4/-,256000:1.6/0.4/9.6/-
"""
_DATED = re.compile(r"^(?!.*:).*-\d{4}-?\d{2}-?\d{2}$")
_NAMES = ("input_cost_per_token", "cache_read_input_token_cost", "output_cost_per_token")
_AUDIO = ("input_cost_per_audio_token", "cache_read_input_audio_token_cost", "output_cost_per_audio_token")
_CACHE = ("cache_creation_input_token_cost", "cache_creation_input_token_cost_above_1hr")


def _each(names: tuple[str, ...], prices: str, suffix: str = "") -> dict[str, Decimal]:
    """Pair fields of the map with dollars per million."""
    given = zip(names, prices.split("/"), strict=True)
    return {f"{name}{suffix}": Decimal(price).scaleb(-6) for name, price in given if price != "-"}


def _entry(provider: str, parts: list[str]) -> dict[str, Any]:
    entry: dict[str, Any] = {"litellm_provider": provider}
    for part in parts:
        name, _, value = part.rpartition("=")
        if name == "audio":
            entry |= _each(_AUDIO, value)
        elif name == "cache":
            entry |= _each(_CACHE, value)
        elif name == "batch_write":
            entry["cache_creation_input_token_cost_batches"] = Decimal(value).scaleb(-6)
        elif name == "reasoning":
            entry["output_cost_per_reasoning_token"] = Decimal(value).scaleb(-6)
        elif name == "search":
            entry["search_context_cost_per_query"] = {"search_context_size_medium": Decimal(value)}
        elif name == "by":
            entry["web_search_billing_unit"] = f"per_{value}"
        elif name == "us":
            entry["provider_specific_entry"] = {"us": Decimal(value)}
        elif name == "ranges":
            starts = [each.split(":") for each in value.split(",")]
            names = (*_NAMES, "output_cost_per_reasoning_token")
            entry["tiered_pricing"] = [{"range": [int(at), 10**6]} | _each(names, prices) for at, prices in starts]
        else:
            entry |= _each(_NAMES, value, f"_{name}" if name else "")
    return entry


def entries() -> dict[str, dict[str, Any]]:
    """Return the fifty entries as the map has them, with decimals for numbers."""
    shipped: dict[str, dict[str, Any]] = json.loads(SHIPPED.read_text(), parse_float=Decimal)
    # A model's dated name has the same price as its other one.
    listed = {name: entry for name, entry in shipped.items() if not _DATED.search(name)}
    for line in TABLE.replace("\n  ", "").strip().split("\n"):
        model, provider, *parts = line.split()
        listed[model] = _entry(provider, parts)
    return listed


def as_text(listed: dict[str, dict[str, Any]]) -> str:
    """Write entries as the file has them, with numbers as they are."""
    return json.dumps(listed, default=lambda number: f"{number:f}")
