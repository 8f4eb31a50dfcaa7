"""One request of a signed-in principal: who it is, its preferences, and the API with its session.

A page is a function from a `Visit` to a response. Who asks is known before it runs; everything else it asks for at
once, and what the frame needs is asked beside it.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlencode

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from console import forms
from console.assets import Assets
from console.choices import Choices, read_choices
from console.cookies import Site, is_loopback
from console.forms import Form, FormState
from console.frame import Frame, frame
from console.gateway import SILENCE, Answer, Gateway, Problem, Query, Refused, Wanted, encoded
from console.mentions import Naming
from console.notices import FROM_ELSEWHERE
from console.objects import named, page_of_case
from console.pages import html
from console.problems import Reaction, reaction_to, words_of
from console.refusals import forbidden, not_found, nothing_done
from console.texts import N_, _, gettext
from console.who import Me, Organization, organization_of
from console.widgets import Page
from domain.cards.card import issues_to
from domain.common.access import Permission
from domain.common.ids import is_id
from domain.messages.mentions import ids_in
from runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Console:
    """Objects that all requests share; `create_console` makes it."""

    settings: Settings
    api: ASGIApp
    site: Site
    assets: Assets
    environment: Environment
    exists: Callable[[str], bool]


class SignInNeeded(Exception):
    """There is no session, or it has ended."""

    def __init__(self, *, ended: bool) -> None:
        super().__init__()
        self.ended = ended


#: Shown where the answer to a value is missing: the form cannot hold what was typed.
TYPE_AGAIN = N_("It is not known whether the value was stored. Enter the same value again: it is not stored twice.")
#: So many names the API gives at once.
_NAMES = 200
#: Shows the page of a form again, with the form as it is now and the status of the answer.
ShowAgain = Callable[["Visit", FormState, int], Awaitable[Response]]


class Visit:
    """See the module.

    Attributes:
        request: of the browser.
        me: who asks.
        choices: how they read; `choices.prefs` is what `console.format` takes.
        org_id: the organization of the address; empty on pages that have none.
        api: the gateway, for what the methods below do not do.
    """

    def __init__(
        self, request: Request, console: Console, me: Me, api: Gateway, marks: Mapping[str, int] | None = None
    ) -> None:
        """Take who asks, as `begin` has found them, and the marks of what changes, read before anything else."""
        self.request = request
        self.me = me
        self.choices: Choices = read_choices(request, console.site, me)
        self.org_id: str = request.path_params.get("org", "")
        self.api = api
        self._console = console
        # Pages that are of no organization stand among those of one's own.
        self._around = self.org_id or (me.organization.id if me.organization else "")
        self._organization: Organization | None = None
        self._balance: Answer | None = None
        self._framed = False
        self._marks = marks

    @property
    def base(self) -> str:
        """Where the pages around this one begin: `/console/org_…`, or `/console/platform`."""
        return f"/console/{self._around}" if self._around else "/console/platform"

    @property
    def organization(self) -> Organization | None:
        """Organization that the pages belong to; None on the platform's. Known after the first request to the API."""
        return self._organization

    @property
    def scope(self) -> dict[str, str]:
        """Filter that limits an operator's API lists to the organization in the address."""
        return {"organization_id": self.org_id} if self.me.is_platform and self.org_id else {}

    @property
    def reads_all(self) -> bool:
        return not self.me.is_platform or self.may(Permission.INSPECT)

    @property
    def reads_money(self) -> bool:
        return self.reads_all and (self.me.is_platform or self.may(Permission.READ_BILLING))

    @property
    def stripe_form(self) -> tuple[str, str] | None:
        """The script of Stripe's own form and the publishable key; None where pages have no such form."""
        script, key = self._console.settings.stripe_js, self._console.settings.stripe_publishable_key
        return (script, key) if script and key else None

    @property
    def issues_cards(self) -> bool:
        return issues_to(self._console.settings.issuing, self.org_id or "")

    def may(self, permission: Permission) -> bool:
        """Return whether the role has a permission: for what is offered. What is allowed is the API's to say."""
        return self.me.may(permission)

    def need(self, permission: Permission) -> None:
        """Refuse a page to a role that may nothing of what it is for; raises `Refused`, as the API would."""
        if not self.may(permission):
            raise Refused(forbidden(self.request))

    def owned(self, body: Mapping[str, Any], *names: str) -> Mapping[str, Any]:
        """Return an object that is of the organization in the address, if there is one; raises `Refused` for others.

        Tenants see no others, but the platform's roles would see them as this organization's. What people of an
        organization sign is theirs too.

        Args:
            body: the object, as the API shows it.
            names: the fields that say whose it is, an id or a list; `organization_id` where none is named.
        """
        signing = {name.partition("/")[0] for name in body.get("signatories", ()) if "/" in name}
        owners = [body[name] for name in names or ("organization_id",)] if self.org_id else []
        of = {id for each in owners for id in (each if isinstance(each, list) else (each,))}
        if self.org_id and self.org_id not in signing | of:
            raise Refused(not_found(self.request))
        return body

    def address_of(self, path: str) -> str | None:
        """Return a page of these as others reach it, for the way back from a provider's page.

        None where `BURSAR_PUBLIC_URL` is not set and the browser is not on this machine: its word is not taken for it.
        """
        origin = self._console.site.origin
        if origin is None and is_loopback(self.request):
            origin = f"{self.request.url.scheme}://{self.request.headers['host']}"
        return None if origin is None else f"{origin}{self.base}{path}"

    def has_page(self, path: str) -> bool:
        return self._console.exists(path)

    def link(self, id: str, org_id: str | None = None) -> str:
        """Return the address of the page of what an id names; empty if it has none.

        Args:
            id: of the object.
            org_id: whose it is, for pages of the platform, which are of all organizations.
        """
        if self.me.is_platform and is_id(id, "org"):
            return f"/console/platform/organizations/{id}"
        if self.me.is_platform and is_id(id, "agt"):
            # A text does not say whose agent it mentions.
            return f"/console/platform/reputation/{id}" if self.may(Permission.INSPECT) else ""
        if self.may(Permission.RISK_READ) and (page := page_of_case(id)):
            return page
        return named(id, f"/console/{org_id}" if org_id and not self._around else self.base, self.has_page)

    async def naming(self, rows: Iterable[Mapping[str, Any]], *fields: str) -> Naming:
        """Return how the objects that rows mention are written; the ids stand where the API does not say the names.

        Args:
            rows: of the API.
            fields: those of a row that hold ids, or texts and objects with ids in them.
        """
        ids = sorted(ids_in(str(row.get(field)) for row in rows for field in fields))
        parts = range(0, len(ids), _NAMES) if self.may(Permission.READ_BILLING) else ()
        answers = await self.ask_all(**{f"from {at}": ("/names", {"ids": ids[at : at + _NAMES]}) for at in parts})
        names = {id: name for answer in answers.values() if answer.ok for id, name in answer.body["names"].items()}
        return Naming(names=names, prefs=self.choices.prefs, href=self.link)

    def path(self, name: str) -> str:
        return str(self.request.path_params[name])

    def chosen(self, *names: str) -> dict[str, str]:
        """Return those parameters of the address that are given and not empty, each once: the filters of a list."""
        given = self.request.query_params
        return {name: given[name].strip() for name in names if given.get(name, "").strip()}

    async def ask(self, path: str, **query: str | int | Sequence[str] | None) -> Answer:
        """Ask for one thing; see `ask_all`."""
        return (await self.ask_all(it=(path, query)))["it"]

    async def ask_all(self, **wanted: Wanted) -> dict[str, Answer]:
        """Ask for everything that a page shows, at once; with it what the frame shows.

        Args:
            wanted: by a name of the page's own: the path below `/api/v1`, and the query.

        Returns:
            The answers by the same names. Those that are refused or late have a `problem`; `need()` raises it.
        """
        extra = {} if self._framed else self._of_the_frame()
        answers = await self.api.ask_all({**wanted, **extra})
        if any(answer.status == 401 for answer in answers.values()):
            raise SignInNeeded(ended=True)
        self._take(answers)
        return {name: answers[name] for name in wanted}

    async def command(
        self,
        method: str,
        path: str,
        body: Any = None,
        key: str | None = None,
        *,
        match: str | None = None,
        query: Query | None = None,
    ) -> Answer:
        """Give a command; `done` and `refused` make a page of its answer."""
        answer = await self.api.command(method, path, body, key, match=match, query=query)
        if answer.status == 401:
            raise SignInNeeded(ended=True)
        return answer

    def stream(self, path: str, query: Query | None = None, *, accept: str, name: str | None = None) -> Response:
        """Answer with a stream of the API, handed on as it comes; see `Gateway.pass_through`."""
        return Passed(self.api, path, encoded(query or {}), accept, name)

    async def render(self, template: str, page: object, status: int = 200, *, secret: bool = False) -> Response:
        """Answer with a page; see `console.pages.html`."""
        return await self.show(template, page, {}, status, secret=secret)

    async def show(
        self, template: str, page: object, values: Mapping[str, Any], status: int = 200, *, secret: bool = False
    ) -> Response:
        """Answer with a page whose template reads answers of the API; `values` are its further names."""
        page = replace(page, base=self.base) if isinstance(page, Page) else page
        whole = replace(await self.frame(), is_there=self.request.method == "GET" and status < 400)
        return html(
            self.request, self._console.environment, template, page, whole, status=status, secret=secret, values=values
        )

    async def frame(self) -> Frame:
        if not self._framed:
            await self.ask_all()
        url, query = self.request.url, self.request.query_params
        kept = urlencode([pair for pair in parse_qsl(url.query) if pair[0] != "notice"])
        return frame(
            self.me,
            self.choices,
            brand=self._console.settings.brand_name,
            path=url.path,
            query=kept if self.request.method == "GET" else "",
            exists=self._console.exists,
            organization=self._organization,
            balance=self._balance,
            marks=self._marks,
            notice=query.get("notice", "") if self._is_led else "",
            back=self._console.site.read(self.request, "back"),
        )

    def done(self, path: str, notice: str = "", answer: Answer | None = None) -> Response:
        """Lead on after a command that was done, with a notice of `notices.py`.

        Args:
            path: of the console, such as `f"{visit.base}/escrows/{id}"`.
            notice: its word.
            answer: of the command; where it was done before, that is said instead.
        """
        word = "again" if answer is not None and answer.replayed else notice
        separator = "&" if "?" in path else "?"
        return RedirectResponse(f"{path}{separator}notice={word}" if word else path, 303)

    async def concluded(
        self,
        form: Form,
        answer: Answer,
        path: str,
        notice: str,
        *,
        show: ShowAgain,
        names: Mapping[str, str] | None = None,
        hidden: str = "",
    ) -> Response:
        """Make a page of the answer to a command: `done` with a path and a notice, or `refused` with its form.

        The value of the field `hidden` is on no page: where it is not known whether it was stored, it is typed again.
        """
        if answer.ok:
            return self.done(path, notice, answer)
        if hidden:
            form = replace(form, values={**form.values, hidden: ""})
            if answer.problem is not None and reaction_to(answer.problem) is Reaction.UNKNOWN:
                again = forms.again(form, answer, names, same_key=True)
                return await show(self, forms.with_summary(again, gettext(TYPE_AGAIN)), 503)
        return await self.refused(form, answer, show, names)

    async def refused(
        self, form: Form, answer: Answer, show: ShowAgain, names: Mapping[str, str] | None = None
    ) -> Response:
        """Make a page of a command that the API did not do.

        Args:
            form: as it was sent.
            answer: of the command.
            show: renders the page that the form stands on, read anew.
            names: fields of the API that the form calls otherwise.
        """
        problem = answer.problem
        assert problem is not None
        match reaction_to(problem):
            case Reaction.FIELDS:
                return await show(self, forms.again(form, answer, names), 422)
            case Reaction.WAIT:
                shown = forms.again(form, answer, names, same_key=True)
                return await show(self, forms.with_summary(shown, _when(answer)), 429)
            case Reaction.CHANGED:
                shown = forms.again(form, answer, names)
                return await show(self, forms.with_summary(shown, nothing_done(problem.detail)), 409)
            case Reaction.FUNDS | Reaction.LIMIT:
                shown = forms.again(form, answer, names)
                return await show(self, forms.with_way_on(shown, *self._way_on(problem)), answer.status)
            case Reaction.OTHER_CONTENT:
                shown = forms.with_summary(
                    forms.again(form, answer, names), ". ".join(words_of(Reaction.OTHER_CONTENT))
                )
                return await show(self, forms.with_way_on(shown, *self._first_result(problem)), 422)
            case Reaction.UNKNOWN | Reaction.REVIEW as reaction:
                return await self._not_done_yet(form, answer, reaction)
            case _:
                raise Refused(answer)

    async def _not_done_yet(self, form: Form, answer: Answer, reaction: Reaction) -> Response:
        """Make a page with the same form and key: of an outcome that is not known, or of an act that is reviewed."""
        wait = min(max(answer.retry_after or 2, 1), 60)
        title, sentence = words_of(reaction)
        pairs = [*form.values.items(), *((name, value) for name, values in form.lists.items() for value in values)]
        problem = answer.problem
        page = NotKnownYet(
            title=title,
            sentence=sentence,
            action=self.request.url.path,
            fields=((forms.COMMAND, form.key), *pairs),
            wait_seconds=wait,
            request_id=answer.request_id,
            silent=problem is not None and problem.code == SILENCE,
        )
        if problem is not None and reaction is Reaction.REVIEW:
            case = self.link(str(problem.more.get("case_id", ""))) if self.may(Permission.READ_BILLING) else ""
            return await self.render("parts/in_review.html", replace(page, case=case), 202)
        return await self.render("parts/not_known_yet.html", page, 503)

    @property
    def _is_led(self) -> bool:
        """Whether a page of ours has led here, so that a foreign link cannot make up a notice.

        Who comes from a provider's page is led through an address of its own, which proves nothing.
        """
        site = self.request.headers.get("sec-fetch-site", "same-origin")
        return site == "same-origin" or self.request.query_params.get("notice") in FROM_ELSEWHERE

    def _way_on(self, problem: Problem) -> tuple[str, str]:
        """Return what one can do about missing money or a limit: a label and an address; empty where nothing."""
        needed, available = problem.more.get("needed"), problem.more.get("available")
        if problem.code == "ledger.insufficient_funds" and isinstance(needed, str) and isinstance(available, str):
            short = max(Decimal(needed) - Decimal(available), Decimal(0))
            href = f"{self.base}/top-up"
            if self.has_page(href) and self.may(Permission.PAY):
                return _("Add credits"), f"{href}?credits={short:f}"
        plans = f"{self.base}/billing/plans"
        if reaction_to(problem) is Reaction.LIMIT and self.has_page(plans) and self.may(Permission.READ_BILLING):
            return _("View plans"), plans
        return "", ""

    def _first_result(self, problem: Problem) -> tuple[str, str]:
        """Return where the result of what was sent first under a form's key is shown; empty if that has no page."""
        first = problem.more.get("object_id")
        href = named(first, self.base, self.has_page) if isinstance(first, str) else ""
        return (_("Check the result first"), href) if href else ("", "")

    def _of_the_frame(self) -> dict[str, Wanted]:
        """Return what the frame asks for: the balance, and whose pages these are where that is not one's own."""
        if not self._around:
            return {}
        extra: dict[str, Wanted] = {}
        if self.me.may(Permission.READ):
            extra["frame.balance"] = ("/billing/balance", self.scope)
        if self.me.organization is None:
            extra["frame.organization"] = (f"/organizations/{self._around}", {})
        return extra

    def _take(self, answers: Mapping[str, Answer]) -> None:
        if self._framed:
            return
        self._framed = True
        self._balance = answers.get("frame.balance")
        if self._around:
            own = self.me.organization
            self._organization = own or organization_of(answers["frame.organization"].need())


class Passed(Response):
    def __init__(self, api: Gateway, path: str, query: bytes, accept: str, name: str | None) -> None:
        super().__init__()
        self._api, self._path, self._query, self._accept, self._name = api, path, query, accept, name

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._api.pass_through(
            scope, receive, send, self._path, self._query, accept=self._accept, name=self._name
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class NotKnownYet:
    """A command whose outcome is not known, or that is reviewed in a `case`; its form asks again with the same key."""

    title: str
    sentence: str
    action: str
    fields: tuple[tuple[str, str], ...]
    wait_seconds: int
    request_id: str
    silent: bool
    case: str = ""


def _when(answer: Answer) -> str:
    seconds = answer.retry_after
    return _("Try again in %(seconds)s seconds.", seconds=seconds) if seconds else _("Try again in a moment.")
