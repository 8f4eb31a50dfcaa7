"""What the search shows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from console.format import Amount, Ident, Prefs, amount, ident
from console.gateway import Answer
from console.objects import page_of
from console.widgets import Failed, Page


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """One object that was found; `href` is empty if it has no page."""

    kind: str
    title: str
    id: Ident
    href: str
    status: str
    amount: Amount | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Search(Page):
    """The search page; `hits` is empty if nothing was asked or found."""

    text: str
    asked: bool
    hits: tuple[Hit, ...]
    shortened: bool
    error: str = ""
    failed: Failed | None = None


def page(text: str, answer: Answer | None, own_org: str | None, prefs: Prefs, exists: Callable[[str], bool]) -> Search:
    """Return the page for what the API has found."""
    title = f"Search: {text}" if text else "Search"
    if answer is None or answer.problem is not None:
        problem = answer.problem if answer else None
        refused = problem is not None and problem.status < 500
        again = Failed(title="Search", request_id=answer.request_id, again="/console/search") if answer else None
        return Search(
            title=title,
            text=text,
            asked=False,
            hits=(),
            shortened=False,
            error=problem.detail if problem is not None and refused else "",
            failed=again if problem is not None and not refused else None,
        )
    hits = tuple(_hit(found, own_org, prefs, exists) for found in answer.body["data"])
    return Search(title=title, text=text, asked=True, hits=hits, shortened=answer.body["shortened"])


def _hit(found: Mapping[str, Any], own_org: str | None, prefs: Prefs, exists: Callable[[str], bool]) -> Hit:
    org_id = own_org or (found["id"] if found["kind"] == "organization" else found["organization_id"])
    has_amount = found["amount"] is not None and found["currency"] is not None
    return Hit(
        kind=found["kind"].replace("_", " "),
        title=found["title"],
        id=ident(found["id"]),
        href=page_of(
            found["kind"],
            found["id"],
            org_id,
            title=found["title"],
            is_platform=own_org is None,
            exists=exists,
        ),
        status=found["status"] or "",
        amount=amount(found["amount"], found["currency"], prefs) if has_amount else None,
    )
