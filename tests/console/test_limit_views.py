"""What the pages of alerts, webhook endpoints and usage make of answers: each state, and what is typed."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from console.alert import kinds, view as alerts
from console.format import Prefs
from console.forms import blank
from console.gateway import Answer, Problem
from console.lists import ListQuery, ListResult
from console.usage import log, view as usage
from console.webhook_endpoint import view as endpoints
from domain.messages.alert.kinds import KINDS
from domain.messages.alert.rules import BUILT_IN
from tests.console.answering import said
from tests.console.fake import NAMING

NOW, AT, PREFS = datetime(2026, 11, 22, 12, tzinfo=UTC), "2026-11-22T09:00:00Z", Prefs()
NOTHING = Answer(status=200, request_id="req_1", body={"data": [], "next_cursor": None})
SILENT = Answer(status=503, request_id="req_1", problem=Problem(status=503, code="internal", title="", detail=""))


HOOK, SETTINGS = "whe_01kar6x0qmf9rv4w7n2h8d3s5c", "/console/org_1/alerts/settings"
ESCROW, ORDER = "esc_01kar6x0qmf9rv4w7n2h8d3s5c", "por_01kar6x0qmf9rv4w7n2h8d3s5c"
OF_ALERT, MENTIONED = "ctl_01kar6x0qmf9rv4w7n2h8d3s5c", "agt_01kar6x0qmf9rv4w7n2h8d3s5c"


def found(*rows: dict[str, Any], following: str | None = None, **given: str) -> ListResult:
    asked = ListQuery(path="/console/org_1/x", given=given, query={}, form=blank(), zone="UTC", at_start=True)
    return ListResult(asked=asked, answer=said({"data": list(rows), "next_cursor": following}), extra={}, status=200)


ALERT: dict[str, Any] = {
    "id": "alr_1",
    "kind": "credits.exhausted",
    "subject": "org_1",
    "detail": "Nothing is left.",
    "names": {},
    "severity": "critical",
    "status": "firing",
    "for_operators": False,
    "created_at": AT,
    "acknowledged_by": None,
    "resolved_by": None,
    "snoozed_until": None,
}


def alert(*, commands: bool = True, operator: bool = False, **changes: Any) -> alerts.Row:
    page = alerts.page(
        found({**ALERT, **changes}),
        blank(),
        PREFS,
        NOW,
        "/console/org_1",
        has=lambda path: path == "top-up",
        href=lambda id: {OF_ALERT: f"/console/org_1/limits/{id}", HOOK: f"{SETTINGS}/endpoints/{id}"}.get(id, ""),
        commands=commands,
        operator=operator,
        settings="",
    )
    return page.rows[0]


def test_every_kind_of_alert_says_what_to_do() -> None:
    assert set(kinds.ADVICE) == set(KINDS) | set(BUILT_IN)


def test_alert_has_names_with_links_and_local_times_in_place_of_ids_and_utc() -> None:
    detail = f"A spend for {MENTIONED} was refused; the next window begins at 2026-11-23T00:00:00Z."
    row = alert(subject=OF_ALERT, detail=detail, names={OF_ALERT: "Research", MENTIONED: "Summariser"})
    (about,) = row.subject
    assert (about.text, about.href) == ("Research", f"/console/org_1/limits/{OF_ALERT}")
    assert about.id is not None
    assert about.id.whole == OF_ALERT
    words = [each.text for each in row.detail]
    assert words[:3] == ["A spend for ", "Summariser", " was refused; the next window begins at "]
    assert [each.at.iso for each in row.detail if each.at] == ["2026-11-23T00:00:00+00:00"]
    assert row.title == "Credits used up"


@pytest.mark.parametrize(("names", "href"), [({HOOK: "Books"}, f"{SETTINGS}/endpoints/{HOOK}"), ({}, "")])
def test_alert_leads_to_its_webhook_endpoint_unless_that_is_deleted(names: dict[str, str], href: str) -> None:
    row = alert(kind="webhook_endpoint.given_up", detail=f"The webhook endpoint {HOOK} was disabled.", names=names)
    assert [each.href for each in row.detail if each.id] == [href]


def test_alert_leads_to_the_page_where_something_is_done_about_it() -> None:
    where = alert().where
    assert where is not None
    assert (where.href, alert(kind="spend.refused").where) == ("/console/org_1/top-up", None)


def test_organization_does_not_resolve_what_is_for_operators() -> None:
    row = alert(for_operators=True)
    assert (row.acknowledge is not None, row.resolve, bool(row.waits)) == (True, None, True)
    assert alert(for_operators=True, operator=True).resolve is not None


def test_alert_offers_nothing_when_it_is_over_or_one_only_reads() -> None:
    for row in (alert(status="resolved"), alert(commands=False)):
        assert (row.acknowledge, row.resolve, row.snooze) == (None, None, None)


ENDPOINT = {
    "id": "whe_1",
    "url": "https://hooks.example.com/in",
    "types": ["*"],
    "description": None,
    "ordering": "subject",
    "status": "enabled",
    "reason": None,
    "public_key": None,
    "failing_since": None,
    "slowed_until": None,
    "delivered_at": None,
    "created_at": AT,
}
DELIVERY = {
    "id": "whd_1",
    "type": "escrow.released",
    "subject": "esc_1",
    "status": "failed",
    "tries": 3,
    "next_try_at": None,
    "status_code": None,
    "error": "No route",
    "answer": None,
    "created_at": AT,
}


@pytest.mark.parametrize(
    ("status", "labels"),
    [("enabled", ["Send test", "Pause"]), ("disabled", ["Resume"]), ("paused", [])],
)
def test_endpoint_offers_what_its_status_allows(status: str, labels: list[str]) -> None:
    page = endpoints.one({**ENDPOINT, "status": status}, found(DELIVERY), blank(), NAMING, "/x", manages=True)
    assert [each.label for each in page.acts] == labels
    assert (page.deliveries[0].retry is not None) == (status == "enabled")


def test_endpoint_offers_nothing_to_who_only_reads() -> None:
    page = endpoints.one(ENDPOINT, found(DELIVERY), blank(), NAMING, "/x", manages=False)
    assert (page.acts, page.rotate, page.delete, page.deliveries[0].retry) == ((), "", "", None)


def test_delivered_event_is_not_tried_again() -> None:
    page = endpoints.one(ENDPOINT, found({**DELIVERY, "status": "delivered"}), blank(), NAMING, "/x", manages=True)
    assert page.deliveries[0].retry is None


def test_types_are_read_apart_by_lines_commas_and_spaces() -> None:
    assert endpoints.types_of("a.b, c.d\ne.f a.b") == ["a.b", "c.d", "e.f"]


LINE: dict[str, Any] = {"group": None, "events": 2, "input_tokens": 10, "output_tokens": 4, "costs": []}
COSTS = [{"currency": "CREDIT", "cost": "0.000001234567", "creator_share": "0", "platform_share": "0"}]


def month(days: Answer, groups: Answer, **given: str) -> usage.Usage:
    of = usage.chosen(given, date(2026, 11, 22), "/console/org_1/usage")
    return usage.page(of, {"days": days, "groups": groups}, PREFS, blank(), "")


def test_usage_is_of_this_month_where_none_is_chosen() -> None:
    of = usage.chosen({}, date(2026, 2, 3), "/x")
    assert of.days == {"start_date": "2026-02-01", "end_date": "2026-02-28"}


@pytest.mark.parametrize("text", ["2026-13", "soon", "0001-01"])
def test_what_is_no_month_is_said_at_its_field(text: str) -> None:
    assert usage.chosen({"month": text}, date(2026, 2, 3), "/x").form.error("month")


def test_usage_has_a_chart_of_every_day_and_costs_with_all_decimals() -> None:
    line = {**LINE, "costs": COSTS}
    days = said({"total": line, "data": [{**line, "group": "2026-11-03"}]})
    page = month(days, said({"data": [{**line, "group": "gpt-4o"}]}))
    assert [len(chart.rows) for chart in page.charts] == [30]
    assert page.rows[0].costs[0].number == "0.000001234567"
    assert page.rows[0].href == "/console/org_1/usage/log?model=gpt-4o&from=2026-11-01&to=2026-11-30"


def test_usage_without_a_cost_draws_its_events() -> None:
    days = said({"total": LINE, "data": [{**LINE, "group": "2026-11-03"}]})
    assert [chart.title for chart in month(days, NOTHING).charts] == ["Events by day"]


def test_sections_of_usage_fail_on_their_own() -> None:
    page = month(SILENT, NOTHING)
    assert (page.days_failed is not None, page.groups_failed, page.charts) == (True, None, ())


def test_log_says_that_there_are_older_events_to_look_through() -> None:
    assert log.page(found(following="c", model="x"), NAMING, "/u").goes_on
    assert not log.page(found(model="x"), NAMING, "/u").goes_on
