"""What the page of the audit trail shows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console import lists
from console.format import Ident, Moment, Prefs, ident, moment
from console.forms import Shown
from console.gateway import Answer
from console.lists import Asked
from console.who import role_named
from console.widgets import Chip, Failed, Pager, Tab

FILTERS = ("q", "action", "principal", "target")
LABELS = {
    "q": "Text",
    "action": "Action",
    "principal": "Principal",
    "target": "Object",
    "from": "From",
    "to": "To",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One act. `details` are pairs of a name and what was said of it."""

    at: Moment
    principal: str
    role: str
    action: str
    target: Ident
    address: str
    details: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """The trail. `failed` stands in its place where the API did not answer."""

    title: str
    tabs: tuple[Tab, ...]
    path: str
    form: Shown
    chips: tuple[Chip, ...]
    clear: str
    rows: tuple[Row, ...]
    pager: Pager
    filtered: bool
    failed: Failed | None = None


def page(asked: Asked, answer: Answer | None, prefs: Prefs, tabs: tuple[Tab, ...]) -> Trail:
    """Return the trail for what the API answered to `GET /audit`; None where it was not asked."""
    body = lists.rows_of(answer)
    return Trail(
        title="Audit trail",
        tabs=tabs,
        path=asked.path,
        form=asked.form,
        chips=lists.chips(asked, LABELS),
        clear=asked.path,
        rows=tuple(row(each, prefs) for each in body["data"]),
        pager=lists.pager(asked, body),
        filtered=bool(asked.given) or not asked.at_start,
        failed=lists.silent("Audit trail", asked, answer),
    )


def row(entry: Mapping[str, Any], prefs: Prefs) -> Row:
    """Return one entry of the API as it is shown."""
    made_by = entry.get("made_by")
    return Row(
        at=moment(entry["at"], prefs),
        principal=f"{entry['principal']}, by a link of {made_by}" if made_by else entry["principal"],
        role=role_named(entry["role"]),
        action=entry["action"],
        target=ident(entry["target"]),
        address=entry["address"] or "",
        details=tuple((name.replace("_", " "), _written(value)) for name, value in entry["details"].items()),
    )


def _written(value: Any) -> str:
    """Write what was said of an act; text stands as it is."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
