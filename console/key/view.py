"""What the pages of API keys show."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.format import Ident, Moment, Prefs, ident, moment
from console.forms import FormState, blank
from console.lists import Choice, ListPage, ListResult
from console.mentions import Naming, Sentence
from console.status import Status, status_of
from console.who import actor_named, role_named
from console.widgets import Confirmation, FormPage, Link, Page, Tab, address
from domain.common.access import GRANTABLE, PLATFORM_ROLES, REVOCABLE, Role

FILTERS = ("q", "role", "active")
LABELS = {"q": "Principal", "role": "Role", "from": "From", "to": "To"}
#: What the roles of an organization are for, in a line each.
ROLES: Mapping[Role, str] = {
    Role.OWNER: "Owner: everything, and payouts",
    Role.ADMIN: "Admin: everything except payouts",
    Role.FINANCE: "Finance: payments, invoices, payouts and limits",
    Role.MEMBER: "Member: awards and funds work, runs agents and projects",
    Role.AUDITOR: "Auditor: reads everything, changes nothing",
    Role.AGENT: "Agent: acts for one agent only",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One key. `revoke` is empty if it cannot be revoked, or not by the reader."""

    id: Ident
    principal: str
    role: str
    agent: Sentence
    made: Moment
    made_by: str
    used: Moment | None
    expires: Moment | None
    status: Status
    revoke: str
    spends_for: Sentence
    attribute: str
    by_mail: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys(ListPage):
    states: tuple[Tab, ...]
    roles: tuple[tuple[str, str], ...]
    active: str
    issue: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue(FormPage):
    """The form that issues a key; roles and agents are pairs of a value and its words."""

    roles: tuple[tuple[str, str], ...]
    agents: tuple[tuple[str, str], ...]
    more_agents: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued(Page):
    """A key that was issued. `secret` is empty if the form had been sent before."""

    id: Ident
    principal: str
    role: str
    expires: Moment | None
    secret: str
    back: str


def page(
    found: ListResult,
    naming: Naming,
    tabs: tuple[Tab, ...],
    *,
    revocable: Collection[Role],
    issue: str,
    now: datetime,
    attributes: bool = False,
) -> Keys:
    """Return the list for what the API answered."""
    asked = found.asked
    active = asked.given.get("active", "")
    return Keys(
        title="API keys",
        listed=found.listed("API keys", LABELS),
        tabs=tabs,
        states=(
            Tab(label="All", href=asked.address(active=""), current=not active),
            Tab(label="Active", href=asked.address(active="true"), current=active == "true"),
        ),
        roles=(("", "Any"), *((role.value, role_named(role.value).capitalize()) for role in ROLES)),
        active=active,
        issue=issue,
        rows=tuple(row(each, naming, asked.path, revocable, now, attributes=attributes) for each in found.rows),
    )


def state_of(key: Mapping[str, Any], now: datetime) -> str:
    """Return whether a key is `active`, `expired` or `revoked`."""
    if key["revoked_at"]:
        return "revoked"
    return "expired" if key["expires_at"] and datetime.fromisoformat(key["expires_at"]) <= now else "active"


def row(
    key: Mapping[str, Any],
    naming: Naming,
    path: str,
    revocable: Collection[Role],
    now: datetime,
    *,
    attributes: bool = False,
) -> Row:
    prefs = naming.prefs
    state = state_of(key, now)
    may_revoke = state == "active" and key["role"] in {role.value for role in revocable}
    asks = address(f"{path}/{key['id']}/revoke", [("q", key["principal"])])
    return Row(
        id=ident(key["id"]),
        principal=key["principal"],
        role=role_named(key["role"]),
        agent=naming(key["agent_id"]),
        made=moment(key["created_at"], prefs),
        made_by=actor_named(key["created_by"]),
        used=moment(key["last_used_at"], prefs) if key["last_used_at"] else None,
        expires=moment(key["expires_at"], prefs) if key["expires_at"] else None,
        status=status_of("key", state),
        revoke=asks if may_revoke else "",
        by_mail=key["by_mail"],
        spends_for=naming(key["department_id"] or key["project_id"]),
        attribute=address(f"{path}/{key['id']}/spends-for", [("q", key["principal"])])
        if attributes and state == "active"
        else "",
    )


def grantable_by(role: str) -> frozenset[Role]:
    return GRANTABLE.get(Role(role), frozenset()) - PLATFORM_ROLES


def revocable_by(role: str) -> frozenset[Role]:
    return REVOCABLE.get(Role(role), frozenset()) - PLATFORM_ROLES


def issue(form: FormState, grantable: Collection[Role], agents: Choice, listed: str) -> Issue:
    """Return the form that issues a key."""
    return Issue(
        title="Create key",
        crumbs=(Link(label="API keys", href=listed),),
        action=f"{listed}/new",
        form=form,
        roles=tuple((role.value, words) for role, words in ROLES.items() if role in grantable),
        agents=(("", "None"), *((each["id"], each["name"]) for each in agents.rows)),
        more_agents=agents.more,
    )


def issued(key: Mapping[str, Any], prefs: Prefs, listed: str) -> Issued:
    return Issued(
        title="Key created" if key["secret"] else "Key already created",
        crumbs=(Link(label="API keys", href=listed),),
        id=ident(key["id"]),
        principal=key["principal"],
        role=role_named(key["role"]),
        expires=moment(key["expires_at"], prefs) if key["expires_at"] else None,
        secret=key["secret"] or "",
        back=listed,
    )


def revoking(key: Mapping[str, Any], form: FormState, prefs: Prefs, listed: str) -> Confirmation:
    used = moment(key["last_used_at"], prefs).text if key["last_used_at"] else "never"
    return Confirmation(
        title="Revoke this key?",
        back=listed,
        action=address(f"{listed}/{key['id']}/revoke", [("q", key["principal"])]),
        label="Revoke key",
        form=form,
        facts=(
            ("Key", key["id"]),
            ("Principal", key["principal"]),
            ("Role", role_named(key["role"])),
            ("Created", moment(key["created_at"], prefs).text),
            ("Last used", used),
        ),
        effect=(
            "The key and the sessions opened with it stop working at once.",
            "This cannot be undone. Create a new key to restore access.",
        ),
    )


def revoking_issued(issued: Collection[Mapping[str, Any]], action: str, listed: str) -> Confirmation:
    """Return the page that asks, after a key was revoked, whether the keys that it issued are revoked too."""
    return Confirmation(
        title="Also revoke the keys that it created?",
        back=listed,
        action=action,
        label="Revoke keys",
        form=blank(),
        facts=tuple((each["principal"], f"{role_named(each['role'])}, {each['id']}") for each in issued),
        effect=(
            "The key is revoked. Its holder may know the secrets of the keys that it created.",
            "These keys stop working at once. This cannot be undone.",
        ),
        fields=(("with_issued", "true"),),
    )
