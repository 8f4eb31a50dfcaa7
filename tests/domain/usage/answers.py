"""Answers shaped as vendors document them, with what each costs, computed by hand beside it.

The numbers are ours; the shapes are those of the vendors' public references, which the adapters name. Costs are
dollars; `M` in a comment is dollars per million tokens. Prices are those of the list that ships with the product, and
of `MORE_PRICES`, which has kinds that it does not have.
"""

from dataclasses import dataclass, field
from typing import Any

#: Prices by kind, in the form of the map.
MORE_PRICES = """{
  "voice": {"litellm_provider": "openai", "input_cost_per_token": 4e-06, "cache_read_input_token_cost": 4e-07,
            "input_cost_per_audio_token": 3.2e-05, "cache_read_input_audio_token_cost": 4e-07,
            "output_cost_per_token": 1.6e-05, "output_cost_per_audio_token": 6.4e-05},
  "picture": {"litellm_provider": "openai", "input_cost_per_token": 5e-06, "input_cost_per_image_token": 1e-05,
              "cache_read_input_token_cost": 1.25e-06, "cache_read_input_image_token_cost": 2.5e-06,
              "output_cost_per_image_token": 4e-05},
  "gpt-image-1.5": {"litellm_provider": "openai", "mode": "image_generation",
                    "input_cost_per_token": 5e-06, "input_cost_per_image_token": 8e-06,
                    "cache_read_input_token_cost": 1.25e-06, "cache_read_input_image_token_cost": 2e-06,
                    "output_cost_per_token": 1e-05, "output_cost_per_image_token": 3.2e-05},
  "gpt-image-2": {"litellm_provider": "openai", "mode": "image_generation",
                  "input_cost_per_token": 5e-06, "input_cost_per_image_token": 8e-06,
                  "cache_read_input_token_cost": 1.25e-06, "cache_read_input_image_token_cost": 2e-06,
                  "output_cost_per_image_token": 3e-05},
  "dall": {"litellm_provider": "openai", "output_cost_per_image": 0.04},
  "scribe": {"litellm_provider": "openai", "input_cost_per_token": 2.5e-06, "input_cost_per_audio_token": 6e-06,
             "output_cost_per_token": 1e-05},
  "long": {"litellm_provider": "openai", "input_cost_per_token": 5e-06, "input_cost_per_token_above_272k_tokens": 1e-05,
           "cache_read_input_token_cost": 5e-07, "cache_read_input_token_cost_above_272k_tokens": 1e-06,
           "cache_creation_input_token_cost": 6.25e-06, "cache_creation_input_token_cost_above_272k_tokens": 1.25e-05,
           "cache_creation_input_token_cost_above_12hr": 1.25e-05,
           "output_cost_per_token": 3e-05, "output_cost_per_token_above_272k_tokens": 4.5e-05},
  "xai/grok": {"litellm_provider": "xai", "input_cost_per_token": 2e-06, "cache_read_input_token_cost": 5e-07,
               "output_cost_per_token": 6e-06, "input_cost_per_token_above_200k_tokens": 4e-06,
               "cache_read_input_token_cost_above_200k_tokens": 1e-06,
               "output_cost_per_token_above_200k_tokens": 1.2e-05},
  "deepseek/chat": {"litellm_provider": "deepseek", "input_cost_per_token": 2.8e-07,
                    "cache_read_input_token_cost": 2.8e-08, "output_cost_per_token": 4.2e-07},
  "opus-fast": {"litellm_provider": "anthropic", "input_cost_per_token": 5e-06, "output_cost_per_token": 2.5e-05,
                "cache_read_input_token_cost": 5e-07, "provider_specific_entry": {"us": 1.1, "fast": 2.0}},
  "mistral/voxtral": {"litellm_provider": "mistral", "input_cost_per_token": 4e-08, "output_cost_per_token": 4e-08,
                      "input_cost_per_second": 0.0000166667},
  "claude-bare": {"litellm_provider": "bedrock_converse",
                  "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05,
                  "input_cost_per_token_above_200k_tokens": 6e-06, "output_cost_per_token_above_200k_tokens": 2.25e-05,
                  "input_cost_per_token_batches": 1.5e-06, "output_cost_per_token_batches": 7.5e-06},
  "claude-no-hour": {"litellm_provider": "anthropic", "input_cost_per_token": 3e-06, "output_cost_per_token": 1.5e-05,
                     "cache_creation_input_token_cost": 3.75e-06},
  "gemini/no-cache": {"litellm_provider": "gemini", "input_cost_per_token": 2e-06, "output_cost_per_token": 1.2e-05},
  "deepseek/reasoner": {"litellm_provider": "deepseek", "input_cost_per_token": 5.5e-07,
                        "cache_read_input_token_cost": 1.4e-07, "output_cost_per_token": 2.19e-06,
                        "output_cost_per_reasoning_token": 2.19e-06},
  "mistral/ocr": {"litellm_provider": "mistral", "mode": "ocr", "ocr_cost_per_page": 0.001},
  "gemini/three": {"litellm_provider": "gemini", "input_cost_per_token": 2e-06, "output_cost_per_token": 1.2e-05,
                   "output_cost_per_image_token": 1.2e-04, "web_search_billing_unit": "per_query",
                   "search_context_cost_per_query": {"search_context_size_medium": 0.014}}
}"""


@dataclass(frozen=True)
class Case:
    """An answer, the price that it is rated at, what it costs, and the units that a substitute's price applies to.

    `thinks` says that the call reasoned. Tokens of reasoning say so too, and have the price of output where the list
    names none for them.
    """

    name: str
    shape: str
    answer: dict[str, Any]
    price: str
    dollars: str
    given: dict[str, str] = field(default_factory=dict)
    estimated: str = ""
    thinks: bool = False

    def __str__(self) -> str:
        return self.name.replace(" ", "-")


def chat(prompt, made, total=None, **more):
    details = {name: more.pop(name) for name in ("prompt_tokens_details", "completion_tokens_details") if name in more}
    usage = {"prompt_tokens": prompt, "completion_tokens": made, "total_tokens": total or prompt + made, **details}
    return {"id": "chatcmpl-1", "object": "chat.completion", "model": "gpt", "choices": [], "usage": usage, **more}


def response(into, out, *, cached=0, written=None, written_12h=0, reasoning=0, items=(), **more):
    details = {"cached_tokens": cached} | ({} if written is None else {"cache_write_tokens": written})
    if written_12h:
        by_time = {"ttl_30m_tokens": written - written_12h, "ttl_12h_tokens": written_12h}
        details["cache_write_tokens_details"] = by_time
    usage = {
        "input_tokens": into,
        "input_tokens_details": details,
        "output_tokens": out,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": into + out,
    }
    return {"id": "resp_1", "object": "response", "status": "completed", "output": list(items), "usage": usage, **more}


def message(into, out, **more):
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "usage": {"input_tokens": into, "output_tokens": out, **more},
    }


def content(prompt, made, total, *, candidates=(), **more):
    usage = {"promptTokenCount": prompt, "candidatesTokenCount": made, "totalTokenCount": total, **more}
    return {"candidates": list(candidates), "usageMetadata": usage, "modelVersion": "gemini"}


def by_modality(**tokens):
    return [{"modality": name.upper(), "tokenCount": count} for name, count in tokens.items()]


def converse(into, out, **more):
    return {
        "output": {"message": {"role": "assistant", "content": []}},
        "stopReason": "end_turn",
        "usage": {"inputTokens": into, "outputTokens": out, "totalTokens": into + out, **more},
        "metrics": {"latencyMs": 812},
    }


def span(provider, model, into, out, **more):
    usage = {
        "input_tokens": into,
        "output_tokens": out,
        **{name.replace("__", "."): value for name, value in more.items()},
    }
    named = {"gen_ai.provider.name": provider, "gen_ai.operation.name": "chat", "gen_ai.response.model": model}
    return named | {f"gen_ai.usage.{name}": value for name, value in usage.items()}


#: Reasoning is counted, and has the price of output, because the list names none for it.
REASONS: dict[str, Any] = {"estimated": "reasoning_tokens", "thinks": True}
SEARCH = {"type": "web_search_call", "status": "completed", "action": {"type": "search", "query": "rates"}}
OPEN = {"type": "web_search_call", "status": "completed", "action": {"type": "open_page", "url": "https://a.example"}}
GROUNDED = {"groundingMetadata": {"webSearchQueries": ["a", "b", "a"]}}

#: Claude's cache by Anthropic's ratios, where the list names no prices of it; other vendors' cached tokens as input.
ESTIMATED = [
    # 1,000 x 3 M + 10,000 x 3 M x 0.1 + 2,000 x 3 M x 1.25 + 500 x 3 M x 2 + 100 x 15 M
    Case(
        "message, cache without prices",
        "anthropic.messages",
        message(
            1000,
            100,
            cache_read_input_tokens=10_000,
            cache_creation_input_tokens=2500,
            cache_creation={"ephemeral_5m_input_tokens": 2000, "ephemeral_1h_input_tokens": 500},
        ),
        "claude-bare",
        "0.018",
        estimated="cached_tokens cache_write_tokens cache_write_1h_tokens",
    ),
    # above the band all of it, by the band's input: 1,000 x 6 M + 200,000 x 6 M x 0.1 + 100 x 22.5 M
    Case(
        "message, cache without prices above the band",
        "anthropic.messages",
        message(1000, 100, cache_read_input_tokens=200_000),
        "claude-bare",
        "0.12825",
        estimated="cached_tokens",
    ),
    # of a batch, by the batch's input: 1,000 x 1.5 M + 4,000 x 1.5 M x 0.1 + 100 x 7.5 M
    Case(
        "message, cache without prices in a batch",
        "anthropic.messages",
        message(1000, 100, cache_read_input_tokens=4000, service_tier="batch"),
        "claude-bare",
        "0.00285",
        estimated="cached_tokens",
    ),
    # an hour is twice the input, not the price of five minutes: 10 x 3 M + 400 x 3 M x 2 + 600 x 3.75 M + 10 x 15 M
    Case(
        "message, an hour without a price",
        "anthropic.messages",
        message(
            10,
            10,
            cache_creation_input_tokens=1000,
            cache_creation={"ephemeral_5m_input_tokens": 600, "ephemeral_1h_input_tokens": 400},
        ),
        "claude-no-hour",
        "0.00483",
        estimated="cache_write_1h_tokens",
    ),
    # thinking that only the content shows: 30 x 5 M + 2,000 x 25 M
    Case(
        "message, thinking in the content",
        "anthropic.messages",
        message(30, 2000) | {"content": [{"type": "redacted_thinking", "data": "…"}, {"type": "text", "text": "…"}]},
        "claude-opus-4-5",
        "0.05015",
        thinks=True,
    ),
    # 200 x 1 M + 700 x 5 M
    Case(
        "converse, reasoning in the content",
        "bedrock.converse",
        converse(200, 700)
        | {"output": {"message": {"content": [{"reasoningContent": {"reasoningText": {"text": "…"}}}]}}},
        "anthropic.claude-haiku-4-5-20251001-v1:0",
        "0.0037",
        thinks=True,
    ),
    # 1,000 x 0.5 M + 600 x 1.5 M
    Case(
        "mistral, thinking in the content",
        "mistral.chat",
        chat(1000, 600)
        | {
            "choices": [{"message": {"content": [{"type": "thinking", "thinking": []}, {"type": "text", "text": "…"}]}}]
        },
        "mistral/mistral-large-2512",
        "0.0014",
        thinks=True,
    ),
    # 100 x 0.55 M + 1,900 x 0.14 M + 1,000 x 2.19 M
    Case(
        "deepseek, reasoning",
        "openai.chat",
        chat(
            *(2000, 1000),
            prompt_tokens_details={"cached_tokens": 1900},
            completion_tokens_details={"reasoning_tokens": 800},
        ),
        "deepseek/reasoner",
        "0.002511",
        {"provider": "deepseek"},
        thinks=True,
    ),
    # the same without its count: 100 x 0.55 M + 1,900 x 0.14 M + 1,000 x 2.19 M
    Case(
        "deepseek, reasoning in the message",
        "openai.chat",
        chat(2000, 1000, prompt_tokens_details={"cached_tokens": 1900})
        | {"choices": [{"message": {"reasoning_content": "…", "content": "…"}}]},
        "deepseek/reasoner",
        "0.002511",
        {"provider": "deepseek"},
        thinks=True,
    ),
    # no price of the cache, and no ratio that its vendor states for all models: 10,000 x 2 M + 100 x 12 M
    Case(
        "content, cached without a price",
        "gemini.generate",
        content(10_000, 100, 10_100, cachedContentTokenCount=8000),
        "gemini/no-cache",
        "0.0212",
        estimated="cached_tokens",
    ),
]

OPENAI = [
    # 1,000 x 2.5 M + 200 x 10 M
    Case("chat, plain", "openai.chat", chat(1000, 200), "gpt-4o", "0.0045"),
    # cached tokens are part of the prompt: 952 x 2.5 M + 1,048 x 1.25 M + 100 x 10 M
    Case(
        "chat, cached prompt",
        "openai.chat",
        chat(2000, 100, prompt_tokens_details={"cached_tokens": 1048, "audio_tokens": 0}),
        "gpt-4o",
        "0.00469",
    ),
    # reasoning is part of the completion, not beside it: 50 x 2 M + 1,200 x 8 M
    Case(
        "chat, reasoning",
        "openai.chat",
        chat(50, 1200, completion_tokens_details={"reasoning_tokens": 1024, "audio_tokens": 0}),
        "o3",
        "0.0097",
        **REASONS,
    ),
    # predictions that were rejected are output: 300 x 2.5 M + 500 x 10 M
    Case(
        "chat, rejected predictions",
        "openai.chat",
        chat(300, 500, completion_tokens_details={"accepted_prediction_tokens": 80, "rejected_prediction_tokens": 120}),
        "gpt-4o",
        "0.00575",
    ),
    # audio is part of both: 20 x 4 M + 100 x 32 M + 30 x 16 M + 170 x 64 M
    Case(
        "chat, audio",
        "openai.chat",
        chat(
            120,
            200,
            prompt_tokens_details={"cached_tokens": 0, "audio_tokens": 100},
            completion_tokens_details={"reasoning_tokens": 0, "audio_tokens": 170},
        ),
        "voice",
        "0.01464",
    ),
    # flex halves it: 8,000 x 0.625 M + 2,000 x 0.0625 M + 1,000 x 5 M
    Case(
        "chat, flex",
        "openai.chat",
        chat(10_000, 1000, service_tier="flex", prompt_tokens_details={"cached_tokens": 2000}),
        "gpt-5",
        "0.010125",
    ),
    # 1,000 x 2.5 M + 100 x 20 M
    Case("chat, priority", "openai.chat", chat(1000, 100, service_tier="priority"), "gpt-5", "0.0045"),
    # 1,000 x 0.075 M + 1,000 x 0.3 M: a batch's answers do not say that they are of one
    Case(
        "chat, batch",
        "openai.chat",
        chat(1000, 1000, service_tier="default"),
        "gpt-4o-mini",
        "0.000375",
        {"tier": "batch"},
    ),
    # 1 x 0.15 M + 1 x 0.6 M
    Case("chat, one token", "openai.chat", chat(1, 1, service_tier="default"), "gpt-4o-mini", "0.00000075"),
    # 22,976 x 1.25 M + 1,024 x 0.125 M + 700 x 10 M, of which 640 are reasoning
    Case(
        "response, reasoning and cache",
        "openai.responses",
        response(24_000, 700, cached=1024, reasoning=640),
        "gpt-5",
        "0.035848",
        **REASONS,
    ),
    # two searches and a page that was opened: 5,000 x 0.25 M + 400 x 2 M + 2 x 0.01
    Case(
        "response, searches",
        "openai.responses",
        response(5000, 400, items=[SEARCH, OPEN, SEARCH]),
        "gpt-5-mini",
        "0.02205",
    ),
    # 272,000 tokens are not above 272,000: 272,000 x 5 M + 100 x 30 M
    Case("response, at the band", "openai.responses", response(272_000, 100), "long", "1.363"),
    # all of it at the band's prices: 72,001 x 10 M + 200,000 x 1 M + 100 x 45 M
    Case("response, above the band", "openai.responses", response(272_001, 100, cached=200_000), "long", "0.92451"),
    # what was written to a cache is part of the input: 1,000 x 5 M + 2,000 x 0.5 M + 4,000 x 6.25 M + 10 x 30 M
    Case(
        "response, cache written", "openai.responses", response(7000, 10, cached=2000, written=4000), "long", "0.0313"
    ),
    # 3,000 of them for twelve hours: 1,000 x 5 M + 2,000 x 0.5 M + 1,000 x 6.25 M + 3,000 x 12.5 M + 10 x 30 M
    Case(
        "response, cache written for twelve hours",
        "openai.responses",
        response(7000, 10, cached=2000, written=4000, written_12h=3000),
        "long",
        "0.05005",
    ),
    # 8,191 x 0.02 M
    Case(
        "embedding",
        "openai.embeddings",
        {
            "object": "list",
            "data": [],
            "model": "text-embedding-3-small",
            "usage": {"prompt_tokens": 8191, "total_tokens": 8191},
        },
        "text-embedding-3-small",
        "0.00016382",
    ),
    # 95 s x 0.0001
    Case(
        "transcription by the second",
        "openai.transcription",
        {"text": "…", "usage": {"type": "duration", "seconds": 95}},
        "whisper-1",
        "0.0095",
    ),
    # 14 x 2.5 M + 1,200 x 6 M + 220 x 10 M
    Case(
        "transcription by the token",
        "openai.transcription",
        {
            "text": "…",
            "usage": {
                "type": "tokens",
                "input_tokens": 1214,
                "input_token_details": {"text_tokens": 14, "audio_tokens": 1200},
                "output_tokens": 220,
                "total_tokens": 1434,
            },
        },
        "scribe",
        "0.009435",
    ),
    # 50 x 5 M + 300 x 10 M + 1,056 x 40 M
    Case(
        "image by the token",
        "openai.image",
        {
            "data": [{"b64_json": "…"}],
            "usage": {
                "input_tokens": 350,
                "input_tokens_details": {"text_tokens": 50, "image_tokens": 300},
                "output_tokens": 1056,
                "total_tokens": 1406,
            },
        },
        "picture",
        "0.04549",
    ),
    # 3 x 0.04
    Case("images by number", "openai.image", {"created": 1, "data": [{"url": "u"}] * 3}, "dall", "0.12"),
    # 60 x 4 M + 140 x 32 M, cached 40 text and 160 audio at 0.4 M, 10 x 16 M + 90 x 64 M
    Case(
        "realtime, cached audio",
        "openai.realtime",
        {
            "object": "realtime.response",
            "usage": {
                "total_tokens": 500,
                "input_tokens": 400,
                "output_tokens": 100,
                "input_token_details": {
                    "cached_tokens": 200,
                    "text_tokens": 100,
                    "audio_tokens": 300,
                    "cached_tokens_details": {"text_tokens": 40, "audio_tokens": 160},
                },
                "output_token_details": {"text_tokens": 10, "audio_tokens": 90},
            },
        },
        "voice",
        "0.01072",
    ),
    # xAI counts reasoning beside the completion: 32 x 2 M + (9 + 300) x 6 M
    Case(
        "xai, reasoning beside",
        "openai.chat",
        chat(32, 9, 341, completion_tokens_details={"reasoning_tokens": 300}),
        "xai/grok",
        "0.001918",
        {"provider": "xai"},
        **REASONS,
    ),
    # its band begins with 200,000 tokens: 200,000 x 4 M + 10 x 12 M
    Case("xai, at the band", "openai.chat", chat(200_000, 10), "xai/grok", "0.80012", {"provider": "x_ai"}),
    # 100 x 0.28 M + 900 x 0.028 M + 50 x 0.42 M
    Case(
        "deepseek, cache hits",
        "openai.chat",
        {
            "model": "deepseek-chat",
            "usage": {
                "prompt_tokens": 1000,
                "completion_tokens": 50,
                "total_tokens": 1050,
                "prompt_cache_hit_tokens": 900,
                "prompt_cache_miss_tokens": 100,
            },
        },
        "deepseek/chat",
        "0.0000742",
        {"provider": "deepseek"},
    ),
]

ANTHROPIC = [
    # 2,095 x 3 M + 503 x 15 M
    Case("message, plain", "anthropic.messages", message(2095, 503), "claude-sonnet-4-5", "0.01383"),
    # nothing is part of anything: 50 x 3 M + 10,000 x 3.75 M + 500 x 15 M
    Case(
        "message, cache written",
        "anthropic.messages",
        message(50, 500, cache_creation_input_tokens=10_000, cache_read_input_tokens=0),
        "claude-sonnet-4-5",
        "0.04515",
    ),
    # 50 x 3 M + 100,000 x 0.3 M + 248 x 3.75 M + 503 x 15 M
    Case(
        "message, cache read",
        "anthropic.messages",
        message(50, 503, cache_creation_input_tokens=248, cache_read_input_tokens=100_000),
        "claude-sonnet-4-5",
        "0.038625",
    ),
    # 2,048 x 0.1 M + 456 x 1.25 M + 100 x 2 M + 4,096 x 1 M + 512 x 5 M
    Case(
        "message, both lifetimes",
        "anthropic.messages",
        message(
            4096,
            512,
            cache_creation_input_tokens=556,
            cache_creation={"ephemeral_5m_input_tokens": 456, "ephemeral_1h_input_tokens": 100},
            cache_read_input_tokens=2048,
        ),
        "claude-haiku-4-5",
        "0.0076308",
    ),
    # all of it for an hour: 3 x 5 M + 20,000 x 10 M + 90 x 25 M
    Case(
        "message, an hour",
        "anthropic.messages",
        message(
            3,
            90,
            cache_creation_input_tokens=20_000,
            cache_creation={"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 20_000},
        ),
        "claude-opus-4-5",
        "0.202265",
    ),
    # 105 x 3 M + 6,039 x 15 M + 3 x 0.01
    Case(
        "message, searches",
        "anthropic.messages",
        message(105, 6039, server_tool_use={"web_search_requests": 3, "web_fetch_requests": 9}),
        "claude-sonnet-4-5",
        "0.1209",
    ),
    # 1,000 x 1.5 M + 400 x 7.5 M + 2,000 x 0.15 M
    Case(
        "message, batch",
        "anthropic.messages",
        message(1000, 400, cache_read_input_tokens=2000, service_tier="batch"),
        "claude-sonnet-4-5",
        "0.0048",
    ),
    # thinking is output at the price of output: 30 x 5 M + 2,000 x 25 M
    Case(
        "message, thinking",
        "anthropic.messages",
        message(30, 2000, output_tokens_details={"thinking_tokens": 1800}, service_tier="standard"),
        "claude-opus-4-5",
        "0.05015",
        **REASONS,
    ),
    # (1,000 x 5 M + 1,000 x 25 M + 2,000 x 0.5 M) x 1.1
    Case(
        "message, in the US",
        "anthropic.messages",
        message(1000, 1000, cache_read_input_tokens=2000, inference_geo="us"),
        "opus-fast",
        "0.0341",
    ),
    # (100 x 5 M + 100 x 25 M) x 1.1 x 2
    Case(
        "message, fast",
        "anthropic.messages",
        message(100, 100, inference_geo="us", speed="fast"),
        "opus-fast",
        "0.0066",
    ),
    # served anywhere: no surcharge
    Case(
        "message, anywhere",
        "anthropic.messages",
        message(100, 100, inference_geo="global", speed="standard"),
        "opus-fast",
        "0.003",
    ),
    # the totals leave out what compaction used: (180,000 + 23,000) x 3 M + (3,500 + 1,000) x 15 M
    Case(
        "message, compaction",
        "anthropic.messages",
        message(
            23_000,
            1000,
            iterations=[
                {"type": "compaction", "input_tokens": 180_000, "output_tokens": 3500},
                {"type": "message", "input_tokens": 23_000, "output_tokens": 1000},
            ],
        ),
        "claude-sonnet-4-5",
        "0.6765",
    ),
]

GEMINI = [
    # 1,000 x 0.3 M + 500 x 2.5 M
    Case("content, plain", "gemini.generate", content(1000, 500, 1500), "gemini/gemini-2.5-flash", "0.00155"),
    # thoughts stand beside the candidates: 40 x 0.3 M + (60 + 900) x 2.5 M
    Case(
        "content, thoughts",
        "gemini.generate",
        content(40, 60, 1000, thoughtsTokenCount=900),
        "gemini/gemini-2.5-flash",
        "0.002412",
        **REASONS,
    ),
    # the total shows that these candidates include them: 40 x 0.3 M + 960 x 2.5 M
    Case(
        "content, thoughts inside",
        "gemini.generate",
        content(40, 960, 1000, thoughtsTokenCount=900),
        "gemini/gemini-2.5-flash",
        "0.002412",
        **REASONS,
    ),
    # cached content is part of the prompt: 2,000 x 1.25 M + 8,000 x 0.125 M + 100 x 10 M
    Case(
        "content, cached",
        "gemini.generate",
        content(10_000, 100, 10_100, cachedContentTokenCount=8000),
        "gemini/gemini-2.5-pro",
        "0.0045",
    ),
    # 200,000 are not above 200,000: 200,000 x 1.25 M + 1 x 10 M
    Case("content, at the band", "gemini.generate", content(200_000, 1, 200_001), "gemini/gemini-2.5-pro", "0.25001"),
    # 100,001 x 2.5 M + 100,000 x 0.25 M + 1,000 x 15 M
    Case(
        "content, above the band",
        "gemini.generate",
        content(200_001, 1000, 201_001, cachedContentTokenCount=100_000),
        "gemini/gemini-2.5-pro",
        "0.2900025",
    ),
    # what tools put into the prompt stands beside it: (150 + 3,000) x 0.3 M + 200 x 2.5 M + one search
    Case(
        "content, tools and grounding",
        "gemini.generate",
        content(150, 200, 3350, toolUsePromptTokenCount=3000, candidates=[GROUNDED]),
        "gemini/gemini-2.5-flash",
        "0.036445",
    ),
    # from Gemini 3 each query is charged: 1,000 x 2 M + 10 x 12 M + 2 x 0.014
    Case(
        "content, grounding by the query",
        "gemini.generate",
        content(1000, 10, 1010, candidates=[GROUNDED]),
        "gemini/three",
        "0.03012",
    ),
    # 250 x 0.3 M + 1,750 x 1 M + 50 x 2.5 M; text and a document are priced as text
    Case(
        "content, audio",
        "gemini.generate",
        content(2000, 50, 2050, promptTokensDetails=by_modality(text=100, document=150, audio=1750)),
        "gemini/gemini-2.5-flash",
        "0.00195",
    ),
    # 100 x 0.3 M + 400 x 1 M, cached 200 x 0.03 M + 300 x 0.1 M, 10 x 2.5 M
    Case(
        "content, cached audio",
        "gemini.generate",
        content(
            1000,
            10,
            1010,
            cachedContentTokenCount=500,
            promptTokensDetails=by_modality(text=300, audio=700),
            cacheTokensDetails=by_modality(text=200, audio=300),
        ),
        "gemini/gemini-2.5-flash",
        "0.000491",
    ),
    # 30 x 2 M + 20 x 12 M + 1,120 x 120 M
    Case(
        "content, an image made",
        "gemini.generate",
        content(30, 1140, 1170, candidatesTokensDetails=by_modality(text=20, image=1120)),
        "gemini/three",
        "0.1347",
    ),
    # 1,000 x 0.15 M + 100 x 1.25 M
    Case(
        "content, batch",
        "gemini.generate",
        content(1000, 100, 1100),
        "gemini/gemini-2.5-flash",
        "0.000275",
        {"tier": "batch"},
    ),
]

OTHERS = [
    # 10,000 x 0.5 M + 2,000 x 1.5 M
    Case(
        "mistral", "mistral.chat", chat(10_000, 2000, prompt_audio_seconds=None), "mistral/mistral-large-2512", "0.008"
    ),
    # Mistral publishes no other price here, so cached tokens are input: 5,000 x 0.3 M + 100 x 0.9 M
    Case(
        "mistral, cached",
        "mistral.chat",
        chat(5000, 100, prompt_tokens_details={"cached_tokens": 4000}),
        "mistral/codestral-2508",
        "0.00159",
        estimated="cached_tokens",
    ),
    # audio is beside the prompt, in seconds: 203 x 0.0000166667 + (4 + 635) x 0.04 M
    Case(
        "mistral, audio",
        "mistral.chat",
        {
            "model": "voxtral",
            "usage": {"prompt_audio_seconds": 203, "prompt_tokens": 4, "completion_tokens": 635, "total_tokens": 3264},
        },
        "mistral/voxtral",
        "0.0034089001",
    ),
    # 29 x 0.001
    Case(
        "mistral, pages",
        "mistral.ocr",
        {"model": "mistral-ocr", "pages": [], "usage_info": {"pages_processed": 29, "doc_size_bytes": 3002783}},
        "mistral/ocr",
        "0.029",
    ),
    # 1,500 x 1 M + 300 x 5 M
    Case("converse", "bedrock.converse", converse(1500, 300), "anthropic.claude-haiku-4-5-20251001-v1:0", "0.003"),
    # cached tokens are not part of the input: 100 x 1 M + 9,000 x 0.1 M + 2,000 x 1.25 M + 50 x 5 M
    Case(
        "converse, cached",
        "bedrock.converse",
        converse(100, 50, cacheReadInputTokens=9000, cacheWriteInputTokens=2000),
        "anthropic.claude-haiku-4-5-20251001-v1:0",
        "0.00375",
    ),
    # 100 x 1 M + 1,500 x 1.25 M + 500 x 2 M + 50 x 5 M
    Case(
        "converse, an hour",
        "bedrock.converse",
        converse(
            100,
            50,
            cacheWriteInputTokens=2000,
            cacheDetails=[{"ttl": "1h", "inputTokens": 500}, {"ttl": "5m", "inputTokens": 1500}],
        ),
        "anthropic.claude-haiku-4-5-20251001-v1:0",
        "0.003225",
    ),
    # the last event of a stream
    Case(
        "converse, stream",
        "bedrock.converse",
        {
            "metadata": {
                "usage": {"inputTokens": 125, "outputTokens": 60, "totalTokens": 185},
                "metrics": {"latencyMs": 1},
            }
        },
        "anthropic.claude-haiku-4-5-20251001-v1:0",
        "0.000425",
    ),
    # 700 x 2.5 M + 300 x 1.25 M + 180 x 10 M
    Case(
        "span, openai",
        "otel",
        span("openai", "gpt-4o", 1000, 180, cache_read__input_tokens=300),
        "gpt-4o",
        "0.003925",
    ),
    # the convention includes what Anthropic leaves out: 100 x 3 M + 800 x 0.3 M + 100 x 3.75 M + 50 x 15 M
    Case(
        "span, anthropic",
        "otel",
        span(
            "anthropic", "claude-sonnet-4-5", 1000, 50, cache_read__input_tokens=800, cache_creation__input_tokens=100
        ),
        "claude-sonnet-4-5",
        "0.001665",
    ),
    # as pydantic-ai before 2 writes it: 1,000 x 3 M + 8,000 x 0.3 M + 1,000 x 3.75 M + 50 x 15 M
    Case(
        "span, details",
        "otel",
        span(
            *("anthropic", "claude-sonnet-4-5", 10_000, 50),
            details__cache_read_tokens=8000,
            details__cache_write_tokens=1000,
            details__cache_creation_input_tokens=1000,
            details__input_tokens=1000,
        ),
        "claude-sonnet-4-5",
        "0.0099",
    ),
    # thoughts are beside the output: 102 x 1.25 M + 258 x 1.25 M + (11 + 201) x 10 M
    Case(
        "span, details beside",
        "otel",
        span(
            *("google", "gemini-2.5-pro", 360, 11),
            details__thoughts_tokens=201,
            details__text_prompt_tokens=102,
            details__image_prompt_tokens=258,
        ),
        "gemini/gemini-2.5-pro",
        "0.00257",
        estimated="image_input_tokens reasoning_tokens",
        thinks=True,
    ),
    # as Sentry writes it: 700 x 2.5 M + 300 x 1.25 M + 180 x 10 M
    Case(
        "span, dotted",
        "otel",
        span("openai", "gpt-4o", 1000, 180, input_tokens__cached=300, total_tokens=1180, total_cost=0.01),
        "gpt-4o",
        "0.003925",
    ),
    # more cached than input: it was passed on as Anthropic counts. 20 x 3 M + 800 x 0.3 M + 50 x 15 M
    Case(
        "span, passed on",
        "otel",
        span("anthropic", "claude-sonnet-4-5", 20, 50, cache_read__input_tokens=800),
        "claude-sonnet-4-5",
        "0.00105",
    ),
    # reasoning is part of the output; OTLP writes numbers as strings: 40 x 1.25 M + 1,000 x 10 M
    Case(
        "span, reasoning",
        "otel",
        span("openai", "gpt-5", "40", "1000", reasoning__output_tokens="960"),
        "gpt-5",
        "0.01005",
        **REASONS,
    ),
    # as before 1.37: 100 x 1.25 M + 20 x 10 M
    Case(
        "span, older names",
        "otel",
        {
            "gen_ai.system": "gcp.gemini",
            "gen_ai.request.model": "gemini-2.5-pro",
            "gen_ai.usage.prompt_tokens": 100,
            "gen_ai.usage.completion_tokens": 20,
        },
        "gemini/gemini-2.5-pro",
        "0.000325",
    ),
    # 1,000 x 1 M + 100 x 5 M
    Case(
        "span, bedrock",
        "otel",
        span("aws.bedrock", "anthropic.claude-haiku-4-5-20251001-v1:0", 1000, 100),
        "anthropic.claude-haiku-4-5-20251001-v1:0",
        "0.0015",
    ),
]

CASES = [*OPENAI, *ANTHROPIC, *GEMINI, *OTHERS, *ESTIMATED]
