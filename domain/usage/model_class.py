"""Class of a model: provider, family, size, and reasoning. Pure.

The price list has provider and reasoning. Family and size are derived from the name: `mini`, `flash`, `haiku`, `8b` are
small, `opus`, `pro`, `405b` large, and others between.
"""

import re
from enum import StrEnum
from itertools import pairwise
from typing import NamedTuple


class Size(StrEnum):
    """Size of a model relative to those of its time."""

    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


class ModelClass(NamedTuple):
    """Class of a model.

    Attributes:
        provider: the serving provider; None if neither the list nor the name has it.
    """

    provider: str | None
    family: str
    size: Size
    is_reasoning: bool


_WORDS = re.compile(r"[^a-z0-9.]+|(?<=[a-z])\.|\.(?=[a-z])")
_BILLIONS = re.compile(r"(?:(\d{1,3})x)?(\d{1,4}(?:\.\d)?)b")
#: Limits of sizes in billions of parameters; a mixture of experts counts all experts.
_SMALL_BILLIONS, _LARGE_BILLIONS = 15, 150
_SMALL = frozenset({"mini", "nano", "micro", "lite", "small", "tiny", "flash", "haiku", "instant", "fast"})
_LARGE = frozenset({"opus", "large", "pro", "ultra", "premier", "heavy", "max"})
_REASONING = frozenset({"o1", "o3", "o4", "r1", "qwq", "magistral", "thinking", "reasoner", "reasoning"})
_FAMILIES = (
    *("claude", "gemini", "gemma", "gpt", "chatgpt", "grok", "deepseek", "qwen", "qwq", "llama", "nova", "command"),
    *("mistral", "mixtral", "ministral", "magistral", "codestral", "devstral", "voxtral", "pixtral"),
    *("kimi", "glm", "phi", "whisper", "text-embedding"),
)


def class_of(model: str, *, provider: str | None = None, is_reasoning: bool = False) -> ModelClass:
    """Return the class of a model.

    Args:
        model: its name, with or without a provider prefix.
        provider: by the price list.
        is_reasoning: by the price list; the name may imply it too.
    """
    head, slash, _ = model.partition("/")
    name = model.rpartition("/")[2].lower()
    words = [word for word in _WORDS.split(name) if word]
    return ModelClass(
        provider=provider or (head if slash else None),
        family=_family(name, words),
        size=_size(words),
        is_reasoning=is_reasoning or not _REASONING.isdisjoint(words) or _is_gpt_5(words),
    )


def _family(name: str, words: list[str]) -> str:
    if words and re.fullmatch(r"o[134]", words[0]):
        return "o"
    found = [family for family in _FAMILIES if any(word.startswith(family) for word in words) or family in name]
    return found[0] if found else words[0] if words else name


def _size(words: list[str]) -> Size:
    if not _SMALL.isdisjoint(words):
        return Size.SMALL
    for match in filter(None, map(_BILLIONS.fullmatch, words)):
        billions = int(match[1] or 1) * int(match[2].partition(".")[0])
        if billions <= _SMALL_BILLIONS:
            return Size.SMALL
        return Size.LARGE if billions >= _LARGE_BILLIONS else Size.MEDIUM
    return Size.MEDIUM if _LARGE.isdisjoint(words) else Size.LARGE


def _is_gpt_5(words: list[str]) -> bool:
    is_one = any(word == "gpt" and later.startswith("5") for word, later in pairwise(words))
    return is_one and "chat" not in words
