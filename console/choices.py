"""What a reader has chosen: theme, zone, locale, shortcuts. Kept in one cookie of the browser, and nowhere else."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qs, urlencode
from zoneinfo import available_timezones

from console.format import Prefs

#: The noun of the cookie; `Site.cookie_name` makes its name.
COOKIE = "choices"
YEAR_SECONDS = 365 * 24 * 3600
THEMES = {"system": "System", "light": "Light", "dark": "Dark"}
#: How numbers and dates are written; the words are English.
LOCALES = {
    "en": "English (1,234.50)",
    "en_GB": "English, United Kingdom",
    "en_IN": "English, India (12,34,567.00)",
    "de": "German (1.234,50)",
    "de_AT": "German, Austria",
    "de_CH": "German, Switzerland",
    "es": "Spanish",
    "fr": "French",
    "it": "Italian",
    "ja": "Japanese",
    "nl": "Dutch",
    "pl": "Polish",
    "pt_BR": "Portuguese, Brazil",
    "sv": "Swedish",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a reader has chosen. `zone` is None if nothing was: times are UTC then, and say so."""

    theme: str = "system"
    zone: str | None = None
    locale: str = "en"
    shortcuts: bool = True

    @property
    def prefs(self) -> Prefs:
        return Prefs(locale=self.locale, zone=self.zone or "UTC")

    def cookie(self) -> str:
        shortcuts = "on" if self.shortcuts else "off"
        return urlencode({"theme": self.theme, "zone": self.zone or "", "locale": self.locale, "shortcuts": shortcuts})


@lru_cache(maxsize=1)
def zones() -> tuple[str, ...]:
    return tuple(sorted(name for name in available_timezones() if "/" in name or name == "UTC"))


def zone_named(typed: str) -> str | None:
    """Return the zone that a person means: by its name in any case, or by its city where one zone alone has it."""
    wanted = typed.strip().replace(" ", "_").lower()
    exact = [name for name in zones() if name.lower() == wanted]
    found = exact or [name for name in zones() if name.lower().rpartition("/")[2] == wanted]
    return found[0] if len(found) == 1 else None


def read_choices(cookie: str | None) -> Choices:
    """Read the cookie; what cannot be right in it counts as not chosen."""
    said = parse_qs((cookie or "")[:500])
    return choices_of({name: values[0] for name, values in said.items()})


def choices_of(said: Mapping[str, str]) -> Choices:
    zone = said.get("zone")
    return Choices(
        theme=said["theme"] if said.get("theme") in THEMES else "system",
        zone=zone if zone in zones() else None,
        locale=said["locale"] if said.get("locale") in LOCALES else "en",
        shortcuts=said.get("shortcuts") != "off",
    )
