"""Usage of OpenAI's API, and of those that speak it.

Everything in the details is part of the totals: cached, written and audio tokens of the prompt's, reasoning, audio and
rejected predictions of the answer's. What was written to the cache is counted by how long it stays, thirty minutes or
twelve hours (`cache_write_tokens_details`, as the types of LiteLLM 1.110.2 have it). xAI reports reasoning beside the
answer; the total tells which.

Sources: https://platform.openai.com/docs/api-reference/chat/object (`usage`), …/responses/object, …/embeddings/object,
…/audio/json-object, …/images/object, …/realtime-server-events/response/done; cached tokens are part of `prompt_tokens`:
https://platform.openai.com/docs/guides/prompt-caching; reasoning is output: …/guides/reasoning; searches:
…/guides/tools-web-search; https://docs.x.ai/developers/advanced-api-usage/prompt-caching/usage-and-pricing;
https://api-docs.deepseek.com/guides/kv_cache (`prompt_cache_hit_tokens`); …/guides/reasoning_model
(`reasoning_content`).
"""

from typing import Any

from domain.usage.adapters.reading import (
    Answer,
    ModelCall,
    answer_units,
    count,
    messages_of,
    milliseconds,
    model_of,
    needed,
    prompt_units,
    section,
    tier_of,
    unreadable,
    usage_of,
    used,
)


def read_text(answer: Answer) -> ModelCall:
    """Read a chat completion, a completion, a response, an embedding, or what a realtime session says it used."""
    usage = usage_of(answer)
    prompt = section(usage, "prompt_tokens_details", "input_tokens_details", "input_token_details")
    made = section(usage, "completion_tokens_details", "output_tokens_details", "output_token_details")
    cached = section(prompt, "cached_tokens_details")
    total_in = needed(usage, "prompt_tokens", "input_tokens")
    total_out = count(usage, "completion_tokens", "output_tokens")
    reasoning = count(made, "reasoning_tokens")
    if reasoning and count(usage, "total_tokens") == total_in + total_out + reasoning:
        total_out += reasoning
    return ModelCall(
        provider="openai",
        model=model_of(answer, "model"),
        usage=used(
            prompt_units(
                total=total_in,
                cached=count(prompt, "cached_tokens") or count(usage, "prompt_cache_hit_tokens"),
                written=count(prompt, "cache_write_tokens"),
                written_12h=count(section(prompt, "cache_write_tokens_details"), "ttl_12h_tokens"),
                audio=count(prompt, "audio_tokens"),
                image=count(prompt, "image_tokens"),
                cached_audio=count(cached, "audio_tokens"),
                cached_image=count(cached, "image_tokens"),
            ),
            answer_units(
                total=total_out,
                reasoning=reasoning,
                audio=count(made, "audio_tokens"),
                image=count(made, "image_tokens"),
            ),
            searches=_searches(answer),
            tier=tier_of(answer.get("service_tier")),
            is_thinking=any(message.get("reasoning_content") for message in messages_of(answer)),
        ),
    )


def read_transcription(answer: Answer) -> ModelCall:
    """Read a transcription: billed by its seconds (`whisper-1`) or by its tokens, most of them audio."""
    usage = usage_of(answer)
    if usage.get("type") == "duration" or "seconds" in usage:
        units = {"input_ms": milliseconds(usage, "seconds")}
    else:
        details = section(usage, "input_token_details", "input_tokens_details")
        units = prompt_units(total=needed(usage, "input_tokens"), audio=count(details, "audio_tokens"))
        units |= answer_units(total=count(usage, "output_tokens"))
    return ModelCall(provider="openai", model=model_of(answer, "model"), usage=used(units))


def read_image(answer: Answer) -> ModelCall:
    """Read made or edited images: by their tokens, which are image tokens unless it says otherwise, else by number."""
    if answer.get("usage") is None:
        images = answer.get("data")
        if not isinstance(images, list) or not images:
            unreadable("The answer has neither usage nor images.")
        return ModelCall(
            provider="openai",
            model=model_of(answer, "model"),
            usage=used(output_images=len(images)),
        )
    usage = usage_of(answer)
    prompt, made = section(usage, "input_tokens_details"), section(usage, "output_tokens_details")
    cached = section(prompt, "cached_tokens_details")
    total = needed(usage, "output_tokens")
    image = total - count(made, "text_tokens")
    if image < 0:
        unreadable("The details of the answer's tokens add up to more than its tokens.")
    return ModelCall(
        provider="openai",
        model=model_of(answer, "model"),
        usage=used(
            prompt_units(
                total=needed(usage, "input_tokens"),
                image=count(prompt, "image_tokens"),
                cached=count(prompt, "cached_tokens"),
                cached_image=count(cached, "image_tokens"),
            ),
            answer_units(total=total, image=image),
            tier=tier_of(answer.get("service_tier")),
        ),
    )


def _searches(answer: Answer) -> int:
    """Count the web searches of a response; opening a page that was found, and looking into it, is not charged."""
    items: Any = answer.get("output")
    if not isinstance(items, list):
        return 0
    calls = [item for item in items if isinstance(item, dict) and item.get("type") == "web_search_call"]
    actions = [call.get("action") for call in calls if call.get("status") != "failed"]
    return sum(not isinstance(action, dict) or action.get("type") == "search" for action in actions)
