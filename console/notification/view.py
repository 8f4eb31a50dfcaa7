"""What the pages of notifications show: the reader's own, on pages of any organization."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from console.format import Moment, Prefs, moment
from console.forms import FormState, blank
from console.gateway import Answer
from console.lists import ListPage, ListResult
from console.mentions import Linked, Sentence, sentence
from console.sections import unanswered
from console.status import Status, status_of
from console.widgets import Confirmation, Failed, FormPage, Tab
from domain.messages.notification.channel import INBOX, ChannelKind, ChannelStatus
from domain.messages.notification.due import DIGEST_CADENCES, Cadence

BASE = "/console/notifications"
CHANNELS, PREFERENCES = f"{BASE}/channels", f"{BASE}/preferences"
KINDS = (
    (ChannelKind.MAIL.value, "Mail", "Enter the address."),
    (ChannelKind.SLACK.value, "Slack", "Enter the URL of an incoming webhook. It is secret, and not shown again."),
)
LANGUAGES = (("en", "English"), ("de", "Deutsch"), ("fr", "Français"), ("es", "Español"))
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
WEEKDAYS = tuple((str(number), name) for number, name in enumerate(_DAYS, 1))
HOURS = tuple((str(hour), f"{hour}:00") for hour in range(24))
#: The fields that say when something is sent.
CLOCK = ("quiet_hours_starts", "quiet_hours_ends", "digest_hour", "digest_weekday")
_CADENCES = {
    Cadence.INSTANT: "Immediately",
    Cadence.HOURLY: "Hourly",
    Cadence.DAILY: "Daily",
    Cadence.WEEKLY: "Weekly",
    Cadence.OFF: "Never",
}
_PARTS = (("Inbox", BASE), ("Channels", CHANNELS), ("Preferences", PREFERENCES))

Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One notification; `read` is empty if it was read, and otherwise where that is said."""

    id: str
    at: Moment
    title: str
    text: Sentence
    kind: str
    read: str
    form: FormState


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbox(ListPage):
    """The inbox, newest first. `newest` is the notification up to which all are marked as read; empty without one."""

    states: tuple[Tab, ...]
    rows: tuple[Row, ...]
    newest: str
    form: FormState


@dataclass(frozen=True, slots=True, kw_only=True)
class Channel:
    """A way to the reader; `waits` where its code was not given back yet, and `code` is the form that gives it."""

    href: str
    kind: str
    target: str
    status: Status
    made: Moment
    waits: bool
    form: FormState
    code: FormState


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels(FormPage):
    """The channels, and the form that makes one. `code` is a form of one of them that was refused."""

    tabs: tuple[Tab, ...]
    rows: tuple[Channel, ...]
    failed: Failed | None
    code: FormState
    kinds: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Type:
    name: str
    says: str
    must_reach: bool
    options: Options
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences(FormPage):
    """How soon the reader hears of what, one channel at a time, and when nothing is sent."""

    tabs: tuple[Tab, ...]
    ways: tuple[Tab, ...]
    way: str
    way_name: str
    types: tuple[Type, ...]
    clock: FormState
    hours: Options
    weekdays: Options


def tabs(current: str) -> tuple[Tab, ...]:
    return tuple(Tab(label=label, href=href, current=href == current) for label, href in _PARTS)


def inbox(found: ListResult, form: FormState, prefs: Prefs, href: Linked) -> Inbox:
    """Return the inbox as it was asked for; `form` is of a command that was refused, `href` the page of an id."""
    unread = found.asked.given.get("unread", "")
    return Inbox(
        title="Notifications",
        tabs=tabs(BASE),
        states=(
            Tab(label="All", href=BASE, current=not unread),
            Tab(label="Unread", href=f"{BASE}?unread=true", current=bool(unread)),
        ),
        rows=tuple(
            Row(
                id=each["id"],
                at=moment(each["created_at"], prefs),
                title=each["title"],
                text=sentence(each["text"], each["names"], prefs, href),
                kind=each["type"],
                read="" if each["read_at"] else f"{BASE}/{each['id']}/read",
                form=blank(),
            )
            for each in found.rows
        ),
        listed=found.listed("Notifications", {}),
        newest=next((each["id"] for each in found.rows if found.asked.at_start and not each["read_at"]), ""),
        form=form,
    )


def channels(answer: Answer, form: FormState, code: FormState, prefs: Prefs, refused: str = "") -> Channels:
    """Return the channels of the reader; `refused` is the one whose form `code` is."""
    failed = unanswered("Channels", answer, CHANNELS)
    return Channels(
        title="Channels",
        tabs=tabs(CHANNELS),
        rows=() if failed else tuple(_channel(each, code, prefs, refused) for each in answer.body["data"]),
        failed=failed,
        form=form,
        code=code,
        kinds=KINDS,
    )


def _channel(found: Mapping[str, Any], code: FormState, prefs: Prefs, refused: str) -> Channel:
    return Channel(
        href=f"{CHANNELS}/{found['id']}",
        kind=kind_named(found["kind"]),
        target=found["target"],
        status=status_of("channel", found["status"]),
        made=moment(found["created_at"], prefs),
        waits=found["status"] == ChannelStatus.PENDING,
        form=blank(),
        code=code if found["id"] == refused else blank(),
    )


def kind_named(kind: str) -> str:
    return next((word for value, word, _ in KINDS if value == kind), kind)


def removing(found: Mapping[str, Any], form: FormState) -> Confirmation:
    return Confirmation(
        title="Remove this channel?",
        back=CHANNELS,
        action=f"{CHANNELS}/{found['id']}/remove",
        label="Remove channel",
        form=form,
        facts=((kind_named(found["kind"]), found["target"]),),
        effect=("No more messages are sent there. To use it again, add and verify it again.",),
    )


def preferences(
    found: Mapping[str, Any], mine: Answer, way: str, form: FormState | None, clock: FormState | None
) -> Preferences:
    """Return the preferences."""
    named = {INBOX: "Inbox"} | {
        each["id"]: f"{kind_named(each['kind'])}: {each['target']}" for each in (mine.body["data"] if mine.ok else ())
    }
    way = way if way in named else INBOX
    shown = tuple(_type(each, way) for each in found["types"])
    return Preferences(
        title="Preferences",
        tabs=tabs(PREFERENCES),
        ways=tuple(
            Tab(label=name, href=f"{PREFERENCES}?channel={each}", current=each == way) for each, name in named.items()
        ),
        way=way,
        way_name=named[way],
        types=tuple(replace(each, value=form.value(each.name, each.value)) if form else each for each in shown),
        form=form or blank(),
        clock=clock or blank(**_clock(found)),
        hours=HOURS,
        weekdays=WEEKDAYS,
    )


def _type(found: Mapping[str, Any], way: str) -> Type:
    offered = [each for each in Cadence if way != INBOX or each not in DIGEST_CADENCES]
    chosen = found["chosen"].get(way, "")
    usual = "" if chosen or way not in found["channels"] else f": {_CADENCES[found['channels'][way]].lower()}"
    return Type(
        name=found["type"],
        says=found["description"],
        must_reach=found["must_reach"],
        options=(("", f"Default{usual}"), *((each.value, _CADENCES[each]) for each in offered)),
        value=chosen,
    )


def _clock(found: Mapping[str, Any]) -> dict[str, str]:
    quiet = found["quiet_hours"] or {"starts": "", "ends": ""}
    return {
        "quiet_hours_starts": quiet["starts"],
        "quiet_hours_ends": quiet["ends"],
        "digest_hour": str(found["digest_hour"]),
        "digest_weekday": str(found["digest_weekday"]),
    }


def kept(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the preferences as they are, to be sent again with what changes: what was chosen, and no default."""
    names = ("quiet_hours", "digest_hour", "digest_weekday")
    types = {each["type"]: each["chosen"] for each in found["types"] if each["chosen"]}
    return {**{name: found[name] for name in names}, "types": types}
