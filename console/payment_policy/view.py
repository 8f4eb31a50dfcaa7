"""What the pages of payment policies show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Moment, Prefs, amount, duration, moment, money
from console.forms import FormState
from console.lists import Choice, ListPage, ListResult
from console.payment_policy import terms
from console.widgets import Confirmation, FormPage, Link, Tab

#: What a policy that is not the organization's is for.
_KINDS = {"project": "Project", "agent": "Agent"}
_WHOLE = "The whole organization"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One policy; `kind` is empty for the organization's, `href` and `delete` for who may not change it."""

    kind: str
    name: str
    href: str
    delete: str
    free_first: str
    most: Amount | None
    approval: str
    order: str
    changed: Moment
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies(ListPage):
    """The list; `create` is empty if the reader may not."""

    lead: str
    create: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Set(FormPage):
    """The form that sets or changes a policy; `subjects` is empty for a change, and `version` for a new one."""

    lead: str
    label: str
    subjects: tuple[tuple[str, str], ...]
    version: str
    free_first: tuple[tuple[str, str, str], ...]
    coins: tuple[tuple[str, str], ...]
    wallets: tuple[tuple[str, str], ...]
    more: bool


LEAD = "What agents may buy outside, alternatives to check first, approvals, and payment methods."


def tabs(here: str, current: str) -> tuple[Tab, ...]:
    """Return the three lists; `here` is the address of the policies, `current` the part below it."""
    labels = {"": "Policies", "/free-options": "Free options", "/methods": "Methods"}
    return tuple(Tab(label=label, href=here + part, current=part == current) for part, label in labels.items())


def page(found: ListResult, prefs: Prefs, here: str, *, may_change: bool) -> Policies:
    return Policies(
        title="Payment policies",
        lead=LEAD,
        tabs=tabs(here, ""),
        listed=found.listed("Payment policies", {}),
        create=f"{here}/new" if may_change else "",
        rows=tuple(_row(each, prefs, here, may_change=may_change) for each in found.rows),
    )


def _row(found: Mapping[str, Any], prefs: Prefs, here: str, *, may_change: bool) -> Row:
    currency, most = found["currency"], found["per_purchase"]
    own = f"{here}/{found['id']}"
    return Row(
        kind=_KINDS.get(found["subject"]["type"], ""),
        name=_named(found),
        href=f"{own}/change" if may_change else "",
        delete=f"{own}/delete" if may_change else "",
        free_first=_free_first(found, prefs),
        most=None if most is None else amount(most, currency, prefs),
        approval=_approval(found, prefs),
        order=", ".join(terms.KINDS[kind] for kind in found["order"]),
        changed=moment(found["updated_at"], prefs),
        by=found["updated_by"].rpartition("/")[2],
    )


def _named(found: Mapping[str, Any]) -> str:
    subject = found["subject"]
    return _WHOLE if subject["type"] == "organization" else subject["name"] or subject["id"]


def _free_first(found: Mapping[str, Any], prefs: Prefs) -> str:
    word = {value: label for value, label, _ in terms.FREE_FIRST}[found["free_first"]]
    above = found["free_first_above"]
    if above is None or found["free_first"] == "off":
        return word
    return f"{word} above {money(above, found['currency'], prefs)}"


def _approval(found: Mapping[str, Any], prefs: Prefs) -> str:
    bounds = (("approval_above", "One person"), ("two_persons_above", "two people"))
    parts = [
        f"{who} above {money(found[name], found['currency'], prefs)}" for name, who in bounds if found[name] is not None
    ]
    return f"{', '.join(parts)}; within {duration(found['answer_within'], prefs)}" if parts else "Not needed"


def create(form: FormState, choices: Mapping[str, Choice], here: str, *, is_first: bool) -> Set:
    subjects = [
        (f"{kind}:{each['id']}", f"{_KINDS[kind]}: {each['name']}")
        for kind, choice in choices.items()
        for each in choice.rows
    ]
    # The organization's own is changed where it stands in the list.
    if is_first or not subjects:
        subjects.insert(0, ("organization", _WHOLE))
    if form.value("subject") and form.value("subject") not in dict(subjects):
        subjects.append((form.value("subject"), form.value("subject")))
    lead = "No policy yet. The form shows the default." if is_first else "The form shows the current policy."
    return _set(
        form,
        here,
        title="Create policy",
        lead=f"{lead} The most specific policy applies: agent, then project, then organization.",
        action=f"{here}/new",
        label="Create policy",
        subjects=tuple(subjects),
        version="",
    )


def change(found: Mapping[str, Any], form: FormState, here: str) -> Set:
    return _set(
        form,
        here,
        title=f"Policy: {_named(found)}",
        lead="The change applies to purchases from now on.",
        action=f"{here}/{found['id']}/change",
        label="Save policy",
        subjects=(),
        version=form.value("version", str(found["version"])),
    )


def _set(form: FormState, here: str, **own: Any) -> Set:
    return Set(
        crumbs=(Link(label="Payment policies", href=here),),
        form=form,
        free_first=terms.FREE_FIRST,
        coins=terms.COIN_CHOICES,
        wallets=terms.WALLETS,
        more=any(form.value(name) for name in terms.SELDOM)
        or form.value("crypto_wallet_creation") not in {"", "never"},
        **own,
    )


def deleting(found: Mapping[str, Any], form: FormState, here: str) -> Confirmation:
    return Confirmation(
        title="Delete this policy?",
        back=here,
        action=f"{here}/{found['id']}/delete",
        label="Delete policy",
        form=form,
        facts=(("For", _named(found)),),
        effect=("The next policy up applies: the project's, the organization's, or the default.",),
    )
