"""The platform's analytics."""

from datetime import UTC, datetime

from starlette.responses import Response

from console.analytics import figures
from console.platform.analytics import view
from console.platform.analytics.view import PLACE
from console.platform.desk import operators
from console.visit import Visit


async def show(visit: Visit) -> Response:
    given = visit.chosen("period", "compare")
    of = figures.chosen(given, datetime.now(UTC).date(), PLACE, "UTC")
    answers = await visit.ask_all(
        money=of.ask("volume", "commission", "take_rate", "money.held"),
        revenue=of.ask("revenue", by=("stream",)),
        customers=of.ask("revenue", by=("organization",), over_time=False),
        mrr=of.ask("mrr"),
        payments=of.ask("payments.succeeded", "payments.failed", "payments.success_rate"),
        active=of.ask("active.organizations", "active.people", "active.agents"),
    )
    naming = await visit.naming(view.mentioning(answers), "organization")
    return await visit.render("platform/analytics/page.html", view.page(of, answers, naming))


ROUTES = (operators("/analytics", show),)
