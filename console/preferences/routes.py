"""What a reader chooses is kept in their browser, so it needs no command of the API."""

from starlette.responses import Response

from console.choices import COOKIE, YEAR_SECONDS, choices_of, zone_named
from console.forms import FormState, corrected, read_form
from console.preferences import view
from console.routing import COMMAND, anyone, console_of
from console.visit import Visit


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    return await visit.render("preferences/page.html", view.page(visit.choices, form), status)


async def save(visit: Visit) -> Response:
    """Keep it; what cannot be chosen becomes what is usual."""
    form = await read_form(visit.request, "theme", "zone", "locale", "shortcuts", command=False)
    zone = zone_named(form.text("zone") or "UTC")
    if zone is None:
        return await show(visit, corrected(form, {"zone": "Unknown time zone. Choose one from the list."}), 422)
    choices = choices_of({**form.values, "zone": zone, "shortcuts": form.text("shortcuts") or "off"})
    response = visit.done("/console/preferences", "choices.saved")
    console_of(visit.request).site.keep(response, COOKIE, choices.cookie(), seconds=YEAR_SECONDS)
    return response


ROUTES = (anyone("/preferences", show), anyone("/preferences", save, COMMAND))
