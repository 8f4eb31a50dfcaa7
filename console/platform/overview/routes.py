"""The platform's overview."""

from datetime import UTC, datetime, timedelta

from starlette.responses import Response

from console.platform.desk import operators
from console.platform.overview import view
from console.platform.overview.view import BASE, DAYS, SHOWN
from console.routing import console_of
from console.visit import Visit

_PAGES = ("escrows", "payments", "webhooks", "escrows/{id}", "disputes/{id}", "reconciliation/differences/{id}")


async def show(visit: Visit) -> Response:
    now = datetime.now(UTC)
    since = (now - timedelta(days=DAYS)).replace(hour=0, minute=0, second=0, microsecond=0)
    answers = await visit.ask_all(
        escrows=("/escrows/summary", {}),
        payments=("/payments/summary", {"from": since.isoformat()}),
        ready=("/readyz", {}),
        runs=("/reconciliation/runs", {"limit": 1}),
        differences=("/reconciliation/differences", {"status": "open", "limit": 100}),
        tasks=("/tasks", {"limit": SHOWN}),
        alerts=("/alerts", {"status": "firing", "limit": SHOWN}),
    )
    has = frozenset(each for each in _PAGES if visit.has_page(f"{BASE}/{each}"))
    warnings = console_of(visit.request).settings.price_warnings
    naming = await visit.naming(answers["tasks"].body["data"] if answers["tasks"].ok else (), "title")
    return await visit.render("platform/overview/page.html", view.page(answers, naming, now, has, warnings))


ROUTES = (operators("", show),)
