"""Limits: set, changed, frozen and closed, with what is left of them and what they refused."""

from starlette.responses import RedirectResponse, Response

from console.forms import FormState, blank
from console.spend_control import terms, view
from console.spend_control.acts import Acts, Kind, named_in, parts
from console.visit import Visit
from domain.common.access import Permission

_PATH = "/spend-controls"


async def show_one(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show one limit: what is left of it, what counts in it, what it refused, and who changed it."""
    answers = await parts(visit, _PATH)
    if answers["control"].status == 404 and (await visit.ask(f"/budgets/{visit.path('id')}")).ok:
        # What names a control by id does not say of which kind it is.
        return RedirectResponse(f"{visit.base}/budgets/{visit.path('id')}", 303)
    visit.owned(answers["control"].need())
    page = view.one(
        answers,
        form or blank(),
        await visit.naming(named_in(answers), "id", "parent_id", "agent_id"),
        f"{visit.base}/limits",
        may_change=visit.may(Permission.MANAGE_SPENDING),
    )
    return await visit.render("spend_control/page.html", page, status)


ROUTES = Acts(
    Kind(
        path=_PATH,
        pages="/limits",
        noun="limit",
        templates="spend_control",
        filters=view.FILTERS,
        subjects=(
            ("department", "departments", {"open": "true"}),
            ("agent", "agents", {}),
            ("project", "projects", {}),
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
).routes()
