"""Tax rates at work: what they add to the lines of an invoice, or find in them.

Facts from docs.stripe.com/billing/taxes/tax-rates. Tax is of what a line costs after its discounts, and rounded once
per line and rate. An inclusive rate is a part of the price. A customer who is exempt or under reverse charge owes none.
"""

from decimal import Decimal
from fractions import Fraction
from typing import Any

from dev.sandbox.stripe.core import Context
from dev.sandbox.stripe.discounting import net
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.periods import rounded

JSON = dict[str, Any]

_EXEMPT = {"exempt": "customer_exempt", "reverse": "reverse_charge"}
MOST_RATES = 5


def rates(ctx: Context, ids: list[str] | str, *, param: str) -> list[JSON]:
    """Return the tax rates with these ids, or refuse."""
    found = []
    for at, id in enumerate(ids or []):
        rate = ctx.store.get("tax_rate", id)
        if rate is None:
            raise missing("tax_rate", id, param=f"{param}[{at}]", status=400)
        if not rate["active"]:
            raise invalid(f"The tax rate {id} is not active.", param=f"{param}[{at}]")
        found.append(rate)
    if len(found) > MOST_RATES:
        raise invalid(f"There are at most {MOST_RATES} tax rates on a line.", param=param)
    return found


def named(rates: list[JSON]) -> list[JSON]:
    """Return rates as a line has them, without amounts."""
    return [
        {
            "amount": 0,
            "tax_behavior": "inclusive" if rate["inclusive"] else "exclusive",
            "tax_rate_details": {"tax_rate": rate["id"]},
            "taxability_reason": "standard_rated" if rate["percentage"] else "zero_rated",
            "taxable_amount": 0,
            "type": "tax_rate_details",
        }
        for rate in rates
    ]


def apply(ctx: Context, invoice: JSON) -> None:
    """Set the taxes of each line, and their sums by rate."""
    for line in invoice["lines"]["data"]:
        found = [(tax, _share(ctx, tax)) for tax in line["taxes"]]
        inclusive = sum((share for tax, share in found if tax["tax_behavior"] == "inclusive"), Fraction(0))
        taxable = rounded(net(line) / (1 + inclusive))
        for tax, share in found:
            exempt = _EXEMPT.get(invoice["customer_tax_exempt"] or "none")
            amount = rounded(net(line) / (1 + inclusive) * share)
            tax |= {"amount": 0 if exempt else amount, "taxable_amount": 0 if exempt else taxable}
            tax |= {"taxability_reason": exempt} if exempt else {}
    invoice["total_taxes"] = summed(invoice["lines"]["data"])


def summed(lines: list[JSON]) -> list[JSON]:
    """Return the taxes of some lines, one for each rate."""
    sums: dict[str, JSON] = {}
    for tax in (tax for line in lines for tax in line["taxes"]):
        total = sums.setdefault(tax["tax_rate_details"]["tax_rate"], tax | {"amount": 0, "taxable_amount": 0})
        total["amount"] += tax["amount"]
        total["taxable_amount"] += tax["taxable_amount"]
    return list(sums.values())


def owed(taxes: list[JSON], behavior: str) -> int:
    """Return the sum of the taxes that are `inclusive` or `exclusive`."""
    return sum(tax["amount"] for tax in taxes if tax["tax_behavior"] == behavior)


def _share(ctx: Context, tax: JSON) -> Fraction:
    rate = ctx.store.get("tax_rate", tax["tax_rate_details"]["tax_rate"])
    assert rate is not None
    return Fraction(Decimal(str(rate["percentage"]))) / 100
