"""What the pages of keys show to operators."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.format import Ident, Moment, Prefs, ident, moment
from console.forms import Shown, blank
from console.lists import Found, Listed
from console.status import Status, status_of
from console.who import role_named
from console.widgets import Link, Tab
from domain.access import PLATFORM_ROLES, Role

FILTERS = ("q", "role", "active", "organization_id")
LABELS = {"q": "Text", "role": "Role", "organization_id": "Organization", "from": "From", "to": "To"}
PLACE = "/console/platform/keys"
CRUMBS = (Link(label="Keys", href=PLACE),)
ROLES = tuple(
    (role.value, f"{role_named(role.value).capitalize()}{', of the platform' if role in PLATFORM_ROLES else ''}")
    for role in Role
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One key. `revoke` is None if it has ended, or the reader may not."""

    id: Ident
    who: str
    role: str
    status: Status
    organization: Ident | None
    organization_href: str
    created: Moment
    by: str
    used: Moment | None
    until: Moment | None
    revoke: Shown | None
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The list."""

    title: str
    listed: Listed
    tabs: tuple[Tab, ...]
    roles: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    new_href: str
    form: Shown


@dataclass(frozen=True, slots=True, kw_only=True)
class New:
    """The form that issues a key."""

    title: str
    crumbs: tuple[Link, ...]
    form: Shown
    action: str
    roles: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued:
    """A key that was just issued; `secret` is empty where this was asked for again."""

    title: str
    crumbs: tuple[Link, ...]
    who: str
    role: str
    secret: str


def page(found: Found, form: Shown, prefs: Prefs, now: datetime, *, manages: bool) -> Keys:
    """Return the list; `form` is a command's that was refused, `manages` whether the reader issues and revokes keys."""
    asked = found.asked
    active = asked.given.get("active") == "true"
    return Keys(
        title="Keys",
        listed=found.listed("Keys", LABELS),
        tabs=(
            Tab(label="All", href=asked.address(active=""), current=not active),
            Tab(label="Active", href=asked.address(active="true"), current=active),
        ),
        roles=(("", "Any"), *ROLES),
        rows=tuple(_row(each, prefs, now, manages=manages) for each in found.rows),
        new_href=f"{PLACE}/new" if manages else "",
        form=form,
    )


def new(form: Shown) -> New:
    """Return the form that issues a key."""
    return New(title="Issue a key", crumbs=CRUMBS, form=form, action=f"{PLACE}/new", roles=ROLES)


def issued(body: Mapping[str, Any]) -> Issued:
    """Return the page that shows a key's secret, this once."""
    return Issued(
        title="The key is issued",
        crumbs=CRUMBS,
        who=body["principal"],
        role=role_named(body["role"]),
        secret=body["secret"] or "",
    )


def _row(body: Mapping[str, Any], prefs: Prefs, now: datetime, *, manages: bool) -> Row:
    org_id, until = body["organization_id"], body["expires_at"]
    over = until is not None and datetime.fromisoformat(until) <= now
    status = "revoked" if body["revoked_at"] else "expired" if over else "active"
    return Row(
        id=ident(body["id"]),
        who=body["principal"],
        role=role_named(body["role"]),
        status=status_of("key", status),
        organization=ident(org_id) if org_id else None,
        organization_href=f"/console/platform/organizations/{org_id}" if org_id else "",
        created=moment(body["created_at"], prefs),
        by=body["created_by"],
        used=moment(body["last_used_at"], prefs) if body["last_used_at"] else None,
        until=moment(until, prefs) if until else None,
        revoke=blank() if manages and status == "active" else None,
        action=f"{PLACE}/{body['id']}/revoke",
    )
