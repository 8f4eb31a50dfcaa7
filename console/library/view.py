"""What the pages of bought agents show."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Ident, Moment, Prefs, amount, ident, moment
from console.forms import FormState
from console.gateway import Answer
from console.lists import ListPage, ListResult
from console.marketplace.view import Meter, meters_of, price_of
from console.status import Status, status_of
from console.widgets import Confirmation, FormPage, Link
from domain.marketplace.offer import OfferModel

#: The commands of a purchase: label, kind of the button, and the word for what is said afterwards.
COMMANDS = {
    "refund": ("Return", "danger", "purchase.refunded"),
    "cancel": ("Cancel", "danger", "purchase.cancelled"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One purchase; `until` says what happens automatically, and is empty if nothing does."""

    href: str
    name: str
    status: Status
    price: str
    bought: Moment
    until: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Library(ListPage):
    rows: tuple[Row, ...]
    marketplace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Purchase(FormPage):
    """One purchase.

    Attributes:
        commands: what may be done now.
        not_refunded: why it is not given back now; empty if it can be.
        money: pairs of a label and an amount.
    """

    status: Status
    id: Ident
    access: str
    commands: tuple[Link, ...]
    not_refunded: str
    facts: tuple[tuple[str, str], ...]
    money: tuple[tuple[str, Amount], ...]
    meters: tuple[Meter, ...]
    links: tuple[Link, ...]


def page(found: ListResult, prefs: Prefs, base: str) -> Library:
    return Library(
        title="Library",
        listed=found.listed("Library", {}),
        rows=tuple(row(each, prefs, found.asked.path) for each in found.rows),
        marketplace=f"{base}/marketplace/offers",
    )


def row(purchase: Mapping[str, Any], prefs: Prefs, path: str) -> Row:
    return Row(
        href=f"{path}/{purchase['id']}",
        name=purchase["agent_name"],
        status=status_of("purchase", purchase["status"]),
        price=price_of(purchase, prefs),
        bought=moment(purchase["bought_at"], prefs),
        until=_until(purchase, prefs),
    )


def _until(purchase: Mapping[str, Any], prefs: Prefs) -> str:
    if purchase["ends_at"] is None or purchase["status"] != "active":
        return ""
    at = moment(purchase["ends_at"], prefs).text
    if not purchase["has_access"]:
        return f"Ended {at}"
    return f"Renews {at}" if purchase["renews"] else f"Ends {at}"


def one(
    purchase: Mapping[str, Any], actions: Answer, form: FormState, prefs: Prefs, base: str, *, offered: bool
) -> Purchase:
    """Return the page of one purchase."""
    here = f"{base}/library/{purchase['id']}"
    known = {each["action"]: each for each in actions.body["actions"]} if actions.ok else {}
    refused = known.get("refund", {}).get("reason")
    links = []
    if offered:
        links.append(Link(label="Profile", href=f"{base}/marketplace/{purchase['agent_id']}"))
    if purchase["payment_id"]:
        links.append(Link(label="Payment", href=f"{base}/payments/{purchase['payment_id']}"))
    return Purchase(
        title=purchase["agent_name"],
        crumbs=(Link(label="Library", href=f"{base}/library"),),
        status=status_of("purchase", purchase["status"]),
        id=ident(purchase["id"]),
        access="The agent can be used." if purchase["has_access"] else "The agent cannot be used.",
        commands=tuple(
            Link(label=label, href=f"{here}/{name}")
            for name, (label, _, _) in COMMANDS.items()
            if name in known and known[name]["allowed"]
        ),
        not_refunded=refused["detail"] if refused and purchase["has_access"] else "",
        facts=_facts(purchase, prefs),
        money=_money(purchase, prefs),
        meters=meters_of(purchase, prefs),
        links=tuple(links),
        form=form,
    )


def _facts(purchase: Mapping[str, Any], prefs: Prefs) -> tuple[tuple[str, str], ...]:
    found = [
        ("Price", price_of(purchase, prefs)),
        ("Bought", f"{moment(purchase['bought_at'], prefs)} by {purchase['bought_by'].rpartition('/')[2]}"),
    ]
    if until := _until(purchase, prefs):
        found.append(("Term", until))
    if purchase["refunded_at"]:
        found.append(("Returned", moment(purchase["refunded_at"], prefs).text))
    elif purchase["has_access"]:
        found.append(("Can be returned until", moment(purchase["refundable_until"], prefs).text))
    if purchase["included_uses"] is not None:
        found.append(("Included uses", str(purchase["included_uses"])))
    return tuple(found)


def _money(purchase: Mapping[str, Any], prefs: Prefs) -> tuple[tuple[str, Amount], ...]:
    parts = (
        ("Paid", purchase["price"]),
        ("Including tax", purchase["tax"]),
        ("Used before the return", purchase["used"]),
    )
    return tuple((label, amount(value, purchase["currency"], prefs)) for label, value in parts if value is not None)


def asking(
    purchase: Mapping[str, Any], action: Mapping[str, Any], form: FormState, prefs: Prefs, base: str
) -> Confirmation:
    name, effect, here = action["action"], action["effect"], f"{base}/library/{purchase['id']}"
    label, kind, _ = COMMANDS[name]
    facts = [("Agent", purchase["agent_name"]), ("Price", price_of(purchase, prefs))]
    if effect["to_buyer"] is not None:
        back = amount(effect["to_buyer"], effect["currency"], prefs)
        label = f"Return for {back}"
        facts += [("Refund", back.text), ("Used", amount(effect["used"], effect["currency"], prefs).text)]
    return Confirmation(
        title=f"{COMMANDS[name][0]}: {purchase['agent_name']}",
        back=here,
        action=f"{here}/{name}",
        label=label,
        form=form,
        facts=tuple(facts),
        effect=_effect(purchase, name, prefs),
        kind=kind,
    )


def _effect(purchase: Mapping[str, Any], name: str, prefs: Prefs) -> tuple[str, ...]:
    if name == "cancel" and purchase["model"] == OfferModel.USAGE:
        return ("The agent leaves the library at once. Used parts are not refunded.",)
    if name == "cancel":
        return (f"The agent can be used until {moment(purchase['ends_at'], prefs)}. Nothing is charged after that.",)
    found = ["The agent can no longer be used."]
    if purchase["payment_id"]:
        found.append("The money is returned to its source, which can take days.")
    found.append("An agent can be returned once: a second purchase of it is final.")
    return tuple(found)
