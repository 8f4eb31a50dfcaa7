"""Cases of suspected fraud: the queue, one case with its links and timeline, and what operators do about it."""

from collections.abc import Mapping
from typing import Any

from console.charts.links import DRAWN, drawn, nodes_of
from console.filters import moment
from console.forms import Form, FormState, whole
from console.gateway import Answer
from console.lists import ListResult
from console.noun import Json, Noun
from console.noun_page import pick, select, text
from console.platform.desk import risk_desk
from console.risk.words import any_of, word
from console.runs import run_of
from console.status import Tone
from console.texts import N_, _, gettext
from console.visit import Visit
from console.who import actor_named
from console.widgets import Step
from domain.common.access import Permission

CASES = Noun(
    "/risk/cases",
    title=N_("Cases"),
    folder="risk/case",
    name=lambda it: word("kind", it["kind"]),
    change=Permission.RISK_DECIDE,
    site=risk_desk,
)
#: Titles of events, with tone and icon.
_EVENTS: Mapping[str, tuple[str, Tone, str]] = {
    "opened": (N_("Opened"), Tone.WARN, "warn"),
    "assigned": (N_("Assigned"), Tone.BUSY, "user"),
    "noted": (N_("Note"), Tone.IDLE, "info"),
    "information_requested": (N_("Question to the organization"), Tone.BUSY, "clock"),
    "answered": (N_("Answer"), Tone.GOOD, "check"),
    "unanswered": (N_("No answer in time"), Tone.WARN, "clock"),
    "overdue": (N_("Overdue: operators were alerted"), Tone.BAD, "warn"),
    "decided": (N_("Decided"), Tone.GOOD, "check"),
    "appealed": (N_("Appeal"), Tone.WARN, "undo"),
    "closed": (N_("Closed"), Tone.IDLE, "dash"),
}
_TEXTS = ("note", "question", "answer", "appeal", "reason", "operator")
_RESULTS = (
    ("release", N_("Release"), N_("Legitimate. Holds end, and waiting actions can be repeated.")),
    ("refuse", N_("Refuse"), N_("Fraud. Waiting actions are refused. The organization can appeal once.")),
)


def steps_of(file: Json) -> tuple[Step, ...]:
    """Return the timeline of a case."""
    return tuple(
        Step(
            title=_titled(event, *_EVENTS[event["kind"]][:1]),
            at=moment(event["at"]),
            tone=_EVENTS[event["kind"]][1],
            icon=_EVENTS[event["kind"]][2],
            detail="\n".join(str(event["details"][name]) for name in _TEXTS if event["details"].get(name)),
            who="" if event["actor"] == "timer" else actor_named(event["actor"]),
        )
        for event in file["timeline"]
        if event["kind"] in _EVENTS
    )


def _titled(event: Json, title: str) -> str:
    result = event["details"].get("result") if event["kind"] == "decided" else None
    words = {value: gettext(label) for value, label, _hint in _RESULTS}
    return f"{gettext(title)}: {words.get(result, result)}" if result else gettext(title)


async def of_list(visit: Visit, found: ListResult) -> dict[str, Any]:
    return {"word": word, "naming": await visit.naming(found.rows, "organization_ids")}


async def of_case(visit: Visit, it: Json, _answers: Mapping[str, Answer]) -> dict[str, Any]:
    file = it["file"]
    naming = await visit.naming((it, file, *it["decisions"]), "organization_ids", "why", "nodes", "subject", "holds")
    nodes = nodes_of(file, naming)
    return {
        "word": word,
        "naming": naming,
        "nodes": nodes,
        "drawing": drawn(nodes) if len(nodes) > 1 else "",
        "not_drawn": max(len(nodes) - DRAWN, 0),
        "steps": steps_of(file),
        "run_at": run_of(visit, f"risk-case/{it['id']}"),
        "own": visit.me.principal,
    }


async def to_decide(visit: Visit, _form: FormState, it: Json) -> dict[str, Any]:
    naming = await visit.naming((it["file"],), "nodes")
    nodes = nodes_of(it["file"], naming)
    return {
        "results": tuple((value, gettext(label), gettext(hint)) for value, label, hint in _RESULTS),
        "entities": tuple((each.id, each.name, _("affected") if each.is_affected else "") for each in nodes),
    }


def decision(form: Form) -> Json:
    """Return a decision: what is chosen is allowed after a release, and blocked after a refusal."""
    result = form.text("result")
    listed = "allow" if result == "release" else "block"
    entries = [{"entity": each, "list": listed, "days": whole(form.text("days"))} for each in form.all("entities")]
    return {"result": result, "reason": form.text("reason"), "entries": entries}


CASES.list(
    select("status", N_("Status"), "risk_case"),
    select("kind", N_("Kind"), any_of("kind")),
    text("assigned_to", N_("Assigned to")),
    pick("organization_id", N_("Organization")),
    days=True,
    values=of_list,
    create="",
)
CASES.page(values=of_case)
CASES.command("assign", "risk.assigned", "operator")
CASES.command("note", "risk.noted", "note")
CASES.command("request-information", "risk.asked", "question")
CASES.form(
    "decide",
    "risk.decided",
    "result",
    "reason",
    "days",
    many=("entities",),
    title=N_("Decide the case"),
    label=N_("Decide"),
    lead=N_("The organization sees the result and the class of reason, and nothing else."),
    body=decision,
    initial=lambda _it: {"days": "30"},
    values=to_decide,
    names={"entries": "days"},
    method="POST",
    path="/decide",
)
ROUTES = CASES.routes
