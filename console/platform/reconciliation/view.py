"""What the pages of reconciliation show: runs, the two sides of a discrepancy, and what explains a clearing account."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Ident, Moment, Prefs, amount, count, ident, moment
from console.forms import FormState
from console.gateway import Answer
from console.lists import ListPage, ListResult
from console.payment.view import company
from console.sections import unanswered
from console.status import Status, Tone, status_of
from console.widgets import Failed, FormPage, Link, Page, Tab
from domain.payments.payment.options import CREDITS

BASE = "/console/platform"
PLACE = f"{BASE}/reconciliation"
CRUMBS = (Link(label="Reconciliation", href=PLACE),)
LABELS = {"provider": "Provider"}
_RUNNING = Status(word="Running", tone=Tone.BUSY, icon="clock", sentence="The two sides are being compared.")
_RUNS: Mapping[str, Status] = {
    "running": _RUNNING,
    "done": Status(word="Done", tone=Tone.GOOD, icon="check", sentence="Both sides were compared."),
    "failed": Status(
        word="Failed", tone=Tone.BAD, icon="cross", sentence="The statement could not be read completely."
    ),
}
_OPEN = Status(word="Open", tone=Tone.WARN, icon="warn", sentence="An operator has to book or accept it.")
_RESOLUTIONS: Mapping[str, Status] = {
    "booked": Status(word="Booked", tone=Tone.GOOD, icon="check", sentence="A correction makes the books agree."),
    "accepted": Status(word="Accepted", tone=Tone.IDLE, icon="dash", sentence="It was accepted, with a reason."),
    "matched": Status(word="Matched", tone=Tone.GOOD, icon="check", sentence="It was resolved automatically."),
    "superseded": Status(word="Superseded", tone=Tone.IDLE, icon="dash", sentence="Replaced by another discrepancy."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    id: Ident
    href: str
    provider: str
    since: Moment
    until: Moment
    status: Status
    compared: str
    differences: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    href: str
    key: str
    provider: str
    kind: Status
    status: Status
    movement: str
    booked: tuple[Amount, ...]
    listed: Amount | None
    seen: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Reconciliation(ListPage):
    is_running: bool
    differences: tuple[Difference, ...]
    more: bool
    differences_failed: Failed | None
    runs: tuple[Run, ...]
    form: FormState
    action: str
    providers: tuple[tuple[str, str], ...]
    clearing: tuple[Link, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    movement: str
    booked: Amount
    listed: Amount
    agrees: bool
    match_statuses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A clearing account: what it holds, and the movements that explain it."""

    currency: str
    held: Amount
    booked: Amount
    unexplained: Amount
    movements: tuple[tuple[str, Amount], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OneRun(Page):
    run: Run
    started: Moment
    finished: Moment | None
    by: str
    failure: str
    is_running: bool
    agrees: bool
    lines: tuple[Line, ...]
    accounts: tuple[Account, ...]
    differences: tuple[Difference, ...]
    differences_failed: Failed | None
    clearing_href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    key: str
    amount: Amount
    fee: Amount | None
    net: Amount
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    amount: Amount
    fee: Amount
    net: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class OneDifference(FormPage):
    """A discrepancy with both sides, and how to resolve it. `book` and `accept` say what may be chosen."""

    status: Status
    kind: Status
    provider: str
    movement: str
    reference: str
    statement_line: str
    first_seen: Moment
    last_seen: Moment
    booked: tuple[Side, ...]
    listed: Side | None
    corrections: tuple[Correction, ...]
    payment: Ident | None
    payment_href: str
    run_href: str
    transfer: Ident | None
    note: str
    resolved_by: str
    resolved: Moment | None
    book: bool
    accept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Clearing(Page):
    accounts: tuple[Account, ...]


def several(found: ListResult, status: str, form: FormState, prefs: Prefs, *, may_run: bool) -> Reconciliation:
    """Return the first page; `status` is that of the discrepancies that are shown, `open` or `resolved`.

    Credits pay like a provider, but nobody else holds them: there is no statement to compare and no clearing account.
    """
    differences, config = found.extra["differences"], found.extra["config"]
    listed = found.listed("Runs", LABELS)
    ids = [each["name"] for each in config.body["providers"] if each["name"] != CREDITS] if config.ok else []
    given = form.value("provider")
    ids += [given] if given and given not in ids else []
    return Reconciliation(
        title="Reconciliation",
        listed=listed,
        tabs=(
            Tab(label="Open", href=found.asked.address(), current=status == "open"),
            Tab(label="Resolved", href=found.asked.address(status="resolved"), current=status == "resolved"),
        ),
        is_running=any(each["status"] == "running" for each in found.rows),
        differences=differences_of(differences, prefs),
        more=differences.ok and differences.body["next_cursor"] is not None,
        differences_failed=unanswered("Discrepancies", differences, PLACE),
        runs=tuple(run(each, prefs) for each in found.rows),
        form=form,
        action=f"{PLACE}/runs" if may_run else "",
        providers=tuple((each, company(each)) for each in ids),
        clearing=tuple(Link(label=company(each), href=f"{BASE}/clearing/{each}") for each in ids),
    )


def run(body: Mapping[str, Any], prefs: Prefs) -> Run:
    return Run(
        id=ident(body["id"]),
        href=f"{PLACE}/{body['id']}",
        provider=company(body["provider"]),
        since=moment(body["from"], prefs),
        until=moment(body["to"], prefs),
        status=_RUNS.get(body["status"], _RUNNING),
        compared=count(body["compared"], prefs),
        differences=count(body["differences"], prefs),
    )


def one_run(body: Mapping[str, Any], differences: Answer, prefs: Prefs) -> OneRun:
    """Return the page of a run; `differences` are the open ones of its provider."""
    here = run(body, prefs)
    return OneRun(
        title=f"{company(body['provider'])}, {here.since} to {here.until}",
        crumbs=CRUMBS,
        run=here,
        started=moment(body["started_at"], prefs),
        finished=moment(body["finished_at"], prefs) if body["finished_at"] else None,
        by=body["requested_by"],
        failure=body["failure"] or "",
        is_running=body["status"] == "running",
        agrees=not body["differences"],
        lines=tuple(
            Line(
                movement=each["movement"],
                booked=amount(each["booked_net"], each["currency"], prefs),
                listed=amount(each["listed_net"], each["currency"], prefs),
                agrees=each["booked_net"] == each["listed_net"],
                match_statuses=tuple(
                    f"{status_of('match', verdict).word}: {count(number, prefs)}"
                    for verdict, number in sorted(each["counts"].items())
                ),
            )
            for each in body["lines"]
        ),
        accounts=tuple(account(each, prefs) for each in body["clearing"]),
        differences=differences_of(differences, prefs),
        differences_failed=unanswered("Discrepancies", differences, here.href),
        clearing_href=f"{BASE}/clearing/{body['provider']}",
    )


def one_difference(
    body: Mapping[str, Any], form: FormState, prefs: Prefs, *, has_payment: bool, may_resolve: bool
) -> OneDifference:
    """Return the page of a discrepancy.

    Args:
        body: of the API.
        form: the resolution's.
        prefs: how the reader reads.
        has_payment: whether payments have pages of the platform.
        may_resolve: whether the reader may resolve it.
    """
    is_open = body["status"] == "open"
    corrections = tuple(
        Correction(
            **{part: amount(each[part], each["currency"], prefs, signed=True) for part in ("amount", "fee", "net")}
        )
        for each in body["corrections"]
    )
    payment_id = body["payment_id"]
    return OneDifference(
        title=f"{body['movement'].capitalize()} {body['key']}",
        crumbs=CRUMBS,
        status=_OPEN if is_open else _RESOLUTIONS.get(body["resolution"], _RESOLUTIONS["superseded"]),
        kind=status_of("match", body["kind"]),
        provider=company(body["provider"]),
        movement=body["movement"],
        reference=body["reference"] or "",
        statement_line=body["statement_line"] or "",
        first_seen=moment(body["first_seen_at"], prefs),
        last_seen=moment(body["last_seen_at"], prefs),
        booked=tuple(_side(each, prefs) for each in body["booked"]),
        listed=_side(body["listed"], prefs) if body["listed"] else None,
        corrections=corrections,
        payment=ident(payment_id) if payment_id else None,
        payment_href=f"{BASE}/payments/{payment_id}" if payment_id and has_payment else "",
        run_href=f"{PLACE}/{body['run_id']}",
        transfer=ident(body["transfer_id"]) if body["transfer_id"] else None,
        note=body["note"] or "",
        resolved_by=body["resolved_by"] or "",
        resolved=moment(body["resolved_at"], prefs) if body["resolved_at"] else None,
        form=form,
        action=f"{PLACE}/differences/{body['id']}",
        book=may_resolve and is_open and bool(corrections),
        accept=may_resolve and is_open,
    )


def clearing(provider: str, body: list[Mapping[str, Any]], prefs: Prefs) -> Clearing:
    return Clearing(
        title=f"Clearing at {company(provider)}", crumbs=CRUMBS, accounts=tuple(account(each, prefs) for each in body)
    )


def account(body: Mapping[str, Any], prefs: Prefs) -> Account:
    code = body["currency"]
    return Account(
        currency=code,
        held=amount(body["held"], code, prefs),
        booked=amount(body["booked"], code, prefs),
        unexplained=amount(body["unexplained"], code, prefs),
        movements=tuple((kind, amount(net, code, prefs, signed=True)) for kind, net in body["movements"].items()),
    )


def differences_of(answer: Answer, prefs: Prefs) -> tuple[Difference, ...]:
    """Return the rows of a list of discrepancies; none if there is no answer."""
    return tuple(_difference(each, prefs) for each in (answer.body["data"] if answer.ok else ()))


def _difference(body: Mapping[str, Any], prefs: Prefs) -> Difference:
    listed = body["listed"]
    return Difference(
        href=f"{PLACE}/differences/{body['id']}",
        key=body["key"],
        provider=company(body["provider"]),
        kind=status_of("match", body["kind"]),
        status=_OPEN if body["status"] == "open" else _RESOLUTIONS.get(body["resolution"], _RESOLUTIONS["superseded"]),
        movement=body["movement"],
        booked=tuple(amount(each["net"], each["currency"], prefs) for each in body["booked"]),
        listed=amount(listed["net"], listed["currency"], prefs) if listed else None,
        seen=moment(body["last_seen_at"], prefs),
    )


def _side(body: Mapping[str, Any], prefs: Prefs) -> Side:
    code = body["currency"]
    return Side(
        key=body["key"],
        amount=amount(body["amount"], code, prefs),
        fee=None if body["fee"] is None else amount(body["fee"], code, prefs),
        net=amount(body["net"], code, prefs),
        at=moment(body["occurred_at"], prefs),
    )
