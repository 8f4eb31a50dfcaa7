"""The page of the agent log: texts of entries and remaining budgets."""

from typing import Any

from console.economics import view
from console.forms import blank
from console.lists import ListQuery, ListResult
from domain.budgets.economics import TransactionType
from tests.console.answering import said
from tests.console.fake import NAMING

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


def log(*rows: dict[str, Any], following: str | None = None, **given: str) -> view.Log:
    asked = ListQuery(path="/console/org_1/economics", given=given, query={}, form=blank(), zone="UTC", at_start=True)
    answer = said({"data": list(rows), "next_cursor": following})
    return view.page(ListResult(asked=asked, answer=answer, extra={}, status=200), NAMING)


def test_entry_shows_refusal_alternative_and_remainder() -> None:
    [row] = log(ENTRY).rows
    assert (row.item, row.what, row.status.word) == ("GitHub Copilot subscription", "Attempt to pay", "Over budget")
    assert (row.instead, row.left) == ("Alternative: Found free codeium alternative", ("Today: 5", "Project: 245"))


def test_entry_without_a_name_is_called_by_its_type() -> None:
    payout = {"item": "payout", "transaction_type": "payout", "status": "succeeded", "alternative_action": None}
    left = {"daily": None, "project": None}
    [row] = log(ENTRY | payout | {"agent_id": None, "object_id": None, "budget_remaining": left}).rows
    assert (row.item, row.what, row.href, row.instead, row.left) == ("Payout", "", "", "", ())


def test_every_type_has_words_and_chosen_ones_are_shown_by_them() -> None:
    assert set(view.TYPES) == set(TransactionType)
    page = log(transaction_type="payout_reversal", status="declined_credits")
    assert [chip.value for chip in page.listed.chips] == ["Payout reversed", "Not enough credits"]


def test_log_shows_that_older_entries_exist() -> None:
    assert log(following="c", status="unknown").goes_on
    assert not log(status="unknown").goes_on
