"""What the log of usage events shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Moment, amount, count, moment
from console.lists import ListPage, ListResult
from console.mentions import Naming, Sentence
from console.status import Status, status_of
from console.widgets import Link, address

FILTERS = ("model", "agent_id", "action", "run_id", "type", "source")
LABELS = {
    "model": "Model",
    "agent_id": "Agent",
    "action": "Action",
    "run_id": "Run",
    "type": "Type",
    "source": "Source",
    "from": "From",
    "to": "To",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One event. `cost` is None if it has none of its own; `href` is the use of credits that paid for it, or empty."""

    at: Moment
    href: str
    action: str
    type: str
    model: str
    agent: Sentence
    run: str
    run_href: str
    tokens: str
    cost: Amount | None
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Log(ListPage):
    """The list. `goes_on` says that none was found in what was looked through, and that there is more."""

    rows: tuple[Row, ...]
    goes_on: bool


def page(found: ListResult, naming: Naming, usage: str) -> Log:
    """Return the log for what the API has; `usage` is where the month is shown."""
    listed = found.listed("Usage events", LABELS)
    rows = tuple(_row(each, naming, usage) for each in found.rows)
    return Log(
        title="Usage log",
        crumbs=(Link(label="Usage", href=usage),),
        listed=listed,
        rows=rows,
        goes_on=not rows and bool(listed.pager.next),
    )


def _row(event: Mapping[str, Any], naming: Naming, usage: str) -> Row:
    prefs = naming.prefs
    spend = event["spend_id"] or (event["charge"] or {}).get("spend_id")
    used = event["usage"] or {}
    parts = [
        f"{count(used[name], prefs)} {word}"
        for name, word in (("input_tokens", "in"), ("output_tokens", "out"))
        if isinstance(used.get(name), int)
    ]
    return Row(
        at=moment(event["occurred_at"], prefs),
        href=f"{usage}/{spend}" if spend else "",
        action=event["action"],
        type=event["type"],
        model=event["model"] or "",
        agent=naming(event["agent_id"]),
        run=event["run_id"] or "",
        run_href=address(f"{usage}/runs", [("run", event["run_id"])]) if event["run_id"] else "",
        tokens=", ".join(parts),
        cost=amount(event["cost"], event["currency"], prefs) if event["cost"] is not None else None,
        status=status_of("usage", event["billed_status"]),
    )
