"""What is done about an alert, on the pages of an organization and of the platform alike."""

from collections.abc import Callable

from starlette.responses import Response
from starlette.routing import Route

from console import lists
from console.forms import Form, read_form
from console.routing import COMMAND
from console.visit import ShowAgain, Visit


def listed(visit: Visit) -> str:
    return f"{visit.base}/alerts"


def commands(route: Callable[..., Route], show: ShowAgain) -> tuple[Route, ...]:
    """Return the routes of the commands of a list."""

    async def acknowledge(visit: Visit) -> Response:
        return await act(visit, await read_form(visit.request), "acknowledge", "alert.acknowledged")

    async def resolve(visit: Visit) -> Response:
        return await act(visit, await read_form(visit.request), "resolve", "alert.resolved")

    async def snooze(visit: Visit) -> Response:
        form = await read_form(visit.request, "until")
        return await act(visit, form, "snooze", "alert.snoozed", {"until": form.text("until")})

    async def act(visit: Visit, form: Form, name: str, notice: str, body: dict[str, str] | None = None) -> Response:
        answer = await visit.command("POST", f"/alerts/{visit.path('id')}/{name}", body, form.key)
        if answer.ok:
            return visit.done(lists.back(visit, listed(visit)), notice, answer)
        return await visit.refused(form, answer, show)

    return (
        route("/alerts/{id}/acknowledge", acknowledge, COMMAND),
        route("/alerts/{id}/resolve", resolve, COMMAND),
        route("/alerts/{id}/snooze", snooze, COMMAND),
    )
