"""Usage of an organization: a month of it, the uses of its credits, and the log of its events."""

from datetime import UTC, datetime

from starlette.responses import Response

from console import lists
from console.forms import FormState, blank, read_form
from console.gateway import Wanted
from console.routing import COMMAND, tenant
from console.usage import log, run, use, view
from console.visit import Visit
from domain.common.access import Permission

_PATH = "/billing/usage"
_LOG = "/billing/usage/logs"
_USES = "/credits/usage"
#: So many refunds of one use are shown.
_REFUNDS = 100
#: So many names of agents or departments are asked for.
_NAMES = 100


def _by_agent_only(visit: Visit) -> bool:
    return visit.me.agent_id is not None and not visit.may(Permission.READ_BILLING)


def _chosen(visit: Visit) -> view.Chosen:
    given = visit.chosen("month", "by")
    if _by_agent_only(visit):
        given["by"] = "agent"
    return view.chosen(given, datetime.now(UTC).date(), f"{visit.base}/usage")


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show a month: day by day, and by what it was used."""
    chosen = _chosen(visit)
    days = {**chosen.days, **visit.scope}
    wanted: dict[str, Wanted] = {"days": (_PATH, days), "groups": (_PATH, {**days, "group_by": chosen.by})}
    if chosen.by in view.NAMED:
        wanted["names"] = (view.NAMED[chosen.by], {"limit": _NAMES, "organization_id": visit.org_id})
    answers = await visit.ask_all(**wanted)
    sync = f"{visit.base}/usage/sync" if visit.may(Permission.OPERATE) else ""
    page = view.page(
        chosen,
        answers,
        visit.choices.prefs,
        form or blank(),
        sync,
        by_agent_only=_by_agent_only(visit),
        reads_money=visit.reads_money,
    )
    return await visit.render("usage/page.html", page, 422 if chosen.form.errors else status)


async def download(visit: Visit) -> Response:
    chosen = _chosen(visit)
    await visit.frame()
    query = {**chosen.days, "group_by": chosen.by, **visit.scope}
    return visit.stream(_PATH, query, accept="text/csv", name=f"usage-{chosen.month}-by-{chosen.by}.csv")


async def show_runs(visit: Visit) -> Response:
    chosen, name = _chosen(visit), visit.chosen("run").get("run", "")
    wanted: dict[str, Wanted] = {"log": (_LOG, {**chosen.days, "limit": run.LATEST, **visit.scope})}
    if name:
        wanted["run"] = (f"/usage/runs/{name}", visit.scope)
    answers = await visit.ask_all(**wanted)
    tabs = view.tabs(chosen, by_run=True, by_agent_only=_by_agent_only(visit))
    naming = await visit.naming([answers["run"].body] if name and answers["run"].ok else (), "agents")
    page = run.page(chosen, name, answers, tabs, naming)
    return await visit.render("usage/runs.html", page, 404 if page.form.errors else 200)


async def show_log(visit: Visit) -> Response:
    found = await lists.find(visit, _LOG, *log.FILTERS)
    naming = await visit.naming(found.rows, "agent_id")
    page = log.page(found, naming, f"{visit.base}/usage")
    return await visit.render("usage/log.html", page, found.status)


async def show_uses(visit: Visit) -> Response:
    found = await lists.find(visit, _USES, *use.FILTERS)
    naming = await visit.naming(found.rows, "agent_id")
    page = use.listed(found, naming, f"{visit.base}/usage")
    return await visit.render("usage/uses.html", page, found.status)


async def show_use(visit: Visit) -> Response:
    path = f"/credits/spends/{visit.path('id')}"
    answers = await visit.ask_all(spend=(path, {}), refunds=(f"{path}/refunds", {"limit": _REFUNDS}))
    spend = visit.owned(answers["spend"].need())
    naming = await visit.naming([spend], "agent_id", "department_id", "project_id")
    page = use.page(spend, answers["refunds"], naming, visit.base, reads_money=visit.reads_money)
    return await visit.render("usage/use.html", page)


async def sync(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("POST", f"{_PATH}/sync", None, form.key)
    return await visit.concluded(form, answer, f"{visit.base}/usage", "usage.syncing", show=show)


ROUTES = (
    tenant("/usage", show),
    tenant("/usage.csv", download),
    tenant("/usage/runs", show_runs),
    tenant("/usage/log", show_log),
    tenant("/usage/log.csv", lists.file(_LOG, "usage-events", *log.FILTERS)),
    tenant("/usage/sync", sync, COMMAND),
    tenant("/usage/uses", show_uses),
    tenant("/usage/uses.csv", lists.file(_USES, "uses", *use.FILTERS)),
    tenant("/usage/{id}", show_use),
)
