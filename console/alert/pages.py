"""Alerts, of an organization and for operators of all: listed, with what to do about each, and acted on."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from console.alert.kinds import TOP_UP, Advice, advice_for, kinds, title_of
from console.lists import ListResult
from console.noun import Json, Noun
from console.noun_page import pick, search, select, tab
from console.routing import platform, tenant
from console.texts import N_
from console.visit import Visit
from domain.common.access import Permission

_SEVERITIES = (("", N_("Any")), ("critical", N_("Critical")), ("warning", N_("Warning")), ("info", N_("Notice")))
_FILTERS = (
    search(N_("Text")),
    select("kind", N_("Kind"), kinds),
    select("severity", N_("Severity"), _SEVERITIES),
    tab("status"),
)
_ENDED = (("acknowledged", N_("Acknowledged")), ("resolved", N_("Resolved")))


async def _of_alerts(visit: Visit, _found: ListResult) -> Json:
    def advice(kind: str) -> Advice:
        """Return what to do about a kind, with its page if the reader has it."""
        found = advice_for(kind)
        has = visit.has_page(f"{visit.base}/{found.page}") and (found.page != TOP_UP or visit.may(Permission.PAY))
        return found if has else replace(found, page="")

    snoozed = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0).isoformat()
    return {"title_of": title_of, "advice": advice, "operates": visit.me.is_platform, "snoozed": snoozed}


ALERTS, OF_ALL = (
    Noun("/alerts", title=N_("Alerts"), folder="alert", change=Permission.ACKNOWLEDGE, site=site)
    for site in (tenant, platform)
)
# An organization is shown the open ones where the address names no status.
ALERTS.list(
    *_FILTERS,
    days=True,
    tabs=(("", N_("Open")), *_ENDED),
    values=_of_alerts,
    asks=lambda visit: {"status": "firing", **visit.chosen("status")},
    create="",
)
OF_ALL.list(
    *_FILTERS,
    pick("organization_id", N_("Organization")),
    days=True,
    tabs=(("", N_("All")), ("firing", N_("Open")), *_ENDED),
    values=_of_alerts,
    create="",
)
for _noun in (ALERTS, OF_ALL):
    _noun.command("acknowledge", "alert.acknowledged")
    _noun.command("resolve", "alert.resolved")
    _noun.command("snooze", "alert.snoozed", "until")
ROUTES = (*ALERTS.routes, *OF_ALL.routes)
