"""What the pages of sessions and links show."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Ident, Moment, Prefs, ident, moment
from console.forms import FormState
from console.key.view import ROLES
from console.lists import ListPage, ListResult
from console.who import actor_named, role_named
from console.widgets import Confirmation, FormPage, Link, Page, Tab, address
from domain.common.access import Role

FILTERS = ("q",)
LABELS = {"q": "Principal", "from": "From", "to": "To"}
#: How long a link can be good, as the API takes it.
PERIODS = (("PT15M", "15 minutes"), ("PT1H", "1 hour"), ("PT8H", "8 hours"), ("P1D", "24 hours"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One session. `end` is empty if the reader may not end it."""

    principal: str
    role: str
    browser: str
    address: str
    opened: Moment
    used: Moment
    ends: Moment
    made_by: str
    current: bool
    end: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions(ListPage):
    """The open sessions. `failed` is shown instead if the API did not answer."""

    lead: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRow:
    id: Ident
    principal: str
    role: str
    path: str
    made: Moment
    made_by: str
    expires: Moment
    end: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Links(ListPage):
    make: str
    rows: tuple[LinkRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Make(FormPage):
    """The form that makes a link; the choices are pairs of a value and its words."""

    roles: tuple[tuple[str, str], ...]
    periods: tuple[tuple[str, str], ...]
    base: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Made(Page):
    """A link that was made. `url` is empty if the form had been sent before."""

    principal: str
    role: str
    expires: Moment
    url: str
    back: str


def page(
    found: ListResult,
    prefs: Prefs,
    tabs: tuple[Tab, ...],
    *,
    principal: str,
    endable: Collection[Role],
) -> Sessions:
    """Return the sessions for what the API answered."""
    ends = {role.value for role in endable}
    return Sessions(
        title="Sessions",
        listed=found.listed("Sessions", LABELS),
        lead="Who is signed in with a key or by a link." if endable else "Where you are signed in.",
        tabs=tabs,
        rows=tuple(
            row(each, prefs, found.asked.path, may_end=each["role"] in ends or each["principal"] == principal)
            for each in found.rows
        ),
    )


def row(session: Mapping[str, Any], prefs: Prefs, path: str, *, may_end: bool) -> Row:
    end = address(f"{path}/{session['id']}/end", [("q", session["principal"])])
    return Row(
        principal=session["principal"],
        role=role_named(session["role"]),
        browser=session["browser"],
        address=session["address"] or "",
        opened=moment(session["created_at"], prefs),
        used=moment(session["last_used_at"], prefs),
        ends=moment(min(session["expires_at"], session["idle_at"]), prefs),
        made_by=actor_named(session["made_by"] or ""),
        current=session["current"],
        end=end if may_end else "",
    )


def ending(session: Mapping[str, Any], form: FormState, prefs: Prefs, listed: str) -> Confirmation:
    own = ("This is your current session: you are signed out.",) if session["current"] else ()
    return Confirmation(
        title="End this session?",
        back=listed,
        action=address(f"{listed}/{session['id']}/end", [("q", session["principal"])]),
        label="End session",
        form=form,
        facts=(
            ("Principal", session["principal"]),
            ("Role", role_named(session["role"])),
            ("Browser", session["browser"]),
            ("Address", session["address"] or "unknown"),
            ("Last used", moment(session["last_used_at"], prefs).text),
        ),
        effect=("Its browser is signed out at once. Its key stays valid.", *own),
    )


def links(found: ListResult, prefs: Prefs, tabs: tuple[Tab, ...], endable: Collection[Role]) -> Links:
    ends = {role.value for role in endable}
    return Links(
        title="Links",
        listed=found.listed("Links", LABELS),
        tabs=tabs,
        make=f"{found.asked.path}/new",
        rows=tuple(
            LinkRow(
                id=ident(each["id"]),
                principal=each["principal"],
                role=role_named(each["role"]),
                path=each["path"],
                made=moment(each["created_at"], prefs),
                made_by=actor_named(each["made_by"]),
                expires=moment(each["expires_at"], prefs),
                end=address(f"{found.asked.path}/{each['id']}/end", [("q", each["principal"])])
                if each["role"] in ends
                else "",
            )
            for each in found.rows
        ),
    )


def make(form: FormState, grantable: Collection[Role], listed: str, base: str) -> Make:
    return Make(
        title="Create link",
        crumbs=(Link(label="Links", href=listed),),
        action=f"{listed}/new",
        form=form,
        roles=tuple(
            (role.value, words) for role, words in ROLES.items() if role in grantable and role is not Role.AGENT
        ),
        periods=PERIODS,
        base=base,
    )


def made(link: Mapping[str, Any], prefs: Prefs, listed: str) -> Made:
    return Made(
        title="Link created" if link["url"] else "Link already created",
        crumbs=(Link(label="Links", href=listed),),
        principal=link["principal"],
        role=role_named(link["role"]),
        expires=moment(link["expires_at"], prefs),
        url=link["url"] or "",
        back=listed,
    )


def ending_link(link: Mapping[str, Any], form: FormState, prefs: Prefs, listed: str) -> Confirmation:
    return Confirmation(
        title="Revoke this link?",
        back=listed,
        action=address(f"{listed}/{link['id']}/end", [("q", link["principal"])]),
        label="Revoke link",
        form=form,
        facts=(
            ("For", link["principal"]),
            ("Role", role_named(link["role"])),
            ("Created by", actor_named(link["made_by"])),
            ("Expires", moment(link["expires_at"], prefs).text),
        ),
        effect=("The link stops working, and a session opened with it ends at once.",),
    )
