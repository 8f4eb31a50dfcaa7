"""The pages and forms of limits and budgets: what each state shows and offers, and what a form sends."""

import re
from typing import Any

import pytest

from console.format import DEFAULT
from console.forms import Form
from console.mentions import Naming
from console.spend_control.pages import meters, names, stated, typed
from console.spend_control.subjects import called
from domain.common.access import Permission
from tests.console.answering import refused, said
from tests.console.fake import NAMING
from tests.console.rendering import BASE, list_page, object_page, render

AT = "2026-11-22T09:00:00Z"
ESCROW, ORDER = "esc_01kar6x0qmf9rv4w7n2h8d3s5c", "por_01kar6x0qmf9rv4w7n2h8d3s5c"
WRITER = "agt_01kar6x0qmf9rv4w7n2h8d3s5c"
LIMIT: dict[str, Any] = {
    **{"window": "month", "amount": "100.00", "uses": None, "hard": True, "spent": "80.00", "held": "10.00"},
    **{"remaining": "10.00", "uses_spent": 4, "uses_remaining": None, "resets_at": "2026-12-01T00:00:00Z"},
}
CONTROL: dict[str, Any] = {
    **{"id": "ctl_1", "subject": {"type": "organization", "id": "org_1", "name": "Acme"}, "parent_id": None},
    **{"currency": "CREDIT", "time_zone": "UTC", "status": "active", "version": 3, "limits": [LIMIT]},
    **{"per_spend": None, "thresholds": ["0.5", "1"], "starts_at": None, "ends_at": None, "created_at": AT},
}
POOL = {"amount": "30.00", "held": "0.00", "spent": "5.00", "remaining": "25.00"}
WEEK: dict[str, Any] = {
    **{"window": "week", "amount": "100.00", "uses": 9, "uses_spent": 2, "uses_remaining": 7, "operating": POOL},
    **{"reserve": {**POOL, "amount": "50.00", "spent": "0.00", "remaining": "50.00"}, "emergency": None},
    **{"allowance": None, "resets_at": "2026-12-01T00:00:00Z"},
}
BUDGET: dict[str, Any] = {
    **CONTROL,
    **{"limits": [WEEK], "pools_of": "week", "reserve": "50.00", "emergency": None, "carry_over": None},
    **{"may_draw_reserve": None, "binding": "week", "emergencies": []},
}
NOTHING = said({"data": [], "next_cursor": None})


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text.replace("&nbsp;", " ")).replace("\xa0", " "))


def page(
    it: dict[str, Any], *permissions: Permission, spends: Any = NOTHING, refusals: Any = NOTHING, naming: Any = NAMING
) -> str:
    more = {"spends": spends, "refusals": refusals, "versions": NOTHING, "naming": naming, "called": called}
    more |= {"meters_of": meters, "is_budget": "binding" in it}
    return render("spend_control/page.html", object_page(), *permissions, it=it, **more)


@pytest.mark.parametrize(
    ("control", "said_of_it"),
    [
        (CONTROL, "10.00 credits left of 100.00 credits: 80.00 credits spent, 10.00 credits held"),
        (BUDGET, "Reserve 50.00 credits left of 50.00 credits: 0.00 credits spent"),
        (BUDGET, "Uses 7 left of 9"),
    ],
)
def test_list_says_what_is_left_of_each_amount_pool_and_use(control: dict[str, Any], said_of_it: str) -> None:
    more = {"called": called, "meters_of": meters, "is_budget": "binding" in control}
    assert said_of_it in plain(render("spend_control/list.html", list_page(), rows=[control], **more))


def test_bar_shows_what_is_spent_and_held_and_warns_near_the_end() -> None:
    (found,) = meters(CONTROL, LIMIT)
    assert (found.width, found.tone) == ("90.00", "warn")


@pytest.mark.parametrize(
    ("status", "offered"), [("active", {"change", "freeze", "close"}), ("frozen", {"change", "unfreeze", "close"})]
)
def test_control_offers_what_its_status_allows(status: str, offered: set[str]) -> None:
    acts = re.compile(r"things/1/(\w+)\"")
    for it in (CONTROL, BUDGET):
        assert {*acts.findall(page({**it, "status": status}, Permission.MANAGE_SPENDING))} == offered
        assert acts.findall(page({**it, "status": status})) == []
        assert acts.findall(page({**it, "status": "closed"}, *Permission)) == []
    assert "move" in acts.findall(page(BUDGET, Permission.MANAGE_BILLING))


def test_counted_escrows_and_purchases_lead_to_their_pages() -> None:
    spend: dict[str, Any] = {
        "id": "spd_1",
        "type": "spend",
        "action": "search",
        "status": "charged",
        "at": AT,
        "amount": "2.00",
    }
    spend |= {"counted": "2.00", "currency": "CREDIT", "principal": "crew", "agent_id": None}
    escrow = {**spend, "id": ESCROW, "type": "escrow", "action": "escrow.fund", "status": "reserved"}
    order = {**escrow, "id": ORDER, "type": "purchase", "action": "purchase_order", "agent_id": WRITER}
    naming = Naming(names={ORDER: "Fonts", WRITER: "Writer"}, prefs=DEFAULT, href=lambda id, _: f"/{id}")
    shown = page(CONTROL, spends=said({"data": [escrow, order, spend]}), naming=naming)
    assert [f'href="/{each}"' in shown for each in (ESCROW, ORDER, WRITER, "spd_1")] == [True, True, True, False]
    assert "Purchase Fonts" in plain(shown)


def test_declined_charge_says_what_was_left_and_a_missing_section_that_it_is_missing() -> None:
    refusal: dict[str, Any] = {"at": AT, "reason": "limit", "action": "search", "amount": "20.00", "limit": "100.00"}
    refusal |= {"remaining": "10.00", "resets_at": None, "principal": "crew", "agent_id": None, "currency": "USD"}
    refusal |= {"limit_currency": "CREDIT", "subject": None, "control_id": "ctl_1"}
    shown = page(CONTROL, refusals=said({"data": [refusal]}), spends=refused(503, "internal"))
    assert "Above the remaining amount search crew 20.00 USD 100.00 credits 10.00 credits Never" in plain(shown)
    assert "Not available right now." in shown


@pytest.mark.parametrize("control", [CONTROL, BUDGET])
def test_change_sends_all_that_a_control_allows_as_its_form_shows_it(control: dict[str, Any]) -> None:
    is_budget = "binding" in control
    day = {**control["limits"][0], "window": "day", "amount": "7.00", "uses": 5} | (
        {} if is_budget else {"hard": False}
    )
    form = Form(values=typed({**control, "limits": [day, *control["limits"]], "per_spend": "9.00"}))
    sent = stated(form, is_budget=is_budget)
    asked = ("window", "amount", "uses") if is_budget else ("window", "amount", "uses", "hard")
    assert sent["limits"] == [{name: each[name] for name in asked} for each in (day, *control["limits"])]
    assert (sent["per_spend"], sent["thresholds"], sent["version"]) == ("9.00", ["0.5", "1"], 3)
    assert names(form)["limits.1.amount"] == f"{control['limits'][0]['window']}_amount"
    if is_budget:
        assert (sent["reserve"], sent["pools_of"]) == ("50.00", "week")


def test_subject_is_called_by_its_kind_and_name() -> None:
    found = [
        called({"type": kind, "id": id, "name": name})
        for kind, id, name in (
            ("organization", "org_1", "Acme"),
            ("agent", WRITER, "Writer"),
            ("run", "nightly", None),
        )
    ]
    assert found == ["The whole organization", "Agent Writer", "Run nightly"]
    assert f'href="{BASE}/of/{WRITER}"' in page(
        {**CONTROL, "subject": {"type": "agent", "id": WRITER, "name": "Writer"}}
    )
