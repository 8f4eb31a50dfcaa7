"""Every count in the documented answers of vendors, by shape; the numbers are ours.

Sources: the types of the vendors' own clients, which are generated from their references: openai 3.57.0
(`CompletionUsage`, `ResponseUsage`, `ToolUsage`, `RealtimeResponseUsage`, `CreateEmbeddingResponse`, `Transcription`,
`ImagesResponse`), anthropic 2.14.0 (`BetaUsage` and its iterations, `ServerToolUsage`), google-genai 3.6.1
(`GenerateContentResponseUsageMetadata`, `UsageMetadata`, `GroundingMetadata`), mistralai 3.7.0 (`UsageInfo`,
`OCRUsageInfo`), botocore 1.44.8 (`bedrock-runtime`: `TokenUsage`, `CacheDetail`), litellm 1.110.2 (`Usage`,
`PromptTokensDetailsWrapper`, `CacheCreationTokenDetails`, `ServerToolUse`); https://docs.x.ai/developers/cost-tracking
and …/developers/tools/tool-usage-details (xAI); https://api-docs.deepseek.com/guides/kv_cache (DeepSeek);
https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/.
"""

from typing import Any

from tests.domain.usage.answers import by_modality

_DETAILS_IN = {"audio_tokens": 5, "cache_write_tokens": 5, "cached_tokens": 5, "image_tokens": 5, "text_tokens": 80}
_DETAILS_OUT = {
    "accepted_prediction_tokens": 5,
    "audio_tokens": 5,
    "reasoning_tokens": 5,
    "rejected_prediction_tokens": 5,
    "text_tokens": 80,
}
_CHAT: dict[str, Any] = {
    "prompt_tokens": 100,
    "prompt_tokens_details": _DETAILS_IN,
    "completion_tokens": 100,
    "completion_tokens_details": _DETAILS_OUT,
    "total_tokens": 200,
}
_RESPONSE = {
    "input_tokens": 100,
    "input_tokens_details": {
        "cached_tokens": 5,
        "cache_write_tokens": 10,
        "cache_write_tokens_details": {"ttl_30m_tokens": 5, "ttl_12h_tokens": 5},
    },
    "output_tokens": 100,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 200,
}
_PICTURES = {
    "input_tokens": 100,
    "input_tokens_details": {"image_tokens": 40, "text_tokens": 60},
    "output_tokens": 100,
    "output_tokens_details": {"image_tokens": 60, "text_tokens": 40},
    "total_tokens": 200,
}
_MESSAGE = {
    "input_tokens": 100,
    "cache_read_input_tokens": 5,
    "cache_creation_input_tokens": 10,
    "cache_creation": {"ephemeral_5m_input_tokens": 5, "ephemeral_1h_input_tokens": 5},
    "output_tokens": 100,
}


def _gemini(made: str) -> dict[str, Any]:
    return {
        "promptTokenCount": 100,
        "promptTokensDetails": by_modality(text=40, audio=20, image=20, video=20),
        "cachedContentTokenCount": 20,
        "cacheTokensDetails": by_modality(text=5, audio=5, image=5, video=5),
        "toolUsePromptTokenCount": 20,
        "toolUsePromptTokensDetails": by_modality(text=5, audio=5, image=5, video=5),
        f"{made}TokenCount": 100,
        f"{made}TokensDetails": by_modality(text=40, audio=20, image=20, video=20),
        "thoughtsTokenCount": 5,
        "totalTokenCount": 225,
    }


#: The shape, who answers so, and the answer.
ANSWERS: list[tuple[str, str, dict[str, Any]]] = [
    ("openai.chat", "OpenAI", {"usage": _CHAT}),
    (
        "openai.chat",
        "xAI",
        {
            "usage": {
                **_CHAT,
                "num_sources_used": 2,
                "cost_in_usd_ticks": 37756000,
                "server_side_tool_usage_details": dict.fromkeys(
                    [
                        f"{tool}_calls"
                        for tool in (
                            "web_search",
                            "x_search",
                            "code_interpreter",
                            "file_search",
                            "mcp",
                            "document_search",
                        )
                    ],
                    2,
                ),
            }
        },
    ),
    (
        "openai.chat",
        "DeepSeek",
        {
            "usage": {
                "prompt_tokens": 100,
                "prompt_cache_hit_tokens": 20,
                "prompt_cache_miss_tokens": 80,
                "completion_tokens": 100,
                "completion_tokens_details": {"reasoning_tokens": 5},
                "total_tokens": 200,
            }
        },
    ),
    (
        "openai.chat",
        "LiteLLM",
        {
            "usage": {
                **_CHAT,
                "prompt_tokens_details": {
                    **_DETAILS_IN,
                    "cached_tokens_details": {"audio_tokens": 1, "image_tokens": 1, "text_tokens": 3},
                    "cache_creation_tokens": 20,
                    "cache_creation_token_details": {
                        f"ephemeral_{time}_input_tokens": 5 for time in ("5m", "30m", "1h", "12h")
                    },
                    "video_tokens": 5,
                    "web_search_requests": 2,
                    **dict.fromkeys(
                        [
                            *("google_maps_grounding_requests", "tool_use_tokens", "initial_prompt_tokens"),
                            *("character_count", "image_count", "query_count"),
                            *("video_length_seconds", "audio_length_seconds"),
                        ],
                        2,
                    ),
                },
                "completion_tokens_details": {**_DETAILS_OUT, "image_tokens": 5, "video_tokens": 5},
            }
        },
    ),
    (
        "openai.chat",
        "LiteLLM, of Claude",
        {
            "usage": {
                "prompt_tokens": 100,
                "cache_read_input_tokens": 5,
                "cache_creation_input_tokens": 10,
                "completion_tokens": 100,
                "total_tokens": 200,
                "server_tool_use": {"web_search_requests": 2, "tool_search_requests": 2, "browser_open_requests": 2},
            }
        },
    ),
    (
        "openai.responses",
        "OpenAI",
        {
            "usage": _RESPONSE,
            "tools": [{"type": "image_generation", "model": "gpt-image-2"}],
            "tool_usage": {
                "image_gen": {
                    **_PICTURES,
                    "cached_tokens": 10,
                    "cached_tokens_details": {"cached_image_tokens": 5, "cached_text_tokens": 5},
                },
                "web_search": {"num_requests": 2},
            },
        },
    ),
    (
        "openai.responses",
        "OpenAI, without tool_usage",
        {
            "usage": _RESPONSE,
            "output": [
                {"type": f"{tool}_call"}
                for tool in ("web_search", "file_search", "code_interpreter", "image_generation")
            ],
        },
    ),
    ("openai.embeddings", "OpenAI", {"usage": {"prompt_tokens": 100, "total_tokens": 100}}),
    (
        "openai.transcription",
        "OpenAI",
        {
            "usage": {
                "type": "tokens",
                "input_tokens": 100,
                "input_token_details": {"audio_tokens": 60, "text_tokens": 40},
                "output_tokens": 100,
                "total_tokens": 200,
            }
        },
    ),
    ("openai.transcription", "OpenAI, by time", {"usage": {"type": "duration", "seconds": 10}}),
    (
        "openai.image",
        "OpenAI",
        {
            "data": [{"b64_json": "…"}],
            "usage": _PICTURES,
            "svg_usage": {
                "model": "gpt-5",
                **{"input_tokens": 100, "output_tokens": 100, "reasoning_tokens": 5, "total_tokens": 200},
            },
        },
    ),
    ("openai.image", "OpenAI, without usage", {"data": [{"url": "…"}]}),
    (
        "openai.realtime",
        "OpenAI",
        {
            "usage": {
                "input_tokens": 100,
                "input_token_details": {
                    "cached_tokens": 15,
                    "cached_tokens_details": {"audio_tokens": 5, "image_tokens": 5, "text_tokens": 5},
                    "audio_tokens": 20,
                    "image_tokens": 20,
                    "text_tokens": 60,
                },
                "output_tokens": 100,
                "output_token_details": {"audio_tokens": 60, "text_tokens": 40},
                "total_tokens": 200,
            }
        },
    ),
    (
        "anthropic.messages",
        "Anthropic",
        {
            "usage": {
                **_MESSAGE,
                "output_tokens_details": {"thinking_tokens": 5},
                "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 2},
            }
        },
    ),
    (
        "anthropic.messages",
        "Anthropic, with compaction",
        {"usage": {**_MESSAGE, "iterations": [{"type": "compaction", **_MESSAGE}, {"type": "message", **_MESSAGE}]}},
    ),
    (
        "anthropic.messages",
        "Anthropic, other models",
        {"usage": {**_MESSAGE, "iterations": [{"type": "advisor_message", **_MESSAGE}]}},
    ),
    (
        "bedrock.converse",
        "Bedrock",
        {
            "usage": {
                "inputTokens": 100,
                "outputTokens": 100,
                "totalTokens": 215,
                "cacheReadInputTokens": 5,
                "cacheWriteInputTokens": 10,
                "cacheDetails": [{"ttl": "1h", "inputTokens": 5}, {"ttl": "5m", "inputTokens": 5}],
            }
        },
    ),
    (
        "gemini.generate",
        "Gemini",
        {
            "usageMetadata": _gemini("candidates"),
            "candidates": [
                {
                    "groundingMetadata": {
                        f"{kind}Queries": [f"{kind} 1"] for kind in ("webSearch", "imageSearch", "retrieval")
                    }
                }
            ],
        },
    ),
    ("gemini.generate", "Gemini, live", {"usageMetadata": _gemini("response")}),
    (
        "mistral.chat",
        "Mistral",
        {
            "usage": {
                "prompt_tokens": 100,
                "prompt_tokens_details": {"cached_tokens": 5},
                "completion_tokens": 100,
                "total_tokens": 200,
                "prompt_audio_seconds": 10,
            }
        },
    ),
    ("mistral.ocr", "Mistral", {"usage_info": {"pages_processed": 3, "doc_size_bytes": 9000}}),
    (
        "otel",
        "OpenTelemetry",
        {
            "gen_ai.provider.name": "openai",
            "gen_ai.usage.input_tokens": 100,
            "gen_ai.usage.cache_read.input_tokens": 5,
            "gen_ai.usage.cache_creation.input_tokens": 5,
            "gen_ai.usage.output_tokens": 100,
            "gen_ai.usage.reasoning.output_tokens": 5,
        },
    ),
]
