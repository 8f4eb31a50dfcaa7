"""The page of the automatic top-up, and its command."""

from dataclasses import replace

from starlette.responses import Response

from console.filters import payment_method
from console.forms import FormState, blank, read_form
from console.noun import Json
from console.noun_page import page_at
from console.routing import COMMAND, tenant
from console.texts import N_, _
from console.visit import Visit
from domain.common.access import Permission

_PATH = "/billing/auto-topup"
_AMOUNTS = ("below", "credits", "monthly_cap")


def typed(found: Json) -> dict[str, str]:
    """Return the settings as form values; before they are first saved, the form offers to switch it on."""
    values = {name: found[name] for name in _AMOUNTS if found[name] is not None}
    is_on = found["enabled"] or found["below"] is None
    return {**values, "enabled": "on" if is_on else "off", "payment_method": found["payment_method"] or ""}


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.PAY)
    answers = await visit.ask_all(it=(_PATH, {}), methods=("/billing/payment-methods", visit.scope))
    it, methods = answers["it"].need(), answers["methods"]
    # A box that is not ticked is not sent, and is no empty field.
    form = replace(form, values={"enabled": "off", **form.values}) if form else blank(**typed(it))
    stored = {each["id"]: payment_method(each) for each in methods.body["data"]} if methods.ok else {}
    kept = form.value("payment_method")
    if kept and kept not in stored:
        stored[kept] = _("Removed payment method") if methods.ok else _("The present payment method")
    above = (N_("Payment methods"), "/payment-methods")
    page = page_at(visit, "/auto-top-up", _("Automatic top-up"), above, form=form)
    options = (("", _("The default payment method")), *stored.items())
    values = {"it": it, "methods": methods, "options": options}
    return await visit.show("auto_topup/page.html", page, values, status)


async def save(visit: Visit) -> Response:
    form = await read_form(visit.request, *_AMOUNTS, "enabled", "payment_method")
    is_on = form.text("enabled") == "on"
    amounts = {name: form.text(name) for name in _AMOUNTS}
    body = {**amounts, "enabled": is_on, "payment_method": form.maybe("payment_method")}
    answer = await visit.command("PUT", _PATH, body, form.key)
    notice = "auto_topup.on" if is_on else "auto_topup.off"
    return await visit.concluded(form, answer, f"{visit.base}/auto-top-up", notice, show=show)


ROUTES = (tenant("/auto-top-up", show), tenant("/auto-top-up", save, COMMAND))
