"""Periods of reports across clock changes, their definitions, and their files."""

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, strategies as st

from domain.common.errors import Invalid
from domain.insight.query import Compare, Grain, MetricFigure, QueryResult, QueryRow, RateUsed
from domain.insight.report import (
    TEMPLATES,
    ReportDefinition,
    ReportFormat,
    ReportSchedule,
    SectionQuery,
    check_definition,
    compare_versions,
    period_at,
    period_named,
)
from domain.insight.report_file import ReportContent, render_file, section_of, tables
from providers.documents.report import ReportMaker
from tests.support.cases import for_each

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ("UTC", "Europe/Berlin", "America/Santiago", "Asia/Beirut", "Australia/Lord_Howe", "Pacific/Apia")
MOMENTS = st.integers(0, 90 * 366 * 24 * 60).map(
    lambda minutes: datetime(2000, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
HOUR = timedelta(hours=1)


def local(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


@given(MOMENTS, st.sampled_from(list(ReportSchedule)), st.sampled_from(ZONES))
def test_periods_follow_each_other_without_a_gap_and_are_found_by_their_names(
    at: datetime, schedule: ReportSchedule, zone_name: str
) -> None:
    zone = ZoneInfo(zone_name)
    period = period_at(schedule, at, zone)
    assert period.since <= at < period.until
    assert period_named(schedule, period.name, zone) == period
    assert period_at(schedule, period.until - timedelta(microseconds=1), zone) == period
    following = period_at(schedule, period.until, zone)
    assert (following.since, following.first > period.last) == (period.until, True)
    assert following.name > period.name
    assert period.last == (period.until - timedelta(microseconds=1)).astimezone(zone).date()


@for_each(
    "schedule, at, name, since, until, hours",
    [
        (ReportSchedule.DAILY, "2026-03-29T12:00", "2026-03-29", "2026-03-29T00:00", "2026-03-30T00:00", 23),
        (ReportSchedule.DAILY, "2026-10-25T12:00", "2026-10-25", "2026-10-25T00:00", "2026-10-26T00:00", 25),
        (ReportSchedule.DAILY, "2028-02-29T23:59", "2028-02-29", "2028-02-29T00:00", "2028-03-01T00:00", 24),
        (ReportSchedule.WEEKLY, "2026-03-29T23:59", "2026-W13", "2026-03-23T00:00", "2026-03-30T00:00", 167),
        (ReportSchedule.WEEKLY, "2027-01-01T00:00", "2026-W53", "2026-12-28T00:00", "2027-01-04T00:00", 168),
        (ReportSchedule.MONTHLY, "2026-10-31T00:00", "2026-10", "2026-10-01T00:00", "2026-11-01T00:00", 745),
        (ReportSchedule.MONTHLY, "2028-02-01T00:00", "2028-02", "2028-02-01T00:00", "2028-03-01T00:00", 29 * 24),
        (ReportSchedule.QUARTERLY, "2026-03-31T23:59", "2026-Q1", "2026-01-01T00:00", "2026-04-01T00:00", 90 * 24 - 1),
        (ReportSchedule.QUARTERLY, "2026-12-31T23:59", "2026-Q4", "2026-10-01T00:00", "2027-01-01T00:00", 92 * 24 + 1),
    ],
)
def test_period_has_the_hours_that_the_clocks_of_its_zone_had(
    schedule: ReportSchedule, at: str, name: str, since: str, until: str, hours: int
) -> None:
    period = period_at(schedule, local(at), BERLIN)
    assert (period.name, period.since, period.until) == (name, local(since), local(until))
    assert period.until - period.since == hours * HOUR


@for_each(
    "schedule, name",
    [
        (ReportSchedule.DAILY, "2026-02-29"),
        (ReportSchedule.DAILY, "2026-03"),
        (ReportSchedule.DAILY, "20260301"),
        (ReportSchedule.WEEKLY, "2026-W54"),
        (ReportSchedule.WEEKLY, "2026-13"),
        (ReportSchedule.MONTHLY, "2026-13"),
        (ReportSchedule.MONTHLY, "2026-03-02"),
        (ReportSchedule.MONTHLY, "9999-12"),
        (ReportSchedule.QUARTERLY, "2026-Q5"),
        (ReportSchedule.QUARTERLY, "2026-Q٣"),
        (ReportSchedule.QUARTERLY, ""),
    ],
)
def test_period_that_the_schedule_does_not_have_is_refused(schedule: ReportSchedule, name: str) -> None:
    with pytest.raises(Invalid, match="no such period"):
        period_named(schedule, name, BERLIN)


def a_definition(**changed: object) -> ReportDefinition:
    usual = ReportDefinition(
        name="Spending",
        schedule=ReportSchedule.WEEKLY,
        format=ReportFormat.CSV,
        zone="Europe/Berlin",
        questions=(SectionQuery(metrics=("spending",), by=("agent",)),),
    )
    return replace(usual, **changed)


def test_stored_definition_round_trips() -> None:
    question = SectionQuery(
        metrics=("spending", "spends"),
        title="Spent",
        by=("agent", "action"),
        where={"project": ("prj_1", "prj_2")},
        grain=Grain.DAY,
        compare=Compare.LAST_YEAR,
        currency="EUR",
        limit=5,
    )
    for definition in (
        a_definition(questions=(question, *TEMPLATES["quarterly_review"].questions)),
        a_definition(template="weekly_projects", questions=()),
    ):
        assert ReportDefinition.kept(json.loads(json.dumps(definition.stored()))) == definition


@for_each(
    "changed, field",
    [
        ({"zone": "Europe/Berlinn"}, "zone"),
        ({"questions": ()}, "query"),
        ({"template": "weekly_projects"}, "query"),
        ({"template": "none", "questions": ()}, "template"),
        ({"template": "platform_month", "questions": ()}, "template"),
    ],
)
def test_invalid_definition_is_refused_with_its_field(changed: dict[str, object], field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        check_definition(a_definition(**changed), platform=False)
    assert refusal.value.extra == {"field": field}


def test_template_of_the_platform_is_for_operators_alone() -> None:
    assert check_definition(a_definition(template="platform_month", questions=()), platform=True)
    with pytest.raises(Invalid):
        check_definition(a_definition(template="weekly_projects", questions=()), platform=True)


def test_utc_metrics_are_queried_for_the_same_dates_after_a_delay() -> None:
    tokyo = a_definition(
        zone="Asia/Tokyo", schedule=ReportSchedule.DAILY, questions=(SectionQuery(metrics=("earnings",)),)
    )
    period = tokyo.period_named("2026-03-01")
    query = tokyo.questions[0].of(period, tokyo.zone)
    first, following = (datetime(2026, 3, day, tzinfo=UTC) for day in (1, 2))
    assert (query.since, query.until, query.zone) == (first, following, "UTC")
    # In Tokyo the day is over nine hours before.
    assert (period.until, tokyo.due_at(period, HOUR)) == (following - 9 * HOUR, following + HOUR)
    own = a_definition(zone="Asia/Tokyo", schedule=ReportSchedule.DAILY)
    assert own.due_at(period, HOUR) == period.until + HOUR
    assert own.questions[0].of(period, own.zone).since == period.since


# Files ----------------------------------------------------------------------------------------------------------------

AGENT, OTHER = "agt_a", "agt_b"
BY_AGENT = SectionQuery(metrics=("spending", "spends"), title="Spent <b>", by=("agent",), compare=Compare.PREVIOUS)
BY_HOUR = SectionQuery(metrics=("spends",), grain=Grain.HOUR)


def row(agent: str, minor: int, count: int, before: int | None = None) -> QueryRow:
    figures = (MetricFigure("spends", None, count), MetricFigure("spending", "USD", minor, before))
    return QueryRow(None, {"agent": agent}, figures)


def answer(rows: Sequence[QueryRow], *totals: MetricFigure, rates: Sequence[RateUsed] = ()) -> QueryResult:
    return QueryResult(rows=tuple(rows), totals=totals, as_of=datetime.now(UTC), is_complete=True, rates=tuple(rates))


def paper(
    rows: Sequence[QueryRow] = (), *, hours: Sequence[QueryRow] = (), names: dict[str, str] | None = None
) -> ReportContent:
    period = period_at(ReportSchedule.DAILY, local("2026-10-25T12:00"), BERLIN)
    totals = MetricFigure("spending", "USD", 1500), MetricFigure("spends", None, 3)
    return ReportContent(
        name='Spending "daily" & <script>alert(1)</script>',
        owner="=cmd|'/c calc'!A0",
        period=period,
        zone="Europe/Berlin",
        version=1,
        as_of=period.until + 3 * HOUR,
        sections=[section_of(BY_AGENT, answer(rows, *totals)), section_of(BY_HOUR, answer(hours))],
        names=names or {},
    )


USUAL = (row(OTHER, 500, 1), row(AGENT, 1000, 2, 700))


def made_file(made: ReportContent, form: ReportFormat) -> bytes:
    return ReportMaker().pdf(made) if form is ReportFormat.PDF else render_file(made, form)


@for_each("form", list(ReportFormat))
def test_report_bytes_do_not_depend_on_row_order(form: ReportFormat) -> None:
    rates = [RateUsed(f"2026-10-{day}", "EUR", "USD", "1.1") for day in (24, 25)]
    first, second = (
        replace(
            paper(rows, names={AGENT: "Ada"}),
            sections=[section_of(BY_AGENT, answer(rows, MetricFigure("spends", None, 3), rates=of))],
        )
        for rows, of in ((USUAL, rates), (USUAL[::-1], rates[::-1]))
    )
    assert made_file(first, form) == made_file(second, form)
    assert made_file(first, form) != made_file(paper(USUAL[:1]), form)


@for_each("form", [ReportFormat.HTML, ReportFormat.CSV, ReportFormat.JSONL])
def test_file_lists_omitted_currencies(form: ReportFormat) -> None:
    whole = answer(USUAL, MetricFigure("spends", None, 3))
    made = replace(paper(), sections=[section_of(BY_AGENT, replace(whole, left_out=("ZWG",)))])
    says = {ReportFormat.HTML: "Without amounts in ZWG, for which there is no rate.", ReportFormat.CSV: '"left_out",'}
    assert says.get(form, '"left_out": ["ZWG"]') in render_file(made, form).decode()
    assert "ZWG" not in render_file(replace(made, sections=[section_of(BY_AGENT, whole)]), form).decode()


def test_rows_are_ordered_by_time_then_amount_then_name() -> None:
    rows = (row("c", 5, 1), row("b", 5, 9), row("a", 1, 1), row("d", 9, 1))
    assert [each["group"] for each in section_of(BY_AGENT, answer(rows))["rows"]] == [["d"], ["b"], ["c"], ["a"]]


def test_html_runs_and_loads_nothing_from_names() -> None:
    text = render_file(paper(USUAL, names={AGENT: "<img src=x onerror=1>"}), ReportFormat.HTML).decode()
    assert "<script" not in text
    assert "<img" not in text
    assert "&lt;img src=x onerror=1&gt;" in text
    assert "http" not in text
    assert "Spent &lt;b&gt;" in text
    assert "Nothing in this period." in text


def test_csv_has_no_formula_cells() -> None:
    named = {AGENT: "=HYPERLINK(1)", OTHER: "@sum"}
    lines = list(csv.DictReader(io.StringIO(render_file(paper(USUAL, names=named), ReportFormat.CSV).decode())))
    assert [(each["kind"], each["agent"], each["agent_name"], each["metric"], each["value"]) for each in lines] == [
        ("row", AGENT, "'=HYPERLINK(1)", "spending", "10.00"),
        ("row", AGENT, "'=HYPERLINK(1)", "spends", "2"),
        ("row", OTHER, "'@sum", "spending", "5.00"),
        ("row", OTHER, "'@sum", "spends", "1"),
        ("total", "", "", "spending", "15.00"),
        ("total", "", "", "spends", "3"),
    ]
    assert (lines[0]["before"], lines[0]["currency"]) == ("7.00", "USD")


def test_json_lines_begin_with_the_report_and_end_with_totals() -> None:
    lines = [json.loads(each) for each in render_file(paper(USUAL), ReportFormat.JSONL).splitlines()]
    assert (lines[0]["from"], lines[0]["to"]) == ("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z")
    assert [each["type"] for each in lines] == ["report", "row", "row", "total", "total"]


def test_repeated_hour_is_distinguished() -> None:
    hours = [QueryRow(local("2026-10-25T00:00") + n * HOUR, {}, (MetricFigure("spends", None, n),)) for n in (0, 2, 3)]
    _, table = tables(paper(USUAL, hours=hours))
    assert [each[0] for each in table.rows] == [
        "2026-10-25",
        "2026-10-25 02:00+02:00",
        "2026-10-25 02:00+01:00",
        "Total",
    ]


def test_late_changes_are_listed_first_with_their_difference() -> None:
    before = paper(USUAL)
    late = paper((row(OTHER, 500, 1, 9), row(AGENT, 1200, 3, 700)), names={AGENT: "Ada"})
    found = compare_versions(before.sections, late.sections)
    assert compare_versions(before.sections, before.sections) == ()
    second = replace(late, version=2, changes=found)
    first_table = tables(second)[0]
    assert first_table.title == "Changed since version 1"
    assert [list(each) for each in first_table.rows] == [
        ["Spent <b>", "Ada", "Spending (USD)", "10.00", "12.00", "+2.00"],
        ["Spent <b>", "Ada", "Spends", "2", "3", "+1"],
    ]
    assert b"Changed since version 1" in render_file(second, ReportFormat.HTML)
    assert b'"change","Spent <b>",,' in render_file(second, ReportFormat.CSV)
    assert json.loads(render_file(second, ReportFormat.JSONL).splitlines()[1])["type"] == "change"


def test_added_and_removed_rows_are_changes() -> None:
    found = compare_versions(paper((USUAL[0],)).sections, paper((USUAL[1],)).sections)
    assert {(each.place[2], each.before, each.after) for each in found if each.place[3] == "spending"} == {
        ((AGENT,), None, "10.00"),
        ((OTHER,), "5.00", None),
    }


def test_period_of_a_day_is_written_as_one_day() -> None:
    assert paper().period.first == paper().period.last == date(2026, 10, 25)
    assert b"<dd>2026-10-25</dd>" in render_file(paper(), ReportFormat.HTML)
