"""Renders a template with answers of the API that a test writes, for a reader of its choice, without a server."""

from collections.abc import Callable
from functools import cache
from typing import Any

from jinja2 import Environment

from console.assets import Assets
from console.format import DEFAULT, Prefs
from console.forms import blank
from console.frame import Frame
from console.lists import ListView
from console.noun_page import FormPage, ListPage, ObjectPage
from console.pages import FOLDER, make_environment
from console.reader import Reader, set_reader
from console.widgets import Page, Pager
from domain.common.access import Permission
from tests.console.template_types import misfits

BASE = "/console/org_01kar6h2d8e4wvq3r5s7t9x1zy"
FRAME = Frame(brand="Bursar", theme="system", shortcuts=True, zone="UTC", path="/")


@cache
def environment() -> Environment:
    """Return Jinja as the console has it."""
    return make_environment(Assets())


def list_page(**fields: Any) -> ListPage:
    """Return a page around a list that is neither filtered nor followed by another one."""
    listed = ListView(path=f"{BASE}/things", form=blank(), chips=(), clear="", pager=Pager(), filtered=False)
    return ListPage(**{"title": "Things", "listed": listed, "base": BASE, **fields})


def object_page(**fields: Any) -> ObjectPage:
    """Return a page around one object."""
    return ObjectPage(**{"title": "Thing", "base": BASE, "here": f"{BASE}/things/1", "form": blank(), **fields})


def form_page(**fields: Any) -> FormPage:
    """Return a page around a form."""
    return FormPage(**{"title": "Thing", "base": BASE, "action": f"{BASE}/things/new", "form": blank(), **fields})


def render(
    template: str,
    page: Page,
    *permissions: Permission,
    prefs: Prefs = DEFAULT,
    link: Callable[..., str] = lambda id, _org_id=None: f"{BASE}/of/{id}",
    **values: Any,
) -> str:
    """Return the HTML of a template; its values are checked against its declaration."""
    assert misfits(FOLDER / template, {"page": page, **values}) == []
    set_reader(Reader(prefs=prefs, permissions=frozenset(permissions), link=link))
    return environment().get_template(template).render(page=page, frame=FRAME, **values)
