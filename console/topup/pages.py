"""The top-up page: packages and a custom amount, the price of a choice, and the payment that it begins."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from starlette.responses import RedirectResponse, Response

from console.filters import FILTERS, money
from console.format import saving, titled
from console.forms import Form, FormState, query_form, read_form, with_summary
from console.noun import Json
from console.noun_page import page_at
from console.paying import COIN, NAMES, STORED, not_quoted, options, payment_options, quoted, seen
from console.reader import reader
from console.routing import COMMAND, tenant
from console.texts import _
from console.visit import Visit
from domain.common.access import Permission

#: The value of the package for a custom amount.
OWN = "own"
_FIELDS = ("package", "credits", "by")


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show what credits cost, and how they can be paid for; nothing is created."""
    visit.need(Permission.PAY)
    given = dict(form.values) if form else visit.chosen(*_FIELDS)
    if given.get("credits") and "package" not in given:
        given["package"] = OWN
    answers = await visit.ask_all(
        config=("/billing/config", {}),
        methods=("/billing/payment-methods", visit.scope),
        balance=("/billing/balance", visit.scope),
    )
    config, ways = answers["config"], payment_options(answers)
    errors = _errors(given, {way for way, _words, _hint in ways}) if given else {}
    quote, by = None, given.get("by") or (ways[0][0] if ways else "")
    if given and ways and not errors:
        chosen = "credits" if given.get("package", OWN) == OWN else "package"
        answer = await visit.ask("/billing/quote", **{chosen: given[chosen]}, **quoted(visit, by), **visit.scope)
        if answer.ok:
            quote = answer.body
        else:
            errors = not_quoted(answer, "credits", "package", names={"amount": "credits"})
    page = page_at(visit, "/top-up", _("Add credits"), form=form)
    values = {
        "config": config,
        "balance": answers["balance"],
        "packages": packages(config.body["packages"], config.body["credit_price"]) if config.ok else (),
        "ways": ways,
        "pick": query_form(given, errors),
        "quote": quote,
        "by": by,
        "way": next((words for way, words, _hint in ways if way == by), ""),
    }
    return await visit.show("topup/page.html", page, values, 422 if errors and status == 200 else status)


def packages(sold: Sequence[Json], single: Json) -> tuple[tuple[str, str, str], ...]:
    """Return the packages as options, the smallest first, with their price per credit; then the custom amount.

    A package is left out if as many credits cost less in another one or singly. The saving against the price of single
    credits is named for the package with the lowest price per credit only.
    """
    prices = [(Decimal(each["credits"]), Decimal(each["price"]["amount"]), each) for each in sold]
    of_single = [price / number for number, price, each in prices if each["price"]["currency"] == single["currency"]]
    found = []
    for number, price, each in sorted(prices, key=lambda package: package[:2]):
        currency = each["price"]["currency"]
        costs = [cost for more, cost, of in prices if of["price"]["currency"] == currency and more >= number]
        if currency == single["currency"]:
            costs.append(number * Decimal(single["amount"]))
        if min(costs) < price:
            continue
        total, unit = money(each["price"]["amount"], currency), money(each["price_per_credit"]["amount"], currency)
        words = _("%(total)s, %(unit)s per credit", total=total, unit=unit)
        is_best = currency == single["currency"] and price / number == min(of_single)
        if is_best and (share := saving(price, number * Decimal(single["amount"]), reader().prefs)):
            words = _("%(total)s, %(unit)s per credit. Save %(share)s", total=total, unit=unit, share=share)
        count = FILTERS["number"](each["credits"])
        found.append((each["id"], _("%(name)s: %(n)s credits", name=titled(each["name"]), n=count), words))
    unit = _("%(unit)s per credit. Enter the number below", unit=money(single["amount"], single["currency"]))
    return (*found, (OWN, _("Custom amount"), unit))


def _errors(given: dict[str, str], ways: set[str]) -> dict[str, str]:
    """Return what the page itself knows to be wrong with a choice; amounts are the API's to judge."""
    errors = {}
    package, by = given.get("package", OWN), given.get("by", "")
    if package == OWN and not given.get("credits"):
        errors["credits"] = _("Enter a number of credits, or choose a package.")
    if ways and by not in {"", *ways}:
        errors["by"] = _("This payment method is no longer available. Choose another one.")
    elif package != OWN and by.startswith(COIN):
        errors["package"] = _("Packages are not sold for coins. Enter a number of credits instead.")
    return errors


async def begin(visit: Visit) -> Response:
    form = await read_form(visit.request, *_FIELDS, "total")
    path, body = order(visit, form)
    answer = await visit.command("POST", path, body, form.key)
    if answer.ok:
        made = answer.body
        here = f"{visit.base}/payments/{made['payment_id']}"
        if made.get("deposit"):
            return visit.done(here, "payment.begun", answer)
        return RedirectResponse(f"{here}/go" if made.get("url") or made.get("approval_url") else f"{here}/return", 303)

    async def again(visit: Visit, shown: FormState, status: int) -> Response:
        if status == 402 and answer.problem is not None:
            refusal = _("%(why)s Nothing was charged. Pay another way.", why=answer.problem.detail)
            shown = with_summary(shown, refusal)
        return await show(visit, shown, status)

    return await visit.refused(form, answer, again, {"amount": "credits", "total": "credits", **NAMES})


def order(visit: Visit, form: Form) -> tuple[str, dict[str, Any]]:
    """Return what is asked of the API for a choice: the path and the body."""
    by, package = form.text("by"), form.text("package") or OWN
    sent = options(visit, by) | seen(form, by)
    if package == OWN:
        return "/billing/topup", {"amount": form.text("credits"), **sent}
    if by.startswith(STORED):
        kept = ("payment_method", "total")
        return "/billing/purchase-credits", {"package": package, **{k: v for k, v in sent.items() if k in kept}}
    sent.pop("hosted", None)
    return "/billing/credits/purchase", {"package": package, **sent}


ROUTES = (tenant("/top-up", show), tenant("/top-up", begin, COMMAND))
