"""Texts by people: visible characters in names, and characters that reverse the direction of a text."""

import json

import pytest
from hypothesis import given, strategies as st

from domain.common.text import deceptive_in_text, escape_invisible, invisible_in_name
from tests.support.cases import for_each

PLAIN = [
    "Acme",
    "Łódź & Söhne, №7",
    "株式会社ベル",
    "شرکت می\u200cخواهم",  # noqa: RUF001 - Persian writes words with a non-joiner
    "क\u094d\u200dष",
    "👩\u200d💻 Studio",
    "❤\ufe0f Love",
    "שלום",
]


@for_each("name", PLAIN)
def test_name_that_people_write_is_taken(name: str) -> None:
    assert invisible_in_name(name) is None


@for_each(
    "name, what",
    [
        ("Ac\u200bme", "U+200B ZERO WIDTH SPACE"),
        ("\u0915\u094d\u200b\u0937", "U+200B ZERO WIDTH SPACE"),
        ("Ac\u200dme", "U+200D ZERO WIDTH JOINER"),
        ("Ac\u200cme", "U+200C ZERO WIDTH NON-JOINER"),
        ("\u202eemcA", "U+202E RIGHT-TO-LEFT OVERRIDE"),
        ("Acme\u2066", "U+2066 LEFT-TO-RIGHT ISOLATE"),
        ("Acme\u200f", "U+200F RIGHT-TO-LEFT MARK"),
        ("Acme\x9b31m", "U+009B"),
        ("Acme\x85", "U+0085"),
        ("\ufeffAcme", "U+FEFF ZERO WIDTH NO-BREAK SPACE"),
        ("Ac\u00adme", "U+00AD SOFT HYPHEN"),
        ("Acme\ufe0f", "U+FE0F VARIATION SELECTOR-16"),
        ("Acme\U000e0041", "U+E0041 TAG LATIN CAPITAL LETTER A"),
        ("\u3164", "U+3164 HANGUL FILLER"),
        ("\u2800", "U+2800 BRAILLE PATTERN BLANK"),
        ("Acme\u2028", "U+2028 LINE SEPARATOR"),
        ("Acme\uffff", "U+FFFF"),
        ("Ac\ufffeme", "U+FFFE"),
    ],
)
def test_name_with_invisible_characters_is_refused(name: str, what: str) -> None:
    assert invisible_in_name(name) == what


@pytest.mark.parametrize("name", ["", " ", "\u3000\u2003", "\u0301", " \u0301 "], ids=ascii)
def test_name_without_visible_characters_is_refused(name: str) -> None:
    assert invisible_in_name(name) == "no visible character"


@for_each("text", [*PLAIN, "two\nlines", "a\ttab", "Hebrew\u200f mark", "soft\u00adhyphen"])
def test_text_of_several_lines_is_taken(text: str) -> None:
    assert deceptive_in_text(text) is None


@for_each("sign", [*"\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069", "\x80", "\x9b", "\uffff"])
def test_text_with_direction_or_terminal_controls_is_refused(sign: str) -> None:
    assert (deceptive_in_text(f"paid {sign}in full") or "").startswith(f"U+{ord(sign):04X}")


@given(st.text())
def test_escaping_makes_characters_visible_and_loses_nothing(text: str) -> None:
    shown = escape_invisible(text)
    assert escape_invisible(shown) == shown
    assert deceptive_in_text(shown) is None
    assert not any(sign in shown for sign in "\u202e\u200b\x9b\ufeff")
    assert json.loads(escape_invisible(json.dumps(text, ensure_ascii=False))) == text
