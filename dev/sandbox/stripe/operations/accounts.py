"""Connected accounts over the API, and the control that does to one what its person or Stripe would do."""

from typing import Any

from dev.sandbox.stripe import connect, lists, money
from dev.sandbox.stripe.core import Context, control, operation
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.parameters import merge

JSON = dict[str, Any]

# What the platform may set of an account whose person tells Stripe the rest.
SET = ("email", "business_type")
TAKEN = {*SET, "account", "business_profile", "capabilities", "country", "default_currency"}
TAKEN |= {"metadata", "settings", "type", "controller"}


@operation("post", "/v1/accounts")
async def create(ctx: Context, params: JSON) -> JSON:
    """Make an Express account, which has everything still to do."""
    dashboard = params.get("controller", {}).get("stripe_dashboard", {}).get("type")
    if (params.get("type") or dashboard) != "express":
        raise invalid("This sandbox has accounts of type 'express' only.", param="type")
    account = connect.new(ctx, params)
    _set(account, params)
    connect.keep(ctx, account)
    return account


@operation("get", "/v1/accounts/{account}")
async def retrieve(ctx: Context, _: JSON, account: str) -> JSON:
    """Return an account."""
    return connect.get(ctx, account)


@operation("get", "/v1/account")
async def retrieve_own(ctx: Context, _: JSON) -> JSON:
    """Return the account that the request acts for."""
    if not ctx.account:
        raise invalid("This sandbox does not describe the platform's own account.", status=501, code="not_in_sandbox")
    return connect.get(ctx, ctx.account)


@operation("post", "/v1/accounts/{account}")
async def update(ctx: Context, params: JSON, account: str) -> JSON:
    """Change what the platform may change of an account."""
    found = connect.get(ctx, account)
    previous = _set(found, params)
    connect.keep(ctx, found, previous)
    return found


@operation("delete", "/v1/accounts/{account}")
async def delete(ctx: Context, _: JSON, account: str) -> JSON:
    """Forget an account that has no money."""
    connect.get(ctx, account)
    with ctx.store.within(account):
        if any(any(each.values()) for each in money.totals(ctx).values()):
            raise invalid(f"The account {account} has a balance and cannot be deleted.", param="account")
    ctx.store.delete("account", account)
    return {"id": account, "object": "account", "deleted": True}


@operation("get", "/v1/accounts")
async def list_all(ctx: Context, params: JSON) -> JSON:
    """List accounts, newest first."""
    return lists.answer(ctx, "account", params, "/v1/accounts")


@operation("post", "/v1/accounts/{account}/reject")
async def reject(ctx: Context, params: JSON, account: str) -> JSON:
    """Reject an account: it can do nothing any more."""
    found = connect.get(ctx, account)
    connect.reject(ctx, found, params["reason"])
    return found


@operation("post", "/v1/accounts/{account}/login_links")
async def log_in(ctx: Context, _: JSON, account: str) -> JSON:
    """Make a link to the Express dashboard of an account that has been onboarded."""
    found = connect.get(ctx, account)
    if not found["details_submitted"]:
        raise invalid(f"Cannot create a login link for account {account}: it has not completed onboarding.")
    return {"object": "login_link", "created": ctx.now(), "url": f"{ctx.base_url}/connect/express/{account}"}


@operation("get", "/v1/accounts/{account}/capabilities")
async def list_capabilities(ctx: Context, _: JSON, account: str) -> JSON:
    """List what an account was requested for."""
    found = connect.get(ctx, account)
    listed = [_capability(found, name) for name in found["capabilities"]]
    return lists.whole(listed, f"/v1/accounts/{account}/capabilities")


@operation("get", "/v1/accounts/{account}/capabilities/{capability}")
async def retrieve_capability(ctx: Context, _: JSON, account: str, capability: str) -> JSON:
    """Return one capability of an account."""
    found = connect.get(ctx, account)
    _known(capability)
    return _capability(found, capability)


@operation("post", "/v1/accounts/{account}/capabilities/{capability}")
async def request_capability(ctx: Context, params: JSON, account: str, capability: str) -> JSON:
    """Request a capability, or give it up."""
    found = connect.get(ctx, account)
    _set(found, {"capabilities": {capability: {"requested": params.get("requested", False)}}})
    connect.keep(ctx, found, {})
    return _capability(found, capability)


@operation("get", "/v1/accounts/{account}/external_accounts")
async def list_external(ctx: Context, params: JSON, account: str) -> JSON:
    """List the bank account of a connected account."""
    connect.get(ctx, account)
    with ctx.store.within(account):
        return lists.answer(ctx, "bank_account", params, f"/v1/accounts/{account}/external_accounts")


@operation("get", "/v1/accounts/{account}/external_accounts/{id}")
async def retrieve_external(ctx: Context, _: JSON, account: str, id: str) -> JSON:
    """Return the bank account of a connected account."""
    found = connect.bank(ctx, connect.get(ctx, account))
    if found is None or found["id"] != id:
        raise missing("external_account", id)
    return found


@control("account")
async def steer(ctx: Context, body: JSON) -> JSON:
    """Onboard `account` with the bank account `number`, or have Stripe ask it for the `requirement` (by `deadline`)."""
    account = connect.get(ctx, str(body.get("account")))
    if "requirement" in body:
        deadline = body.get("deadline")
        connect.demand_more(
            ctx, account, str(body["requirement"]), deadline=None if deadline is None else int(deadline)
        )
    else:
        connect.onboard(ctx, account, str(body.get("number", "000123456789")))
    return account


def _set(account: JSON, params: JSON) -> JSON:
    """Set what is given, and return the former values of what has changed."""
    for name in params:
        if name not in TAKEN:
            raise invalid(f"The person of an Express account tells Stripe this, not the platform: {name}.", param=name)
    previous = merge(account, params, *SET)
    for name, wanted in params.get("capabilities", {}).items():
        _known(name)
        if wanted.get("requested"):
            account["capabilities"].setdefault(name, "inactive")
        elif "requested" in wanted:
            account["capabilities"].pop(name, None)
    account["business_profile"] |= params.get("business_profile", {})
    for name, value in params.get("settings", {}).items():
        if name != "payouts" or set(value) - {"schedule"} or set(value.get("schedule", {})) - {"interval"}:
            raise invalid("This sandbox takes settings[payouts][schedule][interval] only.", param=f"settings[{name}]")
        schedule = account["settings"]["payouts"]["schedule"]
        if value["schedule"]["interval"] not in ("daily", "manual"):
            raise invalid("This sandbox pays out daily or by hand.", param="settings[payouts][schedule][interval]")
        if schedule["interval"] != value["schedule"]["interval"]:
            previous["settings"] = {"payouts": {"schedule": dict(schedule)}}
        schedule |= value["schedule"]
    return previous


def _known(capability: str) -> None:
    if capability not in connect.CAPABILITIES:
        raise invalid(f"This sandbox does not have the capability {capability}.", param="capabilities")


def _capability(account: JSON, name: str) -> JSON:
    due = account["requirements"]["currently_due"]
    requirements = {"alternatives": [], "currently_due": due, "disabled_reason": None, "errors": []}
    requirements |= {"eventually_due": due, "past_due": due, "pending_verification": []}
    return {
        "id": name,
        "object": "capability",
        "account": account["id"],
        "requested": name in account["capabilities"],
        "requested_at": account["created"] if name in account["capabilities"] else None,
        "requirements": requirements,
        "status": account["capabilities"].get(name, "unrequested"),
    }
