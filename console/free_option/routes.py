"""The catalogue of free options: listed, written and removed."""

from typing import Any

from console.forms import Form
from console.free_option import view
from console.payment_policy.entries import Entries, Kind

_FIELDS = ("name", "category", "address", "quota", "quota_window")


def _body(form: Form) -> dict[str, Any]:
    quota = form.maybe("quota")
    whole = int(quota) if quota and quota.isascii() and quota.isdigit() and len(quota) < 12 else quota
    named = {name: form.maybe(name) for name in ("name", "category", "address")}
    return {**named, "quota": whole, "quota_window": form.maybe("quota_window") if quota else None}


ROUTES = Entries(
    Kind(
        path="/free-options",
        part="/free-options",
        title="Free options",
        noun="option",
        one="free option",
        templates="free_option",
        fields=_FIELDS,
        begins={},
        choices=view.WINDOWS,
        body=_body,
        names={},
        page=view.Options,
        row=view.row,
        typed=view.typed,
        facts=(("Option", "name"), ("Category", "category")),
        forgets="uses",
    )
).routes()
