"""What the preferences page shows."""

from dataclasses import dataclass

from console.choices import LOCALES, THEMES, Choices, zones
from console.forms import FormState
from console.widgets import FormPage

Options = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences(FormPage):
    themes: tuple[tuple[str, str, str], ...]
    zones: tuple[str, ...]
    locales: Options
    shortcuts: bool


def page(choices: Choices, form: FormState | None = None) -> Preferences:
    values = {"theme": choices.theme, "zone": choices.zone or "UTC", "locale": choices.locale}
    return Preferences(
        title="Preferences",
        form=form or FormState(key="", values=values),
        themes=tuple((name, words, "") for name, words in THEMES.items()),
        zones=zones(),
        locales=tuple(LOCALES.items()),
        shortcuts=choices.shortcuts,
    )
