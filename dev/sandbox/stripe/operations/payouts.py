"""Payouts of connected accounts to their banks: by the day or by hand, paid after days or failed by a test account."""

from typing import Any

from dev.sandbox.stripe import connect, lists, money
from dev.sandbox.stripe.core import Context, control, operation, task
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.parameters import merge, merged_metadata

JSON = dict[str, Any]

ARRIVES_AFTER_SECONDS = 2 * 86_400
SCHEDULED_AFTER_SECONDS = 86_400
MESSAGES = {
    "no_account": "No bank account could be located with the details on file.",
    "account_closed": "The bank account has been closed.",
}


def get(ctx: Context, id: str) -> JSON:
    """Return a payout of the account that the request acts for, or refuse."""
    payout: JSON | None = ctx.store.get("payout", id)
    if payout is None:
        raise missing("payout", id, param="payout")
    return payout


def schedule(ctx: Context, account: JSON) -> None:
    """Schedule an automatic payout of an account's balance within a day."""
    if account["settings"]["payouts"]["schedule"]["interval"] == "daily":
        ctx.after(SCHEDULED_AFTER_SECONDS, "payouts.daily", {"account": account["id"]})


@operation("post", "/v1/payouts")
async def create(ctx: Context, params: JSON) -> JSON:
    """Send available money of an account to its bank."""
    if params.get("method", "standard") != "standard":
        raise invalid("This sandbox has standard payouts only.", param="method")
    currency, amount = money.check_currency(params["currency"]), params["amount"]
    if amount <= 0:
        raise invalid("Invalid positive integer", param="amount", code="parameter_invalid_integer")
    bank = connect.bank(ctx, connect.get(ctx, ctx.account)) if ctx.account else None
    if bank is None or bank["currency"] != currency or params.get("destination", bank["id"]) != bank["id"]:
        raise invalid(f"Sorry, you don't have any external accounts in that currency ({currency}).", param="currency")
    if not connect.get(ctx, ctx.account)["payouts_enabled"]:
        raise invalid("Cannot create payouts: this account has payouts disabled.", code="payouts_not_allowed")
    if money.totals(ctx)["available"].get(currency, 0) < amount:
        message = "You have insufficient funds in your Stripe account for this payout."
        raise invalid(message, param="amount", code="balance_insufficient")
    return _pay_out(ctx, amount, bank, params)


@operation("get", "/v1/payouts/{payout}")
async def retrieve(ctx: Context, _: JSON, payout: str) -> JSON:
    """Return a payout."""
    return get(ctx, payout)


@operation("post", "/v1/payouts/{payout}")
async def update(ctx: Context, params: JSON, payout: str) -> JSON:
    """Change the metadata of a payout."""
    found = get(ctx, payout)
    previous = merge(found, params)
    ctx.store.put(found)
    ctx.emit("payout.updated", found, previous)
    return found


@operation("get", "/v1/payouts")
async def list_all(ctx: Context, params: JSON) -> JSON:
    """List payouts, newest first."""
    return lists.answer(ctx, "payout", params, "/v1/payouts", "status", "destination")


@operation("post", "/v1/payouts/{payout}/cancel")
async def cancel(ctx: Context, _: JSON, payout: str) -> JSON:
    """Take a payout back that has not left yet."""
    found = get(ctx, payout)
    if found["status"] != "pending" or found["automatic"]:
        raise invalid(f"Payout {payout} cannot be canceled: it is {found['status']}.", param="payout")
    found["status"] = "canceled"
    _give_back(ctx, found, "payout_cancel")
    ctx.emit("payout.canceled", found)
    return found


@task("payouts.daily")
async def pay_daily(ctx: Context, account: str) -> None:
    """Send all that an account has available in the currency of its bank."""
    found = connect.get(ctx, account)
    bank = connect.bank(ctx, found)
    amount = money.totals(ctx)["available"].get(bank["currency"], 0) if bank else 0
    if (
        bank
        and amount > 0
        and found["payouts_enabled"]
        and found["settings"]["payouts"]["schedule"]["interval"] == "daily"
    ):
        _pay_out(ctx, amount, bank, {}, automatic=True)


@task("payouts.arrive")
async def arrive(ctx: Context, payout: str) -> None:
    """End a payout as its bank account says."""
    found = get(ctx, payout)
    if found["status"] == "pending":
        _end(ctx, found, connect.BANK_ACCOUNTS[ctx.store.setting(f"number/{found['destination']}")])


@control("payout")
async def end_payout(ctx: Context, body: JSON) -> JSON:
    """End `payout` of `account` now; with `failure` it fails for that reason."""
    with ctx.store.within(str(body.get("account"))):
        found = get(ctx, str(body.get("payout")))
        if found["status"] != "pending":
            raise invalid(f"Payout {found['id']} is {found['status']}.")
        _end(ctx, found, body.get("failure"))
    return found


def _pay_out(ctx: Context, amount: int, bank: JSON, params: JSON, *, automatic: bool = False) -> JSON:
    payout: JSON = {
        "id": ctx.new_id("po"),
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": ctx.now() + ARRIVES_AFTER_SECONDS,
        "automatic": automatic,
        "balance_transaction": None,
        "created": ctx.now(),
        "currency": bank["currency"],
        "description": params.get("description"),
        "destination": bank["id"],
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": False,
        "metadata": merged_metadata({}, params.get("metadata") or {}),
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "in_progress" if automatic else "not_applicable",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": params.get("statement_descriptor"),
        "status": "pending",
        "trace_id": None,
        "type": "bank_account",
    }
    payout["balance_transaction"] = _record(ctx, "payout", "payout", -amount, payout)
    ctx.store.put(payout)
    ctx.emit("payout.created", payout)
    ctx.after(ARRIVES_AFTER_SECONDS, "payouts.arrive", {"payout": payout["id"]})
    return payout


def _end(ctx: Context, payout: JSON, failure: str | None) -> None:
    if failure is None:
        payout["status"] = "paid"
        ctx.store.put(payout)
        ctx.emit("payout.paid", payout)
        return
    message = MESSAGES.get(failure, f"The bank has refused the payout: {failure}.")
    payout |= {"status": "failed", "failure_code": failure, "failure_message": message}
    _give_back(ctx, payout, "payout_failure")
    ctx.emit("payout.failed", payout)
    account = connect.get(ctx, ctx.store.account)
    bank = ctx.store.get("bank_account", payout["destination"])
    if bank is not None:
        former = {"external_accounts": account["external_accounts"]}
        ctx.store.put(bank | {"status": "errored"})
        ctx.emit("account.external_account.updated", bank | {"status": "errored"}, {"status": bank["status"]})
        connect.keep(ctx, account, former)


def _give_back(ctx: Context, payout: JSON, type: str) -> None:
    payout["failure_balance_transaction"] = _record(ctx, type, "payout_reversal", payout["amount"], payout)
    ctx.store.put(payout)


def _record(ctx: Context, type: str, category: str, amount: int, payout: JSON) -> str:
    line = money.record(
        ctx, type, amount, payout["currency"], source=payout["id"], category=category, available_on=ctx.now()
    )
    return str(line["id"])
