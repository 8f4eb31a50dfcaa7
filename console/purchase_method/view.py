"""What the pages of declared methods show. A share is typed in percent, and sent as the API takes it."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from console.format import Prefs, count, decimal, money, percent
from console.forms import Form, Shown, is_number, written
from console.gateway import Answer
from console.payment_policy.terms import KINDS
from console.payment_policy.view import LEAD, tabs
from console.sections import unanswered
from console.widgets import Asking, Failed, FormPage, Link, Page, Tab
from domain.budgets.policy import MEASURED_AFTER

#: The fields of a fee.
FEE = ("fee_share", "fee_fixed", "fee_currency")
#: Why a method cannot be used, by the word of the API.
_WHY_NOT = {"not_connected": "Paid outside and reported"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One method; `href` and `remove` are empty for who may not change it."""

    label: str
    name: str
    kind: str
    state: str
    fee: str
    attempts: str
    href: str
    remove: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Methods(Page):
    """The list. `failed` is shown instead if the API did not answer."""

    lead: str
    tabs: tuple[Tab, ...]
    create: str
    rows: tuple[Row, ...]
    measured_after: int
    failed: Failed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Set(FormPage):
    """The form of a method; `named` is whether its name is typed."""

    label: str
    named: bool
    kinds: tuple[tuple[str, str], ...]


def page(answer: Answer, prefs: Prefs, policies: str, here: str, *, may_change: bool) -> Methods:
    """Return the list for what the API answered."""
    failed = unanswered("Methods", answer, here)
    return Methods(
        title="Payment policies",
        lead=LEAD,
        tabs=tabs(policies, "/methods"),
        create=f"{here}/new" if may_change else "",
        rows=() if failed else tuple(_row(each, prefs, here, may_change=may_change) for each in answer.body["data"]),
        measured_after=MEASURED_AFTER,
        failed=failed,
    )


def _row(found: Mapping[str, Any], prefs: Prefs, here: str, *, may_change: bool) -> Row:
    attempts = found["attempts"]
    good = f"{count(found['succeeded'], prefs)} of {count(attempts, prefs)} succeeded" if attempts else "None yet"
    return Row(
        label=found["label"],
        name=found["name"],
        kind=KINDS[found["kind"]],
        state="Connected" if found["available"] else _WHY_NOT.get(found["why_not"], found["why_not"]),
        fee=_fee(found["fee"], prefs),
        attempts=good,
        href=f"{here}/{found['id']}/change" if may_change else "",
        remove=f"{here}/{found['id']}/remove" if may_change else "",
    )


def _fee(found: Mapping[str, Any] | None, prefs: Prefs) -> str:
    if found is None:
        return "Not known"
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
    """Return a method of the API as its form has it."""
    values = {name: str(found[name]) for name in ("name", "label", "kind")}
    given = found["fee"]
    if given is None:
        return values
    share = Decimal(given["share"]).scaleb(2).normalize()
    values["fee_share"] = written(f"{share:f}")
    fixed = "" if given["fixed"] is None else written(given["fixed"])
    return {**values, "fee_fixed": fixed, "fee_currency": given["currency"] or ""}


def create(form: Shown, base: str, here: str) -> Set:
    """Return the form of a new method."""
    return _set(form, base, here, title="New method", action=f"{here}/new", label="Add the method", named=True)


def change(found: Mapping[str, Any], form: Shown, base: str, here: str) -> Set:
    """Return the form that changes a method."""
    action = f"{here}/{found['id']}/change"
    return _set(form, base, here, title=found["label"], action=action, label="Change the method", named=False)


def _set(form: Shown, base: str, here: str, **own: Any) -> Set:
    crumbs = (Link(label="Payment policies", href=f"{base}/payment-policies"), Link(label="Methods", href=here))
    return Set(form=form, crumbs=crumbs, kinds=tuple(KINDS.items()), **own)


def removing(found: Mapping[str, Any], form: Shown, here: str) -> Asking:
    """Return the page that asks before a method is removed."""
    return Asking(
        title="Remove this method?",
        back=here,
        action=f"{here}/{found['id']}/remove",
        label="Remove the method",
        form=form,
        facts=(("Method", found["label"]), ("Name", found["name"])),
        effect=("Agents do not see it any more. What was counted of its attempts is forgotten.",),
    )
