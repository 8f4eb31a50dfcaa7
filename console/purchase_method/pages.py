"""Declared methods: listed, written and removed. A share is typed in percent, and sent as the API takes it."""

from decimal import Decimal
from typing import Any

from console.forms import Form, is_number, written
from console.noun import Json
from console.payment_policy.entries import Entries
from console.texts import N_
from domain.budgets.policy import MEASURED_AFTER

_FEE = ("fee_share", "fee_fixed", "fee_currency")


def fee(form: Form) -> dict[str, Any] | None:
    """Return the fee as the API takes it; None if nothing of it was typed."""
    # The currency is chosen from a list, and alone is no fee.
    if not any(form.text(name) for name in ("fee_share", "fee_fixed")):
        return None
    share, fixed = form.number("fee_share") or "0", form.maybe_number("fee_fixed")
    if share != "0" and is_number(share):
        share = f"{Decimal(share).scaleb(-2):f}"
    return {"share": share, "fixed": fixed, "currency": form.maybe("fee_currency") if fixed else None}


def typed(method: Json) -> dict[str, str]:
    values = {name: str(method[name]) for name in ("name", "label", "kind")}
    given = method["fee"]
    if given is None:
        return values
    share = Decimal(given["share"]).scaleb(2).normalize()
    fixed = "" if given["fixed"] is None else written(given["fixed"])
    return {**values, "fee_share": written(f"{share:f}"), "fee_fixed": fixed, "fee_currency": given["currency"] or ""}


METHODS = Entries("/purchase-methods", "methods", title=N_("Methods"), folder="purchase_method")
METHODS.declare(
    "method",
    *("name", "label", "kind", *_FEE),
    create=N_("Create method"),
    lead=N_("It is not connected: payments with it are reported."),
    save=N_("Save method"),
    remove=(N_("Remove this method?"), N_("Remove method")),
    effect=N_("Agents no longer see it. Its counted attempts are deleted."),
    body=lambda form: {**{name: form.text(name) for name in ("name", "label", "kind")}, "fee": fee(form)},
    typed=typed,
    facts=((N_("Method"), "label"), (N_("Name"), "name")),
    names={f"fee.{name.removeprefix('fee_')}": name for name in _FEE},
    values={"measured_after": MEASURED_AFTER},
)
ROUTES = METHODS.routes
