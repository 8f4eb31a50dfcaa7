"""What the pages of billing runs show: the months, and the progress and result of one."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.format import Moment, Prefs, count, local_time, moment, month
from console.forms import FormState
from console.lists import ListPage, ListResult
from console.mentions import Naming, Sentence
from console.status import Status, Tone
from console.widgets import FormPage, Link
from domain.billing.billing_run.status import BillingRunStatus

BASE = "/console/platform"
PLACE = f"{BASE}/billing-runs"
CRUMBS = (Link(label="Invoices", href=f"{BASE}/invoices"), Link(label="Billing runs", href=PLACE))
_RUNNING = Status(word="Running", tone=Tone.BUSY, icon="clock", sentence="The month is being invoiced.")
_DONE = Status(word="Done", tone=Tone.GOOD, icon="check", sentence="Every organization was invoiced.")
_PARTLY = Status(
    word="Partly failed", tone=Tone.WARN, icon="warn", sentence="Some organizations could not be invoiced."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingRunRow:
    href: str
    month: str
    status: Status
    started: Moment
    invoiced: str
    empty: str
    failed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingRuns(ListPage):
    """The months that were invoiced, and the form of the next one; `action` is empty for who may not start one."""

    rows: tuple[BillingRunRow, ...]
    form: FormState
    action: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BillingRunPage(FormPage):
    """One run. `working` is a title and a sentence while it goes on, else empty; `again` starts it once more."""

    run: BillingRunRow
    working: tuple[str, str]
    result: str
    finished: Moment | None
    failures: tuple[tuple[Sentence, str], ...]
    invoices: str
    again: str
    period: str


def several(found: ListResult, form: FormState, prefs: Prefs, *, may_run: bool) -> BillingRuns:
    return BillingRuns(
        title="Billing runs",
        crumbs=CRUMBS[:1],
        listed=found.listed("Billing runs", {}),
        rows=tuple(row(each, prefs) for each in found.rows),
        form=form,
        action=PLACE if may_run else "",
    )


def row(body: Mapping[str, Any], prefs: Prefs) -> BillingRunRow:
    is_running = body["status"] == BillingRunStatus.RUNNING
    return BillingRunRow(
        href=f"{PLACE}/{body['period']}",
        month=month(f"{body['period']}-01", prefs),
        status=_RUNNING if is_running else _PARTLY if body["failed"] else _DONE,
        started=moment(body["started_at"], prefs),
        **{name: "" if is_running else count(body[name], prefs) for name in ("invoiced", "empty", "failed")},
    )


def one(body: Mapping[str, Any], form: FormState, naming: Naming, now: datetime, *, may_run: bool) -> BillingRunPage:
    prefs, here = naming.prefs, row(body, naming.prefs)
    working, result = ("", ""), ""
    if body["status"] == BillingRunStatus.RUNNING:
        waits = local_time(body["ready_at"]) > now
        then = f"Waiting for late usage until {moment(body['ready_at'], prefs)}. " if waits else ""
        working = f"Invoicing {here.month}…", f"{then}You can leave this page. The result appears here."
    else:
        result = f"Invoiced: {here.invoiced}. Nothing to pay: {here.empty}. Could not be invoiced: {here.failed}."
    return BillingRunPage(
        title=f"Billing run of {here.month}",
        crumbs=CRUMBS,
        run=here,
        working=working,
        result=result,
        finished=moment(body["finished_at"], prefs) if body["finished_at"] else None,
        failures=tuple((naming(each["organization_id"]), each["code"]) for each in body["failures"]),
        invoices=f"{BASE}/invoices",
        form=form,
        again=PLACE if may_run and body["failed"] and not working[0] else "",
        period=body["period"],
    )
