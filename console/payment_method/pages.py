"""Stored payment methods: the list, the default, Stripe's form, and the way to the provider's page for them."""

from datetime import UTC, datetime
from decimal import Decimal

from starlette.responses import Response

from console.analytics import figures
from console.charts import Meter
from console.filters import FILTERS, method_name, payment_method
from console.forms import FormState, blank, read_form
from console.gateway import Refused
from console.noun import Json, Noun
from console.noun_page import page_at
from console.policy import with_stripe
from console.problems import answered
from console.refusals import not_found
from console.routing import COMMAND
from console.texts import N_, _
from console.visit import Visit
from console.widgets import Link, external
from domain.common.access import Permission

METHODS = Noun(
    "/billing/payment-methods",
    title=N_("Payment methods"),
    folder="payment_method",
    at="/payment-methods",
    name=payment_method,
    change=Permission.PAY,
    in_list=True,
)
_ABOVE = (N_("Payment methods"), "/payment-methods")


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.PAY)
    of = figures.chosen({"compare": "none"}, datetime.now(UTC).date(), METHODS.listed(visit), "UTC")
    counts = ("payments.succeeded", "payments.failed")
    answers = await visit.ask_all(
        methods=(METHODS.path, visit.scope),
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
        "back": Link(label=_("Payment methods"), href=METHODS.listed(visit)),
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
    return visit.done(METHODS.listed(visit), "payment_method.returned")


def _effect(method: Json) -> tuple[str, ...]:
    effect = (N_("The method is permanently removed at the provider."),)
    return (*effect, N_("It is the default, also for a subscription.")) if method["is_default"] else effect


METHODS.add(METHODS.at, show)
METHODS.add("/payment-methods/add", add, *COMMAND)
METHODS.add("/payment-methods/new", fill_in)
METHODS.add("/payment-methods/new", open_form, *COMMAND)
METHODS.add("/payment-methods/return", come_back)
METHODS.command("default", "payment_method.default", method="PUT", show=show)
METHODS.question(
    "remove",
    "payment_method.removed",
    title=N_("Remove %(called)s"),
    label=N_("Remove"),
    effect=_effect,
    method="DELETE",
)
ROUTES = METHODS.routes
