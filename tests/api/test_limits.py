"""The keys by which requests are counted, and the number of counts that a process keeps in memory."""

import pytest

from api import limits
from api.limits import Limiter, share_of, storage_at
from domain.common.errors import RateLimited


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("203.0.113.7", "203.0.113.8", False),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:DB8:1:2:0:0:0:9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        (None, "unix", False),
    ],
)
def test_addresses_of_one_ipv6_network_are_counted_as_one(one: str | None, other: str | None, same: bool) -> None:
    assert (share_of(one) == share_of(other)) is same


async def test_counts_are_limited_and_the_newest_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_SLICES", 3)
    limiter = Limiter("1000/hour", storage_at("async+memory://"))
    for name in ("a", "b", "c", "a", "d", "e"):
        for _ in range(1 if name == "a" else 2):
            await limiter.hit(name)
    assert {name: limiter.try_fast(name) for name in "abcde"} == {
        "a": False,
        "b": False,
        "c": True,
        "d": True,
        "e": True,
    }


async def test_limit_holds_for_a_name_whose_count_the_process_has_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_SLICES", 1)
    limiter = Limiter("2/hour", storage_at("async+memory://"))
    for name in ("a", "b", "a"):
        await limiter.hit(name)
    await limiter.hit("b")
    with pytest.raises(RateLimited):
        await limiter.hit("a")
    assert len(limiter._slices) == 1
