"""What the page of an agent's standing shows. Scores are 0 to 10, with between what they lie nine times out of ten."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from console.charts import Chart, Meter, Series, Unit, line, meter
from console.format import (
    MINUS,
    Amount,
    Ident,
    Moment,
    Prefs,
    amount,
    digits_of,
    ident,
    moment,
    number,
    short_day,
    titled,
)
from console.gateway import Answer
from console.sections import unanswered
from console.status import Status, Tone
from console.widgets import Failed, Link, Page
from domain.reputation.facts import SENTENCES

#: The words for what is scored.
DIMENSIONS = {
    "task_success": "Work accepted",
    "response_time": "Answers in time",
    "reliability": "Reliability",
    "collaboration": "Collaboration",
    "quality": "Quality",
}
_TRENDS = {
    "rising": Status(word="Rising", tone=Tone.GOOD, icon="check", sentence="The score rose in the last 30 days."),
    "steady": Status(word="Steady", tone=Tone.IDLE, icon="dash", sentence="The score did not change in 30 days."),
    "falling": Status(word="Falling", tone=Tone.WARN, icon="warn", sentence="The score fell in the last 30 days."),
}
_BEST = Decimal(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dimension:
    label: str
    score: str
    between: str
    evidence: int
    peers: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """One of the latest events that moved the overall score most; `by` has its sign, and `fell` says which."""

    what: str
    at: Moment
    by: str
    fell: bool
    id: Ident


@dataclass(frozen=True, slots=True, kw_only=True)
class Feedback:
    """Feedback on a settled job; the comment is the client's text."""

    ratings: str
    comment: str
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceLine:
    rule: str
    reason: str
    times: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What one unit costs today: the listed price, each rule, and what is asked."""

    base: Amount
    adjusted: Amount
    lines: tuple[PriceLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reputation(Page):
    stars: str
    score: str
    between: str
    certain: bool
    evidence: int
    trend: Status
    changed: str
    moved: tuple[Moved, ...]
    bars: tuple[Meter, ...]
    dimensions: tuple[Dimension, ...]
    peers: str
    peers_failed: Failed | None
    history: Chart | None
    by_dimension: Chart | None
    history_failed: Failed | None
    feedback: tuple[Feedback, ...]
    feedback_failed: Failed | None
    price: Price | None


def page(answers: Mapping[str, Answer], prefs: Prefs, listed: str) -> Reputation:
    agent, score = answers["agent"].need(), answers["score"].need()
    peers, history, feedback = answers["peers"], answers["history"], answers["feedback"]
    here = f"{listed}/{agent['id']}"
    again = f"{here}/reputation"
    places: Mapping[str, Any] = peers.body if peers.ok else {"peers": 0, "percentile": None, "dimensions": {}}
    price = answers.get("price")
    return Reputation(
        title="Reputation",
        crumbs=(Link(label="Your agents", href=listed), Link(label=agent["name"], href=here)),
        stars=rating(score["stars"], prefs),
        score=points(score["overall_score"], prefs),
        between=_between(score, prefs),
        certain=score["is_certain"],
        evidence=score["evidence_count"],
        trend=_TRENDS[score["trend"]],
        changed=signed(score["change"], prefs),
        moved=tuple(_moved(each, prefs) for each in score["moved_most"]),
        bars=bars_of(score["dimensions"], prefs),
        dimensions=tuple(
            Dimension(
                label=label,
                score=points(score["dimensions"][name]["score"], prefs),
                between=_between(score["dimensions"][name], prefs),
                evidence=score["dimensions"][name]["evidence_count"],
                peers=_place(places["dimensions"].get(name)),
            )
            for name, label in DIMENSIONS.items()
            if name in score["dimensions"]
        ),
        peers=_peers(places),
        peers_failed=unanswered("Peers", peers, again),
        history=chart(history.body["data"], prefs) if history.ok and history.body["data"] else None,
        by_dimension=by_dimension(history.body["data"], prefs) if history.ok and history.body["data"] else None,
        history_failed=unanswered("Trend", history, again),
        feedback=tuple(feedback_of(each, prefs) for each in (feedback.body["data"] if feedback.ok else ())),
        feedback_failed=unanswered("Feedback", feedback, again),
        price=_price(price.body, agent["pricing"]["currency"], prefs) if price is not None and price.ok else None,
    )


def exact(value: float) -> Decimal:
    return Decimal(str(value))


def points(value: float, prefs: Prefs) -> str:
    """Write a score with its two decimals, so that those below each other compare."""
    return digits_of(exact(value).quantize(Decimal("0.01")), prefs, least=2)


def rating(value: float, prefs: Prefs) -> str:
    return digits_of(exact(value).quantize(Decimal("0.1")), prefs, least=1)


def signed(change: float, prefs: Prefs) -> str:
    value = exact(change)
    mark = MINUS if value < 0 else "+" if value > 0 else ""
    return mark + number(f"{value.copy_abs():f}", prefs)


def meter_of(label: str, score: Mapping[str, Any], prefs: Prefs) -> Meter:
    """Return the bar of a score; a full one is good, which a full limit is not."""
    drawn = meter(label, exact(score["score"]), _BEST, f"{points(score['score'], prefs)} of 10")
    return Meter(label=drawn.label, text=drawn.text, width=drawn.width, tone="c1")


def bars_of(dimensions: Mapping[str, Any], prefs: Prefs) -> tuple[Meter, ...]:
    return tuple(meter_of(label, dimensions[name], prefs) for name, label in DIMENSIONS.items() if name in dimensions)


def by_dimension(nights: Sequence[Mapping[str, Any]], prefs: Prefs) -> Chart:
    rows = sorted(nights, key=lambda each: str(each["day"]))
    series = tuple(
        Series(label=label, values=tuple(exact(each["dimensions"][name]) for each in rows))
        for name, label in DIMENSIONS.items()
    )
    days = [short_day(each["day"], prefs) for each in rows]
    drawn = line("Scores by dimension and day", days, series, Unit(prefs=prefs))
    # A sentence for each of five lines would hide the picture; the table below it has every value.
    return replace(drawn, sentence=f"Scores of 0 to 10 by dimension, from {days[0]} to {days[-1]}.")


def chart(nights: Sequence[Mapping[str, Any]], prefs: Prefs) -> Chart:
    """Draw the score by day, oldest first, with between what it lies."""
    rows = sorted(nights, key=lambda each: str(each["day"]))
    series = Series(
        label="Score",
        values=tuple(exact(each["score"]) for each in rows),
        low=tuple(exact(each["low"]) for each in rows),
        high=tuple(exact(each["high"]) for each in rows),
    )
    return line("Score by day", [short_day(each["day"], prefs) for each in rows], (series,), Unit(prefs=prefs))


def _moved(move: Mapping[str, Any], prefs: Prefs) -> Moved:
    return Moved(
        what=SENTENCES.get(move["kind"], titled(move["kind"])),
        at=moment(move["at"], prefs),
        by=signed(move["score_delta"], prefs),
        fell=move["score_delta"] < 0,
        id=ident(move["event_id"]),
    )


def _between(score: Mapping[str, Any], prefs: Prefs) -> str:
    return f"{points(score['low'], prefs)} to {points(score['high'], prefs)}"


def _place(percentile: int | None) -> str:
    return "Unknown" if percentile is None else f"Better than {percentile} %"


def _peers(places: Mapping[str, Any]) -> str:
    if places["percentile"] is None:
        return "Not enough evidence to compare this agent with others."
    return f"Better than {places['percentile']} % of {places['peers']} others, which are anonymous."


def feedback_of(entry: Mapping[str, Any], prefs: Prefs) -> Feedback:
    ratings = (f"{DIMENSIONS.get(name, name)} {given}" for name, given in entry["ratings"].items())
    return Feedback(
        ratings=", ".join(ratings),
        comment=entry["comment"] or "",
        at=moment(entry["changed_at"] or entry["created_at"], prefs),
    )


def _price(body: Mapping[str, Any], currency: str | None, prefs: Prefs) -> Price | None:
    if currency is None:
        return None
    return Price(
        base=amount(body["base_price"], currency, prefs),
        adjusted=amount(body["adjusted_price"], currency, prefs),
        lines=tuple(
            PriceLine(
                rule=each["rule"], reason=each["description"], times=number(f"{exact(each['multiplier']):f}", prefs)
            )
            for each in body["adjustments"]
        ),
    )
