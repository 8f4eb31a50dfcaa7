"""How a page gets its address, and who is let in: `tenant`, `platform` and `anyone` make the routes of a noun."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from console.arrival import begin
from console.forms import PREFS
from console.gateway import Refused
from console.reader import Reader, set_reader
from console.refusals import not_found
from console.visit import Console, Visit
from domain.common.ids import is_id

Page = Callable[[Visit], Awaitable[Response]]
_READ = ("GET",)
#: What gives a command; a command's address has no page of its own unless `GET` is named too.
COMMAND = ("POST",)


def tenant(path: str, page: Page, methods: Sequence[str] = _READ, *, is_background: bool = False) -> Route:
    """Return the route of a page of an organization, below `/console/{org}`.

    Its own roles get in, and the platform's, who see the same with a band. With `is_background` the browser asks for it
    by itself, which keeps no session from ending.
    """
    return _route("/{org}" + path, page, methods, is_background=is_background)


def platform(path: str, page: Page, methods: Sequence[str] = _READ, *, is_background: bool = False) -> Route:
    """Return the route of a page of the platform, below `/console/platform`; for everybody else it is not there."""

    async def guarded(visit: Visit) -> Response:
        if not visit.me.is_platform:
            raise Refused(not_found(visit.request))
        return await page(visit)

    return _route("/platform" + path, guarded, methods, is_background=is_background)


def anyone(path: str, page: Page, methods: Sequence[str] = _READ, *, is_background: bool = False) -> Route:
    return _route(path, page, methods, is_background=is_background)


def console_of(request: Request) -> Console:
    console: Console = request.app.state.console
    return console


def _route(path: str, page: Page, methods: Sequence[str], *, is_background: bool = False) -> Route:
    async def endpoint(request: Request) -> Response:
        org_id: Any = request.path_params.get("org")
        if org_id is not None and not is_id(org_id, "org"):
            raise Refused(not_found(request))
        visit = await begin(request, console_of(request), is_background=is_background)
        request.scope["console.visit"] = visit
        request.scope[PREFS] = visit.choices.prefs
        set_reader(Reader(prefs=visit.choices.prefs, permissions=visit.me.permissions, link=visit.link))
        return await page(visit)

    return Route(path, endpoint, methods=list(methods))
