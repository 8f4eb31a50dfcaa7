"""Usage of Mistral's API.

It speaks OpenAI's chat completions, with cached tokens in the prompt's; audio stands beside the prompt, in seconds, and
its tokens are in the total only. Reasoning is output and is not counted apart; only blocks of the content show it.
Documents are counted in pages.

Sources: https://docs.mistral.ai/api (`UsageInfo`, `OCRUsageInfo`); https://docs.mistral.ai/capabilities/audio (an
answer with `prompt_audio_seconds` 203 and `prompt_tokens` 4).
"""

from domain.usage.adapters.reading import (
    ModelCall,
    VendorAnswer,
    answer_units,
    count,
    has_thoughts,
    make_usage,
    messages_of,
    milliseconds,
    model_of,
    prompt_units,
    required_count,
    section,
    tier_of,
    usage_of,
)


def read_chat(answer: VendorAnswer) -> ModelCall:
    """Read a chat completion, an embedding or a transcription."""
    usage = usage_of(answer)
    details = section(usage, "prompt_tokens_details", "prompt_token_details")
    seconds = usage if usage.get("prompt_audio_seconds") != {} else {}  # its schema allows an empty object for none
    return ModelCall(
        provider="mistral",
        model=model_of(answer, "model"),
        usage=make_usage(
            prompt_units(
                total=required_count(usage, "prompt_tokens"),
                cached=count(details, "cached_tokens") or count(usage, "num_cached_tokens"),
            ),
            answer_units(total=count(usage, "completion_tokens")),
            input_ms=milliseconds(seconds, "prompt_audio_seconds"),
            tier=tier_of(answer.get("service_tier") or usage.get("service_tier")),
            is_thinking=any(has_thoughts(message.get("content")) for message in messages_of(answer)),
        ),
    )


def read_document(answer: VendorAnswer) -> ModelCall:
    """Read the pages of a document."""
    pages = required_count(usage_of(answer, "usage_info"), "pages_processed")
    return ModelCall(provider="mistral", model=model_of(answer, "model"), usage=make_usage(pages=pages))
