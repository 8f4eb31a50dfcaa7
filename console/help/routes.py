"""Help is there before signing in, too."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from console.arrival import begin, frame_of_nobody
from console.gateway import Refused
from console.help import view
from console.pages import html
from console.routing import console_of
from console.visit import SignInNeeded


async def show(request: Request) -> Response:
    console = console_of(request)
    try:
        visit = await begin(request, console)
        return await visit.render("help/page.html", view.page())
    except (SignInNeeded, Refused):
        frame = frame_of_nobody(request, console)
        return html(request, console.environment, "help/page.html", view.page(), frame)


ROUTES = (Route("/help", show, methods=["GET"]),)
