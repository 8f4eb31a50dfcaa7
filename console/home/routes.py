"""Home of an organization."""

from datetime import UTC, datetime

from starlette.responses import Response

from console.gateway import Wanted
from console.home import view
from console.home.charts import first_day
from console.routing import tenant
from console.transaction import facts
from console.visit import Visit
from domain.common.access import Permission


async def show(visit: Visit) -> Response:
    """Show all money of an organization, what waits for the reader, and what happened last.

    Who does not read the organization's money is shown what is available, and what their agent has spent.
    """
    # What waits for operators is of all organizations, and on the platform's overview.
    own: dict[str, Wanted] = {} if visit.me.is_platform else {"tasks": ("/tasks", {"limit": view.LATEST})}
    clock = {"zone": visit.choices.zone or "UTC"}
    since = first_day(datetime.now(UTC).date())
    money: dict[str, Wanted] = {"credits": ("/billing/balance", visit.scope)}
    if visit.may(Permission.READ_BILLING):
        money = {
            "summary": ("/billing/summary", visit.scope),
            "latest": ("/billing/activity", {"limit": view.LATEST, **visit.scope}),
            "alerts": ("/alerts", {"status": "firing", "limit": view.LATEST, **visit.scope}),
            "balance": ("/series", {"metric": "balance", **clock, **visit.scope}),
        }
    answers = await visit.ask_all(
        **money,
        spent=("/series", {"metric": "spending", "group_by": "action", "from": since.isoformat(), **visit.scope}),
        **own,
    )
    organization = visit.organization
    assert organization is not None
    has = {name: visit.has_page(f"{visit.base}/{name}") for name in view.PAGES}
    naming = await visit.naming(view.mentioning(answers), "title", "id")
    page = view.page(organization.name, answers, visit.base, naming, has)
    return await visit.show("home/page.html", page, {"facts": facts, "base": visit.base})


ROUTES = (tenant("", show),)
