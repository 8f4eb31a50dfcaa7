"""Help: the tasks of a reader and the meaning of every status, also before signing in."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from console.arrival import begin, frame_of_nobody
from console.gateway import Refused
from console.pages import html
from console.palette import OF_TENANTS, OF_THE_PLATFORM
from console.reader import Reader, set_reader
from console.routing import console_of
from console.status import STATUSES
from console.texts import _, gettext
from console.visit import SignInNeeded, Visit
from console.widgets import Link, Page


async def show(request: Request) -> Response:
    console, values = console_of(request), {"nouns": STATUSES, "acts": ()}
    try:
        visit = await begin(request, console)
    except (SignInNeeded, Refused):
        frame = frame_of_nobody(request, console)
        return html(request, console.environment, "help/page.html", Page(title=_("Help")), frame, values=values)
    set_reader(Reader(prefs=visit.choices.prefs))
    return await visit.show("help/page.html", Page(title=_("Help")), {**values, "acts": _acts(visit)})


def _acts(visit: Visit) -> tuple[Link, ...]:
    is_tenant = visit.me.organization is not None
    base, places = (visit.base, OF_TENANTS) if is_tenant else ("/console/platform", OF_THE_PLATFORM)
    readable = (each for each in places if visit.may(each.need) and visit.has_page(base + each.path))
    return tuple(Link(label=gettext(each.label), href=base + each.path) for each in readable)


ROUTES = (Route("/help", show, methods=["GET"]),)
