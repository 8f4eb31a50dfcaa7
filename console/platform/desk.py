"""The routes of pages for those who operate the platform: what is shown is theirs alone; the API judges commands."""

from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from console.gateway import Answer, Problem, Refused, request_id_of
from console.routing import Page, platform
from console.texts import _
from console.visit import Visit
from domain.common.access import Permission


def shown_to(need: Permission, path: str, page: Page) -> Route:
    """Return the route of a platform page for roles that have a permission; other roles get 403, which names it."""

    async def guarded(visit: Visit) -> Response:
        if not visit.may(need):
            raise Refused(_forbidden(visit.request, need))
        return await page(visit)

    return platform(path, guarded)


def operators(path: str, page: Page, methods: Sequence[str] = ("GET",)) -> Route:
    """Return a route of the platform: pages are for roles that may inspect it, commands are judged by the API."""
    return platform(path, page, methods) if "POST" in methods else shown_to(Permission.INSPECT, path, page)


def _forbidden(request: Request, need: Permission) -> Answer:
    detail = _("This page needs the permission %(name)s, which your role does not have.", name=need.value)
    problem = Problem(status=403, code="auth.forbidden", title=_("Forbidden"), detail=detail)
    return Answer(status=403, request_id=request_id_of(request), problem=problem)
