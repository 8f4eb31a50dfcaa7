"""Signing in with a key, entering by a link, signing out.

The key goes to the API once and comes back as a session's token, which is all that the browser keeps, in a cookie that
scripts do not see.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from console.arrival import frame_of_nobody, gateway_of
from console.cookies import own_path
from console.development import key_of, personas
from console.forms import FormState, blank, read_form
from console.gateway import Answer
from console.navigation import start_of
from console.pages import html
from console.problems import Reaction, reaction_to
from console.routing import COMMAND, anyone, console_of
from console.texts import N_, _, gettext
from console.visit import Visit
from console.widgets import FormPage, Page

#: The answer to any wrong key.
_WRONG_KEY = N_("Invalid key: it is unknown, revoked or expired.")
_NO_ADDRESS = N_("Invalid e-mail address. Use the format name@example.com.")
_SILENT = N_("The API does not respond, so you cannot sign in. Try again shortly.")


async def sign_in(request: Request) -> Response:
    return _form(request, blank(), own_path(request.query_params.get("next")) or "")


async def open_session(request: Request) -> Response:
    form = await read_form(request, "key", "next", command=False)
    return await _opened(request, form.text("key"), own_path(form.text("next")) or "")


async def mail_link(request: Request) -> Response:
    form = await read_form(request, "email", command=False)
    address = form.text("email")
    answer = await gateway_of(request, console_of(request), None).command("POST", "/sessions/mail", {"email": address})
    if answer.problem is None:
        return _shown(request, "entry/mailed.html", Page(title=_("Check your mail")), {"email": address})
    match reaction_to(answer.problem):
        case Reaction.UNKNOWN:
            return _form(request, _said("", gettext(_SILENT)), "", 503)
        case Reaction.FIELDS:
            return _form(request, _said("email", gettext(_NO_ADDRESS), email=address), "", 422)
        case _:
            return _form(request, _said("", answer.problem.detail, email=address), "", answer.status)


async def continue_as(request: Request) -> Response:
    form = await read_form(request, "persona", "next", command=False)
    key = key_of(request, console_of(request).settings.console_seed, form.text("persona"))
    return await _opened(request, key or "", own_path(form.text("next")) or "")


async def preview_link(request: Request) -> Response:
    """Show who one becomes; programs that follow links in mails open this page too, so it uses nothing up."""
    console = console_of(request)
    token = request.path_params["token"]
    answer = await gateway_of(request, console, None).command("POST", "/sessions/links/preview", {"token": token})
    if answer.problem is not None:
        return _no_entry(request, answer)
    it = answer.body
    name, host = (it.get("organization") or {}).get("name", ""), urlsplit(it.get("return_url") or "").netloc
    title = _("Sign in to %(name)s", name=name) if it["by_mail"] else _("Sign in with this link")
    values = {"it": it, "token": token, "organization": name, "back_host": host}
    return _shown(request, "entry/enter.html", Page(title=title), values)


async def redeem_link(request: Request) -> Response:
    form = await read_form(request, "token", command=False)
    console = console_of(request)
    answer = await gateway_of(request, console, None).command("POST", "/sessions/redeem", {"token": form.text("token")})
    if answer.problem is not None:
        return _no_entry(request, answer)
    response = _with_session(request, answer.body, own_path(answer.body.get("path")) or "")
    if answer.body.get("return_url"):
        console.site.keep(response, "back", answer.body["return_url"])
    return response


async def start(visit: Visit) -> Response:
    return RedirectResponse(start_of(visit.me, visit.has_page), 303)


async def ask_to_sign_out(visit: Visit) -> Response:
    return await visit.render("entry/sign_out.html", Page(title=_("Sign out")))


async def sign_out(visit: Visit) -> Response:
    """End the session at the API and in the browser, with what the browser has kept of its pages."""
    if visit.me.session_id is not None:
        await visit.api.command("DELETE", f"/sessions/{visit.me.session_id}")
    response = RedirectResponse("/console/sign-in?notice=session.signed_out", 303)
    site = console_of(visit.request).site
    site.drop(response, "session")
    site.drop(response, "back")
    response.headers["Clear-Site-Data"] = '"cache", "storage"'
    return response


async def _opened(request: Request, key: str, next_path: str) -> Response:
    if not _is_sendable(key):
        return _form(request, _said("key", gettext(_WRONG_KEY)), next_path, 401)
    answer = await gateway_of(request, console_of(request), key).command("POST", "/sessions", {})
    if answer.problem is None:
        return _with_session(request, answer.body, next_path)
    match reaction_to(answer.problem):
        case Reaction.UNKNOWN:
            return _form(request, _said("", gettext(_SILENT)), next_path, 503)
        case Reaction.SIGN_IN:
            return _form(request, _said("key", gettext(_WRONG_KEY)), next_path, 401)
        case _:
            return _form(request, _said("", answer.problem.detail), next_path, answer.status)


def _with_session(request: Request, opened: dict[str, Any], next_path: str) -> Response:
    site = console_of(request).site
    response = RedirectResponse(next_path or "/console/", 303)
    site.keep(response, "session", opened["token"])
    site.drop(response, "back")
    return response


def _form(request: Request, form: FormState, next_path: str, status: int = 200) -> Response:
    offered = personas(request, console_of(request).settings.console_seed)
    values = {"next": next_path, "personas": offered, "by_mail": console_of(request).settings.mails_links}
    return _shown(request, "entry/sign_in.html", FormPage(title=_("Sign in"), form=form), values, status)


def _no_entry(request: Request, answer: Answer) -> Response:
    assert answer.problem is not None
    unknown = reaction_to(answer.problem) is Reaction.UNKNOWN
    sentence = gettext(_SILENT) if unknown else answer.problem.detail
    return _shown(request, "entry/no_entry.html", Page(title=_("Invalid link")), {"sentence": sentence}, answer.status)


def _shown(request: Request, template: str, page: Page, values: Mapping[str, Any], status: int = 200) -> Response:
    console = console_of(request)
    frame, environment = frame_of_nobody(request, console), console.environment
    response = html(request, environment, template, page, frame, status=status, secret=True, values=values)
    # The address of a link opens it until it was used.
    response.headers["Referrer-Policy"] = "no-referrer" if "token" in request.path_params else "same-origin"
    return response


def _said(name: str, sentence: str, **values: str) -> FormState:
    return FormState(key="", values=values, errors={name: sentence} if name else {}, summary=((name, sentence),))


def _is_sendable(key: str) -> bool:
    return bool(key) and len(key) <= 300 and key.isascii() and key.isprintable() and " " not in key


ROUTES = (
    anyone("/", start),
    Route("/sign-in", sign_in, methods=["GET"]),
    Route("/sign-in", open_session, methods=["POST"]),
    Route("/sign-in/mail", mail_link, methods=["POST"]),
    Route("/continue", continue_as, methods=["POST"]),
    Route("/enter/{token}", preview_link, methods=["GET"]),
    Route("/enter", redeem_link, methods=["POST"]),
    anyone("/sign-out", ask_to_sign_out),
    anyone("/sign-out", sign_out, COMMAND),
)
