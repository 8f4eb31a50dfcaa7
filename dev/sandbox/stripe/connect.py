"""Connected accounts of the Express style: what they need, what they may do, and which bank account they are paid on.

Facts from docs.stripe.com/connect/express-accounts, /connect/handling-api-verification and /connect/testing. Where this
sandbox is simpler than Stripe:
    The platform collects nothing; an account is complete when its person has been through the onboarding page.
    Of capabilities there are `transfers` and `card_payments`, and nobody charges on an account's behalf.
    An account has one bank account, American or with an IBAN, and is paid out by the day or by hand.
"""

from __future__ import annotations

import hashlib
from typing import Any

from dev.sandbox.stripe.core import Context, Refusal, Sandbox
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.lists import whole
from dev.sandbox.stripe.schemas import Operation, shape

JSON = dict[str, Any]

CAPABILITIES = ("transfers", "card_payments")
# What an account owes before its person has been through the onboarding page.
AT_FIRST = (
    "business_type",
    "external_account",
    "individual.dob.day",
    "individual.first_name",
    "individual.last_name",
    "tos_acceptance.date",
    "tos_acceptance.ip",
)
CURRENCY_OF = {"US": "usd", "DE": "eur", "FR": "eur", "IE": "eur", "NL": "eur", "GB": "gbp"}
# Bank accounts of docs.stripe.com/connect/testing, and the outcome of a payout to each.
BANK_ACCOUNTS: dict[str, str | None] = {
    "000123456789": None,
    "000111111116": "no_account",
    "000111111113": "account_closed",
    "000222222227": "insufficient_funds",
    "000333333335": "debit_not_authorized",
    "000444444440": "invalid_currency",
    "DE89370400440532013000": None,
    "DE62370400440532013001": "no_account",
}
# What may be asked for in the name of a connected account.
FOR_ACCOUNTS = frozenset(
    {
        ("get", "/v1/account"),
        ("get", "/v1/balance"),
        ("get", "/v1/balance_transactions"),
        ("get", "/v1/balance_transactions/{}"),
        ("get", "/v1/events"),
        ("get", "/v1/events/{}"),
        ("get", "/v1/payouts"),
        ("post", "/v1/payouts"),
        ("get", "/v1/payouts/{}"),
        ("post", "/v1/payouts/{}"),
        ("post", "/v1/payouts/{}/cancel"),
    }
)


def demand_account(sandbox: Sandbox, account: str, operation: Operation) -> None:
    """Refuses a request in the name of an account that is not connected, or for what accounts have not got here."""
    if sandbox.store.get("account", account) is None:
        message = f"The provided key does not have access to account '{account}' (or that account does not exist)."
        raise Refusal(403, "invalid_request_error", message, code="account_invalid")
    if (operation.method, shape(operation.path)) not in FOR_ACCOUNTS:
        message = f"This sandbox does not have {operation.method.upper()} {operation.path} for connected accounts yet."
        raise Refusal(501, "api_error", message, code="not_in_sandbox")


def get(ctx: Context, id: str, *, param: str = "account", status: int = 404) -> JSON:
    """Returns a connected account of the platform, or refuses."""
    with ctx.store.within(""):
        account: JSON | None = ctx.store.get("account", id)
    if account is None:
        raise missing("account", id, param=param, status=status)
    return account


def new(ctx: Context, params: JSON) -> JSON:
    """Makes an account that has everything still to do and returns it; the platform hears of it by its answer."""
    country = params.get("country", "US")
    if country not in CURRENCY_OF:
        message = f"This sandbox has no connected accounts in '{country}'."
        raise invalid(message, param="country", code="country_unsupported")
    account: JSON = {
        "id": f"acct_{ctx.new_id('')[1:17]}",
        "object": "account",
        "business_profile": {"mcc": None, "name": None, "product_description": None, "url": None},
        "business_type": None,
        "capabilities": {},
        "charges_enabled": False,
        "controller": {
            "fees": {"payer": "application_express"},
            "is_controller": True,
            "losses": {"payments": "application"},
            "requirement_collection": "stripe",
            "stripe_dashboard": {"type": "express"},
            "type": "application",
        },
        "country": country,
        "created": ctx.now(),
        "default_currency": params.get("default_currency", CURRENCY_OF[country]),
        "details_submitted": False,
        "email": None,
        "external_accounts": {},
        "future_requirements": _requirements([]),
        "metadata": {},
        "payouts_enabled": False,
        "requirements": _requirements(list(AT_FIRST), reason="requirements.past_due"),
        "settings": {
            "branding": {"icon": None, "logo": None, "primary_color": None, "secondary_color": None},
            "card_payments": {"statement_descriptor_prefix": None},
            "dashboard": {"display_name": None, "timezone": "Etc/UTC"},
            "payments": {"statement_descriptor": None},
            "payouts": {
                "debit_negative_balances": True,
                "schedule": {"delay_days": 2, "interval": "daily"},
                "statement_descriptor": None,
            },
        },
        "tos_acceptance": {"date": None, "ip": None, "user_agent": None},
        "type": "express",
    }
    account["external_accounts"] = _external(ctx, account["id"])
    return account


def keep(ctx: Context, account: JSON, previous: JSON | None = None) -> None:
    """Works out what an account may do and stores it; with `previous` its endpoints hear of the change."""
    before = {name: account[name] for name in ("charges_enabled", "payouts_enabled", "capabilities")}
    wanted, requirements = account["capabilities"], account["requirements"]
    able = not requirements["past_due"] and requirements["disabled_reason"] is None
    account["capabilities"] = dict.fromkeys(wanted, "active" if able else "inactive")
    account["charges_enabled"] = able and "card_payments" in wanted
    account["external_accounts"] = _external(ctx, account["id"])
    banks = account["external_accounts"]["data"]
    account["payouts_enabled"] = able and any(each["status"] != "errored" for each in banks)
    with ctx.store.within(""):
        ctx.store.put(account)
    if previous is not None:
        with ctx.store.within(account["id"]):
            changed = {name: old for name, old in before.items() if account[name] != old}
            ctx.emit("account.updated", account, previous | changed)


def onboard(ctx: Context, account: JSON, number: str) -> None:
    """Complete an account's onboarding, with its bank account for payouts.

    Raises:
        Refusal: The account was rejected, or the number is none of the test accounts.
    """
    if (account["requirements"]["disabled_reason"] or "").startswith("rejected"):
        raise invalid(f"The account {account['id']} was rejected.", param="account")
    previous = {name: account[name] for name in ("details_submitted", "requirements", "external_accounts")}
    _connect_bank(ctx, account, number)
    account["business_type"] = account["business_type"] or "individual"
    account["details_submitted"] = True
    account["requirements"] = _requirements([])
    account["tos_acceptance"] |= {"date": account["tos_acceptance"]["date"] or ctx.now(), "ip": "127.0.0.1"}
    keep(ctx, account, previous)


def demand_more(ctx: Context, account: JSON, requirement: str, *, deadline: int | None = None) -> None:
    """Add a requirement to an account, which disables it until the requirement is met.

    With a deadline the account can do everything until then. The sandbox does not enforce it.
    """
    previous = {"requirements": account["requirements"]}
    if deadline is None:
        account["requirements"] = _requirements([requirement], reason="requirements.past_due")
    else:
        account["requirements"] = _requirements([requirement]) | {"current_deadline": deadline, "past_due": []}
    keep(ctx, account, previous)


def reject(ctx: Context, account: JSON, reason: str) -> None:
    """Reject an account permanently, as the platform."""
    previous = {"requirements": account["requirements"]}
    known = {"terms_of_service": "rejected.platform_terms_of_service", "other": "rejected.platform_other"}
    why = known.get(reason, "rejected.platform_fraud" if "fraud" in reason else "rejected.platform_other")
    account["requirements"] = _requirements([], reason=why)
    keep(ctx, account, previous)


def bank(ctx: Context, account: JSON) -> JSON | None:
    """Returns the bank account of a connected account, if it has one."""
    with ctx.store.within(account["id"]):
        return next(iter(ctx.store.query("bank_account", account=account["id"])), None)


def _connect_bank(ctx: Context, account: JSON, number: str) -> None:
    number = "".join(number.split()).upper()
    if number not in BANK_ACCOUNTS:
        raise invalid("Only the numbers of test accounts are taken here.", code="account_number_invalid")
    former, iban = bank(ctx, account), number[:2].isalpha()
    mark = hashlib.sha256(number.encode()).hexdigest()[:16]
    if former is not None and former["fingerprint"] == mark:
        return
    with ctx.store.within(account["id"]):
        if former is not None:
            ctx.store.delete("bank_account", former["id"])
        country = number[:2] if iban else "US"
        made: JSON = {
            "id": ctx.new_id("ba"),
            "object": "bank_account",
            "account": account["id"],
            "account_holder_name": None,
            "account_holder_type": None,
            "account_type": None,
            "available_payout_methods": ["standard"],
            "bank_name": "STRIPE TEST BANK",
            "country": country,
            "currency": "eur" if iban else "usd",
            "default_for_currency": True,
            "fingerprint": mark,
            "last4": number[-4:],
            "metadata": {},
            "routing_number": "37040044" if iban else "110000000",
            "status": "new",
        }
        ctx.store.put(made)
        ctx.store.keep(f"number/{made['id']}", number)
        if former is not None:
            ctx.emit("account.external_account.deleted", former)
        ctx.emit("account.external_account.created", made)


def _external(ctx: Context, id: str) -> JSON:
    with ctx.store.within(id):
        found = ctx.store.query("bank_account", account=id)
    return whole(found, f"/v1/accounts/{id}/external_accounts")


def _requirements(due: list[str], *, reason: str | None = None) -> JSON:
    return {
        "alternatives": [],
        "current_deadline": None,
        "currently_due": due,
        "disabled_reason": reason,
        "errors": [],
        "eventually_due": due,
        "past_due": due,
        "pending_verification": [],
    }
