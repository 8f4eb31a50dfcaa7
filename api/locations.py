"""`Location` headers: the URL of a created object."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from starlette.requests import Request

_STATE = "names_of_made"


def id_parameters(paths: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Return the id parameter of created objects by path: paths with `POST`, and `GET` below them.

    Args:
        paths: the methods of each path, in lower case.
    """
    found = {}
    for path, methods in paths.items():
        collection, _, name = path.rpartition("/")
        if name.startswith("{") and "get" in methods and "post" in paths.get(collection, ()):
            found[collection] = name.strip("{}")
    return found


def location(request: Request, made: Mapping[str, Any]) -> str | None:
    """Return the URL of the object in a response; None without one.

    Args:
        request: the creating request.
        made: the response with an `id`, or the member named like the path parameter.
    """
    names = getattr(request.app.state, _STATE, None)
    if names is None:
        methods: dict[str, set[str]] = {}
        for route in request.app.routes:
            for method in getattr(route, "methods", None) or ():
                methods.setdefault(route.path, set()).add(method.lower())
        names = id_parameters(methods)
        setattr(request.app.state, _STATE, names)
    name = names.get(request.scope["route"].path)
    value = None if name is None else made.get(name, made.get("id"))
    return f"{request.url.path}/{quote(value, safe='')}" if isinstance(value, str) else None
