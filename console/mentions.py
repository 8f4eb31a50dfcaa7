"""Sentences of the API with ids, amounts and times in them, as people read them: names with links, local times."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from console.format import Ident, Moment, Prefs, amount, ident, moment, short_id
from domain.common.ids import is_id
from domain.common.money import CREDIT, SCALES, SLOT
from domain.messages.mentions import TextPart, spell_units, split_mentions

_CODES = {"credits": CREDIT, "slots": SLOT, **{code: code for code in SCALES if code not in {CREDIT, SLOT}}}
#: An amount as the API writes it in a text. Few digits without decimals are left: they need no marks.
_AMOUNT = re.compile(rf"(?<![\w.,-])(?P<value>\d{{1,60}}\.\d{{1,40}}|\d{{4,60}}) (?P<unit>{'|'.join(_CODES)})\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class SentencePart:
    """A part of a sentence: words, a moment, or an object with its name and its page, where it has them."""

    text: str
    at: Moment | None = None
    id: Ident | None = None
    href: str = ""


Linked = Callable[[str], str]
#: Takes whose the object is as well, for pages that are of all organizations.
LinkedOf = Callable[[str, str | None], str]
Sentence = tuple[SentencePart, ...]


def sentence(text: str, names: Mapping[str, str], prefs: Prefs, href: Linked) -> Sentence:
    """Return a sentence in parts."""
    return tuple(
        SentencePart(
            text=names.get(each.id, ""), id=ident(each.id), href=href(each.id) if _is_there(each.id, names) else ""
        )
        if each.id
        else SentencePart(text=_marked(each.text, prefs), at=moment(each.at, prefs) if each.at else None)
        for each in split_mentions(spell_units(text))
    )


def _is_there(id: str, names: Mapping[str, str]) -> bool:
    """Return whether an object has a page: without a name, webhook endpoints, agents and draft invoices have none."""
    return id in names or not any(is_id(id, kind) for kind in ("agt", "inv", "whe"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How what a page mentions is written; `Visit.naming` makes it.

    Attributes:
        names: of what is mentioned, by id.
        prefs: how the reader reads.
        href: returns the address of the page of an id, of an organization where one is named; empty if it has none.
    """

    names: Mapping[str, str]
    prefs: Prefs
    href: LinkedOf

    def __call__(self, text: str | None, org_id: str | None = None) -> Sentence:
        """Return a sentence, or an id alone, in parts; none of nothing. `org_id` is whose the objects are."""
        return sentence(text or "", self.names, self.prefs, lambda id: self.href(id, org_id))

    def plain(self, text: str) -> str:
        """Return a text with names in place of its ids, and without links."""
        return shortened(text, self.prefs, self.names)


def shortened(text: str, prefs: Prefs, names: Mapping[str, str]) -> str:
    """Return a text with names in place of its ids, or with its ids cut, and local times: where it has no links."""

    def written(each: TextPart) -> str:
        if each.id:
            return names.get(each.id, short_id(each.id))
        return moment(each.at, prefs).text if each.at else _marked(each.text, prefs)

    return "".join(written(each) for each in split_mentions(spell_units(text)))


def _marked(text: str, prefs: Prefs) -> str:
    return _AMOUNT.sub(
        lambda found: f"{amount(found['value'], _CODES[found['unit']], prefs).number} {found['unit']}", text
    )
