"""Declaration of resources, their routes, and routing by resource.

Creating a route takes milliseconds, and there are hundreds: each is created once, and copied for other prefixes.
"""

import inspect
from collections.abc import Callable, Iterable
from copy import copy
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.routing import compile_path
from starlette.types import Receive, Scope, Send

from api import openapi
from api.csv_files import CSV

_AS_CSV = "With `Accept: text/csv` the response contains everything that matches, from the cursor on, as CSV."


class Resource(APIRouter):
    """Declared paths of a resource, without serving them."""

    def __init__(self, *, tags: list[str], prefix: str = "") -> None:
        """Take the tag of its operations, and the prefix of its paths."""
        super().__init__()
        self._tags = tags
        self._begins = prefix
        self.declared: list[tuple[str, Callable[..., Any], dict[str, Any]]] = []

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        """Register an endpoint. The description of a list mentions CSV unless its docstring does."""
        said = options["description"] or inspect.cleandoc(endpoint.__doc__ or "")
        if CSV.items() <= (options["responses"] or {}).items() and "text/csv" not in said:
            said = f"{said}\n\n{_AS_CSV}"
        own = {"tags": [*self._tags, *(options["tags"] or ())], "description": said}
        self.declared.append((self._begins + path, endpoint, options | own))


def routes_of(resources: Iterable[Resource], route_class: type[APIRoute], *, prefix: str = "") -> list[APIRoute]:
    """Create the routes of resources under a prefix; without one they are not in the OpenAPI document.

    The list is flat, because `include_router` would match requests through a tree of routers.
    """
    flat = APIRouter(route_class=route_class, generate_unique_id_function=openapi.operation_id)
    for resource in resources:
        for path, endpoint, options in resource.declared:
            tag = openapi.tag_of(options["tags"], is_alias=bool(options["deprecated"]))
            shown = bool(prefix) and options["include_in_schema"]
            flat.add_api_route(prefix + path, endpoint, **options | {"tags": [tag], "include_in_schema": shown})
    return [route for route in flat.routes if isinstance(route, APIRoute)]


def copies(routes: Iterable[APIRoute], old: str, new: str) -> list[APIRoute]:
    """Copy routes to another prefix, without entries in the OpenAPI document."""
    made = []
    for route in routes:
        other = copy(route)
        other.path = new + route.path.removeprefix(old)
        other.path_regex, other.path_format, other.param_convertors = compile_path(other.path)
        other.include_in_schema = False
        made.append(other)
    return made


class ByResource:
    """Router by resource: `/api/v1/escrows/…` is matched with the routes of escrows only, in their order.

    Other paths and mounted apps go to the original router.
    """

    def __init__(self, router: APIRouter, routes: Iterable[APIRoute]) -> None:
        """Group the router's routes by resource; it must have no others below them."""
        self._router = router
        self._resources: dict[str, APIRouter] = {}
        for route in routes:
            if resource := _resource(route.path):
                assert "{" not in resource, f"{route.path} could be of every resource"
                self._resources.setdefault(resource, APIRouter(redirect_slashes=False)).routes.append(route)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        router = self._router
        if scope["type"] == "http" and not scope.get("root_path"):
            scope["router"] = router
            router = self._resources.get(_resource(scope["path"]), router)
        await router.app(scope, receive, send)


def _resource(path: str) -> str:
    """Return the prefix of a resource, such as `/api/v1/escrows` and `/api/escrows`; empty without one."""
    members = path.split("/", 4)
    if len(members) < 3 or members[1] != "api":
        return ""
    return "/".join(members[: 4 if members[2] == "v1" else 3])
