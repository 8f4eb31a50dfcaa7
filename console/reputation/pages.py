"""The reputation of an agent of the organization: its score, and the reasons for it."""

from starlette.responses import Response

from console.agent.pages import AGENTS
from console.forms import blank
from console.gateway import Wanted
from console.noun_page import ObjectPage
from console.problems import answered
from console.reputation import scores
from console.routing import tenant
from console.status import Status, Tone
from console.texts import N_, _
from console.visit import Visit
from domain.reputation.facts import SENTENCES

_TRENDS = {
    "rising": Status(
        word=N_("Rising"), tone=Tone.GOOD, icon="check", sentence=N_("The score rose in the last 30 days.")
    ),
    "steady": Status(
        word=N_("Steady"), tone=Tone.IDLE, icon="dash", sentence=N_("The score did not change in 30 days.")
    ),
    "falling": Status(
        word=N_("Falling"), tone=Tone.WARN, icon="warn", sentence=N_("The score fell in the last 30 days.")
    ),
}
#: Nights of the history, and entries of feedback, on the page.
_NIGHTS, _FEEDBACK = 90, 10


async def show(visit: Visit) -> Response:
    agent_id = visit.path("id")
    # With the three of the frame an operator's page has eight calls, so it has no price.
    price: dict[str, Wanted] = {} if visit.me.is_platform else {"price": (f"/payments/pricing/{agent_id}", {})}
    answers = await visit.ask_all(
        it=(f"/agents/{agent_id}", {}),
        score=(f"/reputation/score/{agent_id}", {}),
        peers=(f"/reputation/peers/{agent_id}", {}),
        history=(f"/reputation/history/{agent_id}", {"limit": _NIGHTS}),
        feedback=("/reputation/feedback", {"agent_id": agent_id, "limit": _FEEDBACK}),
        **price,
    )
    it, score, priced = visit.owned(answers["it"].need()), answers["score"].need(), answers.get("price")
    sections = {name: answers[name] for name in ("peers", "history", "feedback")}
    for each in sections.values():
        answered(each)
    values = {
        "it": it,
        "score": score,
        **sections,
        "price": priced.body if priced and priced.ok and it["pricing"]["currency"] else None,
        "trend": _TRENDS[score["trend"]],
        "bars": scores.bars,
        "charts": (scores.by_day, scores.by_dimension),
        "labels": scores.DIMENSIONS,
        "events": SENTENCES,
        "signed": scores.signed,
    }
    page = ObjectPage(
        title=_("Reputation"),
        # The page of the agent says what it earns, which not everybody reads.
        crumbs=AGENTS.crumbs(visit, it)[: 2 if visit.reads_all else 1],
        here=f"{AGENTS.here(visit)}/reputation",
        form=blank(),
    )
    return await visit.show("reputation/page.html", page, values)


ROUTES = (tenant("/agents/{id}/reputation", show),)
