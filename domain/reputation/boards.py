"""Leaderboards of agents, and an agent's percentile among its peers.

A leaderboard lists the highest ranked agents with a minimum of evidence, the latest of it within a period. To read few
rows, each row has a band by the amount and the age of its evidence. Rows are sorted by rank within a band, and a
leaderboard merges the tops of its bands.

The rank itself is never limited to a period: otherwise waiting would remove bad evidence from it.
"""

from enum import StrEnum

from domain.reputation.evidence import ONE_E6

#: Minimums of evidence of a leaderboard, in units; the first accepts any. Events without weight are no evidence.
MINIMUMS = (1, 5, 20, 100)
#: Maximum age of the latest evidence, in days.
_DAYS = (7, 30, 90)
#: Number of rank steps for the percentile.
STEPS = 1_000
#: The minimum number of peers for a percentile: fewer would reveal who they are.
FEWEST_PEERS = 10
#: SQL of the band of a row as of `{day}`. Each statement that changes a row parses it again, so it is short.
BAND_SQL = (
    "(width_bucket({day} - latest_on, '{{8,31,91}}'::integer[]) * 4"
    " + width_bucket(nullif(evidence_e6, 0), '{{5000000,20000000,100000000}}'::bigint[]))::smallint"
)


class Period(StrEnum):
    """Period of the latest evidence, as of last night."""

    WEEK = "7d"
    MONTH = "30d"
    QUARTER = "90d"
    ALL = "all"


def band(evidence_e6: int, age: int) -> int | None:
    """Return the band of a row whose latest evidence is `age` days old; None without evidence."""
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
    """Return the step of a rank."""
    return rank_e6 * STEPS // ONE_E6


def percentile(below: int, equal: int, peers: int) -> int | None:
    """Return the percentage of peers that rank lower, counting half of those on the same step; None among too few."""
    return (200 * below + 100 * equal) // (2 * peers) if peers >= FEWEST_PEERS else None
