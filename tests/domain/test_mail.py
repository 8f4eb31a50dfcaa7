"""Mails: accepted values and addresses, and texts of every kind in every language."""

import pytest

from domain.common.errors import Invalid
from domain.common.mail import LANGUAGES, MailKind, checked_address, language_of
from domain.messages.mail_kind import checked_values, render_mail, values_of_kind
from providers.formats import formats_of
from tests.support.cases import for_each

VALUES = {
    "number": "INV-000042",
    "amount": "1234.50",
    "currency": "EUR",
    "due_on": "2026-11-30",
    "next_try_on": "2026-11-30",
    "control": "ctl_01h455vb4pex5vsknk084sn02q",
    "percent": "80",
    "ends_on": "2026-11-30",
    "held_until_on": "2026-11-30",
    "link": "https://pay.example/x",
    "month": "2026-10",
    "plan": "Starter",
    "next_plan": "Free",
    "renews_on": "2026-11-30",
    "changed_by": "kim",
    "agent": "agt_01h455vb4pex5vsknk084sn02q",
    "endpoint": "we_01h455vb4pex5vsknk084sn02q",
    "disabled_on": "2026-11-30",
    "organization": "org_01h455vb4pex5vsknk084sn02q",
    "role": "member",
    "until_on": "2026-11-30",
    "minutes": "15",
}


#: Language → an amount, a day and a month.
WRITTEN = {
    "en": ("1,234.50 EUR", "30 November 2026", "October 2026"),
    "de": ("1.234,50 EUR", "30. November 2026", "Oktober 2026"),
    "fr": ("1\u202f234,50 EUR", "30 novembre 2026", "octobre 2026"),
    "es": ("1.234,50 EUR", "30 de noviembre de 2026", "octubre de 2026"),
}


@for_each("language", LANGUAGES)
@for_each("kind", MailKind)
def test_every_kind_shows_all_its_values_in_every_language(kind: MailKind, language: str) -> None:
    values = values_of_kind(kind)
    words = render_mail(kind, {name: VALUES[name] for name in values}, language, formats_of(language))
    text = " ".join((words.subject, *words.paragraphs, words.link or ""))
    amount, day, month = WRITTEN[language]
    expected = {"currency": "EUR", "amount": amount, "month": month}
    for name in values:
        assert (day if name.endswith("_on") else expected.get(name, VALUES[name])) in text
    assert "{" not in text


@pytest.mark.parametrize(
    "data",
    [
        {"month": "2026-10", "other": "x"},
        {},
        {"month": ""},
        {"month": "x\r\nBcc: thief@evil.example"},
        {"month": "x\u2028y"},
        {"month": "2026-10", "link": "javascript:alert(1)"},
    ],
)
def test_values_of_another_kind_are_refused(data: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="mail"):
        checked_values(MailKind.STATEMENT_READY, data)


def test_a_value_that_looks_like_a_field_stays_text() -> None:
    data = {"plan": "{amount} {0}", "amount": "1", "currency": "JPY"}
    words = render_mail(MailKind.SUBSCRIPTION_PAST_DUE, data, "en", formats_of("en"))
    assert "1 JPY for the plan {amount} {0}" in words.paragraphs[0]


def test_language_is_of_the_first_locale_that_has_texts() -> None:
    assert language_of("pt-BR", "fr") == "fr"
    assert language_of("es", "de") == "es"
    assert language_of("de-AT") == "de"
    assert language_of("ja", None) == language_of() == LANGUAGES[0]


def test_an_address_keeps_its_name_and_lowers_its_domain() -> None:
    assert checked_address("Kim.Lee+x@Acme.EXAMPLE") == "Kim.Lee+x@acme.example"


@for_each(
    "bad",
    [
        *("kim", "kim@localhost", "@acme.example", "kim@acme.example\r\nBcc: x@y.example", "kim@acme.example "),
        *("Kim <kim@acme.example>", '"kim"@acme.example', "kim@acme..example", "kim@[127.0.0.1]", "kïm@acme.example"),
        *("a@b.example,c@d.example", "k" * 65 + "@acme.example", "k@" + "a" * 250 + ".example", ".kim@acme.example"),
    ],
)
def test_unusable_mail_address_is_refused(bad: str) -> None:
    with pytest.raises(Invalid):
        checked_address(bad)
