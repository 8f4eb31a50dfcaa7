"""Stored payment methods: the list, the default, Stripe's form, and the way to the provider's page for them."""

from datetime import UTC, datetime
from decimal import Decimal

from starlette.responses import Response

from console.analytics import figures
from console.charts import Meter
from console.filters import FILTERS, method_name, payment_method
from console.forms import FormState, blank, read_form
from console.gateway import Answer, Refused
from console.noun import Json
from console.noun_page import page_at
from console.policy import with_stripe
from console.problems import answered
from console.refusals import not_found
from console.routing import COMMAND, tenant
from console.texts import N_, _
from console.visit import Visit
from console.widgets import Confirmation, Link, external
from domain.common.access import Permission

_PATH = "/billing/payment-methods"
_ABOVE = (N_("Payment methods"), "/payment-methods")


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
    methods, payments = answers["methods"], answers["payments"]
    # Without a provider that stores methods, the API has none.
    if methods.status != 404:
        answered(methods)
    values = {
        "methods": methods,
        "has_form": visit.stripe_form is not None,
        "outcomes": outcomes(payments.body["rows"]) if payments.ok else (),
        "new": blank,
    }
    page = page_at(visit, "/payment-methods", _("Payment methods"), form=form)
    return await visit.show("payment_method/page.html", page, values, status)


def outcomes(rows: list[Json]) -> tuple[Meter, ...]:
    """Return how many of the payments by each method succeeded; the method with the most payments is first."""
    found = list[tuple[int, Meter]]()
    for row in rows:
        counts = {each["metric"]: int(Decimal(each["value"] or 0)) for each in row["values"]}
        good = counts.get("payments.succeeded", 0)
        tried = good + counts.get("payments.failed", 0)
        provider, method = row["group"]["provider"] or "", row["group"]["method"]
        label = method_name((method or "card") if provider == "stripe" else provider)
        if tried:
            text = _("%(good)s of %(tried)s", good=FILTERS["count"](good), tried=FILTERS["count"](tried))
            found.append((tried, Meter(label=label, text=text, width=f"{100 * good / tried:.2f}", tone="c1")))
    return tuple(meter for _tried, meter in sorted(found, key=lambda each: (-each[0], each[1].label)))


async def add(visit: Visit) -> Response:
    form = await read_form(visit.request)
    back = visit.address_of("/payment-methods")
    answer = await visit.command("POST", "/billing/portal", {"return_url": back} if back else {}, form.key)
    if not answer.ok:
        return await visit.refused(form, answer, show)
    to = external(_("Go to the provider's page"), answer.body["url"])
    values = {
        "to": to,
        "sentence": _("Redirecting you to %(host)s, where your payment methods are stored.", host=to.host),
        "price": "",
        "back": Link(label=_("Payment methods"), href=_here(visit)),
    }
    page = page_at(visit, "/payment-methods", _("Payment methods at the provider"), _ABOVE)
    return await visit.show("billing/go.html", page, values)


def _stripe(visit: Visit) -> tuple[str, str]:
    """Return the script of Stripe's form and the publishable key; raises `Refused` where pages have no such form."""
    visit.need(Permission.PAY)
    if visit.stripe_form is None:
        raise Refused(not_found(visit.request))
    return visit.stripe_form


async def fill_in(visit: Visit, form: FormState | None = None, status: int = 200, *, secret: str = "") -> Response:
    """Show Stripe's own form; without a secret, the button that opens it."""
    script, key = _stripe(visit)
    page = page_at(visit, "/payment-methods", _("Add a payment method"), _ABOVE, form=form)
    values = {"script": script, "key": key, "secret": secret, "instead": blank()}
    shown = await visit.show("payment_method/fill_in.html", page, values, status, secret=bool(secret))
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
    _stripe(visit)
    return visit.done(_here(visit), "payment_method.returned")


async def make_default(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("PUT", f"{_PATH}/{visit.path('id')}/default", None, form.key)
    return await visit.concluded(form, answer, _here(visit), "payment_method.default", show=show)


async def ask(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.PAY)
    answer: Answer = await visit.ask(_PATH, **visit.scope)
    found = next((each for each in answer.need()["data"] if each["id"] == visit.path("id")), None)
    if found is None:
        raise Refused(not_found(visit.request))
    default = (_("It is the default, also for a subscription."),) if found["is_default"] else ()
    page = Confirmation(
        title=_("Remove %(method)s", method=payment_method(found)),
        back=_here(visit),
        action=f"{_here(visit)}/{found['id']}/remove",
        label=_("Remove"),
        form=form or blank(),
        effect=(_("The method is permanently removed at the provider."), *default),
    )
    return await visit.render("parts/confirmation.html", page, status)


async def remove(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("DELETE", f"{_PATH}/{visit.path('id')}", None, form.key)
    return await visit.concluded(form, answer, _here(visit), "payment_method.removed", show=ask)


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
