"""What the page of the books shows: trial balance, profit and loss, and the files of the same period."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Prefs, amount, period
from console.forms import FormState
from console.gateway import Answer
from console.problems import Reaction, reaction_to
from console.sections import unanswered
from console.widgets import Failed, FormPage, Link, address

PLACE = "/console/platform/books"
FILTERS = ("start_date", "end_date", "currency")
FORMATS = {"csv": "CSV", "beancount": "Beancount", "quickbooks": "QuickBooks", "xero": "Xero"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the trial balance; what is zero is left out there."""

    line: str
    kind: str
    opening_debit: Amount
    opening_credit: Amount
    debits: Amount
    credits: Amount
    closing_debit: Amount
    closing_credit: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """The trial balance in one currency, with its sums; debits equal credits."""

    currency: str
    lines: tuple[Line, ...]
    total: Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    lines: tuple[tuple[str, Amount], ...]
    total: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    currency: str
    revenue: Section
    expenses: Section
    result: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Books(FormPage):
    path: str
    lead: str
    balances: tuple[Balance, ...]
    balances_failed: Failed | None
    results: tuple[Result, ...]
    results_failed: Failed | None
    files: tuple[Link, ...]


def page(given: Mapping[str, str], form: FormState, trial: Answer, profit: Answer, prefs: Prefs) -> Books:
    """Return the page.

    Args:
        given: the filters that are set.
        form: the filters, with what is wrong with them.
        trial: of the trial balance.
        profit: of profit and loss.
        prefs: how the reader reads.
    """
    body: Mapping[str, Any] = trial.body if trial.ok else {"lines": [], "totals": []}
    days = period(body["start_date"], body["end_date"], prefs) if trial.ok else ""
    query = tuple(given.items())
    return Books(
        title="Books",
        path=PLACE,
        lead=f"{days}, whole days in UTC." if days else "Whole days in UTC.",
        form=form,
        balances=tuple(_balance(each, body["lines"], prefs) for each in body["totals"]),
        balances_failed=_failed("Trial balance", trial, address(PLACE, query)),
        results=tuple(_result(each, prefs) for each in (profit.body["currencies"] if profit.ok else ())),
        results_failed=_failed("Profit and loss", profit, address(PLACE, query)),
        files=tuple(
            Link(
                label=label,
                href=address(f"{PLACE}/journal.csv", (*query, ("format", name))),
                icon="download",
                kind="quiet",
            )
            for name, label in FORMATS.items()
        ),
    )


def _balance(total: Mapping[str, Any], lines: list[Mapping[str, Any]], prefs: Prefs) -> Balance:
    code = total["currency"]
    return Balance(
        currency=code,
        lines=tuple(_line(each, each["line"], each["kind"], prefs) for each in lines if each["currency"] == code),
        total=_line(total, "All lines", "", prefs),
    )


def _line(body: Mapping[str, Any], line: str, kind: str, prefs: Prefs) -> Line:
    names = ("opening_debit", "opening_credit", "debits", "credits", "closing_debit", "closing_credit")
    parts = {name: amount(body[name], body["currency"], prefs) for name in names}
    return Line(line=line, kind=kind, **parts)


def _result(body: Mapping[str, Any], prefs: Prefs) -> Result:
    code = body["currency"]
    return Result(
        currency=code,
        revenue=_section(body["revenue"], code, prefs),
        expenses=_section(body["expenses"], code, prefs),
        result=amount(body["result"], code, prefs),
    )


def _section(body: Mapping[str, Any], code: str, prefs: Prefs) -> Section:
    return Section(
        lines=tuple((each["line"], amount(each["amount"], code, prefs)) for each in body["lines"]),
        total=amount(body["total"], code, prefs),
    )


def _failed(title: str, answer: Answer, again: str) -> Failed | None:
    if answer.problem is not None and reaction_to(answer.problem) is Reaction.FIELDS:
        return None
    return unanswered(title, answer, again)
