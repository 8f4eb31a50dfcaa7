"""Every page of the console, one line each: its address, and who may read it; test_pages.py renders each as each."""

from dataclasses import dataclass

TENANTS = ("owner", "admin", "finance", "member", "auditor", "agent")
PLATFORM = ("operator", "arbiter", "validator", "accountant")
#: Who may begin and end payments.
PAYERS = ("owner", "admin", "finance", "member")
EVERYBODY = (*TENANTS, *PLATFORM)
MANAGERS = ("owner", "admin", "operator")
#: Who reads keys and the audit trail.
TRUSTED = ("owner", "admin", "finance", "auditor", "operator")
OPERATORS = ("operator",)
#: Who reads webhook endpoints.
HOOKED = ("owner", "admin", "finance", "auditor", "operator")


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


#: Who may read what escrows there are: of the platform, whoever has to do with their work.
ESCROWS = (*TENANTS, "operator", "arbiter", "validator")

PAGES = (
    Page("/console/help", EVERYBODY),
    Page("/console/platform", OPERATORS),
    Page("/console/platform/alerts", OPERATORS),
    Page("/console/platform/alerts?status=firing&q=x", OPERATORS),
    Page("/console/platform/approvals", OPERATORS),
    Page("/console/platform/audit", OPERATORS),
    Page("/console/platform/audit?action=credits.grant", OPERATORS),
    Page("/console/platform/books", ("operator", "accountant")),
    Page("/console/platform/books?start_date=2026-01-01&end_date=2026-03-31&currency=USD", ("operator", "accountant")),
    Page("/console/platform/clearing/{provider}", OPERATORS),
    Page("/console/platform/credits", OPERATORS),
    Page("/console/platform/credits?organization_id={org}", OPERATORS),
    Page("/console/platform/keys", OPERATORS),
    Page("/console/platform/keys?active=true&role=owner", OPERATORS),
    Page("/console/platform/keys/new", OPERATORS),
    Page("/console/platform/organizations", OPERATORS),
    Page("/console/platform/organizations?q=Tenant&status=active", OPERATORS),
    Page("/console/platform/organizations/new", OPERATORS),
    Page("/console/platform/organizations/{organization}", OPERATORS),
    Page("/console/platform/pricing", OPERATORS),
    Page("/console/platform/pricing?type=bounds&ended=true", OPERATORS),
    Page("/console/platform/pricing/new", OPERATORS),
    Page("/console/platform/pricing/new?type=volume", OPERATORS),
    Page("/console/platform/pricing/{rule}", OPERATORS),
    Page("/console/platform/pricing/{rule}/change", OPERATORS),
    Page("/console/platform/pricing/{rule}/end", OPERATORS),
    Page("/console/platform/reconciliation", OPERATORS),
    Page("/console/platform/reconciliation/differences/{difference}", OPERATORS),
    Page("/console/platform/reconciliation/{run}", OPERATORS),
    Page("/console/platform/webhooks", OPERATORS),
    Page("/console/platform/webhooks?unhandled=true", OPERATORS),
    Page("/console/preferences", EVERYBODY),
    Page("/console/search", EVERYBODY),
    Page("/console/search?q=Tenant", (*TENANTS, "operator")),
    Page("/console/sign-out", EVERYBODY),
    Page("/console/{org}", (*TENANTS, "operator")),
    Page("/console/{org}/escrows", ESCROWS),
    Page("/console/{org}/escrows?status=funded&currency=CREDIT&from=2026-01-01", ESCROWS),
    Page("/console/{org}/escrows/{escrow}", ESCROWS),
    Page("/console/{org}/escrows/{disputed}", ESCROWS),
    Page("/console/{org}/escrows/new", ("owner", "admin", "member", "operator")),
    Page("/console/{org}/contracts", ESCROWS),
    Page("/console/{org}/contracts?status=accepted&q=Job", ESCROWS),
    Page("/console/{org}/contracts/{contract}", ESCROWS),
    Page("/console/platform/decisions", ("arbiter", "operator")),
    Page("/console/platform/deliveries", ("validator", "operator")),
    Page("/console/{org}/escrows/{opened}/fund", ("owner", "admin", "finance", "member")),
    Page("/console/{seller}/escrows/{funded}/deliver", ("agent", "owner", "admin", "member")),
    Page("/console/{org}/escrows/{escrow}/validate", ("operator", "validator")),
    Page("/console/{org}/escrows/{escrow}/approve", ("owner",)),
    Page("/console/{org}/escrows/{escrow}/dispute", ("owner", "admin", "finance", "member", "agent", "operator")),
    Page("/console/{org}/escrows/{disputed}/submit-evidence", ("owner", "admin", "finance", "member", "agent")),
    Page("/console/{org}/escrows/{disputed}/resolve", ("operator", "arbiter")),
    Page("/console/{seller}/escrows/{funded}/refund", ("agent", "owner", "admin", "finance")),
    Page("/console/{seller}/escrows/{funded}/cancel", ("agent", "owner", "admin", "finance", "operator")),
    Page("/console/platform/escrows", ("operator", "arbiter", "validator")),
    Page("/console/platform/escrows/{escrow}", ("operator", "arbiter", "validator")),
    Page("/console/platform/escrows/{escrow}/validate", ("validator", "operator")),
    Page("/console/platform/escrows/{escrow}/dispute", ("operator",)),
    Page("/console/platform/escrows/{disputed}/resolve", ("arbiter", "operator")),
    Page("/console/platform/escrows/{funded}/cancel", ("operator",)),
    Page("/console/{org}/agents", (*TENANTS, "operator", "arbiter", "validator")),
    Page("/console/{org}/agents?q=Own&active=true&visibility=private", (*TENANTS, "operator", "arbiter", "validator")),
    Page("/console/{org}/agents/new", ("owner", "admin", "member", "operator")),
    Page("/console/{org}/agents/{own_agent}", (*TENANTS, "operator")),
    Page("/console/{org}/agents/{own_agent}/retire", ("owner", "admin", "member", "operator")),
    Page("/console/{org}/agents/{own_agent}/reputation", (*TENANTS, "operator", "arbiter", "validator")),
    Page("/console/{org}/earnings", (*TENANTS, "operator")),
    Page("/console/{org}/earnings/payouts/new", ("owner", "finance")),
    Page("/console/{org}/billing", (*TENANTS, "operator")),
    Page("/console/{org}/billing/plans", (*TENANTS, "operator")),
    Page("/console/{org}/billing/change", ("owner", "admin", "finance")),
    Page("/console/{org}/billing/change?plan=starter&interval=month", ("owner", "admin", "finance")),
    # Nothing is subscribed to here, so there is nothing to cancel.
    Page("/console/{org}/billing/cancel", ()),
    Page("/console/{org}/billing/end", ()),
    Page("/console/{org}/billing/resume", ()),
    Page("/console/{org}/projects", (*TENANTS, "operator")),
    Page("/console/{org}/projects?q=Tables&from=2026-01-01", (*TENANTS, "operator")),
    Page("/console/{org}/projects/new", ("owner", "admin", "member")),
    Page("/console/{org}/projects/slots", PAYERS),
    Page("/console/{org}/projects/{project}/undeploy", ("owner", "admin", "member")),
    Page("/console/{org}/settings", EVERYBODY),
    Page("/console/{org}/settings/keys", TRUSTED),
    Page("/console/{org}/settings/keys?q=own&role=owner&active=true", TRUSTED),
    Page("/console/{org}/settings/keys/new", MANAGERS),
    Page("/console/{org}/settings/keys/{key}/revoke", MANAGERS),
    Page("/console/{org}/settings/sessions", EVERYBODY),
    Page("/console/{org}/settings/sessions/{session}/end", MANAGERS),
    Page("/console/{org}/settings/links", MANAGERS),
    Page("/console/{org}/settings/links/new", MANAGERS),
    Page("/console/{org}/settings/links/{link}/end", MANAGERS),
    Page("/console/{org}/settings/audit", TRUSTED),
    Page("/console/{org}/settings/audit?action=api_key.create&from=2026-01-01", TRUSTED),
    Page("/console/{org}/disputes", (*TENANTS, "operator")),
    Page("/console/{org}/disputes/{chargeback}", (*TENANTS, "operator")),
    Page("/console/{org}/disputes/{chargeback}/evidence", ("owner", "admin", "finance", "operator")),
    Page("/console/{org}/invoices", (*TENANTS, "operator")),
    Page("/console/{org}/invoices?status=open&from=2026-01-01", (*TENANTS, "operator")),
    Page("/console/{org}/invoices/{invoice}", (*TENANTS, "operator")),
    Page("/console/{org}/invoices/{invoice}/pay", PAYERS),
    Page("/console/{org}/invoices/{invoice}/void", ("operator",)),
    Page("/console/{org}/payment-methods", PAYERS),
    # Nothing is stored here, so there is nothing to remove.
    Page("/console/{org}/payment-methods/{payment}/remove", ()),
    Page("/console/{org}/payments", (*TENANTS, "operator")),
    Page("/console/{org}/payments?status=succeeded,partially_refunded&provider=stripe", (*TENANTS, "operator")),
    Page("/console/{org}/payments/{payment}", (*TENANTS, "operator")),
    Page("/console/{org}/payments/{payment}/go", (*TENANTS, "operator")),
    Page("/console/{org}/payments/{payment}/return?status=success", (*TENANTS, "operator")),
    Page("/console/{org}/payments/{payment}/refund?amount=1.00", ("owner", "admin", "finance", "operator")),
    Page("/console/{org}/payments/{authorized}/capture", PAYERS),
    Page("/console/{org}/payments/{authorized}/cancel", PAYERS),
    Page("/console/{org}/payments/{authorized}/confirm", PAYERS),
    Page("/console/{org}/top-up", PAYERS),
    Page("/console/{org}/transactions", (*TENANTS, "operator")),
    Page("/console/{org}/transactions/{transfer}", (*TENANTS, "operator")),
    Page("/console/{org}/transactions?q=grant&from=2026-01-01", (*TENANTS, "operator")),
    Page("/console/{org}/alerts", (*TENANTS, "operator")),
    Page("/console/{org}/alerts?status=resolved&q=x", (*TENANTS, "operator")),
    Page("/console/{org}/alerts/settings", HOOKED),
    Page("/console/{org}/alerts/settings/endpoints/new", ("owner", "admin")),
    Page("/console/{org}/alerts/settings/endpoints/{endpoint}", HOOKED),
    Page("/console/{org}/alerts/settings/endpoints/{endpoint}?status=failed", HOOKED),
    Page("/console/{org}/alerts/settings/endpoints/{endpoint}/rotate", ("owner", "admin")),
    Page("/console/{org}/alerts/settings/endpoints/{endpoint}/delete", ("owner", "admin")),
    Page("/console/{org}/usage", (*TENANTS, "operator")),
    Page("/console/{org}/usage?month=2026-01&by=agent", (*TENANTS, "operator")),
    Page("/console/{org}/usage/log", (*TENANTS, "operator")),
    Page("/console/{org}/usage/log?model=gpt-4o&from=2026-01-01", (*TENANTS, "operator")),
    Page("/console/{org}/limits", (*TENANTS, "operator")),
    Page("/console/{org}/limits?open=false&subject_type=agent", (*TENANTS, "operator")),
    Page("/console/{org}/limits/new", MANAGERS),
    Page("/console/{org}/limits/{control}", (*TENANTS, "operator")),
    Page("/console/{org}/limits/{control}/change", MANAGERS),
    Page("/console/{org}/limits/{control}/freeze", MANAGERS),
    Page("/console/{org}/limits/{control}/close", MANAGERS),
    Page("/console/platform/disputes", ("operator",)),
    Page("/console/platform/disputes/{chargeback}", ("operator",)),
    Page("/console/platform/disputes/{chargeback}/evidence", ("operator",)),
    Page("/console/platform/invoices", ("operator",)),
    Page("/console/platform/invoices/{invoice}", ("operator",)),
    Page("/console/platform/invoices/{invoice}/void", ("operator",)),
    Page("/console/platform/payments", ("operator",)),
    Page("/console/platform/payments/{payment}", ("operator",)),
    Page("/console/platform/payments/{payment}/refund", ("operator",)),
)
