"""What the pages of budgets show."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from console.budget import terms
from console.charts import Meter
from console.charts.rank import meter
from console.format import Amount, Ident, Moment, Prefs, amount, ident, moment, money, short_id
from console.forms import FormState
from console.gateway import Answer
from console.lists import Choice, ListPage, ListResult
from console.mentions import Naming, Sentence
from console.spend_control.view import FILTERS, KINDS, LABELS, History, asking, history, maybe, subjects, tabs
from console.status import Status, status_of
from console.widgets import Confirmation, FormPage, Link
from domain.common.calendar import Window
from domain.common.money import CREDIT

__all__ = ["FILTERS"]

#: What each pool is called beside a gauge.
_CALLED = {
    "operating": "Operating amount",
    "reserve": "Reserve",
    "emergency": "Emergency pool",
    "allowance": "Reserve without approval",
}
_POOLS = (("operating", "Operating amount"), ("reserve", "Reserve"), ("emergency", "Emergency pool"))
#: How long an emergency lasts: the hours, and how they are called.
LASTS = (("4", "4 hours"), ("24", "1 day"), ("72", "3 days"), ("168", "7 days"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """One window with a gauge for each pool; `first` tells that this window refuses first."""

    label: str
    amount: Amount
    first: bool
    resets: Moment | None
    meters: tuple[Meter, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One budget. `id` is that of whom it is for, None of the organization and of what has a name."""

    kind: str
    name: str
    id: Ident | None
    href: str
    status: Status
    gauges: tuple[Gauges, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgets(ListPage):
    """The list; `create` is empty if the reader may not."""

    kinds: tuple[tuple[str, str], ...]
    open: str
    create: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Emergency:
    """An emergency that has not ended. `until` is as the API has it, to confirm it; `is_open` once the pool is."""

    reason: str
    by: str
    ends: Moment
    until: str
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget(FormPage):
    row: Row
    id: Ident
    subject: Sentence
    parent: Sentence
    purchases: str
    log: str
    currency: str
    zone: str
    per_spend: Amount | None
    carry_over: Amount | None
    made: Moment
    emergencies: tuple[Emergency, ...]
    change: str
    freeze: str
    unfreeze: str
    close: str
    move: str
    emergency: str
    end: str
    history: History


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    name: str
    label: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Set(FormPage):
    """The form that sets or changes a budget; `subjects` is empty for a change, and `kept` is what that keeps."""

    lead: str
    label: str
    subjects: tuple[tuple[str, str], ...]
    usual: tuple[Field, ...]
    pools: tuple[Field, ...]
    windows: tuple[tuple[str, str], ...]
    other: tuple[Field, ...]
    kept: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Act(FormPage):
    """A form of one budget: what is moved, or the emergency that is declared."""

    lead: str
    label: str
    pools: tuple[tuple[str, str], ...]
    lasts: tuple[tuple[str, str], ...]


def page(found: ListResult, prefs: Prefs, create: str) -> Budgets:
    return Budgets(
        title="Budgets",
        listed=found.listed("Budgets", LABELS, tabbed=("open",)),
        tabs=tabs(found),
        kinds=(("", "Anything"), *KINDS.items()),
        open=found.asked.given.get("open", ""),
        create=create,
        rows=tuple(_row(each, prefs, found.asked.path) for each in found.rows),
    )


def _row(budget: Mapping[str, Any], prefs: Prefs, listed: str) -> Row:
    subject = budget["subject"]
    whole = subject["type"] == "organization"
    return Row(
        kind=KINDS.get(subject["type"], subject["type"]),
        name="The whole organization" if whole else subject["name"] or "",
        id=None if whole or subject["name"] else ident(subject["id"]),
        href=f"{listed}/{budget['id']}",
        status=status_of("control", budget["status"]),
        gauges=tuple(_gauges(budget, window, prefs) for window in budget["limits"]),
    )


def _gauges(budget: Mapping[str, Any], window: Mapping[str, Any], prefs: Prefs) -> Gauges:
    """Draw each pool of a window, in words as well: spent, reserved, and left of its size."""
    currency, pools = budget["currency"], sum(window[name] is not None for name in _CALLED)
    meters = []
    for name, label in _CALLED.items():
        pool = window[name]
        if pool is None:
            continue
        spent, held = Decimal(pool["spent"]), Decimal(pool["held"])
        reserved = f", {money(pool['held'], currency, prefs)} held" if held else ""
        text = (
            f"{money(pool['remaining'], currency, prefs)} left of {money(pool['amount'], currency, prefs)}: "
            f"{money(pool['spent'], currency, prefs)} spent{reserved}"
        )
        # The sum is for the length of the bar alone; every number in the text is the API's.
        label = label if pools > 1 else "To spend"
        meters.append(meter(label, spent + held, Decimal(pool["amount"]), text))
    return Gauges(
        label=terms.WINDOWS.get(window["window"], window["window"]),
        amount=amount(window["amount"], currency, prefs),
        first=window["window"] == budget["binding"] and len(budget["limits"]) > 1,
        resets=maybe(window["resets_at"], prefs),
        meters=tuple(meters),
    )


def one(
    answers: Mapping[str, Answer],
    form: FormState,
    naming: Naming,
    listed: str,
    *,
    may_change: bool,
    may_move: bool,
) -> Budget:
    """Return a budget."""
    budget, currency, prefs = answers["control"].body, answers["control"].body["currency"], naming.prefs
    row, here, status = _row(budget, prefs, listed), f"{listed}/{budget['id']}", budget["status"]
    changes, moves = may_change and status != "closed", may_move and status != "closed"
    base, subject = listed.removesuffix("/budgets"), budget["subject"]
    of_agent = f"?agent_id={subject['id']}" if subject["type"] == "agent" else ""
    declared = tuple(_emergency(each, prefs) for each in budget["emergencies"])

    def stated(name: str) -> Amount | None:
        return None if budget[name] is None else amount(budget[name], currency, prefs)

    return Budget(
        title=_title(budget["subject"]),
        crumbs=(Link(label="Budgets", href=listed),),
        form=form,
        row=row,
        id=ident(budget["id"]),
        subject=() if subject["type"] == "organization" else naming(subject["id"]),
        parent=naming(budget["parent_id"]),
        purchases=f"{base}/purchases{of_agent}",
        log=f"{base}/economics{of_agent}",
        currency="credits" if currency == CREDIT else currency,
        zone=budget["time_zone"],
        per_spend=stated("per_spend"),
        carry_over=stated("carry_over"),
        made=moment(budget["created_at"], prefs),
        emergencies=declared,
        change=f"{here}/change" if changes else "",
        freeze=f"{here}/freeze" if changes and status == "active" else "",
        unfreeze=f"{here}/unfreeze" if changes and status == "frozen" else "",
        close=f"{here}/close" if changes else "",
        move=f"{here}/move" if moves and (budget["reserve"] or budget["emergency"]) else "",
        emergency=f"{here}/emergency" if moves and budget["emergency"] else "",
        end=f"{here}/emergency/end" if moves and declared else "",
        history=history(answers, naming, here),
    )


def _title(subject: Mapping[str, Any]) -> str:
    if subject["type"] == "organization":
        return "Budget of the organization"
    kind = KINDS.get(subject["type"], subject["type"])
    return f"Budget of {kind.lower()} {subject['name'] or short_id(subject['id'])}"


def _emergency(emergency: Mapping[str, Any], prefs: Prefs) -> Emergency:
    return Emergency(
        reason=emergency["reason"],
        by=emergency["declared_by"].rpartition("/")[2],
        ends=moment(emergency["until"], prefs),
        until=emergency["until"],
        is_open=emergency["begun_at"] is not None,
    )


_USUAL = tuple(
    Field(name=f"{window}_amount", label=label)
    for window, label in (
        (Window.DAY, "Daily limit"),
        (Window.WEEK, "Weekly limit"),
        (Window.MONTH, "Monthly limit"),
    )
)
_OTHER = (
    *(
        Field(name=f"{window}_amount", label=f"{label}: amount")
        for window, label in terms.WINDOWS.items()
        if f"{window}_amount" not in {field.name for field in _USUAL}
    ),
    *(Field(name=f"{window}_uses", label=f"{label}: uses") for window, label in terms.WINDOWS.items()),
)
_PARTS = tuple(Field(name=name, label=label, hint=hint) for name, (label, hint) in terms.POOLS.items())
_OF = (("", "Longest period"), *terms.WINDOWS.items())


def create(form: FormState, choices: Mapping[str, Choice], listed: str) -> Set:
    return Set(
        title="Create budget",
        lead="Total limits. They include the reserve and the emergency pool.",
        crumbs=(Link(label="Budgets", href=listed),),
        action=f"{listed}/new",
        label="Create budget",
        form=form,
        subjects=subjects(choices),
        usual=_USUAL,
        pools=_PARTS,
        windows=_OF,
        other=_OTHER,
        kept=(),
    )


def change(budget: Mapping[str, Any], form: FormState, listed: str) -> Set:
    here = f"{listed}/{budget['id']}"
    return Set(
        title="Edit budget",
        lead="Applies to later charges. Earlier spending in the period counts.",
        crumbs=(Link(label="Budgets", href=listed), Link(label="Budget", href=here)),
        action=f"{here}/change",
        label="Edit budget",
        form=form,
        subjects=(),
        usual=_USUAL,
        pools=_PARTS,
        windows=_OF,
        other=_OTHER,
        kept=tuple((name, form.value(name)) for name in terms.KEPT),
    )


def moving(budget: Mapping[str, Any], form: FormState, listed: str) -> Act:
    here = f"{listed}/{budget['id']}"
    there = {"operating", *(name for name in ("reserve", "emergency") if budget[name] is not None)}
    return Act(
        title="Move between pools",
        lead="For the rest of the current period. The total limit stays the same.",
        crumbs=(Link(label="Budgets", href=listed), Link(label="Budget", href=here)),
        action=f"{here}/move",
        label="Move amount",
        form=form,
        pools=tuple((name, label) for name, label in _POOLS if name in there),
        lasts=(),
    )


def declaring(budget: Mapping[str, Any], form: FormState, listed: str) -> Act:
    here = f"{listed}/{budget['id']}"
    return Act(
        title="Declare emergency",
        lead="A second person must confirm it on the budget's page. Then the emergency pool opens.",
        crumbs=(Link(label="Budgets", href=listed), Link(label="Budget", href=here)),
        action=f"{here}/emergency",
        label="Declare emergency",
        form=form,
        pools=(),
        lasts=LASTS,
    )


def freezing(budget: Mapping[str, Any], form: FormState, listed: str) -> Confirmation:
    return asking(
        budget,
        form,
        listed,
        "budget",
        "freeze",
        "All charges under it are declined, from every pool.",
        "Existing holds can still be captured or released. You can unfreeze it at any time.",
    )


def closing(budget: Mapping[str, Any], form: FormState, listed: str) -> Confirmation:
    return asking(
        budget,
        form,
        listed,
        "budget",
        "close",
        "It no longer limits spending, and cannot be reopened.",
        "You can create another budget for the same subject.",
    )


def until(at: datetime, hours: str) -> str:
    """Return the end of an emergency that lasts so many hours; empty if that is no choice."""
    return (at + timedelta(hours=int(hours))).isoformat() if hours in dict(LASTS) else ""
