"""Sentences of the API with ids and times in them, as people read them: names with links, and local times."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from console.format import Ident, Moment, Prefs, ident, moment, short_id
from domain.ids import is_id
from domain.mentions import pieces, plain_units


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a sentence: words, a moment, or an object with its name and its page, where it has them."""

    text: str
    at: Moment | None = None
    id: Ident | None = None
    href: str = ""


Linked = Callable[[str], str]
Sentence = tuple[Part, ...]


def sentence(text: str, names: Mapping[str, str], prefs: Prefs, href: Linked) -> Sentence:
    """Return a sentence in parts.

    Args:
        text: of the API, such as the detail of an alert, or an id alone.
        names: of what it mentions, by id.
        prefs: how the reader reads.
        href: returns the address of the page of an id; empty if it has none.
    """
    return tuple(
        Part(text=names.get(each.id, ""), id=ident(each.id), href=href(each.id) if _is_there(each.id, names) else "")
        if each.id
        else Part(text=each.text, at=moment(each.at, prefs) if each.at else None)
        for each in pieces(plain_units(text))
    )


def _is_there(id: str, names: Mapping[str, str]) -> bool:
    """Return whether an object has a page: a webhook endpoint that is deleted has none, and no name either."""
    return id in names or not is_id(id, "whe")


def shortened(text: str) -> str:
    """Return a text with its ids cut, for where there is no room for more."""
    return "".join(short_id(each.id) if each.id else each.text for each in pieces(text))
