"""Amounts, fees and the balance: what a charge may be, what is kept of it, and every change of the balance as a line.

Facts from docs.stripe.com/currencies, stripe.com/pricing (prices for the United States) and
docs.stripe.com/api/balance_transactions. Where this sandbox is simpler than Stripe:
    The balance is kept in the currency of the charge; nothing is ever converted.
    Fees are 2.9 % and a fixed part by currency for cards, 0.8 % up to 5.00 for US bank accounts, 0.35 for SEPA
    debits, 1.00 for bank transfers.
    Money becomes available after two days of the clock, weekends included.
    The fee for a dispute is 15.00 and stays with Stripe in either case, as in the United States; the fee for countering
    one is not charged.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from dev.sandbox.stripe.core import Context, Refusal, task

JSON = dict[str, Any]

_ZERO_DECIMAL = "bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf"
ZERO_DECIMAL = frozenset(_ZERO_DECIMAL.split())
THREE_DECIMAL = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
# Written with two decimals although the currencies have none any more: the last two digits are zeros.
WHOLE_UNITS = frozenset({"isk", "ugx"})
_CURRENCIES = """
    usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf clp
    cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr isk
    jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn
    nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std
    szl thb tjs tnd top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw
    """
CURRENCIES = frozenset(_CURRENCIES.split())
MINIMUM: Mapping[str, int] = {
    "usd": 50,
    "aed": 200,
    "aud": 50,
    "bgn": 100,
    "brl": 50,
    "cad": 50,
    "chf": 50,
    "czk": 1500,
    "dkk": 250,
    "eur": 50,
    "gbp": 30,
    "hkd": 400,
    "huf": 17500,
    "inr": 50,
    "jpy": 50,
    "mxn": 1000,
    "myr": 200,
    "nok": 300,
    "nzd": 50,
    "pln": 200,
    "ron": 200,
    "sek": 300,
    "sgd": 50,
    "thb": 1000,
}
MAXIMUM = 99_999_999
FIXED_FEE: Mapping[str, int] = {"usd": 30, "eur": 25, "gbp": 20, "jpy": 0}
DISPUTE_FEE = 1500
AVAILABLE_AFTER_SECONDS = 2 * 86_400


def check_currency(currency: str) -> str:
    """Return the currency in lower case, or refuse one that cannot be charged."""
    lower = currency.lower()
    if lower not in CURRENCIES:
        raise Refusal(400, "invalid_request_error", f"Invalid currency: {lower}.", param="currency")
    return lower


def check_amount(amount: int, currency: str, *, param: str = "amount") -> None:
    """Refuse an amount that Stripe would not charge: too small, too large, or finer than the currency allows."""
    if amount <= 0:
        raise Refusal(
            400,
            "invalid_request_error",
            "The amount has to be greater than zero.",
            code="parameter_invalid_integer",
            param=param,
        )
    if amount > MAXIMUM:
        raise Refusal(
            400, "invalid_request_error", f"At most {MAXIMUM} can be charged.", code="amount_too_large", param=param
        )
    step = 10 if currency in THREE_DECIMAL else 100 if currency in WHOLE_UNITS else 1
    if amount % step:
        raise Refusal(
            400,
            "invalid_request_error",
            f"Amounts in {currency} have to be multiples of {step}.",
            code="parameter_invalid_integer",
            param=param,
        )
    if amount < MINIMUM.get(currency, 1):
        raise Refusal(
            400,
            "invalid_request_error",
            f"At least {MINIMUM[currency]} has to be charged in {currency}.",
            code="amount_too_small",
            param=param,
        )


def processing_fee(amount: int, currency: str, method: str) -> int:
    """Return what is kept of a charge by this type of payment method, rounded half up."""
    scale = 1 if currency in ZERO_DECIMAL else 1000 if currency in THREE_DECIMAL else 100
    if method == "us_bank_account":
        return min((amount * 8 + 500) // 1000, 5 * scale)
    if method == "sepa_debit":
        return 35 * scale // 100
    if method == "customer_balance":
        return min(amount, scale)
    return (amount * 29 + 500) // 1000 + FIXED_FEE.get(currency, 30 * scale // 100)


def dispute_fee(currency: str) -> int:
    """Return what a dispute costs, in the currency of the charge: 15 of its units."""
    return DISPUTE_FEE // 100 * (1 if currency in ZERO_DECIMAL else 1000 if currency in THREE_DECIMAL else 100)


def record(
    ctx: Context,
    type: str,
    amount: int,
    currency: str,
    *,
    source: str,
    category: str,
    available_on: int,
    fee: int = 0,
    fee_description: str = "Processing fee",
    description: str | None = None,
    balance_type: str = "payments",
    created: int | None = None,
) -> JSON:
    """Store one change of a balance and return it. `amount` is signed and before `fee`, which is never negative."""
    details = [
        {"amount": fee, "application": None, "currency": currency, "description": fee_description, "type": "stripe_fee"}
    ]
    line: JSON = {
        "id": ctx.new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": available_on,
        "balance_type": balance_type,
        "created": ctx.now() if created is None else created,
        "currency": currency,
        "description": description,
        "exchange_rate": None,
        "fee": fee,
        "fee_details": details if fee else [],
        "net": amount - fee,
        "reporting_category": category,
        "source": source,
        "status": "pending" if available_on > ctx.now() else "available",
        "type": type,
    }
    ctx.store.put(line)
    if line["status"] == "pending":
        ctx.after(available_on - ctx.now(), "money.available", {})
    elif amount > 0 and balance_type == "payments":
        ctx.emit("balance.available", balance(ctx))
    return line


@task("money.available")
async def make_available(ctx: Context) -> None:
    """Move all lines whose time has come from pending to available, and notify of it once."""
    due = [
        line for line in ctx.store.query("balance_transaction", status="pending") if line["available_on"] <= ctx.now()
    ]
    for line in due:
        ctx.store.put(line | {"status": "available"})
    if due:
        ctx.emit("balance.available", balance(ctx))


def balance(ctx: Context) -> JSON:
    """Return the sums of all lines by currency, available and pending, as Stripe's object."""
    sums = totals(ctx)
    currencies = sorted({currency for each in sums.values() for currency in each}) or ["usd"]

    def amounts(status: str) -> list[JSON]:
        found = [(currency, sums[status].get(currency, 0)) for currency in currencies]
        return [{"amount": net, "currency": currency, "source_types": {"card": net}} for currency, net in found]

    issuing = [{"amount": net, "currency": currency} for currency, net in totals(ctx, "issuing")["available"].items()]
    return {
        "object": "balance",
        "available": amounts("available"),
        **({"issuing": {"available": issuing}} if issuing else {}),
        "livemode": False,
        "pending": amounts("pending"),
        "refund_and_dispute_prefunding": {"available": [], "pending": []},
    }


def totals(ctx: Context, balance_type: str = "payments") -> dict[str, dict[str, int]]:
    """Return the sum of all lines of a balance by status and currency."""
    rows = ctx.store.sql.execute(
        "SELECT json_extract(body, '$.status'), json_extract(body, '$.currency'), sum(json_extract(body, '$.net'))"
        " FROM objects WHERE kind = 'balance_transaction' AND account = ?"
        " AND json_extract(body, '$.balance_type') = ? GROUP BY 1, 2 ORDER BY 1, 2",
        (ctx.store.account, balance_type),
    ).fetchall()
    sums: dict[str, dict[str, int]] = {"available": {}, "pending": {}}
    for status, currency, net in rows:
        sums[status][currency] = net
    return sums


def written(amount: int, currency: str) -> str:
    """Return an amount for people: `20.00 USD`."""
    decimals = 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2
    return f"{Decimal(amount).scaleb(-decimals):,.{decimals}f} {currency.upper()}"
