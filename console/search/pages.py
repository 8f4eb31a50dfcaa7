"""The search of the header: pages and acts by their names, objects of the API, and agents of others."""

from starlette.responses import RedirectResponse, Response

from console.gateway import Wanted
from console.objects import page_of
from console.palette import places
from console.reader import reader
from console.routing import anyone
from console.texts import _
from console.visit import Visit
from console.widgets import Page

_AGENTS = 5


async def show(visit: Visit) -> Response:
    """Show what a text finds; a whole id leads to its page at once."""
    text, own = visit.request.query_params.get("q", "").strip(), visit.me.organization

    def href(kind: str, id: str, org_id: str | None, title: str) -> str:
        of = own.id if own else id if kind == "organization" else org_id
        return page_of(kind, id, of, title=title, is_platform=own is None, exists=visit.has_page)

    wanted: dict[str, Wanted] = {"found": ("/search", {"q": text})}
    if own and len(text) > 1 and reader().may("read"):
        wanted["agents"] = ("/agents", {"q": text, "limit": _AGENTS})
    answers = await visit.ask_all(**wanted) if text else {}
    found, agents = answers.get("found"), answers.get("agents")
    listed = agents.body["data"] if agents is not None and agents.ok else []
    rows = found.body["data"] if found is not None and found.ok else []
    if len(rows) == 1 and rows[0]["id"] == text:
        hit = rows[0]
        if address := href(hit["kind"], hit["id"], hit["organization_id"], hit["title"]):
            return RedirectResponse(address, 303)
    # What the API refuses, such as a text that is too long, is said; what it cannot answer is not available.
    is_refused = found is not None and 400 <= found.status < 500
    values = {
        "text": text,
        "found": None if is_refused else found,
        "refused": found.problem.detail if found is not None and found.problem is not None and is_refused else "",
        "places": places(visit, text),
        "others": [each for each in listed if own and each["organization_id"] != own.id],
        "href": href,
        "marketplace": f"{visit.base}/marketplace/",
    }
    page = Page(title=_("Search: %(text)s", text=text) if text else _("Search"))
    status = found.status if found is not None and found.problem is not None else 200
    return await visit.show("search/page.html", page, values, status)


ROUTES = (anyone("/search", show),)
