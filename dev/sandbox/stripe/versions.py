"""The API version of callers that name none: the account's own, here one older than 2023-08-16.

Every SDK names the version that it was made for; Stripe's command line names none, and pays with parameters that have
since gone. Then an intent took cards unless the request set `payment_method_types`.
"""

from collections.abc import Callable, Mapping
from typing import Any

JSON = dict[str, Any]


def _intent(raw: JSON) -> JSON:
    raw = _transfer(_session(raw))
    if {"allowed_payment_method_types", "automatic_payment_methods"} & set(raw):
        return raw
    return raw | {"allowed_payment_method_types": {"0": "card"}}


def _transfer(raw: JSON) -> JSON:
    place = raw
    for name in ("payment_method_options", "customer_balance", "bank_transfer"):
        inner = place.get(name)
        place = inner if isinstance(inner, dict) else {}
    if place.get("type") == "jp_bank_account":
        place["type"] = "jp_bank_transfer"
    return raw


def _session(raw: JSON) -> JSON:
    names = {"payment_method_types": "allowed_payment_method_types"}
    return {names.get(name, name): value for name, value in raw.items()}


_CHANGED: Mapping[str, Callable[[JSON], JSON]] = {
    "/v1/payment_intents": _intent,
    "/v1/setup_intents": _intent,
    "/v1/checkout/sessions": _session,
}


def modern(path: str, raw: JSON) -> JSON:
    """Return the parameters of a POST without a version under the names that they have today."""
    return _CHANGED.get(path, dict)(raw)
