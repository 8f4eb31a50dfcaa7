"""A secret is found in an answer in every form, at every position and next to any text."""

import base64
import json
import string
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import assume, given, settings, strategies as st

from domain.secrets.secret_use.placing import MIN_LENGTH, Placement, RequestPart, place_secret
from domain.secrets.secret_use.request import read_request
from providers.secrets.scrubbing import HEAD, MOST, MOST_STEPS, REPLACEMENT, Scrubber, TooManySteps
from tests.support.spellings import hidden_in, spellings

SECRETS = [
    "sk-live_4eC39HqLyjWDarjtT1zdp7dc",
    "p\"a\\s/s'w&o<r>d +%ü€😀",
    r"\/\u0041\\n%25%41&amp;",
    "12345678",
    "a" * 40 + "b" * 3_000,
]


@pytest.mark.parametrize("secret", SECRETS)
def test_nothing_of_a_secret_is_left_in_any_form(secret: str):
    for name, form in spellings(secret).items():
        if name == "upper" and not secret.isascii():
            continue
        scrubber = Scrubber([secret])
        for text in (form, b"key=" + form + b"&x=1", form + b"," + form):
            clean = scrubber.scrub(text)
            assert REPLACEMENT in clean, name
            assert hidden_in(secret, clean) == [], name
    text = b"An answer without it: " + secret[:-1].encode()[: MIN_LENGTH - 2] + b" \xff\x00"
    assert Scrubber([secret]).scrub(text) == text


@settings(max_examples=40)
@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=MIN_LENGTH, max_size=20),
    st.binary(max_size=40),
    st.binary(max_size=40),
)
def test_the_search_of_the_test_finds_every_form(secret: str, before: bytes, after: bytes):
    scrubber = Scrubber([secret])
    for name, form in spellings(secret).items():
        if name == "upper" or ("utf" in name and not secret.isascii()):
            continue
        if "base64" in name:
            before, after = b"", b""
        clean = scrubber.scrub(before + form + after)
        assert REPLACEMENT in clean, name
    text = base64.b64encode(before + secret.encode() + after)
    assert hidden_in(secret, text)
    assert hidden_in(secret, scrubber.scrub(text)) == []


def test_characters_next_to_a_form_in_base64_are_removed_with_it():
    secret = "sk-live_4eC39HqLyjWDarjtT1zdp7dc"
    for skipped in range(3):
        text = b'{"a":"' + base64.b64encode(b"x" * skipped + secret.encode()) + b'"}'
        assert Scrubber([secret]).scrub(text) == b'{"a":"' + REPLACEMENT + b'"}'


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        (r"\/" * 20, b"\\" * 8 + b"/"),
        ("\\" * 40, b"\\"),
        ("\\" * 40, b"\\" * 23 + b"x"),
        ("\\" * 26 + "x", b"\\%5c&#92;\\u005c\0"),
        ("%25" * 20, b"%25"),
        ("%" * 30, b"%2525"),
        ("&amp;" * 12, b"&amp;"),
        ("s3cr3t-value", b"\\"),
        ("a" * 30 + "b", b"a" * 23 + b"c"),
        ("a" * 30 + "b", base64.b64encode(b"a" * 23 + b"c")),
        ("a" * 30 + "b", b"%61\\u0061&#97;a\0\0\0" * 5 + b"c"),
        ("\0" * 30 + "b", b"A" * 30 + b"B"),
        ("é" * 24, ("é" * 23).encode("utf-32-le") + b"x"),
    ],
)
def test_no_text_keeps_the_search_busy_whatever_the_value(secret: str, text: bytes):
    # A megabyte takes 40 ms at most. An engine that tries one way after the other takes up to two seconds.
    with suppress(TooManySteps):
        Scrubber([secret]).scrub(text * (2_000_000 // len(text)))


#: Forms of a text that a server repeats.
ONCE: list[Callable[[bytes], bytes]] = [
    bytes,
    lambda text: text.hex().encode(),
    *(lambda text, before=before: base64.b64encode(before + text) for before in (b"", b"x", b"xy")),
    lambda text: b"".join(b"%%%02x" % each for each in text),
    lambda text: base64.b64encode(text)[: len(text) * 8 // 6 + 1],
]
#: Written twice, it is not searched for.
TWICE: list[Callable[[bytes], bytes]] = [lambda text: base64.b64encode(text).hex().encode()]
ASCII = st.text(st.characters(min_codepoint=33, max_codepoint=125), min_size=1)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_known_beginning_of_a_secret_does_not_allow_guessing_the_rest(data: st.DataObject):
    secret = data.draw(st.text(st.characters(min_codepoint=33, max_codepoint=125), min_size=HEAD + 2, max_size=90))
    # A repeated character continues itself: apart from the edges of base64 it is complete before it ends.
    assume(len(set(secret[1:-1])) > 1)
    known = data.draw(st.integers(HEAD, len(secret) - 2))
    right = secret[known : data.draw(st.integers(known + 1, len(secret) - 1))]
    wrong = data.draw(ASCII.map(lambda text: (text * len(right))[: len(right)]))
    write = data.draw(st.sampled_from(ONCE + TWICE))
    before, after = data.draw(st.sampled_from([b"", b"/v1/?a=", b'{"error":"'])), data.draw(st.text(max_size=20))
    seen = {
        Scrubber([secret]).scrub(before + write((secret[:known] + guess).encode()) + end)
        for guess in (right, wrong)
        for end in (b"", b"~" + after.encode())
    }
    if write in ONCE:
        assert len(seen) == 1
    else:
        assert not any(REPLACEMENT in each for each in seen)


@pytest.mark.parametrize("shift", range(3))
@pytest.mark.parametrize("size", [0, 17, 90])
def test_the_name_of_basic_authentication_gives_nobody_a_known_beginning(size: int, shift: int):
    secret = "sk-live_4eC39HqLyjWDarjtT1zdp7dcQ8mNxV0aGzR5"
    name = "n" * (size + shift)
    placement = Placement(part=RequestPart.BASIC, name=name)
    scrubber = Scrubber(place_secret(read_request("GET", "https://a.example/", {}, None), placement, secret).values)
    for known in (0, 5, 12, 18, HEAD - 2):
        texts = [f"{name}:{secret[:known]}{char}".encode() for char in string.ascii_letters + string.digits + "-_"]
        for write in ONCE + TWICE:
            text = b"~".join(write(each) for each in texts)
            assert scrubber.scrub(text) == text


def test_a_secret_that_is_cut_off_ends_the_text():
    secret = "sk-live_4eC39HqLyjWDarjtT1zdp7dc"
    for size in range(HEAD, len(secret)):
        assert Scrubber([secret]).scrub(b"no " + secret[:size].encode() + b"... is none") == b"no " + REPLACEMENT
    assert Scrubber([secret]).scrub(b"no " + secret.encode() + b" is none") == b"no " + REPLACEMENT + b" is none"


@pytest.mark.parametrize("write", [quote, quote_plus, lambda text: json.dumps(text)[1:-1]])
@pytest.mark.parametrize(
    "secret", ['pa"ss\\word + 12345&é', "abc+def/ghi=jkl&mno", "x" * 30 + "+ /y", "sk-live_4eC39HqLyj"]
)
def test_the_sent_form_is_found_in_base64_and_hexadecimal(secret: str, write: Callable[..., str]):
    sent = (write(secret, safe="") if write is not quote_plus and write is quote else write(secret)).encode()
    for before in (b"", b"k", b"ke", b"key"):
        text = before + sent + b"&"
        assert sent.hex().encode() not in Scrubber([secret]).scrub(text.hex().encode())
        clean = Scrubber([secret]).scrub(base64.b64encode(text))
        assert REPLACEMENT in clean
        assert len(clean) <= len(REPLACEMENT) + 8
    # A secret that is complete in one form is not cut off in another one.
    assert Scrubber([secret]).scrub(b"a" + secret.encode() + b" b") == b"a" + REPLACEMENT + b" b"


@pytest.mark.parametrize("space", [bytes([each]) for each in range(128) if bytes([each]).isspace()])
def test_white_space_between_the_characters_of_a_form_hides_nothing(space: bytes):
    secret = "sk-live_4eC39HqLyjWDarjtT1zdp7dc"
    of_base64 = [b"%c" % each for each in base64.b64encode(secret.encode())]
    for units in (of_base64, [b"%02x" % each for each in secret.encode()]):
        assert REPLACEMENT in Scrubber([secret]).scrub(space.join(units))


@pytest.mark.parametrize("secret", ["hunter2hunter2 ", "\thunter2hunter2\r\n"])
def test_a_host_that_trims_a_secret_repeats_nothing_of_it(secret: str):
    assert Scrubber([secret]).scrub(b"bad password hunter2hunter2.") == b"bad password " + REPLACEMENT + b"."


def test_an_answer_is_searched_in_steps_that_are_bounded():
    value = "".join(f"{number:04x}" for number in range(MOST // 4))
    forms = 5
    # Each repetition is a step where it is found, and one for each character that is followed.
    for count, end in ((MOST_STEPS // (MOST - HEAD + 1) - 1, b","), (1, b"")):
        text = (value + ",").encode() * count
        assert Scrubber([value]).scrub(text + end) == (REPLACEMENT + b",") * count + end
    with pytest.raises(TooManySteps):
        Scrubber([value]).scrub(value.encode() * (MOST_STEPS // (MOST - HEAD) + 1))
    # A text in which nothing is found takes one step for each form.
    scrubber = Scrubber([value])
    for _ in range(MOST_STEPS // forms):
        scrubber.scrub(b"x")
    with pytest.raises(TooManySteps):
        scrubber.scrub(b"x")


def test_a_secret_beyond_the_search_limit_ends_the_text():
    value = "".join(f"{number:04x}" for number in range(16_384))
    assert Scrubber([value]).scrub(b"a " + value.encode() + b",") == b"a " + REPLACEMENT
