"""What the macros of `console/parts` print, as frozen values: a view model holds these, and no half-made HTML.

Addresses are made by the view and begin with `/console`, but for those of `External`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlencode, urlsplit

from console.format import Amount, Moment
from console.status import Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """Somewhere to go. `kind` is that of a button: `primary`, `quiet`, `danger` or nothing."""

    label: str
    href: str
    kind: str = ""
    icon: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class External:
    """An address that somebody else wrote: `host` is shown beside it, and is empty where it is no link."""

    text: str
    href: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tab:
    """One of several lists of the same page; `count` is written already, and empty where it is not known."""

    label: str
    href: str
    count: str = ""
    current: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """One thing that a list is filtered by, and the address of the list without it."""

    label: str
    value: str
    remove: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Pager:
    """The way through a list; an address is empty where there is nothing. `csv` is of the same choice."""

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
class Segment:
    """A part of a bar, `start` and `width` in percent of its length; `tone` is a tone, or a series, `c1` to `c6`."""

    label: str
    amount: Amount
    start: str
    width: str
    tone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """How much of a limit is used: `width` in percent, never above 100, and `text` as it is written.

    Attributes:
        mark: where the limit stands, in percent, when the bar goes beyond it; empty otherwise.
    """

    label: str
    text: str
    width: str
    tone: Tone
    mark: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A section whose call did not answer: what it would have shown, the request's id, and the page again."""

    title: str
    request_id: str
    again: str
    sentence: str = "This part of the page did not answer. Nothing is lost."


def segments(parts: Sequence[tuple[str, Amount, Decimal, str]]) -> tuple[Segment, ...]:
    """Divide a bar by amounts of one currency, each with its label, how it is written, its value and its tone.

    Parts of nothing are left out. Amounts below zero cannot be parts of a whole.
    """
    if any(value < 0 for _, _, value, _ in parts):
        raise ValueError("A part of a whole is below zero.")
    total = sum((value for _, _, value, _ in parts), Decimal(0))
    found, before = [], Decimal(0)
    for label, amount, value, tone in parts:
        if value:
            width = per_cent(before + value, total) - per_cent(before, total)
            start = per_cent(before, total)
            found.append(Segment(label=label, amount=amount, start=f"{start:f}", width=f"{width:f}", tone=tone))
        before += value
    return tuple(found)


def meter(label: str, used: Decimal, limit: Decimal, text: str) -> Meter:
    """Show how much of a limit is used: warned of from 80 %, and in red from the limit on, which is then marked."""
    if limit <= 0:
        return Meter(label=label, text=text, width="100" if used > 0 else "0", tone=Tone.BAD)
    if used > limit:
        whole = per_cent(limit, used)
        return Meter(label=label, text=text, width="100", tone=Tone.BAD, mark=f"{whole:f}")
    share = per_cent(max(used, Decimal(0)), limit)
    tone = Tone.BAD if used == limit else Tone.WARN if share >= 80 else Tone.GOOD
    return Meter(label=label, text=text, width=f"{share:f}", tone=tone)


def per_cent(part: Decimal, whole: Decimal) -> Decimal:
    """Return a length for a drawing, in percent to two decimals. It is a width, and never an amount."""
    return (part * 100 / whole).quantize(Decimal("0.01")) if whole else Decimal(0)


def external(text: str, address: str) -> External:
    """Return a link to an address that somebody wrote; one that is not http or https is text and no link."""
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
