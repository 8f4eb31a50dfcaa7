"""What the pages of secrets show. A value is on one page alone, which opens it once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.format import Ident, Moment, Prefs, count, duration, ident, moment, money
from console.forms import FormState, period
from console.gateway import Answer
from console.lists import Choice, ListPage, ListResult
from console.mentions import Naming, Sentence
from console.sections import unanswered
from console.status import Status, status_of
from console.who import actor_named
from console.widgets import Confirmation, Failed, FormPage, Link, Page, Tab, address
from domain.common.money import CREDIT
from domain.secrets.grant import HttpMethod

LEAD = "Keys and passwords that agents use without seeing them."
#: Said where the answer to a value is missing: the form cannot hold what was typed.
NOT_KNOWN = "It is not known whether the value was stored. Enter the same value again: it is not stored twice."
KINDS: Mapping[str, str] = {
    "api_key": "API key",
    "password": "Password",
    "login": "Login",
    "reference": "Reference",
    "other": "Other",
}
ROTATORS: Mapping[str, str] = {
    "bursar": "Bursar's own API key",
    "postgres": "Password of a PostgreSQL role",
    "http": "Requests to the target",
    "manual": "Manual",
}
VERBS: Mapping[str, str] = {"use": "Use", "read": "Read", "rotate": "Rotation", "check": "Check"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One secret; `href` is empty for who sees only that it is there."""

    path: str
    href: str
    kind: str
    hosts: str
    version: str
    made: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets(ListPage):
    """The list; `store` is empty if the reader may not."""

    lead: str
    store: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One grant; `revoke` is empty where it has ended, or for who may not."""

    id: Ident
    who: Sentence
    verbs: str
    paths: tuple[str, ...]
    where: str
    places: str
    uses: str
    price: str
    ends: Moment
    status: Status
    revoke: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grants(ListPage):
    """The list of grants; `grant` is empty if the reader may not."""

    lead: str
    grant: str
    rows: tuple[Grant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version; `destroy` is empty where it is destroyed, or for who may not."""

    number: int
    status: Status
    until: Moment | None
    made: Moment
    by: str
    destroy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    at: Moment
    who: Sentence
    verb: str
    status: Status
    version: str
    where: str
    purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotation:
    """How a value is replaced by schedule; `overdue` is since when it is late, None if it is not."""

    how: str
    status: Status
    due: Moment
    next: Moment | None
    overdue: Moment | None
    failures: str
    detail: str
    stop: str


@dataclass(frozen=True, slots=True, kw_only=True)
class One(FormPage):
    """One secret. Addresses are empty for who may not; `log` is whether the reader may see who asked for it."""

    id: Ident
    kind: str
    hosts: str
    kept: str
    made: Moment
    by: str
    replace: str
    open: str
    rotate: str
    grant: str
    rotation: Rotation | None
    versions: tuple[Version, ...]
    grants: tuple[Grant, ...]
    grants_failed: Failed | None
    log: bool
    entries: tuple[Entry, ...]
    entries_failed: Failed | None
    older: str
    newest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Store(FormPage):
    label: str
    kinds: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Open(FormPage):
    back: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened(Page):
    version: int
    value: str
    back: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rotate(FormPage):
    """The form that replaces a value; `takes_value` is whether somebody has set a new one at the target."""

    back: str
    takes_value: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Granting(FormPage):
    """The form of a grant; choices are triples of a value, its words and a hint, or pairs."""

    agents: tuple[tuple[str, str], ...]
    more_agents: bool
    verbs: tuple[tuple[str, str, str], ...]
    methods: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """What was asked for beside a secret: all grants, those that name it, and a page of its log if that may be read."""

    grants: Answer
    named: Sequence[Mapping[str, Any]]
    access: Answer | None


def name_of(path: str) -> str:
    """Return a path as one part of an address: `~` stands in no path."""
    return path.replace("/", "~")


def path_of(name: str) -> str:
    return name.replace("~", "/")


def words(text: str) -> list[str]:
    return list(dict.fromkeys(text.replace(",", " ").split()))


def apart(text: str) -> list[str]:
    return list(dict.fromkeys(filter(None, (each.strip() for each in text.split(",")))))


def number(text: str) -> int | str:
    """Return a whole number as the API takes it; what is none as it is, so that the API refuses it."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else text


def grace(text: str) -> str:
    """Return how long the value before stays usable, as the API takes it: `7d`, `12h`, `30m`."""
    return period(text)


def _tabs(here: str, current: str) -> tuple[Tab, ...]:
    pages = (("Secrets", ""), ("Grants", "/grants"))
    return tuple(Tab(label=label, href=f"{here}{path}", current=path == current) for label, path in pages)


def page(found: ListResult, prefs: Prefs, here: str, *, manages: bool, opens: bool) -> Secrets:
    """Return the list for what the API answered; `opens` is whether the rows lead to their pages."""
    return Secrets(
        title="Secrets",
        lead=LEAD,
        listed=found.listed("Secrets", {"q": "Path"}),
        tabs=_tabs(here, ""),
        store=f"{here}/new" if manages else "",
        rows=tuple(_row(each, prefs, here if opens else "") for each in found.rows),
    )


def _row(secret: Mapping[str, Any], prefs: Prefs, here: str) -> Row:
    version = secret["current_version"]
    return Row(
        path=secret["path"],
        href=f"{here}/{name_of(secret['path'])}" if here else "",
        kind=KINDS.get(secret["kind"], secret["kind"]),
        hosts=", ".join(secret["hosts"]) or "As granted",
        version="No value" if version is None else f"Version {version}",
        made=moment(secret["created_at"], prefs),
    )


def grants(found: ListResult, naming: Naming, here: str, now: datetime, *, manages: bool) -> Grants:
    return Grants(
        title="Secrets",
        lead=LEAD,
        listed=found.listed("Grants", {"agent_id": "Agent"}),
        tabs=_tabs(here, "/grants"),
        grant=f"{here}/grants/new" if manages else "",
        rows=tuple(_grant(each, naming, here, now, manages=manages) for each in found.rows),
    )


def _grant(grant: Mapping[str, Any], naming: Naming, here: str, now: datetime, *, manages: bool) -> Grant:
    prefs = naming.prefs
    state = "revoked" if grant["revoked_at"] else "active"
    if state == "active" and datetime.fromisoformat(grant["ends_at"]) <= now:
        state = "ended"
    most, today = grant["uses_per_day"], count(grant["uses_today"], prefs)
    price = f"{money(grant['price'], CREDIT, prefs)} a use" if grant["price"] else ""
    return Grant(
        id=ident(grant["id"]),
        who=naming(grant["agent_id"] or grant["principal"]),
        verbs=" and ".join(VERBS[each].lower() for each in grant["verbs"]).capitalize(),
        paths=tuple(grant["paths"]),
        where="; ".join(filter(None, (" ".join(grant["methods"]), ", ".join(grant["hosts"])))),
        uses=f"{today} of {count(most, prefs)} today" if most else f"{today} today",
        places=f"Value in {', '.join(grant['places'])}" if "use" in grant["verbs"] else "",
        price=f"{price}, or metered by {grant['meter']}" if grant["meter"] else price,
        ends=moment(grant["ends_at"], prefs),
        status=status_of("secret_grant", state),
        revoke=f"{here}/grants/{grant['id']}/revoke" if manages and state == "active" else "",
    )


def one(
    secret: Mapping[str, Any],
    around: Around,
    form: FormState,
    naming: Naming,
    listed: str,
    now: datetime,
    *,
    manages: bool,
) -> One:
    """Return one secret."""
    prefs, path = naming.prefs, secret["path"]
    here = f"{listed}/{name_of(path)}"
    reads = any("read" in grant["verbs"] for grant in secret["grants"])
    # Who replaces it by hand does so in the rotation, which counts it.
    by_hand = bool(secret["rotation"]) and secret["rotation"]["rotator"] == "manual"
    access = around.access
    failed = None if access is None else unanswered("Access", access, here)
    rows = access.body["data"] if access is not None and access.ok else ()
    cursor = access.body["next_cursor"] if access is not None and access.ok else None
    return One(
        title=path,
        crumbs=(Link(label="Secrets", href=listed),),
        form=form,
        id=ident(secret["id"]),
        kind=KINDS.get(secret["kind"], secret["kind"]),
        hosts=", ".join(secret["hosts"]) or "Set by each grant",
        kept="In Vault" if secret["backend"] == "vault" else "Encrypted in the database",
        made=moment(secret["created_at"], prefs),
        by=actor_named(secret["created_by"]),
        replace=f"{here}/replace" if manages and not by_hand else "",
        open=f"{here}/open" if reads and secret["current_version"] is not None else "",
        rotate=f"{here}/rotate" if manages and secret["rotation"] else "",
        grant=address(f"{listed}/grants/new", [("paths", path)]) if manages else "",
        rotation=_rotation(secret["rotation"], prefs, now, f"{here}/stop" if manages else "")
        if secret["rotation"]
        else None,
        versions=tuple(_version(each, prefs, here, manages=manages) for each in secret["versions"] or ()),
        grants=tuple(_grant(each, naming, listed, now, manages=manages) for each in around.named),
        grants_failed=unanswered("Grants", around.grants, here),
        log=access is not None,
        entries=tuple(_entry(each, naming) for each in rows),
        entries_failed=failed,
        older=address(here, [("cursor", cursor or "")]) if cursor else "",
        newest=here,
    )


def stops(rotation: Mapping[str, Any]) -> str:
    """Return `stop` while a value is on its way, `give_up` where a step has failed, and nothing otherwise."""
    if rotation["status"] in {"created", "applied", "tested"}:
        return "" if rotation["rotator"] == "manual" else "stop"
    return "give_up" if rotation["failures"] and rotation["status"] in {"failed", "promoted"} else ""


def _rotation(rotation: Mapping[str, Any], prefs: Prefs, now: datetime, stop: str) -> Rotation:
    failures = rotation["failures"]
    late = datetime.fromisoformat(rotation["overdue_at"]) <= now
    return Rotation(
        how=f"{ROTATORS[rotation['rotator']]}, every {duration(rotation['every'], prefs)}",
        status=status_of("secret_rotation", rotation["status"]),
        due=moment(rotation["due_at"], prefs),
        next=moment(rotation["next_at"], prefs) if rotation["next_at"] else None,
        overdue=moment(rotation["overdue_at"], prefs) if late else None,
        failures=count(failures, prefs) if failures else "",
        detail=rotation["detail"] or "",
        stop=stop if stops(rotation) else "",
    )


def _version(version: Mapping[str, Any], prefs: Prefs, here: str, *, manages: bool) -> Version:
    destroyed = version["status"] == "destroyed"
    return Version(
        number=version["number"],
        status=status_of("secret_version", version["status"]),
        until=moment(version["usable_until"], prefs) if version["usable_until"] else None,
        made=moment(version["created_at"], prefs),
        by=actor_named(version["created_by"]),
        destroy=f"{here}/destroy?number={version['number']}" if manages and not destroyed else "",
    )


def _entry(entry: Mapping[str, Any], naming: Naming) -> Entry:
    return Entry(
        at=moment(entry["at"], naming.prefs),
        who=naming(entry["agent_id"] or actor_named(entry["principal"])),
        verb=VERBS[entry["verb"]],
        status=status_of("secret_access", entry["outcome"]),
        version="" if entry["version"] is None else str(entry["version"]),
        where=" ".join(filter(None, (entry["method"], entry["host"]))),
        purpose=entry["purpose"] or "",
    )


def store(form: FormState, here: str) -> Store:
    return Store(
        title="Create secret",
        crumbs=(Link(label="Secrets", href=here),),
        action=f"{here}/new",
        label="Create secret",
        form=form,
        kinds=tuple(KINDS.items()),
    )


def _crumbs(secret: Mapping[str, Any], listed: str) -> tuple[Link, ...]:
    path = secret["path"]
    return Link(label="Secrets", href=listed), Link(label=path, href=f"{listed}/{name_of(path)}")


def replace(secret: Mapping[str, Any], form: FormState, listed: str) -> Store:
    return Store(
        title="New value",
        crumbs=_crumbs(secret, listed),
        action=f"{listed}/{name_of(secret['path'])}/replace",
        label="Save value",
        form=form,
        kinds=(),
    )


def opening(secret: Mapping[str, Any], form: FormState, listed: str) -> Open:
    here = f"{listed}/{name_of(secret['path'])}"
    return Open(
        title=f"Show {secret['path']}?", crumbs=_crumbs(secret, listed), action=f"{here}/open", back=here, form=form
    )


def opened(value: Mapping[str, Any], listed: str) -> Opened:
    return Opened(
        title=value["path"],
        crumbs=_crumbs(value, listed),
        version=value["version"],
        value=value["value"],
        back=f"{listed}/{name_of(value['path'])}",
    )


def destroying(secret: Mapping[str, Any], number: int, form: FormState, listed: str) -> Confirmation:
    here = f"{listed}/{name_of(secret['path'])}"
    effect = ["The value and its key are deleted permanently. This cannot be undone."]
    if secret["current_version"] == number:
        effect.insert(0, "This is the version in use: nobody can use the secret until a new value is stored.")
    statuses = {version["number"]: version["status"] for version in secret["versions"]}
    if (secret["rotation"] or {}).get("status") == "promoted" and statuses.get(number) == "previous":
        effect.insert(0, "The last rotation replaced it. It is revoked at its target first.")
    return Confirmation(
        title=f"Destroy version {number}?",
        back=here,
        action=f"{here}/destroy?number={number}",
        label="Destroy version",
        form=form,
        facts=(("Secret", secret["path"]), ("Version", str(number))),
        effect=tuple(effect),
    )


def stopping(secret: Mapping[str, Any], form: FormState, listed: str) -> Confirmation:
    here, stop = f"{listed}/{name_of(secret['path'])}", stops(secret["rotation"]) != "give_up"
    effect = (
        ("The target is reset to the value in use. Then the new value is destroyed.",)
        if stop
        else (
            "Nothing more is sent to the target. First make sure that the value in use works there.",
            "The other value is destroyed. This cannot be undone.",
        )
    )
    return Confirmation(
        title="Stop the rotation?" if stop else "End the rotation without the target?",
        back=here,
        action=f"{here}/stop" if stop else f"{here}/stop?give_up=true",
        label="Stop rotation" if stop else "End rotation",
        form=form,
        facts=(("Secret", secret["path"]),),
        effect=effect,
    )


def rotating(secret: Mapping[str, Any], form: FormState, listed: str) -> Rotate:
    here = f"{listed}/{name_of(secret['path'])}"
    return Rotate(
        title=f"Replace {secret['path']} now?",
        crumbs=_crumbs(secret, listed),
        action=f"{here}/rotate",
        back=here,
        form=form,
        takes_value=secret["rotation"]["rotator"] == "manual",
    )


def granting(form: FormState, agents: Choice, listed: str) -> Granting:
    return Granting(
        title="Create grant",
        crumbs=(Link(label="Secrets", href=listed), Link(label="Grants", href=f"{listed}/grants")),
        action=f"{listed}/grants/new",
        form=form,
        agents=(("", "None"), *((each["id"], each["name"]) for each in agents.rows)),
        more_agents=agents.more,
        verbs=(
            ("use", "Use", "Requests are sent with the value. Nobody sees it."),
            ("read", "Read", "The value is shown. For people and services, not for agents."),
        ),
        methods=tuple((each.value, each.value, "") for each in HttpMethod),
    )


def revoking(grant: Mapping[str, Any], form: FormState, naming: Naming, listed: str) -> Confirmation:
    who = naming.names.get(grant["agent_id"] or "", "") or grant["principal"] or grant["agent_id"]
    return Confirmation(
        title="Revoke this grant?",
        back=f"{listed}/grants",
        action=f"{listed}/grants/{grant['id']}/revoke",
        label="Revoke grant",
        form=form,
        facts=(
            ("For", who),
            ("Secrets", ", ".join(grant["paths"])),
            ("Permission", " and ".join(VERBS[each].lower() for each in grant["verbs"])),
        ),
        effect=("The grant stops working now. Past uses stay in the log.",),
    )
