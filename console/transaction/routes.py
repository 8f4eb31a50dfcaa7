"""Activity, one row for one fact; and the ledger's entries behind it."""

from starlette.responses import Response

from console import lists
from console.routing import tenant
from console.transaction import facts, one, view
from console.visit import Visit

_FACTS, _ENTRIES = "/billing/activity", "/billing/transactions"


def _shows_entries(visit: Visit) -> bool:
    return visit.chosen("show").get("show") == "entries"


def pages_of(visit: Visit) -> facts.Pages:
    return facts.Pages(base=visit.base, org_id=visit.org_id, has_page=visit.has_page, is_platform=visit.me.is_platform)


async def show(visit: Visit) -> Response:
    if _shows_entries(visit):
        return await _show_entries(visit)
    found = await lists.find(visit, _FACTS, *facts.FILTERS)
    page = facts.page(found, pages_of(visit), visit.choices.prefs)
    return await visit.render("transaction/list.html", page, found.status)


async def _show_entries(visit: Visit) -> Response:
    found = await lists.find(visit, _ENTRIES, *view.FILTERS, fixed={"show": None})
    naming = await visit.naming(found.rows, "account", "reference")
    page = view.page(found, naming, f"{visit.base}/transactions/{{id}}")
    return await visit.render("transaction/entries.html", page, found.status)


async def download(visit: Visit) -> Response:
    if _shows_entries(visit):
        return await lists.csv(visit, _ENTRIES, "entries", *view.FILTERS, show=None)
    return await lists.csv(visit, _FACTS, "activity", *facts.FILTERS)


async def show_one(visit: Visit) -> Response:
    transfer = (await visit.ask(f"/ledger/transfers/{visit.path('id')}")).need()
    naming = await visit.naming([transfer], "cause", "reference", "entries")
    page = one.page(
        transfer,
        naming,
        visit.base,
        visit.org_id,
        visit.has_page,
        is_platform=visit.me.is_platform,
    )
    return await visit.render("transaction/page.html", page)


ROUTES = (
    tenant("/transactions", show),
    tenant("/transactions.csv", download),
    tenant("/transactions/{id}", show_one),
)
