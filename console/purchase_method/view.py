"""What the pages of declared methods show. A share is typed in percent, and sent as the API takes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from console.format import Prefs, count, decimal, money, percent
from console.forms import Form, is_number, written
from console.payment_policy import entries
from console.payment_policy.terms import KINDS
from domain.budgets.policy import MEASURED_AFTER

#: The fields of a fee.
FEE = ("fee_share", "fee_fixed", "fee_currency")
#: Why a method cannot be used, by the word of the API.
_WHY_NOT = {"not_connected": "Paid externally and reported"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row(entries.Row):
    label: str
    name: str
    kind: str
    state: str
    fee: str
    attempts: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Methods(entries.Listing):
    rows: tuple[Row, ...]
    measured_after: int = MEASURED_AFTER


def row(found: Mapping[str, Any], prefs: Prefs, **addresses: str) -> Row:
    attempts = found["attempts"]
    good = f"{count(found['succeeded'], prefs)} of {count(attempts, prefs)} succeeded" if attempts else "None yet"
    return Row(
        label=found["label"],
        name=found["name"],
        kind=KINDS[found["kind"]],
        state="Connected" if found["available"] else _WHY_NOT.get(found["why_not"], found["why_not"]),
        fee=_fee(found["fee"], prefs),
        attempts=good,
        **addresses,
    )


def _fee(found: Mapping[str, Any] | None, prefs: Prefs) -> str:
    if found is None:
        return "Unknown"
    parts = [percent(found["share"], prefs)] if decimal(found["share"]) or found["fixed"] is None else []
    if found["fixed"] is not None:
        parts.append(money(found["fixed"], found["currency"], prefs))
    return " + ".join(parts)


def fee(form: Form) -> dict[str, Any] | None:
    """Return the fee as the API takes it; None if nothing of it was typed."""
    if not any(form.text(name) for name in FEE):
        return None
    share = form.number("fee_share") or "0"
    if share != "0" and is_number(share):
        share = f"{Decimal(share).scaleb(-2):f}"
    return {"share": share, "fixed": form.maybe_number("fee_fixed"), "currency": form.maybe("fee_currency")}


def typed(found: Mapping[str, Any]) -> dict[str, str]:
    values = {name: str(found[name]) for name in ("name", "label", "kind")}
    given = found["fee"]
    if given is None:
        return values
    share = Decimal(given["share"]).scaleb(2).normalize()
    values["fee_share"] = written(f"{share:f}")
    fixed = "" if given["fixed"] is None else written(given["fixed"])
    return {**values, "fee_fixed": fixed, "fee_currency": given["currency"] or ""}
