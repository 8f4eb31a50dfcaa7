"""The pages that free options and declared methods have alike: lists of entries that are known by their names."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from console.format import Prefs
from console.forms import Form, Shown, blank, read_form
from console.gateway import Answer, Refused
from console.refusals import not_found
from console.routing import COMMAND, tenant
from console.visit import Visit
from console.widgets import Asking
from domain.common.access import Permission


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What differs between them.

    Attributes:
        path: of the API.
        pages: of the console, below the organization's.
        noun: how messages call an entry.
        templates: the folder of `list.html` and `set.html`.
        fields: of the form.
        begins: what the form of a new entry begins with.
        body: what was typed as the API takes it.
        names: the form's names for the fields of the API.
        page, create, change, removing, typed: of the views.
    """

    path: str
    pages: str
    noun: str
    templates: str
    fields: tuple[str, ...]
    begins: Mapping[str, str]
    body: Callable[[Form], dict[str, Any]]
    names: Mapping[str, str]
    page: Callable[..., Any]
    create: Callable[[Shown, str, str], Any]
    change: Callable[[Mapping[str, Any], Shown, str, str], Any]
    removing: Callable[[Mapping[str, Any], Shown, str], Asking]
    typed: Callable[[Mapping[str, Any]], dict[str, str]]


@dataclass(frozen=True, slots=True)
class Entries:
    """The list of a kind, and the forms that add, change and remove an entry."""

    kind: Kind

    def routes(self) -> tuple[Route, ...]:
        """Return the routes of these pages."""
        pages = self.kind.pages
        return (
            tenant(pages, self.show),
            tenant(f"{pages}/new", self.ask_to_add),
            tenant(f"{pages}/new", self.add, COMMAND),
            tenant(f"{pages}/{{id}}/change", self.ask_to_change),
            tenant(f"{pages}/{{id}}/change", self.change, COMMAND),
            tenant(f"{pages}/{{id}}/remove", self.ask_to_remove),
            tenant(f"{pages}/{{id}}/remove", self.remove, COMMAND),
        )

    def _here(self, visit: Visit) -> str:
        return f"{visit.base}{self.kind.pages}"

    async def show(self, visit: Visit) -> Response:
        """Show the list."""
        visit.need(Permission.READ_BILLING)
        answer: Answer = await visit.ask(self.kind.path, **visit.scope)
        prefs: Prefs = visit.choices.prefs
        may, policies = visit.may(Permission.MANAGE_SPENDING), f"{visit.base}/payment-policies"
        page = self.kind.page(answer, prefs, policies, self._here(visit), may_change=may)
        return await visit.render(f"{self.kind.templates}/list.html", page)

    async def ask_to_add(self, visit: Visit, form: Shown | None = None, status: int = 200) -> Response:
        """Show the form of a new entry."""
        visit.need(Permission.MANAGE_SPENDING)
        page = self.kind.create(form or blank(**self.kind.begins), visit.base, self._here(visit))
        return await visit.render(f"{self.kind.templates}/set.html", page, status)

    async def add(self, visit: Visit) -> Response:
        """Add an entry; one of the same name is replaced."""
        return await self._put(visit, await read_form(visit.request, *self.kind.fields), self.ask_to_add)

    async def _put(self, visit: Visit, form: Form, show: Callable[..., Awaitable[Response]]) -> Response:
        answer = await visit.order("PUT", self.kind.path, {**self.kind.body(form), **visit.scope}, form.key)
        done, names = f"{self.kind.noun}.saved", self.kind.names
        return await visit.concluded(form, answer, self._here(visit), done, show=show, names=names)

    async def _found(self, visit: Visit) -> Mapping[str, Any]:
        rows = (await visit.ask(self.kind.path, **visit.scope)).need()["data"]
        found = next((each for each in rows if each["id"] == visit.path("id")), None)
        if found is None:
            raise Refused(not_found(visit.request))
        return visit.theirs(found)

    async def ask_to_change(self, visit: Visit, form: Shown | None = None, status: int = 200) -> Response:
        """Show an entry in the form that changes it."""
        visit.need(Permission.MANAGE_SPENDING)
        found = await self._found(visit)
        page = self.kind.change(found, form or blank(**self.kind.typed(found)), visit.base, self._here(visit))
        return await visit.render(f"{self.kind.templates}/set.html", page, status)

    async def change(self, visit: Visit) -> Response:
        """Change an entry; its name stays, because it is known by it."""
        form = await read_form(visit.request, *self.kind.fields)
        found = await self._found(visit)
        return await self._put(visit, replace(form, values={**form.values, "name": found["name"]}), self.ask_to_change)

    async def ask_to_remove(self, visit: Visit, form: Shown | None = None, status: int = 200) -> Response:
        """Ask before an entry is removed."""
        visit.need(Permission.MANAGE_SPENDING)
        page = self.kind.removing(await self._found(visit), form or blank(), self._here(visit))
        return await visit.render("parts/asking.html", page, status)

    async def remove(self, visit: Visit) -> Response:
        """Remove an entry."""
        form = await read_form(visit.request)
        answer = await visit.order("DELETE", f"{self.kind.path}/{visit.path('id')}", None, form.key)
        done = f"{self.kind.noun}.removed"
        return await visit.concluded(form, answer, self._here(visit), done, show=self.ask_to_remove)
