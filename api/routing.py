"""Leads a request to the routes of its resource, so that it is not matched with the hundreds of all others."""

from collections.abc import Iterable

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send


class ByResource:
    """Stands before a router: `/api/v1/escrows/…` is tried with the routes of escrows alone, in the router's order.

    What is of no resource, and what was mounted somewhere, goes to the router as before.
    """

    def __init__(self, router: APIRouter, routes: Iterable[BaseRoute]) -> None:
        """Divide the routes, which are the router's own; it has no others below their resources."""
        self._router = router
        self._resources: dict[str, APIRouter] = {}
        for route in routes:
            assert isinstance(route, APIRoute)
            if resource := _resource(route.path):
                assert "{" not in resource, f"{route.path} could be of every resource"
                self._resources.setdefault(resource, APIRouter(redirect_slashes=False)).routes.append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        router = self._router
        if scope["type"] == "http" and not scope.get("root_path"):
            scope["router"] = router
            router = self._resources.get(_resource(scope["path"]), router)
        await router.app(scope, receive, send)


def _resource(path: str) -> str:
    """Return how the paths of a resource begin, as `/api/v1/escrows` and `/api/escrows`; empty for what has none."""
    members = path.split("/", 4)
    if len(members) < 3 or members[1] != "api":
        return ""
    return "/".join(members[: 4 if members[2] == "v1" else 3])
