"""The side navigation: every page that a role may read and that is there. An entry shows when its route exists."""

from collections.abc import Callable
from dataclasses import dataclass

from console.who import Me
from domain.common.access import Permission

Exists = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Entry:
    """A page in the navigation.

    Attributes:
        label: its name.
        path: below `/console/{org}`, or below `/console/platform`.
        icon: in `icons.svg`.
        need: who does not have this permission does not see it.
        letter: `g` and this letter lead to it; empty for none.
        visits: what one of the platform's own roles needs for it on the pages of an organization.
        under: the paths of further pages that belong to it.
    """

    label: str
    path: str
    icon: str
    need: Permission = Permission.READ
    letter: str = ""
    visits: Permission = Permission.INSPECT
    under: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Link:
    label: str
    href: str
    icon: str
    letter: str
    current: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Entries under a heading; the first group has none."""

    label: str
    links: tuple[Link, ...]


Groups = tuple[tuple[str, tuple[Entry, ...]], ...]

TENANT: Groups = (
    (
        "",
        (
            Entry("Home", "", "home", letter="h"),
            Entry("Top up", "/top-up", "plus", Permission.PAY),
            Entry("Alerts", "/alerts", "bell", Permission.READ_BILLING, letter="a"),
        ),
    ),
    (
        "Work",
        (
            Entry("Escrows", "/escrows", "escrow", letter="e", visits=Permission.READ),
            Entry("Contracts", "/contracts", "contract", letter="c", visits=Permission.READ),
            Entry("Find agents", "/marketplace", "market", letter="f", visits=Permission.READ),
            Entry("Your agents", "/agents", "agent", letter="n", visits=Permission.READ),
            Entry("Earnings", "/earnings", "earnings"),
            Entry("Projects", "/projects", "project", letter="j"),
            Entry("Library", "/library", "library"),
        ),
    ),
    (
        "Money",
        (
            Entry("Activity", "/transactions", "list", Permission.READ_BILLING, letter="t"),
            Entry("Payments", "/payments", "card", Permission.READ_BILLING, letter="p"),
            Entry("Payment methods", "/payment-methods", "wallet", Permission.PAY, under=("/auto-top-up",)),
            Entry("Invoices", "/invoices", "invoice", Permission.READ_BILLING, letter="i"),
            Entry("Chargebacks", "/disputes", "dispute", Permission.READ_BILLING),
            Entry("Billing", "/billing", "plan", Permission.READ_BILLING, letter="b"),
            Entry("Usage", "/usage", "usage", letter="u", under=("/economics",)),
            Entry("Budgets", "/budgets", "scale"),
            Entry("Limits", "/limits", "limit", letter="l"),
            Entry("Purchases", "/purchases", "card", under=("/payment-policies", "/cards")),
            Entry("ROI", "/returns", "earnings", Permission.READ_BILLING, under=("/allocations",)),
            Entry("Analytics", "/analytics", "report", Permission.READ_BILLING, under=("/reports", "/exports")),
        ),
    ),
    (
        "Account",
        (
            Entry("People", "/people", "user", Permission.READ_AUDIT),
            Entry("Settings", "/settings", "settings", letter="s", visits=Permission.READ, under=("/secrets",)),
        ),
    ),
)

PLATFORM: Groups = (
    (
        "",
        (
            Entry("Overview", "", "home", Permission.INSPECT, letter="h"),
            Entry("Organizations", "/organizations", "organization", Permission.INSPECT, letter="o"),
            Entry("Alerts", "/alerts", "bell", Permission.INSPECT, letter="a"),
            Entry("Approvals", "/approvals", "check", Permission.INSPECT),
        ),
    ),
    (
        "Work",
        (
            Entry("Decisions", "/decisions", "dispute", Permission.ARBITRATE, letter="d"),
            Entry("Deliveries", "/deliveries", "delivery", Permission.VALIDATE),
            Entry("Escrows", "/escrows", "escrow", letter="e"),
            Entry("Pricing", "/pricing", "price", Permission.INSPECT),
            Entry("Reputation", "/reputation", "star", Permission.INSPECT),
        ),
    ),
    (
        "Money",
        (
            Entry("Credits", "/credits", "credits", Permission.INSPECT, letter="c"),
            Entry("Payments", "/payments", "card", Permission.INSPECT, letter="p"),
            Entry("Chargebacks", "/disputes", "dispute", Permission.INSPECT),
            Entry("Invoices", "/invoices", "invoice", Permission.INSPECT, letter="i"),
            Entry("Reconciliation", "/reconciliation", "scale", Permission.INSPECT, letter="r"),
            Entry("Books", "/books", "book", Permission.READ_BOOKS, letter="b"),
            Entry("Analytics", "/analytics", "report", Permission.INSPECT, under=("/reports", "/exports")),
        ),
    ),
    (
        "Installation",
        (
            Entry("Webhooks", "/webhooks", "webhook", Permission.INSPECT, letter="w"),
            Entry("Keys", "/keys", "key", Permission.READ_AUDIT, letter="k"),
            Entry("Audit", "/audit", "list", Permission.READ_AUDIT),
        ),
    ),
)


def navigation(me: Me, org_id: str | None, path: str, exists: Exists) -> tuple[Group, ...]:
    """Return the groups of pages that the principal may read, with the present page marked."""
    base = "/console/platform" if org_id is None else f"/console/{org_id}"
    shown = []
    for label, entries in PLATFORM if org_id is None else TENANT:
        readable = [entry for entry in entries if _may(me, entry, org_id) and exists(base + entry.path)]
        links = tuple(
            Link(entry.label, base + entry.path, entry.icon, entry.letter, _is_at(path, base, entry))
            for entry in readable
        )
        if links:
            shown.append(Group(label, links))
    return tuple(shown)


def _may(me: Me, entry: Entry, org_id: str | None) -> bool:
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
