"""The inbox of webhooks: received events, their status, and retries."""

from typing import Any

from console.lists import ListResult
from console.noun import Noun
from console.noun_page import search, select, tab, text
from console.payment.view import PROVIDERS, company
from console.platform.desk import operators
from console.texts import N_
from console.visit import Visit
from domain.common.access import Permission


async def of_list(_visit: Visit, _found: ListResult) -> dict[str, Any]:
    return {"company": company}


WEBHOOKS = Noun(
    "/webhooks/events",
    at="/webhooks",
    title=N_("Webhooks"),
    folder="platform/webhook",
    change=Permission.OPERATE,
    site=operators,
)
WEBHOOKS.list(
    search(N_("Text")),
    select("provider", N_("Provider"), (("", N_("Any")), *((name, company(name)) for name in PROVIDERS))),
    text("type", N_("Type"), example="charge.succeeded"),
    select("status", N_("Status"), "webhook"),
    tab("unhandled"),
    days=True,
    tabs=(("", N_("All")), ("true", N_("Waiting to be processed"))),
    values=of_list,
    create="",
)
WEBHOOKS.command("retry", "webhook.retried")
ROUTES = WEBHOOKS.routes
