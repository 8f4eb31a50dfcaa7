"""Home shows what the summary says, and says where it does not know."""

import pytest

from console.format import Prefs
from console.gateway import Answer, Problem, Refused
from console.home.view import PAGES, Home, page
from tests.console.fake import ORG, PAGE, SERIES

BASE = f"/console/{ORG}"
ASSET = {"available": "1.50", "held": "0.25", "in_escrow": "50.00", "owed": "0.00", "total": "51.75"}
SUMMARY = {
    "assets": [{"currency": "CREDIT", **ASSET}, {"currency": "USD", **ASSET}],
    "expiring": [{"amount": "1.00", "currency": "CREDIT", "expires_at": "2026-12-01T00:00:00Z"}],
    "escrows": [
        {"id": f"esc_{ORG[4:]}", "status": "funded", "amount": "50.00", "currency": "CREDIT", "until": None},
    ],
    "invoices_due": [
        {"id": f"inv_{ORG[4:]}", "number": "INV-1", "due": "9.99", "currency": "USD", "due_at": "2026-12-01T00:00:00Z"},
    ],
}
EVERY_PAGE = dict.fromkeys(PAGES, True)
TASK = {"object_id": f"esc_{ORG[4:]}", "title": "Job", "deadline_at": None, "amount": "50.00", "currency": "CREDIT"}


def said(body: object) -> Answer:
    return Answer(status=200, request_id="req_1", body=body)


def refused(status: int, code: str) -> Answer:
    problem = Problem(status=status, code=code, title="", detail="No.")
    return Answer(status=status, request_id="req_1", problem=problem)


def home(summary: Answer, latest: Answer | None = None, has: dict[str, bool] = EVERY_PAGE, **others: Answer) -> Home:
    beside = {"alerts": said(PAGE), "balance": said(SERIES), "spent": said(SERIES), "tasks": said(PAGE)}
    answers = {"summary": summary, "latest": latest or said(PAGE), **beside, **others}
    return page("Acme", answers, BASE, Prefs(), has)


def test_cards_show_the_credits_and_the_rest_is_listed() -> None:
    shown = home(said(SUMMARY))
    assert [(card.label, card.amount.number) for card in shown.cards] == [
        ("Available", "1.50"),
        ("Reserved", "0.25"),
        ("Held in escrow", "50.00"),
        ("Owed", "0.00"),
    ]
    assert [each.total.text for each in shown.holdings] == ["51.75\N{NO-BREAK SPACE}USD"]
    assert [each.amount.number for each in shown.expiring] == ["1.00"]


def test_what_is_under_way_leads_to_its_pages_where_there_are_some() -> None:
    with_pages, without = home(said(SUMMARY)), home(said(SUMMARY), has=dict.fromkeys(EVERY_PAGE, False))
    assert [each.href for each in with_pages.under_way] == [
        f"{BASE}/invoices/inv_{ORG[4:]}",
        f"{BASE}/escrows/esc_{ORG[4:]}",
    ]
    assert [each.href for each in without.under_way] == ["", ""]
    assert with_pages.under_way[0].label == "Invoice INV-1"


def test_organization_without_anything_has_nothing_of_everything() -> None:
    shown = home(said({"assets": [], "expiring": [], "escrows": [], "invoices_due": []}))
    assert {card.amount.number for card in shown.cards} == {"0.00"}
    assert (shown.holdings, shown.expiring, shown.under_way, shown.latest) == ((), (), (), ())


def test_section_without_an_answer_says_so_and_the_rest_stands() -> None:
    shown = home(refused(503, "service.unavailable"))
    assert shown.money_failed is not None
    assert shown.money_failed.request_id == "req_1"
    assert shown.latest_failed is None


def test_role_that_may_not_read_gets_no_half_page() -> None:
    with pytest.raises(Refused):
        home(refused(403, "auth.forbidden"))


def test_task_names_the_act_and_leads_to_its_object() -> None:
    tasks = said({"data": [{"kind": "to_sign", **TASK}], "next_cursor": None})
    (task,) = home(said(SUMMARY), tasks=tasks).tasks
    assert (task.act, task.href, task.until) == ("Sign the delivery", f"{BASE}/escrows/esc_{ORG[4:]}", None)
    assert home(said(SUMMARY), tasks=tasks, has=dict.fromkeys(EVERY_PAGE, False)).tasks[0].href == ""


def test_charts_are_left_out_where_there_is_nothing_to_draw() -> None:
    nothing = home(said(SUMMARY), spent=said({**SERIES, "series": [{"group": "chat", "values": ["0.00"]}]}))
    assert (nothing.balance, nothing.spending) == (None, None)


def test_charts_show_balance_and_spending_by_service() -> None:
    series = {**SERIES, "series": [{"group": "chat", "values": ["2.50"]}, {"group": None, "values": ["0.50"]}]}
    shown = home(
        said(SUMMARY), spent=said(series), balance=said({**SERIES, "series": [{"group": None, "values": [None]}]})
    )
    assert shown.spending is not None
    assert [key.label for key in shown.spending.legend] == ["chat", "Other services"]
    assert shown.balance is not None
    assert shown.balance.svg is None


def test_chart_without_an_answer_says_so() -> None:
    shown = home(said(SUMMARY), balance=refused(503, "service.unavailable"))
    assert shown.balance is None
    assert shown.balance_failed is not None
