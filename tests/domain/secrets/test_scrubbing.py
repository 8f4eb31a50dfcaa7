"""A secret is found in an answer in every form, wherever it begins and whatever stands beside it."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.secrets.secret_use.scrubbing import REPLACEMENT, SHORTEST, Scrubber
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
    scrubber = Scrubber([secret])
    for name, form in spellings(secret).items():
        if name == "upper" and not secret.isascii():
            continue
        for text in (form, b"key=" + form + b"&x=1", form + b"," + form):
            clean = scrubber.scrub(text)
            assert REPLACEMENT in clean, name
            assert hidden_in(secret, clean) == [], name
    text = b"An answer without it: " + secret[:-1].encode()[: SHORTEST - 2] + b" \xff\x00"
    assert scrubber.scrub(text) == text


@settings(max_examples=40)
@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=SHORTEST, max_size=20),
    st.binary(max_size=40),
    st.binary(max_size=40),
)
def test_the_search_of_the_test_finds_what_the_scrubber_has_to(secret: str, before: bytes, after: bytes):
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


def test_what_stands_beside_a_form_of_base64_goes_with_it():
    secret = "sk-live_4eC39HqLyjWDarjtT1zdp7dc"
    for skipped in range(3):
        text = b'{"a":"' + base64.b64encode(b"x" * skipped + secret.encode()) + b'"}'
        assert Scrubber([secret]).scrub(text) == b'{"a":"' + REPLACEMENT + b'"}'


def test_a_text_made_to_keep_the_search_busy_ends_it_soon():
    # Without bounds and atomic groups these take longer than the universe has.
    for secret, text in (
        (r"\/" * 20, (b"\\" * 8 + b"/") * 2_000 + b"x"),
        ("\\" * 40, b"\\" * 50_000 + b"x"),
        ("%25" * 20, b"%25" * 50_000),
        ("&amp;" * 12, b"&amp;" * 50_000),
        ("s3cr3t-value", b"\\" * 200_000),
    ):
        Scrubber([secret]).scrub(text)


def test_a_secret_is_found_across_the_windows_of_the_search():
    secret = "sk-live_4eC39HqLyjWDarjtT1zdp7dc"
    for at in range(262_144 - 40, 262_144 + 3):
        clean = Scrubber([secret]).scrub(b"." * at + secret.encode() + b"." * 100)
        assert clean == b"." * at + REPLACEMENT + b"." * 100
