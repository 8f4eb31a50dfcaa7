"""Cash balances over the API: read, set, and funded by the test helper in place of a bank transfer."""

from typing import Any

from dev.sandbox.stripe import cash, lists, money, transfers
from dev.sandbox.stripe.core import Context, expansion, operation
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.operations import customers

JSON = dict[str, Any]


@operation("get", "/v1/customers/{customer}/cash_balance")
async def retrieve(ctx: Context, _: JSON, customer: str) -> JSON:
    """Return what a customer has sent and no payment has used."""
    customers.get(ctx, customer)
    return cash.shown(ctx, customer)


@operation("post", "/v1/customers/{customer}/cash_balance")
async def update(ctx: Context, params: JSON, customer: str) -> JSON:
    """Set whether money is applied by itself."""
    customers.get(ctx, customer)
    cash.set_terms(ctx, customer, params)
    return cash.shown(ctx, customer)


@operation("post", "/v1/test_helpers/customers/{customer}/fund_cash_balance")
async def fund(ctx: Context, params: JSON, customer: str) -> JSON:
    """Let a bank transfer of the customer arrive."""
    customers.get(ctx, customer)
    currency = money.check_currency(params["currency"])
    if currency not in cash.TRANSFERS:
        raise invalid(f"There are no bank transfers in {currency}.", param="currency")
    if not 0 < params["amount"] <= money.MAXIMUM:
        message = f"The amount has to be from 1 to {money.MAXIMUM}."
        raise invalid(message, param="amount", code="parameter_invalid_integer")
    return transfers.fund(ctx, customer, currency, params["amount"], params.get("reference"))


@operation("get", "/v1/customers/{customer}/cash_balance_transactions")
async def list_lines(ctx: Context, params: JSON, customer: str) -> JSON:
    """List what has changed the balance, in all currencies, newest first."""
    customers.get(ctx, customer)
    url = f"/v1/customers/{customer}/cash_balance_transactions"
    return lists.answer(ctx, "customer_cash_balance_transaction", params, url, customer=customer)


@operation("get", "/v1/customers/{customer}/cash_balance_transactions/{transaction}")
async def retrieve_line(ctx: Context, _: JSON, customer: str, transaction: str) -> JSON:
    """Return one change of the balance."""
    customers.get(ctx, customer)
    line: JSON | None = ctx.store.get("customer_cash_balance_transaction", transaction)
    if line is None or line["customer"] != customer:
        raise missing("customer_cash_balance_transaction", transaction, param="transaction")
    return line


@expansion("customer", "cash_balance")
def of_customer(ctx: Context, customer: JSON) -> JSON:
    """Return the balance that a customer is answered with when it is asked for."""
    return cash.shown(ctx, customer["id"])
