"""What a reader chooses is kept in their browser, so it needs no command of the API."""

from starlette.responses import Response

from console.choices import COOKIE, YEAR_SECONDS, choices_of
from console.forms import read_form
from console.preferences import view
from console.routing import COMMAND, anyone, console_of
from console.visit import Visit


async def show(visit: Visit) -> Response:
    """Show what was chosen."""
    return await visit.render("preferences/page.html", view.page(visit.choices))


async def save(visit: Visit) -> Response:
    """Keep it; what cannot be chosen becomes what is usual."""
    form = await read_form(visit.request, "theme", "zone", "locale", "shortcuts", command=False)
    choices = choices_of({**form.values, "shortcuts": form.text("shortcuts") or "off"})
    response = visit.done("/console/preferences", "choices.saved")
    console_of(visit.request).site.keep(response, COOKIE, choices.cookie(), seconds=YEAR_SECONDS)
    return response


ROUTES = (anyone("/preferences", show), anyone("/preferences", save, COMMAND))
