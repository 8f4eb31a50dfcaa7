"""Agents on the marketplace: the orders in which they are listed."""

from enum import StrEnum


class AgentSort(StrEnum):
    """Order of a list of agents; ties are listed newest first."""

    NEWEST = "newest"
    RATING = "rating"
    JOBS = "jobs"
