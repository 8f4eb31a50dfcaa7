"""The side navigation: every page that a role may read and that is there. An entry shows when its route exists."""

from collections.abc import Callable
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
    """A group of pages: the first of its links is its own page; the current group shows all of them."""

    label: str
    icon: str
    current: bool
    links: tuple[Link, ...]


Groups = tuple[tuple[str, str, tuple[Entry, ...]], ...]

TENANT: Groups = (
    (
        N_("Home"),
        "home",
        (
            Entry(N_("Home"), "", "home", letter="h"),
            Entry(N_("Alerts"), "/alerts", "bell", Permission.READ_BILLING, letter="a"),
        ),
    ),
    (
        N_("Agents"),
        "agent",
        (
            Entry(N_("Your agents"), "/agents", "agent", letter="n", visits=Permission.READ),
            Entry(N_("Find agents"), "/marketplace", "market", letter="f", visits=Permission.READ),
            Entry(N_("Library"), "/library", "library"),
            Entry(N_("Projects"), "/projects", "project", letter="j"),
        ),
    ),
    (
        N_("Work"),
        "escrow",
        (
            Entry(N_("Escrows"), "/escrows", "escrow", letter="e", visits=Permission.READ),
            Entry(N_("Contracts"), "/contracts", "contract", letter="c", visits=Permission.READ),
        ),
    ),
    (
        N_("Spending"),
        "usage",
        (
            Entry(N_("Usage"), "/usage", "usage", letter="u", under=("/economics",)),
            Entry(N_("Budgets"), "/budgets", "scale"),
            Entry(N_("Limits"), "/limits", "limit", letter="l", under=("/departments", "/declined")),
            Entry(N_("Purchases"), "/purchases", "card", under=("/payment-policies", "/cards")),
        ),
    ),
    (
        N_("Credits"),
        "credits",
        (
            Entry(N_("Activity"), "/transactions", "list", Permission.READ_BILLING, letter="t"),
            Entry(N_("Top up"), "/top-up", "plus", Permission.PAY),
            Entry(N_("Payments"), "/payments", "card", Permission.READ_BILLING, letter="p"),
            Entry(N_("Payment methods"), "/payment-methods", "wallet", Permission.PAY, under=("/auto-top-up",)),
            Entry(N_("Chargebacks"), "/disputes", "dispute", Permission.READ_BILLING),
        ),
    ),
    (
        N_("Billing"),
        "invoice",
        (
            Entry(N_("Plan"), "/billing", "plan", Permission.READ_BILLING, letter="b"),
            Entry(N_("Invoices"), "/invoices", "invoice", Permission.READ_BILLING, letter="i"),
        ),
    ),
    (N_("Earnings"), "earnings", (Entry(N_("Earnings"), "/earnings", "earnings"),)),
    (
        N_("Analytics"),
        "report",
        (
            Entry(N_("Analytics"), "/analytics", "report", Permission.READ_BILLING, under=("/reports", "/exports")),
            Entry(N_("ROI"), "/returns", "earnings", Permission.READ_BILLING, under=("/allocations",)),
        ),
    ),
    (
        N_("Settings"),
        "settings",
        (
            Entry(N_("Settings"), "/settings", "settings", letter="s", visits=Permission.READ, under=("/secrets",)),
            Entry(N_("People"), "/people", "user", Permission.READ_AUDIT),
        ),
    ),
)

PLATFORM: Groups = (
    (
        N_("Overview"),
        "home",
        (
            Entry(N_("Overview"), "", "home", Permission.INSPECT, letter="h"),
            Entry(N_("Alerts"), "/alerts", "bell", Permission.INSPECT, letter="a"),
            Entry(N_("Approvals"), "/approvals", "check", Permission.INSPECT),
        ),
    ),
    (
        N_("Organizations"),
        "organization",
        (
            Entry(N_("Organizations"), "/organizations", "organization", Permission.INSPECT, letter="o"),
            Entry(N_("Credits"), "/credits", "credits", Permission.INSPECT, letter="c"),
        ),
    ),
    (
        N_("Work"),
        "escrow",
        (
            Entry(N_("Decisions"), "/decisions", "dispute", Permission.ARBITRATE, letter="d"),
            Entry(N_("Deliveries"), "/deliveries", "delivery", Permission.VALIDATE),
            Entry(N_("Escrows"), "/escrows", "escrow", letter="e"),
        ),
    ),
    (
        N_("Pricing"),
        "price",
        (
            Entry(N_("Pricing"), "/pricing", "price", Permission.INSPECT),
            Entry(N_("Reputation"), "/reputation", "star", Permission.INSPECT),
        ),
    ),
    (
        N_("Payments"),
        "card",
        (
            Entry(N_("Payments"), "/payments", "card", Permission.INSPECT, letter="p"),
            Entry(N_("Chargebacks"), "/disputes", "dispute", Permission.INSPECT),
            Entry(N_("Invoices"), "/invoices", "invoice", Permission.INSPECT, letter="i"),
        ),
    ),
    (
        N_("Books"),
        "book",
        (
            Entry(N_("Books"), "/books", "book", Permission.READ_BOOKS, letter="b"),
            Entry(N_("Reconciliation"), "/reconciliation", "scale", Permission.INSPECT, letter="r"),
        ),
    ),
    (
        N_("Analytics"),
        "report",
        (Entry(N_("Analytics"), "/analytics", "report", Permission.INSPECT, under=("/reports", "/exports")),),
    ),
    (
        N_("Installation"),
        "webhook",
        (
            Entry(N_("Webhooks"), "/webhooks", "webhook", Permission.INSPECT, letter="w"),
            Entry(N_("Keys"), "/keys", "key", Permission.READ_AUDIT, letter="k"),
            Entry(N_("Audit"), "/audit", "list", Permission.READ_AUDIT),
        ),
    ),
)


def navigation(me: Me, org_id: str | None, path: str, exists: Exists) -> tuple[Group, ...]:
    """Return the groups of pages that the principal may read, with the present page marked."""
    base = "/console/platform" if org_id is None else f"/console/{org_id}"
    shown = []
    for label, icon, entries in PLATFORM if org_id is None else TENANT:
        readable = [entry for entry in entries if may_enter(me, entry, org_id) and exists(base + entry.path)]
        links = tuple(
            Link(gettext(entry.label), base + entry.path, entry.icon, entry.letter, _is_at(path, base, entry))
            for entry in readable
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
