"""The search of the header: an id leads to its page at once, everything else to what it names."""

from starlette.responses import RedirectResponse, Response

from console.routing import anyone
from console.search import view
from console.visit import Visit


async def show(visit: Visit) -> Response:
    text = visit.request.query_params.get("q", "").strip()
    answer = await visit.ask("/search", q=text) if text else None
    own = visit.me.organization
    page = view.page(text, answer, own.id if own else None, visit.choices.prefs, visit.has_page)
    if len(page.hits) == 1 and page.hits[0].id.whole == text and page.hits[0].href:
        return RedirectResponse(page.hits[0].href, 303)
    status = answer.status if answer is not None and answer.problem is not None else 200
    return await visit.render("search/page.html", page, status)


ROUTES = (anyone("/search", show),)
