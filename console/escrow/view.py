"""List of escrows: tabs with counts, filters, and rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console import lists
from console.format import Amount, Moment, Prefs, amount, moment
from console.gateway import Answer
from console.lists import ListQuery, ListResult
from console.noun_page import ListPage
from console.status import Status, status_of
from console.texts import N_, _, gettext
from console.widgets import Tab
from domain.escrow.state import FINAL, EscrowStatus

FILTERS = (
    *("q", "waits_for", "overdue", "status", "organization_id", "agent_id", "contract_id"),
    *("currency", "min_amount", "max_amount"),
)
LABELS = {
    "q": N_("Text"),
    "organization_id": N_("Organization"),
    "agent_id": N_("Agent"),
    "contract_id": N_("Contract"),
    "currency": N_("Currency"),
    "min_amount": N_("At least"),
    "max_amount": N_("At most"),
    "from": N_("From"),
    "to": N_("To"),
}
#: What a tab takes the place of.
TABBED = ("waits_for", "overdue", "status")
_ENDED = ",".join(sorted(FINAL))
TABS: tuple[tuple[str, dict[str, str]], ...] = (
    (N_("All"), {}),
    (N_("To do"), {"waits_for": "me"}),
    (N_("Not funded"), {"status": EscrowStatus.OPEN.value}),
    (N_("In progress"), {"status": EscrowStatus.FUNDED.value}),
    (N_("In review"), {"status": EscrowStatus.DELIVERED.value}),
    (N_("Disputed"), {"status": EscrowStatus.DISPUTED.value}),
    (N_("Ended"), {"status": _ENDED}),
)
#: First on the list of all organizations: what should have happened by itself, and has not.
OVERDUE = (N_("Overdue"), {"overdue": "true"})


NO_RUNS: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class EscrowRow:
    """One escrow. `until` is when something happens by itself; `run` is empty for all but operators."""

    href: str
    title: str
    status: Status
    payer: str
    payee: str
    amount: Amount
    until: Moment | None
    run: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Escrows(ListPage):
    """The list; `award` is empty if one may not."""

    award: str
    hidden: tuple[tuple[str, str], ...]
    across: bool
    has_runs: bool
    rows: tuple[EscrowRow, ...]


def page(
    found: ListResult, prefs: Prefs, base: str, *, award: str, across: bool, runs: Mapping[str, str] = NO_RUNS
) -> Escrows:
    """Return the list for what the API answered."""
    asked = found.asked
    return Escrows(
        title=_("Escrows"),
        listed=found.listed(_("Escrows"), {name: gettext(label) for name, label in LABELS.items()}),
        award=award,
        hidden=tuple((name, asked.given[name]) for name in TABBED if name in asked.given),
        across=across,
        has_runs=any(runs.values()),
        tabs=_tabs(asked, found.extra, prefs, (OVERDUE, *TABS) if across else TABS),
        rows=tuple(row(each, prefs, base, runs.get(each["id"], "")) for each in found.rows),
    )


def _tabs(
    asked: ListQuery, answers: Mapping[str, Answer], prefs: Prefs, tabs: tuple[tuple[str, dict[str, str]], ...]
) -> tuple[Tab, ...]:
    chosen = {name: asked.given[name] for name in TABBED if name in asked.given}
    found = []
    for label, choice in tabs:
        cleared = dict.fromkeys(TABBED, "")
        summary = answers["waiting" if "waits_for" in choice else "overdue" if "overdue" in choice else "summary"]
        statuses = choice["status"].split(",") if "status" in choice else ()
        found.append(
            Tab(
                label=gettext(label),
                href=asked.address(**{**cleared, **choice}),
                count=lists.counted(summary, statuses, prefs),
                current=chosen == choice,
            )
        )
    return tuple(found)


def row(escrow: Mapping[str, Any], prefs: Prefs, base: str, run: str = "") -> EscrowRow:
    due = next_moment(escrow)
    return EscrowRow(
        href=f"{base}/{escrow['id']}",
        title=escrow["title"],
        status=status_of("escrow", escrow["status"]),
        payer=escrow["payer_name"],
        payee=_("%(agent)s of %(payee)s", agent=escrow["agent_name"], payee=escrow["payee_name"]),
        amount=amount(escrow["amount"], escrow["currency"], prefs),
        until=moment(due, prefs) if due else None,
        run=run,
    )


def next_moment(escrow: Mapping[str, Any]) -> str | None:
    """Return when something happens by itself; None if nothing does."""
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
