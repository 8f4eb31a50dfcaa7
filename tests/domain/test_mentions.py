"""Ids and times in sentences are found exactly, and mails have names and local times in their place."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, strategies as st

from domain.common.mail import MailText
from domain.messages.mentions import MAX_NAME, ids_in, localize_mail, spell_units, split_mentions
from providers.formats import formats_of

PAYMENT, ORG = "pay_01kar6x0qmf9rv4w7n2h8d3s5c", "org_01kar6x0qmf9rv4w7n2h8d3s5d"
AT = datetime(2026, 11, 30, 13, 5, tzinfo=UTC)


@given(st.text() | st.lists(st.sampled_from([PAYMENT, ORG, "2026-11-30T13:05:00Z", " ", "x", ".", "_"])).map("".join))
def test_pieces_are_the_text(text: str) -> None:
    assert "".join(each.text for each in split_mentions(text)) == text


@pytest.mark.parametrize(
    "text",
    ["2026-11-30T13:05:00Z", "2026-11-30T13:05:00.000000Z", "2026-11-30 13:05 UTC", "2026-11-30T13:05:00+00:00"],
)
def test_times_of_alerts_are_found(text: str) -> None:
    assert [each.at for each in split_mentions(f"Until {text}, or later.")] == [None, AT, None]


@pytest.mark.parametrize("text", ["2026-11-30", "2026-11-30T13:05", "2026-13-41T99:05:00Z", "2026-11-30T13:05:00Zulu"])
def test_other_texts_than_times_are_unchanged(text: str) -> None:
    assert [each.at for each in split_mentions(text)] == [None]


def test_ids_are_found_once_and_nothing_like_them() -> None:
    assert ids_in([f"{PAYMENT} of {ORG}, again {PAYMENT}.", f"x{PAYMENT}y", "esc_1", "mail"]) == {PAYMENT, ORG}


@pytest.mark.parametrize(
    ("zone", "language", "written"),
    [
        ("UTC", "en", "30 Nov 2026, 13:05 UTC"),
        ("America/New_York", "en", "30 Nov 2026, 08:05 EST"),
        ("Europe/Berlin", "de", "30 Nov. 2026, 14:05 CET"),
    ],
)
def test_mail_has_names_before_ids_and_times_of_its_reader(zone: str, language: str, written: str) -> None:
    words = MailText(
        subject="Owed", paragraphs=(f"{ORG} owes {PAYMENT} since 2026-11-30 13:05 UTC.",), link="https://a"
    )
    told = localize_mail(words, {ORG: "Acme"}, formats_of(language), zone=zone, language=language)
    assert told.paragraphs == (f"Acme ({ORG}) owes {PAYMENT} since {written}.",)
    assert (told.subject, told.link) == ("Owed", "https://a")


@pytest.mark.parametrize("name", ["https://evil.example", "evil.example", "call@me", "a\\b"])
def test_name_that_a_mail_program_would_link_stays_out(name: str) -> None:
    told = localize_mail(MailText(subject=ORG, paragraphs=()), {ORG: name}, formats_of("en"), zone="UTC", language="en")
    assert told.subject == ORG


def test_name_in_a_mail_is_one_short_line() -> None:
    name = "a\r\nBcc: " + "b" * 200
    words = MailText(subject=ORG, paragraphs=())
    told = localize_mail(words, {ORG: name}, formats_of("en"), zone="UTC", language="en")
    assert told.subject == f"{('a Bcc: ' + 'b' * 200)[:MAX_NAME]} ({ORG})"


@pytest.mark.parametrize(
    ("text", "language", "plain"),
    [
        ("A spend of 1.00 CREDIT was refused.", "en", "A spend of 1.00 credits was refused."),
        ("2 SLOT, 5.00 USD", "de", "2 Slots, 5.00 USD"),
        ("no rate from CREDIT to USD", "en", "no rate from CREDIT to USD"),
    ],
)
def test_amounts_have_words_for_what_the_platform_issues(text: str, language: str, plain: str) -> None:
    assert spell_units(text, language) == plain
