"""What the pages of usage and limits make of answers: each state, and what is typed."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from console.format import Prefs
from console.forms import Form, blank
from console.gateway import Answer, Problem
from console.lists import ListQuery, ListResult
from console.mentions import Naming
from console.spend_control import terms, view as limits
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


LIMIT = {
    "window": "month",
    "amount": "100.00",
    "uses": None,
    "hard": True,
    "spent": "80.00",
    "held": "10.00",
    "remaining": "10.00",
    "uses_spent": 4,
    "uses_remaining": None,
    "resets_at": "2026-12-01T00:00:00Z",
}
CONTROL = {
    "id": "ctl_1",
    "subject": {"type": "organization", "id": "org_1", "name": "Acme"},
    "parent_id": None,
    "currency": "CREDIT",
    "time_zone": "UTC",
    "status": "active",
    "version": 3,
    "limits": [LIMIT],
    "per_spend": None,
    "thresholds": ["0.5", "1"],
    "starts_at": None,
    "ends_at": None,
    "created_at": AT,
}


def limit(
    *,
    may_change: bool = True,
    spends: Answer = NOTHING,
    refusals: Answer = NOTHING,
    naming: Naming = NAMING,
    **changes: Any,
) -> limits.Limit:
    answers = {"control": said({**CONTROL, **changes}), "spends": spends, "refusals": refusals, "versions": NOTHING}
    return limits.one(answers, blank(), naming, "/limits", may_change=may_change)


def test_limit_says_what_is_spent_reserved_and_left_and_when_it_resets() -> None:
    (meter,) = limits.page(found(CONTROL), PREFS, "").rows[0].meters
    text = meter.text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{NARROW NO-BREAK SPACE}", " ")
    assert text == (
        "80.00 credits spent, 10.00 credits reserved of 100.00 credits, 10.00 credits left; "
        "resets Dec 1, 2026, 12:00 AM"
    )
    assert (meter.width, meter.tone) == ("90.00", "warn")


@pytest.mark.parametrize(
    ("status", "offered"),
    [("active", (True, True, False, True)), ("frozen", (True, False, True, True)), ("closed", (False,) * 4)],
)
def test_limit_offers_what_its_status_allows(status: str, offered: tuple[bool, ...]) -> None:
    page = limit(status=status)
    assert tuple(bool(each) for each in (page.change, page.freeze, page.unfreeze, page.close)) == offered
    page = limit(status=status, may_change=False)
    assert (page.change, page.freeze, page.unfreeze, page.close) == ("", "", "", "")


def test_limit_lists_spends_and_leads_to_its_escrows_and_purchases() -> None:
    spend: dict[str, Any] = {
        "id": "spd_1",
        "type": "spend",
        "action": "search",
        "status": "charged",
        "at": AT,
        "amount": "2.00",
    }
    spend |= {"counted": "2.00", "principal": "crew", "agent_id": None}
    escrow = {**spend, "id": ESCROW, "type": "escrow", "action": "escrow.fund", "status": "reserved"}
    purchase = {**escrow, "id": ORDER, "type": "purchase", "action": "purchase_order", "agent_id": MENTIONED}
    named = Naming(names={ORDER: "Fonts", MENTIONED: "Writer"}, prefs=PREFS, href=lambda id, _: f"/{id}")
    rows = limit(spends=said({"data": [escrow, purchase, spend]}), naming=named).history.spends
    assert [(row.what, [part.href for part in row.of], row.state) for row in rows] == [
        ("Escrow", [f"/{ESCROW}"], "Held"),
        ("Purchase", [f"/{ORDER}"], "Held"),
        ("search", [], "Charged"),
    ]
    assert [part.text for row in rows for part in (*row.of, *row.by)] == ["", "crew", "Fonts", "Writer", "crew"]


def test_refusal_says_what_was_left() -> None:
    refusal: dict[str, Any] = {"at": AT, "reason": "limit", "action": "search", "amount": "20.00", "limit": "100.00"}
    refusal |= {"remaining": "10.00", "resets_at": None, "principal": "crew", "agent_id": None}
    (row,) = limit(refusals=said({"data": [refusal]})).history.refusals
    assert (row.reason, row.left) == ("Above the remaining amount", "10.00\N{NO-BREAK SPACE}credits")
    assert [part.text for part in row.by] == ["crew"]


def test_change_sends_all_that_a_limit_allows_as_its_form_shows_it() -> None:
    soft = {**LIMIT, "window": "day", "amount": None, "uses": 5, "hard": False}
    form = Form(values=terms.typed({**CONTROL, "limits": [soft, LIMIT], "per_spend": "9.00"}))
    assert terms.allowance(form) == {
        "limits": [
            {"window": "day", "amount": None, "uses": 5, "hard": False},
            {"window": "month", "amount": "100.00", "uses": None, "hard": True},
        ],
        "per_spend": "9.00",
        "thresholds": ["0.5", "1"],
        "reason": None,
    }
    assert terms.version(form) == 3
    assert terms.names(form)["limits.1.amount"] == "month_amount"


@pytest.mark.parametrize(
    ("subject", "typed", "wanted"),
    [
        ("organization", "", {"type": "organization", "id": None}),
        ("agent:agt_1", "agt_2", {"type": "agent", "id": "agt_1"}),
        ("run", "nightly", {"type": "run", "id": "nightly"}),
    ],
)
def test_limit_is_for_whom_was_chosen_or_typed(subject: str, typed: str, wanted: dict[str, Any]) -> None:
    assert terms.subject(Form(values={"subject": subject, "subject_id": typed})) == wanted


def test_limit_is_named_before_it_is_frozen_or_ended() -> None:
    subject = {"type": "agent", "id": MENTIONED, "name": "Summariser"}
    for asks in (limits.freezing, limits.closing):
        assert asks({**CONTROL, "subject": subject}, blank(), "/limits").facts == (("For", "Agent Summariser"),)
