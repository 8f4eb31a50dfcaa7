"""The texts of lines that the product writes, by language.

A wording is phrases, each a name with its values: `(("agent", "Scout"), ("events", "2"), ("less", "10"))` reads
"Agent Scout: 2 events, less 10 %". It is stored with the line, so a document can be written in the reader's language.
"""

from collections.abc import Mapping
from typing import TypeAlias

from domain.common.mail import LANGUAGES

Phrase: TypeAlias = tuple[str, ...]
Wording: TypeAlias = tuple[Phrase, ...]

#: phrase → language → text. `{0}`, `{1}` are the values.
_PHRASES: Mapping[str, Mapping[str, str]] = {
    "model": {"en": "Model {0}", "de": "Modell {0}", "fr": "Modèle {0}", "es": "Modelo {0}"},
    "agent": {"en": "Agent {0}", "de": "Agent {0}", "fr": "Agent {0}", "es": "Agente {0}"},
    "meter": {"en": "Meter {0}", "de": "Zähler {0}", "fr": "Compteur {0}", "es": "Contador {0}"},
    "other_prices": {
        "en": "Other usage under {0} prices",
        "de": "Weitere Nutzung zu {0} Preisen",
        "fr": "Autre utilisation à {0} prix",
        "es": "Otro uso a {0} precios",
    },
    "late": {
        "en": ", late usage of {0}",
        "de": ", nachgemeldete Nutzung aus {0}",
        "fr": ", utilisation tardive de {0}",
        "es": ", uso tardío de {0}",
    },
    "event": {"en": ": {0} event", "de": ": {0} Ereignis", "fr": " : {0} événement", "es": ": {0} evento"},
    "events": {"en": ": {0} events", "de": ": {0} Ereignisse", "fr": " : {0} événements", "es": ": {0} eventos"},
    "less": {"en": ", less {0} %", "de": ", abzüglich {0} %", "fr": ", moins {0} %", "es": ", menos {0} %"},
    "commitment": {
        "en": "Minimum commitment {0}, not used",
        "de": "Mindestabnahme {0}, nicht genutzt",
        "fr": "Engagement minimum {0}, non utilisé",
        "es": "Compromiso mínimo {0}, no utilizado",
    },
    "paid_with_credits": {
        "en": "Paid with credits: {0}",
        "de": "Mit Credits bezahlt: {0}",
        "fr": "Payé avec des crédits : {0}",
        "es": "Pagado con créditos: {0}",
    },
    "paid_uses": {
        "en": "Paid with credits: use",
        "de": "Mit Credits bezahlt: Nutzung",
        "fr": "Payé avec des crédits : utilisation",
        "es": "Pagado con créditos: uso",
    },
    "other_actions": {
        "en": "Paid with credits: {0} other actions",
        "de": "Mit Credits bezahlt: {0} weitere Aktionen",
        "fr": "Payé avec des crédits : {0} autres actions",
        "es": "Pagado con créditos: {0} acciones más",
    },
    "credits": {"en": ", {0} credits", "de": ", {0} Credits", "fr": ", {0} crédits", "es": ", {0} créditos"},
    "plan": {
        "en": "{0}, {1} to {2}",
        "de": "{0}, {1} bis {2}",
        "fr": "{0}, du {1} au {2}",
        "es": "{0}, del {1} al {2}",
    },
}
#: Phrases whose value is a decimal number, which is formatted by language.
_DECIMAL = frozenset({"less", "credits"})
_POINT = {"en": ".", "de": ",", "fr": ",", "es": ","}


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
