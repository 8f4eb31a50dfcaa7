"""The list of movements: the model of a list page."""

from starlette.responses import Response

from console import lists
from console.routing import tenant
from console.transaction import one, view
from console.visit import Visit

_PATH = "/billing/transactions"


async def show(visit: Visit) -> Response:
    """Show the movements that the address asks for."""
    found = await lists.find(visit, _PATH, *view.FILTERS)
    naming = await visit.naming(found.rows, "account", "reference")
    page = view.page(found, naming, f"{visit.base}/transactions/{{id}}")
    return await visit.render("transaction/list.html", page, found.status)


async def download(visit: Visit) -> Response:
    """Answer with all of them as CSV."""
    return await lists.csv(visit, _PATH, "transactions", *view.FILTERS)


async def show_one(visit: Visit) -> Response:
    """Show one transfer, with its entries that the reader may see."""
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
