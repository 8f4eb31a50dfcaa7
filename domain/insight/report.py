"""Reports: periods, queries, templates, and changes between versions. Pure."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from domain.common.calendar import Window, window_end, window_start, zone_of
from domain.common.errors import Invalid
from domain.insight.metrics import METRICS
from domain.insight.query import Compare, Grain, Query
from domain.insight.spent import SpentPart

#: The maximum number of reports of an organization or of operators, of queries of a report, and of its recipients.
MAX_REPORTS, MAX_QUESTIONS, MAX_RECIPIENTS = 50, 20, 50
#: The maximum number of rows of a query. Reports are for people; exports have more rows.
MAX_ROWS = 1_000
#: How long after the first version a period is computed again.
RECOMPUTED_AFTER = timedelta(days=3)
#: How long the files of runs are kept.
FILES_KEPT_FOR = timedelta(days=3 * 366)
#: The first day of weeks: Monday.
_MONDAY = 1


class ReportSchedule(StrEnum):
    """Length of a report's periods."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"


class ReportFormat(StrEnum):
    """File format of a report."""

    HTML = "html"
    PDF = "pdf"
    CSV = "csv"
    JSONL = "jsonl"


_WINDOWS = {
    ReportSchedule.DAILY: Window.DAY,
    ReportSchedule.WEEKLY: Window.WEEK,
    ReportSchedule.MONTHLY: Window.MONTH,
    ReportSchedule.QUARTERLY: Window.QUARTER,
}
_EXAMPLES = {
    ReportSchedule.DAILY: "2026-03-29",
    ReportSchedule.WEEKLY: "2026-W13",
    ReportSchedule.MONTHLY: "2026-03",
    ReportSchedule.QUARTERLY: "2026-Q1",
}


@dataclass(frozen=True, slots=True)
class ReportPeriod:
    """A day, a week from Monday, a month or a quarter in a time zone.

    Attributes:
        name: `2026-03-29`, `2026-W13` (ISO 8601), `2026-03` or `2026-Q1`.
        since, until: its beginning and that of the next one, in UTC.
        first, last: its first and last day.
    """

    name: str
    since: datetime
    until: datetime
    first: date
    last: date

    @property
    def in_utc(self) -> tuple[datetime, datetime]:
        """The bounds of the same dates in UTC."""
        first, following = (datetime.combine(each, time(), UTC) for each in (self.first, self.last + timedelta(days=1)))
        return first, following


def period_at(schedule: ReportSchedule, at: datetime, zone: ZoneInfo) -> ReportPeriod:
    """Return the period of a schedule that contains a moment."""
    window = _WINDOWS[schedule]
    since, until = window_start(window, at, zone, _MONDAY), window_end(window, at, zone, _MONDAY)
    first = at.astimezone(zone).date()
    match schedule:
        case ReportSchedule.WEEKLY:
            first -= timedelta(days=first.weekday())
        case ReportSchedule.MONTHLY:
            first = first.replace(day=1)
        case ReportSchedule.QUARTERLY:
            first = first.replace(month=(first.month - 1) // 3 * 3 + 1, day=1)
    last = until.astimezone(zone).date() - timedelta(days=1)
    return ReportPeriod(_named(schedule, first), since, until, first, last)


def period_named(schedule: ReportSchedule, name: str, zone: ZoneInfo) -> ReportPeriod:
    """Parse the name of a period.

    Raises:
        Invalid: the schedule has no such period.
    """
    try:
        first = _first_of(schedule, name)
        # Noon is in the day whatever its clocks do; PEP 495 knows no gap as long as half a day.
        found = period_at(schedule, datetime(first.year, first.month, first.day, 12, tzinfo=zone), zone)
        if found.name == name:
            return found
    except (ValueError, OverflowError):
        pass
    raise Invalid(
        f"There is no such period of a {schedule} report. Name one like {_EXAMPLES[schedule]}.",
        extra={"field": "period"},
    )


def _named(schedule: ReportSchedule, first: date) -> str:
    match schedule:
        case ReportSchedule.DAILY:
            return first.isoformat()
        case ReportSchedule.WEEKLY:
            year, week, _ = first.isocalendar()
            return f"{year:04}-W{week:02}"
        case ReportSchedule.MONTHLY:
            return f"{first:%Y-%m}"
        case ReportSchedule.QUARTERLY:
            return f"{first:%Y}-Q{(first.month + 2) // 3}"


def _first_of(schedule: ReportSchedule, name: str) -> date:
    if schedule is ReportSchedule.QUARTERLY:
        found = re.fullmatch(r"(\d{4})-Q([1-4])", name, re.ASCII)
        if found is None:
            raise ValueError(name)
        return date(int(found[1]), int(found[2]) * 3 - 2, 1)
    return date.fromisoformat(f"{name}-1" if schedule is ReportSchedule.WEEKLY else f"{name}-01"[:10])


@dataclass(frozen=True, slots=True, kw_only=True)
class SectionQuery:
    """A query of a report: a `domain.insight.query.Query` without a period, and a title."""

    metrics: tuple[str, ...]
    title: str = ""
    by: tuple[str, ...] = ()
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    grain: Grain | None = None
    compare: Compare | None = None
    currency: str | None = None
    limit: int = MAX_ROWS

    @property
    def is_by_utc_day(self) -> bool:
        """Whether it is computed by UTC day, for the same dates."""
        return any(name in METRICS and METRICS[name].is_by_utc_day for name in self.metrics)

    def of(self, period: ReportPeriod, zone: str) -> Query:
        """Return the query for a period."""
        since, until = period.since, period.until
        if self.is_by_utc_day:
            zone, since, until = "UTC", *period.in_utc
        return Query(
            metrics=self.metrics,
            since=since,
            until=until,
            by=self.by,
            where=self.where,
            grain=self.grain,
            zone=zone,
            compare=self.compare,
            currency=self.currency,
            limit=self.limit,
        )

    def stored(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "title": self.title,
            "metrics": list(self.metrics),
            "by": list(self.by),
            "where": {name: list(values) for name, values in self.where.items()},
            "grain": self.grain,
            "compare": self.compare,
            "currency": self.currency,
            "limit": self.limit,
        }

    @classmethod
    def kept(cls, stored: Mapping[str, Any]) -> "SectionQuery":
        """Parse the JSON of `stored`."""
        grain, compare = stored["grain"], stored["compare"]
        return cls(
            title=stored["title"],
            metrics=tuple(stored["metrics"]),
            by=tuple(stored["by"]),
            where={name: tuple(values) for name, values in stored["where"].items()},
            grain=None if grain is None else Grain(grain),
            compare=None if compare is None else Compare(compare),
            currency=stored["currency"],
            limit=stored["limit"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDefinition:
    """Content and schedule of a report, without its recipients.

    Attributes:
        name: given by its owner.
        template: the name of its template; None for own queries.
        questions: its own queries; empty with a template.
        zone: the IANA time zone of its periods.
    """

    name: str
    schedule: ReportSchedule
    format: ReportFormat
    zone: str
    template: str | None = None
    questions: tuple[SectionQuery, ...] = ()

    @property
    def asked(self) -> tuple[SectionQuery, ...]:
        return self.questions if self.template is None else TEMPLATES[self.template].questions

    def due_at(self, period: ReportPeriod, late: timedelta) -> datetime:
        """Return when a period is computed: after its end and the delay for late bookings."""
        ends = period.in_utc[1] if any(each.is_by_utc_day for each in self.asked) else period.until
        return max(period.until, ends) + late

    def period_at(self, at: datetime) -> ReportPeriod:
        """Return the period that contains a moment."""
        return period_at(self.schedule, at, ZoneInfo(self.zone))

    def period_named(self, name: str) -> ReportPeriod:
        """Parse the name of a period; see `period_named`."""
        return period_named(self.schedule, name, ZoneInfo(self.zone))

    def stored(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "name": self.name,
            "schedule": self.schedule,
            "format": self.format,
            "zone": self.zone,
            "template": self.template,
            "questions": [each.stored() for each in self.questions],
        }

    @classmethod
    def kept(cls, stored: Mapping[str, Any]) -> "ReportDefinition":
        """Parse the JSON of `stored`, with the queries."""
        return cls(
            name=stored["name"],
            schedule=ReportSchedule(stored["schedule"]),
            format=ReportFormat(stored["format"]),
            zone=stored["zone"],
            template=stored["template"],
            questions=tuple(SectionQuery.kept(each) for each in stored["questions"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportTemplate:
    """Predefined queries of reports, for organizations or for operators."""

    name: str
    sentence: str
    schedule: ReportSchedule
    questions: tuple[SectionQuery, ...]
    for_platform: bool = False


def _ask(title: str, *metrics: str, by: str | None = None, **options: Any) -> SectionQuery:
    return SectionQuery(
        title=title,
        metrics=metrics,
        by=() if by is None else (by,),
        compare=options.pop("compare", Compare.PREVIOUS),
        **options,
    )


#: Returns are reported in the currency of the price book.
_IN = {"currency": "USD"}
_RETURNS = ("returns.revenue", "returns.cost", "returns.margin", "returns.roi")
TEMPLATES: Mapping[str, ReportTemplate] = {
    each.name: each
    for each in (
        ReportTemplate(
            name="daily_summary",
            sentence="What each agent spent, used, cost and brought in on a day, and what is left.",
            schedule=ReportSchedule.DAILY,
            questions=(
                _ask("Spent by agent", "spending", "spends", by="agent"),
                _ask("Usage by agent", "usage.events", "usage.input_tokens", "usage.output_tokens", by="agent"),
                _ask("Cost and revenue by agent", "returns.cost", "returns.revenue", by="agent"),
                _ask("Balance", "balance", "burn_rate", "days_left", compare=None),
            ),
        ),
        ReportTemplate(
            name="weekly_projects",
            sentence="What each project spent, used and brought in during a week.",
            schedule=ReportSchedule.WEEKLY,
            questions=(
                _ask("Spent by project", "spending", "spends", by="project"),
                _ask("Usage by project", "usage.events", "usage.cost", by="project"),
                _ask("Returns by project", *_RETURNS, by="project", **_IN),
                _ask("Spent by day", "spending", grain=Grain.DAY, compare=None),
            ),
        ),
        ReportTemplate(
            name="monthly_returns",
            sentence="What agents cost and brought in during a month, their return, and what came back.",
            schedule=ReportSchedule.MONTHLY,
            questions=(
                _ask("Returns", *_RETURNS, **_IN),
                _ask("Returns by agent", *_RETURNS, by="agent", **_IN),
                _ask("Returns by project", *_RETURNS, by="project", **_IN),
                _ask("Spent", "spending", *(f"spending.{part}" for part in SpentPart)),
                _ask("Recorded usage", "usage.cost"),
                _ask("Earned by agent", "earnings", by="agent"),
                _ask("Paid out", "payouts.paid"),
                _ask("Escrows", "escrows.opened", "escrows.released", "escrows.refunded", "escrows.refund_rate"),
            ),
        ),
        ReportTemplate(
            name="quarterly_review",
            sentence="A quarter by month: returns, spending, usage, payments, escrows and earnings.",
            schedule=ReportSchedule.QUARTERLY,
            questions=(
                _ask("Returns by month", *_RETURNS, grain=Grain.MONTH, compare=None, **_IN),
                _ask("Returns by agent", *_RETURNS, by="agent", **_IN),
                _ask("Spent by month", "spending", "spends", grain=Grain.MONTH, compare=None),
                _ask("Spent by department", "spending", by="department"),
                _ask("Spent by project", "spending", by="project"),
                _ask("Usage by model", "usage.events", "usage.cost", by="model"),
                _ask("Payments", "payments.received", "payments.success_rate"),
                _ask("Escrows", "escrows.opened", "escrows.cycle_time", "escrows.dispute_rate", "escrows.refund_rate"),
                _ask("Earnings", "earnings"),
            ),
        ),
        ReportTemplate(
            name="platform_month",
            sentence="The month of the platform: volume, revenue, subscriptions, payments and engagement.",
            schedule=ReportSchedule.MONTHLY,
            for_platform=True,
            questions=(
                _ask("Volume and revenue", "volume", "revenue", "commission", "take_rate"),
                _ask("Revenue by stream", "revenue", by="stream"),
                _ask("Subscriptions", "mrr", "mrr.new", "mrr.expansion", "mrr.contraction", "mrr.churn"),
                _ask("Payments by provider", "payments.received", "payments.success_rate", by="provider"),
                _ask("Held", "money.held", "escrows.held", "credits.outstanding", "credits.velocity"),
                _ask("Engagement", "active.organizations", "active.people", "active.agents"),
            ),
        ),
    )
}


def check_definition(wanted: ReportDefinition, *, platform: bool) -> ReportDefinition:
    """Check a definition for an organization or the platform. Metrics are checked when they are queried.

    Raises:
        Invalid: the zone, the template, or the number of questions; `field` names it.
    """
    zone_of(wanted.zone, "zone")
    if (wanted.template is None) == (not wanted.questions):
        raise Invalid("A report has either a template or a query.", extra={"field": "query"})
    if wanted.template is not None:
        found = TEMPLATES.get(wanted.template)
        if found is None or found.for_platform is not platform:
            names = ", ".join(name for name, each in TEMPLATES.items() if each.for_platform is platform)
            raise Invalid(f"There is no such template. There are: {names}.", extra={"field": "template"})
    return wanted


#: The key of a figure: section, interval, group, metric and asset.
FigureKey = tuple[int, str, tuple[str, ...], str, str]
#: The interval of totals.
TOTAL = "total"


@dataclass(frozen=True, slots=True)
class FigureChange:
    """A figure that differs between versions, as texts; None if a version lacks it."""

    place: FigureKey
    before: str | None
    after: str | None


def figures_by_key(sections: Sequence[Mapping[str, Any]]) -> Iterator[tuple[FigureKey, str | None]]:
    """Return the figures of a report's rows and totals by key, in order."""
    for number, section in enumerate(sections):
        for row in (*section["rows"], {"at": None, "group": None, "figures": section["totals"]}):
            group = ("",) if row["group"] is None else tuple(each or "" for each in row["group"])
            at = row["at"] or (TOTAL if row["group"] is None else "")
            for figure in row["figures"]:
                yield (number, at, group, figure["metric"], figure["asset"] or ""), figure["value"]


def compare_versions(
    before: Sequence[Mapping[str, Any]], after: Sequence[Mapping[str, Any]]
) -> tuple[FigureChange, ...]:
    """Compare the figures of two versions of a period, in the order of the later one.

    Figures of the comparison period are left out.
    """
    old, new = dict(figures_by_key(before)), dict(figures_by_key(after))
    return tuple(
        FigureChange(place, old.get(place), new.get(place))
        for place in dict.fromkeys((*new, *old))
        if old.get(place) != new.get(place)
    )
