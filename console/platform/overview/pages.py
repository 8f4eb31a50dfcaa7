"""How the platform stands, the first page of operators: money, what is stuck, what waits for a decision, and health."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

from starlette.responses import Response

from console.filters import amount, relative
from console.format import Amount
from console.gateway import Answer, Question
from console.payment.view import PROVIDERS
from console.platform.desk import operators
from console.problems import answered
from console.reader import reader
from console.routing import console_of
from console.status import Status, Tone
from console.texts import _, gettext
from console.visit import Visit
from console.widgets import Page
from domain.escrow.state import EscrowStatus
from domain.payments.payment.state import PaymentStatus

#: Figures are of so many days, compared with those before.
DAYS = 30
_HOLDING = {EscrowStatus.FUNDED, EscrowStatus.DELIVERED, EscrowStatus.DISPUTED}
_OWED = {"customers/debt", "customers/receivable"}
_MOVES = ("mrr.new", "mrr.expansion", "mrr.contraction", "mrr.churn")
_LOSSES = ("mrr.contraction", "mrr.churn")
_OUTCOMES = ("started", "succeeded", "failed", "success_rate")
_METRICS = ("payments.received", "payments.refunded", "revenue", "money.held", "mrr", *_MOVES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A figure with a link to the list behind it; one without amounts and text is zero, and folds away.

    Attributes:
        answer: that the figure is of; it may be missing.
        amounts: one for each currency.
        text: of a figure that is no amount.
        note: says what is counted.
    """

    title: str
    href: str
    answer: Answer
    amounts: tuple[Amount, ...] = ()
    text: str = ""
    note: str = ""

    @property
    def is_zero(self) -> bool:
        return self.answer.ok and not self.amounts and not self.text


def _amounts(parts: Sequence[tuple[str, str]]) -> tuple[Amount, ...]:
    """Add up decimal strings by currency, and leave out those that come to nothing."""
    sums: dict[str, Decimal] = {}
    for value, currency in parts:
        sums[currency] = sums.get(currency, Decimal(0)) + Decimal(value)
    found = (amount(f"{value:f}", currency) for currency, value in sums.items() if value)
    return tuple(each for each in found if each is not None)


def money(answers: Mapping[str, Answer], base: str) -> tuple[Card, ...]:
    """Return the cards of money: what came in, what is owed, and what is held."""
    figures, escrows, sheet = answers["figures"], answers["escrows"], answers["sheet"]
    days = _("In %(days)s days", days=DAYS)

    def metric(name: str) -> tuple[Amount, ...]:
        found = figures.body["totals"] if figures.ok else ()
        return _amounts(
            [(each["value"], each["currency"]) for each in found if each["metric"] == name and each["value"]]
        )

    held = [each for each in (escrows.body["by_status"] if escrows.ok else ()) if each["status"] in _HOLDING]
    lines = [
        (each["amount"], of["currency"])
        for of in (sheet.body["currencies"] if sheet.ok else ())
        for each in of["assets"]["lines"]
        if each["line"] in _OWED
    ]
    flows = (
        (_("Payments received"), "payments", "payments.received"),
        (_("Refunded"), "payments?status=refunded", "payments.refunded"),
        (_("Revenue"), "analytics", "revenue"),
    )
    return (
        *(
            Card(title=title, href=f"{base}/{path}", answer=figures, amounts=metric(name), note=days)
            for title, path, name in flows
        ),
        Card(
            title=_("Owed by customers"),
            href=f"{base}/invoices?status=open",
            answer=sheet,
            amounts=_amounts(lines),
            note=_("Debts and open invoices"),
        ),
        Card(
            title=_("Held for customers and creators"),
            href=f"{base}/books",
            answer=figures,
            amounts=metric("money.held"),
            note=_("The platform owes it to them"),
        ),
        Card(
            title=_("Held in escrow"),
            href=f"{base}/escrows",
            answer=escrows,
            amounts=_amounts([(each["amount"], each["currency"]) for each in held]),
            note=_("At least: not all escrows were counted") if any(each["capped"] for each in held) else "",
        ),
        Card(title=_("Monthly recurring revenue"), href=f"{base}/analytics", answer=figures, amounts=metric("mrr")),
    )


def waiting(answers: Mapping[str, Answer], base: str) -> tuple[Card, ...]:
    """Return the cards of what is stuck, unmatched, or waits for a decision."""

    def counted(title: str, path: str, answer: Answer, number: int, *, more: bool) -> Card:
        least = _("%(number)s or more", number=number) if number else _("Unknown")
        return Card(title=title, href=f"{base}/{path}", answer=answer, text=least if more else str(number or ""))

    def listed(title: str, path: str, name: str, kind: str = "") -> Card:
        answer = answers[name]
        rows, more = (answer.body["data"], answer.body["next_cursor"]) if answer.ok else ((), None)
        rows = [each for each in rows if not kind or each["kind"] == kind]
        return counted(title, path, answer, len(rows), more=more is not None)

    def of_status(title: str, path: str, name: str, status: str) -> Card:
        answer = answers[name]
        parts = [each for each in (answer.body["by_status"] if answer.ok else ()) if each["status"] == status]
        number = sum(each["count"] for each in parts)
        return counted(title, f"{path}?status={status}", answer, number, more=any(each["capped"] for each in parts))

    return (
        listed(_("Open alerts"), "alerts?status=firing", "tasks", "alert"),
        of_status(_("Payments with unknown outcome"), "payments", "payments", PaymentStatus.UNKNOWN),
        listed(_("Open discrepancies"), "reconciliation", "tasks", "difference"),
        listed(_("Approvals to decide"), "approvals", "approvals"),
        of_status(_("Disputed escrows"), "escrows", "escrows", EscrowStatus.DISPUTED),
        listed(_("Chargebacks that need evidence"), "disputes?status=needs_response", "tasks", "evidence_due"),
        *_inbox(answers["ready"], base),
    )


def _inbox(ready: Answer, base: str) -> tuple[Card, ...]:
    """Return the card of the oldest webhook that is not processed; none where readiness is on a private port."""
    if ready.status == 404:
        return ()
    seconds = ready.body["inbox_oldest_seconds"] if ready.ok else 0
    text = _("Unknown") if seconds is None else ""
    if seconds:
        text = relative((reader().now - timedelta(seconds=seconds)).isoformat())
    href = f"{base}/webhooks?unhandled=true"
    return (Card(title=_("Oldest unprocessed webhook"), href=href, answer=ready, text=text),)


def movements(figures: Answer) -> list[dict[str, str]]:
    """Return recurring revenue by currency: before the period, its movements, and now, which is their sum."""
    found: dict[str, dict[str, str]] = {}
    for each in figures.body["totals"] if figures.ok else ():
        if each["metric"] in {"mrr", *_MOVES}:
            line = found.setdefault(each["currency"], {"currency": each["currency"]})
            value = Decimal(each["value"] or 0)
            line[each["metric"].removeprefix("mrr.")] = f"{0 - value if each['metric'] in _LOSSES else value:f}"
            if each["metric"] == "mrr":
                line["before"] = each["before"] or "0"
    names = ("before", "mrr", *(name.removeprefix("mrr.") for name in _MOVES))
    lines = [{**dict.fromkeys(names, "0"), **line} for line in found.values()]
    return [line for line in lines if any(Decimal(line[name]) for name in names)]


def outcomes(answer: Answer) -> list[dict[str, str | None]]:
    """Return how the payments of each provider went; the success rate is rounded, and None where none has ended."""
    lines: list[dict[str, str | None]] = []
    for row in answer.body["rows"] if answer.ok else ():
        values = {each["metric"].removeprefix("payments."): each["value"] for each in row["values"]}
        rate = values["success_rate"]
        lines.append({**values, **row["group"], "success_rate": rate and f"{round(Decimal(rate), 3):f}"})
    return lines


def parts(ready: Answer) -> tuple[tuple[str, Status], ...]:
    """Return the parts of the installation, and whether each responds."""
    said = ready.body if ready.ok else {}
    good = Status(word=_("Healthy"), tone=Tone.GOOD, icon="check", sentence=_("It responds."))
    return tuple(
        (name, good if said[part] == "ok" else replace(good, word=said[part].capitalize(), tone=Tone.BAD, icon="cross"))
        for part, name in (("postgresql", "PostgreSQL"), ("temporal", "Temporal"))
        if part in said
    )


async def show(visit: Visit) -> Response:
    today = reader().now.date()
    first = today - timedelta(days=DAYS - 1)
    days = {"from": first.isoformat(), "to": today.isoformat()}
    by_provider = {"metrics": [f"payments.{name}" for name in _OUTCOMES], "by": ["provider"], **days}
    answers = await visit.ask_all(
        figures=("/analytics/query", Question({"metrics": list(_METRICS), "compare": "previous", **days})),
        providers=("/analytics/query", Question(by_provider)),
        sheet=("/accounting/balance-sheet", {}),
        escrows=("/escrows/summary", {}),
        payments=("/payments/summary", {}),
        tasks=("/tasks", {"kind": "alert,difference,evidence_due", "limit": 200}),
        approvals=("/approvals", {"status": "requested", "limit": 100}),
        ready=("/readyz", {}),
    )
    for name, answer in answers.items():
        # It answers 503 where a part is down, and 404 where it is on a private port.
        if name != "ready":
            answered(answer)
    given = {
        "money_cards": money(answers, visit.base),
        "waiting": waiting(answers, visit.base),
        "movements": movements(answers["figures"]),
        "outcomes": outcomes(answers["providers"]),
        "payments": answers["providers"],
        "ready": answers["ready"],
        "parts": parts(answers["ready"]),
        "providers": {name: gettext(words) for name, words in PROVIDERS.items()},
        "warnings": console_of(visit.request).settings.price_warnings,
        "days": DAYS,
        "base": visit.base,
    }
    return await visit.show("platform/overview/page.html", Page(title=_("Overview")), given)


ROUTES = (operators("", show),)
