"""Where to read what a request has made: `Location`, the path of the request and the name of what it made."""

from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from starlette.requests import Request

_STATE = "names_of_made"


def id_parameters(paths: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Return the parameter that names what is made, by each path where something is: `POST` there, `GET` below it.

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
    """Return where the answer to a request can be read again; None if that is nowhere.

    Args:
        request: that has made something.
        made: the answer, with an `id`, or the member that the path below is named after.
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
