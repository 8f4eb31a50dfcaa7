"""Removal of a secret from a response, in each form in which a server may repeat it.

Covered are the value itself and its forms in base64 (standard and URL-safe, at each of the three alignments, also in
lines), hexadecimal, percent-encoding, JSON and HTML escapes, UTF-16 and UTF-32, mixed and repeated, in any letter case;
and base64 and hexadecimal of the value as encoded in a query, a form or JSON. A server that splits, hashes or encrypts
the value is not covered: only hosts trusted with a secret belong on its list.

A text that begins like the value and then differs may be the value, cut off, so the response is cut there, whatever
follows: otherwise the value could be guessed one character at a time with a server that repeats texts.

RE2 matches the patterns, in linear time for any value, and without the interpreter's lock. The work for each match is
counted and bounded.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import quote, quote_plus

import re2

REPLACEMENT = b"[secret]"
#: Characters of a value in the search pattern, the same in each form: with different ends a value could be guessed in
#: parts. The rest is compared from there; beyond the second number of characters it counts as cut off.
HEAD, MOST = 24, 4_096
#: Maximum number of steps for a response: a search of a form in a text, or a compared character. A step takes a few
#: microseconds at most, during which other threads are blocked.
MOST_STEPS = 400_000

#: Characters allowed between two characters of each form: zeros of UTF-16 and UTF-32, line ends, byte separators. RE2's
#: `\s` has no vertical tab.
_BETWEEN_TEXT = rb"\x00*"
_BETWEEN_BASE64 = rb"(?:[\s\x0b\x00]|\\+[rn]|%0[adAD])*"
_BETWEEN_HEX = rb"[\s\x0b\x00:,-]*(?:0[xX]|\\+[xX]|%)?"
_NAMED = {'"': b"quot", "'": b"apos", "<": b"lt", ">": b"gt", "&": b"amp"}
_CONTROLS = {"\n": b"n", "\r": b"r", "\t": b"t", "\b": b"b", "\f": b"f"}
_BASE64 = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/-_=")


_OPTIONS = re2.Options()
_OPTIONS.encoding = re2.Options.Encoding.LATIN1
_OPTIONS.never_capture = True
_OPTIONS.log_errors = False


class TooManySteps(Exception):
    """The response contains too many possible occurrences of a value to be searched completely."""


@dataclass(frozen=True, slots=True)
class _Form:
    """Form of a value: the patterns of its beginning, of the following characters, and of those between them."""

    head: Any
    rest: Sequence[bytes]
    between: bytes
    is_cut: bool
    is_base64: bool = False

    def spans(self, text: bytes, steps: Iterator[int]) -> Iterator[tuple[int, bool, int]]:
        """Yield the start of each occurrence in a text, whether it is cut off, and the end of its repetitions."""
        at = 0
        while _step(steps) and (found := self.head.search(text, at)) is not None:
            start, at, is_cut = found.start(), found.end(), self.is_cut
            for unit in self.rest:
                _step(steps)
                more = _following(self.between, unit).match(text, at)
                if more is None:
                    is_cut = True
                    break
                at = more.end()
            if self.is_base64:
                # The adjacent characters contain bits of the value as well.
                begin, limit = max(start - 3, 0), min(at + 3, len(text))
                while start > begin and text[start - 1] in _BASE64:
                    start -= 1
                while at < limit and text[at] in _BASE64:
                    at += 1
            yield start, is_cut, at


class Scrubber:
    """Removes values from the texts of a response.

    It needs whole texts, because occurrences across the border of two parts would be missed.
    """

    def __init__(self, values: Iterable[str]) -> None:
        """Take the values, each of at least `domain.secrets.secret_use.placing.MIN_LENGTH` characters."""
        self._forms = [form for value in dict.fromkeys(values) for form in _forms(value)]
        # RE2 for Python would keep the patterns, which hold the values.
        re2.purge()
        self._steps = iter(range(MOST_STEPS, 0, -1))

    def scrub(self, text: bytes) -> bytes:
        """Replace each occurrence of a value in any form, and cut the text at a partial one.

        Raises:
            TooManySteps: this and the texts before it take more than `MOST_STEPS`.
        """
        kept, at = list[bytes](), 0
        for start, is_cut, end in sorted(span for form in self._forms for span in form.spans(text, self._steps)):
            # A value cut off in one form can be whole in another.
            if end <= at:
                continue
            if start >= at:
                kept.append(text[at:start])
            if is_cut:
                return REPLACEMENT.join([*kept, b""])
            at = end
        return REPLACEMENT.join([*kept, text[at:]])


def _forms(value: str) -> Iterator[_Form]:
    # Hosts trim what they read.
    value = value.strip()
    is_cut, value = len(value) > MOST, value[:MOST]
    begun = value[:HEAD]

    def form(units: Sequence[bytes], head: int, between: bytes, *, is_base64: bool = False) -> _Form:
        return _Form(re2.compile(between.join(units[:head]), _OPTIONS), units[head:], between, is_cut, is_base64)

    yield form(_text_units(value), len(_text_units(begun)), _BETWEEN_TEXT)
    # The value itself, and its encodings in a query, a form and JSON.
    sent = {write(value).encode(): write(begun).encode() for write in (str, _quoted, quote_plus, _in_json)}
    for raw, head in sent.items():
        yield form([_either_case(f"{each:02x}") for each in raw], len(head), _BETWEEN_HEX)
        for skipped, partial in enumerate((0, 2, 3)):
            size = skipped + len(raw)
            core = b64encode(b"\x00" * skipped + raw + b"\x00" * (-size % 3)).decode()[partial : size * 4 // 3]
            end = (skipped + len(head)) * 4 // 3 - partial
            yield form([_base64_unit(each) for each in core], end, _BETWEEN_BASE64, is_base64=True)


def _quoted(value: str) -> str:
    return quote(value, safe="")


def _in_json(value: str) -> str:
    return json.dumps(value)[1:-1]


def _step(steps: Iterator[int]) -> int:
    if left := next(steps, 0):
        return left
    raise TooManySteps


@lru_cache(maxsize=512)
def _following(between: bytes, unit: bytes) -> Any:
    return re2.compile(between + unit, _OPTIONS)


def _either_case(text: str) -> bytes:
    return b"".join(
        b"[%b%b]" % (each.lower().encode(), each.upper().encode()) if each.isalpha() else re.escape(each).encode()
        for each in text
    )


def _text_units(value: str) -> list[bytes]:
    units: list[bytes] = []
    follows_run = False
    for part in re.findall(r"\\+|[^\\]", value):
        if part[0] == "\\":
            # Backslashes escape each other, so a run of them is one unit.
            units.append(
                rb"(?:(?:\\(?:u005[cC]|x5[cC])?|%%(?:25)*5[cC]|&(?:amp;)*#(?:0*92|[xX]0*5[cC]);)\x00*){%d,}"
                % min(len(part), HEAD)
            )
        else:
            units.append(_text_unit(part, b"" if follows_run else rb"\\+"))
        follows_run = part[0] == "\\"
    return units


@lru_cache(maxsize=4096)
def _text_unit(char: str, escape: bytes = rb"\\+") -> bytes:
    cases = dict.fromkeys((char, char.lower(), char.upper())) if char.isascii() else {char: None}
    ways = [re.escape(each.encode()) for each in cases]
    if not char.isascii():
        encodings = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", *(("latin-1",) if ord(char) < 256 else ()))
        ways += dict.fromkeys(re.escape(char.encode(encoding).strip(b"\x00")) for encoding in encodings)
    for each in cases:
        ways.append(b"".join(rb"%(?:25)*" + _either_case(f"{byte:02x}") for byte in each.encode()))
        wide, code = each.encode("utf-16-be").hex(), ord(each)
        first, *second = (b"u" + _either_case(wide[at : at + 4]) for at in range(0, len(wide), 4))
        ways.append(escape + first + b"".join(rb"\\+" + unit for unit in second))
        ways.append(rb"&(?:amp;)*#(?:0*%d|[xX]0*%b);" % (code, _either_case(f"{code:x}")))
        if code < 256:
            ways.append(escape + b"x" + _either_case(f"{code:02x}"))
    if char in _NAMED:
        ways.append(rb"&(?:amp;)*%b;" % _NAMED[char])
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
