"""The attribution of a request: the department, project, agent and run that a key may name.

A caller cannot choose the limits that apply. Owners and admins attribute agents and keys to departments and projects; a
request can name these or a part of the department, and omitted fields have the key's own attribution.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from domain.common.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """The department and project that a key or an agent is attributed to; None if not set."""

    department_id: str | None = None
    project_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingKey:
    """The key of a request.

    Attributes:
        agent_id: the one agent that it acts for; it can only name what it or its agent is attributed to.
        attribution: its own, and where it has none its agent's.
    """

    key_id: str
    agent_id: str | None = None
    attribution: Attribution = Attribution()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestedScope:
    """The attribution that a request names; None for omitted fields."""

    agent_id: str | None = None
    department_id: str | None = None
    project_id: str | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeObjects:
    """The organization's agents, departments and projects that a request names.

    Attributes:
        agents: the organization's own agents among those named, with their attribution.
        departments: the path of each open department that is named, or that the key or the agent is attributed to: the
            ids from the topmost department to itself.
        projects: the organization's projects among those named.
    """

    agents: Mapping[str, Attribution] = field(default_factory=dict)
    departments: Mapping[str, Sequence[str]] = field(default_factory=dict)
    projects: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The attribution of one spend, which decides the controls that apply to it."""

    key_id: str
    agent_id: str | None = None
    department_id: str | None = None
    project_id: str | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendOrigin:
    """Origin of a spend: the principal that made it, and its attribution.

    `path` are the ids from the topmost department to the spend's own; empty where it has none.
    """

    principal: str | None
    agent_id: str | None
    path: Sequence[str]
    project_id: str | None


_NOTHING = ScopeObjects()


def needs_lookup(key: SpendingKey, named: RequestedScope) -> bool:
    """Return whether `scope_of` needs a lookup: not for a request that names nothing, or only its own agent."""
    return any((named.department_id, named.project_id, named.agent_id not in {None, key.agent_id}))


def scope_of(key: SpendingKey, named: RequestedScope, known: ScopeObjects = _NOTHING) -> Scope:
    """Return the attribution of a request.

    Raises:
        Invalid: it names something that does not exist, is closed, or that the key may not use.
    """
    agent_id, agent = _agent(key, named, known)
    confined = key.agent_id is not None
    own = key.attribution
    return Scope(
        key_id=key.key_id,
        agent_id=agent_id,
        department_id=_department(named.department_id, own.department_id, agent.department_id, confined, known),
        project_id=_project(named.project_id, own.project_id, agent.project_id, confined, known),
        run_id=named.run_id,
    )


def is_own(key: SpendingKey, principal: str, made: SpendOrigin) -> bool:
    """Return whether a spend is a key's own: to read and, as a reservation, to capture, release and extend.

    An agent's key owns the spends of its agent. Any other key owns those of its principal, and those that match its
    department, or a part of it, and project. Without these it owns all.
    """
    if key.agent_id is not None:
        return key.agent_id == made.agent_id
    own = key.attribution
    return made.principal == principal or (
        (own.department_id is None or own.department_id in made.path)
        and (own.project_id is None or own.project_id == made.project_id)
    )


def _agent(key: SpendingKey, named: RequestedScope, known: ScopeObjects) -> tuple[str | None, Attribution]:
    if named.agent_id in {None, key.agent_id}:
        return key.agent_id, Attribution()
    assert named.agent_id is not None
    if key.agent_id is not None:
        raise _refused("agent_id", "This key spends for its own agent only.")
    if named.agent_id not in known.agents:
        raise _refused("agent_id", "The organization has no such agent.")
    return named.agent_id, known.agents[named.agent_id]


def _department(
    asked: str | None, own: str | None, agents: str | None, confined: bool, known: ScopeObjects
) -> str | None:
    paths = known.departments

    def within(inner: str, outer: str) -> bool:
        return inner == outer or outer in paths.get(inner, ())

    if own is not None and agents is not None and not within(own, agents):
        if not within(agents, own):
            raise _refused("agent_id", "This agent belongs to a department that the key may not use.")
        own = agents
    bound = own if own is not None else agents
    if asked is None or asked == bound:
        return bound
    if asked not in paths:
        raise _refused("department_id", "The organization has no such open department.")
    if (bound is None and confined) or (bound is not None and not within(asked, bound)):
        raise _refused("department_id", "This key may not spend for this department.")
    return asked


def _project(asked: str | None, own: str | None, agents: str | None, confined: bool, known: ScopeObjects) -> str | None:
    if own is not None and agents is not None and own != agents:
        raise _refused("agent_id", "This agent belongs to a project that the key may not use.")
    bound = own if own is not None else agents
    if asked is None or asked == bound:
        return bound
    if asked not in known.projects:
        raise _refused("project_id", "The organization has no such project.")
    if bound is not None or confined:
        raise _refused("project_id", "This key may not spend for this project.")
    return asked


def _refused(field_name: str, why: str) -> Invalid:
    return Invalid(why, extra={"field": field_name})
