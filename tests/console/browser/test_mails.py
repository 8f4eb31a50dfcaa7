"""Mails in a browser: each kind fits a narrow window and is readable in both themes."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser

from domain.common.mail import LANGUAGES, MailKind, MailText
from domain.messages.alert.life import Severity
from domain.messages.events.catalogue import CATALOGUE
from domain.messages.mail_kind import render_mail, values_of_kind
from domain.messages.notification import types
from providers.formats import formats_of
from providers.notify.base import Message
from providers.notify.mail_templates import MailTemplates
from tests.console.browser.driver import AXE, HEIGHT, THEMES
from tests.domain.test_mail import VALUES

UNBROKEN = "https://api.example.com/" + "averylongword" * 20
SUBJECT = "pay_01h455vb4pex5vsknk084sn02q"
EVERYTHING = MailText(subject=UNBROKEN, paragraphs=("First.", UNBROKEN), link=UNBROKEN)


#: What alerts of each severity say, as the product writes it.
ALERTS = {
    Severity.INFO: "The key that signs for your organization was used for the first time.",
    Severity.WARNING: "80% of the limit of department dep_01h455vb4pex5vsknk084sn02q on a month is spent or reserved; "
    "the next window begins at 2026-12-01T00:00:00Z.",
    Severity.CRITICAL: f"A chargeback of 120.00 EUR was opened: {UNBROKEN}",
}


def mails() -> Iterator[tuple[str, Message]]:
    """Return each mail that the product sends, by name."""
    for language in LANGUAGES:
        formats = formats_of(language)
        for kind in MailKind:
            values = {name: VALUES[name] for name in values_of_kind(kind)}
            yield f"{kind} in {language}", message(render_mail(kind, values, language, formats), language)
        told = [
            types.render_notification(each.name, fact, SUBJECT, CATALOGUE[fact].example, language, formats)
            for each in types.BY_NAME.values()
            for fact in each.events
        ]
        alerts = [
            types.render_notification(
                "alert",
                "alert",
                SUBJECT,
                {"kind": "spend.refused", "severity": severity, "detail": detail},
                language,
                formats,
            )
            for severity, detail in ALERTS.items()
        ]
        for words in (*told, *alerts):
            yield f"{words.subject} in {language}", message(words, language)
        yield f"digest in {language}", message(types.render_digest(told[:20], language, 30), language)
        code = types.render_notification(types.CODE, types.CODE, SUBJECT, {"code": "048213"}, language, formats)
        # Whoever asks for a code cannot stop it, and it leads nowhere.
        yield f"code in {language}", message(code, language, unsubscribe=None)
    yield "everything that a mail can hold", message(EVERYTHING, "en")


def message(words: MailText, language: str, unsubscribe: str | None = UNBROKEN) -> Message:
    return Message(to=("kim@acme.example",), language=language, words=words, unsubscribe=unsubscribe)


@pytest.mark.parametrize("theme", THEMES)
async def test_every_mail_is_readable_on_a_phone(chrome: Browser, theme: str) -> None:
    templates, wide, wrong = MailTemplates("Acme"), [], []
    page = await chrome.new_page(
        viewport={"width": 320, "height": HEIGHT}, color_scheme="dark" if theme == "dark" else "light"
    )
    forms = set()
    try:
        for name, mail in mails():
            await page.set_content(templates.render(mail).html)
            if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wide.append(name)
            # The template is one: what a mail has of it is its form, and one of each form stands for all.
            form = (mail.language, mail.words.link is None, mail.unsubscribe is None, len(mail.words.paragraphs))
            if form not in forms:
                forms.add(form)
                await page.evaluate(AXE_SCRIPT)
                found = await page.evaluate("(options) => axe.run(document, options)", AXE)
                wrong += [(name, each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]]
    finally:
        await page.close()
    assert wide == []
    assert wrong == []
    # With a link and without, to be stopped and not.
    assert {form[1:3] for form in forms} == {(False, False), (True, False), (True, True)}
