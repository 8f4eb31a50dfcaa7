"""Every page of the console, one line each: its address, and who may read it; test_pages.py renders each as each."""

import re
from dataclasses import dataclass

TENANTS = ("owner", "admin", "finance", "member", "auditor", "agent")
PLATFORM = ("operator", "arbiter", "validator", "accountant", "platform_auditor")
#: Who may begin and end payments.
PAYERS = ("owner", "admin", "finance", "member")
EVERYBODY = (*TENANTS, *PLATFORM)
#: Who reads organizations: accountants read the books.
AROUND = tuple(role for role in EVERYBODY if role != "accountant")
#: Who reads an organization's money: a key of an agent that was not made for it reads what is its agent's.
BILLED = ("owner", "admin", "finance", "member", "auditor", "operator", "platform_auditor")
MANAGERS = ("owner", "admin", "operator")
#: Who ends what an owner has begun.
OWNERS = ("owner", "operator")
#: Who reads keys and the audit trail.
TRUSTED = ("owner", "admin", "finance", "auditor", "operator", "platform_auditor")
OPERATORS = ("operator",)
#: Who reads what is of all organizations: only the first changes anything.
READERS = ("operator", "platform_auditor")
#: Who can be told anything: machines and auditors of the platform are not.
NOTIFIED = ("owner", "admin", "finance", "member", "auditor", "operator", "arbiter", "accountant")
#: Who decides on billing, and issues cards.
FUNDERS = ("owner", "admin", "finance")
#: Who makes reports and ends them.
MANAGERS_OF_REPORTS = ("owner", "admin", "finance", "operator")
#: Who reads webhook endpoints.
HOOKED = ("owner", "admin", "finance", "auditor", "operator", "platform_auditor")


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        path: `{org}` is the organization of the test, and `{seller}` the one that is paid; other names in braces are of
            their objects, made in conftest.py.
        roles: who may read it; everybody else gets 403 or 404, and is not offered it.
    """

    path: str
    roles: tuple[str, ...]

    @property
    def is_of_platform(self) -> bool:
        """Whether the page is one of the platform's, and not of an organization or of everybody."""
        return self.path.startswith("/console/platform")


#: Who may read what escrows there are: of the platform, whoever has to do with their work.
ESCROWS = (*TENANTS, *READERS, "arbiter", "validator")

PAGES = (
    Page("/console/help", EVERYBODY),
    Page("/console/platform", READERS),
    Page("/console/platform/alerts", READERS),
    Page("/console/platform/alerts?status=firing&q=x", READERS),
    Page("/console/platform/approvals", READERS),
    Page("/console/platform/audit", READERS),
    Page("/console/platform/audit?action=credits.grant", READERS),
    Page("/console/platform/books", (*READERS, "accountant")),
    Page("/console/platform/billing-runs", READERS),
    Page("/console/platform/billing-runs/{billing_run}", READERS),
    Page("/console/platform/books?start_date=2026-01-01&end_date=2026-03-31&currency=USD", (*READERS, "accountant")),
    Page("/console/platform/clearing/{provider}", READERS),
    Page("/console/platform/credits", READERS),
    Page("/console/platform/credits?organization_id={org}", READERS),
    Page("/console/platform/keys", READERS),
    Page("/console/platform/keys?active=true&role=owner", READERS),
    Page("/console/platform/keys/new", OPERATORS),
    Page("/console/platform/keys/{key}/revoke", OPERATORS),
    Page("/console/platform/organizations", READERS),
    Page("/console/platform/organizations?q=Tenant&status=active", READERS),
    Page("/console/platform/organizations/new", OPERATORS),
    Page("/console/platform/organizations/{organization}", READERS),
    Page("/console/platform/pricing", READERS),
    Page("/console/platform/pricing?type=bounds&ended=true", READERS),
    Page("/console/platform/pricing/new", OPERATORS),
    Page("/console/platform/pricing/new?type=volume", OPERATORS),
    Page("/console/platform/pricing/{rule}", READERS),
    Page("/console/platform/pricing/{rule}/change", OPERATORS),
    Page("/console/platform/pricing/{rule}/end", OPERATORS),
    Page("/console/platform/reconciliation", READERS),
    Page("/console/platform/reconciliation/differences/{difference}", READERS),
    Page("/console/platform/reconciliation/{run}", READERS),
    Page("/console/platform/reputation", READERS),
    Page("/console/platform/reputation?dimension=quality&period=90d&minimum_evidence=5&category=x", READERS),
    Page("/console/platform/reputation/{own_agent}", READERS),
    Page("/console/platform/reputation/events/{event}/void", OPERATORS),
    Page("/console/platform/webhooks", READERS),
    Page("/console/platform/webhooks?unhandled=true", READERS),
    Page("/console/notifications", NOTIFIED),
    Page("/console/notifications?unread=true", NOTIFIED),
    Page("/console/notifications/channels", NOTIFIED),
    Page("/console/notifications/channels/{own_channel}/remove", ("owner",)),
    Page("/console/notifications/preferences", NOTIFIED),
    Page("/console/preferences", EVERYBODY),
    Page("/console/search", EVERYBODY),
    Page("/console/search?q=Tenant", (*TENANTS, *READERS)),
    Page("/console/sign-out", EVERYBODY),
    Page("/console/{org}", (*TENANTS, *READERS)),
    Page("/console/{org}?side=earnings", (*TENANTS, *READERS)),
    Page("/console/{org}/escrows", ESCROWS),
    Page("/console/{org}/escrows?status=funded&currency=CREDIT&from=2026-01-01", ESCROWS),
    Page("/console/{org}/escrows/{escrow}", ESCROWS),
    Page("/console/{org}/escrows/{disputed}", ESCROWS),
    Page("/console/{org}/escrows/{settled}/feedback", ESCROWS),
    Page("/console/{org}/escrows/new?agent={own_agent}", ("owner", "admin", "member", "operator")),
    Page("/console/{org}/contracts", ESCROWS),
    Page("/console/{org}/contracts?status=accepted&q=Job", ESCROWS),
    Page("/console/{org}/contracts/{contract}", ESCROWS),
    Page("/console/platform/decisions", ("arbiter", "operator")),
    Page("/console/platform/deliveries", ("validator", "operator")),
    Page("/console/{org}/escrows/{opened}/fund", ("owner", "admin", "finance", "member")),
    Page("/console/{seller}/escrows/{funded}/deliver", ("agent", "owner", "admin", "member")),
    Page("/console/{org}/escrows/{escrow}/validate", ("operator", "validator")),
    Page("/console/{org}/escrows/{escrow}/approve", ("owner",)),
    Page("/console/{org}/escrows/{escrow}/dispute", ("owner", "admin", "finance", "member", "operator")),
    Page("/console/{org}/escrows/{disputed}/submit-evidence", ("owner", "admin", "finance", "member", "agent")),
    Page("/console/{org}/escrows/{disputed}/resolve", ("operator", "arbiter")),
    Page("/console/{seller}/escrows/{funded}/refund", ("owner", "admin", "finance")),
    Page("/console/{seller}/escrows/{funded}/cancel", ("agent", "owner", "admin", "finance", "operator")),
    Page("/console/platform/escrows", (*READERS, "arbiter", "validator")),
    Page("/console/platform/escrows/{escrow}", (*READERS, "arbiter", "validator")),
    Page("/console/platform/escrows/{escrow}/validate", ("validator", "operator")),
    Page("/console/platform/escrows/{escrow}/dispute", ("operator",)),
    Page("/console/platform/escrows/{disputed}/resolve", ("arbiter", "operator")),
    Page("/console/platform/escrows/{funded}/cancel", ("operator",)),
    Page("/console/{org}/agents", (*TENANTS, *READERS, "arbiter", "validator")),
    Page("/console/{org}/agents?q=Own&active=true&visibility=private", (*TENANTS, *READERS, "arbiter", "validator")),
    Page("/console/{org}/agents/new", ("owner", "admin", "member", "operator")),
    Page("/console/{org}/agents/{own_agent}", (*TENANTS, *READERS)),
    Page("/console/{org}/agents/{own_agent}/change", ("owner", "admin", "member", "operator")),
    Page("/console/{org}/agents/{own_agent}/offer", MANAGERS),
    Page("/console/{org}/agents/{own_agent}/picture", ("owner", "admin", "member", "operator")),
    Page("/console/{org}/agents/{own_agent}/retire", ("owner", "admin", "member", "operator")),
    Page("/console/{org}/agents/{own_agent}/reputation", (*TENANTS, *READERS, "arbiter", "validator")),
    Page("/console/{org}/earnings", (*TENANTS, *READERS)),
    Page("/console/{org}/earnings/conversions/new", ("owner", "admin", "finance")),
    Page("/console/{org}/earnings/payouts/new", ("owner", "finance")),
    Page("/console/{org}/billing", BILLED),
    Page("/console/{org}/billing/plans", BILLED),
    Page("/console/{org}/billing/plans?interval=year", BILLED),
    Page("/console/{org}/billing/change", ("owner", "admin", "finance")),
    Page("/console/{org}/billing/change?plan=starter&interval=month", ("owner", "admin", "finance")),
    # Nothing is subscribed to here, so there is nothing to cancel.
    Page("/console/{org}/billing/cancel", ()),
    Page("/console/{org}/billing/end", ()),
    Page("/console/{org}/billing/go", ()),
    Page("/console/{org}/billing/resume", ()),
    Page("/console/{org}/marketplace", ESCROWS),
    Page("/console/{org}/marketplace?q=reads&category=research&min_stars=4&sort=rating", ESCROWS),
    Page("/console/{org}/marketplace/offers", ESCROWS),
    Page("/console/{org}/marketplace/offers?text=reads&model=one_time&currency=CREDIT&min_stars=4", ESCROWS),
    Page("/console/{org}/marketplace/{offered}", ESCROWS),
    Page("/console/{org}/marketplace/{offered}/buy", ("owner", "admin", "member", "agent")),
    Page("/console/{org}/marketplace/{sold}/buy", PAYERS),
    Page("/console/{org}/library", (*TENANTS, *READERS)),
    Page("/console/{org}/library/{purchase}", (*TENANTS, *READERS)),
    Page("/console/{org}/library/{purchase}/refund", ("owner", "admin", "finance", "operator")),
    Page("/console/{org}/library/{purchase}/cancel", ("owner", "admin", "finance", "operator")),
    Page("/console/{org}/projects", (*TENANTS, *READERS)),
    Page("/console/{org}/projects?q=Tables&from=2026-01-01", (*TENANTS, *READERS)),
    Page("/console/{org}/projects/new", ("owner", "admin", "member")),
    Page("/console/{org}/projects/room", ("owner", "admin", "member")),
    Page("/console/{org}/projects/slots", PAYERS),
    Page("/console/{org}/projects/{project}/undeploy", ("owner", "admin", "member")),
    Page("/console/{org}/departments", (*TENANTS, *READERS)),
    Page("/console/{org}/departments?q=Research&open=true", (*TENANTS, *READERS)),
    Page("/console/{org}/departments/new", MANAGERS),
    Page("/console/{org}/departments/{department}/close", MANAGERS),
    Page("/console/{org}/settings/keys/{key}/spends-for", MANAGERS),
    Page("/console/{org}/secrets/new", ("owner", "admin")),
    Page("/console/{org}/secrets/grants", (*TENANTS, *READERS)),
    Page("/console/{org}/secrets/grants/new", ("owner", "admin")),
    Page("/console/{org}/secrets/grants/new?paths=api_keys/model", ("owner", "admin")),
    Page("/console/{org}/secrets/grants/{secret_grant}/revoke", ("owner", "admin")),
    Page("/console/{org}/secrets/{secret}", ("owner", "admin", "finance", "auditor", "agent")),
    Page("/console/{org}/secrets/{secret}/replace", ("owner", "admin")),
    Page("/console/{org}/secrets/{secret}/open", ("owner", "admin", "finance", "auditor", "agent")),
    Page("/console/{org}/secrets/{secret}/destroy?number=1", ("owner", "admin")),
    Page("/console/{org}/secrets/{secret}/rotate", ("owner", "admin")),
    Page("/console/{org}/secrets/{secret}/stop", ("owner", "admin")),
    Page("/console/{org}/secrets", (*TENANTS, *READERS)),
    Page("/console/{org}/secrets?q=model", (*TENANTS, *READERS)),
    Page("/console/{org}/people", TRUSTED),
    Page("/console/{org}/people?q=own&role=owner", TRUSTED),
    Page("/console/{org}/people/new", MANAGERS),
    Page("/console/{org}/people/{person}/revoke", MANAGERS),
    Page("/console/{org}/settings", AROUND),
    Page("/console/{org}/settings/billing", BILLED),
    Page("/console/{org}/settings/logo", MANAGERS),
    Page("/console/{org}/settings/keys", (*TENANTS, *READERS)),
    Page("/console/{org}/settings/keys?q=own&role=owner&active=true", (*TENANTS, *READERS)),
    Page("/console/{org}/settings/keys/new", MANAGERS),
    Page("/console/{org}/settings/keys/{key}/revoke", MANAGERS),
    Page("/console/{org}/settings/sessions", AROUND),
    # The owner's, which an admin does not end.
    Page("/console/{org}/settings/sessions/{session}/end", OWNERS),
    Page("/console/{org}/settings/links", MANAGERS),
    Page("/console/{org}/settings/links/new", MANAGERS),
    Page("/console/{org}/settings/links/{link}/end", MANAGERS),
    Page("/console/{org}/settings/audit", TRUSTED),
    Page("/console/{org}/settings/audit?action=api_key.create&from=2026-01-01", TRUSTED),
    Page("/console/{org}/disputes", BILLED),
    Page("/console/{org}/disputes/{chargeback}", BILLED),
    Page("/console/{org}/disputes/{chargeback}/evidence", ("owner", "admin", "finance", "operator")),
    Page("/console/{org}/invoices", BILLED),
    Page("/console/{org}/invoices?status=open&from=2026-01-01", BILLED),
    Page("/console/{org}/invoices/{invoice}", BILLED),
    Page("/console/{org}/invoices/{invoice}/pay", PAYERS),
    Page("/console/{org}/invoices/{invoice}/void", ("operator",)),
    Page("/console/{org}/payment-methods", PAYERS),
    # Stripe's own form is shown where a setting says so.
    Page("/console/{org}/payment-methods/new", ()),
    # It leads on to the list.
    Page("/console/{org}/payment-methods/return", ()),
    # Nothing is stored here, so there is nothing to remove.
    Page("/console/{org}/payment-methods/{payment}/remove", ()),
    Page("/console/{org}/auto-top-up", PAYERS),
    Page("/console/{org}/payments", BILLED),
    Page("/console/{org}/payments?status=succeeded,partially_refunded&provider=stripe", BILLED),
    Page("/console/{org}/payments/{payment}", BILLED),
    Page("/console/{org}/payments/{payment}/go", BILLED),
    Page("/console/{org}/payments/{payment}/return?status=success", BILLED),
    Page("/console/{org}/payments/{payment}/refund?amount=1.00", ("owner", "admin", "finance", "operator")),
    Page("/console/{org}/payments/{authorized}/capture", PAYERS),
    Page("/console/{org}/payments/{authorized}/cancel", PAYERS),
    Page("/console/{org}/payments/{authorized}/confirm", PAYERS),
    Page("/console/{org}/top-up", PAYERS),
    Page("/console/{org}/transactions", BILLED),
    Page("/console/{org}/transactions?category=credits&from=2026-01-01", BILLED),
    Page("/console/{org}/transactions/entries", BILLED),
    Page("/console/{org}/transactions/entries?q=grant&from=2026-01-01", BILLED),
    Page("/console/{org}/transactions/{transfer}", BILLED),
    Page("/console/{org}/analytics", BILLED),
    Page("/console/{org}/analytics?period=365&compare=last_year", BILLED),
    Page("/console/{org}/analytics/earnings", BILLED),
    Page("/console/{org}/analytics/peers", BILLED),
    Page("/console/{org}/allocations/set?project={project}", ("owner", "admin")),
    Page("/console/{org}/allocations/{allocation}", BILLED),
    Page("/console/{org}/allocations", BILLED),
    Page("/console/{org}/allocations?status=proposed", BILLED),
    Page("/console/{org}/allocations/set", ("owner", "admin")),
    Page("/console/{org}/reports", BILLED),
    Page("/console/{org}/reports/new", MANAGERS_OF_REPORTS),
    Page("/console/{org}/reports/{report}", BILLED),
    Page("/console/{org}/reports/{report}/delete", MANAGERS_OF_REPORTS),
    Page("/console/{org}/exports", BILLED),
    Page("/console/{org}/exports/{export}", BILLED),
    Page("/console/platform/analytics", READERS),
    Page("/console/platform/analytics?period=90&compare=none", READERS),
    Page("/console/platform/reports", READERS),
    Page("/console/platform/reports/new", OPERATORS),
    Page("/console/platform/reports/{report}", READERS),
    Page("/console/platform/reports/{report}/delete", OPERATORS),
    Page("/console/platform/exports", READERS),
    Page("/console/platform/exports/{export}", READERS),
    Page("/console/{org}/alerts", BILLED),
    Page("/console/{org}/alerts?status=resolved&q=x", BILLED),
    Page("/console/{org}/alerts/settings/endpoints", HOOKED),
    Page("/console/{org}/alerts/settings/rules", BILLED),
    Page("/console/{org}/alerts/settings/rules/new", ("owner", "admin", "finance", "operator")),
    Page("/console/{org}/alerts/settings/rules/{alert_rule}", BILLED),
    Page("/console/{org}/alerts/settings/rules/{alert_rule}/delete", ("owner", "admin", "finance", "operator")),
    Page("/console/{org}/alerts/settings/endpoints/new", ("owner", "admin")),
    Page("/console/{org}/alerts/settings/endpoints/{endpoint}", HOOKED),
    Page("/console/{org}/alerts/settings/endpoints/{endpoint}?status=failed", HOOKED),
    Page("/console/{org}/alerts/settings/endpoints/{endpoint}/rotate", ("owner", "admin")),
    Page("/console/{org}/alerts/settings/endpoints/{endpoint}/delete", ("owner", "admin")),
    Page("/console/{org}/usage", (*TENANTS, *READERS)),
    Page("/console/{org}/usage?month=2026-01&by=agent", (*TENANTS, *READERS)),
    Page("/console/{org}/usage?action=generate_content&status=charged", (*TENANTS, *READERS)),
    Page("/console/{org}/usage/runs", (*TENANTS, *READERS)),
    Page("/console/{org}/usage/log", (*TENANTS, *READERS)),
    Page("/console/{org}/usage/log?model=gpt-4o&from=2026-01-01", (*TENANTS, *READERS)),
    Page("/console/{org}/economics", (*TENANTS, *READERS)),
    Page("/console/{org}/economics?transaction_type=use&status=succeeded&from=2026-01-01", (*TENANTS, *READERS)),
    Page("/console/{org}/economics/models", BILLED),
    Page("/console/{org}/economics/models?period=7&by=model,task_kind&a=gpt-4o&b=gpt-5&value=0.50", BILLED),
    Page("/console/{org}/economics/routing", (*TENANTS, *READERS)),
    Page("/console/{org}/usage/{use}", (*TENANTS, *READERS)),
    Page("/console/{org}/purchases", (*TENANTS, *READERS)),
    Page("/console/{org}/purchases?status=purchased&q=x", (*TENANTS, *READERS)),
    Page("/console/{org}/purchases/{purchase_order}", (*TENANTS, *READERS)),
    Page("/console/{org}/cards", (*TENANTS, *READERS)),
    Page("/console/{org}/cards?status=active&q=x", (*TENANTS, *READERS)),
    Page("/console/{org}/cards/{card}", (*TENANTS, *READERS)),
    Page("/console/{org}/cards/new", FUNDERS),
    Page("/console/{org}/cards/{card}/close", FUNDERS),
    # Where Stripe's form is not set up, its number cannot be shown.
    Page("/console/{org}/cards/{card}/number", ()),
    Page("/console/{org}/returns/revenue/{revenue}", BILLED),
    Page("/console/{org}/returns", BILLED),
    Page("/console/{org}/returns?scope=project&period=30&currency=CREDIT", BILLED),
    Page("/console/{org}/returns/revenue", BILLED),
    Page("/console/{org}/returns/revenue?status=reported", BILLED),
    Page("/console/{org}/returns/revenue/report", ("owner", "admin", "member")),
    Page("/console/{org}/budgets", (*TENANTS, *READERS)),
    Page("/console/{org}/budgets?open=false&subject_type=agent", (*TENANTS, *READERS)),
    Page("/console/{org}/budgets/new", MANAGERS),
    Page("/console/{org}/budgets/new?subject=run", MANAGERS),
    Page("/console/{org}/budgets/{budget}", (*BILLED, "agent")),
    Page("/console/{org}/budgets/{budget}/change", MANAGERS),
    Page("/console/{org}/budgets/{budget}/freeze", MANAGERS),
    Page("/console/{org}/budgets/{budget}/close", MANAGERS),
    Page("/console/{org}/budgets/{budget}/move", ("owner", "admin", "finance")),
    Page("/console/{org}/budgets/{budget}/emergency", ("owner", "admin", "finance")),
    Page("/console/{org}/limits", (*TENANTS, *READERS)),
    Page("/console/{org}/limits?open=false&subject_type=agent", (*TENANTS, *READERS)),
    Page("/console/{org}/declined", (*TENANTS, *READERS)),
    Page("/console/{org}/limits/new", MANAGERS),
    Page("/console/{org}/limits/new?subject=key", MANAGERS),
    Page("/console/{org}/limits/new?subject=run", MANAGERS),
    Page("/console/{org}/limits/{control}", BILLED),
    Page("/console/{org}/limits/{control}/change", MANAGERS),
    Page("/console/{org}/limits/{control}/freeze", MANAGERS),
    Page("/console/{org}/limits/{control}/close", MANAGERS),
    Page("/console/{org}/payment-policies/new", MANAGERS),
    Page("/console/{org}/payment-policies/{policy}/change", MANAGERS),
    Page("/console/{org}/payment-policies/{policy}/delete", MANAGERS),
    Page("/console/{org}/payment-policies", BILLED),
    Page("/console/{org}/payment-policies/free-options/new", MANAGERS),
    Page("/console/{org}/payment-policies/free-options/{option}/change", MANAGERS),
    Page("/console/{org}/payment-policies/free-options/{option}/remove", MANAGERS),
    Page("/console/{org}/payment-policies/free-options", BILLED),
    Page("/console/{org}/payment-policies/methods/new", MANAGERS),
    Page("/console/{org}/payment-policies/methods/{method}/change", MANAGERS),
    Page("/console/{org}/payment-policies/methods/{method}/remove", MANAGERS),
    Page("/console/{org}/payment-policies/methods", BILLED),
    Page("/console/platform/disputes", READERS),
    Page("/console/platform/disputes/{chargeback}", READERS),
    Page("/console/platform/disputes/{chargeback}/evidence", ("operator",)),
    Page("/console/platform/invoices", READERS),
    Page("/console/platform/invoices/new", OPERATORS),
    Page("/console/platform/invoices/{draft}/finalize", OPERATORS),
    Page("/console/platform/invoices/{draft}/discard", OPERATORS),
    Page("/console/platform/invoices/{invoice}", READERS),
    Page("/console/platform/invoices/{invoice}/void", ("operator",)),
    Page("/console/platform/payments", READERS),
    Page("/console/platform/payments/{payment}", READERS),
    Page("/console/platform/payments/{payment}/refund", ("operator",)),
    # No refund's outcome is unknown here, so none is given up.
    Page("/console/platform/payments/{payment}/give-up-refund", ()),
)

#: What nobody may read there has nothing to look at.
READABLE = [page for page in PAGES if page.roles]

#: What each of the pages left out of `SHOWN` has in common with one that is in it.
ALIKE = (
    # A list that was filtered; what is shown after a choice alone is another page.
    r".*\?(?!(q=Tenant$|side=|agent=|amount|interval|plan|status=success|organization_id|type=volume)).*",
    # The platform's page of what an organization's page shows.
    r"/console/platform/(escrows|disputes|payments|reports|exports)\b.*|/console/platform/invoices(?!/new).*",
    # One question and its button.
    r".*/(end|remove|retire|cancel|undeploy|revoke|delete|close)|.*endpoints/.*/rotate|.*library/.*/refund",
    r".*escrows/.*/(validate|approve|dispute|refund)|.*invoices/.*/void|.*payments/.*/capture",
)
#: What a browser shows: of pages that are alike one, and of every template one, as test_pages.py makes sure.
SHOWN = [page for page in READABLE if not any(re.fullmatch(each, page.path) for each in ALIKE)]
