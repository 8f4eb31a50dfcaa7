"""Activity, one row for one fact; the ledger's entries behind it; and one transfer."""

from dataclasses import replace
from functools import partial
from typing import Any

from starlette.responses import Response

from console.format import account
from console.forms import blank
from console.lists import ListResult
from console.mentions import Naming, Sentence
from console.noun import Json, Noun
from console.noun_page import Filter, ObjectPage, pick, search, select
from console.objects import page_of
from console.texts import N_
from console.transaction import facts
from console.transaction.facts import CATEGORIES, TITLES, words_of
from console.visit import Visit
from domain.common.ids import is_id

ACTIVITY = Noun("/billing/activity", at="/transactions", title=N_("Activity"), folder="transaction")
ENTRIES = Noun(
    "/billing/transactions",
    at="/transactions/entries",
    title=N_("Ledger entries"),
    folder="transaction/entries",
    above=((N_("Activity"), "/transactions"),),
)


async def of_entries(visit: Visit, found: ListResult) -> dict[str, Any]:
    naming = await visit.naming(found.rows, "account", "reference")
    return {"account_of": partial(account, names=naming.names), "reference": partial(reference_of, naming)} | WORDS


def reference_of(naming: Naming, reference: str | None, *, is_buyer: bool) -> Sentence:
    """Return what money moved for; payment, purchase and use have pages of the buyer alone."""

    def is_of_buyer(id: str) -> bool:
        return any(is_id(id, kind) for kind in ("hold", "pay", "pur", "spd"))

    parts = naming(reference)
    return (
        parts
        if is_buyer
        else tuple(replace(part, href="") if part.id and is_of_buyer(part.id.whole) else part for part in parts)
    )


def buyer_of(transfer: Json) -> str:
    """Return the organization that a transfer takes from; empty if the reader sees none."""
    paths = (entry["account"].split("/") for entry in transfer["entries"])
    return next((path[1] for path in paths if path[0] == "org"), "")


def cause_page(visit: Visit, transfer: Json) -> str:
    """Return the page of what a transfer was for; empty if it has none for the reader."""
    cause, buyer, is_platform = transfer["cause"], buyer_of(transfer), visit.me.is_platform
    kind, id, org_id = cause["type"], cause["id"], visit.org_id
    if is_platform and kind in {"escrow", "invoice", "payment"}:
        return f"/console/platform/{kind}s/{id}"
    # A seller sees a transfer of the purchase or of its payment too; only the buyer has their pages.
    if not is_platform and kind in {"purchase", "payment"} and buyer != org_id:
        return ""
    is_bought = is_platform and kind in {"purchase", "reservation", "spend"}
    found = page_of(kind, id, buyer if is_bought else org_id, is_platform=is_platform, exists=visit.has_page)
    return found or (f"/console/search?q={id}" if is_bought else "")


async def show(visit: Visit) -> Response:
    it = (await visit.ask(f"/ledger/transfers/{visit.path('id')}")).need()
    naming = await visit.naming([it], "cause", "reference", "entries")
    cause, is_buyer = it["cause"], buyer_of(it) == visit.org_id
    # A reference that is the cause is there already.
    reference = None if cause and it["reference"] == cause["id"] else it["reference"]
    page = ObjectPage(
        title=words_of(it["kind"]),
        crumbs=ACTIVITY.crumbs(visit),
        here=ACTIVITY.here(visit),
        form=blank(),
    )
    values = {
        "it": it,
        "naming": naming,
        "cause_page": cause_page(visit, it) if cause else "",
        "reference": reference_of(naming, reference, is_buyer=is_buyer),
        "account_of": partial(account, names=naming.names),
        "org_id": visit.org_id,
    }
    return await visit.show("transaction/page.html", page, values | WORDS)


async def of_activity(_visit: Visit, _found: ListResult) -> dict[str, Any]:
    return {"facts": facts}


WORDS = {"words_of": words_of}
ACTIVITY.list(
    select("category", N_("Kind"), (("", N_("Everything")), *CATEGORIES.items())),
    days=True,
    values=of_activity,
    create="",
)
ACTIVITY.add("/transactions/{id}", show)
ENTRIES.list(
    search(N_("Text")),
    select("kind", N_("Kind"), (("", N_("Any")), *sorted((kind, words_of(kind)) for kind in TITLES))),
    Filter(name="account", kind="link", label=N_("Account")),
    Filter(name="reference", kind="link", label=N_("Reference")),
    pick("currency", N_("Currency")),
    days=True,
    values=of_entries,
    create="",
)
ROUTES = (*ACTIVITY.routes, *ENTRIES.routes)
