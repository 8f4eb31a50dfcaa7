"""The log of agents, the figures of models and the decisions of routing, as the API answers them."""

import html
import re
from typing import Any

from console.economics import pages
from domain.budgets.economics import TransactionType
from tests.console.fake import NAMING, ORG, FakeApi, browser, problem
from tests.console.rendering import list_page, render
from tests.console.strict import read

ENTRY: dict[str, Any] = {
    "timestamp": "2026-01-18T10:30:00Z",
    "agent_id": "agt_01kar6x0qmf9rv4w7n2h8d3s5c",
    "project_id": None,
    "object_id": "ctl_01kar6x0qmf9rv4w7n2h8d3s5c",
    "transaction_type": "purchase_attempt",
    "item": "GitHub Copilot subscription",
    "amount": {"value": "10.00", "currency": "USD"},
    "status": "declined_over_budget",
    "alternative_action": "found_free_codeium_alternative",
    "budget_remaining": {"daily": "5", "project": "245"},
}
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
CANDIDATE: dict[str, Any] = {
    **{"candidate": "gpt-4o-mini", "expected_cost": "0.0008123", "cost_from": "0.0005", "cost_to": "0.0012"},
    **{"quality": "0.7251", "chance": "1", "odds": "0.9995", "results": 12, "out": None, "why": "12 results count."},
}
OUT = CANDIDATE | {"candidate": "gpt-5", "expected_cost": None, "odds": "0", "out": "no_price", "why": "No price."}
DECISION: dict[str, Any] = {
    **{"id": "rtd_01kar6x0qmf9rv4w7n2h8d3s5c", "task_kind": "summary", "currency": "USD", "agent_id": None},
    **{"quality_at_least": "0.8", "value": "0.05", "max_cost": None, "choice": "gpt-4o-mini", "odds": "0.9995"},
    **{"ranking": [CANDIDATE, CANDIDATE | {"candidate": "gpt-4o", "odds": "0.0005"}, OUT]},
    "priced_at": {"amount": "0.0299", "currency": "USD"},
    "decided_at": "2026-01-18T10:30:00Z",
    "outcome": {
        **{"score": "0.9", "cost": "0.0011", "source": "x", "reference": "x"},
        "recorded_at": "2026-01-18T11:30:00Z",
    },
}


def plain(text: str) -> str:
    """Return the words of HTML with plain spaces and minus signs."""
    words = html.unescape(re.sub(r"<[^>]*>", " ", text))
    return " ".join(words.replace("\N{MINUS SIGN}", "-").split())


def log(**changes: Any) -> str:
    types = {str(each): words for each, words in pages.TYPES.items()}
    rows = (ENTRY | changes,)
    return plain(render("economics/list.html", list_page(), rows=rows, naming=NAMING, types=types))


def routing(**changes: Any) -> str:
    helpers = {name: getattr(pages, name) for name in ("wish", "taken", "short", "share")}
    rows = (DECISION | changes,)
    return plain(render("economics/routing/list.html", list_page(), rows=rows, naming=NAMING, **helpers))


async def models(*lines: dict[str, Any], compared: Any = None, **given: str) -> tuple[int, str]:
    figures = {"data": list(lines), "complete": False, "self_reported": 2}
    api = FakeApi(answers={"GET /economics/models": (200, figures), "GET /economics/models/compare": compared})
    async with browser(api, signed_in=True) as client:
        answer = await client.get(f"/console/{ORG}/economics/models", params=given)
    assert read(answer.text).problems == []
    return answer.status_code, plain(answer.text)


def test_entry_shows_refusal_alternative_and_remainder() -> None:
    text = log()
    for words in ("Attempt to pay", "Over budget", "Alternative: Found free codeium", "Today: 5 Project: 245"):
        assert words in text


def test_entry_without_a_name_is_called_by_its_type() -> None:
    text = log(item="payout", transaction_type="payout", status="succeeded", alternative_action=None, object_id=None)
    assert text.count("Payout") == 1
    assert "Alternative" not in text


def test_every_type_of_entry_has_words() -> None:
    assert set(pages.TYPES) == set(TransactionType)


def test_decision_shows_request_choice_estimate_and_outcome() -> None:
    text = routing()
    for words in ("Score of at least 80%, worth 0.05 USD", "over 99.9%", "0.000812 USD", "Score 90%, 0.0011 USD"):
        assert words in text
    assert "A credit is worth 0.0299 USD." in text
    assert "Expected score 72.5%, cost 0.0005 USD to 0.0012 USD." in text
    assert "gpt-4o under 0.1%" in text
    assert "gpt-5 Excluded No price." in text


def test_decision_without_a_choice_shows_no_figures() -> None:
    nothing = dict.fromkeys(("choice", "odds", "outcome", "quality_at_least", "value", "priced_at"))
    text = routing(**nothing, ranking=[OUT])
    assert "No candidate" in text
    assert "USD" not in text


async def test_model_has_its_class_figures_of_three_digits_and_what_is_left_out() -> None:
    _, text = await models(LINE)
    for words in (
        *("gpt-5 With reasoning Medium, can reason, openai 1,200 1.50 USD 0.0375 USD 51.24", "9 of 12 46.8% to 91.1%"),
        *("0.000351 USD", "Not counted: 2 results", "too many results to count all"),
    ):
        assert words in text


async def test_group_without_costs_and_results_says_so() -> None:
    nothing = ("model", "mode", "currency", "cost_per_1000_tokens", "cost_per_accepted_result", "success", "size")
    more = ("output_tokens_per_second", "reasoning", "provider", "family")
    _, text = await models({**LINE, **dict.fromkeys((*nothing, *more)), "cost": "0"})
    assert "Without reported calls 1,200 No price No results" in text
    assert pages.name_of({**LINE, **dict.fromkeys(("model", "family", "mode")), "task_kind": "summary"}) == "summary"


async def test_comparison_is_a_sentence_with_its_figures_and_a_caution() -> None:
    _, text = await models(LINE, compared=(200, COMPARED), a="gpt-4o", b="gpt-5:thinking")
    for words in (
        *("gpt-5:thinking is worth it over gpt-4o.", "not chosen at random"),
        *("60 of 90 results with gpt-4o, 50 of 70 with gpt-5:thinking", "0.0123 USD (0.0101 USD to 0.0145 USD)"),
        *("10.1 percentage points (-2 to 20)", "-12 percentage points", "0.123 USD", "2.00 USD"),
    ):
        assert words in text


async def test_models_that_have_nothing_in_common_have_no_figures() -> None:
    nothing = ("cost_difference", "success_difference", "naive_success_difference", "cost_per_additional_success")
    body = {**COMPARED, **dict.fromkeys((*nothing, "value")), "verdict": "not_enough_data"}
    _, text = await models(compared=(200, body), a="gpt-4o", b="gpt-5:thinking")
    assert "Not enough data to prefer gpt-4o or gpt-5:thinking." in text
    assert "percentage points" not in text


async def test_models_that_cannot_be_compared_are_an_error_at_the_field() -> None:
    refused = problem(422, "request.invalid", "Send two different models.")
    status, text = await models(LINE, compared=refused, a="gpt-5", b="gpt-5", value="x")
    assert (status, "Send two different models." in text) == (422, True)


def test_a_figure_that_is_not_zero_has_digits_that_count() -> None:
    assert [pages.shortened(each) for each in ("0", "1.239", "0.000350877193")] == ["0.00", "1.24", "0.000351"]
