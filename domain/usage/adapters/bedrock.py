"""Usage of Amazon Bedrock's Converse API.

`inputTokens` leaves out what was read from the cache or written to it, `totalTokens` includes both; writes are told
apart by how long they stay in `cacheDetails`. Reasoning is part of `outputTokens`; only the
blocks of the content show it. The answer does not name its model.

Sources: https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html,
…/API_runtime_CacheDetail.html; https://docs.aws.amazon.com/bedrock/latest/userguide/prompt-caching.html;
…/userguide/service-tiers-inference.html.
"""

from domain.usage.adapters.reading import (
    ModelCall,
    VendorAnswer,
    answer_units,
    count,
    has_thoughts,
    make_usage,
    required_count,
    section,
    tier_of,
    unreadable,
    usage_of,
)


def read_converse(answer: VendorAnswer) -> ModelCall:
    """Read an answer of Converse, or the `metadata` event that ends a ConverseStream."""
    answer = section(answer, "metadata") or answer
    usage = usage_of(answer)
    written = count(usage, "cacheWriteInputTokens", "cacheWriteInputTokenCount")
    an_hour = _written_for_an_hour(usage)
    if an_hour > written:
        unreadable("The tokens written to the cache for an hour are more than all tokens written to the cache.")
    return ModelCall(
        provider="bedrock",
        model=None,
        usage=make_usage(
            answer_units(total=required_count(usage, "outputTokens")),
            input_tokens=required_count(usage, "inputTokens"),
            cached_tokens=count(usage, "cacheReadInputTokens", "cacheReadInputTokenCount"),
            cache_write_tokens=written - an_hour,
            cache_write_1h_tokens=an_hour,
            tier=tier_of(section(answer, "serviceTier").get("type")),
            is_thinking=has_thoughts(section(section(answer, "output"), "message").get("content")),
        ),
    )


def _written_for_an_hour(usage: VendorAnswer) -> int:
    details = usage.get("cacheDetails") or []
    if not isinstance(details, list) or not all(isinstance(each, dict) for each in details):
        unreadable("cacheDetails must be a list.")
    return sum(count(each, "inputTokens") for each in details if each.get("ttl") == "1h")
