"""The class of a model, from its names at vendors and in price lists."""

import pytest

from domain.usage.model_class import ModelClass, Size, class_of

NAMES = [
    ("gpt-4o", (None, "gpt", Size.MEDIUM, False)),
    ("gpt-4o-mini-2024-07-18", (None, "gpt", Size.SMALL, False)),
    ("gpt-5-pro", (None, "gpt", Size.LARGE, True)),
    ("gpt-5-chat-latest", (None, "gpt", Size.MEDIUM, False)),
    ("o3-mini", (None, "o", Size.SMALL, True)),
    ("claude-opus-4-5", (None, "claude", Size.LARGE, False)),
    ("claude-haiku-4-5", (None, "claude", Size.SMALL, False)),
    ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", (None, "claude", Size.MEDIUM, False)),
    ("gemini/gemini-2.5-flash-lite", ("gemini", "gemini", Size.SMALL, False)),
    ("gemini/gemini-2.5-pro", ("gemini", "gemini", Size.LARGE, False)),
    ("mistral/magistral-medium-latest", ("mistral", "magistral", Size.MEDIUM, True)),
    ("mistral/ministral-8b-2512", ("mistral", "ministral", Size.SMALL, False)),
    ("deepseek/deepseek-reasoner", ("deepseek", "deepseek", Size.MEDIUM, True)),
    ("xai/grok-code-fast-1", ("xai", "grok", Size.SMALL, False)),
    ("groq/llama-3.3-70b-versatile", ("groq", "llama", Size.MEDIUM, False)),
    ("meta.llama3-1-405b-instruct-v1:0", (None, "llama", Size.LARGE, False)),
    ("mixtral-8x22b", (None, "mixtral", Size.LARGE, False)),
    ("amazon.nova-micro-v1:0", (None, "nova", Size.SMALL, False)),
    ("our-own-model", (None, "our", Size.MEDIUM, False)),
    ("///", ("", "", Size.MEDIUM, False)),
]


@pytest.mark.parametrize(("name", "expected"), NAMES)
def test_name_tells_family_size_and_reasoning(name, expected):
    assert class_of(name) == ModelClass(*expected)


def test_price_list_gives_provider_and_reasoning_of_a_model():
    assert class_of("gemini-2.5-pro", provider="vertex_ai", is_reasoning=True) == ModelClass(
        "vertex_ai", "gemini", Size.LARGE, True
    )
