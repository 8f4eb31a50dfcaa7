"""The life of an agent: it can be hired and bought until it is retired."""

from domain.common.errors import Conflict


class AgentRetired(Conflict):
    """The agent was retired, so nothing new can be started with it; `retired_at` says when."""

    code = "agent.retired"
