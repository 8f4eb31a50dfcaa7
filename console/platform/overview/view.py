"""What the platform's overview shows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from console.charts import Ranking, Unit, ranking
from console.format import Amount, Prefs, amount, count, percent, relative
from console.gateway import Answer
from console.mentions import Naming
from console.payment.view import PROVIDERS
from console.platform.reconciliation.view import Run, run as run_of
from console.sections import unanswered
from console.status import Status, Tone, status_of
from console.waiting import Alert, Task, alert, task
from console.widgets import Failed, Page
from domain.escrow.state import EscrowStatus
from domain.payments.payment.state import AWAITING, ENDED_UNPAID

BASE = "/console/platform"
#: How many of each list the overview shows.
SHOWN = 5
#: Payments of so many days are counted.
DAYS = 30
_HOLDING = {EscrowStatus.FUNDED.value, EscrowStatus.DELIVERED.value, EscrowStatus.DISPUTED.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    status: Status
    number: str
    amount: Amount
    at_least: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    status: Status
    number: str
    amount: Amount
    href: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """How the payments of one provider went; `success` is the part of those that ended, and empty if none has."""

    name: str
    href: str
    number: str
    succeeded: str
    unpaid: str
    success: str
    at_least: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of the installation: whether it answers."""

    name: str
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview(Page):
    held: tuple[Held, ...]
    held_href: str
    held_failed: Failed | None
    outcomes: tuple[Outcome, ...]
    outcomes_chart: Ranking | None
    outcomes_failed: Failed | None
    providers: tuple[Provider, ...]
    parts: tuple[Part, ...]
    inbox: str
    inbox_waits: bool
    webhooks_href: str
    parts_failed: Failed | None
    last_run: Run | None
    differences: str
    differences_href: str
    reconciliation_failed: Failed | None
    tasks: tuple[Task, ...]
    tasks_failed: Failed | None
    alerts: tuple[Alert, ...]
    alerts_more: bool
    alerts_failed: Failed | None
    warnings: tuple[str, ...]


def page(
    answers: Mapping[str, Answer],
    naming: Naming,
    now: datetime,
    has: frozenset[str],
    warnings: tuple[str, ...] = (),
) -> Overview:
    """Return the overview.

    Args:
        answers: `escrows`, `payments`, `ready`, `runs`, `differences`, `tasks`, `alerts`.
        naming: how what the tasks mention is written.
        now: the time.
        has: the pages of the platform that exist, such as `escrows` and `escrows/{id}`.
        warnings: by which prices the platform loses money.
    """
    prefs = naming.prefs
    ready, payments, differences = answers["ready"], answers["payments"], answers["differences"]
    waiting = ready.body.get("inbox_oldest_seconds") if ready.ok else None
    outcomes = _data(payments, "by_status")
    runs = _data(answers["runs"])
    return Overview(
        title="Overview",
        held=tuple(
            Held(
                status=status_of("escrow", each["status"]),
                number=count(each["count"], prefs),
                amount=amount(each["amount"], each["currency"], prefs),
                at_least=each["capped"],
            )
            for each in _data(answers["escrows"], "by_status")
            if each["status"] in _HOLDING
        ),
        held_href=f"{BASE}/escrows" if "escrows" in has else "",
        held_failed=unanswered("Held in escrow", answers["escrows"], BASE),
        outcomes=tuple(
            Outcome(
                status=status_of("payment", each["status"]),
                number=count(each["count"], prefs),
                amount=amount(each["amount"], each["currency"], prefs),
                href=f"{BASE}/payments?status={each['status']}" if "payments" in has else "",
            )
            for each in outcomes
        ),
        outcomes_chart=_chart(outcomes, prefs),
        outcomes_failed=unanswered("Payments", payments, BASE),
        providers=_providers(_data(payments, "by_provider"), prefs, linked="payments" in has),
        parts=_parts(ready),
        inbox=_inbox(waiting, now, prefs),
        inbox_waits=bool(waiting),
        webhooks_href=f"{BASE}/webhooks?unhandled=true" if "webhooks" in has else "",
        parts_failed=None if ready.status == 404 else unanswered("Parts", ready, BASE),
        last_run=run_of(runs[0], prefs) if runs else None,
        differences=_open(differences, prefs),
        differences_href=f"{BASE}/reconciliation",
        reconciliation_failed=unanswered("Reconciliation", differences, BASE)
        or unanswered("Reconciliation", answers["runs"], BASE),
        tasks=tuple(
            task(each, BASE, naming, has=lambda path: path in has, alerts=f"{BASE}/alerts?status=firing")
            for each in _data(answers["tasks"])
        ),
        tasks_failed=unanswered("To do", answers["tasks"], BASE),
        alerts=tuple(alert(each, naming) for each in _data(answers["alerts"])),
        alerts_more=answers["alerts"].ok and answers["alerts"].body["next_cursor"] is not None,
        alerts_failed=unanswered("Alerts", answers["alerts"], BASE),
        warnings=warnings,
    )


def _data(answer: Answer, name: str = "data") -> list[Mapping[str, Any]]:
    return list(answer.body[name]) if answer.ok else []


def _chart(outcomes: Iterable[Mapping[str, Any]], prefs: Prefs) -> Ranking | None:
    counted: dict[str, Decimal] = {}
    for each in outcomes:
        word = status_of("payment", each["status"]).word
        counted[word] = counted.get(word, Decimal(0)) + each["count"]
    return ranking("Payments by outcome", list(counted.items()), Unit(prefs=prefs)) if counted else None


def _providers(counted: Iterable[Mapping[str, Any]], prefs: Prefs, *, linked: bool) -> tuple[Provider, ...]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for each in counted:
        found.setdefault(each["provider"], []).append(each)
    return tuple(_provider(name, rows, prefs, linked=linked) for name, rows in sorted(found.items()))


def _provider(name: str, rows: Sequence[Mapping[str, Any]], prefs: Prefs, *, linked: bool) -> Provider:
    number = sum(each["count"] for each in rows)
    unpaid = sum(each["count"] for each in rows if each["status"] in ENDED_UNPAID)
    # Received money counts here, also if it was refunded or charged back later.
    succeeded = number - unpaid - sum(each["count"] for each in rows if each["status"] in AWAITING)
    ended = succeeded + unpaid
    return Provider(
        name=PROVIDERS.get(name, name),
        href=f"{BASE}/payments?provider={name}" if linked else "",
        number=count(number, prefs),
        succeeded=count(succeeded, prefs),
        unpaid=count(unpaid, prefs),
        success=percent(str(round(Decimal(succeeded) / ended, 3)), prefs) if ended else "",
        at_least=any(each["capped"] for each in rows),
    )


def _parts(ready: Answer) -> tuple[Part, ...]:
    if not ready.ok:
        return ()
    named = (("PostgreSQL", ready.body["postgresql"]), ("Temporal", ready.body["temporal"]))
    return tuple(
        Part(
            name=name,
            status=Status(word="Healthy", tone=Tone.GOOD, icon="check", sentence="It responds.")
            if said == "ok"
            else Status(
                word=f"{said[:1].upper()}{said[1:]}", tone=Tone.BAD, icon="cross", sentence="It does not respond."
            ),
        )
        for name, said in named
    )


def _inbox(waiting: int | None, now: datetime, prefs: Prefs) -> str:
    if waiting is None:
        return "Unknown"
    return relative(now - timedelta(seconds=waiting), now, prefs) if waiting else "None"


def _open(differences: Answer, prefs: Prefs) -> str:
    if not differences.ok:
        return ""
    number = len(differences.body["data"])
    return f"{count(number, prefs)} or more" if differences.body["next_cursor"] else count(number, prefs)
