"""The pages of invoices, below their organization and for the platform."""

from starlette.responses import Response

from console import lists
from console.forms import FormState, blank, read_form, with_summary
from console.invoice import issuing, view
from console.paying import NAMES, lead_on, options, payment_options, seen
from console.platform.desk import shown_to
from console.routing import COMMAND, platform, tenant
from console.visit import Visit
from domain.billing.invoice.state import InvoiceStatus
from domain.common.access import Permission

_PATH = "/billing/invoices"


def _here(visit: Visit) -> str:
    return f"{visit.base}/invoices/{visit.path('id')}"


async def show(visit: Visit) -> Response:
    found = await lists.find(visit, _PATH, *view.FILTERS)
    new = "" if visit.org_id or not visit.may(Permission.OPERATE) else f"{visit.base}/invoices/new"
    naming = await visit.naming(() if visit.org_id else found.rows, "organization_id")
    page = view.page(found, naming, visit.base, across=not visit.org_id, new=new)
    return await visit.render("invoice/list.html", page, found.status)


async def show_one(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    answer = await visit.ask(f"{_PATH}/{visit.path('id')}")
    page = view.one(
        visit.owned(answer.need()),
        form or blank(),
        visit.choices.prefs,
        visit.base,
        may_pay=visit.may(Permission.PAY) and not visit.me.is_platform,
        may_void=visit.may(Permission.OPERATE),
    )
    return await visit.render("invoice/page.html", page, status)


async def pdf(visit: Visit) -> Response:
    return visit.stream(f"{_PATH}/{visit.path('id')}/pdf", accept="application/pdf")


async def ask_to_pay(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.PAY)
    if status == 409:
        return await show_one(visit, form, status)
    answers = await visit.ask_all(
        invoice=(f"{_PATH}/{visit.path('id')}", {}),
        config=("/billing/config", {}),
        methods=("/billing/payment-methods", visit.scope),
    )
    invoice = visit.owned(answers["invoice"].need())
    if invoice["status"] != InvoiceStatus.OPEN:
        return await show_one(visit, with_summary(blank(), "Nothing is due. Nothing was done."), 409)
    ways = payment_options(answers)
    page = view.asking(invoice, form or blank(), visit.choices.prefs, visit.base, payment_options=ways, voids=False)
    return await visit.render("invoice/ask.html", page, status)


async def pay(visit: Visit) -> Response:
    form = await read_form(visit.request, "by", "total")
    path, by = f"{_PATH}/{visit.path('id')}/pay", form.text("by")
    answer = await visit.command("POST", path, options(visit, by) | seen(form, by), form.key)
    if not answer.ok:
        return await visit.refused(form, answer, ask_to_pay, NAMES | {"total": "by"})
    return lead_on(visit, answer.body)


async def ask_to_void(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.OPERATE)
    if status == 409:
        return await show_one(visit, form, status)
    invoice = visit.owned((await visit.ask(f"{_PATH}/{visit.path('id')}")).need())
    page = view.asking(invoice, form or blank(), visit.choices.prefs, visit.base, payment_options=(), voids=True)
    return await visit.render("invoice/ask.html", page, status)


async def void(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("POST", f"{_PATH}/{visit.path('id')}/void", {}, form.key)
    return await visit.concluded(form, answer, _here(visit), "invoice.voided", show=ask_to_void)


async def show_new(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    return await visit.render("invoice/new.html", issuing.page(form or blank(currency="USD"), visit.base), status)


async def draft(visit: Visit) -> Response:
    form = await read_form(visit.request, *issuing.FIELDS)
    answer = await visit.command("POST", _PATH, issuing.draft(form), form.key)
    if answer.ok:
        return visit.done(f"{visit.base}/invoices/{answer.body['id']}", "invoice.drafted", answer)
    return await visit.refused(form, answer, show_new, issuing.names(form))


async def _asked(visit: Visit, form: FormState | None, status: int, *, finalizes: bool) -> Response:
    visit.need(Permission.OPERATE)
    invoice = (await visit.ask(f"{_PATH}/{visit.path('id')}")).need()
    if status == 409 or invoice["status"] != InvoiceStatus.DRAFT:
        return await show_one(visit, form or with_summary(blank(), "Not a draft invoice. Nothing was done."), 409)
    if finalizes:
        page = issuing.finalizing(invoice, form or blank(), visit.choices.prefs, visit.base)
    else:
        page = issuing.discarding(invoice, form or blank(), visit.base)
    return await visit.render("parts/confirmation.html", page, status)


async def ask_to_finalize(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    return await _asked(visit, form, status, finalizes=True)


async def finalize(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("POST", f"{_PATH}/{visit.path('id')}/finalize", {}, form.key)
    return await visit.concluded(form, answer, _here(visit), "invoice.issued", show=ask_to_finalize)


async def ask_to_discard(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    return await _asked(visit, form, status, finalizes=False)


async def discard(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("DELETE", f"{_PATH}/{visit.path('id')}", None, form.key)
    return await visit.concluded(form, answer, f"{visit.base}/invoices", "invoice.discarded", show=ask_to_discard)


_DOWNLOAD = lists.file(_PATH, "invoices", *view.FILTERS)

ROUTES = (
    tenant("/invoices", show),
    tenant("/invoices.csv", _DOWNLOAD),
    tenant("/invoices/{id}.pdf", pdf),
    tenant("/invoices/{id}", show_one),
    tenant("/invoices/{id}/pay", ask_to_pay),
    tenant("/invoices/{id}/pay", pay, COMMAND),
    tenant("/invoices/{id}/void", ask_to_void),
    tenant("/invoices/{id}/void", void, COMMAND),
    platform("/invoices", show),
    platform("/invoices.csv", _DOWNLOAD),
    shown_to(Permission.OPERATE, "/invoices/new", show_new),
    platform("/invoices/new", draft, COMMAND),
    platform("/invoices/{id}/finalize", ask_to_finalize),
    platform("/invoices/{id}/finalize", finalize, COMMAND),
    platform("/invoices/{id}/discard", ask_to_discard),
    platform("/invoices/{id}/discard", discard, COMMAND),
    platform("/invoices/{id}.pdf", pdf),
    platform("/invoices/{id}", show_one),
    platform("/invoices/{id}/void", ask_to_void),
    platform("/invoices/{id}/void", void, COMMAND),
)
