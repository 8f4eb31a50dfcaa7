"""Version 1 of the API: one folder a resource, and the one list of their routers.

The order is the order in which the paths of one resource are tried, see `api/routing.py`.
"""

from api.routing import Resource
from api.v1.account_statements.endpoints import router as account_statements
from api.v1.accounting.endpoints import router as accounting
from api.v1.action_costs.endpoints import router as action_costs
from api.v1.activity.endpoints import router as activity
from api.v1.agents.endpoints import router as agents
from api.v1.alert_rules.endpoints import router as alert_rules
from api.v1.alerts.endpoints import router as alerts
from api.v1.allocations.endpoints import router as allocations
from api.v1.analytics.forecast import router as forecasts
from api.v1.analytics.insights import router as insights
from api.v1.analytics.peers import router as peers
from api.v1.analytics.query import router as analytics
from api.v1.analytics.spent import router as spent
from api.v1.api_keys.endpoints import router as api_keys
from api.v1.approvals.endpoints import router as approvals
from api.v1.audit.endpoints import router as audit
from api.v1.auto_topups.endpoints import router as auto_topups
from api.v1.billing.endpoints import router as billing
from api.v1.billing_profile.endpoints import router as billing_profile
from api.v1.billing_runs.endpoints import router as billing_runs
from api.v1.billing_terms.endpoints import router as billing_terms
from api.v1.budgets.endpoints import router as budgets
from api.v1.budgets.prompts import router as budget_prompts
from api.v1.cards.endpoints import router as cards
from api.v1.changes.endpoints import router as changes
from api.v1.chargebacks.endpoints import router as chargebacks
from api.v1.contracts.endpoints import router as contracts
from api.v1.creators.endpoints import router as creators
from api.v1.credit_stats.endpoints import router as credit_stats
from api.v1.credits.endpoints import router as credits
from api.v1.customers.endpoints import router as customers
from api.v1.departments.endpoints import router as departments
from api.v1.earnings.endpoints import router as earnings
from api.v1.economics.endpoints import router as economics
from api.v1.economics.models import router as economics_models
from api.v1.escrows.actions import router as escrow_actions
from api.v1.escrows.endpoints import router as escrows
from api.v1.escrows.opening import router as escrow_opening
from api.v1.escrows.reading import router as escrow_reading
from api.v1.events.endpoints import router as events
from api.v1.exchange_rates.endpoints import router as exchange_rates
from api.v1.exports.endpoints import router as exports
from api.v1.health.endpoints import operations, router as health, scraped
from api.v1.invoices.collecting import router as invoice_collecting
from api.v1.invoices.endpoints import router as invoices
from api.v1.invoices.reading import router as invoice_reading
from api.v1.mail_suppressions.endpoints import router as mail_suppressions
from api.v1.marketplace.actions import router as marketplace_actions
from api.v1.marketplace.endpoints import router as marketplace
from api.v1.names.endpoints import router as names
from api.v1.notifications.defaults import router as notification_defaults
from api.v1.notifications.endpoints import router as notifications
from api.v1.organizations.endpoints import router as organizations
from api.v1.organizations.standing import router as organization_standings
from api.v1.payment_policies.endpoints import router as payment_policies
from api.v1.payment_policies.free_options import router as free_options
from api.v1.payment_policies.purchase_methods import router as purchase_methods
from api.v1.payments.actions import router as payment_actions
from api.v1.payments.endpoints import router as payments
from api.v1.payments.receipts import router as payment_receipts
from api.v1.payouts.endpoints import router as payouts
from api.v1.plans.endpoints import router as plans
from api.v1.pricing.endpoints import router as prices
from api.v1.pricing.rules import router as pricing_rules
from api.v1.principals.endpoints import router as principals
from api.v1.projects.endpoints import router as projects
from api.v1.purchase_orders.endpoints import router as purchase_orders
from api.v1.quotes.endpoints import router as quotes
from api.v1.reconciliation.endpoints import router as reconciliation
from api.v1.referrals.endpoints import router as referrals
from api.v1.reports.endpoints import router as reports
from api.v1.reputation.clients import router as reputation_clients
from api.v1.reputation.endpoints import router as reputation
from api.v1.reputation.levels import router as reputation_levels
from api.v1.results.endpoints import router as results
from api.v1.revenue.endpoints import router as revenue
from api.v1.risk.cases import router as risk_cases
from api.v1.risk.endpoints import router as risk
from api.v1.risk.lists import router as risk_lists
from api.v1.risk.models import router as risk_models
from api.v1.risk.rules import router as risk_rules
from api.v1.routing.endpoints import router as routing
from api.v1.search.endpoints import router as search
from api.v1.secrets.endpoints import router as secrets
from api.v1.series.endpoints import router as series
from api.v1.sessions.endpoints import router as sessions
from api.v1.sessions.links import router as session_links
from api.v1.spend_controls.endpoints import router as spend_controls
from api.v1.spends.endpoints import router as spends
from api.v1.spends.refunds import router as spend_refunds
from api.v1.statements.endpoints import router as statements
from api.v1.subscriptions.endpoints import router as subscriptions
from api.v1.summary.endpoints import router as summaries
from api.v1.tasks.endpoints import router as tasks
from api.v1.tax_rates.endpoints import router as tax_rates
from api.v1.topups.endpoints import router as topups
from api.v1.transfers.endpoints import router as transfers
from api.v1.usage.endpoints import router as usage
from api.v1.usage.meters import router as meters
from api.v1.usage.reports import router as usage_reports
from api.v1.webhook_endpoints.endpoints import router as webhook_endpoints
from api.v1.webhook_inbox.endpoints import router as webhook_inbox
from api.v1.webhooks.endpoints import router as webhooks
from api.v1.webhooks.issuing import router as issuing_webhooks

ROUTERS: tuple[Resource, ...] = (
    billing,
    activity,
    spends,
    escrow_opening,
    escrows,
    escrow_reading,
    escrow_actions,
    tasks,
    webhooks,
    issuing_webhooks,
    topups,
    prices,
    payment_receipts,
    payments,
    payment_actions,
    chargebacks,
    risk_cases,
    billing_runs,
    invoices,
    invoice_reading,
    invoice_collecting,
    plans,
    statements,
    subscriptions,
    credits,
    spend_refunds,
    action_costs,
    auto_topups,
    credit_stats,
    earnings,
    summaries,
    account_statements,
    transfers,
    series,
    analytics,
    spent,
    forecasts,
    insights,
    peers,
    reports,
    quotes,
    search,
    secrets,
    names,
    contracts,
    agents,
    marketplace,
    marketplace_actions,
    referrals,
    departments,
    spend_controls,
    economics,
    economics_models,
    results,
    revenue,
    payment_policies,
    free_options,
    purchase_methods,
    budget_prompts,
    budgets,
    allocations,
    routing,
    exchange_rates,
    purchase_orders,
    cards,
    customers,
    creators,
    payouts,
    projects,
    usage,
    usage_reports,
    webhook_endpoints,
    meters,
    billing_terms,
    billing_profile,
    tax_rates,
    organizations,
    organization_standings,
    api_keys,
    principals,
    sessions,
    session_links,
    audit,
    alerts,
    alert_rules,
    notification_defaults,
    notifications,
    mail_suppressions,
    events,
    changes,
    webhook_inbox,
    approvals,
    pricing_rules,
    reconciliation,
    risk_models,
    accounting,
    exports,
    reputation,
    reputation_levels,
    reputation_clients,
    risk_rules,
    risk_lists,
    risk,
    health,
)

#: Served on the private port, and with the others where there is none.
PRIVATE_ROUTERS: tuple[Resource, ...] = (operations,)
PRIVATE_ROOT_ROUTERS: tuple[Resource, ...] = (operations, scraped)

#: Served at the root as well, where probes and scrapers look.
ROOT_ROUTERS: tuple[Resource, ...] = (health,)
