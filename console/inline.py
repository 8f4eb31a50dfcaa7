"""Elements within a line, which templates call as functions: icons, amounts, times, statuses, ids, words of others.

They are Python and no macros, because a list calls them hundreds of times. Every text is escaped here.
"""

from collections.abc import Callable, Mapping
from typing import Any
from zlib import crc32

from markupsafe import Markup, escape

from console import widgets
from console.assets import Assets
from console.filters import (
    NOTHING,
    amount as amount_of,
    ident as ident_of,
    moment as moment_of,
    relative,
    status as status_of,
)
from console.format import Amount, Ident, Moment, seconds_until
from console.mentions import Sentence
from console.reader import reader
from console.status import Status
from console.texts import _, gettext

#: Colours of discs with initials.
_COLOURS = 6


def translated(text: str, /, **values: Any) -> str:
    """Return a text in the reader's language; values are escaped within it."""
    if not values:
        return gettext(text)
    return Markup(str(escape(gettext(text))) % {name: escape(value) for name, value in values.items()})


def other(text: object) -> Markup:
    """Write another person's words, isolated from the direction of the text around them."""
    return Markup(f"<bdi>{escape(text)}</bdi>")


def cut(text: object) -> Markup:
    """Write another person's words, cut where there is no room and whole on demand."""
    safe = escape(text)
    return Markup(f'<bdi class="cut" title="{safe}">{safe}</bdi>')


def prose(text: object) -> Markup:
    """Write several lines of another person's text."""
    return Markup(f'<p class="pre"><bdi>{escape(text)}</bdi></p>')


def dash(why: str = "") -> Markup:
    """Write a figure that is not there: a dash with its reason."""
    none = escape(_("None"))
    shown = f' <span class="small">{escape(why)}</span>' if why else f'<span class="unseen">{none}</span>'
    return Markup(f'<span class="dim"><span aria-hidden="true">{NOTHING}</span>{shown}</span>')


def money(value: str | Amount | None, currency: str = "", *, signed: bool = False) -> Markup:
    """Write a decimal string of a currency, or an `Amount`; a dash for none. Its unit is dim."""
    shown = amount_of(value, currency, signed=signed)
    if shown is None:
        return dash()
    unit = escape(shown.unit)
    return Markup(f'<span class="money">{escape(shown.number)}&nbsp;<span class="unit">{unit}</span></span>')


def moment(value: str | Moment | None) -> Markup:
    """Write a time of the API in the reader's zone, exact on demand; a dash for none."""
    at = moment_of(value)
    return dash() if at is None else ago(at, at.text)


def ago(value: str | Moment, words: str = "") -> Markup:
    """Write a time in words that are relative to now, such as "in 3 hours"."""
    at = moment_of(value)
    assert at is not None
    return Markup(
        f'<time datetime="{escape(at.iso)}" title="{escape(at.exact)}">{escape(words or relative(at.iso))}</time>'
    )


def left(at: str | Moment, words: str = "", seconds: int | None = None) -> Markup:
    """Write how long it is until a time; `countdown.js` counts where there are seconds left."""
    shown = moment_of(at)
    assert shown is not None
    seconds = seconds_until(shown.iso, reader().now) if seconds is None else seconds
    timer = f' role="timer" data-left="{seconds}"' if seconds > 0 else ""
    attributes = f'datetime="{escape(shown.iso)}" title="{escape(shown.exact)}"{timer}'
    return Markup(f"<time {attributes}>{escape(words or relative(shown.iso))}</time>")


def image(id: str, url: str, kind: str, name: str = "") -> Markup:
    """Write a picture or logo of the API's URL; it has a name where none stands next to it."""
    src = f"/console/pictures/{escape(id)}?{escape(url.partition('?')[2])}"
    return Markup(f'<img class="{kind}" src="{src}" alt="{escape(name)}" loading="lazy">')


def disc(name: str, id: str, picture: str | None) -> Markup:
    """Write the picture of an agent, or its initials in a colour of its id; its name stands next to it."""
    if picture:
        return image(id, picture, "disc")
    words = [word for word in name.split() if word[0].isalnum()] or ["?"]
    initials = "".join(word[0] for word in words[:2]).upper()
    colour = f"f{crc32(id.encode()) % _COLOURS + 1}"
    return Markup(f'<span class="disc {colour}" aria-hidden="true">{escape(initials)}</span>')


def tally(count: object) -> Markup:
    """Write a number in a pill after a name."""
    return Markup(f'<span class="tally">{escape(count)}</span>')


def link(to: widgets.Link) -> Markup:
    """Write a link within text."""
    return Markup(f'<a href="{escape(to.href)}">{escape(to.label)}</a>')


def run(href: str) -> Markup:
    """Write a link to a run in the Temporal UI, for those who operate."""
    label, unseen = escape(_("Run")), escape(_("in the Temporal UI, opens in a new tab"))
    attributes = f'href="{escape(href)}" rel="noopener noreferrer" target="_blank"'
    return Markup(f'<a {attributes}>{label} <span class="unseen">{unseen}</span></a>')


def external(text: str | widgets.External, address: str = "") -> Markup:
    """Write a link to a person's address, with its host; no link unless it is http or https."""
    to = text if isinstance(text, widgets.External) else widgets.external(text, address or text)
    if not to.host:
        return other(to.text)
    host = escape(_("%(host)s, opens in a new tab", host=to.host))
    attributes = f'href="{escape(to.href)}" rel="noopener noreferrer nofollow" target="_blank"'
    return Markup(f'<a {attributes}>{other(to.text)}</a> <span class="dim small">({host})</span>')


def of_assets(assets: Assets) -> Mapping[str, Callable[..., Markup]]:
    """Return the elements that have icons, whose address names the version of their file."""
    icons = escape(assets.url("icons.svg"))

    def icon(name: str) -> Markup:
        """Write a symbol of `icons.svg`, hidden from screen readers; words stand next to it."""
        use = f'<use href="{icons}#{escape(name)}"/>'
        return Markup(f'<svg class="icon" viewBox="0 0 16 16" aria-hidden="true" focusable="false">{use}</svg>')

    def copy(value: str, what: str) -> Markup:
        """Write a button that copies; seen only where scripts run."""
        label = escape(_("Copy %(what)s", what=what))
        attributes = f'class="copy" type="button" data-copy="{escape(value)}" aria-label="{label}"'
        return Markup(f"<button {attributes}>{icon('copy')}</button>")

    def badge(value: str | Status, noun: str = "") -> Markup:
        """Write a status of a noun as shape and word."""
        shown = status_of(value, noun)
        return Markup(f'<span class="badge {shown.tone.value}">{icon(shown.icon)}{escape(gettext(shown.word))}</span>')

    def id(value: str | Ident) -> Markup:
        """Write an id, cut in its middle; the button copies it whole."""
        shown = ident_of(value)
        code = f'<code title="{escape(shown.whole)}">{escape(shown.short)}</code>'
        return Markup(f'<span class="id">{code}{copy(shown.whole, _("id %(id)s", id=shown.short))}</span>')

    def account(shown: Ident) -> Markup:
        """Write an account by its name; the button copies its path."""
        return Markup(f'<span class="id">{cut(shown.short)}{copy(shown.whole, shown.short)}</span>')

    def sentence(parts: Sentence) -> Markup:
        """Write words of others with local times, and names that lead to their pages; ids without a name are copied."""
        return Markup("").join(part for each in parts for part in mentioned(each))

    def mentioned(part: Any) -> tuple[Markup, ...]:
        if part.id is None:
            return (moment(part.at) if part.at else other(part.text),)
        whole = escape(part.id.whole)
        shown = other(part.text) if part.text else Markup(f"<code>{escape(part.id.short)}</code>")
        tag, href = ("a", f' href="{escape(part.href)}"') if part.href else ("span", "")
        named = Markup(f'<{tag}{href} title="{whole}">{shown}</{tag}>')
        return (named,) if part.text else (named, copy(part.id.whole, _("id %(id)s", id=part.id.short)))

    found: tuple[Callable[..., Markup], ...] = (icon, copy, badge, id, account, sentence)
    # A macro that has a parameter `badge` calls it by the other name.
    return {each.__name__: each for each in found} | {"status_badge": badge}


def elements(assets: Assets) -> dict[str, Callable[..., Any]]:
    """Return all of them by their names in templates."""
    plain = (other, cut, prose, dash, money, moment, ago, left, image, disc, tally, link, run, external)
    return {each.__name__: each for each in plain} | dict(of_assets(assets)) | {"_": translated}
