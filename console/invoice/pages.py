"""Invoices, below their organization and for the platform: the list, one invoice, its payment, and drafts."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from console.filters import FILTERS, money
from console.format import currency_name, short_id
from console.forms import Form, FormState, blank, read_form, whole, with_summary
from console.gateway import Answer
from console.lists import ListResult
from console.noun import Json, Noun, Site
from console.noun_page import FormPage, amount, pick, search, select
from console.paying import NAMES, lead_on, options, payment_options, seen
from console.routing import COMMAND, platform, tenant
from console.texts import N_, _, language
from console.visit import Visit
from domain.billing.document.words import EXEMPTIONS, NO_TAX
from domain.billing.invoice.state import InvoiceStatus
from domain.billing.tax.rates import TaxCategory
from domain.common.access import Permission
from domain.common.money import COINS, ISSUED, SCALES

#: How many lines a form has; an invoice with more is created by the API.
LINES = 8
_PARTS = ("description", "quantity", "unit_amount")
_TYPED = tuple(f"{part}_{number}" for number in range(1, LINES + 1) for part in _PARTS)


def called(invoice: Json) -> str:
    """Return the title of an invoice: its number, or a part of its id."""
    if invoice["number"]:
        return _("Invoice %(number)s", number=invoice["number"])
    id = short_id(invoice["id"])
    return _("Draft %(id)s", id=id) if invoice["status"] == InvoiceStatus.DRAFT else _("Invoice %(id)s", id=id)


def remarks(invoice: Json) -> tuple[str, ...]:
    """Return why tax is none or zero, as the document says it."""
    found = dict.fromkeys(each["category"] for each in invoice["taxes"])
    is_taxed = found.keys() - {TaxCategory.OUTSIDE.value}
    words = [EXEMPTIONS[each] for each in found if each in EXEMPTIONS] if is_taxed else [NO_TAX]
    return tuple(each.get(language(), each["en"]) for each in words)


async def of_list(visit: Visit, found: ListResult) -> dict[str, Any]:
    naming = await visit.naming(() if visit.org_id else found.rows, "organization_id")
    return {"called": called, "naming": naming}


async def of_invoice(visit: Visit, _invoice: Json, _answers: Mapping[str, Answer]) -> dict[str, Any]:
    return {"remarks": remarks, "pays": visit.may(Permission.PAY) and not visit.me.is_platform}


async def of_form(_visit: Visit, _form: FormState, _it: Json) -> dict[str, Any]:
    codes = sorted(SCALES.keys() - ISSUED - COINS, key=currency_name)
    return {"currencies": tuple((code, currency_name(code)) for code in codes), "lines": LINES}


def draft(form: Form) -> dict[str, Any]:
    """Return what was typed as the API takes it; numbers as they were typed where they are none, so that it refuses."""
    days = form.maybe("due_days")
    body: dict[str, Any] = {
        "organization_id": form.text("organization_id"),
        "currency": form.text("currency"),
        "lines": [_line(form, at) for at in _filled(form)],
        "note": form.maybe("note"),
        "includes_tax": form.text("includes_tax") == "on",
        "apply_credits": form.text("apply_credits") == "on",
        "draft": True,
    }
    return body | ({"due_in": f"P{days}D"} if days else {})


def names(form: Form) -> dict[str, str]:
    """Return the fields of the form by those of the API, which numbers the lines that are filled in."""
    found = {"due_in": "due_days", "lines": "description_1"}
    return found | {f"lines.{at}.{part}": f"{part}_{line}" for at, line in enumerate(_filled(form)) for part in _PARTS}


def _filled(form: Form) -> list[int]:
    return [at for at in range(1, LINES + 1) if any(form.maybe(f"{part}_{at}") for part in _PARTS)]


def _line(form: Form, at: int) -> dict[str, Any]:
    return {
        "description": form.text(f"description_{at}"),
        "quantity": whole(form.text(f"quantity_{at}") or "1"),
        "unit_amount": form.number(f"unit_amount_{at}"),
    }


async def ask_to_pay(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.PAY)
    answers = await visit.ask_all(
        invoice=(OF_TENANT.own(visit), {}),
        config=("/billing/config", {}),
        methods=("/billing/payment-methods", visit.scope),
    )
    it, here = visit.owned(answers["invoice"].need()), OF_TENANT.here(visit)
    if status == 409 or it["status"] != InvoiceStatus.OPEN:
        refusal = form or with_summary(blank(), _("Nothing is due. Nothing was done."))
        return await OF_TENANT.show(visit, refusal, 409)
    page = FormPage(
        title=_("Pay %(called)s", called=called(it)),
        crumbs=OF_TENANT.crumbs(visit, it),
        action=f"{here}/pay",
        form=form or blank(),
        label=_("Pay %(amount)s", amount=money(it["due"], it["currency"])),
    )
    return await visit.show("invoice/pay.html", page, {"it": it, "ways": payment_options(answers)}, status)


async def pay(visit: Visit) -> Response:
    form = await read_form(visit.request, "by", "total")
    by = form.text("by")
    answer = await visit.command("POST", f"{OF_TENANT.own(visit)}/pay", options(visit, by) | seen(form, by), form.key)
    if not answer.ok:
        return await visit.refused(form, answer, ask_to_pay, NAMES | {"total": "by"})
    return lead_on(visit, answer.body)


async def pdf(visit: Visit) -> Response:
    return visit.stream(f"{OF_TENANT.own(visit)}/pdf", accept="application/pdf")


def _due(invoice: Json) -> tuple[tuple[str, str], ...]:
    return ((_("No longer due"), money(invoice["due"], invoice["currency"])),)


def _issued(invoice: Json) -> tuple[tuple[str, str], ...]:
    net = money(invoice["subtotal"], invoice["currency"])
    due = FILTERS["day"](invoice["due_at"])
    facts = (_("Billed to"), invoice["billed_to"]["name"]), (_("Sum of the lines"), net)
    return (*facts, (_("Due, as of the draft"), due))


def _noun(site: Site) -> Noun:
    noun = Noun(
        "/billing/invoices",
        title=N_("Invoices"),
        folder="invoice",
        at="/invoices",
        name=called,
        change=Permission.OPERATE,
        site=site,
    )
    noun.list(
        search(N_("Number or text")),
        pick("organization_id", N_("Organization")),
        select("status", N_("Status"), "invoice"),
        pick("currency", N_("Currency")),
        amount("min_amount", N_("At least")),
        amount("max_amount", N_("At most")),
        days=True,
        values=of_list,
        create="new" if site is platform else "",
    )
    noun.add("/invoices/{id}.pdf", pdf)
    noun.page(values=of_invoice)
    noun.question(
        "void",
        "invoice.voided",
        title=N_("Void %(called)s?"),
        label=N_("Void invoice"),
        facts=_due,
        effect=(N_("The invoice is no longer due. Money paid for it later is returned. This cannot be undone."),),
        body={},
    )
    return noun


OF_TENANT, OF_PLATFORM = _noun(tenant), _noun(platform)
OF_TENANT.add("/invoices/{id}/pay", ask_to_pay)
OF_TENANT.add("/invoices/{id}/pay", pay, *COMMAND)
OF_PLATFORM.form(
    "new",
    "invoice.drafted",
    *("organization_id", "currency", "note", "due_days", "includes_tax", "apply_credits", *_TYPED),
    title=N_("Create invoice"),
    lead=N_("A draft is created first. Check its total, then issue it."),
    label=N_("Create draft"),
    body=draft,
    names=names,
    sources={"organization_id": ("organizations", {})},
    values=of_form,
)
OF_PLATFORM.question(
    "finalize",
    "invoice.issued",
    title=N_("Issue this invoice?"),
    label=N_("Issue invoice"),
    facts=_issued,
    effect=(
        N_("The invoice gets its number and becomes due. Its lines can no longer be changed."),
        N_("Tax, discounts and credits are applied now, so the amount due may differ from the sum of the lines."),
    ),
    kind="primary",
    body={},
)
OF_PLATFORM.question(
    "discard",
    "invoice.discarded",
    title=N_("Discard %(called)s?"),
    label=N_("Discard draft"),
    effect=(N_("The draft can no longer be issued. Nothing is owed for it."),),
    method="DELETE",
)
ROUTES = (*OF_TENANT.routes, *OF_PLATFORM.routes)
