"""Picking one of what a machine under test has made so far.

How much it has made depends on the order the database chose among clients at once, and Hypothesis must see the same
draws for the same choices: so a rule draws a number, neither draws from the model nor waits for a precondition on it.
"""

from collections.abc import Sequence
from typing import TypeVar

from hypothesis import strategies as st

T = TypeVar("T")

PICKS = st.integers(0, 10_000)


def picked(made: Sequence[T], pick: int) -> T:
    """One of what was made, which must not be nothing."""
    return made[pick % len(made)]
