"""The pages and acts that the search finds by their names, next to the objects that the API finds."""

from collections.abc import Iterator
from dataclasses import dataclass

from console.navigation import PLATFORM, TENANT, Entry, may_enter
from console.texts import N_, gettext
from console.visit import Visit
from domain.common.access import Permission


@dataclass(frozen=True, slots=True)
class Place:
    """A page, or the form of an act; `words` are further words that it is found by."""

    label: str
    path: str
    need: Permission = Permission.READ
    words: str = ""


#: Pages that the navigation leads to by another page, and acts.
OF_TENANTS = (
    Place(N_("Hire an agent"), "/marketplace", Permission.AWARD, N_("contract job escrow")),
    Place(N_("Create agent"), "/agents/new", Permission.MANAGE_AGENTS),
    Place(N_("Create project"), "/projects/new", Permission.MANAGE_PROJECTS),
    Place(N_("Create budget"), "/budgets/new", Permission.MANAGE_SPENDING, N_("allowance pool")),
    Place(N_("Create limit"), "/limits/new", Permission.MANAGE_SPENDING, N_("ceiling cap")),
    Place(N_("Create department"), "/departments/new", Permission.MANAGE_SPENDING),
    Place(N_("Departments"), "/departments"),
    Place(N_("Add credits"), "/top-up", Permission.PAY, N_("buy pay")),
    Place(N_("Automatic top-up"), "/auto-top-up", Permission.PAY),
    Place(N_("Add payment method"), "/payment-methods/new", Permission.PAY, N_("card bank")),
    Place(N_("Create card"), "/cards/new", Permission.MANAGE_BILLING),
    Place(N_("Cards"), "/cards", Permission.READ_BILLING),
    Place(N_("Payment policies"), "/payment-policies"),
    Place(N_("Change plan"), "/billing/plans", Permission.READ_BILLING, N_("upgrade subscription")),
    Place(N_("Billing details"), "/settings/billing", Permission.READ_BILLING, N_("address tax VAT")),
    Place(N_("Request payout"), "/earnings/payouts/new", Permission.PAY_OUT),
    Place(N_("Convert earnings into credits"), "/earnings/conversions/new", Permission.CONVERT_EARNINGS),
    Place(N_("Create report"), "/reports/new", Permission.MANAGE_REPORTS),
    Place(N_("Reports"), "/reports", Permission.READ_BILLING),
    Place(N_("Exports"), "/exports", Permission.READ_BILLING, N_("download CSV")),
    Place(N_("Invite person"), "/people/new", Permission.MANAGE_KEYS, N_("colleague user")),
    Place(N_("Create API key"), "/settings/keys/new", Permission.MANAGE_KEYS, N_("token")),
    Place(N_("API keys"), "/settings/keys", Permission.READ, N_("token")),
    Place(N_("Create secret"), "/secrets/new", Permission.MANAGE_SECRETS),
    Place(N_("Secrets"), "/secrets"),
    Place(N_("Sessions"), "/settings/sessions"),
    Place(N_("Audit trail"), "/settings/audit", Permission.READ_AUDIT),
    Place(N_("Create alert rule"), "/alerts/settings/rules/new", Permission.MANAGE_ALERT_RULES),
    Place(N_("Create webhook endpoint"), "/alerts/settings/endpoints/new", Permission.MANAGE_WEBHOOKS),
    Place(N_("Webhook endpoints"), "/alerts/settings", Permission.READ_WEBHOOKS),
)
OF_THE_PLATFORM = (
    Place(N_("Create organization"), "/organizations/new", Permission.MANAGE_ORGANIZATIONS, N_("customer tenant")),
    Place(N_("Grant credits"), "/credits", Permission.GRANT_CREDITS),
    Place(N_("Create price rule"), "/pricing/new", Permission.OPERATE),
    Place(N_("Create invoice"), "/invoices/new", Permission.OPERATE),
    Place(N_("Create API key"), "/keys/new", Permission.MANAGE_KEYS, N_("token")),
    Place(N_("Create report"), "/reports/new", Permission.MANAGE_REPORTS),
    Place(N_("Reports"), "/reports", Permission.INSPECT),
    Place(N_("Exports"), "/exports", Permission.INSPECT, N_("download CSV")),
    Place(N_("Billing runs"), "/billing-runs", Permission.INSPECT),
)
OF_EVERYBODY = (
    Place(N_("Notifications"), "/console/notifications", Permission.BE_NOTIFIED),
    Place(N_("Preferences"), "/console/preferences", words=N_("language time zone theme dark")),
    Place(N_("Help"), "/console/help"),
)


def places(visit: Visit, text: str) -> tuple[tuple[str, str], ...]:
    """Return labels and addresses of pages and acts that hold each word of a text, those that begin with it first."""
    wanted = text.casefold().split()
    found = [
        (label, href)
        for label, words, href in _all(visit)
        if wanted and all(any(part.startswith(each) for part in words) for each in wanted)
    ]
    return tuple(sorted(dict.fromkeys(found), key=lambda each: not each[0].casefold().startswith(text.casefold())))


def _all(visit: Visit) -> Iterator[tuple[str, list[str], str]]:
    """Yield the label, the words and the address of each place that the reader may enter."""
    platform = visit.me.organization is None
    base = "/console/platform" if platform else visit.base
    entries: list[Entry | Place] = [
        each for _label, _icon, group in (PLATFORM if platform else TENANT) for each in group
    ]
    for place in (*entries, *(OF_THE_PLATFORM if platform else OF_TENANTS)):
        allowed = may_enter(visit.me, place, None) if isinstance(place, Entry) else visit.may(place.need)
        if allowed and visit.has_page(f"{base}{place.path}"):
            yield _written(place, f"{base}{place.path}")
    for place in OF_EVERYBODY:
        if visit.may(place.need):
            yield _written(place, place.path)


def _written(place: Entry | Place, href: str) -> tuple[str, list[str], str]:
    label = gettext(place.label)
    further = gettext(place.words) if isinstance(place, Place) and place.words else ""
    return label, f"{label} {further}".casefold().split(), href
