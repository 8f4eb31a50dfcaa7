"""What the pages of keys show to operators."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.format import Ident, Moment, ident, moment
from console.forms import FormState, blank
from console.lists import ListPage, ListResult
from console.mentions import Naming, Sentence
from console.status import Status, status_of
from console.who import actor_named, role_named
from console.widgets import FormPage, Link, Page, Tab
from domain.common.access import PLATFORM_ROLES, Role

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
    agent: Sentence
    status: Status
    organization: Sentence
    created: Moment
    by: str
    used: Moment | None
    until: Moment | None
    revoke: FormState | None
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys(ListPage):
    roles: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    new_href: str
    form: FormState


@dataclass(frozen=True, slots=True, kw_only=True)
class New(FormPage):
    roles: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued(Page):
    """A key that was just issued; `secret` is empty where this was asked for again."""

    who: str
    role: str
    secret: str


def page(found: ListResult, form: FormState, naming: Naming, now: datetime, *, manages: bool) -> Keys:
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
        rows=tuple(_row(each, naming, now, manages=manages) for each in found.rows),
        new_href=f"{PLACE}/new" if manages else "",
        form=form,
    )


def new(form: FormState) -> New:
    return New(title="Create key", crumbs=CRUMBS, form=form, action=f"{PLACE}/new", roles=ROLES)


def issued(body: Mapping[str, Any]) -> Issued:
    return Issued(
        title="Key created",
        crumbs=CRUMBS,
        who=body["principal"],
        role=role_named(body["role"]),
        secret=body["secret"] or "",
    )


def _row(body: Mapping[str, Any], naming: Naming, now: datetime, *, manages: bool) -> Row:
    prefs, until = naming.prefs, body["expires_at"]
    over = until is not None and datetime.fromisoformat(until) <= now
    status = "revoked" if body["revoked_at"] else "expired" if over else "active"
    return Row(
        id=ident(body["id"]),
        who=body["principal"],
        role=role_named(body["role"]),
        status=status_of("key", status),
        organization=naming(body["organization_id"]),
        agent=naming(body["agent_id"], body["organization_id"]),
        created=moment(body["created_at"], prefs),
        by=actor_named(body["created_by"]),
        used=moment(body["last_used_at"], prefs) if body["last_used_at"] else None,
        until=moment(until, prefs) if until else None,
        revoke=blank() if manages and status == "active" else None,
        action=f"{PLACE}/{body['id']}/revoke",
    )
