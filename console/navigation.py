"""The side navigation: every page that a role may read and that is there. An entry shows when its route exists."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from console.texts import N_, gettext
from console.who import Me
from domain.common.access import Permission

Exists = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Entry:
    """A page in the navigation.

    Attributes:
        label: its name.
        path: below `/console/{org}`, or below `/console/platform`.
        need: who does not have this permission does not see it.
        letter: `g` and this letter lead to it; empty for none.
        visits: what one of the platform's own roles needs for it on the pages of an organization.
        under: the paths of further pages that belong to it.
        words: further words that the search finds it by.
    """

    label: str
    path: str
    need: Permission = Permission.READ
    letter: str = ""
    visits: Permission = Permission.INSPECT
    under: tuple[str, ...] = ()
    words: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    href: str
    letter: str
    current: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A group of pages: the first of its links is its own page; the current group shows all of them."""

    label: str
    icon: str
    current: bool
    links: tuple[Link, ...]


#: Entries by the label and the icon of their group, in `icons.svg`.
Groups = Mapping[tuple[str, str], tuple[Entry, ...]]

TENANT: Groups = {
    (N_("Home"), "home"): (
        Entry(N_("Home"), "", letter="h"),
        Entry(N_("Alerts"), "/alerts", Permission.READ_BILLING, letter="a"),
        Entry(N_("Reviews"), "/reviews", Permission.READ_BILLING, words=N_("fraud check held blocked appeal")),
    ),
    (N_("Agents"), "agent"): (
        Entry(N_("Your agents"), "/agents", letter="n", visits=Permission.READ),
        Entry(N_("Find agents"), "/marketplace", letter="f", visits=Permission.READ),
        Entry(N_("Library"), "/library"),
        Entry(N_("Projects"), "/projects", letter="j"),
    ),
    (N_("Work"), "escrow"): (
        Entry(N_("Escrows"), "/escrows", letter="e", visits=Permission.READ),
        Entry(N_("Contracts"), "/contracts", letter="c", visits=Permission.READ),
    ),
    (N_("Spending"), "usage"): (
        Entry(N_("Usage"), "/usage", letter="u", under=("/economics",)),
        Entry(N_("Budgets"), "/budgets"),
        Entry(N_("Limits"), "/limits", letter="l", under=("/departments", "/declined")),
        Entry(N_("Purchases"), "/purchases", under=("/payment-policies", "/cards")),
    ),
    (N_("Credits"), "credits"): (
        Entry(N_("Activity"), "/transactions", Permission.READ_BILLING, letter="t"),
        Entry(N_("Top up"), "/top-up", Permission.PAY),
        Entry(N_("Payments"), "/payments", Permission.READ_BILLING, letter="p"),
        Entry(N_("Payment methods"), "/payment-methods", Permission.PAY, under=("/auto-top-up",)),
        Entry(N_("Chargebacks"), "/disputes", Permission.READ_BILLING),
    ),
    (N_("Billing"), "invoice"): (
        Entry(N_("Plan"), "/billing", Permission.READ_BILLING, letter="b"),
        Entry(N_("Invoices"), "/invoices", Permission.READ_BILLING, letter="i"),
    ),
    (N_("Earnings"), "earnings"): (Entry(N_("Earnings"), "/earnings"),),
    (N_("Analytics"), "report"): (
        Entry(N_("Analytics"), "/analytics", Permission.READ_BILLING, under=("/reports", "/exports")),
        Entry(N_("ROI"), "/returns", Permission.READ_BILLING, under=("/allocations",)),
    ),
    (N_("Settings"), "settings"): (
        Entry(N_("Settings"), "/settings", letter="s", visits=Permission.READ, under=("/secrets",)),
        Entry(N_("People"), "/people", Permission.READ_AUDIT),
    ),
}
PLATFORM: Groups = {
    (N_("Overview"), "home"): (
        Entry(N_("Overview"), "", Permission.INSPECT, letter="h"),
        Entry(N_("Alerts"), "/alerts", Permission.INSPECT, letter="a"),
        Entry(N_("Approvals"), "/approvals", Permission.INSPECT),
    ),
    (N_("Risk"), "lock"): (
        Entry(N_("Cases"), "/risk/cases", Permission.RISK_READ, letter="f", words=N_("fraud review")),
        Entry(N_("Risk decisions"), "/risk/decisions", Permission.RISK_READ, words=N_("fraud")),
        Entry(N_("Rules"), "/risk/rules", Permission.RISK_READ, words=N_("fraud")),
        Entry(N_("Lists"), "/risk/lists/block", Permission.RISK_READ, under=("/risk/lists",), words=N_("allow block")),
    ),
    (N_("Organizations"), "organization"): (
        Entry(N_("Organizations"), "/organizations", Permission.INSPECT, letter="o"),
        Entry(N_("Credits"), "/credits", Permission.INSPECT, letter="c"),
    ),
    (N_("Work"), "escrow"): (
        Entry(N_("Decisions"), "/decisions", Permission.ARBITRATE, letter="d"),
        Entry(N_("Deliveries"), "/deliveries", Permission.VALIDATE),
        Entry(N_("Escrows"), "/escrows", letter="e"),
    ),
    (N_("Pricing"), "price"): (
        Entry(N_("Pricing"), "/pricing", Permission.INSPECT),
        Entry(N_("Reputation"), "/reputation", Permission.INSPECT),
    ),
    (N_("Payments"), "card"): (
        Entry(N_("Payments"), "/payments", Permission.INSPECT, letter="p"),
        Entry(N_("Chargebacks"), "/disputes", Permission.INSPECT),
        Entry(N_("Invoices"), "/invoices", Permission.INSPECT, letter="i"),
    ),
    (N_("Books"), "book"): (
        Entry(N_("Books"), "/books", Permission.READ_BOOKS, letter="b"),
        Entry(N_("Reconciliation"), "/reconciliation", Permission.INSPECT, letter="r"),
    ),
    (N_("Analytics"), "report"): (
        Entry(N_("Analytics"), "/analytics", Permission.INSPECT, under=("/reports", "/exports")),
    ),
    (N_("Installation"), "webhook"): (
        Entry(N_("Webhooks"), "/webhooks", Permission.INSPECT, letter="w"),
        Entry(N_("Keys"), "/keys", Permission.READ_AUDIT, letter="k"),
        Entry(N_("Audit"), "/audit", Permission.READ_AUDIT),
    ),
}


def navigation(me: Me, org_id: str | None, path: str, exists: Exists) -> tuple[Group, ...]:
    """Return the groups of pages that the principal may read, with the present page marked."""
    base = "/console/platform" if org_id is None else f"/console/{org_id}"
    shown = []
    for (label, icon), entries in (PLATFORM if org_id is None else TENANT).items():
        readable = [entry for entry in entries if may_enter(me, entry, org_id) and exists(base + entry.path)]
        links = tuple(
            Link(gettext(entry.label), base + entry.path, entry.letter, _is_at(path, base, entry)) for entry in readable
        )
        if links:
            shown.append(Group(gettext(label), icon, any(each.current for each in links), links))
    return tuple(shown)


def may_enter(me: Me, entry: Entry, org_id: str | None) -> bool:
    """Return whether the principal may read a page, of an organization or of the platform."""
    return me.may(entry.need) and (org_id is None or not me.is_platform or me.may(entry.visits))


def start_of(me: Me, exists: Exists) -> str:
    """Return the principal's first page: home, or the first of the platform's that it may read."""
    if me.organization is not None:
        return f"/console/{me.organization.id}"
    groups = navigation(me, None, "", exists)
    return groups[0].links[0].href if groups else "/console/help"


def _is_at(path: str, base: str, entry: Entry) -> bool:
    wholes = [base + each for each in (entry.path, *entry.under) if each]
    return path.rstrip("/") in (wholes or [base]) or any(path.startswith(f"{whole}/") for whole in wholes)
