"""What the page of models makes of the API's answers."""

from datetime import date
from typing import Any

import pytest

from console.economics import models
from console.format import Prefs
from console.gateway import Answer, Problem

PREFS = Prefs()
LINE: dict[str, Any] = {
    **{"model": "gpt-5", "mode": "thinking", "task_kind": None, "provider": "openai", "family": "gpt"},
    **{"size": "medium", "reasoning": True, "currency": "USD", "calls": 1200, "estimated_calls": 3, "tokens": 40_000},
    **{"output_tokens": 3000, "cost": "1.5", "cost_per_1000_tokens": "0.0375", "cost_per_call": "0.00125"},
    **{"results": 12, "accepted_results": 9, "cost_per_accepted_result": "0.000350877193"},
    **{"output_tokens_per_second": "51.239", "score": "0.8"},
    "success": {"value": "0.75", "low": "0.467674", "high": "0.911058"},
}
COMPARED: dict[str, Any] = {
    **{"a": "gpt-4o", "b": "gpt-5:thinking", "currency": "USD", "verdict": "worth_it", "randomised": False},
    **{"results_a": 90, "results_b": 70, "compared_a": 60, "compared_b": 50, "groups": 3, "value": "2"},
    "cost_difference": {"value": "0.012345", "low": "0.0101", "high": "0.0145"},
    "success_difference": {"value": "0.10051", "low": "-0.02", "high": "0.2"},
    **{"naive_success_difference": "-0.12", "cost_per_additional_success": "0.1228"},
}


def answer(body: Any, status: int = 200, problem: Problem | None = None) -> Answer:
    return Answer(status=status, body=body, problem=problem, request_id="req_1")


def plain(text: object) -> str:
    """Return a text with plain spaces and minus signs."""
    return str(text).replace("\N{NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-")


def shown(*lines: dict[str, Any], compared: Answer | None = None, **given: str) -> models.Models:
    of = models.chosen(given, date(2026, 11, 22), "/console/org_1/economics/models")
    body = answer({"data": list(lines), "complete": False, "self_reported": 2})
    answers = {"figures": body, "models": body} | ({} if compared is None else {"compared": compared})
    return models.page(of, answers, PREFS)


def test_row_has_the_class_of_its_model_and_figures_of_three_digits() -> None:
    [row] = shown(LINE).rows
    assert (row.name, row.notes) == ("gpt-5", ("With reasoning", "Medium, can reason, openai"))
    assert (row.calls, plain(row.cost), row.speed) == ("1,200", "1.50 USD", "51.24")
    assert (plain(row.per_tokens), plain(row.per_accepted)) == ("0.0375 USD", "0.000351 USD")
    assert (row.accepted, row.range) == ("9 of 12", "46.8% to 91.1%")


def test_row_without_costs_and_results_says_nothing_of_them() -> None:
    nothing = dict.fromkeys(("currency", "cost_per_1000_tokens", "cost_per_accepted_result", "success", "size"))
    silent = {**LINE, **nothing, "model": None, "mode": None, "output_tokens_per_second": None, "reasoning": None}
    [row] = shown({**silent, "provider": None, "family": None, "cost": "0"}).rows
    assert (row.name, row.notes) == ("Without reported calls", ())
    assert (row.cost, row.per_tokens, row.per_accepted, row.accepted, row.speed) == (None, None, None, "", "")
    [kind] = shown({**LINE, **dict.fromkeys(("model", "family", "mode")), "task_kind": "summary"}, by="task_kind").rows
    assert kind.name == "summary"


def test_page_says_what_its_figures_leave_out() -> None:
    assert shown(LINE).notes == (
        "Not counted: 2 results that agents reported on themselves.",
        "The period has too many results to count all. Choose a shorter one.",
    )


def test_comparison_is_a_sentence_with_its_figures_and_a_caution() -> None:
    found = shown(LINE, compared=answer(COMPARED)).difference
    assert found is not None
    assert (found.tone, found.sentence) == ("good", "gpt-5:thinking is worth it over gpt-4o.")
    assert "not chosen at random" in found.caution
    assert {label: plain(text) for label, text in found.facts} == {
        "Compared": "60 of 90 results with gpt-4o, 50 of 70 with gpt-5:thinking",
        "Extra cost per run": "0.0123 USD (0.0101 USD to 0.0145 USD)",
        "More often accepted": "10.1 percentage points (-2 to 20)",
        "Ignoring the kind of task": "-12 percentage points",
        "Cost of one more accepted result": "0.123 USD",
        "Value of an accepted result": "2.00 USD",
    }
    drawn = shown(LINE, compared=answer({**COMPARED, "randomised": True})).difference
    assert drawn is not None
    assert drawn.caution.startswith("The models were chosen at random")


def test_comparison_of_models_that_have_nothing_in_common_has_no_figures() -> None:
    nothing = ("cost_difference", "success_difference", "naive_success_difference", "cost_per_additional_success")
    found = shown(compared=answer({**COMPARED, **dict.fromkeys((*nothing, "value")), "verdict": "not_enough_data"}))
    assert found.difference is not None
    assert [label for label, _ in found.difference.facts] == ["Compared"]


def test_what_cannot_be_compared_is_said_at_its_field() -> None:
    problem = Problem(status=422, code="request.invalid", title="", detail="Send two different models.", errors=())
    found = shown(LINE, compared=answer(None, 422, problem), a="gpt-5", b="gpt-5", value="x")
    assert found.form.errors
    assert found.difference is None
    assert found.form.value("a") == "gpt-5"


@pytest.mark.parametrize(("given", "since"), [({}, "2026-10-24"), ({"period": "7"}, "2026-11-16")])
def test_period_ends_today_and_has_so_many_days(given: dict[str, str], since: str) -> None:
    of = models.chosen(given, date(2026, 11, 22), "/x")
    _, asked = models.question(of, {})["figures"]
    assert asked == {"from": f"{since}T00:00:00Z", "by": "model,mode"}
