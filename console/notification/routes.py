"""The reader's notifications: read, channels made by a code and removed, preferences. Only their own."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from console import lists
from console.forms import Form, FormState, blank, read_form
from console.gateway import Refused
from console.notification import view
from console.refusals import not_found
from console.routing import COMMAND, anyone
from console.visit import ShowAgain, Visit
from domain.common.access import Permission
from domain.common.ids import is_id
from domain.messages.notification.channel import INBOX, ChannelKind
from domain.messages.notification.types import TYPES

_PATH = "/notifications"
_CHANNELS, _PREFERENCES = f"{_PATH}/channels", f"{_PATH}/preferences"
_TYPES = tuple(kind.name for kind in TYPES)


async def _order(
    visit: Visit, form: Form, method: str, path: str, body: Any, done: tuple[str, str], show: ShowAgain
) -> Response:
    """Give a command; `done` is where it leads and what is said there, and `show` the page of its form."""
    answer = await visit.command(method, path, body, form.key)
    return await visit.concluded(
        form, answer, *done, show=show, names={"address": "target", "url": "target", "quiet_hours": view.CLOCK[0]}
    )


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.BE_NOTIFIED)
    found = await lists.find(visit, _PATH, "unread", days=False, at=view.BASE)

    def href(id: str) -> str:
        # Operators are notified of any organization's objects: the search knows whose they are.
        return f"/console/search?q={id}" if visit.me.organization is None else visit.link(id)

    page = view.inbox(found, form or blank(), visit.choices.prefs, href)
    return await visit.render("notification/inbox.html", page, found.status if status == 200 else status)


async def download(visit: Visit) -> Response:
    visit.need(Permission.BE_NOTIFIED)
    return await lists.csv(visit, _PATH, "notifications", "unread", days=False)


async def read(visit: Visit) -> Response:
    form = await read_form(visit.request)
    path = f"{_PATH}/{visit.path('id')}/read"
    return await _order(visit, form, "POST", path, None, (view.BASE, "notification.read"), show)


async def read_all(visit: Visit) -> Response:
    form = await read_form(visit.request, "until")
    body = {"until": form.text("until")}
    return await _order(visit, form, "POST", f"{_PATH}/read", body, (view.BASE, "notification.all_read"), show)


async def _channels(
    visit: Visit, status: int, *, form: FormState | None = None, code: FormState | None = None
) -> Response:
    visit.need(Permission.BE_NOTIFIED)
    answer = await visit.ask(_CHANNELS)
    fresh, refused = blank(kind=ChannelKind.MAIL.value), visit.path("id") if code else ""
    page = view.channels(answer, form or fresh, code or blank(), visit.choices.prefs, refused)
    return await visit.render("notification/channels.html", page, status)


async def show_channels(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    return await _channels(visit, status, form=form)


async def _show_codes(visit: Visit, form: FormState, status: int) -> Response:
    return await _channels(visit, status, code=form)


async def add(visit: Visit) -> Response:
    form = await read_form(visit.request, "kind", "target")
    name = "url" if form.text("kind") == ChannelKind.SLACK else "address"
    body = {"kind": form.text("kind"), name: form.text("target")}
    return await _order(visit, form, "POST", _CHANNELS, body, (view.CHANNELS, "channel.added"), show_channels)


async def verify(visit: Visit) -> Response:
    form = await read_form(visit.request, "code")
    path, body = f"{_CHANNELS}/{visit.path('id')}/verify", {"code": form.text("code")}
    return await _order(visit, form, "POST", path, body, (view.CHANNELS, "channel.verified"), _show_codes)


async def resend(visit: Visit) -> Response:
    form = await read_form(visit.request)
    path = f"{_CHANNELS}/{visit.path('id')}/resend"
    return await _order(visit, form, "POST", path, None, (view.CHANNELS, "channel.resent"), _show_codes)


async def ask_to_remove(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.BE_NOTIFIED)
    mine = (await visit.ask(_CHANNELS)).need()["data"]
    found: Mapping[str, Any] | None = next((each for each in mine if each["id"] == visit.path("id")), None)
    if found is None:
        raise Refused(not_found(visit.request))
    return await visit.render("parts/confirmation.html", view.removing(found, form or blank()), status)


async def remove(visit: Visit) -> Response:
    form = await read_form(visit.request)
    path = f"{_CHANNELS}/{visit.path('id')}"
    return await _order(visit, form, "DELETE", path, None, (view.CHANNELS, "channel.removed"), ask_to_remove)


async def _preferences(
    visit: Visit, status: int, *, form: FormState | None = None, clock: FormState | None = None
) -> Response:
    visit.need(Permission.BE_NOTIFIED)
    answers = await visit.ask_all(found=(_PREFERENCES, {}), channels=(_CHANNELS, {}))
    way = form.value("channel") if form else visit.chosen("channel").get("channel", INBOX)
    page = view.preferences(answers["found"].need(), answers["channels"], way, form, clock)
    return await visit.render("notification/preferences.html", page, status)


async def show_preferences(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show how soon the reader hears of what over one channel, and when nothing is sent."""
    return await _preferences(visit, status, form=form)


async def _show_clock(visit: Visit, form: FormState, status: int) -> Response:
    return await _preferences(visit, status, clock=form)


async def choose(visit: Visit) -> Response:
    """Choose how soon the reader hears of each type over one channel; the other channels stay."""
    form = await read_form(visit.request, "channel", *_TYPES)
    way = form.text("channel")
    if way != INBOX and not is_id(way, "nch"):
        raise Refused(not_found(visit.request))
    body = view.kept((await visit.ask(_PREFERENCES)).need())
    chosen: dict[str, dict[str, str]] = {name: dict(ways) for name, ways in body["types"].items()}
    for name in _TYPES:
        if name in form.values:
            ways = chosen.setdefault(name, {})
            ways.pop(way, None)
            ways |= {way: form.text(name)} if form.maybe(name) else {}
    body["types"] = {name: ways for name, ways in chosen.items() if ways}
    done = f"{view.PREFERENCES}?channel={way}", "notification.chosen"
    return await _order(visit, form, "PUT", _PREFERENCES, body, done, show_preferences)


async def set_clock(visit: Visit) -> Response:
    """Choose quiet hours, and when digests come."""
    form = await read_form(visit.request, *view.CLOCK)
    body = view.kept((await visit.ask(_PREFERENCES)).need())
    # A browser sends what can be chosen; anything else is the API's to refuse.
    hours = {name: form.text(name) for name in ("digest_hour", "digest_weekday")}
    body |= {name: int(text) if text.isdecimal() else text for name, text in hours.items()}
    quiet = {name: form.text(f"quiet_hours_{name}") for name in ("starts", "ends")}
    body["quiet_hours"] = quiet if any(quiet.values()) else None
    done = view.PREFERENCES, "notification.clock"
    return await _order(visit, form, "PUT", _PREFERENCES, body, done, _show_clock)


ROUTES = (
    anyone("/notifications", show),
    anyone("/notifications.csv", download),
    anyone("/notifications/read", read_all, COMMAND),
    anyone("/notifications/channels", show_channels),
    anyone("/notifications/channels", add, COMMAND),
    anyone("/notifications/channels/{id}/verify", verify, COMMAND),
    anyone("/notifications/channels/{id}/resend", resend, COMMAND),
    anyone("/notifications/channels/{id}/remove", ask_to_remove),
    anyone("/notifications/channels/{id}/remove", remove, COMMAND),
    anyone("/notifications/preferences", show_preferences),
    anyone("/notifications/preferences", choose, COMMAND),
    anyone("/notifications/preferences/times", set_clock, COMMAND),
    anyone("/notifications/{id}/read", read, COMMAND),
)
