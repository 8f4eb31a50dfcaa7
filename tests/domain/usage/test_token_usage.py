"""The usage vector of a call: accepted values, and storage in a column."""

import pickle
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given, strategies as st

from domain.common.errors import Invalid
from domain.usage.token_usage import ANSWER_UNITS, MAX_QUANTITY, PROMPT_UNITS, UNITS, TokenUsage
from tests.support.cases import for_each

USAGES = st.builds(
    TokenUsage,
    **dict.fromkeys(UNITS, st.integers(0, MAX_QUANTITY)),
    tier=st.sampled_from(["standard", "batch", "flex"]),
    uplifts=st.lists(st.sampled_from(["geo:us", "speed:fast"]), unique=True).map(tuple),
)


@given(USAGES)
def test_usage_round_trips(usage):
    assert TokenUsage.from_json(usage.to_json()) == usage


def test_only_used_units_are_written():
    assert TokenUsage(output_tokens=3, tier="batch").to_json() == {"output_tokens": 3, "tier": "batch"}


def test_tokens_of_the_prompt_and_the_answer_are_all_tokens():
    usage = TokenUsage(**{unit: 2**at for at, unit in enumerate(PROMPT_UNITS + ANSWER_UNITS)})
    assert usage.prompt_tokens == 2**10 - 1
    assert {unit for unit in UNITS if unit.endswith("_tokens")} == set(PROMPT_UNITS + ANSWER_UNITS)


@pytest.mark.parametrize("wrong", [-1, 1.0, "1", True, None, MAX_QUANTITY + 1])
def test_a_quantity_is_an_integer_in_bounds(wrong):
    with pytest.raises(Invalid, match="input_tokens"):
        TokenUsage.from_json({"input_tokens": wrong})
    with pytest.raises(Invalid, match="input_tokens"):
        TokenUsage(input_tokens=wrong)


@for_each(
    "wrong",
    [
        {"tokens": 1},
        {"tier": ""},
        {"tier": 3},
        {"tier": "x" * 65},
        {"uplifts": "geo:us"},
        {"uplifts": [1]},
        {"uplifts": ["geo:us", "geo:us"]},
        {"uplifts": [f"geo:{number}" for number in range(9)]},
    ],
)
def test_invalid_usage_is_refused(wrong):
    with pytest.raises(Invalid):
        TokenUsage.from_json(wrong)


@given(st.dictionaries(st.sampled_from(UNITS), st.integers(0, MAX_QUANTITY), max_size=len(UNITS)))
def test_reading_equals_construction_from_the_same_fields(document):
    read, made = TokenUsage.from_json(document), TokenUsage(**document)
    assert (read, hash(read), repr(read)) == (made, hash(made), repr(made))
    assert [*read.quantities().items()] == [*made.quantities().items()]
    assert read.prompt_tokens == made.prompt_tokens
    assert replace(read, tier="batch", output_tokens=7) == replace(made, tier="batch", output_tokens=7)
    assert pickle.loads(pickle.dumps(read)) == made
    with pytest.raises(FrozenInstanceError):
        read.output_tokens = 1
