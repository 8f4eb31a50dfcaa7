"""What the pages of exports show: the list with the form, and one export with its progress and its files."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from console.analytics.view import tabs
from console.format import Amount, Moment, Prefs, amount, count, moment, titled
from console.forms import FormState
from console.lists import ListPage, ListResult
from console.status import Status, status_of
from console.widgets import Link, Page
from domain.common.access import Permission
from domain.insight.export import Dataset, ExportFormat, ExportStatus, permissions_of

_FORMATS: Mapping[str, str] = {ExportFormat.CSV: "CSV", ExportFormat.JSONL: "JSON Lines"}
_DATASETS: Mapping[str, str] = {
    Dataset.ENTRIES: "Entries of the ledger",
    Dataset.AUDIT: "Audit trail",
    Dataset.REPUTATION: "Reputation events",
    Dataset.PURCHASES: "Purchases of agents",
    Dataset.USAGE: "Usage events",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    href: str
    what: str
    since: Moment
    until: Moment
    status: Status
    rows: str
    format: str
    ordered: Moment
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exports(ListPage):
    """The list, and the form of a new export; `action` is empty where it would be of other rows than the list."""

    rows: tuple[Row, ...]
    form: FormState
    action: str
    datasets: tuple[tuple[str, str], ...]
    formats: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class File:
    """A finished file; `href` is empty once it is deleted."""

    name: str
    href: str
    rows: str
    size: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportPage(Page):
    """One export. `working` is a title and a sentence while it goes on, else empty."""

    export: Row
    working: tuple[str, str]
    sums: tuple[Amount, ...]
    files: tuple[File, ...]
    until: Moment | None


def several(
    found: ListResult, form: FormState, prefs: Prefs, base: str, may: Callable[[Permission], bool], *, can_order: bool
) -> Exports:
    """Return the list; `may` says what the reader may, of which datasets to order depend."""
    here = f"{base}/exports"
    return Exports(
        title="Exports",
        tabs=tabs(base, "/exports"),
        listed=found.listed("Exports", {}),
        rows=tuple(_row(each, here, prefs) for each in found.rows),
        form=form,
        action=here if can_order else "",
        datasets=tuple((str(each), _named(each)) for each in Dataset if all(map(may, permissions_of(each)))),
        formats=tuple((str(each), words) for each, words in _FORMATS.items()),
    )


def _named(dataset: str) -> str:
    return _DATASETS.get(dataset, titled(dataset))


def _row(body: Mapping[str, Any], here: str, prefs: Prefs) -> Row:
    return Row(
        href=f"{here}/{body['id']}",
        what=_named(body["dataset"]),
        since=moment(body["from"], prefs),
        until=moment(body["to"], prefs),
        status=status_of("export", body["status"]),
        rows=count(body["rows_done"], prefs),
        format=_FORMATS.get(body["format"], body["format"]),
        ordered=moment(body["created_at"], prefs),
        by=body["created_by"].rpartition("/")[2],
    )


def one(body: Mapping[str, Any], prefs: Prefs, base: str) -> ExportPage:
    here = f"{base}/exports"
    export, status = _row(body, here, prefs), body["status"]
    goes_on = status in {ExportStatus.QUEUED, ExportStatus.RUNNING}
    said = f"{export.rows} rows are in finished files. You can leave this page. Files appear here as they are written."
    return ExportPage(
        title=f"Export of {export.what[:1].lower()}{export.what[1:]}",
        crumbs=(Link(label="Exports", href=here),),
        export=export,
        working=("The rows are being written…", said) if goes_on else ("", ""),
        sums=tuple(amount(value, code, prefs) for code, value in body["sums"].items()),
        files=tuple(
            File(
                name=each["name"],
                href="" if status == ExportStatus.EXPIRED else f"{export.href}/files/{each['number']}",
                rows=count(each["rows"], prefs),
                size=_size(each["bytes"], prefs),
                sha256=each["sha256"],
            )
            for each in body["files"]
        ),
        until=moment(body["expires_at"], prefs) if body["expires_at"] else None,
    )


def _size(size: int, prefs: Prefs) -> str:
    """Write a size in whole units, rounded up."""
    for unit in ("bytes", "KB", "MB"):
        if size < 1000:
            return f"{count(size, prefs)} {unit}"
        size = -(-size // 1000)
    return f"{count(size, prefs)} GB"
