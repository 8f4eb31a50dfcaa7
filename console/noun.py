"""The pages of a noun of the API: a list with its CSV, one object, forms, and commands.

A noun is declared once, and each of its methods returns routes. Templates read the API's answers: `rows` of a list and
`it`, one object, are JSON as the API answers it, and filters of `console.filters` write them. `page` is what stands
around: title, crumbs, addresses, the form. Values that a page computes are added by its `values` function.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from starlette.responses import Response
from starlette.routing import Route

from console import lists, picker
from console.forms import Form, FormState, blank, corrected, read_form, with_summary
from console.gateway import Answer, Query, Refused, Wanted
from console.lists import ListResult, ListView
from console.noun_page import Filter, FormPage, ListPage, ObjectPage, Tabs, shown_filters, tabs_of
from console.picker import Sources
from console.routing import COMMAND, anyone, tenant
from console.texts import _, gettext
from console.visit import Visit
from console.widgets import Confirmation, Link, Tab
from domain.common.access import Permission

Json = Mapping[str, Any]
Site = Callable[..., Route]

#: Returns further values for a template: of a list, of an object, of a form.
OfList = Callable[[Visit, ListResult], Awaitable[Json]]
OfObject = Callable[[Visit, Json, Mapping[str, Answer]], Awaitable[Json]]
OfForm = Callable[[Visit, FormState, Json], Awaitable[Json]]
#: Returns further questions of a page, which are asked at once with its own.
Extra = Callable[[Visit], Mapping[str, Wanted]]
#: Returns the values that a filter chooses between, and their words, by the filter.
Choices = Callable[[Visit], Awaitable[Mapping[str, Mapping[str, str]]]]
#: Makes a page of a command that was done, where it does not lead on to one.
Done = Callable[[Visit, Form, Answer], Awaitable[Response]]
Show = Callable[..., Awaitable[Response]]
#: Returns a form as it is shown first.
Begins = Callable[[Visit], Awaitable[FormState]]
#: Returns the body of a command.
Body = Callable[[Form], Json]
#: Returns fields of the page that asks before a command, such as `effect`, of its object.
OfQuestion = Callable[[Visit, Json], Awaitable[Json]]
NO_OBJECT: Json = {}


def beginning(**values: str) -> Begins:
    """Return what shows a form with these values first."""

    async def begin(_visit: Visit) -> FormState:
        return blank(**values)

    return begin


class Noun:
    """A noun; its methods add to `routes`."""

    #: Shows the list, of a noun that has one.
    show_list: Show

    def __init__(
        self,
        path: str,
        *,
        title: str,
        folder: str,
        at: str = "",
        name: str | Callable[[Json], str] = "name",
        above: tuple[tuple[str, str], ...] = (),
        change: Permission = Permission.READ,
        owners: tuple[str, ...] = ("organization_id",),
        site: Site | tuple[Site, ...] = tenant,
        in_list: bool = False,
        key: str = "id",
    ) -> None:
        """Declare a noun.

        Args:
            path: of its list, below `/api/v1`; one object is below it.
            title: of the list, for headings and crumbs; marked for translation.
            folder: of the templates.
            at: the address of the list, below the pages of the site; empty where it is `path`.
            name: the field of an object that titles its pages, or a function that returns the title.
            above: labels and paths of the crumbs above the list.
            change: the permission for forms and commands.
            owners: the fields of an object that say which organizations it belongs to.
            site: `tenant`, `platform` or `anyone` of `console.routing`, or several of them.
            key: the field of an object by which its address names it.
            in_list: whether the API answers its objects in the list alone, where the `q` of the address finds them.
        """
        self.path, self.title, self.folder = path, title, folder
        self.name: Callable[[Json], str] = (lambda it: str(it[name])) if isinstance(name, str) else name
        self.at, self.one = at or path, f"{at or path}/{{id}}"
        self.above, self.change, self.owners = above, change, owners
        self.sites = site if isinstance(site, tuple) else (site,)
        self.in_list, self.key = in_list, key
        self.routes: list[Route] = []
        self._show: Show | None = None

    def add(self, path: str, page: Callable[[Visit], Awaitable[Response]], *methods: str) -> None:
        """Add a page of its own, below the pages of each site."""
        self.routes += [site(path, page, methods or ("GET",)) for site in self.sites]

    def base(self, visit: Visit) -> str:
        """Return where the addresses of the noun begin."""
        return "/console" if anyone in self.sites else visit.base

    def listed(self, visit: Visit) -> str:
        """Return the address of the list."""
        return f"{self.base(visit)}{self.at}"

    def here(self, visit: Visit, id: str = "") -> str:
        """Return the address of one object: of `id`, or of the one in the address."""
        return f"{self.base(visit)}{self.one}".replace("{id}", quote(id or visit.path("id"), safe="@+"))

    def own(self, visit: Visit) -> str:
        """Return the path of the object in the address, below `/api/v1`."""
        return f"{self.path}/{visit.path('id')}"

    async def find(self, visit: Visit) -> Json:
        """Return the object in the address; raises `Refused` where it belongs to another organization."""
        if self.in_list:
            return await lists.row_of(visit, self.path, self.key)
        return visit.owned((await visit.ask(self.own(visit))).need(), *self.owners)

    async def show(self, visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
        """Show the page of the object in the address, or the list, with a form that says why a command was not done."""
        return await (self._show or self.show_list)(visit, form, status)

    def crumbs(self, visit: Visit, it: Json = NO_OBJECT, *, of_list: bool = False) -> tuple[Link, ...]:
        """Return the crumbs of the list, of a page below it, or of a page below an object."""
        links = [Link(label=gettext(label), href=f"{self.base(visit)}{path}") for label, path in self.above]
        links += [] if of_list else [Link(label=gettext(self.title), href=self.listed(visit))]
        return (*links, *([Link(label=self.name(it), href=self.here(visit, it[self.key]))] if it else []))

    def list(
        self,
        *filters: Filter,
        days: bool = False,
        tabs: Tabs | Callable[[Visit], Tabs] = (),
        summary: str = "",
        values: OfList | None = None,
        extra: Extra | None = None,
        choices: Choices | None = None,
        asks: Callable[[Visit], Mapping[str, str | None]] | None = None,
        others: bool = False,
        template: str = "list",
        create: str = "new",
        may_create: Callable[[Visit], bool] | None = None,
        around: Callable[[Visit], tuple[Tab, ...]] | None = None,
    ) -> None:
        """Add the list and its CSV; the template is `list.html`, with `rows`.

        Args:
            filters: in the order of their fields.
            days: whether it has `from` and `to`.
            tabs: values of the filter that is a `tab`, with their words.
            summary: the path of a summary by status, which counts the rows of each tab.
            values: returns further values for the template, such as `naming`.
            extra: further questions; their answers are in `ListResult.extra`.
            choices: returns the values of filters that `pick` from the API, and their words.
            asks: returns what the page itself asks of the list; None leaves a parameter out.
            others: whether rows can be of agents of other organizations, so that those can be chosen too.
            template: its name in the folder.
            create: the last part of the address of the form that creates an object, or a path; empty for none.
            may_create: whether that is offered, beyond the permission.
            around: returns tabs that lead to other pages.
        """
        names = tuple(each.name for each in filters)

        async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
            more = dict(extra(visit)) if extra else {}
            if summary:
                by = (each.name for each in filters if each.kind == "tab")
                more["summary"] = (summary, lists.asked(visit, *names, days=days).counted(*by))
            words = await choices(visit) if choices else None
            found = await lists.find(
                visit,
                self.path,
                *names,
                days=days,
                at=self.listed(visit),
                fixed=asks(visit) if asks else None,
                extra=more,
                choices=words,
                others=others,
            )
            shown = shown_filters(visit, filters, days=days)
            may = create and visit.may(self.change) and (may_create is None or may_create(visit))
            page = ListPage(
                title=gettext(self.title),
                crumbs=self.crumbs(visit, of_list=True),
                listed=self.view(found, shown),
                form=form or blank(),
                filters=shown,
                parts=around(visit) if around else (),
                tabs=tabs_of(found, filters, tabs(visit) if callable(tabs) else tabs, visit.choices.prefs),
                across=visit.me.is_platform and not visit.org_id,
                create=f"{visit.base if create.startswith('/') else f'{self.listed(visit)}/'}{create}" if may else "",
            )
            added = await values(visit, found) if values else {}
            status = status if form else found.status
            return await visit.show(f"{self.folder}/{template}.html", page, {"rows": found.rows, **added}, status)

        async def download(visit: Visit) -> Response:
            return await lists.csv(visit, self.path, self.title, *names, days=days, **(asks(visit) if asks else {}))

        self.show_list = show
        self.add(self.at, show)
        self.add(f"{self.at}.csv", download)

    def view(self, found: ListResult, filters: tuple[Filter, ...]) -> ListView:
        """Return what stands around the rows of a list, with the words of its chips."""
        labels = {each.name: gettext(each.label) for each in filters if each.kind != "tab"}
        return found.listed(
            gettext(self.title),
            labels | {"from": _("From"), "to": _("To")},
            tabbed=tuple(each.name for each in filters if each.kind == "tab"),
            words={each.name: dict(each.choices) for each in filters if each.kind == "select"},
        )

    def page(
        self,
        *filters: Filter,
        below: str = "",
        tabs: Tabs = (),
        values: OfObject | None = None,
        extra: Extra | None = None,
        instead: Callable[[Visit, Answer], Awaitable[Response | None]] | None = None,
    ) -> None:
        """Add the page of one object; the template is `page.html`, with `it`, and `rows` of the list below it.

        Args:
            filters: of the list below the object.
            below: the path of that list, such as `/transactions`; empty for none.
            tabs: of that list.
            values: returns further values for the template, of the object and the answers to `extra` and for `rows`.
            extra: further questions.
            instead: answers where the organization has no such object, from what the API answered, or returns None.
        """
        names = tuple(each.name for each in filters)

        async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
            found: ListResult | None = None
            wanted: dict[str, Wanted] = {"it": (self.own(visit), {}), **(extra(visit) if extra else {})}
            if below:
                at, path = self.here(visit), f"{self.own(visit)}{below}"
                fixed = {"organization_id": None}
                found = await lists.find(visit, path, *names, days=False, at=at, fixed=fixed, extra=wanted)
                answers, status = dict(found.extra), status if form else found.status
                answers |= {"rows": found.answer} if found.answer is not None else {}
            else:
                answers = await visit.ask_all(**wanted)
            try:
                it = visit.owned(answers["it"].need(), *self.owners)
            except Refused as refused:
                if instead and refused.answer.status == 404 and (other := await instead(visit, answers["it"])):
                    return other
                raise
            page = ObjectPage(
                title=self.name(it),
                crumbs=self.crumbs(visit),
                here=self.here(visit),
                form=form or blank(),
                listed=self._below(visit, found, names) if found else None,
                tabs=tabs_of(found, filters, tabs, visit.choices.prefs) if found else (),
            )
            more: dict[str, Any] = {"rows": found.rows} if found else {}
            more |= await values(visit, it, answers) if values else {}
            return await visit.show(f"{self.folder}/page.html", page, {"it": it, **more}, status)

        self._show = show
        self.add(self.one, show)

    def _below(self, visit: Visit, found: ListResult, names: tuple[str, ...]) -> ListView:
        """Return what stands around the rows of a list below an object; few have a CSV."""
        listed = found.listed("", {}, tabbed=names)
        has_file = visit.has_page(f"{self.base(visit)}{self.one}.csv")
        return listed if has_file else replace(listed, pager=replace(listed.pager, csv=""))

    def form(
        self,
        act: str,
        notice: str,
        *fields: str,
        title: str,
        label: str = "",
        lead: str = "",
        numbers: tuple[str, ...] = (),
        many: tuple[str, ...] = (),
        body: Body | None = None,
        sources: Sources | Callable[[Mapping[str, str]], Sources] | None = None,
        values: OfForm | None = None,
        initial: Callable[[Json], Mapping[str, str]] | None = None,
        begins: Begins | None = None,
        names: Mapping[str, str] | Callable[[Form], Mapping[str, str]] | None = None,
        needs: Permission | None = None,
        method: str = "POST",
        path: str = "",
        to: str = "",
        done: Done | None = None,
        draft: bool = True,
        versioned: bool = False,
        hidden: str = "",
    ) -> None:
        """Add a form on a page of its own; the template is called as the act, such as `new.html`.

        Args:
            act: the last part of the address: below the list, or below an object where `initial` is given.
            notice: the word of `notices.py` for what was done.
            fields: that are sent as they are typed; empty ones are left out, or sent as null for an object.
            title: of the page; of an object with its fields, such as `Change %(name)s`.
            label: of the button; the title where it is empty.
            lead: below the title.
            numbers: fields that are numbers, read in the reader's locale.
            many: fields that may come several times.
            body: returns what is sent, instead of the fields.
            sources: the lists that fields choose from, or a function of the typed values; `page.choices` has them.
            values: returns further values for the template; the object is empty for a form of the list.
            initial: returns the values of a form about an object.
            begins: returns a form of the list as it is shown first.
            names: fields of the API that the form calls otherwise, or a function that returns them for a form.
            needs: its permission, where that is not the noun's.
            method: of the command.
            path: of the command below the list, or below the object.
            to: its whole path, where it is not below these.
            done: makes the page of what was done; otherwise it leads to the object, or to the list.
            draft: whether what is typed is kept in the browser.
            versioned: whether it changes the version that was shown; after a conflict it has the present values.
            hidden: a field whose value is on no page.
        """
        is_change = initial is not None
        at = f"{self.one if is_change else self.at}/{act}"

        def chosen_from(typed: Mapping[str, str]) -> Sources:
            return sources(typed) if callable(sources) else sources or {}

        async def ask(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
            visit.need(needs or self.change)
            answer = await visit.ask(self.own(visit)) if versioned else None
            it = await self.find(visit) if is_change and not answer else NO_OBJECT
            it = visit.owned(answer.need(), *self.owners) if answer else it
            shown = form or (await begins(visit) if begins else blank(**(initial(it) if initial else {})))
            if form and versioned and status == 409 and initial:
                shown = with_summary(blank(**initial(it)), form.summary[0][1])
            page = FormPage(
                title=gettext(title) % it if it else gettext(title),
                crumbs=self.crumbs(visit, it if it and self._show else NO_OBJECT),
                action=f"{self.here(visit) if is_change else self.listed(visit)}/{act}",
                form=shown,
                label=gettext(label or title),
                lead=gettext(lead),
                choices=await lists.choices(visit, chosen_from(shown.values), shown),
                draft=draft,
                version=(answer.etag or "") if answer else "",
            )
            more = await values(visit, shown, it) if values else {}
            return await visit.show(f"{self.folder}/{act}.html", page, {**({"it": it} if it else {}), **more}, status)

        async def send(visit: Visit) -> Response:
            form = await read_form(visit.request, *fields, *numbers, *(("version",) if versioned else ()), many=many)
            form, errors = await picker.resolved(visit, form, chosen_from(form.values))
            if errors:
                return await ask(visit, corrected(form, errors), 422)
            typed = {name: form.maybe(name) for name in fields} | {name: form.maybe_number(name) for name in numbers}
            sent = body(form) if body else typed if is_change else {k: v for k, v in typed.items() if v is not None}
            own = self.own(visit) if is_change else self.path
            scoped = sent if is_change and not to else {**sent, **visit.scope}
            match = form.text("version") if versioned else None
            answer = await visit.command(method, to or f"{own}{path}", scoped, form.key, match=match)
            if answer.ok and done:
                return await done(visit, form, answer)
            after, called = self._after(visit, answer), names(form) if callable(names) else names
            return await visit.concluded(form, answer, after, notice, show=ask, names=called, hidden=hidden)

        self.add(at, ask)
        self.add(at, send, *COMMAND)

    def command(
        self,
        act: str,
        notice: str,
        *fields: str,
        method: str = "POST",
        path: str | None = None,
        body: Json | Body | None = None,
        names: Mapping[str, str] | None = None,
        done: Done | None = None,
        show: Show | None = None,
    ) -> None:
        """Add a command that is a button or a short form, on the page of an object or its row, which show a refusal.

        Where objects have no page, the button is on the list.

        Args:
            act: the last part of the address.
            notice: the word of `notices.py` for what was done.
            fields: of the form, which are sent where no body is given; `version` is the ETag of what was shown.
            method: of the command.
            path: below the object; as the address where it is None.
            body: what is sent, or a function that returns it.
            names: fields of the API that the form calls otherwise.
            done: makes the page of what was done; otherwise it leads to the object, or to the list as it was.
            show: makes the page that shows a refusal, where that is another one.
        """

        async def send(visit: Visit) -> Response:
            form = await read_form(visit.request, *fields)
            own = self.own(visit) + (f"/{act}" if path is None else path)
            typed = {name: form.text(name) for name in fields if name != "version"} or None
            sent = body(form) if callable(body) else body or typed
            match = form.text("version") if "version" in fields else None
            answer = await visit.command(method, own, sent, form.key, match=match)
            if answer.ok and done:
                return await done(visit, form, answer)
            after = self.here(visit) if self._show else lists.back(visit, self.listed(visit))
            return await visit.concluded(form, answer, after, notice, show=show or self.show, names=names)

        self.add(f"{self.one}/{act}", send, *COMMAND)

    def question(
        self,
        act: str,
        notice: str,
        *,
        title: str = "",
        label: str,
        effect: tuple[str, ...] | Callable[[Json], tuple[str, ...]] = (),
        facts: Callable[[Json], tuple[tuple[str, str], ...]] | None = None,
        values: OfQuestion | None = None,
        kind: str = "danger",
        method: str = "POST",
        path: str | Callable[[Visit], str] | None = None,
        body: Json | Callable[[Visit], Json] | None = None,
        query: Callable[[Visit], Query] | None = None,
        kept: tuple[str, ...] = (),
        done: Done | None = None,
    ) -> None:
        """Add a command that asks before it is done, on a page that says its effect.

        Args:
            act: the last part of the address.
            notice: the word of `notices.py` for what was done.
            title: the question, with fields of the object, such as `Close %(name)s?`; `called` is its title.
            label: of the button.
            effect: sentences, or a function of the object that returns them.
            facts: returns names and values of what it is about.
            values: returns fields of the page that depend on more than that, written already.
            kind: of the button.
            method: of the command.
            path: below the object; as the address where it is None, and empty for `DELETE`.
            body: what is sent.
            query: of the command.
            kept: numbers of the object that are sent as they were shown, such as its version.
            done: makes the page of what was done; otherwise it leads to the object, or to the list.
        """

        async def ask(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
            visit.need(self.change)
            it = await self.find(visit)
            page = Confirmation(
                title=gettext(title) % {**it, "called": self.name(it)},
                back=self._after(visit, None),
                action=f"{self.here(visit)}/{act}" + (f"?{asked}" if (asked := visit.request.url.query) else ""),
                label=gettext(label),
                form=form or blank(),
                facts=facts(it) if facts else (),
                effect=tuple(gettext(each) for each in (effect(it) if callable(effect) else effect)),
                fields=tuple((name, str(it[name])) for name in kept),
                kind=kind,
            )
            page = replace(page, **await values(visit, it)) if values else page
            return await visit.render("parts/confirmation.html", page, status)

        async def send(visit: Visit) -> Response:
            form = await read_form(visit.request, *kept)
            usual = "" if method == "DELETE" else f"/{act}"
            own = self.own(visit) + (usual if path is None else path(visit) if callable(path) else path)
            given = body(visit) if callable(body) else body
            sent = {**(given or {}), **{name: form.maybe_whole(name) for name in kept}} if kept else given
            answer = await visit.command(method, own, sent, form.key, query=query(visit) if query else None)
            if answer.ok and done:
                return await done(visit, form, answer)
            after = self.listed(visit) if method == "DELETE" and not path else self._after(visit, None)
            return await visit.concluded(form, answer, after, notice, show=ask)

        self.add(f"{self.one}/{act}", ask)
        self.add(f"{self.one}/{act}", send, *COMMAND)

    def once(self, act: str, title: Callable[[Json], str], **values: Any) -> Done:
        """Return a `done` that shows the answer to a command, such as a secret, on a page that is stored nowhere.

        Args:
            act: the name of the template, with `it`.
            title: of the page.
            values: further values for the template.
        """

        async def show(visit: Visit, _form: Form, answer: Answer) -> Response:
            it = answer.body
            here, crumbs = self.here(visit, it[self.key]), self.crumbs(visit)
            page = ObjectPage(title=title(it), crumbs=crumbs, here=here, form=blank())
            return await visit.show(f"{self.folder}/{act}.html", page, {"it": it, **values}, secret=True)

        return show

    def _after(self, visit: Visit, answer: Answer | None) -> str:
        """Return where a command leads on to: the page of its object, or the list where objects have no page."""
        if self._show is None:
            return self.listed(visit)
        id = visit.request.path_params.get("id") or (answer.body[self.key] if answer is not None and answer.ok else "")
        return self.here(visit, id) if id else self.listed(visit)
