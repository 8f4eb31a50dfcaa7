"""Usage of Gemini, by the Gemini API and by Vertex AI.

`promptTokenCount` includes the cached part. What tools put into the prompt stands beside it, and so do thoughts beside
the candidates, except where the total shows that the candidates include them. Modalities are parts of their totals.

Sources: https://ai.google.dev/api/generate-content#UsageMetadata; https://ai.google.dev/gemini-api/docs/thinking
(*Pricing*: output and thinking tokens); https://ai.google.dev/gemini-api/docs/pricing (grounding: by the prompt up to
Gemini 2.5, by the query from Gemini 3); https://cloud.google.com/vertex-ai/generative-ai/docs/reference/rest/v1/GenerateContentResponse.
"""

from domain.usage.adapters.reading import (
    ModelCall,
    VendorAnswer,
    answer_units,
    count,
    make_usage,
    model_of,
    prompt_units,
    required_count,
    tier_of,
    unreadable,
    usage_of,
)


def read_content(answer: VendorAnswer) -> ModelCall:
    """Read generated content, or the last usage of a live session."""
    usage = usage_of(answer, "usageMetadata", "usage_metadata")
    prompt, cached = required_count(usage, "promptTokenCount"), count(usage, "cachedContentTokenCount")
    tools, thoughts = count(usage, "toolUsePromptTokenCount"), count(usage, "thoughtsTokenCount")
    made = count(usage, "candidatesTokenCount", "responseTokenCount")
    if count(usage, "totalTokenCount") != prompt + tools + made or made < thoughts:
        made += thoughts
    given, from_tools, from_cache = (
        _modalities(usage, f"{name}TokensDetails") for name in ("prompt", "toolUsePrompt", "cache")
    )
    answered = _modalities(usage, "candidatesTokensDetails") or _modalities(usage, "responseTokensDetails")
    return ModelCall(
        provider="gemini",
        model=model_of(answer, "modelVersion", "model_version"),
        usage=make_usage(
            prompt_units(
                total=prompt + tools,
                cached=cached,
                audio=given.get("AUDIO", 0) + from_tools.get("AUDIO", 0),
                image=given.get("IMAGE", 0) + from_tools.get("IMAGE", 0),
                video=max(0, given.get("VIDEO", 0) + from_tools.get("VIDEO", 0) - from_cache.get("VIDEO", 0)),
                cached_audio=from_cache.get("AUDIO", 0),
                cached_image=from_cache.get("IMAGE", 0),
            ),
            answer_units(
                total=made,
                reasoning=thoughts,
                audio=answered.get("AUDIO", 0),
                image=answered.get("IMAGE", 0),
                video=answered.get("VIDEO", 0),
            ),
            searches=_searches(answer),
            tier=tier_of(usage.get("serviceTier") or usage.get("trafficType")),
        ),
    )


def _modalities(usage: VendorAnswer, name: str) -> dict[str, int]:
    listed = usage.get(name)
    if listed is None:
        return {}
    if not isinstance(listed, list) or not all(isinstance(each, dict) for each in listed):
        unreadable(f"{name} must be a list of modalities.")
    found = dict[str, int]()
    for each in listed:
        modality = str(each.get("modality", "TEXT")).upper()
        found[modality] = found.get(modality, 0) + count(each, "tokenCount")
    return found


def _searches(answer: VendorAnswer) -> int:
    candidates = answer.get("candidates")
    queries = set[str]()
    for candidate in candidates if isinstance(candidates, list) else ():
        grounding = candidate.get("groundingMetadata") if isinstance(candidate, dict) else None
        made = grounding.get("webSearchQueries") if isinstance(grounding, dict) else None
        queries |= {query for query in made if isinstance(query, str) and query} if isinstance(made, list) else set()
    return len(queries)
