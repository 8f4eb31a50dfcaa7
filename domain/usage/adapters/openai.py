"""Usage of OpenAI's API, and of those that speak it.

Everything in the details is part of the totals: cached, written and audio tokens of the prompt's, reasoning, audio and
rejected predictions of the answer's. What was written to the cache is counted by how long it stays, thirty minutes or
twelve hours. xAI reports reasoning beside the answer; the total tells which. Hosted tools are billed beside `usage`, in
`tool_usage` of a response: searches by their number, pictures by tokens of a model of their own. LiteLLM answers in
this form with names of its own for caches and searches (`Usage` of its types, 1.110.2); its `prompt_tokens` are all
tokens of the prompt.

Sources: https://platform.openai.com/docs/api-reference/chat/object (`usage`), …/responses/object (`tool_usage`),
…/embeddings/object, …/audio/json-object, …/images/object, …/realtime-server-events/response/done; cached tokens are
part of `prompt_tokens`: https://platform.openai.com/docs/guides/prompt-caching; reasoning is output:
…/guides/reasoning; searches: …/guides/tools-web-search;
https://docs.x.ai/developers/advanced-api-usage/prompt-caching/usage-and-pricing; https://docs.x.ai/developers/pricing
(tools); https://api-docs.deepseek.com/guides/kv_cache (`prompt_cache_hit_tokens`); …/guides/reasoning_model
(`reasoning_content`); https://docs.litellm.ai/docs/completion/prompt_caching.
"""

from collections.abc import Mapping
from typing import Any

from domain.usage.adapters.reading import (
    ModelCall,
    VendorAnswer,
    answer_units,
    count,
    including,
    make_usage,
    messages_of,
    milliseconds,
    model_of,
    optional_count,
    prompt_units,
    required_count,
    section,
    tier_of,
    unreadable,
    uplifts_of,
    usage_of,
)

#: Further names of cached tokens and of tokens written to the cache.
_CACHED = ("prompt_cache_hit_tokens", "cache_read_input_tokens", "cached_tokens")
_WRITTEN = ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens")


def read_text(answer: VendorAnswer) -> ModelCall:
    """Read a chat completion, a completion, a response, an embedding, or what a realtime session says it used."""
    usage = usage_of(answer)
    tier = tier_of(answer.get("service_tier") or usage.get("service_tier"))
    return ModelCall(
        provider="openai",
        model=model_of(answer, "model"),
        usage=make_usage(
            units_of(usage),
            searches=searches_of(answer, usage),
            tier=tier,
            uplifts=uplifts_of(usage),
            is_thinking=any(message.get("reasoning_content") for message in messages_of(answer)),
        ),
        tools=_pictures(answer, tier),
    )


def units_of(usage: VendorAnswer, *, of_pictures: bool = False, is_logged: bool = False) -> dict[str, int]:
    """Return the tokens of usage in OpenAI's form, with the names that LiteLLM adds to it.

    Args:
        usage: of an answer, or of a row of a log.
        of_pictures: tokens of the answer are of images, unless it says otherwise.
        is_logged: counts that contradict each other are not refused, because the call would be free: the parts count,
            and totals are at least their sums.
    """
    into = section(usage, "prompt_tokens_details", "input_tokens_details", "input_token_details")
    out = section(usage, "completion_tokens_details", "output_tokens_details", "output_token_details")
    by_sense = section(into, "cached_tokens_details") or section(usage, "cached_tokens_details")
    by_time = section(into, "cache_creation_token_details") or section(usage, "cache_creation")
    prompt = {
        "total": required_count(usage, "prompt_tokens", "input_tokens"),
        "cached": count(into, "cached_tokens") or max(count(usage, name) for name in _CACHED),
        "written": max(count(place, name) for place in (into, usage) for name in _WRITTEN),
        "written_1h": count(by_time, "ephemeral_1h_input_tokens"),
        "written_12h": count(section(into, "cache_write_tokens_details"), "ttl_12h_tokens")
        or count(by_time, "ephemeral_12h_input_tokens"),
        **{sense: count(into, f"{sense}_tokens") for sense in ("audio", "image", "video")},
        "cached_audio": count(by_sense, "audio_tokens"),
        "cached_image": count(by_sense, "image_tokens", "cached_image_tokens"),
    }
    parts = ("reasoning", "audio", "image", "video")
    made = {part: count(out, f"{part}_tokens") for part in parts}
    made["total"] = count(usage, "completion_tokens", "output_tokens")
    if made["reasoning"] and count(usage, "total_tokens") == prompt["total"] + made["total"] + made["reasoning"]:
        made["total"] += made["reasoning"]
    if is_logged:
        prompt["total"] = including(prompt["total"], prompt["cached"] + prompt["written"])
        for whole, one, other in (("written", "written_12h", "written_1h"), ("cached", "cached_audio", "cached_image")):
            prompt[one] = min(prompt[one], prompt[whole])
            prompt[other] = min(prompt[other], prompt[whole] - prompt[one])
        made["total"] = including(made["total"], made["reasoning"])
    if of_pictures and not made["image"]:
        rest = made["total"] - made["reasoning"] - count(out, "text_tokens")
        made["image"] = max(0, rest) if is_logged else rest
    if is_logged:
        made["total"] = max(made["total"], sum(made[part] for part in parts))
    return prompt_units(**prompt) | answer_units(**made)


def searches_of(answer: VendorAnswer, usage: VendorAnswer) -> int:
    """Return the web searches that are billed: what is reported as billed, else the searches that the answer shows."""
    tools = section(answer, "tool_usage")
    if not tools and isinstance(own := usage.get("tool_usage"), Mapping) and isinstance(own.get("web_search"), Mapping):
        tools = own
    billed = optional_count(section(tools, "web_search"), "num_requests")
    if billed is not None:
        return billed
    return (
        count(section(usage, "server_tool_use"), "web_search_requests")
        or count(section(usage, "prompt_tokens_details"), "web_search_requests")
        or count(section(usage, "server_side_tool_usage_details"), "web_search_calls")
        or _searches(answer)
    )


def _pictures(answer: VendorAnswer, tier: str) -> tuple[ModelCall, ...]:
    made = section(section(answer, "tool_usage"), "image_gen")
    if not any(count(made, name) for name in ("input_tokens", "output_tokens", "total_tokens")):
        return ()
    tools: Any = answer.get("tools")
    found = [tool for tool in tools if isinstance(tool, Mapping)] if isinstance(tools, list) else []
    models = [model_of(tool, "model") for tool in found if tool.get("type") == "image_generation"]
    return (
        ModelCall("openai", models[0] if models else None, make_usage(units_of(made, of_pictures=True), tier=tier)),
    )


def read_transcription(answer: VendorAnswer) -> ModelCall:
    """Read a transcription: billed by its seconds (`whisper-1`) or by its tokens, most of them audio."""
    usage = usage_of(answer)
    if usage.get("type") == "duration" or "seconds" in usage:
        units = {"input_ms": milliseconds(usage, "seconds")}
    else:
        details = section(usage, "input_token_details", "input_tokens_details")
        units = prompt_units(total=required_count(usage, "input_tokens"), audio=count(details, "audio_tokens"))
        units |= answer_units(total=count(usage, "output_tokens"))
    return ModelCall(provider="openai", model=model_of(answer, "model"), usage=make_usage(units))


def read_image(answer: VendorAnswer) -> ModelCall:
    """Read made or edited images: by their tokens, which are image tokens unless it says otherwise, else by number."""
    if answer.get("usage") is None:
        images = answer.get("data")
        if not isinstance(images, list) or not images:
            unreadable("The answer has neither usage nor images.")
        return ModelCall(
            provider="openai", model=model_of(answer, "model"), usage=make_usage(output_images=len(images))
        )
    svg = section(answer, "svg_usage")
    authored = {**svg, "output_tokens_details": {"reasoning_tokens": svg.get("reasoning_tokens")}}
    return ModelCall(
        provider="openai",
        model=model_of(answer, "model"),
        usage=make_usage(units_of(usage_of(answer), of_pictures=True), tier=tier_of(answer.get("service_tier"))),
        tools=(ModelCall("openai", model_of(svg, "model"), make_usage(units_of(authored))),) if svg else (),
    )


def _searches(answer: VendorAnswer) -> int:
    """Count the web searches of a response; opening a page that was found, and looking into it, is not charged."""
    items: Any = answer.get("output")
    if not isinstance(items, list):
        return 0
    calls = [item for item in items if isinstance(item, dict) and item.get("type") == "web_search_call"]
    actions = [call.get("action") for call in calls if call.get("status") != "failed"]
    return sum(not isinstance(action, dict) or action.get("type") == "search" for action in actions)
