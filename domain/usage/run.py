"""The cost of a run of agents: in total, by agent, and by step including the steps below it. Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPart:
    """The sum of events of one agent, step and currency; events without a step belong to the run itself."""

    agent_id: str | None
    step_id: str | None
    parent_id: str | None
    currency: str | None
    events: int
    cost_pico: int | None
    tokens: int = 0


@dataclass(slots=True)
class RunTotal:
    """The cost of some events by currency, and their number."""

    events: int = 0
    tokens: int = 0
    unrated: int = 0
    pico: dict[str, int] = field(default_factory=dict)

    def add(self, part: RunPart) -> None:
        """Add events."""
        self.events += part.events
        self.tokens += part.tokens
        if part.cost_pico is None or part.currency is None:
            self.unrated += part.events
        else:
            self.pico[part.currency] = self.pico.get(part.currency, 0) + part.cost_pico

    def merge(self, other: "RunTotal") -> None:
        """Add another total."""
        self.events += other.events
        self.tokens += other.tokens
        self.unrated += other.unrated
        for currency, pico in other.pico.items():
            self.pico[currency] = self.pico.get(currency, 0) + pico


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStep:
    """One step of a run.

    Attributes:
        parent_id: the step that started it; None for the first steps of the run.
        agents: the agents that worked on it.
        own: the cost of its own events.
        total: its cost including all steps below it.
    """

    id: str
    parent_id: str | None
    agents: tuple[str, ...]
    own: RunTotal
    total: RunTotal


@dataclass(frozen=True, slots=True, kw_only=True)
class RunCost:
    """The cost of a run."""

    total: RunTotal
    by_agent: Mapping[str, RunTotal]
    steps: tuple[RunStep, ...]


def cost_of(parts: Iterable[RunPart]) -> RunCost:
    """Add up the events of a run.

    A step's parent is the first one that any of its events names. Steps that form a cycle, which is a sender's mistake,
    include the steps below them, but not each other.
    """
    total, by_agent, own = RunTotal(), defaultdict[str, RunTotal](RunTotal), dict[str, RunTotal]()
    parents: dict[str, str | None] = {}
    agents: dict[str, dict[str, None]] = defaultdict(dict)
    for part in parts:
        total.add(part)
        by_agent[part.agent_id or ""].add(part)
        if part.step_id is None:
            continue
        own.setdefault(part.step_id, RunTotal()).add(part)
        if part.agent_id is not None:
            agents[part.step_id][part.agent_id] = None
        if part.parent_id is not None and parents.get(part.step_id) is None:
            parents[part.step_id] = part.parent_id
            # A parent without an event of its own is a step as well.
            own.setdefault(part.parent_id, RunTotal())
    totals = _with_what_is_below(own, parents)
    steps = (
        RunStep(id=name, parent_id=parents.get(name), agents=tuple(agents[name]), own=own[name], total=totals[name])
        for name in own
    )
    return RunCost(total=total, by_agent=dict(by_agent), steps=tuple(steps))


def _with_what_is_below(own: Mapping[str, RunTotal], parents: Mapping[str, str | None]) -> dict[str, RunTotal]:
    """Add each step to its parent once all steps below it were added to it."""
    waiting = Counter(parent for parent in parents.values() if parent is not None)
    totals = {name: RunTotal() for name in own}
    for name, cost in own.items():
        totals[name].merge(cost)
    ready = [name for name in own if not waiting[name]]
    while ready:
        name = ready.pop()
        parent = parents.get(name)
        if parent is None:
            continue
        totals[parent].merge(totals[name])
        waiting[parent] -= 1
        if not waiting[parent]:
            ready.append(parent)
    return totals
