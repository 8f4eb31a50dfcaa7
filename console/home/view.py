"""What an organization's home shows."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from console.charts import Chart
from console.format import Amount, Moment, Prefs, amount, moment, percent, short_day, short_id
from console.gateway import Answer
from console.home.charts import balance_of, by_month, spending_of
from console.mentions import Naming
from console.sections import unanswered
from console.status import Status, status_of
from console.waiting import Alert, Task, alert, task
from console.widgets import Failed, Page
from domain.common.money import CREDIT

#: How many facts home lists, and how many of everything else.
LATEST = 5
#: The pages that home leads to, where they exist.
PAGES = (
    "transactions",
    "escrows",
    "escrows/{id}",
    "contracts/{id}",
    "disputes/{id}",
    "purchases/{id}",
    "returns/revenue/{id}",
    "invoices/{id}",
    "alerts",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One figure: what it is, how much, where its parts are listed (empty for nowhere), what else there is to say."""

    label: str
    amount: Amount
    href: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiring:
    amount: Amount
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    available: Amount
    in_escrow: Amount
    owed: Amount
    total: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class UnderWay:
    """An escrow that holds money, or an invoice that is due; `href` is empty if it has no page."""

    label: str
    href: str
    status: Status
    amount: Amount
    until: Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Home(Page):
    cards: tuple[Card, ...]
    holdings: tuple[Holding, ...]
    expiring: tuple[Expiring, ...]
    under_way: tuple[UnderWay, ...]
    money_failed: Failed | None
    asks_tasks: bool
    tasks: tuple[Task, ...]
    tasks_failed: Failed | None
    alerts: tuple[Alert, ...]
    alerts_href: str
    alerts_failed: Failed | None
    balance: Chart | None
    balance_failed: Failed | None
    spending: Chart | None
    spending_failed: Failed | None
    asks_latest: bool
    latest: Sequence[Mapping[str, Any]]
    latest_href: str
    latest_failed: Failed | None


def mentioning(answers: Mapping[str, Answer]) -> Iterator[Mapping[str, Any]]:
    """Yield what home shows of other objects: tasks, and escrows that hold money."""
    for name, of in (("tasks", "data"), ("summary", "escrows")):
        if name in answers and answers[name].ok:
            yield from answers[name].body[of][:LATEST]


def page(name: str, answers: Mapping[str, Answer], base: str, naming: Naming, has: Mapping[str, bool]) -> Home:
    """Return home."""
    tasks, spent, prefs = answers.get("tasks"), answers["spent"], naming.prefs
    if "summary" not in answers:
        return _own(name, answers, base, naming, has)
    summary, latest = answers["summary"], answers["latest"]
    assets = {each["currency"]: each for each in summary.body["assets"]} if summary.ok else {}
    return Home(
        title=name,
        cards=_cards(assets.get(CREDIT), spent, base, prefs, has) if summary.ok else (),
        holdings=tuple(_holding(each, prefs) for code, each in assets.items() if code != CREDIT),
        expiring=_expiring(summary.body["expiring"], prefs) if summary.ok else (),
        under_way=_under_way(summary.body, base, naming, has) if summary.ok else (),
        money_failed=unanswered("Balance", summary, base),
        asks_tasks=tasks is not None,
        tasks=_tasks(tasks, base, naming, has, but="alert"),
        tasks_failed=unanswered("To do", tasks, base) if tasks is not None else None,
        alerts=tuple(alert(each, naming) for each in (answers["alerts"].body["data"] if answers["alerts"].ok else ())),
        alerts_href=f"{base}/alerts" if has["alerts"] else "",
        alerts_failed=unanswered("Open alerts", answers["alerts"], base),
        balance=balance_of(answers["balance"], prefs),
        balance_failed=unanswered("Balance, 30 days", answers["balance"], base),
        spending=spending_of(spent, prefs),
        spending_failed=unanswered("Spending by service, 30 days", spent, base),
        asks_latest=True,
        latest=latest.body["data"] if latest.ok else (),
        latest_href=f"{base}/transactions" if has["transactions"] else "",
        latest_failed=unanswered("Latest activity", latest, base),
    )


def _own(name: str, answers: Mapping[str, Answer], base: str, naming: Naming, has: Mapping[str, bool]) -> Home:
    credits, spent, tasks, prefs = answers["credits"], answers["spent"], answers.get("tasks"), naming.prefs
    available = amount(credits.body["available"], CREDIT, prefs) if credits.ok else None
    card = () if available is None else (Card(label="Available", amount=available, href="", note="Can be spent now"),)
    return Home(
        title=name,
        cards=(*card, *_spent(spent, "", prefs)),
        holdings=(),
        expiring=(),
        under_way=(),
        money_failed=unanswered("Balance", credits, base),
        asks_tasks=tasks is not None,
        tasks=_tasks(tasks, base, naming, has),
        tasks_failed=unanswered("To do", tasks, base) if tasks is not None else None,
        alerts=(),
        alerts_href="",
        alerts_failed=None,
        balance=None,
        balance_failed=None,
        spending=spending_of(spent, prefs),
        spending_failed=unanswered("Spending by service, 30 days", spent, base),
        asks_latest=False,
        latest=(),
        latest_href="",
        latest_failed=None,
    )


def _tasks(
    tasks: Answer | None, base: str, naming: Naming, has: Mapping[str, bool], *, but: str = ""
) -> tuple[Task, ...]:
    """Return the tasks that are shown; `but` is the kind that has a list of its own on the page."""
    return tuple(
        task(
            each,
            base,
            naming,
            has=lambda path: has.get(path, False),
            alerts=f"{base}/alerts" if has["alerts"] else "",
        )
        for each in (tasks.body["data"] if tasks and tasks.ok else ())
        if each["kind"] != but
    )


def _cards(
    credits: Mapping[str, Any] | None, spent: Answer, base: str, prefs: Prefs, has: Mapping[str, bool]
) -> tuple[Card, ...]:
    def written(part: str) -> Amount:
        return amount(credits[part] if credits else "0", CREDIT, prefs)

    listed = f"{base}/transactions" if has["transactions"] else ""
    escrows = f"{base}/escrows" if has["escrows"] else ""
    return (
        Card(label="Available", amount=written("available"), href=listed, note="Can be spent now"),
        Card(label="Reserved", amount=written("held"), href=listed, note="Reserved for work in progress"),
        Card(label="Held in escrow", amount=written("in_escrow"), href=escrows, note="Until work is settled"),
        Card(label="Debt", amount=written("owed"), href=listed, note="Deducted from your next payment"),
        *_spent(spent, listed, prefs),
    )


def _spent(spent: Answer, usage: str, prefs: Prefs) -> tuple[Card, ...]:
    """Return the card of what was spent this month against the same days of the last; none if that is not known."""
    months = by_month(spent)
    if months is None:
        return ()
    now, before = (amount(f"{each:f}", CREDIT, prefs) for each in (months.this, months.last))
    days = f"{short_day(months.since, prefs)} to {short_day(months.until, prefs)}"
    if months.last:
        ratio = ((months.this - months.last) / months.last).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
        change = f", {percent(f'{ratio.copy_abs():f}', prefs)} {'more' if ratio > 0 else 'less'}" if ratio else ""
        note = f"{before} from {days}{change}. Days are UTC."
    else:
        note = f"No spending from {days} (UTC)."
    return (Card(label="Spent this month", amount=now, href=usage, note=note),)


def _under_way(summary: Mapping[str, Any], base: str, naming: Naming, has: Mapping[str, bool]) -> tuple[UnderWay, ...]:
    prefs = naming.prefs
    escrows = [
        UnderWay(
            label=f"Escrow: {naming.names.get(each['id'], short_id(each['id']))}",
            href=f"{base}/escrows/{each['id']}" if has["escrows/{id}"] else "",
            status=status_of("escrow", each["status"]),
            amount=amount(each["amount"], each["currency"], prefs),
            until=moment(each["until"], prefs) if each["until"] else None,
        )
        for each in summary["escrows"][:LATEST]
    ]
    invoices = [
        UnderWay(
            label=f"Invoice {each['number'] or short_id(each['id'])}",
            href=f"{base}/invoices/{each['id']}" if has["invoices/{id}"] else "",
            status=status_of("invoice", "open"),
            amount=amount(each["due"], each["currency"], prefs),
            until=moment(each["due_at"], prefs),
        )
        for each in summary["invoices_due"][:LATEST]
    ]
    return (*invoices, *escrows)


def _expiring(lots: Iterable[Mapping[str, Any]], prefs: Prefs) -> tuple[Expiring, ...]:
    """Return what expires next; lots that expire at one moment are one line."""
    sums: dict[tuple[str, str], Decimal] = {}
    for each in lots:
        line = each["expires_at"], each["currency"]
        sums[line] = sums.get(line, Decimal(0)) + Decimal(each["amount"])
    lines = list(sums.items())[:LATEST]
    return tuple(Expiring(amount=amount(f"{left:f}", code, prefs), at=moment(at, prefs)) for (at, code), left in lines)


def _holding(asset: Mapping[str, Any], prefs: Prefs) -> Holding:
    parts = {
        part: amount(asset[part], asset["currency"], prefs) for part in ("available", "in_escrow", "owed", "total")
    }
    return Holding(**parts)
