"""Budgets: opened, changed, frozen, moved between pools and opened for emergencies, with what is left of them."""

from datetime import UTC, datetime

from starlette.responses import Response

from console.budget import terms, view
from console.forms import FormState, blank, read_form
from console.routing import COMMAND, tenant
from console.spend_control.acts import Acts, Kind, found, named_in, own, parts
from console.visit import Visit
from domain.common.access import Permission

_PATH = "/budgets"


def _listed(visit: Visit) -> str:
    return f"{visit.base}/budgets"


def _here(visit: Visit) -> str:
    return f"{_listed(visit)}/{visit.path('id')}"


async def show_one(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show one budget: what is left of each pool, what counts in it, what it refused, and who changed it."""
    answers = await parts(visit, _PATH)
    visit.owned(answers["control"].need())
    page = view.one(
        answers,
        form or blank(),
        await visit.naming(named_in(answers), "id", "agent_id", "subject", "parent_id"),
        _listed(visit),
        may_change=visit.may(Permission.MANAGE_SPENDING),
        may_move=visit.may(Permission.MANAGE_BILLING),
    )
    return await visit.render("budget/page.html", page, status)


async def ask_to_move(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_BILLING)
    page = view.moving(
        await found(visit, _PATH), form or blank(**{"from": "reserve", "to": "operating"}), _listed(visit)
    )
    return await visit.render("budget/act.html", page, status)


async def move(visit: Visit) -> Response:
    form = await read_form(visit.request, "from", "to", "amount", "reason")
    body = {name: form.text(name) for name in ("from", "to", "reason")} | {"amount": form.number("amount")}
    answer = await visit.command("POST", f"{own(visit, _PATH)}/pools/move", body, form.key)
    return await visit.concluded(form, answer, _here(visit), "budget.moved", show=ask_to_move)


async def ask_to_declare(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_BILLING)
    page = view.declaring(await found(visit, _PATH), form or blank(lasts="4"), _listed(visit))
    return await visit.render("budget/act.html", page, status)


async def declare(visit: Visit) -> Response:
    form = await read_form(visit.request, "reason", "lasts", "until")
    until = form.maybe("until") or view.until(datetime.now(UTC), form.text("lasts"))
    body = {"reason": form.text("reason"), "until": until}
    answer = await visit.command("POST", f"{own(visit, _PATH)}/emergency", body, form.key)
    return await visit.concluded(
        form, answer, _here(visit), "budget.emergency", show=ask_to_declare, names={"until": "lasts"}
    )


async def end(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("POST", f"{own(visit, _PATH)}/emergency/end", {}, form.key)
    return await visit.concluded(form, answer, _here(visit), "budget.emergency_ended", show=show_one)


ROUTES = (
    *Acts(
        Kind(
            path=_PATH,
            pages="/budgets",
            noun="budget",
            templates="budget",
            filters=view.FILTERS,
            subjects=(
                ("project", "projects", {}),
                ("agent", "agents", {}),
                ("department", "departments", {"open": "true"}),
                ("key", "api-keys", {"active": "true"}),
            ),
            fields=terms.FIELDS,
            allowance=terms.allowance,
            names=terms.names,
            typed=terms.typed,
            page=view.page,
            create=view.create,
            change=view.change,
            freezing=view.freezing,
            closing=view.closing,
            show_one=show_one,
        )
    ).routes(),
    tenant("/budgets/{id}/move", ask_to_move),
    tenant("/budgets/{id}/move", move, COMMAND),
    tenant("/budgets/{id}/emergency", ask_to_declare),
    tenant("/budgets/{id}/emergency", declare, COMMAND),
    tenant("/budgets/{id}/emergency/end", end, COMMAND),
)
