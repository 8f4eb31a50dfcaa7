"""The loop over a table of cases fails for each case that fails, and says which."""

from inspect import signature

import pytest

from tests.support.cases import for_each


@for_each("number, square", [(1, 1), pytest.param(2, 5), (3, 9), (4, 15)])
def squares(number: int, square: int) -> None:
    assert number**2 == square


@for_each("number", [1, 2, 3])
async def evens(kept: list[int], number: int) -> None:
    kept.append(number)
    assert number % 2 == 0


def test_all_cases_that_fail_are_named() -> None:
    with pytest.raises(AssertionError) as failed:
        squares()
    text = str(failed.value)
    assert text.startswith("2 of 4 cases failed")
    assert "number=2, square=5" in text
    assert "number=4, square=15" in text
    assert "number=3" not in text


async def test_cases_share_the_fixtures_of_their_test() -> None:
    assert list(signature(evens).parameters) == ["kept"]
    kept: list[int] = []
    with pytest.raises(AssertionError, match="2 of 3 cases failed"):
        await evens(kept=kept)
    assert kept == [1, 2, 3]


def test_failure_by_word_counts() -> None:
    @for_each("text", ["a", "b"])
    def refused(text: str) -> None:
        pytest.fail(text)

    with pytest.raises(AssertionError, match="2 of 2 cases failed"):
        refused()


def test_table_without_cases_fails() -> None:
    @for_each("text", list)
    def never(text: str) -> None: ...

    with pytest.raises(AssertionError, match="There are no cases"):
        never()


def test_table_of_other_arguments_is_refused() -> None:
    with pytest.raises(AssertionError, match="does not take"):

        @for_each("text", ["a"])
        def other(word: str) -> None: ...
