"""Usage in the attributes of OpenTelemetry's `gen_ai.*` spans and events.

`gen_ai.usage.input_tokens` should include what was read from a cache and written to one, `output_tokens` should include
reasoning, whatever the provider counts. Cached tokens that are more than the input cannot be part of it: such an
instrumentation passes on counts of a provider that leaves them out, and then they stand beside the input.

Sources: https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/ (semantic conventions 1.37 and later);
before: `gen_ai.system`, `gen_ai.usage.prompt_tokens`, `gen_ai.usage.completion_tokens`.
"""

from domain.usage.adapters.reading import (
    Answer,
    ModelCall,
    answer_units,
    count,
    model_of,
    needed,
    prompt_units,
    tier_of,
    unreadable,
    used,
)

_USAGE = "gen_ai.usage"
#: What the conventions, and others, call a provider → what price lists call it.
_PROVIDERS = {
    "aws.bedrock": "bedrock",
    "aws_bedrock": "bedrock",
    "amazon_bedrock": "bedrock",
    "az.ai.inference": "azure_ai",
    "az.ai.openai": "azure",
    "azure.ai.inference": "azure_ai",
    "azure.ai.openai": "azure",
    "azure_openai": "azure",
    "gcp.gemini": "gemini",
    "gcp.gen_ai": "gemini",
    "gcp.vertex_ai": "vertex_ai",
    "google": "gemini",
    "google_ai_studio": "gemini",
    "ibm.watsonx.ai": "watsonx",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "moonshot_ai": "moonshot",
    "together": "together_ai",
    "vertexai": "vertex_ai",
    "x_ai": "xai",
    "x.ai": "xai",
}


def provider_of(name: str) -> str:
    """Return what price lists call a provider."""
    return _PROVIDERS.get(name.lower(), name.lower())


def read_attributes(answer: Answer) -> ModelCall:
    """Read the attributes of a span, as one flat object; numbers may be strings, as OTLP's JSON has them."""
    attributes = {name: _number(value) for name, value in answer.items() if name.startswith(_USAGE)}
    read = count(attributes, f"{_USAGE}.cache_read.input_tokens", f"{_USAGE}.cache_read_input_tokens")
    written = count(attributes, f"{_USAGE}.cache_creation.input_tokens", f"{_USAGE}.cache_creation_input_tokens")
    total = needed(attributes, f"{_USAGE}.input_tokens", f"{_USAGE}.prompt_tokens")
    if read + written > total:
        total += read + written
    provider = model_of(answer, "gen_ai.provider.name", "gen_ai.system")
    if provider is None:
        unreadable("The attributes have no gen_ai.provider.name.")
    tier = model_of(answer, "openai.response.service_tier", "gen_ai.openai.response.service_tier")
    return ModelCall(
        provider=provider_of(provider),
        model=model_of(answer, "gen_ai.response.model", "gen_ai.request.model"),
        usage=used(
            prompt_units(total=total, cached=read, written=written),
            answer_units(
                total=count(attributes, f"{_USAGE}.output_tokens", f"{_USAGE}.completion_tokens"),
                reasoning=count(attributes, f"{_USAGE}.reasoning.output_tokens"),
            ),
            tier=tier_of(tier),
        ),
    )


def _number(value: object) -> object:
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20 else value
