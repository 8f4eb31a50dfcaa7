"""What the audit trail of the platform shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.audit.view import details_of, said_by
from console.format import Moment, moment
from console.lists import ListPage, ListResult
from console.mentions import Naming, Sentence
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
    who: Sentence
    role: str
    target: Sentence
    organization: Sentence
    request: str
    address: str
    details: tuple[tuple[str, Sentence], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit(ListPage):
    rows: tuple[Row, ...]


def page(found: ListResult, naming: Naming) -> Audit:
    rows = tuple(_row(each, naming) for each in found.rows)
    return Audit(title="Audit trail", listed=found.listed("Audit trail", LABELS), rows=rows)


def _row(body: Mapping[str, Any], naming: Naming) -> Row:
    org_id = body["organization_id"]
    return Row(
        at=moment(body["at"], naming.prefs),
        action=body["action"],
        who=naming(said_by(body), org_id),
        role=role_named(body["role"]),
        target=naming(body["target"], org_id),
        organization=naming(org_id),
        request=body["request_id"] or "",
        address=body["address"] or "",
        details=details_of(body, naming, org_id),
    )
