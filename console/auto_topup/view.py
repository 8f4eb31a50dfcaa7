"""What the page of the automatic top-up shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Moment, Prefs, amount, moment
from console.forms import FormState
from console.gateway import Answer
from console.payment_method.view import words_of
from console.widgets import FormPage, Link

#: The fields that are typed, as the API calls them.
_AMOUNTS = ("below", "credits", "monthly_cap")


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoTopUp(FormPage):
    """The page.

    Attributes:
        status: whether it is on, as a word.
        why_off: why it was switched off by itself; empty otherwise.
        failed: how many payments were declined in a row.
        next_try: when a declined payment is tried again; None if none was declined.
        methods: what can be charged, beginning with the default method.
        lists_methods: whether the stored methods could be read.
    """

    path: str
    status: str
    is_set: bool
    why_off: str
    failed: int
    next_try: Moment | None
    bought: Amount
    methods: tuple[tuple[str, str], ...]
    lists_methods: bool
    methods_href: str


def typed(found: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings as they stand in the form; before the first time it is to be switched on."""
    values = {name: found[name] for name in _AMOUNTS if found[name] is not None}
    is_new = found["below"] is None
    values["enabled"] = "on" if found["enabled"] or is_new else "off"
    return {**values, "payment_method": found["payment_method"] or ""}


def page(found: Mapping[str, Any], methods: Answer, form: FormState, prefs: Prefs, base: str, path: str) -> AutoTopUp:
    stored = [(each["id"], words_of(each)) for each in methods.body["data"]] if methods.ok else []
    kept = form.value("payment_method")
    if kept and kept not in {method for method, _ in stored}:
        stored.append((kept, f"{kept} (removed)" if methods.ok else kept))
    methods_href = f"{base}/payment-methods"
    return AutoTopUp(
        title="Automatic top-up",
        crumbs=(Link(label="Payment methods", href=methods_href),),
        path=path,
        form=form,
        status="On" if found["enabled"] else "Off",
        is_set=found["below"] is not None,
        why_off=found["off_reason"] or "",
        failed=found["failed_attempts"],
        next_try=moment(found["next_attempt_at"], prefs) if found["next_attempt_at"] else None,
        bought=amount(found["bought_this_month"], "CREDIT", prefs),
        methods=(("", "The default payment method"), *stored),
        lists_methods=methods.ok,
        methods_href=methods_href,
    )
