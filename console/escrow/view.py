"""What the list of escrows shows: tabs with counts, filters, and rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console import lists
from console.format import Amount, Moment, Prefs, amount, count, moment
from console.forms import Shown
from console.gateway import Answer
from console.lists import Asked
from console.problems import Reaction, reaction_to
from console.status import Status, status_of
from console.widgets import Chip, Failed, Pager, Tab
from domain.escrow.state import FINAL, EscrowStatus

FILTERS = ("waits_for", "status", "organization_id", "agent_id", "contract_id", "currency", "min_amount", "max_amount")
LABELS = {
    "organization_id": "Organization",
    "agent_id": "Agent",
    "contract_id": "Contract",
    "currency": "Currency",
    "min_amount": "At least",
    "max_amount": "At most",
    "from": "From",
    "to": "To",
}
#: What a tab takes the place of.
TABBED = ("waits_for", "status")
_ENDED = ",".join(sorted(FINAL))
TABS: tuple[tuple[str, dict[str, str]], ...] = (
    ("All", {}),
    ("Waits for me", {"waits_for": "me"}),
    ("Not funded", {"status": EscrowStatus.OPEN.value}),
    ("Work under way", {"status": EscrowStatus.FUNDED.value}),
    ("In review", {"status": EscrowStatus.DELIVERED.value}),
    ("Disputed", {"status": EscrowStatus.DISPUTED.value}),
    ("Ended", {"status": _ENDED}),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One escrow. `until` is when something happens by itself."""

    href: str
    title: str
    status: Status
    payer: str
    payee: str
    amount: Amount
    until: Moment | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Escrows:
    """The list. `failed` stands in its place where the API did not answer; `award` is empty where one may not."""

    title: str
    path: str
    award: str
    form: Shown
    hidden: tuple[tuple[str, str], ...]
    across: bool
    tabs: tuple[Tab, ...]
    chips: tuple[Chip, ...]
    clear: str
    rows: tuple[Row, ...]
    pager: Pager
    filtered: bool
    failed: Failed | None


def page(asked: Asked, answers: Mapping[str, Answer], prefs: Prefs, base: str, *, award: str, across: bool) -> Escrows:
    """Return the list for what the API answered.

    Args:
        asked: what the address asks for.
        answers: `escrows`, `summary`, `waiting`; nothing where a filter is wrong.
        prefs: how the reader reads.
        base: where the pages of escrows begin.
        award: where a contract is awarded; empty where one may not.
        across: whether these are escrows of all organizations.
    """
    answer = answers.get("escrows")
    whole = answer is not None and answer.ok
    body: Mapping[str, Any] = answer.body if answer is not None and whole else {"data": (), "next_cursor": None}
    silent = answer is not None and answer.problem is not None and reaction_to(answer.problem) is Reaction.UNKNOWN
    return Escrows(
        title="Escrows",
        path=asked.path,
        award=award,
        form=asked.form,
        hidden=tuple((name, asked.given[name]) for name in TABBED if name in asked.given),
        across=across,
        tabs=_tabs(asked, answers, prefs),
        chips=lists.chips(asked, LABELS),
        clear=asked.path,
        rows=tuple(row(each, prefs, base) for each in body["data"]),
        pager=lists.pager(asked, body),
        filtered=bool(asked.given) or not asked.at_start,
        failed=lists.failed("Escrows", asked, answer) if answer is not None and silent else None,
    )


def _tabs(asked: Asked, answers: Mapping[str, Answer], prefs: Prefs) -> tuple[Tab, ...]:
    chosen = {name: asked.given[name] for name in TABBED if name in asked.given}
    found = []
    for label, choice in TABS:
        cleared = dict.fromkeys(TABBED, "")
        found.append(
            Tab(
                label=label,
                href=asked.address(**{**cleared, **choice}),
                count=_counted(answers.get("waiting" if "waits_for" in choice else "summary"), choice, prefs),
                current=chosen == choice,
            )
        )
    return tuple(found)


def _counted(answer: Answer | None, choice: Mapping[str, str], prefs: Prefs) -> str:
    """Return how many there are; empty where that is not known."""
    if answer is None or not answer.ok:
        return ""
    wanted = set(choice["status"].split(",")) if "status" in choice else None
    parts = [each for each in answer.body["by_status"] if wanted is None or each["status"] in wanted]
    more = "+" if any(each["capped"] for each in parts) else ""
    return count(sum(each["count"] for each in parts), prefs) + more


def row(escrow: Mapping[str, Any], prefs: Prefs, base: str) -> Row:
    """Return one escrow of the API as a list shows it."""
    due = next_moment(escrow)
    return Row(
        href=f"{base}/{escrow['id']}",
        title=escrow["title"],
        status=status_of("escrow", escrow["status"]),
        payer=escrow["payer_name"],
        payee=f"{escrow['agent_name']} of {escrow['payee_name']}",
        amount=amount(escrow["amount"], escrow["currency"], prefs),
        until=moment(due, prefs) if due else None,
    )


def next_moment(escrow: Mapping[str, Any]) -> str | None:
    """Return when something happens by itself; None where nothing does."""
    deadlines, dispute = escrow["deadlines"], escrow["dispute"]
    match escrow["status"]:
        case EscrowStatus.OPEN:
            found = deadlines["fund_by"]
        case EscrowStatus.FUNDED:
            found = deadlines["deliver_by"]
        case EscrowStatus.DELIVERED:
            found = deadlines["review_by"]
        case EscrowStatus.DISPUTED if dispute:
            found = dispute["default_at"]
        case _:
            found = None
    return None if found is None else str(found)
