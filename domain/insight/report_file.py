"""The files of a report: HTML without scripts, CSV and JSON Lines, and the tables that its PDF shows. Pure.

The same report gives the same bytes: no file says when it was made.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from domain.common.calendar import first_moment
from domain.common.cells import cell_text, csv_text
from domain.common.money import CREDIT, SLOT
from domain.common.text import rfc3339
from domain.insight.metrics import format_value
from domain.insight.query import MetricFigure, QueryResult, QueryRow, Value
from domain.insight.report import TOTAL, FigureChange, ReportFormat, ReportPeriod, SectionQuery

MEDIA_TYPES: Mapping[ReportFormat, str] = {
    ReportFormat.HTML: "text/html; charset=utf-8",
    ReportFormat.PDF: "application/pdf",
    ReportFormat.CSV: "text/csv; charset=utf-8",
    ReportFormat.JSONL: "application/jsonl",
}
EMPTY_TEXT = "Nothing in this period."
#: What people call the assets that the platform issues.
_ISSUED = {CREDIT: "credits", SLOT: "slots"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContent:
    """All that the file of a run says.

    Attributes:
        name: of the report.
        owner: the name of the organization; empty for the platform's.
        version: counts the versions of the period from 1.
        as_of: until when what belongs to the period was awaited.
        sections: an answer each, see `section_of`.
        names: of what the groups name, by their ids.
        changes: what differs from the version before.
    """

    name: str
    owner: str
    period: ReportPeriod
    zone: str
    version: int
    as_of: datetime
    sections: Sequence[Mapping[str, Any]]
    names: Mapping[str, str]
    changes: Sequence[FigureChange] = ()


def failed_section(question: SectionQuery, problem: str) -> dict[str, Any]:
    """Return what stands in the place of a question that cannot be answered, and why."""
    nothing = QueryResult(rows=(), totals=(), as_of=datetime.min.replace(tzinfo=UTC), is_complete=True)
    return section_of(question, nothing) | {"problem": problem}


def section_of(question: SectionQuery, answer: QueryResult) -> dict[str, Any]:
    """Return an answer as JSON, its values as texts; rows in the order of time, and the largest first value first."""

    def place(row: QueryRow) -> tuple[datetime, Value, list[str]]:
        largest = next((each.value for each in _ordered(question, row.figures) if each.value is not None), 0)
        return row.at or datetime.min.replace(tzinfo=UTC), -largest, [row.group.get(each) or "" for each in question.by]

    rows = [
        {
            "at": None if row.at is None else rfc3339(row.at.astimezone(UTC)),
            "group": [row.group.get(each) for each in question.by],
            "figures": _figures(question, row.figures),
        }
        for row in sorted(answer.rows, key=place)
    ]
    return {
        "title": question.title or ", ".join(metric_label(each) for each in question.metrics),
        "by": list(question.by),
        "metrics": list(question.metrics),
        "compared": None if question.compare is None else question.compare.value,
        "in_utc": question.is_by_utc_day,
        "problem": None,
        "rows": rows,
        "totals": _figures(question, answer.totals),
        "rates": sorted(
            (
                {"day": each.day, "asset": each.asset, "currency": each.currency, "rate": each.rate}
                for each in answer.rates
            ),
            key=lambda each: (each["day"], each["asset"], each["currency"]),
        ),
        "left_out": list(answer.left_out),
    }


def _ordered(question: SectionQuery, found: Sequence[MetricFigure]) -> list[MetricFigure]:
    order = {name: place for place, name in enumerate(question.metrics)}
    return sorted(found, key=lambda each: (order[each.metric], each.asset or ""))


def _figures(question: SectionQuery, found: Sequence[MetricFigure]) -> list[dict[str, Any]]:
    return [
        {
            "metric": each.metric,
            "asset": each.asset,
            "value": format_value(each.metric, each.asset, each.value),
            "before": format_value(each.metric, each.asset, each.before),
        }
        for each in _ordered(question, found)
    ]


def metric_label(metric: str) -> str:
    """Return a metric's name as words."""
    return metric.replace(".", ": ", 1).replace("_", " ").capitalize()


def render_file(paper: ReportContent, form: ReportFormat) -> bytes:
    """Write the file, unless it is a PDF, which `providers.documents.report` makes of `pdf_data`."""
    match form:
        case ReportFormat.CSV:
            return _csv(paper)
        case ReportFormat.JSONL:
            return _lines(paper)
        case ReportFormat.HTML:
            return _html(paper)
        case ReportFormat.PDF:
            raise ValueError("a PDF is made from `pdf_data`")


# Tables for people ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ReportTable:
    """A table: its title, the heads of its columns, its rows, how many columns are words, and a note below."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    words: int
    note: str = ""
    last_is_total: bool = False


def heading(paper: ReportContent) -> list[tuple[str, str]]:
    """Return the lines at the top of a report, as labels and texts."""
    period = paper.period
    days = "" if period.first == period.last else f": {period.first} to {period.last}"
    return [
        ("For", paper.owner or "The platform"),
        ("Period", f"{period.name}{days}"),
        ("Time zone", paper.zone),
        ("Booked until", f"{paper.as_of.astimezone(ZoneInfo(paper.zone)):%Y-%m-%d %H:%M}"),
        *([("Version", f"{paper.version}, which corrects version {paper.version - 1}")] if paper.version > 1 else ()),
    ]


def tables(paper: ReportContent) -> list[ReportTable]:
    """Return the tables of a report: what changed since the version before, and one for each question."""
    changed = [_changed(paper)] if paper.changes else []
    return [*changed, *(_table(paper, each) for each in paper.sections)]


def pdf_data(paper: ReportContent) -> dict[str, Any]:
    """Return what the template of PDFs is given, as JSON."""
    return {
        "title": paper.name,
        "facts": heading(paper),
        "tables": [
            {
                "title": each.title,
                "head": list(each.head),
                "rows": [list(row) for row in each.rows],
                "words": each.words,
                "note": each.note,
                "last_is_total": each.last_is_total,
            }
            for each in tables(paper)
        ],
    }


def _table(paper: ReportContent, of: Mapping[str, Any]) -> ReportTable:
    rows, totals, by = of["rows"], of["totals"], of["by"]
    columns = list(
        dict.fromkeys(
            (name, each["asset"])
            for name in of["metrics"]
            for each in sorted(
                (each for figures in (*(row["figures"] for row in rows), totals) for each in figures),
                key=lambda each: each["asset"] or "",
            )
            if each["metric"] == name
        )
    )
    timed, compared = any(row["at"] for row in rows), of["compared"]
    ways = ("value", "before") if compared else ("value",)
    head = [
        *(["From"] if timed else []),
        *(metric_label(each) for each in by),
        *(_head(column, way, compared) for column in columns for way in ways),
    ]

    def cells(figures: Sequence[Mapping[str, Any]]) -> list[str]:
        held = {(each["metric"], each["asset"]): each for each in figures}
        return [held.get(column, {}).get(way) or "-" for column in columns for way in ways]

    body = [
        [
            *([_when(paper, row["at"])] if timed else []),
            *(_named(paper, each) for each in row["group"]),
            *cells(row["figures"]),
        ]
        for row in rows
    ]
    words = timed + len(by)
    if words and rows:
        body.append(["Total", *[""] * (words - 1), *cells(totals)])
    notes = [] if rows else [of["problem"] or EMPTY_TEXT]
    if of["in_utc"] and paper.zone != "UTC":
        notes.append("These figures are of the same days in UTC.")
    if of["rates"]:
        used = "; ".join(f"{each['day']} {each['asset']} {each['rate']} {each['currency']}" for each in of["rates"])
        notes.append(f"Converted at each day's rate: {used}.")
    if of["left_out"]:
        notes.append(f"Without amounts in {', '.join(of['left_out'])}, for which there is no rate.")
    return ReportTable(of["title"], head, body if rows else [], words, " ".join(notes), bool(words and rows))


def _changed(paper: ReportContent) -> ReportTable:
    rows = []
    for change in paper.changes:
        number, at, group, metric, asset = change.place
        about = [_when(paper, at) if at not in {"", TOTAL} else at, *(_named(paper, each) for each in group if each)]
        old, new = (Decimal(each or 0) for each in (change.before, change.after))
        rows.append(
            [
                paper.sections[number]["title"],
                ", ".join(each for each in about if each),
                _head((metric, asset or None), "value", None),
                change.before or "-",
                change.after or "-",
                f"{new - old:+f}",
            ]
        )
    head = ("Table", "Row", "Figure", "Before", "Now", "Difference")
    return ReportTable(f"Changed since version {paper.version - 1}", head, rows, 3)


def _head(column: tuple[str, str | None], way: str, compared: str | None) -> str:
    metric, asset = column
    named = metric_label(metric) + (f" ({_ISSUED.get(asset, asset)})" if asset else "")
    if way == "value":
        return named
    return f"{named}, {'a year before' if compared == 'last_year' else 'period before'}"


def _named(paper: ReportContent, value: str | None) -> str:
    return paper.names.get(value, value) if value else "None"


def _when(paper: ReportContent, at: str) -> str:
    """Write the start of an interval by the report's clocks; the offset tells apart an hour that comes twice."""
    zone = ZoneInfo(paper.zone)
    local = datetime.fromisoformat(at).astimezone(zone)
    return f"{local:%Y-%m-%d}" if local == first_moment(local.date(), zone) else local.isoformat(" ", "minutes")


# Files ----------------------------------------------------------------------------------------------------------------

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem;color:#111}"
    "table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem}"
    "th,td{padding:.3rem .6rem;border-bottom:1px solid #ddd;text-align:left;vertical-align:top}"
    ".n{text-align:right;font-variant-numeric:tabular-nums}.t td{font-weight:600}"
    "dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dd{margin:0}.w{overflow-x:auto}"
)


def _html(paper: ReportContent) -> bytes:
    title = escape(f"{paper.name}, {paper.period.name}")
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in heading(paper))
    parts = [
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<h1>{escape(paper.name)}</h1>\n"
        f"<dl>{facts}</dl>\n"
    ]
    for each in tables(paper):
        parts.append(f"<h2>{escape(each.title)}</h2>\n")
        if each.rows:
            parts += ['<div class="w"><table>\n<thead>', _row(each, each.head, "th"), "</thead>\n<tbody>\n"]
            parts += [
                _row(each, row, "td", total=each.last_is_total and place == len(each.rows) - 1)
                for place, row in enumerate(each.rows)
            ]
            parts.append("</tbody>\n</table></div>\n")
        parts += [f"<p>{escape(each.note)}</p>\n"] if each.note else []
    return "".join((*parts, "</body>\n</html>\n")).encode()


def _row(of: ReportTable, cells: Sequence[str], tag: str, *, total: bool = False) -> str:
    scope = ' scope="col"' if tag == "th" else ""
    made = "".join(
        f"<{tag}{scope}{' class=n' if place >= of.words else ''}>{escape(text)}</{tag}>"
        for place, text in enumerate(cells)
    )
    return f"<tr{' class=t' if total else ''}>{made}</tr>\n"


def _csv(paper: ReportContent) -> bytes:
    by = list(dict.fromkeys(each for of in paper.sections for each in of["by"]))
    head = ("kind", "question", "from", *by, *(f"{each}_name" for each in by), "metric", "currency", "value", "before")
    rows: list[Sequence[str]] = [head]

    def line(kind: str, number: int, at: str, group: Sequence[str | None], *rest: str | None) -> None:
        held = dict(zip(paper.sections[number]["by"], group, strict=False))
        ids = [held.get(each) or "" for each in by]
        names = [paper.names.get(each, "") for each in ids]
        texts = (kind, paper.sections[number]["title"], at, *ids, *names, *rest)
        rows.append([cell_text(each) for each in texts])

    for change in paper.changes:
        number, at, group, metric, asset = change.place
        kind, begins = ("total_change", "") if at == TOTAL else ("change", at)
        line(kind, number, begins, group, metric, asset, change.after, change.before)
    for number, of in enumerate(paper.sections):
        for row in of["rows"]:
            for each in row["figures"]:
                line("row", number, row["at"] or "", row["group"], *_cells(each))
        for each in of["totals"]:
            line("total", number, "", (), *_cells(each))
        if of["problem"]:
            line("problem", number, "", (), None, None, of["problem"], None)
        for asset in of["left_out"]:
            line("left_out", number, "", (), None, asset, None, None)
    return csv_text(rows)


def _cells(figure: Mapping[str, Any]) -> tuple[str | None, ...]:
    return figure["metric"], figure["asset"], figure["value"], figure["before"]


def _lines(paper: ReportContent) -> bytes:
    period = paper.period
    lines: list[Mapping[str, Any]] = [
        {
            "type": "report",
            "name": paper.name,
            "period": period.name,
            "from": rfc3339(period.since),
            "to": rfc3339(period.until),
            "zone": paper.zone,
            "version": paper.version,
            "as_of": rfc3339(paper.as_of),
        },
        *(_change_line(paper, change) for change in paper.changes),
    ]
    for of in paper.sections:
        for row in of["rows"]:
            group = dict(zip(of["by"], row["group"], strict=True))
            names = {name: paper.names[each] for name, each in group.items() if each in paper.names}
            lines.append(
                {"type": "row", "question": of["title"], "at": row["at"], "group": group, "names": names}
                | {"values": row["figures"]}
            )
        total = {"type": "total", "question": of["title"], "values": of["totals"]}
        total |= {"rates": of["rates"], "left_out": of["left_out"]}
        lines.append(total | ({"problem": of["problem"]} if of["problem"] else {}))
    return b"".join(json.dumps(each, ensure_ascii=False).encode() + b"\n" for each in lines)


def _change_line(paper: ReportContent, change: FigureChange) -> Mapping[str, Any]:
    number, at, group, metric, asset = change.place
    of = paper.sections[number]
    return {
        "type": "total_change" if at == TOTAL else "change",
        "question": of["title"],
        "at": None if at in {"", TOTAL} else at,
        "group": dict(zip(of["by"], (each or None for each in group), strict=False)),
        "metric": metric,
        "asset": asset or None,
        "before": change.before,
        "after": change.after,
    }
