"""The reader's own notifications: the inbox, the channels next to it, and how soon what is sent over which."""

from typing import Any

from starlette.responses import Response

from console.forms import FormState, blank, read_form
from console.gateway import Refused
from console.lists import ListResult
from console.noun import Json, Noun
from console.noun_page import FormPage, tab
from console.problems import answered
from console.refusals import not_found
from console.routing import COMMAND, anyone
from console.texts import N_, _, gettext
from console.visit import Visit
from console.widgets import Tab
from domain.common.access import Permission
from domain.common.ids import is_id
from domain.messages.notification.channel import INBOX, ChannelKind
from domain.messages.notification.types import TYPES

LANGUAGES = (("en", "English"), ("de", "Deutsch"), ("fr", "Français"), ("es", "Español"))
_PREFERENCES = "/notifications/preferences"
#: The fields that say when something is sent.
_TIMES = ("quiet_hours_starts", "quiet_hours_ends", "digest_hour", "digest_weekday")


NOTIFICATIONS = Noun(
    "/notifications",
    title=N_("Notifications"),
    folder="notification",
    change=Permission.BE_NOTIFIED,
    site=anyone,
)
CHANNELS = Noun(
    "/notifications/channels",
    title=N_("Channels"),
    folder="notification",
    name="target",
    change=Permission.BE_NOTIFIED,
    site=anyone,
    in_list=True,
)


def _parts(visit: Visit) -> tuple[Tab, ...]:
    pages = ((N_("Inbox"), NOTIFICATIONS.at), (N_("Channels"), CHANNELS.at), (N_("Preferences"), _PREFERENCES))
    path = visit.request.url.path
    return tuple(
        Tab(label=gettext(label), href=f"/console{at}", current=path == f"/console{at}") for label, at in pages
    )


async def _of_inbox(visit: Visit, _found: ListResult) -> Json:
    # Operators are notified of any organization's objects: the search knows whose they are.
    return {"href": (lambda id: f"/console/search?q={id}") if visit.me.organization is None else None}


async def read_all(visit: Visit) -> Response:
    form = await read_form(visit.request, "until")
    answer = await visit.command("POST", "/notifications/read", {"until": form.text("until")}, form.key)
    after, show = NOTIFICATIONS.listed(visit), NOTIFICATIONS.show
    return await visit.concluded(form, answer, after, "notification.all_read", show=show)


async def show_channels(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show the channels; `form` is of a new one, or of the one in the address."""
    visit.need(Permission.BE_NOTIFIED)
    answer, chosen = await visit.ask(CHANNELS.path), visit.request.path_params.get("id", "")
    fresh, here = blank(kind=ChannelKind.MAIL.value), CHANNELS.listed(visit)
    add = fresh if chosen or form is None else form
    page = FormPage(title=_("Channels"), action=here, form=add)
    rows = answer.body["data"] if answered(answer) else ()
    code = form if chosen and form else blank()
    values = {"answer": answer, "rows": rows, "parts": _parts(visit), "code": code, "chosen": chosen}
    return await visit.show("notification/channels.html", page, values, status)


async def add(visit: Visit) -> Response:
    form = await read_form(visit.request, "kind", "target")
    name = "url" if form.text("kind") == ChannelKind.SLACK else "address"
    body = {"kind": form.text("kind"), name: form.text("target")}
    answer = await visit.command("POST", CHANNELS.path, body, form.key)
    after, names = CHANNELS.listed(visit), {"address": "target", "url": "target"}
    return await visit.concluded(form, answer, after, "channel.added", show=show_channels, names=names)


async def show_preferences(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show how soon the reader hears of what over one channel, and when nothing is sent."""
    visit.need(Permission.BE_NOTIFIED)
    answers = await visit.ask_all(it=(_PREFERENCES, {}), channels=(CHANNELS.path, {}))
    it, channels, here = answers["it"].need(), answers["channels"], f"/console{_PREFERENCES}"
    is_of_times = visit.request.url.path == f"{here}/times"
    times, form = (form, None) if is_of_times else (None, form)
    named = {INBOX: _("Inbox")}
    for each in channels.body["data"] if channels.ok else ():
        named[each["id"]] = f"{each['kind'].capitalize()}: {each['target']}"
    way = form.value("channel") if form else visit.chosen("channel").get("channel", INBOX)
    way = way if way in named else INBOX
    ways = tuple(Tab(label=name, href=f"{here}?channel={each}", current=each == way) for each, name in named.items())
    page = FormPage(title=_("Preferences"), action=here, form=form or blank())
    values = {
        "it": it,
        "parts": _parts(visit),
        "ways": ways,
        "way": way,
        "times": times or blank(**_times(it)),
        "hours": tuple((str(hour), f"{hour}:00") for hour in range(24)),
    }
    return await visit.show("notification/preferences.html", page, values, status)


def _times(found: Json) -> dict[str, str]:
    quiet = found["quiet_hours"] or {"starts": "", "ends": ""}
    plain = {name: str(found[name]) for name in _TIMES if name in found}
    return plain | {f"quiet_hours_{name}": quiet[name] for name in quiet}


def _kept(found: Json) -> dict[str, Any]:
    """Return the preferences as they are, to be sent again with what changes: choices, and no defaults."""
    types = {each["type"]: dict(each["chosen"]) for each in found["types"] if each["chosen"]}
    return {name: found[name] for name in ("quiet_hours", "digest_hour", "digest_weekday")} | {"types": types}


async def choose(visit: Visit) -> Response:
    """Choose how soon the reader hears of each type over one channel; the other channels stay."""
    names = tuple(kind.name for kind in TYPES)
    form = await read_form(visit.request, "channel", *names)
    way = form.text("channel")
    if way != INBOX and not is_id(way, "nch"):
        raise Refused(not_found(visit.request))
    body = _kept((await visit.ask(_PREFERENCES)).need())
    for name in names:
        if name in form.values:
            ways = body["types"].setdefault(name, {})
            ways.pop(way, None)
            ways |= {way: form.text(name)} if form.maybe(name) else {}
    body["types"] = {name: ways for name, ways in body["types"].items() if ways}
    answer = await visit.command("PUT", _PREFERENCES, body, form.key)
    after = f"/console{_PREFERENCES}?channel={way}"
    return await visit.concluded(form, answer, after, "notification.chosen", show=show_preferences)


async def set_times(visit: Visit) -> Response:
    """Choose quiet hours, and when digests come."""
    form = await read_form(visit.request, *_TIMES)
    body = _kept((await visit.ask(_PREFERENCES)).need())
    body |= {name: form.maybe_whole(name) for name in ("digest_hour", "digest_weekday")}
    quiet = {name: form.text(f"quiet_hours_{name}") for name in ("starts", "ends")}
    body["quiet_hours"] = quiet if any(quiet.values()) else None
    answer = await visit.command("PUT", _PREFERENCES, body, form.key)
    names, after = {"quiet_hours": "quiet_hours_starts"}, f"/console{_PREFERENCES}"
    return await visit.concluded(form, answer, after, "notification.clock", show=show_preferences, names=names)


NOTIFICATIONS.list(
    tab("unread"), tabs=(("", N_("All")), ("true", N_("Unread"))), values=_of_inbox, create="", around=_parts
)
NOTIFICATIONS.command("read", "notification.read")
NOTIFICATIONS.add("/notifications/read", read_all, *COMMAND)
CHANNELS.add(CHANNELS.at, show_channels)
CHANNELS.add(CHANNELS.at, add, *COMMAND)
CHANNELS.command("verify", "channel.verified", "code", show=show_channels)
CHANNELS.command("resend", "channel.resent", show=show_channels)
CHANNELS.question(
    "remove",
    "channel.removed",
    title=N_("Remove this channel?"),
    label=N_("Remove channel"),
    effect=(N_("No more messages are sent there. To use it again, add and verify it again."),),
    facts=lambda it: ((it["kind"].capitalize(), it["target"]),),
    method="DELETE",
)
NOTIFICATIONS.add(_PREFERENCES, show_preferences)
NOTIFICATIONS.add(_PREFERENCES, choose, *COMMAND)
NOTIFICATIONS.add(f"{_PREFERENCES}/times", set_times, *COMMAND)
ROUTES = (*NOTIFICATIONS.routes, *CHANNELS.routes)
