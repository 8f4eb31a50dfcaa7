"""The score for an agent's terms, as the database has it."""

from dataclasses import dataclass
from datetime import date

import asyncpg


@dataclass(frozen=True, slots=True)
class Seasoned:
    """An agent's overall score by evidence whose payments can no longer be charged back, as shares in millionths.

    Attributes:
        stars_e6: the mean, one half for an agent without such evidence.
        rank_e6: the mean less one standard deviation, with a prior of one half, which no new work raises.
        evidence_count: how many whole units of evidence that is: each event by its weight, one at most.
    """

    stars_e6: int
    rank_e6: int
    evidence_count: int


async def seasoned(connection: asyncpg.Connection | asyncpg.Pool, agent_id: str, day: date) -> Seasoned:
    """Return the score for an agent's terms on a day, see `domain.reputation.policy`. Needs the platform's role."""
    [row] = await connection.fetch("SELECT * FROM reputation_seasoned_score($1, $2)", agent_id, day)
    return Seasoned(*(int(value) for value in row))
