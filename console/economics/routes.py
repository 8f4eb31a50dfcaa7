"""The log of economic events as a list and as CSV, what models cost and bring, and to whom calls were given."""

from datetime import UTC, datetime

from starlette.responses import Response

from console import lists
from console.economics import decisions, models, view
from console.routing import tenant
from console.visit import Visit
from domain.common.access import Permission

_LOG = "/economics/log"
_DECISIONS = "/routing/decisions"
#: So many projects are chosen from by name.
_PROJECTS = 100


async def show(visit: Visit) -> Response:
    projects = await visit.ask("/projects", limit=_PROJECTS, **visit.scope)
    slugs = {each["slug"]: each["name"] for each in projects.body["data"]} if projects.ok else {}
    found = await lists.find(visit, _LOG, *view.FILTERS, choices={"project": slugs}, others=True)
    naming = await visit.naming(found.rows, "agent_id", "project_id", "object_id")
    return await visit.render("economics/list.html", view.page(found, naming), found.status)


async def show_models(visit: Visit) -> Response:
    visit.need(Permission.READ_BILLING)
    given = visit.chosen("period", "by", "a", "b", "value")
    of = models.chosen(given, datetime.now(UTC).date(), f"{visit.base}/economics/models")
    answers = await visit.ask_all(**models.question(of, visit.scope))
    page = models.page(of, answers, visit.choices.prefs)
    return await visit.render("economics/models.html", page, 422 if page.form.errors else 200)


async def show_decisions(visit: Visit) -> Response:
    found = await lists.find(visit, _DECISIONS, *decisions.FILTERS)
    naming = await visit.naming(found.rows, "agent_id", "ranking")
    to_models = f"{visit.base}/economics/models" if visit.may(Permission.READ_BILLING) else ""
    return await visit.render("economics/decisions.html", decisions.page(found, naming, to_models), found.status)


ROUTES = (
    tenant("/economics", show),
    tenant("/economics.csv", lists.file(_LOG, "agent-log", *view.FILTERS)),
    tenant("/economics/models", show_models),
    tenant("/economics/routing", show_decisions),
    tenant("/economics/routing.csv", lists.file(_DECISIONS, "routing-decisions", *decisions.FILTERS)),
)
