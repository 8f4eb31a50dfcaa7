"""External ids and metadata: the accepted values, and the result of changes."""

import pytest
from hypothesis import given, strategies as st

from domain.common.errors import Invalid
from domain.tenants.metadata import (
    MAX_EXTERNAL_ID,
    MAX_KEY,
    MAX_KEYS,
    MAX_VALUE,
    Precondition,
    PreconditionFailed,
    checked_external_id,
    checked_metadata,
    merged,
)
from tests.support.cases import for_each

KEYS = st.text("abcdefghij", min_size=1, max_size=3)
VALUES = st.text("xyzäß 𝄞", min_size=1, max_size=5)
KEPT = st.dictionaries(KEYS, VALUES, max_size=MAX_KEYS)
CHANGES = st.dictionaries(KEYS, st.one_of(VALUES, st.just(""), st.none()), max_size=MAX_KEYS)


@given(KEPT, CHANGES)
def test_change_sets_and_removes_what_it_names_and_leaves_the_rest(
    kept: dict[str, str], change: dict[str, str]
) -> None:
    expected = {key: change.get(key, kept.get(key)) for key in kept | change}
    expected = {key: value for key, value in expected.items() if value}
    if len(expected) > MAX_KEYS:
        with pytest.raises(Invalid):
            merged(kept, change)
    else:
        after = merged(kept, change)
        assert after == expected
        assert merged(after, change) == after
        assert checked_metadata(after) == after
    assert merged(kept, None) == {}


def test_bounds_are_counted_in_characters() -> None:
    full = {f"{at:02}".ljust(MAX_KEY, "𝄞"): "𝄞" * MAX_VALUE for at in range(MAX_KEYS)}
    assert checked_metadata(full) == full
    assert checked_external_id("𝄞" * MAX_EXTERNAL_ID) == "𝄞" * MAX_EXTERNAL_ID
    assert merged(full, {"new": "a", next(iter(full)): ""}).keys() == {*list(full)[1:], "new"}


@for_each(
    "pairs, key",
    [
        ({str(at): "a" for at in range(MAX_KEYS + 1)}, str(MAX_KEYS)),
        ({"good": "a", "long": "a" * (MAX_VALUE + 1)}, "long"),
        ({"k" * (MAX_KEY + 1): "a"}, "k" * (MAX_KEY + 1)),
        ({"": "a"}, ""),
        ({"a\tb": "a"}, "a\tb"),
        ({"a[b]": "a"}, "a[b]"),
        ({"a]": "a"}, "a]"),
        ({"a\u200bb": "a"}, "a\\u200bb"),
        ({"a": "line\nbreak"}, "a"),
        ({"a": "\u202egnp"}, "a"),
        ({"a": "\x00"}, "a"),
        ({"a": "\ud800"}, "a"),
        ({"a": 1}, "a"),
        ({"a": ["b"]}, "a"),
    ],
)
def test_invalid_value_is_refused_with_its_key(pairs: dict[str, object], key: str) -> None:
    for refusal in (lambda: checked_metadata(pairs), lambda: merged({}, pairs)):
        with pytest.raises(Invalid) as refused:
            refusal()
        assert refused.value.extra == {"field": "metadata", "key": key}


@for_each("text", ["", " a", "a ", "a\nb", "a\u200b", "\u3164", "a\x00", "a" * (MAX_EXTERNAL_ID + 1)])
def test_id_with_misleading_characters_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        checked_external_id(text)


@given(st.text(max_size=MAX_VALUE + 5), st.text(max_size=MAX_KEY + 5))
def test_any_text_is_kept_as_it_is_or_refused(value: str, key: str) -> None:
    try:
        kept = checked_metadata({key: value})
    except Invalid:
        return
    assert kept == ({key: value} if value else {})
    assert all(ord(sign) >= 0x20 and not 0x7F <= ord(sign) < 0xA0 for sign in key + value)


def test_change_for_another_version_is_refused_with_the_current_version() -> None:
    Precondition().judge(7)
    Precondition(frozenset({6, 7})).judge(7)
    for versions in (frozenset[int](), frozenset({6})):
        with pytest.raises(PreconditionFailed) as refused:
            Precondition(versions).judge(7)
        assert refused.value.extra == {"etag": '"7"'}
    with pytest.raises(PreconditionFailed):
        Precondition().judge(None)
