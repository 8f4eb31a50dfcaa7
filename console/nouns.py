"""Every route of every noun. A new noun is a line in `ROUTES`; pages without an organization stand before the rest."""

from starlette.routing import Route

from console.alert.pages import ROUTES as ALERT
from console.alert_rule.pages import ROUTES as ALERT_RULE
from console.allocation.pages import ROUTES as ALLOCATION
from console.analytics.pages import ROUTES as ANALYTICS
from console.auto_topup.pages import ROUTES as AUTO_TOPUP
from console.billing.pages import ROUTES as BILLING
from console.billing_details.pages import ROUTES as BILLING_DETAILS
from console.card.pages import ROUTES as CARD
from console.chargeback.pages import ROUTES as CHARGEBACK
from console.contract.pages import ROUTES as CONTRACT
from console.economics.pages import ROUTES as ECONOMICS
from console.entry.routes import ROUTES as ENTRY
from console.escrow.routes import ROUTES as ESCROW
from console.export.pages import ROUTES as EXPORT
from console.feedback.pages import ROUTES as FEEDBACK
from console.free_option.pages import ROUTES as FREE_OPTION
from console.help.pages import ROUTES as HELP
from console.home.pages import ROUTES as HOME
from console.invoice.pages import ROUTES as INVOICE
from console.library.pages import ROUTES as LIBRARY
from console.live.routes import ROUTES as LIVE
from console.marketplace.pages import ROUTES as MARKETPLACE
from console.notification.pages import ROUTES as NOTIFICATION
from console.payment.pages import ROUTES as PAYMENT
from console.payment_method.pages import ROUTES as PAYMENT_METHOD
from console.payment_policy.pages import ROUTES as PAYMENT_POLICY
from console.picker import ROUTES as PICKER
from console.picture.pages import ROUTES as PICTURE
from console.platform.analytics.pages import ROUTES as PLATFORM_ANALYTICS
from console.platform.approval.pages import ROUTES as PLATFORM_APPROVAL
from console.platform.billing_run.pages import ROUTES as PLATFORM_BILLING_RUN
from console.platform.book.pages import ROUTES as PLATFORM_BOOK
from console.platform.credit.pages import ROUTES as PLATFORM_CREDIT
from console.platform.organization.pages import ROUTES as PLATFORM_ORGANIZATION
from console.platform.overview.pages import ROUTES as PLATFORM_OVERVIEW
from console.platform.pricing.pages import ROUTES as PLATFORM_PRICING
from console.platform.reconciliation.pages import ROUTES as PLATFORM_RECONCILIATION
from console.platform.reputation.pages import ROUTES as PLATFORM_REPUTATION
from console.platform.webhook.pages import ROUTES as PLATFORM_WEBHOOK
from console.preferences.routes import ROUTES as PREFERENCES
from console.project.pages import ROUTES as PROJECT
from console.purchase_method.pages import ROUTES as PURCHASE_METHOD
from console.purchase_order.pages import ROUTES as PURCHASE_ORDER
from console.report.pages import ROUTES as REPORT
from console.returns.pages import ROUTES as RETURNS
from console.search.pages import ROUTES as SEARCH
from console.secret.pages import ROUTES as SECRET
from console.spend_control.pages import ROUTES as SPEND_CONTROL
from console.topup.pages import ROUTES as TOPUP
from console.transaction.pages import ROUTES as TRANSACTION
from console.usage.pages import ROUTES as USAGE
from console.webhook_endpoint.pages import ROUTES as WEBHOOK_ENDPOINT
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
    *PICTURE,
    *PLATFORM_ANALYTICS,
    *PLATFORM_APPROVAL,
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
