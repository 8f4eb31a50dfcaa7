"""The page of stored payment methods, and its commands."""

from datetime import UTC, datetime
from functools import partial

from starlette.responses import Response

from console.analytics import figures
from console.forms import FormState, blank, read_form
from console.gateway import Refused
from console.payment_method import view
from console.policy import with_stripe
from console.refusals import not_found
from console.routing import COMMAND, tenant
from console.visit import Visit
from domain.common.access import Permission

_PATH = "/billing/payment-methods"


def _here(visit: Visit) -> str:
    return f"{visit.base}/payment-methods"


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.PAY)
    of = figures.chosen({"compare": "none"}, datetime.now(UTC).date(), _here(visit), "UTC")
    counts = ("payments.succeeded", "payments.failed")
    answers = await visit.ask_all(
        methods=(_PATH, visit.scope),
        payments=of.ask(*counts, by=("provider", "method"), over_time=False, scope=visit.scope),
    )
    answer = answers["methods"]
    count = len(answer.body["data"]) if answer.ok else 0
    forms = tuple(blank() for _ in range(count))
    has_form = visit.stripe_form is not None
    page = view.page(
        answer,
        answers["payments"],
        form or blank(),
        _here(visit),
        visit.choices.prefs,
        may_change=True,
        has_form=has_form,
        forms=forms,
    )
    return await visit.render("payment_method/page.html", page, status)


async def add(visit: Visit) -> Response:
    form = await read_form(visit.request)
    back = visit.address_of("/payment-methods")
    answer = await visit.command("POST", "/billing/portal", {"return_url": back} if back else {}, form.key)
    if not answer.ok:
        return await visit.refused(form, answer, show)
    return await visit.render("payment_method/portal.html", view.portal(answer.body["url"], _here(visit)))


async def fill_in(visit: Visit, form: FormState | None = None, status: int = 200, *, secret: str = "") -> Response:
    """Show Stripe's own form, where this installation has it; without a secret, the button that opens it."""
    visit.need(Permission.PAY)
    if visit.stripe_form is None:
        raise Refused(not_found(visit.request))
    script, key = visit.stripe_form
    page = view.filling(script, key, secret, _here(visit), form or blank())
    shown = await visit.render("payment_method/fill_in.html", page, status, secret=bool(secret))
    if secret:
        shown.headers["Content-Security-Policy"] = with_stripe(script)
    return shown


async def open_form(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("POST", "/billing/setup-intent", None, form.key)
    if not answer.ok:
        return await visit.refused(form, answer, fill_in)
    return await fill_in(visit, secret=answer.body["client_secret"])


async def come_back(visit: Visit) -> Response:
    """Lead to what is stored. What Stripe adds to the address is no proof of anything, and goes no further."""
    visit.need(Permission.PAY)
    if visit.stripe_form is None:
        raise Refused(not_found(visit.request))
    return visit.done(_here(visit), "payment_method.returned")


async def make_default(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("PUT", f"{_PATH}/{visit.path('id')}/default", None, form.key)
    return await visit.concluded(form, answer, _here(visit), "payment_method.default", show=show)


async def ask(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.PAY)
    answer = await visit.ask(_PATH, **visit.scope)
    found = next((each for each in answer.need()["data"] if each["id"] == visit.path("id")), None)
    if found is None:
        raise Refused(not_found(visit.request))
    page = view.removing(found, form or blank(), _here(visit))
    return await visit.render("payment_method/remove.html", page, status)


async def remove(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("DELETE", f"{_PATH}/{visit.path('id')}", None, form.key)
    return await visit.concluded(form, answer, _here(visit), "payment_method.removed", show=partial(ask))


ROUTES = (
    tenant("/payment-methods", show),
    tenant("/payment-methods/add", add, COMMAND),
    tenant("/payment-methods/new", fill_in),
    tenant("/payment-methods/new", open_form, COMMAND),
    tenant("/payment-methods/return", come_back),
    tenant("/payment-methods/{id}/default", make_default, COMMAND),
    tenant("/payment-methods/{id}/remove", remove, COMMAND),
    tenant("/payment-methods/{id}/remove", ask),
)
