"""How a reader reads: theme and shortcuts, kept in a cookie; locale and time zone, kept with the person.

A person who has kept no locale or time zone reads in those of the browser.
"""

from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qs, urlencode
from zoneinfo import available_timezones

from babel import negotiate_locale
from starlette.requests import Request

from console.cookies import Site
from console.format import Prefs
from console.texts import N_
from console.who import Me

#: The noun of the cookie; `Site.cookie_name` makes its name.
COOKIE = "choices"
#: The cookie in which `static/console.js` keeps the browser's time zone.
ZONE_COOKIE = "bursar_zone"
YEAR_SECONDS = 365 * 24 * 3600
THEMES = {"system": N_("System"), "light": N_("Light"), "dark": N_("Dark")}
#: How numbers and dates are written; words are English where there is no catalogue of the language.
LOCALES = {
    "en": N_("English (1,234.50)"),
    "en_GB": N_("English, United Kingdom"),
    "en_IN": N_("English, India (12,34,567.00)"),
    "de": N_("German (1.234,50)"),
    "de_AT": N_("German, Austria"),
    "de_CH": N_("German, Switzerland"),
    "es": N_("Spanish"),
    "fr": N_("French"),
    "it": N_("Italian"),
    "ja": N_("Japanese"),
    "nl": N_("Dutch"),
    "pl": N_("Polish"),
    "pt_BR": N_("Portuguese, Brazil"),
    "sv": N_("Swedish"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """How a reader reads. `zone` is None if it is not known: times are UTC then, and say so."""

    theme: str = "system"
    zone: str | None = None
    locale: str = "en"
    shortcuts: bool = True

    @property
    def prefs(self) -> Prefs:
        return Prefs(locale=self.locale, zone=self.zone or "UTC")

    def cookie(self) -> str:
        shortcuts = "on" if self.shortcuts else "off"
        return urlencode({"theme": self.theme, "shortcuts": shortcuts})


@lru_cache(maxsize=1)
def zones() -> tuple[str, ...]:
    return tuple(sorted(name for name in available_timezones() if "/" in name or name == "UTC"))


def zone_named(typed: str) -> str | None:
    """Return the zone that a person means: by its name in any case, or by its city where one zone alone has it."""
    wanted = typed.strip().replace(" ", "_").lower()
    exact = [name for name in zones() if name.lower() == wanted]
    found = exact or [name for name in zones() if name.lower().rpartition("/")[2] == wanted]
    return found[0] if len(found) == 1 else None


def read_choices(request: Request, site: Site, me: Me | None = None) -> Choices:
    """Read how a person reads, or else the browser; what cannot be right in a cookie counts as not chosen."""
    said = {name: values[0] for name, values in parse_qs((site.read(request, COOKIE) or "")[:500]).items()}
    zone, locale = (me.time_zone, me.locale) if me else (None, None)
    zone = zone or request.cookies.get(ZONE_COOKIE)
    return Choices(
        theme=said["theme"] if said.get("theme") in THEMES else "system",
        zone=zone if zone in zones() else None,
        locale=locale if locale in LOCALES else locale_accepted(request.headers.get("accept-language", "")),
        shortcuts=said.get("shortcuts") != "off",
    )


def locale_accepted(header: str) -> str:
    """Return the locale that a browser prefers of those that there are (RFC 9110, section 12.5.4); `en` for none."""
    ranges = [each.partition(";q=") for each in header[:500].replace(" ", "").split(",")]
    # As texts, weights have the order of their numbers.
    ranges.sort(key=lambda each: each[2] or "1", reverse=True)
    accepted = [tag.replace("-", "_") for tag, _, weight in ranges if not weight or weight.strip("0.")]
    found = negotiate_locale(accepted, LOCALES)
    return {each.lower(): each for each in LOCALES}[found.lower()] if found else "en"
