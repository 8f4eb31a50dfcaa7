"""What the page of credits shows: grants, what is left of an organization's lots, what actions cost."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Ident, Moment, Prefs, amount, ident, moment
from console.forms import Form, FormState
from console.lists import ListPage, ListResult
from console.mentions import Naming, Sentence
from console.sections import unanswered
from console.widgets import Confirmation, Failed
from domain.common.money import CREDIT

PLACE = "/console/platform/credits"
FILTERS = ("q", "organization_id", "min_amount", "max_amount")
LABELS = {
    "q": "Text",
    "organization_id": "Organization",
    "min_amount": "At least",
    "max_amount": "At most",
    "from": "From",
    "to": "To",
}
SOURCES = (("promotion", "Promotion"), ("reward", "Reward"), ("adjustment", "Adjustment"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    id: Ident
    at: Moment
    organization: Sentence
    source: str
    amount: Amount
    until: Moment | None
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    at: Moment
    source: str
    amount: Amount
    remaining: Amount
    held: Amount
    expired: Amount
    until: Moment | None
    cost: Amount | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    action: str
    cost: Amount
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Credits(ListPage):
    grants: tuple[Grant, ...]
    chosen: bool
    lots: tuple[Lot, ...]
    lots_more: bool
    lots_failed: Failed | None
    costs: tuple[Cost, ...]
    costs_failed: Failed | None
    grant: FormState
    grant_action: str
    cost: FormState
    cost_action: str
    sources: tuple[tuple[str, str], ...]


def page(
    found: ListResult, grant: FormState, cost: FormState, naming: Naming, *, may_grant: bool, may_price: bool
) -> Credits:
    """Return the page.

    Args:
        found: the grants, beside them `costs`, and `lots` where an organization is chosen.
        grant: the form that grants.
        cost: the form that sets what an action costs.
        naming: how organizations are written.
        may_grant: whether the reader may grant credits.
        may_price: whether the reader may set what actions cost.
    """
    lots, costs, prefs = found.extra.get("lots"), found.extra["costs"], naming.prefs
    return Credits(
        title="Credits",
        listed=found.listed("Grants", LABELS),
        grants=tuple(_grant(each, naming) for each in found.rows),
        chosen=lots is not None,
        lots=tuple(_lot(each, prefs) for each in (lots.body["data"] if lots is not None and lots.ok else ())),
        lots_more=lots is not None and lots.ok and lots.body["next_cursor"] is not None,
        lots_failed=None if lots is None else unanswered("Lots", lots, PLACE),
        costs=tuple(
            Cost(
                action=each["action"],
                cost=amount(each["cost"], CREDIT, prefs),
                source="set by an operator" if each["source"] == "platform" else each["source"],
            )
            for each in (costs.body["data"] if costs.ok else ())
        ),
        costs_failed=unanswered("Prices", costs, PLACE),
        grant=grant,
        grant_action=f"{PLACE}/grants" if may_grant else "",
        cost=cost,
        cost_action=f"{PLACE}/costs" if may_price else "",
        sources=SOURCES,
    )


def granting(form: Form, naming: Naming) -> Confirmation:
    """Return the page that asks once more: what is granted cannot be taken back."""
    granted, receiver = amount(form.number("amount"), CREDIT, naming.prefs), form.text("receiver")
    return Confirmation(
        title=f"Grant {granted}?",
        back=PLACE,
        action=f"{PLACE}/grants",
        label=f"Grant {granted}",
        kind="primary",
        form=FormState(key=form.key),
        facts=(
            ("Organization", naming.names.get(receiver, receiver)),
            ("Reason", dict(SOURCES).get(form.text("source"), form.text("source"))),
            ("Last day", form.maybe("expires") or "Never expires"),
        ),
        effect=("A grant cannot be reversed. A large one needs two operators.",),
        fields=(*form.values.items(), ("sure", "yes")),
    )


def _grant(body: Mapping[str, Any], naming: Naming) -> Grant:
    prefs = naming.prefs
    return Grant(
        id=ident(body["id"]),
        at=moment(body["created_at"], prefs),
        organization=naming(body["organization_id"]),
        source=body["source"].capitalize(),
        amount=amount(body["amount"], CREDIT, prefs),
        until=moment(body["expires_at"], prefs) if body["expires_at"] else None,
        note=body["note"] or "",
    )


def _lot(body: Mapping[str, Any], prefs: Prefs) -> Lot:
    parts = {part: amount(body[part], CREDIT, prefs) for part in ("amount", "remaining", "held", "expired")}
    return Lot(
        at=moment(body["created_at"], prefs),
        source=body["source"].capitalize(),
        until=moment(body["expires_at"], prefs) if body["expires_at"] else None,
        cost=amount(body["cost"], body["cost_currency"], prefs) if body["cost"] else None,
        **parts,
    )
