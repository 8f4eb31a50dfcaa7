from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, strategies as st

from domain.common.calendar import Window
from domain.common.errors import Invalid
from domain.common.money import MAX_AMOUNT_MINOR
from domain.credits.spend.control import (
    MAX_USES,
    THRESHOLDS_E4,
    Limit,
    LimitTerms,
    NewControl,
    SubjectKind,
    limits_of,
    remaining_minor,
)
from domain.credits.spend.presentation import CounterValues, limit_states
from tests.support.cases import for_each

NOON = datetime(2026, 1, 14, 12, tzinfo=UTC)
limits = st.lists(
    st.builds(
        Limit,
        window=st.sampled_from(list(Window)),
        amount_minor=st.integers(0, MAX_AMOUNT_MINOR),
        uses=st.none() | st.integers(0, MAX_USES),
        hard=st.booleans(),
    ),
    unique_by=lambda limit: limit.window,
).map(tuple)


@given(limits=limits)
def test_limits_are_read_back_as_they_were_stored_the_shortest_window_first(limits: tuple[Limit, ...]) -> None:
    stored = LimitTerms(limits=limits).columns()
    read = limits_of(*(stored[name] for name in ("windows", "amounts", "uses", "hard")))
    assert set(read) == set(limits)
    assert [list(Window).index(limit.window) for limit in read] == sorted(
        list(Window).index(limit.window) for limit in limits
    )


@for_each(
    "wrong, field",
    [
        ({"limits": (Limit(window=Window.DAY),)}, "limits"),
        ({"limits": (Limit(window=Window.DAY, uses=1), Limit(window=Window.DAY, uses=2))}, "limits"),
        ({"limits": (Limit(window=Window.DAY, amount_minor=-1),)}, "limits.amount"),
        ({"limits": (Limit(window=Window.DAY, uses=MAX_USES + 1),)}, "limits.uses"),
        ({"per_spend_minor": MAX_AMOUNT_MINOR + 1}, "per_spend"),
        ({"thresholds_e4": (0,)}, "thresholds"),
        ({"thresholds_e4": (10_001,)}, "thresholds"),
        ({"thresholds_e4": tuple(range(1, 12))}, "thresholds"),
        ({"starts_at": NOON, "ends_at": NOON - timedelta(seconds=1)}, "ends_at"),
    ],
)
def test_an_allowance_that_contradicts_itself_is_refused(wrong: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        LimitTerms(**wrong)
    assert refused.value.extra == {"field": field}


def test_thresholds_are_a_half_four_fifths_and_all_unless_others_are_named() -> None:
    assert LimitTerms().columns()["thresholds_e4"] == list(THRESHOLDS_E4) == [5_000, 8_000, 10_000]
    assert LimitTerms(thresholds_e4=(9_000, 1, 9_000)).columns()["thresholds_e4"] == [1, 9_000]


@pytest.mark.parametrize("wrong", [{"asset": "SLOT"}, {"asset": "XYZ"}, {"week_starts": 8}, {"time_zone": "EST5EDT"}])
def test_a_control_has_an_asset_that_is_spent_a_zone_and_a_first_day(wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        NewControl(**{"subject_kind": SubjectKind.RUN, "subject_id": "r", "asset": "CREDIT", **wrong})


@given(limit=st.none() | st.integers(0, 10**15), used=st.integers(0, 2 * 10**15))
def test_what_is_left_is_never_below_zero_and_nowhere_without_a_limit(limit: int | None, used: int) -> None:
    left = remaining_minor(limit, used)
    assert (left is None) == (limit is None)
    assert left is None or (left >= 0 and (left == 0 or left + used == limit))


def test_what_is_held_is_not_left() -> None:
    limit = Limit(window=Window.DAY, amount_minor=10, uses=3)
    (state,) = limit_states([limit], {Window.DAY: CounterValues(spent_minor=4, held_minor=5, uses=3)}, "UTC", 1, NOON)
    assert (state.remaining_minor, state.uses_remaining) == (1, 0)
    assert (state.starts_at, state.resets_at) == (NOON.replace(hour=0), NOON.replace(hour=0) + timedelta(days=1))
