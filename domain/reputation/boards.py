"""Ranks of agents: the leaderboards that an agent can be on, and its place among peers.

A leaderboard takes the agents that rank highest of those with so much evidence, the latest of it within a period. So
that this reads few rows, each row is in a band: of how much its events weigh, and how old the latest is. Within a band
rows are sorted by rank, and a leaderboard merges the tops of its bands.

The rank itself is never cut to a period: then bad evidence would leave it by waiting.
"""

from enum import StrEnum

from domain.reputation.evidence import ONE_E6

#: How much evidence a leaderboard can ask for, in units; the first takes any. Many events that weigh nothing are none.
MINIMUMS = (1, 5, 20, 100)
#: Within how many days the latest evidence came in.
_DAYS = (7, 30, 90)
#: Ranks are counted in so many steps for the place among peers.
STEPS = 1_000
#: Among fewer peers a place would say who they are.
FEWEST_PEERS = 10
#: The band, of the columns of a row. `{day}` is the date as of which the row is. Each statement that changes a row
#: parses it again, so it is short.
BAND_SQL = (
    "(width_bucket({day} - latest_on, '{{8,31,91}}'::integer[]) * 4"
    " + width_bucket(nullif(evidence_e6, 0), '{{5000000,20000000,100000000}}'::bigint[]))::smallint"
)


class Period(StrEnum):
    """The period in which the latest evidence came in, as of last night."""

    WEEK = "7d"
    MONTH = "30d"
    QUARTER = "90d"
    ALL = "all"


def band(evidence_e6: int, age: int) -> int | None:
    """Return the band of a row whose latest evidence is so many days old; None without evidence."""
    if not evidence_e6:
        return None
    recency = sum(age > days for days in _DAYS)
    return recency * len(MINIMUMS) + sum(evidence_e6 >= least * ONE_E6 for least in MINIMUMS[1:])


def bands(period: Period, minimum: int) -> list[int]:
    """Return the bands of a leaderboard; `minimum` is one of `MINIMUMS`."""
    recencies = list(Period).index(period) + 1
    return [
        recency * len(MINIMUMS) + amount
        for recency in range(recencies)
        for amount in range(MINIMUMS.index(minimum), len(MINIMUMS))
    ]


def rank_step(rank_e6: int) -> int:
    """Return the step in which a rank is counted."""
    return rank_e6 * STEPS // ONE_E6


def percentile(below: int, equal: int, peers: int) -> int | None:
    """Return in whole percent how many peers rank lower, those on the same step counted half; None among too few."""
    return (200 * below + 100 * equal) // (2 * peers) if peers >= FEWEST_PEERS else None
