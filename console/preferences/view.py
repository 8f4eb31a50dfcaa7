"""View model of the preferences page."""

from dataclasses import dataclass

from console.choices import LOCALES, THEMES, Choices, zones
from console.forms import FormState, blank
from console.texts import _, gettext
from console.who import Me
from console.widgets import FormPage

Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences(FormPage):
    themes: tuple[tuple[str, str, str], ...]
    zones: tuple[str, ...]
    locales: Options
    shortcuts: bool


def page(choices: Choices, me: Me, form: FormState | None = None) -> Preferences:
    """Return the page; what the person has not kept is the browser's."""
    own = gettext(LOCALES[choices.locale])
    return Preferences(
        title=_("Preferences"),
        form=form or blank(theme=choices.theme, zone=me.time_zone or "", locale=me.locale or ""),
        themes=tuple((name, gettext(words), "") for name, words in THEMES.items()),
        zones=zones(),
        locales=(
            ("", _("As in the browser") if me.locale else _("As in the browser: %(locale)s", locale=own)),
            *((name, gettext(words)) for name, words in LOCALES.items()),
        ),
        shortcuts=choices.shortcuts,
    )
