"""Every route of every noun: of each module `pages` or `routes` below the folder of a noun."""

from importlib import import_module

from starlette.routing import Route

from console import picker
from console.pages import FOLDER


def _of_nouns() -> list[Route]:
    files = sorted(FOLDER.glob("*/**/pages.py")) + sorted(FOLDER.glob("*/routes.py"))
    modules = (".".join(file.relative_to(FOLDER.parent).with_suffix("").parts) for file in files)
    return [route for module in modules for route in import_module(module).ROUTES]


def _order(route: Route) -> tuple[bool, ...]:
    """Order a route by its segments, so that `/cards/new` is tried before `/cards/{id}`."""
    return tuple("{" in segment for segment in route.path.split("/"))


#: In this order paths are tried.
ROUTES = tuple(sorted((*picker.ROUTES, *_of_nouns()), key=_order))
