"""Uses of credits: the list, and the page of one: what it was for, who did it, how its price was made up, refunds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Ident, Moment, Prefs, amount, count, ident, moment
from console.gateway import Answer
from console.lists import ListPage, ListResult
from console.mentions import Naming, Sentence
from console.sections import unanswered
from console.status import Status, status_of
from console.who import actor_named
from console.widgets import Failed, Link, Page, address
from domain.common.money import CREDIT

FILTERS = ("action", "agent_id", "run_id", "status")
LABELS = {"action": "Action", "agent_id": "Agent", "run_id": "Run", "status": "Status", "from": "From", "to": "To"}
STATES = (
    *(("", "Any"), ("charged", "Used"), ("reserved", "Reserved"), ("captured", "Captured")),
    *(("released", "Released"), ("expired", "Expired"), ("refunded", "Refunded")),
)
#: What its metadata has of a use that the page shows by itself.
_SHOWN = frozenset({"model", "meter", "payee_agent_id", "usage_event"})


@dataclass(frozen=True, slots=True, kw_only=True)
class UseRow:
    href: str
    action: str
    status: Status
    agent: Sentence
    by: str
    at: Moment
    amount: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses(ListPage):
    states: tuple[tuple[str, str], ...]
    rows: tuple[UseRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundRow:
    """One refund; `href` is the page of its transfer, and empty for who does not read the organization's money."""

    at: Moment
    href: str
    amount: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A number of units of a model that a usage event counted."""

    name: str
    number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """The usage event that was charged; `cost` is None if it has no cost of its own."""

    id: str
    type: str
    provider: str
    cost: Amount | None
    units: tuple[Unit, ...]
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Use(Page):
    """The page of one use. `held`, `captured` and `expires` are of a reservation; `unit` is None where it is uneven."""

    id: Ident
    status: Status
    action: str
    at: Moment
    amount: Amount
    quantity: str
    meter: str
    unit: Amount | None
    captured: Amount | None
    held: Amount | None
    expires: Moment | None
    by: str
    agent: Sentence
    payee: str
    payee_href: str
    bought_href: str
    project: Sentence
    department: Sentence
    run: str
    run_href: str
    model: str
    metadata: tuple[tuple[str, str], ...]
    metered: Metered | None
    refunds: tuple[RefundRow, ...]
    refunds_failed: Failed | None


def listed(found: ListResult, naming: Naming, usage: str) -> Uses:
    """Return the list for what the API answered to `GET /credits/usage`; `usage` is where the month is shown."""
    return Uses(
        title="Uses of credits",
        crumbs=(Link(label="Usage", href=usage),),
        listed=found.listed("Uses of credits", LABELS),
        states=STATES,
        rows=tuple(_row(each, naming, usage) for each in found.rows),
    )


def page(spend: Mapping[str, Any], refunds: Answer, naming: Naming, base: str, *, reads_money: bool) -> Use:
    prefs, usage, reserved = naming.prefs, f"{base}/usage", spend["expires_at"] is not None
    metadata, event = spend["metadata"] or {}, spend["usage_event"]
    action = spend["meter"] or spend["action"]

    def credits(value: str) -> Amount:
        return amount(value, CREDIT, prefs)

    return Use(
        title=_title(spend),
        crumbs=(Link(label="Usage", href=usage), Link(label="Uses", href=f"{usage}/uses")),
        id=ident(spend["id"]),
        status=status_of("spend", spend["status"]),
        action=action,
        at=moment(spend["created_at"], prefs),
        amount=credits(spend["amount"]),
        quantity=count(spend["quantity"], prefs),
        meter=spend["meter"] or "",
        unit=credits(spend["unit_amount"]) if spend["unit_amount"] is not None else None,
        captured=credits(spend["captured"]) if reserved else None,
        held=credits(spend["held"]) if reserved else None,
        expires=moment(spend["expires_at"], prefs) if reserved and spend["status"] == "reserved" else None,
        by=actor_named(spend["principal"] or ""),
        agent=naming(spend["agent_id"]),
        payee=spend["payee_agent_name"] or "",
        payee_href=f"{base}/marketplace/{spend['payee_agent_id']}" if spend["payee_agent_id"] else "",
        bought_href=f"{base}/library/{spend['purchase_id']}" if spend["purchase_id"] else "",
        project=naming(spend["project_id"]),
        department=naming(spend["department_id"]),
        run=spend["run_id"] or "",
        run_href=address(f"{usage}/uses", [("run_id", spend["run_id"])]) if spend["run_id"] else "",
        model=str((event or {}).get("model") or metadata.get("model") or ""),
        metadata=tuple((name, str(value)) for name, value in sorted(metadata.items()) if name not in _SHOWN),
        metered=_metered(event, usage, prefs) if event else None,
        refunds=tuple(_refund(each, base, prefs, reads_money=reads_money) for each in refunds.body["data"])
        if refunds.ok
        else (),
        refunds_failed=unanswered("Refunds", refunds, f"{usage}/{spend['id']}"),
    )


def _title(spend: Mapping[str, Any]) -> str:
    agent = spend["payee_agent_name"] or "an agent"
    if spend["meter"]:
        return f"Use of {agent}"
    return f"Purchase of {agent}" if spend["purchase_id"] else f"Use of {spend['action']}"


def _row(spend: Mapping[str, Any], naming: Naming, usage: str) -> UseRow:
    return UseRow(
        href=f"{usage}/{spend['id']}",
        action=spend["action"],
        status=status_of("spend", spend["status"]),
        agent=naming(spend["agent_id"]),
        by=actor_named(spend["principal"] or ""),
        at=moment(spend["created_at"], naming.prefs),
        amount=amount(spend["amount"], CREDIT, naming.prefs),
    )


def _metered(event: Mapping[str, Any], usage: str, prefs: Prefs) -> Metered:
    used = event["usage"] or {}
    day = event["occurred_at"][:10]
    return Metered(
        id=event["event_id"],
        type=event["type"],
        provider=event["provider"] or "",
        cost=amount(event["cost"], event["currency"], prefs) if event["cost"] is not None else None,
        units=tuple(
            Unit(name=name.replace("_", " ").capitalize(), number=count(number, prefs))
            for name, number in used.items()
            if isinstance(number, int)
        ),
        log=address(f"{usage}/log", [("type", event["type"]), ("from", day), ("to", day)]),
    )


def _refund(refund: Mapping[str, Any], base: str, prefs: Prefs, *, reads_money: bool) -> RefundRow:
    return RefundRow(
        at=moment(refund["created_at"], prefs),
        href=f"{base}/transactions/{refund['transfer_id']}" if reads_money else "",
        amount=amount(refund["amount"], CREDIT, prefs, signed=True),
    )
