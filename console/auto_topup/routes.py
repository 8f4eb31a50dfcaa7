"""The page of the automatic top-up, and its command."""

from dataclasses import replace

from starlette.responses import Response

from console.auto_topup import view
from console.forms import FormState, blank, read_form
from console.routing import COMMAND, tenant
from console.visit import Visit
from domain.common.access import Permission

_PATH = "/billing/auto-topup"
_FIELDS = ("enabled", "below", "credits", "monthly_cap", "payment_method")


def _here(visit: Visit) -> str:
    return f"{visit.base}/auto-top-up"


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.PAY)
    answers = await visit.ask_all(topup=(_PATH, {}), methods=("/billing/payment-methods", visit.scope))
    found = answers["topup"].need()
    # A box that is not ticked is not sent, and is no empty field.
    if form is not None and "enabled" not in form.values:
        form = replace(form, values={**form.values, "enabled": "off"})
    shown = form or blank(**view.typed(found))
    page = view.page(found, answers["methods"], shown, visit.choices.prefs, visit.base, _here(visit))
    return await visit.render("auto_topup/page.html", page, status)


async def save(visit: Visit) -> Response:
    form = await read_form(visit.request, *_FIELDS)
    body = {name: form.text(name) for name in ("below", "credits", "monthly_cap")}
    method, enabled = form.text("payment_method"), form.text("enabled") == "on"
    answer = await visit.command("PUT", _PATH, {**body, "enabled": enabled, "payment_method": method or None}, form.key)
    notice = "auto_topup.on" if enabled else "auto_topup.off"
    return await visit.concluded(form, answer, _here(visit), notice, show=show)


ROUTES = (tenant("/auto-top-up", show), tenant("/auto-top-up", save, COMMAND))
