"""The standing of an organization's agents."""

from dataclasses import replace

from starlette.responses import Response

from console.gateway import Refused, Wanted
from console.refusals import not_found
from console.reputation import view
from console.routing import tenant
from console.visit import Visit

#: So many nights of the history, and so many words of others, a page shows.
_NIGHTS, _FEEDBACK = 90, 10


async def show(visit: Visit) -> Response:
    agent_id = visit.path("id")
    # With the three of the frame an operator's page has eight calls: what a unit costs is left to the tenant's.
    price: dict[str, Wanted] = {} if visit.me.is_platform else {"price": (f"/payments/pricing/{agent_id}", {})}
    answers = await visit.ask_all(
        agent=(f"/agents/{agent_id}", {}),
        score=(f"/reputation/score/{agent_id}", {}),
        peers=(f"/reputation/peers/{agent_id}", {}),
        history=(f"/reputation/history/{agent_id}", {"limit": _NIGHTS}),
        feedback=("/reputation/feedback", {"agent_id": agent_id, "limit": _FEEDBACK}),
        **price,
    )
    if answers["agent"].need()["organization_id"] != visit.org_id:
        raise Refused(not_found(visit.request))
    page = view.page(answers, visit.choices.prefs, f"{visit.base}/agents")
    if not visit.reads_all:
        page = replace(page, crumbs=page.crumbs[:1])
    return await visit.render("reputation/page.html", page)


ROUTES = (tenant("/agents/{id}/reputation", show),)
