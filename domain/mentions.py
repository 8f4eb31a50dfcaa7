"""Ids and times within a sentence: found, so that a reader gets names and local times in their place.

Alerts are written once, for every reader, with ids and with times in UTC.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from domain.ids import SUFFIX
from domain.mail import Formats, Written

#: The longest name in a mail.
MAX_NAME = 80
_FOUND = re.compile(
    rf"\b(?P<id>[a-z](?:[a-z_]{{0,61}}[a-z])?_{SUFFIX})\b"
    r"|\b(?P<day>\d{4}-\d\d-\d\d)[T ](?P<time>\d\d:\d\d(?::\d\d)?)(?:\.\d{1,6})?(?:Z|\+00:00| UTC)(?!\w)"
)
#: What mail programs make a link of: a name that a stranger chose must not be one.
_LIKE_A_LINK = re.compile(r"[/@\\]|\w\.\w")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a sentence: its text, and the id or the time that it is; plain words are neither."""

    text: str
    id: str = ""
    at: datetime | None = None


def pieces(text: str) -> tuple[Piece, ...]:
    """Split a text at its ids and times; joined, the pieces are the text."""
    found, end = list[Piece](), 0
    for each in _FOUND.finditer(text):
        at = None if each["id"] else _moment(f"{each['day']}T{each['time']}")
        if at is None and not each["id"]:
            continue
        if each.start() > end:
            found.append(Piece(text[end : each.start()]))
        found.append(Piece(each[0], each["id"] or "", at))
        end = each.end()
    return (*found, Piece(text[end:])) if end < len(text) else tuple(found)


def ids_in(texts: Iterable[str]) -> frozenset[str]:
    """Return the ids that texts mention."""
    return frozenset(piece.id for text in texts for piece in pieces(text) if piece.id)


def written_for(words: Written, names: Mapping[str, str], formats: Formats, zone: str) -> Written:
    """Return a mail with the name before each id, `Acme (org_…)`, and its times in a zone of the IANA database."""

    def told(text: str) -> str:
        return "".join(_told(piece, names, formats, zone) for piece in pieces(text))

    return Written(
        subject=told(words.subject), paragraphs=tuple(told(each) for each in words.paragraphs), link=words.link
    )


def _told(piece: Piece, names: Mapping[str, str], formats: Formats, zone: str) -> str:
    if piece.at is not None:
        return formats.moment(piece.at, zone)
    name = " ".join("".join(each if each.isprintable() else " " for each in names.get(piece.id, "")).split())
    return f"{name[:MAX_NAME]} ({piece.text})" if name and not _LIKE_A_LINK.search(name) else piece.text


def _moment(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError:
        return None
