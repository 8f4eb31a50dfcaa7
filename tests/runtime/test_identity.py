"""Fresh ids sort as they were made."""

import pytest

from domain.common.ids import is_id, make_id
from runtime import identity
from runtime.identity import new_ids


def test_ids_sort_as_they_were_made_also_within_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_790_000_000_123_456_789
    monkeypatch.setattr("time.time_ns", lambda: now)
    monkeypatch.setattr(identity, "_last", 0)
    made = [each for _ in range(1_000) for each in new_ids("evt", 5)]
    assert made == sorted(set(made))
    assert all(is_id(each, "evt") for each in made)
    # The first ten digits are the milliseconds.
    assert made[0][:14] == make_id("evt", unix_ms=now // 1_000_000, entropy=bytes(10))[:14]
    now -= 1_000_000_000  # the clock was set back
    assert made[-1] < new_ids("evt", 1)[0]
