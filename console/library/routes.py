"""The pages of bought agents."""

from functools import partial
from typing import Any

from starlette.responses import Response

from console import lists
from console.forms import FormState, blank, read_form
from console.gateway import Answer
from console.library import view
from console.problems import Reaction
from console.refusals import not_allowed
from console.routing import COMMAND, tenant
from console.visit import Visit

_PATH = "/marketplace/purchases"


async def show(visit: Visit) -> Response:
    found = await lists.find(visit, "/marketplace/library", days=False)
    return await visit.render("library/list.html", view.page(found, visit.choices.prefs, visit.base), found.status)


async def _purchase(visit: Visit) -> dict[str, Answer]:
    path = f"{_PATH}/{visit.path('id')}"
    answers = await visit.ask_all(purchase=(path, {}), actions=(f"{path}/actions", {}))
    visit.owned(answers["purchase"].need())
    return answers


async def show_one(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    answers = await _purchase(visit)
    purchase = answers["purchase"].body
    offer = await visit.ask(f"/marketplace/agents/{purchase['agent_id']}")
    page = view.one(purchase, answers["actions"], form or blank(), visit.choices.prefs, visit.base, offered=offer.ok)
    return await visit.render("library/page.html", page, status)


async def ask(visit: Visit, name: str, form: FormState | None = None, status: int = 200) -> Response:
    if status == 409:
        return await show_one(visit, form, status)
    answers = await _purchase(visit)
    actions: list[dict[str, Any]] = answers["actions"].need()["actions"]
    action = next(each for each in actions if each["action"] == name)
    if not action["allowed"]:
        shown = not_allowed(visit.request, action["reason"], Reaction.APPROVAL)
        return await show_one(visit, shown, 409)
    page = view.asking(answers["purchase"].body, action, form or blank(), visit.choices.prefs, visit.base)
    return await visit.render("parts/confirmation.html", page, status)


async def give(visit: Visit, name: str) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("POST", f"{_PATH}/{visit.path('id')}/{name}", {}, form.key)
    if answer.ok:
        return visit.done(f"{visit.base}/library/{visit.path('id')}", view.COMMANDS[name][2], answer)

    async def again(visit: Visit, shown: FormState, status: int) -> Response:
        return await ask(visit, name, shown, status)

    return await visit.refused(form, answer, again)


ROUTES = (
    tenant("/library", show),
    tenant("/library.csv", lists.file("/marketplace/library", "library", days=False)),
    tenant("/library/{id}", show_one),
    *(tenant(f"/library/{{id}}/{name}", partial(ask, name=name)) for name in view.COMMANDS),
    *(tenant(f"/library/{{id}}/{name}", partial(give, name=name), COMMAND) for name in view.COMMANDS),
)
