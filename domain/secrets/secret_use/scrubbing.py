"""Removes a secret from an answer, in each form in which a server may repeat what it was sent. Pure.

Covered are the value itself and its forms in base64 (standard and URL-safe, at each of the three alignments, also in
lines), hexadecimal, percent-encoding, JSON and HTML escapes, UTF-16 and UTF-32, mixed and repeated, whatever the case
of the letters. A server that splits, hashes or enciphers what it was sent is not covered: only hosts that are trusted
with a secret belong on its list.
"""

import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

REPLACEMENT = b"[secret]"
#: A shorter value occurs by chance, and what is removed would give it away.
SHORTEST = 8
#: How many characters one pattern has. The first ones are searched for, and the rest is followed from there.
_CHUNK = 24
#: How many bytes are searched at a time, because other threads stand still meanwhile; and more than a chunk can take.
_WINDOW, _OVERLAP = 262_144, 16_384

#: Repetitions are bounded, as otherwise a server could make the search take as long as it liked.
#: What may stand between two characters of each kind of form: zeros of UTF-16, ends of lines, separators of bytes.
_BETWEEN_TEXT = rb"\x00{0,3}"
_BETWEEN_BASE64 = rb"(?:[\s\x00]|\\(?:\\){0,7}[rn]|%0[adAD]){0,16}"
_BETWEEN_HEX = rb"[\s\x00:,-]{0,8}(?:0[xX]|\\(?:\\){0,7}[xX]|%)?"
_NAMED = {'"': b"quot", "'": b"apos", "<": b"lt", ">": b"gt", "&": b"amp"}
_CONTROLS = {"\n": b"n", "\r": b"r", "\t": b"t", "\b": b"b", "\f": b"f"}
_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")


@dataclass(frozen=True, slots=True)
class _Form:
    """A value in one form: its characters' patterns, and what may stand between them."""

    units: Sequence[bytes]
    between: bytes
    is_base64: bool = False

    def spans(self, text: bytes) -> Iterator[tuple[int, int]]:
        """Yield where the value begins in a text, and up to where it is repeated."""
        head = re.compile(self.between.join(self.units[:_CHUNK]))
        at = 0
        while at < len(text):
            found = head.search(text, at, at + _WINDOW + _OVERLAP)
            if found is None:
                at += _WINDOW
                continue
            start, at = found.start(), self._end(text, found.end())
            if self.is_base64:
                # The characters beside it hold bits of the value as well.
                begin, limit = max(start - 3, 0), min(at + 3, len(text))
                while start > begin and text[start - 1] in _BASE64:
                    start -= 1
                while at < limit and text[at] in _BASE64:
                    at += 1
            yield start, at

    def _end(self, text: bytes, end: int) -> int:
        """Return how far the value goes on in a text after its first chunk."""
        for at in range(_CHUNK, len(self.units), _CHUNK):
            chunk = [self.between + unit for unit in self.units[at : at + _CHUNK]]
            whole = re.compile(b"".join(chunk)).match(text, end)
            if whole is None:
                # It was cut off within the chunk.
                for unit in chunk:
                    more = re.compile(unit).match(text, end)
                    if more is None:
                        return end
                    end = more.end()
                return end
            end = whole.end()
        return end


class Scrubber:
    """Removes values from texts.

    Repeating it over a part of a text finds nothing that crosses the border, so it takes texts whole.
    """

    def __init__(self, values: Iterable[str]) -> None:
        """Take the values, each of at least `SHORTEST` characters."""
        self._forms = [form for value in dict.fromkeys(values) for form in _forms(value)]

    def scrub(self, text: bytes) -> bytes:
        """Return a text with each occurrence of a value in any form replaced."""
        spans = sorted(span for form in self._forms for span in form.spans(text))
        if not spans:
            return text
        merged: list[tuple[int, int]] = [(0, 0)]
        for start, end in spans:
            last = merged[-1]
            if start < last[1]:
                merged[-1] = (last[0], max(last[1], end))
            else:
                merged.append((start, end))
        merged.append((len(text), len(text)))
        kept = [text[before[1] : after[0]] for before, after in pairwise(merged)]
        return REPLACEMENT.join(kept) if merged[0] == (0, 0) else REPLACEMENT.join([b"", *kept])


def _forms(value: str) -> Iterator[_Form]:
    raw = value.encode()
    yield _Form(_text_units(value), _BETWEEN_TEXT)
    yield _Form([_either_case(f"{each:02x}") for each in raw], _BETWEEN_HEX)
    for skipped in range(3):
        size = skipped + len(raw)
        core = b64encode(b"\x00" * skipped + raw + b"\x00" * (-size % 3)).decode()
        core = core[(0, 2, 3)[skipped] : size * 4 // 3]
        yield _Form([_base64_unit(each) for each in core], _BETWEEN_BASE64, is_base64=True)


def _either_case(text: str) -> bytes:
    return b"".join(
        b"[%b%b]" % (each.lower().encode(), each.upper().encode()) if each.isalpha() else re.escape(each).encode()
        for each in text
    )


def _text_units(value: str) -> list[bytes]:
    units: list[bytes] = []
    for part in re.findall(r"\\+|[^\\]", value):
        if part[0] == "\\":
            # Backslashes escape each other, so a run of them is one unit, and is never divided in another way:
            # otherwise a text of backslashes would take forever.
            units.append(
                rb"(?>(?:(?:\\(?:u005[cC]|x5[cC])?|%%(?:25){0,4}5[cC]|&(?:amp;){0,4}#(?:0{0,4}92|[xX]0{0,4}5[cC]);)"
                rb"\x00{0,3}){%d,%d})" % (len(part), 8 * len(part))
            )
        else:
            follows_run = bool(units) and units[-1].startswith(b"(?>")
            units.append(_text_unit(part, b"" if follows_run else rb"\\(?:\\){0,7}"))
    return units


@lru_cache(maxsize=4096)
def _text_unit(char: str, escape: bytes = rb"\\(?:\\){0,7}") -> bytes:
    """Return a pattern of all ways to write a character; each begins with a literal, which makes the search fast."""
    cases = dict.fromkeys((char, char.lower(), char.upper())) if char.isascii() else {char: None}
    ways = [re.escape(each.encode()) for each in cases]
    if not char.isascii():
        encodings = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", *(("latin-1",) if ord(char) < 256 else ()))
        ways += [re.escape(char.encode(encoding)) for encoding in encodings]
    for each in cases:
        ways.append(b"".join(rb"%(?:25){0,4}" + _either_case(f"{byte:02x}") for byte in each.encode()))
        wide, code = each.encode("utf-16-be").hex(), ord(each)
        first, *second = (b"u" + _either_case(wide[at : at + 4]) for at in range(0, len(wide), 4))
        ways.append(escape + first + b"".join(rb"\\(?:\\){0,7}" + unit for unit in second))
        ways.append(rb"&(?:amp;){0,4}#(?:0{0,4}%d|[xX]0{0,4}%b);" % (code, _either_case(f"{code:x}")))
        if code < 256:
            ways.append(escape + b"x" + _either_case(f"{code:02x}"))
    if char in _NAMED:
        ways.append(rb"&(?:amp;){0,4}%b;" % _NAMED[char])
    if char in _CONTROLS:
        ways.append(escape + _CONTROLS[char])
    if char in "\"'/" and escape:
        ways.append(escape + re.escape(char.encode()))
    if char == " ":
        ways.append(rb"\+")
    return b"(?:" + b"|".join(ways) + b")"


@lru_cache(maxsize=128)
def _base64_unit(char: str) -> bytes:
    other = {"+": "-", "/": "_"}.get(char)
    unit = _text_unit(char)
    return unit if other is None else b"(?:" + unit + b"|" + re.escape(other.encode()) + b")"
