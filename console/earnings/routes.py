"""Earnings of an organization, its account for payouts, and its statements."""

from datetime import UTC, datetime

from starlette.responses import Response

from console.earnings import conversion, view
from console.forms import FormState, again, blank, read_form, with_summary
from console.gateway import Answer, Problem, Query, Refused, Wanted, request_id_of
from console.routing import COMMAND, tenant
from console.visit import Visit
from domain.common.access import Permission
from domain.common.errors import InsufficientFunds

_LATEST = 10
#: So many agents are shown at a time.
_AGENTS = 100


def _here(visit: Visit) -> str:
    return f"{visit.base}/earnings"


def _page(visit: Visit) -> Query:
    """Return which agents the address asks for: so many at a time, the newest first."""
    return {"limit": _AGENTS, **visit.chosen("cursor"), **visit.scope}


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    may = visit.may(Permission.PAY_OUT)
    wanted: dict[str, Wanted] = {"earnings": ("/billing/earnings", _page(visit))}
    if visit.may(Permission.READ_BILLING):
        wanted["preview"] = ("/billing/payouts/preview", visit.scope)
        wanted["payouts"] = ("/billing/payouts", {"limit": _LATEST, **visit.scope})
    if may:
        wanted["config"] = ("/billing/config", {})
    answers = await visit.ask_all(**wanted)
    page = view.page(
        answers,
        form or blank(country="US"),
        visit.choices.prefs,
        visit.base,
        datetime.now(UTC),
        may_pay_out=may,
        may_convert=visit.may(Permission.CONVERT_EARNINGS),
    )
    return await visit.render("earnings/page.html", page, status)


async def connect(visit: Visit) -> Response:
    """Open the account for payouts, or go on with it, and lead on to the provider's own page."""
    form = await read_form(visit.request, "country")
    body = {"country": form.text("country").upper()}
    answer = await visit.command("POST", "/billing/connect", body, form.key)
    if answer.ok:
        return await visit.render("earnings/connect.html", view.connect(answer.body, visit.choices.prefs, visit.base))
    return await visit.refused(form, answer, show)


async def ask_to_pay_out(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Ask before what is available is paid out; where nothing can be, the earnings say why."""
    visit.need(Permission.PAY_OUT)
    preview = (await visit.ask("/billing/payouts/preview", **visit.scope)).need()
    if preview["refused"] is not None:
        return await show(visit)
    page = view.paying_out(preview, form or blank(), visit.choices.prefs, visit.base)
    return await visit.render("parts/confirmation.html", page, status)


async def pay_out(visit: Visit) -> Response:
    form = await read_form(visit.request, "currency")
    body = {"currency": form.text("currency")} if form.maybe("currency") else {}
    answer = await visit.command("POST", "/billing/payouts", body, form.key)
    return await visit.concluded(form, answer, _here(visit), "payout.requested", show=ask_to_pay_out)


async def ask_to_convert(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    visit.need(Permission.CONVERT_EARNINGS)
    earned = (await visit.ask("/credits/earnings", **_page(visit))).need()
    here = visit.chosen("cursor").get("cursor", "")
    page = conversion.page(earned, form or blank(), visit.choices.prefs, visit.base, cursor=here)
    return await visit.render("earnings/convert.html", page, status)


async def convert(visit: Visit) -> Response:
    form = await read_form(visit.request, "earnings", "amount", "sure")
    agent_id, _, kind = form.text("earnings").partition(":")
    if not form.maybe("sure"):
        earned = (await visit.ask("/credits/earnings", **_page(visit))).need()
        asking = conversion.asking(earned, form, visit.choices.prefs, visit.base)
        if asking is not None:
            return await visit.render("parts/confirmation.html", asking)
    body = {"agent_id": agent_id, "kind": kind}
    if form.maybe("amount"):
        body["amount"] = form.number("amount")
    answer = await visit.command("POST", "/credits/earnings/conversions", body, form.key)
    if answer.problem is not None and answer.problem.code == InsufficientFunds.code:
        # Adding credits, which else is offered, would not help.
        return await ask_to_convert(visit, with_summary(again(form, answer), answer.problem.detail), answer.status)
    names = {"agent_id": "earnings", "kind": "earnings"}
    return await visit.concluded(form, answer, _here(visit), "earnings.converted", show=ask_to_convert, names=names)


async def statement(visit: Visit) -> Response:
    asked = visit.chosen("month", "currency")
    month = asked.get("month", "")
    if not (len(month) == 7 and month[:4].isdecimal() and month[4] == "-" and month[5:].isdecimal()):
        problem = Problem(status=422, code="request.invalid", title="", detail="Write the month as 2026-11.")
        raise Refused(Answer(status=422, request_id=request_id_of(visit.request), problem=problem))
    query = {"currency": asked["currency"]} if "currency" in asked else {}
    path = f"/billing/statements/{month}/pdf"
    return visit.stream(path, {**query, **visit.scope}, accept="application/pdf", name=f"statement-{month}.pdf")


ROUTES = (
    tenant("/earnings", show),
    tenant("/earnings/connect", connect, COMMAND),
    tenant("/earnings/payouts/new", ask_to_pay_out),
    tenant("/earnings/payouts/new", pay_out, COMMAND),
    tenant("/earnings/conversions/new", ask_to_convert),
    tenant("/earnings/conversions/new", convert, COMMAND),
    tenant("/earnings/statement.pdf", statement),
)
