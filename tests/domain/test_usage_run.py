"""Cost of a run of agents."""

import random
from collections.abc import Sequence

from domain.usage.run import RunPart, cost_of


def part(step: str | None, parent: str | None, pico: int | None, agent: str | None = "a", **more: object) -> RunPart:
    given = {"currency": None if pico is None else "USD", "events": 1, "tokens": 2, **more}
    return RunPart(agent_id=agent, step_id=step, parent_id=parent, cost_pico=pico, **given)


def totals(parts: Sequence[RunPart]) -> dict[str, int]:
    return {step.id: step.total.pico.get("USD", 0) for step in cost_of(parts).steps}


def test_step_totals_include_their_children() -> None:
    parts = [
        part("plan", None, 100),
        part("search", "plan", 10, agent="b"),
        part("search", None, 5, agent="b"),
        part("read", "search", 1, agent="c"),
        part(None, None, 1000),
        part("read", "search", None, agent="c"),
    ]
    run = cost_of(parts)
    assert totals(parts) == {"plan": 116, "search": 16, "read": 1}
    assert {step.id: step.own.pico["USD"] for step in run.steps} == {"plan": 100, "search": 15, "read": 1}
    assert {step.id: step.parent_id for step in run.steps} == {"plan": None, "search": "plan", "read": "search"}
    assert (run.total.pico, run.total.events, run.total.unrated, run.total.tokens) == ({"USD": 1116}, 6, 1, 12)
    assert {agent: cost.pico for agent, cost in run.by_agent.items()} == {
        "a": {"USD": 1100},
        "b": {"USD": 15},
        "c": {"USD": 1},
    }


def test_parent_without_events_of_its_own_is_a_step() -> None:
    assert totals([part("a", "root", 1), part("b", "root", 2)]) == {"a": 1, "b": 2, "root": 3}


def test_currencies_are_separate() -> None:
    run = cost_of([part("a", None, 1), part("a", None, 5, currency="CREDIT")])
    assert run.total.pico == run.steps[0].total.pico == {"USD": 1, "CREDIT": 5}


def test_cyclic_steps_count_their_descendants() -> None:
    parts = [part("a", "b", 1), part("b", "a", 2), part("c", "c", 4), part("d", "a", 8)]
    assert totals(parts) == {"a": 9, "b": 2, "c": 4, "d": 8}


def test_deepest_run_is_added_up_at_once() -> None:
    chain = [part(str(number), str(number - 1) if number else None, 1) for number in range(5_000)]
    random.Random(1).shuffle(chain)
    found = totals(chain)
    assert [found["0"], found["4999"], found["2500"]] == [5_000, 1, 2_500]
