"""Reputation across all agents, and one agent's evidence, of which operators void what should not count."""

from dataclasses import replace
from decimal import Decimal

from starlette.responses import Response

from console.charts import Chart, Series, Unit, stacked
from console.filters import rounded
from console.format import MINUS, number
from console.forms import FormState, at_fields, blank, read_form
from console.gateway import Answer, Query
from console.mentions import Sentence
from console.noun import Json
from console.noun_page import FormPage, ObjectPage
from console.platform.desk import operators
from console.problems import Reaction, answered, reaction_to
from console.reader import reader
from console.reputation.scores import DIMENSIONS
from console.routing import COMMAND, platform
from console.texts import _, gettext
from console.visit import Visit
from console.widgets import Link
from domain.common.access import Permission

#: So many agents, and so many sudden changes, the page shows.
_LEADERS, _ALERTS = 50, 10
_CHOICES = ("dimension", "category", "period", "minimum_evidence")
#: The kind of the alerts of scores that changed much in a night.
_ANOMALY = "reputation_anomaly"


def _place(visit: Visit) -> str:
    return f"{visit.base}/reputation"


def _crumbs(visit: Visit) -> tuple[Link, ...]:
    return (Link(label=_("Reputation"), href=_place(visit)),)


def exact(value: float) -> str:
    return number(f"{Decimal(str(value)).copy_abs():f}", reader().prefs)


def signed(value: float) -> str:
    return (MINUS if value < 0 else "+" if value > 0 else "") + exact(value)


def spread_of(found: Json) -> Chart:
    """Draw how many agents have which score."""
    labels = [rounded(each["from"]) for each in found["data"]]
    series = Series(label=_("Agents"), values=tuple(Decimal(each["agents"]) for each in found["data"]))
    unit = Unit(prefs=reader().prefs)
    return stacked(_("Agents by rank"), labels, (series,), unit, head=_("From a rank of"), whole=True)


async def show(visit: Visit) -> Response:
    chosen = visit.chosen(*_CHOICES)
    among: Query = {name: chosen[name] for name in ("dimension", "category") if name in chosen}
    answers = await visit.ask_all(
        leaders=("/reputation/leaderboard", {**chosen, "limit": _LEADERS}),
        spread=("/reputation/distribution", among),
        alerts=("/alerts", {"kind": _ANOMALY, "limit": _ALERTS}),
        levels=("/reputation/levels", {}),
    )
    form = FormState(key="", values=chosen)
    for name in ("leaders", "spread"):
        problem = answers[name].problem
        if problem is not None and reaction_to(problem) is Reaction.FIELDS:
            errors, summary = at_fields(problem, _CHOICES, {})
            form = FormState(key="", values=chosen, errors=errors, summary=summary)
            answers[name] = Answer(status=200, request_id=answers[name].request_id, body={"data": [], "agents": 0})
    for answer in answers.values():
        answered(answer)
    naming, spread = await visit.naming(()), answers["spread"]

    def detail(alert: Json) -> Sentence:
        return replace(naming, names=alert["names"])(alert["detail"], alert["organization_id"])

    page = FormPage(title=_("Reputation"), action=_place(visit), form=form)
    given = {
        **answers,
        "dimensions": (("", _("Overall")), *((name, gettext(words)) for name, words in DIMENSIONS.items())),
        "chart": spread_of(spread.body) if spread.ok and spread.body["agents"] else None,
        "detail": detail,
        "share": lambda bps: number(f"{Decimal(bps) / 100:f}", reader().prefs),
        "alerts_href": f"{visit.base}/alerts?kind={_ANOMALY}",
    }
    return await visit.show("platform/reputation/list.html", page, given, 422 if form.summary else 200)


def _name(agent: Answer) -> str:
    return str(agent.body["name"]) if agent.ok else _("an agent")


async def show_one(visit: Visit) -> Response:
    """Show why an agent has its score: every event, the newest first."""
    agent_id = visit.path("id")
    answers = await visit.ask_all(
        it=(f"/reputation/score/{agent_id}/explanation", visit.chosen("cursor")), agent=(f"/agents/{agent_id}", {})
    )
    page = ObjectPage(
        title=_("Evidence of %(agent)s", agent=_name(answers["agent"])),
        crumbs=_crumbs(visit),
        here=f"{_place(visit)}/{agent_id}",
        form=blank(),
    )
    it = answers["it"].need()
    naming = await visit.naming(it["events"], "sentence")
    given = {"it": it, "naming": naming, "signed": signed, "exact": exact}
    return await visit.show("platform/reputation/page.html", page, given)


async def ask_to_void(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.OPERATE)
    it = (await visit.ask(f"/reputation/events/{visit.path('id')}")).need()
    agent = await visit.ask(f"/agents/{it['agent_id']}")
    page = FormPage(
        title=_("Void this event?"),
        crumbs=(*_crumbs(visit), Link(label=_("Evidence"), href=f"{_place(visit)}/{it['agent_id']}")),
        action=f"{_place(visit)}/events/{it['id']}/void",
        form=form or blank(),
    )
    given = {"it": it, "agent": _name(agent), "naming": await visit.naming([it], "sentence")}
    return await visit.show("platform/reputation/void.html", page, given, status)


async def void(visit: Visit) -> Response:
    """Void an event: scores are computed without it."""
    form = await read_form(visit.request, "reason")
    path = f"/reputation/events/{visit.path('id')}/void"
    answer = await visit.command("POST", path, {"reason": form.text("reason")}, form.key)
    if answer.ok:
        return visit.done(f"{_place(visit)}/{answer.body['agent_id']}", "evidence.voided", answer)
    return await visit.refused(form, answer, ask_to_void)


ROUTES = (
    operators("/reputation", show),
    operators("/reputation/{id}", show_one),
    operators("/reputation/events/{id}/void", ask_to_void),
    platform("/reputation/events/{id}/void", void, COMMAND),
)
