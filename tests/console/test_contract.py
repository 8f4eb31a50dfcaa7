"""The pages of contracts, the form that awards work, and the queues of arbiters and validators."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from console.contract import award
from console.contract.pages import states_of
from console.forms import Form, FormState, period
from domain.common.access import Permission
from domain.escrow.contract import ContractStatus
from runtime.settings import Settings
from tests.console import rendering
from tests.console.answering import refused, said
from tests.console.fake import ME, ORG, OTHER, FakeApi, browser, problem
from tests.console.test_escrow import CONTRACT, DISPUTE, ESCROW, ID
from tests.console.walking import forms_of, text_of

BASE = f"/console/{ORG}"
ONE: dict[str, Any] = {
    **CONTRACT,
    "id": f"ctr_{ORG[4:]}",
    "title": "Summarise",
    "organization_id": ORG,
    "payee_org_id": OTHER,
    "status": "accepted",
    "payer_name": "Acme",
    "payee_name": "Studio",
    "agent_name": "Summariser",
    "agent_id": "agt_1",
    "outside_listing": [],
    "accept_by": None,
    "open_by": "2999-01-01T00:00:00Z",
    "milestones": [],
    "created_at": "2026-11-20T00:00:00Z",
}


def api(escrow: tuple[int, Any], org: str = ORG, *, is_seen: bool = True, **changes: Any) -> FakeApi:
    """Return the API for somebody of an organization; `escrow` is the answer for the contract's escrow."""
    who = {
        **ME,
        "organization": {"id": org, "name": "Acme", "tier": "free"},
        "permissions": ["read", "accept", "award"],
    }
    return FakeApi(
        answers={
            "GET /me": (200, who),
            f"GET /contracts/{ONE['id']}": (200, {**ONE, **changes}),
            f"GET /escrows/{ID}": escrow,
            "GET /agents/agt_1": (200, {"id": "agt_1"}) if is_seen else NONE,
        }
    )


NONE = problem(404, "not_found")
SILENT = problem(503, "service.unavailable")


async def shown(escrow: tuple[int, Any], org: str = ORG, **changes: Any) -> str:
    async with browser(api(escrow, org, **changes), signed_in=True) as client:
        answer = await client.get(f"/console/{org}/contracts/{ONE['id']}")
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.parametrize("is_seen", [True, False])
async def test_contract_leads_to_the_profile_of_an_agent_that_the_reader_sees(is_seen: bool) -> None:
    assert (f'href="{BASE}/marketplace/agt_1"' in await shown((200, ESCROW), is_seen=is_seen)) is is_seen
    assert (f"{rendering.BASE}/marketplace/agt_1" in listed({}, "agt_1" if is_seen else "")) is is_seen


@pytest.mark.parametrize("status", ContractStatus)
async def test_contract_offers_what_its_state_allows(status: ContractStatus) -> None:
    payer, payee = [await shown(NONE, org, status=status.value) for org in (ORG, OTHER)]
    assert (f"{ONE['id']}/open" in payer, f"{ONE['id']}/accept" in payer) == (status is ContractStatus.ACCEPTED, False)
    assert (f"{ONE['id']}/accept" in payee, f"{ONE['id']}/open" in payee) == (status is ContractStatus.PROPOSED, False)


async def test_contract_leads_to_its_escrow_and_opens_no_second_one() -> None:
    page = await shown((200, ESCROW))
    assert f'href="{BASE}/escrows/{ID}"' in page
    assert f"{ONE['id']}/open" not in page
    assert "Open escrow by" not in page
    assert "Open escrow by" in await shown(NONE)
    assert f"{ONE['id']}/open" not in await shown(SILENT)


async def test_contract_that_waited_too_long_offers_no_escrow() -> None:
    page = await shown(NONE, open_by="2026-01-01T00:00:00Z")
    assert f"{ONE['id']}/open" not in page
    assert "Its escrow was not opened in time. Hire the agent again." in page


def listed(states: dict[str, str] | None, *seen: str) -> str:
    return rendering.render("contract/list.html", rendering.list_page(), rows=[ONE], states=states, seen=seen)


async def test_contracts_without_an_escrow_stand_first() -> None:
    there = api(NONE)
    other = {**ONE, "id": "ctr_other", "title": "Without"}
    escrows = {"data": [{"contract_id": ONE["id"], "status": "funded"}], "next_cursor": None}
    there.answers |= {
        "GET /contracts": (200, {"data": [ONE, other], "next_cursor": None}),
        "GET /escrows": (200, escrows),
    }
    async with browser(there, signed_in=True) as client:
        text = text_of((await client.get(f"{BASE}/contracts")).text)
    assert re.search("Without Accepted Not opened .* Summarise Accepted Funded", text)


def test_nothing_is_said_of_escrows_that_are_not_all_known() -> None:
    for escrows in (refused(503, "internal"), said({"data": [], "next_cursor": "more"})):
        assert states_of(escrows) is None
    assert "not available right now" in listed(None)


@pytest.mark.parametrize(
    ("typed", "sent"),
    [("7", "P7D"), ("36h", "PT36H"), ("90 minutes", "PT90M"), ("1 day", "P1D"), ("P3D", "P3D"), ("soon", "soon")],
)
def test_periods_are_taken_as_people_write_them(typed: str, sent: str) -> None:
    assert period(typed) == sent


def test_periods_of_the_settings_have_their_largest_whole_unit() -> None:
    assert [award.iso(timedelta(hours=hours)) for hours in (24, 36, 168, 0.5)] == ["P1D", "PT36H", "P7D", "PT30M"]


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


def test_review_sends_the_same_again_and_names_the_least_that_is_paid_out() -> None:
    # 95 % of the 0.0996 that five credits cost in the largest plan by the year, each rounded down.
    least = award.least("5", "CREDIT", Settings())
    assert (least, award.least("five", "CREDIT", Settings())) == (("0.08", "USD"), ())
    agent = {"id": "agt_1", "name": "Summariser", "organization_name": "Studio"}
    sent = {"title": "T", "price": "5", "fund": "credits"}
    page = rendering.form_page(form=FormState(key="con_key"))
    values = {"it": agent, "sent": sent, "price": "5", "currency": "CREDIT", "least": least, "back": BASE}
    text = rendering.render("contract/review.html", page, **values)
    assert "5.00 credits will be moved from your credits into escrow" in text_of(text)
    assert "Work T Minimum payout 0.08 USD" in text_of(text)
    # People read who is hired, and never an id.
    assert "Summariser by Studio" in text_of(text)
    assert "agt_" not in text_of(text)
    [form] = forms_of(text)
    assert form.sent == {**sent, "command": "con_key", "confirmed": "yes"}


async def queue(at: str, role: str, *rows: dict[str, Any], cursor: str | None = None) -> str:
    """Return the text of a queue."""
    who = {**ME, "role": role, "organization": None, "permissions": [permission.value for permission in Permission]}
    there = FakeApi(answers={"GET /me": (200, who), "GET /escrows": (200, {"data": list(rows), "next_cursor": cursor})})
    async with browser(there, signed_in=True) as client:
        return text_of((await client.get(f"/console/platform/{at}")).text)


async def test_queue_has_the_most_urgent_first_and_says_what_is_overdue() -> None:
    now = datetime.now(UTC)
    late, soon = [
        {**DISPUTE, "decide_by": (now + timedelta(hours=hours, minutes=-5)).isoformat()} for hours in (-3, 49)
    ]
    both = [{**ESCROW, "status": "disputed", "dispute": each} for each in (soon, late)]
    text = await queue("decisions", "arbiter", *both)
    assert re.search("Overdue 3 hours ago 2 pieces .* Summarise the quarter in 2 days 2 pieces", text)
    assert "Only the most urgent are shown" not in text


async def test_queue_of_deliveries_says_the_score_that_is_needed() -> None:
    text = await queue("deliveries", "validator", {**ESCROW, "status": "delivered"}, cursor="more")
    assert "none yet, needs 80%" in text
    assert "Only the most urgent are shown" in text
