"""Reputation across all agents, and one agent's evidence, of which operators void what should not count."""

from starlette.responses import Response

from console.forms import FormState, at_fields, blank, read_form
from console.gateway import Answer, Query
from console.platform.desk import operators
from console.platform.reputation import view
from console.platform.reputation.view import ANOMALY, CHOICES, PLACE
from console.problems import Reaction, reaction_to
from console.routing import COMMAND, platform
from console.visit import Visit
from domain.common.access import Permission

#: So many agents, and so many sudden changes, the page shows.
_LEADERS, _ALERTS = 50, 10


async def show(visit: Visit) -> Response:
    chosen = visit.chosen(*CHOICES)
    among: Query = {name: chosen[name] for name in ("dimension", "category") if name in chosen}
    answers = await visit.ask_all(
        leaders=("/reputation/leaderboard", {**chosen, "limit": _LEADERS}),
        spread=("/reputation/distribution", among),
        alerts=("/alerts", {"kind": ANOMALY, "limit": _ALERTS}),
        levels=("/reputation/levels", {}),
    )
    form = FormState(key="", values=chosen)
    for name in ("leaders", "spread"):
        problem = answers[name].problem
        if problem is not None and reaction_to(problem) is Reaction.FIELDS:
            errors, summary = at_fields(problem, CHOICES, {})
            form = FormState(key="", values=chosen, errors=errors, summary=summary)
            answers[name] = Answer(status=200, request_id=answers[name].request_id, body={"data": [], "agents": 0})
    page = view.page(answers, form, await visit.naming(()))
    return await visit.render("platform/reputation/list.html", page, 422 if form.summary else 200)


def _name(agent: Answer) -> str:
    return agent.body["name"] if agent.ok else "an agent"


async def show_one(visit: Visit) -> Response:
    """Show why an agent has its score: every event, the newest first."""
    agent_id = visit.path("id")
    answers = await visit.ask_all(
        explanation=(f"/reputation/score/{agent_id}/explanation", visit.chosen("cursor")),
        agent=(f"/agents/{agent_id}", {}),
    )
    body, agent = answers["explanation"].need(), answers["agent"]
    may_void = visit.may(Permission.OPERATE)
    page = view.evidence(agent_id, _name(agent), body, visit.choices.prefs, visit.link, may_void=may_void)
    return await visit.render("platform/reputation/page.html", page)


async def ask_to_void(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.OPERATE)
    body = (await visit.ask(f"/reputation/events/{visit.path('id')}")).need()
    agent = await visit.ask(f"/agents/{body['agent_id']}")
    page = view.voiding(body, _name(agent), form or blank(), visit.choices.prefs, visit.link)
    return await visit.render("platform/reputation/void.html", page, status)


async def void(visit: Visit) -> Response:
    """Void an event: the scores are as if it had not been."""
    form = await read_form(visit.request, "reason")
    path = f"/reputation/events/{visit.path('id')}/void"
    answer = await visit.command("POST", path, {"reason": form.text("reason")}, form.key)
    if answer.ok:
        return visit.done(f"{PLACE}/{answer.body['agent_id']}", "evidence.voided", answer)
    return await visit.refused(form, answer, ask_to_void)


ROUTES = (
    operators("/reputation", show),
    operators("/reputation/{id}", show_one),
    operators("/reputation/events/{id}/void", ask_to_void),
    platform("/reputation/events/{id}/void", void, COMMAND),
)
