"""What the page of the audit trail shows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Ident, Moment, Prefs, ident, moment
from console.lists import Found, Listed
from console.who import role_named
from console.widgets import Tab

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
    """The trail."""

    title: str
    listed: Listed
    tabs: tuple[Tab, ...]
    rows: tuple[Row, ...]


def page(found: Found, prefs: Prefs, tabs: tuple[Tab, ...]) -> Trail:
    """Return the trail for what the API answered to `GET /audit`."""
    return Trail(
        title="Audit trail",
        listed=found.listed("Audit trail", LABELS),
        tabs=tabs,
        rows=tuple(row(each, prefs) for each in found.rows),
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
        details=tuple(
            (name.replace("_", " "), _written(value)) for name, value in entry["details"].items() if value is not None
        ),
    )


def _written(value: Any) -> str:
    """Write what was said of an act; text stands as it is."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
