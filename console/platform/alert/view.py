"""What the page of alerts shows to operators."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from console.format import Moment, Prefs, moment
from console.forms import FormState, blank
from console.lists import ListPage, ListResult
from console.mentions import LinkedOf, Sentence, sentence
from console.status import Status, status_of
from console.widgets import Tab
from domain.messages.texts import title_of

FILTERS = ("q", "kind", "severity", "status", "organization_id")
LABELS = {
    "q": "Text",
    "kind": "Kind",
    "severity": "Severity",
    "organization_id": "Organization",
    "from": "From",
    "to": "To",
}
PLACE = "/console/platform/alerts"
SEVERITIES = (("", "Any"), ("critical", "Critical"), ("warning", "Warning"), ("info", "Notice"))
_TABS = (("", "All"), ("firing", "Open"), ("acknowledged", "Acknowledged"), ("resolved", "Resolved"))
_SNOOZED = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    form: FormState
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    id: str
    at: Moment
    title: str
    kind: str
    detail: Sentence
    severity: Status
    status: Status
    by: str
    snoozed: Moment | None
    subject: Sentence
    organization: Sentence
    acknowledge: Act | None
    resolve: Act | None
    snooze: Act | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerts(ListPage):
    """The list. `form` is a command's that was refused."""

    severities: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    snooze_until: str
    form: FormState


def page(found: ListResult, form: FormState, prefs: Prefs, now: datetime, *, link: LinkedOf, commands: bool) -> Alerts:
    """Return the list.

    Args:
        found: what the API has.
        form: of a command that was refused; a blank one otherwise.
        prefs: how the reader reads.
        now: the time.
        link: returns the address of the page of an id, of an organization.
        commands: whether the reader may acknowledge.
    """
    status = found.asked.given.get("status", "")
    return Alerts(
        title="Alerts",
        listed=found.listed("Alerts", LABELS),
        tabs=tuple(
            Tab(label=label, href=found.asked.address(status=value), current=value == status) for value, label in _TABS
        ),
        severities=SEVERITIES,
        rows=tuple(_row(each, prefs, now, link, commands=commands) for each in found.rows),
        snooze_until=(now + _SNOOZED).replace(microsecond=0).isoformat(),
        form=form,
    )


def _row(alert: Mapping[str, Any], prefs: Prefs, now: datetime, link: LinkedOf, *, commands: bool) -> Row:
    def told(text: str) -> Sentence:
        return sentence(text, alert["names"], prefs, lambda id: link(id, org_id))

    status, org_id, until = str(alert["status"]), alert["organization_id"], alert["snoozed_until"]
    is_open = commands and status != "resolved"

    def act(name: str, *, allowed: bool) -> Act | None:
        return Act(form=blank(), action=f"{PLACE}/{alert['id']}/{name}") if allowed else None

    return Row(
        id=str(alert["id"]),
        at=moment(str(alert["created_at"]), prefs),
        title=title_of(str(alert["kind"])),
        kind=str(alert["kind"]),
        detail=told(alert["detail"]),
        severity=status_of("severity", str(alert["severity"])),
        status=status_of("alert", status),
        by=(alert["resolved_by"] if status == "resolved" else alert["acknowledged_by"]) or "",
        snoozed=moment(until, prefs) if until and datetime.fromisoformat(until) > now else None,
        subject=told(alert["subject"]),
        organization=told(org_id) if org_id and org_id != alert["subject"] else (),
        acknowledge=act("acknowledge", allowed=is_open and status == "firing"),
        resolve=act("resolve", allowed=is_open),
        snooze=act("snooze", allowed=is_open),
    )
