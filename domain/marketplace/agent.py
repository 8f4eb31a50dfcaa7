"""The life of an agent: it can be hired and bought until it is retired."""

from enum import StrEnum

from domain.common.errors import Conflict


class AgentSort(StrEnum):
    """In which order agents are listed; those that are equal in it, newest first."""

    NEWEST = "newest"
    RATING = "rating"
    JOBS = "jobs"


class AgentRetired(Conflict):
    """The agent was retired, so nothing new can be started with it; `retired_at` says when."""

    code = "agent.retired"
