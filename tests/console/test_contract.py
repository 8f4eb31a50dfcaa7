"""The pages of contracts, the form that awards work, and the queues of arbiters and validators."""

from datetime import timedelta
from typing import Any

import pytest

from console.contract import award, view
from console.escrow import queue
from console.format import Prefs
from console.forms import Form, FormState, blank, period
from console.gateway import Answer
from console.lists import ListQuery, ListResult
from domain.escrow.contract import ContractStatus
from runtime.settings import Settings
from tests.console.answering import refused, said
from tests.console.fake import ORG
from tests.console.test_escrow import CONTRACT, DISPUTE, ESCROW, LATER, NOW

BASE = f"/console/{ORG}"
ONE: dict[str, Any] = {
    **CONTRACT,
    "id": f"ctr_{ORG[4:]}",
    "title": "Summarise",
    "status": "accepted",
    "payer_name": "Acme",
    "payee_name": "Studio",
    "agent_name": "Summariser",
    "agent_id": "agt_1",
    "outside_listing": [],
    "accept_by": None,
    "open_by": LATER,
    "milestones": [],
    "created_at": LATER,
}


def shown(
    escrow: Answer, *, accepts: bool = True, opens: bool = True, is_seen: bool = True, **changes: Any
) -> view.Contract:
    rights = {"accepts": accepts, "opens": opens, "is_seen": is_seen}
    return view.one({**ONE, **changes}, escrow, blank(), Prefs(), BASE, now=NOW, **rights)


def test_contract_leads_to_the_profile_of_an_agent_that_the_reader_sees() -> None:
    assert shown(said(ESCROW)).profile == f"{BASE}/marketplace/agt_1"
    assert shown(said(ESCROW), is_seen=False).profile == ""
    assert {row.profile for row in listed(None, "agt_1").rows} == {f"{BASE}/marketplace/agt_1"}
    assert {row.profile for row in listed(None).rows} == {""}


@pytest.mark.parametrize("status", ContractStatus)
def test_contract_offers_what_its_state_allows(status: ContractStatus) -> None:
    page = shown(refused(404, "not_found"), status=status.value)
    assert bool(page.accept) is (status is ContractStatus.PROPOSED)
    assert bool(page.open) is (status is ContractStatus.ACCEPTED)
    none = shown(refused(404, "not_found"), accepts=False, opens=False, status=status.value)
    assert (none.accept, none.open) == ("", "")


def test_contract_leads_to_its_escrow_and_opens_no_second_one() -> None:
    page = shown(said(ESCROW))
    assert page.escrow == f"{BASE}/escrows/esc_{ORG[4:]}"
    assert page.open == ""
    assert page.open_by is None
    assert shown(refused(404, "not_found")).open_by is not None
    assert shown(refused(503, "service.unavailable")).open == ""


def test_contract_that_waited_too_long_offers_no_escrow() -> None:
    page = shown(refused(404, "not_found"), open_by=NOW.isoformat())
    assert (page.open, page.next) == ("", "Its escrow was not opened in time. Hire the agent again.")


def listed(escrows: Answer | None, *seen: str) -> view.Contracts:
    other = {**ONE, "id": "ctr_other", "title": "Without"}
    asked = ListQuery(path=BASE, given={}, query={}, form=FormState(key=""), zone="UTC", at_start=True)
    answer = said({"data": [ONE, other], "next_cursor": None})
    found = ListResult(asked=asked, answer=answer, extra={}, status=200)
    return view.page(found, escrows, seen, Prefs(), f"{BASE}/contracts", "")


def test_contracts_without_an_escrow_stand_first() -> None:
    escrows = {"data": [{"contract_id": ONE["id"], "status": "funded"}], "next_cursor": None}
    assert [(row.title, row.without) for row in listed(said(escrows)).rows] == [("Without", True), ("Summarise", False)]


def test_nothing_is_said_of_escrows_that_are_not_all_known() -> None:
    for escrows in (None, refused(503, "internal"), said({"data": [], "next_cursor": "more"})):
        assert [row.without for row in listed(escrows).rows] == [False, False]


@pytest.mark.parametrize(
    ("typed", "sent"),
    [("7", "P7D"), ("36h", "PT36H"), ("90 minutes", "PT90M"), ("1 day", "P1D"), ("P3D", "P3D"), ("soon", "soon")],
)
def test_periods_are_taken_as_people_write_them(typed: str, sent: str) -> None:
    assert period(typed) == sent


def test_periods_of_the_settings_are_in_words() -> None:
    assert [award.in_words(timedelta(hours=hours), Prefs()) for hours in (24, 36, 168)] == [
        "1 day",
        "36 hours",
        "7 days",
    ]


def test_what_is_left_empty_is_left_to_the_api() -> None:
    form = Form(
        values={"title": "T", "price": "5", "agent_id": "agt", "signatories": " a,\nb ", "milestones": "One: 5"}
    )
    assert award.body(form) == {
        "agent_id": "agt",
        "title": "T",
        "price": "5",
        "signatories": ["a", "b"],
        "milestones": [{"name": "One", "amount": "5"}],
        "validation_threshold": None,
        "operator_approvals": False,
    }


def test_review_sends_the_same_again_under_the_same_key() -> None:
    form = Form(values={"title": "T", "price": "5", "fund": "credits"}, key="con_key")
    agent = {"id": "agt_1", "name": "Summariser", "organization_name": "Studio"}
    page = award.review(form, agent, Settings(), BASE, Prefs())
    assert page.form.key == "con_key"
    assert dict(page.fields) == form.values
    assert page.price.number == "5.00"
    # People read who is hired, and never an id.
    assert page.title == "Hire Summariser and pay 5.00\N{NO-BREAK SPACE}credits into escrow?"
    assert (page.face.name, page.face.author) == ("Summariser", "Studio")
    assert not [fact.value for fact in page.facts if "agt_" in fact.value]
    # 95 % of the 0.0996 that five credits cost in the largest plan by the year, each rounded down.
    assert {fact.label: fact.value for fact in page.facts}["Minimum payout"] == "0.08\N{NO-BREAK SPACE}USD"
    own = award.review(form, agent, Settings(), BASE, Prefs(), is_own=True)
    assert "Minimum payout" not in {fact.label for fact in own.facts}


def test_queue_has_the_most_urgent_first_and_says_what_is_overdue() -> None:
    late = {**DISPUTE, "decide_by": (NOW - timedelta(hours=3)).isoformat()}
    both = [{**ESCROW, "status": "disputed", "dispute": each} for each in (DISPUTE, late)]
    page = queue.page(
        queue.DECISIONS, said({"data": both, "next_cursor": None}), Prefs(), NOW, "/console/platform/decisions", BASE
    )
    assert [(row.left, row.overdue, row.said) for row in page.rows] == [
        ("3 hours ago", True, "2 pieces"),
        ("in 2 days", False, "2 pieces"),
    ]


def test_queue_of_deliveries_says_the_score_that_is_needed() -> None:
    answer = said({"data": [{**ESCROW, "status": "delivered"}], "next_cursor": "more"})
    page = queue.page(queue.DELIVERIES, answer, Prefs(), NOW, "/console/platform/deliveries", BASE)
    assert page.rows[0].said == "none yet, needs 80%"
    assert page.more
