"""The top-up page, and the payment that it begins."""

from typing import Any

from starlette.responses import RedirectResponse, Response

from console.forms import Form, FormState, at_fields, blank, query_form, read_form, with_summary
from console.gateway import Answer
from console.paying import COIN, NAMES, STORED, payment_options, seen
from console.problems import Reaction, reaction_to
from console.routing import COMMAND, tenant
from console.topup import view
from console.topup.view import OWN
from console.visit import Visit
from domain.common.access import Permission

_FIELDS = ("package", "credits", "by")


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show what credits cost, and how they can be paid for; nothing is made."""
    visit.need(Permission.PAY)
    given = dict(form.values) if form else visit.chosen(*_FIELDS)
    if given.get("credits") and "package" not in given:
        given["package"] = OWN
    answers = await visit.ask_all(
        config=("/billing/config", {}),
        methods=("/billing/payment-methods", visit.scope),
        balance=("/billing/balance", visit.scope),
    )
    ways = payment_options(answers)
    errors = _errors(given, {way for way, _, _ in ways}) if given else {}
    quoted = None
    if given and ways and not errors:
        answer = await visit.ask("/billing/quote", **_quoted(given, ways[0][0]), **visit.scope)
        if answer.problem is None:
            quoted = answer.body
        elif reaction_to(answer.problem) in {Reaction.FIELDS, Reaction.UNKNOWN}:
            errors = _refused(answer)
        else:
            answer.need()
    if errors and status == 200:
        status = 422
    pick = query_form(given, errors)
    page = view.page(answers, pick, form or blank(), visit.choices.prefs, visit.request.url.path, quoted=quoted)
    return await visit.render("topup/page.html", page, status)


def _errors(given: dict[str, str], ways: set[str]) -> dict[str, str]:
    """Return what the page itself knows to be wrong with a choice; amounts are the API's to judge."""
    errors = {}
    package = given.get("package", OWN)
    if package == OWN and not given.get("credits"):
        errors["credits"] = "Enter a number of credits, or choose a package."
    if ways and given.get("by", "") not in {"", *ways}:
        errors["by"] = "This payment method is no longer available. Choose another one."
    elif package != OWN and given.get("by", "").startswith(COIN):
        errors["package"] = "Packages are not sold for coins. Enter a number of credits instead."
    return errors


def _quoted(given: dict[str, str], first: str) -> dict[str, str]:
    by = given.get("by") or first
    query = {"credits": given["credits"]} if given.get("package", OWN) == OWN else {"package": given["package"]}
    if by.startswith(COIN):
        return {**query, "provider": "crypto", "asset": by.removeprefix(COIN)}
    return {**query, "provider": "paypal" if by == "paypal" else "stripe"}


def _refused(answer: Answer) -> dict[str, str]:
    assert answer.problem is not None
    if reaction_to(answer.problem) is Reaction.UNKNOWN:
        return {"credits": "The price is not available now. Try again in a moment."}
    errors, summary = at_fields(answer.problem, ("credits", "package"), {"amount": "credits"})
    return errors or {"credits": summary[0][1]}


async def begin(visit: Visit) -> Response:
    form = await read_form(visit.request, *_FIELDS, "total")
    path, body = order(form, visit.address_of("/payments/{PAYMENT_ID}/return"))
    answer = await visit.command("POST", path, body, form.key)
    if answer.ok:
        return _lead_on(visit, answer)

    async def again(visit: Visit, shown: FormState, status: int) -> Response:
        if status == 402 and answer.problem is not None:
            shown = with_summary(shown, f"{answer.problem.detail} Nothing was charged. Pay another way.")
        return await show(visit, shown, status)

    return await visit.refused(form, answer, again, {"amount": "credits", "total": "credits", **NAMES})


def order(form: Form, back: str | None) -> tuple[str, dict[str, Any]]:
    """Return what is asked of the API for a choice: the path and the body."""
    by, package = form.text("by"), form.text("package") or OWN
    returns = {"return_url": back} if back else {}
    total = seen(form, by)
    if package != OWN:
        if by.startswith(STORED):
            method = by.removeprefix(STORED)
            return "/billing/purchase-credits", {"package": package, "payment_method": method, **total}
        provider = "paypal" if by == "paypal" else "stripe"
        return "/billing/credits/purchase", {"package": package, "provider": provider, **returns, **total}
    body: dict[str, Any] = {"amount": form.text("credits"), **total}
    if by.startswith(STORED):
        body |= {"payment_method": by.removeprefix(STORED), **returns}
    elif by.startswith(COIN):
        body |= {"provider": "crypto", "asset": by.removeprefix(COIN)}
    elif by == "paypal":
        body |= {"provider": "paypal", **returns}
    else:
        body |= {"hosted": True, **returns}
    return "/billing/topup", body


def _lead_on(visit: Visit, answer: Answer) -> Response:
    made = answer.body
    here = f"{visit.base}/payments/{made['payment_id']}"
    if made.get("url") or made.get("approval_url"):
        return RedirectResponse(f"{here}/go", 303)
    if made.get("deposit"):
        return visit.done(here, "payment.begun", answer)
    return RedirectResponse(f"{here}/return", 303)


ROUTES = (tenant("/top-up", show), tenant("/top-up", begin, COMMAND))
