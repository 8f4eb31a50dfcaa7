"""Builds the console: routes, headers of every answer, error pages. `server.py` mounts it at `/console`."""

import functools
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from console.arrival import came_from, frame_of_nobody
from console.assets import Assets
from console.choices import read_choices
from console.cookies import SAFE_METHODS, Site, own_path
from console.forms import FormRefused
from console.gateway import Answer, Refused, request_id_of
from console.nouns import ROUTES
from console.pages import html, make_environment
from console.policy import POLICY
from console.problems import STATUSES, Reaction, reaction_to, words_of
from console.reader import Reader, set_reader
from console.refusals import not_found
from console.routing import console_of
from console.texts import _
from console.visit import Console, SignInNeeded, Visit
from domain.common.access import Permission
from domain.common.ids import is_id
from runtime.settings import Settings

log = structlog.get_logger("bursar.console")

HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=()",
    "Cache-Control": "no-store",
}
HSTS = "max-age=31536000"


def create_console(settings: Settings, api: ASGIApp) -> Starlette:
    """Build the console."""
    light, dark = settings.brand_accent, settings.brand_accent_dark
    site, assets = Site.of(settings), Assets(accent=(light, dark) if light and dark else None)
    routes: list[BaseRoute] = [
        Route("/assets/{name}", _asset),
        *ROUTES,
    ]
    handlers: Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
        HTTPException: _on_http,
        Refused: _on_refused,
        SignInNeeded: _on_sign_in,
        FormRefused: _on_form,
    }
    exists = functools.partial(_exists, _templates(routes))
    console = Console(settings, api, site, assets, make_environment(assets), exists)
    app = Starlette(
        routes=routes,
        middleware=[Middleware(Guard, console=console)],
        exception_handlers=handlers,
    )
    app.router.redirect_slashes = False
    app.state.console = console
    return app


def mount(app: Starlette, settings: Settings) -> None:
    """Put the console on an app of the API, where `BURSAR_CONSOLE` has one: below `/console`, and `/` leads there."""
    if settings.console == "off":
        return
    # Before the API's: they are hundreds, and each would be tried with a page's address.
    app.router.routes[:0] = [
        Route("/", _to_console),
        Route("/console", _to_console),
        Mount("/console", create_console(settings, app)),
    ]


async def _to_console(_request: Request) -> Response:
    return RedirectResponse("/console/", 303)


class Guard:
    """The edge of the console: it refuses forms of other sites, gives every answer its headers, what broke a page."""

    def __init__(self, app: ASGIApp, console: Console) -> None:
        self._app = app
        self._console = console
        headers = HEADERS | ({"Strict-Transport-Security": HSTS} if console.site.secure else {})
        self._headers = [(name.lower().encode(), value.encode()) for name, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def send_with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                given = list(message.get("headers", ()))
                named = {name.lower() for name, _ in given}
                message = {**message, "headers": given + [pair for pair in self._headers if pair[0] not in named]}
            await send(message)

        request = Request(scope, receive)
        # The browser's, until it is known who asks.
        set_reader(Reader(prefs=read_choices(request, self._console.site).prefs))
        try:
            if scope["method"] not in SAFE_METHODS and not self._console.site.sent_by_us(request):
                log.warning("console.foreign_form", method=scope["method"], path=scope["path"][:200])
                await _foreign(request, self._console)(scope, receive, send_with_headers)
                return
            await self._app(scope, receive, send_with_headers)
        except Exception as error:
            if begun:
                raise
            log.error("console.failed", path=scope["path"][:200], exc_info=error)
            await _broken(request, self._console)(scope, receive, send_with_headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemPage:
    """Page that reports a problem instead of the requested page.

    Attributes:
        title: what is the matter.
        sentence: what that means, and what to do.
        detail: what the API said beside it; empty if that adds nothing.
        request_id: finds the request in the logs.
        again: an address to go on at; empty if none helps.
        again_label: what that does.
        approval: the approval that another operator gives; empty without one.
    """

    title: str
    sentence: str
    request_id: str
    detail: str = ""
    again: str = ""
    again_label: str = ""
    approval: str = ""


async def _asset(request: Request) -> Response:
    answer = console_of(request).assets.answer(request.path_params["name"], request.headers.get("accept-encoding", ""))
    return answer or PlainTextResponse(_("File not found."), 404)


async def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    response = await _page(request, not_found(request))
    response.status_code = error.status_code
    return response


async def _on_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return await _page(request, error.answer)


async def _on_form(request: Request, error: Exception) -> Response:
    assert isinstance(error, FormRefused)
    page = ProblemPage(
        title=_("Open the form again"),
        sentence=_("The form is invalid. Nothing was done."),
        detail=error.detail,
        request_id=request_id_of(request),
        again=came_from(request) or "",
        again_label=_("Open the form"),
    )
    return await _shown(request, page, error.status)


async def _on_sign_in(request: Request, error: Exception) -> Response:
    assert isinstance(error, SignInNeeded)
    url = request.url
    here = f"{url.path}?{url.query}" if url.query else url.path
    back = own_path(here) if request.method in SAFE_METHODS else came_from(request)
    query = {"next": back} if back and back != "/console/" else {}
    query |= {"notice": "session.ended"} if error.ended else {}
    response = RedirectResponse(f"/console/sign-in?{urlencode(query)}" if query else "/console/sign-in", 303)
    # Not for a stream or a script of a page: the page itself asks next, and is to be told that there was a session.
    if error.ended and request.headers.get("sec-fetch-mode", "navigate") == "navigate":
        console_of(request).site.drop(response, "session")
    return response


async def _page(request: Request, answer: Answer) -> Response:
    problem = answer.problem
    assert problem is not None
    reaction = reaction_to(problem)
    if reaction is Reaction.SIGN_IN:
        return await _on_sign_in(request, SignInNeeded(ended=True))
    title, sentence = words_of(reaction)
    visit: Visit | None = request.scope.get("console.visit")
    if reaction is Reaction.UNKNOWN and not (visit and visit.api.is_commanded):
        title, sentence = _("Not available right now"), _("Nothing was done. Try again in a moment.")
    again, label = _going_on(request, reaction)
    if visit and reaction is Reaction.BLOCKED and not visit.me.is_platform:
        again = f"{visit.base}/reviews/decisions/{problem.more.get('decision_id', '')}/appeal"
        again, label = (again, _("Appeal")) if visit.may(Permission.CONTEST) else ("", "")
    page = ProblemPage(
        title=title,
        sentence=sentence,
        detail="" if reaction is Reaction.NOT_FOUND else problem.detail,
        request_id=answer.request_id,
        again=again,
        again_label=label,
        approval=str(problem.more.get("approval_id", "")) if reaction is Reaction.APPROVAL else "",
    )
    return await _shown(request, page, STATUSES.get(reaction, answer.status))


def _going_on(request: Request, reaction: Reaction) -> tuple[str, str]:
    """Return an address to go on at and what that does; empty if nothing helps."""
    url = request.url
    if request.method in SAFE_METHODS:
        here = f"{url.path}?{url.query}" if url.query else url.path
        return (here if reaction in {Reaction.UNKNOWN, Reaction.WAIT} else "", _("Try again"))
    return came_from(request) or "", _("Back to the page")


async def _shown(request: Request, page: ProblemPage, status: int) -> Response:
    visit: Visit | None = request.scope.get("console.visit")
    if visit is not None:
        try:
            return await visit.render("parts/problem.html", page, status)
        except (Refused, SignInNeeded):
            log.info("console.frame_left_out", path=request.url.path[:200])
    return _plainly(request, console_of(request), page, status)


def _foreign(request: Request, console: Console) -> Response:
    page = ProblemPage(
        title=_("Form sent from another site"),
        sentence=_("Nothing was done. Open the page and send the form again."),
        request_id=request_id_of(request),
    )
    return _plainly(request, console, page, 403)


def _broken(request: Request, console: Console) -> Response:
    page = ProblemPage(
        title=_("Internal error"),
        sentence=_("If you sent a form, check whether it was processed before you send it again."),
        request_id=request_id_of(request),
    )
    return _plainly(request, console, page, 500)


def _plainly(request: Request, console: Console, page: ProblemPage, status: int) -> Response:
    frame = frame_of_nobody(request, console)
    return html(request, console.environment, "parts/problem.html", page, frame, status=status)


def _templates(routes: Sequence[BaseRoute]) -> frozenset[str]:
    return frozenset(
        f"/console{route.path}" for route in routes if isinstance(route, Route) and "GET" in (route.methods or ())
    )


def _exists(templates: frozenset[str], path: str) -> bool:
    parts = path.split("/", 3)
    if len(parts) > 2 and is_id(parts[2], "org"):
        parts[2] = "{org}"
    return "/".join(parts) in templates
