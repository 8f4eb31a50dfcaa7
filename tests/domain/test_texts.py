"""Every language has the same texts, and each has values that the first language has as well."""

from dataclasses import fields

from domain.common.mail import LANGUAGES, MailKind
from domain.messages.notification.types import TYPE_BY_EVENT
from domain.messages.texts import TEXTS, Texts, values_of


def values_by_key(texts: Texts) -> dict[tuple[str, str], frozenset[str]]:
    return {
        (table.name, key): values_of((text,) if isinstance(text, str) else text)
        for table in fields(Texts)
        for key, text in getattr(texts, table.name).items()
    }


def test_languages_have_the_same_keys_and_no_value_of_their_own() -> None:
    first, *others = (values_by_key(TEXTS[language]) for language in LANGUAGES)
    for other in others:
        assert other.keys() == first.keys()
        assert all(values <= first[key] for key, values in other.items())


def test_every_kind_of_mail_and_every_notified_event_has_a_text() -> None:
    texts = TEXTS[LANGUAGES[0]]
    assert texts.mails.keys() == {kind.value for kind in MailKind}
    assert texts.events.keys() == set(TYPE_BY_EVENT)
