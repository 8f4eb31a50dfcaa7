"""Credit notes over the API: what of a finalized invoice is taken back, before it is paid or after.

Facts from docs.stripe.com/invoicing/integration/programmatic-credit-notes. What is still to pay is reduced first; the
rest was paid already, and is refunded, credited to the customer's balance or given back otherwise, as the request says.
"""

from fractions import Fraction
from typing import Any

from dev.sandbox.stripe import clocks, invoicing, lists, refunding, taxing
from dev.sandbox.stripe.core import Context, operation
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.operations import charges, customers
from dev.sandbox.stripe.parameters import demand_only, merge
from dev.sandbox.stripe.periods import rounded

JSON = dict[str, Any]

DIVIDED = ("refund_amount", "credit_amount", "out_of_band_amount")
LINE = ("amount", "description", "invoice_line_item", "metadata", "quantity", "tax_rates", "type", "unit_amount")
KNOWN = (*DIVIDED, "amount", "invoice", "lines", "memo", "metadata", "reason", "email_type")


@operation("post", "/v1/credit_notes")
async def create(ctx: Context, params: JSON) -> JSON:
    """Issue a credit note, with the refund that it asks for."""
    return _issue(ctx, params)


@operation("get", "/v1/credit_notes/preview")
async def preview(ctx: Context, params: JSON) -> JSON:
    """Return the credit note that would be issued; nothing of it is kept."""
    with ctx.undone():
        note = _issue(ctx, params)
    return note


@operation("get", "/v1/credit_notes/{note}")
async def retrieve(ctx: Context, _: JSON, note: str) -> JSON:
    """Return a credit note."""
    return _get(ctx, note)


@operation("post", "/v1/credit_notes/{note}")
async def update(ctx: Context, params: JSON, note: str) -> JSON:
    """Change what is said of a credit note."""
    found = _get(ctx, note)
    previous = merge(found, params, "memo")
    ctx.store.put(found)
    ctx.emit("credit_note.updated", found, previous)
    return found


@operation("post", "/v1/credit_notes/{note}/void")
async def void(ctx: Context, _: JSON, note: str) -> JSON:
    """Take a credit note back, as long as its invoice waits to be paid."""
    found = _get(ctx, note)
    invoice = invoicing.get(ctx, found["invoice"])
    if found["status"] == "void" or invoice["status"] != "open" or found["post_payment_amount"]:
        raise invalid("Only a credit note of an invoice that is open can be voided.", param="id")
    invoicing.reduce(ctx, invoice, -found["pre_payment_amount"])
    found |= {"status": "void", "voided_at": clocks.now(ctx, invoice)}
    ctx.store.put(found)
    ctx.emit("credit_note.voided", found)
    return found


@operation("get", "/v1/credit_notes")
async def list_all(ctx: Context, params: JSON) -> JSON:
    """List credit notes, newest first."""
    return lists.answer(ctx, "credit_note", params, "/v1/credit_notes", "customer", "invoice")


@operation("get", "/v1/credit_notes/{note}/lines")
async def list_lines(ctx: Context, params: JSON, note: str) -> JSON:
    """List the lines of a credit note, in order."""
    lines = _get(ctx, note)["lines"]["data"]
    start = 1 + next((at for at, each in enumerate(lines) if each["id"] == params.get("starting_after")), -1)
    page = lines[start : start + lists.limit_of(params)]
    return lists.whole(page, f"/v1/credit_notes/{note}/lines") | {"has_more": start + len(page) < len(lines)}


def _get(ctx: Context, id: str) -> JSON:
    note: JSON | None = ctx.store.get("credit_note", id)
    if note is None:
        raise missing("credit_note", id)
    return note


def _issue(ctx: Context, params: JSON) -> JSON:
    demand_only(params, "a credit note", *KNOWN)
    invoice = invoicing.get(ctx, params["invoice"], status=400)
    clocks.demand_ready(ctx, invoice)
    if invoice["status"] not in ("open", "paid"):
        message = f"Credit notes are of invoices that are open or paid; the status of this one is {invoice['status']}."
        raise invalid(message, param="invoice")
    if ("amount" in params) == ("lines" in params):
        raise invalid("Name either `amount` or `lines`.", param="amount", code="parameter_missing")
    given = params.get("lines") or [{"type": "custom_line_item", "unit_amount": params["amount"], "quantity": 1}]
    lines = [_line(ctx, invoice, each, f"lines[{at}]") for at, each in enumerate(given)]
    note = _summed(ctx, invoice, params, lines)
    _check(ctx, invoice, note, params)
    ctx.store.put(note)
    _give_back(ctx, invoice, note, params)
    ctx.store.put(note)
    ctx.emit("credit_note.created", note)
    return note


def _line(ctx: Context, invoice: JSON, params: JSON, name: str) -> JSON:
    """Return one line: a part of an invoice's line, with its discounts and taxes in proportion, or one of its own."""
    demand_only(params, "a credit note's line", *LINE)
    line: JSON = {
        "id": ctx.new_id("cnli"),
        "object": "credit_note_line_item",
        "amount": 0,
        "description": params.get("description"),
        "discount_amount": 0,
        "discount_amounts": [],
        "invoice_line_item": None,
        "livemode": False,
        "metadata": dict(params.get("metadata") or {}),
        "pretax_credit_amounts": [],
        "quantity": params.get("quantity"),
        "tax_rates": [],
        "taxes": [],
        "type": params["type"],
        "unit_amount": None,
        "unit_amount_decimal": None,
    }
    if params["type"] == "custom_line_item":
        if "unit_amount" not in params:
            raise invalid(f"Missing required param: {name}[unit_amount].", param=f"{name}[unit_amount]")
        amount = params["unit_amount"] * params.get("quantity", 1)
        found = taxing.rates(ctx, params.get("tax_rates") or [], param=f"{name}[tax_rates]")
        line |= {"amount": amount, "tax_rates": found, "unit_amount": params["unit_amount"]}
        line |= {"unit_amount_decimal": str(params["unit_amount"]), "quantity": params.get("quantity", 1)}
        line["taxes"] = taxing.named(found)
        taxing.apply(ctx, {"lines": {"data": [line]}, "customer_tax_exempt": invoice["customer_tax_exempt"]})
        return line
    of = next((each for each in invoice["lines"]["data"] if each["id"] == params.get("invoice_line_item")), None)
    if of is None:
        raise missing("line_item", str(params.get("invoice_line_item")), param=f"{name}[invoice_line_item]", status=400)
    share = _share(of, params, name)
    discounts = [each | {"amount": rounded(each["amount"] * share)} for each in of["discount_amounts"]]
    taxes = [
        tax | {sum_: rounded((tax[sum_] or 0) * share) for sum_ in ("amount", "taxable_amount")} for tax in of["taxes"]
    ]
    return line | {
        "amount": rounded(of["amount"] * share),
        "description": line["description"] or of["description"],
        "discount_amount": sum(each["amount"] for each in discounts),
        "discount_amounts": discounts,
        "invoice_line_item": of["id"],
        "taxes": taxes,
        "unit_amount_decimal": (of["pricing"] or {}).get("unit_amount_decimal"),
    }


def _share(of: JSON, params: JSON, name: str) -> Fraction:
    if ("amount" in params) == ("quantity" in params):
        message = "Name either the `amount` or the `quantity` that is credited."
        raise invalid(message, param=f"{name}[amount]", code="parameter_missing")
    part, whole = (params["amount"], of["amount"]) if "amount" in params else (params["quantity"], of["quantity"])
    if not 0 < part <= whole:
        raise invalid(f"Of this line, at most {whole} can be credited.", param=f"{name}[amount]")
    return Fraction(part, whole)


def _summed(ctx: Context, invoice: JSON, params: JSON, lines: list[JSON]) -> JSON:
    """Return a credit note of some lines, before it is said how what was paid is given back."""
    id, now = ctx.new_id("cn"), clocks.now(ctx, invoice)
    former = ctx.store.query("credit_note", invoice=invoice["id"])
    subtotal, discount = (sum(line[name] for line in lines) for name in ("amount", "discount_amount"))
    taxes = taxing.summed(lines)
    total = subtotal - discount + taxing.owed(taxes, "exclusive")
    before = min(total, invoice["amount_remaining"])
    return {
        "id": id,
        "object": "credit_note",
        "amount": total,
        "amount_shipping": 0,
        "created": now,
        "currency": invoice["currency"],
        "customer": invoice["customer"],
        "customer_account": None,
        "customer_balance_transaction": None,
        "discount_amount": discount,
        "discount_amounts": [each for line in lines for each in line["discount_amounts"]],
        "effective_at": now,
        "invoice": invoice["id"],
        "lines": lists.whole(lines, f"/v1/credit_notes/{id}/lines"),
        "livemode": False,
        "memo": params.get("memo"),
        "metadata": dict(params.get("metadata") or {}),
        "number": f"{invoice['number']}-CN-{len(former) + 1:02}",
        "out_of_band_amount": params.get("out_of_band_amount"),
        "pdf": f"{ctx.base_url}/invoice/{invoice['id']}",
        "post_payment_amount": total - before,
        "pre_payment_amount": before,
        "pretax_credit_amounts": [],
        "reason": params.get("reason"),
        "refunds": [],
        "shipping_cost": None,
        "status": "issued",
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal - taxing.owed(taxes, "inclusive"),
        "total": total,
        "total_excluding_tax": total - sum(tax["amount"] for tax in taxes),
        "total_taxes": taxes,
        "type": "pre_payment" if before == total else "mixed" if before else "post_payment",
        "voided_at": None,
    }


def _check(ctx: Context, invoice: JSON, note: JSON, params: JSON) -> None:
    """Refuse what is more than is left of an invoice, and what is not divided up."""
    issued = [each for each in ctx.store.query("credit_note", invoice=invoice["id"]) if each["status"] == "issued"]
    left = invoice["total"] - sum(each["total"] for each in issued)
    if not 0 < note["total"] <= left:
        message = f"A credit note of this invoice can have at most {left}; this one has {note['total']}."
        raise invalid(message, param="amount", code="amount_too_large")
    divided = sum(params.get(name, 0) for name in DIVIDED)
    if divided != note["post_payment_amount"]:
        message = (
            f"{note['post_payment_amount']} of this credit note were paid already: the sum of {', '.join(DIVIDED)} has "
            f"to be just that, not {divided}."
        )
        raise invalid(message, param=next((name for name in DIVIDED if name in params), "refund_amount"))


def _give_back(ctx: Context, invoice: JSON, note: JSON, params: JSON) -> None:
    refunded, credited = params.get("refund_amount", 0), params.get("credit_amount", 0)
    if refunded:
        if invoicing.payment_of(ctx, invoice) is None or invoice["amount_paid_off_stripe"]:
            raise invalid("This invoice was not paid by a charge.", param="refund_amount")
        charge = charges.get(ctx, invoicing.intent_of(ctx, invoice)["latest_charge"], status=400)
        refund = refunding.give_back(ctx, charge, refunded)
        note["refunds"] = [{"amount_refunded": refunded, "refund": refund["id"], "type": "refund"}]
    if credited:
        customers.add_to_balance(ctx, invoice["customer"], -credited)
    if note["pre_payment_amount"]:
        invoicing.reduce(ctx, invoice, note["pre_payment_amount"])
    if note["post_payment_amount"]:
        invoice = invoicing.get(ctx, invoice["id"])
        invoice["post_payment_credit_notes_amount"] += note["post_payment_amount"]
        ctx.store.put(invoice)
        ctx.emit("invoice.updated", invoice)
