"""What the pages of departments show."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Moment, Prefs, moment
from console.forms import FormState
from console.gateway import Answer
from console.lists import Choice, ListPage, ListResult
from console.status import Status, status_of
from console.widgets import Confirmation, FormPage, Link, Tab, address

FILTERS = ("q", "open")
LABELS = {"q": "Name"}


@dataclass(frozen=True, slots=True, kw_only=True)
class DepartmentRow:
    """One department; `part_of` names those above it. `limit` and `close` are empty if the reader may not."""

    name: str
    part_of: str
    status: Status
    made: Moment
    limit: str
    limit_label: str
    close: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Departments(ListPage):
    """The list. `create` is empty if the reader may not."""

    open: str
    create: str
    rows: tuple[DepartmentRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Create(FormPage):
    """The form that creates a department; `parents` are pairs of an id and a name."""

    parents: tuple[tuple[str, str], ...]
    more_parents: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendsFor(FormPage):
    departments: tuple[tuple[str, str], ...]
    more_departments: bool
    projects: tuple[tuple[str, str], ...]
    more_projects: bool


def page(
    found: ListResult, names: Mapping[str, str], limits: Answer, prefs: Prefs, base: str, *, may_manage: bool
) -> Departments:
    """Return the list for what the API answered."""
    asked, here = found.asked, f"{base}/departments"
    controls = {each["subject"]["id"]: each["id"] for each in (limits.body["data"] if limits.ok else ())}
    open_only = asked.given.get("open", "")
    return Departments(
        title="Departments",
        listed=found.listed("Departments", LABELS),
        crumbs=(Link(label="Limits", href=f"{base}/limits"),),
        tabs=(
            Tab(label="All", href=asked.address(open=""), current=not open_only),
            Tab(label="Open", href=asked.address(open="true"), current=bool(open_only)),
        ),
        open=open_only,
        create=f"{here}/new" if may_manage else "",
        rows=tuple(_row(each, names, controls, prefs, base, may_manage=may_manage) for each in found.rows),
    )


def _row(
    department: Mapping[str, Any],
    names: Mapping[str, str],
    controls: Mapping[str, str],
    prefs: Prefs,
    base: str,
    *,
    may_manage: bool,
) -> DepartmentRow:
    id, is_open = department["id"], department["closed_at"] is None
    control = controls.get(id, "")
    set_limit = address(f"{base}/limits/new", [("subject", f"department:{id}")])
    return DepartmentRow(
        name=department["name"],
        part_of=", ".join(names.get(each, each) for each in department["path"][:-1]),
        status=status_of("department", "open" if is_open else "closed"),
        made=moment(department["created_at"], prefs),
        limit=f"{base}/limits/{control}" if control else set_limit if may_manage and is_open else "",
        limit_label="Limit" if control else "Create limit",
        close=address(f"{base}/departments/{id}/close", [("q", department["name"])]) if may_manage and is_open else "",
    )


def create(form: FormState, parents: Choice, listed: str) -> Create:
    return Create(
        title="Create department",
        crumbs=(Link(label="Departments", href=listed),),
        action=f"{listed}/new",
        form=form,
        parents=(("", "None"), *_named(parents)),
        more_parents=parents.more,
    )


def closing(department: Mapping[str, Any], form: FormState, listed: str) -> Confirmation:
    return Confirmation(
        title=f"Close {department['name']}?",
        back=listed,
        action=address(f"{listed}/{department['id']}/close", [("q", department["name"])]),
        label="Close department",
        form=form,
        effect=(
            "No more spending can be assigned to it. Past spending stays in the totals.",
            "This cannot be undone. Move its sub-departments and agents first.",
        ),
    )


def spends_for(key: Mapping[str, Any], form: FormState, departments: Choice, projects: Choice, keys: str) -> SpendsFor:
    return SpendsFor(
        title=f"Assign spending of {key['principal']}",
        crumbs=(Link(label="API keys", href=keys),),
        action=address(f"{keys}/{key['id']}/spends-for", [("q", key["principal"])]),
        form=form,
        departments=(("", "None"), *_named(departments)),
        more_departments=departments.more,
        projects=(("", "None"), *_named(projects)),
        more_projects=projects.more,
    )


def _named(found: Choice) -> Collection[tuple[str, str]]:
    return tuple((each["id"], each["name"]) for each in found.rows)
