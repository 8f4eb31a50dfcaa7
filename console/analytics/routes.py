"""Analytics of an organization: spending, earnings, and the comparison with others."""

from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from starlette.responses import Response

from console.analytics import earned, figures, peers, view
from console.analytics.figures import Chosen
from console.forms import FormState, blank, read_form
from console.gateway import BACKGROUND, Wanted
from console.routing import COMMAND, tenant
from console.visit import Visit
from domain.common.access import Permission

_PEERS = "/analytics/peers"


def _chosen(visit: Visit, path: str, zone: str) -> Chosen:
    today = datetime.now(ZoneInfo(zone)).date()
    return figures.chosen(visit.chosen("period", "compare"), today, f"{visit.base}{path}", zone)


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show what was spent on what, how long the balance lasts, and what would have saved money."""
    visit.need(Permission.READ_BILLING)
    of = _chosen(visit, "/analytics", visit.choices.zone or "UTC")
    # A forecast is by days in UTC, and so is what is drawn before it; nothing of it is compared.
    last = replace(_chosen(visit, "/analytics", "UTC"), compare=None)
    recent = replace(last, first=max(last.first, last.last - timedelta(days=view.SHOWN)), by_month=False)
    # What to do about it is for the organization to decide, and not for operators.
    # It is not live, and takes the longest to read.
    is_advised = not visit.me.is_platform and visit.request.headers.get(BACKGROUND) != "1"
    advice: dict[str, Wanted] = {"advice": ("/analytics/insights", {})} if is_advised else {}
    answers = await visit.ask_all(
        spending=of.ask("spending", by=("action",), scope=visit.scope),
        groups=of.ask("spending", by=("action", "model", "agent", "project"), over_time=False, scope=visit.scope),
        balance=recent.ask("balance", "burn_rate", scope=visit.scope),
        forecast=("/analytics/forecast", {"metric": "balance", "days": view.ahead_of(of), **visit.scope}),
        **advice,
    )
    naming = await visit.naming(view.mentioning(answers), "agent", "project", "title", "how", "taken")
    may = view.May(
        dismiss=visit.may(Permission.ACKNOWLEDGE) and not visit.me.is_platform,
        approve=visit.may(Permission.MANAGE_SPENDING) and not visit.me.is_platform,
    )
    page = view.page(of, last.last, answers, naming, visit.base, form or blank(), may)
    return await visit.render("analytics/page.html", page, status)


async def dismiss(visit: Visit) -> Response:
    form = await read_form(visit.request)
    path = f"/analytics/insights/{visit.path('id')}/dismiss"
    answer = await visit.command("POST", path, None, form.key)
    return await visit.concluded(form, answer, f"{visit.base}/analytics", "advice.dismissed", show=show)


async def take(visit: Visit) -> Response:
    """Propose the purchase or the change of a policy that advice names; a purchase is shown."""
    form = await read_form(visit.request)
    answer = await visit.command("POST", f"/analytics/insights/{visit.path('id')}/take", None, form.key)
    order = answer.body["taken"]["purchase_order_id"] if answer.ok else None
    path = f"{visit.base}/purchases/{order}" if order else f"{visit.base}/analytics"
    return await visit.concluded(form, answer, path, "advice.taken", show=show)


async def approve(visit: Visit) -> Response:
    form = await read_form(visit.request)
    answer = await visit.command("POST", f"/analytics/insights/{visit.path('id')}/approve", None, form.key)
    return await visit.concluded(form, answer, f"{visit.base}/payment-policies", "advice.approved", show=show)


async def show_earnings(visit: Visit) -> Response:
    visit.need(Permission.READ_BILLING)
    of = _chosen(visit, "/analytics/earnings", "UTC")
    schedule: dict[str, Wanted] = {} if visit.me.is_platform else {"schedule": ("/billing/payouts/schedule", {})}
    answers = await visit.ask_all(
        earnings=of.ask("earnings", by=("agent",), scope=visit.scope),
        groups=of.ask("earnings", by=("agent",), over_time=False, scope=visit.scope),
        payouts=of.ask("payouts.paid", scope=visit.scope),
        preview=("/billing/payouts/preview", visit.scope),
        **schedule,
    )
    naming = await visit.naming(earned.mentioning(answers), "agent")
    return await visit.render("analytics/earnings.html", earned.page(of, answers, naming, visit.base))


async def show_peers(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show where the organization stands among others that agreed to be compared."""
    visit.need(Permission.READ_BILLING)
    answers = await visit.ask_all(
        **{each.value: (_PEERS, {"metric": each.value, **visit.scope}) for each in peers.METRICS}
    )
    may_agree = visit.may(Permission.CHANGE_ORGANIZATION) and not visit.me.is_platform
    page = peers.page(answers, form or blank(), visit.choices.prefs, visit.base, may_agree=may_agree)
    return await visit.render("analytics/peers.html", page, status)


async def agree(visit: Visit) -> Response:
    form = await read_form(visit.request, "agrees")
    body = {"agrees": form.text("agrees") == "yes"}
    answer = await visit.command("PUT", f"{_PEERS}/consent", body, form.key)
    notice = "peers.agreed" if body["agrees"] else "peers.withdrawn"
    return await visit.concluded(form, answer, f"{visit.base}{_PEERS}", notice, show=show_peers)


ROUTES = (
    tenant("/analytics", show),
    tenant("/analytics/advice/{id}/dismiss", dismiss, COMMAND),
    tenant("/analytics/advice/{id}/take", take, COMMAND),
    tenant("/analytics/advice/{id}/approve", approve, COMMAND),
    tenant("/analytics/earnings", show_earnings),
    tenant(_PEERS, show_peers),
    tenant(f"{_PEERS}/consent", agree, COMMAND),
)
