"""What the pages of people show."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from console.format import Moment, Prefs, moment
from console.forms import FormState
from console.key.view import ROLES
from console.lists import ListPage, ListResult
from console.status import Status, status_of
from console.who import actor_named, role_named
from console.widgets import Confirmation, FormPage, Link, address
from domain.common.access import Role

FILTERS = ("q", "role")
LABELS = {"q": "Name", "role": "Role"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRow:
    """One principal. `again` and `revoke` are empty if the reader may not, or there is nothing to do."""

    principal: str
    role: str
    own: bool
    status: Status
    by_mail: bool
    invited_by: str
    until: Moment | None
    keys: int
    keys_href: str
    sessions: int
    sessions_href: str
    links: int
    used: Moment | None
    again: str
    revoke: str


@dataclass(frozen=True, slots=True, kw_only=True)
class People(ListPage):
    """The list. `invite` is empty if the reader may not invite."""

    roles: tuple[tuple[str, str], ...]
    invite: str
    rows: tuple[PersonRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite(FormPage):
    """The form that invites a person; roles are pairs of a value and its words."""

    roles: tuple[tuple[str, str], ...]


def page(
    found: ListResult,
    prefs: Prefs,
    base: str,
    *,
    principal: str,
    grantable: Collection[Role],
    revocable: Collection[Role],
) -> People:
    """Return the list for what the API answered."""
    return People(
        title="People",
        listed=found.listed("People", LABELS),
        roles=(("", "Any"), *_roles(set(ROLES))),
        invite=f"{base}/people/new" if grantable else "",
        rows=tuple(
            row(each, prefs, base, is_own=each["principal"] == principal, grantable=grantable, revocable=revocable)
            for each in found.rows
        ),
    )


def row(
    person: Mapping[str, Any],
    prefs: Prefs,
    base: str,
    *,
    is_own: bool,
    grantable: Collection[Role],
    revocable: Collection[Role],
) -> PersonRow:
    name, role = person["principal"], person["role"]
    pending = person["status"] == "invited"
    return PersonRow(
        principal=name,
        role=role_named(role),
        own=is_own,
        status=status_of("principal", person["status"]),
        by_mail=person["by_mail"],
        invited_by=actor_named(person["invited_by"] or ""),
        until=moment(person["expires_at"], prefs) if person["expires_at"] else None,
        keys=person["keys"],
        keys_href=address(f"{base}/settings/keys", [("q", name), ("active", "true")]),
        sessions=person["sessions"],
        sessions_href=address(f"{base}/settings/sessions", [("q", name)]),
        links=person["links"],
        used=moment(person["last_used_at"], prefs) if person["last_used_at"] else None,
        again=address(f"{base}/people/new", [("email", name), ("role", role)])
        if pending and Role(role) in grantable
        else "",
        revoke=f"{base}/people/{quote(name, safe='@+')}/revoke" if Role(role) in revocable and not is_own else "",
    )


def invite(form: FormState, grantable: Collection[Role], listed: str) -> Invite:
    return Invite(
        title="Invite person",
        crumbs=(Link(label="People", href=listed),),
        action=f"{listed}/new",
        form=form,
        roles=_roles(grantable),
    )


def revoking(person: Mapping[str, Any], form: FormState, listed: str) -> Confirmation:
    pending = person["status"] == "invited"
    return Confirmation(
        title="Revoke this invitation?" if pending else f"Revoke {person['principal']}?",
        back=listed,
        action=f"{listed}/{quote(person['principal'], safe='@+')}/revoke",
        label="Revoke",
        form=form,
        facts=(
            ("Name", person["principal"]),
            ("Role", role_named(person["role"])),
            ("API keys", str(person["keys"])),
            ("Sessions", str(person["sessions"])),
        ),
        effect=("The link in the mail stops working.",)
        if pending
        else (
            "All of its keys, sessions and links end at once.",
            "Keys that it created for others remain. Revoke them under Keys.",
        ),
    )


def _roles(of: Collection[Role]) -> tuple[tuple[str, str], ...]:
    return tuple((role.value, words) for role, words in ROLES.items() if role in of and role is not Role.AGENT)
