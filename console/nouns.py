"""Every route of every noun. A new noun is a line in `ROUTES`; pages without an organization stand before the rest."""

from starlette.routing import Route

from console.alert.routes import ROUTES as ALERT
from console.alert_rule.routes import ROUTES as ALERT_RULE
from console.allocation.routes import ROUTES as ALLOCATION
from console.analytics.routes import ROUTES as ANALYTICS
from console.auto_topup.pages import ROUTES as AUTO_TOPUP
from console.billing.pages import ROUTES as BILLING
from console.billing_details.pages import ROUTES as BILLING_DETAILS
from console.card.pages import ROUTES as CARD
from console.chargeback.routes import ROUTES as CHARGEBACK
from console.contract.pages import ROUTES as CONTRACT
from console.economics.routes import ROUTES as ECONOMICS
from console.entry.routes import ROUTES as ENTRY
from console.escrow.routes import ROUTES as ESCROW
from console.export.routes import ROUTES as EXPORT
from console.feedback.pages import ROUTES as FEEDBACK
from console.free_option.pages import ROUTES as FREE_OPTION
from console.help.routes import ROUTES as HELP
from console.home.pages import ROUTES as HOME
from console.invoice.pages import ROUTES as INVOICE
from console.library.pages import ROUTES as LIBRARY
from console.live.routes import ROUTES as LIVE
from console.marketplace.pages import ROUTES as MARKETPLACE
from console.notification.routes import ROUTES as NOTIFICATION
from console.payment.routes import ROUTES as PAYMENT
from console.payment_method.pages import ROUTES as PAYMENT_METHOD
from console.payment_policy.pages import ROUTES as PAYMENT_POLICY
from console.picker import ROUTES as PICKER
from console.platform.alert.routes import ROUTES as PLATFORM_ALERT
from console.platform.analytics.routes import ROUTES as PLATFORM_ANALYTICS
from console.platform.api_key.routes import ROUTES as PLATFORM_API_KEY
from console.platform.approval.routes import ROUTES as PLATFORM_APPROVAL
from console.platform.audit.routes import ROUTES as PLATFORM_AUDIT
from console.platform.billing_run.routes import ROUTES as PLATFORM_BILLING_RUN
from console.platform.book.routes import ROUTES as PLATFORM_BOOK
from console.platform.credit.routes import ROUTES as PLATFORM_CREDIT
from console.platform.organization.routes import ROUTES as PLATFORM_ORGANIZATION
from console.platform.overview.routes import ROUTES as PLATFORM_OVERVIEW
from console.platform.pricing.routes import ROUTES as PLATFORM_PRICING
from console.platform.reconciliation.routes import ROUTES as PLATFORM_RECONCILIATION
from console.platform.reputation.routes import ROUTES as PLATFORM_REPUTATION
from console.platform.webhook.routes import ROUTES as PLATFORM_WEBHOOK
from console.preferences.routes import ROUTES as PREFERENCES
from console.project.pages import ROUTES as PROJECT
from console.purchase_method.pages import ROUTES as PURCHASE_METHOD
from console.purchase_order.pages import ROUTES as PURCHASE_ORDER
from console.report.routes import ROUTES as REPORT
from console.returns.routes import ROUTES as RETURNS
from console.search.pages import ROUTES as SEARCH
from console.secret.routes import ROUTES as SECRET
from console.spend_control.pages import ROUTES as SPEND_CONTROL
from console.topup.pages import ROUTES as TOPUP
from console.transaction.routes import ROUTES as TRANSACTION
from console.usage.routes import ROUTES as USAGE
from console.webhook_endpoint.routes import ROUTES as WEBHOOK_ENDPOINT
from console.work import ROUTES as WORK

_ALL = (
    *BILLING,
    *BILLING_DETAILS,
    *ALERT,
    *ALLOCATION,
    *ALERT_RULE,
    *ANALYTICS,
    *EXPORT,
    *REPORT,
    *CHARGEBACK,
    *ENTRY,
    *CONTRACT,
    *ESCROW,
    *FEEDBACK,
    *HELP,
    *INVOICE,
    *LIBRARY,
    *PURCHASE_ORDER,
    *CARD,
    *LIVE,
    *MARKETPLACE,
    *NOTIFICATION,
    *PAYMENT,
    *PAYMENT_METHOD,
    *AUTO_TOPUP,
    *PICKER,
    *PLATFORM_ALERT,
    *PLATFORM_ANALYTICS,
    *PLATFORM_API_KEY,
    *PLATFORM_APPROVAL,
    *PLATFORM_AUDIT,
    *PLATFORM_BILLING_RUN,
    *PLATFORM_BOOK,
    *PLATFORM_CREDIT,
    *PLATFORM_ORGANIZATION,
    *PLATFORM_OVERVIEW,
    *PLATFORM_PRICING,
    *PLATFORM_RECONCILIATION,
    *PLATFORM_REPUTATION,
    *PLATFORM_WEBHOOK,
    *PREFERENCES,
    *PROJECT,
    *SEARCH,
    *SECRET,
    *SPEND_CONTROL,
    *FREE_OPTION,
    *PURCHASE_METHOD,
    *PAYMENT_POLICY,
    *TOPUP,
    *TRANSACTION,
    *ECONOMICS,
    *RETURNS,
    *USAGE,
    *WEBHOOK_ENDPOINT,
    *WORK,
    *HOME,
)


def _order(route: Route) -> tuple[bool, ...]:
    """Order a route by its segments, so that `/cards/new` is tried before `/cards/{id}`."""
    return tuple("{" in segment for segment in route.path.split("/"))


#: In this order paths are tried.
ROUTES = tuple(sorted(_ALL, key=_order))
