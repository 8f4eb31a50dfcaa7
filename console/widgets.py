"""Frozen values that the macros of `console/parts` print: a view model holds these, and no half-made HTML.

Addresses are made by the view and begin with `/console`, but for those of `External`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from console.format import Amount, Moment
from console.forms import FormState, blank
from console.status import Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Somewhere to go. `kind` is that of a button: `primary`, `quiet`, `danger` or nothing."""

    label: str
    href: str
    kind: str = ""
    icon: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What every page has; `base` is where the pages around it begin, which `Visit.show` fills in."""

    title: str
    crumbs: tuple[Link, ...] = ()
    base: str = ""

    @property
    def fresh(self) -> FormState:
        """A form for one button of many: each has a command key of its own."""
        return blank()


@dataclass(frozen=True, slots=True, kw_only=True)
class FormPage(Page):
    """A page with a form: its fields as they were typed, with what is wrong, and the address that it is sent to."""

    form: FormState
    action: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """An address from another person: `host` is shown beside it, and is empty if it is not a link."""

    text: str
    href: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """One of several lists of the same page; `count` is written already, and empty if it is not known."""

    label: str
    href: str
    count: str = ""
    current: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    label: str
    value: str
    remove: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager:
    """The way through a list; an address is empty if there is nothing. `csv` is of the same choice."""

    next: str = ""
    newest: str = ""
    csv: str = ""
    count: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One line of a timeline. `who` and `detail` may be text of others, and are printed as that."""

    title: str
    at: Moment | None = None
    tone: Tone = Tone.IDLE
    icon: str = "dash"
    detail: str = ""
    who: str = ""
    amount: Amount | None = None
    href: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A section whose call did not answer: what it would have shown, the request's id, and the page again."""

    title: str
    request_id: str
    again: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmation(FormPage):
    """A page that asks before a command, and says what it does.

    Attributes:
        title: the question.
        back: where "Not now" leads.
        action: where the form is sent.
        label: of the button, which names the act.
        kind: of the button.
        facts: names and values of what it is about; values may be text of others.
        effect: what the command does.
        fields: what the form sends beside its key.
        form: with what is wrong.
    """

    back: str
    label: str
    effect: tuple[str, ...]
    facts: tuple[tuple[str, str], ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    kind: str = "danger"


def external(text: str, address: str) -> External:
    """Return a link to a person's address; one that is not http or https is shown as text."""
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return External(text=text, href="", host="")
    if parts.scheme not in {"http", "https"} or not host:
        return External(text=text, href="", host="")
    return External(text=text, href=address, host=host)


def address(path: str, query: Sequence[tuple[str, str]]) -> str:
    """Return an address of the console with its query; empty values are left out."""
    kept = [(name, value) for name, value in query if value]
    return f"{path}?{urlencode(kept)}" if kept else path
