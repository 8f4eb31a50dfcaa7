"""Declared methods: listed, written and removed."""

from typing import Any

from console.forms import Form
from console.payment_policy.entries import Entries, Kind
from console.purchase_method import view


def _body(form: Form) -> dict[str, Any]:
    return {**{name: form.text(name) for name in ("name", "label", "kind")}, "fee": view.fee(form)}


ROUTES = Entries(
    Kind(
        path="/purchase-methods",
        pages="/payment-policies/methods",
        noun="method",
        templates="purchase_method",
        fields=("name", "label", "kind", *view.FEE),
        begins={"kind": "card"},
        body=_body,
        names={f"fee.{name.removeprefix('fee_')}": name for name in view.FEE},
        page=view.page,
        create=view.create,
        change=view.change,
        removing=view.removing,
        typed=view.typed,
    )
).routes()
