"""Where each kind of object has its page, for what is found by its id: by the search, and as what a fact was about."""

from collections.abc import Callable
from urllib.parse import quote

from domain.common.ids import is_id

#: The prefix of an id, and the page below an organization's pages, by the words of the API. `{id}` is the object's,
#: `{title}` what the search calls it.
OF_ORGANIZATIONS = {
    "agent": ("agt", "/agents/{id}"),
    "api_key": ("key", "/settings/keys?q={title}"),
    "contract": ("ctr", "/contracts/{id}"),
    "department": ("dep", "/departments"),
    "spend_control": ("ctl", "/limits/{id}"),
    "webhook_endpoint": ("whe", "/alerts/settings/endpoints/{id}"),
    "dispute": ("dsp", "/disputes/{id}"),
    "escrow": ("esc", "/escrows/{id}"),
    "invoice": ("inv", "/invoices/{id}"),
    "organization": ("org", ""),
    "payment": ("pay", "/payments/{id}"),
    "payout": ("po", "/earnings"),
    "project": ("prj", "/projects"),
    "purchase": ("pur", "/library/{id}"),
    "purchase_order": ("por", "/purchases/{id}"),
    "card": ("crd", "/cards/{id}"),
    "revenue": ("rvn", "/returns/revenue/{id}"),
    "risk_case": ("rcs", "/reviews/{id}"),
    "reservation": ("hold", "/usage/{id}"),
    "spend": ("spd", "/usage/{id}"),
    "subscription": ("sub", "/billing"),
    "transfer": ("", "/transactions/{id}"),
}
_BY_PREFIX = {prefix: page for prefix, page in OF_ORGANIZATIONS.values() if prefix}
#: Pages of the platform, for its own roles. Credits are listed there by the organization that has them.
OF_THE_PLATFORM = {
    **dict.fromkeys(("credit_lot", "grant", "lot"), "/credits?organization_id={org}"),
    "reconciliation": "/reconciliation/{id}",
    "risk_case": "/risk/cases/{id}",
    "risk_decision": "/risk/decisions/{id}",
}


def page_of_case(id: str) -> str:
    """Return the address of operators' page of a case of fraud, or of a decision; empty for any other id."""
    kind = "cases" if is_id(id, "rcs") else "decisions" if is_id(id, "rsd") else ""
    return f"/console/platform/risk/{kind}/{id}" if kind else ""


def named(id: str, base: str, exists: Callable[[str], bool]) -> str:
    """Return the address of the page of what an id names; empty if it has none."""
    route = _BY_PREFIX.get(id.rpartition("_")[0], "").partition("?")[0]
    return f"{base}{route}".replace("{id}", quote(id, safe="")) if route and exists(f"{base}{route}") else ""


def page_of(
    kind: str, id: str, org_id: str | None, *, title: str = "", is_platform: bool, exists: Callable[[str], bool]
) -> str:
    """Return the address of an object's page; empty if it has none."""
    if is_platform and kind in OF_THE_PLATFORM:
        template, base = OF_THE_PLATFORM[kind], "/console/platform"
    elif org_id and kind in OF_ORGANIZATIONS:
        template, base = OF_ORGANIZATIONS[kind][1], f"/console/{org_id}"
    else:
        return ""
    route, mark, query = template.partition("?")
    if not exists(base + route):
        return ""
    for name, value in (("{id}", id), ("{title}", title), ("{org}", org_id or "")):
        route, query = route.replace(name, quote(value, safe="")), query.replace(name, quote(value, safe=""))
    return f"{base}{route}{mark}{query}"
