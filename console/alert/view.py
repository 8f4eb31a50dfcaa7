"""What the page of alerts shows to an organization."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from console.alert.kinds import advice_for
from console.format import Moment, Prefs, moment
from console.forms import FormState, blank
from console.lists import ListPage, ListResult
from console.mentions import Linked, Sentence, sentence
from console.status import Status, status_of
from console.widgets import Link, Tab
from domain.messages.texts import title_of

FILTERS = ("q", "kind", "severity", "status")
LABELS = {"q": "Text", "kind": "Kind", "severity": "Severity", "from": "From", "to": "To"}
SEVERITIES = (("", "Any"), ("critical", "Critical"), ("warning", "Warning"), ("info", "Notice"))
_TABS = (("", "Open"), ("acknowledged", "Acknowledged"), ("resolved", "Resolved"))
_SNOOZED = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    form: FormState
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One alert: what it is, what to do about it and where, and the commands that the reader has.

    Attributes:
        waits: who resolves it where the reader cannot; empty otherwise.
    """

    id: str
    at: Moment
    title: str
    kind: str
    detail: Sentence
    do: str
    where: Link | None
    severity: Status
    status: Status
    by: str
    snoozed: Moment | None
    subject: Sentence
    waits: str
    acknowledge: Act | None
    resolve: Act | None
    snooze: Act | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts(ListPage):
    """The list. `form` is a command's that was refused; `settings` is empty for those who may not read them."""

    severities: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    snooze_until: str
    settings: str
    rules: str
    form: FormState


def page(
    found: ListResult,
    form: FormState,
    prefs: Prefs,
    now: datetime,
    base: str,
    *,
    has: Callable[[str], bool],
    href: Linked,
    commands: bool,
    operator: bool,
    settings: str,
) -> Alerts:
    status = found.asked.given.get("status", "")

    def row(alert: Mapping[str, Any]) -> Row:
        return _row(alert, prefs, now, base, has=has, href=href, commands=commands, operator=operator)

    return Alerts(
        title="Alerts",
        listed=found.listed("Alerts", LABELS, tabbed=("status",)),
        tabs=tuple(
            Tab(
                label=label,
                href=found.asked.address(status=value),
                current=value == (status if status != "firing" else ""),
            )
            for value, label in _TABS
        ),
        severities=SEVERITIES,
        rows=tuple(row(each) for each in found.rows),
        snooze_until=(now + _SNOOZED).replace(microsecond=0).isoformat(),
        settings=settings,
        rules=f"{base}/alerts/settings/rules",
        form=form,
    )


def _row(
    alert: Mapping[str, Any],
    prefs: Prefs,
    now: datetime,
    base: str,
    *,
    has: Callable[[str], bool],
    href: Linked,
    commands: bool,
    operator: bool,
) -> Row:
    status, until, advice = str(alert["status"]), alert["snoozed_until"], advice_for(str(alert["kind"]))
    is_open = commands and status != "resolved"
    own = operator or not alert["for_operators"]

    def act(name: str, *, allowed: bool) -> Act | None:
        return Act(form=blank(), action=f"{base}/alerts/{alert['id']}/{name}") if allowed else None

    return Row(
        id=str(alert["id"]),
        at=moment(str(alert["created_at"]), prefs),
        title=title_of(str(alert["kind"])),
        kind=str(alert["kind"]),
        detail=sentence(str(alert["detail"]), alert["names"], prefs, href),
        do="" if status == "resolved" else advice.do,
        where=Link(label=advice.label, href=f"{base}/{advice.page}") if advice.page and has(advice.page) else None,
        severity=status_of("severity", str(alert["severity"])),
        status=status_of("alert", status),
        by=(alert["resolved_by"] if status == "resolved" else alert["acknowledged_by"]) or "",
        snoozed=moment(until, prefs) if until and datetime.fromisoformat(until) > now else None,
        subject=sentence(str(alert["subject"]), alert["names"], prefs, href),
        waits="" if own or status == "resolved" else "An operator also handles it, and resolves it.",
        acknowledge=act("acknowledge", allowed=is_open and status == "firing"),
        resolve=act("resolve", allowed=is_open and own),
        snooze=act("snooze", allowed=is_open),
    )
