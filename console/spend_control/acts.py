"""The pages that limits and budgets, the two kinds of spend controls, have alike."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from console import lists
from console.forms import Form, FormState, blank, read_form
from console.gateway import Answer
from console.lists import Choice, ListResult
from console.routing import COMMAND, tenant
from console.spend_control import terms
from console.visit import Visit
from console.widgets import Confirmation
from domain.common.access import Permission
from domain.common.money import CREDIT

#: So many spends, refusals and versions the page of a control lists.
_LATEST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What differs between them.

    Attributes:
        path: of the API.
        pages: of the console, below the organization's.
        noun: how messages and downloads call it.
        templates: the folder of `list.html` and `set.html`.
        filters: of the list.
        subjects: whom one can be for, by name: the kind, and the list of the API.
        fields: what its form holds of what it allows.
        allowance, names, typed: of its form, see `console.spend_control.terms`.
        page, create, change, freezing, closing: of its views.
        show_one: its page, which also shows what was wrong with a command.
    """

    path: str
    pages: str
    noun: str
    templates: str
    filters: tuple[str, ...]
    subjects: tuple[tuple[str, str, Mapping[str, str]], ...]
    fields: tuple[str, ...]
    allowance: Callable[[Form], dict[str, Any]]
    names: Callable[[Form], dict[str, str]]
    typed: Callable[[Mapping[str, Any]], dict[str, str]]
    page: Callable[[ListResult, Any, str], Any]
    create: Callable[[FormState, Mapping[str, Choice], str], Any]
    change: Callable[[Mapping[str, Any], FormState, str], Any]
    freezing: Callable[[Mapping[str, Any], FormState, str], Confirmation]
    closing: Callable[[Mapping[str, Any], FormState, str], Confirmation]
    show_one: Callable[..., Awaitable[Response]]


def own(visit: Visit, path: str) -> str:
    return f"{path}/{visit.path('id')}"


async def parts(visit: Visit, path: str) -> Mapping[str, Answer]:
    """Ask for a control with the latest of its lists: `control`, `spends`, `refusals`, `versions`."""
    here = own(visit, path)
    latest = {name: (f"{here}/{name}", {"limit": _LATEST}) for name in ("spends", "refusals", "versions")}
    return await visit.ask_all(control=(here, {}), **latest)


def named_in(answers: Mapping[str, Answer]) -> list[Mapping[str, Any]]:
    """Return the objects of `parts` that name others by their ids."""
    listed = [each for name in ("spends", "refusals") if answers[name].ok for each in answers[name].body["data"]]
    return [answers["control"].body, *listed]


async def found(visit: Visit, path: str) -> Mapping[str, Any]:
    return visit.owned((await visit.ask(own(visit, path))).need())


@dataclass(frozen=True, slots=True)
class Acts:
    kind: Kind

    def routes(self) -> tuple[Route, ...]:
        pages = self.kind.pages
        return (
            tenant(pages, self.show),
            tenant(f"{pages}.csv", self.download),
            tenant(f"{pages}/new", self.ask_to_create),
            tenant(f"{pages}/new", self.create, COMMAND),
            tenant(f"{pages}/{{id}}", self.kind.show_one),
            tenant(f"{pages}/{{id}}/change", self.ask_to_change),
            tenant(f"{pages}/{{id}}/change", self.change, COMMAND),
            tenant(f"{pages}/{{id}}/freeze", self.ask_to_freeze),
            tenant(f"{pages}/{{id}}/freeze", self.freeze, COMMAND),
            tenant(f"{pages}/{{id}}/unfreeze", self.unfreeze, COMMAND),
            tenant(f"{pages}/{{id}}/close", self.ask_to_close),
            tenant(f"{pages}/{{id}}/close", self.close, COMMAND),
        )

    def _listed(self, visit: Visit) -> str:
        return f"{visit.base}{self.kind.pages}"

    def _here(self, visit: Visit) -> str:
        return f"{self._listed(visit)}/{visit.path('id')}"

    async def show(self, visit: Visit) -> Response:
        listed = await lists.find(visit, self.kind.path, *self.kind.filters, days=False, fixed=_open(visit))
        create = f"{self._listed(visit)}/new" if visit.may(Permission.MANAGE_SPENDING) else ""
        page = self.kind.page(listed, visit.choices.prefs, create)
        return await visit.render(f"{self.kind.templates}/list.html", page, listed.status)

    async def download(self, visit: Visit) -> Response:
        name = self.kind.pages.removeprefix("/")
        return await lists.csv(visit, self.kind.path, name, *self.kind.filters, days=False, **_open(visit))

    async def ask_to_create(self, visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
        visit.need(Permission.MANAGE_SPENDING)
        zone = visit.choices.zone or "UTC"
        asked = {"currency": CREDIT, "time_zone": zone, "thresholds": terms.THRESHOLDS, **visit.chosen("subject")}
        shown = form or blank(**asked)
        chosen = shown.value("subject").rpartition(":")[2]
        choices = {
            kind: await lists.choice(visit, noun, chosen, organization_id=visit.org_id, **only)
            for kind, noun, only in self.kind.subjects
        }
        page = self.kind.create(shown, choices, self._listed(visit))
        return await visit.render(f"{self.kind.templates}/set.html", page, status)

    async def create(self, visit: Visit) -> Response:
        """Open one for whom there is none."""
        form = await read_form(visit.request, "subject", "subject_id", "currency", "time_zone", *self.kind.fields)
        body = self.kind.allowance(form) | {
            "subject": terms.subject(form),
            "currency": form.text("currency"),
            "time_zone": form.text("time_zone"),
            **visit.scope,
        }
        answer = await visit.command("POST", self.kind.path, body, form.key)
        if answer.ok:
            return visit.done(f"{self._listed(visit)}/{answer.body['id']}", f"{self.kind.noun}.set", answer)
        return await visit.refused(form, answer, self.ask_to_create, self.kind.names(form))

    async def ask_to_change(self, visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
        visit.need(Permission.MANAGE_SPENDING)
        control = await found(visit, self.kind.path)
        page = self.kind.change(control, form or blank(**self.kind.typed(control)), self._listed(visit))
        return await visit.render(f"{self.kind.templates}/set.html", page, status)

    async def change(self, visit: Visit) -> Response:
        form = await read_form(visit.request, *terms.KEPT, *self.kind.fields)
        body = self.kind.allowance(form) | {name: form.maybe(name) for name in ("starts_at", "ends_at", "parent_id")}
        body["version"] = terms.version(form)
        answer = await visit.command("PUT", own(visit, self.kind.path), body, form.key)
        done, names = f"{self.kind.noun}.changed", self.kind.names(form)
        return await visit.concluded(form, answer, self._here(visit), done, show=self.ask_to_change, names=names)

    async def ask_to_freeze(self, visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
        return await self._ask(visit, self.kind.freezing, form, status)

    async def ask_to_close(self, visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
        return await self._ask(visit, self.kind.closing, form, status)

    async def _ask(
        self,
        visit: Visit,
        asking: Callable[[Mapping[str, Any], FormState, str], Confirmation],
        form: FormState | None,
        status: int,
    ) -> Response:
        visit.need(Permission.MANAGE_SPENDING)
        page = asking(await found(visit, self.kind.path), form or blank(), self._listed(visit))
        return await visit.render("parts/confirmation.html", page, status)

    async def freeze(self, visit: Visit) -> Response:
        form = await read_form(visit.request, "version")
        return await self._set(visit, form, "freeze", {"version": terms.version(form)}, "frozen", self.ask_to_freeze)

    async def unfreeze(self, visit: Visit) -> Response:
        return await self._set(visit, await read_form(visit.request), "unfreeze", {}, "unfrozen", self.kind.show_one)

    async def close(self, visit: Visit) -> Response:
        form = await read_form(visit.request, "version")
        return await self._set(visit, form, "close", {"version": terms.version(form)}, "closed", self.ask_to_close)

    async def _set(
        self,
        visit: Visit,
        form: Form,
        verb: str,
        body: Mapping[str, Any],
        done: str,
        show: Callable[..., Awaitable[Response]],
    ) -> Response:
        answer = await visit.command("POST", f"{own(visit, self.kind.path)}/{verb}", body, form.key)
        return await visit.concluded(form, answer, self._here(visit), f"{self.kind.noun}.{done}", show=show)


def _open(visit: Visit) -> dict[str, str]:
    return {} if visit.chosen("open") else {"open": "true"}
