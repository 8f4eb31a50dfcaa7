"""What the pages of organizations show to operators."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Ident, Moment, Prefs, amount, ident, moment, titled
from console.forms import FormState, blank
from console.gateway import Answer
from console.lists import ListPage, ListResult
from console.sections import unanswered
from console.status import Status, status_of
from console.widgets import Failed, FormPage, Link, Page
from domain.tenants.organization import TimedExits

FILTERS = ("q", "tier", "status")
LABELS = {"q": "Name", "tier": "Plan", "status": "Status", "from": "From", "to": "To"}
TIMED_EXITS = ((TimedExits.CONTINUE.value, "Continue as agreed"), (TimedExits.PAUSE.value, "Pause while suspended"))
STATUSES = (("", "Any"), ("active", "Active"), ("suspended", "Suspended"), ("closed", "Closed"))
PLACE = "/console/platform/organizations"
CRUMBS = (Link(label="Organizations", href=PLACE),)
#: The parts of an organization's money that its summary has.
_PARTS = ("available", "held", "in_escrow", "owed", "total")

Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    id: Ident
    href: str
    name: str
    tier: str
    status: Status
    created: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Organizations(ListPage):
    statuses: Options
    new_href: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class New(FormPage):
    tiers: Options


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    available: Amount
    held: Amount
    in_escrow: Amount
    owed: Amount
    total: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Remainder:
    """Something that is left of an organization and keeps it open; an amount, or ids."""

    kind: str
    amount: Amount | None
    ids: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """A command and its form; `None` in its place where it would be refused."""

    form: FormState
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class One(Page):
    id: Ident
    status: Status
    tier: str
    plan: str
    created: Moment
    changed: Moment | None
    reason: str
    pages: tuple[Link, ...]
    holdings: tuple[Holding, ...]
    money_failed: Failed | None
    tiers: Options
    change_tier: Act | None
    suspend: Act | None
    timed_exits: Options
    resume: Act | None
    close: Act | None
    left: tuple[Remainder, ...]


def several(found: ListResult, prefs: Prefs, new_href: str) -> Organizations:
    """Return the list; `new_href` is empty for those who may create none."""
    return Organizations(
        title="Organizations",
        listed=found.listed("Organizations", LABELS),
        statuses=STATUSES,
        new_href=new_href,
        rows=tuple(
            Row(
                id=ident(each["id"]),
                href=f"{PLACE}/{each['id']}",
                name=each["name"],
                tier=titled(each["tier"]),
                status=status_of("organization", each["status"]),
                created=moment(each["created_at"], prefs),
            )
            for each in found.rows
        ),
    )


def new(form: FormState, plans: Answer) -> New:
    return New(title="New organization", crumbs=CRUMBS, form=form, action=f"{PLACE}/new", tiers=tiers_of(plans, "free"))


def one(
    body: Mapping[str, Any],
    summary: Answer,
    plans: Answer,
    forms: Mapping[str, FormState],
    left: Sequence[Mapping[str, Any]],
    pages: tuple[Link, ...],
    prefs: Prefs,
    *,
    commands: bool,
) -> One:
    """Return the page of an organization.

    Args:
        body: of `GET /organizations/{id}`.
        summary: of its money.
        plans: of `GET /billing/plans`.
        forms: those that were refused, by the name of the command.
        left: what a refused closing says is left.
        pages: its own pages.
        prefs: how the reader reads.
        commands: whether the reader may change organizations.
    """
    here, status = f"{PLACE}/{body['id']}", body["status"]

    def act(name: str, *, allowed: bool) -> Act | None:
        form = forms.get(name) or blank()
        return Act(form=form, action=f"{here}/{name}") if commands and allowed else None

    tiers = tiers_of(plans, body["tier"])
    return One(
        title=body["name"],
        crumbs=CRUMBS,
        id=ident(body["id"]),
        status=status_of("organization", status),
        tier=body["tier"],
        plan=dict(tiers)[body["tier"]],
        created=moment(body["created_at"], prefs),
        changed=moment(body["status_changed_at"], prefs) if body["status_changed_at"] else None,
        reason=body["status_reason"] or "",
        pages=pages,
        holdings=tuple(
            Holding(**{part: amount(each[part], each["currency"], prefs) for part in _PARTS})
            for each in (summary.body["assets"] if summary.ok else ())
        ),
        money_failed=unanswered("Money", summary, here),
        tiers=tiers,
        change_tier=act("tier", allowed=status != "closed"),
        suspend=act("suspend", allowed=status == "active"),
        timed_exits=TIMED_EXITS,
        resume=act("resume", allowed=status == "suspended"),
        close=act("close", allowed=status != "closed"),
        left=tuple(_remainder(each, prefs) for each in left),
    )


def tiers_of(plans: Answer, current: str) -> Options:
    known = {each["id"]: each["name"] for each in plans.body["data"]} if plans.ok else {}
    return tuple(({current: titled(current)} | known).items())


def _remainder(left: Mapping[str, Any], prefs: Prefs) -> Remainder:
    has_amount = "amount" in left
    return Remainder(
        kind=titled(str(left["kind"])),
        amount=amount(left["amount"], left["currency"], prefs) if has_amount else None,
        ids=", ".join(str(each) for each in left.get("ids", ())),
    )
