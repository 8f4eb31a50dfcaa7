"""The page of routing decisions built from the API's answers."""

from typing import Any

from console.economics import decisions
from console.forms import blank
from console.lists import ListQuery, ListResult
from tests.console.answering import said
from tests.console.fake import NAMING

CANDIDATE: dict[str, Any] = {
    **{"candidate": "gpt-4o-mini", "expected_cost": "0.0008123", "cost_from": "0.0005", "cost_to": "0.0012"},
    **{"quality": "0.7251", "chance": "1", "odds": "0.9995", "results": 12, "out": None, "why": "12 results count."},
}
OUT = CANDIDATE | {
    "candidate": "gpt-5",
    "expected_cost": None,
    "odds": "0",
    "out": "no_price",
    "why": "It has no price.",
}
DECISION: dict[str, Any] = {
    **{"id": "rtd_01kar6x0qmf9rv4w7n2h8d3s5c", "task_kind": "summary", "currency": "USD", "agent_id": None},
    **{"quality_at_least": "0.8", "value": "0.05", "max_cost": None, "choice": "gpt-4o-mini", "odds": "0.9995"},
    **{"ranking": [CANDIDATE, CANDIDATE | {"candidate": "gpt-4o", "odds": "0.0005"}, OUT]},
    "priced_at": {"amount": "0.0299", "currency": "USD"},
    "decided_at": "2026-01-18T10:30:00Z",
    "outcome": {"score": "0.9", "cost": "0.0011", "recorded_at": "2026-01-18T11:30:00Z"},
}


def shown(decision: dict[str, Any]) -> decisions.DecisionRow:
    asked = ListQuery(
        path="/console/org_1/economics/routing", given={}, query={}, form=blank(), zone="UTC", at_start=True
    )
    found = ListResult(asked=asked, answer=said({"data": [decision], "next_cursor": None}), extra={}, status=200)
    [row] = decisions.page(found, NAMING, "/models").rows
    return row


def plain(text: object) -> str:
    return str(text).replace("\N{NO-BREAK SPACE}", " ")


def test_decision_shows_request_choice_estimate_and_outcome() -> None:
    row = shown(DECISION)
    assert (row.kind, plain(row.wish)) == ("summary", "Score of at least 80%, worth 0.05 USD")
    assert ([part.text for part in row.choice], row.odds) == (["gpt-4o-mini"], "over 99.9%")
    assert (plain(row.expected), row.score, plain(row.cost)) == ("0.000812 USD", "90%", "0.0011 USD")
    assert plain(row.credit) == "0.0299 USD"


def test_candidates_show_probabilities_and_exclusions_show_reasons() -> None:
    first, rare, out = shown(DECISION).candidates
    assert plain(first.facts) == "Expected score 72.5%, cost 0.0005 USD to 0.0012 USD."
    assert (rare.odds, out.odds, out.facts, out.why) == ("under 0.1%", "Out", "", "It has no price.")


def test_decision_without_a_choice_shows_no_figures() -> None:
    nothing = {"choice": None, "odds": None, "outcome": None, "ranking": [OUT], "quality_at_least": None, "value": None}
    row = shown(DECISION | nothing | {"priced_at": None})
    assert (row.wish, row.choice, row.odds, row.expected, row.at, row.credit) == ("", (), "", None, None, None)
