"""Pages of an action that waits or was blocked, of a case's links, and of a backtest."""

import re

from console.charts.links import drawn, nodes_of
from console.forms import Form
from console.risk.case.pages import decision
from console.risk.list_item.pages import entry
from domain.common.access import Permission
from tests.console.fake import ME, NAMING, ORG, OWN, FakeApi, browser, problem
from tests.console.rendering import form_page, render

CASE, DECISION = "rcs_01kar6h2d8e4wvq3r5s7t9x1zy", "rsd_01kar6h2d8e4wvq3r5s7t9x1zy"
KEY = "con_0123456789abcdef"
REVIEW = problem(202, "risk.in_review", decision_id=DECISION, case_id=CASE)
BLOCK = problem(403, "risk.blocked", decision_id=DECISION)
FILE = {
    "nodes": [
        {"id": f"organization:{ORG}", "kind": "organization", "is_affected": True},
        {"id": "device:5f0c9a1b", "kind": "device", "is_affected": False},
        {"id": "organization:org_2", "kind": "organization", "is_affected": False},
    ],
    "edges": [
        {"organization_id": ORG, "entity": "device:5f0c9a1b"},
        {"organization_id": "org_2", "entity": "device:5f0c9a1b"},
    ],
}


async def freeze(answer: tuple[int, dict[str, object]], *permissions: str) -> tuple[int, str]:
    me = {**ME, "permissions": ["read", "read_billing", "manage_billing", *permissions]}
    api = FakeApi(answers={"GET /me": (200, me), "POST /cards/crd_1/freeze": answer})
    async with browser(api, signed_in=True) as client:
        shown = await client.post(f"/console/{ORG}/cards/crd_1/freeze", data={"command": KEY}, headers=OWN)
    return shown.status_code, shown.text


async def test_action_in_review_leads_to_its_review_and_is_sent_again_with_the_same_key() -> None:
    status, page = await freeze(REVIEW)

    assert status == 202
    assert "This is being reviewed" in page
    assert f'href="/console/{ORG}/reviews/{CASE}"' in page
    assert f'name="command" value="{KEY}"' in page
    assert f'action="/console/{ORG}/cards/crd_1/freeze"' in page


async def test_blocked_action_leads_to_the_appeal_of_its_decision_for_those_who_may() -> None:
    appeal = f'href="/console/{ORG}/reviews/decisions/{DECISION}/appeal"'

    assert appeal in (await freeze(BLOCK, "contest"))[1]
    assert appeal not in (await freeze(BLOCK))[1]


def test_links_are_drawn_between_neighbours_and_listed_with_their_numbers() -> None:
    nodes = nodes_of(FILE, NAMING)

    assert [(node.number, node.kind, node.linked) for node in nodes] == [
        (1, "organization", (2,)),
        (2, "device", (1, 3)),
        (3, "organization", (2,)),
    ]
    svg = str(drawn(nodes))
    assert (svg.count("<path"), svg.count("<circle"), svg.count("<rect")) == (2, 2, 1)
    assert 'class="affected"' in svg


def test_many_links_are_drawn_without_names_and_end_where_they_cannot_be_told_apart() -> None:
    many = [{"id": f"organization:org_{number}", "kind": "organization", "is_affected": False} for number in range(30)]
    svg = str(drawn(nodes_of({"nodes": many, "edges": []}, NAMING)))

    assert svg.count("<circle") == 24
    assert 'class="name"' not in svg


def test_a_refusal_blocks_what_was_chosen_and_a_release_allows_it() -> None:
    for result, listed in (("refuse", "block"), ("release", "allow")):
        form = Form(values={"result": result, "reason": "Known", "days": "30"}, lists={"entities": ("device:5f",)})
        assert decision(form)["entries"] == [{"entity": "device:5f", "list": listed, "days": 30}]


def test_the_last_day_on_a_list_counts_whole() -> None:
    form = Form(values={"kind": "key", "value": "key_1", "reason": "Known", "ends_at": "2026-12-31"})

    assert entry(form)["ends_at"] == "2027-01-01T00:00:00+00:00"


def test_backtest_says_how_many_it_would_stop_of_whom_and_with_what_money() -> None:
    found = {
        **{"decisions": 4_000, "matching": 41, "newly_stopped": 38, "newly_allowed": 2, "organizations": 7},
        "value": [{"currency": "USD", "amount": "1234.50"}],
        "labels": {"fraud": 30, "legitimate": 1, "unknown": 9},
        "most_affected": [{"organization_id": ORG, "decisions": 12}],
        **{"is_cut": False, "needs_two_operators": True, "samples": [DECISION]},
    }
    page = render(
        "risk/rule/backtest.html",
        form_page(label="Run backtest"),
        Permission.RISK_RULES,
        it={"name": "many"},
        found=found,
        naming=NAMING,
    )

    words = re.sub(r"<[^>]+>|\s+", " ", page)
    assert "Of 4,000 decisions; it matches 41." in words
    assert "1,234.50" in page
    assert "another operator has to approve" in page
    assert f"/risk/decisions/{DECISION}" in page
