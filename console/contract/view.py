"""What the pages of contracts show."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from console.escrow.terms import Fact, terms
from console.format import Amount, Ident, Moment, Prefs, amount, ident, joined, moment
from console.forms import FormState
from console.gateway import Answer
from console.lists import ListPage, ListResult
from console.status import Status, status_of
from console.widgets import FormPage, Link, Tab
from domain.common.ids import escrow_id_of
from domain.escrow.contract import ContractStatus

FILTERS = ("status", "organization_id", "agent_id", "currency", "min_amount", "max_amount", "q")
LABELS = {
    "organization_id": "Organization",
    "agent_id": "Agent",
    "currency": "Currency",
    "min_amount": "At least",
    "max_amount": "At most",
    "q": "Title",
    "from": "From",
    "to": "To",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One contract.

    `escrow` is the state of its escrow, None if it has none or that is not known. `profile` is empty for those who do
    not see the agent.
    """

    href: str
    title: str
    status: Status
    payer: str
    payee: str
    profile: str
    price: Amount
    at: Moment
    escrow: Status | None
    without: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Contracts(ListPage):
    """The list, contracts without an escrow first. `failed` is shown instead if the API did not answer."""

    award: str
    status: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    name: str
    amount: Amount


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract(FormPage):
    """One contract.

    Attributes:
        next: what has to happen.
        outside: the terms outside of the agent's listing; empty if there are none.
        accept: where the payee accepts it; empty for those who may not.
        open: where its escrow is opened; the same.
        open_by: until when it can be opened; None once it is.
        escrow: the escrow's page; empty if it has none.
        profile: the agent's; empty for those who do not see it.
    """

    id: Ident
    status: Status
    next: str
    outside: str
    accept_by: Moment | None
    open_by: Moment | None
    accept: str
    open: str
    escrow: str
    escrow_status: Status | None
    payer: str
    payee: str
    agent: str
    profile: str
    terms: tuple[Fact, ...]
    milestones: tuple[Part, ...]
    at: Moment


def page(
    found: ListResult, escrows: Answer | None, seen: Collection[str], prefs: Prefs, base: str, award: str
) -> Contracts:
    """Return the list for what the API answered."""
    states = _states(escrows)
    rows = [row(each, states, seen, prefs, base) for each in found.rows]
    asked = found.asked
    status = asked.given.get("status", "")
    choices = (("All", ""), *((status_of("contract", each).word, each.value) for each in ContractStatus))
    return Contracts(
        title="Contracts",
        listed=found.listed("Contracts", LABELS),
        award=award,
        status=status,
        tabs=tuple(
            Tab(label=label, href=asked.address(status=choice), current=status == choice) for label, choice in choices
        ),
        rows=tuple(sorted(rows, key=lambda each: not each.without)),
    )


def _states(escrows: Answer | None) -> dict[str, str] | None:
    """Return the states of escrows by their contracts' ids; None if the answer does not hold all of them."""
    if escrows is None or not escrows.ok or escrows.body["next_cursor"] is not None:
        return None
    return {each["contract_id"]: each["status"] for each in escrows.body["data"]}


def row(
    contract: Mapping[str, Any], states: Mapping[str, str] | None, seen: Collection[str], prefs: Prefs, base: str
) -> Row:
    """Return one contract of the API as a list shows it."""
    state = states.get(contract["id"]) if states else None
    agent_id = contract["agent_id"]
    return Row(
        href=f"{base}/{contract['id']}",
        title=contract["title"],
        status=status_of("contract", contract["status"]),
        payer=contract["payer_name"],
        payee=f"{contract['agent_name']} of {contract['payee_name']}",
        profile=f"{base.removesuffix('/contracts')}/marketplace/{agent_id}" if agent_id in seen else "",
        price=amount(contract["price"], contract["currency"], prefs),
        at=moment(contract["created_at"], prefs),
        escrow=status_of("escrow", state) if state else None,
        without=states is not None and state is None,
    )


def one(
    contract: Mapping[str, Any],
    escrow: Answer,
    form: FormState,
    prefs: Prefs,
    base: str,
    *,
    now: datetime,
    accepts: bool,
    opens: bool,
    is_seen: bool,
) -> Contract:
    """Return the page of one contract."""
    here = f"{base}/contracts/{contract['id']}"
    status = contract["status"]
    has_none = escrow.status == 404
    in_time = now < datetime.fromisoformat(contract["open_by"])
    return Contract(
        title=contract["title"],
        id=ident(contract["id"]),
        crumbs=(Link(label="Contracts", href=f"{base}/contracts"),),
        status=status_of("contract", status),
        next=_next(contract, escrow, in_time=in_time),
        outside=joined([each.replace("_", " ") for each in contract["outside_listing"]]),
        accept_by=moment(contract["accept_by"], prefs) if contract["accept_by"] else None,
        open_by=moment(contract["open_by"], prefs) if has_none and status != ContractStatus.EXPIRED else None,
        accept=f"{here}/accept" if accepts and status == ContractStatus.PROPOSED else "",
        open=f"{here}/open" if opens and has_none and in_time and status == ContractStatus.ACCEPTED else "",
        escrow=f"{base}/escrows/{escrow_id_of(contract['id'])}" if escrow.ok else "",
        escrow_status=status_of("escrow", escrow.body["status"]) if escrow.ok else None,
        form=form,
        payer=contract["payer_name"],
        payee=contract["payee_name"],
        agent=contract["agent_name"],
        profile=f"{base}/marketplace/{contract['agent_id']}" if is_seen else "",
        terms=terms(contract, prefs),
        milestones=tuple(
            Part(name=each["name"], amount=amount(each["amount"], contract["currency"], prefs))
            for each in contract["milestones"]
        ),
        at=moment(contract["created_at"], prefs),
    )


def _next(contract: Mapping[str, Any], escrow: Answer, *, in_time: bool) -> str:
    match contract["status"]:
        case ContractStatus.PROPOSED:
            return f"{contract['payee_name']} has to accept the terms before an escrow can be opened."
        case ContractStatus.EXPIRED:
            return "The terms were not accepted in time. Hire the agent again, with other terms if needed."
    if escrow.ok:
        return "The escrow shows the status of the work."
    if escrow.status == 404 and not in_time:
        return "Its escrow was not opened in time. Hire the agent again."
    if escrow.status == 404:
        return f"{contract['payer_name']} has to open its escrow and fund it. No money has moved."
    return "Both parties agree on the terms."
