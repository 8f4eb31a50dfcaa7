"""The pages and acts that the search finds by their names, next to the objects that the API finds."""

from collections.abc import Iterator

from console.navigation import PLATFORM, TENANT, Entry, may_enter
from console.texts import N_, gettext
from console.visit import Visit
from domain.common.access import Permission

#: Pages that the navigation leads to by another page, and acts.
OF_TENANTS = (
    Entry(N_("Hire an agent"), "/marketplace", Permission.AWARD, words=N_("contract job escrow")),
    Entry(N_("Create agent"), "/agents/new", Permission.MANAGE_AGENTS),
    Entry(N_("Create project"), "/projects/new", Permission.MANAGE_PROJECTS),
    Entry(N_("Create budget"), "/budgets/new", Permission.MANAGE_SPENDING, words=N_("allowance pool")),
    Entry(N_("Create limit"), "/limits/new", Permission.MANAGE_SPENDING, words=N_("ceiling cap")),
    Entry(N_("Create department"), "/departments/new", Permission.MANAGE_SPENDING),
    Entry(N_("Departments"), "/departments"),
    Entry(N_("Add credits"), "/top-up", Permission.PAY, words=N_("buy pay")),
    Entry(N_("Automatic top-up"), "/auto-top-up", Permission.PAY),
    Entry(N_("Add payment method"), "/payment-methods", Permission.PAY, words=N_("card bank")),
    Entry(N_("Create card"), "/cards/new", Permission.MANAGE_BILLING),
    Entry(N_("Cards"), "/cards", Permission.READ_BILLING),
    Entry(N_("Payment policies"), "/payment-policies", Permission.READ_BILLING),
    Entry(N_("Change plan"), "/billing/plans", Permission.READ_BILLING, words=N_("upgrade subscription")),
    Entry(N_("Billing details"), "/settings/billing", Permission.READ_BILLING, words=N_("address tax VAT")),
    Entry(N_("Request payout"), "/earnings/payouts/new", Permission.PAY_OUT),
    Entry(N_("Convert earnings into credits"), "/earnings/conversions/new", Permission.CONVERT_EARNINGS),
    Entry(N_("Create report"), "/reports/new", Permission.MANAGE_REPORTS),
    Entry(N_("Reports"), "/reports", Permission.READ_BILLING),
    Entry(N_("Exports"), "/exports", Permission.READ_BILLING, words=N_("download CSV")),
    Entry(N_("Invite person"), "/people/new", Permission.MANAGE_KEYS, words=N_("colleague user")),
    Entry(N_("Create API key"), "/settings/keys/new", Permission.MANAGE_KEYS, words=N_("token")),
    Entry(N_("API keys"), "/settings/keys", words=N_("token")),
    Entry(N_("Create secret"), "/secrets/new", Permission.MANAGE_SECRETS),
    Entry(N_("Secrets"), "/secrets"),
    Entry(N_("Sessions"), "/settings/sessions"),
    Entry(N_("Audit trail"), "/settings/audit", Permission.READ_AUDIT),
    Entry(N_("Create alert rule"), "/alerts/settings/rules/new", Permission.MANAGE_ALERT_RULES),
    Entry(N_("Create webhook endpoint"), "/alerts/settings/endpoints/new", Permission.MANAGE_WEBHOOKS),
    Entry(N_("Webhook endpoints"), "/alerts/settings/endpoints", Permission.READ_WEBHOOKS),
)
OF_THE_PLATFORM = (
    Entry(
        N_("Create organization"), "/organizations/new", Permission.MANAGE_ORGANIZATIONS, words=N_("customer tenant")
    ),
    Entry(N_("Grant credits"), "/credits", Permission.GRANT_CREDITS),
    Entry(N_("Create risk rule"), "/risk/rules/new", Permission.RISK_RULES, words=N_("fraud")),
    Entry(N_("Allow list"), "/risk/lists/allow", Permission.RISK_READ),
    Entry(N_("Block list"), "/risk/lists/block", Permission.RISK_READ),
    Entry(N_("Create price rule"), "/pricing/new", Permission.OPERATE),
    Entry(N_("Create invoice"), "/invoices/new", Permission.OPERATE),
    Entry(N_("Create API key"), "/keys/new", Permission.MANAGE_KEYS, words=N_("token")),
    Entry(N_("Create report"), "/reports/new", Permission.MANAGE_REPORTS),
    Entry(N_("Reports"), "/reports", Permission.INSPECT),
    Entry(N_("Exports"), "/exports", Permission.INSPECT, words=N_("download CSV")),
    Entry(N_("Billing runs"), "/billing-runs", Permission.INSPECT),
)
OF_EVERYBODY = (
    Entry(N_("Notifications"), "/notifications", Permission.BE_NOTIFIED),
    Entry(N_("Preferences"), "/preferences", words=N_("language time zone theme dark")),
    Entry(N_("Help"), "/help"),
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
    is_platform = visit.me.organization is None
    base = "/console/platform" if is_platform else visit.base
    entries = [each for group in (PLATFORM if is_platform else TENANT).values() for each in group]
    found = [(each, base) for each in (*entries, *(OF_THE_PLATFORM if is_platform else OF_TENANTS))]
    for place, above in (*found, *((each, "/console") for each in OF_EVERYBODY)):
        if may_enter(visit.me, place, None) and visit.has_page(above + place.path):
            label = gettext(place.label)
            yield label, f"{label} {gettext(place.words)}".casefold().split(), above + place.path
