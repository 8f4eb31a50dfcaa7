"""What the pages of the catalogue show."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from console.charts import Meter
from console.charts.rank import meter
from console.format import Prefs, count
from console.forms import Shown
from console.gateway import Answer
from console.payment_policy.view import LEAD, tabs
from console.sections import unanswered
from console.widgets import Asking, External, Failed, FormPage, Link, Page, Tab, external

_WINDOWS = {"day": "Each day", "week": "Each week", "month": "Each month"}
_NOW = {"day": "Today", "week": "This week", "month": "This month"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One option; `meter` is None without a quota, `href` and `remove` are empty for who may not change it."""

    name: str
    category: str
    address: External | None
    meter: Meter | None
    href: str
    remove: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(Page):
    """The catalogue. `failed` is shown instead if the API did not answer."""

    lead: str
    tabs: tuple[Tab, ...]
    create: str
    rows: tuple[Row, ...]
    failed: Failed | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Set(FormPage):
    """The form of an option; `named` is whether its name is typed."""

    label: str
    named: bool
    windows: tuple[tuple[str, str], ...]


def page(answer: Answer, prefs: Prefs, policies: str, here: str, *, may_change: bool) -> Options:
    """Return the catalogue for what the API answered."""
    failed = unanswered("Free options", answer, here)
    return Options(
        title="Payment policies",
        lead=LEAD,
        tabs=tabs(policies, "/free-options"),
        create=f"{here}/new" if may_change else "",
        rows=() if failed else tuple(_row(each, prefs, here, may_change=may_change) for each in answer.body["data"]),
        failed=failed,
    )


def _row(found: Mapping[str, Any], prefs: Prefs, here: str, *, may_change: bool) -> Row:
    quota, address = found["quota"], found["address"]
    drawn = None
    if quota is not None:
        words = f"{count(found['used'], prefs)} of {count(quota, prefs)} used"
        drawn = meter(_NOW[found["quota_window"]], Decimal(found["used"]), Decimal(quota), words)
    return Row(
        name=found["name"],
        category=found["category"],
        address=external(address, address) if address else None,
        meter=drawn,
        href=f"{here}/{found['id']}/change" if may_change else "",
        remove=f"{here}/{found['id']}/remove" if may_change else "",
    )


def typed(found: Mapping[str, Any]) -> dict[str, str]:
    """Return an option of the API as its form has it."""
    return {name: str(found[name] or "") for name in ("name", "category", "address", "quota", "quota_window")}


def create(form: Shown, base: str, here: str) -> Set:
    """Return the form of a new option."""
    return _set(form, base, here, title="New free option", action=f"{here}/new", label="Add the option", named=True)


def change(found: Mapping[str, Any], form: Shown, base: str, here: str) -> Set:
    """Return the form that changes an option."""
    action = f"{here}/{found['id']}/change"
    return _set(form, base, here, title=found["name"], action=action, label="Change the option", named=False)


def _set(form: Shown, base: str, here: str, **own: Any) -> Set:
    crumbs = (
        Link(label="Payment policies", href=f"{base}/payment-policies"),
        Link(label="Free options", href=here),
    )
    return Set(form=form, crumbs=crumbs, windows=tuple(_WINDOWS.items()), **own)


def removing(found: Mapping[str, Any], form: Shown, here: str) -> Asking:
    """Return the page that asks before an option is removed."""
    return Asking(
        title="Remove this free option?",
        back=here,
        action=f"{here}/{found['id']}/remove",
        label="Remove the option",
        form=form,
        facts=(("Option", found["name"]), ("Category", found["category"])),
        effect=("Agents do not see it any more. What was counted of its quota is forgotten.",),
    )
