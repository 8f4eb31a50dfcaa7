"""Ids and times within a sentence: found, so that a reader gets names and local times in their place.

Alerts are written once, for every reader, with ids and with times in UTC.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from domain.common.ids import ID
from domain.common.mail import Formats, MailText
from domain.common.money import CREDIT, SLOT
from domain.messages.texts import TEXTS

#: The longest name in a mail.
MAX_NAME = 80
_FOUND = re.compile(
    rf"\b(?P<id>{ID})\b"
    r"|\b(?P<day>\d{4}-\d\d-\d\d)[T ](?P<time>\d\d:\d\d(?::\d\d)?)(?:\.\d{1,6})?(?:Z|\+00:00| UTC)(?!\w)"
)
_UNIT = re.compile(rf"(?<=[0-9] )(?:{CREDIT}|{SLOT})\b")
#: What mail programs make a link of: a name that a stranger chose must not be one.
_LIKE_A_LINK = re.compile(r"[/@\\]|\w\.\w")


@dataclass(frozen=True, slots=True)
class TextPart:
    """A part of a sentence: its text, and the id or the time that it is; plain words are neither."""

    text: str
    id: str = ""
    at: datetime | None = None


def spell_units(text: str, language: str = "en") -> str:
    """Return a text with words in place of the codes of what the platform issues: `10.00 credits`, not `CREDIT`."""
    phrases = TEXTS[language].phrases
    words = {CREDIT: phrases["credits"], SLOT: phrases["slots"]}
    return _UNIT.sub(lambda found: words[found[0]], text)


def split_mentions(text: str) -> tuple[TextPart, ...]:
    """Split a text at its ids and times; joined, the pieces are the text."""
    found, end = list[TextPart](), 0
    for each in _FOUND.finditer(text):
        at = None if each["id"] else _moment(f"{each['day']}T{each['time']}")
        if at is None and not each["id"]:
            continue
        if each.start() > end:
            found.append(TextPart(text[end : each.start()]))
        found.append(TextPart(each[0], each["id"] or "", at))
        end = each.end()
    return (*found, TextPart(text[end:])) if end < len(text) else tuple(found)


def ids_in(texts: Iterable[str]) -> frozenset[str]:
    """Return the ids that texts mention."""
    return frozenset(piece.id for text in texts for piece in split_mentions(text) if piece.id)


def localize_mail(words: MailText, names: Mapping[str, str], formats: Formats, *, zone: str, language: str) -> MailText:
    """Return a mail as its reader reads it: the name before each id, `Acme (org_…)`, and words for units.

    Args:
        words: the mail.
        names: of what it mentions, by id.
        formats: for the language.
        zone: of the times, of the IANA database.
        language: of `domain.common.mail.LANGUAGES`.
    """

    def told(text: str) -> str:
        return "".join(_told(piece, names, formats, zone) for piece in split_mentions(spell_units(text, language)))

    return MailText(
        subject=told(words.subject), paragraphs=tuple(told(each) for each in words.paragraphs), link=words.link
    )


def _told(piece: TextPart, names: Mapping[str, str], formats: Formats, zone: str) -> str:
    if piece.at is not None:
        return formats.moment(piece.at, zone)
    name = " ".join("".join(each if each.isprintable() else " " for each in names.get(piece.id, "")).split())
    return f"{name[:MAX_NAME]} ({piece.text})" if name and not _LIKE_A_LINK.search(name) else piece.text


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None
