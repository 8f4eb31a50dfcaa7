"""What the top-up page shows: packages, a number of one's own, ways to pay, and what the choice costs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from console.format import Amount, Prefs, amount, digits_of, percent, saving, titled
from console.forms import FormState
from console.gateway import Answer
from console.paying import COIN, STORED, payment_options
from console.widgets import Failed, Page

OWN = "own"

Option = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    credits: Amount
    subtotal: Amount
    fee: Amount | None
    tax: Amount | None
    tax_label: str
    total: Amount
    rate: str
    pays_by: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TopUp(Page):
    """The page. `quote` is None until something is chosen; `chosen` is what its form sends.

    Attributes:
        pick: the form that asks for a price, by GET.
        pay: the form that begins the payment.
    """

    path: str
    available: Amount | None
    credit_price: Amount | None
    packages: tuple[Option, ...]
    payment_options: tuple[Option, ...]
    pick: FormState
    pay: FormState
    quote: Quote | None
    chosen: tuple[tuple[str, str], ...]
    failed: Failed | None


def page(
    answers: Mapping[str, Answer],
    pick: FormState,
    pay: FormState,
    prefs: Prefs,
    path: str,
    *,
    quoted: Mapping[str, Any] | None,
) -> TopUp:
    config, balance = answers["config"], answers["balance"]
    price = config.body["credit_price"] if config.ok else None
    ways = payment_options(answers)
    chosen = pick.value("by") or (ways[0][0] if ways else "")
    by = next((words for way, words, _ in ways if way == chosen), "")
    sent = [(name, pick.value(name)) for name in ("package", "credits") if pick.value(name)]
    if quoted and not chosen.startswith(COIN):
        sent.append(("total", quoted["total"]))
    return TopUp(
        title="Add credits",
        path=path,
        available=amount(balance.body["available"], balance.body["currency"], prefs) if balance.ok else None,
        credit_price=amount(price["amount"], price["currency"], prefs) if price else None,
        packages=_packages(config.body["packages"], price, prefs) if config.ok else (),
        payment_options=ways,
        pick=pick,
        pay=pay,
        quote=quote(quoted, by, chosen, prefs) if quoted else None,
        chosen=(*sent, ("by", chosen)),
        failed=None if config.ok else Failed(title="Add credits", request_id=config.request_id, again=path),
    )


def _packages(
    packages: Sequence[Mapping[str, Any]], credit: Mapping[str, Any] | None, prefs: Prefs
) -> tuple[Option, ...]:
    """Return every package that is sold, the smallest first, with what it saves against the price of single credits."""
    found = []
    for each in sorted(packages, key=lambda each: (Decimal(each["credits"]), Decimal(each["price"]["amount"]))):
        number, price = Decimal(each["credits"]), each["price"]
        saved = ""
        if credit and credit["currency"] == price["currency"]:
            saved = saving(Decimal(price["amount"]), number * Decimal(credit["amount"]), prefs)
        words = str(amount(price["amount"], price["currency"], prefs))
        title = f"{titled(each['name'])}: {digits_of(number, prefs)} credits"
        found.append((each["id"], title, f"{words}. Save {saved}" if saved else words))
    return (*found, (OWN, "Custom amount", "Enter the number below"))


def quote(quoted: Mapping[str, Any], by: str, chosen: str, prefs: Prefs) -> Quote:
    currency, tax, rate = quoted["currency"], quoted["tax"], quoted["rate"]
    if chosen.startswith(STORED):
        note = "It is charged now."
    elif chosen.startswith(COIN):
        note = "The exchange rate is fixed when you start the payment."
    else:
        note = "You pay on the provider's page. Nothing is charged before."
    return Quote(
        credits=amount(quoted["credits"], "CREDIT", prefs),
        subtotal=amount(quoted["subtotal"], currency, prefs),
        fee=amount(quoted["fee"], currency, prefs) if Decimal(quoted["fee"]) else None,
        tax=amount(tax["amount"], currency, prefs) if tax else None,
        tax_label=f"Tax, {percent(tax['rate'], prefs)}" if tax else "",
        total=amount(quoted["total"], currency, prefs),
        rate=f"1 {currency} = {amount(rate['price'], rate['currency'], prefs)}" if rate else "",
        pays_by=by,
        note=note,
    )
