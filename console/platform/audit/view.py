"""What the audit trail of the platform shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Ident, Moment, Prefs, ident, moment
from console.lists import Found, Listed
from console.who import role_named

FILTERS = ("q", "action", "target", "principal", "organization_id")
LABELS = {
    "q": "Text",
    "action": "Action",
    "target": "Object",
    "principal": "Who",
    "organization_id": "Organization",
    "from": "From",
    "to": "To",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One act. `details` are pairs of a name and a text."""

    at: Moment
    action: str
    who: str
    role: str
    made_by: str
    target: Ident
    organization: Ident | None
    organization_href: str
    request: str
    address: str
    details: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """The trail."""

    title: str
    listed: Listed
    rows: tuple[Row, ...]


def page(found: Found, prefs: Prefs) -> Audit:
    """Return the trail."""
    rows = tuple(_row(each, prefs) for each in found.rows)
    return Audit(title="Audit trail", listed=found.listed("Audit trail", LABELS), rows=rows)


def _row(body: Mapping[str, Any], prefs: Prefs) -> Row:
    org_id = body["organization_id"]
    return Row(
        at=moment(body["at"], prefs),
        action=body["action"],
        who=body["principal"],
        role=role_named(body["role"]),
        made_by=body.get("made_by") or "",
        target=ident(body["target"]),
        organization=ident(org_id) if org_id else None,
        organization_href=f"/console/platform/organizations/{org_id}" if org_id else "",
        request=body["request_id"] or "",
        address=body["address"] or "",
        details=tuple(
            (str(name).replace("_", " "), str(value)) for name, value in body["details"].items() if value is not None
        ),
    )
