"""The routes of pages for those who operate the platform: what is shown is theirs alone; the API judges commands."""

from collections.abc import Sequence

from starlette.responses import Response
from starlette.routing import Route

from console.routing import Page, platform
from console.visit import Visit
from domain.common.access import Permission


def shown_to(need: Permission, path: str, page: Page) -> Route:
    """Return the route of a platform page for roles that have a permission; other roles get 403."""

    async def guarded(visit: Visit) -> Response:
        visit.need(need)
        return await page(visit)

    return platform(path, guarded)


def risk_desk(path: str, page: Page, methods: Sequence[str] = ("GET",)) -> Route:
    """Return a route of the platform for roles that read decisions against fraud; commands are judged by the API."""
    return platform(path, page, methods) if "POST" in methods else shown_to(Permission.RISK_READ, path, page)


def operators(path: str, page: Page, methods: Sequence[str] = ("GET",)) -> Route:
    """Return a route of the platform: pages are for roles that may inspect it, commands are judged by the API."""
    return platform(path, page, methods) if "POST" in methods else shown_to(Permission.INSPECT, path, page)
