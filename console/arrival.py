"""How a request of the browser arrives: who asks, where from, and the API as it sees it."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.requests import Request

from console.choices import read_choices
from console.cookies import own_path
from console.frame import Frame, anonymous
from console.gateway import BACKGROUND, Gateway, Refused, request_id_of
from console.refusals import not_found
from console.visit import Console, SignInNeeded, Visit
from console.who import Me


def gateway_of(request: Request, console: Console, token: str | None, *, is_background: bool = False) -> Gateway:
    return Gateway(
        console.api,
        token=token,
        request_id=request_id_of(request),
        address=request.client.host if request.client else "127.0.0.1",
        browser=request.headers.get("user-agent", "")[:500],
        is_background=is_background or request.headers.get(BACKGROUND) == "1",
        read_seconds=console.settings.console_read_timeout.total_seconds(),
        order_seconds=console.settings.command_timeout.total_seconds() + 5,
    )


async def begin(request: Request, console: Console, *, is_background: bool = False) -> Visit:
    """Find out who asks; `is_background` says that the browser asks by itself.

    Raises:
        SignInNeeded: the API does not know the session. Refused: the API does not answer, or the address is of another
        organization.
    """
    token = console.site.read(request, "session")
    if token is None:
        raise SignInNeeded(ended=False)
    api = gateway_of(request, console, token, is_background=is_background)
    org_id = request.path_params.get("org")
    is_marked = _is_marked(request)
    answer = await api.ask("/me", marks="true" if is_marked else None, unread="true")
    if answer.status == 401:
        raise SignInNeeded(ended=True)
    body = answer.need()
    me = Me.of(body)
    if org_id is not None and me.organization is not None and me.organization.id != org_id:
        raise Refused(not_found(request))
    marks: Mapping[str, int] | None = body.get("marks")
    if is_marked and org_id is not None and me.organization is None:
        # The platform's marks are of all organizations: this page follows those of one.
        marks = (await api.ask("/changes", organization_id=org_id)).body
    return Visit(request, console, me, api, marks)


def _is_marked(request: Request) -> bool:
    """Return whether a page begins with the marks of what changes, which are then older than all that it shows.

    Lists do, `/console/org_…/payments`. Pages that are made of nine calls, the most that there may be, do not.
    """
    is_page = request.method == "GET" and request.headers.get("sec-fetch-mode", "navigate") == "navigate"
    _, *below = request.url.path.strip("/").split("/")
    return is_page and len(below) == 2 and below[1] != "billing"


def frame_of_nobody(request: Request, console: Console) -> Frame:
    choices, notice = read_choices(request, console.site), request.query_params.get("notice", "")
    return anonymous(
        console.settings.brand_name,
        choices,
        request.url.path,
        # Only with a session: anyone can link here.
        notice if notice.startswith("session.") else "",
        environment=console.settings.environment,
    )


def came_from(request: Request) -> str | None:
    """Return the page of ours that a form stood on; a form's own address may have no page."""
    parts = urlsplit(request.headers.get("referer", ""))
    if parts.netloc.lower() != request.headers.get("host", "").lower():
        return None
    return own_path(f"{parts.path}?{parts.query}" if parts.query else parts.path)
