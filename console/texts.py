"""Texts of the pages in the reader's language, by the catalogues `console/locale/*.po`.

A text in code is marked where it stands: `_("…")` translates it now, `N_("…")` marks a constant that is translated when
it is shown. Templates have the same by Jinja's i18n extension. A text without a translation is shown in English.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from babel.messages.pofile import read_po

from console.reader import reader

FOLDER = Path(__file__).resolve().parent / "locale"
#: The languages with a catalogue, next to English.
LANGUAGES = tuple(sorted(path.stem for path in FOLDER.glob("*.po")))


@cache
def catalogue(language: str) -> Mapping[str, str | tuple[str, ...]]:
    """Return the translations of a language by English text; those with plurals by the singular, as a tuple."""
    if language not in LANGUAGES:
        return {}
    with (FOLDER / f"{language}.po").open("rb") as file:
        messages = list(read_po(file))
    return {
        each.id if isinstance(each.id, str) else each.id[0]: each.string
        if isinstance(each.string, str)
        else tuple(each.string)
        for each in messages
        if each.id and each.string and not each.fuzzy
    }


def N_(text: str) -> str:
    """Mark a text for translation, and return it unchanged."""
    return text


def gettext(text: str) -> str:
    """Return a text in the reader's language."""
    if (language := _language()) == "en":
        return text
    found = catalogue(language).get(text)
    return found if isinstance(found, str) and found else text


def ngettext(one: str, many: str, number: int) -> str:
    """Return the form of a text that its language has for a number."""
    found = catalogue(_language()).get(one)
    # The languages here have two forms; French says the first of zero as well.
    is_one = number == 1 or (number == 0 and _language() == "fr")
    if isinstance(found, tuple) and all(found):
        return found[0 if is_one else 1]
    return one if number == 1 else many


def _(text: str, /, **values: Any) -> str:
    """Return a text in the reader's language with its values: `_("Close %(name)s?", name="Travel")`."""
    found = gettext(text)
    return found % values if values else found


def language() -> str:
    """Return the language of the page: the reader's where it has a catalogue, else English."""
    found = _language()
    return found if found in LANGUAGES else "en"


def _language() -> str:
    return reader().prefs.locale.partition("_")[0]
