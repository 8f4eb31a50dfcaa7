"""What the pages of reputation show to those who operate the platform."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.charts import Chart, Series, Unit, stacked
from console.format import Ident, Moment, Prefs, amount, count, ident, moment, number
from console.forms import FormState
from console.gateway import Answer
from console.mentions import Linked, Naming, Sentence, sentence
from console.reputation.scores import DIMENSIONS, exact, points
from console.sections import unanswered
from console.status import Status, status_of
from console.waiting import Alert, alert as alert_of
from console.widgets import Failed, FormPage, Link, Page

PLACE = "/console/platform/reputation"
#: The kind of the alerts of scores that changed much in a night.
ANOMALY = "reputation_anomaly"
CHOICES = ("dimension", "category", "period", "minimum_evidence")
PERIODS = (("", "Any time"), ("7d", "7 days"), ("30d", "30 days"), ("90d", "90 days"))
EVIDENCE = (("", "1 or more"), ("5", "5 or more"), ("20", "20 or more"), ("100", "100 or more"))
CRUMBS = (Link(label="Reputation", href=PLACE),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    rank: str
    href: str
    name: str
    score: str
    rank_score: str
    evidence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    name: str
    from_score: str
    evidence: str
    commission: str
    largest: tuple[str, ...]
    unsettled: tuple[str, ...]
    held_back: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing(FormPage):
    path: str
    dimensions: tuple[tuple[str, str], ...]
    periods: tuple[tuple[str, str], ...]
    evidence: tuple[tuple[str, str], ...]
    spread: Chart | None
    spread_failed: Failed | None
    places: tuple[Place, ...]
    places_failed: Failed | None
    anomalies: tuple[Alert, ...]
    anomalies_failed: Failed | None
    anomalies_href: str
    levels: tuple[Level, ...]
    levels_failed: Failed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that counted for an agent, or did not. `void` is empty if it is void, or the reader may not."""

    id: Ident
    at: Moment
    sentence: Sentence
    moved: str
    weight: str
    status: Status
    void: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence(Page):
    agent: Ident
    score: str
    rules: tuple[str, ...]
    events: tuple[Event, ...]
    next: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Voiding(FormPage):
    back: str
    agent: str
    sentence: Sentence


def page(answers: Mapping[str, Answer], form: FormState, naming: Naming) -> Standing:
    """Return the page for `leaders`, `spread`, `alerts` and `levels`."""
    prefs = naming.prefs
    leaders, spread, alerts, levels = (answers[name] for name in ("leaders", "spread", "alerts", "levels"))
    return Standing(
        title="Reputation",
        path=PLACE,
        form=form,
        dimensions=(("", "Overall"), *DIMENSIONS.items()),
        periods=PERIODS,
        evidence=EVIDENCE,
        spread=_spread(spread.body, prefs) if spread.ok and spread.body["agents"] else None,
        spread_failed=unanswered("Score distribution", spread, PLACE),
        places=tuple(
            Place(
                rank=count(each["rank"], prefs),
                href=f"{PLACE}/{each['agent_id']}",
                name=each["name"],
                score=points(each["score"], prefs),
                rank_score=points(each["rank_score"], prefs),
                evidence=count(each["evidence_count"], prefs),
            )
            for each in (leaders.body["data"] if leaders.ok else ())
        ),
        places_failed=None if form.errors else unanswered("Leaderboard", leaders, PLACE),
        anomalies=tuple(alert_of(each, naming) for each in (alerts.body["data"] if alerts.ok else ())),
        anomalies_failed=unanswered("Sudden changes", alerts, PLACE),
        anomalies_href=f"/console/platform/alerts?kind={ANOMALY}",
        levels=tuple(_level(each, prefs) for each in (levels.body["levels"] if levels.ok else ())),
        levels_failed=unanswered("Levels", levels, PLACE),
    )


def evidence(
    agent_id: str, name: str, body: Mapping[str, Any], prefs: Prefs, href: Linked, *, may_void: bool
) -> Evidence:
    """Return the page of the evidence of an agent of that name; `href` returns the address of the page of an id."""
    here, following = f"{PLACE}/{agent_id}", body["next_cursor"]
    return Evidence(
        title=f"Evidence of {name}",
        crumbs=CRUMBS,
        agent=ident(agent_id),
        score=points(body["overall_score"], prefs),
        rules=tuple(body["rules"]),
        events=tuple(_event(each, prefs, href, may_void=may_void) for each in body["events"]),
        next=f"{here}?cursor={following}" if following else "",
    )


def voiding(body: Mapping[str, Any], name: str, form: FormState, prefs: Prefs, href: Linked) -> Voiding:
    here = f"{PLACE}/{body['agent_id']}"
    return Voiding(
        title="Void this event?",
        crumbs=(*CRUMBS, Link(label="Evidence", href=here)),
        form=form,
        action=f"{PLACE}/events/{body['id']}/void",
        back=here,
        agent=name,
        sentence=sentence(body["sentence"], {}, prefs, href),
    )


def _spread(body: Mapping[str, Any], prefs: Prefs) -> Chart:
    labels = [points(each["from"], prefs) for each in body["data"]]
    series = Series(label="Agents", values=tuple(exact(each["agents"]) for each in body["data"]))
    return stacked("Agents by rank", labels, (series,), Unit(prefs=prefs), head="From a rank of", whole=True)


def _level(body: Mapping[str, Any], prefs: Prefs) -> Level:
    bps, days = body["commission_bps"], body["hold_back_days"]
    return Level(
        name=body["name"],
        from_score=number(body["from_score"], prefs),
        evidence=count(body["least_evidence"], prefs),
        commission="Default" if bps is None else f"{number(f'{exact(bps) / 100:f}', prefs)} %",
        largest=tuple(amount(value, code, prefs).text for code, value in body["escrow_limits"].items()),
        unsettled=tuple(amount(value, code, prefs).text for code, value in body["exposure_limits"].items()),
        held_back="Default" if days is None else f"{count(days, prefs)} days",
    )


def _event(body: Mapping[str, Any], prefs: Prefs, href: Linked, *, may_void: bool) -> Event:
    word = "void" if body["voided_at"] else "excluded" if body["excluded"] else "counts"
    moved = exact(body["score_delta"])
    return Event(
        id=ident(body["id"]),
        at=moment(body["at"], prefs),
        sentence=sentence(body["sentence"], {}, prefs, href),
        moved=f"{'+' if moved > 0 else ''}{number(f'{moved:f}', prefs)}",
        weight=number(f"{exact(body['weight']):f}", prefs),
        status=status_of("evidence", word),
        void=f"{PLACE}/events/{body['id']}/void" if may_void and not body["voided_at"] else "",
    )
