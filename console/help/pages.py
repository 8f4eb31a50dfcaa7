"""The meaning of every status. The page is there before signing in, too."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from console.arrival import begin, frame_of_nobody
from console.gateway import Refused
from console.pages import html
from console.reader import Reader, set_reader
from console.routing import console_of
from console.status import STATUSES
from console.texts import _
from console.visit import SignInNeeded
from console.widgets import Page


async def show(request: Request) -> Response:
    console, values = console_of(request), {"nouns": STATUSES}
    try:
        visit = await begin(request, console)
    except (SignInNeeded, Refused):
        frame = frame_of_nobody(request, console)
        return html(request, console.environment, "help/page.html", Page(title=_("Help")), frame, values=values)
    set_reader(Reader(prefs=visit.choices.prefs))
    return await visit.show("help/page.html", Page(title=_("Help")), values)


ROUTES = (Route("/help", show, methods=["GET"]),)
