"""Cards that agents pay with: the list, one card with its payments, its commands, and its number at Stripe."""

from starlette.responses import JSONResponse, Response

from console import lists
from console.card import view
from console.forms import FormState, blank, read_form
from console.gateway import Refused
from console.policy import with_stripe
from console.refusals import not_found
from console.routing import COMMAND, tenant
from console.visit import Visit
from domain.common.access import Permission

_PATH = "/cards"
_NAMES = ("agent_id", "name", "currency", "per_authorization", "per_month")


def _listed(visit: Visit) -> str:
    return f"{visit.base}/cards"


def _own(visit: Visit) -> str:
    return f"{_PATH}/{visit.path('id')}"


def _here(visit: Visit) -> str:
    return f"{_listed(visit)}/{visit.path('id')}"


async def show(visit: Visit) -> Response:
    found = await lists.find(visit, _PATH, *view.FILTERS, days=False)
    may = visit.may(Permission.MANAGE_BILLING) and visit.issues_cards
    page = view.page(found, visit.choices.prefs, _listed(visit), f"{_listed(visit)}/new" if may else "")
    return await visit.render("card/list.html", page, found.status)


async def show_one(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    found = await lists.find(
        visit,
        f"{_own(visit)}/transactions",
        days=False,
        at=_here(visit),
        fixed={"organization_id": None},
        extra={"card": (_own(visit), {})},
    )
    card = visit.owned(found.extra["card"].need())
    page = view.one(
        card,
        found,
        form or blank(),
        visit.choices.prefs,
        _listed(visit),
        may_change=visit.may(Permission.MANAGE_BILLING),
        has_form=visit.stripe_form is not None,
    )
    return await visit.render("card/page.html", page, status if form else found.status)


async def ask_to_create(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_BILLING)
    shown = form or blank()
    agents = await lists.choice(visit, "agents", shown.value("agent_id"), organization_id=visit.org_id or "")
    page = view.create(shown, agents, _listed(visit))
    return await visit.render("card/create.html", page, status)


async def create(visit: Visit) -> Response:
    form = await read_form(visit.request, *_NAMES)
    body = {name: form.text(name) for name in _NAMES if form.maybe(name)}
    answer = await visit.command("POST", _PATH, {**body, **visit.scope}, form.key)
    here = f"{_listed(visit)}/{answer.body['id']}" if answer.ok else _listed(visit)
    return await visit.concluded(form, answer, here, "card.created", show=ask_to_create)


async def freeze(visit: Visit) -> Response:
    return await _changed(visit, "freeze", "card.frozen")


async def unfreeze(visit: Visit) -> Response:
    return await _changed(visit, "unfreeze", "card.unfrozen")


async def _changed(visit: Visit, act: str, notice: str) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("POST", f"{_own(visit)}/{act}", None, form.key)
    return await visit.concluded(form, answer, _here(visit), notice, show=show_one)


async def ask_to_close(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.MANAGE_BILLING)
    card = visit.owned((await visit.ask(_own(visit))).need())
    page = view.closing(card, form or blank(), _listed(visit))
    return await visit.render("parts/confirmation.html", page, status)


async def close(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("POST", f"{_own(visit)}/close", None, form.key)
    return await visit.concluded(form, answer, _here(visit), "card.closed", show=ask_to_close)


async def show_number(visit: Visit) -> Response:
    """Show the page on which Stripe's script shows the number; it never comes here."""
    visit.need(Permission.MANAGE_BILLING)
    card = visit.owned((await visit.ask(_own(visit))).need())
    if visit.stripe_form is None:
        raise Refused(not_found(visit.request))
    script, key = visit.stripe_form
    page = view.number(card, script, key, blank(), _listed(visit))
    shown = await visit.render("card/number.html", page, secret=True)
    shown.headers["Content-Security-Policy"] = with_stripe(script)
    return shown


async def display(visit: Visit) -> Response:
    """Answer the page's script with the key by which Stripe shows the number, for the nonce that Stripe has made."""
    form = await read_form(visit.request, "nonce")
    answer = await visit.command("POST", f"{_own(visit)}/display", {"nonce": form.text("nonce")}, form.key)
    body = answer.body if answer.ok else {"error": "The number cannot be shown now. Reload the page to try again."}
    return JSONResponse(body, answer.status, headers={"Cache-Control": "no-store"})


ROUTES = (
    tenant("/cards", show),
    tenant("/cards.csv", lists.file(_PATH, "cards", *view.FILTERS, days=False)),
    tenant("/cards/new", ask_to_create),
    tenant("/cards/new", create, COMMAND),
    tenant("/cards/{id}", show_one),
    tenant("/cards/{id}/freeze", freeze, COMMAND),
    tenant("/cards/{id}/unfreeze", unfreeze, COMMAND),
    tenant("/cards/{id}/close", ask_to_close),
    tenant("/cards/{id}/close", close, COMMAND),
    tenant("/cards/{id}/number", show_number),
    tenant("/cards/{id}/number", display, COMMAND),
)
