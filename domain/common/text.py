"""Text that people write: bounded, storable by PostgreSQL, and without deceptive characters."""

import json
import re
import unicodedata
from collections.abc import Mapping
from datetime import UTC, datetime

from domain.common.errors import Invalid

#: The longest note, reason or statement, in characters.
MAX_TEXT = 4000
_UNHOLDABLE = re.compile("[\x00\ud800-\udfff]")
_UNSTORABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
#: Characters that XML 1.0 does not allow; an electronic invoice is XML.
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
#: Invisible characters: controls, format characters, fillers, variation selectors, and unassigned code points.
_UNSEEN = re.compile(
    "[\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800"
    "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\ufffe\uffff\U00013430-\U0001343f\U0001bca0-\U0001bca3"
    "\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
#: Deceptive characters: bidirectional controls, C1 controls (terminal commands), and unassigned code points.
_DECEIVING = re.compile("[\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")
#: Characters with a meaning in Markdown, which are escaped.
_MARKDOWN = re.compile(r"[\\`*_{}\[\]()<>#+!|~&$:-]")
_JOINERS = "\u200c\u200d"
_VARIANTS = "\ufe0e\ufe0f"
_VIRAMA = 9


def is_storable(text: str) -> bool:
    """Return whether a text has no unpaired surrogates, and no control characters but line breaks and tabs."""
    return _UNSTORABLE.search(text) is None


def as_xml(text: str) -> str:
    """Remove the characters that XML does not allow."""
    return _NOT_XML.sub("", text)


def fits_postgres(text: str) -> bool:
    """Return whether PostgreSQL can store a text: it has no NUL and no unpaired surrogate."""
    return _UNHOLDABLE.search(text) is None


def as_markdown(text: str, *, limit: int = 300) -> str:
    """Return a user's text as Markdown that shows it literally, on one line."""
    line = " ".join(_DECEIVING.sub("", _UNSEEN.sub("", text)).split())
    cut = line if len(line) <= limit else line[: limit - 1] + "…"
    return _MARKDOWN.sub(r"\\\g<0>", cut)


def plain_text(value: object, field: str, *, limit: int = MAX_TEXT) -> str:
    """Return the text if it can be stored.

    Raises:
        Invalid: not a text, empty, longer than `limit`, or with characters that PostgreSQL or JSON cannot hold.
    """
    if not isinstance(value, str) or not value.strip():
        raise Invalid(f"{field} must be a string that is not empty.", extra={"field": field})
    if len(value) > limit:
        raise Invalid(f"{field} must not be longer than {limit} characters.", extra={"field": field})
    if not is_storable(value):
        raise Invalid(f"{field} must not contain control characters or unpaired surrogates.", extra={"field": field})
    return value


def storable_json(value: object) -> object:
    """Replace NUL and unpaired surrogates, which PostgreSQL cannot store, in all texts of a JSON value."""
    if isinstance(value, str):
        return _UNHOLDABLE.sub("\ufffd", value)
    if isinstance(value, Mapping):
        return {storable_json(name): storable_json(item) for name, item in value.items()}
    return [storable_json(item) for item in value] if isinstance(value, list) else value


def json_bytes(*texts: str | None) -> int:
    """Return the size of texts in a JSON document, in bytes."""
    return sum(len(json.dumps(text, ensure_ascii=False).encode()) for text in texts if text is not None)


def invisible_in_name(text: str) -> str | None:
    """Describe an invisible character in a name; None without one.

    Joiners are allowed where a script or an emoji needs them (RFC 5892, A.1 and A.2), and variants of symbols.
    """
    for match in _UNSEEN.finditer(text):
        if not _belongs(text, match.start()):
            return _called(match.group())
    return None if any(unicodedata.category(sign)[0] in "LNPS" for sign in text) else "no visible character"


def deceptive_in_text(text: str) -> str | None:
    """Describe a deceptive character in a text of several lines; None without one."""
    found = _DECEIVING.search(text)
    return None if found is None else _called(found.group())


def escape_invisible(text: str) -> str:
    """Replace invisible characters by their JSON escapes."""
    return text if text.isascii() and "\x7f" not in text else _UNSEEN.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    return json.dumps(match.group())[1:-1] if match.group() != "\x7f" else "\\u007f"


def _belongs(text: str, at: int) -> bool:
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if not before:
        return False
    symbol = unicodedata.category(before) in {"So", "Sk"} or before in _VARIANTS
    if text[at] in _VARIANTS:
        return symbol
    if text[at] not in _JOINERS or not after:
        return False
    arabic = unicodedata.bidirectional(before) == unicodedata.bidirectional(after) == "AL"
    return (
        unicodedata.combining(before) == _VIRAMA
        or (text[at] == _JOINERS[0] and arabic)
        or (symbol and unicodedata.category(after) == "So")
    )


def _called(sign: str) -> str:
    return f"U+{ord(sign):04X} {unicodedata.name(sign, '')}".strip()


def rfc3339(at: datetime) -> str:
    """Format a moment in RFC 3339, in UTC with `Z`."""
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")
