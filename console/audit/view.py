"""What the page of the audit trail shows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Moment, moment
from console.lists import ListPage, ListResult
from console.mentions import Naming, Sentence
from console.who import role_named
from console.widgets import Tab

#: What of an entry has ids in it.
NAMED = ("principal", "made_by", "target", "details", "organization_id")
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
    principal: Sentence
    role: str
    action: str
    target: Sentence
    address: str
    details: tuple[tuple[str, Sentence], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail(ListPage):
    rows: tuple[Row, ...]


def page(found: ListResult, naming: Naming, tabs: tuple[Tab, ...]) -> Trail:
    return Trail(
        title="Audit trail",
        listed=found.listed("Audit trail", LABELS),
        tabs=tabs,
        rows=tuple(row(each, naming) for each in found.rows),
    )


def row(entry: Mapping[str, Any], naming: Naming) -> Row:
    return Row(
        at=moment(entry["at"], naming.prefs),
        principal=naming(said_by(entry)),
        role=role_named(entry["role"]),
        action=entry["action"],
        target=naming(entry["target"]),
        address=entry["address"] or "",
        details=details_of(entry, naming),
    )


def said_by(entry: Mapping[str, Any]) -> str:
    made_by = entry.get("made_by")
    return f"{entry['principal']}, by a link of {made_by}" if made_by else str(entry["principal"])


def details_of(entry: Mapping[str, Any], naming: Naming, org_id: str | None = None) -> tuple[tuple[str, Sentence], ...]:
    """Return what was said of an act: pairs of a name and a value. Text stands as it is."""
    return tuple(
        (
            name.replace("_", " "),
            naming(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False), org_id),
        )
        for name, value in entry["details"].items()
        if value is not None
    )
