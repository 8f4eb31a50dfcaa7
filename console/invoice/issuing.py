"""Issuing an invoice: a draft is made first, so that what it comes to is the API's, and then an invoice of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Prefs, amount, day
from console.forms import Form, FormState
from console.invoice.view import title_of
from console.widgets import Confirmation, FormPage, Link

#: So many lines a form has; an invoice with more is made over the API.
LINES = 8
_PARTS = ("description", "quantity", "unit_amount")
FIELDS = (
    "organization_id",
    "currency",
    "note",
    "due_days",
    "includes_tax",
    "apply_credits",
    *(f"{part}_{number}" for number in range(1, LINES + 1) for part in _PARTS),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    description: str
    quantity: str
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuing(FormPage):
    lines: tuple[Line, ...]


def page(form: FormState, base: str) -> Issuing:
    return Issuing(
        title="Create invoice",
        crumbs=(Link(label="Invoices", href=f"{base}/invoices"),),
        form=form,
        action=f"{base}/invoices/new",
        lines=tuple(
            Line(description=f"description_{at}", quantity=f"quantity_{at}", unit=f"unit_amount_{at}")
            for at in range(1, LINES + 1)
        ),
    )


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
    found = {"due_in": "due_days", "lines": "description_1"}
    return found | {
        f"lines.{number}.{part}": f"{part}_{at}" for number, at in enumerate(_filled(form)) for part in _PARTS
    }


def finalizing(invoice: Mapping[str, Any], form: FormState, prefs: Prefs, base: str) -> Confirmation:
    here, net = f"{base}/invoices/{invoice['id']}", amount(invoice["subtotal"], invoice["currency"], prefs)
    return Confirmation(
        title="Issue this invoice?",
        back=here,
        action=f"{here}/finalize",
        label=f"Issue {net}",
        kind="primary",
        form=form,
        facts=(
            ("To", invoice["organization_id"]),
            ("Sum of the lines", net.text),
            ("Due, as of the draft", day(invoice["due_at"], prefs)),
        ),
        effect=(
            "The invoice gets its number and becomes due. Its lines can no longer be changed.",
            "Tax, discounts and credits are applied now, so the amount due may differ from the sum of the lines.",
        ),
    )


def discarding(invoice: Mapping[str, Any], form: FormState, base: str) -> Confirmation:
    here = f"{base}/invoices/{invoice['id']}"
    return Confirmation(
        title=f"Discard {title_of(invoice)}?",
        back=here,
        action=f"{here}/discard",
        label="Discard draft",
        form=form,
        effect=("The draft can no longer be issued. Nothing is owed for it.",),
    )


def _filled(form: Form) -> list[int]:
    return [at for at in range(1, LINES + 1) if any(form.maybe(f"{part}_{at}") for part in _PARTS)]


def _line(form: Form, at: int) -> dict[str, Any]:
    number = form.text(f"quantity_{at}") or "1"
    return {
        "description": form.text(f"description_{at}"),
        "quantity": int(number) if number.isascii() and number.isdigit() and len(number) < 18 else number,
        "unit_amount": form.number(f"unit_amount_{at}"),
    }
