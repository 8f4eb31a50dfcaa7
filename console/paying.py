"""How something is paid from outside: the ways that are set up, what the API is asked for, and where the payer goes."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import RedirectResponse, Response

from console.filters import payment_method
from console.format import currency_name
from console.forms import Form, at_fields
from console.gateway import Answer
from console.problems import Reaction, reaction_to
from console.texts import _
from console.visit import Visit
from domain.common.money import CREDIT

#: A way to pay that is a stored method begins with this.
STORED = "stored:"
#: A way to pay in coins begins with this.
COIN = "coin:"
#: Fields of the API that the radio buttons `by` set.
NAMES = {"payment_method": "by", "provider": "by", "asset": "by"}

#: The value of a way to pay, its words, and a hint.
Way = tuple[str, str, str]


def payment_options(answers: Mapping[str, Answer], *, coins: bool = True) -> tuple[Way, ...]:
    """Return the ways to pay that are set up: stored methods, the providers' pages, coins."""
    config, methods = answers["config"], answers["methods"]
    if not config.ok:
        return ()
    providers = {each["name"] for each in config.body["providers"]}
    found: list[Way] = []
    if "stripe" in providers:
        stored = sorted(methods.body["data"], key=lambda each: not each["is_default"]) if methods.ok else ()
        found += [(f"{STORED}{each['id']}", payment_method(each), _("Stored, and charged at once")) for each in stored]
        found.append(("card", _("Card"), _("On the provider's page")))
    if "paypal" in providers:
        found.append(("paypal", "PayPal", _("On PayPal's page")))
    if coins and "crypto" in providers:
        found += [
            (f"{COIN}{asset}", asset, _("You send it to a one-time address")) for asset in config.body["crypto_assets"]
        ]
    return tuple(found)


def currencies(config: Answer, *first: str) -> tuple[tuple[str, str], ...]:
    """Return the currencies of a price with their names: credits, then `first`, then what can be paid in."""
    taken = {each for provider in config.body["providers"] for each in provider["currencies"]} if config.ok else set()
    usual = (each for each in ("USD", "EUR") if each in taken)
    codes = dict.fromkeys((CREDIT, *filter(None, first), *usual, *sorted(taken, key=currency_name)))
    return tuple((code, currency_name(code)) for code in codes)


def options(visit: Visit, by: str) -> dict[str, Any]:
    """Return the payment options for a way to pay; the payer returns to the page of the payment."""
    if by.startswith(COIN):
        return {"provider": "crypto", "asset": by.removeprefix(COIN)}
    back = visit.address_of("/payments/{PAYMENT_ID}/return")
    returns = {"return_url": back} if back else {}
    if by == "paypal":
        return {"provider": "paypal", **returns}
    if by.startswith(STORED):
        return {"provider": "stripe", "payment_method": by.removeprefix(STORED), **returns}
    return {"provider": "stripe", "hosted": True, **returns}


def quoted(visit: Visit, by: str) -> dict[str, str]:
    """Return what the API is asked for a price by a way to pay."""
    return {name: value for name, value in options(visit, by).items() if name in {"provider", "asset"}}


def not_quoted(answer: Answer, *fields: str, names: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return why there is no price, by field; what belongs to none is at the first.

    Raises:
        Refused: it is not about the fields.
    """
    assert answer.problem is not None
    if reaction_to(answer.problem) is Reaction.UNKNOWN:
        return {fields[0]: _("The price is not available now. Try again in a moment.")}
    if reaction_to(answer.problem) is not Reaction.FIELDS:
        answer.need()
    errors, summary = at_fields(answer.problem, fields, names or {})
    return errors or {fields[0]: summary[0][1]}


def seen(form: Form, by: str) -> dict[str, str]:
    """Return the total that the payer has seen, as the API accepts it; in coins it is at the present rate."""
    total = form.maybe("total")
    return {} if total is None or by.startswith(COIN) else {"total": total}


def lead_on(visit: Visit, payment: Mapping[str, Any]) -> Response:
    """Lead the payer on: to the provider's page, to the deposit, or to what the books say of the payment."""
    made = f"{visit.base}/payments/{payment['id']}"
    if payment["approval_url"]:
        return RedirectResponse(f"{made}/go", 303)
    return RedirectResponse(made if payment["deposit"] else f"{made}/return", 303)
