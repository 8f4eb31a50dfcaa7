"""The pages that free options and declared methods have alike: lists of entries that are known by their names."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from console.forms import Form, FormState, blank, read_form
from console.gateway import Answer, Refused
from console.payment_policy.view import LEAD, tabs
from console.refusals import not_found
from console.routing import COMMAND, tenant
from console.sections import unanswered
from console.visit import Visit
from console.widgets import Confirmation, Failed, Link, Tab
from domain.common.access import Permission


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One entry; `href` and `remove` are empty for who may not change it."""

    href: str
    remove: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The list. `failed` is shown instead of its rows if the API did not answer."""

    title: str
    lead: str
    tabs: tuple[Tab, ...]
    create: str
    failed: Failed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Set:
    """The form of an entry; `named` is whether its name is typed, and `choices` are those of its one select."""

    title: str
    crumbs: tuple[Link, ...]
    action: str
    label: str
    form: FormState
    named: bool
    choices: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What differs between them.

    Attributes:
        path: of the API.
        part: of the address, below that of the policies.
        title: of the list.
        noun: how messages and buttons call an entry.
        one: how titles call it.
        templates: the folder of `list.html` and `set.html`.
        fields: of the form.
        begins: what the form of a new entry begins with.
        choices: of the form's select.
        body: what was typed as the API takes it.
        names: the form's names for the fields of the API.
        page: the class of the list.
        row: shows an entry; it takes the addresses of a `Row`, too.
        typed: an entry of the API as its form has it.
        facts: what is shown of an entry before it is removed: labels, and fields; the first one is its title.
        forgets: of what is counted of it.
    """

    path: str
    part: str
    title: str
    noun: str
    one: str
    templates: str
    fields: tuple[str, ...]
    begins: Mapping[str, str]
    choices: Mapping[str, str]
    body: Callable[[Form], dict[str, Any]]
    names: Mapping[str, str]
    page: Callable[..., Listing]
    row: Callable[..., Row]
    typed: Callable[[Mapping[str, Any]], dict[str, str]]
    facts: tuple[tuple[str, str], ...]
    forgets: str


@dataclass(frozen=True, slots=True)
class Entries:
    kind: Kind

    def routes(self) -> tuple[Route, ...]:
        pages = f"/payment-policies{self.kind.part}"
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
        return f"{visit.base}/payment-policies{self.kind.part}"

    def _set(self, visit: Visit, form: FormState, **own: Any) -> Set:
        policies = Link(label="Payment policies", href=f"{visit.base}/payment-policies")
        crumbs = (policies, Link(label=self.kind.title, href=self._here(visit)))
        return Set(form=form, crumbs=crumbs, choices=tuple(self.kind.choices.items()), **own)

    async def show(self, visit: Visit) -> Response:
        visit.need(Permission.READ_BILLING)
        answer: Answer = await visit.ask(self.kind.path, **visit.scope)
        prefs, may, here = visit.choices.prefs, visit.may(Permission.MANAGE_SPENDING), self._here(visit)
        failed, rows = unanswered(self.kind.title, answer, here), []
        for each in () if failed else answer.body["data"]:
            own = f"{here}/{each['id']}"
            href, remove = (f"{own}/change", f"{own}/remove") if may else ("", "")
            rows.append(self.kind.row(each, prefs, href=href, remove=remove))
        page = self.kind.page(
            title="Payment policies",
            lead=LEAD,
            tabs=tabs(f"{visit.base}/payment-policies", self.kind.part),
            create=f"{here}/new" if may else "",
            rows=tuple(rows),
            failed=failed,
        )
        return await visit.render(f"{self.kind.templates}/list.html", page)

    async def ask_to_add(self, visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
        visit.need(Permission.MANAGE_SPENDING)
        title, label, action = f"Create {self.kind.one}", f"Create {self.kind.noun}", f"{self._here(visit)}/new"
        shown = form or blank(**self.kind.begins)
        page = self._set(visit, shown, title=title, label=label, action=action, named=True)
        return await visit.render(f"{self.kind.templates}/set.html", page, status)

    async def add(self, visit: Visit) -> Response:
        """Add an entry; one of the same name is replaced."""
        return await self._put(visit, await read_form(visit.request, *self.kind.fields), self.ask_to_add)

    async def _put(self, visit: Visit, form: Form, show: Callable[..., Awaitable[Response]]) -> Response:
        answer = await visit.command("PUT", self.kind.path, {**self.kind.body(form), **visit.scope}, form.key)
        done, names = f"{self.kind.noun}.saved", self.kind.names
        return await visit.concluded(form, answer, self._here(visit), done, show=show, names=names)

    async def _found(self, visit: Visit) -> Mapping[str, Any]:
        rows = (await visit.ask(self.kind.path, **visit.scope)).need()["data"]
        found = next((each for each in rows if each["id"] == visit.path("id")), None)
        if found is None:
            raise Refused(not_found(visit.request))
        return visit.owned(found)

    async def ask_to_change(self, visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
        visit.need(Permission.MANAGE_SPENDING)
        found = await self._found(visit)
        title, label = found[self.kind.facts[0][1]], f"Save {self.kind.noun}"
        shown, action = form or blank(**self.kind.typed(found)), f"{self._here(visit)}/{found['id']}/change"
        page = self._set(visit, shown, title=title, label=label, action=action, named=False)
        return await visit.render(f"{self.kind.templates}/set.html", page, status)

    async def change(self, visit: Visit) -> Response:
        """Change an entry; its name stays, because it is known by it."""
        form = await read_form(visit.request, *self.kind.fields)
        found = await self._found(visit)
        return await self._put(visit, replace(form, values={**form.values, "name": found["name"]}), self.ask_to_change)

    async def ask_to_remove(self, visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
        visit.need(Permission.MANAGE_SPENDING)
        found, here = await self._found(visit), self._here(visit)
        page = Confirmation(
            title=f"Remove this {self.kind.one}?",
            back=here,
            action=f"{here}/{found['id']}/remove",
            label=f"Remove {self.kind.noun}",
            form=form or blank(),
            facts=tuple((label, found[name]) for label, name in self.kind.facts),
            effect=(f"Agents no longer see it. Its counted {self.kind.forgets} are deleted.",),
        )
        return await visit.render("parts/confirmation.html", page, status)

    async def remove(self, visit: Visit) -> Response:
        form = await read_form(visit.request)
        answer = await visit.command("DELETE", f"{self.kind.path}/{visit.path('id')}", None, form.key)
        done = f"{self.kind.noun}.removed"
        return await visit.concluded(form, answer, self._here(visit), done, show=self.ask_to_remove)
