"""Mails as people get them: each kind fits a narrow window, and can be read on its ground in both themes."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from playwright.async_api import Browser

from domain.events.catalogue import CATALOGUE
from domain.mail import _KINDS, LANGUAGES, MailKind, Written, written
from domain.notification import types
from providers.formats import formats_of
from providers.notify.base import Message
from providers.notify.mail_templates import MailTemplates
from tests.console.browser.driver import AXE, HEIGHT, THEMES
from tests.domain.test_mail import VALUES

UNBROKEN = "https://api.example.com/" + "averylongword" * 20
SUBJECT = "pay_01h455vb4pex5vsknk084sn02q"
EVERYTHING = Written(subject=UNBROKEN, paragraphs=("First.", UNBROKEN), link=UNBROKEN)


def mails() -> Iterator[tuple[str, Written, str]]:
    """Give each mail that the product sends, by a name, with its language."""
    for language in LANGUAGES:
        formats = formats_of(language)
        for kind in MailKind:
            values = {name: VALUES[name] for name in _KINDS[kind].takes}
            yield f"{kind} in {language}", written(kind, values, language, formats), language
        told = [
            types.written(each.name, fact, SUBJECT, CATALOGUE[fact].example, language, formats)
            for each in types.BY_NAME.values()
            for fact in each.facts
        ]
        for words in told:
            yield f"{words.subject} in {language}", words, language
        yield f"digest in {language}", types.written_together(told[:20], language, 30), language
    yield "everything that a mail can hold", EVERYTHING, "en"


@pytest.mark.parametrize("theme", THEMES)
async def test_every_mail_fits_a_phone_and_can_be_read(chrome: Browser, theme: str) -> None:
    templates, wide = MailTemplates("Acme"), []
    page = await chrome.new_page(
        viewport={"width": 320, "height": HEIGHT}, color_scheme="dark" if theme == "dark" else "light"
    )
    try:
        for name, words, language in mails():
            message = Message(to=("kim@acme.example",), language=language, words=words, unsubscribe=UNBROKEN)
            await page.set_content(templates.render(message).html)
            if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                wide.append(name)
        # The last one has everything that a mail can hold.
        await page.evaluate(AXE_SCRIPT)
        found = await page.evaluate("(options) => axe.run(document, options)", AXE)
    finally:
        await page.close()
    assert wide == []
    assert [(each["id"], [node["html"] for node in each["nodes"]]) for each in found["violations"]] == []
