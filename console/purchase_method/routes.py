"""Declared methods: listed, written and removed."""

from typing import Any

from console.forms import Form
from console.payment_policy.entries import Entries, Kind
from console.payment_policy.terms import KINDS
from console.purchase_method import view


def _body(form: Form) -> dict[str, Any]:
    return {**{name: form.text(name) for name in ("name", "label", "kind")}, "fee": view.fee(form)}


ROUTES = Entries(
    Kind(
        path="/purchase-methods",
        part="/methods",
        title="Methods",
        noun="method",
        one="method",
        templates="purchase_method",
        fields=("name", "label", "kind", *view.FEE),
        begins={"kind": "card"},
        choices=KINDS,
        body=_body,
        names={f"fee.{name.removeprefix('fee_')}": name for name in view.FEE},
        page=view.Methods,
        row=view.row,
        typed=view.typed,
        facts=(("Method", "label"), ("Name", "name")),
        forgets="attempts",
    )
).routes()
