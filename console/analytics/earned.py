"""What the page of an organization's earnings shows: over time, by agent, payouts, and when the next one is."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from console.analytics import figures
from console.analytics.figures import Chosen
from console.analytics.view import Figure, Value, agent_name, measured, tabs
from console.charts import Chart, Ranking, Unit
from console.format import amount, currency_name, day, joined, money
from console.gateway import Answer
from console.mentions import Naming
from console.sections import unanswered
from console.widgets import Failed, Page, Tab


@dataclass(frozen=True, slots=True, kw_only=True)
class Earned:
    """What was earned in one currency: over time, and by agent."""

    title: str
    chart: Chart | None
    by_agent: Ranking | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EarningsOverTime(Page):
    """The page. `…_failed` is shown in place of a section that could not be read; `next` is about the next payout."""

    tabs: tuple[Tab, ...]
    chosen: Chosen
    figures: tuple[Figure, ...]
    next: str
    earnings: str
    earned: tuple[Earned, ...]
    earnings_failed: Failed | None
    payouts: tuple[Chart, ...]
    payouts_failed: Failed | None


def mentioning(answers: Mapping[str, Answer]) -> Iterator[Mapping[str, Any]]:
    if answers["earnings"].ok:
        yield from (row["group"] for row in answers["earnings"].body["rows"])


def page(of: Chosen, answers: Mapping[str, Answer], naming: Naming, base: str) -> EarningsOverTime:
    """Return the page for the answers `earnings`, `groups` of them, `payouts`, `preview`, and perhaps `schedule`."""
    prefs, groups = naming.prefs, answers["groups"]
    earnings, payouts, preview = answers["earnings"], answers["payouts"], answers["preview"]
    ready = [each for each in (preview.body["payable"] if preview.ok else ()) if each["available"].strip("0.")]
    payable = tuple(Value(amount=amount(each["available"], each["currency"], prefs)) for each in ready)
    shown = (
        measured(of, f"Earned in {of.words}", earnings, "earnings", prefs),
        measured(of, f"Paid out in {of.words}", payouts, "payouts.paid", prefs),
        Figure(label="Can be paid out now", values=payable or (Value(text="None"),)),
    )
    return EarningsOverTime(
        title="Analytics",
        tabs=tabs(base, "/analytics/earnings"),
        chosen=of,
        figures=shown,
        next=_next(answers.get("schedule"), preview, naming),
        earnings=f"{base}/earnings",
        earned=tuple(_earned(of, earnings, groups, code, naming) for code in _codes(groups, "earnings") if earnings.ok),
        earnings_failed=unanswered("Earnings", earnings, of.path) or unanswered("Earnings", groups, of.path),
        payouts=tuple(
            chart
            for code in _codes(payouts, "payouts.paid")
            if (chart := _paid(of, payouts, code, Unit(code, prefs))) is not None
        ),
        payouts_failed=unanswered("Payouts", payouts, of.path),
    )


def _codes(answer: Answer, metric: str) -> list[str]:
    return [code for code, each in figures.totals(answer, metric).items() if code is not None and each.value]


def _earned(of: Chosen, answer: Answer, groups: Answer, code: str, naming: Naming) -> Earned:
    unit, name = Unit(code, naming.prefs), agent_name(naming)
    lines = figures.series(of, answer, "earnings", code, "agent")
    title = f"Earnings in {currency_name(code)}"
    return Earned(
        title=title,
        chart=figures.bars(of, title, lines, name, unit),
        by_agent=figures.ranked("By agent", figures.grouped(groups, "earnings", code, "agent"), name, unit),
    )


def _paid(of: Chosen, answer: Answer, code: str, unit: Unit) -> Chart | None:
    title = f"Payouts in {currency_name(code)}"
    return figures.bars(of, title, figures.series(of, answer, "payouts.paid", code), lambda _: title, unit)


def _next(schedule: Answer | None, preview: Answer, naming: Naming) -> str:
    said = list[str]()
    if schedule is not None and schedule.ok:
        on = schedule.body["next_on"]
        said.append(
            f"The next payout is on {day(on, naming.prefs)}."
            if on
            else "Payouts are manual: no automatic payout is set."
        )
    waits = [each for each in (preview.body["payable"] if preview.ok else ()) if each["pending"].strip("0.")]
    if waits:
        amounts = joined([money(each["pending"], each["currency"], naming.prefs) for each in waits])
        said.append(f"{amounts} can be paid out after the holding period.")
    return " ".join(said)
