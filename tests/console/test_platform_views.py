"""What operators' pages make of answers: nothing there, not answered, and each state."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from jinja2 import ChoiceLoader, DictLoader

from console.format import Prefs
from console.forms import blank
from console.gateway import Answer, Refused
from console.lists import ListQuery, ListResult
from console.mentions import Naming
from console.platform.approval import view as approvals
from console.platform.billing_run import view as billing_run
from console.platform.book import view as books
from console.platform.overview import view as overview
from console.platform.reconciliation import view as reconciliation
from tests.console.answering import refused, said
from tests.console.fake import NAMING
from tests.console.gallery import environment

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
AT = "2026-11-22T09:00:00Z"
PREFS = Prefs()
NAMES = ("escrows", "payments", "ready", "runs", "differences", "tasks", "alerts")
PAGE: dict[str, Any] = {"data": [], "next_cursor": None}
PART = {"lines": [], "total": "0.00"}
BALANCE = ("opening_debit", "opening_credit", "debits", "credits", "closing_debit", "closing_credit")
READY = {"status": "ready", "postgresql": "ok", "temporal": "ok", "inbox_oldest_seconds": 0}


def found(*rows: dict[str, Any], **given: str) -> ListResult:
    asked = ListQuery(path="/console/platform/x", given=given, query={}, form=blank(), zone="UTC", at_start=True)
    return ListResult(asked=asked, answer=said({"data": list(rows), "next_cursor": None}), extra={}, status=200)


def main(template: str, page: object) -> str:
    """Return what stands between a page's frame."""
    made = environment()
    assert made.loader is not None
    made.loader = ChoiceLoader([DictLoader({"parts/layout.html": "{% block main %}{% endblock %}"}), made.loader])
    return made.get_template(template).render(page=page)


def shown(has: frozenset[str] = frozenset(), naming: Naming = NAMING, **answers: Answer) -> overview.Overview:
    nothing = {name: said(PAGE) for name in NAMES}
    counts = {
        "escrows": said({"by_status": []}),
        "payments": said({"by_status": [], "by_provider": []}),
        "ready": said(READY),
    }
    return overview.page({**nothing, **counts, **answers}, naming, NOW, has)


def test_overview_of_a_platform_without_anything_has_nothing_of_everything() -> None:
    page = shown()
    assert (page.held, page.outcomes, page.tasks, page.alerts, page.last_run) == ((), (), (), (), None)
    assert (page.inbox, page.differences) == ("None", "0")
    assert [part.status.word for part in page.parts] == ["Healthy", "Healthy"]


def test_overview_says_which_prices_are_below_cost() -> None:
    answers = {name: said({**PAGE, "by_status": [], "by_provider": []}) for name in NAMES} | {"ready": said(READY)}
    warned = overview.page(answers, NAMING, NOW, frozenset(), ("The plan x is too cheap.",))
    assert "The plan x is too cheap." in main("platform/overview/page.html", warned)
    assert "Unprofitable sales" not in main("platform/overview/page.html", shown())


def test_overview_counts_what_escrows_hold_and_not_what_is_settled() -> None:
    counted = {"count": 2, "currency": "CREDIT", "amount": "95.00", "capped": False}
    page = shown(escrows=said({"by_status": [{"status": "funded", **counted}, {"status": "released", **counted}]}))
    assert [(each.status.word, each.number, each.amount.number) for each in page.held] == [("Funded", "2", "95.00")]


def test_overview_says_which_part_of_a_providers_payments_was_received() -> None:
    def counted(provider: str, status: str, number: int) -> dict[str, Any]:
        return {
            **{"provider": provider, "status": status, "currency": "USD"},
            **{"count": number, "amount": "10.00", "capped": False},
        }

    rows = [
        *(counted("paypal", "processing", 4), counted("stripe", "failed", 1)),
        *(counted("stripe", "refunded", 1), counted("stripe", "succeeded", 1)),
    ]
    page = shown(payments=said({"by_status": [], "by_provider": rows}))
    assert [(each.name, each.number, each.succeeded, each.unpaid, each.success) for each in page.providers] == [
        ("PayPal", "4", "0", "0", ""),
        ("Card", "3", "2", "1", "66.7%"),
    ]


def test_overview_says_how_old_the_oldest_webhook_is() -> None:
    assert shown(ready=said({**READY, "inbox_oldest_seconds": 600})).inbox == "10 minutes ago"
    assert shown(ready=said({**READY, "inbox_oldest_seconds": None})).inbox == "Unknown"


def test_part_that_does_not_answer_says_what_is_wrong() -> None:
    page = shown(ready=said({**READY, "temporal": "not connected"}))
    assert [part.status.tone for part in page.parts] == ["good", "bad"]


def test_readiness_on_a_private_port_is_left_out() -> None:
    page = shown(ready=refused(404, "not_found"))
    assert (page.parts, page.parts_failed) == ((), None)


@pytest.mark.parametrize("name", ["escrows", "payments", "runs", "differences", "tasks", "alerts"])
def test_section_without_an_answer_says_so_and_the_rest_stands(name: str) -> None:
    page = shown(**{name: refused(503, "service.unavailable")})
    failed = [page.held_failed, page.outcomes_failed, page.reconciliation_failed, page.tasks_failed, page.alerts_failed]
    assert [each.request_id for each in failed if each] == ["req_1"]


def test_task_leads_to_its_page_where_there_is_one() -> None:
    task = {"kind": "to_decide", "object_id": "esc_1", "title": "Job", "deadline_at": AT, "amount": None}
    tasks = said({"data": [{**task, "currency": None, "organization_id": None}], "next_cursor": None})
    assert shown(tasks=tasks).tasks[0].href == ""
    assert shown(frozenset({"escrows/{id}"}), tasks=tasks).tasks[0].href == "/console/platform/escrows/esc_1"


def test_task_says_why_a_payment_is_disputed_in_words() -> None:
    task = {"kind": "evidence_due", "object_id": "dsp_1", "title": "product_not_received", "deadline_at": AT}
    tasks = said({"data": [{**task, "amount": None, "currency": None, "organization_id": None}], "next_cursor": None})
    assert [part.text for part in shown(tasks=tasks).tasks[0].title] == ["Product not received"]


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


def test_alert_of_the_overview_leads_to_what_it_is_about() -> None:
    payment = "pay_01kar6x0qmf9rv4w7n2h8d3s5c"
    answers = {"alerts": said({**PAGE, "data": [{**ALERT, "organization_id": "org_1", "detail": f"{payment} owes."}]})}
    (alert,) = shown(naming=replace(NAMING, href=link), **answers).alerts
    assert [each.href for each in alert.detail] == [f"/org_1/{payment}", ""]


APPROVAL = {
    "id": "apv_1",
    "action": "credits.grant",
    "subject": "org_1",
    "content": {"amount": "5000.00"},
    "status": "requested",
    "requested_by": "ada",
    "requested_at": AT,
    "expires_at": AT,
    "decided_by": None,
    "decided_at": None,
}


def test_nobody_is_offered_to_approve_what_they_asked_for() -> None:
    (own,) = approvals.page(found(APPROVAL), blank(), "ada", NAMING, may=True).waiting
    (other,) = approvals.page(found(APPROVAL), blank(), "grace", NAMING, may=True).waiting
    assert (own.approve, own.reject is not None) == (None, True)
    assert (other.approve is not None, other.reject is not None) == (True, True)


@pytest.mark.parametrize("status", ["approved", "rejected", "used", "expired"])
def test_decided_approval_is_only_taken_back_until_it_is_used(status: str) -> None:
    rows = found({**APPROVAL, "status": status, "decided_by": "grace"})
    page, read = (approvals.page(rows, blank(), "ada", NAMING, may=may) for may in (True, False))
    assert page.waiting == ()
    assert [(row.approve, row.reject is not None) for row in page.decided] == [(None, status == "approved")]
    assert [row.decided_by for row in page.decided] == ["grace"]
    assert [row.reject for row in read.decided] == [None]


@pytest.mark.parametrize("statuses", [(), ("requested",), ("requested", "approved")])
def test_pages_of_approvals_are_turned_in_their_last_panel(statuses: tuple[str, ...]) -> None:
    rows = [{**APPROVAL, "status": status} for status in statuses]
    body = main("platform/approval/list.html", approvals.page(found(*rows), blank(), "ada", NAMING, may=True))
    assert body.count('<nav class="pager"') == 1
    assert body.split("</nav>")[-1].split() == ["</section>"]


SIDE = {"key": "ch_1", "amount": "10.00", "fee": "0.59", "net": "9.41", "currency": "USD", "occurred_at": AT}
DIFFERENCE = {
    "id": "dif_1",
    "provider": "stripe",
    "key": "ch_1",
    "kind": "missing_here",
    "status": "open",
    "movement": "charge",
    "booked": [],
    "listed": SIDE,
    "corrections": [SIDE],
    "reference": None,
    "statement_line": None,
    "payment_id": "pay_1",
    "run_id": "rcn_1",
    "first_seen_at": AT,
    "last_seen_at": AT,
    "resolution": None,
    "note": None,
    "resolved_by": None,
    "resolved_at": None,
    "transfer_id": None,
}


def one(**changes: Any) -> reconciliation.OneDifference:
    return reconciliation.one_difference({**DIFFERENCE, **changes}, blank(), PREFS, has_payment=False, may_resolve=True)


def test_difference_says_in_amounts_what_booking_does() -> None:
    page = one()
    assert [each.net.text for each in page.corrections] == ["+9.41\N{NO-BREAK SPACE}USD"]
    assert (page.book, page.accept, page.payment_href) == (True, True, "")


def test_missing_fee_is_accepted_and_never_booked_here() -> None:
    page = one(kind="fee_missing", corrections=[])
    assert (page.book, page.accept) == (False, True)


def test_resolved_difference_offers_nothing() -> None:
    page = one(status="resolved", resolution="booked", corrections=[], resolved_by="ada", resolved_at=AT)
    assert (page.book, page.accept, page.status.word) == (False, False, "Booked")


def test_page_is_not_for_a_role_that_the_api_refuses() -> None:
    with pytest.raises(Refused):
        shown(tasks=refused(403, "auth.forbidden"))


def test_each_provider_of_the_installation_can_be_compared_and_explained() -> None:
    # Credits pay too, but there is no statement of them.
    config = said({"providers": [{"name": name, "currencies": ["USD"]} for name in ("stripe", "credits")]})
    asked = ListResult(
        asked=found().asked, answer=said(PAGE), extra={"differences": said(PAGE), "config": config}, status=200
    )
    page = reconciliation.several(asked, "open", blank(), PREFS, may_run=True)
    assert (page.providers, [link.label for link in page.clearing]) == ((("stripe", "Stripe"),), ["Stripe"])


def test_who_may_not_decide_reads_what_waits_and_is_offered_nothing() -> None:
    (row,) = approvals.page(found(APPROVAL), blank(), "audit", NAMING, may=False).waiting
    assert (row.approve, row.reject) == (None, None)


def test_books_have_one_heading_for_each_report_and_currency() -> None:
    zero = dict.fromkeys((*BALANCE, "total", "result"), "0.00")
    currencies = [{**zero, "currency": code, "revenue": PART, "expenses": PART} for code in ("CREDIT", "USD")]
    days = {"start_date": "2026-01-01", "end_date": "2026-01-31", "lines": []}
    page = books.page({}, blank(), said({**days, "totals": currencies}), said({"currencies": currencies}), PREFS)
    body = main("platform/book/page.html", page)
    reports = [f"{report} in {code}" for report in ("Profit and loss", "Trial balance") for code in ("CREDIT", "USD")]
    assert re.findall("<h2[^>]*>(.*?)</h2>", body) == ["Journal of these days", *reports]
    assert re.findall("<caption(.*?)>", body) == [' class="unseen"'] * 4
    page = books.page({}, blank(), said({**days, "totals": []}), said({"currencies": []}), PREFS)
    body = main("platform/book/page.html", page)
    assert re.findall("<h2[^>]*>(.*?)</h2>", body)[1:] == ["Profit and loss", "Trial balance"]


def test_a_report_that_did_not_answer_says_so_and_is_asked_for_again_for_the_same_days() -> None:
    days = {"start_date": "2026-01-01", "end_date": "2026-01-31", "lines": [], "totals": []}
    late = refused(503, "service.unavailable")
    page = books.page({"currency": "USD"}, blank(), late, said({"currencies": []}), PREFS)
    body = main("platform/book/page.html", page)
    assert "No entries" not in body
    assert 'href="/console/platform/books?currency=USD"' in body
    page = books.page({}, blank(), said(days), late, PREFS)
    body = main("platform/book/page.html", page)
    assert "No revenue or expenses" not in body
    assert "Try again" in body


BILLING_RUN: dict[str, Any] = {
    "period": "2026-10",
    "status": "running",
    "ready_at": AT,
    "started_at": AT,
    "finished_at": None,
    "invoiced": 0,
    "empty": 0,
    "failed": 0,
    "failures": [],
}


def billed(**changes: Any) -> billing_run.BillingRunPage:
    now = datetime(2026, 11, 23, tzinfo=UTC)
    return billing_run.one({**BILLING_RUN, **changes}, blank(), NAMING, now, may_run=True)


def test_billing_run_says_what_it_does_until_it_has_ended_and_then_what_came_of_it() -> None:
    page = billed()
    assert (page.working[0], page.result, page.run.invoiced) == ("Invoicing October 2026…", "", "")
    done = billed(status="done", finished_at=AT, invoiced=3, empty=1)
    assert (done.working[0], done.again) == ("", "")
    assert done.result == "Invoiced: 3. Nothing to pay: 1. Could not be invoiced: 0."


def test_billing_run_that_failed_for_some_can_be_started_again() -> None:
    page = billed(status="done", finished_at=AT, failed=1, failures=[{"organization_id": "org_1", "code": "tax.away"}])
    assert (page.again, page.run.status.word) == (billing_run.PLACE, "Partly failed")
    assert [code for _, code in page.failures] == ["tax.away"]
