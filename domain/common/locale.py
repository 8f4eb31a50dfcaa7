"""Locales in which a person can read numbers and dates."""

from enum import StrEnum


class Locale(StrEnum):
    """Locales of CLDR, as BCP 47 tags."""

    EN = "en"
    EN_GB = "en-GB"
    EN_IN = "en-IN"
    DE = "de"
    DE_AT = "de-AT"
    DE_CH = "de-CH"
    ES = "es"
    FR = "fr"
    IT = "it"
    JA = "ja"
    NL = "nl"
    PL = "pl"
    PT_BR = "pt-BR"
    SV = "sv"
