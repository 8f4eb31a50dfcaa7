"""The texts of mails, notifications and alerts, by language: a file each, `en.toml`, `de.toml`.

Every file has the same keys. A new kind of mail, event or alert is a key in each.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

from domain.common.mail import LANGUAGES


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """The texts of one language.

    Attributes:
        mails: kind of mail → subject and paragraphs.
        events: type of events → subject and paragraph.
        alerts: kind of alerts → title.
        severities: severity of an alert → subject of its notification.
        notices: `channel_code` and `digest` → subject and paragraph.
        phrases: other parts of mails and messages.
    """

    mails: Mapping[str, tuple[str, ...]]
    events: Mapping[str, tuple[str, ...]]
    alerts: Mapping[str, str]
    severities: Mapping[str, str]
    notices: Mapping[str, tuple[str, ...]]
    phrases: Mapping[str, str]


def _read(language: str) -> Texts:
    found = tomllib.loads((Path(__file__).parent / f"{language}.toml").read_text(encoding="utf-8"))
    return Texts(
        mails={kind: tuple(parts) for kind, parts in found["mails"].items()},
        events={type_: tuple(parts) for type_, parts in found["events"].items()},
        alerts=found["alerts"],
        severities=found["severities"],
        notices={name: tuple(parts) for name, parts in found["notices"].items()},
        phrases=found["phrases"],
    )


TEXTS: Mapping[str, Texts] = {language: _read(language) for language in LANGUAGES}


def values_of(parts: tuple[str, ...]) -> frozenset[str]:
    """Return the names of the values that a text has."""
    return frozenset(name for part in parts for _, name, _, _ in Formatter().parse(part) if name)


def title_of(kind: str, language: str = LANGUAGES[0]) -> str:
    """Return the title of a kind of alerts; the kind of a custom rule is the name that its organization gave it."""
    return TEXTS[language].alerts.get(kind, kind)
