"""Views of operators' pages: empty answers, failed answers, and each state."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from console.format import Prefs
from console.forms import blank
from console.gateway import Answer, Refused
from console.lists import ListQuery, ListResult
from console.platform.approval import pages as approvals
from console.platform.overview import pages as overview
from console.problems import answered
from console.widgets import Page
from domain.common.access import Permission
from tests.console.answering import refused, said
from tests.console.fake import NAMING
from tests.console.rendering import form_page, list_page, object_page, render

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
AT = "2026-11-22T09:00:00Z"
PREFS = Prefs()
BASE = "/console/platform"
PAGE: dict[str, Any] = {"data": [], "next_cursor": None}
BALANCE = ("opening_debit", "opening_credit", "debits", "credits", "closing_debit", "closing_credit")
READY = {"status": "ready", "postgresql": "ok", "temporal": "ok", "inbox_oldest_seconds": 0}
NOTHING = {
    "figures": said({"totals": []}),
    "sheet": said({"currencies": []}),
    "escrows": said({"by_status": []}),
    "payments": said({"by_status": []}),
    "providers": said({"rows": []}),
    "ready": said(READY),
    **{name: said(PAGE) for name in ("tasks", "approvals")},
}


def found(*rows: dict[str, Any], **given: str) -> ListResult:
    asked = ListQuery(path="/console/platform/x", given=given, query={}, form=blank(), zone="UTC", at_start=True)
    return ListResult(asked=asked, answer=said({"data": list(rows), "next_cursor": None}), extra={}, status=200)


def main(html: str) -> str:
    """Return what stands between a page's frame, without the spaces between elements."""
    return re.sub(r">\s+<", "><", html.partition("<main")[2].partition("</main>")[0])


def shown(warnings: tuple[str, ...] = (), **changed: Answer) -> str:
    answers = {**NOTHING, **changed}
    given = {
        "money_cards": overview.money(answers, BASE),
        "waiting": overview.waiting(answers, BASE),
        "movements": overview.movements(answers["figures"]),
        "outcomes": overview.outcomes(answers["providers"]),
        "payments": answers["providers"],
        "ready": answers["ready"],
        "parts": overview.parts(answers["ready"]),
        **{"providers": {}, "warnings": warnings, "days": 30, "base": BASE},
    }
    return main(render("platform/overview/page.html", Page(title="Overview"), **given))


def figure(metric: str, value: str, before: str | None = None) -> dict[str, Any]:
    return {"metric": metric, "currency": "USD", "value": value, "before": before}


def counted(status: str, count: int, **more: Any) -> dict[str, Any]:
    return {"status": status, "currency": "USD", "count": count, "amount": "10.00", "capped": False, **more}


def test_overview_of_a_platform_without_anything_folds_all_of_it() -> None:
    page = shown()
    assert "Nothing needs attention now." in page
    assert '<section class="card">' not in page
    assert page.count("<li><a href=") == len(overview.money(NOTHING, BASE)) + len(overview.waiting(NOTHING, BASE))
    assert page.count("Healthy") == 2


def test_overview_counts_what_waits_and_leads_to_its_list() -> None:
    row = {"id": "x"}
    answers = {
        "escrows": said({"by_status": [counted("disputed", 3, capped=True), counted("released", 9)]}),
        "payments": said({"by_status": [counted("unknown", 2)]}),
        "approvals": said({"data": [row], "next_cursor": None}),
        "tasks": said({"data": [{"kind": "difference"}] * 100, "next_cursor": "c"}),
        "ready": said({**READY, "inbox_oldest_seconds": 600}),
    }
    cards = {each.href: each.text for each in overview.waiting({**NOTHING, **answers}, BASE) if not each.is_zero}
    assert cards == {
        # What the page of tasks does not show may still be there.
        f"{BASE}/alerts?status=firing": "Unknown",
        f"{BASE}/disputes?status=needs_response": "Unknown",
        f"{BASE}/payments?status=unknown": "2",
        f"{BASE}/reconciliation": "100 or more",
        f"{BASE}/approvals": "1",
        f"{BASE}/escrows?status=disputed": "3 or more",
        f"{BASE}/webhooks?unhandled=true": "10 minutes ago",
    }


def test_overview_adds_up_what_is_held_and_owed_by_currency() -> None:
    line = {"line": "customers/debt", "amount": "1.50"}
    lines = [line, {"line": "customers/receivable", "amount": "2.00"}, {"line": "platform/cash", "amount": "99.00"}]
    assets = {"lines": lines, "total": "102.50"}
    answers = {
        "escrows": said({"by_status": [counted("funded", 1), counted("disputed", 1), counted("released", 1)]}),
        "sheet": said({"currencies": [{"currency": "USD", "assets": assets}]}),
        "figures": said({"totals": [figure("payments.received", "30.00"), figure("payments.refunded", "0.00")]}),
    }
    amounts = {
        each.title: [str(one.number) for one in each.amounts] for each in overview.money({**NOTHING, **answers}, BASE)
    }
    assert amounts["Held in escrow"] == ["20.00"]
    assert amounts["Owed by customers"] == ["3.50"]
    assert (amounts["Payments received"], amounts["Refunded"]) == (["30.00"], [])


def test_overview_shows_how_recurring_revenue_moved() -> None:
    totals = [
        *(figure("mrr", "110.00", "100.00"), figure("mrr.new", "30.00"), figure("mrr.expansion", "5.00")),
        *(figure("mrr.contraction", "10.00"), figure("mrr.churn", "15.00")),
    ]
    cells = re.findall(r'class="money">([^&]*)', shown(figures=said({"totals": totals})).partition("movements")[2])
    assert cells == ["100.00", "+30.00", "+5.00", "\N{MINUS SIGN}10.00", "\N{MINUS SIGN}15.00", "110.00"]


def test_overview_says_which_prices_are_below_cost() -> None:
    assert "The plan x is too cheap." in shown(("The plan x is too cheap.",))
    assert "Unprofitable sales" not in shown()


def test_overview_says_which_part_of_a_providers_payments_succeeded() -> None:
    def row(provider: str, *values: str | None) -> dict[str, Any]:
        names = ("started", "succeeded", "failed", "success_rate")
        found = [{"metric": f"payments.{name}", "value": value} for name, value in zip(names, values, strict=True)]
        return {"at": None, "group": {"provider": provider}, "values": found}

    rows = [row("stripe", "4", "2", "1", "0.66666667"), row("paypal", "4", "0", "0", None)]
    page = shown(providers=said({"rows": rows}))
    cells = re.findall(r'<td data-label="[^"]*" class="num">(.*?)</td>', page.partition('id="payments"')[2])
    assert cells[:4] == ["4", "2", "1", "66.7%"]
    assert "none ended" in cells[7]


def test_part_that_does_not_answer_says_what_is_wrong() -> None:
    assert [status.tone for _, status in overview.parts(said({**READY, "temporal": "not connected"}))] == [
        "good",
        "bad",
    ]
    assert "Unknown" in shown(ready=said({**READY, "inbox_oldest_seconds": None}))


def test_readiness_on_a_private_port_is_left_out() -> None:
    page = shown(ready=refused(404, "not_found"))
    assert "private port" in page
    assert "webhook" not in page


@pytest.mark.parametrize("name", sorted(NOTHING))
def test_section_without_an_answer_says_so_and_the_rest_stands(name: str) -> None:
    page = shown(**{name: refused(503, "service.unavailable")})
    assert "not available right now" in page.lower()
    assert "counts are zero" in page


def test_page_is_not_for_a_role_that_the_api_refuses() -> None:
    with pytest.raises(Refused):
        answered(refused(403, "auth.forbidden"))


ALERT: dict[str, Any] = {
    "id": "alr_1",
    "organization_id": None,
    "kind": "payment.debt",
    "subject": "pay_1",
    "detail": "Owed.",
    "names": {},
    "severity": "warning",
    "status": "firing",
    "created_at": AT,
    "acknowledged_by": None,
    "resolved_by": None,
    "snoozed_until": None,
}


def link(id: str, org_id: str | None) -> str:
    return f"/{org_id}/{id}"


APPROVAL = {
    **{"id": "apv_1", "action": "credits.grant", "subject": "org_1", "content": {"amount": "5000.00"}},
    **{"requested_by": "ada", "requested_at": AT, "expires_at": AT, "decided_by": None, "decided_at": None},
}


def decided(*statuses: str, own: str = "ada", operates: bool = True) -> str:
    """Return the page of approvals with these statuses, which `ada` has asked for."""
    may = (Permission.OPERATE,) if operates else ()
    rows = tuple({**APPROVAL, "status": status} for status in statuses)
    given = {"rows": rows, "naming": NAMING, "content": approvals.content, "acts": {}, "own": own}
    return main(render("platform/approval/list.html", list_page(), *may, **given))


def acts(page: str) -> list[str]:
    return re.findall(r'type="submit">([^<]*)', page)


def test_nobody_is_offered_to_approve_what_they_asked_for() -> None:
    assert acts(decided("requested")) == ["Cancel request"]
    assert acts(decided("requested", own="grace")) == ["Approve", "Reject"]
    assert acts(decided("requested", own="grace", operates=False)) == []


@pytest.mark.parametrize("status", ["approved", "rejected", "used", "expired"])
def test_decided_approval_is_only_taken_back_until_it_is_used(status: str) -> None:
    assert acts(decided(status)) == ["Cancel request"] * (status == "approved")
    assert acts(decided(status, operates=False)) == []


SIDE = {"key": "ch_1", "amount": "10.00", "fee": "0.59", "net": "9.41", "currency": "USD", "occurred_at": AT}
CORRECTION = {name: SIDE[name] for name in ("amount", "fee", "net", "currency")}
DIFFERENCE = {
    **{"id": "dif_1", "provider": "stripe", "key": "ch_1", "kind": "missing_here", "status": "open"},
    **{"movement": "charge", "booked": [], "listed": SIDE, "corrections": [CORRECTION], "payment_id": "pay_1"},
    **{"run_id": "rcn_1", "first_seen_at": AT, "last_seen_at": AT},
    **dict.fromkeys(("reference", "statement_line", "resolution", "note")),
    **dict.fromkeys(("resolved_by", "resolved_at", "transfer_id")),
}


def one(**changes: Any) -> str:
    it, template = {**DIFFERENCE, **changes}, "platform/reconciliation/difference.html"
    return main(render(template, object_page(), Permission.OPERATE, it=it, provider="Stripe"))


def test_difference_says_in_amounts_what_booking_does() -> None:
    page = one()
    assert '+9.41&nbsp;<span class="unit">USD' in page
    assert acts(page.replace(' name="action" value="book"', "").replace(' name="action" value="accept"', "")) == [
        "Book the correction",
        "Accept",
    ]


def test_missing_fee_is_accepted_and_never_booked_here() -> None:
    page = one(kind="fee_missing", corrections=[])
    assert ('value="book"' in page, 'value="accept"' in page) == (False, True)


def test_resolved_difference_offers_nothing() -> None:
    page = one(status="resolved", resolution="booked", corrections=[], resolved_by="ada", resolved_at=AT)
    assert "<form" not in page
    assert "</svg>Booked</span>" in page


def test_books_have_one_heading_for_each_report_and_currency() -> None:
    part = {"lines": [], "total": "0.00"}
    totals = [{**dict.fromkeys(BALANCE, "0.00"), "currency": code} for code in ("CREDIT", "USD")]
    currencies = [{"currency": code, "revenue": part, "expenses": part, "result": "0.00"} for code in ("CREDIT", "USD")]
    body = books(totals=totals, currencies=currencies)
    reports = [
        f"{report} in {code}"
        for report in ("Profit and loss", "Trial balance")
        for code in ("Credits", "US Dollar (USD)")
    ]
    assert re.findall("<h2[^>]*>(.*?)</h2>", body) == ["Journal of these days", *reports]
    assert re.findall("<caption(.*?)>", body) == [' class="unseen"'] * 4
    assert re.findall("<h2[^>]*>(.*?)</h2>", books())[1:] == ["Profit and loss", "Trial balance"]


def books(totals: Any = (), currencies: Any = (), **answers: Answer) -> str:
    days = {"start_date": "2026-01-01", "end_date": "2026-01-31"}
    given = {
        "trial": said({**days, "lines": [], "totals": totals}),
        "profit": said({**days, "currencies": currencies}),
        **{"currencies": (), "again": f"{BASE}/books?currency=USD", "files": {}},
        **answers,
    }
    return main(render("platform/book/page.html", form_page(), **given))


@pytest.mark.parametrize(("name", "empty"), [("trial", "No entries"), ("profit", "No revenue or expenses")])
def test_a_report_that_did_not_answer_says_so_and_is_asked_for_again_for_the_same_days(name: str, empty: str) -> None:
    body = books(**{name: refused(503, "service.unavailable")})
    assert empty not in body
    assert f'href="{BASE}/books?currency=USD"' in body


BILLING_RUN: dict[str, Any] = {
    **{"period": "2026-10", "status": "running", "ready_at": AT, "started_at": AT, "finished_at": None},
    **{"invoiced": 0, "empty": 0, "failed": 0, "failures": []},
}


def billed(**changes: Any) -> str:
    given = {"it": {**BILLING_RUN, **changes}, "naming": NAMING, "waits": False}
    return main(render("platform/billing_run/page.html", object_page(), Permission.OPERATE, **given))


def test_billing_run_says_what_it_does_until_it_has_ended_and_then_its_result() -> None:
    assert "Invoicing October 2026…" in billed()
    done = billed(status="done", finished_at=AT, invoiced=3, empty=1)
    assert "Invoicing" not in done
    assert "Invoiced: 3. Nothing to pay: 1. Could not be invoiced: 0." in done
    assert "Retry" not in done


def test_billing_run_that_failed_for_some_can_be_started_again() -> None:
    page = billed(status="done", finished_at=AT, failed=1, failures=[{"organization_id": "org_1", "code": "tax.away"}])
    assert "Partly failed" in page
    assert "<code>tax.away</code>" in page
    assert acts(page) == ["Retry"]
