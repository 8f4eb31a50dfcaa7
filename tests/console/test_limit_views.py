"""What the pages of usage make of answers: each state, and what is typed."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from console.format import Prefs
from console.forms import blank
from console.gateway import Answer, Problem
from console.lists import ListQuery, ListResult
from console.usage import log, view as usage
from tests.console.answering import said
from tests.console.fake import NAMING

NOW, AT, PREFS = datetime(2026, 11, 22, 12, tzinfo=UTC), "2026-11-22T09:00:00Z", Prefs()
NOTHING = Answer(status=200, request_id="req_1", body={"data": [], "next_cursor": None})
SILENT = Answer(status=503, request_id="req_1", problem=Problem(status=503, code="internal", title="", detail=""))


ESCROW, ORDER = "esc_01kar6x0qmf9rv4w7n2h8d3s5c", "por_01kar6x0qmf9rv4w7n2h8d3s5c"
MENTIONED = "agt_01kar6x0qmf9rv4w7n2h8d3s5c"


def found(*rows: dict[str, Any], following: str | None = None, **given: str) -> ListResult:
    asked = ListQuery(path="/console/org_1/x", given=given, query={}, form=blank(), zone="UTC", at_start=True)
    return ListResult(asked=asked, answer=said({"data": list(rows), "next_cursor": following}), extra={}, status=200)


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
