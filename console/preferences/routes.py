"""A reader's preferences: locale and time zone are kept with the person, theme and shortcuts in the browser."""

from dataclasses import replace

from starlette.responses import Response

from console.choices import COOKIE, LOCALES, THEMES, YEAR_SECONDS, zone_named, zones
from console.forms import FormState, blank, corrected, read_form
from console.routing import COMMAND, anyone, console_of
from console.texts import _, gettext
from console.visit import Visit
from console.widgets import FormPage


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    choices, me = visit.choices, visit.me
    shown = form or blank(theme=choices.theme, zone=me.time_zone or "", locale=me.locale or "")
    locale = gettext(LOCALES[choices.locale])
    # What the person has not kept is the browser's.
    own = _("As in the browser") if me.locale else _("As in the browser: %(locale)s", locale=locale)
    values = {
        "themes": tuple((name, gettext(words), "") for name, words in THEMES.items()),
        "zones": zones(),
        "locales": (("", own), *((name, gettext(words)) for name, words in LOCALES.items())),
        "shortcuts": choices.shortcuts,
    }
    return await visit.show("preferences/page.html", FormPage(title=_("Preferences"), form=shown), values, status)


async def save(visit: Visit) -> Response:
    """Keep locale and time zone with the person, and the rest in the browser."""
    form = await read_form(visit.request, "theme", "zone", "locale", "shortcuts")
    zone = zone_named(form.text("zone"))
    if form.text("zone") and zone is None:
        return await show(visit, corrected(form, {"zone": _("Unknown time zone. Choose one from the list.")}), 422)
    body = {"locale": form.text("locale").replace("_", "-") or None, "time_zone": zone}
    answer = await visit.command("PUT", "/me/preferences", body, form.key)
    done = "/console/preferences", "choices.saved"
    response = await visit.concluded(form, answer, *done, show=show, names={"time_zone": "zone"})
    if answer.ok:
        theme = form.text("theme") if form.text("theme") in THEMES else "system"
        choices = replace(visit.choices, theme=theme, shortcuts=form.text("shortcuts") == "on")
        console_of(visit.request).site.keep(response, COOKIE, choices.cookie(), seconds=YEAR_SECONDS)
    return response


ROUTES = (anyone("/preferences", show), anyone("/preferences", save, COMMAND))
