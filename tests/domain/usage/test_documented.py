"""Each count in the documented answer of a vendor has a reader, or is on the list of unread counts."""

import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

from domain.common.errors import Invalid
from domain.usage.adapters import SHAPES, read_call
from tests.domain.usage.documented import ANSWERS
from tests.support.cases import for_each

LIST = Path(__file__).resolve().parents[3] / "docs" / "guides" / "metering.md"
ROW = re.compile(r"^\| `([a-z.]+)` \| (`[^|]+`) \| [^|]+ \|$", re.MULTILINE)


def listed() -> set[tuple[str, str]]:
    """Return the table of what is not read, as pairs of a shape and a count."""
    [section] = re.findall(r"### Ignored counts\n(.*?)\n##", LIST.read_text(), re.DOTALL)
    return {(shape, name) for shape, names in ROW.findall(section) for name in re.findall(r"`([^`]+)`", names)}


def counts(node: Any, path: tuple[Any, ...] = (), name: str = "") -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Yield each count of a response with its name and path: a number, or an item of a list without numbers."""
    if isinstance(node, dict):
        found = [each for key, value in node.items() for each in counts(value, (*path, key), f"{name}.{key}")]
        is_item = path and isinstance(path[-1], int)
        yield from found or ([(name.removeprefix("."), path)] if is_item else [])
    elif isinstance(node, list):
        for place, item in enumerate(node):
            kind = item.get("type") or item.get("modality") or item.get("ttl") if isinstance(item, dict) else None
            yield from counts(item, (*path, place), f"{name}[{kind or ''}]")
    elif isinstance(node, int) or (path and isinstance(path[-1], int)):
        yield name.removeprefix("."), path


def more(answer: dict[str, Any], path: tuple[Any, ...]) -> dict[str, Any]:
    """Return the response with the count at a path increased by one."""
    changed: Any = deepcopy(answer)
    place = changed
    for step in path[:-1]:
        place = place[step]
    value = place[path[-1]]
    if isinstance(value, int):
        place[path[-1]] = value + 1
    else:
        place.append(f"{value} again" if isinstance(value, str) else value)
    result: dict[str, Any] = changed
    return result


def read(shape: str, answer: dict[str, Any]) -> object:
    """Return the usage that is read from an answer, or the refusal, which shows that a count was read."""
    try:
        return read_call(shape, answer)
    except Invalid as refusal:
        return refusal.detail


#: Counts that say what others of the answer say: sums, and what is left of one.
REPEATED = re.compile(
    r".*(text_tokens|\[TEXT\]\.tokenCount|total_?[tT]okens?|totalTokenCount|_prediction_tokens|prompt_cache_miss_tokens"
    r"|ttl_30m_tokens|ephemeral_(5|30)m_input_tokens|\[5m\]\.inputTokens)"
)


def test_every_count_of_a_documented_answer_is_read_or_listed():
    known, looked_at = set[tuple[str, str]](), set[tuple[str, str]]()
    for shape, _, answer in ANSWERS:
        plain = read(shape, answer)
        for name, path in counts(answer):
            if REPEATED.fullmatch(name) or name.startswith("tools["):
                continue
            known.add((shape, name))
            if isinstance(plain, str) or read(shape, more(answer, path)) != plain:
                looked_at.add((shape, name))
    assert known - looked_at == listed()
    assert {shape for shape, _, _ in ANSWERS} == set(SHAPES)


def test_documented_answers_are_read():
    refused = {who: found for shape, who, answer in ANSWERS if isinstance(found := read(shape, answer), str)}
    assert refused.keys() == {"Anthropic, other models"}
    assert "Report that iteration as a call of its own" in refused["Anthropic, other models"]


@for_each("shape, who, answer", ANSWERS)
def test_null_counts_are_treated_as_absent(shape, who, answer):
    """Clients write their optional counts as null."""
    plain = read(shape, answer)
    for name, path in counts(answer):
        if name.startswith("tools[") or isinstance(path[-1], int):
            continue
        nothing, absent = more(answer, path), more(answer, path)
        for changed, is_null in ((nothing, True), (absent, False)):
            place: Any = changed
            for step in path[:-1]:
                place = place[step]
            if is_null:
                place[path[-1]] = None
            else:
                del place[path[-1]]
        assert read(shape, nothing) == read(shape, absent), name
    assert read(shape, deepcopy(answer)) == plain
