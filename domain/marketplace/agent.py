"""The life of an agent: it can be hired and bought until it is retired."""

from enum import StrEnum


class AgentSort(StrEnum):
    """In which order agents are listed; those that are equal in it, newest first."""

    NEWEST = "newest"
    RATING = "rating"
    JOBS = "jobs"
