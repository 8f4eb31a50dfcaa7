"""Home of an organization."""

from starlette.responses import Response

from console.home import view
from console.routing import tenant
from console.visit import Visit


async def show(visit: Visit) -> Response:
    """Show all money of an organization, and what has moved last."""
    answers = await visit.ask_all(
        summary=("/billing/summary", visit.scope),
        latest=("/billing/transactions", {"limit": view.LATEST, **visit.scope}),
    )
    organization = visit.organization
    assert organization is not None
    pages = ("transactions", "escrows", "escrows/{id}", "invoices/{id}")
    has = {name: visit.has_page(f"{visit.base}/{name}") for name in pages}
    page = view.page(organization.name, answers, visit.base, visit.choices.prefs, has)
    return await visit.render("home/page.html", page)


ROUTES = (tenant("", show),)
