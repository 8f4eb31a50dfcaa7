"""The balance and the lines that it is the sum of."""

from typing import Any

from dev.sandbox.stripe import lists, money
from dev.sandbox.stripe.core import Context, operation
from dev.sandbox.stripe.errors import missing

JSON = dict[str, Any]


@operation("get", "/v1/balance")
async def retrieve(ctx: Context, _: JSON) -> JSON:
    """Return the sums of all lines by currency, available and pending."""
    return money.balance(ctx)


@operation("get", "/v1/balance_transactions/{id}")
async def retrieve_line(ctx: Context, _: JSON, id: str) -> JSON:
    """Return one line of the balance."""
    line: JSON | None = ctx.store.get("balance_transaction", id)
    if line is None:
        raise missing("balance_transaction", id)
    return line


@operation("get", "/v1/balance_transactions")
async def list_lines(ctx: Context, params: JSON) -> JSON:
    """List lines of the balance, newest first; none belongs to a payout yet."""
    if "payout" in params:
        return lists.whole([], "/v1/balance_transactions")
    return lists.answer(ctx, "balance_transaction", params, "/v1/balance_transactions", "currency", "source", "type")
