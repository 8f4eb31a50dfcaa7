"""Home shows what the summary says, and says where it does not know."""

from datetime import date, timedelta

import pytest

from console.gateway import Answer, Refused
from console.home.charts import first_day
from console.home.view import PAGES, Home, page
from tests.console.answering import refused, said
from tests.console.fake import NAMING, ORG, PAGE, SERIES

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
TASK = {
    "object_id": f"esc_{ORG[4:]}",
    "organization_id": ORG,
    "title": "Job",
    "deadline_at": None,
    "amount": "50.00",
    "currency": "CREDIT",
}


def spent(until: date, *groups: dict[date, str]) -> Answer:
    """What was spent from the first day that home asks for up to and with one."""
    since = first_day(until)
    days = [since + timedelta(days=each) for each in range((until - since).days + 1)]
    series = [
        {"group": f"service {place}", "values": [group.get(day) for day in days]} for place, group in enumerate(groups)
    ]
    return said({**SERIES, "times": [f"{day}T00:00:00Z" for day in days], "series": series})


def home(summary: Answer, latest: Answer | None = None, has: dict[str, bool] = EVERY_PAGE, **others: Answer) -> Home:
    beside = {"alerts": said(PAGE), "balance": said(SERIES), "spent": said(SERIES), "tasks": said(PAGE)}
    answers = {"summary": summary, "latest": latest or said(PAGE), **beside, **others}
    return page("Acme", answers, BASE, NAMING, has)


def test_cards_show_the_credits_and_the_rest_is_listed() -> None:
    shown = home(said(SUMMARY))
    assert [(card.label, card.amount.number) for card in shown.cards] == [
        ("Available", "1.50"),
        ("Reserved", "0.25"),
        ("Held in escrow", "50.00"),
        ("Debt", "0.00"),
        ("Spent this month", "0.00"),
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
    assert (shown.holdings, shown.expiring, shown.under_way, [*shown.latest]) == ((), (), (), [])


def test_section_without_an_answer_says_so_and_the_rest_stands() -> None:
    shown = home(refused(503, "service.unavailable"))
    assert shown.money_failed is not None
    assert shown.money_failed.request_id == "req_1"
    assert shown.latest_failed is None


def test_role_that_may_not_read_gets_no_half_page() -> None:
    with pytest.raises(Refused):
        home(refused(403, "auth.forbidden"))


def test_task_names_the_act_and_leads_to_its_object() -> None:
    # Alerts have a list of their own on the page.
    tasks = said({"data": [{"kind": "to_sign", **TASK}, {"kind": "alert", **TASK}], "next_cursor": None})
    (task,) = home(said(SUMMARY), tasks=tasks).tasks
    assert (task.act, task.href, task.until) == ("Sign delivery", f"{BASE}/escrows/esc_{ORG[4:]}", None)
    assert home(said(SUMMARY), tasks=tasks, has=dict.fromkeys(EVERY_PAGE, False)).tasks[0].href == ""


def test_spending_of_this_month_stands_against_the_same_days_of_the_last() -> None:
    chat = {date(2026, 10, 1): "4", date(2026, 10, 24): "1", date(2026, 10, 25): "100", date(2026, 11, 1): "3.50"}
    answer = spent(date(2026, 11, 24), chat, {date(2026, 10, 2): "3", date(2026, 11, 24): "8.50"})
    card = home(said(SUMMARY), spent=answer).cards[-1]
    assert (card.label, card.amount.text, card.href) == (
        "Spent this month",
        "12.00\N{NO-BREAK SPACE}credits",
        f"{BASE}/transactions",
    )
    assert card.note == "8.00\N{NO-BREAK SPACE}credits from Oct 1 to Oct 24, 50% more. Days are UTC."


def test_short_month_counts_whole_against_the_end_of_a_longer_one() -> None:
    answer = spent(date(2026, 3, 30), {date(2026, 2, 28): "2", date(2026, 3, 29): "1"})
    card = home(said(SUMMARY), spent=answer).cards[-1]
    assert card.note == "2.00\N{NO-BREAK SPACE}credits from Feb 1 to Feb 28, 50% less. Days are UTC."


def test_month_after_one_without_spending_says_so() -> None:
    card = home(said(SUMMARY), spent=spent(date(2026, 3, 1), {date(2026, 3, 1): "2"})).cards[-1]
    assert (card.amount.number, card.note) == ("2.00", "No spending from Feb 1 to Feb 1 (UTC).")


def test_chart_of_spending_has_its_thirty_days_and_no_service_of_before() -> None:
    answer = spent(date(2026, 11, 24), {date(2026, 10, 2): "9"}, {date(2026, 11, 24): "8.50"})
    chart = home(said(SUMMARY), spent=answer).spending
    assert chart is not None
    assert (len(chart.rows), chart.rows[0].label, [each.label for each in chart.legend]) == (
        30,
        "Oct 26",
        ["service 1"],
    )
    assert home(said(SUMMARY), spent=spent(date(2026, 11, 24), {date(2026, 10, 2): "9"})).spending is None


@pytest.mark.parametrize(("today", "since"), [("2026-11-24", "2026-10-01"), ("2026-03-01", "2026-01-31")])
def test_series_begins_with_last_month_and_holds_thirty_days(today: str, since: str) -> None:
    assert first_day(date.fromisoformat(today)) == date.fromisoformat(since)


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


def test_chart_has_one_series_of_all_other_services_and_it_comes_last() -> None:
    groups = [*(f"service {number}" for number in range(7)), "others"]
    series = {**SERIES, "series": [{"group": group, "values": ["1.00"]} for group in groups]}
    chart = home(said(SUMMARY), spent=said(series)).spending
    assert chart is not None
    assert [key.label for key in chart.legend][-1] == "Other"
    assert len([key for key in chart.legend if "ther" in key.label]) == 1
    few = {**SERIES, "series": [{"group": group, "values": ["1.00"]} for group in ("others", "chat")]}
    chart = home(said(SUMMARY), spent=said(few)).spending
    assert chart is not None
    assert [key.label for key in chart.legend] == ["chat", "Other"]


def test_credits_that_expire_at_one_moment_are_added_up() -> None:
    at = ("2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z", "2027-02-01T00:00:00Z")
    expiring = [{"amount": "1.50", "currency": "CREDIT", "expires_at": each} for each in at]
    shown = home(said({**SUMMARY, "expiring": expiring})).expiring
    assert [each.amount.number for each in shown] == ["3.00", "1.50"]


def test_chart_without_an_answer_says_so() -> None:
    shown = home(said(SUMMARY), balance=refused(503, "service.unavailable"))
    assert shown.balance is None
    assert shown.balance_failed is not None


def test_who_reads_no_billing_is_shown_what_is_available_and_spent() -> None:
    answers = {"credits": said({"available": "1.50", "currency": "CREDIT"}), "spent": said(SERIES), "tasks": said(PAGE)}
    shown = page("Acme", answers, BASE, NAMING, EVERY_PAGE)
    assert [(card.label, card.href) for card in shown.cards] == [("Available", ""), ("Spent this month", "")]
    assert not shown.asks_latest
    assert shown.asks_tasks
