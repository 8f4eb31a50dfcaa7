"""What the pages of invoices show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import (
    Amount,
    Ident,
    Moment,
    Prefs,
    amount,
    count,
    decimal,
    ident,
    moment,
    percent,
    service_period,
    short_id,
)
from console.forms import FormState
from console.lists import ListPage, ListResult
from console.mentions import Naming, Sentence
from console.status import STATUSES, Status, status_of
from console.widgets import FormPage, Link
from domain.billing.document.words import EXEMPTIONS, NO_TAX
from domain.billing.invoice.state import InvoiceStatus
from domain.billing.tax.rates import TaxCategory

FILTERS = ("q", "status", "currency", "min_amount", "max_amount", "organization_id")
#: Where operators begin, issue and discard drafts, whosever pages they came from.
OF_PLATFORM = "/console/platform/invoices"
LABELS = {
    "q": "Text",
    "status": "Status",
    "currency": "Currency",
    "min_amount": "At least",
    "max_amount": "At most",
    "organization_id": "Organization",
    "from": "From",
    "to": "To",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    href: str
    number: str
    status: Status
    overdue: bool
    issued: Moment
    due_at: Moment
    due: Amount
    total: Amount
    organization: Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Invoices(ListPage):
    across: bool
    statuses: tuple[tuple[str, str], ...]
    rows: tuple[Row, ...]
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of an invoice; `days` is empty if it is of no period, and `tax` in a draft."""

    description: str
    days: str
    quantity: str
    unit: Amount
    tax: str
    net: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    label: str
    amount: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Paid:
    payment: Link
    amount: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    number: str
    reason: str
    at: Moment
    amount: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledTo:
    """Who an invoice is made out to; `missing` leads to where an address is entered, where there is none."""

    lines: tuple[str, ...]
    missing: str


@dataclass(frozen=True, slots=True, kw_only=True)
class One(FormPage):
    """One invoice. `pay`, `void`, `issue` and `discard` lead to where that is asked; empty if it may not be."""

    id: Ident
    status: Status
    sentence: str
    pay: str
    void: str
    issue: str
    discard: str
    pdf: str
    paused: str
    overdue: bool
    issued: Moment
    due_at: Moment
    due: Amount
    is_due: bool
    paid_at: Moment | None
    billed_to: BilledTo
    remarks: tuple[str, ...]
    note: str
    lines: tuple[Line, ...]
    sums: tuple[Sum, ...]
    payments: tuple[Paid, ...]
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking(FormPage):
    """Asks before an invoice is paid or voided. `payment_options` are the ways to pay; empty when it is voided."""

    sentence: str
    label: str
    kind: str
    amount: Amount
    amount_label: str
    total: str
    payment_options: tuple[tuple[str, str, str], ...]
    back: str


def page(found: ListResult, naming: Naming, base: str, *, across: bool, new: str = "") -> Invoices:
    """Return the list for what the API answered; `new` leads to where one is made, for those who may."""
    return Invoices(
        title="Invoices",
        listed=found.listed("Invoices", LABELS),
        across=across,
        statuses=(("", "Any"), *((each, status.word) for each, status in STATUSES["invoice"].items())),
        rows=tuple(row(each, naming.prefs, base, naming(each["organization_id"])) for each in found.rows),
        new=new,
    )


def title_of(invoice: Mapping[str, Any]) -> str:
    if invoice["number"]:
        return f"Invoice {invoice['number']}"
    word = "Draft" if invoice["status"] == InvoiceStatus.DRAFT else "Invoice"
    return f"{word} {short_id(invoice['id'])}"


def row(invoice: Mapping[str, Any], prefs: Prefs, base: str, organization: Sentence = ()) -> Row:
    currency = invoice["currency"]
    return Row(
        href=f"{base}/invoices/{invoice['id']}",
        number=title_of(invoice),
        status=status_of("invoice", invoice["status"]),
        overdue=invoice["overdue"],
        issued=moment(invoice["issued_at"], prefs),
        due_at=moment(invoice["due_at"], prefs),
        due=amount(invoice["due"], currency, prefs),
        total=amount(invoice["total"], currency, prefs),
        organization=organization,
    )


def one(invoice: Mapping[str, Any], form: FormState, prefs: Prefs, base: str, *, may_pay: bool, may_void: bool) -> One:
    currency, here = invoice["currency"], f"{base}/invoices/{invoice['id']}"
    status = status_of("invoice", invoice["status"])
    is_open, is_draft = invoice["status"] == InvoiceStatus.OPEN, invoice["status"] == InvoiceStatus.DRAFT
    is_due = is_open and bool(decimal(invoice["due"]))
    paid_nothing = not decimal(invoice["paid"])
    return One(
        title=title_of(invoice),
        id=ident(invoice["id"]),
        crumbs=(Link(label="Invoices", href=f"{base}/invoices"),),
        status=status,
        sentence=status.sentence,
        form=form,
        pay=f"{here}/pay" if may_pay and is_due else "",
        void=f"{here}/void" if may_void and is_open and paid_nothing else "",
        issue=f"{OF_PLATFORM}/{invoice['id']}/finalize" if may_void and is_draft else "",
        discard=f"{OF_PLATFORM}/{invoice['id']}/discard" if may_void and is_draft else "",
        pdf="" if is_draft else f"{here}.pdf",
        paused=_paused(invoice),
        overdue=invoice["overdue"],
        issued=moment(invoice["issued_at"], prefs),
        due_at=moment(invoice["due_at"], prefs),
        due=amount(invoice["due"], currency, prefs),
        is_due=is_due,
        paid_at=moment(invoice["paid_at"], prefs) if invoice["paid_at"] else None,
        billed_to=_billed_to(invoice["billed_to"], f"{base}/settings/billing" if may_pay else ""),
        remarks=() if is_draft else _remarks(invoice),
        note=invoice["note"] or "",
        lines=tuple(_line(each, currency, prefs) for each in invoice["lines"]),
        sums=_sums(invoice, prefs),
        payments=tuple(
            Paid(
                payment=Link(label=short_id(each["payment_id"]), href=f"{base}/payments/{each['payment_id']}"),
                amount=amount(each["amount"], currency, prefs),
            )
            for each in invoice["payments"]
        ),
        notes=tuple(
            Note(
                number=each["number"],
                reason=each["reason"],
                at=moment(each["issued_at"], prefs),
                amount=amount(each["amount"], currency, prefs),
            )
            for each in invoice["credit_notes"]
        ),
    )


def _billed_to(party: Mapping[str, Any], entered_at: str) -> BilledTo:
    place = " ".join(filter(None, (party["postal_code"], party["city"])))
    vat = f"VAT ID: {party['vat_id']}" if party["vat_id"] else ""
    lines = (party["name"], party["line1"], party["line2"], place, party["country"], vat)
    return BilledTo(
        lines=tuple(filter(None, lines)),
        missing="" if party["line1"] and party["country"] else entered_at,
    )


def _remarks(invoice: Mapping[str, Any]) -> tuple[str, ...]:
    """Return why tax is none or zero, as the document says it."""
    found = dict.fromkeys(each["category"] for each in invoice["taxes"])
    if not found.keys() - {TaxCategory.OUTSIDE.value}:
        return (NO_TAX["en"],)
    return tuple(EXEMPTIONS[category]["en"] for category in found if category in EXEMPTIONS)


def _paused(invoice: Mapping[str, Any]) -> str:
    if not invoice["paused_for"]:
        return ""
    why = str(invoice["paused_for"]).replace("_", " ")
    return f"It is due again after a {why}. Collection is paused until an operator resumes it."


def _line(line: Mapping[str, Any], currency: str, prefs: Prefs) -> Line:
    start, end = line["period_start"], line["period_end"]
    return Line(
        description=line["description"],
        days=service_period(start, end, prefs) if start and end else "",
        quantity=count(line["quantity"], prefs),
        unit=amount(line["unit_amount"], currency, prefs),
        tax=_taxed(line["tax_rate"], line["tax_category"], prefs) if line["tax"] else "",
        net=amount(line["net"], currency, prefs),
    )


#: Why a tax is zero, by its category; where it is charged nothing is said.
_ZERO = {
    TaxCategory.OUTSIDE: "outside scope of VAT",
    TaxCategory.REVERSE_CHARGE: "reverse charge",
    TaxCategory.EXEMPT: "exempt",
}


def _taxed(rate: str, category: str, prefs: Prefs) -> str:
    why = _ZERO.get(TaxCategory(category))
    return f"{percent(rate, prefs)} ({why})" if why else percent(rate, prefs)


def _sums(invoice: Mapping[str, Any], prefs: Prefs) -> tuple[Sum, ...]:
    currency = invoice["currency"]

    def each(label: str, value: str) -> Sum:
        return Sum(label=label, amount=amount(value, currency, prefs))

    discounts = [each(found["description"], f"-{found['taken']}") for found in invoice["discounts"] if found["taken"]]
    credits = [
        each(label, f"-{invoice[name]}")
        for name, label in (("granted_credits", "Granted credits"), ("taxed_credits", "Credits taxed at purchase"))
        if decimal(invoice[name])
    ]
    taxes = [
        each(f"Tax {_taxed(found['rate'], found['category'], prefs)}", found["amount"]) for found in invoice["taxes"]
    ]
    less = [
        each(label, f"-{invoice[name]}")
        for name, label in (
            ("applied_credits", "Credits applied"),
            ("rounding", "Rounding"),
            ("credited", "Credit notes"),
            ("written_off", "Written off"),
            ("paid", "Paid"),
        )
        if decimal(invoice[name])
    ]
    return (
        *discounts,
        *credits,
        each("Subtotal", invoice["subtotal"]),
        *taxes,
        each("Total", invoice["total"]),
        *less,
        each("Due", invoice["due"]),
    )


def asking(
    invoice: Mapping[str, Any],
    form: FormState,
    prefs: Prefs,
    base: str,
    *,
    payment_options: tuple[tuple[str, str, str], ...],
    voids: bool,
) -> Asking:
    here, title = f"{base}/invoices/{invoice['id']}", title_of(invoice)
    due = amount(invoice["due"], invoice["currency"], prefs)
    if voids:
        words = "The invoice is no longer due. Money paid for it later is returned. This cannot be undone."
    else:
        words = "You pay the whole amount due. A stored method is charged at once."
    return Asking(
        title=f"Void {title}" if voids else f"Pay {title}",
        crumbs=(Link(label=title, href=here),),
        form=form,
        sentence=words,
        label=f"Void {due}" if voids else f"Pay {due}",
        kind="danger" if voids else "primary",
        amount=due,
        amount_label="No longer due" if voids else "Due",
        payment_options=payment_options,
        total="" if voids else invoice["due"],
        action=f"{here}/void" if voids else f"{here}/pay",
        back=here,
    )
