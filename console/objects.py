"""Where each kind of object has its page, for what is found by its id: by the search, and as what a fact was about."""

from collections.abc import Callable
from urllib.parse import quote

#: Below an organization's pages, by the words of the API. `{id}` is the object's, `{title}` what the search calls it.
OF_ORGANIZATIONS = {
    "agent": "/agents/{id}",
    "api_key": "/settings/keys?q={title}",
    "contract": "/contracts/{id}",
    "department": "/departments",
    "spend_control": "/limits/{id}",
    "webhook_endpoint": "/alerts/settings/endpoints/{id}",
    "dispute": "/disputes/{id}",
    "escrow": "/escrows/{id}",
    "invoice": "/invoices/{id}",
    "organization": "",
    "payment": "/payments/{id}",
    "payout": "/earnings",
    "project": "/projects",
    "purchase": "/library/{id}",
    "purchase_order": "/purchases/{id}",
    "card": "/cards/{id}",
    "revenue": "/returns/revenue/{id}",
    "reservation": "/usage/{id}",
    "spend": "/usage/{id}",
    "subscription": "/billing",
    "transfer": "/transactions/{id}",
}
#: Pages of the platform, for its own roles. Credits are listed there by the organization that has them.
OF_THE_PLATFORM = {
    "credit_lot": "/credits?organization_id={org}",
    "grant": "/credits?organization_id={org}",
    "lot": "/credits?organization_id={org}",
    "reconciliation": "/reconciliation/{id}",
}
#: The kind of an object, by the prefix of its id.
KINDS = {
    "agt": "agent",
    "ctl": "spend_control",
    "ctr": "contract",
    "dep": "department",
    "dsp": "dispute",
    "esc": "escrow",
    "hold": "reservation",
    "inv": "invoice",
    "key": "api_key",
    "org": "organization",
    "pay": "payment",
    "po": "payout",
    "por": "purchase_order",
    "crd": "card",
    "prj": "project",
    "pur": "purchase",
    "rvn": "revenue",
    "spd": "spend",
    "sub": "subscription",
    "whe": "webhook_endpoint",
}


def named(id: str, base: str, exists: Callable[[str], bool]) -> str:
    """Return the address of the page of what an id names; empty if it has none."""
    route = OF_ORGANIZATIONS.get(KINDS.get(id.rpartition("_")[0], ""), "").partition("?")[0]
    return f"{base}{route}".replace("{id}", quote(id, safe="")) if route and exists(f"{base}{route}") else ""


def page_of(
    kind: str, id: str, org_id: str | None, *, title: str = "", is_platform: bool, exists: Callable[[str], bool]
) -> str:
    """Return the address of an object's page; empty if it has none."""
    if is_platform and kind in OF_THE_PLATFORM:
        template, base = OF_THE_PLATFORM[kind], "/console/platform"
    elif org_id and kind in OF_ORGANIZATIONS:
        template, base = OF_ORGANIZATIONS[kind], f"/console/{org_id}"
    else:
        return ""
    route, mark, query = template.partition("?")
    if not exists(base + route):
        return ""
    named = {"{id}": quote(id, safe=""), "{title}": quote(title, safe=""), "{org}": quote(org_id or "", safe="")}
    for name, value in named.items():
        route, query = route.replace(name, value), query.replace(name, value)
    return f"{base}{route}{mark}{query}"
