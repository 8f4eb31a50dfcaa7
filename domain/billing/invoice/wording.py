"""The texts of lines that the product writes, by language.

A wording is phrases, each a name with its values: `(("agent", "Scout"), ("events", "2"), ("less", "10"))` reads
"Agent Scout: 2 events, less 10 %". It is stored with the line, so a document can be written in the reader's language.
"""

from collections.abc import Mapping
from typing import TypeAlias

from domain.billing.document.content import LANGUAGES

Phrase: TypeAlias = tuple[str, ...]
Wording: TypeAlias = tuple[Phrase, ...]

#: phrase → language → text. `{0}`, `{1}` are the values.
_PHRASES: Mapping[str, Mapping[str, str]] = {
    "model": {"en": "Model {0}", "de": "Modell {0}"},
    "agent": {"en": "Agent {0}", "de": "Agent {0}"},
    "meter": {"en": "Meter {0}", "de": "Zähler {0}"},
    "other_prices": {"en": "Other usage under {0} prices", "de": "Weitere Nutzung zu {0} Preisen"},
    "late": {"en": ", late usage of {0}", "de": ", nachgemeldete Nutzung aus {0}"},
    "event": {"en": ": {0} event", "de": ": {0} Ereignis"},
    "events": {"en": ": {0} events", "de": ": {0} Ereignisse"},
    "less": {"en": ", less {0} %", "de": ", abzüglich {0} %"},
    "commitment": {"en": "Minimum commitment {0}, not used", "de": "Mindestabnahme {0}, nicht genutzt"},
    "paid_with_credits": {"en": "Paid with credits: {0}", "de": "Mit Credits bezahlt: {0}"},
    "paid_uses": {"en": "Paid with credits: use", "de": "Mit Credits bezahlt: Nutzung"},
    "other_actions": {"en": "Paid with credits: {0} other actions", "de": "Mit Credits bezahlt: {0} weitere Aktionen"},
    "credits": {"en": ", {0} credits", "de": ", {0} Credits"},
    "plan": {"en": "{0}, {1} to {2}", "de": "{0}, {1} bis {2}"},
}
#: Phrases whose value is a decimal number, which is formatted by language.
_DECIMAL = frozenset({"less", "credits"})
_POINT = {"en": ".", "de": ","}


def text_of(wording: Wording, language: str = LANGUAGES[0]) -> str:
    """Return the text of a wording in a language.

    Raises:
        KeyError: there is no such phrase or language.
    """
    return "".join(_said(phrase, language) for phrase in wording)


def _said(phrase: Phrase, language: str) -> str:
    name, *values = phrase
    if name in _DECIMAL:
        values = [value.replace(".", _POINT[language]) for value in values]
    return _PHRASES[name][language].format(*values)
