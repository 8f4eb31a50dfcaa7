"""Usage of Anthropic's Messages API.

The counts do not overlap: the prompt is `input_tokens` and `cache_creation_input_tokens` and `cache_read_input_tokens`.
What was written to the cache is counted by how long it stays, five minutes or an hour; thinking is part of
`output_tokens` and costs the same. With compaction, what the summary used stands in `iterations` only, which then hold
everything.

Sources: https://docs.anthropic.com/en/api/messages (`usage`);
https://docs.anthropic.com/en/docs/build-with-claude/prompt-caching (*Tracking cache performance*);
…/about-claude/pricing (cache writes 1.25 and 2 times input, reads 0.1 times; searches; `inference_geo` and `speed`);
…/build-with-claude/compaction.
"""

from domain.usage.adapters.reading import (
    ModelCall,
    VendorAnswer,
    answer_units,
    count,
    has_thoughts,
    make_usage,
    model_of,
    optional_count,
    required_count,
    section,
    tier_of,
    unreadable,
    uplifts_of,
    usage_of,
)

_OWN_ITERATIONS = frozenset({"message", "compaction"})


def read_message(answer: VendorAnswer) -> ModelCall:
    """Read a message."""
    usage = usage_of(answer)
    units = dict[str, int]()
    for part in _parts(usage):
        for unit, tokens in _tokens(part).items():
            units[unit] = units.get(unit, 0) + tokens
    return ModelCall(
        provider="anthropic",
        model=model_of(answer, "model"),
        usage=make_usage(
            units,
            searches=count(section(usage, "server_tool_use"), "web_search_requests"),
            tier=tier_of(usage.get("service_tier")),
            uplifts=uplifts_of(usage),
            is_thinking=has_thoughts(answer.get("content")),
        ),
    )


def _parts(usage: VendorAnswer) -> list[VendorAnswer]:
    iterations = usage.get("iterations")
    if not isinstance(iterations, list) or not iterations:
        return [usage]
    for iteration in iterations:
        if not isinstance(iteration, dict) or str(iteration.get("type", "message")) not in _OWN_ITERATIONS:
            unreadable("The usage has an iteration of another model. Report that iteration as a call of its own.")
    return iterations


def _tokens(usage: VendorAnswer) -> dict[str, int]:
    written = count(usage, "cache_creation_input_tokens")
    by_time = section(usage, "cache_creation")
    an_hour = count(by_time, "ephemeral_1h_input_tokens")
    five_minutes = optional_count(by_time, "ephemeral_5m_input_tokens")
    if an_hour + (five_minutes or 0) > written:
        # A stream's last event repeats the parts and may leave out their sum.
        written = an_hour + (five_minutes or 0)
    return {
        "input_tokens": required_count(usage, "input_tokens"),
        "cached_tokens": count(usage, "cache_read_input_tokens"),
        "cache_write_tokens": written - an_hour,
        "cache_write_1h_tokens": an_hour,
        **answer_units(
            total=required_count(usage, "output_tokens"),
            reasoning=count(section(usage, "output_tokens_details"), "thinking_tokens"),
        ),
    }
